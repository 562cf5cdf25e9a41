"""What a measure is to a plain implementation: its name, its window, its basis, its low-rank part."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from verify.bounds import jacobi, tilt

Array = np.ndarray[Any, np.dtype[Any]]
Factors = tuple[Array, Array, Array, Array]

TILTED = ("chebt", "gegenbauer", "jacobi")
"""Windows with a weight, tilted by it: a signal is rebuilt from polynomials times that weight."""
WINDOWED = ("legt", "lmu", "fout", *TILTED)
"""Measures on a sliding window of length theta."""
NAMES = {
    "legs": "LegS",
    "legt": "LegT",
    "lmu": "LMU",
    "lagt": "LagT",
    "fout": "FouT",
    "legs_lti": "LegS (LTI)",
    "chebt": "ChebT",
    "gegenbauer": "Gegenbauer",
    "jacobi": "Jacobi",
}


def basis(measure: str, parameters: Mapping[str, float], order: int, points: Array) -> Array:
    """(P, N) basis functions at fractions of the window, oldest first, in the precision of the points.

    LagT, whose window is infinite, has no such points and gets the Legendre polynomials.
    """
    n = np.arange(order)
    if measure == "fout":
        angle = 2 * np.pi * points[:, None] * ((n + 1) // 2)
        waves = np.where(n % 2 == 1, np.cos(angle), np.sin(angle)) * math.sqrt(2)
        waves[:, 0] = 1
        return waves.astype(points.dtype)
    if measure in TILTED:
        a, b, factor = tilt(measure, parameters)
        weight = factor * (1 - points) ** a * points**b
        return (weight[:, None] * jacobi(a, b, order, 2 * points - 1)).astype(points.dtype)
    values = np.polynomial.legendre.legvander(2 * points - 1, order - 1)
    scale = (-1.0) ** n if measure == "lmu" else np.sqrt(2.0 * n + 1)
    return (values * scale).astype(points.dtype)


def low_rank(measure: str, A: Array, B: Array) -> Array:
    """(N, r) P with ``A + P P^T`` normal: from the structure identities."""
    order = len(B)
    if measure in ("legs", "legs_lti", "lagt"):
        column = B if measure != "lagt" else np.ones(order, A.dtype)
        return np.asarray(column[:, None] / math.sqrt(2))
    values, vectors = np.linalg.eigh(-(A + A.T) / 2)
    keep = values > np.sqrt(np.finfo(A.dtype).eps) * abs(values[-1])
    return np.asarray(vectors[:, keep] * np.sqrt(values[keep]))


def decompose(A: Array, B: Array, P: Array) -> Factors:
    """``(Lambda, P, B, V)`` in the eigenvectors V of the normal part ``A + P P^T``."""
    normal = A + P @ P.T
    # Skew-symmetric but for a multiple of the identity: -i times it is Hermitian, so its eigenvectors are unitary.
    shift = np.trace(normal) / len(B)
    frequencies, V = np.linalg.eigh(-1j * (normal - shift * np.eye(len(B), dtype=A.dtype)))
    return shift + 1j * frequencies, V.conj().T @ P, V.conj().T @ B, V


def whole(factors: Factors) -> Factors:
    """All modes, and V."""
    return factors


def halved(measure: str, factors: Factors) -> Factors:
    """One mode of each pair, that of the positive frequency, and the modes of frequency 0; sorted by frequency."""
    Lambda, P, B, V = factors
    order = len(Lambda)
    alone = 2 - order % 2 if measure == "fout" else order % 2
    kept = np.argsort(Lambda.imag, kind="stable")[(order - alone) // 2 :]
    return Lambda[kept], P[kept], B[kept], V[:, kept]
