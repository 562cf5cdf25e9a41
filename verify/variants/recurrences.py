"""Scans, steps and Jacobians organised in other ways: transitions formed beforehand, chunks, prefixes, adjoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used: a worker starts without them

from verify.bounds import GBT
from verify.candidates import Model
from verify.case import Case
from verify.variants.base import Served, Variant, at

Array = np.ndarray[Any, np.dtype[Any]]
STRIDE = 2.0**20
"""Of differences: a power of two, so that nothing is lost in it."""


def _affine(model: Model, order: int, k: int) -> tuple[Array, Array]:
    """Transition and input column of step k, read off unit states: linear, so nothing is lost."""
    unit, zero = np.eye(order, dtype=model.dtype), model.dtype(0)
    G = np.stack([model._step(column, zero, k) for column in unit], axis=1)
    return G, model._step(np.zeros(order, model.dtype), model.dtype(1), k)


class _Transitions(Served):
    """``c' = G c + g u`` with G and g formed beforehand."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self._model = model

    def scan(self, samples: Array, order: int) -> Array:
        model, state, states = self._model, np.zeros(order, self._model.dtype), []
        fixed = None if model.scale_law else _affine(model, order, 1)
        with np.errstate(all="ignore"):
            for k, sample in enumerate(np.asarray(samples, model.dtype)):
                G, g = fixed or _affine(model, order, k)
                state = G @ state + g * sample
                states.append(state)
        return np.stack(states)


class _Prefixes(_Transitions):
    """All states by doubling: pairs (G, c) composed in log2 L rounds."""

    def scan(self, samples: Array, order: int) -> Array:
        model, values = self._model, np.asarray(samples, self._model.dtype)
        pairs = [_affine(model, order, k if model.scale_law else 1) for k in range(len(values))]
        G = np.stack([pair[0] for pair in pairs])
        c = np.stack([pair[1] * u for pair, u in zip(pairs, values, strict=True)])
        reach = 1
        with np.errstate(all="ignore"):
            while reach < len(values):
                later = c[reach:] + np.einsum("kij,kj->ki", G[reach:], c[:-reach])
                G[reach:], c[reach:] = G[reach:] @ G[:-reach], later
                reach *= 2
        return c


class _Chunks(_Transitions):
    """Four samples at a time: ``c' = G^4 c + K u`` (invariant laws)."""

    def scan(self, samples: Array, order: int) -> Array:
        model, values = self._model, np.asarray(samples, self._model.dtype)
        G, g = _affine(model, order, 1)
        powers = [np.eye(order, dtype=model.dtype)]
        for _ in range(4):
            powers.append(G @ powers[-1])
        state = np.zeros(order, model.dtype)
        states: list[Array] = []
        for start in range(0, len(values), 4):
            chunk = values[start : start + 4]
            states.extend(
                powers[i + 1] @ state + sum(powers[i - j] @ g * chunk[j] for j in range(i + 1))
                for i in range(len(chunk))
            )
            state = states[-1]
        return np.stack(states)


class _Kernel(_Transitions):
    """States as a product of one lower triangular array of responses with the samples (invariant laws)."""

    def scan(self, samples: Array, order: int) -> Array:
        model, values = self._model, np.asarray(samples, self._model.dtype)
        G, g = _affine(model, order, 1)
        responses = [g]
        for _ in range(len(values) - 1):
            responses.append(G @ responses[-1])
        kernel = np.stack(responses)
        return np.stack([kernel[: k + 1][::-1].T @ values[: k + 1] for k in range(len(values))])


class _Increments(_Transitions):
    """``c' = c + h M^-1 (A c + B u)``: the change is solved for, not the state."""

    def scan(self, samples: Array, order: int) -> Array:
        model = self._model
        A, B = model.matrices(order)
        a, unit = model.dtype(GBT[model.case.method]), np.eye(order, dtype=model.dtype)
        state, states = np.zeros(order, model.dtype), []
        with np.errstate(all="ignore"):
            for k, sample in enumerate(np.asarray(samples, model.dtype)):
                if model.scale_law and k == 0:
                    state = unit[0] * sample
                else:
                    h = model.dtype(1 / k if model.scale_law else model.case.dt or 0)
                    state = state + np.linalg.solve(unit - a * h * A, h * (A @ state + B * sample))
                states.append(state)
        return np.stack(states)


class _CumulativeSums(_Transitions):
    """LegS in O(N): ``x = c / s_n``, whose products with A are prefix sums (the published fast update)."""

    def scan(self, samples: Array, order: int) -> Array:
        model = self._model
        n = np.arange(order)
        s, w = np.sqrt(2.0 * n + 1).astype(model.dtype), (2 * n + 1).astype(model.dtype)
        a = model.dtype(GBT[model.case.method])
        x, states = np.zeros(order, model.dtype), []
        with np.errstate(all="ignore"):
            for k, sample in enumerate(np.asarray(samples, model.dtype)):
                if k == 0:
                    x = np.where(n == 0, sample, 0).astype(model.dtype)
                else:
                    h = model.dtype(1 / k)
                    before = np.concatenate([np.zeros(1, model.dtype), np.cumsum(w * x)[:-1]])
                    right = x - (1 - a) * h * ((n + 1) * x + before) + h * sample
                    x, total = np.zeros(order, model.dtype), model.dtype(0)
                    for i in range(order):
                        x[i] = (right[i] - a * h * total) / (1 + a * h * (i + 1))
                        total = total + w[i] * x[i]
                states.append(x * s)
        return np.stack(states)


class _Adjoint(_Transitions):
    """Reverse mode: rows of the transition to the end, times the input column of each step."""

    def gradient(self, samples: Array, order: int) -> Array:
        model = self._model
        length = len(samples)
        rows, columns = np.eye(order, dtype=model.dtype), []
        for k in range(length - 1, -1, -1):
            G, g = _affine(model, order, k if model.scale_law else 1)
            columns.append(rows @ g)
            rows = rows @ G
        return np.stack(columns[::-1], axis=1)


class _Differences(_Transitions):
    """Differences at a point that is not zero, by a step so large that the point does not count."""

    def gradient(self, samples: Array, order: int) -> Array:
        base = np.sign(np.asarray(samples, self._model.dtype)) + 1
        with np.errstate(all="ignore"):
            start = self._model._scan(base, order)[-1]
            impulses = np.eye(len(base), dtype=base.dtype) * base.dtype.type(STRIDE)
            columns = [self._model._scan(base + impulse, order)[-1] - start for impulse in impulses]
        return np.stack(columns, axis=1) / base.dtype.type(STRIDE)


class _Stepwise(_Transitions):
    """A scan as a fold of single steps."""

    def scan(self, samples: Array, order: int) -> Array:
        model, state, states = self._model, np.zeros(order, self._model.dtype), []
        for k, sample in enumerate(np.asarray(samples, model.dtype)):
            state = model.step(state, float(sample), k)
            states.append(state)
        return np.stack(states)


class _Halves(_Transitions):
    """A scan in two runs, the second resumed from the first."""

    def scan(self, samples: Array, order: int) -> Array:
        model, values = self._model, np.asarray(samples, self._model.dtype)
        cut = (len(values) + 1) // 2
        first = model.scan(values[:cut], order)
        if cut == len(values):
            return first
        return np.concatenate([first, model.resume(first[-1], values[cut:], cut)])

    def resume(self, state: Array, samples: Array, k: int) -> Array:
        model, values = self._model, np.asarray(samples, self._model.dtype)
        cut = (len(values) + 1) // 2
        first = model.resume(state, values[:cut], k)
        rest = [] if cut == len(values) else [model.resume(first[-1], values[cut:], k + cut)]
        return np.concatenate([first, *rest])


class _Together(_Transitions):
    """All streams of a batch in one matrix."""

    def batch_scan(self, samples: Array, order: int) -> Array:
        model, streams = self._model, np.asarray(samples, self._model.dtype)
        state, states = np.zeros((order, len(streams)), model.dtype), []
        fixed = None if model.scale_law else _affine(model, order, 1)
        with np.errstate(all="ignore"):
            for k in range(streams.shape[1]):
                G, g = fixed or _affine(model, order, k)
                state = G @ state + np.outer(g, streams[:, k])
                states.append(state.T)
        return np.stack(states, axis=1)


class _Ratios(_Transitions):
    """Uneven times by their ratios: ``h = 1 - t / t'``."""

    def timed_scan(self, samples: Array, timestamps: Array, order: int) -> Array:
        model = self._model
        A, B = model.matrices(order)
        a, unit, times = model.dtype(GBT[model.case.method]), np.eye(order, dtype=model.dtype), timestamps.tolist()
        state, states = np.zeros(order, model.dtype), []
        with np.errstate(all="ignore"):
            for k, sample in enumerate(np.asarray(samples, model.dtype)):
                if k == 0:
                    state = unit[0] * sample
                else:
                    h = model.dtype(1 - times[k - 1] / times[k])
                    state = np.linalg.solve(unit - a * h * A, state + (1 - a) * h * (A @ state) + h * B * sample)
                states.append(state)
        return np.stack(states)


class _Squarings(_Transitions):
    """Invariant zoh from the exponential of an eighth of a step, squared three times."""

    def scan(self, samples: Array, order: int) -> Array:
        model = self._model
        A, B = model.matrices(order)
        block = np.zeros((order + 1, order + 1), model.dtype)
        block[:order, :order], block[:order, order] = A, B
        whole = scipy.linalg.expm(block * model.dtype((model.case.dt or 0) / 8))
        for _ in range(3):
            whole = whole @ whole
        state, states = np.zeros(order, model.dtype), []
        with np.errstate(all="ignore"):
            for sample in np.asarray(samples, model.dtype):
                state = (whole[:order, :order] @ state + whole[:order, order] * sample).astype(model.dtype)
                states.append(state)
        return np.stack(states)


class _ByScipy(_Transitions):
    """Invariant laws discretised by scipy.signal."""

    def scan(self, samples: Array, order: int) -> Array:
        model = self._model
        A, B = model.system(order)
        rule = {"bilinear": "gbt", "backward_euler": "gbt", "zoh": "zoh"}[model.case.method]
        alpha = GBT.get(model.case.method)
        G, g, *_ = scipy.signal.cont2discrete(
            (A, B[:, None], np.eye(order), np.zeros((order, 1))), model.case.dt, rule, alpha=alpha
        )
        state, states = np.zeros(order), []
        with np.errstate(all="ignore"):
            for sample in np.asarray(samples, float):
                state = G @ state + g[:, 0] * sample
                states.append(state)
        return np.stack(states)


class _CentralDifferences(_Transitions):
    """Differences to either side."""

    def gradient(self, samples: Array, order: int) -> Array:
        impulses = np.eye(len(samples), dtype=self._model.dtype)
        with np.errstate(all="ignore"):
            columns = [(self._model._scan(i, order)[-1] - self._model._scan(-i, order)[-1]) / 2 for i in impulses]
        return np.stack(columns, axis=1)


class _Impulses(_Transitions):
    """Columns as the answers to unit impulses."""

    def gradient(self, samples: Array, order: int) -> Array:
        impulses = np.eye(len(samples), dtype=self._model.dtype)
        with np.errstate(all="ignore"):
            return np.stack([self._model._scan(impulse, order)[-1] for impulse in impulses], axis=1)


def _one_step(case: Case) -> bool:
    """Rules whose step is affine in state and sample alone."""
    return case.method in (*GBT, "zoh") or case.method.startswith("gbt")


def _scan(case: Case) -> bool:
    return case.level == "scan" and _one_step(case) and case.method != "euler"


def _invariant(case: Case) -> bool:
    return _scan(case) and case.measure != "legs"


def _named_gbt(case: Case) -> bool:
    return case.level == "scan" and case.method in ("bilinear", "backward_euler")


RECURRENCES = (
    Variant("stepwise", "a scan as a fold of single steps", _Stepwise, _scan),
    Variant(
        "halves",
        "a scan, or a resumed run, in two runs",
        _Halves,
        lambda case: case.level in ("scan", "resume") and _one_step(case) and case.method != "euler",
    ),
    Variant(
        "together",
        "all streams of a batch in one matrix",
        _Together,
        lambda case: case.level == "batch_scan" and _one_step(case) and case.method != "euler",
    ),
    Variant(
        "ratios",
        "uneven times by their ratios",
        _Ratios,
        lambda case: case.level == "timed_scan" and case.method in ("bilinear", "backward_euler"),
    ),
    Variant(
        "squarings",
        "zoh from the exponential of an eighth of a step",
        _Squarings,
        lambda case: _invariant(case) and case.method == "zoh",
    ),
    Variant(
        "cont2discrete",
        "invariant laws discretised by scipy.signal",
        _ByScipy,
        lambda case: _invariant(case) and case.method in ("bilinear", "backward_euler", "zoh"),
    ),
    Variant("central_differences", "Jacobians by differences to either side", _CentralDifferences, at("gradient")),
    Variant("impulses", "Jacobians as answers to unit impulses", _Impulses, at("gradient")),
    Variant("transitions", "transition matrices formed beforehand", _Transitions, _scan),
    Variant("prefixes", "all states by doubling, as a parallel scan", _Prefixes, _scan),
    Variant("chunks", "four samples at a time", _Chunks, _invariant),
    Variant("kernel", "states as a convolution with the responses", _Kernel, _invariant),
    Variant("increments", "the change of the state is solved for", _Increments, _named_gbt),
    Variant(
        "cumulative_sums",
        "LegS by prefix sums in O(N)",
        _CumulativeSums,
        lambda case: _named_gbt(case) and case.measure == "legs",
    ),
    Variant("adjoint", "Jacobians in reverse mode", _Adjoint, lambda c: c.level == "gradient" and _one_step(c)),
    Variant("differences", "Jacobians by differences at a point that is not zero", _Differences, at("gradient")),
    Variant(
        "streams_reversed",
        "a batch scanned stream by stream from the last to the first",
        lambda model: Served(
            replace(model, stream=lambda streams, i: streams[len(streams) - 1 - i]),
            lambda level, value: value[::-1] if level == "batch_scan" else value,
        ),
        at("batch_scan"),
    ),
)
