"""Exact projections: analytic values, piecewise signals, the law they obey, reconstruction, refusals."""

import math
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from ref_tools import CASES, MEASURE_CASES, assert_close, name, samples

from hippo_ref import (
    MEASURES,
    PrecisionError,
    evaluate,
    measure,
    project,
    project_held,
    project_linear,
    project_rate,
    system,
)


@pytest.mark.parametrize("m", CASES, ids=name)
def test_against_mpmaths_own_quadrature(m):
    """One mp.quad per coefficient, straight from the definition, without panels, tables or shared nodes."""

    def signal(x):
        return mp.exp(x / 2) * mp.cos(3 * x)

    order, t = 4, mpf(5) / 4
    found = project(m, signal, t, order, 25)
    edges = [0, 1] if m.finite else [0, 1, 2, 4, 8, 16, 32, 64, 128, 256]
    with mp.workdps(30):
        expected = [
            mp.quad(lambda v, n=n: signal(m.time(v, t)) * m.kernel(order, v)[n], edges, maxdegree=7)
            for n in range(order)
        ]
    assert_close(found, expected, 22)


def test_lagt_of_an_exponential_in_closed_form():
    # int_0^inf e^{-u} e^{-u} L_n(u) du = 2^-(n+1) at alpha = 0, beta = 1 and t = 0 (generating function).
    found = project(measure("lagt"), mp.exp, 0, 24, 30)
    assert_close(found, [mpf(2) ** -(n + 1) for n in range(24)], 29)


@pytest.mark.parametrize("alpha", ["-0.999", "0.5", "0.999"])
def test_lagt_at_extreme_alpha_in_closed_form(alpha):
    # int_0^inf e^{-su} L_n^(a)(u) du = sum_k binom(n+a, n-k) (-1)^k s^-(k+1)
    m, order = measure("lagt", alpha=alpha, beta=2), 6
    found = project(m, mp.exp, 0, order, 30)
    with mp.workdps(60):
        a, s = mpf(m.alpha.numerator) / m.alpha.denominator, mpf(5) / 2
        zeta = mp.gamma(1 - a) * mpf(2) ** (a - 1)
        expected = [
            sum(mp.binomial(n + a, n - k) * (-1) ** k / s ** (k + 1) for k in range(n + 1))
            / mp.sqrt(zeta * mp.gamma(n + a + 1) / mp.factorial(n))
            for n in range(order)
        ]
    assert_close(found, expected, 29)


def test_legs_of_a_monomial_in_closed_form():
    # int_0^1 v^3 P_n(2v-1) dv = 3!^2/((3-n)! (4+n)!)
    found = project(measure("legs"), lambda x: x**3, 2, 6, 40)
    with mp.workdps(50):
        expected = [
            8 * mp.sqrt(2 * n + 1) * mpf(36) / (math.factorial(3 - n) * math.factorial(4 + n)) if n <= 3 else mpf(0)
            for n in range(6)
        ]
    assert_close(found, expected, 40)


def test_legs_sixty_four_coefficients_of_a_sine_in_a_second():
    began = time.perf_counter()
    found = project(measure("legs"), mp.sin, 3, 64, 50)
    assert time.perf_counter() - began < 5
    with mp.workdps(70):
        # int_0^1 sin(3v) P_n(2v-1) dv = Im e^{3i/2} i^n j_n(3/2), spherical Bessel.
        bessel = [mp.sqrt(mp.pi / 3) * mp.besselj(n + mpf(1) / 2, mpf(3) / 2) for n in range(64)]
        expected = [
            mp.sqrt(2 * n + 1) * mp.im(mp.expj(mpf(3) / 2) * mpc * b) for n, b in enumerate(bessel) for mpc in [mp.j**n]
        ]
    assert_close(found, expected, 49)


def test_fout_of_its_own_basis():
    m = measure("fout", theta=2)
    # At t = 2 the window is [0, 2] and v = x/2.
    found = project(m, lambda x: 3 + mp.sinpi(x) - 2 * mp.cospi(2 * x), 2, 5, 40)
    with mp.workdps(45):
        half = 1 / mp.sqrt(2)
        assert_close(found, [mpf(3), mpf(0), half, -2 * half, mpf(0)], 40)


def test_breakpoints_make_a_piecewise_signal_exact():
    u, order = samples(7), 6
    held = project(measure("legs"), lambda x: mpf(u[min(int(x), 6)]), 7, order, 40, points=range(1, 7))
    assert_close(held, project_held(measure("legs"), u, order, 40), 39)

    def broken(x):
        k = min(int(x), 5)
        return u[k] + (x - k) * (u[k + 1] - u[k])

    line = project(measure("legs"), broken, 6, order, 40, points=range(1, 6))
    assert_close(line, project_linear(measure("legs"), u, order, 40), 39)


def test_piecewise_projections_take_uneven_times():
    times = [Fraction(1, 3), 1, 2.5, 4]
    u = [1, -2, 3, 0.5]

    def held(x):
        return mpf(
            next(value for value, end in zip(u, times, strict=True) if x <= mpf(end.numerator) / end.denominator)
        )

    exact_ends = [Fraction(end) for end in times]
    times = exact_ends
    m = measure("legs")
    points = exact_ends[:-1]
    assert_close(project(m, held, 4, 5, 30, points=points), project_held(m, u, 5, 30, timestamps=exact_ends), 29)
    # A first node later than 0 means a constant before it.
    one = project_linear(m, [2, 2], 3, 30, timestamps=[1, 3])
    assert_close(one, [mpf(2), mpf(0), mpf(0)], 30)


@pytest.mark.parametrize("m", CASES, ids=name)
def test_since_is_the_signal_cut_to_zero(m):
    t, since = 1, mpf(3) / 4 if m.key == "fout" else mpf(1) / 2
    cut = project(m, mp.cos, t, 4, 25, since=since)
    stepped = project(m, lambda x: mp.cos(x) if x > since else mpf(0), t, 4, 25, points=[since])
    assert_close(cut, stepped, 24)


def test_since_after_the_present_is_zero():
    for key in ("legs", "legt", "lagt"):
        assert project(measure(key), mp.cos, 1, 3, 20, since=2) == [0, 0, 0]


@pytest.mark.parametrize("m", [m for m in CASES if m.closure == "exact"], ids=name)
def test_exact_projection_obeys_its_law(m):
    """Claim 1: dc/dt = A c + B f, over t for LegS."""

    def f(x):
        return mp.exp(x / 3) * mp.cos(2 * x)

    def df(x):
        return mp.exp(x / 3) * (mp.cos(2 * x) / 3 - 2 * mp.sin(2 * x))

    order, t = 7, mpf(7) / 4
    with mp.workdps(40):
        found = system(m, order, 40)
        c, rate = project(m, f, t, order, 35), project_rate(m, df, t, order, 35)
        predicted = found.A * mp.matrix(c) + found.B * f(t)
        assert_close(rate, list(predicted / t if m.time_law == "scale" else predicted), 32)


@pytest.mark.parametrize(("key", "parameters"), [("legt", {"theta": "0.8"}), ("lmu", {"theta": "7/3"})])
def test_closed_legendre_law_is_exact_for_low_degree(key, parameters):
    m, order, t = measure(key, **parameters), 6, mpf(2) / 3
    found = system(m, order, 40)
    for degree in range(order + 1):
        with mp.workdps(40):
            c = project(m, lambda x, d=degree: x**d, t, order, 35)
            rate = project_rate(m, lambda x, d=degree: d * x ** max(d - 1, 0), t, order, 35)
            residual = mp.norm(found.A * mp.matrix(c) + found.B * t**degree - mp.matrix(rate), mp.inf)
        if degree < order:
            assert residual < mpf(10) ** -30, f"degree {degree}"
        else:
            assert residual > mpf(10) ** -4, "degree N must show the closure error"


def test_closed_fourier_law_is_exact_in_its_span():
    theta, t = mpf(2), mpf(1) / 3
    for order, frequency, is_exact in ((5, 1, True), (5, 2, True), (6, 2, True), (5, 3, False), (6, 3, False)):
        m = measure("fout", theta=2)
        w = 2 * frequency / theta
        found = system(m, order, 35)
        with mp.workdps(35):
            c = project(m, lambda x, w=w: mp.cospi(w * x) + mp.sinpi(w * x), t, order, 30)
            rate = project_rate(m, lambda x, w=w: w * mp.pi * (mp.cospi(w * x) - mp.sinpi(w * x)), t, order, 30)
            f = mp.cospi(w * t) + mp.sinpi(w * t)
            residual = mp.norm(found.A * mp.matrix(c) + found.B * f - mp.matrix(rate), mp.inf)
        assert (residual < mpf(10) ** -26) == is_exact, f"order {order}, frequency {frequency}: {mp.nstr(residual, 3)}"


def test_fout_at_even_order_is_not_exact_for_its_last_cosine():
    """Its law loses that cosine's derivative, so even a signal inside the span leaves it."""
    m, order, t = measure("fout"), 4, mpf(1) / 3
    found = system(m, order, 35)
    with mp.workdps(35):
        # cos 2 pi 2 (x - t): only the last cosine, at this t.
        c = project(m, lambda x: mp.cospi(4 * (x - t)), t + mpf(1) / 16, order, 30)
        rate = project_rate(m, lambda x: -4 * mp.pi * mp.sinpi(4 * (x - t)), t + mpf(1) / 16, order, 30)
        predicted = found.A * mp.matrix(c) + found.B * mp.cospi(mpf(1) / 4)
        assert mp.norm(predicted - mp.matrix(rate), mp.inf) > 1


@settings(max_examples=6)
@given(st.fractions(Fraction(1, 5), 5, max_denominator=30), st.fractions(Fraction(1, 5), 5, max_denominator=30))
def test_timescale_equivariance(stretch, t):
    """Claim 2, HiPPO proposition 3: hippo(f(a .))(t) = hippo(f)(a t); a window theta becomes theta/a."""
    with mp.workdps(60):
        slow = project(measure("legs"), mp.sin, stretch * t, 5, 30)
        fast = project(measure("legs"), lambda x: mp.sin(x * stretch.numerator / stretch.denominator), t, 5, 30)
        assert_close(fast, slow, 28)
        slow = project(measure("legt", theta=2), mp.sin, stretch * t, 5, 30)
        fast = project(
            measure("legt", theta=2 / stretch), lambda x: mp.sin(x * stretch.numerator / stretch.denominator), t, 5, 30
        )
        assert_close(fast, slow, 28)


# Tilted windows span polynomials times their tilt: they have a test of their own beside ``define``.
@pytest.mark.parametrize("m", [m for m in CASES if m.key in ("legs", "legt", "lmu", "fout")], ids=name)
def test_reconstruction_of_a_signal_in_the_span(m):
    t, fractions = mpf(2), [0, Fraction(1, 3), 0.75, 1]
    with mp.workdps(40):
        frequency = 2 / mpf(m.theta.numerator) * m.theta.denominator if m.key == "fout" else mpf(0)

        def f(x):
            return mp.cospi(frequency * x) if m.key == "fout" else 1 + x**3

        c = project(m, f, t, 5, 35)
        expected = [f(m.time(mpf(Fraction(v).numerator) / Fraction(v).denominator, t)) for v in fractions]
    assert_close(evaluate(m, c, fractions, 30), expected, 29)


def test_reconstruction_of_legs_lti_counts_mass():
    m = measure("legs_lti")
    # f = e^{2x}: at t = 0 it is y^2, inside the span; age u = ln 2 is fraction 1/2.
    c = project(m, lambda x: mp.exp(2 * x), 0, 3, 35)
    assert_close(evaluate(m, c, [Fraction(1, 2), 1], 30), [mpf(1) / 4, mpf(1)], 29)


def test_bessel():
    """Claim 6: the coefficients' norm grows with N to the norm of f, and never beyond."""
    with mp.workdps(30):
        total = mp.quad(lambda x: mp.sin(4 * x) ** 2, [0, 2]) / 2
        norms = [mp.norm(project(measure("legs"), lambda x: mp.sin(4 * x), 2, n, 25)) ** 2 for n in (1, 4, 16)]
        assert norms[0] < norms[1] < norms[2] <= total * (1 + mpf(10) ** -20)
        assert total - norms[2] < mpf(10) ** -6


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("legs", mp.sin, 0, 3), ValueError, r"t must be > 0 for measure 'legs', whose window is \[0, t\]; got 0"),
        (("legs", mp.sin, -1, 3), ValueError, "t must be > 0"),
        (("legs", mp.sin, math.nan, 3), ValueError, "t must be finite, got nan"),
        (("legs", mp.sin, "1", 3), TypeError, "t must be an int, float, Fraction or mpf, got '1'"),
        (("legs", 3, 1, 3), TypeError, "f must be a function mpf -> mpf, got 3"),
        (("legs", mp.sin, 1, 0), ValueError, "order must be an integer >= 1, got 0"),
        (("legs", lambda x: mp.inf, 1, 3), ValueError, "f must return finite real numbers; at x = "),
        (("legs", lambda x: mp.j * x, 1, 3), ValueError, "f must return finite real numbers"),
    ],
)
def test_refusals(arguments, error, text):
    key, *rest = arguments
    with pytest.raises(error, match=text):
        project(measure(key), *rest)


def test_an_unannounced_jump_is_refused_and_located():
    with pytest.raises(PrecisionError, match=r"stalls near x = 0\.333333.*pass the places where f"):
        project(measure("legs"), lambda x: mpf(x > mpf(1) / 3), 1, 2)


def test_a_signal_in_double_precision_is_refused():
    with pytest.raises(PrecisionError, match="let f compute at the working precision"):
        project(measure("legs"), lambda x: math.sin(float(x)), 1, 2)


def test_evaluate_refusals():
    m = measure("legs")
    with pytest.raises(ValueError, match=r"fractions\[1\] must lie in \[0, 1\] \(0 oldest, 1 now\), got 1.5"):
        evaluate(m, [1], [0, 1.5])
    with pytest.raises(ValueError, match="measure 'lagt' has no reconstruction"):
        evaluate(measure("lagt"), [1], [0.5])
    with pytest.raises(ValueError, match=r"'legs_lti' must lie in \(0, 1\]"):
        evaluate(measure("legs_lti"), [1], [0])
    with pytest.raises(ValueError, match="coefficients must hold at least 1"):
        evaluate(m, [], [0])
    with pytest.raises(TypeError, match=r"coefficients\[0\] must be"):
        evaluate(m, ["1"], [0])


def test_piecewise_refusals():
    with pytest.raises(ValueError, match="known for measure 'legs', got 'legt'"):
        project_held(measure("legt"), [1], 3)
    with pytest.raises(ValueError, match="increase strictly"):
        project_held(measure("legs"), [1, 2], 3, timestamps=[2, 1])
    with pytest.raises(ValueError, match="length 2"):
        project_held(measure("legs"), [1, 2], 3, timestamps=[2])
    with pytest.raises(ValueError, match=r"samples must hold at least 2"):
        project_linear(measure("legs"), [1], 3)


def test_an_infinite_window_looks_behind_a_silence():
    # Zero for the last 30 time units, which spans whole panels: the past before them still counts.
    m = measure("legs_lti")
    found = project(m, lambda x: mpf(x < -30), 0, 3, 25, points=[-30])
    quiet = project(m, lambda x: mpf(x < -32), 0, 1, 25)
    with mp.workdps(30):
        y = mp.exp(-30)
        expected = [y, mp.sqrt(3) * (y * y - y), mp.sqrt(5) * (2 * y**3 - 3 * y**2 + y)]
        assert_close(found, expected, 24)
        assert_close(quiet, [mp.exp(-32)], 24)


def test_every_measure_is_covered():
    assert {key for key, _ in MEASURE_CASES} == set(MEASURES)
