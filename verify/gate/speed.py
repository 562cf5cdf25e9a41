"""Speed: how much more head costs than base, by tests whose rates hold without a law of the noise.

**Sides measured in pairs.** Round i gives ``d_i = log(head_i / base_i)``; what both suffered cancels. On identical
builds d_i is ``s_i |d_i|`` with a fair coin s_i, because the order inside a pair was drawn at random: whatever the
noise is, heavy-tailed, drifting or correlated from round to round, each of the 2^n patterns of signs was as likely as
the one that was seen. The test counts those whose sum of scores is at least as large. Its p is exact, hence at most the
stated rate. Scores may be any function of all |d_i|: Welsch's redescending one, ``x exp(-(x / 1.3)^2 / 2)`` with x in
units of the median of |d|, lets a round that another program spoilt weigh next to nothing.

**Limits** are order statistics of d: ``d_(k+1)`` lies above the median shift with the chance that at most k of n fair
coins show heads: the drawn order decides which d lie above a constant shift. k is the largest whose chance is at most
`BEYOND`.

**Looks.** A benchmark whose upper limit rules out what must not be missed, and whose estimate is too small to matter,
is done after 8 or 12 rounds: such an exit can take an alarm away, never add one, so the test after the last planned
round keeps its rate. What is neither an alarm nor ruled out by then gets further rounds and a second test; the rate is
split between the two, `FIRST` and the rest (Bonferroni). Each look may miss with `BEYOND`: what is slower by `detect`
is called the same with a chance of at most ``4 BEYOND``, whatever the noise.

**Sides measured apart** share no pairs, and nothing makes them exchangeable but that the machine stayed as it was. They
are compared by Mann and Whitney's test and by limits of both medians, all of it moved by `drift`, the factor by which
a machine is allowed to have changed meanwhile: an assumption, to be had from A/A runs, where the pairs need none.

Sources: Fisher, The Design of Experiments, section 21 (randomisation of pairs); David and Nagaraja, Order Statistics,
section 7.1 (limits of quantiles); Dennis and Welsch 1978 (the score); Holm 1979 (families).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from scipy import stats

Array = np.ndarray[Any, np.dtype[Any]]

EXACT: Final = 32
"""Rounds whose 2^n patterns are counted. More are joined into as many blocks of consecutive ones; so are the values of
a side measured apart, where calls in one process are not independent."""
LOOKS: Final = (8, 12)
"""Rounds after which a benchmark may be done early; fewer than 8 can decide nothing."""
BEYOND: Final = 0.004
"""Chance that a limit fails at a look, each: the largest of 8 rounds, or the third largest of 16."""
LEAST_APART: Final = 9
"""Values of each side measured apart that limits need."""
FIRST: Final = 0.95
"""Share of the rate that the test after the planned rounds has; the rest is for the one after the further rounds, whose
p can be so small that it needs little."""
WIDTH: Final = 1.3
"""Of Welsch's score, in medians of |d|: narrower loses power where noise is normal, wider where rounds are spoilt."""


@dataclass(frozen=True)
class Shift:
    """How many times more head costs than base, as a ratio of medians.

    Attributes:
        ratio: the estimate.
        low: lower limit.
        high: upper limit; inf where there are too few rounds for one.
        slower_p: chance that identical builds look as slow as this, or slower.
        faster_p: chance that they look as fast, or faster.
        rounds: pairs, or values of the smaller side.
    """

    ratio: float
    low: float
    high: float
    slower_p: float
    faster_p: float
    rounds: int


def in_pairs(base: Sequence[float], head: Sequence[float], planned: int, extra: int) -> Shift:
    """The shift between positive costs of rounds that ran side by side, ``extra`` ones more than planned at most."""
    differences = np.log(np.array(head)) - np.log(np.array(base))
    slower, faster = sign_flips(differences[:planned])
    if extra:
        slower, faster = slower / FIRST, faster / FIRST
    if len(differences) > planned and extra:
        again = (chance / (1 - FIRST) for chance in sign_flips(differences))
        slower, faster = (min(pair) for pair in zip((slower, faster), again, strict=True))
    low, high = median_limits(differences)
    return Shift(
        _exp(np.median(differences)), _exp(low), _exp(high), min(1.0, slower), min(1.0, faster), len(differences)
    )  # fmt: skip


def apart(base: Sequence[float], head: Sequence[float], drift: float) -> Shift:
    """The shift between positive costs that were measured at different times, widened by a drift."""
    before, after = (_blocks(np.log(np.array(values)), EXACT, np.median) for values in (base, head))
    (low, high), (lowest, highest) = (median_limits(values, BEYOND / 2) for values in (before, after))
    moved = math.log(drift)
    return Shift(
        _exp(np.median(after) - np.median(before)),
        _exp(lowest - high - moved),
        _exp(highest - low + moved),
        _larger(after - moved, before),
        _larger(before - moved, after),
        min(len(before), len(after)),
    )


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


def _blocks(values: Array, most: int, join: Any) -> Array:
    """At most ``most`` values: those given, or a summary of each of as many blocks of consecutive ones."""
    return values if len(values) <= most else np.array([join(block) for block in np.array_split(values, most)])


def _sums(sizes: Array) -> Array:
    """Sums of sizes under every pattern of signs, in order."""
    sums = np.zeros(1)
    for size in sizes:
        sums = np.sort(np.concatenate([sums - size, sums + size]), kind="stable")  # merges what is in order
    return sums


def scores(differences: Array) -> Array:
    """Welsch's score of each difference, in units of the median size."""
    sizes = np.abs(differences)
    scale = np.median(sizes, axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = np.where(sizes == 0, 0.0, differences / scale)
        return np.where(np.isfinite(x), x * np.exp(-0.5 * (x / WIDTH) ** 2), 0.0)


def sign_flips(differences: Array) -> tuple[float, float]:
    """Chances that fair signs give a sum of scores at least as large, and at least as small, as the signs seen."""
    if not len(differences):
        return 1.0, 1.0
    seen = scores(_blocks(differences, EXACT, np.mean))
    sizes, total, half = np.abs(seen), float(seen.sum()), len(seen) // 2
    slack = 1e-9 * float(sizes.sum())  # equal sums, added up in another order, are equal
    # Every pattern is one of the first half with one of the second.
    some, others = _sums(sizes[:half]), _sums(sizes[half:])
    slower, faster = (
        1 - np.searchsorted(others, bound - slack - some).sum() / (len(some) * len(others)) for bound in (total, -total)
    )
    return float(slower), float(faster)


@lru_cache(maxsize=256)
def _dropped(rounds: int, miss: float) -> int:
    """Most k for which at most k of n fair coins show heads with a chance of ``miss`` or less; -1 if none."""
    least = int(stats.binom.ppf(miss, rounds, 0.5))
    return least - int(stats.binom.cdf(least, rounds, 0.5) > miss) if rounds else -1


def median_limits(values: Array, miss: float = BEYOND) -> tuple[float, float]:
    """Limits that the median lies beyond with a chance of at most ``miss`` on either side; infinite for too few."""
    dropped = _dropped(len(values), miss)
    if dropped < 0:
        return -math.inf, math.inf
    ordered = np.sort(values)
    return float(ordered[dropped]), float(ordered[-1 - dropped])


def _larger(values: Array, others: Array) -> float:
    """Mann and Whitney's p against ``values`` being the larger ones; exact where no two are equal."""
    if not (len(values) and len(others)):
        return 1.0
    together = np.concatenate([values, others])
    distinct = len(np.unique(together))
    if distinct == 1:
        return 1.0
    method = "exact" if distinct == len(together) else "asymptotic"
    return float(stats.mannwhitneyu(values, others, alternative="greater", method=method).pvalue)


def holm(chances: Sequence[float], family: int = 0) -> list[float]:
    """Holm's adjusted p of each: those below a rate are a family with that rate of any false alarm.

    Members of a larger ``family`` that are not given count as 1.
    """
    adjusted, largest, size = [1.0] * len(chances), 0.0, max(family, len(chances))
    for rank, index in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        largest = max(largest, min(1.0, (size - rank) * chances[index]))
        adjusted[index] = largest
    return adjusted


def rounds_needed(rate: float) -> int:
    """Fewest rounds after which a benchmark can be an alarm at a rate: ``2^-n`` is the smallest chance there is."""
    return max(LOOKS[0], math.ceil(-math.log2(FIRST * rate)))
