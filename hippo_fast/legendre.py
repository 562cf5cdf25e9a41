"""Shifted Legendre polynomials ``P_n(2 y - 1)`` on ``0 <= y <= 1``: values, and stretching of an expansion.

Normalisation: ``P_n(1) = 1``. The polynomials ``s_n P_n(2 y - 1)`` with ``s_n = sqrt(2 n + 1)`` are orthonormal on
``[0, 1]``. Recurrence, with ``x = 2 y - 1``: ``(n + 1) P_{n+1} = (2 n + 1) x P_n - n P_{n-1}``.
"""

from __future__ import annotations

import numpy as np

from hippo_fast.types import Float64Array


def legendre_scale(order: int) -> Float64Array:
    """Return ``s_n = sqrt(2 n + 1)``, shape ``(N,)``, each correctly rounded."""
    scale: Float64Array = np.sqrt(2.0 * np.arange(order) + 1.0)
    return scale


def legendre_values(order: int, points: Float64Array) -> Float64Array:
    """Return ``P_n(2 y - 1)`` at ``points`` ``(...,)``, shape ``(..., N)``, by the three-term recurrence."""
    x = 2.0 * points - 1.0
    values = np.empty((*points.shape, order))
    values[..., 0] = 1.0
    if order > 1:
        values[..., 1] = x
    for n in range(1, order - 1):
        values[..., n + 1] = ((2 * n + 1) * x * values[..., n] - n * values[..., n - 1]) / (n + 1)
    return values


def stretch_increments(ratio: Float64Array, gap: Float64Array, order: int) -> Float64Array:
    """Return the matrices ``G`` with ``(1 / ratio)^A = S (I + gap G) S^-1``, for LegS ``A`` and ``S = diag(s_n)``.

    A history on ``[0, t]`` followed by zero on ``[t, t']`` is projected on ``[0, t']`` by ``(t'/t)^A``, so row ``n``
    of ``I + gap G`` holds ``ratio`` times the Legendre coefficients of ``P_n(2 ratio z - 1)``. Those rows obey the
    three-term recurrence with a tridiagonal multiplication by ``z``. All values stay bounded because ``2 ratio z - 1``
    stays inside ``[-1, 1]``, where the recurrence is stable. The difference from the identity, divided by ``gap``, is
    what is recurred: nothing cancels as ``ratio`` tends to one.

    Args:
        ratio: ``(K,)``, ``t / t'`` in ``[0, 1)``.
        gap: ``(K,)``, ``1 - ratio``, given apart so that it can be accurate to rounding when it is small.
        order: ``N``.

    Returns:
        ``(K, N, N)``, lower triangular. ``O(N^2)`` operations for each of the K matrices.
    """
    rows = np.zeros((ratio.size, order, order))
    index = np.arange(order, dtype=np.float64)
    raised = (index + 1.0) / (2.0 * index + 1.0)  # weight of P_{k+1} in x P_k
    lowered = index / (2.0 * index + 1.0)  # weight of P_{k-1} in x P_k
    rho, eps = ratio[:, None], gap[:, None]
    for n in range(order - 1):
        row, target = rows[:, n, : n + 1], rows[:, n + 1, : n + 2]
        target[:, 1:] = row * raised[: n + 1]
        target[:, :n] += row[:, 1:] * lowered[1 : n + 1]
        target *= rho
        target[:, : n + 1] -= eps * row
        target *= 2 * n + 1
        if n > 0:
            target[:, :n] -= n * rows[:, n - 1, :n]
            target[:, n - 1] -= n
        target[:, n] -= 2 * n + 1
        target[:, n + 1] -= n + 1
        target /= n + 1
    rows *= ratio[:, None, None]
    rows[:, np.arange(order), np.arange(order)] -= 1.0
    return rows


def linear_piece_weights(ratio: Float64Array, gap: Float64Array, order: int) -> Float64Array:
    """Return the weights of a ramp that rises from 0 to 1 on ``[ratio, 1]``: its inner products with ``P_n(2 y - 1)``.

    ``gap int_0^1 s P_n(2 (ratio + gap s) - 1) ds``, by a Gauss rule that is exact for the degree, so the weights are
    small numbers known to rounding of their own size, not differences of large ones.

    Args:
        ratio: ``(K,)``, where the ramp starts, in ``[0, 1)``.
        gap: ``(K,)``, ``1 - ratio``.
        order: ``N``.

    Returns:
        ``(K, N)``.
    """
    nodes, weights = np.polynomial.legendre.leggauss(order // 2 + 1)
    share = 0.5 * (nodes + 1.0)
    values = legendre_values(order, ratio[:, None] + gap[:, None] * share)
    integral: Float64Array = np.einsum("kqn,q->kn", values, 0.5 * weights * share)
    return gap[:, None] * integral
