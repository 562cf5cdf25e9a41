"""The boundary converts exactly, metrics are defined everywhere, and limits are what their derivation says."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.boundary import to_exact, to_mpf
from verify.bounds import (
    CONTRACTING,
    GBT,
    Limits,
    entry_limits,
    gamma,
    majorant,
    scan_limits,
    step_limits,
    weights,
)
from verify.cases import METHODS, make_case
from verify.checks.base import judge
from verify.folders import cache_folder
from verify.metrics import norm, ratio, worst_index
from verify.oracle import Oracle
from verify.verdict import Status

EXTREMES = [0.0, -0.0, 5e-324, 1e-300, 1.0, -1.5, 1e300, math.inf, -math.inf, math.nan]


@given(st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=10**12))
def test_the_pair_holds_a_number_to_twice_double(value):
    with mpmath.workprec(300):
        exact = to_exact([mpmath.mpf(value.numerator) / value.denominator], (1,), 80)
        (back,) = to_mpf(exact)
        assert (
            abs(back - mpmath.mpf(value.numerator) / value.denominator) <= abs(value.numerator) * mpmath.mpf(2) ** -104
        )


def test_the_error_of_a_neighbour_is_exact():
    third = to_exact([mpmath.mpf(1) / 3], (1,), 80)
    computed = np.nextafter(np.array([1 / 3]), 1)
    with mpmath.workprec(200):
        expected = float(mpmath.mpf(float(computed[0])) - to_mpf(third)[0])
    assert third.error(computed)[0] == expected
    assert np.isnan(third.error(np.array([math.nan]))[0])
    assert third.error(np.array([math.inf]))[0] == math.inf


@pytest.mark.parametrize("value", EXTREMES)
def test_norm_is_defined_everywhere(value):
    result = float(norm(np.array([value, 0.0])))
    assert result == (abs(value) if math.isfinite(value) else math.inf)


@given(st.lists(st.floats(-1e150, 1e150), min_size=1, max_size=8), st.sampled_from([1e-150, 1.0, 1e150]))
def test_norm_agrees_with_hypot(values, scale):
    scaled = [v * scale for v in values]
    expected = math.hypot(*scaled)
    assert float(norm(np.array(scaled))) == pytest.approx(expected, rel=1e-14, abs=0) or expected < 1e-307


def test_ratio_at_zero_and_nan():
    assert ratio(np.array(0.0), np.array(0.0)) == 0
    assert ratio(np.array(1.0), np.array(0.0)) == math.inf
    assert ratio(np.array(math.nan), np.array(1.0)) == math.inf
    assert ratio(np.array(math.inf), np.array(math.inf)) == math.inf
    assert worst_index(np.array([[0.0, 2.0], [2.0, 1.0]])) == (0, 1)


def operator(measure, method, order, **parameters):
    case = make_case("t", measure, order=order, method=method, level="scan", **parameters)
    return Oracle(cache_folder()).operator(case)


@pytest.mark.parametrize("order", [1, 2, 5, 16, 33])
@pytest.mark.parametrize(
    ("measure", "parameters"),
    [("legs", {}), ("legt", {}), ("legt", {"theta": "1/10"}), ("lmu", {}), ("lagt", {}), ("fout", {}),
     ("lagt", {"alpha": "9/10", "beta": "1/100"}), ("lagt", {"alpha": "-9/10", "beta": 5}), ("fout", {"theta": 7}),
     ("legs_lti", {})],
)  # fmt: skip
def test_every_operator_is_dissipative_in_its_coordinates(measure, parameters, order):
    """What the propagation of errors rests on: ``D A D^-1`` plus its transpose has no positive eigenvalue."""
    case = make_case("t", measure, order=order, **parameters)
    A, _ = Oracle(cache_folder()).system(case)
    D = weights(measure, case.float_parameters, order)
    scaled = A.high * D[:, None] / D[None, :]
    largest = np.linalg.eigvalsh(scaled + scaled.T).max()
    assert largest <= 1e-13 * np.linalg.norm(scaled) * order


@pytest.mark.parametrize("measure", ["legs", "legt", "lmu", "lagt", "fout", "legs_lti"])
@pytest.mark.parametrize("method", CONTRACTING)
def test_contracting_rules_contract(measure, method):
    op = operator(measure, method, 12)
    for k in (2, 3, 50):
        assert np.linalg.norm(majorant(op, k).transition, 2) <= 1 + 1e-12


def test_forward_euler_does_not_contract():
    assert np.linalg.norm(majorant(operator("legs", "euler", 12), 3).transition, 2) > 10
    assert set(GBT) - set(CONTRACTING) == {"euler"}


@pytest.mark.parametrize("method", METHODS)
def test_a_random_backward_error_stays_within_the_backward_limit(method):
    """Perturb every step at random by its componentwise backward error: the states stay within the limit."""
    order, length = 6, 24
    op = operator("legs", method, order)
    case = make_case("t", "legs", order=order, method=method, level="scan")
    generator = np.random.default_rng(7)
    samples = tuple(generator.integers(-64, 64, length) / 64.0)
    exact = Oracle(cache_folder()).states(case, samples)
    limits = scan_limits(op, samples, exact.high, "float32")
    state, u = np.zeros(order), 2.0**-24
    for k in range(length):
        if k == 0:
            state = np.eye(order)[0] * samples[0]
        else:
            step = majorant(op, k)
            drive = step.inputs @ np.array([samples[k], samples[k - 1]])
            local = step.K[0] @ np.abs(state) + step.kappa[0] * abs(samples[k]) + step.before[0] * abs(samples[k - 1])
            state = step.transition @ state + drive
            state = state + u * generator.choice([-1.0, 1.0], order) * local
        assert np.linalg.norm(state - exact.high[k]) <= limits.forward[k]


def test_limits_grow_with_the_unit_roundoff_and_the_order():
    op = operator("legs", "bilinear", 8)
    state = np.ones(8)
    wide = step_limits(op, state, 1.0, state, 3, "float32")
    narrow = step_limits(op, state, 1.0, state, 3, "float64")
    assert 2**28 < float(wide.forward / narrow.forward) < 2**30
    assert float(narrow.forward) < float(narrow.backward)
    assert gamma(2**53, "float64") == math.inf
    with pytest.raises(ValueError, match="backward limit below the forward limit"):
        Limits(np.array(2.0), np.array(1.0))


def test_entry_limits_allow_an_ulp_or_so_and_no_more():
    case = make_case("t", "legs", order=8)
    A, B = Oracle(cache_folder()).system(case)
    limits_A, _ = entry_limits("legs", {}, A.high, B.high, "float64")
    below = np.tril(np.ones((8, 8), dtype=bool))
    relative = limits_A.forward[below] / np.abs(A.high[below])
    assert relative.max() < 5e-15
    assert (limits_A.forward[~below] == 0).all()


@pytest.mark.parametrize(
    ("error", "scale", "status"),
    [
        (0.5, 100.0, Status.PASS),
        (2.0, 100.0, Status.INCONCLUSIVE),  # between the limits
        (0.5, 1.0, Status.INCONCLUSIVE),  # the limit is as large as the thing itself
        (0.0, 1.0, Status.PASS),  # equal is equal
        (20.0, 100.0, Status.FAIL),
        (20.0, 1.0, Status.FAIL),
        (math.nan, 100.0, Status.FAIL),
        (math.inf, 100.0, Status.FAIL),
    ],
)
def test_judgement_between_two_limits(error, scale, status):
    limits = Limits(np.array([1.0]), np.array([10.0]), "a theorem")
    finding = judge(
        np.array([error]),
        limits,
        truth=0.0,
        scale=scale,
        got=np.array([error]),
        expected=np.zeros(1),
        where=lambda i: {"what": "x"},
    )
    assert finding.status is status


def test_an_infinite_limit_decides_nothing():
    limits = Limits(np.array([math.inf]), np.array([math.inf]), "none")
    finding = judge(
        np.array([5.0]),
        limits,
        truth=0.0,
        scale=1.0,
        got=np.array([5.0]),
        expected=np.zeros(1),
        where=lambda i: {"what": "x"},
    )
    assert finding.status is Status.INCONCLUSIVE


@given(st.fractions(max_denominator=64, min_value=-8, max_value=8), st.integers(1, 6))
def test_the_oracle_answers_the_same_from_memory_and_afresh(value, order):
    case = make_case("t", "legs", order=order, level="scan")
    samples = (float(value), 1.0)
    first = Oracle(None).states(case, samples)
    second = Oracle(None).states(case, samples)
    assert (first.high == second.high).all()
    assert first.high[0, 0] == float(Fraction(value))
