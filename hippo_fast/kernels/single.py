"""One sample into one state, with the least overhead: what a stream calls once for each sample.

LegS: the operations are those of `rows`, in the same order, so the bits are the same. What bounds them is latency:
three dependent multiply-adds for each order, about 12 cycles. Invariant laws: what comes after the matrix product.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from hippo_fast.kernels.rows import even_scalars
from hippo_fast.kernels.simd import fma, jit
from hippo_fast.types import FloatArray


def _read_sample(
    state: FloatArray, sample: float, before: float, k: int, implicit: float, explicit_at_start: bool
) -> bool:
    """Take the even step that ends at time k, in place; see `EvenSteps`.

    Args:
        state: ``(1, N)``, ``x = c/s_n`` in float32 or float64. What it holds after a refusal is of no use.
        sample: the sample read, finite; rounded to the dtype of the state.
        before: the sample before it.
        k: >= 1; with ``explicit_at_start`` >= 2.
        implicit: weight of the end of the step.
        explicit_at_start: the explicit side stands at the time at which the step starts.

    Returns:
        Whether every number of the new state is finite.
    """
    kind = state.dtype.type
    time, now, then = float(k), np.float64(kind(sample)), np.float64(kind(before))
    start, coefficient, factor = even_scalars(time, implicit, explicit_at_start, now, then)
    d, c, rho, w, finite = kind(start), kind(coefficient), kind(factor), kind(0.0), True
    for n in range(state.shape[1]):
        x, row = state[0, n], kind(n)
        r = rho * kind(1.0 / (time + implicit * (n + 1.0)))
        d = fma(-r, fma(row, fma(c, d, x), x + w), d)
        w = row * x
        state[0, n] = x + d
        finite &= math.isfinite(x + d)
    return finite


def _add_change(state: FloatArray, change: FloatArray, gain: FloatArray, sample: float) -> bool:
    """Make ``change`` the new state: ``state + (change + sample gain)``, with the roundings of the numpy backend.

    Args:
        state: ``(1, N)``.
        change: ``(1, N)``, the state's own part of the change; written into.
        gain: ``(N,)``.
        sample: finite; rounded to the dtype of the state.

    Returns:
        Whether every number of the new state is finite.
    """
    now, finite = state.dtype.type(sample), True
    for n in range(state.shape[1]):
        change[0, n] = state[0, n] + (change[0, n] + now * gain[n])
        finite &= math.isfinite(change[0, n])
    return finite


READ_SAMPLE: Final = {"float32": jit(_read_sample), "float64": jit(_read_sample)}
ADD_CHANGE: Final = {"float32": jit(_add_change), "float64": jit(_add_change)}
"""One function for each dtype: a call to a function that is compiled for two takes half a microsecond more."""
