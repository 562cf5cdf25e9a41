"""Errors, counts and missing numbers: exact rules, the same as the gate's."""

import itertools
import math

import pytest
from history_tools import BITS, ERROR, TIME, series
from hypothesis import example, given
from hypothesis import strategies as st

from verify.gate.accuracy import judge_count, judge_error
from verify.gate.settings import Thresholds
from verify.gate.words import Word
from verify.history import changes
from verify.history.rules import grows, jumps
from verify.kinds import Kind

NAN, INF = math.nan, math.inf


def found(values, name=ERROR, **further):
    return [(c.first, c.last, c.worse, c.recovered) for c in changes(series(values, name, **further))]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.2, 0.2, 0.2], []),
        ([0.2, 0.2, 0.299, 0.299], []),
        ([0.2, 0.2, 0.3, 0.3], [(2, 2, True, None)]),
        ([0.2, 0.2, 2.0, 2.0, 0.2], [(2, 2, True, 4), (4, 4, False, None)]),
        ([0.2, 2.0, 0.5, 0.5], [(1, 1, True, None), (2, 2, False, None)]),  # better, but not as before
        ([0.3, 0.2], [(1, 1, False, None)]),
        ([0.1, 0.12, 0.14, 0.16, 0.16], [(1, 3, True, None)]),  # creeping: some of them together
        ([0.1, 0.1, 0.12, 0.14, 0.16], [(2, 4, True, None)]),  # not the commit that changed nothing
        ([0.2, NAN, NAN, 0.2], [(1, 1, True, 3)]),
        ([0.2, INF, 0.2, 0.2], [(1, 1, True, 2)]),
        ([0.2, NAN, 0.4], [(1, 1, True, 2), (1, 2, True, None)]),  # measured again, and worse
        ([0.2, 0.2, None], [(2, 2, True, None)]),
        ([NAN, NAN, 0.2], []),  # it never was a number before
        ([None, 0.2, 0.2], []),
        ([0.9, 1.1], [(1, 1, True, None)]),  # right before, wrong now
        ([1e-9, 1e-7], []),  # less than a unit in the last place of the bound
        ([0.0, 0.2], [(1, 1, True, None)]),
    ],
)
def test_errors(values, expected):
    assert found(values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0, 3.99], []),
        ([3.0, 4.0, 4.0], [(1, 1, True, None)]),
        ([0.0, 1.0, 0.0], [(1, 1, True, 2), (2, 2, False, None)]),
        ([0.1, 0.5], []),
    ],
)
def test_bits(values, expected):
    assert found(values, BITS) == expected


def test_counts_may_grow_and_never_shrink():
    name = "bench_a.track_checks"
    assert found([5.0, 5.0, 4.0, 5.0], name) == [(2, 2, True, 3), (3, 3, False, None)]
    [fewer] = changes(series([5.0, 4.0], name))
    assert fewer.text == "fewer: 5 checks before, 4 checks now"


def test_words_and_ratios():
    [change] = changes(series([0.2, 0.6], ERROR))
    assert change.ratio == pytest.approx(3)
    assert change.text == "less accurate: 0.2 error / bound before, 0.6 error / bound now, 3 times"
    [change] = changes(series([3.0, 5.0], BITS))
    assert change.ratio == 4
    assert change.text == "less accurate: 3 bits lost before, 5 bits lost now, 2 bits"
    [change] = changes(series([0.2, None], ERROR))
    assert math.isnan(change.after)
    assert math.isnan(change.ratio)
    assert change.text == "no number any more (failed): 0.2 error / bound before"


def test_a_speed_that_is_lost_is_a_loss_too():
    assert found([1e-3, None, 1e-3], TIME) == [(1, 1, True, 2)]


def test_losses_are_seen_across_versions_and_jumps_are_not():
    assert found([0.2, 0.2, NAN], versions=["1", "1", "2"]) == [(2, 2, True, None)]
    assert found([0.2, 0.2, 0.9], versions=["1", "1", "2"]) == []
    assert found([0.2, 0.9, 0.2, 0.9], versions=["1", "2", "1", "2"]) == []


def test_commits_that_were_not_measured_are_in_the_range():
    whole = series([0.2, 0.2, 0.2, 0.2, 0.9, 0.9], ERROR)
    points = tuple(point for point in whole.points if point.commit not in (2, 3))
    [change] = changes(type(whole)(**{**whole.__dict__, "points": points}))
    assert (change.first, change.last) == (2, 4)


ERRORS = st.floats(0, 100) | st.sampled_from([0.0, 2.0**-19, 1.0, 1.5, 2.0, 3.0])


@given(ERRORS, ERRORS, st.sampled_from(["error / bound", "bits lost", "relative error", "ulps", "error"]))
@example(1.0, 1.5, "error / bound")
@example(2.0**-20, 2.0**-19, "error / bound")
@example(0.1, 0.15, "error")
def test_two_commits_are_judged_as_the_gate_judges_them(before, after, unit):
    gate = judge_error(before, after, unit, Thresholds()).word
    assert grows(before, after, Kind.ERROR, unit) == (gate is Word.LESS_ACCURATE)
    assert grows(after, before, Kind.ERROR, unit) == (gate is Word.BETTER)


@given(st.integers(0, 20), st.integers(0, 20))
def test_counts_are_judged_as_the_gate_judges_them(before, after):
    lost = judge_count(before, after, "checks").word is Word.NOT_COMPARABLE
    assert grows(before, after, Kind.COUNT, "checks") == lost


@given(st.lists(ERRORS, max_size=30))
def test_jumps_follow_each_other_and_a_constant_has_none(values):
    there = list(jumps(values, Kind.ERROR, "error / bound"))
    for jump in there:
        assert jump.base < jump.head
        before, after = values[jump.base], values[jump.head]
        assert grows(*((before, after) if jump.worse else (after, before)), Kind.ERROR, "error / bound")
    for a, b in itertools.pairwise(there):
        assert a.head <= b.base
    if values:
        assert list(jumps([values[0]] * 5, Kind.ERROR, "error / bound")) == []


@pytest.mark.parametrize(
    ("values", "recovered"),
    [
        ([1.0, 1.5, 1.1, 1.1], [2]),  # back within the rule, though no step is as large as one
        ([1.0, 1.5, 1.1, 1.5], [None]),
        ([1.0, 1.5, 1.1, 1.5, 1.2, 1.2], [4]),
        ([1.0, 2.0, 1.0, 1.0, 4.0], [2, None]),
        ([1.0, 2.0, 4.0, 1.0], [3, 3]),
        ([1.0, 2.0, 4.0, 2.0], [None, 3]),
    ],
)
def test_an_error_is_made_good_where_it_is_no_longer_grown(values, recovered):
    """By the rule that called it a loss, and for good: what ends as bad as it was is not."""
    found = [change for change in changes(series([0.1 * value for value in values], ERROR)) if change.worse]
    assert [change.recovered for change in found] == recovered
