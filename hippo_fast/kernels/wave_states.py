"""Every state of one LegS stream, with the operations of `wave` in the same order: the bits are the same."""

from __future__ import annotations

import numpy as np

from hippo_fast.discretizations.base import EvenSteps, PrefixSteps
from hippo_fast.kernels.simd import jit
from hippo_fast.kernels.rows import even_row_by_row, uneven_row_by_row
from hippo_fast.types import Float64Array, FloatArray


def all_states(
    steps: EvenSteps | PrefixSteps,
    state: FloatArray,
    samples: FloatArray,
    before: float,
    states: FloatArray,
    scale: FloatArray,
) -> None:
    """Take every step, in place, and write the state after each.

    Args:
        steps: K steps.
        state: ``(N,)`` contiguous, ``x = c/s_n`` in float32 or float64; holds the last state afterwards.
        samples: ``(K,)`` in the same dtype, with any stride.
        before: the sample before the first of them.
        states: ``(K, N)`` in the same dtype, rows contiguous, any distance between rows; receives ``scale x``.
        scale: ``(N,)`` contiguous, in the same dtype.
    """
    if isinstance(steps, EvenSteps):
        _even_one_by_one(steps.first, steps.implicit, steps.explicit_at_start, state, samples, before, states, scale)
    else:
        _uneven_one_by_one(
            steps.total, steps.implicit, steps.now, steps.before, state, samples, before, states, scale
        )


@jit
def _even_one_by_one(
    first: int,
    implicit: float,
    explicit_at_start: bool,
    state: FloatArray,
    samples: FloatArray,
    before: float,
    states: FloatArray,
    scale: FloatArray,
) -> None:
    then = np.float64(before)
    for j in range(samples.size):
        even_row_by_row(first + j, implicit, explicit_at_start, state, samples[j : j + 1], then)
        then = np.float64(samples[j])
        for n in range(state.size):
            states[j, n] = scale[n] * state[n]


@jit
def _uneven_one_by_one(
    total: Float64Array,
    implicit: Float64Array,
    now: Float64Array,
    weight_before: Float64Array,
    state: FloatArray,
    samples: FloatArray,
    before: float,
    states: FloatArray,
    scale: FloatArray,
) -> None:
    then = np.float64(before)
    for j in range(samples.size):
        one = slice(j, j + 1)
        uneven_row_by_row(
            total[one], implicit[one], now[one], weight_before[one], state, samples[one], then
        )
        then = np.float64(samples[j])
        for n in range(state.size):
            states[j, n] = scale[n] * state[n]
