"""The table of discretizations."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hippo_ref.discretizations.base import Discretization
from hippo_ref.discretizations.gbt import BackwardEuler, Bilinear, Euler
from hippo_ref.discretizations.hold import FirstOrderHold, ZeroOrderHold
from hippo_ref.discretizations.trapezoid import Trapezoid

__all__ = ["DISCRETIZATIONS", "Discretization", "discretization"]

DISCRETIZATIONS: Mapping[str, Discretization] = MappingProxyType(
    {
        "euler": Euler(),
        "backward_euler": BackwardEuler(),
        "bilinear": Bilinear(),
        "zoh": ZeroOrderHold(),
        "trapezoid": Trapezoid(),
        "foh": FirstOrderHold(),
    }
)


def discretization(key: str) -> Discretization:
    """The rule of that key.

    Raises:
        ValueError: unknown key.
    """
    if not isinstance(key, str) or key not in DISCRETIZATIONS:
        raise ValueError(f"unknown method {key!r}; expected one of {', '.join(DISCRETIZATIONS)}")
    return DISCRETIZATIONS[key]
