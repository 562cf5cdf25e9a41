"""A report of several files in a folder: written whole or not at all, and without what a former one left there."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

MANIFEST = "report-files.json"
"""Names of the files of a report, so that the next one may take them away, and no other."""
FRONT = "index.html"


def write_folder(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the files of a report; the front page last, so that whatever it names is there.

    Everything is on the disk under another name before the first file is replaced: what can go wrong for want of space
    leaves the former report as it was.

    Args:
        folder: made if it is missing; files of others in it stay.
        files: path in the folder -> text.

    Returns:
        Path of the front page.

    Raises:
        OSError: it cannot be written.
    """
    former = _former(folder)
    content = {**files, MANIFEST: json.dumps(sorted(files), indent=0) + "\n"}
    ready: list[tuple[Path, Path]] = []
    try:
        for name in sorted(content, key=lambda name: name == FRONT):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            ready.append((_beside(path, content[name]), path))
        for temporary, path in ready:
            temporary.replace(path)
    except BaseException:
        for temporary, _ in ready:
            temporary.unlink(missing_ok=True)
        raise
    for name in former - set(content):
        with contextlib.suppress(OSError):
            (folder / name).unlink()
    return folder / FRONT


def _beside(path: Path, text: str) -> Path:
    """The text in a file beside the one that it is for."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        # Characters that UTF-8 cannot hold, such as half a surrogate pair in a hostile message, become "?".
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _former(folder: Path) -> set[str]:
    """What a former report wrote here; nothing outside the folder, whatever its list says."""
    try:
        listed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    return {name for name in names if not Path(name).is_absolute() and ".." not in Path(name).parts}
