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
SCHEMAS = {
    ".github/workflows/": "vendor.github-workflows",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
    ".pre-commit-config.yaml": None,  # pre-commit validates it itself
}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


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
    command = (
        [tool("pre-commit"), "validate-config", str(path)]
        if kinds[0] is None
        else [tool("check-jsonschema"), "--builtin-schema", kinds[0], str(path)]
    )
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout + answer.stderr if answer.returncode else ""


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
        "# .gitlab-ci.yml\na:\n  script: 3\n",
        "# .pre-commit-config.yaml\nrepos:\n  - repo: https://example.org/x\n    hooks: []\n",
    ],
    ids=lambda text: text.splitlines()[0],
)
def test_the_validation_bites(text, tmp_path):
    assert problem(text, tmp_path) != ""


@pytest.mark.parametrize(("page", "text"), SNIPPETS)
def test_a_snippet_names_what_there_is(page, text):
    """Inputs, outputs and versions of ours."""
    content = yaml.safe_load(text)
    for job in content.get("jobs", {}).values():
        for step in job["steps"]:
            if step.get("uses", "").startswith("hippo-verify/"):
                assert step["uses"] == f"hippo-verify/hippo-verify@v{VERSION.partition('.')[0]}"
                assert set(step["with"]) <= set(ACTION["inputs"])
                assert "target" in step["with"]
    assert set(re.findall(r"steps\.hippo\.outputs\.([\w-]+)", text)) <= set(ACTION["outputs"])
    for repo in content.get("repos", []):
        (hook,) = repo["hooks"]
        assert (repo["rev"], hook["id"]) == (f"v{VERSION}", "hippo-verify")


def test_the_page_names_every_input_and_output_of_the_action():
    page = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    for name in (*ACTION["inputs"], *ACTION["outputs"]):
        assert f"`{name}`" in page, name
