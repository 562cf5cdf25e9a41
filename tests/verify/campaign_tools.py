"""Campaigns of trivial units, to be stopped and killed at any moment: real plan, executors and store, no target asked.

As a program it runs such campaigns, each in a process of its own that can be killed: see `main`.
"""

import contextlib
import hashlib
import json
import math
import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil

from verify import campaign, judging
from verify.checks import SUITES
from verify.executors import make_executor
from verify.invocation import interruptible
from verify.isolation import Worker
from verify.store import VerdictStore
from verify.verdict import Status, Verdict

PROVENANCE = {"time": "2026-01-01T00:00:00+00:00", "versions": {}, "commit": "c", "dirty": False, "seed": 0}
OWN = ("hippo-fast-numpy", "hippo-fast-numba", "hippo-fast-numba-last", "hippo-fast-torch")


def plan_of(number, targets=OWN[:2]):
    """A plan of at least so many units of one cell each; of at most 3% more where there are many."""
    wide = number > 10_000
    asked = {
        "measures": ("legs", "legt", "lmu", "lagt", "fout", "legs_lti") if wide else ("legs", "legt", "fout"),
        "methods": ("bilinear", "zoh", "euler", "backward_euler") if wide else ("bilinear", "zoh", "euler"),
        "dtypes": ("float64", "float32") if wide else ("float64",),
    }
    rows = len(targets) * math.prod(map(len, asked.values()))
    orders = range(1, -(-number // rows) + 1)
    return campaign.plan(targets, **asked, checks=["scan"], orders=orders, suite=SUITES["quick"])


def trivial(unit):
    """A verdict for each cell, told by the unit alone; it takes up to 4 ms where `SLOW` is set."""
    verdicts = []
    for level in unit.levels:
        for check in unit.asked(level):
            number = int(hashlib.sha256(f"{unit.key}{check.key}".encode()).hexdigest()[:6], 16)
            case = replace(unit.case, level=level)
            if number % 7 == 0:
                verdicts.append(Verdict(check.key, check.claim, case, Status.UNSUPPORTED, message=f"number {number}"))
            else:
                verdicts.append(
                    Verdict(check.key, check.claim, case, Status.PASS, number / 2**24, 1.0, "a test", number,
                            seconds=time.monotonic() % 1)
                )  # fmt: skip
    if os.environ.get("SLOW"):
        time.sleep(number % 5 / 1000)
    return verdicts


def deadly(unit):
    """The same, but one unit ends its process."""
    if unit.target == OWN[0] and (unit.case.order, unit.case.measure, unit.case.method) == (2, "legt", "zoh"):
        os.kill(os.getpid(), signal.SIGKILL)
    return trivial(unit)


def hang(spec):
    """What a target's process loads: it never answers, and says when it is asked."""

    def handler():
        Path(spec["told"]).touch()
        while True:
            time.sleep(1)

    return handler


def hanging(unit):
    """Asks a target that hangs, in a process of its own, as `run_unit` does."""
    told = Path(os.environ["TOLD"]) / f"{os.getpid()}"
    worker = Worker("campaign_tools:hang", {"told": str(told)}, memory_limit=None)
    judging._WORKERS[unit.library] = worker
    worker.call()
    return trivial(unit)


def collected(seed):
    return {**PROVENANCE, "seed": seed}


def ran(folder, number=40, executor="serial", cores=2, work=trivial, units=None, **options):
    """A campaign of trivial units."""
    campaign.collect = collected
    made = make_executor(executor, cores)
    return campaign.run(plan_of(number) if units is None else units, Path(folder), executor=made, work=work, **options)


def same(path):
    """The records of a store but for the clock, and for digests, which are over it."""
    dropped = ("seconds", "time", "digest")
    lines = path.read_bytes().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key not in dropped} for line in lines]


def family(process):
    """A process and all that it has started."""
    with contextlib.suppress(psutil.Error):
        return [process, *process.children(recursive=True)]
    return []


def is_worker(process):
    """Whether it is one of a pool's, and no tracker of resources."""
    with contextlib.suppress(psutil.Error):
        return "spawn_main" in " ".join(process.cmdline())
    return False


def outliving(processes, seconds):
    """Those that still run after so long; one that is dead, and that nobody has asked for its status, does not."""
    until = time.monotonic() + seconds
    while True:
        left = []
        for process in processes:
            with contextlib.suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE:
                    left.append(process)
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.01)


def begin(folder, number, executor, cores, work="trivial"):
    """A campaign in a forked process; returns its id."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setpgid(0, 0)
            try:
                with interruptible():
                    ran(folder, number, executor, cores, globals()[work])
            except KeyboardInterrupt:
                os._exit(130)
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 -- a forked copy must end here
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            sys.stderr.flush()
            os._exit(9)
    return pid


def status_of(pid, seconds=60.0):
    """How a child ended, negative for a signal; None if it has not within so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


def killed(folder, number, executor, cores, times, seed, length):
    """Kill a campaign so often, at drawn moments, and go on with it until it is done.

    Args:
        folder: of the store.
        number: units.
        executor: name.
        cores: workers.
        times: how often.
        seed: of the moments.
        length: seconds that an unbroken run takes: the moments lie within.

    Returns:
        What was killed, by kind: ``main``, ``worker``, or ``late`` where the campaign was done before.
    """
    draw, tally = random.Random(seed), {"main": 0, "worker": 0, "late": 0}
    for _ in range(times):
        pid = begin(folder, number, executor, cores)
        moment = time.monotonic() + draw.uniform(0, length)
        worker = executor != "serial" and draw.random() < 0.5
        while time.monotonic() < moment:
            time.sleep(0.001)
        if worker:
            workers = [one for one in family(psutil.Process(pid))[1:] if is_worker(one)]
            if workers:
                with contextlib.suppress(psutil.Error):
                    draw.choice(workers).kill()
                tally["worker"] += 1
            code = status_of(pid)  # it goes on by itself
            assert code in (0, None), code
            if code == 0:
                return tally | {"done": True}
        others = family(psutil.Process(pid)) if psutil.pid_exists(pid) else []
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        code = status_of(pid)
        tally["main" if code == -signal.SIGKILL else "late"] += 1
        left = outliving(others[1:], 10)
        assert not left, f"{left} outlived the campaign"
        if code == 0:
            break
    return tally


def finished(folder, number, executor, cores):
    """Go on until it is done."""
    code = status_of(begin(folder, number, executor, cores))
    assert code == 0, code


def sealed(folder, number, moment):
    """Kill a campaign while its store is put into order, at the first or second time it is made durable there."""
    pid = os.fork()
    if pid == 0:
        end, calls = VerdictStore.end, []

        def fsync(handle, really=os.fsync):
            calls.append(handle)
            if len(calls) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            really(handle)

        def ending(self, *arguments):
            os.fsync = fsync
            return end(self, *arguments)

        VerdictStore.end = ending
        ran(folder, number, units=list(reversed(plan_of(number))))
        os._exit(0)
    code = status_of(pid)
    assert code == -signal.SIGKILL, code


def stopped(folder, executor, number, told):
    """Ctrl-C, twice and to the whole group as a terminal does it, while targets hang; seconds until the end."""
    os.environ["TOLD"] = str(told)
    pid = begin(folder, 200, executor, 2, "hanging")
    wanted = 1 if executor == "serial" else 2
    until = time.monotonic() + 60
    while len(list(told.iterdir())) < wanted and time.monotonic() < until:
        time.sleep(0.01)
    all_of_it = family(psutil.Process(pid))
    assert len(all_of_it) > wanted, "no target is at work"
    started = time.monotonic()
    os.killpg(pid, number)
    time.sleep(0.05)
    os.killpg(pid, number)
    code = status_of(pid, 20)
    took = time.monotonic() - started
    left = outliving(all_of_it[1:], 1)
    assert not left, f"{left} outlived the campaign"
    assert code == 130, code
    return took


def main(kind, folder, *rest):
    """``kills FOLDER EXECUTOR TIMES SEED``, ``stops FOLDER``, ``seals FOLDER``: JSON on standard output."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "kills":
        executor, times, seed = rest[0], int(rest[1]), int(rest[2])
        os.environ["SLOW"] = "1"
        began = time.monotonic()
        finished(folder / "whole", UNITS, executor, 2)
        length = time.monotonic() - began
        found, number, left = {"main": 0, "worker": 0, "late": 0}, 0, times
        while left > 0:
            store = folder / f"store-{number}"
            share = min(left, KILLS)
            tally = killed(store, UNITS, executor, 2, share, seed + number, length)
            left -= tally["main"] + tally["worker"]  # one that had ended before was not killed
            for what in found:
                found[what] += tally[what]
            if not tally.get("done"):
                finished(store, UNITS, executor, 2)
            assert same(store / "verdicts.jsonl") == same(folder / "whole/verdicts.jsonl"), f"{store} differs"
            number += 1
        answer = {**found, "campaigns": number, "seconds": length}
    elif kind == "stops":
        answer = {}
        for executor, number in STOPS:
            told = folder / f"{executor}-{number}"
            told.mkdir()
            answer[f"{executor} {signal.Signals(number).name}"] = stopped(folder / "s", executor, number, told)
    else:
        finished(folder / "whole", UNITS, "serial", 1)
        for moment in (1, 2):
            sealed(folder / f"{moment}", UNITS, moment)
            finished(folder / f"{moment}", UNITS, "serial", 1)
            assert same(folder / f"{moment}/verdicts.jsonl") == same(folder / "whole/verdicts.jsonl")
        answer = {"sealed": 2}
    json.dump(answer, sys.stdout)


UNITS = 90
STOPS = [("serial", signal.SIGINT), ("processes", signal.SIGINT), ("processes", signal.SIGTERM)]
KILLS = 5
"""Times that one campaign is killed, before it may go on to its end."""

if __name__ == "__main__":
    import campaign_tools  # its functions then go by that name, which a worker can import

    campaign_tools.main(*sys.argv[1:])
