"""Known failures are data: a TOML file of what fails, why, where that is discussed, with which versions and until when.

Strict in every direction: an unexpected pass, an entry that matches nothing and one that has expired are all reported.
"""

from __future__ import annotations

import os
import platform
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from verify.case import Case
from verify.verdict import Status, Verdict

CONDITIONS = ("target", "check", "measure", "method", "level", "dtype", "orders", "match")
FIELDS = {*CONDITIONS, "versions", "expires", "reason", "link"}
REQUIRED = ("target", "reason", "link")
SHIPPED = Path(__file__).with_name("expected_failures.toml")
TODAY = "HIPPO_VERIFY_TODAY"
"""Environment variable with the date that entries are judged by; without it the clock's, in UTC."""


@dataclass
class Entry:
    """One expected failure: every field given must match.

    Attributes:
        conditions: field -> value; ``orders`` is a list, ``match`` a regular expression for the message.
        reason: why it fails.
        link: where that is discussed.
        versions: distributions and the versions of them that it speaks of.
        expires: the day from which it no longer counts, or None.
        place: where it stands, for messages.
        expired: whether that day has come.
        elsewhere: the versions it speaks of, if others are installed, and these.
        used: how many verdicts it matched.
    """

    conditions: dict[str, Any]
    reason: str
    link: str
    versions: tuple[Requirement, ...] = ()
    expires: date | None = None
    place: str = "an entry"
    expired: bool = False
    elsewhere: str = ""
    used: int = field(default=0)

    def fits(self, check: str, case: Case) -> bool:
        """Whether the entry speaks of a check of a case, apart from what is found."""
        if check == "load" and self.conditions.get("check") != "load" and "match" not in self.conditions:
            return False  # no case was asked: what is known to be wrong there says nothing of a target that is not here
        record = {"check": check, **case.to_json()}
        for name, value in self.conditions.items():
            if name == "match":
                continue
            if name == "orders":
                if case.order not in value:
                    return False
            elif value != "*" and record[name] != value:
                return False
        return True

    def knows(self, message: str) -> bool:
        """Whether a failure with this message is the one that is expected."""
        return re.search(self.conditions.get("match", ""), message) is not None

    @property
    def lapsed(self) -> str:
        """Why it does not count here and now, or empty."""
        return f"expired on {self.expires}" if self.expired else self.elsewhere

    def describe(self) -> str:
        """The conditions on one line."""
        return ", ".join(f"{name} = {value}" for name, value in self.conditions.items())


def today() -> date:
    """The date that entries are judged by: ``$HIPPO_VERIFY_TODAY``, else the clock's, in UTC.

    Raises:
        ValueError: the variable holds no date.
    """
    given = os.environ.get(TODAY)
    if not given:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise ValueError(f"{TODAY} is {given!r}; accepted: a date such as 2027-01-31") from None


def load(path: Path, targets: Iterable[str]) -> list[Entry]:
    """Entries of a TOML file with ``[[expected]]`` tables that speak of some targets, judged by the date and versions.

    Raises:
        ValueError: as `read` and `today`, or an entry that is needed names a distribution that is not installed.
    """
    day, asked = today(), {*targets, "*"}
    return [
        replace(
            entry,
            expired=entry.expires is not None and day >= entry.expires,
            elsewhere=next((why for wanted in entry.versions if (why := _elsewhere(wanted, entry.place))), ""),
        )
        for entry in read(path)
        if entry.conditions["target"] in asked
    ]


def _elsewhere(wanted: Requirement, place: str) -> str:
    """Empty if the versions asked for are installed."""
    version = _installed(wanted.name)
    if version is None:
        raise ValueError(
            f"expected failures: {place}: versions has {str(wanted)!r}, and {wanted.name} is not installed; "
            "accepted: an installed distribution, or python"
        )
    try:
        fits = wanted.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        raise ValueError(
            f"expected failures: {place}: versions has {str(wanted)!r}, and the version installed is {version!r}; "
            "accepted: one that can be compared (PEP 440)"
        ) from None
    return "" if fits else f"is for {wanted}, and {version} is installed"


def _installed(name: str) -> str | None:
    if canonicalize_name(name) == "python":
        return platform.python_version()
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def read(path: Path) -> list[Entry]:
    """Every entry of a TOML file with ``[[expected]]`` tables.

    Raises:
        ValueError: the file is missing, no TOML, or an entry lacks a field or has an unknown or malformed one.
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
    return [_entry(record, f"entry {number} of {path}") for number, record in enumerate(records, start=1)]


def _entry(record: dict[str, Any], place: str) -> Entry:
    unknown, missing = set(record) - FIELDS, [name for name in REQUIRED if not record.get(name)]
    if unknown or missing:
        raise ValueError(
            f"expected failures: {place} has unknown {sorted(unknown)} and lacks {missing}; "
            f"accepted: {', '.join(sorted(FIELDS))}; required: {', '.join(REQUIRED)}"
        )
    for name, value in record.items():
        right, accepted = _FORMS.get(name, _TEXT)
        if not right(value):
            raise ValueError(f"expected failures: {place}: {name} is {_toml(value)}; accepted: {accepted}")
    conditions = {name: record[name] for name in record if name in CONDITIONS}
    try:
        re.compile(conditions.get("match", ""))
    except re.error as error:
        raise ValueError(f"expected failures: {place}: match is no expression: {error}") from None
    versions = tuple(_requirement(text, place) for text in record.get("versions", ()))
    return Entry(conditions, record["reason"], record["link"], versions, record.get("expires"), place)


def _is_list_of(kind: type, value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(item) is kind for item in value)


_Form = tuple[Callable[[Any], bool], str]
_TEXT: _Form = (lambda value: isinstance(value, str), "text")
_FORMS: dict[str, _Form] = {
    "orders": (lambda value: _is_list_of(int, value), "a list of integers, such as [4, 8]"),
    "versions": (lambda value: _is_list_of(str, value), 'a list of distributions with versions, such as ["jax>=0.10"]'),
    "expires": (lambda value: type(value) is date, "a date without quotes, such as 2027-01-31"),
}
"""Fields that are not text: whether a value has the right form, and what that is."""


def _toml(value: Any) -> str:
    return str(value) if isinstance(value, date) else repr(value)


def _requirement(text: str, place: str) -> Requirement:
    try:
        wanted = Requirement(text)
        plain = bool(wanted.specifier) and not (wanted.extras or wanted.url or wanted.marker)
    except InvalidRequirement:
        plain = False
    if not plain:
        raise ValueError(
            f"expected failures: {place}: versions has {text!r}; accepted: a distribution and the versions of it that "
            "fail, such as 'jax>=0.10' or 'hippox>=0.0.9,<0.1'"
        )
    return wanted


def apply(verdicts: Iterable[Verdict], entries: Sequence[Entry]) -> list[Verdict]:
    """Verdicts with expected failures and unexpected passes marked; entries count what they matched.

    A failure that only a lapsed entry knows stays one and says so. Verdicts that are marked already (those of a
    campaign that goes on) are counted and left as they are.
    """
    return [_marked(verdict, [e for e in entries if e.fits(verdict.check, verdict.case)]) for verdict in verdicts]


def _marked(verdict: Verdict, fitting: Sequence[Entry]) -> Verdict:
    valid = [entry for entry in fitting if not entry.lapsed]
    if not fitting or verdict.status in (Status.UNSUPPORTED, Status.INCONCLUSIVE):
        return verdict
    if verdict.status in (Status.PASS, Status.UNEXPECTED_PASS):
        if not valid:
            return verdict
        entry = valid[0]
        entry.used += 1
        return verdict.with_status(Status.UNEXPECTED_PASS, f"passes, but was expected to fail: {entry.reason}")
    known = next((entry for entry in [*valid, *fitting] if entry.knows(verdict.message)), None)
    if known is None:  # it fails, but not in a way that is known
        return verdict
    known.used += 1
    if verdict.status is Status.EXPECTED_FAIL:
        return verdict
    if known.lapsed:
        said = f" [not expected: the entry {known.lapsed}: {known.reason}; {known.link}]"
        return verdict if said in verdict.message else replace(verdict, message=verdict.message + said)
    message = f"{verdict.message} [expected: {known.reason}; {known.link}]"
    return replace(verdict, status=Status.EXPECTED_FAIL, message=message)


def stated(message: str) -> tuple[str, str]:
    """Reason and link of an expected failure, from ``[expected: reason; link]`` at the end of its message, or empty."""
    inside = message.rpartition("[expected: ")[2].rpartition("]")[0] if "[expected: " in message else ""
    reason, _, link = inside.rpartition("; ")
    return reason, link


def notes(entries: Iterable[Entry]) -> list[str]:
    """What is wrong with the entries themselves, once they were applied: expired, or matched nothing.

    One for other versions than those installed is no fault: elsewhere it may be needed.
    """
    found = []
    for entry in entries:
        if entry.expired:
            found.append(f"expected failure expired on {entry.expires}; renew or remove it: {entry.describe()}")
        elif not entry.elsewhere and not entry.used:
            found.append(f"expected failure matched nothing: {entry.describe()}")
    return found
