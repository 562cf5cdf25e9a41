"""Validated cases: which measures, parameters and rules can be checked, and what each accepts."""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from verify.bounds import GBT, HOLDS, hold_degree
from verify.case import DTYPES, LARGEST_ORDER, LEVELS, Case, as_text

SEED_MOST = 2**63 - 1
"""What a column of 64-bit integers holds."""
METHODS = ("bilinear", "backward_euler", "euler", "zoh", "trapezoid", "foh")
"""Rules with a name of their own; `method_key` knows the families ``gbt(a)`` and ``hold(d)`` too."""
DEGREES = ("0", "1", "2", "3")
"""Degrees of the holds that the reference has."""
ACCEPTED_METHODS = f"{', '.join(METHODS)}, gbt(a) with a from 0 to 1, hold(d) with d = 0, 1, 2 or 3"

_WEIGHT = re.compile(r"[0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40}|[0-9]{1,40}/0*[1-9][0-9]{0,40}")
"""The texts that the reference takes for a weight: a decimal, or a ratio."""

LARGEST = Fraction(1e30)
"""Windows, tilts and steps beyond it, or below its inverse, leave floating point on the way to a bound."""


class UsageError(ValueError):
    """Arguments that do not make a case; the message says what was got and what is accepted."""


@dataclass(frozen=True)
class Domain:
    """A parameter of a measure, and the open interval it lies in.

    Attributes:
        default: its value where none is given.
        above: lower end.
        below: upper end; None where any double up to `LARGEST` will do.
    """

    default: Fraction
    above: Fraction
    below: Fraction | None = None

    @property
    def accepted(self) -> str:
        """The interval, in words."""
        if self.below is None:
            return f"a number above {self.above}"
        return f"a number between {self.above} and {self.below}"

    def holds(self, number: Fraction) -> bool:
        """Whether a number lies in the interval."""
        return self.above < number and (self.below is None or number < self.below)

    def take(self, name: str, given: Any) -> Fraction:
        """The value as a target is given it, a double.

        Raises:
            UsageError: no number, outside the interval, or beyond floating point.
        """
        number = self.default if given is None else _fraction(name, given)
        smallest = 1 / LARGEST if self.above == 0 else None
        if self.holds(number) and (number > LARGEST or (smallest is not None and number < smallest)):
            room = "a number from 1e-30 to 1e30" if smallest is not None else f"{self.accepted}, at most 1e30"
            raise UsageError(f"{name} is {given}; accepted: {room}")
        if self.holds(number):
            number = Fraction(float(number))  # which may be an end of the interval
        if not self.holds(number):
            raise UsageError(f"{name} is {given}; accepted: {self.accepted}")
        return number


_LENGTH = Domain(Fraction(1), above=Fraction(0))
_EXPONENT = Domain(Fraction(0), above=Fraction(-1))
DOMAINS: dict[str, dict[str, Domain]] = {
    "legs": {},
    "legt": {"theta": _LENGTH},
    "lmu": {"theta": _LENGTH},
    "lagt": {"alpha": Domain(Fraction(0), Fraction(-1), Fraction(1)), "beta": Domain(Fraction(1), Fraction(0))},
    "fout": {"theta": _LENGTH},
    "legs_lti": {},
    "chebt": {"theta": _LENGTH},
    "gegenbauer": {"theta": _LENGTH, "alpha": Domain(Fraction(1), Fraction(-1, 2))},
    "jacobi": {"theta": _LENGTH, "alpha": _EXPONENT, "beta": _EXPONENT},
}
"""Measures we can check, with the domains of their parameters: those of the reference."""
PARAMETERS: dict[str, tuple[str, ...]] = {measure: tuple(domains) for measure, domains in DOMAINS.items()}
"""The same, by name alone."""
NEUTRAL = {"theta": Fraction(1), "alpha": Fraction(0), "beta": Fraction(1)}
"""What may be said of a parameter that a measure does not have."""


def reads_nodes(method: str) -> bool:
    """Whether a sample is the value at one time; else it is the input on a whole step."""
    return method == "trapezoid" or bool(hold_degree(method))


def method_key(method: Any) -> str:
    """The one name of a rule: a member of a family that has a name of its own goes by that, and 0.25 is 1/4.

    Raises:
        UsageError: no such rule.
    """
    text = method.strip() if isinstance(method, str) else method
    if text in METHODS:
        return str(text)
    member = re.fullmatch(r"(gbt|hold)\((.*)\)", text, re.DOTALL) if isinstance(text, str) else None
    if member is None:
        raise UsageError(f"method is {method!r}; accepted: {ACCEPTED_METHODS}")
    inside = member[2].strip()
    if member[1] == "hold":
        if inside not in DEGREES:
            raise UsageError(f"method is {method!r}; accepted: hold(d) with d = 0, 1, 2 or 3")
        return next((name for name, degree in HOLDS.items() if str(degree) == inside), f"hold({inside})")
    weight = Fraction(inside) if _WEIGHT.fullmatch(inside) else None
    if weight is None or weight > 1:
        raise UsageError(f"method is {method!r}; accepted: gbt(a), a decimal or a ratio from 0 to 1, such as gbt(1/3)")
    return next((name for name, a in GBT.items() if a == weight), f"gbt({weight})")


def make_case(
    target: str,
    measure: str = "legs",
    *,
    order: int = 4,
    method: str = "bilinear",
    level: str = "matrices",
    dtype: str = "float64",
    dt: float | None = None,
    theta: Any = None,
    alpha: Any = None,
    beta: Any = None,
) -> Case:
    """A validated case; ``dt`` defaults to theta/64 for invariant laws.

    Raises:
        UsageError: an unknown key, a parameter that the measure does not have or outside its domain, dt for LegS.
    """
    for name, value, accepted in (
        ("measure", measure, tuple(DOMAINS)),
        ("level", level, LEVELS),
        ("dtype", dtype, DTYPES),
    ):
        if value not in accepted:
            raise UsageError(f"{name} is {value!r}; accepted: {', '.join(accepted)}")
    method = method_key(method)
    given_order: Any = order
    if isinstance(given_order, bool) or not hasattr(given_order, "__index__") or not 1 <= given_order <= LARGEST_ORDER:
        raise UsageError(f"order is {order!r}; accepted: an integer from 1 to {LARGEST_ORDER}")
    order = operator.index(given_order)
    parameters: dict[str, Fraction] = {}
    for name, given in (("theta", theta), ("alpha", alpha), ("beta", beta)):
        domain = DOMAINS[measure].get(name)
        if domain is not None:
            parameters[name] = domain.take(name, given)
        elif given is not None and _fraction(name, given) != NEUTRAL[name]:
            having = ", ".join(key for key, domains in DOMAINS.items() if name in domains)
            raise UsageError(f"{name} is {given}, but {measure} has no {name}; measures with it: {having}")
    if measure == "legs":
        if dt is not None:
            raise UsageError(f"dt is {dt}, but legs has no time step: its update depends on the sample's index alone")
    else:
        given = dt
        try:
            dt = float(parameters.get("theta", Fraction(1)) / 64) if dt is None else float(dt)
        except (TypeError, ValueError, OverflowError):
            raise UsageError(f"dt is {given!r}; accepted: a number above 0") from None
        if not (math.isfinite(dt) and dt > 0):
            raise UsageError(f"dt is {dt}; accepted: a number above 0")
        if given is not None and not 1 / LARGEST <= dt <= LARGEST:
            raise UsageError(f"dt is {dt}; accepted: a number from 1e-30 to 1e30")
    exact = tuple((name, as_text(value)) for name, value in sorted(parameters.items()))
    return Case(target, measure, order, method, level, dtype, dt, exact)


def _fraction(name: str, value: Any) -> Fraction:
    try:
        return Fraction(value) if not isinstance(value, str) else Fraction(value.strip())
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise UsageError(f"{name} is {value!r}; accepted: a number, such as 0.5 or 1/3") from None
