"""Plain dense implementations of every level, right by construction.

`Model` is what `verify.defects` alters to make wrong candidates, and `verify.variants` to make other right ones.
"""

from __future__ import annotations

from verify.candidates.bases import NAMES, TILTED, WINDOWED, Factors, basis, decompose, halved, low_rank, whole
from verify.candidates.model import Array, Model, System, right_model
from verify.candidates.stand_ins import STAND_INS

__all__ = [
    "NAMES",
    "STAND_INS",
    "TILTED",
    "WINDOWED",
    "Array",
    "Factors",
    "Model",
    "System",
    "basis",
    "decompose",
    "halved",
    "low_rank",
    "right_model",
    "whole",
]
