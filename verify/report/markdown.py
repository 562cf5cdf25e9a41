"""The report in GitHub's Markdown, for a comment on a pull request or the summary of a job: what matters most first."""

from __future__ import annotations

from collections.abc import Iterator

from verify.report import advice, coverage, failures, summary
from verify.report.comparison import ALARMS, WHOLESALE, Change, Comparison, Moved, Place
from verify.report.records import WORDS, Records, counted, short
from verify.text import code, cut, plain
from verify.verdict import Status

ROOM = 65_000
"""Bytes: a comment takes 65,536 characters, and the summary of a job more."""
LISTED = 25
"""Failures, and cells of each change, that are listed; the rest is counted."""
CUT = "... the rest is left out: a comment takes 65,536 characters; the HTML report has everything."
LOUD = (*ALARMS, Change.OTHERWISE, Change.GREW, Change.MENDED, Change.NEW)
"""Changes of which it is said where they are."""


def markdown(records: Records, comparison: Comparison | None = None, room: int = ROOM) -> str:
    """The report in at most ``room`` bytes; what is too much is left out at the end, and that is said."""
    return cut(_lines(records, comparison), room, CUT)


def _lines(records: Records, comparison: Comparison | None) -> Iterator[str]:
    numbers = failures.numbered(records)
    word = summary.headline(records)
    yield f"## hippo-verify: {word}"
    yield ""
    yield summary.SENTENCES[word]
    yield ""
    yield plain(advice.asked(records))
    yield ""
    yield plain(advice.found(records))
    yield ""
    points = advice.attention(records, numbers, comparison, coverage.planned(records.provenance))
    yield "### What needs attention" if points else "Nothing needs attention."
    yield ""
    for point in points:
        yield f"- **{point.word}** {plain(point.text)} {plain(point.action)}".rstrip()
    if comparison is not None:
        yield from _since(comparison)
    yield from _failures(records)
    yield from _targets(records)
    yield from _facts(records)


def _since(comparison: Comparison) -> Iterator[str]:
    yield ""
    yield f"### Since {code(comparison.name)}"
    yield ""
    counts = [f"{number:,} {change}" for change, number in comparison.counts.items() if number]
    yield f"{', '.join(counts) or 'Nothing changed'}; {counted(comparison.same, 'cell')} as before."
    for change in LOUD:
        moved = comparison.of(change)
        if moved:
            yield ""
            yield f"**{counted(len(moved), 'cell')} {change}**"
            yield ""
            places = comparison.places(change) if change in WHOLESALE else []
            listed = [
                f"{code(p.target)}, {plain(p.measure)}: {counted(p.cells, 'cell')}, {p.ran:,} ran" for p in places
            ]
            listed = listed or [_moved(item) for item in moved]
            yield from (f"- {text}" for text in listed[:LISTED])
            if len(listed) > LISTED:
                yield f"- ... and {len(listed) - LISTED:,} more"
    if comparison.provenance:
        yield ""
        differing = (f"{plain(name)}: {code(before)} → {code(now)}" for name, before, now in comparison.provenance)
        yield f"Made otherwise: {'; '.join(differing)}."


def _place(place: Place) -> str:
    return f"{code(place.target)}, {plain(place.measure)}: {counted(place.cells, 'cell')}, {place.ran:,} ran"


def _moved(item: Moved) -> str:
    verdict = item.entry.verdict
    where = f"{code(verdict.case.target)}, {plain(verdict.check)}, {plain(verdict.case.describe())}"
    if item.factor is not None and item.change in (Change.GREW, Change.SHRANK):
        assert item.before is not None  # noqa: S101 -- there is a factor
        return f"{where}: error ÷ bound {short(item.before.verdict.ratio)} → {short(verdict.ratio)}"
    if item.before is None or item.after is None:
        return f"{where}: {WORDS[verdict.status]}"
    said = f"{WORDS[item.before.verdict.status]} → {WORDS[verdict.status]}"
    return f"{where}: {said}{f', {code(verdict.message)}' if verdict.message else ''}"


def _failures(records: Records) -> Iterator[str]:
    listed: list[failures.Failure] = []
    for failure in failures.findings(records):
        if failure.verdict.status is Status.EXPECTED_FAIL or len(listed) == LISTED:
            break
        listed.append(failure)
    if not listed:
        return
    yield ""
    yield "### Failures"
    yield ""
    for failure in listed:
        verdict = failure.verdict
        where = f"{code(verdict.case.target)}, {plain(verdict.check)}, {plain(verdict.case.describe())}"
        yield f"- **{failure.word}** {where}: {code(verdict.message)}"
        for text, _ in failure.diagnosis[:1]:
            yield f"  - {plain(text)}"
        what, line = failure.commands[0]
        yield f"  - {what}: {code(line)}"
    found = sum(verdict.status in failures.ATTENTION for verdict in records.verdicts)
    if found > len(listed):
        yield f"- ... and {found - len(listed):,} more"


def _targets(records: Records) -> Iterator[str]:
    yield ""
    yield "### Targets"
    yield ""
    yield "| target | | what it is |"
    yield "|---|---|---|"
    for item in summary.judgements(records.verdicts):
        why = "; ".join(plain(text) for text, _, _ in item.reasons[:3])
        yield f"| {code(item.target)} | {WORDS[item.status]} | {plain(item.text)}{f' {why}' if why else ''} |"


def _facts(records: Records) -> Iterator[str]:
    yield ""
    yield "; ".join(f"{name}: {plain(value)}" for name, value in summary.facts(records)) + "."
