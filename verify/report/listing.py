"""Every verdict as columns, for the table that a reader filters and sorts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from verify.report.coverage import rule
from verify.report.records import SEVERITY, WORDS, Entry, variant

DIGITS = 4
"""Significant digits of errors and bounds in the table; the store has them all."""

TEXTS: dict[str, Callable[[Entry], str]] = {
    "status": lambda entry: WORDS[entry.verdict.status],
    "target": lambda entry: entry.verdict.case.target,
    "check": lambda entry: entry.verdict.check,
    "level": lambda entry: entry.verdict.case.level,
    "measure": lambda entry: variant(entry.verdict.case),
    "rule": lambda entry: rule(entry.verdict.case),
    "dtype": lambda entry: entry.verdict.case.dtype,
    "suite": lambda entry: entry.suite,
    "message": lambda entry: entry.verdict.message,
    "source": lambda entry: entry.verdict.bound_source,
    "place": lambda entry: _place(entry.verdict.worst),
}
"""Columns of text: each text once, and its number for each verdict."""
NUMBERS: dict[str, Callable[[Entry], float | int | None]] = {
    "order": lambda entry: entry.verdict.case.order,
    "error": lambda entry: _rounded(entry.verdict.measured),
    "bound": lambda entry: _rounded(entry.verdict.bound),
    "ratio": lambda entry: _rounded(entry.verdict.ratio),
    "compared": lambda entry: entry.verdict.compared,
    "seconds": lambda entry: _rounded(entry.verdict.seconds),
}
"""Columns of numbers; None where there is none."""


def columns(entries: Sequence[Entry], findings: Mapping[int, int], changes: Mapping[int, str]) -> dict[str, Any]:
    """The table, column by column.

    Args:
        entries: the verdicts.
        findings: line of the store -> number of its finding.
        changes: line of the store -> what became of it since an earlier store, in words; empty without one.
    """
    texts = dict(TEXTS)
    if changes:
        texts["since"] = lambda entry: changes.get(entry.line, "")
    places = [0, *(entry.line for entry in entries)]
    return {
        "count": len(entries),
        "texts": {name: _coded([text(entry) for entry in entries]) for name, text in texts.items()},
        "numbers": {name: [number(entry) for entry in entries] for name, number in NUMBERS.items()},
        "claims": {entry.verdict.check: entry.verdict.claim for entry in entries},
        "findings": [findings.get(entry.line, 0) for entry in entries],
        # Lines grow: what one adds to the one before it is a small number, and packs well.
        "lines": [line - before for before, line in itertools.pairwise(places)],
        "severity": [WORDS[status] for status in SEVERITY],
    }


def _coded(values: Sequence[str]) -> dict[str, Any]:
    """Each text once, in the order in which they come, and the place of every value among them."""
    known: dict[str, int] = {}
    codes = [known.setdefault(value, len(known)) for value in values]
    return {"values": list(known), "codes": codes}


def _place(worst: Mapping[str, Any] | None) -> str:
    place = (worst or {}).get("what") or (worst or {}).get("kind") or ""
    return str(place)


def _rounded(value: float | None) -> float | None:
    """A number with few digits, or None where it is no number that JSON knows."""
    if value is None or value != value or value in (float("inf"), -float("inf")):  # noqa: PLR0124 -- nan
        return None
    return float(f"{value:.{DIGITS}g}")
