"""What changed over the commits of a repository, in speed and in error, and with which of them it came.

The names are loaded when first used: the command line imports this package for the options of one command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.history.finding import changes, changes_of_all
    from verify.history.loading import load
    from verify.history.series import Change, History, HistoryError, Place, Point, Series

__all__ = ["Change", "History", "HistoryError", "Place", "Point", "Series", "changes", "changes_of_all", "load"]

_HOMES = {
    **dict.fromkeys(("changes", "changes_of_all"), "finding"),
    "load": "loading",
    **dict.fromkeys(("Change", "History", "HistoryError", "Place", "Point", "Series"), "series"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'verify.history' has no attribute {name!r}; it has {', '.join(__all__)}")
    import importlib  # noqa: PLC0415

    return getattr(importlib.import_module(f"verify.history.{_HOMES[name]}"), name)
