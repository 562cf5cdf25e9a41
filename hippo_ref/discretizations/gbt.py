"""Generalized bilinear transforms GBT(a), a in [0, 1]: forward Euler (0), bilinear (1/2), backward Euler (1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mpmath import mpf

from hippo_ref.discretizations.base import Discretization, TimeLaw, Times, legs_implicit
from hippo_ref.fixed import Integers
from hippo_ref.linear import inverse
from hippo_ref.precision import Vector, as_mpf

# Longer texts are no weights anybody means, and would only make exact arithmetic slow.
_WEIGHT = re.compile(r"[0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40}|[0-9]{1,40}/0*[1-9][0-9]{0,40}")


@dataclass(frozen=True)
class GeneralizedBilinear(Discretization):
    """``(I - a h A) c' = (I + (1-a) h A) c + h B u``; for LegS ``h = (t_k - t_{k-1})/t_k``, 1/k on uniform samples.

    HiPPO appendix B.3 (generalized bilinear transform) and theorem 2 for the LegS step. With LegS every member is first
    order, ``a = 1/2`` too: the same h = 1/k stands on both sides. ``a = 0`` (euler) passes through 10^21 on LegS at
    N = 32: exact here, unusable in floating point.

    Attributes:
        a: weight of the implicit side.
    """

    a: Fraction

    @property
    def reach(self) -> int:
        """Its own sample only: cells."""
        return 0

    @property
    def first_time(self) -> int:
        """Sample 0 is at time 0 and makes the first state."""
        return 0

    @property
    def nominal_order(self) -> Mapping[TimeLaw, int]:
        """2 for ``a = 1/2`` on an invariant law with samples at midpoints, else 1."""
        return {"scale": 1, "invariant": 2 if self.a == Fraction(1, 2) else 1}

    def invariant(self, A: list[Vector], B: Vector, h: mpf) -> tuple[list[Vector], list[Vector]]:
        """``M = (X - (1-a) I)/a`` and ``W = h X B`` with ``X = (I - a h A)^-1``; ``I + h A`` and ``h B`` for a = 0."""
        order, a = len(B), as_mpf(self.a)
        if not self.a:
            M = [[h * entry + (n == k) for k, entry in enumerate(row)] for n, row in enumerate(A)]
            return M, [[h * entry for entry in B]]
        X = inverse([[(n == k) - a * h * entry for k, entry in enumerate(row)] for n, row in enumerate(A)])
        M = [[(entry - (1 - a) * (n == k)) / a for k, entry in enumerate(row)] for n, row in enumerate(X)]
        return M, [[h * sum((X[n][k] * B[k] for k in range(order)), mpf(0)) for n in range(order)]]

    def drive(self, times: Times, values: Sequence[int]) -> Integers:
        """The sample."""
        return [values[0]]

    def guard(self, order: int) -> int:
        """Prefix sums of at most (2N)^2 terms of either sign."""
        return 4 * order.bit_length()

    def enter(self, x: Integers) -> Integers:
        """The state itself."""
        return x

    def advance(self, inner: Integers, times: Times, values: Sequence[int]) -> Integers:
        """One prefix-sum solve."""
        h = (times[0] - times[1]) / times[0]
        p, q = self.a.numerator * h.numerator, (self.a.denominator - self.a.numerator) * h.numerator
        return legs_implicit(
            inner, p, q, self.a.denominator * h.denominator, self.a.denominator * h.numerator * values[0]
        )

    def leave(self, inner: Integers) -> Integers:
        """The state itself."""
        return inner


def gbt(text: str) -> GeneralizedBilinear:
    """The rule of a weight written as a decimal or a ratio, taken exactly: ``"0.25"``, ``"1/3"``.

    Raises:
        ValueError: no such number, or outside [0, 1].
    """
    weight = Fraction(text) if _WEIGHT.fullmatch(text) else None
    if weight is None or weight > 1:
        raise ValueError(
            f"method 'gbt({text})' needs a weight a in [0, 1], a decimal or a ratio such as gbt(0.25) or gbt(1/3); "
            f"got a = {text!r}"
        )
    return GeneralizedBilinear(f"gbt({weight})", weight)
