"""The weight and the polynomials of tilted windows, and what a read-out of them may lose.

ChebT, Gegenbauer and Jacobi windows rebuild a signal as ``w(y) sum_n c_n p_n(y)`` at the fraction y of the window, with
``w = factor (1-y)^a y^b`` and p_n orthonormal under w. The weight may be infinite at an end, so no value of the basis
bounds it on all of the window, and a limit is one of a point.

*Polynomials* of degree n lose ``n^2 u`` of ``max |p_n|`` in their recurrence, and as much from the rounding of the
point (see `reconstruction_limits`). The largest value comes from 2N Chebyshev nodes: a polynomial of degree n is
nowhere larger than its largest value at M > n of them, divided by ``cos(n pi/(2M))`` (Ehlich and Zeller 1964,
Schwankung von Polynomen zwischen Gitterpunkten).

*The weight* is a product of two powers. y and 1 - y may come from ``x = 2y - 1``, absolutely rounded four times: to
``4u/y`` and ``4u/(1-y)`` of themselves, which the powers multiply by b and a. A power as an exponential of a logarithm
loses that logarithm twice, once for the logarithm and once for the rounded exponent, and a few roundings more; the
factor is a quotient of gamma functions, which lose their logarithms.

*The exponents* are rounded to the target's precision. Factors such as 1 + a, of the recurrence and of the gamma
functions, lose ``u |a|/(1 + a)`` of themselves by that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used: a worker starts without them

from verify.bounds.base import EVALUATION, SMALLEST_NORMAL, Limits, gamma

Array = np.ndarray[Any, np.dtype[Any]]


def tilt(measure: str, parameters: Mapping[str, float]) -> tuple[float, float, float]:
    """Exponents (a, b) of the weight ``(1-y)^a y^b`` of a tilted window, y = 1 now, and the factor before it."""
    if measure == "chebt":  # p_n/sqrt(8 y (1-y))
        return -0.5, -0.5, math.sqrt(1 / 8)
    if measure == "gegenbauer":
        a = b = parameters["alpha"] - 0.5
    else:
        a, b = parameters["alpha"], parameters["beta"]
    return a, b, float(1 / scipy.special.beta(a + 1, b + 1))


def jacobi(a: float, b: float, order: int, x: Array) -> Array:
    """(P, N) polynomials orthonormal under ``(1-x)^a (1+x)^b`` on [-1, 1], scaled to mass 1: three-term recurrence."""
    values = np.ones((len(x), order), x.dtype)
    before, root = np.zeros(len(x), x.dtype), 0.0
    for n in range(order - 1):
        s = 2 * n + a + b
        # At n = 0 factors cancel that may both be zero.
        center = (b * b - a * a) / (s * (s + 2)) if n else (b - a) / (s + 2)
        spread = 4 * (n + 1) * (n + 1 + a) * (n + 1 + b) / ((s + 2) ** 2 * (s + 3))
        following = math.sqrt(spread * (n + 1 + a + b) / (s + 1) if n else spread)
        values[:, n + 1] = ((x - center) * values[:, n] - root * before) / following
        before, root = values[:, n], following
    return values


def tilted_limits(
    measure: str, parameters: Mapping[str, float], coefficients: Array, points: Array, dtype: str
) -> tuple[Limits, Array]:
    """Limits on each value rebuilt at points inside a tilted window, and the sizes of the sums they are made from.

    Args:
        measure: key of the measure.
        parameters: its parameters.
        coefficients: (N,) state.
        points: (P,) fractions of the window, neither 0 nor 1.
        dtype: arithmetic of the target.

    Returns:
        (P,) limits and (P,) sizes.
    """
    a, b, factor = tilt(measure, parameters)
    order = len(coefficients)
    degrees = np.arange(order)
    nodes = np.cos(np.pi * (np.arange(2 * order) + 0.5) / (2 * order))
    largest = np.abs(jacobi(a, b, order, nodes)).max(axis=0) / np.cos(degrees * np.pi / (4 * order))
    terms = largest * np.abs(coefficients)
    past, now = np.log(points), np.log1p(-points)
    exponents = 8 * (abs(a) / (1 + a) + abs(b) / (1 + b))
    factorials = sum(abs(math.lgamma(x)) for x in (a + 1, b + 1, a + b + 2))
    operations = 4 * abs(a) / (1 - points) + 4 * abs(b) / points + 2 * (abs(a) * np.abs(now) + abs(b) * np.abs(past))
    operations = operations + exponents + 8 * factorials + 32
    with np.errstate(over="ignore"):
        weight = factor * np.exp(a * now + b * past)
        loss = np.array([[gamma(8 * n * n + order + p, dtype) for n in degrees] for p in operations])
        forward = (weight * (loss @ terms) + SMALLEST_NORMAL[dtype] * order) * EVALUATION
        sizes = weight * terms.sum()
    source = "three-term recurrence (Barrio 2002) and rounding of the point and of the exponents, times the weight"
    return Limits(forward, forward * 4, source), sizes
