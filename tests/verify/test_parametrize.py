"""Our checks in somebody else's pytest suite: right targets pass, wrong ones fail, the rest says why it is skipped."""

import subprocess
import sys

import numpy as np
import pytest

import verify
from verify.case import DEFAULT_ORDERS
from verify.checks import CHECKS
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
    assert {(check.level, check.key) for check in found} == wanted


def test_names_are_the_ids_of_the_tests():
    mark = parametrize_with_checks([legs], orders=(4,))
    assert mark.mark.name == "parametrize"
    assert mark.mark.args[0] == "check"
    assert [mark.mark.kwargs["ids"](check) for check in checks_of(mark)] == [repr(c) for c in checks_of(mark)]


def test_orders_may_be_an_iterator():
    """One that is used up by the first target must not leave the second without tests."""
    found = checks_of(parametrize_with_checks([legs, doubled], orders=iter([4])))
    assert {check.target for check in found} == {legs, doubled}


# What it decides.


def test_a_right_target_passes_or_is_skipped_with_a_reason():
    found = outcomes(legs, orders=(4,))
    assert {key.rpartition("-")[2]: kind for key, (kind, _) in found.items()} == {
        "matrices": "passed", "ode": "passed", "equivariance": "skipped", "determinism": "passed",
    }  # fmt: skip
    assert found["legs-legs-matrices-N4-equivariance"][1] == (
        "the scale law has no theta: the property is one of scans"
    )


def test_a_wrong_target_fails_and_says_what_is_wrong():
    kind, message = outcomes(doubled, orders=(4,))["doubled-legs-matrices-N4-matrices"]
    assert kind == "failed"
    assert message.startswith("FAIL: B[")
    assert CHECKS["matrices"].claim in message


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


def test_options_make_the_case():
    def lagt(order):
        return -np.tril(np.ones((order, order))), np.ones(order)

    found = outcomes(lagt, measure="lagt", alpha=0, beta=1, dt=0.01, dtype="float32", orders=(4,))
    assert found["lagt-lagt-matrices-N4-matrices"] == ("passed", "")


def test_in_a_suite_of_its_own(tmp_path):
    """Outcomes and summary as pytest itself reports them, in a process without our configuration."""
    (tmp_path / "test_theirs.py").write_text(
        "import numpy as np\n"
        "import verify\n\n\n"
        "def legs(order, gain=1.0):\n"
        "    n = np.arange(order)\n"
        "    r = np.sqrt(2.0 * n + 1)\n"
        "    return -np.tril(np.outer(r, r), -1) - np.diag(n + 1.0), gain * r\n\n\n"
        "def loud(order):\n"
        "    return legs(order, 2.0)\n\n\n"
        "@verify.parametrize_with_checks([legs, loud], orders=[4])\n"
        "def test_hippo(check):\n"
        "    check()\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "test_theirs.py"],
        cwd=tmp_path, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 failed, 4 passed, 2 skipped" in done.stdout
    assert "test_hippo[loud-legs-matrices-N4-matrices]" in done.stdout
    assert "FAIL: B[" in done.stdout
    assert "the scale law has no theta" in done.stdout
