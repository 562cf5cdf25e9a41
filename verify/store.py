"""``verdicts.jsonl`` as a campaign writes it: locked, appended, durable, sealed; docs/store.md says more."""

from __future__ import annotations

import contextlib
import json
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

from verify.blocks import FILE, HEAD, Scan, block, encoded, read_block, signed
from verify.folders import alone
from verify.places import Places
from verify.stored import Stored
from verify.verdict import SCHEMA, Verdict

_OF_THE_STORE = ("schema", "fingerprint")
AGAIN = "what is finished is safe: once that is mended, the same command goes on from there"


class VerdictStore:
    """A campaign's verdicts in a folder that nobody else writes into, appended unit by unit as they become known.

    A stopped campaign of the same fingerprint is gone on with: what its last moment cut off is cut away, and all that
    is whole is `finished`. Any other store is kept beside the new one as ``verdicts.previous.jsonl``.

    Args:
        folder: made if it is not there.
        provenance: versions, commit, machine, seed: what the first line says.
        fingerprint: what verdicts depend on; a campaign of another one is not gone on with.
        wait: seconds to wait for another campaign in the folder to end; None: as long as it takes.

    Attributes:
        path: the file.
        provenance: of the campaign that began the file.
        remarks: what was found at the beginning that a person should know, as sentences.

    Raises:
        BusyError: another process writes into the folder.
        DamagedError: the stopped campaign is not what was written.
        ValueError: the file that is there is no store.
        OSError: the folder cannot be written.
    """

    def __init__(
        self, folder: Path, provenance: Mapping[str, Any], fingerprint: str, *, wait: float | None = 0.0
    ) -> None:
        self.path = folder / FILE
        self.provenance = dict(provenance)
        self.remarks: list[str] = []
        self._places = Places(self._key)
        self._offsets, self._lengths, self._indexes = array("q"), array("q"), array("q")
        self._verdicts, self._digest = 0, ""
        self._previous = self.path  # where a file is put that is not gone on with
        self._end = self._durable = 0  # lengths of what is whole and of what is safe
        self._file = -1
        self._held = contextlib.ExitStack()
        try:
            with self._explained():
                self._held.enter_context(alone(folder / "lock", wait=wait))
                self._temporary.unlink(missing_ok=True)
                if not self._go_on(fingerprint):
                    self._begin(fingerprint)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def finished(self) -> Places:
        """Keys of the units that are recorded: sized, asked by ``in``."""
        return self._places

    @property
    def _temporary(self) -> Path:
        return self.path.with_name("verdicts.new.jsonl")

    def _kept_as(self) -> Path:
        """Where the file that is there is put: in the place of the last one, unless that is more than it is."""
        found = self.path.with_name("verdicts.previous.jsonl")
        number = 1
        while _ended(found) and not _ended(self.path):
            number += 1
            found = self.path.with_name(f"verdicts.previous-{number}.jsonl")
        return found

    # What is there already.

    def _go_on(self, fingerprint: str) -> bool:
        """Whether there is a stopped campaign to go on with; if so it is ready to be appended to."""
        try:
            self._open()
        except FileNotFoundError:
            return False
        with open(self._file, "rb", closefd=False) as file:
            if _barely_begun(file):
                self.remarks.append(f"{self.path} broke off in its first line, and is begun anew")
                self._leave()
                self.path.unlink()
                return False
            scan = Scan(file, self.path)
            scan.begin()
            other = self._other(scan, fingerprint)
        if other:
            self._previous = self._kept_as()
            self.remarks.append(f"the verdicts in {self.path} are now in {self._previous.name}: {other}")
            self._leave()
            return False
        cut = os.fstat(self._file).st_size - scan.whole
        if cut:
            os.ftruncate(self._file, scan.whole)
            self.remarks.append(f"{self.path} broke off amid a unit, which is done again ({cut} bytes are cut off)")
        self.provenance = {key: value for key, value in scan.provenance.items() if key not in _OF_THE_STORE}
        self._verdicts, self._digest, self._end = scan.verdicts, scan.digest, scan.whole
        self.sync()  # what was written when the campaign was stopped need not have been durable
        return True

    def _other(self, scan: Scan, fingerprint: str) -> str:
        """Why a store is not gone on with, or nothing; its units are noted."""
        if scan.provenance.get("fingerprint") != fingerprint:
            return "they are of another plan, or of other versions, sources, seed or expectations"
        if not scan.checked:
            return "they carry no digests, as those of an earlier version"
        for found in scan:
            self._note(found.key, found.offset, found.length, found.index)
        return "that campaign had reached its end" if scan.finished else ""

    def _note(self, key: str, offset: int, length: int, index: int) -> None:
        if key in self._places:
            raise ValueError(f"unit {key} is in {self.path} twice; move the file away to begin anew")
        self._offsets.append(offset)
        self._lengths.append(length)
        self._indexes.append(index)
        self._places.add(key)

    def _leave(self) -> None:
        """Let go of a file that is not gone on with."""
        os.close(self._file)
        self._file, self._places = -1, Places(self._key)
        del self._offsets[:], self._lengths[:], self._indexes[:]

    def _begin(self, fingerprint: str) -> None:
        """A new file with its first line, in one step; one that is there is kept."""
        record = {"kind": "provenance", "schema": SCHEMA, "fingerprint": fingerprint, **self.provenance}
        line, self._digest = signed(record, "")
        self._whole_file([line])
        if self.path.exists():
            self.path.replace(self._previous)
        self._put_in_place()
        self._open()
        self._end = self._durable = len(line)

    def _open(self) -> None:
        self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)

    # What is added.

    def add(self, index: int, key: str, verdicts: Iterable[Verdict]) -> None:
        """Append a finished unit. It is durable after the next `sync`.

        Args:
            index: its place in the plan.
            key: its name.
            verdicts: of every cell.

        Raises:
            ValueError: the unit is there already, or the store is closed.
            OSError: it cannot be written; nothing of it is left in the file, and the store is closed.
        """
        if key in self._places:
            raise ValueError(f"unit {key} is in {self.path} already")
        lines = [encoded({"kind": "verdict", **verdict.to_json()}) for verdict in verdicts]
        content, digest = block(key, index, lines, self._digest)
        with self._or_closed():
            self._append(content)
            self._note(key, self._end - len(content), len(content), index)
            self._verdicts, self._digest = self._verdicts + len(lines), digest

    def _append(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[os.write(self._file, view) :]
        self._end += len(content)

    def sync(self) -> None:
        """Make durable what was added.

        Raises:
            OSError: it cannot be; what was added since the last time is taken back, and the store is closed.
        """
        with self._or_closed():
            if self._end != self._durable:
                try:
                    os.fsync(self._file)
                except OSError:
                    self._end = self._durable  # a system that could not write may say the next time that it has
                    raise
                self._durable = self._end

    @contextlib.contextmanager
    def _or_closed(self) -> Iterator[None]:
        """Whatever stops us amid a change leaves whole blocks alone in the file, and no store that goes on."""
        if self._file < 0:
            raise ValueError(f"{self.path} is closed; open the store again to go on")
        with self._explained():
            try:
                yield
            except BaseException:
                with contextlib.suppress(OSError):  # what is left is cut off when the store is opened
                    os.ftruncate(self._file, self._end)
                self.close()
                raise

    # What is read back.

    def verdicts(self, key: str) -> list[Verdict]:
        """Those of a finished unit, read back.

        Raises:
            KeyError: it is not finished.
            DamagedError: they are not what was written.
        """
        place = self._places.get(key)
        if place is None:
            raise KeyError(key)
        return [Verdict.from_json(json.loads(line)) for line in self._lines(place)[:-1]]

    def _lines(self, place: int) -> list[bytes]:
        return read_block(self._file, self.path, self._offsets[place], self._lengths[place], checked=True)

    def _key(self, place: int) -> str:
        """The name of a unit, from the line that closes it."""
        offset, length = self._offsets[place], self._lengths[place]
        line = b""
        while not line.startswith(b"{") and len(line) < length:
            read = min(length, 2 * len(line) + 512)
            line = os.pread(self._file, read, offset + length - read).splitlines()[-1]
        return str(json.loads(line)["key"])

    # The end.

    def end(self, order: Iterable[str], notes: Sequence[str]) -> Stored:
        """Put the units into the order of the plan, record that the campaign is complete, and close the store.

        Units of the store that are not in the plan come after it: they are of an earlier plan under the same
        fingerprint, and nothing of them is lost.

        Args:
            order: key of every unit of the plan.
            notes: what else a reader should know.

        Returns:
            The finished store, opened before the folder is let go of: who waits for it puts another file in its place.

        Raises:
            ValueError: a unit of the plan is not finished, or named twice.
            OSError: the file cannot be written; it stays as it is, and the store is closed.
        """
        with self._or_closed():
            sequence = self._sequence(order)
            closing = {"kind": "end", "notes": list(notes), "units": len(sequence), "verdicts": self._verdicts}
            if all(place == index == self._indexes[place] for index, place in enumerate(sequence)):
                self._append(signed(closing, self._digest)[0])
                self.sync()
            else:
                self._whole_file(self._sorted(sequence, closing))
                self._put_in_place()
            found = Stored(self.path)
        self.close()
        return found

    def _sequence(self, order: Iterable[str]) -> array[int]:
        """Numbers of the units, first those of the plan."""
        sequence, taken = array("q"), bytearray(len(self._places))
        for key in order:
            place = self._places.get(key)
            if place is None or taken[place]:
                raise ValueError(f"unit {key} of the plan is {'not finished' if place is None else 'named twice'}")
            taken[place] = True
            sequence.append(place)
        rest = (place for place, named in enumerate(taken) if not named)
        sequence.extend(sorted(rest, key=self._indexes.__getitem__))
        return sequence

    def _sorted(self, sequence: Sequence[int], closing: Mapping[str, Any]) -> Iterator[bytes]:
        """The file in another order, piece by piece."""
        first = os.pread(self._file, self._offsets[0], 0)
        yield first
        digest = str(json.loads(first)["digest"])
        for index, place in enumerate(sequence):
            *lines, last = self._lines(place)
            content, digest = block(json.loads(last)["key"], index, lines, digest)
            yield content
        yield signed(closing, digest)[0]

    # Files.

    def _whole_file(self, content: Iterable[bytes]) -> None:
        """Write and make durable what will take the place of the file."""
        try:
            with self._temporary.open("wb") as file:
                file.writelines(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            with contextlib.suppress(OSError):
                self._temporary.unlink(missing_ok=True)
            raise

    def _put_in_place(self) -> None:
        self._temporary.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            if reason.endswith(AGAIN):
                raise
            raise OSError(error.errno, f"cannot write {error.filename or self.path}: {reason}; {AGAIN}") from error

    def close(self) -> None:
        """Let go of the file and the folder; what is written stays."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._held.close()


def _ended(path: Path) -> bool:
    """Whether a file has the line of a campaign that reached its end."""
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - 2**16, 0))
            return any(line.startswith(b'{"kind": "end"') for line in file.read().splitlines()[-1:])
    except FileNotFoundError:
        return False


def _barely_begun(file: BinaryIO) -> bool:
    """Whether a file is nothing but the beginning of a first line; else it is read from its start again."""
    line = file.readline(2**24)
    file.seek(0)
    cut = line.rstrip(b"\0")  # what a power cut leaves of bytes that were not yet written
    return not line.endswith(b"\n") and (HEAD.startswith(cut) or cut.startswith(HEAD))
