"""Linearity: sums and multiples of inputs give sums and multiples of outputs, at any amplitude."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from verify.bounds import Limits, scan_limits
from verify.case import Case
from verify.checks.base import Check, Finding, Record, Suite, explore, judge
from verify.checks.scan_base import states_of
from verify.defects import Defect, pick
from verify.inputs import Signal
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import Target
from verify.strategies import HUGE, TINY, examples_for, length_for, pairs

Pair = tuple[Signal, Signal, int]


class Linearity(Check):
    """Superposition of scans, and their scaling by powers of two."""

    key = "linearity"
    claim = "scan(2^e (u + v)) = 2^e scan(u) + 2^e scan(v) up to rounding, for amplitudes tiny, ordinary and huge"
    levels = ("scan",)

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Three scans per input; their sum is exact in the samples, so only the target rounds."""
        length = length_for(case.order, suite.length) // 2
        operator = oracle.operator(case)
        D = operator.weights

        def trial(pair: Pair) -> tuple[Finding, int]:
            first, second, exponent = pair
            both = Signal(
                tuple(math.ldexp(a + b, exponent) for a, b in zip(first.values, second.values, strict=True)), "sum"
            )
            place: dict[str, Any] = {
                "input": {"first": first.to_json(), "second": second.to_json(), "exponent": exponent}
            }
            answers, total = [], np.zeros((len(first), 2))
            exact_total = np.zeros((len(first), case.order))
            for signal, factor in ((both, 1.0), (first, 2.0**exponent), (second, 2.0**exponent)):
                result = target.call(case, signal.array(case.dtype), case.order)
                problem = states_of(result, len(signal), case.order, place)
                if problem is not None:
                    return problem, len(first)
                answers.append(np.atleast_2d(result.value).astype(float) * factor)
                exact = oracle.states(case, first.values).high if signal is first else None
                exact = oracle.states(case, second.values).high if signal is second else exact
                if exact is not None:
                    exact_total = exact_total + exact * factor
                    limits = scan_limits(operator, signal.values, exact, case.dtype)
                    total += np.stack([limits.forward, limits.backward], axis=1) * factor
            limits = scan_limits(operator, both.values, exact_total, case.dtype)
            total += np.stack([limits.forward, limits.backward], axis=1)
            with np.errstate(all="ignore"):
                difference = answers[0] - answers[1] - answers[2]
            count = len(difference)
            total, expected = total[-count:], (answers[1] + answers[2])

            def where(index: tuple[int, ...]) -> dict[str, Any]:
                k = len(first) - count + index[0]
                return {**place, "what": f"state {k} of the sum", "index": [k]}

            scale = np.maximum.accumulate(norm(exact_total, D))[-count:]
            judged = judge(
                norm(difference, D),
                Limits(total[:, 0], total[:, 1], "sum of the rounding bounds of the three scans"),
                truth=0.0,
                scale=np.maximum(scale, norm(expected, D)),
                got=answers[0],
                expected=expected,
                where=where,
            )
            return judged, len(first)

        wave = Signal(tuple((i * 5 % 7 - 3) / 4 for i in range(length)), "wave")
        steps = Signal(tuple(float(i % 4 < 2) for i in range(length)), "steps")
        corpus = [(wave, steps, e) for e in (0, TINY[case.dtype], HUGE[case.dtype])]
        examples = examples_for(case.order, suite.examples) // 2
        explore(corpus, pairs(length, case.dtype), trial, record, suite, examples)

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Answers that depend on amplitude."""
        return pick(case, "clipped", "dead_zone")
