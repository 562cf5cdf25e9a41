"""Certified systems and states against the mpmath side, which shares no formula with them."""

import math
from fractions import Fraction

import pytest
from enclosed_tools import DT, KNOWN, RULES, UNEVEN, assert_reached, columns, first_gap, transposed
from flint import ctx
from mpmath import mp, mpf
from ref_tools import name, samples

from hippo_ref import PrecisionError, jacobian, measure, states, step, system
from hippo_ref.balls import ball, midpoint, radius
from hippo_ref.enclosed import enclose_jacobian, enclose_states, enclose_step, enclose_system
from hippo_ref.enclosed import states as module

LEGS, LEGT = measure("legs"), measure("legt", theta="0.8")
TINY = math.ldexp(1.0, -1074)
SIGNALS = {
    "dyadic": samples(9),
    "rational": [Fraction(3 * k * k - 7 * k + 2, 7 + k) for k in range(9)],
    "huge and denormal": [TINY, 1.5, -1.0e300, TINY, 2.0**-500, -3.0e5, 1.0e308, -TINY, 0.1],
    "spike": [0, 0, 0, 1, 0, 0, 0, 0, 0],
}


def largest(signal):
    return max(abs(mpf(Fraction(v).numerator) / Fraction(v).denominator) for v in signal)


@pytest.mark.parametrize("order", [1, 2, 3, 8, 31, 32])
@pytest.mark.parametrize("m", KNOWN, ids=name)
def test_systems_overlap(m, order):
    A, B = enclose_system(m, order, 40)
    expected = system(m, order, 45)
    rows = [[expected.A[n, k] for k in range(order)] for n in range(order)] + [list(expected.B)]
    # An absolute floor below every entry: the smallest row of the corpus is about 1e-3.
    assert first_gap([*A, B], rows, 45, mpf(2) ** -60) is None
    assert_reached([*A, B], 40, mpf(2) ** -60)


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("m", KNOWN, ids=name)
def test_states_overlap_at_all_kinds_of_samples(m, method):
    dt = None if m.key == "legs" else DT
    for order, (label, u) in zip((5, 7, 2, 12), SIGNALS.items(), strict=True):
        floor = largest(u)
        found = enclose_states(m, u, order, method, dt, 40)
        assert first_gap(found, states(m, u, order, method, dt, 45), 45, floor) is None, label
        assert_reached(found, 40, floor)
        end = enclose_states(m, u, order, method, dt, 40, last=True)
        assert len(end) == 1
        assert all(a.overlaps(b) for a, b in zip(end[0], found[-1], strict=True))
        assert_reached(end, 40, floor)


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("order", [1, 3, 32])
def test_states_overlap_at_all_orders(order, method):
    u = samples(7)
    for m, dt in ((LEGS, None), (LEGT, Fraction(1, 64))):
        found = enclose_states(m, u, order, method, dt, 50)
        assert first_gap(found, states(m, u, order, method, dt, 50), 50) is None
        assert_reached(found, 50)


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("m", KNOWN, ids=name)
def test_states_overlap_at_uneven_times(m, method):
    u = samples(9)
    found = enclose_states(m, u, 6, method, digits=40, timestamps=UNEVEN)
    assert first_gap(found, states(m, u, 6, method, dps=45, timestamps=UNEVEN), 45) is None
    assert_reached(found, 40)
    end = enclose_states(m, u, 6, method, digits=40, timestamps=UNEVEN, last=True)
    assert all(a.overlaps(b) for a, b in zip(end[0], found[-1], strict=True))


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("m", [LEGS, LEGT, measure("lagt", alpha="1/3")], ids=name)
def test_resumed_states_overlap(m, method):
    u, start = samples(9), [Fraction(k * k - 3, 7) for k in range(5)]
    reach = {"trapezoid": 1, "foh": 1, "hold(2)": 2, "hold(3)": 3}.get(method, 0)
    for cut in (1, 2, 6):
        read = min(reach, cut)
        previous = u[cut - read : cut] if reach > 1 else u[cut - 1]
        times = {"timestamps": UNEVEN[cut - max(1, read) :]}
        for when in (times, {} if m is LEGS else {"dt": DT}):
            request = {"start": start, "first": cut, "previous": previous, **when}
            found = enclose_states(m, u[cut:], 5, method, digits=40, **request)
            assert first_gap(found, states(m, u[cut:], 5, method, dps=45, **request), 45) is None
            end = enclose_states(m, u[cut:], 5, method, digits=40, last=True, **request)
            assert all(a.overlaps(b) for a, b in zip(end[0], found[-1], strict=True))


@pytest.mark.parametrize("method", RULES)
def test_an_initial_state_of_an_invariant_law(method):
    u, start = samples(4), [Fraction(1, 3), -2, 5]
    found = enclose_states(LEGT, u, 3, method, DT, 40, start=start)
    assert first_gap(found, states(LEGT, u, 3, method, DT, 45, start=start), 45) is None


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("m", KNOWN, ids=name)
def test_jacobians_overlap(m, method):
    dt = None if m.key == "legs" else DT
    found = enclose_jacobian(m, 8, 6, method, dt, 40)
    assert len(found) == 6
    assert first_gap(transposed(found), columns(jacobian(m, 8, 6, method, dt, 45)), 45) is None
    assert_reached(transposed(found), 40)
    uneven = enclose_jacobian(m, 9, 5, method, digits=40, timestamps=UNEVEN)
    expected = columns(jacobian(m, 9, 5, method, dps=45, timestamps=UNEVEN))
    assert first_gap(transposed(uneven), expected, 45) is None
    assert_reached(transposed(uneven), 40)


@pytest.mark.parametrize("method", [rule for rule in RULES if rule in ("euler", "bilinear", "gbt(1/3)", "zoh")])
def test_steps_overlap(method):
    before = [Fraction(1, 3), -1, 0.5, 7]
    for m, dt in ((LEGS, None), (LEGT, DT)):
        for k in (0, 1, 9):
            found = enclose_step(m, before, 0.75, k, method, dt, 40)
            assert first_gap([found], [step(m, before, 0.75, k, method, dt, 45)], 45) is None


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("m", [LEGS, LEGT, measure("fout")], ids=name)
def test_a_number_that_is_off_in_the_45th_digit_is_outside(m, method):
    dt = None if m.key == "legs" else DT
    u = samples(6)
    found, expected = enclose_states(m, u, 4, method, dt, 50), states(m, u, 4, method, dt, 50)
    with mp.workdps(60):
        expected[4][2] += mpf(10) ** -45 * max(abs(entry) for entry in expected[4])
    assert first_gap(found, expected, 50) == (4, 2)


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("m", KNOWN, ids=name)
def test_coarse_balls_contain_the_fine_midpoints(m, method):
    dt, u = None if m.key == "legs" else DT, SIGNALS["rational"]
    pairs = [
        (enclose_states(m, u, 6, method, dt, digits), transposed(enclose_jacobian(m, 7, 6, method, dt, digits)))
        for digits in (8, 60)
    ]
    for coarse, fine in zip(*pairs, strict=True):
        for row, exact in zip(coarse, fine, strict=True):
            for wide, narrow in zip(row, exact, strict=True):
                with mp.workdps(90):
                    assert abs(midpoint(wide) - midpoint(narrow)) <= radius(wide) + radius(narrow)


def test_zeros_are_exact_and_cancelled_states_are_held_against_their_inputs():
    for m, dt in ((LEGS, None), (LEGT, DT)):
        assert all(entry == 0 for row in enclose_states(m, [0, 0, 0], 4, "hold(3)", dt) for entry in row)
    # At N = 1 backward Euler is the running mean: of 1, 1, 1, -3 it is 0, behind divisions that round.
    mean = enclose_states(LEGS, [1, 1, 1, -3], 1, "backward_euler")[-1][0]
    assert mean.contains(0)
    assert radius(mean) < mpf(10) ** -50


@pytest.mark.parametrize("method", RULES)
def test_one_sample(method):
    for m, dt in ((LEGS, None), (LEGT, DT)):
        found = enclose_states(m, [Fraction(1, 3)], 3, method, dt, 40)
        assert first_gap(found, states(m, [Fraction(1, 3)], 3, method, dt, 45), 45) is None
        slopes = enclose_jacobian(m, 1, 3, method, dt, 40)
        assert first_gap(transposed(slopes), columns(jacobian(m, 1, 3, method, dt, 45)), 45) is None
    # A node of an invariant law has taken no step: the state is the one it was started with.
    if method in ("trapezoid", "foh", "hold(2)", "hold(3)"):
        start = [Fraction(1, 3), 2, -7]
        found = enclose_states(LEGT, [5], 3, method, DT, 40, start=start)
        assert first_gap(found, [[mpf(1) / 3, 2, -7]], 15) is None


def test_bilinear_with_a_vanishing_step_matrix():
    # N = 1, A = -1/theta: with h = 2 theta the state forgets everything.
    found = enclose_states(measure("legt"), [5, 7, 11], 1, "bilinear", 2)
    assert first_gap(found, [[5], [7], [11]], 50) is None


def test_unstable_runs_are_enclosed_too():
    """Forward Euler far beyond its stability: states grow beyond 10^25 and stay certified relative to their size."""
    u = samples(40)
    found = enclose_states(LEGT, u, 16, "euler", Fraction(1, 8), 40)
    assert abs(midpoint(found[-1][0])) > mpf(10) ** 25
    assert first_gap(found, states(LEGT, u, 16, "euler", Fraction(1, 8), 45), 45) is None
    assert_reached(found, 40)


def test_what_cannot_be_reached_is_an_error(monkeypatch):
    monkeypatch.setattr(module.legs, "states", lambda run: [[ball(1) + ball(0).union(ball(1))] * run.order])
    with pytest.raises(PrecisionError, match=r"enclose_states\(legs, order=2, method='zoh'\): a radius of 10\^-50"):
        enclose_states(LEGS, [1, 2], 2)


def test_the_precision_of_balls_is_given_back():
    before = ctx.prec
    enclose_states(LEGT, [1, 2], 3, "hold(2)", DT)
    with pytest.raises(ValueError, match="order"):
        enclose_states(LEGT, [1, 2], 0, "zoh", DT)
    assert ctx.prec == before


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "text"),
    [
        (("legs", [], 3), {}, ValueError, r"samples must hold at least 1 number\(s\), got 0"),
        (("legs", [1], 0), {}, ValueError, "order must be an integer >= 1, got 0"),
        (("legs", [1, math.nan], 3), {}, ValueError, r"samples\[1\] must be finite, got nan"),
        (("legs", ["1"], 3), {}, TypeError, r"samples\[0\] must be an int, float, Fraction or mpf, got '1'"),
        (("legs", [1], 3), {"digits": 0}, ValueError, "must be an integer >= 1, got 0"),
        (("legs", [1], 3), {"method": "rk4"}, ValueError, r"unknown method 'rk4'; expected one of euler, .*gbt\(a\)"),
        (("legs", [1], 3), {"method": 3}, ValueError, "unknown method 3"),
        (("legs", [1], 3), {"method": "gbt(1.5)"}, ValueError, r"needs a in \[0, 1\], got 'gbt\(1.5\)'"),
        (("legs", [1], 3), {"method": "gbt(x)"}, ValueError, r"a of method gbt\(a\) must be a finite number"),
        (("legs", [1], 3), {"method": "hold(4)"}, ValueError, r"degree d in 0 .. 3, got 'hold\(4\)'"),
        (("legs", [1], 3), {"method": "hold(-1)"}, ValueError, r"degree d in 0 .. 3, got 'hold\(-1\)'"),
        (("legs", [1], 3), {"dt": 0.1}, ValueError, "'legs' has no dt: its steps depend on ratios of times alone"),
        (("legt", [1], 3), {}, ValueError, "'legt' needs exactly one of dt and timestamps, got neither"),
        (("legt", [1], 3), {"dt": 1, "timestamps": [1]}, ValueError, "exactly one of dt and timestamps, got both"),
        (("legt", [1], 3), {"dt": 0}, ValueError, "dt must be > 0, got 0"),
        (("legt", [1], 3), {"dt": "1"}, TypeError, "dt must be an int, float, Fraction or mpf"),
        (("legs", [1, 2], 3), {"timestamps": [1]}, ValueError, "timestamps must have length 2 for 2 samples, got 1"),
        (("legs", [1, 2], 3), {"timestamps": [2, 2]}, ValueError, "timestamps must increase strictly"),
        (("legs", [1, 2], 3), {"timestamps": [0, 1]}, ValueError, r"timestamps\[0\] must be > 0 for method 'zoh'"),
        (("legt", [1, 2], 3), {"timestamps": [0, 1]}, ValueError, r"timestamps\[0\] must be > 0 for method 'zoh'"),
        (("legs", [1], 3), {"timestamps": [-1], "method": "foh"}, ValueError, r"timestamps\[0\] must be >= 0"),
        (("legs", [1], 3), {"first": 2}, ValueError, "first = 2 resumes a run and needs start"),
        (("legs", [1], 3), {"start": [1, 2, 3]}, ValueError, "start for measure 'legs' needs first >= 1"),
        (("legs", [1], 3), {"start": [1, 2], "first": 1}, ValueError, "start must have length order = 3, got 2"),
        (
            ("legs", [1], 2),
            {"start": [1, 2], "first": 1, "method": "foh"},
            ValueError,
            r"looks back: resuming needs previous, the last 1 sample",
        ),
        (
            ("legs", [1], 2),
            {"start": [1, 2], "first": 2, "method": "hold(3)", "previous": [1]},
            ValueError,
            r"previous must hold the last 2 sample\(s\), oldest first, to resume method 'hold\(3\)' after 2; got 1",
        ),
        (
            ("legs", [1], 2),
            {"start": [1, 2], "first": 5, "method": "hold(2)", "previous": [1, 2], "timestamps": [3, 4]},
            ValueError,
            r"timestamps must have length 3 for 1 samples \(when resuming, 2 earlier time\(s\) come first",
        ),
    ],
)
def test_refusals(arguments, keywords, error, text):
    key, *rest = arguments
    with pytest.raises(error, match=text):
        enclose_states(measure(key), *rest, **keywords)


def test_other_refusals():
    with pytest.raises(ValueError, match=r"method 'foh' reads several samples in a step; use enclose_states"):
        enclose_step(LEGS, [1, 2], 3, 1, "foh")
    with pytest.raises(ValueError, match="k must be an integer >= 0, got -1"):
        enclose_step(LEGS, [1, 2], 3, -1)
    with pytest.raises(ValueError, match="length must be an integer >= 1, got 0"):
        enclose_jacobian(LEGS, 0, 2, "zoh")

    class Stranger(type(LEGT)):
        key = "stranger"

    for call in (lambda: enclose_system(Stranger(), 3), lambda: enclose_states(Stranger(), [1], 3, dt=1)):
        with pytest.raises(ValueError, match="no formula in balls for measure 'stranger'; expected one of legs, legt"):
            call()
