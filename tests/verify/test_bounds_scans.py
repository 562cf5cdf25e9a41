"""Limits on steps and scans: sums of majorants by hand, invariances, and what float32 really loses."""

import math

import numpy as np
import pytest
from bounds_tools import operator, scalar

from verify.bounds import (
    EVALUATION,
    LARGEST,
    SECOND_ORDER,
    SMALLEST_NORMAL,
    Limits,
    floor,
    forget,
    gamma,
    majorant,
    scan_limits,
    step_limits,
)
from verify.bounds.scans import _earlier, _limits, _norms, _reach, _steps

G1 = gamma(30, "float32")
"""gamma_p of order 1: p = 6 + 24."""
TIGHT = {"rel": 1e-12, "abs": 0}
INF = math.inf


def exactly(op, samples, start=None):
    """States of the recurrence in float64, far more exact than any limit in float32."""
    D, states, state = op.weights, [], np.zeros(op.order)
    for k, sample in enumerate(samples):
        if k == 0 and op.dt is None:
            state[0] = sample
        elif k or not op.starts_silent:
            step = majorant(op, max(k, 1))
            read = [samples[k - i] if k >= i else 0.0 for i in range(step.inputs.shape[1])]
            state = step.transition @ state + step.inputs @ np.array(read)
        states.append(state / D)
    return np.array(states)


def both(limits):
    return np.stack([limits.forward, limits.backward], axis=-1) / EVALUATION


class TestFloor:
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_each_of_the_roundings_of_a_step_may_underflow(self, dtype):
        assert floor(operator("legs", "zoh", 3), dtype) == SMALLEST_NORMAL[dtype] * (6 * 3 + 24)
        # In the coordinates of LMU an error in one coefficient weighs up to 3 times what it does in another, at N = 5.
        assert floor(operator("lmu", "zoh", 5), dtype) == pytest.approx(
            SMALLEST_NORMAL[dtype] * 54 * 3, rel=1e-14, abs=0
        )

    def test_a_silent_scan_may_underflow_once_a_step(self):
        op = scalar("backward_euler", -1.0)
        found = both(scan_limits(op, np.zeros(4), np.zeros((4, 1)), "float32"))
        least = floor(op, "float32")
        assert found[:, 0] == pytest.approx([least, 2 * least, 3 * least, 4 * least], **TIGHT)
        # Backward, each of the later may be multiplied by |K| = 2 k/(k+1) on the way through the solve.
        assert found[:, 1] == pytest.approx(np.cumsum([1, 1 + 1, 1 + 4 / 3, 1 + 3 / 2]) * least, rel=1e-4, abs=0)


class TestStep:
    def test_the_first_sample_of_legs_is_copied(self):
        op = operator("legs", "bilinear", 2)
        found = both(step_limits(op, np.zeros(2), -3.0, np.array([-3.0, 0.0]), 0, "float32"))
        assert found.shape == (2,)
        assert found == pytest.approx([gamma(36, "float32") * 3] * 2, **TIGHT)

    @pytest.mark.parametrize("k", [1, 4])
    def test_of_order_one_it_is_a_sum_of_three(self, k):
        """Backward Euler on LegS: c' = (k c + u)/(k+1); K and kappa are that, and twice that."""
        op, state, sample = scalar("backward_euler", -1.0), 5.0, -2.0
        after = (k * state + sample) / (k + 1)
        sizes = (k * state + abs(sample)) / (k + 1)
        found = both(step_limits(op, np.array([-state]), sample, np.array([after]), k, "float32"))
        assert found == pytest.approx([G1 * (sizes + after), G1 * (2 * sizes + after)], **TIGHT)

    def test_of_order_two_it_is_a_norm_of_majorants(self):
        """The whole numbers of the growing factorisation in `test_bounds_steps`."""
        A, B = [[0.0, -1.0], [-1.0, 2.0]], [1.0, 0.0]
        op = operator("legs", "bilinear", A=A, B=B, dt=2.0)
        found = both(step_limits(op, np.array([1.0, -2.0]), 3.0, np.array([1.0, -2.0]), 5, "float32"))
        unit = gamma(36, "float32")
        # |G| |c| + |g| |u| = (2, 5) + (3, 3); K |c| + kappa |u| = (3 + 14, 3 + 14) + (12, 12)
        expected = [unit * (math.hypot(5, 8) + math.sqrt(5)), unit * (29 * math.sqrt(2) + math.sqrt(5))]
        assert found == pytest.approx(expected, **TIGHT)

    def test_underflow_counts_once_and_once_more_through_the_step(self):
        op = operator("legs", "bilinear", A=[[0.0, -1.0], [-1.0, 2.0]], B=[1.0, 0.0], dt=2.0)
        found = both(step_limits(op, np.zeros(2), 0.0, np.zeros(2), 5, "float32"))
        frobenius = [math.sqrt(0 + 1 + 1 + 4), math.sqrt(9 + 49 + 9 + 49)]
        assert found == pytest.approx([floor(op, "float32") * (1 + x) for x in frobenius], **TIGHT)
        start = both(step_limits(scalar("zoh", -1.0), np.zeros(1), 0.0, np.zeros(1), 0, "float32"))
        assert start == pytest.approx([floor(scalar("zoh", -1.0), "float32")] * 2, **TIGHT)

    @pytest.mark.parametrize("method", ["foh", "trapezoid", "hold(2)"])
    def test_a_rule_that_reads_more_than_one_sample_has_no_limits_of_a_step(self, method):
        with pytest.raises(ValueError, match=r"reads more than one sample: take the limits of a scan$"):
            step_limits(operator("legs", method, 2), np.ones(2), 1.0, np.ones(2), 3, "float64")

    @pytest.mark.parametrize("method", ["bilinear", "zoh", "euler"])
    def test_lmu_has_the_limits_of_legt(self, method):
        """The norm undoes the scaling, so limits on the same memory are the same."""
        one, other = (operator(m, method, 4, dt=0.25) for m in ("lmu", "legt"))
        state, after = np.array([1.0, -0.5, 0.25, 2.0]), np.array([0.5, 0.5, 1.0, -1.0])
        first = step_limits(one, state / one.weights, 0.75, after / one.weights, 3, "float32")
        second = step_limits(other, state, 0.75, after, 3, "float32")
        assert both(first) == pytest.approx(both(second), rel=1e-9, abs=0)

    @pytest.mark.parametrize("part", ["state", "sample", "after"])
    def test_near_the_end_of_the_range_nothing_is_decided(self, part):
        """Sums of N products of sizes up to N times the state: a step needs a room of 8 N^2."""
        op, edge = operator("legs", "bilinear", 2), LARGEST["float32"] / 32
        for size, finite in ((0.999 * edge, True), (1.001 * edge, False), (INF, False), (math.nan, False)):
            state, sample, after = np.zeros(2), 0.0, np.zeros(2)
            if part == "state":
                state[1] = size
            elif part == "after":
                after[1] = size
            else:
                sample = size
            for k in (0, 3):
                with np.errstate(all="ignore"):
                    limits = step_limits(op, state, sample, after, k, "float32")
                assert np.isfinite(limits.forward) == np.isfinite(limits.backward) == finite, (size, k)

    @pytest.mark.parametrize("part", ["state", "after"])
    def test_near_the_end_of_the_range_sizes_are_weighed(self, part):
        """The last coefficient of LMU at N = 5 counts a third."""
        op, edge = operator("lmu", "bilinear", 5, dt=0.25), 3 * LARGEST["float32"] / 200
        for size, finite in ((0.99 * edge, True), (1.01 * edge, False)):
            state, after = np.zeros(5), np.zeros(5)
            (state if part == "state" else after)[4] = size
            assert np.isfinite(step_limits(op, state, 0.0, after, 3, "float32").forward) == finite


class TestEarlier:
    @pytest.mark.parametrize(
        ("reach", "expected"),
        [(0, [0, 0, 0, 0]), (1, [0, 1, 5, 2]), (2, [0, 1, 5, 5]), (3, [0, 1, 5, 5]), (9, [0, 1, 5, 5])],
    )
    def test_it_is_the_largest_of_those_read_before(self, reach, expected):
        assert _earlier(np.array([1.0, 5.0, 2.0, 3.0]), reach).tolist() == expected

    def test_of_equally_many_it_sees_all(self):
        assert _earlier(np.array([7.0, 1.0, 1.0, 1.0, 1.0]), 3).tolist() == [0, 7, 7, 7, 1]


class TestScanByHand:
    def test_backward_euler_on_a_constant(self):
        """All states are 1. Forward, a step loses ``gamma (|G| + |g| + |c|) = 2 gamma`` and the start gamma.

        Backward it is ``gamma (2 + 1)``, and what was lost passes through ``K_k = 2k/(k+1)`` once more.
        """
        op, length = scalar("backward_euler", -1.0), 6
        found = both(scan_limits(op, np.ones(length), np.ones((length, 1)), "float32"))
        assert found[:, 0] == pytest.approx([(2 * k + 1) * G1 for k in range(length)], **TIGHT)
        error, expected = 0.0, []
        for k in range(length):
            error += G1 if k == 0 else G1 * (3 + error * 2 * k / (k + 1))
            expected.append(error)
        assert found[:, 1] == pytest.approx(expected, **TIGHT)

    def test_signs_do_not_cancel(self):
        op = scalar("backward_euler", -1.0)
        samples = np.array([1.0, -1.0, 1.0, -1.0])
        states = np.array([[1.0], [0.0], [1 / 3], [0.0]])
        found = both(scan_limits(op, samples, states, "float32"))
        # K |c| + kappa |u| + |c'|: (1/2 + 1/2 + 0), (0 + 1/3 + 1/3), (1/4 + 1/4 + 0)
        assert found[:, 0] == pytest.approx(np.cumsum([1, 1, 2 / 3, 1 / 2]) * G1, **TIGHT)

    @pytest.mark.parametrize("method", ["trapezoid", "foh"])
    def test_nodes_under_an_invariant_law_start_from_nothing(self, method):
        """State 0 is zero, whatever its sample; that sample is read by the next step as the one before."""
        op = scalar(method, -1.0, 1.0, dt=0.5, measure="legt")
        samples = np.array([8.0, 1.0, 0.0])
        step, states = majorant(op, 1), exactly(op, samples)
        found = both(scan_limits(op, samples, states, "float32"))
        first, second = states[1:, 0]
        assert found[0] == pytest.approx([floor(op, "float32")] * 2, **TIGHT)
        own = [step.kappa[:, 0] * 1 + step.before[:, 0] * 8 + first]
        own.append(step.K[:, 0, 0] * first + step.before[:, 0] * 1 + second)
        assert found[1] == pytest.approx(G1 * own[0], rel=1e-9, abs=0)
        expected = G1 * (own[0] + own[1] + SECOND_ORDER * step.K[:, 0, 0] * G1 * own[0])
        assert found[2] == pytest.approx(expected, rel=1e-9, abs=0)

    def test_cells_under_an_invariant_law_read_their_first_sample(self):
        op = scalar("backward_euler", -1.0, 1.0, dt=1.0, measure="legt")  # c' = (c + u)/2
        found = both(scan_limits(op, np.array([4.0, 0.0]), np.array([[2.0], [1.0]]), "float32"))
        assert found[0] == pytest.approx([G1 * 4, G1 * 6], **TIGHT)  # kappa u + c' = 2 + 2, backward 4 + 2
        assert found[1] == pytest.approx([G1 * 6, G1 * 9 + G1**2 * 6], **TIGHT)  # + K c + c' = 1 + 1, 2 + 1

    def test_a_parabola_reads_two_samples_before(self):
        op = scalar("hold(2)", -1.0)
        steps = [majorant(op, k) for k in (1, 2, 3)]
        samples = np.array([4.0, 2.0, 1.0, 0.0])
        states = exactly(op, samples)
        found = both(scan_limits(op, samples, states, "float32"))[:, 0]
        expected, earlier = [G1 * 4], [4.0, 4.0, 2.0]
        for k, step in enumerate(steps, start=1):
            local = step.K[0, 0, 0] * abs(states[k - 1, 0]) + step.kappa[0, 0] * samples[k]
            local += step.before[0, 0] * earlier[k - 1]
            expected.append(expected[-1] + G1 * (local + abs(states[k, 0])))
        assert found == pytest.approx(expected, rel=1e-9, abs=0)

    @pytest.mark.parametrize("rate", [2.0, -5.0])
    def test_without_a_contraction_errors_are_carried_by_the_products_of_transitions(self, rate):
        """``c' = G c + g u`` with G = 1 + rate: what was lost at j is multiplied by ``|G|^(k-j)``."""
        op, G = scalar("euler", rate, 1.0, dt=1.0, measure="legt"), 1 + rate
        samples = np.array([1.0, 0.0, 0.0, 0.0])
        states = np.array([[G**k] for k in range(4)])
        found = both(scan_limits(op, samples, states, "float32"))
        size = abs(G)
        own = [G1 * 2] + [G1 * 2 * size**k for k in range(1, 4)]  # kappa + c' = 1 + 1, then K c + c'
        forward = [sum(size ** (k - j) * own[j] for j in range(k + 1)) for k in range(4)]
        assert found[:, 0] == pytest.approx(forward, **TIGHT)
        added, backward = [], []
        for k in range(4):
            last = backward[-1] if k else 0.0
            K = size + 1 + abs(rate)  # G, and identity and rate apart
            added.append(G1 * ((K * size ** (k - 1) if k else 2) + size**k + K * last))
            backward.append(sum(size ** (k - j) * added[j] for j in range(k + 1)))
        assert found[:, 1] == pytest.approx(backward, **TIGHT)


class TestScanFromSteps:
    """A scan is made of steps: its limits are the sums of theirs."""

    @pytest.mark.parametrize(
        ("measure", "method", "dt"),
        [("legs", "bilinear", None), ("legs", "zoh", None), ("legs", "gbt(0.75)", None), ("legt", "bilinear", 0.125),
         ("lmu", "zoh", 0.125), ("lagt", "backward_euler", 0.25)],
    )  # fmt: skip
    def test_errors_of_a_contraction_add(self, measure, method, dt):
        op = operator(measure, method, 6, dt=dt)
        samples = np.array([1.0, -0.5, 0.25, 3.0, 0.0, 2.0, -1.0])
        states = exactly(op, samples)
        found = both(scan_limits(op, samples, states, "float32"))
        before, error = np.zeros(6), np.zeros(2)
        for k, sample in enumerate(samples):
            own = both(step_limits(op, before, sample, states[k], k, "float32"))
            if k or dt is not None:
                norm_K = np.linalg.norm(majorant(op, max(k, 1)).K[1])
                own = own + SECOND_ORDER * op.gamma("float32") * norm_K * error
            error, before = error + own, states[k]
            assert found[k] == pytest.approx(error, rel=1e-9, abs=0)

    @pytest.mark.parametrize("method", ["bilinear", "zoh", "foh", "trapezoid", "hold(2)", "euler"])
    @pytest.mark.parametrize("measure", ["legs", "legt", "lmu"])
    def test_limits_scale_with_the_data_and_with_the_precision(self, measure, method):
        op = operator(measure, method, 4, dt=None if measure == "legs" else 0.125)
        samples = np.array([1.0, -0.5, 0.25, 3.0, 0.0, 2.0])
        states = exactly(op, samples)
        one = both(scan_limits(op, samples, states, "float32"))
        for factor in (2.0**-40, -8.0, 2.0**60):
            other = both(scan_limits(op, factor * samples, factor * states, "float32"))
            assert other[1:] == pytest.approx(abs(factor) * one[1:], rel=1e-9, abs=0)  # state 0 may be silent
        assert (one[:, 0] <= one[:, 1]).all()
        # u is 2^29 times smaller; what is of second order shrinks by as much again.
        fine = both(scan_limits(op, samples, states, "float64"))[1:]
        assert fine[:, 0] * 2.0**29 == pytest.approx(one[1:, 0], rel=1e-5, abs=0)
        assert (fine[:, 1] * 2.0**29 <= one[1:, 1] * (1 + 1e-9)).all()

    def test_samples_of_any_kind_are_read_in_full(self):
        op, samples = operator("legs", "bilinear", 4), [3, -1, 7, 2]
        states = exactly(op, samples)
        one = both(scan_limits(op, samples, states, "float64"))
        for kind in (np.float32, np.float64, np.int8):
            assert (both(scan_limits(op, np.array(samples, dtype=kind), states, "float64")) == one).all()

    def test_a_longer_scan_starts_like_a_shorter_one(self):
        for method in ("zoh", "euler", "trapezoid"):
            op = operator("legs", method, 4)
            samples = np.array([1.0, -0.5, 0.25, 3.0, 0.0, 2.0])
            states = exactly(op, samples)
            whole, part = (both(scan_limits(op, samples[:n], states[:n], "float32")) for n in (6, 4))
            assert (whole[:4] == part).all()

    def test_lmu_has_the_limits_of_legt(self):
        for method in ("bilinear", "foh", "euler"):
            one, other = (operator(m, method, 5, dt=0.125) for m in ("lmu", "legt"))
            samples = np.array([1.0, -0.5, 0.25, 3.0])
            first, second = (both(scan_limits(op, samples, exactly(op, samples), "float32")) for op in (one, other))
            # The least sizes differ in what may underflow alone.
            assert first == pytest.approx(second, rel=1e-6, abs=1e-30)

    @pytest.mark.parametrize("where", ["sample", "state"])
    def test_near_the_end_of_the_range_nothing_is_decided_from_there_on(self, where):
        op, samples, states = operator("legt", "bilinear", 2, dt=0.125), np.zeros(4), np.zeros((4, 2))
        (samples if where == "sample" else states[:, 1])[2] = INF
        limits = scan_limits(op, samples, states, "float32")
        assert np.isfinite(limits.forward).tolist() == [True, True, False, False]
        assert np.isfinite(limits.backward).tolist() == [True, True, False, False]
        states[:], samples[:] = 0.0, 0.0
        states[2, 1] = LARGEST["float32"] / 32 * 1.001
        assert np.isfinite(scan_limits(op, samples, states, "float32").forward).tolist() == [True, True, False, True]
        states[2, 1] *= 0.997
        assert np.isfinite(scan_limits(op, samples, states, "float32").forward).all()

    def test_products_that_leave_the_range_decide_nothing(self):
        op = operator("legt", "euler", 4, dt=1e80)
        limits = scan_limits(op, np.ones(8), np.ones((8, 4)), "float64")
        assert np.isfinite(limits.forward[0])
        assert (limits.forward[5:] == INF).all()


class TestPieces:
    def test_limits_are_infinite_together_and_cover_their_own_evaluation(self):
        bounds = np.array([[1.0, 2.0], [3.0, 2.0], [INF, 1.0], [1.0, INF], [math.nan, 1.0]])
        limits = _limits(bounds, np.zeros(5), "float32", 1)
        assert isinstance(limits, Limits)
        assert limits.forward.tolist() == [EVALUATION, 3 * EVALUATION, INF, EVALUATION, INF]
        assert limits.backward.tolist() == [2 * EVALUATION, 3 * EVALUATION, INF, INF, INF]
        largest = np.array(1.79e308)
        assert _limits(np.stack([largest, largest]), largest, "float64", 1).forward == INF, "and no warning"

    @pytest.mark.parametrize(("order", "dtype"), [(1, "float32"), (3, "float32"), (3, "float64")])
    def test_room_is_what_size_and_limit_leave_of_the_range(self, order, dtype):
        edge = LARGEST[dtype] / (8 * order**2)
        for size, bound in ((0.5, 0.49), (0.99, 0.0), (0.0, 0.99)):
            assert np.isfinite(_limits(np.array([bound * edge] * 2), np.array(size * edge), dtype, order).forward)
        for size, bound in ((0.5, 0.51), (1.01, 0.0), (0.0, 1.01), (1.0, 0.0)):
            assert _limits(np.array([bound * edge] * 2), np.array(size * edge), dtype, order).forward == INF

    def test_norms_bound_the_spectral_norm_from_either_side(self):
        """Frobenius is exact for rank one; sqrt(1-norm times inf-norm) for a permutation."""
        stack = np.array([[[2.0, 4.0], [1.0, 2.0]], [[0.0, -1.0], [1.0, 0.0]], [[1.0, 2.0], [-3.0, 4.0]]])
        assert _norms(stack) == pytest.approx([5.0, 1.0, math.sqrt(30)], rel=1e-14, abs=0)
        for order in (1, 2, 5, 16):
            stack = np.random.default_rng(order).standard_normal((20, order, order))
            exact, found = np.linalg.norm(stack, 2, axis=(1, 2)), _norms(stack)
            assert (found >= exact * (1 - 1e-12)).all()
            assert (found <= exact * math.sqrt(order) * (1 + 1e-12)).all()

    def test_reach_is_the_norm_of_each_product(self):
        op = operator("legs", "euler", 3)
        found = _reach(op, 5)
        for k in range(5):
            for j in range(5):
                product = np.eye(3)
                for i in range(j + 1, k + 1):
                    product = majorant(op, i).transition @ product
                expected = _norms(product[None])[0] if j <= k else 0.0
                assert found[k, j] == pytest.approx(expected, rel=1e-12, abs=0)

    def test_steps_are_stacked(self):
        for op in (
            operator("legs", "foh", 3),
            operator("legt", "hold(2)", 3, dt=0.25),
            operator("legt", "foh", 3, 0.25),
        ):
            K, kappa, before, norms = _steps(op, 5)
            assert [part.shape for part in (K, kappa, before, norms)] == [(5, 2, 3, 3), (5, 2, 3), (5, 2, 3), (5, 2)]
            for k in range(1, 5):
                step = majorant(op, k)
                assert (K[k] == step.K).all()
                assert (kappa[k] == step.kappa).all()
                assert (before[k] == step.before).all()
                assert norms[k] == pytest.approx([np.linalg.norm(K[k, 0]), np.linalg.norm(K[k, 1])], rel=1e-14, abs=0)

    def test_of_an_invariant_law_one_step_stands_for_all(self):
        """A long scan must not cost memory in proportion to its length."""
        for part in _steps(operator("legt", "foh", 3, dt=0.25), 10**6):
            assert part.strides[0] == 0

    def test_all_that_is_kept_is_forgotten(self):
        op = operator("legt", "zoh", 3, dt=0.25)
        step, steps, reach = majorant(op, 1), _steps(op, 3), _reach(op, 3)
        assert (majorant(op, 1), _steps(op, 3), _reach(op, 3)) == (step, steps, reach)
        forget()
        assert majorant(op, 1) is not step
        assert _steps(op, 3) is not steps
        assert _reach(op, 3) is not reach


def noise(length):
    return np.random.default_rng(5).integers(-64, 65, length) / 64.0


def dense32(op, samples):
    """Discrete matrices formed in float64, rounded, applied in float32: the forward model of a step."""
    D, states, state = op.weights, [], np.zeros(op.order, dtype=np.float32)
    for k, sample in enumerate(samples):
        if k == 0 and op.dt is None:
            state[0] = np.float32(sample)
        elif k or not op.starts_silent:
            step = majorant(op, max(k, 1))
            G = (step.transition * D[None, :] / D[:, None]).astype(np.float32)
            read = [samples[k - i] if k >= i else 0.0 for i in range(step.inputs.shape[1])]
            inputs = (step.inputs / D[:, None]).astype(np.float32)
            state = G @ state + inputs @ np.array(read, dtype=np.float32)
        states.append(state.copy())
    return np.array(states, dtype=np.float64)


def solved32(op, samples):
    """Every step of a generalized bilinear rule formed and solved in float32."""
    a, one = np.float32({"bilinear": 0.5, "backward_euler": 1.0, "euler": 0.0}[op.method]), np.float32(1)
    A, B, identity = np.array(op.A, np.float32), np.array(op.B, np.float32), np.eye(op.order, dtype=np.float32)
    states, state = [], np.zeros(op.order, dtype=np.float32)
    for k, sample in enumerate(samples.astype(np.float32)):
        if k == 0 and op.dt is None:
            state[0] = sample
        else:
            h = np.float32(1 / k) if op.dt is None else np.float32(op.dt)
            right = (identity + (one - a) * h * A) @ state + h * B * sample
            state = np.linalg.solve(identity - a * h * A, right)
        states.append(state.copy())
    assert state.dtype == np.float32
    return np.array(states, dtype=np.float64)


class TestFloats:
    """What float32 really loses stays within the limits, and the limits are no more than they have to be."""

    CASES = (("legs", "bilinear", None), ("legs", "backward_euler", None), ("legs", "zoh", None), ("legs", "foh", None),
             ("legs", "trapezoid", None), ("legs", "hold(2)", None), ("legt", "bilinear", 0.125), ("lmu", "zoh", 0.125),
             ("legt", "foh", 0.125), ("lagt", "trapezoid", 0.25), ("legt", "hold(3)", 0.125))  # fmt: skip

    @pytest.mark.parametrize(("measure", "method", "dt"), CASES)
    @pytest.mark.parametrize("order", [1, 8])
    def test_products_with_discrete_matrices_keep_the_forward_limit(self, measure, method, dt, order):
        """A step makes p = 6N + 24 roundings in the worst case and a few in fact, of either sign, and the holds of LegS
        are allowed to add and subtract the held piece. Of a limit over L steps, at least 1/(24 p L) is reached.
        """
        op, samples = operator(measure, method, order, dt=dt), noise(24)
        states = exactly(op, samples)
        limits = scan_limits(op, samples, states, "float32")
        error = np.linalg.norm((dense32(op, samples) - states) * op.weights, axis=1)
        assert (error <= limits.forward).all()
        assert error.max() >= limits.forward.max() / (24 * op.roundings * len(samples))

    @pytest.mark.parametrize(("measure", "dt"), [("legs", None), ("legt", 0.125), ("legt", 4.0), ("lmu", 0.125)])
    @pytest.mark.parametrize("method", ["bilinear", "backward_euler"])
    @pytest.mark.parametrize("order", [1, 8, 24])
    def test_solves_keep_the_backward_limit(self, measure, dt, method, order):
        op, samples = operator(measure, method, order, dt=dt), noise(24)
        states = exactly(op, samples)
        limits = scan_limits(op, samples, states, "float32")
        error = np.linalg.norm((solved32(op, samples) - states) * op.weights, axis=1)
        assert (error <= limits.backward).all()

    def test_forward_euler_loses_what_its_limit_says_and_recovers_with_it(self):
        """Looser by N than a contraction: norms of absolute values, and of products, are bounded within sqrt(N)."""
        op, samples = operator("legs", "euler", 16), noise(40)
        states = exactly(op, samples)
        limits = scan_limits(op, samples, states, "float32")
        error = np.linalg.norm(solved32(op, samples) - states, axis=1)
        assert (error <= limits.forward).all()
        worst = int(np.argmax(error))
        assert error[worst] > 1, "nothing is left of a signal of size 1"
        assert error[-1] < 1e-2 * error[worst]
        assert limits.forward[-1] < 1e-2 * limits.forward[worst]
        assert error[worst] >= limits.forward[worst] / (24 * op.roundings * len(samples) * op.order)

    def test_one_step_by_either_way(self):
        op, state = operator("legs", "bilinear", 16), noise(16)
        step = majorant(op, 3)
        after = step.transition @ state + step.inputs[:, 0] * 0.5
        limits = step_limits(op, state, 0.5, after, 3, "float32")
        single = (
            step.transition.astype(np.float32) @ state.astype(np.float32) + step.inputs[:, 0].astype(np.float32) / 2
        )
        error = np.linalg.norm(single - after)
        assert limits.forward / (8 * op.roundings) <= error <= limits.forward <= limits.backward

    @pytest.mark.parametrize("method", ["bilinear", "zoh"])
    def test_a_small_defect_is_beyond_both(self, method):
        """An entry of A off by a thousandth in float32 is no rounding."""
        op, samples = operator("legs", method, 8), noise(24)
        A = np.array(op.A)
        A[3, 2] *= 1 + 1e-3
        wrong = exactly(operator("legs", method, A=A, B=op.B), samples)
        states = exactly(op, samples)
        error = np.linalg.norm(wrong - states, axis=1)
        limits = scan_limits(op, samples, states, "float32")
        assert (error > limits.forward).any()
