"""What is checked: one target under one measure, order, rule, dtype and level."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "matrices": ("order",),
    "step": ("state", "sample", "k"),
    "scan": ("samples", "order"),
    "reconstruct": ("state", "points"),
    "gradient": ("samples", "order"),
    "timed_scan": ("samples", "timestamps", "order"),
    "batch_scan": ("samples", "order"),
    "resume": ("state", "samples", "k"),
    "factors": ("order",),
}
"""What each level of the target interface is called with."""
LEVELS = tuple(ARGUMENTS)
"""The interfaces a target can offer."""
STEPPING = ("step", "scan", "gradient", "timed_scan", "batch_scan", "resume")
"""Those in which the discretization rule plays a part."""

DTYPES = ("float64", "float32")
DEVICES = ("cpu", "cuda")
DEFAULT_ORDERS = (4, 8, 16, 32, 64)
LARGEST_ORDER = 4096
"""Exact answers of larger ones take hours."""


def identity(*parts: Any) -> str:
    """A stable 12-digit name of JSON-able content: equal content, equal name, on every machine."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def as_text(number: Any) -> str:
    """A number rounded to a double, in the shortest text that gives it back; integers without a point."""
    value = float(number)
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


@dataclass(frozen=True)
class Case:
    """One cell of the plan, before a check is chosen.

    Attributes:
        target: name of the target as the user wrote it.
        measure: key of the measure, e.g. ``"legs"``.
        order: number of coefficients N.
        method: discretization rule, e.g. ``"bilinear"``.
        level: interface of the target that is exercised.
        dtype: floating-point type the target is judged in.
        dt: sample spacing for invariant laws, None for the scale law.
        parameters: measure parameters, each a double in text form, ``(("theta", "0.5"),)``: a target cannot be given
            more than a double, so the exact side takes the very same number.
        device: where the target runs.
    """

    target: str
    measure: str = "legs"
    order: int = 4
    method: str = "bilinear"
    level: str = "matrices"
    dtype: str = "float64"
    dt: float | None = None
    parameters: tuple[tuple[str, str], ...] = field(default=())
    device: str = "cpu"

    @cached_property
    def id(self) -> str:
        """Stable name of this case."""
        return identity(self.to_json())

    @property
    def exact_parameters(self) -> dict[str, Fraction]:
        """Measure parameters as exact rationals."""
        return {name: Fraction(float(value)) for name, value in self.parameters}

    @property
    def float_parameters(self) -> dict[str, float]:
        """Measure parameters."""
        return {name: float(value) for name, value in self.parameters}

    def to_json(self) -> dict[str, Any]:
        """Every field, ready for JSON."""
        return {
            "target": self.target,
            "measure": self.measure,
            "parameters": dict(self.parameters),
            "order": self.order,
            "method": self.method,
            "dt": self.dt,
            "level": self.level,
            "dtype": self.dtype,
            "device": self.device,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Case:
        """The inverse of `to_json`."""
        values = dict(record)
        values.pop("id", None)
        values["parameters"] = tuple(values["parameters"].items())
        return cls(**values)

    def describe(self) -> str:
        """One line for a person."""
        parameters = "".join(f", {name}={value}" for name, value in self.parameters)
        rule = f" {self.method}" if self.level in STEPPING else ""
        return f"{self.measure}{parameters} N={self.order}{rule} {self.level} {self.dtype}"
