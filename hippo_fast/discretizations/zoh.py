"""Zero-order hold: exact for an input that is constant on each cell.

Invariant law: ``c' = exp(h A) c + int_0^h exp(s A) B ds u``. LegS: ``c' = u e_0 + (t'/t)^A (c - u e_0)``, because
``-A^-1 B = e_0``.
"""

from __future__ import annotations

from typing import final

from hippo_fast.discretizations.base import ConstantSteps, Discretization, StretchSteps
from hippo_fast.operators.base import Operator
from hippo_fast.types import Float64Array, Parameters


@final
class ZeroOrderHold(Discretization):
    """Exact for piecewise-constant input."""

    key = "zoh"
    reads = "cells"
    time_laws = ("scale", "invariant")
    first_time = 1.0
    first_time_positive = True
    starts_on_piece = False

    def scale_steps(self, before: Float64Array, after: Float64Array) -> StretchSteps:
        """Return the hold of LegS; a time is the end of its cell."""
        return StretchSteps(before / after, (after - before) / after, linear=False)

    def invariant_steps(self, operator: Operator, order: int, parameters: Parameters, dt: float) -> ConstantSteps:
        """Return the hold of an invariant law."""
        return ConstantSteps(*operator.hold_increment(order, parameters, dt))
