"""What one identification is asked, and what its parts share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used: a worker starts without them

from verify.bounds import gamma
from verify.candidates import WINDOWED
from verify.case import Case
from verify.convention.fit import fits
from verify.convention.parameters import Parameters, meant
from verify.convention.record import Convention
from verify.convention.rules import WEIGHTS, Discrete, undo
from verify.oracle import Oracle
from verify.result import Target

Array = np.ndarray[Any, np.dtype[Any]]

PROBE_ORDER = 5
"""Order at which dynamics are read off: small, so that inverting the rule is well conditioned."""
SECOND_ORDER = 8
"""Order at which what was found must hold again."""
ROUNDINGS = 64
"""Roundings for each coefficient that a pair (A, B) may carry, however it was formed."""
AMPLIFIED = 32
"""Roundings of a step, which inverting its rule divides by the step size."""
CLEARLY = 10.0
"""A rule that leaves so many times more than the best one is another rule."""
ROUGHLY = 0.2
"""What a weight of the grid may leave, since the right one may lie between two of them."""


@dataclass(frozen=True)
class Task:
    """One identification.

    Attributes:
        target: what is identified.
        case: gives level, order of the probe, dt and dtype.
        oracle: exact operators.
        measures: those tried.
        methods: rules tried.
        weighted: whether weighted rules are sought where no other fits.
        spaced: whether the spacing is that of the case.
    """

    target: Target
    case: Case
    oracle: Oracle
    measures: tuple[str, ...]
    methods: tuple[str, ...]
    weighted: bool
    spaced: bool

    @property
    def base(self) -> float:
        """Relative difference that is taken for rounding, however a pair (A, B) was formed."""
        return gamma(ROUNDINGS * PROBE_ORDER, "float32")

    @property
    def tries_legs(self) -> bool:
        """Whether LegS, the scale law, comes into question."""
        return "legs" in self.measures and (not self.spaced or self.case.dt is None)

    @property
    def invariant_measures(self) -> tuple[str, ...]:
        """Measures of invariant laws that come into question."""
        if self.spaced and self.case.dt is None:
            return ()
        return tuple(measure for measure in self.measures if measure != "legs")

    def theta(self, measure: str, theta: float, tolerance: float) -> float:
        """The window meant by a measured one."""
        if measure not in WINDOWED:
            return 1.0
        asked = self.case.float_parameters.get("theta") if measure == self.case.measure else None
        if asked is not None and abs(asked - theta) <= self.base * asked:
            return asked
        return meant(theta, tolerance)

    def invariant(self, measure: str, scale: float, parameters: Parameters, tolerance: float) -> Convention | None:
        """A measure whose operator is so many times that of a unit window; None if the spacing contradicts it."""
        dt = self.case.dt if self.spaced else None
        if measure in WINDOWED:
            if dt is not None:
                theta = self.theta(measure, dt / scale, tolerance)
                return Convention(measure, theta, parameters=parameters, dt=dt, theta_over_dt=theta / dt)
            return Convention(measure, None, parameters=parameters, theta_over_dt=meant(1 / scale, tolerance))
        if dt is not None and abs(scale - dt) > max(tolerance, self.base) * dt:
            return None  # the right law with another step
        asked = self.case.dt if dt is None else dt
        return Convention(measure, parameters=parameters, dt=meant(scale, tolerance, asked))

    def weights(self, step: Discrete, fine: float) -> Iterator[str]:
        """Weighted rules under which the operator behind a step is closest to one of the measures."""
        for measure in self.invariant_measures:

            def left(a: float, measure: str = measure) -> float:
                pair = undo(step.M, step.total, weighted(a))
                if pair is None:
                    return math.inf
                loose = fits(*pair, measure, self.case, self.oracle, self.base, unit_scale=False, loose=True)
                return min((fit.residual for fit in loose), default=math.inf)

            yield from best_weight(left, self.base + AMPLIFIED * fine)


def legs(method: str, seen: tuple[float, str, Array], shift: int = 0) -> Convention:
    """LegS as it was found: what is left, T as a formula, and T."""
    left, formula, T = seen
    return Convention("legs", 1.0, tuple(T.tolist()), formula, shift=shift, residual=left, method=method)


def best_legs(
    compare: Callable[[str], tuple[float, str, Array] | None],
    task: Task,
    methods: Sequence[str],
    room: float,
    shift: int,
) -> list[Convention]:
    """Rules under which LegS fits; a weighted one is sought where no other does.

    Args:
        compare: rule -> what is left, T as a formula, and T.
        task: what is asked.
        methods: rules tried.
        room: what may be left.
        shift: samples by which the states come late.
    """

    def left(a: float) -> float:
        seen = compare(weighted(a))
        return math.inf if seen is None else seen[0]

    def fitting(methods: Iterable[str]) -> list[Convention]:
        tried = [(method, compare(method)) for method in methods]
        return [legs(method, seen, shift) for method, seen in tried if seen is not None and seen[0] <= room]

    return fitting(methods) or (fitting(best_weight(left, room)) if task.weighted else [])


def weighted(a: float) -> str:
    """The generalized bilinear rule of a weight."""
    return f"gbt({a:.15f})"


def best_weight(left: Callable[[float], float], tolerance: float) -> Iterator[str]:
    """Weights of the generalized bilinear rule at which least is left: the best of a grid, refined."""
    values = [left(float(a)) for a in WEIGHTS]
    best = int(np.argmin(values))
    if not math.isfinite(values[best]) or values[best] > ROUGHLY:
        return
    low, high = WEIGHTS[max(best - 1, 0)], WEIGHTS[min(best + 1, len(WEIGHTS) - 1)]
    a = float(scipy.optimize.minimize_scalar(left, bounds=(low, high), method="bounded", options={"xatol": 1e-10}).x)
    simple = Fraction(a).limit_denominator(1000)
    for denominator in (10, 100, 1000):  # the simplest weight that is as good
        simple = Fraction(a).limit_denominator(denominator)
        if left(float(simple)) <= max(4 * left(a), tolerance):
            break
    yield f"gbt({simple})"


def same(one: Convention, other: Convention) -> bool:
    """Whether two orders tell the same story."""
    numbers = [(a, b) for (_, a), (_, b) in zip(one.parameters, other.parameters, strict=False)]
    for name in ("theta", "theta_over_dt", "dt"):
        a, b = getattr(one, name), getattr(other, name)
        if a is not None and b is not None:
            numbers.append((a, b))
    return (
        one.measure == other.measure
        and one.sign == other.sign
        and one.formula == other.formula
        and one.method == other.method
        and all(math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-3) for a, b in numbers)
    )


def rules_alike(found: Sequence[Convention]) -> list[Convention]:
    """One entry for each measure: the rule that leaves least, and those that cannot be told from it."""
    best: dict[tuple[str, str], list[Convention]] = {}
    for match in sorted(found, key=lambda match: match.residual):
        best.setdefault((match.measure, match.formula), []).append(match)
    kept = []
    for same in best.values():
        floor = max(same[0].residual, 1e-15)
        alike = dict.fromkeys(
            m.method for m in same[1:] if m.residual <= CLEARLY * floor and m.method != same[0].method
        )
        kept.append(replace(same[0], also=tuple(alike)))
    # A measure that another one beats clearly is a coincidence of coarse arithmetic.
    least = min((match.residual for match in kept), default=0.0)
    return [match for match in kept if match.residual <= max(CLEARLY * least, 1e-9)]
