"""Limits on entries of matrices, on residuals, and on read-outs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from verify.bounds.base import DISSIPATIVE, ROUNDOFF, SMALLEST_NORMAL, Limits, gamma

Array = np.ndarray[Any, np.dtype[Any]]

REFERENCE = 1e-40
"""Accuracy of exact coefficients relative to their norm: the oracle asks for 50 digits, quadrature included."""
ENTRY_OPERATIONS = 8
"""Rounding errors in an entry such as ``-sqrt(2n+1) sqrt(2k+1) / theta``: two roots, products, a quotient, a sum."""


def entry_limits(
    measure: str, parameters: Mapping[str, float], A: Array, B: Array, dtype: str
) -> tuple[Limits, Limits]:
    """Limits on every entry of A and B.

    Forward: each entry is evaluated from its formula with `ENTRY_OPERATIONS` roundings (LagT with alpha: the
    exponential of half a difference of log-gammas, whose absolute error scales with the log-gammas themselves).
    Backward: a unitary similarity, such as the eigendecomposition of the normal part, loses ``gamma_{8N}`` of the norm
    (LAPACK Users' Guide, 3rd ed., section 4.7, with ``p(n) = 8n``).

    Entries of the other measures are sums that cancel; theirs are judged by the backward limit alone.

    Returns:
        Limits of A (N, N) and of B (N,).
    """
    order = len(B)
    operations = np.full(order, float(ENTRY_OPERATIONS))
    alpha = parameters.get("alpha", 0.0)
    if measure == "lagt":
        for n in range(order):
            logs = abs(math.lgamma(n + alpha + 1)) + abs(math.lgamma(n + 1)) + abs(math.lgamma(1 - alpha))
            # n + alpha is rounded, and binom(n + alpha, n) vanishes at alpha = -1: n u / (1 + alpha).
            operations[n] += 4 * logs + (4 * n + n / (1 + alpha) if alpha != 0 else 0)
    u = ROUNDOFF[dtype]
    entries = (operations[:, None] + operations[None, :]) / 2 + (operations.max() - ENTRY_OPERATIONS)
    forward_A, forward_B = entries * u * np.abs(A), operations * 2 * u * np.abs(B)
    loss = gamma(8 * order, dtype)
    source = "entries evaluated from their formula (Higham 2002, lemma 3.1); LAPACK Users' Guide 4.7 for factored forms"
    if measure not in DISSIPATIVE:
        A_loss, B_loss = (np.full(part.shape, loss * np.linalg.norm(part)) for part in (A, B))
        return Limits(A_loss, A_loss, source), Limits(B_loss, B_loss, source)
    return (
        Limits(forward_A, np.maximum(forward_A, loss * np.linalg.norm(A)), source),
        Limits(forward_B, np.maximum(forward_B, loss * np.linalg.norm(B)), source),
    )


def residual_limits(entries: tuple[Limits, Limits], state: Array, sample: float, whole: float) -> Limits:
    """Limits on each entry of ``A c + B f - dc/dt``, whose sums are exact, from the limits of the entries.

    Args:
        entries: limits of A and of B, from `entry_limits`.
        state: (N,) exact coefficients.
        sample: exact ``f(t)``.
        whole: size of the sums, of which the exact data carry `REFERENCE`.
    """
    A, B = entries
    forward = A.forward @ np.abs(state) + B.forward * abs(sample) + REFERENCE * whole
    backward = A.backward @ np.abs(state) + B.backward * abs(sample) + REFERENCE * whole
    source = "limits of the entries of A and B, times the exact coefficients"
    return Limits(forward, np.maximum(forward, backward), source)


def reconstruction_limits(sizes: Array, coefficients: Array, dtype: str) -> Limits:
    """Limit on each reconstructed value ``sum_n c_n g_n(y)``.

    The recurrence of an orthogonal polynomial of degree n on its interval loses at most ``n^2 u`` of ``max |g_n|``, and
    so does the rounding of the point (Markov's inequality ``|P_n'| <= n^2``; Barrio 2002, Rounding error bounds for the
    Clenshaw and Forsythe algorithms). A trigonometric argument ``2 pi j y`` loses ``2 pi j u``: below the same bound.

    Args:
        sizes: (N,) largest ``|g_n|`` on the window.
        coefficients: (N,) state.
        dtype: arithmetic of the target.

    Returns:
        Limits that hold for each point.
    """
    n = range(len(coefficients))
    loss = np.array([gamma(8 * i * i + len(n) + 16, dtype) for i in n])
    value = np.asarray(float(np.dot(loss, sizes * np.abs(coefficients))) + SMALLEST_NORMAL[dtype] * len(n))
    source = "three-term recurrence on its interval (Barrio 2002) and rounding of the point (Markov's inequality)"
    return Limits(value, value * 4, source)


def state_rounding(sizes: Array, coefficients: Array, dtype: str) -> float:
    """What a reconstruction loses because its coefficients were rounded once to the target's precision."""
    return float(ROUNDOFF[dtype] * np.dot(sizes, np.abs(coefficients)))
