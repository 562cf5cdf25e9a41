"""All states of invariant laws under GBT(a) and one gap: many streams, or pieces of one stream, side by side.

The states of `LANES` pieces lie as ``(rows, LANES)``, so that each operation of `hippo_fast.structured` is one on
vectors, and the pieces' independence hides the latency of a row. What stands before each operation depends on the gap
alone and is computed once, in float64. After each step blocks of rows are transposed into the pieces' own states.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numba.core import cgutils, types

from hippo_fast.kernels.simd import Vectors, data_pointer, intrinsic, jit, lanes
from hippo_fast.structured import PrefixStructure, RotationStructure, Structure, TridiagonalStructure
from hippo_fast.types import Float64Array, FloatArray

LANES = 16
"""Two vectors of doubles, one of floats: more would leave the first cache."""


def all_states(
    structure: Structure, gap: float, a: float, starts: FloatArray, samples: FloatArray, states: FloatArray
) -> None:
    """Write every state of P pieces.

    Args:
        structure: the law.
        gap: length of every step in units of time.
        a: weight of the end of the step, as in GBT(a).
        starts: ``(P, N)``, the coefficients ``c`` before the first step.
        samples: ``(P, K)`` in the same dtype, any strides.
        states: ``(P, K, N)``, written; coefficients contiguous, any other strides.
    """
    dtype, scale = starts.dtype, structure.scale
    run, table = _prepared(structure, gap, a)
    for first in range(0, len(starts), LANES):
        part = slice(first, first + LANES)
        x = np.zeros((table.shape[1], LANES), dtype)
        x[: scale.size, : len(starts[part])] = (starts[part] / scale).T
        run(x, samples[part], table.astype(dtype), scale.astype(dtype), states[part], lanes(dtype))


def _prepared(structure: Structure, gap: float, a: float) -> tuple[Callable[..., None], Float64Array]:
    """Return the kernel of a structure and its table ``(columns, rows)``."""
    if isinstance(structure, PrefixStructure):
        return _prefix, _prefix_table(structure, gap, a)
    if isinstance(structure, TridiagonalStructure):
        return _tridiagonal, _tridiagonal_table(structure.scale.size, gap / structure.theta, a)
    if isinstance(structure, RotationStructure):
        return _rotation, _rotation_table(structure.scale.size, gap / structure.theta, a)
    raise TypeError(f"structure is {type(structure).__name__}; accepted: one of hippo_fast.structured")


def _prefix_table(structure: PrefixStructure, gap: float, a: float) -> Float64Array:
    """Return what ``d_{n-1}``, ``x_{n-1}``, ``x_n`` and ``u`` are multiplied by in ``d_n``."""
    below = 1.0 + a * gap * structure.diagonal
    carried = np.concatenate([[0.0], structure.carried[:-1]])
    along = (1.0 + a * gap * carried) / below
    return np.stack([along, gap * carried / below, -gap * structure.diagonal / below, gap * structure.rise / below])


def _tridiagonal_table(order: int, share: float, a: float) -> Float64Array:
    """Return ``1/p_n``, ``2 (h/theta) w_n/p_n`` and ``2 (h/theta)/p_n``, for a step of ``h/theta = share``."""
    inverse = np.ones(order)
    for n in range(order):
        carried = inverse[n - 1] if n else 1.0
        corner = 1.0 if n == order - 1 else 0.0
        inverse[n] = 1.0 / (2.0 * a * share * (2 * n + 1) + carried + corner)
    return 2.0 * share * np.stack([inverse / (2.0 * share), (2 * np.arange(order) + 1) * inverse, inverse])


def _rotation_table(order: int, share: float, a: float) -> Float64Array:
    """Return the numbers of a step of ``gap/theta = share``, for rows in pairs after row 0.

    With ``q = a angle``, ``v = 1/(1 + q^2)``, ``D = 1 + 2 a share B0^T (I - i R/theta)^-1 B0``, the sum over cosines
    ``seen`` and ``z = sum sqrt2 v angle (S - q C)``, everything enters through
    ``p = 2 share (u - seen)/D - (2 a share/D) z``, and a pair changes by
    ``sqrt2 v p + v angle (S - q C)`` and ``-sqrt2 q v p - v angle (C + q S)``. Columns: weight in ``seen``, weight in
    ``z``, of ``p``, of the partner, of the row itself; in row 0 the last two are ``2 share/D`` and ``2 a share/D``.
    """
    pairs = (order - 1) // 2
    table = np.zeros((5, 1 + 2 * (order // 2)))  # an even order ends with a cosine, whose sine stays zero
    angle = 2.0 * math.pi * share * np.arange(1, pairs + 1)
    q = a * angle
    v = 1.0 / (1.0 + q * q)
    total = 1.0 + 2.0 * v.sum() + (2.0 if order % 2 == 0 else 0.0)
    denominator = 1.0 + 2.0 * a * share * total
    root = math.sqrt(2.0)
    cosine, sine = slice(1, 1 + 2 * pairs, 2), slice(2, 2 + 2 * pairs, 2)
    table[:, 0] = 1.0, 0.0, 1.0, 2.0 * share / denominator, 2.0 * a * share / denominator
    table[0, 1::2], table[2, 1::2] = root, root
    table[1:, cosine] = -root * v * angle * q, root * v, v * angle, -v * angle * q
    table[1:, sine] = root * v * angle, -root * q * v, -v * angle, -v * angle * q
    return table


@dataclass(frozen=True)
class _Rows:
    """Rows of `LANES` lanes, and a table of numbers for each row, while a kernel is emitted.

    Attributes:
        vectors: the emitter.
        x: states ``(rows, LANES)``.
        change: scratch of the same shape.
        read: the samples of this step, ``(LANES,)``.
        table: ``(columns, rows)``.
        count: number of rows.
    """

    vectors: Vectors
    x: Any
    change: Any
    read: Any
    table: Any
    count: Any

    @property
    def parts(self) -> range:
        """First lane of each vector of a row."""
        return range(0, LANES, self.vectors.width)

    def registers(self) -> list[Any]:
        """Return a slot for each vector of a row, holding zero."""
        slots = [cgutils.alloca_once(self.vectors.builder, self.vectors.type) for _ in self.parts]
        for slot in slots:
            self.vectors.builder.store(self.vectors.zero, slot)
        return slots

    def load(self, pointer: Any, n: Any) -> list[Any]:
        """Load row n."""
        return [self.vectors.load(pointer, self._at(n, part)) for part in self.parts]

    def store(self, values: list[Any], pointer: Any, n: Any) -> None:
        """Store row n."""
        for value, part in zip(values, self.parts, strict=True):
            self.vectors.store(value, pointer, self._at(n, part))

    def number(self, column: int, n: Any) -> Any:
        """Load the number of row n in a column of the table, into every lane."""
        builder = self.vectors.builder
        at = builder.add(builder.mul(self.count, self.count.type(column)), n)
        return self.vectors.splat(self.vectors.load_one(self.table, at))

    def _at(self, n: Any, lane: int) -> Any:
        builder = self.vectors.builder
        return builder.add(builder.mul(n, n.type(LANES)), n.type(lane))


def _step(emit_rows: Callable[[_Rows], None]) -> Callable[..., None]:
    """Make ``emit_rows`` an intrinsic on contiguous ``(x, change, read, table)`` and the number of rows."""

    def typed(_typing: Any, x: Any, change: Any, read: Any, table: Any, count: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            arrays = zip(signature.args[:4], values[:4], strict=True)
            x_at, change_at, read_at, table_at = (data_pointer(context, builder, *array) for array in arrays)
            emit_rows(_Rows(Vectors.of(builder, x.dtype), x_at, change_at, read_at, table_at, values[4]))
            return context.get_dummy_value()

        return types.void(x, change, read, table, count), emit

    return cast("Callable[..., None]", intrinsic(typed))


@_step
def _step_prefix(rows: _Rows) -> None:
    v, builder = rows.vectors, rows.vectors.builder
    changes, befores = rows.registers(), rows.registers()
    samples = rows.load(rows.read, rows.count.type(0))
    with cgutils.for_range(builder, rows.count) as loop:
        n, after = loop.index, []
        along, old, decay, rise = (rows.number(column, n) for column in range(4))
        for change, before, x, sample in zip(changes, befores, rows.load(rows.x, n), samples, strict=True):
            entering = v.fma(old, builder.load(before), v.fma(decay, x, builder.fmul(rise, sample)))
            d = v.fma(along, builder.load(change), entering)
            builder.store(d, change)
            builder.store(x, before)
            after.append(builder.fadd(x, d))
        rows.store(after, rows.x, n)


@_step
def _step_tridiagonal(rows: _Rows) -> None:
    v, builder = rows.vectors, rows.vectors.builder
    slots = rows.registers()
    samples = rows.load(rows.read, rows.count.type(0))
    with cgutils.for_range(builder, rows.count) as loop:
        n, changed = loop.index, []
        inverse, weight, push = (rows.number(column, n) for column in range(3))
        first = builder.icmp_signed("==", n, n.type(0))
        for slot, x, sample in zip(slots, rows.load(rows.x, n), samples, strict=True):
            entering = builder.select(first, builder.fmul(push, sample), builder.fmul(inverse, builder.load(slot)))
            g = v.fma(builder.fneg(weight), x, entering)
            builder.store(g, slot)
            changed.append(g)
        rows.store(changed, rows.change, n)
    for slot in slots:
        builder.store(v.zero, slot)
    with cgutils.for_range(builder, rows.count) as loop:
        n, after = builder.sub(builder.sub(rows.count, loop.index), loop.index.type(1)), []
        inverse = builder.fneg(rows.number(0, n))
        for slot, x, g in zip(slots, rows.load(rows.x, n), rows.load(rows.change, n), strict=True):
            d = v.fma(inverse, builder.load(slot), g)
            builder.store(d, slot)
            after.append(builder.fadd(x, d))
        rows.store(after, rows.x, n)


@_step
def _step_rotation(rows: _Rows) -> None:
    v, builder = rows.vectors, rows.vectors.builder
    zero = rows.count.type(0)
    seen, coupled = rows.registers(), rows.registers()
    with cgutils.for_range(builder, rows.count) as loop:
        weight, share = rows.number(0, loop.index), rows.number(1, loop.index)
        for total, other, x in zip(seen, coupled, rows.load(rows.x, loop.index), strict=True):
            builder.store(v.fma(weight, x, builder.load(total)), total)
            builder.store(v.fma(share, x, builder.load(other)), other)
    gain, feedback = rows.number(3, zero), builder.fneg(rows.number(4, zero))
    pushes = []
    for total, other, sample in zip(seen, coupled, rows.load(rows.read, zero), strict=True):
        missing = builder.fsub(sample, builder.load(total))
        pushes.append(v.fma(feedback, builder.load(other), builder.fmul(gain, missing)))
    first = [builder.fadd(x, push) for x, push in zip(rows.load(rows.x, zero), pushes, strict=True)]
    rows.store(first, rows.x, zero)
    with cgutils.for_range(builder, builder.lshr(rows.count, rows.count.type(1))) as loop:
        cosine = builder.add(builder.mul(loop.index, loop.index.type(2)), loop.index.type(1))
        pair = (cosine, builder.add(cosine, cosine.type(1)))
        old = [rows.load(rows.x, n) for n in pair]
        for n, own, partner in zip(pair, old, reversed(old), strict=True):
            of_push, of_partner, of_own = (rows.number(column, n) for column in (2, 3, 4))
            after = []
            for x, y, push in zip(own, partner, pushes, strict=True):
                d = v.fma(of_own, x, v.fma(of_partner, y, builder.fmul(of_push, push)))
                after.append(builder.fadd(x, d))
            rows.store(after, rows.x, n)


@intrinsic
def _write_block(_typing: Any, x: Any, scale: Any, states: Any, lane: Any, low: Any, at: Any, stride: Any) -> Any:
    """Turn rows ``low, low + 1, ...`` of one vector of lanes into the pieces' states: one vector of each.

    Lane l goes ``at + l stride`` floats after the beginning of ``states``, times the ``scale`` of its rows.
    """

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        v = Vectors.of(builder, x.dtype)
        pointers = [data_pointer(context, builder, signature.args[i], values[i]) for i in range(3)]
        lane, low, at, stride = values[3:]
        row = builder.add(builder.mul(low, low.type(LANES)), lane)
        block = [v.load(pointers[0], builder.add(row, row.type(LANES * i))) for i in range(v.width)]
        weights = v.load(pointers[1], low)
        for i, turned in enumerate(v.transpose(block)):
            where = builder.add(at, builder.mul(stride, stride.type(i)))
            v.store(builder.fmul(turned, weights), pointers[2], where)
        return context.get_dummy_value()

    return types.void(x, scale, states, lane, low, at, stride), emit


@jit
def _write(x: Any, scale: Any, states: Any, k: int, width: int) -> None:
    """Write the lanes of ``x`` as states k of the pieces: whole vectors of pieces and rows, then what is left."""
    order, pieces = scale.size, states.shape[0]
    size = states.itemsize
    stride, step = states.strides[0] // size, states.strides[1] // size
    whole_pieces, whole_rows = pieces - pieces % width, order - order % width
    for low in range(0, whole_rows, width):
        for lane in range(0, whole_pieces, width):
            _write_block(x, scale, states, lane, low, lane * stride + k * step + low, stride)
    for piece in range(pieces):
        for n in range(whole_rows if piece < whole_pieces else 0, order):
            states[piece, k, n] = scale[n] * x[n, piece]


@jit
def _prefix(x: Any, samples: Any, table: Any, scale: Any, states: Any, width: int) -> None:
    read = np.zeros(x.shape[1], x.dtype)
    for k in range(samples.shape[1]):
        read[: states.shape[0]] = samples[:, k]
        _step_prefix(x, x, read, table, x.shape[0])
        _write(x, scale, states, k, width)


@jit
def _tridiagonal(x: Any, samples: Any, table: Any, scale: Any, states: Any, width: int) -> None:
    read, change = np.zeros(x.shape[1], x.dtype), np.empty_like(x)
    for k in range(samples.shape[1]):
        read[: states.shape[0]] = samples[:, k]
        _step_tridiagonal(x, change, read, table, x.shape[0])
        _write(x, scale, states, k, width)


@jit
def _rotation(x: Any, samples: Any, table: Any, scale: Any, states: Any, width: int) -> None:
    read = np.zeros(x.shape[1], x.dtype)
    for k in range(samples.shape[1]):
        read[: states.shape[0]] = samples[:, k]
        _step_rotation(x, x, read, table, x.shape[0])
        _write(x, scale, states, k, width)
