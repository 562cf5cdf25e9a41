"""Series out of what asv stored, and what ``hippo-verify bench`` noted beside it."""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from verify.history.series import (
    FAILED,
    NOT_A_NUMBER,
    NOT_CHOSEN,
    NOT_RUN,
    SKIPPED,
    UNCLEAR,
    History,
    HistoryError,
    Place,
    Point,
    Series,
)
from verify.kinds import Kind, kind_of
from verify.revisions import SHORT, UNSHALLOW, Commit, commits, known, shallow
from verify.text import one_line

ALL: Final = 10**9
"""More commits than any repository has."""
SPOILT: Final = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)
"""What a file raises whose content is not as asv writes it."""


def load(results: Path, repository: Path | None, *, machine: str | None = None) -> History:
    """The history in a results folder of asv, with what ``hippo-verify bench`` noted beside it.

    Args:
        results: such as ``.asv/results``.
        repository: where the commits are; they are ordered as its first parents lead from HEAD. None: they are ordered
            by the dates that asv stored, which rebased commits may share.
        machine: only what was measured on this one, by asv's name of it.

    Returns:
        The history. What cannot be placed, such as a file that cannot be read or a commit on another branch, is in
        `History.aside`: one of them never hides the others.

    Raises:
        HistoryError: the folder is not there, or nothing in it can be used.
        RevisionError: the repository is none.
    """
    aside: list[str] = []
    stored = list(_stored(results, machine, aside))
    if not stored:
        raise HistoryError(_nothing(results, machine, aside))
    line = _line(stored, repository, aside)
    index = {commit.hash: i for i, commit in enumerate(line)}
    stored = [result for result in stored if result.commit_hash in index]
    units = _units(results, aside)
    notes = results.parent / "hippo-verify" / "notes"
    placed: dict[Place, dict[int, Any]] = {}
    for result in stored:
        at_place = placed.setdefault(_place(result), {})
        if at_place.setdefault(index[result.commit_hash], result) is not result:
            aside.append(f"commit {result.commit_hash[:SHORT]} has a second file of {_place(result).describe()}")
    labels = _labels(list(placed))
    series = {
        name + labels[place]: one
        for place, found in placed.items()
        for name, one in _series_of(place, dict(sorted(found.items())), units, notes, aside).items()
    }
    return History(
        commits=line,
        series=dict(sorted(series.items())),
        aside=tuple(aside),
        ordered="dates" if repository is None else "git",
    )


def _stored(results: Path, machine: str | None, aside: list[str]) -> Iterator[Any]:
    """Result files of asv, one after the other; those that cannot be read are named and left."""
    try:
        from asv.results import Results  # noqa: PLC0415 -- an extra
        from asv.util import UserError  # noqa: PLC0415
    except ImportError as error:
        raise HistoryError(f"asv is not installed ({error}); pip install 'hippo-verify[bench]' brings it") from error
    for path in sorted(results.glob("*/*.json")):
        if path.name == "machine.json" or (machine is not None and path.parent.name != machine):
            continue
        try:
            result = Results.load(str(path))
            if not isinstance(result.commit_hash, str) or not result.params.get("machine"):
                raise UserError("it names no commit, or no machine")
            _date(result)
        except (UserError, *SPOILT) as error:
            aside.append(f"{path.parent.name}/{path.name} cannot be read: {type(error).__name__}: {error}")
        else:
            yield result


def _date(result: Any) -> datetime:
    """When its commit was made, as asv noted it."""
    return datetime.fromtimestamp(result.date / 1000, UTC)


def _nothing(results: Path, machine: str | None, aside: list[str]) -> str:
    if not results.is_dir():
        return f"{results} is no folder; expected: results of asv, such as .asv/results (hippo-verify bench makes them)"
    known = sorted(path.parent.name for path in results.glob("*/machine.json"))
    if machine is not None and machine not in known:
        return f"nothing was measured on a machine named {machine!r}; in {results}: {', '.join(known) or 'no machine'}"
    more = f"; {aside[0]}" if aside else ""
    return f"no results of asv in {results}{more}; hippo-verify bench makes them"


def _line(stored: list[Any], repository: Path | None, aside: list[str]) -> tuple[Commit, ...]:
    """The commits, oldest first, from the first measured one on; what was measured off the line is named."""
    if repository is None:
        dates = {result.commit_hash: _date(result) for result in stored}
        return tuple(
            Commit(hash=name, when=date, subject="")
            for name, date in sorted(dates.items(), key=lambda item: (item[1], item[0]))
        )
    line = commits(repository, ALL)
    measured = {result.commit_hash for result in stored}
    on = [i for i, commit in enumerate(line) if commit.hash in measured]
    off = sorted(measured - {commit.hash for commit in line})
    if off and shallow(repository):
        raise HistoryError(
            f"{len(off)} of the {len(measured)} measured commits are not in {repository}, such as {off[0][:SHORT]}; "
            f"{UNSHALLOW}"
        )
    there = known(repository, off)
    if not on:
        got = "on the line of first parents from HEAD in" if there else "in the repository"
        todo = "check out the branch that was measured, or " if there else ""
        raise HistoryError(
            f"none of the {len(measured)} measured commits is {got} {repository}; expected: commits of its history; "
            f"{todo}name the repository that was measured: --repository"
        )
    aside.extend(
        f"commit {name[:SHORT]} is "
        + (
            "not on the line of first parents from HEAD"
            if name in there
            else "not in the repository: it was rebased, or is of another one"
        )
        for name in off
    )
    return line[on[0] :]


def _units(results: Path, aside: list[str]) -> Mapping[str, str]:
    """Units by benchmark, as far as asv's list of benchmarks goes: it holds those of the last run only."""
    from asv.benchmarks import Benchmarks  # noqa: PLC0415 -- an extra
    from asv.util import UserError, load_json  # noqa: PLC0415

    try:
        listed = load_json(Benchmarks.get_benchmark_file_path(str(results)), api_version=Benchmarks.api_version)
        return {name: str(entry.get("unit", "")) for name, entry in listed.items()}
    except FileNotFoundError:
        return {}
    except (UserError, *SPOILT) as error:
        aside.append(f"benchmarks.json cannot be read, so that units are not known: {error}")
        return {}


def _place(result: Any) -> Place:
    hardware = {name: str(result.params.get(name, "")) for name in ("arch", "cpu", "num_cpu")}
    return Place(
        machine=str(result.params["machine"]),
        environment=str(result.env_name),
        hardware=tuple((name, value) for name, value in hardware.items() if value),
    )


def _labels(places: list[Place]) -> Mapping[Place, str]:
    """What tells each place from the others, to be appended to a name; nothing where there is one."""
    if len(places) == 1:
        return {places[0]: ""}
    short = {place: f" @ {place.machine}, {place.environment}" for place in places}
    if len(set(short.values())) == len(places):
        return short
    return {place: f" @ {place.describe()}" for place in places}


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What is stored of one benchmark at one commit.

    Attributes:
        values: value and statistics by the choice of parameters, ``'legs', 8``; one without a name if it has none.
        version: of the benchmark.
        started: when it was measured, in milliseconds since 1970; None where that is not known.
    """

    values: Mapping[str, tuple[Any, Mapping[str, Any]]]
    version: str
    started: float | None

    @classmethod
    def read(cls, result: Any, benchmark: str) -> _Row:
        """Out of asv's results.

        Raises:
            LookupError, TypeError, ValueError, OverflowError: it is not as asv writes it.
        """
        params = result.get_result_params(benchmark) or []
        choices = [", ".join(choice) for choice in itertools.product(*params)]
        started = result.started_at.get(benchmark)
        if started is not None and not math.isfinite(started):
            raise ValueError(f"it was measured at {started}")
        values = _listed(result.get_result_value, benchmark, params)
        stats = [one or {} for one in _listed(result.get_result_stats, benchmark, params)]
        return cls(
            values=dict(zip(choices, zip(values, stats, strict=True), strict=True)),
            version=str(result.benchmark_version.get(benchmark) or ""),
            started=started,
        )


def _series_of(
    place: Place, found: Mapping[int, Any], units: Mapping[str, str], notes: Path, aside: list[str]
) -> Mapping[str, Series]:
    """All series of one place out of asv's results by commit."""
    points: dict[str, list[Point]] = {}
    unit_of: dict[str, str] = {}
    kinds: dict[str, Kind | None] = {}
    noted = {commit: _noted(notes, result) for commit, result in found.items()}
    # What is not listed any more has the unit that was noted last.
    last = {name: note["unit"] for listed in noted.values() for name, note in listed.items() if "unit" in note}
    units = {**last, **units}
    for commit, result in found.items():
        for benchmark in result.get_all_result_keys():
            try:
                row = _Row.read(result, benchmark)
            except SPOILT as error:
                what = f"{benchmark} at commit {result.commit_hash[:SHORT]}"
                aside.append(f"{what} cannot be read: {type(error).__name__}: {error}")
                continue
            note = noted[commit].get(benchmark, {})
            fresh = note.get("started_at", ...) == row.started
            unit = units.get(benchmark, "")
            other = note.get("unit", unit) if fresh else unit
            for choice, (value, stat) in row.values.items():
                name = f"{benchmark}({choice})" if choice else benchmark
                if name not in points:
                    points[name], unit_of[name] = [], unit or _usual_unit(name)
                    kinds[name] = _kind(name, unit_of[name])
                said = note.get("said", {})
                text = said.get(choice, said.get("", "")) if fresh else None
                number, why = _number(value, kinds[name], text)
                if other != unit and not why:
                    number, why = None, f"in {other or 'no unit'}, not in {unit or 'none'} as now"
                points[name].append(
                    Point(
                        commit=commit,
                        value=number,
                        low=_end(stat.get("q_25")),
                        high=_end(stat.get("q_75")),
                        why=why,
                        version=row.version,
                        when=None if row.started is None else row.started / 1000,
                        said=_last(text) if text and why == FAILED else "",
                    )
                )
    return {
        name: Series(
            name=name, kind=kinds[name], unit=unit_of[name], points=_filled(tuple(run), list(found)), place=place
        )
        for name, run in points.items()
    }


def _filled(run: tuple[Point, ...], measured: list[int]) -> tuple[Point, ...]:
    """The points, and one without a value for each commit since the first of them at which only others were run."""
    there = {point.commit: point for point in run}
    return tuple(
        there.get(commit, Point(commit=commit, value=None, why=NOT_RUN))
        for commit in measured
        if commit >= run[0].commit
    )


def _listed(get: Any, benchmark: str, params: list[list[str]]) -> list[Any]:
    """One entry for each choice of parameters: asv stores a list, or null where all of it would be null."""
    try:
        return list(get(benchmark, params))
    except TypeError:  # null, or no list at all
        return [None] * math.prod(len(values) for values in params)


def _usual_unit(name: str) -> str:
    kind = _kind(name, "")
    return {Kind.TIME: "seconds", Kind.MEMORY: "bytes"}[kind] if kind in (Kind.TIME, Kind.MEMORY) else ""


def _kind(name: str, unit: str) -> Kind | None:
    try:
        return kind_of(name, unit)
    except ValueError:
        return None


def _noted(notes: Path, result: Any) -> Mapping[str, Any]:
    """What benchmarks said while they were measured, by name; nothing where nobody listened."""
    from asv.results import get_filename  # noqa: PLC0415 -- an extra

    path = notes / get_filename(result.params["machine"], result.commit_hash, result.env_name)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: entry for name, entry in content.items() if isinstance(entry.get("said"), dict)}
    except (OSError, ValueError, AttributeError):
        return {}


def _number(value: Any, kind: Kind | None, said: str | None) -> tuple[float | None, str]:
    """The value, and why it is none: asv takes whatever a benchmark returns.

    Args:
        value: as stored.
        kind: of the benchmark.
        said: what the benchmark printed; None where that is not known.
    """
    if said == NOT_CHOSEN:
        return None, NOT_RUN
    if value is None:
        return None, FAILED
    if not isinstance(value, (int, float)):
        return None, f"a {type(value).__name__}, not a number"
    try:
        number = float(value)
    except OverflowError:  # more digits than any measurement has
        number = math.inf if value > 0 else -math.inf
    if math.isnan(number):
        if kind in (Kind.TIME, Kind.MEMORY) or (said is not None and "asv: skipped" in said):
            return None, SKIPPED
        return number, UNCLEAR if said is None else NOT_A_NUMBER
    if math.isinf(number):
        return number, "infinite"
    if number < 0 and kind is not None:
        return None, f"negative ({number:g}), which no {kind} is"
    if number == 0 and kind in (Kind.TIME, Kind.MEMORY, Kind.RATE):
        return None, f"0, which no {kind} is"
    return number, ""


def _end(quartile: Any) -> float | None:
    """A quartile as a number; None where it is none, since a value is worth no less without."""
    good = isinstance(quartile, (int, float)) and abs(quartile) <= sys.float_info.max
    return float(quartile) if good else None


def _last(said: str) -> str:
    """The last line, which of a traceback says why."""
    lines = [line for line in said.splitlines() if line.strip()]
    return one_line(lines[-1] if lines else "it said nothing", 200)
