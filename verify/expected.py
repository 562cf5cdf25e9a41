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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"expected failures: {path} is not TOML: {error}") from None
    if set(content) - {"expected"}:
        raise ValueError(
            f"expected failures: {path} has {sorted(set(content) - {'expected'})}; accepted: [[expected]] tables"
        )
    records = content.get("expected", [])
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ValueError(f"expected failures: {path} has expected = {records!r:.60}; accepted: [[expected]] tables")
    entries = []
    for number, record in enumerate(records, start=1):
        unknown, missing = set(record) - FIELDS, [name for name in REQUIRED if not record.get(name)]
        if unknown or missing:
            raise ValueError(
                f"expected failures: entry {number} of {path} has unknown {sorted(unknown)} and lacks {missing}; "
                f"accepted: {', '.join(sorted(FIELDS))}; required: {', '.join(REQUIRED)}"
            )
        conditions = {name: value for name, value in record.items() if name not in ("reason", "link")}
        for name, value in conditions.items():
            accepted = "text" if name != "orders" else "a list of integers, such as [4, 8]"
            fits = isinstance(value, str) if name != "orders" else _integers(value)
            if not fits:
                raise ValueError(
                    f"expected failures: entry {number} of {path}: {name} is {value!r}; accepted: {accepted}"
                )
        if "match" in conditions:
            try:
                re.compile(conditions["match"])
            except re.error as error:
                raise ValueError(
                    f"expected failures: entry {number} of {path}: match is no expression: {error}"
                ) from None
        entries.append(Entry(conditions, record["reason"], record["link"]))
    return entries


def _integers(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int for item in value)


def apply(verdicts: Iterable[Verdict], entries: Sequence[Entry]) -> list[Verdict]:
    """Verdicts with expected failures and unexpected passes marked; entries count what they matched.

    Verdicts that are marked already (those of a campaign that goes on) are counted and left as they are.
    """
    return [_marked(verdict, [entry for entry in entries if entry.fits(verdict)]) for verdict in verdicts]


def _marked(verdict: Verdict, fitting: Sequence[Entry]) -> Verdict:
    if not fitting or verdict.status in (Status.UNSUPPORTED, Status.INCONCLUSIVE):
        return verdict
    if verdict.status in (Status.PASS, Status.UNEXPECTED_PASS):
        entry = fitting[0]
        entry.used += 1
        return verdict.with_status(Status.UNEXPECTED_PASS, f"passes, but was expected to fail: {entry.reason}")
    known = next((e for e in fitting if re.search(e.conditions.get("match", ""), verdict.message)), None)
    if known is None:  # it fails, but not in a way that is known
        return verdict
    known.used += 1
    if verdict.status is Status.EXPECTED_FAIL:
        return verdict
    message = f"{verdict.message} [expected: {known.reason}; {known.link}]"
    return replace(verdict, status=Status.EXPECTED_FAIL, message=message)


def unmatched(entries: Iterable[Entry], targets: Iterable[str]) -> list[Entry]:
    """Entries that speak of a checked target and matched nothing."""
    checked = set(targets)
    return [entry for entry in entries if not entry.used and entry.conditions["target"] in {*checked, "*"}]
