"""The error budget of a computed state, as values: truncation, closure, discretization, rounding.

For a signal f, its exact projection c (g is the function that c rebuilds) and a computed state c^ (rebuilding g^):

* rounding: ``c^`` minus the exact state of the same recurrence on f's exact samples;
* discretization: that state minus the exact state of the (closed) ODE driven by f;
* closure: that state minus c; 0 where the ODE is exact;
* truncation: ``||f - g||``, what no state of this order can hold.

The first three are vectors that add up to ``c^ - c`` exactly. All are measured in the norm L2(mu) in which the basis is
orthonormal, where ``||f - g^||^2 = truncation^2 + ||c^ - c||^2``: f - g is orthogonal to the span (Pythagoras).
`verify.budgeting` measures them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from verify.case import Case
from verify.cases import METHODS
from verify.checks.convergence import nominal_order
from verify.verdict import Status

COMPONENTS = ("truncation", "closure", "discretization", "rounding")
EXACT_LAWS = "legs, legs_lti or lagt"


def finite(value: float | None) -> float | None:
    """The number for JSON: None where it is not finite."""
    return value if value is not None and math.isfinite(value) else None


@dataclass(frozen=True)
class Component:
    """One part of the error.

    Attributes:
        name: one of `COMPONENTS`.
        value: its L2(mu) norm; 0 where it cannot be told from 0 at ``accuracy``, inf where the target gave no number.
        share: its part of the squared total, ``<part, c^ - c> / total^2`` (truncation: its square), so that the four
            add up to 1; negative where it cancels others. None where the total is 0 or inf.
        vector: (N,) mpf in the orthonormal basis, nothing lost; None for the truncation, which is orthogonal to all of
            it, and where the target gave no number.
        truth: what it was measured against.
        source: how that truth is known.
        accuracy: what the value is known to, absolute.
        bound: what it is at most, or None where no bound is derived.
        bound_source: where the bound comes from.
        parts: norms of what it is made of, by name.
    """

    name: str
    value: float
    share: float | None
    vector: tuple[Any, ...] | None
    truth: str
    source: str
    accuracy: float
    bound: float | None = None
    bound_source: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Numbers rounded once; what is not finite is null."""
        return {
            "value": finite(self.value),
            "share": self.share,
            "vector": None if self.vector is None else [float(x) for x in self.vector],
            "truth": self.truth,
            "source": self.source,
            "accuracy": self.accuracy,
            "bound": finite(self.bound),
            "bound_source": self.bound_source,
            "parts": {name: finite(value) for name, value in self.parts.items()},
        }


@dataclass(frozen=True)
class Budget:
    """Where the error of one computed state comes from.

    Attributes:
        case: target, measure, order, rule, dtype.
        signal: name of the signal.
        length: number of samples L.
        time: when the state was read; the samples cover [0, time].
        size: ``||f||``.
        total: ``||f - g^||``; 0 where it cannot be told from 0, inf where the target gave no number.
        truncation: see the module, as the next three.
        closure: 0 under an exact law.
        discretization: 0 where the rule is exact for the signal.
        rounding: its ``parts`` are ``arithmetic``, against the recurrence on the samples as the target read them, which
            the judgement is about, and ``samples``, what rounding them and dt to what the target is given has moved.
        judgement: PASS if rounding explains the target's distance to the exact recurrence, FAIL if it cannot,
            INCONCLUSIVE if its bound does not decide: as the check ``scan`` judges it.
        message: why, unless it is PASS.
        notes: what to know when reading the numbers.
    """

    case: Case
    signal: str
    length: int
    time: Fraction
    size: float
    total: float
    truncation: Component
    closure: Component
    discretization: Component
    rounding: Component
    judgement: Status
    message: str = ""
    notes: tuple[str, ...] = ()

    @property
    def components(self) -> tuple[Component, ...]:
        """The four, in the order of `COMPONENTS`."""
        return (self.truncation, self.closure, self.discretization, self.rounding)

    @property
    def largest(self) -> Component:
        """The component of the largest norm."""
        return max(self.components, key=lambda part: part.value)

    @property
    def status(self) -> Status:
        """FAIL if the target is wrong; INCONCLUSIVE if rounding or a defect, undecided, is the largest; else PASS."""
        if self.judgement is Status.INCONCLUSIVE and self.largest is not self.rounding:
            return Status.PASS
        return self.judgement

    @property
    def dominant(self) -> str | None:
        """What to act on: ``target`` if it is wrong, else the largest component; None if there is no error at all."""
        if self.judgement is Status.FAIL:
            return "target"
        return self.largest.name if self.largest.value > 0 else None

    @property
    def advice(self) -> str:
        """What to do about it."""
        if self.dominant is None:
            return "nothing to act on: the state is exact"
        if self.dominant == "target":
            return (
                f"not rounding: the target is wrong: {self.message}. "
                f"Find out why with `hippo-verify check {self.case.target} --level scan` and the same options"
            )
        if self.status is Status.INCONCLUSIVE:
            return f"rounding or a defect, not decided: {self.message}"
        return f"{self.dominant}: {ADVICE[self.dominant](self.case)}"

    def to_json(self) -> dict[str, Any]:
        """Finite numbers or null; the reason for a null stands in ``message``."""
        return {
            "case": {"id": self.case.id, **self.case.to_json()},
            "signal": self.signal,
            "length": self.length,
            "time": float(self.time),
            "size": finite(self.size),
            "total": finite(self.total),
            "components": {part.name: part.to_json() for part in self.components},
            "status": str(self.status),
            "judgement": str(self.judgement),
            "dominant": self.dominant,
            "advice": self.advice,
            "message": self.message,
            "notes": list(self.notes),
        }


def _more_samples(case: Case) -> str:
    own = nominal_order(case.method, scale_law=case.dt is None)
    better = [method for method in METHODS if nominal_order(method, scale_law=case.dt is None) > own]
    if not better:
        return f"sample more densely ({case.method} is of order {own} here)"
    listed = " or ".join(", ".join(better).rsplit(", ", 1))
    return f"sample more densely, or with a rule of higher order: {listed} ({case.method} is of order {own} here)"


def _wider(case: Case) -> str:
    if case.dtype == "float32":
        return "take float64"
    return f"{case.dtype} is at its end; a shorter run, or a rule that amplifies less, is what is left"


ADVICE = {
    "truncation": lambda case: (
        f"raise the order N, now {case.order}; no state of this order comes closer to the signal"
    ),
    "closure": lambda _: (
        "the ODE itself is approximate: let it run for more windows if it started from silence, raise the order N, "
        f"or take a measure with an exact law: {EXACT_LAWS}"
    ),
    "discretization": _more_samples,
    "rounding": _wider,
}
