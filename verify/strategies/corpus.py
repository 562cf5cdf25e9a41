"""Inputs that are always tried first, each there for a reason."""

from __future__ import annotations

import math

from verify.inputs import ReadOut, Signal, Transition
from verify.strategies.base import HUGE, TINY, rounded


def corpus_signals(length: int, dtype: str) -> tuple[Signal, ...]:
    """Signals every scan is tried on, each there for a reason.

    Args:
        length: length of the longer ones.
        dtype: arithmetic of the target.
    """
    k = range(length)
    wave = [math.sin(0.37 * i + 1) + 0.25 * math.cos(1.9 * i) for i in k]
    return (
        Signal((1.0,), "one sample"),
        Signal((0.75, -1.25), "two samples"),
        Signal((1.0,) * length, "constant"),
        Signal((1.0, *[0.0] * (length - 1)), "impulse at the start"),
        Signal(tuple(1.0 if i == length // 2 else 0.0 for i in k), "impulse in the middle"),
        Signal((*[0.0] * (length - 1), 1.0), "impulse at the end"),
        Signal(tuple(float(i) for i in k), "ramp"),
        Signal(tuple((-1.0) ** i for i in k), "alternating"),
        Signal(rounded(wave, dtype), "wave"),
        Signal(tuple(math.ldexp(i % 5 - 2, TINY[dtype]) for i in k), "tiny"),
        Signal(tuple(math.ldexp(i % 7 - 3, HUGE[dtype]) for i in k), "huge"),
        Signal((0.0,) * min(length, 5), "zero"),
    )


def long_signal(dtype: str) -> Signal:
    """More than 1024 samples: past the tables and chunks that implementations are fond of."""
    return Signal(rounded([math.sin(0.05 * i) + (i % 97 == 0) for i in range(1100)], dtype), "long")


def corpus_transitions(order: int, dtype: str) -> tuple[Transition, ...]:
    """Steps every step function is tried on: each start, a late sample, and states that excite every coefficient."""
    falling = rounded([(-1.0) ** n / (n + 1) for n in range(order)], dtype)
    flat = tuple(1.0 for _ in range(order))
    return (
        Transition(flat, 0.5, 0, "first sample"),
        Transition(falling, -0.75, 1, "second sample"),
        Transition(flat, rounded([math.sin(1.0)], dtype)[0], 7, "flat state, sample of full precision"),
        Transition(falling, 1.0, 1000, "late sample"),
        Transition(flat, 0.5, 1025, "past a table of 1024"),
        Transition(falling, -0.75, 54321, "very late sample"),
        Transition((0.0,) * order, 1.0, 3, "zero state"),
        Transition(tuple(math.ldexp(v, HUGE[dtype]) for v in falling), math.ldexp(1.0, HUGE[dtype]), 5, "huge"),
        Transition(tuple(math.ldexp(v, TINY[dtype]) for v in falling), math.ldexp(1.0, TINY[dtype]), 5, "tiny"),
    )


def unit_transitions(order: int) -> tuple[Transition, ...]:
    """From each unit state: the columns of the transition, one by one, so that none hides behind a larger one."""
    return tuple(
        Transition(tuple(1.0 if n == k else 0.0 for n in range(order)), 0.0, 7, f"unit state {k}") for k in range(order)
    )


def corpus_readouts(order: int, dtype: str) -> tuple[ReadOut, ...]:
    """Reconstructions every read-out is tried on: both ends of the window, and each end of the basis."""
    # Sevenths need every bit of the target's precision, sixteenths none.
    grid = rounded([*(i / 16 for i in range(17)), *(i / 7 for i in range(1, 7))], dtype)
    falling = rounded([(-1.0) ** (n // 2) / (n + 1) for n in range(order)], dtype)
    unit = [0.0] * order
    last = [*unit[:-1], 1.0]
    return (
        ReadOut((1.0, *unit[1:]), grid, "constant"),
        ReadOut(tuple(last), grid, "highest degree"),
        ReadOut(falling, grid, "all degrees"),
        ReadOut(falling, (1.0,), "newest moment"),
    )
