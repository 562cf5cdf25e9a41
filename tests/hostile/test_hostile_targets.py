"""Whatever a target does, the program stays up, tells the truth about it and writes well-formed files."""

import json
import re
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from typer.testing import CliRunner

import verify
from verify.adapters.isolated import GIVE_UP
from verify.cases import make_case
from verify.checks import CHECKS
from verify.cli import app
from verify.outputs import WRITERS

TARGETS = Path(__file__).parent / "targets"
TIMEOUT = 1.0
SLACK = 2.0
LEGS_CHECKS = {
    key: "PASS" if check.why_not(make_case("mine", level="matrices")) is None else "UNSUPPORTED"
    for key, check in CHECKS.items()
    if "matrices" in check.levels
}
"""What becomes of right LegS matrices, check by check."""


def target(name):
    return f"{TARGETS / name.partition(':')[0]}.py:{name.partition(':')[2]}"


def refuse(text):
    raise AssertionError(f"{text} is no JSON number")


@pytest.fixture
def cli(tmp_path):
    """Runs `check` in this process with every output on; returns the result and what was written."""

    def run(name, *options, orders="4"):
        paths = {kind: tmp_path / kind for kind in WRITERS}
        outputs = [text for kind, path in paths.items() for text in (f"--{kind}", str(path))]
        result = CliRunner().invoke(
            app, ["check", target(name), "--orders", orders, "--timeout", str(TIMEOUT), *options, *outputs]
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result, {kind: path.read_text(encoding="utf-8") for kind, path in paths.items()}

    return run


def read(outputs):
    """The JSON object, after a look at the form of all outputs."""
    record = json.loads(outputs["json"], parse_constant=refuse)
    root = ET.fromstring(outputs["junit-xml"])
    assert len(list(root.iter("testcase"))) == len(record["verdicts"])
    sarif = json.loads(outputs["sarif"], parse_constant=refuse)
    troubled = record["counts"]["FAIL"] + record["counts"]["ERROR"] + record["counts"]["INCONCLUSIVE"]
    assert len(sarif["runs"][0]["results"]) == troubled
    for line in outputs["markdown"].splitlines():
        if line.startswith("|"):
            cells = line.replace("\\|", "").count("|") - 1
            assert cells in (4, 5), line
    return record


@pytest.fixture(scope="module", autouse=True)
def _warm():
    """Exact answers first, so that the clock of a test is the target's alone."""
    assert verify.check(target("hostile_right:legs"), orders=(4, 8)).exit_code == 0


NO_ANSWER = [
    ("ends:raises", "raised", r"raised RuntimeError: no operator of order 4 today"),
    ("ends:hangs", "timeout", r"did not answer within 1 s; it was in hangs"),
    ("ends:segfaults", "crash", r"was killed by SIGSEGV"),
    ("ends:exits_silently", "exit", r"ended its process with status 0"),
    ("ends:asks_to_exit", "exit", r"asked to end its process \(SystemExit: 0\)"),
]


@pytest.mark.parametrize(("name", "kind", "message"), NO_ANSWER, ids=[row[0] for row in NO_ANSWER])
def test_no_answer_is_an_error_in_time(name, kind, message):
    started = time.monotonic()
    report = verify.check(target(name), orders=(4,), timeout=TIMEOUT, checks=["matrices"])
    elapsed = time.monotonic() - started
    (verdict,) = report.verdicts
    assert (report.exit_code, verdict.status, verdict.worst["kind"]) == (3, "ERROR", kind)
    assert re.search(message, verdict.message), verdict.message
    assert elapsed < TIMEOUT + SLACK


@pytest.mark.parametrize("name", [row[0] for row in NO_ANSWER if row[1] != "timeout"])
def test_no_answer_ends_the_command_line_with_three(cli, name):
    result, outputs = cli(name)
    record = read(outputs)
    assert (result.exit_code, record["status"], record["exit_code"]) == (3, "error", 3)
    assert record["counts"]["ERROR"] == len(LEGS_CHECKS) - record["counts"]["UNSUPPORTED"]
    assert result.stdout.startswith("ERROR")


def test_memory_limit_ends_a_target_that_eats(cli):
    result, outputs = cli("ends:eats_memory", "--memory-limit", "250MiB", "--timeout", "30")
    record = read(outputs)
    assert result.exit_code == 3
    assert {v["worst"]["kind"] for v in record["verdicts"] if v["status"] == "ERROR"} == {"memory"}
    assert "over the limit of 250 MiB" in result.stdout


@pytest.mark.parametrize("name", ["ends:raises_at_eight", "ends:segfaults_at_eight", "ends:exits_at_eight"])
@pytest.mark.parametrize("orders", ["4,8", "8,4"])
def test_other_orders_keep_their_verdicts(cli, name, orders):
    result, outputs = cli(name, orders=orders)
    record = read(outputs)
    assert result.exit_code == 3
    statuses = {
        order: {v["check"]: v["status"] for v in record["verdicts"] if v["case"]["order"] == order} for order in (4, 8)
    }
    assert set(LEGS_CHECKS.values()) == {"PASS", "UNSUPPORTED"}
    wrong = {key: "ERROR" if status == "PASS" else status for key, status in LEGS_CHECKS.items()}
    assert statuses == {4: LEGS_CHECKS, 8: wrong}


def test_a_hang_at_one_order_costs_few_timeouts(cli):
    started = time.monotonic()
    result, outputs = cli("ends:hangs_at_eight", orders="4,8")
    elapsed = time.monotonic() - started
    assert result.exit_code == 3
    passed = [v["case"]["order"] for v in read(outputs)["verdicts"] if v["status"] == "PASS"]
    assert passed == [4] * list(LEGS_CHECKS.values()).count("PASS")
    assert elapsed < GIVE_UP * (TIMEOUT + SLACK)


WRONG = [
    ("answers:nan_at_eight", "4,8", r"A\[5, 2\] is off by inf.*got nan", {8}),
    ("answers:inf_at_eight", "4,8", r"got inf", {8}),
    ("answers:wrong_shape", "4", r"A has shape \(5, 5\), expected \(4, 4\)", {4}),
    ("answers:nothing", "4", r"returned None; expected a pair \(A, B\)", {4}),
    ("answers:half_nothing", "4", r"B is None; expected an array", {4}),
    ("answers:complex_parts", "4", r"A is complex with imaginary parts up to 0\.001; expected real", {4}),
    ("answers:ragged", "4", r"A is a list of 2, which is no array", {4}),
    ("answers:words", "4", r"A has dtype <U3; expected real numbers", {4}),
    ("answers:drifts", "4", r"the same answer asked again is off by", {4}),
    ("noise:pretends", "4", r"B\[\d\] is off by", {4}),
    ("noise:patches_numpy", "4", r"B\[\d\] is off by", {4}),
]


@pytest.mark.parametrize(("name", "orders", "message", "failing"), WRONG, ids=[row[0] for row in WRONG])
def test_wrong_answers_fail(cli, name, orders, message, failing):
    result, outputs = cli(name, orders=orders)
    record = read(outputs)
    assert (result.exit_code, record["status"]) == (1, "fail"), result.stdout
    failed = [v for v in record["verdicts"] if v["status"] == "FAIL"]
    assert {v["case"]["order"] for v in failed} == failing
    assert any(re.search(message, v["message"]) for v in failed), [v["message"] for v in failed]
    assert all(v["message"] for v in record["verdicts"] if v["measured"] is None or v["bound"] is None)
    assert record["diagnosis"]


def test_a_malformed_answer_is_not_explained_by_memory_of_earlier_calls(cli):
    result, outputs = cli("answers:nothing")
    assert [item["defect"] for item in read(outputs)["diagnosis"]] == ["malformed"]
    assert "earlier calls" not in result.stdout


def test_writing_into_the_input_fails(cli):
    result, outputs = cli("answers:writes_into_state", "--level", "step")
    record = read(outputs)
    assert result.exit_code == 1
    statuses = {v["check"]: v["status"] for v in record["verdicts"]}
    assert {key for key, status in statuses.items() if status not in ("PASS", "UNSUPPORTED")} == {"determinism"}
    assert (statuses["step"], statuses["determinism"]) == ("PASS", "FAIL")
    assert "the target wrote into the input" in result.stdout
    assert [item["defect"] for item in record["diagnosis"]] == ["writing"]


def test_a_flood_changes_nothing(cli):
    result, outputs = cli("noise:floods")
    assert result.exit_code == 0, result.stdout
    assert read(outputs)["status"] == "pass"
    assert "flood flood" not in result.stdout + result.stderr
    assert len(outputs["json"]) < 100_000


LOUD = [
    ("noise:shouts", 3),
    ("noise:exits_loudly", 3),
    ("noise:answers_loudly", 1),
    ("noise:named_loudly", 1),
    ("noise_on_import:anything", 3),
    ("noise:no_such_name", 3),
]


@pytest.mark.parametrize(("name", "code"), LOUD, ids=[row[0] for row in LOUD])
def test_hostile_text_stays_text(cli, name, code):
    result, outputs = cli(name)
    assert result.exit_code == code, result.stdout
    record = read(outputs)
    # Nothing that moves a cursor, rings a bell or ends a line reaches a terminal or a log.
    for text in (result.stdout, result.stderr, *(v["message"] for v in record["verdicts"])):
        assert all(c.isprintable() or c == "\n" for c in text)
    assert all("\n" not in v["message"] for v in record["verdicts"])
    if "[red]" in record["verdicts"][0]["message"]:  # shown as it is, not as markup and not as a picture
        shown = result.stdout.replace("\n", "")
        assert "[red]loud[/red] [/]" in shown
        assert ":skull:" in shown


def test_hostile_text_of_a_live_target_stays_text(tmp_path):
    def shouts(order):
        raise ValueError(f"\x1b[31m[red] </script> | \ud800\n of order {order}")

    report = verify.check(shouts, orders=(4,))
    assert report.exit_code == 3
    for kind, write in WRITERS.items():
        write(tmp_path / kind, report)
    read({kind: (tmp_path / kind).read_text(encoding="utf-8") for kind in WRITERS})
    assert all(v.message.isprintable() for v in report.verdicts)


@pytest.mark.parametrize("name", ["exit_on_import:f", "noise_on_import:f"])
def test_an_import_that_ends_badly_is_an_error(cli, name):
    result, outputs = cli(name)
    record = read(outputs)
    assert result.exit_code == 3
    (verdict,) = record["verdicts"]
    assert (verdict["check"], verdict["worst"]["kind"]) == ("load", "load")
    assert "The target could not be loaded" in verdict["message"]


def test_a_target_that_is_no_python_is_an_error(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("def f(order:\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["check", f"{broken}:f", "--orders", "4"])
    assert result.exit_code == 3
    assert "SyntaxError" in result.stdout


@pytest.mark.parametrize("name", ["ends:raises", "ends:segfaults", "noise_on_import:f", "answers:nothing"])
def test_identify_survives(name):
    result = CliRunner().invoke(app, ["identify", target(name), "--timeout", str(TIMEOUT)])
    assert result.exit_code == (1 if name == "answers:nothing" else 3)
    assert result.exception is None or isinstance(result.exception, SystemExit)
