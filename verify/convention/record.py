"""What identification has found: conventions that fit, near misses, and what was seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from verify.candidates import WINDOWED

Array = np.ndarray[Any, np.dtype[Any]]

SCALINGS: dict[str, Callable[[Array], Array]] = {
    "1": lambda n: np.ones(len(n)),
    "(-1)^n": lambda n: (-1.0) ** n,
    "sqrt(2n+1)": lambda n: np.sqrt(2.0 * n + 1),
    "sqrt(2n+1) (-1)^n": lambda n: np.sqrt(2.0 * n + 1) * (-1.0) ** n,
    "1/sqrt(2n+1)": lambda n: 1 / np.sqrt(2.0 * n + 1),
    "(-1)^n/sqrt(2n+1)": lambda n: (-1.0) ** n / np.sqrt(2.0 * n + 1),
    "sines negated": lambda n: np.where((n > 0) & (n % 2 == 0), -1.0, 1.0),
    "1/sqrt(2) for n > 0": lambda n: np.where(n > 0, math.sqrt(0.5), 1.0),
    "1/sqrt(2) for n > 0, sines negated": lambda n: (
        np.where(n > 0, math.sqrt(0.5), 1.0) * np.where((n > 0) & (n % 2 == 0), -1.0, 1.0)
    ),
}
"""Diagonals T in use, as functions of n; each also with its sign reversed."""


@dataclass(frozen=True)
class Convention:
    """A way of writing a measure.

    Attributes:
        measure: key.
        theta: window length (1 for measures without one); None where only its ratio to the sample spacing shows.
        scaling: (N,) diagonal T at the order where it was found.
        formula: T as a formula in n, or "" if it is none of `SCALINGS`.
        sign: -1 if the target writes ``dc/dt = -A c + B f``.
        shift: samples by which its states come late.
        parameters: further parameters of the measure.
        residual: largest relative difference left after undoing all that.
        method: rule of a step or scan, "" for matrices.
        also: rules that fit as well.
        dt: sample spacing, None where there is none or where it does not show.
        theta_over_dt: samples in a window, None where there is no window or no step.
        inside: arithmetic inside, or ``undecided``; "" where it was not looked at.
        why: what says so.
    """

    measure: str
    theta: float | None = 1.0
    scaling: tuple[float, ...] = ()
    formula: str = "1"
    sign: int = 1
    shift: int = 0
    parameters: tuple[tuple[str, float], ...] = ()
    residual: float = 0.0
    method: str = ""
    also: tuple[str, ...] = ()
    dt: float | None = None
    theta_over_dt: float | None = None
    inside: str = ""
    why: str = ""

    @property
    def trivial(self) -> bool:
        """Whether there is nothing to undo but, perhaps, the window."""
        return self.formula == "1" and self.sign == 1 and self.shift == 0

    def to_json(self) -> dict[str, Any]:
        """The record of ``identify --json``."""
        return {
            "measure": self.measure,
            "theta": self.theta,
            "scaling": list(self.scaling),
            "formula": self.formula,
            "sign": self.sign,
            "shift": self.shift,
            "parameters": dict(self.parameters),
            "residual": self.residual,
            "method": self.method or None,
            "methods_alike": list(self.also),
            "dt": self.dt,
            "theta_over_dt": self.theta_over_dt,
            "inside": self.inside or None,
            "inside_because": self.why or None,
        }

    def describe(self) -> str:
        """One line for a person."""
        parts = [operator_text(self.measure, self.theta, self.parameters, self.theta_over_dt)]
        parts.append(f"scaling T = {self.formula}" if self.formula else "a scaling T of its own")
        if self.sign < 0:
            parts.append("written with -A")
        if self.shift:
            parts.append(f"states {self.shift} sample(s) late")
        if self.method:
            parts.append(" or ".join([self.method, *self.also]))
        if self.dt is not None:
            parts.append(f"dt = {self.dt:.6g}")
        return ", ".join(parts)

    def summary(self) -> str:
        """The same with how well it fits, and the arithmetic inside."""
        inside = {"": "", "undecided": "; arithmetic inside undecided"}.get(self.inside, f"; {self.inside} inside")
        return f"{self.describe()}  (residual {self.residual:.1e}{inside})"


def operator_text(
    measure: str,
    theta: float | None,
    parameters: tuple[tuple[str, float], ...],
    ratio: float | None = None,
) -> str:
    """A measure with its parameters, in words."""
    parts = [measure, *(f"{name} = {value:g}" for name, value in parameters)]
    if measure in WINDOWED:
        parts.append(f"theta = {theta:g}" if theta is not None else f"theta/dt = {ratio:.6g}")
    return ", ".join(parts)


@dataclass(frozen=True)
class Near:
    """An operator that a target is not, and what lies between.

    Attributes:
        measure: key.
        theta: window length, as in `Convention`.
        parameters: further parameters.
        method: rule, where one plays a part.
        distance: largest difference to the operator, relative to its largest entry, after the best diagonal scaling.
        difference: what differs, as a phrase.
        left: the same distance without that difference; None if it was only described.
        theta_over_dt: as in `Convention`.
    """

    measure: str
    theta: float | None
    parameters: tuple[tuple[str, float], ...]
    method: str
    distance: float
    difference: str
    left: float | None = None
    theta_over_dt: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The record of ``identify --json``; a distance that is not finite is null."""
        return {
            "measure": self.measure,
            "theta": self.theta,
            "parameters": dict(self.parameters),
            "method": self.method or None,
            "theta_over_dt": self.theta_over_dt,
            "distance": self.distance if math.isfinite(self.distance) else None,
            "difference": self.difference,
            "left": self.left,
        }

    def describe(self) -> str:
        """One line for a person."""
        what = operator_text(self.measure, self.theta, self.parameters, self.theta_over_dt)
        rule = f", {self.method}" if self.method else ""
        rest = "" if self.left is None else f", {self.left:.1e} without it"
        far = f"{self.distance:.2g}" if math.isfinite(self.distance) else "far"
        return f"{what}{rule}: {self.difference} (distance {far}{rest})"


@dataclass(frozen=True)
class Identification:
    """The answer to: what is this?

    Attributes:
        level: interface that was read.
        matches: conventions that explain the target, best first; empty if it is no HiPPO operator.
        near: the closest operators, nearest first; looked for only where nothing matches.
        note: why nothing could be read, or "".
    """

    level: str = ""
    matches: tuple[Convention, ...] = field(default=())
    near: tuple[Near, ...] = field(default=())
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The record of ``identify --json``."""
        return {
            "level": self.level,
            "matches": [match.to_json() for match in self.matches],
            "near": [near.to_json() for near in self.near],
            "note": self.note or None,
        }

    def lines(self, target: str) -> list[str]:
        """What is said on the terminal."""
        if self.matches:
            return [f"{'  or ' if rank else ''}{match.summary()}" for rank, match in enumerate(self.matches)]
        if self.note:
            return [f"{target}: no HiPPO operator that we know: {self.note}"]
        told = [f"{target}: no HiPPO operator that we know, under any scaling, sign, window or shift"]
        return told + [f"  near {near.describe()}" for near in self.near]
