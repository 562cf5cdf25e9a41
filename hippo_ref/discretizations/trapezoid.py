"""Trapezoid rule for LegS: second order for the cost of the published bilinear step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import ClassVar, Literal

from mpmath import mpf

from hippo_ref.discretizations.base import Discretization, TimeLaw, legs_implicit
from hippo_ref.fixed import Integers
from hippo_ref.precision import Vector


@dataclass(frozen=True)
class Trapezoid(Discretization):
    """``(I - d A/(2 t')) c' = (I + d A/(2 t)) c + (d/2) B (u/t + u'/t')`` from t to t' = t + d, samples at the nodes.

    A step from t = 0, where the law is singular, is the exact projection of the first linear piece instead:
    ``(u + u')/2 e_0 + (u' - u)/(2 sqrt 3) e_1``. The trapezoid rule for HiPPO theorem 2.
    """

    key: ClassVar[str] = "trapezoid"
    reads: ClassVar[Literal["cells", "nodes"]] = "nodes"
    time_laws: ClassVar[tuple[TimeLaw, ...]] = ("scale",)
    one_sample: ClassVar[bool] = False
    nominal_order: ClassVar[Mapping[TimeLaw, int]] = {"scale": 2}
    first_time: ClassVar[int] = 0

    def invariant(self, A: list[Vector], B: Vector, h: mpf) -> tuple[list[Vector], Vector]:
        """Refused: the rule is for LegS."""
        raise ValueError("method 'trapezoid' is defined for measure 'legs' only")

    def guard(self, order: int) -> int:
        """Prefix sums of at most (2N)^2 terms of either sign."""
        return 4 * order.bit_length()

    def enter(self, x: Integers) -> Integers:
        """The state itself."""
        return x

    def advance(self, inner: Integers, before: Fraction, after: Fraction, last: int, sample: int) -> Integers:
        """One prefix-sum solve, or the first linear piece."""
        if before == 0:
            # c_1 = (u' - u)/(2 sqrt 3), hence x_1 = c_1/sqrt 3.
            start = [(last + sample) // 2, (sample - last) // 6]
            return (start + [0] * len(inner))[: len(inner)]
        half = (after - before) / 2
        p, q = half / after, half / before
        d = lcm(p.denominator, q.denominator)
        p_over_d, q_over_d = int(p * d), int(q * d)
        return legs_implicit(inner, p_over_d, q_over_d, d, q_over_d * last + p_over_d * sample)

    def leave(self, inner: Integers) -> Integers:
        """The state itself."""
        return inner
