"""Batched scans on a CUDA device, forwards and backwards, as Triton kernels.

**LegS.** Row n of a step needs only row n - 1 of the same step and row n of the step before (`PrefixSteps`). So a
stream is spread over lanes of one warp, each with 8 consecutive rows in registers, and the lanes run as a wavefront:
in front f lane l does its rows of step f - l. One number crosses from a lane to the next, the running sum Q, by one
warp shuffle in each front; K steps take ``K + lanes - 1`` fronts. (A scan across lanes in each step would need ``2
log2(lanes)`` dependent shuffles, and each row twice.) A band of 256 rows fills a warp; above that the running sums of
all steps leave one band and enter the next through memory, an array of the size of the samples, so any order runs.

With ``r = 1/(1 + i (n + 1))``, where T and i are the step's ``total`` and ``implicit``, eliminating d from the two
formulas of `PrefixSteps` leaves, for each row, one multiplication and three fmas, one of them on the path from row to
row::

    x'_n    = x_n + r (Q_n - (n + 1) T x_n)
    Q_{n+1} = p_n Q_n - (2 n + 1) T r x_n,     p_n = (1 - i n) r,     Q_0 = now u_k + before u_{k-1}

The adjoint is the transposed map through descending rows and steps; lambda is the gradient of x, rho that of Q::

    lambda_n = lambda'_n - (n + 1) T r lambda'_n - (2 n + 1) T r rho_{n+1},     rho_n = p_n rho_{n+1} + r lambda'_n

so ``rho_0`` is the gradient of ``now u_k + before u_{k-1}``. The map is linear: the adjoint needs no state.

**Rounding**, u the unit roundoff, to first order. For ``i >= 0``, ``|1 - i n| <= 1 + i n < 1 + i (n + 1)``: so
``|p_n| < 1``, p_n = 0 included, and no error of Q grows on its way to later rows. A device divides within 4 u, so r
errs by 6 u (i and an fma before), p_n by 9 u of 1 (i n r <= 1), ``(2 n + 1) T r`` by 9 u of itself. With the product
and the fma a row adds ``10 u |Q_n| + 10 u (2 n + 1) T r |x_n|`` to the error of Q, whence at most ``10 (n + 1) u
S_n`` at row n, where ``S_n = |Q_0| + sum_{j<n} (2 j + 1) T r_j |x_j|``; x' errs by ``r`` times ``(10 n + 17) u S_n +
9 u (n + 1) T |x_n|``, and by u |x'_n|: of the size of the change, but for the last rounding. A padded step (``T = i =
Q_0 = 0``) is the identity. Rows at and above the order are computed and dropped: nothing flows down in a forward run,
and backwards they hold zeros.

**What bounds it.** r, p and two products with T depend on the step and the row alone, about 16 instructions for each
row, and a thread computes them once for its ``depth`` streams. Counted in the machine code for compute capability
9.0, last states take 7.2 instructions for a coefficient at depth 8 in float32 (4 of them the row's own) and 13.1 at
depth 4 in float64, 22 and 35 at depth 1. Last states are bound by instruction issue, all states by the device's
bandwidth. Depth grows only while every scheduler keeps a warp; below that latency rules. A lane's rows go to memory
together, so that neighbouring threads write neighbouring 16 bytes (the compiler exchanges them): 16 bytes here and
there, half of what memory takes at once, were written at a quarter of the rate.

**Invariant laws.** ``c' = c + (G c + g u)``. Last states need no steps at all: ``A^K c + sum_j A^{K-1-j} g u_j`` is
one product with a ``(K, N)`` table, and all states of a large batch are products of chunks; `torch.matmul` is the
best code for both. The kernels here do what it cannot: they keep G in shared memory and the states of 16 streams in
registers from step to step, so that one launch runs all K steps and moves nothing but samples and states, where
chunks are too short or streams too few for products. The product is an fma in float32 (no TF32) and the tensor cores'
own in float64.

Offsets are 64-bit, strides arbitrary, and a launch goes to the tensors' own device. With ``TRITON_INTERPRET=1`` set
before this module is imported the same kernels run, slowly, on processor tensors.
"""

# ruff: noqa: RUF005  (tuples in kernels are joined with +: Triton does not unpack them)

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import numpy as np
import torch
import triton
import triton.language as tl

from hippo_fast.discretizations.base import EvenSteps, PrefixSteps

Tensor: TypeAlias = Any  # torch is skipped by the type checker

_WARP = 32
_ROWS = 8  # of a lane
_LEVELS = 3  # log2 of them
_BAND = _WARP * _ROWS  # rows of one launch; the running sum goes from band to band through memory
_DEPTH_BYTES = 32  # depth times the bytes of a number: at most 8 streams in a thread in float32, 4 in float64
_SCHEDULERS = 4  # of one multiprocessor; each issues from its own warps
_BLOCK = 16  # streams in one program of an invariant law
_INVARIANT_ORDER = 64  # the matrix and the state then fit the shared memory of every device: at most 56 KiB
_VERSION = tuple(int(part) for part in triton.__version__.split(".")[:2])
_OLDEST = (3, 6)  # of those the kernels were run with
# Only what is written as an fma is one, so that the processor's interpreter and a device round alike.
_OPTIONS = {"enable_fp_fusion": False}


def legs_why_not(order: int, dtype: Any) -> str | None:
    """Return None if `legs_forward` and `legs_adjoint` run this order and dtype, or the reason they do not."""
    if _VERSION < _OLDEST:
        return f"triton is {triton.__version__}; accepted: {'.'.join(map(str, _OLDEST))} or newer"
    if dtype not in (torch.float32, torch.float64):
        return f"dtype is {dtype}; accepted: torch.float32 or torch.float64"
    return None if order >= 1 else f"order is {order}; accepted: at least 1"


def invariant_why_not(order: int, dtype: Any) -> str | None:
    """Return None if `invariant_forward` and `invariant_adjoint` run this, or the reason they do not."""
    if order > _INVARIANT_ORDER:
        return f"order is {order}; accepted: at most {_INVARIANT_ORDER}, so that the matrix stays on the multiprocessor"
    return legs_why_not(order, dtype)


def legs_forward(
    steps: EvenSteps | PrefixSteps,
    state: Tensor,
    samples: Tensor,
    before: Tensor,
    states: Tensor | None,
    scale: Tensor,
) -> None:
    """Run K steps of LegS on S streams.

    Args:
        steps: K steps; the arrays of `PrefixSteps` may be ``(S, K)``, times of its own for each stream.
        state: ``(S, N)``, ``x = c/s_n``; overwritten with the state after the last step.
        samples: ``(S, K)``.
        before: ``(S,)``, the sample before ``samples[:, 0]``.
        states: ``(S, K, N)``, overwritten with ``scale`` times the state after each step; or None.
        scale: ``(N,)``.

    All tensors are float32, or all float64, on one device.
    """
    (streams, order), count = state.shape, samples.shape[1]
    if streams == 0 or count == 0:
        return
    table, now, explicit = _numbers_of(steps, state)
    sums = now * samples
    sums[:, 1:] += explicit[:, 1:] * samples[:, :-1]
    sums[:, 0] += explicit[:, 0] * before
    target = state if states is None else states
    for begin in range(0, order, _BAND):
        lanes, block = _spread(streams, order - begin, state, states is not None)
        with _device(state):
            _legs_forward[(triton.cdiv(streams, block),)](
                table, state, sums, target, scale,
                streams, order, count, begin,
                *table.stride(), *state.stride(), *sums.stride(), *_three(target), *scale.stride(),
                ROWS=_ROWS, LEVELS=_LEVELS, LANES=lanes, BLOCK=block,
                OWN=table.shape[1] > 1, STORE=states is not None, LEAVE=begin + _BAND < order,
                num_warps=1, **_OPTIONS,
            )  # fmt: skip


def legs_adjoint(
    steps: EvenSteps | PrefixSteps, costate: Tensor, incoming: Tensor | None, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """Run K steps of LegS backwards on S streams.

    Args:
        steps: as `legs_forward` took them.
        costate: ``(S, N)``, the gradient of the state after the last step; overwritten with that of the first state.
        incoming: ``(S, K, N)``, the gradient of ``states``; or None.
        scale: ``(N,)``, as `legs_forward` took it.

    Returns:
        The gradients of ``samples`` ``(S, K)`` and of ``before`` ``(S,)``.
    """
    (streams, order), count = costate.shape, _count(steps)
    sums = costate.new_zeros((streams, count))
    if streams == 0 or count == 0:
        return sums, costate.new_zeros(streams)
    table, now, explicit = _numbers_of(steps, costate)
    source = costate if incoming is None else incoming
    for begin in reversed(range(0, order, _BAND)):
        lanes, block = _spread(streams, order - begin, costate, incoming is not None)
        with _device(costate):
            _legs_adjoint[(triton.cdiv(streams, block),)](
                table, costate, sums, source, scale,
                streams, order, count, begin,
                *table.stride(), *costate.stride(), *sums.stride(), *_three(source), *scale.stride(),
                ROWS=_ROWS, LEVELS=_LEVELS, LANES=lanes, BLOCK=block,
                OWN=table.shape[1] > 1, READ=incoming is not None, ENTER=begin + _BAND < order,
                num_warps=1, **_OPTIONS,
            )  # fmt: skip
    gradients = now * sums
    gradients[:, :-1] += explicit[:, 1:] * sums[:, 1:]
    return gradients, explicit[:, 0] * sums[:, 0]


def invariant_forward(increment: Tensor, gain: Tensor, state: Tensor, samples: Tensor, states: Tensor | None) -> None:
    """Run K steps ``c' = c + (increment c + gain u)`` on S streams.

    Args:
        increment: ``(N, N)``.
        gain: ``(N,)``.
        state: ``(S, N)``; overwritten with the state after the last step.
        samples: ``(S, K)``.
        states: ``(S, K, N)``, overwritten with the state after each step; or None.
    """
    (streams, order), count = state.shape, samples.shape[1]
    if streams == 0 or count == 0:
        return
    stored = state.new_empty((0, 0, 0)) if states is None else states
    with _device(state):
        _invariant_forward[(triton.cdiv(streams, _BLOCK),)](
            increment, gain, state, samples, stored,
            streams, order, count,
            *increment.stride(), *gain.stride(), *state.stride(), *samples.stride(), *stored.stride(),
            ORDER=max(16, triton.next_power_of_2(order)), BLOCK=_BLOCK, STORE=states is not None,
            num_warps=4, **_OPTIONS,
        )  # fmt: skip


def invariant_adjoint(increment: Tensor, gain: Tensor, costate: Tensor, incoming: Tensor | None, count: int) -> Tensor:
    """Run ``count`` steps of `invariant_forward` backwards on S streams.

    Args:
        increment: ``(N, N)``.
        gain: ``(N,)``.
        costate: ``(S, N)``, the gradient of the state after the last step; overwritten with that of the first state.
        incoming: ``(S, K, N)``, the gradient of ``states``; or None.
        count: K.

    Returns:
        The gradient of ``samples``, ``(S, K)``.
    """
    streams, order = costate.shape
    gradients = costate.new_zeros((streams, count))
    if streams == 0 or count == 0:
        return gradients
    read = costate.new_empty((0, 0, 0)) if incoming is None else incoming
    with _device(costate):
        _invariant_adjoint[(triton.cdiv(streams, _BLOCK),)](
            increment, gain, costate, gradients, read,
            streams, order, count,
            *increment.stride(), *gain.stride(), *costate.stride(), *gradients.stride(), *read.stride(),
            ORDER=max(16, triton.next_power_of_2(order)), BLOCK=_BLOCK, READ=incoming is not None,
            num_warps=4, **_OPTIONS,
        )  # fmt: skip
    return gradients


def _device(tensor: Tensor) -> AbstractContextManager[Any]:
    """Return what makes the tensor's device the current one, where Triton launches."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


def _three(tensor: Tensor) -> tuple[int, ...]:
    """Return three strides, also of a matrix that stands in for states that nobody asked for."""
    return tuple(tensor.stride()) if tensor.ndim == 3 else (0, *tensor.stride())


def _count(steps: EvenSteps | PrefixSteps) -> int:
    """Return K, also of steps with times of their own."""
    return len(steps) if isinstance(steps, EvenSteps) else int(steps.total.shape[-1])


def _numbers_of(steps: EvenSteps | PrefixSteps, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return total and implicit ``(2, 1 or S, K)``, now and before ``(1 or S, K)``: one transfer, rounded once."""
    arrays = steps.prefix() if isinstance(steps, EvenSteps) else steps
    stacked = np.stack([np.atleast_2d(a) for a in (arrays.total, arrays.implicit, arrays.now, arrays.before)])
    numbers = torch.from_numpy(stacked).to(dtype=like.dtype).to(device=like.device)
    return numbers[:2], numbers[2], numbers[3]


def _spread(streams: int, order: int, like: Tensor, moves_states: bool) -> tuple[int, int]:
    """Return the lanes of a stream and the streams of a program, which is one warp, for the rest of the order."""
    lanes = min(_WARP, triton.next_power_of_2(triton.cdiv(order, _ROWS)))
    schedulers = 1
    if like.is_cuda:
        schedulers = _SCHEDULERS * torch.cuda.get_device_properties(like.device).multi_processor_count
    most = _DEPTH_BYTES // like.dtype.itemsize // (2 if moves_states else 1)  # addresses take registers too
    depth = 1
    while 2 * depth <= most and streams * lanes >= 2 * depth * _WARP * schedulers:
        depth *= 2
    return lanes, depth * _WARP // lanes


def _jit(function: Callable[..., Any]) -> Any:
    """Return the kernel or device function; another number of streams or steps is no reason to compile again."""
    return triton.jit(function, do_not_specialize=("streams", "count"))


@_jit
def _coefficients(above: tl.tensor, total: tl.tensor, implicit: tl.tensor) -> Any:
    """Return ``r``, ``p``, ``(n + 1) T`` and ``(2 n + 1) T r`` of a row, from ``above = n + 1``."""
    r = 1.0 / tl.fma(implicit, above, 1.0)
    p = tl.fma(-implicit, above - 1.0, 1.0) * r
    return r, p, above * total, (2.0 * above - 1.0) * total * r


@_jit
def _joined(x: tl.tensor, ROWS: tl.constexpr, LEVELS: tl.constexpr, BLOCK: tl.constexpr, LANES: tl.constexpr) -> Any:
    """Return all rows of the lanes side by side, ``(BLOCK, LANES, ROWS)``: neighbours in memory are stored together."""
    for level in tl.static_range(LEVELS):
        pairs: tl.tuple = ()
        for i in tl.static_range(ROWS >> (level + 1)):
            pairs = pairs + (tl.reshape(tl.join(x[i], x[i + (ROWS >> (level + 1))]), [BLOCK, LANES, 2 << level]),)
        x = pairs
    return x[0]


@_jit
def _parted(
    joined: tl.tensor, ROWS: tl.constexpr, LEVELS: tl.constexpr, BLOCK: tl.constexpr, LANES: tl.constexpr
) -> Any:
    """Undo `_joined`."""
    x: tl.tuple = (joined,)
    for level in tl.static_range(LEVELS):
        even: tl.tuple = ()
        odd: tl.tuple = ()
        for i in tl.static_range(1 << level):
            low, high = tl.split(tl.reshape(x[i], [BLOCK, LANES, ROWS >> (level + 1), 2]))
            even, odd = even + (low,), odd + (high,)
        x = even + odd
    for i in tl.static_range(ROWS):
        x = x + (tl.reshape(x[i], [BLOCK, LANES]),)
    return x[ROWS:]


@_jit
def _legs_forward(
    table: tl.tensor,
    state: tl.tensor,
    sums: tl.tensor,
    states: tl.tensor,
    scale: tl.tensor,
    streams: tl.tensor,
    order: tl.tensor,
    count: tl.tensor,
    begin: tl.tensor,
    table_number: tl.tensor,
    table_owner: tl.tensor,
    table_step: tl.tensor,
    state_stream: tl.tensor,
    state_row: tl.tensor,
    sums_stream: tl.tensor,
    sums_step: tl.tensor,
    states_stream: tl.tensor,
    states_step: tl.tensor,
    states_row: tl.tensor,
    scale_row: tl.tensor,
    ROWS: tl.constexpr,
    LANES: tl.constexpr,
    BLOCK: tl.constexpr,
    LEVELS: tl.constexpr,
    OWN: tl.constexpr,
    STORE: tl.constexpr,
    LEAVE: tl.constexpr,
) -> None:
    """Run a band of rows from ``begin`` on, for BLOCK streams; the running sum enters it, and leaves it, by ``sums``.

    Tensors are ``(BLOCK, LANES)``, or ``(1, LANES)`` where streams share them.
    """
    lane = tl.arange(0, LANES)[None, :]
    row = begin + lane * ROWS
    each = row[:, :, None] + tl.arange(0, ROWS)[None, None, :]
    stream = (tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK))[:, None]
    present = stream < streams
    owner = stream if OWN else tl.full([1, 1], 0, tl.int64)
    known = present if OWN else tl.full([1, 1], True, tl.int1)
    left = tl.broadcast_to(tl.where(lane == 0, 0, lane - 1), [BLOCK, LANES])

    x: tl.tuple = ()
    for i in tl.static_range(ROWS):
        at = state + stream * state_stream + (row + i) * state_row
        x = x + (tl.load(at, mask=present & (row + i < order), other=0.0),)
    if STORE:
        weights = tl.load(scale + each * scale_row, mask=each < order, other=0.0)

    running = tl.full([BLOCK, LANES], 0.0, x[0].dtype)
    step = (0 - lane).to(tl.int64)
    inside = (step >= 0) & (step < count)
    numbers = table + owner * table_owner + step * table_step
    total = tl.load(numbers, mask=inside & known, other=0.0)
    implicit = tl.load(numbers + table_number, mask=inside & known, other=0.0)
    entering = tl.load(sums + stream * sums_stream + step * sums_step, mask=inside & present & (lane == 0), other=0.0)
    for _ in range(count + LANES - 1):
        # The next front's numbers are under way while this front is computed.
        next_step = step + 1
        next_inside = (next_step >= 0) & (next_step < count)
        next_numbers = table + owner * table_owner + next_step * table_step
        next_total = tl.load(next_numbers, mask=next_inside & known, other=0.0)
        next_implicit = tl.load(next_numbers + table_number, mask=next_inside & known, other=0.0)
        next_sums = sums + stream * sums_stream + next_step * sums_step
        next_entering = tl.load(next_sums, mask=next_inside & present & (lane == 0), other=0.0)

        if LANES > 1:
            running = tl.gather(running, left, 1)
        running = tl.where(lane == 0, entering, running)
        moved: tl.tuple = ()
        for i in tl.static_range(ROWS):
            r, p, a, b = _coefficients((row + i + 1).to(total.dtype), total, implicit)
            moved = moved + (tl.fma(r, tl.fma(-a, x[i], running), x[i]),)
            running = tl.fma(p, running, -b * x[i])
        x = moved
        if STORE:
            writes = states + stream[:, :, None] * states_stream + step[:, :, None] * states_step + each * states_row
            mask = (present & inside)[:, :, None] & (each < order)
            tl.store(writes, _joined(x, ROWS, LEVELS, BLOCK, LANES) * weights, mask=mask)
        if LEAVE:  # behind what lane 0 reads, so that one array serves
            leaving = sums + stream * sums_stream + step * sums_step
            tl.store(leaving, running, mask=inside & present & (lane == LANES - 1))
        step, inside = next_step, next_inside
        total, implicit, entering = next_total, next_implicit, next_entering

    for i in tl.static_range(ROWS):
        at = state + stream * state_stream + (row + i) * state_row
        tl.store(at, x[i], mask=present & (row + i < order))


@_jit
def _legs_adjoint(
    table: tl.tensor,
    costate: tl.tensor,
    sums: tl.tensor,
    incoming: tl.tensor,
    scale: tl.tensor,
    streams: tl.tensor,
    order: tl.tensor,
    count: tl.tensor,
    begin: tl.tensor,
    table_number: tl.tensor,
    table_owner: tl.tensor,
    table_step: tl.tensor,
    costate_stream: tl.tensor,
    costate_row: tl.tensor,
    sums_stream: tl.tensor,
    sums_step: tl.tensor,
    incoming_stream: tl.tensor,
    incoming_step: tl.tensor,
    incoming_row: tl.tensor,
    scale_row: tl.tensor,
    ROWS: tl.constexpr,
    LANES: tl.constexpr,
    BLOCK: tl.constexpr,
    LEVELS: tl.constexpr,
    OWN: tl.constexpr,
    READ: tl.constexpr,
    ENTER: tl.constexpr,
) -> None:
    """Run a band of rows backwards: `_legs_forward` transposed, so that rows, lanes, bands and steps descend."""
    lane = tl.arange(0, LANES)[None, :]
    row = begin + lane * ROWS
    each = row[:, :, None] + tl.arange(0, ROWS)[None, None, :]
    stream = (tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK))[:, None]
    present = stream < streams
    owner = stream if OWN else tl.full([1, 1], 0, tl.int64)
    known = present if OWN else tl.full([1, 1], True, tl.int1)
    right = tl.broadcast_to(tl.where(lane == LANES - 1, lane, lane + 1), [BLOCK, LANES])

    y: tl.tuple = ()
    for i in tl.static_range(ROWS):
        at = costate + stream * costate_stream + (row + i) * costate_row
        y = y + (tl.load(at, mask=present & (row + i < order), other=0.0),)
    if READ:
        weights = tl.load(scale + each * scale_row, mask=each < order, other=0.0)

    rho = tl.full([BLOCK, LANES], 0.0, y[0].dtype)
    step = (count - 1 + LANES - 1 - lane).to(tl.int64)
    inside = (step >= 0) & (step < count)
    numbers = table + owner * table_owner + step * table_step
    total = tl.load(numbers, mask=inside & known, other=0.0)
    implicit = tl.load(numbers + table_number, mask=inside & known, other=0.0)
    for _ in range(count + LANES - 1):
        next_step = step - 1
        next_inside = (next_step >= 0) & (next_step < count)
        next_numbers = table + owner * table_owner + next_step * table_step
        next_total = tl.load(next_numbers, mask=next_inside & known, other=0.0)
        next_implicit = tl.load(next_numbers + table_number, mask=next_inside & known, other=0.0)

        if READ:
            reads = incoming + stream[:, :, None] * incoming_stream + step[:, :, None] * incoming_step
            mask = (present & inside)[:, :, None] & (each < order)
            given = tl.load(reads + each * incoming_row, mask=mask, other=0.0)
            parts = _parted(given * weights, ROWS, LEVELS, BLOCK, LANES)
            added: tl.tuple = ()
            for i in tl.static_range(ROWS):
                added = added + (y[i] + parts[i],)
            y = added
        at_step = sums + stream * sums_stream + step * sums_step
        if LANES > 1:
            rho = tl.gather(rho, right, 1)
        if ENTER:
            entering = tl.load(at_step, mask=inside & present & (lane == LANES - 1), other=0.0)
            rho = tl.where(lane == LANES - 1, entering, rho)
        else:
            rho = tl.where(lane == LANES - 1, 0.0, rho)
        moved: tl.tuple = ()
        for i in tl.static_range(ROWS - 1, -1, -1):
            r, p, a, b = _coefficients((row + i + 1).to(total.dtype), total, implicit)
            g = r * y[i]
            moved = (tl.fma(-b, rho, tl.fma(-a, g, y[i])),) + moved
            rho = tl.fma(p, rho, g)
        y = moved
        tl.store(at_step, rho, mask=inside & present & (lane == 0))
        step, inside = next_step, next_inside
        total, implicit = next_total, next_implicit

    for i in tl.static_range(ROWS):
        at = costate + stream * costate_stream + (row + i) * costate_row
        tl.store(at, y[i], mask=present & (row + i < order))


@_jit
def _invariant_forward(
    increment: tl.tensor,
    gain: tl.tensor,
    state: tl.tensor,
    samples: tl.tensor,
    states: tl.tensor,
    streams: tl.tensor,
    order: tl.tensor,
    count: tl.tensor,
    increment_row: tl.tensor,
    increment_column: tl.tensor,
    gain_row: tl.tensor,
    state_stream: tl.tensor,
    state_row: tl.tensor,
    samples_stream: tl.tensor,
    samples_step: tl.tensor,
    states_stream: tl.tensor,
    states_step: tl.tensor,
    states_row: tl.tensor,
    ORDER: tl.constexpr,
    BLOCK: tl.constexpr,
    STORE: tl.constexpr,
) -> None:
    """Run BLOCK streams; the matrix stands transposed, ``c'^T = c^T + c^T G^T + u g^T``."""
    stream = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    present = stream < streams
    n, k = tl.arange(0, ORDER)[None, :], tl.arange(0, ORDER)[:, None]
    matrix = tl.load(increment + n * increment_row + k * increment_column, mask=(n < order) & (k < order), other=0.0)
    weights = tl.load(gain + n * gain_row, mask=n < order, other=0.0)
    kept = present[:, None] & (n < order)
    c = tl.load(state + stream[:, None] * state_stream + n * state_row, mask=kept, other=0.0)
    step = tl.full([1], 0, tl.int64)
    sample = tl.load(samples + stream * samples_stream, mask=present, other=0.0)
    for _ in range(count):
        next_step = step + 1
        next_at = samples + stream * samples_stream + next_step * samples_step
        next_sample = tl.load(next_at, mask=present & (next_step < count), other=0.0)
        c = c + tl.dot(c, matrix, acc=sample[:, None] * weights, input_precision="ieee", out_dtype=c.dtype)
        if STORE:
            writes = states + stream[:, None] * states_stream + step[:, None] * states_step + n * states_row
            tl.store(writes, c, mask=kept)
        step, sample = next_step, next_sample
    tl.store(state + stream[:, None] * state_stream + n * state_row, c, mask=kept)


@_jit
def _invariant_adjoint(
    increment: tl.tensor,
    gain: tl.tensor,
    costate: tl.tensor,
    gradients: tl.tensor,
    incoming: tl.tensor,
    streams: tl.tensor,
    order: tl.tensor,
    count: tl.tensor,
    increment_row: tl.tensor,
    increment_column: tl.tensor,
    gain_row: tl.tensor,
    costate_stream: tl.tensor,
    costate_row: tl.tensor,
    gradients_stream: tl.tensor,
    gradients_step: tl.tensor,
    incoming_stream: tl.tensor,
    incoming_step: tl.tensor,
    incoming_row: tl.tensor,
    ORDER: tl.constexpr,
    BLOCK: tl.constexpr,
    READ: tl.constexpr,
) -> None:
    """Run BLOCK streams backwards: ``lambda^T = lambda'^T + lambda'^T G``, and a sample gets ``g^T lambda'``."""
    stream = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    present = stream < streams
    n, k = tl.arange(0, ORDER)[None, :], tl.arange(0, ORDER)[:, None]
    matrix = tl.load(increment + k * increment_row + n * increment_column, mask=(n < order) & (k < order), other=0.0)
    weights = tl.load(gain + n * gain_row, mask=n < order, other=0.0)
    kept = present[:, None] & (n < order)
    y = tl.load(costate + stream[:, None] * costate_stream + n * costate_row, mask=kept, other=0.0)
    step = tl.full([1], 0, tl.int64) + (count - 1)
    for _ in range(count):
        if READ:
            reads = incoming + stream[:, None] * incoming_stream + step[:, None] * incoming_step + n * incoming_row
            y = y + tl.load(reads, mask=kept, other=0.0)
        writes = gradients + stream * gradients_stream + step * gradients_step
        tl.store(writes, tl.sum(y * weights, axis=1), mask=present)
        y = y + tl.dot(y, matrix, input_precision="ieee", out_dtype=y.dtype)
        step = step - 1
    tl.store(costate + stream[:, None] * costate_stream + n * costate_row, y, mask=kept)
