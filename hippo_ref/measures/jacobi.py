"""Jacobi windows: the weight (1-v)^alpha v^beta on the sliding window [t - theta, t], tilted."""

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
class Jacobi(SlidingWindow):
    """``c_n = int f p_n dv``, ``p_n`` orthonormal under ``(1-v)^alpha v^beta`` of mass 1; v = 1 is now.

    Tilted by the weight itself, as HiPPO appendix D.5 does for Chebyshev, so that kernels are polynomials and f enters:
    untilted, the kernels would be 0 or infinite at the present. ``c_0`` is the mean of f over the window. The value
    that leaves is closed by the polynomial of degree < N with the same coefficients.
    """

    alpha: Fraction = Fraction(0)
    beta: Fraction = Fraction(0)

    key: ClassVar[str] = "jacobi"
    rational: ClassVar[bool] = True
    domains: ClassVar[dict[str, Parameter]] = {
        "theta": Parameter(Fraction(1), above=Fraction(0)),
        "alpha": Parameter(Fraction(0), above=Fraction(-1)),
        "beta": Parameter(Fraction(0), above=Fraction(-1)),
    }

    def kernel(self, order: int, v: mpf) -> Vector:
        """``p_n(v)``."""
        return shifted_jacobi(order, self.alpha, self.beta, v)

    def kernel_rows(self, order: int, nodes: Sequence[mpf]) -> Rows:
        """Node by node."""
        return Rows.of_columns(self.kernel(order, v) for v in nodes)

    def basis(self, order: int, fraction: mpf) -> Vector:
        """``p_n`` times the weight, which may be infinite at an end and is refused there."""
        for distance, exponent in ((1 - fraction, self.alpha), (fraction, self.beta)):
            if distance == 0 and exponent < 0:
                raise ValueError(f"the basis of 'jacobi' is infinite at fraction {fraction}: exponent {exponent} < 0")
        a, b = as_mpf(self.alpha), as_mpf(self.beta)
        weight = mp.power(1 - fraction, a) * mp.power(fraction, b) / mp.beta(a + 1, b + 1)
        return [weight * p for p in shifted_jacobi(order, self.alpha, self.beta, fraction)]

    def generators(self, order: int) -> Generators:
        """Of a Jacobi window."""
        return jacobi_generators(order, self.theta, self.alpha, self.beta)

    def gain(self, order: int) -> Vector:
        """1."""
        return [mpf(1)] * order
