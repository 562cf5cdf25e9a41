"""LegS matrices in an invariant law: exponential measure on the infinite past.

Measure ``e^{-u}`` of the age ``u`` on ``(-inf, t]``; basis ``s_n P_n(2 e^{-u} - 1)``, orthonormal for it. Invariant law
``dc/dt = A c + B f`` with the ``A``, ``B`` of LegS. Exact, not closed. Time is measured in units of the decay time.
Source: How to Train Your HiPPO (arXiv 2206.12037), which explains S4's use of LegS.
"""

from __future__ import annotations

import math
from typing import final

import numpy as np

from hippo_fast.legendre import legendre_scale, legendre_values, stretch_increments
from hippo_fast.operators.base import Operator
from hippo_fast.structured import PrefixStructure, Structure
from hippo_fast.types import Float64Array, Parameters, System


@final
class LegSInvariant(Operator):
    """LegS ``A``, ``B`` read as an invariant law."""

    key = "legs_lti"
    time_law = "invariant"
    parameters = ()
    closed = False

    def system(self, order: int, parameters: Parameters) -> System:
        """Return LegS ``A``, ``B``; each entry is one correctly rounded square root of an integer."""
        squares = 2.0 * np.arange(order) + 1.0
        a = -np.tril(np.sqrt(squares[:, None] * squares[None, :]), -1)
        a[np.arange(order), np.arange(order)] = -(np.arange(order) + 1.0)
        return System(a, np.sqrt(squares), self.time_law)

    def basis(self, order: int, points: Float64Array, parameters: Parameters) -> Float64Array:
        """Return ``s_n P_n(2 y - 1)``, where fraction ``y`` in (0, 1] means age ``-ln y``.

        Raises:
            ValueError: a point is 0, whose age is infinite.
        """
        if np.any(points <= 0):
            raise ValueError(
                "points contains 0, which is infinitely old under legs_lti; accepted: 0 < y <= 1, age -ln y"
            )
        return legendre_values(order, points) * legendre_scale(order)

    def scale(self, order: int) -> Float64Array:
        """Return ones: states are run in the orthonormal basis."""
        return np.ones(order)

    def structure(self, order: int, parameters: Parameters) -> Structure:
        """Return LegS in ``x_n = c_n/s_n``: integers."""
        n = np.arange(order, dtype=np.float64)
        return PrefixStructure(legendre_scale(order), diagonal=n + 1.0, carried=-n, rise=np.eye(1, order)[0])

    def hold_increment(self, order: int, parameters: Parameters, dt: float) -> tuple[Float64Array, Float64Array]:
        """Return the hold from ``exp(dt A) = (e^dt)^A``, a stretch by ``e^-dt``; its gain uses ``A^-1 B = -e_0``."""
        gap = -math.expm1(-dt)
        scale = legendre_scale(order)
        stretch = stretch_increments(np.array([math.exp(-dt)]), np.array([gap]), order)[0]
        increment = gap * stretch * (scale[:, None] / scale[None, :])
        return increment, -increment[:, 0]
