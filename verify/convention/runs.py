"""Whole runs beside exact ones, under the best diagonal; and the numbers of a measure polished on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from verify.convention.fit import as_formula

Array = np.ndarray[Any, np.dtype[Any]]


def projected(got: Array, exact: Array, tolerance: float) -> tuple[float, str, Array] | None:
    """Largest relative difference of states under the best diagonal, that diagonal as a formula, and itself."""
    with np.errstate(all="ignore"):
        size = np.abs(exact).max(axis=0)
        if not (np.isfinite(exact).all() and size.all() and np.abs(got).max(axis=0).all()):
            return None
        units = exact / size
        T = (got * units).sum(axis=0) / (units * units).sum(axis=0) / size
        T[0] = math.copysign(1.0, T[0])  # a gain is no convention
        if not (np.isfinite(T).all() and T.all()):
            return None
        formula, T = as_formula(T, tolerance)
        left = np.abs(got / T - exact) / size
    return float(left.max()), formula, T


POLISHES = 12
"""Steps of the polishing, at most."""
GAIN = 0.05
"""Share of what is left by which a step must lessen it, for another step to be worth its while."""
NUDGE = 1e-5
"""Relative change of a number by which slopes are taken."""


def polish(got: Array, states: Callable[[Array], Array | None], numbers: Array) -> Array:
    """Numbers near given ones whose states are closest to those seen, under the best diagonal (Gauss-Newton steps).

    Args:
        got: (W, N) states of a target.
        states: numbers -> exact states, None where there are none.
        numbers: (P,) start.
    """
    best = math.inf, numbers
    for _ in range(POLISHES):
        exact = states(numbers)
        seen = None if exact is None else projected(got, exact, 0.0)
        if exact is None or seen is None or seen[0] > (1 - GAIN) * best[0]:
            return best[1]
        best = seen[0], numbers
        T, size = seen[2], np.abs(exact).max(axis=0)
        moved = []
        for i, number in enumerate(numbers):
            further = numbers.copy()
            further[i] += NUDGE * max(abs(number), 1e-2)
            there = states(further)
            if there is None:
                return numbers
            moved.append((there - exact) / (further[i] - number) / size)
        rest, along = (got / T - exact) / size, exact / size
        slopes = np.stack(moved)
        # What the free entries of T take up is no business of the numbers; T_0 is not free.
        share = (along * along).sum(axis=0)
        share[0] = np.inf
        rest = rest - along * ((along * rest).sum(axis=0) / share)
        slopes = slopes - along * ((along * slopes).sum(axis=1, keepdims=True) / share)
        change = np.linalg.lstsq(slopes.reshape(len(numbers), -1).T, rest.ravel(), rcond=None)[0]
        change = np.clip(change, -0.1, 0.1)
        numbers = numbers + change
    return best[1]
