"""hippox 0.0.9 on jax 0.10.2: legt and lmu raise, as jax.numpy.where takes x and y by position only."""

import jax.numpy as jnp
import numpy as np
from hippox import basis_measures
from hippox.main import Hippo

N = 4
try:
    Hippo(state_size=N, basis_measure="legt", diagonalize=False)()
    print("got:      an answer")
except TypeError as error:
    print("got:     ", error)
# HiPPO (arXiv 2008.07669), theorem 1, for a window of 2 as hippox has it.
n = np.arange(N)
expected = -np.sqrt(np.outer(2 * n + 1, 2 * n + 1)) / 2 * np.where(n[:, None] < n, (-1.0) ** (n[:, None] - n), 1.0)
print("expected:", expected[0])


class Where:
    """jax.numpy with a ``where`` that takes the two names."""

    def __getattr__(self, name):
        return getattr(jnp, name)

    def where(self, condition, x, y):
        return jnp.where(condition, x, y)


basis_measures.jnp = Where()
print(
    "without the names x= and y=:",
    np.asarray(Hippo(state_size=N, basis_measure="legt", diagonalize=False)().state_matrix)[0],
)
