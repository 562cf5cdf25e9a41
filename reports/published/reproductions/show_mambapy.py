"""mambapy 1.2.0: the A of a block is diag(-1, ..., -N), as S4D-Real has it: the eigenvalues of LegS, and not LegS."""

import numpy as np
import torch
from mambapy.mamba import MambaBlock, MambaConfig

N = 4
block = MambaBlock(MambaConfig(d_model=1, n_layers=1, d_state=N))
A = torch.diag(-torch.exp(block.A_log[0])).detach().numpy()
# HiPPO (arXiv 2008.07669), theorem 2, signed: A_nk = -sqrt(2n+1) sqrt(2k+1) for n > k, and -(n+1) on the diagonal.
s = np.sqrt(2 * np.arange(N) + 1.0)
expected = -np.tril(np.outer(s, s), -1) - np.diag(np.arange(N) + 1.0)

print("got:     ", A[3, 2])
print("expected:", expected[3, 2])
print("diagonals:", np.diag(A), np.diag(expected))
