"""What the statements on long memory rest on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from verify.claims.base import Result

PROPOSITION: Final = "HiPPO (2008.07669), section 3, proposition 5"
CONSEQUENCE: Final = "HiPPO (2008.07669), sections 1 and 3: what bounded gradients are to do for long dependencies"
NOT_RUN: Final = "it was not run"

Runs: TypeAlias = Mapping[int, Result | None]
"""By seed; None where it was not run."""
