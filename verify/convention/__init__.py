"""Which measure, scaling, sign, window, time shift and rule an implementation has; and how to see through them.

A convention is a consistent change of coordinates: ``A' = sign T A T^-1``, ``B' = T B`` with T diagonal and
``|T_00| = 1``, another window, or states that come a sample later. What is left after undoing it is judged
as always, so a convention never hides a defect. A global gain is a defect: T_00 is not free.

`observe` asks a target and assumes nothing; `rules` reads a step backwards; `parameters` and `fit` compare with a
measure; `search` tries all of them; `near` says how far the closest operators are, `inside` how finely the target
computes; `undo` shows a target in the convention of the reference.
"""

from __future__ import annotations

from verify.convention.record import SCALINGS, Convention, Identification, Near
from verify.convention.search import MEASURES, identify
from verify.convention.task import PROBE_ORDER
from verify.convention.undo import Undone, settle

__all__ = [
    "MEASURES",
    "PROBE_ORDER",
    "SCALINGS",
    "Convention",
    "Identification",
    "Near",
    "Undone",
    "identify",
    "settle",
]
