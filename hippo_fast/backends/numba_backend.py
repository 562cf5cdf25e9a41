"""numba: compiled kernels on the processor. ``O(N)`` LegS as explicit SIMD, on one stream or on a batch, on every core.

What is a matrix product anyway (invariant laws) or has no ``O(N)`` form (all states of the holds) is numpy's.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, final

import numpy as np

from hippo_fast import chunks
from hippo_fast.aligned import aligned_empty
from hippo_fast.backends.base import Backend
from hippo_fast.backends.numpy_backend import NumpyBackend, start_states
from hippo_fast.discretizations.base import ConstantSteps, EvenSteps, GapSteps, PrefixSteps, StretchSteps
from hippo_fast.holds import WORTHWHILE, held_projection
from hippo_fast.kernels import gaps, lanes, wave
from hippo_fast.kernels import streams as batch
from hippo_fast.kernels.simd import lanes as vector_lanes
from hippo_fast.recurrence import Recurrence
from hippo_fast.threads import run_in_threads, threads_worth
from hippo_fast.types import Float64Array, FloatArray, Output

_PIECES = 8 * lanes.LANES
"""Pieces that few streams are cut into, so that what is left over at their ends is a small part of the whole."""
_SHORTEST_PIECE = 32
"""Samples in a piece of a stream: fewer are not worth the product that starts it."""


@final
class NumbaBackend(Backend):
    """Runs on numpy arrays, in compiled code."""

    def read(self, samples: Any, dtype: Any, device: Any) -> FloatArray:
        """Return samples as numpy does, see `Backend.read`."""
        return NumpyBackend().read(samples, dtype, device)

    def run(
        self,
        recurrence: Recurrence,
        samples: FloatArray,
        times: Float64Array | None,
        output: Output,
        out: FloatArray | None = None,
    ) -> FloatArray:
        """Return the states, see `Backend.run`; beyond them ``O(N)`` numbers are kept for each stream."""
        length, order = samples.shape[-1], recurrence.order
        first_time = recurrence.discretization.first_time if times is None else float(times.flat[0])
        known = recurrence.states_at_start(length, first_time)
        steps = recurrence.steps_of_samples(known, length, times) if known < length else None
        if isinstance(steps, GapSteps) and steps.structure is not None:
            return _run_gaps(steps, samples, output, out)
        if isinstance(steps, ConstantSteps) and output == "states" and recurrence.discretization.implicit is not None:
            return _run_constant(recurrence, steps, samples, out)
        if isinstance(steps, StretchSteps) and output == "last" and length >= WORTHWHILE:
            at = recurrence.times(0, length) if times is None else times
            held = held_projection(_rows(samples), at, order, linear=steps.linear, compiled=True)
            held *= recurrence.output_scale.astype(samples.dtype)
            return _placed(held.reshape(*samples.shape[:-1], order), out)
        if not recurrence.is_scale_law or not isinstance(steps, EvenSteps | PrefixSteps | None):
            return NumpyBackend().run(recurrence, samples, times, output, out)
        streams = _rows(samples)
        shape = (*samples.shape, order) if output == "states" else (*samples.shape[:-1], order)
        result = aligned_empty(shape, samples.dtype) if out is None else out
        start = start_states(recurrence, streams[:, :2], first_time)
        scale = recurrence.output_scale.astype(samples.dtype)
        if output == "states":
            states = _contiguous_rows(result, length)
            for index in range(known):
                np.multiply(start[index], scale, out=states[:, index])
            if steps is not None:
                write_states(steps, start[-1], streams[:, known - 1 :], states[:, known:], scale)
            _write_back(states, result)
            last = states[:, -1]
        else:
            last = start[-1]
            if steps is not None:
                take_steps(steps, last, streams[:, known - 1 :])
            last *= scale
            result[...] = last.reshape(shape)
        if not np.isfinite(last).all():
            warnings.warn("overflow encountered in scan", RuntimeWarning, stacklevel=3)
        return result

    def synchronize(self) -> None:
        """Return at once: the kernels have ended before a scan returns."""


BACKEND = NumbaBackend()


def _rows(array: FloatArray) -> FloatArray:
    """Return ``(..., L)`` as ``(S, L)``, a view wherever strides allow."""
    return array.reshape(-1, array.shape[-1])


def _placed(found: FloatArray, out: FloatArray | None) -> FloatArray:
    """Return what was found, in ``out`` if that was given."""
    if out is None:
        return found
    out[...] = found
    return out


def _contiguous_rows(result: FloatArray, length: int) -> FloatArray:
    """Return ``(..., L, N)`` as ``(S, L, N)`` whose states are contiguous: a view, or new memory for odd strides."""
    states = result.reshape(-1, length, result.shape[-1])
    is_view = np.may_share_memory(states, result) and states.strides[-1] == states.itemsize
    is_view &= all(stride % states.itemsize == 0 for stride in states.strides)  # a field of records may be packed
    return states if is_view else np.empty(states.shape, states.dtype)


def _write_back(states: FloatArray, result: FloatArray) -> None:
    """Put states into the result if they are no view of it."""
    if not np.may_share_memory(states, result):
        result[...] = states.reshape(result.shape)


def _run_constant(
    recurrence: Recurrence, steps: ConstantSteps, samples: FloatArray, out: FloatArray | None
) -> FloatArray:
    """Write all states of an invariant law: pieces of the streams, started by matrix products, run side by side."""
    streams, order, length = _rows(samples), recurrence.order, samples.shape[-1]
    structure = recurrence.operator.structure(order, recurrence.parameters)
    step = (structure, float(recurrence.dt or 0.0), float(recurrence.discretization.implicit or 0.0))
    result = aligned_empty((*samples.shape, order), samples.dtype) if out is None else out
    states = _contiguous_rows(result, length)
    each = chunks.longest_piece(steps, length * len(streams) // _PIECES) if len(streams) < lanes.LANES else length
    each = length if each < _SHORTEST_PIECE else each
    whole = length - length % each
    start = np.zeros((len(streams), order), samples.dtype)
    if each == length:
        blocks = [(start, streams, states)]
    else:
        starts = chunks.piece_starts(steps, start, streams, whole // each, each)
        pieces = (whole // each, each)
        blocks = [
            (starts[s], streams[s, :whole].reshape(pieces), states[s, :whole].reshape(*pieces, order))
            for s in range(len(streams))
        ]

    def run(part: tuple[int, slice]) -> None:
        block, rows = part
        lanes.all_states(*step, *(array[rows] for array in blocks[block]))

    width = lanes.LANES
    parts = [(i, slice(j, j + width)) for i, block in enumerate(blocks) for j in range(0, len(block[0]), width)]
    run_in_threads(run, parts, threads_worth(streams.size * order))
    if whole < length:
        lanes.all_states(*step, states[:, whole - 1], streams[:, whole:], states[:, whole:])
    _write_back(states, result)
    return result


def _run_gaps(steps: GapSteps, samples: FloatArray, output: Output, out: FloatArray | None) -> FloatArray:
    """Run an invariant law, from zero, with a gap of its own for each step."""
    streams, order = _rows(samples), len(steps.structure.scale) if steps.structure else 0
    state, states = np.zeros((len(streams), order), samples.dtype), None
    result = state.reshape(*samples.shape[:-1], order)
    if output == "states":
        result = aligned_empty((*samples.shape, order), samples.dtype) if out is None else out
        states = _contiguous_rows(result, samples.shape[-1])

    def run(stream: int) -> None:
        part = slice(stream, stream + 1)
        own = steps if steps.gaps.ndim == 1 else replace(steps, gaps=steps.gaps[part])
        gaps.advance(own, state[part], streams[part], None if states is None else states[part])

    run_in_threads(run, range(len(streams)), threads_worth(streams.size * order))
    if states is None:
        return _placed(result, out)
    _write_back(states, result)
    return result


def write_states(
    steps: EvenSteps | PrefixSteps, state: FloatArray, samples: FloatArray, states: FloatArray, scale: FloatArray
) -> None:
    """Run every stream by itself: what many states cost is the memory that they are written to."""

    def run(stream: int) -> None:
        wave.all_states(
            own_steps(steps, stream),
            state[stream],
            samples[stream, 1:],
            float(samples[stream, 0]),
            states[stream],
            scale,
        )

    run_in_threads(run, range(len(state)), threads_worth(samples.size * state.shape[1]))


def take_steps(steps: EvenSteps | PrefixSteps, state: FloatArray, samples: FloatArray) -> None:
    """Replace ``state`` ``(S, N)`` by the state after ``samples[:, 1:]``; column 0 is the sample before them."""
    if len(state) < vector_lanes(state.dtype):  # too few to fill a vector: stream by stream

        def run(stream: int) -> None:
            wave.last_state(own_steps(steps, stream), state[stream], samples[stream, 1:], float(samples[stream, 0]))

        run_in_threads(run, range(len(state)), threads_worth(samples.size * state.shape[1]))
        return
    batch.last_states(steps, state, samples[:, 1:], samples[:, 0])


def own_steps(steps: EvenSteps | PrefixSteps, stream: int) -> EvenSteps | PrefixSteps:
    """Return the steps of one stream: the same for all, unless each stream has its own."""
    if isinstance(steps, EvenSteps) or steps.total.ndim == 1:
        return steps
    return PrefixSteps(steps.total[stream], steps.implicit[stream], steps.now[stream], steps.before[stream])
