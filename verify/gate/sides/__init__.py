"""Stored results as sides of the gate; whose file it is, is seen from what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from verify.gate.side import Side
from verify.gate.sides import asv_results, pytest_benchmark, record
from verify.gate.sides.merged import interleaved, merged
from verify.gate.sides.reading import SideError, load
from verify.gate.sides.record import write_side

__all__ = ["SideError", "interleaved", "is_file", "read", "write_side"]


def is_file(text: str) -> bool:
    """Whether what a user names is a file of results, or a folder of asv's with a commit: ``.asv/results@COMMIT``."""
    path, at, commit = text.rpartition("@")
    try:
        return Path(text).is_file() or bool(at and commit and Path(path).is_dir())
    except (OSError, ValueError):
        return False


def read(names: Sequence[str]) -> Side:
    """A side from files; several are a round each.

    Args:
        names: files, or ``FOLDER@COMMIT``.

    Raises:
        SideError: a file cannot be read or is none of those that are known.
    """
    found = [_read(name) for name in names]
    return found[0] if len(found) == 1 else merged(found, names)


def _read(name: str) -> Side:
    path = Path(name)
    if not path.is_file():
        folder, _, commit = name.rpartition("@")
        path = asv_results.find(Path(folder), commit)
    content = load(path)
    if isinstance(content, dict) and str(content.get("schema", "")).startswith("hippo-verify-bench/"):
        return record.from_json(content, str(path))
    if asv_results.recognised(content):
        return asv_results.read(path, content)
    if pytest_benchmark.recognised(content):
        return pytest_benchmark.read(path, content)
    has = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
    raise SideError(
        f"{path} holds no results that are known; it has {has or 'nothing'}; accepted: a file that hippo-verify gate "
        "saved, asv's results of a commit, the JSON of pytest-benchmark"
    )
