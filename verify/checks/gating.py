"""Gating: at order 1 every rule is a gate ``c' = (1 - g) c + g u``, with g in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from verify.boundary import Exact, to_exact, to_mpf
from verify.bounds import Limits, gbt_weight, scan_limits, step_limits
from verify.case import Case
from verify.cases import reads_nodes
from verify.checks.base import Check, Record, Suite, Unoffered
from verify.checks.stream_base import Run, judge_run
from verify.defects import Defect, pick
from verify.inputs import Input, Signal, Transition
from verify.metrics import norm
from verify.oracle import PAIR_DIGITS, Oracle
from verify.result import Result, Target, TargetError
from verify.strategies import corpus_signals

WORKING_DIGITS = 2 * PAIR_DIGITS
LENGTH = 40
"""Samples of a scan: the gate of LegS closes as 1/k, that of an invariant law stays."""
NAMED = ("one sample", "two samples", "impulse at the start", "alternating", "wave")


def gate(case: Case, rate: Any, k: int) -> Any:
    """The share g of the new input in step k, as mpf, at the working precision.

    With ``A = (-a)`` and step h (``h = dt`` of an invariant law, ``h = 1/k`` of LegS), GBT(w) solves
    ``(1 + w h a) c' = (1 - (1 - w) h a) c + h a v``, v the fixed point of the input, hence ``g = h a / (1 + w h a)``.
    A hold decays by the exact exponential, ``g = 1 - e^{-h a}``, and under LegS ``g = 1 - (k/(k+1))^a``. LegS has
    ``a = 1``: euler 1/k, bilinear 2/(2k+1), backward Euler and zoh 1/(k+1), the running mean. Sample 0 of LegS is taken
    whole. Source: HiPPO section 2.5.

    Args:
        case: gives the law, the rule and dt.
        rate: ``a = -A_00`` at order 1.
        k: index of the sample.
    """
    if case.dt is None and k == 0:
        return mpmath.mpf(1)
    weight = gbt_weight(case.method)
    if weight is None:
        return 1 - (mpmath.mpf(k) / (k + 1)) ** rate if case.dt is None else -mpmath.expm1(-mpmath.mpf(case.dt) * rate)
    h = mpmath.mpf(1) / k if case.dt is None else mpmath.mpf(case.dt)
    share = Fraction(case.method[4:-1]) if case.method.startswith("gbt(") else Fraction(weight)
    return h * rate / (1 + h * rate * share.numerator / share.denominator)


class Gating(Check):
    """Comparison of order 1 with the closed form of its gate."""

    key = "gating"
    claim = "at order 1 the update is a gate c' = (1 - g) c + g u, with g from the rule alone (HiPPO section 2.5)"
    levels = ("step", "scan")
    beside = True

    def why_not(self, case: Case) -> str | None:
        """A gate has one input."""
        if reads_nodes(case.method):
            return f"{case.method} reads two samples or more in a step: no gate on one input"
        return None

    def companions(self, case: Case) -> tuple[Case, ...]:
        """Order 1, whatever the order of the case."""
        return (replace(case, order=1),)

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Fixed inputs: at order 1 there is one direction to excite."""
        one = replace(case, order=1)
        operator = oracle.operator(one)
        D = operator.weights
        items: list[Input] = _transitions() if case.level == "step" else _signals(case.dtype)
        for item in items:
            result = self._ask(case, one, target, item)
            if isinstance(item, Transition):
                exact = _gated(one, oracle, (item.sample,), item.state[0], item.index)
                state = np.array(item.state)
                found = step_limits(operator, state, item.sample, exact.high[0], item.index, case.dtype)
                limits = Limits(np.atleast_1d(found.forward), np.atleast_1d(found.backward), found.source)
                size = max(float(norm(exact.high[0], D)), float(norm(state, D)), abs(item.sample))
                run = Run(exact, limits, np.array([size]), D, item.index)
            elif isinstance(item, Signal):
                exact = _gated(one, oracle, item.values, 0.0, 0)
                limits = scan_limits(operator, item.values, exact.high, case.dtype)
                run = Run(exact, limits, np.maximum.accumulate(norm(exact.high, D)), D)
            record.add(judge_run(run, result, {"input": item.to_json()}, "state {row} at order 1"), item.size)

    def _ask(self, case: Case, one: Case, target: Target, item: Input) -> Result:
        """The answer at order 1. A target asked for another order need not have this one."""
        try:
            result = target.call(one, *item.arguments(one))
        except TargetError as error:
            if error.kind != "raised" or case.order == 1:
                raise
            raise Unoffered(f"the target has no order 1: {error.message}") from error
        if not result.malformed and case.order != 1 and result.value.shape[-1:] == (case.order,):
            length = item.size if case.level == "scan" else 0
            if result.value.shape in ((case.order,), (length, case.order)) and result.value.shape != (length,):
                raise Unoffered(f"the target has one order: asked for 1 coefficient it gives {case.order}")
        return result

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Order 1 with a path of its own that is wrong, and wrong gates."""
        wrong = ["squeezed_order_one", "order_one_ungated", "euler_used", "bilinear_used"]
        if case.measure != "legs":  # at order 1 of LegS both are the running mean
            wrong += ["zoh_used", "backward_euler_used"]
        return pick(case, *wrong)


def _gated(one: Case, oracle: Oracle, samples: Sequence[float], state: float, first: int) -> Exact:
    """Exact states (L, 1) by the closed form of the gate, from a state before sample ``first``."""
    A, B = oracle.system(one)
    (a,), (b,) = to_mpf(A[0]), to_mpf(B)
    with mpmath.workdps(WORKING_DIGITS):
        rate, rows = -a, []
        value = mpmath.mpf(state)
        for i, sample in enumerate(samples):
            g = gate(one, rate, first + i)
            # The input is held against the fixed point of the law, (b/a) u: for LegS and the windows that is u itself.
            point = sample if one.dt is None and first + i == 0 else sample * b / rate
            value = value + g * (point - value)
            rows.append([value])
        exact = to_exact(rows, (len(samples), 1), PAIR_DIGITS, max(map(abs, (*samples, state))))
    # LegS has rational gates: a zero is no cancellation of which digits are missing, but a gate that is wide open.
    radius = np.where(exact.high == 0, 0.0, exact.radius) if one.dt is None else exact.radius
    return Exact(exact.high, exact.low, radius)


def _transitions() -> list[Input]:
    """The first sample, early and late steps, and a step with nothing new."""
    return [
        Transition((0.75,), -1.25, 0, "first sample"),
        Transition((0.75,), -1.25, 1, "second sample"),
        Transition((-0.5,), 0.75, 7, "early"),
        Transition((1.0,), 0.0, 7, "no input"),
        Transition((0.0,), 1.0, 12, "no memory"),
        Transition((0.5,), -1.0, 1000, "late"),
    ]


def _signals(dtype: str) -> list[Input]:
    return [signal for signal in corpus_signals(LENGTH, dtype) if signal.name in NAMED]
