"""Exact numbers cross into floats once, and what gets lost on the way is written down."""

import math
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest

from verify.boundary import Exact, from_balls, to_exact, to_mpf

INF, NAN = math.inf, math.nan


def fraction(exact, index):
    return Fraction(float(exact.high[index])) + Fraction(float(exact.low[index]))


def third(scale=1):
    with mpmath.workprec(390):
        return scale * (mpmath.mpf(1) / 3)


class TestExact:
    def test_floats_have_no_radius(self):
        exact = Exact(np.array([[1.0, 2.0]]), np.zeros((1, 2)))
        assert exact.shape == (1, 2)
        assert exact.radius.shape == (1, 2)
        assert (exact.radius == 0).all()

    def test_a_radius_for_all_is_one_for_each(self):
        exact = Exact(np.array([1.0, 2.0, 4.0]), np.zeros(3), np.array(0.5))
        assert exact.radius.tolist() == [0.5, 0.5, 0.5]

    def test_an_index_takes_all_three_parts(self):
        exact = Exact(np.array([1.0, 2.0]), np.array([1e-20, 2e-20]), np.array([1e-40, 2e-40]))
        part = exact[1]
        assert (part.high, part.low, part.radius) == (2.0, 2e-20, 2e-40)
        assert exact[:1].shape == (1,)

    def test_the_error_sees_what_high_alone_does_not(self):
        exact = Exact(np.array([1.0, 1.0]), np.array([2.0**-60, -(2.0**-60)]))
        assert exact.error(np.array([1.0, 1.5])).tolist() == [-(2.0**-60), 0.5]
        for computed in ([1, 1], np.ones(2, np.float32), np.ones(2, np.longdouble)):
            assert exact.error(computed).dtype == np.float64

    def test_what_is_no_number_stays_visible(self):
        exact = Exact(np.array([1.0, INF, 1.0]), np.zeros(3))
        error = exact.error(np.array([NAN, INF, -INF]))
        assert np.isnan(error[:2]).all()
        assert error[2] == -INF

    def test_an_error_too_large_for_a_float_is_infinite(self):
        assert Exact(np.array([-1e308]), np.zeros(1)).error(np.array([1.7e308]))[0] == INF

    @pytest.mark.parametrize("exponent", [-3, 0, 5])
    def test_scaling_by_a_power_of_two_is_exact(self, exponent):
        exact = Exact(np.array([3.0, -1.0]), np.array([2.0**-55, 0.0]), np.array([2.0**-110, 2.0**-100]))
        scaled = exact.scaled(exponent)
        for part in ("high", "low", "radius"):
            assert (getattr(scaled, part) == getattr(exact, part) * 2.0**exponent).all()


class TestToExact:
    def test_a_float_comes_through_as_it_is(self):
        exact = to_exact([mpmath.mpf(0.1), mpmath.mpf(0)], (2,), 400)
        assert exact.high.tolist() == [0.1, 0.0]
        assert exact.low.tolist() == [0.0, 0.0]

    def test_high_is_rounded_once_and_low_is_the_rest(self):
        exact = to_exact([third()], (1,), 100)
        high = Fraction(float(exact.high[0]))
        assert exact.high[0] == 1 / 3
        assert exact.low[0] == float(Fraction(1, 3) - high)
        assert abs(fraction(exact, 0) - Fraction(1, 3)) <= Fraction(float(exact.radius[0])) < Fraction(1, 2**107)

    def test_digits_are_of_the_largest_in_the_row(self):
        rows = [[mpmath.mpf(-8), mpmath.mpf(1)], [mpmath.mpf(0.5), mpmath.mpf(0)]]
        exact = to_exact(rows, (2, 2), 20)
        assert exact.high.tolist() == [[-8.0, 1.0], [0.5, 0.0]]
        assert exact.radius == pytest.approx(np.array([[8e-20, 8e-20], [5e-21, 5e-21]]), rel=1e-15, abs=0)
        assert (exact.radius >= np.array([[8e-20, 8e-20], [5e-21, 5e-21]])).all(), "rounded up"

    def test_a_row_of_zeros_is_known(self):
        assert to_exact([mpmath.mpf(0)] * 2, (2,), 10).radius.tolist() == [0.0, 0.0]

    def test_a_flat_list_has_the_rows_of_its_shape(self):
        flat = [mpmath.mpf(x) for x in (1, 2, 4, 8)]
        assert to_exact(flat, (2, 2), 10).radius.ravel() == pytest.approx(
            [2e-10, 2e-10, 8e-10, 8e-10], rel=1e-12, abs=0
        )
        assert to_exact(flat, (4,), 10).radius == pytest.approx([8e-10] * 4, rel=1e-12, abs=0)

    def test_a_row_that_cancelled_is_known_relative_to_what_it_was_made_from(self):
        exact = to_exact([mpmath.mpf(0), mpmath.mpf(2)], (2, 1), 10, floor=2.0**33)
        assert exact.radius.ravel() == pytest.approx([2e-10, 2e-10], rel=1e-12, abs=0)
        large = to_exact([mpmath.mpf(64)], (1,), 10, floor=2.0**33)
        assert large.radius == pytest.approx([64e-10], rel=1e-12, abs=0)

    def test_a_single_number_has_the_shape_of_none(self):
        exact = to_exact([mpmath.mpf(3)], (), 10)
        assert exact.shape == ()
        assert exact.radius == pytest.approx(3e-10, rel=1e-12, abs=0)

    def test_nothing_is_an_array_of_nothing(self):
        assert to_exact([], (0,), 10).shape == (0,)
        assert to_exact([], (3, 0), 10).shape == (3, 0)

    def test_what_no_float_can_hold_is_infinite(self):
        exact = to_exact([mpmath.mpf(10) ** 400, mpmath.mpf(2)], (2, 1), 10)
        assert exact.high.ravel().tolist() == [INF, 2.0]
        assert exact.low.ravel().tolist() == [0.0, 0.0]
        assert exact.radius[0, 0] == 0
        assert exact.radius[1, 0] == pytest.approx(2e-10, rel=1e-12, abs=0)

    def test_precision_is_given_back(self):
        before = mpmath.mp.prec
        to_exact([third()], (1,), 10)
        from_balls([flint.arb(1)], (1,))
        to_mpf(Exact(np.array([1.0]), np.zeros(1)))
        assert mpmath.mp.prec == before


class TestFromBalls:
    def test_the_middle_and_the_radius_are_kept(self):
        ball = flint.arb(3, flint.arb(2) ** -70)
        exact = from_balls([[ball, flint.arb(-5)]], (1, 2))
        assert exact.high.tolist() == [[3.0, -5.0]]
        assert exact.low.tolist() == [[0.0, 0.0]]
        assert 2.0**-70 <= exact.radius[0, 0] <= 2.0**-70 * (1 + 2.0**-28), "arb keeps 30 bits of a radius"
        assert exact.radius[0, 1] == 0, "no radius is none, not the smallest number"

    def test_what_two_floats_cannot_hold_joins_the_radius(self):
        with flint.ctx.workprec(300):
            value = flint.arb(1) + flint.arb(2) ** -60 + flint.arb(2) ** -200
        exact = from_balls([value], (1,))
        assert (exact.high[0], exact.low[0]) == (1.0, 2.0**-60)
        assert 2.0**-200 <= exact.radius[0] <= 2.0**-200 * (1 + 2.0**-51)

    def test_a_radius_below_the_smallest_number_is_not_none(self):
        exact = from_balls([flint.arb(1, flint.arb(2) ** -1200)], (1,))
        assert exact.radius[0] == 2.0**-1074


class TestToMpf:
    def test_nothing_is_lost(self):
        exact = to_exact([third(), third(-7)], (2,), 100)
        for index, value in enumerate(to_mpf(exact)):
            with mpmath.workprec(400):
                assert value == mpmath.mpf(float(exact.high[index])) + mpmath.mpf(float(exact.low[index]))
                assert abs(value - third((1, -7)[index])) < mpmath.mpf(2) ** -100
