"""Two stores held against each other: what broke, what was mended, what is new, gone, or further from its bound.

A cell is a check of a case. What was recorded several times for a cell counts by its gravest status and its largest
error ÷ bound. A cell that is gone or no longer run is never mended, and one that is new and fails is a failure.

**Much.** Errors of one code on one machine repeat to the last bit. Another order of summation, a fused multiply-add or
another linear algebra library moves the largest of many rounding errors by about one bit. So a change of error ÷ bound
is shown from two bits, a factor of `MUCH`, on. What lies under `FLOOR` is less than one rounding of the longest chains
that are judged (2^20 of them), and not told apart. A quotient that crosses 1 is a change of status, and listed there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from verify.report.records import SEVERITY, Entry, variant
from verify.report.summary import ratio_of
from verify.verdict import Status

MUCH = 4.0
"""Factor of error ÷ bound from which a change is shown: two bits."""
FLOOR = 2.0**-20
"""Error ÷ bound under which nothing is told apart."""

BAD = frozenset({Status.FAIL, Status.ERROR, Status.UNEXPECTED_PASS})
"""Statuses that fail a campaign."""


class Change(StrEnum):
    """What became of a cell; the values are what a reader sees, those that matter most first."""

    BROKEN = "newly failing"
    RECORDED = "newly failing, as is on record"
    BETTER = "passing against the record"
    NEW_BAD = "run for the first time, and failing"
    UNDECIDED = "undecided now"
    STOPPED = "no longer run"
    GONE = "gone"
    UNREACHED = "not reached yet"
    OTHERWISE = "failing in another way"
    GREW = "error grew"
    EXPECTED = "now expected to fail"
    MENDED = "mended"
    DECIDED = "decided now"
    RUNS = "now run"
    SHRANK = "error shrank"
    NEW = "new"


ALARMS = (Change.BROKEN, Change.RECORDED, Change.BETTER, Change.NEW_BAD, Change.UNDECIDED, Change.STOPPED, Change.GONE)
"""Changes that need attention."""
WHOLESALE = (Change.GONE, Change.UNREACHED, Change.RUNS, Change.NEW)
"""Changes of which a reader wants to know where they are, not each cell."""


@dataclass(frozen=True)
class Moved:
    """A cell that changed.

    Attributes:
        change: what became of it.
        before: what was recorded, or None where the cell is new.
        after: what is recorded now, or None where it is gone.
    """

    change: Change
    before: Entry | None
    after: Entry | None

    @property
    def entry(self) -> Entry:
        """The newer record of the cell."""
        entry = self.after or self.before
        assert entry is not None  # noqa: S101 -- one of them is there
        return entry

    @property
    def factor(self) -> float | None:
        """How many times its error ÷ bound is what it was; None where it cannot be said."""
        before, after = _ratio(self.before), _ratio(self.after)
        return after / before if before and before < math.inf and after is not None else None


@dataclass(frozen=True)
class Place:
    """Cells of one change on one target and measure.

    Attributes:
        target: its name.
        measure: with its parameters.
        cells: how many.
        ran: how many of them ran, where they were recorded last.
    """

    target: str
    measure: str
    cells: int
    ran: int


@dataclass(frozen=True)
class Comparison:
    """What changed between two stores.

    Attributes:
        moved: every cell that changed, by change in the order of `Change`, then as the newer store has them.
        same: cells that did not change.
        provenance: name, before and now of whatever differs in where the verdicts come from.
        name: of the earlier store, for a reader.
    """

    moved: tuple[Moved, ...]
    same: int
    provenance: tuple[tuple[str, str, str], ...] = ()
    name: str = ""
    counts: Mapping[Change, int] = field(init=False)

    def __post_init__(self) -> None:
        numbers = dict.fromkeys(Change, 0)
        for item in self.moved:
            numbers[item.change] += 1
        object.__setattr__(self, "counts", numbers)

    def by_line(self) -> dict[int, str]:
        """Line of the newer store -> what became of its cell."""
        return {item.after.line: str(item.change) for item in self.moved if item.after is not None}

    def of(self, change: Change) -> list[Moved]:
        """The cells of one change."""
        return [item for item in self.moved if item.change is change]

    def places(self, change: Change) -> list[Place]:
        """The cells of one change by target and measure, most cells first."""
        found: dict[tuple[str, str], list[int]] = {}
        for item in self.of(change):
            verdict = item.entry.verdict
            count = found.setdefault((verdict.case.target, variant(verdict.case)), [0, 0])
            count[0] += 1
            count[1] += verdict.status is not Status.UNSUPPORTED
        listed = [Place(target, measure, *count) for (target, measure), count in found.items()]
        return sorted(listed, key=lambda place: -place.cells)


def compare(
    earlier: Iterable[Entry],
    later: Iterable[Entry],
    before: Mapping[str, Any] | None = None,
    now: Mapping[str, Any] | None = None,
    name: str = "",
    *,
    finished: bool = True,
) -> Comparison:
    """What changed.

    Args:
        earlier: verdicts of the earlier store.
        later: verdicts of the newer one.
        before: provenance of the earlier one.
        now: provenance of the newer one.
        name: of the earlier store.
        finished: whether the newer campaign reached its end; if not, what is not there may still come.
    """
    old, new = _cells(earlier), _cells(later)
    both = [(old.get(cell), entry) for cell, entry in new.items()]
    found = [Moved(change, before, entry) for before, entry in both if (change := _change(before, entry))]
    missing = Change.GONE if finished else Change.UNREACHED
    found += [Moved(missing, entry, None) for cell, entry in old.items() if cell not in new]
    order = {change: index for index, change in enumerate(Change)}
    found.sort(key=lambda item: order[item.change])  # stable: within a change the order of the stores stays
    same = len(new) - sum(item.after is not None for item in found)
    return Comparison(tuple(found), same, tuple(differences(before or {}, now or {})), name)


def _cells(entries: Iterable[Entry]) -> dict[tuple[str, str], Entry]:
    """Check and case -> what counts of what was recorded for them."""
    cells: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        key = (entry.verdict.check, entry.verdict.case.id)
        known = cells.get(key)
        if known is None or _weight(entry) > _weight(known):
            cells[key] = entry
    return cells


def _weight(entry: Entry) -> tuple[int, float]:
    return -SEVERITY.index(entry.verdict.status), _ratio(entry) or 0.0


def _ratio(entry: Entry | None) -> float | None:
    """Error ÷ bound, at least `FLOOR`."""
    ratio = ratio_of(entry.verdict) if entry is not None else None
    return None if ratio is None else max(ratio, FLOOR)


def _change(before: Entry | None, after: Entry) -> Change | None:
    """What became of a cell that is there now; None: nothing to speak of."""
    now = after.verdict.status
    if before is None:
        return Change.NEW_BAD if now in BAD else Change.NEW
    was = before.verdict.status
    if was is not now:
        return _turned(was, now)
    old, new = _ratio(before), _ratio(after)
    if old is None or new is None:
        return None
    if new == old:  # both infinite, perhaps
        return None
    if new >= MUCH * old:
        return Change.GREW
    return Change.SHRANK if old >= MUCH * new else None


def _turned(was: Status, now: Status) -> Change:
    """What a change of status is."""
    if now is Status.UNEXPECTED_PASS:
        return Change.BETTER
    if now in BAD:
        return Change.OTHERWISE if was in BAD else Change.NEW_BAD if was is Status.UNSUPPORTED else Change.BROKEN
    if now is Status.INCONCLUSIVE:
        return Change.UNDECIDED
    if now is Status.UNSUPPORTED:
        return Change.STOPPED
    if now is Status.EXPECTED_FAIL:
        # A wide entry of the record may have caught what was right before.
        return Change.RECORDED if was in (Status.PASS, Status.UNEXPECTED_PASS) else Change.EXPECTED
    if was is Status.UNSUPPORTED:
        return Change.RUNS
    return Change.DECIDED if was is Status.INCONCLUSIVE else Change.MENDED


IGNORED = ("kind", "schema", "fingerprint", "sha256", "time", "command")
"""Parts of the provenance that differ between any two runs, or say nothing of their own."""


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, before and now of what differs in two provenances; mappings entry by entry."""
    old, new = _flat(before), _flat(now)
    names = [*new, *(name for name in old if name not in new)]
    absent = "not recorded"
    return [
        (name, old.get(name, absent), new.get(name, absent))
        for name in names
        if old.get(name, absent) != new.get(name, absent)
    ]


def _flat(provenance: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in provenance.items():
        if key in IGNORED:
            continue
        if isinstance(value, Mapping):
            found |= {f"{key}: {name}": str(item) for name, item in value.items() if not isinstance(item, list)}
        elif value is not None:
            found[key] = str(value)
    return found
