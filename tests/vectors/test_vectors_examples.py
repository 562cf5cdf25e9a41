"""The example programs, as a third party would run them: right ones pass, a planted mistake is caught and named."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from verify.oracle import Oracle
from verify.vectors.checking import check
from verify.vectors.documents import export, read_document

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "vectors"
COMPILER = shutil.which("gcc") or shutil.which("cc")
NODE = shutil.which("node")
ORACLE = Oracle(None)

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler (gcc or cc) on this machine")
needs_node = pytest.mark.skipif(NODE is None, reason="no node on this machine")


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """The measures that the examples offer, and two that they do not."""
    path = tmp_path_factory.mktemp("vectors") / "v.jsonl"
    export(path, "quick", measures=["legs", "legt", "lmu"], orders=[1, 3, 4, 9, 32])
    return path


def answered(command, vectors, tmp_path, **environment):
    """The report on what a program answers."""
    answers = tmp_path / "answers.jsonl"
    with vectors.open() as questions, answers.open("w") as out:
        subprocess.run(command, stdin=questions, stdout=out, check=True, env={**os.environ, **environment}, timeout=120)
    return check(answers, vectors, oracle=ORACLE)


def in_c(tmp_path, *flags):
    program = tmp_path / "hippo_vectors"
    strict = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", *flags)
    subprocess.run([COMPILER, *strict, "-o", program, EXAMPLES / "hippo_vectors.c", "-lm"], check=True, timeout=120)
    return [program]


IN_NODE = [NODE, EXAMPLES / "hippo_vectors.mjs"]


def offered(vectors, kinds, rules):
    """Ids of what an example says it offers."""
    return {
        name
        for name, v in read_document(vectors).vectors.items()
        if v["kind"] in kinds and v.get("method", "bilinear") in rules
    }


def passed(report):
    return {v.details["vector"] for v in report.verdicts if v.status == "PASS"}


@needs_compiler
def test_the_c_program_passes(vectors, tmp_path):
    report = answered(in_c(tmp_path), vectors, tmp_path)
    assert (report.status, report.exit_code, report.target) == ("pass", 0, "hippo_vectors.c")
    assert passed(report) == offered(vectors, ("matrices", "scan"), ("bilinear", "backward_euler", "euler", "zoh"))
    reasons = {v.message for v in report.verdicts if v.status == "UNSUPPORTED"}
    assert reasons == {"kind", "rule"}


@needs_node
def test_the_node_program_passes(vectors, tmp_path):
    report = answered(IN_NODE, vectors, tmp_path)
    assert (report.status, report.exit_code, report.target) == ("pass", 0, "hippo_vectors.mjs")
    kinds = ("matrices", "scan", "step", "reconstruct")
    assert passed(report) == offered(vectors, kinds, ("bilinear", "backward_euler", "euler"))


@needs_compiler
@pytest.mark.parametrize(
    ("bug", "defect", "text"),
    [
        ("LATE_CLOCK", "clock_late", "the step reads k + 1 where the rule has k (h = 1/(k+1))"),
        ("DOUBLED_B", "doubled_B", "B is twice the LegS B"),
        ("THETA_IGNORED", "window_ignored", "theta is ignored: the window is always 1"),
        (
            "ONE_BASED",
            "one_based",
            "the index starts at 1: this is LegS of order N + 1 without its first row and column",
        ),
        (
            "SHORT_PRINT",
            "printed_short",
            "the answers are printed with 6 significant digits; print 17, or hex floats (%a)",
        ),
    ],
)
def test_a_bug_in_c_is_named(vectors, tmp_path, bug, defect, text):
    report = answered(in_c(tmp_path, f"-DBUG={bug}"), vectors, tmp_path)
    assert report.exit_code == 1
    assert (report.diagnosis[0].defect, report.diagnosis[0].text) == (defect, text)
    assert report.diagnosis[-1].defect == "pattern"


@needs_node
@pytest.mark.parametrize(
    ("bug", "defect"),
    [
        ("late-clock", "clock_late"),
        ("doubled-b", "doubled_B"),
        ("theta-ignored", "window_ignored"),
        ("one-based", "one_based"),
        ("unweighted", "unweighted"),
    ],
)
def test_a_bug_in_javascript_is_named(vectors, tmp_path, bug, defect):
    report = answered(IN_NODE, vectors, tmp_path, BUG=bug)
    assert report.exit_code == 1
    assert report.diagnosis[0].defect == defect


@needs_compiler
def test_the_c_program_refuses_another_format(tmp_path):
    answer = subprocess.run(in_c(tmp_path), input=b'{"format":"hippo-vectors/2"}\n', capture_output=True, check=False)
    assert answer.returncode == 2
    assert answer.stderr == b"stdin is no hippo-vectors/1 in JSON Lines\n"


@needs_node
def test_the_node_program_refuses_another_format():
    answer = subprocess.run(IN_NODE, input=b'{"format":"hippo-vectors/2"}\n', capture_output=True, check=False)
    assert answer.returncode != 0
    assert b"stdin is hippo-vectors/2, not hippo-vectors/1" in answer.stderr
