"""juniper-recurrence-model 0.6.0: its zoh goes through the eigenvectors of A, and few digits are left at large orders.

The docstring of lmu_matrices gives 4 to 64 as the practical range, and says that the eigenvectors become
ill-conditioned for large orders: their condition number is 1e8 at 16 and 1e15 at 32.
"""

import numpy as np
import scipy.linalg
from juniper_recurrence_model.units.lmu_varstep import VariableStepLMUMemory, lmu_matrices

h = 1 / 64
for N in (8, 16, 32, 64):
    memory = VariableStepLMUMemory(N, theta=1.0)
    _, got = memory.step_matrices(h)
    # Zero-order hold: the block exponential of [[A h, B h], [0, 0]] (Van Loan 1978), by scaling and squaring.
    A, B = lmu_matrices(N)
    block = scipy.linalg.expm(h * np.block([[A, B], [np.zeros((1, N + 1))]]))
    expected = block[:N, N:]
    worst = int(np.argmax(np.abs(got - expected)))
    print(f"N = {N}, condition number {np.linalg.cond(memory.V):.0e}, Bbar[{worst}]")
    print("got:     ", got[worst, 0])
    print("expected:", expected[worst, 0])
