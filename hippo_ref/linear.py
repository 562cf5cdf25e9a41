"""Inverse and exponential of a dense matrix by Arb, whose balls prove every entry.

The precision is raised until all radii are below ``2^-prec`` of the largest entry; conversions between mpf and balls
are exact, so nothing else is lost. Works at the caller's ``mp.prec``.
"""

from __future__ import annotations

from collections.abc import Callable

from flint import arb, arb_mat, ctx
from mpmath import mp

from hippo_ref.balls import ball, midpoint
from hippo_ref.precision import PrecisionError, Vector


def _proved(rows: list[Vector], function: Callable[[arb_mat], arb_mat], name: str) -> list[Vector]:
    order, target = len(rows), mp.prec
    borrowed = ctx.prec
    extra = 32 + 2 * order
    try:
        matrix = arb_mat(order, order, [ball(entry) for row in rows for entry in row])
        while extra < (1 << 14):
            ctx.prec = target + extra
            extra *= 2
            try:
                balls = function(matrix).entries()
            except ZeroDivisionError:
                # Singular as far as these balls can tell; a higher precision may tell otherwise.
                continue
            if all(entry.is_finite() for entry in balls):
                allowed = max(entry.abs_upper() for entry in balls) * arb(2) ** -target
                if all(entry.rad() < allowed for entry in balls):
                    values = [midpoint(entry) for entry in balls]
                    return [values[n * order : (n + 1) * order] for n in range(order)]
    finally:
        ctx.prec = borrowed
    raise PrecisionError(
        f"{name} of a matrix of order {order}: balls wider than 2^-{target} with {extra // 2} extra bits"
    )


def inverse(rows: list[Vector]) -> list[Vector]:
    """Inverse of an (N, N) matrix.

    Raises:
        PrecisionError: the matrix is singular, or too close to it for 2^14 extra bits.
    """
    return _proved(rows, lambda matrix: matrix.inv(), "inverse")


def exponential(rows: list[Vector]) -> list[Vector]:
    """Exponential of an (N, N) matrix.

    Raises:
        PrecisionError: the balls stay too wide with 2^14 extra bits.
    """
    return _proved(rows, lambda matrix: matrix.exp(), "exponential")
