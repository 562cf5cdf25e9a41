"""Steps in noisy series: how often a quiet one is accused, and how surely a step is found, on seeded simulations."""

import numpy as np
import pytest
from history_tools import series
from scipy import stats

from asv_benchmarks import detection
from asv_benchmarks.detection import busy, gaussian, heavy, outliers, shuffled, two_speeds
from verify.history import changes
from verify.history.finding import RATE, SMALLEST, in_order
from verify.history.steps import SHORTEST, chance, fewest, findable, noise, steps

LEAST = np.log(SMALLEST)


NOISES = (gaussian, heavy, outliers, two_speeds)


def accused(noise, n, runs, rate):
    generator = np.random.default_rng(7)
    return sum(bool(steps(noise(generator, n), rate, LEAST)) for _ in range(runs))


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("n", "runs"), [(24, 200), (120, 40)])
def test_a_quiet_series_is_accused_no_more_often_than_stated(noise, n, runs):
    """A thousandth of all right programs would fail here; one that accuses three times too often mostly does."""
    assert accused(noise, n, runs, RATE) <= stats.binom.ppf(0.999, runs, RATE)


def test_the_chance_is_uniform_where_nothing_changed():
    """The stated rate is kept at any level: chances of quiet series are spread evenly, or larger."""
    generator = np.random.default_rng(11)
    found = [chance(gaussian(generator, 30), 1.0, 0.04) for _ in range(200)]
    for level in (0.05, 0.1, 0.25, 0.5):
        assert sum(value <= level for value in found) <= stats.binom.ppf(0.999, len(found), level)
    assert min(found) < 0.1  # it does move


def test_order_matters_for_the_rate():
    """Why commits are measured in random order: a machine that is busy for a while has steps, whoever looks."""
    assert accused(busy, 40, 15, RATE) > 5
    assert accused(shuffled, 40, 60, RATE) <= stats.binom.ppf(0.999, 60, RATE)


@pytest.mark.parametrize(("size", "n", "least"), [(1.05, 150, 0.9), (1.1, 60, 0.9), (1.2, 24, 0.9), (2.0, 24, 0.95)])
@pytest.mark.parametrize("noise", NOISES[:3])
def test_steps_are_found_at_their_place(size, n, least, noise):
    generator, runs, found, beside = np.random.default_rng(5), 12, 0, 0
    for run in range(runs):
        x, at = noise(generator, n), int(generator.integers(n // 4, n - n // 4))
        x[at:] += np.log(size) * (-1) ** run
        there = steps(x, RATE, LEAST)
        hits = [step for step in there if step.first <= at <= step.last]
        found += bool(hits)
        beside += len(there) - len(hits)
        for step in hits:
            assert (step.after > step.before) == (run % 2 == 0)
            assert step.first <= step.at <= step.last
    assert found >= least * runs - 1
    assert beside <= 1


def test_a_large_step_is_put_at_one_commit():
    generator = np.random.default_rng(3)
    x = gaussian(generator, 80)
    x[40:] += np.log(2)
    [step] = steps(x, RATE, LEAST)
    assert (step.first, step.at, step.last) == (40, 40, 40)
    assert step.after - step.before == pytest.approx(np.log(2), abs=0.02)


def test_a_stretch_and_three_steps():
    generator = np.random.default_rng(4)
    x = 0.01 * generator.standard_normal(160)
    x[40:60] += np.log(1.2)
    x[100:] += np.log(1.1)
    found = steps(x, RATE, LEAST)
    assert [step.at for step in found] == pytest.approx([40, 60, 100], abs=1)


def test_outliers_are_no_steps_however_large():
    x = gaussian(np.random.default_rng(2), 60)
    x[[20, 21, 59]] += 5.0
    assert steps(x, RATE, LEAST) == ()
    x[57:] += 5.0  # the last three, which is the fewest that a level has
    assert [step.at for step in steps(x, RATE, LEAST)] == [60 - SHORTEST]


def test_steps_below_the_least_are_not_told():
    x = 0.001 * np.random.default_rng(2).standard_normal(100)
    x[50:] += np.log(1.025)
    assert steps(x, RATE, LEAST) == ()
    assert [step.at for step in steps(x, RATE, np.log(1.02))] == [50]


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 5, [1.0] * 50, [0.0] * 20 + [2.0]])
def test_what_is_too_short_or_constant_has_no_step(values):
    assert steps(values, RATE, LEAST) == ()


def test_an_exact_step_without_noise():
    """Memory is measured in pages: two values, and nothing between them."""
    [step] = steps([1.0] * 12 + [1.5] * 12, RATE, LEAST)
    assert (step.first, step.last) == (12, 12)


def test_the_same_values_give_the_same_steps():
    x = heavy(np.random.default_rng(9), 60)
    x[30:] += 0.08
    assert steps(x, RATE, LEAST) == steps(x, RATE, LEAST)


def test_a_change_names_all_commits_that_were_not_measured():
    values = list(np.exp(0.01 * np.random.default_rng(1).standard_normal(40)) * 1e-3)
    slow = [value * (2 if i >= 20 else 1) for i, value in enumerate(values)]
    whole = series(slow)
    [change] = changes(whole)
    assert (change.first, change.last, change.worse, change.recovered) == (20, 20, True, None)
    assert change.text == "slower: 1 ms before, 2 ms now, 2 times"
    gaps = series([1e-3 if i in (18, 19, 20) else value for i, value in enumerate(slow)])
    points = tuple(point for point in gaps.points if point.commit not in (18, 19, 20))
    [change] = changes(type(gaps)(**{**gaps.__dict__, "points": points}))
    assert (change.first, change.last) == (18, 21)


def test_a_recovered_regression_and_a_rate():
    factor = [1.3 if 15 <= i < 30 else 1.0 for i in range(45)]
    noise = np.exp(0.01 * np.random.default_rng(1).standard_normal(45))
    slow, fast = changes(series([1e-3 * f * e for f, e in zip(factor, noise, strict=True)]))
    assert (slow.last, slow.worse, slow.recovered) == (15, True, 30)
    assert (fast.last, fast.worse, fast.recovered) == (30, False, None)
    lower, higher = changes(series([f * e for f, e in zip(factor, noise, strict=True)], "bench_a.track_x", "samples/s"))
    assert (lower.worse, higher.worse, higher.recovered) == (False, True, None)


def stretch(size, left, noise, seeds=20, rate=RATE):
    """Of series with a loss from 30 to 59, of which so much is left: recoveries told, and ends that were found."""
    told = ends = 0
    for seed in range(seeds):
        x = noise * np.random.default_rng(seed).standard_normal(120)
        x[30:60] += np.log(size)
        x[60:] += np.log(left)
        found = changes(series(list(1e-3 * np.exp(x))), rate)
        ends += any(not change.worse and change.first <= 60 <= change.last for change in found)
        told += any(change.worse and change.first <= 30 <= change.last and change.recovered for change in found)
    return told, ends


def test_a_recovery_is_told_whatever_the_noise():
    """Two levels of so many noisy values differ by more than 3 %, and are still the same level."""
    assert stretch(2.0, 1.0, 0.15) == (20, 20)


@pytest.mark.parametrize(("size", "left", "noise"), [(2.0, 1.3, 0.05), (2.0, 1.1, 0.02), (1.2, 1.08, 0.01)])
def test_what_is_left_of_a_loss_is_not_made_good(size, left, noise):
    assert stretch(size, left, noise) == (0, 20)


def test_half_of_a_loss_is_left_however_few_commits_tell():
    """Three commits are too few for any rank test at this rate, and still no pardon."""
    noise = 0.001 * np.random.default_rng(5).standard_normal(40)
    x = [0.0] * 8 + [1.0] * 29 + [0.6] * 3 + noise
    assert [step.at for step in steps(x, RATE, LEAST)] == [8, 37]
    loss, gain = changes(series(list(1e-3 * np.exp(x))), 1e-3)
    assert (loss.worse, gain.worse, loss.recovered) == (True, False, None)


def test_measured_in_order_is_said():
    values = [(2e-3 if i >= 12 else 1e-3) * (1 + 1e-3 * (i % 5)) for i in range(24)]
    straight = series(values, whens=[60.0 * i for i in range(24)])
    backwards = series(values, whens=[-60.0 * i for i in range(24)])
    nightly = series(values, whens=[86400.0 * i for i in range(24)])
    order = np.random.default_rng(0).permutation(24)
    random = series(values, whens=[60.0 * float(rank) for rank in order])
    assert [in_order(one.points) for one in (straight, backwards, nightly, random)] == [True, True, False, False]
    [change] = changes(straight)
    assert not change.sure
    assert "the machine was busy: these commits were measured one after the other" in change.text
    assert [change.sure for one in (nightly, random, series(values)) for change in changes(one)] == [True] * 3


def test_few_commits_in_random_order_are_seldom_taken_for_ordered():
    generator = np.random.default_rng(0)
    for n in (6, 12, 24, 200):
        taken = [in_order(series([1.0] * n, whens=list(60.0 * generator.permutation(n))).points) for _ in range(200)]
        assert sum(taken) <= 20


def test_the_published_tables_can_be_made(capsys, monkeypatch):
    monkeypatch.setattr(detection, "LENGTHS", (24,))
    monkeypatch.setattr(detection, "NOISES", {"Gaussian": gaussian})
    detection.main(["--runs", "20"])
    out = capsys.readouterr().out
    assert "| Gaussian | 0 of 20 (14 %) |" in out
    assert out.rstrip().endswith("| 100 % (1.0; 0) |")


@pytest.mark.parametrize("rate", [0.05, RATE, 1e-3])
def test_fewer_values_than_the_fewest_tell_no_step(rate):
    """By as many random orders as are drawn: a length more or less is chance."""
    least = fewest(rate)
    found = [bool(steps([0.0] * (n // 2) + [1.0] * (n - n // 2), rate, LEAST)) for n in range(6, least + 8)]
    assert not any(found[: least - 1 - 6])
    assert all(found[least + 1 - 6 :])


@pytest.mark.parametrize(("scale", "before", "after"), [(0.02, 30, 30), (0.05, 50, 50), (0.1, 20, 60)])
def test_a_step_of_the_findable_size_is_found_and_a_half_of_it_seldom(scale, before, after):
    """By the formula, without looking at how they are found; 1 of 20 may be missed."""

    def found(share):
        size, hits = share * findable(scale, before, after, RATE, LEAST), 0
        for seed in range(20):
            x = scale * np.random.default_rng(seed).standard_normal(before + after)
            x[before:] += size
            hits += any(step.first <= before <= step.last for step in steps(x, RATE, LEAST))
        return hits

    assert found(1.0) >= 18
    assert found(0.5) <= 10


def test_the_noise_is_told_whatever_steps_are_in_it():
    x = 0.05 * np.random.default_rng(0).standard_normal(200)
    x[30:61] += np.log(2)
    x[100] += 5.0
    assert noise(x) == pytest.approx(0.05, rel=0.15)
    assert findable(0.05, 2, 50, RATE, LEAST) == findable(0.05, 6, 6, RATE, LEAST) == np.inf
    assert findable(1e-9, 50, 50, RATE, LEAST) == pytest.approx(LEAST)
