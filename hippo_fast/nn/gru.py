"""The gated recurrent unit: Cho et al. 2014 (arXiv 1406.1078), section 2.3.

As torch and cuDNN have it, the reset gate multiplies the product of the matrix and the state, not the state:

    r = sigmoid(W_r x + U_r h + b_r)
    z = sigmoid(W_z x + U_z h + b_z)
    n = tanh(W x + b + r * (U h + d))
    h' = z h + (1 - z) n
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from hippo_fast.nn.sequence import KernelCell


class GRUCell(KernelCell):
    """Cho's cell; a missing number is read as 0, and times are not read."""

    key = "gru"
    kernel_class: ClassVar[Any] = nn.GRU
