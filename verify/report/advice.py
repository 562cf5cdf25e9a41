"""The campaign in three answers: what was asked, what came out, and what somebody should do now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from verify.report.comparison import ALARMS, Change, Comparison
from verify.report.failures import ATTENTION, href
from verify.report.records import WORDS, Entry, Records, counted, variant
from verify.report.summary import cause, counts, diagnosis
from verify.verdict import Status

LISTED = 12
"""Points that are listed; the rest is counted."""

ACTIONS = {
    Status.FAIL: "Read the evidence, and ask again with the command below it.",
    Status.UNEXPECTED_PASS: "If it was mended, take its entry out of the expected failures.",
    Status.ERROR: "The target gave no answer there: nothing is known of it until it does.",
    Status.INCONCLUSIVE: "Neither right nor wrong could be shown there.",
}


@dataclass(frozen=True)
class Point:
    """Something that needs attention.

    Attributes:
        word: how grave it is, as a badge.
        text: what it is.
        action: what to do about it.
        link: where the page says more, or empty.
        label: what the link says.
    """

    word: str
    text: str
    action: str = ""
    link: str = ""
    label: str = ""


def asked(records: Records) -> str:
    """What was asked for, in a sentence or two."""
    verdicts = records.verdicts
    if not verdicts:
        return "Nothing was recorded."
    cases = [verdict.case for verdict in verdicts]
    orders = sorted({case.order for case in cases})
    span = f"order {orders[0]}" if len(orders) == 1 else f"orders {orders[0]} to {orders[-1]}"
    parts = [
        _number({case.target for case in cases}, "target"),
        _number({variant(case) for case in cases}, "measure"),
        span,
        _number({case.method for case in cases}, "rule"),
        _number({case.dtype for case in cases}, "arithmetic"),
        _number({verdict.check for verdict in verdicts}, "property", "properties"),
    ]
    ran = sum(verdict.status is not Status.UNSUPPORTED for verdict in verdicts)
    rest = len(verdicts) - ran
    said = f"{', '.join(parts[:-1])} and {parts[-1]}: {counted(len(verdicts), 'cell')}."
    applies = f"{ran:,} of them apply and ran" if rest else "All of them ran"
    return f"{said} {applies}{f'; {rest:,} do not apply, for reasons that stand under coverage' if rest else ''}."


def _number(values: set[str], noun: str, plural: str = "") -> str:
    if len(values) == 1:
        return f"one {noun} ({next(iter(values))})"
    return f"{len(values):,} {plural or noun + 's'}"


def found(records: Records) -> str:
    """What came out, in a few sentences."""
    verdicts = records.verdicts
    number = counts(verdicts)
    compared = sum(verdict.compared for verdict in verdicts if verdict.status is Status.PASS)
    said = []
    if number[Status.PASS]:
        said.append(
            f"{counted(number[Status.PASS], 'cell')} pass: each of the {compared:,} numbers compared in them "
            "lies within a bound that is derived, not chosen."
        )
    nearest = max(
        (v for v in verdicts if v.status is Status.PASS and v.ratio is not None),
        key=lambda v: v.ratio or 0,
        default=None,
    )
    if nearest is not None and nearest.ratio:
        said.append(
            f"The one nearest to its bound, with error ÷ bound {nearest.ratio:.2g}: {nearest.case.target}, "
            f"{nearest.check}, {nearest.case.describe()}."
        )
    if expected := number[Status.EXPECTED_FAIL]:
        fails = "fails as is on record, and does" if expected == 1 else "fail as is on record, and do"
        said.append(f"{counted(expected, 'cell')} {fails} not count against a target.")
    return " ".join(said) or "Nothing passes, and nothing fails as is on record."


def attention(
    records: Records, numbers: Mapping[int, int], comparison: Comparison | None = None, planned: int | None = None
) -> list[Point]:
    """What needs attention, the gravest first; empty if nothing does.

    Args:
        records: the store.
        numbers: line of the store -> number of its finding.
        comparison: with an earlier store, or None.
        planned: units of the plan, or None where it is not recorded.
    """
    points = []
    if not records.finished:
        done = counted(records.units, "unit") + (f" of {planned:,}" if planned else "")
        points.append(
            Point(
                "unfinished", f"The campaign is not finished: {done} done.", "Run the same command again to go on.",
                "#coverage", "what is missing",
            )
        )  # fmt: skip
    points += _since(comparison) if comparison is not None else []
    causes = _causes(records.entries)
    for (status, target, text), entries in causes[:LISTED]:
        number = numbers.get(entries[0].line)
        said = f"{target}: {text}{'' if text.endswith('.') else '.'} {_checks(status, len(entries))}"
        link, label = (href(number), f"finding {number}") if number else ("#verdicts", "the table")
        told = any(point.word == WORDS[status] for point in points)
        points.append(Point(WORDS[status], said, "" if told else ACTIONS[status], link, label))
    if len(causes) > LISTED:
        rest = sum(len(entries) for _, entries in causes[LISTED:])
        points.append(
            Point(
                WORDS[causes[LISTED][0][0]],
                f"{counted(len(causes) - LISTED, 'further cause')}, in {counted(rest, 'cell')}.", "", "#failures",
                "all failures",
            )
        )  # fmt: skip
    points += [Point("note", f"{note[:1].upper()}{note[1:].rstrip('.')}.") for note in records.notes]
    return points


def _since(comparison: Comparison) -> list[Point]:
    number = sum(comparison.counts[change] for change in ALARMS)
    if not number:
        return []
    parts = [f"{comparison.counts[change]:,} {change}" for change in ALARMS if comparison.counts[change]]
    bad = comparison.counts[Change.BROKEN] + comparison.counts[Change.NEW_BAD]
    return [
        Point(
            "fail" if bad else "changed", f"Since {comparison.name}: {', '.join(parts)}.",
            "Look there first: this was otherwise before.", "#comparison", "the comparison",
        )
    ]  # fmt: skip


def _checks(status: Status, number: int) -> str:
    ended = {
        Status.FAIL: ("fails", "fail"),
        Status.UNEXPECTED_PASS: ("was expected to fail, and passes", "were expected to fail, and pass"),
        Status.ERROR: ("ended in an error", "ended in an error"),
        Status.INCONCLUSIVE: ("could not decide", "could not decide"),
    }[status]
    return f"{counted(number, 'cell')} {ended[0] if number == 1 else ended[1]}."


def _causes(entries: Iterable[Entry]) -> list[tuple[tuple[Status, str, str], Sequence[Entry]]]:
    """Status, target and cause -> what says so: the gravest status first, then what explains most.

    What nobody has explained goes together by check, in the words of the first one.
    """
    found: dict[tuple[Status, str, str], list[Entry]] = {}
    for entry in entries:
        verdict = entry.verdict
        if verdict.status in ATTENTION:
            alike = verdict.status in (Status.FAIL, Status.INCONCLUSIVE) and not diagnosis(verdict)
            text = verdict.check if alike else cause(verdict)[0]
            found.setdefault((verdict.status, verdict.case.target, text), []).append(entry)
    ordered = sorted(found.items(), key=lambda item: (ATTENTION.index(item[0][0]), -len(item[1])))
    return [((status, target, cause(mine[0].verdict)[0]), mine) for (status, target, _), mine in ordered]
