"""The exact projection satisfies the ODE that the target's matrices define."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from verify.bounds import entry_limits, residual_limits
from verify.case import Case
from verify.checks.base import Check, Record, Suite, judge, malformed
from verify.defects import WRONG_NAME, WRONG_OPERATOR, Defect, pick
from verify.oracle import Function, Oracle, chebyshev, harmonic, polynomial, rising, wave
from verify.result import Target


def exact_signals(case: Case) -> Iterator[tuple[Function, Fraction]]:
    """Signals and times for which the ODE of the measure is exact, closed or not.

    LegT and LMU are exact for polynomials of degree below N, FouT for harmonics of its window (an even N lacks the sine
    of its last cosine, so only the complete pairs are used); LegS, LagT and LegS-LTI for any signal.
    """
    time = Fraction(5, 4)
    theta = case.exact_parameters.get("theta", Fraction(1))
    if case.measure in ("legt", "lmu"):
        yield chebyshev(case.order - 1, time - theta, time), time
        yield polynomial([(-1) ** (j // 2) * (1 + (j * 7 + 2) % 5) for j in range(min(case.order, 8))], scale=2), time
    elif case.measure == "fout":
        for frequency in sorted({0, min(1, (case.order - 1) // 2), min(12, (case.order - 1) // 2)}):
            yield harmonic(frequency, theta), time
    elif case.measure == "legs":
        yield wave(3), time
        yield chebyshev(case.order - 1, Fraction(0), time), time
    else:
        yield rising(3, time), time
        yield rising(min(case.order, 12), time), time


class Ode(Check):
    """Residual of the exact projection in the target's ODE."""

    key = "ode"
    claim = "the exact projection c(t) satisfies dc/dt = A c + B f (LegS: divided by t) (HiPPO theorems 1 and 2)"
    levels = ("matrices",)

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """One call for the matrices, then a residual for each signal."""
        order = case.order
        result = target.call(case, order)
        problem = malformed(result, "A", (order, order), {}) or malformed(result, "B", (order,), {})
        if problem is not None:
            record.add(problem)
            return
        A, B = oracle.system(case)
        entries = entry_limits(case.measure, case.float_parameters, A.high, B.high, case.dtype)
        for function, time in exact_signals(case):
            residual, state, sample = oracle.residual(case, function, time, result.arrays["A"], result.arrays["B"])
            size = np.abs(A.high) @ np.abs(state) + np.abs(B.high) * abs(sample)

            def where(index: tuple[int, ...], function: Function = function) -> dict[str, Any]:
                return {"what": f"row {index[0]} of A c + B f", "index": list(index), "signal": function.name}

            record.add(
                judge(
                    residual.high,
                    residual_limits(entries, state, sample, float(size.sum())),
                    truth=residual.radius,
                    scale=float(size.max()),
                    got=residual.high,
                    expected=np.zeros(order),
                    where=where,
                    normwise=target.normwise,
                )
            )

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Operators whose ODE is another one.

        FouT without the endpoint average is not among them: on harmonics, whose ends agree, both closures are right.
        """
        return pick(case, *WRONG_OPERATOR, *WRONG_NAME)
