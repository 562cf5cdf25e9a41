"""LegT: uniform measure on the window ``[t - theta, t]``.

Basis ``s_n P_n(2 (x - t)/theta + 1)``, ``s_n = sqrt(2 n + 1)``, orthonormal for ``1/theta`` on the window. Invariant
law with ``A_nk = -(1/theta) s_n s_k {1 (k <= n), (-1)^(n-k) (k >= n)}`` and ``B_n = s_n/theta``. Closed: the ODE
replaces ``f(t - theta)`` by the approximation's own value there. Source: HiPPO (arXiv 2008.07669), theorem 1, signs
turned.
"""

from __future__ import annotations

from typing import final

import numpy as np

from hippo_fast.legendre import legendre_scale, legendre_values
from hippo_fast.operators.base import Operator, general_hold_increment
from hippo_fast.structured import Structure, TridiagonalStructure
from hippo_fast.types import Float64Array, Parameters, System


@final
class LegT(Operator):
    """The translated Legendre measure: a sliding window, weighted evenly."""

    key = "legt"
    time_law = "invariant"
    parameters = ("theta",)
    closed = True

    def system(self, order: int, parameters: Parameters) -> System:
        """Return LegT ``A``, ``B``, in units of 1/time."""
        n = np.arange(order)
        squares = 2.0 * n + 1.0
        above = np.triu(np.where((n[:, None] - n[None, :]) % 2 == 0, 1.0, -1.0), 1)
        signs = np.tril(np.ones((order, order))) + above
        a = -signs * (np.sqrt(squares[:, None] * squares[None, :]) / parameters.theta)
        return System(a, np.sqrt(squares) / parameters.theta, self.time_law)

    def basis(self, order: int, points: Float64Array, parameters: Parameters) -> Float64Array:
        """Return ``s_n P_n(2 y - 1)``, with ``y = (x - t)/theta + 1``."""
        return legendre_values(order, points) * legendre_scale(order)

    def scale(self, order: int) -> Float64Array:
        """Return ones: the basis is orthonormal."""
        return np.ones(order)

    def structure(self, order: int, parameters: Parameters) -> Structure:
        """Return LegT in ``x_n = c_n/s_n``, where it is tridiagonal."""
        return TridiagonalStructure(legendre_scale(order), parameters.theta)

    def hold_increment(self, order: int, parameters: Parameters, dt: float) -> tuple[Float64Array, Float64Array]:
        """Return the hold by a matrix exponential."""
        return general_hold_increment(self.system(order, parameters), dt)
