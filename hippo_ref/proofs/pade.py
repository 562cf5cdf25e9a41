"""LegT's read-out at the far end of its window is the [N-1/N] Padé approximant of a delay (claim 8).

``H(z) = C (zI - A)^-1 B`` as a fraction of polynomials: ``den = det(zI - R)``, and ``num = det(zI - R + b C) - den`` by
the matrix determinant lemma.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb, factorial
from typing import NamedTuple, TypeAlias

from flint import fmpq, fmpq_mat, fmpq_poly

from hippo_ref.proofs.base import Instance, Proof, coefficients, number, table
from hippo_ref.proofs.exact import Law, alternating_weights, legt, lmu, signs, weights

# (N, theta) -> (numerator, denominator) in z.
Fractional: TypeAlias = Callable[[int, fmpq], tuple[fmpq_poly, fmpq_poly]]


class ReadOut(NamedTuple):
    """A law and the row C (1, N) that reads from its state."""

    law: Callable[[int, fmpq], Law]
    row: Callable[[int], fmpq_mat]


def far_end(order: int) -> fmpq_mat:
    """(1, N): ``C x = sum_n c_n s_n P_n(-1)``, the approximation's value at ``t - theta``."""
    return alternating_weights(order).transpose()


def _transfer(system: ReadOut, order: int, theta: fmpq) -> tuple[fmpq_poly, fmpq_poly]:
    found = system.law(order, theta)
    den = found.R.charpoly()
    return (found.R - found.b * system.row(order)).charpoly() - den, den


def pade(order: int, theta: fmpq) -> tuple[fmpq_poly, fmpq_poly]:
    """``[N-1/N]`` of ``exp(-theta z)``, both parts times ``(2N-1)!``: Padé's formula, confirmed by delay_legt."""
    return (
        fmpq_poly([comb(order - 1, j) * factorial(2 * order - 1 - j) * (-theta) ** j for j in range(order)]),
        fmpq_poly([comb(order, j) * factorial(2 * order - 1 - j) * theta**j for j in range(order + 1)]),
    )


def _diagonal_pade(order: int, theta: fmpq) -> tuple[fmpq_poly, fmpq_poly]:
    terms = [comb(order, j) * factorial(2 * order - j) * theta**j for j in range(order + 1)]
    return fmpq_poly([(-1) ** j * term for j, term in enumerate(terms)]), fmpq_poly(terms)


def _identity(fraction: Fractional, order: int, theta: fmpq) -> list[fmpq]:
    num, den = _transfer(ReadOut(legt, far_end), order, theta)
    p, q = fraction(order, theta)
    return coefficients([num * q - p * den])


def _agreement(system: ReadOut, order: int, theta: fmpq) -> list[fmpq]:
    # Degrees N-1 and N, den monic, and den exp(-theta z) - num = O(z^2N): this determines the approximant.
    num, den = _transfer(system, order, theta)
    exponential = fmpq_poly([(-theta) ** j / factorial(j) for j in range(2 * order)])
    difference = den * exponential - num
    return [*(difference[i] for i in range(2 * order)), den[order] - 1, *(num[i] for i in range(order, 2 * order))]


def _windows(order: int) -> tuple[Instance, ...]:
    return ({"theta": 1}, {"theta": "4/5"})


PROOFS = table(
    Proof(
        key="pade_legt",
        claim="C (zI - A)^-1 B of LegT, C_n = s_n (-1)^n, is the [N-1/N] Padé approximant by its factorial formula.",
        covers="every z; this theta",
        source="LMU 2019 (its construction); HiPPO section 2.3 joins it to LegT.",
        formula=pade,
        gap=_identity,
        wrong={
            "[N/N]": _diagonal_pade,
            "an advance": lambda order, theta: pade(order, -theta),
            "one order higher": lambda order, theta: pade(order + 1, theta),
        },
        takes={"theta": number(above=0)},
        examples=_windows,
    ),
    Proof(
        key="delay_legt",
        claim="num/den = C (zI - A)^-1 B of LegT has degrees N-1 and N, and den exp(-theta z) - num = O(z^2N).",
        covers="every z; this theta; no formula of the approximant is used",
        source="definition of the [N-1/N] Padé approximant, which is unique.",
        formula=ReadOut(legt, far_end),
        gap=_agreement,
        wrong={
            "read at the present": ReadOut(legt, lambda order: weights(order).transpose()),
            "LMU's B": ReadOut(lambda order, theta: Law(legt(order, theta).R, lmu(order, theta).b), far_end),
            "theta inverted": ReadOut(lambda order, theta: legt(order, 2 / theta), far_end),
            "unit weights": ReadOut(legt, lambda order: signs(order).transpose()),
        },
        takes={"theta": number(above=0)},
        examples=_windows,
    ),
)
