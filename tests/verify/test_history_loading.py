"""What asv stored becomes series: in git's order, each machine for itself, and nothing is lost or invented."""

import json
import math
import sys

import pytest
from history_tools import ERROR, MACHINE, TIME, git, repository, store

from verify.history import HistoryError, changes, load
from verify.history.series import FAILED, NOT_A_NUMBER, NOT_RUN, SKIPPED, UNCLEAR
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
    assert said.count("is not on the line of first parents from HEAD") == 2


def test_units_of_benchmarks_that_are_gone(place):
    hashes, results, repo = place
    store(results, hashes[0], {"bench_old.track_thing": [1.0], "bench_old.time_thing": [1.0], ERROR: [1.0]})
    found = load(results, repo).series
    assert (found["bench_old.track_thing"].kind, found["bench_old.track_thing"].unit) == (None, "")
    assert found["bench_old.time_thing"].unit == "seconds"
    assert changes(found["bench_old.track_thing"]) == ()
    (results / "benchmarks.json").write_text("{")
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
    with pytest.raises(HistoryError, match="none of the 1 measured commits is on the line of first parents from HEAD"):
        load(results, repo)
    git(repo, "checkout", "--quiet", "--detach", hashes[1])
    store(results, hashes[0], {TIME: [1.0]})
    assert len(load(results, repo).commits) == 2
    monkeypatch.setitem(sys.modules, "asv.results", None)
    with pytest.raises(HistoryError, match=r"asv is not installed .*hippo-verify\[bench\]"):
        load(results, repo)
