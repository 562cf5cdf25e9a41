"""The ablation of HiPPO's table: the same cell, with a random memory in the place of a HiPPO one.

The law is ``dc/dt = A c + B f`` with ``A = ((N - 1) G/rho - N I)/theta``, G of independent standard normal numbers and
``rho`` its spectral radius, and ``B`` a standard normal vector over ``||A^-1 B||``. Three things are then as in LegT
with a window of ``theta`` samples: the mean of the trace, ``-N^2/theta``; the norm of the state that a constant input 1
leads to, 1; and nothing lasts much longer than the window, since every mode decays at least as ``exp(-t/theta)``.
Everything else about the measure is gone. The paper does not say how its own matrices were drawn. The rule is the
bilinear one, a sample a step.
"""

from __future__ import annotations

from typing import final

import torch

from hippo_fast.nn.base import checked_size
from hippo_fast.nn.memory import ConstantMemory
from hippo_fast.nn.memory_cell import MemoryCell
from hippo_fast.validation import checked_positive


@final
class RandomMemoryCell(MemoryCell):
    """`MemoryCell` with a random memory, drawn from torch's generator and kept in the state dict; it is not trained.

    Args:
        input_size: numbers in each sample.
        hidden_size: numbers in each output.
        memory_size: channels of the memory.
        memory_order: coefficients of each channel; None for ``hidden_size``.
        theta: how long the memory lasts, in samples, see the module.
        gated: whether a gate keeps part of the hidden state.
        wiring: ``"figure"`` or ``"released"``, see `hippo_fast.nn.memory_cell`.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: a number outside its domain.
    """

    key = "random"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        memory_size: int = 1,
        memory_order: int | None = None,
        theta: float = 100.0,
        gated: bool = True,
        wiring: str = "figure",
    ) -> None:
        hidden = checked_size("hidden_size", hidden_size)
        order = hidden if memory_order is None else checked_size("memory_order", memory_order)
        window = checked_positive("theta", theta, "how long the memory lasts in samples")
        drawn = torch.randn(order, order + 1, dtype=torch.float64)
        identity = torch.eye(order, dtype=torch.float64)
        matrix, vector = drawn[:, :order], drawn[:, order]
        radius = torch.linalg.eigvals(matrix).abs().max()
        law = ((order - 1) * matrix / radius - order * identity) / window
        gain = vector / torch.linalg.norm(torch.linalg.solve(law, vector))
        step = torch.linalg.solve(identity - law / 2, torch.column_stack([law, gain]))
        memory = ConstantMemory(checked_size("memory_size", memory_size), step.T.to(torch.get_default_dtype()))
        super().__init__(input_size, hidden, memory, gated=gated, reads="hidden", wiring=wiring)
