"""Near misses of steps and scans: another operator, input, clock or start behind a rule that is read backwards."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from verify.case import Case
from verify.convention.fit import fits
from verify.convention.near import Context, Undone, forms, loosely, lossy, ranked, size_text
from verify.convention.observe import Scans, Steps
from verify.convention.precision import TRIVIAL, bits
from verify.convention.record import Near
from verify.convention.rules import Discrete, family, undo
from verify.oracle import Oracle

Array = np.ndarray[Any, np.dtype[Any]]
Pair = tuple[Array, Array]

AMPLIFIED = 100
"""Roundings of a step that was read off a target, which inverting its rule divides by the step size."""


def _of_step(step: Discrete, method: str, dt: float | None) -> Iterator[Undone]:
    """What may lie behind a step of an invariant law under a rule, with one mistake undone."""
    pair = undo(step.M, step.total, method)
    if pair is None:
        return
    yield from forms(*pair, method, discrete=True, dt=dt)
    if method != "euler":
        yield Undone(pair[0], step.total, "the input is not discretized by the rule: it is added as dt B", True, method)


def _invariant(step: Discrete, context: Context, methods: Sequence[str], noise: float, whole: str) -> list[Near]:
    found: list[Near] = []
    for method in methods:
        pair = undo(step.M, step.total, method)
        if pair is None:
            continue
        room = context.tolerance + AMPLIFIED * noise * float(np.abs(step.M).max() / np.abs(pair[0]).max())
        loose = replace(context, tolerance=min(room, 0.05))
        found.extend(loose.explained(_of_step(step, method, context.dt), pair))
        found.extend(lossy(*pair, loose, True, method))
        for measure in context.measures:
            for fit in fits(*pair, measure, context.case, context.oracle, loose.tolerance, unit_scale=False):
                if not size_text(fit, True, loose.tolerance, context.dt):
                    form = Undone(*pair, whole, True, method)
                    found.append(loose.near(fit, form, whole, fit.residual, fit.residual))
        found.extend(loose.closest(pair, True, method))
    needed = bits(np.r_[step.M.ravel(), step.inputs[0]])
    if TRIVIAL < needed <= 11:
        found = [
            replace(near, difference=f"{near.difference}; the numbers of its step have {needed} significant bits")
            for near in found
        ]
    return ranked(found)


def _cells(methods: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(family(method) for method in methods))


def near_step(
    steps: Steps, case: Case, oracle: Oracle, tolerance: float, measures: Sequence[str], methods: Sequence[str]
) -> list[Near]:
    """Near misses of a step function."""
    if not steps.invariant:
        read = {k: (step.M, step.total) for k, step in steps.read.items()}
        return _scaled(read, Context(case, oracle, tolerance, ("legs",)), methods, steps.noise)
    step = list(steps.read.values())[-1]
    context = Context(case, oracle, tolerance, tuple(measures), case.dt)
    return _invariant(step, context, _cells(methods), steps.noise, "the steps differ with the index")


def near_scan(
    scans: Scans, case: Case, oracle: Oracle, tolerance: float, measures: Sequence[str], methods: Sequence[str]
) -> list[Near]:
    """Near misses of a scan."""
    late = f"states {scans.shift} sample(s) late" if scans.shift else ""
    found = _near_scan(scans, case, oracle, tolerance, measures, methods)
    return [replace(near, difference=f"{late}; {near.difference}") for near in found] if late else found


def _near_scan(
    scans: Scans, case: Case, oracle: Oracle, tolerance: float, measures: Sequence[str], methods: Sequence[str]
) -> list[Near]:
    if not scans.invariant:
        read = {k: (step.M, step.total) for k, step in ((k, scans.step_at(k)) for k in SCANNED)}
        return _scaled(read, Context(case, oracle, tolerance, ("legs",)), methods, scans.noise)
    context = Context(case, oracle, tolerance, tuple(measures), case.dt)
    whole = "single steps are right, a whole run is not: its start, or what a step reads, differs"
    return _invariant(scans.step, context, _cells(methods), scans.noise, whole)


STEADY = 0.01
"""Changes of a clock, in samples, that are none."""
SCANNED = (16, 24, 40)
"""Samples at which the step of a scan under the scale law is read."""


def _scaled(read: dict[int, Pair], context: Context, methods: Sequence[str], noise: float) -> list[Near]:
    """Near misses under the scale law: another clock, or another operator under the right one."""
    found: list[Near] = []
    loose = replace(context, tolerance=min(context.tolerance + AMPLIFIED * max(read) * noise, 0.05))
    for method in _cells(methods):
        undone = {k: undo(*pair, method) for k, pair in read.items()}
        pairs = {k: pair for k, pair in undone.items() if pair is not None}
        if len(pairs) < len(undone):
            continue
        steps: dict[int, float] = {}
        rest = 0.0
        for k, pair in pairs.items():
            best = next(iter(fits(*pair, "legs", loose.case, loose.oracle, loose.tolerance, unit_scale=False)), None)
            if best is None:
                break
            steps[k] = math.expm1(best.scale) if method == "zoh" else best.scale
            rest = max(rest, best.residual)
        if len(steps) == len(pairs):
            distance = _first_distance(pairs, method, loose)
            found.append(Near("legs", 1.0, (), method, distance, _clock_text(steps), rest))
            continue
        k = min(pairs)
        h = math.log1p(1 / k) if method == "zoh" else 1 / k
        divided = (pairs[k][0] / h, pairs[k][1] / h)
        found.extend(
            replace(near, method=method)
            for near in (
                *loose.explained(forms(*divided, method, discrete=False), divided),
                *lossy(*divided, loose, False, method),
                *loose.closest(divided, False, method),
            )
        )
    return ranked(found)


def _clock_text(steps: dict[int, float]) -> str:
    """What is wrong with step sizes that should be 1/k."""
    offsets = [1 / h - k for k, h in steps.items()]
    factors = [h * k for k, h in steps.items()]
    offset, factor = float(np.median(offsets)), float(np.median(factors))
    if max(map(abs, offsets)) <= STEADY:
        return "single steps are right, a whole run is not: its start, or what a step reads, differs"
    if max(offsets) - min(offsets) <= STEADY:
        return f"the clock is off: the step reads k {round(offset, 2):+g} where the rule has k"
    if max(factors) - min(factors) <= STEADY:
        return f"A and B are both {round(factor, 2):g} times what they should be, or the step is {round(factor, 2):g}/k"
    return "the clock is off: the steps do not go as 1/k"


def _first_distance(pairs: dict[int, Pair], method: str, context: Context) -> float:
    k = min(pairs)
    h = math.log1p(1 / k) if method == "zoh" else 1 / k
    seen = next(loosely(pairs[k][0] / h, pairs[k][1] / h, "legs", context, unit_scale=True), None)
    return math.inf if seen is None else seen.residual
