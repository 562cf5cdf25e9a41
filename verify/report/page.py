"""One page from the records: rendered with every text escaped, and written whole or not at all."""

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
from typing import TYPE_CHECKING, Any

from verify.report import coverage, failures, heat, numbers, pictures, slopes, summary
from verify.report.claims_summary import overview
from verify.report.records import LETTERS, SEVERITY, WORDS, Records, counted, short
from verify.verdict import Status

if TYPE_CHECKING:
    from verify.claims.results import Results

OPEN = 4
"""Up to this many targets, every coverage matrix is unfolded."""
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


def _fingerprint(script: str) -> str:
    """The name under which a content security policy lets a script run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def document(
    template: str, drawings: Mapping[str, Sequence[pictures.Picture]], *, library: str = "", **content: Any
) -> str:
    """A template with our style, our script, plotly's, and the drawings they show; all other text is escaped.

    Args:
        template: its name.
        drawings: what is drawn.
        library: plotly.js, a path among the templates; empty: the whole of it, as the package brings it.
        content: what the template asks for.

    Raises:
        ImportError: jinja2, or the package plotly where it is needed, is not installed.
    """
    import jinja2  # noqa: PLC0415 -- heavy libraries are imported when used
    from markupsafe import Markup  # noqa: PLC0415

    folder = templates()
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"short": short, "counted": counted}
    script = (folder / "page.js").read_text(encoding="utf-8").strip()
    plotly = ((folder / library).read_text(encoding="utf-8") if library else _plotly()).replace("\r\n", "\n").strip()
    data = {name: [vars(picture) for picture in listed] for name, listed in drawings.items()}
    return environment.get_template(template).render(
        **content,
        style=Markup((folder / "style.css").read_text(encoding="utf-8")),  # noqa: S704 -- ours, no text of the store
        script=Markup(script),  # noqa: S704 -- ours
        library=Markup(plotly),  # noqa: S704 -- plotly's own
        data=Markup(embedded(data)),  # noqa: S704 -- escaped for a script element
        policy=f"default-src 'none'; script-src {_fingerprint(plotly)} {_fingerprint(script)}; "
        "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'",
    )


def _plotly() -> str:
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 -- heavy libraries are imported when used

    return str(get_plotlyjs())


def render(records: Records, claims: Results | None = None) -> str:
    """The page as HTML.

    Args:
        records: the verdicts of a campaign.
        claims: what was found of the papers' claims, on a page beside it.

    Raises:
        ImportError: jinja2 or plotly is not installed.
    """
    verdicts = records.verdicts
    drawn = {
        "errors": pictures.errors(verdicts),
        "convergence": slopes.convergence(verdicts),
        "heat": heat.heat(verdicts),
    }
    matrices = coverage.matrices(verdicts)
    attention = failures.groups(records, failures.ATTENTION)
    found = sum(len(group.failures) for group in attention)
    word = summary.overall(verdicts)
    return document(
        "page.html",
        drawn,
        records=records,
        word=word,
        sentence=summary.SENTENCES[word],
        counts=summary.counts(verdicts),
        targets=summary.judgements(verdicts),
        rows=summary.rows(verdicts),
        facts=summary.facts(records),
        provenance=summary.provenance_rows(records),
        overview=coverage.overview(verdicts),
        matrices=matrices,
        unfold=len(matrices) <= OPEN,
        reasons=coverage.reasons(verdicts),
        absent=coverage.ABSENT,
        groups={name: list(dict.fromkeys(picture.group for picture in listed)) for name, listed in drawn.items()},
        tables={"errors": numbers.errors(verdicts), "convergence": numbers.convergence(verdicts)},
        attention=attention,
        expected=failures.groups(records, (Status.EXPECTED_FAIL,), start=found + 1),
        found=found,
        kept=failures.FULL,
        statuses=SEVERITY,
        letters=LETTERS,
        words=WORDS,
        claims=overview(claims) if claims is not None else None,
    )


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
