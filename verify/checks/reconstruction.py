"""Reconstruction: the read-out equals the exact sum of the basis, and gives polynomials of degree < N back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from verify.boundary import Exact
from verify.bounds import Limits, reconstruction_limits, state_rounding
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
        """Points are fractions of a window; LagT has none."""
        return "the window of lagt is infinite: a point is no fraction of it" if case.measure == "lagt" else None

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Signals of the span first, then coefficients of every size."""
        largest = oracle.largest_basis(case)

        def compare(item: ReadOut, exact: Exact, got: Any, extra: float) -> Finding:
            expected, signed = exact.high, exact.error(got)
            limits = reconstruction_limits(largest, np.array(item.coefficients), case.dtype)
            limits = Limits(limits.forward + extra, limits.backward + extra, limits.source)

            def where(index: tuple[int, ...]) -> dict[str, Any]:
                point = item.points[index[0]]
                return {"input": item.to_json(), "what": f"the value at point {point:g}", "index": list(index)}

            size = float(np.dot(largest, np.abs(item.coefficients)))
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
            if case.measure == "legs_lti":  # point 0 is the infinite past
                corpus = [ReadOut(c.coefficients, tuple(y for y in c.points if y > 0), c.name) for c in corpus]
            draws = readouts(case.order, lowest=1 if case.measure == "legs_lti" else 0)
            explore(corpus, draws, trial, record, suite, examples_for(case.order, suite.examples))

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Read-outs turned, shifted, cut or not normalised."""
        return pick(case, "flipped", "grid_short", "last_dropped", "unweighted")


def _span(case: Case) -> Iterator[tuple[Function, Fraction]]:
    """Signals that the basis holds exactly, and the time of the projection."""
    time = Fraction(5, 4)
    if case.measure in ("legs", "legt", "lmu"):
        yield polynomial([1 + (3 * j + 1) % 4 * (-1) ** j for j in range(min(case.order, 12))], scale=2), time
    elif case.measure == "fout":
        for frequency in range(min((case.order - 1) // 2, 2) + 1):
            yield harmonic(frequency, case.exact_parameters.get("theta", Fraction(1))), time
