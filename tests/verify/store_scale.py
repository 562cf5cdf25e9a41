"""A store of any size, written, gone on with, sealed, read and tabulated: what memory, time and room that takes.

    python tests/verify/store_scale.py FOLDER UNITS VERDICTS_OF_EACH

Each step runs in a process of its own, and prints its seconds of processor time and its largest resident memory.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from store_tools import FINGERPRINT, PROVENANCE, verdict

from verify.frame import load, write_parquet
from verify.store import VerdictStore
from verify.stored import open_store

STEPS = ("nothing", "write", "go on", "read", "parquet", "frame")
SAMPLES = [(0.37 * number) % 1 - 0.5 for number in range(24)]


def key(index):
    return f"{index:012x}:quick:7"


def write(folder, units, each):
    """Units in another order than the plan, a sync for every hundred; not ended."""
    worst = {"what": "state 3", "index": [3], "input": {"samples": [value.hex() for value in SAMPLES]}}
    verdicts = [verdict(number, number, worst=worst) for number in range(each)]
    with VerdictStore(folder, PROVENANCE, FINGERPRINT) as store:
        for index in range(units):
            place = min(index ^ 1, units - 1) if units % 2 == 0 else index
            store.add(place, key(place), verdicts)
            if index % 100 == 0:
                store.sync()
        store.sync()


def go_on(folder, units, each):
    with VerdictStore(folder, PROVENANCE, FINGERPRINT) as store:
        assert all(key(index) in store.finished for index in range(units))
        assert sum(len(store.verdicts(key(index))) for index in range(0, units, 100)) == each * len(
            range(0, units, 100)
        )
        store.end(map(key, range(units)), [])


def read(folder, units, each):
    found = open_store(folder)
    assert sum(1 for _ in found) == len(found) == units * each


def main(folder, units, each, step=None):
    folder = Path(folder)
    if step is None:
        return measured(folder, units, each)
    act = {
        "nothing": lambda: None,
        "write": lambda: write(folder, int(units), int(each)),
        "go on": lambda: go_on(folder, int(units), int(each)),
        "read": lambda: read(folder, int(units), int(each)),
        "parquet": lambda: write_parquet(folder, folder / "verdicts.parquet"),
        "frame": lambda: load(folder),
    }[step]
    started = time.process_time()
    act()
    seconds = time.process_time() - started
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took = {"step": step, "cpu_seconds": round(seconds, 2), "megabytes": round(megabytes)}
    print(json.dumps(took))  # noqa: T201 -- a program
    return None


def measured(folder, units, each):
    """Every step, measured; step -> what it took."""
    found = {}
    for step in STEPS:
        command = [sys.executable, __file__, folder, str(units), str(each), step]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        print(done.stdout, end="", flush=True)  # noqa: T201
        found[step] = json.loads(done.stdout)
    for name in ("verdicts.jsonl", "verdicts.parquet"):
        size = (folder / name).stat().st_size / int(units) / int(each)
        print(f"{name}: {size:.0f} bytes a verdict")  # noqa: T201
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
