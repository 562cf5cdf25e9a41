"""Jacobi windows: the weight (1-v)^alpha v^beta on the sliding window [t - theta, t], tilted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from mpmath import mp, mpf

from hippo_ref.measures.base import End, Generators, Parameter, SlidingWindow
from hippo_ref.orthogonal import Rows, beta_moments, shifted_jacobi
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
        """Monomials ``v^i``: moments of the beta distribution, ``tau = -1/theta``, kernels without envelope."""
        speed = 1 / self.theta
        moments = beta_moments(2 * order, self.alpha, self.beta)
        return Generators(
            gram=[[moments[i + j] for j in range(order)] for i in range(order)],
            drift=[[-i * speed if j == i - 1 else Fraction(0) for j in range(order)] for i in range(order)],
            now=[Fraction(1)] * order,
            inflow=speed,
            ends=[End([Fraction(i == 0) for i in range(order)], -speed)],
            closure="polynomial",
            rebuilding=[[Fraction(1, i + j + 1) for j in range(order)] for i in range(order)],
        )

    def gain(self, order: int) -> Vector:
        """1."""
        return [mpf(1)] * order
