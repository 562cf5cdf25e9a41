"""The tutorial, from an empty folder to the last commit: its files, its commands, its output, its workflow."""

import subprocess
import sys
import time

import pytest
import yaml
from docs_tools import ROOT, blocks, environment, perform

sys.path.insert(0, str(ROOT / "tests/ci"))
from action_runner import run_action

pytest.importorskip("pre_commit", reason="pre-commit is in the dev extra")

PAGE = ROOT / "docs/tutorial.md"
WORKFLOW = ".github/workflows/hippo.yml"


def git(folder, *arguments, variables):
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=variables, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The repository that the tutorial ends with, the seconds that took, and the environment it was done in."""
    base = tmp_path_factory.mktemp("tutorial")
    ours, theirs = base / "ours", base / "theirs"
    ours.mkdir()
    theirs.mkdir()
    variables = {
        **{name: value for name, value in environment().items() if not name.startswith(("GIT_", "PYTEST_"))},
        "HOME": str(base),
        "PRE_COMMIT_HOME": str(base / "cache"),
        "HIPPO_VERIFY_TODAY": "2026-12-01",
        "PIP_NO_INDEX": "1",  # all of it is installed: nothing is fetched
        "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_0": f"url.{ours.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/hippo-verify/hippo-verify",
        "GIT_CONFIG_KEY_1": "user.name",
        "GIT_CONFIG_VALUE_1": "somebody",
        "GIT_CONFIG_KEY_2": "user.email",
        "GIT_CONFIG_VALUE_2": "somebody@example.org",
    }
    # What pre-commit clones: the manifest under the tag that the page names. The code is the one that is installed.
    (ours / ".pre-commit-hooks.yaml").write_bytes((ROOT / ".pre-commit-hooks.yaml").read_bytes())
    git(ours, "init", "--quiet", variables=variables)
    git(ours, "add", "--all", variables=variables)
    git(ours, "commit", "--quiet", "--message", "hook", variables=variables)
    git(ours, "tag", "v0.1.0", variables=variables)
    started = time.perf_counter()
    perform(PAGE, theirs, variables, skipped=())
    return theirs, time.perf_counter() - started, variables


def test_it_works_from_an_empty_folder_to_the_last_commit(finished, record_property):
    folder, seconds, variables = finished
    assert git(folder, "rev-list", "--count", "HEAD", variables=variables) == "1\n"
    assert git(folder, "status", "--porcelain", variables=variables) == ""
    assert set(git(folder, "ls-files", variables=variables).split()) == {
        *(".github/workflows/hippo.yml", ".gitignore", ".pre-commit-config.yaml", "badge.json", "known.toml"),
        *("myhippo.py", "pyproject.toml", "test_myhippo.py"),
    }
    record_property("seconds", round(seconds, 1))
    print(f"the commands of the tutorial took {seconds:.0f} s in all")  # noqa: T201 -- `pytest -rP` shows it


@pytest.mark.parametrize(("diagonal", "code", "status"), [("-(n + 1)", 0, "pass"), ("-n", 1, "fail")])
def test_its_workflow_runs_and_bites(finished, tmp_path, diagonal, code, status):
    """The job of the page, with our action as it is in this checkout: once as it ends, once with the bug back."""
    folder, _, variables = finished
    workspace = tmp_path / "work"
    workspace.mkdir()
    source = (folder / "myhippo.py").read_text(encoding="utf-8")
    (workspace / "myhippo.py").write_text(source.replace("-(n + 1)", diagonal), encoding="utf-8")
    workflow = yaml.safe_load((folder / WORKFLOW).read_text(encoding="utf-8"))
    checkout, ours = workflow["jobs"]["hippo"]["steps"]
    assert checkout["uses"].startswith("actions/checkout@")
    assert ours["uses"] == "hippo-verify/hippo-verify@v0"
    installed = {"install": {"python": sys.executable}}
    outcome = run_action(ROOT, ours["with"], workspace, environment=variables, skip=installed)
    assert (outcome.code, outcome.outputs["status"]) == (code, status), outcome.log


def test_it_has_something_of_everything():
    """What the page promises in its first lines is in it."""
    text = PAGE.read_text(encoding="utf-8")
    for word in (
        "--convention auto",
        "expires =",
        "parametrize_with_checks",
        "require_coverage",
        "pre-commit",
        "--badge",
    ):
        assert word in text
    assert sum(language == "console" for language, _ in blocks(PAGE)) > 5
