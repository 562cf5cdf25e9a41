"""A repository of 200 commits with planted changes: what does `verify.history` find of them, and what does it invent?

``python -m asv_benchmarks.synthetic FOLDER`` makes the repository in FOLDER, measures every commit there with asv, one
process for each commit and in random order, and prints the score card as Markdown. Stopped and called again it goes on.
With ``--simulate`` nothing is measured: results are drawn, with noise as of a quiet machine, or with that of another
such repository that was measured.

The repository holds real code, a recurrence in plain Python, and real benchmarks of about a millisecond. The same seed
gives the same commits, down to their hashes.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import random
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

COMMITS = 200
SEED = 2020
START = 1_600_000_000
"""Date of the first commit; one follows each hour."""

TIMED = ("scan", "step", "operators", "gradient", "steady")
LENGTH = 1600
"""Passes of a benchmark: about a millisecond."""

MACHINE = "synthetic"

MODULE = '''"""The {part} of a recurrence of order 4, in plain Python."""

WARM_UP = {warm_up}
"""Passes before those that count."""

DRIFT = {drift}
"""Rounding of the readout, in units of 2^-20."""


def run(passes={passes}):
    """The last state."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for k in range(1, passes + WARM_UP + 1):
        h = 1.0 / k
        a += h * (1.0 - a)
        b += h * (a - 2.0 * b)
        c += h * (a + b - 3.0 * c)
        d += h * (a + b + c - 4.0 * d)
    return a, b, c, d


def readout():
    """What is exactly one, as far as it is read out."""
    return 1.0 + DRIFT * 2.0**-20
'''

BENCHMARKS = '''"""Speed and error of the parts."""

import math

import parts

UNIT = 2.0**-20


def error(part):
    return abs(getattr(parts, part).readout() - 1.0) / (1024 * UNIT)


{timed}

class Error:
    """Error over bound."""

    unit = "error / bound"
    version = "1"
    params = ("scan", "gradient", "steady")
    param_names = ("part",)

    def track_error(self, part):
        return error(part)


def track_bits():
    """Bits lost by the operators."""
    return math.log2(error("operators") * 1024)


track_bits.unit = "bits lost"
track_bits.version = "1"
'''

TIMED_BENCHMARK = """def time_{part}():
    parts.{part}.run()


time_{part}.version = "1"
time_{part}.warmup_time = 0.02
time_{part}.timeout = 20

"""

CONFIGURATION = """{
    "version": 1,
    "project": "parts",
    "repo": ".",
    "dvcs": "git",
    "branches": ["HEAD"],
    "environment_type": "virtualenv",
    "matrix": {},
    "benchmark_dir": "benchmarks",
    "env_dir": ".asv/env",
    "results_dir": ".asv/results",
    "html_dir": ".asv/html"
}
"""


@dataclass(frozen=True)
class Plant:
    """A planted change: a quantity of a part times a factor, from a commit on, and perhaps until another.

    `at` and `until` are shares of the history; the seed moves each by up to 2 %.
    """

    quantity: str
    part: str
    factor: float
    what: str
    at: float
    until: float | None = None
    harmless: bool = False


PLANTS = (
    Plant("time", "scan", 1.05, "5 % slower", 0.2),
    Plant("time", "scan", 1.2, "20 % slower", 0.55),
    Plant("time", "scan", 1 / 1.1, "10 % faster", 0.8),
    Plant("time", "step", 1.1, "10 % slower, recovers", 0.25, 0.5),
    Plant("time", "step", 2.0, "2x slower", 0.75),
    Plant("time", "operators", 2.0, "2x slower, recovers", 0.15, 0.3),
    Plant("time", "operators", 1.05, "5 % slower, recovers", 0.6, 0.85),
    Plant("time", "gradient", 1.2, "20 % slower, recovers", 0.35, 0.65),
    Plant("time", "gradient", 1.1, "10 % slower", 0.9),
    Plant("error", "scan", 1.5, "error 1.5x", 0.22),
    Plant("error", "scan", 10.0, "error 10x, recovers", 0.6, 0.8),
    Plant("error", "gradient", math.nan, "error NaN, recovers", 0.45, 0.52),
    Plant("error", "gradient", 1.5, "error 1.5x, recovers", 0.7, 0.77),
    Plant("error", "operators", 2.0, "1 bit lost", 0.1),
    Plant("error", "operators", 2.0, "1 bit lost, recovers", 0.4, 0.75),
    Plant("error", "steady", 1.25, "error 1.25x: within the rule", 0.5, harmless=True),
    Plant("import", "gradient", 0.0, "cannot be run, repaired by the next commit", 0.4, 0.0),
)


def series(plant):
    """Names of the series that show a plant."""
    timed, tracked = f"bench_parts.time_{plant.part}", f"bench_parts.Error.track_error('{plant.part}')"
    bits = plant.part == "operators"
    return {
        "time": [timed],
        "error": ["bench_parts.track_bits" if bits else tracked],
        "import": [timed, tracked],
    }[plant.quantity]


@dataclass(frozen=True)
class Timetable:
    """At which commit each plant comes, and at which it goes (None: never)."""

    commits: int
    rows: tuple[tuple[Plant, int, int | None], ...]

    @classmethod
    def drawn(cls, commits, seed):
        """The same for the same seed."""
        generator = random.Random(seed)

        def place(share):
            return min(commits - 1, max(1, round(commits * (share + generator.uniform(-0.02, 0.02)))))

        rows = []
        for plant in PLANTS:
            at = place(plant.at)
            until = None if plant.until is None else at + 1 if plant.quantity == "import" else place(plant.until)
            rows.append((plant, at, until))
        return cls(commits, tuple(rows))

    def factor(self, quantity, part, commit):
        """What a quantity of a part is times at a commit."""
        factor = 1.0
        for plant, at, until in self.rows:
            if (plant.quantity, plant.part) == (quantity, part) and at <= commit and (until is None or commit < until):
                factor *= plant.factor
        return factor

    def subject(self, commit):
        """First line of the message: what was planted, for the reader; nothing judges by it."""
        said = [f"{plant.part}: {plant.what}" for plant, at, _ in self.rows if at == commit]
        ended = [plant for plant, _, until in self.rows if until == commit]
        said += [f"{plant.part}: no longer {plant.what.partition(',')[0]}" for plant in ended]
        return "; ".join(said) or f"Note {commit}"

    def planted(self):
        """The truth, as `verify.history.score` wants it."""
        from verify.history.score import Planted  # noqa: PLC0415 -- asv imports this file to look for benchmarks

        return [
            Planted(
                series=name,
                commit=at,
                what=plant.what,
                worse=not 0 < plant.factor < 1,
                recovers=until,
                lost=not plant.factor > 0,
            )
            for plant, at, until in self.rows
            if not plant.harmless
            for name in series(plant)
        ]


def files(timetable, commit):
    """Path -> text of everything in a commit."""
    found = {"asv.conf.json": CONFIGURATION, ".gitignore": ".asv/\n__pycache__/\n", "benchmarks/__init__.py": ""}
    timed = "\n".join(TIMED_BENCHMARK.format(part=part) for part in TIMED)
    found["benchmarks/bench_parts.py"] = BENCHMARKS.replace("{timed}", timed)
    found["parts/__init__.py"] = "".join(f"from parts import {part}\n" for part in TIMED)
    found["NOTES"] = "".join(f"note {i}\n" for i in range(commit + 1))
    for part in TIMED:
        drift = timetable.factor("error", part, commit)
        found[f"parts/{part}.py"] = MODULE.format(
            part=part,
            passes=LENGTH,
            warm_up=round(LENGTH * (timetable.factor("time", part, commit) - 1)),
            drift='float("nan")' if math.isnan(drift) else repr(8.0 * drift),
        )
    if timetable.factor("import", "gradient", commit) == 0:
        name = "parts/gradient.py"
        found[name] = found[name].replace("def run(passes", "def ran(passes").replace("def readout", "def read_out")
    return found


def make(folder, timetable):
    """The git repository, with one commit for each of the timetable; one that is there already is left as it is."""
    if (folder / ".git").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    stream, before = [], {}
    for commit in range(timetable.commits):
        message = timetable.subject(commit).encode()
        who = f"Somebody <somebody@example.org> {START + 3600 * commit} +0000"
        stream.append(f"commit refs/heads/main\nmark :{commit + 1}\nauthor {who}\ncommitter {who}\n".encode())
        stream.append(b"data %d\n%s\n" % (len(message), message))
        now = files(timetable, commit)
        for path, text in now.items():
            if before.get(path) != text:
                content = text.encode()
                stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content))
        before = now
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "fast-import", "--quiet", given=b"".join(stream))
    git(folder, "reset", "--quiet", "--hard", "main")


def git(folder, *arguments, given=None):
    """Run git in a folder, whatever the user has configured."""
    from verify.revisions import environment  # noqa: PLC0415 -- as above

    isolated = ["-c", "core.autocrlf=false", "-c", "core.hooksPath=/dev/null", "-c", "init.templateDir="]
    subprocess.run(["git", *isolated, *arguments], cwd=folder, input=given, env=environment(), check=True)


def measure(folder, seed):
    """Run asv over all commits in random order, so that a machine that is busy for a while accuses none of them."""
    from verify import revisions  # noqa: PLC0415 -- as above
    from verify.bench import console, running, settings  # noqa: PLC0415

    commits = list(revisions.commits(folder, COMMITS))
    random.Random(seed).shuffle(commits)
    suite = settings.find(folder)
    with console.watching(True) as watcher:
        plan = running.Plan(commits=tuple(commits), build=False, machine=MACHINE)
        return running.run(suite, plan, watcher)


def usual_noise(generator):
    """The logarithm of a factor: 1.2 %, and once in 30 times something else ran as well."""
    return generator.gauss(0.0, 0.012) + (generator.expovariate(4.0) if generator.random() < 1 / 30 else 0.0)


def measured_noise(folder):
    """What draws from the noise that was measured where nothing changed."""
    from verify.history import load  # noqa: PLC0415 -- as above

    history = load(folder / ".asv" / "results", folder)
    steady = [p.value for p in history.series["bench_parts.time_steady"].points if p.finite]
    logarithms = [math.log(value / statistics.median(steady)) for value in steady]
    return lambda generator: generator.choice(logarithms)


def simulate(folder, timetable, seed, noise=usual_noise):
    """Results drawn instead of measured, stored by asv's own class."""
    from asv.results import Results  # noqa: PLC0415
    from asv.runner import BenchmarkResult  # noqa: PLC0415
    from asv.util import write_json  # noqa: PLC0415

    from verify import revisions  # noqa: PLC0415

    results = folder / ".asv" / "results"
    machine = {"machine": MACHINE, "arch": "any", "cpu": "simulated", "num_cpu": "1", "os": "any", "ram": "any"}
    write_json(str(results / MACHINE / "machine.json"), machine, 1)
    entries = {f"bench_parts.time_{part}": ([], "seconds") for part in TIMED}
    entries["bench_parts.Error.track_error"] = ([["'scan'", "'gradient'", "'steady'"]], "error / bound")
    entries["bench_parts.track_bits"] = ([], "bits lost")
    listed = {
        name: {"name": name, "params": params, "unit": unit, "version": "1"} for name, (params, unit) in entries.items()
    }
    write_json(str(results / "benchmarks.json"), listed, 2)
    generator = random.Random(seed)
    commits = revisions.commits(folder, COMMITS)
    order = list(range(len(commits)))
    generator.shuffle(order)
    for turn, i in enumerate(order):
        commit = commits[i]
        found = Results(machine, {}, commit.hash, int(commit.when.timestamp()) * 1000, "3.11", "simulated", {})
        started = dt.datetime.fromtimestamp(START + 10 * turn, dt.UTC)
        for name, entry in listed.items():
            values = drawn(name, timetable, i, generator, noise)
            nothing = [None] * len(values)
            said = BenchmarkResult(values, nothing, nothing, errcode=0, stderr="", profile=None)
            found.add_result(entry, said, started_at=started)
        found.save(str(results))


def drawn(name, timetable, commit, generator, noise):
    """The values of a benchmark at a commit."""
    broken = timetable.factor("import", "gradient", commit) == 0
    if ".time_" in name:
        part = name.rpartition("time_")[2]
        if broken and part == "gradient":
            return [None]
        warm_up = round(LENGTH * (timetable.factor("time", part, commit) - 1))
        return [1e-3 * (1 + warm_up / LENGTH) * math.exp(noise(generator))]
    if name.endswith("track_bits"):
        return [math.log2(8.0 * timetable.factor("error", "operators", commit))]
    parts = ("scan", "gradient", "steady")
    return [
        None if broken and part == "gradient" else 8.0 * timetable.factor("error", part, commit) / 1024
        for part in parts
    ]


def card(folder, timetable):
    """The score card as Markdown."""
    from verify.history import changes_of_all, load  # noqa: PLC0415
    from verify.history.score import markdown, score  # noqa: PLC0415

    history = load(folder / ".asv" / "results", folder)
    return markdown(score(changes_of_all(history), timetable.planted()), history)


def main(arguments=None):
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m asv_benchmarks.synthetic", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the repository is, or will be")
    parser.add_argument("--seed", type=int, default=SEED, help="of the plants' places and the order of measuring")
    parser.add_argument("--commits", type=int, default=COMMITS, help="how many commits the repository has")
    parser.add_argument("--simulate", action="store_true", help="draw results instead of measuring them")
    parser.add_argument("--noise-of", type=Path, metavar="FOLDER", help="with --simulate: draw as was measured there")
    chosen = parser.parse_args(arguments)
    timetable = Timetable.drawn(chosen.commits, chosen.seed)
    make(chosen.folder, timetable)
    if chosen.simulate:
        noise = usual_noise if chosen.noise_of is None else measured_noise(chosen.noise_of)
        simulate(chosen.folder, timetable, chosen.seed, noise)
    else:
        measure(chosen.folder, chosen.seed)
    sys.stdout.write(card(chosen.folder, timetable))


if __name__ == "__main__":
    main()
