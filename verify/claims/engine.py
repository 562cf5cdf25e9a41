"""From claims to outcomes: plan, run what is not yet known, plan again, judge."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from verify.claims import resolve
from verify.claims.base import Claim, Options, Outcome, Result, Scale, Standing, Statement, Unit
from verify.claims.identity import identity, surroundings
from verify.claims.pool import Pool
from verify.claims.store import Kept, Store
from verify.claims.worker import Answer, Order
from verify.text import error_line

TICK: Final = 0.25
"""Seconds between two looks at the clock."""
GRACE: Final = 1.0
"""Seconds that units have to save what they need to go on, when the run is interrupted."""
LEISURE: Final = 10.0
"""The same when the time is over that was given."""


class Ending(StrEnum):
    """What became of a unit."""

    DONE = "done"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True, kw_only=True)
class Record:
    """A unit, and what became of it.

    Attributes:
        unit: as planned.
        ending: what became of it.
        result: what it gave; None where it gave nothing.
        seconds: that it took, all its parts together; None where it gave nothing.
        time: when it was done, ISO 8601; None where it was not.
        before: whether it was done in an earlier run.
        message: why there is no result.
    """

    unit: Unit
    ending: Ending
    result: Result | None = None
    seconds: float | None = None
    time: str | None = None
    before: bool = False
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a claim came to.

    Attributes:
        key: of the claim.
        title: a few words.
        source: the paper and its section.
        outcome: statements, tables, figures.
        records: every unit that was planned in the end.
        problem: why the claim could not be planned or judged; "" where it could.
    """

    key: str
    title: str
    source: str
    outcome: Outcome
    records: tuple[Record, ...]
    problem: str = ""


class Watcher(Protocol):
    """Who is told how it goes."""

    def began(self, claim: str, unit: Unit) -> None:
        """A unit is done from now on."""

    def doing(self, claim: str, unit: Unit, fraction: float, text: str) -> None:
        """How far it is."""

    def ended(self, claim: str, record: Record, done: int, known: int) -> None:
        """It has ended; so many of all that are known so far have."""


@dataclass
class _Course:
    """A claim on its way."""

    key: str
    address: str
    claim: Claim | None = None
    around: Mapping[str, Any] = field(default_factory=dict)
    planned: dict[str, Unit] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    under_way: dict[str, tuple[Unit, str]] = field(default_factory=dict)
    problem: str = ""

    @property
    def done(self) -> dict[str, Result]:
        """Results of what is planned, in the order of the plan."""
        found = {key: self.records[key].result for key in self.planned if key in self.records}
        return {key: result for key, result in found.items() if result is not None}


class Engine:
    """One run over claims.

    Args:
        claims: key, then ``module:Class``.
        options: what was asked for.
        store: keeps results.
        workers: processes.
        budget: seconds after which nothing is begun and what is under way is stopped; None: there is no end.
        watcher: is told how it goes.
        clock: seconds.
    """

    def __init__(
        self,
        claims: Mapping[str, str],
        options: Options,
        store: Store,
        *,
        workers: int,
        watcher: Watcher,
        budget: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options
        self.store = store
        self.watcher = watcher
        self.clock = clock
        self.begun = clock()
        self.budget = budget
        self.stopping = False
        self.pool: Pool[tuple[str, str]] = Pool(workers)
        self.courses = {key: _Course(key, address) for key, address in claims.items()}

    @property
    def over(self) -> bool:
        """Whether the time that was given is over."""
        return self.budget is not None and self.clock() - self.begun >= self.budget

    def run(self) -> list[Found]:
        """Do all units that are needed and not yet known; then judge.

        Raises:
            KeyboardInterrupt: it was interrupted; what was under way was stopped where it goes on from, or ended.
            OSError: the store cannot be written, or the data not be read.
        """
        try:
            for course in self.courses.values():
                self._load(course)
            while not self.over and self._advance():
                pass
            self._end(LEISURE)
        except KeyboardInterrupt:
            self._end(GRACE)
            raise
        finally:
            self.pool.close()
        return [self._found(course) for course in self.courses.values()]

    def _load(self, course: _Course) -> None:
        try:
            course.claim = resolve(course.address)
        except Exception as error:  # noqa: BLE001 -- one claim that cannot be had leaves the others alone
            course.problem = f"the claim could not be loaded: {error_line(error)}"
            return
        course.around = surroundings(course.address, self.options)
        self._plan(course)

    def _plan(self, course: _Course) -> None:
        """Plan until nothing new comes of what is known."""
        assert course.claim is not None  # noqa: S101 -- only what was loaded is planned
        while not course.problem:
            known = len(course.done)
            try:
                units = tuple(course.claim.plan(self.options, course.done))
                keys = [unit.key for unit in units]
                twice = [key for key in keys if keys.count(key) > 1]
                if twice:
                    raise ValueError(f"the unit {twice[0]!r} is planned twice")
            except Exception as error:  # noqa: BLE001
                course.problem = f"the claim could not be planned: {error_line(error)}"
                return
            course.planned = {unit.key: unit for unit in units}
            for unit in units:
                name = identity(course.key, unit, self._given, course.around)
                if course.identities.get(unit.key) != name:  # new, or planned with other settings than before
                    course.records.pop(unit.key, None)
                course.identities[unit.key] = name
                kept = self.store.finished.get(name)
                if kept is not None and unit.key not in course.records:
                    course.records[unit.key] = _done(unit, kept, before=True)
            if len(course.done) == known:
                return

    @property
    def _given(self) -> Options:
        """What `Claim.run` gets."""
        return replace(self.options, seeds=None)

    def _waiting(self) -> list[tuple[_Course, Unit]]:
        """What could be begun, the longest first."""
        busy = set(self.pool.busy)
        found = [
            (course, unit)
            for course in self.courses.values()
            if not course.problem
            for key, unit in course.planned.items()
            if key not in course.records and (course.key, key) not in busy
        ]
        return sorted(found, key=lambda pair: -pair[1].cost)

    def _advance(self) -> bool:
        """Begin what can be begun and hear what workers say; False where nothing is left."""
        for course, unit in self._waiting()[: self.pool.free]:
            name = course.identities[unit.key]
            course.under_way[unit.key] = unit, name
            order = Order(address=course.address, unit=unit, options=self._given, folder=self.store.work(name))
            self.watcher.began(course.key, unit)
            self.pool.begin((course.key, unit.key), order)
        if not self.pool.busy:
            return False
        left = TICK if self.budget is None else min(TICK, self.budget - (self.clock() - self.begun))
        self._hear(left)
        return True

    def _hear(self, seconds: float) -> None:
        for (key, name), said in self.pool.wait(seconds):
            course = self.courses[key]
            if isinstance(said, Answer):
                self._take(course, *course.under_way.pop(name), said)
            else:
                self.watcher.doing(key, course.under_way[name][0], *said)

    def _take(self, course: _Course, unit: Unit, name: str, answer: Answer) -> None:
        if answer.result is not None:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            kept = Kept(result=answer.result, seconds=answer.seconds + self.store.spent(name), time=now)
            self.store.add(name, {"claim": course.key, "unit": unit.key, "settings": dict(unit.settings)}, kept)
            record = _done(unit, kept, before=False)
        elif answer.stopped and self.stopping:
            self.store.pause(name, answer.seconds)
            return
        else:
            problem = answer.problem or "it ended as if it had been asked to, which nobody did"
            record = Record(unit=unit, ending=Ending.FAILED, message=problem)
        if course.identities.get(unit.key) != name or unit.key not in course.planned:
            return  # begun from a part of the results: the plan rests on more by now, and does not name it
        course.records[unit.key] = record
        if record.ending is Ending.DONE:
            self._plan(course)
        known = [key for one in self.courses.values() for key in one.planned]
        ended = [key for one in self.courses.values() for key in one.planned if key in one.records]
        self.watcher.ended(course.key, record, len(ended), len(known))

    def _end(self, seconds: float) -> None:
        """Stop what is under way, and wait for it for a while."""
        self.stopping = True
        self.pool.stop()
        until = time.monotonic() + seconds
        while self.pool.busy and time.monotonic() < until:
            self._hear(until - time.monotonic())

    def _found(self, course: _Course) -> Found:
        why = course.problem or "the time that was given was over"
        records = tuple(
            course.records.get(key) or Record(unit=unit, ending=Ending.NOT_RUN, message=why)
            for key, unit in course.planned.items()
        )
        title, source = (course.key, "") if course.claim is None else (course.claim.title, course.claim.source)
        outcome, problem = Outcome(statements=()), course.problem
        if course.claim is not None and not problem:
            try:
                outcome = course.claim.judge(self.options, course.done)
            except Exception as error:  # noqa: BLE001
                problem = f"the claim could not be judged: {error_line(error)}"
        outcome = replace(
            outcome, statements=tuple(_restrained(one, self.options, records) for one in outcome.statements)
        )
        return Found(
            key=course.key, title=title, source=source, outcome=outcome, records=records, problem=problem
        )  # fmt: skip


def _done(unit: Unit, kept: Kept, *, before: bool) -> Record:
    return Record(
        unit=unit, ending=Ending.DONE, result=kept.result, seconds=kept.seconds, time=kept.time, before=before
    )


def _restrained(statement: Statement, options: Options, records: tuple[Record, ...]) -> Statement:
    """A statement as it may be said: nothing is judged from a smoke run, and what failed is no lack of time."""
    failed = [record for record in records if record.ending is Ending.FAILED]
    if statement.standing is Standing.NOT_RUN and failed:
        first = f"unit {failed[0].unit.key} failed: {failed[0].message}"
        return replace(statement, standing=Standing.ERROR, message=f"{first}; {statement.message}")
    if options.scale is Scale.SMOKE and statement.standing in (Standing.HOLDS, Standing.FAILS):
        said = f"a smoke run tests the machinery and judges nothing; its numbers say {statement.standing}"
        return replace(
            statement, standing=Standing.UNDECIDED, message="; ".join(filter(None, (said, statement.message)))
        )
    return statement
