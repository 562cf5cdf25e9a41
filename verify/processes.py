"""Work spread over processes, its results in the order of the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Work = TypeVar("Work")
Outcome = TypeVar("Outcome")

CHUNK = 4
"""Pieces handed to a process at once: few enough that all processes end together."""


def mapped(function: Callable[[Work], Outcome], work: Sequence[Work], jobs: int) -> Iterator[Outcome]:
    """What a function gives for each piece of work, as it becomes known; 1 job works in this process.

    Stopping early cancels what has not begun.
    """
    if jobs <= 1 or len(work) <= 1:
        yield from map(function, work)
        return
    import multiprocessing  # noqa: PLC0415 -- one process needs no pool
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(function, work, chunksize=CHUNK)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
