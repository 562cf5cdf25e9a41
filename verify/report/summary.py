"""The campaign in words and counts: what is right, what is wrong, and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from verify.expected import stated
from verify.report.records import SEVERITY, WORDS, Records, variant
from verify.verdict import Status, Verdict

SENTENCES = {
    "fail": "At least one target fails where it should not, or passes where a failure is on record.",
    "error": "No check failed unexpectedly, but at least one target crashed, hung or could not be asked.",
    "inconclusive": "Nothing failed unexpectedly, but at least one check could not decide.",
    "unfinished": "The campaign is not finished. Nothing failed unexpectedly so far; what is missing may.",
    "empty": "Nothing was checked.",
    "pass": "Every check that applies passed, apart from the failures that were expected.",
}


@dataclass(frozen=True)
class Row:
    """One row of the table of targets and measures."""

    target: str
    measure: str
    status: Status
    counts: dict[Status, int]
    compared: int
    ratio: float | None


@dataclass(frozen=True)
class Judgement:
    """One target in words.

    Attributes:
        target: its name.
        status: the status that matters most.
        text: what it is, as a sentence.
        reasons: why, each with the evidence for it and how many verdicts say so.
    """

    target: str
    status: Status
    text: str
    reasons: tuple[tuple[str, str, int], ...] = ()


def counts(verdicts: Iterable[Verdict]) -> dict[Status, int]:
    """Verdicts by status; every status is there, the one that matters most first."""
    counted = Counter(verdict.status for verdict in verdicts)
    return {status: counted[status] for status in SEVERITY}


def overall(verdicts: Sequence[Verdict]) -> str:
    """One word: ``fail``, ``error``, ``inconclusive``, ``empty`` or ``pass``, as the command line says it."""
    found = counts(verdicts)
    if found[Status.FAIL] or found[Status.UNEXPECTED_PASS]:
        return "fail"
    for status, word in ((Status.ERROR, "error"), (Status.INCONCLUSIVE, "inconclusive")):
        if found[status]:
            return word
    return "pass" if found[Status.PASS] or found[Status.EXPECTED_FAIL] else "empty"


def headline(records: Records) -> str:
    """The word above a report: that of `overall`, or ``unfinished`` where what is missing could make it graver."""
    word = overall(records.verdicts)
    return word if records.finished or word in ("fail", "error") else "unfinished"


def gravest(verdicts: Iterable[Verdict]) -> Status:
    """The status that matters most."""
    present = {verdict.status for verdict in verdicts}
    return next((status for status in SEVERITY if status in present), Status.UNSUPPORTED)


def worst_ratio(verdicts: Iterable[Verdict]) -> float | None:
    """The largest error ÷ bound, None where nothing was measured; infinite where what failed is no number."""
    return max((ratio for verdict in verdicts if (ratio := ratio_of(verdict)) is not None), default=None)


def ratio_of(verdict: Verdict) -> float | None:
    """Error ÷ bound; infinite for a failure whose error is no finite number."""
    failed = verdict.status in (Status.FAIL, Status.EXPECTED_FAIL) and verdict.bound is not None
    return math.inf if failed and verdict.ratio is None else verdict.ratio


def rows(verdicts: Sequence[Verdict]) -> list[Row]:
    """A row per target and measure, in the order of the campaign."""
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault((verdict.case.target, variant(verdict.case)), []).append(verdict)
    return [
        Row(target, measure, gravest(mine), counts(mine), sum(v.compared for v in mine), worst_ratio(mine))
        for (target, measure), mine in groups.items()
    ]


def judgements(verdicts: Sequence[Verdict]) -> list[Judgement]:
    """A sentence per target, those that need attention first."""
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(verdict.case.target, []).append(verdict)
    found = [_judgement(target, mine) for target, mine in groups.items()]
    return sorted(found, key=lambda item: SEVERITY.index(item.status))


def _judgement(target: str, verdicts: Sequence[Verdict]) -> Judgement:
    number = counts(verdicts)
    ran = sum(number.values()) - number[Status.UNSUPPORTED]
    status = gravest(verdicts)
    passed, failed, known = number[Status.PASS], number[Status.FAIL], number[Status.EXPECTED_FAIL]
    recorded = f", {known} fail as is on record" if known else ""
    if not ran:
        text = "not checked: no property that was asked for applies to it."
    elif failed:
        text = f"wrong: {failed} of {ran} checks fail."
    elif status is Status.UNEXPECTED_PASS:
        text = (
            f"better than recorded: {number[status]} of {ran} checks were expected to fail and pass; update the record."
        )
    elif status is Status.ERROR:
        text = f"not fully asked: {number[status]} of {ran} checks ended in an error; {passed} passed{recorded}."
    elif status is Status.INCONCLUSIVE and known:
        text = (
            f"wrong in the way that is recorded: {known} of {ran} checks fail as expected, {passed} pass, "
            f"{number[status]} could not decide."
        )
    elif status is Status.INCONCLUSIVE and not passed:
        text = f"undecided: none of {ran} checks could decide."
    elif status is Status.INCONCLUSIVE:
        text = f"right wherever it could be decided: {passed} of {ran} checks pass, {number[status]} could not decide."
    elif status is Status.EXPECTED_FAIL:
        text = f"wrong in the way that is recorded: {number[status]} of {ran} checks fail as expected, {passed} pass."
    else:
        compared = sum(verdict.compared for verdict in verdicts)
        text = f"right: all {ran} checks pass, {compared:,} numbers compared."
    return Judgement(target, status, text, tuple(_reasons(verdicts)))


def _reasons(verdicts: Sequence[Verdict], limit: int = 8) -> list[tuple[str, str, int]]:
    """Causes, the gravest first, then those that explain most verdicts; what is on record explains nothing new."""
    found = Counter((v.status, *cause(v)) for v in verdicts if v.status not in (Status.PASS, Status.UNSUPPORTED))
    ordered = sorted(found.items(), key=lambda item: (SEVERITY.index(item[0][0]), -item[1]))
    listed = [
        (f"on record: {text}" if status is Status.EXPECTED_FAIL else text, evidence, number)
        for (status, text, evidence), number in ordered[:limit]
    ]
    if len(ordered) > limit:
        rest = sum(number for _, number in ordered[limit:])
        listed.append((f"and {len(ordered) - limit} further causes, listed under failures", "", rest))
    return listed


def cause(verdict: Verdict) -> tuple[str, str]:
    """Why a verdict is no pass: text and the evidence for it."""
    if verdict.status is Status.EXPECTED_FAIL:
        return expected_reason(verdict)
    if verdict.status is Status.INCONCLUSIVE:
        return f"{verdict.check}, {verdict.case.describe()}: {verdict.message}", ""
    if verdict.status is Status.FAIL:
        explained = diagnosis(verdict)
        return explained[0] if explained else (f"{verdict.check}: {verdict.message}", "")
    return verdict.message, ""


def diagnosis(verdict: Verdict) -> list[tuple[str, str]]:
    """Explanations that the campaign recorded: text and evidence, most likely first."""
    recorded: Any = verdict.details.get("diagnosis")
    if not isinstance(recorded, list):
        return []
    items = [item for item in recorded if isinstance(item, dict) and item.get("text")]
    return [(str(item["text"]), str(item.get("evidence") or "")) for item in items]


def expected_reason(verdict: Verdict) -> tuple[str, str]:
    """Reason and link of an expected failure; without them, its message."""
    reason, link = stated(verdict.message)
    return (reason, link) if reason else (verdict.message, "")


def facts(records: Records) -> list[tuple[str, str]]:
    """When, with which seed, commit and machine, for the head of the page."""
    provenance = records.provenance
    commit, dirty = provenance.get("commit"), provenance.get("dirty")
    state = {True: "with uncommitted changes", False: "clean"}.get(dirty, "") if isinstance(dirty, bool) else ""
    suites = sorted({entry.suite for entry in records.entries if entry.suite})
    versions = provenance.get("versions")
    named = versions if isinstance(versions, dict) else {}
    threads = provenance.get("threads")
    return [
        ("When", str(provenance.get("time", "not recorded")).replace("T", " ").replace("+00:00", " UTC")),
        ("Suite", ", ".join(suites) or "not recorded"),
        ("Seed", str(provenance.get("seed", "not recorded"))),
        ("Commit", f"{str(commit)[:12]} {state}".strip() if commit else "not recorded"),
        ("hippo-verify", str(named.get("hippo-verify", "not recorded"))),
        ("Python", str(named.get("python", "not recorded"))),
        ("CPU", f"{provenance.get('cpu') or 'not recorded'}, {provenance.get('cores') or '?'} cores"),
        (
            "Threads",
            ", ".join(f"{k}={v}" for k, v in threads.items())
            if isinstance(threads, dict) and threads
            else "not limited",
        ),
    ]


def provenance_rows(records: Records) -> list[tuple[str, str]]:
    """Everything recorded about where the verdicts come from, one line each."""
    listed: list[tuple[str, str]] = []
    for key, value in records.provenance.items():
        if isinstance(value, dict):
            listed.extend((f"{key}: {name}", str(item)) for name, item in value.items() if not isinstance(item, list))
        else:
            listed.append((key, "not recorded" if value is None else str(value)))
    return listed


def status_words(found: dict[Status, int]) -> str:
    """Counts in words: ``897 pass, 6 error``; nothing that is zero."""
    return ", ".join(f"{number:,} {WORDS[status]}" for status, number in found.items() if number) or "no verdict"
