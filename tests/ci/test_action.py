"""The action for GitHub: valid, closed to injection, and its steps do what they say on targets right and wrong."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from action_runner import BASH, run_action, script_of

from verify.cli import app

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"]}
SCRIPTS = {name: script_of(step, ROOT) for name, step in STEPS.items()}
OPTIONS = {
    option: parameter
    for parameter in typer.main.get_command(app).commands["check"].params
    if parameter.param_type_name == "option"
    for option in parameter.opts
}
LEGS = """
import numpy as np


def legs(order):
    n = np.arange(order)
    r = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(r, r), -1) - np.diag(n + 1.0), r


def loud(order):
    A, B = legs(order)
    return A, 2 * B


def scaled(order, gain):
    A, B = legs(order)
    return A, gain * B
"""
INSTALLED = {"install": {"python": sys.executable}}
"""The step that installs, as if it had run: nothing is fetched in a test."""


@pytest.fixture
def repository(tmp_path):
    """Somebody's repository, in a folder whose name has a space."""
    folder = tmp_path / "their work"
    folder.mkdir()
    (folder / "mine.py").write_text(LEGS, encoding="utf-8")
    return folder


def checked(repository, **inputs):
    given = {name.replace("_", "-"): value for name, value in inputs.items()}
    return run_action(ROOT, {"orders": "4", "level": "matrices", **given}, repository, skip=INSTALLED)


# What it is: test_workflows.py holds it against the schema and the linters.


def test_every_input_is_used_and_every_variable_has_one():
    used = {
        match
        for step in STEPS.values()
        for value in (*step.get("env", {}).values(), step["working-directory"])
        for match in re.findall(r"\$\{\{ inputs\.([\w-]+) \}\}", value)
    }
    assert used == set(ACTION["inputs"])
    for name, step in STEPS.items():
        read = set(re.findall(r"\bINPUT_\w+", SCRIPTS[name]))
        assert read == {variable for variable in step["env"] if variable != "PYTHON"}


OWN = {"target", "args", "install", "python", "working-directory"}
"""Inputs that are no options of `check`."""
WRITTEN = {"json", "junit-xml", "sarif", "markdown", "certificate", "badge", "github", "counterexamples"}
"""Options that the action sets by itself."""
LEFT = {"replay", "no-counterexamples", "keep", "progress", "no-progress", "target-arg"}
"""Options left to `args`."""


def test_every_option_of_check_is_an_input_or_is_left_out_on_purpose():
    names = {option.removeprefix("--") for option in OPTIONS}
    assert set(ACTION["inputs"]) - OWN <= names
    assert names - set(ACTION["inputs"]) - WRITTEN - LEFT == set()


def test_every_input_is_the_option_of_its_name():
    script = STEPS["check"]["run"]
    given = dict(re.findall(r'^option ([\w-]+) "\$(INPUT_\w+)"$', script, re.MULTILINE))
    assert set(given) == set(ACTION["inputs"]) - OWN
    for option, variable in given.items():
        assert variable == f"INPUT_{option.upper().replace('-', '_')}"
        assert STEPS["check"]["env"][variable] == f"${{{{ inputs.{option} }}}}"


def test_every_output_is_written():
    script = STEPS["check"]["run"]
    for name, output in ACTION["outputs"].items():
        assert output["value"] == f"${{{{ steps.check.outputs.{name} }}}}"
        assert f"written {name} " in script or f"{name}=%s" in script


# What it does.


def test_a_right_target_passes(repository):
    outcome = checked(repository, target="mine.py:legs")
    assert (outcome.code, outcome.outputs["status"], outcome.outputs["exit-code"]) == (0, "pass", "0"), outcome.log
    assert json.loads(Path(outcome.outputs["json"]).read_text(encoding="utf-8"))["status"] == "pass"
    for name in ("junit-xml", "sarif", "certificate", "badge"):
        assert Path(outcome.outputs[name]).stat().st_size, name
    assert Path(outcome.outputs["folder"]).is_dir()
    assert "mine.py:legs" in outcome.summary
    assert "::error" not in outcome.log


def test_a_wrong_target_fails_with_its_diagnosis(repository):
    inner = repository / "src"
    inner.mkdir()
    (repository / "mine.py").rename(inner / "mine.py")
    (inner / "json.py").write_text("raise ImportError('shadows the library')", encoding="utf-8")
    (inner / "verify").mkdir()
    outcome = checked(repository, target="mine.py:loud", working_directory="src")
    assert (outcome.code, outcome.outputs["status"], outcome.outputs["exit-code"]) == (1, "fail", "1"), outcome.log
    assert "B is twice the LegS B" in outcome.summary
    assert re.search(r"^::error file=src/mine\.py,line=\d+,.*B is twice the LegS B", outcome.log, re.MULTILINE)
    assert any(Path(outcome.outputs["folder"], "counterexamples").iterdir())
    left = {path.name for path in inner.iterdir()} - {"__pycache__"}
    assert left == {"json.py", "mine.py", "verify"}  # nothing of ours stays in the user's tree


def test_options_reach_the_check(repository):
    known = """[[expected]]
target = "mine.py:scaled"
check = "{}"
reason = "loud"
link = "https://example.org/1"
orders = [3]
versions = ["numpy>=2"]
expires = 2027-01-31
"""
    entries = "\n".join(known.format(check) for check in ("matrices", "ode", "structure"))
    (repository / "known.toml").write_text(entries, encoding="utf-8")
    outcome = run_action(
        ROOT,
        {
            "target": "mine.py:scaled", "measure": "legs", "level": "matrices", "orders": 3, "dtype": "float32",
            "seed": 7, "suite": "full", "convention": "exact", "accuracy": "normwise",
            "expected": "known.toml", "timeout": 30, "memory-limit": "1GiB", "require-coverage": "50%",
            "args": "--target-arg=gain=2\n--no-progress   --no-counterexamples\n",
        },
        repository, skip=INSTALLED, environment={**os.environ, "HIPPO_VERIFY_TODAY": "2027-01-30"},
    )  # fmt: skip
    record = json.loads(Path(outcome.outputs["json"]).read_text(encoding="utf-8"))
    assert (outcome.code, record["status"], record["provenance"]["seed"]) == (0, "pass", 7), outcome.log
    assert record["counts"]["EXPECTED_FAIL"] == 3
    assert {(v["case"]["order"], v["case"]["dtype"]) for v in record["verdicts"]} == {(3, "float32")}
    assert record["coverage_summary"]["required"] == "50%"
    assert not Path(outcome.outputs["folder"], "counterexamples").exists()


def test_a_measure_with_a_window_is_asked_for(repository):
    outcome = checked(repository, target="mine.py:legs", measure="legt", theta=2, dt=0.5, method="zoh")
    record = json.loads(Path(outcome.outputs["json"]).read_text(encoding="utf-8"))
    assert outcome.code == 1
    case = record["verdicts"][0]["case"]
    assert (case["measure"], case["parameters"], case["dt"], case["method"]) == ("legt", {"theta": "2"}, 0.5, "zoh")


def test_too_little_is_no_pass(repository):
    outcome = checked(repository, target="mine.py:legs", require_coverage="100%")
    assert (outcome.code, outcome.outputs["status"]) == (5, "inconclusive"), outcome.log


def test_a_target_that_is_not_there_is_an_error(repository):
    outcome = checked(repository, target="mine.py:gone")
    assert (outcome.code, outcome.outputs["status"]) == (3, "error"), outcome.log


@pytest.mark.parametrize("inputs", [{"measure": "nonesuch"}, {"args": "--nonesuch"}])
def test_wrong_usage_is_told(repository, inputs):
    outcome = checked(repository, target="mine.py:legs", **inputs)
    assert (outcome.code, outcome.outputs["status"], outcome.outputs["exit-code"]) == (2, "usage", "2"), outcome.log
    assert "nonesuch" in outcome.log


HOSTILE = [
    "$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "'; touch pwned; '", "a\ntouch pwned", "${PYTHON}", "*",
    "--help", "mine.py:legs --json=pwned",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_no_input_is_ever_run(repository, text):
    """Each input in turn holds something that a shell would run, expand or take for an option."""
    step, program = STEPS["check"], repository.parent / "recorder"
    program.write_text(
        f'#!{sys.executable}\nimport sys\nopen("{repository.parent}/seen", "a").write(repr(sys.argv) + "\\n")\n'
    )
    program.chmod(0o755)
    names = {match: name for name, value in step["env"].items() for match in re.findall(r"inputs\.([\w-]+)", value)}
    outcome = run_action(ROOT, dict.fromkeys(names, text), repository, skip={"install": {"python": str(program)}})
    assert outcome.code == 0, outcome.log
    seen = eval((repository.parent / "seen").read_text(encoding="utf-8").splitlines()[0])
    assert seen[-2:] == ["--", text]
    for name in set(names) - OWN:
        assert f"--{name}={text}" in seen
    assert seen[-2 - len(text.split()) : -2] == text.split()  # args alone is split, and no word of it is expanded
    assert [path.name for path in repository.iterdir()] == ["mine.py"]
    assert not (repository.parent / "pwned").exists()


# How it is installed.

PYTHON = """#!/bin/bash
echo "$*" | tr '\\n' ' ' >> "$LOG"; echo >> "$LOG"
case "$*" in
  *version_info*) exit "$OLD" ;;
  *EXTERNALLY-MANAGED*) exit "$FREE" ;;
  *"import pip") exit "$BARE" ;;
  *" venv "*) mkdir -p "${@: -1}/bin" && cp "$0" "${@: -1}/bin/python" ;;
esac
"""


def installed(repository, *, old=0, free=1, bare=0, **inputs):
    """The step that installs, with a Python that writes down what it is asked for."""
    program = repository.parent / "python"
    program.write_text(PYTHON, encoding="utf-8")
    program.chmod(0o755)
    log = repository.parent / "log"
    environment = {**os.environ, "LOG": str(log), "OLD": str(old), "FREE": str(free), "BARE": str(bare)}
    outcome = run_action(
        ROOT, {"target": "x", "python": str(program), **inputs}, repository, environment=environment,
        skip={"check": {}},
    )  # fmt: skip
    return outcome, [line.strip() for line in log.read_text(encoding="utf-8").splitlines()]


def test_it_is_installed_beside_the_target(repository):
    outcome, asked = installed(repository, install=".[gpu]  torch==2.13.0\n-r requirements.txt\n")
    assert outcome.code == 0, outcome.log
    assert asked[-1] == f"-P -m pip install --disable-pip-version-check {ROOT} .[gpu] torch==2.13.0 -r requirements.txt"
    assert outcome.steps["install"]["python"] == str(repository.parent / "python")


def test_a_python_that_the_system_manages_is_left_alone(repository):
    outcome, asked = installed(repository, free=0)
    (venv,) = [line for line in asked if " venv " in line]
    assert venv.startswith("-P -m venv --system-site-packages ")
    assert asked[-1] == f"-P -m pip install --disable-pip-version-check {ROOT}"
    assert outcome.steps["install"]["python"] == f"{venv.rpartition(' ')[2]}/bin/python"


def test_an_environment_without_pip_gets_it(repository):
    outcome, asked = installed(repository, bare=1)
    assert outcome.code == 0, outcome.log
    assert asked[-2:] == ["-P -m ensurepip", f"-P -m pip install --disable-pip-version-check {ROOT}"]


def test_an_old_python_is_refused(repository):
    outcome, asked = installed(repository, old=1)
    assert outcome.code == 2
    assert len(asked) == 1
    assert "::error::hippo-verify needs Python >= 3.11, and the input python names none" in outcome.log


def test_the_questions_about_a_python_are_answered():
    """The one-liners of the step, by the Python at hand: recent, and not managed by the system or else no venv."""
    script = SCRIPTS["install"]
    answers = [
        subprocess.run([*BASH, "-c", f'python="{sys.executable}"; {question}'], check=False).returncode
        for question in re.findall(r"if !? ?(\"\$python\" (?:-P )?-c '[^']*')", script)
    ]
    assert len(answers) == 2
    assert answers[0] == 0
    if sys.prefix != sys.base_prefix:
        assert answers[1] == 1
