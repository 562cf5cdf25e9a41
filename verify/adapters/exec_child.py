"""A child process that answers lines with lines; whatever else becomes of it ends in an `EndedError` that says what.

Time and memory are the worker's: it runs this, is watched by its owner, and the child is in its process group.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import time
from typing import Final

from verify.isolation import EndedError
from verify.text import one_line

_CHUNK: Final = 1 << 20
_TICK: Final = 0.05  # seconds between two looks at the process: one that it has started may hold its output open
_GRACE: Final = 0.25  # seconds for a process that has closed its input or output to be gone
_SHOWN: Final = 120  # characters of a line in a message


def shown(line: bytes | bytearray) -> str:
    """The start of a line, fit to be read in a message."""
    text = line[: 4 * _SHOWN].decode("utf-8", "replace")
    return f"'{one_line(text[:_SHOWN])}'" + ("..." if len(text) > _SHOWN else "")


class Child:
    """A started command.

    Args:
        command: its words as a shell would split them; no shell runs it.

    Raises:
        EndedError: it cannot be started.
    """

    def __init__(self, command: str) -> None:
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise EndedError("load", f"is no command: {one_line(str(error))} in {shown(command.encode())}") from None
        if not words:
            raise EndedError("load", "is an empty command; give a program, as in exec:./program")
        try:
            # Its stderr is the worker's, which is captured and bounded.
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)  # noqa: S603
        except (OSError, ValueError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or str(error)
            raise EndedError(
                "load",
                f"could not be started: {shown(os.fsencode(words[0]))}: {one_line(reason)}; give a program on PATH, or "
                "a path as in exec:./program (no shell reads the command: ~, $ and * stand for themselves)",
            ) from None
        assert self._process.stdin is not None  # noqa: S101 -- asked for above; for the type checker
        assert self._process.stdout is not None  # noqa: S101
        self._stdin, self._stdout = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._stdin, False)
        os.set_blocking(self._stdout, False)
        self._received = bytearray()
        self._searched = 0
        self._closed = False

    @property
    def received(self) -> bytes:
        """What it has written of a line that is not whole yet."""
        return bytes(self._received[: 4 * _SHOWN])

    def expect_quiet(self) -> None:
        """Make sure that it waits for a question.

        Raises:
            EndedError: it has written something since its last answer, or has ended.
        """
        self._read()
        if self._received:
            line = self._received.partition(b"\n")[0]
            raise EndedError("protocol", f"wrote a line to its stdout that nobody had asked for: {shown(line)}")
        if self._process.poll() is not None:  # what it has started may hold its output open, and is not it
            self._lost("ended", 0)

    def exchange(self, line: bytes, limit: int) -> bytes:
        """Write a line, and return the next one it writes, without its end.

        Args:
            line: ends with a newline.
            limit: bytes that the answer may have.

        Raises:
            EndedError: it ended, closed its input or output, or wrote a longer line.
        """
        pending = memoryview(line)
        deaf_since: float | None = None
        while (answer := self._line(limit)) is None:
            if self._closed:
                self._lost("closed its stdout", _GRACE)
            readable, writable, _ = select.select([self._stdout], [self._stdin] if pending else [], [], _TICK)
            if writable:
                try:
                    pending = pending[os.write(self._stdin, pending[:_CHUNK]) :]
                except BlockingIOError:
                    pass
                except BrokenPipeError:  # what it wrote before is still to be read
                    pending, deaf_since = memoryview(b""), time.monotonic()
            if readable:
                self._read(once=True)
            elif self._process.poll() is not None:
                self._read()  # it may have written between the two looks
                if b"\n" not in self._received:
                    self._lost("ended", _GRACE)
            elif deaf_since is not None and time.monotonic() - deaf_since > _GRACE:
                self._lost("closed its stdin", 0)
        if pending:
            raise EndedError("protocol", f"answered before it had read the whole question: {shown(answer)}")
        return answer

    def _line(self, limit: int) -> bytes | None:
        """Take the next whole line off what was received."""
        end = self._received.find(b"\n", self._searched)
        self._searched = len(self._received) if end < 0 else 0
        if max(end, self._searched) > limit:
            raise EndedError(
                "protocol", f"wrote a line of more than {limit} bytes, the most that this answer may have: "
                f"{shown(self._received)}"
            )  # fmt: skip
        if end < 0:
            return None
        line = bytes(self._received[:end]).removesuffix(b"\r")
        del self._received[: end + 1]
        return line

    def _read(self, once: bool = False) -> None:
        """Take what there is to read."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._stdout, _CHUNK):
                self._received += data
                if once or len(self._received) > _CHUNK:
                    return
            self._closed = True

    def _lost(self, deed: str, grace: float) -> None:
        """Say how it ended; if it did not, what it did.

        Raises:
            EndedError: always.
        """
        amid = f" in the middle of a line: {shown(self._received)}" if self._received else ""
        try:
            status = self._process.wait(grace)
        except subprocess.TimeoutExpired:
            raise EndedError("protocol", f"{deed}{amid or ' without an answer'}") from None
        if status < 0:
            hint = ", sent by itself or the system (which may be out of memory)" if -status == signal.SIGKILL else ""
            raise EndedError("crash", f"was killed by {_signal(-status)}{hint}{amid}")
        # A shell, and many a wrapper, tells the death of what it ran by such a status.
        hint = f" (so a shell says that {_signal(status - 128)} killed what it ran)" if 128 < status < 160 else ""
        raise EndedError("exit", f"ended its process with status {status}{hint}{amid}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
