"""The reconstruction claim: the law of its signals, errors by two ways, and verdicts that wrong memories do not get."""

import itertools
import json
import math
import re
from dataclasses import asdict, replace

import numpy as np
import pytest

from verify.adapters import own_nn
from verify.claims import reconstruction, reconstruction_memories, reconstruction_speed
from verify.claims.base import Options, Scale, Standing
from verify.claims.reconstruction import SIZES, Reconstruction
from verify.claims.reconstruction_judgement import comparisons, judge
from verify.claims.reconstruction_lstm import memory_task, powers, steps_for
from verify.claims.reconstruction_memories import Memory, course, measure, orthonormal
from verify.claims.reconstruction_results import Measured
from verify.claims.reconstruction_signals import Law, Noise, foreign, shares
from verify.claims.workspace import Stopped, Workspace

SECONDS, RECENT = 25.0, 5.0
LAW = Law(SECONDS)
ORDER = 72
STEPS, FINE = 4000, 8000
SIGNALS = 8
LEGS = Memory(measure="legs", method="bilinear", order=ORDER)
LMU = Memory(measure="lmu", method="zoh", order=ORDER, theta=SECONDS)


# The law


def test_a_signal_is_the_same_however_finely_it_is_sampled():
    signal = LAW.draw(3)
    coarse, fine = signal.samples(120), signal.samples(480)
    np.testing.assert_allclose(fine[::4], coarse, atol=1e-13)
    np.testing.assert_allclose(signal.values(np.arange(120) * SECONDS / 120), coarse, atol=1e-13)
    assert not np.allclose(LAW.draw(4).samples(120), coarse)


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="count is 50; accepted: more than 50, two for each frequency"):
        LAW.draw(0).samples(50)


@pytest.mark.parametrize(("begin", "end"), [(0.0, SECONDS), (15.0, SECONDS)])
def test_the_projection_in_closed_form_is_the_one_by_quadrature(begin, end):
    signal = LAW.draw(1)
    fractions, weights = signal.nodes(40, begin, end)
    values = signal.values(begin + fractions * (end - begin))
    expected = own_nn.basis("legs", 40, fractions).T @ (weights * values)
    np.testing.assert_allclose(signal.projection(40, begin, end), expected, atol=1e-13)


def test_the_expected_loss_is_the_mean_of_what_harmonics_lose():
    law, lost = Law(5.0), []
    for amplitude, j in itertools.product((1.0, 1j), range(5)):
        one = Noise(5.0, amplitude * np.eye(5)[j])
        fractions, weights = one.nodes(12, 0.0, 5.0)
        values = one.values(5.0 * fractions)
        projection = own_nn.basis("legs", 12, fractions).T @ (weights * values)
        lost.append(1 - np.sum(projection**2) / (weights @ values**2))
    assert law.unseen(12) == pytest.approx(np.mean(lost), abs=1e-12)
    assert 0.1 < law.unseen(12) < 0.9


def test_the_papers_error_is_that_of_the_best_polynomial():
    law = Law()
    assert law.harmonics == 100
    assert round(law.rms**2 * law.unseen(256), 2) == 0.02


def test_the_quadrature_has_converged():
    signal = LAW.draw(2)
    grid = signal.samples(2000)  # a trigonometric polynomial is averaged exactly by so many samples
    assert signal.power(0.0, SECONDS) == pytest.approx(np.mean(grid**2), rel=1e-12)


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        (LAW, ""),
        (Law(SECONDS, band=2.0), "of the power of a signal lies above 1 Hz"),
        (Law(SECONDS, band=0.5), "share of the upper half of the band"),
        (Law(SECONDS, rms=0.25), "the power of 8 signals"),
    ],
)
def test_noise_of_another_law_is_told(drawn, words):
    signals = [drawn.draw(seed).samples(200) for seed in range(SIGNALS)]
    uppers, beyonds = zip(*(shares(one, LAW) for one in signals), strict=True)
    found = foreign(LAW, [float(np.mean(one**2)) for one in signals], uppers, beyonds)
    assert (words in found) if words else found == ""


# Errors


def test_an_error_is_found_twice_and_a_wrong_read_out_is_told(monkeypatch):
    signal = LAW.draw(0)
    found = measure(LEGS, LAW, signal, STEPS, RECENT)
    assert found.window == found.whole == pytest.approx(found.best + found.added, rel=1e-9)
    assert 0 < found.added < 1e-2 * found.best
    right = Memory.remembered
    monkeypatch.setattr(Memory, "remembered", lambda self, c, x: right(self, c, x)[::-1])
    with pytest.raises(ArithmeticError, match=r"LegS, bilinear: the error by quadrature is .* one of them is wrong"):
        measure(LEGS, LAW, signal, STEPS, RECENT)


def test_a_memory_that_runs_away_is_told():
    with pytest.raises(ArithmeticError, match="coefficients after 4000 samples are not finite"):
        measure(LEGS, LAW, LAW.draw(0), STEPS, RECENT, read=lambda *_: np.full(ORDER, np.nan))


def test_a_short_window_forgets_what_came_before_and_holds_the_rest():
    signal = LAW.draw(0)
    short = measure(Memory(measure="lmu", method="zoh", order=ORDER, theta=RECENT), LAW, signal, STEPS, RECENT)
    assert short.recent == pytest.approx(short.window, rel=1e-9)
    assert short.window < 1e-4
    before = signal.power(0.0, 20.0) * 0.8
    assert short.whole == pytest.approx(before + 0.2 * short.window, rel=1e-12)


def test_lmu_in_the_orthonormal_basis_is_legt():
    samples = LAW.draw(0).samples(STEPS)
    lmu = orthonormal(LMU, LMU.read(samples, SECONDS / STEPS))
    legt = replace(LMU, measure="legt")
    np.testing.assert_allclose(lmu, legt.read(samples, SECONDS / STEPS), atol=1e-12)


@pytest.mark.parametrize("memory", [LEGS, LMU], ids=["legs", "lmu"])
def test_the_last_error_on_the_way_is_that_of_the_run(memory):
    signal = LAW.draw(0)
    rows = course(memory, signal, STEPS, (STEPS // 2, STEPS))
    assert rows[-1]["seconds"] == SECONDS
    assert rows[-1]["error"] == pytest.approx(measure(memory, LAW, signal, STEPS, RECENT).whole, rel=1e-6)
    assert rows[0]["error"] < rows[1]["error"]


# Verdicts


def reading(memory, law=LAW, steps=STEPS, read=Memory.read, count=SIGNALS):
    errors = {str(s): asdict(measure(memory, law, law.draw(s), steps, RECENT, read)) for s in range(count)}
    given = {"kind": "reading", "memory": memory.to_json(), "steps": steps, "seconds": SECONDS}
    return given, {"errors": errors, "curves": {}}


LSTM = (
    {"seconds": SECONDS, "train": 1, "epochs": 1},
    {"errors": {str(s): {"whole": 0.22 + 0.01 * (s % 3), "power": 0.25} for s in range(SIGNALS)}, "samples": 30,
     "curves": {}},
)  # fmt: skip
FAST = dict.fromkeys(reconstruction_speed.TITLES, 100000.0) | {
    reconstruction_speed.LEGS_SCAN: 1e7,
    reconstruction_speed.LEGS_ONLINE: 5e5,
}


def timing(speeds=FAST):
    jitter = np.random.default_rng(0).uniform(0.97, 1.03, (len(speeds), 5))
    return {"speeds": {key: (one * jitter[i]).tolist() for i, (key, one) in enumerate(speeds.items())}}


@pytest.fixture(scope="module")
def right():
    """What right memories give, by name."""
    return {"legs": reading(LEGS), "lmu": reading(LMU), "fine": reading(LEGS, steps=FINE)}


def measured(readings, speeds=FAST, scale=Scale.QUICK, lstm=LSTM):
    kinds = {
        "reading": list(readings.values()),
        "learning": [lstm, ({"seconds": 1.0}, None)],
        "timing": [({}, timing(speeds))],
        "truth": [({}, None)],
        "course": [({}, None)],
    }
    return Measured(
        scale=scale, steps=STEPS, long=FINE, order=ORDER, seconds=SECONDS, recent=RECENT, by_kind=kinds
    )  # fmt: skip


def standings(one):
    return dict(zip(comparisons(one), (s.standing for s in judge(one).statements), strict=True))


def test_right_memories_hold_every_statement(right):
    assert set(standings(measured(right)).values()) == {Standing.HOLDS}
    first, *_ = judge(measured(right)).statements
    errors = [one["whole"] for one in right["legs"][1]["errors"].values()]
    # It is a number of one variance, and stands or falls with it.
    assert "at an RMS of 1/2, with a mean squared error that rounds to 0.02 or less" in first.text
    assert Law(SECONDS).rms == 1 / 2
    assert (first.measured, first.bound) == (pytest.approx(np.mean(errors)), 0.025)
    assert "over signals: holds where it lies below 0.025, fails where above, at 95% for 10" in first.criterion
    assert re.fullmatch(r"0\.0\d+ over 8 signals, 95% interval 0\.0\d+ to 0\.0\d+: below 0\.025", first.message)


def turned(memory, samples, spacing):
    return -Memory.read(memory, samples, spacing)


def late(memory, samples, spacing):
    return Memory.read(memory, np.roll(samples, 40), spacing)


def loud(memory, samples, spacing):
    return 1.2 * Memory.read(memory, samples, spacing)


def forgetful(memory, samples, spacing):
    return Memory.read(memory, samples[len(samples) // 2 :], spacing)


def blurred(memory, samples, spacing):
    return Memory.read(memory, samples, spacing) * np.exp(-np.arange(memory.order) / 10)


@pytest.mark.parametrize(
    ("read", "fails"),
    [
        (turned, {"error", "legs below lmu", "rule"}),
        (late, {"error", "rule"}),
        (loud, {"rule"}),
        (forgetful, {"error", "legs below lmu", "rule"}),
        (blurred, {"error", "legs below lmu", "rule"}),
    ],
)
def test_a_wrong_legs_is_refused(right, read, fails):
    found = standings(measured(right | {"legs": reading(LEGS, read=read)}))
    assert fails <= {key for key, one in found.items() if one is Standing.FAILS}
    assert found["error"] is not Standing.HOLDS or read is loud


def test_a_memory_that_changes_with_the_sampling_is_refused(right):
    given, found = right["fine"]
    moved = {s: one | {"whole": one["whole"] * (1.05 + 0.01 * (int(s) % 3))} for s, one in found["errors"].items()}
    assert standings(measured(right | {"fine": (given, found | {"errors": moved})}))["long"] is Standing.FAILS
    blurs = standings(measured(right | {"fine": reading(LEGS, steps=FINE, read=loud)}))
    assert blurs["long"] is not Standing.HOLDS


def halved(memory, samples, spacing):
    return replace(memory, theta=memory.theta / 2).read(samples, spacing)


@pytest.mark.parametrize("read", [halved, turned])
def test_a_wrong_lmu_is_not_below_the_lstm(right, read):
    found = standings(measured(right | {"lmu": reading(LMU, read=read)}))
    assert found["lmu below lstm"] is Standing.FAILS


def test_an_lmu_that_is_legs_in_disguise_is_not_above_it(right):
    disguised = (right["lmu"][0], right["legs"][1])
    found = standings(measured(right | {"lmu": disguised}))
    assert found["legs below lmu"] is Standing.UNDECIDED


def test_an_lstm_that_holds_the_signal_refutes_the_order(right):
    clever = (LSTM[0], LSTM[1] | {"errors": {str(s): {"whole": 1e-4 * s, "power": 0.25} for s in range(SIGNALS)}})
    assert standings(measured(right, lstm=clever))["lmu below lstm"] is Standing.FAILS


@pytest.mark.parametrize("drawn", [Law(SECONDS, band=2.0), Law(SECONDS, band=0.5), Law(SECONDS, rms=0.1)])
def test_noise_of_another_law_decides_nothing(right, drawn):
    errors = {str(s): asdict(measure(LEGS, LAW, drawn.draw(s), STEPS, RECENT)) for s in range(SIGNALS)}
    outcome = judge(measured(right | {"legs": (right["legs"][0], {"errors": errors, "curves": {}})}))
    decided = [one for one in outcome.statements if "samples a second" not in one.text and "update" not in one.text]
    doubted = [one for one in decided if "no noise of the law" in one.message]
    assert len(doubted) == 5
    assert all(one.standing is Standing.UNDECIDED for one in doubted)


@pytest.mark.parametrize(
    ("key", "speed", "fails"),
    [
        (reconstruction_speed.LMU_TEXTBOOK, 5e6, "faster than lmu"),
        (reconstruction_speed.LSTM, 1e6, "faster than lstm"),
        (reconstruction_speed.LEGS_TEXTBOOK, 2e7, "faster than loop"),
        (reconstruction_speed.LMU_ONLINE, 1e6, "faster online"),
        (reconstruction_speed.LMU_SCAN, 2e7, "faster as scans"),
    ],
)
def test_a_slow_legs_is_refused(right, key, speed, fails):
    found = standings(measured(right, speeds=FAST | {key: speed}))
    assert [name for name, one in found.items() if one is not Standing.HOLDS] == [fails]
    assert found[fails] is Standing.FAILS


def test_nothing_is_judged_at_the_smoke_scale(right):
    outcome = judge(measured(right, scale=Scale.SMOKE))
    assert {one.standing for one in outcome.statements} == {Standing.UNDECIDED}
    assert {one.message for one in outcome.statements} == {
        "the smoke scale tests the machinery: nothing is judged from it"
    }


def test_a_bad_draw_of_few_signals_decides_nothing(right):
    few = {"legs": reading(LEGS, count=1), "lmu": reading(LMU, count=1), "fine": right["fine"]}
    lstm = (LSTM[0], LSTM[1] | {"errors": {"0": LSTM[1]["errors"]["0"]}})
    found = standings(measured(few, lstm=lstm))
    assert {found["error"], found["legs below lmu"], found["lmu below lstm"]} == {Standing.UNDECIDED}


# Speed


def test_what_is_timed_is_right():
    samples = np.random.default_rng(0).standard_normal(96)
    steps = dict.fromkeys(reconstruction_speed.TITLES, 96)
    entered = {one.key: one for one in reconstruction_speed.contenders(12, samples, 0.5, steps)}
    assert list(entered) == list(reconstruction_speed.TITLES)
    legs = own_nn.scan(samples, "legs", 12, output="last")
    lmu = own_nn.scan(samples, "lmu", 12, method="zoh", theta=48.0, dt=0.5, output="last")
    for key in (reconstruction_speed.LEGS_SCAN, reconstruction_speed.LEGS_ONLINE, reconstruction_speed.LEGS_TEXTBOOK):
        np.testing.assert_allclose(entered[key].run(), legs, atol=1e-12)
    for key in (reconstruction_speed.LMU_SCAN, reconstruction_speed.LMU_ONLINE, reconstruction_speed.LMU_TEXTBOOK):
        np.testing.assert_allclose(entered[key].run(), lmu, atol=1e-12)
    outputs, _ = entered[reconstruction_speed.LSTM].run()
    assert outputs.shape == (1, 96, 12)


def test_contenders_take_turns_and_the_first_run_is_not_timed():
    ran, clock = [], itertools.count()
    entered = [
        reconstruction_speed.Contender(key=key, steps=10, run=lambda key=key: ran.append(key)) for key in ("a", "b")
    ]
    speeds = reconstruction_speed.race(entered, 3, clock=lambda: float(next(clock)))
    assert ran == ["a", "b"] * 4
    assert speeds == {"a": [10.0] * 3, "b": [10.0] * 3}
    assert reconstruction_speed.ratios({"a": [4.0], "b": [2.0]}, "a", "b") == {0: 2.0}


# The LSTM's task


def test_the_lstm_gives_back_what_it_read_of_the_signals_that_are_judged():
    task = memory_task(LAW, range(2, 4), 8)
    assert list(task.tests) == ["2", "3"]
    assert task.outputs == steps_for(LAW) == 62
    np.testing.assert_allclose(task.tests["3"].targets[0], LAW.draw(3).samples(62), atol=1e-6)
    np.testing.assert_array_equal(task.train.inputs[..., 0], task.train.targets)
    learnt = {tuple(one[:3, 0]) for one in (*task.train.inputs, *task.validation.inputs)}
    assert len(learnt) == 9
    assert not learnt & {tuple(LAW.draw(seed).samples(62)[:3].astype(np.float32)) for seed in range(20)}
    assert powers(task)["2"] == pytest.approx(LAW.draw(2).power(0.0, SECONDS), rel=1e-5)


# The claim


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """Every unit, run at the smoke scale, as a store would give it back."""
    claim, options = Reconstruction(), Options(scale=Scale.SMOKE)
    folder = tmp_path_factory.mktemp("units")
    return {
        unit.key: json.loads(json.dumps(claim.run(unit, options, Workspace(folder / str(i))), allow_nan=False))
        for i, unit in enumerate(claim.plan(options, {}))
    }


def test_every_unit_runs_and_shows(smoke):
    options = Options(scale=Scale.SMOKE)
    outcome = Reconstruction().judge(options, smoke)
    assert {one.standing for one in outcome.statements} == {Standing.UNDECIDED}
    assert [one.key for one in outcome.tables] == ["errors", "long", "speed"]
    assert [one.key for one in outcome.figures] == ["reconstruction-middle", "reconstruction-end", "course"]
    names = [curve.name for curve in outcome.figures[0].curves]
    assert names == ["signal", "best polynomial", "LegS, bilinear", "LMU, window 8 s, zoh", "LSTM, 16 units"]
    numbers = [number for table in outcome.tables for _, row in table.rows for number in row if number is not None]
    assert all(number.measured is not None for number in numbers)
    assert all(number.paper is None for number in numbers)  # the paper's are not those of this size


def test_a_missing_unit_is_not_run_and_no_exception(smoke):
    options = Options(scale=Scale.SMOKE)
    nothing = Reconstruction().judge(options, {})
    assert {one.standing for one in nothing.statements} == {Standing.NOT_RUN}
    for key in smoke:
        outcome = Reconstruction().judge(options, {k: v for k, v in smoke.items() if k != key})
        assert {one.standing for one in outcome.statements} <= {Standing.NOT_RUN, Standing.UNDECIDED}


@pytest.mark.parametrize("scale", Scale)
def test_the_plan_is_the_same_each_time_and_names_all_that_matters(scale):
    claim, options = Reconstruction(), Options(scale=scale, seeds=5, seed=2)
    units = claim.plan(options, {})
    assert units == claim.plan(options, {})
    assert len({unit.key for unit in units}) == len(units)
    assert json.loads(json.dumps([dict(unit.settings) for unit in units])) == [dict(unit.settings) for unit in units]
    other = claim.plan(replace(options, seed=3), {})
    assert [a.key == b.key for a, b in zip(units, other, strict=True)] == [
        unit.settings["kind"] == "timing" for unit in units
    ]


def test_budgets_are_kept_by_the_estimates():
    for scale, most in ((Scale.QUICK, 80), (Scale.DEFAULT, 300)):
        assert sum(unit.cost for unit in Reconstruction().plan(Options(scale=scale), {})) <= most


def test_every_rule_of_legs_is_measured_and_every_speed_is_shown():
    assert set(SIZES[Scale.DEFAULT].rules) == set(own_nn.methods_of("legs")) == set(SIZES[Scale.FULL].rules)
    assert all(set(size.timed) == set(reconstruction_speed.TITLES) for size in SIZES.values())


def test_a_unit_that_was_stopped_goes_on_to_the_same_numbers(tmp_path, smoke, monkeypatch):
    claim, options = Reconstruction(), Options(scale=Scale.SMOKE)
    unit = next(one for one in claim.plan(options, {}) if one.settings["kind"] == "reading")
    stops = iter([False, True])
    with pytest.raises(Stopped):
        claim.run(unit, options, Workspace(tmp_path, stop=lambda: next(stops, True)))
    measured_again = []
    kept = reconstruction_memories.measure
    monkeypatch.setattr(reconstruction, "measure", lambda *given: measured_again.append(given) or kept(*given))
    assert claim.run(unit, options, Workspace(tmp_path)) == smoke[unit.key]
    assert len(measured_again) == 1
    assert math.isfinite(unit.cost)
