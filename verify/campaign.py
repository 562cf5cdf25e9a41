"""The whole campaign: a plan, an executor, a store; nothing is lost when it is stopped."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from verify import expected as expectations
from verify.adapters import ADAPTERS
from verify.executors import Executor, make_executor
from verify.judging import close_targets, default_oracle, process_oracle, run_unit, verdicts_of
from verify.outcome import EXIT, Report, StoredVerdicts, overall
from verify.planning import Plan, Unit, plan
from verify.provenance import collect, machine, source
from verify.scheduling import Schedule
from verify.store import VerdictStore
from verify.verdict import Status, Verdict

if TYPE_CHECKING:
    from verify.executors.base import Work

OFTEN: Final = 0.5
"""Seconds after which verdicts are made durable at the latest, while others come all the time."""


@dataclass
class Course:
    """How far a campaign is.

    Attributes:
        total: units of the plan.
        executor: has them judged.
        schedule: what is left.
        done: units whose verdicts are durable.
        before: those of them that an earlier run has done.
        counted: their verdicts, by status.
    """

    total: int
    executor: Executor
    schedule: Schedule
    done: int = 0
    before: int = 0
    counted: Counter[Status] = field(default_factory=Counter)

    def seconds_left(self) -> float:
        """Seconds until it is done, as far as one can say."""
        return self.schedule.seconds_left(self.executor.cores)

    def under_way(self) -> list[tuple[str, Unit]]:
        """What is being judged: a short name of each worker, and its unit."""
        return self.executor.under_way()


class Watcher(Protocol):
    """Who is told how it goes."""

    def began(self, course: Course) -> None:
        """It begins; the course is kept up to date from now on."""

    def remarked(self, remark: str) -> None:
        """The store has something to say about what it found in its folder."""

    def finished(self, unit: Unit, verdicts: Sequence[Verdict]) -> None:
        """A unit is done and durable, now or in an earlier run."""


class Nobody:
    """Is told, and says nothing."""

    def began(self, course: Course) -> None:
        """Nothing."""

    def remarked(self, remark: str) -> None:
        """Nothing."""

    def finished(self, unit: Unit, verdicts: Sequence[Verdict]) -> None:
        """Nothing."""


def run(
    units: Sequence[Unit],
    folder: Path,
    *,
    jobs: int = 1,
    executor: Executor | None = None,
    expected: Path | None = None,
    seed: int = 0,
    watcher: Watcher | None = None,
    wait: float | None = 0.0,
    work: Work | None = None,
) -> Report:
    """Run a campaign into a folder, or go on with a stopped one there.

    Verdicts are appended as they become known and made durable before anybody is told. At the end they stand in the
    order of the plan, and are the same whatever executor judged them and however often it was stopped.

    Args:
        units: the plan.
        folder: where ``verdicts.jsonl`` is written.
        jobs: processes, where no executor is given.
        executor: has units judged; it is stopped at the end.
        expected: TOML file of expected failures; default: the one that is shipped.
        seed: recorded in the provenance.
        watcher: is told how it goes.
        wait: seconds to wait for another campaign that is at work in the folder; None: until it ends.
        work: judges a unit, a function of a module; default: `run_unit`.

    Raises:
        ExecutorError: nothing can be judged any more.
        BusyError: another campaign is at work in the folder.
        OSError: the store cannot be written.
        ValueError: the store or the expected failures are not what they should be.
    """
    from verify.oracle import reference_fingerprint  # noqa: PLC0415

    watcher = watcher or Nobody()
    if executor is None:
        executor = make_executor("processes" if jobs > 1 else "serial", jobs)
    targets = dict.fromkeys(unit.target for unit in (units.blocks if isinstance(units, Plan) else units))
    suites = dict.fromkeys(unit.suite.name for unit in (units.blocks if isinstance(units, Plan) else units))
    # Of a library that is not installed nothing is expected: its absence is an error.
    installed = {target for target in targets if ADAPTERS[target].version() is not None}
    entries = expectations.load(expected or expectations.SHIPPED, installed)
    absent = [item.to_json() for item in units.absent] if isinstance(units, Plan) else []
    provenance = {**collect(seed), "suite": ", ".join(suites), "plan": {"units": len(units), "absent": absent}}
    like = machine()
    # Whether the tree is dirty says less than its source, and more than verdicts depend on: a file beside it is dirt.
    stable = {
        **{key: provenance[key] for key in ("versions", "commit", "seed")}, "source": source(),
        **{key: like[key] for key in ("platform", "system", "blas")},
    }  # fmt: skip
    # Verdicts are recorded with their marks, so those of other expectations are not gone on with.
    marks = [[entry.conditions, entry.reason, entry.link, entry.lapsed] for entry in entries]
    # A store has the verdicts of one plan: those of another one would be counted and shown as if they were asked for.
    fingerprint = json.dumps([stable, reference_fingerprint(), marks, _digest(units)], sort_keys=True)
    course = Course(len(units), executor, Schedule(units))
    with executor, VerdictStore(folder, provenance, fingerprint, wait=wait) as store:
        for remark in store.remarks:
            watcher.remarked(remark)
        watcher.began(course)

        def finish(index: int, unit: Unit, verdicts: Sequence[Verdict], seconds: float | None) -> None:
            course.schedule.finish(index, seconds)
            course.done += 1
            course.before += seconds is None
            course.counted.update(verdict.status for verdict in verdicts)
            watcher.finished(unit, verdicts)

        for index, unit in enumerate(units) if store.finished else ():
            key = unit.key
            if key in store.finished:
                finish(index, unit, expectations.apply(store.verdicts(key), entries), None)

        written: list[tuple[int, Unit, list[Verdict]]] = []

        def settle() -> None:
            store.sync()
            for index, unit, verdicts in written:
                finish(index, unit, verdicts, sum(verdict.seconds for verdict in verdicts))
            written.clear()

        executor.waiting = settle
        settled = time.monotonic()
        for index, unit, found in executor.run(course.schedule.batches(executor.cores), work or run_unit):
            verdicts = expectations.apply(found, entries)
            store.add(index, unit.key, verdicts)
            written.append((index, unit, verdicts))
            if time.monotonic() - settled > OFTEN:
                settle()
                settled = time.monotonic()
        settle()
        notes = expectations.notes(entries)
        stored = store.end((unit.key for unit in units), notes)
    return Report("campaign", StoredVerdicts(stored, course.counted), provenance=store.provenance, notes=notes)


def _digest(units: Sequence[Unit]) -> str:
    """Names a plan; a lazy one is not gone through for it."""
    said = [units.orders, *(unit.key for unit in units.blocks)] if isinstance(units, Plan) else [u.key for u in units]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


__all__ = [
    "EXIT", "Course", "Nobody", "Plan", "Report", "Unit", "Watcher", "close_targets", "default_oracle", "overall",
    "plan", "process_oracle", "run", "run_unit", "verdicts_of",
]  # fmt: skip
