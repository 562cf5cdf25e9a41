"""How the states of a scan are compared; shared by the checks that call a scan."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from verify.bounds import ROUNDOFF, Operator, float_states, gbt_weight, scan_limits
from verify.case import Case
from verify.cases import reads_nodes
from verify.checks.base import Finding, judge, malformed, worst_coefficient
from verify.inputs import Signal
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import Result
from verify.verdict import Status

Array = np.ndarray[Any, np.dtype[Any]]


def states_of(result: Result, length: int, order: int, place: dict[str, Any]) -> Finding | None:
    """None if the answer is (L, N), or (N,) for the last state alone; else the failing finding."""
    if not result.malformed and result.value.shape == (order,):
        return None
    return malformed(result, "value", (length, order), place)


def judge_scan(
    case: Case, oracle: Oracle, operator: Operator, signal: Signal, result: Result, normwise: bool = False
) -> Finding:
    """Compare all states, or the last alone, with the exact ones."""
    place: dict[str, Any] = {"input": signal.to_json()}
    problem = states_of(result, len(signal), case.order, place)
    if problem is not None:
        return problem
    exact = oracle.states(case, signal.values)
    limits = scan_limits(operator, signal.values, exact.high, case.dtype)
    D = operator.weights
    sizes = np.maximum.accumulate(norm(exact.high, D))
    if operator.starts_silent:  # nodes that cancel leave a state of size 0, to be judged beside what cancelled
        sizes = np.maximum(sizes, np.maximum.accumulate(float_states(operator, signal.values)[1]))
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

    finding = judge(
        norm(signed, D),
        limits,
        truth=norm(exact.radius, D),
        scale=sizes,
        got=got,
        expected=exact.high,
        where=where,
        normwise=normwise,
    )
    growth = float(sizes.max()) / max(map(abs, signal.values)) if any(signal.values) else 0.0
    weight = gbt_weight(operator.method)
    explicit = weight is not None and weight < 0.5
    if finding.status is Status.PASS and explicit and growth > ROUNDOFF[case.dtype] ** -0.5:
        rule = "forward Euler" if operator.method == "euler" else operator.method
        message = f"{rule} grows to {growth:.1e} times the signal here: half of all digits are lost; it is unusable"
        return replace(finding, status=Status.INCONCLUSIVE, message=message)
    return finding


def sample_times(method: str, length: int) -> list[Fraction]:
    """Times in [0, 1] at which the samples of a rule are taken: nodes from end to end, or middles of cells."""
    if reads_nodes(method):
        return [Fraction(k, length - 1) for k in range(length)]
    return [Fraction(2 * k + 1, 2 * length) for k in range(length)]
