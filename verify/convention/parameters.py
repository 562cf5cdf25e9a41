"""Parameters of a measure that show through any diagonal scaling, as ratios in which the scaling cancels.

Given ``A' = s T A T^-1``, ``B' = s T B`` with T diagonal, ``T_0 = +-1`` and A, B those of a unit window, the scale s is
``1/theta``, or ``dt/theta`` in a step, or dt for a law without a window. It and the exponents come from the trace, from
products of entries along closed paths, and from ratios of B.

*LagT* has ``A_ij A_jk / A_ik = -1`` for ``i > j > k``, trace ``-N (1 + beta)/2`` and ``B_1 / (-A_10 B_0) = 1 + alpha``.

*Jacobi windows* are LegT in another basis, of polynomials p_n with ``p_0 = 1``: ``-A_nk = p_n(0) e_k + d_nk``, where d
(strictly lower) differentiates, ``p_n' = sum_k d_nk p_k``, and e closes the window; ``B_n = p_n(1)``. So row 0 gives e,
``A_nk / A_0k = p_n(0)`` for ``k >= n``, and two ratios give both exponents (DLMF 18.6.1, 18.9.15):
``(a+1)/(b+1) = -p_1(1)/p_1(0)`` and ``p_2''/p_2(0) = d_21 d_10 / p_2(0) = 2 (a+b+3)(a+b+4) / ((b+1)(b+2))``.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Parameters = tuple[tuple[str, float], ...]

SIMPLE = 10_000
"""Largest denominator of a parameter that a person writes, such as 0.01 or 1/3."""
CHANCE = 1e-3
"""How often a number drawn at random may pass for a simple fraction."""


def visible(A: Array, B: Array, measure: str, unit_scale: bool, tolerance: float) -> Iterator[tuple[float, Parameters]]:
    """Scales and further parameters that a pair may have under a measure.

    Args:
        A: (N, N) matrix.
        B: (N,) input column.
        measure: key.
        unit_scale: whether a law without a window must have the scale 1, as matrices have.
        tolerance: what a scale of 1 may be off by.
    """
    order, trace = len(B), float(np.trace(A))
    if not trace < 0:
        return
    n = np.arange(order)
    if measure in ("legs", "legs_lti"):
        scale = -2 * trace / (order * (order + 1))
        if not unit_scale:
            yield scale, ()
        elif abs(scale - 1) <= tolerance:
            yield 1.0, ()
    elif measure == "fout":
        boundary = np.where(n == 0, 1.0, np.where(n % 2 == 1, 2.0, 0.0))
        yield -trace / (2 * float(boundary.sum())), ()
    elif measure == "lagt":
        yield from _laguerre(A, B, trace, unit_scale, tolerance)
    else:
        scale = -trace / order**2
        if measure in ("gegenbauer", "jacobi"):
            yield from ((scale, found) for found in _exponents(A, B, scale, measure))
        else:
            yield scale, ()


def _laguerre(
    A: Array, B: Array, trace: float, unit_scale: bool, tolerance: float
) -> Iterator[tuple[float, Parameters]]:
    order = len(B)
    if order < 3 or A[1, 0] == 0 or B[0] == 0:
        return
    with np.errstate(all="ignore"):
        paths = [-A[i, j] * A[j, k] / A[i, k] for i in range(order) for j in range(i) for k in range(j)]
    scale = float(np.median(paths))
    if unit_scale and abs(scale - 1) <= tolerance:
        scale = 1.0
    if not (np.isfinite(scale) and scale > 0) or (unit_scale and scale != 1.0):
        return
    beta = -2 * trace / (order * scale) - 1
    alpha = float(B[1] / B[0] / -A[1, 0] * scale - 1)
    if beta > 0 and -1 < alpha < 1:
        yield scale, (("alpha", alpha), ("beta", beta))


def _exponents(A: Array, B: Array, scale: float, measure: str) -> Iterator[Parameters]:
    if len(B) < 3 or B[0] == 0:
        return
    with np.errstate(all="ignore"):
        ends = -A[0] / scale
        late = 2 + int(np.abs(A[0, 2:]).argmax())
        first, second = A[1, late] / A[0, late], A[2, late] / A[0, late]
        slopes = (-A[1, 0] / scale - first * ends[0]) * (-A[2, 1] / scale - second * ends[1])
        bend = float(slopes / second)
        skew = float(-B[1] / B[0] / first)
    if not (np.isfinite(bend) and np.isfinite(skew) and skew > 0):
        return
    if measure == "gegenbauer":
        if bend > 8:  # 16 (alpha+1)/(2 alpha+1)
            yield (("alpha", (16 - bend) / (2 * bend - 16)),)
        return
    total = 1 + skew  # (a+b+2)/(b+1)
    for root in np.roots([bend - 2 * total**2, bend - 6 * total, -4.0]):
        if abs(root.imag) <= 1e-9 * abs(root) and root.real > 0:
            b = float(root.real) - 1
            yield (("alpha", skew * (b + 1) - 1), ("beta", b))


def meant(value: float, tolerance: float, asked: float | None = None) -> float:
    """The parameter meant by a measured value: the one asked for, else a simple fraction, else the value itself.

    A simple fraction is taken only where a chance hit is unlikely: fractions of denominators up to q lie about
    ``3/q^2`` apart.

    Args:
        value: as measured.
        tolerance: what it may be off by, relatively.
        asked: value that is looked for.
    """
    size = max(abs(value), 1e-3) if abs(value) > 10 * tolerance else 10.0  # exponents of 0 are known to the tolerance
    if asked is not None and abs(asked - value) <= tolerance * size:
        return asked
    room = max(tolerance, 1e-13) * size
    largest = int(min((CHANCE / room) ** 0.5, SIMPLE))
    if largest < 1:
        return value
    simple = float(Fraction(value).limit_denominator(largest))
    return simple if abs(simple - value) <= room else value


def special(measure: str, parameters: Parameters, tolerance: float) -> bool:
    """Whether parameters make this another measure: Gegenbauer's 1/2 is LegT, equal exponents are Gegenbauer's."""
    given = dict(parameters)
    if measure == "gegenbauer":
        return abs(given["alpha"] - 0.5) <= tolerance
    return measure == "jacobi" and abs(given["alpha"] - given["beta"]) <= tolerance
