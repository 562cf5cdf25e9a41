"""HiPPO memories, fast: online and offline, on numpy, numba and torch.

The signed form is used throughout: an invariant law is ``dc/dt = A c + B f``, LegS is ``dc/dt = (A c + B f)/t``; the
order is the last axis of every state. Importing this package imports numpy and nothing heavier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hippo_fast.aligned import aligned_empty
from hippo_fast.backends import BACKENDS, Capabilities
from hippo_fast.discretizations import DISCRETIZATIONS
from hippo_fast.memory import Memory, basis, reconstruct
from hippo_fast.operators import OPERATORS, system
from hippo_fast.run import legs_update, scan
from hippo_fast.types import System

__all__ = [
    "BACKENDS",
    "DISCRETIZATIONS",
    "OPERATORS",
    "Capabilities",
    "Memory",
    "System",
    "aligned_empty",
    "basis",
    "legs_update",
    "reconstruct",
    "scan",
    "system",
]

__version__: str

if not TYPE_CHECKING:  # a type checker would take every name for one of ours

    def __getattr__(name: str) -> str:
        """The version of the installed distribution; looked up when asked for, since that takes a while."""
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import version  # noqa: PLC0415

        return version("hippo-verify")
