"""Numbers as text: hex floats that lose nothing, decimals that are nearest to the truth."""

from fractions import Fraction

import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from hippo_ref.balls import ball_precision
from hippo_ref.vectors.numbers import DIGITS, decimal, decimal_exponent, hexadecimal, rounded_row, widened_row
from hippo_ref.vectors.signals import SIGNALS, noise, scrambled
from verify.vectors.files import numbers

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NOTHING = Fraction(0)


@given(FLOATS)
def test_hex_floats_come_back_bit_by_bit(value):
    back = float.fromhex(hexadecimal(value))
    assert (back, str(back)) == (value, str(value))  # the sign of zero too


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.0, "0x1.8p+1"), (0.0, "0x0p+0"), (-0.0, "-0x0p+0"), (5e-324, "0x0.0000000000001p-1022"), (1024.0, "0x1p+10")],
)
def test_hex_floats_are_short(value, text):
    assert hexadecimal(value) == text


@given(st.integers(-(10**30), 10**30), st.integers(-20, 400))
def test_decimals_are_exact(integer, places):
    assert Fraction(decimal(integer, places)) == Fraction(integer) / Fraction(10) ** places


@given(st.fractions(min_value=Fraction(1, 10**40), max_value=10**40))
def test_decimal_exponents(value):
    e = decimal_exponent(value)
    assert Fraction(10) ** e <= value < Fraction(10) ** (e + 1)


def row(*values):
    """Balls of width 2^-200 around Fractions."""
    with ball_precision(256):
        return [arb(v.numerator) / v.denominator + arb(0, 2.0**-200) for v in map(Fraction, values)]


@given(st.lists(st.fractions(min_value=-100, max_value=100, max_denominator=10**6), min_size=1, max_size=5))
def test_a_row_is_nearest_and_its_radius_holds(values):
    found = rounded_row(row(*values), Fraction(1, 1000), entrywise=False)
    if found is None:  # a tie, or an edge of one: never told apart by a ball
        return
    texts, radius = found
    for text, value in zip(texts, values, strict=True):
        assert abs(Fraction(text) - value) <= Fraction(radius)
    largest = max([abs(value) for value in values] + [Fraction(1, 1000)])
    assert Fraction(radius) <= largest / 10 ** (DIGITS - 1)


def test_the_strings_do_not_depend_on_the_balls():
    third = Fraction(1, 3)
    with ball_precision(400):
        fine = [arb(1) / 3, arb(-2) / 3]
    assert rounded_row(fine, NOTHING, False) == rounded_row(row(third, -2 * third), NOTHING, False)


def test_a_ball_too_wide_is_not_rounded():
    with ball_precision(64):
        wide = [arb(1) / 3 + arb(0, 1e-15)]
    assert rounded_row(wide, NOTHING, False) is None
    texts, radius = widened_row(wide, NOTHING)
    assert abs(Fraction(texts[0]) - Fraction(1, 3)) < Fraction(radius) < Fraction(2, 10**15)


def test_exact_rows_say_so():
    assert rounded_row([arb(1), arb(-0.5), arb(0)], NOTHING, False) == (["1", "-5e-1", "0"], "0")
    assert rounded_row([arb(0), arb(0)], NOTHING, False) == (["0", "0"], "0")


def test_a_zero_among_the_matrices_is_proved():
    with ball_precision(200):
        maybe = [arb(1), arb(0, 2.0**-150)]
    assert rounded_row(maybe, NOTHING, entrywise=True) is None
    assert rounded_row([arb(1), arb(0)], NOTHING, entrywise=True) == (["1", "0"], "0")
    assert rounded_row(maybe, NOTHING, entrywise=False)[0] == ["1", "0"]


def test_every_entry_of_a_matrix_has_its_digits():
    texts, radius = rounded_row(row(Fraction(10**6, 3), Fraction(1, 3 * 10**6)), NOTHING, entrywise=True)
    assert Fraction(radius) < Fraction(1, 3 * 10**6) / 10**21
    assert abs(Fraction(texts[1]) - Fraction(1, 3 * 10**6)) <= Fraction(radius)


def test_a_row_below_its_floor_is_zero():
    texts, radius = rounded_row(row(0), Fraction(1), entrywise=False)
    assert (texts, radius) == (["0"], "5e-22")


def test_signals_are_the_same_bits_everywhere():
    """Integers make them, so no library's sine or generator is in the way; these are kept for good."""
    assert scrambled(0, 0) == 9370218965779684112
    assert [hexadecimal(x) for x in noise(2)] == ["-0x1.4bc35ce06062p-1", "-0x1.0e9265e2d185ep-1"]
    assert len(set(noise(1000))) == 1000
    for name, signal in SIGNALS.items():
        assert len(signal(7)) == 7, name


@given(FLOATS)
def test_numbers_of_answers_are_read_exactly(value):
    exact, problem = numbers([value, repr(value), value.hex(), f"{value:.20e}"])
    assert problem == ""
    assert list(exact.high) == [value] * 4
    assert list(exact.low[:3]) == [0.0] * 3


@pytest.mark.parametrize(("text", "digits"), [("0.1", 0), ("0.100000000000000000", 17)])
def test_digits_beyond_a_double_are_kept(text, digits):
    """The truth is written in decimals that mean themselves; so are answers of more digits than a double has."""
    exact, _ = numbers([text], digits)
    assert abs(Fraction(exact.high[0]) + Fraction(exact.low[0]) - Fraction(1, 10)) < Fraction(1, 10**32)
    assert numbers(["0.1"])[0].low[0] == 0.0


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-Infinity", float("inf"), 10**400, "1e999", "0x1p+99999"])
def test_numbers_that_are_not_finite_are_numbers(text):
    exact, problem = numbers([text])
    assert problem == ""
    assert exact.high[0] != exact.high[0] or abs(exact.high[0]) == float("inf")


@pytest.mark.parametrize("value", ["one", "", "1,5", "0xzz", None, True, [1.0], {"re": 1}, "1" * 50 + "x"])
def test_what_is_no_number_is_said(value):
    exact, problem = numbers([1.0, value])
    assert exact is None
    assert problem.startswith("values[1] is ")
    assert problem.endswith("accepted: a number, a decimal or a hex float such as '0x1.8p+1'")
    assert len(problem) < 140
