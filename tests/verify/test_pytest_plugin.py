"""The pytest plugin as a third party meets it: in a folder of its own, alone and under pytest-xdist."""

import re
import subprocess
import sys
from importlib import metadata

import pytest

from verify import pytest_plugin
from verify.checks import SUITES
from verify.coverage import Requirement

SUITE = """
import numpy as np
import pytest

import verify

CHECKS = ("matrices", "ode", "equivariance")


def legs(order, gain=1.0):
    n = np.arange(order)
    r = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(r, r), -1) - np.diag(n + 1.0), gain * r


def loud(order):
    return legs(order, 2.0)


def another_legs():
    def legs(order):
        return loud(order)

    return legs


@verify.parametrize_with_checks([legs, loud, another_legs()], orders=[4], checks=CHECKS)
def test_hippo(check):
    check()


@verify.parametrize_with_checks([legs], orders=[3, 5], checks=["ode"], seed=3)
def test_seeded(check):
    assert (check.suite, check.seed) == (EXPECTED_SUITE, 3)
    check()


@pytest.mark.xfail(strict=True, reason="known")
@verify.parametrize_with_checks([loud], orders=[4], checks=["matrices"])
def test_known(check):
    check()


@pytest.mark.skip(reason="not on Sundays")
@verify.parametrize_with_checks([legs], orders=[4], checks=["matrices"])
def test_skipped(check):
    check()


@verify.parametrize_with_checks([legs], orders=[4], checks=["matrices"])
def test_forgets(check):
    pass


def test_theirs():
    pass
"""
LIGHT = """
import sys


def test_light():
    heavy = {"flint", "hypothesis", "mpmath", "numpy", "rich", "scipy", "torch", "hippo_ref", "hippo_fast"}
    assert not heavy & set(sys.modules)
    ours = {name for name in sys.modules if name.partition(".")[0] == "verify"}
    assert ours == {"verify", "verify.pytest_plugin"}
"""
OUTCOMES = {
    "test_hippo[legs-legs-matrices-N4-matrices]": "PASSED",
    "test_hippo[legs-legs-matrices-N4-ode]": "PASSED",
    "test_hippo[legs-legs-matrices-N4-equivariance]": "SKIPPED",
    "test_hippo[loud-legs-matrices-N4-matrices]": "FAILED",
    "test_hippo[loud-legs-matrices-N4-ode]": "FAILED",
    "test_hippo[loud-legs-matrices-N4-equivariance]": "SKIPPED",
    "test_hippo[legs#2-legs-matrices-N4-matrices]": "FAILED",
    "test_hippo[legs#2-legs-matrices-N4-ode]": "FAILED",
    "test_hippo[legs#2-legs-matrices-N4-equivariance]": "SKIPPED",
    "test_seeded[legs-legs-matrices-N3-ode]": "PASSED",
    "test_seeded[legs-legs-matrices-N5-ode]": "PASSED",
    "test_known[loud-legs-matrices-N4-matrices]": "XFAIL",
    "test_skipped[legs-legs-matrices-N4-matrices]": "SKIPPED",
    "test_forgets[legs-legs-matrices-N4-matrices]": "PASSED",
    "test_theirs": "PASSED",
}
SUMMARY = [
    "9 of 14 checks reached a verdict (full suite, seed 3, 7): "
    "1 EXPECTED_FAIL, 4 FAIL, 1 NO VERDICT, 4 PASS, 1 SKIPPED",
    "3 skipped: the scale law has no theta: the property is one of scans",
    "1 skipped: not on Sundays",
    "1 without a verdict: the test did not call its check",
]
ALONE = ("-p", "no:xdist")
WORKERS = ("-n", "2")
RIGHT = ("test_theirs.py", "-k", "test_hippo", "-m", "hippo(target='legs')")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "test_theirs.py").write_text(f"EXPECTED_SUITE = 'full'\n{SUITE}", encoding="utf-8")
    (folder / "test_bare.py").write_text(f"EXPECTED_SUITE = 'quick'\n{SUITE}", encoding="utf-8")
    (folder / "test_plain.py").write_text("def test_plain():\n    pass\n", encoding="utf-8")
    (folder / "test_light.py").write_text(LIGHT, encoding="utf-8")
    (folder / "theirs.ini").write_text("[pytest]\nhippo_require_coverage = 66%\nhippo_seed = 5\n", encoding="utf-8")
    return folder


def run(folder, *options, python=("-W", "error")):
    """pytest on a folder outside our configuration, warnings being errors as in ours."""
    command = [sys.executable, *python, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly"]
    return subprocess.run(
        [*command, "--strict-markers", *options], cwd=folder, check=False, capture_output=True, text=True, timeout=180
    )


def said(output):
    """The lines of our summary."""
    _, separator, rest = output.partition("= hippo-verify =")
    assert separator, output
    return rest[rest.index("\n") + 1 : rest.index("\n===")].splitlines()


@pytest.mark.parametrize("processes", [ALONE, WORKERS], ids=["alone", "xdist"])
def test_outcomes_ids_and_summary_are_the_same_in_any_process(folder, processes):
    options = ("-v", "--hippo-suite", "full", "--hippo-seed", "7", "--require-coverage", "9", "test_theirs.py")
    done = run(folder, *processes, *options)
    assert done.returncode == 1, done.stdout + done.stderr
    shown = re.findall(r"test_theirs\.py::(\S+)(?:.*?)\b(PASSED|FAILED|SKIPPED|XFAIL)\b", done.stdout)
    shown += [(name, word) for word, name in re.findall(r"\b([A-Z]+) +test_theirs\.py::(\S+)", done.stdout)]
    assert dict(shown) == OUTCOMES
    *lines, closest = said(done.stdout)
    assert lines == SUMMARY
    assert re.fullmatch(r"closest to its limit: error ÷ bound 0\.\d+ in test_theirs\.py::test_\w+\[legs-.*\]", closest)
    # pytest's short summary repeats the messages where the variable CI is set, and cuts them elsewhere.
    failures, *_ = done.stdout.partition("short test summary info")
    assert failures.count("B is twice the LegS B, because B/2 and A agree entry by entry (N = 4)") == 4
    assert "warning" not in done.stdout


@pytest.mark.parametrize("processes", [ALONE, WORKERS], ids=["alone", "xdist"])
def test_too_few_verdicts_fail_a_run_that_is_well(folder, processes):
    done = run(folder, *processes, *RIGHT, "--require-coverage", "67%")
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"2 passed, 1 skipped.* in ", done.stdout)
    assert "\ncoverage is too small: 2 of 3 checks reached a verdict; required: 67%, which is 3\n" in done.stdout
    assert "failed" not in done.stdout


def test_enough_verdicts_are_well(folder):
    """The file has a requirement and a seed; the command line comes before it."""
    done = run(folder, *ALONE, "-c", "theirs.ini", *RIGHT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert said(done.stdout)[0] == "2 of 3 checks reached a verdict (quick suite, seed 5): 2 PASS"
    done = run(folder, *ALONE, "-c", "theirs.ini", "--require-coverage", "1", "test_plain.py")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "coverage is too small: 0 of 0 checks reached a verdict; required: 1\n" in done.stdout


def test_the_checks_run_without_the_plugin(folder):
    done = run(folder, *ALONE, "-p", "no:hippo_verify", "-q", "test_bare.py")
    assert done.returncode == 1
    assert "4 failed, 6 passed, 4 skipped, 1 xfailed" in done.stdout
    assert "= hippo-verify =" not in done.stdout


MALFORMED = [
    (("--hippo-suite", "huge"), "--hippo-suite is 'huge'; accepted: quick, full"),
    (("--hippo-suite", ""), "--hippo-suite is ''; accepted: quick, full"),
    (("--hippo-seed", "1.5"), "--hippo-seed is '1.5'; accepted: an integer"),
    (("-o", "hippo_seed=one"), "hippo_seed is 'one'; accepted: an integer"),
    (
        ("-o", "hippo_require_coverage=most"),
        "hippo_require_coverage is 'most'; accepted: a number of checks, such as 40, or a share of them, such as 90%",
    ),
    (
        ("--require-coverage", ""),
        "--require-coverage is ''; accepted: a number of checks, such as 40, or a share of them, such as 90%",
    ),
]


@pytest.mark.parametrize(("options", "message"), MALFORMED, ids=[" ".join(row[0]) for row in MALFORMED])
def test_a_value_that_is_not_accepted_is_named(folder, options, message):
    done = run(folder, *ALONE, *options, "test_plain.py")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {message}\n" in done.stderr


def test_a_suite_without_our_checks_pays_next_to_nothing(folder):
    """Neither a heavy library nor the rest of ours is imported, and nothing is printed."""
    # Without the other plugins of this environment: they may import numpy.
    done = run(folder, "--disable-plugin-autoload", "-p", "hippo_verify", "test_light.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hippo-verify" not in done.stdout.partition("collected")[2]


def test_the_plugin_is_registered_where_it_is_installed():
    (entry,) = metadata.entry_points(group="pytest11", name="hippo_verify")
    assert entry.value == "verify.pytest_plugin"
    assert tuple(SUITES) == pytest_plugin.SUITES


# The count, without a run.


def record(status, reason="", ratio=None):
    return {"status": status, "reason": reason, "ratio": ratio, "suite": "quick", "seed": 0}


class Report:
    def __init__(self, name, **kept):
        self.nodeid = name
        if kept:
            self.hippo_verify = kept


class Node:
    def __init__(self, **output):
        self.workeroutput = output


def tally(*records, required=None):
    counted = pytest_plugin.Tally("quick", 0, required)
    for number, kept in enumerate(records):
        counted.pytest_runtest_logreport(Report(f"t{number}", **kept))
    return counted


def test_only_so_many_reasons_are_listed():
    reasons = [record("UNSUPPORTED", f"reason {n}") for n in range(8)]
    lines = tally(*reasons, record("UNSUPPORTED", "reason 6"), record("SKIPPED", "reason 7")).summary()
    assert lines[1] == "2 skipped: reason 6"
    assert lines[2] == "2 skipped: reason 7"
    assert lines[-1] == "3 without a verdict for 3 other reasons"
    assert len(lines) == 2 + pytest_plugin.SHOWN


def test_the_closest_of_those_that_passed_is_named():
    lines = tally(record("PASS", ratio=0.2), record("PASS", ratio=0.6), record("FAIL", "off", ratio=9.0)).summary()
    assert lines[-1] == "closest to its limit: error ÷ bound 0.6 in t1"


def test_a_test_run_again_counts_once():
    counted = tally(record("ERROR", "once"))
    counted.pytest_runtest_logreport(Report("t0", **record("PASS", ratio=0.5)))
    counted.pytest_runtest_logreport(Report("t0"))  # its teardown
    assert counted.summary()[0] == "1 of 1 checks reached a verdict (quick suite, seed 0): 1 PASS"


def test_what_a_lost_worker_did_not_run_is_missing():
    """Those that end tell how many were selected, those that crash tell nothing."""
    counted = tally(record("PASS", ratio=0.5), required=Requirement.parse("100%"))
    assert counted.coverage.met
    for node in (Node(), Node(hippo_selected=4), object()):
        counted.pytest_testnodedown(node)
    assert counted.summary()[:2] == [
        "1 of 4 checks reached a verdict (quick suite, seed 0): 1 PASS",
        "3 did not run",
    ]
    assert counted.coverage.shortfall == "1 of 4 checks reached a verdict; required: 100%, which is 4"
