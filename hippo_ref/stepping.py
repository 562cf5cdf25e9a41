"""What a run of a recurrence is made of: the checked request, the times each step reads, and the step of either law.

States travel as fixed-point integers; everything works at the caller's working precision.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

from mpmath import mp, mpf

from hippo_ref.closed_form import CLOSED_FORMS, published
from hippo_ref.derive import derive
from hippo_ref.discretizations import Discretization, discretization
from hippo_ref.discretizations.base import Times
from hippo_ref.fixed import Integers, dot, from_fixed, to_fixed
from hippo_ref.measures import Measure
from hippo_ref.orthogonal import legendre_scales
from hippo_ref.precision import Vector, as_mpf, exact, exact_sequence, integer, rational, settle, working_bits

Sparse: TypeAlias = tuple[int, Integers]


@dataclass(frozen=True)
class Plan:
    """A checked request: which recurrence, and its uniform step (None: timestamps, or a law without a unit of time)."""

    m: Measure
    order: int
    rule: Discretization
    dt: Fraction | None

    @property
    def scale(self) -> bool:
        """The steps are those of LegS."""
        return self.m.time_law != "invariant"

    @property
    def given(self) -> bool:
        """State 0 takes no step: the first sample's projection on LegS, the initial state for nodes."""
        return self.scale or self.rule.reads == "nodes"

    def name(self, function: str) -> str:
        """The request in words, for error messages."""
        return f"{function}({self.m.key}, order={self.order}, method={self.rule.key!r})"

    def earlier(self, first: int) -> int:
        """How many samples before index ``first`` a step to it reads."""
        return min(self.rule.reach, first)

    def lead(self, first: int) -> int:
        """How many times before that of sample ``first`` a run from there needs: the step's begin at least."""
        return min(max(1, self.rule.reach), first)


def plan(m: Measure, order: object, method: str, dt: object, timestamped: bool) -> Plan:
    """Check what does not depend on the samples.

    Raises:
        TypeError, ValueError: bad order, method or dt, or dt where it has no place.
    """
    order, rule = integer(order, "order", 1), discretization(method)
    if m.time_law != "invariant":
        if m.key != "legs":
            raise ValueError(f"steps of a {m.time_law} law are known for measure 'legs' only, got {m.key!r}")
        if dt is not None:
            raise ValueError(f"measure 'legs' has no dt: its steps depend on ratios of times alone; got dt = {dt!r}")
        return Plan(m, order, rule, None)
    if timestamped:
        if dt is not None:
            raise ValueError(f"measure {m.key!r} takes dt or timestamps, not both; got timestamps and dt = {dt!r}")
        return Plan(m, order, rule, None)
    if dt is None:
        raise ValueError(f"measure {m.key!r} needs dt, the sample spacing, > 0, or timestamps; got neither")
    step = rational(exact(dt, "dt"), "dt")
    if step <= 0:
        raise ValueError(f"dt must be > 0, got {dt!r}")
    return Plan(m, order, rule, step)


def times_of(p: Plan, timestamps: Iterable[object] | None, count: int, first: int) -> list[Fraction]:
    """Times of the samples, preceded by as many earlier ones as the first step reads.

    Cells of an invariant law begin at 0, so a fresh run of them has that time first.

    Raises:
        TypeError, ValueError: not numbers, wrong length, not increasing, or a cell without length.
    """
    lead = p.lead(first)
    cells = not p.scale and p.rule.reads == "cells"
    if timestamps is None:
        origin = first - lead + (p.rule.first_time if p.scale else int(cells))
        times = [(p.dt or 1) * Fraction(origin + k) for k in range(count + lead)]
    else:
        times = [rational(time, "timestamps") for time in exact_sequence(timestamps, "timestamps")]
        _check(p, times, count, first)
    return [Fraction(0), *times] if cells and not first else times


def _check(p: Plan, times: list[Fraction], count: int, first: int) -> None:
    lead = p.lead(first)
    if len(times) != count + lead:
        what = {0: "", 1: " (when resuming, the time of start comes first)"}.get(
            lead, f" (when resuming, the times of the last {lead} samples read come first)"
        )
        raise ValueError(f"timestamps must have length {count + lead} for {count} samples{what}, got {len(times)}")
    # A cell has a positive length, so its end is after 0, and so is everything after the first sample.
    late = first > lead or (p.rule.first_time if p.scale else p.rule.reads == "cells")
    if times[0] < 0 or (times[0] == 0 and late):
        least = "> 0" if late else ">= 0"
        raise ValueError(f"timestamps[0] must be {least} for method {p.rule.key!r}, got {times[0]}")
    for index in range(1, len(times)):
        if not times[index - 1] < times[index]:
            raise ValueError(
                f"timestamps must increase strictly, got timestamps[{index - 1}] = {times[index - 1]} and "
                f"timestamps[{index}] = {times[index]}"
            )


def steps_of(p: Plan, times: list[Fraction], count: int, first: int = 0) -> Iterator[tuple[int, Times]]:
    """For every sample, how many samples its step reads and the times it reads, newest first; 0 and () for no step."""
    lead = len(times) - count
    for index in range(count):
        k = first + index
        if k == 0 and p.given:
            yield 0, ()
            continue
        read = p.earlier(k)
        yield read + 1, tuple(times[lead + index - back] for back in range(max(1, read) + 1))


def guard_bits(p: Plan, times: list[Fraction]) -> int:
    """Bits known to be lost before the first run: inner forms of LegS states, small steps of either law."""
    gaps = [(after - before, after) for before, after in pairwise(times)]
    if p.scale:
        # A polynomial through nodes that are close together has coefficients in x/t that cancel.
        closest = max((int(after / gap).bit_length() for gap, after in gaps), default=0)
        return p.rule.guard(p.order) + p.rule.reach * closest
    smallest = min((gap for gap, _ in gaps), default=Fraction(1))
    return 4 * p.order.bit_length() + int(1 / smallest).bit_length()


class Steps(ABC):
    """The steps of one law at one working precision, on states in the rule's inner form."""

    @abstractmethod
    def enter(self, c: Vector) -> Integers:
        """Inner form of a state (N,)."""

    @abstractmethod
    def advance(self, inner: Integers, times: Times, values: Sequence[int]) -> Integers:
        """One step; times and samples newest first."""

    @abstractmethod
    def leave(self, inner: Integers) -> Vector:
        """State (N,) of an inner form."""


class LegSSteps(Steps):
    """O(N) steps of LegS, on ``c_n/s_n``."""

    def __init__(self, p: Plan) -> None:
        self._rule, self._scales = p.rule, legendre_scales(p.order)

    def enter(self, c: Vector) -> Integers:
        """Divided by s_n."""
        return self._rule.enter(to_fixed(entry / s for s, entry in zip(self._scales, c, strict=True)))

    def advance(self, inner: Integers, times: Times, values: Sequence[int]) -> Integers:
        """The rule's own step."""
        return self._rule.advance(inner, times, values)

    def leave(self, inner: Integers) -> Vector:
        """Multiplied by s_n."""
        return [s * entry for s, entry in zip(self._scales, from_fixed(self._rule.leave(inner)), strict=True)]


class InvariantSteps(Steps):
    """Steps ``c' = M c + sum_j a_j W_j`` of an invariant law; equal step lengths share their matrices."""

    def __init__(self, p: Plan) -> None:
        self._plan, self._bits = p, mp.prec

    def enter(self, c: Vector) -> Integers:
        """Fixed point."""
        return to_fixed(c)

    def advance(self, inner: Integers, times: Times, values: Sequence[int]) -> Integers:
        """One product with the step's matrices."""
        p, bits = self._plan, self._bits
        M, W = _matrices(p.m, p.order, p.rule, times[0] - times[1], bits)
        moved = [dot(entries, inner[first : first + len(entries)]) for first, entries in M]
        for number, response in zip(p.rule.drive(times, values), W, strict=False):
            moved = [total + number * gain for total, gain in zip(moved, response, strict=True)]
        return [total >> bits for total in moved]

    def leave(self, inner: Integers) -> Vector:
        """Fixed point."""
        return from_fixed(inner)


def steps_for(p: Plan) -> Steps:
    """The steps of the plan's law at the working precision."""
    return LegSSteps(p) if p.scale else InvariantSteps(p)


def _trim(row: Integers) -> Sparse:
    """First nonzero column and the entries from there to the last nonzero one: skips structural zeros."""
    nonzero = [k for k, entry in enumerate(row) if entry]
    return (nonzero[0], row[nonzero[0] : nonzero[-1] + 1]) if nonzero else (0, [])


@lru_cache(maxsize=16)
def _system(m: Measure, order: int, bits: int) -> tuple[list[Vector], Vector]:
    if m.key in CLOSED_FORMS:
        return published(m, order, bits)
    with working_bits(bits):
        found = derive(m, order, mp.dps + 2)
    return [[found.A[n, k] for k in range(order)] for n in range(order)], list(found.B)


@lru_cache(maxsize=64)
def _matrices(
    m: Measure, order: int, rule: Discretization, h: Fraction, bits: int
) -> tuple[list[Sparse], list[Integers]]:
    """``M`` and ``W`` of a step h, fixed point at ``bits``, rows trimmed; shared by the cache: read only."""
    with working_bits(bits + 32):
        M, W = rule.invariant(*_system(m, order, bits + 32), as_mpf(h))
    with working_bits(bits):
        return [_trim(to_fixed(row)) for row in M], [to_fixed(response) for response in W]


def dense_step(p: Plan, read: int, times: Times, bits: int) -> tuple[list[Vector], list[Vector]]:
    """``M`` (N, N) and ``v_i`` (N,) of the dense form of a step, ``c' = M c + sum_i v_i u_{k-i}``, to ``bits`` bits.

    Args:
        p: the plan.
        read: how many samples the step reads.
        times: the times it reads, newest first.
        bits: each row of M and each v_i is right to ``2^-bits`` of its largest entry (of ``2^-32`` if that is larger).
    """
    if not p.scale:
        # Only differences matter, and equal ones share the answer.
        times = tuple(time - times[1] for time in times)
    return _dense(p, read, times, bits)


@lru_cache(maxsize=4)
def _dense(p: Plan, read: int, times: Times, bits: int) -> tuple[list[Vector], list[Vector]]:
    order = p.order

    def compute(_: int) -> list[Vector]:
        steps, one = steps_for(p), 1 << mp.prec
        columns = []
        for k in range(order):
            unit = steps.enter([mpf(n == k) for n in range(order)])
            columns.append(steps.leave(steps.advance(unit, times, [0] * read)))
        zero = steps.enter([mpf(0)] * order)
        inputs = [
            steps.leave(steps.advance(zero, times, [one if i == j else 0 for j in range(read)])) for i in range(read)
        ]
        return [*(list(row) for row in zip(*columns, strict=True)), *inputs]

    rows = settle(compute, bits, p.name("step"), guard=guard_bits(p, [*reversed(times)]), floor=lambda: mpf(1))
    return rows[:order], rows[order:]
