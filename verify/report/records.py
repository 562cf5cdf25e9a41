"""What was recorded, as the pages of a report use it: a store in full, and the words they say it in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verify.case import STEPPING, Case
from verify.stored import StoredVerdict, open_store
from verify.verdict import Status, Verdict

Entry = StoredVerdict


@dataclass(frozen=True)
class Records:
    """A store in memory: about 4 kB a verdict; `verify.stored.open_store` streams those of any size.

    Attributes:
        path: the file.
        provenance: versions, commit, machine, seed.
        entries: every verdict, in the order of the campaign.
        notes: what the campaign had to say at its end.
        finished: whether it reached its end.
        torn: whether the file ends amid a unit, which does not count.
        units: how many units were finished.
    """

    path: Path
    provenance: Mapping[str, Any]
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    finished: bool = False
    torn: bool = False
    units: int = 0
    verdicts: tuple[Verdict, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "verdicts", tuple(entry.verdict for entry in self.entries))


def read(store: Path, form: Callable[[Iterable[Entry]], Iterable[Entry]] = iter) -> Records:
    """A store in memory; it is read once.

    Args:
        store: folder with ``verdicts.jsonl``, or the file itself.
        form: what is kept of its verdicts; default: all of each.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no verdicts, or something else than verdicts.
    """
    found = open_store(store)
    return Records(
        found.path, found.provenance, tuple(form(found)), found.notes, found.finished, found.torn, found.units
    )


def variant(case: Case) -> str:
    """The measure with its parameters, such as ``legt (theta = 1)``; the device where it is not the cpu."""
    listing = ", ".join(f"{name} = {value}" for name, value in case.parameters)
    device = f" on {case.device}" if case.device != "cpu" else ""
    return f"{case.measure} ({listing}){device}" if listing else f"{case.measure}{device}"


def short(value: float | None) -> str:
    """A number for a table: three digits, or a dash."""
    return "–" if value is None else "0" if value == 0 else "∞" if value == math.inf else f"{value:.3g}"


def counted(number: int, noun: str) -> str:
    """``1 cell``, ``2 cells``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def stepped(case: Case) -> bool:
    """Whether the discretization rule matters at the level of a case."""
    return case.level in STEPPING


SEVERITY = (
    Status.FAIL,
    Status.UNEXPECTED_PASS,
    Status.ERROR,
    Status.INCONCLUSIVE,
    Status.EXPECTED_FAIL,
    Status.PASS,
    Status.UNSUPPORTED,
)
"""Statuses, the one that matters most first."""

WORDS = {
    Status.PASS: "pass",
    Status.FAIL: "fail",
    Status.EXPECTED_FAIL: "expected fail",
    Status.UNEXPECTED_PASS: "unexpected pass",
    Status.UNSUPPORTED: "unsupported",
    Status.INCONCLUSIVE: "inconclusive",
    Status.ERROR: "error",
}

LETTERS = {
    Status.PASS: "P",
    Status.FAIL: "F",
    Status.EXPECTED_FAIL: "X",
    Status.UNEXPECTED_PASS: "U",
    Status.UNSUPPORTED: "–",
    Status.INCONCLUSIVE: "?",
    Status.ERROR: "E",
}
"""One sign for each status, so that nothing is said by colour alone."""
