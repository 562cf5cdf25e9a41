"""FouT: uniform measure on the window ``[t - theta, t]``, Fourier basis.

Basis in ``u = (x - t)/theta + 1``: ``1, sqrt2 cos 2 pi u, sqrt2 sin 2 pi u, sqrt2 cos 4 pi u, ...``, orthonormal for
``1/theta``. ``A = (R - 2 B0 B0^T)/theta``, ``B = 2 B0/theta``: ``B0`` is the basis at ``u = 0`` and ``R`` turns each
pair, ``R[cos j, sin j] = 2 pi j = -R[sin j, cos j]``. An even order ends with a cosine whose sine is left out; its
``A`` is singular and that mode never decays, so odd orders are the ones to use. Invariant law. Closed: at the jump
the series gives the average of the window's two ends, so the old end is taken as twice the series minus the new end.
Source: HiPPO (arXiv 2008.07669), appendix D.4, in the real basis.
"""

from __future__ import annotations

import math
from typing import final

import numpy as np

from hippo_fast.operators.base import Operator, general_hold_increment
from hippo_fast.structured import RotationStructure, Structure
from hippo_fast.types import Float64Array, Parameters, System


@final
class FouT(Operator):
    """The translated Fourier measure."""

    key = "fout"
    time_law = "invariant"
    parameters = ("theta",)
    closed = True

    def system(self, order: int, parameters: Parameters) -> System:
        """Return FouT ``A``, ``B``, in units of 1/time. Its blocks: 2, 2 sqrt2 and 4 come from ``2 B0 B0^T``."""
        index = np.arange(order)
        constant, cosine = index == 0, index % 2 == 1
        a = -4.0 * np.outer(cosine, cosine)
        a[0, cosine] = a[cosine, 0] = -math.sqrt(8.0)
        a[0, 0] = -2.0
        for n in range(1, order - 1, 2):
            turn = math.pi * (n + 1)
            a[n, n + 1], a[n + 1, n] = turn, -turn
        b = np.where(constant, 2.0, np.where(cosine, math.sqrt(8.0), 0.0))
        return System(a / parameters.theta, b / parameters.theta, self.time_law)

    def basis(self, order: int, points: Float64Array, parameters: Parameters) -> Float64Array:
        """Return the basis at fraction ``u`` of the window."""
        values = np.ones((*points.shape, order))
        for n in range(1, order):
            # Whole turns are taken off in units of the period, where the subtraction is exact.
            turns = ((n + 1) // 2) * points
            angle = 2.0 * math.pi * (turns - np.rint(turns))
            values[..., n] = math.sqrt(2.0) * (np.cos(angle) if n % 2 == 1 else np.sin(angle))
        return values

    def scale(self, order: int) -> Float64Array:
        """Return ones: the basis is orthonormal."""
        return np.ones(order)

    def structure(self, order: int, parameters: Parameters) -> Structure:
        """Return FouT as turning pairs."""
        return RotationStructure(np.ones(order), parameters.theta)

    def hold_increment(self, order: int, parameters: Parameters, dt: float) -> tuple[Float64Array, Float64Array]:
        """Return the hold by a matrix exponential."""
        return general_hold_increment(self.system(order, parameters), dt)
