"""Numbers as the pages show them."""

from __future__ import annotations

import math

SECONDS = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")]
BYTES = [(2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")]


def amount(value: float | None, unit: str) -> str:
    """A value with its unit, three digits: ``1.23 ms``; a dash where there is none."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
    scales = SECONDS if unit in ("s", "seconds") else BYTES if unit in ("B", "bytes") else []
    for scale, name in scales:
        if abs(value) >= scale * 0.9995 or (scale, name) == scales[-1]:
            return f"{_three(value / scale)} {name}"
    named = "" if unit in ("", "1", "unit") else f" {unit}"
    return f"{_three(value)}{named}"


def _three(value: float) -> str:
    size = abs(value)
    if 0.9995 <= size < 999.5:
        return f"{value:#.3g}".rstrip(".")
    if 999.5 <= size < 1e9:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def factor(ratio: float | None) -> str:
    """How much larger a value is than before: ``×1.20``, ``×0.500``; a dash where no number says so."""
    if ratio is None:
        return "–"
    return f"×{_three(ratio)}" if math.isfinite(ratio) else "–"
