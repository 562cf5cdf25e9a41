"""One step from any state, within the rounding of the exact step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from verify.bounds import step_limits
from verify.case import Case
from verify.cases import reads_nodes
from verify.checks.base import Check, Finding, Record, Suite, explore, judge, malformed, worst_coefficient
from verify.defects import WRONG_OPERATOR, WRONG_RULE, WRONG_STEP, Defect, pick
from verify.inputs import Transition
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import Target
from verify.strategies import corpus_transitions, examples_for, transitions, unit_transitions


class Step(Check):
    """Comparison of single steps."""

    key = "step"
    claim = "one step of the rule, from any state and at any index, equals the exact step up to rounding"
    levels = ("step",)

    def why_not(self, case: Case) -> str | None:
        """Rules that read nodes need earlier samples; a step function is given one."""
        if reads_nodes(case.method):
            return f"{case.method} needs the sample before as well; a step function is given one"
        return None

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Corpus and drawn transitions."""
        operator = oracle.operator(case)

        def trial(item: Transition) -> tuple[Finding, int]:
            state = np.array(item.state, dtype=case.dtype)
            place = {"input": item.to_json()}
            result = target.call(case, state, item.sample, item.index)
            size = item.index + int(np.count_nonzero(state))
            problem = malformed(result, "value", (case.order,), place)
            if problem is not None:
                return problem, size
            exact = oracle.step(case, item.state, item.sample, item.index)
            limits = step_limits(operator, np.array(item.state), item.sample, exact.high, item.index, case.dtype)
            D = operator.weights
            signed = exact.error(result.value)

            def where(_: tuple[int, ...]) -> dict[str, Any]:
                values = worst_coefficient(result.value, signed, exact.high, D)
                coefficient = values["coefficient"]
                what = f"the state after sample {item.index} (most in coefficient {coefficient})"
                return {**place, **values, "what": what, "index": [coefficient]}

            scale = max(float(norm(exact.high, D)), float(norm(np.array(item.state), D)), abs(item.sample))
            finding = judge(
                np.atleast_1d(norm(signed, D)),
                limits,
                truth=norm(exact.radius, D),
                scale=scale,
                got=result.value[None],
                expected=exact.high[None],
                where=where,
                normwise=target.normwise,
            )
            return finding, size

        corpus = (*corpus_transitions(case.order, case.dtype), *unit_transitions(case.order))
        examples = examples_for(case.order, suite.examples)
        explore(corpus, transitions(case.order), trial, record, suite, examples)

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Wrong operators, clocks, rules and solves."""
        return pick(case, *WRONG_OPERATOR, *WRONG_STEP, *WRONG_RULE, "norm_overflow", "saturated_index")
