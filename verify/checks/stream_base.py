"""What a run of states should be, and how an answer is compared with it, or two answers with each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verify.boundary import Exact
from verify.bounds import Limits, carried, chain_limits, float_states, scan_limits
from verify.case import Case
from verify.checks.base import Finding, judge, states_of, worst_coefficient
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import Result

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Run:
    """Exact states with their limits.

    Attributes:
        exact: (L, N) states.
        limits: (L,) limits of the error of each.
        sizes: (L,) the largest state up to each.
        weights: (N,) diagonal of the norm.
        first: index of the sample that the first of them has read.
    """

    exact: Exact
    limits: Limits
    sizes: Array
    weights: Array
    first: int = 0

    def __len__(self) -> int:
        return len(self.sizes)

    def part(self, start: int, stop: int | None = None) -> Run:
        """The states from one sample to before another, with the limits of the whole run.

        Whoever goes on from the exact state, rounded once, has lost less on the way than whoever came from sample 0:
        the rounding of the state is a part of what one step may lose.
        """
        rows = slice(start - self.first, None if stop is None else stop - self.first)
        limits = Limits(self.limits.forward[rows], self.limits.backward[rows], self.limits.source)
        return Run(self.exact[rows], limits, self.sizes[rows], self.weights, start)


def run_of(case: Case, oracle: Oracle, samples: Sequence[float], times: tuple[float, ...] | None = None) -> Run:
    """What a scan of samples should be; under LegS at given times."""
    # One sample is the state of a constant, whatever its time: there is no step between two times.
    operator = oracle.operator(case, times if len(samples) > 1 else None)
    exact = oracle.states(case, samples, times)
    limits = scan_limits(operator, samples, exact.high, case.dtype)
    sizes = np.maximum.accumulate(norm(exact.high, operator.weights))
    if operator.starts_silent:  # nodes that cancel leave a state of size 0, to be judged beside what cancelled
        sizes = np.maximum(sizes, np.maximum.accumulate(float_states(operator, samples)[1]))
    return Run(exact, limits, sizes, operator.weights)


def run_from(case: Case, oracle: Oracle, state: Sequence[float], samples: Sequence[float], first: int) -> Run:
    """What a run should be that goes on from a state after ``first`` samples, by a rule that reads one a step.

    A step is linear, so from an exact state kept as two floats it is the sum of the steps from each: nothing is rounded
    in between but the radius of that state, which the next step carries on.
    """
    operator = oracle.operator(case)
    D = operator.weights
    before, rows = Exact(np.array(state), np.zeros(len(state))), []
    for k, sample in enumerate(samples, start=first):
        main = oracle.step(case, before.high.tolist(), sample, k)
        rest = oracle.step(case, before.low.tolist(), 0.0, k) if before.low.any() else None
        before = _sum(main, rest, carried(operator, k) * norm(before.radius, D) / D)
        rows.append(before)
    exact = Exact(*(np.stack([getattr(row, part) for row in rows]) for part in ("high", "low", "radius")))
    states = np.vstack([state, exact.high])
    limits = chain_limits(operator, states, samples, first, case.dtype)
    sizes = np.maximum.accumulate(np.append(norm(states[0], D), np.maximum(norm(exact.high, D), np.abs(samples))))[1:]
    return Run(exact, limits, sizes, D, first)


def _sum(first: Exact, second: Exact | None, radius: Array) -> Exact:
    """Two exact arrays added up, the second far smaller, and a further radius."""
    if second is None:
        return Exact(first.high, first.low, first.radius + radius)
    # What the sum of the larger parts loses is a float itself; what is lost of the smaller ones counts as unknown.
    high = first.high + second.high
    lost = np.where(
        np.abs(first.high) >= np.abs(second.high),
        second.high - (high - first.high),
        first.high - (high - second.high),
    )
    low = lost + first.low + second.low
    rounding = 4 * np.finfo(float).eps * (np.abs(lost) + np.abs(first.low) + np.abs(second.low))
    return Exact(high, low, first.radius + second.radius + radius + rounding)


def rows_of(run: Run, result: Result, place: dict[str, Any]) -> tuple[Finding | None, Array, Run]:
    """The answer as rows with the part of the run they stand for: all states, or the last alone."""
    problem = states_of(result, len(run), len(run.weights), place)
    if problem is not None:
        return problem, np.zeros((0, 0)), run
    if result.value.ndim == 1:
        return None, result.value[None], run.part(run.first + len(run) - 1)
    return None, result.value, run


def judge_run(run: Run, result: Result, place: dict[str, Any], what: str, normwise: bool = False) -> Finding:
    """Compare an answer with the exact states; ``what`` names one of them, such as ``"state {row} of stream 2"``."""
    problem, got, run = rows_of(run, result, place)
    if problem is not None:
        return problem
    signed = run.exact.error(got)
    return judge(
        norm(signed, run.weights),
        run.limits,
        truth=norm(run.exact.radius, run.weights),
        scale=run.sizes,
        got=got,
        expected=run.exact.high,
        where=_naming(run, got, signed, run.exact.high, place, what),
        normwise=normwise,
    )


def judge_pair(
    first: tuple[Run, Result], second: tuple[Run, Result], place: dict[str, Any], what: str, normwise: bool = False
) -> Finding:
    """Compare two answers to one question, each within its own limits of the same exact states."""
    answers = []
    for run, result in (first, second):
        problem, rows, part = rows_of(run, result, place)
        if problem is not None:
            return problem
        answers.append((part, rows.astype(float)))
    # Where one gives the last state alone, that one is compared.
    count = min(len(rows) for _, rows in answers)
    (one, expected), (two, got) = ((run.part(run.first + len(run) - count), rows[-count:]) for run, rows in answers)
    with np.errstate(all="ignore"):
        signed = got - expected
    limits = Limits(
        one.limits.forward + two.limits.forward,
        one.limits.backward + two.limits.backward,
        "sum of the rounding bounds of the two answers",
    )
    return judge(
        norm(signed, one.weights),
        limits,
        truth=0.0,
        scale=one.sizes,
        got=got,
        expected=expected,
        where=_naming(one, got, signed, expected, place, what),
        normwise=normwise,
    )


def _naming(run: Run, got: Array, signed: Array, expected: Array, place: dict[str, Any], what: str) -> Any:
    def where(index: tuple[int, ...]) -> dict[str, Any]:
        k = index[0]
        values = worst_coefficient(got[k], signed[k], expected[k], run.weights)
        coefficient = values["coefficient"]
        name = what.format(row=run.first + k)
        if len(run.weights) > 1:
            name += f" (most in coefficient {coefficient})"
        return {**place, **values, "what": name, "index": [run.first + k, coefficient]}

    return where
