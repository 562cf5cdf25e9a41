"""Derivatives by the input and their bound (claim 4), and Bessel's inequality as an identity (claim 6), for LegS.

``∂c_n(t1)/∂f(t0) = s_n P_n(2v - 1)/t1`` at ``v = t0/t1``. Its squared norm times t1^2 is ``K = sum_n w_n P_n^2``.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

from flint import fmpq, fmpq_mat, fmpq_poly

from hippo_ref.proofs.base import Instance, Proof, coefficients, number, numbers, table
from hippo_ref.proofs.exact import legendre_matrix, legendre_moments, polynomials

# N -> (K, the bound of K).
Norm: TypeAlias = Callable[[int], tuple[fmpq_poly, fmpq]]

_V = fmpq_poly([0, 1])
_PARABOLA = fmpq_poly([0, 1, -1])


def gradient_norm(order: int) -> tuple[fmpq_poly, fmpq]:
    """``K = N^2 P_N^2 + v(1-v) (dP_N/dv)^2`` and its bound ``N^2``."""
    p = polynomials(legendre_matrix(order + 1))[order]
    return order**2 * p * p + _PARABOLA * p.derivative() ** 2, fmpq(order**2)


def _norm(formula: Norm, order: int) -> list[fmpq]:
    basis = polynomials(legendre_matrix(order))
    kernel = sum(((2 * n + 1) * p * p for n, p in enumerate(basis)), fmpq_poly([0]))
    closed, bound = formula(order)
    gaps = [kernel - closed, fmpq_poly([kernel(0) - bound]), fmpq_poly([kernel(1) - bound])]
    # K <= sum_n w_n = N^2 because |P_n| <= 1: E = P_n^2 + v(1-v) P_n'^2/(n(n+1)) is 1 at both ends, and its derivative
    # (2v-1) P_n'^2/(n(n+1)) has the sign of v - 1/2, so P_n^2 <= E <= 1 between them.
    for n, p in enumerate(basis[1:], start=1):
        slope = p.derivative() ** 2 / (n * (n + 1))
        energy = p * p + _PARABOLA * slope
        gaps += [energy.derivative() - (2 * _V - 1) * slope, fmpq_poly([energy(0) - 1]), fmpq_poly([energy(1) - 1])]
    return coefficients([*gaps, fmpq_poly([sum(2 * n + 1 for n in range(order)) - bound])])


def _cells(antiderivative: Callable[[int, list[fmpq_poly]], fmpq_poly], order: int, ends: list[fmpq]) -> list[fmpq]:
    p = polynomials(legendre_matrix(order + 1))
    gaps = []
    for n in range(order):
        formula, definition = antiderivative(n, p), p[n].integral()
        gaps += [formula(b) - formula(a) - (definition(b) - definition(a)) for a, b in pairwise(ends)]
    return gaps


def cell_antiderivative(n: int, p: list[fmpq_poly]) -> fmpq_poly:
    """``(P_{n+1} - P_{n-1})/(2 (2n+1))``, v for n = 0; over a cell it gives the weight of that sample in x_n."""
    return (p[n + 1] - p[n - 1]) / (2 * (2 * n + 1)) if n else _V


def _bessel(weight: Callable[[int], int], order: int, polynomial: list[fmpq]) -> list[fmpq]:
    f, basis = fmpq_poly(polynomial), polynomials(legendre_matrix(order))
    x = (legendre_moments(order, len(polynomial)) * fmpq_mat(len(polynomial), 1, polynomial)).entries()
    rest = f - sum((weight(n) * value * p for n, (value, p) in enumerate(zip(x, basis, strict=True))), fmpq_poly([0]))
    energy = sum((weight(n) * value * value for n, value in enumerate(x)), fmpq(0))
    return [(f * f).integral()(1) - energy - (rest * rest).integral()(1)]


def _edges(order: int) -> tuple[Instance, ...]:
    return ({"ends": [0, "1/7", "1/2", "5/6", 1]},)


def _signals(order: int) -> tuple[Instance, ...]:
    return ({"polynomial": ["2/3", -1, *[1] * order, "-5/7", 2]},)


PROOFS = table(
    Proof(
        key="gradient_norm_legs",
        claim=(
            "sum_n (2n+1) P_n(2v-1)^2 = N^2 P_N^2 + v(1-v) (dP_N/dv)^2 is N^2 at both ends and at most N^2 between: "
            "the gradient's norm is at most N/t1."
        ),
        covers="every v in [0, 1], the inequality by the monotone function that its comment names",
        source="HiPPO proposition 5; Christoffel–Darboux, DLMF 18.2.13; |P_n| <= 1 is DLMF 18.14.1.",
        formula=gradient_norm,
        gap=_norm,
        wrong={
            "bound N(N+1)": lambda order: (gradient_norm(order)[0], fmpq(order * (order + 1))),
            "one order higher": lambda order: (gradient_norm(order + 1)[0], fmpq(order**2)),
            "negated": lambda order: (-1 * gradient_norm(order)[0], fmpq(order**2)),
        },
    ),
    Proof(
        key="gradient_cells_legs",
        claim="The weight of a cell [a, b] in x_n is (P_{n+1} - P_{n-1})/(2 (2n+1)) from a to b; b - a for n = 0.",
        covers="every cell between the given ends; with legendre_antiderivative every cell",
        source="HiPPO proposition 5, integrated over the cell (claim 4).",
        formula=cell_antiderivative,
        gap=_cells,
        wrong={
            "factor of [-1, 1]": lambda n, p: 2 * cell_antiderivative(n, p),
            "P_{n+1} - P_n": lambda n, p: (p[n + 1] - p[n]) / (2 * (2 * n + 1)),
        },
        takes={"ends": numbers(2, number(least=0, most=1))},
        examples=_edges,
    ),
    Proof(
        key="bessel_legs",
        claim="||f||^2 - ||c||^2 = ||f - g||^2 >= 0 over the window, g the approximation: Bessel, with its gap.",
        covers="the polynomials given, on any window",
        source="claim 6; Pythagoras.",
        formula=lambda n: 2 * n + 1,
        gap=_bessel,
        wrong={"weights 2n+2": lambda n: 2 * n + 2, "unit weights": lambda n: 1},
        takes={"polynomial": numbers(1)},
        examples=_signals,
    ),
)
