"""From what a user names to sources that can be run: a revision, or the working tree as it stands."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from verify import revisions
from verify.gate.worker import Tree
from verify.text import one_line

WORKING_TREE: Final = "working tree"
SIDES: Final = ("base", "head")
"""Names of equal length: so are the paths of both trees, on which the layout of a process's memory depends."""
CONFIGURATION: Final = "asv.conf.json"
MAINLINES: Final = ("origin/HEAD", "origin/main", "main", "origin/master", "master")


def default_base(repository: Path) -> str:
    """What a change is measured against where nothing is said.

    Where the branch left the main line; on the main line itself the last commit if there are uncommitted changes, else
    the commit before.

    Raises:
        RevisionError: there is no repository, or no commit to compare with.
    """
    head = revisions.resolve(repository, "HEAD")
    target = os.environ.get("GITHUB_BASE_REF")  # of a pull request
    for name in (*((f"origin/{target}", target) if target else ()), *MAINLINES):
        try:
            fork = revisions.merge_base(repository, name, "HEAD")
        except revisions.RevisionError:
            continue
        if fork is not None and fork.hash != head.hash:
            return fork.hash
        if fork is not None:
            break
    return head.hash if revisions.uncommitted(repository) else revisions.resolve(repository, "HEAD~1").hash


@contextlib.contextmanager
def placed(
    repository: Path, side: str, text: str | None, within: Path, *, benchmarks: str | None, python: str
) -> Iterator[Tree]:
    """The sources of a side in a folder of their own, as long as the context lasts.

    Args:
        repository: a folder of the working tree; the project is the nearest folder above it with a configuration of
            asv, or the root.
        side: ``base`` or ``head``.
        text: a revision; None: the working tree as it stands.
        within: the folder for both sides.
        benchmarks: the folder of the benchmarks, from the project's; None: as asv's configuration says.
        python: the interpreter that is to run them.

    Raises:
        RevisionError: there is no repository, or nothing in it by that name.
        ValueError: the project has no folder of benchmarks.
    """
    top = revisions.top(repository).resolve()
    project = next(
        (folder for folder in _above(repository.resolve(), top) if (folder / CONFIGURATION).exists()), top
    ).relative_to(top)
    work = within / side
    work.mkdir(parents=True)
    commit = revisions.resolve(repository, text or "HEAD")
    with revisions.checkout(repository, commit, work / "tree") as folder:
        if text is not None:
            label, content, changed = _label(text, commit), commit.hash, False
        else:
            content = overlay(top, folder, commit.hash)
            changed = content != commit.hash
            label = f"{WORKING_TREE} ({commit.short}{' and uncommitted changes' if changed else ''})"
        project_there = folder / project
        yield Tree(
            side=side, label=label, revision=None if changed else commit.hash, content=content,
            folder=project_there.resolve(), benchmarks=_benchmarks(label, project_there, benchmarks), python=python,
            work=work.resolve(),
        )  # fmt: skip


def edited(base: Tree, head: Tree) -> tuple[str, ...]:
    """Files of the base's benchmarks that the head has not, or not like that; what either side made of them aside."""

    def contents(tree: Tree) -> dict[str, bytes | None]:
        found = (path for path in tree.benchmarks.rglob("*") if "__pycache__" not in path.parts and not path.is_dir())
        return {path.relative_to(tree.benchmarks).as_posix(): _content(path) for path in found}

    before, now = contents(base), contents(head)
    return tuple(sorted(name for name in before if now.get(name) != before[name]))


def _label(text: str, commit: revisions.Commit) -> str:
    return commit.short if commit.hash.startswith(text) else f"{text} ({commit.short})"


def _above(folder: Path, top: Path) -> Iterator[Path]:
    yield folder
    while folder not in (top, folder.parent):
        folder = folder.parent
        yield folder


def _benchmarks(label: str, project: Path, benchmarks: str | None) -> Path:
    named = benchmarks or benchmark_folder(project)
    found = (project / named).resolve()
    if not found.is_dir() or not found.is_relative_to(project.resolve()):
        raise ValueError(
            f"{label} has no folder of benchmarks {one_line(named)!r}; name it with --benchmarks FOLDER, or as "
            f"benchmark_dir in {CONFIGURATION}"
        )
    return found


def overlay(top: Path, folder: Path, commit: str) -> str:
    """Make a checkout the same as a working tree: what is not ignored there, and nothing else.

    Files that are the same already are left alone, so that git finds them unchanged as quickly as in any checkout.

    Returns:
        What identifies the content: the commit where nothing differs, else a hash of the commit and all changes.
    """
    wanted = [name for name in revisions.files(top) if _content(top / name) is not None]
    changes = hashlib.sha256(commit.encode())
    changed = False
    for name in sorted({*revisions.files(folder), *wanted}):
        content = _content(top / name) if name in wanted else None
        if content == _content(folder / name):
            continue
        changed = True
        changes.update(os.fsencode(f"{name}\0") + (b"removed" if content is None else content))
        target = folder / name
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)  # a folder before, a file or a link now
        elif target.is_symlink() or target.exists():
            target.unlink()
        if content is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(top / name, target, follow_symlinks=False)
    return changes.hexdigest() if changed else commit


def _content(path: Path) -> bytes | None:
    """What distinguishes a file to git: where a link leads, or whether it is a program, and what is in it."""
    if path.is_symlink():
        return b"link " + os.fsencode(os.readlink(path))
    if not path.is_file():
        return None  # removed, or a repository within the repository
    return (b"program " if os.access(path, os.X_OK) else b"file ") + path.read_bytes()


def benchmark_folder(project: Path) -> str:
    """The folder of the benchmarks as asv's configuration of a project says, asv's default where it says nothing.

    Raises:
        ValueError: the configuration cannot be read.
    """
    path = project / CONFIGURATION
    if not path.exists():
        return "benchmarks"
    configuration = _json_with_comments(path)
    named = configuration.get("benchmark_dir", "benchmarks") if isinstance(configuration, dict) else None
    if not isinstance(named, str):
        raise ValueError(f"benchmark_dir in {path} is {named!r}; accepted: the name of a folder")
    return named


_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')


def _json_with_comments(path: Path) -> Any:
    """The configuration of asv: JSON, with comments and commas that JSON does not have."""
    text = path.read_text(encoding="utf-8")
    for unwanted in (_COMMENT, _TRAILING):
        text = unwanted.sub(lambda match: match[1] or "", text)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {one_line(str(error))}") from None
