"""``verdicts.jsonl`` as everybody else reads it: in the order of the plan, whole blocks only, a verdict at a time."""

from __future__ import annotations

import os
import weakref
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from verify.blocks import FILE, NEXT, Scan, decoded, read_block
from verify.case import Case
from verify.verdict import Verdict


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A verdict and where it stands.

    Attributes:
        line: number of its line in the store, from 1.
        verdict: what was recorded.
        suite: ``quick`` or ``full``; empty where the unit does not say.
        seed: of the drawn inputs, or None where it is not recorded.
    """

    line: int
    verdict: Verdict
    suite: str = ""
    seed: int | None = None


class Stored:
    """A store, opened: sized, and iterable any number of times, without its verdicts in memory.

    Of a campaign that is still at work it is what was whole when it was opened.

    Attributes:
        path: the file.
        provenance: versions, commit, machine, seed.
        notes: what the campaign had to say at its end.
        finished: whether it reached its end.
        torn: whether the file ends amid a unit, which does not count.
        units: how many units are whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets, self._lengths, self._lines = array("q"), array("q"), array("q")
        indexes = array("q")
        # The file stays the one that was opened, also when a campaign that ends puts another one in its place.
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        with open(self._file, "rb", closefd=False) as file:
            scan = Scan(file, path)
            scan.begin()
            for found in scan:
                self._offsets.append(found.offset)
                self._lengths.append(found.length)
                self._lines.append(found.line)
                indexes.append(found.index)
        self.provenance: Mapping[str, Any] = {k: v for k, v in scan.provenance.items() if k != "fingerprint"}
        self.notes, self.finished, self.torn = scan.notes, scan.finished, scan.torn
        self._checked, self.units, self._verdicts = scan.checked, scan.units, scan.verdicts
        self._order = np.argsort(np.asarray(indexes), kind="stable")

    def __len__(self) -> int:
        """How many verdicts there are."""
        return self._verdicts

    def __iter__(self) -> Iterator[StoredVerdict]:
        """Every verdict, in the order of the plan.

        Raises:
            ValueError: a line is no verdict.
        """
        recorded = _integer(self.provenance.get("seed"))
        for place in map(int, self._order):
            offset, length = self._offsets[place], self._lengths[place]
            lines = read_block(self._file, self.path, offset, length, checked=self._checked)
            suite, seed = _signature(lines, recorded)
            for number, line in enumerate(lines, start=self._lines[place]):
                record = decoded(line)
                if record is None or record.get("kind") == "verdict":
                    yield StoredVerdict(number, _verdict(self.path, number, record), suite, seed)


def open_store(path: str | Path) -> Stored:
    """A store, to be read.

    Args:
        path: folder with ``verdicts.jsonl``, or the file itself.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read.
        ValueError: it is no store, or damaged.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    try:
        return Stored(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"no store at {path}; {NEXT}") from None
    except OSError as error:
        raise OSError(f"cannot read {path}: {error.strerror or error}; {NEXT}") from None


def _signature(lines: list[bytes], recorded: int | None) -> tuple[str, int | None]:
    """Suite and seed of a block: those that the key ``case:suite:seed`` of its unit names."""
    record = decoded(lines[-1]) or {}
    key = record.get("key") if record.get("kind") == "unit" else ""
    parts = key.split(":") if isinstance(key, str) else []
    if len(parts) != 3 or not parts[2].lstrip("-").isdigit():
        return "", recorded
    return parts[1], int(parts[2])


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _verdict(path: Path, number: int, record: Mapping[str, Any] | None) -> Verdict:
    """A verdict whose fields have the types that readers compute with."""
    try:
        verdict = Verdict.from_json(record or {})
        problem = _wrong_type(verdict)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        raise ValueError(f"line {number} of {path} is no verdict ({problem}); {NEXT}")
    return verdict


def _wrong_type(verdict: Verdict) -> str:
    case: Case = verdict.case
    numbers = (int, float)
    wanted: list[tuple[str, Any, Any]] = [
        *((name, getattr(verdict, name), str) for name in ("check", "claim", "message", "bound_source")),
        *((name, getattr(verdict, name), (*numbers, type(None))) for name in ("measured", "bound")),
        *((name, getattr(case, name), str) for name in ("target", "measure", "method", "level", "dtype", "device")),
        *((name, value, str) for name, value in case.parameters),
        ("order", case.order, int),
        ("compared", verdict.compared, int),
        ("seconds", verdict.seconds, numbers),
        ("dt", case.dt, (*numbers, type(None))),
        ("details", verdict.details, dict),
        ("worst", verdict.worst, (dict, type(None))),
    ]
    for name, value, types in wanted:
        if not isinstance(value, types) or isinstance(value, bool):
            return f"{name} is {value!r}"
    return ""
