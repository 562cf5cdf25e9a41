"""The processes that a worker has started, wherever they have gone."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_VARIABLE: Final = "HIPPO_VERIFY_WORKER"
_ROUNDS: Final = 20
_SECONDS: Final = 1.0


class Family:
    """One worker and what it has started, known by three signs, of which a process is not rid at once.

    They are descendants of the worker; or they are in its session; or a variable of the environment that was drawn for
    this worker alone is in the environment they were started with. The last finds a daemon too, which has left both its
    parents and its session. A process that was started with another environment and has done both is not found.
    """

    def __init__(self) -> None:
        token = secrets.token_hex(16)
        self.mark: Mapping[str, str] = {_VARIABLE: token}
        self._sign = f"{_VARIABLE}={token}".encode()

    def members(self, worker: int) -> list[psutil.Process]:
        """Those that run now, without the worker.

        Args:
            worker: id of the worker, which has not been reaped.
        """
        found = {}
        with contextlib.suppress(psutil.Error):
            found = {child.pid: child for child in psutil.Process(worker).children(recursive=True)}
        for pid in psutil.pids():
            with contextlib.suppress(OSError, psutil.Error):
                if pid not in found and pid not in (0, worker, os.getpid()) and self._belongs(pid, worker):
                    found[pid] = psutil.Process(pid)
        return list(found.values())

    def kill(self, strays: Iterable[psutil.Process]) -> None:
        """Kill these, and those that they have started meanwhile, until none is left or it has taken too long."""
        until = time.monotonic() + _SECONDS
        for _ in range(_ROUNDS):
            for stray in strays:
                with contextlib.suppress(psutil.Error):
                    stray.kill()
            strays = [psutil.Process(pid) for pid in self._marked()]
            if not strays or time.monotonic() > until:
                return

    def _belongs(self, pid: int, worker: int) -> bool:
        return os.getsid(pid) == worker or self._signed(pid)

    def _signed(self, pid: int) -> bool:
        if sys.platform != "linux":
            return psutil.Process(pid).environ().get(_VARIABLE) == self.mark[_VARIABLE]
        with open(f"/proc/{pid}/environ", "rb") as file:  # many times as fast
            return self._sign in file.read().split(b"\0")

    def _marked(self) -> list[int]:
        found = []
        for pid in psutil.pids():
            with contextlib.suppress(OSError, psutil.Error):
                if pid != os.getpid() and self._signed(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    found.append(pid)
        return found
