"""What was decided of what was asked, and what happens when it is too little."""

import json

import pytest
from typer.testing import CliRunner

from verify.campaign import Report
from verify.cases import make_case
from verify.cli import app
from verify.coverage import DECIDED, Coverage, Requirement
from verify.outputs import write_markdown
from verify.verdict import Status, Verdict

PARSED = [("0", 0, "0"), ("40", 40, "40"), (" 7 ", 7, "7"), ("90%", 9, "90%"), ("99.5 %", 10, "99.5%"), ("0%", 0, "0%")]


@pytest.mark.parametrize(("text", "needed", "shown"), PARSED, ids=[row[0] for row in PARSED])
def test_a_number_or_a_share(text, needed, shown):
    requirement = Requirement.parse(text)
    assert requirement.needed(10) == needed
    assert str(requirement) == shown


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "0.9", "101%", "100.1%", "%", "1e3", "9" * 30, "١", "-5%"])
def test_anything_else_is_refused(text):
    accepted = "accepted: a number of checks, such as 40, or a share of them, such as 90%"
    with pytest.raises(ValueError, match=rf"^--require-coverage is {text!r}; {accepted}$"):
        Requirement.parse(text)


def test_a_share_is_rounded_up_and_is_exact():
    assert [Requirement.parse("90%").needed(asked) for asked in (0, 1, 9, 10, 11)] == [1, 1, 9, 9, 10]
    assert Requirement.parse("70%").needed(10) == 7  # in floating point 0.7 * 10 is above 7
    assert Requirement.parse("100%").needed(3) == 3


def test_right_and_wrong_are_decided_and_nothing_else():
    assert set(Status) - DECIDED == {Status.UNSUPPORTED, Status.INCONCLUSIVE, Status.ERROR}
    assert Coverage.of(list(Status)) == Coverage(7, 4)
    assert Coverage.of(["PASS", "SKIPPED"], asked=5) == Coverage(5, 1)
    assert Coverage.of(["PASS", "SKIPPED"], asked=1) == Coverage(2, 1)


def test_nothing_never_meets_a_share():
    assert Coverage(0, 0).met
    assert Coverage(0, 0, Requirement.parse("0")).met
    assert not Coverage(0, 0, Requirement.parse("1%")).met
    assert not Coverage(0, 0, Requirement.parse("1")).met


def verdict(status):
    numbers = {"measured": 0.0, "bound": 1.0, "bound_source": "here", "compared": 1} if status is Status.PASS else {}
    return Verdict("ode", "a claim", make_case("mine"), status, message="because", **numbers)


def report(*statuses, required=None):
    return Report("mine", [verdict(status) for status in statuses], required=required and Requirement.parse(required))


OUTCOMES = [
    ((Status.PASS, Status.UNSUPPORTED), None, "pass", 0),
    ((Status.PASS, Status.UNSUPPORTED), "50%", "pass", 0),
    ((Status.PASS, Status.UNSUPPORTED), "1", "pass", 0),
    ((Status.PASS, Status.UNSUPPORTED), "51%", "inconclusive", 5),
    ((Status.PASS, Status.UNSUPPORTED), "3", "inconclusive", 5),
    # What is certain is said first.
    ((Status.FAIL, Status.UNSUPPORTED), "100%", "fail", 1),
    ((Status.PASS, Status.ERROR), "100%", "error", 3),
    ((Status.UNSUPPORTED,), "100%", "empty", 4),
]


@pytest.mark.parametrize(("statuses", "required", "status", "code"), OUTCOMES)
def test_too_little_is_inconclusive(statuses, required, status, code):
    found = report(*statuses, required=required)
    record = found.to_json()
    assert (found.status, found.exit_code) == (record["status"], record["exit_code"]) == (status, code)
    decided = sum(s in DECIDED for s in statuses)
    assert record["coverage_summary"] == {
        "asked": len(statuses),
        "decided": decided,
        "required": required,
        "met": code == 0,
    }


def test_markdown_says_why(tmp_path):
    write_markdown(tmp_path / "a.md", report(Status.PASS, Status.UNSUPPORTED, required="100%"))
    text = (tmp_path / "a.md").read_text(encoding="utf-8")
    assert "\nCoverage is too small: 1 of 2 checks reached a verdict; required: 100%, which is 2.\n" in text
    write_markdown(tmp_path / "a.md", report(Status.PASS, required="1"))
    assert "overage" not in (tmp_path / "a.md").read_text(encoding="utf-8")


# The command line.

LEGS = """
import numpy as np


def legs(order):
    n = np.arange(order)
    r = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(r, r), -1) - np.diag(n + 1.0), r
"""


@pytest.fixture(scope="module")
def legs(tmp_path_factory):
    path = tmp_path_factory.mktemp("coverage") / "operators.py"
    path.write_text(LEGS, encoding="utf-8")
    return f"{path}:legs"


@pytest.mark.parametrize(("required", "code"), [("100%", 5), ("2", 0)])
def test_check_requires_coverage(legs, tmp_path, required, code):
    output = tmp_path / "a.json"
    done = CliRunner().invoke(
        app, ["check", legs, "--orders", "4", "--require-coverage", required, "--json", str(output)]
    )
    assert done.exit_code == code, done.output
    record = json.loads(output.read_text(encoding="utf-8"))
    summary = record["coverage_summary"]
    # Of LegS matrices the equivariance has no parameter to be about.
    assert 2 <= summary["decided"] < summary["asked"] == len(record["coverage"])
    assert (summary["required"], summary["met"]) == (required, code == 0)
    said = f"coverage is too small: {summary['decided']} of {summary['asked']} checks reached a verdict; required: 100%"
    assert (said in done.output) == (code == 5)


def test_run_requires_coverage(tmp_path):
    options = [
        *("--targets", "hippo-fast-numpy", "--measures", "legs", "--methods", "bilinear", "--dtypes", "float64"),
        *("--orders", "1", "--store", str(tmp_path / "store"), "--no-progress", "--json", str(tmp_path / "a.json")),
    ]
    done = CliRunner().invoke(app, ["run", *options, "--require-coverage", "100000"])
    assert done.exit_code == 5, done.output
    record = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    decided, asked = record["coverage_summary"]["decided"], record["coverage_summary"]["asked"]
    assert record["status"] == "inconclusive"
    assert record["counts"]["FAIL"] == record["counts"]["ERROR"] == 0
    assert not record["coverage_summary"]["met"]
    assert f"coverage is too small: {decided} of {asked} checks reached a verdict; required: 100000" in done.output


@pytest.mark.parametrize("command", [["check", "nonesuch.py:f"], ["run", "--store", "nowhere"]])
def test_what_is_no_requirement_is_said_before_anything_runs(command):
    done = CliRunner().invoke(app, [*command, "--require-coverage", "0.9"])
    assert done.exit_code == 2
    assert done.stderr == (
        "hippo-verify: --require-coverage is '0.9'; accepted: a number of checks, such as 40, or a share of them, "
        "such as 90%\n"
    )
