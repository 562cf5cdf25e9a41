"""Killed at fifty random moments, a campaign on a cluster gives the verdicts of an unbroken one."""

import random
import subprocess
import sys
import time

import pytest

pytest.importorskip("distributed", reason="distributed is in the extra of that name")

from dask_tools import Processes, briefly, judged

from verify import campaign
from verify.checks import SUITES
from verify.executors import make_executor
from verify.planning import plan

KILLS = 50
ASKED = {"measures": ["legs", "legt", "fout", "lmu"], "orders": list(range(2, 52)), "checks": ["matrices"]}
CLIENT = f"""
import sys
from pathlib import Path

from dask_tools import briefly
from verify import campaign
from verify.checks import SUITES
from verify.executors import ExecutorError, make_executor
from verify.executors.cluster import connection
from verify.planning import plan

connection.ANSWER_SECONDS = 1.0
asked = plan(["hippo-fast-numpy"], suite=SUITES["quick"], **{ASKED!r})
try:
    campaign.run(asked, Path(sys.argv[2]), executor=make_executor("dask", 1, sys.argv[1]), work=briefly, wait=10)
except (ExecutorError, ValueError) as error:
    sys.exit(str(error))
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_nothing_is_lost_or_doubled(tmp_path, seed, record_property):
    drawn = random.Random(seed)
    asked = plan(["hippo-fast-numpy"], suite=SUITES["quick"], **ASKED)
    campaign.run(asked, tmp_path / "unbroken", executor=make_executor("serial", 1), work=briefly)
    expected = judged(tmp_path / "unbroken")
    cluster = Processes(tmp_path)
    killed = dict.fromkeys(("worker", "scheduler", "client"), 0)
    broken = [tmp_path / "broken-0"]
    running = {}
    try:
        while sum(killed.values()) < KILLS:
            if not _runs(running.get("scheduler")):
                cluster.start_scheduler()
                running["scheduler"] = cluster.scheduler
                running.pop("worker", None)  # it leaves with its scheduler
            if not _runs(running.get("worker")):
                running["worker"] = cluster.start_worker(threads=2)
            client = running.get("client")
            if client is not None and client.poll() == 0:
                broken.append(tmp_path / f"broken-{len(broken)}")
            if not _runs(client):
                running["client"] = cluster.start(sys.executable, "-c", CLIENT, cluster.address, str(broken[-1]))
            # At some moment of its beginning, or once so much more is in the store.
            more = drawn.choice([0, 0, 3, 10, 40, 100])
            _await_growth(running["client"], broken[-1] / "verdicts.jsonl", more)
            try:
                running["client"].wait(drawn.uniform(0, 4 if more == 0 else 0.3))
            except subprocess.TimeoutExpired:
                whom = drawn.choice(list(killed))
                running[whom].kill()
                running[whom].wait()
                killed[whom] += 1
        if not _runs(running["scheduler"]):
            cluster.start_scheduler()
        if not _runs(running["worker"]) or not _runs(running["scheduler"]):
            cluster.start_worker(threads=2)
        while running["client"].wait(120) != 0:
            running["client"] = cluster.start(sys.executable, "-c", CLIENT, cluster.address, str(broken[-1]))
    finally:
        cluster.close()
    record_property("killed", str(killed))
    print(f"killed {killed} over {len(broken)} campaigns of {len(asked)} units")  # noqa: T201 -- `pytest -rP` shows it
    for folder in broken:
        assert judged(folder) == expected


def _await_growth(client, store, lines):
    def count():
        return store.read_bytes().count(b"\n") if store.exists() else 0

    until, end = count() + lines, time.monotonic() + 60
    while lines and count() < until and client.poll() is None and time.monotonic() < end:
        time.sleep(0.01)


def _runs(process):
    return process is not None and process.poll() is None
