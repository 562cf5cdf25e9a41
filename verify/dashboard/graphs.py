"""Figures for Plotly: the history of a benchmark over commits, and error against time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from verify.dashboard.display import amount, factor
from verify.report.canvas import COLORS, NEUTRAL, SYMBOLS, escaped, wrapped
from verify.report.pictures import Picture

if TYPE_CHECKING:
    from verify.dashboard.standing import Row
    from verify.history.series import Change
    from verify.revisions import Commit

MOST = 8
"""Lines in one figure."""

TICKS = 9
LEAST = math.log10(1.25)
"""An axis spans at least this much of the logarithm, so that noise does not look like a mountain."""

WORSE, BETTER = "#d1495b", "#2b9c68"
"""Colours of changes."""

MARGIN = {"l": 70, "r": 14, "t": 24, "b": 110}
HEIGHT = 430


def histories(rows: Sequence[Row], commits: Sequence[Commit]) -> list[Picture]:
    """Figures of one function: all its lines in one, or one for each choice of all parameters but the one on lines.

    Args:
        rows: the same function with every choice of its parameters.
        commits: those of the history, oldest first.
    """
    on_lines = _on_lines(rows)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        fixed = {name: value for name, value in row.name.parameters.items() if name not in on_lines}
        groups.setdefault(", ".join(f"{k} = {v}" for k, v in fixed.items()) or "all", []).append(row)
    found = [_history(group, listed, commits, on_lines) for group, listed in groups.items()]
    alarming = {group: max(_alarm(row) for row in listed) for group, listed in groups.items()}
    return sorted(found, key=lambda picture: -alarming[picture.group])


def _alarm(row: Row) -> int:
    """What a reader wants to see first: an open regression, then any change."""
    return 2 * any(c.worse and c.recovered is None for c in row.changes) + bool(row.changes)


def _on_lines(rows: Sequence[Row]) -> tuple[str, ...]:
    """The parameters whose values are lines of one figure: all, if few, else the backend, or that of most values."""
    names = tuple(rows[0].name.parameters)
    if len(rows) <= MOST or not names:
        return names
    counts = {name: len({row.name.get(name) for row in rows}) for name in names}
    fitting = [name for name in names if 1 < counts[name] <= MOST] or [names[-1]]
    return ("backend",) if "backend" in fitting else (max(fitting, key=counts.__getitem__),)


def _history(group: str, rows: Sequence[Row], commits: Sequence[Commit], on_lines: Sequence[str]) -> Picture:
    unit = rows[0].series.unit
    traces: list[dict[str, Any]] = []
    marks: list[tuple[int, float, str, str, str]] = []
    values: list[float] = []
    for i, row in enumerate(rows):
        label = ", ".join(row.name.get(name) for name in on_lines) or row.name.function
        traces.append(_line(row, label, i))
        values += [v for v in traces[-1]["y"] if v is not None]
        marks += [mark for change in row.changes if (mark := _mark(row, change, commits)) is not None]
    traces += _rings(marks)
    missing = sum(point.trouble for row in rows for point in row.series.points)
    words = [f"{len(rows)} line{'s' if len(rows) > 1 else ''} over {len(commits)} commits."]
    if marks:
        words.append("A ring, diamond or square with an arrow marks a change that was found.")
    if missing:
        words.append(f"{missing} point{'s are' if missing > 1 else ' is'} no finite number: gaps here, words below.")
    y = _axis(values, unit, "time" if rows[0].kind == "time" else unit)
    figure = {"data": traces, "layout": _layout(commits, y, 12), "narrow": _layout(commits, y, 4)}
    return Picture(group, "history", " ".join(words), figure)


def labels(commits: Sequence[Commit]) -> list[str]:
    """What a figure says of each commit: once for a page, since lines share them (`meta.commits` asks for them)."""
    found = []
    for commit in commits:
        tags = "".join(f" ({tag})" for tag in commit.tags)
        found.append(f"{escaped(f'{commit.short}{tags} {commit.when:%Y-%m-%d}')}<br>{wrapped(commit.subject)}")
    return found


def _line(row: Row, label: str, index: int) -> dict[str, Any]:
    """The history of a benchmark: gaps where there is no number, and where it became another benchmark."""
    unit = row.series.unit
    x: list[int] = []
    y: list[float | None] = []
    above: list[float] = []
    below: list[float] = []
    version = None
    for point in row.series.points:
        value = _rounded(point.value) if point.value is not None and point.finite else None
        low, high = (end if end is not None and math.isfinite(end) else value for end in (point.low, point.high))
        if value is not None and version not in (None, point.version):
            x.append(point.commit)
            y.append(None)
            above.append(0.0)
            below.append(0.0)
        version = point.version if value is not None else version
        x.append(point.commit)
        y.append(value)
        above.append(0.0 if value is None or high is None else max(_rounded(high - value), 0.0))
        below.append(0.0 if value is None or low is None else max(_rounded(value - low), 0.0))
    color = COLORS[index % len(COLORS)]
    shown = "%{y:.3s}s" if unit in ("s", "seconds") else "%{y:.3s}B" if unit in ("B", "bytes") else "%{y:.3g}"
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": escaped(label),
        "x": x,
        "y": y,
        "line": {"color": color, "width": 1.8},
        "marker": {"symbol": SYMBOLS[index % len(SYMBOLS)], "size": 6, "color": color},
        "hovertemplate": f"<b>{escaped(label).replace('%', '&#37;')}: {shown}</b><br>%{{customdata}}<extra></extra>",
        "meta": {"commits": True},
    }
    if any(above) or any(below):
        bars = {"type": "data", "symmetric": False, "array": above, "arrayminus": below}
        trace["error_y"] = {**bars, "thickness": 1, "width": 0, "color": color}
    return trace


def _rounded(value: float) -> float:
    """As many digits as a figure can show."""
    return float(f"{value:.4g}")


def _mark(row: Row, change: Change, commits: Sequence[Commit]) -> tuple[int, float, str, str, str] | None:
    """Place, word, arrow and text of a change; one that ended in no number is drawn where the number was."""
    point = next((p for p in row.series.points if p.commit == change.last), None)
    heights = (point.value if point is not None else None, change.after, change.before)
    height = next((value for value in heights if value is not None and math.isfinite(value)), None)
    if height is None:
        return None
    word = ("worse" if change.worse else "better") if change.sure else "unsure"
    several = change.last - change.first
    culprit = (
        f"one of {several + 1} commits up to {commits[change.last].short}" if several else commits[change.last].short
    )
    said = f"<b>{word} {factor(change.ratio)}</b> with {culprit}<br>{wrapped(change.text)}"
    arrow = "✕" if not math.isfinite(change.after) else "▲" if change.after > change.before else "▼"
    return change.last, height, word, arrow, said


def _rings(marks: Sequence[tuple[int, float, str, str, str]]) -> list[dict[str, Any]]:
    """A mark around each change: its shape and its name in the legend say the same as its colour."""
    looks = (("worse", "circle-open", WORSE), ("better", "diamond-open", BETTER), ("unsure", "square-open", NEUTRAL))
    found = []
    for word, symbol, color in looks:
        mine = [mark for mark in marks if mark[2] == word]
        if mine:
            found.append({
                "type": "scatter", "mode": "markers+text", "name": word, "cliponaxis": False,
                "x": [mark[0] for mark in mine], "y": [mark[1] for mark in mine], "text": [mark[3] for mark in mine],
                "textposition": "top center", "textfont": {"color": color, "size": 14},
                "customdata": [mark[4] for mark in mine], "hovertemplate": "%{customdata}<extra></extra>",
                "marker": {"symbol": symbol, "size": 15, "color": color, "line": {"width": 2}},
                "meta": {"quantity": word},
            })  # fmt: skip
    return found


def _layout(commits: Sequence[Commit], y: Mapping[str, Any], most: int) -> dict[str, Any]:
    places = sorted({round(i * (len(commits) - 1) / max(most - 1, 1)) for i in range(most)}) if commits else []
    tagged = [i for i, commit in enumerate(commits) if commit.tags]
    lines = [
        {"type": "line", "x0": i, "x1": i, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain", "layer": "below",
         "line": {"color": NEUTRAL, "width": 1, "dash": "dot"}}
        for i in tagged
    ]  # fmt: skip
    notes = [
        {"text": escaped(commits[i].tags[0])[:24], "x": i, "xref": "x", "y": 1, "yref": "y domain", "xanchor": "left",
         "yanchor": "bottom", "showarrow": False}
        for i in tagged[-most:]
    ]  # fmt: skip
    return {
        "height": HEIGHT,
        "margin": MARGIN,
        "hovermode": "closest",
        "legend": {"orientation": "h", "yanchor": "top", "y": -0.26, "xanchor": "left", "x": 0},
        "xaxis": {
            "title": {"text": "commit"},
            "tickvals": places,
            "ticktext": [commits[i].short[:7] for i in places],
            "tickangle": -35,
            "range": [-0.5, max(len(commits) - 0.5, 0.5)],
        },
        "yaxis": dict(y),
        "shapes": lines,
        "annotations": notes,
    }


def _axis(values: Sequence[float], unit: str, title: str) -> dict[str, Any]:
    """A vertical or horizontal axis, logarithmic where all values are positive, whose labels carry the unit."""
    named: dict[str, Any] = {"title": {"text": escaped(title)}, "automargin": True}
    if not values or min(values) <= 0:
        return {**named, "rangemode": "tozero"}
    low, high = math.log10(min(values)), math.log10(max(values))
    room = max(0.06 * (high - low), 0.02, (LEAST - (high - low)) / 2)
    low, high = low - room, high + room
    ticks = _ticks(10**low, 10**high)
    labels = [escaped(amount(tick, unit if unit in ("s", "seconds", "B", "bytes") else "")) for tick in ticks]
    return {**named, "type": "log", "range": [low, high], "tickvals": ticks, "ticktext": labels}


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two positive ones: 1, 2, 5 of each decade, or fewer, or finer where there are too few."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1,)):
        ticks = [digit * 10.0**k for k in decades for digit in digits if low <= digit * 10.0**k <= high]
        if 3 <= len(ticks) <= TICKS:
            return ticks
    if len(ticks) > TICKS:
        return ticks[:: -(-len(ticks) // TICKS)]
    step = 10.0 ** math.floor(math.log10((high - low) / 3))
    step *= next(digit for digit in (5, 2, 1) if (high - low) / (digit * step) >= 3 or digit == 1)
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def work_precision(pairs: Mapping[tuple[str, str], Sequence[tuple[Row, Row]]]) -> list[Picture]:
    """Error against time at the newest commit, a colour for each backend (or rule).

    Args:
        pairs: for each function that is timed and unit of error, rows of the same parameters: time, error.
    """
    found = []
    for (time, error), rows in pairs.items():
        key = "backend" if any(t.name.get("backend") for t, _ in rows) else next(iter(rows[0][0].name.parameters), "")
        names = list(dict.fromkeys(t.name.get(key) for t, _ in rows))
        traces = []
        for i, name in enumerate(names):
            mine = [(t, e) for t, e in rows if t.name.get(key) == name and (e.value or 0) > 0 and (t.value or 0) > 0]
            said = [
                f"<b>{escaped(t.name.choice)}</b><br>{escaped(amount(t.value, t.series.unit))}, "
                f"{escaped(amount(e.value, e.series.unit))}<br>{escaped(e.name.function)}"
                for t, e in mine
            ]
            traces.append({
                "type": "scatter", "mode": "markers", "name": escaped(name or time), "x": [t.value for t, _ in mine],
                "y": [e.value for _, e in mine], "customdata": said,
                "hovertemplate": "%{customdata}<extra></extra>",
                "marker": {"symbol": SYMBOLS[i % len(SYMBOLS)], "size": 9, "color": COLORS[i % len(COLORS)]},
            })  # fmt: skip
        layout = {
            "height": HEIGHT, "margin": MARGIN, "hovermode": "closest",
            "legend": {"orientation": "h", "yanchor": "top", "y": -0.2, "xanchor": "left", "x": 0},
            "xaxis": _axis([t.value for t, _ in rows if t.value], rows[0][0].series.unit, "time"),
            "yaxis": _axis([e.value for _, e in rows if e.value], "", rows[0][1].series.unit),
        }  # fmt: skip
        zero = sum((e.value or 0) <= 0 for _, e in rows)
        words = f"{len(rows)} choices of parameters; down and to the left is better."
        if zero:
            words += f" {zero} with an error of exactly 0 stand{'s' if zero == 1 else ''} in the table alone."
        found.append(Picture(time, error, words, {"data": traces, "layout": layout, "narrow": layout}))
    return sorted(found, key=lambda picture: -len(pairs[picture.group, picture.choice]))
