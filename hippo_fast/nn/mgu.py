"""The minimal gated unit: Zhou, Wu, Zhang, Zhou 2016 (arXiv 1603.09420).

f = sigmoid(W_f [h, x] + b_f)
n = tanh(W_h [f * h, x] + b_h)
h' = (1 - f) h + f n
"""

from __future__ import annotations

import torch
from torch import nn

from hippo_fast.nn.base import State, Tensor
from hippo_fast.nn.sequence import SequenceCell, at_last, each_step


class MGUCell(SequenceCell):
    """Zhou's cell; a missing number is read as 0, and times are not read.

    Parameters are drawn as torch draws those of its own cells, uniformly within ``1 / sqrt(hidden_size)``.
    """

    key = "mgu"

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.reading = nn.Linear(self.input_size, 2 * self.hidden_size)  # the x columns of W_f over those of W_h
        self.forgetting = nn.Parameter(torch.empty(self.hidden_size, self.hidden_size))  # the h columns of W_f
        self.proposing = nn.Parameter(torch.empty(self.hidden_size, self.hidden_size))  # the h columns of W_h
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(self.hidden_size**-0.5), self.hidden_size**-0.5)

    def _run(
        self, inputs: Tensor, state: State, times: Tensor | None, observed: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, State]:
        gate_reads, proposal_reads = self.reading(inputs.transpose(0, 1)).chunk(2, dim=-1)
        forgetting, proposing = self.forgetting.t(), self.proposing.t()
        (hidden,) = state
        outputs = []
        for gate_read, proposal_read in zip(each_step(gate_reads), each_step(proposal_reads), strict=True):
            gate = torch.sigmoid(torch.addmm(gate_read, hidden, forgetting))
            proposal = torch.tanh(torch.addmm(proposal_read, gate * hidden, proposing))
            hidden = torch.lerp(hidden, proposal, gate)
            outputs.append(hidden)
        stacked = torch.stack(outputs, dim=1)
        return stacked, (at_last(stacked, lengths),)
