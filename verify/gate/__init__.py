"""The gate: speed and error of one side against another, judged with stated rates of false alarms.

The names are loaded when first used: the command line imports this package for the options of one command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.gate.accepted import Accepted
    from verify.gate.judgement import Comparison, compare, undecided
    from verify.gate.settings import Settings, Thresholds
    from verify.gate.side import Kind, Measurement, Side, kind_of
    from verify.gate.words import Finding, Outcome, Word

__all__ = [
    "Accepted",
    "Comparison",
    "Finding",
    "Kind",
    "Measurement",
    "Outcome",
    "Settings",
    "Side",
    "Thresholds",
    "Word",
    "compare",
    "kind_of",
    "undecided",
]

_HOMES = {
    **dict.fromkeys(("Accepted",), "accepted"),
    **dict.fromkeys(("Comparison", "compare", "undecided"), "judgement"),
    **dict.fromkeys(("Settings", "Thresholds"), "settings"),
    **dict.fromkeys(("Kind", "Measurement", "Side", "kind_of"), "side"),
    **dict.fromkeys(("Finding", "Outcome", "Word"), "words"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'verify.gate' has no attribute {name!r}; it has {', '.join(__all__)}")
    import importlib  # noqa: PLC0415

    return getattr(importlib.import_module(f"verify.gate.{_HOMES[name]}"), name)
