"""Approximation bounds drawn: what a state misses of each signal against the order N, beside Jackson's theorem."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from verify.report.canvas import Palette, Panels, key_line
from verify.report.coverage import rule
from verify.report.lines import (
    ALARMS,
    Point,
    Scale,
    alarms,
    guide,
    hover_of,
    look_of,
    measured,
    meta_of,
    number,
    said,
    thin,
    unwell,
)
from verify.report.numbers import Table
from verify.report.pictures import Picture
from verify.report.records import LETTERS, counted, short, variant
from verify.verdict import Status, Verdict

NONE = 1e299
"""Bounds from here on are none: the check writes what it cannot bound as a number that large."""


@dataclass(frozen=True)
class Missed:
    """What a state misses of one signal.

    Attributes:
        verdict: the verdict.
        signal: name of the signal.
        error: L2 distance, or the root of the energy that is missing; None where it is no number.
        bound: Jackson's, or None where none is derived.
        floor: what rounding and the rule's own distance to the projection may make of it; None if not recorded.
        smoothness: how many derivatives of the signal are bounded.
    """

    verdict: Verdict
    signal: str
    error: float | None
    bound: float | None
    floor: float | None
    smoothness: int

    @property
    def title(self) -> str:
        """The signal with its smoothness."""
        return f"{self.signal}: {counted(self.smoothness, 'bounded derivative')}"


def missed(verdict: Verdict) -> list[Missed]:
    """What a verdict records of each signal; nothing where the store is older than these records."""
    found = []
    for name, record in verdict.details.items():
        if isinstance(record, dict) and {"J", "error", "smoothness"} <= set(record):
            error, bound, floor, smooth = (number(record.get(key)) for key in ("error", "J", "floor", "smoothness"))
            kept, energy = number(record.get("kept")), number(record.get("energy"))
            if error == 0 and kept is not None and energy is not None and kept - energy > (floor or 0.0) ** 2:
                error = math.sqrt(kept - energy)  # a state with more energy than the signal has is off by as much
            known = bound if bound is not None and bound < NONE else None
            found.append(Missed(verdict, name, error, known, floor, int(smooth or 0)))
    return found


def approximation(verdicts: Sequence[Verdict]) -> list[Picture]:
    """Pictures by measure, then level, rule and dtype: a panel per signal, the least smooth first."""
    asked = [v for v in verdicts if v.check == "approximation" and v.status is not Status.UNSUPPORTED]
    palette = Palette(verdicts)
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in asked:
        case = verdict.case
        choice = f"{'read out' if rule(case) == '–' else f'states, {case.method}'}, {case.dtype}"
        groups.setdefault((variant(case), choice), []).append(verdict)
    # What is read out is known to rounding and stands first.
    places = sorted(groups, key=lambda place: (list(dict.fromkeys(m for m, _ in groups)).index(place[0]),
                                               not place[1].startswith("read out")))  # fmt: skip
    return [_picture(*place, groups[place], palette) for place in places if any(map(missed, groups[place]))]


def _picture(measure: str, choice: str, verdicts: Sequence[Verdict], palette: Palette) -> Picture:
    found = sorted((m for v in verdicts for m in missed(v)), key=lambda m: m.smoothness)
    titles = list(dict.fromkeys(m.title for m in found))
    scale = Scale.of([value for m in found for value in (m.error, m.bound, m.floor)])
    lines: dict[tuple[str, str], list[Missed]] = {}
    for item in sorted(found, key=lambda m: m.verdict.case.order):
        lines.setdefault((item.title, item.verdict.case.target), []).append(item)
    traces: list[dict[str, Any]] = []
    guided: set[str] = set()
    named: set[str] = set()
    for (title, _), mine in lines.items():
        panel = titles.index(title) + 1
        if title not in guided:
            guided.add(title)
            traces += _guides(max((v for (name, _), v in lines.items() if name == title), key=len), panel)
        label, look = look_of(mine[0].verdict, palette)
        points = [_point(item) for item in mine]
        meta = {**meta_of(mine[0].verdict, measure), "signal": mine[0].signal, "quantity": "error"}
        traces += measured(points, scale, panel, label, look, first=label not in named, meta=meta)
        named.add(label)
    lacking = [v for v in verdicts if not missed(v)]
    for verdict in lacking:
        point = Point(verdict.case.order, None, hover_of(verdict, "nothing was measured"), verdict.status)
        traces.append(alarms([point], scale, 1, verdict.case.target))
    traces += [key_line("Jackson's bound", "dot")] if any(m.bound for m in found) else []
    traces += [key_line("what rounding and the rule may make of it", "longdashdot")]
    standing = [None for _ in lacking] + [m.error for m in found] + [0.0 for m in found if m.bound == 0]
    orders = sorted({v.case.order for v in verdicts})
    panels = Panels(titles, orders, "order N", "what is missed of the signal", scale.limits)
    figure = panels.figure(traces, **scale.ends(standing))
    return Picture(measure, choice, _words(measure, choice, verdicts, found), figure)


def _point(item: Missed) -> Point:
    bounded = f"Jackson's bound {said(item.bound)}" if item.bound is not None else "no bound is derived"
    within = item.error is not None and item.floor is not None and item.error <= item.floor
    note = f"not told from {short(item.floor)}, which rounding and the rule may make" if within else ""
    lost = "nothing" if item.error == 0 else said(item.error)
    text = hover_of(item.verdict, f"{item.signal}: misses {lost}, {bounded}", note)
    # A failure is one of a certain signal, which its worst input names.
    blamed = str(((item.verdict.worst or {}).get("input") or {}).get("name", ""))
    marked = blamed.split(",", maxsplit=1)[0] in ("", item.signal)
    return Point(item.verdict.case.order, item.error, text, item.verdict.status, marked=marked)


def _guides(items: Sequence[Missed], panel: int) -> list[dict[str, Any]]:
    orders = [item.verdict.case.order for item in items]
    drawn = [guide(orders, [m.floor for m in items], panel, "floor", thin("longdashdot"), says="rounding and the rule")]
    if any(item.bound for item in items):
        drawn.append(guide(orders, [m.bound for m in items], panel, "bound", thin("dot"), says="Jackson's bound"))
    return drawn


def _words(measure: str, choice: str, verdicts: Sequence[Verdict], found: Sequence[Missed]) -> str:
    parts = [f"Claim: {verdicts[0].claim}.", f"{counted(len(verdicts), 'cell')} of {measure}, {choice}."]
    known = [(m.error / m.bound, m) for m in found if m.error and m.bound and m.error > (m.floor or 0)]
    if known:
        most, worst = max(known, key=lambda pair: pair[0])
        where = f"{worst.signal}, {worst.verdict.case.describe()}"
        parts.append(f"What is missed is at most {short(most)} times its bound ({where}).")
    if not any(m.bound is not None for m in found):
        parts.append("No bound is derived for a measure whose equation is closed: it is drawn without one.")
    parts.append(unwell(verdicts))
    return " ".join(part for part in parts if part)


def table(verdicts: Sequence[Verdict]) -> Table:
    """What is missed of each signal: a row per target, measure, rule, dtype and signal; a column per order."""
    rows: dict[tuple[str, ...], dict[int, str]] = {}
    for verdict in verdicts:
        if verdict.check != "approximation" or verdict.status is Status.UNSUPPORTED:
            continue
        case, sign = verdict.case, f"{LETTERS[verdict.status]} " if verdict.status in ALARMS else ""
        for item in missed(verdict):
            key = (case.target, case.level, rule(case), variant(case), case.dtype, item.title)
            error = "no number" if item.error is None or math.isinf(item.error) else short(item.error)
            rows.setdefault(key, {})[case.order] = f"{sign}{error} / {short(item.bound)}"
    orders = sorted({order for cells in rows.values() for order in cells})
    head = ("target", "level", "rule", "measure", "dtype", "signal", *(f"N = {order}" for order in orders))
    return Table(head, 6, tuple((*key, *(cells.get(n, "") for n in orders)) for key, cells in rows.items()))
