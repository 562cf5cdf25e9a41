"""The numbers behind the pictures as tables, for readers without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verify.report.coverage import rule
from verify.report.lines import ALARMS
from verify.report.records import LETTERS, short, variant
from verify.verdict import Status, Verdict


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        head: names of the columns.
        words: how many of the first columns are words; the rest are numbers.
        rows: the cells.
    """

    head: tuple[str, ...]
    words: int
    rows: tuple[tuple[str, ...], ...]


def errors(verdicts: Sequence[Verdict]) -> Table:
    """Error and bound of every cell that ran: a row per series, a column per order."""
    ran = [v for v in verdicts if v.status is not Status.UNSUPPORTED]
    orders = sorted({v.case.order for v in ran})
    rows: dict[tuple[str, ...], dict[int, list[str]]] = {}
    for verdict in ran:
        case = verdict.case
        key = (case.target, verdict.check, case.level, rule(case), variant(case), case.dtype)
        letter = "" if verdict.status is Status.PASS else f"{LETTERS[verdict.status]} "
        said = f"{letter}{short(verdict.measured)} / {short(verdict.bound)}"
        rows.setdefault(key, {}).setdefault(case.order, []).append(said)
    head = ("target", "property", "level", "rule", "measure", "dtype", *(f"N = {order}" for order in orders))
    listed = tuple((*key, *("; ".join(cells.get(order, [])) for order in orders)) for key, cells in rows.items())
    return Table(head, 6, listed)


def convergence(verdicts: Sequence[Verdict]) -> Table:
    """Distances to the projection at each length, with the order shown and the nominal one."""
    ran = [v for v in verdicts if v.check == "convergence" and isinstance(v.details.get("errors"), list)]
    lengths = sorted({n for v in ran for n in _numbers(v, "lengths")})
    rows = []
    for verdict in ran:
        case = verdict.case
        at = dict(zip(_numbers(verdict, "lengths"), _numbers(verdict, "errors"), strict=False))
        cells = (short(at.get(n)) for n in lengths)
        order, nominal = (short(next(iter(_numbers(verdict, name)), None)) for name in ("order", "nominal_order"))
        if verdict.status in ALARMS:
            order = f"{LETTERS[verdict.status]} {order}"
        rows.append((case.target, case.method, variant(case), case.dtype, str(case.order), *cells, order, nominal))
    head = ("target", "rule", "measure", "dtype", "N", *(f"L = {n:g}" for n in lengths), "order shown", "nominal")
    return Table(head, 4, tuple(rows))


def _numbers(verdict: Verdict, name: str) -> list[float]:
    value = verdict.details.get(name)
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, int | float)]
