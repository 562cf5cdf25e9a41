"""The owner's side: starts a worker, asks it, watches it, and says in one sentence what became of it.

Nothing here trusts the worker. Its replies are parsed as data, never unpickled; time is measured by the owner's
clock; memory is read from the operating system; and whatever has gone wrong ends with SIGKILL to the whole process
group. One loop does all of this while a call is under way, and no thread is left behind: output that a target writes
between calls stays in the pipe, where it blocks the target and nobody else.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import selectors
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import weakref
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import psutil

from verify.isolation.family import Family
from verify.isolation.memory import proportional, resident
from verify.isolation.wire import TAG_BYTES, Decoder, WireError, encode
from verify.text import LONGEST, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

Kind = Literal["load", "raised", "timeout", "crash", "exit", "memory", "protocol"]

_TAIL_BYTES: Final = 64 * 1024
_TRACEBACK_CHARACTERS: Final = 16 * 1024
_CHUNK: Final = 1024 * 1024
_TICK: Final = 0.02  # seconds between two looks at the memory and at the process, at most
_FASTEST: Final = 2**34  # bytes a second that a target may fill: the more it holds, the sooner the next look
_CROWD: Final = 512  # processes of one worker
_SCAN: Final = 0.1  # seconds between two searches for processes that the target has started
_GRACE: Final = 0.25  # seconds for a process that has been told to end, or has closed its channel, to be gone

# The owner's sys.path is set before the first import: a directory named `verify` in the working directory, which
# `python -m` would put first, must not be taken for this package, and targets must resolve as they do in the owner.
_BOOTSTRAP: Final = (
    "import sys; sys.path[:] = {path!r}; from verify.isolation.worker import main; main({requests}, {replies}, {life})"
)

_FRAME: Final = re.compile(r'^  File "(?P<path>.*)", line (?P<line>\d+) in (?P<function>.*)$', re.MULTILINE)


class WorkerError(Exception):
    """A call that brought no result.

    Attributes:
        kind: ``load`` (the target could not be loaded, for whatever reason), ``raised`` (it raised an exception),
            ``timeout``, ``crash`` (ended by a signal), ``exit`` (ended its process, or tried to), ``memory``, or
            ``protocol`` (what came back is not a reply, or its result cannot be sent).
        message: What happened, one sentence on one line.
        traceback: The target's traceback, where there is one; bounded.
        exception: The name of the type of the exception that the target raised; empty if it raised none.
        stdout: The end of what the target wrote to stdout since the call began; bounded.
        stderr: The same for stderr.
    """

    def __init__(
        self, kind: Kind, message: str, *, traceback: str = "", exception: str = "", stdout: str = "", stderr: str = ""
    ) -> None:
        super().__init__(kind, message)
        self.kind: Kind = kind
        self.message = message
        self.traceback = traceback
        self.exception = exception
        self.stdout = stdout
        self.stderr = stderr

    def __str__(self) -> str:
        return self.message


class Worker:
    """A handler that runs in a process of its own.

    The process starts with the first call. What the worker itself reports (an exception, ``sys.exit``, a result that
    cannot be sent) leaves it alive; after a crash, a timeout, an exit, too much memory or a broken channel the next
    call starts a fresh one. Calls from several threads run one after another.

    Args:
        loader: ``"package.module:function"``. The worker imports it and calls ``function(spec)`` once; what that
            returns is the handler. The worker imports from the owner's ``sys.path`` and has its working directory.
        spec: The argument of the loader; values that ``wire.encode`` accepts.
        timeout: Seconds that one call may take.
        load_timeout: Seconds that starting the process and loading the target may take.
        memory_limit: Bytes that the worker and the processes it has started may hold resident together; None for no
            limit. It is read every 20 ms, and every millisecond near the limit, so a target overshoots by what it can
            touch in that time. (A limit on the address space or on data is no substitute: BLAS, torch and jax reserve
            far more than they use.)
        environment: Variables that are added to the inherited environment.

    Attributes:
        served: For those who share a worker to put their names in; empty again in a fresh process.

    Raises:
        ValueError: ``loader`` is not of that form, or a timeout or the limit is not positive.
        WireError: ``spec`` cannot be sent.
    """

    def __init__(
        self,
        loader: str,
        spec: Mapping[str, Any],
        *,
        timeout: float = 60.0,
        load_timeout: float = 180.0,
        memory_limit: int | None = 2 * 2**30,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if not re.fullmatch(r"[^:\s]+:[^:\s]+", loader):
            raise ValueError(f"loader must be 'package.module:function', got {loader!r}")
        for name, value in (("timeout", timeout), ("load_timeout", load_timeout), ("memory_limit", memory_limit)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive, got {value!r}")
        self._tag = secrets.token_bytes(TAG_BYTES)
        self._load_request = encode({"loader": loader, "spec": dict(spec)}, self._tag)
        self._timeout = timeout
        self._load_timeout = load_timeout
        self._memory_limit = memory_limit
        self._environment = dict(environment or {})
        self._lock = threading.RLock()
        self._process: _Process | None = None
        self.served: set[str] = set()
        self._finalizer: Callable[[], object] | None = None

    def call(self, **arguments: Any) -> Any:
        """Runs ``handler(**arguments)`` in the worker and returns its result.

        Raises:
            WorkerError: There is no result; its ``kind`` says why.
            WireError: An argument cannot be sent. The worker has not been asked.
        """
        with self._lock:
            tag = secrets.token_bytes(TAG_BYTES)  # so that a late or a forged reply answers nothing
            pieces = encode({"arguments": arguments}, tag)  # first: a mistake of the caller's costs no worker
            return self._ask(self._ready(), tag, pieces, self._timeout, loading=False)

    def close(self) -> None:
        """Kills the process and all that it started. A later call starts a fresh one."""
        with self._lock:
            if self._finalizer is not None:
                self._finalizer()
            self._finalizer = None
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The id of the process; None where none has been started or it has been done away with."""
        return None if self._process is None else self._process.pid_in_use

    @property
    def alive(self) -> bool:
        """Whether there is a process that could answer."""
        return self._process is not None and self._process.usable()

    @property
    def stdout_tail(self) -> str:
        """The end of what the target wrote to stdout since the last call began, at most 64 KiB."""
        with self._lock:
            return "" if self._process is None else self._process.tail("stdout")

    @property
    def stderr_tail(self) -> str:
        """The end of what the target wrote to stderr since the last call began, at most 64 KiB."""
        with self._lock:
            return "" if self._process is None else self._process.tail("stderr")

    def _ready(self) -> _Process:
        if self._process is not None and self._process.usable():
            self._process.forget_output()
            return self._process
        self.close()
        self.served.clear()
        process = _Process(self._environment, self._memory_limit)
        self._process = process
        # A worker that nobody closed ends with its owner object, or with the interpreter.
        self._finalizer = weakref.finalize(self, process.end)
        self._ask(process, self._tag, self._load_request, self._load_timeout, loading=True)
        return process

    def _ask(self, process: _Process, tag: bytes, pieces: list[memoryview], seconds: float, *, loading: bool) -> Any:
        try:
            reply = process.exchange(tag, pieces, seconds)
            match reply:
                case {"kind": "ok", "value": value}:
                    return value
                case {
                    "kind": "load" | "raised" | "crash" | "exit" | "memory" | "protocol" as kind,
                    "what": str(what),
                    "exception": str(exception),
                    "traceback": str(trace),
                }:
                    # The worker has seen to it that these are short and on one line, unless the target forged them.
                    lost = _LostError(kind, one_line(what, 2 * LONGEST), trace, one_line(exception))
                case _:
                    raise _LostError("protocol", f"sent something that is not a reply: {reply!r:.80}")
            if loading or reply.get("ended") is True:  # an `EndedError`: what it asked in its turn is lost
                process.end()
        except _LostError as caught:
            process.end()
            lost = caught
        except BaseException:  # Ctrl-C, say: the reply that is under way must not meet the next request
            self.close()
            raise
        output = {"stdout": process.tail("stdout"), "stderr": process.tail("stderr")}
        message = f"The target could not be loaded: it {lost.what}" if loading else f"The target {lost.what}"
        message += "" if message.endswith((".", "!", "?")) else "."
        raise WorkerError(
            "load" if loading else lost.kind,
            message,
            traceback=lost.traceback[-_TRACEBACK_CHARACTERS:],
            exception=lost.exception,
            **output,
        )


class _LostError(Exception):
    """Why there is no result, as a clause that completes "the target ..."."""

    def __init__(self, kind: Kind, what: str, traceback: str = "", exception: str = "") -> None:
        super().__init__(kind, what)
        self.kind: Kind = kind
        self.what = what
        self.traceback = traceback
        self.exception = exception


class _Process:
    """One life of a worker: its process, its channels, and the processes it has started."""

    def __init__(self, environment: Mapping[str, str], memory_limit: int | None) -> None:
        self._owner = os.getpid()
        self._memory_limit = memory_limit
        self._ended = False
        self._tails = {"stdout": bytearray(), "stderr": bytearray()}
        self._family = Family()
        # Sets of strings then iterate in the same order in every worker, so a verdict can be reproduced.
        variables = {"PYTHONHASHSEED": "0", **os.environ, **environment, **self._family.mark}
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            request_end, self._requests = _pipe(theirs, ours)
            life_end, _ = _pipe(theirs, ours)  # never written to: that it closes tells the worker its owner is gone
            self._replies, reply_end = _pipe(ours, theirs)
            code = _BOOTSTRAP.format(
                path=[entry for entry in sys.path if isinstance(entry, str)],
                requests=request_end,
                replies=reply_end,
                life=life_end,
            )
            self._popen = subprocess.Popen(  # noqa: S603 -- our own interpreter, our own code
                [sys.executable, "-c", code],
                bufsize=0,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=variables,
                pass_fds=(request_end, reply_end, life_end),
                start_new_session=True,
            )
            self._selector = selectors.DefaultSelector()
            ours.callback(self._selector.close)
            for name, stream in (("stdout", self._popen.stdout), ("stderr", self._popen.stderr)):
                assert stream is not None  # noqa: S101 -- asked for above; for the type checker
                ours.callback(stream.close)
                os.set_blocking(stream.fileno(), False)
                self._selector.register(stream.fileno(), selectors.EVENT_READ, name)
            os.set_blocking(self._requests, False)
            os.set_blocking(self._replies, False)
            self._selector.register(self._replies, selectors.EVENT_READ, "replies")
            self._resources = ours.pop_all()
        self.pid = self._popen.pid
        self._watched = psutil.Process(self.pid)
        self._started: list[psutil.Process] = []
        self._next_look = 0.0
        self._next_scan = 0.0

    @property
    def pid_in_use(self) -> int | None:
        """The id of the process until it is reaped."""
        return None if self._ended else self.pid

    def usable(self) -> bool:
        """Whether the process runs and is ours to use: after a fork of the owner it still belongs to the parent."""
        return not self._ended and os.getpid() == self._owner and not self._gone()

    def tail(self, name: Literal["stdout", "stderr"]) -> str:
        """The end of one output."""
        if not self._ended:
            self._drain()
        return self._tails[name].decode("utf-8", "replace")

    def forget_output(self) -> None:
        """Makes the tails begin here."""
        self._drain()
        for tail in self._tails.values():
            tail.clear()

    def exchange(self, tag: bytes, request: list[memoryview], seconds: float) -> Any:
        """Sends one encoded request and returns the reply of the same tag, decoded but not yet judged.

        Raises:
            _LostError: No reply came.
        """
        deadline = time.monotonic() + seconds
        pieces = deque(request)
        decoder = Decoder(tag)
        closed_at: float | None = None
        self._selector.register(self._requests, selectors.EVENT_WRITE, "requests")
        try:
            while True:
                now = time.monotonic()
                if now >= self._next_look or closed_at is not None:
                    self._next_look = now + self._refuse_memory(now)
                    if self._gone():
                        if closed_at is None and self._receive(decoder) is True:
                            return decoder.value()
                        raise self._death()
                if closed_at is not None and now - closed_at > _GRACE:
                    raise _LostError("protocol", "closed the channel that its reply should have come by")
                if now >= deadline:
                    where, trace = self._interrupt()
                    raise _LostError(
                        "timeout", f"did not answer within {seconds:g} s{where and '; it was' + where}", trace
                    )
                soon = self._next_look if closed_at is None else now + _TICK / 20
                wait = max(min(soon, deadline) - now, 0)
                for key, _ in self._selector.select(wait):
                    if key.data == "requests":
                        self._send(pieces)
                    elif key.data == "replies":
                        whole = self._receive(decoder)
                        if whole:
                            return decoder.value()
                        if whole is None:
                            self._selector.unregister(self._replies)
                            closed_at = now
                    else:
                        self._read_output(key.fd, key.data)
        except WireError as error:
            raise _LostError("protocol", f"sent something that is not a reply: {error}") from error
        finally:
            if not self._ended and self._requests in self._selector.get_map():
                self._selector.unregister(self._requests)

    def end(self) -> None:
        """Kills the process and what it started, reaps it, and closes the channels. Does no harm a second time."""
        if self._ended:
            return
        self._ended = True
        if os.getpid() == self._owner:  # a forked copy of the owner lets go of its channels and of nothing else
            strays = self._family.members(self.pid)
            # Before it is reaped, while its id, which is the group's, cannot have been given to anybody else.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._family.kill(strays)
            # A process stuck in the kernel cannot be waited for; the operating system reaps it when it can.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(5)
            self._drain()
        self._resources.close()

    def _send(self, pieces: deque[memoryview]) -> None:
        try:
            while pieces:
                written = os.write(self._requests, pieces[0][:_CHUNK])
                if written == len(pieces[0]):
                    pieces.popleft()
                else:
                    pieces[0] = pieces[0][written:]
        except BlockingIOError:
            return
        except BrokenPipeError:
            pass  # its reader is gone; what became of it shows on the reply channel and in its status
        self._selector.unregister(self._requests)

    def _receive(self, decoder: Decoder) -> bool | None:
        """Reads what there is of the reply; returns whether it is whole, None at the end of the channel."""
        try:
            data = os.read(self._replies, _CHUNK)
        except BlockingIOError:
            return False
        return decoder.feed(data) if data else None

    def _read_output(self, fd: int, name: str) -> bool:
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._selector.unregister(fd)
            return False
        tail = self._tails[name]
        tail += data
        del tail[:-_TAIL_BYTES]
        return True

    def _drain(self) -> None:
        """Reads what is in the pipes; not for ever, should something still be writing."""
        for key in list(self._selector.get_map().values()):
            if key.data in self._tails:
                for _ in range(32):
                    if not self._read_output(key.fd, key.data):
                        break

    def _gone(self) -> bool:
        # Its status is looked at and not collected: reaping would free its id, by which its group is killed.
        try:
            return self._watched.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        except psutil.NoSuchProcess:
            return True

    def _death(self) -> _LostError:
        self.end()
        status = self._popen.returncode
        where, trace = _where(self._tails["stderr"])
        if status is not None and status < 0:
            try:
                name = signal.Signals(-status).name
            except ValueError:
                name = f"signal {-status}"
            hint = "" if -status != signal.SIGKILL else ", sent by itself or the system (which may be out of memory)"
            return _LostError("crash", f"was killed by {name}{where}{hint}", trace)
        return _LostError("exit", f"ended its process with status {status}")

    def _interrupt(self) -> tuple[str, str]:
        """Has the fault handler in the worker tell where it hangs; it ends by that, unless it blocks the signal."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGABRT)
        until = time.monotonic() + _GRACE
        while time.monotonic() < until and not self._gone():
            self._drain()
            time.sleep(_TICK / 10)
        self._drain()
        return _where(self._tails["stderr"])

    def _refuse_memory(self, now: float) -> float:
        """Ends a worker that holds too much; returns in how many seconds to look again."""
        if self._memory_limit is None:
            return _TICK
        if now >= self._next_scan:
            self._started = self._family.members(self.pid)
            if len(self._started) > _CROWD:
                self.end()
                raise _LostError("memory", f"had {len(self._started)} processes running, over the limit of {_CROWD}")
            cost = time.monotonic() - now
            self._next_scan = now + max(_SCAN, 20 * cost)  # on a machine with many processes a search takes its time
        family = [self._watched, *self._started]
        used = resident(family)
        if used > self._memory_limit and self._started:
            used = proportional(family)
        if used > self._memory_limit:
            self.end()
            used_mib, limit_mib = used / 2**20, self._memory_limit / 2**20
            raise _LostError("memory", f"used {used_mib:.0f} MiB of memory, over the limit of {limit_mib:.0f} MiB")
        return min(max((self._memory_limit - used) / _FASTEST, _TICK / 20), _TICK)


def _pipe(readers: contextlib.ExitStack, writers: contextlib.ExitStack) -> tuple[int, int]:
    read, write = os.pipe()
    readers.callback(os.close, read)
    writers.callback(os.close, write)
    return read, write


def _where(stderr: bytes | bytearray) -> tuple[str, str]:
    """Finds the fault handler's last report: the innermost function of the target as `` in f (x.py, line 3)``."""
    text = stderr.decode("utf-8", "replace")
    start = text.rfind("Fatal Python error: ")
    if start < 0:
        return "", ""
    trace = text[start:]
    ignored = (sysconfig.get_path("stdlib") + os.sep, str(Path(__file__).parent) + os.sep, "<")
    packages = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    for frame in _FRAME.finditer(trace):
        path = frame["path"]
        if path.startswith(packages) or not path.startswith(ignored):
            return f" in {frame['function']} ({Path(path).name}, line {frame['line']})", trace
    return "", trace
