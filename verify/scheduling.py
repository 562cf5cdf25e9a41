"""In which order units are begun: by library, the expensive ones first, in batches that shrink towards the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from verify.costs import Costs, estimated
from verify.executors.base import Batch
from verify.planning import Plan, Unit, library_of

SHARES: Final = 4
"""A batch takes a worker's share of what is left, divided by this, ..."""
LEAST, MOST = 0.05, 30.0
"""... in seconds not less than a hand-over is worth, nor more than one likes to wait for the news; ..."""
UNITS: Final = 256
"""... and not more units than fit in a message."""
TRUSTED: Final = 5.0
"""Seconds of estimates that what was seen of a target weighs up."""

Array = np.ndarray[Any, np.dtype[Any]]


class Schedule:
    """What is left to do: a few bytes a unit.

    Args:
        units: the plan.
        costs: the table of estimates; default: the one that is shipped.

    Attributes:
        seconds: estimated, of each unit; shape (units,).
    """

    def __init__(self, units: Sequence[Unit], costs: Costs | None = None) -> None:
        self._units = units
        self.seconds: Array = estimated(units, costs)
        names = [unit.target for unit in (units.blocks if isinstance(units, Plan) else units)]
        known = {name: number for number, name in enumerate(dict.fromkeys(names))}
        codes = np.array([known[name] for name in names], np.int16)
        self._names = list(known)
        self._targets: Array = np.repeat(codes, len(units.orders)) if isinstance(units, Plan) else codes
        libraries = {name: number for number, name in enumerate(dict.fromkeys(map(library_of, known)))}
        self._library: Array = np.array([libraries[library_of(name)] for name in known], np.int16)
        self._left: Array = np.ones(len(units), bool)
        self._ahead = np.bincount(self._targets, self.seconds, len(known))  # estimated seconds left, by target
        self._seen = np.zeros(len(known))  # what was estimated of units that are done, by target
        self._took = np.zeros(len(known))  # what they took
        self._began: float | None = None

    def finish(self, index: int, seconds: float | None = None) -> None:
        """A unit is done.

        Args:
            index: its place in the plan.
            seconds: that it took, if this is news.
        """
        self._left[index] = False
        target, estimate = self._targets[index], self.seconds[index]
        self._ahead[target] -= estimate
        if seconds is not None:
            self._seen[target] += estimate
            self._took[target] += seconds

    def by_target(self) -> dict[str, float]:
        """Estimated seconds left of each target, on one worker."""
        return dict(zip(self._names, map(float, self._ahead), strict=True))

    def seconds_left(self, cores: int) -> float:
        """Seconds until all is done, on so many workers, from the estimates and what was seen of each target."""
        factors = (self._took + TRUSTED) / (self._seen + TRUSTED)
        work = float(np.maximum(self._ahead, 0) @ factors)
        done = float(self._took.sum())
        if self._began is not None and done > TRUSTED:
            # Time beside the checks: loading libraries, waiting for each other.
            work *= min(max((time.monotonic() - self._began) * cores / done, 1.0), 10.0)
        return work / cores

    def batches(self, cores: int) -> Iterator[Batch]:
        """What is left, in the order in which it is begun.

        Units that outlast a worker's share come first. Then library after library, for each is loaded once by each
        worker, those with expensive units first; in a library target after target, since one that fails is not asked
        in the process of another; the expensive orders of a target first.
        """
        self._began = time.monotonic()
        places = np.flatnonzero(self._left).astype(np.int32)
        if not len(places):
            return
        seconds, targets = self.seconds[places], self._targets[places]
        libraries = self._library[targets]
        total = float(seconds.sum(dtype=float))
        large = seconds > max(total / (SHARES * cores), LEAST)
        keys = (-seconds, targets, _rank(libraries, seconds)[libraries], ~large)
        batch: list[tuple[int, Unit]] = []
        length, library = 0.0, -1
        for position in np.lexsort(keys).astype(np.int32):
            most = min(max(total / (SHARES * cores), LEAST), MOST)
            if batch and (libraries[position] != library or length >= most or len(batch) == UNITS or large[position]):
                yield Batch(tuple(batch), batch[0][1].library, length)
                batch, length, total = [], 0.0, total - length
            index = int(places[position])
            batch.append((index, self._units[index]))
            length += float(seconds[position])
            library = libraries[position]
        yield Batch(tuple(batch), batch[0][1].library, length)


def _rank(groups: Array, seconds: Array) -> Array:
    """Place of each group, by its largest number, the largest first."""
    largest = np.zeros(int(groups.max()) + 1)
    np.maximum.at(largest, groups, seconds)
    ranks = np.empty(len(largest), np.int16)
    ranks[np.argsort(-largest, kind="stable")] = np.arange(len(largest))
    return ranks
