"""Answer files and the numbers in them; files are read whole."""

from __future__ import annotations

import json
import lzma
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np

from verify.boundary import Exact
from verify.text import one_line

ANSWERS = "hippo-answers/1"
DOUBLE = 17
"""Decimal digits that tell any two doubles apart."""
_WIDE = Context(prec=800)
"""More digits than any double has, so that what a rounding loses is found exactly."""


class FormatError(ValueError):
    """A file that is not what it should be; the message names the file, the place and what is accepted."""


@dataclass(frozen=True)
class Answers:
    """What a program answered.

    Attributes:
        program: its own name.
        dtype: arithmetic it says it used.
        values: by id, the numbers as they stand in the file.
        unsupported: by id, why there is no answer.
        repeated: ids that were answered more than once.
        document: checksum of the vectors file it read, if it says so.
    """

    program: str
    dtype: str
    values: Mapping[str, Sequence[Any]]
    unsupported: Mapping[str, str]
    repeated: Sequence[str] = field(default=())
    document: str | None = None


def read_answers(path: Path) -> Answers:
    """An answers file, ``.json`` or JSON Lines, plain or ``.xz``.

    Raises:
        FormatError: unreadable, or not of the form of an answers file.
    """
    header, found = records(path, "answers")
    if header.get("format") != ANSWERS:
        raise FormatError(f"{path}: format is {header.get('format')!r}; accepted: {ANSWERS!r}")
    dtype = header.get("dtype", "float64")
    if dtype not in ("float64", "float32"):
        raise FormatError(f"{path}: dtype is {dtype!r}; accepted: float64, float32")
    values: dict[str, Sequence[Any]] = {}
    unsupported: dict[str, str] = {}
    repeated: list[str] = []
    for place, record in enumerate(found):
        name = record.get("id")
        if not isinstance(name, str):
            raise FormatError(f"{path}: answer {place} has no id that is a string: {str(record)[:80]}")
        if name in values or name in unsupported:
            repeated.append(name)
        elif "unsupported" in record:
            unsupported[name] = str(record["unsupported"])
        elif isinstance(record.get("values"), list):
            values[name] = record["values"]
        else:
            raise FormatError(f"{path}: the answer to {name!r} has neither a list 'values' nor 'unsupported'")
    told = header.get("vectors")
    program, document = one_line(str(header.get("program", path.name))), told if isinstance(told, str) else None
    return Answers(program, dtype, values, unsupported, repeated, document)


def records(path: Path, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and records: of one JSON object that holds them under ``name``, or of JSON Lines."""
    try:
        content = path.read_bytes()
        text = (lzma.decompress(content) if content[:6] == b"\xfd7zXZ\0" else content).decode("utf-8")
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from error
    except (lzma.LZMAError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: neither JSON nor xz: {error}") from error
    lines = text.split("\n")
    try:
        header = _first_object(lines[0])
        if header is None or name in header:
            header = json.loads(text)
            found = header.pop(name, None) if isinstance(header, dict) else None
        else:
            found = [json.loads(line) for line in lines[1:] if line.strip()]
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: neither JSON nor JSON Lines: {error}") from error
    if not isinstance(header, dict) or not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise FormatError(
            f"{path}: expected an object with a list {name!r}, or a header line and an object on each line"
        )
    return header, found


def _first_object(line: str) -> dict[str, Any] | None:
    """The header of JSON Lines, or None if the first line is not a whole object."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def numbers(values: Sequence[Any], digits: int = DOUBLE) -> tuple[Exact | None, str]:
    """Numbers of a file (JSON numbers, decimals, hex floats) as exact pairs; None and a sentence if one is none.

    Args:
        values: as they stand in the file.
        digits: a decimal of at most so many digits stands for the double next to it, as programs print one; one of more
            is taken for what it says. 0: every decimal is.
    """
    high, low = np.empty(len(values)), np.zeros(len(values))
    for place, value in enumerate(values):
        parsed = _number(value, digits)
        if parsed is None:
            shown = repr(value) if len(repr(value)) <= 40 else repr(value)[:40] + "..."
            return None, f"values[{place}] is {shown}; accepted: a number, a decimal or a hex float such as '0x1.8p+1'"
        high[place], low[place] = parsed
    return Exact(high, low), ""


def _number(value: Any, digits: int) -> tuple[float, float] | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float | int):
        try:
            return float(value), 0.0
        except OverflowError:
            return math.inf, 0.0
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        if "x" in text.lower():
            return float.fromhex(text), 0.0
        exact = _WIDE.create_decimal(text)
        nearest = float(exact)
        if not math.isfinite(nearest) or len(exact.as_tuple().digits) <= digits:
            return nearest, 0.0
        return nearest, float(_WIDE.subtract(exact, Decimal(nearest)))
    except OverflowError:
        return math.inf, 0.0
    except (ValueError, InvalidOperation):
        return None
