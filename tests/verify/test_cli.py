"""The command line by its contract: exit codes, words, and files that other programs read."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

import pytest
from typer.testing import CliRunner

import hippo_ref
from verify.adapters import ADAPTERS
from verify.case import LEVELS
from verify.cases import PARAMETERS
from verify.checks import CHECKS
from verify.cli import app
from verify.output_options import OUTPUTS
from verify.provenance import collect
from verify.verdict import Status

SOURCE = '''
"""Right and wrong operators, for the tests of the command line."""

import sys

import numpy as np

assert "torch" not in sys.modules, "a numpy target must not pay for torch"


def legs(order):
    n = np.arange(order)
    r = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(r, r), -1) - np.diag(n + 1.0), r


def legt(order, theta=1.0):
    n = np.arange(order)
    i, j = np.meshgrid(n, n, indexing="ij")
    r = np.sqrt(2.0 * n + 1)
    return -np.outer(r, r) * np.where(i < j, (-1.0) ** (i - j), 1.0) / theta, r / theta


def gain(order, factor=1.0, kind=None):
    A, B = legs(order)
    assert kind in (None, "text")
    return A, factor * B


def loose(order):
    """More than careful rounding, less than what a backward-stable library may lose."""
    A, B = legs(order)
    return A * (1 + 3e-15), B * (1 + 3e-15)


def rescaled(order, factor=1.0):
    A, B = legs(order)
    T = 1 / np.sqrt(2.0 * np.arange(order) + 1)
    return A * T[:, None] / T, factor * T * B


def minus(order):
    A, B = legs(order)
    return -A, B


def nothing_known(order):
    return np.zeros((order, order)), np.zeros(order)


def raises(order):
    raise RuntimeError("not today")


class Both:
    def matrices(self, order):
        return legs(order)

    def step(self, state, sample, k):
        A, B = legs(len(state))
        unit = np.eye(len(state))
        if k == 0:
            return unit[0] * sample
        return np.linalg.solve(unit - A / (2 * k), (unit + A / (2 * k)) @ state + B / k * sample)


class Gained:
    def __init__(self, factor):
        self.factor = factor

    def matrices(self, order):
        return gain(order, self.factor)


both = Both()
number = 3
'''

PROMISED = {
    "schema", "target", "status", "exit_code", "counts", "convention", "diagnosis", "verdicts", "coverage",
    "provenance",
}  # fmt: skip
PROMISED_VERDICT = {
    "check", "claim", "status", "measured", "bound", "bound_source", "compared", "case", "worst", "message",
}  # fmt: skip
PROMISED_MATCH = {"measure", "theta", "scaling", "sign", "shift", "parameters", "residual"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("with a space")
    (folder / "operators.py").write_text(SOURCE, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def here(folder):
    return lambda attribute: f"{folder / 'operators.py'}:{attribute}"


def cli(*arguments):
    """Runs in this process; an exception that would be a traceback for the user is one here."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def program(*command):
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def strict(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON number")

    return json.loads(text, parse_constant=refuse)


def words(text):
    """The text as one line: a terminal's width breaks sentences, a test of words should not care."""
    return " ".join(text.replace("│", " ").split())


# Exit codes, and what each output says about the same verdicts.

EXITS = {
    "pass": (0, "legs", ()),
    "fail": (1, "gain", ("--target-arg", "factor=2")),
    "error": (3, "raises", ()),
    "empty": (4, "both", ("--level", "gradient")),
    "inconclusive": (5, "loose", ()),
}


@pytest.fixture(scope="module")
def outputs(here, tmp_path_factory):
    """Every status once, with every output: status -> (result, JSON object, JUnit root, SARIF object, Markdown)."""
    found = {}
    for status, (_, attribute, options) in EXITS.items():
        base = tmp_path_factory.mktemp(status) / "made" / "as needed"
        files = {kind: base / kind for kind in ("json", "junit-xml", "sarif", "markdown")}
        flags = [text for kind, path in files.items() for text in (f"--{kind}", path)]
        result = cli("check", here(attribute), "--orders", "4,8", *options, *flags)
        text = {kind: path.read_text(encoding="utf-8") for kind, path in files.items()}
        assert sorted(path.name for path in base.iterdir()) == sorted(files)  # no temporary file is left
        found[status] = (
            result, strict(text["json"]), ET.fromstring(text["junit-xml"]), strict(text["sarif"]), text["markdown"],
        )  # fmt: skip
    return found


@pytest.mark.parametrize("status", EXITS)
def test_exit_code_says_the_status(outputs, status):
    result, record, *_ = outputs[status]
    assert (result.exit_code, record["exit_code"], record["status"]) == (EXITS[status][0], EXITS[status][0], status)
    assert result.stdout.startswith({"empty": "NOTHING WAS CHECKED"}.get(status, status.upper()))


def test_wrong_usage_is_two(here):
    result = cli("check", here("legs"), "--measure", "lags")
    assert result.exit_code == 2
    assert "measure is 'lags'; accepted: legs, legt" in words(result.stderr)


@pytest.mark.parametrize("status", EXITS)
def test_json_has_what_is_promised(outputs, here, status):
    _, record, *_ = outputs[status]
    assert set(record) >= PROMISED
    assert record["schema"] == "hippo-verify/1"
    assert record["target"] == here(EXITS[status][1])
    assert {"versions", "commit", "dirty", "platform", "seed", "time"} <= set(record["provenance"])
    assert record["convention"] == {"mode": "exact", "found": None}
    for item in record["diagnosis"]:
        assert {"defect", "text", "evidence"} <= set(item)
    for verdict in record["verdicts"]:
        assert set(verdict) >= PROMISED_VERDICT
        assert verdict["claim"]
        # Numbers are finite by `strict`; a null has its reason.
        if verdict["measured"] is None or verdict["bound"] is None:
            assert verdict["message"]
        if verdict["status"] == "PASS":
            assert verdict["measured"] <= verdict["bound"]
            assert verdict["compared"] > 0
            assert verdict["bound_source"]
        else:
            assert verdict["message"]


@pytest.mark.parametrize("status", EXITS)
def test_counts_and_coverage_agree_with_the_verdicts(outputs, status):
    _, record, *_ = outputs[status]
    verdicts = record["verdicts"]
    counted = Counter(v["status"] for v in verdicts)
    assert record["counts"] == {str(name): counted[name] for name in Status}
    level = "gradient" if status == "empty" else "matrices"
    asked = {(key, order) for key, check in CHECKS.items() if level in check.levels for order in (4, 8)}
    cells = record["coverage"]
    assert {(cell["check"], cell["order"]) for cell in cells} == asked
    assert len(cells) == len(verdicts) == len(asked)
    for cell, verdict in zip(cells, verdicts, strict=True):
        assert (cell["check"], cell["case"]) == (verdict["check"], verdict["case"]["id"])
        assert cell["ran"] == (verdict["status"] != "UNSUPPORTED")
        assert bool(cell["reason"]) != cell["ran"]


@pytest.mark.parametrize("status", EXITS)
def test_junit_counts_agree(outputs, status):
    _, record, root, *_ = outputs[status]
    counts = record["counts"]
    assert root.tag == "testsuites"
    suite, *problems = root
    assert [problem.get("name") for problem in problems] == ["hippo-verify"] * (status == "empty")
    assert suite.get("name") == record["verdicts"][0]["case"]["level"]
    cases = list(suite)
    assert {case.tag for case in cases} == {"testcase"}
    assert len({case.get("name") for case in cases}) == len(cases)
    assert all(float(case.get("time")) >= 0 and case.get("classname") == record["target"] for case in cases)
    wanted = {
        "tests": sum(counts.values()),
        "failures": counts["FAIL"] + counts["UNEXPECTED_PASS"],
        "errors": counts["ERROR"] + counts["INCONCLUSIVE"],
        "skipped": counts["UNSUPPORTED"] + counts["EXPECTED_FAIL"],
    }
    assert {name: int(suite.get(name)) for name in wanted} == wanted
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert sum(case.find(tag) is not None for case in cases) == wanted[name]
    assert all(child.get("message") for case in cases for child in case)


@pytest.mark.parametrize("status", EXITS)
def test_sarif_has_the_fields_that_viewers_need(outputs, here, status):
    _, record, _, sarif, _ = outputs[status]
    assert sarif["version"] == "2.1.0"
    assert sarif["$schema"].endswith("sarif-2.1.0.json")
    (run,) = sarif["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("hippo-verify", metadata.version("hippo-verify"))
    rules = [rule["id"] for rule in driver["rules"]]
    assert len(set(rules)) == len(rules)
    assert all(rule["shortDescription"]["text"] for rule in driver["rules"])
    bad = [v for v in record["verdicts"] if v["status"] in ("FAIL", "ERROR", "INCONCLUSIVE")]
    results = run["results"]
    assert [r["ruleId"] for r in results] == [v["check"] for v in bad]
    for result, verdict in zip(results, bad, strict=True):
        assert result["ruleId"] in rules
        assert result["level"] == {"INCONCLUSIVE": "warning"}.get(verdict["status"], "error")
        assert verdict["message"] in result["message"]["text"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri == "file://" + quote(here("").rstrip(":"))  # RFC 3986: no space in it
    prints = [json.dumps(result["partialFingerprints"]) for result in results]
    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize("status", EXITS)
def test_markdown_has_a_row_per_check(outputs, status):
    _, record, _, _, text = outputs[status]
    lines = text.splitlines()
    assert lines[0].startswith("## ")
    assert f": {status}" in lines[0]
    start = next(index for index, line in enumerate(lines) if line.startswith("| check |"))
    assert set(lines[start + 1]) == {"|", "-"}
    rows = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        check, passed, failed, other, _ = (cell.strip() for cell in line.strip("|").split("|"))
        rows[check] = (int(passed), int(failed), int(other))
    wanted = {}
    for verdict in record["verdicts"]:
        passed, failed, other = wanted.get(verdict["check"], (0, 0, 0))
        kind = {"PASS": 0, "FAIL": 1}.get(verdict["status"], 2)
        wanted[verdict["check"]] = tuple(n + (i == kind) for i, n in enumerate((passed, failed, other)))
    assert rows == wanted
    for item in record["diagnosis"]:
        assert item["text"] in text


def test_the_diagnosis_is_the_first_thing_said(outputs):
    result, record, *_ = outputs["fail"]
    assert record["diagnosis"][0]["defect"] == "doubled_B"
    assert result.stdout.splitlines()[1].strip() == record["diagnosis"][0]["text"]


def test_outputs_do_not_change_the_verdicts(here, outputs, tmp_path):
    cli("check", here("legs"), "--orders", "8,4,8", "--json", tmp_path / "again", "--no-progress")
    again = strict((tmp_path / "again").read_text(encoding="utf-8"))
    plain = [{**v, "seconds": 0} for v in outputs["pass"][1]["verdicts"]]
    assert sorted(json.dumps({**v, "seconds": 0}) for v in again["verdicts"]) == sorted(map(json.dumps, plain))


def test_an_output_may_be_a_device_or_a_link(here, tmp_path):
    """`--json /dev/stdout` and `--json /dev/null` are habits: neither may be replaced by a file."""
    null, kept = tmp_path / "null", tmp_path / "kept"
    null.symlink_to("/dev/null")
    kept.write_text("old", encoding="utf-8")
    (tmp_path / "link").symlink_to(kept)
    result = cli("check", here("legs"), "--orders", "4", "--json", null, "--markdown", tmp_path / "link")
    assert result.exit_code == 0
    assert null.is_char_device()
    assert (tmp_path / "link").is_symlink()
    assert kept.read_text(encoding="utf-8").startswith("## ")


# Targets.


@pytest.mark.parametrize(
    ("attribute", "arguments", "code"),
    [
        ("gain", [], 0),
        ("gain", ["factor=1"], 0),
        ("gain", ["factor=1.0", "kind=text"], 0),
        ("gain", ["factor=2"], 1),
        ("gain", ["factor=NaN"], 1),
        ("gain", ["unknown=1"], 3),
        ("Gained", ["factor=1"], 0),
        ("Gained", ["factor=0.5"], 1),
        ("Gained", [], 3),
        ("both", ["factor=1"], 3),
        ("Both.matrices", [], 3),
        ("both.matrices", [], 0),
    ],
)
def test_target_arguments_reach_the_target(here, attribute, arguments, code):
    flags = [text for pair in arguments for text in ("--target-arg", pair)]
    assert cli("check", here(attribute), "--orders", "4", *flags).exit_code == code


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nonesuch", "neither a known adapter (hippo-fast-numpy"),
        ("nonesuch.module:f", "No module named 'nonesuch'"),
        ("nonesuch.py:f", "no file nonesuch.py; a target is path/to/file.py:attr"),
        ("{here}:nonesuch", "has no attribute 'nonesuch'; it has sys, np, legs"),
        ("{here}:number", "int object is neither callable nor has a method named after a level"),
    ],
)
def test_a_target_that_is_not_there_is_three_and_says_what_is(folder, target, said):
    name = target.format(here=folder / "operators.py")
    for command in (("check", "--orders", "4"), ("identify",)):
        result = cli(command[0], name, *command[1:])
        assert result.exit_code == 3
        said_by = result.stdout if command[0] == "check" else result.stderr
        assert said.replace(" ", "") in re.sub(r"\s", "", said_by)


def test_an_object_is_checked_at_every_level_it_offers(here, tmp_path):
    assert cli("check", here("Both"), "--orders", "4", "--json", tmp_path / "out").exit_code == 0
    record = strict((tmp_path / "out").read_text(encoding="utf-8"))
    assert {v["case"]["level"] for v in record["verdicts"]} == {"matrices", "step"}


def test_nothing_selected_is_four(here):
    for arguments in (
        ("check", "hippox-legs", "--measure", "fout", "--orders", "4"),
        ("run", "--targets", "s5-pytorch", "--measures", "fout", "--orders", "4"),
    ):
        result = cli(*arguments)
        assert result.exit_code == 4
        assert "nothing was" in (result.stdout + result.stderr).lower()


@pytest.mark.parametrize("where", ["worker", "program"])
def test_a_numpy_target_never_imports_torch(here, where):
    """The target asserts it in the worker; the program is asked itself."""
    if where == "worker":
        assert cli("check", here("legs"), "--orders", "4", "--convention", "auto").exit_code == 0
        return
    code = (
        "import sys\nfrom verify.cli import app\n"
        f"try:\n    app(['check', {here('legs')!r}, '--orders', '4', '--convention', 'auto'])\n"
        "except SystemExit as end:\n    assert end.code == 0, end.code\n"
        "heavy = {'torch', 'jax', 'numba', 'pandas', 'plotly'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    done = program(sys.executable, "-W", "error", "-c", code)
    assert done.returncode == 0, done.stderr


# Conventions.


@pytest.mark.parametrize(
    ("attribute", "options", "found"),
    [
        ("legs", (), {"formula": "1", "sign": 1}),
        ("rescaled", (), {"formula": "1/sqrt(2n+1)", "sign": 1}),
        ("minus", (), {"formula": "1", "sign": -1}),
        ("legt", ("--measure", "legt", "--target-arg", "theta=2"), {"theta": 2.0, "formula": "1", "sign": 1}),
    ],
)
def test_auto_finds_and_undoes_a_convention(here, tmp_path, attribute, options, found):
    asked = ("check", here(attribute), "--orders", "4,8", *options)
    exact = cli(*asked)
    assert exact.exit_code == (0 if attribute == "legs" else 1)
    result = cli(*asked, "--convention", "auto", "--json", tmp_path / "out")
    assert result.exit_code == 0
    convention = strict((tmp_path / "out").read_text(encoding="utf-8"))["convention"]
    assert convention["mode"] == "auto"
    assert convention["found"].items() >= found.items()
    assert "convention" in result.stdout


@pytest.mark.parametrize("attribute", ["gain", "rescaled"])
def test_auto_never_hides_a_doubled_input(here, attribute):
    arguments = ("check", here(attribute), "--orders", "4,8", "--target-arg", "factor=2", "--convention", "auto")
    result = cli(*arguments)
    assert result.exit_code == 1
    assert "convention: none fits; judged as it stands" in result.stdout


def test_identify_says_what_it_is(here):
    result = cli("identify", here("legt"), "--target-arg", "theta=2", "--json")
    assert result.exit_code == 0
    record = strict(result.stdout)
    assert record["matches"]
    assert all(set(match) >= PROMISED_MATCH for match in record["matches"])
    first = record["matches"][0]
    assert (first["measure"], first["theta"], first["sign"], first["shift"]) == ("legt", 2.0, 1, 0)
    assert set(first["scaling"]) == {1.0}
    assert first["residual"] < 1e-12
    assert cli("identify", here("legt"), "--target-arg", "theta=2").stdout.startswith("legt, theta = 2")


def test_identify_says_that_it_is_nothing(here):
    result = cli("identify", here("nothing_known"), "--json")
    assert (result.exit_code, strict(result.stdout)["matches"]) == (1, [])
    assert "no HiPPO operator that we know" in cli("identify", here("nothing_known")).stdout


def test_identify_reads_a_step(here):
    result = cli("identify", here("both"), "--level", "step", "--json")
    assert "legs" in {match["measure"] for match in strict(result.stdout)["matches"]}


# Lists.


def test_targets_are_listed():
    rows = strict(cli("targets", "--json").stdout)
    assert [row["key"] for row in rows] == list(ADAPTERS)
    assert all(row["summary"] and set(row["levels"]) <= set(LEVELS) for row in rows)
    lines = cli("targets").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(ADAPTERS)


def test_checks_are_listed():
    rows = strict(cli("checks", "--json").stdout)
    assert [(row["key"], row["claim"]) for row in rows] == [(key, check.claim) for key, check in CHECKS.items()]
    lines = cli("checks").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(CHECKS)


def test_measures_are_listed():
    rows = strict(cli("measures", "--json").stdout)
    assert {row["key"]: tuple(row["parameters"]) for row in rows if row["checked"]} == PARAMETERS
    assert {row["key"] for row in rows} == set(hippo_ref.MEASURES)
    assert {row["time_law"] for row in rows} == {"scale", "invariant"}
    lines = cli("measures").stdout.splitlines()
    assert [line.split()[0] for line in lines if "reference and vectors only" not in line] == list(PARAMETERS)


def test_version_and_help():
    assert cli("--version").stdout.split() == ["hippo-verify", metadata.version("hippo-verify")]
    assert cli("--help").exit_code == 0
    options = words(cli("check", "--help").stdout)
    for name in (
        "--measure", "--level", "--method", "--theta", "--dt", "--alpha", "--beta", "--orders", "--dtype", "--suite",
        "--seed", "--timeout", "--memory-limit", "--convention", "--target-arg", "--expected", "--json",
        "--junit-xml", "--sarif", "--markdown", "--certificate", "--badge", "--github",
    ):  # fmt: skip
        assert name in options


def test_the_module_and_the_script_are_the_same_program(here):
    script = Path(sys.executable).with_name("hippo-verify")
    starts = [[sys.executable, "-W", "error", "-m", "verify.cli"]]
    if script.exists():  # an interpreter without its scripts folder still has the module
        starts.append([str(script)])
    for start in starts:
        version = program(*start, "--version")
        assert version.stdout.split() == ["hippo-verify", metadata.version("hippo-verify")]
        assert program(*start, "check", here("minus"), "--orders", "4").returncode == 1


# Wrong usage.

PLAN = ("run", "--targets", "hippo-fast-numpy", "--measures", "legs", "--orders", "4", "--dtypes", "float64")

USAGE = [
    (("--measure", "lags"), "measure is 'lags'; accepted: legs, legt, lmu, lagt, fout, legs_lti"),
    (("--method", "tustin"), "method is 'tustin'; accepted: bilinear, backward_euler, euler, zoh, trapezoid, foh"),
    (("--level", "matrix"), "level is 'matrix'; accepted: matrices, step, scan, reconstruct, gradient"),
    (("--dtype", "float16"), "dtype is 'float16'; accepted: float64, float32"),
    (("--theta", "2"), "theta is 2, but legs has no theta; measures with it: legt, lmu, fout"),
    (("--alpha", "1/2"), "alpha is 1/2, but legs has no alpha; measures with it: lagt"),
    (("--dt", "0.1"), "dt is 0.1, but legs has no time step"),
    (("--measure", "legt", "--dt", "0"), "dt is 0.0; accepted: a number above 0"),
    (("--measure", "legt", "--dt", "nan"), "dt is nan; accepted: a number above 0"),
    (("--measure", "legt", "--theta", "-1"), "theta is -1; accepted: a number above 0"),
    (("--measure", "legt", "--theta", "wide"), "theta is 'wide'; accepted: a number, such as 0.5 or 1/3"),
    (("--measure", "legt", "--theta", "1e400"), "theta is 1e400; accepted: "),
    (("--measure", "lagt", "--beta", "1e400"), "beta is 1e400; accepted: "),
    (("--measure", "lagt", "--alpha", "1"), "alpha is 1; accepted: a number between -1 and 1"),
    (("--method", "gbt(3/2)"), "method is 'gbt(3/2)'; accepted: gbt(a), a decimal or a ratio from 0 to 1"),
    (("--orders", "4,x"), "--orders is '4,x'; accepted: integers with commas"),
    (("--orders", "4.5"), "--orders is '4.5'; accepted: integers with commas"),
    (("--orders", "0"), "order is 0; accepted: an integer from 1 to 4096"),
    (("--orders", ","), "orders is empty; give at least one"),
    (("--memory-limit", "plenty"), "--memory-limit is 'plenty'; accepted: a size such as 512MiB or 2GiB"),
    (("--memory-limit", "-1GiB"), "--memory-limit is '-1GiB'"),
    (("--memory-limit", "0"), "must be positive"),
    (("--memory-limit", "9" * 400), "--memory-limit is '9"),
    (("--timeout", "0"), "--timeout is 0.0; accepted: seconds above 0"),
    (("--timeout", "nan"), "timeout"),
    (("--target-arg", "factor"), "--target-arg is 'factor'; accepted: KEY=VALUE"),
    (("--target-arg", "1=2"), "--target-arg is '1=2'; accepted: KEY=VALUE"),
    (("--target-arg", "factor=" + "[" * 20_000), "--target-arg"),
    (("--suite", "huge"), "'huge' is not one of"),
    (("--convention", "any"), "'any' is not one of"),
    (("--accuracy", "none"), "'none' is not one of"),
    (("--expected", "nonesuch.toml"), "expected failures: cannot read nonesuch.toml"),
    (("--nonesuch",), "No such option"),
]


@pytest.mark.parametrize(("options", "said"), USAGE, ids=[" ".join(row[0])[:40] for row in USAGE])
def test_wrong_usage_says_what_is_accepted(here, options, said):
    result = cli("check", here("legs"), "--orders", "4", *options)
    assert result.exit_code == 2
    assert said in words(result.stderr)
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Usage"),
        (("nonesuch",), "No such command"),
        (("check",), "Missing argument"),
        (("identify", "{here}", "--level", "gradient"), "level is 'gradient'; accepted: matrices, step, scan"),
        (("identify", "{here}", "--method", "tustin"), "method is 'tustin'; accepted: bilinear"),
        (("identify", "{here}", "--dt", "0"), "dt is 0.0; accepted: a number above 0"),
        (("run", "--targets", "nonesuch"), "target 'nonesuch' is no adapter; a campaign runs adapters"),
        (("run", "--targets", "hippo-fast-numpy", "--measures", "lags"), "measure is 'lags'; accepted: legs, legt"),
        ((*PLAN, "--measures", "legs,lags"), "measure is 'lags'; accepted: legs, legt"),
        ((*PLAN, "--methods", "tustin"), "method is 'tustin'; accepted: bilinear"),
        ((*PLAN, "--dtypes", "float16"), "dtype is 'float16'; accepted: float64, float32"),
        ((*PLAN, "--orders", "0"), "order is 0; accepted: an integer from 1 to 4096"),
    ],
)
def test_wrong_usage_of_other_commands(here, tmp_path, arguments, said):
    given = [argument.format(here=here("legs")) for argument in arguments]
    if given[:1] == ["run"]:
        given += ["--store", str(tmp_path / "store")]
    result = cli(*given)
    assert result.exit_code == 2
    assert said in words(result.stdout + result.stderr)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("kind", OUTPUTS)
def test_an_output_that_cannot_be_written_is_two(here, tmp_path, kind):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    result = cli("check", here("legs"), "--orders", "4", f"--{kind}", tmp_path / "file" / "out")
    assert result.exit_code == 2
    assert f"--{kind}: cannot write {tmp_path / 'file' / 'out'}:" in words(result.stderr)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "not a folder"
    assert cli("check", here("legs"), "--orders", "4", f"--{kind}", tmp_path).exit_code == 2


# Campaigns.

SMALL = (*PLAN, "--methods", "bilinear,zoh", "--jobs", "1")


@pytest.fixture(autouse=True)
def _one_provenance(monkeypatch, provenance):
    """A campaign goes on only under the same provenance, and the working tree may change while tests run."""
    monkeypatch.setattr("verify.campaign.collect", lambda seed: {**provenance, "seed": seed})


@pytest.fixture(scope="module")
def provenance():
    return collect(0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, provenance):
    """The lines of a campaign that nobody stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("verify.campaign.collect", lambda seed: {**provenance, "seed": seed})
        store = tmp_path_factory.mktemp("whole")
        result = cli(*SMALL, "--store", store)
    assert result.exit_code == 0, result.output
    return (store / "verdicts.jsonl").read_bytes()


def records(content):
    return [strict(line) for line in content.splitlines()]


def same(content):
    """What must not depend on how often a campaign was stopped: all but the clock, which digests are over too."""
    dropped = ("seconds", "time", "digest")
    return [{key: value for key, value in record.items() if key not in dropped} for record in records(content)]


def test_a_campaign_writes_where_it_comes_from_first_and_that_it_ended_last(whole):
    kinds = [record["kind"] for record in records(whole)]
    assert kinds[0] == "provenance"
    assert kinds[-1] == "end"
    assert kinds.count("provenance") == kinds.count("end") == 1
    assert kinds.count("unit") == 2
    assert set(kinds) == {"provenance", "verdict", "unit", "end"}
    first = records(whole)[0]
    assert {"schema", "fingerprint", "versions", "commit", "dirty", "platform", "seed"} <= set(first)
    for verdict in (record for record in records(whole) if record["kind"] == "verdict"):
        assert set(verdict) >= PROMISED_VERDICT


def stops(content):
    """Places to stop at: name -> number of bytes that were written."""
    lines = content.splitlines(keepends=True)
    ends = [sum(map(len, lines[: index + 1])) for index in range(len(lines))]
    unit = next(index for index, line in enumerate(lines) if b'"kind": "unit"' in line)
    return {
        "nothing": 0,
        "amid the provenance": 40,
        "after the provenance": ends[0],
        "amid a verdict of the first unit": ends[1] + 100,
        "amid the line of the first unit": ends[unit] - 10,
        "before the line's end": ends[unit] - 1,
        "after the first unit": ends[unit],
        "amid a verdict of the second unit": ends[unit + 2] + 100,
        "before the end": ends[-2],
        "amid the end": ends[-1] - 5,
    }


@pytest.mark.parametrize("place", list(stops(b"{}\n" * 3 + b'{"kind": "unit"}\n' + b"{}\n" * 9)))
def test_a_stopped_campaign_goes_on_to_the_same_verdicts(whole, tmp_path, place):
    file = tmp_path / "verdicts.jsonl"
    file.write_bytes(whole[: stops(whole)[place]])
    result = cli(*SMALL, "--store", tmp_path, "--json", tmp_path / "out")
    assert result.exit_code == 0
    again = file.read_bytes()
    assert same(again) == same(whole)
    if stops(whole)[place] >= stops(whole)["after the first unit"]:  # what was finished is read, not done again
        kept = whole[: stops(whole)["after the first unit"]]
        assert again.startswith(kept)
    shown = strict((tmp_path / "out").read_text(encoding="utf-8"))["verdicts"]
    wanted = [record for record in records(whole) if record["kind"] == "verdict"]
    clock = {"seconds": 0, "kind": "verdict"}
    assert [{**v, **clock} for v in shown] == [{**v, **clock} for v in wanted]


def test_a_campaign_under_another_provenance_starts_anew(whole, tmp_path, monkeypatch, provenance):
    file = tmp_path / "verdicts.jsonl"
    stopped = whole[: stops(whole)["after the first unit"]]
    file.write_bytes(stopped)
    other = {**provenance, "versions": {**provenance["versions"], "numpy": "0"}}
    monkeypatch.setattr("verify.campaign.collect", lambda seed: {**other, "seed": seed})
    assert cli(*SMALL, "--store", tmp_path).exit_code == 0
    assert same(file.read_bytes())[1:] == same(whole)[1:]
    assert records(file.read_bytes())[0]["versions"]["numpy"] == "0"
    assert (tmp_path / "verdicts.previous.jsonl").read_bytes() == stopped


def test_a_stopped_campaign_keeps_unexpected_passes(tmp_path):
    """A pass that was expected to fail is still news after the campaign has gone on."""
    rules = tmp_path / "expected.toml"
    rules.write_text(
        '[[expected]]\ntarget = "hippo-fast-numpy"\ncheck = "matrices"\nreason = "a test"\nlink = "none"\n',
        encoding="utf-8",
    )
    command = (*SMALL, "--expected", rules, "--store", tmp_path / "store")
    file = tmp_path / "store" / "verdicts.jsonl"
    assert cli(*command).exit_code == 1
    first = file.read_bytes()
    assert b'"UNEXPECTED_PASS"' in first
    file.write_bytes(first[: stops(first)["after the first unit"]])
    assert cli(*command).exit_code == 1
    assert same(file.read_bytes()) == same(first)


def test_two_processes_give_the_same_verdicts_in_the_same_order(tmp_path):
    content = []
    for jobs in ("1", "2"):
        store = tmp_path / jobs
        command = (*PLAN, "--methods", "bilinear,zoh", "--jobs", jobs)
        assert cli(*command, "--store", store).exit_code == 0
        content.append((store / "verdicts.jsonl").read_bytes())
    assert same(content[0]) == same(content[1])
    assert sum(record["kind"] == "unit" for record in records(content[0])) == 2  # one for each process


def test_a_campaign_that_cannot_write_is_two(tmp_path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    assert cli(*SMALL, "--store", tmp_path / "file").exit_code == 2
    result = cli(*SMALL, "--store", tmp_path / "file" / "store")
    assert result.exit_code == 2
    assert f"--store {tmp_path / 'file' / 'store'}:" in words(result.stderr)
