"""Signals of every kind; the same with a time for each sample; batches and pairs of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from verify.inputs import Batch, Signal, TimedSignal
from verify.strategies.base import FINE, HUGE, ORDINARY, TINY, TOP, ULP, lengths, numerators, scaled

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

Draw = Callable[["DrawFn", int], list[int]]
"""(draw, L) -> L samples in units of ``2^-FINE``."""

UNIT = 2**FINE
LONG_GAP = 40
"""Time passes in steps of at most 2^40 units."""
SCALES = {"float64": 300, "float32": 20}
"""Exponents of the unit of time, up and down: even an ordinary sample over a time is a normal number."""


def _noise(draw: DrawFn, length: int) -> list[int]:
    from hypothesis import strategies as st  # noqa: PLC0415

    return draw(st.lists(draw(numerators()), min_size=length, max_size=length))


def _impulse(draw: DrawFn, length: int) -> list[int]:
    """One sample alone: the last, the first, the middle one."""
    from hypothesis import strategies as st  # noqa: PLC0415

    place, height = draw(st.sampled_from((length - 1, 0, length // 2))), draw(draw(numerators())) or UNIT
    return [height if i == place else 0 for i in range(length)]


def _spikes(draw: DrawFn, length: int) -> list[int]:
    from hypothesis import strategies as st  # noqa: PLC0415

    places = draw(st.sets(st.integers(0, length - 1), min_size=1, max_size=3))
    height = draw(draw(numerators())) or UNIT
    return [height if i in places else 0 for i in range(length)]


def _steps(draw: DrawFn, length: int) -> list[int]:
    from hypothesis import strategies as st  # noqa: PLC0415

    levels = draw(st.lists(draw(numerators()), min_size=1, max_size=4))
    return [levels[i * len(levels) // length] for i in range(length)]


def _alternating(draw: DrawFn, length: int) -> list[int]:
    """Two values in turn: the highest frequency there is."""
    number = draw(numerators())
    even, odd = draw(number), draw(number)
    return [odd if i % 2 else even for i in range(length)]


def _silence(draw: DrawFn, length: int) -> list[int]:
    """Noise with a run of zeros: at the start, in the middle or at the end."""
    from hypothesis import strategies as st  # noqa: PLC0415

    values = _noise(draw, length)
    begin = draw(st.sampled_from((0, length // 3, length // 2)))
    stop = draw(st.sampled_from((length, (begin + length) // 2)))
    return [0 if begin <= i < stop else value for i, value in enumerate(values)]


def _polynomial(draw: DrawFn, length: int) -> list[int]:
    """Degree up to 5, on [0, 1]."""
    from hypothesis import strategies as st  # noqa: PLC0415

    terms = draw(st.lists(draw(numerators()), min_size=1, max_size=6))
    return [round(sum(a * (i / length) ** j for j, a in enumerate(terms)) / 4) for i in range(length)]


def _chirp(draw: DrawFn, length: int) -> list[int]:
    from hypothesis import strategies as st  # noqa: PLC0415

    rate = draw(st.integers(1, 64)) / 1024
    return [round(UNIT * math.sin(rate * i * i)) for i in range(1, length + 1)]


def _band_limited(draw: DrawFn, length: int) -> list[int]:
    """Three harmonics at most, up to a quarter of the sampling rate."""
    from hypothesis import strategies as st  # noqa: PLC0415

    line = st.tuples(st.integers(-UNIT, UNIT), st.integers(0, max(length // 4, 1)), st.integers(0, 15))
    lines = draw(st.lists(line, min_size=1, max_size=3))
    turn = math.tau / length
    return [round(sum(a * math.cos(f * turn * i + phase) for a, f, phase in lines)) for i in range(length)]


KINDS: dict[str, Draw] = {
    "noise": _noise,
    "impulse": _impulse,
    "spikes": _spikes,
    "steps": _steps,
    "alternating": _alternating,
    "silence": _silence,
    "polynomial": _polynomial,
    "chirp": _chirp,
    "band-limited": _band_limited,
}
"""Shapes of a signal. Noise comes first, for it can be any signal: what fails on a short one shrinks to it."""


def _exponents(dtype: str) -> tuple[int, ...]:
    return (0, 0, 0, -30, 30, TINY[dtype], HUGE[dtype])


def _mixed(draw: DrawFn, length: int, dtype: str) -> tuple[float, ...]:
    """Every sample at an amplitude of its own, down to denormals.

    The first is 1: the states stay of that size, beside which a bound on what underflow loses decides something.
    """
    from hypothesis import strategies as st  # noqa: PLC0415

    low = ULP[dtype] + FINE
    number = st.tuples(st.integers(-UNIT, UNIT), st.sampled_from((0, low, TINY[dtype], -30, 30, HUGE[dtype])))
    rest = draw(st.lists(number, min_size=length - 1, max_size=length - 1))
    return (1.0, *(scaled([m], exponent)[0] for m, exponent in rest))


def signals(longest: int, dtype: str, *, beyond: bool = False) -> SearchStrategy[Signal]:
    """Signals of 1 to ``longest`` samples: each kind of `KINDS`, and mixed amplitudes, from tiny to huge.

    Args:
        longest: length of the longest.
        dtype: arithmetic of the target.
        beyond: draw also what no rounding bound decides, denormal as a whole or next to overflow: for properties that
            need no bound.
    """
    from hypothesis import strategies as st  # noqa: PLC0415

    exponents = _exponents(dtype)
    if beyond:
        exponents = (*exponents, ULP[dtype] + FINE, TOP[dtype] - 2)  # samples are below 8

    @st.composite
    def draw_signal(draw: st.DrawFn) -> Signal:
        # The samples come last: a search that climbs changes what was drawn last first.
        kind = draw(st.sampled_from((*KINDS, "mixed")))
        length = draw(lengths(longest))
        if kind == "mixed":
            return Signal(_mixed(draw, length, dtype), kind)
        exponent = draw(st.sampled_from(exponents))
        return Signal(scaled(KINDS[kind](draw, length), exponent), kind)

    return draw_signal()


def _even(_: DrawFn, length: int) -> list[int]:
    return list(range(1, length + 1))


def _uneven(draw: DrawFn, length: int) -> list[int]:
    from hypothesis import strategies as st  # noqa: PLC0415

    return _summed(draw(st.lists(st.integers(1, 64), min_size=length, max_size=length)))


def _doubling(_: DrawFn, length: int) -> list[int]:
    """Every gap as long as all time before it, while that is no more than `LONG_GAP`."""
    return [2 ** min(k, LONG_GAP) + max(k - LONG_GAP, 0) * 2**LONG_GAP for k in range(length)]


def _close(draw: DrawFn, length: int) -> list[int]:
    """Far from time 0, with gaps of a few times 2^-40 of the time that has passed."""
    from hypothesis import strategies as st  # noqa: PLC0415

    return _summed([2**LONG_GAP, *draw(st.lists(st.integers(1, 4), min_size=length - 1, max_size=length - 1))])


def _pauses(draw: DrawFn, length: int) -> list[int]:
    """Short gaps and gaps 2^24 times as long."""
    from hypothesis import strategies as st  # noqa: PLC0415

    return _summed(draw(st.lists(st.sampled_from((1, 2**24)), min_size=length, max_size=length)))


def _summed(gaps: Sequence[int]) -> list[int]:
    return list(accumulate(gaps))


CLOCKS: dict[str, Draw] = {
    "even": _even,
    "uneven": _uneven,
    "doubling": _doubling,
    "pauses": _pauses,
    "close": _close,
}
"""Ways in which time passes, in whole units of some power of two, the first of them after 0."""


def timed_signals(longest: int, dtype: str, method: str) -> SearchStrategy[TimedSignal]:
    """Signals with a time for each sample, in units from tiny to huge; the first may be 0, where the rule allows it.

    Times are whole numbers below 2^53 in a unit that is a power of two: exact.

    Args:
        longest: length of the longest.
        dtype: arithmetic of the samples; times are float64.
        method: rule; under zoh a time is the end of a cell, so the first is above 0.
    """
    from hypothesis import strategies as st  # noqa: PLC0415

    far = SCALES[dtype]

    @st.composite
    def draw_timed(draw: st.DrawFn) -> TimedSignal:
        clock, kind = draw(st.sampled_from(tuple(CLOCKS))), draw(st.sampled_from(tuple(KINDS)))
        unit, exponent = draw(st.sampled_from((0, 0, -far, far))), draw(st.sampled_from(ORDINARY))
        from_zero = method != "zoh" and draw(st.booleans())
        length = draw(lengths(longest))
        times = CLOCKS[clock](draw, length)
        if from_zero:
            times = [0, *times[:-1]]
        values = scaled(KINDS[kind](draw, length), exponent)
        return TimedSignal(values, tuple(math.ldexp(t, unit) for t in times), f"{kind}, {clock} times")

    return draw_timed()


def batches(longest: int, dtype: str, *, most: int = 17) -> SearchStrategy[Batch]:
    """Streams of equal length, each of its own kind and amplitude: one, an odd number, around powers of two, ``most``.

    Args:
        longest: length of the longest stream.
        dtype: arithmetic of the target.
        most: largest number of streams.
    """
    from hypothesis import strategies as st  # noqa: PLC0415

    exponent = st.sampled_from(_exponents(dtype))

    @st.composite
    def draw_batch(draw: st.DrawFn) -> Batch:
        count, length = draw(lengths(most)), draw(lengths(longest))
        streams = []
        for _ in range(count):
            kind = draw(st.sampled_from(tuple(KINDS)))
            streams.append(scaled(KINDS[kind](draw, length), draw(exponent)))
        return Batch(tuple(streams), f"{count} x {length}")

    return draw_batch()


def pairs(longest: int, dtype: str) -> SearchStrategy[tuple[Signal, Signal, int]]:
    """Two signals of equal length whose sum is exact in either precision, and the exponent of a power of two."""
    from hypothesis import strategies as st  # noqa: PLC0415

    @st.composite
    def draw_pair(draw: st.DrawFn) -> tuple[Signal, Signal, int]:
        length = draw(lengths(longest))
        exponent = draw(st.sampled_from((0, 7, -9, TINY[dtype], HUGE[dtype])))
        kinds = draw(st.tuples(*[st.sampled_from(tuple(KINDS))] * 2))
        first, second = (Signal(scaled(KINDS[kind](draw, length), 0), kind) for kind in kinds)
        return first, second, exponent

    return draw_pair()
