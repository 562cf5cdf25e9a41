"""What was checked and what was not: every cell of the campaign, and the reasons for those that did not run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from verify.case import Case
from verify.report.records import LETTERS, SEVERITY, WORDS, counted, short, stepped, variant
from verify.report.summary import counts, gravest, status_words
from verify.verdict import Status, Verdict

ABSENT = "·"
"""The sign of a cell that was not asked for."""


@dataclass(frozen=True)
class Cell:
    """One order of one check.

    Attributes:
        letter: sign of its status.
        status: status in words, or ``absent``.
        title: what happened, for a tooltip.
    """

    letter: str
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
    orders = tuple(sorted({verdict.case.order for verdict in verdicts}))
    found = [_matrix(target, mine, verdicts, orders) for target, mine in groups.items()]
    return sorted(found, key=lambda matrix: SEVERITY.index(matrix.status))


def _matrix(target: str, mine: Sequence[Verdict], everything: Sequence[Verdict], orders: tuple[int, ...]) -> Matrix:
    columns = tuple(sorted(dict.fromkeys((variant(v.case), v.case.dtype) for v in mine), key=_column_order(mine)))
    cells: dict[tuple[str, str, str], dict[tuple[str, str, int], list[Verdict]]] = {}
    for verdict in mine:
        case = verdict.case
        row = cells.setdefault((case.level, verdict.check, rule(case)), {})
        row.setdefault((variant(case), case.dtype, case.order), []).append(verdict)
    place = {check: index for index, check in enumerate(_unique(v.check for v in everything))}
    lines = [
        Line(
            check,
            level,
            method,
            tuple(tuple(_cell(row.get((*column, order), ()), order) for order in orders) for column in columns),
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


def _cell(verdicts: Sequence[Verdict], order: int) -> Cell:
    if not verdicts:
        return Cell(ABSENT, "absent", f"N = {order}: not asked for")
    status = gravest(verdicts)
    verdict = next(v for v in verdicts if v.status is status)
    if verdict.message:
        said = verdict.message if len(verdict.message) <= 160 else verdict.message[:157] + "..."
    else:
        said = f"error {short(verdict.measured)}, bound {short(verdict.bound)}"
    return Cell(LETTERS[status], WORDS[status].replace(" ", "-"), f"N = {order}: {WORDS[status]}, {said}")


def _gaps(mine: Sequence[Verdict], everything: Sequence[Verdict]) -> list[str]:
    """Axes on which the campaign went further with other targets."""
    axes: dict[str, Callable[[Verdict], str]] = {
        "measures": lambda v: v.case.measure,
        "levels": lambda v: v.case.level,
        "properties": lambda v: v.check,
        "rules": lambda v: v.case.method if stepped(v.case) else "",
        "dtypes": lambda v: v.case.dtype,
        "orders": lambda v: str(v.case.order),
    }
    found = []
    for name, value in axes.items():
        left = set(map(value, everything)) - set(map(value, mine)) - {""}
        if left:
            order = _unique(map(value, everything))
            found.append(f"{name}: {', '.join(item for item in order if item in left)}")
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
