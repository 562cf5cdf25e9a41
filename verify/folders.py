"""Where files that only save time are kept, and how a file is written: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

AGAIN = 0.05
"""Seconds until a lock is tried again."""


class BusyError(RuntimeError):
    """Another process holds a lock; the message names it."""


def cache_folder() -> Path:
    """Exact results, and what libraries compile: ``$HIPPO_VERIFY_CACHE``, else the user's cache folder."""
    named = os.environ.get("HIPPO_VERIFY_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hippo-verify"


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file in one step: whoever stops us leaves the old file, or none; a device or a pipe is written to.

    Raises:
        OSError: it cannot be written.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty file to be written, which takes the place of another when all went well, and is gone when not.

    Raises:
        OSError: it cannot be written.
    """
    path = path.resolve()  # what a link points to is meant, not the link
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def alone(path: Path, *, wait: float | None = 0.0) -> Iterator[int]:
    """Hold a lock; it ends with this process, however that ends.

    Args:
        path: the file that is locked; it stays.
        wait: seconds to wait for another process that holds it; None: until it ends.

    Yields:
        The file: who has it open as well holds the lock even after us.

    Raises:
        BusyError: another process holds it.
        OSError: it cannot be written.
    """
    import fcntl  # noqa: PLC0415 -- of Unix alone

    path.parent.mkdir(parents=True, exist_ok=True)
    until = None if wait is None else time.monotonic() + wait
    with path.open("a+", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if until is not None and time.monotonic() >= until:
                    file.seek(0)
                    named = file.read() or "?"
                    raise BusyError(f"process {named} is at work in {path.parent}; wait until it ends") from None
                time.sleep(AGAIN)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file.fileno()
