"""Normal plus low rank: the identity behind it, and limits on factors, ``A = V (diag(Lambda) - P Q^*) V^*``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from verify.bounds.base import Limits, gamma, weights
from verify.case import Case

Array = np.ndarray[Any, np.dtype[Any]]

FACTORED = (
    "backward-stable eigenvectors of the normal part (LAPACK Users' Guide 3rd ed., 4.7, p(n) = 8n; "
    "Higham 2002, lemma 19.3, for the worst case)"
)


@dataclass(frozen=True)
class Identity:
    """``A W + W A^T = -shift W - gain (mask * B B^T)``, the identity that makes A normal plus low rank.

    In the coordinates ``W^{-1/2} c`` it says that the symmetric part of A is a multiple of the identity and a low-rank
    part, hence that A less the latter is normal.

    Attributes:
        W: (N,) diagonal: 1 for orthonormal bases, ``2n+1`` for LMU, ``(Lam_0/Lam_n)^2`` for LagT.
        shift: LegS 1, LagT beta, windows 0.
        gain: LegS 1, LagT ``1/beta``, LegT and LMU ``2 theta``, FouT theta. None for LagT with ``alpha != 0``, whose
            low-rank part ``Lam_0^2/(Lam_n Lam_k)`` is not made from B.
        mask: (N, N) where the low-rank part is: all, or (LegT, LMU) entries of even and even or of odd and odd index.
    """

    W: Array
    shift: float
    gain: float | None
    mask: Array

    @classmethod
    def of(cls, case: Case) -> Identity:
        """The identity of a measure that has one."""
        parameters, n = case.float_parameters, np.arange(case.order)
        W = weights(case.measure, parameters, case.order) ** -2.0
        mask = np.ones((case.order, case.order))
        if case.measure in ("legs", "legs_lti"):
            return cls(W, 1.0, 1.0, mask)
        if case.measure == "lagt":
            beta = parameters["beta"]
            return cls(W, beta, 1 / beta if parameters["alpha"] == 0 else None, mask)
        if case.measure == "fout":
            return cls(W, 0.0, parameters["theta"], mask)
        return cls(W, 0.0, 2 * parameters["theta"], ((n[:, None] + n) % 2 == 0).astype(float))

    def symmetric(self, M: Array) -> Array:
        """``M W + W M^T``."""
        return np.asarray(M * self.W + (M * self.W).T)


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

    Of factors with one mode of each pair, V is the columns and their conjugates. The computed columns span the space of
    the positive frequencies up to an angle of ``loss S/gap``, with the gap to the next frequency below (Davis and
    Kahan, sin Theta theorem), and so much of it they share with their conjugates: with ``turn = S/gap``

    - ``V^* V - I``: ``2 loss turn`` more; ``V B`` as much of the norm of B, ``V P P^* V^*`` twice that of ``|P|^2``.
    - ``V diag(Lambda) V^*``: ``loss S`` more, since only the difference of the two frequencies counts there, and
      ``2 loss turn`` of the real part.

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
        rate: size of the real part of the spectrum.
        gap: from the lowest positive frequency down to the next, for factors with one mode of each pair; else infinite.
    """

    order: int
    dtype: str
    spread: float
    rank: float
    gain: float
    rate: float = 0.0
    gap: float = math.inf

    def _limits(self, size: float) -> Limits:
        own = gamma(4 * self.order + 8, "float64") * size
        forward = gamma(8 * self.order, self.dtype) * size
        return Limits(np.asarray(forward + own), np.asarray(self.order * forward + own), FACTORED)

    @property
    def normal(self) -> float:
        """``S``, the size to which the normal part is known."""
        return self.spread + self.rank

    @property
    def turn(self) -> float:
        """``S/gap``; 0 where all modes are given."""
        return self.normal / self.gap

    @property
    def unitary(self) -> Limits:
        """On ``V^* V - I``."""
        return self._limits(2 + 2 * self.turn)

    @property
    def spectrum(self) -> Limits:
        """On each of ``Lambda``."""
        return self._limits(2 * self.normal)

    @property
    def low_rank(self) -> Limits:
        """On ``V P P^* V^*``."""
        return self._limits((6 + 4 * self.turn) * self.rank)

    @property
    def modal(self) -> Limits:
        """On ``V diag(Lambda) V^*``."""
        return self._limits(self._modal)

    @property
    def whole(self) -> Limits:
        """On A."""
        return self._limits(self._modal + (6 + 4 * self.turn) * self.rank)

    @property
    def input(self) -> Limits:
        """On ``V B``."""
        return self._limits((3 + 2 * self.turn) * self.gain)

    @property
    def _modal(self) -> float:
        return (6 if self.turn else 5) * self.normal + 2 * self.turn * self.rate


@dataclass(frozen=True)
class MomentLimits:
    """Limits on what does not change with V: sums over the modes that every unitary V leaves as they are.

    Say that some unitary U brings the factors to within ``e_S`` of the normal part S, ``e_R`` of the low-rank part R
    and ``e_b`` of the input b, in norm: the backward limits of `FactorLimits`, whose V may be replaced by the unitary
    matrix next to it. The numerical ranges of S and of A lie left of the real part of the spectrum of S; z lies ``d``
    right of it, so that both resolvents are at most ``1/d``, and those of the factors at most ``1/(d - e)`` with
    ``e = e_S`` or ``e_S + e_R``. By ``X' - X = X' (S' - S) X`` for resolvents X:

    - ``b^* X b``: at most ``e_b (2|b| + e_b)/(d - e) + |b|^2 e/(d (d - e))``.
    - ``trace(R X)``: at most ``r e_R/(d - e) + trace(R) e/(d (d - e))``, r the ranks of both low-rank terms together.
    - ``|X b|``: at most ``e_b/(d - e) + |b| e/(d (d - e))``. Of A it tells A from its transpose, as ``b^* X b`` cannot.
    - ``|b|``: ``e_b``; ``|R|_F``: ``sqrt(r) e_R`` (Weyl, and Frobenius beside 2-norm).

    What the judge loses by solving with ``z - A`` and with ``z - S`` in double precision counts as one more ``e`` for
    each of both sides: ``n gamma_{8n} (|z| + |A|)``, as for the backward limits.

    Attributes:
        factors: limits on the factors.
        ranks: r.
        size: largest ``|z| + |A|``.
    """

    factors: FactorLimits
    ranks: int
    size: float

    @property
    def _own(self) -> float:
        order = self.factors.order
        return 2 * order * gamma(8 * order, "float64") * self.size

    @property
    def modal_error(self) -> float:
        """``e_S``, and what the judge loses."""
        return float(self.factors.modal.backward) + self._own

    @property
    def whole_error(self) -> float:
        """``e_S + e_R``, and what the judge loses."""
        return self.modal_error + float(self.factors.low_rank.backward)

    def input_norm(self) -> Limits:
        """On ``|b|``."""
        return self._both(self.factors.input.backward)

    def low_rank_norm(self) -> Limits:
        """On ``|R|_F``."""
        return self._both(np.sqrt(self.ranks) * self.factors.low_rank.backward)

    def quadratic(self, distance: Array, error: float) -> Limits:
        """On ``b^* X b``, for z at given distances and ``modal_error`` or ``whole_error``."""
        gain, off = self.factors.gain, float(self.factors.input.backward)
        return self._both(_over(off * (2 * gain + off) + gain**2 * error / distance, distance, error))

    def response(self, distance: Array) -> Limits:
        """On ``|X b|`` with the resolvent of A."""
        error, off = self.whole_error, float(self.factors.input.backward)
        return self._both(_over(off + self.factors.gain * error / distance, distance, error))

    def trace(self, distance: Array) -> Limits:
        """On ``trace(R X)`` with the resolvent of S."""
        error, off = self.modal_error, float(self.factors.low_rank.backward)
        return self._both(_over(self.ranks * off + self.factors.rank * error / distance, distance, error))

    @staticmethod
    def _both(limit: Array | np.floating[Any]) -> Limits:
        return Limits(np.asarray(limit), np.asarray(limit), f"{FACTORED}; no unitary V changes it (resolvent identity)")


def _over(part: Array, distance: Array, error: float) -> Array:
    """``part / (d - e)``; infinite where nothing is left of d."""
    left = distance - error
    return np.where(left > 0, part / np.where(left > 0, left, 1.0), np.inf)


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
