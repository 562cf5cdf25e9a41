"""Where a target is written, as far as that can be told without importing it."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from urllib.parse import quote

from verify.adapters import ADAPTERS, description, entry_points
from verify.cases import UsageError
from verify.verdict import Verdict


@dataclass(frozen=True)
class Place:
    """Where a reader should look.

    Attributes:
        name: path relative to the root of the sources, an absolute path, or the target's own name if it has no file.
        file: the file, or None.
        line: line of the definition, from 1; None if it was not found.
        width: characters on that line.
    """

    name: str
    file: Path | None = None
    line: int | None = None
    width: int = 0

    @property
    def uri(self) -> str:
        """The name as a URI reference: relative where it can be, as GitHub asks for."""
        try:
            text = quote(self.name.encode("utf-8", "surrogateescape"))  # the bytes of a path as the system has them
        except UnicodeEncodeError:
            text = quote(self.name.encode("utf-8", "backslashreplace"))
        return f"file://{text}" if self.file is not None and text.startswith("/") else text


def root() -> Path:
    """The root of the user's sources: the checkout of a GitHub job, else the repository around the working directory.

    Where there is neither, the working directory itself.
    """
    here = Path.cwd()
    named = os.environ.get("GITHUB_WORKSPACE", "")
    if named and here.is_relative_to(Path(named).resolve()):
        return Path(named).resolve()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)


def place_of(target: str, level: str | None = None) -> Place:
    """Where a target is written; of an object with several levels the method of one.

    Args:
        target: as the user wrote it.
        level: the level that a verdict is about.
    """
    path, attribute = source_of(target)
    if path is None:
        return Place(target)
    path = path.resolve()  # a link has no lines of its own
    base = root()
    name = path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return Place(name, path)
    line = _line(text, attribute, level) if path.suffix == ".py" and attribute else None
    width = len(text.split("\n")[line - 1]) if line is not None else 0
    return Place(name, path, line, width)


def places_of(verdicts: Iterable[Verdict]) -> dict[tuple[str, str], Place]:
    """The places of verdicts, by target and level."""
    asked = dict.fromkeys((verdict.case.target, verdict.case.level) for verdict in verdicts)
    return {pair: place_of(*pair) for pair in asked}


def source_of(target: str) -> tuple[Path | None, str]:
    """The file that holds a target, and the attribute in it; None if the name does not say so."""
    if target in ADAPTERS:
        return None, ""
    if target.startswith("exec:"):
        return next((path for path in command_files(target) if path.is_relative_to(root())), None), ""
    named = stands_for(target)
    place, _, attribute = named.rpartition(":")
    if named.endswith((".py", ".toml")):
        place, attribute = named, ""
    if place.endswith((".py", ".toml")):
        return (Path(place), attribute) if _is_file(place) else (None, "")
    return (module_file(place), attribute) if re.fullmatch(r"\w+(\.\w+)*", place) else (None, "")


def stands_for(target: str) -> str:
    """``module:attr`` or ``file.py:attr`` for the name of a description or of a registered target; others as they are.

    A description that cannot be read stands for itself.
    """
    try:
        if description.is_description(target):
            return description.read(target).target
        found = entry_points.find(target)
    except UsageError:
        return target
    return target if found is None else found.target


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def command_files(target: str) -> list[Path]:
    """The words of an ``exec:`` command that are files here."""
    try:
        words = shlex.split(target.removeprefix("exec:"))
    except ValueError:
        return []
    return [Path(word).resolve() for word in words if _is_file(word)]


def module_file(name: str) -> Path | None:
    """The file of a module, found as an import would find it, but without running any of it."""
    top, *parts = name.split(".")
    try:
        spec = importlib.util.find_spec(top)  # of a top level name alone this imports nothing
        for depth in range(1, len(parts) + 1):
            if spec is None or spec.submodule_search_locations is None:
                return None
            spec = PathFinder.find_spec(".".join([top, *parts[:depth]]), list(spec.submodule_search_locations))
    except (ImportError, ValueError, AttributeError):
        return None
    found = None if spec is None or not spec.has_location else spec.origin
    return Path(found) if found and _is_file(found) else None


def _line(text: str, attribute: str, level: str | None) -> int | None:
    """The line on which a dotted name is bound, or the method of a level inside it."""
    try:
        body: list[ast.stmt] = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    line = None
    for part in attribute.split("."):
        found = next((node for node in reversed(body) if part in _bound(node)), None)
        if found is None:
            return line
        line = found.lineno
        # An instance is made of its class: `memory = Memory()`.
        value = getattr(found, "value", None)
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            named = value.func.id
            found = next((n for n in body if isinstance(n, ast.ClassDef) and n.name == named), found)
        body = found.body if isinstance(found, ast.ClassDef) else []
    method = next((node for node in body if isinstance(node, ast.FunctionDef) and node.name == level), None)
    return line if method is None else method.lineno


def _bound(node: ast.stmt) -> set[str]:
    """The names that a statement binds."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.Assign():
            return {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.Import() | ast.ImportFrom():
            return {alias.asname or alias.name for alias in node.names}
    return set()
