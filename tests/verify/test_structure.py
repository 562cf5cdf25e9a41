"""The structure of the exact operators, proved from their balls, and the check that holds targets to it."""

from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from verify.bounds import entry_limits
from verify.bounds.structure import Identity, far_end_limits
from verify.candidates import low_rank, right_model
from verify.cases import make_case
from verify.checks import CHECKS, QUICK
from verify.checks.structure import FAR_END
from verify.defects import DEFECTS
from verify.folders import cache_folder
from verify.oracle import Oracle
from verify.result import LiveTarget, TargetError
from verify.verdict import Status

STRUCTURE = CHECKS["structure"]
CASES = (
    ("legs", {}),
    ("legs_lti", {}),
    ("legt", {"theta": 0.375}),
    ("lmu", {"theta": 3}),
    ("fout", {"theta": 0.375}),
    ("lagt", {}),
    ("lagt", {"beta": 0.25}),
    ("lagt", {"alpha": -0.875, "beta": 3}),
    ("lagt", {"alpha": 0.9375}),
)
EXACT = 1e-28
"""What is left of 30 digits after a few products: the exact entries come as pairs of doubles."""


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


def whole(exact):
    """The pair of doubles as one number, more exact than either."""
    return np.vectorize(lambda high, low: mpmath.mpf(high) + mpmath.mpf(low), otypes=[object])(exact.high, exact.low)


def run(case, oracle, alter=lambda m: m, **kwargs):
    target = LiveTarget(lambda asked: alter(right_model(asked, oracle)), bind=True, name="model", **kwargs)
    return STRUCTURE.run(case, oracle, target, QUICK)


@pytest.mark.parametrize(("measure", "parameters"), CASES)
@pytest.mark.parametrize("order", [1, 2, 5, 6])
def test_the_exact_operator_satisfies_its_identity(measure, parameters, order, oracle):
    case = make_case("x", measure, order=order, **parameters)
    with mpmath.workdps(40):
        A, B = map(whole, oracle.system(case))
        exact = case.exact_parameters
        alpha, beta, theta = (mpmath.mpf(exact.get(k, Fraction(d)).numerator) / exact.get(k, Fraction(d)).denominator
                              for k, d in (("alpha", 0), ("beta", 1), ("theta", 1)))  # fmt: skip
        n = range(order)
        s2 = [mpmath.mpf(2 * i + 1) for i in n]
        # As printed: LegS, LagT (scaled by Lam_n^2/Lam_0^2 = prod (alpha + i)/i), LegT, LMU, FouT.
        lam = [mpmath.fprod((alpha + i) / i for i in range(1, j + 1)) for j in n]
        b0 = [mpmath.mpf(1) if i == 0 else mpmath.sqrt(2) * (i % 2) for i in n]

        def expected(i, k):
            same = mpmath.mpf((i - k) % 2 == 0)
            match measure:
                case "legs" | "legs_lti":
                    return -(i == k) - mpmath.sqrt(s2[i] * s2[k])
                case "lagt":
                    return (-(beta if i == k else 0) - mpmath.mpf(1)) / mpmath.sqrt(lam[i] * lam[k])
                case "legt":
                    return -2 * same * mpmath.sqrt(s2[i] * s2[k]) / theta
                case "lmu":
                    return -2 * same * s2[i] * s2[k] / theta
            return -4 * b0[i] * b0[k] / theta

        if measure == "lagt":
            # A_nk = -Lam_k/Lam_n: in these coordinates W = (Lam_0/Lam_n)^2, and both sides are symmetric.
            W = [1 / x for x in lam]
            for i in n:
                for k in n:
                    left = A[i, k] * W[k] + W[i] * A[k, i]
                    right = expected(i, k)
                    assert abs(left - right) <= EXACT * (1 + abs(right))
        else:
            W = s2 if measure == "lmu" else [mpmath.mpf(1)] * order
            for i in n:
                for k in n:
                    left = A[i, k] * W[k] + W[i] * A[k, i]
                    assert abs(left - expected(i, k)) <= EXACT * (1 + abs(left))
        identity = Identity.of(case)
        assert np.allclose(identity.W, np.array(W, dtype=float), rtol=1e-13, atol=0)
        for i in n:
            for k in n:
                low = mpmath.mpf(0) if identity.gain is None else identity.gain * identity.mask[i, k] * B[i] * B[k]
                rest = expected(i, k) + identity.shift * W[i] * (i == k)
                # gain and shift are doubles; 1/beta and 2 theta are exact here.
                assert identity.gain is None or abs(rest + low) <= EXACT * (1 + abs(low)) * order


@pytest.mark.parametrize(("measure", "parameters"), CASES)
def test_every_exact_order_is_the_leading_block_of_the_next(measure, parameters, oracle):
    """FouT too, and not in whole pairs only: the row of a lone cosine lacks its sine, as the leading block has it."""
    for order in range(1, 9):
        small, large = (oracle.system(make_case("x", measure, order=size, **parameters)) for size in (order, order + 1))
        for before, after in zip(small, large, strict=True):
            block = after[(slice(order),) * before.high.ndim]
            np.testing.assert_array_equal(block.high, before.high)
            np.testing.assert_array_equal(block.low, before.low)


def test_the_closure_of_a_tilted_window_does_not_nest(oracle):
    small, large = (oracle.system(make_case("x", "chebt", order=size))[0].high for size in (4, 5))
    assert np.abs(large[:4, :4] - small).max() > 1
    assert "closure is new at each order" in STRUCTURE.why_not(make_case("x", "chebt"))


def test_lmu_is_legt_rescaled_exactly(oracle):
    case = make_case("x", "lmu", order=7, theta=0.75)
    with mpmath.workdps(40):
        (A, B), (A_legt, B_legt) = (map(whole, oracle.system(replace(case, measure=m))) for m in ("lmu", "legt"))
        T = [mpmath.sqrt(2 * n + 1) * (-1) ** n for n in range(7)]
        for n in range(7):
            assert abs(B[n] - T[n] * B_legt[n]) <= EXACT * abs(B[n])
            for k in range(7):
                assert abs(A[n, k] - T[n] * A_legt[n, k] / T[k]) <= EXACT * abs(A[n, k])


@pytest.mark.parametrize("order", [1, 2, 5, 8])
def test_pade_is_the_approximant_of_the_delay_by_its_taylor_series(order, oracle):
    """The second witness: mpmath solves for the approximant from the Taylor coefficients of exp(-w)."""
    points = ((Fraction(1), Fraction(2)), (Fraction(0), Fraction(order, 2)), (Fraction(3), Fraction(0)))
    found = oracle.pade(make_case("x", "legt", order=order), points)
    with mpmath.workdps(60):
        taylor = [mpmath.mpf(-1) ** j / mpmath.factorial(j) for j in range(2 * order)]
        above, below = mpmath.pade(taylor, order - 1, order)
        for i, (re, im) in enumerate(points):
            w = mpmath.mpc(mpmath.mpf(re.numerator) / re.denominator, mpmath.mpf(im.numerator) / im.denominator)
            value = mpmath.polyval(above[::-1], w) / mpmath.polyval(below[::-1], w)
            for j, part in enumerate((value.real, value.imag)):
                number = mpmath.mpf(found.high[i, j]) + mpmath.mpf(found.low[i, j])
                assert abs(number - part) <= found.radius[i, j] + mpmath.mpf(10) ** -45


@pytest.mark.parametrize("measure", FAR_END)
@pytest.mark.parametrize("order", [1, 2, 7, 16])
def test_the_far_end_of_the_exact_operator_is_pade(measure, order, oracle):
    case = make_case("x", measure, order=order, theta=0.375)
    points = ((Fraction(1), Fraction(2)), (Fraction(0), Fraction(order, 2)), (Fraction(-1), Fraction(1)))
    A, B = oracle.system(case)
    exact = oracle.pade(case, points)
    found, states = oracle.transfer(case, A.high, B.high, points)
    z = np.array([complex(*point) for point in points]) / 0.375
    n = np.arange(order)
    end = np.ones(order) if measure == "lmu" else np.sqrt(2.0 * n + 1) * (-1.0) ** n
    rows = np.abs(end @ np.linalg.inv(z[:, None, None] * np.eye(order) - A.high))
    # Rounding the entries once is all that separates the two.
    once = entry_limits(measure, case.float_parameters, A.high, B.high, "float64")
    assert np.all(np.hypot(*exact.error(found.high).T) <= far_end_limits(rows, once, states).forward)
    assert np.all(np.hypot(*exact.error(found.high).T) < 1e-12)


def test_a_pole_of_the_target_has_no_finite_transfer(oracle):
    case = make_case("x", "legt", order=2)
    found, states = oracle.transfer(
        case, np.diag([1.0, 3.0]), np.ones(2), [(Fraction(1), Fraction(0)), (Fraction(2), Fraction(0))]
    )
    assert np.isinf(found.high[0]).all()
    assert np.isinf(states[0]).all()
    assert found.high[1, 0] == pytest.approx(1 + np.sqrt(3))


@pytest.mark.parametrize("measure", ["legs", "legt", "lagt", "fout"])
@pytest.mark.parametrize("order", [1, 2, 5, 6])
def test_frequencies_are_the_spectrum_of_the_skew_part(measure, order, oracle):
    case = make_case("x", measure, order=order)
    A = oracle.system(case)[0].high
    expected = np.linalg.eigvalsh(1j * (A.T - A) / 2)
    found = oracle.frequencies(case)
    assert found.high == pytest.approx(expected, abs=1e-12)
    assert found.high == pytest.approx(-found.high[::-1], abs=1e-28)
    assert found.radius.max() < 1e-28


@pytest.mark.parametrize(("measure", "parameters"), CASES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("level", STRUCTURE.levels)
def test_a_right_operator_passes_at_every_order(measure, parameters, dtype, level, oracle):
    for order in (1, 2, 3, 4, 9, 16):
        case = make_case("x", measure, order=order, dtype=dtype, level=level, **parameters)
        if STRUCTURE.why_not(case) is None:
            verdict = run(case, oracle)
            assert verdict.status is Status.PASS, verdict.message
            assert verdict.compared >= 3


def test_a_wrong_odd_order_is_named(oracle):
    verdict = run(make_case("x", "legs", order=8), oracle, DEFECTS["odd_truncated"].alter)
    assert verdict.status is Status.FAIL
    assert "of order 7" in verdict.message or "of order 9" in verdict.message


class OnlyEven:
    """Takes even orders and says so."""

    def __init__(self, model, kind="raised"):
        self.model, self.kind = model, kind

    def matrices(self, order):
        if order % 2:
            raise TargetError(self.kind, f"order {order} is odd")
        return self.model.matrices(order)


def test_a_refused_neighbour_is_left_out_and_named(oracle):
    case = make_case("x", "fout", order=4)
    target = LiveTarget(lambda asked: OnlyEven(right_model(asked, oracle)), bind=True)
    verdict = STRUCTURE.run(case, oracle, target, QUICK)
    assert verdict.status is Status.PASS
    assert verdict.details["left_out"] == {"3": "order 3 is odd", "5": "order 5 is odd"}


def test_a_neighbour_that_crashes_is_an_error(oracle):
    target = LiveTarget(lambda asked: OnlyEven(right_model(asked, oracle), "crash"), bind=True)
    assert STRUCTURE.run(make_case("x", "fout", order=4), oracle, target, QUICK).status is Status.ERROR


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_what_is_no_operator_fails_without_a_warning(bad, oracle):
    def alter(model):
        def system(order):
            A, B = model.system(order)
            return A + bad, B + bad

        return replace(model, system=system)

    assert run(make_case("x", "legt", order=4), oracle, alter).status is Status.FAIL


def test_a_tilted_window_is_unsupported():
    assert "not known" in STRUCTURE.why_not(make_case("x", "jacobi"))


@pytest.mark.parametrize("key", ["odd_truncated", "sign_from_top"])
def test_no_other_check_finds_these_defects(key, oracle):
    case = make_case("x", "lmu", order=6)
    target = DEFECTS[key].target(case, oracle)
    for other, check in CHECKS.items():
        if case.level in check.levels and check.why_not(case) is None:
            status = check.run(case, oracle, target, QUICK).status
            assert status is (Status.FAIL if other == "structure" else Status.PASS), other


def test_the_low_rank_part_of_a_model_is_that_of_the_identity(oracle):
    for measure, parameters in (("legs", {}), ("legt", {"theta": 0.375}), ("fout", {}), ("lagt", {"beta": 0.25})):
        case = make_case("x", measure, order=5, **parameters)
        A, B = (part.high for part in oracle.system(case))
        P, identity = low_rank(measure, A, B), Identity.of(case)
        expected = identity.gain * identity.mask * np.outer(B, B) / 2
        np.testing.assert_allclose(P @ P.T, expected, rtol=0, atol=1e-13)
