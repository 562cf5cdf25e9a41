"""Convergence: distance to the exact projection against the number of samples, a panel per measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from verify.report.canvas import NEUTRAL, Palette, Panels, escaped, key_line, series
from verify.report.pictures import DASH, Picture, grouped, hover_text
from verify.report.records import counted, short, variant
from verify.verdict import Verdict


def convergence(verdicts: Sequence[Verdict]) -> list[Picture]:
    """Distance to the exact projection against the number of samples, beside the rule's own and its nominal slope."""
    asked = [v for v in verdicts if v.check == "convergence" and _curve(v) is not None]
    palette = Palette(verdicts)
    found = []
    for (_, choice), mine in grouped(asked).items():
        measures = list(dict.fromkeys(variant(v.case) for v in mine))
        traces: list[dict[str, Any]] = []
        named: set[tuple[str, str]] = set()
        drawn: set[tuple[str, int]] = set()
        lowest, highest = math.inf, 0.0
        for verdict in mine:
            lengths, got, exact = _curve(verdict) or ([], [], [])
            case, measure = verdict.case, variant(verdict.case)
            panel, label = measures.index(measure) + 1, f"{case.target} {case.dtype}"
            if (measure, case.order) not in drawn:
                drawn.add((measure, case.order))
                traces += _guides(
                    verdict, lengths, exact, panel, at_end=sum(name == measure for name, _ in drawn) % 2 == 0
                )
            look = {
                "color": palette.color(case.target),
                "dash": DASH.get(case.dtype, "dash"),
                "symbol": palette.symbol(case.target),
            }
            order, said = verdict.details.get("order"), verdict.details.get("nominal_order")
            shown = short(order) if isinstance(order, int | float) else "none"
            slope = f"order shown {shown}, nominal {escaped(str(said))}"
            hover = [
                f"{hover_text(verdict)}<br>L = {n}: distance {short(e)}<br>{slope}"
                for n, e in zip(lengths, got, strict=True)
            ]
            meta = {
                "target": case.target,
                "measure": measure,
                "dtype": case.dtype,
                "order": case.order,
                "quantity": "error",
            }
            traces.append(
                series(lengths, got, panel, label, look, hover, first=(case.target, case.dtype) not in named, meta=meta)
            )
            named.add((case.target, case.dtype))
            positive = [x for x in (*got, *exact) if x > 0]
            lowest, highest = min([lowest, *positive]), max([highest, *positive])
        traces += [key_line("the rule in exact arithmetic", "dash"), key_line("nominal slope", "dot")]
        samples = sorted({n for v in mine for n in (_curve(v) or ([],))[0]})
        limits = (lowest / 3, highest * 3) if highest > 0 else (1e-16, 1.0)
        figure = Panels(measures, samples, "samples L", "distance to the projection", limits).figure(traces)
        nominal = sorted({str(v.details.get("nominal_order")) for v in mine})
        parts = [
            f"Claim: {mine[0].claim}.",
            f"{counted(len(mine), 'cell')} under {choice}, nominal order {' or '.join(nominal)}.",
        ]
        words = " ".join([*parts, "One line for each order N."])
        found.append(Picture("convergence", choice, words, figure))
    return found


def _curve(verdict: Verdict) -> tuple[list[int], list[float], list[float]] | None:
    """Lengths, errors and the rule's own errors, as far as all three are there and finite."""
    lists = [verdict.details.get(name) for name in ("lengths", "errors", "rule_errors")]
    columns = [column if isinstance(column, list) else [] for column in lists]
    points = [p for p in zip(*columns, strict=False) if all(isinstance(x, int | float) and math.isfinite(x) for x in p)]
    return (
        ([int(p[0]) for p in points], [float(p[1]) for p in points], [float(p[2]) for p in points]) if points else None
    )


def _guides(
    verdict: Verdict, lengths: list[int], exact: list[float], panel: int, *, at_end: bool
) -> list[dict[str, Any]]:
    """The rule in exact arithmetic and a line of the nominal slope through its first point."""
    note = f"N = {verdict.case.order}"
    hover = [f"the rule in exact arithmetic, {note}, L = {n}: {short(e)}" for n, e in zip(lengths, exact, strict=True)]
    look = {"color": "rgba(138, 143, 152, 0.45)", "dash": "dash", "width": 5}
    drawn = [series(lengths, exact, panel, "rule", look, hover, first=False, meta={"quantity": "rule"})]
    # The order is written once for each line, at alternating ends, so that neighbours do not cover each other.
    texts = [""] * len(lengths)
    texts[-1 if at_end else 0] = note
    side = "bottom left" if at_end else "top right"
    drawn[0] |= {"mode": "lines+text", "text": texts, "textposition": side, "cliponaxis": False}
    nominal = verdict.details.get("nominal_order")
    if isinstance(nominal, int | float) and exact[0] > 0:
        slope = [exact[0] * (n / lengths[0]) ** -float(nominal) for n in lengths]
        drawn.append(
            series(lengths, slope, panel, "slope", {"color": NEUTRAL, "dash": "dot", "width": 1.5},
                   [f"nominal slope {nominal}, {note}"] * len(lengths), first=False, meta={"quantity": "slope"})
        )  # fmt: skip
    return drawn
