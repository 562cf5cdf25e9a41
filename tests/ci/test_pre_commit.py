"""The hook of pre-commit: its manifest is valid, and in a repository of its own it stops a commit that is wrong."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("pre_commit", reason="pre-commit is in the dev extra")

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / ".pre-commit-hooks.yaml"
LEGS = """
import numpy as np


def legs(order):
    n = np.arange(order)
    r = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(r, r), -1) - np.diag(n + 1.0), r
"""
CONFIG = """
repos:
  - repo: https://github.com/hippo-verify/hippo-verify
    rev: v0.1.0
    hooks:
      - id: hippo-verify
        language: system
        args: [mine.py:legs, --measure, legs, --orders, "4"]
"""


def published(folder):
    """A repository of ours as pre-commit clones it: the manifest, with a tag; the code comes from the environment."""
    ours = folder / "ours"
    ours.mkdir()
    (ours / MANIFEST.name).write_bytes(MANIFEST.read_bytes())
    return ours


@pytest.fixture
def theirs(tmp_path):
    """Somebody's repository with five lines of configuration, and a way to run a command in it without a network."""
    ours = published(tmp_path)
    folder = tmp_path / "theirs"
    folder.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PRE_COMMIT_HOME": str(tmp_path / "cache"),
        "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_0": f"url.{ours.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/hippo-verify/hippo-verify",
        "GIT_CONFIG_KEY_1": "user.name",
        "GIT_CONFIG_VALUE_1": "somebody",
        "GIT_CONFIG_KEY_2": "user.email",
        "GIT_CONFIG_VALUE_2": "somebody@example.org",
    }

    def run(*command, cwd=folder):
        return subprocess.run(command, cwd=cwd, env=environment, text=True, check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)  # fmt: skip

    for command in ("git init --quiet", "git add --all", "git commit --quiet -m hook", "git tag v0.1.0"):
        assert run(*command.split(), cwd=ours).returncode == 0
    assert run("git", "init", "--quiet").returncode == 0
    (folder / ".pre-commit-config.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "mine.py").write_text(LEGS, encoding="utf-8")
    return folder, run


def test_the_manifest_is_valid():
    answer = subprocess.run([sys.executable, "-m", "pre_commit", "validate-manifest", str(MANIFEST)], check=False,
                            capture_output=True, text=True)  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_version_of_the_examples_is_ours():
    import tomllib

    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"rev: v{version}\n" in CONFIG


def test_the_entry_is_a_command_that_is_installed():
    import tomllib

    (hook,) = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert hook["entry"].split()[0] in scripts


def test_a_right_commit_passes_and_a_wrong_one_does_not(theirs):
    folder, run = theirs
    assert run("pre-commit", "install").returncode == 0
    assert run("git", "add", "--all").returncode == 0
    first = run("git", "commit", "-m", "right")
    assert first.returncode == 0, first.stdout
    assert re.search(r"^hippo-verify\.+Passed$", first.stdout, re.MULTILINE)

    (folder / "mine.py").write_text(LEGS.replace(", r\n", ", 2 * r\n"), encoding="utf-8")
    second = run("git", "commit", "--all", "-m", "wrong")
    assert second.returncode == 1, second.stdout
    assert re.search(r"^hippo-verify\.+Failed$", second.stdout, re.MULTILINE)
    assert "- exit code: 1" in second.stdout
    assert "B is twice the LegS B" in second.stdout
    assert run("git", "rev-list", "--count", "HEAD").stdout == "1\n"

    (folder / "notes.txt").write_text("nothing of ours", encoding="utf-8")
    assert run("git", "checkout", "--quiet", "mine.py").returncode == 0
    run("git", "add", "notes.txt")
    third = run("git", "commit", "-m", "a note")
    assert re.search(r"^hippo-verify\.+\(no files to check\)Skipped$", third.stdout, re.MULTILINE), third.stdout


def test_it_can_be_tried_from_a_checkout(theirs):
    """`pre-commit try-repo`, as somebody tries a hook that is not published; `language: system` comes from a copy."""
    folder, run = theirs
    ours = folder.parent / "ours"
    manifest = ours / MANIFEST.name
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("language: python", "language: system"), "utf-8")
    manifest.write_text(
        manifest.read_text(encoding="utf-8") + "  args: [mine.py:legs, --orders, '4']\n", encoding="utf-8"
    )
    run("git", "add", "--all")
    answer = run("pre-commit", "try-repo", str(ours), "hippo-verify", "--all-files", "--verbose")
    assert answer.returncode == 0, answer.stdout
    assert "PASS  mine.py:legs" in answer.stdout
