"""Batches, resumed runs, timestamps, precisions, gates, sums and repeated calls: what each check finds, and alone."""

from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from verify.adapters import ADAPTERS
from verify.adapters.own import Own
from verify.boundary import to_mpf
from verify.bounds import carried, step_limits
from verify.campaign import verdicts_of
from verify.candidates import right_model
from verify.case import Case
from verify.cases import METHODS, make_case, reads_nodes
from verify.checks import CHECKS, QUICK, SUITES
from verify.checks.batch import COUNTS, MOST_DRAWN, distinct
from verify.checks.gating import gate
from verify.checks.stream_base import run_from
from verify.checks.timed import OTHER_UNIT, UNITS
from verify.defects import DEFECTS
from verify.folders import cache_folder
from verify.oracle import Oracle
from verify.result import LiveTarget, Target
from verify.verdict import Status

SMALL = replace(QUICK, examples=3, length=16)
MEASURES = ("legs", "legt", "lmu", "lagt", "fout", "legs_lti", "chebt")

ALONE = {
    "batch": ("streams_run_on", "batch_scan"),
    "restart": ("clock_restarts", "resume"),
    "parity": ("bfloat16_path", "scan"),
    "gating": ("squeezed_order_one", "scan"),
    "timed": ("gap_clamped", "timed_scan"),
    "linearity": ("late_safety_net", "scan"),
    "determinism": ("dithered", "scan"),
}
"""A defect of each check that no other check finds, and the level it is shown at."""


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


def model(case, oracle):
    return LiveTarget(lambda asked: right_model(asked, oracle), bind=True, name="model")


def run(key, case, oracle, target=None, suite=SMALL):
    return CHECKS[key].run(case, oracle, target or model(case, oracle), suite)


def rules(key, level, measures=("legs", "legt")):
    for measure in measures:
        for method in METHODS:
            if method in ("trapezoid", "foh") and measure != "legs":
                continue
            case = make_case("model", measure, order=4, method=method, level=level)
            if CHECKS[key].why_not(case) is None:
                yield pytest.param(key, case, id=f"{key}-{level}-{measure}-{method}")


CELLS = [
    *rules("batch", "batch_scan"),
    *rules("restart", "resume"),
    *rules("restart", "step"),
    *rules("timed", "timed_scan", ("legs",)),
    *rules("parity", "scan"),
    *rules("gating", "step", MEASURES),
    *rules("determinism", "timed_scan", ("legs",)),
    *rules("determinism", "resume", ("legs",)),
]


@pytest.mark.parametrize(("key", "case"), CELLS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_right_model_passes_under_every_rule(key, case, dtype, oracle):
    verdict = run(key, replace(case, dtype=dtype), oracle)
    assert verdict.status is Status.PASS, verdict.message
    assert verdict.compared > 0


@pytest.mark.parametrize(("key", "case"), CELLS)
def test_every_mutant_fails_under_every_rule(key, case, oracle):
    check = CHECKS[key]
    assert check.mutants(case)
    for defect in check.mutants(case):
        verdict = run(key, case, oracle, defect.target(case, oracle))
        assert verdict.status is Status.FAIL, f"{defect.key}: {verdict.status} {verdict.message}"


@pytest.mark.parametrize(("key", "shown"), ALONE.items(), ids=ALONE)
def test_each_check_finds_what_no_other_check_finds(key, shown, oracle):
    defect, level = DEFECTS[shown[0]], shown[1]
    case = make_case("model", "legs", order=defect.order, method="bilinear", level=level)
    assert defect.applies(case)
    found = set()
    for check in CHECKS:
        verdicts = verdicts_of(case, defect.target(case, oracle), oracle, QUICK, [check])
        found |= {v.check for v in verdicts if v.status in (Status.FAIL, Status.ERROR)}
    assert found == {key}


def test_a_kept_table_of_a_larger_order_is_found_by_determinism_alone(oracle):
    defect = DEFECTS["largest_order_kept"]
    case = make_case("model", "legt", order=6, level="scan")
    for key, status in (("determinism", Status.FAIL), ("scan", Status.PASS)):
        assert run(key, case, oracle, defect.target(case, oracle)).status is status


class TestGates:
    """Claim 7, against the exact step of the reference and against the published forms."""

    @pytest.mark.parametrize("measure", MEASURES)
    @pytest.mark.parametrize("method", ["bilinear", "backward_euler", "euler", "zoh", "gbt(1/3)"])
    def test_the_closed_form_is_the_exact_step_at_order_one(self, measure, method, oracle):
        case = make_case("g", measure, order=1, method=method, level="step")
        A, B = oracle.system(case)
        with mpmath.workdps(60):
            (a,), (b,) = to_mpf(A[0]), to_mpf(B)
            for k in (0, 1, 2, 7, 1000):
                state, sample = mpmath.mpf(3) / 8, mpmath.mpf(-5) / 4
                point = sample if measure == "legs" and k == 0 else -sample * b / a
                expected = state + gate(case, -a, k) * (point - state)
                (exact,) = to_mpf(oracle.step(case, [0.375], -1.25, k))
                assert abs(expected - exact) < mpmath.mpf(10) ** -28 * (abs(exact) + 1)

    @pytest.mark.parametrize(
        ("method", "form"),
        [
            ("euler", lambda k: Fraction(1, k)),
            ("backward_euler", lambda k: Fraction(1, k + 1)),
            ("zoh", lambda k: Fraction(1, k + 1)),
            ("bilinear", lambda k: Fraction(2, 2 * k + 1)),
        ],
    )
    def test_legs_has_the_published_gates(self, method, form):
        case = make_case("g", "legs", order=1, method=method, level="step")
        with mpmath.workdps(60):
            for k in (1, 2, 3, 100):
                wanted = mpmath.mpf(form(k).numerator) / form(k).denominator
                assert abs(gate(case, mpmath.mpf(1), k) - wanted) < mpmath.mpf(10) ** -55

    def test_plain_lagt_has_the_published_gates(self):
        case = make_case("g", "lagt", order=1, method="euler", level="step", dt=0.25)
        with mpmath.workdps(60):
            assert gate(case, mpmath.mpf(1), 5) == mpmath.mpf(1) / 4
            held = replace(case, method="zoh")
            assert abs(gate(held, mpmath.mpf(1), 5) - (1 - mpmath.exp(mpmath.mpf(-1) / 4))) < mpmath.mpf(10) ** -55

    def test_a_running_mean_is_what_legs_remembers(self, oracle):
        """At order 1 backward Euler and zoh give the mean of all samples."""
        samples = [0.5, -1.0, 2.0, 0.25]
        for method in ("backward_euler", "zoh"):
            exact = oracle.states(make_case("g", "legs", order=1, method=method, level="scan"), samples)
            means = [sum(map(Fraction, samples[: k + 1])) / (k + 1) for k in range(4)]
            assert np.array_equal(exact.high[:, 0], [float(mean) for mean in means])

    def test_a_target_without_order_one_is_not_blamed(self, oracle):
        case = make_case("t", "legs", order=4, level="scan")
        right = right_model(case, oracle)

        def even_only(samples, order):
            if order % 2:
                raise ValueError(f"order is {order}; even orders only")
            return right.scan(samples, order)

        def one_order(samples, order):
            return right.scan(samples, 4)

        for target, words in ((even_only, "no order 1: ValueError: order is 1; even"), (one_order, "has one order")):
            verdict = run("gating", case, oracle, LiveTarget(target, "scan"))
            assert verdict.status is Status.UNSUPPORTED
            assert words in verdict.message
        asked = run("gating", replace(case, order=1), oracle, LiveTarget(even_only, "scan"))
        assert asked.status is Status.ERROR

    def test_two_inputs_are_no_gate(self):
        assert "two samples" in CHECKS["gating"].why_not(make_case("t", "legs", method="foh", level="scan"))


class TestParity:
    def test_a_target_for_doubles_alone_is_not_blamed(self, oracle):
        case = make_case("t", "legs", order=4, level="scan")
        right = right_model(case, oracle)

        def doubles(samples, order):
            if samples.dtype != np.float64:
                raise TypeError(f"samples has dtype {samples.dtype}")
            return right.scan(samples, order)

        verdict = run("parity", case, oracle, LiveTarget(doubles, "scan"))
        assert verdict.status is Status.UNSUPPORTED
        assert "takes no float32: TypeError: samples has dtype float32" in verdict.message
        assert "called without its device" in verdict.message

    def test_doubles_for_float32_input_are_right(self, oracle):
        case = make_case("t", "legs", order=4, level="scan", dtype="float32")
        right = right_model(replace(case, dtype="float64"), oracle)
        verdict = run("parity", case, oracle, LiveTarget(lambda u, N: right.scan(u.astype(float), N), "scan"))
        assert verdict.status is Status.PASS, verdict.message

    def test_what_is_wrong_in_both_precisions_alike_is_left_to_others(self, oracle):
        case = make_case("t", "legs", order=4, level="scan")
        assert run("parity", case, oracle, DEFECTS["doubled_B"].target(case, oracle)).status is Status.PASS

    def test_the_message_names_both_sides(self, oracle):
        case = make_case("t", "legs", order=4, level="scan")
        for key, words in (("float32_clamped", "in float32, against float64"), ("device_path", "in cuda, against cpu")):
            assert words in run("parity", case, oracle, DEFECTS[key].target(case, oracle)).message

    def test_devices_are_declared(self):
        case = Case("hippo-fast-numpy", level="scan", device="cuda")
        assert ADAPTERS["hippo-fast-numpy"].why_not(case) == "hippo-fast-numpy has no device cuda; it has cpu"


class TestTimes:
    def test_units_change_no_exact_state(self, oracle):
        """LegS depends on ratios of times: what `timed` takes for granted of its units."""
        samples, times = [0.5, -1.0, 2.0, 0.25, 1.0], [0.5, 0.75, 2.25, 2.5, 6.0]
        for method in METHODS:
            case = make_case("t", "legs", order=5, method=method, level="timed_scan")
            base = oracle.states(case, samples, times)
            for factor in (*(2.0**e for e in UNITS), float(OTHER_UNIT)):
                other = oracle.states(case, samples, [factor * t for t in times])
                assert np.array_equal(base.high, other.high)

    @pytest.mark.parametrize("method", METHODS)
    def test_even_times_are_the_scan_without_times(self, method, oracle):
        case = make_case("t", "legs", order=5, method=method, level="timed_scan")
        samples = [0.5, -1.0, 2.0, 0.25, 1.0]
        even = [float(k + (method == "zoh")) for k in range(5)]
        assert np.array_equal(oracle.states(case, samples).high, oracle.states(case, samples, even).high)

    def test_an_invariant_law_has_no_timestamps(self):
        assert "defined for legs" in CHECKS["timed"].why_not(make_case("t", "legt", level="timed_scan"))

    def test_one_sample_at_any_time_is_a_constant(self, oracle):
        case = make_case("t", "legs", order=3, level="timed_scan")
        assert oracle.states(case, [0.5], [7.0]).high.tolist() == [[0.5, 0.0, 0.0]]


class TestRestart:
    @pytest.mark.parametrize("method", ["trapezoid", "foh", "hold(2)"])
    def test_a_state_alone_does_not_resume_rules_that_look_back(self, method):
        assert reads_nodes(method)
        case = make_case("t", "legs", method=method, level="resume")
        assert "reads the sample before its own" in CHECKS["restart"].why_not(case)

    def test_the_last_state_alone_may_be_given(self, oracle):
        case = make_case("t", "legs", order=4, level="resume")
        right = right_model(case, oracle)
        target = LiveTarget(lambda state, samples, k: right.resume(state, samples, k)[-1], "resume")
        assert run("restart", case, oracle, target).status is Status.PASS

    def test_steps_that_are_right_are_held_against_a_scan_that_is_not(self, oracle):
        case = make_case("t", "legs", order=4, level="step")
        wrong = DEFECTS["clock_late"].alter(right_model(case, oracle))

        class Both:
            step = staticmethod(right_model(case, oracle).step)
            scan = staticmethod(wrong.scan)

        verdict = run("restart", case, oracle, LiveTarget(Both()))
        assert verdict.status is Status.FAIL
        assert "against the target's own scan" in verdict.message

    @pytest.mark.parametrize("measure", ["legs", "legt"])
    @pytest.mark.parametrize("method", ["bilinear", "zoh", "euler"])
    def test_a_run_from_the_start_is_the_exact_scan(self, measure, method, oracle):
        """Steps from exact states, kept as two floats, lose nothing that their radius does not say."""
        case = make_case("t", measure, order=5, method=method, level="resume")
        samples = [0.5, -0.7, 1.25, 1 / 3]
        chained, exact = run_from(case, oracle, [0.0] * 5, samples, 0).exact, oracle.states(case, samples)
        apart = np.abs((chained.high - exact.high) + (chained.low - exact.low))
        assert np.all(apart <= chained.radius + exact.radius)
        assert chained.radius.max() < 1e-28

    def test_limits_of_a_resumed_run_are_those_of_its_steps_added_up(self, oracle):
        case = make_case("t", "legs", order=5, method="bilinear", level="resume")
        operator, samples = oracle.operator(case), [0.5, -0.75, 1.25]
        found = run_from(case, oracle, [1.0] * 5, samples, 1000)
        before = np.vstack([np.ones(5), found.exact.high])
        own = [step_limits(operator, before[i], u, before[i + 1], 1000 + i, "float64") for i, u in enumerate(samples)]
        assert np.allclose(found.limits.forward, np.cumsum([limit.forward for limit in own]), rtol=1e-15)
        assert np.all(found.limits.backward >= np.cumsum([limit.backward for limit in own]))

    def test_what_a_step_carries_on(self, oracle):
        right = oracle.operator(make_case("t", "legs", order=5, method="bilinear", level="resume"))
        growing = oracle.operator(make_case("t", "legs", order=5, method="euler", level="resume"))
        assert (carried(right, 7), carried(growing, 0)) == (1, 0)
        assert carried(growing, 2) > 1

    def test_the_message_names_the_late_state(self, oracle):
        case = make_case("t", "legs", order=4, level="resume")
        for key, start in (("late_state_forgotten", 128), ("resume_table_256", 255)):
            message = run("restart", case, oracle, DEFECTS[key].target(case, oracle)).message
            assert f"of the run resumed after {start} samples" in message


class TestBatch:
    def test_the_last_states_alone_may_be_given(self, oracle):
        case = make_case("t", "legs", order=4, level="batch_scan")
        right = right_model(case, oracle)
        target = LiveTarget(lambda samples, order: right.batch_scan(samples, order)[:, -1], "batch_scan")
        assert run("batch", case, oracle, target).status is Status.PASS

    def test_a_batch_of_another_shape_fails(self, oracle):
        case = make_case("t", "legs", order=4, level="batch_scan")
        right = right_model(case, oracle)
        target = LiveTarget(lambda samples, order: right.batch_scan(samples, order).swapaxes(0, 1), "batch_scan")
        verdict = run("batch", case, oracle, target)
        assert verdict.status is Status.FAIL
        assert "expected (1, 16, 4)" in verdict.message

    def test_the_message_names_the_stream(self, oracle):
        case = make_case("t", "legs", order=4, level="batch_scan")
        message = run("batch", case, oracle, DEFECTS["first_stream_only"].target(case, oracle)).message
        assert "of stream 1 of 2" in message

    def test_many_streams_differ_in_every_sample(self):
        for column in zip(*map(distinct, range(max(COUNTS))), strict=True):
            assert len(set(column) - {0}) == max(COUNTS)

    def test_every_suite_says_how_many_streams_it_draws(self):
        assert set(MOST_DRAWN) == set(SUITES)

    @pytest.mark.parametrize("order", [1, 2, 4, 7])
    def test_a_state_that_is_exactly_zero_is_judged_beside_what_cancelled(self, order, oracle):
        """The first two nodes of an alternating stream cancel under the trapezoid."""
        case = make_case("t", "legt", order=order, method="trapezoid", level="batch_scan")
        verdict = run("batch", case, oracle)
        assert verdict.status is Status.PASS, verdict.message

    def test_many_streams_and_long_ones_are_asked(self, oracle):
        case = make_case("t", "legt", order=4, level="batch_scan")
        for key, words in (("lanes_reversed", " of 8 "), ("batch_chunk_restarts", " of 2 ")):
            assert words in run("batch", case, oracle, DEFECTS[key].target(case, oracle)).message


class TestLinearity:
    def test_no_exact_state_is_needed(self):
        class Without(Oracle):
            def states(self, case, samples, times=None):
                raise AssertionError("an exact state was asked for")

        case = make_case("t", "legs", order=4, level="scan")
        oracle = Without(None)
        assert run("linearity", case, oracle).status is Status.PASS

    def test_parts_that_cancel_leave_room_for_their_own_rounding(self, oracle):
        """The sum is a millionth of its parts: what they lose is no doubt about it."""
        for dtype in ("float64", "float32"):
            case = make_case("t", "legt", order=4, method="zoh", level="scan", dtype=dtype)
            assert run("linearity", case, oracle).status is Status.PASS


class TestDeterminism:
    @pytest.mark.parametrize("level", ["timed_scan", "batch_scan", "resume", "factors"])
    def test_every_level_is_asked(self, level, oracle):
        case = make_case("t", "legs", order=4, level=level)
        verdict = run("determinism", case, oracle)
        assert verdict.status is Status.PASS, verdict.message
        assert verdict.details["asked_between"] == "order 8"

    def test_an_order_that_the_target_does_not_have_is_no_fault(self, oracle):
        case = make_case("t", "legs", order=4, level="scan")
        right = right_model(case, oracle)

        def small(samples, order):
            if order > 4:
                raise ValueError("too large")
            return right.scan(samples, order)

        verdict = run("determinism", case, oracle, LiveTarget(small, "scan"))
        assert verdict.status is Status.PASS
        assert verdict.details["asked_between"] == "order 8, which gave no answer: ValueError: too large"

    def test_a_saved_state_is_left_alone(self, oracle):
        case = make_case("t", "legs", order=4, level="resume")
        verdict = run("determinism", case, oracle, DEFECTS["state_overwritten"].target(case, oracle))
        assert verdict.status is Status.FAIL
        assert "wrote into the input" in verdict.message


class InProcess(Target):
    """Our own fast side without a worker."""

    def __init__(self, adapter):
        self.adapter, self.name = adapter, adapter.key

    def levels(self):
        return self.adapter.levels

    def why_not(self, case):
        return self.adapter.why_not(case)

    def call(self, case, *arguments):
        return LiveTarget(self.adapter.bind(case)).call(case, *arguments)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_our_own_backends_pass(backend, method, dtype, oracle):
    if backend == "torch":
        pytest.importorskip("torch", reason="torch is an extra")
    target = InProcess(Own(backend))
    passed = set()
    for level in ("timed_scan", "batch_scan", "scan"):
        case = make_case(target.name, "legs", order=3, method=method, level=level, dtype=dtype)
        for verdict in verdicts_of(case, target, oracle, SMALL, tuple(ALONE)):
            assert verdict.status in (Status.PASS, Status.UNSUPPORTED), verdict.message
            passed |= {verdict.check} if verdict.status is Status.PASS else set()
    assert {"batch", "timed", "parity", "linearity", "determinism"} <= passed
