"""Every example of README and docs is executed, and shows what it says it shows."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    return [(match[1], match[2]) for match in FENCE.finditer(page.read_text(encoding="utf-8"))]


def shown(pattern, actual):
    """Whether output is as printed; ``...`` stands for anything."""
    parts = [re.escape(part) for part in pattern.rstrip().split("...")]
    return re.fullmatch(r"[\s\S]*?".join(parts) + r"\s*", actual) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples(page, tmp_path):
    """Python runs in order in one namespace, or becomes the file its first line names; console lines run there."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "120",
    }
    namespace = {}
    for language, text in blocks(page):
        if language == "python":
            named = re.match(r"# (\w+\.py)\n", text)
            if named:
                (tmp_path / named[1]).write_text(text, encoding="utf-8")
            else:
                exec(compile(text, str(page), "exec"), namespace)
        elif language == "toml":
            tomllib.loads(text)
        elif language == "console":
            for command in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, expected = command.partition("\n")
                if line.startswith(("make ", "git ")):
                    continue  # set-up: CI runs these themselves
                answer = subprocess.run(
                    line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
                )
                assert shown(expected, answer.stdout), (
                    f"{line}\nprinted:\n{answer.stdout}\n{answer.stderr}\nbut {page.name} shows:\n{expected}"
                )


def test_the_comparison_of_output_bites():
    assert shown("a\n...\nb", "a\nx\ny\nb\n")
    assert not shown("a\nb", "a\nc\n")
    assert not shown("PASS ...", "FAIL x")


def test_links_lead_somewhere():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_published_table_is_in_the_readme():
    """README shows the table of reports/published, row by row."""
    published = (ROOT / "reports/published/third-party.md").read_text(encoding="utf-8")
    rows = [
        line
        for line in published.splitlines()
        if (line.startswith("| ") and "right" in line) or "| wrong |" in line or "| crashes |" in line
    ]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert rows
    for row in rows:
        target = row.split("|")[1].strip()
        verdict = row.split("|")[3].strip()
        assert re.search(rf"\| `?{re.escape(target)}`? \|.*\| {verdict} \|", readme), row
