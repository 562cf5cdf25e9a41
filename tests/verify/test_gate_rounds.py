"""Paired rounds: fresh processes, both sides alike, and nothing lost when one of them hangs, crashes or is stopped."""

import json
import math
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace

import pytest
from gate_tools import MARKS, ODD, TOY, Simulated, commit, git, lean_python, measured, repository, row, trees, write

from verify.gate import Settings, Word, compare, measure
from verify.gate.rounds import AGAIN, EmptyError, Plan
from verify.gate.rounds_journal import RoundsJournal
from verify.gate.trees import default_base, placed
from verify.gate.worker import Tree, Worker, WorkerError
from verify.revisions import RevisionError

pytest.importorskip("asv_runner", reason="the benchmarks are asv's: pip install 'hippo-verify[bench]'")
QUICK = Plan(looks=(2,), budget=0.01, timeout=20)


def everything(*sides):
    return {name for side in sides for name in side.measurements}  # nothing is ever decided


def gauge(folder, repo, base, head, plan=QUICK, **more):
    """Both sides of a repository, really measured."""
    python = lean_python(folder / "lean")
    with ExitStack() as stack:
        found = [
            stack.enter_context(
                placed(repo, side, text, folder / "run", benchmarks=None, python=python)
            )
            for side, text in (("base", base), ("head", head))
        ]  # fmt: skip
        rounds = measured(found, plan, RoundsJournal(folder / "journal.jsonl", {}, "id"), folder, **more)
        rounds.prepare()
        return rounds.trial(0, everything)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return repository(tmp_path_factory.mktemp("gate") / "project", odd=True)


@pytest.fixture(scope="module")
def both(project, tmp_path_factory):
    """The same commit twice, and its journal."""
    folder = tmp_path_factory.mktemp("both")
    return (*gauge(folder, project, "HEAD", None), folder)


def test_what_each_sort_of_benchmark_gives(both):
    base, head, _ = both
    for side in (base, head):
        found = side.measurements
        assert {name: (one.status, one.why) for name, one in found.items() if one.status != "measured"} == {
            "bench.Work.time_work(80)": ("skipped", "80 is too much"),
            "bench.Work.track_error(80)": ("skipped", "80 is too much"),
            "odd.time_crash": ("failed", "the process ended without an answer: signal SIGABRT"),
            "odd.time_raise": ("failed", "ValueError: no such luck"),
            "odd.time_hang": ("failed", "no answer within 0.2 seconds: stopped"),
            "odd.track_dict": ("failed", "it returned {'a': 1}; accepted: a number"),
            "odd.track_what": ("failed", found["odd.track_what"].why),
        }
        assert found["odd.track_what"].why.startswith("unit of odd.track_what is 'unit', which does not say whether")
        assert found["bench.track_bits"].rounds == (3.0,)
        assert found["bench.Work.track_error(40)"].rounds == (0.25,)
        (value,) = found["odd.track_nan"].rounds
        assert math.isnan(value)
        assert len(set(found["odd.track_drawn"].rounds)) == 2  # it must not scatter, and does: both are kept
        for name in ("bench.Work.time_work(40)", "odd.peakmem_list"):
            assert len(found[name].rounds) == 2
            assert all(value > 0 for value in found[name].rounds)
        assert found["bench.Work.time_work(40)"].rounds[0] < 0.01
        assert found["odd.peakmem_list"].rounds[0] > 1e6
        assert found["bench.Work.time_work(40)"].version == "1"
        assert len(found["bench.track_bits"].version) == 64
        assert side.environment["threads"] == "1"
    assert base.paired == head.paired == "id-0"
    assert base.revision == head.revision
    assert base.label.startswith("HEAD (")
    assert head.label == f"working tree ({head.revision[:8]})"


def test_the_journal_has_a_line_for_each_pair(both):
    base, _, folder = both
    _, under, *records = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert set(under["environment"]) == {"base", "head"}
    places = [(record["trial"], record["round"], record["name"]) for record in records]
    assert len(set(places)) == len(places)
    assert {place[2] for place in places} == set(base.measurements)
    assert {place[1] for place in places} == {AGAIN, 0, 1, 2}
    calls = {
        answer["number"]
        for record in records
        if record["name"] == "bench.Work.time_work(40)"
        for answer in record["answers"].values()
    }
    assert len(calls) == 1  # found once, and the same for both sides


def test_nothing_is_left_in_the_repository(both, project):
    listed = subprocess.run(["git", "worktree", "list"], cwd=project, capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 1


def test_uncommitted_changes_are_measured_and_said(tmp_path):
    repo = repository(tmp_path / "project")
    more = "def track_more():\n    return 1\n\n\ntrack_more.unit = 'verdicts'\n"
    write(repo, {"toy.py": TOY.replace("BITS = 3.0", "BITS = 4.0"), "marks/more.py": more})
    write(repo, {".gitignore": "secret.py\n", "secret.py": "raise SystemExit\n"})
    plan = replace(QUICK, select=("track_(bits|more)",))
    base, head = gauge(tmp_path / "out", repo, default_base(repo), None, plan)
    assert head.revision is None
    assert head.label.endswith("and uncommitted changes)")
    assert base.measurements["bench.track_bits"].rounds == (3.0,)
    assert head.measurements["bench.track_bits"].rounds == (4.0,)
    assert set(head.measurements) - set(base.measurements) == {"more.track_more"}
    assert (repo / "secret.py").exists()


def test_a_folder_that_became_a_file_or_a_link(tmp_path):
    repo = repository(tmp_path / "project")
    write(repo, {"data/one": "1", "other/two": "2"})
    commit(repo, "folders")
    for name in ("data/one", "other/two"):
        (repo / name).unlink()
        (repo / name).parent.rmdir()
    write(repo, {"data": "a file"})
    (repo / "other").symlink_to("marks")
    with placed(repo, "head", None, tmp_path / "run", benchmarks=None, python=sys.executable) as head:
        assert (head.folder / "data").read_text() == "a file"
        assert (head.folder / "other").is_symlink()
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "files")
    git(repo, "revert", "--no-commit", "HEAD")
    with placed(repo, "head", None, tmp_path / "back", benchmarks=None, python=sys.executable) as head:
        assert (head.folder / "data/one").read_text() == "1"
        assert (head.folder / "other/two").read_text() == "2"


def test_both_trees_are_alike(tmp_path):
    """Paths of one length, a repository around both, files untouched where nothing differs."""
    repo = repository(tmp_path / "project")
    write(repo, {"toy.py": TOY + "# more\n"})
    (repo / "marks/bench.py").unlink()
    with ExitStack() as stack:
        base, head = (
            stack.enter_context(placed(repo, side, text, tmp_path / "run", benchmarks=None, python=sys.executable))
            for side, text in (("base", "HEAD"), ("head", None))
        )
        assert len(str(base.folder)) == len(str(head.folder))
        assert (base.folder / ".git").exists()
        assert (head.folder / ".git").exists()
        assert (head.folder / "toy.py").read_text() == TOY + "# more\n"
        assert not (head.folder / "marks/bench.py").exists()
        assert (base.folder / "marks/bench.py").exists()
        assert base.content == base.revision
        assert head.content != base.content
    git(repo, "checkout", "-q", ".")
    with placed(repo, "head", None, tmp_path / "again", benchmarks=None, python=sys.executable) as clean:
        assert clean.content == clean.revision == base.revision


def test_what_is_broken_is_said_and_breaks_nothing_else(tmp_path):
    """A module that cannot be imported; a cache whose process dies; the package of another version in front.

    An editable install may do the last: what would be measured is not the tree, and the times would be taken for its.
    """
    repo = repository(tmp_path / "project")
    write(tmp_path / "other", {"toy.py": TOY})
    stranger = f"import sys\nsys.path.insert(0, {str(tmp_path / 'other')!r})\n"
    one = "def track_one():\n    return 1\n\n\ntrack_one.unit = 'verdicts'\n"
    write(
        repo,
        {
            "marks/broken.py": "import nowhere_to_be_found\n\n\ndef time_it():\n    pass\n",
            "marks/bench.py": MARKS.replace('return {"error": toy.ERROR}', "os._exit(3)"),
            "marks/fine.py": one,
            "marks/strange.py": "import sys\n\n" + one.replace("return 1", f"{stranger.strip().splitlines()[1]}\n"
                                "    sys.modules.pop('toy')\n    import toy\n    return 1"),
        },
    )  # fmt: skip
    _, head = gauge(tmp_path / "out", repo, "HEAD", None, replace(QUICK, select=("40|bits|one",)))
    assert {name: one.why for name, one in head.measurements.items() if one.status != "measured"} == {
        "broken": "import: ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        "bench.Work.time_work(40)": "setup_cache: the process ended without an answer: exit code 3",
        "bench.Work.track_error(40)": "setup_cache: the process ended without an answer: exit code 3",
        "strange.track_one": f"toy was imported from {tmp_path}/other/toy.py, not from the tree that is measured",
    }
    assert {name for name, one in head.measurements.items() if one.status == "measured"} == {
        "bench.track_bits", "fine.track_one",
    }  # fmt: skip


def test_a_suite_that_cannot_be_listed_is_a_failure_of_its_side(tmp_path):
    repo = repository(tmp_path / "project")
    write(repo, {"marks/bench.py": MARKS + "\n\nclass Never:\n    def __init__(self):\n        raise OSError('no')\n"
                 "\n    def time_it(self):\n        pass\n"})  # fmt: skip
    base, head = gauge(tmp_path / "out", repo, "HEAD", None, replace(QUICK, select=("track_bits",)))
    assert base.measurements["bench.track_bits"].status == "measured"
    assert set(head.measurements) == {"marks"}
    assert head.measurements["marks"].why == "import: OSError: no"


def test_a_slowdown_is_real(tmp_path):
    """The head is kept busy fifty times as long, which no noise hides: its times say so."""
    repo = repository(tmp_path / "project")
    name = "bench.Work.time_work(40)"
    plan = Plan(looks=(1,), budget=0.02, select=("time_work.40",), slow={name: 50.0})
    base, head = gauge(tmp_path / "out", repo, "HEAD", "HEAD", plan)
    assert head.measurements[name].rounds[0] > 5 * base.measurements[name].rounds[0]


def test_a_slowdown_is_as_large_as_was_asked_for(monkeypatch):
    now = [0.0]

    def clock():
        now[0] += 1e-3
        return now[0]

    def work(value):
        now[0] += 1.0
        return value

    monkeypatch.setattr(measure.time, "perf_counter", clock)
    assert measure.slowed(work, 1.2)("answer") == "answer"
    assert 1.2 <= now[0] < 1.21


# The design, on answers that are computed: no process, no clock.


def twice(benchmarks):
    return {"base": benchmarks, "head": benchmarks}


def simulated(tmp_path, benchmarks, answer, plan=QUICK, **more):
    workers = Simulated(benchmarks, answer)
    journal = RoundsJournal(tmp_path / "journal.jsonl", {"plan": 1}, "id")
    return workers, measured(trees(tmp_path), plan, journal, tmp_path, start=workers, **more)


def steadily(side, request):
    return {"status": "measured", "value": 1.0 if side == "base" else 2.0, "number": 7 if side == "base" else 9}


def test_the_number_of_calls_is_found_on_the_base_and_shared(tmp_path):
    workers, rounds = simulated(tmp_path, twice([row("a.time_it")]), steadily)
    rounds.prepare()
    rounds.trial(0, everything)
    asked = [(side, request["number"]) for side, _, request in workers.asked]
    assert asked[:2] == [("base", 0), ("head", 7)]
    assert {number for _, number in asked[2:]} == {7}


def test_the_order_in_a_pair_is_drawn_with_the_seed(tmp_path):
    def orders(seed):
        folder = tmp_path / f"{seed}"
        benchmarks = twice([row(f"a.time_{n}") for n in range(10)])
        workers, rounds = simulated(folder, benchmarks, steadily, replace(QUICK, looks=(8,), seed=seed))
        rounds.prepare()
        del workers.asked[:]
        rounds.trial(0, everything)
        found = [(side, request["name"]) for side, _, request in workers.asked]
        assert all(one[1] == other[1] for one, other in zip(found[::2], found[1::2], strict=True))
        return found

    first, second = orders(1), orders(2)
    assert first != second
    leading = [side for side, _ in first[::2]]
    assert 20 < leading.count("base") < 60  # of 80
    assert [name for _, name in first[:20:2]] != [name for _, name in first[20:40:2]]
    assert orders(1) == first if not (tmp_path / "1/journal.jsonl").unlink() else False


def test_what_is_decided_at_a_look_is_measured_no_more(tmp_path):
    benchmarks = twice([row("a.time_one"), row("a.time_two")])
    _, rounds = simulated(tmp_path, benchmarks, steadily, replace(QUICK, looks=(2, 5, 8)))
    rounds.prepare()
    looks = []

    def undecided(base, head):
        looks.append({name: len(one.rounds) for name, one in head.measurements.items()})
        return {"a.time_two"} if len(looks) == 1 else set()

    base, _ = rounds.trial(0, undecided)
    assert looks == [{"a.time_one": 2, "a.time_two": 2}, {"a.time_one": 2, "a.time_two": 5}]
    assert {name: len(one.rounds) for name, one in base.measurements.items()} == looks[-1]


def test_one_side_alone_is_measured_too(tmp_path):
    """The other one is stored already."""
    workers = Simulated({"head": [row("a.time_one"), row("a.track_error", "error / bound")]}, steadily)
    journal = RoundsJournal(tmp_path / "journal.jsonl", {"plan": 1}, "id")
    rounds = measured(trees(tmp_path)[1:], replace(QUICK, looks=(9,)), journal, tmp_path, start=workers)
    rounds.prepare()
    (head,) = rounds.trial(0, everything)
    assert head.paired is None
    assert {name: one.rounds for name, one in head.measurements.items()} == {
        "a.time_one": (2.0,) * 9, "a.track_error": (2.0,),
    }  # fmt: skip


def failing(*places, side="head", bad="failed", unit=1.0):
    """Answers of which some of one side's fail, counted from 0, the first look; the head takes ``unit`` as long."""
    counts = dict.fromkeys(("base", "head"), -1)

    def answer(asked, request):
        counts[asked] += 1
        if asked == side and (counts[asked] in places or places == ("all",)):
            return {"status": bad, "why": "out of luck"}
        return {"status": "measured", "value": unit if asked == "head" else 1.0, "number": 7}

    return answer


def both_sides(tmp_path, answer, looks=(16,), unit="seconds"):
    workers, rounds = simulated(tmp_path, twice([row("a.x", unit)]), answer, replace(QUICK, looks=looks))
    rounds.prepare()
    return workers, rounds.trial(0, everything)


@pytest.mark.parametrize("bad", ["failed", "skipped"])
@pytest.mark.parametrize("side", ["base", "head"])
def test_a_round_without_a_number_is_a_gap_and_not_a_loss(side, bad, tmp_path):
    """On equal builds it may befall either side: no alarm. What is slower all the same is not passed over for it."""
    _, found = both_sides(tmp_path / "same", failing(3, side=side, bad=bad))
    one = next(each for each in found if each.label == side).measurements["a.x"]
    assert (one.status, one.rounds) == ("measured", (1.0, 1.0, None) + (1.0,) * 13)
    assert one.why == "out of luck"
    same = compare(*found, Settings())
    assert same.exit_code == (5 if side == "head" else 0)
    if side == "head":
        assert "no usable number in 1 rounds of head (out of luck), and in 0 of base" in same.findings[0].message
    slower = compare(*both_sides(tmp_path / "slower", failing(3, side="base", bad=bad, unit=1.5))[1], Settings())
    assert (slower.word, slower.exit_code) == (Word.SLOWER, 1)


def test_a_head_that_fails_in_many_rounds_is_a_loss(tmp_path):
    found = compare(*both_sides(tmp_path, failing(*range(2, 17, 2)))[1], Settings())
    assert (found.word, found.exit_code) == (Word.NOT_MEASURED, 1)


def test_a_side_that_never_gives_a_number_is_asked_no_more(tmp_path):
    workers, (base, head) = both_sides(tmp_path, failing(*range(1, 17)))
    assert base.measurements["a.x"].status == "measured"
    assert (head.measurements["a.x"].status, head.measurements["a.x"].why) == ("failed", "out of luck")
    assert len(workers.asked) == 2 * (1 + 8)
    assert compare(base, head, Settings()).exit_code == 1


@pytest.mark.parametrize("side", ["base", "head"])
def test_bad_luck_at_the_first_look_gets_a_second_one(side, tmp_path):
    workers, found = both_sides(tmp_path / "once", failing(0, side=side))
    assert [len(each.measurements["a.x"].rounds) for each in found] == [16, 16]
    assert compare(*found, Settings()).exit_code == 0
    assert {request["number"] for _, _, request in workers.asked[4:]} == {7}  # found at the second look, for both sides
    workers, found = both_sides(tmp_path / "twice", failing(0, 1, side=side))
    assert len(workers.asked) == 4
    assert compare(*found, Settings()).exit_code == (1 if side == "head" else 4)


@pytest.mark.parametrize(("places", "code"), [((0,), 5), ((1,), 5), ((0, 1), 1)])
def test_an_error_that_is_not_there_every_time_is_no_blank(places, code, tmp_path):
    _, found = both_sides(tmp_path, failing(*places), unit="error / bound")
    judged = compare(*found, Settings())
    assert judged.exit_code == code
    assert "out of luck" in judged.findings[0].message


def test_a_rate_that_is_looked_up_is_not_measured_by_asking_again(tmp_path):
    """Rounds that repeat one number look like certainty: on identical builds every one of them would be an alarm."""
    names = {"a.track_looked_up": "a:1", "a.track_measured": None}
    benchmarks = [row(name, "cases/s", type="track", cache=cache) for name, cache in names.items()]
    benchmarks.append(row("a.time_it", cache="a:1"))
    _, rounds = simulated(tmp_path, twice(benchmarks), steadily, replace(QUICK, looks=(8,)))
    rounds.prepare()
    _, head = rounds.trial(0, everything)
    assert {name: one.status for name, one in head.measurements.items()} == {
        "a.track_looked_up": "failed", "a.track_measured": "measured", "a.time_it": "measured",
    }  # fmt: skip
    assert "looked up in what setup_cache measured once" in head.measurements["a.track_looked_up"].why


def test_one_sided_and_changed_benchmarks_are_measured_once(tmp_path):
    benchmarks = {
        "base": [row("a.time_gone"), row("a.time_changed"), row("a.track_error", "error / bound")],
        "head": [row("a.time_new"), row("a.time_changed", version="2"), row("a.track_error", "error / bound")],
    }
    _, rounds = simulated(tmp_path, benchmarks, steadily)
    rounds.prepare()
    base, head = rounds.trial(0, everything)
    assert {name: one.rounds for name, one in base.measurements.items()} == {
        "a.time_gone": (1.0,), "a.time_changed": (1.0,), "a.track_error": (1.0,),
    }  # fmt: skip
    assert {name: one.version for name, one in head.measurements.items()} == {
        "a.time_changed": "2", "a.time_new": "1", "a.track_error": "1",
    }  # fmt: skip


def test_peak_memory_is_measured_where_nothing_else_is_imported(tmp_path):
    benchmarks = twice([row("a.time_one"), row("a.peakmem_one", "bytes")])
    workers, rounds = simulated(tmp_path, benchmarks, steadily)
    rounds.prepare()
    rounds.trial(0, everything)
    assert {(request["name"], preload) for _, preload, request in workers.asked} == {
        ("a.time_one", True), ("a.peakmem_one", False),
    }  # fmt: skip


def test_nothing_selected(tmp_path):
    benchmarks = twice([row("a.time_one")])
    _, rounds = simulated(tmp_path, benchmarks, steadily, replace(QUICK, select=("scan",)))
    with pytest.raises(EmptyError, match="there is no benchmark in whose name 'scan' is found"):
        rounds.prepare()


def test_only_what_is_timed_can_be_made_slow(tmp_path):
    benchmarks = twice([row("a.time_one"), row("a.track_error", "error / bound")])
    for name in ("a.track_error", "b"):
        _, rounds = simulated(tmp_path, benchmarks, steadily, replace(QUICK, slow={name: 2.0}))
        with pytest.raises(ValueError, match=f"'{name}' is to be made slow; accepted: a timed .* 'a.time_one'"):
            rounds.prepare()


def test_a_stopped_run_goes_on(tmp_path):
    """Whatever pair was measured is not measured again, and the result is the same as if nothing had happened."""
    benchmarks = twice([row(f"a.time_{n}") for n in range(5)])

    def numbered(side, request):
        return {"status": "measured", "value": float(len(request["name"])), "number": 3}

    def interrupted(side, request):
        interrupted.left -= 1
        if interrupted.left < 0:
            raise KeyboardInterrupt
        return numbered(side, request)

    workers, rounds = simulated(tmp_path / "whole", benchmarks, numbered)
    rounds.prepare()
    whole = rounds.trial(0, everything)
    for stop in (1, 10, 11, 19):
        folder = tmp_path / f"{stop}"
        interrupted.left = stop
        _, rounds = simulated(folder, benchmarks, interrupted)
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 -- wherever it comes
            rounds.prepare()
            rounds.trial(0, everything)
        with (folder / "journal.jsonl").open("a") as file:
            file.write('{"trial": 0, "round"')  # and the machine went down while a line was written
        again, rounds = simulated(folder, benchmarks, numbered)
        rounds.prepare()
        assert rounds.trial(0, everything) == whole
        assert len(again.asked) == len(workers.asked) - stop + stop % 2  # half a pair is none


def test_a_journal_of_another_run_or_a_finished_one_is_not_continued(tmp_path):
    path = tmp_path / "journal.jsonl"
    first = RoundsJournal(path, {"base": "a"}, "one")
    first.add(0, 1, "x", ("base",), {"base": {"status": "measured", "value": 1.0}})
    assert RoundsJournal(path, {"base": "a"}, "two").kept
    assert RoundsJournal(path, {"base": "a"}, "two").identity == "one"
    assert not RoundsJournal(path, {"base": "b"}, "two").kept
    second = RoundsJournal(path, {"base": "b"}, "three")
    assert second.identity == "two"
    second.add(0, 1, "x", ("base",), {})
    second.finish()
    assert not RoundsJournal(path, {"base": "b"}, "four").kept


def test_a_journal_of_another_environment_is_not_continued(tmp_path):
    """What a stopped run goes on with is what it was measured with: a library may have been replaced meanwhile."""
    path = tmp_path / "journal.jsonl"
    for versions, identity, kept in (("1", "one", False), ("1", "two", True), ("2", "three", False)):
        journal = RoundsJournal(path, {"base": "a"}, identity)
        journal.under({"base": {"numba": versions}, "head": {"numba": "1"}})
        assert bool(journal.kept) == kept
        journal.add(0, 1, identity, ("base",), {"base": {"status": "measured", "value": 1.0}})
    assert journal.identity == "three"
    again = RoundsJournal(path, {"base": "a"}, "four")
    assert set(again.kept) == {(0, 1, "three")}


@pytest.mark.parametrize("left", [b"\0" * 100, b"\0" * 9 + b"\n", b"{}\n"[:1]])
def test_what_a_power_cut_leaves_behind_the_last_line_is_forgotten(left, tmp_path):
    path = tmp_path / "journal.jsonl"
    RoundsJournal(path, {}, "one").add(0, 1, "x", ("base",), {"base": {"status": "measured", "value": 1.0}})
    whole = path.read_bytes()
    path.write_bytes(whole + left)
    assert set(RoundsJournal(path, {}, "two").kept) == {(0, 1, "x")}
    assert path.read_bytes() == whole


def test_a_file_of_somebody_else_is_not_written_over(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text('{"mine": true}\n')
    with pytest.raises(ValueError, match="is no journal of the gate; name another folder with --store"):
        RoundsJournal(path, {}, "one")
    assert path.read_text() == '{"mine": true}\n'


# The processes.


def tree(folder, python=sys.executable):
    work = folder / "work"
    work.mkdir()
    return Tree(
        side="head", label="here", revision=None, content="", folder=folder, benchmarks=folder / "marks",
        python=python, work=work,
    )  # fmt: skip


def request(name, folder, **more):
    return {
        "do": "measure", "name": name, "index": None, "folder": str(folder), "timeout": 20, "budget": 0.001,
        "number": 1, "slow": 1, **more,
    }  # fmt: skip


def test_a_process_that_is_killed_is_started_again(tmp_path):
    kill = "\n\ndef time_kill():\n    os.kill(os.getppid(), 9)\n"
    write(tmp_path, {"marks/__init__.py": "", "marks/odd.py": ODD + kill})
    here = tree(tmp_path)
    with Worker(here, preload=True, threads=1, hash_seed=1, log=tmp_path / "log") as worker:
        answer = worker.ask(request("odd.time_kill", here.work))
        assert answer["status"] == "failed"
        assert "the process that measures here" in answer["why"]
        assert worker.ask(request("odd.track_nan", here.work))["value"] == "nan"


def test_what_a_benchmark_leaves_running_is_stopped(tmp_path):
    code = "import subprocess\n\n\ndef track_pid():\n    return subprocess.Popen(['sleep', '60']).pid\n"
    write(tmp_path, {"marks/__init__.py": "", "marks/odd.py": code})
    here = tree(tmp_path)
    with Worker(here, preload=False, threads=1, hash_seed=1, log=tmp_path / "log") as worker:
        pid = int(worker.ask(request("odd.track_pid", here.work))["value"])
        with pytest.raises(ProcessLookupError):
            _wait_until_gone(pid)


def _wait_until_gone(pid):
    for _ in range(200):
        os.kill(pid, 0)
        if f"/proc/{pid}" and "Z" in _state(pid):
            raise ProcessLookupError
        signal.sigtimedwait([], 0.01)


def _state(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_an_interpreter_that_is_not_there_or_lacks_asv_runner(tmp_path):
    write(tmp_path, {"marks/__init__.py": "", "marks/odd.py": ODD})
    worker = Worker(tree(tmp_path, "/no/python"), preload=True, threads=1, hash_seed=1, log=tmp_path / "log")
    with worker, pytest.raises(WorkerError, match="/no/python cannot be started for here"):
        worker.list(())
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    here = replace(tree(tmp_path / "marks"), folder=tmp_path, benchmarks=tmp_path / "marks", python=str(bare))
    worker = Worker(here, preload=True, threads=1, hash_seed=1, log=tmp_path / "log")
    with (
        worker,
        pytest.raises(WorkerError, match=r"asv_runner is not installed for .*bare, which runs here"),
    ):
        worker.list(())


def test_measure_imports_nothing_of_ours():
    code = (
        f"import runpy, sys; runpy.run_path({measure.__file__!r}); "
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('verify', 'hippo_fast', 'numpy')))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


# Which revisions.


def test_the_base_where_nothing_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_BASE_REF", raising=False)
    repo = repository(tmp_path / "project")

    def head():
        return subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=repo, capture_output=True, text=True, check=True
        ).stdout.strip()

    first = head()
    with pytest.raises(RevisionError, match="HEAD~1"):
        default_base(repo)
    write(repo, {"toy.py": TOY + "# two\n"})
    assert default_base(repo) == first  # uncommitted changes: against the last commit
    commit(repo, "two")
    assert default_base(repo) == first  # on the main line: against the commit before
    second = head()
    git(repo, "checkout", "-q", "-b", "work")
    for number in range(2):
        write(repo, {"toy.py": TOY + f"# work {number}\n"})
        commit(repo, "more")
    assert default_base(repo) == second  # where the branch left the main line
    git(repo, "branch", "release", first)
    monkeypatch.setenv("GITHUB_BASE_REF", "release")
    assert default_base(repo) == first  # what the pull request is for


def test_a_project_without_benchmarks(tmp_path):
    repo = repository(tmp_path / "project")
    for named, wrong in (("nowhere", "nowhere"), ("../..", "../..")):
        with pytest.raises(ValueError, match=f"has no folder of benchmarks '{wrong}'; name it with --benchmarks"):
            placed(repo, "base", "HEAD", tmp_path / named.replace(".", "d").replace("/", "s"), benchmarks=named,
                   python=sys.executable).__enter__()  # fmt: skip
