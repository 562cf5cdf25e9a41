"""The worker's side of an ``exec:`` target: starts the command, and puts every call to it as a question."""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, NoReturn

from verify.adapters.exec_child import Child, shown
from verify.adapters.exec_protocol import (
    HELLO_LIMIT,
    INTRODUCTION,
    PREFIX,
    Malformed,
    Program,
    ProtocolError,
    answered,
    arrays,
    hello,
    question,
    read,
    room,
)
from verify.case import Case
from verify.isolation import EndedError
from verify.result import Result, invoke

_PR_SET_CHILD_SUBREAPER: Final = 36  # of <linux/prctl.h>


def load(spec: Mapping[str, Any]) -> Callable[..., dict[str, Any]]:
    """The handler of a command, for `verify.isolation.Worker`.

    Args:
        spec: ``target`` (``exec:COMMAND``) and ``arguments``, which are passed on to it.

    Raises:
        EndedError: it cannot be started, or did not introduce itself as it should.
    """
    _adopt_orphans()
    bridge = Bridge(str(spec["target"]))
    # When a call takes too long the owner asks by this signal where it hangs. That this end waits tells nobody
    # anything; how far the program has come does.
    faulthandler.disable()
    signal.signal(signal.SIGABRT, bridge.tell)
    bridge.meet(spec.get("arguments") or {})
    return bridge.handle


def _adopt_orphans() -> None:
    """What the program leaves behind becomes a child of this process, so that its owner finds and ends it (Linux)."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Bridge:
    """A command that is running, and what it has been asked.

    Args:
        target: ``exec:COMMAND``.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._asked = 0
        self._child = Child(target.removeprefix(PREFIX))

    def meet(self, arguments: Mapping[str, Any]) -> None:
        """Exchange the first lines."""
        line = self._child.exchange(hello(arguments), HELLO_LIMIT)
        with _told():
            record = read(line, shown(line))
            self._levels = list(Program(self._target, record).levels)
        self._record = {name: record[name] for name in INTRODUCTION if name in record}

    def handle(
        self, *, operation: str, case: Mapping[str, Any] | None = None, arguments: list[Any] | None = None
    ) -> dict[str, Any]:
        """Answer the owner."""
        if operation == "levels" or case is None:
            return {"levels": self._levels, "program": self._record}
        asked, given = Case.from_json(case), arguments or []
        kind, said = self._ask(asked, given)
        if kind == "unsupported":
            return {"unsupported": said}
        if kind == "error":
            raise EndedError("raised", f"answered with an error: {said}")
        try:
            answer = arrays(said, asked)
        except Malformed as problem:
            return vars(Result(malformed=str(problem)))
        return vars(invoke({asked.level: lambda *_: answer}, asked.level, given))

    def _ask(self, case: Case, arguments: list[Any]) -> tuple[str, Any]:
        self._child.expect_quiet()
        self._asked += 1
        line = self._child.exchange(question(self._asked, case, arguments), room(case, arguments))
        with _told():
            record = read(line, shown(line))
            kind = answered(record, self._asked, shown(line))
        said = record[kind]
        return kind, said if kind == "answer" or isinstance(said, str) else json.dumps(said)

    def tell(self, *_: object) -> NoReturn:
        """Say on stderr how far the program has come, and end this process."""
        received = self._child.received
        so_far = f"a line that began {shown(received)} and did not end" if received else "nothing"
        sys.stderr.write(f"\nhippo-verify: question {self._asked} was under way; it had written {so_far}\n")
        sys.stderr.flush()
        os._exit(1)


@contextmanager
def _told() -> Iterator[None]:
    """A line that the protocol does not have ends the program: what it says next would answer nothing."""
    try:
        yield
    except ProtocolError as error:
        raise EndedError("protocol", str(error)) from None
