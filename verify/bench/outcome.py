"""How measuring a commit ended, read from what asv stored: what it lists as skipped may be a failure."""

from __future__ import annotations

import itertools
import json
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from verify.history.series import NOT_CHOSEN
from verify.revisions import Commit
from verify.text import one_line

NOT_BUILT: Final = "asv: the commit was not built"
"""What is noted of a benchmark that asv calls failed because it could not install the commit."""
_RAISED: Final = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt)\b")
"""How a traceback ends, if its message has but one line."""


class End(StrEnum):
    """How a commit ended, worst first."""

    NOT_FINITE = "not finite"
    NOT_BUILT = "not built"
    FAILED = "failed"
    ASV_FAILED = "asv failed"
    STOPPED = "stopped"
    UNCLEAR = "unclear"
    SKIPPED = "skipped"
    MEASURED = "measured"


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A benchmark as asv discovered it, or some of its choices of parameters.

    Attributes:
        name: ``bench_scan.OneStream.time_states``.
        version: another one is another benchmark: its history starts anew.
        choices: its choices of parameters, ``'legs', 8``; one without a name if it has none.
    """

    name: str
    version: str
    choices: tuple[str, ...] = ("",)

    def label(self, choice: str) -> str:
        """How asv spells one choice of the parameters, and what ``--bench`` is looked for in."""
        return f"{self.name}({choice})" if choice else self.name

    def only(self, wanted: Callable[[str], object]) -> Benchmark:
        """The same with those choices alone whose label is wanted."""
        return replace(self, choices=tuple(choice for choice in self.choices if wanted(self.label(choice))))


@dataclass(kw_only=True)
class Tally:
    """What became of the values of a commit, in words where they are not simply measured.

    Attributes:
        measured: finite values.
        skipped: values that a benchmark said it could not have here.
        failed: benchmarks and parameters that failed, and why.
        not_finite: those that came out as NaN or infinite, and what asv takes them for.
        unclear: those that are stored as NaN by somebody who did not note whether they were skipped.
        broken: labels of what failed.
        missing: labels of what has no result of the present version of its benchmark.
        built: whether the commit could be installed.
    """

    measured: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)
    not_finite: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    built: bool = True

    @property
    def end(self) -> End:
        """The word for all of it."""
        if self.not_finite:
            return End.NOT_FINITE
        if not self.built:
            return End.NOT_BUILT
        if self.failed or self.missing:
            return End.FAILED
        if self.unclear:
            return End.UNCLEAR
        return End.MEASURED if self.measured else End.SKIPPED


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one commit ended.

    Attributes:
        commit: which one.
        tally: its values.
        end: the word for it.
        before: whether an earlier run had measured it all.
        seconds: what it took, building included.
        message: why asv itself failed, or the build.
        log: what asv printed.
    """

    commit: Commit
    tally: Tally
    end: End
    before: bool = False
    seconds: float = 0.0
    message: str = ""
    log: Path | None = None


EXIT = {
    End.NOT_FINITE: 1,
    End.NOT_BUILT: 3,
    End.FAILED: 3,
    End.ASV_FAILED: 3,
    End.STOPPED: 130,
    End.UNCLEAR: 5,
    End.SKIPPED: 5,
    End.MEASURED: 0,
}


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """The worst end decides; 4 where there was nothing to measure."""
    ends = {outcome.end for outcome in outcomes}
    if End.STOPPED in ends:
        return EXIT[End.STOPPED]
    return next((EXIT[end] for end in End if end in ends), 4)


def benchmarks(path: Path) -> dict[str, Benchmark]:
    """What asv discovered, by name.

    Raises:
        OSError: there is no such file.
        ValueError: it is not asv's.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Benchmark(name=name, version=str(entry.get("version", "")), choices=choices(entry.get("params")))
        for name, entry in found.items()
        if isinstance(entry, dict)
    }


def choices(params: Sequence[Sequence[str]] | None) -> tuple[str, ...]:
    """The choices of parameters, as asv heads what each of them printed; one without a name if there are none."""
    return tuple(", ".join(choice) for choice in itertools.product(*(params or ())))


def tally(result: Path, notes: Path, wanted: Sequence[Benchmark]) -> Tally:
    """What a results file of asv says of some benchmarks.

    Args:
        result: the file of one commit and environment; it need not exist.
        notes: what `verify.bench.plugin` wrote beside it; it need not exist.
        wanted: the benchmarks asked for, each with the choices asked for.
    """
    stored, said = _rows(result), _json(notes)
    found = Tally()
    for benchmark in wanted:
        row = stored.get(benchmark.name)
        if row is None or str(row.get("version")) != benchmark.version:
            row = {"params": None, "result": []}
        told = _told(said.get(benchmark.name), row)
        values = _values(row)
        for choice in benchmark.choices:
            text = None if told is None else told.get(choice, told.get("", ""))
            if choice not in values or text == NOT_CHOSEN:
                found.missing.append(benchmark.label(choice))
            else:
                found.built = found.built and text != NOT_BUILT
                _count(found, benchmark.label(choice), values[choice], text)
    return found


def outdated(results: Path, present: Sequence[Benchmark]) -> dict[str, int]:
    """In how many results files of a machine a benchmark has another version than now.

    asv compares none of them with newer ones, and shows none of them any more, without saying so.

    Args:
        results: the machine's folder.
        present: the benchmarks as they are now.
    """
    versions = {one.name: one.version for one in present}
    found = dict.fromkeys(versions, 0)
    for path in sorted(results.glob("*.json")):
        for name, row in _rows(path).items():
            found[name] = found.get(name, 0) + (name in versions and str(row.get("version")) != versions[name])
    return {name: count for name, count in found.items() if count}


def _told(note: Any, row: Mapping[str, Any]) -> Mapping[str, str | None] | None:
    """What each choice of parameters said, if what is noted is of the measurement that is stored."""
    fresh = isinstance(note, dict) and note.get("started_at", ...) == row.get("started_at")
    told = note.get("said") if fresh else None
    return told if isinstance(told, dict) else None


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    """What asv stored of each choice of parameters: null stands for null of all, and of what does not fit, nothing."""
    try:
        known, values = choices(row.get("params")), row.get("result")
        return dict.fromkeys(known) if values is None else dict(zip(known, values, strict=True))
    except (TypeError, ValueError):
        return {}


def _count(found: Tally, label: str, value: Any, said: str | None) -> None:
    """Add the value of one choice of parameters; what is not known to have been said is None."""
    if value is None:
        found.failed.append(f"{label}: {_last(said or '')}")
        found.broken.append(label)
    elif not isinstance(value, int | float) or abs(value) > sys.float_info.max:
        found.not_finite.append(f"{label} is {value}; asv stores it, and its pages do not end with it")
    elif not math.isnan(value):
        found.measured += 1
    elif said is None:
        found.unclear.append(f"{label} is stored as nan, and not whether it was skipped; --again measures it")
    elif "asv: skipped" in said:
        found.skipped += 1
    else:
        found.not_finite.append(f"{label} is nan; asv takes it for skipped")


def _last(text: str) -> str:
    """The line that says why: that of the exception, else the last one."""
    lines = [line for line in text.splitlines() if line.strip()]
    raised = [line for line in lines if _RAISED.match(line)]
    return one_line((raised or lines or ["it failed and said nothing"])[-1], 200)


def _rows(path: Path) -> dict[str, dict[str, Any]]:
    """What asv stored, by the name of the benchmark; nothing where it is not as asv writes it."""
    content = _json(path)
    try:
        columns = content.get("result_columns", [])
        return {
            name: dict(zip(columns, row, strict=False))
            for name, row in content.get("results", {}).items()
            if isinstance(row, list)
        }
    except (TypeError, AttributeError):
        return {}


def set_aside(result: Path) -> None:
    """Rename a results file that was cut off: asv would fail on it each time."""
    if result.is_file() and not _json(result):
        result.replace(result.with_suffix(".broken"))


def _json(path: Path) -> dict[str, Any]:
    """An object; an empty one where the file is missing or was cut off, so that it is measured anew."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
