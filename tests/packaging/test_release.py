"""What a release says of itself: the changelog, how to cite it, and the workflow that makes it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import date
from itertools import pairwise

import pytest
import yaml
from packaging.version import Version
from packaging_tools import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION = PROJECT["version"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^## \[([^\]]+)\](?: - (\S+))?$", re.MULTILINE)
GROUPS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
"""What Keep a Changelog calls the kinds of change."""
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))


def wrong_with(changelog, version):
    """What Keep a Changelog would not have; nothing if it is kept and the version has its section."""
    sections = SECTION.findall(changelog)
    versions = [Version(name) for name, _ in sections if name != "Unreleased"]
    found = []
    if len(sections) != len(re.findall(r"^## ", changelog, re.MULTILINE)):
        found.append("a section is not headed ## [version] - date")
    if Version(version) not in versions:
        found.append(f"{version} has no section")
    if any(later <= earlier for later, earlier in pairwise(versions)):
        found.append("the latest version is not first")
    for name, stamp in sections:
        if name != "Unreleased" and f"\n[{name}]: https://" not in changelog:
            found.append(f"{name} has no link")
        try:
            date.fromisoformat(stamp)
        except ValueError:
            if name != "Unreleased" and (name, stamp) != (version, "unreleased"):
                found.append(f"{name} has no date")
    groups = set(re.findall(r"^### (.*)$", changelog, re.MULTILINE))
    return found + [f"{group} is no kind of change" for group in sorted(groups - GROUPS)]


def test_the_version_has_a_section():
    assert wrong_with(CHANGELOG, VERSION) == []


@pytest.mark.parametrize(
    ("right", "wrong", "finding"),
    [
        (f"## [{VERSION}] -", "## [0.0.1] -", f"{VERSION} has no section"),
        (f"## [{VERSION}] - ", f"## {VERSION} ", "a section is not headed"),
        (f"## [{VERSION}] - ", f"## [{VERSION}] - 2026-13-01 ", "a section is not headed"),
        (f"## [{VERSION}] - ", "## [0.0.1] - 2026-01-01\n\n## [0.0.2] - 2026-01-02\n\n## [0.0.3] - ", "latest version"),
        ("### Added", "### Further", "Further is no kind of change"),
        (f"\n[{VERSION}]: https://", "\n", f"{VERSION} has no link"),
    ],
)
def test_the_form_of_the_changelog_is_looked_at(right, wrong, finding):
    changed = CHANGELOG.replace(right, wrong)
    assert changed != CHANGELOG
    assert any(finding in said for said in wrong_with(changed, VERSION))


# The workflow.


def step(job, name):
    """The script of a step."""
    (found,) = [each["run"] for each in WORKFLOW["jobs"][job]["steps"] if each.get("name") == name]
    return found


def agreed(folder, tag, changelog, version="1.2.3"):
    """What the first step says of a tag."""
    (folder / "pyproject.toml").write_text(f'[project]\nname = "x"\nversion = "{version}"\n', encoding="utf-8")
    (folder / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    return subprocess.run(
        ["bash", "-e", "-c", step("build", "The tag, the version and the changelog agree")],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "GITHUB_REF_NAME": tag},
        capture_output=True,
        text=True,
        check=False,
    )


DATED = """# Changelog

## [1.2.3] - 2026-01-02

### Added

- This, as in [the docs](docs/x.md).

## [1.2.30] - 2026-01-01

- Not this.

[1.2.3]: https://example.org/1.2.3
"""


def test_the_notes_of_a_release_are_its_section(tmp_path):
    answer = agreed(tmp_path, "v1.2.3", DATED)
    assert answer.returncode == 0, answer.stdout
    assert (tmp_path / "notes/notes.md").read_text() == "\n### Added\n\n- This, as in [the docs](docs/x.md).\n\n"


@pytest.mark.parametrize(
    ("tag", "changelog", "said"),
    [
        ("v1.2.4", DATED, "the tag is v1.2.4 and pyproject.toml says 1.2.3; expected: v1.2.3"),
        ("1.2.3", DATED, "expected: v1.2.3"),
        ("v1.2.3", DATED.replace("2026-01-02", "unreleased"), r"no dated section; expected: ## \[1.2.3\] - YYYY-MM-DD"),
        ("v1.2.3", DATED.replace("1.2.3", "1x2y3"), "no dated section"),
    ],
)
def test_a_tag_that_does_not_fit_stops_the_release(tag, changelog, said, tmp_path):
    answer = agreed(tmp_path, tag, changelog)
    assert answer.returncode == 1
    assert re.search(rf"^::error::.*{said}", answer.stdout)


def test_each_job_waits_for_the_one_before():
    needs = {name: job.get("needs") for name, job in WORKFLOW["jobs"].items()}
    assert needs == {"build": None, "test": "build", "attest": "test", "publish": "attest", "release": "publish"}
    assert WORKFLOW[True] == {"push": {"tags": ["v*"]}}
    assert WORKFLOW["jobs"]["publish"]["environment"]["name"] == "pypi"


def test_what_is_published_is_what_was_tested():
    """One artifact: it is made by the first job, and nothing that comes later makes another."""
    for name, job in WORKFLOW["jobs"].items():
        made = [step for step in job["steps"] if step.get("uses", "").startswith("actions/upload-artifact@")]
        assert [step["with"]["name"] for step in made] == (["dist", "notes"] if name == "build" else [])
        assert not any("cache" in step.get("with", {}) for step in job["steps"]), "a cache is another run's"


# How to cite it.


def cited(path):
    tool = shutil.which("check-jsonschema", path=f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}")
    if tool is None:
        pytest.skip("check-jsonschema is in the test extra")
    command = [tool, "--builtin-schema", "vendor.citation-file-format", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).returncode


def test_the_citation_file_keeps_its_schema(tmp_path):
    path = ROOT / "CITATION.cff"
    assert cited(path) == 0
    wrong = tmp_path / "CITATION.cff"
    wrong.write_text(path.read_text(encoding="utf-8").replace("authors:", "writers:", 1), encoding="utf-8")
    assert cited(wrong) == 1


def test_the_citation_is_of_this_project_and_of_the_paper():
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert content["title"] == PROJECT["name"]
    assert content["license"] == PROJECT["license"]
    assert content["repository-code"] == PROJECT["urls"]["Source"]
    assert "version" not in content, "a second place for the version: it stands in pyproject.toml alone"
    (paper,) = content["references"]
    assert paper["title"].startswith("HiPPO")
    assert paper["identifiers"][0]["value"] == "arXiv:2008.07669"
