"""The laws of LegT and LMU against coefficients integrated from their definition (claim 1), closure term included.

``ode_*`` and ``kernel_*`` as for LegS. The law uses the approximation g in place of the value ``f(t - theta)`` that
leaves the window; what it lacks is proved to be exactly that difference, and by ``span_*`` nothing below degree N.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from flint import fmpq, fmpq_mat, fmpq_poly

from hippo_ref.proofs.base import Instance, Proof, awkward, column, diagonal, entries, number, numbers, table
from hippo_ref.proofs.exact import (
    Law,
    alternating_weights,
    derivative,
    law,
    legendre_matrix,
    legendre_moments,
    legt,
    lmu,
    ones,
    row,
    signs,
    taylor,
    weights,
)

Window: TypeAlias = Callable[[int, fmpq], Law]
# N -> gain (N, 1) in x_n = gain_n int f P_n.
Gain: TypeAlias = Callable[[int], fmpq_mat]


def _residual(gain: Gain, system: Window, order: int, polynomial: list[fmpq], theta: fmpq) -> tuple[fmpq_mat, fmpq_mat]:
    """``dx/dt - R x - b f`` (N rows of coefficients in t), and ``(f - g)(t - theta)`` (one row)."""
    degrees, found, far = len(polynomial), system(order, theta), fmpq_poly(polynomial)(fmpq_poly([-theta, 1]))
    plain = legendre_moments(order, degrees) * taylor(far, theta, degrees)
    missed = row([far[i] for i in range(degrees)]) - alternating_weights(order).transpose() * plain
    x = diagonal(entries(gain(order))) * plain
    return derivative(x) - found.R * x - found.b * row(polynomial), missed


def _ode(gain: Gain) -> Callable[..., list[fmpq]]:
    def gap(system: Window, order: int, polynomial: list[fmpq], theta: fmpq) -> list[fmpq]:
        residual, missed = _residual(gain, system, order, polynomial, theta)
        # gain_n P_n(0)/theta times the difference leaves the window.
        return entries(residual + diagonal(entries(gain(order))) * signs(order) * missed * (1 / theta))

    return gap


def _span(gain: Gain) -> Callable[..., list[fmpq]]:
    def gap(system: Window, order: int, polynomial: list[fmpq], theta: fmpq) -> list[fmpq]:
        if len(polynomial) > order:
            raise ValueError(f"polynomial must hold at most order = {order} number(s), got {len(polynomial)}")
        return entries(_residual(gain, system, order, polynomial, theta)[0])

    return gap


def _kernel(gain: Gain) -> Callable[..., list[fmpq]]:
    def gap(system: Window, order: int, theta: fmpq) -> list[fmpq]:
        # theta x_n' = f(t) kappa_n(1) - f(t-theta) kappa_n(0) - int f kappa_n' dv; in place of f(t-theta) the law has
        # int f sum_k w_k P_k(0) P_k dv, with the reproducing kernel at the far end.
        L, found = legendre_matrix(order), system(order, theta)
        kernels = diagonal(entries(gain(order))) * L
        at_far = kernels * column(int(j == 0) for j in range(order))
        identity = (
            derivative(kernels) + theta * found.R * kernels + at_far * (alternating_weights(order).transpose() * L)
        )
        return entries(identity, theta * found.b - kernels * ones(order))

    return gap


_LEGT_WRONG: dict[str, Window] = {
    "no alternation": lambda order, theta: law(order, lambda n, k: -(2 * k + 1) / theta, lambda n: 1 / theta),
    "alternation below the diagonal": lambda order, theta: law(
        order, lambda n, k: -(2 * k + 1) / theta * ((-1) ** (n + k) if k <= n else 1), lambda n: 1 / theta
    ),
    "theta multiplies": lambda order, theta: legt(order, 1 / theta),
    "B without 1/theta": lambda order, theta: Law(legt(order, theta).R, ones(order)),
}
_LMU_WRONG: dict[str, Window] = {
    "B without alternation": lambda order, theta: Law(lmu(order, theta).R, weights(order) * (1 / theta)),
    "weight of the column": lambda order, theta: law(
        order,
        lambda n, k: -(2 * k + 1) / theta * ((-1) ** (n + k) if k <= n else 1),
        lambda n: (2 * n + 1) * (-1) ** n / theta,
    ),
    "LegT's": legt,
}

_WINDOW = {"theta": number(above=0)}
_SIGNAL = {"polynomial": numbers(1), **_WINDOW}
_EVERY = "every absolutely continuous f, at every time; this theta"
_DEGREE = "every polynomial of at most the degree given (t is an indeterminate, and derivatives span), at this theta"


def _windows(order: int) -> tuple[Instance, ...]:
    return ({"theta": "4/5"},)


def _beyond(order: int) -> tuple[Instance, ...]:
    return ({"polynomial": awkward(order + 3), "theta": "4/5"},)


def _within(order: int) -> tuple[Instance, ...]:
    return ({"polynomial": awkward(order), "theta": "4/5"},)


PROOFS = table(
    Proof(
        key="ode_legt",
        claim="dc/dt - (A c + B f) = -(1/theta) s_n (-1)^n (f - g)(t - theta) for a polynomial, g its approximation.",
        covers=_DEGREE,
        source="HiPPO appendix D.1 (LegT): the closure is all that the law leaves out.",
        formula=legt,
        gap=_ode(ones),
        wrong=_LEGT_WRONG,
        takes=_SIGNAL,
        examples=_beyond,
    ),
    Proof(
        key="span_legt",
        claim="LegT's law holds without any closure error for polynomials of degree below N.",
        covers=_DEGREE,
        source="HiPPO appendix D.1 (LegT).",
        formula=legt,
        gap=_span(ones),
        wrong=_LEGT_WRONG,
        takes=_SIGNAL,
        examples=_within,
    ),
    Proof(
        key="kernel_legt",
        claim="P_n' = -theta sum_k R_nk P_k - P_n(0) sum_k (2k+1) P_k(0) P_k in v: LegT's law up to its closure term.",
        covers=_EVERY,
        source="HiPPO appendix D.1; integration by parts.",
        formula=legt,
        gap=_kernel(ones),
        wrong=_LEGT_WRONG,
        takes=_WINDOW,
        examples=_windows,
    ),
    Proof(
        key="ode_lmu",
        claim="dc/dt - (A c + B f) = -(1/theta) (2n+1) (f - g)(t - theta) for a polynomial, g its approximation.",
        covers=_DEGREE,
        source="LMU 2019, equations 1 and 2; HiPPO theorem 1.",
        formula=lmu,
        gap=_ode(alternating_weights),
        wrong=_LMU_WRONG,
        takes=_SIGNAL,
        examples=_beyond,
    ),
    Proof(
        key="span_lmu",
        claim="LMU's law holds without any closure error for polynomials of degree below N.",
        covers=_DEGREE,
        source="LMU 2019, equations 1 and 2; HiPPO theorem 1.",
        formula=lmu,
        gap=_span(alternating_weights),
        wrong=_LMU_WRONG,
        takes=_SIGNAL,
        examples=_within,
    ),
    Proof(
        key="kernel_lmu",
        claim="The identity of kernel_legt for the kernels (2n+1) (-1)^n P_n: LMU's law up to its closure term.",
        covers=_EVERY,
        source="LMU 2019, equation 2; integration by parts.",
        formula=lmu,
        gap=_kernel(alternating_weights),
        wrong=_LMU_WRONG,
        takes=_WINDOW,
        examples=_windows,
    ),
)
