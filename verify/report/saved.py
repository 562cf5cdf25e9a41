"""Counterexamples that a campaign kept beside its verdicts: which file belongs to which cell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verify.case import Case
from verify.verdict import Verdict

FOLDER = "counterexamples"
"""Beside ``verdicts.jsonl``."""
WORDS = {
    "smallest": "the smallest counterexample",
    "worst": "the worst counterexample",
    "error": "the call that ended in the error",
    "calls": "the calls of the check",
}
"""What a file holds, by what it says of itself."""


@dataclass(frozen=True)
class Kept:
    """A file that asks a failing target again.

    Attributes:
        path: where it lies.
        check: key of the check that failed first on it.
        which: what it holds, a key of `WORDS`.
    """

    path: Path
    check: str
    which: str

    @property
    def words(self) -> str:
        """What it holds."""
        return WORDS.get(self.which, "a counterexample")


class Counterexamples:
    """The files of one store, found by what they say of themselves.

    Args:
        store: ``verdicts.jsonl``; the files lie in the folder `FOLDER` beside it.
    """

    def __init__(self, store: Path) -> None:
        self._folder = store.parent / FOLDER
        self._by_cell: dict[str, list[Kept]] = {}
        paths = sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []
        for path in paths:
            about = _about(path)
            cell = _cell(about)
            if cell:
                kept = Kept(path, str(about.get("check", "")), str(about.get("which", "")))
                self._by_cell.setdefault(cell, []).append(kept)
        self._names = {path.name: path for path in paths}

    def of(self, verdict: Verdict) -> list[Kept]:
        """The files of a verdict, the smallest first.

        A question at which several checks of one cell fail is kept once: then it is found by its cell.
        """
        kept = self._by_cell.get(verdict.case.id, [])
        named = verdict.details.get("counterexamples")
        names = {Path(name).name for name in named if isinstance(name, str)} if isinstance(named, list) else set()
        mine = [item for item in kept if item.path.name in names] or [i for i in kept if i.check == verdict.check]
        order = list(WORDS)
        return sorted(mine, key=lambda item: order.index(item.which) if item.which in order else len(order))


def _about(path: Path) -> Mapping[str, Any]:
    """What a file says of the failure that it is of; empty if it is no counterexample."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    record = record if isinstance(record, dict) else {}
    about = record.get("counterexample", record.get("about"))
    return about if isinstance(about, dict) else {}


def _cell(about: Mapping[str, Any]) -> str:
    """The id of the case that a failure is of, or empty."""
    try:
        return Case.from_json(about["case"]).id
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""
