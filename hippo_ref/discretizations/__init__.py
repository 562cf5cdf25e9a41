"""The table of discretizations, the families of them, and the one way from a method's name to its rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

from hippo_ref.discretizations.base import Discretization
from hippo_ref.discretizations.gbt import GeneralizedBilinear, gbt
from hippo_ref.discretizations.hold import Hold, hold
from hippo_ref.discretizations.trapezoid import Trapezoid

__all__ = ["DISCRETIZATIONS", "FAMILIES", "Discretization", "discretization"]

DISCRETIZATIONS: Mapping[str, Discretization] = MappingProxyType(
    {
        "euler": GeneralizedBilinear("euler", Fraction(0)),
        "backward_euler": GeneralizedBilinear("backward_euler", Fraction(1)),
        "bilinear": GeneralizedBilinear("bilinear", Fraction(1, 2)),
        "zoh": Hold("zoh", 0),
        "trapezoid": Trapezoid("trapezoid"),
        "foh": Hold("foh", 1),
    }
)

FAMILIES: Mapping[str, Callable[[str], Discretization]] = MappingProxyType({"gbt": gbt, "hold": hold})
"""Rules with a parameter, which is part of the name: ``gbt(1/3)``, ``hold(2)``."""

_MEMBER = re.compile(r"(\w+)\((.*)\)", re.DOTALL)


def discretization(key: str) -> Discretization:
    """The rule of that name: a key of ``DISCRETIZATIONS``, ``gbt(a)`` with a in [0, 1], or ``hold(d)``, d = 0..3.

    The weight a is a decimal or a ratio, taken exactly. euler, bilinear and backward_euler are gbt(0), gbt(1/2) and
    gbt(1); zoh and foh are hold(0) and hold(1).

    Args:
        key: the name.

    Returns:
        The rule, immutable; one and the same for each name.

    Raises:
        ValueError: unknown name, or a parameter outside its domain.
    """
    # Anything but a string may not even be hashable.
    if not isinstance(key, str):
        raise ValueError(_unknown(key))
    return _named(key)


@lru_cache(maxsize=256)
def _named(key: str) -> Discretization:
    if key in DISCRETIZATIONS:
        return DISCRETIZATIONS[key]
    member = _MEMBER.fullmatch(key)
    if member is None or member[1] not in FAMILIES:
        raise ValueError(_unknown(key))
    return FAMILIES[member[1]](member[2])


def _unknown(key: object) -> str:
    named = ", ".join(DISCRETIZATIONS)
    return f"unknown method {key!r}; expected one of {named}, gbt(a) with a in [0, 1], or hold(d) with d = 0, 1, 2 or 3"
