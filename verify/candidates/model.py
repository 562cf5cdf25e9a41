"""A plain dense implementation of every level."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from verify.bounds import gbt_weight, hold_degree
from verify.candidates.bases import Factors, basis, decompose, low_rank, whole
from verify.candidates.pieces import cardinals, exponential, last_cell, line, responses
from verify.case import Case
from verify.oracle import Oracle

Array = np.ndarray[Any, np.dtype[Any]]
System = tuple[Array, Array]


def _solve(M: Array, y: Array) -> Array:
    """Dense solve; NaN where a wrong operator has made the matrix singular."""
    try:
        return np.linalg.solve(M, y)
    except np.linalg.LinAlgError:
        return np.full_like(y, np.nan)


@dataclass(frozen=True)
class Model:
    """A dense implementation of every level for one case.

    Attributes:
        case: gives measure, rule, dt and dtype.
        system: order -> (A, B), exact values rounded once.
        method: rule really used.
        clock: sample index -> the k in h = 1/k (scale law).
        step_size: factor on dt (invariant laws).
        read: (samples, k) -> sample used in step k.
        start: whether state 0 is what the rule says (LegS: the first sample; nodes under an invariant law: zero), or
            the outcome of a step from zero like any other.
        solve: how ``M x = y`` is solved.
        apply: how ``M x`` is formed.
        finish: what happens to the answer of step, scan and gradient.
        points: what happens to the points of a reconstruction.
        inner: dtype of the arithmetic.
        times: times of the samples under the scale law (zoh: ends of the cells), where they are given.
        stream: (streams (S, L), i) -> the stream that is scanned for entry i of a batch.
        decompose: (A, B, P) -> the factors, P the low-rank part of A.
        present: (Lambda, P, B, V) of all modes -> what is handed over of them, by name.
    """

    case: Case
    system: Callable[[int], System]
    method: str
    clock: Callable[[int], float] = float
    step_size: float = 1.0
    read: Callable[[Array, int], Any] = lambda samples, k: samples[k]
    start: bool = True
    solve: Callable[[Array, Array], Array] = _solve
    apply: Callable[[Array, Array], Array] = np.matmul
    finish: Callable[[Array], Array] = lambda values: values
    points: Callable[[Array], Array] = lambda points: points
    coefficients: Callable[[Array], Array] = lambda coefficients: coefficients
    columns: Callable[[Array], Array] = lambda jacobian: jacobian
    inner: str = ""
    times: tuple[float, ...] | None = None
    stream: Callable[[Array, int], Array] = lambda streams, i: streams[i]
    decompose: Callable[[Array, Array, Array], Factors] = decompose
    present: Callable[[Factors], Any] = whole

    @property
    def dtype(self) -> Any:
        """Arithmetic of the model."""
        return np.dtype(self.inner or self.case.dtype).type

    @property
    def scale_law(self) -> bool:
        """Whether the clock divides the operator."""
        return self.case.measure == "legs"

    @property
    def reach(self) -> int:
        """How many samples before its own a step reads, where there are so many."""
        return 1 if self.method == "trapezoid" else hold_degree(self.method) or 0

    def matrices(self, order: int) -> System:
        """(A, B)."""
        A, B = self.system(order)
        return A.astype(self.dtype), B.astype(self.dtype)

    def step(self, state: Array, sample: float, k: int) -> Array:
        """One step."""
        with np.errstate(all="ignore"):  # a wrong model may well overflow
            return self.finish(self._step(np.asarray(state, self.dtype), self.dtype(sample), k))

    def scan(self, samples: Array, order: int) -> Array:
        """All states."""
        with np.errstate(all="ignore"):
            return self.finish(self._scan(np.asarray(samples, self.dtype), order))

    def timed_scan(self, samples: Array, timestamps: Array, order: int) -> Array:
        """All states, each sample at its own time."""
        return replace(self, times=tuple(np.asarray(timestamps, float).tolist())).scan(samples, order)

    def batch_scan(self, samples: Array, order: int) -> Array:
        """All states of each stream."""
        streams = np.asarray(samples, self.dtype)
        return np.stack([self.scan(self.stream(streams, i), order) for i in range(len(streams))])

    def resume(self, state: Array, samples: Array, k: int) -> Array:
        """States after each further sample; the first of them is sample number k."""
        state, states = np.asarray(state, self.dtype), []
        with np.errstate(all="ignore"):
            for i, sample in enumerate(np.asarray(samples, self.dtype)):
                state = self._step(state, sample, k + i)
                states.append(state)
            return self.finish(np.stack(states))

    def _scan(self, samples: Array, order: int) -> Array:
        state = np.zeros(order, self.dtype)
        states = np.empty((len(samples), order), self.dtype)
        for k in range(len(samples)):
            earlier = samples[max(k - self.reach, 0) : k][::-1]
            state = self._step(state, self.dtype(self.read(samples, k)), k, *earlier)
            states[k] = state
        return states

    def gradient(self, samples: Array, order: int) -> Array:
        """D last state / d samples: what each step takes from the samples it reads, carried to the end, in O(L)."""
        length, none, zero = len(samples), self.dtype(0), np.zeros(order, self.dtype)
        impulses, units = np.eye(length, dtype=self.dtype), np.eye(order, dtype=self.dtype)
        carried, columns = units, np.zeros((order, length), self.dtype)
        with np.errstate(all="ignore"):
            for k in reversed(range(length)):
                earlier = impulses[max(k - self.reach, 0) : k][::-1]
                reads = np.stack([self.read(impulses, k), *earlier])
                silence = [none] * len(earlier)
                drives = [
                    self._step(zero, values[0], k, *values[1:]) for values in np.eye(len(reads), dtype=self.dtype)
                ]
                columns = columns + carried @ np.stack(drives, axis=1) @ reads
                carried = carried @ np.stack([self._step(unit, none, k, *silence) for unit in units], axis=1)
        return self.columns(self.finish(columns.astype(self.dtype)))

    def factors(self, order: int) -> Any:
        """``(Lambda, P, B, V)`` from the eigenvectors of the normal part, which a low-rank term makes of A."""
        A, B = self.matrices(order)
        with np.errstate(all="ignore"):
            return self.present(self.decompose(A, B, low_rank(self.case.measure, A, B)))

    def reconstruct(self, state: Array, points: Array) -> Array:
        """Values at fractions of the window."""
        coefficients = self.coefficients(np.asarray(state, self.dtype))
        where = self.points(np.asarray(points, self.dtype))
        return basis(self.case.measure, self.case.float_parameters, len(coefficients), where) @ coefficients

    def _step(self, state: Array, sample: Any, k: int, *earlier: Any) -> Array:
        """One step; ``earlier`` are the samples before, newest first, as many as the rule reads and there are."""
        order = len(state)
        if k == 0 and self.start and (self.scale_law or self.reach):
            return line(sample if self.scale_law else 0.0, 0.0, 0.0, order, self.dtype)
        A, B = self.matrices(order)
        values = [sample, *earlier] if earlier else [sample, *[self.dtype(0)] * min(self.reach, 1)]
        held = hold_degree(self.method) is not None
        if self.scale_law and (held or (self.reach and self._cell(k)[0] == 0)):
            return self._held(A, state, values, k)
        if held:
            return self._response(A, B, state, values)
        weight = gbt_weight(self.method)
        if weight is None:
            return self._trapezoid(A, B, state, values, k)
        a = self.dtype(weight)
        if self.scale_law:
            then, now = self._cell(k)
            h = self.dtype((now - then) / now)
        else:
            h = self.dtype(self._dt)
        unit = np.eye(order, dtype=self.dtype)
        right = self.apply(unit + (1 - a) * h * A, state) + h * B * sample
        return self.solve(unit - a * h * A, right) if a else right

    @property
    def _dt(self) -> float:
        return (self.case.dt or 0) * self.step_size

    def _cell(self, k: int) -> tuple[float, float]:
        """Times under the scale law at which the step of sample k begins and ends."""
        if self.times is not None:
            return (self.times[k - 1] if k else 0.0), self.times[k]
        now = max(self.clock(k), 1.0) + (hold_degree(self.method) == 0)
        return now - 1.0, now

    def _trapezoid(self, A: Array, B: Array, state: Array, values: Sequence[Any], k: int) -> Array:
        if self.scale_law:
            then, now = self._cell(k)
            d = self.dtype(now - then)
        else:
            then, now, d = 1.0, 1.0, self.dtype(self._dt)
        unit = np.eye(len(B), dtype=self.dtype)
        sample, before = values
        right = self.apply(unit + d * A / (2 * then), state) + d * B / 2 * (before / then + sample / now)
        return self.solve(unit - d * A / (2 * now), right)

    def _held(self, A: Array, state: Array, values: Sequence[Any], k: int) -> Array:
        """``c' = p' + (t'/t)^A (c - p)`` for the projections p, p' of the held piece, continued to all of the past.

        Beyond lines the continued piece grows far beyond the samples; there the last cell alone is projected.
        """
        order, (then, now) = len(state), self._cell(k)
        if len(values) == 1:
            held = line(values[0], 0.0, 1.0, order, self.dtype)
            if then == 0:
                return held
            return held + self.apply(exponential(A, math.log1p((now - then) / then)), state - held)
        if len(values) > 2:
            nodes = [now - i if self.times is None else self.times[k - i] for i in range(len(values))]
            new = last_cell(then, now, nodes, order).astype(self.dtype) @ np.array(values)
            return new + self.apply(exponential(A, math.log(now / then)), state)
        sample, before = values
        slope = (sample - before) / (now - then)
        new, old = (line(before - slope * then, slope, time, order, self.dtype) for time in (now, then))
        return new if then == 0 else new + self.apply(exponential(A, math.log(now / then)), state - old)

    def _response(self, A: Array, B: Array, state: Array, values: Sequence[Any]) -> Array:
        """The state after an invariant law was driven by the polynomial through the samples."""
        degree = len(values) - 1
        transition, answers = responses(A, B, self._dt, degree)
        columns = answers @ cardinals([1.0 - i for i in range(degree + 1)]).astype(self.dtype).T
        return self.apply(transition, state) + columns.astype(self.dtype) @ np.array(values)


def right_model(case: Case, oracle: Oracle) -> Model:
    """The right implementation of a case."""

    @cache
    def system(order: int) -> System:
        A, B = oracle.system(replace(case, order=order))
        return A.high, B.high

    return Model(case, system, case.method)
