"""Work-precision diagrams: the distance to the exact projection against the multiplications that each rule takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verify.report.canvas import COLORS, SYMBOLS, Panels
from verify.report.lines import ALARMS, Point, Scale, hover_of, measured, meta_of, numeric, said, unwell
from verify.report.numbers import Table
from verify.report.pictures import Picture
from verify.report.records import LETTERS, counted, short, variant
from verify.report.slopes import SPREAD, Curve, curve
from verify.verdict import Status, Verdict

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def work_precision(verdicts: Sequence[Verdict]) -> list[Picture]:
    """A diagram for each target, order N and dtype: a panel per measure, a line per rule."""
    groups: dict[tuple[str, str], list[Curve]] = {}
    for found in _recorded(verdicts):
        case = found.verdict.case
        groups.setdefault((case.target, f"N = {case.order}, {case.dtype}"), []).append(found)
    methods = list(dict.fromkeys(c.verdict.case.method for curves in groups.values() for c in curves))
    targets = list(dict.fromkeys(target for target, _ in groups))
    # The largest order, at which rules differ most, stands first.
    places = sorted(groups, key=lambda place: (targets.index(place[0]), -groups[place][0].verdict.case.order))
    return [_picture(*place, groups[place], methods) for place in places]


def work(verdict: Verdict) -> list[float | None]:
    """Multiplications of each scan, as the textbook form of the rule takes them; empty in stores without them."""
    return numeric(verdict.details.get("multiplications"))


def _recorded(verdicts: Sequence[Verdict]) -> list[Curve]:
    asked = [v for v in verdicts if v.check == "convergence" and v.status is not Status.UNSUPPORTED]
    curves = [found for v in asked if (found := curve(v)) is not None]
    return [c for c in curves if len(work(c.verdict)) >= len(c.lengths) and all(work(c.verdict))]


def _picture(target: str, choice: str, curves: Sequence[Curve], methods: Sequence[str]) -> Picture:
    measures = list(dict.fromkeys(variant(c.verdict.case) for c in curves))
    scale = Scale.of((error for c in curves for error in c.errors), SPREAD)
    traces: list[dict[str, Any]] = []
    named: set[str] = set()
    for found in curves:
        verdict, method, measure = found.verdict, found.verdict.case.method, variant(found.verdict.case)
        index = methods.index(method)
        look = {
            "color": COLORS[index % len(COLORS)],
            "symbol": SYMBOLS[index % len(SYMBOLS)],
            "dash": DASHES[index % len(DASHES)],
        }
        points = [
            Point(
                count or 1.0,
                error,
                hover_of(verdict, f"{count:,.0f} multiplications (L = {length:g}): distance {said(error)}"),
                verdict.status,
                marked=position == len(found.lengths) - 1,
            )
            for position, (length, count, error) in enumerate(
                zip(found.lengths, work(verdict), found.errors, strict=False)
            )
        ]
        meta = {**meta_of(verdict, measure), "method": method, "quantity": "error"}
        panel = measures.index(measure) + 1
        traces += measured(points, scale, panel, method, look, first=method not in named, meta=meta)
        named.add(method)
    ticks = sorted({count for c in curves for count in work(c.verdict) if count})
    panels = Panels(
        measures, ticks, "multiplications, counted", "distance to the projection", scale.limits, rounded=True
    )
    words = [
        f"{counted(len(curves), 'scan')} of {target} at {choice}: lower and further left is better.",
        *(_cheapest(measure, [c for c in curves if variant(c.verdict.case) == measure]) for measure in measures),
        unwell([c.verdict for c in curves]),
    ]
    figure = panels.figure(traces, **scale.ends(error for c in curves for error in c.errors))
    return Picture(target, choice, " ".join(word for word in words if word), figure)


def _cheapest(measure: str, curves: Sequence[Curve]) -> str:
    """The rule that comes nearest in a measure, of those that pass, and what it takes."""
    known = [(c.errors[-1], c) for c in curves if c.errors[-1] is not None and c.verdict.status not in ALARMS]
    if not known:
        return ""
    error, best = min(known, key=lambda pair: pair[0])
    count = work(best.verdict)[len(best.lengths) - 1]
    return f"{measure}: {best.verdict.case.method} comes nearest, {said(error)} with {count:,.0f} multiplications."


def table(verdicts: Sequence[Verdict]) -> Table:
    """Distance at each count of multiplications: a row per scan."""
    rows = []
    for found in _recorded(verdicts):
        case, status = found.verdict.case, found.verdict.status
        for length, count, error in zip(found.lengths, work(found.verdict), found.errors, strict=False):
            sign = f"{LETTERS[status]} " if status in ALARMS else ""
            rows.append(
                (case.target, case.method, variant(case), case.dtype, str(case.order), f"{length:g}",
                 f"{count:.0f}", sign + ("no number" if error is None else short(error)))
            )  # fmt: skip
    return Table(("target", "rule", "measure", "dtype", "N", "L", "multiplications", "distance"), 4, tuple(rows))
