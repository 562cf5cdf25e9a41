"""Precision is borrowed and returned; conversions are exact; agreement is really demanded."""

from fractions import Fraction

import pytest
from flint import arb, ctx
from mpmath import mp, mpf
from ref_tools import CASES, assert_close, flat, name, samples

from hippo_ref import PrecisionError, derive, evaluate, jacobian, measure, project, project_rate, states, step, system
from hippo_ref.balls import ball as ball_of
from hippo_ref.balls import midpoint
from hippo_ref.fixed import from_fixed, to_fixed
from hippo_ref.linear import exponential, inverse
from hippo_ref.orthogonal import gauss_legendre
from hippo_ref.precision import exact, rational, settle, working_bits


def _calls(m):
    dt = None if m.time_law == "scale" else Fraction(1, 16)
    signal = mp.exp
    yield lambda: list(system(m, 5, 30).A)
    yield lambda: list(derive(m, 5, 30).A)
    yield lambda: project(m, signal, 2, 3, 30)
    yield lambda: project_rate(m, signal, 2, 3, 30)
    for rule in ("euler", "bilinear", "zoh"):
        yield lambda rule=rule: flat(states(m, samples(4), 4, rule, dt, 30))
        yield lambda rule=rule: list(jacobian(m, 3, 4, rule, dt, 30))
    yield lambda: step(m, [1, 2, 3], Fraction(1, 3), 2, "backward_euler", dt, 30)
    if m.key != "lagt":
        yield lambda: evaluate(m, [1, 2, 3], [0.25, 0.875], 30)


@pytest.mark.parametrize("m", CASES, ids=name)
def test_results_do_not_depend_on_the_callers_precision(m):
    for index, call in enumerate(_calls(m)):
        results = []
        for dps in (5, 15, 70):
            with mp.workdps(dps):
                held = (mp.prec, ctx.prec)
                results.append([value._mpf_ for value in call()])
                assert (mp.prec, ctx.prec) == held, f"call {index} kept the precision"
        assert results[0] == results[1] == results[2], f"call {index} depends on mp.dps"


def test_precision_is_returned_after_an_error():
    before = mp.prec

    def fails(x):
        raise RuntimeError("from the signal")

    with pytest.raises(RuntimeError, match="from the signal"):
        project(measure("legs"), fails, 1, 4)
    assert mp.prec == before


def test_results_are_rounded_to_the_requested_digits():
    for dps in (10, 30, 60):
        (value,) = project(measure("legs"), mp.exp, 1, 1, dps)
        with mp.workdps(100):
            expected = mp.e - 1
        with mp.workdps(dps):
            assert value == +expected
            assert value._mpf_[3] <= mp.prec


def test_exact_takes_numbers_without_rounding():
    with mp.workdps(3):
        assert exact(2**200 + 1, "x").man_exp[0] == 2**200 + 1
        assert rational(0.1, "x") == Fraction(0.1)
        assert rational(-5e-324, "x") == Fraction(-5e-324)
    assert exact(Fraction(1, 3), "x") == Fraction(1, 3)


@pytest.mark.parametrize("bad", ["1", True, None, 1j, [1.0]])
def test_exact_refuses_what_is_not_a_number(bad):
    with pytest.raises(TypeError, match=r"x must be an int, float, Fraction or mpf"):
        exact(bad, "x")


def test_settle_gives_up_with_the_error_it_reached():
    noise = iter(range(10**6))
    with pytest.raises(PrecisionError, match="still differ by"):
        settle(lambda bits: [[mpf(1 + next(noise))]], 100, "noise")


def test_settle_raises_until_cancellation_is_paid_for():
    def cancelling(bits):
        big = mpf(10) ** 45
        return [[(big + mp.sqrt(2)) - big]]

    (value,) = settle(cancelling, 100, "cancelling")[0]
    with working_bits(100):
        assert value == mp.sqrt(2)


def test_settle_accepts_an_exact_zero_among_rounding():
    def almost(bits):
        return [[mpf(1) / 3 + mpf(1) / 3 + mpf(1) / 3 - 1 + mp.ldexp(1, -bits)]]

    assert abs(settle(almost, 100, "zero", floor=lambda: mpf(1))[0][0]) < mpf(2) ** -150


def test_arb_conversions_are_exact_in_both_directions():
    with mp.workdps(80):
        value = -mp.sqrt(2) * mpf(2) ** -300
    assert ctx.prec == 53
    ball = ball_of(value)
    assert ball.rad() == arb(0)
    assert midpoint(ball)._mpf_ == value._mpf_
    assert midpoint(ball_of(mpf(0))) == 0


def test_fixed_point_round_trip():
    with mp.workdps(40):
        values = [mpf(1) / 8, mpf(-3), mpf(0)]
        assert from_fixed(to_fixed(values)) == values


def test_gauss_legendre_against_mpmath():
    with mp.workdps(40):
        pairs = gauss_legendre(9, mp.prec)
        for node, _ in pairs:
            assert abs(mp.legendre(9, 2 * node - 1)) < mpf(10) ** -37
        for degree in range(18):
            moment = mp.fsum(weight * node**degree for node, weight in pairs)
            assert abs(moment * (degree + 1) - 1) < mpf(10) ** -38


def test_inverse_and_exponential_against_mpmath():
    with mp.workdps(40):
        A = mp.matrix([[mp.sqrt(n + 2 * k + 1) - 3 * (n == k) for k in range(6)] for n in range(6)])
        rows = [[A[n, k] for k in range(6)] for n in range(6)]
        assert_close(flat(inverse(rows)), list(mp.inverse(A)), 36)
        assert_close(flat(exponential(rows)), list(mp.expm(A)), 36)


def test_singular_matrix_is_refused():
    with mp.workdps(20), pytest.raises(PrecisionError, match="inverse of a matrix of order 2"):
        inverse([[mpf(1), mpf(2)], [mpf(2), mpf(4)]])
