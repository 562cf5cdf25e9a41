"""How many threads, and that the count changes no bit."""

import subprocess
import sys
import threading

import numpy as np
import pytest

import hippo_fast
from hippo_fast.threads import VARIABLES, run_in_threads, thread_count


@pytest.fixture
def unset(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_usual_variables_count(unset):
    assert thread_count() >= 1
    unset.setenv("OMP_NUM_THREADS", "3,2")  # nested: the outermost counts
    assert thread_count() == 3
    unset.setenv("NUMBA_NUM_THREADS", "5")
    assert thread_count() == 5
    unset.setenv("HIPPO_NUM_THREADS", "7")
    assert thread_count() == 7
    unset.setenv("HIPPO_NUM_THREADS", " ")
    assert thread_count() == 5


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_count_that_is_none_is_refused(unset, text):
    unset.setenv("OMP_NUM_THREADS", text)
    with pytest.raises(ValueError, match=f"OMP_NUM_THREADS is '{text}'; accepted: an integer >= 1"):
        thread_count()


@pytest.mark.parametrize("count", ["1", "3"])
def test_every_part_is_run_once_and_an_error_is_raised(unset, count):
    unset.setenv("HIPPO_NUM_THREADS", count)
    done, lock = [], threading.Lock()

    def note(part):
        if part == 4:
            raise RuntimeError("part 4")
        with lock:
            done.append(part)

    run_in_threads(note, range(4))
    assert sorted(done) == [0, 1, 2, 3]
    run_in_threads(note, [])
    with pytest.raises(RuntimeError, match="part 4"):
        run_in_threads(note, range(9))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("output", ["states", "last"])
@pytest.mark.parametrize("streams", [1, 3, 8, 40])
def test_the_count_changes_no_bit(unset, streams, output, dtype):
    pytest.importorskip("numba")
    unset.setattr("hippo_fast.threads._WORTH_A_THREAD", 1)  # small work, or it would stay on one thread
    samples = np.random.default_rng(1).uniform(-1, 1, (streams, 50)).astype(dtype)
    found = []
    for count in ("1", "2", "5"):
        unset.setenv("HIPPO_NUM_THREADS", count)
        found.append(hippo_fast.scan(samples, "legs", 12, backend="numba", output=output))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_importing_brings_numpy_and_nothing_heavier():
    code = (
        "import sys, numpy; before = set(sys.modules); import hippo_fast; "
        "print({name.split('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    heavy = {"numba", "llvmlite", "scipy", "torch", "triton", "tempfile", "zipfile", "asyncio", "concurrent"}
    assert not heavy & eval(done.stdout)
