"""What a defect is: one thing altered in a right model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from verify.bounds import gbt_weight, hold_degree
from verify.candidates import NAMES, Factors, Model, System, right_model, whole
from verify.case import STEPPING, Case
from verify.oracle import Oracle
from verify.result import LiveTarget, Target

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Defect:
    """One way of being wrong.

    Attributes:
        key: stable name.
        text: what is wrong, as a sentence for the user; ``{measure}`` is filled in.
        evidence: why we think so.
        alter: right model -> wrong model.
        applies: whether it is a defect of a case at all.
        order: number of coefficients at which it is shown; some do not show at small or even orders.
        given: parameters at which it is shown, where the defaults hide it.
        remembering: makes an ``alter`` that remembers earlier calls, a new one for each target; ``alter`` where None.
    """

    key: str
    text: str
    evidence: str
    alter: Callable[[Model], Model]
    applies: Callable[[Case], bool] = lambda case: True
    order: int = 6
    given: Mapping[str, float] = field(default_factory=dict)
    remembering: Callable[[], Callable[[Model], Model]] | None = None

    def target(self, case: Case, oracle: Oracle, present: Callable[[Factors], Any] = whole) -> Target:
        """The wrong candidate, as a target of this process; ``present`` is how it hands over factors."""
        alter = self.alter if self.remembering is None else self.remembering()

        def bind(asked: Case) -> Model:
            return alter(replace(right_model(asked, oracle), present=present))

        return LiveTarget(bind, name=self.key, bind=True)

    def describe(self, case: Case) -> str:
        """The sentence for a case."""
        return self.text.format(measure=NAMES[case.measure])


def altered_system(change: Callable[[Array, Array], System]) -> Callable[[Model], Model]:
    """Alter (A, B) of every order."""

    def alter(model: Model) -> Model:
        right = model.system

        def wrong(order: int) -> System:
            A, B = right(order)
            return change(A.copy(), B.copy())

        return replace(model, system=wrong)

    return alter


def through_float32(values: Array) -> Array:
    """Rounded to float32 on the way."""
    return values.astype(np.float32).astype(values.dtype)


def input_used(case: Case) -> bool:
    """Whether B plays a part: the hold-exact LegS steps use ``-A^-1 B = e_0`` instead."""
    return case.level not in STEPPING or case.measure != "legs" or hold_degree(case.method) is None


def operator_used(case: Case) -> bool:
    """Whether A or B plays a part: a read-out needs the basis alone."""
    return case.level != "reconstruct"


def is_measure(*measures: str) -> Callable[[Case], bool]:
    """A case of one of these measures."""
    return lambda case: case.measure in measures


def stepping(*methods: str) -> Callable[[Case], bool]:
    """A case that steps by one of these rules."""
    return lambda case: case.method in methods and case.level in STEPPING


def implicit(case: Case) -> bool:
    """A case whose step solves a system."""
    return case.method in ("bilinear", "backward_euler") and case.level in STEPPING


def legs_stepping(case: Case) -> bool:
    """A case that steps under the scale law."""
    return case.measure == "legs" and case.level in STEPPING


def legs_gbt(case: Case) -> bool:
    """A case that steps under the scale law by a generalized bilinear rule."""
    return legs_stepping(case) and gbt_weight(case.method) is not None
