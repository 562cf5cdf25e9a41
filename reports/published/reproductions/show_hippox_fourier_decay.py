"""hippox 0.0.9: fourier_decay is another operator than FouT: its boundary term and its B are half of FouT's."""

import numpy as np
from hippox.main import Hippo

N = 8
decay = Hippo(state_size=N, basis_measure="fourier_decay", diagonalize=False)()
fout = Hippo(state_size=N, basis_measure="fout", diagonalize=False)()
# How to Train Your HiPPO (arXiv 2206.12037), S4-FouT: A_00 = -2/theta and B_0 = 2/theta, here for a window of 2.
print("got:     ", float(np.asarray(decay.input_matrix)[0]))
print("expected:", float(np.asarray(fout.input_matrix)[0]))
print("A_00, got:     ", float(np.asarray(decay.state_matrix)[0, 0]))
print("A_00, expected:", float(np.asarray(fout.state_matrix)[0, 0]))
