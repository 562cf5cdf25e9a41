"""The HTML report: one page made from recorded verdicts alone. It computes no verdict and asks no target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verify.claims.results import Results


def write_report(store: Path, folder: Path, claims: Results | None = None) -> Path:
    """Write ``index.html``, one page that needs no network, from the verdicts of a campaign.

    Args:
        store: folder with ``verdicts.jsonl``, or the file itself.
        folder: where the page is written; made if it is missing. The page is written whole or not at all.
        claims: what was found of the papers' claims; the page lists it, and leads to its page in the same folder.

    Returns:
        Path of the page.

    Raises:
        ImportError: jinja2 or plotly is not installed.
        OSError: the store cannot be read or the page cannot be written.
        ValueError: the store holds no verdicts of ours.
    """
    from verify.report.page import render, write  # noqa: PLC0415 -- heavy libraries are imported when used
    from verify.report.records import read  # noqa: PLC0415

    return write(Path(folder) / "index.html", render(read(Path(store)), claims))
