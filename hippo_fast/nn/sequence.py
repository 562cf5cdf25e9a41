"""What cells share that compute all that does not wait for the hidden state at once, before the loop over samples."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from hippo_fast.nn.base import Cell, State, Tensor


class SequenceCell(Cell):
    """A cell whose state is ``entries`` tensors of the hidden size, zero at first. Abstract; subclasses are final."""

    entries: ClassVar[int] = 1

    def initial_state(self, batch: int, *, dtype: Any = None, device: Any = None) -> State:
        """Return zeros ``(batch, hidden_size)``, one tensor for each entry of the state."""
        like = self._like(dtype, device)
        return tuple(torch.zeros(batch, self.hidden_size, **like) for _ in range(self.entries))


class KernelCell(SequenceCell):
    """A cell that is one of torch's own recurrent layers, with its parameters in `kernel`. Abstract.

    The layer reads all samples in one call, each stream as many as it has.
    """

    kernel_class: ClassVar[Any]

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.kernel = self.kernel_class(self.input_size, self.hidden_size, batch_first=True)

    def _run(
        self, inputs: Tensor, state: State, times: Tensor | None, observed: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, State]:
        before = tuple(entry[None].contiguous() for entry in state)  # a layer axis; CUDA wants it contiguous
        start = before[0] if self.entries == 1 else before
        if lengths is None:
            outputs, after = self.kernel(inputs, start)
        else:
            packed = nn.utils.rnn.pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
            outputs, after = self.kernel(packed, start)
            outputs, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])
        return outputs, tuple(entry[0] for entry in ((after,) if self.entries == 1 else after))


def each_step(values: Tensor) -> tuple[Tensor, ...]:
    """Return ``(batch, ...)`` of every step of ``(length, batch, ...)``; one node of autograd, not one for each."""
    return tuple(values.unbind(0))


def at_last(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Return ``values`` ``(batch, length, ...)`` of the last sample of each stream."""
    if lengths is None:
        return values[:, -1]
    return values[torch.arange(len(values), device=values.device), lengths - 1]


def all_times(times: Tensor | None, last: Tensor, length: int) -> Tensor:
    """Return the times of all samples, float64 ``(batch, length)``.

    Args:
        times: ``(length,)``, or ``(batch, length)``; None for the next of 0, 1, 2, ....
        last: the time of the sample before, ``(batch,)``; NaN where there was none.
        length: number of samples.
    """
    if times is None:
        first = torch.where(torch.isnan(last), torch.zeros_like(last), last + 1)
        return first[:, None] + torch.arange(length, dtype=torch.float64, device=last.device)
    return times.expand(len(last), length)


def gaps_before(times: Tensor, last: Tensor) -> Tensor:
    """Return the time since the sample before, float64 ``(batch, length)``; 0 for the very first one.

    Args:
        times: ``(batch, length)``.
        last: the time of the sample before, ``(batch,)``; NaN where there was none.
    """
    start = torch.where(torch.isnan(last), times[:, 0], last)
    return torch.diff(times, dim=1, prepend=start[:, None])


def latest(values: Tensor, before: Tensor, observed: Tensor | None) -> Tensor:
    """Return what was observed last, up to and with each sample, in each feature ``(batch, 1 + length, features)``.

    Args:
        values: ``(batch, length, features)``.
        before: what was observed before the first sample, ``(batch, features)``; entry 0 of the result.
        observed: ``(batch, length, features)`` booleans; None where everything was.
    """
    known = torch.cat([before[:, None], values], dim=1)
    if observed is None:
        return known
    number = torch.arange(1, values.shape[1] + 1, device=values.device)[:, None]
    index = torch.cummax(torch.where(observed, number, torch.zeros_like(number)), dim=1).values
    return known.gather(1, nn.functional.pad(index, (0, 0, 1, 0)))
