"""LMU: the Legendre Memory Unit, LegT under the scaling T = diag(s_n (-1)^n)."""

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
class LMU(SlidingWindow):
    """``c_n = int f (2n+1) (-1)^n P_n(2v - 1) dv`` on LegT's window. Voelker et al. 2019; HiPPO appendix D.1.

    Kernels and basis differ: f is rebuilt by ``sum_n c_n (-1)^n P_n(2v - 1)``, the polynomials that LMU's paper counts
    from the present.
    """

    key: ClassVar[str] = "lmu"
    rational: ClassVar[bool] = True

    def kernel(self, order: int, v: mpf) -> Vector:
        """``(2n+1) (-1)^n P_n(2v - 1)``."""
        return [(2 * n + 1) * g for n, g in enumerate(self.basis(order, v))]

    def kernel_rows(self, order: int, nodes: Sequence[mpf]) -> Rows:
        """Of Legendre polynomials in ``1 - v``."""
        return legendre_rows([1 - v for v in nodes], [mpf(2 * n + 1) for n in range(order)])

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
            inflow=speed,
            ends=[End([Fraction(i == 0) for i in range(order)], -speed)],
            closure="approximation",
        )

    def gain(self, order: int) -> Vector:
        """``T_n = s_n (-1)^n``."""
        return [-s if n % 2 else s for n, s in enumerate(legendre_scales(order))]
