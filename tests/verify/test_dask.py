"""The executor on Dask: the same verdicts, each exactly once, whoever is killed, joins late or is not like us."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("distributed", reason="distributed is in the extra of that name")

from dask_tools import Piece, Processes, alive, children, judged, lines, until, work

from verify import campaign
from verify.boundary import Exact
from verify.checks import SUITES
from verify.exact_store import Files, encoded, key_of
from verify.executors import Batch, ExecutorError, dask_executor, make_executor
from verify.executors.cluster import connection
from verify.executors.cluster import shelf as shelf_module
from verify.executors.cluster.errand import Errand
from verify.executors.cluster.likeness import differences, likeness
from verify.executors.cluster.shelf import Shelf
from verify.planning import plan
from verify.verdict import Status


def batches(pieces, size=1):
    numbered = list(enumerate(pieces))
    return [Batch(tuple(numbered[k : k + size]), "library", 1.0) for k in range(0, len(numbered), size)]


def messages(done):
    return {index: [verdict.message for verdict in verdicts] for index, _, verdicts in done}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(dask_executor, "WORKERS_SECONDS", 30.0)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler with one worker of two threads, which nobody kills."""
    processes = Processes(tmp_path_factory.mktemp("cluster"))
    processes.start_scheduler()
    processes.start_worker(threads=2)
    yield processes
    processes.close()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    processes = Processes(tmp_path_factory.mktemp("scheduler"))
    processes.start_scheduler()
    yield processes
    processes.close()


@pytest.fixture
def own(scheduler, tmp_path):
    """A scheduler without workers; those of the test end with it."""
    processes = Processes(tmp_path)
    processes.address = scheduler.address
    yield processes
    processes.close()


@pytest.fixture
def mortal(tmp_path):
    """A scheduler without workers, to be killed."""
    processes = Processes(tmp_path)
    processes.start_scheduler()
    yield processes
    processes.close()


@pytest.mark.parametrize("where", ["here", "there"])
def test_each_unit_is_given_exactly_once_and_few_are_taken_ahead(where, request):
    address = request.getfixturevalue("cluster").address if where == "there" else None
    taken, seen, ahead = 0, 0, 0

    def lazily():
        nonlocal taken
        for batch in batches([Piece(f"p{k}") for k in range(60)], size=3):
            taken += 3
            yield batch

    found, waited = [], []
    with make_executor("dask", 2, address) as executor:
        assert executor.cores == 2
        executor.waiting = lambda: waited.append(seen)
        for done in executor.run(lazily(), work):
            seen += 1
            ahead = max(ahead, taken - seen)
            found.append(done)
            assert len(executor.under_way()) <= 2
    assert messages(found) == {k: [f"p{k}"] for k in range(60)}
    assert len(found) == 60
    assert ahead < 9
    assert waited


def test_what_the_work_raises_is_raised_here_and_names_where(cluster):
    with make_executor("dask", 1, cluster.address) as executor:
        run = executor.run(batches([Piece("good"), Piece("bad", "raises"), Piece("never")], size=3), work)
        assert next(run)[1].name == "good"
        with pytest.raises(ZeroDivisionError, match="bad") as raised:
            next(run)
    assert "on worker tcp://" in raised.value.__notes__[0]


def test_a_unit_that_ends_its_judge_is_asked_again_and_one_that_always_does_is_an_error(cluster, tmp_path):
    folder = str(tmp_path)
    pieces = [Piece("a"), Piece("unlucky", "dies-at-first", folder), Piece("poison", "dies", folder), Piece("z")]
    with make_executor("dask", 1, cluster.address) as executor:
        found = list(executor.run(batches(pieces, size=4), work))
    assert Counter(lines(folder)) == {"unlucky": 2, "poison": 3}
    said = {unit.name: verdicts for _, unit, verdicts in found}
    assert messages(found)[1] == ["unlucky"]
    (error,) = said["poison"]
    assert error.status is Status.ERROR
    assert "was killed by SIGKILL" in error.message
    assert len(found) == 4


def test_a_worker_that_is_killed_loses_and_doubles_nothing_and_one_that_joins_late_is_used(own, tmp_path):
    folder = str(tmp_path)
    pieces = [Piece("first", "hangs-at-first", folder), *(Piece(f"p{k}", "answer", folder) for k in range(7))]
    worker = own.start_worker()
    with make_executor("dask", 1, own.address) as executor:
        run = executor.run(batches(pieces, size=4), work)
        executor.waiting = partial(_kill_when_begun, own, worker, folder)
        found = list(run)
    assert messages(found) == {k: [piece.name] for k, piece in enumerate(pieces)}
    assert len(found) == 8
    assert lines(folder).count("first") == 2
    assert len(own.started) == 2


def _kill_when_begun(own, worker, folder):
    """Once its first unit is under way: end the only worker, judges and all, and then start another."""
    if worker.poll() is None and lines(folder):
        below = children(worker.pid)
        worker.kill()
        worker.wait()
        until(lambda: below and not any(map(alive, below)))
        own.start_worker()


def test_exact_arrays_are_computed_once_by_machines_that_share_no_folder(own, tmp_path):
    for name in ("one", "two"):
        own.start_worker(HIPPO_VERIFY_CACHE=str(tmp_path / name))
    names = [f"array{k}" for k in range(12)]
    pieces = [Piece(name, "exact", str(tmp_path)) for name in names for _ in range(2)]
    with make_executor("dask", 1, own.address) as executor:
        found = list(executor.run(batches(pieces), work))
    assert {text for said in messages(found).values() for text in said} == {
        f"{name} {1000 * len(name)}" for name in names
    }
    computed = Counter(line for line in lines(tmp_path) if line.startswith("computed"))
    assert computed == {f"computed-{name}": 1 for name in names}
    kept = [{path.name for path in (tmp_path / name).rglob("*") if len(path.name) == 64} for name in ("one", "two")]
    assert kept[0] & kept[1]  # both had some work, and some of it needed the same


def test_a_worker_that_is_not_like_us_is_given_no_work_and_the_reason(own, capsys, monkeypatch):
    other = "import verify.provenance as p; found = {**p.versions(), 'numpy': '0.1'}; p.versions = lambda: found"
    own.start_worker(before=other)
    monkeypatch.setattr(dask_executor, "WORKERS_SECONDS", 1.0)
    with make_executor("dask", 1, own.address) as executor:
        until(lambda: executor._cluster.refused)
        with pytest.raises(ExecutorError, match="no worker that can be used for 1 s; those it has are given no work:"):
            list(executor.run(batches([Piece("a")]), work))
    error = capsys.readouterr().err
    assert "is given no work: numpy is 0.1 there and " in error


def test_what_makes_verdicts_differ_is_named():
    here = likeness()
    assert differences(here, dict(here)) == []
    assert {"python", "numpy", "distributed", "source", "blas", "platform"} <= set(here)
    there = {name: value for name, value in here.items() if name != "scipy"} | {"source": "other", "torch": "9"}
    said = "; ".join(differences(here, there))
    assert "scipy is not installed there" in said
    assert "the source of hippo-verify is other there" in said
    assert "torch is 9 there" in said


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("tcp://127.0.0.1:9", "no answer|Timed out"),
        ("no address at all", "missing port number"),
        ("http://127.0.0.1:80", "unknown address scheme"),
        ("tls://127.0.0.1:9", "TLS expects"),
    ],
)
def test_a_wrong_address_is_told_within_seconds(address, reason, monkeypatch):
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.3)
    begun = time.monotonic()
    said = rf"no Dask scheduler to be reached .*({reason})"
    with pytest.raises(ValueError, match=said), make_executor("dask", 1, address):
        pass
    assert time.monotonic() - begun < 5


def test_a_scheduler_of_another_version_is_refused(cluster, monkeypatch):
    monkeypatch.setattr(connection, "likeness", lambda: {**likeness(), "distributed": "1.0"})
    said = r"distributed is .* there and 1\.0 here"
    with pytest.raises(ValueError, match=said), make_executor("dask", 1, cluster.address):
        pass


def test_stopping_ends_within_two_seconds_and_leaves_nobody(tmp_path):
    executor, before = make_executor("dask", 2), children(os.getpid())
    run = executor.run(
        batches([Piece("quick"), *(Piece(f"h{k}", "hangs-at-first", str(tmp_path)) for k in range(9))]), work
    )
    next(run)
    until(lambda: lines(tmp_path))
    below = set(children(os.getpid())) - set(before)
    assert len(below) == 2
    begun = time.monotonic()
    run.close()
    executor.stop()
    assert time.monotonic() - begun < 2
    until(lambda: not any(map(alive, below)), 2)
    executor.stop()
    assert not [entry for entry in sys.path if "hippo-verify-dask" in entry]


@pytest.fixture(scope="module")
def asked():
    """A plan of real units that take no time."""
    return plan(
        ["hippo-fast-numpy"], measures=["legs", "legt"], orders=[2, 3], checks=["matrices"], suite=SUITES["quick"]
    )


def test_a_killed_scheduler_and_a_new_one_give_the_verdicts_of_an_unbroken_run(
    mortal, own, asked, tmp_path, monkeypatch
):
    campaign.run(asked, tmp_path / "unbroken", executor=make_executor("serial", 1))
    mortal.start_worker()

    class Killer(campaign.Nobody):
        def finished(self, unit, verdicts):
            mortal.scheduler.kill()

    with pytest.raises(ExecutorError, match=r"has gone.*goes on"):
        campaign.run(asked, tmp_path / "broken", executor=make_executor("dask", 1, mortal.address), watcher=Killer())
    begun = judged(tmp_path / "broken")
    assert 0 < sum(record["kind"] == "unit" for record in begun) < len(asked)
    own.start_worker()
    campaign.run(asked, tmp_path / "broken", executor=make_executor("dask", 1, own.address))
    assert judged(tmp_path / "broken") == judged(tmp_path / "unbroken")
    counted = [record for record in judged(tmp_path / "broken") if record["kind"] == "verdict"]
    assert {record["status"] for record in counted} == {"PASS"}


def command(*options, before=""):
    code = f"{before}\nfrom verify.cli import main; main()"
    return [sys.executable, "-c", code, "run", "--executor", "dask", "--targets", "hippo-fast-numpy", *options]


def test_ctrl_c_ends_it_quietly_with_a_store_that_goes_on(tmp_path):
    """To all of the terminal, as a person does it."""
    slow = ["--measures", "legs", "--store", str(tmp_path / "store"), "--workers", "2", "--no-progress"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command(*slow), stdout=pipe, stderr=subprocess.STDOUT, text=True, start_new_session=True, cwd=tmp_path
    )
    try:
        below = until(lambda: [pid for pid in children(process.pid) if len(children(process.pid)) > 3])
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert "the same command goes on" in said
    for noise in ("Traceback", "distributed", "tornado", "Warning", "ERROR"):
        assert noise not in said.replace("error=0", ""), said
    until(lambda: not any(map(alive, below)), 5)


def test_a_missing_library_is_told_with_its_extra(tmp_path):
    absent = "import sys; sys.modules['distributed'] = None"
    answer = subprocess.run(command(before=absent), capture_output=True, text=True, check=False, cwd=tmp_path)
    assert answer.returncode == 2
    assert "hippo-verify[distributed]" in answer.stderr


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """The scheduler's side, and how to ask it."""
    monkeypatch.setenv("HIPPO_VERIFY_CACHE", str(tmp_path / "shelf"))
    with asyncio.Runner() as loop:
        found = Shelf()
        loop.run(found.start(SimpleNamespace(handlers={})))
        yield found, loop.run


def test_the_shelf_hands_out_each_array_once_and_frees_what_a_worker_leaves(shelf, monkeypatch):
    found, do = shelf
    key = key_of("x")
    content = encoded(key, Exact(np.ones(2), np.zeros(2)))

    async def story():
        assert await found.claim(key, "a") == {"compute": True}
        waiting = [asyncio.ensure_future(found.claim(key, name)) for name in "bc"]
        await asyncio.sleep(0.01)
        assert not any(one.done() for one in waiting)
        await found.remove_worker(None, "a")
        told, still = await asyncio.wait(waiting, timeout=0.2)
        assert [one.result() for one in told] == [{"compute": True}]  # one of them, not both
        holder = "b" if waiting[0].done() else "c"
        await found.settle(key, content[:-1], holder)  # damaged on the way: nobody gets it
        (last,) = still
        assert await last == {"compute": True}
        await found.settle(key, content, "b")
        assert await found.claim(key, "d") == {"content": content}

    do(story())
    monkeypatch.setattr(shelf_module, "_WAIT", 0.01)

    async def patience():
        assert await found.claim(key_of("y"), "a") == {"compute": True}
        assert await found.claim(key_of("y"), "b") == {"compute": False}  # asks again

    do(patience())
    assert found._recent.get(key) == content
    assert Files(found._files.folder).read(key) == content


def test_what_a_judge_had_claimed_is_given_up_with_it():
    asked = []

    class Answers(Errand):
        def _ask(self, what, **message):
            asked.append((what, message["key"], message.get("content")))
            return {"compute": True}

    errand = Answers(None)
    for name in "ab":
        assert errand.claim(name) is None
    errand.settle("a", b"done")
    errand.close()
    assert asked[2:] == [("settle", "a", b"done"), ("settle", "b", None)]
