"""One test vector without its answer: everything a program must read to compute it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from hippo_ref.measures import Measure, measure
from hippo_ref.vectors.numbers import hexadecimal
from hippo_ref.vectors.signals import Entire

KINDS: Mapping[str, str] = {
    "matrices": "row n of the answer is A[n][0..N-1] followed by B[n]; signed form, dc/dt = A c + B f (legs: over t)",
    "scan": "row k is the state after samples[0..k], N numbers",
    "step": "one row: the state after reading samples[0] as sample number index, from the given state",
    "reconstruct": "row i is one number, sum_n state[n] g_n at points[i], a fraction of the window (0 oldest, 1 now)",
    "gradient": "row k is d (last state) / d samples[k], N numbers",
    "projection": "one row: the N coefficients of signal at time t, by the definition of the measure",
}
"""What the rows of an answer are, by kind; part of every exported document."""


@dataclass(frozen=True)
class Setting:
    """A measure with its parameters and a natural sample spacing; every number a double, taken exactly."""

    measure: str
    parameters: tuple[tuple[str, float], ...] = ()
    dt: float | None = None

    @cached_property
    def exact(self) -> Measure:
        """The reference's measure."""
        return measure(self.measure, **{name: Fraction(value) for name, value in self.parameters})

    def name(self) -> str:
        """Key and parameters, as in ids: ``legt(theta=0.8)``."""
        inside = ",".join(f"{name}={decimal(value)}" for name, value in self.parameters)
        return f"{self.measure}({inside})" if inside else self.measure


@dataclass(frozen=True)
class Question:
    """The input of one vector.

    Attributes:
        group: id of its group.
        kind: key of `KINDS`.
        setting: measure, parameters.
        order: N.
        label: last part of the id: what is special about the input.
        method: rule of discretization, for scan, step and gradient.
        dt: sample spacing of an invariant law.
        timestamps: times of the samples (legs), where they are not the default ones.
        samples: (L,) input of scan; the sample read by step; for gradient only its length counts.
        state: (N,) state before a step, or coefficients of a reconstruction.
        index: number of the sample that a step reads.
        points: fractions of the window.
        signal: what is projected.
        time: when.
        rows: which rows of the whole answer are given.
        flags: what is special about it.
    """

    group: str
    kind: str
    setting: Setting
    order: int
    label: str
    method: str | None = None
    dt: float | None = None
    timestamps: tuple[float, ...] | None = None
    samples: tuple[float, ...] | None = None
    state: tuple[float, ...] | None = None
    index: int | None = None
    points: tuple[float, ...] | None = None
    signal: Entire | None = None
    time: float | None = None
    rows: tuple[int, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Readable and unique in a document: group, kind, measure, order, rule, label."""
        parts = [self.group, self.kind, self.setting.name(), f"N={self.order}", self.method, self.label]
        return "/".join(part for part in parts if part)

    @property
    def width(self) -> int:
        """Numbers in a row of the answer."""
        return {"matrices": self.order + 1, "reconstruct": 1}.get(self.kind, self.order)

    def scale(self, row: int) -> Fraction:
        """Size of the largest input that a row depends on; 0 for matrices, whose entries are judged one by one."""
        if self.kind == "matrices":
            return Fraction(0)
        if self.kind in ("gradient", "projection"):
            return Fraction(1)
        read = (self.samples or ())[: row + 1] if self.kind == "scan" else self.samples or ()
        return Fraction(max(map(abs, (*read, *(self.state or ()))), default=0.0))

    def to_json(self) -> dict[str, Any]:
        """The record of the document, without its answer; numbers as hex floats, absent fields left out."""
        record: dict[str, Any] = {
            "id": self.id,
            "group": self.group,
            "kind": self.kind,
            "measure": self.setting.measure,
            "parameters": {name: hexadecimal(value) for name, value in self.setting.parameters},
            "parameters_decimal": {name: decimal(value) for name, value in self.setting.parameters},
            "order": self.order,
            "rows": list(self.rows),
            "flags": sorted(self.flags),
        }
        if self.method is not None:
            record |= {"method": self.method, "reads": reads(self.method)}
        for name in ("dt", "time"):
            value = getattr(self, name)
            if value is not None:
                record[name] = hexadecimal(value)
        for name in ("timestamps", "samples", "state", "points"):
            values = getattr(self, name)
            if values is not None:
                record[name] = [hexadecimal(value) for value in values]
        if self.index is not None:
            record["index"] = self.index
        if self.signal is not None:
            record["signal"] = {
                "polynomial": [hexadecimal(value) for value in self.signal.polynomial],
                "waves": [
                    [hexadecimal(value) for value in (wave.amplitude, wave.frequency, wave.phase)]
                    for wave in self.signal.waves
                ],
            }
        return record


def decimal(value: float) -> str:
    """The shortest decimal that is read as this double: ``0.8``, ``1``, ``1073741824``."""
    return repr(value).removesuffix(".0")


def reads(method: str) -> str:
    """``cells`` (a sample is the input on the step's whole interval) or ``nodes`` (its value at one time)."""
    return "nodes" if method in ("trapezoid", "foh") or method.startswith("hold(") else "cells"


SETTINGS: Mapping[str, tuple[Setting, ...]] = {
    "legs": (Setting("legs"),),
    "legt": (Setting("legt", (("theta", 1.0),), 1 / 32), Setting("legt", (("theta", 0.8),), 0.05)),
    "lmu": (Setting("lmu", (("theta", 1.0),), 1 / 32), Setting("lmu", (("theta", 4.0),), 0.1)),
    "lagt": (
        Setting("lagt", (("alpha", 0.0), ("beta", 1.0)), 1 / 16),
        Setting("lagt", (("alpha", 0.5), ("beta", 1.0)), 0.1),
        Setting("lagt", (("alpha", -0.3), ("beta", 2.0)), 1 / 16),
    ),
    "fout": (Setting("fout", (("theta", 1.0),), 1 / 32), Setting("fout", (("theta", 0.3),), 0.01)),
    "legs_lti": (Setting("legs_lti", (), 1 / 16),),
    "chebt": (Setting("chebt", (("theta", 1.0),), 1 / 32),),
    "gegenbauer": (Setting("gegenbauer", (("theta", 1.0), ("alpha", 0.75)), 1 / 32),),
    "jacobi": (Setting("jacobi", (("theta", 0.8), ("alpha", 0.5), ("beta", 0.25)), 0.025),),
}
"""By measure: parameters and steps that are dyadic first, then some that are not."""

BOUNDED = ("legs", "legt", "lmu", "lagt", "fout", "legs_lti")
"""Measures whose law contracts and whose basis is bounded by its value at the present: gradients, read-outs and
projections are judged by bounds that need both. The Jacobi windows have neither.
"""
