"""LegS: the uniform measure 1/t on [0, t], which stretches with time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from mpmath import mpf

from hippo_ref.measures.base import Generators, Measure
from hippo_ref.orthogonal import Rows, legendre_rows, legendre_scales, shifted_legendre
from hippo_ref.precision import Vector


@dataclass(frozen=True)
class LegS(Measure):
    """Basis ``s_n P_n(2x/t - 1)`` on [0, t] under ``dx/t``; ``v = x/t``. HiPPO section 3 and appendix D.3."""

    key: ClassVar[str] = "legs"
    time_law: ClassVar[Literal["scale", "invariant"]] = "scale"
    closure: ClassVar[Literal["exact", "closed"]] = "exact"
    finite: ClassVar[bool] = True
    rational: ClassVar[bool] = True

    def time(self, v: mpf, t: mpf) -> mpf:
        """``x = t v``."""
        return t * v

    def coordinate(self, x: mpf, t: mpf) -> mpf:
        """``v = x/t``."""
        return x / t

    def speed(self, v: mpf, t: mpf) -> mpf:
        """``dx/dt = v``."""
        return v

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
        """Monomials ``v^i``: moments ``1/(i+j+1)``, and ``tau = -v`` (in units of 1/t) vanishes at the far end."""
        return Generators(
            gram=[[Fraction(1, i + j + 1) for j in range(order)] for i in range(order)],
            drift=[[Fraction(-(i + 1) if i == j else 0) for j in range(order)] for i in range(order)],
            now=[Fraction(1)] * order,
            inflow=Fraction(1),
        )

    def gain(self, order: int) -> Vector:
        """1: orthonormal."""
        return [mpf(1)] * order
