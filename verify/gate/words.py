"""The words of the gate: what is said of a benchmark and of the whole, and what that means for the exit code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from verify.kinds import Kind


class Word(StrEnum):
    """What is said of a benchmark, and of the whole. More memory counts as slower: both are what a result costs."""

    BETTER = "better"
    SAME = "same"
    SLOWER = "slower"
    LESS_ACCURATE = "less accurate"
    FASTER_BUT_LESS_ACCURATE = "faster but less accurate"
    NOT_COMPARABLE = "not comparable"
    NOT_MEASURED = "not measured"


class Outcome(StrEnum):
    """What a finding means for the gate: FAIL is a regression or a loss, INCONCLUSIVE says nothing either way."""

    PASS = "pass"  # noqa: S105 -- no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """A word with its reason, before it is known whether that is accepted.

    Attributes:
        word: what is said.
        outcome: what it means for the gate.
        message: why, in a sentence.
        ratio: how many times more head costs than base (time, memory, error; rates the other way round): above 1 is
            worse. None where there is no such number.
        low: lower limit of the ratio, or None.
        high: upper limit of the ratio, or None.
        p: chance of an alarm this strong on identical builds, one benchmark looked at; None for what is deterministic.
        adjusted_p: the same for the family (Holm).
        rounds: how many rounds of both sides were used.
    """

    word: Word
    outcome: Outcome
    message: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    adjusted_p: float | None = None
    rounds: int = 0


@dataclass(frozen=True, kw_only=True)
class Finding(Ruling):
    """What is said of one benchmark.

    Attributes:
        name: of the benchmark.
        kind: what it measures.
        unit: of `base` and `head`.
        base: what base gave (median of its rounds), or None.
        head: what head gave, or None.
        accepted: the reason that makes this a PASS, or empty.
    """

    name: str
    kind: Kind
    unit: str
    base: float | None = None
    head: float | None = None
    accepted: str = ""
