"""Hostile targets at the matrices level; the answer of each is LegS where it gives one. See test_zoo.py."""
# ruff: noqa: N818, NPY002, PLE0307, SIM115, T201 -- they misbehave on purpose

import atexit
import contextlib
import ctypes
import decimal
import gc
import itertools
import os
import platform
import resource
import signal
import sys
import tempfile
import threading
import time
import warnings
from types import SimpleNamespace

import numpy as np

CALLS = itertools.count(1)
HELD = []


def legs(order):
    n = np.arange(order)
    r = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(r, r), -1) - np.diag(n + 1.0), r


def right(order):
    return legs(order)


# What gives no answer.


def crashes(order):
    ctypes.string_at(0)


def leaves(order):
    os._exit(0)


def asks_to_leave(order):
    sys.exit("enough")


def hangs(order):
    while True:
        time.sleep(1)


def hangs_in_c(order):
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    ctypes.PyDLL(None).sleep(60)


def hangs_and_catches(order):
    for number in (signal.SIGTERM, signal.SIGABRT, signal.SIGALRM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    hangs(order)


def hangs_once_in_fifty(order):
    if next(CALLS) % 50 == 3:
        hangs(order)
    return legs(order)


def hangs_in_its_words(order):
    class Slow(Exception):
        def __str__(self):
            while True:
                pass

    raise Slow


class Waiting:
    def __array__(self, dtype=None, copy=None):
        time.sleep(60)


def hangs_when_read(order):
    return Waiting(), np.ones(order)


def eats(order):
    while True:
        HELD.append(np.ones(2**20))


def eats_by_threads(order):
    for _ in range(4):
        threading.Thread(target=eats, args=(order,), daemon=True).start()
    time.sleep(60)


def eats_in_children(order):
    for _ in range(3):
        if os.fork() == 0:
            eats(order)
    time.sleep(60)


def answers_hugely(order):
    return np.broadcast_to(1.0, (2**14, 2**14)), np.ones(2**14)


def recurses(order):
    return recurses(order)


def recurses_in_c(order):
    sys.setrecursionlimit(10**9)
    one, other = [], []
    for _ in range(10**6):
        one, other = [one], [other]
    return one == other


def shouts(order):
    raise ValueError("\x1b[31m[red]loud[/red] </script> \x00\r\n\ud800 " + "x" * 10**6)


def mute(order):
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no")

    raise Mute


def closes_everything(order):
    os.closerange(0, 4096)
    return legs(order)


def writes_everywhere(order):
    for fd in range(3, 1024):
        with contextlib.suppress(OSError):
            os.set_blocking(fd, False)
            os.write(fd, b"junk")
    return legs(order)


def kills_its_group(order):
    os.killpg(0, signal.SIGTERM)
    time.sleep(60)


def ends_its_thread(order):
    ctypes.CDLL(None).pthread_exit(None)


def forges_a_reply(order):
    from verify.isolation import worker

    words = "said \x1b[31m\n" + "y" * 10**6
    worker.encode = lambda reply, tag: __import__("verify.isolation.wire").isolation.wire.encode(
        {"kind": "raised", "what": words, "exception": "\x1b[2J", "traceback": ""}, tag
    )
    return legs(order)


def forges_an_answer(order):
    from verify.isolation import worker

    worker.encode = lambda reply, tag: __import__("verify.isolation.wire").isolation.wire.encode(
        {"kind": "ok", "value": {"arrays": [1, "x"], "status": "PASS"}}, tag
    )
    return legs(order)


def lowers_the_limit(order):
    sys.setrecursionlimit(len(__import__("inspect").stack()) + 12)
    return legs(order)


# What gives a wrong answer, or one of another form.


def pretends(order):
    print('{"kind":"ok","value":{"status":"PASS"}}', flush=True)
    A, B = legs(order)
    return A, 2 * B


def patches_numpy(order):
    A, B = legs(order)
    for name in ("allclose", "array_equal", "isclose", "isfinite"):
        setattr(np, name, lambda *_, **__: True)
    return A, 2 * B


def single_inside(order):
    A, B = legs(order)
    return A.astype(np.float32).astype(float), B.astype(np.float32).astype(float)


class Lying:
    dtype = np.dtype("float64")

    def __init__(self, array):
        self.array = array.astype(np.float32)
        self.shape = array.shape

    def __array__(self, dtype=None, copy=None):
        return self.array


def lies_about_its_dtype(order):
    A, B = legs(order)
    return Lying(A), Lying(B)


class Moody:
    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array * (1 + 1e-9 * next(CALLS))


def is_moody(order):
    A, B = legs(order)
    return Moody(A), B


class Posing:
    __class__ = np.ndarray


def poses(order):
    return Posing(), Posing()


def generates(order):
    yield from legs(order)


def nan_in_a_corner(order):
    A, B = legs(order)
    A[-1, 0] = np.nan
    return A, B


# What answers rightly, and leaves something behind.


def seeds(order):
    np.random.seed(0)
    return legs(order)


def reuses_its_memory(order):
    if not HELD:
        HELD.append(np.zeros(10**5))
    A, B = legs(order)
    view = HELD[0][: A.size].reshape(A.shape)
    view[...] = A
    return view, B


def leaks_files(order):
    HELD.append(tempfile.TemporaryFile())
    return legs(order)


def leaks_threads(order):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return legs(order)


def forks_and_answers_twice(order):
    if os.fork():
        time.sleep(0.02)
    return legs(order)


def moves(order):
    os.chdir("/")
    return legs(order)


def rounds_up(order):
    answer = legs(order)
    ctypes.CDLL(None).fesetround({"x86_64": 0x800, "aarch64": 0x400000}[platform.machine()])
    return answer


def flushes_to_zero(order):
    answer = legs(order)
    room = ctypes.create_string_buffer(256)
    ctypes.CDLL(None).fegetenv(room)
    place, bits = {"x86_64": (28, 0x8040), "aarch64": (0, 1 << 24)}[platform.machine()]
    word = int.from_bytes(room.raw[place : place + 4], "little") | bits
    ctypes.memmove(ctypes.byref(room, place), word.to_bytes(4, "little"), 4)
    ctypes.CDLL(None).fesetenv(room)
    return answer


def silences_errors(order):
    np.seterr(all="ignore")
    return legs(order)


def silences_warnings(order):
    warnings.simplefilter("ignore")
    return legs(order)


def sets_a_variable(order):
    os.environ["OMP_NUM_THREADS"] = "17"
    return legs(order)


def ignores_the_end(order):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return legs(order)


def sets_an_alarm(order):
    signal.setitimer(signal.ITIMER_REAL, 60)
    return legs(order)


def traces(order):
    sys.settrace(lambda *_: None)
    return legs(order)


def stops_the_collector(order):
    gc.disable()
    return legs(order)


def counts_coarsely(order):
    decimal.getcontext().prec = 3
    return legs(order)


def hides_its_files(order):
    os.umask(0o777)
    return legs(order)


def hooks_imports(order):
    sys.meta_path.insert(0, SimpleNamespace(find_spec=lambda *_: None))
    return legs(order)


def takes_the_streams(order):
    sys.stdout = sys.stderr = open(os.devnull, "w")
    return legs(order)


# What answers rightly, and only makes trouble.


def floods(order):
    for fd in (1, 2):
        for _ in range(20):
            os.write(fd, b"y" * 2**18)
    return legs(order)


class Clinging:
    def __del__(self):
        raise RuntimeError("let me live")


def clings(order):
    Clinging()
    return legs(order)


def hangs_at_exit(order):
    if not HELD:
        HELD.append(atexit.register(time.sleep, 60))
    return legs(order)


def chatters(order):
    def chatter():
        while True:
            os.write(1, b"chatter\n")
            time.sleep(0.001)

    if not HELD:
        HELD.append(threading.Thread(target=chatter, daemon=True).start())
    return legs(order)


def dumps(order):
    resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE))
    os.abort()


# For tests of their own.


def leaves_a_daemon(order):
    """Twice forked and in a session of its own; its id is in the file that a variable names."""
    if not HELD:
        HELD.append(1)
        read, write = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            os.write(write, str(os.getpid()).encode())
            time.sleep(600)
            os._exit(0)
        os.wait()
        HELD.append(int(os.read(read, 32)))
    A, B = legs(order)
    return A, B * 0 + HELD[1]


def leaves_a_bomb(order):
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    return legs(order)


def takes_its_time(order):
    until = time.monotonic() + 0.4
    while time.monotonic() < until:
        time.sleep(0.01)
    return legs(order)


def crowds(order):
    for _ in range(24):
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    time.sleep(60)
