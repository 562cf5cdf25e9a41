"""What is said of a benchmark that did not give a number on both sides: nothing is lost without a word.

`TABLE` is the decision, held against docs/gate.md and asked in every state by the tests.
"""

from __future__ import annotations

from typing import Final

from verify.gate.accuracy import unusable
from verify.gate.side import Measurement
from verify.gate.words import Outcome, Ruling, Word

MISSING: Final = "missing"
"""State of a benchmark that a side does not have; the others are the statuses of a `Measurement`."""

TABLE: Final[dict[tuple[str, str], tuple[Word, Outcome, str]]] = {
    ("missing", "skipped"): (Word.NOT_MEASURED, Outcome.PASS, "new, and skipped"),
    ("missing", "failed"): (Word.NOT_MEASURED, Outcome.FAIL, "new, and failed"),
    ("missing", "measured"): (Word.NOT_COMPARABLE, Outcome.PASS, "new: nothing to compare it with"),
    ("skipped", "missing"): (Word.NOT_MEASURED, Outcome.PASS, "gone, and was skipped before"),
    ("skipped", "skipped"): (Word.NOT_MEASURED, Outcome.PASS, "skipped on both sides"),
    ("skipped", "failed"): (Word.NOT_MEASURED, Outcome.FAIL, "failed, and was skipped before"),
    ("skipped", "measured"): (Word.NOT_COMPARABLE, Outcome.PASS, "measured, and was skipped before"),
    ("failed", "missing"): (Word.NOT_MEASURED, Outcome.FAIL, "gone, and failed before"),
    ("failed", "skipped"): (Word.NOT_MEASURED, Outcome.FAIL, "skipped, and failed before"),
    ("failed", "failed"): (Word.NOT_MEASURED, Outcome.INCONCLUSIVE, "failed on both sides"),
    ("failed", "measured"): (Word.NOT_COMPARABLE, Outcome.PASS, "measured, and failed before"),
    ("measured", "missing"): (Word.NOT_MEASURED, Outcome.FAIL, "gone, and was measured before"),
    ("measured", "skipped"): (Word.NOT_MEASURED, Outcome.FAIL, "skipped, and was measured before"),
    ("measured", "failed"): (Word.NOT_MEASURED, Outcome.FAIL, "failed, and was measured before"),
}
"""States of base and head -> word, outcome, what is said. Measured on both sides is for the other modules."""


def state(measurement: Measurement | None) -> str:
    """A status, or `MISSING`."""
    return MISSING if measurement is None else measurement.status


def stand(base: Measurement | None, head: Measurement | None) -> Ruling | None:
    """What is said where a side gave no number; None where both did."""
    before, now = state(base), state(head)
    if (before, now) == ("measured", "measured"):
        return None
    why = next((one.why for one in (head, base) if one is not None and one.why), "")
    if head is not None and now == "measured" and all(map(unusable, head.rounds)):
        now, why = "failed", f"it gave {unusable(head.rounds[0])}"
    word, outcome, text = TABLE[before, now]
    return Ruling(word=word, outcome=outcome, message=f"{text}: {why}" if why else text)


def compatible(base: Measurement, head: Measurement) -> Ruling | None:
    """What is said where both sides measured, but not the same thing; None where they did."""
    for what, before, now in (
        ("kind", base.kind, head.kind),
        ("unit", base.unit, head.unit),
        ("version", base.version, head.version),
    ):
        if before != now:
            return Ruling(
                word=Word.NOT_COMPARABLE, outcome=Outcome.FAIL,
                message=f"the benchmark itself changed: its {what} was {before!s:.40}, and is {now!s:.40}",
            )  # fmt: skip
    return None
