"""Tables of the papers' claims: what was measured, to the digits it has, and the paper's number beside it."""

from __future__ import annotations

from dataclasses import dataclass

from verify.claims.base import Curve, Figure, Number, Table
from verify.claims.words import digits, figure


@dataclass(frozen=True)
class Cell:
    """A number as it is shown.

    Attributes:
        measured: what was measured, or a dash.
        interval: its 95 % interval, or empty.
        paper: what the paper states, or empty.
        remarks: numbers of the remarks under the table that speak of it.
    """

    measured: str
    interval: str
    paper: str
    remarks: tuple[int, ...]


@dataclass(frozen=True)
class Shown:
    """A table as it is shown.

    Attributes:
        table: what it says beside its numbers.
        beside: whether the paper has numbers, for each column.
        rows: names and cells; None where no number applies.
        source: where the paper's numbers stand, if all stand in one place.
        remarks: from 1: why numbers differ or are missing, where the paper has them if not in one place.
    """

    table: Table
    beside: tuple[bool, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    source: str
    remarks: tuple[str, ...]


def shown(table: Table) -> Shown:
    """A table whose reasons are said once, however many numbers they are the reason of."""
    numbers = [number for _, listed in table.rows for number in listed if number is not None]
    sources = list(dict.fromkeys(number.paper_source for number in numbers if number.paper is not None))
    remarks: dict[str, int] = {}

    def remark(text: str) -> int:
        return remarks.setdefault(text, len(remarks) + 1)

    def cell(number: Number | None) -> Cell | None:
        if number is None:
            return None
        said = [remark(number.why)] if number.why else []
        if number.paper is not None and len(sources) > 1:
            said.append(remark(f"the paper's number: {number.paper_source}"))
        paper = "" if number.paper is None else figure(number.paper)
        return Cell(*digits(number.measured, number.low, number.high), paper, tuple(said))

    rows = tuple((name, tuple(map(cell, listed))) for name, listed in table.rows)
    columns = zip(*(listed for _, listed in rows), strict=True) if rows else [()] * len(table.columns)
    beside = tuple(any(one is not None and one.paper for one in column) for column in columns)
    return Shown(table, beside, rows, sources[0] if len(sources) == 1 else "", tuple(remarks))


@dataclass(frozen=True)
class Values:
    """The points of a figure as a table.

    Attributes:
        head: names of the columns.
        rows: an abscissa, and what each curve has there; empty where it has no point.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def values(drawn: Figure) -> Values:
    """A row for each abscissa, a column for each curve; points of one curve at one abscissa stand in one cell."""
    found: dict[float, list[list[str]]] = {}
    for index, curve in enumerate(drawn.curves):
        for place, x in enumerate(curve.x):
            found.setdefault(x, [[] for _ in drawn.curves])[index].append(_point(curve, place))
    rows = [(f"{x:.6g}", *("; ".join(cell) for cell in found[x])) for x in sorted(found)]
    return Values((drawn.x_label, *(curve.name for curve in drawn.curves)), tuple(rows))


def _point(curve: Curve, place: int) -> str:
    low, high = (None if edge is None else edge[place] for edge in (curve.low, curve.high))
    return " ".join(filter(None, digits(curve.y[place], low, high)))
