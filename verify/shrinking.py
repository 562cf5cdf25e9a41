"""Makes a failing input smaller: fewer samples, earlier, fewer numbers that are not zero, plainer numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from verify.inputs import Batch, Input, ReadOut, Resumption, Signal, TimedSignal, Transition

Item = TypeVar("Item", bound=Input)
Numbers = tuple[float, ...]

SEQUENCES: dict[type[Input], tuple[str, ...]] = {
    Signal: ("values",),
    TimedSignal: ("values",),
    Transition: ("state",),
    Resumption: ("values", "state"),
    ReadOut: ("coefficients",),
}
"""Fields whose numbers may become zero or plainer; times and points keep their order and their domain."""


def shrink(item: Item, fails: Callable[[Item], bool], calls: int) -> Item:
    """The smallest input found that still fails, within a number of calls.

    Greedy: the first simpler candidate that fails is gone on from. Every candidate is simpler by `cost`, so it ends.

    Args:
        item: an input that fails.
        fails: whether a candidate does; called at most ``calls`` times.
        calls: see there.
    """
    tried = {item.id}
    changed = True
    while changed:
        changed = False
        for simpler in (_shorter, _earlier, _sparser, _plainer):
            again = True
            while again:
                again = False
                for candidate in simpler(item):
                    if candidate.id in tried or not cost(candidate) < cost(item):
                        continue
                    if calls <= 0:
                        return item
                    tried.add(candidate.id)
                    calls -= 1
                    if fails(candidate):
                        item, changed, again = candidate, True, True
                        break
    return item


def cost(item: Input) -> tuple[int, int, int]:
    """Orders inputs from simple to involved: how long or late, how many numbers are not zero, how long those are."""
    numbers = [x for values in _all(item) for x in values]
    match item:
        case Transition(index=index):
            length = index
        case ReadOut(points=points):
            length = len(points)
        case _:
            length = item.size
    return length, sum(map(bool, numbers)), sum(map(_digits, numbers))


def _all(item: Input) -> tuple[Numbers, ...]:
    if isinstance(item, Batch):
        return item.streams
    sample = ((item.sample,),) if isinstance(item, Transition) else ()
    return (*(getattr(item, name) for name in SEQUENCES.get(type(item), ())), *sample)


def _digits(value: float) -> int:
    """Length of a number: 0 for zero, 1 for one, more for other powers of two and for each bit of the mantissa."""
    if value == 0 or not math.isfinite(value):
        return 0
    if value == 1:
        return 1
    numerator, _ = math.frexp(abs(value))[0].as_integer_ratio()
    return 1 + (value < 0) + (abs(value) != 1) + numerator.bit_length()


def _lengths(count: int) -> Iterator[int]:
    """1, 2, 3, 4, 6, 8, 12, ... below a length, and one less than it."""
    length = 1
    while length < count - 1:
        yield length
        length = length + 1 if length < 4 else length * 3 // 2 if length & (length - 1) == 0 else length * 4 // 3
    if count > 1:
        yield count - 1


def _shorter(item: Any) -> Iterator[Any]:
    """Prefixes, single points, single streams."""
    if isinstance(item, Signal | Resumption):
        for length in _lengths(len(item.values)):
            yield replace(item, values=item.values[:length])
    elif isinstance(item, TimedSignal):
        for length in _lengths(len(item.values)):
            yield replace(item, values=item.values[:length], times=item.times[:length])
    elif isinstance(item, ReadOut):
        if len(item.points) > 1:
            half = len(item.points) // 2
            yield from (replace(item, points=part) for part in (item.points[:half], item.points[half:]))
            yield from (replace(item, points=(point,)) for point in item.points)
    elif isinstance(item, Batch):
        if len(item.streams) > 1:
            yield from (replace(item, streams=(stream,)) for stream in item.streams)
            yield from (
                replace(item, streams=item.streams[:i] + item.streams[i + 1 :]) for i in range(len(item.streams))
            )
        for length in _lengths(min(map(len, item.streams), default=0)):
            yield replace(item, streams=tuple(stream[:length] for stream in item.streams))


def _earlier(item: Any) -> Iterator[Any]:
    """The same step at a smaller index."""
    if isinstance(item, Transition | Resumption):
        for index in (0, *_lengths(item.index + 1)):
            if index < item.index:
                yield replace(item, index=index)


def _changed(item: Any, change: Callable[[Numbers], Iterator[Numbers]]) -> Iterator[Any]:
    """The item with one of its sequences changed."""
    if isinstance(item, Batch):
        for i, stream in enumerate(item.streams):
            for values in change(stream):
                yield replace(item, streams=(*item.streams[:i], values, *item.streams[i + 1 :]))
        return
    for name in SEQUENCES.get(type(item), ()):
        for values in change(getattr(item, name)):
            yield replace(item, **{name: values})
    if isinstance(item, Transition):
        for (sample,) in change((item.sample,)):
            yield replace(item, sample=sample)


def _sparser(item: Any) -> Iterator[Any]:
    """Blocks of zeros, large ones first."""

    def zeroed(values: Numbers) -> Iterator[Numbers]:
        size = len(values)
        while size >= 1:
            for start in range(0, len(values), size):
                if any(values[start : start + size]):
                    zeros = (0.0,) * len(values[start : start + size])
                    yield (*values[:start], *zeros, *values[start + size :])
            size //= 2

    yield from _changed(item, zeroed)


def _plainer(item: Any) -> Iterator[Any]:
    """Ones, then powers of two: all numbers at once, then one by one."""

    def plain(values: Numbers) -> Iterator[Numbers]:
        for change in (_one, _power):
            yield tuple(map(change, values))
        for change in (_one, _power):
            for i, value in enumerate(values):
                yield (*values[:i], change(value), *values[i + 1 :])

    yield from _changed(item, plain)


def _one(value: float) -> float:
    return 1.0 if value else 0.0


def _power(value: float) -> float:
    """The power of two at or below a number, with its sign; exact in either precision."""
    if value == 0 or not math.isfinite(value):
        return value
    return math.copysign(math.ldexp(0.5, math.frexp(value)[1]), value)
