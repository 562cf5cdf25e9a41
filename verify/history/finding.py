"""What changed in a series, and with which commit it came."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from verify.history import rules, steps
from verify.history.series import Change, History, Point, Series
from verify.history.steps import Step, chance
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
    searched = [values for values in noisy(history) if len(values) > 1]
    # A look at all, then a closer one, as fine as so many suspects make necessary: it is they that take the time.
    suspects = [values for values in searched if chance(values, rate, RATE) <= rate]
    least = rate * max(1, len(suspects)) / max(1, len(searched))
    found = sorted(chance(values, rate, least) for values in suspects)
    kept = [rate * rank / len(searched) for rank, value in enumerate(found, 1) if value <= rate * rank / len(searched)]
    level = max(kept, default=rate / max(1, len(searched)))
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


def noisy(history: History) -> list[list[float]]:
    """Logarithms of speed and memory: what can be compared with each other, so for each version of a benchmark."""
    return [
        _logarithms(_usable(points, series.kind))
        for series in history.series.values()
        if series.kind is not None and series.kind not in EXACT
        for points in series.versions.values()
    ]


def findable(history: History, rate: float) -> tuple[float, float] | None:
    """Noise of the usual series of speed or memory, and the factor by which it changes if that is found.

    Args:
        history: the series.
        rate: of false accusations for all of them together; the answer is for one that alone did change.

    Returns:
        Medians over the series: of the standard deviation of the noise, relative; and of the factor that is found with
        a chance of `POWER` if it comes halfway. None where no series is long enough for any.
    """
    logarithms = noisy(history)
    each = min(rate / max(1, len(logarithms)), RATE)
    scales = [(steps.noise(values), len(values)) for values in logarithms if len(values) >= steps.fewest(each)]
    if not scales:
        return None
    factors = [math.exp(steps.findable(scale, n // 2, n - n // 2, each, math.log(SMALLEST))) for scale, n in scales]
    return statistics.median(scale for scale, _ in scales), statistics.median(factors)


def longest(history: History) -> int:
    """How many values the longest series of speed or memory has that can be compared with each other."""
    return max(map(len, noisy(history)), default=0)


def unjudged(history: History) -> tuple[str, ...]:
    """Series in which nothing is looked for, since neither name nor unit says which way is worse."""
    return tuple(name for name, series in history.series.items() if series.kind is None)


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
        edges = [jump.head, *(later.head for later in found[i + 1 :] if later.worse), len(values)]
        back = _back([rules.grows(before, value, kind, unit) for value in values], edges) if jump.worse else None
        yield Change(
            first=points[jump.base].commit + 1,
            last=points[jump.head].commit,
            before=before,
            after=after,
            ratio=rules.ratio(before, after, unit),
            worse=jump.worse,
            recovered=None if back is None else points[back].commit,
            text=_text(kind, jump.worse, before, after, unit),
        )


def _back(worse: Sequence[bool], edges: Sequence[int]) -> int | None:
    """From where on the values are as good as before a loss, up to the next loss: what ends as bad is not made good.

    Args:
        worse: of each value, whether it is worse than that before the loss.
        edges: indices of the loss, of the losses after it, and of the end.
    """
    for start, stop in itertools.pairwise(edges):
        if not worse[stop - 1]:
            return next(i for i in range(stop - 1, start - 1, -1) if i == start or worse[i - 1])
    return None


def _noisy(series: Series, points: Sequence[Point], rate: float) -> Iterator[Change]:
    assert series.kind is not None  # noqa: S101 -- as asked by the caller
    sign = -1 if series.kind is Kind.RATE else 1
    values = [sign * value for value in _logarithms(points)]
    found = steps.steps(values, rate, math.log(SMALLEST))
    confounded = in_order(points)
    for i, step in enumerate(found):
        worse = step.after > step.before
        back = _recovered(values, found, i, rate) if worse else None
        before, after = math.exp(sign * step.before), math.exp(sign * step.after)
        change = Change(
            first=points[step.first - 1].commit + 1,
            last=points[step.last].commit,
            before=before,
            after=after,
            ratio=after / before,
            worse=worse,
            recovered=None if back is None else points[found[back].last].commit,
            text=_text(series.kind, worse, before, after, series.unit),
        )
        yield _unsure(change) if confounded else change


def _recovered(values: Sequence[float], found: Sequence[Step], which: int, rate: float) -> int | None:
    """The step that made a loss good: its level is what it was before the loss, as far as the noise can tell.

    What is left of the loss is told if it is `SMALLEST`, and a rank test (Mann & Whitney 1947) finds the one level
    above the other at the rate of false accusations. Half of a loss is left whatever the noise may hide.

    Args:
        values: the series, as logarithms of what is better if it is lower.
        found: its steps.
        which: index of the loss.
        rate: the rate.

    Returns:
        Index of the step, None where there is none.
    """
    from scipy.stats import mannwhitneyu  # noqa: PLC0415 -- takes a second, and is seldom needed

    edges = [0, *(step.at for step in found), len(values)]
    levels = [values[start:stop] for start, stop in itertools.pairwise(edges)]
    before = levels[which]
    size = statistics.median(levels[which + 1]) - statistics.median(before)
    for back in range(which + 1, len(found)):
        after = levels[back + 1]
        left = statistics.median(after) - statistics.median(before)
        if left < size / 2 and (
            left < math.log(SMALLEST) or mannwhitneyu(after, before, alternative="greater").pvalue > rate
        ):
            return back
    return None


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
