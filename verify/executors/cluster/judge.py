"""A process that judges for a worker of a cluster, one unit after another.

A worker of Dask answers its scheduler in the process it runs in, which exact arithmetic may hold for minutes; and what
ends a unit should not end a worker. So units are judged in processes of their own, one for each thread of a worker. A
judge has no way to the cluster: what it asks of others, exact arrays, goes through its owner.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NoReturn

import cloudpickle

from verify.executors.cluster.likeness import differences, likeness

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verify.exact_store import Elsewhere
    from verify.executors.base import Work
    from verify.planning import Unit
    from verify.verdict import Verdict

# Not a child of multiprocessing, which a worker of a nanny may not have.
_BEGIN: Final = "import sys; sys.path[:] = {path!r}; from verify.executors.cluster.judge import main; main{pipes!r}"


IDLE: Final = 60.0
"""Seconds without work after which a judge ends: its campaign may be no more."""


class EndedError(RuntimeError):
    """A judge that has ended; the message says how, as a clause."""


class UnfitError(RuntimeError):
    """A judge that does not begin, or is not like the campaign; the message says why, as a clause."""


class RaisedError(RuntimeError):
    """What the work on a unit has raised, as `__cause__`."""


class Judge:
    """The owner's side.

    Args:
        threads: variables of the environment; None for those that are not to be set.
    """

    def __init__(self, threads: Mapping[str, str | None]) -> None:
        self.likeness: dict[str, str] | None = None
        own = {**os.environ, **threads}
        with contextlib.ExitStack() as theirs:
            requests, replies, life = os.pipe(), os.pipe(), os.pipe()
            pipes = (requests[0], replies[1], life[0])
            for end in pipes:
                theirs.callback(os.close, end)
            self._requests: BinaryIO = open(requests[1], "wb")  # noqa: SIM115 -- as long as the process
            self._replies: BinaryIO = open(replies[0], "rb")  # noqa: SIM115
            self._life: BinaryIO = open(life[1], "wb")  # noqa: SIM115
            self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
            self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter, our own code
                [sys.executable, "-c", _BEGIN.format(path=[p for p in sys.path if isinstance(p, str)], pipes=pipes)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._stderr, pass_fds=pipes,
                env={name: value for name, value in own.items() if value is not None},
                start_new_session=True,  # a Ctrl-C is for the campaign, which ends this
            )  # fmt: skip

    def verdicts(self, unit: Unit, work: Work, here: dict[str, str], elsewhere: Elsewhere | None) -> list[Verdict]:
        """What ``work`` gives for a unit.

        Args:
            unit: the unit.
            work: judges it.
            here: the likeness of the campaign.
            elsewhere: what exact arrays are asked of, or None.

        Raises:
            EndedError: the process has ended.
            UnfitError: the process does not begin, or is not like the campaign.
            RaisedError: ``work`` raised.
        """
        try:
            if self.likeness is None:
                self.likeness = pickle.load(self._replies)  # noqa: S301 -- of our own process, as all of these
            unlike = differences(here, self.likeness)
            if unlike:
                raise UnfitError("; ".join(unlike))
            self._send((unit, work, elsewhere is not None))
            while True:
                what, *said = pickle.load(self._replies)  # noqa: S301
                if what == "verdicts":
                    found: list[Verdict] = said[0]
                    return found
                if what == "raised":
                    raise RaisedError from said[0]
                assert elsewhere is not None  # noqa: S101 -- it does not ask otherwise
                content = elsewhere.claim(*said) if what == "claim" else None
                if what == "settle":
                    elsewhere.settle(*said)
                self._send(content)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            if self.likeness is None:
                raise UnfitError(f"its process {self._ending()} before it began") from error
            raise EndedError(self._ending()) from error

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process.poll() is None

    def _send(self, message: Any) -> None:
        self._requests.write(cloudpickle.dumps(message))
        self._requests.flush()

    def _ending(self) -> str:
        try:
            status = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "lost its connection"
        if status >= 0:
            self._stderr.seek(0)
            said = self._stderr.read().decode("utf-8", "replace").split("\n")
            return f"ended with status {status}" + "".join(f" ({line})" for line in [*filter(None, said)][-1:])
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")

    def end(self) -> None:
        """Kill it; whoever waits for it is told. Its target ends with it."""
        self._process.kill()
        self._process.wait(5)
        for pipe in (self._requests, self._replies, self._life, self._stderr):
            with contextlib.suppress(OSError):
                pipe.close()


class _Owner:
    """The judge's side of exact arrays: asks its owner."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO) -> None:
        self._requests, self._replies = requests, replies

    def claim(self, key: str) -> bytes | None:
        content: bytes | None = self._ask("claim", key)
        return content

    def settle(self, key: str, content: bytes | None) -> None:
        self._ask("settle", key, content)

    def _ask(self, *question: Any) -> Any:
        _say(self._replies, question)
        return pickle.load(self._requests)  # noqa: S301 -- of our owner


def main(requests: int, replies: int, life: int) -> NoReturn:
    """Judge what comes, until there is no owner any more.

    Args:
        requests: descriptor to read units and answers from.
        replies: descriptor to write verdicts and questions to.
        life: descriptor of a pipe whose other end closes when the owner is gone.
    """
    threading.Thread(target=_end_with_owner, args=(life,), daemon=True).start()
    with open(requests, "rb") as asked, open(replies, "wb") as said:
        owner = _Owner(asked, said)
        _say(said, likeness())
        while select.select([asked], [], [], IDLE)[0]:
            unit, work, shared = pickle.load(asked)  # noqa: S301 -- of our owner
            if shared:
                from verify.judging import process_oracle  # noqa: PLC0415 -- heavy, and loaded by the unit anyhow

                process_oracle().exact.elsewhere = owner
            try:
                found: tuple[str, Any] = ("verdicts", work(unit))
            except Exception as error:  # noqa: BLE001 -- it is raised where the campaign is
                found = ("raised", _sendable(error))
            _say(said, found)
    os._exit(0)


def _say(replies: BinaryIO, message: Any) -> None:
    replies.write(cloudpickle.dumps(message))
    replies.flush()


def _sendable(error: Exception) -> Exception:
    try:
        cloudpickle.loads(cloudpickle.dumps(error))
    except Exception:  # noqa: BLE001 -- whatever an exception does when it is pickled
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with_owner(life: int) -> None:
    os.read(life, 1)
    os._exit(1)
