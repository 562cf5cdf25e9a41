"""Questions that are asked again and again, for the checks of what a target keeps from call to call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from verify.case import Case
from verify.inputs import Batch, Input, Order, Resumption, TimedSignal
from verify.result import Target, TargetError
from verify.strategies import corpus_readouts, corpus_signals, corpus_transitions

LARGEST_DOUBLED = 64
"""Orders above are not doubled: the call would cost more than the check."""
LENGTH = 12
"""Samples of a signal: a short one shows a leak as well as a long one."""


def ask_another_order(case: Case, target: Target) -> str:
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
        target.call(other, *next(questions(other)).arguments(other))
    except TargetError as error:
        return f"order {other.order}, which gave no answer: {error.message}"
    return f"order {other.order}"


def questions(case: Case) -> Iterator[Input]:
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
