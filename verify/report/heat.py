"""The largest error ÷ bound over measures and orders as a heat map, with the numbers in its cells."""

from __future__ import annotations

import math
from collections.abc import Sequence

from verify.report.canvas import escaped
from verify.report.pictures import Picture, hover_text, name_of
from verify.report.records import variant
from verify.verdict import Verdict

LOWEST = -6
"""Decimal exponent below which a ratio is not told apart."""

SCALE = [[0, "#e8f1fa"], [0.5, "#7fb0dc"], [6 / 7, "#f2c14e"], [6 / 7 + 1e-6, "#d1495b"], [1, "#8c1c30"]]
"""Pale to amber up to the bound, red beyond it."""

BAR = {
    "title": {"text": "error ÷ bound", "side": "right"},
    "tickvals": [-6, -4, -2, 0, 1],
    "ticktext": ["≤ 1e-6", "1e-4", "0.01", "1", "≥ 10"],
    "thickness": 12,
}


def heat(verdicts: Sequence[Verdict]) -> list[Picture]:
    """The largest error ÷ bound of each property over measures and orders, one figure per target and dtype."""
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.ratio is not None:
            groups.setdefault((verdict.case.target, verdict.case.dtype), []).append(verdict)
    return [_heat_picture(target, dtype, mine) for (target, dtype), mine in groups.items()]


def _shade(ratio: float) -> float:
    return min(max(math.log10(ratio), float(LOWEST)), 1.0) if ratio > 0 else float(LOWEST)


def _heat_picture(target: str, dtype: str, verdicts: Sequence[Verdict]) -> Picture:
    columns = list(dict.fromkeys((variant(v.case), v.case.order) for v in sorted(verdicts, key=lambda v: v.case.order)))
    measures = list(dict.fromkeys(variant(v.case) for v in verdicts))
    columns.sort(key=lambda column: (measures.index(column[0]), column[1]))
    names = list(dict.fromkeys(name_of(v) for v in verdicts))[::-1]
    largest: dict[tuple[str, str, int], Verdict] = {}
    for verdict in verdicts:
        key = (name_of(verdict), variant(verdict.case), verdict.case.order)
        if key not in largest or (largest[key].ratio or 0) < (verdict.ratio or 0):
            largest[key] = verdict
    cells = [[largest.get((name, *column)) for column in columns] for name in names]
    ratios = [[None if v is None else v.ratio for v in row] for row in cells]
    trace = {
        "type": "heatmap",
        "x": [[escaped(measure) for measure, _ in columns], [str(order) for _, order in columns]],
        "y": [escaped(name) for name in names],
        "z": [[None if r is None else _shade(r) for r in row] for row in ratios],
        "text": [["" if r is None else f"{r:.1g}" for r in row] for row in ratios],
        "texttemplate": "%{text}",
        "customdata": [["" if v is None else hover_text(v) for v in row] for row in cells],
        "hovertemplate": "%{customdata}<extra></extra>",
        "hoverongaps": False,
        "xgap": 1,
        "ygap": 1,
        "zmin": LOWEST,
        "zmax": 1,
        "colorscale": SCALE,
        "colorbar": BAR,
        "meta": {"target": target, "dtype": dtype, "quantity": "ratio"},
    }
    height = 170 + 34 * len(names)
    layout = {
        "height": height,
        "margin": {"l": 10, "r": 10, "t": 20, "b": 80},
        "yaxis": {"automargin": True},
        "xaxis": {"automargin": True, "title": {"text": "order N of each measure"}},
    }
    narrow = {**layout, "width": max(360, 170 + 42 * len(columns))}
    words = (
        f"Largest error ÷ bound of each property for {target} in {dtype}, over all rules; above 1 is beyond the bound."
    )
    return Picture(target, dtype, words, {"data": [trace], "layout": layout, "narrow": narrow})
