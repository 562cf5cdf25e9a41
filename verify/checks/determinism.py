"""Determinism: equal input gives equal bits, whatever was asked in between, and the input is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from verify.bounds import Limits
from verify.case import LEVELS, Case
from verify.checks.base import Check, Finding, Record, Suite, judge
from verify.checks.repeat_base import ask_another_order, questions
from verify.defects import Defect, pick
from verify.oracle import Oracle
from verify.result import Result, Target
from verify.verdict import INTERFACE, Status

Array = np.ndarray[Any, np.dtype[Any]]

EXACTLY = "equality of bits: no rounding excuses a different answer to the same question"


class Determinism(Check):
    """Comparison of repeated calls."""

    key = "determinism"
    claim = "the same input gives the same bits, also after other calls, and the target does not write into its input"
    levels = LEVELS
    beside = True

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Every input is asked, then all again in the same order; in between, another order."""
        inputs = list(questions(case))
        first = [target.call(case, *item.arguments(case)) for item in inputs]
        record.details["asked_between"] = ask_another_order(case, target)
        again = [target.call(case, *item.arguments(case)) for item in inputs]
        for item, before, after in zip(inputs, first, again, strict=True):
            asked = item.to_json()
            place = {"input": asked}
            if before.malformed:
                worst = {**place, "what": "the answer"}
                record.add(Finding(Status.FAIL, float("inf"), 0.0, float("inf"), 1, worst, before.malformed, INTERFACE))
                continue
            if before.input_changed or after.input_changed:
                worst = {**place, "what": "the input"}
                message = f"the target wrote into the input it was given ({asked['name']})"
                record.add(Finding(Status.FAIL, 1.0, 0.0, float("inf"), 1, worst, message, EXACTLY))
                continue
            record.add(_compare(before, after, place))

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Answers that depend on earlier calls or on chance, and an input used as work space."""
        writing = {"matrices": (), "factors": (), "resume": ("state_overwritten",)}.get(case.level, ("writing",))
        leaking = () if case.level == "factors" else ("leaking",)
        return pick(case, *leaking, *writing, "dithered", "largest_order_kept", "restless_factors")


def _numbers(result: Result) -> Array:
    """All numbers of an answer in a row, complex ones as two."""
    parts = [value.ravel() for value in result.arrays.values()]
    return np.concatenate(
        [part.view(np.float64) if part.dtype.kind == "c" else part for part in parts or [np.zeros(0)]]
    )


def _compare(before: Result, after: Result, place: dict[str, Any]) -> Finding:
    old, new = _numbers(before), _numbers(after)
    if old.shape != new.shape:
        worst = {**place, "what": "the answer"}
        return Finding(Status.FAIL, 1.0, 0.0, float("inf"), 1, worst, "the second answer has another shape", EXACTLY)
    same = (old == new) & (np.signbit(old) == np.signbit(new)) | np.isnan(old) & np.isnan(new)
    with np.errstate(all="ignore"):
        difference = np.where(same, 0.0, np.maximum(np.abs(old - new), np.finfo(float).tiny))

    def where(index: tuple[int, ...]) -> dict[str, Any]:
        return {**place, "what": "the same answer asked again", "index": list(index)}

    zero = np.zeros(old.shape)
    return judge(difference, Limits(zero, zero, EXACTLY), truth=0.0, scale=1.0, got=new, expected=old, where=where)
