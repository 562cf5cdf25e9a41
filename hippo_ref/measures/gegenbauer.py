"""Gegenbauer windows: the weight (v (1-v))^(alpha - 1/2) on [t - theta, t], tilted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from mpmath import mp, mpf

from hippo_ref.measures.base import Generators, Parameter, SlidingWindow, jacobi_generators
from hippo_ref.orthogonal import Rows, shifted_jacobi
from hippo_ref.precision import Vector, as_mpf


@dataclass(frozen=True)
class Gegenbauer(SlidingWindow):
    """``c_n = int f p_n dv``, ``p_n`` a multiple of ``C_n^(alpha)(2v - 1)``, orthonormal under a weight of mass 1.

    The symmetric Jacobi windows: alpha = 1/2 is Legendre's, 0 Chebyshev's (without ChebT's factor), 1 Chebyshev's of
    the second kind. Tilted and closed as those.
    """

    alpha: Fraction = Fraction(1)

    key: ClassVar[str] = "gegenbauer"
    rational: ClassVar[bool] = True
    domains: ClassVar[dict[str, Parameter]] = {
        "theta": Parameter(Fraction(1), above=Fraction(0)),
        "alpha": Parameter(Fraction(1), above=Fraction(-1, 2)),
    }

    def kernel(self, order: int, v: mpf) -> Vector:
        """``p_n(v)``."""
        exponent = self.alpha - Fraction(1, 2)
        return shifted_jacobi(order, exponent, exponent, v)

    def kernel_rows(self, order: int, nodes: Sequence[mpf]) -> Rows:
        """Node by node."""
        return Rows.of_columns(self.kernel(order, v) for v in nodes)

    def basis(self, order: int, fraction: mpf) -> Vector:
        """``p_n`` times the weight, which is infinite at the ends for alpha < 1/2 and is refused there."""
        exponent = as_mpf(self.alpha - Fraction(1, 2))
        if exponent < 0 and fraction in (0, 1):
            raise ValueError(f"the basis of 'gegenbauer' is infinite at fraction {fraction} for alpha = {self.alpha}")
        weight = mp.power(fraction * (1 - fraction), exponent) / mp.beta(exponent + 1, exponent + 1)
        return [weight * p for p in self.kernel(order, fraction)]

    def generators(self, order: int) -> Generators:
        """Of a Jacobi window."""
        return jacobi_generators(order, self.theta, *[self.alpha - Fraction(1, 2)] * 2)

    def gain(self, order: int) -> Vector:
        """1."""
        return [mpf(1)] * order
