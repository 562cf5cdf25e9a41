"""The worker's side: loads a target once, then runs its handler for one request after another.

It runs as ``python -c`` with the call of ``main`` as its code (see ``process.py``), so that ``__main__`` is empty and a
target that starts processes of its own does not run this module again in each.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import functools
import importlib
import os
import resource
import select
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, Final, NoReturn

from verify.isolation.ended import EndedError
from verify.isolation.wire import Decoder, WireError, encode
from verify.text import error_line, one_line

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK: Final = 1024 * 1024
_FRAMES: Final = 30
_HIGH: Final = 900  # below 1024, where select() ends
_TRACEBACK: Final = 16 * 1024  # characters
_NO_CHANNEL: Final = 74  # EX_IOERR of sysexits.h


def main(requests: int, replies: int, life: int) -> NoReturn:
    """Answers requests until the owner closes their channel. Never returns, and never runs ``atexit`` hooks.

    Args:
        requests: File descriptor to read requests from.
        replies: File descriptor to write replies to.
        life: File descriptor of a pipe whose other end closes when the owner is gone.
    """
    _end_with_owner(_hide(life))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable(all_threads=False)  # so that a crash, or a hang that is ended, says where
    channel = _Channel(_hide(requests), _hide(replies))
    me = os.getpid()
    handler: Callable[..., Any] = _absent
    while True:
        tag, request = channel.receive()
        if "loader" in request:
            run = functools.partial(_load, request["loader"], request["spec"])
        else:
            run = functools.partial(handler, **request["arguments"])
        reply = _outcome(run)
        if os.getpid() != me:
            os._exit(0)  # the target has forked, and this is the copy: only one of the two may answer
        if "loader" in request and reply["kind"] == "ok":
            handler, reply["value"] = reply["value"], None
        for stream in (sys.stdout, sys.stderr):
            # The target may have closed or replaced them. What is lost is output, not the result.
            with contextlib.suppress(Exception):
                stream.flush()
        channel.send(tag, reply)


def _load(loader: str, spec: dict[str, Any]) -> Callable[..., Any]:
    module, _, attribute = loader.partition(":")
    found: Any = importlib.import_module(module)
    for name in attribute.split("."):
        found = getattr(found, name)
    handler: Any = found(spec)
    if not callable(handler):
        raise TypeError(f"{loader} must return a callable, got an object of type {type(handler).__name__}")
    return handler


def _absent(**_: Any) -> NoReturn:
    raise RuntimeError("the worker was called before its target was loaded")


def _outcome(run: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"kind": "ok", "value": run()}
    except EndedError as error:
        ended = error.kind != "raised"
        return {"kind": error.kind, "what": one_line(error.what), "exception": "", "traceback": "", "ended": ended}
    except MemoryError as error:
        return _report("memory", "ran out of memory", error)
    except SystemExit as error:
        return _report("exit", "asked to end its process", error)
    except BaseException as error:  # noqa: BLE001 -- whatever a target raises is its result
        return _report("raised", "raised", error)


def _report(kind: str, what: str, error: BaseException) -> dict[str, Any]:
    stated = error_line(error)
    return {
        "kind": kind,
        "what": f"{what} {stated}" if kind == "raised" else f"{what} ({stated})",
        "exception": stated.partition(":")[0],
        "traceback": _traceback(error),
    }


def _traceback(error: BaseException) -> str:
    try:
        trace = error.__traceback__ and error.__traceback__.tb_next  # without the frame of _outcome
        text = "".join(traceback.format_exception(type(error), error, trace, limit=-_FRAMES))
        return text[-_TRACEBACK:].encode("utf-8", "backslashreplace").decode("utf-8")
    except BaseException:  # noqa: BLE001 -- formatting runs code of the target's
        return ""


class _Channel:
    """The two private pipes to the owner."""

    def __init__(self, requests: int, replies: int) -> None:
        self._requests = requests
        self._replies = replies
        self._identity = _identity(replies)

    def receive(self) -> tuple[bytes, dict[str, Any]]:
        """Waits for a request; ends the process when there is no more owner to send one."""
        decoder = Decoder()
        while decoder.missing:
            try:
                data = os.read(self._requests, min(decoder.missing, _CHUNK))
            except BlockingIOError:
                select.select([self._requests], [], [])
                continue
            except OSError:
                os._exit(_NO_CHANNEL)
            if not data:
                os._exit(0)
            decoder.feed(data)
        assert decoder.tag is not None  # noqa: S101 -- a whole message has one; for the type checker
        request: dict[str, Any] = decoder.value()
        return decoder.tag, request

    def send(self, tag: bytes, reply: dict[str, Any]) -> None:
        """Sends the reply, or why it cannot be sent."""
        try:
            pieces = encode(reply, tag)
        except MemoryError as error:
            pieces = encode(_report("memory", "ran out of memory", error), tag)
        except WireError as error:
            place = "result" + error.place.removeprefix("['value']")
            what = "returned something that cannot be sent: " + one_line(f"at {place}: {error.reason}")
            pieces = encode({"kind": "protocol", "what": what, "exception": "", "traceback": ""}, tag)
        except BaseException as error:  # noqa: BLE001 -- even the name of a type may be code of the target's
            pieces = encode(_report("protocol", "returned something that cannot be sent", error), tag)
        try:
            if _identity(self._replies) != self._identity:
                os._exit(_NO_CHANNEL)  # the target has closed the channel and opened a file in its place
            for piece in pieces:
                self._write(piece)
        except OSError:
            os._exit(_NO_CHANNEL)

    def _write(self, piece: memoryview) -> None:
        while piece:
            try:
                piece = piece[os.write(self._replies, piece[:_CHUNK]) :]
            except BlockingIOError:  # the target may have set the flag on every descriptor it found
                select.select([], [self._replies], [])


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _hide(fd: int) -> int:
    """Moves a descriptor up, out of the way of targets that use low numbers at will, and closed to their children."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH if soft < 0 else min(_HIGH, soft * 3 // 4))
    os.close(fd)
    return high


def _end_with_owner(life: int) -> None:
    """Makes sure that this process group is killed when the owner is gone, even amid a hang in C code.

    On Linux the kernel signals the group when the last writer of the pipe is gone. Elsewhere a thread waits for
    that, which is as good unless the hang keeps the interpreter's lock. (``PR_SET_PDEATHSIG`` is no substitute: it
    fires when the thread that started the worker ends, and campaigns start workers from threads.)
    """
    try:
        if sys.platform != "linux":
            raise OSError("no F_SETSIG")
        fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
    except OSError:  # some sandboxes that pose as Linux lack it too
        threading.Thread(target=_wait_for_owner, args=(life,), daemon=True).start()
        return
    if select.select([life], [], [], 0)[0]:
        os._exit(0)  # the owner was gone before the kernel was asked


def _wait_for_owner(life: int) -> None:
    os.read(life, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)
