"""Every check rejects every wrong candidate it ships, and the right model passes it; our backends raise no alarm."""

import os
from dataclasses import replace

import pytest

from verify import power
from verify.candidates import TILTED, right_model
from verify.cases import METHODS, PARAMETERS, make_case, reads_nodes
from verify.checks import CHECKS, QUICK
from verify.defects import DEFECTS
from verify.folders import cache_folder
from verify.oracle import Oracle
from verify.result import LiveTarget, Target
from verify.verdict import Status

MEASURES = ("legs", "legt", "lmu", "lagt", "fout", "legs_lti")
ORDER = {"gradient_bound": 4, "convergence": 4, "equivariance": 4, "scan": 4, "stability": 4, "parity": 4}
SMALL = replace(QUICK, examples=2, length=16)


CELLS = tuple(method for method in METHODS if not reads_nodes(method))
RULES = dict.fromkeys(MEASURES, CELLS) | dict.fromkeys(("legs", "legt"), (*METHODS, "gbt(1/3)", "hold(2)"))
"""Rules tried on each measure: those that read cells; on one measure of each time law also nodes and the families."""
FEW = dict.fromkeys(TILTED, ("bilinear", "zoh"))
"""The tilted windows share all but their operator with LegT: a solve and an exponential of each will do."""
GIVEN = {"gegenbauer": {"alpha": 0.75, "theta": 0.8}, "jacobi": {"alpha": 0.5, "beta": -0.25, "theta": 0.8}}
"""Parameters at which no two of the windows are the same."""


def cells():
    """Each check at each level, measure and rule it applies to; matrices and read-outs do not depend on the rule."""
    for key, check in CHECKS.items():
        for level in check.levels:
            for measure, methods in (RULES | FEW).items():
                for method in methods if level in ("step", "scan", "gradient") else ("bilinear",):
                    given = GIVEN.get(measure, {})
                    case = make_case("model", measure, order=ORDER.get(key, 6), method=method, level=level, **given)
                    if check.why_not(case) is None:
                        yield pytest.param(key, case, id=f"{key}-{level}-{measure}-{method}")


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


def model(case, oracle, alter=lambda m: m):
    return LiveTarget(lambda asked: alter(right_model(asked, oracle)), bind=True, name="model")


@pytest.mark.parametrize(("key", "case"), list(cells()))
def test_every_mutant_is_rejected_and_the_right_model_is_not(key, case, oracle):
    check = CHECKS[key]
    right = check.run(case, oracle, model(case, oracle), SMALL)
    assert right.status is Status.PASS, right.message
    assert right.compared > 0
    assert right.bound is not None
    survivors = {}
    for defect in check.mutants(case):
        verdict = check.run(case, oracle, defect.target(case, oracle), SMALL)
        if verdict.status is not Status.FAIL:
            survivors[defect.key] = f"{verdict.status}: {verdict.message}"
    assert not survivors


def test_every_check_has_mutants_at_every_level():
    """A level at which a check rejects nothing would be a check that cannot fail."""
    bare = {(key, level) for key, check in CHECKS.items() for level in check.levels}
    for parameter in cells():
        key, case = parameter.values
        if CHECKS[key].mutants(case):
            bare.discard((key, case.level))
    assert not bare


def shows(defect, key, case):
    """Whether a check counts a defect among its mutants at a cell, at the order and parameters at which it is shown."""
    if not set(defect.given) <= set(PARAMETERS[case.measure]):
        return False
    for order in {case.order, defect.order, 20}:
        given = {name: float(value) for name, value in case.parameters} | dict(defect.given)
        shown = make_case("model", case.measure, order=order, method=case.method, level=case.level, **given)
        if CHECKS[key].why_not(shown) is None and defect in CHECKS[key].mutants(shown):
            return True
    return False


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=lambda defect: defect.key)
def test_every_defect_is_a_mutant_of_some_check(defect):
    cases = power.cases_of(defect.applies, defect.order, given=defect.given)
    shipped = (mutant.key for case in cases for check in CHECKS.values() if case.level in check.levels
               and check.why_not(case) is None for mutant in check.mutants(case))  # fmt: skip
    assert defect.key in shipped


@pytest.mark.parametrize("level", ["step", "scan"])
def test_a_defect_of_large_orders_only_is_found_there(level, oracle):
    for order, status in ((8, Status.PASS), (20, Status.FAIL)):
        case = make_case("model", "legs", order=order, level=level)
        target = LiveTarget(lambda asked: DEFECTS["nan_when_large"].alter(right_model(asked, oracle)), bind=True)
        assert CHECKS[level].run(case, oracle, target, SMALL).status is status


class Own(Target):
    """Our own fast side in this process, to try many seeds without a worker."""

    name = "hippo-fast"

    def __init__(self, adapter):
        self.adapter = adapter

    def levels(self):
        return self.adapter.levels

    def why_not(self, case):
        return self.adapter.why_not(case)

    def call(self, case, *arguments):
        return LiveTarget(self.adapter.bind(case), name=self.name).call(case, *arguments)


@pytest.mark.parametrize("backend", ["hippo-fast-numpy", "hippo-fast-torch"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_no_false_alarm_on_our_own_backends(backend, dtype, oracle):
    """Seeds are spread over measures and rules; ``HIPPO_VERIFY_SEEDS=200`` is the figure of the notes."""
    from verify.adapters import ADAPTERS

    seeds = int(os.environ.get("HIPPO_VERIFY_SEEDS", "8"))
    target = Own(ADAPTERS[backend])
    alarms = []
    pairs = [(m, r) for m in MEASURES for r in METHODS if m == "legs" or not reads_nodes(r)]
    for seed in range(seeds):
        measure, method = pairs[seed % len(pairs)]
        case = make_case(
            backend,
            measure,
            order=3 if method == "euler" else (3, 4, 8)[seed % 3],
            method=method,
            level="scan",
            dtype=dtype,
        )
        for key in ("scan", "linearity"):
            verdict = CHECKS[key].run(case, oracle, target, replace(SMALL, seed=seed))
            if verdict.status is not Status.PASS:
                alarms.append((seed, case.describe(), verdict.message))
    assert alarms == []
