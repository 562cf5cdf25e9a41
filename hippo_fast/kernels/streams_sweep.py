"""The compiled part of `streams`: sweeps over blocks of streams, in explicit vectors.

A block holds one vector of streams, ``(rows, width)``. A sweep takes it through `STEPS` steps in one pass over its
rows. Step s lags step s - 1 by one row, so what one step writes is what the next reads, and stays in registers: each
state is loaded and stored once a sweep. Steps that are through with one sweep are in the next at once. Here rows and
steps come in the order of the sweep; going backwards both descend. Where every step receives something from memory,
that reading takes longest, and a pass over the rows is one step, see `_make_reception`.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from hippo_fast.kernels.simd import Vectors, data_pointer, intrinsic, jit, vector_bytes

STEPS: Final = 8 if vector_bytes() == 64 else 4
"""Steps in one sweep: three registers for each, of 32 with AVX-512 and of 16 elsewhere."""

UNROLLED: Final = 2
"""Rows in one turn of a sweep's loop, so that registers swap their roles without moves."""

AHEAD: Final = 2048
"""Bytes of a stream between what is received and what is fetched meanwhile: whole steps, at least one."""


def padded_rows(order: int) -> int:
    """Return the rows of a block: at least ``STEPS + 1``, and from there a whole number of turns."""
    rows = max(order, STEPS + 1)
    return rows + (STEPS + 1 - rows) % UNROLLED


def _integer(value: int) -> Any:
    return ir.IntType(64)(value)


def _forward(v: Vectors, x: Any, change: Any, above: Any, alpha: Any, minus_beta: Any) -> Any:
    """Return ``X'``, ``D`` and the next row's ``X_{n-1}`` for each step of a list, operation by operation.

    In this order independent operations stand side by side, so that one row waits little for another.
    """
    add, multiply = v.builder.fadd, v.builder.fmul
    held = [add(a, b) for a, b in zip(x, above, strict=True)]
    grown = [multiply(a, b) for a, b in zip(alpha, change, strict=True)]
    change = [v.fma(a, b, c) for a, b, c in zip(minus_beta, held, grown, strict=True)]
    return [add(a, b) for a, b in zip(x, change, strict=True)], change, x


def _backward(v: Vectors, x: Any, change: Any, above: Any, alpha: Any, minus_beta: Any) -> Any:
    """Return ``L'``, ``E`` and ``-beta_n E_n``, as `_forward`, from ``L``, ``E`` and ``-beta_{n+1} E_{n+1}``."""
    add, multiply = v.builder.fadd, v.builder.fmul
    change = [v.fma(a, b, c) for a, b, c in zip(alpha, change, x, strict=True)]
    taken = [multiply(a, b) for a, b in zip(minus_beta, change, strict=True)]
    rest = [add(a, b) for a, b in zip(x, above, strict=True)]
    return [add(a, b) for a, b in zip(rest, taken, strict=True)], change, taken


def _coefficients(v: Vectors, factors: Any, row: Any, total: Any, implicit: Any) -> tuple[Any, Any]:
    """Return ``alpha_n`` and ``-beta_n`` from the row's factors ``n + 1``, ``n - 1`` and ``(n + 1)/(n - 1)``."""
    b, one = v.builder, v.constant(1.0)
    at = b.mul(row, _integer(3))
    up, down, ratio = (v.splat(v.load_one(factors, b.add(at, _integer(i)))) for i in range(3))
    inverse = b.fdiv(one, v.fma(implicit, up, one))
    alpha = b.fmul(b.fmul(ratio, inverse), v.fma(b.fneg(implicit), down, one))
    return alpha, b.fneg(b.fmul(b.fmul(up, total), inverse))


def _make_sweeps(backward: bool, own: bool) -> Any:
    """Return the intrinsic ``(block, steps, factors, carry, rows, sweeps)`` of one kind of sweeps.

    ``carry`` ``(sweeps, STEPS, width)`` holds ``D_{-1}`` of each step, and going backwards receives ``E_0``.

    Args:
        backward: the transposed steps.
        own: each stream has its own steps, and ``steps`` is a pace ``(sweeps, STEPS, 2, width)`` of `total` and
            `implicit`, from which and from ``factors`` the coefficients are computed; else it is a table of them,
            ``(sweeps, rows + 1, 2, STEPS)``.
    """

    @intrinsic
    def sweeps(_typing: Any, block: Any, steps: Any, factors: Any, carry: Any, rows: Any, count: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            given = [data_pointer(context, builder, signature.args[i], values[i]) for i in range(4)] + list(values[4:])
            _emit_sweeps(Vectors.of(builder, block.dtype), *given, backward=backward, own=own)
            return context.get_dummy_value()

        return types.void(block, steps, factors, carry, rows, count), emit

    return sweeps


class _Place(NamedTuple):
    """Where a step stands in one turn: its row, the sweep it belongs to, and whether the row is its first or last."""

    step: int
    row: Any
    sweep: Any
    first: bool = False
    last: bool = False


def _emit_sweeps(
    v: Vectors,
    block: Any,
    steps: Any,
    factors: Any,
    carry: Any,
    rows: Any,
    count: Any,
    *,
    backward: bool,
    own: bool,
) -> None:
    b = v.builder
    element = _backward if backward else _forward
    with b.goto_entry_block():  # LLVM keeps each of these in a register
        change, above, written, alpha_before = ([b.alloca(v.type) for _ in range(STEPS)] for _ in range(4))
    for slot in alpha_before:
        b.store(v.zero, slot)

    def vector_at(place: _Place, rest: int = 0) -> Any:
        return b.add(b.mul(place.sweep, _integer(STEPS * v.width)), _integer(place.step * v.width + rest))

    def coefficients(place: _Place) -> tuple[Any, Any]:
        s = place.step
        if not own:
            row = b.add(b.mul(place.sweep, b.add(rows, _integer(1))), place.row)
            at = b.mul(row, _integer(2 * STEPS))
            alpha, minus_beta = (v.load_one(steps, b.add(at, _integer(s + i * STEPS))) for i in range(2))
            return v.splat(alpha), v.splat(minus_beta)
        pair = b.mul(vector_at(place), _integer(2))
        total, implicit = v.load(steps, pair), v.load(steps, b.add(pair, _integer(v.width)))
        alpha, minus_beta = _coefficients(v, factors, place.row, total, implicit)
        if backward:  # going down, row n needs alpha_{n+1}
            used = b.load(alpha_before[s])
            b.store(alpha, alpha_before[s])
            return used, minus_beta
        return alpha, minus_beta

    def entering(place: _Place) -> Any:
        return b.load(written[place.step - 1]) if place.step else v.load(block, b.mul(place.row, _integer(v.width)))

    def carried(place: _Place) -> tuple[Any, Any]:
        if place.first:
            return v.zero if backward else v.load(carry, vector_at(place)), v.zero
        # Going backwards row 0, the last, takes nothing from row 1 but E.
        return b.load(change[place.step]), v.zero if backward and place.last else b.load(above[place.step])

    def turn(places: list[_Place]) -> None:
        x = [entering(place) for place in places]
        alpha, minus_beta = zip(*map(coefficients, places), strict=True)
        changes, beside = zip(*map(carried, places), strict=True)
        for place, y, d, w in zip(places, *element(v, x, changes, beside, alpha, minus_beta), strict=True):
            b.store(d, change[place.step])
            b.store(v.zero if place.first and not backward else w, above[place.step])  # row 1 takes nothing from X_0
            if place.step == STEPS - 1:
                v.store(y, block, b.mul(place.row, _integer(v.width)))
            else:
                b.store(y, written[place.step])
            if backward and place.last:
                v.store(d, carry, vector_at(place))

    def opening(sweep: Any, t: int) -> list[_Place]:
        return [_Place(s, _integer(t - s), sweep, first=s == t) for s in range(t + 1)]

    def closing(sweep: Any, t: int) -> list[_Place]:
        past = b.add(rows, _integer(t))
        return [_Place(s, b.sub(past, _integer(s)), sweep, last=s == t + 1) for s in range(t + 1, STEPS)]

    for t in range(STEPS):
        turn(opening(_integer(0), t))
    with cgutils.for_range(b, count) as loop:
        sweep, following = loop.index, b.add(loop.index, _integer(1))
        last = b.sub(rows, _integer(1))
        with cgutils.for_range_slice(b, _integer(STEPS), last, _integer(UNROLLED), inc=True) as (row, _):
            for i in range(UNROLLED):
                turn([_Place(s, b.add(row, _integer(i - s)), sweep) for s in range(STEPS)])
        turn(closing(sweep, -1))
        with b.if_then(b.icmp_signed("<", following, count)):
            for t in range(STEPS):  # steps that are through with one sweep are in the next already
                turn(opening(following, t) + closing(sweep, t))
    for t in range(STEPS - 1):
        turn(closing(b.sub(count, _integer(1)), t))


@intrinsic
def _write_table_of_steps(_typing: Any, table: Any, factors: Any, pace: Any, rows: Any) -> Any:
    """Fill ``table`` ``(STEPS, 2, rows + 1)`` as `_write_table`, going backwards: ``alpha`` one row further."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        v, b = Vectors.of(builder, table.dtype, STEPS), builder
        out, given, steps = (data_pointer(context, builder, signature.args[i], values[i]) for i in range(3))
        total, implicit = v.load(steps), v.load(steps, STEPS)
        rows, square, one = values[3], _integer(STEPS), _integer(1)
        last, length = b.sub(rows, square), b.add(rows, one)
        with cgutils.for_range(b, b.sdiv(b.add(rows, _integer(STEPS - 1)), square)) as loop:
            begin = b.mul(loop.index, square)
            begin = b.select(b.icmp_signed("<", begin, last), begin, last)
            found = [_coefficients(v, given, b.add(begin, _integer(i)), total, implicit) for i in range(STEPS)]
            for i, columns in enumerate(map(v.transpose, map(list, zip(*found, strict=True)))):
                for s, column in enumerate(columns):
                    v.store(column, out, b.add(b.mul(length, _integer(2 * s + i)), b.add(begin, _integer(1 - i))))
        return context.get_dummy_value()

    return types.void(table, factors, pace, rows), emit


@intrinsic
def _write_table(_typing: Any, table: Any, factors: Any, pace: Any, rows: Any, shift: Any) -> Any:
    """Fill ``table`` ``(rows + 1, 2, STEPS)`` from ``pace`` ``(2, STEPS)``; ``alpha`` goes ``shift`` rows further."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        v = Vectors.of(builder, table.dtype, STEPS)
        out, given, steps = (data_pointer(context, builder, signature.args[i], values[i]) for i in range(3))
        total, implicit = v.load(steps), v.load(steps, STEPS)
        with cgutils.for_range(builder, values[3]) as loop:
            alpha, minus_beta = _coefficients(v, given, loop.index, total, implicit)
            place = builder.mul(loop.index, _integer(2 * STEPS))
            further = builder.mul(builder.add(loop.index, values[4]), _integer(2 * STEPS))
            v.store(alpha, out, further)
            v.store(minus_beta, out, builder.add(place, _integer(STEPS)))
        return context.get_dummy_value()

    return types.void(table, factors, pace, rows, shift), emit


def _pointer_to(builder: Any, float_type: Any, address: Any) -> Any:
    element = ir.FloatType() if float_type == types.float32 else ir.DoubleType()
    return builder.inttoptr(address, element.as_pointer())


@intrinsic
def _read(_typing: Any, like: Any, address: Any) -> Any:
    """Return the float at an address, of the dtype of ``like``: one compiled kernel reads arrays of any strides."""

    def emit(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.load(_pointer_to(builder, like.dtype, values[1]), align=1)

    return like.dtype(like, address), emit


@intrinsic
def _write(_typing: Any, value: Any, address: Any) -> Any:
    """Put a float at an address."""

    def emit(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        builder.store(values[0], _pointer_to(builder, value, values[1]), align=1)

    return types.void(value, address), emit


def _prefetch(v: Vectors, address: Any) -> None:
    """Start to fetch the cache line at an address, from anywhere, into the second cache (locality 2 of LLVM's 0..3)."""
    number, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
    signature = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
    fetch = v.builder.module.declare_intrinsic("llvm.prefetch", [pointer], signature)
    v.builder.call(fetch, [v.builder.inttoptr(address, pointer), number(0), number(2), number(1)])


def _addresses(v: Vectors, address: Any, stride: Any, last: Any) -> list[Any]:
    """Return the addresses of ``width`` vectors, ``stride`` bytes apart; those past ``last`` repeat it."""
    steps = [_integer(i) for i in range(v.width)]
    steps = [v.builder.select(v.builder.icmp_signed("<", i, last), i, last) for i in steps]
    return [v.builder.add(address, v.builder.mul(stride, i)) for i in steps]


def _make_transposition(operation: str, entering: bool) -> Any:
    """Return the intrinsic ``(factors, index, source, source_stride, last, target, target_stride)``.

    It reads a square of ``width`` vectors at address ``source``, strides in bytes, those past ``last`` like that one,
    and writes their columns to address ``target``. The vector at ``factors[index]`` multiplies or divides
    (``operation``) each one as it enters or as it leaves.
    """

    @intrinsic
    def transpose(
        _typing: Any,
        factors: Any,
        index: Any,
        source: Any,
        source_stride: Any,
        last: Any,
        target: Any,
        target_stride: Any,
    ) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            v = Vectors.of(builder, factors.dtype)
            factor = v.load(data_pointer(context, builder, signature.args[0], values[0]), values[1])

            def places(address: Any, stride: Any, last: Any) -> list[Any]:
                return [_pointer_to(builder, factors.dtype, at) for at in _addresses(v, address, stride, last)]

            def weighted(vectors: list[Any], ours: bool) -> list[Any]:
                return [getattr(builder, operation)(a, factor) for a in vectors] if ours else vectors

            read = [v.load(place) for place in places(values[2], values[3], values[4])]
            columns = weighted(v.transpose(weighted(read, entering)), not entering)
            for column, place in zip(columns, places(values[5], values[6], _integer(v.width)), strict=True):
                v.store(column, place)
            return context.get_dummy_value()

        return types.void(factors, index, source, source_stride, last, target, target_stride), emit

    return transpose


_transpose_multiplied = _make_transposition("fmul", entering=True)
_transpose_and_multiply = _make_transposition("fmul", entering=False)
_transpose_and_divide = _make_transposition("fdiv", entering=False)


def _make_reception(own: bool) -> Any:
    """Return the intrinsic that takes a block through one step backwards, adding what the step receives on its way.

    Reading what is received takes longer than the rest: nothing is gained from several steps at once, and much from
    reading each stream downwards without a break, which the processor's own prefetching follows. Squares of ``width``
    rows are transposed in registers.

    Args of the intrinsic:
        block: ``(rows, width)``.
        steps: ``(steps, 2, rows + 1)``, alpha and minus beta; or where each stream has its ``own``, the pace.
        factors: see `_coefficients`.
        carry: ``(steps, width)``, receives ``E_0``.
        top: ``(width, width)``, what the rows past the last square receive, the highest row first.
        weights: ``(N,)``.
        rows: of the block.
        step: index in ``steps`` and ``carry``.
        order: ``N``.
        source: address of what row 0 of the block's first stream receives.
        stride: from one stream to the next, in bytes.
        last: lanes past it repeat it.
        ahead: distance to what is fetched meanwhile, in bytes.
    """

    @intrinsic
    def receive(
        _typing: Any,
        block: Any,
        steps: Any,
        factors: Any,
        carry: Any,
        top: Any,
        weights: Any,
        rows: Any,
        step: Any,
        order: Any,
        source: Any,
        stride: Any,
        last: Any,
        ahead: Any,
    ) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            given = [data_pointer(context, builder, signature.args[i], values[i]) for i in range(6)] + list(values[6:])
            _emit_reception(Vectors.of(builder, block.dtype), block.dtype, *given, own=own)
            return context.get_dummy_value()

        signature = (block, steps, factors, carry, top, weights, rows, step, order, source, stride, last, ahead)
        return types.void(*signature), emit

    return receive


def _emit_reception(
    v: Vectors,
    float_type: Any,
    block: Any,
    steps: Any,
    factors: Any,
    carry: Any,
    top: Any,
    weights: Any,
    rows: Any,
    step: Any,
    order: Any,
    source: Any,
    stride: Any,
    last: Any,
    ahead: Any,
    *,
    own: bool,
) -> None:
    b, width, size = v.builder, _integer(v.width), _integer(vector_bytes() // v.width)
    with b.goto_entry_block():
        change, above, alpha_before = (b.alloca(v.type) for _ in range(3))
    for slot in (change, above, alpha_before):
        b.store(v.zero, slot)
    if own:
        pair = b.mul(step, _integer(2 * v.width))
        total, implicit = v.load(steps, pair), v.load(steps, b.add(pair, width))

    def coefficients(row: Any) -> tuple[Any, Any]:
        if own:
            alpha, minus_beta = _coefficients(v, factors, row, total, implicit)
            used = b.load(alpha_before)
            b.store(alpha, alpha_before)
            return used, minus_beta
        length = b.add(rows, _integer(1))
        at = b.add(b.mul(step, b.mul(length, _integer(2))), row)
        return v.splat(v.load_one(steps, at)), v.splat(v.load_one(steps, b.add(at, length)))

    def take(row: Any, received: Any, beside: Any) -> None:
        at = b.mul(row, width)
        x = b.fadd(v.load(block, at), received)
        alpha, minus_beta = coefficients(row)
        y, d, w = _backward(v, [x], [b.load(change)], [beside], [alpha], [minus_beta])
        for value, slot in ((d[0], change), (w[0], above)):
            b.store(value, slot)
        v.store(y[0], block, at)

    final = b.sub(rows, _integer(1))

    def beside(row: Any) -> Any:
        return b.select(b.icmp_signed("==", row, final), v.zero, b.load(above))

    past, first = b.srem(order, width), b.sub(rows, order)
    with cgutils.for_range(b, past) as loop:
        row = b.add(first, loop.index)
        take(row, v.load(top, b.mul(loop.index, width)), beside(row))
    streams = _addresses(v, source, stride, last)
    with cgutils.for_range(b, b.sdiv(order, width)) as loop:
        done = b.add(past, b.mul(loop.index, width))
        n = b.sub(b.sub(order, done), width)
        weight, offset = v.load(weights, n), b.mul(n, size)
        read = [v.load(_pointer_to(b, float_type, b.add(address, offset))) for address in streams]
        for address in streams:
            _prefetch(v, b.add(address, b.add(offset, ahead)))
        square = v.transpose([b.fmul(a, weight) for a in read])
        for i, received in enumerate(reversed(square)):
            row = b.add(b.add(first, done), _integer(i))
            take(row, received, beside(row) if i == v.width - 1 else b.load(above))
    v.store(b.load(change), carry, b.mul(step, width))


@jit
def _pack(block: Any, states: int, stream_stride: int, streams: int, factors: Any, start: int, direction: int) -> None:
    """Fill the rows ``start + direction n`` of a block with ``factors[n] states[stream, n]``.

    Args:
        block: ``(rows, width)``.
        states: address of the first of the block's streams.
        stream_stride: in bytes; a stream's rows are contiguous.
        streams: how many are left, >= 1; lanes past the last repeat it.
        factors: ``(N,)``.
        start: row of the block that receives n = 0.
        direction: 1 or -1.
    """
    order, width, size = len(factors), block.shape[1], block.itemsize
    row_stride, whole = block.strides[0] * direction, 0
    target = block.ctypes.data + start * block.strides[0]
    while whole + width <= order:
        rows, place = target + whole * row_stride, states + whole * size
        _transpose_multiplied(factors, whole, place, stream_stride, streams - 1, rows, row_stride)
        whole += width
    for lane in range(width):
        source = states + min(lane, streams - 1) * stream_stride
        for n in range(whole, order):
            block[start + direction * n, lane] = factors[n] * _read(block, source + n * size)


@jit
def _unpack(
    block: Any, states: int, stream_stride: int, streams: int, factors: Any, start: int, direction: int, divide: bool
) -> None:
    """Write the rows of a block back, as `_pack`, divided or multiplied by ``factors``."""
    order, width, size = len(factors), block.shape[1], block.itemsize
    row_stride, whole = block.strides[0] * direction, 0
    source = block.ctypes.data + start * block.strides[0]
    if streams >= width:
        while whole + width <= order:
            rows, place = source + whole * row_stride, states + whole * size
            if divide:
                _transpose_and_divide(factors, whole, rows, row_stride, width, place, stream_stride)
            else:
                _transpose_and_multiply(factors, whole, rows, row_stride, width, place, stream_stride)
            whole += width
    for lane in range(min(width, streams)):
        target = states + lane * stream_stride
        for n in range(whole, order):
            value = block[start + direction * n, lane]
            _write(value / factors[n] if divide else value * factors[n], target + n * size)


_forward_shared = _make_sweeps(backward=False, own=False)
_forward_own = _make_sweeps(backward=False, own=True)
_backward_shared = _make_sweeps(backward=True, own=False)
_backward_own = _make_sweeps(backward=True, own=True)
_receive_shared = _make_reception(own=False)
_receive_own = _make_reception(own=True)


@jit
def _write_tables(
    tables: Any, factors: Any, pace: Any, total: Any, implicit: Any, first: int, shift: int, receives: bool
) -> None:
    """Fill one table for each sweep of the steps from ``first`` on; steps past the last are identities."""
    for i in range(len(tables)):
        steps = pace[i].reshape(-1)
        for s in range(STEPS):
            k = first + i * STEPS + s
            inside = k < total.shape[1]
            steps[s] = total[0, k] if inside else 0.0
            steps[STEPS + s] = implicit[0, k] if inside else 0.0
        if receives:
            _write_table_of_steps(tables[i], factors, steps, len(factors))
        else:
            _write_table(tables[i], factors, steps, len(factors), shift)


@jit
def _write_pace(pace: Any, total: Any, implicit: Any, first: int, first_stream: int) -> None:
    """Fill ``pace`` with each stream's own steps; lanes past the last stream repeat it."""
    for i in range(len(pace)):
        for s in range(STEPS):
            k = first + i * STEPS + s
            inside = k < total.shape[1]
            for lane in range(pace.shape[3]):
                stream = min(first_stream + lane, len(total) - 1)
                pace[i, s, 0, lane] = total[stream, k] if inside else 0.0
                pace[i, s, 1, lane] = implicit[stream, k] if inside else 0.0


@jit
def _weigh_samples(inputs: Any, now: Any, before: Any, first: int, first_stream: int, held: Any) -> None:
    """Replace the samples ``inputs`` ``(steps, width)`` by ``D_{-1}``, and ``held``, those before, by the last ones."""
    steps, width = inputs.shape
    latest = inputs[steps - 1].copy()
    for j in range(steps - 1, -1, -1):
        previous = inputs[j - 1] if j else held
        if len(now) == 1:
            one, other = now[0, first + j], before[0, first + j]
            for lane in range(width):
                inputs[j, lane] = one * inputs[j, lane] + other * previous[lane]
        else:
            for lane in range(width):
                stream = min(first_stream + lane, len(now) - 1)
                one, other = now[stream, first + j], before[stream, first + j]
                inputs[j, lane] = one * inputs[j, lane] + other * previous[lane]
    held[:] = latest


@jit
def run_forward(
    states: int,
    state_stride: int,
    scale: Any,
    blocks: Any,
    tables: Any,
    factors: Any,
    pace: Any,
    carry: Any,
    total: Any,
    implicit: Any,
    now: Any,
    before: Any,
    samples: int,
    stream_stride: int,
    step_stride: int,
    earlier: Any,
) -> None:
    """Run K steps on S streams.

    Args:
        states: address of the ``(S, N)`` states ``x``, read and written; rows are contiguous.
        state_stride: from one stream to the next, in bytes.
        scale: ``(N,)``, ``X_n/x_n``.
        blocks: scratch, ``(blocks, rows, width)``, the padding zero; lanes past the last stream repeat it.
        tables: scratch, ``(sweeps in a chunk, rows + 1, 2, STEPS)``; None where each stream has its own steps.
        factors: ``(rows, 3)``, see `_coefficients`; zero in the rows of the padding.
        pace: scratch, ``(sweeps in a chunk, STEPS, 2, width)``.
        carry: scratch, ``(sweeps in a chunk, STEPS, width)``.
        total: float64, ``(1, K)``; with the three others ``(S, K)`` where each stream has its own steps.
        implicit: see ``total``.
        now: see ``total``.
        before: see ``total``.
        samples: address of sample 0 of stream 0.
        stream_stride: from one stream to the next, in bytes.
        step_stride: from one sample to the next, in bytes.
        earlier: ``(S,)``, the sample before the first.
    """
    rows, width, count = blocks.shape[1], blocks.shape[2], total.shape[1]
    streams = len(earlier)
    ones, held = np.ones(len(carry) * STEPS, carry.dtype), np.empty((len(blocks), width), carry.dtype)
    for i in range(len(blocks)):
        for lane in range(width):
            held[i, lane] = earlier[min(i * width + lane, streams - 1)]
        first = i * width
        _pack(blocks[i], states + first * state_stride, state_stride, streams - first, scale, 0, 1)
    for first in range(0, count, len(carry) * STEPS):
        steps = min(len(carry) * STEPS, count - first)
        sweeps = (steps + STEPS - 1) // STEPS
        if tables is not None:
            _write_tables(tables[:sweeps], factors, pace, total, implicit, first, 0, False)
        inputs = carry.reshape(-1, width)
        inputs[steps:] = 0.0
        for i in range(len(blocks)):
            left = streams - i * width
            place = samples + i * width * stream_stride + first * step_stride
            if step_stride == inputs.itemsize:
                _pack(inputs, place, stream_stride, left, ones[:steps], 0, 1)
            else:
                for lane in range(width):
                    address = place + min(lane, left - 1) * stream_stride
                    for j in range(steps):
                        inputs[j, lane] = _read(carry, address)
                        address += step_stride
            _weigh_samples(inputs[:steps], now, before, first, i * width, held[i])
            if tables is None:
                _write_pace(pace, total, implicit, first, i * width)
                _forward_own(blocks[i], pace, factors, carry, rows, sweeps)
            else:
                _forward_shared(blocks[i], tables, factors, carry, rows, sweeps)
    for i in range(len(blocks)):
        first = i * width
        _unpack(blocks[i], states + first * state_stride, state_stride, streams - first, scale, 0, 1, True)


@jit
def _weigh_gradients(
    outputs: Any, now: Any, before: Any, implicit: Any, first: int, first_stream: int, held: Any
) -> None:
    """Replace ``E_0`` in ``outputs`` ``(steps, width)`` by gradients.

    ``held`` ``(width,)`` is what the sample of the first step gets from the step after it; it is replaced by what the
    sample before the last step gets from that one.
    """
    steps, width = outputs.shape
    for j in range(steps):
        if len(now) == 1:
            one, other, divisor = now[0, first + j], before[0, first + j], 1.0 + implicit[0, first + j]
            for lane in range(width):
                entering = outputs[j, lane] / divisor
                outputs[j, lane] = one * entering + held[lane]
                held[lane] = other * entering
        else:
            for lane in range(width):
                stream = min(first_stream + lane, len(now) - 1)
                entering = outputs[j, lane] / (1.0 + implicit[stream, first + j])
                outputs[j, lane] = now[stream, first + j] * entering + held[lane]
                held[lane] = before[stream, first + j] * entering


@jit
def run_backward(
    costates: int,
    costate_stride: int,
    scale: Any,
    blocks: Any,
    tables: Any,
    factors: Any,
    pace: Any,
    carry: Any,
    total: Any,
    implicit: Any,
    now: Any,
    before: Any,
    gradients: int,
    stream_stride: int,
    step_stride: int,
    earlier: Any,
    top: Any,
    incoming: Any,
    weights: Any,
) -> None:
    """Run the transposes of K steps; everything that has steps comes last step first, and blocks last row first.

    Args:
        costates: address of the ``(S, N)`` costates, read and written; rows are contiguous.
        costate_stride: from one stream to the next, in bytes.
        scale: ``(N,)``, ``X_n/x_n``.
        blocks: as in `run_forward`.
        tables: as in `run_forward`, or ``(sweeps in a chunk, STEPS, 2, rows + 1)`` where something is received;
            ``alpha`` of the first row zero.
        factors: as in `run_forward`.
        pace: as in `run_forward`.
        carry: as in `run_forward`.
        total: as in `run_forward`.
        implicit: as in `run_forward`.
        now: as in `run_forward`.
        before: as in `run_forward`.
        gradients: address of the gradient of the last sample of stream 0.
        stream_stride: from one stream to the next, in bytes.
        step_stride: from one gradient to that of the sample before it, in bytes.
        earlier: ``(S,)``, receives the gradient of the sample before the first.
        top: scratch, ``(width, width)``; None where nothing is received.
        incoming: address of what the last state of stream 0 receives, and two strides in bytes: from one stream to the
            next, and from one step to that before it; rows are contiguous.
        weights: ``(N,)``, factor of each row of ``incoming``.
    """
    rows, width, count = blocks.shape[1], blocks.shape[2], total.shape[1]
    streams, inverse, order, size = len(earlier), 1 / scale, len(scale), blocks.itemsize
    past = order % width
    whole = order - past
    ones, held = np.ones(len(carry) * STEPS, carry.dtype), np.zeros((len(blocks), width))
    for i in range(len(blocks)):
        first = i * width
        _pack(blocks[i], costates + first * costate_stride, costate_stride, streams - first, inverse, rows - 1, -1)
    for first in range(0, count, len(carry) * STEPS):
        steps = min(len(carry) * STEPS, count - first)
        sweeps = (steps + STEPS - 1) // STEPS
        if tables is not None:
            _write_tables(tables[:sweeps], factors, pace, total, implicit, first, 1, top is not None)
        for i in range(len(blocks)):
            if tables is None:
                _write_pace(pace, total, implicit, first, i * width)
            if top is not None:
                address, stride, step_stride_in = incoming
                address += i * width * stride + first * step_stride_in
                ahead = step_stride_in * max(1, AHEAD // (order * size))
                last = min(streams - i * width, width) - 1
                for k in range(steps):
                    if past:
                        _pack(top, address + whole * size, stride, last + 1, weights[whole:], past - 1, -1)
                    given = (k, order, address, stride, last, ahead)
                    if tables is None:
                        _receive_own(blocks[i], pace, factors, carry, top, weights, rows, *given)
                    else:
                        _receive_shared(blocks[i], tables, factors, carry, top, weights, rows, *given)
                    address += step_stride_in
            elif tables is None:
                _backward_own(blocks[i], pace, factors, carry, rows, sweeps)
            else:
                _backward_shared(blocks[i], tables, factors, carry, rows, sweeps)
            left = streams - i * width
            outputs = carry.reshape(-1, width)[:steps]
            _weigh_gradients(outputs, now, before, implicit, first, i * width, held[i])
            place = gradients + i * width * stream_stride + first * step_stride
            if step_stride == -size:
                lowest = place + (steps - 1) * step_stride
                _unpack(outputs, lowest, stream_stride, left, ones[:steps], steps - 1, -1, False)
            else:
                for lane in range(min(width, left)):
                    address = place + lane * stream_stride
                    for j in range(steps):
                        _write(outputs[j, lane], address)
                        address += step_stride
    for stream in range(streams):
        earlier[stream] = held[stream // width, stream % width]
    for i in range(len(blocks)):
        first = i * width
        place = costates + first * costate_stride
        _unpack(blocks[i], place, costate_stride, streams - first, scale, rows - 1, -1, False)
