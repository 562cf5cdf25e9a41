"""Hold-exact rules: the input is a polynomial on each step, and the state is exact for it.

``hold(d)`` takes the polynomial of degree ``min(d, k)`` through the last samples (causal Lagrange interpolation):
``hold(0)`` is zoh (constant on cells), ``hold(1)`` is foh (linear between nodes). The first step is linear whatever the
degree, an error of ``h^3 f''(0)`` in the state, so ``hold(3)`` shows its order 4 where ``f''`` vanishes at the start or
the start is forgotten, and order 3 elsewhere.

LegS states are kept as moments ``mu_j = int_0^1 g(t v) v^j dv``, in which a step is diagonal: the past shrinks into
``[0, rho]``, ``rho = t/t'``, and its moments by ``rho^(j+1)``. This is ``c' = p' + (t'/t)^A (c - p)`` with p, p' the
projections of the current piece, in the basis where A is diagonal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import comb, factorial, lcm
from operator import floordiv

from mpmath import mp, mpf

from hippo_ref.discretizations.base import Discretization, TimeLaw, Times
from hippo_ref.fixed import Integers, dot
from hippo_ref.linear import exponential
from hippo_ref.precision import Vector

_DEGREES = ("0", "1", "2", "3")


@lru_cache(maxsize=16)
def _coefficients(order: int) -> list[Integers]:
    """Rows of ``(-1)^(n+j) binom(n,j) binom(n+j,j)``: ``P_n(2v-1) = sum_j l_nj v^j``."""
    return [[(-1) ** (n + j) * comb(n, j) * comb(n + j, j) for j in range(n + 1)] for n in range(order)]


def moments_from_state(x: Integers) -> Integers:
    """``mu_j = sum_{n<=j} (2n+1) x_n int_0^1 P_n(2v-1) v^j dv``; the integral is ``j!^2/((j-n)! (j+n+1)!)``."""
    moments = []
    for j in range(len(x)):
        integral = (1 << mp.prec) // (j + 1)
        total = x[0] * integral
        for n in range(1, j + 1):
            integral = integral * (j - n + 1) // (j + n + 1)
            total += (2 * n + 1) * x[n] * integral
        moments.append(total >> mp.prec)
    return moments


def state_from_moments(moments: Integers) -> Integers:
    """``x_n = int g P_n(2v-1) dv = sum_j l_nj mu_j``, which cancels about 2.6 N bits."""
    return [dot(row, moments) for row in _coefficients(len(moments))]


@lru_cache(maxsize=256)
def _interpolation(nodes: Times) -> tuple[list[Integers], int]:
    """Rows ``r_j`` and D: the polynomial through values at the nodes is ``sum_j x^j (r_j . values)/D`` (Lagrange)."""
    cardinals = []
    for i, node in enumerate(nodes):
        cardinal = [Fraction(1)]
        for other in nodes[:i] + nodes[i + 1 :]:
            raised, scaled = [Fraction(0), *cardinal], [*(other * entry for entry in cardinal), Fraction(0)]
            cardinal = [(a - b) / (node - other) for a, b in zip(raised, scaled, strict=True)]
        cardinals.append(cardinal)
    common = lcm(*(entry.denominator for cardinal in cardinals for entry in cardinal))
    return [[int(entry * common) for entry in row] for row in zip(*cardinals, strict=True)], common


def _polynomial(nodes: Times, values: Sequence[int]) -> Integers:
    rows, common = _interpolation(nodes)
    return [dot(row, values) // common for row in rows]


@dataclass(frozen=True)
class Hold(Discretization):
    """Exact for input that is a polynomial of that degree on each step. HiPPO appendix B.3 (ZOH) for degree 0.

    LegS: cell k ends at ``t_k``, which is k + 1 by default (degree 0), or node k is at ``t_k``, k by default, and the
    first may be at 0; ``-A^-1 B = e_0`` makes zoh ``c' = u e_0 + (t'/t)^A (c - u e_0)``.

    Attributes:
        degree: of the polynomials.
    """

    degree: int

    @property
    def reach(self) -> int:
        """A polynomial of degree d has d + 1 nodes."""
        return self.degree

    @property
    def first_time(self) -> int:
        """Cell 0 ends at 1, node 0 is at 0."""
        return 0 if self.degree else 1

    @property
    def nominal_order(self) -> Mapping[TimeLaw, int]:
        """``d + 1`` (see the start, above), and 2 for constants read at the midpoints of their cells."""
        order = self.degree + 1 if self.degree else 2
        return {"scale": order, "invariant": order}

    def invariant(self, A: list[Vector], B: Vector, h: mpf) -> tuple[list[Vector], list[Vector]]:
        """``M = e^{hA}`` and ``W_j = int_0^1 e^{(1-s) h A} h B s^j ds``, from one exponential of an augmented matrix.

        The input's derivatives ``z_j`` at the start of the step are states of their own, ``z_j' = z_{j+1}``:
        ``exp [[h A, h B, 0], [0, S]]`` with S the shift. Van Loan 1978, Computing integrals involving the matrix
        exponential.
        """
        order, extra = len(B), self.degree + 1
        rows = [
            [*(h * entry for entry in row), h * gain, *[mpf(0)] * self.degree] for row, gain in zip(A, B, strict=True)
        ]
        shift = [[mpf(k == order + j + 1) for k in range(order + extra)] for j in range(extra)]
        blocks = exponential([*rows, *shift])[:order]
        W = [[factorial(j) * row[order + j] for row in blocks] for j in range(extra)]
        return [row[:order] for row in blocks], W

    def drive(self, times: Times, values: Sequence[int]) -> Integers:
        """Coefficients of the polynomial in ``s``, which runs from 0 to 1 over the step."""
        after, before = times[:2]
        return _polynomial(tuple((time - before) / (after - before) for time in times[: len(values)]), values)

    def guard(self, order: int) -> int:
        """2.6 N bits in each direction."""
        return 6 * order

    def enter(self, x: Integers) -> Integers:
        """Moments."""
        return moments_from_state(x)

    def advance(self, inner: Integers, times: Times, values: Sequence[int]) -> Integers:
        """Moments of the polynomial on all of [0, t'], plus the shrunken rest."""
        rho = times[1] / times[0]
        now = _polynomial(tuple(time / times[0] for time in times[: len(values)]), values)
        then = [entry * rho.numerator**i // rho.denominator**i for i, entry in enumerate(now)]
        power = 1 << mp.prec
        moved = []
        for j, moment in enumerate(inner):
            power = power * rho.numerator // rho.denominator
            # int_0^1 v^i v^j dv = 1/(i + j + 1)
            shares = range(j + 1, j + 1 + len(now))
            rest = moment - sum(map(floordiv, then, shares))
            moved.append(sum(map(floordiv, now, shares)) + (power * rest >> mp.prec))
        return moved

    def leave(self, inner: Integers) -> Integers:
        """State of the moments."""
        return state_from_moments(inner)


def hold(text: str) -> Hold:
    """The rule of a degree written as a digit.

    Raises:
        ValueError: not 0, 1, 2 or 3.
    """
    if text not in _DEGREES:
        raise ValueError(f"method 'hold({text})' needs a degree of {', '.join(_DEGREES)}; got {text!r}")
    return Hold(f"hold({text})", int(text))
