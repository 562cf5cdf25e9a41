"""The exact reference: what a HiPPO memory is, to any number of digits.

Two witnesses for every number: ``project`` works from the definition; ``system``/``derive`` and ``states`` from the
differential equation and its discretization. Conventions: ``hippo_ref.conventions``.
"""

from hippo_ref.closed import closed_state
from hippo_ref.closed_form import system
from hippo_ref.derive import derive, rational_system
from hippo_ref.discretizations import DISCRETIZATIONS, Discretization
from hippo_ref.held import project_held, project_linear
from hippo_ref.measures import MEASURES, Generators, Measure, Parameter, measure
from hippo_ref.precision import PrecisionError
from hippo_ref.projection import evaluate, project, project_rate
from hippo_ref.recurrence import jacobian, states, step
from hippo_ref.systems import System

__all__ = [
    "DISCRETIZATIONS",
    "MEASURES",
    "Discretization",
    "Generators",
    "Measure",
    "Parameter",
    "PrecisionError",
    "System",
    "closed_state",
    "derive",
    "evaluate",
    "jacobian",
    "measure",
    "project",
    "project_held",
    "project_linear",
    "project_rate",
    "rational_system",
    "states",
    "step",
    "system",
]
