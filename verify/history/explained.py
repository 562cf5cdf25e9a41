"""What somebody found out about a commit, kept in a small file and shown beside the changes that it brought."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from verify.revisions import SHORT, Commit
from verify.text import one_line

KEYS: Final = {"commit", "text"}


class ExplanationError(ValueError):
    """The file cannot be used; the message says where and why."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a commit changed what it did.

    Attributes:
        commit: the first digits of its hash, at least `SHORT`.
        text: one sentence or a few.
    """

    commit: str
    text: str


def read(path: Path) -> tuple[Explanation, ...]:
    """Explanations out of TOML: tables ``[[explained]]`` with ``commit`` and ``text``.

    Raises:
        ExplanationError: the file cannot be read, or an entry is not as it should be.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExplanationError(f"{path} cannot be read: {one_line(str(error))}; expected: TOML") from error
    entries = content.pop("explained", [])
    if content or not isinstance(entries, list):
        raise ExplanationError(f"{path} holds {', '.join(content) or 'explained'}; accepted: tables [[explained]] only")
    found: list[Explanation] = []
    for number, entry in enumerate(entries, 1):
        where = f"{path}, entry {number}"
        if not isinstance(entry, dict) or set(entry) != KEYS or not all(isinstance(entry[key], str) for key in KEYS):
            raise ExplanationError(f"{where} is {one_line(repr(entry))}; accepted: the texts commit and text")
        commit, text = entry["commit"].lower(), entry["text"].strip()
        if len(commit) < SHORT or set(commit) - set("0123456789abcdef"):
            raise ExplanationError(
                f"{where}: commit is {one_line(commit)!r}; accepted: {SHORT} digits of a hash or more"
            )
        if not text:
            raise ExplanationError(f"{where}: text is empty; expected: why commit {commit} changed what it did")
        if commit in {other.commit for other in found}:
            raise ExplanationError(f"{where}: commit {commit} is explained twice")
        found.append(Explanation(commit=commit, text=text))
    return tuple(found)


def of(explanations: Sequence[Explanation], commits: Sequence[Commit]) -> tuple[Explanation, ...]:
    """Those of some commits."""
    return tuple(one for one in explanations if any(commit.hash.startswith(one.commit) for commit in commits))
