"""Wrong read-outs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from verify.defects.base import (
    Defect,
)

Array = np.ndarray[Any, np.dtype[Any]]


def _drop_last(coefficients: Array) -> Array:
    out = coefficients.copy()
    out[-1] = 0
    return out


def _unweighted(coefficients: Array) -> Array:
    return (coefficients / np.sqrt(2.0 * np.arange(len(coefficients)) + 1)).astype(coefficients.dtype)


READOUTS = (
    Defect(
        "flipped",
        "the reconstruction runs backwards in time",
        "reading the points as 1 - y gives the same values",
        lambda model: replace(model, points=lambda points: 1 - points),
        lambda case: case.level == "reconstruct",
    ),
    Defect(
        "grid_short",
        "the points are taken on a grid one interval short",
        "reading the points as 0.96 y gives the same values",
        lambda model: replace(model, points=lambda points: (points * points.dtype.type(0.96)).astype(points.dtype)),
        lambda case: case.level == "reconstruct",
    ),
    Defect(
        "last_dropped",
        "the last coefficient is not used",
        "setting it to zero gives the same values",
        lambda model: replace(model, coefficients=_drop_last),
        lambda case: case.level == "reconstruct",
    ),
    Defect(
        "unweighted",
        "the basis is not normalised: the factor sqrt(2n+1) is missing",
        "dividing the coefficients by sqrt(2n+1) gives the same values",
        lambda model: replace(model, coefficients=_unweighted),
        lambda case: case.level == "reconstruct" and case.measure != "fout",
    ),
)
