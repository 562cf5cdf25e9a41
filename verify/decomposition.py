"""One state measured against every truth: the vectors whose sum is its error, and the budget they make."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from verify.boundary import Exact, to_mpf
from verify.bounds import REFERENCE
from verify.budget import Budget, Component
from verify.case import Case
from verify.checks.base import Finding, states_of
from verify.checks.scan_base import judge_scan, sample_times
from verify.inputs import Signal
from verify.oracle import Function, Oracle, orthonormal
from verify.result import Result, Target, TargetError

PAIR = 2.0**-104
"""Accuracy of an exact vector relative to its norm: its entries are pairs of doubles, 2^-106 each."""

DIFFERENCES = 2200
"""Bits in which any two doubles are subtracted without loss."""

POLYNOMIAL = ("legs", "legt", "lmu")
"""Measures whose basis is the polynomials on a finite window: Jackson's theorem speaks of them."""
JACKSON = (
    "pi Lip w / (4 N) on a window of length w: Jackson's theorem in the sup norm, which L2 of a probability measure "
    "does not exceed (Cheney, Introduction to Approximation Theory, ch. 4)"
)
SOURCES = {
    "signal": "sqrt(||f||^2 - ||c||^2), the digits raised until 20 of the difference are left (hippo_ref.project)",
    "projection": "quadrature of the definition, until two precisions agree (hippo_ref.project)",
    "ode": "variation of constants, until two precisions agree (hippo_ref.closed_state)",
    "recurrence": "the recurrence in 50 digits, until two precisions agree (hippo_ref.states)",
}


@dataclass(frozen=True)
class Request:
    """What is measured: a case with its exact step beside the double of it, and when samples are taken.

    Attributes:
        case: target, measure, order, rule, dtype.
        length: number of samples L.
        time: when the state is read, exact.
        window: length of the window that ends there; all of [0, time] where the window is infinite.
        dt: exact sample spacing of an invariant law, None for the scale law.
        refines: whether more samples refine the same stretch of time; else they make it longer.
    """

    case: Case
    length: int
    time: Fraction
    window: Fraction
    dt: Fraction | None
    refines: bool

    @property
    def times(self) -> list[Fraction]:
        """Exact times of the samples: the middles of L cells of [0, time], or L nodes."""
        return [self.time * fraction for fraction in sample_times(self.case.method, self.length)]

    @property
    def since(self) -> Fraction | None:
        """The signal counts from time 0, where the window of LegS begins by itself."""
        return None if self.dt is None else Fraction(0)


@dataclass(frozen=True)
class Vectors:
    """The error of a state and what it is made of, (N,) mpf each in the orthonormal basis, nothing lost.

    ``error = closure + discretization + samples + arithmetic``; the last two are None, as is the error, where the state
    has an entry that is no number.

    Attributes:
        error: computed state minus exact projection.
        closure: exact state of the ODE minus exact projection.
        discretization: exact recurrence on exact samples minus exact state of the ODE.
        samples: exact recurrence on the samples and the step as the target is given them, minus the one on exact ones.
        arithmetic: computed state minus that.
        sizes: norms of the four exact vectors: ``projection``, ``ode``, ``rule``, ``run``.
    """

    error: list[Any] | None
    closure: list[Any]
    discretization: list[Any]
    samples: list[Any]
    arithmetic: list[Any] | None
    sizes: dict[str, float]

    @property
    def rounding(self) -> list[Any] | None:
        """Both roundings together: computed state minus the exact recurrence on exact samples."""
        if self.arithmetic is None:
            return None
        with mpmath.workprec(DIFFERENCES):
            return [x + y for x, y in zip(self.samples, self.arithmetic, strict=True)]


def decompose(request: Request, function: Function, samples: Sequence[float], state: Any, oracle: Oracle) -> Vectors:
    """Take the error of a state apart.

    Args:
        request: case and times.
        function: the signal.
        samples: (L,) as the target read them.
        state: (N,) float64, the target's last state.
        oracle: exact answers.
    """
    case, time = request.case, request.time
    projection = oracle.projection(case, function, time, request.since)
    # An exact law carries the projection along: one truth, so that the closure is exactly 0.
    law = oracle.closed_state(case, function, time) if closed(case, oracle) else projection
    rule = oracle.driven(case, function, request.times, request.dt)
    run = oracle.states(case, samples)[-1]
    with mpmath.workprec(DIFFERENCES):
        scale = orthonormal(case)

        def scaled(numbers: Sequence[Any]) -> list[Any]:
            return [x * w for x, w in zip(numbers, scale, strict=True)]

        def exact(vector: Exact) -> list[Any]:
            return scaled(to_mpf(vector))

        def minus(first: list[Any], second: list[Any]) -> list[Any]:
            return [x - y for x, y in zip(first, second, strict=True)]

        got = scaled([mpmath.mpf(x) for x in state.tolist()]) if np.isfinite(state).all() else None
        truths = {"projection": exact(projection), "ode": exact(law), "rule": exact(rule), "run": exact(run)}
        return Vectors(
            error=None if got is None else minus(got, truths["projection"]),
            closure=minus(truths["ode"], truths["projection"]),
            discretization=minus(truths["rule"], truths["ode"]),
            samples=minus(truths["run"], truths["rule"]),
            arithmetic=None if got is None else minus(got, truths["run"]),
            sizes={name: length(vector) for name, vector in truths.items()},
        )


def closed(case: Case, oracle: Oracle) -> bool:
    """Whether the ODE of a measure replaces what it cannot know."""
    return bool(oracle.measure(case).closure == "closed")


def length(vector: Sequence[Any]) -> float:
    """Euclidean norm of mpf, rounded once."""
    return float(mpmath.sqrt(mpmath.fsum(x * x for x in vector)))


def measure(
    target: Target, request: Request, function: Function, words: str, lipschitz: float | None, oracle: Oracle
) -> Budget:
    """Ask a target for the states of a signal and measure the last one.

    Args:
        target: the thing under test; it has the case.
        request: what is asked.
        function: the signal.
        words: its name for people.
        lipschitz: its Lipschitz constant on the window, None if it is not known.
        oracle: exact answers.

    Raises:
        TargetError: no state came back.
        ValueError: the samples leave the range of the dtype.
    """
    case = request.case
    samples = _samples(function, request)
    result = target.call(case, np.array(samples, dtype=case.dtype), case.order)
    problem = states_of(result, request.length, case.order, {})
    if problem is not None:
        raise TargetError("protocol", f"no state to make a budget of: {problem.message}")
    state = np.atleast_2d(result.value)[-1].astype(np.float64)
    operator, last = oracle.operator(case), Result({"value": state}, result.dtype)
    finding = judge_scan(case, oracle, Signal(samples, words), last, normwise=target.normwise)
    vectors = decompose(request, function, samples, state, oracle)
    # From the norm in which the steps contract to that of the orthonormal basis.
    explained = finding.bound * max(float(w) / d for w, d in zip(orthonormal(case), operator.weights, strict=True))
    truncation = oracle.truncation(case, function, request.time, request.since)
    return _assemble(request, words, vectors, truncation, finding, explained, lipschitz, closed(case, oracle))


def _assemble(
    request: Request,
    words: str,
    vectors: Vectors,
    truncation: Exact,
    finding: Finding,
    explained: float,
    lipschitz: float | None,
    approximate: bool,
) -> Budget:
    """The numbers as a budget: norms, shares of the squared total, bounds, words."""
    size, nearest, unknown = truncation.high.tolist()
    with mpmath.workprec(DIFFERENCES):
        missed = mpmath.fsum(map(mpmath.mpf, (truncation.high[1], truncation.low[1]))) ** 2
        square = None if vectors.error is None else missed + mpmath.fdot(vectors.error, vectors.error)
        total = math.inf if square is None else float(mpmath.sqrt(square))
        if total <= unknown + (PAIR + REFERENCE) * sum(vectors.sizes.values()):
            total = 0.0

        def share(product: Any) -> float | None:
            return float(product / square) if 0 < total < math.inf else None

        def part(name: str, vector: list[Any] | None, truth: str, source: str, *sizes: str) -> Component:
            accuracy = (PAIR + REFERENCE) * sum(vectors.sizes[size] for size in sizes)
            if vector is None:
                return Component(name, math.inf, None, None, truth, SOURCES[source], accuracy)
            value, along = length(vector), mpmath.fdot(vector, vectors.error) if vectors.error else None
            kept = value if value > accuracy else 0.0
            return Component(name, kept, share(along), tuple(vector), truth, SOURCES[source], accuracy)

        rounding = part(
            "rounding",
            vectors.rounding,
            "the exact state of the same recurrence on exact samples",
            "recurrence",
            "rule",
        )
        given = length(vectors.samples)
        parts = {"arithmetic": length(vectors.arithmetic) if vectors.arithmetic else math.inf, "samples": given}
        bound = _jackson(request, lipschitz)
        return Budget(
            request.case,
            words,
            request.length,
            request.time,
            size,
            total,
            truncation=Component(
                "truncation", nearest, share(missed), None, "the signal itself", SOURCES["signal"], unknown, bound,
                "" if bound is None else JACKSON,
            ),
            closure=part(
                "closure", vectors.closure, "the exact projection of the signal", "projection", "projection", "ode"
            ),
            discretization=part(
                "discretization", vectors.discretization,
                "the exact state of the closed ODE" if approximate else "the exact projection, which the ODE follows",
                "ode" if approximate else "projection", "ode", "rule",
            ),
            rounding=replace(
                rounding, bound=explained + given, parts=parts,
                bound_source=f"{finding.source}; added, the rounding of the samples and of dt, which is known",
            ),
            judgement=finding.status,
            message=finding.message,
            notes=_notes(request, approximate),
        )  # fmt: skip


def _samples(function: Function, request: Request) -> tuple[float, ...]:
    """Samples as the target reads them, rounded to its dtype."""
    with np.errstate(over="ignore"):
        values = np.array(function.samples(request.times), dtype=request.case.dtype).astype(float)
    if not np.isfinite(values).all():
        k = int(np.argmin(np.isfinite(values)))
        raise ValueError(
            f"signal {function.name} is no finite {request.case.dtype} at x = {float(request.times[k]):.6g}; accepted: "
            "a signal whose samples are finite numbers of that dtype"
        )
    return tuple(values.tolist())


def _jackson(request: Request, lipschitz: float | None) -> float | None:
    """`JACKSON`, where the window holds polynomials and no silence from before time 0."""
    if lipschitz is None or request.case.measure not in POLYNOMIAL or request.time < request.window:
        return None
    return math.pi * lipschitz * float(request.window) / (4 * request.case.order)


def _notes(request: Request, approximate: bool) -> tuple[str, ...]:
    notes = []
    if approximate:
        windows = float(request.time / request.window)
        notes.append(
            f"the ODE started from zero at time 0 and ran for {windows:.3g} windows: what is left of that start counts "
            "as closure"
        )
    if request.case.measure in ("lagt", "legs_lti") or request.time < request.window:
        notes.append("the signal begins at time 0: before it the window sees 0, and a jump there is part of the signal")
    if request.case.measure == "lagt":
        notes.append("norms are those of the tilted measure u^-alpha e^(-beta u) du, in which the basis is orthonormal")
    if not request.refines:
        notes.append("the step dt is fixed: more samples make the run longer, not finer")
    return tuple(notes)
