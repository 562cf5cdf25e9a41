"""Hold-exact steps are exact for what they hold, and their majorants are those of the derivation."""

import math

import numpy as np
import pytest
from bounds_tools import S, lmu, operator, scalar

from verify.bounds import EXPONENTIAL_OPERATIONS, forget, majorant
from verify.bounds.holds import (
    _bernstein,
    _cardinals,
    _continued,
    _expm_of,
    _last_cell,
    _responses,
    _swell,
    line,
)

CLOSE = {"rtol": 1e-11, "atol": 1e-12}
UNEVEN = (0.5, 1.25, 1.5, 3.0, 4.0, 4.5)


def monomial(j, t, order):
    """LegS coefficients of ``x^j`` on [0, t]: ``s_n t^j j!^2 / ((j - n)! (j + n + 1)!)``."""
    f = math.factorial
    return np.array([S[n] * t**j * f(j) ** 2 / (f(j - n) * f(j + n + 1)) if n <= j else 0.0 for n in range(order)])


def then_silence(j, then, now, order):
    """LegS coefficients at ``now`` of ``x^j`` on [0, then] and nothing after, by quadrature that is exact for it."""
    nodes, mass = np.polynomial.legendre.leggauss(order + j + 2)
    r = then / now
    y = r * (nodes + 1) / 2
    basis = np.polynomial.legendre.legvander(2 * y - 1, order - 1) * np.array(S[:order])
    return basis.T @ ((now * y) ** j * mass * r / 2)


class TestTheStepItself:
    @pytest.mark.parametrize("method", ["zoh", "foh", "hold(2)", "hold(3)"])
    @pytest.mark.parametrize("times", [None, UNEVEN])
    @pytest.mark.parametrize("k", [1, 2, 3, 5])
    def test_what_was_remembered_is_remembered_on_a_longer_interval(self, method, times, k):
        """The transition, on all polynomials: the window grows over silence."""
        order, op = 4, operator("legs", method, 4, times=times)
        then, now = op.node(k - 1), op.node(k)
        if then == 0:
            assert (majorant(op, k).transition == np.eye(order)).all(), "a line from time 0 leaves nothing to rescale"
            return
        for j in range(order):
            before, after = monomial(j, then, order), then_silence(j, then, now, order)
            assert np.allclose(majorant(op, k).transition @ before, after, **CLOSE)

    @pytest.mark.parametrize(("method", "degree"), [("zoh", 0), ("foh", 1), ("hold(2)", 2), ("hold(3)", 3)])
    @pytest.mark.parametrize("times", [None, UNEVEN])
    @pytest.mark.parametrize("order", [1, 2, 6])
    def test_a_polynomial_of_its_degree_stays_itself_under_legs(self, method, degree, times, order):
        op = operator("legs", method, order, times=times)
        for k in range(1, 6):
            step, then, now = majorant(op, k), op.node(k - 1), op.node(k)
            for j in range(min(degree, k) + 1):
                read = np.array([op.node(k - i) ** j for i in range(step.inputs.shape[1])] if degree else [1.0, 0.0])
                before = monomial(j, then, order)
                if order <= j:  # the state holds the projection only; the rest of the signal is what it lacks
                    continue
                assert np.allclose(
                    step.transition @ before + step.inputs @ read, monomial(j, now, order), rtol=1e-10, atol=1e-10
                ), (k, j)

    @pytest.mark.parametrize("method", ["foh", "hold(2)"])
    def test_of_order_one_the_mean_grows_by_the_last_cell(self, method):
        """N = 1 holds the mean, so the inputs are the integrals of the cardinal polynomials over the cell, over t."""
        op, k = scalar(method, -1.0), 4
        step = majorant(op, k)
        weights = {"foh": [1 / 2, 1 / 2], "hold(2)": [5 / 12, 8 / 12, -1 / 12]}[method]  # Adams-Moulton
        assert step.transition[0, 0] == pytest.approx(3 / 4, rel=1e-14)
        assert step.inputs[0] == pytest.approx(np.array(weights) / 4, rel=1e-13)

    @pytest.mark.parametrize(("method", "degree"), [("zoh", 0), ("foh", 1), ("hold(2)", 2), ("hold(3)", 3)])
    @pytest.mark.parametrize("measure", ["legt", "lagt"])
    def test_a_polynomial_input_has_its_polynomial_answer_under_an_invariant_law(self, measure, method, degree):
        """``c = sum_j v_j t^j`` solves ``c' = A c + B t^d`` with ``A v_d = -B`` and ``A v_(j-1) = j v_j``."""
        dt = 0.25
        op = operator(measure, method, 5, dt=dt)
        A, B = np.array(op.A), np.array(op.B)
        for k in (1, 2, 5):
            step = majorant(op, k)
            for j in range(min(degree, k) + 1):
                parts = [np.linalg.solve(A, -B)]
                for i in range(j, 0, -1):
                    parts.insert(0, np.linalg.solve(A, i * parts[0]))
                then, now = (sum(v * (m * dt) ** i for i, v in enumerate(parts)) for m in (k - 1, k))
                read = [(dt * (k - i)) ** j for i in range(step.inputs.shape[1])] if degree else [1.0, 0.0]
                assert np.allclose(step.transition @ then + step.inputs @ np.array(read), now, **CLOSE), (k, j)

    def test_the_exponential_is_a_semigroup(self):
        one, two = (majorant(operator("legt", "zoh", 5, dt=dt), 1).transition for dt in (0.25, 0.5))
        assert np.allclose(one @ one, two, **CLOSE)
        rate = majorant(scalar("zoh", -3.0, dt=0.25, measure="legt"), 1)
        assert rate.transition[0, 0] == pytest.approx(math.exp(-0.75), rel=1e-14)
        assert rate.inputs[0] == pytest.approx([(1 - math.exp(-0.75)) / 3, 0], rel=1e-14)

    def test_exponentials_are_kept_by_content_and_forgotten(self):
        forget()
        block = np.diag([0.0, -1.0])
        found = _expm_of(block.tobytes(), 2)
        assert np.allclose(found, np.diag([1, math.exp(-1)]), **CLOSE)
        assert _expm_of(block.copy().tobytes(), 2) is found
        with pytest.raises(ValueError, match="read-only"):
            found[0, 0] = 2
        forget()
        assert _expm_of(block.tobytes(), 2) is not found


class TestPieces:
    @pytest.mark.parametrize("order", [1, 2, 5])
    def test_line(self, order):
        """The projection of ``u_prev + (u - u_prev)(x - end + 1)`` on [0, time]."""
        for end, time in ((1.0, None), (3.0, None), (3.0, 2.0), (1.5, 0.5), (2.0, 0.0)):
            span = end if time is None else time
            for column, values in enumerate(((1.0, 0.0), (0.0, 1.0))):
                slope = values[0] - values[1]
                constant = values[1] - slope * (end - 1)
                expected = constant * monomial(0, span, order) + slope * monomial(1, span, order)
                assert np.allclose(line(end, order, time)[:, column], expected, **CLOSE)

    @pytest.mark.parametrize("degree", [0, 1, 2, 3])
    @pytest.mark.parametrize("times", [None, UNEVEN])
    def test_cardinals_are_one_at_their_node_and_zero_at_the_others(self, degree, times):
        op = operator("legs", f"hold({degree})", 2, times=times)
        for k in (3, 5):
            nodes = [1.0, 0.0, -1.0, -2.0][: degree + 1]
            if times and degree:
                nodes = [(times[k - i] - times[k - 1]) / (times[k] - times[k - 1]) for i in range(degree + 1)]
            values = _cardinals(op, k, degree) @ np.vander(nodes, increasing=True).T
            assert np.allclose(values, np.eye(degree + 1), **CLOSE)

    def test_bernstein_coefficients_bound_a_polynomial(self):
        even = {1: [1, 1], 2: [1, 1, 1 / 4]}  # x, 1 - x; x (x+1)/2, 1 - x^2, x (x-1)/2 in the basis of Bernstein
        for degree, expected in even.items():
            cardinals = _cardinals(scalar(f"hold({degree})", -1.0), 5, degree)
            assert _bernstein(cardinals) == pytest.approx(expected, rel=1e-14)
        x = np.linspace(0, 1, 101)
        for coefficients in np.random.default_rng(3).standard_normal((5, 4, 4)):
            largest = np.abs(coefficients @ np.vander(x, 4, increasing=True).T).max(axis=1)
            found = _bernstein(coefficients)
            assert (found >= largest * (1 - 1e-12)).all()
            assert (found <= 7 * largest).all(), "cubic Bernstein coefficients: at most |B^-1| = 7 times the maximum"

    def test_continued_is_the_cardinal_polynomial_with_every_term_positive(self):
        assert _continued([2.0, 1.0]) == [3.0, 4.0]  # (2 + 1)/1, (2 + 2)/1
        assert _continued([3.0, 1.0, 0.0]) == [2.0, 9.0, 8.0]  # 4/2 * 3/3, 6/2 * 3/1, 6/3 * 4/1
        assert _continued([5.0]) == [1.0]

    @pytest.mark.parametrize("degree", [0, 1, 3])
    def test_responses_are_integrals(self, degree):
        """``int_0^1 e^{(1-x) a} b x^j dx``, by quadrature."""
        A, B = np.array([[-1.0, 0.5], [0.0, -2.0]]), np.array([1.0, 3.0])
        nodes, mass = np.polynomial.legendre.leggauss(20)
        x = (nodes + 1) / 2
        found = _responses(A, B, degree)
        assert found.shape == (2, degree + 1)
        for j in range(degree + 1):
            second = 3 * np.exp(-2 * (1 - x))
            mixed = np.exp(-(1 - x)) + 1.5 * (np.exp(-(1 - x)) - np.exp(-2 * (1 - x)))  # e^{sA} B by hand
            for row, values in enumerate((mixed, second)):
                assert found[row, j] == pytest.approx(float(np.dot(values * x**j, mass / 2)), rel=1e-12)

    def test_last_cell_is_the_projection_of_what_is_read(self):
        """Its columns add up to the projection of 1 on the last cell alone: the whole less what came before."""
        for degree, order, then, now in ((1, 3, 3.0, 4.0), (2, 5, 1.0, 1.5), (3, 4, 2.0, 5.0), (2, 1, 1.0, 3.0)):
            cardinals = _cardinals(scalar(f"hold({degree})", -1.0), 5, degree)
            found = _last_cell(cardinals, then, now, order)
            assert found.shape == (order, degree + 1)
            expected = monomial(0, now, order) - then_silence(0, then, now, order)
            assert np.allclose(found.sum(axis=1), expected, **CLOSE)


class TestSwell:
    """A bound on ``max ||e^{sA}||`` over [0, tau]: no less, and no more than its grid costs."""

    def test_a_contraction_never_swells(self):
        assert _swell(np.diag([-1.0, -5.0]), 2.0) == 1
        assert _swell(np.array([[0.0, 3.0], [-3.0, 0.0]]), 2.0) == pytest.approx(1, rel=1e-12)
        assert _swell(np.zeros((1, 1)), 2.0) == 1

    @pytest.mark.parametrize(("rate", "cells"), [(1.0, 16), (16.0, 16), (20.5, 21), (600.0, 600)])
    def test_a_growing_mode_costs_one_cell_more(self, rate, cells):
        for tau in (1.0, 0.5):
            found = _swell(np.array([[rate / tau]]), tau)
            assert math.log(found) == pytest.approx(rate * (1 + 1 / cells), rel=1e-12)

    def test_a_transient_is_seen(self):
        """``e^{sA} = [[1, cs], [0, 1]]`` has norm ``x + sqrt(1 + x^2)`` with x = cs/2."""
        for c in (0.5, 3.0, 40.0, 4000.0):
            exact = c / 2 + math.hypot(1, c / 2)
            found = _swell(np.array([[0.0, c], [0.0, 0.0]]), 1.0)
            cells = min(max(math.ceil(c / 2), 16), 1024)
            assert found == pytest.approx(exact * math.exp(c / 2 / cells), rel=1e-12)
        decayed = _swell(np.array([[-4.0, 200.0], [0.0, -4.0]]), 2.0)
        assert decayed >= 50 / math.e, "the largest on the way, not the last: ||.|| at s = 1/4 is above 50/e"

    @pytest.mark.parametrize("A", [[[2000.0]], [[2000.0, 1.0], [0.0, -2000.0]], [[2000.0, -1.0], [1.0, 2000.0]]])
    def test_what_no_float_can_hold_is_infinite(self, A):
        assert _swell(np.array(A), 1.0) == math.inf


def count(order):
    return EXPONENTIAL_OPERATIONS / (6 * order + 24)


def columns(G, g, held, own, coarse, drive):
    """Both versions of the bound on an input: formed like K, and by the detour that the derivation excuses."""
    forward = g + own * (held + g)
    return [forward, max(forward, g + coarse * drive)]


class TestBoundsOfOrderOne:
    """With N = 1 every norm is an absolute value, and the docstring of `exponential` is a formula."""

    @pytest.mark.parametrize(
        ("a", "b", "dt", "theta", "memory"),
        [
            (1.0, 1.0, 0.25, None, 1.0),  # the default window is 1
            (0.5, 2.0, 0.25, None, 1.0),  # ... which bounds 1/|A|
            (20.0, 1.0, 0.01, 0.1, 0.05),  # 1/|A| below the window
            (0.5, 3.0, 0.01, 10.0, 2.0),
            (0.5, 3.0, 0.01, 0.1, 0.1),  # the window below 1/|A|
            (0.5, 3.0, 4.0, 1.0, 4.0),  # one sample above both
            (1.16, 1.0, 1.0, None, 1.0),  # the detour is no longer than the straight way
        ],
    )
    def test_zoh_under_an_invariant_law(self, a, b, dt, theta, memory):
        parameters = {} if theta is None else {"theta": theta}
        step = majorant(operator("legt", "zoh", A=[[-a]], B=[b], dt=dt, **parameters), 1)
        tau_a, G = dt * a, math.exp(-dt * a)
        g, own, coarse = b * (1 - G) / a, count(1) * tau_a, 1 + tau_a
        forward = G + own * (1 + G)
        assert step.K.ravel() == pytest.approx([forward, max(forward, G + coarse)], rel=1e-12)
        assert step.kappa.ravel() == pytest.approx(columns(G, g, g, own, coarse, memory * b), rel=1e-12)
        assert not step.before.any()

    @pytest.mark.parametrize(("a", "dt"), [(1.0, 0.25), (2.0, 0.5), (0.5, 2.0)])
    def test_foh_under_an_invariant_law(self, a, dt):
        """The sample is formed from W_1, the one before from W_0 - W_1: sizes W_1 and W_0 + W_1, gains 1 and 2."""
        step, x = majorant(scalar("foh", -a, 1.0, dt=dt, measure="legt"), 1), a * dt
        G = math.exp(-x)
        first, second = dt * (1 - G) / x, dt * (x - 1 + G) / x**2
        own, coarse, drive = count(1) * x, 1 + x, max(dt, 1 / max(a, 1.0))
        for found, size, gain in ((step.kappa, second, 1), (step.before, first + second, 2)):
            assert found.ravel() == pytest.approx(columns(G, size, size, own, coarse, drive * gain), rel=1e-12)
        assert step.inputs[0] == pytest.approx([second, first - second], rel=1e-12)

    @pytest.mark.parametrize("k", [1, 2, 9])
    def test_zoh_under_the_scale_law(self, k):
        """``c' = u e_0 + G (c - u e_0)``: the input is held at 1 + G, by a detour at 4."""
        step, tau, G = majorant(scalar("zoh", -1.0), k), math.log((k + 1) / k), k / (k + 1)
        own, coarse = count(1) * tau, 1 + tau
        forward = G + own * (1 + G)
        assert step.K.ravel() == pytest.approx([forward, max(forward, G + coarse)], rel=1e-12)
        assert step.kappa.ravel() == pytest.approx(columns(G, 1 + G, 1, own, coarse, 4), rel=1e-12)
        assert step.inputs[0] == pytest.approx([1 - G, 0], rel=1e-12)

    @pytest.mark.parametrize("times", [None, (0.0, 1.0, 2.0, 3.0, 4.0), (0.0, 1.0, 100.0, 101.0, 102.0)])
    def test_higher_holds_under_the_scale_law(self, times):
        """Each sample counts with the size of its cardinal polynomial on the cell: 1, 1 and 1/4 for a parabola.

        Backward, the piece may be formed on all of [0, t]: what it is there, times 1 + G.
        """
        for method, k in (("foh", 4), ("hold(2)", 4), ("hold(2)", 1)):
            op = scalar(method, -1.0, times=times)
            step, degree = majorant(op, k), 1 if method == "foh" or k == 1 else 2
            then, now = op.node(k - 1), op.node(k)
            G = then / now if then else 1.0
            own, coarse = (count(1) * -math.log(G), 1 - math.log(G))
            one = columns(G, 1 + G, 1, own, coarse, 4)
            nodes = [op.node(k - i) for i in range(degree + 1)]
            sizes = _bernstein(_cardinals(op, k, degree))
            found = [[size * one[0], size * one[1]] for size in sizes]
            if degree == 2 or times:
                for part, size in zip(found, _continued(nodes), strict=True):
                    part[1] = max(part[1], size * (1 + G))
            assert step.kappa.ravel() == pytest.approx(found[0], rel=1e-12)
            assert step.before.ravel() == pytest.approx(np.sum(found[1:], axis=0), rel=1e-12)

    def test_an_operator_without_a_structure_identity_pays_for_its_swell(self):
        for rate in (1.0, 0.125):
            own, G = count(1) * 0.5 * rate, math.exp(0.5 * rate)
            for measure, swell in (("legt", 1.0), ("custom", math.exp(0.5 * rate * (1 + 1 / 16)) ** 2)):
                step = majorant(scalar("zoh", rate, dt=0.5, measure=measure), 1)
                forward, backward = G + own * swell * (1 + G), G + (1 + 0.5 * rate) * swell
                assert step.K.ravel() == pytest.approx([forward, max(forward, backward)], rel=1e-12)


class TestBoundsOfHigherOrder:
    def test_a_diagonal_operator_has_the_norms_of_its_diagonal(self):
        """N = 2, ``A = -diag(3, 4)`` of Frobenius norm 5: the exponential costs ``sqrt(2) (1 + 5 tau)``."""
        dt, rates, B = 0.125, np.array([3.0, 4.0]), np.array([6.0, 8.0])
        step = majorant(operator("legt", "zoh", A=-np.diag(rates), B=B, dt=dt), 1)
        G = np.exp(-rates * dt)
        own, coarse = count(2) * rates * dt, math.sqrt(2) * (1 + 5 * dt)
        assert np.allclose(step.K[0], np.diag(G + own * (1 + G)), **CLOSE)
        assert np.allclose(step.K[1], np.diag(np.maximum(G + own * (1 + G), G + coarse)), **CLOSE)
        g = B / rates * (1 - G)
        assert np.allclose(step.kappa[0], g + own * 2 * g, **CLOSE)
        # The detour by A^-1: |B| = 10 held for 1/3, the inverse of the smallest singular value.
        assert np.allclose(step.kappa[1], g + (1 + 5 * dt) * 10 / 3, **CLOSE)

    def test_a_full_operator_spreads_its_errors(self):
        """``|dA|`` acts on both sides of the exponential: ``|G| + own (I + |G|)`` with a full ``own``."""
        op = operator("legt", "zoh", 3, dt=0.125)
        step = majorant(op, 1)
        G, own = np.abs(step.transition), count(3) * 0.125 * np.abs(np.array(op.A))
        assert np.allclose(step.K[0], G + own @ (np.eye(3) + G), **CLOSE)
        g = np.abs(step.inputs[:, 0])
        assert np.allclose(step.kappa[0], g + own @ (2 * g), **CLOSE)
        late = majorant(operator("legs", "foh", 3), 4)
        G, own = np.abs(late.transition), count(3) * math.log(4 / 3) * np.abs(np.array(operator("legs", "foh", 3).A))
        piece = np.array([1.0, 1.0, 0.0])
        assert np.allclose(late.kappa[0], piece + G @ piece + own @ (2 * piece + G @ piece), **CLOSE)

    def test_the_norms_are_those_of_weighted_coordinates(self):
        A, B = lmu(4, 0.5)
        step = majorant(operator("lmu", "zoh", A=A, B=B, dt=0.125, theta=0.5), 1)
        same = majorant(operator("legt", "zoh", 4, dt=0.125, theta=0.5), 1)
        assert np.allclose(step.K, same.K, **CLOSE)
        assert np.allclose(step.kappa, same.kappa, **CLOSE)
