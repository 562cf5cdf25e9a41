"""A word for each benchmark and one for the whole: every row of the decision tables, and what must change none."""

import itertools
import math
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from gate_sides import UNITS, absent, measured, side
from hypothesis import given
from hypothesis import strategies as st

from verify.gate import Accepted, Finding, Kind, Measurement, Outcome, Settings, Word, compare
from verify.gate.accepted import Entry
from verify.gate.costs import COSTS
from verify.gate.judgement import whole
from verify.gate.standing import MISSING, TABLE

PAGE = (Path(__file__).parents[2] / "docs/gate.md").read_text(encoding="utf-8")
STEADY = [1.0 + 0.001 * i for i in range(16)]
STATES = (MISSING, "skipped", "failed", "measured")


def table(title):
    """The rows of a table of the page, without its head."""
    lines = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]


def standing(status, kind=Kind.TIME):
    if status == MISSING:
        return []
    return [
        measured("b", kind, STEADY if kind in COSTS else [0.1]) if status == "measured" else absent("b", status, kind)
    ]


# ---- a benchmark without a number on one of the sides


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("before", "now"), [pair for pair in itertools.product(STATES, STATES) if set(pair) != {MISSING}]
)
def test_every_state_of_a_benchmark(before, now, kind):
    found = compare(side(*standing(before, kind)), side(*standing(now, kind)), Settings())
    (finding,) = found.findings
    if (before, now) == ("measured", "measured"):
        assert (finding.word, finding.outcome, found.exit_code) == (Word.SAME, Outcome.PASS, 0)
        return
    word, outcome, text = TABLE[before, now]
    assert (finding.word, finding.outcome) == (word, outcome)
    assert text in finding.message
    assert found.exit_code == {Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 5, Outcome.PASS: 4}[outcome]
    if "failed" in (before, now) or "skipped" in (before, now):
        assert "because" in finding.message


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
@pytest.mark.parametrize("before", [MISSING, "skipped", "failed"])
def test_what_is_new_and_no_number_has_failed(before, value, kind):
    """A benchmark that comes into being as NaN has nothing to be compared with, and is no good news."""
    (finding,) = compare(side(*standing(before, kind)), side(measured("b", kind, [value])), Settings()).findings
    assert (finding.word, finding.outcome) == TABLE[before, "failed"][:2]
    assert f"it gave {value:.4g}" in finding.message


def test_the_page_has_the_same_table():
    stated = {(before, now): (word, outcome) for before, now, word, outcome in table("Nothing is lost without a word")}
    assert stated == {states: (word, outcome) for states, (word, outcome, _) in TABLE.items()}
    assert set(TABLE) == set(itertools.product(STATES, STATES)) - {(MISSING, MISSING), ("measured", "measured")}


def test_what_was_measured_before_never_vanishes_without_failing():
    for (before, _), (_, outcome, _) in TABLE.items():
        if before == "measured":
            assert outcome is Outcome.FAIL


@pytest.mark.parametrize("changed", ["kind", "unit", "version"])
def test_a_benchmark_that_changed_is_not_comparable(changed):
    before = measured("b", Kind.TIME, STEADY)
    now = replace(
        before, **{"kind": {"kind": Kind.MEMORY}, "unit": {"unit": "ms"}, "version": {"version": "2"}}[changed]
    )
    found = compare(side(before), side(now), Settings())
    assert (found.word, found.exit_code) == (Word.NOT_COMPARABLE, 1)
    assert f"its {changed} was" in found.findings[0].message


def test_other_machines_and_versions_are_not_compared():
    before = side(measured("b", Kind.TIME, STEADY), measured("e", Kind.ERROR, [0.1]))
    for now in (replace(before, machine={"cpu": "two"}), replace(before, environment={"numpy": "2.1", "scipy": "1"})):
        found = compare(before, now, Settings())
        assert (found.word, found.exit_code) == (Word.NOT_COMPARABLE, 5)
        assert {finding.outcome for finding in found.findings} == {Outcome.INCONCLUSIVE}
        assert compare(before, now, Settings(may_differ=("cpu", "numpy", "scipy"))).exit_code == 0
    said = "measured in another environment: numpy was 2.0, and is 2.1; scipy was None, and is 1"
    assert found.findings[0].message == said
    assert compare(replace(before, machine={"cpu": "one", "ram": "8 GB"}), before, Settings()).exit_code == 5


# ---- the whole

CLASSES = [
    (Word.BETTER, Outcome.PASS, Kind.TIME, ""),
    (Word.BETTER, Outcome.PASS, Kind.ERROR, ""),
    (Word.SAME, Outcome.PASS, Kind.TIME, ""),
    (Word.SLOWER, Outcome.FAIL, Kind.TIME, ""),
    (Word.SLOWER, Outcome.PASS, Kind.TIME, "known"),
    (Word.LESS_ACCURATE, Outcome.FAIL, Kind.ERROR, ""),
    (Word.NOT_COMPARABLE, Outcome.FAIL, Kind.TIME, ""),
    (Word.NOT_COMPARABLE, Outcome.PASS, Kind.TIME, ""),
    (Word.NOT_COMPARABLE, Outcome.INCONCLUSIVE, Kind.TIME, ""),
    (Word.NOT_MEASURED, Outcome.FAIL, Kind.TIME, ""),
    (Word.NOT_MEASURED, Outcome.PASS, Kind.TIME, ""),
    (Word.NOT_MEASURED, Outcome.INCONCLUSIVE, Kind.TIME, ""),
]
MEANINGS = {
    "an error grew, some cost shrank, and none grew": lambda said: (
        "less accurate fail" in said and "cheaper" in said and "slower fail" not in said
    ),
    "an error grew": lambda said: "less accurate fail" in said,
    "a cost grew": lambda said: "slower fail" in said,
    "a benchmark changed, or compares fewer things": lambda said: "not comparable fail" in said,
    "a benchmark was lost": lambda said: "not measured fail" in said,
    "noise or failures leave something open": lambda said: "not measured inconclusive" in said,
    "the sides stem from different machines or environments": lambda said: "not comparable inconclusive" in said,
    "nothing was compared": lambda said: not {w for s in said for w in ("better", "same", "slower") if s.startswith(w)},
    "something is better": lambda said: "better pass" in said,
    "all else": lambda said: True,
}


@pytest.mark.parametrize("size", range(len(CLASSES) + 1))
def test_every_set_of_findings_has_the_word_that_the_page_says(size):
    """The first row of the page that holds; the rows are read by `MEANINGS`, and none is left over."""
    rows = table("The whole")
    assert [row[0] for row in rows] == list(MEANINGS)
    for chosen in itertools.combinations(CLASSES, size):
        findings = [
            Finding(name=str(i), kind=kind, unit="", word=word, outcome=outcome, message="", accepted=accepted)
            for i, (word, outcome, kind, accepted) in enumerate(chosen)
        ]
        said = {f"{word} {outcome}" for word, outcome, _, accepted in chosen if not accepted}
        said |= {"slower accepted" for *_, accepted in chosen if accepted}
        said |= {"cheaper" for word, _, kind, _ in chosen if word is Word.BETTER and kind in COSTS}
        _, word, code = next(row for row in rows if MEANINGS[row[0]](said))
        assert whole(findings) == (word, int(code)), chosen


def test_every_word_and_code_of_the_contract_is_used():
    rows = table("The whole")
    assert {word for _, word, _ in rows} == set(Word)
    assert {code for *_, code in rows} == {"0", "1", "4", "5"}


def test_both_together_get_one_word():
    before = side(measured("t", Kind.TIME, STEADY), measured("e", Kind.ERROR, [0.1]))
    now = side(measured("t", Kind.TIME, [0.5 * v for v in STEADY]), measured("e", Kind.ERROR, [0.2]))
    found = compare(before, now, Settings())
    assert (found.word, found.exit_code) == (Word.FASTER_BUT_LESS_ACCURATE, 1)
    assert compare(now, before, Settings()).word is Word.SLOWER


# ---- what must never change a verdict

VALUES = st.floats(0.001, 1000) | st.sampled_from([None, math.nan, math.inf, -math.inf, 0.0, -1.0])


@st.composite
def measurements(draw, name):
    kind, status = draw(st.sampled_from(Kind)), draw(st.sampled_from(["measured"] * 4 + ["skipped", "failed"]))
    if status != "measured":
        return absent(name, status, kind)
    if kind in COSTS:
        many = draw(st.sampled_from([1, 8, 16]))
        level = draw(st.sampled_from([1.0, 1.15, 2.0])) * 1e8
        rounds = [level * (1 + 0.01 * i) for i in range(many)]
        spoilt = draw(st.lists(st.tuples(st.integers(0, many - 1), VALUES), max_size=2))
        for place, value in spoilt:
            rounds[place] = value
    else:
        rounds = draw(st.lists(VALUES, min_size=1, max_size=2))
    return measured(name, kind, rounds, version=draw(st.sampled_from("12")))


@st.composite
def sides(draw):
    names = draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=5))
    return side(*(draw(measurements(name)) for name in names), paired=draw(st.sampled_from(["a run", None])))


@given(sides())
def test_an_identical_build_never_fails(one):
    found = compare(one, one, Settings())
    assert found.exit_code in (0, 4, 5)
    assert all(finding.word not in (Word.SLOWER, Word.LESS_ACCURATE) for finding in found.findings)


@given(sides(), sides(), st.data())
def test_one_benchmark_more_hides_no_failure_and_accuses_no_other(base, head, data):
    before = {finding.name: finding for finding in compare(base, head, Settings()).findings}
    extra = [data.draw(measurements("z")) for _ in range(2)]
    more = [
        replace(one, measurements={**one.measurements, "z": new}) for one, new in zip((base, head), extra, strict=True)
    ]
    after = {finding.name: finding for finding in compare(*more, Settings()).findings}
    for name, finding in before.items():
        if finding.outcome is Outcome.FAIL and finding.adjusted_p is None and finding.p is None:
            assert after[name].outcome is Outcome.FAIL
        if finding.outcome is Outcome.FAIL:  # the larger family may ask for more rounds, but never in silence
            ruled_out = after[name].high is not None and after[name].high < 1.2
            assert after[name].outcome is not Outcome.PASS or ruled_out
        if finding.outcome is not Outcome.FAIL:
            assert after[name].outcome is not Outcome.FAIL


@given(sides(), sides())
def test_the_order_of_benchmarks_does_not_matter(base, head):
    def said(*sides):
        return {finding.name: repr(finding) for finding in compare(*sides, Settings()).findings}

    turned = [replace(one, measurements=dict(reversed(one.measurements.items()))) for one in (base, head)]
    assert said(base, head) == said(*turned)


@given(sides(), sides())
def test_findings_hold_finite_numbers_and_reasons(base, head):
    for finding in compare(base, head, Settings()).findings:
        assert finding.message
        for number in (finding.ratio, finding.low, finding.high, finding.p, finding.adjusted_p):
            assert number is None or math.isfinite(number)


@given(st.lists(st.floats(0.5, 2), min_size=8, max_size=16), st.sampled_from([Kind.TIME, Kind.RATE]))
def test_swapped_sides_turn_slower_into_better(ratios, kind):
    before, now = side(measured("b", kind, [1.0] * len(ratios))), side(measured("b", kind, ratios))
    there, back = (compare(*pair, Settings()).findings[0] for pair in ((before, now), (now, before)))
    assert there.ratio == pytest.approx(1 / back.ratio)
    assert (there.word is Word.SLOWER) == (back.word is Word.BETTER)
    assert (there.word is Word.BETTER) == (back.word is Word.SLOWER)


def test_a_rate_is_the_better_the_higher():
    before, now = side(measured("b", Kind.RATE, STEADY)), side(measured("b", Kind.RATE, [v / 2 for v in STEADY]))
    found = compare(before, now, Settings())
    assert (found.word, found.findings[0].ratio) == (Word.SLOWER, pytest.approx(2))


def test_small_ratios_are_not_worth_an_alarm_and_patterns_say_what_is():
    sides = side(measured("b", Kind.TIME, [1.0] * 16)), side(measured("b", Kind.TIME, [1.04] * 16))
    assert compare(*sides, Settings()).word is Word.SAME
    strict = Settings(benchmarks=(("*", {"slowdown": 1.03}),))
    assert compare(*sides, strict).word is Word.SLOWER
    lax = Settings(benchmarks=(("*", {"slowdown": 1.03}), ("b", {"slowdown": 1.05}), ("c*", {"slowdown": 1.01})))
    found = compare(*sides, lax)
    assert found.word is Word.SAME
    assert found.notes == ("settings: pattern 'c*' fits no benchmark",)


def test_the_status_of_a_measurement_is_known():
    with pytest.raises(ValueError, match="status of b is 'done'; accepted: measured, skipped, failed"):
        Measurement(name="b", kind=Kind.TIME, unit=UNITS[Kind.TIME], version="1", status="done")


# ---- accepted regressions

DAY = date(2027, 6, 1)


def entry(what, up_to=math.inf, benchmark="t*", expires=DAY):
    return Entry(
        benchmark=benchmark, what=what, reason="it is right now", expires=expires, up_to=up_to, place="entry 1"
    )


def accept(*entries, ratio=1.3, day=date(2027, 5, 31)):
    before, now = (side(measured("t", Kind.TIME, [factor * v for v in STEADY])) for factor in (1, ratio))
    return compare(before, now, Settings(), Accepted(entries=entries, day=day))


def test_what_is_accepted_passes_and_says_so():
    found = accept(entry(Word.SLOWER, 1.4))
    assert (found.word, found.exit_code, found.notes) == (Word.SAME, 0, ())
    (finding,) = found.findings
    assert (finding.word, finding.outcome, finding.accepted) == (Word.SLOWER, Outcome.PASS, "it is right now")
    assert finding.message.endswith("[accepted until 2027-06-01: it is right now]")


def test_more_than_was_accepted_fails():
    found = accept(entry(Word.SLOWER, 1.2))
    assert (found.word, found.exit_code, found.notes) == (Word.SLOWER, 1, ())
    assert found.findings[0].message.endswith("[accepted up to 1.2 times only]")


def test_an_entry_counts_before_its_day():
    assert accept(entry(Word.SLOWER, 1.4), day=date(2027, 5, 31)).exit_code == 0
    found = accept(entry(Word.SLOWER, 1.4), day=DAY)
    assert found.exit_code == 1
    assert found.findings[0].message.endswith("[no longer accepted: expired on 2027-06-01: it is right now]")
    assert found.notes == (
        "accepted regression expired on 2027-06-01; renew or remove it: slower t*, up to 1.4 times (entry 1)",
    )
    renewed = accept(entry(Word.SLOWER, 1.4), entry(Word.SLOWER, 1.4, expires=date(2028, 1, 1)), day=DAY)
    assert renewed.exit_code == 0


def test_an_entry_that_matches_nothing_is_news():
    for useless in (entry(Word.LESS_ACCURATE, 2), entry(Word.SLOWER, 2, benchmark="u*")):
        found = accept(useless)
        assert found.exit_code == 1
        assert found.notes == (f"accepted regression matched nothing: {useless.describe()}",)
    assert accept(entry(Word.SLOWER, 2), ratio=1).notes == (
        "accepted regression matched nothing: slower t*, up to 2 times (entry 1)",
    )


def test_a_loss_can_be_accepted_and_a_number_that_is_none_only_without_a_limit():
    before, gone = (
        side(measured("t", Kind.TIME, STEADY), measured("u", Kind.TIME, STEADY)),
        side(measured("u", Kind.TIME, STEADY)),
    )
    assert compare(before, gone, Settings()).exit_code == 1
    lost = Accepted(entries=(entry(Word.NOT_MEASURED),), day=date(2027, 1, 1))
    assert compare(before, gone, Settings(), lost).exit_code == 0
    nan = side(measured("t", Kind.ERROR, [0.1])), side(measured("t", Kind.ERROR, [math.nan]))
    for limit, code in ((10.0, 1), (math.inf, 0)):
        allowed = Accepted(entries=(entry(Word.LESS_ACCURATE, limit),), day=date(2027, 1, 1))
        assert compare(*nan, Settings(), allowed).exit_code == code


def test_the_page_names_every_word():
    assert set(re.findall(r"\*\*(.+?)\*\*", PAGE.partition("## The words\n")[2].partition("\n## ")[0])) == set(Word)
