"""Long short-term memory: Hochreiter, Schmidhuber 1997, with the forget gate of Gers, Schmidhuber, Cummins 2000.

i, f, o = sigmoid(W x + U h + b), g = tanh(W_g x + U_g h + b_g)
c' = f c + i g
h' = o tanh(c')
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from hippo_fast.nn.sequence import KernelCell
from hippo_fast.validation import checked_number


class LSTMCell(KernelCell):
    """Hochreiter's cell; a missing number is read as 0, and times are not read. The state is ``(h, c)``.

    Args:
        input_size: numbers in each sample.
        hidden_size: numbers in each output.
        forget_bias: added to the bias of the forget gate at first. With 1 the gate starts open, without which an LSTM
            learns long lags late (Jozefowicz, Zaremba, Sutskever, ICML 2015); 0 leaves torch's draw alone.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: a size < 1, or a bias that is not finite.
    """

    key = "lstm"
    kernel_class: ClassVar[Any] = nn.LSTM
    entries: ClassVar[int] = 2

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size)
        opened = checked_number("forget_bias", forget_bias, "a finite number")
        with torch.no_grad():  # torch's order of the gates: i, f, g, o
            self.kernel.bias_ih_l0[self.hidden_size : 2 * self.hidden_size] += opened
