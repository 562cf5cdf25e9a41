"""The pair (A, B) of a measure, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from mpmath import mp

from hippo_ref.measures.base import CLOSURES, Closure, TimeLaw
from hippo_ref.precision import Vector


@dataclass(frozen=True)
class System:
    """``dc/dt = A c + B f`` (``time_law == "invariant"``) or ``dc/dt = (A c + B f)/t`` (``"scale"``).

    Attributes:
        A: (N, N) mpmath matrix, signed form; unit 1/time for an invariant law, none for the scale law.
        B: (N, 1) mpmath matrix.
        time_law: which of the two laws; ``"general"`` for A and B of one moment.
    """

    A: mp.matrix
    B: mp.matrix
    time_law: TimeLaw


@dataclass(frozen=True)
class Derivation(System):
    """A system found from the definition, with what it took to close it.

    Attributes:
        closure: what stands in for past values of f that cross an end of the support, a key of ``CLOSURES``.
        dropped: coefficients whose derivative leaves the span of the N kernels: what is outside is dropped, which puts
            the reconstruction in place of f there.
    """

    closure: Closure
    dropped: tuple[int, ...]

    @property
    def exact(self) -> bool:
        """True if the exact projection of every signal obeys the law."""
        return self.closure == "none" and not self.dropped

    def explain(self) -> str:
        """Whether the law is exact, and if not what closes it, in a sentence."""
        if self.exact:
            return "exact: the projection of every signal obeys the law"
        reasons = [] if self.closure == "none" else [f"{self.closure}: {CLOSURES[self.closure]}"]
        if self.dropped:
            which = ", ".join(map(str, self.dropped[:8])) + (", ..." if len(self.dropped) > 8 else "")
            reasons.append(f"the derivative of coefficient {which} leaves the span, and what is outside is dropped")
        return "closed by " + "; ".join(reasons)


def as_matrices(rows: list[Vector], column: Vector) -> tuple[mp.matrix, mp.matrix]:
    """Put finished rows into mpmath matrices, which copies but does not round."""
    order = len(column)
    A, B = mp.matrix(order, order), mp.matrix(order, 1)
    for n, row in enumerate(rows):
        B[n, 0] = column[n]
        for k, entry in enumerate(row):
            A[n, k] = entry
    return A, B
