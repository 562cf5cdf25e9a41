"""Plain dense implementations of every level, right by construction.

`Model` is what `verify.defects` alters to make wrong candidates, and `verify.variants` to make other right ones.
"""

from __future__ import annotations

from verify.candidates.bases import NAMES, TILTED, WINDOWED, Factors, basis, decompose, low_rank
from verify.candidates.model import Array, Model, System, right_model

__all__ = [
    "NAMES",
    "TILTED",
    "WINDOWED",
    "Array",
    "Factors",
    "Model",
    "System",
    "basis",
    "decompose",
    "low_rank",
    "right_model",
]
