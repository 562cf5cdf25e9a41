"""Consistent conventions: right once they are found and undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from verify.candidates import Model, System
from verify.case import Case
from verify.variants.base import Variant

Array = np.ndarray[Any, np.dtype[Any]]
Diagonal = Callable[[Array], Array]


def _rescaled(diagonal: Diagonal, sign: float = 1.0) -> Callable[[Model], Model]:
    """``A' = sign T A T^-1``, ``B' = T B``."""

    def alter(model: Model) -> Model:
        right = model.system

        def system(order: int) -> System:
            A, B = right(order)
            T = diagonal(np.arange(order))
            return sign * (T[:, None] * A / T), T * B

        return replace(model, system=system)

    return alter


class _Late:
    """States come a sample later: state k has read the samples before k."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def scan(self, samples: Array, order: int) -> Array:
        """All states."""
        states = self._model.scan(samples, order)
        return np.concatenate([states[:1] * 0, states[:-1]])


def _of(*measures: str, level: str = "matrices") -> Callable[[Case], bool]:
    return lambda case: case.level == level and case.measure in measures


def _alternating(n: Array) -> Array:
    return (-1.0) ** n


def _roots(n: Array) -> Array:
    return np.sqrt(2.0 * n + 1)


_SMOOTH = ("legs", "legt", "lagt", "legs_lti")


def _late_scan(case: Case) -> bool:
    """An operator is read off the scans of rules that read one sample a step."""
    return case.level == "scan" and case.measure in ("legs", "legt", "lagt") and case.method in ("bilinear", "zoh")


def _gated_scan(case: Case) -> bool:
    return case.level == "scan" and case.measure in ("legs", "legt") and case.method in ("bilinear", "backward_euler")


CONVENTIONS = (
    Variant("alternating", "T = (-1)^n", _rescaled(_alternating), _of(*_SMOOTH), "auto"),
    Variant("roots", "T = sqrt(2n+1)", _rescaled(_roots), _of(*_SMOOTH), "auto"),
    Variant("inverse_roots", "T = 1/sqrt(2n+1)", _rescaled(lambda n: 1 / _roots(n)), _of(*_SMOOTH), "auto"),
    Variant(
        "alternating_roots",
        "T = sqrt(2n+1) (-1)^n",
        _rescaled(lambda n: _roots(n) * _alternating(n)),
        _of(*_SMOOTH),
        "auto",
    ),
    Variant(
        "alternating_inverse_roots",
        "T = (-1)^n/sqrt(2n+1)",
        _rescaled(lambda n: _alternating(n) / _roots(n)),
        _of(*_SMOOTH),
        "auto",
    ),
    Variant(
        "negated_sines",
        "FouT with its sines negated",
        _rescaled(lambda n: np.where((n > 0) & (n % 2 == 0), -1.0, 1.0)),
        _of("fout"),
        "auto",
    ),
    Variant("minus_A", "written with -A", _rescaled(lambda n: np.ones(len(n)), -1.0), _of(*_SMOOTH), "auto"),
    Variant("minus_A_alternating", "T = (-1)^n, written with -A", _rescaled(_alternating, -1.0), _of(*_SMOOTH), "auto"),
    Variant("negated_state", "T = -1", _rescaled(lambda n: -np.ones(len(n))), _of(*_SMOOTH, "fout"), "auto"),
    Variant("own_diagonal", "T of its own", _rescaled(lambda n: 1 / (1 + n / 3.0)), _of(*_SMOOTH), "auto"),
    Variant("negated_roots", "T = -sqrt(2n+1)", _rescaled(lambda n: -_roots(n)), _of(*_SMOOTH), "auto"),
    Variant("negated_alternating", "T = -(-1)^n", _rescaled(lambda n: -_alternating(n)), _of(*_SMOOTH), "auto"),
    Variant("minus_A_roots", "T = sqrt(2n+1), written with -A", _rescaled(_roots, -1.0), _of(*_SMOOTH), "auto"),
    Variant("minus_A_fout", "FouT written with -A", _rescaled(lambda n: np.ones(len(n)), -1.0), _of("fout"), "auto"),
    Variant("powers_of_root_two", "T = 2^(-n/2)", _rescaled(lambda n: np.exp2(-n / 2.0)), _of(*_SMOOTH), "auto"),
    Variant(
        "alternating_scan", "a scan with T = (-1)^n", _rescaled(_alternating), _of("legs", "legt", level="scan"), "auto"
    ),
    Variant("roots_scan", "a scan with T = sqrt(2n+1)", _rescaled(_roots), _gated_scan, "auto"),
    Variant(
        "alternating_steps", "steps with T = (-1)^n", _rescaled(_alternating), _of("legs", "legt", level="step"), "auto"
    ),
    Variant("lmu_as_published", "LMU asked as LMU", lambda model: model, _of("lmu"), "auto"),
    Variant("late_states", "states a sample late", _Late, _late_scan, "auto"),
)
