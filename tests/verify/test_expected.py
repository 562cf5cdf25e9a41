"""Expected failures are strict in every direction, and a file of them that is wrong says where."""

import platform
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import verify
from verify import campaign, expected
from verify.adapters import ADAPTERS
from verify.case import Case
from verify.checks import CHECKS, SUITES
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
    """A TOML file of entries, each a dict; reason and link are filled in."""
    lines = []
    for given in entries:
        lines.append("[[expected]]")
        filled = {"reason": "known", "link": "https://example.org/1", **given}
        lines += [f"{key} = {value if isinstance(value, date) else repr(value)}" for key, value in filled.items()]
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
    assert expected.notes([mark]) == [r"expected failure matched nothing: target = mine, match = A\[3, 2\]"]


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


def test_an_entry_that_matches_nothing_is_found(tmp_path):
    path = rules(
        tmp_path / "e.toml",
        {"target": "mine", "check": "matrices"},
        {"target": "mine", "check": "scan"},
        {"target": "other"},  # it speaks of what was not checked
        {"target": "*", "check": "step"},
    )
    marks = expected.load(path, ["mine"])
    expected.apply([FAILED], marks)
    assert [mark.used for mark in marks] == [1, 0, 0]
    nothing = "expected failure matched nothing: target = "
    assert expected.notes(marks) == [f"{nothing}mine, check = scan", f"{nothing}*, check = step"]


# Until when.


@pytest.fixture
def on(monkeypatch):
    """The date that entries are judged by."""
    return lambda day: monkeypatch.setenv(expected.TODAY, day)


def judged(tmp_path, verdicts, **fields):
    """Verdicts under one entry of a file, and what is said of the entry."""
    marks = expected.load(rules(tmp_path / "e.toml", {"target": "mine", **fields}), ["mine"])
    return expected.apply(verdicts, marks), expected.notes(marks)


def test_the_day_before_an_entry_expires_it_still_counts(tmp_path, on):
    on("2027-01-30")
    (failed, crashed), said = judged(tmp_path, [FAILED, CRASHED], expires=date(2027, 1, 31))
    assert (failed.status, crashed.status) == (Status.EXPECTED_FAIL, Status.EXPECTED_FAIL)
    assert said == []


@pytest.mark.parametrize("day", ["2027-01-31", "2027-02-01", "2031-12-31"])
def test_from_the_day_it_expires_failures_fail_again_and_say_since_when(tmp_path, on, day):
    on(day)
    (failed, crashed), said = judged(tmp_path, [FAILED, CRASHED], expires=date(2027, 1, 31))
    assert (failed.status, crashed.status) == (Status.FAIL, Status.ERROR)
    end = " [not expected: the entry expired on 2027-01-31: known; https://example.org/1]"
    assert failed.message == FAILED.message + end
    assert crashed.message == CRASHED.message + end
    assert said == ["expected failure expired on 2027-01-31; renew or remove it: target = mine"]


def test_what_passes_under_an_expired_entry_is_no_news_but_the_entry_is(tmp_path, on):
    on("2027-01-31")
    verdicts, said = judged(tmp_path, [PASSED], expires=date(2027, 1, 31))
    assert verdicts == [PASSED]
    assert said == ["expected failure expired on 2027-01-31; renew or remove it: target = mine"]


def test_an_expired_entry_speaks_of_the_failure_it_knew_alone(tmp_path, on):
    on("2027-01-31")
    verdicts, _ = judged(tmp_path, [FAILED], expires=date(2027, 1, 31), match=r"A\[3, 2\]")
    assert verdicts == [FAILED]


def test_an_entry_in_force_wins_over_an_expired_one(tmp_path, on):
    on("2027-01-31")
    path = rules(
        tmp_path / "e.toml", {"target": "mine", "expires": date(2027, 1, 1)}, {"target": "mine", "check": "matrices"}
    )
    marks = expected.load(path, ["mine"])
    assert [verdict.status for verdict in expected.apply([FAILED], marks)] == [Status.EXPECTED_FAIL]
    assert [mark.used for mark in marks] == [0, 1]


def test_an_expired_entry_said_twice_is_said_once(tmp_path, on):
    on("2027-01-31")
    path = rules(tmp_path / "e.toml", {"target": "mine", "expires": date(2027, 1, 31)})
    once = expected.apply([FAILED], expected.load(path, ["mine"]))
    assert expected.apply(once, expected.load(path, ["mine"])) == once


def test_today_is_the_clock_of_utc_unless_it_is_given(monkeypatch, on):
    monkeypatch.delenv(expected.TODAY, raising=False)
    assert abs(expected.today() - datetime.now(UTC).date()) <= timedelta(days=1)
    on("2027-01-31")
    assert expected.today() == date(2027, 1, 31)


@pytest.mark.parametrize("day", ["tomorrow", "2027-02-30", "31.1.2027", "2027-01-31T00:00:00"])
def test_a_date_that_is_none_is_refused(tmp_path, on, day):
    on(day)
    with pytest.raises(ValueError, match=r"^HIPPO_VERIFY_TODAY is '.*'; accepted: a date such as 2027-01-31$"):
        expected.load(rules(tmp_path / "e.toml", {"target": "mine"}), ["mine"])


# With which versions.

NUMPY = metadata.version("numpy")
HERE = [
    [f"numpy=={NUMPY}"],
    ["numpy>=2"],
    ["NumPy >= 2, != 1999"],
    ["numpy>=2", "mpmath>=1"],
    ["python>=3.11"],
    [f"Python=={platform.python_version()}"],
]
ELSEWHERE = [
    (["numpy<2"], f"numpy<2, and {NUMPY} is installed"),
    (["mpmath>=1", "numpy<2"], f"numpy<2, and {NUMPY} is installed"),
    (["numpy>=2,<2.0"], f"numpy<2.0,>=2, and {NUMPY} is installed"),
    (["python<3.11"], f"python<3.11, and {platform.python_version()} is installed"),
]


@pytest.mark.parametrize("versions", HERE)
def test_an_entry_counts_where_all_its_versions_are_installed(tmp_path, versions):
    (failed, passed), said = judged(tmp_path, [FAILED, PASSED], versions=versions)
    assert (failed.status, passed.status) == (Status.EXPECTED_FAIL, Status.UNEXPECTED_PASS)
    assert said == []


@pytest.mark.parametrize(("versions", "why"), ELSEWHERE)
def test_an_entry_for_other_versions_does_not_apply_and_is_no_fault(tmp_path, versions, why):
    (failed, passed), said = judged(tmp_path, [FAILED, PASSED], versions=versions)
    assert failed.status is Status.FAIL
    assert failed.message == f"{FAILED.message} [not expected: the entry is for {why}: known; https://example.org/1]"
    assert passed == PASSED
    assert said == []


@pytest.mark.parametrize(
    ("installed", "wanted", "applies"),
    [
        ("2.13.0+cpu", "torch==2.13.0", True),  # a local version is that version
        ("2.14.0.dev20261101", "torch>=2.13", True),  # a nightly build is a version too
        ("2.14.0.dev20261101", "torch<2.14", False),
        ("2.14.0rc1", "torch>=2.14", False),  # not yet
        ("0.10.2", "torch>=0.9", True),  # numbers, not text
        ("1.4.2", "torch~=1.4.0", True),
    ],
)
def test_versions_are_compared_by_pep_440(tmp_path, monkeypatch, installed, wanted, applies):
    monkeypatch.setattr(metadata, "version", lambda name: installed)
    (failed,), _ = judged(tmp_path, [FAILED], versions=[wanted])
    assert (failed.status is Status.EXPECTED_FAIL) is applies


def test_a_distribution_that_is_not_installed_is_an_error_where_it_matters(tmp_path):
    path = rules(tmp_path / "e.toml", {"target": "other", "versions": ["nunpy>=2"]})
    assert expected.load(path, ["mine"]) == []
    message = (
        r"^expected failures: entry 1 of .*e\.toml: versions has 'nunpy>=2', and nunpy is not installed; accepted: "
    )
    with pytest.raises(ValueError, match=message):
        expected.load(path, ["other"])


def test_an_installed_version_that_cannot_be_compared_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "unknown")
    path = rules(tmp_path / "e.toml", {"target": "mine", "versions": ["numpy>=2"]})
    with pytest.raises(
        ValueError, match=r"versions has 'numpy>=2', and the version installed is 'unknown'; accepted: "
    ):
        expected.load(path, ["mine"])


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


def test_check_fails_from_the_day_an_entry_expires(tmp_path, on):
    path = rules(tmp_path / "e.toml", {"target": "doubled", "expires": date(2027, 1, 31)})
    on("2027-01-30")
    report = verify.check(doubled, orders=(4,), checks=["matrices"], expected=path)
    assert (report.status, report.exit_code, report.notes) == ("pass", 0, [])
    on("2027-01-31")
    report = verify.check(doubled, orders=(4,), checks=["matrices"], expected=path)
    assert (report.status, report.exit_code) == ("fail", 1)
    assert "[not expected: the entry expired on 2027-01-31: known;" in report.verdicts[0].message
    assert report.notes == ["expected failure expired on 2027-01-31; renew or remove it: target = doubled"]


def test_check_is_two_when_an_entry_expired_and_all_is_well(tmp_path, on):
    on("2027-01-31")
    path = rules(tmp_path / "e.toml", {"target": "legs", "expires": date(2027, 1, 31)})
    report = verify.check(legs, orders=(4,), checks=["matrices"], expected=path)
    assert (report.status, report.exit_code, len(report.notes)) == ("pass", 2, 1)


def test_check_is_well_where_an_entry_is_for_other_versions(tmp_path):
    path = rules(tmp_path / "e.toml", {"target": "legs", "versions": ["numpy<2"]})
    report = verify.check(legs, orders=(4,), checks=["matrices"], expected=path)
    assert (report.status, report.exit_code, report.notes) == ("pass", 0, [])


def test_check_is_refused_before_the_target_is_asked(tmp_path):
    def never(order):
        raise AssertionError("asked")

    path = rules(tmp_path / "e.toml", {"target": "never", "versions": ["nunpy>=2"]})
    with pytest.raises(ValueError, match="nunpy is not installed"):
        verify.check(never, orders=(4,), checks=["matrices"], expected=path)


def test_a_failure_outweighs_an_entry_that_matches_nothing(tmp_path):
    path = rules(tmp_path / "e.toml", {"target": "doubled", "check": "matrices", "match": "of another kind"})
    report = verify.check(doubled, orders=(4,), expected=path)
    assert (report.status, report.exit_code, report.counts["EXPECTED_FAIL"]) == ("fail", 1, 0)
    assert report.notes


def test_an_expected_failure_at_some_orders_leaves_the_others(tmp_path):
    path = rules(tmp_path / "e.toml", {"target": "doubled", "orders": [4]})
    report = verify.check(doubled, orders=(4, 8), expected=path, checks=["matrices"])
    assert [verdict.status for verdict in report.verdicts] == [Status.EXPECTED_FAIL, Status.FAIL]


# The same in a pytest suite.


@pytest.fixture
def suite(tmp_path):
    """What becomes of the checks of both targets at one order, under a file of entries."""

    def run(*entries, checks=("matrices",)):
        path = rules(tmp_path / "e.toml", *entries)
        mark = verify.parametrize_with_checks([legs, doubled], orders=[4], checks=checks, expected=path)
        return {check.case.target: outcome(check) for check in mark.mark.args[1]}

    return run


def outcome(check):
    try:
        check()
    except (pytest.fail.Exception, pytest.skip.Exception, pytest.xfail.Exception) as ended:
        return f"{type(ended).__name__}: {ended}".partition("\n")[0]
    return "passed"


def test_a_suite_marks_what_is_expected(suite):
    assert suite({"target": "doubled"}) == {
        "legs": "passed",
        "doubled": "XFailed: B[3] is off by 2.65, and rounding explains at most 1.42e-14: got 5.29150262213, "
        "expected 2.64575131106 [expected: known; https://example.org/1]",
    }


def test_a_suite_fails_on_an_unexpected_pass(suite):
    found = suite({"target": "legs"}, {"target": "doubled"})
    assert found["legs"] == "Failed: UNEXPECTED_PASS: passes, but was expected to fail: known"


def test_a_suite_warns_of_an_expired_entry_and_fails_again(suite, on):
    on("2027-01-31")
    with pytest.warns(UserWarning, match=r"^expected failure expired on 2027-01-31; renew or remove it: target = doub"):
        found = suite({"target": "doubled", "expires": date(2027, 1, 31)})
    assert found["doubled"].startswith("Failed: FAIL: B[3] is off")
    assert found["doubled"].endswith("[not expected: the entry expired on 2027-01-31: known; https://example.org/1]")


def test_a_suite_with_other_versions_fails(suite):
    assert suite({"target": "doubled", "versions": ["numpy<2"]})["doubled"].startswith("Failed: FAIL: B[3] is off")


@pytest.mark.parametrize("idle", [{"check": "scan"}, {"orders": [8]}, {"measure": "legt"}])
def test_a_suite_is_not_collected_with_an_entry_that_speaks_of_none_of_it(suite, idle):
    with pytest.raises(ValueError, match=r"^expected failure matched nothing: target = doubled, [a-z]+ = "):
        suite({"target": "doubled", **idle})
    suite({"target": "doubled"}, {"target": "elsewhere", **idle})  # another suite's


# The same in a campaign.


def test_a_campaign_that_goes_on_does_not_keep_marks_that_have_expired(tmp_path, on, monkeypatch):
    """A stopped campaign goes on the next day, when an entry no longer counts: no mark of yesterday is taken over."""
    (unit,) = campaign.plan(["hippox-legs"], orders=[4], dtypes=["float64"], suite=SUITES["quick"])
    monkeypatch.setattr(campaign, "run_unit", lambda unit: [replace(FAILED, case=unit.case)])
    monkeypatch.setattr(type(ADAPTERS["hippox-legs"]), "version", lambda self: "0.0.9")
    path = rules(tmp_path / "e.toml", {"target": "hippox-legs", "expires": date(2027, 1, 31)})

    def statuses_on(day, last):
        on(day)
        report = campaign.run([unit], tmp_path / "store", expected=path)
        file = tmp_path / "store" / "verdicts.jsonl"
        if not last:  # as if it had been stopped before the end
            file.write_text("".join(file.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
        return [verdict.status for verdict in report.verdicts], report.exit_code

    assert statuses_on("2027-01-30", last=False) == ([Status.EXPECTED_FAIL], 0)
    assert statuses_on("2027-01-31", last=True) == ([Status.FAIL], 1)


def test_a_campaign_expects_nothing_of_a_library_that_is_not_installed(tmp_path, monkeypatch):
    (unit, *_) = campaign.plan(["hippox-legt"], orders=[4], suite=SUITES["quick"])
    monkeypatch.setattr(campaign, "run_unit", lambda unit: [replace(CRASHED, case=unit.case)])
    monkeypatch.setattr(type(ADAPTERS["hippox-legt"]), "version", lambda self: None)
    path = rules(tmp_path / "e.toml", {"target": "hippox-legt", "versions": ["nonesuch>=1"]})
    report = campaign.run([unit], tmp_path / "store", expected=path)
    assert ([verdict.status for verdict in report.verdicts], report.notes) == ([Status.ERROR], [])


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
    "no orders": (
        "[[expected]]\ntarget = 'x'\nreason = 'r'\nlink = 'l'\norders = []\n",
        r"entry 1 of .*: orders is \[\]; accepted: a list of integers, such as \[4, 8\]$",
    ),
    "a date in quotes": (
        "[[expected]]\ntarget = 'x'\nreason = 'r'\nlink = 'l'\nexpires = '2027-01-31'\n",
        r"entry 1 of .*: expires is '2027-01-31'; accepted: a date without quotes, such as 2027-01-31$",
    ),
    "a time": (
        "[[expected]]\ntarget = 'x'\nreason = 'r'\nlink = 'l'\nexpires = 2027-01-31T12:00:00Z\n",
        r"entry 1 of .*: expires is 2027-01-31 12:00:00\+00:00; accepted: a date without quotes",
    ),
    "a day that is none": (
        "[[expected]]\ntarget = 'x'\nreason = 'r'\nlink = 'l'\nexpires = 2027-02-30\n",
        r"e\.toml is not TOML: ",
    ),
    "versions that are no list": (
        "[[expected]]\ntarget = 'x'\nreason = 'r'\nlink = 'l'\nversions = '>=2'\n",
        r"""entry 1 of .*: versions is '>=2'; accepted: a list of distributions with versions, such as \["jax""",
    ),
    "no versions": (
        "[[expected]]\ntarget = 'x'\nreason = 'r'\nlink = 'l'\nversions = []\n",
        r"entry 1 of .*: versions is \[\]; accepted: ",
    ),
    **{
        f"versions with {text}": (
            f"[[expected]]\ntarget = 'x'\nreason = 'r'\nlink = 'l'\nversions = ['numpy>=1', '{text}']\n",
            rf"entry 1 of .*: versions has '{re.escape(text)}'; accepted: a distribution and the versions of it",
        )
        for text in (
            *("", "numpy", ">=2", "numpy>=two", "numpy>2 or numpy<1", "numpy[all]>=2", "numpy @ https://example.org"),
            'numpy>=2; python_version < "3.12"',
        )
    },
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
        expected.read(path)


def test_a_file_that_cannot_be_read_says_which(tmp_path):
    with pytest.raises(ValueError, match=r"^expected failures: cannot read .*gone\.toml: No such file or directory$"):
        expected.read(tmp_path / "gone.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ValueError, match=r"^expected failures: .*latin\.toml"):
        expected.read(tmp_path / "latin.toml")


def test_an_empty_file_expects_nothing(tmp_path):
    (tmp_path / "e.toml").write_text("", encoding="utf-8")
    assert expected.load(tmp_path / "e.toml", ["mine"]) == []


def test_the_file_that_is_shipped_speaks_of_what_there_is():
    entries = expected.read(expected.SHIPPED)
    assert entries
    assert Path(expected.SHIPPED).name == "expected_failures.toml"
    for known in entries:
        assert known.conditions["target"] in ADAPTERS
        assert known.conditions.get("check", "matrices") in CHECKS
        assert known.link.startswith("https://")


def test_the_page_names_every_field():
    page = (Path(__file__).parents[2] / "docs/expected.md").read_text(encoding="utf-8")
    table = {name for line in page.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line)}
    assert table >= expected.FIELDS
    assert expected.TODAY in page
