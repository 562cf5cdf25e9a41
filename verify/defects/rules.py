"""Wrong rules of discretization: one rule sold as another, a step that cannot be told, a start that reads too much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from verify.bounds import gbt_weight, hold_degree, tilt
from verify.candidates import TILTED, Model
from verify.case import STEPPING, Case
from verify.defects.base import (
    Defect,
    stepping,
)

Array = np.ndarray[Any, np.dtype[Any]]

SHORTER = {"foh": "zoh", "hold(2)": "foh", "hold(3)": "hold(2)"}
"""Each hold, and the one of a degree less."""


def _baked(model: Model) -> Model:
    theta = model.case.float_parameters.get("theta", 1.0)
    return replace(model, step_size=theta / 64 / (model.case.dt or 1))


def _is_weighted(case: Case) -> bool:
    """A generalized bilinear rule of no name."""
    return case.method.startswith("gbt(") and case.level in STEPPING


def _swapped(model: Model) -> Model:
    return replace(model, method=f"gbt({1 - Fraction(gbt_weight(model.method) or 0)})")


class _Phantom(Model):
    """Reads a zero of its own before the first sample, and forgets the state it makes of it."""

    def _scan(self, samples: Array, order: int) -> Array:
        return super()._scan(_preceded(samples), order)[1:]

    def gradient(self, samples: Array, order: int) -> Array:
        return super().gradient(_preceded(samples), order)[:, 1:]


def _preceded(samples: Array) -> Array:
    return np.concatenate([np.zeros(1, samples.dtype), samples])


class _Untilted(Model):
    """Rebuilds a signal from the polynomials alone."""

    def reconstruct(self, state: Array, points: Array) -> Array:
        a, b, factor = tilt(self.case.measure, self.case.float_parameters)
        weight = factor * (1 - points) ** a * points**b
        return (super().reconstruct(state, points) / weight).astype(points.dtype)


def _as(kind: type[Model], model: Model) -> Model:
    return kind(**{name: getattr(model, name) for name in model.__dataclass_fields__})


def _from_the_start(*methods: str) -> Callable[[Case], bool]:
    """A run under one of these rules from its first sample on: a later step alone is not told the samples before."""
    return lambda case: stepping(*methods)(case) and case.level not in ("step", "resume")


def _whole_run(case: Case) -> bool:
    return case.level in ("scan", "gradient")


def _silent_start(case: Case) -> bool:
    """A whole run of an invariant law that reads nodes: it has seen nothing at time 0."""
    nodes = case.method == "trapezoid" or bool(hold_degree(case.method))
    return _whole_run(case) and case.measure != "legs" and nodes


RULES = (
    Defect(
        "step_baked",
        "the step is 1/64 of the window (of 1 where there is none) whatever dt it is told",
        "the recurrence with that step gives the same states",
        _baked,
        lambda case: case.dt is not None and case.level == "scan",
    ),
    Defect(
        "weight_swapped",
        "the weights of the generalized bilinear rule are swapped: a stands where 1 - a is due",
        "the rule with 1 - a gives the same states",
        _swapped,
        _is_weighted,
    ),
    Defect(
        "degree_short",
        "the polynomial of the hold has a degree less than its name says",
        "the hold of the degree below gives the same states",
        lambda model: replace(model, method=SHORTER.get(model.method, model.method)),
        _from_the_start(*SHORTER),
    ),
    Defect(
        "line_at_most",
        "the polynomial of the hold is never more than a line: this is first-order hold",
        "first-order hold gives the same states",
        lambda model: replace(model, method="foh"),
        _from_the_start("hold(3)"),
    ),
    Defect(
        "ratio_early",
        "the transition of the hold is (k/(k-1))^A where ((k+1)/k)^A is due: the ratio is of the times a cell before",
        "the recurrence with that transition gives the same states",
        lambda model: replace(model, clock=lambda k: k - 1.0),
        lambda case: case.measure == "legs" and stepping("zoh")(case) and case.level != "timed_scan",
    ),
    Defect(
        "phantom_zero",
        "the scan begins with a zero of its own before the first sample",
        "the recurrence on the samples with a zero before them gives the same states",
        lambda model: _as(_Phantom, model),
        # An invariant law stays at rest on a zero; only a polynomial through it is bent.
        lambda case: _whole_run(case) and (case.measure == "legs" or (hold_degree(case.method) or 0) > 1),
    ),
    Defect(
        "node_stepped_to",
        "state 0 has made a step to samples[0], where a rule that reads nodes starts from zero at samples[0]",
        "the recurrence with one more step, from a sample of zero, gives the same states",
        lambda model: replace(model, start=False),
        _silent_start,
    ),
    Defect(
        "tilt_forgotten",
        "the signal is rebuilt from the polynomials alone: the weight of the window, which tilts them, is missing",
        "the values divided by the weight agree",
        lambda model: _as(_Untilted, model),
        lambda case: case.level == "reconstruct" and case.measure in TILTED,
    ),
)
