"""What the machine is and what it can do, measured in the same run: the limits that kernels are held against."""

import ctypes
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from asv_benchmarks.native import MissingError, compiler_version, library

_ONE_THREAD = (
    "HIPPO_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TORCHINDUCTOR_COMPILE_THREADS",
)
PINNED = dict.fromkeys(_ONE_THREAD, "1") | {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "JAX_PLATFORMS": "cpu"}
"""One thread for every library that has a say."""

DROPPED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""A forced BLAS kernel would slow our matrix products and the peers'."""

LIBRARIES = ("numpy", "scipy", "numba", "llvmlite", "torch", "jax", "s5-pytorch", "keras-lmu")
_CHAIN, _VECTORS = 32, 12  # operations of one round of machine.c


def pinned(environment):
    """The environment of a child that runs on one thread with the machine's own BLAS kernel."""
    return {**{name: text for name, text in environment.items() if name not in DROPPED}, **PINNED}


def pin_to_one_core():
    """Keep this process, and threads it starts from now on, on one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _best(call, repeats):
    """Least processor seconds of one call."""
    best = float("inf")
    for _ in range(repeats):
        begin = time.thread_time_ns()
        call()
        best = min(best, (time.thread_time_ns() - begin) / 1e9)
    return best


def _model():
    """The processor's own name."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions():
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _blas():
    """Which BLAS numpy calls, and the kernel it chose."""
    try:
        from threadpoolctl import threadpool_info  # noqa: PLC0415 -- a guest
    except ModuleNotFoundError:
        return "not known: threadpoolctl is not installed"
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas" and "numpy" in pool["filepath"]]
    return ", ".join(f"{p['internal_api']} {p['version']} {p['architecture']}" for p in pools) or "not known"


def describe():
    """Names and versions; nothing is measured."""
    return {
        "processor": _model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "compiler": compiler_version(),
        "blas": _blas(),
        "libraries": _versions(),
    }


def measure(quick=False):
    """Rates of one core; those that need a C compiler are None without one.

    Returns:
        ``clock`` cycles/s; ``fma``, ``add``, ``both`` by dtype, elements/s of fused multiplications, of additions, and
        of the two in equal numbers, from registers; ``memset``, ``store`` bytes/s into touched memory; ``gemm`` by
        dtype, flops/s of a numpy product of squares with 1,024 rows; ``vector`` bytes of one vector.
    """
    repeats = 3 if quick else 7
    found = dict.fromkeys(("clock", "fma", "add", "both", "memset", "store", "vector"))
    found["gemm"] = {dtype: _gemm(dtype, 512 if quick else 1024, repeats) for dtype in ("float64", "float32")}
    try:
        c = library("machine.c")
    except MissingError:
        return found
    rounds = 200_000 if quick else 1_000_000
    c.chain.restype, c.chain.argtypes = ctypes.c_long, [ctypes.c_long]
    found["clock"] = _CHAIN * rounds / _best(lambda: c.chain(rounds), repeats)
    found["vector"] = int(c.vector_bytes())
    for kind in ("fma", "add", "both"):
        found[kind] = {}
        for dtype in ("float64", "float32"):
            run = getattr(c, f"{kind}_{dtype}")
            run.restype, run.argtypes = ctypes.c_double, [ctypes.c_long, ctypes.c_double, ctypes.c_double]
            lanes = found["vector"] // np.dtype(dtype).itemsize
            spent = _best(lambda run=run: run(rounds, 0.5, 1.0), repeats)
            found[kind][dtype] = _VECTORS * lanes * rounds / spent
    target = np.ones((2**25 if quick else 2**28) // 8)
    pointer = ctypes.c_void_p(target.ctypes.data)
    c.fill.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    c.store.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_double]
    found["memset"] = target.nbytes / _best(lambda: c.fill(pointer, target.nbytes, 1), repeats)
    found["store"] = target.nbytes / _best(lambda: c.store(pointer, target.size, 2.0), repeats)
    return found


def _gemm(dtype, size, repeats):
    left = np.random.default_rng(1).standard_normal((size, size)).astype(dtype)
    out = np.empty_like(left)
    return 2 * size**3 / _best(lambda: np.matmul(left, left, out=out), repeats)
