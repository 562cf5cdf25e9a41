"""How finely a target computes: seen in its answers alone, without knowing what it should answer.

Two signs, either of which shows an arithmetic coarser than float64. *Grain*: numbers of p significant bits, all of
them, came out of a format of p bits. *Linearity*: ``f(x + y) - f(x) - f(y)`` is 0 for every linear f, so what is left
of it is the rounding inside, accumulated as it is in the answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

SIGNIFICANT = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}
"""Significant bits of each format; tf32 has the 11 of float16 and the range of float32."""
TRIVIAL = 6
"""Numbers of so few bits look alike in every format."""


def bits(values: Array) -> int:
    """Significant bits that the longest of some numbers needs; 0 for zeros alone."""
    mantissa, _ = np.frexp(values[np.isfinite(values) & (values != 0)].astype(float))
    if not mantissa.size:
        return 0
    whole = np.abs(mantissa * 2.0**53).astype(np.int64)
    trailing = np.log2((whole & -whole).astype(float)).astype(int)
    return int(53 - trailing.min())


def grain(values: Array) -> str:
    """The coarsest format that holds some numbers; "" where they are too simple to tell."""
    needed = bits(values)
    if needed <= TRIVIAL:
        return ""
    return next(name for name, most in SIGNIFICANT.items() if needed <= most)


def roundoff(values: Array) -> float:
    """Unit roundoff of the coarsest format that holds some numbers; that of float64 where they do not tell."""
    name = grain(values)
    return float(2.0 ** -SIGNIFICANT[name]) if name else 2.0**-53


def irregular(count: int, seed: int = 0) -> Array:
    """(count,) numbers between -1 and 1, fixed, all bits of which are in use."""
    i = np.arange(count, dtype=float)
    return np.sin(1.0 + 0.7 * seed + (1.7 + 0.1 * seed) * i + 0.31 * i * i)


def nonlinear(first: Array, second: Array, both: Array) -> float:
    """What is left of ``f(x + y) - f(x) - f(y)``, relative to the largest entry of each column of the answers."""
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(first), np.abs(second)).max(axis=0)
        rest = np.abs(both - first - second).max(axis=0) / np.where(size == 0, 1.0, size)
    return float(np.where(np.isnan(rest), np.inf, rest).max())
