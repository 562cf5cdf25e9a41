"""ChebT: the Chebyshev weight on the sliding window [t - theta, t], tilted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from mpmath import mp, mpf

from hippo_ref.measures.base import Generators, SlidingWindow, jacobi_generators
from hippo_ref.orthogonal import Rows, shifted_chebyshev
from hippo_ref.precision import Vector


@dataclass(frozen=True)
class ChebT(SlidingWindow):
    """``c_n = (sqrt 8/pi) int f p_n dv`` with ``p_0 = 1``, ``p_n = sqrt 2 T_n(2v - 1)``. HiPPO appendix D.5.

    The weight ``1/(pi sqrt(v (1-v)))`` is infinite at both ends, so the measure is tilted by the weight itself: the
    kernels are plain polynomials, and f is rebuilt by ``sum c_n p_n/sqrt(8 v (1-v))``. That is infinite at the far end,
    so the value that leaves is closed by the polynomial of degree < N with the same coefficients; the law is then
    LegT's in another basis, and like it exact for polynomials of degree < N.
    """

    key: ClassVar[str] = "chebt"
    rational: ClassVar[bool] = True

    def kernel(self, order: int, v: mpf) -> Vector:
        """``(sqrt 8/pi) p_n(v)``."""
        scale = mp.sqrt(8) / mp.pi
        return [scale * p for p in _orthonormal(order, v)]

    def kernel_rows(self, order: int, nodes: Sequence[mpf]) -> Rows:
        """Node by node."""
        return Rows.of_columns(self.kernel(order, v) for v in nodes)

    def basis(self, order: int, fraction: mpf) -> Vector:
        """``p_n(v)/sqrt(8 v (1-v))``; the ends, where it is infinite, are refused."""
        if fraction in (0, 1):
            raise ValueError("fractions of 'chebt' must lie in (0, 1): the tilted basis is infinite at both ends")
        scale = 1 / mp.sqrt(8 * fraction * (1 - fraction))
        return [scale * p for p in _orthonormal(order, fraction)]

    def generators(self, order: int) -> Generators:
        """Of a Jacobi window."""
        return jacobi_generators(order, self.theta, Fraction(-1, 2), Fraction(-1, 2))

    def gain(self, order: int) -> Vector:
        """``sqrt 8/pi``, which makes the tilted measure ``sqrt(v (1-v))`` one of mass 1."""
        return [mp.sqrt(8) / mp.pi] * order


def _orthonormal(order: int, v: mpf) -> Vector:
    root = mp.sqrt(2)
    return [root * value if n else value for n, value in enumerate(shifted_chebyshev(order, v))]
