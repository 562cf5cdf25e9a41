"""Precision is borrowed and returned: scoped working precision, exact conversions, and "raise until two agree"."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import TypeAlias

from mpmath import libmp, mp, mpf

Vector: TypeAlias = list[mpf]

_FIRST_GUARD = 64
_LAST_GUARD = 1 << 13
# A row much smaller than its inputs (2^-32 of them) is judged against the inputs: it may be a rounded exact zero.
_SMALLEST_ROW = 32
_AGREEMENT = 16


class PrecisionError(ArithmeticError):
    """The requested digits could not be reached; the message says which error was."""


def bits_for(dps: int) -> int:
    """Working precision in bits that holds ``dps`` decimal digits.

    Raises:
        ValueError: ``dps`` is not a positive integer.
    """
    return int(libmp.dps_to_prec(integer(dps, "dps", 1)))


@contextmanager
def working_bits(bits: int) -> Iterator[None]:
    """Run the body with ``mp.prec = bits`` and give the caller's precision back, whatever happens inside."""
    borrowed = mp.prec
    mp.prec = bits
    try:
        yield
    finally:
        mp.prec = borrowed


def integer(value: object, name: str, least: int) -> int:
    """Return ``value`` as an int of at least ``least``.

    Raises:
        TypeError: not an integer (bool is not one here).
        ValueError: smaller than ``least``.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer >= {least}, got {value!r} ({type(value).__name__})")
    if value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")
    return int(value)


def exact(value: object, name: str) -> Fraction | mpf:
    """Take a number without rounding it: an mpf for int, float and mpf, a Fraction for another rational.

    Raises:
        TypeError: not a real number (bool and str are not numbers here).
        ValueError: NaN or infinite.
    """
    if isinstance(value, mpf):
        if not mp.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}")
        return value
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be an int, float, Fraction or mpf, got {value!r} ({type(value).__name__})")
    if isinstance(value, numbers.Integral):
        return mp.make_mpf(libmp.from_int(int(value)))
    if isinstance(value, numbers.Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value!r}")
    # Asked of the value itself, so that floats wider or narrower than 64 bits stay exact too.
    numerator, denominator = value.as_integer_ratio()  # type: ignore[attr-defined]
    return mp.make_mpf(libmp.from_man_exp(int(numerator), 1 - int(denominator).bit_length()))


def exact_sequence(values: object, name: str, least: int = 0) -> list[Fraction | mpf]:
    """Take every number of a one-dimensional sequence without rounding it.

    Raises:
        TypeError: ``values`` is not iterable, or an element is not a real number.
        ValueError: an element is NaN or infinite, or there are fewer than ``least``.
    """
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} must be a sequence of numbers, got {values!r} ({type(values).__name__})")
    taken = [exact(value, f"{name}[{index}]") for index, value in enumerate(values)]
    if len(taken) < least:
        raise ValueError(f"{name} must hold at least {least} number(s), got {len(taken)}")
    return taken


def rational(value: object, name: str) -> Fraction:
    """Take a parameter exactly as a Fraction; a string is read as a decimal or ratio ("0.1" is 1/10).

    Raises:
        TypeError: neither a real number nor a string.
        ValueError: NaN, infinite, or a string that is not a number.
    """
    if isinstance(value, str):
        try:
            return Fraction(value)
        except (ValueError, ZeroDivisionError) as error:
            raise ValueError(f"{name} must be a finite number such as 0.5, '0.1' or '1/3', got {value!r}") from error
    taken = exact(value, name)
    if isinstance(taken, Fraction):
        return taken
    sign, mantissa, exponent, _ = taken._mpf_
    signed = -int(mantissa) if sign else int(mantissa)
    return Fraction(signed) * Fraction(2) ** int(exponent)


def as_mpf(value: Fraction | mpf) -> mpf:
    """The number at the current working precision; an mpf passes through unrounded."""
    if isinstance(value, Fraction):
        return mpf(value.numerator) / value.denominator if value.denominator != 1 else +mpf(value.numerator)
    return value


def rounded(values: Sequence[mpf], bits: int) -> Vector:
    """Round each value once, to ``bits``."""
    with working_bits(bits):
        return [+value for value in values]


def _disagreement(rough: Vector, fine: Vector, floor: mpf) -> mpf:
    scale = max([abs(value) for value in fine] + [mp.ldexp(floor, -_SMALLEST_ROW)], default=mpf(0))
    error = max((abs(a - b) for a, b in zip(rough, fine, strict=True)), default=mpf(0))
    return error / scale if error else error


def settle(
    compute: Callable[[int], list[Vector]], bits: int, what: str, *, guard: int = 0, floor: Callable[[], mpf] = mpf
) -> list[Vector]:
    """Raise the working precision until two runs agree, then round the finer one once.

    Each row (one state, say) must agree to ``bits + 16`` bits of its largest entry. Two precisions of a wrong formula
    agree as well: this removes rounding, nothing else. Nor can it see cancellation so deep that both runs lose every
    bit in the same way; computations whose loss is known beforehand state it as ``guard``.

    Args:
        compute: working precision in bits -> rows of numbers; called with ``mp.prec`` already set.
        bits: precision of the result.
        what: name of the computation, for the error message.
        guard: bits known beforehand to be lost, added to every attempt.
        floor: gives the size of the inputs, asked after a run; a row below ``2^-32`` of it is judged against that
            instead of itself.

    Raises:
        PrecisionError: no agreement with 8192 guard bits.
    """
    spare = _FIRST_GUARD
    with working_bits(bits + guard + spare):
        rough = compute(mp.prec)
    spare += _FIRST_GUARD // 2
    while True:
        with working_bits(bits + guard + spare):
            fine = compute(mp.prec)
            least = floor()
            worst = max((_disagreement(a, b, least) for a, b in zip(rough, fine, strict=True)), default=mpf(0))
            if worst <= mp.ldexp(1, -bits - _AGREEMENT):
                return [rounded(row, bits) for row in fine]
        if spare >= _LAST_GUARD:
            reached = mp.nstr(worst, 3)
            raise PrecisionError(f"{what}: {bits} bits were asked for, but two runs still differ by {reached}")
        rough, spare = fine, 2 * spare
