"""The worker's side: finds what a target's name means, and answers calls."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from verify.adapters import ADAPTERS
from verify.case import LEVELS, Case
from verify.result import TargetError, invoke, methods


def load(spec: Mapping[str, Any]) -> Callable[..., dict[str, Any]]:
    """The handler of a target, for `verify.isolation.Worker`.

    Args:
        spec: ``target`` (adapter, ``module:attr`` or ``file.py:attr``), ``level`` of a plain callable or None, and
            ``arguments``, keywords passed on to it.

    Raises:
        LookupError, ImportError, ValueError: it cannot be found, with a sentence that says what was looked for.
    """
    name, level = str(spec["target"]), spec.get("level")
    if name in ADAPTERS:
        # The adapter is chosen call by call: those of one library share a worker, which imports the library once.
        return partial(_answer, lambda case: ADAPTERS[case.target].bind(case), level, list(ADAPTERS[name].levels))
    target = resolve(name, dict(spec.get("arguments") or {}))
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
) -> dict[str, Any]:
    if operation == "levels" or case is None:
        return {"levels": offered}
    asked = Case.from_json(case)
    result = invoke(methods(bind(asked), level), asked.level, arguments or [])
    return {
        "arrays": dict(result.arrays),
        "dtype": result.dtype,
        "malformed": result.malformed,
        "input_changed": result.input_changed,
    }


def resolve(name: str, arguments: Mapping[str, Any]) -> Any:
    """The object behind ``module:attr`` or ``file.py:attr``, with keywords bound to it.

    A class is called with the keywords; a function gets them at every call; an object takes none.
    """
    place, separator, attribute = name.rpartition(":")
    if not separator or not place or not attribute:
        raise ValueError(
            f"target {name!r} is neither a known adapter ({', '.join(ADAPTERS)}) nor written as package.module:attr or "
            "path/to/file.py:attr"
        )
    module = _file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    target: Any = module
    for part in attribute.split("."):
        try:
            target = getattr(target, part)
        except AttributeError:
            public = (
                [key for key in vars(target) if not key.startswith("_")][:20] if hasattr(target, "__dict__") else []
            )
            raise LookupError(f"{place} has no attribute {part!r}; it has {', '.join(public) or 'none'}") from None
    if inspect.isclass(target):
        return target(**arguments)
    if not arguments:
        return target
    if any(callable(getattr(target, level, None)) for level in LEVELS):
        raise TargetError("load", f"{name} is an object: --target-arg is for functions and classes")
    return partial(target, **arguments)


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; a target is path/to/file.py:attr")
    # As when Python runs the file itself: what lies beside it can be imported.
    sys.path.insert(0, str(path.resolve().parent))
    name = f"hippo_verify_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported as a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
