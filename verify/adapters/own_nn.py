"""Our own cells and scans for the papers' claims, which reach `hippo_fast` through here alone.

No adapter: claims train cells and time scans, they judge no target. Torch is imported when the first cell is made.
"""

from __future__ import annotations

from hippo_fast import BACKENDS, OPERATORS, Memory, basis, legs_update, reconstruct, scan, system
from hippo_fast.nn import CELLS, cell_class, make_cell
from hippo_fast.recurrence import methods_of

__all__ = [
    "BACKENDS",
    "CELLS",
    "OPERATORS",
    "Memory",
    "basis",
    "cell_class",
    "legs_update",
    "make_cell",
    "methods_of",
    "reconstruct",
    "scan",
    "system",
]
