"""First-order hold: exact for an input that is linear between its nodes. LegS only.

``c' = p' + (t'/t)^A (c - p)``, with ``p`` the projection of the current linear piece on ``[0, t]`` and ``p'`` on
``[0, t']``. Written as a hold of the old sample plus a ramp on the new step, see `StretchSteps`: the piece extended
down to time 0 grows like ``t/(t' - t)`` and would lose that much to cancellation.
"""

from __future__ import annotations

from typing import final

from hippo_fast.discretizations.base import ConstantSteps, Discretization, StretchSteps
from hippo_fast.operators.base import Operator
from hippo_fast.types import Float64Array, Parameters


@final
class FirstOrderHold(Discretization):
    """Exact for piecewise-linear input."""

    key = "foh"
    reads = "nodes"
    time_laws = ("scale",)
    first_time = 0.0
    first_time_positive = False
    starts_on_piece = False  # the step from time 0 is already exact: its ratio is 0

    def scale_steps(self, before: Float64Array, after: Float64Array) -> StretchSteps:
        """Return the hold of LegS between nodes."""
        return StretchSteps(before / after, (after - before) / after, linear=True)

    def invariant_steps(self, operator: Operator, order: int, parameters: Parameters, dt: float) -> ConstantSteps:
        """Refuse: not offered for invariant laws."""
        raise NotImplementedError("foh is offered for legs only")
