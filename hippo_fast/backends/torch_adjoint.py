"""A scan as a linear map, its transpose, and both as differentiable functions of each other.

States are linear in the samples, so the derivative of a scan is the scan, and its gradient is the transposed scan of
the incoming gradients, the last step first. Neither needs a state of the other: nothing is saved but the steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from hippo_fast.backends import torch_legs, torch_products
from hippo_fast.backends.torch_tensors import Tensor, constant
from hippo_fast.discretizations.base import ConstantSteps, GapSteps, PrefixSteps, Steps, StretchSteps
from hippo_fast.recurrence import Recurrence
from hippo_fast.types import Float64Array, Output


@dataclass(frozen=True)
class LinearScan:
    """The map from ``(S, L)`` samples to ``(S, L, N)`` states, or to the last ones ``(S, N)``.

    Attributes:
        recurrence: what is run.
        length: L.
        known: how many states come from the rule's start: 0, 1 or 2.
        steps: the other ``L - known`` ones; None if there are none.
        output: which states.
    """

    recurrence: Recurrence
    length: int
    known: int
    steps: Steps | None
    output: Output

    def states(self, samples: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the states, written into a contiguous ``out`` where it is given."""
        streams, order = len(samples), self.recurrence.order
        every = self.output == "states"
        shape = (streams, self.length, order) if every else (streams, order)
        result = samples.new_empty(shape) if out is None else out
        if isinstance(self.steps, ConstantSteps):
            if every:
                torch_products.constant_states(self.steps, samples, result)
            else:
                result.copy_(torch_products.constant_last(self.steps, samples))
            return result
        if isinstance(self.steps, GapSteps):
            last = torch_products.gap_steps(self.steps, samples, result if every else None)
            return result if every else result.copy_(last)
        scale = constant(self.recurrence.output_scale, samples)
        start = self._start(samples)
        state = start[-1]
        if every:
            for index, opened in enumerate(start):
                torch.mul(opened, scale, out=result[:, index])
        read, written = samples[:, self.known - 1 :], result[:, self.known :] if every else None
        if isinstance(self.steps, StretchSteps):
            torch_products.stretch_steps(self.steps, state, read, written, scale)
        elif self.steps is not None:
            torch_legs.run_steps(self.steps, state, read, written, scale)
        return result if every else torch.mul(state, scale, out=result)

    def transposed(self, gradients: Tensor) -> Tensor:
        """Return the gradient of the samples ``(S, L)``, for that of the states."""
        every = self.output == "states"
        result = gradients.new_empty((len(gradients), self.length))
        if isinstance(self.steps, ConstantSteps):
            run = torch_products.constant_states_adjoint if every else torch_products.constant_last_adjoint
            run(self.steps, gradients, result)
            return result
        if isinstance(self.steps, GapSteps):
            torch_products.gap_steps_adjoint(self.steps, gradients, result, every=every)
            return result
        scale = constant(self.recurrence.output_scale, gradients)
        opened = list(gradients[:, : self.known].unbind(1)) if every else []
        costate = gradients.new_zeros((len(gradients), len(scale))) if every else gradients * scale
        result[:, : self.known] = 0
        incoming, written = gradients[:, self.known :] if every else None, result[:, self.known - 1 :]
        if isinstance(self.steps, StretchSteps):
            torch_products.stretch_steps_adjoint(self.steps, costate, incoming, scale, written)
        elif self.steps is not None:
            torch_legs.run_adjoint(self.steps, costate, incoming, scale, written)
        self._start_adjoint(costate, [part * scale for part in opened], result)
        return result

    def repeated(self, times: int) -> LinearScan:
        """Return the map on so many copies of the streams, one after the other."""
        steps = self.steps

        def tiled(values: Float64Array) -> Float64Array:
            return values if values.ndim == 1 else np.tile(values, (times, 1))

        if isinstance(steps, PrefixSteps):
            arrays = (steps.total, steps.implicit, steps.now, steps.before)
            return replace(self, steps=PrefixSteps(*(tiled(values) for values in arrays)))
        if isinstance(steps, StretchSteps):
            return replace(self, steps=replace(steps, ratio=tiled(steps.ratio), gap=tiled(steps.gap)))
        if isinstance(steps, GapSteps):
            return replace(self, steps=replace(steps, gaps=tiled(steps.gaps)))
        return self  # its steps are the same for all streams

    def _start(self, samples: Tensor) -> list[Tensor]:
        """Return the states ``(S, N)`` that the rule starts with, as `numpy_backend.start_states` does."""
        state = samples.new_zeros((len(samples), self.recurrence.order))
        state[:, 0] = samples[:, 0]
        if self.known == 1:
            return [state]
        piece = torch.zeros_like(state)
        half = samples[:, 1] / 2 - samples[:, 0] / 2
        piece[:, 0] = samples[:, 0] + half
        piece[:, 1:2] = half[:, None] / 3
        return [state, piece]

    def _start_adjoint(self, costate: Tensor, opened: list[Tensor], gradients: Tensor) -> None:
        """Add what comes from the states of the start: ``costate`` of the last of them, ``opened`` of each."""
        last = costate + opened[-1] if opened else costate
        if self.known == 1:
            gradients[:, 0] += last[:, 0]
            return
        mean = last[:, 0] / 2
        slope = last[:, 1] / 6 if last.shape[1] > 1 else torch.zeros_like(mean)
        gradients[:, 0] += mean - slope
        gradients[:, 1] += mean + slope
        if opened:
            gradients[:, 0] += opened[0][:, 0]


def linear_scan(recurrence: Recurrence, length: int, times: Float64Array | None, output: Output) -> LinearScan:
    """Return the map of a recurrence on samples at ``times`` ``(L,)`` or ``(S, L)``; None for the default times."""
    first_time = recurrence.discretization.first_time if times is None else float(times.flat[0])
    known = recurrence.states_at_start(length, first_time)
    steps = recurrence.steps_of_samples(known, length, times) if known < length else None
    return LinearScan(recurrence, length, known, steps, output)


class Scan(torch.autograd.Function):  # type: ignore[misc]  # torch is skipped by the type checker
    """The states of a `LinearScan`. Leading axes that `torch.func.vmap` adds are streams."""

    @staticmethod
    def forward(samples: Tensor, scan: LinearScan) -> Tensor:
        """Return ``(S, L, N)`` or ``(S, N)``."""
        return _on_streams(LinearScan.states, samples, scan)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, LinearScan], output: Tensor) -> None:
        """Keep the steps, and no tensor."""
        ctx.scan = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor, None]:
        """Return the transposed scan of the gradients."""
        return TransposedScan.apply(gradients, ctx.scan), None

    @staticmethod
    def jvp(ctx: Any, tangents: Tensor, _: None) -> Tensor:
        """Return the scan of the tangents."""
        return Scan.apply(tangents, ctx.scan)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None], samples: Tensor, scan: LinearScan) -> tuple[Tensor, int]:
        """Return the scan of all streams of all samples."""
        return _mapped(Scan, info.batch_size, in_dims[0], samples, scan)


class TransposedScan(torch.autograd.Function):  # type: ignore[misc]
    """The gradient of the samples of a `LinearScan`; linear too, with `Scan` as its own gradient."""

    @staticmethod
    def forward(gradients: Tensor, scan: LinearScan) -> Tensor:
        """Return ``(S, L)``."""
        return _on_streams(LinearScan.transposed, gradients, scan)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, LinearScan], output: Tensor) -> None:
        """Keep the steps, and no tensor."""
        ctx.scan = inputs[1]

    @staticmethod
    def backward(ctx: Any, samples: Tensor) -> tuple[Tensor, None]:
        """Return the scan of what the gradients are weighted with."""
        return Scan.apply(samples, ctx.scan), None

    @staticmethod
    def jvp(ctx: Any, tangents: Tensor, _: None) -> Tensor:
        """Return the transposed scan of the tangents."""
        return TransposedScan.apply(tangents, ctx.scan)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None], gradients: Tensor, scan: LinearScan) -> tuple[Tensor, int]:
        """Return the transposed scan of all streams of all gradients."""
        return _mapped(TransposedScan, info.batch_size, in_dims[0], gradients, scan)


def _mapped(function: Any, count: int, axis: int, values: Tensor, scan: LinearScan) -> tuple[Tensor, int]:
    """Apply a function of streams to ``count`` batches of them along an axis; return its values and axis 0."""
    batches = values.movedim(axis, 0)
    found = function.apply(batches.flatten(0, 1), scan.repeated(count))
    return found.unflatten(0, (count, -1)), 0


def _on_streams(run: Callable[[LinearScan, Tensor], Tensor], values: Tensor, scan: LinearScan) -> Tensor:
    """Return what ``run`` gives for values ``(S, ...)``, unwrapped where torch's older vmap has batched them.

    That one is behind ``torch.autograd.functional.jacobian(vectorize=True)`` and ``is_grads_batched=True``; it asks no
    function for a rule of its own, and knows few of the operations inside.
    """
    levels = []
    if torch._C._functorch.is_legacy_batchedtensor(values):
        innermost = torch._C._vmapmode_increment_nesting() - 1
        torch._C._vmapmode_decrement_nesting()
        for level in range(innermost, 0, -1):
            if torch._C._functorch.is_legacy_batchedtensor(values):
                values = torch._remove_batch_dim(values, level, 1, 0)
                levels.append(level)
    sizes = values.shape[: len(levels)]
    found = run(scan.repeated(math.prod(sizes)), values.detach().flatten(0, len(levels)))
    if levels:
        found = found.unflatten(0, (*sizes, -1))
    for level in reversed(levels):
        found = torch._add_batch_dim(found, 0, level)
    return found
