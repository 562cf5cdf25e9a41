"""What an error was and is: growth and lost bits are seen, rounding and identical builds are not."""

import math

import numpy as np
import pytest
from gate_sides import measured, side
from hypothesis import given
from hypothesis import strategies as st

from verify.gate import Kind, Outcome, Settings, Thresholds, Word, compare
from verify.gate.accuracy import BITS, BOUND, FLOORS, SMALLEST, judge_count, judge_error

FINE = Thresholds()
ERRORS = st.floats(0, 1e300) | st.sampled_from([0.0, 5e-324, 1e-310, 2.0**-1022, 2.0**-19, 1.0])
UNITS = st.sampled_from([BOUND, BITS, "relative error", "ulps", "error"])


def word(base, head, unit=BOUND, thresholds=FINE):
    return judge_error(base, head, unit, thresholds).word


@pytest.mark.parametrize(
    ("base", "head", "unit", "expected"),
    [
        (0.014, 0.014 * 1.5, BOUND, Word.LESS_ACCURATE),
        (0.2, 0.3, BOUND, Word.LESS_ACCURATE),  # 1.4999999999999998 in float64
        (0.014, 0.014 * 1.49, BOUND, Word.SAME),
        (0.014, 0.14, BOUND, Word.LESS_ACCURATE),
        (0.3, 0.2, BOUND, Word.BETTER),
        (0.0, 0.0, BOUND, Word.SAME),
        (0.0, 2.0**-20, BOUND, Word.SAME),  # below half a unit in the last place
        (2.0**-30, 2.0**-20, BOUND, Word.SAME),
        (0.0, 1e-5, BOUND, Word.LESS_ACCURATE),
        (2.0**-30, 1e-5, BOUND, Word.LESS_ACCURATE),
        (0.9, 1.1, BOUND, Word.LESS_ACCURATE),  # right before, wrong now
        (1.0, math.nextafter(1, 2), BOUND, Word.LESS_ACCURATE),
        (1.1, 0.9, BOUND, Word.BETTER),
        (1.1, 1.2, BOUND, Word.SAME),
        (0.0, 5e-324, "error", Word.SAME),
        (0.0, 1e-300, "error", Word.LESS_ACCURATE),
        (0.0, 2.0**-53, "relative error", Word.SAME),
        (2.0**-53, 2.0**-52, "relative error", Word.LESS_ACCURATE),
        (0.1, 0.5, "ulps", Word.SAME),  # the nearest number, before and now
        (0.5, 1.0, "ulps", Word.LESS_ACCURATE),  # one bit
        (0.0, 1.0, "ulps", Word.LESS_ACCURATE),
        (0.7, 1.0, "ulps", Word.SAME),
        (3.25, 4.25, BITS, Word.LESS_ACCURATE),
        (3.25, 4.2, BITS, Word.SAME),
        (3.1, 4.1, BITS, Word.LESS_ACCURATE),  # 0.9999999999999996 in float64
        (0.0, 0.99, BITS, Word.SAME),
        (0.0, 1.0, BITS, Word.LESS_ACCURATE),
        (40.0, 41.0, BITS, Word.LESS_ACCURATE),  # 2.5 % of the figure, and one bit all the same
        (5.0, 3.0, BITS, Word.BETTER),
    ],
)
def test_errors(base, head, unit, expected):
    assert word(base, head, unit) is expected


def test_the_error_that_one_bit_is_grows_by_two():
    assert judge_error(3.0, 4.0, BITS, FINE).ratio == 2
    assert judge_error(0.1, 0.4, BOUND, FINE).ratio == pytest.approx(4)
    assert judge_error(0.0, 0.4, BOUND, FINE).ratio == pytest.approx(0.4 * 2**20)
    assert judge_error(0.0, 0.4, BOUND, Thresholds(floor=0.0)).ratio is None


def test_the_floor_is_half_a_unit_in_the_last_place():
    """The bound on a sum of n numbers in any order is (n - 1) u sum |x|: a unit in the last place is 2 / n of it."""
    terms, roundoff = 2**20, 2.0**-53
    bound = (terms - 1) * roundoff * terms  # of a sum of that many ones
    unit = np.spacing(float(terms))
    assert FLOORS[BOUND] == pytest.approx(unit / bound / 2, rel=1e-5)
    assert FLOORS["relative error"] == np.spacing(1.0) / 2
    assert FLOORS["ulps"] == FLOORS["ulp"] == 0.5


@pytest.mark.parametrize("unit", [BOUND, "relative error", "ulps", BITS])
def test_one_bit_less_than_the_nearest_number_is_seen(unit):
    before = FLOORS[unit]
    now = before + 1 if unit == BITS else 2 * before
    assert word(before, now, unit) is Word.LESS_ACCURATE
    assert word(now, before, unit) is Word.BETTER


@given(ERRORS, UNITS)
def test_an_identical_build_is_never_an_alarm(error, unit):
    found = judge_error(error, error, unit, FINE)
    assert (found.word, found.outcome, found.ratio) == (Word.SAME, Outcome.PASS, 1)


@given(ERRORS, ERRORS, UNITS)
def test_swapped_sides_turn_the_word_round(base, head, unit):
    turned = {Word.LESS_ACCURATE: Word.BETTER, Word.BETTER: Word.LESS_ACCURATE, Word.SAME: Word.SAME}
    assert word(head, base, unit) is turned[word(base, head, unit)]


@given(ERRORS, ERRORS, ERRORS, UNITS)
def test_more_error_is_never_better(base, head, more, unit):
    order = [Word.BETTER, Word.SAME, Word.LESS_ACCURATE]
    low, high = sorted((head, more))
    assert order.index(word(base, low, unit)) <= order.index(word(base, high, unit))


@given(ERRORS, ERRORS, UNITS)
def test_numbers_are_finite(base, head, unit):
    ratio = judge_error(base, head, unit, FINE).ratio
    assert ratio is None or math.isfinite(ratio)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -0.5, None])
def test_what_is_no_error(wrong):
    lost = judge_error(0.1, wrong, BOUND, FINE)
    assert lost.outcome is Outcome.FAIL
    assert lost.word is (Word.LESS_ACCURATE if wrong in (math.inf,) or wrong != wrong else Word.NOT_MEASURED)  # noqa: PLR0124
    assert judge_error(wrong, wrong, BOUND, FINE).outcome is Outcome.INCONCLUSIVE
    mended = judge_error(wrong, 0.1, BOUND, FINE)
    below = wrong is not None and wrong < 0
    news = (Word.NOT_COMPARABLE, Outcome.PASS)
    assert (mended.word, mended.outcome) == ((Word.NOT_MEASURED, Outcome.INCONCLUSIVE) if below else news)


@pytest.mark.parametrize("now", [-12.0, 0.0, 2.0])
def test_a_logarithm_of_an_error_is_refused(now):
    """Whichever side of zero it is on: what was below it and is above it has grown, if it is a logarithm."""
    found = judge_error(-14.0, now, BOUND, FINE)
    assert (found.outcome, found.word) == (Outcome.INCONCLUSIVE, Word.NOT_MEASURED)
    assert "negative" in found.message


def test_thresholds_of_its_own():
    assert word(0.1, 0.19, thresholds=Thresholds(growth=2)) is Word.SAME
    assert word(0.1, 0.2, thresholds=Thresholds(growth=2)) is Word.LESS_ACCURATE
    assert word(1.0, 1.5, BITS, Thresholds(bits=0.5)) is Word.LESS_ACCURATE
    assert word(0.001, 0.1, thresholds=Thresholds(floor=0.1)) is Word.SAME
    assert word(1.0, 2.5, BITS, Thresholds(floor=2)) is Word.SAME
    assert np.finfo(float).tiny == SMALLEST


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [
        (10, 10, (Word.SAME, Outcome.PASS)),
        (10, 9, (Word.NOT_COMPARABLE, Outcome.FAIL)),
        (10, 0, (Word.NOT_COMPARABLE, Outcome.FAIL)),
        (0, 0, (Word.SAME, Outcome.PASS)),
        (10, 11, (Word.SAME, Outcome.PASS)),
        (10, math.nan, (Word.NOT_MEASURED, Outcome.FAIL)),
        (10, None, (Word.NOT_MEASURED, Outcome.FAIL)),
        (10, -1, (Word.NOT_MEASURED, Outcome.FAIL)),
        (math.nan, 10, (Word.NOT_COMPARABLE, Outcome.PASS)),
        (None, None, (Word.NOT_MEASURED, Outcome.INCONCLUSIVE)),
    ],
)
def test_counts(base, head, expected):
    found = judge_count(base, head, "verdicts")
    assert (found.word, found.outcome) == expected


def test_an_error_that_is_not_deterministic_accuses_nobody():
    def said(base, head):
        return compare(side(measured("e", Kind.ERROR, base)), side(measured("e", Kind.ERROR, head)), Settings())

    assert said([0.1, 0.1], [0.1, 0.1]).word is Word.SAME
    assert said([0.1, 0.2], [0.2, 0.1]).word is Word.NOT_MEASURED
    assert "not deterministic: 0.1 or 0.2 before" in said([0.1, 0.2], [0.2, 0.1]).findings[0].message
    assert said([0.1, 0.2], [0.5, 0.6]).word is Word.LESS_ACCURATE  # whichever is compared
    assert said([0.1, 0.1], [0.1, math.nan]).word is Word.NOT_MEASURED
    assert said([0.1], []).exit_code == 1
