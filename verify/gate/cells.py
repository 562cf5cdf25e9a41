"""Benchmarks as both sides list them, and what their answers in all rounds amount to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from verify.gate.rounds_journal import Answers
from verify.gate.settings import selected
from verify.gate.side import Kind, Measurement, kind_of
from verify.gate.speed import LOOKS
from verify.gate.worker import Answer

REPEATED: Final = frozenset({Kind.TIME, Kind.RATE, Kind.MEMORY})
"""Kinds that scatter, and are measured in every round."""
LOOKED_UP: Final = 3
"""Rounds whose values a clock does not give thrice, down to the last bit."""


@dataclass(frozen=True)
class Cell:
    """A benchmark with one choice of parameters.

    Attributes:
        name: asv's spelling.
        rows: side -> what `measure` lists; a side that lacks the benchmark is not there.
        kind: what is measured; None where the unit does not say.
        problem: why it cannot be judged, or empty.
    """

    name: str
    rows: Mapping[str, Answer]
    kind: Kind | None
    problem: str = ""


def cells_of(lists: Mapping[str, Answer], select: Sequence[str]) -> Iterable[Cell]:
    """The benchmarks of both sides, those of the base first, and what could not be imported on either."""
    rows: dict[str, dict[str, Answer]] = {}
    for side, answer in lists.items():
        for row in answer["benchmarks"]:
            if selected(row["name"], select):
                rows.setdefault(row["name"], {})[side] = row
    for name, sides in rows.items():
        row = next(iter(sides.values()))
        try:
            yield Cell(name, sides, kind_of(row["benchmark"], row["unit"]))
        except ValueError as error:
            yield Cell(name, sides, None, str(error))
    for module in sorted({module for answer in lists.values() for module in answer["broken"]}):
        yield Cell(module, {side: _imported(module, answer) for side, answer in lists.items()}, Kind.COUNT)


def _imported(module: str, answer: Answer) -> Answer:
    """How many benchmarks a module has, as a row, or why it cannot be imported."""
    why = answer["broken"].get(module)
    count = sum(row["benchmark"].startswith(f"{module}.") for row in answer["benchmarks"])
    known = {"status": "measured", "value": count} if why is None else {"status": "failed", "why": f"import: {why}"}
    return {"version": "1", "unit": "benchmarks", "cache": None, "type": "track", "answer": known}


def number_of(answers: Answers) -> int:
    """How many calls made a sample on the side that ran first; 0: it is to be found."""
    return next((int(answer.get("number", 0)) for answer in answers.values()), 0)


def all_measured(answers: Answers) -> bool:
    """Whether every side gave a value."""
    return all(answer["status"] == "measured" for answer in answers.values())


def hopeless(rounds: Sequence[Answers]) -> bool:
    """Whether a side has given no value at all, in so many rounds that no chance explains it."""
    gave = ({side for side, answer in answers.items() if answer["status"] == "measured"} for answers in rounds)
    return len(rounds) >= LOOKS[0] and set().union(*gave) != set(rounds[0])


def measurement_of(
    cell: Cell, row: Answer, first: Sequence[Mapping[str, Any]], rest: Sequence[Mapping[str, Any]]
) -> Measurement:  # fmt: skip
    """What a side gave in all rounds; the first look counts where there was no round after it.

    A round that gave nothing is a gap: which of both sides it befell may be chance, and it is the judge's to say.
    """
    counted = rest if cell.kind in REPEATED and rest else first
    status, why = _status(counted)
    values: list[float | None] = []
    if status == "measured":
        values = [_value(answer) for answer in counted]
        constant = all(repr(value) == repr(values[0]) for value in values)
        if cell.kind not in REPEATED and constant:
            values = values[:1]
        if constant and len(values) >= LOOKED_UP and _from_cache(cell, row):
            status, values = "failed", []
            why = "the same number in every round: it is looked up in what setup_cache measured once; measure it anew"
    return Measurement(
        name=cell.name, kind=cell.kind or Kind.ERROR, unit=row["unit"], version=row["version"], status=status, why=why,
        rounds=tuple(values),
    )  # fmt: skip


def _from_cache(cell: Cell, row: Answer) -> bool:
    """Whether a number that scatters may have been measured but once: then the rounds agree, which proves nothing."""
    return cell.kind in (Kind.TIME, Kind.RATE) and row["cache"] is not None and row["type"] == "track"


def _value(answer: Mapping[str, Any]) -> float | None:
    """None for a gap; "nan" and "inf" are spelt as float takes them."""
    return float(answer["value"]) if answer["status"] == "measured" else None


def _status(answers: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """One status for all rounds, and why there are gaps: a value in one of them is enough to compare it with others."""
    found = {answer["status"]: answer.get("why", "") for answer in reversed(answers)}
    status = next(status for status in ("measured", "failed", "skipped") if status in found)
    return status, found.get("failed") or found.get("skipped") or ""
