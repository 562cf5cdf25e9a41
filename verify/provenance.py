"""Where a result comes from: versions, commit, machine, threads, seed."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = (
    *("numpy", "scipy", "mpmath", "python-flint", "hypothesis", "torch", "jax", "s5-pytorch", "hippox", "chex"),
    *("control", "mambapy", "minimamba", "keras-lmu", "keras", "tensorflow", "discretax", "juniper-recurrence-model"),
    *("scikit-learn", "torchdiffeq", "torchcde", "Hershey-Fonts", "numba", "llvmlite", "triton"),
)


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Installed versions of what a verdict may depend on; metadata only, nothing is imported."""
    found = {"hippo-verify": _version("hippo-verify") or "not installed", "python": platform.python_version()}
    for name in LIBRARIES:
        version = _version(name)
        if version is not None:
            found[name] = version
    return found


@lru_cache(maxsize=1)
def source() -> str:
    """Digest of our own source; of the moment it is first asked, since what is loaded by then stays loaded."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for package in ("verify", "hippo_ref", "hippo_fast"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    try:
        answer = subprocess.run(  # noqa: S603 -- fixed program, fixed arguments
            ["git", *arguments],  # noqa: S607 -- the user's git
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """What the last digits and the times of a run depend on beside versions."""
    return {"platform": platform.machine(), "system": platform.system(), "cpu": _cpu(), "blas": _blas()}


def _blas() -> str | None:
    """The library that matrix products of numpy come from; its last digits differ from that of another one."""
    try:
        import numpy as np  # noqa: PLC0415

        found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return f"{found['name']} {found['version']}"
    except (ImportError, KeyError, TypeError):
        return None


def usable_cores() -> int | None:
    """Cores this process may run on: a container may have fewer than the machine."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count()


def collect(seed: int) -> dict[str, Any]:
    """Everything needed to repeat a run.

    Args:
        seed: seed of the drawn inputs.
    """
    # A checkout of ours only: an installed copy may lie inside somebody else's repository.
    ours = (Path(__file__).parents[1] / "asv.conf.json").exists()
    commit = _git("rev-parse", "HEAD") if ours else None
    status = _git("status", "--porcelain") if commit else None
    threads = {
        name: os.environ[name]
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        if name in os.environ
    }
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "commit": commit,
        "dirty": None if status is None else bool(status),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "blas": _blas(),
        "threads": threads,
        "seed": seed,
    }
