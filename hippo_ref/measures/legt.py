"""LegT: the uniform measure 1/theta on the sliding window [t - theta, t]."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from mpmath import mpf

from hippo_ref.measures.base import Generators, Measure, Parameter
from hippo_ref.orthogonal import legendre_scales, shifted_legendre
from hippo_ref.precision import Vector, as_mpf


@dataclass(frozen=True)
class LegT(Measure):
    """Basis ``s_n P_n(2v - 1)``, ``v = (x - t)/theta + 1``, under ``dx/theta``. HiPPO theorem 1 and appendix D.1."""

    theta: Fraction = Fraction(1)

    key: ClassVar[str] = "legt"
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
        """``s_n P_n(2v - 1)``: the density in v is 1."""
        return [s * p for s, p in zip(legendre_scales(order), shifted_legendre(order, v), strict=True)]

    def basis(self, order: int, fraction: mpf) -> Vector:
        """``s_n P_n(2v - 1)``."""
        return self.kernel(order, fraction)

    def generators(self, order: int) -> Generators:
        """Monomials ``v^i``: moments ``1/(i+j+1)``, ``tau = -1/theta``; the value that leaves is approximated."""
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
        """1: orthonormal."""
        return [mpf(1)] * order
