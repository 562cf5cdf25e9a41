"""Certified projections: balls that contain the exact coefficients, as narrow as asked, or a clear refusal."""

from fractions import Fraction

import pytest
from flint import acb, arb, ctx
from mpmath import mp, mpc, mpf
from ref_tools import CASES, name

from hippo_ref import PrecisionError, enclose, enclose_system, enclose_values, enclosure, measure, project, system
from hippo_ref.balls import ball, ball_precision, largest, midpoint, radius, reach, wide, widened
from hippo_ref.kernels import Box, kernel_of

LEGS = measure("legs")


def contains(value, number, slack=0):
    with mp.workdps(120):
        return abs(midpoint(value) - number) <= radius(value) + slack


@pytest.mark.parametrize("m", CASES, ids=name)
def test_kernels_are_those_of_the_definition(m):
    order = 9
    points = [Fraction(0), Fraction(1, 7), Fraction(1, 2), Fraction(1)] + ([] if m.finite else [Fraction(5)])
    for v in points:
        with ball_precision(200), mp.workdps(55):
            values = kernel_of(m).values(order, ball(v))
            expected = m.kernel(order, mpf(v.numerator) / v.denominator)
            scale = max(abs(e) for e in expected)
            assert all(contains(a, e, mpf(10) ** -50 * scale) for a, e in zip(values, expected, strict=True)), v


@pytest.mark.parametrize("m", CASES, ids=name)
@pytest.mark.parametrize("width", [Fraction(1, 64), Fraction(1, 3), Fraction(5, 4)])
def test_bounds_hold_on_the_whole_box(m, width):
    """Sampled on the boundary, where a holomorphic kernel is largest."""
    order, across, up = 12, width, width * 3 / 4
    for centre in (Fraction(1, 2), Fraction(1, 8), Fraction(1)):
        bounds = kernel_of(m).bounds(order, Box(ball(centre), ball(across), ball(up)))
        for i in range(-4, 5):
            for x, y in ((Fraction(i, 4), 1), (1, Fraction(i, 4)), (-1, Fraction(i, 4))):
                z = mpc(float(centre + x * across), float(y * up))
                with mp.workdps(30):
                    sizes = [abs(value) for value in m.kernel(order, z)]
                for bound, size in zip(bounds, sizes, strict=True):
                    assert midpoint(arb(bound.abs_upper())) >= size * (1 - mpf(10) ** -12)


@pytest.mark.parametrize("m", [m for m in CASES if not m.finite], ids=name)
@pytest.mark.parametrize("rate", [Fraction(0), Fraction(1, 8)])
def test_the_tail_is_bounded(m, rate):
    order, start = 4, 12
    decay = 1 if m.key == "legs_lti" else (1 + m.beta) / 2
    bounds = kernel_of(m).tail(order, ball(start), ball(rate))
    if bounds is None:
        assert decay - rate <= Fraction(order - 1, start)
        return
    with mp.workdps(20):
        for n, bound in enumerate(bounds):

            def size(u, n=n):
                return abs(m.kernel(order, u)[n]) * mp.exp(u * rate.numerator / rate.denominator)

            rest = mp.quad(size, [start, 2 * start, 4 * start, 16 * start, 64 * start])
            assert midpoint(bound.abs_upper()) >= rest > midpoint(bound.abs_upper()) / 10**9


@pytest.mark.parametrize("m", CASES, ids=name)
def test_a_low_degree_is_wide_and_still_contains_the_truth(m, monkeypatch):
    """The error bound of the rule itself: at every degree the ball contains the exact value."""
    exact = project(m, lambda x: mp.exp(mp.sin(2 * x)), 1, 4, 40, since=0)
    honest = enclosure._Quadrature._plan

    for degree in (2, 3, 5, 9):

        def plan(self, a, b, degree=degree):
            found = honest(self, a, b)
            if found is None:
                return None
            best, errors = found
            # The bounds carry rho^-2 best for one of the ellipses; the weakest of them is honest for every rho.
            loosest = ball(enclosure._ELLIPSES[-1]) ** (2 * max(best - degree, 0))
            return degree, [error * loosest for error in errors]

        monkeypatch.setattr(enclosure._Quadrature, "_plan", plan)
        monkeypatch.setattr(enclosure, "reach", lambda compute, *_, **__: compute())
        with ball_precision(200):
            balls = enclose(m, lambda z: (2 * z).sin().exp(), 1, 4, since=0)
        assert all(contains(b, e, mpf(10) ** -38) for b, e in zip(balls, exact, strict=True)), degree


def test_the_error_bound_of_the_rule_is_the_derived_one():
    """(64/15) M rho^-2m/(1 - rho^-2): for 1/(z - p) the true error comes within a factor 20 of it, and never above."""
    pole, m = mpf("1.25"), 6  # on the ellipse of rho = 2
    with mp.workdps(40):
        rule = mp.fsum(w / (2 * x - 1 - pole) for x, w in _gauss(m)) * 2
        truth = mp.log((pole - 1) / (pole + 1))
        rho = mpf(28) / 16
        largest = 1 / (pole - (rho + 1 / rho) / 2)
        bound = mpf(64) / 15 * largest * rho ** (-2 * m) / (1 - rho**-2)
        assert bound / 1000 < abs(rule - truth) < bound


def _gauss(degree):
    from hippo_ref.orthogonal import gauss_legendre

    return gauss_legendre(degree, mp.prec)


@pytest.mark.parametrize("digits", [5, 20, 50, 120])
def test_the_radius_is_reached_and_honest(digits):
    balls = enclose(LEGS, lambda z: (3 * z).sin(), Fraction(5, 4), 12, digits)
    finer = enclose(LEGS, lambda z: (3 * z).sin(), Fraction(5, 4), 12, digits + 40)
    with mp.workdps(digits + 60):
        largest = max(abs(midpoint(b)) for b in balls)
        assert max(radius(b) for b in balls) <= largest * mpf(10) ** -digits
        assert all(contains(b, midpoint(f)) for b, f in zip(balls, finer, strict=True))


def test_a_wrong_digit_is_outside():
    balls = enclose(LEGS, lambda z: (3 * z).sin(), 1, 4)
    exact = project(LEGS, lambda x: mp.sin(3 * x), 1, 4, 60)
    assert all(contains(b, e) for b, e in zip(balls, exact, strict=True))
    with mp.workdps(70):
        assert not any(contains(b, e + mpf(10) ** -48) for b, e in zip(balls, exact, strict=True))


def test_a_branch_point_beside_the_window_takes_the_flag():
    def root(z, analytic):
        return (z + acb("1e-3")).sqrt(analytic)

    balls = enclose(LEGS, root, 1, 6, 40)
    exact = project(LEGS, lambda x: mp.sqrt(x + mpf("1e-3")), 1, 6, 45)
    assert all(contains(b, e, mpf(10) ** -44) for b, e in zip(balls, exact, strict=True))


def test_silence_before_since_and_a_window_that_has_not_begun():
    legt = measure("legt", theta=2)
    balls = enclose(legt, lambda z: z.exp(), 1, 3, since=Fraction(1, 2))
    exact = project(legt, mp.exp, 1, 3, 60, since=Fraction(1, 2))
    assert all(contains(b, e) for b, e in zip(balls, exact, strict=True))
    assert all(b == 0 for b in enclose(legt, lambda z: z.exp(), 1, 3, since=2))
    assert all(b == 0 for b in enclose(measure("lagt"), lambda z: z.exp(), 1, 3, since=2))


@pytest.mark.parametrize("key", ["lagt", "legs_lti"])
def test_the_whole_past_by_a_promise(key):
    # x^2 at t = 1: |1 - u|^2 <= 40 e^(u/4) for all ages.
    balls = enclose(measure(key), lambda z: z * z, 1, 5, growth=(40, Fraction(1, 4)))
    exact = project(measure(key), lambda x: x * x, 1, 5, 60)
    assert all(contains(b, e) for b, e in zip(balls, exact, strict=True))


def test_a_constant_may_be_a_plain_number():
    balls = enclose(measure("legt"), lambda z: 1, 3, 3)
    assert all(contains(b, n == 0) for n, b in enumerate(balls))


@pytest.mark.parametrize("depth", [6, 24, 40])
@pytest.mark.parametrize("digits", [3, 20])
def test_a_value_beside_an_infinite_end_is_as_narrow_as_asked(depth, digits):
    """The basis of chebt is infinite at 1: a first attempt that meets it must not count as a size."""
    (found,) = enclose_values(measure("chebt"), [1, 2], [1 - Fraction(1, 10**depth)], digits)
    assert found.rad() <= abs(found) * arb(10) ** -digits


def test_a_flag_with_a_default_is_passed_too():
    """An odd singularity at the middle of the window, of which coefficient 0 knows nothing."""

    def optional(z, analytic=False):
        w = z - acb(1) / 2
        return w * (w * w).sqrt(analytic=analytic)

    with pytest.raises(PrecisionError, match=r"not finite on any neighbourhood of x = 0\.5"):
        enclose(LEGS, optional, 1, 4, 20)
    with pytest.raises(ValueError, match="not holomorphic"):
        enclose(LEGS, lambda z: (z - acb(1) / 2) * ((z - acb(1) / 2) ** 2).sqrt(), 1, 4, 20)


def test_a_measure_that_only_goes_by_a_published_key_is_refused():
    class Other(type(LEGS)):
        pass

    other = Other()
    assert other.key == "legs"
    for call in (
        lambda: enclose(other, lambda z: z, 1, 3),
        lambda: enclose_system(other, 3),
        lambda: system(other, 3),
    ):
        with pytest.raises(ValueError, match="measure 'legs'"):
            call()


@pytest.mark.parametrize("exponent", [-400, -5000])
def test_a_tiny_signal_is_as_narrow_as_any(exponent):
    balls = enclose(measure("legt"), lambda z: (3 * z).cos() * acb(2) ** exponent, 1, 4, 10)
    full = enclose(measure("legt"), lambda z: (3 * z).cos(), 1, 4, 20)
    assert all((b * arb(2) ** -exponent).overlaps(f) for b, f in zip(balls, full, strict=True))


def test_a_window_that_begins_now_holds_nothing():
    for m in CASES:
        assert all(b == 0 for b in enclose(m, lambda z: z.exp(), Fraction(7, 9), 3, since=Fraction(7, 9)))


def test_few_digits_are_no_harder_than_many():
    edge = measure("lagt", alpha=1 - Fraction(1, 10**30))
    few, many = (enclose(edge, lambda z: (2 * z).sin(), 1, 4, digits, since=0) for digits in (5, 40))
    assert all(a.contains(b) for a, b in zip(few, many, strict=True))
    far = 10**40
    few, many = (enclose(measure("legt"), lambda z: 1 / (1 + (z - far) ** 2), far, 3, digits) for digits in (5, 40))
    assert all(a.contains(b) for a, b in zip(few, many, strict=True))


def not_holomorphic(z):
    return ((z - acb("0.3")) ** 2).sqrt()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: enclose(LEGS, not_holomorphic, 1, 4),
            ValueError,
            "not holomorphic near x = .* two rules that must agree",
        ),
        (lambda: enclose(LEGS, lambda z: acb(z.mid() * 90).sin(), 1, 4), ValueError, "not holomorphic"),
        (
            lambda: enclose(LEGS, lambda z: acb(0, 1) * z, 1, 4),
            ValueError,
            "f must be real on the real line; at x = 0.5",
        ),
        (
            lambda: enclose(LEGS, lambda z: 1 / (z - acb("0.3")), 1, 4),
            PrecisionError,
            "not finite on any neighbourhood",
        ),
        (
            lambda: enclose(LEGS, lambda z, analytic: ((z - acb("0.3")) ** 2).sqrt(analytic), 1, 4),
            PrecisionError,
            "not finite on any neighbourhood of x = 0.3",
        ),
        (lambda: enclose(measure("lagt"), lambda z: z, 1, 4), ValueError, "pass since .* or growth="),
        (
            lambda: enclose(LEGS, lambda z: z + acb(arb(0, 1e-9)), 1, 4),
            PrecisionError,
            "a radius of 10.-50 was asked for",
        ),
        (lambda: enclose(LEGS, "sin", 1, 4), TypeError, "f must be a function acb -> acb, got 'sin'"),
        (lambda: enclose(LEGS, lambda z: z, 0, 4), ValueError, "t must be > 0 for measure 'legs'"),
        (lambda: enclose(LEGS, lambda z: z, 1, 0), ValueError, "order must be an integer >= 1"),
        (lambda: enclose(LEGS, lambda z: z, 1, 4, 0), ValueError, "dps must be an integer >= 1"),
        (
            lambda: enclose(measure("legs_lti"), lambda z: z, 1, 2, growth=(10, 2)),
            PrecisionError,
            "the infinite window still contributes",
        ),
        (
            lambda: enclose(measure("legs_lti"), lambda z: (-z / 2).exp(), 1, 2, growth=(1, 0)),
            ValueError,
            r"growth = \(1\.00, 0\) does not bound f: at age 4\.0000 it is",
        ),
        (
            lambda: enclose(measure("legt"), lambda z: z, 1, 2, growth=(1, 0)),
            ValueError,
            "is a promise about an infinite",
        ),
        (lambda: enclose(measure("lagt"), lambda z: z, 1, 2, growth=(-1, 0)), ValueError, "size >= 0"),
    ],
)
def test_what_cannot_be_certified_is_refused(call, error, text, monkeypatch):
    monkeypatch.setattr(enclosure, "_MOST_PANELS", 200)
    with pytest.raises(error, match=text):
        call()


def test_a_measure_of_ones_own_has_no_certified_kernels():
    from hippo_ref import define

    with pytest.raises(ValueError, match="no certified kernels for measure 'mine'; known: legs, legt"):
        enclose(define("mine"), lambda z: z, 1, 3)


def test_precision_is_returned_after_an_error():
    before = ctx.prec
    with pytest.raises(ZeroDivisionError), ball_precision(77):
        raise ZeroDivisionError
    with pytest.raises(RuntimeError):
        enclose(LEGS, _raises, 1, 3)
    assert ctx.prec == before


def _raises(z):
    raise RuntimeError("from the signal")


def test_reach_asks_again_until_it_is_narrow_or_gives_up():
    asked = []

    def compute():
        asked.append(ctx.prec)
        # Loses 100 bits whatever the precision, which the first answer shows and the second is asked with.
        return [[widened(arb(2).sqrt(), arb(2) ** (100 - ctx.prec))]]

    rows = reach(compute, 30, "loses")
    assert len(asked) == 2
    assert asked[1] > asked[0] + 60
    assert contains(rows[0][0], mp.mpf(2) ** 0.5, mpf(10) ** -15)
    with pytest.raises(PrecisionError, match=r"hopeless: a radius of 10\^-30 was asked for.*infinite was reached"):
        reach(lambda: [[arb(1) / arb(0, 1)]], 30, "hopeless")
    asked.clear()

    def stuck():
        asked.append(ctx.prec)
        return [[arb(1, 1e-9)]]

    with pytest.raises(PrecisionError, match=r"stuck: .* 1.00e-9 was reached"):
        reach(stuck, 30, "stuck")
    assert len(asked) == 2, "more precision does not narrow an input"
    with pytest.raises(PrecisionError, match="divides: "):
        reach(lambda: [[arb(1) / 0]], 30, "divides")


def test_width_is_judged_against_the_row_or_its_inputs():
    narrow, exact_zero, fuzzy_zero = arb(1, 1e-20), arb(0), arb(0, 1e-30)
    assert wide([[narrow, arb(0, 1e-21)]], 60, arb(0)) is None
    assert wide([[narrow]], 80, arb(0)) > 1e-21
    assert wide([[exact_zero]], 60, arb(0)) is None
    assert not wide([[fuzzy_zero]], 60, arb(0)).is_finite()
    assert wide([[fuzzy_zero]], 60, arb(1)) is None, "2^-32 of the inputs is 2e-10, and 1e-30 is below 2^-60 of that"
    assert not wide([[arb("nan")]], 60, arb(1)).is_finite()
    assert not wide([[narrow]], 60, arb("inf")).is_finite(), "inputs of no known size excuse nothing"
    assert not largest([arb(1), arb("nan")]).is_finite()
