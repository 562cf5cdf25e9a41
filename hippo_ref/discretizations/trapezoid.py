"""Trapezoid rule on samples at nodes: second order for the cost of a bilinear step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from mpmath import mpf

from hippo_ref.discretizations.base import Discretization, TimeLaw, Times, legs_implicit
from hippo_ref.fixed import Integers
from hippo_ref.linear import inverse
from hippo_ref.precision import Vector


@dataclass(frozen=True)
class Trapezoid(Discretization):
    """Invariant law: ``(I - (h/2) A) c' = (I + (h/2) A) c + (h/2) B (u + u')``, samples at the nodes.

    LegS, from t to t' = t + d: ``(I - d A/(2 t')) c' = (I + d A/(2 t)) c + (d/2) B (u/t + u'/t')``. A step from t = 0,
    where that law is singular, is the exact projection of the first linear piece instead:
    ``(u + u')/2 e_0 + (u' - u)/(2 sqrt 3) e_1``. The trapezoid rule for HiPPO theorem 2.
    """

    @property
    def reach(self) -> int:
        """Both ends of the step."""
        return 1

    @property
    def first_time(self) -> int:
        """Node 0 is at time 0."""
        return 0

    @property
    def nominal_order(self) -> Mapping[TimeLaw, int]:
        """2."""
        return {"scale": 2, "invariant": 2}

    def invariant(self, A: list[Vector], B: Vector, h: mpf) -> tuple[list[Vector], list[Vector]]:
        """``M = 2 X - I`` and ``W = (h/2) X B`` with ``X = (I - (h/2) A)^-1``."""
        half, order = h / 2, len(B)
        X = inverse([[(n == k) - half * entry for k, entry in enumerate(row)] for n, row in enumerate(A)])
        M = [[2 * entry - (n == k) for k, entry in enumerate(row)] for n, row in enumerate(X)]
        return M, [[half * sum((X[n][k] * B[k] for k in range(order)), mpf(0)) for n in range(order)]]

    def drive(self, times: Times, values: Sequence[int]) -> Integers:
        """The sum of both samples."""
        return [sum(values)]

    def guard(self, order: int) -> int:
        """Prefix sums of at most (2N)^2 terms of either sign."""
        return 4 * order.bit_length()

    def enter(self, x: Integers) -> Integers:
        """The state itself."""
        return x

    def advance(self, inner: Integers, times: Times, values: Sequence[int]) -> Integers:
        """One prefix-sum solve, or the first linear piece."""
        after, before = times
        sample, last = values
        if before == 0:
            # c_1 = (u' - u)/(2 sqrt 3), hence x_1 = c_1/sqrt 3.
            start = [(last + sample) // 2, (sample - last) // 6]
            return (start + [0] * len(inner))[: len(inner)]
        half = Fraction(after - before, 2)
        p, q = half / after, half / before
        d = lcm(p.denominator, q.denominator)
        p_over_d, q_over_d = int(p * d), int(q * d)
        return legs_implicit(inner, p_over_d, q_over_d, d, q_over_d * last + p_over_d * sample)

    def leave(self, inner: Integers) -> Integers:
        """The state itself."""
        return inner
