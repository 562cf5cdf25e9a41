"""Worker processes, each with a pipe of its own: what one does to itself ends in one `Answer` and a new worker."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any, Generic, TypeVar

from verify.claims import worker
from verify.claims.worker import Answer, Order

Name = TypeVar("Name")


@dataclass
class _Worker:
    """A process; `busy` while it does a unit."""

    process: Any
    pipe: connection.Connection
    busy: Any = None
    begun: float = 0.0


@dataclass
class Pool(Generic[Name]):
    """Up to so many workers, begun when they are needed.

    Attributes:
        size: how many there are at most.
    """

    size: int
    _workers: list[_Worker] = field(default_factory=list)

    @property
    def free(self) -> int:
        """How many units could be begun now."""
        return self.size - sum(one.busy is not None for one in self._workers)

    @property
    def busy(self) -> list[Name]:
        """The names of the units under way."""
        return [one.busy for one in self._workers if one.busy is not None]

    def begin(self, name: Name, order: Order) -> None:
        """Have a free worker do a unit.

        Args:
            name: what `wait` calls it; not None.
            order: what is to be done.
        """
        idle = next((one for one in self._workers if one.busy is None), None)
        if idle is not None and not idle.process.is_alive():  # that is no fault of the unit's
            self._remove(idle)
            idle = None
        if idle is None:
            idle = _begun()
            self._workers.append(idle)
        idle.busy, idle.begun = name, time.monotonic()
        with contextlib.suppress(OSError):  # `wait` finds that it is no more
            idle.pipe.send(order)

    def wait(self, seconds: float) -> Iterator[tuple[Name, Answer | tuple[float, str]]]:
        """What workers have to say, as soon as one has something, for so many seconds at most."""
        busy = [one for one in self._workers if one.busy is not None]
        if not busy:
            return
        # A worker that dies closes its end of the pipe.
        ready = connection.wait([one.pipe for one in busy], max(0.0, seconds))
        for one in busy:
            if one.pipe not in ready:
                continue
            try:
                said = one.pipe.recv()
            except (EOFError, OSError):
                said = Answer(problem=_ending(one), seconds=time.monotonic() - one.begun)
                self._remove(one)
            name = one.busy
            if isinstance(said, Answer):
                one.busy = None
            yield name, said

    def stop(self) -> None:
        """Ask all that are under way to end where they can go on from."""
        for one in self._workers:
            with contextlib.suppress(OSError):
                one.pipe.send(worker.STOP)

    def close(self) -> None:
        """End all workers, whatever they do."""
        for one in list(self._workers):
            one.process.kill()
        for one in list(self._workers):
            self._remove(one)

    def _remove(self, one: _Worker) -> None:
        one.process.kill()
        one.process.join()
        one.process.close()
        one.pipe.close()
        self._workers.remove(one)


def _begun() -> _Worker:
    """A new process. It has one thread; what ends the whole group, such as Ctrl-C, does not end it: we tell it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    before = {name: os.environ.get(name) for name in worker.SINGLE}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})  # it inherits that
    os.environ.update(worker.SINGLE)
    try:
        process = context.Process(target=worker.main, args=(theirs,), daemon=True)
        process.start()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    theirs.close()
    return _Worker(process, ours)


def _ending(one: _Worker) -> str:
    one.process.join(5)
    code = one.process.exitcode
    if code is None:
        return "the worker closed its pipe and went on"
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = str(-code)
        return f"the worker was killed by signal {name}" + (": out of memory?" if name == "SIGKILL" else "")
    return f"the worker ended with exit code {code}"
