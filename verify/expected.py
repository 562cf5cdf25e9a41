"""Known failures are data: a TOML file of what fails, why, and where that is discussed. Strict in both directions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from verify.verdict import Status, Verdict

FIELDS = {"target", "check", "measure", "method", "level", "dtype", "orders", "match", "reason", "link"}
REQUIRED = ("target", "reason", "link")
SHIPPED = Path(__file__).with_name("expected_failures.toml")


@dataclass
class Entry:
    """One expected failure: every field given must match.

    Attributes:
        conditions: field -> value; ``orders`` is a list, ``match`` a regular expression for the message.
        reason: why it fails.
        link: where that is discussed.
        used: how many verdicts it matched.
    """

    conditions: dict[str, Any]
    reason: str
    link: str
    used: int = field(default=0)

    def fits(self, verdict: Verdict) -> bool:
        """Whether the entry speaks of a verdict, apart from its message."""
        record = {"check": verdict.check, **verdict.case.to_json()}
        for name, value in self.conditions.items():
            if name == "match":
                continue
            if name == "orders":
                if verdict.case.order not in value:
                    return False
            elif value != "*" and record[name] != value:
                return False
        return True

    def describe(self) -> str:
        """The conditions on one line."""
        return ", ".join(f"{name} = {value}" for name, value in self.conditions.items())


def load(path: Path) -> list[Entry]:
    """Entries of a TOML file with ``[[expected]]`` tables.

    Raises:
        ValueError: the file is missing, no TOML, or an entry lacks a field or has an unknown one.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"expected failures: cannot read {path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"expected failures: {path} is not TOML: {error}") from None
    if set(content) - {"expected"}:
        raise ValueError(
            f"expected failures: {path} has {sorted(set(content) - {'expected'})}; accepted: [[expected]] tables"
        )
    entries = []
    for number, record in enumerate(content.get("expected", []), start=1):
        unknown, missing = set(record) - FIELDS, [name for name in REQUIRED if not record.get(name)]
        if unknown or missing:
            raise ValueError(
                f"expected failures: entry {number} of {path} has unknown {sorted(unknown)} and lacks {missing}; "
                f"accepted: {', '.join(sorted(FIELDS))}; required: {', '.join(REQUIRED)}"
            )
        conditions = {name: value for name, value in record.items() if name not in ("reason", "link")}
        if "match" in conditions:
            try:
                re.compile(conditions["match"])
            except re.error as error:
                raise ValueError(
                    f"expected failures: entry {number} of {path}: match is no expression: {error}"
                ) from None
        entries.append(Entry(conditions, record["reason"], record["link"]))
    return entries


def apply(verdicts: Iterable[Verdict], entries: Sequence[Entry]) -> list[Verdict]:
    """Verdicts with expected failures and unexpected passes marked; entries count what they matched."""
    marked = []
    for verdict in verdicts:
        entry = next((e for e in entries if e.fits(verdict)), None)
        if entry is None or verdict.status in (Status.UNSUPPORTED, Status.INCONCLUSIVE):
            marked.append(verdict)
            continue
        if verdict.status is Status.PASS:
            entry.used += 1
            marked.append(
                verdict.with_status(Status.UNEXPECTED_PASS, f"passes, but was expected to fail: {entry.reason}")
            )
        elif re.search(entry.conditions.get("match", ""), verdict.message):
            entry.used += 1
            message = f"{verdict.message} [expected: {entry.reason}; {entry.link}]"
            marked.append(replace(verdict, status=Status.EXPECTED_FAIL, message=message))
        else:  # it fails, but not in the way that is known
            marked.append(verdict)
    return marked


def unmatched(entries: Iterable[Entry], targets: Iterable[str]) -> list[Entry]:
    """Entries that speak of a checked target and matched nothing."""
    checked = set(targets)
    return [entry for entry in entries if not entry.used and entry.conditions["target"] in checked]
