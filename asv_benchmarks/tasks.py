"""What is timed: tasks, the reference answer of each, and the bound within which a competitor must agree with it.

**The bound.** In the orthonormal basis every measure here has ``A + A^T <= 0``. So ``(I - a h A)^-1`` is a contraction
in the 2-norm for a step ``h`` whose end has the weight ``a``, and so is the step ``c -> c'`` itself (for the
trapezoid: the product of all steps, whose factors pair up into Cayley transforms where times are even). Hence an
implementation that leaves the residual ``rho_k`` in ``(I - a h A) c' = (I + (1 - a) h A) c + h B u`` is off by at most
``sum_k ||rho_k||_2`` after K steps: nothing is amplified. Row by row, in any order of summation and with the unit
roundoff ``u``,

    |rho| <= (N + 16) u (|c'| + |c| + h |A| (a |c'| + (1 - a) |c|) + h |B| |sample|)
             + 12 u s_n sum_{j<=n} |c'_j - c_j| / s_j

where the last term is for a recurrence that subtracts row n - 1 from row n (LegS). Where the step is a matrix, its own
error enters through ``3 N u |L| |U| |X|``, the residual of Gauss elimination (Higham, Accuracy and Stability of
Numerical Algorithms, theorem 9.4). A hold of LegS is ``c' = M (c - v e_0) + v e_0``, plus a ramp's weights (foh), with
a contraction M: there ``|M - I| <= |M| + I`` and ``||M||_F <= sqrt(N)`` serve instead of ``h |A|``. The reference is
our numpy backend in float64, which `verify` holds against exact arithmetic; it gets the same bound, and a competitor
the sum of both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

import hippo_fast

ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24}
WEIGHT = {"bilinear": 0.5, "backward_euler": 1.0, "trapezoid": 0.5}
_NUMBERS = 2**23  # of one chunk of states


@dataclass(frozen=True)
class Task:
    """One question: all competitors answer it, and are timed if they answer it right.

    Attributes:
        measure: a key of `hippo_fast.OPERATORS`.
        order: N.
        length: samples of each stream.
        streams: 1 means samples ``(L,)``, otherwise ``(S, L)``.
        method: the rule.
        dtype: float64 or float32.
        output: ``"last"`` or ``"states"``.
        uneven: at seeded uneven timestamps.
    """

    measure: str = "legs"
    order: int = 256
    length: int = 10_000
    streams: int = 1
    method: str = "bilinear"
    dtype: str = "float64"
    output: str = "last"
    uneven: bool = False

    @property
    def steps(self) -> int:
        """Samples read, all streams."""
        return self.length * self.streams

    @property
    def dt(self) -> float | None:
        """1/256 of the window, for invariant laws at even times."""
        return None if self.measure == "legs" or self.uneven else 1 / 256

    @cached_property
    def samples(self):
        """Seeded white noise in the task's dtype, ``(L,)`` or ``(S, L)``."""
        shape = (self.length,) if self.streams == 1 else (self.streams, self.length)
        return np.random.default_rng(20201022).standard_normal(shape).astype(self.dtype)

    @cached_property
    def timestamps(self):
        """Increasing times, or None: from 1 on for LegS, with gaps about 1/256 of the window for invariant laws."""
        if not self.uneven:
            return None
        gaps = np.random.default_rng(7).uniform(0.5, 1.5, self.length)
        return 1.0 + np.cumsum(gaps) if self.measure == "legs" else np.cumsum(gaps) / 256

    @property
    def keywords(self):
        """What `hippo_fast.scan` is given besides the samples, the order and the measure."""
        return {"method": self.method, "dt": self.dt, "timestamps": self.timestamps}

    def __str__(self) -> str:
        streams = "one stream" if self.streams == 1 else f"{self.streams} streams"
        kept = "last state" if self.output == "last" else "all states"
        return f"{self.measure} {self.method}, N = {self.order}, {streams} of {self.length:,}, {kept}, {self.dtype}" + (
            ", uneven times" if self.uneven else ""
        )

    def with_(self, **changes) -> Task:
        """The same task but for some attributes."""
        return replace(self, **changes)


def weights(task):
    """What orthonormal coefficients are multiplied by to give the measure's own, ``(N,)``: ``s_n`` for ``lmu``."""
    return np.sqrt(2.0 * np.arange(task.order) + 1.0) if task.measure == "lmu" else np.ones(task.order)


def reference(task):
    """Our numpy backend in float64 on the task's samples: ``(S, L, N)`` or ``(S, N)``."""
    found = hippo_fast.scan(
        task.samples.astype(np.float64), task.measure, task.order, backend="numpy", output=task.output, **task.keywords
    )
    return found if task.streams > 1 else found[None]


def bound(task):
    """The bound of the module's text for one implementation with roundoff 1.

    Returns:
        ``(S, L)`` for all states, ``(S,)`` for the last ones; a 2-norm of orthonormal coefficients.

    Raises:
        ValueError: the trapezoid at uneven times, whose factors do not pair up.
    """
    if task.uneven and task.method == "trapezoid":
        raise ValueError("method is 'trapezoid' at uneven times, for which no bound is derived; accepted: even times")
    streams = task.samples.reshape(task.streams, task.length).astype(np.float64)
    chunk = max(1, _NUMBERS // (task.order * task.length))
    parts = [bound_of(task, streams[i : i + chunk]) for i in range(0, len(streams), chunk)]
    found = np.concatenate(parts)
    return found if task.output == "states" else found[:, -1]


def bound_of(task, streams):
    """`bound` for all states of some streams, ``(S, L)``."""
    states = hippo_fast.scan(streams, task.measure, task.order, backend="numpy", **task.keywords) / weights(task)
    if task.measure != "legs":
        residuals = _uneven_residuals if task.uneven else _matrix_residuals
        return np.cumsum(residuals(task, np.abs(states), np.abs(streams)), axis=1)
    residuals = _hold_residuals if task.method in ("zoh", "foh") else _legs_residuals
    steps = np.cumsum(residuals(task, states, np.abs(streams)), axis=1)
    # The start: one sample, or the first linear piece of two; a few roundings of them.
    start = 4 * np.abs(streams[:, :2]).sum(axis=1, keepdims=True)
    return start + np.concatenate([np.zeros_like(start), steps], axis=1)


def _matrix_residuals(task, sizes, u):
    """``||rho_k||`` of an invariant law, ``(S, L)``; before sample 0 the state is zero."""
    state_part, sample_part = _step_sizes(task)
    before = np.concatenate([np.zeros_like(sizes[:, :1]), sizes[:, :-1]], axis=1)
    residual = sizes + before + before @ state_part.T + u[..., None] * sample_part
    return (task.order + 16) * np.linalg.norm(residual, axis=2)


def _uneven_residuals(task, sizes, u):
    """The same for a GBT rule with gaps of its own for each step, solved row by row."""
    system, scale, a = hippo_fast.system(task.measure, task.order), weights(task), WEIGHT[task.method]
    gaps = np.diff(task.timestamps, prepend=0.0)[:, None]
    before = np.concatenate([np.zeros_like(sizes[:, :1]), sizes[:, :-1]], axis=1)
    product = (a * sizes + (1 - a) * before) @ np.abs(system.A * scale / scale[:, None]).T
    residual = sizes + before + gaps * (product + u[..., None] * np.abs(system.B / scale))
    return (task.order + 16) * np.linalg.norm(residual, axis=2)


def _legs_residuals(task, states, u):
    """``||rho_k||`` of a GBT rule or the trapezoid on LegS, ``(S, L - 1)``."""
    times = np.arange(task.length, dtype=float) if task.timestamps is None else task.timestamps
    s = np.sqrt(2.0 * np.arange(task.order) + 1.0)
    old, new, a = np.abs(states[:, :-1]), np.abs(states[:, 1:]), WEIGHT[task.method]
    gaps = np.diff(times)[:, None]
    end = gaps / times[1:, None]
    start, read = end, end * s * u[:, 1:, None]
    if task.method == "trapezoid":
        # From time 0 the step is the start itself, and has no residual of its own.
        start = np.divide(gaps, times[:-1, None], out=np.zeros_like(gaps), where=times[:-1, None] > 0)
        read = (read + start * s * u[:, :-1, None]) / 2
    residual = old + new + _legs_product((1 - a) * start * old + a * end * new, s) + read
    change = np.cumsum(np.abs(states[:, 1:] - states[:, :-1]) / s, axis=2)
    return np.linalg.norm((task.order + 16) * residual + 12 * s * change, axis=2)


def _hold_residuals(task, states, u):
    """``||rho_k||`` of zoh or foh on LegS, ``(S, L - 1)``, from norms alone: see the module's text."""
    size = np.linalg.norm(states, axis=2)
    carried = size[:, :-1] + u[:, :-1] + u[:, 1:]
    return (task.order + 16) * (size[:, :-1] + size[:, 1:] + (np.sqrt(task.order) + 1) * carried)


def _legs_product(states, s):
    """``|A| c`` of LegS without the matrix."""
    held = s * states
    return s * (np.cumsum(held, axis=-1) - held) + np.arange(1.0, len(s) + 1) * states


def _step_sizes(task):
    """Matrices ``P (N, N)`` and ``q (N,)``: a step's residual is at most ``(N + 16) u (... + P |c| + q |u|)``."""
    from scipy.linalg import expm, lu, solve  # noqa: PLC0415 -- a guest of this function

    system = hippo_fast.system(task.measure, task.order)
    scale = weights(task)
    right = task.dt * np.column_stack([system.A * scale / scale[:, None], system.B / scale])
    if task.method == "zoh":
        # The exponential's own error is that of float64; this rule is asked in float32 alone.
        whole = expm(np.vstack([right, np.zeros((1, task.order + 1))]))[:-1]
        whole[:, :-1] -= np.eye(task.order)
        sizes = np.abs(whole)
    else:
        left = np.eye(task.order) - WEIGHT[task.method] * right[:, :-1]
        permuted, upper = lu(left, permute_l=True)
        solved = np.abs(solve(left, right))
        sizes = solved + np.abs(right) + 3 * (np.abs(permuted) @ np.abs(upper)) @ solved
    return sizes[:, :-1], sizes[:, -1]


class Judge:
    """The reference and the bound of one task, computed once."""

    def __init__(self, task):
        self.task, self.expected, self.one = task, reference(task), bound(task)
        self.allowed = self.one * (ROUNDOFF[task.dtype] + ROUNDOFF["float64"])

    def share(self, answer):
        """Largest error ÷ bound of an answer in the task's shape; infinite where it is not finite or not the shape."""
        answer = np.asarray(answer, dtype=np.float64)
        shape = self.expected.shape if self.task.streams > 1 else self.expected.shape[1:]
        if answer.shape != shape or not np.isfinite(answer).all():
            return float("inf")
        with np.errstate(over="ignore"):  # an answer may be wrong by any amount
            difference = (answer.reshape(self.expected.shape) - self.expected) / weights(self.task)
            return float(np.max(np.linalg.norm(difference, axis=-1) / self.allowed))
