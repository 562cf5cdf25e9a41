"""LegT: the uniform measure 1/theta on the sliding window [t - theta, t]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from mpmath import mpf

from hippo_ref.measures.base import End, Generators, SlidingWindow
from hippo_ref.orthogonal import Rows, legendre_rows, legendre_scales, shifted_legendre
from hippo_ref.precision import Vector


@dataclass(frozen=True)
class LegT(SlidingWindow):
    """Basis ``s_n P_n(2v - 1)``, ``v = (x - t)/theta + 1``, under ``dx/theta``. HiPPO theorem 1 and appendix D.1."""

    key: ClassVar[str] = "legt"
    rational: ClassVar[bool] = True

    def kernel(self, order: int, v: mpf) -> Vector:
        """``s_n P_n(2v - 1)``: the density in v is 1."""
        return [s * p for s, p in zip(legendre_scales(order), shifted_legendre(order, v), strict=True)]

    def kernel_rows(self, order: int, nodes: Sequence[mpf]) -> Rows:
        """Of Legendre polynomials."""
        return legendre_rows(nodes, legendre_scales(order))

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
            inflow=speed,
            ends=[End([Fraction(i == 0) for i in range(order)], -speed)],
            closure="approximation",
        )

    def gain(self, order: int) -> Vector:
        """1: orthonormal."""
        return [mpf(1)] * order
