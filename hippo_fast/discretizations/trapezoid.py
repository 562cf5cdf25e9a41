"""The trapezoid rule for LegS: each side carries its own time. Second order at the ``O(N)`` cost of `bilinear`.

``(I - h1 A/2) c' = (I + h0 A/2) c + (B/2) (h0 u_k + h1 u_{k+1})`` with ``h0 = (t' - t)/t``, ``h1 = (t' - t)/t'``. It
starts from the exact projection of the first linear piece, because ``h0`` does not exist at ``t = 0``.
"""

from __future__ import annotations

from typing import final

from hippo_fast.discretizations.base import ConstantSteps, Discretization, EvenSteps, PrefixSteps
from hippo_fast.operators.base import Operator
from hippo_fast.types import Float64Array, Parameters


@final
class Trapezoid(Discretization):
    """The trapezoid rule on the scale law's own time-dependent right-hand side."""

    key = "trapezoid"
    reads = "nodes"
    time_laws = ("scale",)
    first_time = 0.0
    first_time_positive = False
    starts_on_piece = True

    def scale_steps(self, before: Float64Array, after: Float64Array) -> PrefixSteps:
        """Return the trapezoid rule on LegS; ``before`` must be > 0."""
        explicit, implicit = 0.5 * (after - before) / before, 0.5 * (after - before) / after
        return PrefixSteps(total=explicit + implicit, implicit=implicit, now=implicit, before=explicit)

    def even_steps(self, first: int, count: int) -> EvenSteps:
        """Return the trapezoid rule on LegS, one step for each unit of time."""
        return EvenSteps(first, count, implicit=0.5, explicit_at_start=True)

    def invariant_steps(self, operator: Operator, order: int, parameters: Parameters, dt: float) -> ConstantSteps:
        """Refuse: for an invariant law it would be `bilinear` on averaged samples."""
        raise NotImplementedError("trapezoid is offered for legs only")
