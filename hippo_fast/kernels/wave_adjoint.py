"""The adjoint of LegS steps of one stream: the last step first, many steps side by side in vector registers.

The transpose of a step of `rows`, on a costate l, with ``R_n = 1/(1 + i (n + 1))``, so that ``r_n = T R_n`` and
``c r_n = 2 i R_n``, descends from ``e_N = 0`` and ``h_N = 0``:

    g = l_n + e_{n+1};  h_n = R_n g;  q = n (h_n + h_{n+1}) + h_n;  l'_n = l_n - T q;  e_n = g - 2 i n h_n

Here e_n is the derivative with respect to ``d_{n-1}``, and ``e_0/(1 + i)`` that with respect to the step's input. No
state is needed, because the steps are linear. Every rounding but the last of ``l'`` is as large as the change of l.
Even steps (`EvenSteps`) take ``R_n = 1/(k + a (n + 1))``; then a stands for i, and T is 1, or rho for the trapezoid.

In a wave, row n of a step needs row n + 1 of the same step and of the one done before it: this is the way of `wave`
with n and k descending, and the layout is that of `wave`. The rows that fill up the last lane there come first here:
zeros, which stay zeros. What comes out of the last lane is ``e_0``. Where a lane has no step, a mask keeps ``h = 0``.

What bounds it is arithmetic, as in `wave`: 3 multiplications and 3 additions for an element, 4 multiplications for the
trapezoid, and the divider for uneven steps. With incoming gradients it is their way from memory into the lanes.
One file, because numba's cache of a kernel sees changes of the kernel's own file alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils, types

from hippo_fast.discretizations.base import EvenSteps, PrefixSteps
from hippo_fast.kernels.simd import Vectors, data_pointer, fma, intrinsic, jit, lanes
from hippo_fast.kernels.wave import Count, Layout, best_layout
from hippo_fast.types import Float64Array, FloatArray


def adjoint_one(
    steps: EvenSteps | PrefixSteps,
    costate: FloatArray,
    incoming: FloatArray | None,
    scale: FloatArray,
    gradients: FloatArray,
) -> float:
    """Run the transposes of the steps of `wave.last_state`, from the last to the first: derivatives of a loss.

    Args:
        steps: K steps.
        costate: ``(N,)`` contiguous, float32 or float64, with respect to the state ``x`` after the last step; replaced
            by the derivative with respect to the state before the first step.
        incoming: None, or ``(K, N)`` of the same dtype, rows contiguous; ``scale * incoming[j]`` is added to the
            costate after step j before it goes back through that step.
        scale: ``(N,)``; of no effect without ``incoming``.
        gradients: ``(K,)`` of the same dtype, with any stride; receives the derivatives with respect to the samples.

    Returns:
        The derivative with respect to the sample before the first.

    Raises:
        ValueError: rows of ``incoming`` that are not contiguous.
    """
    spread = incoming is not None and incoming.size > 0 and incoming.strides[1] != incoming.itemsize
    if incoming is not None and spread and costate.size > 1:
        raise ValueError(
            f"incoming has strides {incoming.strides} bytes; accepted: rows contiguous, {incoming.itemsize} bytes last"
        )
    given = (costate, incoming, scale.astype(costate.dtype, copy=False), gradients)
    # A wave costs as much as two steps and a thousand rows, row by row, as in `wave`.
    row_by_row = costate.size <= 4 or (len(steps) - 2) * costate.size <= 1000
    if isinstance(steps, EvenSteps):
        even = (steps.first, steps.implicit, steps.explicit_at_start, *given)
        return even_row_by_row(*even) if row_by_row else even_wave(*even, lanes(costate.dtype))
    uneven = (steps.total, steps.implicit, steps.now, steps.before, *given)
    return uneven_row_by_row(*uneven) if row_by_row else uneven_wave(*uneven, lanes(costate.dtype))


@jit
def _even_shares(k: float, implicit: float, explicit_at_start: bool, leaving: float) -> tuple[float, float]:
    """Return the derivatives with respect to ``u_k`` and ``u_{k-1}``, from ``e_0`` of the even step that ends at k."""
    if explicit_at_start:
        share = leaving / (2.0 * k + 1.0)
        return share, share * (k / (k - 1.0))
    return leaving / (k + implicit), 0.0


@jit
def _factor(k: float, explicit_at_start: bool) -> float:
    """Return rho of an even step."""
    return (2.0 * k - 1.0) / (2.0 * (k - 1.0)) if explicit_at_start else 1.0


@jit
def even_row_by_row(
    first: int,
    implicit: float,
    explicit_at_start: bool,
    costate: FloatArray,
    incoming: FloatArray | None,
    scale: FloatArray,
    gradients: FloatArray,
) -> float:
    """Transpose the steps of `EvenSteps`, whose attributes come first, row by row; see `adjoint_one`."""
    kind, carried = costate.dtype.type, 0.0
    for j in range(gradients.size - 1, -1, -1):
        k = float(first + j)
        factor, e, above = kind(_factor(k, explicit_at_start)), kind(0.0), kind(0.0)
        for n in range(costate.size - 1, -1, -1):
            received, row, turn = costate[n], kind(n), kind(2.0 * implicit * n)
            if incoming is not None:
                received = fma(scale[n], incoming[j, n], received)
            g = received + e
            h = kind(1.0 / (k + implicit * (n + 1.0))) * g
            costate[n] = fma(-factor, fma(row, h + above, h), received)
            e, above = fma(-turn, h, g), h
        now, before = _even_shares(k, implicit, explicit_at_start, np.float64(e))
        gradients[j], carried = now + carried, before
    return carried


@jit
def uneven_row_by_row(
    total: Float64Array,
    implicit: Float64Array,
    weight_now: Float64Array,
    weight_before: Float64Array,
    costate: FloatArray,
    incoming: FloatArray | None,
    scale: FloatArray,
    gradients: FloatArray,
) -> float:
    """Transpose the steps of `PrefixSteps`, whose arrays come first, row by row; see `adjoint_one`."""
    kind, carried = costate.dtype.type, 0.0
    for j in range(gradients.size - 1, -1, -1):
        t, i, e, above = kind(total[j]), kind(implicit[j]), kind(0.0), kind(0.0)
        for n in range(costate.size - 1, -1, -1):
            received, row = costate[n], kind(n)
            if incoming is not None:
                received = fma(scale[n], incoming[j, n], received)
            g = received + e
            h = kind(1.0) / fma(i, row + kind(1.0), kind(1.0)) * g
            costate[n] = fma(-t, fma(row, h + above, h), received)
            e, above = fma(-((row + row) * i), h, g), h
        share = np.float64(e) / (1.0 + implicit[j])
        gradients[j], carried = weight_now[j] * share + carried, weight_before[j] * share
    return carried


def even_wave(
    first: int,
    implicit: float,
    explicit_at_start: bool,
    costate: FloatArray,
    incoming: FloatArray | None,
    scale: FloatArray,
    gradients: FloatArray,
    width: int,
) -> float:
    """Give the bits of `even_row_by_row` with vectors of ``width`` floats."""
    pitch = round(1.0 / implicit) if implicit else 0
    layout = best_layout(costate.size, width, pitch, 4.0 if explicit_at_start or pitch == 1 else 3.0)
    block = layout.rounds_of_a_table(pitch, gradients.size)
    places, origin, quotients = _table(layout, pitch, block, width, costate.dtype)
    factors = np.zeros(block * layout.stages, costate.dtype) if explicit_at_start else None
    return _even_wave(
        first, implicit, explicit_at_start, costate, incoming, scale, gradients, factors, places, origin, quotients,
        _room_to_receive(incoming, layout, width),
        *layout.counts, (0,) * pitch, (0,) * width, layout.height, block,
    )  # fmt: skip


def uneven_wave(
    total: Float64Array,
    implicit: Float64Array,
    weight_now: Float64Array,
    weight_before: Float64Array,
    costate: FloatArray,
    incoming: FloatArray | None,
    scale: FloatArray,
    gradients: FloatArray,
    width: int,
) -> float:
    """Give the bits of `uneven_row_by_row` with vectors of ``width`` floats."""
    layout = best_layout(costate.size, width, None, 10.0)
    return _uneven_wave(
        total, implicit, weight_now, weight_before, costate, incoming, scale, gradients,
        _room_to_receive(incoming, layout, width),
        *layout.counts, (0,) * width, layout.height, 64,
    )  # fmt: skip


def _table(
    layout: Layout, pitch: int, block: int, width: int, dtype: npt.DTypeLike
) -> tuple[npt.NDArray[np.int64], int, FloatArray]:
    """Return room for a table of quotients and how it is read, as in `wave`.

    ``places[i]`` is where the lanes that start from ``m_0 - i`` find theirs; with i one ``gap`` further it is one place
    further. ``origin`` is the column of ``m_0``.
    """
    advance, rise = max(pitch, 1), min(pitch, 1)
    gap = rise * layout.height - advance * layout.stages
    ahead = max(advance - rise * layout.lag, 0) * layout.stages
    span = advance * layout.stages * block + rise * layout.height + ahead
    turn, row = np.divmod(np.arange(span), abs(gap))
    turns = int(turn[-1])
    columns, origin = turns + width + 1, 0 if gap > 0 else turns
    return row * columns + (turn if gap > 0 else turns - turn), origin, np.empty((abs(gap), columns), dtype)


def _room_to_receive(incoming: FloatArray | None, layout: Layout, width: int) -> FloatArray | None:
    """Return room for what the stages receive in a round and in the one before; None without incoming gradients."""
    if incoming is None:
        return None
    size = layout.stages * -(-layout.height // width) * width * width
    room = np.zeros(2 * size + 64 // incoming.itemsize, incoming.dtype)
    start = -room.ctypes.data % 64 // incoming.itemsize
    return room[start : start + 2 * size].reshape(2, size)


@jit
def _even_wave(
    first: int,
    implicit: float,
    explicit_at_start: bool,
    costate: FloatArray,
    incoming: FloatArray | None,
    scale: FloatArray,
    gradients: FloatArray,
    factors: FloatArray | None,
    places: npt.NDArray[np.int64],
    origin: int,
    quotients: FloatArray,
    received: FloatArray | None,
    stages: Count,
    lag: Count,
    pitch: Count,
    width: Count,
    height: int,
    block: int,
) -> float:
    """Transpose even steps, ``block`` rounds with one table; ``factors``: room for rho where it is not 1."""
    advance, rise = max(len(pitch), 1), min(len(pitch), 1)
    gap = rise * height - advance * len(stages)
    x, orders, weights, flight, masks = _vectors(costate, scale, height, len(width), len(lag), len(stages))
    leaving = np.empty(block * len(stages), costate.dtype)
    count, carried = gradients.size, 0.0
    rounds = -(-count // len(stages)) + len(width)
    for begun in range(0, rounds, block):
        k, taken = float(first + count - 1 - begun * len(stages)), min(block, rounds - begun)
        if factors is not None:
            for at in range(min(factors.size, count - begun * len(stages))):
                factors[at] = _factor(k - at, explicit_at_start)
        for b in range(quotients.shape[0]):
            row = quotients[b]
            m = advance * k + (rise * height * len(width) - b + gap * origin)
            for c in range(row.size):
                row[c] = float(advance) / (m - float(gap) * c)
        if received is None or incoming is None:
            _sweep(
                x, orders, quotients, places, factors, None, None, None, None, leaving, flight, masks,
                stages, lag, pitch, width, begun, 0, taken, height, count,
            )  # fmt: skip
        else:
            for done in range(taken):
                now, then = received[(begun + done) % 2], received[(begun + done + 1) % 2]
                _receive(now, incoming, begun + done, stages, width, height)
                _sweep(
                    x, orders, quotients, places, factors, None, now, then, weights, leaving, flight, masks,
                    stages, lag, pitch, width, begun, done, done + 1, height, count,
                )  # fmt: skip
        earlier = (begun - len(width)) * len(stages)  # steps in the last lane are so much behind
        for at in range(max(0, -earlier), min(taken * len(stages), count - earlier)):
            j = count - 1 - earlier - at
            share, before = _even_shares(float(first + j), implicit, explicit_at_start, np.float64(leaving[at]))
            gradients[j], carried = share + carried, before
    _leave(x, costate, height, len(width))
    return carried


@jit
def _uneven_wave(
    total: Float64Array,
    implicit: Float64Array,
    weight_now: Float64Array,
    weight_before: Float64Array,
    costate: FloatArray,
    incoming: FloatArray | None,
    scale: FloatArray,
    gradients: FloatArray,
    received: FloatArray | None,
    stages: Count,
    lag: Count,
    width: Count,
    height: int,
    block: int,
) -> float:
    """Transpose uneven steps, whose scalars are made for ``block`` rounds at once."""
    x, orders, weights, flight, masks = _vectors(costate, scale, height, len(width), len(lag), len(stages))
    scalars = np.zeros((3, block * len(stages)), costate.dtype)
    totals, implicits, leaving = scalars[0], scalars[1], scalars[2]
    count, carried = gradients.size, 0.0
    rounds = -(-count // len(stages)) + len(width)
    for begun in range(0, rounds, block):
        taken = min(block, rounds - begun)
        last = count - 1 - begun * len(stages)
        for at in range(min(totals.size, last + 1)):
            totals[at], implicits[at] = total[last - at], implicit[last - at]
        if received is None or incoming is None:
            _sweep(
                x, orders, None, None, totals, implicits, None, None, None, leaving, flight, masks,
                stages, lag, (), width, begun, 0, taken, height, count,
            )  # fmt: skip
        else:
            for done in range(taken):
                now, then = received[(begun + done) % 2], received[(begun + done + 1) % 2]
                _receive(now, incoming, begun + done, stages, width, height)
                _sweep(
                    x, orders, None, None, totals, implicits, now, then, weights, leaving, flight, masks,
                    stages, lag, (), width, begun, done, done + 1, height, count,
                )  # fmt: skip
        earlier = (begun - len(width)) * len(stages)  # steps in the last lane are so much behind
        for at in range(max(0, -earlier), min(taken * len(stages), count - earlier)):
            j = count - 1 - earlier - at
            share = np.float64(leaving[at]) / (1.0 + implicit[j])
            gradients[j], carried = weight_now[j] * share + carried, weight_before[j] * share
    _leave(x, costate, height, len(width))
    return carried


@jit
def _receive(received: FloatArray, incoming: FloatArray, turn: int, stages: Count, width: Count, height: int) -> None:
    """Write the incoming gradients of a round, for each stage, row of a block and lane; 0 where there are none."""
    for v in range(len(stages)):
        place = v * -(-height // len(width)) * len(width)
        for j in range(0, height, len(width)):
            n, step = len(width) * (height - 1) - j, len(stages) * turn + v
            _receive_block(received, incoming, place + j, n, step, stages, width, height)


@intrinsic
def _receive_block(
    _typing: Any, received: Any, incoming: Any, place: Any, n: Any, step: Any, stages: Any, width: Any, height: Any
) -> Any:
    """Write as many rows as there are lanes, from row ``place`` on, to which lane 0 brings order n last.

    Each lane loads some orders of its step, and all are transposed. Whole steps that enter the round after next are
    fetched ahead: memory is fastest where it is read on and on.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        received, incoming, place, n, step, _, _, height = arguments
        kinds = signature.args
        stages, width = kinds[5].count, kinds[6].count
        vectors = Vectors.of(builder, kinds[0].dtype, width)
        array = context.make_array(kinds[1])(context, builder, incoming)
        (count, order), (down, _) = (cgutils.unpack_tuple(builder, part, 2) for part in (array.shape, array.strides))
        bytes_of_one, last = _I64(4 if vectors.element == ir.FloatType() else 8), builder.sub(count, _I64(1))
        counting = ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(width)))
        rows = []
        for lane in range(width):
            mine = builder.sub(step, _I64(stages * lane))
            low = builder.sub(n, builder.mul(height, _I64(lane)))
            offset = builder.add(builder.mul(builder.sub(last, mine), down), builder.mul(low, bytes_of_one))
            address = builder.gep(builder.bitcast(array.data, _BYTES), [offset])
            exists = builder.icmp_unsigned("<", mine, count)
            end = builder.trunc(builder.select(exists, order, _I64(0)), ir.IntType(32))
            orders = builder.add(counting, _splat(builder, builder.trunc(low, ir.IntType(32)), width))
            mask = builder.icmp_unsigned("<", orders, _splat(builder, end, width))
            rows.append(_masked_load(vectors, address, mask))
            _prefetch(builder, builder.gep(address, [builder.mul(down, _I64(-stages * (lane + 2)))]))
        pointer = data_pointer(context, builder, kinds[0], received)
        for row, vector in enumerate(reversed(vectors.transpose(rows))):
            vectors.store(vector, pointer, builder.mul(builder.add(place, _I64(row)), _I64(width)))
        return context.get_dummy_value()

    return types.void(received, incoming, place, n, step, stages, width, height), emit


def _splat(builder: Any, number: Any, width: int) -> Any:
    """Return a vector with one 32-bit integer in every lane."""
    kind = ir.VectorType(ir.IntType(32), width)
    single = builder.insert_element(ir.Constant(kind, ir.Undefined), number, ir.IntType(32)(0))
    return builder.shuffle_vector(single, single, ir.Constant(kind, [0] * width))


def _masked_load(vectors: Vectors, address: Any, mask: Any) -> Any:
    """Return the floats from an address on where the mask is set, and 0 elsewhere, where nothing is read."""
    size = 4 if vectors.element == ir.FloatType() else 8
    pointer = vectors.builder.bitcast(address, vectors.type.as_pointer())
    name = f"llvm.masked.load.v{vectors.width}f{8 * size}.p0"
    signature = ir.FunctionType(vectors.type, [pointer.type, ir.IntType(32), mask.type, vectors.type])
    function = cgutils.get_or_insert_function(vectors.builder.module, signature, name)
    return vectors.builder.call(function, [pointer, ir.IntType(32)(size), mask, vectors.zero])


def _prefetch(builder: Any, address: Any) -> None:
    """Fetch a cache line for reading into the second cache; any address will do."""
    word = ir.IntType(32)
    signature = ir.FunctionType(ir.VoidType(), [_BYTES, word, word, word])
    function = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0")
    builder.call(function, [address, word(0), word(2), word(1)])


@jit
def _aligned(count: int, like: FloatArray) -> FloatArray:
    """Return ``count`` zeros that begin where a cache line does, so that no vector lies across two."""
    room = np.zeros(count + 64 // like.itemsize, like.dtype)
    skip = (-room.ctypes.data % 64) // like.itemsize
    return room[skip : skip + count]


@jit
def _vectors(
    costate: FloatArray, scale: FloatArray, height: int, width: int, lag: int, stages: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, Any]:
    """Return what a sweep works on, as if steps that change nothing had come before.

    ``x`` is the costate, n descending, row j of every block in ``x[j width:]``, and ``orders`` the n of the same rows,
    before them the last rows once more for the stages that lag behind; ``weights`` is the scale in the same places.
    ``flight`` and ``masks`` are the live numbers of the stages.
    """
    wrapped = lag * (stages - 1)
    x, size = _aligned(height * width, costate), (wrapped + height) * width
    orders, weights = _aligned(size, costate), _aligned(size, costate)
    for lane in range(width):
        for j in range(height):
            n = width * height - 1 - lane * height - j
            orders[(wrapped + j) * width + lane] = n
            if n < costate.size:
                x[j * width + lane], weights[(wrapped + j) * width + lane] = costate[n], scale[n]
    orders[: wrapped * width], weights[: wrapped * width] = orders[height * width :], weights[height * width :]
    flight = _aligned((lag + 4) * stages * width, costate)
    for j in range(wrapped):
        flight[j * width : (j + 1) * width] = x[(height - 1 - j) * width : (height - j) * width]
    return x, orders, weights, flight, np.zeros(stages, np.int64)


@jit
def _leave(x: FloatArray, costate: FloatArray, height: int, width: int) -> None:
    """Write the vectors of the costate back to ``costate``."""
    for lane in range(width):
        for j in range(height):
            n = width * height - 1 - lane * height - j
            if n < costate.size:
                costate[n] = x[j * width + lane]


@intrinsic
def _sweep(
    _typing: Any, x: Any, orders: Any, quotients: Any, places: Any, factors: Any, implicits: Any, received: Any,
    receding: Any, weights: Any, leaving: Any, flight: Any, masks: Any, stages: Any, lag: Any, pitch: Any, width: Any,
    begun: Any, begin: Any, end: Any, height: Any, count: Any,
) -> Any:  # fmt: skip
    """Take the rounds from ``begun + begin`` to ``begun + end``; ``begun`` is the first with these scalars."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _Sweep(context, builder, signature.args, arguments).emit()
        return context.get_dummy_value()

    arguments = (
        x, orders, quotients, places, factors, implicits, received, receding, weights, leaving, flight, masks,
        stages, lag, pitch, width, begun, begin, end, height, count,
    )  # fmt: skip
    return types.void(*arguments), emit


_I64 = ir.IntType(64)
_BYTES = ir.IntType(8).as_pointer()
_ARRAYS = (
    "x", "orders", "quotients", "places", "factors", "implicits", "received", "receding", "weights", "leaving",
    "flight", "masks",
)  # fmt: skip
_SCALARS = ("factors", "implicits")


class _Sweep:
    """Emits the rounds of a sweep.

    The numbers that live from row to row are allocas here, which LLVM makes registers. For each stage: the last
    ``lag`` results, on their way to the next stage; e; h; the scalars of the steps, one for each lane; a bit for each
    lane, whether it has a step.
    """

    def __init__(self, context: Any, builder: Any, kinds: Any, arguments: Any) -> None:
        self.pointers = {
            name: data_pointer(context, builder, kind, value)
            for name, kind, value in zip(_ARRAYS, kinds, arguments, strict=False)
            if kind != types.none
        }
        self.stages, self.lag, self.pitch, width = (kind.count for kind in kinds[len(_ARRAYS) : -5])
        self.begun, self.begin, self.end, self.height, self.count = arguments[-5:]
        self.advance, self.rise = max(self.pitch, 1), min(self.pitch, 1)
        self.builder, self.vectors = builder, Vectors.of(builder, kinds[0].dtype, width)
        self.scalars = [name for name in _SCALARS if name in self.pointers]
        self.results = [f"result {age}" for age in range(self.lag)]
        each = [(name, v) for v in range(self.stages) for name in self.results]
        each += [(name, v) for v in range(self.stages) for name in ("e", "h", *self.scalars)]
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
        with cgutils.for_range_slice(builder, self.begin, self.end, _I64(1)) as (turn, _):
            head = self.lag * (self.stages - 1) + 1  # in these rows one stage after the other begins its round
            for row in range(head):
                if row % self.lag == 0:
                    self.begin_round(row // self.lag, turn)
                self.take_row(turn, _I64(row), row)
            with cgutils.for_range_slice(builder, _I64(head), self.height, _I64(1)) as (index, _):
                self.take_row(turn, index, head)
        for place, register in enumerate(self.live.values()):
            self.vectors.store(builder.load(register), self.pointers["flight"], place * width)
        for v, mask in enumerate(self.masks):
            builder.store(builder.zext(builder.load(mask), _I64), self.mask_address(v))

    def mask_address(self, v: int) -> Any:
        """Return where the mask of a stage is kept between sweeps."""
        return self.builder.gep(self.pointers["masks"], [_I64(v)])

    def begin_round(self, v: int, turn: Any) -> None:
        """Move the steps of stage v one lane up; ``e_0`` leaves the last lane, lane 0 starts the step of this round."""
        builder, vectors = self.builder, self.vectors
        at = builder.add(builder.mul(turn, _I64(self.stages)), _I64(v))
        leaving = vectors.extract(builder.load(self.live["e", v]), vectors.width - 1)
        builder.store(leaving, vectors.address(self.pointers["leaving"], at))
        for name in ("e", "h", *self.scalars):
            entering = vectors.splat(vectors.load_one(self.pointers[name], at)) if name in _SCALARS else vectors.zero
            register = self.live[name, v]
            builder.store(vectors.shift_in(entering, builder.load(register)), register)
        step = builder.add(builder.mul(self.begun, _I64(self.stages)), at)
        exists = builder.zext(builder.icmp_signed("<", step, self.count), self.bits)
        moved = builder.shl(builder.load(self.masks[v]), self.bits(1))
        builder.store(builder.or_(moved, exists), self.masks[v])

    def take_row(self, turn: Any, row: Any, known: int) -> None:
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
            here = builder.add(at, _I64(vectors.width * self.lag * (last - v)))
            n = vectors.load(self.pointers["orders"], here)
            if "received" in self.pointers:
                x = vectors.fma(vectors.load(self.pointers["weights"], here), self.received(v, row, late), x)
            if "implicits" in live:
                one = vectors.constant(1.0)
                inverse = builder.fdiv(one, vectors.fma(live["implicits"], builder.fadd(n, one), one))
            else:
                key = ((self.advance - self.rise * self.lag) * v, late)
                if key not in quotients:
                    quotients[key] = self.quotients(turn, row, *key)
                inverse = quotients[key]
            g = builder.fadd(x, live["e"])
            mask = builder.bitcast(builder.load(self.masks[v]), ir.VectorType(ir.IntType(1), vectors.width))
            h = builder.select(mask, builder.fmul(inverse, g), vectors.zero)
            q = vectors.fma(n, builder.fadd(h, live["h"]), h)
            result = vectors.fma(builder.fneg(live["factors"]), q, x) if "factors" in live else builder.fsub(x, q)
            builder.store(self.passed_on(g, h, n, live), self.live["e", v])
            builder.store(h, self.live["h", v])
            if v < last:
                for name, moving in zip(self.results, [result, *(live[name] for name in self.results)], strict=False):
                    builder.store(moving, self.live[name, v])
            else:
                to = builder.sub(at, _I64(vectors.width * self.lag * v))
                wrapped = builder.add(to, builder.mul(self.height, _I64(vectors.width)))
                vectors.store(result, self.pointers["x"], wrapped if late else to)

    def received(self, v: int, row: Any, late: bool) -> Any:
        """Return what stage v receives in its row; late from its round before."""
        builder, width = self.builder, self.vectors.width
        blocks = builder.sdiv(builder.add(self.height, _I64(width - 1)), _I64(width))
        place = builder.add(builder.mul(blocks, _I64(v * width)), builder.sub(row, _I64(self.lag * v)))
        place = builder.add(place, self.height) if late else place
        return self.vectors.load(self.pointers["receding" if late else "received"], builder.mul(place, _I64(width)))

    def passed_on(self, g: Any, h: Any, n: Any, live: dict[str, Any]) -> Any:
        """Return e, ``g - 2 i n h``."""
        builder = self.builder
        if "implicits" in live:
            turn = builder.fmul(builder.fadd(n, n), live["implicits"])
        elif self.pitch == 0:
            return g
        else:
            turn = n if self.pitch == 2 else builder.fadd(n, n)
        return self.vectors.fma(builder.fneg(turn), h, g)

    def quotients(self, turn: Any, row: Any, ahead: int, late: bool) -> Any:
        """Return ``1/(k + a (n + 1))``, for ``ahead`` past lane 0 of this row; late in its round before."""
        builder = self.builder
        place = builder.mul(turn, _I64(self.advance * self.stages))
        place = builder.add(builder.add(place, builder.mul(row, _I64(self.rise))), _I64(ahead))
        at = builder.load(builder.gep(self.pointers["places"], [place]))
        # Row `height + row` of the round before is one gap further than row `row` of this one.
        return self.vectors.load(self.pointers["quotients"], builder.add(at, _I64(1)) if late else at)
