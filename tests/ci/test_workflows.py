"""Workflows, actions and recipes: valid, closed to what others write, and true to our options."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from action_runner import ROOT, script_of, steps_of

from verify.cli import app

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = [ROOT / "action.yml", *sorted((ROOT / ".github/actions").glob("*/action.yml"))]
EXAMPLES = ROOT / "docs/examples/ci"
TEMPLATES = sorted((EXAMPLES / "github").glob("*.yml"))
GITLAB = sorted((EXAMPLES / "gitlab").glob("*.yml"))
SHELL = sorted((EXAMPLES / "shell").glob("*.sh"))
OURS = "hippo-verify/hippo-verify"


def short(path):
    return str(path.relative_to(ROOT))


def tool(name):
    path = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return path or pytest.skip(f"{name} is in the test extra")


def said(*command, **further):
    """Everything a linter says, or nothing if it is content."""
    answer = subprocess.run(command, capture_output=True, text=True, check=False, **further)
    return answer.stdout + answer.stderr if answer.returncode else ""


# Schemas.


@pytest.mark.parametrize(
    ("schema", "paths"),
    [("github-actions", ACTIONS), ("github-workflows", WORKFLOWS + TEMPLATES), ("gitlab-ci", GITLAB)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_schema_is_kept(schema, paths):
    assert paths
    assert said(tool("check-jsonschema"), "--builtin-schema", f"vendor.{schema}", *map(str, paths)) == ""


# actionlint: expressions, contexts, inputs of actions, triggers, and the scripts by shellcheck.


def lint(folder, *workflows):
    """What actionlint says of workflows that stand in a repository of their own."""
    place = folder / ".github/workflows"
    place.mkdir(parents=True)
    (folder / ".git").mkdir()
    for path in workflows:
        (place / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    shell = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or "shellcheck"
    return said(tool("actionlint"), "-no-color", "-shellcheck", shell, "-pyflakes", "", cwd=folder)


def test_actionlint_is_content_with_ours():
    shell = tool("shellcheck")
    assert said(tool("actionlint"), "-no-color", "-shellcheck", shell, "-pyflakes", "", cwd=ROOT) == ""


def test_actionlint_is_content_with_the_templates(tmp_path):
    assert lint(tmp_path, *TEMPLATES) == ""


def by_tag(path):
    """A workflow that names GitHub's actions by the tags beside their hashes: then the linter knows their inputs."""
    return re.sub(r"(actions/[\w-]+)@[0-9a-f]{40} # (v\d+)[\d.]*", r"\1@\2", path.read_text(encoding="utf-8"))


def test_the_inputs_of_github_s_actions_are_those_that_they_have(tmp_path):
    copies = tmp_path / "copies"
    copies.mkdir()
    for path in TEMPLATES:
        (copies / path.name).write_text(by_tag(path), encoding="utf-8")
    for path in WORKFLOWS:
        text = by_tag(path)
        # without our own actions, which lie elsewhere, and with a name of its own for each called workflow
        (copies / f"own-{path.name}").write_text(
            re.sub(r"uses: (\./)(?!\.github/workflows)\S*", "uses: them/theirs@v1", text).replace(
                "./.github/workflows/", "./.github/workflows/own-"
            ),
            encoding="utf-8",
        )
    assert lint(tmp_path / "repository", *sorted(copies.iterdir())) == ""


WRONG = {
    "template-injection": ("      - run: true", "      - run: echo ${{ github.event.pull_request.title }}"),
    "an output that no step has": ("      - run: true", "      - run: true\n        if: steps.gone.outputs.folder"),
    "a context that is not there": ("timeout-minutes: 5", "timeout-minutes: ${{ steps.x.outputs.y }}"),
    "a schedule that never comes": ("on: push", 'on:\n  schedule:\n    - cron: "61 3 * * *"'),
    "an unquoted variable": ("      - run: true", "      - run: rm -r $HOME/$X"),
    "an input that the action does not have": (
        "      - run: true",
        "      - uses: actions/checkout@v6\n        with:\n          depth: 2",
    ),
    "a runtime that is gone": ("      - run: true", "      - uses: actions/checkout@v4"),
    "a job that is not there": ("    runs-on", "    needs: gone\n    runs-on"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_actionlint_bites(wrong, tmp_path):
    right = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    timeout-minutes: 5\n    steps:\n      - run: true\n"
    path = tmp_path / "wrong.yml"
    path.write_text(right.replace(*WRONG[wrong]), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != right
    assert lint(tmp_path / "repository", path) != ""


# zizmor: what others write and becomes code, tokens that may too much, triggers that hand them out.


def audit(*arguments, cwd=ROOT):
    config = str(ROOT / ".github/zizmor.yml")
    command = [tool("zizmor"), "--offline", "--no-progress", "--config", config, *arguments]
    return said(*command, cwd=cwd)


def test_an_auditor_of_actions_finds_nothing():
    assert audit(*map(short, ACTIONS), ".github/workflows", *map(short, TEMPLATES)) == ""


@pytest.mark.parametrize(
    ("path", "right", "wrong", "finding"),
    [
        ("action.yml", '-- "$INPUT_TARGET"', '-- "${{ inputs.target }}"', "template-injection"),
        (".github/actions/gate/action.yml", '"$INPUT_BASE"', '"${{ inputs.base }}"', "template-injection"),
        (".github/workflows/gate.yml", "  pull_request:\n", "  pull_request_target:\n", "dangerous-triggers"),
        (".github/workflows/gate.yml", "permissions:\n  contents: read\n", "", "excessive-permissions"),
        (".github/workflows/gate.yml", "          persist-credentials: false\n", "", "artipacked"),
        (".github/workflows/gate.yml", re.compile(r"checkout@\w+ #"), "checkout@v6 #", "unpinned-uses"),
        (".github/workflows/gate-comment.yml", " # zizmor: ignore[dangerous-triggers]", "", "dangerous-triggers"),
    ],
)  # fmt: skip
def test_the_auditor_bites(path, right, wrong, finding, tmp_path):
    text = (ROOT / path).read_text(encoding="utf-8")
    changed = right.sub(wrong, text) if isinstance(right, re.Pattern) else text.replace(right, wrong)
    assert changed != text
    copy = tmp_path / path
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(changed, encoding="utf-8")
    assert f"[{finding}]" in audit(path, cwd=tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [(f"{short(path)} {step['id']}", script_of(step, path.parent)) for path in ACTIONS for _, step in steps_of(path)]
    + [(short(path), path.read_text(encoding="utf-8")) for path in SHELL],
    ids=lambda value: value if "\n" not in value else "",
)  # fmt: skip
def test_a_linter_of_shell_finds_nothing(name, text):
    assert said(tool("shellcheck"), "--shell=bash", "-", input=text) == ""


# What is ours to keep.


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS, *TEMPLATES], ids=short)
def test_no_expression_becomes_a_part_of_a_script(path):
    for _, step in steps_of(path):
        assert "${{" not in step.get("run", "")


def used():
    """Each foreign action with its hash and the comment beside it, wherever one is used."""
    for path in [*WORKFLOWS, *ACTIONS, *TEMPLATES]:
        for name, pin in re.findall(r"\buses: ([^\s@]+)(.*)", path.read_text(encoding="utf-8")):
            if not name.startswith((OURS, "./")):
                yield path, name, pin


def test_every_foreign_action_is_pinned_to_one_commit():
    pins = {}
    for path, name, pin in used():
        assert re.fullmatch(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+", pin), f"{short(path)}: {name}{pin}"
        pins.setdefault(name, set()).add(pin)
    assert pins
    assert {name: len(seen) for name, seen in pins.items() if len(seen) > 1} == {}


WRITES = {
    "append": {"contents"},
    "attest": {"attestations", "id-token"},
    "comment": {"pull-requests"},
    "dashboard": {"pages", "id-token"},
    "deep": {"security-events"},
    "deploy": {"pages", "id-token"},
    "pages": {"pages", "id-token"},
    "publish": {"id-token"},
    "release": {"contents"},
}
"""Job -> what its token may write. No other job's may write anything."""


@pytest.mark.parametrize("path", [*WORKFLOWS, *TEMPLATES], ids=short)
def test_permissions_are_as_small_as_they_can_be(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(content["permissions"].values()) <= {"read"}
    for name, job in content["jobs"].items():
        given = job.get("permissions", {})
        assert set(given.values()) <= {"read", "write"}
        assert {scope for scope, level in given.items() if level == "write"} <= WRITES.get(name, set()), name


@pytest.mark.parametrize("path", [*WORKFLOWS, *TEMPLATES], ids=short)
def test_beside_a_token_that_may_change_the_repository_nothing_of_a_package_runs(path):
    """Such a job may run git, GitHub's own actions and our script for comments; it installs and builds nothing."""
    for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
        if not {"contents", "pull-requests", "pages"} & {
            scope for scope, level in job.get("permissions", {}).items() if level == "write"
        }:
            continue
        for step in job.get("steps", ()):
            action = step.get("uses", "").partition("@")[0]
            assert action.startswith("actions/") or action.endswith(".github/actions/comment") or not action, name
            assert not re.search(r"\b(?:pip|python|hippo-verify|make|npm|bash|sh)\b", step.get("run", "")), name


@pytest.mark.parametrize("path", [*WORKFLOWS, *TEMPLATES], ids=short)
def test_a_run_that_is_stale_or_hangs_ends(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert "group" in content["concurrency"]
    for name, job in content["jobs"].items():
        assert "uses" in job or 0 < job["timeout-minutes"] <= 180, name


@pytest.mark.parametrize("path", [*WORKFLOWS, *TEMPLATES], ids=short)
def test_a_checkout_keeps_no_token_unless_it_pushes(path):
    for job, step in steps_of(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            pushes = job == "append"
            assert step["with"]["persist-credentials"] is pushes, job


def test_the_comment_waits_for_the_gate():
    """`workflow_run` names a workflow by its name; nothing says so if that is another one."""
    for folder in (ROOT / ".github/workflows", EXAMPLES / "github"):
        names = {yaml.safe_load(path.read_text(encoding="utf-8"))["name"]: path.name for path in folder.glob("*.yml")}
        comments = list(folder.glob("*comment.yml"))
        assert len(comments) == 1
        (waited,) = re.findall(r"workflows: \[([^\]]+)\]", comments[0].read_text(encoding="utf-8"))
        gate = folder / names[waited]
        text = gate.read_text(encoding="utf-8")
        assert gate.name.endswith("gate.yml")
        assert "pull_request:" in text
        inputs = yaml.safe_load((ROOT / ".github/actions/comment/action.yml").read_text(encoding="utf-8"))["inputs"]
        assert f"name: {inputs['artifact']['default']}\n" in text


# The commands in them are those that there are.

NAMED = re.compile(r"(?<![\".\w/-])(?:\$\(BIN\)/)?hippo-verify((?: +[^\s|;&>`]+)*)")


def commands(text):
    """Every call of `hippo-verify` in a text as its words, with lines that a backslash or YAML continues made one."""
    text = re.sub(r"\\\n\s*", " ", text)
    text = re.sub(r">-\n\s*(.*)\n\s+(?=--)", r"\1 ", text)  # of a folded block of YAML, its first line
    text = re.sub(r"\n\s+(?=--)", " ", text)  # and its others
    return [match[1].split() for match in NAMED.finditer(text)]


def unknown(words):
    """What the command line of ours does not know in the words of a call; nothing if it knows all."""
    command = typer.main.get_command(app)
    words = [word.strip("\"'") for word in words]
    while getattr(command, "commands", None) and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return [words[0]]
        command, words = command.commands[words[0]], words[1:]
    known = {
        option
        for parameter in command.params
        if parameter.param_type_name == "option"
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    asked = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
    return sorted(asked - known - {"--help"})


RECIPES = {short(path): path.read_text(encoding="utf-8")
           for path in [*WORKFLOWS, *TEMPLATES, *GITLAB, *SHELL, ROOT / "Makefile"]}  # fmt: skip
PAGE = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
RECIPES["docs/ci.md"] = "\n".join(re.findall(r"^```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_names_commands_and_options_that_there_are(name):
    for words in commands(RECIPES[name]):
        if words and re.fullmatch(r"[a-z]+", words[0]):  # a command, not a sentence or a package
            assert unknown(words) == [], f"hippo-verify {' '.join(words)}"


def test_the_calls_in_recipes_are_seen():
    """What is read above is not read past."""
    seen = {words[0] for text in RECIPES.values() for words in commands(text) if words}
    assert {"check", "run", "gate", "bench", "dashboard"} <= seen
    folded = "    - >-\n      hippo-verify gate --base x\n      --json a.json\n      --bad b\n    - next --other\n"
    assert commands(folded) == [["gate", "--base", "x", "--json", "a.json", "--bad", "b"]]
    assert commands('hippo-verify gate --base "$x" \\\n  --json a > b') == [["gate", "--base", '"$x"', "--json", "a"]]
    assert unknown(["check", "x", "--nonesuch", "--json=y"]) == ["--nonesuch"]
    assert unknown(["nonesuch", "--json"]) == ["nonesuch"]
    assert unknown(["vectors", "check", "--json", "y"]) == []
