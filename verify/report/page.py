"""A page: rendered from a template with every text escaped, and written whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from verify.report.packed import Shelf
from verify.report.pictures import Picture
from verify.report.records import counted, short

BASIC = "dashboard/vendor/plotly-basic.min.js"
"""Plotly with lines, points and bars alone: a quarter of its size. A path among the templates."""


def templates() -> Traversable:
    """Folder of the templates: inside the package where it is installed, ``reports/templates`` in a checkout.

    Raises:
        FileNotFoundError: neither is there.
    """
    packaged = files("verify.report") / "templates"
    if packaged.is_dir():
        return packaged
    checkout = Path(__file__).parents[2] / "reports" / "templates"
    if checkout.is_dir():
        return checkout
    raise FileNotFoundError(
        f"no templates of the report in {packaged} or {checkout}; expected page.html there; install hippo-verify anew"
    )


def embedded(content: Any) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))  # ASCII, so no line separators either
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def fingerprint(script: str) -> str:
    """The name under which a content security policy lets a script run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def document(
    template: str,
    drawings: Mapping[str, Sequence[Picture]],
    *,
    library: str = "",
    shelf: Shelf | None = None,
    beside: Mapping[str, str | int] | None = None,
    **content: Any,
) -> str:
    """A template with our style, our script, plotly's, and the drawings they show; all other text is escaped.

    Args:
        template: its name.
        drawings: what is drawn.
        library: plotly.js, a path among the templates; empty: the whole of it, as the package brings it.
        shelf: takes plotly and the drawings, which the page then loads when they are looked at; None: they are in it.
        beside: further files that our scripts find by these names.
        content: what the template asks for.

    Raises:
        ImportError: jinja2, or the package plotly where it is needed, is not installed.
    """
    import jinja2  # noqa: PLC0415 -- heavy libraries are imported when used
    from markupsafe import Markup  # noqa: PLC0415

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(text_of),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"short": short, "counted": counted}
    script = text_of("page.js").strip()
    listed = {name: [vars(picture) for picture in mine] for name, mine in drawings.items()}
    plotly = (text_of(library) if library else _plotly()).replace("\r\n", "\n").strip() if listed or not shelf else ""
    data: Any = listed
    # What a trusted script loads is trusted too, and nothing else that stands in the page is ever loaded.
    policy = f"{fingerprint(script)} 'strict-dynamic'"
    if shelf is None:
        policy = f"{fingerprint(plotly)} {fingerprint(script)}"
    else:
        data = {"drawings": {name: shelf.drawings(name, mine) for name, mine in listed.items()}, **(beside or {})}
        if listed:
            data["plotly"] = shelf.put("plotly", ".js", plotly)
    return environment.get_template(template).render(
        **content,
        style=Markup(text_of("style.css")),  # noqa: S704 -- ours, no text of the store
        script=Markup(script),  # noqa: S704 -- ours
        library=Markup(plotly),  # noqa: S704 -- plotly's own
        data=Markup(embedded(data)),  # noqa: S704 -- escaped for a script element
        policy=f"default-src 'none'; script-src {policy}; "
        "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'",
    )


def text_of(name: str) -> str:
    """A file among the templates."""
    return (templates() / name).read_text(encoding="utf-8")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 -- heavy libraries are imported when used

    return str(get_plotlyjs())


def write(path: Path, text: str) -> Path:
    """Replace a file by a new one in one step; the old one stays if anything goes wrong.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        # Characters that UTF-8 cannot hold, such as half a surrogate pair in a hostile message, become "?".
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
