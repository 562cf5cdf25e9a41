"""A store against an earlier one: each change is what it is said to be, and wrong ways to compare are told apart."""

import json
from dataclasses import replace

import pytest
from report_tools import PROVENANCE, ended, lines_of, passed, written

pytest.importorskip("jinja2")
pytest.importorskip("plotly")

from verify.case import Case
from verify.report import comparison, records
from verify.report.comparison import ALARMS, MUCH, Change, compare, differences
from verify.report.since import since
from verify.verdict import Status, Verdict

CASE = Case("ours", "legs", 4, level="scan")


def recorded(status, ratio=0.1, case=CASE, line=1, check="scan"):
    if status in (Status.PASS, Status.UNEXPECTED_PASS):
        verdict = Verdict(check, "c", case, status, ratio, 1.0, "a lemma", 3, message="m")
    elif status is Status.FAIL:
        verdict = Verdict(check, "c", case, status, max(ratio, 2.0), 1.0, "a lemma", 3, message="m")
    else:
        verdict = ended(status, case, "m", check)
    return records.Entry(line, verdict, "quick", 0)


def change(before, after, **options):
    """What became of one cell; None: nothing."""
    found = compare([before] if before else [], [after] if after else [], **options)
    assert found.same + sum(item.after is not None for item in found.moved) == (after is not None)
    return found.moved[0].change if found.moved else None


S = Status
TURNS = {
    (S.PASS, S.FAIL): Change.BROKEN,
    (S.PASS, S.ERROR): Change.BROKEN,
    (S.EXPECTED_FAIL, S.FAIL): Change.BROKEN,
    (S.EXPECTED_FAIL, S.UNEXPECTED_PASS): Change.BETTER,
    (S.UNEXPECTED_PASS, S.EXPECTED_FAIL): Change.RECORDED,
    (S.INCONCLUSIVE, S.FAIL): Change.BROKEN,
    (S.UNSUPPORTED, S.FAIL): Change.NEW_BAD,
    (S.FAIL, S.ERROR): Change.OTHERWISE,
    (S.FAIL, S.PASS): Change.MENDED,
    (S.ERROR, S.PASS): Change.MENDED,
    (S.EXPECTED_FAIL, S.PASS): Change.MENDED,
    (S.FAIL, S.EXPECTED_FAIL): Change.EXPECTED,
    (S.PASS, S.EXPECTED_FAIL): Change.RECORDED,
    (S.FAIL, S.UNSUPPORTED): Change.STOPPED,
    (S.PASS, S.UNSUPPORTED): Change.STOPPED,
    (S.PASS, S.INCONCLUSIVE): Change.UNDECIDED,
    (S.INCONCLUSIVE, S.PASS): Change.DECIDED,
    (S.UNSUPPORTED, S.PASS): Change.RUNS,
}


@pytest.mark.parametrize(("turn", "wanted"), TURNS.items(), ids=str)
def test_a_change_of_status_has_its_name(turn, wanted):
    was, now = turn
    assert change(recorded(was), recorded(now)) is wanted


@pytest.mark.parametrize("status", list(Status))
def test_what_stays_as_it_was_is_no_change(status):
    assert change(recorded(status), recorded(status)) is None


def test_what_is_gone_is_not_mended_and_what_is_new_and_fails_is_a_failure():
    assert change(recorded(S.FAIL), None) is Change.GONE
    assert change(None, recorded(S.FAIL)) is Change.NEW_BAD
    assert change(None, recorded(S.PASS)) is Change.NEW
    assert {Change.GONE, Change.NEW_BAD, Change.BROKEN, Change.STOPPED, Change.RECORDED, Change.BETTER} <= set(ALARMS)


def test_what_an_unfinished_campaign_has_not_reached_is_not_gone():
    assert change(recorded(S.PASS), None, finished=False) is Change.UNREACHED
    assert Change.UNREACHED not in ALARMS


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (0.1, 0.1 * MUCH, Change.GREW),
        (0.1, 0.099 * MUCH, None),
        (0.4, 0.4 / MUCH, Change.SHRANK),
        (0.0, 2.0**-20, None),  # less than a rounding of the longest chains
        (0.0, 2.0**-18, Change.GREW),
        (2.0**-18, 0.0, Change.SHRANK),
        (1e-9, 1e-7, None),
    ],
)
def test_much_is_two_bits_above_the_floor(before, after, wanted):
    assert change(recorded(S.PASS, before), recorded(S.PASS, after)) is wanted


def test_the_same_check_of_another_case_is_another_cell():
    """Comparing by target and check alone would find nothing here."""
    other = replace(CASE, dtype="float32")
    found = compare([recorded(S.PASS), recorded(S.FAIL, case=other)], [recorded(S.FAIL), recorded(S.PASS, case=other)])
    assert [item.change for item in found.moved] == [Change.BROKEN, Change.MENDED]
    assert [item.entry.verdict.case.dtype for item in found.moved] == ["float64", "float32"]


def test_a_cell_that_is_recorded_twice_counts_by_what_is_gravest():
    """The last record alone, or the first, would say that nothing broke."""
    twice = [recorded(S.PASS, line=1), recorded(S.FAIL, line=2), recorded(S.PASS, line=3)]
    assert compare([recorded(S.PASS)], twice).counts[Change.BROKEN] == 1
    assert compare(twice, [recorded(S.PASS)]).counts[Change.MENDED] == 1


def test_where_cells_are_is_counted_by_target_and_measure():
    cases = [replace(CASE, order=order) for order in (4, 8, 16)]
    found = compare([], [recorded(S.PASS if c.order < 16 else S.UNSUPPORTED, case=c) for c in cases])
    (place,) = found.places(Change.NEW)
    assert (place.target, place.measure, place.cells, place.ran) == ("ours", "legs", 3, 2)


def test_provenance_is_compared_entry_by_entry():
    before = {**PROVENANCE, "versions": {"numpy": "2.1.0", "scipy": "1.0"}, "time": "then"}
    now = {**PROVENANCE, "versions": {"numpy": "2.2.0"}, "cpu": "Another", "time": "now", "fingerprint": "other"}
    assert differences(before, now) == [
        ("versions: numpy", "2.1.0", "2.2.0"), ("cpu", "A CPU", "Another"), ("versions: scipy", "1.0", "not recorded"),
    ]  # fmt: skip


def test_an_earlier_store_is_read_from_the_disk_and_must_be_another(tmp_path):
    now = written(tmp_path / "now", lines_of([recorded(S.FAIL).verdict]))
    before = written(tmp_path / "before", lines_of([recorded(S.PASS).verdict]))
    read = records.read(now)
    found = since(before, read)
    assert (found.name, found.counts[Change.BROKEN], found.provenance) == (str(before), 1, ())
    (tmp_path / "link").symlink_to(now, target_is_directory=True)
    for same in (now, now / "verdicts.jsonl", tmp_path / "link"):
        with pytest.raises(
            ValueError, match=r"the earlier store, .* is the store of this report; expected another one"
        ):
            since(same, read)
    with pytest.raises(FileNotFoundError, match=r"no store at .*nothing"):
        since(tmp_path / "nothing", read)


def test_an_old_store_without_digests_is_read_as_the_earlier_one(tmp_path):
    lines = lines_of([passed(CASE, measured=0.1, bound=1.0)])
    assert not any("digest" in json.loads(line) or "sha256" in json.loads(line) for line in lines)
    now = records.read(written(tmp_path / "now", lines_of([passed(CASE, measured=0.9, bound=1.0)])))
    (moved,) = since(written(tmp_path / "before", lines), now).moved
    assert moved.change is Change.GREW
    assert moved.factor == pytest.approx(9)


def test_every_change_is_said_somewhere():
    assert len({str(item) for item in Change}) == len(Change)
    assert set(comparison.WHOLESALE) | set(ALARMS) <= set(Change)
