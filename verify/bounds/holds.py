"""Majorants of hold-exact steps, which need an exponential of the operator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used: a worker starts without them

from verify.bounds.base import DISSIPATIVE, Operator, hold_degree

Array = np.ndarray[Any, np.dtype[Any]]

EXPONENTIAL_OPERATIONS = 48
"""Errors per entry of A that a well formed exponential amounts to: two Pade polynomials, a solve, squarings."""


@dataclass(frozen=True)
class Majorant:
    """One step in D-coordinates: local error at most ``gamma (K |c| + kappa |u| + before |u_previous|)``.

    K, kappa and before hold the forward version first and the backward version second; ``transition`` and the columns
    ``inputs``, of u, of u_previous and so on, are the exact step itself, rounded. Where a step reads more than two
    samples, ``before`` bounds the effect of all earlier ones by the largest of them.
    """

    K: Array
    kappa: Array
    before: Array
    transition: Array
    inputs: Array


def line(end: float, order: int, time: float | None = None) -> Array:
    """(N, 2) projection on [0, time] of the line through u at ``end`` and u_previous at ``end - 1``, a column each."""
    time = end if time is None else time
    columns = np.zeros((order, 2))
    for column, (value, slope) in enumerate(((1 - end, 1.0), (end, -1.0))):
        columns[0, column] = value + slope * time / 2
        if order > 1:
            columns[1, column] = slope * time / (2 * math.sqrt(3))
    return columns


def exponential(operator: Operator, A: Array, B: Array, k: int) -> Majorant:
    """Hold-exact steps ``c' = e^{tau A} c + g u`` (LegS: ``c' = p' + e^{tau A} (c - p)`` for the held piece p).

    The exponential is conditioned by ``tau ||A||`` because the semigroup contracts (Van Loan 1977, The sensitivity of
    the matrix exponential, theorem 2.2). Forward: it is formed as if each entry of A carried `EXPONENTIAL_OPERATIONS`
    errors. Backward: scaling and squaring adds ``sqrt(N) gamma_N`` per squaring, doubled by each that follows, which
    makes ``sqrt(N) tau ||A||`` in all. The input may be formed as ``A^-1 (e^{tau A} - I) B``, excused up to the length
    of the memory; a singular A (FouT of even order) excuses nothing more.
    """
    order, degree = len(B), min(hold_degree(operator.method) or 0, k)
    cardinals = _cardinals(operator, k, degree)
    if operator.dt is not None:
        tau = operator.dt
    else:
        then, now = operator.node(k - 1), operator.node(k)
        tau = math.log1p((now - then) / then) if then > 0 else 0.0
    block = np.zeros((order + 1, order + 1))
    block[:order, :order], block[:order, order] = tau * A, tau * B
    full = _expm_of(block.tobytes(), order + 1)
    G, drives = full[:order, :order], np.stack([full[:order, order], np.zeros(order)], axis=1)
    if operator.dt is None:
        drives[:, 0] = (np.eye(order) - G)[:, 0]
        if degree == 1:
            d = now - then
            drives = line(now / d, order) - G @ line(now / d, order, then / d)
        elif degree:
            drives = _last_cell(cardinals, then, now, order)
    g = np.abs(drives[:, 0])
    stiffness = tau * float(np.linalg.norm(A))
    if operator.dt is None:
        # The held piece is added and its transition subtracted: e_0, or e_0 and e_1 for a line, on either side of G.
        piece = np.eye(order)[: degree + 1].sum(axis=0)
        g = piece + np.abs(G) @ piece
        drive = 4.0
    else:
        memory = dict(operator.parameters).get("theta", 1.0)
        reach = 1 / max(float(np.linalg.svd(A, compute_uv=False)[-1]), 1 / memory)
        drive = max(tau, reach) * float(np.linalg.norm(B))
    # First order in a relative change of the entries of A: ``int e^{(tau-s)A} |dA| |e^{sA} c| ds``, its integrand taken
    # at both ends. gamma_p multiplies everything later; the exponential has its own count, hence the quotient.
    swell = 1.0 if operator.measure in DISSIPATIVE else _swell(A, tau) ** 2
    own = EXPONENTIAL_OPERATIONS / operator.roundings * tau * np.abs(A) * swell
    coarse = math.sqrt(order) * (1 + stiffness) * swell
    held = piece if operator.dt is None else g
    K = np.stack([np.abs(G) + own @ (np.eye(order) + np.abs(G)), np.abs(G) + coarse * np.eye(order)])
    K[1] = np.maximum(K[0], K[1])

    def column(g: Array, held: Array, drive: float) -> Array:
        both = np.stack([g + own @ (held + g), g + coarse * drive / math.sqrt(order)])
        return np.stack([both[0], np.maximum(both[0], both[1])])

    if degree == 0:
        kappa = column(g, held, drive)
        return Majorant(K, kappa, np.zeros_like(kappa), G, drives)
    if operator.dt is None:
        # The piece through the samples is bounded on its cell by them times the sizes of the cardinal polynomials.
        columns = [size * column(g, held, drive) for size in _bernstein(cardinals)]
        if degree > 1 or operator.times is not None:
            # Backward: ``p' + G (c - p)`` with the piece continued over all of [0, t], in powers of the time.
            for i, size in enumerate(_continued([operator.node(k - j) for j in range(degree + 1)])):
                columns[i][1] = np.maximum(columns[i][1], size * g)
    else:
        # Column i is formed as ``sum_j l_ij W_j`` from the responses W_j to ``x^j``, x in [0, 1] on the cell.
        responses = _responses(tau * A, tau * B, degree)
        drives = responses @ cardinals.T
        sizes = np.abs(responses) @ np.abs(cardinals).T
        gains = np.abs(cardinals).sum(axis=1)
        columns = [column(sizes[:, i], sizes[:, i], drive * gains[i]) for i in range(degree + 1)]
    return Majorant(K, columns[0], np.sum(columns[1:], axis=0), G, drives)


@lru_cache(maxsize=192)
def _expm_of(content: bytes, size: int) -> Array:
    """Kept by content: the holds of LegS, of every degree, take the same exponentials at the same ratios of times."""
    found = np.asarray(scipy.linalg.expm(np.frombuffer(content).reshape(size, size)))
    found.setflags(write=False)
    return found


def _cardinals(operator: Operator, k: int, degree: int) -> Array:
    """(degree + 1, degree + 1) rows ``l_i``: ``sum_j l_ij x^j`` is 1 at node k - i and 0 at the others read.

    x runs from 0 to 1 on the cell, so the nodes are 1, 0 and, evenly spaced, -1, -2.
    """
    nodes = [1.0, *(-float(i) for i in range(degree))]
    if operator.times is not None and degree:
        now, then = operator.times[k], operator.times[k - 1]
        nodes = [(operator.times[k - i] - then) / (now - then) for i in range(degree + 1)]
    return np.asarray(np.linalg.inv(np.vander(nodes, increasing=True)).T)


def _bernstein(cardinals: Array) -> Array:
    """Bounds on ``max |l_i(x)|`` over [0, 1]: the largest Bernstein coefficient (a positive basis that sums to 1)."""
    degree = len(cardinals) - 1
    change = np.array([[math.comb(i, j) / math.comb(degree, j) for j in range(degree + 1)] for i in range(degree + 1)])
    return np.asarray(np.abs(cardinals @ change.T).max(axis=1))


def _swell(A: Array, tau: float) -> float:
    """A bound on ``||e^{sA}||`` over ``0 <= s <= tau``: on a grid, and by the logarithmic norm between its points."""
    rate = max(float(np.linalg.eigvalsh((A + A.T) / 2)[-1]), 0.0)
    cells = min(max(math.ceil(rate * tau), 16), 1024)
    short = scipy.linalg.expm(A * (tau / cells))
    power, largest = np.eye(len(A)), 1.0
    for _ in range(cells):
        with np.errstate(all="ignore"):
            power = short @ power
        if not np.isfinite(power).all():
            return math.inf
        largest = max(largest, float(np.linalg.norm(power, 2)))
    return largest * math.exp(min(rate * tau / cells, 700.0))


def _continued(nodes: Sequence[float]) -> list[float]:
    """Sizes on [0, nodes[0]] of the cardinal polynomials as sums of powers of the time, every term taken positive."""
    return [
        math.prod((nodes[0] + other) / abs(node - other) for j, other in enumerate(nodes) if j != i)
        for i, node in enumerate(nodes)
    ]


def _responses(A: Array, B: Array, degree: int) -> Array:
    """(N, degree + 1) columns ``int_0^1 e^{(1 - x) A} B x^j dx``, from one exponential (Van Loan 1978)."""
    order = len(B)
    block = np.zeros((order + degree + 1, order + degree + 1))
    block[:order, :order], block[:order, order] = A, B
    for j in range(degree):
        block[order + j, order + j + 1] = 1.0
    columns = scipy.linalg.expm(block)[:order, order:]
    return np.asarray(columns * np.array([math.factorial(j) for j in range(degree + 1)]))


def _last_cell(cardinals: Array, then: float, now: float, order: int) -> Array:
    """(N, degree + 1) LegS projections at ``now`` of the cardinals on the last cell alone, by exact quadrature."""
    nodes, mass = np.polynomial.legendre.leggauss((order + len(cardinals)) // 2 + 1)
    x = (nodes + 1) / 2
    values = np.vander(x, len(cardinals), increasing=True) @ cardinals.T
    y = 2 * (then + (now - then) * x) / now - 1
    basis = np.polynomial.legendre.legvander(y, order - 1) * np.sqrt(2.0 * np.arange(order) + 1)
    return np.asarray(basis.T @ (values * (mass / 2)[:, None]) * (now - then) / now)
