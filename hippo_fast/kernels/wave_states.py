"""Every state of one LegS stream, with the operations of `rows` in the same order: the bits are the same.

Lane l of a wave takes the wave's step l, `_LAG` orders behind the step before it, and starts on the next wave when it
has done its last order; a period is the time of one wave. Time goes in blocks of as many ticks as a vector has lanes.
Vector v starts `_distance` blocks after vector v - 1, so that what its first lane reads is in memory, and no vector
waits for another. The last vector keeps its ticks for a whole period, a ring that the first vector reads.

Delivery: in one block the lanes stand at different orders, each `_LAG` behind the next. A transposition turns lanes
into rows; for each lane it takes the ticks that start at an order on a multiple of the width, which costs nothing more,
and whole vectors leave. This works on the two blocks before, and is issued in turns with the arithmetic of the block.

What it costs with AVX-512, at order 1024 in float64, for each vector of a state: 14 cycles when all rows go to one
place in the cache, 9 for filling memory alone, and 16.6 together: the work is the bound, not the memory. Rows on vector
boundaries go to memory past the caches; other rows are put together in the cache and copied.

The emitting classes stand beside the kernel because numba's cache sees changes of the kernel's own file alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types

from hippo_fast.aligned import aligned_empty
from hippo_fast.discretizations.base import EvenSteps, PrefixSteps
from hippo_fast.kernels.rows import even_scalars, uneven_scalars
from hippo_fast.kernels.simd import Vectors, data_pointer, intrinsic, jit, lanes, vector_bytes
from hippo_fast.types import Float64Array, FloatArray

_Even: TypeAlias = tuple[float, float, bool]  # first, implicit, explicit_at_start
_Uneven: TypeAlias = tuple[Float64Array, Float64Array, Float64Array, Float64Array]  # all empty: the steps are even
_Flag: TypeAlias = tuple[int, ...]  # its length is part of its type, and so known when a kernel is compiled
_Emitting: TypeAlias = Generator[None, None, Any]  # emits one instruction at each turn

_LAG: Final = 2  # hides the way from lane to lane; and at a = 1/2 every lane of an even step then has the same r
_MOST_VECTORS: Final = 4
_TABLE_WAVES: Final = 32  # waves between two fillings of the table of reciprocals
_CACHED: Final = 2**24  # bytes; states that take less are left in the caches for their reader
_D, _W, _N, _START, _C, _NEXT_C, _HISTORY = range(7)  # vectors of a slot; from the last on, the ticks of some blocks
_BLOCKS_KEPT: Final = 4  # three are read; a power of two


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
        scale: ``(N,)`` in the same dtype.
    """
    dtype, order, count, width = state.dtype, state.size, samples.size, lanes(state.dtype)
    if count == 0:
        return
    distance, filled, reach = _distance(width), -(-order // width), _LAG * (width - 1)
    vectors = max(1, min(_MOST_VECTORS, filled // distance, -(-count // width)))
    period, wave = max(filled, vectors * distance, _LAG + 1) * width, vectors * width
    opening, weights = np.zeros(period, dtype), np.zeros(period, dtype)
    opening[:order], weights[:order] = state, scale
    ring = _zeros(period * width, dtype)
    leaving = ring.reshape(period, width)[:, -1]
    leaving[:] = np.roll(opening, reach)
    even: _Even = (0.0, 0.0, False)
    uneven: _Uneven = (np.empty(0), np.empty(0), np.empty(0), np.empty(0))
    tabled, quotients = False, dtype
    if isinstance(steps, PrefixSteps):
        uneven = (steps.total, steps.implicit, steps.now, steps.before)
    else:
        even = (float(steps.first), steps.implicit, steps.explicit_at_start)
        tabled = steps.implicit == 0.5
        quotients = dtype if tabled else np.dtype(np.float64)
    on_boundaries = states.ctypes.data % vector_bytes() == 0 and states.strides[0] % vector_bytes() == 0
    direct = order == period and on_boundaries
    _drive(
        even,
        uneven,
        np.ascontiguousarray(samples),  # one compiled kernel for all strides
        float(dtype.type(before)),
        opening,
        states,
        _zeros(0 if direct else 2 * wave * period, dtype),
        np.concatenate([weights[period - distance * width :], weights]),
        ring,
        _zeros(vectors * _slot(width), dtype),
        _zeros(vectors * 6 * width, quotients).reshape(vectors, 6, width),
        _zeros(period, dtype),
        _zeros(period + 2 * wave * (_TABLE_WAVES + 4), dtype) if tabled else None,
        (0,) * (tabled and not even[2]),
        (0,) * (direct and vector_bytes() == 64 and states.nbytes >= _CACHED),
    )
    state[:] = np.roll(leaving, -reach)[:order]


def _zeros(size: int, dtype: npt.DTypeLike) -> FloatArray:
    """Return zeros that start on a cache line."""
    found = aligned_empty((size,), dtype)
    found.fill(0.0)
    return found


def _distance(width: int) -> int:
    """Return the blocks from a vector to the next.

    Every tick that its first lane reads in a block is then past, and every lane has begun to deliver its step.
    """
    return _LAG * (width - 1) // width + 2


def _slot(width: int) -> int:
    """Return how many floats a vector keeps from block to block."""
    return (_HISTORY + _BLOCKS_KEPT * width) * width


def _integer(value: int) -> Any:
    return ir.IntType(64)(value)


def _indices(numbers: Iterable[int]) -> Any:
    found = list(numbers)
    return ir.Constant(ir.VectorType(ir.IntType(32), len(found)), found)


def _float_bytes(v: Vectors) -> int:
    return 4 if isinstance(v.element, ir.FloatType) else 8


def _shuffled(v: Vectors, a: Any, b: Any, taken: Iterable[int]) -> Any:
    """Return lanes of ``a`` and ``b``, moved as integers: for those alone LLVM has the rotation of two vectors."""
    whole, cast = ir.VectorType(ir.IntType(8 * _float_bytes(v)), v.width), v.builder.bitcast
    return cast(v.builder.shuffle_vector(cast(a, whole), cast(b, whole), _indices(taken)), v.type)


def _rows_of_lanes(v: Vectors, ticks: list[Any]) -> _Emitting:
    """Return for each lane a vector of ``width`` of its ticks, the first `_LAG` ticks after that of the lane below.

    Lane ``width/2`` starts with lane 0 again, so ``2 width - _LAG`` ticks are read. Each round parts the lanes by one
    bit of their numbers, the lowest first, and joins neighbouring ticks: a later start is another choice of neighbours.
    The first rounds stay inside 128 bits, where shuffles cost least.
    """
    chunk, groups, bit = 16 // _float_bytes(v), [ticks], 1
    while bit < v.width:
        unit, whole = (1, chunk) if bit < chunk else (chunk, v.width)
        starts = [start + source for start in range(0, v.width, whole) for source in (0, v.width)]
        lower = [start + part + e for start in starts for part in range(0, whole, 2 * unit) for e in range(unit)]
        later = _LAG if 2 * bit < v.width else 0
        parted: list[list[Any]] = []
        for upper in (0, 1):
            taken = [e + upper * unit for e in lower]
            for group in groups:
                own, joined = group[later:] if upper else group[: len(group) - later], []
                for a, b in zip(own[::2], own[1::2], strict=True):
                    joined.append(_shuffled(v, a, b, taken))
                    yield
                parted.append(joined)
        groups, bit = parted, 2 * bit
    return [row for (row,) in groups]


class _Block:
    """Emits one block of one vector.

    ``turning``: its lanes may turn to their next steps, or have none; else they all go on.
    """

    def __init__(
        self, context: Any, builder: Any, kinds: dict[str, Any], values: dict[str, Any], turning: bool
    ) -> None:
        self.context, self.kinds, self.values, self.turning = context, kinds, values, turning
        self.v = Vectors.of(builder, kinds["slots"].dtype)
        self.f = Vectors.of(builder, kinds["factors"].dtype, self.v.width)
        self.unit = kinds["unit"].count > 0 and not turning
        self.slot = self.v.address(self._pointer("slots"), self._times(values["vector"], _slot(self.v.width)))
        self.factors = self.f.address(self._pointer("factors"), self._times(values["vector"], 6 * self.v.width))
        self.first_row = self._times(values["block"], self.v.width)

    def emit(self) -> None:
        """Emit the arithmetic of the block and the delivery of the blocks before, in turns."""
        v, width = self.v, self.v.width
        self.d, self.w, self.n, self.c = (v.load(self.slot, s * width) for s in (_D, _W, _N, _C))
        self.f_now = [self.f.load(self.factors, s * width) for s in range(3)]
        if self.turning:
            self.start, self.next_c = (v.load(self.slot, s * width) for s in (_START, _NEXT_C))
            self.f_next = [self.f.load(self.factors, s * width) for s in range(3, 6)]
        self.ticks = [self._ticks(ago) for ago in range(3)]
        self.y = [v.load(self.ticks[1], (width + i) * width) for i in range(-_LAG, 0)]
        delivery = self.deliver()
        for _ in self.arithmetic():
            for _ in range(2):
                next(delivery, None)
        for _ in delivery:
            pass
        for s, value in {_D: self.d, _W: self.w, _N: self.n, _C: self.c}.items():
            v.store(value, self.slot, s * width)
        for s, value in enumerate(self.f_now if self.turning else []):
            self.f.store(value, self.factors, s * width)

    def arithmetic(self) -> _Emitting:
        """Emit the operations of `rows`."""
        v, b, width = self.v, self.v.builder, self.v.width
        far = _distance(width) - 1
        read = {q: self._ticks_before(q, far) for q in range(far + 1)}
        for tick in range(width):
            reach = _LAG * (width - 1) + tick
            came = v.load(read[reach // width], reach % width * width)
            x = _shuffled(v, came, self.y[tick], range(width - 1, 2 * width - 1))
            turned = self.turn(tick) if self.turning else None
            r = self.quotient(tick, turned)
            yield
            a = b.fadd(x, self.d) if self.unit else v.fma(self.c, self.d, x)
            s = b.fadd(x, self.w)
            yield
            q = v.fma(self.n, a, s)
            self.w = b.fmul(self.n, x)
            yield
            self.d = v.fma(b.fneg(r), q, self.d)
            self.n = b.fadd(self.n, v.constant(1.0))
            yield
            y = b.fadd(x, self.d)
            if self.turning:
                y = b.select(b.fcmp_ordered("==", self.f_now[2], self.f.zero), x, y)
            self.y.append(y)
            v.store(y, self.ticks[0], tick * width)
            yield

    def turn(self, tick: int) -> Any:
        """Let the lanes whose time it is turn to their next step, and return which have turned in this period."""
        v, b, i32 = self.v, self.v.builder, ir.IntType(32)
        at = b.select(self._in_turn(), b.add(self.first_row, _integer(tick)), _integer(-1))
        single = b.insert_element(ir.Constant(ir.VectorType(i32, v.width), ir.Undefined), b.trunc(at, i32), i32(0))
        now = b.shuffle_vector(single, single, _indices([0] * v.width))
        starts = _indices(_LAG * lane for lane in range(v.width))
        turns, turned = b.icmp_signed("==", starts, now), b.icmp_signed("<=", starts, now)
        self.n, self.w = b.select(turns, v.zero, self.n), b.select(turns, v.zero, self.w)
        self.d, self.c = b.select(turns, self.start, self.d), b.select(turned, self.next_c, self.c)
        self.f_now = [b.select(turned, new, old) for new, old in zip(self.f_next, self.f_now, strict=True)]
        return turned

    def quotient(self, tick: int, turned: Any) -> Any:
        """Return r, from the table or by a division."""
        v, b, f = self.v, self.v.builder, self.f
        dividend, weight, divisor = self.f_now
        if isinstance(self.kinds["table"], types.Array):
            table = v.address(self._pointer("table"), b.add(self.values["index"], self.first_row))
            r = v.splat(v.load_one(table, tick))
            if self.turning:
                back = b.select(self._in_turn(), self.values["rewind"], _integer(0))
                r = b.select(turned, r, v.splat(v.load_one(v.address(table, back), tick)))
            return r if self.unit else b.fmul(dividend, r)
        following = b.fadd(self.n, v.constant(1.0))
        if f.element == v.element:
            return b.fdiv(dividend, f.fma(weight, following, divisor))
        return b.fptrunc(b.fdiv(dividend, f.fma(weight, b.fpext(following, f.type), divisor)), v.type)

    def deliver(self) -> _Emitting:
        """Emit the delivery of the two blocks before: transpose, scale and write."""
        v, b, width = self.v, self.v.builder, self.v.width
        late = [1 + _LAG * lane // width for lane in range(width)]
        rows = [v.load(self.ticks[1 if i >= 0 else 2], i % width * width) for i in range(-width, width - _LAG)]
        out = yield from _rows_of_lanes(v, rows)
        weights = v.address(self._pointer("weights"), self.first_row)
        scales = {q: v.load(weights, (_distance(width) - 1 - q) * width) for q in sorted(set(late))}
        addresses = b.gep(self._pointer("addresses"), [self._times(self.values["vector"], width)])
        for lane, row in enumerate(out):
            start = b.load(b.gep(addresses, [_integer(lane)]))
            where = b.inttoptr(b.add(start, self._times(self.first_row, _float_bytes(v))), v.type.as_pointer())
            scaled = b.fmul(row, scales[late[lane]])
            if self.kinds["stream"].count > 0:
                past_caches = b.module.add_metadata([ir.IntType(32)(1)])
                b.store(scaled, where, align=vector_bytes()).set_metadata("nontemporal", past_caches)
            else:
                b.store(scaled, where, align=_float_bytes(v))
            yield

    def _pointer(self, name: str) -> Any:
        return data_pointer(self.context, self.v.builder, self.kinds[name], self.values[name])

    def _times(self, value: Any, factor: int) -> Any:
        return self.v.builder.mul(value, _integer(factor))

    def _in_turn(self) -> Any:
        """Whether lanes turn in this block: those of the first `_LAG` blocks of a period do."""
        return self.v.builder.icmp_signed("<", self.values["block"], _integer(_LAG))

    def _ticks(self, ago: int) -> Any:
        """Return where the ticks of this block, or of a block before it, are kept."""
        b = self.v.builder
        last = b.icmp_signed("==", self.values["vector"], b.sub(self.values["vectors"], _integer(1)))
        return b.select(last, self._in_ring(-ago), self._in_slot(self.slot, ago))

    def _ticks_before(self, ahead: int, far: int) -> Any:
        """Return where the vector before, ``far + 1`` blocks ahead, keeps its ticks of ``ahead`` blocks ahead."""
        v, b = self.v, self.v.builder
        first = b.icmp_signed("==", self.values["vector"], _integer(0))
        slot_before = v.address(self.slot, -_slot(v.width))
        return b.select(first, self._in_ring(ahead), self._in_slot(slot_before, far + 1 - ahead))

    def _in_slot(self, slot: Any, ago: int) -> Any:
        v, b = self.v, self.v.builder
        turn = b.and_(b.sub(self.values["now"], _integer(ago)), _integer(_BLOCKS_KEPT - 1))
        return v.address(v.address(slot, _HISTORY * v.width), self._times(turn, v.width**2))

    def _in_ring(self, ahead: int) -> Any:
        b, length = self.v.builder, self.values["blocks"]
        moved = b.add(self.values["block"], _integer(ahead))
        moved = b.select(b.icmp_signed(">=", moved, length), b.sub(moved, length), moved)
        moved = b.select(b.icmp_signed("<", moved, _integer(0)), b.add(moved, length), moved)
        return self.v.address(self._pointer("ring"), self._times(moved, self.v.width**2))


def _block(turning: bool) -> Callable[..., None]:
    """Return the function that takes one vector through one block, for compiled kernels."""

    @intrinsic
    def advance(
        _typing_context: Any,
        slots: Any,
        ring: Any,
        factors: Any,
        table: Any,
        weights: Any,
        addresses: Any,
        vector: Any,
        vectors: Any,
        block: Any,
        blocks: Any,
        now: Any,
        index: Any,
        rewind: Any,
        unit: Any,
        stream: Any,
    ) -> Any:
        arrays = {"slots": slots, "ring": ring, "factors": factors, "table": table, "weights": weights}
        arrays["addresses"] = addresses
        numbers = {"vector": vector, "vectors": vectors, "block": block, "blocks": blocks, "now": now}
        given = {**arrays, **numbers, "index": index, "rewind": rewind, "unit": unit, "stream": stream}

        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            kinds = dict(zip(given, signature.args, strict=True))
            _Block(context, builder, kinds, dict(zip(given, values, strict=True)), turning).emit()
            return context.get_dummy_value()

        return types.void(*given.values()), emit

    advance_block: Callable[..., None] = advance
    return advance_block


_go_on = _block(turning=False)
_turn = _block(turning=True)


@jit
def _drive(
    even: _Even,
    uneven: _Uneven,
    samples: FloatArray,
    before: float,
    opening: FloatArray,
    states: FloatArray,
    staging: FloatArray,
    weights: FloatArray,
    ring: FloatArray,
    slots: FloatArray,
    factors: FloatArray,
    nowhere: FloatArray,
    table: FloatArray | None,
    unit: _Flag,
    stream: _Flag,
) -> None:
    """Run every vector through all of its blocks, the last vector first.

    Args:
        even: what `EvenSteps` holds.
        uneven: what `PrefixSteps` holds.
        samples: ``(K,)``.
        before: the sample before them.
        opening: ``(P,)`` for a period of P orders, the state before the first step.
        states: ``(K, N)``.
        staging: rows of P for two waves, or empty when vectors go directly to ``states``.
        weights: the scale of each order, the last orders once more in front.
        ring: ``(P, width)``, the ticks of the last vector; its last lane holds the opening.
        slots: `_slot` floats for each vector.
        factors: ``(vectors, 6, width)``: dividend, weight and divisor of r, of this step and of the next.
        nowhere: ``(P,)``, receives the rows of lanes that have no step.
        table: for reciprocals of halves of integers, or None: r by division.
        unit: c and the dividend are 1.
        stream: stores go past the caches.
    """
    first, size = np.int64(even[0]), slots.itemsize
    vectors, width, period, count = factors.shape[0], factors.shape[2], opening.size, samples.size
    wave, blocks, reach = vectors * width, period // width, _LAG * (width - 1)
    waves, distance = (count + wave - 1) // wave, reach // width + 2
    rows_at, pitch, nowhere_at = np.int64(states.ctypes.data), states.strides[0], np.int64(nowhere.ctypes.data)
    if staging.size:
        rows_at, pitch = np.int64(staging.ctypes.data), period * size
    late = np.empty(width, np.int64)  # blocks after which a lane's first orders are delivered
    addresses = np.empty((vectors, width), np.int64)  # where a lane's row would start if it were delivered from block 0
    for lane in range(width):
        late[lane] = _LAG * lane // width + 2
        addresses[:, lane] = nowhere_at - late[lane] * width * size
    low = 2 * (first - 3 * wave)  # the oldest step that a vector is still at belongs to the wave before the last
    if table is not None:
        _fill(table, low)
    turns, phases = np.empty(vectors, np.int64), np.empty(vectors, np.int64)
    for vector in range(vectors):
        turns[vector] = -((vector * distance + blocks - 1) // blocks)
        phases[vector] = -vector * distance - turns[vector] * blocks
        _prepare(even, uneven, samples, before, slots, factors, vector, vector * width)
    for now in range(waves * blocks + distance * vectors):
        for vector in range(vectors - 1, -1, -1):
            block, turn = phases[vector], turns[vector]
            step = (turn * vectors + vector) * width
            if block == 0:
                addresses[vector] += period * size
                if vector == 0 and staging.size:
                    _copy(staging, states, turn - 2, wave, period)
                if vector == 0 and table is not None and 2 * (first + step + 2 * wave) + period + 2 - low >= table.size:
                    low = 2 * (first + step - 3 * wave)
                    _fill(table, low)
            elif block == _LAG and turn >= 0:
                _prepare(even, uneven, samples, before, slots, factors, vector, step + wave)
            if block <= distance:
                for lane in range(width):
                    if late[lane] == block or (block == 0 and late[lane] == blocks):
                        own_turn = turn if block > 0 else turn - 1
                        k, address = (own_turn * vectors + vector) * width + lane, nowhere_at
                        if 0 <= k < count:
                            row = k if not staging.size else (own_turn & 1) * wave + vector * width + lane
                            address = rows_at + row * pitch
                        addresses[vector, lane] = address - block * width * size
            index = 2 * (first + step) + 1 - low
            if block < _LAG or turn >= waves - 1:
                back = period - 2 * wave
                _turn(
                    slots,
                    ring,
                    factors,
                    table,
                    weights,
                    addresses,
                    vector,
                    vectors,
                    block,
                    blocks,
                    now,
                    index,
                    back,
                    unit,
                    stream,
                )
            else:
                _go_on(
                    slots,
                    ring,
                    factors,
                    table,
                    weights,
                    addresses,
                    vector,
                    vectors,
                    block,
                    blocks,
                    now,
                    index,
                    0,
                    unit,
                    stream,
                )
            if vector == vectors - 1 and turn < 1:  # its last lane has no step yet: the opening stays in the ring
                for tick in range(block * width, (block + 1) * width if turn < 0 else min((block + 1) * width, reach)):
                    ring[tick * width + width - 1] = opening[(tick - reach) % period]
            phases[vector] += 1
            if phases[vector] == blocks:
                phases[vector] = 0
                turns[vector] += 1
    if staging.size:
        _copy(staging, states, waves - 2, wave, period)
        _copy(staging, states, waves - 1, wave, period)


@jit
def _copy(staging: FloatArray, states: FloatArray, turn: int, wave: int, period: int) -> None:
    """Copy the rows of a wave that is complete."""
    for k in range(max(turn * wave, 0), min((turn + 1) * wave, states.shape[0])):
        row = k % (2 * wave) * period
        for n in range(states.shape[1]):
            states[k, n] = staging[row + n]


@jit
def _fill(table: FloatArray, low: int) -> None:
    """Fill the table with ``1/(i/2)`` from i = low on; what is below 1 is read by lanes that have no step yet."""
    kind = table.dtype.type
    for i in range(table.size):
        table[i] = kind(1.0 / (0.5 * max(low + i, 1)))


@jit
def _prepare(
    even: _Even,
    uneven: _Uneven,
    samples: FloatArray,
    before: float,
    slots: FloatArray,
    factors: FloatArray,
    vector: int,
    step: int,
) -> None:
    """Store what the lanes of a vector start their next steps from; a lane without a step gets a divisor of zero."""
    first, implicit, explicit_at_start = even
    total, implicits, weights_now, weights_before = uneven
    kind, width = slots.dtype.type, factors.shape[2]
    slot = vector * (_HISTORY + _BLOCKS_KEPT * width) * width
    for lane in range(width):
        k = step + lane
        start, c, dividend, weight, divisor = 0.0, 0.0, 0.0, 0.0, 0.0
        if k < samples.size:
            now, then = np.float64(samples[k]), np.float64(samples[k - 1]) if k > 0 else before
            if total.size:
                start, c = uneven_scalars(total[k], implicits[k], weights_now[k] * now, weights_before[k] * then)
                dividend, weight, divisor = total[k], implicits[k], 1.0
            else:
                start, c, dividend = even_scalars(first + k, implicit, explicit_at_start, now, then)
                weight, divisor = implicit, first + k
        slots[slot + _START * width + lane], slots[slot + _NEXT_C * width + lane] = kind(start), kind(c)
        factors[vector, 3, lane], factors[vector, 4, lane], factors[vector, 5, lane] = dividend, weight, divisor
