"""Stability: no step amplifies, and after six thousand steps (full suite: a million) the state is still exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from verify.bounds import ROUNDOFF, Limits, majorant
from verify.bounds.long_runs import contraction_limits, long_limits, sizes_of
from verify.case import Case
from verify.checks.base import Check, Record, Suite, Undecidable, Unoffered, judge, malformed, states_of
from verify.checks.long_base import judge_states, told, unbounded
from verify.defects import Defect, pick
from verify.inputs import Signal
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import Result, Target, TargetError

LENGTHS = {
    "quick": {"float64": 6_000, "float32": 4_000},
    "full": {"float64": 1_000_000, "float32": 4_000},
}
"""Steps of the long run: in float32 rounding may take all digits of a longer one."""
LARGEST_ORDER = 4
"""Orders up to which the long run is tried."""
NOISE = 32
"""Samples before the constant sets in: they excite every coefficient."""
INDICES = (1, 1000, 70_001)
"""Steps whose transition is taken: the first, a late one, and one past an index of 16 bits."""


class Stability(Check):
    """Growth over one step, and over many."""

    key = "stability"
    claim = (
        "no step amplifies in the norm of the measure, and a constant is approached for ever: the distance to it never "
        "grows, and the last state is the product of all steps in closed form"
    )
    levels = ("step", "scan")

    def why_not(self, case: Case) -> str | None:
        """Rules that contract."""
        if case.level == "scan":
            if case.order > LARGEST_ORDER:
                return f"so long a run is tried at orders up to {LARGEST_ORDER}"
            return unbounded(case)
        if case.method in ("trapezoid", "foh"):
            return f"{case.method} needs two samples per step; a step function is given one"
        return unbounded(case)

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Transitions from unit states, or one long run."""
        if case.level == "step":
            for index in INDICES if case.dt is None else INDICES[1:2]:
                self._transition(case, oracle, target, record, index)
                if record.failure is not None:
                    return
            return
        self._run(case, oracle, target, LENGTHS[suite.name][case.dtype], record)

    def _transition(self, case: Case, oracle: Oracle, target: Target, record: Record, index: int) -> None:
        operator = oracle.operator(case)
        columns = []
        for k in range(case.order):
            unit = np.zeros(case.order, dtype=case.dtype)
            unit[k] = 1
            place: dict[str, Any] = {
                "input": {"name": f"unit state {k}", "state": [x.hex() for x in unit.astype(float).tolist()],
                          "sample": (0.0).hex(), "index": index}
            }  # fmt: skip
            result = target.call(case, unit, 0.0, index)
            problem = malformed(result, "value", (case.order,), place)
            if problem is not None:
                record.add(problem, index)
                return
            columns.append(result.value.astype(float))
        D = operator.weights
        got = np.stack(columns, axis=1) * D[:, None] / D[None, :]
        size = float(np.linalg.norm(got, 2)) if np.isfinite(got).all() else np.inf
        # Of a late step of LegS, close to the identity, the very size is known: 1 - O(1/k).
        exact = float(np.linalg.norm(majorant(operator, index).transition, 2))
        two_sided = case.dt is None and index > case.order**2
        expected = exact if two_sided else 1.0
        error = abs(size - exact) if two_sided else max(size - 1, 0.0)

        def where(_: tuple[int, ...]) -> dict[str, Any]:
            what = f"the largest amplification by the step that reads sample {index}"
            return {**place, "what": what, "index": [index]}

        finding = judge(
            np.array([error]),
            contraction_limits(operator, index, case.dtype),
            truth=8 * case.order * ROUNDOFF["float64"],  # of two singular values
            scale=1.0,
            got=np.array([size]),
            expected=np.array([expected]),
            where=where,
            normwise=target.normwise,
        )
        record.add(finding, index)

    def _run(self, case: Case, oracle: Oracle, target: Target, length: int, record: Record) -> None:
        noise = [((7 * i * i + 3 * i) % 17 - 8) / 8 for i in range(NOISE)]
        start = (*noise, 1.0, 1.0)
        given = Signal((*start, *(1.0,) * (length - len(start))), f"noise, then a constant, {length} samples")
        try:
            result = target.call(case, given.array(case.dtype), case.order)
        except TargetError as error:
            if error.kind != "timeout" or length <= LENGTHS["quick"][case.dtype]:
                raise
            raise Undecidable(f"{length} steps take longer than the time for one call; give it more") from error
        place: dict[str, Any] = {"input": {"name": given.name, "length": length}}
        problem = states_of(result, length, case.order, place)
        if problem is not None:
            record.add(problem, length)
            return
        operator = oracle.operator(case)
        sizes = sizes_of(operator, given.values)
        limits = long_limits(operator, given.values, sizes, case.dtype)
        reads = [length - len(start)]
        while reads[-1] > 1:
            reads.append(reads[-1] // 2)
        exact = oracle.late_states(case, start, reads[::-1])
        indices = [len(start) - 1 + count for count in reads[::-1]]
        finding = judge_states(operator, given, result.value, exact, indices, limits, sizes, target.normwise)
        if finding is None:
            raise Unoffered("in this precision rounding may take a tenth of every state of so long a run")
        record.add(finding, length)
        if record.failure is None and result.value.ndim == 2 and operator.contracts:
            self._growth(case, oracle, given, result, limits, len(start), record)

    def _growth(
        self, case: Case, oracle: Oracle, given: Signal, result: Result, limits: Limits, first: int, record: Record
    ) -> None:
        """LegS: the distance to the constant; invariant laws: what a step changes. Neither grows."""
        D = oracle.operator(case).weights
        states = result.value[first:].astype(float)
        with np.errstate(invalid="ignore"):
            # Where the bound itself has left the range of numbers, nothing is promised of the next step either.
            added = [
                np.nan_to_num(np.diff(side)[first - 1 :], nan=np.inf, posinf=np.inf)
                for side in (limits.forward, limits.backward)
            ]
        with np.errstate(all="ignore"):
            if case.dt is None:
                distance = norm(states - np.eye(case.order)[0] * given.values[-1], D)
                allowed = [side[1:] for side in added]
            else:
                distance = norm(np.diff(states, axis=0), D)
                allowed = [side[1:-1] + side[2:] for side in added]
            growth = np.maximum(distance[1:] - distance[:-1], 0.0)
        growth = np.where(np.isfinite(distance[1:]), growth, np.inf)

        def where(index: tuple[int, ...]) -> dict[str, Any]:
            k = first + 1 + index[0]
            place = {"input": {"name": given.name, "length": len(given)}}
            return {**place, "what": f"the growth in the step to state {k} under a constant", "index": [k]}

        finding = judge(
            growth,
            Limits(allowed[0], np.maximum(allowed[0], allowed[1]), "rounding of one step"),
            truth=4 * case.order * ROUNDOFF["float64"] * distance[:-1],
            scale=1.0,
            got=distance[1:],
            expected=distance[:-1],
            where=where,
        )
        record.add(told(finding, given), len(given))

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Operators that amplify, and clocks, states and memories that end."""
        if case.level == "step":
            return pick(case, "negated_A", "doubled_state", "index_16_bit")
        return pick(case, "negated_A", "stopped_at_5000", "index_float16", "nan_after_5000", "restarted")
