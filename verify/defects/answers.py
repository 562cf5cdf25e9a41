"""Right recurrences whose answers are spoiled on the way out, or whose calls have side effects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from verify.candidates import Model, System
from verify.defects.base import (
    Defect,
    through_float32,
)

Array = np.ndarray[Any, np.dtype[Any]]


def _clip(values: Array) -> Array:
    return np.clip(values, -1, 1)


def _guarded(values: Array) -> Array:
    size = np.sum(values * values)
    return values * (size / size) if size else values


def _upper_half_dead(values: Array) -> Array:
    order = values.shape[-1]
    return np.where(np.arange(order) >= (order + 1) // 2, 0, values).astype(values.dtype)


def _dead_zone(values: Array) -> Array:
    return np.where(np.abs(values) < 1e-6, 0, values).astype(values.dtype)


def _nan_when_large(values: Array) -> Array:
    return np.where(np.arange(values.shape[-1]) >= 16, np.nan, values).astype(values.dtype)


class _Forgetful:
    """A state that leaks from call to call."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, values: Array) -> Array:
        self.calls += 1
        return (values * (1 + 2.0**-20 * self.calls)).astype(values.dtype)


def _leak(model: Model) -> Model:
    leak = _LEAKS.setdefault(model.case.id, _Forgetful())
    right = model.system

    def system(order: int) -> System:
        A, B = right(order)
        return (leak(A), B) if model.case.level == "matrices" else (A, B)

    return replace(model, finish=leak, system=system, coefficients=leak)


_LEAKS: dict[str, _Forgetful] = {}


class _Writing(Model):
    """Uses its input as work space."""

    def step(self, state: Array, sample: float, k: int) -> Array:
        answer = super().step(state.copy(), sample, k)
        state[:] = answer
        return answer

    def scan(self, samples: Array, order: int) -> Array:
        answer = super().scan(samples.copy(), order)
        samples *= 0
        return answer

    def reconstruct(self, state: Array, points: Array) -> Array:
        answer = super().reconstruct(state.copy(), points)
        state *= 0
        return answer

    def gradient(self, samples: Array, order: int) -> Array:
        answer = super().gradient(samples, order)
        samples *= 0
        return answer


def _writing(model: Model) -> Model:
    return _Writing(**{name: getattr(model, name) for name in model.__dataclass_fields__})


ANSWERS = (
    Defect(
        "upper_half_dead",
        "the upper half of the coefficients is zero",
        "setting the coefficients from N/2 on to zero gives the same states",
        lambda model: replace(model, finish=_upper_half_dead),
        lambda case: case.level in ("step", "scan") and case.order > 1,
    ),
    Defect(
        "doubled_state",
        "the answer is twice what it should be",
        "half of it agrees",
        lambda model: replace(model, finish=lambda values: 2 * values),
        lambda case: case.level in ("step", "scan", "gradient"),
    ),
    Defect(
        "clipped",
        "the answer is clipped to [-1, 1]",
        "clipping the exact answer gives the same values",
        lambda model: replace(model, finish=_clip),
        lambda case: case.level in ("step", "scan"),
    ),
    Defect(
        "float32_states",
        "the answer passed through float32",
        "the float32 rounding of the exact answer agrees",
        lambda model: replace(model, finish=through_float32),
        lambda case: case.dtype == "float64" and case.level in ("step", "scan", "gradient"),
    ),
    Defect(
        "nan_when_large",
        "coefficients from 16 on are NaN",
        "the first 16 coefficients agree",
        lambda model: replace(model, finish=_nan_when_large),
        lambda case: case.level in ("step", "scan") and case.order > 16,
        order=20,
    ),
    Defect(
        "dead_zone",
        "small numbers are set to zero",
        "values below 1e-6 come out as zero",
        lambda model: replace(model, finish=_dead_zone),
        lambda case: case.level in ("step", "scan"),
    ),
    Defect(
        "leaking",
        "the answer depends on earlier calls",
        "two equal calls give different bits",
        _leak,
        lambda case: case.level != "factors",
    ),
    Defect(
        "writing",
        "the target writes into its input",
        "the input array differs after the call",
        _writing,
        lambda case: case.level in ("step", "scan", "reconstruct", "gradient"),
    ),
    Defect(
        "norm_overflow",
        "a guard squares the state: beyond the root of the largest number the answer is not finite",
        "states whose squares can be held agree",
        lambda model: replace(model, finish=_guarded),
        lambda case: case.level == "step",
    ),
)
