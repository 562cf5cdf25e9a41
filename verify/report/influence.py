"""Gradient bounds drawn: how much a sample moves the state, at every lag and as the run goes on, beside its bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from verify.report.canvas import Palette, Panels, key_line
from verify.report.lines import (
    ALARMS,
    Point,
    Scale,
    guide,
    hover_of,
    look_of,
    measured,
    meta_of,
    numeric,
    reached,
    said,
    thin,
    unwell,
)
from verify.report.numbers import Table
from verify.report.pictures import Picture
from verify.report.records import LETTERS, counted, short, variant
from verify.verdict import Status, Verdict


@dataclass(frozen=True)
class Kind:
    """One way to look at an influence.

    Attributes:
        name: of the details that record it.
        group: its name for people.
        x: title of the horizontal axis.
        shift: added to a recorded place, so that a lag of 0 has one on a log axis.
        place: what a point is at.
        judged: whether a verdict rests on it.
    """

    name: str
    group: str
    x: str
    shift: int
    place: str
    judged: bool


KINDS = (
    Kind(
        "influence", "against the lag", "age of the sample, in samples", 1, "the state {:g} samples later", judged=True
    ),
    Kind("later", "as the run goes on", "samples t read", 0, "the first sample in state {:g}", judged=False),
)


@dataclass(frozen=True)
class Series:
    """Influences of a verdict by place: measured, exact, what rounding may move them by, the shares that bound them."""

    verdict: Verdict
    places: tuple[float, ...]
    norms: tuple[float | None, ...]
    exact: tuple[float | None, ...]
    rounding: tuple[float | None, ...]
    shares: tuple[float | None, ...]


def series_of(verdict: Verdict, kind: Kind) -> Series | None:
    """What a verdict records of a kind, in the order of its places; None where it records nothing."""
    record = verdict.details.get(kind.name)
    if not isinstance(record, dict):
        return None
    places, norms = numeric(record.get("places")), numeric(record.get("norms"))
    columns = [numeric(record.get(name)) for name in ("exact", "rounding", "shares")]
    count = min(len(places), len(norms))
    padded = [column[:count] + [None] * (count - len(column)) for column in columns]
    rows = sorted(
        ((place + kind.shift, *rest) for place, *rest in zip(places[:count], norms[:count], *padded, strict=True)
         if place is not None and place + kind.shift > 0),
        key=lambda row: row[0],
    )  # fmt: skip
    return Series(verdict, *map(tuple, zip(*rows, strict=True))) if rows else None


def influence(verdicts: Sequence[Verdict]) -> list[Picture]:
    """Pictures by kind, level and rule, then order N and dtype: a panel per measure, a line per target."""
    palette = Palette(verdicts)
    groups: dict[tuple[str, str], list[Series]] = {}
    kinds: dict[str, Kind] = {}
    for kind in KINDS:
        for verdict in verdicts:
            found = series_of(verdict, kind) if verdict.status is not Status.UNSUPPORTED else None
            if found is not None:
                case = verdict.case
                group = f"{kind.group}: {case.method}, {case.level}"
                kinds[group] = kind
                groups.setdefault((group, f"N = {case.order}, {case.dtype}"), []).append(found)
    # A whole Jacobian says more than a few impulses, and a large order more than a small one.
    places = sorted(groups, key=lambda place: _rank(kinds[place[0]], groups[place][0]))
    return [_picture(kinds[group], group, choice, groups[group, choice], palette) for group, choice in places]


def _rank(kind: Kind, found: Series) -> tuple[bool, bool, bool, str, int, bool]:
    case = found.verdict.case
    bounded = any(found.shares)
    return (not kind.judged, case.level == "scan", not bounded, case.method, -case.order, case.dtype != "float64")


def _picture(kind: Kind, group: str, choice: str, found: Sequence[Series], palette: Palette) -> Picture:
    measures = list(dict.fromkeys(variant(s.verdict.case) for s in found))
    order = found[0].verdict.case.order
    bounds = [share * factor for s in found for share in s.shares if share for factor in (1, order)]
    seen = [value for s in found for value in (*s.norms, *s.exact) if value] + bounds
    limits = [limit for s in found for limit in s.rounding]
    near = bool(seen) and reached(limits, min(seen))
    scale = Scale.of([*seen, *(limits if near else [])])
    traces: list[dict[str, Any]] = []
    guided: set[str] = set()
    named: set[str] = set()
    for mine in sorted(found, key=lambda s: -len(s.places)):
        measure = variant(mine.verdict.case)
        panel = measures.index(measure) + 1
        if measure not in guided:
            guided.add(measure)
            traces += _guides(mine, order, panel, near=near)
        label, look = look_of(mine.verdict, palette)
        last = len(mine.places) - 1
        points = [
            Point(
                place,
                norm,
                hover_of(mine.verdict, f"{kind.place.format(place - kind.shift)}: {said(norm)}, exact {said(exact)}"),
                mine.verdict.status,
                marked=index == last and kind.judged,
            )
            for index, (place, norm, exact) in enumerate(zip(mine.places, mine.norms, mine.exact, strict=True))
        ]
        meta = {**meta_of(mine.verdict, measure), "kind": kind.name, "quantity": "norm"}
        traces += measured(points, scale, panel, label, look, first=label not in named, meta=meta)
        named.add(label)
    bounded = any(any(s.shares) for s in found)
    traces += [key_line("exact", "dash")]
    traces += [key_line("bound: N × share", "dot"), key_line("share: never below", "dashdot")] if bounded else []
    traces += [key_line("what rounding may move", "longdashdot")] if near else []
    ticks = sorted({place for s in found for place in s.places})
    panels = Panels(measures, ticks, kind.x, "norm of the influence", scale.limits, rounded=True)
    figure = panels.figure(traces, **scale.ends(norm for s in found for norm in s.norms))
    return Picture(group, choice, _words(kind, choice, found, bounded=bounded), figure)


def _guides(mine: Series, order: int, panel: int, *, near: bool) -> list[dict[str, Any]]:
    """The exact influence, the shares between which it lies, and what rounding may move it by."""
    drawn = [guide(mine.places, mine.exact, panel, "exact", says="exact")]
    if any(mine.shares):
        above = [None if share is None else order * share for share in mine.shares]
        drawn.append(guide(mine.places, above, panel, "bound", thin("dot"), says="bound, N × share"))
        drawn.append(guide(mine.places, mine.shares, panel, "share", thin("dashdot"), says="share of the measure"))
    if near and any(mine.rounding):
        says = "rounding may move it by"
        drawn.append(guide(mine.places, mine.rounding, panel, "rounding", thin("longdashdot"), says=says))
    return drawn


def _words(kind: Kind, choice: str, found: Sequence[Series], *, bounded: bool) -> str:
    claim = next(s.verdict.claim for s in found)
    parts = [f"Claim: {claim}.", f"{counted(len(found), 'cell')} at {choice}."]
    if kind.judged and bounded:
        over = max(
            norm / (s.verdict.case.order * share)
            for s in found for norm, share in zip(s.norms, s.shares, strict=True) if norm is not None and share
        )  # fmt: skip
        parts.append(f"The largest influence is {short(over)} of its bound, N times the sample's share of the measure.")
    if not kind.judged:
        parts.append(
            "The share of the first sample, and with it its influence, falls like 1/t: neither faster nor slower. "
            "These states are drawn, not judged."
        )
    parts.append(unwell([s.verdict for s in found]))
    return " ".join(part for part in parts if part)


def table(verdicts: Sequence[Verdict]) -> Table:
    """Every influence that is drawn: a row per place."""
    rows = []
    for kind in KINDS:
        for verdict in verdicts:
            found = series_of(verdict, kind) if verdict.status is not Status.UNSUPPORTED else None
            if found is None:
                continue
            case = verdict.case
            sign = f"{LETTERS[verdict.status]} " if kind.judged and verdict.status in ALARMS else ""
            for place, norm, exact, share in zip(found.places, found.norms, found.exact, found.shares, strict=True):
                bound = None if share is None else case.order * share
                numbers = (
                    sign + ("no number" if norm is None else short(norm)),
                    short(exact),
                    short(share),
                    short(bound),
                )
                words = (case.target, case.level, case.method, variant(case), case.dtype, kind.group)
                rows.append((*words, str(case.order), f"{place - kind.shift:g}", *numbers))
    head = ("target", "level", "rule", "measure", "dtype", "drawn", "N", "lag or t", "norm", "exact", "share", "bound")
    return Table(head, 6, tuple(rows))
