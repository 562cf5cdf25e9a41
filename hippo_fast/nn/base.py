"""What every cell offers: one step, a whole sequence, and the checks at the door.

A cell is abstract here and final in its own module, where it gives `initial_state` and `_run`, which reads a sequence;
one step is a sequence of one sample. `step` and `forward` check what they are given, and then run it.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from typing import Any, ClassVar, TypeAlias

import torch
from torch import nn

Tensor: TypeAlias = Any  # torch is skipped by the type checker
State: TypeAlias = tuple[Tensor, ...]
"""What a cell carries from sample to sample: the hidden state first, each entry ``(batch, ...)``."""


class Cell(ABC, nn.Module):  # type: ignore[misc]
    """A recurrent cell. Abstract; subclasses are final.

    A number that is missing (`observed` False) is never read, whatever stands there, NaN too: ``_run`` finds 0 in its
    place, and the flags, which a cell without a use for them may ignore.

    A cell with ``uses_times`` keeps in the last entry of its state the time of its last sample, float64 ``(batch,)``,
    NaN before the first one.

    Attributes:
        key: its key in `hippo_fast.nn.CELLS`.
        uses_times: whether the times of samples change what it computes; a cell without this ignores them.
        input_size: numbers in each sample.
        hidden_size: numbers in each output.
    """

    key: ClassVar[str]
    uses_times: ClassVar[bool] = False

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size = checked_size("input_size", input_size)
        self.hidden_size = checked_size("hidden_size", hidden_size)

    @abstractmethod
    def initial_state(self, batch: int, *, dtype: Any = None, device: Any = None) -> State:
        """Return the state before the first sample.

        Args:
            batch: number of streams.
            dtype: of the state; None for that of the parameters.
            device: None for that of the parameters.
        """

    @abstractmethod
    def _run(
        self,
        inputs: Tensor,
        state: State,
        times: Tensor | None,
        observed: Tensor | None,
        lengths: Tensor | None,
    ) -> tuple[Tensor, State]:
        """Return the outputs of all steps ``(batch, length, hidden_size)`` and the state after the last.

        However a sequence is cut into calls, the result is the same to rounding.

        Args:
            inputs: ``(batch, length, input_size)``, 0 where nothing was observed and beyond ``lengths``.
            state: before the first sample.
            times: float64 ``(length,)`` or ``(batch, length)``, increasing (beyond ``lengths`` too) and later than that
                of the state; None for the next of 0, 1, 2, ....
            observed: ``(batch, length, input_size)`` booleans; None where everything was.
            lengths: ``(batch,)``, samples of each stream; None where all are ``length``. Outputs beyond them may be
                anything, but the state is that after the last sample of each stream.
        """

    def step(
        self, sample: Tensor, state: State, *, time: Tensor | None = None, observed: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read one sample.

        Args:
            sample: ``(batch, input_size)``, of the dtype and device of the cell.
            state: from `initial_state`, `step` or `forward`.
            time: ``(batch,)``, the time of the sample, later than the one before; None for the next of 0, 1, 2, ....
            observed: ``(batch, input_size)`` booleans, False where a number is missing.

        Returns:
            The output ``(batch, hidden_size)`` and the state.

        Raises:
            TypeError: an argument of a wrong kind.
            ValueError: another shape, dtype or device, a number that is not finite, or times that do not increase.
        """
        sample, observed = self._checked_inputs("sample", sample, observed, ("batch",))
        state = self._checked_state(state, sample)
        if time is not None:
            time = self._checked_times("time", time, ((len(sample),),), sample, state)
        times, flags = (None if part is None else part[:, None] for part in (time, observed))
        outputs, after = self._run(sample[:, None], state, times, flags, None)
        return outputs[:, 0], after

    def forward(
        self,
        inputs: Tensor,
        state: State | None = None,
        *,
        times: Tensor | None = None,
        observed: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Read whole sequences; what it returns equals the loop over `step` to rounding.

        Args:
            inputs: ``(batch, length, input_size)``, of the dtype and device of the cell.
            state: to go on from; None for `initial_state`.
            times: ``(length,)``, or ``(batch, length)`` for times of its own for each stream, increasing; None for the
                next of 0, 1, 2, ....
            observed: ``(batch, length, input_size)`` booleans, False where a number is missing.
            lengths: ``(batch,)`` integers, how many samples each stream has; what follows them is padding, which is
                not read.

        Returns:
            Outputs ``(batch, length, hidden_size)``, in the padding the last one again, and the state after the last
            sample of each stream.

        Raises:
            TypeError: an argument of a wrong kind.
            ValueError: another shape, dtype or device, a number that is not finite, or times that do not increase.
        """
        if lengths is not None and isinstance(inputs, torch.Tensor) and inputs.ndim == 3:
            lengths = _checked_lengths(lengths, inputs)
            inside = torch.arange(inputs.shape[1], device=inputs.device) < lengths[:, None]
            inputs = torch.where(inside[..., None], inputs, torch.zeros_like(inputs))  # padding is not judged
        inputs, observed = self._checked_inputs("inputs", inputs, observed, ("batch", "length"))
        batch, length, _ = inputs.shape
        state = self.initial_state(batch, dtype=inputs.dtype, device=inputs.device) if state is None else state
        state = self._checked_state(state, inputs)
        if times is not None:
            if lengths is not None and isinstance(times, torch.Tensor) and times.shape == (batch, length):
                times = _padded_times(times.to(torch.float64), lengths)
            times = self._checked_times("times", times, ((length,), (batch, length)), inputs, state)
        outputs, after = self._run(inputs, state, times, observed, lengths)
        if lengths is not None:
            last = torch.minimum(torch.arange(length, device=inputs.device), lengths[:, None] - 1)
            outputs = outputs.gather(1, last[..., None].expand(-1, -1, self.hidden_size))
        return outputs, after

    def extra_repr(self) -> str:
        """Return what ``repr`` shows."""
        return f"{self.input_size}, {self.hidden_size}"

    def _like(self, dtype: Any, device: Any) -> dict[str, Any]:
        """Return the dtype and device of a new state: what was asked for, else those of the parameters."""
        own = next(self.parameters(), torch.empty(0))
        return {"dtype": own.dtype if dtype is None else dtype, "device": own.device if device is None else device}

    def _checked_inputs(
        self, name: str, inputs: Tensor, observed: Tensor | None, axes: tuple[str, ...]
    ) -> tuple[Tensor, Tensor | None]:
        """Return the inputs, whose leading axes are ``axes``, with 0 where nothing was observed, and the flags."""
        if not isinstance(inputs, torch.Tensor):
            raise TypeError(f"{name} is a {type(inputs).__name__}; accepted: a torch tensor")
        if inputs.ndim != len(axes) + 1 or inputs.shape[-1] != self.input_size or 0 in inputs.shape:
            raise ValueError(
                f"{name} has shape {tuple(inputs.shape)}; accepted: ({', '.join(axes)}, {self.input_size}), "
                "every length >= 1"
            )
        if inputs.dtype not in (torch.float32, torch.float64):
            raise TypeError(f"{name} has dtype {inputs.dtype}; accepted: torch.float32 or torch.float64")
        own = next(self.parameters(), None)
        if own is not None and (inputs.dtype != own.dtype or inputs.device != own.device):
            raise ValueError(
                f"{name} has dtype {inputs.dtype} on {inputs.device}; accepted: {own.dtype} on {own.device}, those of "
                "the cell, which cell.to(...) changes"
            )
        if observed is not None:
            if not isinstance(observed, torch.Tensor) or observed.dtype != torch.bool:
                kind = observed.dtype if isinstance(observed, torch.Tensor) else type(observed).__name__
                raise TypeError(f"observed is {kind}; accepted: a tensor of booleans, True where a number was observed")
            if observed.shape != inputs.shape:
                raise ValueError(f"observed has shape {tuple(observed.shape)}; accepted: {tuple(inputs.shape)}")
            observed = observed.to(inputs.device)
            inputs = torch.where(observed, inputs, torch.zeros_like(inputs))
        finite = torch.isfinite(inputs.detach())
        if not bool(finite.all()):
            where = tuple(int(i) for i in torch.nonzero(~finite)[0])
            raise ValueError(
                f"{name}[{', '.join(map(str, where))}] is {float(inputs[where])}; accepted: finite numbers, or "
                "observed with False where a number is missing"
            )
        return inputs, observed

    def _checked_state(self, state: State, inputs: Tensor) -> State:
        """Return the state, if it is one of this cell for so many streams."""
        batch = len(inputs)
        wanted = self.initial_state(batch, dtype=inputs.dtype, device=inputs.device)
        if not isinstance(state, tuple | list) or len(state) != len(wanted):
            kind = type(state).__name__ if not isinstance(state, tuple | list) else f"of {len(state)} tensors"
            raise TypeError(f"state is {kind}; accepted: a state of this cell, a tuple of {len(wanted)} tensors")
        for index, (found, like) in enumerate(zip(state, wanted, strict=True)):
            if not isinstance(found, torch.Tensor):
                raise TypeError(f"state[{index}] is a {type(found).__name__}; accepted: a torch tensor")
            if (found.shape, found.dtype, found.device) != (like.shape, like.dtype, like.device):
                raise ValueError(
                    f"state[{index}] has shape {tuple(found.shape)}, dtype {found.dtype}, on {found.device}; "
                    f"accepted: {tuple(like.shape)}, {like.dtype}, on {like.device}"
                )
        return tuple(state)

    def _checked_times(
        self, name: str, times: Tensor, shapes: tuple[tuple[int, ...], ...], inputs: Tensor, state: State
    ) -> Tensor:
        """Return float64 times, if they are finite, increase, and come after those of the state."""
        if not isinstance(times, torch.Tensor) or times.dtype == torch.bool or times.is_complex():
            kind = times.dtype if isinstance(times, torch.Tensor) else f"a {type(times).__name__}"
            raise TypeError(f"{name} is {kind}; accepted: a tensor of real numbers")
        if tuple(times.shape) not in shapes:
            accepted = " or ".join(map(str, shapes))
            raise ValueError(f"{name} has shape {tuple(times.shape)}; accepted: {accepted}")
        times = times.to(device=inputs.device, dtype=torch.float64)
        if not bool(torch.isfinite(times).all()):
            raise ValueError(f"{name} has NaN or infinite numbers; accepted: finite times")
        if not self.uses_times:
            return times
        in_order = times if name == "times" else times[:, None]
        rising = in_order.diff(dim=-1) > 0
        if not bool(rising.all()):
            where = [int(i) for i in torch.nonzero(~rising)[0]]
            where[-1] += 1
            raise ValueError(
                f"{name}[{', '.join(map(str, where))}] is {float(in_order[tuple(where)])!r} after "
                f"{float(in_order[(*where[:-1], where[-1] - 1)])!r}; accepted: strictly increasing times"
            )
        last = state[-1]
        early = in_order[..., 0] <= last  # not where the state has read nothing: NaN
        if bool(early.any()):
            stream = int(torch.nonzero(early)[0])
            raise ValueError(
                f"{name} of stream {stream} starts at {float(in_order[..., 0].expand_as(last)[stream])!r}, but the "
                f"state has read a sample of time {float(last[stream])!r}; accepted: later times"
            )
        return times


def kept_state(active: Tensor, after: State, before: State) -> State:
    """Return the state ``after`` for streams that are ``active`` ``(batch,)``, and the one ``before`` for others."""
    return tuple(
        torch.where(active.reshape(-1, *[1] * (new.ndim - 1)), new, old) for new, old in zip(after, before, strict=True)
    )


def checked_size(name: str, value: object) -> int:
    """Return ``value`` as an int >= 1, or raise ``TypeError`` or ``ValueError``."""
    try:
        if isinstance(value, bool):
            raise TypeError
        size = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}); accepted: an integer >= 1") from None
    if size < 1:
        raise ValueError(f"{name} is {size}; accepted: an integer >= 1")
    return size


def _checked_lengths(lengths: Tensor, inputs: Tensor) -> Tensor:
    if not isinstance(lengths, torch.Tensor) or lengths.dtype not in (torch.int64, torch.int32):
        kind = lengths.dtype if isinstance(lengths, torch.Tensor) else f"a {type(lengths).__name__}"
        raise TypeError(f"lengths is {kind}; accepted: a tensor of integers")
    batch, length = inputs.shape[:2]
    if lengths.shape != (batch,):
        raise ValueError(f"lengths has shape {tuple(lengths.shape)}; accepted: ({batch},), one for each stream")
    if bool(((lengths < 1) | (lengths > length)).any()):
        bad = int(lengths[(lengths < 1) | (lengths > length)][0])
        raise ValueError(f"lengths has {bad}; accepted: 1 to {length}, the length of inputs")
    return lengths.to(device=inputs.device, dtype=torch.int64)


def _padded_times(times: Tensor, lengths: Tensor) -> Tensor:
    """Return times ``(batch, length)`` that go on one by one in the padding, whatever stood there."""
    index = torch.arange(times.shape[1], device=times.device)
    last = lengths.to(times.device)[:, None] - 1
    return torch.where(index <= last, times, times.gather(1, last) + (index - last))
