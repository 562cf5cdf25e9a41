"""A measure, an order and a rule, validated together: what `scan` and `Memory` both run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from hippo_fast.discretizations import DISCRETIZATIONS
from hippo_fast.discretizations.base import ConstantSteps, Discretization, GapSteps, Steps
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
        dt: sample spacing of an invariant law, in units of time; None for a scale law, and where times are given.
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
            return _invariant_steps(self.operator, self.discretization, self.order, self.parameters, self.dt)
        if times is None:
            raise ValueError("times is missing; accepted: (K + 1,) times for a scale law")
        return self.discretization.scale_steps(times[..., :-1], times[..., 1:])

    def steps_of_samples(self, first: int, stop: int, times: Float64Array | None) -> Steps:
        """Return the steps that read samples ``first .. stop - 1``, at their ``times`` or, for None, the default ones.

        Args:
            first: >= 1 under a scale law; what `states_at_start` counts is no step.
            stop: > ``first``.
            times: ``(L,)`` or, for a time of its own for each stream, ``(S, L)``. Under an invariant law each sample is
                the input up to its time, from the time before it or from 0 on; in units of ``dt`` if there is one.
        """
        if not self.is_scale_law:
            return self.steps(None) if times is None else self._gap_steps(np.diff(times, prepend=0.0)[..., first:stop])
        if times is not None:
            return self.steps(times[..., first - 1 : stop])
        even = self.discretization.even_steps(first + int(self.discretization.first_time), stop - first)
        return even if even is not None else self.steps(self.times(first - 1, stop))

    def _gap_steps(self, gaps: Float64Array) -> GapSteps:
        rule, implicit = self.discretization, self.discretization.implicit
        return GapSteps(
            gaps if self.dt is None else self.dt * gaps,
            lambda gap: rule.invariant_steps(self.operator, self.order, self.parameters, gap),
            None if implicit is None else self.operator.structure(self.order, self.parameters),
            0.0 if implicit is None else implicit,
        )


@lru_cache(maxsize=8)
def _invariant_steps(
    operator: Operator, rule: Discretization, order: int, parameters: Parameters, dt: float
) -> ConstantSteps:
    """Return the one step of an invariant law; the last few are kept, since a matrix exponential takes long."""
    return rule.invariant_steps(operator, order, parameters, dt)


def methods_of(measure: str) -> tuple[str, ...]:
    """Return the rules offered for a measure, in the order of `DISCRETIZATIONS`."""
    law = OPERATORS[measure].time_law
    return tuple(key for key, rule in DISCRETIZATIONS.items() if law in rule.time_laws)


def make_recurrence(
    measure: object,
    order: object,
    method: object,
    *,
    dt: object,
    theta: object,
    alpha: object,
    beta: object,
    timed: bool = False,
) -> Recurrence:
    """Return the validated `Recurrence`; ``timed`` says that samples come with timestamps, which replace ``dt``.

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
    return Recurrence(operator, rule, count, parameters, checked_dt(dt, operator.time_law, operator.key, timed))


def times_of_samples(recurrence: Recurrence, timestamps: Any, shape: tuple[int, ...]) -> Float64Array | None:
    """Return the time of each sample, ``(L,)`` or ``(S, L)``; None where samples come at the default times.

    Under an invariant law a time is the end of its cell, > 0: sample 0 is the input from time 0 on. To a scale law,
    which knows ratios alone, times in proportion to the default ones are the default ones.

    Args:
        recurrence: what will be run.
        timestamps: None, ``(L,)``, or the shape of the samples.
        shape: ``(..., L)``, of the samples; S streams.

    Raises:
        ValueError: times that are not increasing, finite and of the shape accepted.
    """
    if timestamps is None:
        return None
    rule = recurrence.discretization
    times = checked_timestamps(timestamps, shape, rule.first_time_positive or not recurrence.is_scale_law)
    is_default = recurrence.is_scale_law and times.ndim == 1 and _are_default(times, rule.first_time)
    return None if is_default else times if times.ndim == 1 else times.reshape(-1, times.shape[-1])


def _are_default(times: Float64Array, first_time: float) -> bool:
    """Return whether times are a power of two times the default ones ``first_time, first_time + 1, ...``, exactly."""
    if times.size < 2 or not math.isfinite(times[1] - times[0]):
        return False
    gap = float(times[1] - times[0])
    with np.errstate(over="ignore"):  # inf is no default time
        return math.frexp(gap)[0] == 0.5 and bool(np.array_equal(times / gap, np.arange(times.size) + first_time))
