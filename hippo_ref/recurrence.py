"""Exact states of a discretized measure, one exact step, and the exact Jacobian of the last state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise

from mpmath import mp, mpf

from hippo_ref.discretizations import discretization
from hippo_ref.discretizations.base import Times
from hippo_ref.discretizations.hold import Hold
from hippo_ref.fixed import Integers, from_fixed, to_fixed
from hippo_ref.held import piece_guard, piece_weights
from hippo_ref.measures import Measure
from hippo_ref.precision import Vector, as_mpf, bits_for, exact, exact_sequence, integer, settle
from hippo_ref.stepping import Plan, Steps, guard_bits, plan, steps_for, steps_of, times_of

_WORDS = {2: "two", 3: "three", 4: "four"}


def _magnitude(values: Iterable[Fraction | mpf]) -> int:
    """An exponent e with ``max |value| < 2^e`` and not much less; 0 for zeros."""
    return max((int(mp.mag(as_mpf(value))) for value in values if value), default=0)


def _earlier(p: Plan, previous: object, first: int) -> list[Fraction | mpf]:
    """The samples before ``first`` that its step reads, oldest first."""
    count = p.earlier(first)
    if not count:
        return []
    if previous is None:
        which = "the last sample read" if p.rule.reach == 1 else f"the last {count} sample(s) read, oldest first"
        what = "pairs of samples" if p.rule.reach == 1 else f"{_WORDS[p.rule.reach + 1]} samples in a step"
        raise ValueError(f"method {p.rule.key!r} reads {what}: resuming needs previous, {which}")
    if p.rule.reach == 1:
        return [exact(previous, "previous")]
    taken = exact_sequence(previous, "previous")
    if len(taken) != count:
        raise ValueError(
            f"previous must have length {count} for method {p.rule.key!r} and first = {first}, got {len(taken)}"
        )
    return taken


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

    Invariant law: zero state, then ``c_k = M c_{k-1} + v samples[k]`` with the rule's matrices for the step (rules that
    read nodes begin at the first node, where state 0 is still zero, and read earlier samples too). LegS: state 0 is
    ``samples[0] e_0`` (node rules: its projection at t -> 0), later states take the rule's step between the times of
    ``hippo_ref.conventions``.

    Args:
        m: the measure (published, or your own with an invariant law).
        samples: (L,) finite numbers, L >= 1, taken exactly.
        order: N >= 1.
        method: key of ``DISCRETIZATIONS``, ``gbt(a)`` or ``hold(d)``.
        dt: sample spacing in the unit of time, > 0; for an invariant law this or timestamps; refused for legs.
        dps: decimal digits, relative to the largest entry of each state, or to ``2^-32`` of the largest input where a
            state is smaller than that.
        timestamps: (L,) strictly increasing times of the samples: of nodes (>= 0), or of the ends of cells (> 0; the
            first cell of an invariant law begins at 0). Default for legs: ``k``, for zoh ``k + 1``; there only their
            ratios matter. When resuming, the time of ``start`` comes first, for hold(d) those of the last
            ``min(d, first)`` samples.
        start: (N,) state to resume from (for an invariant law also an initial state, with ``first=0``).
        first: how many samples ``start`` has read; ``samples[i]`` then has index ``first + i``.
        previous: what the first step reads of the samples before: the last one (trapezoid, foh, hold(1)), or the last
            ``min(d, first)``, oldest first (hold(2), hold(3)). Rules that read cells ignore it.

    Returns:
        L lists of N mpf.

    Raises:
        TypeError, ValueError: bad argument; the message names it, what was got and what is accepted.
        PrecisionError: the digits are not reached.

    Source: HiPPO theorem 2 and appendix B.3 for the published rules; see ``hippo_ref.discretizations``.
    """
    p, bits = plan(m, order, method, dt, timestamps is not None), bits_for(dps)
    u = exact_sequence(samples, "samples", 1)
    first = integer(first, "first", 0)
    if start is None and first:
        raise ValueError(f"first = {first} resumes a run and needs start, its state after {first} samples")
    if start is not None and p.scale and not first:
        raise ValueError("start for measure 'legs' needs first >= 1: sample 0 replaces any state")
    begin = [mpf(0)] * p.order if start is None else exact_sequence(start, "start")
    if len(begin) != p.order:
        raise ValueError(f"start must have length order = {p.order}, got {len(begin)}")
    read = [*_earlier(p, previous, first), *u]
    times = times_of(p, timestamps, len(u), first)

    # The recurrence is linear: it runs on inputs scaled by a power of two to size one, and the states are scaled back.
    unit = _magnitude([*read, *begin])

    def compute(_: int) -> list[Vector]:
        c = [mp.ldexp(as_mpf(value), -unit) for value in begin]
        inputs = to_fixed(mp.ldexp(as_mpf(value), -unit) for value in read)
        return _run(p, times, c, inputs, len(u), first)

    rows = settle(compute, bits, p.name("states"), guard=guard_bits(p, times), floor=lambda: mpf(1))
    return [[mp.ldexp(entry, unit) for entry in row] for row in rows]


def _run(p: Plan, times: list[Fraction], c: Vector, inputs: Integers, count: int, first: int) -> list[Vector]:
    """States of ``count`` samples; ``inputs`` holds what the first step reads before them, too."""
    steps, lead = steps_for(p), len(inputs) - count
    inner, rows = steps.enter(c), []
    for index, (read, window) in enumerate(steps_of(p, times, count, first)):
        here = lead + index
        if read:
            inner = steps.advance(inner, window, inputs[here + 1 - read : here + 1][::-1])
            rows.append(steps.leave(inner))
            continue
        if p.scale:
            c = from_fixed([inputs[here], *[0] * (p.order - 1)])
            inner = steps.enter(c)
        rows.append(c)
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
        method: a rule that reads cells: euler, backward_euler, bilinear, gbt(a), zoh or hold(0); the others read
            several samples and are refused.
        dt: as in ``states``.
        dps: decimal digits, relative to the largest entry.

    Returns:
        (N,) state.

    Raises:
        TypeError, ValueError: bad argument.
    """
    before = exact_sequence(state, "state", 1)
    p = plan(m, len(before), method, dt, False)
    if not p.rule.one_sample:
        word = _WORDS[p.rule.reach + 1]
        raise ValueError(f"method {method!r} reads {word} samples in a step; use states with start, first and previous")
    k = integer(k, "k", 0)
    fresh = p.scale and k == 0
    begin = None if fresh else before
    return states(m, [sample], p.order, method, dt, dps, start=begin, first=0 if fresh else k)[0]


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
    """``J[n, k] = d c_n / d samples[k]`` of the last of ``length`` states: (N, L) mpmath matrix.

    For the holds on LegS in closed form: the integral of the kernel against what sample k contributes to the held
    signal, see ``hippo_ref.held``. For the others by ``jacobian_products``.

    Args:
        m: the measure.
        length: L >= 1.
        order: N >= 1.
        method: key of ``DISCRETIZATIONS``, ``gbt(a)`` or ``hold(d)``.
        dt: as in ``states``.
        dps: decimal digits, relative to the largest entry of each column.
        timestamps: as in ``states``.

    Returns:
        (N, L) mpmath matrix, without unit: state and samples have the same one.

    Raises:
        TypeError, ValueError: bad argument.
        PrecisionError: the digits are not reached.

    Source: HiPPO proposition 5 for the continuous counterpart.
    """
    rule = discretization(method)
    if m.key != "legs" or not isinstance(rule, Hold):
        return jacobian_products(m, length, order, method, dt, dps, timestamps=timestamps)
    p, bits, count = plan(m, order, method, dt, timestamps is not None), bits_for(dps), integer(length, "length", 1)
    times = times_of(p, timestamps, count, 0)
    guard = piece_guard(times, rule.degree)

    def compute(_: int) -> list[Vector]:
        return piece_weights(p.order, times, rule.degree)

    return _matrix(settle(compute, bits, p.name("jacobian"), guard=guard, floor=lambda: mpf(1)))


def jacobian_products(
    m: Measure,
    length: int,
    order: int,
    method: str,
    dt: object = None,
    dps: int = 50,
    *,
    timestamps: Iterable[object] | None = None,
) -> mp.matrix:
    """The Jacobian of any rule by exact products: column k is the last state of the impulse at sample k.

    Arguments, result and errors as for ``jacobian``.
    """
    p, bits, count = plan(m, order, method, dt, timestamps is not None), bits_for(dps), integer(length, "length", 1)
    times = times_of(p, timestamps, count, 0)
    steps_read = list(steps_of(p, times, count))
    even = not p.scale and len({after - before for before, after in pairwise(times)}) <= 1

    def compute(_: int) -> list[Vector]:
        steps = steps_for(p)
        columns: list[Vector] = []
        for k in range(count):
            path = list(_impulse(p, steps, steps_read, k))
            if even and k >= p.rule.reach:
                # The same steps follow every later impulse: its last state is an earlier one of this path.
                return [*columns, *(steps.leave(inner) for inner in reversed(path))]
            columns.append(steps.leave(path[-1]))
        return columns

    return _matrix(settle(compute, bits, p.name("jacobian"), guard=guard_bits(p, times), floor=lambda: mpf(1)))


def _impulse(p: Plan, steps: Steps, steps_read: list[tuple[int, Times]], k: int) -> Iterator[Integers]:
    """Inner states from sample k on, for samples that are 1 at k and else 0."""
    inner, one = steps.enter([mpf(0)] * p.order), 1 << mp.prec
    for index, (read, window) in enumerate(steps_read[k:]):
        if read:
            inner = steps.advance(inner, window, [one if back == index else 0 for back in range(read)])
        elif p.scale:
            inner = steps.enter([mpf(n == 0) for n in range(p.order)])
        yield inner


def _matrix(columns: list[Vector]) -> mp.matrix:
    J = mp.matrix(len(columns[0]), len(columns))
    for k, column in enumerate(columns):
        for n, entry in enumerate(column):
            J[n, k] = entry
    return J
