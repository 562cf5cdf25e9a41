"""GRU-D: Che, Purushotham, Cho, Sontag, Liu, Scientific Reports 8, 2018 (arXiv 1606.01865).

With the mask ``m``, the time ``d`` since each variable was observed, its last value ``l`` and its mean ``a``:

    gamma_x = exp(-max(0, w * d + b)),  gamma_h = exp(-max(0, W d + b))
    x^ = m x + (1 - m) (gamma_x l + (1 - gamma_x) a),  h^ = gamma_h h
    r = sigmoid(W_r x^ + U_r h^ + V_r m + b_r),  z = sigmoid(W_z x^ + U_z h^ + V_z m + b_z)
    n = tanh(W x^ + U (r h^) + V m + b)
    h' = (1 - z) h^ + z n
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import torch
from torch import nn

from hippo_fast.nn.base import State, Tensor
from hippo_fast.nn.sequence import SequenceCell, all_times, at_last, each_step, latest
from hippo_fast.validation import checked_number


class GRUDCell(SequenceCell):
    """Che's cell. The state is ``(h, last values, times of these, time of the last sample)``.

    The time since a variable was observed counts from the first sample while it never was; its last value is its mean.
    A sample of which nothing was observed is a step like any other. Times are in the unit in which they are given:
    the decay rates are learned in it.

    Args:
        input_size: numbers in each sample.
        hidden_size: numbers in each output.
        means: of each variable over what was observed in training; None for 0, for standardised data.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: a size < 1, or means that are not ``input_size`` finite numbers.
    """

    key = "gru_d"
    uses_times: ClassVar[bool] = True

    def __init__(self, input_size: int, hidden_size: int, *, means: Sequence[float] | None = None) -> None:
        super().__init__(input_size, hidden_size)
        self.register_buffer("means", _checked_means(means, self.input_size))
        self.value_decay_weight = nn.Parameter(torch.empty(self.input_size))
        self.value_decay_bias = nn.Parameter(torch.empty(self.input_size))
        self.hidden_decay = nn.Linear(self.input_size, self.hidden_size)
        self.reading = nn.Linear(2 * self.input_size, 3 * self.hidden_size)  # (W, V), of r, z and n
        self.gating = nn.Parameter(torch.empty(2 * self.hidden_size, self.hidden_size))  # U_r over U_z
        self.proposing = nn.Parameter(torch.empty(self.hidden_size, self.hidden_size))  # U
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(self.hidden_size**-0.5), self.hidden_size**-0.5)

    def initial_state(self, batch: int, *, dtype: Any = None, device: Any = None) -> State:
        """Return zeros for ``h``, the means as last values, and NaN for times: nothing has been read."""
        like = self._like(dtype, device)
        unread = torch.full((batch, 1 + self.input_size), torch.nan, dtype=torch.float64, device=like["device"])
        hidden = torch.zeros(batch, self.hidden_size, **like)
        return hidden, self.means.to(**like).expand(batch, -1), unread[:, 1:], unread[:, 0]

    def _run(
        self, inputs: Tensor, state: State, times: Tensor | None, observed: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, State]:
        hidden, values, seen_at, last = state
        times = all_times(times, last, inputs.shape[1])
        seen_at = torch.where(torch.isnan(last)[:, None], times[:, :1], seen_at)
        known = latest(inputs, values, observed)
        known_at = latest(times[..., None].expand_as(inputs), seen_at, observed)
        elapsed = (times[..., None] - known_at[:, :-1]).to(inputs.dtype)
        flags = torch.ones_like(inputs) if observed is None else observed.to(inputs.dtype)

        fading = _decay(elapsed * self.value_decay_weight + self.value_decay_bias)
        guess = torch.lerp(self.means.expand_as(inputs), known[:, :-1], fading)
        filled = torch.cat([torch.where(flags > 0, inputs, guess), flags], dim=-1)
        gate_reads, proposal_reads = self.reading(filled.transpose(0, 1)).split(
            [2 * self.hidden_size, self.hidden_size], dim=-1
        )
        decays = _decay(self.hidden_decay(elapsed.transpose(0, 1)))
        gating, proposing = self.gating.t(), self.proposing.t()
        outputs = []
        for decay, gate_read, proposal_read in zip(
            each_step(decays), each_step(gate_reads), each_step(proposal_reads), strict=True
        ):
            decayed = decay * hidden
            reset, update = torch.sigmoid(torch.addmm(gate_read, decayed, gating)).chunk(2, dim=-1)
            proposal = torch.tanh(torch.addmm(proposal_read, reset * decayed, proposing))
            hidden = torch.lerp(decayed, proposal, update)
            outputs.append(hidden)
        stacked = torch.stack(outputs, dim=1)
        ends = (at_last(entry, lengths) for entry in (stacked, known[:, 1:], known_at[:, 1:], times))
        return stacked, tuple(ends)


def _decay(rate: Tensor) -> Tensor:
    return torch.exp(-torch.relu(rate))


def _checked_means(means: Sequence[float] | None, input_size: int) -> Tensor:
    if means is None:
        return torch.zeros(input_size)
    if not isinstance(means, Iterable):
        raise TypeError(f"means is {means!r} ({type(means).__name__}); accepted: {input_size} numbers")
    found = [checked_number("means", mean, "a finite number for each variable") for mean in means]
    if len(found) != input_size:
        raise ValueError(f"means has {len(found)} numbers; accepted: {input_size}, one for each variable")
    return torch.tensor(found)
