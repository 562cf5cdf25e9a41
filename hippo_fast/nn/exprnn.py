"""The orthogonal network by the exponential map: Lezcano-Casado, Martinez-Rubio 2019 (arXiv 1901.08428).

``h' = modrelu(expm(S) h + T x)``, ``S`` skew-symmetric, so that ``expm(S)`` is orthogonal with determinant 1.
``modrelu(z) = sign(z) max(0, |z| + b)`` is that of Arjovsky, Shah, Bengio 2016 (arXiv 1511.06464) for real ``z``.

At first ``S`` is made of blocks ``[[0, s], [-s, 0]]`` on the diagonal:

- ``henaff``: ``s`` uniform in ``[-pi, pi]``: Henaff, Szlam, LeCun 2016 (arXiv 1602.06662);
- ``cayley``: ``s = sqrt((1 - cos u)/(1 + cos u)) = tan(u/2)``, ``u`` uniform in ``[0, pi/2]``: Helfrich, Willmott, Ye
  2018 (arXiv 1707.09520).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import nn

from hippo_fast.nn.base import State, Tensor
from hippo_fast.nn.sequence import SequenceCell, at_last, each_step
from hippo_fast.validation import checked_key


class ExpRNNCell(SequenceCell):
    """The orthogonal cell; a missing number is read as 0, and times are not read.

    Gradients reach ``S`` through the matrix exponential, and ``expm(S)`` is made once for each sequence. The authors
    train ``S`` at a tenth of the rate of the other parameters; it is `skew` among them.

    Args:
        input_size: numbers in each sample.
        hidden_size: numbers in each output.
        skew_init: how ``S`` is drawn.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: a size < 1, or an unknown key.
    """

    key = "exprnn"

    def __init__(self, input_size: int, hidden_size: int, *, skew_init: Literal["cayley", "henaff"] = "cayley") -> None:
        super().__init__(input_size, hidden_size)
        checked_key("skew_init", skew_init, ("cayley", "henaff"))
        size = self.hidden_size
        row, column = torch.triu_indices(size, size, 1)
        self.register_buffer("_row", row, persistent=False)
        self.register_buffer("_column", column, persistent=False)
        self.skew = nn.Parameter(torch.zeros(len(row)))  # above the diagonal of S, row by row
        self.reading = nn.Linear(self.input_size, size, bias=False)
        self.threshold = nn.Parameter(torch.empty(size))  # b of modrelu
        with torch.no_grad():
            self.skew[(column == row + 1) & (row % 2 == 0)] = _drawn(skew_init, size // 2)
            nn.init.kaiming_normal_(self.reading.weight, nonlinearity="relu")
            nn.init.uniform_(self.threshold, -0.01, 0.01)

    def recurrent_matrix(self) -> Tensor:
        """Return ``expm(S)``, orthogonal to rounding, ``(hidden_size, hidden_size)``."""
        size = self.hidden_size
        upper = self.skew.new_zeros(size, size).index_put((self._row, self._column), self.skew)
        skew = upper - upper.t()
        # Two of them, though one is asked for: of a single matrix of middling norm, torch (up to 2.14 at least) takes a
        # Taylor polynomial with a wrong coefficient, 4e-5 off in float32: pytorch/pytorch issue 196592.
        return torch.linalg.matrix_exp(skew.expand(2, size, size))[0]

    def _run(
        self, inputs: Tensor, state: State, times: Tensor | None, observed: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, State]:
        turned = self.recurrent_matrix().t()
        (hidden,) = state
        outputs = []
        for read in each_step(self.reading(inputs.transpose(0, 1))):
            moved = torch.addmm(read, hidden, turned)
            hidden = torch.sign(moved) * torch.relu(torch.abs(moved) + self.threshold)
            outputs.append(hidden)
        stacked = torch.stack(outputs, dim=1)
        return stacked, (at_last(stacked, lengths),)


def _drawn(skew_init: str, blocks: int) -> Tensor:
    """Return ``s`` of each block."""
    if skew_init == "henaff":
        return torch.empty(blocks).uniform_(-math.pi, math.pi)
    angle = torch.empty(blocks).uniform_(0.0, math.pi / 2)
    return torch.tan(angle / 2)
