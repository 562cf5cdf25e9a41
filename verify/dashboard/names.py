"""Names of benchmarks as asv spells them, taken apart: the function, and what its parameters are called and are."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FACETS = ("measure", "backend")
"""The parameters that the pages know by name; all others can be filtered by as well."""


@dataclass(frozen=True)
class Name:
    """One benchmark with one choice of parameters.

    Attributes:
        whole: asv's spelling, ``bench_scan.OneStream.time_states('legs', 'bilinear')``.
        function: the part before the parameters.
        parameters: their names and values, as text.
    """

    whole: str
    function: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def choice(self) -> str:
        """The parameters in words: ``measure = legs, method = bilinear``; empty where there are none."""
        return ", ".join(f"{name} = {value}" for name, value in self.parameters.items())

    def get(self, parameter: str) -> str:
        """The value of a parameter, empty where the benchmark has none of that name."""
        return self.parameters.get(parameter, "")


def parse(whole: str, parameter_names: Mapping[str, Sequence[str]]) -> Name:
    """A name taken apart.

    Args:
        whole: asv's spelling.
        parameter_names: for each function the names of its parameters.
    """
    function, bracket, rest = whole.partition("(")
    if not bracket or not rest.endswith(")"):
        return Name(whole, whole)
    values = _values(rest[:-1])
    known = parameter_names.get(function, ())
    labels = known if len(known) == len(values) else [f"parameter {i}" for i in range(1, len(values) + 1)]
    return Name(whole, function, dict(zip(labels, values, strict=True)))


def _values(text: str) -> list[str]:
    """Values of parameters from their representations; text stays text where it is no literal."""
    try:
        parsed = ast.literal_eval(f"({text},)")
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return _cut(text)
    return [value if isinstance(value, str) else repr(value) for value in parsed]


def _cut(text: str) -> list[str]:
    """Text cut at its outermost commas, such as ``'legs', <class 'numpy.float64'>``."""
    parts, depth, quote, start = [], 0, "", 0
    for i, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and text[i - 1] != "\\" else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{<":
            depth += 1
        elif letter in ")]}>":
            depth -= 1
        elif letter == "," and depth <= 0:
            parts.append(text[start:i])
            start = i + 1
    parts.append(text[start:])
    return [_bare(part.strip()) for part in parts]


def _bare(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def parameter_names(results: Path) -> dict[str, tuple[str, ...]]:
    """Names of the parameters of each function, from the ``benchmarks.json`` that asv keeps beside its results.

    A file that is missing or broken gives none: the parameters are then numbered.
    """
    try:
        listed = json.loads((results / "benchmarks.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    found = {}
    for function, described in listed.items() if isinstance(listed, dict) else ():
        names = described.get("param_names") if isinstance(described, dict) else None
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            found[function] = tuple(names) if len(set(names)) == len(names) else ()
    return found


def page_names(functions: Iterable[str]) -> dict[str, str]:
    """A file name for each function: its own where it is plain and short, else cleaned and made unique by a digest."""
    found: dict[str, str] = {}
    for function in functions:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", function)[:80]
        # File systems that ignore case must not take two for one.
        clash = plain.lower() in {name.lower() for name in found.values()}
        if plain != function or plain.startswith(".") or clash:
            plain = f"{plain.lstrip('.')}-{hashlib.sha256(function.encode('utf-8', 'replace')).hexdigest()[:10]}"
        found[function] = plain
    return found
