"""The page on which a signal is compressed while the reader watches: every number in it is computed here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import data
import numpy as np

TEMPLATE = Path(__file__).with_suffix(".html")
MOMENTS = np.arange(1, 101) / 10
"""Where the slider stops: every tenth sample."""
FRACTIONS = 0.5 - 0.5 * np.cos(np.pi * np.arange(121) / 120)
"""Closer at both ends, where polynomials turn faster."""


def _rounded(values: data.Array, digits: int) -> list[Any]:
    found: list[Any] = np.round(values, digits).tolist()
    return found


def numbers() -> dict[str, Any]:
    """What the page draws from: coefficients, bases, the signal, and how far each memory is from it."""
    x, largest = np.linspace(0, data.DURATION, 401), max(data.ORDERS)
    memories = []
    bases: dict[str, list[Any]] = {}
    for memory in data.MEMORIES:
        functions = "legendre" if memory.key in ("legs", "legt") else memory.key
        bases.setdefault(functions, _rounded(memory.basis(largest, FRACTIONS), 3))
        states = {order: memory.scan(order) for order in data.ORDERS}
        picked = np.round(MOMENTS / data.STEP).astype(int) - 1
        memories.append(
            {
                "key": memory.key,
                "name": memory.name,
                "past": memory.past,
                "back": None if memory.begin(1.0) == 0 else 1.0 - memory.begin(1.0),
                "basis": functions,
                # The first N of a nested memory's coefficients are those of order N.
                "states": {
                    order: _rounded(found[picked], 4)
                    for order, found in states.items()
                    if not memory.nested or order == largest
                },
                "miss": {
                    order: [float(f"{miss:.2g}") for miss in data.misses(memory, found, MOMENTS).tolist()]
                    for order, found in states.items()
                },
            }
        )
    return {
        "duration": data.DURATION,
        "step": data.STEP,
        "moments": MOMENTS.tolist(),
        "fractions": _rounded(FRACTIONS, 5),
        "orders": list(data.ORDERS),
        "x": _rounded(x, 3),
        "signal": _rounded(data.signal(x), 4),
        "bases": bases,
        "memories": memories,
    }


def page() -> str:
    """The whole page: it needs no other file but the still picture beside it, which it shows without scripts."""
    return TEMPLATE.read_text(encoding="utf-8").replace("@NUMBERS@", json.dumps(numbers(), separators=(",", ":")))
