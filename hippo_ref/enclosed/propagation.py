"""How far a small error can grow: rigorous bounds on products of step matrices, in the norm ``max_n sum_k |M_nk|``.

A ball recurrence that multiplies balls step after step grows like ``|| |M| ||^L``, far beyond the numbers. Here a run
takes the midpoint of every state instead, keeps the radius rho_j that step j left, and adds
``sum_j ||M_k ... M_{j+1}|| rho_j`` at the end. Norms are bounded from few products: of powers of two of one matrix, or
of aligned blocks of different ones.
"""

from __future__ import annotations

from flint import arb, arb_mat, arb_poly

from hippo_ref.balls import Balls, ball_precision, largest

# Enough for a bound; the matrices keep their own radii.
_BITS = 128


def norm(M: arb_mat) -> arb:
    """An upper bound on the largest row sum of ``|M|``; infinite if an entry is not finite."""
    entries, width = M.entries(), M.ncols()
    if not all(entry.is_finite() for entry in entries):
        return arb("inf")
    rows = (entries[n : n + width] for n in range(0, len(entries), width))
    return largest([sum((entry.abs_upper() for entry in row), arb(0)) for row in rows])


def doubling_norms(M: arb_mat, count: int) -> Balls:
    """Bounds on ``||M^(2^i)||``, for every power of two up to ``count``."""
    norms: Balls = []
    with ball_precision(_BITS):
        for i in range(count.bit_length()):
            M = M * M if i else M
            norms.append(norm(M))
    return norms


def power_norms(M: arb_mat, count: int) -> Balls:
    """Bounds on ``||M^j||``, j = 0 .. count-1, by the binary digits of j."""
    doublings = doubling_norms(M, count - 1)
    with ball_precision(_BITS):
        bounds = [arb(1)]
        for j in range(1, count):
            top = j.bit_length() - 1
            bounds.append((bounds[j - (1 << top)] * doublings[top]).abs_upper())
    return bounds


def grown(gains: Balls, errors: Balls) -> Balls:
    """``sum_{j<=k} gains[k-j] errors[j]`` for every k, as upper bounds."""
    with ball_precision(_BITS):
        product = (arb_poly(gains) * arb_poly(errors)).coeffs()
        return [entry.abs_upper() for entry in product[: len(errors)]] + [arb(0)] * (len(errors) - len(product))


def semigroup_bound(A: arb_mat, length: arb) -> arb:
    """A bound on ``||e^{A s}||`` for all ``0 <= s <= length``.

    With ``h = length/2^k`` and ``||A|| h <= 1``, s is a multiple of h plus a rest below h, which adds a factor of at
    most e; multiples of h are products of ``e^{A h 2^i}``.
    """
    with ball_precision(_BITS):
        halvings = 0
        while not norm(A) * length <= arb(2) ** halvings:
            halvings += 1
        bound = arb(1).exp()
        step = (A * (length / 2**halvings)).exp()
        for factor in doubling_norms(step, 2**halvings):
            bound = bound * factor.max(1)
        return bound.abs_upper()


class Blocks:
    """A bound on all products ``M_k ... M_{j+1}`` of matrices that arrive one by one.

    Aligned blocks of 2^i matrices are multiplied out as they fill, as a binary counter carries. An interval is made of
    at most two of them of each size, so the product of ``max(1, largest norm of that size)^2`` bounds it.
    """

    def __init__(self) -> None:
        self._open: list[arb_mat | None] = []
        self._worst: Balls = []

    def add(self, M: arb_mat) -> None:
        """Take the next matrix."""
        with ball_precision(_BITS):
            level = 0
            while True:
                if level == len(self._open):
                    self._open.append(None)
                    self._worst.append(arb(1))
                self._worst[level] = self._worst[level].max(norm(M))
                waiting = self._open[level]
                if waiting is None:
                    self._open[level] = M
                    return
                self._open[level], M = None, M * waiting
                level += 1

    def grown(self, errors: Balls) -> Balls:
        """The bound for the matrices so far, times the sum of the errors up to each step."""
        with ball_precision(_BITS):
            product, total, sums = arb(1), arb(0), []
            for worst in self._worst:
                product *= worst * worst
            for error in errors:
                total += error
                sums.append((product * total).abs_upper())
            return sums
