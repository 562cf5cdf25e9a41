"""Sizes of the states of a scan in float64, for limits of scans whose exact states nobody needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from verify.bounds.base import Operator
from verify.bounds.steps import majorant
from verify.metrics import norm

Array = np.ndarray[Any, np.dtype[Any]]


def float_states(operator: Operator, samples: Sequence[float]) -> tuple[Array, Array]:
    """(L, N) states in float64, by the rounded exact steps of the bounds, and (L,) sizes of what each step adds.

    Limits need the sizes of all states, and a vector may give a few of them. An error in a size is of first order in
    the limit itself, hence of second order in what it allows. Samples that cancel leave a state of size 0, which is
    judged beside the parts that cancelled.
    """
    D, states, state = operator.weights, np.zeros((len(samples), operator.order)), np.zeros(operator.order)
    added = np.zeros(len(samples))
    with np.errstate(all="ignore"):
        for k in range(len(samples)):
            if k == 0 and operator.dt is None:
                state[0] = D[0] * samples[0]
            elif k > 0 or not operator.starts_silent:
                step = majorant(operator, max(k, 1))
                read = np.array([samples[k - back] if k >= back else 0.0 for back in range(step.inputs.shape[1])])
                state = step.transition @ state + step.inputs @ read
                added[k] = norm(np.abs(step.inputs) @ np.abs(read))
            states[k] = state / D
    return states, added
