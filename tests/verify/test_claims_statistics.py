"""Verdicts from a few seeds and one test set: how often they are wrong, and that they are not always in doubt."""

import math

import numpy as np
import pytest
from scipy import special, stats

from verify.claims import statistics
from verify.claims.base import Standing
from verify.claims.statistics import compare, decide, estimate, number, share_variance

TRIALS = 1000
ALLOWED = TRIALS * 0.05 + 3.7 * math.sqrt(TRIALS * 0.05 * 0.95)
"""Wrong verdicts of a rule that is wrong in 5 %: one run in 10,000 has more."""


def drawn(rng, mean, sigma, count, seeds):
    """Shares of right answers of a cell: one test set, and a few seeds."""
    hard = mean if count is None else rng.normal(mean, math.sqrt(mean * (1 - mean) / count))
    return {seed: float(np.clip(rng.normal(hard, sigma), 0, 1)) for seed in range(seeds)}


def told_apart(seeds, sigma, count, known=True):
    """How often two equal cells are said to differ."""
    rng = np.random.default_rng(7)
    pairs = [[drawn(rng, 0.8, sigma, count, seeds) for _ in range(2)] for _ in range(TRIALS)]
    found = [decide({"only": compare(a, b, count=count if known else None)})["only"].standing for a, b in pairs]
    return TRIALS - found.count(Standing.UNDECIDED)


@pytest.mark.parametrize("seeds", [2, 5])
@pytest.mark.parametrize(("sigma", "count"), [(0.02, None), (0.04, 360), (0.002, 360)])
def test_two_equal_cells_are_seldom_told_apart(seeds, sigma, count):
    """Whether it is seeds that spread more, or what a test set leaves uncertain."""
    assert told_apart(seeds, sigma, count) <= ALLOWED


def test_rules_that_are_too_sure_are_found_out(monkeypatch):
    """The same trials reject whoever forgets the test set, or that few seeds say little of their spread."""
    assert told_apart(5, 0.01, 360, known=False) > ALLOWED
    spread = statistics._Spread
    monkeypatch.setattr(spread, "half", lambda self, p: -special.ndtri(p / 2) * math.hypot(self.seeds, self.test_set))
    assert told_apart(2, 0.02, None) > ALLOWED

    def welch(self, p):
        total = self.seeds**2 + self.test_set**2
        return -special.stdtrit(self.freedom * (total / self.seeds**2) ** 2, p / 2) * math.sqrt(total)

    monkeypatch.setattr(spread, "half", welch)
    assert told_apart(2, 0.04, 360) > ALLOWED


def test_many_statements_together_are_seldom_wrong():
    """Holm: one wrong verdict among ten in 5 % of claims, where each for itself would give 40 %."""
    rng = np.random.default_rng(8)
    alone = together = 0
    for _ in range(200):
        family = {str(i): compare(drawn(rng, 0.8, 0.01, None, 4), drawn(rng, 0.8, 0.01, None, 4)) for i in range(10)}
        together += any(one.standing is not Standing.UNDECIDED for one in decide(family).values())
        alone += any(one.p <= 0.05 for one in family.values())
    assert together <= 200 * 0.05 + 3.7 * math.sqrt(200 * 0.05 * 0.95)
    assert alone > 60


@pytest.mark.parametrize(("gap", "standing"), [(0.15, Standing.HOLDS), (-0.15, Standing.FAILS)])
def test_a_large_gap_is_seen(gap, standing):
    """Fifteen points, three seeds that spread by one, 360 items: nearly always decided, and never the wrong way."""
    rng = np.random.default_rng(9)
    found = [
        decide({"only": compare(drawn(rng, 0.8 + gap, 0.01, 360, 3), drawn(rng, 0.8, 0.01, 360, 3), count=360)})
        for _ in range(100)
    ]
    standings = [one["only"].standing for one in found]
    assert standings.count(standing) >= 95
    assert set(standings) <= {standing, Standing.UNDECIDED}


def test_the_interval_covers():
    rng = np.random.default_rng(10)
    for seeds, sigma, count in ((2, 0.03, 360), (5, 0.03, None)):
        found = [estimate(drawn(rng, 0.8, sigma, count, seeds), count=count) for _ in range(TRIALS)]
        missed = sum(not one.low <= 0.8 <= one.high for one in found)
        assert missed <= ALLOWED


def test_without_a_test_set_it_is_the_paired_t_test():
    """Held against scipy."""
    rng = np.random.default_rng(11)
    a, b = rng.normal(1, 1, 6), rng.normal(0, 1, 6)
    found = compare(dict(enumerate(a)), dict(enumerate(b)))
    other = stats.ttest_rel(a, b)
    assert found.p == pytest.approx(other.pvalue, rel=1e-6)
    interval = other.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-12)


def test_the_p_value_is_that_of_the_interval_that_just_reaches_the_margin():
    a, b = {0: 0.9, 1: 0.93, 2: 0.91}, {0: 0.8, 1: 0.85, 2: 0.88}
    found = compare(a, b, count=500)
    reaching = compare(a, b, count=500, level=1 - found.p)
    assert reaching.low == pytest.approx(0.0, abs=1e-9)
    assert compare(a, b, count=500, margin=found.difference).p == 1.0
    wide = compare({0: 1e3, 1: 1e3 + 1e-9}, {0: 0.0, 1: 0.0})
    assert wide.p < 1e-10


def test_a_known_variance_is_added():
    a, b = {0: 0.9, 1: 0.9}, {0: 0.8, 1: 0.8}
    known = sum(share_variance(share, 360) for share in (0.9, 0.8))
    one, other = compare(a, b, count=360), compare(a, b, variance=known)
    assert (one.low, one.high) == pytest.approx((other.low, other.high))
    assert one.high - one.low == pytest.approx(2 * 1.959964 * math.sqrt(known), rel=1e-6)


def test_a_share_of_one_is_not_certain():
    assert share_variance(1.0, 360) > 0
    assert share_variance(1.0, 360) == pytest.approx(share_variance(0.0, 360))
    sure = compare({0: 1.0, 1: 1.0}, {0: 1.0, 1: 1.0}, count=360)
    assert sure.low < 0 < sure.high


@pytest.mark.parametrize(("share", "count"), [(1.1, 10), (-0.1, 10), (0.5, 0), (math.nan, 10)])
def test_what_is_no_share_is_refused(share, count):
    with pytest.raises(ValueError, match=r"a share of .* items; accepted: between 0 and 1 of at least one"):
        share_variance(share, count)


@pytest.mark.parametrize(
    ("a", "b", "standing", "words"),
    [
        ({}, {0: 1.0}, Standing.NOT_RUN, "it was not run"),
        ({0: 1.0}, {}, Standing.NOT_RUN, "it was not run"),
        ({0: 1.0}, {0: 0.5}, Standing.UNDECIDED, "one seed says nothing of the spread over seeds"),
        ({0: 1.0, 1: 2.0}, {0: 0.5, 2: 0.5}, Standing.UNDECIDED, "the two were not run with the same seeds"),
        ({0: 1.0, 1: None}, {0: 0.5, 1: 0.5}, Standing.UNDECIDED, "seeds 1 gave no number"),
        (
            {0: 0.3, 1: 0.3},
            {0: 0.1, 1: 0.1},
            Standing.UNDECIDED,
            "every seed gave the very same number: seeds do nothing",
        ),
        ({0: 0.5, 1: 0.9}, {0: 0.1, 1: 0.2}, Standing.UNDECIDED, "0.55 over 2 seeds, 95% interval .*: too wide to say"),
        ({0: 0.5, 1: 0.51}, {0: 0.1, 1: 0.12}, Standing.HOLDS, r"0.395 over 2 seeds, 95% interval .*: above 0"),
        ({0: 0.1, 1: 0.12}, {0: 0.5, 1: 0.51}, Standing.FAILS, r"-0.395 over 2 seeds, 95% interval .*: below 0"),
    ],
)
def test_what_is_said(a, b, standing, words):
    found = decide({"one": compare(a, b)})["one"]
    assert found.standing is standing
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(found.words)
    said = found.statement(text="A is above B.", source="here", quantity="A less B", bound_source="nothing")
    assert said.standing is standing
    assert said.measured == found.comparison.difference
    assert said.bound == 0.0
    assert said.criterion.startswith(
        "A less B: holds where it lies above 0, fails where below, at 95% for 1 statements"
    )


def test_a_margin_turns_better_into_not_much_worse():
    a, b = {0: 0.80, 1: 0.81, 2: 0.805}, {0: 0.81, 1: 0.82, 2: 0.814}
    assert decide({"better": compare(a, b)})["better"].standing is Standing.FAILS
    assert decide({"close": compare(a, b, margin=-0.02)})["close"].standing is Standing.HOLDS
    alone = compare({0: 0.9, 1: 0.91, 2: 0.92}, margin=0.5)
    assert decide({"above": alone})["above"].standing is Standing.HOLDS


def test_seeds_that_all_diverged_were_run_and_decide_nothing():
    lost = statistics.compare({0: None, 1: None}, {0: 0.5, 1: 0.6}, of="signal")
    assert not lost.not_run
    decision = statistics.decide({"lost": lost})["lost"]
    assert decision.standing is Standing.UNDECIDED
    assert decision.words == "signals 0, 1 gave no number"


def test_what_was_not_run_counts_as_a_statement():
    """Else a verdict could be had by not running the others."""
    sure = compare({0: 0.5, 1: 0.51, 2: 0.52}, {0: 0.43, 1: 0.43, 2: 0.42})
    assert sure.p < 0.05 < 9 * sure.p
    assert decide({"one": sure})["one"].standing is Standing.HOLDS
    many = decide({"one": sure, **{str(i): compare({}) for i in range(8)}})
    assert many["one"].standing is Standing.UNDECIDED
    assert many["one"].family == 9
    assert "among 9 statements" in many["one"].words
    assert many["0"].standing is Standing.NOT_RUN


def test_a_number_says_what_is_missing():
    found = number({0: 0.5, 1: 0.7, 2: None}, paper=0.98, paper_source="table 1", why="smaller here")
    assert found.measured == 0.6
    assert found.low < 0.6 < found.high
    assert found.why == "smaller here; 1 of 3 seeds gave no number"
    assert number({}).why == "it was not run"
    assert number({}, why="it diverged").why == "it diverged"
    one = number({0: 0.5})
    assert (one.measured, one.low, one.high) == (0.5, None, None)


def test_a_seed_that_gives_no_number_must_be_none():
    with pytest.raises(ValueError, match=r"a seed gave nan; accepted: a finite number, or None where there is none"):
        compare({0: math.nan, 1: 1.0}, {0: 1.0, 1: 1.0})
    assert statistics.LEVEL == 0.95
