"""What a callable can be called with, and why a call did not fit it.

A signature is asked for an explanation after a call has failed, and refuses nothing on its own: a decorator may show
the signature of what it wraps and take something else.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from types import CodeType, TracebackType
from typing import Any

from verify.case import ARGUMENTS

LONGEST = 160
"""Characters of a signature in a message."""
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def misfit(function: Any, level: str, arguments: Sequence[Any], error: TypeError) -> str | None:
    """Why a level's call does not fit a callable; None if the error came from inside it, or nothing is known.

    Args:
        function: what was called.
        level: the level it was called as.
        arguments: what it was called with.
        error: what came of it.
    """
    problem = _unbound(function, arguments, {}, error)
    if problem is None:
        return None
    if next(iter(getattr(_signature(function), "parameters", ())), "") == "self":
        return f"{shown(function)} is a method of a class and needs an object: name an object, or the class itself"
    return (
        f"{shown(function)} cannot be called as {level}({', '.join(ARGUMENTS[level])}): {problem}; choose another "
        "--level, set keywords with --target-arg KEY=VALUE, or describe its arguments in a TOML file"
    )


def mismatch(function: Any, arguments: Sequence[Any], keywords: Mapping[str, Any], error: TypeError) -> str | None:
    """Why a callable does not take a call; None if the error came from inside it, or nothing is known."""
    problem = _unbound(function, arguments, keywords, error)
    return None if problem is None else f"{shown(function)} cannot be called so: {problem}"


def construct(made: type, keywords: Mapping[str, Any]) -> Any:
    """What a class makes of keywords.

    Raises:
        TypeError: it needs others, which are named; other exceptions are its own.
    """
    try:
        return made(**keywords)
    except TypeError as error:
        problem = mismatch(made, (), keywords, error)
        if problem is None:
            raise
        raise TypeError(
            f"{problem}; give its arguments with --target-arg KEY=VALUE, or those that change with the case (the "
            "order, theta) in a TOML file"
        ) from error


def unknown_keywords(function: Any, keywords: Mapping[str, Any], filled: int) -> str | None:
    """None, or which of the keywords a callable does not accept and which it does.

    Args:
        function: what is to be called.
        keywords: what it is to be given by name.
        filled: how many arguments it is given by position, which no keyword may give again.
    """
    signatures = [found for follow in (True, False) if (found := _signature(function, follow)) is not None]
    accepted: list[str] = []
    for signature in signatures:
        parameters = list(signature.parameters.values())
        if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
            return None
        free = [p for p in parameters if p.kind is not inspect.Parameter.VAR_POSITIONAL][filled:]
        accepted += [p.name for p in free if p.kind in _BY_NAME and p.name not in accepted]
    unknown = [name for name in keywords if name not in accepted]
    if not signatures or not unknown:
        return None
    close = get_close_matches(unknown[0], accepted, n=1)
    return (
        f"{shown(function)} takes no keyword {', '.join(unknown)}; accepted: {', '.join(accepted) or 'none'}"
        + (f" (did you mean {close[0]}?)" if close else "")
    )  # fmt: skip


def shown(function: Any) -> str:
    """A callable's name and signature, without annotations."""
    inner = _bare(function)
    name = str(getattr(inner, "__qualname__", None) or type(inner).__qualname__)
    signature = _signature(function)
    if signature is None:
        return f"{name}(...)"
    plain = [p.replace(annotation=p.empty, default=_default(p)) for p in signature.parameters.values()]
    text = str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    return name + (text if len(text) <= LONGEST else f"{text[:LONGEST]}...)")


class _Left:
    """Stands for a default that would be long."""

    def __repr__(self) -> str:
        return "..."


def _default(parameter: inspect.Parameter) -> Any:
    default = parameter.default
    if default is parameter.empty or default is None or type(default) in (bool, int, float, str):
        return default
    return _Left()


def _unbound(function: Any, arguments: Sequence[Any], keywords: Mapping[str, Any], error: TypeError) -> str | None:
    while isinstance(function, partial):
        arguments, keywords = (*function.args, *arguments), {**function.keywords, **keywords}
        function = function.func
    signature, code = _signature(function), _code(function)
    if signature is None or code in _codes(error.__traceback__):
        return None  # nothing known, or the call did fit: its body was entered
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as reason:
        return str(reason)
    return None


def _bare(function: Any) -> Any:
    while isinstance(function, partial):
        function = function.func
    return function


def _called(function: Any) -> Any:
    """What the arguments go to: torch hands those of a module on to its ``forward``, keras to ``call``."""
    for name in ("forward", "call"):
        handed_on = getattr(type(function), name, None)
        if inspect.isfunction(handed_on) and not inspect.isroutine(function) and _takes_anything(function):
            return getattr(function, name)
    return function


def _takes_anything(function: Any) -> bool:
    try:
        kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return False
    return inspect.Parameter.VAR_POSITIONAL in kinds and inspect.Parameter.VAR_KEYWORD in kinds


def _signature(function: Any, follow: bool = True) -> inspect.Signature | None:
    try:
        return inspect.signature(_called(function), follow_wrapped=follow)
    except (TypeError, ValueError):
        return None


def _code(function: Any) -> CodeType | None:
    function = _called(_bare(function))
    if inspect.isclass(function):
        function = function.__init__
    elif not inspect.isroutine(function):
        function = getattr(type(function), "__call__", function)  # noqa: B004 -- its code, not whether it has one
    function = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _codes(trace: TracebackType | None) -> set[CodeType]:
    found = set()
    while trace is not None:
        found.add(trace.tb_frame.f_code)
        trace = trace.tb_next
    return found
