"""Error ÷ bound as heat maps over measures and orders, on one fixed scale, so that two reports compare cell by cell."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from verify.report.canvas import escaped, tail, wrapped
from verify.report.coverage import rule
from verify.report.numbers import Table
from verify.report.pictures import Picture, name_of
from verify.report.records import LETTERS, SEVERITY, WORDS, counted, short, variant
from verify.verdict import Status, Verdict

LOWEST, HIGHEST = -6, 1
"""Decimal exponents beyond which ratios are not told apart."""
BOUND = -LOWEST / (HIGHEST - LOWEST)
"""Where a ratio of 1 stands on the scale."""
BEYOND = 0.05
"""Decimal exponent at which what is beyond its bound begins: never in the colours of what is within it."""
NEAR = 0.5
"""A pass from this ratio on is counted as near to its bound."""
SCALE = [
    [0, "#eef4fb"],
    [BOUND - 2 / 7, "#9fc3e6"],
    [BOUND, "#1d4f91"],
    [BOUND + 1e-6, "#f0a35e"],
    [1, "#b4430c"],
]
"""Pale to deep blue up to the bound, orange beyond it: told apart by every kind of colour vision, and by lightness."""
ROW = 28
"""Pixels of a row."""
READABLE = 20
"""Up to this many columns have room for numbers; beyond them a cell shows its letter alone, if it has one."""
BAR = {
    "title": {"text": "error ÷ bound", "side": "right"},
    "tickvals": [-6, -4, -2, -1, 0, 1],
    "ticktext": ["≤ 1e-6", "1e-4", "0.01", "0.1", "1", "≥ 10"],
    "thickness": 12,
    "lenmode": "pixels",
    "yanchor": "top",
    "y": 1,
}
ALL, WORST = "all targets", "every property"
JUDGED = (Status.PASS, Status.FAIL, Status.EXPECTED_FAIL, Status.UNEXPECTED_PASS)
"""Those whose ratio was measured and decided on; of others only the sign is drawn."""
RANK = {status: index for index, status in enumerate(SEVERITY)}

Column = tuple[str, int]


@dataclass
class Cell:
    """What a cell shows: of the verdicts that fall into it the gravest, and of those the one nearest to its bound.

    Attributes:
        verdict: that one.
        rank: its place among others, the smallest first.
        counted: how many fell into it.
    """

    verdict: Verdict
    rank: tuple[int, float]
    counted: int = 1

    def add(self, verdict: Verdict, rank: tuple[int, float]) -> None:
        """One more verdict."""
        self.counted += 1
        if rank < self.rank:
            self.verdict, self.rank = verdict, rank


@dataclass
class Grid:
    """One heat map: cells by row and column, in the order in which they came."""

    rows: dict[str, dict[Column, Cell]] = field(default_factory=dict)

    def add(self, row: str, column: Column, verdict: Verdict, rank: tuple[int, float]) -> None:
        """Put a verdict into its cell."""
        cells = self.rows.setdefault(row, {})
        if column in cells:
            cells[column].add(verdict, rank)
        else:
            cells[column] = Cell(verdict, rank)


def ratio(verdict: Verdict) -> float:
    """Error ÷ bound; infinite where a judged error is no number, or the bound is 0 and the error is not."""
    return math.inf if verdict.ratio is None else verdict.ratio


def rank_of(verdict: Verdict) -> tuple[int, float]:
    """Place of a verdict among others: the gravest first, then the largest ratio."""
    return RANK[verdict.status], -ratio(verdict)


def was_judged(verdict: Verdict) -> bool:
    """Whether an answer was judged; a crash that was expected is recorded as a failure, and has no bound."""
    return verdict.status in JUDGED and (verdict.status is not Status.EXPECTED_FAIL or verdict.bound is not None)


def sign(verdict: Verdict) -> str:
    """The text of a cell: a letter for whatever is no pass, and the ratio where one was judged."""
    letter = "" if verdict.status is Status.PASS else LETTERS[verdict.status]
    return f"{letter} {brief(ratio(verdict))}".strip() if was_judged(verdict) else letter


def brief(value: float) -> str:
    """A ratio in few letters, never rounded onto its bound."""
    if value == 0 or math.isinf(value):
        return "0" if value == 0 else "∞"
    if 0.1 <= value < 1:
        return f"{math.floor(100 * value) / 100:.2f}"
    if 1 <= value < 1000:
        return f"{math.ceil(10 * value) / 10:.3g}" if value < 100 else f"{value:.0f}"
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def heat(verdicts: Iterable[Verdict]) -> list[Picture]:
    """A heat map for each target and property, with all targets together and with every property together first."""
    grids: dict[tuple[str, str], Grid] = {}
    for verdict in verdicts:
        target, name, case = verdict.case.target, name_of(verdict), verdict.case
        column, rank = (variant(case), case.order), rank_of(verdict)
        places = {
            (ALL, WORST): target,
            (target, WORST): name,
            (ALL, name): target,
            (target, name): f"{rule(case)}, {case.dtype}" if rule(case) != "–" else case.dtype,
        }
        for place, row in places.items():
            grids.setdefault(place, Grid()).add(row, column, verdict, rank)
    tried = {place: grid for place, grid in grids.items() if _tried(grid, trivial=WORST in place or ALL in place)}
    targets = list(dict.fromkeys(target for target, _ in tried if target != ALL))
    first = [ALL] if len(targets) > 1 else []
    names = list(dict.fromkeys(name for _, name in tried if name != WORST))
    order = [(target, name) for target in [*first, *targets] for name in [WORST, *names]]
    return [_picture(target, name, tried[target, name]) for target, name in order if (target, name) in tried]


def _tried(grid: Grid, *, trivial: bool) -> bool:
    """Whether anything in a heat map ran, and, unless a trivial one is wanted, not every error of it is exactly 0."""
    ran = [
        c.verdict for cells in grid.rows.values() for c in cells.values() if c.verdict.status is not Status.UNSUPPORTED
    ]
    return bool(ran) and (trivial or any(v.status is not Status.PASS or v.ratio != 0 for v in ran))


def _shade(verdict: Verdict) -> float:
    value = ratio(verdict)
    exponent = math.log10(value) if 0 < value < math.inf else math.copysign(math.inf, value - 1)
    shade = min(max(exponent, float(LOWEST)), float(HIGHEST))
    within = verdict.status in (Status.PASS, Status.UNEXPECTED_PASS)
    return min(shade, 0.0) if within else max(shade, BEYOND)


def _picture(target: str, name: str, grid: Grid) -> Picture:
    columns = _columns(grid)
    rows = [
        row for row in grid.rows if any(c.verdict.status is not Status.UNSUPPORTED for c in grid.rows[row].values())
    ]
    rows = rows[::-1]  # Plotly counts from below
    cells = [[grid.rows[row].get(column) for column in columns] for row in rows]
    judged = [[c if c is not None and was_judged(c.verdict) else None for c in line] for line in cells]
    roomy = len(columns) <= READABLE
    labels = _labels(rows)
    axes = [[label(measure) for measure, _ in columns], [str(order) for _, order in columns]]
    trace = {
        "type": "heatmap",
        "x": axes,
        "y": labels,
        "z": [[None if c is None else round(_shade(c.verdict), 3) for c in line] for line in judged],
        "text": [["" if c is None else _text(c.verdict, numbers=roomy) for c in line] for line in judged],
        "texttemplate": "%{text}",
        "textfont": {"size": 11},
        "customdata": [["" if c is None else _hover(c) for c in line] for line in judged],
        "hovertemplate": "%{customdata}<extra></extra>",
        "hoverongaps": False,
        "xgap": 1,
        "ygap": 1,
        "zmin": LOWEST,
        "zmax": HIGHEST,
        "colorscale": SCALE,
        "colorbar": {**BAR, "len": min(max(150, ROW * len(rows)), 420)},
        "meta": {"target": target, "property": name, "quantity": "ratio"},
    }
    others = [
        (i, j, c)
        for i, line in enumerate(cells)
        for j, c in enumerate(line)
        if c is not None and not was_judged(c.verdict)
    ]
    data = [trace]
    if others:
        data.append(
            {
                "type": "scatter",
                "mode": "text",
                "showlegend": False,
                "x": [[part[j] for _, j, _ in others] for part in axes],
                "y": [labels[i] for i, _, _ in others],
                "text": [sign(c.verdict) for _, _, c in others],
                "customdata": [_hover(c) for _, _, c in others],
                "hovertemplate": "%{customdata}<extra></extra>",
                "meta": {"target": target, "property": name, "quantity": "sign"},
            }
        )
    layout = {
        "height": 200 + ROW * len(rows),
        "margin": {"l": 10, "r": 10, "t": 20, "b": 110},
        "yaxis": {"automargin": True, "type": "category", "categoryarray": trace["y"], "categoryorder": "array"},
        "xaxis": {"automargin": True, "title": {"text": "order N of each measure"}, "tickangle": 0},
        "hovermode": "closest",
    }
    widest = max(len(text) for text in labels)
    narrow = {**layout, "width": max(360, 110 + 7 * widest + (46 if roomy else 20) * len(columns))}
    return Picture(target, name, _words(target, name, cells), {"data": data, "layout": layout, "narrow": narrow})


def label(measure: str) -> str:
    """A measure and each of its parameters on a line of its own."""
    return "<br>".join(escaped(part) for part in measure.replace(" (", ", ").rstrip(")").split(", "))


def _labels(rows: list[str]) -> list[str]:
    """Names of rows, shortened where that leaves them different: two of one name would be one row."""
    short_ones = [tail(row) for row in rows]
    return short_ones if len(set(short_ones)) == len(rows) else [escaped(row) for row in rows]


def _columns(grid: Grid) -> list[Column]:
    """Measures in the order in which they came, each with its orders from the smallest."""
    found = dict.fromkeys(column for cells in grid.rows.values() for column in cells)
    measures = list(dict.fromkeys(measure for measure, _ in found))
    return sorted(found, key=lambda column: (measures.index(column[0]), column[1]))


def _text(verdict: Verdict, *, numbers: bool) -> str:
    text = sign(verdict) if numbers else sign(verdict).split(" ", maxsplit=1)[0]
    if verdict.status is Status.PASS:
        return text if numbers else ""
    return f"<b>{text}</b>"


def _hover(cell: Cell) -> str:
    verdict = cell.verdict
    parts = [
        f"<b>{escaped(verdict.case.target)}</b>, {escaped(name_of(verdict))}",
        escaped(verdict.case.describe()),
        f"{WORDS[verdict.status]}: error {short(verdict.measured)}, bound {short(verdict.bound)}"
        if was_judged(verdict) or verdict.measured is not None
        else WORDS[verdict.status],
        wrapped(verdict.message, 240) if verdict.message else "",
        f"the gravest of {cell.counted} verdicts" if cell.counted > 1 else "",
    ]
    return "<br>".join(part for part in parts if part)


def _words(target: str, name: str, cells: list[list[Cell | None]]) -> str:
    """What the map shows, for who does not see it: the cell nearest to its bound, and what is no pass."""
    found = [c.verdict for line in cells for c in line if c is not None]
    passed = [v for v in found if v.status is Status.PASS and v.ratio is not None]
    parts = [f"Error ÷ bound of {name} for {target}: {counted(len(found), 'cell')}, each the gravest of its verdicts."]
    worst = max(passed, key=ratio, default=None)
    if worst is not None and ratio(worst) == 0:
        parts.append("Every error of those that pass is exactly 0.")
    elif worst is not None:
        near = sum(ratio(v) >= NEAR for v in passed)
        parts.append(
            f"Of those that pass, {near:,} come within a factor of 2 of their bound; the nearest is at "
            f"{brief(ratio(worst))} ({worst.case.target}, {name_of(worst)}, {worst.case.describe()})."
        )
    for status in SEVERITY:
        number = sum(v.status is status for v in found)
        if number and status is not Status.PASS:
            parts.append(f"{counted(number, 'cell')} {LETTERS[status]} {WORDS[status]}.")
    return " ".join(parts)


def table(verdicts: Iterable[Verdict]) -> Table:
    """Error ÷ bound of every cell that ran: a row per target, property, rule, measure and dtype; a column per order."""
    rows: dict[tuple[str, ...], dict[int, Cell]] = {}
    for verdict in verdicts:
        if verdict.status is Status.UNSUPPORTED:
            continue
        case = verdict.case
        key = (case.target, verdict.check, case.level, rule(case), variant(case), case.dtype)
        cells = rows.setdefault(key, {})
        if case.order in cells:
            cells[case.order].add(verdict, rank_of(verdict))
        else:
            cells[case.order] = Cell(verdict, rank_of(verdict))
    orders = sorted({order for cells in rows.values() for order in cells})
    head = ("target", "property", "level", "rule", "measure", "dtype", *(f"N = {order}" for order in orders))
    listed = ((*key, *(sign(cells[n].verdict) if n in cells else "" for n in orders)) for key, cells in rows.items())
    return Table(head, 6, tuple(listed))
