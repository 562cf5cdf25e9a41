"""The exact reference: what a HiPPO memory is, to any number of digits.

Two witnesses for every number: ``project`` works from the definition; ``system``/``derive`` and ``states`` from the
differential equation and its discretization. Conventions: ``hippo_ref.conventions``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hippo_ref.closed import closed_state
from hippo_ref.closed_form import system
from hippo_ref.derive import derive, rational_system
from hippo_ref.discretizations import DISCRETIZATIONS, Discretization, discretization
from hippo_ref.enclosed import enclose_closed_state, enclose_jacobian, enclose_states, enclose_step, enclose_system
from hippo_ref.enclosure import enclose, enclose_values
from hippo_ref.held import project_held, project_linear, project_pieces
from hippo_ref.measures import MEASURES, Generators, Measure, Parameter, define, measure
from hippo_ref.motion import Aging, Motion, Scaled, Stretching, Translated, Warped
from hippo_ref.precision import PrecisionError
from hippo_ref.projection import evaluate, project, project_rate
from hippo_ref.proofs import PROOFS
from hippo_ref.recurrence import jacobian, states, step
from hippo_ref.rounding import ARITHMETICS, Arithmetic, rounding_majorant
from hippo_ref.stieltjes import Weight
from hippo_ref.systems import Derivation, System

__all__ = [
    "ARITHMETICS",
    "DISCRETIZATIONS",
    "MEASURES",
    "PROOFS",
    "Aging",
    "Arithmetic",
    "Derivation",
    "Discretization",
    "Generators",
    "Measure",
    "Motion",
    "Parameter",
    "PrecisionError",
    "Scaled",
    "Stretching",
    "System",
    "Translated",
    "Warped",
    "Weight",
    "closed_state",
    "define",
    "derive",
    "discretization",
    "enclose",
    "enclose_closed_state",
    "enclose_jacobian",
    "enclose_states",
    "enclose_step",
    "enclose_system",
    "enclose_values",
    "evaluate",
    "jacobian",
    "measure",
    "project",
    "project_held",
    "project_linear",
    "project_pieces",
    "project_rate",
    "rational_system",
    "rounding_majorant",
    "states",
    "step",
    "system",
]

__version__: str

if not TYPE_CHECKING:  # a type checker would take every name for one of ours

    def __getattr__(name: str) -> str:
        """The version of the installed distribution; looked up when asked for, since that takes a while."""
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import version  # noqa: PLC0415

        return version("hippo-verify")
