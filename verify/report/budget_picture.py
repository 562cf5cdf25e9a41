"""Error budgets drawn: norms as lines on a log axis, and below them their shares of the squared total, stacked.

Heights on a log axis do not add up, so norms are not stacked there. What does add up, exactly, are the shares
``<part, error> / total^2``: they are stacked on a linear axis, to 100 %. A part that cancels others has a negative
share and stands below zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

from verify.report.canvas import COLORS, NEUTRAL, SYMBOLS, axis, escaped, wrapped
from verify.report.numbers import Table
from verify.report.pictures import Picture
from verify.report.records import short

Record = Mapping[str, Any]
Cell = tuple[int, int, str]

COMPONENTS = ("truncation", "closure", "discretization", "rounding")
"""As `verify.budget` names them; a page of verdicts is made without it, for it computes."""
LOOKS = {name: (COLORS[i], SYMBOLS[i], ("", "/", ".", "x")[i]) for i, name in enumerate(COMPONENTS)}
"""Colour, marker and hatching of each component: told apart without colour too."""

HATCHING = {"fillmode": "overlay", "fgcolor": "#ffffff", "size": 7}

LETTERS = {"FAIL": "F", "INCONCLUSIVE": "?"}
SWEEPS = ("order N", "samples L", "dtype")
UPPER, LOWER, APART, UNDER, TOP, LEGEND = 210, 120, 26, 74, 40, 70
"""Heights in pixels: norms, shares, the gap between them, the axis below, the title above, the legend."""


def key(record: Record) -> Cell:
    """Order, length and dtype of a budget."""
    return record["case"]["order"], record["length"], record["case"]["dtype"]


def pictures(records: Sequence[Record]) -> list[Picture]:
    """A figure for each cell: what happens as its order, its length, or its dtype alone is changed.

    Args:
        records: budgets as `verify.budget.Budget.to_json` writes them.
    """
    cells = {key(record): record for record in records}
    found = []
    for cell in sorted(cells, key=lambda c: c != _central(list(cells))):
        record = cells[cell]
        words = f"Total {short(record['total'])}; the signal itself {short(record['size'])}. {record['advice']}."
        found.append(Picture(f"N = {cell[0]}, L = {cell[1]}", cell[2], words, around(cells, cell)))
    return found


def around(cells: Mapping[Cell, Record], cell: Cell) -> dict[str, Any]:
    """The figure of a cell: what happens as its order, its length, or its dtype alone is changed."""
    panels = [[cells[c] for c in cells if all(c[i] == cell[i] for i in range(3) if i != k)] for k in range(3)]
    return _figure(panels, cell, _limits(list(cells.values())))


def _central(cells: list[Cell]) -> Cell:
    """The middle of every axis, which is shown first: its lines say the most."""
    axes = [list(dict.fromkeys(cell[k] for cell in cells)) for k in range(3)]
    return tuple(values[len(values) // 2] for values in axes)  # type: ignore[return-value]


def table(records: Sequence[Record]) -> Table:
    """The same numbers: each norm with its share of the squared total."""
    rows = []
    for record in records:
        order, length, dtype = key(record)
        parts = [record["components"][name] for name in COMPONENTS]
        norms = (f"{short(p['value'])}{percent(p['share'])}" for p in parts)
        bound, total = parts[-1]["bound"], record["total"]
        dominant = record["dominant"] or "nothing"
        rows.append((dominant, dtype, str(order), str(length), *norms, short(bound), short(total)))
    return Table(("act on", "dtype", "N", "L", *COMPONENTS, "rounding explains", "total"), 2, tuple(rows))


def percent(share: float | None) -> str:
    """A share behind its norm; nothing where there is none."""
    return "" if share is None else f" ({100 * share:.3g} %)"


def _limits(records: Sequence[Record]) -> tuple[float, float]:
    """Heights of the lines for zero and for what is no number: a decade beyond every value."""
    values = [part["value"] for record in records for part in record["components"].values()]
    values += [record["total"] for record in records]
    values += [record["components"]["rounding"]["bound"] for record in records]
    positive = [value for value in values if value]
    return (
        10.0 ** (floor(log10(min(positive, default=1e-15))) - 1),
        10.0 ** (ceil(log10(max(positive, default=1.0))) + 1),
    )


def _figure(panels: Sequence[Sequence[Record]], cell: Cell, limits: tuple[float, float]) -> dict[str, Any]:
    traces = [trace for panel, records in enumerate(panels, start=1) for trace in _traces(records, panel, limits)]
    zero = any(t.get("meta", {}).get("zero") for t in traces)
    wide, narrow = (_layout(panels, cell, limits, zero, columns) for columns in (3, 1))
    return {"data": traces, "layout": wide, "narrow": narrow}


def _traces(records: Sequence[Record], panel: int, limits: tuple[float, float]) -> list[dict[str, Any]]:
    """Norms, total and the limit of rounding in the upper panel, shares in the lower one."""
    x = [str(key(record)[panel - 1]) for record in records]
    upper = {"xaxis": axis("x", panel), "yaxis": axis("y", panel), "showlegend": panel == 1, "x": x}
    lower = {"xaxis": axis("x", panel + 3), "yaxis": axis("y", panel + 3), "showlegend": False, "x": x}
    traces: list[dict[str, Any]] = []
    for name, (color, symbol, hatching) in LOOKS.items():
        parts = [record["components"][name] for record in records]
        values = [part["value"] for part in parts]
        shared = {"name": name, "legendgroup": name, "hovertemplate": "%{customdata}<extra></extra>"} | {
            "customdata": [_hover(record, name) for record in records]
        }
        marks = [f"{symbol}-open" if value == 0 else symbol for value in values]
        meta = {"component": name, "zero": 0 in values}
        traces.append(
            _line(values, limits, color, 2, "solid") | upper | shared
            | {"mode": "lines+markers", "meta": {**meta, "quantity": "norm"},
               "marker": {"size": 9, "color": color, "symbol": marks, "line": {"color": color, "width": 1.5}}}
        )  # fmt: skip
        traces.append(
            {"type": "bar", "y": [part["share"] for part in parts], "meta": {**meta, "quantity": "share"},
             "marker": {"color": color, "pattern": {**HATCHING, "shape": hatching}}} | lower | shared
        )  # fmt: skip
    for name, values, dash in (
        ("total", [record["total"] for record in records], "dash"),
        ("limit of rounding", [record["components"]["rounding"]["bound"] for record in records], "dot"),
    ):
        color = NEUTRAL if name == "total" else LOOKS["rounding"][0]
        hover = [f"<b>{name} {short(value)}</b><br>{_place(r)}" for value, r in zip(values, records, strict=True)]
        traces.append(
            _line(values, limits, color, 3 if name == "total" else 1.5, dash) | upper
            | {"name": name, "mode": "lines+markers", "marker": {"size": 5, "color": color}, "customdata": hover,
               "hovertemplate": "%{customdata}<extra></extra>", "meta": {"quantity": name, "zero": 0 in values}}
        )  # fmt: skip
    alarms = [(place, record) for place, record in zip(x, records, strict=True) if record["judgement"] in LETTERS]
    if alarms:
        traces.append(_alarms(alarms, limits) | upper | {"x": [place for place, _ in alarms], "showlegend": False})
    return traces


def _line(
    values: Sequence[float | None], limits: tuple[float, float], color: str, width: float, dash: str
) -> dict[str, Any]:
    heights = [limits[1] if value is None else min(max(value, limits[0]), limits[1]) for value in values]
    return {"type": "scatter", "y": heights, "line": {"color": color, "width": width, "dash": dash}}


def _alarms(points: Sequence[tuple[str, Record]], limits: tuple[float, float]) -> dict[str, Any]:
    """A ring around rounding that is none, or may be none."""
    records = [record for _, record in points]
    values = [record["components"]["rounding"]["value"] for record in records]
    return _line(values, limits, "#d1495b", 1, "solid") | {
        "mode": "markers+text",
        "cliponaxis": False,
        "text": [LETTERS[record["judgement"]] for record in records],
        "textposition": "top center",
        "textfont": {"color": "#d1495b"},
        "marker": {"symbol": "circle-open", "size": 16, "color": "#d1495b", "line": {"width": 2}},
        "customdata": [_hover(record, "rounding") for record in records],
        "hovertemplate": "%{customdata}<extra></extra>",
        "meta": {"quantity": "alarm"},
    }


def _place(record: Record) -> str:
    order, length, dtype = key(record)
    return f"N = {order}, L = {length}, {escaped(dtype)}"


def _hover(record: Record, name: str) -> str:
    part = record["components"][name]
    known = f"0 to within {short(part['accuracy'])}" if part["value"] == 0 else short(part["value"])
    lines = [
        f"<b>{name} {known}</b>{percent(part['share'])}",
        _place(record),
        "" if part["bound"] is None else f"at most {short(part['bound'])}",
        ", ".join(f"{escaped(inner)} {short(size)}" for inner, size in part["parts"].items()),
        wrapped(record["message"], 300) if name == "rounding" and record["message"] else "",
    ]
    return "<br>".join(line for line in lines if line)


def _heights(records: Sequence[Record]) -> list[float]:
    """Ends of the axis of shares: what stacks up above zero and, where parts cancel, below."""
    shares = [[part["share"] or 0.0 for part in record["components"].values()] for record in records]
    above = max((sum(max(share, 0.0) for share in row) for row in shares), default=1.0)
    below = min((sum(min(share, 0.0) for share in row) for row in shares), default=0.0)
    return [1.05 * below, 1.05 * max(above, 1.0)]


def _layout(
    panels: Sequence[Sequence[Record]], cell: Cell, limits: tuple[float, float], zero: bool, columns: int
) -> dict[str, Any]:
    """Axes in two rows for each column of panels: norms above, shares below, one scale for all norms."""
    rows = 3 // columns
    block = TOP + UPPER + APART + LOWER + UNDER
    inside = rows * block
    layout: dict[str, Any] = {
        "height": inside + LEGEND,
        "margin": {"l": 76, "r": 12, "t": 0, "b": LEGEND},
        "hovermode": "closest",
        "barmode": "relative",
        "bargap": 0.35,
        "legend": {"orientation": "h", "yanchor": "top", "y": -8 / inside, "xanchor": "left", "x": 0},
        "annotations": [],
        "shapes": [],
    }
    pad = (limits[1] / limits[0]) ** 0.05
    span = [log10(limits[0] / pad), log10(limits[1] * pad)]
    heights = _heights([record for records in panels for record in records])
    fixed = ((f"L = {cell[1]}", cell[2]), (f"N = {cell[0]}", cell[2]), (f"N = {cell[0]}", f"L = {cell[1]}"))
    for panel, records in enumerate(panels, start=1):
        row, column = divmod(panel - 1, columns)
        across = [column / columns + (0.025 if column else 0), (column + 1) / columns - 0.005]
        top = 1 - (row * block + TOP) / inside
        upper = [top - UPPER / inside, top]
        lower = [upper[0] - (APART + LOWER) / inside, upper[0] - APART / inside]
        categories = {"type": "category", "categoryarray": [str(key(r)[panel - 1]) for r in records], "domain": across}
        first = column == 0
        norm, share = {"title": {"text": "L2 norm"}}, {"title": {"text": "share of total²"}}
        layout[axis("x", panel).replace("x", "xaxis")] = {
            **categories, "anchor": axis("y", panel), "showticklabels": False, "matches": axis("x", panel + 3),
        }  # fmt: skip
        layout[axis("y", panel).replace("y", "yaxis")] = {
            "type": "log", "domain": upper, "anchor": axis("x", panel), "range": span, "exponentformat": "power",
            "dtick": max(1, ceil((span[1] - span[0]) / 7)), "automargin": True,
        } | (norm if first else {"showticklabels": False}) | ({"matches": "y"} if panel > 1 else {})  # fmt: skip
        layout[axis("x", panel + 3).replace("x", "xaxis")] = {
            **categories, "anchor": axis("y", panel + 3), "title": {"text": SWEEPS[panel - 1]},
        }  # fmt: skip
        layout[axis("y", panel + 3).replace("y", "yaxis")] = {
            "domain": lower, "anchor": axis("x", panel + 3), "tickformat": ".0%", "automargin": True, "nticks": 5,
            "range": heights, "zeroline": True, "zerolinecolor": NEUTRAL,
        } | (share if first else {"showticklabels": False}) | ({"matches": "y4"} if panel > 1 else {})  # fmt: skip
        title = f"<b>against {SWEEPS[panel - 1].split()[-1]}</b> ({', '.join(map(escaped, fixed[panel - 1]))})"
        layout["annotations"].append(_note(title, across[0], top, ("left", "bottom")))
        if zero:
            line = {"color": NEUTRAL, "width": 1, "dash": "longdash"}
            layout["shapes"].append(
                {"type": "line", "layer": "below", "line": line, "xref": f"{axis('x', panel)} domain", "x0": 0, "x1": 1,
                 "yref": axis("y", panel), "y0": limits[0], "y1": limits[0]}
            )  # fmt: skip
            layout["annotations"].append(
                {**_note("0", 1, log10(limits[0]), ("right", "bottom")), "xref": f"{axis('x', panel)} domain",
                 "yref": axis("y", panel)}
            )  # fmt: skip
    return layout


def _note(text: str, x: float, y: float, anchor: tuple[str, str]) -> dict[str, Any]:
    return {
        "text": text, "showarrow": False, "x": x, "y": y, "xref": "paper", "yref": "paper",
        "xanchor": anchor[0], "yanchor": anchor[1],
    }  # fmt: skip
