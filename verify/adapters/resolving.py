"""What the name of a target means: a module or file, and the way from there to an object."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from verify import signatures
from verify.adapters import ADAPTERS, entry_points
from verify.case import ARGUMENTS, LEVELS
from verify.result import methods

WRITTEN = "package.module:attr, path/to/file.py:attr, path/to/description.toml or exec:COMMAND"
"""How a target is named that is neither an adapter nor registered by a package."""


def find(name: str) -> Any:
    """The object behind ``module:attr``, ``file.py:attr`` or a registered name; a file alone is its module.

    Raises:
        LookupError, ImportError, TypeError, ValueError: it cannot be found; other exceptions are its own.
    """
    registered = entry_points.find(name) if ":" not in name else None
    place, attribute = _parts(registered.target if registered else name)
    found: Any = _file(Path(place)) if place.endswith(".py") else _module(place)
    return follow(found, f"{place}:", attribute) if attribute else found


def resolve(name: str, arguments: Mapping[str, Any], level: str | None = None) -> Any:
    """The object that a name stands for, with keywords bound to it.

    A class is called with the keywords; a function gets them at every call; an object takes none.

    Raises:
        LookupError, ImportError, TypeError, ValueError: it cannot be found or made; other exceptions are its own.
    """
    target = find(name)
    if isinstance(target, ModuleType) and not any(callable(getattr(target, each, None)) for each in LEVELS):
        names = [key for key, value in vars(target).items() if callable(value) and not key.startswith("_")][:20]
        raise LookupError(
            f"{name} is a module without a function named after a level ({', '.join(LEVELS)}); add :attr, with attr "
            f"one of {', '.join(names) or 'its functions'}"
        )
    if inspect.isclass(target):
        return signatures.construct(target, arguments)
    if not arguments:
        return target
    offered = methods(target, level)
    if list(offered.values()) != [target]:
        raise TypeError(
            f"{name} is an object with {', '.join(offered)}, which takes no --target-arg: keywords are for functions "
            "and classes"
        )
    problem = signatures.unknown_keywords(target, arguments, len(ARGUMENTS[level or "matrices"]))
    if problem is not None:
        raise TypeError(f"--target-arg: {problem}")
    return partial(target, **arguments)


def _parts(name: str) -> tuple[str, str]:
    place, separator, attribute = name.rpartition(":")
    if not separator and name.endswith(".py"):
        return name, ""
    if separator and place and attribute:
        return place, attribute
    known = [*ADAPTERS, *(one.name for one in entry_points.registered())]
    close = get_close_matches(name, known, n=3)
    here = _beside(name)
    raise ValueError(
        f"target {name!r} is neither a known adapter ({', '.join(known[:3])} and {len(known) - 3} more, which "
        f"`hippo-verify targets` lists) nor written as {WRITTEN}"
        + (f"; did you mean {' or '.join(close)}?" if close else "")
        + (f"; {here}" if here else "")
    )


def follow(found: Any, path: str, attribute: str) -> Any:
    """Go along attributes, keys of mappings and positions of sequences; a package's modules are imported on the way.

    Args:
        found: where to start.
        path: what that is called in a message; ends in a colon or is a name.
        attribute: the way, with dots.

    Raises:
        LookupError: there is no such way, with close names.
    """
    for part in attribute.split("."):
        found = _step(found, path, part)
        path += part if path.endswith(":") else f".{part}"
    return found


def _step(found: Any, path: str, part: str) -> Any:
    if isinstance(found, Mapping) and part in found:
        return found[part]
    if isinstance(found, Sequence) and part.isdecimal() and int(part) < len(found):
        return found[int(part)]
    try:
        return getattr(found, part)
    except AttributeError as error:
        if hasattr(type(found), part):
            raise TypeError(f"{path} has {part!r}, but reading it raised AttributeError: {error}") from error
    if isinstance(found, ModuleType) and hasattr(found, "__path__"):
        try:
            return importlib.import_module(f"{found.__name__}.{part}")
        except ModuleNotFoundError as error:
            if error.name != f"{found.__name__}.{part}":
                raise
    names = [str(key) for key in found] if isinstance(found, Mapping) else _public(found)
    close = get_close_matches(part, names, n=3)
    said = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(names[:20]) or 'none'}"
    raise LookupError(f"{path.rstrip(':')} has no attribute {part!r}; {said}")


def _public(found: Any) -> list[str]:
    try:
        own, all_ = list(getattr(found, "__dict__", ())), dir(found)
    except Exception:  # noqa: BLE001 -- it is the target's code, and this is for a message alone
        return []
    return [name for name in dict.fromkeys((*own, *all_)) if not name.startswith("_")]


def _module(place: str) -> ModuleType:
    if not all(part.isidentifier() for part in place.split(".")):
        raise ValueError(f"{place!r} is no name of a module; a target is written as {WRITTEN}")
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if not (place == missing or place.startswith(f"{missing}.")):
            raise ImportError(f"{place} imports {missing or 'a module'}, which is not installed: {error}") from error
    parent, _, last = missing.rpartition(".")
    if parent:
        names = _modules_of(parent)
        close = get_close_matches(last, names, n=3)
        said = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(names[:20]) or 'none'}"
        raise LookupError(f"{parent} has no module {last!r}; {said}")
    here = _beside(place) or "it is not installed, nor on PYTHONPATH"
    raise LookupError(f"No module named {missing!r}: {here}")


def _modules_of(package: str) -> list[str]:
    return [info.name for info in pkgutil.iter_modules(getattr(sys.modules.get(package), "__path__", []))]


def _beside(name: str) -> str:
    """Empty, or what lies in the working directory under the name of a module."""
    parts = name.strip(":").split(".")
    file = Path(*parts[:-1], f"{parts[-1]}.py")
    if parts[-1] and file.is_file():
        return f"a file {file} lies in the working directory: name it as {file}:attr, or set PYTHONPATH=."
    if parts[0] and Path(parts[0]).is_dir():
        return f"a folder {parts[0]} lies in the working directory, which Python does not search: set PYTHONPATH=."
    return ""


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        beside = [str(one.name) for one in path.parent.glob("*.py")] if path.parent.is_dir() else []
        close = get_close_matches(path.name, beside, n=3)
        said = f"did you mean {' or '.join(close)}?" if close else "a target is path/to/file.py:attr"
        raise FileNotFoundError(f"no file {path}; {said}")
    # As when Python runs the file itself: what lies beside it can be imported.
    sys.path.insert(0, str(path.resolve().parent))
    name = f"hippo_verify_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported as a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        if "relative import" not in str(error):
            raise
        package = path.resolve().parent
        raise ImportError(
            f"{path} is part of a package, from which it imports: {error}; name it as {package.name}.{path.stem}:attr, "
            f"with PYTHONPATH={package.parent}"
        ) from error
    return module
