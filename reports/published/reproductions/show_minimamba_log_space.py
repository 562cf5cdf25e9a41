"""minimamba 1.0.1: S6._parallel_scan_log_space, which S6.forward does not call, is no scan beyond 8 samples."""

import torch
from minimamba import MambaConfig
from minimamba.s6 import S6

layer = S6(MambaConfig(d_model=1, n_layer=1, d_state=1))
L = 12
A = torch.full((1, L, 1, 1), 0.5, dtype=torch.float64)
Bu = torch.ones((1, L, 1, 1), dtype=torch.float64)
got = layer._parallel_scan_log_space(A, Bu).flatten()

# h_k = A_k h_{k-1} + Bu_k, as the docstring of the method has it.
h, expected = 0.0, []
for _ in range(L):
    h = 0.5 * h + 1.0
    expected.append(h)

print("got:     ", got[-1].item())
print("expected:", expected[-1])
# The weight of sample j in state k is the product of A_{j+1} .. A_k; the method has its inverse.
print("sum of 2^(k-j):", sum(2.0 ** (L - 1 - j) for j in range(L)))
