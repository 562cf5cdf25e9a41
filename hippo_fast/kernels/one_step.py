"""One LegS step for each of many streams, each with times of its own, and its transpose: what a cell takes a sample.

The operations of a step are those of `rows`; the transpose is that of `torch_fronts`. Both work on ``c`` itself, and
cost nothing but the rows: `streams`, made for many steps, prepares more than one step takes.
"""

from __future__ import annotations

import numpy as np

from hippo_fast.kernels.rows import uneven_scalars
from hippo_fast.kernels.simd import fma, jit
from hippo_fast.types import Float64Array, FloatArray


@jit
def step(
    total: Float64Array,
    implicit: Float64Array,
    weight_now: Float64Array,
    weight_before: Float64Array,
    scale: FloatArray,
    state: FloatArray,
    samples: FloatArray,
    after: FloatArray,
) -> None:
    """Write the states after a step.

    Args:
        total: ``(S,)``, as the next three, see `PrefixSteps`.
        implicit: of each stream.
        weight_now: of each stream.
        weight_before: of each stream.
        scale: ``(N,)``, ``c = scale x``.
        state: ``(S, N)`` of ``c``, float32 or float64.
        samples: ``(S, 2)``, the sample before and the one to read.
        after: ``(S, N)``, written.
    """
    kind = state.dtype.type
    for stream in range(len(state)):
        now, then = np.float64(samples[stream, 1]), np.float64(samples[stream, 0])
        read, waits = weight_now[stream] * now, weight_before[stream] * then
        start, coefficient = uneven_scalars(total[stream], implicit[stream], read, waits)
        d, c, t, i, w = kind(start), kind(coefficient), kind(total[stream]), kind(implicit[stream]), kind(0.0)
        for n in range(state.shape[1]):
            x, row = state[stream, n] / scale[n], kind(n)
            r = t / fma(i, row + kind(1.0), kind(1.0))
            d = fma(-r, fma(row, fma(c, d, x), x + w), d)
            w = row * x
            after[stream, n] = (x + d) * scale[n]


@jit
def transposed(
    total: Float64Array,
    implicit: Float64Array,
    weight_now: Float64Array,
    weight_before: Float64Array,
    scale: FloatArray,
    costate: FloatArray,
    before: FloatArray,
    gradients: FloatArray,
) -> None:
    """Write the gradients of the states before a step ``(S, N)`` and of its samples ``(S, 2)``; the rest as `step`."""
    kind = costate.dtype.type
    for stream in range(len(costate)):
        t, i, running = kind(total[stream]), kind(implicit[stream]), kind(0.0)
        for n in range(costate.shape[1] - 1, -1, -1):
            own, row = costate[stream, n] * scale[n], kind(n)
            folded = ((row + kind(1.0)) * own + (row + row + kind(1.0)) * running) / fma(i, row + kind(1.0), kind(1.0))
            running += own - i * folded
            before[stream, n] = (own - t * folded) / scale[n]
        gradients[stream, 0] = running * kind(weight_before[stream])
        gradients[stream, 1] = running * kind(weight_now[stream])
