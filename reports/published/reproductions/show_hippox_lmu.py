"""hippox 0.0.9 on jax 0.10.2: legt and lmu raise, as jax.numpy.where takes x and y by position only."""

import jax.numpy as jnp
import numpy as np
from hippox import basis_measures
from hippox.main import Hippo

N = 4
try:
    Hippo(state_size=N, basis_measure="lmu", diagonalize=False)()
    print("got:      an answer")
except TypeError as error:
    print("got:     ", error)
# Voelker, Kajic, Eliasmith, Legendre Memory Units (NeurIPS 2019), equation 2, for a window of 1.
i, j = np.indices((N, N))
expected = (2 * i + 1) * np.where(i < j, -1.0, (-1.0) ** (i - j + 1))
print("expected:", expected[1])


class Where:
    """jax.numpy with a ``where`` that takes the two names."""

    def __getattr__(self, name):
        return getattr(jnp, name)

    def where(self, condition, x, y):
        return jnp.where(condition, x, y)


basis_measures.jnp = Where()
params = Hippo(state_size=N, basis_measure="lmu", diagonalize=False)()
print("without the names x= and y=:", np.asarray(params.state_matrix)[1])
