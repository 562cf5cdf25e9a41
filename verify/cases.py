"""Validated cases: which measures, parameters and rules can be checked, and what each accepts."""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from typing import Any

from verify.case import DTYPES, LEVELS, Case, as_text

METHODS = ("bilinear", "backward_euler", "euler", "zoh", "trapezoid", "foh")
LEGS_ONLY = ("trapezoid", "foh")
PARAMETERS: dict[str, tuple[str, ...]] = {
    "legs": (),
    "legt": ("theta",),
    "lmu": ("theta",),
    "lagt": ("alpha", "beta"),
    "fout": ("theta",),
    "legs_lti": (),
}
"""Measures we can check, with their parameters."""
DEFAULTS = {"theta": Fraction(1), "alpha": Fraction(0), "beta": Fraction(1)}

LARGEST = Fraction(10**30)
"""Windows, tilts and steps beyond it, or below its inverse, leave floating point on the way to a bound."""


class UsageError(ValueError):
    """Arguments that do not make a case; the message says what was got and what is accepted."""


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
        ("measure", measure, tuple(PARAMETERS)),
        ("method", method, METHODS),
        ("level", level, LEVELS),
        ("dtype", dtype, DTYPES),
    ):
        if value not in accepted:
            raise UsageError(f"{name} is {value!r}; accepted: {', '.join(accepted)}")
    given_order: Any = order
    if isinstance(given_order, bool) or not hasattr(given_order, "__index__") or given_order < 1:
        raise UsageError(f"order is {order!r}; accepted: an integer from 1")
    order = operator.index(given_order)
    if method in LEGS_ONLY and measure != "legs":
        raise UsageError(
            f"method {method!r} is defined for legs only; for {measure} choose bilinear, backward_euler, euler or zoh"
        )
    parameters: dict[str, Fraction] = {}
    for name, given in (("theta", theta), ("alpha", alpha), ("beta", beta)):
        if name not in PARAMETERS[measure]:
            if given is not None and _fraction(name, given) != DEFAULTS[name]:
                having = [key for key, names in PARAMETERS.items() if name in names]
                raise UsageError(
                    f"{name} is {given}, but {measure} has no {name}; measures with it: {', '.join(having)}"
                )
            continue
        number = DEFAULTS[name] if given is None else _fraction(name, given)
        if name in ("theta", "beta") and number > 0 and not 1 / LARGEST <= number <= LARGEST:
            raise UsageError(f"{name} is {given}; accepted: a number from 1e-30 to 1e30")
        number = Fraction(float(number))  # as a target is given it
        if name in ("theta", "beta") and number <= 0:
            raise UsageError(f"{name} is {given}; accepted: a number above 0")
        if name == "alpha" and not -1 < number < 1:
            raise UsageError(f"alpha is {given}; accepted: a number between -1 and 1")
        parameters[name] = number
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
        if not 1 / LARGEST <= dt <= LARGEST:
            raise UsageError(f"dt is {dt}; accepted: a number from 1e-30 to 1e30")
    exact = tuple((name, as_text(value)) for name, value in sorted(parameters.items()))
    return Case(target, measure, order, method, level, dtype, dt, exact)


def _fraction(name: str, value: Any) -> Fraction:
    try:
        return Fraction(value) if not isinstance(value, str) else Fraction(value.strip())
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise UsageError(f"{name} is {value!r}; accepted: a number, such as 0.5 or 1/3") from None
