"""Programs behind `exec:`: nothing is lost on the way, they are judged as any target, and the examples are right."""

import json
import math
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from exec_echo import Echo
from typer.testing import CliRunner

import verify
from verify.adapters import exec_protocol
from verify.adapters.exec_bridge import Bridge
from verify.adapters.isolated import IsolatedTarget
from verify.case import LEVELS, Case
from verify.cases import UsageError, make_case
from verify.cli import app
from verify.result import LiveTarget, TargetError
from verify.vectors.documents import export

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples" / "exec"
SCHEMA = ROOT / "verify" / "adapters" / "hippo-exec-1.schema.json"
COMPILER = shutil.which("gcc") or shutil.which("cc")
NODE = shutil.which("node")

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler (gcc or cc) on this machine")
needs_node = pytest.mark.skipif(NODE is None, reason="no node on this machine")


def python(*words):
    return "exec:" + shlex.join([sys.executable, *map(str, words)])


ECHO = python(Path(__file__).with_name("exec_echo.py"))


@contextmanager
def bridge(target):
    """The bridge in this process, without a worker, and the lines that it exchanges."""
    made = Bridge(target)
    lines, exchange = [], made._child.exchange

    def listening(line, limit):
        answer = exchange(line, limit)
        lines.extend([line, answer])
        return answer

    made._child.exchange = listening
    try:
        yield made, lines
    finally:
        process = made._child._process
        process.stdin.close()  # the program ends with its input
        assert process.wait(30) == 0
        process.stdout.close()


def arguments_of(level, order, dtype):
    """Arguments that are no short decimals."""
    state, samples = np.linspace(-1, 1, order).astype(dtype), (np.arange(7) ** 2 / 3 - 1 / 7).astype(dtype)
    return {
        "matrices": (order,),
        "factors": (order,),
        "step": (state, 0.1, 3),
        "scan": (samples, order),
        "gradient": (samples, order),
        "timed_scan": (samples, np.cumsum(np.arange(1, 8) / 3), order),
        "batch_scan": (np.stack([samples, -samples]), order),
        "resume": (state, samples, 5),
        "reconstruct": (state, np.array([0.0, 1 / 3, 1.0], dtype=dtype)),
    }[level]


@pytest.fixture(scope="module")
def echo():
    target = IsolatedTarget(ECHO)
    yield target
    target.close()


# Nothing is lost on the way.


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("level", LEVELS)
def test_every_level_arrives_to_the_bit(echo, level, dtype):
    case = make_case(ECHO, level=level, order=4, dtype=dtype)
    given = arguments_of(level, 4, dtype)
    got, expected = echo.call(case, *given), LiveTarget(Echo()).call(case, *given)
    assert not got.malformed
    assert got.dtype == expected.dtype
    assert got.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        assert (got.arrays[name].dtype, got.arrays[name].shape) == (array.dtype, array.shape)
        assert got.arrays[name].tobytes() == array.tobytes()


NUMBERS = [
    (1, 1.0), (-0.0, -0.0), (0.1, 0.1), (10**400, math.inf), (-(10**400), -math.inf), (2**53 + 1, float(2**53)),
    ("0x1.8p+1", 3.0), ("-0X1.8P1", -3.0), ("0x10", 16.0), ("0x.8", 0.5), ("0x1p-1074", 5e-324), ("0x1p5000", math.inf),
    ("-0x1p5000", -math.inf), ("0xc.90fdaa22168c235p-2", math.pi), ("1e-400", 0.0), ("1e999", math.inf), (".5", 0.5),
    ("5.", 5.0), ("+1E3", 1000.0), ("0.1000000000000000055511151231257827", 0.1), ("inf", math.inf),
    ("-Infinity", -math.inf), ("NaN", math.nan), ("-nan", math.nan), (math.nan, math.nan),
    (True, None), (None, None), ("", None), (" 1", None), ("1\n", None), ("1_0", None),
    ("0x1.8p+1 ", None), ("١", None), ("1,5", None), ("abc", None), ("0x", None), ("1e", None), ("nan(3)", None),
    ([1.0], None), ({}, None), ("1" * 5000, math.inf),
]  # fmt: skip


@pytest.mark.parametrize(("written", "meant"), NUMBERS, ids=lambda value: repr(value)[:30])
def test_numbers_are_read_as_the_nearest_double(written, meant):
    read = exec_protocol._real(written)
    if meant is None or math.isnan(meant):
        assert read is None if meant is None else math.isnan(read)
    else:
        assert (read, math.copysign(1, read)) == (meant, math.copysign(1, meant))


def test_short_decimals_are_numbers_of_the_dtype():
    """A float32 printed with nine digits is that float32, not a double beside it."""
    case = make_case("mine", level="scan", dtype="float32")
    answer = {"shape": [1, 2], "values": ["0.100000001", 0.333333343]}
    got = exec_protocol.arrays(answer, case)
    assert got.dtype == np.float32
    assert got.tolist() == [[float(np.float32(0.1)), float(np.float32(1 / 3))]]
    double = exec_protocol.arrays({**answer, "dtype": "float64"}, case)
    assert (double.dtype, double[0, 0]) == (np.float64, 0.100000001)


@pytest.mark.parametrize(
    ("level", "answer", "message"),
    [
        ("scan", [[1.0]], r"the answer is \[\[1\.0\]\]; expected an object with shape and values"),
        ("scan", {"shape": [2], "values": [1]}, r"the answer has shape \[2\] and 1 values; expected 2 in one list"),
        ("scan", {"shape": 2, "values": [1, 2]}, r"has shape 2; expected a list of at most 8 integers"),
        ("scan", {"shape": [-1], "values": []}, r"has shape \[-1\]"),
        ("scan", {"shape": [True], "values": [1]}, r"has shape \[true\]"),
        ("scan", {"shape": [1], "values": 3}, r"has shape \[1\] and values 3; expected 1 in one list"),
        ("scan", {"shape": [1], "values": ["one"]}, r"values\[0\] of the answer is \"one\"; expected a number"),
        (
            "scan",
            {"shape": [1], "values": [1], "dtype": "float16"},
            r"has dtype \"float16\"; expected float64 or float32",
        ),
        (
            "factors",
            {"Lambda": {"shape": [1], "values": [1.0]}},
            r"lacks B; expected an object with Lambda, P, Q, B, V",
        ),
        (
            "factors",
            {name: {"shape": [1], "values": [1.0]} for name in ("Lambda", "B")},
            r"values\[0\] of Lambda is 1\.0; expected a pair \[re, im\]",
        ),
    ],
)
def test_what_is_no_array_says_why(level, answer, message):
    with pytest.raises(exec_protocol.Malformed, match=message):
        exec_protocol.arrays(answer, make_case("mine", level=level))


@pytest.mark.parametrize("level", LEVELS)
def test_the_room_for_an_answer_holds_the_longest_right_one(level):
    order, longest = 40, "-0x1.fffffffffffffp-1022"
    given = arguments_of(level, order, "float64")
    case = make_case("mine", level=level, order=order)
    answer = LiveTarget(Echo()).call(case, *given)
    count = sum(array.size * (1 + np.iscomplexobj(array)) for array in answer.arrays.values())
    assert len(json.dumps([longest] * count)) < exec_protocol.room(case, given) < 500 * (count + 200)


def test_every_line_is_of_the_published_schema(tmp_path):
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is in the test extra")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)

    def fits(kind, line):
        part = {"$ref": f"#/$defs/{kind}", "$defs": schema["$defs"]}
        return jsonschema.Draft202012Validator(part).is_valid(json.loads(line))

    commands = [ECHO]
    commands += [f"exec:{NODE} {EXAMPLES / 'hippo_exec.mjs'}"] if NODE else []
    commands += [f"exec:{in_c(tmp_path)}"] if COMPILER else []
    for target in commands:
        with bridge(target) as (made, lines):
            made.meet({"name": "x"})
            for level in made._levels:
                for case in (make_case("mine", level=level), make_case("mine", "legt", level=level, theta=0.5)):
                    given = list(arguments_of(level, 4, "float64"))
                    answer = made.handle(operation="call", case=case.to_json(), arguments=given)
                    assert answer.get("unsupported") == "only legs takes times" or not answer["malformed"]
        hello, introduction, *exchanged = lines
        assert fits("hello", hello)
        assert fits("introduction", introduction)
        assert len(exchanged) == 4 * len(made._levels)
        for place, line in enumerate(exchanged):
            # What Python writes for numbers that are none is read, too, and is no JSON.
            text = re.sub(rb"-?\b(NaN|Infinity)\b", b'"nan"', line)
            assert [fits(kind, text) for kind in ("question", "reply")] == [place % 2 == 0, place % 2 == 1], line


def test_the_lines_of_the_page_are_of_the_schema_and_are_understood():
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is in the test extra")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "exec.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    records = [json.loads(line) for block in blocks for line in re.split(r"\n(?=\{)", block.strip())]
    for record in records:
        jsonschema.Draft202012Validator(schema).validate(record)
    hello, introduction, question, *replies = records
    assert hello == json.loads(exec_protocol.hello({}))
    assert exec_protocol.Program("mine", introduction).implementation_version == "1.4"
    case = make_case("mine", "legt", level="scan", theta=0.5, order=2)
    line = exec_protocol.question(3, case, [np.array([1.0, -0.1]), 2])
    assert (json.loads(line), b" " in line) == (question, False)
    assert list(json.loads(line)) == list(question)  # in this order, as the page says
    assert [exec_protocol.answered(reply, reply["id"], "") for reply in replies] == ["answer", "error", "unsupported"]


def test_the_schema_and_the_reader_know_the_same_words():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))["$defs"]
    assert schema["level"]["enum"] == list(LEVELS)
    assert schema["measure"]["enum"] == list(exec_protocol.DOMAINS)
    assert schema["introduction"]["properties"]["protocol"]["const"] == exec_protocol.PROTOCOL
    assert re.compile(schema["number"]["anyOf"][1]["pattern"])
    for written, meant in NUMBERS:
        if isinstance(written, str) and "\n" not in written:
            assert bool(re.match(schema["number"]["anyOf"][1]["pattern"], written)) is (meant is not None), written


# A program is told the case, and is asked for nothing that it has not got.


def test_a_program_is_told_the_case(echo):
    case = make_case(ECHO, "lagt", level="scan", alpha=0.5, beta=2, dt=0.1, method="gbt(1/3)")
    with pytest.raises(TargetError) as refused:
        echo.call(case, np.ones(3), 4)
    assert (refused.value.kind, refused.value.message) == (
        "unsupported",
        json.dumps([{"alpha": (0.5).hex(), "beta": (2.0).hex()}, (0.1).hex()]),
    )


def test_parameters_that_a_case_leaves_out_have_their_default():
    line = exec_protocol.question(1, Case("mine", "legt", 4), [4])
    assert json.loads(line)["parameters"] == {"theta": "0x1.0000000000000p+0"}


def _short_runs_alone(gain):
    """Scans of at most 3 samples, and of these the first coefficient is off by a factor."""

    def scan(samples, order):
        if len(samples) > 3:
            raise TargetError("unsupported", "at most 3 samples")
        import hippo_fast

        return hippo_fast.scan(samples, "legs", order) * gain

    return scan


def test_nobody_passes_by_refusing_what_is_hard():
    keys = ["scan", "linearity", "determinism"]
    for gain, expected in ((1.0, "UNSUPPORTED"), (1.5, "FAIL")):
        report = verify.check(_short_runs_alone(gain), level="scan", orders=(4,), checks=keys)
        found = {verdict.check: verdict for verdict in report.verdicts}
        assert found["scan"].status == expected
        assert "PASS" not in {verdict.status for verdict in report.verdicts}
        if expected == "UNSUPPORTED":
            assert re.fullmatch(r"at most 3 samples \(it answered [1-9][0-9]* before\)", found["scan"].message)
            assert report.exit_code == 4


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"measure": "lmu"}, "has no lmu"),
        ({"measure": "legt", "theta": 2}, "has legt with theta = 0.5 only"),
        ({"level": "scan", "method": "zoh"}, "has no rule zoh; it has bilinear, gbt(a)"),
        ({"order": 128}, "takes orders from 2 to 64"),
        ({"measure": "legt", "theta": Fraction(1, 2)}, None),
        ({"level": "matrices", "method": "zoh"}, None),
        ({"level": "scan", "method": "gbt(1/3)"}, None),
        ({"dtype": "float32"}, None),
    ],
)
def test_what_was_not_declared_is_not_asked(echo, case, reason):
    asked = make_case(ECHO, **case)
    found = echo.why_not(asked)
    assert (found and found.removeprefix(f"{ECHO} ")) == reason
    if reason is not None:
        with pytest.raises(TargetError, match=re.escape(reason)) as refused:
            echo.call(asked, *arguments_of(asked.level, asked.order, asked.dtype))
        assert refused.value.kind == "unsupported"


def test_a_command_in_another_folder_is_that_of_the_user(tmp_path, monkeypatch):
    (tmp_path / "program").write_text(f"#!/bin/sh\nexec {shlex.join(shlex.split(ECHO.removeprefix('exec:')))}\n")
    (tmp_path / "program").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    with bridge("exec:./program") as (made, _):
        made.meet({"name": "from here"})
        assert made.handle(operation="levels")["program"]["name"] == "from here"


# The examples, through the command line.


def in_c(folder):
    program = folder / "hippo_exec"
    strict = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror")
    subprocess.run([COMPILER, *strict, "-o", program, EXAMPLES / "hippo_exec.c", "-lm"], check=True, timeout=120)
    return program


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return in_c(tmp_path_factory.mktemp("c"))


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Runs a command in a folder of its own; returns exit code, stdout and the JSON object."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        path = tmp_path / "out.json"
        outputs = ["--json", str(path)] if words[0] == "check" else ["--json"]
        result = CliRunner().invoke(app, [*map(str, words), *outputs])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        text = path.read_text(encoding="utf-8") if words[0] == "check" else result.stdout
        return result.exit_code, result.stdout, json.loads(text)

    return run


def decided(record):
    return {v["case"]["level"] for v in record["verdicts"] if v["status"] == "PASS"}


C_LEVELS = {"matrices", "step", "scan", "reconstruct", "timed_scan", "batch_scan", "resume"}
NODE_LEVELS = {"matrices", "step", "scan", "reconstruct", "batch_scan", "gradient"}


@needs_compiler
@pytest.mark.parametrize(
    ("measure", "options"),
    [("legs", ("--orders", "4,8")), ("legt", ("--orders", "4", "--theta", "0.5", "--method", "backward_euler"))],
)
def test_the_c_program_passes(cli, program, measure, options):
    code, _, record = cli("check", f"exec:{program}", "--measure", measure, *options)
    assert (code, record["status"]) == (0, "pass")
    assert record["counts"]["INCONCLUSIVE"] == 0
    assert decided(record) == (C_LEVELS if measure == "legs" else C_LEVELS - {"timed_scan"})


@needs_node
@pytest.mark.parametrize(
    ("measure", "options"), [("legs", ("--orders", "4,8")), ("legt", ("--orders", "4", "--theta", "0.5"))]
)
def test_the_node_program_passes(cli, measure, options):
    target = f"exec:{NODE} {EXAMPLES / 'hippo_exec.mjs'}"
    code, _, record = cli("check", target, "--measure", measure, *options)
    assert (code, record["status"]) == (0, "pass")
    assert record["counts"]["INCONCLUSIVE"] == 0
    assert decided(record) == NODE_LEVELS


BUGS = [
    ("late-clock", "clock_late", "legs", ("--level", "scan")),
    ("doubled-b", "doubled_B", "legs", ("--level", "matrices")),
    ("theta-ignored", "window_ignored", "legt", ("--theta", "0.8", "--level", "matrices")),
]


@needs_compiler
@pytest.mark.parametrize(("bug", "defect", "measure", "options"), BUGS, ids=[row[0] for row in BUGS])
def test_a_bug_in_c_is_named(cli, program, bug, defect, measure, options):
    code, shown, record = cli("check", f"exec:{program} {bug}", "--measure", measure, "--orders", "4", *options)
    assert (code, record["diagnosis"][0]["defect"]) == (1, defect)
    assert record["diagnosis"][0]["text"] in shown


@needs_node
@pytest.mark.parametrize(("bug", "defect", "measure", "options"), BUGS, ids=[row[0] for row in BUGS])
def test_a_bug_in_javascript_is_named(cli, bug, defect, measure, options):
    target = f"exec:{NODE} {EXAMPLES / 'hippo_exec.mjs'}"
    options = ("--measure", measure, "--orders", "4", "--target-arg", f"bug={bug}", *options)
    code, _, record = cli("check", target, *options)
    assert (code, record["diagnosis"][0]["defect"]) == (1, defect)


@needs_compiler
def test_what_failed_is_asked_again_by_the_command_that_is_shown(cli, program):
    code, shown, _ = cli("check", f"exec:{program} doubled-b", "--orders", "4", "--level", "matrices")
    assert code == 1
    again = shlex.split(shown.splitlines()[-1])
    assert again[:3] == ["hippo-verify", "check", f"exec:{program} doubled-b"]
    code, _, record = cli(*again[1:])
    assert (code, record["counts"]["FAIL"]) == (1, 1)
    repaired = [f"exec:{program}" if word.startswith("exec:") else word for word in again[1:]]
    code, _, record = cli(*repaired)
    assert (code, record["counts"]["PASS"]) == (0, 1)


@needs_compiler
def test_vectors_of_a_file_are_asked_of_a_program(cli, program, tmp_path):
    export(tmp_path / "v.jsonl", "quick", measures=["legs", "legt", "lagt"], orders=[1, 4])
    code, _, record = cli("check", f"exec:{program}", "--replay", tmp_path / "v.jsonl")
    assert (code, record["status"]) == (0, "pass")
    assert decided(record) >= {"matrices", "step", "scan", "reconstruct"}
    reasons = {v["message"] for v in record["verdicts"] if v["status"] == "UNSUPPORTED"}
    assert f"exec:{program} has no lagt" in reasons
    code, _, record = cli("check", f"exec:{program} late-clock", "--replay", tmp_path / "v.jsonl", "--measure", "legs")
    assert code == 1
    assert {v["case"]["level"] for v in record["verdicts"] if v["status"] == "FAIL"} == {"step", "scan"}


@needs_compiler
def test_a_program_is_identified(cli, program):
    code, _, record = cli("identify", f"exec:{program}")
    assert code == 0
    assert record["matches"][0]["measure"] == "legs"


@needs_compiler
def test_what_is_not_offered_is_counted(cli, program):
    options = ("--orders", "4,512", "--level", "matrices", "--require-coverage", "90%")
    code, _, record = cli("check", f"exec:{program}", *options)
    assert (code, record["status"]) == (5, "inconclusive")
    (reason,) = {v["message"] for v in record["verdicts"] if v["case"]["order"] == 512 and "takes" in v["message"]}
    assert reason == f"exec:{program} takes orders from 1 to 256"
    code, _, record = cli("check", f"exec:{program}", "--measure", "lagt", "--orders", "4")
    assert (code, record["status"]) == (4, "empty")


@needs_compiler
def test_a_program_has_an_error_budget(program):
    budget = verify.error_budget(f"exec:{program}", "legt", theta=0.5, order=3, length=20)
    values = {part.name: part.value for part in budget.components}
    assert values["rounding"] < 1e-12 < values["truncation"]
    with pytest.raises(UsageError, match="has no dtype float32; it has float64"):
        verify.error_budget(f"exec:{program}", order=3, length=20, dtype="float32")


@needs_compiler
def test_vectors_check_says_how_a_program_is_asked(program):
    result = CliRunner().invoke(app, ["vectors", "check", f"exec:{program}"])
    assert result.exit_code == 2
    assert f"hippo-verify check exec:{program} --replay VECTORS asks it" in result.stderr


@needs_compiler
def test_a_program_in_a_suite_of_tests(program):
    mark = verify.parametrize_with_checks(
        [f"exec:{program}"], orders=[4], level="matrices", checks=["matrices", "ode"]
    ).mark
    assert [repr(check) for check in mark.args[1]] == [
        f"exec:{program}-legs-matrices-N4-{key}" for key in ("matrices", "ode")
    ]
    for check in mark.args[1]:
        check()
        assert check.verdict.status == "PASS"
    named = verify.parametrize_with_checks(
        {"broken": f"exec:{program} doubled-b"}, orders=[4], checks=["matrices"]
    ).mark
    (check,) = named.args[1]
    assert repr(check) == "broken-legs-matrices-N4-matrices"
    with pytest.raises(pytest.fail.Exception, match="B is twice the LegS B"):
        check()
    with pytest.raises(
        UsageError, match=r"target exec:\./none: The target could not be loaded: it could not be started"
    ):
        verify.parametrize_with_checks(["exec:./none"])
