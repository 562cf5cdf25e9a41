"""Hypothesis strategies that make inputs, and the corpus that is always tried first.

All values are multiples of a power of two that both float32 and float64 hold exactly, so a float32 target reads the
very numbers the reference reads; one signal of the corpus uses all 53 bits and is rounded to float32 before it is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from verify.inputs import ReadOut, Signal, Transition

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

TINY = {"float64": -600, "float32": -70}
HUGE = {"float64": 400, "float32": 40}
"""Exponents of the amplitudes tried: far out, but with room for the growth of a recurrence and for its rounding."""


def length_for(order: int, longest: int) -> int:
    """Length of the signals tried at an order: above it, for L samples of LegS reach no coefficient beyond 2L - 2."""
    return max(longest, order + 8)


def examples_for(order: int, examples: int) -> int:
    """Number of draws at an order: fewer where a call into the reference takes long."""
    return examples if order <= 16 else max(examples // 2, 1) if order <= 32 else max(examples // 3, 1)


def _rounded(values: Sequence[float], dtype: str) -> tuple[float, ...]:
    return tuple(float(v) for v in np.array(values, dtype=dtype))


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
        Signal(_rounded(wave, dtype), "wave"),
        Signal(tuple(math.ldexp(i % 5 - 2, TINY[dtype]) for i in k), "tiny"),
        Signal(tuple(math.ldexp(i % 7 - 3, HUGE[dtype]) for i in k), "huge"),
        Signal((0.0,) * min(length, 5), "zero"),
    )


def long_signal(dtype: str) -> Signal:
    """More than 1024 samples: past the tables and chunks that implementations are fond of."""
    return Signal(_rounded([math.sin(0.05 * i) + (i % 97 == 0) for i in range(1100)], dtype), "long")


def signals(longest: int, dtype: str) -> SearchStrategy[Signal]:
    """Signals of 1 to ``longest`` samples: dyadic noise, steps, spikes, chirps, at amplitudes from tiny to huge."""
    from hypothesis import strategies as st  # noqa: PLC0415 -- see Check.explore

    sample = st.integers(-(2**20), 2**20).map(lambda i: i / 2**20)

    @st.composite
    def draw_signal(draw: st.DrawFn) -> Signal:
        kind = draw(st.sampled_from(("noise", "steps", "spikes", "chirp", "polynomial")))
        length = draw(st.integers(1, longest))
        if kind == "noise":
            values = draw(st.lists(sample, min_size=length, max_size=length))
        elif kind == "steps":
            levels = draw(st.lists(sample, min_size=1, max_size=4))
            values = [levels[i * len(levels) // length] for i in range(length)]
        elif kind == "spikes":
            places = draw(st.sets(st.integers(0, length - 1), max_size=3))
            height = draw(sample)
            values = [height if i in places else 0.0 for i in range(length)]
        elif kind == "chirp":
            rate = draw(st.integers(1, 64)) / 1024
            values = [float(np.float32(math.sin(rate * i * i))) for i in range(length)]
        else:
            a, b, c = draw(st.tuples(sample, sample, sample))
            values = [float(np.float32(a + b * i / length + c * (i / length) ** 2)) for i in range(length)]
        exponent = draw(st.sampled_from((0, 0, 0, -30, 30, TINY[dtype], HUGE[dtype])))
        return Signal(tuple(math.ldexp(v, exponent) for v in values), kind)

    return draw_signal()


def corpus_transitions(order: int, dtype: str) -> tuple[Transition, ...]:
    """Steps every step function is tried on: each start, a late sample, and states that excite every coefficient."""
    falling = _rounded([(-1.0) ** n / (n + 1) for n in range(order)], dtype)
    flat = tuple(1.0 for _ in range(order))
    return (
        Transition(flat, 0.5, 0, "first sample"),
        Transition(falling, -0.75, 1, "second sample"),
        Transition(flat, _rounded([math.sin(1.0)], dtype)[0], 7, "flat state, sample of full precision"),
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


def transitions(order: int) -> SearchStrategy[Transition]:
    """Random states, samples and indices."""
    from hypothesis import strategies as st  # noqa: PLC0415

    number = st.integers(-(2**20), 2**20).map(lambda i: i / 2**20)
    index = st.one_of(st.integers(0, 8), st.integers(0, 10**6))
    state = st.lists(number, min_size=order, max_size=order).map(tuple)
    return st.builds(Transition, state, number, index)


def corpus_readouts(order: int, dtype: str) -> tuple[ReadOut, ...]:
    """Reconstructions every read-out is tried on: both ends of the window, and each end of the basis."""
    # Sevenths need every bit of the target's precision, sixteenths none.
    grid = _rounded([*(i / 16 for i in range(17)), *(i / 7 for i in range(1, 7))], dtype)
    falling = _rounded([(-1.0) ** (n // 2) / (n + 1) for n in range(order)], dtype)
    unit = [0.0] * order
    last = [*unit[:-1], 1.0]
    return (
        ReadOut((1.0, *unit[1:]), grid, "constant"),
        ReadOut(tuple(last), grid, "highest degree"),
        ReadOut(falling, grid, "all degrees"),
        ReadOut(falling, (1.0,), "newest moment"),
    )


def pairs(longest: int, dtype: str) -> SearchStrategy[tuple[Signal, Signal, int]]:
    """Two signals of equal length whose sum is exact in either precision, and the exponent of a power of two."""
    from hypothesis import strategies as st  # noqa: PLC0415

    sample = st.integers(-(2**15), 2**15).map(lambda i: i / 2**15)

    def both(length: int) -> SearchStrategy[tuple[Signal, Signal, int]]:
        signal = st.lists(sample, min_size=length, max_size=length).map(lambda values: Signal(tuple(values), "noise"))
        return st.tuples(signal, signal, st.sampled_from((0, 7, -9, TINY[dtype], HUGE[dtype])))

    return st.integers(1, longest).flatmap(both)


def readouts(order: int, lowest: int = 0) -> SearchStrategy[ReadOut]:
    """Random coefficients, and points from ``lowest / 2^16`` to 1."""
    from hypothesis import strategies as st  # noqa: PLC0415

    number = st.integers(-(2**20), 2**20).map(lambda i: i / 2**20)
    point = st.integers(lowest, 2**16).map(lambda i: i / 2**16)
    return st.builds(
        ReadOut,
        st.lists(number, min_size=order, max_size=order).map(tuple),
        st.lists(point, min_size=1, max_size=8).map(tuple),
    )
