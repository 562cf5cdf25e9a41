"""numpy: every measure and rule, float32 and float64, on the processor.

States of a batch are run as ``(S, N)``, S streams. The ``O(N)`` recurrence of LegS needs, for row n of step k, only row
n - 1 of step k and row n of step k - 1. So a front holds row n of step f - n for every n at once, and one stream
keeps vectors of length N busy: L + N - 2 fronts replace L N scalar updates. Invariant laws run as matrix products, see
`hippo_fast.chunks`.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np

from hippo_fast import chunks
from hippo_fast.backends.base import Backend
from hippo_fast.discretizations.base import ConstantSteps, EvenSteps, GapSteps, PrefixSteps, Steps, StretchSteps
from hippo_fast.gaps import advance_gaps
from hippo_fast.holds import WORTHWHILE, held_projection
from hippo_fast.legendre import linear_piece_weights, stretch_increments
from hippo_fast.recurrence import Recurrence
from hippo_fast.types import Float64Array, FloatArray, Output
from hippo_fast.validation import checked_finite, checked_shape, real_array

_STRETCH_NUMBERS = 2**17  # numbers in one chunk of stretch matrices: 1 MiB, so that a chunk stays in cache
_FEW_STEPS = 12  # below this a plain loop over the rows of one stream beats the fronts


@final
class NumpyBackend(Backend):
    """Runs on numpy arrays."""

    def read(self, samples: Any, dtype: Any, device: Any) -> FloatArray:
        """Return samples as an array of float32 or float64, see `Backend.read`."""
        if device is not None and str(device) != "cpu":
            raise ValueError(f"device is {device!r}; accepted by backend 'numpy': None or 'cpu'")
        if getattr(samples, "requires_grad", False):
            raise ValueError(
                "samples requires a gradient, which backend 'numpy' cannot carry; accepted: backend='torch'"
            )
        array = real_array("samples", samples)
        checked_shape("samples", array.shape)
        wanted = numpy_dtype(dtype, array.dtype)
        checked_finite("samples", array if array.dtype.kind == "f" else array.astype(wanted))
        if array.dtype == wanted:
            return array
        with np.errstate(over="ignore"):
            cast = array.astype(wanted)
        checked_finite("samples", cast)
        return cast

    def run(
        self,
        recurrence: Recurrence,
        samples: FloatArray,
        times: Float64Array | None,
        output: Output,
        out: FloatArray | None = None,
    ) -> FloatArray:
        """Return the states, see `Backend.run`; ``output="last"`` needs ``O(N)`` numbers for each stream."""
        length, order = samples.shape[-1], recurrence.order
        streams = samples.reshape(-1, length)
        first_time = recurrence.discretization.first_time if times is None else float(times.flat[0])
        start = start_states(recurrence, streams, first_time)
        count = len(start)
        state = start[-1] if start else np.zeros((len(streams), order), streams.dtype)
        states: FloatArray | None = None
        if output == "states":
            whole = (
                np.empty((*samples.shape, order), streams.dtype) if out is None or not out.flags.c_contiguous else out
            )
            states = whole.reshape(-1, length, order)
            for index, known in enumerate(start):
                states[:, index] = known
        if count < length:
            steps = recurrence.steps_of_samples(count, length, times)
            if isinstance(steps, StretchSteps) and output == "last" and length >= WORTHWHILE:
                at = recurrence.times(0, length) if times is None else times
                state = held_projection(streams, at, order, linear=steps.linear)
            else:
                before = streams[:, count - 1] if count else np.zeros(len(streams), streams.dtype)
                state = advance(steps, state, streams[:, count:], before, states=states, first=count)
        result = state if states is None else states
        if recurrence.is_scale_law:
            result *= recurrence.output_scale.astype(streams.dtype)
        result = result.reshape(*samples.shape[:-1], *result.shape[1:])
        if out is None:
            return result
        if not np.may_share_memory(out, result):
            out[...] = result
        return out

    def synchronize(self) -> None:
        """Return at once: numpy computes before it returns."""


BACKEND = NumpyBackend()


def numpy_dtype(dtype: Any, given: np.dtype[Any]) -> np.dtype[Any]:
    """Return what ``dtype`` names; for None, float32 for float32 input and float64 for any other."""
    if dtype is None:
        return np.dtype(np.float32 if given.newbyteorder("=") == np.float32 else np.float64)
    try:
        found = np.dtype(str(dtype).removeprefix("torch.")) if not isinstance(dtype, type) else np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype is {dtype!r}; accepted: None, 'float32' or 'float64'")
    return found


def start_states(recurrence: Recurrence, streams: FloatArray, first_time: float) -> list[FloatArray]:
    """Return the running states ``(S, N)`` that the rule starts with: none, ``u_0 e_0``, or also the first piece's."""
    count = recurrence.states_at_start(streams.shape[1], first_time)
    found: list[FloatArray] = []
    if count > 0:
        state = np.zeros((len(streams), recurrence.order), streams.dtype)
        state[:, 0] = streams[:, 0]
        found.append(state)
    if count > 1:
        piece = np.zeros_like(state)
        # Half the difference, from halves: neither the sum nor the difference of two large samples overflows.
        half = streams[:, 1] / 2 - streams[:, 0] / 2
        piece[:, 0] = streams[:, 0] + half
        piece[:, 1:2] = half[:, None] / 3
        found.append(piece)
    return found


def advance(
    steps: Steps,
    state: FloatArray,
    samples: FloatArray,
    before: FloatArray,
    *,
    states: FloatArray | None = None,
    first: int = 0,
) -> FloatArray:
    """Run K steps.

    Args:
        steps: K steps, or the step of an invariant law; arrays in it are ``(K,)``, or ``(S, K)`` where each stream has
            times of its own.
        state: running state ``(S, N)`` before the first step; it is not changed.
        samples: ``(S, K)``.
        before: ``(S,)``, the sample before the first of them.
        states: None, or a contiguous ``(S, L, N)`` array that receives state j in ``states[:, first + j]``.
        first: see ``states``.

    Returns:
        The running state ``(S, N)`` after the last step.
    """
    if isinstance(steps, GapSteps):
        return advance_gaps(steps, state, samples, states, first)
    if isinstance(steps, ConstantSteps):
        if states is None:
            return chunks.last_state(steps, state, samples)
        return chunks.all_states(steps, state, samples, states, first)
    if isinstance(steps, StretchSteps):
        if steps.gap.ndim == 1:
            return _advance_stretch(steps, state, samples, before, states=states, first=first)
        found = np.empty_like(state)
        for row in range(len(state)):
            part = slice(row, row + 1)
            found[part] = _advance_stretch(
                StretchSteps(steps.ratio[row], steps.gap[row], steps.linear),
                state[part],
                samples[part],
                before[part],
                states=None if states is None else states[part],
                first=first,
            )
        return found
    if isinstance(steps, EvenSteps):
        steps = steps.prefix()
    if states is None and len(state) == 1 and samples.shape[1] <= _FEW_STEPS and state.dtype == np.float64:
        return _advance_prefix_by_row(steps, state, samples, before)
    return _advance_prefix(steps, state, samples, before, states=states, first=first)


def _advance_stretch(
    steps: StretchSteps,
    state: FloatArray,
    samples: FloatArray,
    before: FloatArray,
    *,
    states: FloatArray | None,
    first: int,
) -> FloatArray:
    order, dtype = state.shape[1], state.dtype
    chunk = max(1, _STRETCH_NUMBERS // order**2)
    for begin in range(0, samples.shape[1], chunk):
        ratio, gap = steps.ratio[begin : begin + chunk], steps.gap[begin : begin + chunk]
        matrices = stretch_increments(ratio, gap, order)
        pieces = linear_piece_weights(ratio, gap, order).astype(dtype) if steps.linear else None
        matrices = matrices.astype(dtype)
        factors = gap.astype(dtype)
        for i in range(len(gap)):
            j = begin + i
            sample = samples[:, j]
            shifted = state.copy()
            shifted[:, 0] -= before if steps.linear else sample
            change = shifted @ matrices[i].T
            change *= factors[i]
            if pieces is not None:
                change += (sample - before)[:, None] * pieces[i]
            state = state + change
            before = sample
            if states is not None:
                states[:, first + j] = state
    return state


def _advance_prefix_by_row(
    steps: PrefixSteps, state: FloatArray, samples: FloatArray, before: FloatArray
) -> FloatArray:
    """Run one float64 stream row by row: the operations of the fronts, in the same order, on Python numbers."""
    row: list[float] = state[0].tolist()
    inputs = _prefix_inputs(steps, samples, before)[0].tolist()
    totals, implicits = steps.total.ravel().tolist(), steps.implicit.ravel().tolist()
    for total, implicit, start in zip(totals, implicits, inputs, strict=True):
        running = start
        for n, x in enumerate(row):
            held = total * x
            change = (running - (n + 1.0) * held) / (implicit * (n + 1.0) + 1.0)
            running -= (implicit * change + held) * (2.0 * n + 1.0)
            row[n] = x + change
    return np.array([row])


def _prefix_inputs(steps: PrefixSteps, samples: FloatArray, before: FloatArray) -> FloatArray:
    """Return ``now u_k + before u_{k-1}``, ``(S, K)``."""
    inputs = samples * steps.now.astype(samples.dtype)
    if steps.before.any():
        earlier = np.concatenate([before[:, None], samples[:, :-1]], axis=1)
        inputs += earlier * steps.before.astype(samples.dtype)
    return inputs


def _advance_prefix(
    steps: PrefixSteps,
    state: FloatArray,
    samples: FloatArray,
    before: FloatArray,
    *,
    states: FloatArray | None,
    first: int,
) -> FloatArray:
    """Run all rows of a front together; lane r holds row n = N - 1 - r, so that steps ascend along the lanes.

    Steps are padded with zeros at both ends. There a lane's change is zero, so it waits, or keeps its final value.
    """
    (streams, order), dtype, count = state.shape, state.dtype, samples.shape[1]
    pad = np.zeros((*steps.total.shape[:-1], order - 1))
    total = np.concatenate([pad, steps.total, pad], axis=-1).astype(dtype)
    implicit = np.concatenate([pad, steps.implicit, pad], axis=-1).astype(dtype)
    inputs = np.zeros((streams, count + order), dtype)
    inputs[:, :count] = _prefix_inputs(steps, samples, before)
    rows = np.arange(order, 0, -1).astype(dtype)  # n + 1
    weights = 2 * rows - 1
    x = state[:, ::-1].copy()  # written into below; at order 1 the view alone would be the caller's state
    flat = None if states is None else states.reshape(streams, -1)
    # Lane r is in column r + 1; what leaves the last row falls in column 0.
    running = np.zeros((streams, order + 1), dtype)
    running[:, order] = inputs[:, 0]
    entering, leaving = running[:, 1:], running[:, :-1]
    held, change, scratch = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    divisor = np.empty((*pad.shape[:-1], order), dtype)
    for front in range(count + order - 1):
        now_total, now_implicit = total[..., front : front + order], implicit[..., front : front + order]
        np.multiply(now_total, x, out=held)
        np.multiply(rows, held, out=change)
        np.subtract(entering, change, out=change)
        np.multiply(now_implicit, rows, out=divisor)
        divisor += 1
        change /= divisor
        np.multiply(now_implicit, change, out=scratch)
        scratch += held
        scratch *= weights
        x += change
        np.subtract(entering, scratch, out=scratch)
        leaving[...] = scratch
        running[:, order] = inputs[:, front + 1]
        if flat is not None:
            low, high = max(0, order - 1 - front), min(order, count + order - 1 - front)
            begin = (first + front - order + 1) * order + order - 1 + low * (order - 1)
            stride = max(1, order - 1)
            flat[:, begin : begin + (high - low - 1) * stride + 1 : stride] = x[:, low:high]
    return np.ascontiguousarray(x[:, ::-1])
