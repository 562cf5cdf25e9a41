"""Limits of long runs: numbers per step instead of matrices, so that a million steps cost a few arrays.

The derivation is that of `verify.bounds.base`, its majorants bounded in norm. For a late step of LegS they need not be
computed one by one, because every part of them is known in closed form. With ``h = (t'-t)/t'``, 1/k on even samples,
``l`` and ``alpha`` the Frobenius norms of the strictly lower part of A and of A, and ``M = I - a h A``:

- Solving ``M y = e_k`` row by row gives, for n > k, ``|y_n| = a h s_n s_k prod_{k<j<n} |1 - a h j| /
  prod_{k<=j<=n} (1 + a h (j+1))``, hence ``|M^-1| <= I + a h |A|`` for every h in [0, 1].
- ``M^-1 R = (M^-1 - (1-a) I)/a`` has off-diagonal entries below ``h s_n s_k`` and, for a >= 1/2, diagonal entries in
  [-1, 1]; the transition of a hold is ``e^{tau A}``, ``tau = log(t'/t)``, entry by entry at most
  ``e^{tau |A - diag A|}``. Both contract, so the norm of their absolute values is at most ``sqrt(N)`` as well.
- ``c' = p' + (t'/t)^A (c - p)`` continues the held line over all of [0, t], where it is as large as ``2 t'/(t'-t)``
  times the samples; its two coefficients take `CONTINUED` roundings.
- From ``h <= 1/(2 N)`` on M needs no row exchange, so that ``|L| |U| = |M|``. Longer steps take the majorants
  themselves.

*Propagation.* Contracting rules add local errors up. The trapezoid rule of LegS takes an error from step j to step k by
``M_k^-1 [prod_{j<m<k} R_m M_m^-1] R_j``, whose middle factors are Cayley transforms, hence contractions: it grows by at
most ``1 + |A|/(2 j)``, however long the run.

*Sizes.* With ``y = (1-a) c + a c'`` a step of GBT(a) has ``|c'|^2 - |c|^2 <= 2 h y.(A y + B u)`` for a >= 1/2, and the
structure identities make the right-hand side at most ``h w u^2``: w = 1 for LegS and its LTI form, 1/theta for the
windows, beta for plain LagT. A hold-exact step has the same inequality, integrated (of a line between two samples,
``int u^2 <= h (u^2 + u'^2)/2``), and the trapezoid rule of an invariant law is bilinear in the mean of two samples. So
``|c|^2 <= sum w h u^2``; a hold of LegS or of its LTI form is a projection besides, no larger than the largest sample.
The trapezoid rule of LegS is a bilinear one between its steps: ``w = M_k c_k - B u_k/(2 k)`` and ``z = R_k c_k +
B u_k/(2 k)`` have ``z - w = (A c_k + B u_k)/k`` and c_k for their mean, and the z of one step is the w of the next.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from verify.bounds.base import ROUNDOFF, Limits, Operator, gbt_weight, hold_degree
from verify.bounds.holds import EXPONENTIAL_OPERATIONS
from verify.bounds.scans import SECOND_ORDER, _earlier, _limits, floor
from verify.bounds.steps import majorant
from verify.metrics import norm

Array = np.ndarray[Any, np.dtype[Any]]


CONTINUED = 8
"""Roundings in ``value + slope t/2`` and ``slope t/(2 sqrt 3)``, the slope being a quotient of differences."""


def continued(operator: Operator, length: int, dtype: str) -> Array:
    """(L,) what continuing a line over all of [0, t] may lose of a unit sample of LegS, in the step of each."""
    if hold_degree(operator.method) != 1 or operator.dt is not None:
        return np.zeros(length)
    nodes = nodes_of(operator, length)
    reach = np.concatenate([[0.0], 2 * nodes[1:] / np.diff(nodes)])
    return np.asarray(CONTINUED * ROUNDOFF[dtype] * reach * math.sqrt(2) * (1 + math.sqrt(operator.order)))


def supply(operator: Operator) -> float:
    """The w of ``|c|^2 <= sum w h u^2``: what a unit of input energy can put into the state, in the weighted norm."""
    parameters = dict(operator.parameters)
    if operator.measure in ("legs", "legs_lti"):
        return 1.0
    if operator.measure in ("legt", "lmu", "fout"):
        return 1 / parameters.get("theta", 1.0)
    # LagT: A + A^T = -beta I - 1 1^T. Plain, B = sqrt(beta) 1; else 2 u b.y <= beta |y|^2 + u^2 |b|^2 / beta.
    beta = parameters.get("beta", 1.0)
    if parameters.get("alpha", 0.0) == 0:
        return beta
    return float(np.sum((np.array(operator.B) * operator.weights) ** 2)) / beta


def bounded(operator: Operator) -> bool:
    """Whether neither states nor errors grow without end: contracting rules, and LegS trapezoid on even samples."""
    even_trapezoid = operator.method == "trapezoid" and operator.measure == "legs" and operator.times is None
    return operator.contracts or even_trapezoid


def nodes_of(operator: Operator, length: int) -> Array:
    """(L,) times of the samples under the scale law."""
    if operator.times is not None:
        return np.array(operator.times[:length])
    return np.arange(length) + operator.node(0)


def energies(operator: Operator, samples: Sequence[float]) -> Array:
    """(L,) bounds on the squared weighted norm of each state: `supply` times the input's energy.

    For contracting rules, and the trapezoid rule of LegS.

    Raises:
        ValueError: a rule or measure without the inequality.
    """
    if not bounded(operator) or (hold_degree(operator.method) or 0) > 1:
        raise ValueError(f"no energy inequality is derived for {operator.method!r} under {operator.measure!r}")
    squares = np.asarray(samples, dtype=float) ** 2
    if operator.dt is not None:
        return np.asarray(supply(operator) * operator.dt * np.cumsum(squares))
    if hold_degree(operator.method) is not None:
        return np.maximum.accumulate(squares)
    nodes = nodes_of(operator, len(squares))
    terms = squares.copy()
    terms[1:] *= np.diff(nodes) / nodes[1:]
    if operator.method == "trapezoid":
        # After the first piece ``w = (3 u_0 + u_1)/4 e_0 + (u_1 - u_0)(1/√3 - √3/4) e_1``, and 1 + 2 (...) < 1.29.
        terms[0] = 1.29**2 * squares[:2].max()
    return np.asarray(np.cumsum(terms))


def sizes_of(operator: Operator, samples: Sequence[float]) -> Array:
    """(L,) bounds on the weighted norm of each state, for rules as in `energies`."""
    sizes = np.sqrt(energies(operator, samples))
    if operator.measure in ("legs", "legs_lti") and hold_degree(operator.method) is not None:
        sizes = np.minimum(sizes, np.maximum.accumulate(np.abs(np.asarray(samples, dtype=float))))
    return np.asarray(sizes)


def long_limits(operator: Operator, samples: Sequence[float], sizes: Array, dtype: str) -> Limits:
    """Limits on the weighted Euclidean error of each state of a run, as `scan_limits` but from sizes alone.

    Args:
        operator: the exact operator; its rule contracts, or is the trapezoid rule of LegS.
        samples: (L,) the input.
        sizes: (L,) bounds on the weighted norms of the exact states.
        dtype: arithmetic of the target.

    Returns:
        (L,) limits.

    Raises:
        ValueError: a rule whose errors may grow.
    """
    if not bounded(operator) or (hold_degree(operator.method) or 0) > 1:
        raise ValueError(f"no bound of a long run is derived for {operator.method!r} under {operator.measure!r}")
    length, order = len(samples), operator.order
    gamma, smallest = operator.gamma(dtype), floor(operator, dtype)
    signal = np.abs(np.asarray(samples, dtype=float))
    earlier = _earlier(signal, operator.reach)
    K, kappa, before = _norms_of_steps(operator, length)
    with np.errstate(over="ignore", invalid="ignore"):
        state = np.concatenate([[0.0], sizes[:-1]])
        local = K * state[:, None] + kappa * signal[:, None] + before * earlier[:, None]
        own = gamma * (local + sizes[:, None]) + smallest * (1 + K)
        own += (continued(operator, length, dtype) * (signal + earlier))[:, None]
        if operator.dt is None:
            own[0] = gamma * signal[0] + smallest
        elif operator.starts_silent:
            own[0] = smallest
        reach = np.ones((length, 1))
        if not operator.contracts:
            A = float(np.linalg.norm(np.array(operator.A), 2))
            reach[:, 0] += A / (2 * np.maximum(np.arange(length), 1))
        own *= reach
        # e' = (1 + g) e + own is at most exp(sum g) times the sum of all own.
        swell = np.exp(np.cumsum(gamma * reach * K * SECOND_ORDER, axis=0))
        bounds = swell * np.cumsum(own, axis=0)
    return _limits(bounds, np.maximum.accumulate(sizes), dtype, order)


def contraction_limits(operator: Operator, k: int, dtype: str) -> Limits:
    """Limits on the 2-norm of the error of a transition in D-coordinates, read off the unit states one by one."""
    step = majorant(operator, k)
    columns = norm(np.swapaxes(step.K, 1, 2)) + norm(step.transition.T)  # (2, N)
    value = operator.gamma(dtype) * norm(columns) + floor(operator, dtype) * operator.order
    return _limits(value, np.asarray(1.0), dtype, operator.order)


def _norms_of_steps(operator: Operator, length: int) -> tuple[Array, Array, Array]:
    """(L, 2) bounds on the norms of K, kappa and before of every step; row 0 is that of step 1."""
    if operator.dt is not None:
        K, kappa, before = (np.broadcast_to(part, (length, 2)) for part in _of_one(operator, 1))
        return K, kappa, before
    nodes = nodes_of(operator, length)
    then, now = np.concatenate([nodes[:1], nodes[:-1]]), nodes
    late = np.flatnonzero((now - then) * 2 * operator.order <= now)
    late = late[late > 0]
    found = (np.zeros((length, 2)), np.zeros((length, 2)), np.zeros((length, 2)))
    closed = _late(operator, then[late], now[late])
    for rows, part in zip(found, closed, strict=True):
        rows[late] = part
    for k in np.setdiff1d(np.arange(length), late).tolist():
        for rows, part in zip(found, _of_one(operator, max(k, 1)), strict=True):
            rows[k] = part
    return found


def _of_one(operator: Operator, k: int) -> tuple[Array, Array, Array]:
    """(2,) norms of the majorants of one step; of a matrix the smaller of Frobenius and sqrt(1-norm times inf-norm)."""
    step = majorant(operator, k)
    mixed = np.sqrt(step.K.sum(axis=1).max(axis=1) * step.K.sum(axis=2).max(axis=1))
    return np.minimum(np.linalg.norm(step.K, axis=(1, 2)), mixed), norm(step.kappa), norm(step.before)


def _late(operator: Operator, then: Array, now: Array) -> tuple[Array, Array, Array]:
    """(n, 2) each: the closed forms for steps of LegS from one time to another, no longer than ``now/(2 N)``."""
    order, A = operator.order, np.array(operator.A)
    alpha, lower = float(np.linalg.norm(A)), float(np.linalg.norm(np.tril(A, -1)))
    root = math.sqrt(order)
    degree = hold_degree(operator.method)
    if degree is not None:
        tau = (now - then) / then  # log(1 + x) <= x
        G = np.minimum(np.exp(np.minimum(tau * lower, 700.0)), root)
        own = EXPONENTIAL_OPERATIONS / operator.roundings * tau * alpha
        coarse = root * (1 + tau * alpha)
        piece = math.sqrt(min(degree + 1, order))
        K, kappa = G + own * (1 + G), piece * (1 + G + own * (2 + G))
        line = 2 * now / (now - then) * piece * (1 + G) if degree else np.zeros_like(G)
        K, kappa = np.stack([K, K + coarse], 1), np.stack([kappa, kappa + 4 * coarse + line], 1)
        return K, kappa, kappa if degree else np.zeros_like(kappa)
    if operator.method == "trapezoid":
        h = (now - then) / then
        M = R = 1 + h * alpha / 2
        G, q = M * R, h * order / 2
        g = M * q
    else:
        a = gbt_weight(operator.method)
        if a is None:
            raise ValueError(f"no bound of a long run is derived for method {operator.method!r}")
        h = (now - then) / now
        M, R = 1 + a * h * alpha, 1 + (1 - a) * h * alpha
        G, q = np.minimum(1 + h * lower, root), h * order  # |B| = N
        g = np.minimum(q, 2.0)  # e_0 - G e_0: what a constant leaves where it is
    K, kappa = np.stack([G, M * (M * G + R)], 1), np.stack([g, M * (M * g + q)], 1)
    return K, kappa, kappa if operator.method == "trapezoid" else np.zeros_like(kappa)
