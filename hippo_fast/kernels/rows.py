"""LegS steps of one stream, row by row: the plainest form, and the witness of the fast ones.

With ``x' - x = d``, ``total`` T and ``implicit`` i (`PrefixSteps`), ``r_n = T/(1 + i (n + 1))`` and ``c = 2 i/T``,

    a = x_n + c d_{n-1};  s = x_n + (n-1) x_{n-1};  d_n = d_{n-1} - r_n (n a + s);  x'_n = x_n + d_n

starting from ``d_{-1} = (now u_k + before u_{k-1})/(1 + i)``. Every kernel of one stream performs these operations in
this order, with a fused multiply-add wherever a product is added, so that all of them give the same bits. Keeping the
change ``d`` rounds at the size of the change.

What bounds it is latency: three dependent operations for each row, 11 cycles.
"""

from __future__ import annotations

import numpy as np

from hippo_fast.kernels.simd import fma, jit
from hippo_fast.types import Float64Array, FloatArray


@jit
def even_scalars(
    k: float, implicit: float, explicit_at_start: bool, now: float, then: float
) -> tuple[float, float, float]:
    """Return ``d_{-1}``, ``c`` and ``rho`` of the even step that ends at time k and reads ``now`` after ``then``.

    ``r_n = rho/(k + implicit (n + 1))``. Each is one quotient in float64, to be rounded to the dtype of the state.
    """
    if explicit_at_start:
        start = (now + then * (k / (k - 1.0))) / (2.0 * k + 1.0)
        return start, 2.0 * (k - 1.0) / (2.0 * k - 1.0), (2.0 * k - 1.0) / (2.0 * (k - 1.0))
    return now / (k + implicit), 2.0 * implicit, 1.0


@jit
def uneven_scalars(total: float, implicit: float, now: float, then: float) -> tuple[float, float]:
    """Return ``d_{-1}`` and ``c`` of a step that reads ``now + then``, both weighted.

    As the even ones these are float64 numbers, to be rounded to the dtype of the state. A step of no time has c = 0.
    """
    return (now + then) / (1.0 + implicit), 2.0 * implicit / total if total != 0.0 else 0.0


@jit
def even_row_by_row(
    first: int, implicit: float, explicit_at_start: bool, state: FloatArray, samples: FloatArray, before: float
) -> None:
    """Take the steps of `EvenSteps` in place.

    Args:
        first: see `EvenSteps`.
        implicit: see `EvenSteps`.
        explicit_at_start: see `EvenSteps`.
        state: ``(N,)``, ``x = c/s_n`` in float32 or float64.
        samples: ``(K,)`` in the same dtype, with any stride.
        before: the sample before the first of them.
    """
    kind = state.dtype.type
    then = np.float64(kind(before))
    for j in range(samples.size):
        k, now = float(first + j), np.float64(samples[j])
        start, coefficient, factor = even_scalars(k, implicit, explicit_at_start, now, then)
        d, c, rho, w, then = kind(start), kind(coefficient), kind(factor), kind(0.0), now
        for n in range(state.size):
            x, row = state[n], kind(n)
            r = rho * kind(1.0 / (k + implicit * (n + 1.0)))
            d = fma(-r, fma(row, fma(c, d, x), x + w), d)
            w = row * x
            state[n] = x + d


@jit
def uneven_row_by_row(
    total: Float64Array,
    implicit: Float64Array,
    weight_now: Float64Array,
    weight_before: Float64Array,
    state: FloatArray,
    samples: FloatArray,
    before: float,
) -> None:
    """Take the steps of `PrefixSteps`, whose arrays come first, in place; the rest as in `even_row_by_row`."""
    kind = state.dtype.type
    then = np.float64(kind(before))
    for j in range(samples.size):
        now = np.float64(samples[j])
        start, coefficient = uneven_scalars(total[j], implicit[j], weight_now[j] * now, weight_before[j] * then)
        d, c, t, i, w, then = kind(start), kind(coefficient), kind(total[j]), kind(implicit[j]), kind(0.0), now
        for n in range(state.size):
            x, row = state[n], kind(n)
            r = t / fma(i, row + kind(1.0), kind(1.0))
            d = fma(-r, fma(row, fma(c, d, x), x + w), d)
            w = row * x
            state[n] = x + d
