"""Residuals that are exactly zero: every identity at every order up to 32, and every wrong formula refuted."""

from dataclasses import replace
from fractions import Fraction
from math import factorial

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from ref_tools import assert_close, samples

from hippo_ref import measure, project, project_rate, rational_system, states, system
from hippo_ref.orthogonal import laguerre, legendre_scales, shifted_legendre
from hippo_ref.proofs import PROOFS, Proof, exact, largest_order
from hippo_ref.proofs.base import awkward, column, number, numbers, to_fmpq, to_fraction

LIMIT = 32
WRONG = [(key, wrong) for key, proof in PROOFS.items() for wrong in proof.wrong]
NUMBERS = st.builds(Fraction, st.integers(-40, 40), st.integers(1, 40))
POSITIVE = st.builds(Fraction, st.integers(1, 60), st.integers(1, 20))
SHARES = st.builds(lambda a, b: Fraction(min(a, b), max(a, b)), st.integers(0, 30), st.integers(1, 30))
ALPHAS = st.builds(lambda a, b: Fraction(a % (2 * b - 1) + 1 - b, b), st.integers(0, 99), st.integers(1, 50))


def several(each, least, most=None):
    return st.lists(each, min_size=least, max_size=least + 6 if most is None else most)


# Strategies of the values an instance is made of, by name; each is given the proof's key and the order.
VALUES = {
    "a": lambda key, order: SHARES,
    "alpha": lambda key, order: ALPHAS,
    "before": lambda key, order: POSITIVE,
    "beta": lambda key, order: POSITIVE,
    "constant": lambda key, order: NUMBERS,
    "dt": lambda key, order: POSITIVE,
    "ends": lambda key, order: several(SHARES, 2),
    "exponents": lambda key, order: several(POSITIVE.map(lambda r: r - 1).filter(lambda r: r > -1), 1),
    "k": lambda key, order: st.integers(1, 50) if key == "integers_legs" else POSITIVE,
    "last": lambda key, order: NUMBERS,
    "polynomial": lambda key, order: several(NUMBERS, 1, order if key.startswith("span") else order + 5),
    "sample": lambda key, order: NUMBERS,
    "state": lambda key, order: several(NUMBERS, order, order),
    "step": lambda key, order: POSITIVE,
    "theta": lambda key, order: POSITIVE,
    "waves": lambda key, order: (
        several(NUMBERS, 2 * (order // 2), 2 * (order // 2))
        if key.startswith("span")
        else several(NUMBERS, 0, order + 4).map(lambda waves: waves[: len(waves) // 2 * 2])
    ),
}


@st.composite
def instances(draw, key, order):
    """An instance of a proof; the holds' values belong together, the others are independent."""
    takes = PROOFS[key].takes
    if "lengths" in takes:
        lengths = draw(several(POSITIVE, 1, 4))
        if "pieces" in takes:
            pieces = [draw(several(NUMBERS, 1, 5)) for _ in lengths]
            return {"pieces": pieces, "lengths": lengths}
        count = len(lengths) + (key == "foh_legs")
        return {"samples": draw(several(NUMBERS, count, count)), "lengths": lengths}
    return {name: draw(VALUES[name](key, order)) for name in takes}


def refuted(proof, wrong, order):
    return any(any(proof.residuals_of(wrong, order, **example)) for example in proof.examples(order))


@pytest.mark.parametrize("key", PROOFS)
def test_every_identity_is_proved_at_every_order_up_to_32(key):
    assert all(PROOFS[key].examples(order) for order in range(1, LIMIT + 1)), "a proof without examples proves nothing"
    assert largest_order(key, LIMIT) == LIMIT


@pytest.mark.parametrize("key", [key for key, proof in PROOFS.items() if proof.takes])
@settings(max_examples=settings.default.max_examples // 2)
@given(data=st.data(), order=st.integers(1, LIMIT))
def test_drawn_signals_times_and_parameters_leave_no_residual(key, data, order):
    residuals = PROOFS[key].residuals(order, **data.draw(instances(key, order)))
    assert len(residuals) > 0
    assert all(type(residual) is Fraction and residual == 0 for residual in residuals)


@pytest.mark.parametrize(("key", "wrong"), WRONG)
def test_every_wrong_formula_is_refuted(key, wrong):
    assert all(refuted(PROOFS[key], wrong, order) for order in (3, 4, 7, 16, LIMIT))


@pytest.mark.parametrize(("key", "wrong"), [(key, wrong) for key, wrong in WRONG if PROOFS[key].takes])
def test_drawn_instances_refute_it_too(key, wrong):
    """The strategies above reach what a wrong formula gets wrong: without shrinking, a few draws are enough."""
    quick = settings(max_examples=40, phases=[Phase.generate], derandomize=True, database=None)
    find(instances(key, 6), lambda drawn: any(PROOFS[key].residuals_of(wrong, 6, **drawn)), settings=quick)


@pytest.mark.parametrize("key", PROOFS)
def test_every_proof_says_what_it_proves(key):
    proof = PROOFS[key]
    assert proof.key == key
    assert proof.claim.endswith(".")
    assert proof.covers
    assert proof.source
    assert len(proof.wrong) >= 2
    assert set(proof.takes) <= {*VALUES, "lengths", "samples", "pieces"}


def test_a_formula_holds_up_to_where_it_goes_wrong():
    def from_four(order):
        right = exact.legs(order)
        return right if order < 4 else exact.Law(right.R, -1 * right.b)

    broken = replace(PROOFS["kernel_legs"], formula=from_four)
    assert [broken.holds(order) for order in range(1, 6)] == [True, True, True, False, False]


def test_one_example_with_a_residual_is_enough_to_fail():
    proof = replace(PROOFS["pade_legt"], examples=lambda order: ({"theta": 1}, {"theta": 2}))
    assert proof.holds(4)
    right_at_one_alone = replace(proof, formula=lambda order, theta: proof.formula(order, to_fmpq(Fraction(1))))
    assert not right_at_one_alone.holds(4)


def test_largest_order_counts_no_order_beyond_the_first_failure(monkeypatch):
    proof = PROOFS["kernel_legs"]
    odd = Proof(
        "odd", proof.claim, proof.covers, proof.source, None, lambda _, order: [to_fmpq(Fraction(order % 2))], {}
    )
    even = Proof(
        "even", proof.claim, proof.covers, proof.source, None, lambda _, order: [to_fmpq(Fraction(order == 3))], {}
    )
    monkeypatch.setattr("hippo_ref.proofs.PROOFS", {"odd": odd, "even": even})
    assert largest_order("odd", 4) == 0
    assert largest_order("even", 9) == 2


def test_laguerre_identities_hold_for_every_alpha():
    """Polynomials in alpha of degree at most 2N-2, zero at 2N values: zero. At N = 32, which holds all smaller n."""
    for key in ("laguerre_rodrigues", "laguerre_recurrence", "laguerre_norms", "laguerre_derivative"):
        for i in range(2 * LIMIT):
            assert not any(PROOFS[key].residuals(LIMIT, alpha=Fraction(i, 4) - Fraction(3, 4)))


def test_lagt_law_holds_for_every_alpha_and_beta():
    """Degree below N in alpha and one in beta: N values of alpha and two of beta decide."""
    for beta in (1, "2/7"):
        for i in range(LIMIT):
            alpha = Fraction(2 * i + 1 - LIMIT, LIMIT)
            assert not any(PROOFS["kernel_lagt"].residuals(LIMIT, alpha=alpha, beta=beta))


def test_even_fout_lacks_exactly_the_partner_of_its_last_cosine():
    """span_fout in numbers, on the reference itself: f in the span of N+1, the law of N, the last row alone is off."""
    theta, t, order = Fraction(4, 5), mpf(1) / 8, 4
    m = measure("fout", theta=theta)
    with mp.workdps(40):
        turn = 2 * mp.pi * 5 / 4

        def f(x):
            return 2 + mp.cos(turn * x) - 3 * mp.sin(2 * turn * x)

        def slope(x):
            return -turn * mp.sin(turn * x) - 6 * turn * mp.cos(2 * turn * x)

        c, absent = project(m, f, t, order, 35), project(m, f, t, order + 1, 35)[order]
        law = system(m, order, 35)
        lacking = mp.matrix(project_rate(m, slope, t, order, 35)) - law.A * mp.matrix(c) - law.B * f(t)
        assert abs(absent) > 0.5
        assert_close(list(lacking), [mpf(0)] * 3 + [mp.pi * order * 5 / 4 * absent], 32)


def as_mp(matrix):
    return mp.matrix([[mpf(int(entry.p)) / int(entry.q) for entry in row] for row in matrix.tolist()])


PARAMETERS = {
    "legs": {},
    "legs_lti": {},
    "legt": {"theta": Fraction(4, 5)},
    "lmu": {"theta": Fraction(7, 3)},
    "lagt": {"alpha": Fraction(1, 3), "beta": Fraction(2, 7)},
}


@pytest.mark.parametrize("order", [1, 2, 9, LIMIT])
@pytest.mark.parametrize("key", PARAMETERS)
def test_the_laws_that_are_proved_are_those_of_system(key, order):
    """``A = S R S^-1`` and ``B = S b``, S the scaling that each rational law states."""
    parameters = PARAMETERS[key]
    law = {"legs": exact.legs, "legs_lti": exact.legs, "legt": exact.legt, "lmu": exact.lmu, "lagt": exact.lagt}[key]
    rational = law(order, *(to_fmpq(value) for value in parameters.values()))
    published = system(measure(key, **parameters), order, 45)
    with mp.workdps(50):
        scales = legendre_scales(order)
        if key == "lmu":
            scales = [mpf(1)] * order
        if key == "lagt":
            alpha, beta = (mpf(value.numerator) / value.denominator for value in parameters.values())
            zeta = mp.gamma(1 - alpha) * mp.power(beta, alpha - 1)
            scales = [1 / mp.sqrt(zeta * mp.gamma(n + alpha + 1) / mp.factorial(n)) for n in range(order)]
        S = mp.diag(scales)
        A, B = S * as_mp(rational.R) * S**-1, S * as_mp(rational.b)
    assert_close(list(A), list(published.A), 44)
    assert_close(list(B), list(published.B), 44)


@pytest.mark.parametrize("order", [1, 2, 9, 20])
@pytest.mark.parametrize("key", PARAMETERS)
def test_the_laws_that_are_proved_come_exactly_out_of_gram_schmidt(key, order):
    """The derived rational law, carried from the orthogonal ``pi_n`` of unit lead to P_n or L_n: no digit is lost."""
    parameters = PARAMETERS[key]
    derived = rational_system(measure(key, **parameters), order)
    values = [to_fmpq(value) for value in parameters.values()]
    if key == "lagt":
        # The generators are (-u)^i, so L_n is pi_n/n!.
        lead, law = [Fraction(1, factorial(n)) for n in range(order)], exact.lagt(order, *values)
    else:
        lead = [Fraction(exact.legendre_coefficient(n, n)) for n in range(order)]
        law = exact.legt(order, *values) if values else exact.legs(order)
    R = [[derived.R[n][k] * lead[n] / lead[k] for k in range(order)] for n in range(order)]
    assert [[to_fraction(entry) for entry in row] for row in law.R.tolist()] == R
    assert [b * c for b, c in zip(derived.b, lead, strict=True)] == [to_fraction(b) for b in law.b.entries()]


@pytest.mark.parametrize("order", [1, 2, 3, 8, 31, LIMIT])
def test_the_fourier_law_that_is_proved_is_that_of_system(order):
    theta, rational = Fraction(3, 10), exact.fout(order)
    published = system(measure("fout", theta=theta), order, 45)
    with mp.workdps(50):
        S = mp.diag([mpf(1), *[mp.sqrt(2)] * (order - 1)])
        scale = mpf(theta.denominator) / theta.numerator
        A = S * (mp.pi * as_mp(rational.turn) + as_mp(rational.rest)) * S**-1 * scale
        B = S * as_mp(rational.b) * scale
    assert_close(list(A), list(published.A), 44)
    assert_close(list(B), list(published.B), 44)


def test_the_polynomials_that_are_proved_are_those_of_the_reference():
    order, v, alpha = 12, Fraction(3, 7), Fraction(-2, 5)
    powers = column(to_fmpq(v**j) for j in range(order))
    with mp.workdps(50):
        x, a = mpf(3) / 7, mpf(-2) / 5
        assert_close(list(as_mp(exact.legendre_matrix(order) * powers)), shifted_legendre(order, x), 45)
        assert_close(list(as_mp(exact.laguerre_matrix(order, to_fmpq(alpha)) * powers)), laguerre(order, a, x), 45)


@pytest.mark.parametrize("proof", ["subtracted_legs", "prefix_legs"])
@pytest.mark.parametrize(("method", "a"), [("euler", 0), ("bilinear", Fraction(1, 2)), ("backward_euler", 1)])
def test_the_recurrences_that_are_proved_give_the_states_of_the_reference(proof, method, a):
    order, u = 10, [Fraction(value) for value in samples(9)]
    x = [to_fmpq(u[0])] + [to_fmpq(Fraction(0))] * (order - 1)
    for k in range(1, len(u)):
        p, q, w = (to_fmpq(Fraction(value) / k) for value in (a, 1 - a, u[k]))
        x = PROOFS[proof].formula(x, p, q, w)
    with mp.workdps(50):
        expected = [s * mpf(int(v.p)) / int(v.q) for s, v in zip(legendre_scales(order), x, strict=True)]
    assert_close(states(measure("legs"), u, order, method, dps=40)[-1], expected, 39)


def test_bilinear_coefficients_are_integers():
    rows = PROOFS["integers_legs"].formula
    assert rows(1, 0) == (3, 3, 1, -1)
    assert all(type(value) is int for k in range(1, 5) for n in range(9) for value in rows(k, n))


def test_a_hundred_orders_of_the_pade_identity():
    """Far beyond where floating point could follow: the matrices' own fraction against both other forms."""
    for key in ("pade_legt", "delay_legt"):
        assert not any(PROOFS[key].residuals(100, theta=1))


def test_conversion_of_instances():
    residual = PROOFS["ode_legs"].residuals(3, polynomial=[0.5, "1/3", 2, Fraction(-1, 7), mpf(3)])
    assert residual == [Fraction(0)] * 15
    assert to_fraction(number()("0.1", "x")) == Fraction(1, 10)
    assert all(numbers(40)(awkward(40), "x")), "an awkward number is never 0"


@pytest.mark.parametrize(
    ("key", "order", "instance", "error", "message"),
    [
        ("ode_legs", 0, {"polynomial": [1]}, ValueError, "order must be an integer >= 1, got 0"),
        ("ode_legs", 2.0, {"polynomial": [1]}, TypeError, "order must be an integer >= 1, got 2.0"),
        ("ode_legs", 2, {}, TypeError, "proof 'ode_legs' takes polynomial beside order, got nothing"),
        ("pade_legt", 2, {"theta": 1, "x": 3}, TypeError, "proof 'pade_legt' takes theta beside order, got theta, x"),
        ("kernel_legs", 2, {"t": 1}, TypeError, "proof 'kernel_legs' takes nothing beside order, got t"),
        ("ode_legs", 2, {"polynomial": []}, ValueError, r"polynomial must hold at least 1 number\(s\), got 0"),
        ("ode_legs", 2, {"polynomial": 3}, TypeError, r"polynomial must be a sequence of numbers, got 3 \(int\)"),
        ("ode_legs", 2, {"polynomial": "12"}, TypeError, r"polynomial must be a sequence of numbers, got '12' \(str\)"),
        (
            "ode_legs",
            2,
            {"polynomial": [1, None]},
            TypeError,
            r"polynomial\[1\] must be an int, float, Fraction or mpf",
        ),
        ("pade_legt", 2, {"theta": 0}, ValueError, "theta must be > 0, got 0"),
        ("pade_legt", 2, {"theta": float("nan")}, ValueError, "theta must be finite, got nan"),
        ("kernel_lagt", 2, {"alpha": 1, "beta": 1}, ValueError, "alpha must be > -1 and < 1, got 1"),
        ("gradient_cells_legs", 2, {"ends": [0, 2]}, ValueError, r"ends\[1\] must be >= 0 and <= 1, got 2"),
        ("span_legt", 2, {"polynomial": [1, 2, 3], "theta": 1}, ValueError, "at most order = 2 .*got 3"),
        ("span_fout", 4, {"constant": 1, "waves": [1]}, ValueError, r"waves must hold 4 number\(s\), got 1"),
        ("ode_fout", 4, {"polynomial": [1], "waves": [1]}, ValueError, "waves must hold pairs .*got 1 number"),
        ("zoh_legs", 2, {"samples": [1], "lengths": [1, 2]}, ValueError, r"samples must hold 2 item.*got 1"),
        ("hold_legs", 2, {"pieces": 3, "lengths": [1]}, TypeError, "pieces must be a sequence of polynomials, got 3"),
        ("hold_legs", 2, {"pieces": [[]], "lengths": [1]}, ValueError, r"pieces\[0\] must hold at least 1"),
        ("integers_legs", 1, {"k": 0, "state": [1], "sample": 1}, ValueError, "k must be an integer >= 1, got 0"),
        ("prefix_legs", 2, {"a": 0, "k": 1, "state": [1], "sample": 1}, ValueError, r"state must hold 2 number.*got 1"),
        ("prefix_legs", 1, {"a": 2, "k": 1, "state": [1], "sample": 1}, ValueError, "a must be >= 0 and <= 1, got 2"),
    ],
)
def test_bad_instances(key, order, instance, error, message):
    with pytest.raises(error, match=message):
        PROOFS[key].residuals(order, **instance)


def test_bad_names_and_limits():
    with pytest.raises(ValueError, match="unknown proof 'ode'; expected one of legendre_rodrigues, "):
        largest_order("ode")
    with pytest.raises(ValueError, match="limit must be an integer >= 1, got 0"):
        largest_order("ode_legs", 0)
    with pytest.raises(ValueError, match="proof 'constant_legs' has no wrong formula 'x'; it has sign, all ones"):
        PROOFS["constant_legs"].residuals_of("x", 3)


def test_a_comparison_of_nothing_is_no_proof():
    empty = Proof("empty", "Nothing.", "nothing", "nobody", None, lambda formula, order: [], {})
    with pytest.raises(ArithmeticError, match="proof 'empty' compared nothing at order 3"):
        empty.residuals(3)
