"""torch: every measure and rule, float32 and float64, on any device, with gradients.

The steps themselves are prepared in float64 by numpy, since no sample enters them. Nothing here writes into a tensor,
so autograd records every scan as it stands.
"""

from __future__ import annotations

from typing import Any, TypeAlias, final

import numpy as np
import torch

from hippo_fast.backends.base import Backend
from hippo_fast.discretizations.base import ConstantSteps, PrefixSteps, Steps, StretchSteps
from hippo_fast.legendre import linear_piece_weights, stretch_increments
from hippo_fast.recurrence import Recurrence
from hippo_fast.types import Float64Array, Output
from hippo_fast.validation import checked_shape, real_array

Tensor: TypeAlias = Any  # torch is skipped by the type checker

_STRETCH_NUMBERS = 2**20  # numbers in one chunk of stretch matrices: 8 MiB, one transfer to the device for each chunk


@final
class TorchBackend(Backend):
    """Runs on torch tensors."""

    def read(self, samples: Any, dtype: Any, device: Any) -> Tensor:
        """Return samples as a tensor of float32 or float64, see `Backend.read`."""
        target = _device(device, samples)
        if not isinstance(samples, torch.Tensor):
            array = real_array("samples", samples)
            checked_shape("samples", array.shape)
            # Integers and other floats go through float64, which is what they become by default.
            samples = torch.from_numpy(array.astype(np.float32 if array.dtype == np.float32 else np.float64))
        if samples.is_complex() or samples.is_quantized:
            raise TypeError(f"samples has dtype {samples.dtype}; accepted: real numbers")
        checked_shape("samples", tuple(samples.shape))
        _check_finite(samples)
        cast = samples.to(device=target, dtype=_dtype(dtype, samples.dtype))
        _check_finite(cast)
        return cast

    def run(self, recurrence: Recurrence, samples: Tensor, times: Float64Array | None, output: Output) -> Tensor:
        """Return the states, see `Backend.run`. Without gradients ``output="last"`` keeps ``O(N)`` for each stream."""
        length, order = samples.shape[-1], recurrence.order
        streams = samples.reshape(-1, length)
        start = _start_states(recurrence, streams, 0.0 if times is None else float(times[0]))
        count = len(start)
        state = start[-1] if start else streams.new_zeros((len(streams), order))
        parts = [torch.stack(start, dim=1)] if start else []
        if count < length:
            steps = recurrence.steps(None if times is None else times[count - 1 :])
            before = streams[:, count - 1] if count else streams.new_zeros(len(streams))
            state, stepped = _advance(steps, state, streams[:, count:], before, output == "states")
            parts += [] if stepped is None else [stepped]
        result = torch.cat(parts, dim=1) if output == "states" else state
        if recurrence.is_scale_law:
            result = result * _constant(recurrence.output_scale, result)
        return result.reshape(*samples.shape[:-1], *result.shape[1:])

    def synchronize(self) -> None:
        """Wait for every CUDA device in use."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()


BACKEND = TorchBackend()


def _device(device: Any, samples: Any) -> Any:
    if device is None:
        return samples.device if isinstance(samples, torch.Tensor) else torch.device("cpu")
    try:
        return torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device is {device!r}; accepted: None or a torch device such as 'cpu' or 'cuda' ({error})"
        ) from None


def _dtype(dtype: Any, given: Any) -> Any:
    if dtype is None:
        return torch.float32 if given == torch.float32 else torch.float64
    named = dtype if isinstance(dtype, torch.dtype) else None
    if named is None:
        try:
            named = {"float32": torch.float32, "float64": torch.float64}.get(np.dtype(dtype).name)
        except TypeError:
            named = None
    if named not in (torch.float32, torch.float64):
        raise ValueError(f"dtype is {dtype!r}; accepted: None, 'float32' or 'float64'")
    return named


def _check_finite(samples: Tensor) -> None:
    finite = torch.isfinite(samples)
    if not bool(finite.all()):
        where = tuple(int(i) for i in torch.nonzero(~finite)[0])
        raise ValueError(
            f"samples[{', '.join(map(str, where))}] is {float(samples[where])}; "
            f"accepted: finite {samples.dtype} numbers"
        )


def _constant(values: Float64Array, like: Tensor) -> Tensor:
    """Return float64 ``values`` as a tensor with the dtype and device of ``like``."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(device=like.device, dtype=like.dtype)


def _start_states(recurrence: Recurrence, streams: Tensor, first_time: float) -> list[Tensor]:
    """Return the running states ``(S, N)`` that the rule starts with, as the numpy backend does."""
    count, order = recurrence.states_at_start(streams.shape[1], first_time), recurrence.order
    units = torch.eye(2, order, dtype=streams.dtype, device=streams.device)
    found = []
    if count > 0:
        found.append(streams[:, :1] * units[0])
    if count > 1:
        half = streams[:, 1:2] / 2 - streams[:, :1] / 2
        found.append((streams[:, :1] + half) * units[0] + half / 3 * units[1])
    return found


def _advance(steps: Steps, state: Tensor, samples: Tensor, before: Tensor, store: bool) -> tuple[Tensor, Tensor | None]:
    """Run K steps on ``(S, K)`` samples; return the last state ``(S, N)`` and, if asked, all of them ``(S, K, N)``."""
    if isinstance(steps, PrefixSteps):
        return _advance_prefix(steps, state, samples, before, store)
    states: list[Tensor] = []
    if isinstance(steps, ConstantSteps):
        increment, gain = _constant(steps.increment.T, state), _constant(steps.gain, state)
        for sample in samples.unbind(1):
            state = state + (state @ increment + sample[:, None] * gain)
            if store:
                states.append(state)
    else:
        state = _advance_stretch(steps, state, samples, before, states if store else None)
    return state, torch.stack(states, dim=1) if store else None


def _advance_stretch(
    steps: StretchSteps, state: Tensor, samples: Tensor, before: Tensor, states: list[Tensor] | None
) -> Tensor:
    order = state.shape[1]
    chunk = max(1, _STRETCH_NUMBERS // order**2)
    first = torch.eye(1, order, dtype=state.dtype, device=state.device)
    for begin in range(0, len(steps), chunk):
        ratio, gap = steps.ratio[begin : begin + chunk], steps.gap[begin : begin + chunk]
        pieces = _constant(linear_piece_weights(ratio, gap, order), state) if steps.linear else None
        matrices, factors = _constant(stretch_increments(ratio, gap, order), state), _constant(gap, state)
        for i in range(len(gap)):
            sample = samples[:, begin + i]
            held = before if steps.linear else sample
            change = (state - held[:, None] * first) @ matrices[i].T * factors[i]
            if pieces is not None:
                change = change + (sample - before)[:, None] * pieces[i]
            state = state + change
            before = sample
            if states is not None:
                states.append(state)
    return state


def _advance_prefix(
    steps: PrefixSteps, state: Tensor, samples: Tensor, before: Tensor, store: bool
) -> tuple[Tensor, Tensor | None]:
    """Run LegS front by front: lane r holds row n = N - 1 - r of step front - n, see the numpy backend."""
    (streams, order), count = state.shape, len(steps)
    pad = np.zeros(order - 1)
    total = _constant(np.concatenate([pad, steps.total, pad]), state)
    implicit = _constant(np.concatenate([pad, steps.implicit, pad]), state)
    earlier = torch.cat([before[:, None], samples[:, :-1]], dim=1)
    inputs = samples * _constant(steps.now, state) + earlier * _constant(steps.before, state)
    inputs = torch.cat([inputs, state.new_zeros((streams, order))], dim=1)
    rows = torch.arange(order, 0, -1, dtype=state.dtype, device=state.device)
    weights = 2 * rows - 1
    x = state.flip(1)
    running = torch.cat([state.new_zeros((streams, order - 1)), inputs[:, :1]], dim=1)
    fronts: list[Tensor] = []
    for front in range(count + order - 1):
        now_implicit = implicit[front : front + order]
        held = total[front : front + order] * x
        change = (running - rows * held) / (now_implicit * rows + 1)
        running = running - (now_implicit * change + held) * weights
        running = torch.cat([running[:, 1:], inputs[:, front + 1 : front + 2]], dim=1)
        x = x + change
        if store:
            fronts.append(x)
    if not store:
        return x.flip(1), None
    step = torch.arange(count, device=state.device)[:, None]
    row = torch.arange(order, device=state.device)[None, :]
    return x.flip(1), torch.stack(fronts, dim=1)[:, step + row, order - 1 - row]
