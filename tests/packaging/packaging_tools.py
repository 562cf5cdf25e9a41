"""Building the distributions as a release does, beside the checkout, which stays as it is."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
EPOCH = 1_700_000_000
"""The time that a build is told."""
MADE = {"__pycache__", "_build", "build", "dist", "generated"}
"""Folders that tests, builds and runs leave behind, beside those with a dot."""
WRITTEN = {"", "PKG-INFO", "setup.cfg"}
"""What setuptools adds to a source distribution, and the end of git's list."""


def shipped(root=ROOT):
    """Every file of the repository, whether or not it is one of git: an unpacked source distribution is none."""
    if (root / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split("\0")
        return sorted(name for name in names if name not in WRITTEN and (root / name).is_file())
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in MADE and not name.endswith(".egg-info")]
        folders[:] = [name for name in folders if not name.startswith(".") or name in (".ci", ".github")]
        found += [str(Path(folder, name).relative_to(root)) for name in files if not name.endswith((".pyc", ".pyo"))]
    return sorted(set(found) - WRITTEN)


def copied(folder, names=None, root=ROOT):
    """A copy of the repository's files."""
    for name in shipped(root) if names is None else names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)
    return folder


def built(kind, tree, out, **variables):
    """One distribution, built without isolation and without a network, and what was said meanwhile."""
    out.mkdir(parents=True, exist_ok=True)
    code = f"from setuptools import build_meta; print('built', build_meta.build_{kind}({str(out)!r}))"
    answer = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tree, capture_output=True, text=True, check=False,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), **variables},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    return out / answer.stdout.rstrip().rpartition(" ")[2], answer.stdout + answer.stderr


def unpacked(archive, folder):
    """What is in a source distribution, without the folder that all of it is in."""
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    (inside,) = folder.iterdir()
    return inside


def names(wheel):
    """The files of a wheel."""
    with zipfile.ZipFile(wheel) as file:
        return file.namelist()


def metadata_of(wheel):
    """The text of METADATA."""
    with zipfile.ZipFile(wheel) as file:
        (name,) = [name for name in file.namelist() if name.endswith(".dist-info/METADATA")]
        return file.read(name).decode()
