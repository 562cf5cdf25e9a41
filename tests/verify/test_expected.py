"""Expected failures are strict in both directions, and a file of them that is wrong says where."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import verify
from verify import expected
from verify.adapters import ADAPTERS
from verify.case import Case
from verify.checks import CHECKS
from verify.verdict import Status, Verdict

BOUND = {"measured": 0.5, "bound": 1.0, "bound_source": "a test", "compared": 1}
PASSED = Verdict("matrices", "a claim", Case("mine"), Status.PASS, **BOUND)
FAILED = Verdict("matrices", "a claim", Case("mine"), Status.FAIL, message="B[0] is off by 1")
CRASHED = Verdict("ode", "a claim", Case("mine"), Status.ERROR, message="The target raised KeyError: 0.")
SKIPPED = Verdict("equivariance", "a claim", Case("mine"), Status.UNSUPPORTED, message="does not apply")
UNDECIDED = Verdict("scan", "a claim", Case("mine", level="scan"), Status.INCONCLUSIVE, message="too much rounding")


def entry(**conditions):
    return expected.Entry({"target": "mine", **conditions}, "known", "https://example.org/1")


def statuses(verdicts, *entries):
    return [verdict.status for verdict in expected.apply(verdicts, entries)]


def legs(order):
    n = np.arange(order)
    r = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(r, r), -1) - np.diag(n + 1.0), r


def doubled(order):
    A, B = legs(order)
    return A, 2 * B


def rules(path, *entries):
    """A TOML file of entries, each a dict; target, reason and link are filled in."""
    lines = []
    for given in entries:
        lines.append("[[expected]]")
        filled = {"reason": "known", "link": "https://example.org/1", **given}
        lines += [f"{key} = {value!r}" for key, value in filled.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# What a mark means.


def test_a_failure_that_is_expected_is_marked_with_its_reason():
    (verdict,) = expected.apply([FAILED], [entry(check="matrices")])
    assert verdict.status is Status.EXPECTED_FAIL
    assert verdict.message == "B[0] is off by 1 [expected: known; https://example.org/1]"


def test_a_crash_can_be_expected():
    assert statuses([CRASHED], entry(check="ode", match="KeyError")) == [Status.EXPECTED_FAIL]


def test_a_pass_that_was_expected_to_fail_is_news():
    (verdict,) = expected.apply([PASSED], [entry()])
    assert verdict.status is Status.UNEXPECTED_PASS
    assert verdict.message == "passes, but was expected to fail: known"


def test_another_failure_than_the_known_one_stays_a_failure():
    mark = entry(match=r"A\[3, 2\]")
    assert expected.apply([FAILED], [mark]) == [FAILED]
    assert expected.unmatched([mark], ["mine"]) == [mark]


def test_what_did_not_run_is_left_alone():
    assert expected.apply([SKIPPED, UNDECIDED], [entry()]) == [SKIPPED, UNDECIDED]


@pytest.mark.parametrize(
    "conditions",
    [
        {"target": "other"},
        {"check": "ode"},
        {"measure": "legt"},
        {"method": "zoh"},
        {"level": "scan"},
        {"dtype": "float32"},
        {"orders": [8, 16]},
    ],
)
def test_every_condition_must_fit(conditions):
    assert statuses([FAILED], entry(**conditions)) == [Status.FAIL]


def test_all_conditions_may_fit():
    mark = entry(
        check="matrices", measure="legs", method="bilinear", level="matrices", dtype="float64", orders=[4], match="off"
    )
    assert statuses([FAILED], mark) == [Status.EXPECTED_FAIL]


def test_a_star_fits_every_value():
    assert statuses([FAILED, CRASHED], entry(target="*", check="*")) == [Status.EXPECTED_FAIL] * 2


def test_two_entries_may_know_two_failures_of_one_check():
    marks = [entry(match=r"A\[3, 2\]"), entry(match=r"B\[0\]")]
    assert statuses([FAILED], *marks) == [Status.EXPECTED_FAIL]
    assert [mark.used for mark in marks] == [0, 1]


def test_marking_twice_changes_nothing():
    """A campaign that goes on reads verdicts that are marked already."""
    verdicts = [PASSED, FAILED, replace(CRASHED), SKIPPED, UNDECIDED]
    marks = [entry(match="off by|KeyError")]
    once = expected.apply(verdicts, marks)
    assert expected.apply(once, [entry(match="off by|KeyError")]) == once
    again = entry(match="off by|KeyError")
    expected.apply(once, [again])
    assert again.used == 3  # and what it matched then still counts


def test_an_entry_that_matches_nothing_is_found():
    used, unused, elsewhere, everywhere = marks = [
        entry(check="matrices"), entry(check="scan"), entry(target="other"), entry(target="*", check="step"),
    ]  # fmt: skip
    expected.apply([FAILED], marks)
    assert used.used == 1
    assert expected.unmatched(marks, ["mine"]) == [unused, everywhere]
    assert elsewhere not in expected.unmatched(marks, ["mine"])  # it speaks of what was not checked


# The same through `check`.


def test_check_passes_when_all_failures_are_expected(tmp_path):
    path = rules(
        tmp_path / "e.toml", *({"target": "doubled", "check": key} for key in ("matrices", "ode", "structure"))
    )
    report = verify.check(doubled, orders=(4,), expected=path)
    assert (report.status, report.exit_code, report.notes) == ("pass", 0, [])
    assert report.counts["EXPECTED_FAIL"] == 3


def test_check_fails_on_an_unexpected_pass(tmp_path):
    path = rules(tmp_path / "e.toml", {"target": "legs", "check": "matrices"})
    report = verify.check(legs, orders=(4,), expected=path)
    assert (report.status, report.exit_code) == ("fail", 1)
    assert report.counts["UNEXPECTED_PASS"] == 1


def test_check_is_two_when_an_entry_matches_nothing_and_all_else_is_well(tmp_path):
    path = rules(tmp_path / "e.toml", {"target": "legs", "check": "scan"})
    report = verify.check(legs, orders=(4,), expected=path)
    assert (report.status, report.exit_code) == ("pass", 2)
    assert report.notes == ["expected failure matched nothing: target = legs, check = scan"]
    assert report.to_json()["notes"] == report.notes


def test_a_failure_outweighs_an_entry_that_matches_nothing(tmp_path):
    path = rules(tmp_path / "e.toml", {"target": "doubled", "check": "matrices", "match": "of another kind"})
    report = verify.check(doubled, orders=(4,), expected=path)
    assert (report.status, report.exit_code, report.counts["EXPECTED_FAIL"]) == ("fail", 1, 0)
    assert report.notes


def test_an_expected_failure_at_some_orders_leaves_the_others(tmp_path):
    path = rules(tmp_path / "e.toml", {"target": "doubled", "orders": [4]})
    report = verify.check(doubled, orders=(4, 8), expected=path, checks=["matrices"])
    assert [verdict.status for verdict in report.verdicts] == [Status.EXPECTED_FAIL, Status.FAIL]


# Files.

WRONG = {
    "a table of another name": ("[[known]]\ntarget = 'x'\n", r"has \['known'\]; accepted: \[\[expected\]\] tables"),
    "no reason": ("[[expected]]\ntarget = 'x'\nlink = 'l'\n", r"entry 1 of .* lacks \['reason'\]; accepted: check, "),
    "an empty link": ("[[expected]]\ntarget = 'x'\nreason = 'r'\nlink = ''\n", r"entry 1 of .* lacks \['link'\]"),
    "an unknown field": (
        "[[expected]]\ntarget = 'x'\nreason = 'r'\nlink = 'l'\norder = 4\n",
        r"entry 1 of .* has unknown \['order'\] .* required: target, reason, link",
    ),
    "the second entry": (
        "[[expected]]\ntarget = 'x'\nreason = 'r'\nlink = 'l'\n[[expected]]\ntarget = 'x'\nreason = 'r'\n",
        r"entry 2 of .* lacks \['link'\]",
    ),
    "a match that is no expression": (
        "[[expected]]\ntarget = 'x'\nreason = 'r'\nlink = 'l'\nmatch = '('\n",
        r"entry 1 of .*: match is no expression: ",
    ),
    "no TOML": ("[[expected]\n", r"e\.toml is not TOML: "),
    "one table": (
        "[expected]\ntarget = 'x'\nreason = 'r'\nlink = 'l'\n",
        r"e\.toml .*accepted: \[\[expected\]\] tables",
    ),
    "a number": ("expected = 3\n", r"e\.toml .*accepted: \[\[expected\]\] tables"),
    "numbers": ("expected = [3]\n", r"e\.toml .*accepted: \[\[expected\]\] tables"),
    "one order": (
        "[[expected]]\ntarget = 'x'\nreason = 'r'\nlink = 'l'\norders = 4\n",
        r"entry 1 of .*: orders is 4; accepted: ",
    ),
    "a match that is no text": (
        "[[expected]]\ntarget = 'x'\nreason = 'r'\nlink = 'l'\nmatch = 4\n",
        r"entry 1 of .*: match is 4; accepted: ",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_says_where(tmp_path, name):
    text, message = WRONG[name]
    path = tmp_path / "e.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"^expected failures: .*" + message):
        expected.load(path)


def test_a_file_that_cannot_be_read_says_which(tmp_path):
    with pytest.raises(ValueError, match=r"^expected failures: cannot read .*gone\.toml: No such file or directory$"):
        expected.load(tmp_path / "gone.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ValueError, match=r"^expected failures: .*latin\.toml"):
        expected.load(tmp_path / "latin.toml")


def test_an_empty_file_expects_nothing(tmp_path):
    (tmp_path / "e.toml").write_text("", encoding="utf-8")
    assert expected.load(tmp_path / "e.toml") == []


def test_the_file_that_is_shipped_speaks_of_what_there_is():
    entries = expected.load(expected.SHIPPED)
    assert entries
    assert Path(expected.SHIPPED).name == "expected_failures.toml"
    for known in entries:
        assert known.conditions["target"] in ADAPTERS
        assert known.conditions.get("check", "matrices") in CHECKS
        assert known.link.startswith("https://")
