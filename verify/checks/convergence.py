"""Convergence: a scan approaches the exact projection with the order of its rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from verify.bounds import Limits, scan_limits
from verify.case import Case
from verify.checks.base import Check, Record, Suite, judge
from verify.checks.scan_base import sample_times, states_of
from verify.defects import Defect, pick
from verify.metrics import norm
from verify.oracle import Oracle, wave
from verify.result import Target

LENGTHS = (64, 128, 256)
LARGEST_ORDER = 8

NOMINAL = {
    "legs": {"euler": 1, "backward_euler": 1, "bilinear": 1, "zoh": 2, "trapezoid": 2, "foh": 2},
    "invariant": {"euler": 1, "backward_euler": 1, "bilinear": 2, "zoh": 2},
}
"""Orders against the exact projection (closed measures: the closed ODE), samples at the middle of their cells.

The published LegS bilinear rule uses h = 1/k on both sides and is of first order only.
"""


class Convergence(Check):
    """Errors against the projection, at three lengths."""

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
        function = wave(3)
        nominal = NOMINAL["legs" if scale_law else "invariant"][case.method]
        if scale_law:
            truth = oracle.projection(case, function, Fraction(1))
        else:
            end = Fraction(case.dt or 0) * LENGTHS[0]
            truth = oracle.closed_state(case, function, end)
        D = oracle.operator(case).weights
        size = float(norm(truth.high, D))
        got_errors, rule_errors, rounding = [], [], []
        for length in LENGTHS:
            finer = case if scale_law else replace(case, dt=(case.dt or 0) * LENGTHS[0] / length)
            if finer.dt != case.dt and target.why_not(finer) is not None:
                break  # a target with a step size of its own is tried at that one only
            times = (
                sample_times(case.method, length)
                if scale_law
                else [Fraction(finer.dt or 0) * (2 * k + 1) / 2 for k in range(length)]
            )
            values = np.array(function.samples(times), dtype=case.dtype).astype(float)
            samples = tuple(values.tolist())
            place = {"input": {"name": function.name, "length": length}}
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

            def where(_: tuple[int, ...], length: int = length, place: dict[str, Any] = place) -> dict[str, Any]:
                return {**place, "what": f"the distance to the exact projection at L = {length}", "index": [length]}

            got, expected = np.array([error]), np.array([rule])
            finding = judge(got - expected, bound, truth=unknown, scale=size, got=got, expected=expected, where=where)
            record.add(finding, length)
            got_errors.append(error)
            rule_errors.append(rule)
            rounding.append((float(limits.forward[-1]), float(limits.backward[-1]), unknown))
        record.details["errors"] = got_errors
        record.details["rule_errors"] = rule_errors
        record.details["lengths"] = list(LENGTHS[: len(got_errors)])
        record.details["nominal_order"] = nominal
        record.details["relative_to"] = size
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
        )
