"""The vectors as a document: exported by one command, read back only if nothing in it was changed.

With `verify.oracle` this is the second door to the reference: it asks for certified answers as text, which the oracle's
pairs of doubles could not hold.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hippo_ref.vectors.build import build
from hippo_ref.vectors.document import FORMAT, checksums, header, text
from hippo_ref.vectors.extents import EXTENTS
from hippo_ref.vectors.groups import questions
from hippo_ref.vectors.question import KINDS, SETTINGS
from verify.folders import write_whole
from verify.vectors.files import FormatError, records

PRESET = 9 | lzma.PRESET_EXTREME


@dataclass(frozen=True)
class Document:
    """A vectors file whose checksums hold.

    Attributes:
        header: everything but the vectors.
        vectors: the records, by id, in order.
    """

    header: Mapping[str, Any]
    vectors: Mapping[str, Mapping[str, Any]]

    @property
    def checksum(self) -> str:
        """SHA-256 of the document."""
        return str(self.header["sha256"]["document"])


def read_document(path: Path) -> Document:
    """A vectors file, ``.json`` or JSON Lines, plain or ``.xz``.

    Raises:
        FormatError: unreadable, of another format, or changed since it was exported.
    """
    header, vectors = records(path, "vectors")
    if header.get("format") != FORMAT:
        raise FormatError(f"{path}: format is {header.get('format')!r}; accepted: {FORMAT!r}")
    expected = header.get("sha256")
    if not isinstance(expected, Mapping) or "document" not in expected:
        raise FormatError(f"{path}: the header has no sha256 of the document")
    if header.get("count") != len(vectors):
        raise FormatError(
            f"{path}: holds {len(vectors)} vectors, but its header says {header.get('count')}: cut short?"
        )
    found = checksums(header, vectors)
    if found != expected:
        changed = [key for key, value in found["groups"].items() if value != expected.get("groups", {}).get(key)]
        where = f"group {', '.join(changed)}" if changed else "the header"
        raise FormatError(
            f"{path}: the checksum does not match: {where} was changed after the export. Export it again; "
            "answers to a changed file prove nothing"
        )
    return document(header, vectors, str(path))


def document(header: Mapping[str, Any], vectors: Iterable[Mapping[str, Any]], name: str) -> Document:
    """Vectors by id, each with the fields that the judge reads.

    Raises:
        FormatError: a vector without them, or two with one id.
    """
    known: dict[str, Mapping[str, Any]] = {}
    for place, vector in enumerate(vectors):
        missing = {"id", "group", "kind", "measure", "order", "rows", "answer"} - vector.keys()
        if missing:
            raise FormatError(f"{name}: vector {place} lacks {', '.join(sorted(missing))}")
        if vector["kind"] not in KINDS:
            raise FormatError(
                f"{name}: vector {vector['id']!r} is of kind {vector['kind']!r}; known: {', '.join(KINDS)}"
            )
        if vector["id"] in known:
            raise FormatError(f"{name}: two vectors have the id {vector['id']!r}")
        known[vector["id"]] = vector
    return Document(header, known)


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        vectors: how many.
        numbers: certified numbers in them.
        size: bytes of the file.
        checksum: SHA-256 of the document (see ``hippo_ref.vectors.document``).
    """

    vectors: int
    numbers: int
    size: int
    checksum: str


def export(
    output: Path,
    extent: str = "quick",
    *,
    measures: Sequence[str] | None = None,
    orders: Sequence[int] | None = None,
    kinds: Sequence[str] | None = None,
    lines: bool = False,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Build vectors and write them, whole or not at all.

    Args:
        output: ``.json``; ``.jsonl`` writes JSON Lines; a further ``.xz`` compresses.
        extent: ``quick`` or ``frozen``.
        measures: keep these measures.
        orders: keep these orders.
        kinds: keep these kinds.
        lines: JSON Lines whatever the name.
        jobs: processes; the bytes do not depend on it.
        progress: called with the number of vectors done and the number in all.

    Raises:
        ValueError: a name that is not known, or nothing selected (``LookupError``).
        OSError: the file cannot be written.
    """
    for option, given, accepted in (
        ("set", [extent], tuple(EXTENTS)), ("measure", measures, tuple(SETTINGS)), ("kind", kinds, tuple(KINDS)),
    ):  # fmt: skip
        for value in given or ():
            if value not in accepted:
                raise ValueError(f"{option} is {value!r}; accepted: {', '.join(accepted)}")
    for order in orders or ():
        if order < 1:
            raise ValueError(f"order is {order}; accepted: an integer from 1")
    asked = questions(EXTENTS[extent], measures=measures, orders=orders, kinds=kinds)
    if not asked:
        raise LookupError(f"the {extent} set has no vector of these measures, orders and kinds")
    found = build(asked, jobs, progress)
    selection = {
        "set": extent,
        "measures": None if measures is None else sorted(measures),
        "orders": None if orders is None else sorted(orders),
        "kinds": None if kinds is None else sorted(kinds),
    }
    head = header(found, selection)
    content = text(head, found, lines or ".jsonl" in output.suffixes).encode("ascii")
    if output.suffix == ".xz":
        content = lzma.compress(content, check=lzma.CHECK_CRC64, preset=PRESET)
    write_whole(output, content)
    numbers = sum(len(vector["answer"]["values"]) for vector in found)
    return Exported(len(found), numbers, len(content), head["sha256"]["document"])


@lru_cache(maxsize=1)
def quick_document() -> Document:
    """The quick set of this version, built in this process."""
    found = build(questions(EXTENTS["quick"]))
    head = header(found, {"set": "quick", "measures": None, "orders": None, "kinds": None})
    return document(json.loads(json.dumps(head)), found, "the quick set")
