"""The orders that scans show between their two longest runs, beside the nominal orders of their rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verify.report.canvas import NARROW, NEUTRAL, WIDE, Palette, axis, escaped, key_line, legend_height, note
from verify.report.lines import ALARMS, Point, Scale, alarms, hover_of, meta_of, unwell
from verify.report.pictures import Picture
from verify.report.records import counted, short, variant
from verify.report.slopes import Curve, curve
from verify.verdict import Status, Verdict

GROUP = "order shown against nominal"
ROW, TOP, BELOW = 21, 40, 62
"""Pixels of a row, above a panel, and below it."""


def orders(verdicts: Sequence[Verdict]) -> list[Picture]:
    """A picture for each dtype: a panel per measure, a row per rule and order N, a dot per target."""
    palette = Palette(verdicts)
    groups: dict[str, list[Curve]] = {}
    for verdict in verdicts:
        found = curve(verdict) if verdict.check == "convergence" and verdict.status is not Status.UNSUPPORTED else None
        if found is not None:
            groups.setdefault(verdict.case.dtype, []).append(found)
    return [_picture(dtype, mine, palette) for dtype, mine in groups.items()]


def row(found: Curve) -> str:
    """Name of the row of a curve."""
    return f"{found.verdict.case.method}, N = {found.verdict.case.order}"


def _picture(dtype: str, curves: Sequence[Curve], palette: Palette) -> Picture:
    measures = list(dict.fromkeys(variant(c.verdict.case) for c in curves))
    methods = list(dict.fromkeys(c.verdict.case.method for c in curves))
    key = {row(c): (methods.index(c.verdict.case.method), c.verdict.case.order) for c in curves}
    rows = sorted(key, key=key.__getitem__, reverse=True)  # Plotly counts from below
    ends = _ends(curves)
    traces = [_nominal([c for c in curves if variant(c.verdict.case) == m], i) for i, m in enumerate(measures, start=1)]
    rings: list[dict[str, Any]] = []
    named: set[str] = set()
    groups: dict[tuple[str, str], list[Curve]] = {}
    for found in curves:
        groups.setdefault((found.verdict.case.target, variant(found.verdict.case)), []).append(found)
    for (target, measure), mine in groups.items():
        panel = measures.index(measure) + 1
        traces.append(_dots(mine, panel, target, palette, ends, first=target not in named))
        named.add(target)
        ill = [c for c in mine if c.verdict.status in ALARMS]
        if ill:
            points = [Point(1.0, None, _hover(c), c.verdict.status) for c in ill]
            ring = alarms(points, Scale(1.0, 1.0, 1.0, 1.0), panel, target)
            rings.append(ring | {"x": [_place(c, ends) for c in ill], "y": [row(c) for c in ill]})
    mark = {"symbol": "line-ns-open", "size": 14, "color": NEUTRAL, "line": {"width": 3, "color": NEUTRAL}}
    legend = {**key_line("nominal order", "solid"), "mode": "markers", "marker": mark}
    names = [*named, "nominal order"]
    wide, narrow = (_layout(measures, rows, ends, names, columns) for columns in (min(3, len(measures)), 1))
    figure = {"data": [*traces, *rings, legend], "layout": wide, "narrow": narrow}
    return Picture(GROUP, dtype, _words(dtype, curves), figure)


def _ends(curves: Sequence[Curve]) -> tuple[float, float]:
    """Ends of the axis of orders: all nominal ones and those shown, as far as they are near to these."""
    nominal = [c.nominal for c in curves if c.nominal is not None] or [1.0]
    shown = [c.shown for c in curves if c.shown is not None and -1 <= c.shown <= max(nominal) + 1]
    return min([0.0, *shown]) - 0.25, max([*nominal, *shown]) + 0.5


def _place(found: Curve, ends: tuple[float, float]) -> float:
    """Where an order stands; one beyond the axis at its end. What shows none has failed to, or rounding hides it."""
    if found.shown is None:
        return ends[0] if found.verdict.status in (Status.FAIL, Status.EXPECTED_FAIL) else ends[1]
    return min(max(found.shown, ends[0]), ends[1])


def _hover(found: Curve) -> str:
    shown = "no order" if found.shown is None else f"order {found.shown:.3f}"
    return hover_of(
        found.verdict, f"{shown} shown, nominal {short(found.nominal)}", "" if found.judged else "not judged"
    )


def _dots(
    curves: Sequence[Curve], panel: int, target: str, palette: Palette, ends: tuple[float, float], *, first: bool
) -> dict[str, Any]:
    symbol, color = palette.symbol(target), palette.color(target)
    marks = [symbol if c.judged else f"{symbol}-open" for c in curves]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [_place(c, ends) for c in curves],
        "y": [row(c) for c in curves],
        "name": escaped(target),
        "legendgroup": escaped(target),
        "showlegend": first,
        "cliponaxis": False,
        "marker": {"size": 8, "color": color, "symbol": marks, "line": {"color": color, "width": 1.5}},
        "customdata": [_hover(c) for c in curves],
        "hovertemplate": "%{customdata}<extra></extra>",
        "xaxis": axis("x", panel),
        "yaxis": axis("y", panel),
        "meta": {**meta_of(curves[0].verdict, variant(curves[0].verdict.case)), "quantity": "order"},
    }


def _nominal(curves: Sequence[Curve], panel: int) -> dict[str, Any]:
    """The nominal orders: an upright stroke in each row, under the dots."""
    known = {row(c): c.nominal for c in curves if c.nominal is not None}
    return {
        "type": "scatter",
        "mode": "markers",
        "showlegend": False,
        "x": list(known.values()),
        "y": list(known),
        "hovertemplate": "nominal order %{x}<extra></extra>",
        "marker": {"symbol": "line-ns-open", "size": 17, "line": {"width": 3, "color": NEUTRAL}, "color": NEUTRAL},
        "xaxis": axis("x", panel),
        "yaxis": axis("y", panel),
        "meta": {"quantity": "nominal"},
    }


def _layout(
    measures: Sequence[str], rows: Sequence[str], ends: tuple[float, float], names: Sequence[str], columns: int
) -> dict[str, Any]:
    lines = -(-len(measures) // columns)
    block = TOP + ROW * len(rows) + BELOW
    inside = lines * block
    legend = legend_height(names, WIDE if columns > 1 else NARROW)
    layout: dict[str, Any] = {
        "height": inside + legend,
        "margin": {"l": 10, "r": 14, "t": 0, "b": legend},
        "hovermode": "closest",
        "legend": {"orientation": "h", "yanchor": "top", "y": -4 / inside, "xanchor": "left", "x": 0},
        "annotations": [],
    }
    for panel, measure in enumerate(measures, start=1):
        line, column = divmod(panel - 1, columns)
        top = 1 - (line * block + TOP) / inside
        domain = [column / columns + (0.015 if column else 0), (column + 1) / columns - 0.015]
        x, y = axis("x", panel), axis("y", panel)
        layout[x.replace("x", "xaxis")] = {
            "range": list(ends), "domain": domain, "anchor": y, "dtick": 1, "title": {"text": "order of convergence"},
        }  # fmt: skip
        layout[y.replace("y", "yaxis")] = {
            "type": "category", "categoryorder": "array", "categoryarray": list(rows), "anchor": x, "automargin": True,
            "range": [-0.7, len(rows) - 0.3], "domain": [top - ROW * len(rows) / inside, top],
            "showticklabels": column == 0, "tickmode": "linear", "dtick": 1,
        }  # fmt: skip
        layout["annotations"].append(
            note(f"<b>{escaped(measure)}</b>", f"{x} domain", f"{y} domain", 0, 1, ("left", "bottom"))
        )
    return layout


def _words(dtype: str, curves: Sequence[Curve]) -> str:
    """The judged order that is farthest from its nominal one, and what was not judged or is no pass."""
    known = [
        (abs(c.shown - c.nominal), c) for c in curves if c.judged and c.shown is not None and c.nominal is not None
    ]
    left = sum(not c.judged for c in curves)
    words = [
        f"Order between the two longest scans of {counted(len(curves), 'cell')} in {dtype}, beside the nominal one."
    ]
    if known:
        worst = max(known, key=lambda pair: pair[0])[1]
        case = worst.verdict.case
        words.append(
            f"Farthest of those judged: {short(worst.shown)} for nominal {worst.nominal:g} ({case.target}, "
            f"{case.describe()}); a nominal order is reached as L grows."
        )
    if left:
        words.append(
            f"{counted(left, 'cell')} drawn open: the order was not judged, since rounding is too large a share of the "
            "errors, or too few lengths were run."
        )
    return " ".join([*words, unwell([c.verdict for c in curves])]).strip()
