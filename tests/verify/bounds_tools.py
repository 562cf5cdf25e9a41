"""Operators for the tests of the bounds, by formula in float64: without the oracle a test takes milliseconds."""

import numpy as np

from verify.bounds import Operator, forget, gbt_weight, hold_degree

S = [(2.0 * n + 1) ** 0.5 for n in range(64)]


def legs(order):
    s = np.array(S[:order])
    return -np.tril(np.outer(s, s), -1) - np.diag(np.arange(order) + 1.0), s


def legt(order, theta=1.0):
    s = np.array(S[:order])
    n = np.arange(order)
    signs = np.where(n[None, :] <= n[:, None], 1.0, (-1.0) ** (n[:, None] - n[None, :]))
    return -np.outer(s, s) * signs / theta, s / theta


def lmu(order, theta=1.0):
    A, B = legt(order, theta)
    T = np.array(S[:order]) * (-1.0) ** np.arange(order)
    return A * T[:, None] / T[None, :], B * T


def plain_lagt(order):
    return -np.tril(np.ones((order, order))), np.ones(order)


BUILDERS = {"legs": legs, "legs_lti": legs, "legt": legt, "lmu": lmu, "lagt": plain_lagt}


def afresh():
    """Forget all that is kept: a mutant of a cached function must not meet results of the original."""
    forget()
    gbt_weight.cache_clear()
    hold_degree.cache_clear()


def operator(measure, method, order=None, dt=None, *, A=None, B=None, times=None, **parameters):
    """An operator no step of which was computed before."""
    afresh()
    if A is None:
        A, B = BUILDERS[measure](order, **parameters)
    A, B = np.array(A, dtype=float), np.array(B, dtype=float)
    rows = tuple(tuple(row) for row in A.tolist())
    return Operator(measure, tuple(parameters.items()), rows, tuple(B.tolist()), method, dt, times)


def scalar(method, a, b=1.0, dt=None, measure="legs", **options):
    """The operator of order 1 ``c' = a c + b u``, whose bounds are short formulas."""
    return operator(measure, method, A=[[a]], B=[b], dt=dt, **options)
