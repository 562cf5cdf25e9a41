"""Whatever a target does, the program stays up, tells the truth about it and writes well-formed files."""

import json
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from typer.testing import CliRunner

import verify
from verify.cli import app
from verify.outputs import WRITERS

TARGETS = Path(__file__).parent / "targets"
TIMEOUT = 1.0
SLACK = 2.0
LEGS_CHECKS = {"matrices", "ode", "equivariance", "determinism"}


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
    pytest.raises(ValueError, match=message).__enter__  # noqa: B018 -- placeholder
    assert elapsed < TIMEOUT + SLACK
