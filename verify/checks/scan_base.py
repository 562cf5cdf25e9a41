"""How the states of a scan are compared; shared by the checks that call a scan."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from verify.bounds import Operator, scan_limits
from verify.case import Case
from verify.checks.base import Finding, judge, malformed, worst_coefficient
from verify.inputs import Signal
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import Result

Array = np.ndarray[Any, np.dtype[Any]]


def states_of(result: Result, length: int, order: int, place: dict[str, Any]) -> Finding | None:
    """None if the answer is (L, N), or (N,) for the last state alone; else the failing finding."""
    if not result.malformed and result.value.shape == (order,):
        return None
    return malformed(result, "value", (length, order), place)


def judge_scan(case: Case, oracle: Oracle, operator: Operator, signal: Signal, result: Result) -> Finding:
    """Compare all states, or the last alone, with the exact ones."""
    place: dict[str, Any] = {"input": signal.to_json()}
    problem = states_of(result, len(signal), case.order, place)
    if problem is not None:
        return problem
    exact = oracle.states(case, signal.values)
    limits = scan_limits(operator, signal.values, exact.high, case.dtype)
    D = operator.weights
    sizes = np.maximum.accumulate(norm(exact.high, D))
    got, first = result.value, 0
    if got.ndim == 1:
        got, exact, first = got[None], exact[-1:], len(signal) - 1
        limits = type(limits)(limits.forward[-1:], limits.backward[-1:], limits.source)
        sizes = sizes[-1:]
    signed = exact.error(got)

    def where(index: tuple[int, ...]) -> dict[str, Any]:
        k = index[0]
        values = worst_coefficient(got[k], signed[k], exact.high[k], D)
        coefficient = values["coefficient"]
        what = f"state {first + k} (most in coefficient {coefficient})"
        return {**place, **values, "what": what, "index": [first + k, coefficient]}

    return judge(norm(signed, D), limits, scale=sizes, got=got, expected=exact.high, where=where)


def sample_times(method: str, length: int) -> list[Fraction]:
    """Times in [0, 1] at which the samples of a LegS rule are taken: nodes, or middles of cells."""
    if method in ("trapezoid", "foh"):
        return [Fraction(k, length - 1) for k in range(length)]
    return [Fraction(2 * k + 1, 2 * length) for k in range(length)]
