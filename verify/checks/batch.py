"""Batches: each stream of a batch is answered as if it were alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from verify.bounds import hold_degree
from verify.case import Case
from verify.checks.base import Check, Finding, Record, Suite, explore, malformed
from verify.checks.stream_base import Run, judge_pair, judge_run, run_of
from verify.defects import Defect, pick
from verify.inputs import Batch
from verify.oracle import Oracle
from verify.result import Result, Target
from verify.strategies import batches, corpus_signals, examples_for, length_for, long_signal
from verify.verdict import Status

LONGEST_DRAWN = 12
"""Samples of a drawn stream: what leaks between streams leaks in short ones."""
MOST_DRAWN = {"quick": 5, "full": 17}
"""Streams of a drawn batch, by suite."""
LARGEST_DRAWN = 16
"""Orders above take the corpus alone."""
COUNTS = (8, 9, 17, 33)
"""Numbers of streams: whole groups of 8, 16 and 32, as vector units take them, and one more than such groups hold."""
SHORT = 6
"""Samples of each stream of so many."""
LONG = 300
"""Samples of the long streams: more than two chunks of 128, or one of 256."""
LONG_UP_TO = 4
"""Orders at which they are tried."""


class BatchScan(Check):
    """Comparison of every stream of a batch with the exact states, and with the target's own single scan."""

    key = "batch"
    claim = "scanning a batch equals scanning its streams one by one, whatever their number and their amplitudes"
    levels = ("batch_scan",)

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Batches of one, two, three and seven streams, tiny beside huge; many, and long ones; then drawn ones."""
        single = replace(case, level="scan")
        alone = target.why_not(single) is None
        runs: dict[tuple[float, ...], Run] = {}
        answers: dict[tuple[float, ...], Result] = {}

        def trial(batch: Batch) -> tuple[Finding, int]:
            result = target.call(case, *batch.arguments(case))
            place: dict[str, Any] = {"input": batch.to_json()}
            count, length = len(batch.streams), len(batch.streams[0])
            if result.malformed or result.value.shape != (count, case.order):
                problem = malformed(result, "value", (count, length, case.order), place)
                if problem is not None:
                    return problem, batch.size
            worst: Finding | None = None
            for index, stream in enumerate(batch.streams):
                if stream not in runs:
                    runs[stream] = run_of(case, oracle, stream)
                own = Result({"value": result.value[index]}, result.dtype)
                found = judge_run(
                    runs[stream], own, place, f"state {{row}} of stream {index} of {count}", target.normwise
                )
                worst = _worse(worst, found)
                if alone and found.status is Status.PASS:
                    if stream not in answers:
                        answers[stream] = target.call(single, np.array(stream, dtype=case.dtype), case.order)
                    one, many = (runs[stream], answers[stream]), (runs[stream], own)
                    what = f"state {{row}} of stream {index} of {count}, against its own scan,"
                    pair = judge_pair(one, many, place, what, target.normwise)
                    # The exact states have decided already: doubt under the wider limit of two answers is none.
                    worst = worst if pair.status is Status.INCONCLUSIVE else _worse(worst, pair)
            if worst is None:
                raise ValueError("a batch without streams")
            return worst, batch.size

        examples = examples_for(case.order, suite.examples) // 3 if case.order <= LARGEST_DRAWN else 0
        drawn = batches(LONGEST_DRAWN, case.dtype, most=MOST_DRAWN[suite.name])
        explore(_corpus(case, suite), drawn, trial, record, suite, examples)

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Streams that are mixed up, run on, left out or scaled together."""
        return pick(
            case, "first_stream_only", "streams_reversed", "streams_run_on", "odd_stream_dropped", "batch_normalised",
            "batch_interleaved", "lanes_reversed", "batch_chunk_restarts",
        )  # fmt: skip


def _worse(old: Finding | None, new: Finding) -> Finding:
    """The finding that says more, its count added up: a failure, else a doubt, else the larger ratio."""
    if old is None:
        return new
    rank = {Status.FAIL: 2, Status.INCONCLUSIVE: 1}
    before, after = ((rank.get(item.status, 0), item.ratio) for item in (old, new))
    return replace(new if after > before else old, compared=old.compared + new.compared)


def _corpus(case: Case, suite: Suite) -> list[Batch]:
    """Batches that take the signals of `scan`, whose exact states are known already."""
    length = length_for(case.order, suite.length)
    signals = {s.name: s for s in corpus_signals(length, case.dtype) if len(s) == length}

    def batch(*names: str) -> Batch:
        return Batch(tuple(signals[name].values for name in names), ", ".join(names))

    few = [
        batch("wave"),
        batch("tiny", "huge"),
        batch("huge", "wave", "alternating"),
    ]
    if case.order <= LARGEST_DRAWN:
        few.append(batch("wave", "ramp", "tiny", "impulse in the middle", "huge", "wave", "alternating"))
        few += [Batch(tuple(map(distinct, range(count))), f"{count} streams") for count in COUNTS]
    # As of `scan`: rules that amplify, and those with the longest steps, are not run long.
    if case.order <= LONG_UP_TO and case.method != "euler" and (hold_degree(case.method) or 0) < 2:
        values = long_signal(case.dtype).values
        few.append(Batch((values[:LONG], values[LONG : 2 * LONG]), "two long streams"))
    return few


def distinct(index: int) -> tuple[float, ...]:
    """Short stream ``index < 36``: multiples modulo a prime, so that no two agree in any sample; none of them is 0."""
    return tuple((2 * ((index + 1) * (k + 3) % 37) - 37) / 32 for k in range(SHORT))
