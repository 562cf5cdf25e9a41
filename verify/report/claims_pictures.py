"""Figures of the papers' claims: a line for each curve, its interval as a band, on the axes that were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, log10
from typing import Any

from verify.claims.base import Curve, Figure
from verify.claims.words import figure as number
from verify.report.canvas import COLORS, SYMBOLS, escaped
from verify.report.pictures import Picture
from verify.report.records import counted

FEW = 40
"""Up to so many points, each has a symbol; a line of more is told by its dashes."""
TICKS = 10
"""Up to so many different abscissae, each has a tick."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
PLOT, AROUND, LINE = 320, 110, 20
"""Pixels: of the plot, of title and tick labels around it, of a line of the legend."""


class Looks:
    """A colour, a symbol and dashes for each name; a name looks alike in all figures of a claim."""

    def __init__(self, figures: Sequence[Figure]) -> None:
        names = dict.fromkeys(curve.name for one in figures for curve in one.curves)
        self._index = {name: i for i, name in enumerate(names)}

    def of(self, name: str) -> tuple[str, str, str]:
        """Colour, symbol and dashes."""
        i = self._index[name]
        # Neither symbols nor dashes come round together with the colours.
        return COLORS[i % len(COLORS)], SYMBOLS[(i + i // len(COLORS)) % len(SYMBOLS)], DASHES[i % len(DASHES)]


def pictures(figures: Sequence[Figure]) -> list[Picture]:
    """A picture for each figure, in their order."""
    looks = Looks(figures)
    return [Picture(one.title, "", one.alt, _figure(one, looks)) for one in figures]


def undrawn(drawn: Figure) -> str:
    """What a logarithmic axis has no place for, in words; empty where all is drawn."""
    points = [(x, y) for curve in drawn.curves for x, y in zip(curve.x, curve.y, strict=True)]
    lost = sum((drawn.x_log and x <= 0) or (drawn.y_log and y <= 0) for x, y in points)
    if not lost:
        return ""
    return f"{counted(lost, 'point')} at or below 0 {'has' if lost == 1 else 'have'} no place on a logarithmic axis."


def _figure(drawn: Figure, looks: Looks) -> dict[str, Any]:
    heights = [y for curve in drawn.curves for y in (*curve.y, *(curve.low or ()), *(curve.high or ()))]
    lowest = min((y for y in heights if y > 0), default=1.0)
    bands = [trace for curve in drawn.curves for trace in _band(curve, drawn, looks, lowest)]
    lines = [_line(curve, drawn, looks) for curve in drawn.curves]
    names = [curve.name for curve in drawn.curves]
    return {
        "data": [*bands, *lines],
        "layout": _layout(drawn, _rows(names, 960)),
        "narrow": _layout(drawn, _rows(names, 300)),
    }


def _line(curve: Curve, drawn: Figure, looks: Looks) -> dict[str, Any]:
    color, symbol, dash = looks.of(curve.name)
    few = len(curve.x) <= FEW
    return {
        "type": "scatter",
        "mode": "lines+markers" if few else "lines",
        "x": [_drawn(x, drawn.x_log) for x in curve.x],
        "y": [_drawn(y, drawn.y_log) for y in curve.y],
        "name": escaped(curve.name),
        "legendgroup": escaped(curve.name),
        "showlegend": True,
        "line": {"color": color, "dash": dash, "width": 2},
        "marker": {"size": 7, "color": color, "symbol": symbol},
        "hovertemplate": "%{fullData.name}<br>%{x:.4g}: %{y:.4g}<extra></extra>",
    }


def _band(curve: Curve, drawn: Figure, looks: Looks, lowest: float) -> Iterator[dict[str, Any]]:
    """The interval around a curve: a band, or a bar where there is one point; cut off at the foot of a log axis."""
    if curve.low is None or curve.high is None:
        return
    color = looks.of(curve.name)[0]
    places = [
        i for i, x in enumerate(curve.x) if not (drawn.x_log and x <= 0) and not (drawn.y_log and curve.y[i] <= 0)
    ]
    low = [max(curve.low[i], lowest) if drawn.y_log else curve.low[i] for i in places]
    high = [curve.high[i] for i in places]
    x = [curve.x[i] for i in places]
    bar = len(x) == 1
    yield {
        "type": "scatter",
        "mode": "lines",
        "x": [_rounded(one) for one in [*x, *reversed(x)]],
        "y": [_rounded(one) for one in [*high, *reversed(low)]],
        "legendgroup": escaped(curve.name),
        "showlegend": False,
        "hoverinfo": "skip",
        "line": {"width": 2 if bar else 0, "color": color},
    } | ({} if bar else {"fill": "toself", "fillcolor": _faint(color)})


def _rounded(value: float) -> float:
    """As finely as a screen shows it."""
    return float(f"{value:.6g}")


def _drawn(value: float, log: bool) -> float | None:
    return None if log and value <= 0 else _rounded(value)


def _faint(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.12)"


def _layout(drawn: Figure, rows: int) -> dict[str, Any]:
    height = PLOT + AROUND + LINE * rows
    across = sorted({x for curve in drawn.curves for x in curve.x if not (drawn.x_log and x <= 0)})
    down = [y for curve in drawn.curves for y in curve.y if y > 0]
    horizontal = _axis(drawn.x_label, drawn.x_log, across)
    if 0 < len(across) <= TICKS:
        horizontal |= {"tickmode": "array", "tickvals": across, "ticktext": [number(x) for x in across]}
    return {
        "height": height,
        "margin": {"l": 64, "r": 12, "t": 34, "b": 60},
        "hovermode": "closest",
        "xaxis": horizontal,
        "yaxis": {**_axis(drawn.y_label, drawn.y_log, down), "automargin": True},
        "legend": {"orientation": "h", "yanchor": "top", "y": -62 / PLOT, "xanchor": "left", "x": 0},
    }


def _axis(label: str, log: bool, values: Sequence[float]) -> dict[str, Any]:
    axis: dict[str, Any] = {"title": {"text": escaped(label), "standoff": 12}, "exponentformat": "power"}
    if not log:
        return axis
    axis["type"] = "log"
    decades = log10(max(values) / min(values)) if values else 0.0
    return axis | ({"dtick": max(1, ceil(decades / 7))} if decades >= 1 else {})


def _rows(names: Sequence[str], width: int) -> int:
    """Lines of a legend in which all entries are as wide as the longest."""
    longest = 48 + 7 * max(map(len, names), default=0)
    return ceil(len(names) / max(width // longest, 1))
