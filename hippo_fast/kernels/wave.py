"""The last state of one LegS stream, many steps side by side in vector registers.

The operations are those of `rows`, in the same order. Row n of step k needs row n - 1 of step k and row n of step
k - 1, so steps can run side by side, each some rows behind the one before. The layout keeps what comes out of one
operation where the next one needs it:

* Lane l holds a block of successive orders, ``n = l height + j``; vector j of the state is row j of every block. In one
  *round* the lanes take the rows ``j = 0 .. height - 1`` of their blocks, all the same j. Then d and ``n x_n`` move one
  lane up, once in a round: lane l + 1 goes on with the step of lane l, and lane 0 starts another.
* A vector of the state passes through V *stages* between load and store: lane l of stage v takes step
  ``V (round - l) + v``, ``lag`` rows behind stage v - 1, which hands it x. So a load and a store serve V steps, and V
  chains hide the latency of ``a, q = n a + s, d``, 11 cycles.
* Even steps have ``r = e/m`` with ``m = e k + n + 1``, ``e = 1/a`` (`EvenSteps`). For ``lag = e`` all stages share m.
  From lane to lane m differs by ``gap = height - e V``, so a table with ``e/(m_0 + b + gap c)`` in column c of row b
  holds what the lanes need side by side, and each quotient once.

Where a lane has no step, before its first and after its last, a mask keeps ``d = 0``, which leaves x as it is.

*Delivery* writes every state. The height is then a multiple of the width. When a stage has done ``width`` rows, a
transposition turns their lanes into as many pieces of rows: lane l holds the orders from ``l height + j`` on of its
own step, and they leave as one vector. `Delivery` says where to.

What bounds it is arithmetic: at c = 1 an element takes 3 multiplications and 3 additions, on pipes that take one vector
a cycle each; 4 multiplications for c = 2, 5 for the trapezoid, and the divider, some 10 cycles, for uneven steps.
With delivery it is memory: 10 to 11 cycles for a vector of N = 256 with AVX-512, where filling memory alone takes 9.
One file, because numba's cache of a kernel sees changes of the kernel's own file alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils, types

from hippo_fast.aligned import aligned_empty
from hippo_fast.discretizations.base import EvenSteps, PrefixSteps
from hippo_fast.kernels.rows import even_row_by_row, even_scalars, uneven_row_by_row, uneven_scalars
from hippo_fast.kernels.simd import Vectors, data_pointer, intrinsic, jit, lanes, registers, vector_bytes
from hippo_fast.types import Float64Array, FloatArray

Count: TypeAlias = tuple[int, ...]
"""A number that the compiler must know, as the length of a tuple: numba compiles a kernel for each length."""
_LINE: Final = 64  # bytes that memory takes at once
_CACHED: Final = 2**24  # bytes; states that take less are left in the caches for their reader
_STAGED: Final = 2**18  # bytes of rows that wait in the cache until they are complete
_UNEVEN_BUSY: Final = 10.0  # cycles of a division


def last_state(steps: EvenSteps | PrefixSteps, state: FloatArray, samples: FloatArray, before: float) -> None:
    """Take every step, in place, with ``O(N)`` numbers of room whatever K.

    Args:
        steps: K steps.
        state: ``(N,)`` contiguous, ``x = c/s_n`` in float32 or float64.
        samples: ``(K,)`` in the same dtype, with any stride.
        before: the sample before the first of them.
    """
    # A wave costs as much as two steps and a thousand rows, row by row; there, short steps overlap by themselves.
    row_by_row = state.size <= 4 or (len(steps) - 2) * state.size <= 1000
    if isinstance(steps, EvenSteps):
        even = (steps.first, steps.implicit, steps.explicit_at_start, state, samples, before)
        even_row_by_row(*even) if row_by_row else even_wave(*even, lanes(state.dtype))
    else:
        uneven = (steps.total, steps.implicit, steps.now, steps.before, state, samples, before)
        uneven_row_by_row(*uneven) if row_by_row else uneven_wave(*uneven, lanes(state.dtype))


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
    if samples.size == 0:
        return
    samples = np.ascontiguousarray(samples)  # one compiled kernel for all strides
    if isinstance(steps, EvenSteps):
        pitch, busy = _even_work(steps.implicit, steps.explicit_at_start)
        way, block, delivery, staging = _delivery(pitch, busy, states, scale)
        even = (steps.first, steps.implicit, steps.explicit_at_start, state, samples, before)
        _run_even(*even, way.layout, way.width, block, delivery, staging)
    else:
        way, block, delivery, staging = _delivery(None, _UNEVEN_BUSY, states, scale)
        uneven = (steps.total, steps.implicit, steps.now, steps.before, state, samples, before)
        form = (*way.layout.counts, (0,) * way.width, way.layout.height)
        _uneven_wave(*uneven, *form, min(block, 64), delivery, staging)


def even_wave(
    first: int,
    implicit: float,
    explicit_at_start: bool,
    state: FloatArray,
    samples: FloatArray,
    before: float,
    width: int,
) -> None:
    """Take the steps of `EvenSteps` in place with vectors of ``width`` floats; else as `even_row_by_row`."""
    pitch, busy = _even_work(implicit, explicit_at_start)
    layout = best_layout(state.size, width, pitch, busy)
    block = layout.rounds_of_a_table(pitch, samples.size)
    _run_even(first, implicit, explicit_at_start, state, samples, before, layout, width, block, None, None)


def uneven_wave(
    total: Float64Array,
    implicit: Float64Array,
    weight_now: Float64Array,
    weight_before: Float64Array,
    state: FloatArray,
    samples: FloatArray,
    before: float,
    width: int,
) -> None:
    """Take the steps of `PrefixSteps` in place with vectors of ``width`` floats; else as `uneven_row_by_row`."""
    layout = best_layout(state.size, width, None, _UNEVEN_BUSY)
    _uneven_wave(
        total, implicit, weight_now, weight_before, state, samples, before,
        *layout.counts, (0,) * width, layout.height, 64, None, None,
    )  # fmt: skip


def _even_work(implicit: float, explicit_at_start: bool) -> tuple[int, float]:
    """Return ``1/implicit``, 0 for ``implicit = 0``, and the cycles that a stage needs for a vector."""
    pitch = round(1.0 / implicit) if implicit else 0
    return pitch, 5.0 if explicit_at_start else 3.0 if pitch == 2 else 4.0


def _run_even(
    first: int,
    implicit: float,
    explicit_at_start: bool,
    state: FloatArray,
    samples: FloatArray,
    before: float,
    layout: Layout,
    width: int,
    block: int,
    delivery: Delivery | None,
    staging: Staging | None,
) -> None:
    pitch, _ = _even_work(implicit, explicit_at_start)
    scalars = np.empty((2, block * layout.stages), state.dtype)
    coefficients = scalars[0] if explicit_at_start or pitch != 2 else None
    factors = scalars[1] if explicit_at_start else None
    _even_wave(
        first, implicit, explicit_at_start, state, samples, before, coefficients, factors,
        *layout.counts, (0,) * pitch, (0,) * width, layout.height, block, delivery, staging,
    )  # fmt: skip


class Layout(NamedTuple):
    """How rows and steps lie in vectors, see the top of this module.

    Attributes:
        stages: V.
        lag: rows by which a stage follows the one before it.
        height: rows of a block, more than ``lag (stages - 1)``, so that a vector is stored before it is loaded again.
    """

    stages: int
    lag: int
    height: int

    @property
    def counts(self) -> tuple[Count, Count]:
        """Stages and lag, for the compiler."""
        return (0,) * self.stages, (0,) * self.lag

    def rounds_of_a_table(self, pitch: int, count: int) -> int:
        """Return how many rounds one table of quotients serves: many columns to each lane's own, within the cache."""
        advance, rise = max(pitch, 1) * self.stages, min(pitch, 1) * self.height
        gap = abs(rise - advance)
        span = max(1024, min(64 * gap, 4096), 8 * gap)
        return min(-(-count // self.stages) + 16, -(-span // advance))


@lru_cache(maxsize=1024)
def best_layout(order: int, width: int, pitch: int | None, busy: float) -> Layout:
    """Return the layout with the fewest cycles for a step, of the few that are compiled.

    Args:
        order: N.
        width: lanes of a vector.
        pitch: ``1/implicit`` of even steps, 0 for ``implicit = 0``; None for uneven steps.
        busy: cycles that a stage needs for a vector.
    """
    latency, overhead, load = 13.0, 3.0, 1.4  # cycles: a row at least; a row beside its stages; quotients of one's own

    def cycles(layout: Layout) -> float:
        shared = pitch is None or layout.lag == pitch
        work = layout.stages * (busy if shared else busy + load)
        return layout.height * max(latency, work + overhead) / layout.stages

    layouts = []
    for stages, lag in ((2, 1), (4, 1), (6, max(pitch or 1, 1)))[: 3 if registers() >= 32 else 2]:
        height = max(-(-order // width), lag * (stages - 1) + 1)
        gapless = pitch is not None and pitch > 0 and height == pitch * stages
        layouts.append(Layout(stages, lag, height + 1 if gapless else height))
    return min(layouts, key=cycles)


class Way(NamedTuple):
    """How states are written.

    Attributes:
        width: lanes of a vector.
        layout: its height is a multiple of the width.
        staged: rows are put together in the cache and copied, else vectors go to their places directly.
        past_caches: vectors are lines of memory, and go there past the caches.
    """

    width: int
    layout: Layout
    staged: bool
    past_caches: bool


def best_way(order: int, itemsize: int, pitch: int | None, busy: float, large: bool, on_lines: bool) -> Way:
    """Return the way with the fewest cycles for a step that is written.

    Args:
        order: N.
        itemsize: bytes of a float.
        pitch: as in `best_layout`.
        busy: as in `best_layout`.
        large: the states do not fit into the caches.
        on_lines: every row starts where a line of memory does.
    """

    def cycles(way: Way) -> float:
        row = max(13.0 / way.layout.stages, busy - 1.0 + 0.18 * way.width * itemsize)
        work, size = way.layout.height * row + 32.0, order * itemsize
        if way.staged:
            return work + 0.14 * size
        if way.past_caches:
            return max(work, 0.16 * size)
        return max(work, 0.7 * size if large else 0.0)  # memory is read before a part of a line is written

    ways, widest = [], vector_bytes() // itemsize
    for width in sorted({widest, *(part for part in (widest // 2, widest // 4) if part >= 4)}, reverse=True):
        for stages, lag in ((4, max(pitch or 1, 1)), (2, 1)):
            height = -(-max(-(-order // width), lag * (stages - 1) + 1) // width) * width
            gapless = pitch is not None and pitch > 0 and height == pitch * stages
            layout = Layout(stages, lag, height + width if gapless else height)
            ways.append(Way(width, layout, staged=True, past_caches=False))
            if order % width == 0:
                past_caches = large and on_lines and width * itemsize == _LINE
                ways.append(Way(width, layout, staged=False, past_caches=past_caches))
    return min(ways, key=cycles)


class Delivery(NamedTuple):
    """Where a sweep writes the states.

    Attributes:
        results: ``(stages, width, width)``, the last ``width`` rows of each stage.
        weights: ``(width height,)``, the scale of each order.
        nowhere: ``(width height,)``, receives what no row takes.
        addresses: ``(3, stages, width)``: where the row of each lane's step would have its order ``lane height``; the
            same with nowhere for lanes without one; the same with nowhere for lanes without all ``height`` of them.
        rows: address of the first row.
        pitch: bytes from a row to the next.
        capacity: rows after which they start again from the first.
        columns: orders that a row has room for, a multiple of the width.
        past_caches: stores go to memory directly.
    """

    results: FloatArray
    weights: FloatArray
    nowhere: FloatArray
    addresses: Any
    rows: int
    pitch: int
    capacity: int
    columns: int
    past_caches: Count


class Staging(NamedTuple):
    """Rows that wait until they are complete.

    Attributes:
        ring: ``(capacity, columns)``, row k in ``ring[k % capacity]``.
        states: ``(K, N)``, where they go.
    """

    ring: FloatArray
    states: FloatArray


def _delivery(
    pitch: int | None, busy: float, states: FloatArray, scale: FloatArray
) -> tuple[Way, int, Delivery, Staging | None]:
    """Return the best way to write ``states``, the rounds of a sweep, and what the kernels need for it."""
    (count, order), dtype = states.shape, states.dtype
    on_lines = states.ctypes.data % _LINE == 0 and states.strides[0] % _LINE == 0
    way = best_way(order, dtype.itemsize, pitch, busy, states.nbytes >= _CACHED, on_lines)
    (stages, _, height), width = way.layout, way.width
    columns, block = height * width, way.layout.rounds_of_a_table(pitch or 0, count)
    results, weights, nowhere = (_zeros(size, dtype) for size in (stages * width * width, columns, columns))
    weights[:order] = scale
    addresses = np.empty((3, stages, width), np.int64)
    addresses[:] = nowhere.ctypes.data + dtype.itemsize * height * np.arange(width)
    kept, past_caches = (results, weights, nowhere, addresses), (0,) * way.past_caches
    if not way.staged:
        place = (states.ctypes.data, states.strides[0], count, order)
        return way, block, Delivery(*kept, *place, past_caches), None
    block = min(block, max(_STAGED // (stages * columns * dtype.itemsize) - width, 4))
    capacity = stages * (block + width)  # a row is complete a round after ``width`` lanes have passed it on
    room = _zeros(capacity * columns + _LINE // dtype.itemsize, dtype)  # `_copy` reads whole lines
    place = (room.ctypes.data, columns * dtype.itemsize, capacity, columns)
    staging = Staging(room[: capacity * columns].reshape(capacity, columns), states)
    return way, block, Delivery(*kept, *place, past_caches), staging


def _zeros(size: int, dtype: npt.DTypeLike) -> FloatArray:
    """Return zeros that start on a cache line."""
    found = aligned_empty((size,), dtype)
    found.fill(0.0)
    return found


@jit
def _even_wave(
    first: int,
    implicit: float,
    explicit_at_start: bool,
    state: FloatArray,
    samples: FloatArray,
    before: float,
    coefficients: FloatArray | None,
    factors: FloatArray | None,
    stages: Count,
    lag: Count,
    pitch: Count,
    width: Count,
    height: int,
    block: int,
    delivery: Delivery | None,
    staging: Staging | None,
) -> None:
    """Take even steps, ``block`` rounds with one table; ``coefficients``, ``factors``: room for c, rho where not 1."""
    kind = state.dtype.type
    advance, rise = max(len(pitch), 1), min(len(pitch), 1)
    gap = rise * height - advance * len(stages)
    ahead = max(advance - rise * len(lag), 0) * len(stages)
    span = advance * len(stages) * block + rise * height + ahead
    places, origin, quotients = _table(gap, span, len(width), state)
    x, orders, flight, masks = _vectors(state, height, len(width), len(lag), len(stages))
    starts = np.empty(block * len(stages), state.dtype)
    then = np.float64(kind(before))
    rounds = -(-samples.size // len(stages)) + len(width)
    for begun in range(0, rounds, block):
        k = float(first + begun * len(stages))
        part = samples[begun * len(stages) : (begun + block) * len(stages)]
        for j in range(part.size):
            now = np.float64(part[j])
            start, coefficient, factor = even_scalars(k + j, implicit, explicit_at_start, now, then)
            starts[j], then = start, now
            if coefficients is not None:
                coefficients[j] = coefficient
            if factors is not None:
                factors[j] = factor
        for b in range(quotients.shape[0]):
            row = quotients[b]
            m = advance * k + (rise + b - gap * origin)
            for c in range(row.size):
                row[c] = float(advance) / (m + float(gap) * c)
        _sweep(
            x, orders, quotients, places, starts, coefficients, factors, None, None, flight, masks,
            stages, lag, pitch, width, begun, min(block, rounds - begun), height, samples.size, delivery,
        )  # fmt: skip
        if staging is not None:
            complete = len(stages) * (begun - len(width))
            _copy(staging, complete, complete + len(stages) * block)
    _leave(x, state, height, len(width))


@jit
def _uneven_wave(
    total: Float64Array,
    implicit: Float64Array,
    weight_now: Float64Array,
    weight_before: Float64Array,
    state: FloatArray,
    samples: FloatArray,
    before: float,
    stages: Count,
    lag: Count,
    width: Count,
    height: int,
    block: int,
    delivery: Delivery | None,
    staging: Staging | None,
) -> None:
    """Take uneven steps, whose scalars are made for ``block`` rounds at once."""
    kind = state.dtype.type
    x, orders, flight, masks = _vectors(state, height, len(width), len(lag), len(stages))
    scalars = np.empty((4, block * len(stages)), state.dtype)
    starts, coefficients, totals, implicits = scalars[0], scalars[1], scalars[2], scalars[3]
    then = np.float64(kind(before))
    rounds = -(-samples.size // len(stages)) + len(width)
    for begun in range(0, rounds, block):
        base = begun * len(stages)
        for at in range(base, min(base + block * len(stages), samples.size)):
            j, now = at - base, np.float64(samples[at])
            starts[j], coefficients[j] = uneven_scalars(
                total[at], implicit[at], weight_now[at] * now, weight_before[at] * then
            )
            totals[j], implicits[j], then = total[at], implicit[at], now
        _sweep(
            x, orders, None, None, starts, coefficients, None, totals, implicits, flight, masks,
            stages, lag, (), width, begun, min(block, rounds - begun), height, samples.size, delivery,
        )  # fmt: skip
        if staging is not None:
            complete = len(stages) * (begun - len(width))
            _copy(staging, complete, complete + len(stages) * block)
    _leave(x, state, height, len(width))


@jit
def _aligned(count: int, like: FloatArray) -> FloatArray:
    """Return ``count`` zeros that begin where a cache line does, so that no vector lies across two."""
    room = np.zeros(count + 64 // like.itemsize, like.dtype)
    skip = (-room.ctypes.data % 64) // like.itemsize
    return room[skip : skip + count]


@jit
def _vectors(
    state: FloatArray, height: int, width: int, lag: int, stages: int
) -> tuple[FloatArray, FloatArray, FloatArray, Any]:
    """Return what a sweep works on, as if steps that change nothing had come before.

    ``x`` is the state, row j of every block in ``x[j width:]``, and ``orders`` the n of the same rows, before them the
    last rows once more for the stages that lag behind. ``flight`` and ``masks`` are the live numbers of the stages.
    """
    wrapped = lag * (stages - 1)
    x, orders = _aligned(height * width, state), _aligned((wrapped + height) * width, state)
    for lane in range(width):
        for j in range(height):
            n = lane * height + j
            orders[(wrapped + j) * width + lane] = n
            if n < state.size:
                x[j * width + lane] = state[n]
    orders[: wrapped * width] = orders[height * width :]
    flight = _aligned((lag + 6) * stages * width, state)
    for j in range(wrapped):
        flight[j * width : (j + 1) * width] = x[(height - 1 - j) * width : (height - j) * width]
    return x, orders, flight, np.zeros(stages, np.int64)


@jit
def _leave(x: FloatArray, state: FloatArray, height: int, width: int) -> None:
    """Write the vectors of the state back to ``state``."""
    for lane in range(width):
        for j in range(min(height, state.size - lane * height)):
            state[lane * height + j] = x[j * width + lane]


@jit
def _table(gap: int, span: int, width: int, state: FloatArray) -> tuple[Any, int, FloatArray]:
    """Return room for a table of quotients and how it is read.

    ``places[i]`` is where the lanes that start from ``m_0 + i`` find theirs, ``i < span``; with i one ``gap`` further
    it is one place further. ``origin`` is the column of ``m_0``.
    """
    rows = abs(gap)
    turns = (span - 1) // rows
    origin = 0 if gap > 0 else turns
    columns = turns + width + 1
    places = np.empty(span, np.int64)
    for turn in range(turns + 1):
        column = origin + turn if gap > 0 else origin - turn
        for b in range(min(rows, span - turn * rows)):
            places[turn * rows + b] = b * columns + column
    return places, origin, np.empty((rows, columns), state.dtype)


@jit
def _copy(staging: Staging, first: int, stop: int) -> None:
    """Copy complete rows out of the ring, whole lines of memory at once where they are many.

    The line that a row shares with the next one is put together in ``seam``.
    """
    ring, states = staging.ring, staging.states
    size = states.shape[1] * states.itemsize
    past_caches, joined = states.shape[0] * size >= _CACHED, states.strides[0] == size
    seam = np.empty(2 * _LINE, np.uint8)
    seam_at, filled = np.int64(seam.ctypes.data), 0  # bytes in the seam
    first, stop = max(first, 0), min(stop, states.shape[0])
    for k in range(first, stop):
        source = np.int64(ring.ctypes.data) + k % ring.shape[0] * ring.strides[0]
        to, done = np.int64(states.ctypes.data) + k * states.strides[0], 0
        if filled > 0:
            _move(seam_at + filled, source, _LINE, False)
            done = min(_LINE - filled, size)
            filled += done
            if filled < _LINE:
                if k + 1 == stop:
                    _move(to + done - filled, seam_at, filled, False)
                continue
            _move(to + done - _LINE, seam_at, _LINE, past_caches)
            filled = 0
        elif to % _LINE > 0:
            done = min(_LINE - to % _LINE, size)
            _move(to, source, done, False)
        lines = (size - done) // _LINE * _LINE
        _move(to + done, source + done, lines, past_caches)
        done += lines
        if done < size and joined and k + 1 < stop:
            _move(seam_at, source + done, _LINE, False)
            filled = size - done
        elif done < size:
            _move(to + done, source + done, size - done, False)


@intrinsic
def _move(_typing: Any, to: Any, source: Any, size: Any, past_caches: Any) -> Any:
    """Copy ``size`` bytes, a multiple of 4; past the caches only from line to line."""

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        to, source, size, past_caches = arguments
        lines = builder.and_(size, _I64(-_LINE))

        def copy(kind: Any, start: Any, stop: Any, past: bool) -> None:
            width = 4 if kind == ir.IntType(32) else _LINE
            with cgutils.for_range_slice(builder, start, stop, _I64(width)) as (at, _):
                taken = builder.load(builder.inttoptr(builder.add(source, at), kind.as_pointer()), align=4)
                where = builder.inttoptr(builder.add(to, at), kind.as_pointer())
                stored = builder.store(taken, where, align=_LINE if past else 4)
                if past:
                    stored.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))

        line = ir.VectorType(_I64, _LINE // 8)
        with builder.if_else(past_caches) as (past, through):
            with past:
                copy(line, _I64(0), lines, True)
            with through:
                copy(line, _I64(0), lines, False)
        copy(ir.IntType(32), lines, size, False)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.boolean), emit


@intrinsic
def _sweep(
    _typing: Any, x: Any, orders: Any, quotients: Any, places: Any, starts: Any, coefficients: Any, factors: Any,
    totals: Any, implicits: Any, flight: Any, masks: Any, stages: Any, lag: Any, pitch: Any, width: Any,
    begun: Any, rounds: Any, height: Any, count: Any, delivery: Any,
) -> Any:  # fmt: skip
    """Take ``rounds`` rounds, from round ``begun`` on, with the scalars of their steps; see `_Sweep`."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _Sweep(context, builder, signature.args, arguments).emit()
        return context.get_dummy_value()

    arguments = (
        x, orders, quotients, places, starts, coefficients, factors, totals, implicits, flight, masks,
        stages, lag, pitch, width, begun, rounds, height, count, delivery,
    )  # fmt: skip
    return types.void(*arguments), emit


_ARRAYS = (
    "x", "orders", "quotients", "places", "starts", "coefficients", "factors", "totals", "implicits", "flight", "masks",
)  # fmt: skip
_SCALARS = ("coefficients", "factors", "totals", "implicits")
_I64 = ir.IntType(64)


class _Sweep:
    """Emits the rounds of a sweep.

    The numbers that live from row to row are allocas here, which LLVM makes registers. For each stage: the last
    ``lag`` results, on their way to the next stage; d; ``n x_n``; the scalars of the steps, one for each lane; a bit
    for each lane, whether it has a step.
    """

    def __init__(self, context: Any, builder: Any, kinds: Any, arguments: Any) -> None:
        self.pointers = {
            name: data_pointer(context, builder, kind, value)
            for name, kind, value in zip(_ARRAYS, kinds, arguments, strict=False)
            if kind != types.none
        }
        self.stages, self.lag, pitch, width = (kind.count for kind in kinds[len(_ARRAYS) : -5])
        self.begun, self.rounds, self.height, self.count = arguments[-5:-1]
        self.delivers = kinds[-1] != types.none
        if self.delivers:
            self.delivery = dict(zip(kinds[-1].fields, cgutils.unpack_tuple(builder, arguments[-1]), strict=True))
            self.past_caches = kinds[-1][-1].count > 0
            for name, kind in zip(kinds[-1].fields, kinds[-1], strict=True):
                if isinstance(kind, types.Array):
                    self.pointers[name] = data_pointer(context, builder, kind, self.delivery[name])
            self.beyond = builder.urem(self.delivery["columns"], self.height)
        self.advance, self.rise = max(pitch, 1), min(pitch, 1)
        self.builder, self.vectors = builder, Vectors.of(builder, kinds[0].dtype, width)
        self.scalars = [name for name in _SCALARS if name in self.pointers]
        self.results = [f"result {age}" for age in range(self.lag)]
        each = [(name, v) for v in range(self.stages) for name in self.results]
        each += [(name, v) for v in range(self.stages) for name in ("d", "w", *self.scalars)]
        self.live = {key: cgutils.alloca_once(builder, self.vectors.type) for key in each}
        self.bits = ir.IntType(width)
        self.masks = [cgutils.alloca_once(builder, self.bits) for _ in range(self.stages)]

    def emit(self) -> None:
        """Emit the rounds, between taking the live numbers out of memory and putting them back."""
        builder, width = self.builder, self.vectors.width
        for place, register in enumerate(self.live.values()):
            builder.store(self.vectors.load(self.pointers["flight"], place * width), register)
        for v, mask in enumerate(self.masks):
            builder.store(builder.trunc(builder.load(self.mask_address(v)), self.bits), mask)
        with cgutils.for_range(builder, self.rounds) as loop:
            begins = self.lag * (self.stages - 1) + 1  # in these rows one stage after the other begins its round
            together = width if self.delivers else 1
            head = -(-begins // together) * together
            for row in range(head):
                if row < begins and row % self.lag == 0:
                    self.begin_round(row // self.lag, loop.index)
                self.take_row(loop.index, _I64(row), row)
            with cgutils.for_range_slice(builder, _I64(head), self.height, _I64(together)) as (index, _):
                for part in range(together):
                    self.take_row(loop.index, builder.add(index, _I64(part)), head + part)
        for place, register in enumerate(self.live.values()):
            self.vectors.store(builder.load(register), self.pointers["flight"], place * width)
        for v, mask in enumerate(self.masks):
            builder.store(builder.zext(builder.load(mask), _I64), self.mask_address(v))

    def mask_address(self, v: int) -> Any:
        """Return where the mask of a stage is kept between sweeps."""
        return self.builder.gep(self.pointers["masks"], [_I64(v)])

    def begin_round(self, v: int, index: Any) -> None:
        """Move the steps of stage v one lane up; lane 0 starts the step of this round."""
        builder, vectors = self.builder, self.vectors
        at = builder.add(builder.mul(index, _I64(self.stages)), _I64(v))
        for name, source in {"d": "starts", "w": None, **{name: name for name in self.scalars}}.items():
            entering = vectors.splat(vectors.load_one(self.pointers[source], at)) if source else vectors.zero
            register = self.live[name, v]
            builder.store(vectors.shift_in(entering, builder.load(register)), register)
        step = builder.add(builder.mul(self.begun, _I64(self.stages)), at)
        exists = builder.zext(builder.icmp_signed("<", step, self.count), self.bits)
        moved = builder.shl(builder.load(self.masks[v]), self.bits(1))
        builder.store(builder.or_(moved, exists), self.masks[v])
        if self.delivers:
            self.begin_rows(v, step)

    def begin_rows(self, v: int, step: Any) -> None:
        """Move the addresses of the rows of stage v one lane up; lane 0 begins the row of ``step``."""
        builder, width, place = self.builder, self.vectors.width, self.delivery
        numbers, i32 = ir.VectorType(_I64, width), ir.IntType(32)

        def splat(value: Any) -> Any:
            single = builder.insert_element(ir.Constant(numbers, ir.Undefined), value, i32(0))
            return builder.shuffle_vector(single, single, ir.Constant(ir.VectorType(i32, width), [0] * width))

        def table(part: int) -> Any:
            at = _I64((part * self.stages + v) * width)
            return builder.bitcast(builder.gep(self.pointers["addresses"], [at]), numbers.as_pointer())

        own = builder.add(place["rows"], builder.mul(builder.urem(step, place["capacity"]), place["pitch"]))
        nowhere = builder.ptrtoint(self.pointers["nowhere"], _I64)
        entering = splat(builder.select(builder.icmp_signed("<", step, self.count), own, nowhere))
        up = ir.Constant(ir.VectorType(i32, width), list(range(width - 1, 2 * width - 1)))
        segment = splat(builder.mul(self.height, _I64(self.vectors.size)))
        moved = builder.shuffle_vector(entering, builder.load(table(0), align=8), up)
        moved = builder.add(moved, builder.insert_element(segment, _I64(0), i32(0)))
        lane = ir.Constant(numbers, list(range(width)))
        away = builder.add(splat(nowhere), builder.mul(segment, lane))
        begins = builder.mul(lane, splat(self.height))
        ends = builder.add(begins, splat(self.height))
        builder.store(moved, table(0), align=8)
        for part, exists in (
            (1, builder.icmp_signed("<", begins, splat(place["columns"]))),
            (2, builder.icmp_signed("<=", ends, splat(place["columns"]))),
        ):
            builder.store(builder.select(exists, moved, away), table(part), align=8)

    def take_row(self, index: Any, row: Any, known: int) -> None:
        """Let stage v take row ``row - lag v`` of this round, or, where that is negative, of its round before.

        ``known`` is the row as a Python number, as long as that matters.
        """
        builder, vectors, last = self.builder, self.vectors, self.stages - 1
        at = builder.mul(row, _I64(vectors.width))
        quotients: dict[tuple[int, bool], Any] = {}
        for v in range(last, -1, -1):  # a stage takes what the one before it has left, before that leaves more
            live = {name: builder.load(register) for (name, stage), register in self.live.items() if stage == v}
            late = known < self.lag * v
            x = vectors.load(self.pointers["x"], at) if v == 0 else builder.load(self.live[self.results[-1], v - 1])
            n = vectors.load(self.pointers["orders"], builder.add(at, _I64(vectors.width * self.lag * (last - v))))
            if "totals" in live:
                one = vectors.constant(1.0)
                r = builder.fdiv(live["totals"], vectors.fma(live["implicits"], builder.fadd(n, one), one))
            else:
                key = ((self.advance - self.rise * self.lag) * v, late)
                if key not in quotients:
                    quotients[key] = self.quotients(index, row, *key)
                r = builder.fmul(live["factors"], quotients[key]) if "factors" in live else quotients[key]
            a = (
                vectors.fma(live["coefficients"], live["d"], x)
                if "coefficients" in live
                else builder.fadd(x, live["d"])
            )
            q = vectors.fma(n, a, builder.fadd(x, live["w"]))
            mask = builder.bitcast(builder.load(self.masks[v]), ir.VectorType(ir.IntType(1), vectors.width))
            d = builder.select(mask, vectors.fma(builder.fneg(r), q, live["d"]), vectors.zero)
            result = builder.fadd(x, d)
            builder.store(d, self.live["d", v])
            builder.store(builder.fmul(n, x), self.live["w", v])
            if self.delivers:
                self.keep(v, (known - self.lag * v) % vectors.width, result, row, late)
            if v < last:
                for name, moving in zip(self.results, [result, *(live[name] for name in self.results)], strict=False):
                    builder.store(moving, self.live[name, v])
            else:
                to = builder.sub(at, _I64(vectors.width * self.lag * v))
                wrapped = builder.add(to, builder.mul(self.height, _I64(vectors.width)))
                vectors.store(result, self.pointers["x"], wrapped if late else to)

    def keep(self, v: int, place: int, result: Any, row: Any, late: bool) -> None:
        """Keep a result of stage v, the one number ``place`` of ``width``, and deliver them when it is the last."""
        builder, vectors, width = self.builder, self.vectors, self.vectors.width
        vectors.store(result, self.pointers["results"], (v * width + place) * width)
        if place < width - 1:
            return
        first = builder.sub(row, _I64(self.lag * v + width - 1))
        first = builder.add(first, self.height) if late else first
        some = builder.icmp_signed("<", first, self.beyond)  # the last lane that has orders may not have these
        table = builder.mul(builder.select(some, _I64(1), _I64(2)), _I64(self.stages * width))
        pieces = vectors.transpose(
            [vectors.load(self.pointers["results"], (v * width + i) * width) for i in range(width)]
        )
        for lane, piece in enumerate(pieces):
            order = builder.add(builder.mul(self.height, _I64(lane)), first)
            scaled = builder.fmul(piece, vectors.load(self.pointers["weights"], order))
            start = builder.load(builder.gep(self.pointers["addresses"], [builder.add(table, _I64(v * width + lane))]))
            address = builder.add(start, builder.mul(first, _I64(vectors.size)))
            where = builder.inttoptr(address, vectors.type.as_pointer())
            stored = builder.store(scaled, where, align=_LINE if self.past_caches else vectors.size)
            if self.past_caches:
                stored.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))

    def quotients(self, index: Any, row: Any, ahead: int, late: bool) -> Any:
        """Return ``e/m``, for ``m_0 + ahead`` in lane 0 at the start of the sweep; late in its round before."""
        builder = self.builder
        place = builder.mul(index, _I64(self.advance * self.stages))
        place = builder.add(builder.add(place, builder.mul(row, _I64(self.rise))), _I64(ahead))
        at = builder.load(builder.gep(self.pointers["places"], [place]))
        # Row `height + row` of the round before has an m one gap further than row `row` of this one.
        return self.vectors.load(self.pointers["quotients"], builder.add(at, _I64(1)) if late else at)
