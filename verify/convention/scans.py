"""Conventions of a scan: what its responses suggest, confirmed by whole runs from the first sample on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from verify.candidates import right_model
from verify.case import Case
from verify.convention.fit import exact_pair, fits
from verify.convention.inside import inside_of_scan
from verify.convention.near_steps import near_scan
from verify.convention.observe import IMPULSES, Scans
from verify.convention.parameters import Parameters, meant, special
from verify.convention.precision import irregular
from verify.convention.record import Convention
from verify.convention.rules import family, run, undo
from verify.convention.runs import polish, projected
from verify.convention.task import SECOND_ORDER, Task, best_legs, rules_alike
from verify.oracle import Oracle

Array = np.ndarray[Any, np.dtype[Any]]

COARSE = 1e-5
"""A target that rounds more than this computes in 16 bits: its step cannot be inverted."""
LEGS_LENGTH = 48
"""Samples of the run by which LegS, which has no parameter, is recognised."""
COARSE_LENGTH = 256
"""Samples of the longest run by which a window is measured."""
READ = 1e-3
"""Share of the input of its own sample below which a step does not read an earlier one."""
SUGGESTS = 0.05
"""What a measure may leave of a step that was read off a scan, to be tried on whole runs."""
SCALES = np.geomspace(1e-4, 0.3, 65)
"""Steps in windows that are tried where the arithmetic is too coarse to read one off."""
USUAL: dict[str, tuple[Parameters, ...]] = {
    "lagt": tuple((("alpha", a), ("beta", b)) for a in (0.0, -0.5, 0.5) for b in (1.0, 0.1, 3.0)),
    "gegenbauer": ((("alpha", 1.0),),),
    "jacobi": ((("alpha", 0.0), ("beta", 1.0)),),
}
"""Parameters to start from, likewise."""
PROMISING = 3
"""Starts that are polished."""


@dataclass(frozen=True)
class _Start:
    """A measure that a scan may have: its step in windows, its parameters, and rules to try."""

    measure: str
    scale: float
    parameters: Parameters
    rules: tuple[str, ...]


def of_scan(task: Task) -> tuple[list[Convention], Callable[[], Any]]:
    """Conventions of a scan, whether it gives all states or the last."""
    scans = Scans(task.target, task.case)
    found: list[Convention] = []
    if not scans.invariant:
        if task.tries_legs:
            found = legs_scans(task, scans)
    elif task.invariant_measures:
        found = invariant_scans(task, scans)
    if found:
        larger = Scans(task.target, replace(task.case, order=SECOND_ORDER))
        scans.check_again()
        found = [match for match in found if _confirmed(task, match, larger, SECOND_ORDER)]
    found = [inside_of_scan(match, scans, task.case, task.oracle) for match in rules_alike(found)]
    return found, lambda: near_scan(scans, task.case, task.oracle, task.base, task.invariant_measures, task.methods)


def _room(task: Task, scans: Scans) -> float:
    """What is taken for rounding in the states of a scan."""
    return min(task.base + 16 * scans.noise, 0.15)


def legs_scans(task: Task, scans: Scans) -> list[Convention]:
    """Conventions of LegS that hold for a whole run."""
    room = _room(task, scans)
    wanted = scans.sparse(LEGS_LENGTH)
    got = scans.states(irregular(LEGS_LENGTH, 3), wanted)

    def compare(method: str) -> tuple[float, str, Array] | None:
        return projected(got, legs_states(task.oracle, task.case.order, method)[wanted], room)

    return best_legs(compare, task, task.methods, room, scans.shift)


def invariant_scans(task: Task, scans: Scans) -> list[Convention]:
    """Conventions of the other measures that hold for a whole run."""
    room = _room(task, scans)
    coarse = scans.noise > COARSE
    starts = list(_guesses(task, scans) if coarse else _starts(task, scans))
    found = [match for start in starts for match in _runs(task, scans, start, room)]
    if not found and task.weighted and not coarse:
        for method in dict.fromkeys(task.weights(scans.step, scans.noise)):
            starts = list(_starts(task, scans, (method,)))
            found.extend(match for start in starts for match in _runs(task, scans, start, room))
    return found


def _starts(task: Task, scans: Scans, weighted: Sequence[str] = ()) -> Iterator[_Start]:
    """Measures, scales and parameters that the step behind a scan suggests, with the rules to try."""
    sizes = np.abs(scans.step.inputs).max(axis=1)
    one_sample = bool((sizes[1:] <= (READ + 1e3 * scans.noise) * sizes[0]).all())
    for cell in weighted or dict.fromkeys(map(family, task.methods)):
        rules = weighted or tuple(m for m in task.methods if family(m) == cell and (m == cell) == one_sample)
        if not rules:
            continue
        pair = undo(scans.step.M, scans.step.total, cell)
        if pair is None:
            continue
        for measure in task.invariant_measures:
            for fit in fits(*pair, measure, task.case, task.oracle, SUGGESTS, unit_scale=False):
                if len(task.measures) > 1 and special(measure, fit.parameters, SUGGESTS / 10):
                    continue
                yield _Start(measure, fit.scale, fit.parameters, tuple(rules))


def _guesses(task: Task, scans: Scans) -> Iterator[_Start]:
    """The same where the arithmetic is too coarse to read a step backwards: the best of many windows."""
    signal, wanted = irregular(COARSE_LENGTH, 3), scans.sparse(COARSE_LENGTH)
    got = scans.states(signal, wanted)
    rule = "bilinear" if task.weighted else task.methods[0]
    for measure in task.invariant_measures:
        if len(task.measures) > 1 and measure in ("gegenbauer", "jacobi"):
            continue  # their exponents do not show in 16 bits
        starts = []
        for parameters in USUAL.get(measure, ((),)):
            A, B = exact_pair(measure, parameters, task.case.order, task.case, task.oracle)
            for scale in SCALES:
                seen = projected(got, run(scale * A, scale * B, rule, signal)[wanted], 0.0)
                if seen is not None:
                    starts.append((seen[0], float(scale), parameters))
        best = {parameters: (left, scale) for left, scale, parameters in sorted(starts, reverse=True)}
        for parameters in sorted(best, key=lambda parameters: best[parameters])[:PROMISING]:
            yield _Start(measure, best[parameters][1], parameters, tuple(task.methods))


def _runs(task: Task, scans: Scans, start: _Start, room: float) -> Iterator[Convention]:
    """Conventions of one measure that hold for a whole run, from the first sample on."""
    length = int(min(max(2 / start.scale, LEGS_LENGTH), COARSE_LENGTH))
    signal, wanted = irregular(length, 3), scans.sparse(length)
    got = scans.states(signal, wanted)
    names = [name for name, _ in start.parameters]
    for method in start.rules:

        def whole(numbers: Array, samples: Array, method: str = method) -> Array | None:
            scale, parameters = float(np.exp(numbers[0])), tuple(zip(names, numbers[1:].tolist(), strict=True))
            try:
                A, B = exact_pair(start.measure, parameters, task.case.order, task.case, task.oracle)
            except ValueError:
                return None  # a parameter outside its domain
            return run(scale * A, scale * B, method, samples)

        def states(numbers: Array, whole: Any = whole) -> Array | None:
            exact = whole(numbers, signal)
            return None if exact is None else exact[wanted]

        def compare(numbers: Array, states: Any = states) -> tuple[float, str, Array] | None:
            exact = states(numbers)
            return None if exact is None else projected(got, exact, room)

        measured = np.array([math.log(start.scale), *(value for _, value in start.parameters)])
        polished = polish(got, states, measured)
        best = compare(polished)
        if best is None or best[0] > max(50 * room, 0.02):
            continue
        off = max(best[0] / 10, 1e-13)
        asked = task.case.float_parameters if task.case.measure == start.measure else {}
        parameters = tuple(
            (name, meant(float(value), off, asked.get(name))) for name, value in zip(names, polished[1:], strict=True)
        )
        made = task.invariant(start.measure, math.exp(polished[0]), parameters, off)
        if made is None:
            continue
        meant_numbers = np.array([math.log(_scale_of(made)), *(value for _, value in parameters)])
        seen = compare(meant_numbers)
        if seen is None:
            continue
        left, formula, T = seen
        if scans.noise <= COARSE:  # what is small beside other samples shows after a lone one
            left = max(left, _left_of_response(scans, T, partial(whole, meant_numbers)))
        if left <= room:
            yield replace(
                made, scaling=tuple(T.tolist()), formula=formula, shift=scans.shift, residual=left, method=method
            )


def _left_of_response(scans: Scans, T: Array, states: Callable[[Array], Array | None]) -> float:
    """Largest relative difference between the answer to a lone sample and exact states under a diagonal."""
    offsets, got = scans.response
    kept = offsets < COARSE_LENGTH  # rounding adds up along a longer one
    offsets, got, at = offsets[kept], got[kept], IMPULSES[0]
    samples = np.zeros(at + int(offsets[-1]) + 1)
    samples[at] = 1.0
    exact = states(samples)
    if exact is None:
        return math.inf
    due = exact[at + offsets]
    return float((np.abs(got / T - due) / np.abs(due).max(axis=0)).max())


def _confirmed(task: Task, match: Convention, scans: Scans, order: int) -> bool:
    """Whether a convention holds at another order as well."""
    if scans.shift != match.shift:
        return False
    length = LEGS_LENGTH
    wanted = scans.sparse(length)
    got = scans.states(irregular(length, 3), wanted)
    if match.measure == "legs":
        exact = legs_states(task.oracle, order, match.method)[wanted]
    else:
        scale = _scale_of(match)
        A, B = exact_pair(match.measure, match.parameters, order, task.case, task.oracle)
        exact = run(scale * A, scale * B, match.method, irregular(length, 3))[wanted]
    seen = projected(got, exact, _room(task, scans))
    return seen is not None and seen[0] <= 4 * _room(task, scans) and seen[1] == match.formula


def _scale_of(match: Convention) -> float:
    """The step in windows, or in units of time where there is no window."""
    if match.theta_over_dt is not None:
        return 1 / match.theta_over_dt
    return match.dt if match.dt is not None else 1.0


@lru_cache(maxsize=512)
def legs_states(oracle: Oracle, order: int, method: str) -> Array:
    """States of a right LegS scan of the irregular signal."""
    model = right_model(Case("legs", "legs", order, method, "scan"), oracle)
    return model.scan(irregular(LEGS_LENGTH, 3), order)
