"""How much memory a family of processes holds."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable


def resident(processes: Iterable[psutil.Process]) -> int:
    """Returns the bytes resident in these processes. A page that several share is counted in each; quick to read."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            total += process.memory_info().rss
    return total


def proportional(processes: Iterable[psutil.Process]) -> int:
    """Returns the same with each shared page counted once, as after a fork; slow to read.

    Where the system does not share out pages (macOS) only those that are not shared count, and where it does not let
    them be read, all that are resident.
    """
    total = 0
    for process in processes:
        try:
            info = process.memory_full_info()
        except psutil.AccessDenied:
            total += resident([process])
        except psutil.Error:
            continue
        else:
            total += getattr(info, "pss", info.uss)
    return total
