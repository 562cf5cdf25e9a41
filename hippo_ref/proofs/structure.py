"""Normal plus low rank (claim 9), and LMU as rescaled LegT (claim 8).

With ``c = S x`` and ``D = S^2`` rational, ``A = S R S^-1`` gives ``S (A + A^T) S = D R + R^T D``: a statement on the
symmetric part of A is one on the rational right side.
"""

from __future__ import annotations

from collections.abc import Callable

from flint import fmpq, fmpq_mat, fmpq_poly

from hippo_ref.proofs.base import Instance, Proof, coefficients, column, diagonal, entries, number, square, table
from hippo_ref.proofs.exact import (
    FourierLaw,
    Law,
    alternating_weights,
    fourier_ends,
    fourier_turn,
    fourier_weights,
    fout,
    lagt,
    law,
    legs,
    legt,
    lmu,
    signs,
    weights,
)


def _outer(vector: fmpq_mat) -> fmpq_mat:
    return vector * vector.transpose()


def _symmetric_part(D: fmpq_mat, R: fmpq_mat) -> fmpq_mat:
    return D * R + R.transpose() * D


def _legs(system: Callable[[int], Law], order: int) -> list[fmpq]:
    R, w = system(order).R, weights(order)
    D = diagonal(entries(w))
    spectrum = fmpq_poly([1])
    for n in range(order):
        spectrum *= fmpq_poly([n + 1, 1])
    return entries(_symmetric_part(D, R) + D + _outer(w)) + coefficients([R.charpoly() - spectrum])


def _lagt(system: Callable[[int, fmpq], Law], order: int, beta: fmpq) -> list[fmpq]:
    R, one = system(order, beta).R, square(order, lambda n, k: int(n == k))
    return entries(_symmetric_part(one, R) + beta * one + square(order, lambda n, k: 1))


def _legt(system: Callable[[int, fmpq], Law], order: int, theta: fmpq) -> list[fmpq]:
    R, w = system(order, theta).R, weights(order)
    even = column(w[n, 0] if n % 2 == 0 else 0 for n in range(order))
    odd = w - even
    return entries(_symmetric_part(diagonal(entries(w)), R) + (_outer(even) + _outer(odd)) * (2 / theta))


def _fout(system: Callable[[int], FourierLaw], order: int) -> list[fmpq]:
    found, D = system(order), fourier_weights(order)
    return entries(_symmetric_part(D, found.turn), _symmetric_part(D, found.rest) + 4 * _outer(D * fourier_ends(order)))


def _lmu(scale: Callable[[int], fmpq_mat], order: int, theta: fmpq) -> list[fmpq]:
    # x = c/s for LegT and x = c for LMU, so T s = (2n+1) (-1)^n carries one into the other.
    U, source, target = diagonal(entries(scale(order))), legt(order, theta), lmu(order, theta)
    return entries(U * source.R - target.R * U, U * source.b - target.b)


def _altered(order: int, entry: Callable[[int, int], object]) -> Law:
    return law(order, entry, lambda n: 1)


def _windows(order: int) -> tuple[Instance, ...]:
    return ({"theta": "4/5"},)


_THETA = {"theta": number(above=0)}

PROOFS = table(
    Proof(
        key="structure_legs",
        claim="A + A^T = -I - s s^T for LegS, and its eigenvalues are -1, ..., -N.",
        covers="every order on its own",
        source="HiPPO theorem 2; S4, theorem 1 and appendix C.",
        formula=legs,
        gap=_legs,
        wrong={
            "eigenvalues -n": lambda order: _altered(
                order, lambda n, k: -(2 * k + 1) if k < n else -n if k == n else 0
            ),
            "diagonal -(2n+1)": lambda order: _altered(order, lambda n, k: -(2 * k + 1) if k <= n else 0),
        },
    ),
    Proof(
        key="structure_lagt",
        claim="A + A^T = -beta I - 1 1^T for LagT at alpha = 0; -I - 1 1^T for the plain one, beta = 1.",
        covers="every order on its own; every beta after two values of it",
        source="HiPPO theorem 1 and appendix D.2; S4, theorem 1 and appendix C.",
        formula=lambda order, beta: lagt(order, fmpq(0), beta),
        gap=_lagt,
        wrong={
            "diagonal -beta": lambda order, beta: _altered(order, lambda n, k: -1 if k < n else -beta if k == n else 0),
            "strict triangle": lambda order, beta: _altered(order, lambda n, k: -1 if k < n else 0),
        },
        takes={"beta": number(above=0)},
        examples=lambda order: ({"beta": 1}, {"beta": "2/7"}),
    ),
    Proof(
        key="structure_legt",
        claim="A + A^T = -(2/theta) (s_e s_e^T + s_o s_o^T) for LegT, s_e and s_o the even and odd entries of s.",
        covers="every order on its own; this theta",
        source="HiPPO theorem 1; S4, theorem 1 and appendix C.",
        formula=legt,
        gap=_legt,
        wrong={
            "no alternation": lambda order, theta: _altered(order, lambda n, k: -(2 * k + 1) / theta),
            "alternation on both sides": lambda order, theta: _altered(
                order, lambda n, k: -(2 * k + 1) * (-1) ** (n + k) / theta
            ),
            "lower triangle alone": lambda order, theta: _altered(
                order, lambda n, k: -(2 * k + 1) / theta if k <= n else 0
            ),
        },
        takes=_THETA,
        examples=_windows,
    ),
    Proof(
        key="structure_fout",
        claim="A + A^T = -(4/theta) B0 B0^T for FouT, at odd and at even N: rank one.",
        covers="every theta (pi is an indeterminate)",
        source="HTTYH (S4-FouT).",
        formula=fout,
        gap=_fout,
        wrong={
            "rotation not skew": lambda order: FourierLaw(
                square(order, lambda n, k: abs(fourier_turn(order)[n, k])), fout(order).rest, fout(order).b
            ),
            "closure of LegT": lambda order: FourierLaw(fout(order).turn, fmpq(1, 2) * fout(order).rest, fout(order).b),
        },
    ),
    Proof(
        key="scaling_lmu",
        claim="A_lmu = T A_legt T^-1 and B_lmu = T B_legt with T = diag(s_n (-1)^n).",
        covers="every order on its own; this theta",
        source="HiPPO appendix D.1: LMU is LegT in another normalisation.",
        formula=alternating_weights,
        gap=_lmu,
        wrong={
            "no alternation": weights,
            "T without s_n": signs,
            "T negated": lambda order: -1 * alternating_weights(order),
        },
        takes=_THETA,
        examples=_windows,
    ),
)
