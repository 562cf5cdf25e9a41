"""Determinism: equal input gives equal bits, whatever was asked in between, and the input is left alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from verify.bounds import Limits
from verify.case import LEVELS, Case
from verify.checks.base import Check, Finding, Record, Suite, judge
from verify.defects import Defect, pick
from verify.inputs import Batch, Input, Order, Resumption, TimedSignal
from verify.oracle import Oracle
from verify.result import Result, Target, TargetError
from verify.strategies import corpus_readouts, corpus_signals, corpus_transitions
from verify.verdict import INTERFACE, Status

Array = np.ndarray[Any, np.dtype[Any]]

LARGEST_DOUBLED = 64
"""Orders above are not doubled: the call would cost more than the check."""
LENGTH = 12
"""Samples of a signal: a short one shows a leak as well as a long one."""
EXACTLY = "equality of bits: no rounding excuses a different answer to the same question"


class Determinism(Check):
    """Comparison of repeated calls."""

    key = "determinism"
    claim = "the same input gives the same bits, also after other calls, and the target does not write into its input"
    levels = LEVELS

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Every input is asked, then all again in the same order; in between, another order."""
        inputs = list(_inputs(case))
        first = [target.call(case, *item.arguments(case)) for item in inputs]
        record.details["asked_between"] = _ask_another_order(case, target)
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


def _ask_another_order(case: Case, target: Target) -> str:
    """Ask twice the order. A target need not have it: its answer is not judged, and an error is no fault.

    Returns:
        What came of it, for the record.
    """
    other = replace(case, order=2 * case.order)
    if case.order > LARGEST_DOUBLED:
        return f"nothing: orders up to {LARGEST_DOUBLED} are doubled"
    reason = target.why_not(other)
    if reason is not None:
        return f"nothing: {reason}"
    try:
        target.call(other, *next(_inputs(other)).arguments(other))
    except TargetError as error:
        return f"order {other.order}, which gave no answer: {error.message}"
    return f"order {other.order}"


def _inputs(case: Case) -> Iterator[Input]:
    """A few inputs of the level."""
    if case.level in ("matrices", "factors"):
        yield Order("order")
        yield Order("order again")
    elif case.level == "step":
        yield from corpus_transitions(case.order, case.dtype)[1:4]
    elif case.level == "reconstruct":
        for readout in corpus_readouts(case.order, case.dtype)[:3]:
            # A tilted basis is infinite at the ends of the window.
            yield replace(readout, points=tuple(y for y in readout.points if 0 < y < 1) or (0.5,))
    elif case.level == "gradient":
        yield from corpus_signals(4, case.dtype)[1:8:6]  # a Jacobian costs N times a scan
    elif case.level == "resume":
        for transition in corpus_transitions(case.order, case.dtype)[1:3]:
            samples = corpus_signals(LENGTH, case.dtype)[8].values
            yield Resumption(transition.state, samples, transition.index, f"wave after {transition.index}")
    else:
        for signal in corpus_signals(LENGTH, case.dtype)[1:8:2]:
            if case.level == "timed_scan":
                times = tuple(0.5 + k + 0.25 * (k % 3) for k in range(len(signal)))
                yield TimedSignal(signal.values, times, signal.name)
            elif case.level == "batch_scan":
                yield Batch((signal.values, signal.values[::-1]), signal.name)
            else:
                yield signal


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
