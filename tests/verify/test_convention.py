"""Conventions are found, reported and undone; a defect never hides behind one."""

from dataclasses import replace

import numpy as np
import pytest

import verify
from verify.candidates import right_model
from verify.cases import make_case
from verify.convention import SCALINGS
from verify.defects import DEFECTS
from verify.defects.side_effects import SIDE_EFFECTS
from verify.folders import cache_folder
from verify.identification import identify
from verify.oracle import Oracle

MEASURES = ("legs", "legt", "lmu", "lagt", "fout", "legs_lti")


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


def system(oracle, measure, order, **parameters):
    A, B = oracle.system(make_case("t", measure, order=order, **parameters))
    return A.high.copy(), B.high.copy()


def scaled(A, B, T, sign=1):
    return sign * A * T[:, None] / T[None, :], B * T


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("formula", SCALINGS)
@pytest.mark.parametrize("sign", [1, -1])
def test_matrices_are_identified_under_scaling_and_sign(oracle, measure, formula, sign):
    def target(order):
        return scaled(*system(oracle, measure, order), SCALINGS[formula](np.arange(order)), sign)

    matches = identify(target, oracle=oracle).matches
    found = {(m.measure, m.formula, m.sign) for m in matches}
    # LMU is LegT under a scaling, so both names are right for either; the scaling then differs by that of LMU.
    assert any(m.sign == sign and (m.measure, m.formula) == (measure, formula) for m in matches) or (
        measure in ("legt", "lmu") and any(m.sign == sign and m.measure in ("legt", "lmu") for m in matches)
    ), found


@pytest.mark.parametrize("theta", ["1/3", 2, 784])
@pytest.mark.parametrize("measure", ["legt", "lmu", "fout"])
def test_the_window_is_identified(oracle, measure, theta):
    matches = identify(lambda order: system(oracle, measure, order, theta=theta), oracle=oracle).matches
    case = make_case("t", measure, theta=theta)
    assert matches[0].measure == measure
    assert matches[0].theta == pytest.approx(case.float_parameters["theta"], rel=1e-12)


@pytest.mark.parametrize(("alpha", "beta"), [("0", "1"), ("1/2", "1/100"), ("-3/10", "5")])
def test_laguerre_parameters_are_identified(oracle, alpha, beta):
    matches = identify(lambda order: system(oracle, "lagt", order, alpha=alpha, beta=beta), oracle=oracle).matches
    case = make_case("t", "lagt", alpha=alpha, beta=beta)
    assert matches[0].measure == "lagt"
    assert dict(matches[0].parameters) == pytest.approx(case.float_parameters)


def s4d_real(order):
    return -np.diag(np.arange(1.0, order + 1)), np.ones(order)


def stable_noise(order):
    generator = np.random.default_rng(order)
    A = generator.standard_normal((order, order))
    return A - (np.abs(np.linalg.eigvals(A)).max() + 1) * np.eye(order), generator.standard_normal(order)


def identity(order):
    return -np.eye(order), np.ones(order)


def doubled_gain(order):
    n = np.arange(order)
    s = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0), 2 * s


@pytest.mark.parametrize("target", [s4d_real, stable_noise, identity, doubled_gain])
def test_no_hippo_operator(target, oracle):
    assert identify(target, oracle=oracle).matches == ()


@pytest.mark.parametrize("level", ["step", "scan"])
@pytest.mark.parametrize(
    ("measure", "method"),
    [("legs", "bilinear"), ("legs", "zoh"), ("legt", "bilinear"), ("lagt", "backward_euler"), ("fout", "zoh")],
)
def test_dynamics_are_identified(oracle, level, measure, method):
    """From a step or a scan alone: the operator behind the rule."""
    case = make_case("t", measure, method=method, level=level)
    target = getattr(right_model(case, oracle), level)
    matches = identify(target, level=level, method=method, dt=case.dt, oracle=oracle).matches
    assert matches
    assert measure in {m.measure for m in matches}
    assert matches[0].shift == 0


def late(oracle, method="bilinear"):
    case = make_case("t", "legt", method=method, level="scan")
    model = right_model(case, oracle)

    def scan(samples, order):
        return np.concatenate([np.zeros((1, order)), model.scan(samples, order)])[: len(samples) + 1]

    return scan


def test_a_time_shift_is_found_and_undone(oracle):
    """States that start with the zero state: one more row, each a sample late."""
    matches = identify(late(oracle), level="scan", dt=1 / 64, oracle=oracle).matches
    assert matches[0].shift == 1
    exact = verify.check(late(oracle), "legt", "scan", orders=(4,), oracle=oracle)
    auto = verify.check(late(oracle), "legt", "scan", orders=(4,), convention="auto", oracle=oracle)
    assert exact.status == "fail"
    assert auto.status == "pass", auto.verdicts
    assert auto.convention.shift == 1


@pytest.mark.parametrize("level", ["matrices", "step", "scan"])
def test_auto_undoes_a_scaling_and_says_so(oracle, level):
    T = SCALINGS["sqrt(2n+1) (-1)^n"]

    class Scaled:
        def matrices(self, order):
            return scaled(*system(oracle, "legs", order), T(np.arange(order)))

        def step(self, state, sample, k):
            D = T(np.arange(len(state)))
            return right_model(make_case("t", level="step"), oracle).step(state / D, sample, k) * D

        def scan(self, samples, order):
            return right_model(make_case("t", level="scan"), oracle).scan(samples, order) * T(np.arange(order))

    assert verify.check(Scaled(), level=level, orders=(4, 8), oracle=oracle).status == "fail"
    auto = verify.check(Scaled(), level=level, orders=(4, 8), convention="auto", oracle=oracle)
    assert auto.status == "pass", [v.message for v in auto.verdicts]
    assert auto.convention.formula == "sqrt(2n+1) (-1)^n"
    assert auto.to_json()["convention"]["found"]["measure"] == "legs"


def test_auto_undoes_an_arbitrary_positive_scaling(oracle):
    def target(order):
        return scaled(*system(oracle, "legs", order), 1 / (1 + np.arange(order) ** 1.5))

    auto = verify.check(target, orders=(4, 8), convention="auto", oracle=oracle, accuracy="normwise")
    assert auto.status == "pass", [v.message for v in auto.verdicts]


def test_auto_takes_the_targets_own_window(oracle):
    def target(order):
        return system(oracle, "legt", order, theta=2)

    assert verify.check(target, "legt", orders=(4, 8), oracle=oracle).status == "fail"
    auto = verify.check(target, "legt", orders=(4, 8), convention="auto", oracle=oracle)
    assert auto.status == "pass"
    assert auto.convention.theta == 2


HIDEABLE = {
    # These are conventions: the same operator in other coordinates, with another window, or under another name.
    "negated_A", "negated_B", "doubled_operator", "halved_operator", "lmu_as_legt", "legt_as_lmu", "window_ignored",
}  # fmt: skip
NO_OPERATORS = {"leaking", *(defect.key for defect in SIDE_EFFECTS)}
"""Their calls do something to this process beside the answer, and not to the answer."""


def shown_by_matrices():
    """Defects of each measure that change its matrices."""
    oracle = Oracle(None)
    for measure in MEASURES:
        case = make_case("t", measure, order=6)
        right = right_model(case, oracle)
        for key, defect in DEFECTS.items():
            if key in HIDEABLE | NO_OPERATORS or not defect.applies(case):
                continue
            if (measure, key) == ("fout", "transposed"):
                continue  # the rotation run backwards: FouT with its sines negated, the same operator in other signs
            pairs = zip(defect.alter(right).matrices(6), right.matrices(6), strict=True)
            if not all(np.array_equal(a, b) for a, b in pairs):
                yield measure, key


@pytest.mark.parametrize(("measure", "key"), list(shown_by_matrices()))
def test_auto_never_lets_a_defect_hide(oracle, measure, key):
    wrong = DEFECTS[key].alter(right_model(make_case("t", measure, order=6), oracle))
    T = 1 / (1.0 + np.arange(64))
    for target in (wrong.matrices, lambda order: scaled(*wrong.matrices(order), T[:order])):
        report = verify.check(target, measure, orders=(6, 8), convention="auto", oracle=oracle, checks=["matrices"])
        assert report.status == "fail", (key, report.convention)


def test_conventions_that_are_defects_in_exact_mode(oracle):
    for key in ("negated_A", "doubled_operator"):
        wrong = DEFECTS[key].alter(right_model(make_case("t", "legt", order=6), oracle))
        report = verify.check(wrong.matrices, "legt", orders=(4, 6), oracle=oracle)
        assert report.status == "fail"
        assert report.diagnosis[0].defect == key


def test_replace_keeps_the_case(oracle):
    case = make_case("t", "legt")
    assert replace(case, order=8).parameters == case.parameters
