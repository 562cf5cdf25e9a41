"""One unit after another, in this process."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from verify.executors.base import Batch, Done, Executor, Work
from verify.judging import close_targets

if TYPE_CHECKING:
    from verify.planning import Unit

QUICK = 0.01
"""Seconds: after a unit that took no more the next one is begun at once; making it durable would take longer."""
OFTEN = 0.1
"""Seconds after which even those are made durable."""


class Serial(Executor):
    """Does all the work itself."""

    key = "serial"

    def __init__(self, cores: int = 1, scheduler: str | None = None) -> None:
        super().__init__(1, scheduler)
        self._unit: Unit | None = None

    def run(self, batches: Iterable[Batch], work: Work) -> Iterator[Done]:
        """The units in the order of the batches."""
        began = waited = time.monotonic()
        for batch in batches:
            for index, unit in batch.units:
                now = time.monotonic()
                if now - began > QUICK or now - waited > OFTEN:
                    self.waiting()
                    waited = now
                self._unit, began = unit, time.monotonic()
                verdicts = work(unit)
                self._unit = None
                yield index, unit, verdicts

    def stop(self) -> None:
        """End the workers of the targets."""
        close_targets()

    def under_way(self) -> list[tuple[str, Unit]]:
        """The unit that is being judged."""
        unit = self._unit
        return [] if unit is None else [("1", unit)]
