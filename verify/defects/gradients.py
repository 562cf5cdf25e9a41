"""Wrong Jacobians."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from verify.defects.base import (
    Defect,
)

Array = np.ndarray[Any, np.dtype[Any]]


GRADIENTS = (
    Defect(
        "columns_reversed",
        "the columns of the Jacobian run backwards in time",
        "reversing them agrees",
        lambda model: replace(model, columns=lambda J: J[:, ::-1]),
        lambda case: case.level == "gradient",
    ),
    Defect(
        "mean_gradient",
        "the Jacobian is divided by the number of samples",
        "multiplying by L agrees",
        lambda model: replace(model, columns=lambda J: J / J.shape[1]),
        lambda case: case.level == "gradient",
    ),
    Defect(
        "first_detached",
        "the gradient with respect to the first sample is zero: the start is cut off from the graph",
        "every other column agrees",
        lambda model: replace(model, columns=lambda J: np.concatenate([J[:, :1] * 0, J[:, 1:]], axis=1)),
        lambda case: case.level == "gradient",
    ),
    Defect(
        "lone_column_squeezed",
        "the Jacobian of a single sample loses its axis of samples",
        "longer inputs agree, and so does this one with the axis put back",
        lambda model: replace(model, columns=lambda J: J[:, 0] if J.shape[1] == 1 else J),
        lambda case: case.level == "gradient",
    ),
)
