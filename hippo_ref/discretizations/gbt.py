"""Generalized bilinear transforms GBT(a): forward Euler, bilinear, backward Euler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from mpmath import mpf

from hippo_ref.discretizations.base import Discretization, TimeLaw, legs_implicit
from hippo_ref.fixed import Integers
from hippo_ref.linear import inverse
from hippo_ref.precision import Vector, as_mpf


@dataclass(frozen=True)
class _GeneralizedBilinear(Discretization):
    """``(I - a h A) c' = (I + (1-a) h A) c + h B u``; for LegS ``h = (t_k - t_{k-1})/t_k``, 1/k on uniform samples.

    HiPPO appendix B.3 (generalized bilinear transform) and theorem 2 for the LegS step. With LegS every member is first
    order, bilinear too: the same h = 1/k stands on both sides.
    """

    reads: ClassVar[Literal["cells", "nodes"]] = "cells"
    time_laws: ClassVar[tuple[TimeLaw, ...]] = ("scale", "invariant")
    one_sample: ClassVar[bool] = True
    first_time: ClassVar[int] = 0
    a: ClassVar[Fraction]

    def invariant(self, A: list[Vector], B: Vector, h: mpf) -> tuple[list[Vector], Vector]:
        """``M = (X - (1-a) I)/a`` and ``v = h X B`` with ``X = (I - a h A)^-1``; ``I + h A`` and ``h B`` for a = 0."""
        order, a = len(B), as_mpf(self.a)
        if not self.a:
            M = [[h * entry + (n == k) for k, entry in enumerate(row)] for n, row in enumerate(A)]
            return M, [h * entry for entry in B]
        X = inverse([[(n == k) - a * h * entry for k, entry in enumerate(row)] for n, row in enumerate(A)])
        M = [[(entry - (1 - a) * (n == k)) / a for k, entry in enumerate(row)] for n, row in enumerate(X)]
        v = [h * sum((X[n][k] * B[k] for k in range(order)), mpf(0)) for n in range(order)]
        return M, v

    def guard(self, order: int) -> int:
        """Prefix sums of at most (2N)^2 terms of either sign."""
        return 4 * order.bit_length()

    def enter(self, x: Integers) -> Integers:
        """The state itself."""
        return x

    def advance(self, inner: Integers, before: Fraction, after: Fraction, last: int, sample: int) -> Integers:
        """One prefix-sum solve."""
        h = (after - before) / after
        numerator, denominator = h.numerator, 2 * h.denominator
        twice_a = int(2 * self.a)
        return legs_implicit(inner, twice_a * numerator, (2 - twice_a) * numerator, denominator, 2 * numerator * sample)

    def leave(self, inner: Integers) -> Integers:
        """The state itself."""
        return inner


@dataclass(frozen=True)
class Euler(_GeneralizedBilinear):
    """``a = 0``. On LegS its states pass through 10^21 at N = 32: exact here, unusable in floating point."""

    key: ClassVar[str] = "euler"
    nominal_order: ClassVar[Mapping[TimeLaw, int]] = {"scale": 1, "invariant": 1}
    a: ClassVar[Fraction] = Fraction(0)


@dataclass(frozen=True)
class BackwardEuler(_GeneralizedBilinear):
    """``a = 1``."""

    key: ClassVar[str] = "backward_euler"
    nominal_order: ClassVar[Mapping[TimeLaw, int]] = {"scale": 1, "invariant": 1}
    a: ClassVar[Fraction] = Fraction(1)


@dataclass(frozen=True)
class Bilinear(_GeneralizedBilinear):
    """``a = 1/2``: second order on an invariant law with samples at cell midpoints, first order on LegS."""

    key: ClassVar[str] = "bilinear"
    nominal_order: ClassVar[Mapping[TimeLaw, int]] = {"scale": 1, "invariant": 2}
    a: ClassVar[Fraction] = Fraction(1, 2)
