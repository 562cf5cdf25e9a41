"""What was recorded: ``verdicts.jsonl`` read into verdicts, and what is missing from it said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verify.case import Case
from verify.verdict import SCHEMA, Status, Verdict

NEXT = "expected the verdicts.jsonl that `hippo-verify run` writes; make one, or name its folder"


@dataclass(frozen=True)
class Entry:
    """A verdict and where it stands.

    Attributes:
        line: line number in the store, from 1.
        verdict: what was recorded.
        suite: ``quick`` or ``full``, or empty where the unit was not finished.
        seed: seed of the drawn inputs, or None where it is not recorded.
    """

    line: int
    verdict: Verdict
    suite: str = ""
    seed: int | None = None


@dataclass(frozen=True)
class Records:
    """A store.

    Attributes:
        path: the file.
        provenance: versions, commit, machine, seed.
        entries: every verdict, in the order of the campaign.
        notes: what the campaign had to say at its end.
        finished: whether it reached its end.
        torn: whether the last line is cut off.
        units: how many units were finished.
    """

    path: Path
    provenance: Mapping[str, Any]
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    finished: bool = False
    torn: bool = False
    units: int = 0
    verdicts: tuple[Verdict, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "verdicts", tuple(entry.verdict for entry in self.entries))


def read(store: Path) -> Records:
    """A store, in full.

    Args:
        store: folder with ``verdicts.jsonl``, or the file itself.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no verdicts, or something else than verdicts.
    """
    path = store / "verdicts.jsonl" if store.is_dir() else store
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        raise FileNotFoundError(f"no store at {path}; {NEXT}") from None
    except OSError as error:
        raise OSError(f"cannot read {path}: {error.strerror or error}; {NEXT}") from None
    if not any(line.strip() for line in lines):
        raise ValueError(f"{path} is empty; {NEXT}")
    return _assemble(path, lines)


def _assemble(path: Path, lines: list[bytes]) -> Records:
    provenance: Mapping[str, Any] = {}
    entries: list[Entry] = []
    pending: list[Entry] = []
    notes: tuple[str, ...] = ()
    finished, torn, units = False, False, 0
    for number, line in enumerate(lines, start=1):
        record = _decode(line)
        if record is None and number == len(lines) > 1:
            torn = True
            break
        kind = record.get("kind") if record is not None else None
        if record is None or (number == 1) != (kind == "provenance"):
            wanted = "a line of kind provenance" if number == 1 else "a JSON object of kind verdict, unit or end"
            raise ValueError(f"line {number} of {path} is not {wanted}: {_shown(line)}; {NEXT}")
        if kind == "provenance":
            if record.get("schema") != SCHEMA:
                raise ValueError(f"{path} has schema {record.get('schema')!r}, this version reads {SCHEMA!r}; {NEXT}")
            provenance = {key: value for key, value in record.items() if key not in ("kind", "fingerprint")}
        elif kind == "verdict":
            pending.append(Entry(number, _verdict(path, number, record), seed=_seed(provenance.get("seed"))))
        elif kind == "unit":
            entries.extend(_signed(pending, record.get("key")))
            pending, units = [], units + 1
        elif kind == "end":
            finished = True
            said = record.get("notes")
            notes = tuple(str(note) for note in said) if isinstance(said, list) else ()
        else:
            raise ValueError(f"line {number} of {path} is of kind {kind!r}, accepted: verdict, unit, end; {NEXT}")
    entries.extend(pending)
    return Records(path, provenance, tuple(entries), notes, finished, torn, units)


def _decode(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _shown(line: bytes) -> str:
    text = line[:60].decode("utf-8", "replace")
    return repr(text + ("..." if len(line) > 60 else ""))


def _seed(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _signed(pending: list[Entry], key: Any) -> list[Entry]:
    """Verdicts of a unit, with the suite and seed that its key ``case:suite:seed`` names."""
    parts = key.split(":") if isinstance(key, str) else []
    if len(parts) != 3 or not parts[2].lstrip("-").isdigit():
        return pending
    return [Entry(entry.line, entry.verdict, parts[1], int(parts[2])) for entry in pending]


def _verdict(path: Path, number: int, record: Mapping[str, Any]) -> Verdict:
    """A verdict whose fields have the types that the page computes with."""
    try:
        verdict = Verdict.from_json(record)
        problem = _wrong_type(verdict)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        raise ValueError(f"line {number} of {path} is no verdict ({problem}); {NEXT}")
    return verdict


def _wrong_type(verdict: Verdict) -> str:
    case = verdict.case
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


def variant(case: Case) -> str:
    """The measure with its parameters, such as ``legt (theta = 1)``; the device where it is not the cpu."""
    listing = ", ".join(f"{name} = {value}" for name, value in case.parameters)
    device = f" on {case.device}" if case.device != "cpu" else ""
    return f"{case.measure} ({listing}){device}" if listing else f"{case.measure}{device}"


def short(value: float | None) -> str:
    """A number for a table: three digits, or a dash."""
    return "–" if value is None else "0" if value == 0 else f"{value:.3g}"


def counted(number: int, noun: str) -> str:
    """``1 cell``, ``2 cells``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def stepped(case: Case) -> bool:
    """Whether the discretization rule matters at the level of a case."""
    return case.level in ("step", "scan", "gradient")


SEVERITY = (
    Status.FAIL,
    Status.UNEXPECTED_PASS,
    Status.ERROR,
    Status.INCONCLUSIVE,
    Status.EXPECTED_FAIL,
    Status.PASS,
    Status.UNSUPPORTED,
)
"""Statuses, the one that matters most first."""

WORDS = {
    Status.PASS: "pass",
    Status.FAIL: "fail",
    Status.EXPECTED_FAIL: "expected fail",
    Status.UNEXPECTED_PASS: "unexpected pass",
    Status.UNSUPPORTED: "unsupported",
    Status.INCONCLUSIVE: "inconclusive",
    Status.ERROR: "error",
}

LETTERS = {
    Status.PASS: "P",
    Status.FAIL: "F",
    Status.EXPECTED_FAIL: "X",
    Status.UNEXPECTED_PASS: "U",
    Status.UNSUPPORTED: "–",
    Status.INCONCLUSIVE: "?",
    Status.ERROR: "E",
}
"""One sign for each status, so that nothing is said by colour alone."""
