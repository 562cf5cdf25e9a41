"""A built site, read as a browser would read it: what refers to what, and what would be fetched from a network."""

import re
import subprocess
import sys
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from docs_tools import DOCS, ROOT

LOADED = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "image": ("href",),
    "img": ("src", "srcset"),
    "input": ("src",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "use": ("href",),
    "video": ("src", "poster"),
}
"""Element -> attributes that a browser loads unasked; `link` depends on its `rel`."""
LOADED_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch", "manifest"}
URL_IN_CSS = re.compile(r"""(?:url\(\s*['"]?|@import\s+['"])([^'")\s]+)""")


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.anchors, self.links, self.loads, self._style = set(), [], [], False

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors.update(value for key in ("id", "name") if (value := values.get(key)))
        self._style = tag == "style"
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif tag == "link" and LOADED_LINKS & set((values.get("rel") or "").split()):
            self.loads.append(values.get("href") or "")
        for key in LOADED.get(tag, ()):
            if values.get(key):
                self.loads += [part.split()[0] for part in values[key].split(",")] if key == "srcset" else [values[key]]
        self.loads += URL_IN_CSS.findall(values.get("style") or "")

    def handle_data(self, data):
        if self._style:
            self.loads += URL_IN_CSS.findall(data)

    def handle_endtag(self, tag):
        self._style = False


@lru_cache(maxsize=512)
def read(path):
    """What is in a page: its anchors, what it links to, and what it loads."""
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.anchors, tuple(reader.links), tuple(reader.loads)


def outside(reference):
    """Whether it leads to another machine; data and mail do not."""
    parts = urlsplit(reference)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ftp", "ws", "wss")


def dead(root, pages):
    """Links, images, scripts and styles that lead nowhere in a site, each with the page and the reason."""
    found = []
    for page in pages:
        _, links, loads = read(page)
        for reference in sorted({*links, *loads}):
            if outside(reference) or reference.startswith(("data:", "mailto:", "javascript:")):
                continue
            parts = urlsplit(reference)
            target = (page.parent / unquote(parts.path)) if parts.path else page
            target = Path(target, "index.html") if target.is_dir() else target
            name = page.relative_to(root).as_posix()
            if not target.is_file():
                found.append(f"{name}: {reference}: no such file")
            elif (
                parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in read(target.resolve())[0]
            ):
                found.append(f"{name}: {reference}: no such anchor")
    return found


def fetched(root, pages):
    """What a browser would fetch from a network to show the pages: elements, styles, and imports of styles."""
    found = [f"{page.relative_to(root)}: {load}" for page in pages for load in read(page)[2] if outside(load)]
    for sheet in sorted(root.rglob("*.css")):
        urls = URL_IN_CSS.findall(sheet.read_text(encoding="utf-8"))
        found += [f"{sheet.relative_to(root)}: {url}" for url in urls if outside(url)]
    return found


def sphinx(source, out, *options):
    """Build as `make docs` does: any warning is an error, and nothing else is said."""
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-q", "-b", "html", *options]
    return subprocess.run([*command, str(source), str(out)], cwd=ROOT, capture_output=True, text=True, check=False)


__all__ = ["DOCS", "dead", "fetched", "outside", "read", "sphinx"]
