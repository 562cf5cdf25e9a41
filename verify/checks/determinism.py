"""Determinism: equal input gives equal bits, whatever was asked in between, and the input is left alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from verify.bounds import Limits
from verify.case import Case
from verify.checks.base import Check, Finding, Record, Suite, judge
from verify.defects import Defect, pick
from verify.oracle import Oracle
from verify.result import Result, Target
from verify.strategies import corpus_readouts, corpus_signals, corpus_transitions
from verify.verdict import INTERFACE, Status

EXACTLY = "equality of bits: no rounding excuses a different answer to the same question"


class Determinism(Check):
    """Comparison of repeated calls."""

    key = "determinism"
    claim = "the same input gives the same bits, also after other calls, and the target does not write into its input"
    levels = ("matrices", "step", "scan", "reconstruct", "gradient")

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Every input is asked, then all again in the same order: other calls lie between the two answers."""
        inputs = list(_inputs(case))
        first = [target.call(case, *_fresh(arguments)) for _, arguments in inputs]
        again = [target.call(case, *_fresh(arguments)) for _, arguments in inputs]
        for (name, _), before, after in zip(inputs, first, again, strict=True):
            place = {"input": {"name": name}}
            if before.malformed:
                worst = {**place, "what": "the answer"}
                record.add(Finding(Status.FAIL, float("inf"), 0.0, float("inf"), 1, worst, before.malformed, INTERFACE))
                continue
            if before.input_changed or after.input_changed:
                worst = {**place, "what": "the input"}
                message = f"the target wrote into the input it was given ({name})"
                record.add(Finding(Status.FAIL, 1.0, 0.0, float("inf"), 1, worst, message, EXACTLY))
                continue
            record.add(_compare(before, after, place))

    def mutants(self, case: Case) -> Sequence[Defect]:
        """A state that leaks between calls, and an input used as work space."""
        return pick(case, "leaking", "writing")


def _inputs(case: Case) -> Iterator[tuple[str, tuple[Any, ...]]]:
    if case.level == "matrices":
        yield "order", (case.order,)
        yield "order again", (case.order,)
    elif case.level == "step":
        for item in corpus_transitions(case.order, case.dtype)[1:4]:
            yield item.name, (np.array(item.state, dtype=case.dtype), item.sample, item.index)
    elif case.level == "reconstruct":
        for readout in corpus_readouts(case.order, case.dtype)[:3]:
            points = tuple(y for y in readout.points if y > 0)
            yield readout.name, (np.array(readout.coefficients, dtype=case.dtype), np.array(points, dtype=case.dtype))
    else:
        # A Jacobian costs N times a scan: two short signals are enough to see a state leak.
        length, step = (4, 6) if case.level == "gradient" else (12, 2)
        for signal in corpus_signals(length, case.dtype)[1:8:step]:
            yield signal.name, (signal.array(case.dtype), case.order)


def _fresh(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.copy() if isinstance(value, np.ndarray) else value for value in arguments)


def _compare(before: Result, after: Result, place: dict[str, Any]) -> Finding:
    old = np.concatenate([value.ravel() for value in before.arrays.values()])
    new = np.concatenate([value.ravel() for value in after.arrays.values()]) if after.arrays else np.zeros(0)
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
