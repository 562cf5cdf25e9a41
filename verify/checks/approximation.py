"""Jackson above, Bessel below: the energy that a state keeps of its signal, and the error of what is read out of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np

from verify.bounds import ROUNDOFF, Limits, Operator, gbt_weight, hold_degree, reconstruction_limits, state_rounding
from verify.bounds.approximation import held_distance, jackson, trigonometric
from verify.bounds.base import DISSIPATIVE
from verify.bounds.long_runs import energies, long_limits, sizes_of
from verify.candidates import WINDOWED
from verify.case import Case
from verify.checks.base import MEANINGFUL, Check, Record, Suite, Unoffered, judge, malformed, series, states_of
from verify.checks.scan_base import sample_times
from verify.defects import Defect, pick
from verify.inputs import ReadOut, Signal
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import Target
from verify.signals import SIGNALS, signal

Array = np.ndarray[Any, np.dtype[Any]]

ROUGH = ("corner", "triangle", "spline", "runge", "front", "chirp")
"""Signals that the basis does not hold: corners, a jump in the third derivative, near poles, a rising frequency."""
PIECEWISE = tuple(name for name, shape in SIGNALS.items() if shape.degree is not None)
"""Piecewise polynomials: the distance to what is read out is a finite sum, exactly."""
PERIODIC = ("triangle", "constant")
"""Those that go on without a jump from the end of a window to its start, for the Fourier basis."""
POINTS = 64
"""Points of a read-out on each smooth piece, at least: more in all than implementations read in one go."""


@dataclass(frozen=True)
class Lengths:
    """Samples of the rough signals, and of the smooth one, which shows a state that drifts off late in the run."""

    short: int
    long: int


LENGTHS = {"quick": Lengths(256, 2400), "full": Lengths(1000, 12000)}
LONG_UP_TO = 16
"""Orders at which the long run is tried."""


class Approximation(Check):
    """Claims 5 and 6 as one statement with two sides."""

    key = "approximation"
    claim = (
        "0 <= ||f||^2 - ||c||^2 <= J^2: Bessel below, Jackson above with J = pi Lip t/(4N), and "
        "J = (pi/2)^k (t/2)^k M/(N...(N-k+1)) where |f^(k)| <= M (HiPPO proposition 6, Cheney ch. 4)"
    )
    levels = ("scan", "reconstruct")

    def why_not(self, case: Case) -> str | None:
        """Rules whose energy is bounded, and windows on which polynomials (FouT: harmonics) approximate."""
        if case.measure not in DISSIPATIVE:
            return f"no energy inequality is derived for {case.measure}"
        if case.level == "reconstruct":
            return (
                "the window of lagt is infinite: no polynomial approximates on it" if case.measure == "lagt" else None
            )
        a, degree = gbt_weight(case.method), hold_degree(case.method)
        if (a is not None and a < 0.5) or (degree or 0) > 1:
            return f"no energy inequality is derived for {case.method}"
        return None

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """The energy of last states, or the distance of what is read out to the signal."""
        if case.level == "reconstruct":
            self._read_out(case, oracle, target, record)
            return
        lengths = LENGTHS[suite.name]
        runs = [(name, lengths.short) for name in ROUGH]
        if case.order <= LONG_UP_TO:
            runs.append(("cubic", lengths.long))
        longest = lengths.long
        if case.dt is not None and not _projected(case):
            # Until a window has left the start behind, the energy of all input is that on the window.
            longest = max(int(case.exact_parameters.get("theta", Fraction(1)) / Fraction(case.dt)), 1)
        for name, length in runs:
            self._energy(case, oracle, target, record, name, min(length, longest))
            if record.failure is not None:
                return
        if not record.findings:
            raise Unoffered("rounding, or the rule's own distance to the projection, may take a tenth of every signal")

    def _energy(self, case: Case, oracle: Oracle, target: Target, record: Record, name: str, length: int) -> None:
        shape, operator = SIGNALS[name], oracle.operator(case)
        values = _samples(name, case.method, length, case.dtype, case.dt if case.measure == "legs_lti" else None)
        given = Signal(values, f"{name}, {length} samples")
        whole = _energy_of(case, operator, values)
        above = math.inf
        if _projected(case):
            above = jackson(case.order, 1.0, shape.derivatives)
            spacing = 1 / (length - (case.method in ("foh", "trapezoid"))) if case.dt is None else case.dt
            above += held_distance(shape.slope, spacing, max(map(abs, values)), ROUNDOFF[case.dtype])
            if case.dt is not None:  # silence before the first sample, where the signal is not zero
                above += max(map(abs, values)) * math.exp(-case.dt * length / 2)
        # How far the exact state of the rule is from the projection of what it holds.
        away = 0.0
        if case.dt is None and hold_degree(case.method) is None:
            exact = oracle.last_state(case, values)
            hold = replace(case, method="foh" if case.method == "trapezoid" else "zoh")
            difference = exact.error(oracle.last_state(hold, values).high)
            away = float(norm(difference) + norm(exact.radius) + ROUNDOFF["float64"] * norm(exact.high))
        rounding = long_limits(operator, values, sizes_of(operator, values), case.dtype)
        weights = _orthonormal(case)
        share = float((weights / operator.weights).max())
        root = math.sqrt(whole)

        def slack(rounded: float) -> float:
            error = rounded * share + away
            return error * (2 * root + 3 * error)

        limits = Limits(
            np.array([slack(float(rounding.forward[-1]))]),
            np.array([slack(float(rounding.backward[-1]))]),
            "energy of what rounding, and the rule's own exact distance to the projection, may add",
        )
        if not limits.forward[0] <= MEANINGFUL * whole:
            return
        result = target.call(case, given.array(case.dtype), case.order)
        place: dict[str, Any] = {"input": {"name": given.name, "length": length}}
        problem = states_of(result, length, case.order, place)
        if problem is not None:
            record.add(problem, length)
            return
        place["input"] = given.to_json()
        kept = float(norm(np.atleast_2d(result.value)[-1].astype(float) * weights)) ** 2
        missing = whole - kept
        outside = max(-missing, missing - above**2, 0.0) if math.isfinite(kept) else math.inf
        side = "more energy than the signal has" if missing < 0 else "less energy than Jackson's theorem leaves it"

        def where(_: tuple[int, ...]) -> dict[str, Any]:
            return {**place, "what": f"the last state of {given.name} has {side}, which", "index": [length - 1]}

        finding = judge(
            np.array([outside]),
            limits,
            truth=(case.order + 8) * 2 * ROUNDOFF["float64"] * whole,  # both sums of squares in float64
            scale=whole,
            got=np.array([kept]),
            expected=np.array([whole]),
            where=where,
        )
        record.add(finding, length)
        record.details[name] = {"energy": whole, "kept": kept if math.isfinite(kept) else None, "J": min(above, 1e300)}
        # For the pictures: what is missing, what of it rounding and the rule may make, and how smooth the signal is.
        record.details[name] |= {"error": _root(missing), "floor": _root(float(limits.forward[0]))}
        record.details[name]["smoothness"] = len(shape.derivatives)

    def _read_out(self, case: Case, oracle: Oracle, target: Target, record: Record) -> None:
        """``||f - g||`` by a quadrature that is exact for it, against the exact distance to the span."""
        largest = oracle.largest_basis(case)
        for name in PERIODIC if case.measure == "fout" else PIECEWISE:
            asked, time, window = _window(case)
            function, shape = signal(name, time, window), SIGNALS[name]
            whole, distance, unknown = oracle.truncation(asked, function, time).high.tolist()
            derivatives = tuple(shape.derivatives)
            if case.measure == "fout":
                above = trigonometric(case.order, 1.0, derivatives[:1])
            else:
                above = jackson(case.order, 1.0, derivatives)
            coefficients = oracle.projection(asked, function, time).high.astype(case.dtype)
            edges = [Fraction(0), *(start for start, _ in shape.later), Fraction(1)]
            # Squares of harmonics are entire: so many points more leave an error below rounding.
            count = max(POINTS, case.order + 4) + (2 * case.order if case.measure == "fout" else 0)
            points, masses = _quadrature(edges, *oracle.gauss(count))
            item = ReadOut(
                tuple(coefficients.astype(float).tolist()),
                tuple(points.astype(case.dtype).astype(float).tolist()),
                name,
            )
            result = target.call(case, *item.arguments(case))
            place: dict[str, Any] = {"input": item.to_json()}
            problem = malformed(result, "value", points.shape, place)
            if problem is not None:
                record.add(problem, len(points))
                return
            values = _values(name, points)
            with np.errstate(all="ignore"):
                squares = masses * (result.value.astype(float) - values) ** 2
            error = math.sqrt(math.fsum(squares)) if np.isfinite(squares).all() else math.inf
            rounding = reconstruction_limits(largest, np.array(item.coefficients), case.dtype)
            lost = state_rounding(largest, np.array(item.coefficients), case.dtype)
            # A node is rounded, too: to first order by |g' - f'|, which is 0 where the basis holds the signal.
            n = np.arange(case.order)
            steep = (
                float(np.dot(largest * n * (n + 1), np.abs(coefficients))) + shape.slope if distance > unknown else 0.0
            )
            # The quadrature is ours: what it rounds is no error of the target, and no excuse for one beyond it.
            lost += ROUNDOFF["float64"] * (steep + float(np.abs(values).max()) + 4 * distance)
            source = f"{rounding.source}; rounding of the coefficients and of the quadrature"
            limits = Limits(np.atleast_1d(rounding.forward + lost), np.atleast_1d(rounding.backward + lost), source)

            def where(
                _: tuple[int, ...], name: str = name, place: dict[str, Any] = place, count: int = len(points)
            ) -> dict[str, Any]:
                what = f"the distance of {name} to what is read out of its projection, at {count} points,"
                return {**place, "what": what, "index": [count - 1]}

            finding = judge(
                np.array([abs(error - distance)]),
                limits,
                truth=unknown,
                scale=max(whole, distance),
                got=np.array([error]),
                expected=np.array([distance]),
                where=where,
            )
            record.add(finding, len(points))
            record.details[name] = {"distance": distance, "J": min(above, 1e300), "error": series((error,))[0]}
            record.details[name] |= {"floor": series(limits.forward)[0], "smoothness": len(derivatives)}

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Gains, operators of another memory, clocks that stop late, and read-outs that lose points."""
        if case.level == "reconstruct":
            # The periodic signals are symmetric in time, so the Fourier basis is not told from itself turned round.
            turned = () if case.measure == "fout" else ("flipped", "last_dropped")
            return pick(case, *turned, "grid_short", "unweighted", "points_block", "newest_zeroed")
        both = ("halved_B", "stopped_at_2000") if _projected(case) else ()
        return pick(case, "doubled_B", "doubled_state", *both)


def _root(square: float) -> float | None:
    """The root of a difference of energies; 0 where rounding has made it negative, None where it is no number."""
    return series((math.sqrt(max(square, 0.0)),))[0] if math.isfinite(square) else None


def _projected(case: Case) -> bool:
    """Whether a state is the projection of what its rule holds, or (LegS) known exactly to be near it."""
    return case.measure == "legs" or (case.measure == "legs_lti" and hold_degree(case.method) == 0)


@lru_cache(maxsize=64)
def _samples(name: str, method: str, length: int, dtype: str, dt: float | None) -> tuple[float, ...]:
    """Samples on [0, 1]: of cells at their middles, or at nodes; under ``legs_lti`` of the variable ``e^{-age}``."""
    function = signal(name, Fraction(1), Fraction(1))
    if dt is None:
        values = function.samples(sample_times(method, length))
    else:
        with mpmath.workdps(20):
            middles = [mpmath.exp(-mpmath.mpf(dt) * (length - k - mpmath.mpf(1) / 2)) for k in range(length)]
            values = tuple(float(function.value(x)) for x in middles)
    return tuple(np.array(values, dtype=dtype).astype(float).tolist())


def _energy_of(case: Case, operator: Operator, values: Sequence[float]) -> float:
    """``||f||^2`` of what a rule holds; for closed measures and gates the energy that their passivity bounds."""
    if case.dt is None:
        if case.method in ("foh", "trapezoid"):
            return math.fsum((a * a + a * b + b * b) / 3 for a, b in pairwise(values)) / (len(values) - 1)
        return math.fsum(u * u for u in values) / len(values)
    if _projected(case):
        ages = case.dt * np.arange(len(values) - 1, -1, -1.0)
        return math.fsum(np.square(values) * np.exp(-ages)) * -math.expm1(-case.dt)
    return float(energies(operator, values)[-1])


def _orthonormal(case: Case) -> Array:
    """(N,) factors into the orthonormal basis: LMU is LegT scaled."""
    n = np.arange(case.order)
    return np.asarray(1 / np.sqrt(2.0 * n + 1)) if case.measure == "lmu" else np.ones(case.order)


def _window(case: Case) -> tuple[Case, Fraction, Fraction]:
    """The case whose projection is taken, its time and window; ``legs_lti`` has the basis of LegS in ``e^{-age}``."""
    if case.measure in WINDOWED:
        theta = case.exact_parameters["theta"]
        return case, theta, theta
    return replace(case, measure="legs", parameters=(), dt=None), Fraction(1), Fraction(1)


def _values(name: str, points: Array) -> Array:
    """Values of a signal at fractions of the window, rounded once."""
    function = signal(name, Fraction(1), Fraction(1))
    with mpmath.workdps(30):
        return np.array([float(function.value(mpmath.mpf(float(y)))) for y in points])


def _quadrature(edges: Sequence[Fraction], nodes: Array, masses: Array) -> tuple[Array, Array]:
    """Points and masses on each piece of [0, 1]: exact for the square of a polynomial of degree below their number."""
    pieces = [(float(left), float(right - left)) for left, right in pairwise(edges)]
    points = np.concatenate([left + width * nodes for left, width in pieces])
    return points, np.concatenate([width * masses for _, width in pieces])
