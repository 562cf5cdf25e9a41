"""Majorants of single steps: what rounding may do between one state and the next."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used: a worker starts without them

from verify.bounds.base import Operator, gbt_weight, hold_degree
from verify.bounds.holds import Majorant, exponential, line

Array = np.ndarray[Any, np.dtype[Any]]


def majorant(operator: Operator, k: int) -> Majorant:
    """Majorants of the step that reads sample k >= 1; an invariant law has one step for all that read as many."""
    return _majorant(operator, k if operator.dt is None else max(min(k, operator.reach), 1))


@lru_cache(maxsize=1024)
def _majorant(operator: Operator, k: int) -> Majorant:
    D = operator.weights
    A = np.array(operator.A) * D[:, None] / D[None, :]
    B = np.array(operator.B) * D
    if hold_degree(operator.method) is not None:
        return exponential(operator, A, B, k)
    order = len(B)
    identity = np.eye(order)
    b = np.zeros(order)
    if operator.method == "trapezoid":
        if operator.dt is None:
            then, now = operator.node(k - 1), operator.node(k)
            if then == 0:  # the projection of the first linear piece: two coefficients of the two samples
                first = line(1.0, order)
                two = np.stack([np.abs(first).sum(axis=1)] * 2) + 1
                return Majorant(np.zeros((2, order, order)), two, two, np.zeros((order, order)), first)
            d = now - then
        else:
            then = now = 1.0
            d = operator.dt
        M, R = identity - d * A / (2 * now), identity + d * A / (2 * then)
        right = identity + d * np.abs(A) / (2 * then)
        q, b = d * B / (2 * now), d * B / (2 * then)
    else:
        a = gbt_weight(operator.method)
        if a is None:
            raise ValueError(f"no rounding bound is derived for method {operator.method!r}")
        h = (operator.node(k) - operator.node(k - 1)) / operator.node(k) if operator.dt is None else operator.dt
        M, R, q = identity - a * h * A, identity + (1 - a) * h * A, h * B
        right = identity + (1 - a) * h * np.abs(A)
    inverse = np.linalg.inv(M)
    L, U = scipy.linalg.lu(M, permute_l=True)
    W = np.abs(L) @ np.abs(U)
    G, g, gb = inverse @ R, inverse @ q, inverse @ b
    # The step may be taken as c + h (A c + B u), without forming R: where the identity cancels, R has no share of it.
    solve = np.abs(inverse)
    return Majorant(
        K=np.stack([np.abs(G), solve @ (W @ np.abs(G) + right)]),
        kappa=np.stack([np.abs(g), solve @ (W @ np.abs(g) + np.abs(q))]),
        before=np.stack([np.abs(gb), solve @ (W @ np.abs(gb) + np.abs(b))]),
        transition=G,
        inputs=np.stack([g, gb], axis=1),
    )
