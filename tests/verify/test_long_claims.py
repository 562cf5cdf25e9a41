"""Long runs and approximation: closed forms against stepping, bounds against exact sizes, and what only they find."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import hippo_ref
from verify.bounds import Operator, gamma, scan_limits
from verify.bounds.approximation import jackson, trigonometric
from verify.bounds.long_runs import CONTINUED, continued, energies, long_limits, sizes_of
from verify.candidates import right_model
from verify.cases import make_case
from verify.checks import CHECKS, QUICK
from verify.defects import DEFECTS
from verify.folders import cache_folder
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import LiveTarget, TargetError
from verify.signals import SIGNALS, signal
from verify.verdict import Status

NOISE = tuple(((7 * i * i + 3 * i) % 17 - 8) / 8 for i in range(20))
RULES = [
    *(("legs", rule) for rule in ("bilinear", "backward_euler", "gbt(2/3)", "zoh", "foh", "trapezoid")),
    *(("legt", "bilinear"), ("lmu", "trapezoid"), ("lagt", "zoh"), ("fout", "foh"), ("legs_lti", "zoh")),
]


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


def right(case, oracle):
    return LiveTarget(lambda asked: right_model(asked, oracle), bind=True, name="model")


def verdict(key, oracle, target=None, **how):
    case = make_case("model", **how)
    return CHECKS[key].run(case, oracle, target or right(case, oracle), QUICK)


def wrong(key, defect, oracle, **how):
    case = make_case("model", **how)
    assert DEFECTS[defect].applies(case)
    return CHECKS[key].run(case, oracle, DEFECTS[defect].target(case, oracle), QUICK)


@pytest.mark.parametrize(("measure", "method"), [*RULES, ("legs", "euler"), ("legt", "euler"), ("legs", "hold(2)")])
def test_late_states_are_those_of_the_recurrence(oracle, measure, method):
    """Gamma functions and powers against one step after the other."""
    case = make_case("model", measure, order=5, method=method, level="scan")
    start = (*NOISE, 1.25, 1.25, 1.25)
    late = oracle.late_states(case, start, [0, 1, 60])
    states = oracle.states(case, (*start, *(1.25,) * 60))[[22, 23, 82]]
    difference = np.abs((late.high - states.high) + (late.low - states.low))
    assert difference.max() <= (late.radius + states.radius).max() + 1e-30 * np.abs(states.high).max()


def test_a_million_steps_end_where_the_last_coefficients_have_decayed_like_1_over_k(oracle):
    """A polynomial in 1/k: ten times the steps leave a tenth of what is not yet forgotten."""
    case = make_case("model", "legs", order=4, method="bilinear", level="scan")
    late = oracle.late_states(case, (*NOISE, 1.0), [10**5, 10**6]).high
    assert np.allclose(late[0, 1:] / late[1, 1:], 10, rtol=1e-2)
    assert late[1, 0] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("method", ["zoh", "foh"])
def test_held_pieces_are_projections(oracle, method):
    """Certified integrals against the mpmath witness, a piece of many cells in one."""
    case = make_case("model", "legs", order=5, method=method, level="scan")
    times = [Fraction(0), Fraction(300), Fraction(1000)] if method == "foh" else [300, 700, 1000]
    project = hippo_ref.project_linear if method == "foh" else hippo_ref.project_held
    exact = project(hippo_ref.measure("legs"), [1, -2, 0.5], 5, timestamps=times)
    found = oracle.held(case, [1.0, -2.0, 0.5], times)
    assert np.array_equal(found.high, [float(x) for x in exact])


@pytest.mark.parametrize(("measure", "method"), RULES)
@pytest.mark.parametrize("order", [1, 3, 8])
def test_sizes_and_limits_from_sizes_cover_the_exact_ones(oracle, measure, method, order):
    """The closed forms bound the majorants that are computed step by step, and not by much."""
    case = make_case("model", measure, order=order, method=method, level="scan")
    samples = (*NOISE, *(1.0,) * 80, *NOISE)
    operator, exact = oracle.operator(case), oracle.states(case, samples)
    sizes = norm(exact.high, operator.weights)
    assert (sizes**2 <= energies(operator, samples) * (1 + 1e-12)).all()
    assert (sizes <= sizes_of(operator, samples) * (1 + 1e-12)).all()
    lean, full = long_limits(operator, samples, sizes, "float64"), scan_limits(operator, samples, exact.high, "float64")
    first = 1 if operator.starts_silent else 0
    for side in ("forward", "backward"):
        ratio = getattr(lean, side)[first:] / getattr(full, side)[first:]
        assert ratio.min() >= 1 - 1e-9
        assert ratio.max() <= 60


def test_what_the_closed_forms_claim_of_a_step_of_legs(oracle):
    """``|M^-1| <= I + a h |A|`` and ``|G| <= I + h |L|`` for every h in (0, 1]."""
    A = oracle.system(make_case("model", "legs", order=12))[0].high
    eye = np.eye(12)
    for a in (0.5, 0.75, 1.0):
        for h in (1.0, 0.5, 0.1, 1e-3):
            inverse = np.linalg.inv(eye - a * h * A)
            assert (np.abs(inverse) <= (eye + a * h * np.abs(A)) * (1 + 1e-9) + 1e-12).all()
            G = inverse @ (eye + (1 - a) * h * A)
            assert (np.abs(G) <= eye + h * np.abs(np.tril(A, -1)) * (1 + 1e-9) + 1e-12).all()


def test_the_start_of_the_trapezoid_rule_between_its_steps(oracle):
    """``w = M c_1 - B u_1/2`` is ``(3 u_0 + u_1)/4 e_0 + (u_1 - u_0)(1/sqrt 3 - sqrt 3/4) e_1``."""
    case = make_case("model", "legs", order=6, method="trapezoid", level="scan")
    A, B = (part.high for part in oracle.system(case))
    u0, u1 = 0.75, -1.25
    c = oracle.states(case, (u0, u1)).high[1]
    w = c - A @ c / 2 - B * u1 / 2
    expected = np.zeros(6)
    expected[:2] = (3 * u0 + u1) / 4, (u1 - u0) * (1 / math.sqrt(3) - math.sqrt(3) / 4)
    assert np.allclose(w, expected, atol=1e-14)
    assert 1 + 2 * (1 / math.sqrt(3) - math.sqrt(3) / 4) < 1.29


def test_no_bound_is_given_for_rules_that_may_grow(oracle):
    for method in ("euler", "gbt(1/4)", "hold(2)"):
        operator = oracle.operator(make_case("model", "legs", order=3, method=method, level="scan"))
        with pytest.raises(ValueError, match="no bound of a long run is derived for"):
            long_limits(operator, (1.0, 1.0), np.ones(2), "float64")
        with pytest.raises(ValueError, match="no energy inequality is derived for"):
            energies(operator, (1.0, 1.0))
    uneven = Operator("legs", (), ((-1.0,),), (1.0,), "trapezoid", None, (0.0, 1.0, 3.0))
    with pytest.raises(ValueError, match="no bound of a long run"):
        long_limits(uneven, (1.0,) * 3, np.ones(3), "float64")


def test_a_continued_line_is_counted_for_foh_of_legs_alone(oracle):
    lost = continued(oracle.operator(make_case("model", "legs", order=4, method="foh", level="scan")), 101, "float64")
    assert lost[0] == 0
    assert lost[100] == pytest.approx(CONTINUED * 2.0**-53 * 200 * math.sqrt(2) * 3)
    assert not continued(oracle.operator(make_case("model", "legt", method="foh", level="scan")), 9, "float64").any()


@pytest.mark.parametrize("key", SIGNALS)
def test_a_signal_keeps_its_constants(key):
    """Every bound on a derivative holds on each piece, and is not idle."""
    shape, function = SIGNALS[key], signal(key, Fraction(1), Fraction(1))
    starts = [Fraction(0), *function.points, Fraction(1)]
    with mpmath.workdps(30):
        for k, bound in enumerate(shape.derivatives[:4], 1):
            largest = 0.0
            for (_, formula), left, right in zip(function.branches, starts[:-1], starts[1:], strict=True):
                for i in range(41):
                    z = mpmath.mpf(left.numerator) / left.denominator
                    z += (mpmath.mpf(right.numerator) / right.denominator - z) * i / 40
                    largest = max(largest, abs(float(mpmath.diff(formula, z, k))))
            assert largest <= bound * (1 + 1e-9)
            assert largest >= bound / 4
    for start, k in ((start, k) for start in function.points for k in range(len(shape.derivatives))):
        # Each derivative before the last that is bounded is continuous.
        (left, right) = ((branch[1]) for branch in function.branches[function.points.index(start) :][:2])
        z = mpmath.mpf(start.numerator) / start.denominator
        assert abs(mpmath.diff(left, z, k) - mpmath.diff(right, z, k)) < 1e-9


@pytest.mark.parametrize("order", [1, 2, 5, 12])
def test_jackson_is_above_the_exact_distance(oracle, order):
    """Claim 5, with its constants: smooth, splines, corners."""
    for key, shape in SIGNALS.items():
        if key in ("chirp", "front", "runge"):
            continue
        case = make_case("model", "legs", order=order)
        distance = oracle.truncation(case, signal(key, Fraction(1), Fraction(1)), Fraction(1)).high[1]
        assert distance <= jackson(order, 1.0, shape.derivatives) + 1e-25
    assert jackson(order, 2.0, (3.0,)) == pytest.approx(math.pi * 3 * 2 / (4 * order))
    assert jackson(8, 1.0, (1.0, 2.0)) == pytest.approx(min(math.pi / 32, (math.pi / 4) ** 2 * 2 / 56))


@pytest.mark.parametrize("order", [3, 6])
def test_trigonometric_jackson_is_above_the_exact_distance(oracle, order):
    case = make_case("model", "fout", order=order)
    distance = oracle.truncation(case, signal("triangle", Fraction(1), Fraction(1)), Fraction(1)).high[1]
    assert distance <= trigonometric(order, 1.0, (4.0,))


def test_gauss_rules_are_rounded_once(oracle):
    nodes, masses = oracle.gauss(20)
    reference, weights = np.polynomial.legendre.leggauss(20)
    assert np.allclose(np.sort(nodes), (reference + 1) / 2, atol=1e-15)
    assert math.fsum(masses * nodes**39) == pytest.approx(1 / 40, rel=1e-15)
    assert math.fsum(weights / 2) == pytest.approx(1)


LONG = [
    ("hold", "stopped_at_512", {"measure": "legs", "order": 6, "level": "scan", "method": "trapezoid"}),
    ("approximation", "stopped_at_2000", {"measure": "legs", "order": 6, "level": "scan"}),
    ("stability", "stopped_at_5000", {"measure": "legs", "order": 4, "level": "scan"}),
    ("stability", "index_float16", {"measure": "legs", "order": 4, "level": "scan"}),
    ("stability", "nan_after_5000", {"measure": "legt", "order": 4, "level": "scan"}),
    ("stability", "restarted", {"measure": "legs", "order": 4, "level": "scan"}),
    ("stability", "index_16_bit", {"measure": "legs", "order": 4, "level": "step"}),
    ("approximation", "points_block", {"measure": "legt", "order": 6, "level": "reconstruct"}),
    ("gradient_bound", "truncated_gradient", {"measure": "legs", "order": 6, "level": "gradient"}),
    ("gradient_bound", "chunk_detached", {"measure": "lagt", "order": 6, "level": "gradient"}),
]


@pytest.mark.parametrize(("key", "defect", "how"), LONG, ids=[f"{key}-{defect}" for key, defect, _ in LONG])
def test_what_goes_wrong_late_is_found(oracle, key, defect, how):
    assert wrong(key, defect, oracle, **how).status is Status.FAIL


@pytest.mark.parametrize("method", ["zoh", "foh"])
def test_times_that_are_ignored_late_are_found(oracle, method):
    how = {"measure": "legs", "order": 6, "level": "timed_scan", "method": method}
    assert verdict("hold", oracle, **how).status is Status.PASS
    assert wrong("hold", "later_times_ignored", oracle, **how).status is Status.FAIL


@pytest.mark.parametrize("key", ["hold", "approximation"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("order", [1, 2, 32])
def test_right_models_pass(oracle, key, dtype, order):
    for method in ("bilinear", "trapezoid", "zoh") if order == 1 else ("bilinear", "trapezoid"):
        found = verdict(key, oracle, measure="legs", order=order, level="scan", method=method, dtype=dtype)
        assert found.status in (Status.PASS, Status.UNSUPPORTED), found.message


def test_a_slow_target_is_no_wrong_target_in_the_full_suite(oracle):
    class Slow(LiveTarget):
        def call(self, case, *arguments):
            if len(arguments[0]) > 10_000:
                raise TargetError("timeout", "did not answer within 60 s")
            return super().call(case, *arguments)

    case = make_case("model", "legs", order=2, level="scan")
    target = Slow(lambda asked: right_model(asked, oracle), bind=True)
    from verify.checks import FULL

    found = CHECKS["stability"].run(case, oracle, target, FULL)
    assert found.status is Status.INCONCLUSIVE
    assert "give it more" in found.message


def test_a_failing_long_run_tells_its_input(oracle):
    """A diagnosis asks the target again on the samples of the verdict."""
    found = wrong("stability", "restarted", oracle, measure="legs", order=3, level="scan")
    assert len(found.worst["input"]["samples"]) == 6000
    assert "state" in found.message


@pytest.mark.parametrize(
    ("key", "how", "reason"),
    [
        ("stability", {"measure": "legs", "method": "euler", "level": "step"}, "1e21 at N = 32"),
        ("stability", {"measure": "legs", "order": 8, "level": "scan"}, "at orders up to 4"),
        ("hold", {"measure": "legt", "level": "scan"}, "no projection of all that was read"),
        ("approximation", {"measure": "lagt", "level": "reconstruct"}, "no polynomial approximates"),
        ("approximation", {"measure": "legs", "method": "euler", "level": "scan"}, "no energy inequality"),
        ("gradient_bound", {"measure": "legs", "order": 32, "level": "gradient"}, "at orders up to 16"),
        ("gradient_bound", {"measure": "legs", "level": "scan"}, "whose kernel is known in closed form"),
    ],
)
def test_a_reason_is_given_where_a_property_does_not_apply(key, how, reason):
    assert reason in CHECKS[key].why_not(make_case("model", **how))


def test_gamma_is_what_the_limits_of_a_copy_are(oracle):
    """The first state of LegS is a copy of the first sample."""
    operator = oracle.operator(make_case("model", "legs", order=2, level="scan"))
    limits = long_limits(operator, (0.5,), np.array([0.5]), "float64")
    assert limits.forward[0] == pytest.approx(gamma(36, "float64") * 0.5, rel=0.02)
