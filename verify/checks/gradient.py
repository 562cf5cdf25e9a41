"""Gradients equal the exact discrete Jacobian."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verify.bounds import jacobian_limits
from verify.case import Case
from verify.checks.base import Check, Record, Suite, judge, malformed, worst_coefficient
from verify.defects import WRONG_RULE, Defect, pick
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import Target
from verify.strategies import corpus_signals

LENGTH = 12
"""Samples of the signals that gradients are taken on: past the start, short enough for reverse mode."""


class Gradient(Check):
    """Comparison of Jacobians."""

    key = "gradient"
    claim = "d last state / d samples equals the exact Jacobian of the recurrence (HiPPO proposition 5, discrete)"
    levels = ("gradient",)

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """The recurrence is linear, so one Jacobian serves every signal; each is tried."""
        operator = oracle.operator(case)
        D = operator.weights
        # Reverse mode costs N passes: at large orders half the length still goes past the start.
        length = LENGTH if case.order <= 16 else LENGTH // 2
        signals = {signal.name: signal for signal in corpus_signals(length, case.dtype)}
        for signal in (signals[name] for name in ("one sample", "two samples", "wave", "huge")):
            length = len(signal)
            place = {"input": signal.to_json()}
            result = target.call(case, signal.array(case.dtype), case.order)
            problem = malformed(result, "value", (case.order, length), place)
            if problem is not None:
                record.add(problem, length)
                return
            exact = oracle.jacobian(case, length)
            signed = exact.error(result.value)

            def where(index: tuple[int, ...], signed: Any = signed, got: Any = result.value, exact: Any = exact,
                      place: dict[str, Any] = place) -> dict[str, Any]:  # fmt: skip
                k = index[0]
                values = worst_coefficient(got[:, k], signed[:, k], exact.high[:, k], D)
                coefficient = values["coefficient"]
                what = f"d c_{coefficient} / d samples[{k}]"
                return {**place, **values, "what": what, "index": [coefficient, k]}

            columns = norm(exact.high.T, D)
            record.add(
                judge(
                    norm(signed.T, D),
                    jacobian_limits(operator, length, case.dtype),
                    truth=norm(exact.radius.T, D),
                    scale=float(columns.max()),
                    got=result.value.T,
                    expected=exact.high.T,
                    where=where,
                ),
                length,
            )

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Wrong operators and rules, and Jacobians cut, turned or averaged."""
        return pick(
            case,
            "doubled_B",
            "negated_B",
            "negated_A",
            "transposed",
            "one_based",
            "diagonal_short",
            "doubled_operator",
            "doubled_state",
            "clock_late",
            "zero_start",
            "late_sample",
            "euler_used",
            "backward_euler_used",
            "double_step",
            "columns_reversed",
            "mean_gradient",
            "first_detached",
            "lone_column_squeezed",
            "float32_states",
            *WRONG_RULE,
        )
