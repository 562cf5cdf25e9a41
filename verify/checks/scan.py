"""A whole scan, within the rounding of the exact recurrence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verify.bounds import ROUNDOFF, hold_degree
from verify.case import Case
from verify.checks.base import Check, Finding, Record, Suite, Undecidable, explore
from verify.checks.scan_base import judge_scan
from verify.defects import WRONG_OPERATOR, WRONG_RULE, WRONG_STEP, Defect, pick
from verify.inputs import Signal
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import Target
from verify.strategies import corpus_signals, examples_for, length_for, long_signal, signals

LONG_UP_TO = 4
"""Orders at which a scan of more than a thousand samples is tried as well."""


class Scan(Check):
    """Comparison of every state of a scan."""

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
            return judge_scan(case, oracle, operator, signal, result, normwise=target.normwise), len(signal)

        reached = np.zeros(case.order)
        corpus = corpus_signals(length, case.dtype)
        if _is_run_long(case):
            corpus = (*corpus, long_signal(case.dtype))
        examples = examples_for(case.order, suite.examples)
        explore(corpus, signals(length, case.dtype), trial, record, suite, examples)
        # Below the last bit of float64 nothing was asked of it, whatever the precision of the target.
        silent = np.flatnonzero(reached <= ROUNDOFF["float64"])
        if silent.size and record.failure is None:
            raise Undecidable(f"no signal excited coefficient {silent[0]}: nothing can be said of it")

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Wrong operators, clocks, starts, rules, solves and outputs."""
        late = ("short_table", "neighbour_repeated") if _is_run_long(case) else ()
        steps = (key for key in WRONG_STEP if key != "short_table")
        return pick(case, *WRONG_OPERATOR, *steps, *WRONG_RULE, "late_sample", *late)


def _is_run_long(case: Case) -> bool:
    """Whether a scan of more than a thousand samples is tried: not of rules that amplify, nor of the longest steps."""
    return case.order <= LONG_UP_TO and case.method != "euler" and (hold_degree(case.method) or 0) < 2
