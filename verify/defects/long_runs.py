"""Right at first, wrong later: clocks and indices that run out, memories that restart, gradients that are cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from verify.bounds import gbt_weight, hold_degree
from verify.bounds.base import DISSIPATIVE
from verify.candidates import Model
from verify.case import Case
from verify.defects.base import Defect, legs_stepping

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 64
"""Points that a read-out takes in one go."""


def _small(case: Case) -> bool:
    return case.level == "scan" and case.order <= 4


def _middle(case: Case) -> bool:
    return case.level == "scan" and 4 < case.order <= 16


def _bounded(case: Case) -> bool:
    """Whether neither states nor errors of a long run grow without end."""
    weight, degree = gbt_weight(case.method), hold_degree(case.method)
    if weight is None and degree is None:
        return case.measure in DISSIPATIVE  # trapezoid
    return case.measure in DISSIPATIVE and (weight is None or weight >= 0.5) and (degree or 0) <= 1


def _clock(clock: Callable[[int], float]) -> Callable[[Model], Model]:
    return lambda model: replace(model, clock=clock)


def _from_state(first: int, spoil: Callable[[Array], Array]) -> Callable[[Model], Model]:
    """Alter the states of a scan from one index on."""

    def finish(values: Array) -> Array:
        return values if values.ndim == 1 else np.concatenate([values[:first], spoil(values[first:])])

    return lambda model: replace(model, finish=finish)


class _Restarting(Model):
    """Forgets everything every `period` samples."""

    period = 2048

    def _scan(self, samples: Array, order: int) -> Array:
        parts = [samples[start : start + self.period] for start in range(0, len(samples), self.period)]
        return np.concatenate([super(_Restarting, self)._scan(part, order) for part in parts])


def _restarting(model: Model) -> Model:
    return _Restarting(**{name: getattr(model, name) for name in model.__dataclass_fields__})


class _Retimed(Model):
    """Takes the last spacing for every later one."""

    kept: ClassVar[int] = 128

    def timed_scan(self, samples: Array, timestamps: Array, order: int) -> Array:
        times = np.asarray(timestamps, dtype=float).copy()
        later = times[self.kept :]
        if len(later):
            later[:] = times[self.kept - 1] + (times[self.kept - 1] - times[self.kept - 2]) * np.arange(
                1, len(later) + 1
            )
        return super().timed_scan(samples, times, order)


class _RetimedLate(_Retimed):
    """The same, past the run that every rule is asked."""

    kept = 400


def _retimed(model: Model, kind: type[_Retimed] = _Retimed) -> Model:
    return kind(**{name: getattr(model, name) for name in model.__dataclass_fields__})


def _older_cut(lags: int) -> Callable[[Array], Array]:
    def columns(J: Array) -> Array:
        kept = np.arange(J.shape[1]) >= J.shape[1] - lags
        return np.asarray(J * kept)

    return columns


def _within_chunk(size: int) -> Callable[[Array], Array]:
    def columns(J: Array) -> Array:
        index = np.arange(J.shape[1])
        return np.asarray(J * (index // size == (J.shape[1] - 1) // size))

    return columns


class _InBlocks(Model):
    """Evaluates one block of points and leaves the rest."""

    def reconstruct(self, state: Array, points: Array) -> Array:
        values = super().reconstruct(state, points)
        values[BLOCK:] = 0
        return values


def _in_blocks(model: Model) -> Model:
    return _InBlocks(**{name: getattr(model, name) for name in model.__dataclass_fields__})


class _NewestZeroed(Model):
    """The value at the newest moment is left out of the answer."""

    def reconstruct(self, state: Array, points: Array) -> Array:
        values = super().reconstruct(state, points)
        values[int(np.argmax(points))] = 0
        return values


def _newest_zeroed(model: Model) -> Model:
    return _NewestZeroed(**{name: getattr(model, name) for name in model.__dataclass_fields__})


LONG_RUNS = (
    Defect(
        "stopped_at_512",
        "the clock stops at 512, as a table of that length would make it",
        "the recurrence with h = 1/min(k, 512) gives the same states",
        _clock(lambda k: min(k, 512.0)),
        lambda case: legs_stepping(case) and case.level == "scan" and case.order > 4,
    ),
    Defect(
        "stopped_at_2000",
        "the clock stops at 2000",
        "the recurrence with h = 1/min(k, 2000) gives the same states",
        _clock(lambda k: min(k, 2000.0)),
        lambda case: legs_stepping(case) and _middle(case) and case.method != "euler",
    ),
    Defect(
        "stopped_at_5000",
        "the clock stops at 5000",
        "the recurrence with h = 1/min(k, 5000) gives the same states",
        _clock(lambda k: min(k, 5000.0)),
        lambda case: legs_stepping(case) and _small(case) and case.method != "euler" and case.dtype == "float64",
        order=4,
    ),
    Defect(
        "index_16_bit",
        "the index is kept in 16 bits: it starts again at 0 after 65,535",
        "the recurrence with k modulo 65,536 gives the same states",
        _clock(lambda k: float(k % 65536)),
        lambda case: legs_stepping(case) and case.level == "step" and case.method not in ("trapezoid", "foh"),
    ),
    Defect(
        "index_float16",
        "the index passes through half precision, which holds no odd integer above 2048",
        "the recurrence with k rounded to float16 gives the same states",
        _clock(lambda k: float(np.float16(min(k, 65504)))),
        lambda case: legs_stepping(case) and _small(case) and case.method in ("bilinear", "backward_euler"),
        order=4,
    ),
    Defect(
        "nan_after_5000",
        "every state from number 5000 on is NaN",
        "the first 5000 states agree",
        _from_state(5000, lambda values: values * np.nan),
        lambda case: _small(case) and case.method != "euler" and case.dtype == "float64",
        order=4,
    ),
    Defect(
        "restarted",
        "the memory starts afresh every 2048 samples",
        "scans of 2048 samples each, one after the other, give the same states",
        _restarting,
        lambda case: _small(case) and case.method != "euler",
        order=4,
    ),
    Defect(
        "later_times_ignored",
        "from sample 128 on the timestamps are taken for evenly spaced",
        "the last spacing, repeated, gives the same states",
        _retimed,
        lambda case: case.level == "timed_scan" and _bounded(case) and case.method != "trapezoid",
    ),
    Defect(
        "last_times_ignored",
        "from sample 400 on the timestamps are taken for evenly spaced",
        "the spacing before sample 400, repeated, gives the same states",
        lambda model: _retimed(model, _RetimedLate),
        lambda case: case.level == "timed_scan" and case.method in ("zoh", "foh"),
    ),
    Defect(
        "stalled_at_512",
        "the state no longer changes after sample 512",
        "the states up to number 512 agree, and every later one is that of number 512",
        _from_state(512, lambda values: np.broadcast_to(values[:1], values.shape)),
        lambda case: case.level == "scan" and case.order > 4 and _bounded(case),
        order=8,
    ),
    Defect(
        "truncated_gradient",
        "the gradient is cut off 256 samples back, as truncated backpropagation does",
        "the columns of the last 256 samples agree and the older ones are zero",
        lambda model: replace(model, columns=_older_cut(256)),
        lambda case: case.level == "gradient",
    ),
    Defect(
        "chunk_detached",
        "the gradient does not cross the boundaries of chunks of 128 samples",
        "the columns of the last chunk agree and the others are zero",
        lambda model: replace(model, columns=_within_chunk(128)),
        lambda case: case.level == "gradient",
    ),
    Defect(
        "points_block",
        f"only the first {BLOCK} points are evaluated, the others come out as zero",
        f"the first {BLOCK} values agree",
        _in_blocks,
        lambda case: case.level == "reconstruct",
    ),
    Defect(
        "newest_zeroed",
        "the value at the newest point is zero",
        "every other value agrees",
        _newest_zeroed,
        lambda case: case.level == "reconstruct",
    ),
)
