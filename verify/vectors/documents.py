"""The vectors as a document: exported by one command, read back only if nothing in it was changed.

With `verify.oracle` this is the second door to the reference: it asks for certified answers as text, which the oracle's
pairs of doubles could not hold.
"""

from __future__ import annotations

import json
import lzma
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from hippo_ref.vectors.build import build
from hippo_ref.vectors.document import FORMAT, checksums, header, text, versions
from hippo_ref.vectors.extents import EXTENTS
from hippo_ref.vectors.flags import flags
from hippo_ref.vectors.groups import questions
from hippo_ref.vectors.question import KINDS, SETTINGS, Question, Setting
from verify.case import STEPPING, Case
from verify.folders import write_whole
from verify.inputs import Batch, Input, Order, ReadOut, Resumption, Signal, TimedSignal, Transition
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


COUNTEREXAMPLE = "counterexample"
"""The group of vectors that are there because an implementation failed on them."""


def questions_of(case: Case, item: Input, label: str) -> list[Question]:
    """The questions whose answers are the answer of one call: a batch is one for each stream.

    Args:
        case: measure, order, rule, level.
        item: the input of the call.
        label: last part of the ids.

    Returns:
        Empty where no vector can ask it: factors, a run that goes on over more than one sample, numbers that are not
        finite.
    """
    setting = Setting(case.measure, tuple(case.float_parameters.items()))
    given: list[dict[str, Any]] = []
    kind = "scan"
    match item:
        case Order() if case.level == "matrices":
            kind = "matrices"
            given = [{"rows": range(case.order)}]
        case Signal(values):
            kind = case.level
            given = [{"samples": values, "rows": range(len(values))}]
        case TimedSignal(values, times):
            given = [{"samples": values, "timestamps": times, "rows": range(len(values))}]
        case Batch(streams):
            given = [{"samples": values, "rows": range(len(values))} for values in streams]
        case Transition(state, sample, index) | Resumption(state, (sample,), index):
            kind = "step"
            given = [{"state": state, "samples": (sample,), "index": index, "rows": (0,)}]
        case ReadOut(coefficients, points):
            kind = "reconstruct"
            given = [{"state": coefficients, "points": points, "rows": range(len(points))}]
    steps = case.level in STEPPING
    found = []
    for place, fields in enumerate(given):
        name = label if len(given) == 1 else f"{label}-stream-{place}"
        numbers = [x for values in fields.values() if isinstance(values, tuple) for x in values]
        if not fields["rows"] or not all(map(math.isfinite, numbers)):
            return []
        fields["rows"] = tuple(fields["rows"])
        question = Question(
            COUNTEREXAMPLE, kind, setting, case.order, name, method=case.method if steps else None,
            dt=case.dt if steps else None, **fields,
        )  # fmt: skip
        found.append(replace(question, flags=flags(question)))
    return found


def certified(case: Case, item: Input, label: str) -> list[dict[str, Any]]:
    """The vectors, with certified answers, that a call is judged by; see `questions_of`.

    A rule that reads two samples has no single step, and times at which a rule has no state no scan: no vectors either.
    """
    try:
        return build(questions_of(case, item, label))
    except ValueError:
        return []


def counterexample_text(vectors: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> str:
    """A document of the vectors on which an implementation failed, with what is known of the failure in its header."""
    shared = set.intersection(*(set(vector["flags"]) for vector in vectors))
    purpose = "an implementation failed here; the field counterexample of the header says which, and how"
    group = {"id": COUNTEREXAMPLE, "title": "counterexamples", "purpose": purpose, "flags": sorted(shared)}
    content = {
        "format": FORMAT,
        "provenance": {
            "versions": versions(),
            "selection": {"set": COUNTEREXAMPLE, "measures": None, "orders": None, "kinds": None},
        },
        "kinds": dict(KINDS),
        "groups": [group],
        "count": len(vectors),
        COUNTEREXAMPLE: dict(about),
    }
    return text({**content, "sha256": checksums(content, vectors)}, vectors, lines=False)
