"""Conventions of a step function, from its action on unit states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from verify.candidates import right_model
from verify.case import Case
from verify.convention.fit import as_formula, diagonal, fits
from verify.convention.inside import inside_of_step
from verify.convention.near_steps import near_step
from verify.convention.observe import Steps
from verify.convention.precision import roundoff
from verify.convention.record import Convention
from verify.convention.rules import Discrete, family, undo
from verify.convention.task import AMPLIFIED, SECOND_ORDER, Task, best_legs, rules_alike, same
from verify.oracle import Oracle

Array = np.ndarray[Any, np.dtype[Any]]


def of_step(task: Task) -> tuple[list[Convention], Callable[[], Any]]:
    """Conventions of a step function."""
    steps = Steps(task.target, task.case)
    methods = [method for method in task.methods if family(method) == method]  # a step reads one sample
    found: list[Convention] = []
    if not steps.invariant:
        if task.tries_legs:
            found = legs_steps(task, steps, methods)
    elif task.invariant_measures:
        found = invariant_steps(task, steps, methods)
    if found:
        larger = Steps(task.target, replace(task.case, order=SECOND_ORDER))
        again = (
            legs_steps(task, larger, [m.method for m in found])
            if found[0].measure == "legs"
            else (invariant_steps(task, larger, [m.method for m in found]))
        )
        found = [match for match in found if any(same(match, other) for other in again)]
    found = [inside_of_step(match, steps, task.case, task.oracle) for match in rules_alike(found)]
    return found, lambda: near_step(steps, task.case, task.oracle, task.base, task.invariant_measures, methods)


def invariant_steps(task: Task, steps: Steps, methods: Sequence[str]) -> list[Convention]:
    """Conventions of a step that is the same at every index."""
    read = list(steps.read.values())
    step, fine = read[-1], max(steps.noise, roundoff(np.stack([s.M for s in read])))
    found = [match for method in methods for match in _behind(task, step, method, fine)]
    if not found and task.weighted:
        found = [match for method in task.weights(step, fine) for match in _behind(task, step, method, fine)]
    change = max(float(np.abs(s.M - step.M).max() + np.abs(s.total - step.total).max()) for s in read)
    return [m for m in found if change <= (m.residual + 8 * fine + task.base / 100) * np.abs(step.M).max()]


def _behind(task: Task, step: Discrete, method: str, fine: float) -> Iterator[Convention]:
    """Conventions of the operator behind a step of an invariant law."""
    pair = undo(step.M, step.total, method)
    if pair is None:
        return
    tolerance = task.base + AMPLIFIED * fine * float(np.abs(step.M).max() / np.abs(pair[0]).max())
    for measure in task.invariant_measures:
        for fit in fits(*pair, measure, task.case, task.oracle, min(tolerance, 0.1), unit_scale=False):
            made = task.invariant(measure, fit.scale, fit.parameters, max(tolerance / 100, fit.residual))
            if made is not None:
                yield replace(
                    made, scaling=tuple(fit.T.tolist()), formula=fit.formula, residual=fit.residual, method=method
                )


def legs_steps(task: Task, steps: Steps, methods: Sequence[str]) -> list[Convention]:
    """Conventions of LegS under which the step is right at every index."""
    read = steps.read
    late = max(read)  # where no entry of a transition is near 0
    order = len(read[late].M)
    unit = np.eye(order)
    fine = max(steps.noise, roundoff(np.stack([s.M for s in read.values()])))

    def compare(method: str) -> tuple[float, str, Array] | None:
        exact = {k: legs_step(task.oracle, order, method, k) for k in read}
        first = diagonal(read[late].M, read[late].total, *exact[late])
        if first is None:
            return None
        formula, T = as_formula(first[1], task.base + 64 * fine)
        left = 0.0
        for k, step in read.items():
            M, v = exact[k]
            got = step.M * T[None, :] / T[:, None]
            left = max(left, float(np.abs(got - M).max() / np.abs(M - unit).max()))
            left = max(left, float(np.abs(step.total / T - v).max() / np.abs(v).max()))
        return left, formula, T

    # The last of the indices divides rounding by the smallest step.
    tolerance = min(task.base + AMPLIFIED * fine * late / order, 0.1)
    return best_legs(compare, task, methods, tolerance, 0)


@lru_cache(maxsize=512)
def legs_step(oracle: Oracle, order: int, method: str, k: int) -> tuple[Array, Array]:
    """(M, v) of a right LegS step."""
    model = right_model(Case("legs", "legs", order, method, "step"), oracle)
    columns = [model.step(unit, 0.0, k) for unit in np.eye(order)]
    return np.stack(columns, axis=1), model.step(np.zeros(order), 1.0, k)
