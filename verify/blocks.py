"""The lines of ``verdicts.jsonl`` and their digests: what of a file is whole, what is torn, what is damaged.

The first line says where the verdicts come from. Then come blocks: the verdicts of a unit, a line each, and the line of
the unit that closes them. A campaign that reached its end says so in a last line. The first line, each unit and the
end carry a digest over everything since the digest before it, and over that one too, so whatever is changed, missing,
doubled or moved is noticed, and what is cut off at the end of a file leaves the blocks before it whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from verify.verdict import SCHEMA

FILE = "verdicts.jsonl"
NEXT = f"expected the {FILE} that `hippo-verify run` writes; make one, or name its folder"
HEAD = json.dumps({"kind": "provenance", "schema": SCHEMA})[:-1].encode()
"""How every store begins."""

_DIGEST = re.compile(rb', "digest": "([0-9a-f]{16})"}\n\Z')
_SIGNATURE = len('0123456789abcdef"}\n')
"""Bytes from a digest to the end of its line."""
_KINDS = tuple((kind, f'{{"kind": "{kind}", '.encode()) for kind in ("verdict", "unit", "end", "provenance"))
_LONGEST_FIRST = 2**24
"""Bytes: what has no end of line until there is no store, and need not be read whole."""
_WANTED = "a JSON object of kind verdict, unit or end"


class DamagedError(ValueError):
    """A store is not what was written; the message says where, and what can be kept."""


@dataclass(frozen=True, slots=True)
class Block:
    """The verdicts of a unit, as they lie in the file.

    Attributes:
        key: of the unit; empty in an old file that broke off before its unit was named.
        index: place of the unit in the plan.
        offset: where it begins, in bytes.
        length: in bytes, with the line of the unit.
        line: number of its first line, from 1.
        verdicts: how many.
        digest: of everything up to its end; empty in an old file.
    """

    key: str
    index: int
    offset: int
    length: int
    line: int
    verdicts: int
    digest: str


def encoded(record: Mapping[str, Any]) -> bytes:
    """A line."""
    return json.dumps(record, allow_nan=False).encode() + b"\n"


def signed(record: Mapping[str, Any], before: str, lines: bytes = b"") -> tuple[bytes, str]:
    """A line that closes others, with the digest over all of them, and that digest.

    Args:
        record: the line, without its digest.
        before: digest of the line that closed what stands before; empty for the first line.
        lines: what it closes.
    """
    line = encoded(record)[:-2]
    digest = hashlib.sha256(before.encode() + lines + line).hexdigest()[:16]
    return line + f', "digest": "{digest}"}}\n'.encode(), digest


def block(key: str, index: int, lines: list[bytes], before: str) -> tuple[bytes, str]:
    """The bytes of a unit, and its digest.

    Args:
        key: of the unit.
        index: its place in the plan.
        lines: its verdicts.
        before: digest of what stands before it.
    """
    content = b"".join(lines)
    last, digest = signed({"kind": "unit", "key": key, "index": index, "verdicts": len(lines)}, before, content)
    return content + last, digest


@dataclass
class Scan:
    """A store read once from its beginning, verdicts unread: iterate, and then ask what was found.

    Attributes:
        file: opened for reading, at its beginning.
        path: its name in messages.
        provenance: the first line.
        checked: whether it carries digests; an old file has none.
        whole: length, in bytes, of what is whole.
        digest: of that.
        units: blocks that are whole.
        verdicts: in them.
        lines: that were read.
        finished: whether the campaign reached its end.
        notes: what it had to say there.
        torn: whether there is more than is whole.
    """

    file: BinaryIO
    path: Path
    provenance: dict[str, Any] = field(default_factory=dict)
    checked: bool = True
    whole: int = 0
    digest: str = ""
    units: int = 0
    verdicts: int = 0
    lines: int = 0
    finished: bool = False
    notes: tuple[str, ...] = ()
    torn: bool = False

    def begin(self) -> None:
        """Read the first line.

        Raises:
            ValueError: it is empty, no store, or of another schema.
            DamagedError: its first line is not what was written.
        """
        line = self.file.readline(_LONGEST_FIRST)
        if not (line + self.file.read(4096)).strip():
            raise ValueError(f"{self.path} is empty; {NEXT}")
        self.file.seek(len(line))
        record, self.lines = decoded(line), 1
        if record is None or record.get("kind") != "provenance":
            raise ValueError(f"line 1 of {self.path} is not a line of kind provenance: {shown(line)}; {NEXT}")
        if record.get("schema") != SCHEMA:
            raise ValueError(f"{self.path} has schema {record.get('schema')!r}, this version reads {SCHEMA!r}; {NEXT}")
        self.checked = "digest" in record
        if self.checked:
            self.digest = self._verified(line, hashlib.sha256(), "the line")
        self.provenance = {key: value for key, value in record.items() if key not in ("kind", "digest")}
        self.whole = len(line)

    def __iter__(self) -> Iterator[Block]:
        """Every whole block, in the order of the file.

        Raises:
            DamagedError: the file is not what was written.
            ValueError: an old file holds a line that is none of a store.
        """
        offset, first, pending = self.whole, self.lines + 1, 0
        found = hashlib.sha256(self.digest.encode())
        for line in self.file:
            kind = self._kind(line)
            if kind == "":
                self.torn = True
                break
            self.lines += 1
            if self.finished:
                raise self._damaged(f"follows the line that ends the campaign: {shown(line)}")
            if kind == "verdict":
                found.update(line)
                pending += 1
                offset += len(line)
                continue
            record = decoded(line)
            if record is None or kind == "provenance":
                raise self._damaged(f"is not {_WANTED}: {shown(line)}")
            if self.checked or "digest" in record:
                digest = self._verified(line, found, f"lines {first} to {self.lines}")
            else:
                digest = ""
            offset += len(line)
            if kind == "unit":
                unit = self._unit(record, offset - self.whole, first, pending, digest)
                self.units, self.verdicts = self.units + 1, self.verdicts + pending
            self._close(kind, record, pending)
            first, pending, self.whole, self.digest = self.lines + 1, 0, offset, digest
            found = hashlib.sha256(digest.encode())
            if kind == "unit":
                yield unit
        if pending and not self.checked:
            self.verdicts += pending
            yield Block("", self.units, self.whole, offset - self.whole, first, pending, "")
        self.torn = self.torn or (self.checked and pending > 0)

    def _kind(self, line: bytes) -> str:
        """Of a line; empty for what is cut off."""
        if not line.endswith(b"\n") and (self.checked or decoded(line) is None):
            return ""
        for kind, beginning in _KINDS:
            if line.startswith(beginning):
                return kind
        record = decoded(line)
        if record is None:
            raise self._damaged(f"is not {_WANTED}: {shown(line)}", further=1)
        if record.get("kind") not in dict(_KINDS):
            raise self._damaged(f"is of kind {record.get('kind')!r}, accepted: verdict, unit, end", further=1)
        return str(record["kind"])

    def _unit(self, record: Mapping[str, Any], length: int, first: int, pending: int, digest: str) -> Block:
        key = record.get("key")
        index = record.get("index", self.units)
        return Block(key if isinstance(key, str) else "", index, self.whole, length, first, pending, digest)

    def _close(self, kind: str, record: Mapping[str, Any], pending: int) -> None:
        if kind == "end":
            if self.checked and pending:
                raise self._damaged(f"ends the campaign, but {pending} verdicts before it belong to no unit")
            said = record.get("notes")
            self.finished, self.notes = True, tuple(str(note) for note in said) if isinstance(said, list) else ()

    def _verified(self, line: bytes, found: Any, what: str) -> str:
        """The digest of a line that carries one, if it is right."""
        match = _DIGEST.search(line)
        if match is None:
            raise self._damaged(f"has no digest: {shown(line)}")
        found.update(line[: match.start()])
        digest, right = match[1].decode(), found.hexdigest()[:16]
        if digest != right:
            raise self._damaged(f"records the digest {digest}, but that of {what} is {right}")
        return digest

    def _damaged(self, what: str, further: int = 0) -> ValueError:
        number = self.lines + further
        if not self.checked:
            return ValueError(f"line {number} of {self.path} {what}; {NEXT}")
        cut = f"`truncate -s {self.whole} {shlex.quote(str(self.path))}` keeps what is whole before it"
        keep = (
            "nothing before it can be kept: move the file away to begin anew"
            if not self.units
            else f"{cut}, {self.units} finished unit{'s' * (self.units > 1)}, and the same `hippo-verify run` does the "
            "rest again; or move the file away to begin anew"
        )
        return DamagedError(f"line {number} of {self.path} {what}: this is not what was written; {keep}")


def read_block(file: int, path: Path, offset: int, length: int, *, checked: bool) -> list[bytes]:
    """The lines of a block; the last one is that of its unit, but in an old file that broke off.

    Args:
        file: opened for reading.
        path: its name in messages.
        offset: where the block begins, in bytes.
        length: of it, in bytes.
        checked: whether it carries a digest, which is compared once more.

    Raises:
        DamagedError: it has changed since it was found whole.
    """
    behind = _SIGNATURE if checked else 0
    content = os.pread(file, length + behind, offset - behind)
    lines = content[behind:].splitlines(keepends=True)
    if checked:
        match = _DIGEST.search(lines[-1]) if lines else None
        found = content[:16] + content[behind : match.start() - len(lines[-1])] if match else b""
        if match is None or hashlib.sha256(found).hexdigest()[:16] != match[1].decode():
            raise DamagedError(
                f"{path} changed while it was read: the {length} bytes from byte {offset} on are not what they were; "
                "run the command again, and see what else writes into this folder"
            )
    return lines


def decoded(line: bytes) -> dict[str, Any] | None:
    """The object that a line holds, or None."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def shown(line: bytes) -> str:
    """The beginning of a line, for a message."""
    text = line[:60].decode("utf-8", "replace")
    return repr(text + ("..." if len(line) > 60 else ""))
