"""The page of the papers' claims, made from a results file alone: nothing is measured, and nothing judged anew."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from verify.claims.base import Figure
from verify.claims.engine import Ending, Found
from verify.claims.results import Results
from verify.claims.words import figure
from verify.report import claims_pictures, claims_tables
from verify.report.claims_summary import overview
from verify.report.page import BASIC, document, write
from verify.report.records import counted


@dataclass(frozen=True)
class Drawn:
    """A figure as the page shows it.

    Attributes:
        drawing: its name among the drawings.
        figure: what it says.
        undrawn: what it has no place for, in words.
        values: its points as a table.
    """

    drawing: str
    figure: Figure
    undrawn: str
    values: claims_tables.Values


def write_claims(path: Path, results: Results) -> Path:
    """Write one page that needs no network.

    Args:
        path: the file, written whole or not at all.
        results: as they are read from a results file.

    Returns:
        The path.

    Raises:
        ImportError: jinja2 is not installed.
        OSError: the page cannot be written.
    """
    return write(Path(path), render_claims(results))


def render_claims(results: Results) -> str:
    """The page as HTML.

    Raises:
        ImportError: jinja2 is not installed.
    """
    drawn = {
        f"figure-{i}-{j}": [picture]
        for i, claim in enumerate(results.claims)
        for j, picture in enumerate(claims_pictures.pictures(claim.outcome.figures))
    }
    return document(
        "claims.html",
        drawn,
        library=BASIC,
        overview=overview(results, ""),
        scale=results.options["scale"],
        tables=[[claims_tables.shown(table) for table in claim.outcome.tables] for claim in results.claims],
        figures=[_drawn(i, claim) for i, claim in enumerate(results.claims)],
        work=[_work(claim) for claim in results.claims],
        command=shlex.join(results.command),
        facts=_facts(results),
        versions=_versions(results),
        figure=figure,
    )


def _drawn(index: int, claim: Found) -> list[Drawn]:
    return [
        Drawn(f"figure-{index}-{j}", one, claims_pictures.undrawn(one), claims_tables.values(one))
        for j, one in enumerate(claim.outcome.figures)
    ]


def _work(claim: Found) -> list[str]:
    """How many units, how long they took, from which seeds, and what an earlier run had done of it."""
    records = claim.records
    if not records:
        return ["No unit was planned."]
    ended = Counter(record.ending for record in records)
    said = [f"{counted(len(records), 'unit')}: " + ", ".join(f"{ended[one]} {one}" for one in Ending if ended[one])]
    seconds = sum(record.seconds or 0.0 for record in records)
    said.append(f"{seconds:,.1f} s of one core")
    seeds = sorted({seed for record in records if isinstance(seed := record.unit.settings.get("seed"), int)})
    if seeds:
        said.append(f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}")
    earlier = [record.time for record in records if record.before and record.time]
    if earlier:
        said.append(f"{len(earlier)} of them done by an earlier run, {min(earlier)} to {max(earlier)}")
    return said


def _facts(results: Results) -> list[tuple[str, str]]:
    """What was asked for, and where it was measured."""
    options, source = results.options, results.provenance
    commit = str(source.get("commit") or "")
    facts = {
        "measured": source.get("time"),
        "scale": options["scale"],
        "first seed": options["seed"],
        "seeds": options["seeds"] or "as many as each claim takes at this scale",
        "device": options["device"],
        "images": options["data"],
        "trajectories": options["trajectories"],
        "processor": source.get("cpu"),
        "cores": source.get("usable_cores") or source.get("cores"),
        "workers": results.workers,
        "took": f"{results.seconds:,.0f} s" + ("" if results.budget is None else f", of {results.budget:,.0f} s given"),
        "platform": source.get("platform"),
        "commit": commit and commit + (", with changes that are not in it" if source.get("dirty") else ""),
    }
    return [(name, str(value)) for name, value in facts.items() if value not in (None, "")]


def _versions(results: Results) -> list[tuple[str, str]]:
    found = results.provenance.get("versions")
    return [(str(name), str(version)) for name, version in found.items()] if isinstance(found, Mapping) else []
