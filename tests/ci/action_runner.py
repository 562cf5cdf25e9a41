"""The part of GitHub's runner that composite actions and plain workflows use, for tests on one machine."""

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import yaml

EXPRESSION = re.compile(r"\$\{\{\s*([\w.-]+)\s*\}\}")
BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
"""What ``shell: bash`` stands for."""


@dataclass
class Outcome:
    """What became of an action.

    Attributes:
        code: exit code of the first step that failed, else 0.
        outputs: of the whole action.
        steps: outputs of each step by its id.
        log: stdout and stderr of all steps.
        summary: the step summaries.
    """

    code: int = 0
    outputs: dict = field(default_factory=dict)
    steps: dict = field(default_factory=dict)
    log: str = ""
    summary: str = ""


def run_action(folder, inputs, workspace, *, environment=None, skip=()):
    """Run a composite action as a workflow in ``workspace`` would, one step after the other, up to the first failure.

    Args:
        folder: where ``action.yml`` is.
        inputs: what stands under ``with``.
        workspace: the repository of the user.
        environment: variables of the runner.
        skip: step id -> outputs, instead of running it.
    """
    action = yaml.safe_load((folder / "action.yml").read_text(encoding="utf-8"))
    unknown = set(inputs) - set(action["inputs"])
    assert not unknown, f"unknown inputs {unknown}"
    missing = {name for name, known in action["inputs"].items() if known.get("required") and name not in inputs}
    assert not missing, f"inputs {missing} are required"
    values = {name: str(known.get("default", "")) for name, known in action["inputs"].items()}
    values |= {name: str(value) for name, value in inputs.items()}
    skip = dict(skip)
    outcome = Outcome(steps={name: dict(given) for name, given in skip.items()})

    def known():
        outputs = {
            f"steps.{step}.outputs.{key}": v for step, found in outcome.steps.items() for key, v in found.items()
        }
        return {f"inputs.{name}": value for name, value in values.items()} | outputs

    temporary = Path(tempfile.mkdtemp(prefix="runner-", dir=workspace.parent))  # lives as long as the job does
    for step in action["runs"]["steps"]:
        if step.get("id") not in skip:
            _run_step(step, folder, known(), workspace, temporary, outcome, environment or os.environ)
        if outcome.code:
            break
    outcome.outputs = {name: _expand(output["value"], known()) for name, output in action["outputs"].items()}
    return outcome


def _run_step(step, folder, known, workspace, temporary, outcome, environment):
    assert "uses" not in step, "another action cannot be run here"
    assert step["shell"] == "bash", step["shell"]
    script, output, summary = (temporary / name for name in ("script.sh", "output", "summary"))
    script.write_text(step["run"], encoding="utf-8")  # as it stands: an expression in it would not be expanded
    output.write_text("", encoding="utf-8")
    summary.write_text("", encoding="utf-8")
    answer = subprocess.run(
        [*BASH, str(script)],
        cwd=workspace / _expand(step.get("working-directory", "."), known),
        env={
            **environment,
            **{name: _expand(str(value), known) for name, value in step.get("env", {}).items()},
            "GITHUB_ACTION_PATH": str(folder),
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_WORKSPACE": str(workspace),
            "RUNNER_TEMP": str(temporary),
        },
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    outcome.code = answer.returncode
    outcome.log += answer.stdout
    outcome.summary += summary.read_text(encoding="utf-8")
    if "id" in step:
        outcome.steps[step["id"]] = outputs_of(output.read_text(encoding="utf-8"))


def outputs_of(text):
    """``name=value`` lines; the last of one name counts, as it does to the runner."""
    return dict(line.split("=", 1) for line in text.splitlines())


def _expand(text, known):
    return EXPRESSION.sub(lambda match: known.get(match[1], ""), text)
