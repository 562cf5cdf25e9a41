"""Units are run, kept and judged; whatever one does to itself is its own, and what was stopped goes on."""

import ast
import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import psutil
import pytest
from claims_tools import Watched

import hippo_fast
from verify import provenance
from verify.claims import CLAIMS, engine, identity, store
from verify.claims.base import Options, Scale, Standing, Unit
from verify.claims.engine import Ending, Engine
from verify.claims.results import Results
from verify.folders import BusyError

HERE = Path(__file__).parent


def run(folder, *names, options=None, workers=2, **more):
    """A run over claims of `claims_tools`: what was found, and what was said."""
    watched = Watched([])
    with store.opened(folder) as kept:
        claims = {name: f"claims_tools:{name}" for name in names}
        found = Engine(claims, options or Options(), kept, workers=workers, watcher=watched, **more).run()
    return {one.key: one for one in found}, watched.lines


def endings(found):
    return {record.unit.key: str(record.ending) for record in found.records}


def content(found):
    """All that a second run must give again: everything but times."""
    whole = Results(
        claims=tuple(found.values()), options={}, command=(), seconds=0.0, workers=1, budget=None, provenance={}
    ).to_json()
    for claim in whole["claims"]:
        for unit in claim["units"]:
            for name in ("seconds", "time", "before"):
                del unit[name]
    return whole


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squares")
    return folder, *run(folder, "Squares")


def test_search_comes_first_and_then_what_rests_on_it(squares):
    _, found, said = squares
    assert endings(found["Squares"]) == dict.fromkeys(("search 2", "search 3", "seed 0", "seed 1"), "done")
    results = {record.unit.key: record.result["square"] for record in found["Squares"].records}
    assert results == {"search 2": 4, "search 3": 9, "seed 0": 81, "seed 1": 100}
    assert [one.standing for one in found["Squares"].outcome.statements] == [Standing.HOLDS]
    began = [line[2] for line in said if line[0] == "began"]
    assert began[:2] == ["search 2", "search 3"]  # the longest first
    assert [line[-2:] for line in said if line[0] == "ended"][-1] == (4, 4)


def test_a_unit_has_one_thread_and_does_not_see_how_many_seeds_follow(squares):
    _, found, _ = squares
    for record in found["Squares"].records:
        assert record.result["threads"] == "1"
        assert record.result["seeds"] is None


def test_what_is_known_is_not_run_again(squares):
    folder, found, _ = squares
    again, said = run(folder, "Squares")
    assert said == []
    assert all(record.before for record in again["Squares"].records)
    assert content(again) == content(found)


def test_one_worker_gives_the_same(squares, tmp_path):
    assert content(run(tmp_path, "Squares", workers=1)[0]) == content(squares[1])


def test_more_seeds_are_only_more(squares):
    folder, _, _ = squares
    found, said = run(folder, "Squares", options=Options(seeds=3))
    assert [line[2] for line in said if line[0] == "began"] == ["seed 2"]
    assert found["Squares"].records[-1].result["square"] == 121


CHANGES = {"seed": 1, "scale": Scale.QUICK, "data": HERE / "claims_tools.py"}


@pytest.mark.parametrize("name", CHANGES)
def test_other_options_are_other_results(squares, name):
    folder, _, _ = squares
    _, said = run(folder, "Squares", options=replace(Options(), **{name: CHANGES[name]}))
    assert len([line for line in said if line[0] == "began"]) == 4


FAULTS = {
    "Raising": r"ArithmeticError: seed 0 raised in two lines \(claims_tools.py:\d+\)",
    "Killed": "the worker was killed by signal SIGKILL: out of memory",
    "Exiting": "the worker ended with exit code 7",
    "NotANumber": r"result\['square'\]\[1\] is nan; accepted: finite numbers",
    "NoJson": r"result\['square'\] is a object; accepted: plain JSON",
    "Deserter": "as if it had been asked to, which nobody did",
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    names = (*FAULTS, "Hasty", "Unplanned", "Twice", "Unjudged", "Missing", "Squares")
    return run(tmp_path_factory.mktemp("faults"), *names)[0]


@pytest.mark.parametrize("name", FAULTS)
def test_what_a_unit_does_to_itself_is_its_own(faulty, name):
    found = faulty[name]
    assert endings(found) == {"search 2": "done", "search 3": "done", "seed 0": "failed", "seed 1": "done"}
    (failed,) = [record for record in found.records if record.ending is Ending.FAILED]
    with pytest.raises(AssertionError, match=FAULTS[name]):
        raise AssertionError(failed.message)
    (statement,) = found.outcome.statements
    assert statement.standing is Standing.ERROR
    assert statement.message.startswith(f"unit seed 0 failed: {failed.message}")
    assert [one.standing for one in faulty["Squares"].outcome.statements] == [Standing.HOLDS]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Unplanned", "the claim could not be planned: LookupError: no plan"),
        ("Twice", "the claim could not be planned: ValueError: the unit 'search 2' is planned twice"),
        ("Unjudged", "the claim could not be judged: LookupError: no judgement"),
        ("Missing", "the claim could not be loaded: AttributeError: .* has no attribute 'Missing'"),
    ],
)
def test_a_claim_that_fails_leaves_the_others_alone(faulty, name, problem):
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(faulty[name].problem)


def test_what_the_last_plan_does_not_name_is_not_judged(faulty):
    """It was begun when the search had given 4 alone."""
    assert faulty["Hasty"].outcome.notes == ("search 2", "search 3", "seed of 9")


def test_a_failed_unit_is_tried_again(tmp_path, monkeypatch):
    found, _ = run(tmp_path, "Raising")
    assert endings(found["Raising"])["seed 0"] == "failed"
    _, said = run(tmp_path, "Raising")
    assert [line[2] for line in said if line[0] == "began"] == ["seed 0"]


def test_nothing_is_judged_from_a_smoke_run(tmp_path):
    found, _ = run(tmp_path, "Squares", options=Options(scale=Scale.SMOKE))
    (statement,) = found["Squares"].outcome.statements
    assert statement.standing is Standing.UNDECIDED
    assert statement.message == "a smoke run tests the machinery and judges nothing; its numbers say holds"
    assert statement.measured == 100.0


# A run that ends before its time.


@pytest.mark.parametrize("name", ["Endless", "Deaf"])
def test_the_budget_ends_a_run(tmp_path, monkeypatch, name):
    monkeypatch.setattr(engine, "LEISURE", 0.4)
    begun = time.monotonic()
    found, said = run(tmp_path, name, budget=0.8)
    assert time.monotonic() - begun < 8
    assert set(endings(found[name]).values()) == {"not run"}
    assert {record.message for record in found[name].records} == {"the time that was given was over"}
    assert [one.standing for one in found[name].outcome.statements] == [Standing.NOT_RUN]
    assert any(line[0] == "doing" and line[4].startswith("step ") for line in said) is (name == "Endless")
    assert not multiprocessing.active_children()


PROGRAM = """
import os, signal, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from claims_tools import Watched
from verify.claims import store
from verify.claims.base import Options
from verify.claims.engine import Engine
from verify.invocation import terminable

class Watcher(Watched):
    def began(self, claim, unit):
        print("began", unit.key, flush=True)

    def doing(self, *said):
        pass

    def ended(self, *said):
        super().ended(*said)
        if len(self.lines) == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    try:
        with terminable(), store.opened(Path(sys.argv[1])) as kept:
            claims = {{sys.argv[2]: "claims_tools:" + sys.argv[2]}}
            Engine(claims, Options(), kept, workers=2, watcher=Watcher([])).run()
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "program.py"
    path.write_text(textwrap.dedent(PROGRAM.format(here=str(HERE))), encoding="utf-8")
    return path


@contextlib.contextmanager
def started(program, folder, name, end_after=-1):
    """The program in a session of its own, once its first units are under way."""
    command = [sys.executable, str(program), str(folder), name, str(end_after)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout.readline().startswith("began")
        yield process
    finally:
        for child in family(process.pid):
            child.kill()
        process.stdout.close()
        process.wait()


def family(pid):
    try:
        return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def workers(pid):
    """The processes that do units, once they have begun."""
    for _ in range(200):
        found = [child for child in family(pid)[1:] if "spawn_main" in " ".join(child.cmdline())]
        if len(found) == 2:
            return found
        time.sleep(0.05)
    raise AssertionError("no worker was begun")


@pytest.mark.parametrize(
    ("name", "number", "group"),
    [("Endless", signal.SIGINT, True), ("Endless", signal.SIGTERM, False), ("Deaf", signal.SIGTERM, True)],
)
def test_an_interrupted_run_ends_at_once(program, tmp_path, name, number, group):
    """Whether the signal reaches the workers or not, and whether they listen or not."""
    with started(program, tmp_path, name) as process:
        busy = workers(process.pid)
        begun = time.monotonic()
        (os.killpg if group else os.kill)(process.pid, number)
        assert process.wait(10) == 130
        assert time.monotonic() - begun < 2
        psutil.wait_procs(busy, timeout=2)
        assert not any(one.is_running() for one in busy)


def test_workers_end_with_who_began_them(program, tmp_path):
    """Even those that do not listen, and would not notice that nobody hears them any more."""
    with started(program, tmp_path, "Deaf") as process:
        busy = workers(process.pid)
        time.sleep(0.3)  # they import what they need
        process.kill()
        _, alive = psutil.wait_procs(busy, timeout=5)
        for one in alive:  # nobody else would find them any more
            one.kill()
        assert not alive


@pytest.mark.parametrize("moment", [1, 3])
def test_a_killed_run_goes_on_to_the_same_results(program, tmp_path, squares, moment):
    """Killed when so many units had ended; nothing that had ended is done again."""
    with started(program, tmp_path, "Slow", moment) as process:
        assert process.wait(20) == -signal.SIGKILL
    found, said = run(tmp_path, "Slow")
    again = [line[2] for line in said if line[0] == "began"]
    assert len(again) == 4 - moment
    assert [record.result for record in found["Slow"].records] == [
        record.result for record in squares[1]["Squares"].records
    ]


# The store.


def kept(number):
    return store.Kept(result={"number": number, "text": "é\n"}, seconds=0.5, time="2026-01-01T00:00:00+00:00")


@pytest.fixture
def journal(tmp_path):
    """Three units, and the bytes of their journal."""
    with store.opened(tmp_path) as opened:
        for number in range(3):
            opened.add(f"unit {number}", {"claim": "c", "unit": str(number)}, kept(number))
    return (tmp_path / "units.jsonl"), (tmp_path / "units.jsonl").read_bytes()


def test_a_journal_that_was_cut_anywhere_goes_on(journal, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)  # a thousand times
    path, whole = journal
    ends = [end for end, byte in enumerate(whole) if byte == ord("\n")]
    for end in sorted({*range(0, len(whole), 9), *ends, *(end + 1 for end in ends[:-1])}):
        path.write_bytes(whole[:end])
        opened = store.Store(path.parent)
        sound = whole[:end].count(b"\n") - 1
        assert list(opened.finished) == [f"unit {number}" for number in range(max(sound, 0))], end
        opened.add("another", {}, kept(7))
        again = store.Store(path.parent)
        assert again.finished == {**opened.finished}
        assert again.finished["another"] == kept(7)
        assert again.unsound == 0


def test_a_line_that_was_changed_is_not_believed(journal):
    path, whole = journal
    lines = whole.splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"number": 1', b'"number": 9')
    path.write_bytes(b"".join(lines))
    opened = store.Store(path.parent)
    assert list(opened.finished) == ["unit 0", "unit 2"]
    assert opened.unsound == 1


@pytest.mark.parametrize("content", [b'{"format": "other/1"}\n', b"[1, 2]\n", b"no JSON at all\n", b"no newline"])
def test_a_file_of_somebody_else_is_left_alone(tmp_path, content):
    (tmp_path / "units.jsonl").write_bytes(content)
    with pytest.raises(store.StoreError, match=r"units.jsonl is no journal of measured claims; name another folder"):
        store.Store(tmp_path)
    assert (tmp_path / "units.jsonl").read_bytes() == content


def test_two_runs_do_not_share_a_store(tmp_path):
    said = f"process {os.getpid()} is at work in .*; wait until it ends"
    with store.opened(tmp_path), pytest.raises(BusyError, match=said), store.opened(tmp_path):
        pass
    with store.opened(tmp_path):
        pass


def test_checkpoints_go_when_a_unit_is_done(tmp_path):
    opened = store.Store(tmp_path)
    folder = opened.work("unit")
    opened.pause("unit", 3.0)
    assert not folder.exists()  # nothing was saved: it begins anew
    folder.mkdir(parents=True)
    opened.pause("unit", 3.0)
    opened.pause("unit", 1.5)
    assert opened.spent("unit") == 4.5
    opened.add("unit", {}, kept(1))
    assert not folder.exists()
    assert opened.spent("unit") == 0.0


# What a result rests on.


def test_each_thing_that_a_result_rests_on_changes_its_name():
    unit, options, around = Unit(key="u", cost=1.0, settings={"a": [1, 2.0]}), Options(), {"code": "c"}
    names = {
        identity.identity("claim", unit, options, around),
        identity.identity("other", unit, options, around),
        identity.identity("claim", replace(unit, key="v"), options, around),
        identity.identity("claim", replace(unit, settings={"a": [1, 2.1]}), options, around),
        identity.identity("claim", unit, replace(options, seed=1), around),
        identity.identity("claim", unit, replace(options, scale=Scale.FULL), around),
        identity.identity("claim", unit, replace(options, device="cuda"), around),
        identity.identity("claim", unit, options, {"code": "d"}),
    }
    assert len(names) == 8
    assert identity.identity("claim", replace(unit, cost=2.0), options, around) in names


def test_the_content_of_data_counts_and_not_where_it_lies(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "images").write_bytes(b"1234")
    assert identity.contents(tmp_path / "a") == identity.contents(tmp_path / "b")
    before = identity.contents(tmp_path / "a")
    (tmp_path / "a" / "images").write_bytes(b"1235")
    assert identity.contents(tmp_path / "a") != before
    assert identity.contents(None) is None
    assert identity.contents(tmp_path / "b" / "images") != identity.contents(tmp_path / "a" / "images")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of which a claim imports one module in a function, and another by its name alone."""
    files = {
        **dict.fromkeys(("typed", "far", "lazy/member", "unused", "set_up", "deep/kernel", "deep/other"), "A = 1"),
        "__init__": "from pack import set_up\ndef __getattr__(name):\n    return import_module(name)\n",
        "claim": "def run():\n    from pack import near\n    from pack.lazy import make\n",
        "deep/__init__": "import importlib\n",
        "near": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pack.typed\nfrom . import far\n"
        "def fast():\n    return importlib.import_module('pack.deep.kernel').run(import_module('absent.one'))\n",
        "lazy/__init__": "def make(name):\n    import_module(name)\n",
    }
    for name, text in files.items():
        path = tmp_path / "pack" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(identity, "OURS", ("pack",))

    def code():
        forget()
        return identity.code("pack.claim")

    def forget():
        for cached in (identity._imported, identity._members, identity._file):
            cached.cache_clear()

    yield tmp_path / "pack", code
    code()
    for name in [name for name in sys.modules if name.partition(".")[0] == "pack"]:
        del sys.modules[name]
    forget()


@pytest.mark.parametrize(
    ("name", "counts"),
    [("claim", True), ("near", True), ("far", True), ("lazy/__init__", True), ("lazy/member", True), ("typed", False),
     ("unused", False), ("deep/kernel", True), ("deep/__init__", True), ("deep/other", False), ("__init__", True),
     ("set_up", True)],
)  # fmt: skip
def test_the_code_that_counts_is_what_can_be_reached(package, name, counts):
    folder, code = package
    before = code()
    with (folder / f"{name}.py").open("a") as file:
        file.write("\n# changed")
    assert (code() != before) is counts


def test_the_code_of_our_own_claims_counts():
    """Every cell, since cells are imported by name; no claim but the one."""
    reached = identity._reached("verify.claims.training")
    assert {"verify.adapters.own_nn", "hippo_fast.nn.base", "hippo_fast.nn.hippo", "hippo_fast.recurrence"} <= reached
    assert not reached & {address.partition(":")[0] for address in CLAIMS.values()}
    kernels = {f"hippo_fast.kernels.{name}" for name in ("gaps", "one_step", "simd", "streams", "triton_scan")}
    assert {*kernels, "hippo_fast.kernels.wave_adjoint", "hippo_fast.backends.numba_backend"} <= reached
    assert {"verify", "verify.claims", "verify.adapters", "hippo_fast", "hippo_fast.kernels"} <= reached


def test_a_kernel_that_is_imported_by_its_name_changes_the_code_of_a_claim(tmp_path, monkeypatch):
    before = identity.code("verify.claims.images")
    found = identity._file
    changed = tmp_path / "one_step.py"
    changed.write_bytes(found("hippo_fast.kernels.one_step").read_bytes() + b"\n# changed\n")
    monkeypatch.setattr(
        identity, "_file", lambda name: changed if name == "hippo_fast.kernels.one_step" else found(name)
    )
    assert identity.code("verify.claims.images") != before


def test_the_version_of_all_that_the_fast_side_imports_is_part_of_a_name():
    root = Path(hippo_fast.__file__).parent
    imported = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "guest")):
                imported |= {one.value for one in node.args[:1] if isinstance(one, ast.Constant)}
    tops = {name.partition(".")[0] for name in imported} - {"hippo_fast", *sys.stdlib_module_names}
    assert {"numpy", "torch", "numba", "llvmlite", "triton", "torchdiffeq", "torchcde"} <= tops
    distributions = metadata.packages_distributions()
    listed = {name.lower() for name in provenance.LIBRARIES}
    assert not {top for top in tops if not listed & {one.lower() for one in distributions.get(top, [top])}}


def test_the_table_is_resolved():
    """Each claim of the table is there, and goes by its key."""
    from verify.claims import resolve

    for key, address in CLAIMS.items():
        claim = resolve(address)
        assert claim.key == key
        assert claim.title
        assert claim.source
        assert json.dumps([unit.key for unit in claim.plan(Options(scale=Scale.SMOKE), {})])
