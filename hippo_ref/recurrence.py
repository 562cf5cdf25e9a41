"""Exact states of a discretized measure, one exact step, and the exact Jacobian of the last state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

from mpmath import mp, mpf

from hippo_ref.closed_form import CLOSED_FORMS, published
from hippo_ref.derive import derive
from hippo_ref.discretizations import DISCRETIZATIONS, Discretization, discretization
from hippo_ref.fixed import Integers, dot, from_fixed, to_fixed
from hippo_ref.measures import Measure
from hippo_ref.orthogonal import legendre_scales
from hippo_ref.precision import Vector, as_mpf, bits_for, exact, exact_sequence, integer, rational, settle, working_bits

Number: TypeAlias = Fraction | mpf
Sparse: TypeAlias = tuple[int, Integers]


@dataclass(frozen=True)
class _Plan:
    """A checked request: which recurrence, with which step."""

    m: Measure
    order: int
    rule: Discretization
    dt: Number | None

    @property
    def scale(self) -> bool:
        return self.m.time_law == "scale"

    def name(self, function: str) -> str:
        return f"{function}({self.m.key}, order={self.order}, method={self.rule.key!r})"


def _plan(m: Measure, order: int, method: str, dt: object) -> _Plan:
    order, rule = integer(order, "order", 1), discretization(method)
    if m.time_law not in rule.time_laws:
        allowed = ", ".join(key for key, known in DISCRETIZATIONS.items() if m.time_law in known.time_laws)
        raise ValueError(f"method {method!r} is defined for measure 'legs' only; measure {m.key!r} accepts {allowed}")
    if m.time_law == "scale":
        if m.key != "legs":
            raise ValueError(f"steps of a scale law are known for measure 'legs' only, got {m.key!r}")
        if dt is not None:
            raise ValueError(f"measure 'legs' has no dt: its steps depend on ratios of times alone; got dt = {dt!r}")
        return _Plan(m, order, rule, None)
    if dt is None:
        raise ValueError(f"measure {m.key!r} needs dt, the sample spacing, > 0; got None")
    step = exact(dt, "dt")
    if step <= 0:
        raise ValueError(f"dt must be > 0, got {dt!r}")
    return _Plan(m, order, rule, step)


def _trim(row: Integers) -> Sparse:
    """First nonzero column and the entries from there to the last nonzero one: skips structural zeros."""
    nonzero = [k for k, entry in enumerate(row) if entry]
    return (nonzero[0], row[nonzero[0] : nonzero[-1] + 1]) if nonzero else (0, [])


@lru_cache(maxsize=64)
def _matrices(plan: _Plan, bits: int) -> tuple[list[Sparse], Integers]:
    """``(M, v)`` of ``c' = M c + v u``, fixed point at ``bits``, rows trimmed; shared by the cache: read only."""
    m, order = plan.m, plan.order
    with working_bits(bits + 32):
        if m.key in CLOSED_FORMS:
            A, B = published(m, order, bits + 32)
        else:
            found = derive(m, order, mp.dps + 2)
            A, B = [[found.A[n, k] for k in range(order)] for n in range(order)], list(found.B)
        M, v = plan.rule.invariant(A, B, as_mpf(plan.dt if plan.dt is not None else Fraction(0)))
    with working_bits(bits):
        return [_trim(to_fixed(row)) for row in M], to_fixed(v)


def _apply(M: list[Sparse], c: Integers) -> Integers:
    return [dot(entries, c[first : first + len(entries)]) >> mp.prec for first, entries in M]


def _times(plan: _Plan, timestamps: Iterable[object] | None, count: int, first: int) -> list[Fraction]:
    """Times of the samples, preceded by the time of the state before them where there is one (first > 0)."""
    extra = 1 if first else 0
    if timestamps is None:
        # One before the first sample; for a fresh start that entry is dropped.
        begin = plan.rule.first_time + first - extra
        return [Fraction(begin + k) for k in range(count + extra)]
    if not plan.scale:
        raise ValueError(f"timestamps are for measure 'legs'; measure {plan.m.key!r} has the uniform spacing dt")
    times = [rational(time, "timestamps") for time in exact_sequence(timestamps, "timestamps")]
    if len(times) != count + extra:
        what = " (when resuming, the time of start comes first)" if extra else ""
        raise ValueError(f"timestamps must have length {count + extra} for {count} samples{what}, got {len(times)}")
    # zoh needs a cell of positive length before its end; node rules and GBT may start at 0.
    if times[0] < 0 or (times[0] == 0 and (plan.rule.first_time > 0 or first)):
        least = "> 0" if plan.rule.first_time > 0 or first else ">= 0"
        raise ValueError(f"timestamps[0] must be {least} for method {plan.rule.key!r}, got {times[0]}")
    for index in range(1, len(times)):
        if not times[index - 1] < times[index]:
            raise ValueError(
                f"timestamps must increase strictly, got timestamps[{index - 1}] = {times[index - 1]} and "
                f"timestamps[{index}] = {times[index]}"
            )
    return times


def _scaled(x: Integers) -> Vector:
    return [s * entry for s, entry in zip(legendre_scales(len(x)), from_fixed(x), strict=True)]


def _unscaled(c: Vector) -> Integers:
    return to_fixed(entry / s for s, entry in zip(legendre_scales(len(c)), c, strict=True))


def _magnitude(values: Iterable[Number]) -> int:
    """An exponent e with ``max |value| < 2^e`` and not much less; 0 for zeros."""
    return max((int(mp.mag(as_mpf(value))) for value in values if value), default=0)


def _guard(plan: _Plan) -> int:
    """Bits known to be lost before the first run: inner forms of LegS states, small steps of an invariant law."""
    if plan.dt is None:
        return plan.rule.guard(plan.order)
    return 4 * plan.order.bit_length() + max(0, -_magnitude([plan.dt]))


def states(
    m: Measure,
    samples: Iterable[object],
    order: int,
    method: str = "zoh",
    dt: object = None,
    dps: int = 50,
    *,
    timestamps: Iterable[object] | None = None,
    start: Iterable[object] | None = None,
    first: int = 0,
    previous: object = None,
) -> list[Vector]:
    """Exact states of the recurrence: entry k is the state after ``samples[0..k]``.

    Invariant law: zero state, then ``c_k = M c_{k-1} + v samples[k]`` with the rule's matrices for ``dt``. LegS:
    state 0 is ``samples[0] e_0`` (node rules: its projection at t -> 0), later states take the rule's step between the
    times of ``hippo_ref.conventions``.

    Args:
        m: the measure (published, or your own with an invariant law).
        samples: (L,) finite numbers, L >= 1, taken exactly.
        order: N >= 1.
        method: key of ``DISCRETIZATIONS``; trapezoid and foh are for legs only.
        dt: sample spacing in the unit of time, > 0; required for invariant laws, refused for legs.
        dps: decimal digits, relative to the largest entry of each state, or to ``2^-32`` of the largest input where a
            state is smaller than that.
        timestamps: legs only: (L,) strictly increasing times of the samples, for zoh the ends of the cells. Default
            ``k``, for zoh ``k + 1``. Only their ratios matter. When resuming, (L + 1,): the time of ``start`` first.
        start: (N,) state to resume from (for an invariant law also an initial state, with ``first=0``).
        first: how many samples ``start`` has read; ``samples[i]`` then has index ``first + i``.
        previous: the last sample that ``start`` has read; required to resume trapezoid and foh, which read pairs.

    Returns:
        L lists of N mpf.

    Raises:
        TypeError, ValueError: bad argument; the message names it, what was got and what is accepted.
        PrecisionError: the digits are not reached.

    Source: HiPPO theorem 2 and appendix B.3 for the published rules; see ``hippo_ref.discretizations``.
    """
    plan, bits = _plan(m, order, method, dt), bits_for(dps)
    u = exact_sequence(samples, "samples", 1)
    first = integer(first, "first", 0)
    if start is None and first:
        raise ValueError(f"first = {first} resumes a run and needs start, its state after {first} samples")
    if start is not None and plan.scale and not first:
        raise ValueError("start for measure 'legs' needs first >= 1: sample 0 replaces any state")
    begin = None if start is None else exact_sequence(start, "start")
    if begin is not None and len(begin) != plan.order:
        raise ValueError(f"start must have length order = {plan.order}, got {len(begin)}")
    last = Fraction(0) if previous is None else exact(previous, "previous")
    if begin is not None and not plan.rule.one_sample and previous is None:
        raise ValueError(f"method {method!r} reads pairs of samples: resuming needs previous, the last sample read")
    times = _times(plan, timestamps, len(u), first)

    # The recurrence is linear: it runs on inputs scaled by a power of two to size one, and the states are scaled back.
    unit = _magnitude([*u, *(begin or []), last])

    def compute(working: int) -> list[Vector]:
        inputs = to_fixed(mp.ldexp(as_mpf(value), -unit) for value in u)
        c = None if begin is None else [mp.ldexp(as_mpf(value), -unit) for value in begin]
        if plan.scale:
            return _legs_run(plan, inputs, times, c, to_fixed([mp.ldexp(as_mpf(last), -unit)])[0])
        M, v = _matrices(plan, working)
        state = [0] * plan.order if c is None else to_fixed(c)
        rows = []
        for value in inputs:
            state = [a + (gain * value >> working) for a, gain in zip(_apply(M, state), v, strict=True)]
            rows.append(from_fixed(state))
        return rows

    rows = settle(compute, bits, plan.name("states"), guard=_guard(plan), floor=lambda: mpf(1))
    return [[mp.ldexp(entry, unit) for entry in row] for row in rows]


def _legs_run(plan: _Plan, inputs: Integers, times: list[Fraction], c: Vector | None, last: int) -> list[Vector]:
    """LegS states; ``times`` holds one more entry than ``inputs`` exactly when resuming from c."""
    rule = plan.rule
    rows = []
    if c is None:
        x = [inputs[0], *[0] * (plan.order - 1)]
        inner = rule.enter(x)
        rows.append(from_fixed(x))
        last, inputs = inputs[0], inputs[1:]
    else:
        inner = rule.enter(_unscaled(c))
    for before, after, value in zip(times, times[1:], inputs, strict=False):
        inner = rule.advance(inner, before, after, last, value)
        rows.append(_scaled(rule.leave(inner)))
        last = value
    return rows


def step(
    m: Measure,
    state: Iterable[object],
    sample: object,
    k: int,
    method: str = "bilinear",
    dt: object = None,
    dps: int = 50,
) -> Vector:
    """The state after sample ``k``, from the state before it: one exact step of ``states``.

    Args:
        m: the measure.
        state: (N,) state before the sample; for legs with k = 0 only its length is used.
        sample: the number read.
        k: index of the sample, from 0; only legs depends on it.
        method: euler, backward_euler, bilinear or zoh; trapezoid and foh read two samples and are refused.
        dt: as in ``states``.
        dps: decimal digits, relative to the largest entry.

    Returns:
        (N,) state.

    Raises:
        TypeError, ValueError: bad argument.
    """
    before = exact_sequence(state, "state", 1)
    plan = _plan(m, len(before), method, dt)
    if not plan.rule.one_sample:
        raise ValueError(f"method {method!r} reads two samples in a step; use states with start, first and previous")
    k = integer(k, "k", 0)
    fresh = plan.scale and k == 0
    begin = None if fresh else before
    return states(m, [sample], plan.order, method, dt, dps, start=begin, first=0 if fresh else k)[0]


def jacobian(
    m: Measure,
    length: int,
    order: int,
    method: str,
    dt: object = None,
    dps: int = 50,
    *,
    timestamps: Iterable[object] | None = None,
) -> mp.matrix:
    """``J[n, k] = d c_n / d samples[k]`` of the last of ``length`` states: (N, L) mpmath matrix, exact products.

    The recurrence is linear, so column k is the last state of the impulse at sample k.

    Args:
        m: the measure.
        length: L >= 1.
        order: N >= 1.
        method: key of ``DISCRETIZATIONS``.
        dt: as in ``states``.
        dps: decimal digits, relative to the largest entry of each column.
        timestamps: as in ``states``.

    Raises:
        TypeError, ValueError: bad argument.
        PrecisionError: the digits are not reached.

    Source: HiPPO proposition 5 for the continuous counterpart.
    """
    plan, bits, count = _plan(m, order, method, dt), bits_for(dps), integer(length, "length", 1)
    times = _times(plan, timestamps, count, 0)

    def compute(working: int) -> list[Vector]:
        if plan.scale:
            return _legs_columns(plan, times)
        M, v = _matrices(plan, working)
        columns = [v]
        for _ in range(count - 1):
            columns.append(_apply(M, columns[-1]))
        return [from_fixed(column) for column in columns[::-1]]

    columns = settle(compute, bits, plan.name("jacobian"), guard=_guard(plan), floor=lambda: mpf(1))
    J = mp.matrix(plan.order, count)
    for k, column in enumerate(columns):
        for n, entry in enumerate(column):
            J[n, k] = entry
    return J


def _legs_columns(plan: _Plan, times: list[Fraction]) -> list[Vector]:
    rule, one, zero = plan.rule, 1 << mp.prec, 0
    columns = [rule.enter([one, *[zero] * (plan.order - 1)])]
    for k in range(1, len(times)):
        before, after = times[k - 1], times[k]
        # Only the impulse at sample k-1 is still seen, as the last value, by the rules that read pairs.
        columns = [
            rule.advance(inner, before, after, one if i == k - 1 else zero, zero) for i, inner in enumerate(columns)
        ]
        columns.append(rule.advance([zero] * plan.order, before, after, zero, one))
    return [_scaled(rule.leave(inner)) for inner in columns]
