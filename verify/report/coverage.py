"""What was checked and what was not: every cell of the campaign, and the reasons for those that did not run."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from verify.case import Case
from verify.report.records import LETTERS, SEVERITY, WORDS, Records, counted, short, stepped, variant
from verify.report.summary import counts, gravest, status_words, worst_ratio
from verify.verdict import Status, Verdict

ABSENT = "·"
"""The sign of a cell that was not asked for."""
LONGEST = 160
"""Characters of a message in a tooltip."""


@dataclass(frozen=True)
class Cell:
    """Orders of one check, next to each other, that ended alike: a hundred thousand marks would be a slow page.

    Attributes:
        letters: sign of their status, once for each.
        status: status in words, or ``absent``.
        title: what happened, for a tooltip; empty where nothing was asked.
    """

    letters: str
    status: str
    title: str


@dataclass(frozen=True)
class Line:
    """A row of a target's matrix: a property at a level under a rule, with a group of cells per column."""

    check: str
    level: str
    method: str
    groups: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Matrix:
    """Coverage of one target.

    Attributes:
        target: its name.
        columns: measure and dtype of each group of cells.
        orders: the orders inside each group.
        lines: rows.
        status: the status that matters most.
        words: counts in words.
        gaps: what the campaign asked of others but not of this target, as sentences.
    """

    target: str
    columns: tuple[tuple[str, str], ...]
    orders: tuple[int, ...]
    lines: tuple[Line, ...]
    status: Status
    words: str
    gaps: tuple[str, ...]

    @property
    def measures(self) -> list[tuple[str, int]]:
        """Measures of the columns, each with how many columns it spans."""
        spans: dict[str, int] = {}
        for measure, _ in self.columns:
            spans[measure] = spans.get(measure, 0) + 1
        return list(spans.items())


@dataclass
class Reason:
    """Why cells did not run.

    Attributes:
        text: the reason.
        cells: how many did not run for it.
        where: which, as lines of text.
    """

    text: str
    cells: int = 0
    where: list[str] = field(default_factory=list)


def rule(case: Case) -> str:
    """The discretization rule where it matters, else a dash."""
    return case.method if stepped(case) else "–"


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def matrices(verdicts: Sequence[Verdict]) -> list[Matrix]:
    """Coverage of each target, those that need attention first."""
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(verdict.case.target, []).append(verdict)
    everything = {name: _unique(map(value, verdicts)) for name, value in AXES.items()}
    found = [_matrix(target, mine, everything) for target, mine in groups.items()]
    return sorted(found, key=lambda matrix: SEVERITY.index(matrix.status))


def _matrix(target: str, mine: Sequence[Verdict], everything: Mapping[str, Sequence[str]]) -> Matrix:
    orders = tuple(sorted({verdict.case.order for verdict in mine}))
    columns = tuple(sorted(dict.fromkeys((variant(v.case), v.case.dtype) for v in mine), key=_column_order(mine)))
    cells: dict[tuple[str, str, str], dict[tuple[str, str], dict[int, list[Verdict]]]] = {}
    for verdict in mine:
        case = verdict.case
        row = cells.setdefault((case.level, verdict.check, rule(case)), {})
        row.setdefault((variant(case), case.dtype), {}).setdefault(case.order, []).append(verdict)
    place = {check: index for index, check in enumerate(everything["properties"])}
    lines = [
        Line(
            check,
            level,
            method,
            tuple(_cells(row.get(column, {}), orders) for column in columns),
        )
        for (level, check, method), row in sorted(cells.items(), key=lambda item: (place[item[0][1]], item[0][0]))
    ]
    return Matrix(
        target, columns, orders, tuple(lines), gravest(mine), status_words(counts(mine)), tuple(_gaps(mine, everything))
    )


def _column_order(mine: Sequence[Verdict]) -> Callable[[tuple[str, str]], tuple[int, str]]:
    """Measures in the order of the campaign, float64 before float32."""
    first = {measure: index for index, measure in enumerate(_unique(variant(v.case) for v in mine))}
    return lambda column: (first[column[0]], "" if column[1] == "float64" else column[1])


def _cells(by_order: Mapping[int, Sequence[Verdict]], orders: Sequence[int]) -> tuple[Cell, ...]:
    """The cells of a group: neighbours with one status and one message are one."""
    found = []
    for (status, said), run in itertools.groupby(orders, key=lambda order: _ended(by_order.get(order, ()))):
        mine = list(run)
        span = str(mine[0]) if len(mine) == 1 else f"{mine[0]} to {mine[-1]}"
        if status is None:
            found.append(Cell(ABSENT * len(mine), "absent", ""))
            continue
        verdicts = [v for order in mine for v in by_order[order]]
        text = said or f"error {short(worst_ratio(verdicts))} of its bound{'' if len(mine) == 1 else ' at most'}"
        word = WORDS[status]
        found.append(Cell(LETTERS[status] * len(mine), word.replace(" ", "-"), f"N = {span}: {word}, {text}"))
    return tuple(found)


def _ended(verdicts: Sequence[Verdict]) -> tuple[Status | None, str]:
    """The status that matters most, and the message of the first verdict that has it; None where there is none."""
    if not verdicts:
        return None, ""
    status = gravest(verdicts)
    message = next(v for v in verdicts if v.status is status).message
    return status, message if len(message) <= LONGEST else message[: LONGEST - 3] + "..."


AXES: dict[str, Callable[[Verdict], str]] = {
    "measures": lambda v: v.case.measure,
    "levels": lambda v: v.case.level,
    "properties": lambda v: v.check,
    "rules": lambda v: v.case.method if stepped(v.case) else "",
    "dtypes": lambda v: v.case.dtype,
    "orders": lambda v: str(v.case.order),
}
"""What a campaign is spanned by."""


def _gaps(mine: Sequence[Verdict], everything: Mapping[str, Sequence[str]]) -> list[str]:
    """Axes on which the campaign went further with other targets."""
    found = []
    for name, values in everything.items():
        have = set(map(AXES[name], mine))
        left = [value for value in values if value and value not in have]
        if left:
            found.append(f"{name}: {', '.join(left)}")
    return found


@dataclass(frozen=True)
class Unrun:
    """What was planned and is not in the store.

    Attributes:
        what: how much of it, in words.
        reason: why.
    """

    what: str
    reason: str


def planned(provenance: Mapping[str, Any]) -> int | None:
    """Units of the plan, where the provenance records it."""
    plan = provenance.get("plan")
    units = plan.get("units") if isinstance(plan, dict) else None
    return units if isinstance(units, int) and not isinstance(units, bool) else None


def _left_out(item: Mapping[str, Any]) -> str:
    """A part of the plan, with its cells where they are recorded."""
    what, cells = str(item.get("what", "a part of the plan")), item.get("cells")
    if isinstance(cells, int) and not isinstance(cells, bool) and cells > 0:
        return f"{what}, {counted(cells, 'cell')}"
    return what


def unrun(records: Records) -> list[Unrun]:
    """What was left out of the plan, and what of it was not reached."""
    plan = records.provenance.get("plan")
    absent = plan.get("absent") if isinstance(plan, dict) else None
    listed = [item for item in absent if isinstance(item, dict)] if isinstance(absent, list) else []
    found = [
        Unrun(_left_out(item), str(item.get("reason", "for a reason that is not recorded")).rstrip("."))
        for item in listed
    ]
    if not records.finished:
        total = planned(records.provenance)
        # A folder may have been gone on with under another plan than the one it was begun with.
        known = total is not None and records.units < total
        left = f"{counted(total - records.units, 'unit')} of {total:,}" if known and total is not None else (
            "the rest of the plan, whose size is not recorded"
        )  # fmt: skip
        found.append(Unrun(left, "the campaign was stopped, or is still at work; the same command goes on from there"))
    return found


def reasons(verdicts: Sequence[Verdict]) -> list[Reason]:
    """Reasons of the cells that did not run, most cells first, each with the cells in groups."""
    found: dict[str, Reason] = {}
    groups: dict[str, dict[tuple[str, str, str], list[Verdict]]] = {}
    for verdict in verdicts:
        if verdict.status is not Status.UNSUPPORTED:
            continue
        found.setdefault(verdict.message, Reason(verdict.message)).cells += 1
        key = (verdict.case.target, verdict.check, verdict.case.level)
        groups.setdefault(verdict.message, {}).setdefault(key, []).append(verdict)
    for message, grouped in groups.items():
        for (target, check, level), cells in grouped.items():
            parts = [_unique(variant(v.case) for v in cells)]
            if stepped(cells[0].case):
                parts.append(_unique(v.case.method for v in cells))
            parts.append(_unique(v.case.dtype for v in cells))
            orders = ", ".join(map(str, sorted({v.case.order for v in cells})))
            text = "; ".join(", ".join(part) for part in parts)
            name = check if check == level else f"{check} of {level}"
            found[message].where.append(f"{target}, {name}: {text}; N = {orders} ({counted(len(cells), 'cell')})")
    return sorted(found.values(), key=lambda reason: -reason.cells)


@dataclass(frozen=True)
class Overview:
    """How much of each property ran, over all targets: rows are properties, columns measures."""

    measures: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[int, int, str], ...]], ...]


def overview(verdicts: Sequence[Verdict]) -> Overview:
    """For each property and measure: cells that ran, cells asked for, and the status word that matters most."""
    measures = _unique(v.case.measure for v in verdicts)
    table: dict[str, dict[str, list[Verdict]]] = {}
    for verdict in verdicts:
        table.setdefault(verdict.check, {}).setdefault(verdict.case.measure, []).append(verdict)
    rows = []
    for check, row in table.items():
        cells = []
        for measure in measures:
            mine = row.get(measure, [])
            ran = sum(v.status is not Status.UNSUPPORTED for v in mine)
            cells.append((ran, len(mine), WORDS[gravest(mine)] if mine else "absent"))
        rows.append((check, tuple(cells)))
    return Overview(measures, tuple(rows))
