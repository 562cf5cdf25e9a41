"""Right factors as S4 and S5 code keeps them: half of the modes, no V, other halves of the low-rank term."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from verify.candidates import Factors, Model, halved
from verify.variants.base import Served, Variant, at

Array = np.ndarray[Any, np.dtype[Any]]


def _handed(change: Callable[[str, Factors], Any]) -> Callable[[Model], Served]:
    """Change what is handed over; the measure says which modes have no partner."""

    def alter(model: Model) -> Served:
        measure = model.case.measure
        return Served(model, lambda level, value: change(measure, value) if level == "factors" else value)

    return alter


def _flipped(half: Factors, alone: int, every: int) -> Factors:
    """The other mode of every so many pairs; those of frequency 0, which come first, have none."""
    places = np.arange(len(half[0]))
    other = (places >= alone) & (places % every == every - 1)
    Lambda, P, B, V = half
    Lambda, B, V = (np.where(other, part.conj(), part) for part in (Lambda, B, V))
    return Lambda, np.where(other[:, None], P.conj(), P), B, V


def _negative(measure: str, factors: Factors) -> Factors:
    half = halved(measure, factors)
    return _flipped(half, 2 * len(half[0]) - len(factors[0]), 1)


def _mixed(measure: str, factors: Factors) -> Factors:
    half = halved(measure, factors)
    return _flipped(half, 2 * len(half[0]) - len(factors[0]), 2)


def _any(measure: str, factors: Factors) -> Any:
    """Half of the modes, of either sign, in another order, each with a phase of its own, and no V."""
    Lambda, P, B, _ = _mixed(measure, factors)
    order = np.argsort(np.sin(1.0 + np.arange(len(Lambda))))
    phase = np.exp(1j * (2.0 + np.arange(len(Lambda)))).astype(Lambda.dtype)
    return Lambda[order], (P * phase[:, None])[order], (B * phase)[order]


def _split(measure: str, factors: Factors) -> Any:
    """Two halves of the low-rank term that are not alike, as in ``A = S - p q^T``."""
    Lambda, P, B, _ = factors
    two = P.real.dtype.type(2)
    return Lambda, P / two, P * two, B


def _padded(measure: str, factors: Factors) -> Any:
    """A rank higher than needed, and a row for each."""
    Lambda, P, B, _ = factors
    return {"Lambda": Lambda, "P": np.concatenate([P, 0 * P], axis=1).T, "B": B[None, :]}


FACTORS = (
    Variant("half_of_modes", "one mode of each pair, with its columns of V", _handed(halved), at("factors")),
    Variant("negative_half", "of each pair the mode of negative frequency", _handed(_negative), at("factors")),
    Variant("mixed_half", "of each pair either mode", _handed(_mixed), at("factors")),
    Variant("any_half", "half of the modes in any order and phase, without V", _handed(_any), at("factors")),
    Variant("without_V", "the factors alone", _handed(lambda measure, factors: factors[:3]), at("factors")),
    Variant(
        "half_without_V",
        "half of the factors alone, as an object",
        _handed(lambda measure, factors: SimpleNamespace(**dict(zip(("Lambda", "P", "B"), halved(measure, factors)[:3],
                                                                    strict=True)))),
        at("factors"),
    ),
    Variant("split_low_rank", "P and Q, of which only the product counts", _handed(_split), at("factors")),
    Variant("padded_rank", "a row for each rank, more than needed", _handed(_padded), at("factors")),
)  # fmt: skip
