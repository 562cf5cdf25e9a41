"""hippox 0.0.9: glagt and lmu raise unless diagonalize=False is asked for: they have no low-rank term."""

import numpy as np
from hippox.main import Hippo

N = 4
A = np.asarray(Hippo(state_size=N, basis_measure="glagt", diagonalize=False)().state_matrix)
try:
    Hippo(state_size=N, basis_measure="glagt")()
    print("got:      an answer")
except ValueError as error:
    print("got:     ", error)
# S4 (arXiv 2111.00396), theorem 1: A + p p^T is normal; for LagT with alpha = 0, p = sqrt(1/2) (1, ..., 1).
normal = A + np.ones((N, N)) / 2
print("expected:", np.linalg.eigvals(normal))
print("S S^T - S^T S:", np.abs(normal @ normal.T - normal.T @ normal).max())
