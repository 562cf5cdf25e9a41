"""Invariant laws with a gap of its own for each step, on numpy arrays."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from hippo_fast.discretizations.base import ConstantSteps, GapSteps
from hippo_fast.structured import Structure
from hippo_fast.types import FloatArray


def advance_gaps(
    steps: GapSteps, state: FloatArray, samples: FloatArray, states: FloatArray | None, first: int
) -> FloatArray:
    """Return the state ``(S, N)`` after K steps.

    Args:
        steps: K of them.
        state: ``(S, N)``; left as it is.
        samples: ``(S, K)``.
        states: ``(S, L, N)``, which receives state j in ``states[:, first + j]``, or None.
        first: see ``states``.
    """
    if steps.structure is not None:
        return _structured(steps, steps.structure, state, samples, states, first)
    step_of = lru_cache(maxsize=32)(steps.step_of)  # gaps repeat where samples of a regular clock are missing
    for j in range(samples.shape[1]):
        gaps = steps.gaps[..., j]
        if gaps.ndim == 0:
            state = _dense(step_of(float(gaps)), state, samples[:, j])
        else:
            rows = [_dense(step_of(float(gap)), state[[s]], samples[[s], j]) for s, gap in enumerate(gaps)]
            state = np.concatenate(rows)
        if states is not None:
            states[:, first + j] = state
    return state


def _dense(step: ConstantSteps, state: FloatArray, samples: FloatArray) -> FloatArray:
    change = state @ step.increment.T.astype(state.dtype) + samples[:, None] * step.gain.astype(state.dtype)
    after: FloatArray = state + change
    return after


def _structured(
    steps: GapSteps, structure: Structure, state: FloatArray, samples: FloatArray, states: FloatArray | None, first: int
) -> FloatArray:
    scale = structure.scale.astype(state.dtype)
    x = state / scale
    for j in range(samples.shape[1]):
        x = x + structure.change(x, samples[:, j], steps.gaps[..., j], steps.implicit)
        if states is not None:
            states[:, first + j] = x * scale
    after: FloatArray = x * scale
    return after
