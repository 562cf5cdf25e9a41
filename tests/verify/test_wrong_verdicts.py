"""Verdicts that were once wrong: right code that was refused, wrong code that passed."""

import numpy as np
import pytest

import verify
from verify.candidates import right_model
from verify.cases import make_case
from verify.folders import cache_folder
from verify.oracle import Oracle


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


def legs(order):
    n = np.arange(order)
    s = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0), s


def legt(order, theta):
    n = np.arange(order)
    s = np.sqrt(2.0 * n + 1)
    i, j = np.meshgrid(n, n, indexing="ij")
    return -np.outer(s, s) * np.where(j <= i, 1, (-1.0) ** (i - j)) / theta, s / theta


def legs_scan(samples, order, clock=float):
    A, B = legs(order)
    identity, state, states = np.eye(order), np.zeros(order), []
    for k, sample in enumerate(samples):
        h = 1 / clock(max(k, 1))
        state = identity[0] * sample if k == 0 else np.linalg.solve(
            identity - A * h / 2, (identity + A * h / 2) @ state + B * h * sample
        )  # fmt: skip
        states.append(state)
    return np.array(states)


class TestWrongCodeThatPassed:
    def test_upper_coefficients_of_a_large_order(self, oracle):
        """Signals shorter than the order never reach them under LegS."""

        def scan(samples, order):
            states = legs_scan(samples, order)
            states[:, 28:] = 0
            return states

        assert verify.check(scan, level="scan", orders=(64,), checks=["scan"], oracle=oracle).status == "fail"

    def test_a_clock_that_goes_wrong_late(self, oracle):
        def scan(samples, order):
            return legs_scan(samples, order, clock=lambda k: k if k <= 100 else k + 1)

        assert verify.check(scan, level="scan", orders=(4,), checks=["scan"], oracle=oracle).status == "fail"

    @pytest.mark.parametrize("gain", [1 + 1e-6, 1 + 1e-4, 2])
    def test_a_gain_behind_a_scaling(self, oracle, gain):
        def matrices(order):
            A, B = legs(order)
            T = np.r_[1, np.linspace(2, 3, order - 1)]
            return A * T[:, None] / T[None, :], gain * T * B

        report = verify.check(matrices, orders=(4, 8), convention="auto", oracle=oracle)
        assert report.status == "fail"

    def test_points_rounded_to_float32(self, oracle):
        model = right_model(make_case("t", level="reconstruct"), oracle)

        def reconstruct(state, points):
            return model.reconstruct(state, points.astype(np.float32).astype(float))

        report = verify.check(reconstruct, level="reconstruct", orders=(4,), oracle=oracle)
        assert report.status == "fail"

    def test_zeros_are_no_answer_in_any_precision(self, oracle):
        def scan(samples, order):
            return np.zeros((len(samples), order))

        options = {"method": "zoh", "dtype": "float32", "orders": (64,), "checks": ["scan"]}
        assert verify.check(scan, "legt", "scan", oracle=oracle, **options).status == "fail"

    def test_forward_euler_says_that_it_is_unusable(self, oracle):
        model = right_model(make_case("t", method="euler", level="scan"), oracle)
        report = verify.check(model.scan, level="scan", method="euler", orders=(32,), checks=["scan"], oracle=oracle)
        assert report.status == "inconclusive"
        assert "forward Euler grows to" in report.verdicts[0].message


class TestRightCodeThatWasRefused:
    def test_a_window_that_the_target_cannot_be_told(self, oracle):
        """A live callable is asked about one window only; equivariance needs two."""
        report = verify.check(lambda order: legt(order, 1.0), "legt", orders=(4, 8), oracle=oracle)
        assert report.status == "pass"
        assert report.counts["UNSUPPORTED"] == 2

    @pytest.mark.parametrize("theta", [0.7071067811865476, 0.123456, 3.14159265358979])
    @pytest.mark.parametrize("asked", [True, False])
    def test_a_window_that_is_no_simple_fraction(self, oracle, theta, asked):
        given = {"theta": theta} if asked else {}
        report = verify.check(
            lambda order: legt(order, theta), "legt", orders=(4, 8), convention="auto", oracle=oracle, **given
        )
        assert report.status == "pass"
        assert report.convention.theta == pytest.approx(theta, rel=1e-14)

    def test_a_scaling_that_is_no_formula_seen_in_a_scan(self, oracle):
        def scan(samples, order):
            return legs_scan(samples, order) / (1 + np.arange(order))

        report = verify.check(scan, level="scan", orders=(4, 8), convention="auto", oracle=oracle)
        assert report.status == "pass", [v.message for v in report.verdicts if v.status != "PASS"]

    @pytest.mark.parametrize("alpha", [0.3, 0.99, 0.9999, -0.9, -0.99])
    def test_laguerre_by_binomials_and_log_gammas(self, oracle, alpha):
        from scipy.special import binom, gammaln

        def matrices(order, beta=0.01):
            n = np.arange(order)
            size = np.exp(0.5 * (gammaln(n + alpha + 1) - gammaln(n + 1)))
            A = -np.eye(order) * (1 + beta) / 2 - np.tril(np.ones((order, order)), -1)
            B = binom(alpha + n, n) / size * np.exp(-0.5 * gammaln(1 - alpha)) * beta ** ((1 - alpha) / 2)
            return A * size[None, :] / size[:, None], B

        report = verify.check(matrices, "lagt", alpha=alpha, beta=0.01, orders=(4, 16, 64), oracle=oracle)
        assert report.status == "pass", [v.message for v in report.verdicts if v.status == "INCONCLUSIVE"]

    @pytest.mark.parametrize("form", [dict, tuple, list, "column", "sparse", "rounded complex"])
    def test_answers_of_every_form(self, oracle, form):
        import scipy.sparse

        def matrices(order):
            A, B = legs(order)
            if form is dict:
                return {"A": A, "B": B}
            if form == "column":
                return A, B[:, None]
            if form == "sparse":
                return scipy.sparse.csr_array(A), B
            return (A * (1 + 1e-17j), B) if form == "rounded complex" else form((A, B))

        assert verify.check(matrices, orders=(4,), oracle=oracle).status == "pass"

    def test_overflow_decides_nothing(self, oracle):
        model = right_model(make_case("t", "legt", method="euler", level="scan", dt=1e8), oracle)
        report = verify.check(
            model.scan, "legt", "scan", method="euler", dt=1e8, orders=(8,), oracle=oracle, checks=["scan"]
        )
        assert report.status == "inconclusive"
