"""The pair (A, B) of a measure, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mpmath import mp

from hippo_ref.precision import Vector


@dataclass(frozen=True)
class System:
    """``dc/dt = A c + B f`` (``time_law == "invariant"``) or ``dc/dt = (A c + B f)/t`` (``"scale"``).

    Attributes:
        A: (N, N) mpmath matrix, signed form; unit 1/time for an invariant law, none for the scale law.
        B: (N, 1) mpmath matrix.
        time_law: which of the two laws.
    """

    A: mp.matrix
    B: mp.matrix
    time_law: Literal["scale", "invariant"]


def as_system(rows: list[Vector], column: Vector, time_law: Literal["scale", "invariant"]) -> System:
    """Put finished rows into mpmath matrices, which copies but does not round."""
    order = len(column)
    A, B = mp.matrix(order, order), mp.matrix(order, 1)
    for n, row in enumerate(rows):
        B[n, 0] = column[n]
        for k, entry in enumerate(row):
            A[n, k] = entry
    return System(A, B, time_law)
