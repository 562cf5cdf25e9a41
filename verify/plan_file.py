"""A campaign in a file: TOML that says what is asked, as the options of ``hippo-verify run`` do."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from verify.adapters import ADAPTERS
from verify.case import DEVICES, DTYPES, LARGEST_ORDER
from verify.cases import ACCEPTED_METHODS, PARAMETERS, SEED_MOST, UsageError, method_key
from verify.checks import CHECKS, SUITES
from verify.coverage import Requirement
from verify.text import accepted, closest

GROUPS: Final = ("own", "third-party")
"""Names for many targets."""


def read_plan(path: Path) -> dict[str, Any]:
    """What a plan says, as values of options; a list is a text with commas, as on the command line.

    Raises:
        UsageError: the file is missing, no TOML, has an unknown key, or a value that is not accepted; the message names
            file, key, what was got, what is accepted, and what is closest to it.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--plan: cannot read {path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"--plan: {path} is not TOML: {error}") from None
    found: dict[str, Any] = {}
    for key, value in content.items():
        if key not in KEYS:
            hint = closest(key, tuple(KEYS))
            raise UsageError(f"--plan: {path} has an unknown key {key!r}{hint}; accepted: {', '.join(KEYS)}")
        try:
            found[key.replace("-", "_")] = KEYS[key](value)
        except UsageError as error:
            raise UsageError(f"--plan: {path}: {key}{error}") from None
    if "expected" in found:
        found["expected"] = str(path.parent / found["expected"])
    return found


def _words(known: Sequence[str]) -> Callable[[Any], str]:
    def take(value: Any) -> str:
        for place, item in enumerate(_several(value, str, f"a list of texts, of {', '.join(known)}"), 1):
            if item not in known:
                raise UsageError(f", item {place}, is {item!r}; {accepted(item, known)}")
        return ",".join(value)

    return take


def _methods(value: Any) -> str:
    for place, item in enumerate(_several(value, str, f"a list of texts, of {ACCEPTED_METHODS}"), 1):
        try:
            method_key(item)
        except UsageError as error:
            raise UsageError(f", item {place}: {error}") from None
    return ",".join(value)


def _orders(value: Any) -> str:
    told = f"integers from 1 to {LARGEST_ORDER}"
    for place, item in enumerate(_several(value, int, f"a list of {told}, such as [4, 8]"), 1):
        if not 1 <= item <= LARGEST_ORDER:
            raise UsageError(f", item {place}, is {item}; accepted: {told}")
    return ",".join(map(str, value))


def _several(value: Any, kind: type, told: str) -> list[Any]:
    if not isinstance(value, list) or not value or not all(type(item) is kind for item in value):
        raise UsageError(f" is {value!r:.80}; accepted: {told}")
    return value


def _suite(value: Any) -> str:
    if not isinstance(value, str) or value not in SUITES:
        raise UsageError(f" is {value!r:.80}; {accepted(value, tuple(SUITES))}")
    return str(value)


def _seed(value: Any) -> int:
    if type(value) is not int or abs(value) > SEED_MOST:
        raise UsageError(f" is {value!r:.80}; accepted: an integer of at most 63 bits")
    return value


def _timeout(value: Any) -> float:
    if type(value) not in (int, float) or not 0 < value < math.inf:
        raise UsageError(f" is {value!r:.80}; accepted: seconds above 0, such as 60")
    return float(value)


def _file(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f" is {value!r:.80}; accepted: the name of a TOML file, beside this one or absolute")
    return value


def _coverage(value: Any) -> str:
    text = value if isinstance(value, str) else str(value) if type(value) is int else ""
    try:
        Requirement.parse(text)
    except ValueError:
        raise UsageError(f" is {value!r:.80}; accepted: a number of checks, such as 40, or a share: '90%'") from None
    return text


KEYS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "targets": _words((*GROUPS, *ADAPTERS)),
    "measures": _words(tuple(PARAMETERS)),
    "orders": _orders,
    "methods": _methods,
    "dtypes": _words(DTYPES),
    "devices": _words(DEVICES),
    "checks": _words(tuple(CHECKS)),
    "suite": _suite,
    "seed": _seed,
    "timeout": _timeout,
    "expected": _file,
    "require-coverage": _coverage,
}
"""Key -> what makes the value of an option of it. Where and with what it is run stays with the command line."""
