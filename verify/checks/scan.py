"""A whole scan, within the rounding of the exact recurrence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verify.bounds import ROUNDOFF, hold_degree
from verify.case import Case
from verify.checks.base import Check, Finding, Record, Suite, Undecidable, explore, states_of
from verify.checks.long_base import judge_late, late_samples, unbounded
from verify.checks.scan_base import judge_scan
from verify.defects import WRONG_OPERATOR, WRONG_RULE, WRONG_STEP, Defect, pick
from verify.inputs import Signal
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import Target
from verify.strategies import corpus_signals, examples_for, length_for, long_signal, signals

LONG_UP_TO = 4
"""Orders at which a scan of more than a thousand samples is tried as well."""
LATE = {"quick": 600, "full": 1100}
"""Samples of the late run above those orders: past the tables and chunks of 512, of 1024 in the full suite."""


class Scan(Check):
    """Comparison of every state of a scan; above `LONG_UP_TO` coefficients, of one late run besides.

    Not compared above those orders: what happens after the late run; and states past the length of the other signals
    where no bound of a long run is derived (explicit rules, holds of degree 2 and 3, measures without a structure
    identity) or where rounding may take a tenth of them (large orders in float32).
    """

    key = "scan"
    claim = "every state of a scan equals the exact state of the same recurrence up to rounding"
    levels = ("scan",)

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Corpus and drawn signals."""
        length = length_for(case.order, suite.length)
        operator = oracle.operator(case)

        def trial(signal: Signal) -> tuple[Finding, int]:
            result = target.call(case, signal.array(case.dtype), case.order)
            exact = oracle.states(case, signal.values)
            sizes = norm(exact.high, operator.weights).max(initial=0.0)
            if 0 < sizes < np.inf:
                np.maximum(reached, np.abs(exact.high * operator.weights).max(axis=0) / sizes, out=reached)
            return judge_scan(case, oracle, signal, result, normwise=target.normwise), len(signal)

        reached = np.zeros(case.order)
        corpus = corpus_signals(length, case.dtype)
        if _is_run_long(case):
            corpus = (*corpus, long_signal(case.dtype))
        examples = examples_for(case.order, suite.examples)
        explore(corpus, signals(length, case.dtype), trial, record, suite, examples)
        if case.order > LONG_UP_TO and record.failure is None and unbounded(case) is None:
            self._late(case, oracle, target, LATE[suite.name], record)
        # Below the last bit of float64 nothing was asked of it, whatever the precision of the target.
        silent = np.flatnonzero(reached <= ROUNDOFF["float64"])
        if silent.size and record.failure is None:
            raise Undecidable(f"no signal excited coefficient {silent[0]}: nothing can be said of it")

    def _late(self, case: Case, oracle: Oracle, target: Target, length: int, record: Record) -> None:
        given = Signal(late_samples(length), f"steps and noise, {length} samples")
        result = target.call(case, given.array(case.dtype), case.order)
        finding = states_of(result, length, case.order, {"input": given.to_json()})
        finding = finding or judge_late(case, oracle, given, result.value, target.normwise)
        if finding is not None:
            record.add(finding, length)

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Wrong operators, clocks, starts, rules, solves and outputs."""
        late = ("short_table", "neighbour_repeated") if _is_run_long(case) else ("stalled_at_512",)
        steps = (key for key in WRONG_STEP if key != "short_table")
        return pick(case, *WRONG_OPERATOR, *steps, *WRONG_RULE, "late_sample", *late)


def _is_run_long(case: Case) -> bool:
    """Whether a scan of more than a thousand samples is tried: not of rules that amplify, nor of the longest steps."""
    return case.order <= LONG_UP_TO and case.method != "euler" and (hold_degree(case.method) or 0) < 2
