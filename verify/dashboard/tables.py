"""The tables of the front page: verdicts, error and speed by measure and backend, moves, pairs of time and error."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verify.dashboard.display import amount, factor
from verify.dashboard.names import FACETS
from verify.dashboard.standing import MOVES, Row
from verify.report import summary
from verify.report.records import WORDS, short

if TYPE_CHECKING:
    from verify.verdict import Verdict

UNNAMED = "not named"
"""Where a benchmark has no parameter of that name."""


@dataclass(frozen=True)
class Cell:
    """One cell of a matrix.

    Attributes:
        word: a status or a move, empty where there is nothing to say by a badge.
        lines: what stands in it.
        more: the rest, for a tooltip and for readers of the cell.
    """

    word: str
    lines: Sequence[str] = ()
    more: str = ""


@dataclass(frozen=True)
class Matrix:
    """A table with names on both sides; a cell that is None was not asked for."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]


def verdicts(recorded: Sequence[Verdict]) -> Matrix:
    """The status that matters most, and the largest error ÷ bound, for each target and measure."""
    found = {(row.target, row.measure): row for row in summary.rows(recorded)}
    columns = list(dict.fromkeys(measure for _, measure in found))
    rows = []
    for target in dict.fromkeys(target for target, _ in found):
        cells: list[Cell | None] = []
        for measure in columns:
            row = found.get((target, measure))
            if row is None:
                cells.append(None)
                continue
            ratio = [f"error ÷ bound {short(row.ratio)}"] if row.ratio is not None else []
            more = f"{summary.status_words(row.counts)}; {row.compared:,} numbers compared"
            cells.append(Cell(WORDS[row.status], ratio, more))
        rows.append((target, tuple(cells)))
    return Matrix(columns, rows)


def by_backend(rows: Sequence[Row], release: str) -> Matrix:
    """Worst error and change of speed for each backend and measure at the newest measured commit.

    Args:
        rows: every benchmark.
        release: what the change of speed is since.
    """
    named = [row for row in rows if row.name.get("backend") or row.name.get("measure")]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in named:
        groups.setdefault((row.name.get("backend") or UNNAMED, row.name.get("measure") or UNNAMED), []).append(row)
    columns = _last(dict.fromkeys(measure for _, measure in groups))
    backends = _last(dict.fromkeys(backend for backend, _ in groups))
    return Matrix(
        columns,
        [(b, tuple(_standing(groups[b, m], release) if (b, m) in groups else None for m in columns)) for b in backends],
    )


def _last(names: Iterable[str]) -> list[str]:
    """Names, and what has none at the end."""
    return sorted(names, key=lambda name: name == UNNAMED)


def _standing(rows: Sequence[Row], release: str) -> Cell:
    lines = []
    errors: dict[str, float] = {}
    for row in rows:
        if row.kind == "error" and row.value is not None:
            errors[row.series.unit] = max(errors.get(row.series.unit, 0.0), row.value)
    for unit, value in errors.items():
        lines.append(f"{unit.replace('/', '÷') or 'error'} {amount(value, '')}")
    ratios = [
        r.release.ratio for r in rows if r.kind == "time" and r.release.word in ("same", "worse", "unsure", "better")
    ]
    positive = [ratio for ratio in ratios if ratio is not None and ratio > 0]
    if positive:
        mean = math.exp(math.fsum(map(math.log, positive)) / len(positive))
        lines.append(f"time {factor(mean)} since {release}")
    quick = [row.value for row in rows if row.kind == "time" and row.value is not None]
    if quick:
        span = amount(min(quick), "seconds")
        lines.append(f"time {span}" if len(quick) == 1 else f"time {span} to {amount(max(quick), 'seconds')}")
    counted = Counter(row.release.word for row in rows)
    trouble = sum(row.state not in ("measured", "skipped") for row in rows)
    word = "worse" if counted["worse"] else "unsure" if counted["unsure"] else "not measured" if trouble else ""
    words = ", ".join(f"{counted[move]} {move}" for move in MOVES if counted[move])
    return Cell(word, lines or ["no number"], f"{len(rows)} benchmarks: {words}")


def moves(rows: Sequence[Row]) -> dict[str, list[tuple[str, list[int]]]]:
    """Since the last release and within a week: how many benchmarks of each kind moved which way."""
    words = {"release": [(row.kind, row.release.word) for row in rows], "week": [(r.kind, r.week.word) for r in rows]}
    kinds = list(dict.fromkeys(row.kind for row in rows))
    return {
        base: [(kind, [listed.count((kind, word)) for word in MOVES]) for kind in kinds]
        for base, listed in words.items()
    }


def pivot(rows: Sequence[Row]) -> Matrix:
    """Values of one function at the newest measured commit: measures in columns, all other parameters in rows."""
    columns = list(dict.fromkeys(row.name.get("measure") or "value" for row in rows))
    lines: dict[str, dict[str, Row]] = {}
    for row in rows:
        rest = ", ".join(value for name, value in row.name.parameters.items() if name != "measure")
        lines.setdefault(rest or row.name.function.rpartition(".")[2], {})[row.name.get("measure") or "value"] = row
    return Matrix(
        columns, [(name, tuple(_now(line[c]) if c in line else None for c in columns)) for name, line in lines.items()]
    )


def _now(row: Row) -> Cell:
    if row.value is None:
        return Cell("", [row.why]) if row.state == "skipped" else Cell(row.state, more=row.why)
    alarming = row.release.word in ("worse", "unsure")
    said = [amount(row.value, row.series.unit)]
    return Cell(row.release.word, said, row.release.why) if alarming else Cell("", said)


def pairs(rows: Sequence[Row]) -> dict[tuple[str, str], list[tuple[Row, Row]]]:
    """Times and errors of the same parameters at the newest measured commit, by what is timed and the unit of error."""
    errors: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        if row.kind == "error" and row.value is not None and row.name.parameters:
            errors.setdefault(_key(row), []).append(row)
    found: dict[tuple[str, str], list[tuple[Row, Row]]] = {}
    for row in rows:
        if row.kind == "time" and row.value is not None:
            for error in errors.get(_key(row), []):
                found.setdefault((row.name.function, error.series.unit), []).append((row, error))
    return {key: listed for key, listed in found.items() if len(listed) > 1}


def _key(row: Row) -> tuple[tuple[str, str], ...]:
    """The parameters; what names no dtype works in float64."""
    return tuple(sorted({"dtype": "float64", **row.name.parameters}.items()))


def facets(rows: Sequence[Row]) -> list[tuple[str, str, list[str]]]:
    """What benchmarks are filtered by, as key, title and values: measure, backend, kind, then every other parameter."""
    names = dict.fromkeys(FACETS)
    names |= dict.fromkeys(name for row in rows for name in row.name.parameters)
    found = [(f"p.{name}", name, _values(row.name.get(name) for row in rows)) for name in names]
    found.insert(len(FACETS), ("kind", "kind", _values(row.kind for row in rows)))
    return [(key, name, values) for key, name, values in found if values]


def filters(row: Row) -> dict[str, str | list[str]]:
    """What `facets` finds a row by, and what became of it."""
    parameters = {f"p.{name}": value for name, value in row.name.parameters.items()}
    return {"kind": row.kind, "moved": moved(row), **parameters}


def moved(row: Row) -> list[str]:
    """What became of a benchmark: ``worse`` and not made good, ``silent`` now, ``changed`` in any way."""
    lost = any(change.worse and change.recovered is None and change.sure for change in row.changes)
    silent = row.state not in ("measured", "skipped")
    return [word for word, holds in (("worse", lost), ("silent", silent), ("changed", row.changes)) if holds]


def _values(values: Iterable[str]) -> list[str]:
    """The values that occur; numbers in their order, words in the order in which they come."""
    listed = [value for value in dict.fromkeys(values) if value]
    return sorted(listed, key=float) if all(_is_number(value) for value in listed) else listed


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
