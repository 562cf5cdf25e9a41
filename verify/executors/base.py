"""What an executor is: it has units judged somewhere, and gives their verdicts as they become known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self, TypeAlias

from verify.verdict import Status, Verdict

if TYPE_CHECKING:
    from verify.planning import Unit

Work: TypeAlias = "Callable[[Unit], list[Verdict]]"
"""Judges a unit; a function of a module, so that another process can import it. What it gives depends on the unit
alone, so a unit may be asked again anywhere."""
Done: TypeAlias = "tuple[int, Unit, list[Verdict]]"
"""A unit's place in the plan, the unit, its verdicts."""

DEATHS = 3
"""Deaths in a row of our own workers, all at one unit, the last one alone in a fresh process: then it is the unit."""
STOP_SECONDS = 2.0
"""From the wish to stop to the end of all that was started, at most."""


class ExecutorError(RuntimeError):
    """Nothing can be judged here at all: workers do not start, or the scheduler is not there; the store stays whole."""


@dataclass(frozen=True)
class Batch:
    """Units that one worker does in one go, in this order: they share a library, which it then loads once.

    Attributes:
        units: each with its place in the plan.
        library: what is loaded for them.
        seconds: what they are estimated to take together.
    """

    units: tuple[tuple[int, Unit], ...]
    library: str
    seconds: float


class Executor(ABC):
    """Has units judged. A context manager: whatever ends the body, no process is left behind.

    Args:
        cores: units under way at a time, at most.
        scheduler: address of a cluster, for an executor that uses one.

    Attributes:
        key: name in `EXECUTORS`.
        cores: units under way at a time, at most.
        waiting: called by `run` whenever it has handed on all that is known and would wait for more; who consumes
            `run` uses the time, to make durable what it was given.
    """

    key: ClassVar[str]

    def __init__(self, cores: int, scheduler: str | None = None) -> None:
        if scheduler is not None:
            raise ValueError(f"scheduler is {scheduler!r}, but the executor {self.key} has none: use dask")
        self.cores = max(cores, 1)
        self.waiting: Callable[[], None] = lambda: None

    @abstractmethod
    def run(self, batches: Iterable[Batch], work: Work) -> Iterator[Done]:
        """Verdicts of every unit, each exactly once, as they become known.

        Batches are begun in their order, which puts the expensive ones first, and are taken from the iterable only
        when they can be begun soon. A worker that dies is replaced, and what it had not handed in is asked again; see
        `DEATHS` for a unit that kills each of them. An exception of ``work`` is raised here.

        Args:
            batches: what there is to do.
            work: judges a unit.

        Raises:
            ExecutorError: no unit can be judged any more.
        """

    @abstractmethod
    def stop(self) -> None:
        """End all that was started, within `STOP_SECONDS`; harmless when repeated."""

    def under_way(self) -> list[tuple[str, Unit]]:
        """What is being judged now: a short name of each worker, and its unit; any thread may ask."""
        return []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def lost(unit: Unit, how: str) -> list[Verdict]:
    """An ERROR for every cell of a unit that ended each of our own workers, the last of them alone.

    Args:
        unit: the unit.
        how: how the last one ended, as a clause: ``was killed by SIGSEGV``.
    """
    message = (
        f"hippo-verify's own process {how} while it judged this, {DEATHS} times in a row and the last time with "
        "nothing else to do; the target runs in another process, so this is a defect of ours or a lack of memory"
    )
    return [
        Verdict(check.key, check.claim, replace(unit.case, level=level), Status.ERROR, message=message)
        for level in unit.levels
        for check in unit.asked(level)
    ]
