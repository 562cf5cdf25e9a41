"""Discretization rules by name, and the polynomial through the samples that one step reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

from hippo_ref.precision import rational


@dataclass(frozen=True)
class Rule:
    """One discretization.

    Attributes:
        key: the name it was asked by.
        kind: ``"gbt"`` (generalized bilinear), ``"trapezoid"`` or ``"hold"`` (exact for a piecewise polynomial).
        degree: samples before its own that a step reads; 0 for rules that read cells, and for a hold the degree of the
            polynomial.
        a: the parameter of the generalized bilinear rule; 1/2 for the trapezoid rule.
    """

    key: str
    kind: Literal["gbt", "trapezoid", "hold"]
    degree: int = 0
    a: Fraction = Fraction(0)

    @property
    def cells(self) -> bool:
        """True if a sample is the input on a whole step, False if it is the value at one node."""
        return self.degree == 0


NAMED: Mapping[str, Rule] = MappingProxyType(
    {
        "euler": Rule("euler", "gbt", a=Fraction(0)),
        "backward_euler": Rule("backward_euler", "gbt", a=Fraction(1)),
        "bilinear": Rule("bilinear", "gbt", a=Fraction(1, 2)),
        "zoh": Rule("zoh", "hold"),
        "trapezoid": Rule("trapezoid", "trapezoid", degree=1, a=Fraction(1, 2)),
        "foh": Rule("foh", "hold", degree=1),
    }
)

_FAMILY = re.compile(r"(gbt|hold)\((.*)\)")
_LARGEST_HOLD = 3


def parse(method: object) -> Rule:
    """The rule of that name: one of ``NAMED``, ``gbt(a)`` with a decimal or ratio taken exactly, or ``hold(d)``.

    Raises:
        ValueError: unknown name, or a parameter outside its domain.
    """
    if isinstance(method, str):
        if method in NAMED:
            return NAMED[method]
        family = _FAMILY.fullmatch(method)
        if family and family[1] == "gbt":
            a = rational(family[2], "a of method gbt(a)")
            if not 0 <= a <= 1:
                raise ValueError(f"method gbt(a) needs a in [0, 1], got {method!r}")
            return Rule(method, "gbt", a=a)
        if family:
            if not family[2].isdecimal() or int(family[2]) > _LARGEST_HOLD:
                raise ValueError(f"method hold(d) needs a degree d in 0 .. {_LARGEST_HOLD}, got {method!r}")
            return Rule(method, "hold", degree=int(family[2]))
    raise ValueError(
        f"unknown method {method!r}; expected one of {', '.join(NAMED)}, gbt(a) with a in [0, 1], "
        f"or hold(d) with d in 0 .. {_LARGEST_HOLD}"
    )


def cardinals(nodes: Sequence[Fraction]) -> list[list[Fraction]]:
    """Row i holds the coefficients, lowest power first, of the polynomial that is 1 at node i and 0 at the others."""
    rows = []
    for i, here in enumerate(nodes):
        coefficients = [Fraction(1)]
        for j, other in enumerate(nodes):
            if j != i:
                # Times (x - other)/(here - other).
                raised = [Fraction(0), *coefficients]
                lowered = [*(other * entry for entry in coefficients), Fraction(0)]
                coefficients = [(x - y) / (here - other) for x, y in zip(raised, lowered, strict=True)]
        rows.append(coefficients)
    return rows
