"""What the pages tell a reader to put into a CI system is what that system reads, and names what there is."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPETS = [
    pytest.param(page, match[1], id=f"{page.name}-{number}")
    for page in PAGES
    for number, match in enumerate(
        re.finditer(r"^```yaml\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )
]
TEMPLATES = [
    pytest.param(path, path.read_text("utf-8"), id=path.name)
    for path in sorted((ROOT / "docs/examples/ci/github").glob("*.yml"))
]
SCHEMAS = {
    ".github/workflows/": "vendor.github-workflows",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
    ".pre-commit-config.yaml": None,  # pre-commit validates it itself
}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
ACTIONS = {
    place: yaml.safe_load((ROOT / place / "action.yml").read_text(encoding="utf-8"))
    for place in ("", ".github/actions/gate", ".github/actions/comment")
}
"""Folder in the repository -> what the action there declares."""


def tool(name):
    path = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return path or pytest.skip(f"{name} is in the dev extra")


def problem(text, folder):
    """What the system that reads a snippet says of it, or nothing."""
    name = text.splitlines()[0].removeprefix("# ")
    kinds = [schema for start, schema in SCHEMAS.items() if name.startswith(start)]
    assert kinds, f"{name}: its first line names no file of a known system"
    path = folder / "snippet.yaml"
    path.write_text(text, encoding="utf-8")
    commands = [
        [tool("pre-commit"), "validate-config", str(path)]
        if kinds[0] is None
        else [tool("check-jsonschema"), "--builtin-schema", kinds[0], str(path)]
    ]
    if kinds[0] == SCHEMAS[".github/workflows/"]:
        commands.append(
            [tool("actionlint"), "-no-color", "-shellcheck", tool("shellcheck"), "-pyflakes", "", str(path)]
        )
    answers = [subprocess.run(command, capture_output=True, text=True, check=False) for command in commands]
    return "".join(answer.stdout + answer.stderr for answer in answers if answer.returncode)


def test_there_are_snippets():
    names = {snippet.values[1].splitlines()[0].removeprefix("# ") for snippet in SNIPPETS}
    assert {".gitlab-ci.yml", ".pre-commit-config.yaml", ".github/workflows/hippo.yml"} <= names


@pytest.mark.parametrize(("page", "text"), SNIPPETS)
def test_a_snippet_is_valid(page, text, tmp_path):
    assert problem(text, tmp_path) == ""


@pytest.mark.parametrize(
    "text",
    [
        "# .github/workflows/x.yml\non: push\njobs:\n  a:\n    steps: []\n",
        "# .github/workflows/y.yml\non: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - run: echo ${{ github.event.issue.title }}\n",
        "# .gitlab-ci.yml\na:\n  script: 3\n",
        "# .pre-commit-config.yaml\nrepos:\n  - repo: https://example.org/x\n    hooks: []\n",
    ],
    ids=lambda text: text.splitlines()[0],
)
def test_the_validation_bites(text, tmp_path):
    assert problem(text, tmp_path) != ""


@pytest.mark.parametrize(("page", "text"), SNIPPETS + TEMPLATES)
def test_a_snippet_names_what_there_is(page, text):
    """Inputs, outputs and versions of ours."""
    content = yaml.safe_load(text)
    outputs = {}
    for job in content.get("jobs", {}).values():
        for step in job.get("steps", ()):
            outputs.setdefault(step.get("id"), None)
            if step.get("uses", "").startswith("hippo-verify/"):
                place, _, version = step["uses"].removeprefix("hippo-verify/hippo-verify").partition("@")
                assert version == f"v{VERSION.partition('.')[0]}"
                action = ACTIONS[place.strip("/")]
                required = {name for name, known in action["inputs"].items() if known.get("required")}
                assert required <= set(step.get("with", {})) <= set(action["inputs"])
                outputs[step.get("id")] = set(action.get("outputs", ()))
    for step, name in re.findall(r"steps\.([\w-]+)\.outputs\.([\w-]+)", text):
        assert outputs[step] is None or name in outputs[step]  # of another's action actionlint knows them
    for repo in content.get("repos", []):
        (hook,) = repo["hooks"]
        assert (repo["rev"], hook["id"]) == (f"v{VERSION}", "hippo-verify")


@pytest.mark.parametrize("action", ACTIONS)
def test_the_page_names_every_input_and_output_of_the_action(action):
    page = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    for name in (*ACTIONS[action]["inputs"], *ACTIONS[action].get("outputs", ())):
        assert f"`{name}`" in page, name
