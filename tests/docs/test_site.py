"""The site: built once without a warning, complete, whole, and readable without a network."""

import html
import importlib
import inspect
import json
import os
import re
import sys
import zlib
from pathlib import Path

import pytest
from docs_tools import DOCS, ROOT
from site_tools import dead, fetched, read, sphinx

pytest.importorskip("sphinx", reason="Sphinx is in the docs extra")

sys.path.insert(0, str(DOCS / "_ext"))
import hippo_site

PACKAGES = ("hippo_ref", "hippo_fast", "hippo_fast.nn", "verify")
WRITTEN = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}


@pytest.fixture(scope="module")
def named(site):
    """What the reference describes: name -> page, out of the inventory that other projects link by."""
    content = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(content).decode().splitlines()
    return {words[0]: words[3] for line in lines if (words := line.split(" ", 4))[1].startswith("py:")}


# Complete.


def test_every_page_is_on_the_site_and_in_one_table_of_contents(pages):
    assert all(page.is_file() for page in pages)
    listed = []
    for section in hippo_site.SECTIONS:
        text = (DOCS / f"{section}.md").read_text(encoding="utf-8")
        folder = Path(section).parent
        listed += [os.path.normpath(folder / entry) for entry in hippo_site.entries(text)]
    assert WRITTEN - {"index"} <= set(listed)
    assert not [path for path in DOCS.rglob("*.md") if "orphan:" in path.read_text(encoding="utf-8")]


def test_a_list_of_links_is_a_table_of_contents_and_prose_is_none():
    text = "- [A](a.md): b\n- [C](sub/c.md)\n\nsee [d](d.md)\n- [E](e.md#anchor)\n- [P](../../reports/published/p.md)\n"
    assert hippo_site.entries(text) == ["a", "sub/c", "p"]


def test_what_is_published_is_shown():
    shown = {path.stem for path in (DOCS / "published").glob("*.md")} - {"index"}
    assert shown == {path.stem for path in (ROOT / "reports/published").glob("*.md")}
    for stem in shown:
        assert f"{{include}} ../../reports/published/{stem}.md\n" in (DOCS / f"published/{stem}.md").read_text("utf-8")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_in_the_reference(package, named):
    public = {f"{package}.{name}" for name in importlib.import_module(package).__all__ if not name.startswith("__")}
    assert public
    assert public - set(named) == set()
    assert f"{package}.nonesuch" not in named


def test_every_command_and_option_is_in_the_reference(site):
    from typer.main import get_command

    from verify.cli import app

    text = html.unescape(re.sub(r"<(?!h\d)[^>]*>", "", (site / "api/cli.html").read_text(encoding="utf-8")))
    sections = {part.partition("#")[0].strip(): part for part in re.split(r"<h\d>", text)[1:]}

    def walk(command, words):
        yield words, [name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)]
        for name, sub in getattr(command, "commands", {}).items():
            yield from walk(sub, f"{words} {name}")

    asked = dict(walk(get_command(app), "hippo-verify"))
    assert {"hippo-verify run", "hippo-verify vectors check"} <= set(asked)
    for words, names in asked.items():
        for name in names if words in sections else ():
            assert name in sections[words] or not name.startswith("-"), f"{words} {name}"
    assert set(asked) - set(sections) == {"hippo-verify"}  # its options stand under the title of the page


def test_every_option_of_the_plugin_is_in_the_reference(site):
    text = (site / "api/pytest.html").read_text(encoding="utf-8")
    source = (ROOT / "verify/pytest_plugin.py").read_text(encoding="utf-8")
    for option in set(re.findall(r'"(--[a-z-]+)"', source)):
        assert option in text


def test_every_schema_is_listed_and_beside_the_pages(site):
    text = (DOCS / "api/schemas.md").read_text(encoding="utf-8")
    schemas = sorted((ROOT / "verify").rglob("*.schema.json"))
    assert schemas
    for path in schemas:
        assert f"](../../{path.relative_to(ROOT).as_posix()})" in text
        assert (site / "schemas" / path.name).read_bytes() == path.read_bytes()
    assert f"../schemas/{schemas[0].name}" in read(site / "api/schemas.html")[1]


# Docstrings.


def functions(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        # What hippo_fast.nn loads when it is asked for are classes, and bring torch.
        found = getattr(module, name) if package != "hippo_fast.nn" else vars(module).get(name)
        if inspect.isfunction(found) or inspect.isclass(found):
            yield f"{package}.{name}", found


def untold(function):
    """Parameters that a docstring does not speak of, and sections that it lacks."""
    text = inspect.getdoc(function) or ""
    if inspect.isclass(function):
        return [] if text else ["docstring"]
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    missing = [name for name in names if not re.search(rf"^\s+\*{{0,2}}{re.escape(name)}:", text, re.MULTILINE)]
    return missing + [part for part in ("Returns:", "Raises:") if part not in text]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_function_tells_its_parameters_results_and_errors(package):
    assert {name: lacks for name, found in functions(package) if (lacks := untold(found))} == {}


def test_a_thin_docstring_is_found():
    def thin(samples, order):
        """States.

        Args:
            order: N.
        """

    assert untold(thin) == ["samples", "Returns:", "Raises:"]


# Whole.


def test_no_link_and_no_image_is_dead(site, pages):
    assert dead(site, pages) == []


def test_links_to_the_repository_lead_to_files_that_are_there(pages):
    prefix = re.compile(re.escape("https://github.com/hippo-verify/hippo-verify/") + r"(blob|tree)/([^/]+)/([^#]+)")
    found = {match.groups() for page in pages for link in read(page)[1] if (match := prefix.match(link))}
    assert ("blob", hippo_site.commit(), "CONTRIBUTING.md") in found
    for kind, commit, path in found:
        if commit == hippo_site.commit():
            assert (ROOT / path).is_file() if kind == "blob" else (ROOT / path).is_dir()


def test_what_is_published_is_linked_where_the_site_shows_it(site):
    links = read(site / "libraries.html")[1]
    assert {"published/third-party.html", "reports/third-party.html"} <= set(links)
    assert (site / "dashboard/index.html").is_file()


def test_dead_links_are_found(tmp_path):
    (tmp_path / "b.html").write_text('<p id="there">b</p>')
    page = tmp_path / "a.html"
    page.write_text(
        '<a href="b.html#there">x</a><a href="b.html#gone">x</a><a href="c.html">x</a><img src="d.png">'
        '<a href="#nowhere">x</a><a href="https://example.org/x">x</a>'
    )
    assert [line.split(": ", 1)[1] for line in dead(tmp_path, [page])] == [
        "#nowhere: no such anchor", "b.html#gone: no such anchor", "c.html: no such file", "d.png: no such file",
    ]  # fmt: skip


WRONG = {
    "a page that is not there": ("see [x](gone.md)", "gone.md"),
    "an anchor that is not there": ("see [x](index.md#gone)", "local id not found in doc 'index': 'gone'"),
    "a formula that cannot be drawn": ("$\\nonesuch{x}$", "cannot be drawn"),
    "a picture that is not there": ("![x](gone.svg)", "gone.svg"),
    "a function that the reference does not have": ("{py:func}`hippo_ref.gone`", "hippo_ref.gone"),
}


def test_the_build_refuses_what_is_wrong(tmp_path):
    """One page of each kind, and one that no table of contents lists."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source/conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(DOCS / '_ext')!r})\nextensions = ['myst_parser', 'hippo_site']\n"
        "myst_enable_extensions = ['dollarmath']\nmyst_heading_anchors = 3\nhtml_math_renderer = 'mathml'\n"
        "html_theme = 'basic'\n"
    )
    listed = "".join(f"- [x](page{n}.md)\n" for n, _ in enumerate(WRONG))
    (tmp_path / "source/index.md").write_text(f"# Title\n\n{listed}- [x](toc.md)\n")
    for n, (text, _) in enumerate(WRONG.values()):
        (tmp_path / f"source/page{n}.md").write_text(f"# Title\n\n{text}\n")
    (tmp_path / "source/lonely.md").write_text("# Title\n")
    answer = sphinx(tmp_path / "source", tmp_path / "out")
    assert answer.returncode == 1
    for n, (_, said) in enumerate(WRONG.values()):
        assert [line for line in answer.stderr.splitlines() if f"page{n}.md" in line and said in line], answer.stderr
    assert "lonely.md: WARNING: document isn't included in any toctree" in answer.stderr
    assert "toctree contains reference to nonexisting document 'toc'" in answer.stderr


# Without a network.


def test_nothing_is_fetched_from_a_network(site, pages):
    assert fetched(site, pages) == []


def test_what_would_be_fetched_is_found(tmp_path):
    page = tmp_path / "a.html"
    page.write_text(
        '<script src="https://cdn.example.org/x.js"></script><link rel="stylesheet" href="//fonts.example.org/f.css">'
        '<p style="background: url(https://example.org/p.png)"></p><style>@import "https://example.org/s.css";</style>'
        '<a href="https://example.org">x</a><link rel="canonical" href="https://example.org/a">'
    )
    (tmp_path / "s.css").write_text("a { src: url('https://example.org/font.woff') }")
    assert len(fetched(tmp_path, [page])) == 5


def test_formulas_are_drawn_by_the_browser(pages):
    texts = {page.stem: page.read_text(encoding="utf-8") for page in pages}
    formulas = re.findall(r"<math .*?</math>", texts["mathematics"], flags=re.DOTALL)
    assert len(formulas) > 50
    assert not any("MathJax" in load for page in pages for load in read(page)[2])


def test_the_links_to_files_name_the_commit():
    assert re.fullmatch(r"[0-9a-f]{40}|main", hippo_site.commit())


def test_search_needs_no_server(site):
    """The index is a script, which a page from a disk may load, and knows the words of the pages."""
    text = (site / "searchindex.js").read_text(encoding="utf-8")
    assert text.startswith("Search.setIndex(")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    assert {"legendr", "counterexampl"} & set(index["terms"])
    assert set(index["docnames"]) == WRITTEN
