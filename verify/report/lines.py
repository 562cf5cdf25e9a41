"""Lines on log axes that hide nothing: zeros, what is no number, and what is no pass each have a place and a sign."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from verify.report.canvas import EXACT, NEUTRAL, NO_NUMBER, Palette, axis, escaped, series, wrapped
from verify.report.records import LETTERS, WORDS, short
from verify.verdict import Status, Verdict

ALARMS = (Status.FAIL, Status.EXPECTED_FAIL, Status.UNEXPECTED_PASS, Status.ERROR, Status.INCONCLUSIVE)
ALARM = "#d1495b"
DECADES = 3
"""A limit so far below what is drawn is said in words: drawing it would flatten everything else."""
GUIDE = {"color": "rgba(138, 143, 152, 0.45)", "dash": "dash", "width": 5}
"""Look of what the target should do, drawn wide so that a line on top of it is seen to be there."""


@dataclass(frozen=True)
class Scale:
    """A log axis with a line below, for zeros, and one above, for what is no number.

    A value that would flatten all others stands on these lines too, and they say so.

    Attributes:
        floor: height of the lower line.
        ceiling: height of the upper line.
        lowest: the smallest value there is.
        highest: the largest one.
    """

    floor: float
    ceiling: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float | None], decades: float = 20) -> Scale:
        """The axis of some values.

        Args:
            values: what is drawn; zeros and what is no number do not count.
            decades: the lines are at most so far from the middle of the values.
        """
        positive = sorted(value for value in values if value is not None and 0 < value < math.inf) or [1e-16, 1e-15]
        middle = math.log10(positive[len(positive) // 2])
        # The ends of the axis, and room around them, must be numbers themselves.
        lowest = max(math.log10(positive[0]), middle - decades, -280)
        highest = min(math.log10(positive[-1]), middle + decades, 280)
        floor, ceiling = 10.0 ** (math.floor(lowest) - 1), 10.0 ** (math.ceil(highest) + 1)
        return cls(floor, ceiling, positive[0], positive[-1])

    @property
    def limits(self) -> tuple[float, float]:
        """Ends of the axis: both lines with room for their signs."""
        decades = math.log10(self.ceiling) - math.log10(self.floor)
        return self.floor / 10.0 ** min(0.08 * decades, 20.0), self.ceiling * 10.0 ** min(0.16 * decades, 25.0)

    def height(self, value: float | None) -> float:
        """Where a value stands."""
        if value is None or not math.isfinite(value):
            return self.ceiling
        return min(max(value, self.floor), self.ceiling)

    def ends(self, values: Iterable[float | None]) -> dict[str, tuple[float, str] | None]:
        """The lines that some values stand on, with what they mean: for `verify.report.canvas.Panels.figure`."""
        listed = list(values)
        below = f"0, or below {self.floor:.0e}" if self.lowest < self.floor else EXACT
        above = f"no number, or above {self.ceiling:.0e}" if self.highest > self.ceiling else NO_NUMBER
        low = any(value is not None and value <= self.floor for value in listed)
        high = any(value is None or not value < self.ceiling for value in listed)
        return {"floor": (self.floor, below) if low else None, "ceiling": (self.ceiling, above) if high else None}


@dataclass(frozen=True)
class Point:
    """A measured value.

    Attributes:
        x: abscissa, positive.
        y: value; None where it is no number.
        hover: what it says, escaped.
        status: of the verdict it belongs to.
        marked: whether it carries the sign of that status, where it is no pass.
    """

    x: float
    y: float | None
    hover: str
    status: Status = Status.PASS
    marked: bool = True


def number(value: Any) -> float | None:
    """What a record holds as a number; None where it is none."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def numeric(values: Any) -> list[float | None]:
    """What a record holds as a list of numbers, each as `number`; empty where it is no list."""
    return [number(value) for value in values] if isinstance(values, list) else []


def measured(
    points: Sequence[Point],
    scale: Scale,
    panel: int,
    label: str,
    look: dict[str, Any],
    *,
    first: bool,
    meta: dict[str, Any],
) -> list[dict[str, Any]]:
    """A line through measured values, and a ring with a letter around each that is no pass or no number.

    Args:
        points: in the order of their abscissas.
        scale: of the vertical axis.
        panel: number of the panel, from 1.
        label: name in the legend.
        look: ``color``, ``dash`` and ``symbol``.
        first: whether it stands in the legend.
        meta: what the line is.
    """
    heights = [None if point.y is None else scale.height(point.y) for point in points]
    hover = [point.hover for point in points]
    trace = series([point.x for point in points], heights, panel, label, look, hover, first=first, meta=meta)
    on_floor = [point.y is not None and point.y <= scale.floor for point in points]
    trace["marker"]["symbol"] = [f"{look['symbol']}-open" if low else look["symbol"] for low in on_floor]
    signed = [point for point in points if (point.marked and point.status in ALARMS) or point.y is None]
    return [trace, alarms(signed, scale, panel, label)] if signed else [trace]


def alarms(points: Sequence[Point], scale: Scale, panel: int, label: str) -> dict[str, Any]:
    """A ring with the letter of the status around every point that is no pass, or no number."""
    return {
        "type": "scatter",
        "mode": "markers+text",
        "showlegend": False,
        "cliponaxis": False,
        "legendgroup": escaped(label),
        "x": [point.x for point in points],
        "y": [scale.height(point.y) for point in points],
        "text": [LETTERS[point.status] if point.status in ALARMS else "∅" for point in points],
        "textposition": "top center",
        "customdata": [point.hover for point in points],
        "hovertemplate": "%{customdata}<extra></extra>",
        "marker": {"symbol": "circle-open", "size": 15, "color": ALARM, "line": {"width": 2}},
        "textfont": {"color": ALARM, "weight": 700},
        "xaxis": axis("x", panel),
        "yaxis": axis("y", panel),
        "meta": {"quantity": "alarm"},
    }


def guide(
    x: Sequence[float],
    y: Sequence[float | None],
    panel: int,
    quantity: str,
    look: dict[str, Any] | None = None,
    *,
    says: str = "",
) -> dict[str, Any]:
    """A line that no target made: a bound, a slope, an exact value. Zeros and missing values break it.

    Args:
        x: abscissas.
        y: ordinates.
        panel: number of the panel, from 1.
        quantity: what it is, for whoever reads the figure.
        look: ``color``, ``dash`` and ``width``; default: wide and pale.
        says: text to hover over; the value stands behind it.
    """
    drawn = [value if value is not None and 0 < value < math.inf else None for value in y]
    hover = [f"{says}: {value:.3g}" if value is not None else "" for value in drawn] if says else None
    return series(x, drawn, panel, quantity, look or GUIDE, hover, first=False, meta={"quantity": quantity})


def thin(dash: str, color: str = NEUTRAL) -> dict[str, Any]:
    """Look of a thin line."""
    return {"color": color, "dash": dash, "width": 1.5}


def reached(limits: Iterable[float | None], lowest: float) -> bool:
    """Whether a limit of rounding is near enough to what is drawn to be drawn with it."""
    known = [limit for limit in limits if limit is not None and limit > 0]
    return bool(known) and max(known) >= lowest / 10.0**DECADES


def unwell(verdicts: Sequence[Verdict]) -> str:
    """What is no pass, in words."""
    found = [v.status for v in verdicts if v.status in ALARMS]
    return "; ".join(f"{found.count(status)} {WORDS[status]}" for status in dict.fromkeys(found)) + "." if found else ""


def look_of(verdict: Verdict, palette: Palette) -> tuple[str, dict[str, Any]]:
    """Name in the legend, and colour, dash and symbol of a target; the dtype is that of the whole picture."""
    case = verdict.case
    look = {"color": palette.color(case.target), "dash": "solid", "symbol": palette.symbol(case.target)}
    return case.target, look


def meta_of(verdict: Verdict, measure: str) -> dict[str, Any]:
    """What a line is, for whoever reads the figure."""
    case = verdict.case
    return {"target": case.target, "measure": measure, "dtype": case.dtype, "order": case.order}


def said(value: float | None) -> str:
    """A measured value in words."""
    return "no number" if value is None else "exactly 0" if value == 0 else short(value)


def hover_of(verdict: Verdict, *lines: str) -> str:
    """What a point says: the case, what is drawn there, and how it ended."""
    parts = [f"<b>{escaped(verdict.case.target)}</b>", escaped(verdict.case.describe()), *lines, WORDS[verdict.status]]
    parts.append(wrapped(verdict.message, 240) if verdict.message else "")
    return "<br>".join(part for part in parts if part)
