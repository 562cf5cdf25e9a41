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
    escaped,
    key_line,
    series,
    wrapped,
)
from verify.report.coverage import rule
from verify.report.lean import largest, samples_read
from verify.report.lines import ALARMS, Point, Scale, alarms, unwell
from verify.report.records import WORDS, counted, short, variant
from verify.verdict import Status, Verdict

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
    axes = Scale.of(values)
    floor, ceiling = axes.floor, axes.ceiling
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
        error["marker"]["symbol"] = [
            f"{look['symbol']}-open" if height <= floor else look["symbol"] for height in heights
        ]
        bounds = [None if v.bound is None else _height(v, v.bound, floor, ceiling) for v in mine]
        dotted = {"color": look["color"], "dash": BOUND_DASH.get(dtype, "dashdot"), "width": 1.5}
        limit = series(orders, bounds, panel, label, dotted, None, first=False, meta={**meta, "quantity": "bound"})
        traces += [error, limit]
        ringed = [
            Point(order, None if v.measured is None else height, text, v.status)
            for order, height, v, text in zip(orders, heights, mine, hover, strict=True)
            if v.status in ALARMS
        ]
        if ringed:
            traces.append(alarms(ringed, axes, panel, label))
        named.add(label)
    dtypes = dict.fromkeys(v.case.dtype for v in verdicts)
    traces += [key_line(f"bound, {dtype}", BOUND_DASH.get(dtype, "dashdot")) for dtype in dtypes]
    relative = any(_inputs(v) is not None for v in verdicts)
    title = "error ÷ largest input" if relative else "error"
    panels = Panels(measures, sorted({v.case.order for v in verdicts}), "order N", title, axes.limits)
    standing = [None if v.measured is None else v.measured / scale(v) for v in verdicts]
    standing += [v.bound / scale(v) for v in verdicts if v.bound is not None]
    figure = panels.figure(traces, **axes.ends(standing))
    under = f" under {choice}" if choice != "–" else ""
    parts = [f"Claim: {verdicts[0].claim}.", f"{counted(len(verdicts), 'cell')}{under}."]
    if relative:
        parts.append(
            "Inputs differ in size, so error and bound are both divided by the largest number of the worst input."
        )
    if not values:
        parts.append("Every error and every bound is exactly 0.")
    parts.append(unwell(verdicts))
    return Picture(group, choice, " ".join(part for part in parts if part), figure)


def scale(verdict: Verdict) -> float:
    """Size of the worst input: its largest number; 1 where it is not recorded or zero."""
    size = _inputs(verdict)
    return size if size is not None and 0 < size < math.inf else 1.0


def _inputs(verdict: Verdict) -> float | None:
    given = (verdict.worst or {}).get("input")
    return largest(given, samples_read(verdict)) if isinstance(given, dict) else None


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
