"""Limits on entries, residuals and read-outs, by hand and against what float32 really loses."""

import math

import numpy as np
import pytest
from bounds_tools import legs, legt

from verify.bounds import (
    ENTRY_OPERATIONS,
    REFERENCE,
    ROUNDOFF,
    SMALLEST_NORMAL,
    Limits,
    entry_limits,
    gamma,
    reconstruction_limits,
    residual_limits,
    state_rounding,
)

TIGHT = {"rtol": 1e-12, "atol": 0}
U = ROUNDOFF["float32"]
ROOT = math.log(math.pi) / 2
"""``log Gamma(1/2)``; ``Gamma(3/2)`` is half, ``Gamma(5/2)`` three quarters of the root of pi."""


class TestEntries:
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    @pytest.mark.parametrize("measure", ["legs", "legt", "lmu", "fout", "legs_lti"])
    def test_each_entry_is_evaluated_from_its_formula(self, measure, dtype):
        A, B = legs(3)
        limits_A, limits_B = entry_limits(measure, {"theta": 2.0}, A, B, dtype)
        u = ROUNDOFF[dtype]
        assert np.allclose(limits_A.forward, 8 * u * np.abs(A), **TIGHT)
        assert np.allclose(limits_B.forward, 16 * u * np.abs(B), **TIGHT)
        # Factored forms lose gamma_{8N} of the norm: |A|^2 = 1 + 4 + 9 + 3 + 5 + 15 = 37, |B|^2 = 1 + 3 + 5 = 9.
        assert np.allclose(limits_A.backward, np.maximum(gamma(24, dtype) * math.sqrt(37), limits_A.forward), **TIGHT)
        assert np.allclose(limits_B.backward, np.maximum(gamma(24, dtype) * 3, limits_B.forward), **TIGHT)
        for limits in (limits_A, limits_B):
            assert "Higham" in limits.source
            assert "LAPACK" in limits.source

    def test_an_entry_far_below_its_norm_may_lose_it_all_in_a_factored_form(self):
        A, B = np.array([[1.0, 0.0], [1e9, 1.0]]), np.array([1.0, 1e9])
        limits_A, limits_B = entry_limits("legs", {}, A, B, "float32")
        assert limits_A.backward[0, 1] == pytest.approx(gamma(16, "float32") * 1e9, rel=1e-12)
        assert limits_A.forward[0, 1] == 0
        assert limits_B.backward[0] == pytest.approx(gamma(16, "float32") * 1e9, rel=1e-12)

    def test_a_large_entry_may_lose_as_much_as_its_formula(self):
        """Of order 1, ``gamma_8 |B|`` lies below the 16 roundings of B, and the forward limit stands for both."""
        _, limits_B = entry_limits("legs", {}, np.array([[-1.0]]), np.array([4.0]), "float32")
        assert limits_B.backward.tolist() == limits_B.forward.tolist() == [64 * U]

    @pytest.mark.parametrize("parameters", [{}, {"alpha": 0.0, "beta": 2.0}])
    def test_plain_lagt_costs_two_log_gammas(self, parameters):
        """``8 + 4 (2 log n!)`` roundings for index n, their mean for an entry, and the largest on top."""
        A, B = -np.tril(np.ones((4, 4))), np.ones(4)
        limits_A, limits_B = entry_limits("lagt", parameters, A, B, "float32")
        operations = 8 + 8 * np.log([1.0, 1.0, 2.0, 6.0])
        assert np.allclose(limits_B.forward, 2 * U * operations, **TIGHT)
        mean = (operations[:, None] + operations[None, :]) / 2
        assert np.allclose(limits_A.forward, (mean + 8 * math.log(6)) * U * np.abs(A), **TIGHT)

    @pytest.mark.parametrize(
        ("alpha", "logs"),
        [
            # |log Gamma(n + 1 + alpha)| + |log n!| + |log Gamma(1 - alpha)| for n = 0, 1
            (0.5, [abs(ROOT - math.log(2)) + ROOT, ROOT + math.log(3 / 4) + ROOT]),
            (-0.5, [ROOT + abs(ROOT - math.log(2)), 2 * abs(ROOT - math.log(2))]),
        ],
    )
    def test_tilted_lagt_costs_three_and_a_binomial(self, alpha, logs):
        limits_A, limits_B = entry_limits("lagt", {"alpha": alpha}, np.ones((2, 2)), np.ones(2), "float32")
        operations = 8 + 4 * np.array(logs) + np.array([0.0, 4 + 1 / (1 + alpha)])
        assert np.allclose(limits_B.forward, 2 * U * operations, **TIGHT)
        mean = (operations[:, None] + operations[None, :]) / 2
        assert np.allclose(limits_A.forward, (mean + operations.max() - 8) * U, **TIGHT)

    def test_an_alpha_means_nothing_to_another_measure(self):
        A, B = legs(3)
        limits_A, _ = entry_limits("legs", {"alpha": 0.5}, A, B, "float32")
        assert np.allclose(limits_A.forward, 8 * U * np.abs(A), **TIGHT)

    def test_entries_that_are_sums_are_judged_by_their_norm_alone(self):
        A, B = np.array([[3.0, 0.0], [0.0, 4.0]]), np.array([5.0, 12.0])
        limits_A, limits_B = entry_limits("jacobi", {}, A, B, "float32")
        for limits, expected in ((limits_A, np.full((2, 2), 5.0)), (limits_B, np.full(2, 13.0))):
            assert np.allclose(limits.forward, gamma(16, "float32") * expected, **TIGHT)
            assert (limits.backward == limits.forward).all()
            assert "LAPACK" in limits.source

    def test_formulas_in_float32_keep_them(self):
        """Two roots, their product, a quotient; and a limit that is no more than 16 times what is seen."""
        A, B = legt(64, 0.7)
        n = np.arange(64, dtype=np.float32)
        s, theta = np.sqrt(2 * n + 1), np.float32(0.7)
        signs = np.sign(A).astype(np.float32)
        limits_A, limits_B = entry_limits("legt", {"theta": 0.7}, A, B, "float32")
        error = np.abs(signs * (s[:, None] * s[None, :] / theta) - A) / limits_A.forward
        assert 1 / 16 < error.max() <= 1
        error = np.abs(s / theta - B) / limits_B.forward
        assert 1 / 16 < error.max() <= 1
        assert ENTRY_OPERATIONS == 8


class TestResidual:
    def test_it_is_the_sum_of_what_the_entries_lose(self):
        A = Limits(np.array([[1.0, 2.0], [0.0, 4.0]]), np.array([[2.0, 2.0], [1.0, 8.0]]), "entries")
        B = Limits(np.array([1.0, 3.0]), np.array([2.0, 6.0]), "entries")
        found = residual_limits((A, B), np.array([1.0, -10.0]), -100.0, 0.0)
        assert found.forward.tolist() == [121.0, 340.0]
        assert found.backward.tolist() == [222.0, 681.0]
        assert found.source == "limits of the entries of A and B, times the exact coefficients"

    def test_the_exact_data_are_known_to_so_much(self):
        zero = Limits(np.zeros((2, 2)), np.zeros((2, 2))), Limits(np.zeros(2), np.zeros(2))
        found = residual_limits(zero, np.ones(2), 1.0, 7.0)
        assert found.forward.tolist() == found.backward.tolist() == [REFERENCE * 7] * 2
        assert REFERENCE == 1e-40
        one = Limits(np.eye(2), 4 * np.eye(2)), Limits(np.zeros(2), np.zeros(2))
        found = residual_limits(one, np.ones(2), 1.0, 8 / REFERENCE)
        assert (found.forward.tolist(), found.backward.tolist()) == ([9, 9], [12, 12])


class TestReconstruction:
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_each_degree_loses_by_its_recurrence(self, dtype):
        """``gamma_{8 n^2 + N + 16}`` of ``|c_n| max |g_n|``: 8 n^2 for the recurrence and the point, N for the sum."""
        found = reconstruction_limits(np.array([1.0, 3.0, 5.0]), np.array([2.0, -1.0, 0.5]), dtype)
        expected = 2 * gamma(19, dtype) + 3 * gamma(27, dtype) + 2.5 * gamma(51, dtype)
        assert float(found.forward) == pytest.approx(expected, rel=1e-12, abs=0)
        assert float(found.backward) == 4 * float(found.forward)
        assert found.forward.shape == ()
        assert "Barrio" in found.source

    def test_of_nothing_each_term_may_underflow(self):
        found = reconstruction_limits(np.ones(5), np.zeros(5), "float32")
        assert float(found.forward) == 5 * SMALLEST_NORMAL["float32"]

    @pytest.mark.parametrize("order", [1, 2, 16, 40])
    def test_the_three_term_recurrence_keeps_it_and_needs_some_of_it(self, order):
        """Legendre in float32, its points rounded. The limit is for the worst degree, point and signs: one part in
        a thousand of it is used.
        """
        y = np.concatenate([np.linspace(0, 1, 33), 1 - 2.0 ** -np.arange(5, 23), [1 / 3, 0.999]])
        s = np.sqrt(2.0 * np.arange(order) + 1)
        coefficients = np.random.default_rng(2).integers(-8, 9, order) / 8.0
        coefficients[-1] = 1.0
        exact = np.polynomial.legendre.legvander(2 * y - 1, order - 1) * s @ coefficients
        x = (2 * y.astype(np.float32) - np.float32(1)).astype(np.float32)
        columns = [np.ones_like(x), x]
        for n in range(1, order - 1):
            columns.append(((2 * n + 1) * x * columns[n] - n * columns[n - 1]) / np.float32(n + 1))
        basis = np.stack(columns[:order], axis=1) * s.astype(np.float32)
        error = np.abs(basis @ coefficients.astype(np.float32) - exact)
        limits = reconstruction_limits(s, coefficients, "float32")
        assert (error <= limits.forward).all()
        if order > 1:
            assert error.max() >= limits.forward / 1000

    def test_a_rounded_state_loses_a_rounding_of_each_coefficient(self):
        assert state_rounding(np.array([1.0, 3.0]), np.array([-2.0, 4.0]), "float32") == 14 * U
        assert state_rounding(np.array([1.0]), np.array([1.0]), "float64") == 2.0**-53
        assert type(state_rounding(np.array([1.0]), np.array([1.0]), "float64")) is float
