"""Hold-exact rules: zoh (piecewise-constant input) and foh (piecewise-linear input).

LegS states are kept as moments ``mu_j = int_0^1 g(t v) v^j dv``, in which a step is diagonal: the past shrinks into
``[0, rho]``, ``rho = t/t'``, and its moments by ``rho^(j+1)``. This is ``c' = p' + (t'/t)^A (c - p)`` with p, p' the
projections of the current piece, in the basis where A is diagonal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import comb
from typing import ClassVar, Literal

from mpmath import mp, mpf

from hippo_ref.discretizations.base import Discretization, TimeLaw
from hippo_ref.fixed import Integers, dot
from hippo_ref.linear import exponential
from hippo_ref.precision import Vector


@lru_cache(maxsize=16)
def _coefficients(order: int) -> list[Integers]:
    """Rows of ``(-1)^(n+j) binom(n,j) binom(n+j,j)``: ``P_n(2v-1) = sum_j l_nj v^j``."""
    return [[(-1) ** (n + j) * comb(n, j) * comb(n + j, j) for j in range(n + 1)] for n in range(order)]


def moments_from_state(x: Integers) -> Integers:
    """``mu_j = sum_{n<=j} (2n+1) x_n int_0^1 P_n(2v-1) v^j dv``; the integral is ``j!^2/((j-n)! (j+n+1)!)``."""
    moments = []
    for j in range(len(x)):
        integral = (1 << mp.prec) // (j + 1)
        total = x[0] * integral
        for n in range(1, j + 1):
            integral = integral * (j - n + 1) // (j + n + 1)
            total += (2 * n + 1) * x[n] * integral
        moments.append(total >> mp.prec)
    return moments


def state_from_moments(moments: Integers) -> Integers:
    """``x_n = int g P_n(2v-1) dv = sum_j l_nj mu_j``, which cancels about 2.6 N bits."""
    return [dot(row, moments) for row in _coefficients(len(moments))]


@dataclass(frozen=True)
class ZeroOrderHold(Discretization):
    """Exact for input constant on cells. HiPPO appendix B.3 (ZOH); for LegS ``-A^-1 B = e_0``.

    LegS: cell k ends at ``t_k`` (k + 1 by default) and ``c' = u e_0 + (t'/t)^A (c - u e_0)``. Invariant law: the
    blocks of ``exp [[h A, h B], [0, 0]]``.
    """

    key: ClassVar[str] = "zoh"
    reads: ClassVar[Literal["cells", "nodes"]] = "cells"
    time_laws: ClassVar[tuple[TimeLaw, ...]] = ("scale", "invariant")
    one_sample: ClassVar[bool] = True
    nominal_order: ClassVar[Mapping[TimeLaw, int]] = {"scale": 2, "invariant": 2}
    first_time: ClassVar[int] = 1

    def invariant(self, A: list[Vector], B: Vector, h: mpf) -> tuple[list[Vector], Vector]:
        """Blocks of the exponential of the augmented matrix."""
        order = len(B)
        rows = [[*(h * entry for entry in row), h * gain] for row, gain in zip(A, B, strict=True)]
        blocks = exponential([*rows, [mpf(0)] * (order + 1)])[:order]
        return [row[:order] for row in blocks], [row[order] for row in blocks]

    def guard(self, order: int) -> int:
        """2.6 N bits in each direction."""
        return 6 * order

    def enter(self, x: Integers) -> Integers:
        """Moments."""
        return moments_from_state(x)

    def advance(self, inner: Integers, before: Fraction, after: Fraction, last: int, sample: int) -> Integers:
        """Moments of the constant on all of [0, t'], plus the shrunken rest."""
        rho = before / after
        power = 1 << mp.prec
        moved = []
        for j, moment in enumerate(inner):
            power = power * rho.numerator // rho.denominator
            constant = sample // (j + 1)
            moved.append(constant + (power * (moment - constant) >> mp.prec))
        return moved

    def leave(self, inner: Integers) -> Integers:
        """State of the moments."""
        return state_from_moments(inner)


@dataclass(frozen=True)
class FirstOrderHold(Discretization):
    """Exact for LegS input that is linear between nodes: node k at ``t_k`` (k by default), the first may be at 0."""

    key: ClassVar[str] = "foh"
    reads: ClassVar[Literal["cells", "nodes"]] = "nodes"
    time_laws: ClassVar[tuple[TimeLaw, ...]] = ("scale",)
    one_sample: ClassVar[bool] = False
    nominal_order: ClassVar[Mapping[TimeLaw, int]] = {"scale": 2}
    first_time: ClassVar[int] = 0

    def invariant(self, A: list[Vector], B: Vector, h: mpf) -> tuple[list[Vector], Vector]:
        """Refused: the rule is for LegS."""
        raise ValueError("method 'foh' is defined for measure 'legs' only")

    def guard(self, order: int) -> int:
        """2.6 N bits in each direction."""
        return 6 * order

    def enter(self, x: Integers) -> Integers:
        """Moments."""
        return moments_from_state(x)

    def advance(self, inner: Integers, before: Fraction, after: Fraction, last: int, sample: int) -> Integers:
        """Moments of the line through both nodes on all of [0, t'], plus the shrunken rest."""
        rho = before / after
        slope = (sample - last) * rho.denominator // (rho.denominator - rho.numerator)
        origin = sample - slope
        power = 1 << mp.prec
        moved = []
        for j, moment in enumerate(inner):
            power = power * rho.numerator // rho.denominator
            now = origin // (j + 1) + slope // (j + 2)
            then = origin // (j + 1) + slope * rho.numerator // (rho.denominator * (j + 2))
            moved.append(now + (power * (moment - then) >> mp.prec))
        return moved

    def leave(self, inner: Integers) -> Integers:
        """State of the moments."""
        return state_from_moments(inner)
