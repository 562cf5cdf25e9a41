"""Arb balls: scoped precision, exact conversions in and out, and "raise the precision until the radius is reached".

A ball is a midpoint with a radius that encloses the true number; every operation of Arb keeps that promise, so what is
proved here needs no second run. Nothing of ``precision.settle`` is used: the two witnesses share no judgement.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, TypeAlias

from flint import acb, arb, ctx, fmpq
from mpmath import libmp, mp, mpf

from hippo_ref.precision import PrecisionError, bits_for

Balls: TypeAlias = list[arb]
Signal: TypeAlias = Callable[..., Any]

_FIRST_GUARD = 32
_LAST_GUARD = 1 << 14
_PATIENCE = 1 << 8
# A row much smaller than what it was made from (2^-32 of it) may be an exact zero: it is judged against its inputs.
_SMALLEST_ROW = 32


@contextmanager
def ball_precision(bits: int) -> Iterator[None]:
    """Run the body with ``flint.ctx.prec = bits`` and give the caller's precision back, whatever happens inside."""
    borrowed = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = borrowed


def ball(value: Fraction | mpf | int) -> arb:
    """The number as a ball: exact for mpf and int, as tight as the precision for a Fraction."""
    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    return arb(value)


def holomorphic(f: Signal) -> Callable[[acb, bool], acb]:
    """The signal as a function of ``(z, analytic)``, whichever way it was written.

    It takes the flag if its second parameter must be given or is called ``analytic``, as for python-flint's
    ``acb.integral``: with the flag set it must not be finite where it is not holomorphic.
    """
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    taken = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if len(taken) > 1 and (taken[1].default is inspect.Parameter.empty or taken[1].name == "analytic"):
        return lambda z, analytic: acb(f(z, analytic))
    return lambda z, _: acb(f(z))


def midpoint(value: arb) -> mpf:
    """The midpoint of a ball as an mpf, exactly."""
    mantissa, exponent = value.mid().man_exp()
    return mp.make_mpf(libmp.from_man_exp(int(mantissa), int(exponent)))


def radius(value: arb) -> mpf:
    """The radius of a ball as an mpf, exactly."""
    mantissa, exponent = value.rad().man_exp()
    return mp.make_mpf(libmp.from_man_exp(int(mantissa), int(exponent)))


def widened(value: arb, error: arb) -> arb:
    """The ball enlarged by an upper bound ``error >= 0`` of what its computation left out."""
    return value + arb(0, error.abs_upper())


def largest(values: Sequence[arb]) -> arb:
    """An upper bound on ``max |value|``; 0 for no values, infinite where one is not finite (NaN beats no number)."""
    if not all(value.is_finite() for value in values):
        return arb("inf")
    return max((value.abs_upper() for value in values), default=arb(0))


def wide(rows: Sequence[Sequence[arb]], bits: int, floor: arb) -> arb | None:
    """None if every radius is below ``2^-bits`` of its row's largest entry, else the worst radius over that size.

    A row smaller than ``2^-32`` of ``floor`` (an upper bound on its inputs) is judged against that.
    """
    worst = None
    if not floor.is_finite():
        return arb("inf")
    least = floor.abs_upper() * arb(2) ** -_SMALLEST_ROW
    for row in rows:
        if not all(value.is_finite() for value in row):
            return arb("inf")
        size = max([value.abs_lower() for value in row] + [least], default=arb(0))
        spread = max((value.rad() for value in row), default=arb(0))
        if spread > size * arb(2) ** -bits or (size == 0 and spread > 0):
            excess = spread / size if size > 0 else arb("inf")
            worst = excess if worst is None or excess > worst else worst
    return worst


def _log2(value: arb) -> int:
    """The base-2 logarithm of a positive number, rounded up to an integer or a little more."""
    mantissa, exponent = value.abs_upper().man_exp()
    return int(mantissa).bit_length() + int(exponent)


def reach(
    compute: Callable[[], list[Balls]], digits: int, what: str, *, guard: int = 0, floor: Callable[[], arb] = arb
) -> list[Balls]:
    """Raise the ball precision until every row is as narrow as asked; radii are part of the answer.

    Args:
        compute: rows of balls, at the ``flint.ctx.prec`` set for it; ZeroDivisionError counts as "too wide".
        digits: each radius ends below ``10^-digits`` of its row's largest entry.
        what: name of the computation, for the error message.
        guard: bits known beforehand to be lost.
        floor: gives a bound on the inputs, asked after a run: a row below ``2^-32`` of it is judged against that.

    Raises:
        ValueError: ``digits`` is not a positive integer.
        PrecisionError: the radius is not reached with 2^14 guard bits, or stopped shrinking before; the message holds
            the radius that was.
    """
    # bits_for rounds up to a whole number of bits, which may fall just short of the last digit.
    target = bits_for(digits) + 1
    spare, before = _FIRST_GUARD, arb("inf")
    while True:
        with ball_precision(target + guard + spare):
            try:
                rows = compute()
                excess = wide(rows, target, floor())
            except ZeroDivisionError:
                excess = arb("inf")
            except PrecisionError:
                # Too wide for a step on the way: more bits may do, unless many of them did not.
                if spare >= _PATIENCE:
                    raise
                excess = arb("inf")
            if excess is None:
                return rows
        # Balls that more precision does not narrow are as wide as their input.
        stuck = excess.is_finite() and not excess < before / 2
        if spare >= _LAST_GUARD or stuck:
            reached = "infinite" if not excess.is_finite() else excess.str(3, radius=False)
            raise PrecisionError(
                f"{what}: a radius of 10^-{digits} was asked for, relative to the largest entry; {reached} was reached"
            )
        # Radii shrink with the precision: what is missing is asked for at once, twice as much if that is not known.
        before = excess
        missing = _log2(excess) + target if excess.is_finite() else 0
        spare = min(max(2 * spare, spare + missing + _FIRST_GUARD // 2), _LAST_GUARD)
