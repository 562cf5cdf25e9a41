"""Accepted regressions are data: a TOML file of what may be worse, by how much, why and until when."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from verify.expected import today
from verify.gate.settings import matches
from verify.gate.words import Word

WHATS = (Word.SLOWER, Word.LESS_ACCURATE, Word.NOT_COMPARABLE, Word.NOT_MEASURED)
"""What can be accepted."""
MEASURED = (Word.SLOWER, Word.LESS_ACCURATE)
"""What has a ratio: it is accepted up to one."""
REQUIRED = ("benchmark", "what", "reason", "expires")
FIELDS = (*REQUIRED, "up-to")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One accepted regression.

    Attributes:
        benchmark: name of it, in which ``*`` stands for anything.
        what: the word that is accepted.
        reason: why.
        expires: the day from which it no longer counts.
        up_to: largest ratio that is accepted; inf where the word has none.
        place: where it stands, for messages.
    """

    benchmark: str
    what: Word
    reason: str
    expires: date
    up_to: float = math.inf
    place: str = "an entry"

    def fits(self, name: str, word: Word) -> bool:
        """Whether it speaks of a word that is said of a benchmark, apart from how much and when."""
        return word is self.what and matches(self.benchmark, name)

    def describe(self) -> str:
        """What it accepts, on one line."""
        limit = f", up to {self.up_to:g} times" if self.what in MEASURED else ""
        return f"{self.what} {self.benchmark}{limit} ({self.place})"


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """All accepted regressions, and the day that they are judged by.

    Attributes:
        entries: in the order of the file.
        day: an entry counts before the day on which it expires.
    """

    entries: tuple[Entry, ...] = ()
    day: date = date.min

    def lapsed(self, entry: Entry) -> bool:
        """Whether an entry has expired."""
        return self.day >= entry.expires

    @classmethod
    def read(cls, path: Path) -> Accepted:
        """The ``[[accepted]]`` tables of a TOML file, judged by ``$HIPPO_VERIFY_TODAY`` or the clock.

        Raises:
            ValueError: the file is missing, no TOML, or an entry lacks a field or has an unknown or malformed one.
        """
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"accepted regressions: cannot read {path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"accepted regressions: {path} is not TOML: {error}") from None
        records = content.get("accepted", [])
        tables = isinstance(records, list) and all(isinstance(record, dict) for record in records)
        if not tables or set(content) - {"accepted"}:
            raise ValueError(f"accepted regressions: {path} has {sorted(content)}; accepted: [[accepted]] tables")
        entries = (_entry(record, f"entry {number} of {path}") for number, record in enumerate(records, start=1))
        return cls(entries=tuple(entries), day=today())


def _entry(record: Mapping[str, Any], place: str) -> Entry:
    unknown, missing = sorted(set(record) - set(FIELDS)), [name for name in REQUIRED if not record.get(name)]
    measured = record.get("what") in MEASURED
    if measured and "up-to" not in record:
        missing.append("up-to")  # what is accepted without a limit would let the next regression through too
    if unknown or missing:
        raise ValueError(
            f"accepted regressions: {place} has unknown {unknown} and lacks {missing}; accepted: {', '.join(FIELDS)}; "
            f"required: {', '.join(REQUIRED)}, and up-to for {' and '.join(MEASURED)}"
        )
    for name in ("benchmark", "reason"):
        if not isinstance(record[name], str) or not record[name].strip():
            raise ValueError(f"accepted regressions: {place}: {name} is {record[name]!r}; accepted: text")
    if record["what"] not in list(WHATS):
        raise ValueError(f"accepted regressions: {place}: what is {record['what']!r}; accepted: {', '.join(WHATS)}")
    if type(record["expires"]) is not date:
        raise ValueError(
            f"accepted regressions: {place}: expires is {record['expires']!r}; accepted: a date without quotes, such "
            "as 2027-01-31"
        )
    up_to = record.get("up-to", math.inf)
    if "up-to" in record and not (measured and type(up_to) in (int, float) and up_to > 1):
        raise ValueError(
            f"accepted regressions: {place}: up-to is {up_to!r} for {record['what']}; accepted: a number above 1, for "
            f"{' and '.join(MEASURED)} only"
        )
    return Entry(
        benchmark=record["benchmark"], what=Word(record["what"]), reason=record["reason"], expires=record["expires"],
        up_to=float(up_to), place=place,
    )  # fmt: skip
