"""The law of LegS, and of legs_lti, against coefficients integrated from their definition (claim 1).

``ode_*`` takes a signal, integrates it exactly against the kernels at every time at once (t is an indeterminate, and
every coefficient of its powers must vanish) and differentiates the result. ``kernel_*`` is the polynomial identity
that the law amounts to after one integration by parts, so it covers every absolutely continuous signal.
"""

from __future__ import annotations

from collections.abc import Callable

from flint import fmpq, fmpq_mat

from hippo_ref.proofs.base import Proof, awkward, diagonal, entries, number, numbers, table
from hippo_ref.proofs.exact import Law, law, legendre_matrix, legendre_moments, legs, ones, row


def _ode(system: Callable[[int], Law], order: int, polynomial: list[fmpq]) -> list[fmpq]:
    # x_n(t) = int_0^1 f(t v) P_n dv, and t d/dt t^i = i t^i.
    degrees, found = len(polynomial), system(order)
    x = legendre_moments(order, degrees) * diagonal(polynomial)
    return entries(x * diagonal(range(degrees)) - found.R * x - found.b * row(polynomial))


def _ode_lti(system: Callable[[int], Law], order: int, exponents: list[fmpq]) -> list[fmpq]:
    # f = e^(r x): x_n/f(t) = int_0^inf e^(-(1+r)u) P_n(2e^-u - 1) du = sum_j l_nj/(r + j + 1), and df/dt = r f.
    columns, found = len(exponents), system(order)
    powers = fmpq_mat(order, columns, [1 / (r + j + 1) for j in range(order) for r in exponents])
    x = legendre_matrix(order) * powers
    return entries(x * diagonal(exponents) - found.R * x - found.b * row([1] * columns))


def _kernel(system: Callable[[int], Law], order: int) -> list[fmpq]:
    # t x_n' = f(t) P_n(1) - int f (v P_n)' dv, hence (v P_n)' = -sum_k R_nk P_k and b_n = P_n(1).
    L, found = legendre_matrix(order), system(order)
    return entries(L * diagonal(range(1, order + 1)) + found.R * L, found.b - L * ones(order))


_WRONG = {
    "eigenvalues -n": lambda order: law(
        order, lambda n, k: -(2 * k + 1) if k < n else -n if k == n else 0, lambda n: 1
    ),
    "weight of the row": lambda order: law(
        order, lambda n, k: -(2 * n + 1) if k < n else -(n + 1) if k == n else 0, lambda n: 1
    ),
    "B negated": lambda order: Law(legs(order).R, -1 * legs(order).b),
    "A transposed": lambda order: Law(legs(order).R.transpose(), legs(order).b),
}

PROOFS = table(
    Proof(
        key="ode_legs",
        claim="The exact projection of a polynomial obeys t dc/dt = A c + B f, whatever its degree.",
        covers="every sum of the powers given, at every time",
        source="HiPPO theorem 2 (LegS).",
        formula=legs,
        gap=_ode,
        wrong=_WRONG,
        takes={"polynomial": numbers(1)},
        examples=lambda order: ({"polynomial": awkward(order + 3)},),
    ),
    Proof(
        key="ode_legs_lti",
        claim="The exact projection of a sum of exponentials e^(rx), r > -1, obeys dc/dt = A c + B f, A and B of LegS.",
        covers="every sum of the exponentials given, at every time",
        source="HTTYH: S4's use of LegS.",
        formula=legs,
        gap=_ode_lti,
        wrong=_WRONG,
        takes={"exponents": numbers(1, number(above=-1))},
        examples=lambda order: ({"exponents": [0, "1/2", 3, "-2/3"]},),
    ),
    Proof(
        key="kernel_legs",
        claim="(v P_n)' = (n+1) P_n + sum_{k<n} (2k+1) P_k and P_n(1) = 1: the laws of LegS and legs_lti.",
        covers="every absolutely continuous f, at every time",
        source="HiPPO appendix D.3; integration by parts.",
        formula=legs,
        gap=_kernel,
        wrong=_WRONG,
    ),
)
