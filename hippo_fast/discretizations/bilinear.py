"""The bilinear rule, ``(I - h A/2) c' = (I + h A/2) c + h B u``.

Second order on cells at midpoints under an invariant law. On LegS ``h = 1/k`` stands on both sides, as published, which
makes it first order against the exact projection; `trapezoid` is the second order rule of the same cost.
"""

from __future__ import annotations

from typing import ClassVar, final

from hippo_fast.discretizations.base import (
    ConstantSteps,
    Discretization,
    EvenSteps,
    PrefixSteps,
    bilinear_invariant_steps,
    bilinear_scale_steps,
)
from hippo_fast.operators.base import Operator
from hippo_fast.types import Float64Array, Parameters


@final
class Bilinear(Discretization):
    """GBT(0.5)."""

    key = "bilinear"
    reads = "cells"
    time_laws = ("scale", "invariant")
    first_time = 0.0
    first_time_positive = False
    starts_on_piece = False
    implicit: ClassVar[float] = 0.5

    def scale_steps(self, before: Float64Array, after: Float64Array) -> PrefixSteps:
        """Return GBT(0.5) on LegS."""
        return bilinear_scale_steps(before, after, self.implicit)

    def even_steps(self, first: int, count: int) -> EvenSteps:
        """Return GBT(0.5) on LegS, one step for each unit of time."""
        return EvenSteps(first, count, implicit=self.implicit, explicit_at_start=False)

    def invariant_steps(self, operator: Operator, order: int, parameters: Parameters, dt: float) -> ConstantSteps:
        """Return GBT(0.5) on an invariant law."""
        return bilinear_invariant_steps(operator, order, parameters, dt, self.implicit)
