"""What a campaign costs beside its checks: memory, overhead per cell, speed-up; a table in Markdown each.

    python tests/verify/campaign_bench.py memory --units 10000,100000,1000000
    python tests/verify/campaign_bench.py overhead --units 500,2500
    python tests/verify/campaign_bench.py speedup --plan docs/examples/campaign/plan.toml

The first two judge trivial units, so all that is measured is ours. Times mean something on an idle machine alone.
"""

import argparse
import importlib.util
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIGURATIONS = [("serial", 1), ("processes", 1), ("processes", 2), ("dask", 1), ("dask", 2)]


def available():
    """Those whose library is installed."""
    found = importlib.util.find_spec("distributed") is not None
    return [row for row in CONFIGURATIONS if row[0] != "dask" or found]


def once(executor, cores, number):
    """One campaign in a process of its own: cells, seconds, peak memory of the main process and of a worker in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "ignore", __file__, "one", executor, str(cores), str(number), folder]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def one(executor, cores, number, folder):
    """The same, in this process."""
    import campaign_tools as tools

    started = time.monotonic()
    targets = (*tools.OWN, "scipy-cont2discrete", "control-c2d") if number > 10_000 else tools.OWN[:2]
    report = tools.ran(folder, units=tools.plan_of(number, targets), executor=executor, cores=cores)
    seconds = time.monotonic() - started
    size = Path(folder, "verdicts.jsonl").stat().st_size / 2**20
    assert sum(1 for _ in report.verdicts) == sum(report.counts.values())
    peak = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    found = {"cells": len(report.verdicts), "seconds": seconds, "main": peak[0], "worker": peak[1], "store": size}
    json.dump(found, sys.stdout)


def real(executor, cores, plan):
    """The last line of a campaign that really judges, as a mapping; it begins without exact answers from before."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "verify.cli", "run", "--plan", str(plan), "--executor", executor),
            *("--workers", str(cores), "--store", f"{folder}/store", "--no-progress"),
        ]
        cache = {"HIPPO_VERIFY_CACHE": f"{folder}/cache"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ | cache)
        last = done.stderr.splitlines()[-1:]
        if not last or "status=" not in last[0]:
            raise SystemExit(done.stderr[-3000:])
        return dict(word.split("=", 1) for word in shlex.split(last[0])[1:])


def table(head, rows):
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def memory(units):
    """Peak memory by number of units, serially and on one worker process."""
    rows = []
    for executor, cores in (("serial", 1), ("processes", 1)):
        for number in units:
            found = once(executor, cores, number)
            worker = f"{found['worker']:.0f}" if executor == "processes" else "-"
            rows.append([executor, f"{found['cells']:,}", f"{found['main']:.0f}", worker, f"{found['store']:.0f}"])
            sys.stderr.write(f"{rows[-1]} {found['seconds']:.0f} s\n")
    return table(["executor", "units of one cell", "main process MiB", "worker MiB", "store MiB"], rows)


def overhead(units):
    """Seconds of trivial campaigns of two sizes, and their difference per cell: starting up is not in it."""
    small, large = units[0], units[-1]
    rows = []
    for executor, cores in available():
        first, last = once(executor, cores, small), once(executor, cores, large)
        each = (last["seconds"] - first["seconds"]) / max(last["cells"] - first["cells"], 1)
        pair = [f"{found['cells']}: {found['seconds']:.2f}" for found in (first, last)]
        rows.append([executor, cores, *pair, f"{1000 * each:.2f}"])
    return table(["executor", "workers", "cells: seconds", "cells: seconds", "ms per cell"], rows)


def speedup(plan):
    """Seconds of a real plan on each executor against serial; the verdicts must be as many of each kind."""
    rows, first = [], None
    for executor, cores in available():
        found = real(executor, cores, plan)
        seconds = float(found.pop("seconds"))
        del found["store"]
        first = first or (seconds, found)
        assert found == first[1], "the verdicts differ"
        rows.append([executor, cores, found["cells"], f"{seconds:.1f}", f"{first[0] / seconds:.2f}"])
    return table(["executor", "workers", "cells", "seconds", "speed-up"], rows)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["memory", "overhead", "speedup", "one"])
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--units", default="500,2500", help="numbers of units, with commas")
    parser.add_argument("--plan", type=Path, help="TOML file, as of hippo-verify run")
    given = parser.parse_args(arguments)
    if given.what == "one":
        executor, cores, number, folder = given.rest
        one(executor, int(cores), int(number), folder)
        return
    units = [int(part) for part in given.units.split(",")]
    made = {"memory": memory, "overhead": overhead}.get(given.what)
    sys.stdout.write((speedup(given.plan) if made is None else made(units)) + "\n")


if __name__ == "__main__":
    main()
