"""Steps that are matrix products, and their adjoints, in torch for any device; nothing here is recorded by autograd.

An invariant law starts from zero and repeats one step, so T of its steps are a matrix product with two constant
matrices. That gives the states at the starts of many chunks for little; all chunks are then stepped through together,
as the rows of one matrix product for each step. The adjoint does the same with transposed matrices from the last chunk
and the last step back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch

from hippo_fast.backends.torch_tensors import Tensor, constant, numba_runs, triton_kernels
from hippo_fast.chunks import powers_of
from hippo_fast.discretizations.base import ConstantSteps, GapSteps, StretchSteps
from hippo_fast.legendre import linear_piece_weights, stretch_increments

_STRETCH_NUMBERS = 2**20  # numbers in one chunk of stretch matrices: 8 MiB, one transfer to the device for each chunk
_GAPS = 32  # matrices kept for gaps that come again
_CHUNK = 64  # steps of a chunk whose states are all wanted
_ROWS = 512  # rows that a matrix product needs to run at its full rate on the processor
_DEVICE_ROWS = 8192  # and on any other device
_ON_DEVICES: WeakKeyDictionary[Any, dict[Any, Any]] = WeakKeyDictionary()  # what a law's powers are there


class _Step(NamedTuple):
    increment: Tensor
    gain: Tensor


class _Power(NamedTuple):
    """Some steps joined, ``c' = kept c + c rest``, see `hippo_fast.chunks`."""

    kept: Tensor
    rest: Tensor

    def after(self, state: Tensor) -> Tensor:
        """Return the states ``(S, N)`` after steps that read zeros."""
        return torch.addmm(state * self.kept, state, self.rest)

    def before(self, costate: Tensor) -> Tensor:
        """Return the costates ``(S, N)`` before the steps."""
        return torch.addmm(costate * self.kept, costate, self.rest.T)


def constant_last(steps: ConstantSteps, samples: Tensor) -> Tensor:
    """Return the state ``(S, N)`` after ``(S, K)`` samples, from the zero state: chunks side by side, then in pairs."""
    streams, count = samples.shape
    chunk, blocks = _blocks(steps, count)
    weights = _weights(steps, chunk, samples)
    state = samples.new_zeros((streams, len(steps.gain)))
    for begin, end, block in blocks:
        # Zeros first: they leave the zero state alone.
        read = torch.nn.functional.pad(samples[:, begin:end], (block - (end - begin), 0))
        ends, length = read.reshape(-1, chunk) @ weights, chunk
        while length < block:
            ends = _power(steps, length, samples).after(ends[0::2]).add_(ends[1::2])
            length *= 2
        state = _power(steps, block, samples).after(state).add_(ends) if begin > 0 else ends
    return state


def constant_last_adjoint(steps: ConstantSteps, costate: Tensor, gradients: Tensor) -> None:
    """Write the costates ``(S, K)`` of the samples, for a costate ``(S, N)`` of the last state."""
    streams, count = gradients.shape
    chunk, blocks = _blocks(steps, count)
    weights = _weights(steps, chunk, costate)
    for begin, end, block in reversed(blocks):
        ends, length = costate, block
        while length > chunk:
            length //= 2
            ends = torch.stack([_power(steps, length, costate).before(ends), ends], dim=1).flatten(0, 1)
        gradients[:, begin:end] = (ends @ weights.T).reshape(streams, block)[:, begin - end :]
        costate = _power(steps, block, costate).before(costate) if begin > 0 else costate


def constant_states(steps: ConstantSteps, samples: Tensor, states: Tensor) -> None:
    """Write every state into ``(S, K, N)``, for samples ``(S, K)``, from the zero state."""
    streams, order = len(samples), len(steps.gain)
    kernels = _invariant_kernels(states, order)
    if kernels is not None:
        increment, gain = constant(steps.increment, states), constant(steps.gain, states)
        kernels.invariant_forward(increment, gain, states.new_zeros((streams, order)), samples, states)
        return
    step = torch.cat([constant(steps.increment.T, states), constant(steps.gain[None, :], states)])
    carried = states.new_zeros((streams, order))
    chunk, segments = _segments(steps, samples)
    for begin, end in segments:
        read, write = samples[:, begin:end], states[:, begin:end]
        starts = _chunk_starts(steps, carried, read, chunk)
        chunks = len(starts)
        waiting = chunks * chunk - (end - begin)
        # Rows are (chunk, stream); the last column is the sample that the step reads.
        now = states.new_empty((chunks, streams, order + 1))
        now[..., :order] = starts
        after = torch.empty_like(now)
        for t in range(chunk):
            late = int(t < waiting)  # then chunk 0 has not begun
            first = t - waiting + late * chunk
            rows, target = now[late:].flatten(0, 1), after[late:].flatten(0, 1)
            if not len(rows):
                continue
            now[late:, :, order] = read[:, first::chunk].T
            torch.addmm(rows[:, :order], rows, step, out=target[:, :order])
            write[:, first::chunk].transpose(0, 1).copy_(after[late:, :, :order])
            if late:
                after[0] = now[0]
            now, after = after, now
        carried = now[-1, :, :order].clone()


def constant_states_adjoint(steps: ConstantSteps, incoming: Tensor, gradients: Tensor) -> None:
    """Write the costates ``(S, K)`` of the samples, for the costates ``(S, K, N)`` of all states."""
    streams, order = len(gradients), len(steps.gain)
    kernels = _invariant_kernels(gradients, order)
    if kernels is not None:
        increment, gain = constant(steps.increment, gradients), constant(steps.gain, gradients)
        costate = gradients.new_zeros((streams, order))
        gradients.copy_(kernels.invariant_adjoint(increment, gain, costate, incoming, gradients.shape[1]))
        return
    step = torch.cat([constant(steps.increment, gradients), constant(steps.gain[:, None], gradients)], dim=1)
    carried = gradients.new_zeros((streams, order))
    chunk, segments = _segments(steps, gradients)
    for begin, end in reversed(segments):
        read, write = incoming[:, begin:end], gradients[:, begin:end]
        chunks = -(-(end - begin) // chunk)
        waiting = chunks * chunk - (end - begin)
        now = gradients.new_zeros((chunks, streams, order + 1))
        after = torch.empty_like(now)
        for t in reversed(range(chunk)):
            late = int(t < waiting)  # then chunk 0 has ended
            first = t - waiting + late * chunk
            rows, target = now[late:].flatten(0, 1), after[late:].flatten(0, 1)
            if not len(rows):
                continue
            now[late:, :, :order] += read[:, first::chunk].transpose(0, 1)
            torch.addmm(rows, rows[:, :order], step, out=target)
            write[:, first::chunk] = after[late:, :, order].T
            after[late:, :, order] = 0
            if late:
                after[0] = now[0]
            now, after = after, now
        if len(segments) > 1 or chunks > 1:
            carried = _chunk_ends_adjoint(steps, carried, now[..., :order], chunk, write)


def gap_steps(steps: GapSteps, samples: Tensor, states: Tensor | None) -> Tensor:
    """Run an invariant law with a gap of its own for each step, from zero: compiled in ``O(N)`` where that is at hand.

    Args:
        steps: K steps.
        samples: ``(S, K)``.
        states: ``(S, K, N)``, receives every state; or None.

    Returns:
        The last state, ``(S, N)``.
    """
    if steps.structure is not None and numba_runs(samples):
        state = samples.new_zeros((len(samples), len(steps.structure.scale)))
        kernels = import_module("hippo_fast.kernels.gaps")
        kernels.advance(steps, state.numpy(), samples.numpy(), None if states is None else states.numpy())
        return state
    state = None
    for j, rows, step in _steps_of_gaps(steps, samples):
        read = samples[rows, j, None] * step.gain
        if state is None:
            state = samples.new_zeros((len(samples), len(step.gain)))
        state[rows] += state[rows] @ step.increment.T + read
        if states is not None:
            states[rows, j] = state[rows]
    return state


def gap_steps_adjoint(steps: GapSteps, incoming: Tensor, gradients: Tensor, *, every: bool) -> None:
    """Write the costates ``(S, K)`` of the samples, for those of all states ``(S, K, N)`` or of the last ``(S, N)``."""
    x = torch.zeros_like(incoming[:, 0]) if every else incoming.clone()
    for j, rows, step in _steps_of_gaps(steps, gradients, backwards=True):
        after = x[rows] + incoming[rows, j] if every else x[rows]
        gradients[rows, j] = after @ step.gain
        x[rows] = after + after @ step.increment


def stretch_steps(steps: StretchSteps, state: Tensor, samples: Tensor, states: Tensor | None, scale: Tensor) -> None:
    """Run K steps, see `torch_fronts.run_steps` for the arguments."""
    for part in _stream_parts(steps, state):
        own, x = _own(steps, part), state[part]
        for j, matrix, factor, piece in _stretches(own, x):
            then, now = samples[part, j], samples[part, j + 1]
            shifted = x.clone()
            shifted[:, 0] -= then if own.linear else now
            change = _applied(matrix, shifted) * factor
            if piece is not None:
                change += (now - then)[:, None] * piece
            x += change
            if states is not None:
                states[part, j] = x * scale


def stretch_steps_adjoint(
    steps: StretchSteps, costate: Tensor, incoming: Tensor | None, scale: Tensor, gradients: Tensor
) -> None:
    """Run the transposed steps, see `torch_fronts.run_adjoint` for the arguments."""
    gradients.zero_()
    for part in _stream_parts(steps, costate):
        own, x, written = _own(steps, part), costate[part], gradients[part]
        for j, matrix, factor, piece in _stretches(own, x, backwards=True):
            if incoming is not None:
                x += incoming[part, j] * scale
            change = _applied(matrix.transpose(-1, -2), x) * factor
            written[:, j if own.linear else j + 1] -= change[:, 0]
            if piece is not None:
                ramp = (x * piece).sum(dim=1)
                written[:, j] -= ramp
                written[:, j + 1] += ramp
            x += change


def _invariant_kernels(like: Tensor, order: int) -> Any:
    """Return Triton's kernels where they run this, with the state on chip from step to step; else None."""
    kernels = triton_kernels(like)
    return kernels if kernels is not None and kernels.invariant_why_not(order, like.dtype) is None else None


def _joined(steps: ConstantSteps, most: int) -> int:
    """Return the largest power of two up to ``most`` of steps that may be joined: an unstable law joins fewer."""
    return 1 << powers_of(steps).reach(most.bit_length() - 1)


def _power(steps: ConstantSteps, count: int, like: Tensor) -> _Power:
    """Return so many steps joined, a power of two that `_joined` allows."""
    powers, level = powers_of(steps), count.bit_length() - 1

    def copied() -> _Power:
        power = powers.power(level, _numpy_dtype(like))
        return _Power(constant(power.kept, like), constant(power.rest, like))

    found: _Power = _kept_on_device(powers, ("power", level), like, copied)
    return found


def _weights(steps: ConstantSteps, count: int, like: Tensor) -> Tensor:
    """Return what each of the last samples adds to the state, ``(count, N)``, oldest first."""
    powers = powers_of(steps)
    return _kept_on_device(
        powers, ("weights", count), like, lambda: constant(powers.weights(count, _numpy_dtype(like)), like)
    )


def _kept_on_device(powers: Any, name: tuple[str, int], like: Tensor, copied: Callable[[], Any]) -> Any:
    """Return a constant of a law where ``like`` is; copied to another device once for as long as the law is kept.

    The copy has ended when it is returned (it comes from pageable memory), so any stream of the device may read it.
    """
    if like.device.type == "cpu":  # a view, at no price
        return copied()
    kept = _ON_DEVICES.setdefault(powers, {})
    key = (*name, like.dtype, like.device)
    if key not in kept:
        kept[key] = copied()
    return kept[key]


def _numpy_dtype(like: Tensor) -> np.dtype[Any]:
    return np.dtype(str(like.dtype).removeprefix("torch."))


def _blocks(steps: ConstantSteps, count: int) -> tuple[int, list[tuple[int, int, int]]]:
    """Return the length of a chunk, and blocks to run in turn: both ends, and the power of two that it is padded to.

    A chunk is about N long, where the product with its samples and the one that joins it to another cost the same.
    """
    chunk = _joined(steps, 1 << (min(max(16, len(steps.gain)), count) - 1).bit_length())
    block = max(chunk, _joined(steps, count))
    ends = range(count % block or block, count + 1, block)
    opening = chunk << (-(-ends[0] // chunk) - 1).bit_length()
    return chunk, [(begin, end, block if begin else opening) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


def _segments(steps: ConstantSteps, samples: Tensor) -> tuple[int, list[tuple[int, int]]]:
    """Return the length of a chunk, and segments of whole chunks, the first one perhaps shorter, to run in turn.

    A segment has so many chunks that all of them, on all streams, fill a matrix product.
    """
    streams, count = samples.shape
    chunks = max(1, (_ROWS if samples.device.type == "cpu" else _DEVICE_ROWS) // streams)
    chunk = _joined(steps, _CHUNK)
    if chunks == 1 or chunk < _CHUNK:
        return count, [(0, count)]
    ends = range(count % (chunks * chunk) or chunks * chunk, count + 1, chunks * chunk)
    return chunk, list(zip([0, *ends[:-1]], ends, strict=True))


def _chunk_starts(steps: ConstantSteps, carried: Tensor, samples: Tensor, chunk: int) -> Tensor:
    """Return the states ``(C, S, N)`` before the chunks of a segment; a short first chunk must start from zero."""
    count = samples.shape[1]
    chunks = -(-count // chunk)
    starts = carried.new_empty((chunks, *carried.shape))
    starts[0] = carried
    if chunks > 1:
        power, weights = _power(steps, chunk, samples), _weights(steps, chunk, samples)
        waiting = chunks * chunk - count
        opened = chunk - waiting
        inputs = samples[:, opened : count - chunk].unflatten(1, (chunks - 2, chunk)) @ weights
        opening = samples[:, :opened] @ weights[waiting:]
        for i in range(1, chunks):
            starts[i] = power.after(starts[i - 1]).add_(opening if i == 1 else inputs[:, i - 2])
    return starts


def _chunk_ends_adjoint(steps: ConstantSteps, carried: Tensor, starts: Tensor, chunk: int, gradients: Tensor) -> Tensor:
    """Add to ``(S, K)`` what comes from later chunks.

    Args:
        steps: the law.
        carried: ``(S, N)``, the costate that reaches the end of the segment.
        starts: ``(C, S, N)``, the costate that each chunk's own states give to its start.
        chunk: T.
        gradients: ``(S, K)``, of the segment.

    Returns:
        ``(S, N)``, the costate at the start of the segment.
    """
    chunks, count = len(starts), gradients.shape[1]
    power, weights = _power(steps, chunk, carried), _weights(steps, chunk, carried)
    ends = torch.empty_like(starts)
    for i in reversed(range(chunks)):
        ends[i] = carried
        carried = power.before(carried).add_(starts[i])
    later = (ends @ weights.T).transpose(0, 1).flatten(1)
    gradients += later[:, later.shape[1] - count :]
    return carried


def _stream_parts(steps: StretchSteps, state: Tensor) -> list[slice]:
    """Return all streams as one part, or, where each has steps of its own, parts whose matrices fit a chunk."""
    streams, order = state.shape
    if steps.gap.ndim == 1:
        return [slice(None)]
    share = max(1, _STRETCH_NUMBERS // order**2)
    return [slice(begin, begin + share) for begin in range(0, streams, share)]


def _own(steps: StretchSteps, part: slice) -> StretchSteps:
    return steps if steps.gap.ndim == 1 else StretchSteps(steps.ratio[part], steps.gap[part], steps.linear)


def _stretches(
    steps: StretchSteps, like: Tensor, *, backwards: bool = False
) -> Iterator[tuple[int, Tensor, Tensor, Tensor | None]]:
    """Yield, for each step, its index, its matrix ``(N, N)`` or ``(S, N, N)``, its gap, and the ramp's weights."""
    order = like.shape[1]
    ratios, gaps = np.atleast_2d(steps.ratio), np.atleast_2d(steps.gap)
    streams, count = gaps.shape
    chunk = max(1, _STRETCH_NUMBERS // (streams * order**2))
    begins = range(0, count, chunk)
    for begin in reversed(begins) if backwards else begins:
        ratio, gap = ratios[:, begin : begin + chunk].T.ravel(), gaps[:, begin : begin + chunk].T.ravel()
        matrices = constant(stretch_increments(ratio, gap, order), like).unflatten(0, (-1, streams))
        factors = constant(gap, like).unflatten(0, (-1, streams))[..., None]
        pieces = None
        if steps.linear:
            pieces = constant(linear_piece_weights(ratio, gap, order), like).unflatten(0, (-1, streams))
        indices = range(len(matrices))
        for i in reversed(indices) if backwards else indices:
            yield begin + i, matrices[i], factors[i], None if pieces is None else pieces[i]


def _applied(matrix: Tensor, vectors: Tensor) -> Tensor:
    """Return the product of one matrix ``(1, N, N)``, or one for each stream, with vectors ``(S, N)``."""
    if len(matrix) == 1:
        return vectors @ matrix[0].T
    return torch.bmm(matrix, vectors[:, :, None])[:, :, 0]


def _steps_of_gaps(steps: GapSteps, like: Tensor, *, backwards: bool = False) -> Iterator[tuple[int, Any, _Step]]:
    """Yield, for each step, its index, the streams that have its gap, and the step of that gap."""
    gaps = np.atleast_2d(steps.gaps)

    @lru_cache(maxsize=_GAPS)  # gaps repeat where samples of a regular clock are missing
    def step_of(gap: float) -> _Step:
        step = steps.step_of(gap)
        return _Step(constant(step.increment, like), constant(step.gain, like))

    indices = range(gaps.shape[1])
    for j in reversed(indices) if backwards else indices:
        found, owners = np.unique(gaps[:, j], return_inverse=True)
        for i, gap in enumerate(found.tolist()):
            rows = slice(None) if len(found) == 1 else torch.from_numpy(np.flatnonzero(owners == i)).to(like.device)
            yield j, rows, step_of(gap)
