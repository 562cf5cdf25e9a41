"""asv over commits, one run for each, so that whatever happens in one leaves the others alone."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

import verify
from verify import revisions
from verify.bench import outcome, settings
from verify.bench.following import follow, trouble
from verify.bench.outcome import Benchmark, End, Outcome, Tally
from verify.folders import BusyError, alone, write_whole
from verify.revisions import Commit


class Watcher(Protocol):
    """Who is told how it goes."""

    def doing(self, text: str, percent: float | None = None) -> None:
        """What is done now, and how far the commit is."""

    def began(self, commit: Commit, number: int, total: int) -> None:
        """A commit is measured from now on."""

    def ended(self, outcome: Outcome) -> None:
        """A commit has ended."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is asked for.

    Attributes:
        commits: in the order in which they are measured.
        pattern: regular expression that is looked for in the names of benchmarks, their parameters included; None: all.
        build: whether asv builds and installs each commit.
        quick: whether each benchmark is run once and nothing is stored.
        again: whether what is stored is measured again.
        retry: whether what had failed is measured again.
        machine: name under which results are kept; None: asv's name of this machine.
    """

    commits: tuple[Commit, ...]
    pattern: str | None = None
    build: bool = True
    quick: bool = False
    again: bool = False
    retry: bool = False
    machine: str | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What became of a plan.

    Attributes:
        outcomes: how each commit ended, in the order of the plan.
        outdated: benchmarks that are another one now than in so many stored results.
    """

    outcomes: tuple[Outcome, ...]
    outdated: Mapping[str, int]

    @property
    def exit_code(self) -> int:
        """Exit code of the command line."""
        return outcome.exit_code(self.outcomes)


class DiscoveryError(RuntimeError):
    """No commit asked for can be built and list its benchmarks; the message has asv's last words."""


def run(suite: settings.Suite, plan: Plan, watcher: Watcher) -> Report:
    """Measure the commits of a plan, in an order drawn at random, the same for as many commits.

    Returns:
        How each ended, in the order of the plan; none where the plan selects no commit or no benchmark. A run that is
        interrupted ends as ``STOPPED`` for the commit under way and those not reached.

    Raises:
        SettingsError: the configuration or the machine cannot be used, or another run is at work.
        DiscoveryError: not even the list of benchmarks can be had.
    """
    if not plan.commits:
        return Report(outcomes=(), outdated={})
    suite.work.mkdir(parents=True, exist_ok=True)
    try:
        # Two runs in one environment would measure each other's commits. An asv that we began holds the lock, too.
        with alone(suite.work / "lock") as lock:
            return _Run(suite, plan, watcher, lock).report()
    except BusyError as error:
        raise settings.SettingsError(str(error)) from None


class _Run:
    """The state of one run over commits."""

    def __init__(self, suite: settings.Suite, plan: Plan, watcher: Watcher, lock: int) -> None:
        self.plan, self.watcher, self.lock = plan, watcher, lock
        self.work = suite.work
        self.head = revisions.resolve(suite.repository, "HEAD")
        self.results = suite.work / "quick" if plan.quick else suite.results
        self.notes = suite.work / ("quick-notes" if plan.quick else "notes")
        if plan.quick:
            for folder in (self.results, self.notes):
                shutil.rmtree(folder, ignore_errors=True)
        configuration = settings.derived(suite, build=plan.build, results=self.results)
        self.environments = settings.environments(configuration)
        described = suite.work / "machines.json"
        self.machine = settings.machine(plan.machine, described)
        self.file = settings.written(configuration, suite.work)
        constraints = suite.file.parent / "constraints.txt"
        self.variables = {
            **{name: value for name, value in revisions.environment().items() if name != "ASV_PYTHONPATH"},
            "PYTHONPATH": str(Path(verify.__file__).parents[1]),  # for the plugin; asv keeps it from benchmarks
            "PYTHONUNBUFFERED": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "HIPPO_VERIFY_BENCH_NOTES": str(self.notes),
            "HIPPO_VERIFY_BENCH_MACHINES": str(described),
            "HIPPO_VERIFY_BENCH_RESULTS": str(self.results),
            **({"PIP_CONSTRAINT": str(constraints)} if plan.build and constraints.is_file() else {}),
        }

    def report(self) -> Report:
        """Every commit, each with what it lacks."""
        wanted = self.discovered()
        outcomes = self.outcomes(wanted) if wanted else []
        return Report(outcomes=tuple(outcomes), outdated=outcome.outdated(self.results / self.machine, wanted))

    def outcomes(self, wanted: Sequence[Benchmark]) -> list[Outcome]:
        """How each commit ended, oldest first; they are measured in an order drawn at random."""
        listed = self.results / "benchmarks.json"
        newest = listed.read_bytes()
        found: list[Outcome] = []
        place = {commit.hash: i for i, commit in enumerate(self.plan.commits)}
        order = list(self.plan.commits)
        # A machine that is busy for a while must not fall on neighbours.
        Random(len(order)).shuffle(order)  # noqa: S311 -- no secret
        try:
            for number, commit in enumerate(order, 1):
                one = self.stored(commit, wanted)
                if one is None:
                    self.watcher.began(commit, number, len(self.plan.commits))
                    one = self.measured(commit, wanted)
                found.append(one)
                self.watcher.ended(one)
        except KeyboardInterrupt:
            left = order[len(found) :]
            found += [Outcome(commit=commit, tally=Tally(), end=End.STOPPED) for commit in left]
        finally:
            write_whole(listed, newest)  # asv wrote the list of each commit, and its pages show what is listed
        return sorted(found, key=lambda one: place[one.commit.hash])

    def discovered(self) -> list[Benchmark]:
        """The benchmarks asked for, as the newest commit that can be built lists them."""
        self.watcher.doing("discovering the benchmarks")
        hashes = dict.fromkeys([self.head.hash, *(commit.hash for commit in reversed(self.plan.commits))])
        asked = self.work / "commits"
        asked.write_text("\n".join(hashes), encoding="utf-8")
        log = self.work / "logs" / "discovery.log"
        if self.asv("--bench", "just-discover", f"HASHFILE:{asked}", log=log):
            raise DiscoveryError(f"asv cannot list the benchmarks: {trouble(log)}; all it said is in {log}")
        found = outcome.benchmarks(self.results / "benchmarks.json").values()
        sought = re.compile(self.plan.pattern or "")
        return [chosen for one in found if (chosen := one.only(sought.search)).choices]

    def stored(self, commit: Commit, wanted: Sequence[Benchmark]) -> Outcome | None:
        """How a commit ended before; None where something is to be measured."""
        if self.plan.again or self.plan.quick:
            return None
        found = self.tally(commit, wanted)
        if found.missing or (self.plan.retry and (found.failed or not found.built)):
            return None
        log = self.log(commit)
        message = "" if found.built or not log.is_file() else trouble(log)
        return Outcome(commit=commit, tally=found, end=found.end, before=True, message=message, log=log)

    def measured(self, commit: Commit, wanted: Sequence[Benchmark]) -> Outcome:
        """Measure what a commit lacks."""
        lacking = list(wanted)
        if not (self.plan.again or self.plan.quick):
            before = self.tally(commit, wanted)
            again = {*before.missing, *(before.broken if self.plan.retry else ())}
            lacking = [some for one in wanted if (some := one.only(again.__contains__)).choices]
        names = [part for one in lacking for part in ("--bench", _exactly(one))]
        for file in self.files(commit):
            outcome.set_aside(self.results / file)
        log, begun = self.log(commit), time.monotonic()
        code = self.asv(*names, *(["--quick"] if self.plan.quick else []), f"{commit.hash}^!", log=log)
        found = self.tally(commit, wanted)
        end, message = found.end, "" if found.built else trouble(log)
        if code not in (0, 2):  # 2: a benchmark failed, which is seen in the results
            end, message = End.ASV_FAILED, f"asv ended with {code}: {trouble(log)}"
        return Outcome(commit=commit, tally=found, end=end, seconds=time.monotonic() - begun, message=message, log=log)

    def log(self, commit: Commit) -> Path:
        """What asv prints of a commit."""
        return self.work / "logs" / f"{commit.short}.log"

    def files(self, commit: Commit) -> list[Path]:
        """Where asv keeps the results of a commit, one file for each environment, from the folder of results."""
        from asv.results import get_filename  # noqa: PLC0415 -- asv is in an extra

        return [Path(get_filename(self.machine, commit.hash, name)) for name in self.environments]

    def tally(self, commit: Commit, wanted: Sequence[Benchmark]) -> Tally:
        """What is stored of a commit, all environments together."""
        whole = Tally()
        for file in self.files(commit):
            one = outcome.tally(self.results / file, self.notes / file, wanted)
            whole.measured += one.measured
            whole.skipped += one.skipped
            for name in ("failed", "not_finite", "unclear", "broken", "missing"):
                getattr(whole, name).extend(getattr(one, name))
            whole.built = whole.built and one.built
        return whole

    def asv(self, *arguments: str, log: Path) -> int:
        """Run asv, and tell how far it is."""
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "asv", "run", "--config", str(self.file), "--machine", self.machine]
        # Exact results and compiled code are kept between calls: those of one commit are not for another.
        cache = self.work / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        variables = {**self.variables, "HIPPO_VERIFY_CACHE": str(cache)}
        with log.open("w", encoding="utf-8") as file:
            command += ["--show-stderr", *arguments]
            return follow(command, variables, file.write, self.watcher.doing, held=(self.lock,))


def _exactly(benchmark: Benchmark) -> str:
    """The regular expression by which asv chooses these choices of a benchmark and nothing else."""
    name, choices = re.escape(benchmark.name), "|".join(map(re.escape, benchmark.choices))
    return rf"^{name}\((?:{choices})\)$" if choices else f"^{name}$"
