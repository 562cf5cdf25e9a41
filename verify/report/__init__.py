"""The report: pages and summaries from recorded verdicts alone; no verdict is computed, and no target is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verify.claims.results import Results


def write_report(store: Path, folder: Path, claims: Results | None = None, earlier: Path | None = None) -> Path:
    """Write the report of a campaign: ``index.html`` and what belongs to it, which need no network.

    Args:
        store: folder with ``verdicts.jsonl``, or the file itself.
        folder: where the report is written; made if it is missing. It is written whole or not at all.
        claims: what was found of the papers' claims; the page lists it, and leads to its page in the same folder.
        earlier: a store that this one is held against, or None.

    Returns:
        Path of the front page.

    Raises:
        ImportError: jinja2 or plotly is not installed.
        OSError: the store cannot be read or the report cannot be written.
        ValueError: a store holds no verdicts of ours, or both stores are the same.
    """
    from verify.report.folder import write_folder  # noqa: PLC0415 -- heavy libraries are imported when used
    from verify.report.lean import lean  # noqa: PLC0415
    from verify.report.records import read  # noqa: PLC0415
    from verify.report.since import since  # noqa: PLC0415
    from verify.report.site import render  # noqa: PLC0415

    records = read(Path(store), lean)
    comparison = since(Path(earlier), records) if earlier is not None else None
    return write_folder(Path(folder), render(records, claims, comparison))
