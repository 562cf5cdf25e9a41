"""The report of a campaign: a front page, what it loads when that is looked at, and pages that need no script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from verify.report import advice, coverage, failures, listing, summary
from verify.report.claims_summary import overview
from verify.report.comparison import ALARMS, WHOLESALE, Change, Comparison
from verify.report.drawings import drawings
from verify.report.packed import Shelf, packed
from verify.report.page import document, text_of
from verify.report.records import LETTERS, SEVERITY, WORDS, Records
from verify.verdict import Status

if TYPE_CHECKING:
    from verify.claims.results import Results

OPEN = 4
"""Up to this many targets, every coverage matrix is unfolded."""
MOVED = 50
"""Cells of one change that the front page lists; the table has them all."""
NUMBERS = "numbers.html"
TABLE = "vendor/tabulator.min.js"


def render(records: Records, claims: Results | None = None, comparison: Comparison | None = None) -> dict[str, str]:
    """The files of the report: path in its folder -> text.

    Args:
        records: the verdicts of a campaign.
        claims: what was found of the papers' claims, on a page beside it.
        comparison: with an earlier store.

    Raises:
        ImportError: jinja2 or plotly is not installed.
    """
    verdicts = records.verdicts
    shelf = Shelf()
    findings = failures.numbered(records)
    word = summary.headline(records)
    number = summary.counts(verdicts)
    shared: dict[str, Any] = {
        "records": records,
        "word": word,
        "words": WORDS,
        "per_page": failures.PER_PAGE,
        "pages": [(page, failures.page_name(page)) for page in range(1, failures.page_of(max(len(findings), 1)) + 1)],
    }
    files = {}
    pages = _pages(records)
    for page, listed in enumerate(pages[1:], start=2):
        name = failures.page_name(page)
        files[name] = document("failures.html", {}, shelf=shelf, page=page, groups=failures.grouped(listed), **shared)
    shown = drawings(verdicts)
    files[NUMBERS] = document("numbers.html", {}, shelf=shelf, shown=shown, **shared)
    matrices = coverage.matrices(verdicts)
    first = pages[0] if pages else []
    files["index.html"] = document(
        "page.html",
        {item.key: item.pictures for item in shown},
        shelf=shelf,
        beside=_table(records, findings, comparison, shelf),
        table_style=text_of("vendor/tabulator_simple.min.css"),
        sentence=summary.SENTENCES[word],
        asked=advice.asked(records),
        came_out=advice.found(records),
        points=advice.attention(records, findings, comparison, coverage.planned(records.provenance)),
        counts=number,
        targets=summary.judgements(verdicts),
        rows=summary.rows(verdicts),
        facts=summary.facts(records),
        provenance=summary.provenance_rows(records),
        overview=coverage.overview(verdicts),
        matrices=matrices,
        unfold=len(matrices) <= OPEN,
        reasons=coverage.reasons(verdicts),
        unrun=coverage.unrun(records),
        absent=coverage.ABSENT,
        shown=shown,
        attention=failures.grouped(first, failures.ATTENTION),
        expected=failures.grouped(first, (Status.EXPECTED_FAIL,)),
        found=sum(number[status] for status in failures.ATTENTION),
        expected_count=number[Status.EXPECTED_FAIL],
        most=failures.MOST,
        statuses=SEVERITY,
        letters=LETTERS,
        claims=overview(claims) if claims is not None else None,
        comparison=comparison,
        changes=_changes(comparison, findings),
        numbers_page=NUMBERS,
        **shared,
    )
    return {**shelf.files, **files}


def _pages(records: Records) -> list[list[failures.Failure]]:
    """Findings, page by page."""
    pages: list[list[failures.Failure]] = []
    for failure in failures.findings(records):
        if failure.page > len(pages):
            pages.append([])
        pages[-1].append(failure)
    return pages


def _table(
    records: Records, findings: Mapping[int, int], comparison: Comparison | None, shelf: Shelf
) -> dict[str, str | int]:
    """What the table of all verdicts is made from, by the names that our scripts know."""
    changes = comparison.by_line() if comparison is not None else {}
    content = listing.columns(records.entries, findings, changes)
    return {
        "per_page": failures.PER_PAGE,
        "tabulator": shelf.put("tabulator", ".js", text_of(TABLE)),
        "table": shelf.put("table", ".js", text_of("table.js")),
        "verdicts": shelf.data("verdicts", packed(content)),
        "licences": shelf.put("LICENSES", ".txt", text_of("vendor/LICENSES.txt")),
    }


def _changes(comparison: Comparison | None, findings: Mapping[int, int]) -> list[dict[str, Any]]:
    """Each change with its cells: where they are, or one by one with a link to the finding."""
    if comparison is None:
        return []
    listed = []
    for change in Change:
        moved = comparison.of(change)
        if not moved:
            continue
        shown = [] if change in WHOLESALE else moved[:MOVED]
        numbers = [findings.get(item.after.line) if item.after is not None else None for item in shown]
        links = [failures.href(number) if number else "" for number in numbers]
        places = comparison.places(change) if change in WHOLESALE else []
        listed.append(
            {
                "change": change,
                "cells": len(moved),
                "open": change in ALARMS,
                "places": places,
                "moved": list(zip(shown, links, strict=True)),
            }
        )
    return listed
