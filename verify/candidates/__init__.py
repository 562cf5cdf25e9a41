"""Plain dense implementations of every level, right by construction.

`Model` is what `verify.defects` alters to make wrong candidates; `LEGITIMATE` alters it in ways no check may reject.
"""

from __future__ import annotations

from verify.candidates.bases import NAMES, TILTED, WINDOWED, Factors, basis, decompose, low_rank
from verify.candidates.model import LEGITIMATE, Array, Model, System, right_model

__all__ = [
    "LEGITIMATE",
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
