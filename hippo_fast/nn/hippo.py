"""The HiPPO-RNN: a recurrent cell whose memory is a HiPPO projection of what its hidden state told it."""

from __future__ import annotations

from typing import ClassVar, final

from hippo_fast.nn.base import checked_size
from hippo_fast.nn.memory import HippoMemory
from hippo_fast.nn.memory_cell import MemoryCell


@final
class HippoCell(MemoryCell):
    """`MemoryCell` with the memory of `hippo_fast.scan`: the same recurrence, uneven times and missing samples too.

    Under ``legs`` only ratios of times count, so times in another unit change nothing; the first time must be >= 0
    (under ``zoh`` a time is the end of its cell: > 0, and the default times are 1, 2, 3, ...).

    Args:
        input_size: numbers in each sample.
        hidden_size: numbers in each output.
        measure: a key of `hippo_fast.OPERATORS`.
        method: a key of `hippo_fast.DISCRETIZATIONS`.
        memory_size: channels of the memory.
        memory_order: coefficients of each channel; None for ``hidden_size``.
        theta: window length of ``legt``, ``lmu``, ``fout``, in units of time.
        dt: spacing of samples without times, and what the first sample stands for, under an invariant law, in units
            of time; no other than 1 for ``legs``.
        alpha: exponent of ``lagt``, ``-1 < alpha < 1``.
        beta: tilt of ``lagt``, > 0.
        gated: whether a gate keeps part of the hidden state.
        reads: ``"hidden"`` or ``"input"``, what the memory is fed from.
        wiring: ``"figure"``, as in the paper's figure 2, or ``"released"``, as in the code released with it.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: an unknown key, a number outside its domain, or arguments that do not go together.
    """

    key = "hippo"
    uses_times: ClassVar[bool] = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        measure: str = "legs",
        method: str = "bilinear",
        memory_size: int = 1,
        memory_order: int | None = None,
        theta: float = 1.0,
        dt: float = 1.0,
        alpha: float = 0.0,
        beta: float = 1.0,
        gated: bool = True,
        reads: str = "hidden",
        wiring: str = "figure",
    ) -> None:
        hidden = checked_size("hidden_size", hidden_size)
        memory = HippoMemory(
            checked_size("memory_size", memory_size),
            hidden if memory_order is None else checked_size("memory_order", memory_order),
            measure=measure,
            method=method,
            dt=dt,
            theta=theta,
            alpha=alpha,
            beta=beta,
        )
        super().__init__(input_size, hidden, memory, gated=gated, reads=reads, wiring=wiring)
