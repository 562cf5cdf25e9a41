"""How many threads our compiled kernels use, and the pool that they run on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

VARIABLES: Final = ("HIPPO_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS")
"""The first of these that is set says how many threads to use."""

_WORTH_A_THREAD: Final = 2**22  # updates of one coefficient: half a millisecond, what a thread costs several times over

Part = TypeVar("Part")


def thread_count() -> int:
    """Return the number of threads: the first variable of `VARIABLES` that is set, or the cores this process may use.

    Raises:
        ValueError: that variable is no integer >= 1.
    """
    for name in VARIABLES:
        # OMP_NUM_THREADS may list one count for each level of nesting; ours is the outermost.
        text = os.environ.get(name, "").split(",")[0].strip()
        if text:
            if not text.isdecimal() or int(text) < 1:
                raise ValueError(f"{name} is {os.environ[name]!r}; accepted: an integer >= 1, or unset for every core")
            return int(text)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_worth(updates: int) -> int:
    """Return how many threads are worth their cost for so many updates of one coefficient."""
    return min(thread_count(), max(1, updates // _WORTH_A_THREAD))


def run_in_threads(function: Callable[[Part], None], parts: Sequence[Part], threads: int | None = None) -> None:
    """Call ``function`` on each part, on ``threads`` threads, or on `thread_count`; one is this thread itself.

    The function must release the interpreter's lock to gain anything. The first error raised is raised again once
    every part has ended.
    """
    workers = min(thread_count() if threads is None else threads, len(parts))
    if workers <= 1:
        for part in parts:
            function(part)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (slow to import, needed for large work alone)

    with ThreadPoolExecutor(workers, thread_name_prefix="hippo_fast") as pool:
        for done in [pool.submit(function, part) for part in parts]:
            done.result()
