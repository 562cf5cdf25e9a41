"""Reconstruction: the read-out equals the exact sum of the basis, and gives polynomials of degree < N back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from verify.boundary import Exact
from verify.bounds import Limits, reconstruction_limits, state_rounding, tilted_limits
from verify.candidates import TILTED
from verify.case import Case
from verify.checks.base import Check, Finding, Record, Suite, explore, judge, malformed
from verify.defects import Defect, pick
from verify.inputs import ReadOut
from verify.oracle import Function, Oracle, harmonic, polynomial
from verify.result import Target
from verify.strategies import corpus_readouts, examples_for, readouts

GRID = tuple(Fraction(i, 16) for i in range(17))


class Reconstruction(Check):
    """Comparison of reconstructed values."""

    key = "reconstruct"
    claim = "the read-out is sum_n c_n g_n, so a polynomial (FouT: harmonic) in the span comes back from its projection"
    levels = ("reconstruct",)

    def why_not(self, case: Case) -> str | None:
        """Points are fractions of a window; LagT has none to take fractions of."""
        return "the window of lagt is infinite: a point is no fraction of it" if case.measure == "lagt" else None

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Signals of the span first, then coefficients of every size."""
        tilted = case.measure in TILTED
        largest = np.zeros(case.order) if tilted else oracle.largest_basis(case)

        def compare(item: ReadOut, exact: Exact, got: Any, extra: float) -> Finding:
            expected, signed = exact.high, exact.error(got)
            coefficients = np.array(item.coefficients)
            if tilted:
                points = np.array(item.points)
                limits, size = tilted_limits(case.measure, case.float_parameters, coefficients, points, case.dtype)
            else:
                limits = reconstruction_limits(largest, coefficients, case.dtype)
                limits = Limits(limits.forward + extra, limits.backward + extra, limits.source)
                size = np.asarray(np.dot(largest, np.abs(coefficients)))

            def where(index: tuple[int, ...]) -> dict[str, Any]:
                point = item.points[index[0]]
                return {"input": item.to_json(), "what": f"the value at point {point:g}", "index": list(index)}

            return judge(
                np.abs(signed),
                limits,
                truth=exact.radius,
                scale=size,
                got=expected + signed,
                expected=expected,
                where=where,
            )

        def ask(item: ReadOut) -> Any:
            state, points = np.array(item.coefficients, dtype=case.dtype), np.array(item.points, dtype=case.dtype)
            return target.call(case, state, points)

        for function, time in _span(case):
            coefficients = oracle.projection(case, function, time).high.astype(case.dtype).astype(float)
            item = ReadOut(tuple(coefficients.tolist()), tuple(float(y) for y in GRID), function.name)
            result = ask(item)
            problem = malformed(result, "value", (len(GRID),), {"input": item.to_json()})
            if problem is not None:
                record.add(problem)
                return
            values = oracle.values(case, function, time, GRID)
            # The coefficients were rounded to the target's precision: that much of the signal is gone already.
            lost = state_rounding(largest, coefficients, case.dtype)
            record.add(compare(item, values, result.value, lost), len(GRID))

        def trial(item: ReadOut) -> tuple[Finding, int]:
            result = ask(item)
            size = len(item.points) + int(np.count_nonzero(item.coefficients))
            problem = malformed(result, "value", (len(item.points),), {"input": item.to_json()})
            if problem is not None:
                return problem, size
            exact = oracle.evaluate(case, item.coefficients, item.points)
            return compare(item, exact, result.value, 0.0), size

        if record.failure is None:
            corpus = list(corpus_readouts(case.order, case.dtype))
            draws = readouts(case.order)
            if tilted or case.measure == "legs_lti":
                corpus, draws = [_inside(item, case) for item in corpus], draws.map(lambda item: _inside(item, case))
            explore(corpus, draws, trial, record, suite, examples_for(case.order, suite.examples))

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Read-outs turned, shifted, cut or not normalised."""
        return pick(case, "flipped", "grid_short", "last_dropped", "unweighted", "tilt_forgotten")


def _inside(item: ReadOut, case: Case) -> ReadOut:
    """Points moved off the ends where the basis has no value: the infinite past, or those of a tilted window."""
    least, most = 2.0**-16, 1.0 if case.measure == "legs_lti" else 1 - 2.0**-16
    return replace(item, points=tuple(min(max(y, least), most) for y in item.points))


def _span(case: Case) -> Iterator[tuple[Function, Fraction]]:
    """Signals that the basis holds exactly, and the time of the projection; none where it is tilted by a weight."""
    time = Fraction(5, 4)
    if case.measure in ("legs", "legt", "lmu"):
        yield polynomial([1 + (3 * j + 1) % 4 * (-1) ** j for j in range(min(case.order, 12))], scale=2), time
    elif case.measure == "fout":
        for frequency in range(min((case.order - 1) // 2, 2) + 1):
            yield harmonic(frequency, case.exact_parameters.get("theta", Fraction(1))), time
