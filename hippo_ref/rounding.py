"""How far a computed run may be from the exact one: componentwise majorants of rounding in a named arithmetic.

The computation that is bounded is the dense recurrence ``c' = fl(M c + sum_i v_i u_i)``: matrices correctly rounded to
storage, products and sums in any order and grouping (fused or not), one result stored per step, no overflow.

**One step.** With u the unit roundoffs of the arithmetic, s for storage, p for the operands of products, a for products
and sums, and ``lambda`` the smallest normal number (what underflow can cost one operation, gradual or flushed):

* stored and read as an operand, ``|M~ - M| <= mu |M| + 2 lambda`` with ``1 + mu = (1 + u_s)(1 + u_p)``; so for v, u;
* the computed state read as an operand, ``|c~ - c^| <= u_p |c^| + lambda`` (0 where u_p is);
* a sum of n products, ``n = N + r + 1``, is within ``gamma_n sum |x||y| + 2 n lambda (1 + gamma_n)`` of the exact one,
  ``gamma_n = n u_a/(1 - n u_a)``: each product is rounded at most n times (Higham 2002, Accuracy and Stability of
  Numerical Algorithms, section 3.1 and lemma 3.1);
* stored where sums are kept wider than states, ``u_s |s| + lambda`` more.

Absolute values of the exact state, and of the error so far, stand for the computed one, so that terms of second order
are in. This makes the error of step k ``e_k = M_k e_{k-1} + delta_k`` with a bound on ``|delta_k|``.

**All steps.** ``|e_k| <= |M_k| |e_{k-1}| + |delta_k|`` would do, and would grow exponentially for most measures, since
``|M|`` has eigenvalues beyond 1 where M contracts. So errors are followed through the matrices themselves,
``|e_k| <= sum_j |M_k .. M_{j+1}| |delta_j|``. To bound the work, the errors of older steps are moved to a later one,
``|delta_{j+1}| += |M_{j+1}| |delta_j|``, spans of ``2^i`` steps at an age of many such spans, as a binary counter
carries. For a rule that contracts in the Euclidean norm each row of a product has norm at most 1: the majorant of such
a run grows linearly, ``sum_j ||delta_j||`` but for the few movings. All of it in Arb balls, whose upper ends are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from flint import arb, arb_mat

from hippo_ref.balls import Balls, ball, ball_precision, largest, midpoint, widened
from hippo_ref.discretizations.base import Times
from hippo_ref.measures import Measure
from hippo_ref.precision import Vector, exact_sequence
from hippo_ref.recurrence import states
from hippo_ref.stepping import Plan, dense_step, plan, steps_of, times_of

_BITS = 128
"""Bits to which the matrices are known, and more than the significant bits of any arithmetic here."""

_SPANS = 4
"""Spans of one size that are kept before the two oldest become one."""


@dataclass(frozen=True)
class Arithmetic:
    """Unit roundoffs of an arithmetic, all to nearest.

    Attributes:
        name: its name.
        storage: of matrices, samples and states.
        operands: of the further rounding of what enters a product; 0 where it enters as stored.
        accumulation: of products and sums.
        smallest: smallest normal number of any of them.
    """

    name: str
    storage: Fraction
    operands: Fraction
    accumulation: Fraction
    smallest: Fraction

    def __post_init__(self) -> None:
        """Refuse what is no arithmetic."""
        for name in ("storage", "operands", "accumulation", "smallest"):
            value = getattr(self, name)
            if not isinstance(value, Fraction) or not 0 <= value < 1:
                raise ValueError(f"{name} of arithmetic {self.name!r} must be a Fraction in [0, 1), got {value!r}")


def _bits(significant: int) -> Fraction:
    """Unit roundoff of so many significant bits, rounded to nearest."""
    return Fraction(1, 2**significant)


_SINGLE_RANGE = Fraction(1, 2**126)

ARITHMETICS: Mapping[str, Arithmetic] = MappingProxyType(
    {
        "float64": Arithmetic("float64", _bits(53), Fraction(0), _bits(53), Fraction(1, 2**1022)),
        "float32": Arithmetic("float32", _bits(24), Fraction(0), _bits(24), _SINGLE_RANGE),
        "bfloat16": Arithmetic("bfloat16", _bits(8), Fraction(0), _bits(24), _SINGLE_RANGE),
        "tf32": Arithmetic("tf32", _bits(24), _bits(11), _bits(24), _SINGLE_RANGE),
    }
)
"""IEEE 754 binary64 and binary32; bfloat16 (8 significant bits) accumulated in binary32; binary32 whose operands are
rounded to the 11 significant bits of TF32. An arithmetic that truncates operands instead has twice that roundoff."""


def _arithmetic(given: object) -> Arithmetic:
    if isinstance(given, Arithmetic):
        return given
    if not isinstance(given, str) or given not in ARITHMETICS:
        raise ValueError(f"unknown arithmetic {given!r}; expected one of {', '.join(ARITHMETICS)}, or an Arithmetic")
    return ARITHMETICS[given]


def _upper(values: Iterable[arb]) -> Balls:
    return [value.abs_upper() for value in values]


def _absolute(matrix: arb_mat) -> arb_mat:
    return arb_mat(matrix.nrows(), matrix.ncols(), _upper(matrix.entries()))


def _times(matrix: arb_mat, vector: Balls) -> Balls:
    """Upper ends of a nonnegative matrix times a nonnegative vector."""
    return _upper((matrix * arb_mat(len(vector), 1, vector)).entries())


def _sum(*vectors: Balls) -> Balls:
    return [sum(entries, arb(0)).abs_upper() for entries in zip(*vectors, strict=True)]


@dataclass
class _Span:
    """Errors of ``length`` steps: they are at most ``size`` at its last step, which is ``onward`` before the next span.

    Attributes:
        length: number of steps.
        size: (N,) bound.
        now: product of the steps' matrices from there to the present.
        onward: product from there to the next span's last step.
    """

    length: int
    size: Balls
    now: arb_mat
    onward: arb_mat


class _Errors:
    """``e = sum_j (M_k .. M_{j+1}) delta_j`` under bounds on ``|delta_j|``, oldest first, in few spans."""

    def __init__(self, order: int) -> None:
        self._order = order
        self._one = arb_mat(order, order, [arb(int(n == k)) for n in range(order) for k in range(order)])
        self._spans: list[_Span] = []

    def advance(self, M: arb_mat) -> Balls:
        """Move every error one step on; returns what the new products' midpoints leave out, an error of this step."""
        lost = [arb(0)] * self._order
        for span in self._spans:
            product = M * span.now
            span.now = product.mid()
            radii = arb_mat(self._order, self._order, [entry.rad() for entry in product.entries()])
            lost = _sum(lost, _times(radii, span.size))
        if self._spans:
            self._spans[-1].onward = M
        return lost

    def add(self, size: Balls) -> None:
        """An error that arises at the present step."""
        self._spans.append(_Span(1, size, self._one, self._one))
        length = 1
        while True:
            same = [index for index, span in enumerate(self._spans) if span.length == length]
            if len(same) <= _SPANS:
                return
            oldest = same[0]
            old, new = self._spans[oldest], self._spans[oldest + 1]
            new.size = _sum(new.size, _times(_absolute(old.onward), old.size))
            new.length += old.length
            if oldest:
                before = self._spans[oldest - 1]
                before.onward = old.onward * before.onward
            del self._spans[oldest]
            length = new.length

    def bound(self) -> Balls:
        """(N,) bound on the error now."""
        parts = [_times(_absolute(span.now), span.size) for span in self._spans]
        return _sum([arb(0)] * self._order, *parts)


class _Step:
    """The roundings of one step of a plan in one arithmetic, as balls."""

    def __init__(self, kind: Arithmetic, p: Plan) -> None:
        terms = p.order + p.rule.reach + 1
        whole = terms * kind.accumulation
        if whole >= 1:
            raise ValueError(
                f"arithmetic {kind.name!r} bounds sums of n products with n u < 1, where u = {kind.accumulation}; "
                f"order {p.order} needs n = {terms}"
            )
        self._smallest = ball(kind.smallest)
        self._storage = ball(kind.storage)
        self._operands = ball(kind.operands)
        self._given = ball((1 + kind.storage) * (1 + kind.operands) - 1)
        self._gamma = ball(whole / (1 - whole))
        self._underflow = 2 * terms * self._smallest * (1 + self._gamma)
        self._wide = kind.accumulation < kind.storage

    def stored(self, sizes: Balls) -> Balls:
        """Errors of numbers of these sizes when they are stored."""
        return [size * self._storage + self._smallest for size in sizes]

    def local(self, M: arb_mat, v: list[Balls], samples: Balls, state: Balls, result: Balls) -> Balls:
        """Bound on the error that the step adds.

        Args:
            M: (N, N) absolute values.
            v: (N,) absolute values of the gains of every sample read.
            samples: their absolute values.
            state: (N,) absolute values of the computed state before.
            result: (N,) absolute values of what the step would give without roundings of its own.
        """
        reading = [size * self._operands + (self._smallest if self._operands > 0 else 0) for size in state]
        operand = _sum(state, reading)
        whole = 2 * self._smallest * sum(operand, arb(0))
        product = _times(M, operand)
        error = [self._given * entry + whole + read for entry, read in zip(product, _times(M, reading), strict=True)]
        summed = [(1 + self._given) * entry + whole for entry in product]
        for gains, sample in zip(v, samples, strict=True):
            lost = sample * self._given + 2 * self._smallest
            for n, gain in enumerate(gains):
                rough = gain * self._given + 2 * self._smallest
                error[n] += rough * (sample + lost) + gain * lost
                summed[n] += (gain + rough) * (sample + lost)
        error = [entry + self._gamma * size + self._underflow for entry, size in zip(error, summed, strict=True)]
        return _sum(error, self.stored(_sum(result, error))) if self._wide else _upper(error)


def rounding_majorant(
    m: Measure,
    samples: Iterable[object],
    order: int,
    method: str,
    dt: object = None,
    *,
    timestamps: Iterable[object] | None = None,
    arithmetic: str | Arithmetic = "float32",
    dps: int = 20,
) -> list[Vector]:
    """Componentwise bounds on ``|computed state - exact state|`` of the dense recurrence in floating point.

    The computation: ``M`` and ``v`` of every step, and the samples, correctly rounded to storage;
    ``c' = fl(M c + v u)``, rules that read earlier samples with a term for each, in any order of summation; from the
    exact zero state (invariant law) or the stored ``samples[0] e_0`` (legs). See ``hippo_ref.rounding`` for the
    derivation and what is covered: terms of second order and underflow are, overflow is not.

    Args:
        m: as in ``states``, and so are order, method, dt and timestamps.
        samples: (L,) finite numbers, exactly the numbers meant: their rounding to storage is part of the error.
        order: N >= 1.
        method: key of ``DISCRETIZATIONS``, ``gbt(a)`` or ``hold(d)``.
        dt: sample spacing of an invariant law.
        timestamps: in its place.
        arithmetic: key of ``ARITHMETICS`` (float64, float32, bfloat16, tf32), or an ``Arithmetic`` of your own.
        dps: decimal digits of the exact states that the bounds are made from, relative to the largest entry.

    Returns:
        L lists of N mpf, rounded upwards.

    Raises:
        TypeError, ValueError: bad argument.
        PrecisionError: the digits are not reached.

    Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, chapter 3 (running error analysis).
    """
    kind, u = _arithmetic(arithmetic), exact_sequence(samples, "samples", 1)
    stamps = None if timestamps is None else exact_sequence(timestamps, "timestamps")
    exact_states = states(m, u, order, method, dt, dps, timestamps=stamps)
    p = plan(m, order, method, dt, stamps is not None)
    times = times_of(p, stamps, len(u), 0)
    with ball_precision(_BITS + 32):
        step, errors = _Step(kind, p), _Errors(p.order)
        sizes = [abs(ball(value)) for value in u]
        digits = arb(10) ** -dps
        states_sizes = []
        for row in exact_states:
            own = digits * largest([*map(ball, row), largest(sizes) * arb(2) ** -32])
            states_sizes.append(_upper(abs(ball(value)) + own for value in row))
        bounds, bound = [], [arb(0)] * p.order
        before = bound
        for k, (read, window) in enumerate(steps_of(p, times, len(u))):
            after = states_sizes[k]
            if read:
                M, v = _balls(p, read, window)
                lost = errors.advance(M)
                moved = errors.bound()
                local = step.local(
                    _absolute(M), v, sizes[k + 1 - read : k + 1][::-1], _sum(before, bound), _sum(after, moved, lost)
                )
                errors.add(_sum(lost, local))
                bound = errors.bound()
            elif p.scale:
                bound = [*step.stored(sizes[:1]), *[arb(0)] * (p.order - 1)]
                errors.add(bound)
            bounds.append([midpoint(entry.abs_upper()) for entry in bound])
            before = after
    return bounds


def _balls(p: Plan, read: int, window: Times) -> tuple[arb_mat, list[Balls]]:
    """``M`` as balls and the absolute values of every ``v_i``, from ``dense_step`` and what it claims."""
    rows, inputs = dense_step(p, read, window, _BITS)

    def with_error(row: Vector) -> Balls:
        own = largest([*map(ball, row), arb(2) ** -32]) * arb(2) ** -_BITS
        return [widened(ball(entry), own) for entry in row]

    M = arb_mat(p.order, p.order, [entry for row in rows for entry in with_error(row)])
    return M, [_upper(with_error(row)) for row in inputs]
