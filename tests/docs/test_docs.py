"""Every example of README and docs is executed, and shows what it says it shows."""

import json
import re

import pytest
from docs_tools import ROOT, environment, perform, shown

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TUTORIAL = ROOT / "docs/tutorial.md"
"""It works in a repository of its own: test_tutorial.py."""


@pytest.mark.parametrize("page", [page for page in PAGES if page != TUTORIAL], ids=lambda page: page.name)
def test_examples(page, tmp_path):
    perform(page, tmp_path, environment())


def test_the_comparison_of_output_bites():
    assert shown("a\n...\nb", "a\nx\ny\nb\n")
    assert not shown("a\nb", "a\nc\n")
    assert not shown("PASS ...", "FAIL x")


def test_links_lead_somewhere():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_published_table_is_in_the_readme():
    """README names what is right, and shows the row of everything else, word for word."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Third-party packages, measured\n")[2].partition("\n## ")[0]
    records = [json.loads(path.read_text()) for path in sorted((ROOT / "reports/published/libraries").glob("*.json"))]
    rows = [row for record in records for row in record["rows"]]
    right = section.partition("Right:")[2].partition(".\n")[0]
    assert set(re.findall(r"`([^`]+)`", right)) == {row["target"] for row in rows if row["verdict"] == "right"}
    shown = re.findall(r"^\| `([^`]+)` \| (\w+) \| (.*) \|$", section, flags=re.MULTILINE)
    found = [(row["target"], row["verdict"], row["why"]) for row in rows]
    # A target with several measures, some right and some not, would need a row of its own for each.
    assert len({target for target, *_ in found}) == len({(target, verdict == "right") for target, verdict, _ in found})
    assert shown == [row for row in found if row[1] != "right"]
