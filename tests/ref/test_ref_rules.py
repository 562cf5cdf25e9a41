"""Every rule for both laws: families, node rules on invariant laws, uneven timestamps, resumed runs, Jacobians.

Witnesses that share nothing with the steps: dense solves and exponentials by mpmath, closed-form piecewise projections,
and quadrature of the piecewise signal itself.
"""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from ref_tools import assert_close, name, samples

from hippo_ref import DISCRETIZATIONS, jacobian, measure, project, project_held, project_linear, states, step, system
from hippo_ref.discretizations import discretization
from hippo_ref.held import project_pieces
from hippo_ref.recurrence import jacobian_products
from hippo_ref.stepping import _matrices

LEGS, LEGT, LTI = measure("legs"), measure("legt", theta="0.7"), measure("legs_lti")
LAGT = measure("lagt", alpha="0.3")
FAMILY = ["gbt(1/3)", "gbt(0.9)", "hold(2)", "hold(3)"]
RULES = [*DISCRETIZATIONS, *FAMILY]
NODES = ["trapezoid", "foh", "hold(2)", "hold(3)"]
DT = Fraction(1, 20)
UNEVEN = [Fraction(1, 3), Fraction(1, 2), Fraction(3, 4), 1, Fraction(5, 4), Fraction(7, 3), Fraction(5, 2), 3, 4]


def ratio(value):
    value = Fraction(value)
    return mpf(value.numerator) / value.denominator


def degree(method):
    return discretization(method).degree


def times_of(m, method, count):
    """Times of samples at the default spacing: ends of cells or nodes."""
    rule = discretization(method)
    if m.key == "legs":
        return [Fraction(rule.first_time + k) for k in range(count)]
    return [DT * (k + (rule.reads == "cells")) for k in range(count)]


def piecewise(u, times, d):
    """The signal of ``hold(d)``, by Lagrange's formula at the point; ``u[0]`` before the first node."""

    def f(x):
        k = next((k for k, time in enumerate(times) if x <= ratio(time)), len(times) - 1)
        nodes = [(ratio(times[i]), mpf(u[i])) for i in range(k - min(d, k), k + 1)]
        total = mpf(0)
        for i, (t, value) in enumerate(nodes):
            total += value * mp.fprod((x - s) / (t - s) for j, (s, _) in enumerate(nodes) if j != i)
        return total

    return f


# Names


@pytest.mark.parametrize(
    ("text", "weight"),
    [("1/3", "1/3"), ("0.25", "1/4"), ("0", 0), ("1", 1), ("1.0", 1), (".5", "1/2"), ("2/6", "1/3"), ("0/07", 0)],
)
def test_a_weight_is_taken_exactly(text, weight):
    rule = discretization(f"gbt({text})")
    assert rule.a == Fraction(weight)
    assert rule.key == f"gbt({Fraction(weight)})"
    assert rule is discretization(f"gbt({text})"), "parsed once"
    assert rule == discretization(f"gbt({Fraction(weight)})"), "and the same rule however it is written"


@pytest.mark.parametrize(
    "text", ["1.5", "-0.1", "x", "", "nan", "inf", "1/0", "1e-1", " 0.5", "0.5\n", "1_0", "½", "٠", "0x1", "1" * 41]
)
def test_a_weight_outside_its_domain(text):
    with pytest.raises(ValueError, match=r"needs a weight a in \[0, 1\], a decimal or a ratio such as gbt\(0\.25\)"):
        discretization(f"gbt({text})")


@pytest.mark.parametrize("text", ["4", "-1", "1.0", "", "x", "00"])
def test_a_degree_outside_its_domain(text):
    with pytest.raises(ValueError, match=rf"^method 'hold\({text}\)' needs a degree of 0, 1, 2, 3; got '{text}'$"):
        discretization(f"hold({text})")


@pytest.mark.parametrize("key", ["rk4", "gbt", "hold", "gbt[1]", "tustin(1)", "Hold(2)", 3, None, [], ["zoh"]])
def test_an_unknown_method_is_told_all_of_them(key):
    known = (
        r"euler, backward_euler, bilinear, zoh, trapezoid, foh, gbt\(a\) with a in \[0, 1\], or hold\(d\) with d = 0, 1"
    )
    with pytest.raises(ValueError, match=rf"^unknown method .*; expected one of {known}"):
        discretization(key)


@pytest.mark.parametrize("m", [LEGS, LEGT], ids=name)
@pytest.mark.parametrize(
    ("named", "member"),
    [
        ("euler", "gbt(0)"),
        ("bilinear", "gbt(1/2)"),
        ("backward_euler", "gbt(1)"),
        ("zoh", "hold(0)"),
        ("foh", "hold(1)"),
    ],
)
def test_named_rules_are_members_of_families(m, named, member):
    dt = None if m.key == "legs" else DT
    assert states(m, samples(6), 5, named, dt) == states(m, samples(6), 5, member, dt)
    old, new = discretization(named), discretization(member)
    assert (old.reads, old.first_time, old.nominal_order) == (new.reads, new.first_time, new.nominal_order)


def test_orders_of_the_families():
    assert discretization("gbt(0.49)").nominal_order == {"scale": 1, "invariant": 1}
    assert discretization("gbt(1/2)").nominal_order == {"scale": 1, "invariant": 2}
    for d in (1, 2, 3):
        assert discretization(f"hold({d})").nominal_order == {"scale": d + 1, "invariant": d + 1}
        assert (discretization(f"hold({d})").reads, discretization(f"hold({d})").one_sample) == ("nodes", False)


# Against dense algebra


@pytest.mark.parametrize("method", ["gbt(1/3)", "gbt(0.9)", "gbt(0)", "gbt(1)"])
@pytest.mark.parametrize("m", [LEGS, LEGT, LAGT], ids=name)
def test_any_weight_against_a_dense_solve_at_uneven_times(m, method):
    u, order, a = samples(9), 6, discretization(method).a
    expected = []
    with mp.workdps(50):
        found, one = system(m, order, 50), mp.eye(order)
        A, B, a = found.A, found.B, ratio(a)
        c = mp.zeros(order, 1)
        for k, value in enumerate(u):
            if m.key == "legs" and k == 0:
                c[0] = value
            else:
                h = ratio(UNEVEN[k] - (UNEVEN[k - 1] if k else 0))
                h = h / ratio(UNEVEN[k]) if m.key == "legs" else h
                c = mp.lu_solve(one - a * h * A, (one + (1 - a) * h * A) * c + h * B * mpf(value))
            expected.append(c)
    found = states(m, u, order, method, dps=35, timestamps=UNEVEN)
    for k in range(9):
        assert_close(found[k], list(expected[k]), 33)


@pytest.mark.parametrize("timestamps", [None, [0, *UNEVEN[:7]], UNEVEN[:8]], ids=["dt", "from zero", "later"])
@pytest.mark.parametrize("method", NODES)
def test_node_rules_of_an_invariant_law_against_dense_algebra(method, timestamps):
    """From the zero state at node 0; trapezoid by a solve, holds by the exponential with the input's derivatives."""
    u, order = samples(8), 5
    times = timestamps or [DT * k for k in range(8)]
    with mp.workdps(50):
        found, one = system(LEGT, order, 50), mp.eye(order)
        A, B, c = found.A, found.B, mp.zeros(order, 1)
        expected = [c]
        for k in range(1, 8):
            h = ratio(times[k] - times[k - 1])
            if method == "trapezoid":
                right = (one + h / 2 * A) * c + h / 2 * B * mpf(u[k - 1] + u[k])
                c = mp.lu_solve(one - h / 2 * A, right)
            else:
                d = min(degree(method), k)
                # Coefficients of the interpolating polynomial in x - t_{k-1} by a Vandermonde solve.
                nodes = [ratio(times[i] - times[k - 1]) for i in range(k - d, k + 1)]
                V = mp.matrix([[x**j for j in range(d + 1)] for x in nodes])
                p = mp.lu_solve(V, mp.matrix([mpf(v) for v in u[k - d : k + 1]]))
                G = mp.zeros(order + d + 1)
                G[:order, :order], G[:order, order] = A, B
                for j in range(d):
                    G[order + j, order + j + 1] = 1
                z = mp.matrix([*c, *(mp.factorial(j) * p[j] for j in range(d + 1))])
                c = mp.matrix(list(mp.expm(G * h) * z)[:order])
            expected.append(c)
    step_of = {"timestamps": timestamps} if timestamps else {"dt": DT}
    found = states(LEGT, u, order, method, dps=35, **step_of)
    assert found[0] == [0] * order, "nothing has been integrated yet"
    for k in range(1, 8):
        assert_close(found[k], list(expected[k]), 33)


# Against projections


@pytest.mark.parametrize("d", [0, 1, 2, 3])
@pytest.mark.parametrize("timestamps", [None, UNEVEN], ids=["even", "uneven"])
def test_piecewise_projections_against_quadrature(d, timestamps):
    u, times = samples(7), [Fraction(k + (d == 0)) for k in range(7)] if timestamps is None else timestamps[:7]
    found = project_pieces(LEGS, u, 6, d, 30, timestamps=None if timestamps is None else times)
    exact = project(LEGS, piecewise(u, times, d), times[-1], 6, 30, points=times)
    assert_close(found, exact, 29)


def test_piecewise_projections_know_the_two_old_ones():
    u = samples(6)
    assert project_pieces(LEGS, u, 5, 0, timestamps=UNEVEN[:6]) == project_held(LEGS, u, 5, timestamps=UNEVEN[:6])
    assert project_pieces(LEGS, u, 5, 1) == project_linear(LEGS, u, 5)
    assert project_pieces(LEGS, [7], 3, 2) == [7, 0, 0], "one node at 0: the limit of a constant"
    with pytest.raises(ValueError, match="degree must be 0, 1, 2 or 3, got 4"):
        project_pieces(LEGS, u, 5, 4)
    with pytest.raises(
        ValueError, match="piecewise projections in closed form are known for measure 'legs', got 'legt'"
    ):
        project_pieces(LEGT, u, 5, 2)
    with pytest.raises(ValueError, match="timestamps must have length 6, got 2"):
        project_pieces(LEGS, u, 5, 2, timestamps=[1, 2])
    with pytest.raises(ValueError, match="timestamps must increase strictly from a value >= 0"):
        project_pieces(LEGS, [1, 2], 5, 2, timestamps=[2, 1])


@settings(max_examples=12)
@given(
    u=st.lists(st.fractions(-9, 9, max_denominator=30), min_size=1, max_size=8),
    gaps=st.lists(st.fractions(Fraction(1, 50), 20, max_denominator=50), min_size=8, max_size=8),
    order=st.integers(1, 14),
    d=st.sampled_from([2, 3]),
    from_zero=st.booleans(),
)
def test_legs_holds_are_the_exact_projection_of_the_piecewise_polynomial(u, gaps, order, d, from_zero):
    times = [sum(gaps[: k + 1]) - (gaps[0] if from_zero else 0) for k in range(len(u))]
    found = states(LEGS, u, order, f"hold({d})", dps=30, timestamps=times)
    for k in range(len(u)):
        assert_close(found[k], project_pieces(LEGS, u[: k + 1], order, d, 30, timestamps=times[: k + 1]), 28)


def test_large_orders_of_the_holds_stay_exact():
    u = samples(30)
    for d in (2, 3):
        assert_close(states(LEGS, u, 64, f"hold({d})", dps=40)[-1], project_pieces(LEGS, u, 64, d, 40), 39)


@pytest.mark.parametrize("method", ["foh", "hold(2)", "hold(3)"])
@pytest.mark.parametrize("m", [LTI, LAGT], ids=name)
def test_holds_of_an_exact_invariant_law_are_projections(m, method):
    u, times = samples(6), [Fraction(0), *UNEVEN[:5]]
    found = states(m, u, 5, method, dps=25, timestamps=times)[-1]
    signal = piecewise(u, times, degree(method))
    assert_close(found, project(m, signal, times[-1], 5, 22, points=times, since=0), 20)


def test_a_hold_of_higher_degree_is_exact_for_lower_degrees():
    line = [Fraction(3, 2) - 2 * k for k in range(8)]
    for m, dt in ((LEGS, None), (LEGT, DT)):
        for method in ("hold(2)", "hold(3)"):
            for a, b in zip(states(m, line, 6, method, dt), states(m, line, 6, "foh", dt), strict=True):
                assert_close(a, b, 49)


# Order of convergence (claim 11)


def rates(m, f, method, order=4):
    with mp.workdps(30):
        exact = mp.matrix(project(m, f, 1, order, 28, **({} if m.key == "legs" else {"since": 0})))
        errors = []
        for length in (32, 64, 128):
            u = [f(mpf(k) / length) for k in range(length + 1)]
            dt = None if m.key == "legs" else Fraction(1, length)
            errors.append(mp.norm(mp.matrix(states(m, u, order, method, dt, 28)[-1]) - exact))
        return [float(mp.log(a / b, 2)) for a, b in pairwise(errors)]


@pytest.mark.parametrize("method", NODES)
@pytest.mark.parametrize("m", [LEGS, LTI], ids=name)
def test_nominal_orders_of_the_node_rules(m, method):
    """``sin 3x`` has no second derivative at the start, where the first piece is linear."""
    law = "scale" if m.key == "legs" else "invariant"
    nominal = discretization(method).nominal_order[law]
    rough, fine = rates(m, lambda x: mp.sin(3 * x), method)
    assert abs(fine - nominal) < 0.1
    assert abs(fine - nominal) <= abs(rough - nominal) + 0.01


@pytest.mark.parametrize("m", [LEGS, LTI], ids=name)
def test_the_linear_start_costs_hold_3_an_order(m):
    """``cos 3x`` has ``f''(0) = -9``: the first step's error ``h^3 f''`` is seen as long as the start is."""
    assert abs(rates(m, lambda x: mp.cos(3 * x), "hold(3)")[1] - 3) < 0.1


# Runs


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("m", [LEGS, LEGT, LAGT], ids=name)
@pytest.mark.parametrize("stamped", [False, True], ids=["even", "timestamps"])
def test_a_resumed_run_equals_an_unbroken_one(m, method, stamped):
    u, rule, order = samples(9), discretization(method), 5
    times = UNEVEN if stamped else None
    dt = None if stamped or m.key == "legs" else DT
    whole = states(m, u, order, method, dt, 40, timestamps=times)
    for cut in (1, 2, 3, 8):
        read = min(rule.reach, cut)
        previous = {0: None, 1: u[cut - 1]}.get(rule.reach, u[cut - read : cut])
        later = states(
            m,
            u[cut:],
            order,
            method,
            dt,
            30,
            timestamps=times and times[cut - max(1, read) :],
            start=whole[cut - 1],
            first=cut,
            previous=previous,
        )
        for a, b in zip(later, whole[cut:], strict=True):
            assert_close(a, b, 29)


def test_a_run_that_began_at_time_zero_resumes_there():
    u, times = samples(4), [0, 1, 3, 4]
    for method in ("bilinear", *NODES):
        whole = states(LEGS, u, 4, method, dps=40, timestamps=times)
        previous = u[:1] if discretization(method).reach > 1 else u[0]
        later = states(LEGS, u[1:], 4, method, dps=30, timestamps=times, start=whole[0], first=1, previous=previous)
        assert_close(later[-1], whole[-1], 29)


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("m", [LEGT, LTI], ids=name)
def test_an_initial_state_of_an_invariant_law(m, method):
    """It adds its own decay, ``M^k c``; for nodes state 0 is the initial state itself."""
    u, c = samples(5), [1, Fraction(-1, 3), 0.25, 2]
    found = states(m, u, 4, method, DT, 40, start=c)
    plain, free = states(m, u, 4, method, DT, 40), states(m, [0] * 5, 4, method, DT, 40, start=c)
    with mp.workdps(50):
        if discretization(method).reads == "nodes":
            assert_close(found[0], [ratio(v) for v in c], 39)
        for a, b, d in zip(found, plain, free, strict=True):
            assert_close(a, [x + y for x, y in zip(b, d, strict=True)], 38)


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("m", [LEGS, LEGT], ids=name)
def test_even_timestamps_are_the_uniform_run(m, method):
    u = samples(6)
    dt = None if m.key == "legs" else DT
    assert states(m, u, 4, method, timestamps=times_of(m, method, 6)) == states(m, u, 4, method, dt)


@pytest.mark.parametrize("method", RULES)
def test_legs_ignores_the_unit_of_time_and_an_invariant_law_does_not(method):
    u, times, seconds = samples(6), UNEVEN[:6], [86400 * t for t in UNEVEN[:6]]
    assert states(LEGS, u, 4, method, timestamps=times) == states(LEGS, u, 4, method, timestamps=seconds)
    assert states(LEGT, u, 4, method, timestamps=times) != states(LEGT, u, 4, method, timestamps=seconds)


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("m", [LEGS, LEGT], ids=name)
def test_states_are_linear_in_the_samples(m, method):
    u, w = samples(7), [Fraction(k * k, 3) - 2 for k in range(7)]
    both = [2 * Fraction(a) - b / 5 for a, b in zip(u, w, strict=True)]
    a, b, c = (states(m, signal, 4, method, dps=40, timestamps=UNEVEN[:7]) for signal in (u, w, both))
    with mp.workdps(50):
        for x, y, z in zip(a, b, c, strict=True):
            assert_close([2 * p - q / 5 for p, q in zip(x, y, strict=True)], z, 38)


def test_equal_steps_share_their_matrices():
    _matrices.cache_clear()
    states(LEGT, samples(9), 3, "hold(2)", timestamps=[0, 1, 2, 4, 5, 7, 8, 9, 11])
    # Two lengths of step, at the two precisions that are held against each other.
    assert _matrices.cache_info().misses == 4


def test_a_derived_measure_takes_uneven_steps():
    """A measure without published matrices goes through its definition, once."""

    class Own(type(LEGT)):
        key = "own"

    own, u = Own(theta="0.7"), samples(5)
    for method in ("gbt(1/3)", "hold(2)", "trapezoid"):
        found = states(own, u, 4, method, dps=30, timestamps=UNEVEN[:5])
        for a, b in zip(found, states(LEGT, u, 4, method, dps=30, timestamps=UNEVEN[:5]), strict=True):
            assert_close(a, b, 29)


@pytest.mark.parametrize("method", ["gbt(1/3)", "hold(0)"])
@pytest.mark.parametrize("m", [LEGS, LEGT], ids=name)
def test_step_knows_the_families(m, method):
    u, dt, state = samples(4), None if m.key == "legs" else DT, [mpf(0)] * 4
    for k in range(4):
        state = step(m, state, u[k], k, method, dt, 40)
    assert_close(state, states(m, u, 4, method, dt, 40)[-1], 37)


# Jacobians


@pytest.mark.parametrize("method", ["zoh", "foh", "hold(2)", "hold(3)"])
@pytest.mark.parametrize("timestamps", [None, UNEVEN, [0, *UNEVEN[:8]]], ids=["even", "uneven", "from zero"])
def test_closed_jacobians_of_the_legs_holds_are_the_products(method, timestamps):
    if timestamps and timestamps[0] == 0 and method == "zoh":
        timestamps = [Fraction(1, 10**6), *timestamps[1:]]
    closed = jacobian(LEGS, 9, 12, method, dps=40, timestamps=timestamps)
    products = jacobian_products(LEGS, 9, 12, method, dps=40, timestamps=timestamps)
    for k in range(9):
        assert_close([closed[n, k] for n in range(12)], [products[n, k] for n in range(12)], 39)


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("m", [LEGS, LEGT, LAGT], ids=name)
@pytest.mark.parametrize("stamped", [False, True], ids=["even", "timestamps"])
def test_jacobians_are_the_linear_map(m, method, stamped):
    u, times = samples(7), UNEVEN[:7] if stamped else None
    dt = None if stamped or m.key == "legs" else DT
    J = jacobian(m, 7, 4, method, dt, 40, timestamps=times)
    assert (J.rows, J.cols) == (4, 7)
    with mp.workdps(50):
        product = list(J * mp.matrix([mpf(v) for v in u]))
    assert_close(product, states(m, u, 4, method, dt, 40, timestamps=times)[-1], 36)


def test_jacobians_of_one_sample():
    assert list(jacobian(LEGS, 1, 3, "hold(3)")) == [1, 0, 0]
    assert list(jacobian(LEGT, 1, 3, "hold(3)", DT)) == [0, 0, 0]
    assert_close(list(jacobian(LEGT, 1, 3, "zoh", DT)), states(LEGT, [1], 3, "zoh", DT)[0], 49)


def test_jacobian_refusals():
    with pytest.raises(ValueError, match="length must be an integer >= 1, got 0"):
        jacobian(LEGS, 0, 3, "zoh")
    with pytest.raises(ValueError, match="timestamps must have length 2 for 2 samples, got 1"):
        jacobian(LEGS, 2, 3, "foh", timestamps=[1])
    with pytest.raises(ValueError, match="'legs' has no dt"):
        jacobian(LEGS, 2, 3, "foh", 0.1)
