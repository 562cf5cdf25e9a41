"""Implementations with signatures of their own, as a stranger has them; `test_description.py` describes them."""

from types import SimpleNamespace

import numpy as np
import scipy.linalg


def transition(measure, N, **options):
    """As in S4: (A, B) with B a column, and one keyword for the window of a measure that has one."""
    n = np.arange(N)
    s = np.sqrt(2.0 * n + 1)
    if measure == "legs":
        return -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0), s[:, None]
    if measure == "window":
        i, j = np.meshgrid(n, n, indexing="ij")
        length = options.get("timescale", 1.0)
        return -np.outer(s, s) * np.where(j <= i, 1, (-1.0) ** (i - j)) / length, (s / length)[:, None]
    raise KeyError(measure)


def swapped(N):
    """(B, A), inside a mapping, B as a row."""
    A, B = transition("legs", N)
    return {"system": SimpleNamespace(pair=[B.T, A])}


class System:
    """Makes its matrices when it is made, and has nothing to call."""

    def __init__(self, size):
        self.transition, self.input = transition("legs", size)


def invariant_step(x_t, m, dt, rule="tustin", window=1.0):
    """A step of the window with another order of arguments; the state in a pair."""
    A, B = transition("window", len(m), timescale=window)
    identity = np.eye(len(m))
    if rule == "tustin":
        return x_t, np.linalg.solve(identity - A * dt / 2, (identity + A * dt / 2) @ m + B[:, 0] * dt * x_t)
    if rule == "hold":
        whole = scipy.linalg.expm(np.block([[A * dt, B * dt], [np.zeros(len(m) + 1)]]))
        return x_t, whole[:-1, :-1] @ m + whole[:-1, -1] * x_t
    raise KeyError(rule)


def scale_step(sample, state, t):
    """One sample of LegS, counted from 1; arrays (1, N) and (1, 1), as of a cell with a batch axis."""
    N = state.shape[1]
    A, B = transition("legs", N)
    if t == 1:
        return np.eye(1, N) * sample
    h, identity = 1 / (t - 1), np.eye(N)
    return np.linalg.solve(identity - A * h / 2, (identity + A * h / 2) @ state.T + B * h * sample).T


class Online:
    """Holds its state, writes into it, and hands out the very array."""

    def __init__(self, N, clock=0):
        self._t, self._state = clock, np.zeros((1, N))

    def push(self, x):
        self._t += 1
        self._state[...] = scale_step(np.array([[x]]), self._state, self._t)

    def coefficients(self):
        return self._state


def widening(state):
    return np.append(state, 0.0)


class Rows:
    """Lists in, lists out: no array library at all."""

    def states(self, values, size):
        if not isinstance(values, list) or not all(type(v) is float for v in values):
            raise TypeError(f"wants a list of floats, got {values!r}")
        memory = Online(size)
        found = []
        for value in values:
            memory.push(value)
            found.append(memory.coefficients()[0].tolist())
        return found


def careless(values, size):
    """Right, but for what it leaves in the list it was given."""
    found = Rows().states(list(values), size)
    values[0] += 1.0
    return found


def careless_array(values, size):
    found = Rows().states(values.reshape(-1).tolist(), size)
    values[0] += 1.0
    return found


def growing(values, size):
    found = Rows().states(list(values), size)
    values.append(0.0)
    return found


def eager(values, size):
    """For a library that stands in for TensorFlow."""
    return type(values)(np.array(Rows().states(values.numpy().astype(float).tolist(), size)).astype(values.dtype.name))


try:
    import torch
except ImportError:  # the tests that need it are skipped
    torch = None
else:

    class Module(torch.nn.Module):
        """As an RNN of torch: (L, B) in, (L, B, N) out."""

        def __init__(self, hidden_size, dtype=None):
            super().__init__()
            A, B = transition("legs", hidden_size)
            self.register_buffer("A", torch.as_tensor(A, dtype=dtype))
            self.register_buffer("B", torch.as_tensor(B[:, 0], dtype=dtype))
            self.gain = torch.nn.Parameter(torch.ones((), dtype=dtype))

        def forward(self, inputs, initial=None):
            state = inputs.new_zeros(inputs.shape[1], len(self.B)) if initial is None else initial
            identity, states = torch.eye(len(self.B), dtype=self.A.dtype), []
            for k, sample in enumerate(inputs):
                h = 1 / max(k, 1)
                right = state @ (identity + self.A * h / 2).T + h * sample[:, None] * self.B
                new = torch.linalg.solve(identity - self.A * h / 2, right.T).T
                state = (identity[0] * sample[:, None] if k == 0 else new) * self.gain
                states.append(state)
            return torch.stack(states), state


try:
    import jax
except ImportError:
    jax = None
else:

    @jax.jit
    def compiled(samples):
        """Four coefficients, in jax's own float32; the order is fixed."""
        A, B = (jax.numpy.asarray(part, dtype=samples.dtype) for part in transition("legs", 4))
        identity = jax.numpy.eye(4, dtype=samples.dtype)

        def step(state, given):
            k, sample = given
            h = 1 / jax.numpy.maximum(k, 1)
            new = jax.numpy.linalg.solve(identity - h / 2 * A, (identity + h / 2 * A) @ state + h * B[:, 0] * sample)
            state = jax.numpy.where(k == 0, identity[0] * sample, new)
            return state, state

        numbers = jax.numpy.arange(len(samples), dtype=samples.dtype)
        return {"final": jax.lax.scan(step, identity[0] * 0, (numbers, samples))}
