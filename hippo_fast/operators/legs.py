"""LegS: uniform measure on ``[0, t]``.

Basis ``g_n(t, x) = s_n P_n(2 x/t - 1)``, ``s_n = sqrt(2 n + 1)``, orthonormal for ``1/t`` on ``[0, t]``. Scale law
``dc/dt = (A c + B f)/t`` with ``A_nk = -s_n s_k`` (n > k), ``-(n + 1)`` (n = k), 0 (n < k), and ``B_n = s_n``. Exact,
not closed. Source: HiPPO (arXiv 2008.07669), theorem 2, signs turned.
"""

from __future__ import annotations

from typing import final

import numpy as np

from hippo_fast.legendre import legendre_scale, legendre_values
from hippo_fast.operators.base import Operator
from hippo_fast.structured import Structure
from hippo_fast.types import Float64Array, Parameters, System


@final
class LegS(Operator):
    """The scaled Legendre measure: the whole past, weighted evenly."""

    key = "legs"
    time_law = "scale"
    parameters = ()
    closed = False

    def system(self, order: int, parameters: Parameters) -> System:
        """Return LegS ``A``, ``B``; each entry is one correctly rounded square root of an integer."""
        squares = 2.0 * np.arange(order) + 1.0
        a = -np.tril(np.sqrt(squares[:, None] * squares[None, :]), -1)
        a[np.arange(order), np.arange(order)] = -(np.arange(order) + 1.0)
        return System(a, np.sqrt(squares), self.time_law)

    def basis(self, order: int, points: Float64Array, parameters: Parameters) -> Float64Array:
        """Return ``s_n P_n(2 y - 1)``, with ``y = x/t``."""
        return legendre_values(order, points) * legendre_scale(order)

    def scale(self, order: int) -> Float64Array:
        """Return ``s_n``: in ``x_n = c_n/s_n`` the system has integer entries."""
        return legendre_scale(order)

    def structure(self, order: int, parameters: Parameters) -> Structure:
        """Refuse: a step of LegS depends on two times, see `discretizations.base.PrefixSteps`."""
        raise NotImplementedError("legs has a scale law: its steps depend on times, not on a gap")

    def hold_increment(self, order: int, parameters: Parameters, dt: float) -> tuple[Float64Array, Float64Array]:
        """Refuse: the propagator of LegS is a power of the ratio of two times, see `legendre.stretch_increments`."""
        raise NotImplementedError("legs has a scale law: its hold depends on the ratio of two times, not on dt")
