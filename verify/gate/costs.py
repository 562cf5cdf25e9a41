"""What is said of time, rates and memory: rounds are made comparable, tested as a family, and put into words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from statistics import median
from typing import Final

from scipy import stats

from verify.gate.settings import Settings, Thresholds
from verify.gate.side import Kind, Measurement
from verify.gate.speed import LEAST_APART, LOOKS, Shift, apart, holm, in_pairs, rounds_needed
from verify.gate.words import Outcome, Ruling, Word

COSTS: Final = (Kind.TIME, Kind.RATE, Kind.MEMORY)
LOPSIDED: Final = 0.02
"""Chance at which rounds that are much slower are taken for more than outliers: six of one side, none of the other."""
_WORSE: Final = {Kind.TIME: "times slower", Kind.RATE: "times slower", Kind.MEMORY: "times the memory"}
_BETTER: Final = {Kind.TIME: "times faster", Kind.RATE: "times faster", Kind.MEMORY: "times less memory"}


@dataclass(frozen=True)
class Rounds:
    """The usable rounds of both sides, as costs: more is worse.

    Attributes:
        base: of each usable pair; of every usable round where the sides are not paired. A rate is the reciprocal of a
            cost, and all that is asked is a ratio: for rates the sides change places.
        head: the same.
        paired: whether they are pairs.
        gone: rounds in which head gave no usable number.
        gone_before: rounds in which base gave none.
        lost: whether head gave no number at all, and base one in every round.
        example: what an unusable round of head gave, or why it gave nothing.
        places: of each usable pair, its round, from 0.
    """

    base: tuple[float, ...]
    head: tuple[float, ...]
    paired: bool
    gone: int
    gone_before: int
    lost: bool
    example: str
    places: tuple[int, ...] = ()


def _usable(value: float | None, kind: Kind) -> bool:
    """Whether it is a cost. No time is 0: what a clock shows as 0 was not measured."""
    return value is not None and math.isfinite(value) and (value > 0 or (value == 0 and kind is Kind.MEMORY))


def rounds_of(base: Measurement, head: Measurement, *, paired: bool) -> Rounds:
    """The usable rounds of a benchmark, and how many were not."""
    kind, befores, nows = head.kind, base.rounds, head.rounds
    if paired and (befores or nows):
        befores, nows = zip(*zip_longest(befores, nows), strict=True)
    wrong, wrong_before = ([value for value in values if not _usable(value, kind)] for values in (nows, befores))
    lost = len(wrong) == len(nows) and bool(befores) and not wrong_before
    places: tuple[int, ...] = ()
    if paired:
        both = enumerate(zip(befores, nows, strict=True))
        kept = [(b, n, place) for place, (b, n) in both if _usable(b, kind) and _usable(n, kind)]
        befores, nows, places = zip(*kept, strict=True) if kept else ((), (), ())
    # A byte at least: the logarithm of nothing is none.
    before, now = (
        tuple(max(v, 1.0) if kind is Kind.MEMORY else v for v in values if v is not None and _usable(v, kind))
        for values in (befores, nows)
    )
    example = next((f", {value} for one" for value in wrong if value is not None), f" ({head.why})" if head.why else "")
    sides = (now, before) if kind is Kind.RATE else (before, now)
    return Rounds(*sides, paired, len(wrong), len(wrong_before), lost, example, places)


def _loss(rounds: Rounds, rate: float) -> Ruling | None:
    """What is said where head gave a number less often than base: never that all is well.

    Head that gives none where base always did has lost the benchmark. Otherwise fair coins decide whether it was
    chance on which side the lost rounds are.
    """
    gone, before = rounds.gone, rounds.gone_before
    if gone <= before and not rounds.lost:
        return None
    chance = float(stats.binom.sf(gone - 1, gone + before, 0.5))
    lost = rounds.lost or chance <= rate
    return Ruling(
        word=Word.NOT_MEASURED, outcome=Outcome.FAIL if lost else Outcome.INCONCLUSIVE, p=chance,
        message=f"no usable number in {gone} rounds of head{rounds.example}, and in {before} of base",
    )  # fmt: skip


def shift_of(rounds: Rounds, kind: Kind, settings: Settings, *, paired: bool) -> Shift | None:
    """The shift between usable rounds, or None where there are none. Only clocks drift: memory is what it is."""
    if not rounds.base or not rounds.head:
        return None
    if paired:
        planned = sum(place < settings.rounds for place in rounds.places)
        return in_pairs(rounds.base, rounds.head, planned, settings.extra_rounds)
    return apart(rounds.base, rounds.head, 1.0 if kind is Kind.MEMORY else settings.drift)


def _limits(kind: Kind, thresholds: Thresholds) -> tuple[float, float]:
    """Smallest ratio worth an alarm, and the one that must not pass unseen."""
    if kind is Kind.MEMORY:
        return thresholds.memory, max(thresholds.memory, thresholds.detect)
    return thresholds.slowdown, thresholds.detect


def _lopsided(rounds: Rounds, detect: float) -> str:
    """Whether rounds in which head took much longer outnumber those in which base did, beyond what coins explain.

    Then the median, which they leave as it is, is not the whole truth. It withholds a word and is no alarm, so that
    `LOPSIDED` can be large.
    """
    if not rounds.paired:
        return ""
    head, base = (
        sum(one / other >= detect for one, other in zip(*sides, strict=True))
        for sides in ((rounds.head, rounds.base), (rounds.base, rounds.head))
    )
    if stats.binom.sf(head - 1, head + base, 0.5) > LOPSIDED:
        return ""
    return f"head is that much dearer in {head} rounds, base in {base}"


def going_on(pairs: Mapping[str, tuple[Measurement, Measurement]], settings: Settings, family: int) -> tuple[str, ...]:
    """The pairs that further rounds can still say something of, at a look.

    Before the planned rounds are over only what is the same beyond doubt is done: what seems slower or faster by as
    much as matters goes on, so that the p of every alarm is that of a fixed number of rounds.
    """
    if max((len(one.rounds) for pair in pairs.values() for one in pair), default=0) < settings.rounds:
        return tuple(name for name, pair in pairs.items() if not _same(*pair, settings))
    rulings = judge_costs(pairs, settings, paired=True, family=family)
    return tuple(name for name, ruling in rulings.items() if ruling.outcome is Outcome.INCONCLUSIVE)


def _same(base: Measurement, head: Measurement, settings: Settings) -> bool:
    """Whether all that matters is ruled out, and no round of head is missing."""
    rounds = rounds_of(base, head, paired=True)
    shift = shift_of(rounds, head.kind, settings, paired=True)
    if shift is None or rounds.gone > rounds.gone_before:
        return False
    _, detect = _limits(head.kind, settings.of(head.name))
    certain = shift.high < detect and not _lopsided(rounds, detect)
    return certain and not _matters(head.kind, rounds, shift, settings.of(head.name))


def judge_costs(
    pairs: Mapping[str, tuple[Measurement, Measurement]], settings: Settings, *, paired: bool, family: int = 0
) -> dict[str, Ruling]:
    """What is said of benchmarks that both sides measured, all of them one family.

    A ``family`` larger than their number has further members in which nothing is seen (their p counts as 1).
    """
    family = max(family, len(pairs))
    rounds = {name: rounds_of(base, head, paired=paired) for name, (base, head) in pairs.items()}
    shifts = {name: shift_of(found, pairs[name][1].kind, settings, paired=paired) for name, found in rounds.items()}
    slower, faster = {}, {}
    for name, shift in shifts.items():
        # What is too small to matter is no alarm whatever its p, which may thus count as 1 in the family.
        matters = _matters(pairs[name][1].kind, rounds[name], shift, settings.of(name))
        slower[name] = shift.slower_p if shift is not None and matters > 0 else 1.0
        faster[name] = shift.faster_p if shift is not None and matters < 0 else 1.0
    rate = min(settings.alarm_rate, settings.family_rate / max(1, family))
    needed = rounds_needed(rate) if paired else LEAST_APART
    adjusted = [dict(zip(chances, holm(list(chances.values()), family), strict=True)) for chances in (slower, faster)]
    return {
        name: _rule(head, rounds[name], shifts[name], (adjusted[0][name], adjusted[1][name]), (rate, needed), settings)
        for name, (_, head) in pairs.items()
    }


def _matters(kind: Kind, rounds: Rounds, shift: Shift | None, thresholds: Thresholds) -> int:
    """1 if the estimate is worse by as much as matters, -1 if it is better by that, else 0."""
    if shift is None:
        return 0
    smallest, _ = _limits(kind, thresholds)
    if kind is Kind.MEMORY and abs(median(rounds.head) - median(rounds.base)) <= thresholds.memory_floor:
        return 0
    return (shift.ratio >= smallest) - (shift.ratio <= 1 / smallest)


def _rule(
    head: Measurement,
    rounds: Rounds,
    shift: Shift | None,
    adjusted: tuple[float, float],
    asked: tuple[float, int],
    settings: Settings,
) -> Ruling:
    rate, needed = asked
    if ruling := _loss(rounds, rate):
        return ruling
    if shift is None:
        return Ruling(
            word=Word.NOT_MEASURED, outcome=Outcome.INCONCLUSIVE, message="no round in which both sides gave a number"
        )
    kind, thresholds = head.kind, settings.of(head.name)
    if kind is Kind.MEMORY and (ruling := _memory(rounds, shift, thresholds)):
        return ruling
    matters, (_, detect) = _matters(kind, rounds, shift, thresholds), _limits(kind, thresholds)
    slower_p, faster_p = adjusted
    found = Ruling(
        word=Word.SAME, outcome=Outcome.PASS, message="", ratio=_number(shift.ratio), low=_number(shift.low),
        high=_number(shift.high), p=shift.slower_p, adjusted_p=slower_p,
        rounds=shift.rounds,
    )  # fmt: skip
    said = _said(shift, max(rounds.gone, rounds.gone_before))
    if _rare(shift.slower_p, slower_p, settings):
        message = f"{shift.ratio:.3g} {_WORSE[kind]} ({said})"
        return replace(found, word=Word.SLOWER, outcome=Outcome.FAIL, message=message)
    if _rare(shift.faster_p, faster_p, settings):
        found = replace(found, p=shift.faster_p, adjusted_p=faster_p)
        return replace(found, word=Word.BETTER, message=f"{1 / shift.ratio:.3g} {_BETTER[kind]} ({said})")
    lopsided = _lopsided(rounds, detect)
    if shift.high < detect and not lopsided:
        sure = f"not certain, but {detect:g} is ruled out" if matters else "no change that matters"
        return replace(found, message=f"{shift.ratio:.3g} times the cost, {sure} ({said})")
    return replace(
        found, word=Word.NOT_MEASURED, outcome=Outcome.INCONCLUSIVE,
        message=f"{detect:g} times the cost cannot be ruled out: {lopsided or _reason(shift, needed)} ({said})",
    )  # fmt: skip


def _number(ratio: float) -> float | None:
    """None where no ratio is known."""
    return ratio if 0 < ratio < math.inf else None


def _rare(p: float, adjusted: float, settings: Settings) -> bool:
    """Whether it is an alarm. What is too small to matter is none: its adjusted p is 1."""
    return p <= settings.alarm_rate and adjusted <= settings.family_rate


def _said(shift: Shift, dropped: int) -> str:
    limits = f"between {shift.low:.3g} and {shift.high:.3g}, " if math.isfinite(shift.high) else ""
    without = f" and {dropped} that a side gave nothing in" if dropped else ""
    return f"{limits}{shift.rounds} rounds{without}"


def _reason(shift: Shift, needed: int) -> str:
    if shift.rounds < needed:
        return f"too few rounds, a family of this size needs {needed}"
    return "the rounds scatter too much; quieten the machine, or make the benchmark longer"


def _memory(rounds: Rounds, shift: Shift, thresholds: Thresholds) -> Ruling | None:
    """What is said of memory without a test: growth below the floor, and few rounds, which must agree to speak."""
    before, now = median(rounds.base), median(rounds.head)
    found = Ruling(word=Word.SAME, outcome=Outcome.PASS, message="", ratio=_number(shift.ratio), rounds=shift.rounds)
    if max(rounds.base + rounds.head) - min(rounds.base + rounds.head) <= thresholds.memory_floor:
        return replace(found, message=f"the memory is the same to {thresholds.memory_floor:.3g} bytes")
    if shift.rounds >= LOOKS[0]:
        return None
    low, high = min(rounds.head) / max(rounds.base), max(rounds.head) / min(rounds.base)
    found = replace(found, low=low, high=high)
    said = f"{now / before:.3g} times the memory, between {low:.3g} and {high:.3g} in {shift.rounds} rounds"
    if low >= thresholds.memory and min(rounds.head) - max(rounds.base) > thresholds.memory_floor:
        return replace(found, word=Word.SLOWER, outcome=Outcome.FAIL, message=said)
    if high <= 1 / thresholds.memory and min(rounds.base) - max(rounds.head) > thresholds.memory_floor:
        return replace(found, word=Word.BETTER, message=said)
    if high < thresholds.memory:
        return replace(found, message=f"no change that matters: {said}")
    return replace(found, word=Word.NOT_MEASURED, outcome=Outcome.INCONCLUSIVE, message=f"the rounds disagree: {said}")
