"""How well polynomials approximate: Jackson's theorems with their constants, and what a piecewise signal adds."""

from __future__ import annotations

import math
from collections.abc import Sequence


def jackson(order: int, window: float, derivatives: Sequence[float]) -> float:
    """Bound on the distance of a signal to polynomials of degree below N, in any probability measure on the window.

    The smallest over k < N of ``(pi/2)^k (window/2)^k M_k / (N (N-1) ... (N-k+1))``: the uniform distance on an
    interval of half-length ``window/2``, which bounds that in the mean. Jackson's theorems I and III, in the form of
    Cheney, Introduction to Approximation Theory, ch. 4, sec. 6; k = 1 is ``pi Lip t/(4 N)``.

    Args:
        order: N.
        window: length of the window.
        derivatives: bounds M_1 (the Lipschitz constant), M_2, ... on the derivatives, as many as the signal has; M_k is
            a Lipschitz constant of the derivative before, which may have corners.
    """
    best, factor = math.inf, 1.0
    for k, largest in enumerate(derivatives, 1):
        if k > 1 and k >= order:
            break
        factor *= math.pi / 2 * window / 2 / (order - k + 1)
        best = min(best, factor * largest)
    return best


def trigonometric(order: int, window: float, derivatives: Sequence[float]) -> float:
    """The same for a signal that is periodic on the window and the Fourier basis of the first N functions.

    ``(pi/2) (window/(2 pi (m+1)))^k M_k`` with m complete pairs of harmonics: Favard's constants are at most pi/2
    (Cheney, ch. 4, sec. 6, Jackson's theorem II).
    """
    pairs = (order - 1) // 2
    step = window / (2 * math.pi * (pairs + 1))
    return min((math.pi / 2 * step**k * largest for k, largest in enumerate(derivatives, 1)), default=math.inf)


def held_distance(slope: float, spacing: float, size: float, unit: float) -> float:
    """Largest distance of a signal to the one that a rule holds for it.

    Constant on cells from their middles, or linear between nodes: at most half a step away from a sample, and on a line
    no further (``2 Lip s (d - s)/d <= Lip d/2``). Samples are rounded once.

    Args:
        slope: Lipschitz constant.
        spacing: of the samples.
        size: largest value.
        unit: unit roundoff of the samples.
    """
    return slope * spacing / 2 + unit * size
