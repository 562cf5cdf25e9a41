"""The simple recurrent network: Elman, Finding structure in time, Cognitive Science 14, 1990.

``h' = tanh(W x + b + U h + d)``.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from hippo_fast.nn.sequence import KernelCell


class RNNCell(KernelCell):
    """Elman's cell; a missing number is read as 0, and times are not read."""

    key = "rnn"
    kernel_class: ClassVar[Any] = nn.RNN
