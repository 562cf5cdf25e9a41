"""What a result rests on, as one name: the unit, the options, the data, the code, the libraries and the machine.

Results are kept under that name. When anything of it changes, the name does, and the unit is done again: a number is
never shown that this code, here, with these settings, would not have given. What was measured before stays in the
store, and is found again where all is as it was.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from verify import provenance
from verify.claims.base import Options, Unit

OURS: Final = ("hippo_ref", "hippo_fast", "verify")
"""Packages whose source is followed."""


def identity(claim: str, unit: Unit, options: Options, around: Mapping[str, Any]) -> str:
    """The name of a unit's result.

    Args:
        claim: key of the claim.
        unit: its key and its settings.
        options: as `Claim.run` gets them, so that it cannot read what is no part of the name.
        around: `surroundings` of the claim and the options.
    """
    asked = {name: value for name, value in asdict(options).items() if name not in ("data", "trajectories")}
    content = {"claim": claim, "unit": unit.key, "settings": unit.settings, "options": asked, "around": around}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def surroundings(address: str, options: Options) -> dict[str, Any]:
    """What the results of a claim rest on beside its units and options.

    Args:
        address: ``module:Class`` of the claim.
        options: their files are read.

    Raises:
        OSError: a file cannot be read.
    """
    return {
        "code": code(address.partition(":")[0]),
        "versions": {name: one for name, one in provenance.versions().items() if name != "hippo-verify"},
        "machine": provenance.machine(),
        "device": _device(options.device),
        "data": contents(options.data),
        "trajectories": contents(options.trajectories),
    }


def code(module: str) -> str:
    """A hash of the source of a module, and of all of ours that it imports, wherever the import stands.

    Imports are read, not run: statements, calls of ``import_module`` with a name that is written out, and the packages
    that a module stands in, which python runs before it. A package that imports its members by names that are not
    written out, as `hippo_fast.nn` does its cells, counts with all of them where something is imported from the
    package itself.
    """
    lines = []
    for name in sorted(_reached(module)):
        path = _file(name)
        if path is not None:
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def contents(path: Path | None) -> str | None:
    """A hash of a file, or of the files in a folder and their names; not of folders in it.

    Raises:
        OSError: one cannot be read.
    """
    if path is None:
        return None
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            whole.update(f"{file.name} {hashlib.file_digest(opened, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def _device(device: str) -> str:
    """What a device of torch is called: results of two kinds of it are not mixed."""
    if device == "cpu":
        return device
    import torch  # noqa: PLC0415 -- a guest

    return f"{torch.device(device).type}: {torch.cuda.get_device_name(device)}"


def _reached(module: str) -> set[str]:
    found: set[str] = set()
    named: set[str] = set()
    waiting = [(module, True)]
    while waiting:
        name, asked = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend((one, True) for one in _imported(name))
            if "." in name:  # the package is run; its members are not asked for
                waiting.append((name.rpartition(".")[0], False))
        if asked and name not in named:
            named.add(name)
            waiting.extend((one, True) for one in _members(name))
    return found


@lru_cache
def _imported(module: str) -> tuple[str, ...]:
    """Modules of ours that a module imports."""
    path = _file(module)
    if path is None:
        return ()
    source = path.read_bytes()
    tree = ast.parse(source)
    found = {name for node in _running(tree) for name in _names(node, module) if _ours(name)}
    if b"import_module" in source:
        found |= {name for name in _written_out(tree) if _ours(name) and _file(name) is not None}
    return tuple(sorted(found))


def _ours(module: str) -> bool:
    return module.partition(".")[0] in OURS


@lru_cache
def _members(module: str) -> tuple[str, ...]:
    """Modules of a package that imports them by name; none of another module."""
    path = _file(module)
    if path is None or path.name != "__init__.py" or not re.search(rb"\bimport_module\(", path.read_bytes()):
        return ()
    return tuple(sorted(f"{module}.{one.stem}" for one in path.parent.glob("*.py") if one.stem != "__init__"))


def _written_out(tree: ast.AST) -> Iterator[str]:
    """Names that ``import_module`` is called with, where they stand in the call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).endswith("import_module"):
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement of a module but those that only the type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):  # no expression imports
            yield child
            yield from _running(child)


def _names(node: ast.AST, module: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            path = _file(module)
            package = module if path is not None and path.name == "__init__.py" else module.rpartition(".")[0]
            base = importlib.util.resolve_name("." * node.level + base, package)
        for alias in node.names:
            member = f"{base}.{alias.name}"
            yield member if _ours(base) and _file(member) is not None else base


@lru_cache
def _file(module: str) -> Path | None:
    """The source of a module; None where there is none. Nothing of it is imported."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    path = Path(spec.origin)
    if not rest:
        return path
    if path.name != "__init__.py":
        return None
    place = path.parent.joinpath(*rest)
    return next((one for one in (place.with_suffix(".py"), place / "__init__.py") if one.is_file()), None)
