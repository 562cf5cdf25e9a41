"""Parity: a target gives the same result in its other precision and on its other device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from verify.bounds import Limits, reconstruction_limits, step_limits
from verify.candidates import TILTED
from verify.case import DEVICES, DTYPES, Case
from verify.cases import reads_nodes
from verify.checks.base import MEANINGFUL, Check, Record, Suite, Unoffered, malformed
from verify.checks.stream_base import Run, judge_pair, run_of
from verify.defects import Defect, pick
from verify.inputs import Input, ReadOut, Signal, Transition
from verify.metrics import norm
from verify.oracle import Oracle
from verify.result import Result, Target, TargetError
from verify.strategies import corpus_readouts, corpus_transitions

LARGEST_EULER = 4
"""Beyond, forward Euler on LegS grows so far that float32 loses half of its digits."""
NARROWEST = "float32"
"""Inputs have few enough bits for it, so that either precision reads the very same numbers."""


@dataclass(frozen=True)
class Question:
    """One input, the exact answer as rows, and the form of an answer.

    Attributes:
        item: the input.
        run: the exact rows, with the limits of one precision.
        shape: of an answer; None where a scan may give its last state alone.
    """

    item: Input
    run: Run
    shape: tuple[int, ...] | None


class Parity(Check):
    """Comparison of a target with itself in another precision, and on another device."""

    key = "parity"
    claim = "the result is the same in float32 and float64, and on each device, within the rounding bounds of both"
    levels = ("scan", "step", "reconstruct")

    def why_not(self, case: Case) -> str | None:
        """Levels without an answer in either precision."""
        if case.level == "reconstruct" and case.measure == "lagt":
            return "the window of lagt is infinite: a point is no fraction of it"
        if case.level == "reconstruct" and case.measure in TILTED:
            return f"no rounding bound is derived for the tilted basis of {case.measure}, which grows towards the ends"
        if case.level == "step" and reads_nodes(case.method):
            return f"{case.method} needs two samples per step; a step function is given one"
        grows = case.level != "reconstruct" and case.measure == "legs" and case.method == "euler"
        if grows and case.order > LARGEST_EULER:
            return f"forward Euler on LegS leaves float32 too few digits above order {LARGEST_EULER}"
        return None

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """The same inputs, bit for bit, in both precisions; then on both devices where the target has two."""
        missing = []
        for other in _others(case):
            reason = target.why_not(other)
            if reason is None:
                reason = self._compare(case, other, oracle, target, record)
            if reason is not None:
                missing.append(reason)
            if record.failure is not None:
                return
        if record.findings == 0:
            raise Unoffered("; ".join(missing))
        record.details["not_compared"] = missing

    def _compare(self, case: Case, other: Case, oracle: Oracle, target: Target, record: Record) -> str | None:
        """None, or why the two cannot be compared."""
        name = other.dtype if other.dtype != case.dtype else other.device
        questions = [_questions(asked, oracle) for asked in (case, other)]
        for mine, theirs in zip(*questions, strict=True):
            if any(_meaningless(question.run) for question in (mine, theirs)):
                return f"{case.method} at order {case.order} amplifies rounding in {NARROWEST} beyond its answer"
            try:
                answer = target.call(other, *theirs.item.arguments(other))
            except TargetError as error:
                if error.kind != "raised":
                    raise
                return f"the target takes no {name}: {error.message}"
            own = target.call(case, *mine.item.arguments(case))
            place = {"input": mine.item.to_json(), "other": name}
            pair = []
            for question, result in ((mine, own), (theirs, answer)):
                problem = None
                if question.shape is not None:
                    problem = malformed(result, "value", question.shape, place)
                if problem is not None:
                    record.add(problem, mine.item.size)
                    return None
                rows = result
                if question.shape is not None:
                    rows = Result({"value": result.value.reshape(question.run.exact.shape)}, result.dtype)
                pair.append((question.run, rows))
            here = case.dtype if other.dtype != case.dtype else case.device
            kind = "value" if case.level == "reconstruct" else "state"
            what = f"{kind} {{row}} in {name}, against {here},"
            finding = judge_pair(pair[0], pair[1], place, what, target.normwise)
            record.add(finding, mine.item.size)
        return None

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Another precision, or another device, with a path of its own that is wrong."""
        return pick(case, "bfloat16_path", "float32_clamped", "device_path")


def _meaningless(run: Run) -> bool:
    """Whether rounding alone may change a digit that counts; a silent start has none."""
    return bool(np.any((run.limits.forward > MEANINGFUL * run.sizes) & (run.sizes > 0)))


def _others(case: Case) -> tuple[Case, Case]:
    dtype = DTYPES[1 - DTYPES.index(case.dtype)]
    device = DEVICES[1] if case.device == DEVICES[0] else DEVICES[0]
    return replace(case, dtype=dtype), replace(case, device=device)


def _questions(case: Case, oracle: Oracle) -> list[Question]:
    if case.level == "scan":
        return [Question(item, run_of(case, oracle, item.values), None) for item in _signals(case.order)]
    if case.level == "step":
        return [_of_step(case, oracle, item) for item in _transitions(case.order)]
    # Point 0 of an infinite window is the infinite past.
    lowest = 0.0 if case.measure != "legs_lti" else 2.0**-16
    readouts = corpus_readouts(case.order, NARROWEST)[1:3]
    kept = [replace(item, points=tuple(y for y in item.points if y >= lowest)) for item in readouts]
    return [_of_readout(case, oracle, item) for item in kept]


def _signals(order: int) -> list[Signal]:
    """Two short signals: rounding in the narrower precision adds up with the samples."""
    length = order // 2 + 12
    wave = [float(np.float32(1000 * np.sin(0.37 * k + 1))) for k in range(length)]
    return [Signal(tuple(wave), "large wave"), Signal(tuple(1.0 - k % 3 / 2 for k in range(length)), "three levels")]


def _transitions(order: int) -> list[Transition]:
    items = corpus_transitions(order, NARROWEST)[1:4]
    large = tuple(256.0 * value for value in items[0].state)
    return [*items, Transition(large, -192.0, 6, "large state")]


def _of_step(case: Case, oracle: Oracle, item: Transition) -> Question:
    operator = oracle.operator(case)
    exact, state = oracle.step(case, item.state, item.sample, item.index), np.array(item.state)
    limits = step_limits(operator, state, item.sample, exact.high, item.index, case.dtype)
    D = operator.weights
    size = np.array([max(float(norm(exact.high, D)), float(norm(state, D)), abs(item.sample))])
    rows = Limits(np.atleast_1d(limits.forward), np.atleast_1d(limits.backward), limits.source)
    return Question(item, Run(exact[None], rows, size, D, item.index), (case.order,))


def _of_readout(case: Case, oracle: Oracle, item: ReadOut) -> Question:
    largest, coefficients = oracle.largest_basis(case), np.array(item.coefficients)
    limits = reconstruction_limits(largest, coefficients, case.dtype)
    exact = oracle.evaluate(case, item.coefficients, item.points)
    count = len(item.points)
    size = np.full(count, float(np.dot(largest, np.abs(coefficients))))
    rows = Limits(np.full(count, limits.forward), np.full(count, limits.backward), limits.source)
    return Question(item, Run(exact[:, None], rows, size, np.ones(1)), (count,))
