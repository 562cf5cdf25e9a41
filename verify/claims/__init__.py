"""The papers' headline claims, measured. `CLAIMS` says where each lies; it is imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verify.claims.base import Claim

CLAIMS: dict[str, str] = {
    "reconstruction": "verify.claims.reconstruction:Reconstruction",
    "images": "verify.claims.images:Images",
    "trajectories": "verify.claims.trajectories:Trajectories",
    "long_memory": "verify.claims.long_memory:LongMemory",
    "gating": "verify.claims.gating:Gating",
    "initialisation": "verify.claims.initialisation:Initialisation",
}
"""Key, then module and class of each claim, in the order in which they are shown."""

__all__ = ["CLAIMS", "resolve"]


def resolve(address: str) -> Claim:
    """Build the claim at ``module:Class``.

    Raises:
        ModuleNotFoundError: its module, or a library that it needs, is not there.
    """
    module, _, name = address.partition(":")
    claim: Claim = getattr(importlib.import_module(module), name)()
    return claim
