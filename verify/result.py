"""What a target answers, and how it is asked: one function per call, in whichever process the target lives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from verify import arrays, factored, signatures
from verify.case import LEVELS, Case
from verify.text import error_line
from verify.watch import Watch

Array = np.ndarray[Any, np.dtype[Any]]
ErrorKind = Literal["load", "raised", "timeout", "crash", "exit", "memory", "protocol", "unsupported"]


class TargetError(Exception):
    """The target gave no answer.

    Attributes:
        kind: what happened.
        message: one sentence for a person.
        evidence: traceback and captured output, bounded; the call that brought no answer.
    """

    def __init__(self, kind: ErrorKind, message: str, evidence: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.evidence: dict[str, Any] = dict(evidence or {})


@dataclass(frozen=True)
class Result:
    """One answer of a target.

    Attributes:
        arrays: ``{"A", "B"}`` for matrices, those of `verify.factored` for factors (complex128), else ``{"value"}``;
            real arrays.
        dtype: dtype of the answer as the target gave it (of A for matrices).
        malformed: empty, or what is wrong with the answer's form, as a sentence.
        input_changed: whether the target wrote into the arrays it was given.
        state_changed: what of the global state of its process the target changed, as names.
        earlier_changed: whether the answer before this one changed under this call, where both were `Target.watched`.
    """

    arrays: Mapping[str, Array] = field(default_factory=dict)
    dtype: str = ""
    malformed: str = ""
    input_changed: bool = False
    state_changed: tuple[str, ...] = ()
    earlier_changed: bool = False

    @property
    def value(self) -> Array:
        """The single array of every level but ``matrices``."""
        return self.arrays["value"]


class Target(ABC):
    """A thing under test, seen from the checks.

    Attributes:
        name: as the user wrote it.
        normwise: True if the target's matrices come out of a factorisation, so that rounding is promised relative to
            their norm and not entry by entry.
        takes_case: True if the target is told the case (our adapters); a stranger is called without it, so it has one
            measure, window, step size and rule: those of the first case it is asked about.
        watchable: whether its calls run in a process of Python's, where what they change can be seen.
    """

    name: str = ""
    normwise: bool = False
    takes_case: bool = False
    watchable: bool = True
    _first: Case | None = None
    _closely: bool = False

    @abstractmethod
    def levels(self) -> tuple[str, ...]:
        """The levels offered; may load the target. Raises TargetError."""

    @abstractmethod
    def call(self, case: Case, *arguments: Any) -> Result:
        """One call at ``case.level``. Raises TargetError."""

    def why_not(self, case: Case) -> str | None:
        """None, or why this target has no such case."""
        if case.level not in self.levels():
            return f"the target offers no {case.level!r} level"
        if self.takes_case:
            return None
        if case.device != "cpu":
            return f"the target is called without its device: on {case.device} nothing is known to run"
        if self._first is None:
            self._first = case
        for what in ("measure", "parameters", "dt", "method"):
            if getattr(case, what) != getattr(self._first, what):
                return f"the target is called without its {what}: only one can be checked at a time"
        return None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch the calls made meanwhile closely, for what they leave behind: see `verify.watch`."""
        self._closely = self.watchable
        try:
            yield
        finally:
            self._closely = False

    def close(self) -> None:  # noqa: B027 -- most targets hold nothing
        """Give back what the target holds."""


class Wrapped(Target):
    """Another target, seen through something that happens at its calls.

    Args:
        target: the one that is asked.
    """

    def __init__(self, target: Target) -> None:
        self.name, self.normwise, self.takes_case = target.name, target.normwise, target.takes_case
        self.watchable = target.watchable
        self._target = target

    def levels(self) -> tuple[str, ...]:
        """Those of the target."""
        return self._target.levels()

    def why_not(self, case: Case) -> str | None:
        """That of the target."""
        return self._target.why_not(case)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch the target."""
        with self._target.watched():
            yield

    def close(self) -> None:
        """Close the target."""
        self._target.close()


class LiveTarget(Target):
    """A callable or object of this process.

    Args:
        target: plain callable (taken as ``level``), or object with level methods, or ``Case -> such object``.
        level: the level of a plain callable.
        bind: True if ``target`` is a function of the case that returns the object to call.
    """

    def __init__(
        self, target: Any, level: str | None = None, name: str | None = None, bind: bool = False, normwise: bool = False
    ) -> None:
        self.name = name or str(getattr(target, "__name__", type(target).__name__))
        self.normwise = normwise
        self.takes_case = bind
        self._target = target
        self._bind = bind
        self._level = level
        self._calls = Calls(shared=True)

    def _object(self, case: Case | None) -> Any:
        if self._bind:
            return self._target(case)
        if isinstance(self._target, type):  # made once, so that what it remembers shows
            self._target = signatures.construct(self._target, {})
        return self._target

    def levels(self) -> tuple[str, ...]:
        """Levels of the object; for a bound one, of a small case."""
        with _told():
            return tuple(methods(self._object(Case(self.name)), self._level))

    def call(self, case: Case, *arguments: Any) -> Result:
        """Run in this process; an exception becomes a TargetError."""
        with _told():
            offered = methods(self._object(case), self._level)
            return invoke(offered, case.level, arguments, self._calls, closely=self._closely)


@contextmanager
def _told() -> Iterator[None]:
    """What a target of this process raises, as a TargetError; Ctrl-C is the user's."""
    try:
        yield
    except (TargetError, KeyboardInterrupt):
        raise
    except MemoryError as error:
        raise TargetError("memory", f"the target ran out of memory ({error_line(error)})") from error
    except SystemExit as error:
        raise TargetError("exit", f"the target asked to end this process ({error_line(error)})") from error
    except BaseException as error:  # whatever a target raises is its result
        raise TargetError("raised", error_line(error)) from error


def methods(target: Any, level: str | None = None) -> dict[str, Callable[..., Any]]:
    """The levels that an object offers, as bound callables.

    Args:
        target: an object with methods named after levels, a mapping with them as keys, or a plain callable.
        level: level of a plain callable (default ``matrices``).

    Raises:
        TargetError: it offers none.
    """
    keyed = isinstance(target, Mapping)
    found = {
        name: offered
        for name in LEVELS
        if callable(offered := target.get(name) if keyed else getattr(target, name, None))
    }
    if callable(target) and (level or "matrices") not in found and (level or not found):
        found[level or "matrices"] = target  # a callable that has a method of such a name besides is still asked for
    if found:
        return found
    raise TargetError(
        "load",
        f"{type(target).__name__} object is neither callable nor has a method named after a level "
        f"({', '.join(LEVELS)}); give a function or an object with such methods",
    )


KEPT = 8 * 2**20
"""Bytes of an answer above which it is not kept to see whether it changes."""


class Calls:
    """Follows the calls of one target in the process they are made in.

    Args:
        shared: whether others compute in this process too, see `Watch`.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self.watch = Watch(shared=shared)
        self._given: tuple[str, Any, Result] | None = None

    def follow(self, level: str, answer: Any, result: Result, closely: bool) -> bool:
        """Keep an answer as the target gave it; whether the one kept before says something else by now."""
        given, self._given = self._given, None
        if closely and not result.malformed and sum(part.nbytes for part in result.arrays.values()) <= KEPT:
            self._given = (level, answer, result)
        return closely and given is not None and not _says(*given)


def _says(level: str, answer: Any, result: Result) -> bool:
    """Whether an answer of a target still says what it did."""
    try:
        now = _form(level, answer, changed=False)
    except Exception:  # noqa: BLE001 -- an answer that cannot be read any more
        return False
    return not now.malformed and all(
        now.arrays[name].shape == part.shape and now.arrays[name].tobytes() == part.tobytes()
        for name, part in result.arrays.items()
    )


def invoke(
    offered: Mapping[str, Callable[..., Any]],
    level: str,
    arguments: Sequence[Any],
    calls: Calls | None = None,
    *,
    closely: bool = False,
) -> Result:
    """Call one level and bring its answer into form; exceptions of the target pass through.

    Args:
        offered: levels of the target.
        level: the one to call.
        arguments: of the call.
        calls: those of this target before; None: what the call leaves behind is not looked at.
        closely: as of `Watch.around`; keeps the answer until the next call, too.
    """
    if level not in offered:
        raise TargetError("load", f"the target offers {', '.join(offered)}, not {level!r}; choose with --level")
    before = [value.copy() if isinstance(value, np.ndarray) else value for value in arguments]

    def ask() -> tuple[Any, Result]:
        answer = _asked(offered[level], level, arguments)
        changed = any(
            not np.array_equal(old, new, equal_nan=True)
            for old, new in zip(before, arguments, strict=True)
            if isinstance(old, np.ndarray)
        )
        return answer, _form(level, answer, changed)  # which may run code of the target's, too

    if calls is None:
        return ask()[1]
    (answer, result), changed = calls.watch.around(ask, closely=closely)
    earlier = calls.follow(level, answer, result, closely)
    return replace(result, state_changed=changed, earlier_changed=earlier)


def _factors(answer: Any, changed: bool) -> Result:
    try:
        given = factored.read(answer)
    except arrays.NotNumbers as problem:
        return Result(malformed=str(problem), input_changed=changed)
    found = factored.shaped({name: part.array for name, part in given.items()})
    return Result(found, given["Lambda"].dtype, input_changed=changed)


def _asked(function: Callable[..., Any], level: str, arguments: Sequence[Any]) -> Any:
    """Call a level; where the call itself does not fit the function, say what it takes."""
    try:
        return function(*arguments)
    except TypeError as error:
        problem = signatures.misfit(function, level, arguments, error)
        if problem is None:
            raise
        raise TypeError(problem) from error


def _form(level: str, answer: Any, changed: bool) -> Result:
    if level == "factors":
        return _factors(answer, changed)
    parts: Mapping[str, Any] = {"the answer": answer}
    if level == "matrices":
        if isinstance(answer, Mapping) and {"A", "B"} <= set(answer):
            parts = {"A": answer["A"], "B": answer["B"]}
        elif all(hasattr(answer, name) for name in ("A", "B")):  # a name tells more than a place
            parts = {"A": answer.A, "B": answer.B}
        elif arrays.is_sequence(answer) and len(answer) == 2:
            parts = {"A": answer[0], "B": answer[1]}
        else:
            return Result(malformed=f"returned {arrays.kind(answer)}; expected a pair (A, B)", input_changed=changed)
    try:
        given = {name: arrays.real(part, name) for name, part in parts.items()}
    except arrays.NotNumbers as problem:
        return Result(malformed=str(problem), input_changed=changed)
    found = {name: np.array(part.array) for name, part in given.items()}
    if level != "matrices":
        return Result({"value": found["the answer"]}, given["the answer"].dtype, input_changed=changed)
    if found["B"].ndim == 2 and found["B"].shape[1] == 1:
        found["B"] = found["B"][:, 0]
    return Result(found, given["A"].dtype, input_changed=changed)
