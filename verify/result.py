"""What a target answers, and how it is asked: one function per call, in whichever process the target lives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from verify.case import LEVELS, Case

Array = np.ndarray[Any, np.dtype[Any]]
ErrorKind = Literal["load", "raised", "timeout", "crash", "exit", "memory", "protocol"]


LONGEST = 500
"""Characters of a target's own words in a message."""


def one_line(text: str) -> str:
    """A target's words on one line, bounded, with nothing in them that could move a terminal's cursor."""
    text = " ".join(text[: 2 * LONGEST].split())
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return line if len(line) <= LONGEST else line[:LONGEST] + "..."


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
        arrays: ``{"A", "B"}`` for matrices, ``{"Lambda", "P", "B", "V"}`` for factors (complex128), else ``{"value"}``;
            real arrays.
        dtype: dtype of the answer as the target gave it (of A for matrices).
        malformed: empty, or what is wrong with the answer's form, as a sentence.
        input_changed: whether the target wrote into the arrays it was given.
    """

    arrays: Mapping[str, Array] = field(default_factory=dict)
    dtype: str = ""
    malformed: str = ""
    input_changed: bool = False

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
    """

    name: str = ""
    normwise: bool = False
    takes_case: bool = False
    _first: Case | None = None

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

    def close(self) -> None:  # noqa: B027 -- most targets hold nothing
        """Give back what the target holds."""


class Wrapped(Target):
    """Another target, seen through something that happens at its calls.

    Args:
        target: the one that is asked.
    """

    def __init__(self, target: Target) -> None:
        self.name, self.normwise, self.takes_case = target.name, target.normwise, target.takes_case
        self._target = target

    def levels(self) -> tuple[str, ...]:
        """Those of the target."""
        return self._target.levels()

    def why_not(self, case: Case) -> str | None:
        """That of the target."""
        return self._target.why_not(case)

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

    def _object(self, case: Case | None) -> Any:
        return self._target(case) if self._bind else self._target

    def levels(self) -> tuple[str, ...]:
        """Levels of the object; for a bound one, of a small case."""
        return tuple(methods(self._object(Case(self.name)), self._level))

    def call(self, case: Case, *arguments: Any) -> Result:
        """Run in this process; an exception becomes a TargetError."""
        try:
            return invoke(methods(self._object(case), self._level), case.level, arguments)
        except TargetError:
            raise
        except Exception as error:
            raise TargetError("raised", one_line(f"{type(error).__name__}: {error}")) from error


def methods(target: Any, level: str | None = None) -> dict[str, Callable[..., Any]]:
    """The levels that an object offers, as bound callables.

    Args:
        target: an object with methods named after levels, or a plain callable.
        level: level of a plain callable (default ``matrices``).

    Raises:
        TargetError: it offers none.
    """
    found = {name: getattr(target, name) for name in LEVELS if callable(getattr(target, name, None))}
    if found:
        return found
    if callable(target):
        return {level or "matrices": target}
    raise TargetError(
        "load",
        f"{type(target).__name__} object is neither callable nor has a method named after a level "
        f"({', '.join(LEVELS)}); give a function or an object with such methods",
    )


def invoke(offered: Mapping[str, Callable[..., Any]], level: str, arguments: Sequence[Any]) -> Result:
    """Call one level and bring its answer into form; exceptions of the target pass through."""
    if level not in offered:
        raise TargetError("load", f"the target offers {', '.join(offered)}, not {level!r}; choose with --level")
    before = [value.copy() if isinstance(value, np.ndarray) else value for value in arguments]
    answer = offered[level](*arguments)
    changed = any(
        not np.array_equal(old, new, equal_nan=True)
        for old, new in zip(before, arguments, strict=True)
        if isinstance(old, np.ndarray)
    )
    return _form(level, answer, changed)


FACTORS = ("Lambda", "P", "B", "V")
"""Diagonal plus low rank: ``A = V (diag(Lambda) - P P^*) V^*``, and B in the coordinates of V, so that V B is real."""


def _factors(answer: Any, changed: bool) -> Result:
    if isinstance(answer, Mapping):
        parts = [answer.get(name) for name in FACTORS]
    elif all(hasattr(answer, name) for name in FACTORS):
        parts = [getattr(answer, name) for name in FACTORS]
    elif isinstance(answer, tuple | list) and len(answer) == len(FACTORS):
        parts = list(answer)
    else:
        return Result(malformed=f"returned {_kind(answer)}; expected (Lambda, P, B, V)", input_changed=changed)
    arrays, dtypes = {}, []
    for name, part in zip(FACTORS, parts, strict=True):
        array, problem = _array(part, name)
        if array is None:
            return Result(malformed=problem, input_changed=changed)
        dtypes.append(str(array.dtype))
        arrays[name] = np.array(array, dtype=np.complex128)
    if arrays["B"].ndim == 2 and arrays["B"].shape[1] == 1:
        arrays["B"] = arrays["B"][:, 0]
    if arrays["P"].ndim == 1:
        arrays["P"] = arrays["P"][:, None]
    return Result(arrays, dtypes[0], input_changed=changed)


def _form(level: str, answer: Any, changed: bool) -> Result:
    if level == "factors":
        return _factors(answer, changed)
    if level != "matrices":
        value, problem = _real(answer, "the answer")
        if value is None:
            return Result(malformed=problem, input_changed=changed)
        return Result({"value": value}, str(value.dtype), input_changed=changed)
    if isinstance(answer, Mapping) and {"A", "B"} <= set(answer):
        answer = (answer["A"], answer["B"])
    if isinstance(answer, np.ndarray | Mapping) or not hasattr(answer, "__len__") or len(answer) != 2:
        if all(hasattr(answer, name) for name in ("A", "B")):
            answer = (answer.A, answer.B)
        else:
            return Result(malformed=f"returned {_kind(answer)}; expected a pair (A, B)", input_changed=changed)
    A, problem_A = _real(answer[0], "A")
    B, problem_B = _real(answer[1], "B")
    if A is None or B is None:
        return Result(malformed=problem_A or problem_B, input_changed=changed)
    if B.ndim == 2 and B.shape[1] == 1:
        B = B[:, 0]
    return Result({"A": A, "B": B}, str(A.dtype), input_changed=changed)


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"one array of shape {value.shape}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"a {type(value).__name__}"


def _array(value: Any, what: str) -> tuple[Array | None, str]:
    """An array-like of any library as a numpy array of numbers, or None and the reason why it is none."""
    if value is None:
        return None, f"{what} is None; expected an array"
    if hasattr(value, "detach"):  # torch
        value = value.detach().cpu()
        if hasattr(value, "resolve_conj"):
            value = value.resolve_conj()
        if str(value.dtype) in ("torch.bfloat16", "torch.float16"):
            value = value.float()
    if hasattr(value, "toarray"):  # scipy sparse
        value = value.toarray()
    try:
        array = np.asarray(value)
        if array.dtype == object and hasattr(value, "tolist"):  # mpmath and other matrices of their own
            array = np.asarray(value.tolist())
        if array.dtype == object:
            array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        return None, f"{what} is {_kind(value)}, which is no array: {error}"
    if array.dtype.kind not in "fiuc":
        return None, f"{what} has dtype {array.dtype}; expected numbers"
    return array, ""


def _real(value: Any, what: str) -> tuple[Array | None, str]:
    """An array-like of any library as a real numpy array, or None and the reason why it is none."""
    array, problem = _array(value, what)
    if array is None:
        return None, problem.replace("expected numbers", "expected real numbers")
    if array.dtype.kind == "c":
        # What a complex decomposition leaves when its imaginary parts cancel is rounding of its own size.
        if np.abs(array.imag).max(initial=0.0) > 64 * array.size**0.5 * np.finfo(array.dtype).eps * np.abs(array).max(
            initial=0.0
        ):
            return None, f"{what} is complex with imaginary parts up to {np.abs(array.imag).max():.3g}; expected real"
        array = array.real
    return np.array(array), ""
