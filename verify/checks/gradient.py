"""Gradients equal the exact discrete Jacobian."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from verify.bounds import CONTRACTING, jacobian_limits
from verify.case import Case
from verify.checks.base import Check, Record, Suite, judge, malformed, worst_coefficient
from verify.defects import Defect, pick
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

    def why_not(self, case: Case) -> str | None:
        """The bound of reverse mode is derived for contracting rules."""
        if case.method not in CONTRACTING:
            return f"no rounding bound is derived for reverse mode through {case.method}, which does not contract"
        return None

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
            "float32_states",
        )


class GradientBound(Check):
    """Proposition 5 as an inequality."""

    key = "gradient_bound"
    claim = "the influence of a held sample is at most N times its share of the measure (HiPPO proposition 5)"
    levels = ("gradient", "scan")

    def why_not(self, case: Case) -> str | None:
        """The inequality is proved for hold-exact steps of measures whose kernel is ``s_n P_n`` times the measure."""
        if case.method != "zoh" or case.measure not in ("legs", "legs_lti"):
            return "proved for zero-order hold of legs and legs_lti, whose kernel is the basis times the measure"
        if case.order > 8:
            return "the bound is reached only with many more samples than order^2; run at orders up to 8"
        return None

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """The Jacobian, or (scan level) the last states of unit impulses: the scan is linear."""
        length = 4 * LENGTH
        operator = oracle.operator(case)
        if case.level == "gradient":
            result = target.call(case, np.ones(length, dtype=case.dtype), case.order)
            problem = malformed(result, "value", (case.order, length), {})
            if problem is not None:
                record.add(problem)
                return
            jacobian = result.value
        else:
            columns = []
            for k in range(length):
                result = target.call(case, np.eye(length, dtype=case.dtype)[k], case.order)
                shape = (case.order,) if result.arrays and result.value.ndim == 1 else (length, case.order)
                problem = malformed(result, "value", shape, {"input": {"name": f"impulse at {k}", "length": length}})
                if problem is not None:
                    record.add(problem)
                    return
                columns.append(result.value if result.value.ndim == 1 else result.value[-1])
            jacobian = np.stack(columns, axis=1)
        share = np.full(length, 1 / length)
        if case.measure == "legs_lti":
            ages = (case.dt or 0) * np.arange(length, -1, -1)
            share = np.exp(-ages[1:]) - np.exp(-ages[:-1])
        influence = norm(jacobian.T)
        allowed = case.order * share
        limits = jacobian_limits(operator, length, case.dtype)

        def where(index: tuple[int, ...]) -> dict[str, Any]:
            return {"what": f"the influence of sample {index[0]} beyond N times its share", "index": list(index)}

        excess = np.where(np.isfinite(influence), np.maximum(influence - allowed, 0), np.inf)
        record.add(
            judge(
                excess,
                limits,
                truth=0.0,  # a bound, not a computed value
                scale=float(allowed.max()),
                got=influence,
                expected=allowed,
                where=where,
            )
        )
        record.details["largest_share_of_bound"] = float(np.nan_to_num((influence / allowed).max(), posinf=-1))

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Gains beyond the bound."""
        return pick(case, "doubled_state", "doubled_B")
