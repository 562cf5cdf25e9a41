"""The LegS matrices read as an invariant law: exponentially warped Legendre polynomials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from mpmath import mp, mpf

from hippo_ref.measures.base import Generators, WholePast
from hippo_ref.orthogonal import Rows, legendre_rows, legendre_scales, shifted_legendre
from hippo_ref.precision import Vector


@dataclass(frozen=True)
class LegSLTI(WholePast):
    """Basis ``s_n P_n(2 e^{-u} - 1)`` under ``e^{-u} du``, age ``u = t - x``: HTTYH's reading of S4's use of LegS."""

    key: ClassVar[str] = "legs_lti"
    rational: ClassVar[bool] = True

    def kernel(self, order: int, v: mpf) -> Vector:
        """``e^{-u} s_n P_n(2 e^{-u} - 1)``."""
        mass = mp.exp(-v)
        return [mass * g for g in self.basis(order, mass)]

    def kernel_rows(self, order: int, nodes: Sequence[mpf]) -> Rows:
        """Of Legendre polynomials in y, times y."""
        ys = [mp.exp(-v) for v in nodes]
        return legendre_rows(ys, legendre_scales(order), ys)

    def basis(self, order: int, fraction: mpf) -> Vector:
        """``s_n P_n(2y - 1)`` where y = e^{-u} is the mass older than the point; y = 0 is refused."""
        if fraction == 0:
            raise ValueError("fractions of 'legs_lti' must lie in (0, 1]: 0 is the infinitely distant past")
        return [s * p for s, p in zip(legendre_scales(order), shifted_legendre(order, fraction), strict=True)]

    def generators(self, order: int) -> Generators:
        """Monomials in ``y = e^{-u}``, which moves as ``dy/dt = -y``: the algebra of LegS without its 1/t."""
        return Generators(
            gram=[[Fraction(1, i + j + 1) for j in range(order)] for i in range(order)],
            drift=[[Fraction(-(i + 1) if i == j else 0) for j in range(order)] for i in range(order)],
            now=[Fraction(1)] * order,
            inflow=Fraction(1),
        )

    def gain(self, order: int) -> Vector:
        """1: orthonormal."""
        return [mpf(1)] * order
