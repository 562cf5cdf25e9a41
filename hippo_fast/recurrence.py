"""A measure, an order and a rule, validated together: what `scan` and `Memory` both run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hippo_fast.discretizations import DISCRETIZATIONS
from hippo_fast.discretizations.base import Discretization, Steps
from hippo_fast.operators import OPERATORS
from hippo_fast.operators.base import Operator
from hippo_fast.types import Float64Array, Parameters
from hippo_fast.validation import (
    checked_dt,
    checked_key,
    checked_order,
    checked_parameters,
    checked_timestamps,
)


@dataclass(frozen=True)
class Recurrence:
    """One discrete recurrence, without samples and without a backend.

    A scale law runs on ``x = c/s_n`` and starts from ``x = u_0 e_0``; an invariant law runs on ``c``, from zero.

    Attributes:
        operator: the measure.
        discretization: the rule.
        order: number of coefficients ``N``.
        parameters: of the measure.
        dt: sample spacing of an invariant law, in units of time; None for a scale law.
    """

    operator: Operator
    discretization: Discretization
    order: int
    parameters: Parameters
    dt: float | None

    @property
    def is_scale_law(self) -> bool:
        """Whether the law is LegS's ``dc/dt = (A c + B f)/t``."""
        return self.operator.time_law == "scale"

    @property
    def output_scale(self) -> Float64Array:
        """What a running state is multiplied by to give coefficients, shape ``(N,)``."""
        return self.operator.scale(self.order) if self.is_scale_law else np.ones(self.order)

    def times(self, first: int, stop: int) -> Float64Array:
        """Return the default times of samples ``first .. stop - 1`` under a scale law."""
        return np.arange(first, stop, dtype=np.float64) + self.discretization.first_time

    def states_at_start(self, length: int, first_time: float) -> int:
        """Return how many states of ``length`` come from the rule's start and not from a step: 0, 1 or 2."""
        if not self.is_scale_law:
            return 0
        return 2 if self.discretization.starts_on_piece and first_time == 0.0 and length > 1 else 1

    def steps(self, times: Float64Array | None) -> Steps:
        """Return the steps between ``times`` ``(K + 1,)`` of a scale law, or the one step of an invariant law."""
        if self.dt is not None:
            return self.discretization.invariant_steps(self.operator, self.order, self.parameters, self.dt)
        if times is None:
            raise ValueError("times is missing; accepted: (K + 1,) times for a scale law")
        return self.discretization.scale_steps(times[:-1], times[1:])


def methods_of(measure: str) -> tuple[str, ...]:
    """Return the rules offered for a measure, in the order of `DISCRETIZATIONS`."""
    law = OPERATORS[measure].time_law
    return tuple(key for key, rule in DISCRETIZATIONS.items() if law in rule.time_laws)


def make_recurrence(
    measure: object, order: object, method: object, *, dt: object, theta: object, alpha: object, beta: object
) -> Recurrence:
    """Return the validated `Recurrence`.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: an unknown key, a number outside its domain, or arguments that do not go together.
    """
    operator = OPERATORS[checked_key("measure", measure, OPERATORS)]
    count = checked_order(order)
    rule = DISCRETIZATIONS[checked_key("method", method, DISCRETIZATIONS)]
    if operator.time_law not in rule.time_laws:
        accepted = ", ".join(repr(key) for key in methods_of(operator.key))
        raise ValueError(f"method is {method!r}, not offered for measure {operator.key!r}; accepted: one of {accepted}")
    parameters = checked_parameters(operator.key, operator.parameters, theta, alpha, beta)
    return Recurrence(operator, rule, count, parameters, checked_dt(dt, operator.time_law, operator.key))


def times_of_samples(recurrence: Recurrence, timestamps: Any, length: int) -> Float64Array | None:
    """Return the time of each sample, ``(L,)``, under a scale law; None for an invariant law.

    Raises:
        ValueError: timestamps for an invariant law, or times that are not increasing, finite and of length L.
    """
    if not recurrence.is_scale_law:
        if timestamps is not None:
            raise ValueError(
                f"timestamps were given, but measure {recurrence.operator.key!r} does not support uneven sampling yet; "
                "accepted: None (resample evenly and give dt)"
            )
        return None
    if timestamps is None:
        return recurrence.times(0, length)
    return checked_timestamps(timestamps, length, recurrence.discretization.first_time_positive)
