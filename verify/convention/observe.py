"""What a target shows of itself: matrices, steps from unit states, responses of a scan. No measure is assumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from verify.case import Case
from verify.convention.precision import irregular, nonlinear
from verify.convention.rules import REACH, Discrete
from verify.result import Result, Target

Array = np.ndarray[Any, np.dtype[Any]]

LARGEST_SHIFT = 3
"""Most samples by which states may come late."""
IMPULSES = (4, 9)
"""Places of a unit sample, past the start of every rule; a law that answers both alike is invariant."""
ALIKE = 0.2
"""Relative difference of two responses below which they are one: under the scale law they differ by half and more."""
LONGEST = {True: 1024, False: 4096}
"""Samples in the longest run, for a scan that gives the last state only, and for one that gives all."""
FADED = 0.3
"""Share of its largest size to which a response falls before it has shown its window."""
GROWN = 100.0
"""Growth of a response after which no more of it is looked at."""
INDICES = (2, 3, 7, 20)
"""Samples at which a step is read: a clock shows in their differences."""


class UnreadableError(Exception):
    """Nothing can be read off a target; says why."""


def read_matrices(target: Target, case: Case) -> tuple[Array, Array]:
    """(A, B) at the order of a case.

    Raises:
        UnreadableError: they have another shape, or are not finite.
        TargetError: there is no answer.
    """
    result = target.call(replace(case, level="matrices"), case.order)
    _refuse(result)
    A, B = (np.asarray(result.arrays[name], dtype=float) for name in ("A", "B"))
    if A.shape != (case.order, case.order) or B.shape != (case.order,):
        raise UnreadableError(f"at order {case.order} it returned A of shape {A.shape} and B of shape {B.shape}")
    if not (np.isfinite(A).all() and np.isfinite(B).all()):
        raise UnreadableError(f"the matrices of order {case.order} are not finite")
    return A, B


def _refuse(result: Result) -> None:
    if result.malformed:
        raise UnreadableError(result.malformed)


class Steps:
    """A step function, read by unit states and a unit sample; it is linear in both.

    Args:
        target: offers ``step``.
        case: gives order and dtype.
    """

    def __init__(self, target: Target, case: Case) -> None:
        self._target, self._case = target, replace(case, level="step")
        self.dtype = ""

    def _ask(self, state: Array, sample: float, k: int) -> Array:
        result = self._target.call(self._case, np.asarray(state, dtype=self._case.dtype), float(sample), k)
        _refuse(result)
        if result.value.shape != (self._case.order,):
            raise UnreadableError(f"a step of order {self._case.order} returned shape {result.value.shape}")
        if not np.isfinite(result.value).all():
            raise UnreadableError("a step from a unit state is not finite")
        self.dtype = result.dtype
        return np.asarray(result.value, dtype=float)

    @cached_property
    def read(self) -> dict[int, Discrete]:
        """The step at each of `INDICES`."""
        order, found = self._case.order, {}
        for k in INDICES:
            columns = [self._ask(unit, 0.0, k) for unit in np.eye(order)]
            found[k] = Discrete(np.stack(columns, axis=1), self._ask(np.zeros(order), 1.0, k)[None])
        return found

    @property
    def invariant(self) -> bool:
        """Whether it is the same at every index; under the scale law ``M - 1`` falls as 1/k."""
        steps = list(self.read.values())
        unit = np.eye(self._case.order)
        change = max(np.abs(step.M - steps[-1].M).max() for step in steps)
        return bool(change <= ALIKE * np.abs(steps[-1].M - unit).max())

    @cached_property
    def noise(self) -> float:
        """What the rounding inside adds to a step, relative to its answer."""
        order, answers = self._case.order, []
        for weights in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
            rows = []
            for seed in range(4):
                first, second = irregular(order + 1, 2 * seed), irregular(order + 1, 2 * seed + 1)
                first, second = (part.astype(self._case.dtype) for part in (first, second))
                state = weights[0] * first + weights[1] * second
                rows.append(self._ask(state[:-1], float(state[-1]), INDICES[-1]))
            answers.append(np.stack(rows))
        return _linear(nonlinear(*answers))


class Scans:
    """A scan, asked for all states or for the last one, whichever it gives; its states may come late.

    Args:
        target: offers ``scan``.
        case: gives order and dtype.

    Raises:
        UnreadableError: its states have another shape, do not answer a unit sample, or answer it too early or too late.
        TargetError: there is no answer.
    """

    def __init__(self, target: Target, case: Case) -> None:
        self._target, self._case = target, replace(case, level="scan")
        self.shift, self.last_only = 0, False
        at, length = IMPULSES[0], 2 * (LARGEST_SHIFT + IMPULSES[0])
        first = self._call(_impulse(at, length))
        self.last_only = first.ndim == 1
        rows = self.states(_impulse(at, length), range(at + LARGEST_SHIFT + 1))
        seen = np.abs(rows).max(axis=1) > 1e-12 * np.abs(rows).max()
        if not seen.any():
            raise UnreadableError(f"a unit sample changes no state within {LARGEST_SHIFT} samples")
        self.shift = int(np.argmax(seen)) - at
        if self.shift < 0:
            raise UnreadableError("states change before the first sample that is not zero is read")
        self._first = rows

    def check_again(self) -> None:
        """The first question once more.

        Raises:
            UnreadableError: the answer is another one.
        """
        at, shift = IMPULSES[0], self.shift
        again = self.states(_impulse(at, 2 * (LARGEST_SHIFT + at)), range(at + 1))
        first = self._first[shift:][: len(again)]
        if np.abs(again[: len(first)] - first).max() > CHANGED * np.abs(self._first).max():
            raise UnreadableError("the same samples are answered otherwise once another order has been asked for")

    def _call(self, samples: Array) -> Array:
        result = self._target.call(self._case, samples.astype(self._case.dtype), self._case.order)
        _refuse(result)
        value, order = np.asarray(result.value, dtype=float), self._case.order
        if value.ndim not in (1, 2) or value.shape[-1] != order:
            raise UnreadableError(f"a scan of {len(samples)} samples at order {order} returned shape {value.shape}")
        if not np.isfinite(value).all():
            raise UnreadableError(f"the states of {len(samples)} samples are not finite")
        return value

    def states(self, samples: Array, wanted: Sequence[int] | range) -> Array:
        """(W, N) states after the samples of these indices have been read."""
        last = max(wanted)
        asked = np.zeros(last + 1 + max(self.shift, LARGEST_SHIFT))
        count = min(len(samples), len(asked))
        asked[:count] = samples[:count]
        rows = [i + self.shift for i in wanted]
        if self.last_only:
            return np.stack([self._call(asked[: row + 1]) for row in rows])
        value = self._call(asked)
        if value.ndim != 2 or len(value) <= max(rows):
            raise UnreadableError(f"a scan of {len(asked)} samples returned {len(np.atleast_2d(value))} states")
        return value[rows]

    @cached_property
    def invariant(self) -> bool:
        """Whether a unit sample is answered alike wherever it stands."""
        early, late = (self.states(_impulse(at, at + 4), range(at, at + 4)) for at in IMPULSES)
        return bool(np.abs(late - early).max() <= ALIKE * np.abs(early).max())

    @cached_property
    def response(self) -> tuple[Array, Array]:
        """Samples since a unit sample, (R,), and the states then, (R, N), until its window has passed."""
        at, longest = IMPULSES[0], LONGEST[self.last_only]
        length = 64
        while True:
            if self.last_only:
                ends = np.unique(np.geomspace(4, length - 2, 24).astype(int))
                offsets = np.unique(np.r_[0:8, ends, ends + 1])
            else:
                offsets = np.arange(length)
            states = self.states(_impulse(at, at + length), [at + int(i) for i in offsets])
            sizes = np.abs(states).max(axis=1)
            grown = sizes > GROWN * sizes[: 2 * REACH].max()
            if grown.any():  # a rule that is not stable at this step: what grows would drown the rest
                count = max(int(np.argmax(grown)), 2 * len(states[0]))
                return offsets[:count], states[:count]
            late = np.abs(states[offsets >= 3 * length // 4]).max(axis=0)
            if (late <= FADED * np.abs(states).max(axis=0)).all() or 2 * length > longest:
                return offsets, states
            length *= 2

    @cached_property
    def step(self) -> Discrete:
        """The step of an invariant law, from the response to a unit sample."""
        offsets, states = self.response
        pairs = [i for i in range(len(offsets) - 1) if offsets[i] >= REACH and offsets[i + 1] == offsets[i] + 1]
        return _step_from(states[pairs], states[[i + 1 for i in pairs]], states[: REACH + 1])

    def step_at(self, k: int) -> Discrete:
        """The step that reads sample k, from what is left of earlier unit samples."""
        order = self._case.order
        places = np.unique(np.linspace(IMPULSES[0], k - REACH - 1, 2 * order).astype(int))
        before, after = [], []
        for at in places:
            rows = self.states(_impulse(int(at), k + 1), [k - 1, k])
            before.append(rows[0])
            after.append(rows[1])
        start = self.states(_impulse(k, k + 1), [k])
        return _step_from(np.stack(before), np.stack(after), start)

    @cached_property
    def noise(self) -> float:
        """What the rounding inside adds to states, relative to the largest of each coefficient."""
        first, second = (irregular(SIGNAL, seed).astype(self._case.dtype) for seed in (0, 1))
        wanted = self.sparse(SIGNAL)
        return _linear(nonlinear(*(self.states(s, wanted) for s in (first, second, first + second))))

    def sparse(self, length: int) -> list[int]:
        """Indices of states worth asking for: all, or some where each costs a run."""
        if not self.last_only:
            return list(range(length))
        return sorted({0, 1, 2, 3, 5, 8, *(int(i) for i in np.linspace(8, length - 1, 12))})


SIGNAL = 48
"""Samples of the irregular signals."""
CHANGED = 1e-3
"""Relative difference of two answers to the same question that no chance explains."""
NONLINEAR = 0.25
"""Departure from linearity that no rounding explains."""


def _linear(noise: float) -> float:
    if not noise <= NONLINEAR:
        raise UnreadableError(f"it is not linear: f(x + y) differs from f(x) + f(y) by {noise:.2g} of their size")
    return noise


def _impulse(at: int, length: int) -> Array:
    samples = np.zeros(max(length, at + 1))
    samples[at] = 1.0
    return samples


def _step_from(before: Array, after: Array, start: Array) -> Discrete:
    """M from states and what a step without input makes of them, then what the samples add."""
    size = np.abs(before).max(axis=0)
    size = np.where(size == 0, 1.0, size)
    # Rounding is a share of each state, so each counts alike, however much a response has grown or faded.
    each = np.abs(before / size).max(axis=1, keepdims=True)
    weight = size * np.where(each == 0, 1.0, each)
    M = np.linalg.lstsq(before / weight, after / weight, rcond=None)[0].T * size[:, None] / size[None, :]
    inputs = [start[0], *(start[i] - M @ start[i - 1] for i in range(1, len(start)))]
    return Discrete(M, np.stack(inputs))
