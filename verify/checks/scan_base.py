"""How the states of a scan are compared; shared by the checks that call a scan."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from verify.bounds import ROUNDOFF, gbt_weight
from verify.case import Case
from verify.cases import reads_nodes
from verify.checks.base import Finding
from verify.checks.stream_base import judge_run, run_of
from verify.inputs import Signal
from verify.oracle import Oracle
from verify.result import Result
from verify.verdict import Status


def judge_scan(case: Case, oracle: Oracle, signal: Signal, result: Result, normwise: bool = False) -> Finding:
    """Compare all states, or the last alone, with the exact ones; an explicit rule that grows is unusable."""
    run = run_of(case, oracle, signal.values)
    finding = judge_run(run, result, {"input": signal.to_json()}, "state {row}", normwise)
    growth = float(run.sizes.max()) / max(map(abs, signal.values)) if any(signal.values) else 0.0
    weight = gbt_weight(case.method)
    explicit = weight is not None and weight < 0.5
    if finding.status is Status.PASS and explicit and growth > ROUNDOFF[case.dtype] ** -0.5:
        rule = "forward Euler" if case.method == "euler" else case.method
        message = f"{rule} grows to {growth:.1e} times the signal here: half of all digits are lost; it is unusable"
        return replace(finding, status=Status.INCONCLUSIVE, message=message)
    return finding


def sample_times(method: str, length: int) -> list[Fraction]:
    """Times in [0, 1] at which the samples of a rule are taken: nodes from end to end, or middles of cells."""
    if reads_nodes(method):
        return [Fraction(k, length - 1) for k in range(length)]
    return [Fraction(2 * k + 1, 2 * length) for k in range(length)]
