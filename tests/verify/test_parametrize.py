"""Our checks in somebody else's pytest suite: right targets pass, wrong ones fail, the rest says why it is skipped."""

from functools import partial

import numpy as np
import pytest

import verify
from verify.campaign import default_oracle
from verify.candidates import right_model
from verify.case import DEFAULT_ORDERS, LEVELS
from verify.cases import UsageError, make_case
from verify.checks import CHECKS, SUITES
from verify.parametrize import TargetCheck, parametrize_with_checks

MATRIX_CHECKS = [key for key, check in CHECKS.items() if "matrices" in check.levels]


def legs(order):
    n = np.arange(order)
    r = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(r, r), -1) - np.diag(n + 1.0), r


def doubled(order):
    A, B = legs(order)
    return A, 2 * B


def loose(order):
    """Undecidable: more than careful rounding, less than a backward-stable library may lose."""
    A, B = legs(order)
    return A * (1 + 3e-15), B * (1 + 3e-15)


def raises(order):
    raise RuntimeError("not today")


def scan_legs(samples, order):
    A, B = legs(order)
    unit, state, states = np.eye(order), np.zeros(order), []
    for k, sample in enumerate(samples):
        right = (unit + A / (2 * k)) @ state + B / k * sample if k else unit[0] * sample
        state = np.linalg.solve(unit - A / (2 * k), right) if k else right
        states.append(state)
    return np.array(states)


class Both:
    def matrices(self, order):
        return legs(order)

    def scan(self, samples, order):
        return scan_legs(samples, order)


def checks_of(mark):
    return mark.mark.args[1]


def outcome(check):
    """("passed" | "failed" | "skipped", message) of one check, as pytest would see it."""
    try:
        check()
    except pytest.fail.Exception as failed:
        return "failed", str(failed)
    except pytest.skip.Exception as skipped:
        return "skipped", str(skipped)
    return "passed", ""


def outcomes(*targets, **options):
    return {repr(check): outcome(check) for check in checks_of(parametrize_with_checks(targets, **options))}


# As a third party writes it; these tests are the decorator's own.


@parametrize_with_checks([legs], orders=(4, 8))
def test_decorated(check):
    assert isinstance(check, TargetCheck)
    check()


@verify.parametrize_with_checks([Both()], orders=[4])
def test_decorated_object(check):
    check()


# What it expands to.


def test_every_check_of_every_level_and_order_is_there():
    names = [repr(check) for check in checks_of(parametrize_with_checks([legs]))]
    assert names == [f"legs-legs-matrices-N{order}-{key}" for order in DEFAULT_ORDERS for key in MATRIX_CHECKS]
    assert len(set(names)) == len(names)


def test_an_object_is_tried_at_each_level_it_offers():
    found = checks_of(parametrize_with_checks([Both()], orders=(4,)))
    wanted = {(level, key) for level in ("matrices", "scan") for key, c in CHECKS.items() if level in c.levels}
    assert {(check.case.level, check.key) for check in found} == wanted


def test_names_are_the_ids_of_the_tests():
    mark = parametrize_with_checks([legs], orders=(4,))
    assert mark.mark.name == "parametrize"
    assert mark.mark.args[0] == "check"
    assert [mark.mark.kwargs["ids"](check) for check in checks_of(mark)] == [repr(c) for c in checks_of(mark)]


def test_orders_may_be_an_iterator():
    """One that is used up by the first target must not leave the second without tests."""
    found = checks_of(parametrize_with_checks([legs, doubled], orders=iter([4])))
    assert {check.target for check in found} == {legs, doubled}


def test_checks_come_in_the_order_of_the_table():
    """A set has another order in every process, and pytest-xdist wants one order."""
    asked = {"determinism", "ode", "matrices"}
    found = checks_of(parametrize_with_checks([legs], orders=(4,), checks=asked))
    assert [check.key for check in found] == [key for key in CHECKS if key in asked]
    assert [check.key for check in checks_of(parametrize_with_checks([legs], orders=(4,), checks="ode"))] == ["ode"]


def test_targets_of_one_name_have_ids_of_their_own():
    """A third one with a name of its own comes between, and none of the four takes another's."""
    targets = [partial(legs), legs, partial(doubled), Both(), partial(legs)]
    found = checks_of(parametrize_with_checks(targets, orders=(4,), checks=["matrices"]))
    assert [repr(check) for check in found] == [
        f"{name}-legs-matrices-N4-matrices" for name in ("partial", "legs", "partial#2", "Both", "partial#3")
    ]
    assert [check.target for check in found] == targets


def test_a_mapping_gives_names():
    found = checks_of(parametrize_with_checks({"a": legs, "a#2": legs, 3: legs}, orders=(4,), checks=["ode"]))
    assert [check.case.target for check in found] == ["a", "a#2", "3"]


def test_a_name_that_looks_like_a_second_one_is_told_apart():
    found = checks_of(parametrize_with_checks({1: legs, "1#2": legs, "1": legs}, orders=(4,), checks=["ode"]))
    assert [check.case.target for check in found] == ["1", "1#2", "1#3"]


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_that_a_check_speaks_of_can_be_asked_for(level):
    speaking = [key for key, check in CHECKS.items() if level in check.levels]
    if not speaking:
        with pytest.raises(UsageError, match=f"it offers {level}, of which no check of all checks speaks$"):
            parametrize_with_checks([legs], level=level, orders=(4,))
        return
    found = checks_of(parametrize_with_checks([legs], level=level, orders=(4,)))
    assert [(check.key, check.case.level) for check in found] == [(key, level) for key in speaking]


def test_suite_and_seed_are_of_the_run_unless_the_decorator_says():
    (left,) = checks_of(parametrize_with_checks([legs], orders=(4,), checks=["ode"]))
    (given,) = checks_of(parametrize_with_checks([legs], orders=(4,), checks=["ode"], suite="full", seed=3))
    assert [(check.suite, check.seed) for check in (left, given)] == [("quick", 0), ("full", 3)]
    for check in (left, given):
        check.prepare("full", 7)
    assert [(check.suite, check.seed) for check in (left, given)] == [("full", 7), ("full", 3)]
    assert {left.suite, given.suite} <= set(SUITES)


def test_what_was_found_is_kept_until_the_next_run():
    (check,) = checks_of(parametrize_with_checks([legs], orders=(4,), checks=["matrices"]))
    assert check.verdict is None
    check()
    assert check.verdict.status == "PASS"
    assert check.verdict.case.target == "legs"
    check.prepare("quick", 0)
    assert check.verdict is None


def test_the_seed_reaches_the_draws():
    """A target is asked other questions under another seed, and the same ones under the same."""
    asked = []

    def recorder(samples, order):
        asked[-1].append(samples.tobytes())
        return scan_legs(samples, order)

    for seed in (0, 1, 0):
        asked.append([])
        (check,) = checks_of(parametrize_with_checks([recorder], level="scan", orders=(4,), checks=["scan"], seed=seed))
        check()
    assert asked[0] == asked[2] != asked[1]


REFUSED = [
    ({"targets": {legs}}, r"^targets is a set, whose order differs from process to process; give a list$"),
    ({"targets": "legs"}, r"^targets is 'legs'; accepted: a list of callables or objects, or a mapping of names"),
    ({"targets": legs}, r"^targets is <function legs at .*>; accepted: a list of callables or objects, or a mapping"),
    ({"targets": ["a.py:f"]}, r"^target 'a.py:f' is a string; import it and give the object, or check it by verify\."),
    ({"targets": [Both()], "level": "step"}, r"^level is 'step'; target Both offers matrices, scan$"),
    ({"targets": [Both()], "level": "stop"}, r"^level is 'stop'; accepted: matrices, step, "),
    ({"checks": []}, r"^checks is empty; give at least one, or leave it out for all$"),
    ({"checks": ["odes"]}, r"^check is 'odes'; accepted: matrices, ode, "),
    (
        {"checks": ["gradient"]},
        r"^target legs is left without a check: it offers matrices, of which matrices, ode, .* of all checks speaks$",
    ),
    ({"suite": "huge"}, r"^suite is 'huge'; accepted: quick, full$"),
    ({"accuracy": "none"}, r"^accuracy is 'none'; accepted: entrywise, normwise$"),
    ({"seed": "1"}, r"^seed is '1'; accepted: an integer$"),
    ({"seed": True}, r"^seed is True; accepted: an integer$"),
    ({"orders": [4, 0]}, r"^order is 0; accepted: an integer from 1 to 4096$"),
    ({"dt": 0.1}, r"^dt is 0\.1, but legs has no time step"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[str(list(given)) + m[:30] for given, m in REFUSED])
def test_what_makes_no_tests_is_refused_at_once(given, message):
    options = {"targets": [legs], **given}
    with pytest.raises(UsageError, match=message):
        parametrize_with_checks(options.pop("targets"), **options)


# What it decides.


def test_a_right_target_passes_or_is_skipped_with_a_reason():
    found = {check.key: (check, outcome(check)) for check in checks_of(parametrize_with_checks([legs], orders=(4,)))}
    assert {"matrices", "ode", "equivariance"} <= set(found)
    for key, (check, (kind, message)) in found.items():
        reason = CHECKS[key].why_not(check.case)
        assert (kind, message) == (("passed", "") if reason is None else ("skipped", reason))
    assert found["equivariance"][1][0] == "skipped"


def test_a_wrong_target_fails_and_says_what_is_wrong():
    kind, message = outcomes(doubled, orders=(4,))["doubled-legs-matrices-N4-matrices"]
    assert kind == "failed"
    assert message.startswith("FAIL: B[")
    assert "\n  B is twice the LegS B, because B/2 and A agree entry by entry (N = 4)\n" in message
    assert CHECKS["matrices"].claim in message
    assert message.endswith("case: legs N=4 matrices float64, quick suite, seed 0")


def test_what_cannot_be_decided_fails():
    kind, message = outcomes(loose, orders=(4,))["loose-legs-matrices-N4-matrices"]
    assert (kind, message.partition(":")[0]) == ("failed", "INCONCLUSIVE")


def test_an_exception_fails():
    kind, message = outcomes(raises, orders=(4,))["raises-legs-matrices-N4-matrices"]
    assert kind == "failed"
    assert message.startswith("ERROR: RuntimeError: not today")


def test_a_plain_callable_can_be_of_another_level():
    found = outcomes(scan_legs, level="scan", orders=(4,))
    assert found["scan_legs-legs-scan-N4-scan"] == ("passed", "")
    assert {kind for kind, _ in found.values()} == {"passed", "skipped"}


def test_a_right_object_passes_at_every_level():
    """The candidates' model offers all levels, and none of them is lost on the way."""
    model = right_model(make_case("model", "legs", order=4, level="scan"), default_oracle())
    found = checks_of(parametrize_with_checks({"model": model}, orders=(4,)))
    assert {check.case.level for check in found} == {level for check in CHECKS.values() for level in check.levels}
    ended = {repr(check): outcome(check) for check in found}
    assert {kind for kind, _ in ended.values()} == {"passed", "skipped"}, ended


def test_options_make_the_case():
    def lagt(order):
        return -np.tril(np.ones((order, order))), np.ones(order)

    found = outcomes(lagt, measure="lagt", alpha=0, beta=1, dt=0.01, dtype="float32", orders=(4,))
    assert found["lagt-lagt-matrices-N4-matrices"] == ("passed", "")


def test_normwise_accuracy_is_asked_for():
    """What a factorisation loses is undecided entry by entry and passes by the norm."""
    for accuracy, kind in (("entrywise", "failed"), ("normwise", "passed")):
        found = outcomes(loose, orders=(4,), checks=["matrices"], accuracy=accuracy)
        assert found["loose-legs-matrices-N4-matrices"][0] == kind
