"""Several files as one side: each is a process of its own, and its median a round."""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verify.gate.side import Kind, Measurement, Side
from verify.gate.sides.reading import SideError, load


def merged(sides: Sequence[Side], names: Sequence[str]) -> Side:
    """One side of several that were measured alike, a round for each file.

    Args:
        sides: what each file has.
        names: their names, for messages.

    Raises:
        SideError: they are of several machines, environments or revisions, or stem from paired rounds already.
    """
    first = sides[0]
    for side, name in zip(sides, names, strict=True):
        for what in ("machine", "environment", "revision"):
            if getattr(side, what) != getattr(first, what):
                raise SideError(
                    f"{what} of {name} is {getattr(side, what)}, but that of {names[0]} {getattr(first, what)}; "
                    "accepted as one side: files of the same code, measured in the same place"
                )
        if side.paired is not None:
            raise SideError(f"{name} has paired rounds in it; accepted beside other files: those of one process each")
    known = dict.fromkeys(name for side in sides for name in side.measurements)
    return replace(
        first,
        label=f"{first.label} and {len(sides) - 1} more",
        measurements={name: _one([side.measurements.get(name) for side in sides], names) for name in known},
    )


def _one(rounds: Sequence[Measurement | None], names: Sequence[str]) -> Measurement:
    there = [one for one in rounds if one is not None]
    first = there[0]
    for one in there:
        if (one.kind, one.unit, one.version) != (first.kind, first.unit, first.version):
            where = names[rounds.index(one)]
            raise SideError(f"{first.name} is another benchmark in {where}; accepted: the same in each file")
    bad = next((one for one in there if one.status == "failed"), None) or next(
        (one for one in there if one.status != first.status), None
    )
    if bad is not None:
        return replace(first, status="failed", why=bad.why or first.why, rounds=())
    if first.status != "measured":
        return first
    if first.kind in (Kind.ERROR, Kind.COUNT):
        values = [None if one is None else one.rounds[0] for one in rounds]
        return replace(first, rounds=tuple(values[:1] if len(set(map(repr, values))) == 1 else values))
    return replace(first, rounds=tuple(None if one is None else _median(one.rounds) for one in rounds))


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if any(map(math.isnan, known)):
        return math.nan
    return statistics.median(known) if known else None


def interleaved(base: Sequence[str], head: Sequence[str]) -> str | None:
    """An id for two sides whose files were written in turn, so that those of a round ran side by side; else None.

    Either side must have been first about as often: otherwise the order of a pair and its sides are the same thing.

    Args:
        base: files of the one side, in the order of rounds.
        head: files of the other.
    """
    if len(base) != len(head) or len(base) < 2:
        return None
    runs = []
    for side, names in (("base", base), ("head", head)):
        moments = [moment for moment in map(_when, names) if moment is not None]
        if len(moments) != len(names) or sorted(moments) != moments:
            return None
        runs += [(moment, side) for moment in moments]
    turns = [side for _, side in sorted(runs)]
    pairs = list(zip(turns[::2], turns[1::2], strict=True))
    ahead = [one for one, _ in pairs]
    if any(one == other for one, other in pairs) or abs(ahead.count("base") - ahead.count("head")) > 1:
        return None
    return hashlib.sha256(repr(sorted(runs)).encode()).hexdigest()[:16]


def _when(name: str) -> datetime | None:
    """When a file of pytest-benchmark says that it was made."""
    try:
        content: Any = load(Path(name))
        moment = datetime.fromisoformat(content["datetime"])
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # up to version 3, UTC without saying so
    except (SideError, LookupError, TypeError, ValueError):
        return None
