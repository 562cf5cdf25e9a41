"""hippo-exec/1: the lines that a program and we exchange, described by docs/exec.md and hippo-exec-1.schema.json."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any, Final

import numpy as np

from verify import factored
from verify.adapters.base import FAMILIES, Capabilities
from verify.case import ARGUMENTS, DTYPES, LEVELS, Case, as_text
from verify.cases import DOMAINS, UsageError, method_key
from verify.text import one_line

Array = np.ndarray[Any, np.dtype[Any]]

PREFIX: Final = "exec:"
"""How a target that is a command begins."""
PROTOCOL: Final = "hippo-exec/1"
INTRODUCTION: Final = ("protocol", "name", "version", "capabilities")
"""What a program says of itself."""
HELLO_LIMIT: Final = 1 << 20
"""Bytes that the line by which a program introduces itself may have."""
ROOM: Final = 1 << 16
"""Bytes that an answer may have beside its numbers."""
NUMBER_ROOM: Final = 64
"""Bytes that an answer may have for each number that is asked for; 17 digits or a hex float need half of it."""

AXES: Final = 8
"""Axes that an array may have; three is the most that is asked for."""
PARTS: Final[Mapping[str, tuple[str, ...]]] = {"matrices": ("A", "B"), "factors": factored.PARTS}
"""The arrays of an answer, where it is more than one."""
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {**PARTS, "factors": factored.NEEDED}
"""Those of them that may not be missing."""

_NUMBER: Final = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?"
    r"|0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?[0-9]+)?|nan|inf|infinity)",
    re.ASCII | re.IGNORECASE,
)


class ProtocolError(ValueError):
    """A line that says nothing we can use; the message is a clause that completes "the target ..."."""


class Malformed(ValueError):  # noqa: N818 -- a finding, not an error
    """An answer to the question that is none by its form; the message is a sentence."""


class Program(Capabilities):
    """A program as it introduced itself.

    Args:
        key: name of the target.
        record: its first line, decoded.

    Attributes:
        implementation: its own name.
        implementation_version: of it; may be empty.

    Raises:
        ProtocolError: another protocol, or capabilities that are none.
    """

    def __init__(self, key: str, record: Mapping[str, Any]) -> None:
        spoken = record.get("protocol")
        if spoken != PROTOCOL:
            raise ProtocolError(f"speaks {_short(spoken)}; this version of hippo-verify speaks {PROTOCOL!r}")
        self.key = key
        self.implementation = one_line(_of(str, record, "name", ""))
        self.implementation_version = one_line(_of(str, record, "version", ""))
        told = _of(dict, record, "capabilities")
        known = ("levels", "measures", "methods", "dtypes", "orders")
        for name in told:
            if name not in known:
                raise ProtocolError(f"has {_short(name)} among its capabilities; known: {', '.join(known)}")
        self.levels = tuple(level for level in LEVELS if level in _words(told, "levels", None, _one_of(LEVELS)))
        self.measures = {name: _fixed(name, given) for name, given in _of(dict, told, "measures").items()}
        self.methods = tuple(_words(told, "methods", ("bilinear",), _method))
        self.dtypes = tuple(_words(told, "dtypes", ("float64",), _one_of(DTYPES)))
        orders = told.get("orders", list(self.orders))
        whole = isinstance(orders, list) and len(orders) == 2 and all(type(n) is int for n in orders)
        if not (whole and 1 <= orders[0] <= orders[1]):
            raise ProtocolError(f"says orders {_short(orders)}; expected the smallest and the largest: [1, 512]")
        self.orders = (orders[0], orders[1])


def hello(arguments: Mapping[str, Any]) -> bytes:
    """The line by which we introduce ourselves; ``arguments`` are those of ``--target-arg``."""
    checker = f"hippo-verify {metadata.version('hippo-verify')}"
    return _line({"protocol": PROTOCOL, "checker": checker, "arguments": dict(arguments)})


def question(number: int, case: Case, arguments: Sequence[Any]) -> bytes:
    """The line that asks for one call."""
    parameters = {name: float(domain.default) for name, domain in DOMAINS[case.measure].items()}
    record: dict[str, Any] = {
        "id": number,
        "level": case.level,
        "measure": case.measure,
        "parameters": {name: value.hex() for name, value in (parameters | case.float_parameters).items()},
        "order": case.order,
        "method": case.method,
        "dt": None if case.dt is None else case.dt.hex(),
        "dtype": case.dtype,
    }
    return _line(record | {n: _exactly(value) for n, value in zip(ARGUMENTS[case.level], arguments, strict=True)})


def room(case: Case, arguments: Sequence[Any]) -> int:
    """Bytes that the line of an answer may have."""
    given = dict(zip(ARGUMENTS[case.level], arguments, strict=True))
    N = given.get("order", case.order)
    match case.level:
        case "matrices":
            numbers = N * (N + 1)
        case "factors":
            numbers = 6 * N * (N + 1)  # complex, and P and Q as wide as V
        case "step":
            numbers = N
        case "reconstruct":
            numbers = np.size(given["points"])
        case _:
            numbers = np.size(given["samples"]) * N
    return ROOM + NUMBER_ROOM * int(numbers)


def read(line: bytes, shown: str) -> dict[str, Any]:
    """A line as an object.

    Args:
        line: without its end.
        shown: the start of it, for a message.

    Raises:
        ProtocolError: it is none.
    """
    try:
        record = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise ProtocolError(
            f"wrote a line to its stdout that is no JSON object: {shown}; stdout is for answers, anything else goes to "
            "stderr"
        )
    return record


def answered(record: Mapping[str, Any], number: int, shown: str) -> str:
    """Which kind of answer to a question this is: ``answer``, ``error`` or ``unsupported``.

    Raises:
        ProtocolError: it answers another question, or is none of these.
    """
    given = record.get("id")
    if isinstance(given, bool) or given != number:
        what = f"with id {_short(given)}" if "id" in record else "without an id"
        raise ProtocolError(f"answered {what} where {number} was asked: {shown}")
    kinds = [kind for kind in ("answer", "error", "unsupported") if kind in record]
    if len(kinds) != 1:
        raise ProtocolError(f"wrote a line with {' and '.join(kinds) or 'no answer, error or unsupported'}: {shown}")
    return kinds[0]


def arrays(answer: Any, case: Case) -> Any:
    """The arrays of an answer, as a function called in Python would return them.

    Raises:
        Malformed: they cannot be read.
    """
    if case.level not in PARTS:
        return _array(answer, "the answer", case.dtype)
    needed, known = NEEDED[case.level], PARTS[case.level]
    missing = [name for name in needed if not isinstance(answer, dict) or name not in answer]
    if missing:
        raise Malformed(f"the answer lacks {', '.join(missing)}; expected an object with {', '.join(known)}")
    read_number = _complex if case.level == "factors" else _real
    return {name: _array(answer[name], name, case.dtype, read_number) for name in known if name in answer}


def _real(value: Any) -> float | None:
    """The double next to a JSON number, a decimal or a hex float; None if it is none of these."""
    try:
        if type(value) is str and _NUMBER.fullmatch(value):
            return float.fromhex(value) if "x" in value or "X" in value else float(value)
        if type(value) is float or type(value) is int:
            return float(value)
    except OverflowError:
        negative = value.startswith("-") if isinstance(value, str) else value < 0
        return -math.inf if negative else math.inf
    return None


def _complex(value: Any) -> complex | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    re_part, im_part = map(_real, value)
    return None if re_part is None or im_part is None else complex(re_part, im_part)


def _array(record: Any, what: str, dtype: str, read_number: Callable[[Any], complex | None] = _real) -> Array:
    """One array: ``{"shape": [...], "values": [...]}``, the last index running fastest; maybe ``"dtype"``."""
    if not isinstance(record, dict) or not {"shape", "values"} <= record.keys():
        raise Malformed(f"{what} is {_short(record)}; expected an object with shape and values")
    shape, values, dtype = record["shape"], record["values"], record.get("dtype", dtype)
    if not isinstance(shape, list) or len(shape) > AXES or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
        raise Malformed(f"{what} has shape {_short(shape)}; expected a list of at most {AXES} integers from 0")
    if not isinstance(values, list) or len(values) != math.prod(shape):
        number = f"{len(values)} values" if isinstance(values, list) else f"values {_short(values)}"
        raise Malformed(f"{what} has shape {_short(shape)} and {number}; expected {math.prod(shape)} in one list")
    if dtype not in DTYPES:
        raise Malformed(f"{what} has dtype {_short(dtype)}; expected {' or '.join(DTYPES)}")
    numbers = list(map(read_number, values))
    if None in numbers:
        place = numbers.index(None)
        accepted = "a pair [re, im] of numbers" if read_number is _complex else "a number, a decimal or a hex float"
        raise Malformed(f"values[{place}] of {what} is {_short(values[place])}; expected {accepted}")
    kind = {"float64": np.complex128, "float32": np.complex64}[dtype] if read_number is _complex else np.dtype(dtype)
    with np.errstate(over="ignore"):  # a number beyond float32 is infinite there
        return np.array(numbers, dtype=np.complex128 if read_number is _complex else float).astype(kind).reshape(shape)


def _exactly(value: Any) -> Any:
    """Doubles as hex floats, integers as they are, arrays as lists."""
    if isinstance(value, np.ndarray):
        return _exactly(value.tolist())
    if isinstance(value, list):
        return [_exactly(item) for item in value]
    return value if isinstance(value, int) else float(value).hex()


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def _short(value: Any) -> str:
    text = json.dumps(value, default=repr)
    return one_line(text if len(text) <= 60 else text[:60] + "...")


_REQUIRED: Final = object()
_KINDS: Final[Mapping[type[Any], str]] = {str: "a string", dict: "an object"}


def _of(kind: type[Any], record: Mapping[str, Any], name: str, default: Any = _REQUIRED) -> Any:
    value = record.get(name, default)
    if value is _REQUIRED:
        raise ProtocolError(f"does not say its {name}; expected {_KINDS[kind]}")
    if type(value) is not kind:
        raise ProtocolError(f"says {name} {_short(value)}; expected {_KINDS[kind]}")
    return value


def _words(
    record: Mapping[str, Any], name: str, default: Sequence[str] | None, taken: Callable[[str], str]
) -> list[str]:
    """A list of words of which each is known; required where there is no default."""
    value = record.get(name, default if default is None else list(default))
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ProtocolError(f"says {name} {_short(value)}; expected a list of strings")
    try:
        return [taken(word) for word in value]
    except UsageError as error:
        raise ProtocolError(f"says {name} {_short(value)}: {error}") from None


def _one_of(accepted: Sequence[str]) -> Callable[[str], str]:
    def taken(word: str) -> str:
        if word not in accepted:
            raise UsageError(f"{word!r} is not among {', '.join(accepted)}")
        return word

    return taken


def _method(word: str) -> str:
    return word if word in FAMILIES.values() else method_key(word)


def _fixed(measure: Any, given: Any) -> dict[str, str]:
    """The parameters that a measure has been given, as a case spells them."""
    if measure not in DOMAINS:
        raise ProtocolError(f"says that it has the measure {_short(measure)}; known: {', '.join(DOMAINS)}")
    if not isinstance(given, dict) or not set(given) <= set(DOMAINS[measure]):
        names = ", ".join(DOMAINS[measure]) or "no parameters"
        raise ProtocolError(f"says of {measure} {_short(given)}; expected an object; {measure} has {names}")
    numbers = {name: _real(value) for name, value in given.items()}
    for name, number in numbers.items():
        if number is None or not math.isfinite(number):
            raise ProtocolError(f"says that {name} of {measure} is {_short(given[name])}; expected a number")
    return {name: as_text(number) for name, number in numbers.items()}
