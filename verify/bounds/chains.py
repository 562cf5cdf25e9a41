"""Limits on a few steps from a given state, each from where the one before arrived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from verify.bounds.base import Limits, Operator
from verify.bounds.scans import SECOND_ORDER, step_limits
from verify.bounds.steps import majorant

Array = np.ndarray[Any, np.dtype[Any]]


def carried(operator: Operator, k: int) -> float:
    """Upper bound on what the step of sample k makes of an error of size 1, in the weighted norm."""
    if operator.contracts:
        return 1.0
    if k == 0 and operator.dt is None:  # a copy of the sample forgets what was before
        return 0.0
    return float(np.linalg.norm(majorant(operator, max(k, 1)).transition))  # Frobenius: never below the 2-norm


def chain_limits(operator: Operator, states: Array, samples: Sequence[float], first: int, dtype: str) -> Limits:
    """Limits on the D-weighted Euclidean error of each state of a run that goes on from a given one.

    Each step adds its own limit (`step_limits`) to what it carries on of the error before it, and the backward limit
    what it rounds of that error besides, as in `scan_limits`.

    Args:
        operator: the exact operator, of a rule that reads one sample a step.
        states: (L+1, N) the state before, then the exact states, rounded.
        samples: (L,) read after it.
        first: index of the first of them.
        dtype: arithmetic of the target.

    Returns:
        (L,) limits; inf where the arithmetic can promise nothing.
    """
    errors, bounds, source = np.zeros(2), np.zeros((len(samples), 2)), ""
    with np.errstate(over="ignore", invalid="ignore"):
        for i, sample in enumerate(samples):
            k = first + i
            own = step_limits(operator, states[i], sample, states[i + 1], k, dtype)
            K = majorant(operator, max(k, 1)).K
            rounded = operator.gamma(dtype) * SECOND_ORDER * np.linalg.norm(K, axis=(1, 2))
            errors = np.array([own.forward, own.backward]) + (carried(operator, k) + rounded) * errors
            bounds[i], source = np.where(np.isnan(errors), np.inf, errors), own.source
    return Limits(bounds[:, 0], np.maximum(bounds[:, 0], bounds[:, 1]), source)
