"""Clusters made of real processes, and work that takes no time: schedulers and workers to be killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from verify.boundary import Exact
from verify.case import Case
from verify.verdict import Status, Verdict

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Piece:
    """A unit of which the test says what becomes of it."""

    name: str
    what: str = "answer"
    folder: str = ""

    @property
    def case(self):
        return Case(self.name)

    levels = ("matrices",)

    def asked(self, level):
        return [SimpleNamespace(key="check", claim="a claim")]


def log(folder, line):
    with (Path(folder) / "log").open("a") as file:
        file.write(line + "\n")


def lines(folder):
    path = Path(folder) / "log"
    return path.read_text().split() if path.exists() else []


def verdict(name):
    return Verdict("check", "a claim", Case(name), Status.INCONCLUSIVE, message=name)


def work(piece):
    """Judge a piece: it is logged when it begins."""
    if piece.folder:
        log(piece.folder, piece.name)
    if piece.what == "raises":
        raise ZeroDivisionError(piece.name)
    if piece.what == "slow":
        time.sleep(0.3)
    if piece.what == "hangs-at-first" and lines(piece.folder).count(piece.name) == 1:
        time.sleep(600)
    if piece.what == "dies" or (piece.what == "dies-at-first" and lines(piece.folder).count(piece.name) == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if piece.what == "exact":
        return [exact(piece)]
    return [verdict(piece.name)]


def exact(piece):
    """A verdict that depends on an exact array, the name of which is the piece's; who computes it is logged."""
    from verify.exact_store import key_of
    from verify.judging import process_oracle

    def compute():
        log(piece.folder, f"computed-{piece.name}")
        time.sleep(0.05)
        return Exact(np.full(1000, float(len(piece.name))), np.zeros(1000))

    found = process_oracle().exact.get(key_of(piece.name), compute)
    return verdict(f"{piece.name} {found.high.sum():g}")


def briefly(unit):
    """Judge a unit of a real plan in no time: its verdicts are its name."""
    time.sleep(0.03)
    found = [
        Verdict(check.key, check.claim, replace(unit.case, level=level), Status.INCONCLUSIVE, message=unit.key)
        for level in unit.levels
        for check in unit.asked(level)
    ]
    return [replace(verdict, seconds=time.monotonic() % 1) for verdict in found]


def judged(folder):
    """What a store says of units and verdicts, but for the seconds and the digests over them."""
    records = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()]
    for record in records:
        for key in ("seconds", "digest"):
            record.pop(key, None)
    return [record for record in records if record["kind"] in ("verdict", "unit")]


def until(condition, seconds=20.0):
    """What a condition gives once it gives something."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it has not come to be"
        time.sleep(0.02)
    return found


def alive(pid):
    """Whether there is such a process, and it is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def children(pid):
    """All processes below one."""
    import psutil

    with contextlib.suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return []


class Processes:
    """A scheduler and its workers, by hand; all of them end with the test."""

    def __init__(self, folder):
        self.folder = folder
        self.started = []
        self.scheduler = None
        self.address = None

    def start(self, *command, **variables):
        """A process that ends with the rest; what it says goes to a file."""
        log = (self.folder / f"{len(self.started)}.log").open("w")
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])]), **variables},
        )  # fmt: skip
        log.close()
        self.started.append(process)
        return process

    def start_scheduler(self, **variables):
        path = self.folder / f"scheduler-{len(self.started)}.json"
        self.scheduler = self.start(
            sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(path), **variables,
        )  # fmt: skip
        until(lambda: path.exists() and path.read_text().endswith("}"))
        self.address = json.loads(path.read_text())["address"]
        return self.address

    def start_worker(self, threads=1, before="", **variables):
        """A worker without a nanny, so that what is killed stays dead."""
        code = f"{before}\nfrom distributed.cli.dask_worker import main; main()"
        options = [self.address, "--nthreads", str(threads), "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
        return self.start(sys.executable, "-c", code, *options, "--host", "127.0.0.1", **variables)

    def close(self):
        below = [pid for process in self.started for pid in children(process.pid)]
        for process in self.started:
            process.kill()
            process.wait()
        until(lambda: not any(map(alive, below)), 5)
