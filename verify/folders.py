"""Where files that only save time are kept, and how a file is written: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


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
    path = path.resolve()  # what a link points to is meant, not the link
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def alone(path: Path) -> Iterator[int]:
    """Hold a lock; it ends with this process, however that ends.

    Args:
        path: the file that is locked; it stays.

    Yields:
        The file: who has it open as well holds the lock even after us.

    Raises:
        BusyError: another process holds it.
        OSError: it cannot be written.
    """
    import fcntl  # noqa: PLC0415 -- of Unix alone

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise BusyError(f"process {file.read() or '?'} is at work in {path.parent}; wait until it ends") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file.fileno()
