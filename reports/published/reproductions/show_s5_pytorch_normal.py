"""s5-pytorch 0.2.1: make_Normal_S is not normal, and not the normal part of LegS: its p and q start the index at 1."""

import numpy as np
from s5.init import make_HiPPO, make_Normal_S

N = 4
S = make_Normal_S(N)
# S4 (arXiv 2111.00396), appendix C.1: A + p p^T is normal for p_n = sqrt(n + 1/2), n = 0..N-1, and A that of LegS.
p = np.sqrt(np.arange(N) + 0.5)
expected = make_HiPPO(N) + np.outer(p, p)

print("got:     ", S[3, 2])
print("expected:", expected[3, 2])
print("S S^T - S^T S, got:     ", np.abs(S @ S.T - S.T @ S).max())
print("S S^T - S^T S, expected:", np.abs(expected @ expected.T - expected.T @ expected).max())
