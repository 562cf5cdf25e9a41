"""Limits on Jacobians, whichever way they are taken, for every rule that has majorants of its steps.

The recurrence is linear, so column j of ``J = d last state / d samples`` is the last state of a unit impulse at sample
j. Let ``G_k`` be the transition of step k, ``Pi(k, j) = G_k .. G_(j+1)`` and ``P(k, j)`` a bound on its norm: 1 where
the rule contracts, else the norm of the product itself (`verify.bounds.scans`). All in D-coordinates.

*Forward mode and finite differences* run the recurrence on impulses. Step k loses what a step of a scan loses,
``gamma_p (|K_k| |v| + kappa or before + |v'|)`` for the exact states v, v' of that impulse, and carries it to the end:
a factor ``P(L - 1, k)``.

*Reverse mode* takes the rows ``e_n^T Pi(L - 1, k)`` down from the end by the same discrete matrices, transposed. A
transposed solve with backward error dM, ``y (M + dM) = r``, loses ``y dM G`` of ``y R``: step k loses
``gamma_p |row| K_k`` (Higham 2002, section 9.3), which step j < k sees through ``P(k - 1, j)``. The gradient of sample
j is then the sum over the steps that read it, its own and the `Operator.reach` after, of a row times a column of
inputs: ``|row| |column|`` times ``gamma_p``, and what the row had lost times the norm of the column.

What was lost in forming the discrete matrices acts alike in both modes and is counted in the first. The limit is the
sum of both, so that it holds for either.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.bounds.base import Limits, Operator
from verify.bounds.holds import Majorant
from verify.bounds.scans import SECOND_ORDER, _limits, _reach, floor
from verify.bounds.steps import majorant
from verify.metrics import norm

Array = np.ndarray[Any, np.dtype[Any]]


def jacobian_limits(operator: Operator, length: int, dtype: str) -> Limits:
    """Limits on the D-weighted error of each column of d last state / d samples.

    Args:
        operator: the exact operator.
        length: number of samples L.
        dtype: arithmetic of the target.

    Returns:
        (L,) limits; inf where the arithmetic can promise nothing.
    """
    gamma, smallest = operator.gamma(dtype), floor(operator, dtype)
    first = 1 if operator.dt is None or operator.starts_silent else 0
    steps = [majorant(operator, k) if k >= first else None for k in range(length)]
    start = np.zeros(operator.order)
    start[0] = float(not operator.starts_silent)
    passed = np.tri(length) if operator.contracts else _reach(operator, length)
    with np.errstate(over="ignore", invalid="ignore"):
        forward, sizes = _forward(operator, steps, start, passed, gamma, smallest)
        total = forward + _reverse(operator, steps, start, passed, gamma) + smallest
    return _limits(total, np.maximum(sizes, 1.0), dtype, operator.order)


def _columns(operator: Operator, step: Majorant | None, k: int, start: Array) -> list[Array]:
    """What step k adds for a unit in the sample it is named after, in the one before, and so on: exact columns."""
    if step is None:
        return [start]
    return [step.inputs[:, i] for i in range(min(operator.reach, k) + 1)]


def _forward(
    operator: Operator, steps: list[Majorant | None], start: Array, passed: Array, gamma: float, smallest: float
) -> tuple[Array, Array]:
    """(L, 2) errors of the last state of each unit impulse, and (L,) its largest size on the way."""
    order, length = operator.order, len(steps)
    states, errors, sizes = np.zeros((length, order)), np.zeros((length, 2)), np.zeros(length)
    added = np.zeros((length, length, 2))
    for k, step in enumerate(steps):
        columns = _columns(operator, step, k, start)
        if step is None:
            states[k] = start
            added[k, k] = gamma * float(norm(start)) + smallest
        else:
            loss = np.einsum("sij,lj->lsi", step.K, np.abs(states))
            loss[k] += step.kappa
            states = states @ step.transition.T
            for i, column in enumerate(columns):
                states[k - i] += column
                if i:
                    loss[k - i] += step.before
            amplification = np.linalg.norm(step.K, axis=(1, 2)) * SECOND_ORDER
            own = gamma * (norm(loss) + norm(states)[:, None] + amplification * errors) + smallest * (1 + amplification)
            added[k, : k + 1] = own[: k + 1]  # the other impulses are still to come
        errors = np.einsum("m,mls->ls", passed[k, : k + 1], added[: k + 1])
        sizes = np.maximum(sizes, norm(states))
    return errors, sizes


def _reverse(operator: Operator, steps: list[Majorant | None], start: Array, passed: Array, gamma: float) -> Array:
    """(L, 2) errors that reverse mode adds to each column."""
    order, length = operator.order, len(steps)
    rows, lost = np.eye(order), np.zeros((length, order, 2))
    out = np.zeros((length, order, 2))
    for k in range(length - 1, -1, -1):
        step = steps[k]
        # Rows of the transition from after step k to the end, and what each of them has lost on the way down to it.
        missing = np.einsum("mns,m->ns", lost[k + 1 :], passed[k : length - 1, k])
        for i, column in enumerate(_columns(operator, step, k, start)):
            bounds = [column, column] if step is None else [column, (step.before if i else step.kappa)[1]]
            direct = np.abs(rows) @ np.abs(np.stack(bounds, axis=1))
            out[k - i] += gamma * direct + missing * float(norm(column))
        if step is not None:
            back = np.stack([norm(np.abs(rows) @ K) for K in (np.abs(step.transition), step.K[1])], axis=1)
            amplification = np.linalg.norm(step.K, axis=(1, 2)) * SECOND_ORDER
            rows = rows @ step.transition
            lost[k] = gamma * (back + norm(rows)[:, None] + amplification * missing)
    return norm(np.moveaxis(out, 2, 1))
