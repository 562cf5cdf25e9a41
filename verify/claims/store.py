"""What was measured, on disk as soon as it is: a stopped run goes on from there, and nothing is measured twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from verify.claims.base import Result
from verify.folders import alone

FORM: Final = "hippo-verify-claims-store/1"


class StoreError(ValueError):
    """A folder that is no store, and must not become one."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A unit that was done.

    Attributes:
        result: what it gave.
        seconds: that it took, all its parts together.
        time: when it was done, ISO 8601.
    """

    result: Result
    seconds: float
    time: str


class Store:
    """A folder with a journal to which a line is added for each unit that is done, and a folder for each under way.

    A line has the unit's identity, which says all that its result rests on, and a checksum. A line that is torn or was
    changed is another unit to be done, no more: what is torn at the end is cut off, so that nothing is added to it.

    Attributes:
        folder: where it lies.
        finished: by identity.
        unsound: lines that were no whole line of ours any more.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.finished: dict[str, Kept] = {}
        self.unsound = 0
        self._path = folder / "units.jsonl"
        self._read()

    def add(self, identity: str, about: Mapping[str, Any], kept: Kept) -> None:
        """Keep what a unit gave, down to the disk, and let go of its checkpoints.

        Args:
            identity: of the unit.
            about: what a person wants to know of it.
            kept: what it gave.
        """
        record = {**about, "identity": identity, "result": kept.result, "seconds": kept.seconds, "time": kept.time}
        self._append({**record, "sha256": _digest(record)})
        self.finished[identity] = kept
        shutil.rmtree(self.work(identity), ignore_errors=True)

    def work(self, identity: str) -> Path:
        """The folder of a unit under way."""
        return self.folder / "under-way" / identity

    def pause(self, identity: str, seconds: float) -> None:
        """Note the time that a unit took which was stopped, if it saved something to go on from."""
        folder = self.work(identity)
        if folder.is_dir():
            (folder / "seconds").write_text(repr(self.spent(identity) + seconds), encoding="utf-8")

    def spent(self, identity: str) -> float:
        """Seconds that a unit took before it was stopped."""
        try:
            return float((self.work(identity) / "seconds").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0.0

    def _read(self) -> None:
        if not self._path.exists():
            self._append({"format": FORM})
            return
        content = self._path.read_bytes()
        whole, newline, torn = content.rpartition(b"\n")
        lines = whole.split(b"\n") if newline else []
        head = _object(lines[0]) if lines else None
        # The very first line may be cut short as well, or empty: nothing was kept by then.
        young = not newline and json.dumps({"format": FORM}).encode().startswith(torn)
        if not young and (head is None or head.get("format") != FORM):
            raise StoreError(f"{self._path} is no journal of measured claims; name another folder")
        for line in lines[1:]:
            record = _object(line)
            if record is None or record.pop("sha256", None) != _digest(record):
                self.unsound += 1
                continue
            kept = Kept(result=record["result"], seconds=record["seconds"], time=record["time"])
            self.finished[record["identity"]] = kept
        if torn or young:
            self.unsound += not young
            with self._path.open("rb+") as file:
                file.truncate(len(content) - len(torn))
        if young:
            self._append({"format": FORM})

    def _append(self, record: Mapping[str, Any]) -> None:
        line = (json.dumps(record, allow_nan=False) + "\n").encode()
        with self._path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Store]:
    """A store that no other run writes to meanwhile; the folder is made.

    Raises:
        BusyError: another run does.
        StoreError: the folder holds something else of that name.
        OSError: it cannot be read or written.
    """
    with alone(folder / "lock"):
        yield Store(folder)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
