"""Every measure and rule of the reference in the checks: names, models, limits of Jacobians and of tilted bases."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.special

import verify
from verify.bounds import floor, jacobi, jacobian_limits, majorant, scan_limits, tilt, tilted_limits
from verify.budgeting import error_budget
from verify.candidates import TILTED, basis, right_model
from verify.cases import METHODS, UsageError, make_case, method_key, reads_nodes
from verify.checks import CHECKS, QUICK
from verify.defects import DEFECTS
from verify.folders import cache_folder
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import LiveTarget
from verify.verdict import Status

RULES = (*METHODS, "gbt(1/3)", "gbt(3/4)", "hold(2)", "hold(3)")
GIVEN = {
    "legs": {},
    "legt": {},
    "lmu": {"theta": 0.8},
    "lagt": {"alpha": 0.25},
    "fout": {},
    "legs_lti": {},
    "chebt": {},
    "gegenbauer": {"alpha": 0.75, "theta": 0.8},
    "jacobi": {"alpha": 0.5, "beta": -0.25},
}
SMALL = replace(QUICK, examples=2, length=16)
SIGNAL = tuple(float(np.float32(math.sin(0.37 * i + 1) + 0.25 * math.cos(1.9 * i))) for i in range(14))


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


def model(oracle):
    return LiveTarget(lambda asked: right_model(asked, oracle), bind=True, name="model")


# Names.


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("gbt(1/3)", "gbt(1/3)"),
        ("gbt(2/6)", "gbt(1/3)"),
        ("gbt(0.25)", "gbt(1/4)"),
        (" gbt( .75 ) ", "gbt(3/4)"),
        ("gbt(0)", "euler"),
        ("gbt(0.5)", "bilinear"),
        ("gbt(1.0)", "backward_euler"),
        ("hold(0)", "zoh"),
        ("hold(1)", "foh"),
        ("hold(2)", "hold(2)"),
        *((name, name) for name in METHODS),
    ],
)
def test_a_rule_has_one_name(text, key):
    assert method_key(text) == key
    assert make_case("mine", method=text).method == key


def test_the_report_says_which_rule_was_judged(oracle):
    def scan(samples, order):
        case = make_case("mine", "legs", order=order, method="bilinear", level="scan")
        return right_model(case, oracle).scan(samples, order)

    report = verify.check(scan, level="scan", method="gbt(0.5)", orders=(3,), checks=["scan"], oracle=oracle)
    assert report.status == "pass"
    assert {verdict.case.method for verdict in report.verdicts} == {"bilinear"}


# The model.


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("measure", GIVEN)
def test_the_model_is_right_for_every_rule(measure, dtype, oracle):
    for method in RULES:
        for order in (1, 5):
            case = make_case("m", measure, order=order, method=method, level="scan", dtype=dtype, **GIVEN[measure])
            got = right_model(case, oracle).scan(np.array(SIGNAL, dtype=dtype), order)
            exact, operator = oracle.states(case, SIGNAL), oracle.operator(case)
            limits = scan_limits(operator, SIGNAL, exact.high, dtype)
            assert np.all(norm(exact.error(got), operator.weights) <= limits.forward), (method, order)
            assert limits.forward[-1] < 0.01 * norm(exact.high[-1], operator.weights), (method, order)


def test_a_rule_that_reads_nodes_starts_silent(oracle):
    for method in RULES:
        case = make_case("m", "legt", order=3, method=method, level="scan")
        first = right_model(case, oracle).scan(np.array([2.0, 1.0]), 3)[0]
        assert (not first.any()) is reads_nodes(method), method


@pytest.mark.parametrize("measure", TILTED)
def test_the_basis_of_a_tilted_window_is_that_of_the_reference(measure, oracle):
    case = make_case("m", measure, order=7, level="reconstruct", **GIVEN[measure])
    points = [1 / 16, 0.3, 0.5, 15 / 16]
    state = [1.0, -0.5, 0.25, 2.0, 0.0, 1.0, -1.0]
    exact = oracle.evaluate(case, state, points).high
    got = basis(measure, case.float_parameters, 7, np.array(points)) @ np.array(state)
    assert got == pytest.approx(exact, rel=1e-13)


# Jacobians.


def backwards(operator, length, dtype):
    """D last state / d samples in reverse mode: rows of the transition to the end, in the precision of a target."""
    steps = [majorant(operator, k) if k or not (operator.dt is None or operator.starts_silent) else None
             for k in range(length)]  # fmt: skip
    rows = np.eye(operator.order, dtype=dtype)
    columns = np.zeros((operator.order, length), dtype=dtype)
    for k in range(length - 1, -1, -1):
        step = steps[k]
        if step is None:
            columns[:, k] += 0 if operator.starts_silent else rows[:, 0]
            continue
        for i in range(min(operator.reach, k) + 1):
            columns[:, k - i] += rows @ step.inputs[:, i].astype(dtype)
        rows = rows @ step.transition.astype(dtype)
    return columns / operator.weights[:, None]


@pytest.mark.parametrize("measure", ["legs", "legt", "lagt", "jacobi"])
@pytest.mark.parametrize("method", RULES)
def test_jacobians_of_either_mode_keep_the_forward_limit(measure, method, oracle):
    length = 10
    for order in (1, 4, 7):
        case = make_case("m", measure, order=order, method=method, level="gradient", dtype="float32", **GIVEN[measure])
        operator, exact = oracle.operator(case), oracle.jacobian(case, length)
        limits = jacobian_limits(operator, length, "float32")
        largest = norm(exact.high.T, operator.weights).max()
        if method != "euler" or order <= 4:
            assert limits.forward.max() < 0.01 * largest
        assert np.all(limits.backward >= limits.forward)
        for got in (backwards(operator, length, np.float32), right_model(case, oracle).gradient(np.ones(10), order)):
            error = norm(exact.error(got).T, operator.weights)
            assert np.all(error <= limits.forward), order


@pytest.mark.parametrize("method", ["euler", "trapezoid", "gbt(1/3)", "hold(3)"])
def test_an_error_in_one_step_is_seen_through_the_steps_that_follow(method, oracle):
    """Each transition off by the share of itself that the limit allows: in all, no more than the limit."""
    length, order, dtype = 12, 6, "float32"
    case = make_case("m", "legs", order=order, method=method, level="gradient", dtype=dtype)
    operator = oracle.operator(case)
    limits, generator = jacobian_limits(operator, length, dtype), np.random.default_rng(3)
    signs = [generator.choice([-1.0, 1.0], (order, order)) for _ in range(length)]

    def jacobian(share):
        states = np.zeros((order, length))
        states[0, 0] = 1.0
        for k in range(1, length):
            step = majorant(operator, k)
            states = (step.transition + share * signs[k] * step.K[0]) @ states
            for i in range(min(operator.reach, k) + 1):
                states[:, k - i] += step.inputs[:, i]
        return states

    moved = norm((jacobian(operator.gamma(dtype)) - jacobian(0.0)).T)
    assert np.all(moved <= limits.forward)
    assert moved.max() > 1e-4 * limits.forward.max()


def test_silence_has_no_gradient(oracle):
    """State 0 of a node rule is zero: with one sample there is nothing but underflow to excuse."""
    operator = oracle.operator(make_case("m", "legt", order=3, method="foh", level="gradient"))
    assert jacobian_limits(operator, 1, "float64").backward.max() <= 4 * floor(operator, "float64")


# Tilted windows.


@pytest.mark.parametrize(("a", "b"), [(-0.5, -0.5), (0.25, 0.25), (0.5, -0.25), (-0.9, -0.7), (3.0, 0.0)])
def test_jacobi_polynomials_are_orthonormal_and_their_largest_value_is_bounded(a, b):
    order = 12
    nodes, masses = scipy.special.roots_jacobi(order, a, b)
    values = jacobi(a, b, order, nodes)
    assert values.T @ (values * (masses / masses.sum())[:, None]) == pytest.approx(np.eye(order), abs=1e-12)
    fine = np.abs(jacobi(a, b, order, np.linspace(-1, 1, 4001))).max(axis=0)
    coarse = np.cos(np.pi * (np.arange(2 * order) + 0.5) / (2 * order))
    largest = np.abs(jacobi(a, b, order, coarse)).max(axis=0) / np.cos(np.arange(order) * np.pi / (4 * order))
    assert np.all(largest >= fine)
    assert np.all(largest <= math.sqrt(2) * fine * (1 + 1e-12))


def by_scipy(measure, parameters, coefficients, points):
    """The read-out in float32 by other means: ``x = 2 y - 1``, logarithms, scipy's polynomials."""
    a, b, factor = tilt(measure, parameters)
    x = np.float32(2) * points - np.float32(1)
    past, now = (np.float32(1) + x) / np.float32(2), (np.float32(1) - x) / np.float32(2)
    weight = np.float32(factor) * np.exp(np.float32(a) * np.log(now) + np.float32(b) * np.log(past))
    total = np.zeros(len(points), np.float32)
    mass = scipy.special.beta(a + 1, b + 1)
    for n, c in enumerate(coefficients):
        logs = scipy.special.gammaln([n + a + 1, n + b + 1]).sum() - scipy.special.gammaln([n + 1, n + a + b + 1]).sum()
        square = math.exp(logs) / (2 * n + a + b + 1) if n else mass
        polynomial = scipy.special.eval_jacobi(n, a, b, x).astype(np.float32)
        total += np.float32(c) * polynomial * np.float32(math.sqrt(mass / square))
    return weight * total


@pytest.mark.parametrize("measure", TILTED)
def test_read_outs_of_tilted_windows_keep_the_forward_limit(measure, oracle):
    order = 9
    case = make_case("m", measure, order=order, level="reconstruct", dtype="float32", **GIVEN[measure])
    points = np.array([2.0**-16, 2.0**-7, 0.25, 0.625, 1 - 2.0**-9, 1 - 2.0**-16])
    state = np.array([(-1.0) ** n / (n + 1) for n in range(order)], dtype=np.float32).astype(float)
    exact = oracle.evaluate(case, state.tolist(), points.tolist())
    limits, sizes = tilted_limits(measure, case.float_parameters, state, points, "float32")
    single = points.astype(np.float32)
    for got in (
        by_scipy(measure, case.float_parameters, state, single),
        right_model(case, oracle).reconstruct(state.astype(np.float32), single),
    ):
        assert np.all(np.abs(exact.error(got)) <= limits.forward)
    assert np.all(limits.forward[1:-1] < 0.01 * sizes[1:-1])


def test_read_outs_are_asked_inside_the_window_only(oracle):
    asked = []

    class Seen:
        def reconstruct(self, state, points):
            asked.extend(points.tolist())
            return right_model(case, oracle).reconstruct(state, points)

    for measure, ends in (("chebt", {0.0, 1.0}), ("legs_lti", {0.0}), ("legt", set())):
        asked.clear()
        case = make_case("m", measure, order=3, level="reconstruct")
        verdict = CHECKS["reconstruct"].run(case, oracle, LiveTarget(Seen()), SMALL)
        assert verdict.status is Status.PASS, verdict.message
        assert not ends & set(asked)
        assert ({0.0, 1.0} - ends) <= set(asked)


# Convergence.


@pytest.mark.parametrize("measure", ["legs", "legt", "jacobi"])
@pytest.mark.parametrize(("method", "order"), [("hold(2)", 3), ("hold(3)", 4), ("foh", 2), ("gbt(1/3)", 1)])
def test_a_rule_shows_its_order(measure, method, order, oracle):
    case = make_case("m", measure, order=4, method=method, level="scan", **GIVEN[measure])
    verdict = CHECKS["convergence"].run(case, oracle, model(oracle), SMALL)
    assert verdict.status is Status.PASS, verdict.message
    assert verdict.details["nominal_order"] == order
    assert verdict.details["order"] == pytest.approx(order, abs=0.05)


@pytest.mark.parametrize(("measure", "method"), [("legt", "bilinear"), ("lagt", "foh"), ("jacobi", "zoh")])
def test_a_step_that_cannot_be_told_is_seen_by_convergence_alone(measure, method, oracle):
    case = make_case("m", measure, order=4, method=method, level="scan", **GIVEN[measure])
    target = DEFECTS["step_baked"].target(case, oracle)
    found = {}
    for key in ("scan", "linearity", "equivariance", "convergence", "determinism"):
        if CHECKS[key].why_not(case) is None:
            found[key] = CHECKS[key].run(case, oracle, target, SMALL)
    assert {key for key, verdict in found.items() if verdict.status is Status.FAIL} == {"convergence"}
    assert {verdict.status for key, verdict in found.items() if key != "convergence"} == {Status.PASS}
    assert "at L = " in found["convergence"].message
    assert ", dt = " in found["convergence"].message
    assert found["convergence"].worst["dt"] in (case.dt / 2, case.dt / 4)


@pytest.mark.parametrize(
    ("key", "measure", "method", "level"),
    [
        ("weight_swapped", "legs", "gbt(1/3)", "step"),
        ("weight_swapped", "legt", "gbt(3/4)", "scan"),
        ("degree_short", "legs", "foh", "scan"),
        ("degree_short", "fout", "hold(2)", "scan"),
        ("degree_short", "legs", "hold(3)", "gradient"),
        ("line_at_most", "legt", "hold(3)", "scan"),
        ("ratio_early", "legs", "zoh", "step"),
        ("phantom_zero", "legs", "zoh", "scan"),
        ("phantom_zero", "legs", "trapezoid", "gradient"),
        ("phantom_zero", "lagt", "hold(2)", "scan"),
        ("node_stepped_to", "legt", "trapezoid", "scan"),
        ("node_stepped_to", "chebt", "foh", "gradient"),
        ("bilinear_used", "legs", "trapezoid", "scan"),
        ("tilt_forgotten", "jacobi", "bilinear", "reconstruct"),
    ],
)
def test_a_wrong_rule_is_found_and_the_right_one_is_not(key, measure, method, level, oracle):
    check = CHECKS[level]
    case = make_case("m", measure, order=5, method=method, level=level, **GIVEN[measure])
    defect = DEFECTS[key]
    assert defect.applies(case)
    assert defect in check.mutants(case)
    assert check.run(case, oracle, model(oracle), SMALL).status is Status.PASS
    assert check.run(case, oracle, defect.target(case, oracle), SMALL).status is Status.FAIL


def test_nodes_that_cancel_do_not_leave_a_scan_undecided(oracle):
    """u, -u: the trapezoid rule adds nothing, and a state of size 0 is judged beside what cancelled."""
    case = make_case("m", "legt", order=4, method="trapezoid", level="scan")
    verdict = CHECKS["scan"].run(case, oracle, model(oracle), SMALL)
    assert verdict.status is Status.PASS, verdict.message


# The budget.


def test_the_budget_of_a_rule_that_reads_nodes_ends_where_its_samples_do(oracle):
    class Trapezoid:
        def scan(self, samples, order):
            dt = 2 / (len(samples) - 1)
            case = make_case("m", "legt", order=order, method="trapezoid", level="scan", dt=dt)
            return right_model(case, oracle).scan(samples, order)

    options = {"order": 4, "method": "trapezoid", "oracle": oracle}
    budgets = [error_budget(Trapezoid(), "legt", length=n, dt=2 / (n - 1), **options) for n in (33, 65)]
    assert [budget.time for budget in budgets] == [2, 2]
    errors = [part.value for budget in budgets for part in budget.components if part.name == "discretization"]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)


def test_the_budget_has_no_tilted_windows():
    with pytest.raises(UsageError, match=r"^measure is 'chebt'; accepted for a budget: legs, legt, lmu, lagt, fout, "):
        error_budget(lambda samples, order: np.zeros(order), "chebt", order=3, length=20)
