"""Verdicts as a report needs them: a hundred thousand of them side by side in some hundred megabytes.

A pass keeps the numbers of its worst input, which nobody reads once it has passed, and says the same few texts as a
thousand others. What is no pass stays as it was recorded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from verify.case import Case
from verify.report.records import Entry
from verify.verdict import Status, Verdict

PLAIN = (Status.PASS, Status.UNSUPPORTED)
"""Statuses whose inputs nobody looks at."""
STATEWISE = ("scan", "linearity")
"""Checks whose worst place begins with the number of a state."""
DROPPED = ("smallest", "call", "counterexamples")
"""Details that only say where a failure is."""


def lean(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The same entries, each text and each case once, and the input of a pass as its size."""
    texts: dict[str, str] = {}
    cases: dict[Case, Case] = {}
    for entry in entries:
        verdict = entry.verdict
        same = {
            "check": texts.setdefault(verdict.check, verdict.check),
            "claim": texts.setdefault(verdict.claim, verdict.claim),
            "bound_source": texts.setdefault(verdict.bound_source, verdict.bound_source),
            "message": texts.setdefault(verdict.message, verdict.message),
            "case": cases.setdefault(verdict.case, verdict.case),
        }
        if verdict.status in PLAIN:
            same["worst"] = _place(verdict.worst, samples_read(verdict))
            same["details"] = {name: value for name, value in verdict.details.items() if name not in DROPPED}
        yield Entry(entry.line, _with(verdict, same), entry.suite, entry.seed)


def _with(verdict: Verdict, fields: Mapping[str, Any]) -> Verdict:
    return replace(verdict, **fields)


def samples_read(verdict: Verdict) -> int | None:
    """How many samples the worst state has read, where it is a state that is worst: later ones do not matter to it."""
    index = (verdict.worst or {}).get("index")
    if verdict.check not in STATEWISE or not isinstance(index, list) or not index or not isinstance(index[0], int):
        return None
    return index[0] + 1


def _place(worst: Mapping[str, Any] | None, read: int | None) -> Mapping[str, Any] | None:
    """Where the largest error is, with the largest number of its input in place of them all."""
    if not worst or not isinstance(worst.get("input"), dict):
        return worst
    size = largest(worst["input"], read)
    rest = {name: value for name, value in worst.items() if name != "input"}
    return rest if size is None else {**rest, "input": {"sample": size.hex()}}


def largest(given: Mapping[str, Any], read: int | None = None) -> float | None:
    """The largest number of a recorded input; None where it records none that is finite.

    Args:
        given: the input, or two of them.
        read: so many samples count; None: all.
    """
    parts = [part for part in (given, given.get("first"), given.get("second")) if isinstance(part, dict)]
    texts: list[Any] = []
    for part in parts:
        for name in ("samples", "state", "coefficients"):
            texts += part[name][: read if name == "samples" else None] if isinstance(part.get(name), list) else []
        texts.append(part.get("sample"))
    exponent = given.get("exponent", 0)
    try:
        sizes = [abs(float.fromhex(text)) for text in texts if isinstance(text, str)]
        return math.ldexp(max(sizes), exponent) if sizes and isinstance(exponent, int) else None
    except (ValueError, OverflowError):
        return None
