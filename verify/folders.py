"""Where files that only save time are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Exact results, and what libraries compile: ``$HIPPO_VERIFY_CACHE``, else the user's cache folder."""
    named = os.environ.get("HIPPO_VERIFY_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hippo-verify"
