"""Uneven timestamps: exact states, which depend on ratios of times alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from verify.case import Case
from verify.checks.base import MEANINGFUL, Check, Finding, Record, Suite, Unoffered, explore, states_of
from verify.checks.long_base import judge_late, late_samples, unbounded, uneven_times
from verify.checks.stream_base import Run, judge_run, run_of
from verify.defects import Defect, pick
from verify.inputs import TimedSignal
from verify.oracle import Oracle
from verify.result import Target
from verify.strategies import corpus_signals, timed_signals

UNITS = (-60, 60)
"""Exponents of the units of time that are tried: float32 holds them, with room for a quotient of two."""
OTHER_UNIT = 3
"""A unit that is no power of two; times have few enough bits for the product to be exact."""
LARGEST_WIDE = 32
"""Up to this order all patterns of times are tried; above it, where float32 has few digits to decide with, one."""
STEEPEST = 16
"""What the last two times of an even scan of so many samples come to."""
LARGEST_DRAWN = 16
"""Orders above take the patterns alone."""
LONGEST_DRAWN = 16
"""Samples of a drawn signal."""
LARGEST_LATE = 16
"""Orders up to which a late run is tried."""
LATE = {"quick": 300, "full": 1000}
"""Samples of the late run."""


class TimedScan(Check):
    """Comparison of scans with a time for each sample, in several units; then of one late run.

    Late times are not compared above order `LARGEST_LATE`, nor where no bound of a long run on uneven times is derived
    (explicit rules, the trapezoid rule, holds of degree 2 and 3) or rounding may take a tenth of a state (float32
    lines).
    """

    key = "timed"
    claim = "with a time for each sample the states are the exact ones, and the unit of time changes nothing"
    levels = ("timed_scan",)

    def why_not(self, case: Case) -> str | None:
        """Times are for the scale law."""
        if case.dt is not None:
            return "timestamps are defined for legs: an invariant law has the one step dt"
        return None

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Patterns of times, each also in other units; then drawn gaps."""
        runs: dict[tuple[Any, ...], Run] = {}

        def exact(signal: TimedSignal) -> Run:
            key = (signal.values, signal.times)
            if key not in runs:
                runs[key] = run_of(case, oracle, signal.values, signal.times)
            return runs[key]

        def decisive(signal: TimedSignal) -> bool:
            """Whether rounding leaves every state a digit: the explicit half of a rule grows with the gaps."""
            run = exact(signal)
            return not np.any((run.limits.forward > MEANINGFUL * run.sizes) & (run.sizes > 0))

        def trial(item: TimedSignal | tuple[TimedSignal, int, int]) -> tuple[Finding, int]:
            signal, exponent, factor = item if isinstance(item, tuple) else (item, 0, 1)
            # Times a factor are the same ratios, so that the states and their limits are the same.
            times = tuple(math.ldexp(time * factor, exponent) for time in signal.times)
            unit = "" if (exponent, factor) == (0, 1) else f", unit {factor} x 2^{exponent}"
            asked = TimedSignal(signal.values, times, f"{signal.name}{unit}")
            result = target.call(case, *asked.arguments(case))
            place = {"input": asked.to_json()}
            what = f"state {{row}} under times that are {asked.name}"
            return judge_run(exact(signal), result, place, what, target.normwise), len(signal)

        corpus = [item for item in _corpus(case) if decisive(item[0])]
        if not corpus:
            raise Unoffered(f"{case.method} at order {case.order} amplifies rounding in {case.dtype} beyond its states")
        drawn = timed_signals(LONGEST_DRAWN, case.dtype, case.method).filter(_gentle).filter(decisive)
        examples = suite.examples // 2 if case.order <= LARGEST_DRAWN else 0
        explore(corpus, drawn, trial, record, suite, examples)

        if case.order <= LARGEST_LATE and record.failure is None and unbounded(case, node_trapezoid=False) is None:
            self._late(case, oracle, target, LATE[suite.name], record)

    def _late(self, case: Case, oracle: Oracle, target: Target, length: int, record: Record) -> None:
        times = uneven_times(case, length)
        given = TimedSignal(late_samples(length), times, f"steps and noise, uneven times, {length} samples")
        result = target.call(case, *given.arguments(case))
        finding = states_of(result, length, case.order, {"input": given.to_json()})
        finding = finding or judge_late(case, oracle, given, result.value, target.normwise)
        if finding is not None:
            record.add(finding, length)

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Times that are ignored, shifted, rounded, clamped or read in their unit."""
        units = ("times_in_float32", "gap_as_step", "gap_over_last")
        return pick(case, "times_ignored", "times_from_first", "gap_clamped", *units, "later_times_ignored")


def _gentle(signal: TimedSignal) -> bool:
    """Whether each time is at most `STEEPEST` times the gap before it, and times the time before it.

    Beyond, a right answer may lose all digits: the line through two samples, continued to time 0, is larger than they
    are by the first ratio, a sample that lasted so short a time leaves so small a state beside itself, and the explicit
    half of the trapezoid rule grows with the second.
    """
    return all(before == 0 or t <= STEEPEST * min(t - before, before) for before, t in pairwise(signal.times))


def _corpus(case: Case) -> list[tuple[TimedSignal, int, int]]:
    """Each pattern as it is; the uneven one in other units too."""
    length = case.order // 2 + 10
    first = 0.0 if case.method != "zoh" else 0.5  # a cell that ends at 0 would be empty
    if case.order > LARGEST_WIDE:
        first = 8.0
    gaps = [(k * 5 % 7 + 1) / 4 for k in range(length)]
    uneven = [first + sum(gaps[:k]) for k in range(length)]
    full = np.array([0.1 + 0.37 * k + 0.2 * math.sin(k) for k in range(length)], case.dtype).astype(float).tolist()
    doubling = [2.0**k for k in range(length)]
    close = [4.0 + k / 8 for k in range(length)]
    patterns = {"uneven": uneven}
    if case.order <= LARGEST_WIDE:
        patterns |= {"doubling": doubling, "of every bit": full, "close together": close}
    signals = {signal.name: signal for signal in corpus_signals(length, case.dtype)}
    wave = signals["wave"].values
    corpus = [(TimedSignal(wave, tuple(times), name), 0, 1) for name, times in patterns.items()]
    base = corpus[0][0]
    return [*corpus, *((base, exponent, 1) for exponent in UNITS), (base, 0, OTHER_UNIT)]
