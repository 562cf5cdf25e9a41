"""Error metrics that are defined everywhere: at zero, at infinity, and at NaN (which is never right)."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def norm(values: Array, weights: Array | None = None) -> Array:
    """Euclidean norm over the last axis, with optional diagonal weights; inf where any entry is not finite.

    The largest entry is taken out first (as a power of two), so neither 1e-200 nor 1e200 is squared.
    """
    scaled = values if weights is None else values * weights
    with np.errstate(all="ignore"):
        magnitude = np.abs(scaled)
        finite = np.isfinite(magnitude).all(axis=-1)
        _, exponent = np.frexp(magnitude.max(axis=-1, initial=0.0))
        small = np.ldexp(magnitude, -exponent[..., None])
        result = np.ldexp(np.sqrt((small * small).sum(axis=-1)), exponent)
    return np.where(finite, result, np.inf)


def ratio(error: Array, bound: Array) -> Array:
    """Error ÷ bound elementwise: 0/0 is 0 (an exact answer where none but the exact one will do), x/0 is inf.

    NaN errors count as infinite: what is not a number is not within any bound.
    """
    magnitude = np.abs(error)
    with np.errstate(all="ignore"):
        quotient: Array = np.where(magnitude == 0, 0.0, magnitude / bound)
    return np.where(np.isnan(quotient), np.inf, quotient)


def worst_index(ratios: Array) -> tuple[int, ...]:
    """Index of the largest ratio (the first one if several)."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(ratios)), ratios.shape))
