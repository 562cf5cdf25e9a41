"""hippox 0.0.9: the diagonal of lagt is -1/2, where the LagT of the HiPPO paper has -1."""

import numpy as np
from hippox.main import Hippo

N = 4
A = np.asarray(Hippo(state_size=N, basis_measure="lagt", diagonalize=False)().state_matrix)
# HiPPO (arXiv 2008.07669), theorem 1: LagT has A_nk = -1 for n >= k, and B_n = 1.
expected = -np.tril(np.ones((N, N)))

print("got:     ", A[0, 0])
print("expected:", expected[0, 0])
print(A, expected, sep="\n\n")
