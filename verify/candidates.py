"""Plain dense implementations of every level, right by construction.

`Model` is what `verify.defects` alters to make wrong candidates; `LEGITIMATE` alters it in ways no check may reject.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.linalg

from verify.bounds import GBT
from verify.case import Case
from verify.oracle import Oracle

Array = np.ndarray[Any, np.dtype[Any]]
System = tuple[Array, Array]

WINDOWED = ("legt", "lmu", "fout")
NAMES = {"legs": "LegS", "legt": "LegT", "lmu": "LMU", "lagt": "LagT", "fout": "FouT", "legs_lti": "LegS (LTI)"}


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
        start: LegS start from the first sample (True) or from zero.
        solve: how ``M x = y`` is solved.
        apply: how ``M x`` is formed.
        finish: what happens to the answer of step, scan and gradient.
        points: what happens to the points of a reconstruction.
        inner: dtype of the arithmetic.
        times: times of the samples under the scale law (zoh: ends of the cells), where they are given.
        stream: (streams (S, L), i) -> the stream that is scanned for entry i of a batch.
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

    @property
    def dtype(self) -> Any:
        """Arithmetic of the model."""
        return np.dtype(self.inner or self.case.dtype).type

    @property
    def scale_law(self) -> bool:
        """Whether the clock divides the operator."""
        return self.case.measure == "legs"

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
            before = samples[k - 1] if k else self.dtype(0)
            state = self._step(state, self.dtype(self.read(samples, k)), k, before)
            states[k] = state
        return states

    def gradient(self, samples: Array, order: int) -> Array:
        """D last state / d samples, column by column from unit impulses."""
        length = len(samples)
        impulses = np.eye(length, dtype=self.dtype)
        with np.errstate(all="ignore"):
            columns = np.stack([self._scan(impulse, order)[-1] for impulse in impulses], axis=1)
        return self.columns(self.finish(columns))

    def factors(self, order: int) -> tuple[Array, Array, Array, Array]:
        """``(Lambda, P, B, V)`` from the eigenvectors of the normal part, which a low-rank term makes of A."""
        A, B = self.system(order)
        P = low_rank(self.case.measure, A, B)
        normal = A + P @ P.T
        # Skew-symmetric but for a multiple of the identity: -i times it is Hermitian, so its eigenvectors are unitary.
        shift = np.trace(normal) / order
        frequencies, V = np.linalg.eigh(-1j * (normal - shift * np.eye(order)))
        return shift + 1j * frequencies, V.conj().T @ P, V.conj().T @ B, V

    def reconstruct(self, state: Array, points: Array) -> Array:
        """Values at fractions of the window."""
        coefficients = self.coefficients(np.asarray(state, self.dtype))
        return self._basis(len(coefficients), self.points(np.asarray(points, self.dtype))) @ coefficients

    def _basis(self, order: int, points: Array) -> Array:
        n = np.arange(order)
        if self.case.measure == "fout":
            angle = 2 * np.pi * points[:, None] * ((n + 1) // 2)
            waves = np.where(n % 2 == 1, np.cos(angle), np.sin(angle)) * math.sqrt(2)
            waves[:, 0] = 1
            return waves.astype(self.dtype)
        values = np.polynomial.legendre.legvander(2 * points - 1, order - 1)
        if self.case.measure == "lmu":
            return (values * (-1.0) ** n).astype(self.dtype)
        return (values * np.sqrt(2.0 * n + 1)).astype(self.dtype)

    def _step(self, state: Array, sample: Any, k: int, before: Any = 0.0) -> Array:
        A, B = self.matrices(len(state))
        unit = np.eye(len(B), dtype=self.dtype)
        first = unit[0] * sample
        if self.scale_law and k == 0 and self.start:
            return first
        now, last = self._moments(k)
        if self.scale_law and last == 0 and self.method in ("trapezoid", "foh"):
            return self._line(before, (sample - before) / now, now, len(B))
        if self.method in ("zoh", "foh"):
            return self._hold(A, B, state, sample, k, before)
        if self.method == "trapezoid":
            d, last, now = self.dtype(now - last), self.dtype(last), self.dtype(now)
            right = self.apply(unit + d * A / (2 * last), state) + d * B / 2 * (before / last + sample / now)
            return self.solve(unit - d * A / (2 * now), right)
        a = self.dtype(GBT[self.method])
        if self.times is not None:
            h = self.dtype((now - last) / now)
        else:
            h = self.dtype(1 / max(self.clock(k), 1) if self.scale_law else (self.case.dt or 0) * self.step_size)
        right = self.apply(unit + (1 - a) * h * A, state) + h * B * sample
        return self.solve(unit - a * h * A, right) if a else right

    def _moments(self, k: int) -> tuple[float, float]:
        """Times of sample k and of the one before."""
        if self.times is not None:
            return self.times[k], self.times[k - 1] if k else 0.0
        return self.clock(k), self.clock(k - 1)

    def _line(self, value: Any, slope: Any, time: float, order: int) -> Array:
        """Projection of ``value + slope x`` on [0, time]."""
        out = np.zeros(order, self.dtype)
        out[0] = value + slope * time / 2
        if order > 1:
            out[1] = slope * time / (2 * math.sqrt(3))
        return out

    def _hold(self, A: Array, B: Array, state: Array, sample: Any, k: int, before: Any) -> Array:
        order = len(B)
        if not self.scale_law:
            block = np.zeros((order + 1, order + 1), self.dtype)
            block[:order, :order], block[:order, order] = A, B
            full = _exponential(block.tobytes(), str(A.dtype), order + 1, (self.case.dt or 0) * self.step_size)
            return self.apply(full[:order, :order], state) + full[:order, order] * sample
        now, last = self._moments(k)
        if self.method == "zoh":
            growth = (now - last) / last if self.times is not None else 1 / max(int(self.clock(k)), 1)
            G = _exponential(A.tobytes(), str(A.dtype), order, math.log1p(growth))
            held = self._line(sample, 0.0, 1.0, order)
            return held + self.apply(G, state - held)
        slope = (sample - before) / (now - last)
        old = self._line(before - slope * last, slope, last, order)
        new = self._line(before - slope * last, slope, now, order)
        G = _exponential(A.tobytes(), str(A.dtype), order, math.log(now / last))
        return new + self.apply(G, state - old)


def low_rank(measure: str, A: Array, B: Array) -> Array:
    """(N, r) P with ``A + P P^T`` normal: from the structure identities."""
    order = len(B)
    if measure in ("legs", "legs_lti", "lagt"):
        column = B if measure != "lagt" else np.ones(order)
        return np.asarray(column[:, None] / math.sqrt(2))
    values, vectors = np.linalg.eigh(-(A + A.T) / 2)
    keep = values > 1e-9 * max(abs(values[-1]), 1e-300)
    return np.asarray(vectors[:, keep] * np.sqrt(values[keep]))


@lru_cache(maxsize=512)
def _exponential(content: bytes, dtype: str, order: int, time: float) -> Array:
    A = np.frombuffer(content, dtype).reshape(order, order)
    return scipy.linalg.expm(A * A.dtype.type(time)).astype(dtype)


def right_model(case: Case, oracle: Oracle) -> Model:
    """The right implementation of a case."""

    def system(order: int) -> System:
        A, B = oracle.system(replace(case, order=order))
        return A.high, B.high

    return Model(case, system, case.method)


def _by_inverse(M: Array, y: Array) -> Array:
    return np.linalg.inv(M) @ y


def _by_factors(M: Array, y: Array) -> Array:
    Q, R = np.linalg.qr(M)
    return np.linalg.solve(R, Q.T @ y)


LEGITIMATE: dict[str, Callable[[Model], Model]] = {
    "as it is": lambda model: model,
    "explicit inverse": lambda model: replace(model, solve=_by_inverse),
    "QR factors": lambda model: replace(model, solve=_by_factors),
    "last state only": lambda model: replace(
        model, finish=lambda values: values[-1] if model.case.level == "scan" else values
    ),
}
"""Right models in other clothes: no check may reject them."""
