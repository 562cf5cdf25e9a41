"""The document around the vectors: canonical bytes, checksums, provenance without a clock or a host."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

from hippo_ref.vectors.groups import GROUPS
from hippo_ref.vectors.question import KINDS

FORMAT = "hippo-vectors/1"
PRODUCERS = ("hippo-verify", "python-flint", "mpmath")
MARK = ',"vectors":[\n'
"""Stands between the header and the vectors of a document that is one JSON object."""


def canonical(value: Any) -> str:
    """JSON with sorted keys and no blanks, ASCII only: equal content, equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(lines: Iterable[str]) -> str:
    """SHA-256 of lines, each ended by LF."""
    total = hashlib.sha256()
    for line in lines:
        total.update(line.encode() + b"\n")
    return total.hexdigest()


def header(vectors: Sequence[Mapping[str, Any]], selection: Mapping[str, Any]) -> dict[str, Any]:
    """Everything but the vectors.

    ``sha256.groups`` holds a digest of each group's vectors and ``sha256.document`` one of all: of the canonical JSON
    of the header without ``sha256``, then of every vector in order, a line each.
    """
    flags = {group.id: _shared(vectors, group.id) for group in GROUPS}
    content = {
        "format": FORMAT,
        "provenance": {"versions": versions(), "selection": dict(selection)},
        "kinds": dict(KINDS),
        "groups": [
            {"id": group.id, "title": group.title, "purpose": group.purpose, "flags": flags[group.id]}
            for group in GROUPS
            if any(vector["group"] == group.id for vector in vectors)
        ],
        "count": len(vectors),
    }
    return {**content, "sha256": checksums(content, vectors)}


def checksums(content: Mapping[str, Any], vectors: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Digests of each group and of the whole, for a header (with or without its ``sha256``) and its vectors."""
    bare = {key: value for key, value in content.items() if key not in ("sha256", "vectors")}
    lines = [canonical(vector) for vector in vectors]
    groups: dict[str, list[str]] = {}
    for vector, line in zip(vectors, lines, strict=True):
        groups.setdefault(str(vector["group"]), []).append(line)
    return {
        "document": digest([canonical(bare), *lines]),
        "groups": {group: digest(members) for group, members in groups.items()},
    }


def versions() -> dict[str, str]:
    """Versions of what the answers were computed with; metadata alone."""
    found = {}
    for name in PRODUCERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def text(head: Mapping[str, Any], vectors: Sequence[Mapping[str, Any]], lines: bool) -> str:
    """The document: one JSON object with a vector on each line, or JSON Lines with the header on the first."""
    records = [canonical(vector) for vector in vectors]
    if lines:
        return "\n".join([canonical(head), *records]) + "\n"
    return canonical(head)[:-1] + MARK + ",\n".join(records) + "\n]}\n"


def _shared(vectors: Sequence[Mapping[str, Any]], group: str) -> list[str]:
    """Flags that every vector of a group carries."""
    found = [set(vector["flags"]) for vector in vectors if vector["group"] == group]
    return sorted(set.intersection(*found)) if found else []
