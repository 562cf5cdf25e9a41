"""A target described in a TOML file: what its arguments are called, in which order, layout, type and library.

A description renames and reshapes. It cannot compute: there is no sign, no scale, no index but the base of ``k``, so
that no defect can hide in it. Every field is checked when the file is read, before anything is imported.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from verify.adapters.exec_protocol import PREFIX
from verify.adapters.layouts import ANSWERS, GIVEN, OPTIONAL, TENSORS, given_axes, parse
from verify.case import ARGUMENTS, DTYPES, LARGEST_ORDER, LEVELS, as_text
from verify.cases import DOMAINS, METHODS, PARAMETERS, UsageError, method_key

CASE = ("order", "measure", "method", "dtype", "theta", "dt", "alpha", "beta")
"""What can be filled from the case."""
FIELDS = ("target", "measures", "methods", "orders", "tensor", "dtype", "words", "construct")
"""Fields of a target, beside a table for each level."""
LEVEL_FIELDS = ("call", "arguments", "constants", "answer", "layout", "index", "tensor", "dtype", "loop", "read")
"""Fields of a level."""
Way = tuple[str | int, ...]
"""Keys, attributes and places that lead to an element of an answer."""


class DescriptionError(UsageError):
    """A description that cannot be read; the message names file, table and field, and says what is accepted."""


@dataclass(frozen=True)
class Arguments:
    """What something is called with.

    Attributes:
        positional: names of what is given, in order.
        named: keyword of the target, and the name of what is given under it.
        constants: keywords given as they stand.
    """

    positional: tuple[str, ...] = ()
    named: tuple[tuple[str, str], ...] = ()
    constants: tuple[tuple[str, Any], ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Everything that is given by name or place."""
        return frozenset(self.positional) | {name for _, name in self.named}


@dataclass(frozen=True)
class Level:
    """How one level is called.

    Attributes:
        call: the way to the callable from the target, with dots; empty: the target itself.
        arguments: what it is called with.
        answer: for each part of the answer, the way to it in what is returned; empty: as it is returned.
        layouts: for each argument and part of the answer, its axes as the target has them.
        index: what the first sample is counted as, 0 or 1.
        tensor: what arrays are handed over as.
        dtype: the type they are handed over in; None: that of the case.
        loop: True if a scan is made of a call for each sample, on an object made for it.
        read: the way from that object to its state, with dots; empty: the call returns it.
    """

    call: str
    arguments: Arguments
    answer: Mapping[str, Way] = field(default_factory=dict)
    layouts: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    index: int = 0
    tensor: str = "numpy"
    dtype: str | None = None
    loop: bool = False
    read: str = ""


@dataclass(frozen=True)
class Description:
    """One described target.

    Attributes:
        name: as the user wrote it.
        target: ``module:attr``, or ``file.py:attr`` with a path made from that of the description.
        construct: what a class or factory is called with to make the object; None: nothing is made.
        levels: how each is called.
        measures: those it has, each with the parameters it has alone.
        methods: rules it has.
        orders: smallest and largest number of coefficients.
        words: for ``measure`` and ``method``, our word and the target's.
    """

    name: str
    target: str
    construct: Arguments | None
    levels: Mapping[str, Level]
    measures: Mapping[str, Mapping[str, str]]
    methods: tuple[str, ...]
    orders: tuple[int, int]
    words: Mapping[str, Mapping[str, str]]


def is_description(name: str) -> bool:
    """Whether a target's name is that of a description: ``description.toml`` or ``description.toml:name``."""
    return re.fullmatch(r".*\.toml(:.*)?", name, re.DOTALL) is not None and not name.startswith(PREFIX)


def read(name: str) -> Description:
    """The description that a target's name stands for.

    Raises:
        DescriptionError: no such file or table, or a field that is not accepted.
    """
    path, _, wanted = name.rpartition(":") if not name.endswith(".toml") else (name, "", "")
    file = Path(path)
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DescriptionError(f"{file}: {error.strerror or error}; a description is a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DescriptionError(f"{file} is no TOML: {error}") from None
    if "target" in document:
        if wanted:
            raise DescriptionError(f"{file} describes one target, which has no name; name it as {path}")
        return _Table(document, str(file)).description(name, file.parent)
    tables = {key: value for key, value in document.items() if isinstance(value, dict)}
    if not tables or set(tables) != set(document):
        other = next((key for key in document if key not in tables), "")
        raise DescriptionError(
            f"{file} has no target" + (f" beside {other!r}" if other else "") + '; give target = "package.module:attr"'
        )
    if wanted not in tables and (wanted or len(tables) > 1):
        said = f"it has no {wanted!r}" if wanted else "it describes several"
        raise DescriptionError(f"{file}: {said}; name one as {path}:NAME, with NAME one of {', '.join(tables)}")
    chosen = wanted or next(iter(tables))
    return _Table(tables[chosen], f"{file}: [{chosen}]").description(name, file.parent)


class _Table:
    """A table that is read field by field, and refuses what is not accepted.

    Args:
        fields: the table.
        where: what it is called in a message.
    """

    def __init__(self, fields: Mapping[str, Any], where: str) -> None:
        self._fields, self._where = fields, where

    def fail(self, name: str, problem: str) -> DescriptionError:
        return DescriptionError(f"{self._where}: {name} {problem}")

    def only(self, accepted: tuple[str, ...], what: str = "field") -> None:
        """Refuse what is not accepted."""
        for name in self._fields:
            if name not in accepted:
                close = get_close_matches(name, accepted, n=1)
                hint = f" (did you mean {close[0]}?)" if close else ""
                raise DescriptionError(
                    f"{self._where} has an unknown {what} {name!r}{hint}; accepted: {', '.join(accepted)}"
                )

    def text(self, name: str, default: str, accepted: tuple[str, ...] = ()) -> str:
        value = self._fields.get(name, default)
        if not isinstance(value, str) or (accepted and value not in accepted and value != default):
            raise self.fail(name, f"is {value!r}; accepted: {', '.join(accepted) or 'a text'}")
        return value

    def table(self, name: str) -> _Table:
        value = self._fields.get(name, {})
        if not isinstance(value, dict):
            raise self.fail(name, f"is {value!r}; accepted: a table")
        return _Table(value, f"{self._where} {name}" if "[" in self._where else f"{self._where}: [{name}]")

    def description(self, name: str, folder: Path) -> Description:
        """The whole, from the table of a target."""
        self.only((*FIELDS, *LEVELS))
        target = self.text("target", "")
        place, separator, attribute = target.rpartition(":")
        if not separator or not place or not attribute:
            raise self.fail("target", f"is {target!r}; accepted: package.module:attr or path/to/file.py:attr")
        if place.endswith(".py"):
            target = f"{folder / place}:{attribute}"
        construct = self.table("construct") if "construct" in self._fields else None
        if construct is not None:
            construct.only(("arguments", "constants"))
        tensor, dtype = self.text("tensor", "numpy", TENSORS), self.text("dtype", "", DTYPES)
        levels = {level: self.table(level).level(level, tensor, dtype) for level in LEVELS if level in self._fields}
        if not levels:
            raise DescriptionError(f"{self._where} describes no level; accepted tables: {', '.join(LEVELS)}")
        made = None if construct is None else construct.arguments((), CASE)
        words = self.table("words")
        words.only(("measure", "method"))
        spoken = {
            kind: words.table(kind).words(kind, known) for kind, known in (("measure", PARAMETERS), ("method", None))
        }
        told = {name for each in (*(one.arguments for one in levels.values()), made) if each for name in each.names}
        idle = next((kind for kind, words_ in spoken.items() if words_ and kind not in told), None)
        if idle is not None:
            raise self.fail("words", f"has {idle}, which no arguments hand over; accepted: both")
        return Description(
            name=name,
            target=target,
            construct=made,
            levels=levels,
            measures=self.measures(),
            methods=self.methods(),
            orders=self.orders(),
            words=spoken,
        )

    def level(self, level: str, tensor: str, dtype: str) -> Level:
        self.only(LEVEL_FIELDS)
        loop = self._fields.get("loop", False)
        if not isinstance(loop, bool) or (loop and level != "scan"):
            raise self.fail("loop", f"is {loop!r}; accepted: true or false, in scan")
        if "read" in self._fields and not loop:
            raise self.fail("read", "is given without loop = true; accepted: both")
        level = "step" if loop else level
        given = dict.fromkeys([*ARGUMENTS[level], *CASE])
        if "samples" in given:
            given |= dict.fromkeys(("length", "initial"))
        index = self._fields.get("index", 0)
        if index not in (0, 1) or isinstance(index, bool):
            raise self.fail("index", f"is {index!r}; accepted: 0 or 1, what the first sample is counted as")
        parts = ANSWERS[level]
        layouts = self.table("layout").layouts(level, tuple(name for name in given if name in GIVEN))
        answer = self.answer(level)
        if not answer and level == "matrices" and set(layouts) & set(parts):  # by place, as the interface has them
            answer = {"A": (0,), "B": (1,)}
        arguments = self.arguments(ARGUMENTS[level], tuple(given))
        idle = next((name for name in layouts if name in GIVEN and name not in arguments.names), None)
        if idle is not None:
            raise self.fail("layout", f"has {idle!r}, which arguments does not hand over; accepted: both")
        if "index" in self._fields and "k" not in arguments.names:
            raise self.fail("index", "is given, and arguments does not hand over k; accepted: both")
        lost = next((name for name in layouts if name in parts and answer and name not in answer), None)
        if level == "factors" and (lost or (not answer and set(layouts) & set(parts))):
            raise self.fail("layout", f"has {lost or 'parts'}, and answer does not say where that is; accepted: both")
        return Level(
            call=self.text("call", ""),
            arguments=arguments,
            answer=answer,
            layouts=layouts,
            index=index,
            tensor=self.text("tensor", tensor, TENSORS),
            dtype=self.text("dtype", dtype, DTYPES) or None,
            loop=loop,
            read=self.text("read", ""),
        )

    def arguments(self, default: tuple[str, ...], accepted: tuple[str, ...]) -> Arguments:
        value = self._fields.get("arguments", list(default))
        constants = self._fields.get("constants", {})
        if not isinstance(constants, dict):
            raise self.fail("constants", f"is {constants!r}; accepted: a table of keywords")
        if not isinstance(value, list | dict):
            raise self.fail("arguments", f"is {value!r}; accepted: a list of names, or a table of keywords")
        for name in value.values() if isinstance(value, dict) else value:
            if name not in accepted:
                close = get_close_matches(str(name), accepted, n=1)
                hint = f" (did you mean {close[0]}?)" if close else ""
                raise self.fail("arguments", f"has {name!r}{hint}; accepted: {', '.join(accepted)}")
        twice = next((keyword for keyword in constants if isinstance(value, dict) and keyword in value), None)
        if twice is not None:
            raise self.fail("constants", f"has {twice!r}, which arguments has too")
        return Arguments(
            positional=tuple(value) if isinstance(value, list) else (),
            named=tuple(value.items()) if isinstance(value, dict) else (),
            constants=tuple(constants.items()),
        )

    def layouts(self, level: str, given: tuple[str, ...]) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        self.only((*given, *ANSWERS[level]), "array")
        found = {}
        for name in self._fields:
            own = ANSWERS[level].get(name) or (given_axes(name, level),)
            try:
                found[name] = parse(self.text(name, ""), own)
            except ValueError as error:
                raise self.fail(name, str(error)) from None
        return found

    def answer(self, level: str) -> dict[str, Way]:
        parts = tuple(ANSWERS[level])
        value = self._fields.get("answer")
        if value is None:
            return {}
        if len(parts) == 1:
            return {parts[0]: self.way("answer", value)}
        if not isinstance(value, dict) or not set(parts) - set(OPTIONAL) <= set(value) <= set(parts):
            raise self.fail(
                "answer",
                f"is {value!r}; accepted: a table with {', '.join(parts)}, and where each is in what is returned",
            )
        return {name: self.way(f"answer.{name}", value[name]) for name in value}

    def way(self, name: str, value: Any) -> Way:
        steps = value if isinstance(value, list) else [value]
        if not steps or any(isinstance(step, bool) or not isinstance(step, str | int) for step in steps):
            raise self.fail(
                name,
                f"is {value!r}; accepted: a place such as 1, a key or attribute, or a list of them, outermost first",
            )
        return tuple(steps)

    def measures(self) -> dict[str, dict[str, str]]:
        value = self._fields.get("measures", list(PARAMETERS))
        if isinstance(value, list):
            value = {str(name): {} for name in value}
        if not isinstance(value, dict) or not value:
            raise self.fail("measures", f"is {value!r}; accepted: a list of measures, or a table with their parameters")
        for name, fixed in value.items():
            if name not in PARAMETERS:
                raise self.fail("measures", f"has {name!r}; accepted: {', '.join(PARAMETERS)}")
            if not isinstance(fixed, dict) or any(key not in PARAMETERS[name] for key in fixed):
                accepted = ", ".join(PARAMETERS[name]) or "no parameter"
                raise self.fail("measures", f"has {name} with {fixed!r}; accepted: a table of {accepted}")
        try:
            return {
                name: {key: as_text(DOMAINS[name][key].take(key, number)) for key, number in fixed.items()}
                for name, fixed in value.items()
            }
        except UsageError as error:
            raise self.fail("measures", f"has a parameter that is none: {error}") from None

    def methods(self) -> tuple[str, ...]:
        value = self._fields.get("methods", [*METHODS, "gbt(a)", "hold(d)"])
        if not isinstance(value, list) or not value:
            raise self.fail("methods", f"is {value!r}; accepted: a list of rules")
        try:
            return tuple(name if name in ("gbt(a)", "hold(d)") else method_key(name) for name in value)
        except UsageError as error:
            raise self.fail("methods", f"has a rule that is none: {error}") from None

    def orders(self) -> tuple[int, int]:
        value = self._fields.get("orders", [1, LARGEST_ORDER])
        if (
            not isinstance(value, list) or len(value) != 2 or any(type(one) is not int for one in value)
            or not 1 <= value[0] <= value[1]
        ):  # fmt: skip
            raise self.fail("orders", f"is {value!r}; accepted: the smallest and the largest, such as [1, 256]")
        return value[0], value[1]

    def words(self, kind: str, known: Mapping[str, Any] | None) -> dict[str, str]:
        found = {}
        for name in self._fields:
            try:
                key = name if known is not None else method_key(name)
            except UsageError as error:
                raise self.fail(name, f"is no rule: {error}") from None
            if known is not None and name not in known:
                raise self.fail(name, f"is no {kind}; accepted: {', '.join(known)}")
            found[key] = self.text(name, "")
        return found
