"""The unitary V that takes given modes into the coordinates of the state, where nobody has written it down.

Any V that does is a proof, however it was found: the judge looks at what it leaves over, and at nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

ROUNDS = 4
"""Newton steps; the first two do nearly all."""
LARGEST = 128
"""Orders up to which Newton steps are taken: each solves for 2 N (r + 1) real unknowns."""
TOGETHER = 1e-8
"""Frequencies closer than this share of the largest are one: their modes may be turned into each other."""


@dataclass(frozen=True)
class Operator:
    """An exact operator as normal plus low rank, in double precision.

    Attributes:
        shift: real part of the spectrum of the normal part.
        skew: (N, N) its skew part.
        low: (N, r) p with ``A = shift + skew - p p^T``.
        input: (N,) B.
    """

    shift: float
    skew: Array
    low: Array
    input: Array

    @classmethod
    def of(cls, A: Array, B: Array, shift: float) -> Operator:
        """Split a matrix whose symmetric part is ``shift`` and a low-rank term."""
        symmetric = (A + A.T) / 2
        values, vectors = np.linalg.eigh(shift * np.eye(len(B)) - symmetric)
        kept = values > TOGETHER * max(float(values[-1]), 0.0)
        return cls(shift, (A - A.T) / 2, vectors[:, kept] * np.sqrt(values[kept]), B)


def aligned(
    Lambda: Array, low_rank: Array, column: Array, operator: Operator, scales: tuple[float, float, float]
) -> Array:
    """A unitary V (N, N) with ``V diag(Lambda) V^*``, ``V P Q^* V^*`` and ``V B`` close to those of an operator.

    It starts from the eigenvectors of the normal part, matched by frequency and turned by a phase each, and goes on by
    Gauss-Newton steps on the sum of what is left over, each part in units of what rounding may leave: neighbours in
    frequency turn into each other where rounding has mixed them. Where no such V exists, what comes back leaves much.

    Args:
        Lambda: (N,) finite modes.
        low_rank: (N, N) P Q^*.
        column: (N,) B.
        operator: what they should stand for.
        scales: what rounding may leave of the normal part, of p and of B.
    """
    order = len(Lambda)
    sorting = np.argsort(Lambda.imag, kind="stable")
    modes, R, b = Lambda[sorting], low_rank[np.ix_(sorting, sorting)], column[sorting]
    frequencies, V = np.linalg.eigh(-1j * operator.skew)
    exact = operator.shift + 1j * frequencies
    p, c = V.conj().T @ operator.low, V.conj().T @ operator.input
    W = _start(R, b, p @ p.conj().T, c, frequencies)
    values, vectors = np.linalg.eigh((R + R.conj().T) / 2)
    P = vectors[:, order - p.shape[1] :] * np.sqrt(np.maximum(values[order - p.shape[1] :], 0.0))
    for _ in range(ROUNDS if order <= LARGEST else 0):
        turned = W @ P
        columns = np.column_stack([W @ b, turned @ _unitary(turned.conj().T @ p)])
        targets = np.column_stack([c, p])
        units = np.array([scales[2], *[scales[1]] * p.shape[1]])
        W = _newton((W * modes) @ W.conj().T - np.diag(exact), columns, targets, exact, scales[0], units) @ W
    found = np.empty((order, order), complex)
    found[:, sorting] = V @ W
    return found


def _unitary(M: Array) -> Array:
    """The unitary matrix next to M."""
    left, _, right = np.linalg.svd(M)
    return np.asarray(left @ right)


def _start(R: Array, b: Array, exact_R: Array, exact_b: Array, frequencies: Array) -> Array:
    """A phase for each mode, or a unitary block for modes of one frequency, from the vectors b and R b."""
    order = len(b)
    left, right = (np.column_stack([v, M @ v / max(np.linalg.norm(M @ v), np.finfo(float).tiny) * np.linalg.norm(v)])
                   for v, M in ((exact_b, exact_R), (b, R)))  # fmt: skip
    ends = np.flatnonzero(np.diff(frequencies) > TOGETHER * np.abs(frequencies).max(initial=0.0)) + 1
    W = np.zeros((order, order), complex)
    for block in np.split(np.arange(order), ends):
        W[np.ix_(block, block)] = _unitary(left[block] @ right[block].conj().T)
    return W


def _newton(rest: Array, columns: Array, targets: Array, exact: Array, unit: float, units: Array) -> Array:
    """The unitary matrix next to 1 that takes the rest away.

    With ``g_kl = exact_l - exact_k`` the skew Hermitian W that minimises ``|rest + g W|^2/unit^2 + |W|^2 +
    sum_c |columns_c - targets_c + W columns_c|^2/units_c^2`` is ``-w (skew(conj(g) rest)/unit^2 + skew(M columns^*))``
    entry by entry, with ``w = 1/(|g|^2/unit^2 + 1)`` and M the last rests over ``units^2``: a real linear system for M.
    """
    order, count = columns.shape
    gaps = exact[None, :] - exact[:, None]
    w = 1 / (np.abs(gaps) ** 2 / unit**2 + 1)
    fixed = -w * _skew(gaps.conj() * rest) / unit**2
    known = columns - targets + fixed @ columns
    own = np.einsum("kl,lc,ld->kcd", w, columns.conj(), columns) / 2
    linear = np.zeros((order, count, order, count), complex)  # of M, on which W depends ...
    for k in range(order):
        linear[k, :, k, :] = own[k].T
    mirrored = -np.einsum("kl,kc,ld->kdlc", w, columns, columns) / 2  # ... and of its conjugate
    linear, mirrored = (part.reshape(order * count, order * count) for part in (linear, mirrored))
    system = np.block([[(linear + mirrored).real, (mirrored - linear).imag], [(linear + mirrored).imag,
                       (linear - mirrored).real]])  # fmt: skip
    weight = np.tile(np.tile(units**2, order), 2)
    right = np.concatenate([known.real.ravel(), known.imag.ravel()])
    found = np.linalg.lstsq(system + np.diag(weight), right, rcond=None)[0]
    M = (found[: order * count] + 1j * found[order * count :]).reshape(order, count)
    W = fixed - w * _skew(M @ columns.conj().T)
    unit_matrix = np.eye(order)
    return np.asarray(np.linalg.solve(unit_matrix - W / 2, unit_matrix + W / 2))


def _skew(M: Array) -> Array:
    return np.asarray((M - M.conj().T) / 2)
