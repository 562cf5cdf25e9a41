"""Numbers and standings in words, the same on a terminal, in Markdown and in the report."""

from __future__ import annotations

from verify.claims.base import Number
from verify.claims.results import Results

DASH = "–"
"""There is no number, or none is needed."""


def figure(value: float | None) -> str:
    """Four digits."""
    return DASH if value is None else f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def cell(number: Number | None) -> str:
    """What was measured, its interval, and the paper's number."""
    if number is None:
        return ""
    text = figure(number.measured)
    if number.measured is not None and number.low is not None and number.high is not None:
        text += f" [{figure(number.low)}, {figure(number.high)}]"
    return text if number.paper is None else f"{text} (paper {figure(number.paper)})"


def summary(results: Results) -> str:
    """How many statements stand how, in a line."""
    counts = ", ".join(f"{count} {word}" for word, count in results.counts.items() if count)
    return counts or "no statement was judged"
