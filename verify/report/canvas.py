"""The parts figures are made of: colours, lines, small multiples. Labels are escaped: Plotly reads them as markup."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log10
from typing import Any

from verify.verdict import Verdict

EXACT = "exactly 0"
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


def escaped(text: str) -> str:
    """Text as a label: no markup, no line breaks."""
    return html.escape(" ".join(text.split()), quote=False)


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
    x: Sequence[int],
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
        ticks: the abscissas that occur.
        x: title of the horizontal axis.
        y: title of the vertical axis.
        limits: lowest and highest ordinate.
    """

    titles: Sequence[str]
    ticks: Sequence[int]
    x: str
    y: str
    limits: tuple[float, float]

    def figure(
        self, traces: list[dict[str, Any]], floor: float | None = None, ceiling: float | None = None
    ) -> dict[str, Any]:
        """The figure with a layout for wide and one for narrow screens.

        Args:
            traces: what is drawn.
            floor: height of the line at which exact zeros stand, None for no line.
            ceiling: height of the line at which what is no number stands, None for no line.
        """
        columns = min(3, len(self.titles)) or 1
        wide, narrow = self._layout(columns, floor, ceiling), self._layout(1, floor, ceiling)
        return {"data": traces, "layout": wide, "narrow": narrow}

    def _layout(self, columns: int, floor: float | None, ceiling: float | None) -> dict[str, Any]:
        count = max(len(self.titles), 1)
        rows = -(-count // columns)
        height = 250 * rows + 140
        ticks = list(self.ticks) or [1]
        margin = (ticks[-1] / ticks[0]) ** 0.06 if len(ticks) > 1 else 1.5
        horizontal = {
            "type": "log",
            "tickvals": ticks,
            "ticktext": [str(n) for n in ticks],
            "range": [log10(ticks[0] / margin), log10(ticks[-1] * margin)],
        }
        vertical = {
            "type": "log",
            "exponentformat": "power",
            "dtick": max(1, ceil((log10(self.limits[1]) - log10(self.limits[0])) / 7)),
            "range": [log10(limit) for limit in self.limits],
            "automargin": True,
        }
        layout: dict[str, Any] = {
            "height": height,
            "margin": {"l": 70, "r": 12, "t": 40, "b": 100},
            "hovermode": "closest",
            "grid": {"rows": rows, "columns": columns, "pattern": "independent", "xgap": 0.06, "ygap": 0.24},
            "legend": {"orientation": "h", "yanchor": "top", "y": -62 / (height - 140), "xanchor": "left", "x": 0},
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
                _note(f"<b>{title}</b>", f"{x} domain", f"{y} domain", 0, 1, ("left", "bottom"))
            )
            for level, text in ((floor, EXACT), (ceiling, "no number")):
                if level is not None:
                    line = {"color": NEUTRAL, "width": 1, "dash": "longdash"}
                    ends = {"x0": 0, "x1": 1, "xref": f"{x} domain", "y0": level, "y1": level, "yref": y}
                    layout["shapes"].append({"type": "line", "layer": "below", "line": line, **ends})
                    layout["annotations"].append(_note(text, f"{x} domain", y, 1, log10(level), ("right", "top")))
        return layout


def _note(text: str, xref: str, yref: str, x: float, y: float, anchor: tuple[str, str]) -> dict[str, Any]:
    place = {"xref": xref, "yref": yref, "x": x, "y": y, "xanchor": anchor[0], "yanchor": anchor[1]}
    return {"text": text, "showarrow": False, **place}
