"""Classical three-term recurrences, at the working precision of the caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from flint import arb, ctx
from mpmath import mp, mpf

from hippo_ref.balls import midpoint
from hippo_ref.fixed import Integers, to_fixed
from hippo_ref.precision import Vector, as_mpf


def shifted_legendre(order: int, v: mpf) -> Vector:
    """``P_n(2v - 1)`` for n < order, ``P_n(1) = 1``; stable on [0, 1]. Source: DLMF 18.9.1 (Bonnet)."""
    z = 2 * v - 1
    values = [mpf(1), z][:order]
    for n in range(1, order - 1):
        values.append(((2 * n + 1) * z * values[n] - n * values[n - 1]) / (n + 1))
    return values


def laguerre(order: int, alpha: mpf, u: mpf) -> Vector:
    """``L_n^(alpha)(u)`` for n < order, ``L_n^(alpha)(0) = binom(n+alpha, n)``. Source: DLMF table 18.9.1."""
    values = [mpf(1), 1 + alpha - u][:order]
    for n in range(1, order - 1):
        values.append(((2 * n + 1 + alpha - u) * values[n] - (n + alpha) * values[n - 1]) / (n + 1))
    return values


@dataclass(frozen=True)
class Rows:
    """(N, M) numbers in fixed point over a unit of their own: ``entries 2^(unit - F)``, F the working precision.

    The unit keeps the digits of numbers that are all small, as the kernels of the distant past are.
    """

    entries: list[Integers]
    unit: int = 0

    @classmethod
    def of_columns(cls, columns: Iterable[Vector]) -> Rows:
        """From values found node by node."""
        rows = list(zip(*columns, strict=True))
        unit = max((int(mp.mag(value)) for row in rows for value in row if value), default=0)
        return cls([to_fixed(mp.ldexp(value, -unit) for value in row) for row in rows], unit)


def legendre_rows(arguments: Sequence[mpf], scales: Vector, envelopes: Sequence[mpf] | None = None) -> Rows:
    """``envelope scale_n P_n(2v - 1)`` at many v: an order of magnitude faster than one by one."""
    bits, order = mp.prec, len(scales)
    z = to_fixed(2 * v - 1 for v in arguments)
    rows = [[1 << bits] * len(z), z][:order]
    for n in range(1, order - 1):
        a, b, c = 2 * n + 1, n << bits, (n + 1) << bits
        zipped = zip(z, rows[n], rows[n - 1], strict=True)
        rows.append([(a * zj * p - b * q) // c for zj, p, q in zipped])
    return _scaled(rows, scales, envelopes)


def laguerre_rows(arguments: Sequence[mpf], alpha: mpf, scales: Vector, envelopes: Sequence[mpf]) -> Rows:
    """``envelope scale_n L_n^(alpha)(u)`` at many u."""
    bits, order = mp.prec, len(scales)
    u, shift = to_fixed(arguments), to_fixed([alpha])[0]
    rows = [[1 << bits] * len(u), [(1 << bits) + shift - x for x in u]][:order]
    for n in range(1, order - 1):
        a, b, c = ((2 * n + 1) << bits) + shift, (n << bits) + shift, (n + 1) << bits
        zipped = zip(u, rows[n], rows[n - 1], strict=True)
        rows.append([((a - x) * p - b * q) // c for x, p, q in zipped])
    return _scaled(rows, scales, envelopes)


def _scaled(rows: list[Integers], scales: Vector, envelopes: Sequence[mpf] | None) -> Rows:
    """Envelope last, at a unit that keeps its digits: far out, polynomials grow by as much as it is small."""
    bits, unit = mp.prec, 0
    if envelopes is not None:
        unit = max(int(mp.mag(value)) for value in envelopes)
        small = to_fixed(mp.ldexp(value, -unit) for value in envelopes)
        rows = [[p * e >> bits for p, e in zip(row, small, strict=True)] for row in rows]
    return Rows([[s * p >> bits for p in row] for s, row in zip(to_fixed(scales), rows, strict=True)], unit)


def shifted_chebyshev(order: int, v: mpf) -> Vector:
    """``T_n(2v - 1)`` for n < order. Source: DLMF 18.9.1, table 18.9.1."""
    z = 2 * v - 1
    values = [mpf(1), z][:order]
    for n in range(1, order - 1):
        values.append(2 * z * values[n] - values[n - 1])
    return values


def shifted_jacobi(order: int, alpha: Fraction, beta: Fraction, v: mpf) -> Vector:
    """Orthonormal Jacobi polynomials in ``2v - 1`` under ``(1-v)^alpha v^beta`` of mass 1, for n < order.

    Source: DLMF 18.9.2 for the recurrence, table 18.3.1 for the norms.
    """
    z, s = 2 * v - 1, alpha + beta
    values = [mpf(1), as_mpf(alpha + 1) + as_mpf(s + 2) * (z - 1) / 2][:order]
    for n in range(1, order - 1):
        c = 2 * n + s
        scale = 2 * (n + 1) * (n + s + 1) * c
        linear = as_mpf((c + 1) * (c + 2) * c / scale) * z + as_mpf((c + 1) * (alpha * alpha - beta * beta) / scale)
        before = as_mpf(2 * (n + alpha) * (n + beta) * (c + 2) / scale)
        values.append(linear * values[n] - before * values[n - 1])
    norms, product = [Fraction(1)], Fraction(1)
    for n in range(1, order):
        # (alpha+1)_n (beta+1)_n / ((2n+s+1) n! (s+2)_{n-1}), which is defined for s = -1 too.
        product *= (alpha + n) * (beta + n) / n
        if n > 1:
            product /= s + n
        norms.append(product / (2 * n + s + 1))
    return [value / mp.sqrt(as_mpf(norm)) for value, norm in zip(values, norms, strict=True)]


def beta_moments(count: int, alpha: Fraction, beta: Fraction) -> list[Fraction]:
    """``int v^k (1-v)^alpha v^beta dv`` over the mass, for k < count: ``(beta+1)_k/(alpha+beta+2)_k``."""
    moments = [Fraction(1)]
    for k in range(count - 1):
        moments.append(moments[-1] * (beta + 1 + k) / (alpha + beta + 2 + k))
    return moments


def legendre_scales(order: int) -> Vector:
    """``s_n = sqrt(2n+1)`` for n < order."""
    return _legendre_scales(order, mp.prec)[:]


@lru_cache(maxsize=32)
def _legendre_scales(order: int, bits: int) -> Vector:
    return [mp.sqrt(2 * n + 1) for n in range(order)]


@lru_cache(maxsize=64)
def gauss_legendre(degree: int, bits: int) -> tuple[tuple[mpf, mpf], ...]:
    """Nodes in (0, 1) and weights (sum 1) of Gauss–Legendre quadrature, as pairs, exact to ``bits`` bits.

    The roots come from Arb, whose balls prove them: the precision is raised until every radius is below ``2^-bits``
    of its midpoint.
    """
    borrowed = ctx.prec
    extra = 16
    try:
        while True:
            ctx.prec = bits + extra
            balls = [arb.legendre_p_root(degree, index, True) for index in range(degree)]
            # Halving and shifting to (0, 1) cancels for the leftmost nodes, hence the extra bits beyond the target.
            pairs = [((1 + node) / 2, weight / 2) for node, weight in balls]
            if min(ball.rel_accuracy_bits() for pair in pairs for ball in pair) >= bits:
                return tuple((midpoint(node), midpoint(weight)) for node, weight in pairs)
            extra *= 2
    finally:
        ctx.prec = borrowed
