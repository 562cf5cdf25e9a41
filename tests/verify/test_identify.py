"""What a thing is, told nothing but its level; and what it is not."""

import json
import math

import numpy as np
import pytest

import verify
from verify.candidates import Model, right_model
from verify.case import Case
from verify.cases import make_case
from verify.catalogue import OTHERS, catalogue, rounded
from verify.convention import identify as identify_target
from verify.convention import settle
from verify.convention.parameters import meant
from verify.convention.precision import bits, grain
from verify.convention.rules import RULES, discretized, run, undo
from verify.defects import DEFECTS, WRONG_OPERATOR, WRONG_RULE, WRONG_STEP
from verify.folders import cache_folder
from verify.identification import identify
from verify.oracle import Oracle
from verify.recognition import recognition
from verify.recognition_console import markdown, summary
from verify.result import LiveTarget

PARAMETERS = {
    "lagt": {"alpha": "1/4", "beta": "1/2"},
    "gegenbauer": {"alpha": "3/4"},
    "jacobi": {"alpha": "1/3", "beta": "-1/5"},
}


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


def model(oracle, measure, method="bilinear", level="scan", **parameters):
    case = make_case("t", measure, method=method, level=level, **{**PARAMETERS.get(measure, {}), **parameters})
    return right_model(case, oracle)


def first(found):
    assert found.matches, (found.note, [near.describe() for near in found.near])
    return found.matches[0]


# What is found.


@pytest.mark.parametrize("measure", ["legt", "lagt", "fout", "legs_lti", "chebt", "gegenbauer", "jacobi", "legs"])
def test_a_step_tells_its_rule(oracle, measure):
    for method in ("zoh", "backward_euler", "gbt(1/3)"):
        match = first(identify(model(oracle, measure, method, "step").step, level="step", oracle=oracle))
        assert (match.measure, match.method, match.formula) == (measure, method, "1")
        if match.theta_over_dt is not None:
            assert match.theta is None
            assert match.theta_over_dt == pytest.approx(64, rel=1e-9)


@pytest.mark.parametrize(
    ("measure", "method"),
    [("legs", "trapezoid"), ("legs", "gbt(1/3)"), ("legt", "hold(2)"), ("fout", "foh"), ("chebt", "zoh")],
)
@pytest.mark.parametrize("last", [False, True])
def test_a_scan_tells_its_rule(oracle, measure, method, last):
    states = model(oracle, measure, method).scan
    found = identify(
        (lambda samples, order: states(samples, order)[-1]) if last else states, level="scan", oracle=oracle
    )
    match = first(found)
    assert (match.measure, match.method, match.shift) == (measure, method, 0)
    assert match.residual < 1e-12
    assert match.inside == "float64"


def test_a_rule_that_is_given_is_checked_alone(oracle):
    scan = model(oracle, "legt", "zoh").scan
    assert first(identify(scan, level="scan", method="zoh", oracle=oracle)).method == "zoh"
    found = identify(scan, level="scan", method="bilinear", oracle=oracle)
    assert found.matches == ()
    assert found.near[0].method == "bilinear"


def test_a_spacing_that_is_given_shows_the_window(oracle):
    step = model(oracle, "legt", "zoh", "step", theta="3/4").step
    match = first(identify(step, level="step", dt=0.75 / 64, oracle=oracle))
    assert match.theta == 0.75
    found = identify(model(oracle, "legs_lti", "zoh", "step").step, level="step", dt=1 / 32, oracle=oracle)
    assert found.matches == ()
    assert "the step is 0.5 dt" in found.near[0].difference


@pytest.mark.parametrize("measure", ["gegenbauer", "jacobi", "chebt"])
def test_tilted_windows_are_recognised_under_any_scaling(oracle, measure):
    system = model(oracle, measure, level="matrices", theta="2.5").system

    def matrices(order):
        A, B = system(order)
        T = 1 / (1 + np.arange(order) / 3.0)
        return A * T[:, None] / T, B * T

    match = first(identify(matrices, oracle=oracle))
    assert match.measure == measure
    assert match.theta == pytest.approx(2.5, rel=1e-12)
    due = make_case("t", measure, **PARAMETERS.get(measure, {})).float_parameters
    assert all(value == pytest.approx(due[name], abs=1e-9) for name, value in match.parameters)


@pytest.mark.parametrize(("inside", "places"), [("float32", 24), ("float16", 11)])
def test_the_arithmetic_inside_is_told(oracle, inside, places):
    step = discretized(*(part / 64 for part in model(oracle, "legt").system(5)), "bilinear")

    def scan(samples, order):
        nonlocal step
        if len(step.M) != order:
            step = discretized(*(part / 64 for part in model(oracle, "legt").system(order)), "bilinear")
        G, g, state, states = rounded(step.M, places), rounded(step.inputs[0], places), np.zeros(order), []
        for sample in samples:
            state = rounded(G @ state + g * rounded(np.asarray(sample), places), places)
            states.append(state)
        return np.stack(states)

    match = first(identify(scan, level="scan", oracle=oracle))
    assert match.measure in ("legt", "lmu")
    assert match.inside == inside
    assert match.theta_over_dt == pytest.approx(64, rel=0.02)


def test_simple_entries_leave_the_arithmetic_undecided(oracle):
    match = first(identify(lambda order: (-np.tril(np.ones((order, order))), np.ones(order)), oracle=oracle))
    assert (match.measure, match.inside) == ("lagt", "undecided")
    assert "float32 holds" in match.why


# What is near.


def legt(order):
    n = np.arange(order)
    s = np.sqrt(2.0 * n + 1)
    return -np.outer(s, s) * np.where(n[:, None] >= n, 1.0, (-1.0) ** (n[:, None] - n)), s


def legs(order):
    n = np.arange(order)
    s = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0), s


def discrete(order):
    A, B = (part / 50 for part in legt(order))
    left = np.eye(order) - A / 2
    return np.linalg.solve(left, np.eye(order) + A / 2), np.linalg.solve(left, B)


def one_entry(order):
    A, B = legs(order)
    A[3, 1] *= 2
    return A, B


NEAR = {
    "doubled": (lambda N: (legs(N)[0], 2 * legs(N)[1]), "legs", "B is 2 times what it should be"),
    "transposed": (lambda N: (legs(N)[0].T, legs(N)[1]), "legs", "A is transposed"),
    "reversed": (lambda N: (legs(N)[0][::-1, ::-1], legs(N)[1][::-1]), "legs", "the state is in reversed order"),
    "twice": (lambda N: (2 * legs(N)[0], 2 * legs(N)[1]), "legs", "A and B are both 2 times what they should be"),
    "unit_B": (lambda N: (legs(N)[0], np.ones(N)), "legs", "B carries a factor 1/sqrt(2n+1) that A does not"),
    "diagonal": (lambda N: (legs(N)[0] + np.eye(N), legs(N)[1]), "legs", "the identity is missing"),
    "one_based": (lambda N: (legs(N + 1)[0][1:, 1:], legs(N + 1)[1][1:]), "legs", "the index starts at 1"),
    "flat": (lambda N: (-np.abs(legt(N)[0]), legt(N)[1]), "legt", "the signs of A are missing"),
    "entry": (one_entry, "legs", "one entry of A differs: A[3, 1] is 2 times the exact one"),
    "discrete": (discrete, "legt", "A and B are discretized already"),
}


@pytest.mark.parametrize("key", NEAR)
def test_a_near_miss_says_what_differs(oracle, key):
    target, measure, text = NEAR[key]
    found = identify(target, oracle=oracle)
    assert found.matches == ()
    near = found.near[0]
    assert near.measure == measure
    assert text in near.difference
    assert near.distance > 1e-4
    assert (near.left is None) == (key == "entry")
    assert near.left is None or near.left < 1e-12


def test_a_discretized_pair_shows_its_rule_and_window(oracle):
    near = identify(discrete, oracle=oracle).near[0]
    assert (near.method, near.theta) == ("bilinear", None)
    assert near.theta_over_dt == pytest.approx(50, rel=1e-9)


def test_another_order_of_the_states_is_no_convention(oracle):
    system = model(oracle, "fout", level="matrices").system

    def blocks(order):
        place = [0, *range(1, order, 2), *range(2, order, 2)]
        A, B = system(order)
        return A[np.ix_(place, place)], B[place]

    found = identify(blocks, oracle=oracle)
    assert found.matches == ()
    assert "the state is in another order: coefficient 0, " in found.near[0].difference


@pytest.mark.parametrize(
    ("clock", "text"), [(lambda k: k + 1.0, "the step reads k +1"), (lambda k: k / 2, "the step is 2/k")]
)
def test_another_clock_is_told(oracle, clock, text):
    from dataclasses import replace

    wrong = replace(model(oracle, "legs", level="step"), clock=clock)
    if text.endswith("2/k"):
        right = model(oracle, "legs", level="step")
        wrong = replace(right, system=lambda order: tuple(2 * part for part in right.system(order)))
    found = identify(wrong.step, level="step", oracle=oracle)
    assert found.matches == ()
    assert text in found.near[0].difference


@pytest.mark.parametrize("name", OTHERS)
def test_other_operators_are_none_of_ours(oracle, name):
    assert identify(OTHERS[name], oracle=oracle).matches == ()
    step = Model(make_case("t", "legt", level="step"), OTHERS[name], "bilinear").step
    asked = Case("t", level="step")
    assert identify_target(LiveTarget(step, "step"), asked, oracle, spaced=False).matches == ()


@pytest.mark.parametrize(
    ("target", "level", "note"),
    [
        (lambda state, sample, k: np.tanh(3 * state) + sample, "step", "it is not linear"),
        (lambda samples, order: np.zeros((len(samples), order)), "scan", "a unit sample changes no state"),
        (lambda samples, order: np.zeros((len(samples), 3)), "scan", "returned shape"),
        (lambda order: (np.full((order, order), np.nan), np.ones(order)), "matrices", "are not finite"),
    ],
)
def test_what_cannot_be_read_is_said(oracle, target, level, note):
    found = identify(target, level=level, oracle=oracle)
    assert found.matches == ()
    assert note in found.note
    assert note in found.lines("t")[0]


def test_the_record_is_json(oracle):
    for target in (legt, discrete, OTHERS["identity"]):
        record = identify(target, oracle=oracle).to_json()
        assert json.loads(json.dumps(record, allow_nan=False)) == record
        assert set(record) == {"level", "matches", "near", "note"}


# What conventions may not hide.


@pytest.mark.parametrize("measure", ["legs", "legt"])
@pytest.mark.parametrize("level", ["step", "scan"])
def test_a_defect_in_a_run_hides_behind_no_convention(oracle, measure, level):
    """A wrong step or scan, written under T = (-1)^n: what is left once that is undone is judged, and fails."""
    case = make_case("t", measure, order=4, level=level)
    undone = 0
    for key in dict.fromkeys((*WRONG_OPERATOR, *WRONG_STEP, *WRONG_RULE)):
        # With another sign of B, size or step, a law has another T or window: these are conventions.
        if key in ("negated_B", "doubled_operator", "double_step") or not DEFECTS[key].applies(case):
            continue
        wrong = DEFECTS[key].alter(right_model(case, oracle))

        def step(state, sample, k, wrong=wrong):
            T = (-1.0) ** np.arange(len(state))
            return T * wrong.step(T * state, sample, k)

        def scan(samples, order, wrong=wrong):
            return (-1.0) ** np.arange(order) * wrong.scan(samples, order)

        target = step if level == "step" else scan
        match = settle(LiveTarget(target, level), case, oracle)[0]
        if match is None:
            continue  # judged as it stands: alternating signs alone are wrong
        undone += 1
        asked = {"orders": (4,), "convention": "auto", "oracle": oracle}
        report = verify.check(target, measure, level, checks=[level], **asked)
        if report.status == "pass":  # it shows later than this check looks
            report = verify.check(target, measure, level, **asked)
        assert report.status == "fail", (key, match)
    assert undone


def test_a_near_miss_is_never_undone(oracle):
    for key, (target, measure, _) in NEAR.items():
        case = make_case("t", measure, order=5)
        assert settle(LiveTarget(target), case, oracle)[0] is None, key


# The tools.


@pytest.mark.parametrize("method", RULES)
def test_a_rule_read_backwards(oracle, method):
    A, B = (part / 40 for part in model(oracle, "legt").system(5))
    step = discretized(A, B, method)
    G, g = undo(step.M, step.total, method)
    assert np.allclose(G, A, atol=1e-13)
    assert np.allclose(g, B, atol=1e-13)
    samples = np.sin(np.arange(30.0))
    case = make_case("t", "legt", order=5, method=method, level="scan", dt=1 / 40)
    exact = oracle.states(case, tuple(samples.tolist())).high
    assert np.allclose(run(A, B, method, samples), exact, atol=1e-13)


def test_a_parameter_is_meant_to_be_simple_only_where_chance_is_small():
    assert meant(0.33333333333, 1e-10) == 1 / 3
    assert meant(0.123456, 1e-15) == 0.123456
    assert meant(0.5000004, 1e-6) == 0.5
    assert meant(0.49, 0.1) == 0.49
    assert meant(2.0000001, 1e-6, asked=2.0000002) == 2.0000002
    assert meant(-1e-12, 1e-9) == 0


def test_grain():
    assert bits(np.array([0.5, 3.0])) == 2
    assert grain(np.array([1.0, 2.0])) == ""
    assert grain(np.array([math.pi], np.float32).astype(float)) == "float32"
    assert grain(np.array([math.pi, 0.1], np.float16).astype(float)) == "float16"
    assert grain(np.array([math.pi])) == "float64"


def test_a_share_of_the_catalogue(oracle):
    """The figures of the published page, on each 137th entry."""
    found = recognition(every=137, oracle=oracle)
    assert found.failures == []
    assert found.count("right") > 2
    assert found.count("defect", "refused", "named", "marked") > 1
    assert len(summary(found)) == 4
    page = markdown(found)
    assert page.startswith("# How well identification works")
    assert "Nothing." in page
    names = [entry.name for entry in catalogue()]
    assert {entry.kind for entry in catalogue()} == {"right", "defect", "other"}
    assert len(names) > 1000


def test_the_measure_asked_for_is_tried_under_its_own_name(oracle):
    case = make_case("t", "gegenbauer", alpha="1/2")
    found = identify_target(LiveTarget(legt), case, oracle, measures=("gegenbauer",))
    assert first(found).measure == "gegenbauer"
    asked = Case("t", level="matrices")
    assert [m.measure for m in identify_target(LiveTarget(legt), asked, oracle).matches] == ["legt", "lmu"]
