"""The worker's side: loads what a target's name means, and answers calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from verify.adapters import ADAPTERS
from verify.adapters.described import described
from verify.adapters.resolving import resolve
from verify.case import Case
from verify.result import Calls, invoke, methods

_CALLS: Mapping[str, Calls] = defaultdict(Calls)
"""Those of each target of this process: what one leaves behind is not laid at another's door."""


def load(spec: Mapping[str, Any]) -> Callable[..., dict[str, Any]]:
    """The handler of a target, for `verify.isolation.Worker`.

    Args:
        spec: ``target`` (adapter, ``module:attr``, ``file.py:attr``, or a name that a package registered), ``level``
            of a plain callable or None, and ``arguments``, keywords passed on to it.

    Raises:
        LookupError, ImportError, TypeError, ValueError: it cannot be found or made, with a sentence that says what was
            looked for.
    """
    name, level, arguments = str(spec["target"]), spec.get("level"), dict(spec.get("arguments") or {})
    if name in ADAPTERS:
        if arguments:
            raise TypeError(f"target {name!r} is an adapter, which takes no --target-arg")
        # The adapter is chosen call by call: those of one library share a worker, which imports the library once.
        return partial(_answer, lambda case: ADAPTERS[case.target].bind(case), level, list(ADAPTERS[name].levels))
    told = described(name)
    if told is not None:
        if arguments:
            raise TypeError(f"target {name!r} is a description, which has its own constants and takes no --target-arg")
        told.load()
        return partial(_answer, told.bind, None, list(told.levels))
    target = resolve(name, arguments, level)
    offered = list(methods(target, level))
    return partial(_answer, lambda case: target, level, offered)


def _answer(
    bind: Callable[[Case], Any],
    level: str | None,
    offered: list[str],
    *,
    operation: str,
    case: Mapping[str, Any] | None = None,
    arguments: list[Any] | None = None,
    closely: bool = False,
) -> dict[str, Any]:
    if operation == "levels" or case is None:
        return {"levels": offered}
    asked, given = Case.from_json(case), arguments or []
    result = invoke(methods(bind(asked), level), asked.level, given, _CALLS[asked.target], closely=closely)
    return {
        "arrays": dict(result.arrays),
        "dtype": result.dtype,
        "malformed": result.malformed,
        "input_changed": result.input_changed,
        "state_changed": list(result.state_changed),
        "earlier_changed": result.earlier_changed,
    }
