"""The memories inside cells: a state ``(batch, M, N)`` that reads one sample ``(batch, M)`` at a time, whatever fed it.

`HippoMemory` is the recurrence of `hippo_fast.scan`, sample by sample: any measure and rule, times of its own for each
stream, missing samples. When each sample is read is worked out on the processor for a whole sequence at once
(`readings`), so that no step of it waits for a device. `ConstantMemory` takes one and the same step at each sample.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import torch
from torch import nn

from hippo_fast.backends.torch_tensors import Tensor
from hippo_fast.nn.steps import OwnStep, StreamSteps, advanced, shared_weights, takes_rows
from hippo_fast.recurrence import make_recurrence
from hippo_fast.run import scan
from hippo_fast.types import BoolArray, Float64Array

Flags: TypeAlias = bool | BoolArray
Clock: TypeAlias = tuple[Tensor, ...]


@dataclass(frozen=True)
class Reading:
    """How the streams read one sample. Flags are for all of them, or ``(batch,)``.

    Attributes:
        present: they read it.
        opens: it is their first under a scale law: the state becomes ``u e_0``.
        on_piece: it is their second, and the state becomes the projection of the first linear piece.
        before: ``(R,)``, the time of the sample before, R 1 where all streams take the same step; of effect for the
            streams that take a step, under a scale law.
        after: ``(R,)``, the time of the sample; under an invariant law the gap.
    """

    present: Flags = True
    opens: Flags = False
    on_piece: Flags = False
    before: Float64Array | None = None
    after: Float64Array | None = None


class CellMemory(ABC, nn.Module):  # type: ignore[misc]  # torch is skipped by the type checker
    """A linear memory of ``size`` channels, each of ``order`` coefficients. Abstract; subclasses are final."""

    def __init__(self, size: int, order: int) -> None:
        super().__init__()
        self.size, self.order = size, order

    @abstractmethod
    def clock(self, batch: int, device: Any) -> Clock:
        """Return what is carried from sample to sample beside the memory and the last sample, before the first."""

    @abstractmethod
    def readings(
        self, clock: Clock, length: int, times: Tensor | None, present: BoolArray | None, last: Tensor | None
    ) -> tuple[list[Reading], Clock]:
        """Return how each of ``length`` samples is read, and the clock after them.

        Args:
            clock: before them.
            length: number of samples.
            times: float64 ``(length,)`` or ``(batch, length)``; None for the next of the default times.
            present: ``(batch, length)``, False where a stream reads nothing; None where all are read.
            last: ``(batch,)``, the index of the last sample of each stream; None where it is ``length - 1``.
        """

    @abstractmethod
    def advance(self, reading: Reading, memory: Tensor, sample: Tensor, before: Tensor) -> Tensor:
        """Return the memory ``(batch, M, N)`` after ``sample`` ``(batch, M)``; ``before`` is the one before it."""

    @abstractmethod
    def scan(self, samples: Tensor, times: Tensor | None, present: BoolArray | None) -> Tensor | None:
        """Return the memory after each of ``samples`` ``(batch, length, M)`` from the first on, all at once.

        Returns:
            ``(batch, length, M, N)``; None where there is no faster way than step by step.
        """


@final
class ConstantMemory(CellMemory):
    """``c' = c + G c + g u`` at each sample, whenever it comes.

    Args:
        size: number of channels.
        weights: ``(N + 1, N)``, ``G^T`` above ``g``; kept in the state dict.
    """

    def __init__(self, size: int, weights: Tensor) -> None:
        super().__init__(size, weights.shape[1])
        self.register_buffer("weights", weights)

    def clock(self, batch: int, device: Any) -> Clock:
        """Return nothing."""
        return ()

    def readings(
        self, clock: Clock, length: int, times: Tensor | None, present: BoolArray | None, last: Tensor | None
    ) -> tuple[list[Reading], Clock]:
        """Return which samples are there."""
        return [Reading(True if present is None else _flags(present[:, k])) for k in range(length)], ()

    def advance(self, reading: Reading, memory: Tensor, sample: Tensor, before: Tensor) -> Tensor:
        """Return the memory after the sample, where it is there."""
        after = advanced(self.weights, memory.flatten(0, 1), sample.flatten(), before.flatten())
        return chosen(reading.present, after.view_as(memory), memory)

    def scan(self, samples: Tensor, times: Tensor | None, present: BoolArray | None) -> None:
        """Return None."""


@final
class HippoMemory(CellMemory):
    """The memory of `hippo_fast.scan`.

    Under a scale law the times of samples are those of `hippo_fast.scan`, default times included. An invariant law
    knows no origin of time: a sample is the input since the one before it, and the first one the input of the ``dt``
    before it, so that ``dt (0, 1, 2, ...)`` are the default times.

    Args:
        size: number of channels ``M``.
        order: number of coefficients ``N``.
        measure: a key of `hippo_fast.OPERATORS`.
        method: a key of `hippo_fast.DISCRETIZATIONS`.
        dt: sample spacing of an invariant law where no times are given; 1 under a scale law.
        theta: window length of ``legt``, ``lmu``, ``fout``, in units of time.
        alpha: exponent of ``lagt``.
        beta: tilt of ``lagt``.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: an unknown key, a number outside its domain, or arguments that do not go together.
    """

    def __init__(
        self,
        size: int,
        order: int,
        *,
        measure: str,
        method: str,
        dt: float = 1.0,
        theta: float = 1.0,
        alpha: float = 0.0,
        beta: float = 1.0,
    ) -> None:
        super().__init__(size, order)
        self._config: dict[str, Any] = {
            "measure": measure,
            "order": order,
            "method": method,
            "theta": theta,
            "alpha": alpha,
            "beta": beta,
        }
        spacing = None if measure == "legs" and dt == 1.0 else dt
        self.recurrence = make_recurrence(**self._config, dt=spacing)
        self._spacing = 1.0 if self.recurrence.dt is None else self.recurrence.dt

    def extra_repr(self) -> str:
        """Return what ``repr`` shows."""
        config = self._config if self.recurrence.dt is None else {**self._config, "dt": self._spacing}
        return f"{self.size}, " + ", ".join(f"{name}={value!r}" for name, value in config.items())

    def clock(self, batch: int, device: Any) -> Clock:
        """Return how many samples were read, up to when, and the time of the last sample, read or not, ``(batch,)``."""
        never = torch.full((batch,), torch.nan, dtype=torch.float64, device=device)
        return torch.zeros(batch, dtype=torch.int64, device=device), never, never.clone()

    def readings(
        self, clock: Clock, length: int, times: Tensor | None, present: BoolArray | None, last: Tensor | None
    ) -> tuple[list[Reading], Clock]:
        """Return how each sample is read, see `CellMemory.readings`.

        Raises:
            ValueError: a first time that a scale law does not take.
        """
        count, read, time = (part.cpu().numpy() for part in clock)
        at = self._times(time, length, times)
        streams = len(count)
        same = (present is None or bool((present == present[:1]).all())) and _same(count, read, time, at)
        if same:  # one stream stands for all
            count, read, time, at = count[:1], read[:1], time[:1], at[:1]
            present = None if present is None else present[:1]
        seen = np.ones(at.shape, np.bool_) if present is None else present
        index = np.arange(length)
        newest = np.maximum.accumulate(np.where(seen, index, -1), axis=1)  # the last sample read, -1 for none of these
        older = np.pad(newest[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
        known = count[:, None] + np.cumsum(seen, axis=1) - seen
        if self.recurrence.is_scale_law:
            before = np.where(older >= 0, np.take_along_axis(at, older, axis=1), read[:, None])
            after, opens = at, known == 0
            on_piece = (known == 1) & (before == 0.0) & self.recurrence.discretization.starts_on_piece
        else:
            opened = np.isnan(time)
            read = np.where(opened, at[:, 0] - self._spacing, read)
            gap = at - np.take_along_axis(at, older, axis=1)
            since = np.where(opened, self._spacing, at[:, 0] - read)[:, None] + (at - at[:, :1])
            if times is None:  # by counting: differences of times would round a gap in many ways
                gap = self._spacing * (index - older)
                since = np.where(opened, 0.0, time - read)[:, None] + self._spacing * (index + 1)
            before = after = np.where(older >= 0, gap, since)
            opens = on_piece = np.zeros_like(seen)
        plan = [_reading(seen[:, k], opens[:, k], on_piece[:, k], before[:, k], after[:, k]) for k in range(length)]
        end = np.full(len(at), length - 1) if last is None else last.cpu().numpy()[: len(at)]
        own = np.arange(len(at))
        final_read = np.where(newest[:, -1] >= 0, at[own, newest[:, -1]], read)
        values = (count + seen.sum(axis=1), final_read, at[own, end])
        device = clock[0].device
        return plan, tuple(torch.from_numpy(np.repeat(v, streams // len(at))).to(device) for v in values)

    def advance(self, reading: Reading, memory: Tensor, sample: Tensor, before: Tensor) -> Tensor:
        """Return the memory after the sample, see `CellMemory.advance`."""
        if reading.present is False:
            return memory
        after = memory
        if reading.after is not None:
            after = self._stepped(reading, memory, sample, before)
        if reading.on_piece is not False:
            half = (sample - before)[..., None] / 2
            line = [before[..., None] + half, half / 3 * 3**0.5][: self.order]
            piece = nn.functional.pad(torch.cat(line, dim=-1), (0, self.order - len(line)))
            after = chosen(reading.on_piece, piece, after)
        if reading.opens is not False:
            after = chosen(reading.opens, nn.functional.pad(sample[..., None], (0, self.order - 1)), after)
        return chosen(reading.present, after, memory)

    def scan(self, samples: Tensor, times: Tensor | None, present: BoolArray | None) -> Tensor:
        """Return the memory after each sample by `hippo_fast.scan`, see `CellMemory.scan`."""
        batch, length, _ = samples.shape
        options = dict(self._config)
        if times is not None:
            at = self._times(np.full(batch, np.nan), length, times)
            if not self.recurrence.is_scale_law:
                at = at - at[:, :1] + self._spacing
            options["timestamps"] = at[0] if times.ndim == 1 else np.repeat(at[:, None], self.size, axis=1)
        elif not self.recurrence.is_scale_law:
            options["dt"] = self._spacing
        if present is not None:
            options["observed"] = np.repeat(present[:, None], self.size, axis=1)
        states = scan(samples.transpose(1, 2), **options, backend="torch")
        return states.transpose(1, 2)

    def _times(self, time: Float64Array, length: int, times: Tensor | None) -> Float64Array:
        """Return the time of each sample, ``(batch, length)``."""
        recurrence = self.recurrence
        if times is None:
            first = recurrence.discretization.first_time if recurrence.is_scale_law else 0.0
            start = np.where(np.isnan(time), first, time + self._spacing)
            return np.asarray(start[:, None] + self._spacing * np.arange(length))
        at = np.broadcast_to(times.cpu().numpy(), (len(time), length))
        if recurrence.is_scale_law:
            positive = recurrence.discretization.first_time_positive
            early = np.isnan(time) & (at[:, 0] <= 0.0 if positive else at[:, 0] < 0.0)
            if early.any():
                raise ValueError(
                    f"times of stream {int(early.argmax())} starts at {float(at[early.argmax(), 0])!r}; accepted by "
                    f"measure {recurrence.operator.key!r} under {recurrence.discretization.key!r}: "
                    f"a first time {'>' if positive else '>='} 0"
                )
        return at

    def _stepped(self, reading: Reading, memory: Tensor, sample: Tensor, before: Tensor) -> Tensor:
        """Return the memory after a step of the law."""
        start, end = reading.before, reading.after
        if start is None or end is None:
            raise ValueError("the reading has no times; accepted: one whose streams take a step")
        scale_law = self.recurrence.is_scale_law
        state, read, older = memory.flatten(0, 1), sample.flatten(), before.flatten()
        if len(end) == 1 and not takes_rows(self.recurrence, memory):
            moment = (float(start[0]), float(end[0])) if scale_law else (float(end[0]),)
            after = advanced(shared_weights(self.recurrence, moment, memory), state, read, older)
            return after.view_as(memory)
        each = len(state) // len(end)
        steps = StreamSteps(self.recurrence, np.repeat(start, each), np.repeat(end, each))
        return OwnStep.apply(steps, state, torch.stack([older, read], dim=1)).view_as(memory)


def chosen(flags: Flags, yes: Tensor, no: Tensor) -> Tensor:
    """Return ``yes`` for the streams with a flag, and ``no`` for the others; the batch is the first axis."""
    if isinstance(flags, bool):
        return yes if flags else no
    return torch.where(torch.from_numpy(flags).to(yes.device).reshape(-1, *[1] * (yes.ndim - 1)), yes, no)


def _flags(flags: BoolArray) -> Flags:
    """Return one flag where all streams have the same."""
    return bool(flags[0]) if (flags == flags[0]).all() else flags


def _reading(
    present: BoolArray, opens: BoolArray, on_piece: BoolArray, before: Float64Array, after: Float64Array
) -> Reading:
    """Return one reading; streams that take no step are given the times of one that does."""
    if len(present) == 1 and not (opens[0] or on_piece[0]):  # the usual one, said at once
        return Reading(bool(present[0]), before=before, after=after)
    steps = present & ~opens & ~on_piece
    if not steps.any():
        return Reading(_flags(present), _flags(opens), _flags(on_piece))
    one = int(steps.argmax())
    before, after = np.where(steps, before, before[one]), np.where(steps, after, after[one])
    if (before == before[0]).all() and (after == after[0]).all():
        before, after = before[:1], after[:1]
    return Reading(_flags(present), _flags(opens), _flags(on_piece), before, after)


def _same(*parts: Any) -> bool:
    """Return whether all streams, the first axis, have the same numbers; NaN is one."""
    return all(np.array_equal(part, np.broadcast_to(part[:1], part.shape), equal_nan=True) for part in parts)
