"""The claims and numbers of the project's mathematics, executed on the reference."""

from fractions import Fraction
from itertools import pairwise
from math import comb, factorial

import pytest
from mpmath import mp, mpf
from ref_tools import assert_close

from hippo_ref import DISCRETIZATIONS, measure, project, states, system
from hippo_ref.orthogonal import legendre_scales

LEGS = measure("legs")


def error_at_the_end(f, method, length, order=8):
    """Distance of the last state to the exact projection over [0, 1], samples as the rule reads them."""
    with mp.workdps(25):
        if method in ("trapezoid", "foh"):
            u = [f(mpf(k) / length) for k in range(length + 1)]
        else:
            u = [f((mpf(k) + mpf(1) / 2) / length) for k in range(length)]
        last = states(LEGS, u, order, method, dps=25)[-1]
        return mp.norm(mp.matrix(last) - mp.matrix(project(LEGS, f, 1, order, 25)))


def test_published_bilinear_is_first_order_on_legs():
    errors = [error_at_the_end(lambda x: mp.sin(3 * x), "bilinear", length) for length in (100, 200, 400)]
    # The values halve; sin 3x gives 6.5e-3, 3.3e-3, 1.65e-3.
    assert [mp.nstr(e, 2) for e in errors] == ["0.0065", "0.0033", "0.0017"]
    assert all(abs(a / b - 2) < 0.02 for a, b in pairwise(errors))


@pytest.mark.parametrize("method", [key for key in DISCRETIZATIONS if key != "euler"])
def test_nominal_order_on_legs(method):
    """Claim 11. Forward Euler at N = 8 is out of its transient only later; it has its own test at N = 2."""
    errors = [error_at_the_end(lambda x: mp.sin(3 * x), method, length) for length in (100, 200, 400)]
    nominal = DISCRETIZATIONS[method].nominal_order["scale"]
    assert all(abs(mp.log(a / b, 2) - nominal) < 0.06 for a, b in pairwise(errors))


def test_nominal_order_of_forward_euler_on_legs():
    errors = [error_at_the_end(lambda x: mp.sin(3 * x), "euler", length, order=2) for length in (200, 400)]
    assert abs(mp.log(errors[0] / errors[1], 2) - DISCRETIZATIONS["euler"].nominal_order["scale"]) < 0.06


def test_trapezoid_is_four_hundred_times_better_at_a_hundred_samples():
    def f(x):
        return mp.sin(3 * x)

    assert 400 < error_at_the_end(f, "bilinear", 100) / error_at_the_end(f, "trapezoid", 100) < 450


@pytest.mark.parametrize("method", ["euler", "backward_euler", "bilinear", "zoh"])
def test_nominal_order_on_an_invariant_law(method):
    """Claim 11, against the exact projection of legs_lti, whose law is exact; samples at midpoints of the cells."""
    m, order = measure("legs_lti"), 4

    def f(x):
        return mp.sin(x) ** 2

    with mp.workdps(25):
        exact = mp.matrix(project(m, f, 1, order, 22, since=0))
        errors = []
        for length in (64, 128):
            u = [f((mpf(k) + mpf(1) / 2) / length) for k in range(length)]
            last = states(m, u, order, method, Fraction(1, length), 22)[-1]
            errors.append(mp.norm(mp.matrix(last) - exact))
        assert abs(mp.log(errors[0] / errors[1], 2) - DISCRETIZATIONS[method].nominal_order["invariant"]) < 0.15


@pytest.mark.parametrize("seed", [[(-1) ** k for k in range(60)], [1] + [0] * 59])
def test_forward_euler_on_legs_passes_through_ten_to_the_twenty_one(seed):
    peaks = [max(abs(entry) for entry in state) for state in states(LEGS, seed, 32, "euler", dps=30)]
    top = max(peaks)
    assert mpf(10) ** 21 < top < mpf(10) ** 22
    assert peaks.index(top) == 22
    assert peaks[-1] < top / 10**9, "and it recovers"


def test_closure_error_of_legt():
    """LegT from zero, f = cos 3x, N = 8: closed state and exact projection, 4.7e-2 apart at theta, 2e-6 at 4 theta."""
    m, order = measure("legt"), 8
    found = system(m, order, 40)
    with mp.workdps(40):
        # The input drives the law as two more states, cos 3t and sin 3t.
        G = mp.zeros(order + 2)
        for n in range(order):
            G[n, order] = found.B[n]
            for k in range(order):
                G[n, k] = found.A[n, k]
        G[order, order + 1], G[order + 1, order] = mpf(-3), mpf(3)
        gaps = []
        for t in (1, 4):
            state = mp.expm(G * t) * mp.matrix([0] * order + [1, 0])
            exact = project(m, lambda x: mp.cos(3 * x), t, order, 30)
            gaps.append(max(abs(state[n] - exact[n]) for n in range(order)))
    assert [mp.nstr(gap, 2) for gap in gaps] == ["0.047", "2.0e-6"]


def test_gates_at_order_one():
    """Claim 7: c' = (1 - g) c + g u."""
    u = [Fraction(3, 2), -2, 5, Fraction(1, 3), 7]
    for method, gate in (
        ("euler", lambda k: Fraction(1, k)),
        ("backward_euler", lambda k: Fraction(1, k + 1)),
        ("zoh", lambda k: Fraction(1, k + 1)),
        ("bilinear", lambda k: Fraction(2, 2 * k + 1)),
    ):
        c, expected = Fraction(u[0]), [Fraction(u[0])]
        for k in range(1, 5):
            c = (1 - gate(k)) * c + gate(k) * u[k]
            expected.append(c)
        with mp.workdps(50):
            values = [mpf(e.numerator) / e.denominator for e in expected]
        assert_close([state[0] for state in states(LEGS, u, 1, method)], values, 50)


def test_gates_of_plain_lagt_at_order_one():
    lagt, dt = measure("lagt"), Fraction(1, 8)
    assert_close(states(lagt, [1], 1, "euler", dt)[0], [mpf(1) / 8], 50)
    with mp.workdps(50):
        gate = 1 - mp.exp(mpf(-1) / 8)
        second = (1 - gate) * gate + gate * 3
    assert_close(states(lagt, [1, 3], 1, "zoh", dt)[1], [second], 49)


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_legt_read_out_is_the_pade_approximant_of_a_delay(order):
    """Claim 8: sum_n s_n (-1)^n c_n has transfer function [N-1/N] of exp(-theta z)."""
    theta = Fraction(4, 5)
    found = system(measure("legt", theta=theta), order, 45)
    with mp.workdps(45):
        C = mp.matrix([[(-1) ** n * s for n, s in enumerate(legendre_scales(order))]])
        for z in (mpf(1) / 3, mpf(2), mpf(7), mp.mpc(1, 3)):
            transfer = (C * mp.lu_solve(z * mp.eye(order) - found.A, found.B))[0]
            x = z * theta.numerator / theta.denominator
            top = sum(comb(order - 1, j) * factorial(2 * order - 1 - j) * (-x) ** j for j in range(order))
            bottom = sum(comb(order, j) * factorial(2 * order - 1 - j) * x**j for j in range(order + 1))
            assert abs(transfer - top / bottom) < mpf(10) ** -40


def outer(vector):
    return mp.matrix([[a * b for b in vector] for a in vector])


def test_structure():
    """Claim 9: normal plus low rank, and LegS's eigenvalues."""
    order, theta = 9, Fraction(2, 3)
    with mp.workdps(40):
        s, one, scale = legendre_scales(order), mp.eye(order), mpf(theta.denominator) / theta.numerator
        tiny = mpf(10) ** -37

        A = system(LEGS, order, 40).A
        assert mp.norm(A + A.T + one + outer(s), mp.inf) < tiny
        assert all(A[n, k] == 0 for n in range(order) for k in range(n + 1, order))
        assert [A[n, n] for n in range(order)] == [-(n + 1) for n in range(order)]

        A = system(measure("lagt"), order, 40).A
        assert mp.norm(A + A.T + one + outer([mpf(1)] * order), mp.inf) < tiny

        A = system(measure("legt", theta=theta), order, 40).A
        even = [s[n] if n % 2 == 0 else mpf(0) for n in range(order)]
        odd = [s[n] if n % 2 else mpf(0) for n in range(order)]
        assert mp.norm(A + A.T + 2 * scale * (outer(even) + outer(odd)), mp.inf) < tiny * 10

        for n in (order, order - 1):
            A = system(measure("fout", theta=theta), n, 40).A
            ends = [mpf(1) if i == 0 else mp.sqrt(2) if i % 2 else mpf(0) for i in range(n)]
            assert mp.norm(A + A.T + 4 * scale * outer(ends), mp.inf) < tiny


def test_legs_holds_a_constant():
    """-A^-1 B = e_0."""
    with mp.workdps(40):
        found = system(LEGS, 7, 40)
        assert_close(list(-mp.lu_solve(found.A, found.B)), [mpf(1), *[mpf(0)] * 6], 37)


def test_zoh_states_obey_bessel():
    """Claim 6: a hold-exact state is a projection, so its norm is below the largest sample's size."""
    u = [((5 * k * k) % 13 - 6) / 6 for k in range(30)]
    for state in states(LEGS, u, 20, "zoh", dps=25):
        with mp.workdps(25):
            assert mp.norm(mp.matrix(state)) <= 1


def test_subtracted_recurrence_agrees_with_the_prefix_sums():
    """The O(N) recurrence without sums, GBT(a) with h = 1/k, in x_n = c_n/s_n."""
    u, order = [Fraction(k * k % 7 - 3, 4) for k in range(9)], 10
    for method, a in (("euler", Fraction(0)), ("bilinear", Fraction(1, 2)), ("backward_euler", Fraction(1))):
        x = [u[0]] + [Fraction(0)] * (order - 1)
        for k in range(1, len(u)):
            h, y = Fraction(1, k), []
            for n in range(order):
                if n == 0:
                    right = (1 - (1 - a) * h) * x[0] + h * u[k]
                else:
                    right = (1 - a * h * (n - 1)) * y[n - 1]
                    right += (1 - (1 - a) * h * (n + 1)) * x[n] - (1 + (1 - a) * h * (n - 1)) * x[n - 1]
                y.append(right / (1 + a * h * (n + 1)))
            x = y
        with mp.workdps(50):
            expected = [s * v.numerator / v.denominator for s, v in zip(legendre_scales(order), x, strict=True)]
        assert_close(states(LEGS, u, order, method, dps=40)[-1], expected, 39)
