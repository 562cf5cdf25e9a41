"""Influence at long lags: every sample of a long run keeps its exact weight, and never more than its share allows."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from verify.boundary import Exact
from verify.bounds import Limits, jacobian_limits
from verify.bounds.long_runs import continued, long_limits, sizes_of
from verify.case import Case
from verify.checks.base import (
    MEANINGFUL,
    Check,
    Finding,
    Record,
    Suite,
    Unoffered,
    judge,
    malformed,
    series,
    states_of,
    worst_coefficient,
)
from verify.checks.long_base import told, unbounded
from verify.defects import Defect, pick
from verify.inputs import Signal
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import Target

Array = np.ndarray[Any, np.dtype[Any]]

LENGTHS = {"quick": {"gradient": 300, "scan": 600}, "full": {"gradient": 1000, "scan": 4000}}
"""Samples: beyond the 256 at which truncated backpropagation is fond of stopping."""
LARGEST_ORDER = 16
SHARED = (("legs", "zoh"), ("legs", "foh"), ("legs_lti", "zoh"))
"""Measures and rules under which a sample's influence is bounded by N times its share of the measure."""
LAGS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 299, 512, 599, 999, 2048, 3999)
"""Those that a picture shows: powers of 2, and the longest of each suite."""


class GradientBound(Check):
    """Proposition 5 as the formula of a norm, and its bound."""

    key = "gradient_bound"
    claim = (
        "at any lag a sample has the exact influence: under a hold the integral of s_n P_n(2 t0/t1 - 1)/t1 over its "
        "cell, whose norm is at most N times its share of the measure (HiPPO proposition 5)"
    )
    levels = ("gradient", "scan")

    def why_not(self, case: Case) -> str | None:
        """Contracting rules, at orders at which so long a reverse pass is cheap."""
        if case.order > LARGEST_ORDER:
            return f"so long a run is differentiated at orders up to {LARGEST_ORDER}"
        if case.level == "scan" and (case.measure, case.method) not in (("legs", "zoh"), ("legs", "foh")):
            return "the influence in a scan is taken under the holds of legs, whose kernel is known in closed form"
        return unbounded(case, node_trapezoid=False)

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """The whole Jacobian, or the last states of some unit impulses: the scan is linear."""
        length = LENGTHS[suite.name][case.level]
        if case.level == "gradient":
            self._jacobian(case, oracle, target, length, record)
        else:
            self._impulses(case, oracle, target, length, record)
        if not record.findings:
            raise Unoffered("in this precision rounding may take a tenth of so small an influence")

    def _impulses(self, case: Case, oracle: Oracle, target: Target, length: int, record: Record) -> None:
        for index in (0, length // 9, length - 1):
            impulse = Signal(tuple(float(i == index) for i in range(length)), f"impulse at {index}")
            place: dict[str, Any] = {"input": {"name": impulse.name, "length": length}}
            result = target.call(case, impulse.array(case.dtype), case.order)
            problem = states_of(result, length, case.order, place)
            if problem is not None:
                record.add(problem, length)
                return
            operator = oracle.operator(case)
            limits = long_limits(operator, impulse.values, sizes_of(operator, impulse.values), case.dtype)
            last = Limits(limits.forward[-1:], limits.backward[-1:], limits.source)
            column = np.atleast_2d(result.value)[-1][None]
            exact = _weight(case, oracle, length, index)
            for finding in _judged(case, oracle, impulse, column, exact, last, [index]):
                record.add(finding, length)
            _keep(case, oracle, record, "influence", [length - 1 - index], column, exact, last.forward)
            if index == 0 and result.value.ndim == 2:
                self._later(case, oracle, result.value, record)
            if record.failure is not None:
                return

    def _later(self, case: Case, oracle: Oracle, states: Array, record: Record) -> None:
        """The influence of the first sample as the run goes on, which falls like 1/t: for a picture, not judged."""
        counts = [n for n in LAGS if 2 <= n <= len(states)]
        try:
            exact = [_weight(case, oracle, count, 0) for count in counts]
        except (ArithmeticError, ValueError):  # nothing here changes a verdict
            return
        parts = (np.concatenate([getattr(one, name) for one in exact]) for name in ("high", "low", "radius"))
        _keep(case, oracle, record, "later", counts, states[[count - 1 for count in counts]], Exact(*parts), None)

    def _jacobian(self, case: Case, oracle: Oracle, target: Target, length: int, record: Record) -> None:
        given = Signal(tuple(((5 * i) % 7 - 3) / 4 for i in range(length)), f"{length} samples")
        result = target.call(case, given.array(case.dtype), case.order)
        place: dict[str, Any] = {"input": given.to_json()}
        problem = malformed(result, "value", (case.order, length), place)
        if problem is not None:
            record.add(problem, length)
            return
        exact = oracle.jacobian(case, length)
        columns = Exact(exact.high.T, exact.low.T, exact.radius.T)
        limits = jacobian_limits(oracle.operator(case), length, case.dtype)
        # Each sample stands in its own step and in the next.
        line = continued(oracle.operator(case), length + 1, case.dtype)
        line = line[:-1] + line[1:]
        limits = Limits(limits.forward + line, limits.backward + line, limits.source)
        for finding in _judged(case, oracle, given, result.value.T, columns, limits, range(length)):
            record.add(finding, length)
        lags = [lag for lag in LAGS if lag < length]
        kept = [length - 1 - lag for lag in lags]
        _keep(case, oracle, record, "influence", lags, result.value.T[kept], columns[kept], limits.forward[kept])
        if case.measure == "legs" and case.method in ("zoh", "foh"):
            # Once more from the kernel itself, which knows no recurrence.
            for index in (0, 1, length // 9, length - 1):
                chosen = Limits(limits.forward[index : index + 1], limits.backward[index : index + 1], limits.source)
                kernel = _weight(case, oracle, length, index)
                for finding in _judged(case, oracle, given, result.value.T[index][None], kernel, chosen, [index]):
                    record.add(finding, length)

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Gradients that are cut, turned or scaled; scans whose late clock or start is wrong."""
        if case.level == "gradient":
            return pick(
                case, "truncated_gradient", "chunk_detached", "columns_reversed", "mean_gradient", "first_detached",
                "doubled_state", "doubled_B", "float32_states",
            )  # fmt: skip
        return pick(case, "doubled_state", "late_sample", "stopped_at_512")


def _weight(case: Case, oracle: Oracle, length: int, index: int) -> Exact:
    """(1, N) integral of the kernel over the cell of a sample (zoh), or with the hat between its neighbours (foh)."""
    if case.method == "zoh":
        ends = sorted({index, index + 1, length} - {0})
        found = oracle.held(case, [float(end == index + 1) for end in ends], [Fraction(end) for end in ends])
    else:
        nodes = sorted({0, max(index - 1, 0), index, min(index + 1, length - 1), length - 1})
        found = oracle.held(case, [float(node == index) for node in nodes], [Fraction(node) for node in nodes])
    return Exact(found.high[None], found.low[None], found.radius[None])


def _keep(
    case: Case, oracle: Oracle, record: Record, name: str, places: Sequence[int], got: Array, exact: Exact, limit: Any
) -> None:
    """Influences at some lags or times, beside the exact ones and the shares that bound them: numbers for a picture."""
    D = oracle.operator(case).weights
    kept = record.details.setdefault(name, {})
    columns: dict[str, Any] = {"places": list(places), "norms": series(norm(got.astype(float), D))}
    columns["exact"] = series(norm(exact.high, D))
    if limit is not None:
        columns["rounding"] = series(limit)
    if (case.measure, case.method) in SHARED:
        columns["shares"] = series(exact.high[:, 0])
    for column, values in columns.items():
        kept.setdefault(column, []).extend(values)


def _judged(
    case: Case,
    oracle: Oracle,
    given: Signal,
    got: Array,
    exact: Exact,
    limits: Limits,
    indices: Sequence[int],
) -> list[Finding]:
    """Each column against the exact one; under the holds of LegS and its LTI form also against N times its share.

    Of a column that rounding may change by a tenth, whatever the answer is, nothing is said.
    """
    D = oracle.operator(case).weights
    columns = norm(exact.high, D)
    scale = float(columns.max()) if len(columns) > 1 else 1 / len(given)
    decisive = limits.forward <= MEANINGFUL * min(scale, float(np.abs(exact.high[:, 0]).max()) * case.order)
    if not decisive.any():
        return []
    got, exact, indices = got[decisive], exact[decisive], np.asarray(indices)[decisive].tolist()
    limits = Limits(limits.forward[decisive], limits.backward[decisive], limits.source)
    signed = exact.error(got)

    def where(index: tuple[int, ...]) -> dict[str, Any]:
        i, k = index[0], indices[index[0]]
        values = worst_coefficient(got[i], signed[i], exact.high[i], D)
        coefficient = values["coefficient"]
        what = f"d c_{coefficient} / d samples[{k}], {len(given) - 1 - k} samples later,"
        return {"input": {"name": given.name}, **values, "what": what, "index": [coefficient, k]}

    findings = [
        judge(
            norm(signed, D),
            limits,
            truth=norm(exact.radius, D),
            scale=scale,
            got=got,
            expected=exact.high,
            where=where,
        )
    ]
    if (case.measure, case.method) in SHARED:
        # g_0 = 1: the first coefficient of a weight is the sample's share of the measure.
        allowed, influence = case.order * exact.high[:, 0], norm(got)

        def beyond(index: tuple[int, ...]) -> dict[str, Any]:
            k = indices[index[0]]
            what = f"the influence of sample {k} beyond N times its share"
            return {"input": {"name": given.name}, "what": what, "index": [k]}

        findings.append(
            judge(
                np.where(np.isfinite(influence), np.maximum(influence - allowed, 0), np.inf),
                limits,
                truth=case.order * exact.radius[:, 0],
                scale=scale,
                got=influence,
                expected=allowed,
                where=beyond,
            )
        )
    return [told(finding, given) for finding in findings]
