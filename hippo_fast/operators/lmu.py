"""LMU: LegT in the scaling of the Legendre Memory Unit.

``c_lmu = T c_legt`` with ``T = diag(s_n (-1)^n)``: ``A_nk = -((2 n + 1)/theta) {(-1)^(n-k) (k <= n), 1 (k >= n)}``
and ``B_n = (2 n + 1) (-1)^n/theta``; the read-out at a fraction ``y`` of the window is ``sum c_n (-1)^n P_n(2 y - 1)``.
Invariant law, closed like LegT. Source: Voelker, Kajic, Eliasmith 2019.
"""

from __future__ import annotations

from typing import final

import numpy as np

from hippo_fast.legendre import legendre_scale, legendre_values
from hippo_fast.operators.base import Operator, general_hold_increment, unscaled
from hippo_fast.structured import Structure, TridiagonalStructure
from hippo_fast.types import Float64Array, Parameters, System


@final
class LMU(Operator):
    """The Legendre Memory Unit's delay line."""

    key = "lmu"
    time_law = "invariant"
    parameters = ("theta",)
    closed = True

    def system(self, order: int, parameters: Parameters) -> System:
        """Return LMU ``A``, ``B``, in units of 1/time; each entry is an integer over ``theta``, correctly rounded."""
        n = np.arange(order)
        alternating = np.where(n % 2 == 0, 1.0, -1.0)
        below = np.tril(alternating[:, None] * alternating[None, :])
        signs = below + np.triu(np.ones((order, order)), 1)
        odd = 2.0 * n.astype(np.float64) + 1.0
        return System(-signs * odd[:, None] / parameters.theta, odd * alternating / parameters.theta, self.time_law)

    def basis(self, order: int, points: Float64Array, parameters: Parameters) -> Float64Array:
        """Return ``(-1)^n P_n(2 y - 1)``, which undoes the LMU scaling."""
        return legendre_values(order, points) * np.where(np.arange(order) % 2 == 0, 1.0, -1.0)

    def scale(self, order: int) -> Float64Array:
        """Return ``s_n (-1)^n``: divided by it, the state is that of LegT, in an orthonormal basis."""
        return legendre_scale(order) * np.where(np.arange(order) % 2 == 0, 1.0, -1.0)

    def structure(self, order: int, parameters: Parameters) -> Structure:
        """Return LMU in the state of LegT over ``s_n``, where it is tridiagonal."""
        return TridiagonalStructure(self.scale(order) * legendre_scale(order), parameters.theta)

    def hold_increment(self, order: int, parameters: Parameters, dt: float) -> tuple[Float64Array, Float64Array]:
        """Return the hold by a matrix exponential taken in the orthonormal basis."""
        scale = self.scale(order)
        increment, gain = general_hold_increment(unscaled(self.system(order, parameters), scale), dt)
        return increment * scale[:, None] / scale[None, :], gain * scale
