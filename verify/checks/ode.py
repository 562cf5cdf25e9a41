"""The exact projection satisfies the ODE that the target's matrices define, and late steps give that ODE back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from verify.bounds import Limits, entry_limits, gbt_weight, hold_degree, residual_limits, step_limits
from verify.candidates import TILTED
from verify.case import Case
from verify.checks.base import Check, Record, Suite, Unoffered, judge, malformed, worst_coefficient
from verify.defects import WRONG_NAME, WRONG_OPERATOR, Defect, pick
from verify.inputs import Transition
from verify.metrics import norm
from verify.oracle import Function, Oracle, chebyshev, harmonic, polynomial, rising, wave
from verify.result import Target, TargetError

LATE = (2**24 + 1, 2**30, 2**31, 2**32 + 3, 2**40 + 1)
"""Indices at which a clock shows what it is made of: float32 rounds the first and stays before it, 2k leaves int32 at
the second, k at the third and uint32 at the fourth; at the last, single steps of double precision are still seen."""


def exact_signals(case: Case) -> Iterator[tuple[Function, Fraction]]:
    """Signals and times for which the ODE of the measure is exact, closed or not.

    Windows with a polynomial closure are exact for polynomials of degree below N, FouT for harmonics of its window (an
    even N lacks the sine of its last cosine, so only the complete pairs are used); LegS, LagT and LegS-LTI for any
    signal.
    """
    time = Fraction(5, 4)
    theta = case.exact_parameters.get("theta", Fraction(1))
    if case.measure in ("legt", "lmu", *TILTED):
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


def late_transitions(case: Case) -> Iterator[Transition]:
    """Late steps, from silence and from a state that excites every coefficient.

    From silence ``k c'`` is the effect of the sample alone, to full relative accuracy, so that float32 can show it too.
    From another state the difference ``c' - c`` has lost a factor k of its accuracy, which double precision can afford.
    """
    state = tuple(1.0 - (n % 3) / 2 for n in range(case.order))
    for k in LATE:
        yield Transition((0.0,) * case.order, -0.75, k, f"from silence at {k}")
        if case.dtype == "float64":
            yield Transition(state, 0.5, k, f"all coefficients at {k}")


class Ode(Check):
    """Residual of the exact projection in the target's ODE; generator of the target's late steps."""

    key = "ode"
    claim = (
        "the exact projection c(t) satisfies dc/dt = A c + B f (LegS: divided by t), and late steps of LegS give it "
        "back: k (c' - c) -> A c + B u (HiPPO theorems 1 and 2)"
    )
    levels = ("matrices", "step")

    def why_not(self, case: Case) -> str | None:
        """Steps give an ODE back where they become small, one sample each."""
        if case.level != "step":
            return None
        if case.measure != "legs":
            return f"steps of {case.measure} have one length, dt: they do not become small with the index"
        if gbt_weight(case.method) is None and hold_degree(case.method) != 0:
            return f"{case.method} reads earlier samples; a step function is given one"
        if case.dtype != "float64" and gbt_weight(case.method) is None:
            return "a late hold is a difference of numbers close to 1, too small a one for float32"
        return None

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Matrices: a residual for each signal. Steps: the generator at each late index."""
        if case.level == "step":
            self._late(case, oracle, target, record)
        else:
            self._residuals(case, oracle, target, record)

    def _late(self, case: Case, oracle: Oracle, target: Target, record: Record) -> None:
        """``k (c' - c)`` against its exact value, which is ``A c + B u`` and an exactly known rest of size 1/k.

        The limits are those of the step, k times. The rest is of size ``k (c' - c) - (A c + B u) = O(|A|^2 |c|/k)``; to
        allow for it would hide a float32 clock, which is off by 1/k as well. Forward Euler has none.
        """
        operator = oracle.operator(case)
        D = operator.weights
        for item in late_transitions(case):
            k, place = item.index, {"input": item.to_json()}
            try:
                result = target.call(case, *item.arguments(case))
            except TargetError as error:
                # A table that ends, or an integer that would overflow, and says so: that is no wrong answer.
                if error.kind != "raised":
                    raise
                record.details.setdefault("left_out", {})[item.name] = error.message
                continue
            problem = malformed(result, "value", (case.order,), place)
            if problem is not None:
                record.add(problem, k)
                continue
            state = np.array(item.state)
            exact = oracle.step(case, item.state, item.sample, k)
            step = step_limits(operator, state, item.sample, exact.high, k, case.dtype)
            expected = k * ((exact.high - state) + exact.low)
            with np.errstate(all="ignore"):
                signed = k * exact.error(result.value)
                got = expected + signed

            def where(
                _: tuple[int, ...], place: Any = place, got: Any = got, signed: Any = signed, expected: Any = expected
            ) -> dict[str, Any]:
                k = place["input"]["index"]
                values = worst_coefficient(got, signed, expected, D)
                coefficient = values["coefficient"]
                what = f"k (step(c, u, k) - c) at k = {k} (most in coefficient {coefficient})"
                return {**place, **values, "what": what, "index": [coefficient]}

            finding = judge(
                np.atleast_1d(norm(signed, D)),
                Limits(k * step.forward, k * step.backward, f"index times: {step.source}"),
                truth=k * norm(exact.radius, D),
                scale=float(norm(expected, D)),
                got=got[None],
                expected=expected[None],
                where=where,
                normwise=target.normwise,
            )
            record.add(finding, k)
        if record.findings == 0:
            raise Unoffered(f"the target takes no index from {LATE[0]} on: {record.details['left_out']}")

    def _residuals(self, case: Case, oracle: Oracle, target: Target, record: Record) -> None:
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
        """Operators whose ODE is another one, and clocks that do not run for ever.

        FouT without the endpoint average is not among them: on harmonics, whose ends agree, both closures are right.
        """
        if case.level == "step":
            keys = ("int32_clock", "int32_twice", "uint32_clock", "float32_clock", "stalled_clock")
            return pick(case, *keys, "short_table", "doubled_B", "negated_A", "transposed")
        return pick(case, *WRONG_OPERATOR, *WRONG_NAME)
