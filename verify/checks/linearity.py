"""Linearity: sums and multiples of inputs give sums and multiples of outputs, at any amplitude."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from verify.bounds import Limits, float_states, scan_limits
from verify.case import Case
from verify.checks.base import Check, Finding, Record, Suite, explore, judge, states_of
from verify.defects import Defect, pick
from verify.inputs import Signal
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import Target
from verify.strategies import HUGE, TINY, examples_for, length_for, pairs

Pair = tuple[Signal, Signal, int]

LONG = 192
"""Samples of one pair: well past what the quick suite asks of `scan`, as no exact state is needed."""
LARGEST_LONG = 16
"""Up to this order: each sample costs a dense step of the bounds."""


class Linearity(Check):
    """Superposition of scans, and their scaling by powers of two."""

    key = "linearity"
    claim = "scan(2^e (u + v)) = 2^e scan(u) + 2^e scan(v) up to rounding, for amplitudes tiny, ordinary and huge"
    levels = ("scan",)

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Three scans per input; their sum is exact in the samples, so only the target rounds.

        No exact state is needed, so one pair is longer than what `scan` is tried on.
        """
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
            answers, total, states, added = [], np.zeros((len(first), 2)), [], np.zeros(len(first))
            for signal, factor in ((first, 2.0**exponent), (second, 2.0**exponent), (both, 1.0)):
                result = target.call(case, signal.array(case.dtype), case.order)
                problem = states_of(result, len(signal), case.order, place)
                if problem is not None:
                    return problem, len(first)
                answers.append(np.atleast_2d(result.value).astype(float) * factor)
                if signal is not both:
                    sizes, steps = float_states(operator, signal.values)
                    states.append(sizes * factor)
                    added = np.maximum(added, steps * factor)
                else:
                    sizes = states[0] + states[1]
                limits = scan_limits(operator, signal.values, sizes, case.dtype)
                total += np.stack([limits.forward, limits.backward], axis=1) * factor
            with np.errstate(all="ignore"):
                expected = answers[0] + answers[1]
                difference = answers[2] - expected
            count = len(difference)
            total = total[-count:]

            def where(index: tuple[int, ...]) -> dict[str, Any]:
                k = len(first) - count + index[0]
                return {**place, "what": f"state {k} of the sum", "index": [k]}

            # Parts that cancel are judged beside their own size.
            scale = np.maximum.accumulate(np.maximum(np.max([norm(part, D) for part in states], axis=0), added))
            judged = judge(
                norm(difference, D),
                Limits(total[:, 0], total[:, 1], "sum of the rounding bounds of the three scans"),
                truth=0.0,
                scale=scale[-count:],
                got=answers[2],
                expected=expected,
                where=where,
                normwise=target.normwise,
            )
            return judged, len(first)

        short = length_for(case.order, suite.length) // 2
        long = LONG if case.order <= LARGEST_LONG else short
        corpus: list[Pair] = [(*_pair(short), 0), (*_pair(short), TINY[case.dtype]), (*_close(short), 0)]
        corpus.append((*_pair(long), HUGE[case.dtype]))
        drawn = pairs(short, case.dtype)
        examples = examples_for(case.order, suite.examples) // 2
        explore(corpus, drawn, trial, record, suite, examples)

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Answers that depend on amplitude, at once or late, and on samples read before."""
        return pick(case, "clipped", "dead_zone", "late_safety_net", "six_digit_cache")


def _pair(length: int) -> tuple[Signal, Signal]:
    """Smooth and abrupt: no symmetry that both share."""
    wave = Signal(tuple((i * 5 % 7 - 3) / 4 for i in range(length)), "wave")
    return wave, Signal(tuple(float(i % 4 < 2) for i in range(length)), "steps")


def _close(length: int) -> tuple[Signal, Signal]:
    """Samples that differ in their seventh digit, about a step that is none of them."""
    close = Signal(tuple(1 + (i * 5 % 7) * 2.0**-22 for i in range(length)), "close samples")
    return close, Signal(tuple(-1.0 if i % 3 else 0.0 for i in range(length)), "cancelling steps")
