"""Exact arrays by key: remembered within bounds, kept in a folder, and computed by one worker at a time.

A file is named by what was asked and carries a checksum over its key and its numbers; it is replaced in one step, so a
torn, foreign or misplaced file is computed again. Whoever computes an array holds a lock on its key: another worker of
the machine that asks for it waits, and reads. The kernel frees the lock of a process that ends, however it ends. Where
there is no lock to be had, two may compute the same array, which costs time and changes nothing: both get the same
numbers. What an array is computed from has keys of its own and never itself, so waiting for one while holding another
cannot go round in a circle.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

import numpy as np

from verify.boundary import Exact
from verify.folders import write_whole

ROOM: Final = 256 * 2**20
"""Bytes of arrays that a process remembers: over them, those that were not asked for longest are read again."""
PATIENCE: Final = 1800.0
"""Seconds to wait for another worker before computing an array too: one that was suspended must not stop the rest."""
_LONGEST_NAP: Final = 0.1  # seconds between two looks at a lock
_CHECKSUM: Final = hashlib.sha256().digest_size


def key_of(*parts: Any) -> str:
    """The name of an exact array: all 256 bits, since two questions that share a name would share an answer."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def encoded(key: str, value: Exact) -> bytes:
    """An array as bytes: checksum over the key and the rest, number of axes, shape, then the three parts."""
    parts = np.stack([np.broadcast_to(part, value.shape) for part in (value.high, value.low, value.radius)])
    payload = struct.pack(f"<q{len(value.shape)}q", len(value.shape), *value.shape) + parts.astype("<f8").tobytes()
    return _checksum(key, payload) + payload


def decoded(key: str, content: bytes) -> Exact | None:
    """The array of that key, read-only; None if the bytes are not whole or belong to another key."""
    payload = content[_CHECKSUM:]
    if content[:_CHECKSUM] != _checksum(key, payload):
        return None
    (axes,) = struct.unpack_from("<q", payload)
    shape = struct.unpack_from(f"<{axes}q", payload, 8)
    parts = np.frombuffer(payload, dtype="<f8", offset=8 + 8 * axes).reshape((3, *shape))
    return Exact(parts[0, ...], parts[1, ...], parts[2, ...])


def _checksum(key: str, payload: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + payload).digest()


class Elsewhere(Protocol):
    """Where arrays may be had that are not on this machine: the other workers of a cluster."""

    def claim(self, key: str) -> bytes | None:
        """What another worker has encoded, waited for while it computes; None: ours to compute, then to `settle`."""

    def settle(self, key: str, content: bytes | None) -> None:
        """Hand on what was claimed; None: it could not be computed."""


Kept = TypeVar("Kept")


class Recent(Generic[Kept]):
    """What was asked for last, as much of it as there is room for, and one value at least.

    Args:
        size: bytes that a value holds.
        room: bytes of all of them.
    """

    def __init__(self, size: Callable[[Kept], int], room: int = ROOM) -> None:
        self._size = size
        self._room = room
        self._used = 0
        self._values: OrderedDict[Any, Kept] = OrderedDict()
        self._guard = threading.Lock()

    def get(self, key: Any) -> Kept | None:
        """The value under a key, or None."""
        with self._guard:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Any, value: Kept) -> Kept:
        """The value, which is the last one to be forgotten now."""
        with self._guard:
            if key in self._values:
                self._used -= self._size(self._values.pop(key))
            self._values[key] = value
            self._used += self._size(value)
            while self._used > self._room and len(self._values) > 1:
                self._used -= self._size(self._values.popitem(last=False)[1])
        return value


class Files:
    """Encoded arrays in a folder, one file each.

    Args:
        folder: where they are; one that cannot be written, or not any more, costs time and nothing else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writable = True

    def read(self, key: str) -> bytes | None:
        """What is there; it is not judged here."""
        try:
            return self._path(key).read_bytes()
        except OSError:
            return None

    def write(self, key: str, content: bytes) -> None:
        """Keep it, if there is room."""
        if self._writable:
            try:
                write_whole(self._path(key), content)
            except OSError:
                self._writable = False  # full or read-only: go on without; what is there is still read

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key


class ExactStore:
    """Exact arrays by key: in memory, then in a folder, then elsewhere, then computed.

    Args:
        folder: where arrays are kept on disk; None for none.
        room: bytes of arrays kept in memory.

    Attributes:
        elsewhere: where else to ask before computing, or None.
        counts: arrays that were found in ``memory``, on ``disk`` or ``elsewhere``, and those ``computed``.
    """

    def __init__(self, folder: Path | None, *, room: int = ROOM) -> None:
        self.elsewhere: Elsewhere | None = None
        self.counts: Counter[str] = Counter()
        self._files = None if folder is None else Files(folder)
        self._recent = Recent(_size, room)

    def get(self, key: str, compute: Callable[[], Exact]) -> Exact:
        """The array stored under ``key``, computed and stored if it is not there; its parts are read-only."""
        found = self._recent.get(key)
        if found is not None:
            self.counts["memory"] += 1
            return found
        found = self._read(key)
        if found is None:
            with contextlib.nullcontext() if self._files is None else _alone(self._files.folder / "locks", key):
                found = self._read(key)  # whoever we have waited for has written it
                if found is None:
                    return self._recent.put(key, self._fetched(key, compute))
        self.counts["disk"] += 1
        return self._recent.put(key, found)

    def _fetched(self, key: str, compute: Callable[[], Exact]) -> Exact:
        content = None if self.elsewhere is None else self.elsewhere.claim(key)
        found = None if content is None else decoded(key, content)
        if content is not None and found is not None:
            self.counts["elsewhere"] += 1
            self._write(key, content)
            return found
        content = None
        try:
            content = encoded(key, compute())
            self.counts["computed"] += 1
            self._write(key, content)
        finally:
            if self.elsewhere is not None:
                self.elsewhere.settle(key, content)
        found = decoded(key, content)  # what the next one reads, to the bit
        assert found is not None  # noqa: S101 -- it was encoded above; for the type checker
        return found

    def _read(self, key: str) -> Exact | None:
        content = None if self._files is None else self._files.read(key)
        return None if content is None else decoded(key, content)

    def _write(self, key: str, content: bytes) -> None:
        if self._files is not None:
            self._files.write(key, content)


def _size(value: Exact) -> int:
    return 24 * value.high.size + 1024  # three doubles a number, and what Python needs to hold them


# Record locks: one byte of one file stands for a key, so that locks leave no files behind. They belong to a process and
# end with it, and all of them end when it closes the file anywhere, so each process opens it once and keeps it open.
_OPEN: dict[Path, int] = {}


@contextlib.contextmanager
def _alone(path: Path, key: str) -> Iterator[None]:
    """Hold the lock on a key among the processes of this machine, or do without where there is none to be had."""
    place = int(key[:15], 16)
    locked = _lock(path, place)
    try:
        yield
    finally:
        if locked:
            import fcntl  # noqa: PLC0415 -- of Unix alone

            with contextlib.suppress(OSError):
                fcntl.lockf(_OPEN[path], fcntl.LOCK_UN, 1, place)


def _lock(path: Path, place: int) -> bool:
    nap, until = 0.001, time.monotonic() + PATIENCE
    try:
        import fcntl  # noqa: PLC0415 -- of Unix alone

        if path not in _OPEN:
            path.parent.mkdir(parents=True, exist_ok=True)
            _OPEN[path] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        while time.monotonic() < until:
            try:
                fcntl.lockf(_OPEN[path], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            except (BlockingIOError, PermissionError):  # EAGAIN or EACCES: another process has it
                time.sleep(nap)  # not asked to block: a Ctrl-C must end the wait in any thread
                nap = min(nap * 1.5, _LONGEST_NAP)
            else:
                return True
    except (ImportError, OSError):
        pass  # no such locks here, or no file to hold them
    return False
