"""The certified state of a closed ODE: against mpmath, Arb's own integrals and exact holds; and refusals."""

from fractions import Fraction

import mpmath
import pytest
from enclosed_tools import KNOWN, assert_reached, first_gap
from flint import acb, acb_mat, arb, ctx
from mpmath import mp, mpf
from ref_tools import name

import hippo_ref
from hippo_ref import PrecisionError, measure
from hippo_ref.balls import ball, ball_precision, holomorphic, midpoint
from hippo_ref.enclosed import closed, enclose_closed_state, enclose_states, enclose_system

INVARIANT = [m for m in KNOWN if m.key != "legs"]
LEGT = measure("legt", theta="0.8")
THIRD = Fraction(1, 3)


def cosine(z):
    return (3 * z).cos()


def pole(z):
    return 1 / (1 + 25 * z * z)


def root(z, analytic):
    return z.sqrt(analytic=analytic)


def distance(z, analytic):
    return (z - arb(3) / 10).real_abs(analytic=analytic)


@pytest.mark.parametrize("m", INVARIANT, ids=name)
def test_it_overlaps_with_mpmath(m):
    for order, t, since in ((1, 1, 0), (6, Fraction(7, 4), -THIRD)):
        found = enclose_closed_state(m, cosine, t, order, 30, since=since)
        expected = hippo_ref.closed_state(m, lambda x: mpmath.cos(3 * x), t, order, dps=32, since=since)
        assert first_gap([found], [expected], 31) is None
        assert_reached([found], 30)


@pytest.mark.parametrize("m", INVARIANT, ids=name)
def test_it_overlaps_with_integrals_by_arb(m):
    """Component by component, ``int e^{A (t - z)} B f(z) dz`` with an exponential at every point."""
    order, t = 3, Fraction(5, 4)
    found = enclose_closed_state(m, pole, t, order, 25, since=-1)
    with ball_precision(120):
        rows, column = enclose_system(m, order, 35)
        A, B = acb_mat([[acb(entry) for entry in row] for row in rows]), acb_mat([[acb(entry)] for entry in column])

        def integrand(z, n):
            return ((A * (ball(t) - z)).exp() * B).entries()[n] * pole(z)

        for n, entry in enumerate(found):
            exact = acb.integral(lambda z, _, n=n: integrand(z, n), -1, ball(t), rel_tol=arb(2) ** -90)
            assert exact.real.overlaps(entry)
            assert not exact.real.overlaps(entry * (1 + arb(10) ** -20))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("m", INVARIANT, ids=name)
def test_polynomials_are_what_exact_holds_hold(m, degree):
    def polynomial(z):
        return sum((coefficient * z**power for power, coefficient in enumerate([2, -5, 7, 3][: degree + 1])), acb(0))

    h, count = Fraction(1, 8), 9
    values = [sum(c * (k * h) ** p for p, c in enumerate([2, -5, 7, 3][: degree + 1])) for k in range(count)]
    found = enclose_closed_state(m, polynomial, h * 8, 5, 40)
    if degree < 2:
        held = enclose_states(m, values[degree == 0 :], 5, f"hold({degree})", h, 40, last=True)[0]
    else:
        # The first steps of a higher hold see fewer samples: begin with exact states instead.
        start = enclose_closed_state(m, polynomial, h * degree, 5, 60)
        held = enclose_states(
            m,
            values[degree + 1 :],
            5,
            f"hold({degree})",
            h,
            40,
            start=[midpoint(entry) for entry in start],
            first=degree + 1,
            previous=values[1 : degree + 1],
            last=True,
        )[0]
    with mp.workdps(60):
        assert first_gap([found], [[midpoint(entry) for entry in held]], 39) is None


@pytest.mark.parametrize(
    ("f", "plain"),
    [
        (pole, lambda x: 1 / (1 + 25 * x * x)),
        (root, mpmath.sqrt),
        (distance, lambda x: abs(x - mpf(3) / 10)),
        (acb.cos, mpmath.cos),
        (lambda z: (1000 * z).sin(), lambda x: mpmath.sin(1000 * x)),
    ],
    ids=["pole", "root", "absolute value", "a method", "fast"],
)
def test_signals_of_all_kinds(f, plain):
    """At N = 1, c' = (f - c)/theta; the integral by mpmath, split where it is not smooth."""
    found = enclose_closed_state(LEGT, f, 1, 1, 25)
    with mp.workdps(40):
        theta, points = mpf(4) / 5, [0, mpf(3) / 10, 1] if f is distance else mp.linspace(0, 1, 161)
        exact = mp.quad(lambda x: mp.exp((x - 1) / theta) / theta * plain(x), points)
    assert first_gap([found], [[exact]], 25) is None
    assert_reached([found], 25)


def test_huge_signals_keep_their_digits():
    plain, huge = (enclose_closed_state(LEGT, lambda z, s=s: z.exp() * 10**s, 1, 4, 30) for s in (0, 300))
    assert_reached([huge], 30)
    with ball_precision(200):
        assert all((a * arb(10) ** 300).overlaps(b) for a, b in zip(plain, huge, strict=True))


def test_short_and_stiff_and_long():
    short = enclose_closed_state(LEGT, acb.cos, Fraction(1, 10**30), 4, 30)
    assert_reached([short], 30, 0)
    # A window that is a thousandth of the time forgets all but the signal now: f and, at first order, its slope.
    stiff = enclose_closed_state(measure("legt", theta="1/1000"), cosine, 1, 8, 30)
    projection = hippo_ref.project(measure("legt", theta="1/1000"), lambda x: mpmath.cos(3 * x), 1, 8, dps=40)
    assert first_gap([stiff], [projection], 18) is None
    lti = enclose_closed_state(measure("legs_lti"), cosine, 50, 4, 30)
    cut_off = hippo_ref.project(measure("legs_lti"), lambda x: mpmath.cos(3 * x), 50, 4, dps=35, since=0)
    assert first_gap([lti], [cut_off], 33) is None


def test_nothing_has_happened_yet():
    assert enclose_closed_state(LEGT, cosine, THIRD, 3, since=THIRD) == [0, 0, 0]
    assert enclose_closed_state(LEGT, lambda _: acb(0), 1, 3) == [0, 0, 0]


@pytest.mark.parametrize("m", [LEGT, measure("lagt", alpha="1/3")], ids=name)
def test_coarse_balls_contain_the_fine_midpoints(m):
    coarse, fine = (enclose_closed_state(m, pole, 1, 5, digits) for digits in (6, 40))
    assert all(wide.contains(narrow.mid()) for wide, narrow in zip(coarse, fine, strict=True))
    assert_reached([fine], 40)


@pytest.mark.parametrize("points", [4, 9, 16])
@pytest.mark.parametrize("f", [cosine, pole, acb.exp], ids=["cosine", "pole", "exp"])
def test_the_interpolation_error_is_bounded_and_not_by_much(f, points):
    signal, left, width = holomorphic(f), Fraction(1, 2), Fraction(1, 4)
    with ball_precision(200):
        bound = midpoint(closed._interpolation_error(signal, left, width, points))
        nodes, weights = closed._nodes(points, 200), closed._interpolation(points, 200)
        values = [f(acb(ball(left) + ball(width) * node)).real for node in nodes]
        worst = mpf(0)
        for i in range(101):
            s = ball(Fraction(i, 100))
            powers = [[s**power for power in range(points)]]
            [value] = (closed.arb_mat(powers) * weights * closed.arb_mat([[v] for v in values])).entries()
            worst = max(worst, abs(midpoint(value - f(acb(ball(left) + ball(width) * s)).real)))
    # Boxes reach beyond their ellipses, which near a pole rules out the larger ones.
    assert worst <= bound <= (10**points if f is pole else 10**4) * worst


@pytest.mark.parametrize("skipped", [0, 1])
def test_what_a_panel_leaves_out_is_in_the_radius(skipped):
    """A panel on which p is 0 and only ``|f| <= 1`` is known: the ball must still hold the state."""
    fine = enclose_closed_state(LEGT, cosine, 1, 4, 30)
    half, points = Fraction(1, 2), 40
    panels = [(k * half, half, arb(1) if k == skipped else arb(2) ** -100, k != skipped) for k in (0, 1)]
    with ball_precision(150):
        growth = closed.semigroup_bound(*closed.system_balls(LEGT, 4, 150)[:1], arb(1))
        coarse = closed._march(LEGT, 4, holomorphic(cosine), panels, points, growth)
    assert all(wide.contains(narrow.mid()) for wide, narrow in zip(coarse, fine, strict=True))
    assert not any((wide.mid() - narrow.mid()).abs_upper() < 10**-9 for wide, narrow in zip(coarse, fine, strict=True))


def test_an_ellipse_that_is_too_small_is_caught(monkeypatch):
    """With the size of f on the panel alone, bounds are false, and the probe between the nodes says so."""
    monkeypatch.setattr(
        closed,
        "_interpolation_error",
        lambda signal, left, width, points: (
            signal(acb(ball(left).union(ball(left + width))), True).abs_upper() * arb(256) ** (1 - points)
        ),
    )
    with pytest.raises(ValueError, match="f is not holomorphic near"):
        enclose_closed_state(LEGT, pole, 1, 3, 30, since=-1)


@pytest.mark.parametrize("f", [lambda z: (z - arb(3) / 10).real_abs(), lambda z: (z * z).sqrt()], ids=["abs", "sqrt"])
def test_a_signal_that_hides_its_branch_is_caught(f):
    with pytest.raises(ValueError, match=r"f is not holomorphic near .*need f\(z, analytic\)"):
        enclose_closed_state(LEGT, f, 1, 3, 30, since=-1)


def test_it_refuses():
    constant = acb(1) / 3
    cases = [
        (lambda: enclose_closed_state(measure("legs"), cosine, 1, 4), ValueError, "needs an invariant law; .*'legs'"),
        (lambda: enclose_closed_state(LEGT, cosine, 1, 4, since=2), ValueError, "t must be at least since = 2, got 1"),
        (lambda: enclose_closed_state(LEGT, 3, 1, 4), TypeError, "f must be a function acb -> acb, got 3"),
        (lambda: enclose_closed_state(LEGT, cosine, 1, 0), ValueError, "order must be an integer >= 1, got 0"),
        (lambda: enclose_closed_state(LEGT, cosine, 1, 3, 0), ValueError, "must be an integer >= 1, got 0"),
        (lambda: enclose_closed_state(LEGT, lambda z: z * 1j, 1, 4), ValueError, "f must be real on the real line"),
        (lambda: enclose_closed_state(LEGT, lambda z: 1 / z, 1, 4), PrecisionError, "could not be resolved near 0"),
        (
            lambda: enclose_closed_state(LEGT, lambda z: constant * z, 1, 2, 20),
            PrecisionError,
            r"enclose_closed_state\(legt, order=2\): a radius of 10\^-20 was asked for",
        ),
    ]
    before = ctx.prec
    for call, error, text in cases:
        with pytest.raises(error, match=text):
            call()
    assert ctx.prec == before
