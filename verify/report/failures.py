"""What needs attention: every verdict that is no pass, with its evidence and the command that asks again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verify.report.records import WORDS, Entry, Records, short, stepped
from verify.report.summary import diagnosis, expected_reason
from verify.verdict import Status, Verdict

LONGEST = 3000
"""Characters of one value that are shown; the line of the store has the rest."""

FULL = 400
"""Findings shown with all their evidence; those after it keep case, message and command."""


@dataclass(frozen=True)
class Failure:
    """One finding, ready to be shown.

    Attributes:
        number: its place in the list, from 1; also its anchor.
        verdict: what was found.
        word: status in words.
        line: line of the store.
        measured: error, as text.
        bound: limit, as text.
        ratio: error ÷ bound, as text.
        worst: name and value of the worst case.
        smallest: the same of the smallest counterexample; empty if it is the worst case.
        diagnosis: text and evidence of each explanation.
        expected: reason and link of an expected failure.
        command: replays the cell.
        full: whether the evidence is shown.
    """

    number: int
    verdict: Verdict
    word: str
    line: int
    measured: str
    bound: str
    ratio: str
    worst: tuple[tuple[str, str], ...]
    smallest: tuple[tuple[str, str], ...]
    diagnosis: tuple[tuple[str, str], ...]
    expected: tuple[str, str] | None
    command: str
    full: bool


@dataclass(frozen=True)
class Group:
    """Findings of one target and status."""

    target: str
    status: Status
    word: str
    failures: tuple[Failure, ...]


ATTENTION = (Status.FAIL, Status.UNEXPECTED_PASS, Status.ERROR, Status.INCONCLUSIVE)


def groups(records: Records, statuses: Sequence[Status], start: int = 1) -> list[Group]:
    """Findings of these statuses by status and target, in that order."""
    found = []
    number = start
    for status in statuses:
        by_target: dict[str, list[Entry]] = {}
        for entry in records.entries:
            if entry.verdict.status is status:
                by_target.setdefault(entry.verdict.case.target, []).append(entry)
        for target, entries in by_target.items():
            failures = []
            for entry in entries:
                failures.append(_failure(entry, number, number - start < FULL))
                number += 1
            found.append(Group(target, status, WORDS[status], tuple(failures)))
    return found


def _failure(entry: Entry, number: int, full: bool) -> Failure:
    verdict = entry.verdict
    worst = evidence(verdict.worst) if full else ()
    smallest = verdict.details.get("smallest")
    same = smallest == verdict.worst
    return Failure(
        number,
        verdict,
        WORDS[verdict.status],
        entry.line,
        _quantity(verdict.measured),
        _quantity(verdict.bound),
        short(verdict.ratio),
        worst,
        evidence(smallest) if full and isinstance(smallest, dict) and not same else (),
        tuple(diagnosis(verdict)),
        expected_reason(verdict) if verdict.status is Status.EXPECTED_FAIL else None,
        command(entry),
        full,
    )


def _quantity(value: float | None) -> str:
    return "no finite number recorded" if value is None else f"{value:.6g}"


def evidence(place: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """Name and value of each recorded fact; texts as they are, the rest as JSON, cut at `LONGEST`."""
    if not place:
        return ()
    first = ("what", "index", "coefficient", "got", "expected")
    names = [name for name in first if name in place] + [name for name in place if name not in first]
    return tuple((name, _value(place[name])) for name in names)


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... (cut at {LONGEST} of {len(text)} characters)"


def command(entry: Entry) -> str:
    """The command line that checks this cell again, quoted for a POSIX shell."""
    verdict, case = entry.verdict, entry.verdict.case
    options = ["--measure", case.measure, "--orders", str(case.order), "--level", case.level]
    if stepped(case):
        options += ["--method", case.method]
    options += ["--dtype", case.dtype]
    for name, value in case.parameters:
        options += [f"--{name}", value]
    if case.dt is not None:
        options += ["--dt", repr(case.dt)]
    if "convention" in verdict.details:
        options += ["--convention", "auto"]
    if entry.suite == "full":
        options += ["--suite", entry.suite]
    if entry.seed is not None:
        options += ["--seed", str(entry.seed)]
    # A value that starts with a dash must not be read as an option.
    pairs = zip(options[::2], options[1::2], strict=True)
    options = [
        word for name, value in pairs for word in ([f"{name}={value}"] if value.startswith("-") else [name, value])
    ]
    # A name that looks like an option is handed over after the mark that ends the options.
    words = ["check", *options, "--", case.target] if case.target.startswith("-") else ["check", case.target, *options]
    return shlex.join(["hippo-verify", *words])
