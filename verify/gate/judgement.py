"""The comparison: a word for each benchmark, one for the whole, and the exit code that a CI system reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Final

from verify.gate.accepted import Accepted, Entry
from verify.gate.accuracy import judge_count, judge_error
from verify.gate.costs import COSTS, going_on, judge_costs
from verify.gate.settings import Settings, Thresholds
from verify.gate.side import Kind, Measurement, Side
from verify.gate.standing import compatible, stand
from verify.gate.words import Finding, Outcome, Ruling, Word

COMPARED: Final = (Word.BETTER, Word.SAME, Word.SLOWER, Word.LESS_ACCURATE)
"""Words that say that something was compared."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is said of head against base.

    Attributes:
        base: what it was compared with.
        head: what was judged.
        paired: whether the rounds of both ran side by side.
        settings: what was alarmed at.
        findings: of every benchmark of either side; those of base first, in its order.
        family: how many benchmarks were tested together for speed and memory.
        notes: what is wrong with settings and accepted regressions themselves.
    """

    base: Side
    head: Side
    paired: bool
    settings: Settings
    findings: tuple[Finding, ...]
    family: int
    notes: tuple[str, ...] = ()

    @property
    def word(self) -> Word:
        """The word for the whole."""
        return whole(self.findings)[0]

    @property
    def exit_code(self) -> int:
        """0 pass, 1 a regression or something lost, 4 nothing was compared, 5 inconclusive."""
        return whole(self.findings)[1]


def compare(base: Side, head: Side, settings: Settings, accepted: Accepted | None = None) -> Comparison:
    """Judge head against base."""
    accepted = accepted or Accepted()
    names = list(dict.fromkeys([*base.measurements, *head.measurements]))
    together = {name: (base.measurements.get(name), head.measurements.get(name)) for name in names}
    paired = base.paired is not None and base.paired == head.paired
    rulings, tested = _rulings(together, settings, paired=paired, elsewhere=elsewhere(base, head, settings))
    findings = [_finding(name, rulings[name], *together[name]) for name in names]
    used: set[Entry] = set()
    findings = [_accept(finding, accepted, used) for finding in findings]
    notes = [f"settings: pattern {pattern!r} fits no benchmark" for pattern in settings.idle(names)]
    for entry in accepted.entries:
        if accepted.lapsed(entry):
            notes.append(f"accepted regression expired on {entry.expires}; renew or remove it: {entry.describe()}")
        elif entry not in used:
            notes.append(f"accepted regression matched nothing: {entry.describe()}")
    return Comparison(
        base=base, head=head, paired=paired, settings=settings, findings=tuple(findings), family=tested,
        notes=tuple(notes),
    )  # fmt: skip


def undecided(base: Side, head: Side, settings: Settings) -> tuple[str, ...]:
    """Benchmarks that further rounds can still say something of, after one of `Settings.looks`.

    Raises:
        ValueError: the sides are not paired.
    """
    if base.paired is None or base.paired != head.paired:
        raise ValueError(
            f"base and head stem from {base.paired} and {head.paired}; accepted: sides of one interleaved run"
        )
    pairs = _costs(base, head)
    return going_on(pairs, settings, len(pairs))


def _costs(base: Side, head: Side) -> dict[str, tuple[Measurement, Measurement]]:
    """Benchmarks of time, rates and memory that can be compared."""
    together = ((base.measurements.get(name), now) for name, now in head.measurements.items())
    return {
        now.name: (before, now)
        for before, now in together
        if before is not None
        if before.status == now.status == "measured" and now.kind in COSTS and compatible(before, now) is None
    }


def elsewhere(base: Side, head: Side, settings: Settings) -> str:
    """What keeps the sides from being compared at all, or empty: another machine, or other versions."""
    for what, before, now in (
        ("machine", base.machine, head.machine),
        ("environment", base.environment, head.environment),
    ):
        changed = sorted(
            name
            for name in {*before, *now} - {*settings.may_differ}
            if before.get(name) != now.get(name)
        )  # fmt: skip
        if changed:
            said = "; ".join(
                f"{name} was {before.get(name)!s:.60}, and is {now.get(name)!s:.60}" for name in changed[:3]
            )
            more = f"; and {len(changed) - 3} more" if len(changed) > 3 else ""
            return f"measured in another {what}: {said}{more}"
    return ""


_Pair = tuple[Measurement | None, Measurement | None]


def _rulings(
    together: Mapping[str, _Pair], settings: Settings, *, paired: bool, elsewhere: str
) -> tuple[dict[str, Ruling], int]:
    """What is said of each benchmark, and how many were tested together."""
    if elsewhere:
        other = Ruling(word=Word.NOT_COMPARABLE, outcome=Outcome.INCONCLUSIVE, message=elsewhere)
        return dict.fromkeys(together, other), 0
    rulings: dict[str, Ruling] = {}
    costs: dict[str, tuple[Measurement, Measurement]] = {}
    for name, (before, now) in together.items():
        if ruling := stand(before, now):
            rulings[name] = ruling
        elif before is not None and now is not None:
            if ruling := compatible(before, now):
                rulings[name] = ruling
            elif now.kind in COSTS:
                costs[name] = (before, now)
            else:
                rulings[name] = _deterministic(before, now, settings.of(name))
    return rulings | judge_costs(costs, settings, paired=paired), len(costs)


def _deterministic(before: Measurement, now: Measurement, thresholds: Thresholds) -> Ruling:
    """What is said of errors and counts. Repeated ones that differ are judged each against each."""
    found = [
        judge_count(first, second, now.unit)
        if now.kind is Kind.COUNT
        else judge_error(first, second, now.unit, thresholds)
        for first in dict.fromkeys(before.rounds or (None,))
        for second in dict.fromkeys(now.rounds or (None,))
    ]
    if len({(one.word, one.outcome) for one in found}) == 1:
        return found[0]
    return Ruling(
        word=Word.NOT_MEASURED, outcome=Outcome.INCONCLUSIVE,
        message=f"not deterministic: {_listed(before)} before, {_listed(now)} now ({now.unit})",
    )  # fmt: skip


def _listed(measurement: Measurement) -> str:
    nothing = f"nothing ({measurement.why})" if measurement.why else "nothing"
    return " or ".join(nothing if value is None else str(value) for value in dict.fromkeys(measurement.rounds))


def _finding(name: str, ruling: Ruling, before: Measurement | None, now: Measurement | None) -> Finding:
    one = now or before
    assert one is not None  # noqa: S101 -- of one side at least
    return Finding(
        **asdict(ruling), name=name, kind=one.kind, unit=one.unit, base=_middle(before), head=_middle(now)
    )  # fmt: skip


def _middle(measurement: Measurement | None) -> float | None:
    values = [value for value in measurement.rounds if value is not None] if measurement else []
    return median(values) if values else None


def _accept(finding: Finding, accepted: Accepted, used: set[Entry]) -> Finding:
    """A finding with the entry that accepts it, or with the reason why an entry does not any more."""
    if finding.outcome is Outcome.PASS:
        return finding
    fitting = [entry for entry in accepted.entries if entry.fits(finding.name, finding.word)]
    enough = [entry for entry in fitting if (finding.ratio if finding.ratio is not None else math.inf) <= entry.up_to]
    valid = [entry for entry in enough if not accepted.lapsed(entry)]
    used.update(valid or fitting)
    if valid:
        message = f"{finding.message} [accepted until {valid[0].expires}: {valid[0].reason}]"
        return replace(finding, outcome=Outcome.PASS, message=message, accepted=valid[0].reason)
    if enough:
        message = f"{finding.message} [no longer accepted: expired on {enough[0].expires}: {enough[0].reason}]"
        return replace(finding, message=message)
    if fitting:
        largest = max(entry.up_to for entry in fitting)
        return replace(finding, message=f"{finding.message} [accepted up to {largest:g} times only]")
    return finding


def whole(findings: Iterable[Finding]) -> tuple[Word, int]:
    """The word for the whole and the exit code: the worst that is said and not accepted has the first word."""
    findings = tuple(findings)
    said = {(finding.word, finding.outcome) for finding in findings}  # what is accepted passes
    fails = {word for word, outcome in said if outcome is Outcome.FAIL}
    unclear = {word for word, outcome in said if outcome is Outcome.INCONCLUSIVE}
    if Word.LESS_ACCURATE in fails:
        faster = any(finding.word is Word.BETTER and finding.kind in COSTS for finding in findings)
        traded = faster and Word.SLOWER not in fails
        return (Word.FASTER_BUT_LESS_ACCURATE if traded else Word.LESS_ACCURATE), 1
    for word in (Word.SLOWER, Word.NOT_COMPARABLE, Word.NOT_MEASURED):
        if word in fails:
            return word, 1
    for word in (Word.NOT_MEASURED, Word.NOT_COMPARABLE):
        if word in unclear:
            return word, 5
    if not any(word in COMPARED for word, _ in said):
        return Word.NOT_MEASURED, 4
    return (Word.BETTER if (Word.BETTER, Outcome.PASS) in said else Word.SAME), 0
