"""Whatever a target does, its owner gets the true result or the right kind of error, in time, and can go on."""

import gc
import math
import os
import re
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from verify.isolation import WireError, Worker, WorkerError
from verify.isolation.wire import TAG_BYTES, Decoder, encode

HERE = Path(__file__).parent
TIMEOUT = 0.5
SLACK = 2.0
MIB = 2**20


@pytest.fixture(autouse=True)
def _targets_importable(monkeypatch):
    monkeypatch.syspath_prepend(HERE)


@pytest.fixture
def worker():
    with Worker("isolation_targets:load", {}, timeout=10) as worker:
        yield worker


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def soon(condition, seconds=SLACK):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def children():
    """Processes of ours, those among them that other tests of this process still hold."""
    return set(psutil.Process().children())


def open_fds():
    gc.collect()
    return len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))


# What the owner is told: (what the target does, its arguments, kind, message, whether the worker lives on)
BEHAVIOURS = [
    ("raises", {}, "raised", r"raised ValueError: order must be at least 1, \\x1b\[31mgot 0\.", True),
    ("raises_mute", {}, "raised", r"raised MuteError: its message cannot be had, because its __str__ fails\.", True),
    ("raises_odd", {}, "raised", r"raised OddError: an odd text\.", True),
    ("raises_long", {}, "raised", r"raised ValueError: x{500}\.\.\.", True),
    ("interrupts", {}, "raised", r"raised KeyboardInterrupt\.", True),
    ("recurses", {}, "raised", r"raised RecursionError: maximum recursion depth exceeded.*", True),
    ("no_such_function", {}, "raised", r"raised KeyError: 'no_such_function'\.", True),
    ("asks_to_exit", {}, "exit", r"asked to end its process \(SystemExit: 0\)\.", True),
    ("asks_to_exit", {"status": "no"}, "exit", r"asked to end its process \(SystemExit: no\)\.", True),
    ("asks_for_too_much", {}, "memory", r"ran out of memory \(\w*MemoryError: Unable to allocate .*\)\.", True),
    (
        "sleeps",
        {},
        "timeout",
        r"did not answer within 0\.5 s; it was in sleeps \(isolation_targets\.py, line \d+\)\.",
        False,
    ),
    (
        "spins",
        {},
        "timeout",
        r"did not answer within 0\.5 s; it was in spins \(isolation_targets\.py, line \d+\)\.",
        False,
    ),
    ("hangs_in_c", {}, "timeout", r"did not answer within 0\.5 s\.", False),
    ("segfaults", {}, "crash", r"was killed by SIGSEGV in segfaults \(isolation_targets\.py, line \d+\)\.", False),
    ("aborts", {}, "crash", r"was killed by SIGABRT in aborts \(isolation_targets\.py, line \d+\)\.", False),
    ("kills_itself", {}, "crash", r"was killed by SIGKILL, sent by .*\.", False),
    ("kills_its_group", {}, "crash", r"was killed by SIGTERM\.", False),
    ("kills_itself_with_noise", {}, "crash", r"was killed by SIGSEGV.*\.", False),
    ("recurses_in_c", {}, "crash", r"was killed by SIGSEGV in recurses_in_c \(.*\)\.", False),
    ("exits", {}, "exit", r"ended its process with status 0\.", False),
    ("exits", {"status": 74}, "exit", r"ended its process with status 74\.", False),
    ("forks_and_exits", {}, "exit", r"ended its process with status 3\.", False),
    ("eats_memory", {}, "memory", r"used \d+ MiB of memory, over the limit of 300 MiB\.", False),
    ("eats_memory_in_children", {}, "memory", r"used \d+ MiB of memory, over the limit of 300 MiB\.", False),
    ("closes_everything", {}, "exit", r"ended its process with status \d+\.", False),
    ("closes_everything_and_stays", {}, "protocol", r"closed the channel that its reply should have come by\.", False),
    (
        "writes_to_pipes",
        {"text": "junk", "size": 9},
        "protocol",
        r"sent something that is not a reply: .*",
        False,
    ),
    ("writes_to_pipes", {"text": "\0", "size": 1}, "protocol", r"sent something that is not a reply: .*", False),
    (
        "writes_to_pipes",
        {"text": "\0", "size": 2**20},
        "protocol",
        r"sent something that is not a reply: .*",
        False,
    ),
    (
        "returns",
        {"what": "function"},
        "protocol",
        r".* cannot be sent: at result: a value of type builtins\.function .*",
        True,
    ),
    (
        "returns",
        {"what": "object"},
        "protocol",
        r".* cannot be sent: at result: a value of type builtins\.object .*",
        True,
    ),
    ("returns", {"what": "odd"}, "protocol", r".* cannot be sent \(RuntimeError: no\)\.", True),
    (
        "returns",
        {"what": "nested"},
        "protocol",
        r".* at result\['states'\]\[1\]: a value of type builtins\.set .*",
        True,
    ),
    ("returns", {"what": "cyclic"}, "protocol", r".*: it is nested more than 64 deep; send something flatter\.", True),
    ("returns", {"what": "objects"}, "protocol", r".* an array of dtype object cannot be sent.*", True),
    ("returns", {"what": "masked"}, "protocol", r".* a value of type numpy\.ma\.MaskedArray cannot be sent.*", True),
    ("returns", {"what": "keys"}, "protocol", r".* a key is of type builtins\.int; keys must be str\.", True),
    ("returns", {"what": "huge"}, "protocol", r".* 1073741832 bytes or more, over the limit of 1073741824.*", True),
]


@pytest.mark.parametrize(
    ("do", "arguments", "kind", "message", "survives"),
    BEHAVIOURS,
    ids=[f"{b[0]}{list(b[1].values())}" for b in BEHAVIOURS],
)
def test_misbehaviour_is_named_in_time_and_the_next_call_works(do, arguments, kind, message, survives):
    # What does not hang has time enough on a busy machine.
    timeout = TIMEOUT if kind == "timeout" else 10
    with Worker("isolation_targets:load", {}, timeout=timeout, memory_limit=300 * MIB) as worker:
        worker.call()
        pid = worker.pid
        start = time.monotonic()
        with pytest.raises(WorkerError) as caught:
            worker.call(do=do, **arguments)
        assert time.monotonic() - start < timeout + SLACK
        error = caught.value
        assert error.kind == kind, error.message
        assert re.fullmatch("The target " + message, error.message), error.message
        assert "\n" not in str(error)
        assert len(error.traceback) <= 16 * 1024
        assert worker.alive == survives
        assert gone(pid) != survives
        assert worker.call(value="still here") == "still here"
        assert (worker.pid == pid) == survives


@pytest.mark.parametrize(
    ("do", "arguments", "result"),
    [
        ("prints_forgery", {}, "true"),
        ("writes_everywhere", {}, "true"),
        ("forks_and_returns_twice", {}, "parent"),
        ("forks_and_child_raises", {}, "parent"),
        ("leaves_threads", {}, "true"),
        ("breaks_streams", {}, "true"),
        ("warns", {}, "true"),
        ("hangs_at_exit", {}, "true"),
    ],
)
def test_true_result_survives(worker, do, arguments, result):
    for _ in range(2):
        assert worker.call(do=do, **arguments) == result
    start = time.monotonic()
    worker.close()
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(("fd", "tail"), [(1, "stdout_tail"), (2, "stderr_tail")])
def test_flood_neither_blocks_nor_grows(worker, fd, tail):
    worker.call()
    before = psutil.Process().memory_info().rss
    assert worker.call(do="floods", fd=fd) == "the result"
    assert getattr(worker, tail).endswith("yythe end")
    assert len(getattr(worker, tail)) == 64 * 1024
    assert psutil.Process().memory_info().rss - before < 30 * MIB
    worker.call()
    assert getattr(worker, tail) == ""


def test_output_is_whole_when_the_result_is_there():
    with Worker("isolation_targets:load", {}, environment={"PYTHONUNBUFFERED": ""}) as worker:
        worker.call(do="prints")
        assert (worker.stdout_tail, worker.stderr_tail) == ("to stdout", "to stderr")


def test_error_carries_output_and_traceback(worker):
    worker.call(do="prints_forgery")
    with pytest.raises(WorkerError) as caught:
        worker.call(do="raises")
    assert caught.value.exception == "ValueError"
    assert "isolation_targets.py" in caught.value.traceback
    assert "verify/isolation" not in caught.value.traceback
    assert caught.value.stdout == ""  # that of an earlier call is not this one's
    with pytest.raises(WorkerError) as caught:
        worker.call(do="segfaults")
    assert "Segmentation fault" in caught.value.stderr
    assert "in segfaults" in caught.value.traceback


def test_descriptors_that_do_not_block_carry_a_large_result(worker):
    result = worker.call(do="makes_pipes_nonblocking", size=10**6)
    np.testing.assert_array_equal(result, np.arange(10**6))


def test_file_in_the_place_of_the_channel_gets_no_reply(worker, tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(WorkerError) as caught:
        worker.call(do="closes_everything_and_opens", path=str(path))
    assert caught.value.kind in ("exit", "protocol")
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("do", "arguments"),
    [("leaves_a_sleeper", {}), ("leaves_a_sleeper", {"own_session": True}), ("leaves_an_orphan", {})],
)
def test_close_kills_what_the_target_started(worker, do, arguments):
    left = worker.call(do=do, **arguments)
    assert not gone(left)
    worker.close()
    assert soon(lambda: gone(left))


def test_shared_pages_count_once():
    with Worker("isolation_targets:load", {}, memory_limit=400 * MIB) as worker:
        assert worker.call(do="shares_memory_with_children") == 150 * MIB


def test_death_between_calls_is_made_good(worker):
    assert worker.call(do="dies_later") == "true"
    assert soon(lambda: not worker.alive)
    assert worker.call(value=1) == 1


LOADS = [
    ("no_such_module:load", {}, r"it raised ModuleNotFoundError: No module named 'no_such_module'\."),
    (
        "isolation_targets:no_such",
        {},
        r"it raised AttributeError: module 'isolation_targets' has no attribute 'no_such'\.",
    ),
    ("isolation_raises:load", {}, r"it raised OSError: libmissing\.so: cannot open shared object file\."),
    ("isolation_hangs:load", {}, r"it did not answer within 1 s; it was in <module> \(isolation_hangs\.py, line 5\)\."),
    ("isolation_exits:load", {}, r"it asked to end its process \(SystemExit: usage: no such option\)\."),
    (
        "isolation_targets:load_nothing",
        {"value": 1},
        r"it raised TypeError: .* must return a callable, got .* type int\.",
    ),
    ("isolation_targets:load_nothing", {}, r"it raised KeyError: 'value'\."),
    ("isolation_targets:load_and", {"do": "segfaults"}, r"it was killed by SIGSEGV in segfaults \(.*\)\."),
    ("isolation_targets:load_and", {"do": "exits"}, r"it ended its process with status 0\."),
    ("isolation_targets:load_and", {"do": "eats_memory"}, r"it used \d+ MiB of memory, over the limit of 300 MiB\."),
    ("isolation_targets:load_and", {"do": "forks_and_exits"}, r"it ended its process with status 3\."),
]


@pytest.mark.parametrize(("loader", "spec", "message"), LOADS, ids=[f"{x[0]}{list(x[1].values())}" for x in LOADS])
def test_load_failure_is_named_and_leaves_no_process(loader, spec, message):
    before = children()
    with Worker(loader, spec, load_timeout=1 if "hangs" in loader else 20, memory_limit=300 * MIB) as worker:
        for _ in range(1 if "hangs" in loader else 2):
            with pytest.raises(WorkerError) as caught:
                worker.call()
            assert caught.value.kind == "load"
            assert re.fullmatch("The target could not be loaded: " + message, caught.value.message), (
                caught.value.message
            )
            assert not worker.alive
            assert worker.pid is None
    assert children() <= before


def test_fork_while_loading_leaves_one_worker():
    with Worker("isolation_targets:load_and", {"do": "forks_and_returns_twice"}) as worker:
        assert [worker.call(value=i) for i in range(3)] == [0, 1, 2]


def test_worker_sees_path_directory_and_environment_of_its_owner(monkeypatch, tmp_path):
    # A directory of our package's name in the working directory must not be imported in its place.
    (tmp_path / "verify").mkdir()
    (tmp_path / "verify" / "__init__.py").write_text("raise RuntimeError('the wrong package')")
    monkeypatch.chdir(tmp_path)
    with Worker("isolation_targets:load", {}, environment={"EXTRA": "1"}) as worker:
        seen = worker.call(do="seen")
    assert seen == {"cwd": str(tmp_path), "path": sys.path, "seed": os.environ.get("PYTHONHASHSEED", "0"), "extra": "1"}


def test_worker_starts_light(worker):
    heavy = {"numpy", "scipy", "mpmath", "flint", "hypothesis", "torch", "hippo_ref", "hippo_fast"}
    assert heavy.isdisjoint(worker.call(do="modules"))


def test_many_lives_leak_neither_descriptors_nor_processes():
    with Worker("isolation_targets:load", {}) as worker:
        worker.call()
    before, others = open_fds(), children()
    for do in ("exits", "segfaults", "closes_everything"):
        worker = Worker("isolation_targets:load", {})
        with pytest.raises(WorkerError):
            worker.call(do=do)
        worker.call()
        worker.close()
        worker.close()
    forgotten = Worker("isolation_targets:load", {})
    forgotten.call()
    del forgotten, worker
    assert open_fds() == before
    assert children() <= others


def test_closed_worker_starts_again(worker):
    assert not worker.alive
    assert worker.call(value=1) == 1
    worker.close()
    assert not worker.alive
    assert worker.call(value=2) == 2


def test_threads_take_turns(worker):
    results = {}
    threads = [threading.Thread(target=lambda i=i: results.update({i: worker.call(value=i)})) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {i: i for i in range(8)}


def test_worker_outlives_the_thread_that_started_it(worker):
    thread = threading.Thread(target=worker.call)
    thread.start()
    thread.join()
    pid = worker.pid
    time.sleep(0.1)
    assert worker.call(value=1) == 1
    assert worker.pid == pid


def test_interrupt_of_the_owner_leaves_no_reply_behind(worker):
    worker.call()
    pid = worker.pid
    timer = threading.Timer(0.2, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        worker.call(do="sleeps")
    timer.join()
    assert gone(pid)
    assert worker.call(value=1) == 1


def test_fork_of_the_owner_gets_a_worker_of_its_own(worker):
    worker.call()
    pid = worker.pid
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if worker.call(value=1) == 1 and worker.pid != pid else 2
            worker.close()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert worker.call(value=2) == 2
    assert worker.pid == pid


@pytest.mark.parametrize("do", ["hangs_in_c", "leaves_a_sleeper"])
def test_worker_ends_with_its_owner(do):
    script = textwrap.dedent(f"""
        import os, sys, threading, time
        sys.path.insert(0, {str(HERE)!r})
        from verify.isolation import Worker
        worker = Worker("isolation_targets:load", {{}})
        worker.call()
        threading.Thread(target=worker.call, kwargs={{"do": {do!r}}}, daemon=True).start()
        time.sleep(0.3)
        print(worker.pid, flush=True)
        time.sleep(60)
    """)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment) as owner:
        pid = int(owner.stdout.readline())
        family = [psutil.Process(pid), *psutil.Process(pid).children()]
        assert len(family) == (2 if do == "leaves_a_sleeper" else 1)
        owner.kill()
    assert soon(lambda: all(gone(member.pid) for member in family))


@pytest.mark.parametrize("loader", ["", "module", "module:", ":function", "a:b:c", "a b:c"])
def test_loader_of_another_form_is_refused(loader):
    with pytest.raises(ValueError, match=r"loader must be 'package\.module:function', got"):
        Worker(loader, {})


@pytest.mark.parametrize("name", ["timeout", "load_timeout", "memory_limit"])
@pytest.mark.parametrize("value", [0, -1, math.nan])
def test_limit_that_is_not_positive_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be positive, got"):
        Worker("a:b", {}, **{name: value})


def test_mistake_of_the_caller_costs_no_worker(worker):
    with pytest.raises(WireError, match=r"a value of type builtins\.set cannot be sent"):
        Worker("a:b", {"value": {1}})
    worker.call()
    pid = worker.pid
    with pytest.raises(WireError, match=r"at \['arguments'\]\['value'\]\[0\]: a value of type builtins\.object"):
        worker.call(value=[object()])
    assert worker.call(value=1) == 1
    assert worker.pid == pid


def same(a, b):
    """Equal in type and bits."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float) and type(a) is float:
        return struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, np.ndarray | np.generic):
        if a.dtype.char in "gG":  # 16 bytes, of which NumPy may leave the last 6 as they were
            return a.dtype == b.dtype and np.array_equal(a, b)
        return a.dtype.str == b.dtype.str and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a == b


ODD_NAN = struct.unpack("d", struct.pack("Q", 0xFFF8_0000_0000_0001))[0]
VALUES = [
    None, True, False, 0, -1, 2**64, -(2**63) - 1, 7**9000, 0.1, -0.0, 5e-324, math.inf, -math.inf, math.nan, ODD_NAN,
    "", "§ \x00 \ud800 \U0001f600", [], [[], [1, 2.5, [None]]], {}, {"dict": {"array": [0, "<f8", [1]]}, "float": "x"},
    np.float64(0.1), np.float32(math.nan), np.bool_(True), np.int8(-3), np.complex128(1 - 2j), np.longdouble("0.1"),
]  # fmt: skip
ARRAYS = [
    *(np.arange(6).reshape(2, 3).astype(dtype) for dtype in "?bBhHiIlLqQefdgFDG"),
    np.arange(6.0).reshape(2, 3).T, np.arange(10.0)[::-3], np.arange(3, dtype=">f8"), np.zeros((0, 3)), np.array(1.5),
    np.array([math.nan, ODD_NAN, -0.0]), np.broadcast_to(np.float32(1), (2, 2)),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES + ARRAYS, ids=lambda value: f"{type(value).__name__}")
def test_value_travels_bit_for_bit(value):
    tag = b"t" * TAG_BYTES
    whole = b"".join(encode(value, tag))
    for step in (1, 7, len(whole)):
        decoder = Decoder(tag)
        fed = [decoder.feed(whole[i : i + step]) for i in range(0, len(whole), step)]
        assert fed == [False] * (len(fed) - 1) + [True]
        assert same(decoder.value(), value)


def test_values_travel_through_a_worker(worker):
    for value in (*VALUES, *ARRAYS, VALUES, ARRAYS, {"states": np.arange(10**6, dtype=float), "more": ARRAYS}):
        result = worker.call(value=value)
        assert same(result, value)
    assert worker.call(value=(1, (2,))) == [1, [2]]
    array = worker.call(value=np.zeros(3))
    array[0] = 1  # it is the owner's to write to


def message(header, body=b"", tag=b"t" * TAG_BYTES):
    return tag + struct.pack(">Q", len(header)) + header + body


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"t" * TAG_BYTES + b"\xff" * 8,
        b"t" * TAG_BYTES + b"\x00" * 8 + b"x",
        message(b"not JSON"),
        message(b"\xff\xfe"),
        message(b"[" * 100_000),
        message(b"[]"),
        message(b'{"value":1}'),
        message(b'{"value":NaN,"sizes":[]}'),
        message(b'{"value":1,"sizes":[-1]}'),
        message(b'{"value":1,"sizes":[1.5]}'),
        message(b'{"value":1,"sizes":[99999999999999]}'),
        message(b'{"value":1,"sizes":[]}', b"more"),
        message(b'{"value":' + b"9" * 5000 + b',"sizes":[]}'),
        message(b'{"value":{},"sizes":[]}'),
        message(b'{"value":{"int":"x"},"sizes":[]}'),
        message(b'{"value":{"float":"00"},"sizes":[]}'),
        message(b'{"value":{"float":"0"},"sizes":[]}'),
        message(b'{"value":{"pickle":"x"},"sizes":[]}'),
        message(b'{"value":{"dict":{},"int":"0x1"},"sizes":[]}'),
        message(b'{"value":{"array":[0,"<f8",[1]]},"sizes":[]}'),
        message(b'{"value":{"array":[0,"<f8",[2]]},"sizes":[8]}', bytes(8)),
        message(b'{"value":{"array":[0,"<f8",[-1]]},"sizes":[8]}', bytes(8)),
        message(b'{"value":{"array":[0,"|O8",[1]]},"sizes":[8]}', bytes(8)),
        message(b'{"value":{"array":[0,"<f3",[1]]},"sizes":[8]}', bytes(8)),
        message(b'{"value":{"array":[0,"<f8",[0,99999999999999999999999]]},"sizes":[0]}'),
        message(b'{"value":{"scalar":[0,"<f8",[1]]},"sizes":[8]}', bytes(8)),
        message(b'{"value":' + b"[" * 70 + b"]" * 70 + b',"sizes":[]}'),
    ],
    ids=lambda data: repr(data[24:64]),
)
def test_bytes_that_are_no_message_are_refused(data):
    def decode():
        decoder = Decoder(b"t" * TAG_BYTES)
        assert decoder.feed(data), "the decoder waits for more"
        return decoder.value()

    with pytest.raises(WireError):
        decode()


def test_message_cut_short_has_no_value():
    tag = bytes(TAG_BYTES)
    decoder = Decoder(tag)
    assert not decoder.feed(b"".join(encode([1.5], tag))[:-1])
    with pytest.raises(WireError, match="ends 1 bytes early"):
        decoder.value()


def test_limit_holds_on_both_sides():
    tag = bytes(TAG_BYTES)
    with pytest.raises(WireError, match="over the limit of 100"):
        encode(np.zeros(100), tag, limit=100)
    with pytest.raises(WireError, match="over the limit of 100"):
        encode("x" * 100, tag, limit=100)
    with pytest.raises(WireError, match="over the limit of 100"):
        Decoder(tag, limit=100).feed(b"".join(encode(np.zeros(100), tag)))
