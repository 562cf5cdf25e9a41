"""Manners of compiled code: cached on disk, IEEE arithmetic, no lock held; and vectors of any width give the same."""

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("numba")

RUN = """
import numpy as np
import hippo_fast
samples = np.sin(np.arange(300.0))
for output in ("last", "states"):
    found = hippo_fast.scan(samples, "legs", 20, backend="numba", output=output)
print([value.hex() for value in found[-1].tolist()])
"""


def run(folder, **variables):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder), **variables}
    done = subprocess.run([sys.executable, "-W", "error", "-c", RUN], env=environment, check=True, capture_output=True)
    return done.stdout, {path.name for path in folder.rglob("*.nb[ic]")}


def test_compiled_code_is_kept(tmp_path):
    first, stored = run(tmp_path)
    assert any(name.startswith("wave") for name in stored)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb[ic]")}
    again, after = run(tmp_path)
    assert (again, after) == (first, stored)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb[ic]")} == times  # nothing compiled again


@pytest.mark.parametrize(
    "features", ["+avx2,+fma,-avx512f", pytest.param("+fma,-avx2,-avx512f,-avx", marks=pytest.mark.slow)]
)
def test_narrow_vectors_give_the_same_bits(tmp_path, features):
    from llvmlite.binding import get_host_cpu_features

    if not get_host_cpu_features().get("fma"):
        pytest.skip("this processor has no fused multiply-add")
    wide, _ = run(tmp_path / "wide")
    narrow, _ = run(tmp_path / "narrow", NUMBA_CPU_NAME="x86-64", NUMBA_CPU_FEATURES=features)
    assert narrow == wide


def test_no_kernel_bends_arithmetic_or_holds_the_lock():
    from numba.core.dispatcher import Dispatcher

    from hippo_fast.kernels import gaps, held, lanes, rows, single, streams, streams_sweep, wave

    kernels = [
        value
        for module in (gaps, held, lanes, rows, single, streams, streams_sweep, wave)
        for value in vars(module).values()
        if isinstance(value, Dispatcher)
    ]
    assert len(kernels) > 10
    for kernel in kernels:
        assert not kernel.targetoptions.get("fastmath"), kernel
        assert not kernel.targetoptions.get("parallel"), kernel
        assert kernel.targetoptions["nogil"], kernel


def test_results_are_not_moved_by_the_flags_of_the_process():
    """A kernel must not raise or warn for what numpy would, underflow say, when a caller has asked numpy to raise."""
    import hippo_fast

    tiny = np.full(200, 1e-310)
    with np.errstate(all="raise"):
        found = hippo_fast.scan(tiny, "legs", 30, backend="numba", output="last")
    assert np.isfinite(found).all()
