"""Exact arrays are kept, bounded, checked, and computed by one worker at a time."""

import signal
import subprocess
import sys
import time

import mpmath
import numpy as np
import pytest

from verify import exact_store
from verify.boundary import Exact, to_exact
from verify.cases import make_case
from verify.exact_store import ExactStore, Recent, decoded, encoded, key_of
from verify.oracle import Oracle

KEY = key_of("a third")
THIRD = to_exact([mpmath.mpf(1) / 3, mpmath.mpf(2)], (2,), 15)


def same(one, other):
    return all(getattr(one, part).tobytes() == getattr(other, part).tobytes() for part in ("high", "low", "radius"))


def never():
    pytest.fail("it is there: nothing is to be computed")


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "locks")


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 1, 2), (0,)])
def test_bytes_give_the_numbers_back_to_the_bit(shape):
    high = np.full(shape, -0.0)
    value = Exact(high, np.full(shape, 5e-324), np.full(shape, np.inf))
    again = decoded(KEY, encoded(KEY, value))
    assert again.shape == shape
    assert same(again, value)


def test_a_torn_foreign_or_misplaced_file_is_computed_again(tmp_path):
    ExactStore(tmp_path).get(KEY, lambda: THIRD)
    (path,) = files(tmp_path)
    assert same(ExactStore(tmp_path).get(KEY, never), THIRD)
    other = encoded(key_of("another question"), THIRD)
    for damage in (path.read_bytes()[:-3], b"", b"x" * 100, other):
        path.write_bytes(damage)
        store = ExactStore(tmp_path)
        assert same(store.get(KEY, lambda: THIRD), THIRD)
        assert store.counts == {"computed": 1}
        assert same(ExactStore(tmp_path).get(KEY, never), THIRD)


def test_the_first_answer_is_what_later_ones_are_and_nobody_changes_it(tmp_path):
    for folder in (tmp_path, None):
        found = ExactStore(folder).get(KEY, lambda: THIRD)
        with pytest.raises(ValueError, match="read-only"):
            found.high[0] = 1.0


def test_an_unwritable_folder_only_costs_time(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    store = ExactStore(blocked, room=0)
    assert same(store.get(KEY, lambda: THIRD), THIRD)
    assert same(store.get(KEY, never), THIRD)  # the last one is remembered, whatever the room


def test_a_full_disk_only_costs_time_and_what_is_there_is_still_read(tmp_path, monkeypatch):
    ExactStore(tmp_path).get(KEY, lambda: THIRD)
    written = []

    def full(path, content):
        written.append(path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exact_store, "write_whole", full)
    store = ExactStore(tmp_path)
    for name in "ab":
        assert same(store.get(key_of(name), lambda: THIRD), THIRD)
    assert same(store.get(KEY, never), THIRD)
    assert len(written) == 1
    assert len(files(tmp_path)) == 1


def test_memory_is_bounded_by_bytes_and_the_least_used_goes_first():
    recent = Recent(len, room=10)
    for name in ("aaaa", "bbbb"):
        recent.put(name, name)
    recent.get("aaaa")
    recent.put("cc", "cc")
    recent.put("dddd", "dddd")
    assert [recent.get(name) for name in ("aaaa", "bbbb", "cc", "dddd")] == ["aaaa", None, "cc", "dddd"]
    recent.put("huge", "x" * 1000)
    assert recent.get("huge") is not None
    assert recent.get("dddd") is None
    for _ in range(3):
        recent.put("cc", "cc")  # counted once
    recent.put("eight", "x" * 8)
    assert recent.get("cc") is not None


def test_a_worker_stays_flat_over_many_arrays(tmp_path):
    store = ExactStore(tmp_path, room=50_000)
    for number in range(200):
        store.get(key_of(number), lambda: Exact(np.zeros(100), np.zeros(100)))
    assert store._recent._used <= 50_000
    assert store.get(key_of(0), never).shape == (100,)  # from the disk


def test_names_are_long_enough_that_no_two_questions_share_an_answer():
    assert len(KEY) == 64
    assert Oracle(None).exact.counts == {}
    oracle = Oracle(None)
    oracle.system(make_case("t", "legs", order=4))
    (key,) = oracle.exact._recent._values
    assert len(key) == 64


WORKER = """
import sys, time
from pathlib import Path
import numpy as np
from verify.boundary import Exact
from verify.exact_store import ExactStore, key_of

folder, log, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
store = ExactStore(folder)

def compute(name):
    with log.open("a") as file:
        file.write(f"{name}\\n")
    time.sleep(seconds)
    if name.startswith("outer"):  # needs another one while its own lock is held
        store.get(key_of("inner"), lambda: compute("inner"))
    return Exact(np.ones(3), np.zeros(3))

print("ready", flush=True)
sys.stdin.readline()
for name in sys.argv[4:]:
    store.get(key_of(name), lambda: compute(name))
print(dict(store.counts))
"""


ASK_FOR_LOCK = """
import sys
from pathlib import Path
from verify import exact_store

exact_store.PATIENCE = 0.2
print(exact_store._lock(Path(sys.argv[1]), int(sys.argv[2])))
"""


class Workers:
    """Processes with a store on one folder each, which begin together."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "log"
        self.all = []

    def start(self, *names, seconds=0.05):
        command = [sys.executable, "-c", WORKER, str(self.folder / "cache"), str(self.log), str(seconds), *names]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        worker = subprocess.Popen(command, **pipes, text=True)
        self.all.append(worker)
        return worker

    def go(self, *workers):
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            worker.stdin.write("\n")
            worker.stdin.flush()

    def computed(self):
        return sorted(self.log.read_text().split()) if self.log.exists() else []

    def until_computing(self):
        until = time.monotonic() + 20
        while not self.computed():
            assert time.monotonic() < until
            time.sleep(0.005)


@pytest.fixture
def workers(tmp_path):
    found = Workers(tmp_path)
    yield found
    for worker in found.all:
        worker.kill()
        worker.communicate()


def test_no_array_is_computed_twice_by_workers_that_ask_at_once(workers):
    """In opposite orders, and one of them needs another that it shares."""
    names = ["outer1", "a", "b", "outer2", "c"]
    crowd = [workers.start(*names), workers.start(*reversed(names))]
    workers.go(*crowd)
    for worker in crowd:
        assert worker.wait(30) == 0, worker.stderr.read()
    assert workers.computed() == sorted([*names, "inner"])
    counted = [eval(worker.stdout.read()) for worker in crowd]
    assert sum(counts.get("computed", 0) for counts in counted) == 6


def test_a_holder_that_dies_frees_the_lock_and_a_wait_can_be_interrupted(workers):
    holder = workers.start("a", seconds=60)
    workers.go(holder)
    workers.until_computing()
    waiting, stopped = workers.start("a", seconds=0), workers.start("a", seconds=0)
    workers.go(waiting, stopped)
    time.sleep(0.3)
    assert workers.computed() == ["a"]  # both wait
    stopped.send_signal(signal.SIGINT)
    assert stopped.wait(2) != 0
    assert "KeyboardInterrupt" in stopped.stderr.read()
    assert waiting.poll() is None
    holder.kill()
    assert waiting.wait(5) == 0
    assert workers.computed() == ["a", "a"]


def test_no_lock_to_be_had_and_no_patience_cost_time_only(tmp_path, monkeypatch, workers):
    import fcntl

    holder = workers.start("a", seconds=60)
    workers.go(holder)
    workers.until_computing()
    monkeypatch.setattr(exact_store, "PATIENCE", 0.05)  # as if the holder had been suspended
    store = ExactStore(workers.folder / "cache")
    assert same(store.get(key_of("a"), lambda: THIRD), THIRD)
    monkeypatch.undo()

    def none(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", none)
    assert same(ExactStore(tmp_path / "other").get(KEY, lambda: THIRD), THIRD)


def test_a_computation_that_fails_frees_its_lock(tmp_path):
    store = ExactStore(tmp_path)

    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.get(KEY, fails)
    answer = subprocess.run(
        [sys.executable, "-c", ASK_FOR_LOCK, str(tmp_path / "locks"), str(int(KEY[:15], 16))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stdout == "True\n"


class Shelf:
    """Arrays of other machines, in a dictionary."""

    def __init__(self, **arrays):
        self.arrays = arrays
        self.settled = []

    def claim(self, key):
        return self.arrays.get(key)

    def settle(self, key, content):
        self.settled.append((key, content))


def test_an_array_from_elsewhere_is_checked_kept_and_not_computed(tmp_path):
    store = ExactStore(tmp_path)
    store.elsewhere = Shelf(**{KEY: encoded(KEY, THIRD)})
    assert same(store.get(KEY, never), THIRD)
    assert store.counts == {"elsewhere": 1}
    assert same(ExactStore(tmp_path).get(KEY, never), THIRD)
    assert store.elsewhere.settled == []


def test_a_damaged_array_from_elsewhere_is_computed_and_handed_on(tmp_path):
    whole = encoded(KEY, THIRD)
    for damaged in (whole[:-1], whole[:40] + b"\1" + whole[41:], encoded(key_of("another"), THIRD), b""):
        store = ExactStore(None)
        store.elsewhere = Shelf(**{KEY: damaged})
        assert same(store.get(KEY, lambda: THIRD), THIRD)
        assert store.elsewhere.settled == [(KEY, whole)]


def test_what_could_not_be_computed_is_given_up(tmp_path):
    store = ExactStore(tmp_path)
    store.elsewhere = Shelf()

    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.get(KEY, fails)
    assert store.elsewhere.settled == [(KEY, None)]
