"""The process that does units, one after the other: it is told which, says how far it is, and may end any way it likes.

Both sides speak through one pipe of their own, so that a worker that dies with a message half written harms nobody.
To the worker: an `Order`, ``STOP``. From it: how far it is, as ``(fraction, text)``, and an `Answer`.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import Final

from verify.claims.base import Options, Result, Unit
from verify.claims.workspace import Stopped, Workspace
from verify.text import one_line

STOP: Final = "stop"
SINGLE: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
"""The environment of a worker: one thread, so that sums are made in one order, and no worker disturbs another."""
OFTEN: Final = 0.2
"""Seconds between two reports of how far a unit is."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """A unit to be done.

    Attributes:
        address: ``module:Class`` of its claim.
        unit: the unit.
        options: as the claim gets them.
        folder: for its checkpoints.
    """

    address: str
    unit: Unit
    options: Options
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How a unit ended.

    Attributes:
        result: what it gave; None where it gave nothing.
        seconds: since it began, this time.
        problem: what was wrong, in a line; "" where nothing was.
        stopped: whether it ended because it was asked to.
    """

    result: Result | None = None
    seconds: float = 0.0
    problem: str = ""
    stopped: bool = False


def main(pipe: connection.Connection) -> None:
    """Do what comes through the pipe, until it is closed."""
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)  # they reach the whole group, and who began us tells us
    os.dup2(2, 1)  # standard output may be the file of the results
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            order = pipe.recv()
        except EOFError:
            return
        if isinstance(order, Order):
            pipe.send(_done(order, pipe))


def _done(order: Order, pipe: connection.Connection) -> Answer:
    from verify.claims import resolve  # noqa: PLC0415

    begun = said = time.monotonic()
    stopping = False

    def report(fraction: float, text: str) -> None:
        nonlocal said
        if time.monotonic() - said >= OFTEN:
            said = time.monotonic()
            pipe.send((fraction, text))

    def stop() -> bool:
        nonlocal stopping
        while not stopping and pipe.poll():
            stopping = pipe.recv() == STOP
        return stopping

    try:
        workspace = Workspace(order.folder, report, stop)
        result = resolve(order.address).run(order.unit, order.options, workspace)
        # What is kept is what a later run reads back: the same object, whether it was kept or just measured.
        result = json.loads(json.dumps(_plain(dict(result), "result"), allow_nan=False))
        return Answer(result=result, seconds=time.monotonic() - begun)
    except Stopped:
        return Answer(seconds=time.monotonic() - begun, stopped=True)
    except BaseException as error:  # noqa: BLE001 -- whatever it is, it is this unit's alone
        return Answer(seconds=time.monotonic() - begun, problem=_last_line(error))


def _plain(value: object, place: str) -> object:
    """The value, if it is JSON with finite numbers."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{place} has the key {key!r}; accepted: strings")
            _plain(item, f"{place}[{key!r}]")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _plain(item, f"{place}[{index}]")
    elif isinstance(value, float) and not abs(value) < float("inf"):
        raise ValueError(f"{place} is {value}; accepted: finite numbers, or None where there is none")
    elif value is not None and not isinstance(value, bool | int | float | str):
        raise TypeError(f"{place} is a {type(value).__name__}; accepted: plain JSON")
    return value


def _last_line(error: BaseException) -> str:
    """What went wrong and where, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    lines = traceback.format_exception_only(error)
    return one_line(lines[-1].strip()) + where


def _end_with_parent() -> None:
    """Nobody is left to take what we would give."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
