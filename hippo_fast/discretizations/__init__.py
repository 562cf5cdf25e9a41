"""The discretization rules, one file each. `DISCRETIZATIONS` is the only list of them."""

from __future__ import annotations

from hippo_fast.discretizations.backward_euler import BackwardEuler
from hippo_fast.discretizations.base import Discretization
from hippo_fast.discretizations.bilinear import Bilinear
from hippo_fast.discretizations.euler import Euler
from hippo_fast.discretizations.foh import FirstOrderHold
from hippo_fast.discretizations.trapezoid import Trapezoid
from hippo_fast.discretizations.zoh import ZeroOrderHold

DISCRETIZATIONS: dict[str, Discretization] = {
    "euler": Euler(),
    "backward_euler": BackwardEuler(),
    "bilinear": Bilinear(),
    "zoh": ZeroOrderHold(),
    "trapezoid": Trapezoid(),
    "foh": FirstOrderHold(),
}

__all__ = ["DISCRETIZATIONS", "Discretization"]
