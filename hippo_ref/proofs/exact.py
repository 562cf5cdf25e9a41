"""Exact polynomials of the measures, and their laws in the scaling in which every entry is rational.

Legendre polynomials are shifted, ``P_n(2v - 1)`` on ``0 <= v <= 1``; ``w_n = 2n+1``. Coefficients are rows of
matrices, ascending powers. Each explicit formula is itself proved (``orthogonality``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, factorial

from flint import fmpq, fmpq_mat, fmpq_poly

from hippo_ref.proofs.base import column, diagonal, square


def legendre_coefficient(n: int, j: int) -> int:
    """Coefficient of ``v^j`` in ``P_n(2v - 1)``: ``(-1)^(n+j) binom(n,j) binom(n+j,j)``. Source: DLMF 18.5.7."""
    return (-1) ** (n + j) * comb(n, j) * comb(n + j, j)


def laguerre_coefficient(n: int, j: int, alpha: fmpq) -> fmpq:
    """Coefficient of ``u^j`` in ``L_n^(alpha)(u)``: ``(-1)^j binom(n+alpha, n-j)/j!``. Source: DLMF 18.5.12."""
    return (-1) ** j * binomial(n + alpha, n - j) / factorial(j)


def binomial(top: fmpq, bottom: int) -> fmpq:
    """``binom(top, bottom)`` of a rational top: ``top (top-1) ... (top-bottom+1)/bottom!``."""
    product = fmpq(1)
    for i in range(bottom):
        product *= (top - i) / (i + 1)
    return product


@lru_cache(maxsize=80)
def legendre_matrix(order: int) -> fmpq_mat:
    """(N, N): row n holds the coefficients of ``P_n(2v - 1)``. Shared: not to be changed."""
    return square(order, legendre_coefficient)


@lru_cache(maxsize=80)
def laguerre_matrix(order: int, alpha: fmpq) -> fmpq_mat:
    """(N, N): row n holds the coefficients of ``L_n^(alpha)``. Shared: not to be changed."""
    return square(order, lambda n, j: laguerre_coefficient(n, j, alpha) if j <= n else 0)


def polynomials(matrix: fmpq_mat) -> list[fmpq_poly]:
    """The polynomials whose coefficients are the rows."""
    return [fmpq_poly(row) for row in matrix.tolist()]


@lru_cache(maxsize=80)
def legendre_moments(order: int, degrees: int) -> fmpq_mat:
    """(N, degrees): ``int_0^1 v^i P_n(2v - 1) dv``, from the coefficients."""
    powers = fmpq_mat(order, degrees, [fmpq(1, i + j + 1) for j in range(order) for i in range(degrees)])
    return legendre_matrix(order) * powers


def weights(order: int) -> fmpq_mat:
    """(N, 1): ``w_n = 2n+1``, the inverse squared norms of ``P_n(2v - 1)``."""
    return column(2 * n + 1 for n in range(order))


def signs(order: int) -> fmpq_mat:
    """(N, 1): ``P_n(-1) = (-1)^n``."""
    return column((-1) ** n for n in range(order))


def alternating_weights(order: int) -> fmpq_mat:
    """(N, 1): ``w_n P_n(-1) = (2n+1) (-1)^n``; ``sum_n`` of it times ``x_n`` is the approximation at the far end."""
    return column((2 * n + 1) * (-1) ** n for n in range(order))


def ones(order: int) -> fmpq_mat:
    """(N, 1): ``P_n(1) = 1``."""
    return column([1] * order)


def row(values: Sequence[object]) -> fmpq_mat:
    """(1, N)."""
    return fmpq_mat(1, len(values), list(values))


def derivative(matrix: fmpq_mat) -> fmpq_mat:
    """Derivatives of rows of coefficients, as many columns as before."""
    rows, columns = matrix.nrows(), matrix.ncols()
    result = fmpq_mat(rows, columns)
    for i in range(1, columns):
        for n in range(rows):
            result[n, i - 1] = i * matrix[n, i]
    return result


def taylor(f: fmpq_poly, step: fmpq, columns: int) -> fmpq_mat:
    """Row k: coefficients in t of ``step^k f^(k)(t)/k!``, so that ``f(t + step v) = sum_k row_k v^k``."""
    values: list[fmpq] = []
    for k in range(columns):
        values += [f[i] for i in range(columns)]
        f = f.derivative() * (step / (k + 1))
    return fmpq_mat(columns, columns, values)


@dataclass(frozen=True)
class Law:
    """``dx/dt = R x + b f`` (LegS: ``t dx/dt``), with x a rational scaling of c that each law states.

    Attributes:
        R: (N, N).
        b: (N, 1).
    """

    R: fmpq_mat
    b: fmpq_mat


def law(order: int, entry: Callable[[int, int], object], gain: Callable[[int], object]) -> Law:
    """The law with ``R_nk = entry(n, k)`` and ``b_n = gain(n)``."""
    return Law(square(order, entry), column(gain(n) for n in range(order)))


def legs(order: int) -> Law:
    """LegS with ``x_n = c_n/s_n = int f P_n``. HiPPO theorem 2. legs_lti is the same without the factor t."""
    return law(order, lambda n, k: -(2 * k + 1) if k < n else -(n + 1) if k == n else 0, lambda n: 1)


def legt(order: int, theta: fmpq) -> Law:
    """LegT with ``x_n = c_n/s_n``. HiPPO appendix D.1."""
    return law(order, lambda n, k: -(2 * k + 1) / theta * (1 if k <= n else (-1) ** (n + k)), lambda n: 1 / theta)


def lmu(order: int, theta: fmpq) -> Law:
    """LMU with ``x_n = c_n``, rational as it stands. LMU 2019, equation 2."""
    return law(
        order,
        lambda n, k: -(2 * n + 1) / theta * ((-1) ** (n + k) if k <= n else 1),
        lambda n: (2 * n + 1) * (-1) ** n / theta,
    )


def lagt(order: int, alpha: fmpq, beta: fmpq) -> Law:
    """LagT with ``x_n = zeta^(1/2) Lam_n c_n``. HiPPO appendix D.2."""
    decay = (1 + beta) / 2
    return law(order, lambda n, k: -1 if k < n else -decay if k == n else 0, lambda n: binomial(n + alpha, n))


@dataclass(frozen=True)
class FourierLaw:
    """FouT for ``x_0 = c_0``, ``x_n = c_n/sqrt 2``: ``theta dx/dt = (pi turn + rest) x + b f``.

    Attributes:
        turn: (N, N) rational multiples of pi.
        rest: (N, N).
        b: (N, 1).
    """

    turn: fmpq_mat
    rest: fmpq_mat
    b: fmpq_mat


def fourier_ends(order: int) -> fmpq_mat:
    """(N, 1): values of ``1, cos 2πv, sin 2πv, cos 4πv, ...`` at both ends of the window."""
    return column(int(n == 0 or n % 2 == 1) for n in range(order))


def fourier_weights(order: int) -> fmpq_mat:
    """(N, N) diagonal: inverse squared norms 1, 2, 2, ... of that basis."""
    return diagonal(1 if n == 0 else 2 for n in range(order))


def fourier_turn(order: int) -> fmpq_mat:
    """(N, N): ``2j`` for ``[cos j, sin j]`` and ``-2j`` for ``[sin j, cos j]``, complete pairs only."""
    turn = fmpq_mat(order, order)
    for cosine in range(1, order - 1, 2):
        turn[cosine, cosine + 1], turn[cosine + 1, cosine] = cosine + 1, -(cosine + 1)
    return turn


def fout(order: int) -> FourierLaw:
    """HiPPO appendix D.4 and HTTYH (S4-FouT): ``R - 2 B0 B0^T`` and ``2 B0``, without the factors sqrt 2."""
    ends = fourier_ends(order)
    return FourierLaw(fourier_turn(order), -2 * ends * ends.transpose() * fourier_weights(order), 2 * ends)
