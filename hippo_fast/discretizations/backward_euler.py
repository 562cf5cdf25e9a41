"""Backward Euler, ``(I - h A) c' = c + h B u``: first order, always stable."""

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
class BackwardEuler(Discretization):
    """GBT(1.0)."""

    key = "backward_euler"
    reads = "cells"
    time_laws = ("scale", "invariant")
    first_time = 0.0
    first_time_positive = False
    starts_on_piece = False
    implicit: ClassVar[float] = 1.0

    def scale_steps(self, before: Float64Array, after: Float64Array) -> PrefixSteps:
        """Return GBT(1.0) on LegS."""
        return bilinear_scale_steps(before, after, self.implicit)

    def even_steps(self, first: int, count: int) -> EvenSteps:
        """Return GBT(1.0) on LegS, one step for each unit of time."""
        return EvenSteps(first, count, implicit=self.implicit, explicit_at_start=False)

    def invariant_steps(self, operator: Operator, order: int, parameters: Parameters, dt: float) -> ConstantSteps:
        """Return GBT(1.0) on an invariant law."""
        return bilinear_invariant_steps(operator, order, parameters, dt, self.implicit)
