"""The statistics of the gate, held against brute force, scipy, and noise whose truth is known."""

import itertools
import math

import numpy as np
import pytest
from gate_sides import measured, side
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from verify.gate import Kind, Outcome, Settings, Word, compare, undecided
from verify.gate.calibration import Rate, calibrate
from verify.gate.costs import rounds_of, shift_of
from verify.gate.simulation import Noise, rates
from verify.gate.speed import (
    BEYOND,
    EXACT,
    FIRST,
    LEAST_APART,
    LOOKS,
    apart,
    holm,
    in_pairs,
    median_limits,
    rounds_needed,
    scores,
    sign_flips,
)

SIZES = st.floats(1e-6, 5).map(lambda size: round(size, 9)) | st.just(0.0)


def said(kind, base, head, paired):
    """A comparison of one benchmark."""
    return compare(*(side(measured("b", kind, rounds), paired=paired) for rounds in (base, head)), Settings())


def patterns(rounds):
    return np.array(list(itertools.product([-1.0, 1.0], repeat=rounds)))


@pytest.mark.parametrize("rounds", [1, 2, 7, 10])
def test_the_counting_is_scipys_and_that_of_brute_force(rounds):
    seen = np.random.default_rng(rounds).normal(0.05, 0.1, rounds)
    slower, faster = sign_flips(seen)
    sums = patterns(rounds) @ np.abs(scores(seen))
    assert slower == np.mean(sums >= scores(seen).sum() - 1e-9)
    assert faster == np.mean(sums <= scores(seen).sum() + 1e-9)
    if rounds == 7:
        for alternative, found in (("greater", slower), ("less", faster)):
            witness = stats.permutation_test(
                (seen,), lambda d, axis: scores(d).sum(axis=axis), permutation_type="samples", alternative=alternative,
                n_resamples=10**6, vectorized=True,
            )  # fmt: skip
            assert found == pytest.approx(witness.pvalue, abs=1e-12)


@given(st.lists(SIZES, min_size=3, max_size=8))
def test_the_rate_holds_whatever_the_sizes_of_the_differences(sizes):
    """On identical builds every pattern of signs is as likely: no more than a share p of them has a p of at most p."""
    chances = np.array([sign_flips(signs * np.array(sizes)) for signs in patterns(len(sizes))])
    for column in chances.T:
        for chance in np.unique(column):
            assert np.mean(column <= chance) <= chance + 1e-12


def test_a_test_that_is_not_exact_would_be_seen():
    """Asked of the t test the question above has another answer: nearly equal sizes make its p far too small."""
    sizes = 1 + 0.01 * np.arange(8)
    chances = stats.ttest_1samp(patterns(8) * sizes, 0, axis=1, alternative="greater").pvalue
    assert any(np.mean(chances <= chance) > 2 * chance for chance in chances)


@pytest.mark.parametrize("rounds", range(1, 40))
def test_limits_keep_their_chance_and_no_closer_ones_would(rounds):
    low, high = median_limits(np.arange(rounds, dtype=float))
    dropped = -1 if low == -math.inf else int(low)
    assert high == (math.inf if dropped < 0 else rounds - 1 - dropped)
    assert stats.binom.cdf(dropped, rounds, 0.5) <= BEYOND < stats.binom.cdf(dropped + 1, rounds, 0.5)
    assert (dropped >= 0) == (rounds >= LOOKS[0])


def test_limits_cover_the_median_of_a_crooked_law():
    draw = np.random.default_rng(5)
    below = [median_limits(draw.exponential(1, 12) ** 3)[1] < math.log(2) ** 3 for _ in range(2000)]
    assert Rate(sum(below), len(below)).limits[0] <= stats.binom.cdf(1, 12, 0.5)


@given(
    st.lists(st.floats(0, 1) | st.sampled_from([0.004, 0.006, 0.012, 0.02, 0.03, 0.06]), max_size=7), st.integers(0, 12)
)
def test_holm_is_its_definition(chances, more):
    """Ordered p against rate / (size - rank), stopping at the first that is not below: the same set for any rate."""
    size = max(len(chances), more)
    adjusted = holm(chances, more)
    for rate in (0.01, 0.05, 0.3):
        rejected = set()
        for rank, index in enumerate(sorted(range(len(chances)), key=lambda i: chances[i])):
            if (size - rank) * chances[index] > rate:
                break
            rejected.add(index)
        assert {i for i, p in enumerate(adjusted) if p <= rate} == rejected


def test_the_rounds_that_a_family_needs():
    for family in (1, 10, 40, 200, 2400):
        rate = min(0.005, 0.05 / family)
        needed = rounds_needed(rate)
        assert needed <= 16
        assert sign_flips(np.ones(needed))[0] / FIRST <= rate
        assert needed == LOOKS[0] or sign_flips(np.ones(needed - 1))[0] / FIRST > rate


@given(st.lists(st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)), min_size=1, max_size=20))
def test_swapped_sides_turn_everything_round(pairs):
    base, head = zip(*pairs, strict=True)
    there, back = in_pairs(base, head, 16, 16), in_pairs(head, base, 16, 16)
    assert there.ratio == pytest.approx(1 / back.ratio)
    assert (there.slower_p, there.faster_p) == pytest.approx((back.faster_p, back.slower_p))
    if math.isfinite(there.high):
        assert (there.low, there.high) == pytest.approx((1 / back.high, 1 / back.low))


@given(
    st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 1000)), min_size=1, max_size=16),
    st.floats(1e-6, 1e6),
    st.randoms(use_true_random=False),
)
def test_units_and_the_order_of_rounds_do_not_matter(pairs, factor, draw):
    base, head = zip(*pairs, strict=True)
    plain = in_pairs(base, head, 16, 16)
    shuffled = draw.sample(pairs, len(pairs))
    for other in (([factor * v for v in base], [factor * v for v in head]), tuple(zip(*shuffled, strict=True))):
        found = in_pairs(*other, 16, 16)
        assert (found.ratio, found.slower_p, found.faster_p, found.high) == pytest.approx(
            (plain.ratio, plain.slower_p, plain.faster_p, plain.high), rel=1e-6
        )


def test_the_rate_is_split_between_the_planned_rounds_and_the_further_ones():
    head = np.exp(np.random.default_rng(3).normal(0.1, 0.2, 32))
    first, both = sign_flips(np.log(head[:16])), sign_flips(np.log(head))
    planned, further = in_pairs([1.0] * 16, head[:16], 16, 16), in_pairs([1.0] * 32, head, 16, 16)
    assert planned.slower_p == pytest.approx(first[0] / 0.95)
    assert further.slower_p == pytest.approx(min(first[0] / 0.95, both[0] / 0.05))
    assert further.slower_p < planned.slower_p
    assert in_pairs([1.0] * 32, head, 16, 0).slower_p == first[0]  # rounds beyond the plan are no second try


def test_a_gap_moves_no_round_from_the_further_ones_into_the_plan():
    """The first test was after 16 rounds, of which 15 gave a number; a 16th from beyond would make it another try."""
    head = np.exp(np.random.default_rng(3).normal(0.1, 0.2, 32))
    first, both = sign_flips(np.log(head[1:16])), sign_flips(np.log(head[1:]))
    rounds = rounds_of(*(measured("b", Kind.TIME, v) for v in ([1.0] * 32, [None, *head[1:]])), paired=True)
    assert shift_of(rounds, Kind.TIME, Settings(), paired=True).slower_p == min(first[0] / FIRST, both[0] / (1 - FIRST))


def test_equal_times_are_no_change_and_spoilt_rounds_do_not_hide_one():
    base = [1.0] * 16
    same = in_pairs(base, base, 16, 16)
    assert (same.ratio, same.low, same.high, same.slower_p, same.faster_p) == (1, 1, 1, 1, 1)
    head = [1.2 + 0.01 * i for i in range(16)]
    head[3] = 0.6  # base suffered there
    assert in_pairs(base, head, 16, 16).slower_p < 0.05 / 200
    assert stats.wilcoxon(np.log(head), alternative="greater").pvalue > 0.05 / 200  # what ranks would say
    head[7] = 0.6
    assert in_pairs(base, head, 16, 16).slower_p < 0.05 / 100


def test_many_rounds_are_joined_without_losing_the_rate():
    draw = np.random.default_rng(2)
    chances = np.array([sign_flips(draw.standard_t(3, 5 * EXACT))[0] for _ in range(100)])
    assert Rate(int(sum(chances <= 0.05)), 100).limits[0] <= 0.05
    assert sign_flips(draw.normal(0.5, 1, 5 * EXACT))[0] < 1e-4


# ---- the whole design, where the truth is known

QUIET, NOISY = Noise(pair=0.05), Noise(pair=0.1)


@pytest.mark.parametrize(("noise", "family"), [(QUIET, 200), (NOISY, 40)])
def test_a_slowdown_by_a_fifth_is_found_in_sixteen_rounds(noise, family):
    found = rates(noise, 1.2, family=family, runs=400, seed=3)
    assert found.in_time.limits[1] >= 0.95
    assert found.in_time.share >= 0.95
    assert found.passed.limits[0] <= 4 * BEYOND
    assert found.slower.share >= 0.985  # further rounds find most of the rest


@pytest.mark.parametrize("noise", [QUIET, NOISY, Noise(pair=0.1, outliers=0.03, second=0.05)])
def test_identical_builds_are_the_same(noise):
    found = rates(noise, 1.0, family=40, runs=400, seed=4)
    assert found.slower.limits[0] <= 0.05 / 40
    assert found.passed.share >= 0.99
    assert found.rounds < 14


def test_the_false_alarms_of_one_benchmark_alone_keep_their_rate():
    """A family of one, and noise far beyond the smallest ratio, so that nothing but the test keeps the rate."""
    noise, settings = Noise(pair=0.5, outliers=0.1), Settings(extra_rounds=0)
    found = rates(noise, 1.0, family=1, runs=1000, seed=5, settings=settings)
    assert found.slower.limits[0] <= settings.alarm_rate
    assert found.slower.events > 0  # the rate is used, not merely kept: the test can alarm
    further = rates(noise, 1.0, family=1, runs=60, seed=5, settings=Settings(alarm_rate=0.05))
    assert further.slower.limits[0] <= 0.05


def test_what_noise_hides_is_never_the_same():
    found = rates(Noise(pair=0.8, tails=3, outliers=0.1), 1.2, family=40, runs=60, seed=6)
    assert found.passed.limits[0] <= 4 * BEYOND
    assert found.unclear.share > 0.8


@given(st.integers(0, 10**6))
def test_an_early_exit_takes_alarms_away_and_adds_none(seed):
    base, head = Noise(pair=0.3).rounds(1.1, 16, np.random.default_rng(seed))
    settings = Settings(extra_rounds=0)
    for look in (8, 12):
        sides = [side(measured("b", Kind.TIME, values[:look])) for values in (base, head)]
        if not undecided(*sides, settings):
            assert compare(*sides, settings).word is Word.SAME
            break


def test_all_benchmarks_together_keep_their_rate():
    draw, noise, settings = np.random.default_rng(7), Noise(pair=0.6, outliers=0.1), Settings(extra_rounds=0)

    def alarmed():
        rounds = [noise.rounds(1.0, 16, draw) for _ in range(20)]
        sides = (side(*(measured(f"b{j}", Kind.TIME, both[i]) for j, both in enumerate(rounds))) for i in (0, 1))
        return compare(*sides, settings).exit_code == 1

    alarms = Rate(sum(alarmed() for _ in range(100)), 100)
    assert alarms.limits[0] <= settings.family_rate
    assert alarms.events > 0


def test_a_family_asks_for_more_and_lends_nothing():
    """A p of 0.1 % is an alarm alone, and none among a hundred, even if all others are slower by too little."""
    head = [1.12] * 10 + [1 / 1.01] * 6
    assert 0.0005 < in_pairs([1.0] * 16, head, 16, 16).slower_p < 0.005
    one = [measured("b", Kind.TIME, rounds) for rounds in ([1.0] * 16, head)]
    rest = [[measured(f"b{i}", Kind.TIME, [level] * 16) for i in range(99)] for level in (1.0, 1.01)]
    assert compare(side(one[0]), side(one[1]), Settings()).word is Word.SLOWER
    found = compare(side(one[0], *rest[0]), side(one[1], *rest[1]), Settings())
    assert found.word is Word.SAME
    assert found.findings[0].adjusted_p > 0.05
    assert "not certain, but 1.2 is ruled out" in found.findings[0].message


def test_who_goes_on_after_a_look():
    draw = np.random.default_rng(0)
    steady, noisy = 1 + 0.001 * draw.random((2, 32)), np.array([[1.0, 3.0] * 16, [3.0, 1.0] * 16])
    pairs = {"steady": steady, "noisy": noisy, "slower": (steady[0], 1.1 * steady[1])}

    def sides(rounds):
        return [side(*(measured(n, Kind.TIME, v[i][:rounds]) for n, v in pairs.items())) for i in (0, 1)]

    assert Settings().looks == (8, 12, 16, 32)
    assert Settings(rounds=8, extra_rounds=0).looks == (8,)
    assert undecided(*sides(8), Settings()) == ("noisy", "slower")
    assert undecided(*sides(16), Settings()) == ("noisy",)  # by now the other one is an alarm
    with pytest.raises(ValueError, match=r"stem from None and None; accepted: sides of one interleaved run"):
        undecided(side(paired=None), side(paired=None), Settings())


@pytest.mark.parametrize(("slow", "spoilt", "word"), [(5, 0, Word.SAME), (6, 0, Word.NOT_MEASURED), (6, 2, Word.SAME)])
def test_a_head_that_is_sometimes_slow_is_not_the_same(slow, spoilt, word):
    """The median of all rounds does not move; six of them against none are no outliers."""
    base = [2.0] * spoilt + [1.0] * (32 - spoilt)
    head = [1.0] * (32 - slow) + [2.0] * slow
    found = said(Kind.TIME, base, head, "a run")
    assert found.findings[0].high == 1
    assert found.word is word
    assert ("dearer in 6 rounds, base in 0" in found.findings[0].message) == (word is Word.NOT_MEASURED)


# ---- sides measured apart


def test_sides_measured_apart_are_held_to_the_drift():
    draw = np.random.default_rng(1)
    base = np.exp(0.01 * draw.normal(size=30))
    for ratio, word in ((1.0, Word.SAME), (1.07, Word.SAME), (1.3, Word.SLOWER), (0.8, Word.BETTER)):
        assert said(Kind.TIME, base, ratio * draw.permutation(base), None).word is word
    # 1.1 may be the machine, and then 1.2 is not ruled out.
    assert said(Kind.TIME, base, 1.1 * base, None).word is Word.NOT_MEASURED
    found = said(Kind.TIME, [1.0] * 16, [1.3] * 16, None).findings[0]
    assert (found.ratio, found.low, found.high) == pytest.approx((1.3, 1.3 / 1.1, 1.3 * 1.1))
    few = said(Kind.TIME, base[: LEAST_APART - 1], base[: LEAST_APART - 1], None)
    assert few.word is Word.NOT_MEASURED
    assert "too few rounds, a family of this size needs 9" in few.findings[0].message


def test_sides_measured_apart_on_one_machine_keep_the_rate():
    draw = np.random.default_rng(8)
    alarms = sum(
        apart(np.exp(0.1 * draw.standard_t(4, 16)), np.exp(0.1 * draw.standard_t(4, 16)), 1.0).slower_p <= 0.05
        for _ in range(300)
    )
    assert Rate(alarms, 300).limits[0] <= 0.05
    assert apart([1.0] * 9, [1.0] * 9, 1.0).slower_p == 1


def test_different_runs_are_not_paired():
    base = side(measured("b", Kind.TIME, [1.0] * 16), paired="one")
    assert compare(base, base, Settings()).paired
    assert not compare(base, side(measured("b", Kind.TIME, [1.0] * 16), paired="two"), Settings()).paired


# ---- calibration


def test_exact_limits_of_a_rate():
    assert Rate(0, 59).limits == pytest.approx((0, 1 - 0.025 ** (1 / 59)))
    assert Rate(0, 0).limits == (0, 1)
    assert Rate(3, 10).limits == pytest.approx((0.0667, 0.6525), abs=1e-4)
    assert str(Rate(1, 1000)) == "1 of 1000 (0.0025 % to 0.56 %)"


def test_calibration_counts_alarms_and_plants_slowdowns():
    draw = np.random.default_rng(9)

    def run(bias=1.0):
        rounds = [Noise(pair=0.04).rounds(1.0, 16, draw) for _ in range(6)]
        base, head = (
            side(*(measured(f"b{j}", Kind.TIME, r[i] * (bias if i else 1)) for j, r in enumerate(rounds)),
                 measured("e", Kind.ERROR, [0.1]))
            for i in (0, 1)
        )  # fmt: skip
        return base, head

    found = calibrate([run() for _ in range(10)], Settings(), slowdowns=(1.2,))
    assert found.alarms[Kind.TIME] == Rate(0, 60)
    assert found.alarms[Kind.ERROR] == Rate(0, 10)
    assert found.families == Rate(0, 10)
    assert found.planted[1.2].slower.events >= 57
    assert found.planted[1.2].passed.events == 0
    rate = side(measured("r", Kind.RATE, [1.0 + 0.001 * i for i in range(16)]))
    assert calibrate([(rate, rate)], Settings(), slowdowns=(1.2,)).planted[1.2].slower == Rate(1, 1)
    # Eight rounds were enough to call it the same: a slower one would have been asked on, so it says nothing of those.
    short = side(measured("r", Kind.TIME, [1.0 + 0.001 * i for i in range(8)]))
    assert calibrate([(short, short)], Settings(), slowdowns=(1.2,)).planted[1.2].unclear == Rate(0, 0)
    # A machine on which the same build is slower as head is seen for what it is.
    assert calibrate([run(1.3) for _ in range(3)], Settings()).families == Rate(3, 3)


# ---- memory


@pytest.mark.parametrize(
    ("base", "head", "word"),
    [
        ([10e6], [10e6], Word.SAME),
        ([10e6], [10.9e6], Word.SAME),  # below the allocator's floor
        ([100e6], [105e6], Word.SAME),
        ([100e6], [112e6], Word.SLOWER),
        ([112e6], [100e6], Word.BETTER),
        ([100e6, 101e6], [105e6, 115e6], Word.NOT_MEASURED),  # the rounds disagree
        ([0.0], [0.0], Word.SAME),
        ([100e6] * 16, [112e6] * 16, Word.SLOWER),
        ([100e6] * 15 + [150e6], [112e6] * 16, Word.SLOWER),
        ([100e6] * 16, [100e6] * 15 + [150e6], Word.SAME),
        ([0.0] * 16, [5e6] * 16, Word.SLOWER),
        ([100e6] * 16, [109.5e6] * 16, Word.SAME),  # no drift is allowed for, measured apart or not
        ([5e6] * 15 + [8e6], [5.9e6] * 16, Word.SAME),  # below the floor, whatever one round gave
    ],
)
@pytest.mark.parametrize("paired", ["a run", None])
def test_memory(base, head, word, paired):
    assert said(Kind.MEMORY, base, head, paired).word is word


# ---- rounds that gave nothing


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf, 0.0, -1.0])
@pytest.mark.parametrize("kind", [Kind.TIME, Kind.RATE])
def test_rounds_without_a_number_never_pass_in_silence(nothing, kind):
    good = [1.0 + 0.001 * i for i in range(16)]

    def ruled(base, head, paired="a run"):
        found = said(kind, base, head, paired).findings[0]
        return found.word, found.outcome

    assert ruled(good, [nothing] * 16) == (Word.NOT_MEASURED, Outcome.FAIL)
    assert ruled(good, [nothing] * 16, None) == (Word.NOT_MEASURED, Outcome.FAIL)
    assert ruled(good, [], None) == ruled(good, []) == (Word.NOT_MEASURED, Outcome.FAIL)
    assert ruled(good[:2], [nothing] * 2) == (Word.NOT_MEASURED, Outcome.FAIL)
    assert ruled(good, [nothing] * 10 + good[10:]) == (Word.NOT_MEASURED, Outcome.FAIL)
    assert ruled(good, [nothing, *good[1:]]) == (Word.NOT_MEASURED, Outcome.INCONCLUSIVE)
    assert ruled([nothing, *good[1:]], [nothing, *good[1:]]) == (Word.SAME, Outcome.PASS)
    assert ruled([nothing, *good[1:]], good) == (Word.SAME, Outcome.PASS)
    assert ruled([nothing] * 16, [nothing] * 16) == (Word.NOT_MEASURED, Outcome.INCONCLUSIVE)
    assert ruled([], []) == (Word.NOT_MEASURED, Outcome.INCONCLUSIVE)
    assert ruled([nothing] * 16, good) == (Word.NOT_MEASURED, Outcome.INCONCLUSIVE)
