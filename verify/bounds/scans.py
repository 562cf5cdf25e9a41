"""Limits on steps, scans and Jacobians: majorants of the steps, added up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from verify.bounds.base import EVALUATION, LARGEST, SMALLEST_NORMAL, Limits, Operator
from verify.bounds.steps import _majorant, majorant
from verify.metrics import norm

Array = np.ndarray[Any, np.dtype[Any]]

SECOND_ORDER = np.array([0.0, 1.0])
"""Rounding of what rounding left: counted in the backward limit; the forward limit is of first order."""


def floor(operator: Operator, dtype: str) -> float:
    """Absolute error that gradual underflow, or flushing to zero, may add to one step."""
    D = operator.weights
    return float(SMALLEST_NORMAL[dtype] * (6 * operator.order + 24) * (D.max() / D.min()))


def step_limits(operator: Operator, state: Array, sample: float, after: Array, k: int, dtype: str) -> Limits:
    """Limits on the D-weighted Euclidean error of one step from a given state.

    Args:
        operator: the exact operator.
        state: (N,) state before.
        sample: the sample read.
        after: (N,) exact state after, rounded.
        k: index of the sample.
        dtype: arithmetic of the target.
    """
    D = operator.weights
    gammas = operator.gammas(dtype)
    smallest = floor(operator, dtype)
    if k == 0 and operator.dt is None:
        value = gammas * abs(sample) * float(D[0]) + smallest
    else:
        step = majorant(operator, k)
        local = step.K @ np.abs(state * D) + step.kappa * abs(sample)
        value = gammas * (norm(local) + norm(after, D)) + smallest * (1 + np.linalg.norm(step.K, axis=(1, 2)))
    return _limits(value, norm(after, D) + norm(state, D) + abs(sample), dtype, operator.order)


def scan_limits(operator: Operator, samples: Sequence[float], states: Array, dtype: str) -> Limits:
    """Limits on the D-weighted Euclidean error of each state of a scan.

    Args:
        operator: the exact operator.
        samples: (L,) the input.
        states: (L, N) exact states, rounded to float64.
        dtype: arithmetic of the target.

    Returns:
        (L,) limits; inf where the arithmetic can promise nothing.
    """
    D, length = operator.weights, len(samples)
    gammas, smallest = operator.gammas(dtype), floor(operator, dtype)
    sizes = norm(states, D)
    K, kappa, before, amplification = _steps(operator, length)
    amplification = amplification * SECOND_ORDER
    signal = np.abs(np.asarray(samples, dtype=float))
    earlier = np.concatenate([np.zeros((1, operator.order)), np.abs(states[:-1] * D)])
    with np.errstate(over="ignore", invalid="ignore"):
        majorants = np.einsum("ksij,kj->ksi", K, earlier) + kappa * signal[:, None, None]
        majorants += before * _earlier(signal, operator.reach)[:, None, None]
        own = gammas * (norm(majorants) + sizes[:, None]) + smallest * (1 + amplification)
        if operator.dt is None:  # a copy of the first sample, in the target's precision
            own[0] = gammas * signal[0] * float(D[0]) + smallest
        elif operator.starts_silent:
            own[0] = smallest
        growth = gammas * amplification
        reach = None if operator.contracts else _reach(operator, length)
        errors, bounds, added = np.zeros(2), np.zeros((length, 2)), np.zeros((length, 2))
        for k in range(length):
            added[k] = own[k] + growth[k] * errors
            errors = errors + added[k] if reach is None else reach[k, : k + 1] @ added[: k + 1]
            bounds[k] = errors
    return _limits(bounds, sizes, dtype, len(D))


def forget() -> None:
    """Drop all steps that are kept: at large orders those of a scale law, one for each sample, fill gigabytes."""
    for kept in (_majorant, _steps, _reach):
        kept.cache_clear()


def _earlier(signal: Array, reach: int) -> Array:
    """(L,) largest of the samples before each that its step reads."""
    largest = np.zeros_like(signal)
    for back in range(1, max(reach, 1) + 1):
        largest[back:] = np.maximum(largest[back:], signal[:-back])
    return largest


@lru_cache(maxsize=16)
def _steps(operator: Operator, length: int) -> tuple[Array, Array, Array, Array]:
    """Majorants of a scan's steps, stacked: K (L, 2, N, N), kappa and before (L, 2, N), the norms of K (L, 2)."""
    if operator.dt is not None and operator.reach < 2:
        step = majorant(operator, 1)
        norms = np.linalg.norm(step.K, axis=(1, 2))
        parts = (step.K, step.kappa, step.before, norms)
        return tuple(np.broadcast_to(part, (length, *part.shape)) for part in parts)  # type: ignore[return-value]
    # State 0 is a copy of the first sample, or zero: its step is not used.
    steps = [majorant(operator, max(k, 1)) for k in range(length)]
    K = np.stack([step.K for step in steps])
    return (
        K,
        np.stack([step.kappa for step in steps]),
        np.stack([step.before for step in steps]),
        np.linalg.norm(K, axis=(2, 3)),
    )


@lru_cache(maxsize=16)
def _reach(operator: Operator, length: int) -> Array:
    """(L, L) bounds on the 2-norm of the product of transitions from just after state j to state k >= j."""
    order = operator.order
    norms, products = np.zeros((length, length)), np.zeros((0, order, order))
    for k in range(length):
        if k:
            products = majorant(operator, k).transition @ products
        products = np.concatenate([products, np.eye(order)[None]])
        norms[k, : k + 1] = _norms(products)
    return norms


def _limits(bounds: Array, sizes: Array, dtype: str, order: int) -> Limits:
    """Limits from (..., 2) bounds; infinite, so that nothing is decided, where a step may leave the dtype's range."""
    with np.errstate(all="ignore"):
        room = np.asarray(sizes)[..., None] + bounds < LARGEST[dtype] / (8 * order**2)
        bounds = np.where(np.isfinite(bounds) & room, bounds * EVALUATION, np.inf)
    return Limits(bounds[..., 0], np.maximum(bounds[..., 0], bounds[..., 1]))


def _norms(stack: Array) -> Array:
    """Upper bounds on the 2-norms of a stack of matrices: the smaller of Frobenius and sqrt(1-norm times inf-norm)."""
    magnitude = np.abs(stack)
    mixed = np.sqrt(magnitude.sum(axis=1).max(axis=1) * magnitude.sum(axis=2).max(axis=1))
    return np.asarray(np.minimum(np.sqrt((stack * stack).sum(axis=(1, 2))), mixed))


def jacobian_limits(operator: Operator, length: int, dtype: str) -> Limits:
    """Limits on the D-weighted error of each column of d last state / d samples, for a contracting rule.

    Rules that read at most two samples in a step.

    Forward mode and finite differences run the recurrence on unit impulses: their local errors are those of a scan.
    Reverse mode multiplies the rows of the transition to the end by the same discrete matrices, transposed, which
    contract as well, and then by the injected column. What was lost in forming those matrices acts on a column alike in
    both modes, so reverse mode adds the rounding of its products alone (backward limit: of its solves).

    Args:
        operator: the exact operator.
        length: number of samples L.
        dtype: arithmetic of the target.

    Returns:
        (L,) limits.
    """
    order, D = operator.order, operator.weights
    gammas, smallest = operator.gammas(dtype), floor(operator, dtype)
    if not operator.contracts or operator.reach > 1:
        raise ValueError(f"no rounding bound is derived for reverse mode through {operator.method!r}")
    first = 1 if operator.dt is None or operator.starts_silent else 0
    steps = [majorant(operator, k) if k >= first else None for k in range(length)]
    injected = np.zeros((length, order))
    start = np.zeros(order)
    start[0] = 0.0 if operator.starts_silent else D[0]
    columns, errors = np.zeros((order, 0)), np.zeros((0, 2))
    for k, step in enumerate(steps):
        if step is None:
            columns, errors, injected[k] = start[:, None], np.array([gammas * start[0]]) + smallest, start
            continue
        sizes = np.stack([norm((K @ np.abs(columns)).T) for K in step.K], axis=1)
        amplification = np.linalg.norm(step.K, axis=(1, 2)) * SECOND_ORDER
        columns = step.transition @ columns
        injected[k] = step.inputs[:, 0]
        own = norm(step.kappa) + float(norm(injected[k]))
        if k:
            columns[:, -1] += step.inputs[:, 1]
            sizes[-1] += norm(step.before)
        errors = errors + gammas * (sizes + norm(columns.T)[:, None] + amplification * errors)
        columns = np.concatenate([columns, injected[k][:, None]], axis=1)
        errors = np.concatenate([errors, (gammas * own)[None]]) + smallest * (1 + amplification)
    rows, lost, reverse = np.eye(order), np.zeros((order, 2)), np.zeros((length, 2))
    for k in range(length - 1, -1, -1):
        step = steps[k]
        # The last two products: with the column of the sample in its own step, and in the next one (nodes).
        columns_now = np.abs(np.stack([start, start], axis=1))
        if step is not None:
            columns_now = np.stack([np.abs(step.inputs[:, 0]), step.kappa[1]], axis=1)
        direct = norm((lost * float(norm(injected[k])) + gammas * (np.abs(rows) @ columns_now)).T)
        following = steps[k + 1] if k + 1 < length else None
        if following is not None:
            direct = direct + gammas * norm(np.stack([np.abs(following.inputs[:, 1]), following.before[1]]))
        reverse[k] = direct + smallest
        if step is not None:
            back = np.stack([norm(np.abs(rows) @ K) for K in (np.abs(step.transition), step.K[1])], axis=1)
            rows = rows @ step.transition
            lost = lost + gammas * (back + norm(rows)[:, None])
    return _limits(errors + reverse, np.ones(length), dtype, order)
