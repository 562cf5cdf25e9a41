"""Majorants of single steps: the step itself solves its equation, and the bounds are those of the derivation."""

from fractions import Fraction

import numpy as np
import pytest
from bounds_tools import operator, scalar

from verify.bounds import Majorant, majorant

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)
GBT = {"euler": 0, "bilinear": HALF, "backward_euler": 1, "gbt(1/3)": THIRD, "gbt(0.75)": Fraction(3, 4)}
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def identity(op):
    return np.eye(op.order)


class TestTheStepItself:
    """``transition`` and ``inputs`` of the implicit rules, put into the equations of their definition."""

    @pytest.mark.parametrize("method", GBT)
    @pytest.mark.parametrize("k", [1, 2, 7])
    def test_generalized_bilinear_under_the_scale_law(self, method, k):
        op, a, h = operator("legs", method, 5), float(GBT[method]), 1 / k
        step, A, B = majorant(op, k), np.array(op.A), np.array(op.B)
        left = np.eye(5) - a * h * A
        assert np.allclose(left @ step.transition, np.eye(5) + (1 - a) * h * A, **CLOSE)
        assert np.allclose(left @ step.inputs[:, 0], h * B, **CLOSE)
        assert step.inputs.shape == (5, 2)
        assert (step.inputs[:, 1] == 0).all()
        assert (step.before == 0).all(), "it reads no earlier sample"

    @pytest.mark.parametrize("method", GBT)
    def test_generalized_bilinear_under_an_invariant_law(self, method):
        op, a, h = operator("legt", method, 4, dt=0.25), float(GBT[method]), 0.25
        step, A, B = majorant(op, 3), np.array(op.A), np.array(op.B)
        left = np.eye(4) - a * h * A
        assert np.allclose(left @ step.transition, np.eye(4) + (1 - a) * h * A, **CLOSE)
        assert np.allclose(left @ step.inputs[:, 0], h * B, **CLOSE)

    @pytest.mark.parametrize("method", ["bilinear", "gbt(1/3)", "zoh", "foh", "trapezoid", "hold(2)"])
    def test_only_the_ratios_of_times_count(self, method):
        """Timescale equivariance: LegS has no unit of time; and the even times are the ones it has by default."""
        times = (0.0, 1.0, 3.0, 3.5, 7.0)
        for scale in (0.25, 64.0):
            one, other = (operator("legs", method, 4, times=tuple(t * unit for t in times)) for unit in (1.0, scale))
            for k in (2, 3, 4):
                for part in Majorant.__dataclass_fields__:
                    first, second = (getattr(majorant(op, k), part) for op in (one, other))
                    assert np.allclose(first, second, rtol=1e-9, atol=1e-12), part
        shift = 1 if method == "zoh" else 0
        even = operator("legs", method, 4, times=tuple(float(k + shift) for k in range(6)))
        step, default = majorant(even, 5), majorant(operator("legs", method, 4), 5)
        assert np.allclose(step.transition, default.transition, **CLOSE)
        assert np.allclose(step.inputs, default.inputs, **CLOSE)

    @pytest.mark.parametrize(("then", "now"), [(1.0, 2.0), (4.0, 5.0), (3.0, 3.5), (2.0, 8.0)])
    def test_trapezoid_under_the_scale_law(self, then, now):
        """``c' = (A c + B f)/t``, its right side averaged between the ends of the step."""
        op = operator("legs", "trapezoid", 4, times=(0.0, then, now))
        step, A, B, d = majorant(op, 2), np.array(op.A), np.array(op.B), now - then
        left = np.eye(4) - d * A / (2 * now)
        assert np.allclose(left @ step.transition, np.eye(4) + d * A / (2 * then), **CLOSE)
        assert np.allclose(left @ step.inputs, np.stack([d * B / (2 * now), d * B / (2 * then)], axis=1), **CLOSE)

    def test_trapezoid_under_an_invariant_law_is_bilinear_with_the_mean_of_two_samples(self):
        step = majorant(operator("legt", "trapezoid", 4, dt=0.25), 1)
        bilinear = majorant(operator("legt", "bilinear", 4, dt=0.25), 1)
        assert np.allclose(step.transition, bilinear.transition, **CLOSE)
        assert np.allclose(step.K, bilinear.K, **CLOSE)
        for column in (0, 1):
            assert np.allclose(step.inputs[:, column], bilinear.inputs[:, 0] / 2, **CLOSE)
        for part in (step.kappa, step.before):
            assert np.allclose(part, bilinear.kappa / 2, **CLOSE)

    @pytest.mark.parametrize("order", [1, 2, 4])
    def test_trapezoid_starts_from_the_projection_of_the_first_linear_piece(self, order):
        """Of ``a + b x`` on [0, t] with values u_0, u_1: ``(u_0 + u_1)/2`` and ``(u_1 - u_0)/(2 sqrt 3)``."""
        step = majorant(operator("legs", "trapezoid", order), 1)
        expected = np.zeros((4, 2))
        expected[0], expected[1] = 0.5, (12**-0.5, -(12**-0.5))
        assert np.allclose(step.inputs, expected[:order], **CLOSE)
        assert not step.K.any()
        assert not step.transition.any()
        sums = np.array([1.0, 3**-0.5, 0.0, 0.0])[:order] + 1
        assert np.allclose(step.kappa, [sums, sums], **CLOSE)
        assert np.allclose(step.before, [sums, sums], **CLOSE)

    def test_in_its_coordinates_lmu_is_legt_with_signs(self):
        signs = np.array([1.0, -1.0, 1.0, -1.0])
        for method in (*GBT, "trapezoid", "zoh", "foh"):
            one, other = (majorant(operator(m, method, 4, dt=0.25), 1) for m in ("lmu", "legt"))
            assert np.allclose(one.transition, signs[:, None] * other.transition * signs, **CLOSE)
            assert np.allclose(one.inputs, signs[:, None] * other.inputs, **CLOSE)
            for part in ("K", "kappa", "before"):
                assert np.allclose(getattr(one, part), getattr(other, part), rtol=1e-9, atol=1e-12)

    def test_a_rule_that_nobody_derived_is_refused(self):
        with pytest.raises(ValueError, match=r"^no rounding bound is derived for method 'leapfrog'$"):
            majorant(scalar("leapfrog", -1.0), 1)


class TestTheBounds:
    @pytest.mark.parametrize("measure", ["legs", "legt", "lmu", "lagt"])
    @pytest.mark.parametrize("method", [*GBT, "trapezoid", "zoh", "foh", "hold(2)"])
    def test_forward_is_the_size_of_the_exact_step_and_backward_is_no_less(self, measure, method):
        step = majorant(operator(measure, method, 6, dt=None if measure == "legs" else 0.125), 3)
        slack = 1 + 1e-12
        if method in GBT or method == "trapezoid":
            assert np.allclose(step.K[0], np.abs(step.transition), **CLOSE)
            assert np.allclose(step.kappa[0], np.abs(step.inputs[:, 0]), **CLOSE)
            assert np.allclose(step.before[0], np.abs(step.inputs[:, 1]), **CLOSE)
        for part in (step.K, step.kappa, step.before):
            assert (part[0] <= part[1] * slack).all()
        assert (np.abs(step.transition) <= step.K[0] * slack).all()

    @pytest.mark.parametrize("k", [1, 2, 9])
    @pytest.mark.parametrize("method", GBT)
    def test_of_order_one_all_is_a_fraction(self, method, k):
        """``m c' = r c + q u``: W = m; K is ``|r/m|`` and ``(|r| + 1 + (1-a) h 3)/m``, kappa ``|q/m|`` and twice it."""
        a, h = Fraction(GBT[method]), Fraction(1, k)
        m, r, q = 1 + a * h * 3, 1 - (1 - a) * h * 3, h * Fraction(5, 4)
        step = majorant(scalar(method, -3.0, 1.25), k)
        assert step.transition[0, 0] == pytest.approx(float(r / m), rel=1e-14)
        apart = 1 + (1 - a) * h * 3  # identity and operator, where they do not cancel: c + h (A c + B u) is a step too
        assert step.K.ravel() == pytest.approx([float(abs(r / m)), float((abs(r) + apart) / m)], rel=1e-14)
        assert step.kappa.ravel() == pytest.approx([float(q / m), float(2 * q / m)], rel=1e-14)

    def test_a_factorisation_that_grows_is_paid_for(self):
        """``M = [[1, 1], [1, -1]] = L U`` with ``|L| |U| = [[1, 1], [1, 3]]`` above |M|; all else in whole numbers."""
        A, B = [[0.0, -1.0], [-1.0, 2.0]], [1.0, 0.0]  # M = I - A at dt = 2, R = I + A = [[1, -1], [-1, 3]]
        step = majorant(operator("custom", "bilinear", A=A, B=B, dt=2.0), 1)
        assert step.transition.tolist() == [[0, 1], [1, -2]]  # G = M^-1 R, |M^-1| = 1/2 everywhere
        assert step.inputs[:, 0].tolist() == [1, 1]  # g = M^-1 (2, 0)
        # W |G| + |R| = [[1, 3], [3, 7]] + [[1, 1], [1, 3]]; W |g| + |q| = (2, 4) + (2, 0)
        assert step.K.tolist() == [[[0, 1], [1, 2]], [[3, 7], [3, 7]]]
        assert step.kappa.tolist() == [[1, 1], [4, 4]]
        halves = majorant(operator("custom", "trapezoid", A=A, B=B, dt=2.0), 1)
        assert halves.K.tolist() == step.K.tolist()
        assert halves.kappa.tolist() == halves.before.tolist() == [[0.5, 0.5], [2, 2]]
        explicit = majorant(operator("custom", "euler", A=A, B=B, dt=2.0), 1)  # M = I, R = I + 2 A, q = (2, 0)
        assert explicit.K.tolist() == [[[1, 2], [2, 5]], [[2, 4], [4, 10]]]
        assert explicit.kappa.tolist() == [[2, 0], [4, 0]]

    def test_a_step_that_cancels_may_still_round_beside_its_state(self):
        """LegS, Euler, order 1, k = 1: ``c + (-c + u)`` is u exactly, but rounded beside c."""
        step = majorant(operator("legs", "euler", 1), 1)
        assert step.transition.tolist() == [[0]]
        assert step.K.tolist() == [[[0]], [[2]]]

    def test_it_grows_with_the_condition_of_the_step(self):
        """The backward version, not the forward one, pays for a step that is hard to solve."""
        mild, stiff = (majorant(operator("legs", "bilinear", 24), k) for k in (1000, 1))
        excess = [float(np.linalg.norm(step.K[1]) / np.linalg.norm(step.K[0])) for step in (mild, stiff)]
        assert excess[0] < 4
        assert excess[1] > 40


class TestWhatIsKept:
    @pytest.mark.parametrize(("method", "reach"), [("bilinear", 0), ("zoh", 0), ("foh", 1), ("hold(3)", 3)])
    def test_an_invariant_law_has_one_step_for_all_that_read_as_many_samples(self, method, reach):
        op = operator("legt", method, 3, dt=0.25)
        late = majorant(op, max(reach, 1))
        assert majorant(op, 50) is late
        assert majorant(op, 0) is majorant(op, 1)
        for k in range(1, reach):
            assert majorant(op, k) is not majorant(op, k + 1)
            assert majorant(op, k).inputs.shape[1] == max(k + 1, 2)

    def test_the_scale_law_has_one_for_each_index(self):
        op = operator("legs", "bilinear", 3)
        assert majorant(op, 4) is majorant(op, 4)
        assert majorant(op, 4).transition[0, 0] != majorant(op, 5).transition[0, 0]
        again = operator("legs", "bilinear", 3)
        assert majorant(again, 4) is not majorant(op, 4)
