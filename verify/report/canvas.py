"""The parts figures are made of: colours, lines, small multiples. Labels are escaped: Plotly reads them as markup."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log10
from typing import Any

from verify.verdict import Verdict

EXACT = "exactly 0"
NO_NUMBER = "no number"
COLORS = ("#3b78c4", "#c4701e", "#1f8f6b", "#a857c0", "#8b7a1c", "#c2517f", "#2f8ea3", "#7d6be0", "#6f8a2a", "#a06a4b")
"""Told apart from each other and readable on white and on near-black; the symbol says the same."""

SYMBOLS = (
    "circle",
    "square",
    "diamond",
    "triangle-up",
    "triangle-down",
    "pentagon",
    "star",
    "hexagon",
    "bowtie",
    "triangle-right",
)
NEUTRAL = "#8a8f98"
Line = tuple[float, str]
"""Height of a line, and what stands on it."""
WIDE, NARROW = 1000, 330
"""Pixels of a figure between its margins, on a screen and on a phone."""
PANEL = 430
"""Pixels of a panel where there are one or two of them: as wide as the page they would be flat."""
APART = 0.12
"""Ticks of a log axis are so much of its length apart, at least."""


def escaped(text: str) -> str:
    """Text as a label: no markup, no line breaks."""
    return html.escape(" ".join(text.split()), quote=False)


@lru_cache(maxsize=4096)
def wrapped(text: str, longest: int = 160) -> str:
    """Text as a label of several short lines."""
    cut = text if len(text) <= longest else f"{text[:longest]}..."
    return "<br>".join(html.escape(line, quote=False) for line in textwrap.wrap(cut, 64))


def axis(letter: str, panel: int) -> str:
    """Plotly's name of the axis of a panel, from 1: ``x``, ``x2``, ``x3``."""
    return letter if panel == 1 else f"{letter}{panel}"


class Palette:
    """A colour and a symbol for each target."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        self._index = {name: i for i, name in enumerate(dict.fromkeys(v.case.target for v in verdicts))}

    def color(self, target: str) -> str:
        """Colour of a target."""
        return COLORS[self._index[target] % len(COLORS)]

    def symbol(self, target: str) -> str:
        """Marker of a target."""
        index = self._index[target]
        return SYMBOLS[(index + index // len(COLORS)) % len(SYMBOLS)]


def series(
    x: Sequence[float],
    y: Sequence[float | None],
    panel: int,
    label: str,
    look: dict[str, Any],
    hover: Sequence[str] | None,
    *,
    first: bool,
    meta: dict[str, Any],
) -> dict[str, Any]:
    """A line; with a symbol in its look also its points, with text to hover over if there is any.

    Args:
        x: abscissas.
        y: ordinates; None breaks the line.
        panel: number of the panel, from 1.
        label: name in the legend; lines of one name are switched together.
        look: ``color``, ``dash``, and optionally ``symbol`` and ``width``.
        hover: labels of the points, already escaped.
        first: whether it stands in the legend.
        meta: what the line is, for whoever reads the figure.
    """
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers" if "symbol" in look else "lines",
        "x": list(x),
        "y": list(y),
        "name": escaped(label),
        "legendgroup": escaped(label),
        "showlegend": first,
        "line": {"color": look["color"], "dash": look["dash"], "width": look.get("width", 2)},
        "xaxis": axis("x", panel),
        "yaxis": axis("y", panel),
        "meta": meta,
    }
    if "symbol" in look:
        trace["marker"] = {"size": 8, "color": look["color"], "line": {"color": look["color"], "width": 1.5}}
    if hover is None:
        trace["hoverinfo"] = "skip"
    else:
        trace["customdata"] = list(hover)
        trace["hovertemplate"] = "%{customdata}<extra></extra>"
    return trace


def key_line(name: str, dash: str) -> dict[str, Any]:
    """An entry of the legend alone."""
    line = {"color": NEUTRAL, "dash": dash, "width": 2}
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [None],
        "y": [None],
        "name": name,
        "line": line,
        "hoverinfo": "skip",
    }


@dataclass(frozen=True)
class Panels:
    """Small multiples on shared log axes.

    Attributes:
        titles: one panel for each.
        ticks: the abscissas that occur; written below the axis, unless it is ``rounded``.
        x: title of the horizontal axis.
        y: title of the vertical axis.
        limits: lowest and highest ordinate.
        rounded: whether round numbers are written instead of the abscissas, which are too many or too odd.
    """

    titles: Sequence[str]
    ticks: Sequence[float]
    x: str
    y: str
    limits: tuple[float, float]
    rounded: bool = False

    def figure(
        self, traces: list[dict[str, Any]], floor: Line | None = None, ceiling: Line | None = None
    ) -> dict[str, Any]:
        """The figure with a layout for wide and one for narrow screens.

        Args:
            traces: what is drawn.
            floor: height of the line at which exact zeros stand and what it says, None for no line.
            ceiling: the same of the line at which what is no number stands.
        """
        columns = min(3, len(self.titles)) or 1
        names = [trace["name"] for trace in traces if trace.get("showlegend", True) and trace.get("name")]
        wide, narrow = (
            self._layout(count, floor, ceiling, legend_height(names, pixels))
            for count, pixels in ((columns, WIDE if columns == 3 else PANEL * columns), (1, NARROW))
        )
        if columns < 3:
            wide["width"] = 120 + PANEL * columns
        return {"data": traces, "layout": wide, "narrow": narrow}

    def _horizontal(self) -> dict[str, Any]:
        numbers = list(self.ticks) or [1.0]
        margin = (numbers[-1] / numbers[0]) ** 0.06 if len(numbers) > 1 else 1.5
        shown = apart(between(numbers[0], numbers[-1]) if self.rounded else numbers)
        return {
            "type": "log",
            "tickvals": shown,
            "ticktext": [written(n) for n in shown],
            "tickangle": 0,
            "range": [log10(numbers[0] / margin), log10(numbers[-1] * margin)],
        }

    def _vertical(self) -> dict[str, Any]:
        return {
            "type": "log",
            "exponentformat": "power",
            "dtick": max(1, ceil((log10(self.limits[1]) - log10(self.limits[0])) / 7)),
            "range": [log10(limit) for limit in self.limits],
            "automargin": True,
        }

    def _layout(self, columns: int, floor: Line | None, ceiling: Line | None, legend: int) -> dict[str, Any]:
        count = max(len(self.titles), 1)
        rows = -(-count // columns)
        inside, below = (250 if columns == 3 else 270) * rows, 62 + legend
        horizontal, vertical = self._horizontal(), self._vertical()
        layout: dict[str, Any] = {
            "height": 40 + inside + below,
            "margin": {"l": 70, "r": 12, "t": 40, "b": below},
            "hovermode": "closest",
            "grid": {"rows": rows, "columns": columns, "pattern": "independent", "xgap": 0.06, "ygap": 0.24},
            "legend": {"orientation": "h", "yanchor": "top", "y": -56 / inside, "xanchor": "left", "x": 0},
            "annotations": [],
            "shapes": [],
        }
        for panel in range(1, count + 1):
            x, y = axis("x", panel), axis("y", panel)
            leftmost, lowest = (panel - 1) % columns == 0, panel + columns > count
            layout[x.replace("x", "xaxis")] = {**horizontal, "anchor": y} | (
                {"title": {"text": self.x}} if lowest else {}
            )
            named = {"title": {"text": self.y}} if leftmost else {"showticklabels": False}
            layout[y.replace("y", "yaxis")] = (
                {**vertical, "anchor": x} | named | ({"matches": "y"} if panel > 1 else {})
            )
            title = escaped(self.titles[panel - 1]) if self.titles else ""
            layout["annotations"].append(
                note(f"<b>{title}</b>", f"{x} domain", f"{y} domain", 0, 1, ("left", "bottom"))
            )
            for marked in (floor, ceiling):
                if marked is not None:
                    level, text = marked
                    line = {"color": NEUTRAL, "width": 1, "dash": "longdash"}
                    ends = {"x0": 0, "x1": 1, "xref": f"{x} domain", "y0": level, "y1": level, "yref": y}
                    layout["shapes"].append({"type": "line", "layer": "below", "line": line, **ends})
                    layout["annotations"].append(note(text, f"{x} domain", y, 1, log10(level), ("right", "top")))
        return layout


def legend_height(names: Sequence[str], pixels: int) -> int:
    """Height of a legend below a figure of a width: without it, it would be taken from the panels."""
    columns = max(1, pixels // (44 + 7 * max((len(name) for name in names), default=1)))
    return 22 * -(-len(names) // columns) + 8


def between(low: float, high: float) -> list[float]:
    """The numbers 1, 2, 5, 10, 20, ... between two; the two themselves where there are fewer than two."""
    decades = range(int(log10(low)) - 1, int(log10(high)) + 1)
    found = [n for n in (m * 10.0**k for k in decades for m in (1, 2, 5)) if low <= n <= high]
    return found if len(found) > 1 else [low, high]


def written(value: float) -> str:
    """A number below an axis."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:.4g}"


def tail(text: str, longest: int = 26) -> str:
    """The end of a name, which tells targets apart, where there is no room for all of it; escaped."""
    flat = " ".join(text.split())
    return escaped(flat if len(flat) <= longest else f"…{flat[1 - longest :]}")


def apart(numbers: Sequence[float]) -> list[float]:
    """Those of some increasing numbers that can be written below a log axis without covering each other."""
    span = log10(numbers[-1] / numbers[0]) or 1.0
    shown = [numbers[0]]
    for number in numbers[1:]:
        if log10(number / shown[-1]) >= APART * span:
            shown.append(number)
    return shown


def note(text: str, xref: str, yref: str, x: float, y: float, anchor: tuple[str, str]) -> dict[str, Any]:
    """A text at a place of a figure."""
    place = {"xref": xref, "yref": yref, "x": x, "y": y, "xanchor": anchor[0], "yanchor": anchor[1]}
    return {"text": text, "showarrow": False, **place}
