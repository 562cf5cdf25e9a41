"""LMU: the Legendre Memory Unit, LegT under the scaling T = diag(s_n (-1)^n)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from mpmath import mpf

from hippo_ref.measures.base import Generators, Measure, Parameter
from hippo_ref.orthogonal import legendre_scales, shifted_legendre
from hippo_ref.precision import Vector, as_mpf


@dataclass(frozen=True)
class LMU(Measure):
    """``c_n = int f (2n+1) (-1)^n P_n(2v - 1) dv`` on LegT's window. Voelker et al. 2019; HiPPO appendix D.1.

    Kernels and basis differ: f is rebuilt by ``sum_n c_n (-1)^n P_n(2v - 1)``, the polynomials that LMU's paper counts
    from the present.
    """

    theta: Fraction = Fraction(1)

    key: ClassVar[str] = "lmu"
    time_law: ClassVar[Literal["scale", "invariant"]] = "invariant"
    closure: ClassVar[Literal["exact", "closed"]] = "closed"
    finite: ClassVar[bool] = True
    domains: ClassVar[dict[str, Parameter]] = {"theta": Parameter(Fraction(1), above=Fraction(0))}

    def time(self, v: mpf, t: mpf) -> mpf:
        """``x = t - theta (1 - v)``."""
        return t - as_mpf(self.theta) * (1 - v)

    def coordinate(self, x: mpf, t: mpf) -> mpf:
        """``v = (x - t)/theta + 1``."""
        return (x - t) / as_mpf(self.theta) + 1

    def speed(self, v: mpf) -> mpf:
        """1: the window moves rigidly."""
        return mpf(1)

    def kernel(self, order: int, v: mpf) -> Vector:
        """``(2n+1) (-1)^n P_n(2v - 1)``."""
        return [(2 * n + 1) * g for n, g in enumerate(self.basis(order, v))]

    def basis(self, order: int, fraction: mpf) -> Vector:
        """``(-1)^n P_n(2v - 1) = P_n(1 - 2v)``."""
        return shifted_legendre(order, 1 - fraction)

    def generators(self, order: int) -> Generators:
        """LegT's: the scaling is applied by ``gain``."""
        speed = 1 / self.theta
        return Generators(
            gram=[[Fraction(1, i + j + 1) for j in range(order)] for i in range(order)],
            drift=[[-i * speed if j == i - 1 else Fraction(0) for j in range(order)] for i in range(order)],
            now=[Fraction(1)] * order,
            far=[Fraction(i == 0) for i in range(order)],
            inflow=speed,
            outflow=speed,
            closure="approximation",
        )

    def gain(self, order: int) -> Vector:
        """``T_n = s_n (-1)^n``."""
        return [-s if n % 2 else s for n, s in enumerate(legendre_scales(order))]
