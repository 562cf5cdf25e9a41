"""(A, B) of the Jacobi windows in exact rational arithmetic, with square roots at the very end.

``pi_n = 2F1(-n, n+a+b+1; a+1; w)``, w = 1 - v, are Jacobi's polynomials with the value 1 at the present (DLMF 18.5.7).
With ``x_n = int f pi_n dv``: ``theta dx_n/dt = f(t) - pi_n(far) f(t-theta) + int f dpi_n/dw dv``. The polynomial
that has these N integrals is ``sum_j (2j+1) P_j int f P_j``, P_j Legendre's, and its far value stands in for
``f(t-theta)``.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb

from flint import arb, fmpq, fmpq_mat

from hippo_ref.balls import Balls, ball
from hippo_ref.measures import Measure


def _fraction(value: fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def _hypergeometric(order: int, a: Fraction, s: Fraction) -> fmpq_mat:
    """Row n: coefficients of ``w^k`` in ``pi_n``, s = a + b."""
    entries = []
    for n in range(order):
        term = Fraction(1)
        for k in range(order):
            entries.append(fmpq(term.numerator, term.denominator))
            term *= Fraction(k - n) * (n + s + 1 + k) / ((a + 1 + k) * (k + 1))
    return fmpq_mat(order, order, entries)


def jacobi_window(m: Measure, order: int, a: Fraction, b: Fraction, gain: arb) -> tuple[list[Balls], Balls]:
    """The system of ``c_n = gain int f p_n dv``, p_n orthonormal under ``(1-v)^a v^b`` of mass 1.

    Args:
        m: gives theta.
        order: N.
        a: exponent at the present.
        b: exponent at the far end.
        gain: factor of all coefficients.
    """
    s, theta = a + b, m.parameters["theta"]
    C = _hypergeometric(order, a, s)
    inverse = C.inv()
    slope = fmpq_mat(order, order)
    legendre = fmpq_mat(order, order)
    for n in range(order):
        for k in range(order):
            if k + 1 < order:
                slope[n, k] = C[n, k + 1] * (k + 1)
            if k <= n:
                legendre[n, k] = (-1) ** k * comb(n, k) * comb(n + k, k)
    derivative, connection = slope * inverse, legendre * inverse
    far = [_fraction(sum((C[n, k] for k in range(order)), fmpq(0))) for n in range(order)]
    leaving = [
        _fraction(sum((connection[j, k] * (-1) ** j * (2 * j + 1) for j in range(order)), fmpq(0)))
        for k in range(order)
    ]
    norms, ratio = [Fraction(1)], Fraction(1)
    for n in range(1, order):
        # n! (b+1)_n / ((2n+s+1) (s+2)_{n-1} (a+1)_n): DLMF table 18.3.1 over the mass and the value at the present.
        ratio *= n * (b + n) / (a + n)
        if n > 1:
            ratio /= s + n
        norms.append(ratio / (2 * n + s + 1))
    rows = [
        [
            ball((_fraction(derivative[n, k]) - far[n] * leaving[k]) / theta) * ball(norms[k] / norms[n]).sqrt()
            for k in range(order)
        ]
        for n in range(order)
    ]
    return rows, [gain * ball(1 / theta) / ball(norm).sqrt() for norm in norms]


def chebt(m: Measure, order: int) -> tuple[list[Balls], Balls]:
    """Both exponents -1/2, all coefficients times ``sqrt 8/pi``. HiPPO appendix D.5 for the kernels."""
    return jacobi_window(m, order, Fraction(-1, 2), Fraction(-1, 2), arb(8).sqrt() / arb.pi())


def gegenbauer(m: Measure, order: int) -> tuple[list[Balls], Balls]:
    """Both exponents ``alpha - 1/2``."""
    exponent = m.parameters["alpha"] - Fraction(1, 2)
    return jacobi_window(m, order, exponent, exponent, arb(1))


def jacobi(m: Measure, order: int) -> tuple[list[Balls], Balls]:
    """Exponents alpha at the present, beta at the far end."""
    return jacobi_window(m, order, m.parameters["alpha"], m.parameters["beta"], arb(1))
