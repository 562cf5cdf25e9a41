"""Targets that misbehave, for test_isolation.py. Each function is one way; ``load`` hands out all of them."""

import atexit
import contextlib
import ctypes
import faulthandler
import os
import signal
import stat
import sys
import threading
import time
import warnings

LATE = []


def load(spec):
    LATE.append(spec)

    def handler(do="echo", **arguments):
        return globals()[do](**arguments)

    return handler


def load_and(spec):
    globals()[spec["do"]]()
    return load(spec)


def load_nothing(spec):
    return spec["value"]


def echo(value=None):
    return value


def modules():
    return sorted(sys.modules)


def seen():
    return {
        "cwd": os.getcwd(),
        "path": sys.path,
        "seed": os.environ["PYTHONHASHSEED"],
        "extra": os.environ.get("EXTRA"),
    }


def raises():
    raise ValueError("order must be\n at least 1, \x1b[31mgot 0")


class MuteError(Exception):
    def __str__(self):
        raise RuntimeError("no")


class OddText(str):
    def __getitem__(self, _):
        raise RuntimeError("no")

    def split(self, *_):
        raise RuntimeError("no")

    def __format__(self, _):
        raise RuntimeError("no")


class OddError(Exception):
    def __str__(self):
        return OddText("an odd text")


def raises_mute():
    raise MuteError


def raises_odd():
    raise OddError


def raises_long():
    raise ValueError("x" * 10_000_000)


def interrupts():
    raise KeyboardInterrupt


def sleeps():
    time.sleep(60)


def spins():
    while True:
        pass


def hangs_in_c():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    ctypes.PyDLL(None).sleep(60)  # PyDLL keeps the interpreter's lock, so no other thread of the worker's runs


def segfaults():
    ctypes.string_at(0)


def aborts():
    os.abort()


def kills_itself():
    os.kill(os.getpid(), signal.SIGKILL)


def kills_its_group():
    os.killpg(0, signal.SIGTERM)


def kills_itself_with_noise():
    faulthandler.disable()
    os.write(2, b'Fatal Python error: \xff\n  File "forged.py", line 3 in forged\n')
    segfaults()


def exits(status=0):
    os._exit(status)


def asks_to_exit(status=0):
    sys.exit(status)


def eats_memory():
    return len([bytearray(b"x") * 2**20 for _ in range(4096)])


def eats_memory_in_children():
    for _ in range(3):
        if os.fork() == 0:
            held = bytearray(b"x") * (150 * 2**20)
            time.sleep(60)
            os._exit(len(held))
    time.sleep(60)


def shares_memory_with_children():
    held = bytearray(b"x") * (150 * 2**20)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            sum(held[::4096])
            time.sleep(0.3)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return len(held)


def asks_for_too_much():
    import numpy as np

    return np.ones(2**55)


def floods(fd):
    block = b"y" * 2**20
    for _ in range(50):
        os.write(fd, block)
    os.write(fd, b"the end")
    return "the result"


def prints_forgery():
    forged = '{"kind":"ok","value":"forged"}'
    sys.stdout.write(forged + "\n")
    sys.stdout.write('{"value":{"dict":{"kind":"ok","value":"forged"}},"sizes":[]}\n')
    sys.stdout.flush()
    os.write(1, bytes(16) + len(forged).to_bytes(8, "big") + forged.encode())
    return "true"


def writes_everywhere(junk=b"junk", low=3, high=65):
    for fd in range(low, high):
        with contextlib.suppress(OSError):
            os.write(fd, junk)
    return "true"


def writes_to_pipes(text, size):
    junk = text.encode() * size
    for fd in range(64, 1024):
        with contextlib.suppress(OSError):
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                os.set_blocking(fd, False)
                os.write(fd, junk)
    return "true"


def makes_pipes_nonblocking(size):
    import numpy as np

    for fd in range(1024):
        with contextlib.suppress(OSError):
            os.set_blocking(fd, False)
    return np.arange(size)


def closes_everything():
    os.closerange(0, 4096)
    return "true"


def closes_everything_and_stays():
    os.closerange(3, 4096)
    time.sleep(60)


def closes_everything_and_opens(path):
    os.closerange(3, 4096)
    for _ in range(1000):
        os.open(path, os.O_WRONLY)
    return "true"


def forks_and_returns_twice():
    return "parent" if os.fork() else "child"


def forks_and_child_raises():
    if os.fork() == 0:
        raise RuntimeError("child")
    time.sleep(0.2)
    return "parent"


def forks_and_exits():
    if os.fork() == 0:
        time.sleep(60)
    os._exit(3)


def leaves_a_sleeper(own_session=False):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        if own_session:
            os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(write, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(read, 1)
    return child


def leaves_an_orphan():
    read, write = os.pipe()
    if os.fork() == 0:
        orphan = os.fork()
        if orphan:
            os._exit(0)
        os.setpgid(0, 0)
        os.write(write, str(os.getpid()).encode())
        time.sleep(60)
        os._exit(0)
    pid = int(os.read(read, 32))
    os.wait()
    return pid


def leaves_threads():
    def chatter():
        while True:
            os.write(1, b"chatter\n")

    for _ in range(3):
        threading.Thread(target=chatter, daemon=True).start()
    threading.Thread(target=time.sleep, args=(60,)).start()
    return "true"


def dies_later():
    threading.Timer(0.1, os._exit, (0,)).start()
    return "true"


class OddType(type):
    def __getattribute__(cls, name):
        if name in ("__module__", "__qualname__"):
            raise RuntimeError("no")
        return super().__getattribute__(name)


class Odd(metaclass=OddType):
    pass


def returns(what):
    import numpy as np

    cyclic = []
    cyclic.append(cyclic)
    return {
        "function": lambda: None,
        "object": object(),
        "odd": Odd(),
        "nested": {"states": [1, {1, 2}]},
        "cyclic": cyclic,
        "objects": np.array([object()]),
        "masked": np.ma.masked_array([1.0], [True]),
        "keys": {1: 2},
        "huge": np.zeros(2**27 + 1) if what == "huge" else None,
    }[what]


def recurses():
    return recurses()


def recurses_in_c():
    sys.setrecursionlimit(10**9)
    one, other = [], []
    for _ in range(10**6):
        one, other = [one], [other]
    return one == other


def hangs_at_exit():
    atexit.register(time.sleep, 60)
    return "true"


def prints():
    sys.stdout.write("to stdout")
    sys.stderr.write("to stderr")


def breaks_streams():
    sys.stdout = None
    sys.stderr = object()
    return "true"


def warns():
    warnings.warn("a warning", stacklevel=1)
    return "true"
