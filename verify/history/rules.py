"""Rules for what is exact: errors on frozen vectors, counts, and values that are missing. No statistics."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from verify.history.series import NOT_RUN, Point
from verify.kinds import Kind

GROWTH: Final = 1.5
"""An error this many times as large is a loss; so much smaller, a gain."""

BITS: Final = 1.0
"""So many bits more lost are a loss."""

BITS_UNIT: Final = "bits lost"
FLOORS: Final = {"error / bound": 2.0**-20, "relative error": 2.0**-53, "ulp": 0.5, "ulps": 0.5}
"""Unit -> the error below which none is told from another, as in the gate."""
SMALLEST: Final = 2.0**-1022

SLACK: Final = 1e-9
"""Relative; exactly a threshold is enough, however the decimals of a file were rounded."""


@dataclass(frozen=True, kw_only=True)
class Jump:
    """Two values between which a rule was broken, or kept again.

    Attributes:
        base: index of the last value that was still another.
        head: index of the first one for which the rule speaks.
        worse: whether it is a loss.
    """

    base: int
    head: int
    worse: bool


def grows(before: float, after: float, kind: Kind, unit: str) -> bool:
    """Whether a value is worse than another by as much as a rule says."""
    if kind is Kind.COUNT:
        return after < before
    if unit == BITS_UNIT:
        return after - before >= BITS * (1 - SLACK)
    floor = FLOORS.get(unit, SMALLEST)
    crossed = unit == "error / bound" and before <= 1 < after
    return after > before and (crossed or max(after, floor) >= GROWTH * max(before, floor) * (1 - SLACK))


def ratio(before: float, after: float, unit: str) -> float:
    """After over before; of bits, 2 to the power of the difference."""
    if unit == BITS_UNIT:
        return 2.0 ** min(after - before, 1000.0)
    if before == after:
        return 1.0
    return after / before if before else math.inf


def jumps(values: Sequence[float], kind: Kind, unit: str) -> Iterator[Jump]:
    """Where an error grew or shrank, or a count did, each value against all since the last time.

    Many small steps are found once they come to as much together; then the shortest run of them that does is named.

    Args:
        values: finite ones, in the order of commits.
        kind: ERROR or COUNT.
        unit: of the values.

    Yields:
        The jumps, in order.
    """
    start = 0
    for head in range(1, len(values)):
        for base in range(head - 1, start - 1, -1):
            worse = grows(values[base], values[head], kind, unit)
            if worse or grows(values[head], values[base], kind, unit):
                yield Jump(base=base, head=head, worse=worse)
                start = head
                break


def losses(points: Sequence[Point]) -> Iterator[tuple[Point, Point, Point | None]]:
    """Where a benchmark that had given numbers gave none: it failed, was skipped, or was not finite.

    Args:
        points: all of a series; those at which it was not run say nothing.

    Yields:
        The last point with a number, the first without one, and the next one with a number again.
    """
    last: Point | None = None
    lost: Point | None = None
    for point in points:
        if point.why == NOT_RUN:
            continue
        if point.finite:
            if last is not None and lost is not None:
                yield last, lost, point
            last, lost = point, None
        elif lost is None:
            lost = point
    if last is not None and lost is not None:
        yield last, lost, None
