"""Clocks that are right for the first million samples, and not for ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from verify.bounds import gbt_weight, hold_degree
from verify.candidates import Model
from verify.case import Case
from verify.defects.base import Defect


def _clock(read: Callable[[int], float]) -> Callable[[Model], Model]:
    return lambda model: replace(model, clock=read)


def _wrapped(k: int, bits: int = 32) -> int:
    """A signed integer of so many bits."""
    half = 1 << (bits - 1)
    return (k + half) % (2 * half) - half


def _late(case: Case) -> bool:
    """Single steps of LegS; a hold is a difference of numbers close to 1, too small a one for float32."""
    gbt, hold = gbt_weight(case.method) is not None, hold_degree(case.method) == 0
    return case.measure == "legs" and case.level == "step" and (gbt or (hold and case.dtype == "float64"))


def _late_gbt(case: Case) -> bool:
    """A float32 clock is off by 2^-24 at most, which a hold does not show either."""
    return _late(case) and case.dtype == "float64" and gbt_weight(case.method) is not None


CLOCKS = (
    Defect(
        "int32_clock",
        "the clock is a 32-bit integer: it is negative from sample 2^31 on",
        "the recurrence with k wrapped to 32 bits gives the same states",
        _clock(lambda k: float(_wrapped(k))),
        _late,
    ),
    Defect(
        "int32_twice",
        "2k is formed in a 32-bit integer: it is negative from sample 2^30 on",
        "the recurrence with 2k wrapped to 32 bits gives the same states",
        _clock(lambda k: _wrapped(2 * k) / 2),
        _late,
    ),
    Defect(
        "uint32_clock",
        "the clock is an unsigned 32-bit integer: it starts anew at sample 2^32",
        "the recurrence with k modulo 2^32 gives the same states",
        _clock(lambda k: float(k % 2**32)),
        _late,
    ),
    Defect(
        "float32_clock",
        "the clock is kept in float32: it is rounded from sample 2^24 + 1 on",
        "the recurrence with k rounded to float32 gives the same states",
        _clock(lambda k: float(np.float32(k))),
        _late_gbt,
    ),
    Defect(
        "stalled_clock",
        "the clock is counted up in float32: adding 1 to 2^24 leaves it there",
        "the recurrence with h = 1/min(k, 2^24) gives the same states",
        _clock(lambda k: min(k, 2.0**24)),
        _late,
    ),
)
