"""The whole of a gate: both sides, measured or read, and what is said of them."""

from __future__ import annotations

import contextlib
import platform
import secrets
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from verify import provenance, revisions
from verify.folders import BusyError, alone
from verify.gate import sides
from verify.gate.accepted import Accepted
from verify.gate.calibrated import read_calibration
from verify.gate.judgement import Comparison, compare, undecided
from verify.gate.rounds import EmptyError, Plan, Progress, Rounds
from verify.gate.rounds_journal import RoundsJournal
from verify.gate.settings import Settings, selected
from verify.gate.side import Side
from verify.gate.trees import SIDES, benchmark_folder, edited, placed
from verify.text import one_line

STORE: Final = Path(".hippo-verify/gate")
"""Where rounds are kept unless another folder is named."""
DISTRIBUTIONS: Final = (
    *("numpy", "scipy", "numba", "llvmlite", "torch", "triton", "jax", "jaxlib"),
    *("mpmath", "gmpy2", "python-flint", "asv_runner"),
)
"""On whose versions a measurement may depend: who computes, and who holds the clock."""


@dataclass(frozen=True)
class Revision:
    """A side that is measured: a revision, or None for the working tree as it stands."""

    text: str | None


@dataclass(frozen=True)
class Files:
    """A side that is read."""

    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is compared with what, and where.

    Attributes:
        base: the one side.
        head: the other.
        python: interpreter for each side.
        benchmarks: folder of the benchmarks; None: as asv's configuration says.
        store: folder for the rounds.
        save: file for the results of head, or None.
    """

    base: Revision | Files
    head: Revision | Files
    python: Mapping[str, str]
    benchmarks: str | None = None
    store: Path = STORE
    save: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Gated:
    """What was found, and how.

    Attributes:
        comparison: what is said.
        folder: of the benchmarks' sources here, or None.
        provenance: versions, machine, seed, time, the command.
        seconds: how long it took.
        empty: why nothing was measured, or empty.
        calibration: rates of A/A runs on this machine, or None.
    """

    comparison: Comparison
    folder: Path | None
    provenance: Mapping[str, Any]
    seconds: float
    empty: str = ""
    calibration: Mapping[str, Any] | None = None


def source(names: Sequence[str], option: str, *, default: str | None = None) -> Revision | Files:
    """What a user names for a side.

    Args:
        names: a revision, or files of results.
        option: the option, for messages.
        default: the revision where nothing is named; None: the working tree.

    Raises:
        ValueError: several revisions, or what is neither a file nor a revision.
    """
    if not names:
        return Revision(default)
    if len(names) == 1 and not names[0].endswith(".json") and _is_revision(names[0]):
        return Revision(names[0])
    if all(map(sides.is_file, names)):
        return Files(tuple(names))
    if len(names) > 1:
        raise ValueError(f"{option} is given {len(names)} times; accepted: once for a revision, or files of results")
    try:
        revisions.resolve(Path.cwd(), names[0])
    except revisions.RevisionError as error:
        raise ValueError(f"{option}: no file {one_line(names[0])!r} is here, and as a revision: {error}") from error
    return Revision(names[0])


def _is_revision(text: str) -> bool:
    try:
        revisions.resolve(Path.cwd(), text)
    except revisions.RevisionError:
        return False
    return True


def gate(
    wanted: Wanted, plan: Plan, settings: Settings, accepted: Accepted, progress: Progress, command: Sequence[str]
) -> Gated:
    """Measure or read both sides, and judge head against base.

    Raises:
        ValueError: something that is wanted is not there, or cannot be measured or read; the message says what.
        OSError: the store cannot be written.
    """
    start = time.monotonic()
    found, empty = {}, ""
    notes: tuple[str, ...] = ()
    for side, one in (("base", wanted.base), ("head", wanted.head)):
        if isinstance(one, Files):
            found[side] = _selected(sides.read(one.names), plan.select)
    if isinstance(wanted.base, Files) and isinstance(wanted.head, Files):
        run = sides.interleaved(wanted.base.names, wanted.head.names)
        if run is not None:
            found = {side: replace(one, paired=run) for side, one in found.items()}
        if not any(one.measurements for one in found.values()):
            empty = str(EmptyError.selecting(plan.select))
    else:
        try:
            measured, notes = _measured(wanted, plan, settings, progress)
            found |= measured
        except EmptyError as error:
            empty = str(error)
    nothing = Side(label="nothing", revision=None, paired=None, machine={}, environment={}, measurements={})
    base, head = (found.get(side, nothing) if not empty else nothing for side in SIDES)
    comparison = compare(base, head, settings, accepted)
    return Gated(
        comparison=replace(comparison, notes=(*notes, *comparison.notes)),
        folder=_benchmarks_here(wanted),
        provenance={**provenance.collect(plan.seed), "command": list(command)},
        seconds=time.monotonic() - start,
        empty=empty,
        calibration=read_calibration(wanted.store, head),
    )


def aa(wanted: Wanted, plan: Plan, settings: Settings, trials: int, progress: Progress) -> list[tuple[Side, Side]]:
    """The sides of so many trials, which are the same revision where the same is wanted.

    Raises:
        ValueError: something that is wanted is not there, or cannot be measured.
        EmptyError: no benchmark was selected.
        OSError: the store cannot be written.
    """
    found = []
    with _under_way(replace(wanted, store=wanted.store / "aa"), plan, progress) as (rounds, _):
        for trial in range(trials):  # never finished: a larger number of trials adds to those that are there
            rounds.told = f"trial {trial + 1} of {trials}, "
            base, head = rounds.trial(trial, _undecided(settings))
            found.append((base, head))
    return found


def _measured(
    wanted: Wanted, plan: Plan, settings: Settings, progress: Progress
) -> tuple[dict[str, Side], tuple[str, ...]]:  # fmt: skip
    """The sides that are revisions, and what is to be noted; their results files are kept with the rounds."""
    with _under_way(wanted, plan, progress) as (rounds, journal):
        notes = _edited(rounds)
        alone = len(rounds.sides) == 1
        found = dict(zip(rounds.sides, rounds.trial(0, _all if alone else _undecided(settings)), strict=True))
        for side, one in found.items():
            sides.write_side(wanted.store / f"{side}.json", one)
        if wanted.save is not None and "head" in found:
            sides.write_side(wanted.save, found["head"])
        journal.finish()
    return found, notes


def _edited(rounds: Rounds) -> tuple[str, ...]:
    """That the ruler changed, be it by as much as a comment: a version that is stated covers all that, unseen."""
    names = edited(*rounds.trees) if len(rounds.trees) > 1 else ()
    if not names:
        return ()
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (
        f"the benchmarks themselves were edited ({one_line(', '.join(names[:3]))}{more}): those whose version stayed "
        "the same are compared all the same",
    )


def _undecided(settings: Settings) -> Callable[[Side, Side], Collection[str]]:
    return lambda base, head: undecided(base, head, settings)


def _all(side: Side) -> tuple[str, ...]:
    return tuple(side.measurements)


@contextlib.contextmanager
def _under_way(wanted: Wanted, plan: Plan, progress: Progress) -> Iterator[tuple[Rounds, RoundsJournal]]:
    """The revisions in folders of their own, listed and looked at once; all is removed again."""
    here = Path.cwd()
    with ExitStack() as stack:
        within = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hippo-gate-")))
        trees = [
            stack.enter_context(
                placed(here, side, one.text, within, benchmarks=wanted.benchmarks, python=wanted.python[side])
            )
            for side, one in (("base", wanted.base), ("head", wanted.head))
            if isinstance(one, Revision)
        ]
        about = {
            "trees": {tree.side: [tree.content, tree.python, tree.benchmarks.name] for tree in trees},
            "plan": asdict(plan),
            "machine": machine(),
            "versions": provenance.versions(),
        }
        try:
            stack.enter_context(alone(wanted.store / "lock"))
        except BusyError as error:
            raise ValueError(f"{error}, or name another folder with --store") from None
        journal = RoundsJournal(wanted.store / "journal.jsonl", about, secrets.token_hex(8))
        (wanted.store / ".gitignore").write_text("*\n", encoding="utf-8")  # or it would be a change to measure
        log = wanted.store / "log.txt"
        log.write_bytes(b"")
        rounds = Rounds(
            trees, plan, journal, log, progress=progress, machine=machine(), distributions=DISTRIBUTIONS
        )  # fmt: skip
        rounds.prepare()
        yield rounds, journal


def _selected(side: Side, patterns: Sequence[str]) -> Side:
    kept = {name: one for name, one in side.measurements.items() if selected(name, patterns)}
    return replace(side, measurements=kept)


def _benchmarks_here(wanted: Wanted) -> Path | None:
    """Where the sources of the benchmarks are, for whoever wants to look."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        with contextlib.suppress(ValueError):
            found = folder / (wanted.benchmarks or benchmark_folder(folder))
            if found.is_dir():
                return found
        if (folder / ".git").exists():
            break
    return None


def machine() -> dict[str, str]:
    """What a measurement depends on that is no software of a side's."""
    known = provenance.collect(0)
    return {
        "machine": platform.node(),
        "cpu": str(known["cpu"]),
        "cores": str(known["usable_cores"]),
        "os": str(known["platform"]),
    }
