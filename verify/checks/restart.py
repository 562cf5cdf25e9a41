"""Restart: a run that is cut anywhere and resumed, or fed sample by sample, equals the unbroken run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from verify.case import Case
from verify.cases import reads_nodes
from verify.checks.base import Check, Finding, Record, Suite, Undecidable, explore, malformed
from verify.checks.stream_base import Run, judge_pair, judge_run, run_from, run_of
from verify.defects import Defect, pick
from verify.inputs import Resumption, Signal
from verify.oracle import Oracle
from verify.result import Result, Target
from verify.strategies import corpus_signals, corpus_transitions, examples_for, length_for, resumptions
from verify.verdict import Status

SIGNALS = ("wave", "impulse in the middle", "huge")
LARGEST_WIDE = 16
"""Up to this order the first of them is cut about each power of two as well, and all of them are fed step by step."""
LATE = (127, 128, 255, 256, 257, 1000, 1025, 54321, 2**24 + 1)
"""Indices to go on from: where tables and counters of 7, 8 and 10 bits end, and past the whole numbers of float32."""
LATE_SAMPLES = (0.5, -0.75, 1.25)
LONGEST_DRAWN = 3
"""Samples read after a drawn state: each costs two exact steps."""


class Restart(Check):
    """Comparison of resumed runs, and of folded steps, with the exact states of the whole run."""

    key = "restart"
    claim = "a state saved and resumed goes on as the unbroken run, and step by step gives what a scan gives"
    levels = ("resume", "step")

    def why_not(self, case: Case) -> str | None:
        """Rules that read earlier samples cannot go on from a state alone."""
        if reads_nodes(case.method):
            return f"{case.method} reads the sample before its own: a state alone does not say how a run goes on"
        return None

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """One cut at each place from exact states, two cuts from the target's own; or all steps of a signal."""
        length = length_for(case.order, suite.length)
        names = SIGNALS if case.level == "resume" or case.order <= LARGEST_WIDE else SIGNALS[:1]
        for signal in (s for s in corpus_signals(length, case.dtype) if s.name in names):
            run = run_of(case, oracle, signal.values)
            if case.level == "step":
                self._fold(case, target, signal, run, record)
            else:
                self._cuts(case, target, signal, run, record)
            if record.failure is not None:
                return
        if case.level == "resume":
            self._late(case, oracle, target, suite, record)

    def _late(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """From given states at late indices, then from drawn ones: no run needs to have come there."""

        def trial(item: Resumption) -> tuple[Finding, int]:
            run = run_from(case, oracle, item.state, item.values, item.index)
            result = target.call(case, *item.arguments(case))
            what = f"state {{row}} of the run resumed after {item.index} samples"
            return judge_run(run, result, {"input": item.to_json()}, what, target.normwise), item.size

        examples = examples_for(case.order, suite.examples) // 3 if case.order <= LARGEST_WIDE else 0
        drawn = resumptions(case.order, LONGEST_DRAWN)
        explore(_late_resumptions(case), drawn, trial, record, suite, examples)

    def _cuts(self, case: Case, target: Target, signal: Signal, run: Run, record: Record) -> None:
        """From the exact state, rounded once: after one sample and two, in the middle, and before the last."""
        length = len(signal)
        cuts = {1, 2, length // 2, length - 1}
        if case.order <= LARGEST_WIDE and signal.name == SIGNALS[0]:
            cuts |= {cut for j in range(2, 8) for cut in (2**j - 1, 2**j, 2**j + 1) if cut < length}
        for cut in sorted(cuts):
            self._resume(case, target, signal, run, (cut, length, run.exact.high[cut - 1]), record)
            if record.failure is not None:
                return
        # Two cuts: the second part goes on from what the target itself made of the first.
        first, second = length // 3, 2 * length // 3
        middle = self._resume(case, target, signal, run, (first, second, run.exact.high[first - 1]), record)
        if middle is not None:
            self._resume(case, target, signal, run, (second, length, middle), record)

    def _resume(
        self,
        case: Case,
        target: Target,
        signal: Signal,
        run: Run,
        cut: tuple[int, int, Any],
        record: Record,
    ) -> Any:
        """Resume at one cut and judge; the last state if it passed, else None."""
        start, stop, state = cut
        with np.errstate(over="ignore"):
            rounded = tuple(np.asarray(state).astype(case.dtype).astype(float).tolist())
        if not np.isfinite(rounded).all():
            raise Undecidable(f"the state after {start} samples leaves the range of {case.dtype}")
        item = Resumption(rounded, signal.values[start:stop], start, f"{signal.name}, cut after {start}")
        result = target.call(case, *item.arguments(case))
        what = f"state {{row}} of the run resumed after {start} samples"
        finding = judge_run(run.part(start, stop), result, {"input": item.to_json()}, what, target.normwise)
        record.add(finding, item.size)
        return None if record.failure is not None else np.atleast_2d(result.value)[-1]

    def _fold(self, case: Case, target: Target, signal: Signal, run: Run, record: Record) -> None:
        """All steps from a zero state, against the exact states and the target's own scan."""
        place: dict[str, Any] = {"input": signal.to_json()}
        state, states = np.zeros(case.order, dtype=case.dtype), []
        for k, sample in enumerate(signal.array(case.dtype)):
            result = target.call(case, state, float(sample), k)
            problem = malformed(result, "value", (case.order,), place)
            if problem is not None:
                record.add(problem, len(signal))
                return
            states.append(result.value)
            state = result.value.astype(case.dtype)
        folded = Result({"value": np.stack(states)})
        record.add(judge_run(run, folded, place, "state {row} of all steps in a row", target.normwise), len(signal))
        whole = replace(case, level="scan")
        if record.failure is None and target.why_not(whole) is None:
            own = target.call(whole, *signal.arguments(whole))
            what = "state {row} of all steps in a row, against the target's own scan,"
            finding = judge_pair((run, own), (run, folded), place, what, target.normwise)
            if finding.status is not Status.INCONCLUSIVE:  # the exact states have decided already
                record.add(finding, len(signal))

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Runs that start over, and steps with a wrong start or clock."""
        if case.level == "step":
            return pick(case, "doubled_B", "zero_start", "clock_late", "doubled_state")
        resumed = ("clock_restarts", "resume_from_zero", "sample_read_twice", "sample_skipped", "resumed_late")
        late = ("resume_table_256", "late_state_forgotten")
        return pick(case, *resumed, *late, "doubled_B", "clock_late")


def _late_resumptions(case: Case) -> list[Resumption]:
    """At each late index one of the two states that excite every coefficient, in turn."""
    starts = {item.name: item.state for item in corpus_transitions(case.order, case.dtype)}
    states = (starts["past a table of 1024"], starts["very late sample"])
    return [Resumption(states[i % 2], LATE_SAMPLES, k, f"late, after {k}") for i, k in enumerate(LATE)]
