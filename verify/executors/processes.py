"""Units on processes of this machine: one pool of one worker each, so that a death concerns one worker alone."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as any_of
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import TYPE_CHECKING, Any, Final

from verify.executors.base import DEATHS, STOP_SECONDS, Batch, Done, Executor, ExecutorError, Work, lost
from verify.judging import close_targets

if TYPE_CHECKING:
    from verify.planning import Unit
    from verify.verdict import Verdict

AHEAD: Final = 0.1
"""Seconds of work that wait at a worker, so that it need not wait for us."""
LEAST, MOST = 2, 64
"""The same in units, the one under way included."""
PATIENCE: Final = STOP_SECONDS / 2
"""Seconds that a worker has to end the process of its target and itself."""
SIGNALS: Final = {signal.SIGINT, signal.SIGTERM}


class Processes(Executor):
    """Workers are spawned: they share nothing with us but what they are sent."""

    key = "processes"

    def __init__(self, cores: int, scheduler: str | None = None) -> None:
        super().__init__(cores, scheduler)
        self._slots = [_Slot(str(number + 1)) for number in range(self.cores)]

    def run(self, batches: Iterable[Batch], work: Work) -> Iterator[Done]:
        """The units, as they become known."""
        source = iter(batches)
        while True:
            for slot in self._slots:
                slot.feed(source, work)
            heads = [slot.given[0][2] for slot in self._slots if slot.given]
            if not heads:
                return
            if not any(head.done() for head in heads):
                self.waiting()
                wait(heads, return_when=FIRST_COMPLETED)
            for slot in self._slots:
                yield from slot.collect()

    def stop(self) -> None:
        """Have the workers end their targets and themselves; kill those that do not."""
        running = [slot for slot in self._slots if slot.running]
        for slot in running:
            slot.tell(signal.SIGTERM)
        until = time.monotonic() + PATIENCE
        for slot in running:
            if slot.ends_before(until):
                continue
            slot.tell(signal.SIGKILL)
        for slot in running:
            slot.dismiss()

    def under_way(self) -> list[tuple[str, Unit]]:
        """The first unit of each worker."""
        found = []
        for slot in self._slots:
            with contextlib.suppress(IndexError):  # it has just been handed in
                found.append((slot.name, slot.given[0][1]))
        return found


class _Slot:
    """A worker, and another one when it dies.

    Attributes:
        name: its number.
        given: what it was given and has not handed in, in order: place in the plan, unit, promise. It does one after
            the other, so at its death the first one was under way.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.given: deque[tuple[int, Unit, Future[list[Verdict]]]] = deque()
        self._left: deque[tuple[int, Unit]] = deque()  # of its batch
        self._pace, self._handed_in = AHEAD, time.monotonic()  # seconds a unit, of late; when the last one came
        self._context = _Context()
        self._pool: ProcessPoolExecutor | None = None
        self._began: Future[None] | None = None
        self._deaths = 0  # in a row, with the same unit under way
        self._stillborn = 0  # workers in a row that never began

    @property
    def running(self) -> bool:
        return self._pool is not None

    @property
    def _has_begun(self) -> bool:
        return self._began is not None and self._began.done() and self._began.exception() is None

    def feed(self, source: Iterator[Batch], work: Work) -> None:
        """Give it work, its own batch first, until it has enough for now."""
        most = min(max(int(AHEAD / max(self._pace, 1e-6)), LEAST), MOST)
        if self._deaths == DEATHS - 1:
            most = 1  # the last time it is alone
        while len(self.given) < most:
            if not self._left:
                batch = next(source, None)
                if batch is None:
                    return
                self._left.extend(batch.units)
            index, unit = self._left.popleft()
            self.given.append((index, unit, self._submitted(work, unit)))

    def _submitted(self, work: Work, unit: Unit) -> Future[list[Verdict]]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=self._context, initializer=_begin)
            self._began = self._pool.submit(_nothing)
        try:
            return self._pool.submit(work, unit)
        except BrokenProcessPool as error:  # it died meanwhile
            if self._has_begun and not self.given:  # with nothing to do: no unit is to blame
                self.dismiss()
                return self._submitted(work, unit)
            broken: Future[list[Verdict]] = Future()
            broken.set_exception(error)
            return broken

    def collect(self) -> Iterator[Done]:
        """What it has handed in."""
        now, before = time.monotonic(), len(self.given)
        while self.given and self.given[0][2].done():
            index, unit, promise = self.given[0]
            error = promise.exception()
            if isinstance(error, BrokenProcessPool):
                yield from self._bury()
                return
            if error is not None:
                raise error
            self._deaths = self._stillborn = 0
            self.given.popleft()
            yield index, unit, promise.result()
        if len(self.given) < before:
            self._pace += ((now - self._handed_in) / (before - len(self.given)) - self._pace) / 4
            self._handed_in = now

    def _bury(self) -> Iterator[Done]:
        """Take back what a worker that has died was given, or say that its unit is to blame."""
        how = self._context.ending()
        began = self._has_begun
        self.dismiss()
        index, unit, _ = self.given[0]
        if not began:
            self._stillborn += 1
            if self._stillborn == DEATHS:
                raise ExecutorError(
                    f"{DEATHS} worker processes in a row {how} before they began to work; what is finished is in the "
                    "store. A script that runs a campaign on processes needs `if __name__ == '__main__':`"
                )
        else:
            self._stillborn = 0
            self._deaths += 1
        blamed = self._deaths == DEATHS
        self._left.extendleft(given[:2] for given in reversed(self.given))
        self.given.clear()
        if blamed:
            self._deaths = 0
            self._left.popleft()
            yield index, unit, lost(unit, how)

    def tell(self, number: signal.Signals) -> None:
        """Send the worker a signal."""
        self._context.tell(number)

    def ends_before(self, until: float) -> bool:
        """Whether the worker is gone by then."""
        return self._context.gone(max(until - time.monotonic(), 0))

    def dismiss(self) -> None:
        """Let go of a pool whose worker is gone or was told to go."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._began = None


class _Process(SpawnProcess):
    """Begins with Ctrl-C and SIGTERM held back: until it knows what to do about them they would end it noisily."""

    def start(self) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Context(SpawnContext):
    """Spawns, and remembers whom: a pool does not say."""

    def __init__(self) -> None:
        self._process: SpawnProcess | None = None

    def Process(self, *arguments: Any, **keywords: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802
        self._process = _Process(*arguments, **keywords)
        return self._process

    def tell(self, number: signal.Signals) -> None:
        pid = None if self._process is None else self._process.pid
        if pid is not None and self._process is not None and self._process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def gone(self, seconds: float) -> bool:
        return self._process is None or self._process.pid is None or bool(any_of([self._process.sentinel], seconds))

    def ending(self) -> str:
        """How the process ended, as a clause."""
        if self._process is None:
            return "was not started"
        self._process.join(PATIENCE)
        code = self._process.exitcode
        if code is None:
            return "lost its connection"
        if code >= 0:
            return f"ended with status {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _nothing() -> None:
    """The first task of a worker: that it is done says that the worker has begun."""


def _begin() -> None:
    """In a worker, first: what ends all of a terminal, such as Ctrl-C, does not end it: we tell it, or are gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with_owner, daemon=True).start()


def _leave(*_: object) -> None:
    close_targets()
    os._exit(128 + signal.SIGTERM)


def _end_with_owner() -> None:
    """Waits for the end of the process that started this one; its own pipes do not tell, as it holds both ends."""
    owner = multiprocessing.parent_process()
    if owner is not None:
        any_of([owner.sentinel])
        os._exit(1)  # which ends the targets' processes as well
