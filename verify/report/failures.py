"""What needs attention: every verdict that is no pass, with its evidence and the commands that ask again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from verify.case import Case
from verify.report.records import WORDS, Entry, Records, short, stepped
from verify.report.saved import Counterexamples
from verify.report.summary import diagnosis, expected_reason
from verify.verdict import Status, Verdict

LONGEST = 3000
"""Characters of one value that are shown; the line of the store has the rest."""
PER_PAGE = 200
"""Findings on one page: some hundred kilobytes."""
MOST = 10_000
"""Findings that are shown in full; who has more looks at the causes, and at the table of all verdicts."""

ATTENTION = (Status.FAIL, Status.UNEXPECTED_PASS, Status.ERROR, Status.INCONCLUSIVE)
LISTED = (*ATTENTION, Status.EXPECTED_FAIL)
"""Statuses of findings, in the order in which they are listed."""


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
        commands: what each asks again, and the command line.
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
    commands: tuple[tuple[str, str], ...]

    @property
    def page(self) -> int:
        """The page that it is on; 1 is the front page."""
        return page_of(self.number)


@dataclass(frozen=True)
class Group:
    """Findings of one target and status on one page."""

    target: str
    status: Status
    word: str
    failures: tuple[Failure, ...]


def page_of(number: int) -> int:
    """The page on which a finding stands, from 1."""
    return (number - 1) // PER_PAGE + 1


def page_name(page: int) -> str:
    """The file of a page of findings."""
    return "index.html" if page == 1 else f"failures-{page}.html"


def href(number: int) -> str:
    """Where a finding is, seen from the front page."""
    page = page_of(number)
    return f"{'' if page == 1 else page_name(page)}#finding-{number}"


def numbered(records: Records) -> dict[int, int]:
    """Line of the store -> number of its finding: by status, then by target, then in the order of the campaign."""
    rank = {status: index for index, status in enumerate(LISTED)}
    targets: dict[str, int] = {}
    keys = []
    for entry in records.entries:
        place = rank.get(entry.verdict.status)
        if place is not None:
            target = targets.setdefault(entry.verdict.case.target, len(targets))
            keys.append((place, target, entry.line))
    return {line: number for number, (_, _, line) in enumerate(sorted(keys)[:MOST], start=1)}


def findings(records: Records) -> Iterator[Failure]:
    """Every finding that is shown, in the order of its number."""
    numbers = numbered(records)
    entries = {entry.line: entry for entry in records.entries if entry.line in numbers}
    kept = Counterexamples(records.path)
    for line, number in numbers.items():
        yield _failure(entries[line], number, kept)


def grouped(failures: Iterable[Failure], statuses: Sequence[Status] = LISTED) -> list[Group]:
    """Findings of these statuses by status and target, in the order in which they come."""
    groups: dict[tuple[Status, str], list[Failure]] = {}
    for failure in failures:
        verdict = failure.verdict
        if verdict.status in statuses:
            groups.setdefault((verdict.status, verdict.case.target), []).append(failure)
    return [Group(target, status, WORDS[status], tuple(mine)) for (status, target), mine in groups.items()]


def _failure(entry: Entry, number: int, kept: Counterexamples) -> Failure:
    verdict = entry.verdict
    smallest = verdict.details.get("smallest")
    same = smallest == verdict.worst
    again = [(item.words, replay(entry, item.path.as_posix())) for item in kept.of(verdict)]
    return Failure(
        number,
        verdict,
        WORDS[verdict.status],
        entry.line,
        _quantity(verdict.measured),
        _quantity(verdict.bound),
        short(verdict.ratio),
        evidence(verdict.worst),
        evidence(smallest) if isinstance(smallest, dict) and not same else (),
        tuple(diagnosis(verdict)),
        expected_reason(verdict) if verdict.status is Status.EXPECTED_FAIL else None,
        (*again, ("every check of this cell", command(entry))),
    )


def _quantity(value: float | None) -> str:
    return "no finite number recorded" if value is None else f"{value:.6g}"


def evidence(place: Mapping[str, object] | None) -> tuple[tuple[str, str], ...]:
    """Name and value of each recorded fact; texts as they are, the rest as JSON, cut at `LONGEST`."""
    if not place:
        return ()
    first = ("what", "index", "coefficient", "got", "expected")
    names = [name for name in first if name in place] + [name for name in place if name not in first]
    return tuple((name, _value(place[name])) for name in names)


def _value(value: object) -> str:
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
    return _command(case, options)


def replay(entry: Entry, path: str) -> str:
    """The command line that asks the target again what a file says."""
    convention = ["--convention", "auto"] if "convention" in entry.verdict.details else []
    return _command(entry.verdict.case, ["--replay", path, *convention])


def _command(case: Case, options: list[str]) -> str:
    # A value that starts with a dash must not be read as an option.
    pairs = zip(options[::2], options[1::2], strict=True)
    options = [
        word for name, value in pairs for word in ([f"{name}={value}"] if value.startswith("-") else [name, value])
    ]
    # A name that looks like an option is handed over after the mark that ends the options.
    words = ["check", *options, "--", case.target] if case.target.startswith("-") else ["check", case.target, *options]
    return shlex.join(["hippo-verify", *words])
