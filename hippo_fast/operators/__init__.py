"""The measures, one file each. `OPERATORS` is the only list of them."""

from __future__ import annotations

from hippo_fast.operators.base import Operator
from hippo_fast.operators.fout import FouT
from hippo_fast.operators.lagt import LagT
from hippo_fast.operators.legs import LegS
from hippo_fast.operators.legs_lti import LegSInvariant
from hippo_fast.operators.legt import LegT
from hippo_fast.operators.lmu import LMU
from hippo_fast.types import System
from hippo_fast.validation import checked_key, checked_order, checked_parameters

OPERATORS: dict[str, Operator] = {
    "legs": LegS(),
    "legt": LegT(),
    "lmu": LMU(),
    "lagt": LagT(),
    "fout": FouT(),
    "legs_lti": LegSInvariant(),
}

__all__ = ["OPERATORS", "Operator", "system"]


def system(measure: str, order: int, *, theta: float = 1.0, alpha: float = 0.0, beta: float = 1.0) -> System:
    """Return the ODE of a measure in signed form, float64, each entry within a few ulp of the exact number.

    Args:
        measure: a key of `OPERATORS`.
        order: number of coefficients ``N``.
        theta: window length of ``legt``, ``lmu``, ``fout``, in units of time.
        alpha: exponent of ``lagt``, ``-1 < alpha < 1``.
        beta: tilt of ``lagt``, > 0.

    Returns:
        `System` with ``A`` ``(N, N)``, ``B`` ``(N,)`` and ``time_law``. The formulas and their sources stand in the
        module of each measure.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: an unknown measure, an order < 1, a parameter outside its domain or of another measure.
    """
    operator = OPERATORS[checked_key("measure", measure, OPERATORS)]
    count = checked_order(order)
    return operator.system(count, checked_parameters(operator.key, operator.parameters, theta, alpha, beta))
