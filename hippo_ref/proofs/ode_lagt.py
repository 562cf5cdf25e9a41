"""The law of LagT against coefficients integrated from their definition (claim 1); ``ode``, ``kernel`` as for LegS.

In ``x_n = zeta^(1/2) Lam_n c_n = int_0^inf f(t-u) e^(-gamma u) L_n^(alpha)(u) du``, ``gamma = (1+beta)/2``, every
moment is rational: the power ``u^alpha`` of the weight cancels against the tilt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from flint import fmpq, fmpq_mat, fmpq_poly

from hippo_ref.proofs.base import Proof, awkward, column, entries, number, numbers, table
from hippo_ref.proofs.exact import Law, binomial, derivative, lagt, laguerre_matrix, row, taylor

# (N, alpha, beta) -> law.
Tilted: TypeAlias = Callable[[int, fmpq, fmpq], Law]


def _ode(system: Tilted, order: int, polynomial: list[fmpq], alpha: fmpq, beta: fmpq) -> list[fmpq]:
    # f(t-u) = sum_k (-u)^k f^(k)(t)/k!, and int_0^inf u^m e^(-gamma u) du = m!/gamma^(m+1).
    degrees, gamma, found = len(polynomial), (1 + beta) / 2, system(order, alpha, beta)
    moments = [1 / gamma]
    for m in range(1, order + degrees):
        moments.append(moments[-1] * m / gamma)
    powers = fmpq_mat(order, degrees, [moments[i + j] for j in range(order) for i in range(degrees)])
    x = laguerre_matrix(order, alpha) * powers * taylor(fmpq_poly(polynomial), fmpq(-1), degrees)
    return entries(derivative(x) - found.R * x - found.b * row(polynomial))


def _kernel(system: Tilted, order: int, alpha: fmpq, beta: fmpq) -> list[fmpq]:
    # x_n' = f(t) kappa_n(0) + int f kappa_n' du with kappa_n = e^(-gamma u) L_n; the envelope is divided out.
    L, found = laguerre_matrix(order, alpha), system(order, alpha, beta)
    at_present = L * column(int(j == 0) for j in range(order))
    return entries(derivative(L) - (1 + beta) / 2 * L - found.R * L, found.b - at_present)


_WRONG: dict[str, Tilted] = {
    "decay (1-beta)/2": lambda order, alpha, beta: lagt(order, alpha, -beta),
    "alpha reversed in B": lambda order, alpha, beta: Law(
        lagt(order, alpha, beta).R, column(binomial(n - alpha, n) for n in range(order))
    ),
    "A transposed": lambda order, alpha, beta: Law(lagt(order, alpha, beta).R.transpose(), lagt(order, alpha, beta).b),
    "B negated": lambda order, alpha, beta: Law(lagt(order, alpha, beta).R, -1 * lagt(order, alpha, beta).b),
}
_PARAMETERS = {"alpha": number(above=-1, below=1), "beta": number(above=0)}
_PLACES: tuple[dict[str, object], ...] = ({"alpha": 0, "beta": 1}, {"alpha": "1/3", "beta": "2/7"})

PROOFS = table(
    Proof(
        key="ode_lagt",
        claim="The exact projection of a polynomial obeys dc/dt = A c + B f of LagT, whatever its degree.",
        covers=(
            "every polynomial of at most the degree given (t is an indeterminate, and derivatives span), at this alpha "
            "and beta"
        ),
        source="HiPPO appendix D.2 (LagT).",
        formula=lagt,
        gap=_ode,
        wrong=_WRONG,
        takes={"polynomial": numbers(1), **_PARAMETERS},
        examples=lambda order: tuple({"polynomial": awkward(6), **place} for place in _PLACES),
    ),
    Proof(
        key="kernel_lagt",
        claim=(
            "L_n' = -sum_{k<n} L_k and L_n(0) = binom(n+alpha, n): LagT's law, with the envelope e^(-(1+beta)u/2) "
            "divided out."
        ),
        covers=(
            "every absolutely continuous f that the envelope dominates; every alpha after N values of it (degree below "
            "N), every beta after two"
        ),
        source="HiPPO appendix D.2; integration by parts.",
        formula=lagt,
        gap=_kernel,
        wrong=_WRONG,
        takes=_PARAMETERS,
        examples=lambda order: _PLACES,
    ),
)
