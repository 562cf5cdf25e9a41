"""Steps in a noisy series: where its level changed, tested against the same values in random orders.

The method is circular binary segmentation (Olshen, Venkatraman, Lucito & Wigler 2004, Biostatistics 5:557): the stretch
of the series, or the end of it, whose mean stands out most is compared with what stands out most when the same values
come in random orders. That needs no model of the noise, only that without a change every order of the values is as
likely as any other; measuring the commits in random order makes it so, whatever the machine does meanwhile. What stands
out splits the series, and each part is searched again.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

SHORTEST: Final = 3
"""Values of a level at least: one or two may be outliers."""

CLIP: Final = 5.0
"""Values further from the median than this many standard deviations of the noise count as that far: an outlier is one
value, however large, and two levels remain two."""

LEAST_SCALE: Final = 1e-3
"""Noise that is assumed at least, relative: clocks and page sizes are coarse, and steps below it do not matter."""

DOUBT: Final = 0.003
"""Chance left that the step lies outside the range it is said to lie in, if the noise is as it looks."""

DEGREES: Final = 3
"""Degrees of freedom of the Student distribution by which the place of a step is judged: outliers pull little."""

POWER: Final = 0.95
"""Chance with which a step of the size that `findable` names is found."""

RESOLUTION: Final = 8
"""Random orders over the inverse of the rate: how finely a chance near it is told."""

FIRST_LOOK: Final = 200
"""Random orders after which a series that is plainly quiet is left; again after ten times as many."""

BATCH: Final = 250
"""Random orders at a time, so that they stay in the processor's cache."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A change of level.

    Attributes:
        at: index of the first value of the new level.
        first: the smallest index at which it may be, with `DOUBT`.
        last: the largest.
        before: median of the level before, as a logarithm.
        after: median of the level after, as a logarithm.
    """

    at: int
    first: int
    last: int
    before: float
    after: float


def chance(values: Sequence[float], quiet: float, sure: float) -> float:
    """How often a random order of the values has a stretch, or an end, that stands out as much as it does in theirs.

    Args:
        values: the series, as logarithms.
        quiet: above it, the answer may be rough.
        sure: the smallest that matters.
    """
    return _test(np.asarray(values, dtype=float), quiet, sure).chance


def steps(values: Sequence[float], rate: float, smallest: float) -> tuple[Step, ...]:
    """Changes of level.

    Args:
        values: the series, as logarithms.
        rate: chance that a series whose level never changed is said to have a step. The same holds for each stretch
            between two true steps.
        smallest: steps below it, as a logarithm, are not told.

    Returns:
        The steps, in order.
    """
    x = np.asarray(values, dtype=float)
    if not len(x):
        return ()
    bounds = [0, *sorted(set(_split(x, 0, rate))), len(x)]
    while doubtful := _doubtful(x, bounds, rate, smallest):
        bounds.remove(doubtful)
    placed: list[Step] = []
    for at, right in itertools.pairwise(bounds[1:]):
        placed.append(_placed(x, placed[-1].at if placed else 0, at, right))
    return tuple(placed)


def fewest(rate: float) -> int:
    """How many values a series has at least if any step in it can be told: of fewer, too many orders have one as large.

    Args:
        rate: as of `steps`.
    """
    n = 3 * SHORTEST
    while 2 * 2 / math.comb(n, n // 2) > rate:  # a half that is above the other, or below it, by either of two looks
        n += 1
    return n


def noise(values: Sequence[float]) -> float:
    """Standard deviation of the noise of a series, whatever steps are in it.

    Args:
        values: the series, as logarithms; two or more.
    """
    return _scale(np.asarray(values, dtype=float))


def findable(scale: float, before: int, after: int, rate: float, smallest: float) -> float:
    """How large a step is that is found with a chance of `POWER` or more, if the noise is Gaussian.

    The means of the two levels differ by a number whose standard error is known. Told is what exceeds the quantile of
    the rate, shared by the two looks, the two directions and all places (Bonferroni); in random orders the step itself
    adds to the noise, which raises the quantile as it does in Student's test. What is found is told only if the medians
    differ by the smallest step. As neighbouring places say nearly the same, a little less is found as well.

    Args:
        scale: standard deviation of the noise.
        before: values of the level before.
        after: values of the level after.
        rate: as of `steps`.
        smallest: as of `steps`.

    Returns:
        The size as a logarithm; infinite where a level has too few values.
    """
    normal, n = statistics.NormalDist(), before + after
    error, sure = scale * math.sqrt(1 / before + 1 / after), normal.inv_cdf(POWER)
    told = normal.inv_cdf(1 - rate / (2 * 2 * max(1, n - 2 * SHORTEST + 1)))
    if min(before, after) < SHORTEST or told**2 >= n:
        return math.inf
    median = math.sqrt(math.pi / 2)  # its standard error over that of the mean
    return max(error * (told / math.sqrt(1 - told**2 / n) + sure), smallest + error * median * sure)


def _split(x: Any, offset: int, rate: float) -> Iterator[int]:
    found = _test(x, rate, rate)
    if found.chance > rate:
        return
    cuts = [cut for cut in (found.start, found.stop) if 0 < cut < len(x)]
    yield from (offset + cut for cut in cuts)
    for a, b in zip([0, *cuts], [*cuts, len(x)], strict=True):
        yield from _split(x[a:b], offset + a, rate)


def _doubtful(x: Any, bounds: list[int], rate: float, smallest: float) -> int | None:
    """The cut that is to be taken back first: the smallest of those too small, else one that does not stand alone."""
    levels = [float(np.median(x[a:b])) for a, b in itertools.pairwise(bounds)]
    sizes = [abs(b - a) for a, b in itertools.pairwise(levels)]
    if sizes and min(sizes) < smallest:
        return bounds[1 + int(np.argmin(sizes))]
    if sizes:  # the two ends of a stretch were found together: each has to hold by itself
        alone = [_test(x[bounds[i] : bounds[i + 2]], rate, rate, inside=False).chance for i in range(len(sizes))]
        if max(alone) > rate:
            return bounds[1 + int(np.argmax(alone))]
    return None


@dataclass(frozen=True, kw_only=True)
class _Finding:
    """The stretch that stands out most, and how often chance alone has one that does so as much."""

    chance: float
    start: int
    stop: int


def _test(x: Any, quiet: float, sure: float, *, inside: bool = True) -> _Finding:
    """Test the ends, and the stretches inside.

    Args:
        x: the values.
        quiet: what is plainly above it is left after a few orders.
        sure: the chance to be told from smaller ones.
        inside: whether stretches inside are asked for.
    """
    n = len(x)
    if n < 2 * SHORTEST:
        return _Finding(chance=1.0, start=0, stop=n)
    y = _clipped(x)
    ask = (_ends, _inside) if inside and n >= 3 * SHORTEST else (_ends,)
    seen = [look(_sums(y[None, :])) for look in ask]
    # The same values in another place are a tie, and count: they are no less likely than what was found.
    least = [found[0][0] * (1 - 1e-9) for found in seen]
    generator = np.random.default_rng(n)
    exceeded, drawn = np.zeros(len(ask), dtype=int), 0
    enough = int(np.ceil(RESOLUTION * len(ask) / sure))
    for until in sorted({min(FIRST_LOOK, enough), min(10 * FIRST_LOOK, enough), enough}):
        while drawn < until:
            rows = min(BATCH, until - drawn)
            sums = _sums(generator.permuted(np.broadcast_to(y, (rows, n)), axis=1))
            for i, look in enumerate(ask):
                exceeded[i] += np.count_nonzero(look(sums)[0] >= least[i])
            drawn += rows
        chances = np.minimum(1.0, len(ask) * (1 + exceeded) / (1 + drawn))
        best = float(chances.min())
        if best - 4 * np.sqrt(len(ask) * best / drawn) > quiet:
            break
    which = int(chances.argmin())
    _, start, stop = seen[which]
    return _Finding(chance=best, start=int(start[0]), stop=int(stop[0]))


def _clipped(x: Any) -> Any:
    """Values around their mean, none further from the median than `CLIP` standard deviations of the noise."""
    y = x - np.median(x)
    limit = CLIP * _scale(x)
    y = np.clip(y, -limit, limit)
    return y - y.mean()


def _scale(x: Any) -> float:
    """Standard deviation of the noise, from differences of neighbours: steps do not enter, nor do a few outliers."""
    return max(float(np.median(np.abs(np.diff(x)))) * 1.4826 / np.sqrt(2), LEAST_SCALE)


def _sums(rows: Any) -> Any:
    """Sums up to each place; of all values it is 0, since their mean is."""
    sums = np.zeros((len(rows), rows.shape[1] + 1))
    np.cumsum(rows, axis=1, out=sums[:, 1:])
    return sums


def _ends(sums: Any) -> tuple[Any, Any, Any]:
    """For each row, how much the end that stands out most does so, where it starts, and where it stops."""
    n = sums.shape[1] - 1
    cuts = np.arange(SHORTEST, n - SHORTEST + 1)
    found = np.abs(sums[:, SHORTEST : n - SHORTEST + 1]) / np.sqrt(cuts * (1 - cuts / n))
    starts = SHORTEST + found.argmax(axis=1)
    return found.max(axis=1), starts, np.full(len(starts), n)


def _inside(sums: Any) -> tuple[Any, Any, Any]:
    """The same for stretches inside, of some lengths: each is at most 15 % off one of them."""
    n = sums.shape[1] - 1
    best = np.full(len(sums), -1.0)
    start, stop = np.zeros(len(sums), dtype=int), np.full(len(sums), n)
    length = SHORTEST
    while length <= n - 2 * SHORTEST:
        stretches = sums[:, SHORTEST + length : n - SHORTEST + 1] - sums[:, SHORTEST : n - SHORTEST - length + 1]
        found = np.abs(stretches)
        places = found.argmax(axis=1)
        standing = found[np.arange(len(found)), places] / np.sqrt(length * (1 - length / n))
        better = standing > best
        best = np.where(better, standing, best)
        start = np.where(better, SHORTEST + places, start)
        stop = np.where(better, SHORTEST + places + length, stop)
        length = max(length + 1, round(1.3 * length))
    return best, start, stop


def _placed(x: Any, left: int, at: int, right: int) -> Step:
    """A step between two levels, with the places at which it may be."""
    before, after = float(np.median(x[left:at])), float(np.median(x[at:right]))
    residuals = np.concatenate([x[left:at] - before, x[at:right] - after])
    scale = max(float(np.median(np.abs(residuals))) * 1.4826, LEAST_SCALE)
    # How much likelier each value is at the level before than at the one after; summed up to a place, it tells how
    # likely the step is to be there.
    gains = _log_density((x[left:right] - before) / scale) - _log_density((x[left:right] - after) / scale)
    likelihood = np.cumsum(gains)[: right - left - 1]
    weights = np.exp(likelihood - likelihood.max())
    weights /= weights.sum()
    best = int(weights.argmax())
    low = high = best
    while weights[low : high + 1].sum() < 1 - DOUBT:
        down = weights[low - 1] if low > 0 else -1.0
        up = weights[high + 1] if high + 1 < len(weights) else -1.0
        low, high = (low - 1, high) if down >= up else (low, high + 1)
    first, last = left + 1 + low, left + 1 + high
    return Step(at=left + 1 + best, first=first, last=last, before=before, after=after)


def _log_density(z: Any) -> Any:
    return -0.5 * (DEGREES + 1) * np.log1p(z * z / DEGREES)
