"""Limits on factored operators, ``A = V (diag(Lambda) - P P^*) V^*``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from verify.bounds.base import Limits, gamma

Array = np.ndarray[Any, np.dtype[Any]]

FACTORED = (
    "backward-stable eigenvectors of the normal part (LAPACK Users' Guide 3rd ed., 4.7, p(n) = 8n; "
    "Higham 2002, lemma 19.3, for the worst case)"
)


@dataclass(frozen=True)
class FactorLimits:
    """Limits on what factors of order n stand for; each holds for every entry, since it holds for the norm.

    The normal part is formed as ``A + P P^*``, whose entries may cancel: it is known to the size ``S`` of its own norm
    and ``|P|^2``. With ``loss = gamma_{8n}`` (LAPACK Users' Guide, section 4.7) the eigenvectors computed of it are
    those of a matrix that is off by ``loss S``, and are off a unitary matrix by ``loss``. Products ``V^* x`` lose
    another ``loss |x|``. Put together again, to first order:

    - ``V^* V - I``: ``2 loss``.
    - ``Lambda``: ``loss S`` by Weyl's inequality, and as much again for the real part, a mean of n entries.
    - ``V x`` for ``x = V^* y`` (B, and P on either side): ``loss`` for the product, ``2 loss`` for ``V V^*``.
    - ``V diag(Lambda) V^*``: the matrix, Lambda, and V on either side: ``5 loss S``.
    - A: the last, and twice the one before, for ``P P^*``: ``5 loss S + 6 loss |P|^2``.

    Forward limits are these. Backward limits are n times as large: n reflections in a row, or the rotations of n
    eigenvalues, lose ``gamma`` of n operations each, and a product that is bounded entry by entry may lose ``sqrt(n)``
    more in norm. What the judge's own complex products in double precision lose is added to both: ``gamma_{4n+8}`` of
    ``|V| |x|``, which is at most the norm of x in every entry (Higham 2002, section 3.6).

    Attributes:
        order: n.
        dtype: arithmetic of the target.
        spread: 2-norm of the normal part, the largest modulus of its spectrum.
        rank: ``|P|^2``, the trace of the low-rank part.
        gain: norm of B.
    """

    order: int
    dtype: str
    spread: float
    rank: float
    gain: float

    def _limits(self, size: float) -> Limits:
        own = gamma(4 * self.order + 8, "float64") * size
        forward = gamma(8 * self.order, self.dtype) * size
        return Limits(np.asarray(forward + own), np.asarray(self.order * forward + own), FACTORED)

    @property
    def normal(self) -> float:
        """``S``, the size to which the normal part is known."""
        return self.spread + self.rank

    @property
    def unitary(self) -> Limits:
        """On ``V^* V - I``."""
        return self._limits(2)

    @property
    def spectrum(self) -> Limits:
        """On each of ``Lambda``."""
        return self._limits(2 * self.normal)

    @property
    def low_rank(self) -> Limits:
        """On ``V P P^* V^*``."""
        return self._limits(6 * self.rank)

    @property
    def whole(self) -> Limits:
        """On A."""
        return self._limits(5 * self.normal + 6 * self.rank)

    @property
    def input(self) -> Limits:
        """On ``V B``."""
        return self._limits(3 * self.gain)


def far_end_limits(rows: Array, entries: tuple[Limits, Limits], states: Array) -> Limits:
    """Limits on ``C R~ B~`` for the resolvent R~ of matrices whose entries keep their limits.

    ``C (R~ B~ - R B) = C R ((A~ - A) R~ B~ + (B~ - B))`` is exact, nothing is linearised: with the sizes of the exact
    row ``C R`` and of the target's own column ``R~ B~``, the limits of the entries give the limit of the sum.

    Args:
        rows: (P, N) sizes of ``C R`` at each point.
        entries: limits of A and of B.
        states: (P, N) sizes of ``R~ B~``.
    """
    A, B = entries
    with np.errstate(invalid="ignore"):  # at a pole of the target nothing is limited
        forward = np.nan_to_num((rows * (states @ A.forward.T + B.forward)).sum(axis=1), nan=np.inf)
        backward = np.nan_to_num((rows * (states @ A.backward.T + B.backward)).sum(axis=1), nan=np.inf)
    source = "limits of the entries of A and B, carried through the resolvent"
    return Limits(forward, np.maximum(forward, backward), source)
