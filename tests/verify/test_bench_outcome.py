"""How a commit ended, from what asv stores of it, and what the exit code is then."""

import json
import math
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from verify.bench import console, outcome
from verify.bench.outcome import EXIT, Benchmark, End, Outcome, Tally
from verify.bench.running import Report
from verify.history.series import NOT_CHOSEN
from verify.revisions import Commit

COLUMNS = ["result", "params", "version", "started_at"]
PLAIN = Benchmark(name="b.track_plain", version="1")
TIME = Benchmark(name="b.time_x", version="1", choices=("1, 'a'", "2, 'a'"))


def files(folder, rows, notes=None):
    """A results file as asv writes one, and the notes beside it."""
    result, said = folder / "result.json", folder / "notes.json"
    result.write_text(json.dumps({"result_columns": COLUMNS, "results": rows}))
    if notes is not None:
        said.write_text(json.dumps(notes))
    return result, said


def test_values_are_counted(tmp_path):
    rows = {"b.track_plain": [[1.5], [], "1", 7], "b.time_x": [[0.1, math.nan], [["1", "2"], ["'a'"]], "1", 7]}
    notes = {"b.time_x": {"code": 0, "said": {"2, 'a'": "asv: skipped"}, "started_at": 7}}
    found = outcome.tally(*files(tmp_path, rows, notes), [PLAIN, TIME])
    assert (found.measured, found.skipped, found.end) == (2, 1, End.MEASURED)
    assert not found.failed + found.not_finite + found.missing


@pytest.mark.parametrize(
    ("value", "said", "end", "text"),
    [
        (math.inf, "", End.NOT_FINITE, "b.track_plain is inf; asv stores it"),
        (10**400, "", End.NOT_FINITE, "b.track_plain is 1000"),
        (-math.inf, "", End.NOT_FINITE, "b.track_plain is -inf; asv stores it"),
        ({"a": 1}, "", End.NOT_FINITE, "b.track_plain is {'a': 1}; asv stores it"),
        (math.nan, "", End.NOT_FINITE, "b.track_plain is nan; asv takes it for skipped"),
        (math.nan, "b.track_plain said something else", End.NOT_FINITE, "b.track_plain is nan; asv takes it"),
        (math.nan, "asv: skipped: NotImplementedError('no torch')", End.SKIPPED, None),
        (None, "Traceback:\n  x\nValueError: why\nand more", End.FAILED, "b.track_plain: ValueError: why"),
        (None, "asv: benchmark timed out (timeout 9s)", End.FAILED, "b.track_plain: asv: benchmark timed out"),
        (-1.0, "", End.MEASURED, None),
    ],
)
def test_what_asv_blurs_is_told_apart(tmp_path, value, said, end, text):
    notes = {"b.track_plain": {"code": 0, "said": {"": said}, "started_at": 7}}
    found = outcome.tally(*files(tmp_path, {"b.track_plain": [[value], [], "1", 7]}, notes), [PLAIN])
    assert found.end is end
    told = found.not_finite + found.failed
    assert [text] == [line[: len(text)] for line in told] if text else not told


def test_a_commit_that_was_not_built_is_one(tmp_path):
    """asv stores the same for it as for a benchmark that failed, even one that crashed without a word."""
    rows = {"b.track_plain": [None, [], "1", 7]}

    def end(said, started_at=7):
        notes = {"b.track_plain": {"code": 1, "said": said, "started_at": started_at}}
        return outcome.tally(*files(tmp_path, rows, notes), [PLAIN]).end

    assert end({"": outcome.NOT_BUILT}) is End.NOT_BUILT
    assert end({"": outcome.NOT_BUILT}, started_at=6) is End.FAILED
    assert end({"": "asv: setup_cache failed"}) is End.FAILED
    assert end({}) is End.FAILED
    assert outcome.tally(*files(tmp_path, rows, {}), [PLAIN]).broken == ["b.track_plain"]


def test_choices_of_parameters_count_each_for_itself(tmp_path):
    """Those not asked for do not; those never measured are missing, whether asv has a place for them or not."""
    params = [["1", "2", "3"], ["'a'"]]
    rows = {"b.time_x": [[0.1, math.nan, None], params, "1", 7]}
    notes = {"b.time_x": {"said": {"2, 'a'": NOT_CHOSEN, "3, 'a'": "ValueError: why"}, "started_at": 7}}

    def tally(*choices):
        return outcome.tally(*files(tmp_path, rows, notes), [Benchmark(name="b.time_x", version="1", choices=choices)])

    assert tally("1, 'a'").end is End.MEASURED
    assert tally("1, 'a'", "2, 'a'").missing == ["b.time_x(2, 'a')"]
    assert tally("1, 'a'", "4, 'a'").missing == ["b.time_x(4, 'a')"], "a value that the benchmark was given since"
    failed = tally("3, 'a'")
    assert (failed.broken, failed.failed) == (["b.time_x(3, 'a')"], ["b.time_x(3, 'a'): ValueError: why"])
    notes["b.time_x"]["said"] = {"2, 'a'": None, "3, 'a'": outcome.NOT_BUILT}
    assert tally("2, 'a'").end is End.UNCLEAR, "what an earlier run of another's said is not known"
    assert tally("1, 'a'").built
    assert not tally("3, 'a'").built


def test_only_what_a_pattern_is_found_in_is_asked_for():
    assert TIME.only(re.compile(r"\(2, 'a'\)").search).choices == ("2, 'a'",)
    assert TIME.only(re.compile("time_x").search) == TIME
    assert PLAIN.only(re.compile(r"plain$").search) == PLAIN
    assert not PLAIN.only(re.compile("time").search).choices


def test_notes_of_another_measurement_do_not_count(tmp_path):
    notes = {"b.track_plain": {"code": 0, "said": {"": "asv: skipped: reasons"}, "started_at": 6}}
    found = outcome.tally(*files(tmp_path, {"b.track_plain": [[math.nan], [], "1", 7]}, notes), [PLAIN])
    assert found.end is End.UNCLEAR
    assert found.unclear == ["b.track_plain is stored as nan, and not whether it was skipped; --again measures it"]


SHORT = {"result_columns": COLUMNS, "results": {"b.track_plain": [[1.0, 2.0], [], "1", 7]}}
SPOILT = (
    *(None, "", "{", "[]", '{"results": {"b.track_plain": null}}', json.dumps(SHORT)),
    *('{"results": []}', '{"results": {"b.track_plain": []}, "result_columns": 1}'),
    *(
        json.dumps({**SHORT, "results": {"b.track_plain": row}})
        for row in ([1, [], "1"], [[1], 1, "1"], [[1], [[1]], "1"])
    ),
)


@pytest.mark.parametrize("content", SPOILT)
def test_what_cannot_be_read_is_not_measured(tmp_path, content):
    path = tmp_path / "result.json"
    if content is not None:
        path.write_text(content)
    found = outcome.tally(path, tmp_path / "none.json", [PLAIN])
    assert found.missing == ["b.track_plain"]
    assert found.end is End.FAILED


def test_a_changed_benchmark_is_measured_anew_and_named(tmp_path):
    """asv would compare nothing and show less, without a word."""
    rows = {"b.track_plain": [[1.0], [], "0", 7], "b.time_x": [[1.0, 1.0], [["1", "2"], ["'a'"]], "1", 7]}
    found = outcome.tally(*files(tmp_path, rows), [PLAIN, TIME])
    assert found.missing == ["b.track_plain"]
    (tmp_path / "other.json").write_text(json.dumps({"result_columns": COLUMNS, "results": rows}))
    (tmp_path / "machine.json").write_text(json.dumps({"machine": "here", "version": 1}))
    assert outcome.outdated(tmp_path, [PLAIN, TIME]) == {"b.track_plain": 2}


def test_a_file_that_was_cut_off_is_set_aside(tmp_path):
    """asv fails on it each time that it measures the commit."""
    whole, cut = tmp_path / "whole.json", tmp_path / "cut.json"
    whole.write_text(json.dumps(SHORT))
    cut.write_text(json.dumps(SHORT)[:-5])
    for path in (whole, cut, tmp_path / "none.json"):
        outcome.set_aside(path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.broken", "whole.json"]


def ended(end, **further):
    commit = Commit(hash=f"{len(end):040x}", when=datetime(2026, 1, 1, tzinfo=UTC), subject="[red]a ::subject::")
    return Outcome(commit=commit, tally=Tally(), end=end, **further)


def test_the_worst_end_decides():
    assert outcome.exit_code([]) == 4
    assert [EXIT[end] for end in End] == [1, 3, 3, 3, 130, 5, 5, 0]
    for end in End:
        assert outcome.exit_code([ended(End.MEASURED), ended(end), ended(End.MEASURED)]) == EXIT[end]
    assert outcome.exit_code([ended(End.FAILED), ended(End.NOT_FINITE)]) == 1
    assert outcome.exit_code([ended(End.NOT_FINITE), ended(End.STOPPED)]) == 130
    assert outcome.exit_code([ended(End.SKIPPED), ended(End.NOT_BUILT)]) == 3


def test_every_commit_has_a_row_and_a_reason(capsys, tmp_path):
    log = tmp_path / "a.log"
    log.write_text("")
    crashed = ended(End.ASV_FAILED, message="asv ended with -9: it printed nothing", log=log)
    many = ended(End.FAILED)
    many.tally.failed.extend(f"b.track_{number}: ValueError: why" for number in range(console.SHOWN + 2))
    report = Report(outcomes=(ended(End.MEASURED, before=True), crashed, many), outdated={"b.time_x": 3})
    console.show(report, quick=False)
    said = capsys.readouterr().out
    assert "measured, in an earlier run" in said
    assert "asv ended with -9: it printed nothing" in said
    assert f"all that was printed: {log}" in said
    assert f"b.track_{console.SHOWN - 1}:" in said
    assert f"b.track_{console.SHOWN}:" not in said
    assert "... and 2 more" in said
    assert "b.time_x is another benchmark now than in 3 stored results" in said
    assert "[red]a" in said, "a subject is no markup"


def test_a_log_has_a_line_where_a_commit_begins_and_ends(capsys):
    with console.watching(wanted=True) as watcher:
        watcher.doing("discovering")
        watcher.began(ended(End.MEASURED).commit, 2, 3)
        watcher.doing("b.time_x", 50.0)
        watcher.ended(ended(End.MEASURED))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "discovering"
    assert lines[1].startswith("2/3 00000000 [red]a")
    assert lines[2] == "  00000000: measured"
    assert len(lines) == 3


def test_nothing_is_said_where_nothing_is_wanted(capsys):
    with console.watching(wanted=False) as watcher:
        watcher.doing("discovering")
        watcher.began(ended(End.MEASURED).commit, 1, 1)
        watcher.ended(ended(End.MEASURED))
    assert capsys.readouterr().err == ""


def test_a_bar_is_drawn_on_a_terminal(monkeypatch):
    import io

    from rich.console import Console

    stream = io.StringIO()
    terminal = Console(file=stream, force_terminal=True, width=100)
    monkeypatch.setattr(console, "make_console", lambda **_: terminal)
    with console.watching(wanted=True) as watcher:
        watcher.doing("discovering")
        watcher.began(ended(End.MEASURED).commit, 2, 3)
        watcher.doing("b.time_x", 50.0)
        watcher.ended(ended(End.FAILED))
    assert "2/3" in stream.getvalue()
    assert "failed" in stream.getvalue()


def test_the_list_of_benchmarks_is_read(tmp_path):
    path = Path(tmp_path / "benchmarks.json")
    entry = {"name": "b.time_x", "type": "time", "version": "1", "params": [["1", "2"], ["'a'"]], "unit": "seconds"}
    path.write_text(json.dumps({"b.time_x": entry, "version": 2}))
    assert outcome.benchmarks(path) == {"b.time_x": TIME}
