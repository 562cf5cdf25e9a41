"""Error against order with its bound, and convergence: one figure per check, level and rule, a panel per measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from verify.report.canvas import (
    EXACT,
    Palette,
    Panels,
    axis,
    escaped,
    key_line,
    series,
    wrapped,
)
from verify.report.coverage import rule
from verify.report.records import LETTERS, WORDS, counted, short, variant
from verify.verdict import Status, Verdict

ALARMS = (Status.FAIL, Status.EXPECTED_FAIL, Status.UNEXPECTED_PASS, Status.ERROR, Status.INCONCLUSIVE)
BOUND_DASH = {"float64": "dot", "float32": "dashdot"}
DASH = {"float64": "solid", "float32": "dash"}


@dataclass(frozen=True)
class Picture:
    """One figure that can be chosen.

    Attributes:
        group: the first choice, such as ``scan`` or ``determinism of step``.
        choice: the second choice: the rule.
        words: what the figure shows, in a sentence.
        figure: Plotly figure as plain lists and dicts, with a ``narrow`` layout for small screens.
    """

    group: str
    choice: str
    words: str
    figure: dict[str, Any]


def name_of(verdict: Verdict) -> str:
    """The property, with the level where it is one of several."""
    return verdict.check if verdict.check == verdict.case.level else f"{verdict.check} of {verdict.case.level}"


def grouped(verdicts: Sequence[Verdict]) -> dict[tuple[str, str], list[Verdict]]:
    """Verdicts by property and rule."""
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault((name_of(verdict), rule(verdict.case)), []).append(verdict)
    return groups


def errors(verdicts: Sequence[Verdict]) -> list[Picture]:
    """Error and bound against order for each target, measure and dtype; the checks that compare most finely first."""
    asked = [
        v for v in verdicts if v.status is not Status.UNSUPPORTED and (v.measured is not None or v.status in ALARMS)
    ]
    palette = Palette(verdicts)
    found = [_error_picture(group, choice, mine, palette) for (group, choice), mine in grouped(asked).items()]
    first = ("scan", "step", "matrices")
    return sorted(found, key=lambda p: first.index(p.group) if p.group in first else len(first))


def _error_picture(group: str, choice: str, verdicts: Sequence[Verdict], palette: Palette) -> Picture:
    measures = list(dict.fromkeys(variant(v.case) for v in verdicts))
    values = [x / scale(v) for v in verdicts for x in (v.measured, v.bound) if x is not None and 0 < x < math.inf]
    values = [x for x in values if 0 < x < math.inf]
    # The ends of the axis, and room around them, must be numbers themselves.
    lowest, highest = max(min(values, default=1e-16), 1e-280), min(max(values, default=1e-15), 1e280)
    floor, ceiling = 10.0 ** (math.floor(math.log10(lowest)) - 1), 10.0 ** (math.ceil(math.log10(highest)) + 1)
    lines: dict[tuple[str, str, str], list[Verdict]] = {}
    for verdict in sorted(verdicts, key=lambda v: v.case.order):
        lines.setdefault((verdict.case.target, verdict.case.dtype, variant(verdict.case)), []).append(verdict)
    traces: list[dict[str, Any]] = []
    named: set[str] = set()
    for (target, dtype, measure), mine in lines.items():
        label, panel = f"{target} {dtype}", measures.index(measure) + 1
        meta = {"target": target, "measure": measure, "dtype": dtype}
        orders = [v.case.order for v in mine]
        look = {"color": palette.color(target), "dash": DASH.get(dtype, "dash"), "symbol": palette.symbol(target)}
        heights = [_height(v, v.measured, floor, ceiling) for v in mine]
        hover = [hover_text(v) for v in mine]
        first, meant = label not in named, {**meta, "quantity": "error"}
        line = [None if v.measured is None else height for v, height in zip(mine, heights, strict=True)]
        error = series(orders, line, panel, label, look, hover, first=first, meta=meant)
        error["marker"]["symbol"] = [f"{look['symbol']}-open" if v.measured == 0 else look["symbol"] for v in mine]
        bounds = [None if v.bound is None else _height(v, v.bound, floor, ceiling) for v in mine]
        dotted = {"color": look["color"], "dash": BOUND_DASH.get(dtype, "dashdot"), "width": 1.5}
        limit = series(orders, bounds, panel, label, dotted, None, first=False, meta={**meta, "quantity": "bound"})
        traces += [error, limit]
        alarms = [point for point in zip(orders, heights, mine, hover, strict=True) if point[2].status in ALARMS]
        if alarms:
            traces.append(_alarms(alarms, panel, label))
        named.add(label)
    dtypes = dict.fromkeys(v.case.dtype for v in verdicts)
    traces += [key_line(f"bound, {dtype}", BOUND_DASH.get(dtype, "dashdot")) for dtype in dtypes]
    pad = 10.0 ** min(0.08 * (math.log10(ceiling) - math.log10(floor)), 20.0)
    relative = any(_inputs(v) is not None for v in verdicts)
    title = "error ÷ largest input" if relative else "error"
    panels = Panels(measures, sorted({v.case.order for v in verdicts}), "order N", title, (floor / pad, ceiling * pad))
    exact = floor if any(v.measured == 0 or v.bound == 0 for v in verdicts) else None
    missing = ceiling if any(v.measured is None for v in verdicts) else None
    figure = panels.figure(traces, floor=exact, ceiling=missing)
    under = f" under {choice}" if choice != "–" else ""
    parts = [f"Claim: {verdicts[0].claim}.", f"{counted(len(verdicts), 'cell')}{under}."]
    if relative:
        parts.append(
            "Inputs differ in size, so error and bound are both divided by the largest number of the worst input."
        )
    if not values:
        parts.append("Every error and every bound is exactly 0.")
    return Picture(group, choice, " ".join(parts), figure)


def scale(verdict: Verdict) -> float:
    """Size of the worst input: its largest number; 1 where it is not recorded or zero."""
    size = _inputs(verdict)
    return size if size is not None and 0 < size < math.inf else 1.0


def _inputs(verdict: Verdict) -> float | None:
    given = (verdict.worst or {}).get("input")
    if not isinstance(given, dict):
        return None
    parts = [part for part in (given, given.get("first"), given.get("second")) if isinstance(part, dict)]
    texts: list[Any] = []
    for part in parts:
        for name in ("samples", "state", "coefficients"):
            texts += part[name] if isinstance(part.get(name), list) else []
        texts.append(part.get("sample"))
    exponent = given.get("exponent", 0)
    try:
        sizes = [abs(float.fromhex(text)) for text in texts if isinstance(text, str)]
        return math.ldexp(max(sizes), exponent) if sizes and isinstance(exponent, int) else None
    except (ValueError, OverflowError):
        return None


def _height(verdict: Verdict, value: float | None, floor: float, ceiling: float) -> float:
    """Where a value stands on a log axis: zero at the floor, what is no number at the ceiling."""
    if value is None:
        return ceiling
    return min(max(value / scale(verdict), floor), ceiling)


def hover_text(verdict: Verdict) -> str:
    """What a point says: case, numbers, worst place, message."""
    worst = verdict.worst or {}
    place = worst.get("what") or worst.get("kind") or ""
    error = EXACT if verdict.measured == 0 else short(verdict.measured)
    sized = f", largest input {short(scale(verdict))}" if _inputs(verdict) is not None else ""
    parts = [
        f"<b>{escaped(verdict.case.target)}</b>",
        escaped(verdict.case.describe()),
        f"{WORDS[verdict.status]}: error {error}, bound {short(verdict.bound)}{sized}",
        f"worst at {wrapped(str(place))}" if place else "",
        wrapped(verdict.message, 400) if verdict.message else "",
    ]
    return "<br>".join(part for part in parts if part)


def _alarms(points: list[tuple[int, float, Verdict, str]], panel: int, label: str) -> dict[str, Any]:
    """A ring with the letter of the status around every point that is no pass."""
    return {
        "type": "scatter",
        "mode": "markers+text",
        "showlegend": False,
        "cliponaxis": False,
        "legendgroup": escaped(label),
        "x": [order for order, _, _, _ in points],
        "y": [place for _, place, _, _ in points],
        "text": [LETTERS[v.status] for _, _, v, _ in points],
        "textposition": "top center",
        "customdata": [text for _, _, _, text in points],
        "hovertemplate": "%{customdata}<extra></extra>",
        "marker": {"symbol": "circle-open", "size": 15, "color": "#d1495b", "line": {"width": 2}},
        "textfont": {"color": "#d1495b"},
        "xaxis": axis("x", panel),
        "yaxis": axis("y", panel),
        "meta": {"quantity": "alarm"},
    }
