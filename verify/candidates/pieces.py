"""What holds are made of: polynomials through samples, what a law makes of them, and exponentials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used: a worker starts without them

Array = np.ndarray[Any, np.dtype[Any]]


def cardinals(nodes: Sequence[float]) -> Array:
    """(D, D) rows of powers of x, lowest first: the polynomial that is 1 at that node and 0 at the others."""
    return np.asarray(np.linalg.inv(np.vander(np.array(nodes), increasing=True)).T)


def line(value: Any, slope: Any, time: float, order: int, dtype: Any) -> Array:
    """(N,) LegS projection of ``value + slope x`` on [0, time]."""
    out = np.zeros(order, dtype)
    out[0] = value + slope * time / 2
    if order > 1:
        out[1] = slope * time / (2 * math.sqrt(3))
    return out


def last_cell(then: float, now: float, nodes: Sequence[float], order: int) -> Array:
    """(N, D) LegS projections at ``now`` of the cardinals of D nodes, each on (then, now] alone: a Gauss rule."""
    degree = len(nodes) - 1
    x, mass = np.polynomial.legendre.leggauss((order + degree) // 2 + 1)
    x = (x + 1) / 2
    values = np.vander(x, degree + 1, increasing=True) @ cardinals([(t - then) / (now - then) for t in nodes]).T
    share = (now - then) / now
    seen = np.polynomial.legendre.legvander(1 - 2 * share * (1 - x), order - 1) * np.sqrt(2.0 * np.arange(order) + 1)
    return np.asarray(share / 2 * (seen.T @ (mass[:, None] * values)))


def responses(A: Array, B: Array, dt: float, degree: int) -> tuple[Array, Array]:
    """Transition ``e^{hA}`` (N, N) of an invariant law, and its answers (N, degree + 1) to ``x^j``, x in [0, 1]."""
    order = len(B)
    block = np.zeros((order + degree + 1,) * 2, A.dtype)
    block[:order, :order], block[:order, order] = A, B
    # Powers of x as states of their own (Van Loan 1978); the shift is divided by dt, which multiplies the whole.
    block[range(order, order + degree), range(order + 1, order + degree + 1)] = 1 / dt
    full = exponential(block, dt)
    return full[:order, :order], full[:order, order:] * [math.factorial(j) for j in range(degree + 1)]


def exponential(A: Array, time: float) -> Array:
    """``e^{time A}``, in the precision of A."""
    return _exponential(A.tobytes(), str(A.dtype), len(A), time)


@lru_cache(maxsize=4096)
def _exponential(content: bytes, dtype: str, order: int, time: float) -> Array:
    A = np.frombuffer(content, dtype).reshape(order, order)
    return scipy.linalg.expm(A * A.dtype.type(time)).astype(dtype)
