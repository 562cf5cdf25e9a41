"""LagT: a generalised Laguerre weight on (-inf, t], tilted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar

from mpmath import mp, mpf

from hippo_ref.measures.base import Generators, Parameter, WholePast
from hippo_ref.orthogonal import Rows, laguerre, laguerre_rows
from hippo_ref.precision import Vector, as_mpf


@dataclass(frozen=True)
class LagT(WholePast):
    """``c_n = zeta^-1/2 Lam_n^-1 int_0^inf f(t-u) e^{-(1+beta)u/2} L_n^(alpha)(u) du``. HiPPO appendix D.2.

    ``Lam_n^2 = Gamma(n+alpha+1)/n!`` makes ``L_n/Lam_n`` orthonormal under ``u^alpha e^{-u}``;
    ``zeta = Gamma(1-alpha) beta^(alpha-1)`` normalises the tilted measure ``u^-alpha e^{-beta u}``, so it needs
    ``alpha < 1`` and ``beta > 0``. The power ``u^alpha`` of the weight cancels against the tilt: the kernel is smooth.
    """

    alpha: Fraction = Fraction(0)
    beta: Fraction = Fraction(1)

    key: ClassVar[str] = "lagt"
    rational: ClassVar[bool] = True
    domains: ClassVar[dict[str, Parameter]] = {
        "alpha": Parameter(Fraction(0), above=Fraction(-1), below=Fraction(1)),
        "beta": Parameter(Fraction(1), above=Fraction(0)),
    }

    def zeta(self) -> mpf:
        """``Gamma(1-alpha) beta^(alpha-1)``, the mass of the tilted measure before normalising."""
        return mp.gamma(as_mpf(1 - self.alpha)) * mp.power(as_mpf(self.beta), as_mpf(self.alpha - 1))

    def kernel(self, order: int, v: mpf) -> Vector:
        """``zeta^-1/2 Lam_n^-1 e^{-(1+beta)u/2} L_n^(alpha)(u)``."""
        envelope = mp.exp(-as_mpf((1 + self.beta) / 2) * v)
        polynomials = laguerre(order, as_mpf(self.alpha), v)
        scales = _kernel_scales(self, order, mp.prec)
        return [envelope * scale * polynomial for scale, polynomial in zip(scales, polynomials, strict=True)]

    def kernel_rows(self, order: int, nodes: Sequence[mpf]) -> Rows:
        """Of Laguerre polynomials, times their envelope."""
        rate = as_mpf((1 + self.beta) / 2)
        envelopes = [mp.exp(-rate * v) for v in nodes]
        return laguerre_rows(nodes, as_mpf(self.alpha), _kernel_scales(self, order, mp.prec), envelopes)

    def basis(self, order: int, fraction: mpf) -> Vector:
        """Refused: a fraction of the window means nothing here."""
        raise ValueError(
            "measure 'lagt' has no reconstruction at fractions of the window: its window is infinite and its weight is "
            "tilted, so neither a length nor the measure's mass orders its past; use 'legs_lti' for an infinite window"
        )

    def generators(self, order: int) -> Generators:
        """``(-u)^i`` under ``u^alpha e^{-u}/Gamma(1+alpha)``, envelope ``e^{-(1+beta)u/2}``, ``tau = 1``."""
        moments = [Fraction(1)]
        for k in range(2 * order):
            moments.append(moments[-1] * (self.alpha + k + 1))
        rate = (1 + self.beta) / 2
        return Generators(
            gram=[[(-1) ** (i + j) * moments[i + j] for j in range(order)] for i in range(order)],
            drift=[
                [-rate if j == i else Fraction(-i if j == i - 1 else 0) for j in range(order)] for i in range(order)
            ],
            now=[Fraction(i == 0) for i in range(order)],
            inflow=Fraction(1),
        )

    def gain(self, order: int) -> Vector:
        """``(zeta Gamma(1+alpha))^-1/2``: the generators' weight has mass 1, the kernels' has not."""
        return [1 / mp.sqrt(self.zeta() * mp.gamma(as_mpf(1 + self.alpha)))] * order


@lru_cache(maxsize=32)
def _kernel_scales(m: LagT, order: int, bits: int) -> Vector:
    """``zeta^-1/2 Lam_n^-1`` at the working precision, which is part of the cache key."""
    alpha = as_mpf(m.alpha)
    squares = [mp.gamma(1 + alpha)]
    for n in range(1, order):
        squares.append(squares[-1] * (n + alpha) / n)
    return [1 / mp.sqrt(m.zeta() * square) for square in squares]
