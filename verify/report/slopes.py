"""Convergence: distance to the exact projection against the number of samples, and the order that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from verify.report.canvas import Palette, Panels, key_line
from verify.report.lines import (
    Point,
    Scale,
    alarms,
    guide,
    hover_of,
    look_of,
    measured,
    meta_of,
    number,
    numeric,
    reached,
    said,
    thin,
    unwell,
)
from verify.report.pictures import Picture
from verify.report.records import counted, short, variant
from verify.verdict import Status, Verdict

ABOVE = 2.0
"""The nominal slope is drawn so much above the rule that it can be seen beside it."""
SPREAD = 4
"""Decades about the middle of all distances within which a slope can be seen."""


@dataclass(frozen=True)
class Curve:
    """A verdict on convergence as numbers; None stands for what is no number.

    Attributes:
        verdict: the verdict.
        lengths: numbers of samples.
        errors: distances of the target's last state.
        rule: distances that the rule leaves in exact arithmetic.
        rounding: what rounding may move them by; empty in stores that do not record it.
    """

    verdict: Verdict
    lengths: tuple[float, ...]
    errors: tuple[float | None, ...]
    rule: tuple[float | None, ...]
    rounding: tuple[float | None, ...]

    @property
    def nominal(self) -> float | None:
        """The order that the rule has."""
        return number(self.verdict.details.get("nominal_order"))

    @property
    def shown(self) -> float | None:
        """The order that the target shows between its two longest scans."""
        return number(self.verdict.details.get("order"))

    @property
    def judged(self) -> bool:
        """Whether that order was compared with the rule's own."""
        return self.shown is not None and "order_not_judged" not in self.verdict.details


def curve(verdict: Verdict) -> Curve | None:
    """What a verdict on convergence records, or None where it has no curve."""
    lengths, errors, rule = (numeric(verdict.details.get(name)) for name in ("lengths", "errors", "rule_errors"))
    count = min(map(len, (lengths, errors, rule)))
    known = [length for length in lengths[:count] if length is not None and length > 0]
    if not known or len(known) < count:
        return None
    rounding = numeric(verdict.details.get("rounding"))[:count]
    return Curve(verdict, tuple(known), tuple(errors[:count]), tuple(rule[:count]), tuple(rounding))


def convergence(verdicts: Sequence[Verdict]) -> list[Picture]:
    """Each rule's curves at each order N and dtype: a panel per measure, a line per target."""
    palette = Palette(verdicts)
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.check == "convergence" and verdict.status is not Status.UNSUPPORTED:
            case = verdict.case
            groups.setdefault((case.method, f"N = {case.order}, {case.dtype}"), []).append(verdict)
    methods = list(dict.fromkeys(method for method, _ in groups))
    # The largest order, whose error is the smallest, says the most and stands first.
    places = sorted(groups, key=lambda place: (methods.index(place[0]), -groups[place][0].case.order))
    return [_picture(*place, groups[place], palette) for place in places if any(map(curve, groups[place]))]


def _picture(method: str, choice: str, verdicts: Sequence[Verdict], palette: Palette) -> Picture:
    measures = list(dict.fromkeys(variant(v.case) for v in verdicts))
    curves = [found for v in verdicts if (found := curve(v)) is not None]
    lacking = [v for v in verdicts if curve(v) is None]
    seen = [value for c in curves for value in (*c.errors, *c.rule) if value]
    limits = [limit for c in curves for limit in c.rounding]
    near = bool(seen) and reached(limits, min(seen))
    scale = Scale.of([*seen, *(limits if near else [])], SPREAD)
    ticks = sorted({length for c in curves for length in c.lengths})
    traces: list[dict[str, Any]] = []
    guided: set[str] = set()
    named: set[str] = set()
    for found in curves:
        measure = variant(found.verdict.case)
        panel = measures.index(measure) + 1
        if measure not in guided:
            guided.add(measure)
            traces += _guides(found, panel, near=near)
        label, style = look_of(found.verdict, palette)
        facts = {**meta_of(found.verdict, measure), "quantity": "error"}
        points = [
            Point(length, error, hover_of(found.verdict, f"L = {length:g}: distance {said(error)}"),
                  found.verdict.status, marked=index == len(found.lengths) - 1)
            for index, (length, error) in enumerate(zip(found.lengths, found.errors, strict=True))
        ]  # fmt: skip
        traces += measured(points, scale, panel, label, style, first=label not in named, meta=facts)
        named.add(label)
    for verdict in lacking:
        point = Point(ticks[0], None, hover_of(verdict, "no distance was measured"), verdict.status)
        traces.append(alarms([point], scale, measures.index(variant(verdict.case)) + 1, verdict.case.target))
    traces += [key_line("the rule in exact arithmetic", "dash"), key_line("nominal slope", "dot")]
    traces += [key_line("what rounding may move", "longdashdot")] if near else []
    titles = [_title(measure, curves) for measure in measures]
    standing = [None for _ in lacking] + [value for c in curves for value in (*c.errors, *c.rule)]
    panels = Panels(titles, ticks, "samples L", "distance to the projection", scale.limits)
    words = [f"Claim: {verdicts[0].claim}.", f"{counted(len(verdicts), 'cell')} under {method} at {choice}."]
    words += [_slopes(curves), unwell(verdicts)]
    if any(limits) and not near:
        words.append(f"Rounding may move a distance by {short(max(x for x in limits if x))} at most, far below them.")
    return Picture(method, choice, " ".join(w for w in words if w), panels.figure(traces, **scale.ends(standing)))


def _title(measure: str, curves: Sequence[Curve]) -> str:
    nominal = {c.nominal for c in curves if variant(c.verdict.case) == measure and c.nominal is not None}
    return f"{measure}: order {' or '.join(f'{order:g}' for order in sorted(nominal))}" if nominal else measure


def _slopes(curves: Sequence[Curve]) -> str:
    """Orders shown, beside the nominal ones, in words."""
    rows: dict[str, list[Curve]] = {}
    for found in curves:
        rows.setdefault(variant(found.verdict.case), []).append(found)
    orders = []
    for measure, mine in rows.items():
        shown = [c.shown for c in mine if c.shown is not None]
        nominal = mine[0].nominal
        if shown and nominal is not None:
            ends = dict.fromkeys(f"{end:.2f}" for end in (min(shown), max(shown)))
            orders.append(f"{measure} {' to '.join(ends)} (nominal {nominal:g})")
    return f"Orders shown: {'; '.join(orders)}." if orders else ""


def _guides(found: Curve, panel: int, *, near: bool) -> list[dict[str, Any]]:
    """The rule in exact arithmetic, a line of the nominal slope a little above it, and the limit of rounding."""
    drawn = [guide(found.lengths, found.rule, panel, "rule", says="the rule in exact arithmetic")]
    nominal, start = found.nominal, found.rule[0]
    if nominal is not None and start:
        slope = [ABOVE * start * (length / found.lengths[0]) ** -nominal for length in found.lengths]
        says = f"nominal slope, order {nominal:g}"
        drawn.append(guide(found.lengths, slope, panel, "slope", thin("dot"), says=says))
    if near and found.rounding:
        says = "rounding may move it by"
        drawn.append(guide(found.lengths, found.rounding, panel, "rounding", thin("longdashdot"), says=says))
    return drawn
