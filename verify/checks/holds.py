"""Hold exactness: what a rule promises to reproduce, it reproduces, however long a piece is."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from verify.boundary import Exact
from verify.bounds.long_runs import long_limits, sizes_of
from verify.case import Case
from verify.checks.base import Check, Record, Suite, Unoffered, states_of
from verify.checks.long_base import judge_states, unbounded, uneven_times
from verify.defects import Defect, pick
from verify.inputs import Signal, TimedSignal
from verify.oracle import Oracle
from verify.result import Target

UNIT = {"quick": 40, "full": 640}
"""Samples of the shortest piece."""
PIECES = ((1.5, 2), (-0.75, 4), (0.5, 1), (2.0, 8), (-1.25, 1))
"""Values, and lengths of the pieces in units: dyadic, so that lines between them are exact in either precision."""


class Hold(Check):
    """Comparison with projections that know no recurrence: integrals of the kernels over a few long pieces."""

    key = "hold"
    claim = (
        "what a rule holds it reproduces exactly: constants are e_0 at every step, zoh constants on pieces, foh lines "
        "on pieces, trapezoid one line"
    )
    levels = ("scan", "timed_scan")

    def why_not(self, case: Case) -> str | None:
        """The projection of a piece is known in closed form for LegS."""
        if case.measure != "legs":
            return f"a state of {case.measure} is no projection of all that was read; `scan` compares it"
        if case.level == "timed_scan" and case.method == "trapezoid":
            return "on uneven times no bound is derived for the trapezoid rule"
        return unbounded(case)

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """A constant first, compared at every step; then the pieces, at some."""
        unit = UNIT[suite.name]
        length = unit * sum(count for _, count in PIECES) + 1
        times = uneven_times(case, length) if case.level == "timed_scan" else None
        constant = Exact(np.zeros((length, case.order)), np.zeros((length, case.order)))
        constant.high[:, 0] = PIECES[0][0]
        self._compare(
            case, oracle, target, record, "constant", (PIECES[0][0],) * length, times, range(length), constant
        )
        if not record.findings:
            raise Unoffered("in this precision rounding may take a tenth of every state of so long a run")
        if record.failure is not None or case.method not in ("zoh", "foh", "trapezoid"):
            return
        values, knots = _pieces(case, unit, times)
        ends = [end for before, end in pairwise(knots) for end in ((before + end) // 2, end)]
        indices = sorted({*ends, 1, length - 1})
        rows = [_projection(case, oracle, values, knots, times, k) for k in indices]
        exact = Exact(*(np.stack([getattr(row, part) for row in rows]) for part in ("high", "low", "radius")))
        name = "constant pieces" if case.method == "zoh" else "linear pieces"
        self._compare(case, oracle, target, record, name, values, times, indices, exact)

    def _compare(
        self,
        case: Case,
        oracle: Oracle,
        target: Target,
        record: Record,
        name: str,
        values: tuple[float, ...],
        times: tuple[float, ...] | None,
        indices: Sequence[int],
        exact: Exact,
    ) -> None:
        given = Signal(values, name) if times is None else TimedSignal(values, times, f"{name}, uneven times")
        result = target.call(case, *given.arguments(case))
        place: dict[str, Any] = {"input": {"name": given.name, "length": len(values)}}
        problem = states_of(result, len(values), case.order, place)
        if problem is not None:
            record.add(problem, len(values))
            return
        operator = oracle.operator(case, times)
        # Exact projections are no larger than the signal; of the other rules only constants are asked.
        sizes = np.maximum.accumulate(np.abs(values))
        if case.method == "trapezoid":
            sizes = sizes_of(operator, values)
        limits = long_limits(operator, values, sizes, case.dtype)
        finding = judge_states(operator, given, result.value, exact, indices, limits, sizes, target.normwise)
        if finding is not None:
            record.add(finding, len(values))

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Clocks that stop, pieces that are read late, and other rules."""
        if case.level == "timed_scan":
            return pick(case, "last_times_ignored") if case.method in ("zoh", "foh") else pick(case, "doubled_B")
        if case.method in ("zoh", "foh", "trapezoid"):
            return pick(case, "stopped_at_512", "late_sample", "bilinear_used")
        return pick(case, "doubled_B", "halved_B", "diagonal_short")


def _pieces(case: Case, unit: int, times: tuple[float, ...] | None) -> tuple[tuple[float, ...], list[int]]:
    """Samples, and the indices at which a piece ends (zoh) or a line meets the next (foh, and the ends of its one)."""
    total = unit * sum(count for _, count in PIECES)
    knots = [0]
    for _, count in PIECES:
        knots.append(knots[-1] + unit * count)
    if case.method == "zoh":
        counts = [end - start for start, end in pairwise(knots)]
        counts[0] += 1  # index 0 belongs to the first piece
        return tuple(v for (v, _), count in zip(PIECES, counts, strict=True) for _ in range(count)), knots
    if case.method == "trapezoid":
        return tuple(0.5 - k / 256 for k in range(total + 1)), [0, total]
    nodes = np.arange(total + 1.0) if times is None else np.array(times)
    # Slopes of a few bits: each value is exact, and the line through two of them is the line.
    slopes = np.repeat([v / 64 for v, _ in PIECES], np.diff(knots))
    return (0.5, *(0.5 + np.cumsum(slopes * np.diff(nodes))).tolist()), knots


def _projection(
    case: Case, oracle: Oracle, values: tuple[float, ...], knots: list[int], times: tuple[float, ...] | None, k: int
) -> Exact:
    """Exact projection at index k of the pieces read so far."""
    if case.method == "trapezoid":
        case = Case(case.target, order=case.order, method="foh", level=case.level)
    shown = [knot for knot in knots if knot < k] + [k]
    if case.method == "zoh":
        shown = [knot for knot in shown if knot > 0]
    first = 1 if case.method == "zoh" else 0  # cell i ends at i + 1, node i is at i
    at = [Fraction(i + first if times is None else times[i]) for i in shown]
    return oracle.held(case, [values[i] for i in shown], at)
