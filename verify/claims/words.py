"""Numbers and standings in words, the same on a terminal, in Markdown and in the report."""

from __future__ import annotations

from math import floor, log10
from typing import Final

from verify.claims.base import Number
from verify.claims.results import Results

DASH = "–"
"""There is no number, or none is needed."""
MOST: Final = 6
"""Digits of a number with an interval."""


def figure(value: float | None) -> str:
    """Four digits."""
    return DASH if value is None else f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def digits(value: float | None, low: float | None, high: float | None) -> tuple[str, str]:
    """A number and its interval, to two digits of the interval's half width: what lies beyond is noise."""
    if value is None:
        return DASH, ""
    if low is None or high is None:
        return figure(value), ""
    half, size = float(f"{high / 2 - low / 2:.1e}"), max(abs(value), abs(low), abs(high))
    if not 0 < half <= size:  # no width to go by
        return figure(value), f"[{figure(low)}, {figure(high)}]"
    count = min(max(floor(log10(size)) - floor(log10(half)) + 2, 2), MOST)
    decimals = max(count - 1 - floor(log10(size)), 0)
    fixed = 1e-3 <= size < 1e9
    texts = [f"{round(x, decimals) + 0.0:,.{decimals}f}" if fixed else f"{x:.{count - 1}e}" for x in (value, low, high)]
    return texts[0], f"[{texts[1]}, {texts[2]}]"


def cell(number: Number | None) -> str:
    """What was measured, its interval, and the paper's number."""
    if number is None:
        return ""
    text = " ".join(filter(None, digits(number.measured, number.low, number.high)))
    return text if number.paper is None else f"{text} (paper {figure(number.paper)})"


def summary(results: Results) -> str:
    """How many statements stand how, in a line."""
    counts = ", ".join(f"{count} {word}" for word, count in results.counts.items() if count)
    return counts or "no statement was judged"
