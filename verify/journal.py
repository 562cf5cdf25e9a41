"""What a target is asked, on disk before it is asked: whatever becomes of the process, the input is there.

A file of calls (``hippo-calls/1``) is one JSON object: ``calls``, each with its ``case`` and its ``input`` (numbers as
hex floats), ``about``, what is known of them, and ``sha256``, the digest of the two. It holds the call that is under
way, and every counterexample of which no certified answer can be given.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from verify.case import Case, identity
from verify.inputs import INPUTS, Batch, Input, Order, ReadOut, Resumption, Signal, TimedSignal, Transition, read_input
from verify.result import Result, Target, TargetError, Wrapped

CALLS = "hippo-calls/1"
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Call:
    """One call of a target: at which case, with which input."""

    case: Case
    input: Input

    @cached_property
    def id(self) -> str:
        """Stable name of the content."""
        return identity(self.case.to_json(), self.input.id)

    def to_json(self) -> dict[str, Any]:
        """Case and input; nothing is rounded."""
        return {"case": self.case.to_json(), "input": self.input.to_json()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Call:
        """The inverse of `to_json`.

        Raises:
            ValueError: a record that lacks something.
        """
        try:
            case = Case.from_json(record["case"])
            asked = read_input(case.level, record["input"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"a call needs a case and an input: {error}") from None
        if asked is None:
            raise ValueError(f"the input of a {case.level} call lacks its numbers; it has {', '.join(record['input'])}")
        return cls(case, asked)


def input_of(level: str, arguments: Sequence[Any]) -> Input:
    """The input that a call was made from; the inverse of `Input.arguments`.

    Args:
        level: level of the call.
        arguments: its arguments, arrays of float32 or float64.
    """

    def doubles(value: Any) -> Any:
        return tuple(np.asarray(value).tolist())

    form = INPUTS[level]
    if form is Order:
        return Order()
    if form is Transition:
        return Transition(doubles(arguments[0]), float(arguments[1]), int(arguments[2]), "asked")
    if form is TimedSignal:
        return TimedSignal(doubles(arguments[0]), doubles(arguments[1]), "asked")
    if form is Batch:
        return Batch(tuple(map(tuple, doubles(arguments[0]))), "asked")
    if form is Resumption:
        return Resumption(doubles(arguments[0]), doubles(arguments[1]), int(arguments[2]), "asked")
    if form is ReadOut:
        return ReadOut(doubles(arguments[0]), doubles(arguments[1]), "asked")
    return Signal(doubles(arguments[0]), "asked")


@dataclass(frozen=True)
class Calls:
    """A file of calls.

    Attributes:
        calls: in the order in which they were made.
        about: which check they belong to, what came of them; for a call under way the process that made it.
    """

    calls: tuple[Call, ...]
    about: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """The file."""
        content = _canonical({"calls": [call.to_json() for call in self.calls], "about": dict(self.about)})
        return f'{{"format":"{CALLS}","sha256":"{_digest(content)}",{content[1:]}\n'


def _canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def read_calls(path: Path) -> Calls:
    """A file of calls.

    Raises:
        ValueError: unreadable, torn, changed, or of another format.
    """
    try:
        record = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: no whole JSON object: the file was cut short while it was written") from None
    if not isinstance(record, dict) or record.get("format") != CALLS:
        found = record.get("format") if isinstance(record, dict) else None
        raise ValueError(f"{path}: format is {found!r}; accepted: {CALLS!r}")
    content = {name: record.get(name) for name in ("calls", "about")}
    if record.get("sha256") != _digest(_canonical(content)):
        raise ValueError(f"{path}: the checksum does not match: the calls were changed after they were written")
    try:
        return Calls(tuple(map(Call.from_json, record["calls"])), record["about"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


class JournaledTarget(Wrapped):
    """A target whose calls are on disk before they are made.

    The call under way is in ``in-flight-<process>-<number>.json``, handed to the operating system before the target is
    asked: it outlives the process, but not a loss of power, for which every call would have to wait for the disk. It is
    emptied when the target answers, or says that it cannot, and removed by `close`. A `TargetError` learns which call
    it came from (``evidence["call"]``). A file that cannot be written stops nothing: `problem` says why there is none.

    Args:
        target: the target that is asked.
        folder: where the file lies; None: there is none.
    """

    def __init__(self, target: Target, folder: Path | None = None) -> None:
        super().__init__(target)
        self.problem = ""
        self._folder = folder
        self._path: Path | None = None
        self._file: int | None = None
        self._process: dict[str, Any] = {}

    def call(self, case: Case, *arguments: Any) -> Result:
        """Write down, ask, cross out."""
        call = Call(case, input_of(case.level, arguments))  # now: the target may write into its arguments
        self._write(call)
        try:
            result = self._target.call(case, *arguments)
        except TargetError as error:
            error.evidence.setdefault("call", call.to_json())
            self._cross_out()
            raise
        self._cross_out()
        return result

    def close(self) -> None:
        """Close the target; the file goes with it unless a call was never answered."""
        super().close()
        if self._file is None or self._path is None:
            return
        answered = os.fstat(self._file).st_size == 0
        os.close(self._file)
        self._file = None
        if answered:
            self._path.unlink(missing_ok=True)
            _remove_empty(self._path.parent)

    def _write(self, call: Call) -> None:
        if self._folder is None or self.problem:
            return
        try:
            if self._file is None or self._process["pid"] != os.getpid():
                self._open(self._folder)
            assert self._file is not None  # noqa: S101 -- opened above
            os.pwrite(self._file, Calls((call,), {"process": self._process}).text().encode(), 0)
        except OSError as error:
            self.problem = f"cannot write {self._folder}: {error.strerror or error}"

    def _open(self, folder: Path) -> None:
        process = psutil.Process()
        self._process = {"pid": process.pid, "started": process.create_time()}
        self._path = folder / f"in-flight-{process.pid}-{next(_NUMBERS)}.json"
        for _ in range(3):  # who ends beside us removes the folder while it is empty
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
                return
            except FileNotFoundError:
                continue
        raise FileNotFoundError(f"{folder} was removed")

    def _cross_out(self) -> None:
        if self._file is not None and not self.problem:
            os.ftruncate(self._file, 0)


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # others need it


def left_behind(folder: Path) -> list[Path]:
    """Calls that a process wrote down and did not live to see answered; what others left empty is removed.

    Args:
        folder: as given to `JournaledTarget`; it need not exist.
    """
    found = []
    for path in sorted(folder.glob("in-flight-*.json")):
        try:
            content = path.read_bytes()
            process: Mapping[str, Any] = json.loads(content)["about"]["process"]
            alive = _lives(process["pid"], process["started"])
        except FileNotFoundError:
            continue  # answered meanwhile
        except (OSError, ValueError, LookupError, TypeError):
            # Empty, or torn: the name still says whose it is.
            pid = path.stem.split("-")[2]
            alive = pid.isdecimal() and _lives(int(pid))
        if alive:
            continue
        if content:
            found.append(path)
        else:
            path.unlink(missing_ok=True)
    return found


def _lives(pid: int, started: float | None = None) -> bool:
    try:
        found = psutil.Process(pid).create_time()
    except psutil.Error:
        return False
    # Its number may have been given to another one since.
    return started is None or abs(started - found) < 1
