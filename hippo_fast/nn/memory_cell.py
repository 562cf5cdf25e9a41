"""A recurrent cell around a linear memory: what `hippo` and `random` share (HiPPO, section 2.5 and figure 2).

``h_t = tau(h_{t-1}, [c_{t-1}, x_t])``, ``f_t = L h_t``, ``c_t = memory(c_{t-1}, f_t)``, with L affine. With z = [x_t,
h_{t-1}, c_{t-1}], all channels of the memory in a row, ``tau`` is ``tanh(W z + b)``; gated, ``(1 - g) h_{t-1} + g
tanh(W z + b)`` with ``g = sigmoid(V z + d)``: one gate, as the update gate of a GRU.

The code released with the paper is wired otherwise: the memory reads first, ``c_t = memory(c_{t-1}, L [x_t,
h_{t-1}])``, and ``z = [x_t, c_t]``, so that the hidden state reaches itself through the memory and the gate alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from hippo_fast.nn.base import Cell, State, Tensor
from hippo_fast.nn.memory import CellMemory, Reading, chosen
from hippo_fast.nn.sequence import at_last, each_step
from hippo_fast.validation import checked_key


class MemoryCell(Cell):
    """A cell with a memory. Abstract; subclasses are final.

    The state is the hidden state ``(batch, hidden_size)``, the memory ``(batch, memory_size, memory_order)``, the last
    sample that it read ``(batch, memory_size)``, and its clock. A sample without one observed number is not read: the
    state stays, and under a memory that knows times the next step is longer. Missing numbers of other samples are 0.

    Args:
        input_size: numbers in each sample.
        hidden_size: numbers in each output.
        memory: what reads ``f_t``.
        gated: see the module.
        reads: ``"hidden"``, or ``"input"``: the memory reads ``f_t = L x_t``, which does not wait for the hidden state,
            so that its states of a sequence are computed at once.
        wiring: ``"figure"``, or ``"released"``: as the code released with the paper, where ``reads="hidden"`` lets the
            memory read x_t too.
    """

    def __init__(
        self, input_size: int, hidden_size: int, memory: CellMemory, *, gated: bool, reads: str, wiring: str = "figure"
    ) -> None:
        super().__init__(input_size, hidden_size)
        if not isinstance(gated, bool):
            raise TypeError(f"gated is {gated!r} ({type(gated).__name__}); accepted: True or False")
        self.reads = checked_key("reads", reads, ("hidden", "input"))
        self.wiring = checked_key("wiring", wiring, ("figure", "released"))
        self.gated = gated
        self.memory = memory
        rows = hidden_size * (2 if gated else 1)  # the candidate's, then the gate's
        self.from_input = nn.Linear(input_size, rows)
        self.from_hidden = nn.Linear(hidden_size, rows, bias=False) if wiring == "figure" else None
        self.from_memory = nn.Linear(memory.size * memory.order, rows, bias=False)
        heard = {"hidden": hidden_size + (input_size if wiring == "released" else 0), "input": input_size}
        self.to_memory = nn.Linear(heard[reads], memory.size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew: ``W`` and ``V`` by Glorot's rule for all of z, biases 0, ``L`` as `nn.Linear`."""
        parts = [part for part in (self.from_input, self.from_hidden, self.from_memory) if part is not None]
        bound = (6.0 / (sum(part.in_features for part in parts) + self.hidden_size)) ** 0.5
        for part in parts:
            nn.init.uniform_(part.weight, -bound, bound)
        nn.init.zeros_(self.from_input.bias)
        self.to_memory.reset_parameters()

    def initial_state(self, batch: int, *, dtype: Any = None, device: Any = None) -> State:
        """Return zeros, and a clock at the start."""
        like = self._like(dtype, device)
        return (
            torch.zeros(batch, self.hidden_size, **like),
            torch.zeros(batch, self.memory.size, self.memory.order, **like),
            torch.zeros(batch, self.memory.size, **like),
            *self.memory.clock(batch, like["device"]),
        )

    def _run(
        self, inputs: Tensor, state: State, times: Tensor | None, observed: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, State]:
        hidden, memory, before, *clock = state
        length = inputs.shape[1]
        present = None if observed is None else observed.any(dim=-1).cpu().numpy()
        last = None if lengths is None else lengths - 1
        inside = present
        if lengths is not None:
            inside = np.arange(length) < lengths.cpu().numpy()[:, None]
            inside = inside if present is None else inside & present
        plan, after = self.memory.readings(tuple(clock), length, times, inside, last)
        steps, figure = inputs.transpose(0, 1), self.wiring == "figure"
        # What does not wait for the hidden state is computed for all samples at once, the memory too if it can be.
        given, heard, feed = self.from_input(steps), *self._heard(steps)
        states = self.memory.scan(heard.transpose(0, 1), times, present) if feed is None and _is_new(clock) else None
        waiting = [] if self.from_hidden is None else [self.from_hidden.weight]
        if states is None:
            waiting.append(self.from_memory.weight)
        else:
            seen = _delayed(states) if figure else states
            given = given + self.from_memory(seen.flatten(2)).transpose(0, 1)
        weights = torch.cat(waiting, dim=1).t() if waiting else None
        outputs = []
        for reading, own, sound in zip(plan, each_step(given), each_step(heard), strict=True):
            if figure:
                hidden = self._next_hidden(reading, own, hidden, memory if states is None else None, weights)
            sample = sound if feed is None else torch.addmm(sound, hidden, feed)
            if states is None:
                memory = self.memory.advance(reading, memory, sample, before)
            if not figure:
                hidden = self._next_hidden(reading, own, hidden, memory if states is None else None, weights)
            before = chosen(reading.present, sample, before)
            outputs.append(hidden)
        if states is not None:
            memory = at_last(states, lengths)
        return torch.stack(outputs, dim=1), (hidden, memory, before, *after)

    def _heard(self, steps: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what the samples give to the memory, ``(length, batch, M)``, and what the hidden state is weighted by.

        The second is None where the hidden state gives nothing.
        """
        weight, bias = self.to_memory.weight, self.to_memory.bias
        if self.reads == "input":
            return self.to_memory(steps), None
        own = weight.shape[1] - self.hidden_size  # inputs that the memory reads
        if own == 0:
            return bias.expand(*steps.shape[:2], -1), weight.t()
        return nn.functional.linear(steps, weight[:, :own], bias), weight[:, own:].t()

    def _next_hidden(
        self, reading: Reading, given: Tensor, hidden: Tensor, memory: Tensor | None, weights: Tensor | None
    ) -> Tensor:
        """Return h_t, see the module.

        Args:
            reading: whether there is a sample.
            given: what is known beforehand of that which ``tau`` is taken of, ``(batch, rows)``.
            hidden: h_{t-1}.
            memory: what ``tau`` sees of it; None where that is in ``given``.
            weights: of the hidden state and the memory, one above the other, as far as both are not in ``given``.
        """
        parts = [] if self.from_hidden is None else [hidden]
        if memory is not None:
            parts.append(memory.flatten(1))
        preactivation = given if weights is None else torch.addmm(given, torch.cat(parts, dim=1), weights)
        if not self.gated:
            return chosen(reading.present, torch.tanh(preactivation), hidden)
        candidate, gate = preactivation.chunk(2, dim=-1)
        return chosen(reading.present, torch.lerp(hidden, torch.tanh(candidate), torch.sigmoid(gate)), hidden)


def _is_new(clock: list[Tensor]) -> bool:
    """Return whether no sample has come yet."""
    return bool(clock) and bool(torch.isnan(clock[-1]).all())


def _delayed(states: Tensor) -> Tensor:
    """Return the memory before each sample, for that after each sample."""
    return torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], dim=1)
