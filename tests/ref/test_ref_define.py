"""Measures of one's own: every closed form comes out of weight, support, motion and tilt; what is exact is said so."""

from fractions import Fraction

import pytest
from mpmath import mp, mpf
from ref_tools import assert_close

from hippo_ref import (
    Aging,
    PrecisionError,
    Scaled,
    Stretching,
    Translated,
    Warped,
    Weight,
    closed_state,
    define,
    derive,
    evaluate,
    measure,
    project,
    project_rate,
    states,
    system,
)

THETA, ALPHA, BETA = Fraction(7, 10), Fraction(1, 3), Fraction(2, 5)
HALF = Fraction(1, 2)


def tilted_laguerre():
    weight = Weight(lambda u: mp.exp(-u), now=ALPHA)
    tilt = Weight(lambda u: mp.exp(-(1 - mpf(2) / 5) * u / 2), now=ALPHA)
    return define("my_lagt", motion=Aging(), weight=weight, tilt=tilt)


def jacobi_window(now, far):
    weight = Weight(now=now, far=far)
    return define("my_jacobi", motion=Translated(THETA), weight=weight, tilt="weight", closure="polynomial")


def fourier():
    return define("my_fout", motion=Translated(THETA), functions="trigonometric", closure="average")


# What a user states, and the published measure that must come out.
PUBLISHED = {
    "legs": (define("my_legs"), measure("legs")),
    "legt": (define("my_legt", motion=Translated(THETA)), measure("legt", theta=THETA)),
    "legs_lti": (define("my_legs_lti", motion=Warped()), measure("legs_lti")),
    "lagt": (tilted_laguerre(), measure("lagt", alpha=ALPHA, beta=BETA)),
    "fout": (fourier(), measure("fout", theta=THETA)),
    "chebt": (jacobi_window(-HALF, -HALF), measure("chebt", theta=THETA)),
}


def entries(found):
    return [*found.A, *found.B]


@pytest.mark.parametrize("order", [1, 2, 5, 8])
@pytest.mark.parametrize("key", PUBLISHED)
def test_closed_forms_come_out_of_the_definition(key, order):
    mine, published = PUBLISHED[key]
    found, known = derive(mine, order, 30), system(published, order, 40)
    assert_close(entries(found), entries(known), 29)
    theirs = derive(published, order, 30)
    assert (found.time_law, found.closure, found.dropped, found.exact) == (
        theirs.time_law,
        theirs.closure,
        theirs.dropped,
        theirs.exact,
    )
    assert mine.closure == published.closure


def test_jacobi_comes_out_up_to_its_constant():
    # define divides by the root of the tilted mass where that is finite; jacobi keeps c_0 the mean of the window.
    found = derive(jacobi_window("0.3", "-0.7"), 6, 30)
    known = system(measure("jacobi", theta=THETA, alpha="0.3", beta="-0.7"), 6, 40)
    assert_close(list(found.A), list(known.A), 29)
    with mp.workdps(40):
        assert_close([b * known.B[0] for b in found.B], [b * found.B[0] for b in known.B], 29)


@pytest.mark.parametrize("key", PUBLISHED)
def test_projections_agree_too(key):
    mine, published = PUBLISHED[key]
    since = None if published.finite else 0
    pair = [project(m, lambda x: mp.sin(2 * x) + x, mpf(3) / 2, 4, 25, since=since) for m in (mine, published)]
    assert_close(*pair, 24)


def test_lmu_is_legt_and_says_how_it_closes():
    found = derive(measure("lmu"), 3)
    assert (found.exact, found.closure, found.dropped) == (False, "approximation", ())
    assert found.explain().startswith("closed by approximation: a past value that crosses an end is replaced")


@pytest.mark.parametrize("order", range(1, 10))
def test_fout_drops_the_partner_of_its_last_cosine_at_even_orders(order):
    found = derive(measure("fout", theta=THETA), order, 30)
    assert found.closure == "average"
    assert found.dropped == ((order - 1,) if order % 2 == 0 else ())
    assert ("leaves the span" in found.explain()) == (order % 2 == 0)


@pytest.mark.parametrize("order", [3, 4, 5, 6])
def test_fout_is_exact_on_complete_pairs_and_off_by_the_dropped_sine_at_even_orders(order):
    """dc/dt - A c - B f for a harmonic: 0 for complete pairs. An unpaired cosine of frequency j lacks the coefficient
    of its sine, and what that would have carried into the cosine's rate is missed."""
    m, j, t = measure("fout", theta=THETA), (order + 1) // 2 if order % 2 == 0 else order // 2, Fraction(1, 5)
    with mp.workdps(40):
        w = 2 * mp.pi * j / mpf(7) * 10

        def residual(f, df):
            found = system(m, order, 40)
            c, rate = project(m, f, t, order, 35), project_rate(m, df, t, order, 35)
            gap = mp.matrix(rate) - found.A * mp.matrix(c) - found.B * f(mpf(t.numerator) / t.denominator)
            return [mp.nstr(g, 15, min_fixed=-99, max_fixed=99) if abs(g) > mpf(10) ** -25 else "0" for g in gap]

        phase = mpf(1) / 3
        gaps = residual(lambda x: mp.cos(w * x + phase), lambda x: -w * mp.sin(w * x + phase))
        if order % 2:
            assert gaps == ["0"] * order
        else:
            # cos(w x + phase) = cos(2 pi j v) cos(p) - sin(2 pi j v) sin(p) with p = w (t - theta) + phase; the missing
            # sine coefficient -sin(p)/sqrt 2 would have turned into the last cosine's rate by 2 pi j/theta.
            p = w * (mpf(1) / 5 - mpf(7) / 10) + phase
            missed = -mp.sin(p) / mp.sqrt(2) * w
            expected = mp.nstr(missed, 15, min_fixed=-99, max_fixed=99)
            assert gaps == ["0"] * (order - 1) + [expected]


# Sparse measures a user would try.
QUARTER = Fraction(1, 4)
TWO_WINDOWS = define("two_windows", motion=Translated(1), support=[(0, QUARTER), (3 * QUARTER, 1)])
LAST_HALF = define("last_half", motion=Scaled(HALF))
SLOW_PAST = define("slow_past", motion=Warped(Fraction(1, 2)))
BELL = define("bell", weight=lambda v: mp.exp(-((v - 1) ** 2)))


def polynomial(x):
    return 3 * x**3 - x**2 + x / 2 - 1


def polynomial_rate(x):
    return 9 * x**2 - 2 * x + mpf(1) / 2


@pytest.mark.parametrize(
    "m",
    [TWO_WINDOWS, LAST_HALF, measure("chebt"), measure("jacobi", alpha=1, beta="0.2"), measure("gegenbauer", alpha=2)],
    ids=lambda m: m.key,
)
def test_closed_windows_are_exact_for_polynomials_below_their_order(m):
    order, t = 4, mpf(5) / 2
    found = derive(m, order, 40)
    assert not found.exact
    assert not found.dropped
    with mp.workdps(40):
        clock = t if m.time_law == "scale" else 1
        c, rate = project(m, polynomial, t, order, 35), project_rate(m, polynomial_rate, t, order, 35)
        predicted = (found.A * mp.matrix(c) + found.B * polynomial(t)) / clock
        assert_close(list(predicted), rate, 33)
        # And only for those: the fourth power is not in the span.
        c, rate = project(m, lambda x: x**4, t, order, 35), project_rate(m, lambda x: 4 * x**3, t, order, 35)
        predicted = (found.A * mp.matrix(c) + found.B * t**4) / clock
        assert mp.norm(predicted - mp.matrix(rate)) > mpf(10) ** -3


@pytest.mark.parametrize("m", [SLOW_PAST, define("whole")], ids=lambda m: m.key)
def test_exact_laws_hold_for_any_signal(m):
    order, t = 5, mpf(3) / 2
    found = derive(m, order, 40)
    assert found.exact
    assert found.explain().startswith("exact")

    def f(x):
        return x * mp.exp(mp.sin(2 * x))

    def df(x):
        return mp.exp(mp.sin(2 * x)) * (1 + 2 * x * mp.cos(2 * x))

    since = None if m.finite else 0
    with mp.workdps(40):
        c, rate = project(m, f, t, order, 35, since=since), project_rate(m, df, t, order, 35, since=since)
        predicted = (found.A * mp.matrix(c) + found.B * f(t)) / (t if m.time_law == "scale" else 1)
        assert_close(list(predicted), rate, 33)


def test_an_exponential_window_of_legendre_type_is_legs_lti_at_its_own_rate():
    found, known = derive(SLOW_PAST, 6, 30), system(measure("legs_lti"), 6, 40)
    with mp.workdps(40):
        assert_close(entries(found), [entry / 2 for entry in entries(known)], 29)


def test_a_weight_whose_slope_is_not_a_constant_drops_the_rows_it_pushes_out():
    # (log omega)' (-v) = 2 v (v - 1) raises the degree by two.
    found = derive(BELL, 5, 25)
    assert (found.closure, found.dropped, found.exact) == ("none", (3, 4), False)
    assert "the derivative of coefficient 3, 4 leaves the span" in found.explain()
    assert BELL.closure == "closed", "the measure says so without being asked for a law"
    # With its own weight as tilt the kernels are plain polynomials and nothing is dropped.
    tilted = define("tilted_bell", weight=lambda v: mp.exp(-((v - 1) ** 2)), tilt="weight")
    assert derive(tilted, 5, 25).exact
    assert tilted.closure == "exact"
    assert define("ramp", weight=Weight(far=1)).closure == "exact", "v (log v)' is a constant"
    assert define("hill", weight=Weight(far=1, now=1)).closure == "closed"


def test_a_stated_slope_gives_what_numerical_differentiation_gives():
    stated = define("bell", weight=Weight(lambda v: mp.exp(-((v - 1) ** 2)), slope=lambda v: -2 * (v - 1)))
    assert_close(entries(derive(stated, 4, 25)), entries(derive(BELL, 4, 25)), 24)


def residual(m, order, f, df, t):
    """Largest entry of ``A c + B f - dc/dt`` (scale law: ``- t dc/dt``) for the derived law."""
    found = derive(m, order, 25)
    with mp.workdps(30):
        c, rate = project(m, f, t, order, 20), project_rate(m, df, t, order, 20)
        clock = t if m.time_law == "scale" else 1
        gap = found.A * mp.matrix(c) + found.B * f(t) - clock * mp.matrix(rate)
        return max(map(abs, gap))


def parabola(x):
    return x * x - x / 3


def parabola_rate(x):
    return 2 * x - mpf(1) / 3


RISING = Weight(far=HALF)
STEP = Weight(lambda v: mpf(1 if v < mpf(1) / 2 else 2))
HALVES = [(0, HALF), (HALF, 1)]


def test_an_end_where_the_tilt_vanishes_is_closed_all_the_same():
    """The kernels do not vanish there, so a past value leaves; its reconstruction is 0."""
    m = define("t", weight=RISING, tilt=RISING, motion=Translated(1))
    found = derive(m, 3, 25)
    assert (found.exact, found.closure) == (False, "approximation")
    assert residual(m, 3, parabola, parabola_rate, mpf(2)) > 1, "and it matters"


def test_a_constant_tilt_changes_nothing():
    plain, tilted = (
        define("p", motion=Translated(1), functions="trigonometric", closure="average", tilt=tilt)
        for tilt in (None, lambda v: mpf(2))
    )
    # zeta takes a constant tilt out again.
    assert_close(entries(derive(plain, 3, 20)), entries(derive(tilted, 3, 20)), 19)


@pytest.mark.parametrize("motion", [Scaled(), Translated(1)], ids=["scaled", "translated"])
def test_a_jump_of_the_weight_between_touching_intervals(motion):
    """Past values cross it: exact for polynomials below the order, and said to be closed."""
    m = define("steps", weight=STEP, support=HALVES, motion=motion)
    assert residual(m, 3, parabola, parabola_rate, mpf(2)) < mpf(10) ** -15
    assert derive(m, 3, 20).closure == "approximation"
    assert m.closure == "closed"


def test_kernels_without_a_jump_let_nothing_cross_where_the_weight_jumps():
    """Tilted by its weight, the kernels are plain polynomials: on all of the history the law is exact."""
    m = define("steps", weight=STEP, support=HALVES, tilt="weight")
    assert residual(m, 3, parabola, parabola_rate, mpf(2)) < mpf(10) ** -15
    assert derive(m, 3, 20).exact
    assert m.closure == "exact"


def test_a_smooth_weight_cut_in_two_is_not_crossed_there():
    whole, cut = (define("b", weight=mp.exp, support=support, tilt=mp.exp) for support in (None, HALVES))
    assert (cut.closure, whole.closure) == ("exact", "exact")
    assert derive(cut, 4, 20).exact
    assert_close(entries(derive(cut, 4, 20)), entries(derive(whole, 4, 20)), 19)


@pytest.mark.parametrize(
    "arguments",
    [
        {"weight": mp.exp},
        {"weight": mp.exp, "tilt": lambda v: mp.exp(v / 2)},
        {"support": [(0, Fraction(1, 4)), (HALF, 1)], "tilt": "weight"},
        {"support": [(HALF, 1)], "tilt": "weight"},
        {"support": HALVES, "weight": STEP},
    ],
    ids=["no tilt", "half tilt", "gap", "late", "jump"],
)
def test_the_polynomial_closure_is_exact_for_polynomials_whatever_the_envelope(arguments):
    m = define("mine", motion=Translated(1), closure="polynomial", **arguments)
    # A slope of the envelope that is not constant drops rows of the highest degrees, which a parabola does not reach.
    assert residual(m, 5, parabola, parabola_rate, mpf(2)) < mpf(10) ** -12


@pytest.mark.parametrize("size", ["1e-6", "1e-10"])
def test_a_small_leak_is_no_exact_law(size):
    m = define("nearly", weight=lambda v: 1 + mpf(size) * v)
    found = derive(m, 3, 30)
    assert not found.exact
    assert 2 in found.dropped
    assert m.closure == "closed"


def test_a_feature_with_an_interval_of_its_own_is_seen():
    center, width = Fraction(37, 100), Fraction(1, 100)
    sharp = Weight(lambda v: 1 + 100 * mp.exp(-(((v - mpf(37) / 100) * 1000) ** 2)))
    m = define(
        "spike", weight=sharp, support=[(0, center - width), (center - width, center + width), (center + width, 1)]
    )
    mass = m._mass(2)
    with mp.workdps(20):
        assert abs(mass - (1 + mp.sqrt(mp.pi) / 10)) < mpf(10) ** -12


def test_touching_intervals_are_one_window():
    joined = define("joined", motion=Translated(1), support=[(0, QUARTER), (QUARTER, 1)])
    assert_close(entries(derive(joined, 5, 30)), entries(system(measure("legt"), 5, 40)), 29)


def test_a_general_time_law_has_a_system_for_each_moment():
    """Window of length 1 + t/2 and of length t: the second is LegS, divided by its t."""
    whole = define("whole", motion=Stretching(lambda t: t, lambda t: mpf(1)))
    found, known = derive(whole, 4, 30, at=Fraction(5, 2)), system(measure("legs"), 4, 40)
    with mp.workdps(40):
        assert_close(entries(found), [2 * entry / 5 for entry in entries(known)], 29)
    assert found.time_law == "general"
    growing = define("growing", motion=Stretching(lambda t: 1 + t / 2, lambda t: mpf(1) / 2))
    order, t = 4, mpf(3)
    found = derive(growing, order, 40, at=t)
    with mp.workdps(40):
        c, rate = project(growing, polynomial, t, order, 35), project_rate(growing, polynomial_rate, t, order, 35)
        assert_close(list(found.A * mp.matrix(c) + found.B * polynomial(t)), rate, 33)


def test_states_of_a_measure_of_ones_own_follow_its_law():
    u = [1, Fraction(-1, 2), 2, Fraction(1, 4)]
    mine, known = (states(m, u, 4, "zoh", Fraction(1, 8), 25)[-1] for m in PUBLISHED["legt"])
    assert_close(mine, known, 24)


def test_chebt_is_legt_in_another_basis():
    """The same integrals, the same closure: the closed states are a fixed matrix apart, at any time."""
    order = 5
    with mp.workdps(30):
        pair = [closed_state(measure(key), lambda x: mp.exp(-x) * mp.sin(5 * x), mpf(3) / 4, order, 25) for key in
                ("chebt", "legt")]  # fmt: skip
        # p_n = sum_k T_nk s_k P_k, from projections of the powers, which span the polynomials.
        powers = [[project(measure(key), lambda x, i=i: x**i, 1, order, 28) for i in range(order)] for key in
                  ("chebt", "legt")]  # fmt: skip
        T = mp.matrix(powers[0]).T * mp.inverse(mp.matrix(powers[1]).T)
        assert_close(list(T * mp.matrix(pair[1])), pair[0], 22)
        assert all(abs(T[n, k]) < mpf(10) ** -25 for n in range(order) for k in range(n + 1, order))


def test_reconstruction_of_a_tilted_window_is_its_best_approximation():
    """sum c_n g_n minimises the error in the tilted measure: the residual is orthogonal to the basis there."""
    m, order = measure("jacobi", alpha=1, beta=HALF), 3
    with mp.workdps(25):
        c = project(m, mp.exp, 1, order, 25)

        def residual(v, n):
            g = m.basis(order, v)
            fit = sum(a * b for a, b in zip(c, g, strict=True))
            tilted = (1 - v) * mp.sqrt(v)  # nu = omega/chi^2 is 1/omega up to a constant, chi = omega
            return (mp.exp(v) - fit) * g[n] / tilted

        for n in range(order):
            assert abs(mp.quad(lambda v, n=n: residual(v, n), [0, HALF, 1])) < mpf(10) ** -10
    assert_close(evaluate(m, [1, 0, 0], [HALF], 25), [m_basis_at_half()], 24)


def m_basis_at_half():
    with mp.workdps(30):
        return mp.mpf(1) / 2 * mp.sqrt(mp.mpf(1) / 2) / mp.beta(2, mp.mpf(3) / 2)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"motion": "fast"}, TypeError, "motion must be a Motion such as"),
        ({"functions": "wavelets"}, ValueError, "functions must be 'polynomial' or 'trigonometric', got 'wavelets'"),
        ({"closure": "none"}, ValueError, "closure must be 'approximation', 'average' or 'polynomial', got 'none'"),
        (
            {"closure": "average", "support": [(0, QUARTER), (HALF, 1)]},
            ValueError,
            "closure 'average' is of both ends of one whole window",
        ),
        ({"weight": 3}, TypeError, "weight must be a Weight, a function mpf -> mpf or None, got 3"),
        ({"tilt": 3}, TypeError, "tilt must be a Weight"),
        ({"weight": Weight(now=-1)}, ValueError, "weight has exponent -1 at its now end; it has no mass"),
        ({"support": [(0, HALF)]}, ValueError, "support must reach the present, 1: .*it ends at 1/2"),
        ({"support": []}, ValueError, "support must be disjoint intervals of"),
        ({"support": [(HALF, 1), (0, QUARTER)]}, ValueError, "in order"),
        ({"support": [(0, 2)]}, ValueError, "disjoint intervals of"),
        ({"support": 3}, TypeError, "support must be a sequence of pairs"),
        ({"support": [(0, 1)], "motion": Aging()}, ValueError, "the window of ages has the support"),
        ({"support": [(0, 1)], "motion": Warped()}, ValueError, "a warped window has the support"),
        ({"motion": Aging()}, ValueError, "an infinite window takes polynomials and a weight function that decays"),
    ],
)
def test_definitions_that_make_no_measure_are_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        define("mine", **arguments)


def test_a_published_name_is_taken():
    with pytest.raises(ValueError, match=r"name 'legs' is that of a published measure: .* take another"):
        define("legs", weight=Weight(far=1))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: Translated(0), ValueError, "theta must be > 0, got 0"),
        (lambda: Scaled(2), ValueError, r"share must lie in \(0, 1\]"),
        (lambda: Warped(-1), ValueError, "rate must be > 0, got -1"),
        (lambda: Weight(now="wide"), ValueError, "exponent now must be a finite number"),
        (lambda: derive(define("c", weight=Weight(now=-HALF)), 3), ValueError, "infinite at the present"),
        (
            lambda: derive(define("c", weight=Weight(far=-HALF), motion=Translated(1)), 3),
            ValueError,
            "infinite flux at y = 0: .*tilt='weight', closure='polynomial'",
        ),
        (lambda: derive(measure("legs"), 3, at=1), ValueError, "has one A and B for all moments; got at = 1"),
        (
            lambda: derive(define("g", motion=Stretching(lambda t: t, lambda t: 1)), 3),
            ValueError,
            "needs at, the moment",
        ),
        (
            lambda: derive(define("g", motion=Stretching(lambda t: -t, lambda t: -1)), 3, at=1),
            ValueError,
            r"length\(t\) must be > 0, got -1.0 at t = 1.0",
        ),
        (
            lambda: derive(define("n", weight=lambda v: v - mpf(1) / 2), 3),
            ValueError,
            "finite number >= 0 on the support",
        ),
        (lambda: derive(define("z", weight=lambda v: mpf(0)), 3), ValueError, "0 at every node"),
        (
            lambda: derive(define("k", weight=lambda v: abs(v - mpf(1) / 3)), 3, 15),
            PrecisionError,
            "state the exponents",
        ),
        (lambda: evaluate(TWO_WINDOWS, [1], [HALF]), ValueError, "fraction 0.5 lies outside the support"),
        (lambda: evaluate(tilted_laguerre(), [1], [HALF]), ValueError, "no reconstruction at fractions"),
        (lambda: system(TWO_WINDOWS, 3), ValueError, "no published system for measure 'two_windows'; use derive"),
    ],
)
def test_what_has_no_answer_says_why(call, error, text):
    with pytest.raises(error, match=text):
        call()
