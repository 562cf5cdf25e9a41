"""The part of GitHub's runner that composite actions and plain workflows use, for tests on one machine."""

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<name>[A-Za-z_][\w-]*(?:\.[\w*-]+)*)|(?P<number>\d+)"
    r"|(?P<operator>&&|\|\||==|!=|!|[(),]))"
)
OPERATORS = {"&&": " and ", "||": " or ", "!": " not "}
BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
"""What ``shell: bash`` stands for."""
PLAIN = ["bash", "-e"]
"""What a step of a workflow runs in that names no shell."""
OURS = "hippo-verify/hippo-verify"


class StandInError(Exception):
    """What a stand-in for another action raises where that action would fail its step."""


@dataclass
class Outcome:
    """What became of an action, or of a job.

    Attributes:
        code: exit code of the first step that failed, else 0.
        outputs: of the whole.
        steps: outputs of each step by its id.
        results: ``success``, ``failure`` or ``skipped`` of each step, in order: by its id, or else by what it does.
        log: stdout and stderr of all steps.
        summary: the step summaries.
    """

    code: int = 0
    outputs: dict = field(default_factory=dict)
    steps: dict = field(default_factory=dict)
    results: dict = field(default_factory=dict)
    log: str = ""
    summary: str = ""

    def known(self):
        """What expressions see of the steps."""
        outputs = {f"steps.{step}.outputs.{key}": v for step, found in self.steps.items() for key, v in found.items()}
        return outputs | {f"steps.{step}.outcome": result for step, result in self.results.items()}


def run_action(folder, inputs, workspace, *, environment=None, skip=(), known=None):
    """Run a composite action as a workflow in ``workspace`` would, one step after the other, up to the first failure.

    Args:
        folder: where ``action.yml`` is.
        inputs: what stands under ``with``.
        workspace: the repository of the user.
        environment: variables of the runner.
        skip: step id -> outputs, instead of running it.
        known: further contexts that expressions may name.
    """
    action = yaml.safe_load((folder / "action.yml").read_text(encoding="utf-8"))
    unknown = set(inputs) - set(action["inputs"])
    assert not unknown, f"unknown inputs {unknown}"
    missing = {name for name, declared in action["inputs"].items() if declared.get("required") and name not in inputs}
    assert not missing, f"inputs {missing} are required"
    contexts = dict(known or {})
    values = {name: expand(declared.get("default", ""), contexts) for name, declared in action["inputs"].items()}
    values |= {name: str(value) for name, value in inputs.items()}
    contexts |= {f"inputs.{name}": value for name, value in values.items()}
    skip = dict(skip)
    outcome = Outcome(steps={name: dict(given) for name, given in skip.items()})
    temporary = Path(tempfile.mkdtemp(prefix="runner-", dir=workspace.parent))  # lives as long as the job does
    for step in action["runs"]["steps"]:
        assert "uses" not in step, "another action cannot be run here"
        assert step["shell"] == "bash", step["shell"]
        if step.get("id") not in skip:
            seen = contexts | outcome.known()
            _run_step(step, BASH, seen, workspace, temporary, outcome, environment or os.environ, folder=folder)
        if outcome.code:
            break
    seen = contexts | outcome.known()
    outcome.outputs = {name: expand(output["value"], seen) for name, output in action.get("outputs", {}).items()}
    return outcome


def run_job(path, name, workspace, *, actions, environment=None, known=None, skip=(), folder=ROOT):
    """Run one job of a workflow: its scripts, our own actions, and a stand-in for every other action.

    Args:
        path: the workflow.
        name: the job.
        workspace: where the job starts; empty, unless a stand-in fills it.
        actions: name of an action without its version -> function of its inputs and the workspace; gives outputs,
            or raises `StandInError`.
        environment: variables of the runner.
        known: contexts that expressions may name, such as ``github.event_name``.
        skip: as for `run_action`, for each of our own actions.
        folder: the repository with our own actions.
    """
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    job = workflow["jobs"][name]
    temporary = Path(tempfile.mkdtemp(prefix="runner-", dir=workspace.parent))
    contexts = {"runner.temp": str(temporary), "runner.os": "Linux", **(known or {})}
    outcome = Outcome()
    given = {key: str(value) for level in (workflow, job) for key, value in level.get("env", {}).items()}
    variables = {**(environment or os.environ), **{key: expand(value, contexts) for key, value in given.items()}}
    failed = 0
    for step in job["steps"]:
        seen = contexts | {f"env.{key}": value for key, value in variables.items()} | outcome.known()
        label = step.get("id") or step.get("name") or step.get("uses", "").partition("@")[0] or step["run"]
        if not holds(step.get("if", "success()"), seen, failed=bool(failed)):
            outcome.results[label] = "skipped"
            continue
        if "run" in step:
            shell = BASH if step.get("shell") == "bash" else PLAIN
            _run_step(step, shell, seen, workspace, temporary, outcome, variables)
        else:
            _use(step, label, seen, workspace, outcome, variables, actions, skip, folder)
        outcome.results[label] = "failure" if outcome.code else "success"
        failed = failed or (0 if step.get("continue-on-error") else outcome.code)
        outcome.code = 0
    outcome.code = failed
    seen = contexts | outcome.known()
    outcome.outputs = {key: expand(value, seen) for key, value in job.get("outputs", {}).items()}
    return outcome


def _use(step, label, known, workspace, outcome, environment, actions, skip, folder):
    action, _, version = step["uses"].partition("@")
    inputs = {key: expand(value, known) for key, value in step.get("with", {}).items()}
    if action.startswith((OURS, "./")):
        assert action.startswith("./") or version, f"{action} has no version"
        place = folder / action.removeprefix(OURS).removeprefix("./").strip("/")
        variables = environment | {key: expand(str(value), known) for key, value in step.get("env", {}).items()}
        found = run_action(place, inputs, workspace, environment=variables, skip=skip, known=known)
        outcome.log += found.log
        outcome.summary += found.summary
        outcome.code, outcome.steps[label] = found.code, found.outputs
    else:
        try:
            outcome.steps[label] = actions[action](inputs, workspace) or {}
        except StandInError as error:
            outcome.log += f"{error}\n"
            outcome.code = 1


def _run_step(step, shell, known, workspace, temporary, outcome, environment, folder=None):
    script, output, summary = (temporary / name for name in ("script.sh", "output", "summary"))
    script.write_text(step["run"], encoding="utf-8")  # as it stands: an expression in it would not be expanded
    output.write_text("", encoding="utf-8")
    summary.write_text("", encoding="utf-8")
    answer = subprocess.run(
        [*shell, str(script)],
        cwd=workspace / expand(step.get("working-directory", "."), known),
        env={
            **environment,
            **{name: expand(str(value), known) for name, value in step.get("env", {}).items()},
            **({} if folder is None else {"GITHUB_ACTION_PATH": str(folder)}),
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


def expand(text, known):
    """A text with its expressions replaced by their values."""
    return EXPRESSION.sub(lambda match: _shown(evaluated(match[1], known)), str(text))


def holds(condition, known, *, failed):
    """Whether a step with this ``if`` runs: without a word on the state of the job, only while nothing has failed."""
    text = str(condition)
    inside = EXPRESSION.fullmatch(text.strip())
    text = inside[1] if inside else text
    value = evaluated(text, known, failed=failed)
    stated = re.search(r"\b(?:always|success|failure|cancelled)\(\)", text)
    return bool(value) and (stated is not None or not failed)


def evaluated(text, known, *, failed=False):
    """The value of an expression: names, texts, numbers, comparisons, ``&&``, ``||``, ``!`` and a few functions."""
    functions = {
        "always": lambda: True,
        "cancelled": lambda: False,
        "failure": lambda: failed,
        "success": lambda: not failed,
        "hashFiles": lambda *names: "hash-of-" + "-".join(names),
        "format": lambda form, *values: form.format(*values),
        "startsWith": lambda whole, start: str(whole).startswith(start),
    }
    parts, at = [], 0
    text = text.strip()
    while at < len(text):
        match = TOKEN.match(text, at)
        assert match, f"cannot read {text[at:]!r} in {text!r}"
        at = match.end()
        if match["text"] is not None:
            parts.append(repr(match["text"][1:-1].replace("''", "'")))
        elif match["name"] in ("true", "false", "null"):
            parts.append({"true": "True", "false": "False", "null": "None"}[match["name"]])
        elif match["name"] is not None:
            called = text[at : at + 1] == "("
            parts.append(match["name"] if called else f"known.get({match['name']!r}, '')")
        else:
            parts.append(match["number"] or OPERATORS.get(match["operator"], match["operator"]))
    return eval("".join(parts), {"__builtins__": {}, "known": known, **functions})  # of our own files


def _shown(value):
    return {"True": "true", "False": "false", "None": ""}.get(str(value), str(value))


def steps_of(path):
    """Every step of a workflow or an action, with the name of its job."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    jobs = content["jobs"] if "jobs" in content else {"action": content["runs"]}
    return [(name, step) for name, job in jobs.items() for step in job.get("steps", ())]


def script_of(step, folder):
    """What a step of an action in ``folder`` runs: its own lines, and those of the script that they call."""
    called = re.findall(r"\$GITHUB_ACTION_PATH/([\w./-]+\.sh)", step["run"])
    return step["run"] + "".join(Path(folder, name).read_text(encoding="utf-8") for name in called)
