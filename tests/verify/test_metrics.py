"""Norms, ratios and places of the worst: exact where a power of two or a right triangle makes them so."""

import math

import numpy as np
import pytest

from verify.metrics import norm, ratio, worst_index

INF, NAN = math.inf, math.nan
SMALLEST = 2.0**-1074


class TestNorm:
    def test_it_is_the_euclidean_norm_of_each_row(self):
        rows = np.array([[[3.0, -4.0], [0.0, 0.0]], [[5.0, 12.0], [-8.0, 15.0]]])
        assert norm(rows).tolist() == [[5.0, 0.0], [13.0, 17.0]]

    def test_weights_multiply_the_entries(self):
        assert norm(np.array([[3.0, 2.0], [1.5, 0.0]]), np.array([1.0, 2.0])).tolist() == [5.0, 1.5]
        assert norm(np.array([1.0, 1.0]), np.array([3.0, 4.0])) == 5

    def test_of_nothing_it_is_zero(self):
        assert norm(np.zeros((3, 0))).tolist() == [0.0, 0.0, 0.0]

    @pytest.mark.parametrize("exponent", [-1070, -1000, -537, -40, 40, 537, 1000, 1021])
    def test_a_power_of_two_comes_out_again(self, exponent):
        """No square is ever taken of something near either end of the range."""
        assert norm(np.ldexp([3.0, 4.0], exponent)) == math.ldexp(5.0, exponent)

    def test_rows_of_different_sizes_do_not_meet(self):
        assert norm(np.array([[3e-200, 4e-200], [3e200, 4e200]])) == pytest.approx([5e-200, 5e200], rel=1e-15, abs=0)

    def test_the_smallest_number_has_a_norm(self):
        assert norm(np.array([SMALLEST])) == SMALLEST
        assert norm(np.array([0.0, -SMALLEST])) == SMALLEST

    @pytest.mark.parametrize("bad", [INF, -INF, NAN])
    def test_a_row_with_what_is_no_number_is_infinite_and_its_neighbours_are_not(self, bad):
        rows = np.array([[3.0, 4.0], [bad, 0.0], [1e300, bad]])
        assert norm(rows).tolist() == [5.0, INF, INF]

    def test_it_is_accurate(self):
        values = np.random.default_rng(1).standard_normal((50, 9))
        expected = [math.hypot(*row) for row in values.tolist()]
        assert norm(values) == pytest.approx(expected, rel=2.0**-50, abs=0)


class TestRatio:
    @pytest.mark.parametrize(
        ("error", "bound", "expected"),
        [
            (1.0, 4.0, 0.25),
            (-1.0, 4.0, 0.25),
            (8.0, 4.0, 2.0),
            (0.0, 0.0, 0.0),
            (-0.0, 0.0, 0.0),
            (SMALLEST, 0.0, INF),
            (0.0, INF, 0.0),
            (0.0, NAN, 0.0),
            (1.0, INF, 0.0),
            (1.0, NAN, INF),
            (INF, 1.0, INF),
            (-INF, 1.0, INF),
            (INF, INF, INF),
            (INF, 0.0, INF),
            (NAN, 1.0, INF),
            (NAN, INF, INF),
            (NAN, 0.0, INF),
            (1e300, 1e-300, INF),
            (1e-300, 1e300, 0.0),
        ],
    )
    def test_it_is_defined_everywhere(self, error, bound, expected):
        assert ratio(np.array(error), np.array(bound)) == expected

    def test_it_goes_entry_by_entry(self):
        assert ratio(np.array([[1.0, NAN], [0.0, -6.0]]), np.array([2.0, 3.0])).tolist() == [[0.5, INF], [0.0, 2.0]]


class TestWorstIndex:
    def test_it_is_the_first_of_the_largest(self):
        assert worst_index(np.array([[0.0, 2.0, 1.0], [2.0, 1.0, 0.0]])) == (0, 1)
        assert worst_index(np.array([[0.0, 2.0, 1.0], [2.0, INF, INF]])) == (1, 1)
        assert worst_index(np.array([3.0])) == (0,)
        assert worst_index(np.array(3.0)) == ()

    def test_it_is_made_of_plain_integers(self):
        index = worst_index(np.array([[1.0, 2.0]]))
        assert [type(i) for i in index] == [int, int]
