"""The action that gates: its inputs are the options, and its steps do what they say on sides that are equal or not."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from action_runner import ROOT, run_action, script_of

from verify.cli import app
from verify.gate import Kind, Measurement, Side
from verify.gate.sides.record import write_side

FOLDER = ROOT / ".github/actions/gate"
ACTION = yaml.safe_load((FOLDER / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"]}
OPTIONS = {
    option.removeprefix("--"): parameter
    for parameter in typer.main.get_command(app).commands["gate"].params
    if parameter.param_type_name == "option"
    for option in parameter.opts
}
INSTALLED = {"install": {"python": sys.executable}}
OWN = {"args", "install", "python", "working-directory"}
"""Inputs that are no options of `gate`; its `--python` is left to `args`, as the action's input means more."""
WRITTEN = {"json", "junit-xml", "sarif", "markdown"}
"""Options that the action sets by itself."""
LEFT = {"python", "base-python", "head-python", "store", "save", "aa", "slow", "progress"}
"""Options left to `args`."""


@pytest.fixture
def repository(tmp_path):
    """Somebody's repository, in a folder whose name has a space, with what two commits gave."""
    folder = tmp_path / "their work"
    folder.mkdir()
    for name, error in (("base", 0.25), ("equal", 0.25), ("worse", 0.5)):
        one = Measurement(
            name="bench_mine.Mine.track_error", kind=Kind.ERROR, unit="error / bound", version="1", status="measured",
            rounds=(error,),
        )  # fmt: skip
        machine, environment = {"cpu": "one"}, {"python": "3.12"}
        side = Side(
            label=name, revision=None, paired=None, machine=machine, environment=environment,
            measurements={one.name: one},
        )  # fmt: skip
        write_side(folder / f"{name}.json", side)
    return folder


def gated(repository, **inputs):
    given = {name.replace("_", "-"): value for name, value in inputs.items()}
    return run_action(FOLDER, given, repository, skip=INSTALLED)


def test_every_option_of_gate_is_an_input_or_is_left_out_on_purpose():
    assert set(ACTION["inputs"]) - OWN <= set(OPTIONS)
    assert set(OPTIONS) - (set(ACTION["inputs"]) - OWN) - WRITTEN - LEFT == set()
    assert set(OPTIONS) >= WRITTEN | LEFT


def test_every_input_is_used_and_every_variable_has_one():
    used = {
        match
        for step in STEPS.values()
        for value in (*step["env"].values(), step["working-directory"])
        for match in re.findall(r"\$\{\{ inputs\.([\w-]+) \}\}", value)
    }
    assert used == set(ACTION["inputs"])
    for step in STEPS.values():
        read = set(re.findall(r"\bINPUT_\w+", script_of(step, FOLDER)))
        assert read == {variable for variable in step["env"] if variable.startswith("INPUT_")}


def test_equal_sides_pass_and_everything_is_written(repository):
    outcome = gated(repository, base="base.json", head="equal.json")
    assert outcome.code == 0, outcome.log
    found = {name: outcome.outputs[name] for name in ("word", "status", "exit-code")}
    assert found == {"word": "same", "status": "pass", "exit-code": "0"}
    for name in WRITTEN:
        path = Path(outcome.outputs[name])
        assert path.parent == Path(outcome.outputs["folder"])
        assert path.stat().st_size > 0
    assert outcome.summary == Path(outcome.outputs["markdown"]).read_text(encoding="utf-8")
    assert {path.name for path in repository.iterdir()} == {"base.json", "equal.json", "worse.json"}


def test_what_became_worse_fails_the_job_in_the_words_of_the_gate(repository):
    outcome = gated(repository, base="base.json\n", head="worse.json")
    assert (outcome.code, outcome.outputs["exit-code"]) == (1, "1"), outcome.log
    assert (outcome.outputs["word"], outcome.outputs["status"]) == ("less accurate", "fail")
    assert "hippo-verify gate: less accurate" in outcome.summary
    record = json.loads(Path(outcome.outputs["json"]).read_text(encoding="utf-8"))
    assert record["findings"][0]["ratio"] == 2


def test_options_reach_the_gate(repository):
    (repository / "settings").mkdir()
    (repository / "settings/pyproject.toml").write_text("[tool.hippo-verify.gate]\ngrowth = 3.0\nbits = 2.0\n", "utf-8")
    outcome = gated(repository, base="base.json", head="worse.json", settings="settings/pyproject.toml")
    assert (outcome.code, outcome.outputs["word"]) == (0, "same"), outcome.log

    outcome = gated(repository, base="base.json\nbase.json", head="worse.json", bench="nonesuch", args="--no-progress")
    assert (outcome.code, outcome.outputs["status"]) == (4, "empty"), outcome.log
    record = json.loads(Path(outcome.outputs["json"]).read_text(encoding="utf-8"))
    assert record["base"]["label"] != "base"  # both lines were taken as files


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"base": "gone.json"}, "gone.json"),
        ({"base": "base.json", "args": "--nonesuch"}, "--nonesuch"),
    ],
)
def test_wrong_usage_is_told(repository, inputs, said):
    outcome = gated(repository, **inputs)
    assert (outcome.code, outcome.outputs["status"], outcome.outputs["exit-code"]) == (2, "usage", "2"), outcome.log
    assert outcome.outputs["word"] == ""
    assert said in outcome.log


def test_where_the_first_parent_was_not_fetched_it_says_what_to_do(repository, tmp_path):
    """What actions/checkout leaves unless it is told: one commit."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(repository)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "1"], ["commit", "-qm", "2", "--allow-empty"]):
        subprocess.run([*git, *words], check=True)
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", repository.as_uri(), str(shallow)], check=True)
    outcome = gated(shallow)
    assert (outcome.code, outcome.outputs["status"]) == (2, "usage")
    assert "HEAD^1" in outcome.log
    assert "::error::only a part of the history is here; give actions/checkout fetch-depth: 2" in outcome.log


HOSTILE = ["$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "'; touch pwned; '", "${PYTHON}", "*", "--help"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_input_is_ever_run(repository, text):
    """Each input in turn holds something that a shell would run, expand or take for an option."""
    program = repository.parent / "recorder"
    seen = repository.parent / "seen"
    program.write_text(f'#!{sys.executable}\nimport sys\nopen("{seen}", "a").write(repr(sys.argv) + "\\n")\n', "utf-8")
    program.chmod(0o755)
    values = "".join(STEPS["gate"]["env"].values())
    names = set(re.findall(r"inputs\.([\w-]+)", values))
    before = set(os.listdir(repository))
    outcome = run_action(FOLDER, dict.fromkeys(names, text), repository, skip={"install": {"python": str(program)}})
    assert outcome.code == 0, outcome.log
    words = eval(seen.read_text(encoding="utf-8").splitlines()[0])
    for name in names - OWN:
        assert f"--{name}={text}" in words
    assert words[-len(text.split()) :] == text.split()  # args alone is split, and no word of it is expanded
    assert set(os.listdir(repository)) == before
    assert not (repository.parent / "pwned").exists()


def test_it_is_installed_with_what_measures(repository):
    program, log = repository.parent / "python", repository.parent / "log"
    program.write_text('#!/bin/bash\necho "$*" >> "$LOG"\ncase "$*" in *EXTERNALLY*) exit 1 ;; esac\n', "utf-8")
    program.chmod(0o755)
    outcome = run_action(
        FOLDER, {"python": str(program), "install": "-c constraints.txt numba"}, repository,
        environment={**os.environ, "LOG": str(log)}, skip={"gate": {}},
    )  # fmt: skip
    assert outcome.code == 0, outcome.log
    last = log.read_text(encoding="utf-8").splitlines()[-1]
    assert last == f"-P -m pip install --disable-pip-version-check {ROOT}[bench] -c constraints.txt numba"
