"""The results in GitHub's Markdown: what is said, the tables side by side, and the command that gave them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from verify.claims.base import Table
from verify.claims.engine import Ending, Found
from verify.claims.results import Results
from verify.claims.words import cell, figure, summary
from verify.text import code, plain


def markdown(results: Results) -> str:
    """The whole."""
    lines = [
        f"## hippo-verify claims: {results.status}",
        "",
        f"{summary(results)}. Measured by {code(shlex.join(results.command))} in {results.seconds:.0f} s with "
        f"{results.workers} workers on {plain(str(results.provenance.get('cpu')))}.",
        "",
        "| claim | statement | measured | against | standing |",
        "|---|---|---:|---:|---|",
    ]
    lines += [
        f"| {plain(claim.key)} | {plain(one.text)} | {figure(one.measured)} | {figure(one.bound)} | {one.standing} |"
        for claim in results.claims
        for one in claim.outcome.statements
    ]
    for claim in results.claims:
        lines += ["", f"### {plain(claim.title)}", "", plain(claim.source), *_claim(claim)]
    return "\n".join(lines) + "\n"


def _claim(claim: Found) -> Iterator[str]:
    if claim.problem:
        yield from ("", f"**{plain(claim.problem)}**")
    for one in claim.outcome.statements:
        yield from ("", f"- **{one.standing}**: {plain(one.text)} ({plain(one.source)})")
        yield f"  - {plain(one.criterion)}"
        if one.bound is not None:
            against = f"against {figure(one.bound)} ({plain(one.bound_source or 'no source')})"
            yield f"  - measured {figure(one.measured)}, {against}"
        if one.message:
            yield f"  - {plain(one.message)}"
    for table in claim.outcome.tables:
        yield from _table(table)
    for figure_ in claim.outcome.figures:
        yield from ("", f"Figure, {plain(figure_.title)}: {plain(figure_.alt)}")
    for note in claim.outcome.notes:
        yield from ("", plain(note))
    for record in claim.records:
        if record.ending is Ending.FAILED:
            yield from ("", f"- {plain(record.unit.key)} failed: {code(record.message)}")
    ended = [record.ending for record in claim.records]
    known = sum(record.seconds or 0.0 for record in claim.records)
    counts = ", ".join(f"{ended.count(kind)} {kind}" for kind in Ending if kind in ended)
    yield from ("", f"Units: {counts or 'none'}; {known:.0f} s of one core.")


def _table(table: Table) -> Iterator[str]:
    unit = f", {plain(table.unit)}" if table.unit else ""
    yield from ("", f"**{plain(table.title)}**{unit}", "")
    yield f"| {plain(table.row_header)} | " + " | ".join(map(plain, table.columns)) + " |"
    yield "|---|" + "---:|" * len(table.columns)
    whys: list[str] = []
    for name, numbers in table.rows:
        yield f"| {plain(name)} | " + " | ".join(plain(cell(number)) for number in numbers) + " |"
        for column, number in zip(table.columns, numbers, strict=True):
            if number is not None and number.why:
                whys.append(f"- {plain(name)}, {plain(column)}: {plain(number.why)}")
    if table.note:
        yield from ("", plain(table.note))
    if whys:
        yield from ("", *whys)
