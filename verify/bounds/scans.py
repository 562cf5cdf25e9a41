"""Limits on steps and scans: majorants of the steps, added up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from verify.bounds.base import EVALUATION, LARGEST, SMALLEST_NORMAL, Limits, Operator
from verify.bounds.holds import _expm_of
from verify.bounds.steps import _majorant, majorant
from verify.metrics import norm

Array = np.ndarray[Any, np.dtype[Any]]

SECOND_ORDER = np.array([0.0, 1.0])
"""Rounding of what rounding left: counted in the backward limit; the forward limit is of first order."""


def floor(operator: Operator, dtype: str) -> float:
    """Absolute error that gradual underflow, or flushing to zero, may add to one step."""
    D = operator.weights
    return float(SMALLEST_NORMAL[dtype] * operator.roundings * (D.max() / D.min()))


def step_limits(operator: Operator, state: Array, sample: float, after: Array, k: int, dtype: str) -> Limits:
    """Limits on the D-weighted Euclidean error of one step from a given state.

    Args:
        operator: the exact operator.
        state: (N,) state before.
        sample: the sample read.
        after: (N,) exact state after, rounded.
        k: index of the sample.
        dtype: arithmetic of the target.

    Raises:
        ValueError: the rule reads more than this sample, which would leave the others out of the limits.
    """
    if operator.reach:
        raise ValueError(f"a step by {operator.method!r} reads more than one sample: take the limits of a scan")
    D, gamma, smallest = operator.weights, operator.gamma(dtype), floor(operator, dtype)
    if k == 0 and operator.dt is None:
        value = np.full(2, gamma * abs(sample) + smallest)
    else:
        step = majorant(operator, k)
        local = step.K @ np.abs(state * D) + step.kappa * abs(sample)
        value = gamma * (norm(local) + norm(after, D)) + smallest * (1 + np.linalg.norm(step.K, axis=(1, 2)))
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
    gamma, smallest = operator.gamma(dtype), floor(operator, dtype)
    sizes = norm(states, D)
    K, kappa, before, amplification = _steps(operator, length)
    amplification = amplification * SECOND_ORDER
    signal = np.abs(np.asarray(samples, dtype=float))
    earlier = np.concatenate([np.zeros((1, operator.order)), np.abs(states[:-1] * D)])
    with np.errstate(over="ignore", invalid="ignore"):
        majorants = np.einsum("ksij,kj->ksi", K, earlier) + kappa * signal[:, None, None]
        majorants += before * _earlier(signal, operator.reach)[:, None, None]
        own = gamma * (norm(majorants) + sizes[:, None]) + smallest * (1 + amplification)
        if operator.dt is None:  # a copy of the first sample, in the target's precision
            own[0] = gamma * signal[0] + smallest
        elif operator.starts_silent:
            own[0] = smallest
        growth = gamma * amplification
        reach = None if operator.contracts else _reach(operator, length)
        errors, bounds, added = np.zeros(2), np.zeros((length, 2)), np.zeros((length, 2))
        for k in range(length):
            added[k] = own[k] + growth[k] * errors
            errors = errors + added[k] if reach is None else reach[k, : k + 1] @ added[: k + 1]
            bounds[k] = errors
    return _limits(bounds, sizes, dtype, len(D))


def forget() -> None:
    """Drop all steps that are kept: at large orders those of a scale law, one for each sample, fill gigabytes."""
    for kept in (_majorant, _expm_of, _steps, _reach):
        kept.cache_clear()


def _earlier(signal: Array, reach: int) -> Array:
    """(L,) largest of the samples before each that its step reads."""
    largest = np.zeros_like(signal)
    for back in range(1, reach + 1):
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
