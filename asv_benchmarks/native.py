"""C beside the benchmarks, compiled when it is used; where there is no compiler, the reason."""

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

FLAGS = ("-O3", "-march=native", "-ffp-contract=fast", "-std=gnu11", "-shared", "-fPIC")
"""Contraction is what -O3 gives in GNU C anyway; no flag here lets the compiler change a value otherwise."""


class MissingError(Exception):
    """Something a peer needs is not there; the text is the reason that a table shows."""


@functools.cache
def library(name):
    """Compile ``name`` (a file beside this one) and load it.

    Raises:
        MissingError: no C compiler, or one that does not compile it.
    """
    source = Path(__file__).parent / name
    compiler = shutil.which(os.environ.get("CC", "gcc")) or shutil.which("cc")
    if compiler is None:
        raise MissingError("no C compiler (gcc or cc) is installed")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "library.so"
        done = subprocess.run(
            [compiler, *FLAGS, str(source), "-o", str(target), "-lm"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise MissingError(f"{compiler} does not compile {name}: {done.stderr.strip().splitlines()[0]}")
        return ctypes.CDLL(str(target))


def compiler_version():
    """The first line that the compiler says of itself, or None."""
    compiler = shutil.which(os.environ.get("CC", "gcc")) or shutil.which("cc")
    if compiler is None:
        return None
    return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
