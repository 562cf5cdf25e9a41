"""Accuracy: what an error, or a number of things compared, was before and is now. Deterministic, hence no statistics.

**Error.** Head is less accurate if its error is `growth` times base's or more, where an error up to a floor counts as
the floor: ``max(head, floor) >= growth max(base, floor)``. In bits lost, which are logarithms with a floor of their own
(a row that is rounded once from the exact one loses none), it is ``head >= base + bits``. What passes its derived bound
(error / bound above 1, before at most 1) is less accurate whatever the growth. Equal values are never an alarm.

**Floors.** The nearest number to an exact answer is off by at most half a unit in the last place, one unit roundoff: no
answer is more accurate than that but by luck, and one bit less is twice as much, hence seen. In ulps it is a half; as a
relative error 2^-53, float64's. A bound over n roundings is at least n unit roundoffs of the result: with chains of up
to 2^20 roundings one of them is 2^-20 of the bound or more. Other errors have the smallest normal number.

**Counts** of verdicts or of numbers compared may grow, never shrink: errors of fewer things are not comparable.
"""

from __future__ import annotations

import math
from typing import Final

from verify.gate.settings import Thresholds
from verify.gate.words import Outcome, Ruling, Word

BITS: Final = "bits lost"
BOUND: Final = "error / bound"
FLOORS: Final = {BITS: 0.0, BOUND: 2.0**-20, "relative error": 2.0**-53, "ulp": 0.5, "ulps": 0.5}
"""Unit -> the error below which none is told from another; other units have `SMALLEST`."""
SMALLEST: Final = 2.0**-1022
"""Below it numbers have fewer digits (gradual underflow): their errors say nothing."""
SLACK: Final = 1e-9
"""Relative; a growth by exactly a threshold is one, however the decimals of a file were rounded."""


def unusable(value: float | None) -> str:
    """Why a value is no error and no count, or empty."""
    if value is None:
        return "nothing"
    if not math.isfinite(value):
        return str(value)
    return f"{value:.4g}, which is negative" if value < 0 else ""


def judge_error(base: float | None, head: float | None, unit: str, thresholds: Thresholds) -> Ruling:
    """What is said of an error before and after, in the benchmark's unit."""
    if why := unusable(head):
        return _no_number("the error", base, why)
    if why := unusable(base):
        return _mended(base, f"the error was {why}, and is {head:.4g} {unit}")
    assert base is not None  # noqa: S101 -- usable
    assert head is not None  # noqa: S101
    said = f"{base:.4g} before, {head:.4g} now ({unit})"
    floor = FLOORS.get(unit, SMALLEST) if thresholds.floor is None else thresholds.floor
    before, after = max(base, floor), max(head, floor)
    bits = unit == BITS
    ratio = _power(after - before) if bits else _quotient(after, before)
    step = thresholds.bits if bits else thresholds.growth
    worse, better = _grows(before, after, step, bits=bits), _grows(after, before, step, bits=bits)
    how = f"by {abs(after - before):.3g} bits"
    if not bits:
        times = _quotient(max(after, before), min(after, before))
        how = "from an exact answer" if times is None else f"by a factor of {times:.3g}"
    if unit == BOUND and min(base, head) <= 1 < max(base, head):  # right before and wrong now, or the reverse
        worse, better, how = head > 1, base > 1, f"{how}, across its bound"
    if worse:
        word, outcome, what = Word.LESS_ACCURATE, Outcome.FAIL, f"less accurate {how}"
    elif better:
        word, outcome, what = Word.BETTER, Outcome.PASS, f"more accurate {how}"
    else:
        word, outcome, what = Word.SAME, Outcome.PASS, "the error is the same"
    return Ruling(word=word, outcome=outcome, message=f"{what}: {said}", ratio=ratio)


def judge_count(base: float | None, head: float | None, unit: str) -> Ruling:
    """What is said of a number of things before and after."""
    if why := unusable(head):
        return _no_number("the count", base, why)
    if why := unusable(base):
        return _mended(base, f"the count was {why}, and is {head:.15g} {unit}")
    assert base is not None  # noqa: S101 -- usable
    assert head is not None  # noqa: S101
    said = f"{base:.15g} {unit} before, {head:.15g} now"
    if head < base:
        return Ruling(
            word=Word.NOT_COMPARABLE, outcome=Outcome.FAIL,
            message=f"fewer than before: {said}", ratio=base / head if head else None,
        )  # fmt: skip
    return Ruling(word=Word.SAME, outcome=Outcome.PASS, message=said, ratio=base / head if head else 1.0)


def _grows(before: float, after: float, step: float, *, bits: bool) -> bool:
    enough = after - before >= step * (1 - SLACK) if bits else after >= step * before * (1 - SLACK)
    return after > before and enough


def _quotient(after: float, before: float) -> float | None:
    """None where there is no such number."""
    if not before:
        return None if after else 1.0
    quotient = after / before
    return quotient if math.isfinite(quotient) else None


def _power(bits: float) -> float | None:
    """The factor that an error grew by."""
    return 2.0**bits if abs(bits) < 1000 else None


def _mended(base: float | None, message: str) -> Ruling:
    """Base gave no usable number, and head does: news, unless base was negative.

    What was below zero and is above it may have grown all the same, as the logarithm of an error does.
    """
    if base is not None and base < 0:
        return Ruling(word=Word.NOT_MEASURED, outcome=Outcome.INCONCLUSIVE, message=message)
    return Ruling(word=Word.NOT_COMPARABLE, outcome=Outcome.PASS, message=message)


def _no_number(what: str, base: float | None, why: str) -> Ruling:
    """Head gave no usable number: a loss if base did, else nothing is known."""
    if before := unusable(base):
        return Ruling(
            word=Word.NOT_MEASURED, outcome=Outcome.INCONCLUSIVE, message=f"{what} was {before}, and is {why}"
        )
    word = Word.LESS_ACCURATE if what == "the error" and why in ("nan", "inf") else Word.NOT_MEASURED
    return Ruling(word=word, outcome=Outcome.FAIL, message=f"{what} was {base:.4g}, and is {why}")
