"""Convergence: a scan approaches the exact projection with the order of its rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from verify.bounds import Limits, hold_degree, scan_limits
from verify.candidates import TILTED
from verify.case import Case
from verify.cases import reads_nodes
from verify.checks.base import Check, Record, Suite, judge, series, states_of
from verify.checks.budget_base import Run, error_budget, multiplications
from verify.checks.scan_base import sample_times
from verify.defects import WRONG_RULE, Defect, pick
from verify.metrics import norm
from verify.oracle import Function, Oracle, wave
from verify.result import Target

LENGTHS = (64, 128, 256)
LARGEST_ORDER = 8


def nominal_order(method: str, *, scale_law: bool) -> int:
    """Order against the exact projection (closed measures: the closed ODE), samples at nodes or the middles of cells.

    The published LegS bilinear rule, as every GBT(a) there, uses h = 1/k on both sides and is of first order only. A
    hold of degree d is of order d + 1, constants at the middles of their cells of order 2. Its first step is linear
    whatever the degree, an error of ``h^3 f''(0)``, so order 4 shows where f'' vanishes at the start.
    """
    degree = hold_degree(method)
    if degree is not None:
        return degree + 1 if degree else 2
    return 2 if method == "trapezoid" or (method == "bilinear" and not scale_law) else 1


def test_signal(method: str) -> Function:
    """A smooth signal, without a second derivative at 0 where a cubic hold would be spoiled by it."""
    return wave(3, phase=0) if hold_degree(method) == 3 else wave(3)


class Convergence(Check):
    """Errors against the projection, at three lengths; under an invariant law each has a step of its own."""

    key = "convergence"
    claim = "the last state of a scan approaches the exact projection with the order of its rule (LegS bilinear: 1)"
    levels = ("scan",)

    def why_not(self, case: Case) -> str | None:
        """The order shows only where the number of samples is far above order^2."""
        if case.order > LARGEST_ORDER:
            return (
                f"the order of a rule shows with many more samples than order^2 ; run at orders up to {LARGEST_ORDER}"
            )
        if case.measure == "legs" and case.method == "euler" and case.order > 4:
            return "forward Euler on LegS blows up before it converges"
        return None

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Errors against the exact distance of the rule, then the order that the errors show."""
        scale_law = case.dt is None
        function = test_signal(case.method)
        nominal = nominal_order(case.method, scale_law=scale_law)
        if scale_law:
            end = Fraction(1)
            truth = oracle.projection(case, function, end)
        else:
            end = Fraction(case.dt or 0) * LENGTHS[0]
            truth = oracle.closed_state(case, function, end)
        D = oracle.operator(case).weights
        size = float(norm(truth.high, D))
        got_errors, rule_errors, rounding = [], [], []
        runs: list[Run] = []
        for steps in LENGTHS:
            finer = case if scale_law else replace(case, dt=(case.dt or 0) * LENGTHS[0] / steps)
            if finer.dt != case.dt and target.why_not(finer) is not None:
                break  # a target that cannot be told its step is tried at one only
            # An invariant law that reads nodes needs the one at time 0 as well.
            length = steps if scale_law or not reads_nodes(case.method) else steps + 1
            times = [end * time for time in sample_times(case.method, length)]
            values = np.array(function.samples(times), dtype=case.dtype).astype(float)
            samples = tuple(values.tolist())
            place = {"input": {"name": function.name, "length": length}, "dt": finer.dt}
            step = "" if scale_law else f", dt = {finer.dt:g}"
            result = target.call(finer, np.array(samples, dtype=case.dtype), case.order)
            problem = states_of(result, length, case.order, place)
            if problem is not None:
                record.add(problem)
                return
            last = np.atleast_2d(result.value)[-1]
            exact = oracle.states(finer, samples)
            limits = scan_limits(oracle.operator(finer), samples, exact.high, case.dtype)
            error, rule = float(norm(truth.error(last), D)), float(norm(truth.error(exact.high[-1]), D))
            # Both distances are to one truth; the rule's own state is rounded to doubles before its distance is taken.
            unknown = float(2 * norm(truth.radius, D) + norm(exact.radius[-1] + np.abs(exact.low[-1]), D))
            # By the triangle inequality, two states closer than rounding have distances closer than rounding.
            source = "rounding of the scan, about the exact distance of the rule to the projection"
            bound = Limits(limits.forward[-1:], limits.backward[-1:], source)

            def where(_: tuple[int, ...], length: int = length, place: dict[str, Any] = place,
                      step: str = step) -> dict[str, Any]:  # fmt: skip
                what = f"the distance to the exact projection at L = {length}{step}"
                return {**place, "what": what, "index": [length]}

            got, expected = np.array([error]), np.array([rule])
            finding = judge(got - expected, bound, truth=unknown, scale=size, got=got, expected=expected, where=where)
            record.add(finding, length)
            got_errors.append(error)
            rule_errors.append(rule)
            rounding.append((float(limits.forward[-1]), float(limits.backward[-1]), unknown))
            runs.append(Run(finer, tuple(function.samples(times)), last.astype(float), exact[-1], limits.forward[-1]))
        record.details["errors"] = got_errors
        record.details["rule_errors"] = rule_errors
        record.details["lengths"] = list(LENGTHS[: len(got_errors)])
        record.details["nominal_order"] = nominal
        record.details["relative_to"] = size
        record.details["rounding"] = series(forward for forward, _, _ in rounding)
        record.details["multiplications"] = [multiplications(case, length) for length in record.details["lengths"]]
        # For the pictures alone: whatever is not known here changes no verdict.
        if case.measure not in TILTED:  # whose windows rebuild no signal in the norm of the measure
            try:
                record.details["budget"] = error_budget(case, function, end, runs, oracle)
            except (ArithmeticError, ValueError) as reason:
                record.details["budget_missing"] = str(reason)
        if len(got_errors) < len(LENGTHS) or record.failure is not None:
            return
        self._order(record, got_errors, rule_errors, rounding, nominal)

    def _order(
        self,
        record: Record,
        got: list[float],
        rule: list[float],
        rounding: list[tuple[float, float, float]],
        nominal: int,
    ) -> None:
        """The slope between the two longest scans; rounding and an unknown truth may tilt it by their shares."""
        shown = math.log2(got[-2] / got[-1]) if got[-1] > 0 and got[-2] > 0 else math.inf
        exact = math.log2(rule[-2] / rule[-1])
        record.details["order"] = shown if math.isfinite(shown) else None
        record.details["rule_order"] = exact
        tilt = [sum(-math.log2(max(1 - r[side] / e, 1e-300)) for r, e in zip(rounding[-2:], rule[-2:], strict=True))
                for side in (0, 1, 2)]  # fmt: skip

        if tilt[0] > 0.5:
            record.details["order_not_judged"] = "rounding is too large a share of the errors to show a slope"
            return

        def where(_: tuple[int, ...]) -> dict[str, Any]:
            return {"what": f"the order of convergence (nominal {nominal})", "index": [LENGTHS[-1]]}

        limits = Limits(
            np.array([tilt[0]]), np.array([tilt[1]]), "share of rounding in the errors whose slope is taken"
        )
        record.add(
            judge(
                np.array([abs(shown - exact)]),
                limits,
                truth=tilt[2],
                scale=math.inf,  # a tilt of 0.5 is narrow enough to tell orders apart
                got=np.array([shown]),
                expected=np.array([exact]),
                where=where,
            )
        )

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Rules of lower order or of none, and operators that converge to something else."""
        # Forward Euler annihilates coefficient n of the start at k = n + 1: where it starts no longer shows at the end.
        start = () if case.method == "euler" else ("zero_start",)
        # The signal of a cubic hold is 0 at time 0, where reading it early does no harm.
        rules = WRONG_RULE if hold_degree(case.method) != 3 else tuple(k for k in WRONG_RULE if k != "node_stepped_to")
        return pick(
            case,
            "doubled_B",
            "transposed",
            "one_based",
            "diagonal_short",
            "late_sample",
            "clock_late",
            *start,
            "backward_euler_used",
            "euler_used",
            "bilinear_used",
            "zoh_used",
            "double_step",
            "clamped_clock",
            *rules,
            "step_baked",
        )
