"""A described target, called as its description says."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np

from verify import signatures
from verify.adapters import layouts, resolving
from verify.adapters.base import Capabilities
from verify.adapters.description import CASE, Arguments, Description, Level, is_description, read
from verify.arrays import Array, NotNumbers, Numbers, is_sequence, kind, numbers
from verify.case import ARGUMENTS, DTYPES, STEPPING, Case
from verify.watch import drawing_unseen

KEPT = 8
"""Objects kept, so that an implementation made for one order is asked many times, as it would be used."""


class Described(Capabilities):
    """What a description says of a target, and the calls of one case.

    The measure, its parameters, the rule and the step size that the description hands over may change from case to
    case; a target that is not told one of them has one alone, that of the first case it is asked about.
    """

    def __init__(self, description: Description) -> None:
        self.key = description.name
        self.levels = tuple(description.levels)
        self.measures = description.measures
        self.methods = description.methods
        self.orders = description.orders
        self.dtypes = DTYPES
        self._description = description
        self._first: Case | None = None
        self._found: Any = None
        self._made: dict[str, Any] = {}

    def refuse(self, case: Case) -> str | None:
        """What it is not told, has no word for, or cannot be handed."""
        level = self._description.levels[case.level]
        if level.dtype == "float32" and case.dtype == "float64":
            return f"{self.key} is handed float32: what is judged in float64 would be rounded on the way"
        calls = [level.arguments, *filter(None, [self._description.construct])]
        told = frozenset().union(*(call.names for call in calls))
        for kind_ in ("measure", "method"):
            words = self._description.words[kind_]
            if kind_ in told and words and getattr(case, kind_) not in words:
                return f"{self.key} has no word for the {kind_} {getattr(case, kind_)}; it has {', '.join(words)}"
        for call in calls:
            absent = [name for name in call.positional if name in CASE and _of_case(name, case) is None]
            if absent:
                return f"{self.key} is given {absent[0]} by place, and {case.describe()} has none"
        if self._first is None:
            self._first = case
        untold = {"measure": case.measure, **dict(case.parameters)}
        first: dict[str, Any] = {"measure": self._first.measure, **dict(self._first.parameters)}
        if case.level in STEPPING:
            untold |= {"dt": str(case.dt), "method": case.method}
            first |= {"dt": str(self._first.dt), "method": self._first.method}
        for name, value in untold.items():
            if name not in told and value != first.get(name):
                return f"{self.key} is called without its {name}: only one can be checked at a time"
        return None

    def load(self) -> None:
        """Import the target."""
        self._found = resolving.find(self._description.target)

    def bind(self, case: Case) -> Mapping[str, Callable[..., Any]]:
        """The calls of one case, by level."""
        return {name: partial(self._ask, name, case) for name in self._description.levels}

    def _ask(self, name: str, case: Case, *arguments: Any) -> Any:
        level = self._description.levels[name]
        if level.loop:
            return self._loop(level, case, *arguments)
        return _call(*self._callable(level, case), name, level, self._values(case, level), *arguments)

    def _loop(self, level: Level, case: Case, samples: Array, order: int) -> Any:
        """A scan made of single steps, each of which is given the state that the one before has left."""
        made, function = self._callable(level, case, fresh=True)
        values, state = self._values(case, level), Numbers(np.zeros(order, dtype=samples.dtype), "")
        states = []
        for k, sample in enumerate(samples.tolist()):
            try:
                state = numbers(_call(made, function, "step", level, values, state.array, sample, k), "the state")
            except NotNumbers as problem:
                return problem
            states.append(state.array.copy())  # the next step may write into it
        if len({row.shape for row in states}) > 1:
            return NotNumbers(
                "the states have different shapes: " + ", ".join(sorted({str(row.shape) for row in states}))
            )
        return Numbers(np.array(states), state.dtype)

    def _values(self, case: Case, level: Level) -> dict[str, Any]:
        values = {name: _of_case(name, case) for name in CASE}
        for kind_, words in self._description.words.items():
            values[kind_] = words.get(values[kind_], values[kind_])
        construct = self._description.construct
        if "dtype" in level.arguments.names | (construct.names if construct else frozenset()):
            values["dtype"] = layouts.library_dtype(level.tensor, level.dtype or case.dtype)
        values["initial"] = np.zeros(case.order, dtype=case.dtype)
        return {**values, "_dtype": case.dtype}

    def _callable(self, level: Level, case: Case, *, fresh: bool = False) -> tuple[Any, Any]:
        """The object, and what of it is called."""
        made = self._object(level, case, fresh=fresh)
        return made, resolving.follow(made, type(made).__name__, level.call) if level.call else made

    def _object(self, level: Level, case: Case, *, fresh: bool) -> Any:
        construct = self._description.construct
        if construct is None:
            # A class is made into an object where one of its methods is called, and called itself where none is.
            if not (inspect.isclass(self._found) and level.call):
                return self._found
            construct = Arguments()
        values = self._values(case, level)
        key = repr([(name, values[name]) for name in sorted(construct.names)])
        made = None if fresh else self._made.get(key)
        if made is None:
            positional, named = _filled(construct, values)
            with drawing_unseen() if fresh else nullcontext():  # it is made for us: no call of the target's
                made = _asked(self._found, positional, named)
        if not fresh:
            self._made[key] = made
            while len(self._made) > KEPT:
                del self._made[next(iter(self._made))]
        return made


def described(name: str) -> Described | None:
    """The described target of a name, or None if it is none.

    Raises:
        DescriptionError: it is one that cannot be read.
    """
    return Described(read(name)) if is_description(name) else None


def _of_case(name: str, case: Case) -> Any:
    return getattr(case, name) if name not in ("theta", "alpha", "beta") else case.float_parameters.get(name)


def _filled(arguments: Arguments, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """What is given by place and by keyword; a parameter that the case has not is left to the target's default."""
    named = {keyword: values[name] for keyword, name in arguments.named if values[name] is not None}
    return [values[name] for name in arguments.positional], {**named, **dict(arguments.constants)}


def _asked(function: Any, positional: Sequence[Any], named: Mapping[str, Any]) -> Any:
    try:
        return function(*positional, **named)
    except TypeError as error:
        problem = signatures.mismatch(function, positional, named, error)
        if problem is None:
            raise
        raise TypeError(f"{problem}; its description calls it with other arguments") from error


def _call(made: Any, function: Any, name: str, level: Level, values: Mapping[str, Any], *arguments: Any) -> Any:
    """One call of the target interface, as a call of the target's own."""
    given = {**values, **dict(zip(ARGUMENTS[name], arguments, strict=True))}
    own = str(given.pop("_dtype"))
    if "k" in given:
        given["k"] += level.index
    if "samples" in given:
        given["length"] = int(np.shape(given["samples"])[-1])
    handed = {}
    for argument in level.arguments.names & set(layouts.GIVEN):
        layout, axes = level.layouts.get(argument, (None, layouts.given_axes(argument, name)))
        if argument == "sample" and layout is None:
            continue  # a number
        array = np.asarray(given[argument], dtype=own if argument == "sample" else None)
        if argument == "sample" and array != given[argument]:
            raise TypeError(f"the sample {given[argument]!r} is no {own}")
        dtype = np.promote_types(array.dtype, level.dtype or own).name
        handed[argument] = layouts.Handed(array, axes, axes if layout is None else layout, level.tensor, dtype)
    given |= {argument: each.value for argument, each in handed.items()}
    positional, named = _filled(level.arguments, given)
    returned = _asked(function, positional, named)
    if level.read:
        returned = resolving.follow(made, type(made).__name__, level.read)
        returned = returned() if callable(returned) else returned
    for each in handed.values():
        each.pass_on_changes()
    return _answer(returned, name, level)


def _answer(returned: Any, name: str, level: Level) -> Any:
    """The answer of the target interface: the parts of what was returned, in its layout."""
    single = "answer" in layouts.ANSWERS[name]
    ways = level.answer or ({"answer": ()} if single else {})
    if not ways:
        return returned
    found = {part: _part(returned, way, part, level) for part, way in ways.items()}
    return found["answer"] if single else found


def _part(returned: Any, way: Sequence[str | int], part: str, level: Level) -> Any:
    what = "the answer" if part == "answer" else part
    try:
        found = returned
        for step in way:
            found = _element(found, step, what)
        if part not in level.layouts:
            return found
        layout, axes = level.layouts[part]
        return layouts.unlay(numbers(found, what), axes, layout, what)
    except NotNumbers as problem:
        return problem  # an answer of a wrong form, which is judged as one


def _element(value: Any, step: str | int, what: str) -> Any:
    if isinstance(step, str):
        if isinstance(value, Mapping) and step in value:
            return value[step]
        if not isinstance(value, Mapping) and hasattr(value, step):
            return getattr(value, step)
    elif is_sequence(value) and -len(value) <= step < len(value):
        return value[step]
    raise NotNumbers(f"{what} is looked for at {step!r}, and the target returned {kind(value)}")
