"""Every example of README and docs is executed, and shows what it says it shows."""

import json
import re

import mpmath
import pytest
from docs_tools import PAGES, ROOT, environment, examples, perform, shown

ELSEWHERE = {
    ROOT / "docs/tutorial.md",  # works in a repository of its own: test_tutorial.py
    ROOT / "docs/mathematics.md",  # its blocks are also seen to fail: test_mathematics.py
}
"""Pages that are executed by tests of their own."""


def name(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE], ids=name)
def test_examples(page, tmp_path):
    with mpmath.workprec(mpmath.mp.prec):  # a page may work in more digits, until it ends
        perform(page, tmp_path, environment())


def test_the_comparison_of_output_bites():
    assert shown("a\n...\nb", "a\nx\ny\nb\n")
    assert not shown("a\nb", "a\nc\n")
    assert not shown("PASS ...", "FAIL x")


def test_what_is_counted_as_an_example_is_executed():
    page = "```python\nx = 1\n```\n```console\n$ ls\na\n$ make docs\n$ cat a\n```\n```text\n$ no\n```\n"
    page += "```toml\na = 1\n```\n```python\n# a.py\nx = 2\n```\n"
    assert examples(page) == {"python": 1, "command": 2, "file": 1}
    assert sum(examples(page.read_text(encoding="utf-8")).get("command", 0) for page in PAGES) > 100


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
