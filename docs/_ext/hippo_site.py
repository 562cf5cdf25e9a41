"""What this site asks of Sphinx beyond its own: pages that read the same on GitHub and here.

- A list of links is a table of contents: `SECTIONS` need no directive that GitHub would show as code.
- A link to a file of the repository leads, here, to the page that shows it, to a copy in the site, or to the file on
  GitHub at the commit that the site was built from; on GitHub it is the relative link that it is.
- The commands and options come from typer, never from a hand.
- Formulas are MathML, which browsers draw themselves: no script, no font and no network.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.osutil import relative_uri

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
STATIC = DOCS / "_static"
PUBLISHED = ROOT / "reports/published"
SECTIONS = ("index", "tutorials", "howto", "explanation", "api/index", "published/index")
"""Pages whose lists of links are the tables of contents."""
ENTRY = re.compile(r"^[-*] \[[^\]]+\]\((?:\.\./\.\./reports/published/)?([\w./-]+)\.md\)", re.MULTILINE)
"""An item of such a list; what is published is shown by a page of the same name under published/."""
COMMANDS = "<!-- The commands of hippo-verify stand here on the built site. -->\n"
"""Where a page says this, `commands` is put."""
PYTEST_OPTIONS = "<!-- The options of the pytest plugin stand here on the built site. -->\n"
"""Where a page says this, `pytest_options` is put."""
COPIED = {
    "claims.html": "reports/claims.html",
    "third-party.html": "reports/third-party.html",
    "dashboard": "dashboard",
}
"""What of reports/published is a site of its own -> where it lies in this one."""
SCHEMA = ".schema.json"
"""What the name of a schema ends with; all of them are copied into schemas/."""

logger = logging.getLogger(__name__)


def commit() -> str:
    """The commit that links to the repository name: that of this checkout, or `main` where there is none."""
    if os.environ.get("GITHUB_SHA"):
        return os.environ["GITHUB_SHA"]
    asked = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return "main"


def commands() -> str:
    """Every command with every option, in Markdown, as ``typer utils docs`` writes it."""
    from typer.cli import get_docs_for_click  # noqa: PLC0415
    from typer.main import get_command  # noqa: PLC0415

    from verify.cli import app  # noqa: PLC0415

    command = get_command(app)
    with command.make_context("hippo-verify", [], resilient_parsing=True) as context:
        return get_docs_for_click(obj=command, ctx=context, name="hippo-verify").partition("\n")[2]


def pytest_options() -> str:
    """The options of our pytest plugin, each with its key of the configuration file, as a table."""
    from verify.pytest_plugin import pytest_addoption  # noqa: PLC0415

    rows: list[str] = []
    keys: list[str] = []

    class Parser:
        def getgroup(self, *_: str) -> Parser:
            return self

        def addoption(self, option: str, *, metavar: str, help: str, **_: Any) -> None:  # noqa: A002 -- pytest's name
            name = f"{option} {metavar}".replace("|", "\\|")
            rows.append(f"| `{name}` | {help.replace('%%', '%')} ")

        def addini(self, key: str, *_: Any, **__: Any) -> None:
            keys.append(key)

    pytest_addoption(Parser())  # type: ignore[arg-type]  # all of it that the plugin uses
    lines = [f"{row}| `{key}` |" for row, key in zip(rows, keys, strict=True)]
    return "\n".join(["| option | | key of the configuration file |", "|---|---|---|", *lines, ""])


def entries(text: str) -> list[str]:
    """The pages that a section lists, relative to it, in its order."""
    return list(dict.fromkeys(ENTRY.findall(text)))


def complete(_app: Sphinx, docname: str, source: list[str]) -> None:
    """Add to a page what cannot stand in it: its table of contents, or the commands."""
    if docname in SECTIONS:
        listed = "\n".join(entries(source[0]))
        source[0] += f"\n```{{toctree}}\n:hidden:\n:maxdepth: 1\n\n{listed}\n```\n"
    for mark, write in ((COMMANDS, commands), (PYTEST_OPTIONS, pytest_options)):
        if mark in source[0]:
            source[0] = source[0].replace(mark, write())


def outdated(app: Sphinx, *_: Any) -> list[str]:
    """Pages made from code that Sphinx does not know of: they are read anew each time."""
    marks = (COMMANDS, PYTEST_OPTIONS)
    texts = {name: Path(app.env.doc2path(name)).read_text(encoding="utf-8") for name in app.env.found_docs}
    return [name for name, text in texts.items() if any(mark in text for mark in marks)]


class FindRepositoryFiles(SphinxTransform):
    """Mark links to what is in the repository and not in this site, before Sphinx takes them for downloads."""

    default_priority = 400

    def apply(self, **_: Any) -> None:
        """Replace each such link by a `pending_xref` that `LinkRepositoryFiles` resolves."""
        for node in [
            *self.document.findall(addnodes.download_reference),
            *self.document.findall(addnodes.pending_xref),
        ]:
            if node.get("reftype") != "myst":
                continue
            target, _, anchor = node["reftarget"].partition("#")
            if node.get("refdomain") == "doc":  # MyST takes any Markdown for a page
                if target in self.env.found_docs:
                    continue
                target, anchor = f"{target}.md", node.get("reftargetid") or ""
            found = located(self.env.docname, target)
            elsewhere = found is not None and (DOCS not in found.parents or STATIC in found.parents)
            if found is None or (isinstance(node, addnodes.download_reference) and not elsewhere):
                continue
            marked = addnodes.pending_xref(
                "", *node.children, refdomain=None, reftype="repository", refdoc=self.env.docname,
                reftarget="", path=found.relative_to(ROOT).as_posix(), anchor=anchor,
            )  # fmt: skip
            node.replace_self(marked)


class WriteDashes(SphinxTransform):
    """Between a parameter and its text Sphinx puts two hyphens, and leaves it to smart quotes to make them a dash."""

    default_priority = 401

    def apply(self, **_: Any) -> None:
        """Smart quotes are off: they would make dashes of the hyphens of options."""
        for node in list(self.document.findall(nodes.Text)):
            if node == " -- ":
                node.parent.replace(node, nodes.Text(" – "))


def located(docname: str, target: str) -> Path | None:
    """The file or folder of the repository that a relative link names, or None.

    A page under published/ shows one of reports/published, whose links start from there.
    """
    folder = (DOCS / docname).parent
    for base in (folder, PUBLISHED) if folder.name == "published" else (folder,):
        path = Path(os.path.normpath(base / target))
        if target and path.exists() and ROOT in path.parents:
            return path
    return None


class LinkRepositoryFiles(SphinxPostTransform):
    """Lead marked links to a page, to a copy in the site, or to GitHub."""

    default_priority = 5
    formats = ("html",)  # asking whether addresses answer goes another way, and these are ours

    def run(self, **_: Any) -> None:
        """Resolve all of one page."""
        for node in list(self.document.findall(addnodes.pending_xref)):
            if node["reftype"] == "repository":
                uri, internal = self._uri(ROOT / node["path"], node["refdoc"])
                uri += f"#{node['anchor']}" if node["anchor"] else ""
                node.replace_self(nodes.reference("", "", *node.children, refuri=uri, internal=internal))

    def _uri(self, path: Path, docname: str) -> tuple[str, bool]:
        here = f"{docname}.html"
        if PUBLISHED in path.parents:
            inside = path.relative_to(PUBLISHED)
            page = f"published/{inside.with_suffix('')}"
            if inside.suffix == ".md" and page in self.env.found_docs:
                return relative_uri(here, f"{page}.html"), True
            if inside.parts[0] in COPIED:
                copy = "/".join([COPIED[inside.parts[0]], *inside.parts[1:]])
                return relative_uri(here, f"{copy}/index.html" if path.is_dir() else copy), True
        if path.name.endswith(SCHEMA):
            return relative_uri(here, f"schemas/{path.name}"), True
        if STATIC in path.parents:
            return relative_uri(here, path.relative_to(DOCS).as_posix()), True
        kind = "tree" if path.is_dir() else "blob"
        place = quote(path.relative_to(ROOT).as_posix())
        return f"{self.config.site_repository}/{kind}/{self.config.site_commit}/{place}", False


def copy_beside(app: Sphinx, failure: Exception | None) -> None:
    """Put the schemas, and the published pages that are sites of their own, beside ours."""
    if failure is not None or app.builder.format != "html":
        return
    copies = {PUBLISHED / name: place for name, place in COPIED.items()}
    copies |= {path: f"schemas/{path.name}" for path in sorted((ROOT / "verify").rglob(f"*{SCHEMA}"))}
    for source, place in copies.items():
        target = Path(app.outdir) / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)


def _mathml(translator: HTML5Translator, node: nodes.Element, *, block: bool) -> None:
    try:
        markup = tex2mathml(node.astext(), as_block=block)
    except (SyntaxError, ValueError, IndexError) as error:
        logger.warning("this formula cannot be drawn: %s: %s", node.astext(), error, location=node)
        markup = f"<code>{translator.encode(node.astext())}</code>"
    label = node.get("label") and f' id="equation-{nodes.make_id(node["label"])}"'
    translator.body.append(f'<div class="math"{label or ""}>{markup}</div>' if block else markup)
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register all of it."""
    app.add_config_value("site_repository", "", "html", str)
    app.add_config_value("site_commit", "main", "html", str)
    app.connect("env-get-outdated", outdated)
    app.connect("source-read", complete)
    app.connect("build-finished", copy_beside)
    app.add_transform(FindRepositoryFiles)
    app.add_transform(WriteDashes)
    app.add_post_transform(LinkRepositoryFiles)
    app.add_html_math_renderer(
        "mathml",
        (lambda translator, node: _mathml(translator, node, block=False), None),
        (lambda translator, node: _mathml(translator, node, block=True), None),
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
