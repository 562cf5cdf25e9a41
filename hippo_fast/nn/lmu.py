"""The Legendre Memory Unit (Voelker, Kajic, Eliasmith 2019).

``u_t = e_x x_t + e_h h_{t-1} + e_m m_{t-1}``, ``m_t = A m_{t-1} + B u_t``, ``h_t = tanh(W_x x_t + W_h h_{t-1} + W_m
m_t)``, without biases: the paper's equations, those of keras-lmu with all of its optional connections. ``A`` and ``B``
are the rule of the LMU's delay line for one sample and a window of ``theta`` samples. ``e_x`` and ``e_h`` start uniform
in ``+-sqrt(3/n)`` for n inputs, ``e_m`` at 0, and the ``W`` normal with variance ``2/(inputs + outputs)``.
"""

from __future__ import annotations

from typing import Any, final

import torch
from torch import nn

from hippo_fast.nn.base import Cell, State, Tensor, checked_size, kept_state
from hippo_fast.nn.sequence import each_step
from hippo_fast.nn.steps import advanced, shared_weights
from hippo_fast.recurrence import make_recurrence


@final
class LMUCell(Cell):
    """An LMU; times of samples do not count for it. The state is the hidden state and ``m`` ``(batch, M, N)``.

    Args:
        input_size: numbers in each sample.
        hidden_size: numbers in each output.
        memory_size: channels ``M`` of the memory.
        memory_order: coefficients ``N`` of each channel; None for ``hidden_size``.
        theta: length of the window in samples.
        method: a rule of `hippo_fast.DISCRETIZATIONS` for invariant laws.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: an unknown rule, or a number outside its domain.
    """

    key = "lmu"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        memory_size: int = 1,
        memory_order: int | None = None,
        theta: float = 100.0,
        method: str = "zoh",
    ) -> None:
        super().__init__(input_size, hidden_size)
        self.memory_size = checked_size("memory_size", memory_size)
        self.memory_order = checked_size("memory_order", hidden_size if memory_order is None else memory_order)
        self.recurrence = make_recurrence("lmu", self.memory_order, method, dt=1.0, theta=theta, alpha=0.0, beta=1.0)
        row = self.memory_size * self.memory_order
        self.encode_input = nn.Linear(self.input_size, self.memory_size, bias=False)
        self.encode_hidden = nn.Linear(self.hidden_size, self.memory_size, bias=False)
        self.encode_memory = nn.Linear(row, self.memory_size, bias=False)
        self.from_input = nn.Linear(self.input_size, self.hidden_size, bias=False)
        self.from_hidden = nn.Linear(self.hidden_size, self.hidden_size, bias=False)
        self.from_memory = nn.Linear(row, self.hidden_size, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew, see the module."""
        for encoder in (self.encode_input, self.encode_hidden):
            bound = (3.0 / encoder.in_features) ** 0.5
            nn.init.uniform_(encoder.weight, -bound, bound)
        nn.init.zeros_(self.encode_memory.weight)
        for kernel in (self.from_input, self.from_hidden, self.from_memory):
            nn.init.xavier_normal_(kernel.weight)

    def extra_repr(self) -> str:
        """Return what ``repr`` shows."""
        law = self.recurrence
        named = f"theta={law.parameters.theta!r}, method={law.discretization.key!r}"
        return f"{super().extra_repr()}, memory_size={self.memory_size}, memory_order={self.memory_order}, {named}"

    def initial_state(self, batch: int, *, dtype: Any = None, device: Any = None) -> State:
        """Return zeros."""
        like = self._like(dtype, device)
        hidden = torch.zeros(batch, self.hidden_size, **like)
        return hidden, torch.zeros(batch, self.memory_size, self.memory_order, **like)

    def _run(
        self, inputs: Tensor, state: State, times: Tensor | None, observed: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, State]:
        hidden, memory = state
        law = shared_weights(self.recurrence, (1.0,), memory)
        encoders = torch.cat([self.encode_hidden.weight, self.encode_memory.weight], dim=1).t()
        kernels = torch.cat([self.from_hidden.weight, self.from_memory.weight], dim=1).t()
        steps = inputs.transpose(0, 1)
        shares = zip(each_step(self.encode_input(steps)), each_step(self.from_input(steps)), strict=True)
        outputs = []
        for k, (encoded, given) in enumerate(shares):
            read = torch.addmm(encoded, torch.cat([hidden, memory.flatten(1)], dim=1), encoders).flatten()
            after = advanced(law, memory.flatten(0, 1), read, read).view_as(memory)
            output = torch.tanh(torch.addmm(given, torch.cat([hidden, after.flatten(1)], dim=1), kernels))
            now = (output, after)
            hidden, memory = now if lengths is None else kept_state(k < lengths, now, (hidden, memory))
            outputs.append(hidden)
        return torch.stack(outputs, dim=1), (hidden, memory)
