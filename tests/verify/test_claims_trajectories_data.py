"""Drawn trajectories: real letters, motion as hands make it, and every rate a reading of the very same trajectory."""

import sys

import numpy as np
import pytest

from verify.claims import trajectories_data as data
from verify.claims.data import strokes
from verify.claims.trajectories_data import ARMS, Sizes

pytest.importorskip("HersheyFonts", reason="the letters come with Hershey-Fonts")

SIZES = Sizes(train=3, validation=1, test=3, hertz=50.0)


@pytest.fixture(scope="module")
def pens():
    return strokes.draw(8, 0)


@pytest.fixture(scope="module")
def letters():
    return data.source(None, SIZES)


def nearest(points, others):
    return np.sqrt(((points[:, None] - others[None]) ** 2).sum(-1)).min(1)


@pytest.mark.parametrize("writer", strokes.WRITERS)
def test_the_pen_goes_over_the_whole_letter_and_stays_on_it(writer):
    font = strokes.WRITERS[writer]
    for letter in strokes.LETTERS:
        path, drawn = strokes.pen_path(font, letter)
        lines = strokes.strokes(font, letter)
        whole = np.concatenate([strokes._along(line, 60) for line in lines])
        centre = (np.concatenate(lines).min(0) + np.concatenate(lines).max(0)) / 2
        shape = (whole - centre) / 21
        # Corners are rounded; moves between strokes, and what joins two strokes, lie elsewhere.
        assert nearest(shape, path).max() < 0.15, letter
        assert np.quantile(nearest(path[drawn > 0], shape), 0.9) < 0.05, letter
        assert drawn.mean() > 0.5, letter


def test_a_letter_without_one_of_its_strokes_would_be_seen():
    path, _ = strokes.pen_path("futural", "m")
    lines = strokes.strokes("futural", "m")
    both = np.concatenate(lines)
    shape = (np.concatenate([strokes._along(line, 60) for line in lines]) - (both.min(0) + both.max(0)) / 2) / 21
    assert nearest(shape, path[: len(path) // 2]).max() > 0.3


def test_the_same_seed_draws_the_same_and_another_seed_draws_others(pens):
    again, other = strokes.draw(8, 0), strokes.draw(8, 1)
    assert np.array_equal(pens.pieces, again.pieces)
    assert not np.isclose(pens.durations[:, None], other.durations[None]).any(axis=1).all()
    assert np.bincount(pens.labels).tolist() == [8] * 20
    assert np.bincount(pens.writers).tolist() == [40] * 4


def test_no_two_of_one_letter_by_one_writer_are_alike(pens):
    one = pens.take(np.flatnonzero((pens.labels == 0) & (pens.writers == 0)))
    values = one.at(np.linspace(0, 1, 50) * one.durations[:, None])
    apart = np.sqrt(((values[0] - values[1]) ** 2).mean(0))
    assert (apart > 0.1 * values.std(axis=(0, 1))).all()


def positions(pens, count=4000):
    """Where the pen is, by summing its velocity."""
    shares = (np.arange(count) + 0.5) / count
    velocity = pens.at(shares * pens.durations[:, None])[..., :2]
    return np.cumsum(velocity, axis=1) * (pens.durations[:, None, None] / count), velocity


def power_of_curvature(place, velocity):
    """The slope of log speed against log curvature."""
    speed = np.hypot(*np.moveaxis(velocity, -1, 0))
    turn = np.gradient(velocity, axis=1) / (speed.mean(axis=1)[:, None, None] / place.shape[1])
    cross = np.abs(velocity[..., 0] * turn[..., 1] - velocity[..., 1] * turn[..., 0])
    inner = slice(800, 3200, 20)
    curvature = (cross / speed**3)[:, inner].ravel()
    kept = (curvature > np.quantile(curvature, 0.3)) & (speed[:, inner].ravel() > 0.3)
    return np.polyfit(np.log(curvature[kept]), np.log(speed[:, inner].ravel()[kept]), 1)[0]


def test_pens_are_slow_where_the_path_is_curved(pens):
    place, velocity = positions(pens)
    assert -0.55 < power_of_curvature(place, velocity) < -0.2
    steady = velocity / np.hypot(*np.moveaxis(velocity, -1, 0))[..., None]  # the same paths at one speed
    assert abs(power_of_curvature(place, steady)) < 1e-6


def test_velocities_lead_along_the_letter(pens):
    one = pens.take(np.flatnonzero((pens.labels == strokes.LETTERS.index("l")) & (pens.writers == 0)))
    place, _ = positions(one)
    extent = np.ptp(place, axis=1)
    assert (extent[:, 1] > 2.5 * extent[:, 0]).all()  # a print l is upright, one height of a capital long
    assert (np.abs(extent[:, 1] - 1) < 0.5).all()


def test_roughness_is_that_of_the_derivatives(pens):
    shares = (np.arange(20000) + 0.5) / 20000
    few = pens.take(np.arange(0, len(pens), 40))
    values = few.at(shares * few.durations[:, None])
    first = np.gradient(values, shares, axis=1)
    second = np.gradient(first, shares, axis=1)
    for found, numeric in zip(few.roughness(), (first, second), strict=True):
        assert np.allclose(found, np.sqrt((numeric**2).mean(axis=1)), rtol=5e-3)


def test_half_and_double_the_rate_read_the_same_trajectory(letters):
    for one, slow, fast in zip(*(letters.test.read(rate) for rate in (1.0, 0.5, 2.0)), strict=True):
        assert np.array_equal(one[0], np.arange(len(one[0])))
        assert np.array_equal(one[0], fast[0][::2])
        assert np.array_equal(slow[0], one[0][::2])
        assert np.allclose(one[1], fast[1][::2], rtol=0, atol=1e-12)
        assert np.allclose(slow[1], one[1][::2], rtol=0, atol=1e-12)
        assert not np.allclose(fast[1][1:-1:2], (fast[1][:-2:2] + fast[1][2::2]) / 2, atol=1e-3)


def test_the_fonts_of_training_are_not_those_of_the_unseen_writer(letters):
    unseen = list(strokes.WRITERS).index(data.UNSEEN)
    assert set(letters.unseen.pens.writers) == {unseen}
    assert all(unseen not in part.pens.writers for part in (letters.train, letters.validation, letters.test))


def test_gaps_keep_the_ends_and_the_times_and_grow():
    times, values = np.arange(30.0), np.arange(60.0).reshape(30, 2)
    kept = {}
    for share in (0.0, 0.2, 0.5):
        left, numbers = data._with_gaps((times, values), share, np.random.default_rng(3))
        assert len(left) == 30 - round(28 * share)
        assert (left[0], left[-1]) == (0.0, 29.0)
        assert np.array_equal(numbers, values[left.astype(int)])
        kept[share] = set(left)
    assert kept[0.5] < kept[0.2] < kept[0.0]


@pytest.mark.parametrize("reads_times", [True, False])
def test_each_cell_is_told_the_time_in_its_own_way(letters, reads_times):
    untimed, timed = (data.task(letters, arm, reads_times=reads_times) for arm in ARMS)
    for split in (untimed.train, *untimed.tests.values()):
        assert split.times is None
        assert split.inputs.shape[2] == 3
    for test, factor in (("times halved", 0.5), ("times doubled", 2.0)):
        plain, scaled = timed.tests["trained"], timed.tests[test]
        assert np.array_equal(plain.inputs[..., :3], scaled.inputs[..., :3])
        assert np.array_equal(plain.lengths, scaled.lengths)
        if reads_times:
            inside = plain.inside()
            assert np.array_equal(scaled.times[inside], np.float32(factor) * plain.times[inside])
        else:
            assert plain.times is None
            assert np.array_equal(scaled.inputs[..., 3], np.float32(factor) * plain.inputs[..., 3])
    told = timed.tests["double rate, told"]
    stamps = told.times[0] if reads_times else told.inputs[0, :, 3] * letters.span
    assert np.allclose(stamps[:5], [0, 0.5, 1, 1.5, 2])


def test_inputs_are_standardised_by_what_is_learnt_from(letters):
    task = data.task(letters, ARMS[0], reads_times=True)
    seen = task.train.inputs[task.train.inside()]
    assert np.allclose(seen.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(seen.std(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: strokes.draw(0, 0), "count is 0; accepted: at least 1"),
        (lambda: strokes.draw(1, 0, ["nobody"]), r"writers are \('nobody',\); accepted: one or more of print"),
        (lambda: strokes.strokes("comic", "a"), "no font is called 'comic'; accepted: futural"),
        (lambda: strokes.strokes("markers", "z"), "font 'markers' has no strokes for 'z'"),
    ],
)
def test_what_cannot_be_drawn_is_said(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_without_the_fonts_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "HersheyFonts", None)
    strokes._font.cache_clear()
    with pytest.raises(ModuleNotFoundError, match=r"Hershey-Fonts, which is not installed: pip install 'hippo-verify"):
        strokes.strokes("futural", "a")
