"""One step of a HiPPO memory on torch tensors, differentiable; the rules are those of `hippo_fast.discretizations`.

A step is ``c' = c + G c + g u + g- u-`` with ``u`` the sample it reads, ``u-`` the one before. Where all streams take
the same step that is one product with a matrix, `shared_weights`, computed in float64 by the rule, rounded once, and
kept for the next sequence. Where each stream has a step of its own, `OwnStep` runs LegS in ``O(N)`` (zoh and foh:
``O(N^2)``) by the code that also runs `hippo_fast.scan`, and an invariant law by a product for each distinct gap. It
keeps no matrix for its gradient.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import numpy as np
import torch

from hippo_fast.backends import torch_legs, torch_products
from hippo_fast.backends.torch_tensors import Tensor, constant, numba_runs
from hippo_fast.discretizations.base import ConstantSteps, PrefixSteps, Steps, StretchSteps, bilinear_invariant_steps
from hippo_fast.legendre import linear_piece_weights, stretch_increments
from hippo_fast.recurrence import Recurrence
from hippo_fast.types import Float64Array

TABLE_BYTES: Final = 2**28
"""Weights of shared steps that are kept, 256 MiB in all cells together; the least recently used ones go first."""

DENSE_ORDER: Final = 256
"""From this order on a shared step of LegS under a GBT rule is taken in ``O(N)``, where Numba is installed."""

Moment = tuple[float, ...]
"""What tells one step of a recurrence from another: both times under a scale law, the gap under an invariant law."""


def weights_of(steps: Steps, recurrence: Recurrence) -> Float64Array:
    """Return one step as ``(N + 1, N)``, ``G^T`` above ``g``, or ``(N + 2, N)``: ``g-`` below, if it reads ``u-``.

    Args:
        steps: one step, the same for all streams.
        recurrence: that it belongs to.
    """
    if isinstance(steps, ConstantSteps):
        return np.vstack([steps.increment.T, steps.gain])
    order, scale = recurrence.order, recurrence.output_scale
    if isinstance(steps, PrefixSteps):
        total, implicit = float(steps.total[0]), float(steps.implicit[0])
        now, before = float(steps.now[0]), float(steps.before[0])
        # The law over a step of length ``total``, of which ``implicit`` stands at its end; samples are weighted apart.
        law = bilinear_invariant_steps(recurrence.operator, order, recurrence.parameters, total, implicit / total)
        rows = [law.increment.T, law.gain * (now / total)]
        return np.vstack([*rows, law.gain * (before / total)] if before else rows)
    if not isinstance(steps, StretchSteps):
        raise TypeError(f"steps is {type(steps).__name__}; accepted: steps of one stream, one by one")
    stretch = steps.gap[0] * stretch_increments(steps.ratio, steps.gap, order)[0]
    rows = [(stretch * scale[:, None] / scale).T]
    if not steps.linear:
        return np.vstack([*rows, -stretch[:, 0] * scale])
    ramp = linear_piece_weights(steps.ratio, steps.gap, order)[0]
    return np.vstack([*rows, ramp * scale, (-stretch[:, 0] - ramp) * scale])


def one_step(recurrence: Recurrence, moment: Moment) -> Steps:
    """Return the step of a moment."""
    if recurrence.is_scale_law:
        return recurrence.steps(np.array(moment))
    rule = recurrence.discretization
    return rule.invariant_steps(recurrence.operator, recurrence.order, recurrence.parameters, *moment)


class _Table:
    """Weights that were used lately, on whatever device; shared by all cells of the process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, Tensor] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def weights(self, recurrence: Recurrence, moment: Moment, like: Tensor) -> Tensor:
        """Return the weights of a step with the dtype and device of ``like``."""
        law = (recurrence.operator.key, recurrence.discretization.key, recurrence.order, recurrence.parameters)
        key = (*law, moment, like.dtype, like.device)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = constant(weights_of(one_step(recurrence, moment), recurrence), like)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made
                self._bytes += made.nbytes
            while self._bytes > TABLE_BYTES and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return made


_TABLE = _Table()


def shared_weights(recurrence: Recurrence, moment: Moment, like: Tensor) -> Tensor:
    """Return the weights of a step that all streams take, see `weights_of`; kept up to `TABLE_BYTES`."""
    return _TABLE.weights(recurrence, moment, like)


def advanced(weights: Tensor, state: Tensor, sample: Tensor, before: Tensor) -> Tensor:
    """Return ``state`` ``(S, N)`` after a shared step that reads ``sample`` ``(S,)``; ``before`` came before it."""
    read = [sample[:, None], before[:, None]][: len(weights) - state.shape[1]]
    return torch.addmm(state, torch.cat([state, *read], dim=1), weights)


def takes_rows(recurrence: Recurrence, like: Tensor) -> bool:
    """Return whether shared steps are faster in ``O(N)`` than as products with a matrix."""
    gbt = recurrence.is_scale_law and recurrence.discretization.key not in ("zoh", "foh")
    return gbt and recurrence.order >= DENSE_ORDER and numba_runs(like)


@dataclass(frozen=True)
class StreamSteps:
    """One step for each of S streams, as a linear map; its transpose is what gradients flow through.

    Attributes:
        recurrence: the law.
        before: ``(S,)``, the time of the sample before; of no effect under an invariant law.
        after: ``(S,)``, the time of the sample; under an invariant law the gap.
    """

    recurrence: Recurrence
    before: Float64Array
    after: Float64Array

    def states(self, state: Tensor, samples: Tensor) -> Tensor:
        """Return the states after the step: ``state`` is ``(S, N)``, ``samples`` ``(S, 2)``, the older one first."""
        if not self.recurrence.is_scale_law:
            result = torch.empty_like(state)
            for rows, weights in self._by_gap(state):
                result[rows] = advanced(weights, state[rows], samples[rows, 1], samples[rows, 0])
            return result
        scale, steps = constant(self.recurrence.output_scale, state), self._steps()
        if isinstance(steps, PrefixSteps) and numba_runs(state):
            after = torch.empty_like(state)
            _kernels().step(*_columns(steps), *(part.numpy() for part in (scale, state, samples, after)))
            return after
        x = state / scale
        run = torch_products.stretch_steps if isinstance(steps, StretchSteps) else torch_legs.run_steps
        run(steps, x, samples, None, scale)
        return x * scale

    def transposed(self, costate: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of ``state`` and ``samples`` for that of the states after the step."""
        gradients = costate.new_zeros((len(costate), 2))
        if not self.recurrence.is_scale_law:
            result = torch.empty_like(costate)
            for rows, weights in self._by_gap(costate):
                own = costate[rows]
                folded = own @ weights.T
                result[rows] = own + folded[:, :-1]
                gradients[rows, 1] = folded[:, -1]
            return result, gradients
        scale, steps = constant(self.recurrence.output_scale, costate), self._steps()
        if isinstance(steps, PrefixSteps) and numba_runs(costate):
            before = torch.empty_like(costate)
            _kernels().transposed(*_columns(steps), *(part.numpy() for part in (scale, costate, before, gradients)))
            return before, gradients
        x = costate * scale
        run = torch_products.stretch_steps_adjoint if isinstance(steps, StretchSteps) else torch_legs.run_adjoint
        run(steps, x, None, scale, gradients)
        return x / scale, gradients

    def _steps(self) -> Any:
        return self.recurrence.steps(np.stack([self.before, self.after], axis=1))

    def _by_gap(self, like: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return the streams of each distinct gap, and their weights."""
        gaps, owners = np.unique(self.after, return_inverse=True)
        return [
            (
                torch.from_numpy(np.flatnonzero(owners == index)).to(like.device),
                shared_weights(self.recurrence, (gap,), like),
            )
            for index, gap in enumerate(gaps.tolist())
        ]


def _kernels() -> Any:
    return import_module("hippo_fast.kernels.one_step")  # imports numba


def _columns(steps: PrefixSteps) -> tuple[Float64Array, ...]:
    return tuple(part[:, 0] for part in (steps.total, steps.implicit, steps.now, steps.before))


class OwnStep(torch.autograd.Function):  # type: ignore[misc]  # torch is skipped by the type checker
    """The states after a step of `StreamSteps`."""

    @staticmethod
    def forward(steps: StreamSteps, state: Tensor, samples: Tensor) -> Tensor:
        """Return ``(S, N)``."""
        return steps.states(state.detach().contiguous(), samples.detach().contiguous())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep the step, and no tensor."""
        ctx.steps = inputs[0]

    @staticmethod
    def backward(ctx: Any, costate: Tensor) -> tuple[None, Tensor, Tensor]:
        """Return the transposed step of the gradient."""
        return (None, *_TransposedStep.apply(ctx.steps, costate))


class _TransposedStep(torch.autograd.Function):  # type: ignore[misc]
    """The gradients that a step of `StreamSteps` passes on; linear too, with `OwnStep` as its own gradient."""

    @staticmethod
    def forward(steps: StreamSteps, costate: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(S, N)`` and ``(S, 2)``."""
        return steps.transposed(costate.detach().contiguous())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        """Keep the step, and no tensor."""
        ctx.steps = inputs[0]

    @staticmethod
    def backward(ctx: Any, state: Tensor, samples: Tensor) -> tuple[None, Tensor]:
        """Return the step of what the gradients are weighted with."""
        return None, OwnStep.apply(ctx.steps, state, samples)
