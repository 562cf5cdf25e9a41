"""Numbers as text that any language reads: doubles as hex floats, balls as correctly rounded decimals."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import arb

Exact = tuple[int, int]

DIGITS = 22
"""Significant decimal digits of the entry that sets a row's quantum: 5 more than tell two doubles apart."""


def hexadecimal(value: float) -> str:
    """A double in the C99 form ``0x1.8p+1``: the shortest mantissa, nothing rounded; ``float.fromhex`` inverts it."""
    mantissa, mark, exponent = value.hex().partition("p")
    return (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa) + mark + exponent


def rounded_row(row: Sequence[arb], floor: Fraction, entrywise: bool) -> tuple[list[str], str] | None:
    """A row of balls as decimals on one quantum ``10^-q``, each the number nearest to the truth.

    The strings depend on the true numbers alone, not on the balls that enclose them, so they are the same whatever
    library, version or precision found the balls. The quantum has `DIGITS` digits of the largest entry (of the smallest
    nonzero one, if ``entrywise``), and never more than that of ``floor``.

    Args:
        row: balls.
        floor: size below which an entry sets no quantum.
        entrywise: whether every entry is to have `DIGITS` digits of its own; then a 0 among them is exactly zero.

    Returns:
        The decimals, and a radius for all of them: half a quantum, or 0 where every decimal is exact. None if some ball
        is too wide to say which decimal is nearest.
    """
    uppers = [_upper(value) for value in row]
    if entrywise:
        if any(value.contains(0) and value != 0 for value in row):
            return None
        size = min((upper for upper in uppers if upper), default=Fraction(0))
    else:
        size = max(uppers, default=Fraction(0))
    size = max(size, floor)
    if size == 0:
        return ["0"] * len(row), "0"
    places = DIGITS - 1 - decimal_exponent(size)
    exact = True
    texts = []
    for value in row:
        middle, radius = _dyadic(value.mid()), _dyadic(value.rad())
        low, high = (_nearest(_sum(middle, radius, sign), places) for sign in (-1, 1))
        if low != high:
            return None
        exact = exact and radius[0] == 0 and _is_decimal(middle, low, places)
        texts.append(decimal(low, places))
    return texts, "0" if exact else decimal(5, places + 1)


def widened_row(row: Sequence[arb], floor: Fraction) -> tuple[list[str], str]:
    """As `rounded_row` for balls that never say which decimal is nearest (a true tie): midpoints, a wider radius."""
    size = max([*map(_upper, row), floor])
    places = DIGITS - 1 - decimal_exponent(size)
    texts = [decimal(_nearest(_dyadic(value.mid()), places), places) for value in row]
    widest = max(_fraction(_dyadic(value.rad())) for value in row)
    steps = -int(-(widest * Fraction(10) ** (places + 1)) // 1)
    return texts, decimal(5 + steps, places + 1)


def decimal(integer: int, places: int) -> str:
    """``integer * 10^-places`` in scientific form, without zeros at the end."""
    if integer == 0:
        return "0"
    digits = str(abs(integer))
    exponent = len(digits) - 1 - places
    digits = digits.rstrip("0")
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{'-' if integer < 0 else ''}{mantissa}{f'e{exponent}' if exponent else ''}"


def decimal_exponent(value: Fraction) -> int:
    """The e with ``10^e <= value < 10^(e+1)``, for value > 0."""
    guess = len(str(value.numerator)) - len(str(value.denominator))
    while Fraction(10) ** guess > value:
        guess -= 1
    while Fraction(10) ** (guess + 1) <= value:
        guess += 1
    return guess


def _dyadic(value: arb) -> Exact:
    """``(m, e)`` with value ``m 2^e`` of an exact ball."""
    mantissa, exponent = value.man_exp()
    return int(mantissa), int(exponent)


def _fraction(number: Exact) -> Fraction:
    return Fraction(number[0]) * Fraction(2) ** number[1]


def _upper(value: arb) -> Fraction:
    return abs(_fraction(_dyadic(value.mid()))) + _fraction(_dyadic(value.rad()))


def _sum(middle: Exact, radius: Exact, sign: int) -> Exact:
    if radius[0] == 0:
        return middle
    exponent = min(middle[1], radius[1])
    return (middle[0] << (middle[1] - exponent)) + sign * (radius[0] << (radius[1] - exponent)), exponent


def _scaled(number: Exact, places: int) -> tuple[int, int]:
    """``number * 10^places`` as a quotient of integers."""
    numerator, denominator = number[0], 1
    if places >= 0:
        numerator *= 10**places
    else:
        denominator = 10**-places
    return (numerator << number[1], denominator) if number[1] >= 0 else (numerator, denominator << -number[1])


def _nearest(number: Exact, places: int) -> int:
    """``number * 10^places`` rounded to an integer, half to even."""
    numerator, denominator = _scaled(number, places)
    quotient, rest = divmod(2 * numerator + denominator, 2 * denominator)
    return quotient - 1 if rest == 0 and quotient % 2 else quotient


def _is_decimal(number: Exact, integer: int, places: int) -> bool:
    numerator, denominator = _scaled(number, places)
    return numerator == integer * denominator
