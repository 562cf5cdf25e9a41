"""What a call leaves behind is seen, what loading does is not held against it, and our own process stays as it is."""
# ruff: noqa: NPY002 -- the state that everybody shares is the one that is looked after

import os
import platform
import random
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import zoo_animals

import verify
from verify import watch
from verify.cases import make_case
from verify.checks import CHECKS, QUICK
from verify.global_state import SETTINGS, STIRRED
from verify.result import KEPT, LiveTarget, TargetError
from verify.watch import GROWN, Watch

CASE = make_case("live", order=4, level="matrices")


def verdict(target):
    return CHECKS["side_effects"].run(CASE, None, target, QUICK)


@pytest.fixture
def everything_as_it_was():
    """Puts back what the animals change; the pieces of the process that `Watch` itself restores are not among it."""
    before = {setting.name: setting.read() for setting in SETTINGS[:4]}, dict(os.environ), os.getcwd()
    state, filters, numbers = np.random.get_state(), list(warnings.filters), random.getstate()
    yield
    os.chdir(before[2])
    for name in set(os.environ) - set(before[1]):
        del os.environ[name]
    os.environ.update(before[1])
    np.random.set_state(state)
    random.setstate(numbers)
    warnings.filters[:] = filters
    assert {setting.name: setting.read() for setting in SETTINGS[:4]} == before[0]


def test_a_right_live_target_leaves_nothing_and_neither_do_we(everything_as_it_was):
    np.random.seed(5)
    random.seed(5)
    before = {item.name: item.read() for item in STIRRED if item.name != "numpy's random state"}
    state = np.random.get_state()[1].tobytes(), np.random.get_state()[2]
    assert verdict(LiveTarget(zoo_animals.right)).status == "PASS"
    assert {item.name: item.read() for item in STIRRED if item.name != "numpy's random state"} == before
    assert (np.random.get_state()[1].tobytes(), np.random.get_state()[2]) == state
    assert not any("hippo-verify" in str(item[1]) for item in warnings.filters)


@pytest.mark.parametrize(
    ("animal", "named"),
    [
        ("seeds", "numpy's random state"),
        ("silences_errors", "numpy's handling of floating-point errors"),
        ("silences_warnings", "the warnings filters"),
        ("sets_a_variable", "the environment variable OMP_NUM_THREADS"),
        ("moves", "the working directory"),
    ],
)
def test_a_live_target_is_told_too(everything_as_it_was, monkeypatch, animal, named):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = verdict(LiveTarget(getattr(zoo_animals, animal)))
    assert found.status == "FAIL"
    assert named in found.message
    assert found.worst["left"] == [named]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="the unit is not known to the animals")
@pytest.mark.parametrize("animal", ["rounds_up", "flushes_to_zero", "silences_errors"])
def test_our_own_arithmetic_is_not_that_of_a_live_target(everything_as_it_was, animal):
    """At once after a call, not only after a check."""
    target, errors = LiveTarget(getattr(zoo_animals, animal)), np.geterr()
    target.call(CASE, 4)
    tiny = sys.float_info.min
    assert (0.1 + 0.2, tiny / 2 > 0, np.geterr()) == (0.30000000000000004, True, errors)
    assert verdict(target).status == "FAIL"


@pytest.mark.parametrize(
    ("act", "kind", "words"),
    [
        (lambda order: sys.exit(3), "exit", r"asked to end this process \(SystemExit: 3\)"),
        (zoo_animals.mute, "raised", r"Mute: its message cannot be had"),
        (lambda order: (_ for _ in ()).throw(GeneratorExit), "raised", r"GeneratorExit"),
        (lambda order: np.ones(2**55), "memory", r"ran out of memory"),
    ],
)
def test_a_live_target_that_ends_badly_is_an_error(act, kind, words):
    with pytest.raises(TargetError, match=words) as caught:
        LiveTarget(act).call(CASE, 4)
    assert caught.value.kind == kind


def test_ctrl_c_stays_the_users():
    def interrupted(order):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LiveTarget(interrupted).call(CASE, 4)


# What loading does.


def lazily(tmp_path, monkeypatch, text):
    """A target whose first call imports a module."""
    name = f"lazy_{abs(hash(text)) % 10**9}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    def target(order):
        __import__(name)
        return zoo_animals.legs(order)

    return target


@pytest.mark.parametrize(
    "text",
    [
        "import os; os.environ['LAZY'] = '1'",
        "import warnings; warnings.simplefilter('ignore', UserWarning)",
        "import random; random.seed(3)",
        "import numpy; numpy.random.seed(3)",
        "import sys; sys.path.append('/nowhere')",
        "import threading, time; threading.Thread(target=time.sleep, args=(3,), daemon=True).start()",
        "import os; held = open(os.devnull)",
        "import numpy; numpy.set_printoptions(precision=3)",
    ],
)
def test_a_module_may_do_when_it_is_loaded_what_a_call_may_not(everything_as_it_was, tmp_path, monkeypatch, text):
    path = list(sys.path)
    with np.printoptions():
        assert verdict(LiveTarget(lazily(tmp_path, monkeypatch, text))).status == "PASS"
    sys.path[:] = path


@pytest.mark.parametrize("text", ["import os; os.chdir('/')", "import decimal; decimal.getcontext().prec = 4"])
def test_what_no_module_has_a_business_with_counts_at_any_time(everything_as_it_was, tmp_path, monkeypatch, text):
    import decimal

    with decimal.localcontext():
        assert verdict(LiveTarget(lazily(tmp_path, monkeypatch, text))).status == "FAIL"


def test_a_pool_that_fills_up_is_no_leak():
    """A thread more at each of the first calls, and then no more."""
    pool = []

    def target(order):
        if len(pool) < GROWN - 1:
            pool.append(threading.Event())
            threading.Thread(target=pool[-1].wait, args=(20,), daemon=True).start()
        return zoo_animals.legs(order)

    watched = Watch()
    found = [watched.around(lambda: target(4), closely=True)[1] for _ in range(10)]
    for event in pool:
        event.set()
    assert not any(found)


def test_a_thread_that_is_about_to_end_is_no_leak():
    def target(order):
        threading.Timer(0.02, int).start()
        return zoo_animals.legs(order)

    assert verdict(LiveTarget(target)).status == "PASS"


def test_a_file_that_only_garbage_holds_is_no_leak():
    class Circle:
        def __init__(self):
            self.me, self.ends = self, os.pipe()

        def __del__(self):
            for end in self.ends:
                os.close(end)

    def target(order):
        Circle()
        return zoo_animals.legs(order)

    assert verdict(LiveTarget(target)).status == "PASS"


def test_reading_asks_no_library_that_nobody_has_imported():
    code = (
        "import sys; from verify.watch import Watch; w = Watch(); [w.around(dict, closely=True) for _ in range(3)]; "
        "raise SystemExit([m for m in ('torch', 'jax', 'scipy', 'numba', 'numpy.random') if m in sys.modules] != [])"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


@pytest.mark.parametrize("change", ["set_default_dtype", "set_num_threads", "manual_seed", "set_grad_enabled"])
def test_torch_is_watched_where_it_is_loaded(change):
    torch = pytest.importorskip("torch", reason="torch is in an extra")
    value, named = {
        "set_default_dtype": (torch.float64, "torch's default dtype"),
        "set_num_threads": (3, "the number of torch's threads"),
        "manual_seed": (1, "torch's random state"),
        "set_grad_enabled": (False, "torch's recording of gradients"),
    }[change]
    threads, state = torch.get_num_threads(), torch.get_rng_state()

    def target(order):
        getattr(torch, change)(value)
        return zoo_animals.legs(order)

    try:
        assert named in verdict(LiveTarget(target)).worst["left"]
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_num_threads(threads)
        torch.set_rng_state(state)
        torch.set_grad_enabled(True)


# Answers that change later.


def reusing(size):
    memory = np.zeros(size)

    def scan(samples, order):
        view = memory[: len(samples) * order].reshape(len(samples), order)
        view[...] = np.cumsum(samples)[:, None]
        return view

    return scan


def test_an_answer_that_changes_later_is_seen_in_either_kind_of_process(tmp_path):
    (tmp_path / "reusing.py").write_text(
        "import numpy as np\nheld = np.zeros(10**5)\n"
        "def scan(samples, order):\n"
        "    view = held[:len(samples) * order].reshape(len(samples), order)\n"
        "    view[...] = np.cumsum(samples)[:, None]\n    return view\n"
    )
    for target in (reusing(10**5), f"{tmp_path / 'reusing.py'}:scan"):
        report = verify.check(target, level="scan", orders=(3,), checks=["determinism", "side_effects"])
        assert {v.check: str(v.status) for v in report.verdicts} == {"determinism": "PASS", "side_effects": "FAIL"}
        assert "an answer given earlier changed" in report.verdicts[1].message
        assert [item.defect for item in report.diagnosis] == ["buffer_reused"]


def test_a_large_answer_is_not_kept():
    target = LiveTarget(lambda order: (np.zeros((order, order)), np.zeros(order)))
    with target.watched():
        for order in (4, int((KEPT / 8) ** 0.5) + 1):
            target.call(CASE, order)
            assert (target._calls._given is not None) == (order == 4)
    target.call(CASE, 4)
    assert target._calls._given is None


def test_an_answer_that_cannot_be_read_any_more_has_changed():
    class Donated:
        def __init__(self):
            self.read = 0

        def __array__(self, dtype=None, copy=None):
            self.read += 1
            if self.read > 1:
                raise RuntimeError("deleted")
            return np.zeros((4, 4))

    found = verdict(LiveTarget(lambda order: (Donated(), np.zeros(order)) if order == 4 else zoo_animals.legs(order)))
    assert (found.status, found.worst["what"]) == ("FAIL", "an earlier answer")


def test_grace_is_short():
    assert watch._GRACE <= 0.1
