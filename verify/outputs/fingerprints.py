"""Hashes of what a certificate speaks of: the code that was checked, and the code that checked it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from verify.adapters import ADAPTERS, description, entry_points
from verify.cases import UsageError
from verify.outputs.places import command_files, module_file, root, source_of

HARNESS = ("verify", "hippo_ref")
"""The packages that judge."""


def digest(files: Mapping[str, Path]) -> str:
    """One hash of many files: of the lines ``sha256 of the file, two spaces, its name``, in the order of the names.

    Raises:
        OSError: one cannot be read.
    """
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in sorted(files.items())]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def harness() -> dict[str, Any]:
    """The source of the checks and of the exact reference, wherever they are installed."""
    files: dict[str, Path] = {}
    for package in HARNESS:
        files |= {name: path for name, path in _package(package).items() if path.suffix == ".py"}
    return {"sha256": digest(files), "files": len(files), "covers": f"every .py of {' and '.join(HARNESS)}"}


def target(name: str) -> dict[str, Any]:
    """What is known of the code behind a target's name: ``sha256``, or ``unknown`` and why.

    Nothing of it is imported or run, so the hash is of what lies there now.
    """
    try:
        return _target(name)
    except OSError as error:
        return _unknown(f"a file of it cannot be read: {error.strerror or error}")
    except UsageError as error:
        return _unknown(str(error))


def _target(name: str) -> dict[str, Any]:
    adapter = ADAPTERS.get(name)
    if adapter is not None:
        return _distribution(adapter.distribution or "hippo-verify")
    if name.startswith("exec:"):
        return _command(name)
    if description.is_description(name):
        return _description(name)
    registered = entry_points.find(name)
    if registered is not None:
        return _distribution(registered.distribution)
    place = name.rpartition(":")[0]
    if place.endswith(".py") or name.endswith(".py"):
        path, _ = source_of(name)
        if path is None:
            return _unknown("there is no such file here")
        covers = "this file alone; what it imports is not part of the hash"
        return {"kind": "file", **_files({path.name: path}), "path": _portable(path), "covers": covers}
    return _module(place) if place else _unknown("no file, module, command or package has this name")


def _module(name: str) -> dict[str, Any]:
    """All of the top level package that a module belongs to, and the distribution it comes from."""
    top = name.partition(".")[0]
    files = _package(top)
    if not files:
        return _unknown(f"no file of a module {top!r} was found on the import path")
    found = {"kind": "module", **_files(files), "covers": f"every file of the package {top}"}
    names = metadata.packages_distributions().get(top, [])
    if len(set(names)) == 1:
        with suppress(metadata.PackageNotFoundError):
            found |= {"version": metadata.version(names[0]), "distribution": names[0]}
    return found


def _description(name: str) -> dict[str, Any]:
    """The description, and the code that it describes."""
    path = Path(name if name.endswith(".toml") else name.rpartition(":")[0])
    code = _target(description.read(name).target)
    if code["sha256"] is None:
        return code
    lines = f"{digest({path.name: path})}\n{code['sha256']}\n"
    whole = {"sha256": hashlib.sha256(lines.encode()).hexdigest(), "files": code["files"] + 1}
    return {**code, **whole, "covers": f"{path.name}, and of what it describes {code['covers']}"}


def _package(top: str) -> dict[str, Path]:
    """The files of a top level package, or the one of a module."""
    file = module_file(top)
    if file is None or file.name != "__init__.py":
        return {} if file is None else {file.name: file}
    folder = file.parent
    return {path.relative_to(folder.parent).as_posix(): path for path in folder.rglob("*") if _counts(path)}


def _distribution(name: str) -> dict[str, Any]:
    """All files that an installed distribution lists, as they are on disk, which may not be as they were installed."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return _unknown(f"the distribution {name} is not installed")
    known = {"distribution": found.name, "version": found.version}
    # Scripts hold the path of their interpreter, and the list itself lists them: neither is the code.
    code = {
        str(file): Path(str(file.locate()))
        for file in found.files or ()
        if not file.parts[0].endswith((".dist-info", ".egg-info", ".pth", "..")) and "__editable__" not in str(file)
    }
    code = {file: path for file, path in code.items() if _counts(path)}
    if not code:  # installed from a checkout: the list names none of the code
        for top, names in metadata.packages_distributions().items():
            if found.name in names:
                code |= _package(top)
    if not code:
        return {**_unknown(f"the distribution {name} lists no file of its own"), **known}
    return {"kind": "distribution", **_files(code), **known, "covers": f"every file that {name} installed"}


def _command(name: str) -> dict[str, Any]:
    """The files among the words of a command."""
    paths = command_files(name)
    if not paths:
        return _unknown("no word of the command is a file here")
    names = [_portable(path) for path in paths]
    files = {f"{number} {name}": path for number, (name, path) in enumerate(zip(names, paths, strict=True))}
    return {"kind": "command", **_files(files), "covers": f"{', '.join(names)}; not what they use"}


def _counts(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".pyc", ".pyo")


def _files(files: Mapping[str, Path]) -> dict[str, Any]:
    return {"sha256": digest(files), "files": len(files)}


def _portable(path: Path) -> str:
    """A path as it is in any checkout: relative to the root of the sources, or the name of the file alone."""
    path, base = path.resolve(), root()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name


def _unknown(reason: str) -> dict[str, Any]:
    return {"kind": "unknown", "sha256": None, "unknown": reason}
