"""A history of thumbnail size as SVG: made here, since hundreds of them must draw without a script."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verify.dashboard.display import amount

if TYPE_CHECKING:
    from verify.dashboard.standing import Row

WIDTH, HEIGHT, EDGE = 132, 30, 4
SPAN = math.log(1.25)
"""Heights stand for at least this range of the logarithm, so that noise does not look like a mountain."""
SHAPES = {
    "worse": "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0",
    "better": "m-4.2 0l4.2-4.2l4.2 4.2l-4.2 4.2z",
    "unsure": "m-3.2-3.2h6.4v6.4h-6.4z",
}
"""Marks of changes as SVG draws them around their place: a ring, a diamond, a square, as in the large figures."""


@dataclass(frozen=True)
class Sparkline:
    """What the template draws.

    Attributes:
        lines: points of each unbroken stretch, as SVG spells them.
        marks: place and word, ``worse``, ``better`` or ``unsure``, of each change.
        holes: abscissas where a benchmark ran into trouble: no number, or a failure.
        end: the last value.
        label: the same in words, for those who do not see it.
    """

    lines: Sequence[str]
    marks: Sequence[tuple[int, int, str]]
    holes: Sequence[int]
    end: tuple[int, int] | None
    label: str


def sparkline(row: Row, commits: int) -> Sparkline:
    """The history of one benchmark.

    Args:
        row: the benchmark.
        commits: how many commits the history has, which is the width.
    """
    finite = [p.value for p in row.series.points if p.value is not None and p.finite]
    height = _heights(finite)
    lines: list[list[tuple[int, int]]] = [[]]
    places: dict[int, tuple[int, int]] = {}
    holes = []
    version = None
    for point in row.series.points:
        x = round(EDGE + (WIDTH - 2 * EDGE) * point.commit / max(commits - 1, 1))
        if point.value is None or not point.finite:
            if point.trouble:
                holes.append(x)
            lines.append([])
            continue
        if version not in (None, point.version):
            lines.append([])  # another benchmark from here on
        version = point.version
        places[point.commit] = (x, round(height(point.value)))
        lines[-1].append(places[point.commit])
    marks = [
        (*places[change.last], "unsure" if not change.sure else "worse" if change.worse else "better")
        for change in row.changes
        if change.last in places
    ]
    drawn = [" ".join(f"{x},{y}" for x, y in _thinned(line)) for line in lines if line]
    return Sparkline(drawn, marks, holes, list(places.values())[-1] if places else None, _label(row, finite))


def _thinned(line: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same line without points between equal neighbours; a lone point becomes a line of no length."""
    kept = [
        point
        for i, point in enumerate(line)
        if i in (0, len(line) - 1) or not line[i - 1][1] == point[1] == line[i + 1][1]
    ]
    return kept if len(kept) > 1 else kept * 2


def _heights(values: Sequence[float]) -> Callable[[float], float]:
    """From a value to its height: logarithmic where all values are positive."""
    logarithmic = bool(values) and min(values) > 0
    scaled = [math.log(v) if logarithmic else v for v in values] or [0.0]
    low, high = min(scaled), max(scaled)
    span = max(high - low, SPAN if logarithmic else abs(high) * 0.2, 1e-300)
    middle = (low + high) / 2

    def height(value: float) -> float:
        share = 0.5 + ((math.log(value) if logarithmic else value) - middle) / span
        return HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * share

    return height


def _label(row: Row, finite: Sequence[float]) -> str:
    if not finite:
        return "no value yet"
    unit = row.series.unit
    words = [f"from {amount(finite[0], unit)} to {amount(finite[-1], unit)} in {len(finite)} points"]
    for word, worse in (("worse", True), ("better", False)):
        number = sum(change.worse == worse for change in row.changes)
        if number:
            words.append(f"{number} time{'s' if number > 1 else ''} {word}")
    return ", ".join(words)
