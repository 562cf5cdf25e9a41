"""States, steps and Jacobians against dense solves, exact projections and closed forms."""

import math
import re
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from ref_tools import CASES, assert_close, name, samples

from hippo_ref import (
    DISCRETIZATIONS,
    MEASURES,
    jacobian,
    measure,
    project_held,
    project_linear,
    states,
    step,
    system,
)
from hippo_ref.orthogonal import legendre_scales, shifted_legendre

LEGS = measure("legs")
INVARIANT = [m for m in CASES if m.time_law == "invariant"]
GBT = {"euler": 0, "bilinear": Fraction(1, 2), "backward_euler": 1}
DT = Fraction(1, 20)
CELLS = [key for key, rule in DISCRETIZATIONS.items() if rule.one_sample]


def unit(order, entry):
    return mp.matrix([entry] + [0] * (order - 1))


def dense_legs(method, u, times, order):
    """The formulas of the conventions as dense mpmath algebra; nothing shared with the O(N) steps."""
    found = system(LEGS, order, mp.dps)
    A, B, one = found.A, found.B, mp.eye(order)
    c = unit(order, u[0])
    out = [c]
    for k in range(1, len(u)):
        t0, t1 = times[k - 1], times[k]
        d = t1 - t0
        if method in GBT:
            a, h = mpf(Fraction(GBT[method]).numerator) / Fraction(GBT[method]).denominator, d / t1
            c = mp.lu_solve(one - a * h * A, (one + (1 - a) * h * A) * c + h * B * u[k])
        elif method == "zoh":
            rest = c - unit(order, u[k])
            c = unit(order, u[k]) + mp.expm(A * mp.log(t1 / t0)) * rest
        elif t0 == 0:
            c = mp.matrix(project_linear(LEGS, u[: k + 1], order, mp.dps, timestamps=times[: k + 1]))
        elif method == "trapezoid":
            right = c + d / (2 * t0) * (A * c) + d / 2 * B * (u[k - 1] / t0 + u[k] / t1)
            c = mp.lu_solve(one - d / (2 * t1) * A, right)
        else:
            slope = (u[k] - u[k - 1]) / d

            def line(t, slope=slope, k=k, t1=t1):
                origin = u[k] - slope * t1
                return mp.matrix(([origin + slope * t / 2, slope * t / (2 * mp.sqrt(3))] + [0] * order)[:order])

            c = line(t1) + mp.expm(A * mp.log(t1 / t0)) * (c - line(t0))
        out.append(c)
    return out


@pytest.mark.parametrize("order", [1, 2, 7])
@pytest.mark.parametrize("method", list(DISCRETIZATIONS))
def test_legs_states_against_dense_algebra(method, order):
    u = samples(8)
    with mp.workdps(45):
        first = DISCRETIZATIONS[method].first_time
        expected = dense_legs(method, [mpf(v) for v in u], [mpf(first + k) for k in range(8)], order)
    found = states(LEGS, u, order, method, dps=35)
    assert len(found) == 8
    for k in range(8):
        assert_close(found[k], list(expected[k]), 34)


@pytest.mark.parametrize("method", list(DISCRETIZATIONS))
def test_legs_states_at_uneven_times_against_dense_algebra(method):
    u, times = samples(6), [mpf("0.5"), mpf("0.75"), mpf(2), mpf("2.125"), mpf(9), mpf(10)]
    with mp.workdps(45):
        expected = dense_legs(method, [mpf(v) for v in u], times, 5)
    found = states(LEGS, u, 5, method, dps=35, timestamps=times)
    for k in range(6):
        assert_close(found[k], list(expected[k]), 34)


@pytest.mark.parametrize("method", CELLS)
@pytest.mark.parametrize("m", INVARIANT, ids=name)
def test_invariant_states_against_dense_algebra(m, method):
    u, order = samples(6), 5
    with mp.workdps(50):
        found, h = system(m, order, 50), mpf(DT.numerator) / DT.denominator
        A, B, one, c = found.A, found.B, mp.eye(order), mp.zeros(order, 1)
        expected = []
        for value in u:
            if method == "zoh":
                M = mp.expm(A * h)
                c = M * c + mp.lu_solve(A, (M - one) * B) * mpf(value)
            else:
                a = mpf(Fraction(GBT[method]).numerator) / Fraction(GBT[method]).denominator
                c = mp.lu_solve(one - a * h * A, (one + (1 - a) * h * A) * c + h * B * mpf(value))
            expected.append(c)
    states_found = states(m, u, order, method, DT, 35)
    for k in range(6):
        assert_close(states_found[k], list(expected[k]), 33)


@settings(max_examples=12)
@given(
    u=st.lists(st.fractions(-9, 9, max_denominator=30), min_size=1, max_size=9),
    gaps=st.lists(st.fractions(Fraction(1, 50), 20, max_denominator=50), min_size=9, max_size=9),
    order=st.integers(1, 14),
)
def test_legs_zoh_is_the_exact_projection_of_the_held_signal(u, gaps, order):
    times = [sum(gaps[: k + 1]) for k in range(len(u))]
    found = states(LEGS, u, order, "zoh", dps=30, timestamps=times)
    for k in range(len(u)):
        assert_close(found[k], project_held(LEGS, u[: k + 1], order, 30, timestamps=times[: k + 1]), 28)


@settings(max_examples=12)
@given(
    u=st.lists(st.fractions(-9, 9, max_denominator=30), min_size=2, max_size=9),
    gaps=st.lists(st.fractions(Fraction(1, 50), 20, max_denominator=50), min_size=9, max_size=9),
    order=st.integers(1, 14),
    from_zero=st.booleans(),
)
def test_legs_foh_is_the_exact_projection_of_the_broken_line(u, gaps, order, from_zero):
    times = [sum(gaps[: k + 1]) - (gaps[0] if from_zero else 0) for k in range(len(u))]
    found = states(LEGS, u, order, "foh", dps=30, timestamps=times)
    for k in range(1, len(u)):
        assert_close(found[k], project_linear(LEGS, u[: k + 1], order, 30, timestamps=times[: k + 1]), 28)


def test_large_orders_stay_exact():
    u = samples(40)
    assert_close(states(LEGS, u, 64, "zoh", dps=40)[-1], project_held(LEGS, u, 64, 40), 39)
    assert_close(states(LEGS, u, 64, "foh", dps=40)[-1], project_linear(LEGS, u, 64, 40), 39)


def test_legs_states_ignore_the_unit_of_time():
    u, times = samples(5), [1, 2.5, 3, 7, 7.5]
    for method in DISCRETIZATIONS:
        assert states(LEGS, u, 6, method, timestamps=times) == states(
            LEGS, u, 6, method, timestamps=[Fraction(t) * 86400 for t in times]
        )


def test_default_timestamps():
    u = samples(5)
    for method, rule in DISCRETIZATIONS.items():
        explicit = [rule.first_time + k for k in range(5)]
        assert states(LEGS, u, 4, method) == states(LEGS, u, 4, method, timestamps=explicit)


def test_constant_input_is_a_fixed_point_of_every_legs_rule():
    for method in DISCRETIZATIONS:
        for state in states(LEGS, [3] * 7, 5, method):
            assert_close(state, [mpf(3), *[mpf(0)] * 4], 49)


@pytest.mark.parametrize("method", list(DISCRETIZATIONS))
@pytest.mark.parametrize("m", [LEGS, measure("legt", theta="0.7"), measure("lagt", alpha="0.3")], ids=name)
def test_a_resumed_run_equals_an_unbroken_one(m, method):
    u, dt = samples(9), None if m.key == "legs" else DT
    whole = states(m, u, 6, method, dt, 40)
    for cut in (1, 4, 8):
        later = states(m, u[cut:], 6, method, dt, 30, start=whole[cut - 1], first=cut, previous=u[cut - 1])
        for a, b in zip(later, whole[cut:], strict=True):
            assert_close(a, b, 29)


def test_resuming_with_timestamps_takes_the_time_of_start_first():
    u, times = samples(6), [1, 3, 4, 4.5, 9, 11]
    for method in DISCRETIZATIONS:
        whole = states(LEGS, u, 4, method, dps=40, timestamps=times)
        later = states(LEGS, u[3:], 4, method, dps=30, timestamps=times[2:], start=whole[2], first=3, previous=u[2])
        assert_close(later[-1], whole[-1], 29)


@pytest.mark.parametrize("method", CELLS)
@pytest.mark.parametrize("m", [LEGS, *INVARIANT], ids=name)
def test_step_repeats_states(m, method):
    u, dt = samples(5), None if m.key == "legs" else DT
    whole, state = states(m, u, 4, method, dt, 40), [mpf(0)] * 4
    for k in range(5):
        state = step(m, state, u[k], k, method, dt, 40)
        assert_close(state, whole[k], 38)


def test_legs_step_zero_forgets_the_state():
    assert step(LEGS, [5, 6, 7], Fraction(1, 4), 0) == [mpf("0.25"), 0, 0]


@pytest.mark.parametrize("method", list(DISCRETIZATIONS))
@pytest.mark.parametrize("m", CASES, ids=name)
def test_jacobian_is_the_linear_map_of_the_recurrence(m, method):
    u, dt = samples(7), None if m.key == "legs" else DT
    J = jacobian(m, 7, 5, method, dt, 40)
    assert (J.rows, J.cols) == (5, 7)
    with mp.workdps(50):
        product = J * mp.matrix([mpf(v) for v in u])
    assert_close(list(product), states(m, u, 5, method, dt, 40)[-1], 36)


def test_zoh_jacobian_is_the_kernels_integral_over_each_cell():
    """Claim 4: the weight of sample k is (s_n/(2(2n+1))) [P_{n+1} - P_{n-1}] between the ends of its cell."""
    length, order = 9, 8
    J = jacobian(LEGS, length, order, "zoh", dps=40)
    with mp.workdps(50):
        tables = [shifted_legendre(order + 1, mpf(k) / length) for k in range(length + 1)]
        s = legendre_scales(order)
        for k in range(length):
            a, b = tables[k], tables[k + 1]
            for n in range(order):
                weight = b[1] - a[1] if n == 0 else (b[n + 1] - b[n - 1] - a[n + 1] + a[n - 1]) / (2 * n + 1)
                assert abs(J[n, k] - s[n] * weight / 2) < mpf(10) ** -39


def test_jacobian_with_timestamps():
    u, times = samples(4), [1, 3, 4, 4.5]
    for method in DISCRETIZATIONS:
        J = jacobian(LEGS, 4, 3, method, dps=40, timestamps=times)
        with mp.workdps(50):
            product = J * mp.matrix([mpf(v) for v in u])
        assert_close(list(product), states(LEGS, u, 3, method, timestamps=times)[-1], 38)


@settings(max_examples=10)
@given(
    scale=st.integers(-900, 900),
    method=st.sampled_from(list(DISCRETIZATIONS)),
    u=st.lists(st.floats(-1, 1), min_size=1, max_size=6),
)
def test_states_scale_with_their_samples(scale, method, u):
    """Linearity under powers of two is exact: the run itself is scaled, so tiny and huge signals keep their digits."""
    big = [mp.ldexp(mpf(v), scale) for v in u]
    found, expected = states(LEGS, big, 5, method, dps=25), states(LEGS, u, 5, method, dps=25)
    for a, b in zip(found, expected, strict=True):
        assert_close([mp.ldexp(x, -scale) for x in a], b, 25)


def test_speed_goals():
    """Ten times the goals: a guard against a change of complexity, not a benchmark."""
    legt = measure("legt")
    for call, seconds in (
        (lambda: states(LEGS, samples(64), 64, "bilinear", dps=40), 3),
        (lambda: states(legt, samples(64), 32, "bilinear", Fraction(1, 64), 40), 5),
    ):
        began = time.perf_counter()
        call()
        assert time.perf_counter() - began < seconds


def test_zeros_stay_zeros():
    for m, dt in ((LEGS, None), (measure("fout"), DT)):
        assert states(m, [0, 0, 0], 4, "bilinear", dt) == [[0] * 4] * 3


def test_a_state_that_cancels_exactly_is_accepted():
    # At N = 1 backward Euler is the running mean: 1, 1, 1, -3 has mean 0, behind divisions that round.
    found = states(LEGS, [1, 1, 1, -3], 1, "backward_euler")
    assert abs(found[-1][0]) < mpf(10) ** -50


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "text"),
    [
        (("legs", [], 3), {}, ValueError, r"samples must hold at least 1 number\(s\), got 0"),
        (("legs", [1], 0), {}, ValueError, "order must be an integer >= 1, got 0"),
        (("legs", [1, math.nan], 3), {}, ValueError, r"samples\[1\] must be finite, got nan"),
        (("legs", [math.inf], 3), {}, ValueError, r"samples\[0\] must be finite, got inf"),
        (("legs", ["1"], 3), {}, TypeError, r"samples\[0\] must be an int, float, Fraction or mpf, got '1'"),
        (("legs", "12", 3), {}, TypeError, "samples must be a sequence of numbers, got '12'"),
        (("legs", 5, 3), {}, TypeError, "samples must be a sequence of numbers, got 5"),
        (("legs", [[1.0]], 3), {}, TypeError, r"samples\[0\] must be an int, float, Fraction or mpf"),
        (("legs", [True], 3), {}, TypeError, r"samples\[0\] must be"),
        (
            ("legs", [1], 3),
            {"method": "rk4"},
            ValueError,
            r"unknown method 'rk4'; expected one of euler, .*, gbt\(a\) with a in \[0, 1\], or hold\(d\) with d = 0,",
        ),
        (("legs", [1], 3), {"dt": 0.1}, ValueError, "'legs' has no dt: its steps depend on ratios of times alone"),
        (("legt", [1], 3), {}, ValueError, "'legt' needs dt, the sample spacing, > 0, or timestamps; got neit"),
        (("legt", [1], 3), {"dt": 0}, ValueError, "dt must be > 0, got 0"),
        (("legt", [1], 3), {"dt": -1}, ValueError, "dt must be > 0, got -1"),
        (("legt", [1], 3), {"dt": "1"}, TypeError, "dt must be an int, float, Fraction or mpf"),
        (("legt", [1], 3), {"dt": 1, "timestamps": [1]}, ValueError, "'legt' takes dt or timestamps, not both"),
        (("legs", [1], 3), {"dt": 1, "timestamps": [1]}, ValueError, "'legs' has no dt: its steps depend on ratios"),
        (("legt", [1], 3), {"timestamps": [0]}, ValueError, r"timestamps\[0\] must be > 0 for method 'zoh', got 0"),
        (("legt", [1], 3), {"timestamps": [-1], "method": "foh"}, ValueError, r"timestamps\[0\] must be >= 0 for meth"),
        (
            ("legt", [1], 3),
            {"timestamps": [0, 1], "start": [1, 2, 3], "first": 4, "method": "foh", "previous": 1},
            ValueError,
            r"timestamps\[0\] must be > 0 for method 'foh', got 0",
        ),
        (
            ("legt", [1], 3),
            {"timestamps": [1], "start": [1, 2, 3], "first": 4},
            ValueError,
            r"length 2 for 1 samples \(when resuming, the time of start comes first\), got 1",
        ),
        (
            ("legs", [1], 3),
            {"timestamps": [1], "start": [1, 2, 3], "first": 4, "method": "hold(3)", "previous": [1, 2, 3]},
            ValueError,
            r"length 4 for 1 samples \(when resuming, the times of the last 3 samples read come first\), got 1",
        ),
        (
            ("legs", [1], 3),
            {"start": [1, 2, 3], "first": 4, "method": "hold(2)", "previous": [1]},
            ValueError,
            r"previous must have length 2 for method 'hold\(2\)' and first = 4, got 1",
        ),
        (
            ("legs", [1], 3),
            {"start": [1, 2, 3], "first": 4, "method": "hold(2)", "previous": 1},
            TypeError,
            "previous must be a sequence of numbers, got 1",
        ),
        (
            ("legs", [1], 3),
            {"start": [1, 2, 3], "first": 1, "method": "hold(2)"},
            ValueError,
            r"'hold\(2\)' reads three samples in a step: resuming needs previous, the last 1 sample\(s\) read, oldest",
        ),
        (("legs", [1, 2], 3), {"timestamps": [1]}, ValueError, "timestamps must have length 2 for 2 samples, got 1"),
        (("legs", [1, 2], 3), {"timestamps": [1, 1]}, ValueError, "timestamps must increase strictly"),
        (
            ("legs", [1, 2], 3),
            {"timestamps": [0, 1]},
            ValueError,
            r"timestamps\[0\] must be > 0 for method 'zoh', got 0",
        ),
        (("legs", [1], 3), {"timestamps": [-1], "method": "foh"}, ValueError, r"timestamps\[0\] must be >= 0"),
        (("legs", [1], 3), {"first": 2}, ValueError, "first = 2 resumes a run and needs start"),
        (("legs", [1], 3), {"start": [1, 2, 3]}, ValueError, "start for measure 'legs' needs first >= 1"),
        (("legs", [1], 3), {"start": [1, 2], "first": 1}, ValueError, "start must have length order = 3, got 2"),
        (("legs", [1], 2), {"start": [1, 2], "first": 1, "method": "foh"}, ValueError, "resuming needs previous"),
        (("legs", [1], 3), {"dps": 0}, ValueError, "dps must be an integer >= 1"),
    ],
)
def test_refusals(arguments, keywords, error, text):
    key, *rest = arguments
    with pytest.raises(error, match=text):
        states(measure(key), *rest, **keywords)


def test_step_refusals():
    for method, word in (("trapezoid", "two"), ("foh", "two"), ("hold(2)", "three"), ("hold(3)", "four")):
        with pytest.raises(
            ValueError, match=rf"^method '{re.escape(method)}' reads {word} samples in a step; use states"
        ):
            step(LEGS, [1, 2], 3, 1, method)
    with pytest.raises(ValueError, match="k must be an integer >= 0, got -1"):
        step(LEGS, [1, 2], 3, -1)
    with pytest.raises(ValueError, match="state must hold at least 1"):
        step(LEGS, [], 3, 1)


def test_rules_and_measures_are_all_covered():
    assert list(DISCRETIZATIONS) == ["euler", "backward_euler", "bilinear", "zoh", "trapezoid", "foh"]
    assert {m.key for m in CASES} == set(MEASURES)
    for key, rule in DISCRETIZATIONS.items():
        assert rule.key == key
        assert tuple(rule.nominal_order) == ("scale", "invariant")
