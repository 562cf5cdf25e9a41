"""The polynomials themselves: Rodrigues' formulas, three-term recurrences, norms and derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb
from typing import TypeAlias

from flint import fmpq, fmpq_poly

from hippo_ref.proofs.base import Proof, coefficients, column, diagonal, entries, number, square, table
from hippo_ref.proofs.exact import (
    binomial,
    laguerre_coefficient,
    laguerre_matrix,
    legendre_coefficient,
    legendre_matrix,
    legendre_moments,
    ones,
    polynomials,
    signs,
)

# n -> (a, b, c) of p_{n+1} = (a + b v) p_n - c p_{n-1}.
ThreeTerms: TypeAlias = Callable[..., tuple[object, object, object]]

_LEGENDRE = "P_n(2v - 1) on 0 <= v <= 1"
_ALPHA = {"alpha": number(above=-1)}


def _alphas(order: int) -> tuple[dict[str, object], ...]:
    return ({"alpha": "0"}, {"alpha": "-1/3"})


def _legendre_rodrigues(formula: Callable[[int, int], object], order: int) -> list[fmpq]:
    gaps, power, scale = [], fmpq_poly([1]), fmpq(1)
    for n in range(order):
        polynomial = power
        for _ in range(n):
            polynomial = polynomial.derivative()
        gaps.append(polynomial * scale - fmpq_poly([formula(n, j) for j in range(n + 1)]))
        power, scale = power * fmpq_poly([0, -1, 1]), scale / (n + 1)
    return coefficients(gaps)


def _three_terms(terms: Callable[[int], tuple[object, object, object]], p: Sequence[fmpq_poly]) -> list[fmpq]:
    gaps = [p[0] - 1]
    for n in range(len(p) - 1):
        a, b, c = terms(n)
        before = p[n - 1] if n else fmpq_poly([0])
        gaps.append(p[n + 1] - fmpq_poly([a, b]) * p[n] + before * c)
    return coefficients(gaps)


def _bonnet(n: int) -> tuple[object, object, object]:
    return fmpq(-(2 * n + 1), n + 1), fmpq(2 * (2 * n + 1), n + 1), fmpq(n, n + 1)


def _legendre_norms(norm: Callable[[int], fmpq], order: int) -> list[fmpq]:
    L = legendre_matrix(order)
    gram = legendre_moments(order, order) * L.transpose()
    at_far = column(L[n, 0] for n in range(order))
    norms = diagonal(norm(n) for n in range(order))
    return entries(gram - norms, L * ones(order) - ones(order), at_far - signs(order))


def _legendre_antiderivative(factor: Callable[[int], object], order: int) -> list[fmpq]:
    p = polynomials(legendre_matrix(order + 1))
    gaps = []
    for n in range(1, order):
        difference = p[n + 1] - p[n - 1]
        gaps += [difference.derivative() - p[n] * factor(n), fmpq_poly([difference(0)]), fmpq_poly([difference(1)])]
    return coefficients([*gaps, p[1].derivative() - 2])


def _laguerre_rodrigues(formula: Callable[..., object], order: int, alpha: fmpq) -> list[fmpq]:
    gaps, scale = [], fmpq(1)
    for n in range(order):
        # d/du (e^-u u^(alpha+m) q) = e^-u u^(alpha+m-1) ((alpha + m - u) q + u q'), n times from q = 1, m = n.
        q = fmpq_poly([1])
        for m in range(n, 0, -1):
            q = fmpq_poly([alpha + m, -1]) * q + fmpq_poly([0, 1]) * q.derivative()
        gaps.append(q * scale - fmpq_poly([formula(n, j, alpha) for j in range(n + 1)]))
        scale /= n + 1
    return coefficients(gaps)


def _laguerre_terms(n: int, alpha: fmpq) -> tuple[object, object, object]:
    return (2 * n + 1 + alpha) / (n + 1), fmpq(-1, n + 1), (n + alpha) / (n + 1)


def _laguerre_three_terms(terms: ThreeTerms, order: int, alpha: fmpq) -> list[fmpq]:
    return _three_terms(lambda n: terms(n, alpha), polynomials(laguerre_matrix(order + 1, alpha)))


def _laguerre_norms(norm: Callable[[int, fmpq], fmpq], order: int, alpha: fmpq) -> list[fmpq]:
    moments = [fmpq(1)]
    for k in range(2 * order):
        moments.append(moments[-1] * (alpha + k + 1))
    L = laguerre_matrix(order, alpha)
    gram = L * square(order, lambda i, j: moments[i + j]) * L.transpose()
    return entries(gram - diagonal(norm(n, alpha) for n in range(order)))


def _laguerre_derivative(factor: int, order: int, alpha: fmpq) -> list[fmpq]:
    p = polynomials(laguerre_matrix(order, alpha))
    gaps, total = [], fmpq_poly([0])
    for polynomial in p:
        gaps.append(polynomial.derivative() - total * factor)
        total += polynomial
    return coefficients(gaps)


PROOFS = table(
    Proof(
        key="legendre_rodrigues",
        claim=f"The coefficients of {_LEGENDRE} are (-1)^(n+j) binom(n,j) binom(n+j,j).",
        covers="every n < N",
        source="Rodrigues' formula (1/n!) d^n/dv^n (v^2 - v)^n, DLMF 18.5.5; the coefficients are DLMF 18.5.7.",
        formula=legendre_coefficient,
        gap=_legendre_rodrigues,
        wrong={
            "no alternation": lambda n, j: abs(legendre_coefficient(n, j)),
            "binom(n+j, n-j)": lambda n, j: (-1) ** (n + j) * comb(n, j) * comb(n + j, n - j),
        },
    ),
    Proof(
        key="legendre_recurrence",
        claim="(n+1) P_{n+1} = (2n+1) (2v - 1) P_n - n P_{n-1}.",
        covers="every n < N",
        source="Bonnet's recurrence, DLMF 18.9.1.",
        formula=_bonnet,
        gap=lambda terms, order: _three_terms(terms, polynomials(legendre_matrix(order + 1))),
        wrong={
            "n one too large": lambda n: _bonnet(n + 1),
            "not shifted": lambda n: (0, _bonnet(n)[1], _bonnet(n)[2]),
        },
    ),
    Proof(
        key="legendre_norms",
        claim="s_n P_n(2v - 1) is orthonormal on [0, 1], P_n = 1 at the present and (-1)^n at the far end.",
        covers="all n, k < N",
        source="DLMF table 18.3.1.",
        formula=lambda n: fmpq(1, 2 * n + 1),
        gap=_legendre_norms,
        wrong={"norm 2/(2n+1) of [-1, 1]": lambda n: fmpq(2, 2 * n + 1), "2n-1": lambda n: fmpq(1, 2 * n - 1)},
    ),
    Proof(
        key="legendre_antiderivative",
        claim="d/dv (P_{n+1} - P_{n-1}) = 2 (2n+1) P_n, and the difference vanishes at both ends.",
        covers="1 <= n < N",
        source="DLMF 18.9.7 and 18.9.19 at lambda = 1/2; the weight of a cell is built on it (claim 4).",
        formula=lambda n: 2 * (2 * n + 1),
        gap=_legendre_antiderivative,
        wrong={"factor of [-1, 1]": lambda n: 2 * n + 1, "2n-1": lambda n: 2 * (2 * n - 1)},
    ),
    Proof(
        key="laguerre_rodrigues",
        claim="The coefficients of L_n^(alpha)(u) are (-1)^j binom(n+alpha, n-j)/j!.",
        covers="every n < N at this alpha; every alpha after N values of it (degree in alpha below N)",
        source="Rodrigues' formula, DLMF 18.5.5; the coefficients are DLMF 18.5.12.",
        formula=laguerre_coefficient,
        gap=_laguerre_rodrigues,
        wrong={
            "alpha reversed": lambda n, j, alpha: laguerre_coefficient(n, j, -alpha),
            "no alternation": lambda n, j, alpha: (-1) ** j * laguerre_coefficient(n, j, alpha),
        },
        takes=_ALPHA,
        examples=_alphas,
    ),
    Proof(
        key="laguerre_recurrence",
        claim="(n+1) L_{n+1} = (2n+1+alpha-u) L_n - (n+alpha) L_{n-1}.",
        covers="every n < N at this alpha; every alpha after N+1 values of it",
        source="DLMF table 18.9.1.",
        formula=_laguerre_terms,
        gap=_laguerre_three_terms,
        wrong={
            "n one too large": lambda n, alpha: _laguerre_terms(n + 1, alpha),
            "without alpha": lambda n, alpha: _laguerre_terms(n, fmpq(0)),
        },
        takes=_ALPHA,
        examples=_alphas,
    ),
    Proof(
        key="laguerre_norms",
        claim="The squared norm of L_n^(alpha) under u^alpha e^-u / Gamma(1+alpha) is binom(n+alpha, n).",
        covers="all n, k < N at this alpha; every alpha after 2N values of it",
        source="DLMF table 18.3.1, divided by Gamma(1+alpha).",
        formula=lambda n, alpha: binomial(n + alpha, n),
        gap=_laguerre_norms,
        wrong={
            "alpha reversed": lambda n, alpha: binomial(n - alpha, n),
            "one order too high": lambda n, alpha: binomial(n + 1 + alpha, n + 1),
        },
        takes=_ALPHA,
        examples=_alphas,
    ),
    Proof(
        key="laguerre_derivative",
        claim="d/du L_n^(alpha) = -(L_0 + ... + L_{n-1}), all with the same alpha.",
        covers="every n < N at this alpha; every alpha after N values of it",
        source="DLMF 18.9.23, and 18.9.13 summed over n.",
        formula=-1,
        gap=_laguerre_derivative,
        wrong={"sign": 1, "doubled": -2},
        takes=_ALPHA,
        examples=_alphas,
    ),
)
