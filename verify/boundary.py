"""Where floats and exact numbers meet: float -> mpf exactly, mpf -> float once. Nothing else converts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import mpmath
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Exact:
    """An array of exact numbers, kept as the unevaluated sum ``high + low`` of two float64, and how far off it may be.

    ``high`` is the exact value rounded once, ``low`` what that rounding lost, so that
    ``(x - high) - low`` is the error of a float ``x`` to full relative accuracy: the first
    difference is exact when ``x`` is close (Sterbenz), and otherwise its rounding is far below the error itself.

    Attributes:
        high: the numbers, rounded.
        low: what the rounding lost, rounded.
        radius: upper bound on what both together are off by; 0 for numbers that are floats themselves.
    """

    high: Array
    low: Array
    radius: Array = field(default_factory=lambda: np.zeros(()))

    def __post_init__(self) -> None:
        """A radius for each number."""
        object.__setattr__(self, "radius", np.broadcast_to(self.radius, self.high.shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(self.high.shape)

    def __getitem__(self, index: Any) -> Exact:
        return Exact(self.high[index], self.low[index], self.radius[index])

    def error(self, computed: Array) -> Array:
        """Signed error ``computed - exact`` as float64; NaN and inf in ``computed`` stay visible."""
        with np.errstate(all="ignore"):
            difference: Array = np.asarray(computed, dtype=np.float64) - self.high
            return difference - self.low

    def scaled(self, exponent: int) -> Exact:
        """The same numbers times ``2**exponent``."""
        radius = np.ldexp(self.radius, exponent)
        return Exact(np.ldexp(self.high, exponent), np.ldexp(self.low, exponent), radius)


def to_exact(rows: Sequence[Any] | Iterable[Any], shape: tuple[int, ...], digits: int, floor: float = 0.0) -> Exact:
    """Numbers of the reference (nested or flat) as an `Exact` array of the given shape.

    Numbers beyond the range of float64 become inf in ``high``: a comparison with them is refused by the bound.

    Args:
        rows: mpf.
        shape: of the array.
        digits: digits to which the reference settled them, relative to the largest of each row (last axis).
        floor: size of what they were made from; a row below ``2^-32`` of it is known relative to that.
    """
    flat: list[Any] = []
    _flatten(rows, flat)
    with mpmath.workprec(400):
        unit = mpmath.mpf(10) ** -digits
        width = max(shape[-1], 1) if shape else 1
        least = mpmath.ldexp(mpmath.mpf(floor), -32)
        sizes = [max([least, *map(abs, flat[k : k + width])]) for k in range(0, len(flat), width)]
        return _pairs(flat, [unit * sizes[k // width] for k in range(len(flat))], shape)


def from_balls(rows: Sequence[Any] | Iterable[Any], shape: tuple[int, ...]) -> Exact:
    """Certified balls (nested or flat) as an `Exact` array of the given shape; their radii are kept."""
    flat: list[Any] = []
    _flatten(rows, flat)
    parts = [[_mpf(part) for part in (ball.mid(), ball.rad())] for ball in flat]
    with mpmath.workprec(400):
        return _pairs([middle for middle, _ in parts], [radius for _, radius in parts], shape)


def _mpf(dyadic: Any) -> Any:
    """An exact ball as mpf, nothing lost."""
    mantissa, exponent = dyadic.man_exp()
    return mpmath.mp.make_mpf(mpmath.libmp.from_man_exp(int(mantissa), int(exponent)))


def _pairs(values: Sequence[Any], radii: Sequence[Any], shape: tuple[int, ...]) -> Exact:
    high, low, spread = (np.zeros(len(values)) for _ in range(3))
    for index, (value, radius) in enumerate(zip(values, radii, strict=True)):
        high[index] = rounded = float(value)
        if np.isfinite(rounded):
            rest = value - mpmath.mpf(rounded)
            low[index] = lost = float(rest)
            unknown = radius + abs(rest - lost)
            spread[index] = np.nextafter(float(unknown), np.inf) if unknown else 0.0
    return Exact(high.reshape(shape), low.reshape(shape), spread.reshape(shape))


def _flatten(values: Any, out: list[Any]) -> None:
    for value in values:
        if isinstance(value, list | tuple):
            _flatten(value, out)
        else:
            out.append(value)


def to_mpf(exact: Exact) -> list[Any]:
    """The numbers of a one-dimensional `Exact` array as mpf, nothing lost."""
    with mpmath.workprec(400):
        pairs = zip(exact.high.tolist(), exact.low.tolist(), strict=True)
        return [mpmath.mpf(high) + mpmath.mpf(low) for high, low in pairs]
