"""Where floats and exact numbers meet: float -> mpf exactly, mpf -> float once. Nothing else converts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Exact:
    """An array of exact numbers, kept as the unevaluated sum ``high + low`` of two float64.

    ``high`` is the exact value rounded once, ``low`` what that rounding lost, so that
    ``(x - high) - low`` is the error of a float ``x`` to full relative accuracy: the first
    difference is exact when ``x`` is close (Sterbenz), and otherwise its rounding is far below the error itself.
    """

    high: Array
    low: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(self.high.shape)

    def __getitem__(self, index: Any) -> Exact:
        return Exact(self.high[index], self.low[index])

    def error(self, computed: Array) -> Array:
        """Signed error ``computed - exact`` as float64; NaN and inf in ``computed`` stay visible."""
        with np.errstate(all="ignore"):
            difference: Array = np.asarray(computed, dtype=np.float64) - self.high
            return difference - self.low

    def scaled(self, exponent: int) -> Exact:
        """The same numbers times ``2**exponent``."""
        return Exact(np.ldexp(self.high, exponent), np.ldexp(self.low, exponent))


def to_exact(rows: Sequence[Any] | Iterable[Any], shape: tuple[int, ...]) -> Exact:
    """Numbers of the reference (nested or flat) as an `Exact` array of the given shape.

    Numbers beyond the range of float64 become inf in ``high``: a comparison with them is refused by the bound.
    """
    flat: list[Any] = []
    _flatten(rows, flat)
    high = np.empty(len(flat))
    low = np.empty(len(flat))
    with mpmath.workprec(400):
        for index, value in enumerate(flat):
            rounded = float(value)
            high[index] = rounded
            low[index] = float(value - mpmath.mpf(rounded)) if np.isfinite(rounded) else 0.0
    return Exact(high.reshape(shape), low.reshape(shape))


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
