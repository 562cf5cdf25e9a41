"""What changed in a series, and with which commit it came."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from verify.history import rules
from verify.history.series import Change, History, Point, Series
from verify.history.steps import Step, chance, steps
from verify.kinds import Kind

RATE: Final = 0.005
"""Chance that a series whose speed never changed is said to have, if its commits were measured in random order."""

FAMILY: Final = 0.05
"""The same for all series of a history together; where some did change, the share of accusations that are false."""

SMALLEST: Final = 1.03
"""A change of speed or memory by less than this factor is not told."""

NEAR: Final = 2
SOON: Final = 3600.0
"""Two measurements are neighbours in time if at most so many ranks and seconds lie between them: a machine that is busy
for a while slows both."""

EXACT: Final = (Kind.ERROR, Kind.COUNT)
WORDS: Final = {
    Kind.TIME: ("slower", "faster"),
    Kind.MEMORY: ("more memory", "less memory"),
    Kind.ERROR: ("less accurate", "more accurate"),
    Kind.RATE: ("slower", "faster"),
    Kind.COUNT: ("fewer", "more"),
}


def changes(series: Series, rate: float = RATE) -> tuple[Change, ...]:
    """The changes of one series.

    Speed and memory are noisy: `verify.history.steps` finds where their level changed. Errors and counts are exact:
    `verify.history.rules` compares them. A number that is missing where there was one before is a change of its own.

    Args:
        series: the series.
        rate: chance that a noisy series whose level never changed is said to have changed.

    Returns:
        The changes, in the order of commits. None is found across two versions of a benchmark.
    """
    found = list(_lost(series))
    for points in series.versions.values():
        usable = _usable(points, series.kind)
        if series.kind in EXACT:
            found += _exact(series, usable)
        elif series.kind is not None:
            found += _noisy(series, usable, rate)
    return tuple(sorted(found, key=lambda change: (change.last, change.first)))


def changes_of_all(history: History, rate: float = FAMILY) -> Mapping[str, tuple[Change, ...]]:
    """The changes of all series, with one rate for all of them together.

    The rate that each noisy series is held to follows from how many there are and how many of them changed (Benjamini
    & Hochberg 1995). Within a series that did, each stretch is held to the same rate.

    Args:
        history: the series.
        rate: if nothing changed, the chance of any false accusation; else the expected share of false ones.

    Returns:
        By name, as in the history.
    """
    noisy = [
        _logarithms(usable)
        for series in history.series.values()
        if series.kind is not None and series.kind not in EXACT
        for points in series.versions.values()
        if len(usable := _usable(points, series.kind)) > 1
    ]
    # A look at all, then a closer one, as fine as so many suspects make necessary: it is they that take the time.
    suspects = [values for values in noisy if chance(values, rate, RATE) <= rate]
    least = rate * max(1, len(suspects)) / max(1, len(noisy))
    found = sorted(chance(values, rate, least) for values in suspects)
    kept = [rate * rank / len(noisy) for rank, value in enumerate(found, 1) if value <= rate * rank / len(noisy)]
    level = max(kept, default=rate / max(1, len(noisy)))
    return {name: changes(series, min(level, RATE)) for name, series in history.series.items()}


def in_order(points: Sequence[Point]) -> bool:
    """Whether most neighbours were measured one after the other, so that a busy machine looks like a changed commit."""
    times = [point.when for point in points]
    if len(times) < 2 or any(when is None for when in times):
        return False
    known = [when for when in times if when is not None]
    rank = {i: r for r, i in enumerate(sorted(range(len(known)), key=lambda i: known[i]))}
    close = [
        abs(rank[i] - rank[j]) <= NEAR and abs(known[i] - known[j]) <= SOON
        for i, j in itertools.pairwise(range(len(known)))
    ]
    # Of few commits, many are neighbours in any order.
    usual = min(1.0, 2 * NEAR / len(known))
    return sum(close) / len(close) > (1 + usual) / 2


def _usable(points: Sequence[Point], kind: Kind | None) -> tuple[Point, ...]:
    """Points with a number that can be compared; a time of 0 has no logarithm and is no measurement."""
    return tuple(
        point for point in points if point.finite and (kind in EXACT or (point.value is not None and point.value > 0))
    )


def _value(point: Point) -> float:
    assert point.value is not None  # noqa: S101 -- of usable points
    return point.value


def _logarithms(points: Sequence[Point]) -> list[float]:
    return [math.log(_value(point)) for point in points]


def _lost(series: Series) -> Iterator[Change]:
    for last, lost, back in rules.losses(series.points):
        nothing = math.nan if lost.value is None else lost.value
        yield Change(
            first=last.commit + 1,
            last=lost.commit,
            before=_value(last),
            after=nothing,
            ratio=math.nan,
            worse=True,
            recovered=None if back is None else back.commit,
            text=f"no number any more ({lost.why}): {said(_value(last), series.unit)} before"
            + (f"; {lost.said}" if lost.said else ""),
        )


def _exact(series: Series, points: Sequence[Point]) -> Iterator[Change]:
    assert series.kind is not None  # noqa: S101 -- as asked by the caller
    kind, unit = series.kind, series.unit
    values = [_value(point) for point in points]
    found = list(rules.jumps(values, kind, unit))
    for i, jump in enumerate(found):
        before, after = values[jump.base], values[jump.head]
        back = (
            points[later.head].commit
            for later in found[i + 1 :]
            if not later.worse and not rules.grows(before, values[later.head], kind, unit)
        )
        yield Change(
            first=points[jump.base].commit + 1,
            last=points[jump.head].commit,
            before=before,
            after=after,
            ratio=rules.ratio(before, after, unit),
            worse=jump.worse,
            recovered=next(back, None) if jump.worse else None,
            text=_text(kind, jump.worse, before, after, unit),
        )


def _noisy(series: Series, points: Sequence[Point], rate: float) -> Iterator[Change]:
    assert series.kind is not None  # noqa: S101 -- as asked by the caller
    found = steps(_logarithms(points), rate, math.log(SMALLEST))
    sign = -1 if series.kind is Kind.RATE else 1
    confounded = in_order(points)
    for i, step in enumerate(found):
        worse = sign * (step.after - step.before) > 0
        change = Change(
            first=points[step.first - 1].commit + 1,
            last=points[step.last].commit,
            before=math.exp(step.before),
            after=math.exp(step.after),
            ratio=math.exp(step.after - step.before),
            worse=worse,
            recovered=_recovered(step, found[i + 1 :], sign, points) if worse else None,
            text=_text(series.kind, worse, math.exp(step.before), math.exp(step.after), series.unit),
        )
        yield _unsure(change) if confounded else change


def _recovered(step: Step, later: Sequence[Step], sign: int, points: Sequence[Point]) -> int | None:
    """The commit with which the level came back to what it was before a loss, up to `SMALLEST`."""
    back = (other for other in later if sign * (other.after - step.before) < math.log(SMALLEST))
    found = next(back, None)
    return None if found is None else points[found.last].commit


def _unsure(change: Change) -> Change:
    return replace(
        change,
        sure=False,
        text=f"{change.text}; or the machine was busy: these commits were measured one after the other",
    )


def _text(kind: Kind, worse: bool, before: float, after: float, unit: str) -> str:
    word = WORDS[kind][0 if worse else 1]
    how = f", {max(after, before) / min(after, before):.3g} times" if min(before, after) > 0 else ""
    if unit == rules.BITS_UNIT:
        how = f", {abs(after - before):.3g} bits"
    if kind is Kind.COUNT:
        how = ""
    return f"{word}: {said(before, unit)} before, {said(after, unit)} now{how}"


def said(value: float, unit: str) -> str:
    """A value with its unit, times in the prefix that suits them."""
    if unit == "seconds" and value > 0:
        for prefix, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
            if value >= 0.9995 * scale:  # what is rounded to 1000 of one prefix is 1 of the next
                return f"{value / scale:.3g} {prefix}"
        return f"{value / 1e-9:.3g} ns"
    return f"{value:.3g} {unit}".rstrip()
