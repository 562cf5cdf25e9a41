"""ODE-RNN: Rubanova, Chen, Duvenaud 2019 (arXiv 1907.03907), algorithm 1.

Between samples the hidden state follows ``dh/dt = f(h)``, ``f`` a small network; a gated recurrent unit reads the
sample, and which of its numbers were observed.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from hippo_fast.nn.base import State, Tensor, checked_size
from hippo_fast.nn.flow import Flow
from hippo_fast.nn.sequence import SequenceCell, all_times, at_last, each_step, gaps_before


class ODERNNCell(SequenceCell):
    """Rubanova's cell. The state is ``(h, time of the last sample)``.

    A sample of which nothing was observed is not read: the output is the state that has flowed on to its time. A
    missing number of another sample is 0 beside its flag. Times are in the unit in which they are given: ``f`` is
    learned in it.

    Args:
        input_size: numbers in each sample.
        hidden_size: numbers in each output.
        width: of the one hidden layer of ``f``; None for ``hidden_size``.
        solver: ``rk4`` or ``euler`` with equal steps in each gap, or ``dopri5``, adaptive.
        steps: of a fixed rule in each gap.
        tolerance: of ``dopri5``, relative and absolute.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: a number outside its domain, or an unknown solver.
    """

    key = "ode_rnn"
    uses_times: ClassVar[bool] = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        width: int | None = None,
        solver: Literal["rk4", "euler", "dopri5"] = "rk4",
        steps: int = 1,
        tolerance: float = 1e-5,
    ) -> None:
        super().__init__(input_size, hidden_size)
        self.flow = Flow(solver, steps, tolerance)
        size = self.hidden_size if width is None else checked_size("width", width)
        self.field = nn.Sequential(nn.Linear(self.hidden_size, size), nn.Tanh(), nn.Linear(size, self.hidden_size))
        self.unit = nn.GRUCell(2 * self.input_size, self.hidden_size)
        for layer in (self.field[0], self.field[2]):  # a slow flow at first, as the authors' code has it
            nn.init.normal_(layer.weight, std=0.1)
            nn.init.zeros_(layer.bias)

    def initial_state(self, batch: int, *, dtype: Any = None, device: Any = None) -> State:
        """Return zeros for ``h``, and NaN for the time: nothing has been read."""
        like = self._like(dtype, device)
        unread = torch.full((batch,), torch.nan, dtype=torch.float64, device=like["device"])
        return torch.zeros(batch, self.hidden_size, **like), unread

    def _run(
        self, inputs: Tensor, state: State, times: Tensor | None, observed: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, State]:
        hidden, last = state
        times = all_times(times, last, inputs.shape[1])
        gaps = gaps_before(times, last).to(inputs.dtype)[..., None]
        flags = torch.ones_like(inputs) if observed is None else observed.to(inputs.dtype)
        read = torch.cat([inputs, flags], dim=-1)
        any_seen = flags.amax(dim=-1, keepdim=True) > 0
        outputs = []
        for k, (gap, sample, seen) in enumerate(
            zip(*(each_step(entry.transpose(0, 1)) for entry in (gaps, read, any_seen)), strict=True)
        ):
            # The very first sample finds the state where it starts; what would flow there is not computed.
            if k > 0 or not bool(torch.isnan(last).all()):
                hidden = self.flow(partial(self._slope, gap), hidden)
            after = self.unit(sample, hidden)
            hidden = after if observed is None else torch.where(seen, after, hidden)
            outputs.append(hidden)
        stacked = torch.stack(outputs, dim=1)
        return stacked, (at_last(stacked, lengths), at_last(times, lengths))

    def _slope(self, gap: Tensor, s: Any, state: Tensor) -> Tensor:
        """Return ``dh/ds`` at the fraction ``s`` of a gap, ``gap`` ``(batch, 1)``."""
        return gap * self.field(state)
