"""What asv stored becomes series: in git's order, each machine for itself, and nothing is lost or invented."""

import json
import math
import sys

import pytest
from history_tools import ERROR, MACHINE, TIME, git, repository, store

from verify.history import HistoryError, changes, load
from verify.history.series import FAILED, NOT_A_NUMBER, NOT_CHOSEN, NOT_RUN, SKIPPED, UNCLEAR
from verify.revisions import RevisionError

DATES = [500, 400, 300, 600, 600]
"""Rebased commits: their dates are no order."""


@pytest.fixture
def place(tmp_path):
    return repository(tmp_path / "repo", DATES), tmp_path / "repo" / ".asv" / "results", tmp_path / "repo"


def test_the_order_is_that_of_git(place):
    hashes, results, repo = place
    for i, commit in enumerate(hashes):
        store(results, commit, {TIME: [1.0 + i]}, date=DATES[i])
    history = load(results, repo)
    assert [commit.hash for commit in history.commits] == hashes
    assert [point.value for point in history.series[TIME].points] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert history.ordered == "git"
    by_date = load(results, None)
    assert by_date.ordered == "dates"
    assert [commit.hash for commit in by_date.commits][:3] == [hashes[2], hashes[1], hashes[0]]


def test_the_history_begins_with_the_first_measured_commit_and_ends_with_head(place):
    hashes, results, repo = place
    store(results, hashes[1], {TIME: [1.0]})
    store(results, hashes[3], {TIME: [1.0]})
    history = load(results, repo)
    assert [commit.hash for commit in history.commits] == hashes[1:]
    assert history.measured == (0, 2)


def test_nan_null_skipped_and_missing_are_told_apart(place):
    hashes, results, repo = place
    nan = math.nan
    store(results, hashes[0], {TIME: [1.0], ERROR: [0.5]})
    store(results, hashes[1], {TIME: [nan], ERROR: [nan]})
    store(results, hashes[2], {TIME: None, ERROR: [None]})
    store(results, hashes[3], {ERROR: [nan]}, started=7000)
    notes = repo / ".asv" / "hippo-verify" / "notes" / "here"
    notes.mkdir(parents=True)
    told = {ERROR: {"code": 0, "said": {}, "started_at": 7000}}
    (notes / f"{hashes[3][:8]}-py.json").write_text(json.dumps(told))
    store(results, hashes[4], {TIME: None, ERROR: [nan]}, started=8000)
    told = {
        ERROR: {"code": 0, "said": {"": "asv: skipped: NotImplementedError('not here')"}, "started_at": 8000},
        TIME: {"code": 1, "said": {"": "Traceback\n  File\nValueError: broken"}, "started_at": 8000},
    }
    (notes / f"{hashes[4][:8]}-py.json").write_text(json.dumps(told))
    history = load(results, repo)
    time, error = history.series[TIME], history.series[ERROR]
    assert [point.why for point in time.points] == ["", SKIPPED, FAILED, NOT_RUN, FAILED]
    assert [point.why for point in error.points] == ["", UNCLEAR, FAILED, NOT_A_NUMBER, SKIPPED]
    assert time.points[4].said == "ValueError: broken"
    assert [point.value for point in time.points] == [1.0, None, None, None, None]
    [lost] = changes(time)
    assert (lost.first, lost.last, lost.worse, lost.recovered) == (1, 1, True, None)
    assert lost.text == "no number any more (skipped): 1 s before"


def test_parameters_that_were_not_chosen_are_no_loss(place):
    """asv stores NaN, or null, for those of a benchmark of which only others were asked for."""
    hashes, results, repo = place
    params = {TIME: [["1", "2"]], ERROR: [["1", "2"]]}
    store(results, hashes[0], {TIME: [1.0, 1.0], ERROR: [0.5, 0.5]}, params=params)
    store(results, hashes[1], {TIME: [1.0, math.nan], ERROR: [None, 0.5]}, params=params, started=7000)
    notes = repo / ".asv" / "hippo-verify" / "notes" / "here"
    notes.mkdir(parents=True)
    told = {name: {"said": {which: NOT_CHOSEN}, "started_at": 7000} for name, which in ((TIME, "2"), (ERROR, "1"))}
    (notes / f"{hashes[1][:8]}-py.json").write_text(json.dumps(told))
    history = load(results, repo)
    for name in (f"{TIME}(2)", f"{ERROR}(1)"):
        assert [point.why for point in history.series[name].points] == ["", NOT_RUN]
        assert changes(history.series[name]) == ()


def test_a_stale_note_says_nothing(place):
    hashes, results, repo = place
    store(results, hashes[0], {ERROR: [math.nan]}, started=2)
    notes = repo / ".asv" / "hippo-verify" / "notes" / "here"
    notes.mkdir(parents=True)
    (notes / f"{hashes[0][:8]}-py.json").write_text(json.dumps({ERROR: {"code": 0, "said": {}, "started_at": 1}}))
    assert load(results, repo).series[ERROR].points[0].why == UNCLEAR


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (math.inf, "infinite"),
        (-0.5, "negative (-0.5), which no error is"),
        ({"a": 1}, "a dict, not a number"),
        ("fast", "a str, not a number"),
    ],
)
def test_what_asv_takes_for_a_value_is_a_loss(place, value, why):
    hashes, results, repo = place
    store(results, hashes[0], {ERROR: [0.5]})
    store(results, hashes[1], {ERROR: [value]})
    store(results, hashes[2], {ERROR: [0.5]})
    found = load(results, repo).series[ERROR]
    assert found.points[1].why == why
    assert not found.points[1].finite
    [lost] = changes(found)
    assert (lost.first, lost.last, lost.worse, lost.recovered) == (1, 1, True, 2)
    assert why in lost.text


def test_a_changed_benchmark_splits_its_series(place):
    hashes, results, repo = place
    for i, commit in enumerate(hashes):
        store(results, commit, {ERROR: [0.1 if i < 2 else 0.9]}, versions={ERROR: "1" if i < 2 else "2"})
    found = load(results, repo).series[ERROR]
    assert found.splits == (2,)
    assert [point.value for point in found.points] == [0.1, 0.1, 0.9, 0.9, 0.9]  # the old values are still there
    assert changes(found) == ()
    for commit in hashes:
        store(results, commit, {ERROR: [0.1 if commit in hashes[:2] else 0.9]})
    assert [change.last for change in changes(load(results, repo).series[ERROR])] == [2]  # it is the version that does


def test_parameters_have_a_series_each(place):
    hashes, results, repo = place
    params = {TIME: [["'legs'", "'legt'"], ["8", "16"]]}
    store(results, hashes[0], {TIME: [1.0, 2.0, None, 4.0]}, params=params)
    store(results, hashes[1], {TIME: None}, params=params)
    history = load(results, repo)
    assert list(history.series) == [f"{TIME}('leg{x}', {n})" for x in "st" for n in (16, 8)]
    points = history.series[f"{TIME}('legt', 8)"].points
    assert [point.why for point in points] == [FAILED, FAILED]
    assert history.series[f"{TIME}('legs', 16)"].points[0].value == 2.0


def test_machines_and_environments_are_kept_apart(place):
    hashes, results, repo = place
    other = {**MACHINE, "machine": "there"}
    for commit in hashes:
        store(results, commit, {ERROR: [0.1]})
        store(results, commit, {ERROR: [0.2]}, machine=other)
        store(results, commit, {ERROR: [0.3]}, environment="py-old")
    history = load(results, repo)
    assert set(history.series) == {f"{ERROR} @ here, py", f"{ERROR} @ there, py", f"{ERROR} @ here, py-old"}
    for one in history.series.values():
        assert one.name == ERROR
        assert len({point.value for point in one.points}) == 1
    assert {one.place.machine for one in load(results, repo, machine="there").series.values()} == {"there"}
    assert set(load(results, repo, machine="there").series) == {ERROR}


def test_a_name_that_means_another_machine_now_is_another_place(place):
    hashes, results, repo = place
    store(results, hashes[0], {TIME: [1.0]})
    store(results, hashes[1], {TIME: [0.5]}, machine={**MACHINE, "cpu": "a faster CPU"})
    names = list(load(results, repo).series)
    assert len(names) == 2
    assert sum("a faster CPU" in name for name in names) == 1


def test_what_cannot_be_placed_is_named_and_hides_nothing(tmp_path):
    *hashes, side = repository(tmp_path, [1, 2, 3], branch_at=1)
    results = tmp_path / ".asv" / "results"
    store(results, hashes[0], {TIME: [1.0]})
    store(results, side, {TIME: [9.0]})
    store(results, "f" * 40, {TIME: [9.0]})
    store(results, hashes[2], {TIME: [1.0]}).write_text('{"commit_hash": "')  # a stopped asv leaves half a file
    store(results, hashes[1], {TIME: [1.0]}).write_text('{"version": 2, "params": {}}')
    history = load(results, tmp_path)
    assert [point.value for point in history.series[TIME].points] == [1.0]
    said = "\n".join(history.aside)
    for word in (side[:8], "f" * 8, f"{hashes[2][:8]}-py.json cannot be read", f"{hashes[1][:8]}-py.json"):
        assert word in said
    assert f"commit {side[:8]} is not on the line of first parents from HEAD" in said
    assert f"commit {'f' * 8} is not in the repository: it was rebased, or is of another one" in said


def test_units_of_benchmarks_that_are_gone(place):
    hashes, results, repo = place
    store(results, hashes[0], {"bench_old.track_thing": [1.0], "bench_old.time_thing": [1.0], ERROR: [1.0]})
    found = load(results, repo).series
    assert (found["bench_old.track_thing"].kind, found["bench_old.track_thing"].unit) == (None, "")
    assert found["bench_old.time_thing"].unit == "seconds"
    assert changes(found["bench_old.track_thing"]) == ()
    for spoilt in ("{", "null", '{"version": "x"}', "[" * 100_000):
        (results / "benchmarks.json").write_text(spoilt)
        assert "units are not known" in load(results, repo).aside[0]


def test_faults_are_named(place, tmp_path, monkeypatch):
    hashes, results, repo = place
    with pytest.raises(HistoryError, match=r"nothing is no folder; expected: results of asv"):
        load(tmp_path / "nothing", repo)
    results.mkdir(parents=True)
    with pytest.raises(HistoryError, match=r"no results of asv in .*hippo-verify bench makes them"):
        load(results, repo)
    path = store(results, hashes[0], {TIME: [1.0]})
    with pytest.raises(HistoryError, match=r"nothing was measured on a machine named 'there'; in .*: here"):
        load(results, repo, machine="there")
    with pytest.raises(RevisionError, match="not in a git repository"):
        load(results, tmp_path)
    path.write_text("{")
    with pytest.raises(HistoryError, match=r"no results of asv in .*cannot be read"):
        load(results, repo)
    path.unlink()
    store(results, "f" * 40, {TIME: [1.0]})
    with pytest.raises(HistoryError, match=r"none of the 1 measured commits is in the repository .*: --repository"):
        load(results, repo)
    store(results, "f" * 40, {TIME: [1.0]}).unlink()
    store(results, hashes[2], {TIME: [1.0]})
    git(repo, "checkout", "--quiet", "--detach", hashes[1])
    with pytest.raises(HistoryError, match=r"on the line of first parents from HEAD in .*; check out the branch that"):
        load(results, repo)
    store(results, hashes[0], {TIME: [1.0]})
    assert len(load(results, repo).commits) == 2
    monkeypatch.setitem(sys.modules, "asv.results", None)
    with pytest.raises(HistoryError, match=r"asv is not installed .*hippo-verify\[bench\]"):
        load(results, repo)


def test_a_shallow_clone_is_refused(place, tmp_path):
    """Its history ends where it was cut: what was measured before would look as if it had never been."""
    hashes, results, repo = place
    for commit in hashes:
        store(results, commit, {TIME: [1.0]})
    git(tmp_path, "clone", "--quiet", "--depth=2", repo.as_uri(), "clone")
    with pytest.raises(HistoryError, match=r"3 of the 5 measured commits are not in .*clone, such as .*--unshallow"):
        load(results, tmp_path / "clone")
    git(tmp_path / "clone", "fetch", "--quiet", "--unshallow")
    assert len(load(results, tmp_path / "clone").commits) == 5


def test_merges_and_wrong_clocks_do_not_change_the_order(tmp_path):
    """Each merge follows what it was merged into, whatever the dates say; the commits that it brought stand aside."""
    stream, dates = b"", {1: 1_700_000_000, 2: 5, 3: 1_900_000_000, 4: 1_700_000_100, 5: 1_600_000_000, 6: 1}
    parents = {2: [1], 3: [2], 4: [1], 5: [3, 4], 6: [5]}
    for mark, date in dates.items():
        branch = b"side" if mark == 4 else b"main"
        stream += b"commit refs/heads/%s\nmark :%d\ncommitter A <a@example.org> %d +0000\ndata 0\n" % (
            branch,
            mark,
            date,
        )
        for word, parent in zip((b"from", b"merge"), parents.get(mark, ()), strict=False):
            stream += b"%s :%d\n" % (word, parent)
        stream += b"M 100644 inline file%d\ndata 1\n%d\n" % (mark, mark)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "fast-import", "--quiet", given=stream)
    line = git(tmp_path, "rev-list", "--reverse", "--first-parent", "main").split()
    side = git(tmp_path, "rev-parse", "side").strip()
    results = tmp_path / ".asv" / "results"
    for i, commit in enumerate([*line, side]):
        store(results, commit, {ERROR: [float(i)]}, date=1000 - i)
    history = load(results, tmp_path)
    assert len(line) == 5
    assert [point.value for point in history.series[ERROR].points] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert [text for text in history.aside if side[:8] in text]


JUNK = [None, -1, math.inf, "x", [], {}, [None], [1, 2, 3], [[1], [2]], 10**400, "gone"]


def places(content, prefix=()):
    """Where anything stands in a document."""
    yield prefix
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in pairs:
        yield from places(value, (*prefix, key))


def replaced(content, where, value):
    if not where:
        return value
    copy = dict(content) if isinstance(content, dict) else list(content)
    copy[where[0]] = replaced(copy[where[0]], where[1:], value)
    if len(where) == 1 and value == "gone":
        del copy[where[0]]
    return copy


def test_a_spoilt_file_hides_no_other(place):
    """Whatever stands wherever in one file, the other commits are there, and what is not is named."""
    hashes, results, repo = place
    params = {TIME: [["1", "2"]]}
    for commit in hashes[:2]:
        path = store(results, commit, {TIME: [1.0, 2.0], ERROR: [0.5]}, params=params, started=5)
    whole = json.loads(path.read_text())
    for where in list(places(whole)):
        for junk in JUNK:
            if where or junk != "gone":
                path.write_text(json.dumps(replaced(whole, where, junk)))
                history = load(results, None)
                at = next(i for i, commit in enumerate(history.commits) if commit.hash == hashes[0])
                there = {
                    (one.name, point.value)
                    for one in history.series.values()
                    for point in one.points
                    if point.commit == at
                }
                assert there >= {(f"{TIME}(1)", 1.0), (f"{TIME}(2)", 2.0), (ERROR, 0.5)}
    path.write_text(json.dumps(replaced(whole, ("results", TIME, 1), [[1, 2]])))
    history = load(results, repo)
    assert history.series[f"{TIME}(1)"].points[1].why == NOT_RUN
    assert history.aside[0].startswith(f"{TIME} at commit {hashes[1][:8]} cannot be read: TypeError")
    spoilt = {**whole, "results": {TIME: [[1.0, 2.0], [["1", "2"]], "1", 5, None, "x", [1.0, 2.0]]}}
    path.write_text(json.dumps(spoilt))
    assert f"{path.name} cannot be read: IndexError" in load(results, repo).aside[0]
    path.write_text("[" * 100_000)
    assert "RecursionError" in load(results, repo).aside[0]


def test_a_second_file_of_the_same_commit_is_named(place):
    hashes, results, repo = place
    path = store(results, hashes[0], {TIME: [1.0]})
    path.with_name(f"{hashes[0][:12]}-py.json").write_text(path.read_text().replace("1.0", "9.0"))
    [aside] = load(results, repo).aside
    assert aside.startswith(f"commit {hashes[0][:8]} has a second file of here, py")


@pytest.mark.parametrize(
    ("name", "unit"), [(TIME, None), ("bench_a.track_rate", "steps/s"), ("bench_a.peakmem_x", None)]
)
def test_nothing_at_all_is_no_time_no_memory_and_no_rate(place, name, unit):
    hashes, results, repo = place
    store(results, hashes[0], {name: [1.0]})
    store(results, hashes[1], {name: [0]})
    if unit:
        (results / "benchmarks.json").write_text(json.dumps({name: {"name": name, "unit": unit}, "version": 2}))
    found = load(results, repo).series[name]
    [lost] = changes(found)
    assert (lost.last, lost.worse, found.points[1].why) == (1, True, f"0, which no {found.kind} is")


def test_values_in_another_unit_are_not_compared(place):
    """asv keeps the unit of today alone; `hippo-verify bench` notes that of each measurement."""
    hashes, results, repo = place
    notes = repo / ".asv" / "hippo-verify" / "notes" / "here"
    notes.mkdir(parents=True)
    for i, commit in enumerate(hashes):
        store(results, commit, {ERROR: [0.5 if i < 2 else 0.5e6]}, started=7000)
        unit = "relative error" if i < 2 else "error / bound"
        note = {ERROR: {"said": {}, "started_at": 7000, "unit": unit}}
        (notes / f"{commit[:8]}-py.json").write_text(json.dumps(note))
    found = load(results, repo).series[ERROR]
    assert [point.finite for point in found.points] == [False, False, True, True, True]
    assert found.points[0].why == "in relative error, not in error / bound as now"
    assert changes(found) == ()


def test_a_benchmark_that_is_listed_no_longer_has_the_unit_that_was_noted_last(place):
    hashes, results, repo = place
    notes = repo / ".asv" / "hippo-verify" / "notes" / "here"
    notes.mkdir(parents=True)
    gone = {"bench_old.track_thing": "error / bound", "bench_old.time_thing": "seconds"}
    for i, commit in enumerate(hashes[:3]):
        store(results, commit, {name: [1.0 + i] for name in gone}, started=7000)
        units = {name: "verdicts" if i == 0 and "track" in name else unit for name, unit in gone.items()}
        told = {name: {"said": {}, "started_at": 7000, "unit": unit} for name, unit in units.items()}
        (notes / f"{commit[:8]}-py.json").write_text(json.dumps(told))
    found = load(results, repo).series
    assert [point.finite for point in found["bench_old.time_thing"].points] == [True] * 3
    thing = found["bench_old.track_thing"]
    assert (thing.kind, thing.unit, [point.finite for point in thing.points]) == (
        "error",
        "error / bound",
        [False, True, True],
    )
    assert [change.last for change in changes(thing)] == [2]
