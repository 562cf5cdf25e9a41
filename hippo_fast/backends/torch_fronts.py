"""The ``O(N)`` steps of LegS and their adjoint in plain torch, for any device; nothing here is recorded by autograd.

A front holds row n of step f - n for every n at once, as in the numpy backend: lane m holds row ``n = N - 1 - m``, so
that steps ascend along the lanes. Steps are padded with zeros at both ends, where a lane waits or keeps its value.
"""

from __future__ import annotations

import numpy as np
import torch

from hippo_fast.backends.torch_tensors import Tensor, constant
from hippo_fast.discretizations.base import PrefixSteps
from hippo_fast.types import Float64Array


def run_steps(steps: PrefixSteps, state: Tensor, samples: Tensor, states: Tensor | None, scale: Tensor) -> None:
    """Run K steps.

    Args:
        steps: K steps, their arrays ``(K,)`` or ``(S, K)``.
        state: ``(S, N)``, in the basis of the steps; replaced by the state after the last step.
        samples: ``(S, K + 1)``; column 0 is the sample before those that the steps read.
        states: None, or ``(S, K, N)`` with rows after one another, which receives ``scale`` times each state.
        scale: ``(N,)``.
    """
    (streams, order), count = state.shape, samples.shape[1] - 1
    total, implicit = _padded(steps.total, state), _padded(steps.implicit, state)
    inputs = samples.new_zeros((streams, count + order - 1))
    torch.mul(samples[:, 1:], constant(steps.now, state), out=inputs[:, :count])
    inputs[:, :count].addcmul_(samples[:, :-1], constant(steps.before, state))
    rows, weights, one = _lanes(state)
    scales = scale.flip(0)
    x = state.flip(1)
    running = state.new_zeros((streams, order + 1))  # lane m in column m + 1; what leaves the last row: column 0
    entering, leaving = running[:, 1:], running[:, :-1]
    for front in range(count + order - 1):
        now_total, now_implicit = total[:, front : front + order], implicit[:, front : front + order]
        running[:, order] = inputs[:, front]
        held = now_total * x
        change = torch.addcmul(entering, rows, held, value=-1.0)
        change /= torch.addcmul(one, now_implicit, rows)
        x += change
        leaving.copy_(torch.addcmul(entering, weights, torch.addcmul(held, now_implicit, change), value=-1.0))
        if states is not None:
            low, high = max(0, order - 1 - front), min(order, count + order - 1 - front)
            _diagonal(states, front - order + 1, low, high).copy_(x[:, low:high] * scales[low:high])
    state.copy_(x.flip(1))


def run_adjoint(steps: PrefixSteps, costate: Tensor, incoming: Tensor | None, scale: Tensor, gradients: Tensor) -> None:
    """Run the transposed steps, the last one first.

    With ``lambda`` the costate after a step and ``R_n`` the one of its running sum below row n, both from ``n = N - 1``
    down, ``nu = ((n + 1) lambda_n + (2 n + 1) R)/(1 + implicit (n + 1))``: ``R += lambda_n - implicit nu`` and
    ``lambda_n -= total nu``. The last ``R`` is the costate of the step's input.

    Args:
        steps: K steps, their arrays ``(K,)`` or ``(S, K)``.
        costate: ``(S, N)`` of the last state; replaced by the costate of the state before the first step.
        incoming: None, or ``(S, K, N)`` of any strides: ``scale`` times it is added to the costate of each state.
        scale: ``(N,)``.
        gradients: ``(S, K + 1)``, receives the costates of the samples, column 0 that of the one before them.
    """
    (streams, order), count = costate.shape, gradients.shape[1] - 1
    total, implicit = _padded(steps.total, costate), _padded(steps.implicit, costate)
    if incoming is not None and incoming.stride(1) < incoming.stride(2):
        incoming = incoming.contiguous()
    rows, weights, one = _lanes(costate)
    scales = scale.flip(0)
    x = costate.flip(1)
    running = costate.new_zeros((streams, order + 1))  # lane m in column m; zero enters in column 0
    entering, leaving = running[:, :-1], running[:, 1:]
    inputs = gradients.new_empty((streams, count))
    for front in range(count + order - 1):
        begin = count + order - 2 - front
        now_total, now_implicit = total[:, begin : begin + order], implicit[:, begin : begin + order]
        if incoming is not None:
            low, high = max(0, front - count + 1), min(order, front + 1)
            x[:, low:high] += _diagonal(incoming, count - 1 - front, low, high) * scales[low:high]
        folded = torch.addcmul(rows * x, weights, entering)
        folded /= torch.addcmul(one, now_implicit, rows)
        leaving.copy_(entering + torch.addcmul(x, now_implicit, folded, value=-1.0))
        x.addcmul_(now_total, folded, value=-1.0)
        if front >= order - 1:
            inputs[:, begin] = running[:, order]
    costate.copy_(x.flip(1))
    gradients[:, 0] = 0
    gradients[:, 1:] = inputs * constant(steps.now, costate)
    gradients[:, :-1].addcmul_(inputs, constant(steps.before, costate))


def _padded(values: Float64Array, state: Tensor) -> Tensor:
    """Return ``(K,)`` or ``(S, K)`` values as ``(1, P)`` or ``(S, P)``, with N - 1 zeros before and after."""
    pad = state.shape[1] - 1
    return constant(np.pad(np.atleast_2d(values), ((0, 0), (pad, pad))), state)


def _lanes(state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``n + 1``, ``2 n + 1`` and 1 along the lanes."""
    rows = torch.arange(state.shape[1], 0, -1, dtype=state.dtype, device=state.device)
    return rows, 2 * rows - 1, torch.ones_like(rows)


def _diagonal(states: Tensor, step: int, low: int, high: int) -> Tensor:
    """Return the view ``(S, high - low)`` of ``(S, K, N)`` whose lane m is row ``N - 1 - m`` of step ``step + m``."""
    by_stream, by_step, by_row = states.stride()
    first = states.storage_offset() + (step + low) * by_step + (states.shape[2] - 1 - low) * by_row
    return states.as_strided((states.shape[0], high - low), (by_stream, max(0, by_step - by_row)), first)
