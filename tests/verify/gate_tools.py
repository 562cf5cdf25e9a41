"""A project of a few lines with benchmarks of every sort, in a repository; and sides that are measured by no clock."""

import subprocess
import sys
from pathlib import Path

from verify.gate.rounds import Rounds
from verify.gate.worker import Tree

CONFIGURATION = """{
    // asv allows comments, "quoted // ones" and commas too many
    "version": 1, "project": "toy", "repo": ".", "benchmark_dir": "marks", /* there */
}
"""
TOY = """
TIMES = 1
ERROR = 0.25
BITS = 3.0


def work(count):
    for _ in range(TIMES):
        total = sum(k * k for k in range(count))
    return total
"""
MARKS = """
import os
import time

import toy


class Work:
    version = "1"
    params = [[40, 80]]
    param_names = ["count"]

    def setup_cache(self):
        return {"error": toy.ERROR}

    def setup(self, cache, count):
        if count == 80:
            raise NotImplementedError("80 is too much")

    def time_work(self, cache, count):
        toy.work(count)

    def track_error(self, cache, count):
        return cache["error"]

    track_error.unit = "error / bound"


def track_bits():
    return toy.BITS


track_bits.unit = "bits lost"
"""
ODD = """
import os
import time


def time_crash():
    os.abort()


def time_raise():
    raise ValueError("no such luck")


def time_hang():
    time.sleep(60)


time_hang.timeout = 0.2


def track_nan():
    return float("nan")


def track_dict():
    return {"a": 1}


def track_drawn():
    return os.getpid()


def track_what():
    return 1.0


for each in (track_nan, track_dict, track_drawn):
    each.unit = "bits lost"


def peakmem_list():
    return [0] * 1000
"""


def lean_python(folder):
    """An interpreter that knows asv_runner and nothing else: it starts in a fraction of the time."""
    import asv_runner

    folder.mkdir(parents=True)
    (folder / "packages").mkdir()
    (folder / "packages/asv_runner").symlink_to(Path(asv_runner.__file__).parent)
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{folder / "packages"}" exec {sys.executable} -S "$@"\n')
    program.chmod(0o755)
    return str(program)


def git(folder, *arguments):
    """Git, as somebody."""
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def repository(folder, *, odd=False):
    """A project with one commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main", ".")
    write(folder, {"asv.conf.json": CONFIGURATION, "toy.py": TOY, "marks/__init__.py": "", "marks/bench.py": MARKS})
    if odd:
        write(folder, {"marks/odd.py": ODD})
    commit(folder, "one")
    return folder


def write(folder, files):
    """Files by name."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def commit(folder, subject):
    """All that is there."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", subject)


class Simulated:
    """`Workers` that start nothing: every answer is computed from side, name and how often it was asked."""

    def __init__(self, benchmarks, answer):
        self.benchmarks = benchmarks
        self.answer = answer
        self.asked = []
        self.started = 0

    def __call__(self, trees, **options):
        self.started += 1
        self.options = options
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def get(self, side, *, preload=True):
        return SimulatedWorker(self, side, preload)


class SimulatedWorker:
    def __init__(self, workers, side, preload):
        self.workers, self.side, self.preload = workers, side, preload

    def list(self, distributions):
        return {"benchmarks": self.workers.benchmarks[self.side], "broken": {}, "environment": {"python": "3"}}

    def ask(self, request):
        self.workers.asked.append((self.side, self.preload, request))
        if request["do"] == "cache":
            return {"status": "measured", "seconds": 0.0}
        return self.workers.answer(self.side, request)


def row(name, unit="seconds", **more):
    """A benchmark as `measure` lists it."""
    return {
        "name": name, "benchmark": name, "index": None, "type": "time", "unit": unit, "version": "1", "cache": None,
        "timeout": None, "cache_timeout": None, **more,
    }  # fmt: skip


def trees(folder):
    """Two trees that are nowhere."""
    found = []
    for side in ("base", "head"):
        work = folder / side
        work.mkdir(parents=True, exist_ok=True)
        found.append(
            Tree(
                side=side, label=side, revision=None, content=side, folder=work, benchmarks=work, python=sys.executable,
                work=work,
            )
        )  # fmt: skip
    return found


def measured(found, plan, journal, folder, **more):
    """`Rounds` without a listener."""
    return Rounds(
        found, plan, journal, Path(folder) / "log", progress=lambda *_: None, machine={"cpu": "a"}, **more
    )  # fmt: skip
