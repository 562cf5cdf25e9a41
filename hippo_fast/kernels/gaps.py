"""Invariant laws under GBT(a) with a gap of its own for each step: `hippo_fast.structured`, compiled.

One stream after the other, row by row: a step costs ``O(N)`` operations, each waiting for the one before it, and
divisions are saved while the gap stays the same.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hippo_fast.discretizations.base import GapSteps
from hippo_fast.kernels.simd import jit
from hippo_fast.structured import PrefixStructure, RotationStructure, Structure, TridiagonalStructure
from hippo_fast.types import FloatArray


def advance(steps: GapSteps, state: FloatArray, samples: FloatArray, states: FloatArray | None) -> None:
    """Replace ``state`` by the state after the samples.

    Args:
        steps: of a rule that has a structure; ``gaps`` ``(K,)`` or ``(S, K)``.
        state: ``(S, N)`` of ``c``, contiguous, read and written.
        samples: ``(S, K)``, same dtype.
        states: ``(S, K, N)``, written with every state, or None.
    """
    structure, number = steps.structure, state.dtype.type
    if structure is None:
        raise ValueError("steps have no structure; accepted: those of a GBT rule")
    scale = structure.scale.astype(state.dtype)
    gaps = np.broadcast_to(steps.gaps, samples.shape)
    kept = np.empty((len(state), 0, state.shape[1]), state.dtype) if states is None else states
    state /= scale
    run, parts = _kernel(structure, state.dtype)
    run(state, samples, gaps, number(steps.implicit), scale, kept, *parts)
    state *= scale


def _kernel(structure: Structure, dtype: np.dtype[Any]) -> tuple[Any, tuple[Any, ...]]:
    """Return the compiled steps of a structure, and the arrays that they take."""
    if isinstance(structure, PrefixStructure):
        parts = (structure.diagonal, structure.carried, structure.rise)
        return _prefix, tuple(part.astype(dtype) for part in parts)
    if isinstance(structure, TridiagonalStructure):
        return _tridiagonal, (structure.theta,)
    if isinstance(structure, RotationStructure):
        return _rotation, (structure.theta,)
    raise TypeError(f"structure is {type(structure).__name__}; accepted: one of hippo_fast.structured")


@jit
def _prefix(
    state: Any, samples: Any, gaps: Any, a: Any, scale: Any, states: Any, diagonal: Any, carried: Any, rise: Any
) -> None:
    order, store = state.shape[1], states.shape[1] > 0
    one = a * 0 + 1
    for stream in range(state.shape[0]):
        x = state[stream]
        for k in range(samples.shape[1]):
            gap = one * gaps[stream, k]
            implicit, read = a * gap, gap * samples[stream, k]
            before = x[0]
            d = (read * rise[0] - gap * diagonal[0] * before) / (one + implicit * diagonal[0])
            x[0] = before + d
            for n in range(1, order):
                here = x[n]
                flow = carried[n - 1] * before - diagonal[n] * here
                right = (one + implicit * carried[n - 1]) * d + gap * flow + rise[n] * read
                d = right / (one + implicit * diagonal[n])
                x[n] = here + d
                before = here
            if store:
                for n in range(order):
                    states[stream, k, n] = scale[n] * x[n]


@jit
def _tridiagonal(state: Any, samples: Any, gaps: Any, a: Any, scale: Any, states: Any, theta: Any) -> None:
    order, store = state.shape[1], states.shape[1] > 0
    one = a * 0 + 1
    inverse, change = np.empty_like(state[0]), np.empty_like(state[0])
    known = -1.0
    twice = one
    for stream in range(state.shape[0]):
        x = state[stream]
        for k in range(samples.shape[1]):
            gap = gaps[stream, k]
            if gap != known:
                known = gap
                twice = 2 * (one * gap / theta)
                for n in range(order):
                    corner = one if n == order - 1 else 0 * one
                    carried = inverse[n - 1] if n > 0 else one
                    inverse[n] = one / (a * twice * (2 * n + 1) + carried + corner)
            g = twice * (samples[stream, k] - x[0]) * inverse[0]
            change[0] = g
            for n in range(1, order):
                g = (g - twice * ((2 * n + 1) * x[n])) * inverse[n]
                change[n] = g
            d = change[order - 1]
            x[order - 1] += d
            for n in range(order - 2, -1, -1):
                d = change[n] - d * inverse[n]
                x[n] += d
            if store:
                for n in range(order):
                    states[stream, k, n] = scale[n] * x[n]


@jit
def _rotation(state: Any, samples: Any, gaps: Any, a: Any, scale: Any, states: Any, theta: Any) -> None:
    order, store = state.shape[1], states.shape[1] > 0
    one = a * 0 + 1
    root = one * math.sqrt(2.0)
    pairs = (order - 1) // 2
    lone = order % 2 == 0  # an even order ends with a cosine that has no sine
    coupled, tilt, angle = np.empty_like(state[0]), np.empty_like(state[0]), np.empty_like(state[0])
    known = -1.0
    gain = one
    for stream in range(state.shape[0]):
        x = state[stream]
        for k in range(samples.shape[1]):
            gap = gaps[stream, k]
            if gap != known:
                known = gap
                share = one * gap / theta
                total = one
                for j in range(pairs):
                    turn = share * (one * (2 * math.pi * (j + 1)))
                    q = a * turn
                    cosine = one / (one + q * q)
                    tilt[j], angle[j] = q, cosine * turn
                    coupled[2 * j + 1] = root * cosine
                    coupled[2 * j + 2] = -root * (q * cosine)
                    total += 2 * cosine
                coupled[0] = one
                if lone:
                    coupled[order - 1] = root
                    total += 2 * one
                gain = 2 * share / (one + 2 * a * share * total)
            missing = samples[stream, k] - x[0]
            for n in range(1, order, 2):
                missing -= root * x[n]
            for j in range(pairs):
                missing -= a * root * angle[j] * (x[2 * j + 2] - tilt[j] * x[2 * j + 1])
            push = gain * missing
            x[0] += push
            for j in range(pairs):
                first, second = x[2 * j + 1], x[2 * j + 2]
                x[2 * j + 1] = first + (angle[j] * (second - tilt[j] * first) + coupled[2 * j + 1] * push)
                x[2 * j + 2] = second + (coupled[2 * j + 2] * push - angle[j] * (first + tilt[j] * second))
            if lone:
                x[order - 1] += root * push
            if store:
                for n in range(order):
                    states[stream, k, n] = x[n]
