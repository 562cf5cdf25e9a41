"""What the benchmarks share: seeded input, and the right answer in closed form, so that only right code is timed."""

import numpy as np

ORDER = 64
LENGTH = 256


def constant(length=LENGTH):
    """A constant signal: every hold-exact or implicit rule must keep ``e_0`` for it, up to rounding."""
    return np.ones(length)


def noise(length=LENGTH, batch=None):
    """Seeded white noise, (L,) or (batch, L)."""
    generator = np.random.default_rng(20201022)
    return generator.standard_normal(length if batch is None else (batch, length))


def require_constant_kept(states, order):
    """Raise unless all states of a constant LegS scan are e_0 to `order`-sized rounding.

    Each step solves ``(I - aA/k) c' = (I + (1-a)A/k) c + B/k`` whose exact solution is e_0; N^2 u per step covers it.
    """
    error = np.abs(states - np.eye(order)[0]).max()
    bound = len(states) * order**2 * np.finfo(np.float64).eps
    if not error <= bound:
        raise AssertionError(f"LegS of a constant is off by {error:.3g}, rounding explains {bound:.3g}")
