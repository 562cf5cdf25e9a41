"""Strategies reach the rare regions, how often is counted, and what they draw is exact; failures shrink to the simple.

Counts are those of 300 draws from a fixed seed; a floor is about half of what they are, so that a change of hypothesis
may shift them and the loss of a region is still seen.
"""

import math
from dataclasses import replace

import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from verify.case import LEVELS
from verify.cases import DOMAINS, make_case
from verify.checks.base import FULL, QUICK, Finding, Record, explore
from verify.inputs import Signal
from verify.strategies import (
    HUGE,
    TINY,
    batches,
    cases,
    corpus_readouts,
    corpus_signals,
    corpus_transitions,
    examples_for,
    indices,
    length_for,
    orders,
    pairs,
    parameters,
    readouts,
    resumptions,
    signals,
    timed_signals,
    transitions,
)
from verify.strategies.cases import MEMBERS
from verify.verdict import Status

DRAWS = 300
SEARCH = settings(
    max_examples=2000, database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
NORMAL = {"float64": 2.0**-1022, "float32": 2.0**-126}
LARGEST = {"float64": 2.0**1023, "float32": 2.0**127}


def drawn(strategy, count=DRAWS, seed=0):
    found = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(item):
        found.append(item)

    collect()
    return found


def counted(strategy, regions, least=DRAWS):
    """Regions that are visited too rarely, with how often they are and should be.

    What has few members is drawn ``least`` times at least: hypothesis stops where nothing is new.
    """
    items = drawn(strategy)
    assert len(items) >= least
    counts = {name: sum(map(inside, items)) for name, (inside, _) in regions.items()}
    return {name: (counts[name], floor) for name, (_, floor) in regions.items() if counts[name] < floor}


def peak(values):
    return max(map(abs, values))


def spread(values):
    """The largest over the smallest that is not zero."""
    sizes = [abs(v) for v in values if v]
    return max(sizes) / min(sizes) if sizes else 0.0


def gaps(times):
    return np.diff(times, prepend=0.0)[1:] if len(times) > 1 else np.ones(1)


def turning(number):
    """Next to a power of two from 8 on."""
    return any(abs(number - 2**j) <= 1 for j in range(3, 20))


def signal_regions(dtype, longest):
    return {
        "length 1": (lambda s: len(s) == 1, 18),
        "length 2 or 3": (lambda s: len(s) in (2, 3), 5),
        "beside a power of two": (lambda s: turning(len(s)), 66),
        "the longest": (lambda s: len(s) == longest, 4),
        "all zero": (lambda s: not any(s.values), 10),
        "last sample alone": (lambda s: len(s) > 1 and s.values[-1] and not any(s.values[:-1]), 3),
        "first sample alone": (lambda s: len(s) > 1 and s.values[0] and not any(s.values[1:]), 1),
        "run of zeros in noise": (lambda s: s.name == "silence" and len(s) > 4 and any(s.values), 13),
        "tiny": (lambda s: 0 < peak(s.values) < 2.0 ** (TINY[dtype] + 4), 16),
        "huge": (lambda s: peak(s.values) > 2.0 ** (HUGE[dtype] - 20), 37),
        "a denormal sample": (lambda s: any(0 < abs(v) < NORMAL[dtype] for v in s.values), 17),
        "2^60 in one signal": (lambda s: spread(s.values) > 2.0**60, 21),
        "whole numbers": (lambda s: s.name == "noise" and all(v == round(v) for v in s.values), 4),
        "fractions of 20 bits": (lambda s: s.name == "noise" and any(v != round(v) for v in s.values), 13),
        "alternating": (lambda s: s.name == "alternating" and len(s) > 2 and s.values[0] != s.values[1], 3),
        "steps": (lambda s: s.name == "steps" and len(set(s.values)) > 1, 4),
        "spikes": (lambda s: s.name == "spikes" and any(s.values) and len(s) > 3, 4),
        "chirp": (lambda s: s.name == "chirp" and len(s) > 8, 2),
        "band-limited": (lambda s: s.name == "band-limited" and len(s) > 8, 8),
        "polynomial": (lambda s: s.name == "polynomial" and len(set(s.values)) > 4, 13),
    }  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rare_signals_are_drawn(dtype):
    assert counted(signals(40, dtype), signal_regions(dtype, 40)) == {}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_no_bound_decides_is_drawn_when_asked_for(dtype):
    regions = {
        "denormal": (lambda s: 0 < peak(s.values) < NORMAL[dtype], 8),
        "next to overflow": (lambda s: peak(s.values) > LARGEST[dtype] / 8, 5),
    }
    assert counted(signals(40, dtype, beyond=True), regions) == {}


@given(signals(12, "float64"), signals(12, "float32"))
def test_otherwise_every_signal_is_of_a_size_that_bounds_can_decide(double, single):
    for signal, dtype in ((double, "float64"), (single, "float32")):
        assert peak(signal.values) <= LARGEST[dtype] * 2.0**-40
        # A denormal comes after a sample that is none.
        first = next((abs(v) for v in signal.values if v), 1.0)
        assert first >= NORMAL[dtype] * 2.0**30


@pytest.mark.parametrize("method", ["zoh", "foh"])
def test_rare_times_are_drawn(method):
    regions = {
        "length 1": (lambda s: len(s) == 1, 18),
        "even": (lambda s: len(s) > 2 and len(set(gaps(s.times))) == 1, 16),
        "doubling gaps": (lambda s: len(s) > 3 and all(gaps(s.times)[1:4] == 2 * gaps(s.times)[:3][: len(s) - 2]), 10),
        "gap ratio above 1e6": (lambda s: gaps(s.times).max() > 1e6 * gaps(s.times).min(), 44),
        "close": (lambda s: len(s) > 1 and 0 < gaps(s.times)[0] < 1e-9 * s.times[0], 14),
        "tiny unit": (lambda s: s.times[-1] < 2.0**-200, 33),
        "huge unit": (lambda s: s.times[-1] > 2.0**200, 30),
    }
    if method == "foh":
        regions["from zero"] = (lambda s: s.times[0] == 0, 50)
    assert counted(timed_signals(40, "float64", method), regions) == {}


def test_rare_batches_are_drawn():
    regions = {
        "one stream": (lambda b: len(b.streams) == 1, 8),
        "an odd number": (lambda b: len(b.streams) % 2 == 1 and len(b.streams) > 1, 69),
        "many": (lambda b: len(b.streams) >= 15, 32),
        "one sample": (lambda b: len(b.streams[0]) == 1, 7),
        "one stream of one sample": (lambda b: b.size == 1, 1),
        "a silent stream beside another": (
            lambda b: any(not any(s) for s in b.streams) and any(any(s) for s in b.streams), 60),
        "streams of very different size": (
            lambda b: max(map(peak, b.streams)) > 2.0**60 * min([peak(s) for s in b.streams if any(s)], default=1), 95),
    }  # fmt: skip
    assert counted(batches(12, "float32"), regions) == {}


def test_rare_steps_are_drawn():
    regions = {
        "k = 0": (lambda t: t.index == 0, 23),
        "k = 1": (lambda t: t.index == 1, 8),
        "k = 2^j": (lambda t: t.index > 3 and t.index.bit_count() == 1, 11),
        "k = 2^j - 1": (lambda t: t.index > 3 and (t.index + 1).bit_count() == 1, 15),
        "k above 1e5": (lambda t: t.index > 10**5, 17),
        "zero state": (lambda t: not any(t.state), 13),
        "unit state": (lambda t: sum(map(abs, t.state)) in (1.0, 2.0**30, 2.0**-30), 9),
        "sizes 2^50 apart": (lambda t: spread(t.state) > 2.0**50, 40),
        "no sample": (lambda t: t.sample == 0, 16),
    }  # fmt: skip
    assert counted(transitions(6), regions) == {}


def test_rare_resumptions_are_drawn():
    regions = {
        "from the start": (lambda r: r.index == 0, 34),
        "k = 2^j": (lambda r: r.index > 3 and r.index.bit_count() == 1, 11),
        "late": (lambda r: r.index > 10**5, 10),
        "one sample": (lambda r: len(r.values) == 1, 7),
        "nothing new": (lambda r: not any(r.values) and any(r.state), 10),
    }
    assert counted(resumptions(4, 24), regions) == {}


def test_rare_read_outs_are_drawn():
    regions = {
        "oldest moment": (lambda r: 0.0 in r.points, 48),
        "newest moment": (lambda r: 1.0 in r.points, 59),
        "one point": (lambda r: len(r.points) == 1, 36),
        "equal points": (lambda r: len(set(r.points)) < len(r.points), 93),
        "unsorted": (lambda r: list(r.points) not in (sorted(r.points), sorted(r.points, reverse=True)), 40),
        "falling": (lambda r: len(set(r.points)) > 1 and list(r.points) == sorted(r.points, reverse=True), 23),
        "next to the end": (lambda r: any(1 - 2.0**-15 < p < 1 for p in r.points), 34),
        "one coefficient": (lambda r: sum(map(bool, r.coefficients)) == 1, 60),
        "highest degree alone": (lambda r: r.coefficients[-1] and not any(r.coefficients[:-1]), 29),
    }
    assert counted(readouts(6), regions) == {}


def test_an_infinite_past_is_never_asked_for():
    with pytest.raises(NoSuchExample):
        find(readouts(3, lowest=1), lambda r: 0.0 in r.points, settings=settings(SEARCH, max_examples=200))


def test_orders_and_indices_reach_their_ends():
    for strategy, ends, rare in (
        (orders(65), (1, 65), (2, 3, 63, 64)),
        (indices(), (0, 10**6), (1, 2, 2**19 - 1, 2**19)),
    ):
        numbers = drawn(strategy)
        assert (min(numbers), max(numbers)) == ends
        assert set(rare) <= set(numbers)
        assert sum(number % 2 for number in numbers) > len(numbers) / 4


def test_rare_cases_are_drawn():
    def number(name):
        return lambda c: c.float_parameters.get(name)

    theta = number("theta")
    regions = {
        "order 1": (lambda c: c.order == 1, 30),
        "order 2": (lambda c: c.order == 2, 17),
        "odd order above 1": (lambda c: c.order % 2 == 1 and c.order > 1, 70),
        "order of a power of two, or beside it": (lambda c: turning(c.order), 36),
        "order 64 or more": (lambda c: c.order >= 64, 10),
        "theta >= 1e20": (lambda c: (theta(c) or 0) >= 1e20, 27),
        "theta <= 1e-20": (lambda c: (theta(c) or 1) <= 1e-20, 27),
        "a step of a whole window": (lambda c: theta(c) is not None and c.dt == theta(c), 20),
        "a step far beyond the window": (lambda c: theta(c) is not None and c.dt > 1e6 * theta(c), 20),
        "a step far below it": (lambda c: c.dt is not None and c.dt < 1e-6 * (theta(c) or 1), 25),
        "float32": (lambda c: c.dtype == "float32", 69),
        "a member of a family": (lambda c: c.method in MEMBERS, 67),
        **{measure: (lambda c, key=measure: c.measure == key, 6) for measure in DOMAINS},
        **{level: (lambda c, key=level: c.level == key, 6) for level in LEVELS},
    }  # fmt: skip
    assert counted(cases(), regions) == {}


@given(cases(largest=9))
def test_every_case_is_one_that_a_user_may_ask_for(case):
    again = make_case(
        "drawn", case.measure, order=case.order, method=case.method, level=case.level, dtype=case.dtype, dt=case.dt,
        **case.exact_parameters,
    )  # fmt: skip
    assert again == case


@pytest.mark.parametrize(
    ("measure", "regions"),
    [
        (
            "lagt",
            {
                "alpha within 2^-9 of -1": (lambda p: p["alpha"] < -1 + 2.0**-9, 33),
                "alpha within 2^-9 of 1": (lambda p: p["alpha"] > 1 - 2.0**-9, 51),
                "alpha next to the last double": (lambda p: abs(p["alpha"]) > 1 - 2.0**-50, 6),
                "plain": (lambda p: p["alpha"] == 0, 7),
                "beta below 1e-20": (lambda p: p["beta"] < 1e-20, 22),
                "beta above 1e20": (lambda p: p["beta"] >= 1e20, 26),
            },
        ),
        (
            "legt",
            {
                "theta below 1e-20": (lambda p: p["theta"] < 1e-20, 17),
                "theta above 1e20": (lambda p: p["theta"] >= 1e20, 17),
                "theta at an end": (lambda p: p["theta"] < 1.1e-30 or p["theta"] > 0.9e30, 1),
            },
        ),
        (
            "jacobi",
            {
                "alpha next to -1": (lambda p: p["alpha"] < -1 + 2.0**-9, 21),
                "beta next to -1": (lambda p: p["beta"] < -1 + 2.0**-9, 18),
                "alpha large": (lambda p: p["alpha"] > 1e6, 73),
            },
        ),
    ],
)
def test_parameters_come_to_the_ends_of_their_domains(measure, regions):
    assert counted(parameters(measure), regions, least=DRAWS / 2) == {}
    for chosen in drawn(parameters(measure)):
        for name, value in chosen.items():
            assert DOMAINS[measure][name].take(name, value) == value


def test_a_measure_without_parameters_gets_none():
    assert drawn(parameters("legs"), 1) == [{}]


def exact(values, dtype):
    return np.array(values, dtype=dtype).astype(float).tolist() == list(values)


@given(signals(12, "float32", beyond=True), timed_signals(12, "float32", "foh"), batches(6, "float32", most=3))
def test_float32_reads_the_same_numbers(signal, timed, batch):
    assert exact(signal.values, "float32")
    assert exact(timed.values, "float32")
    assert all(exact(stream, "float32") for stream in batch.streams)


@given(transitions(5), resumptions(5, 6), readouts(5))
def test_states_and_points_are_exact_in_float32(transition, resumption, readout):
    assert resumption.index or not any(resumption.state)
    for values in (transition.state, [transition.sample], resumption.state, resumption.values, readout.coefficients):
        assert exact(values, "float32")
    assert exact(readout.points, "float32")


@given(pairs(12, "float32"))
def test_sums_are_exact_in_float32(pair):
    first, second, exponent = pair
    total = [math.ldexp(a + b, exponent) for a, b in zip(first.values, second.values, strict=True)]
    assert exact(total, "float32")


@given(timed_signals(40, "float64", "zoh"), timed_signals(40, "float64", "bilinear"))
def test_times_increase_and_a_cell_ends_after_zero(cells, nodes):
    for signal in (cells, nodes):
        assert len(signal.times) == len(signal.values)
        assert (np.diff(signal.times) > 0).all()
        assert np.isfinite(signal.times).all()
    assert cells.times[0] > 0
    assert nodes.times[0] >= 0


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_corpus_is_exact_and_reaches_far(dtype):
    for signal in corpus_signals(20, dtype):
        assert signal.array(dtype).astype(float).tolist() == list(signal.values)
    sizes = [max(map(abs, signal.values)) for signal in corpus_signals(20, dtype)]
    assert max(sizes) >= 2.0 ** HUGE[dtype]
    assert min(size for size in sizes if size) <= 2.0 ** (TINY[dtype] + 2)
    assert {t.index for t in corpus_transitions(4, dtype)} >= {0, 1, 1000}
    assert {0.0, 1.0} <= set(corpus_readouts(4, dtype)[0].points)


def test_large_orders_get_fewer_draws_but_signals_that_reach_every_coefficient():
    assert [length_for(order, 40) for order in (4, 32, 64)] == [40, 40, 72]
    assert [examples_for(order, 6) for order in (4, 32, 64)] == [6, 3, 2]
    assert examples_for(128, 1) == 1


@pytest.mark.parametrize(
    ("wrong", "length"),
    [
        (lambda s: any(s.values), 1),
        (lambda s: any(v > 2 for v in s.values), 1),
        (lambda s: len(s) > 2 and s.values[-1] < 0, 3),
        (lambda s: len(s) > 7, 8),
        (lambda s: len(s) > 4 and s.values[4] != s.values[3], 5),
    ],
)
def test_failures_shrink_to_a_short_and_simple_signal(wrong, length):
    """As short as can be, of two values at most, each a small whole number times an amplitude."""
    signal = find(signals(30, "float64"), wrong, settings=SEARCH)
    assert len(signal) == length
    assert len(set(signal.values)) <= 2
    assert {math.frexp(abs(value))[0] for value in signal.values} <= {0.0, 0.5, 0.75}


def test_other_failures_shrink_too():
    step = find(transitions(4), lambda t: any(t.state) and t.index > 5, settings=SEARCH)
    assert (step.index, step.sample, sorted(step.state)) == (7, 0.0, [0.0, 0.0, 0.0, 1.0])
    batch = find(batches(9, "float64"), lambda b: len(b.streams) > 1 and any(b.streams[1]), settings=SEARCH)
    assert batch.streams == ((0.0,), (1.0,))
    timed = find(timed_signals(9, "float64", "foh"), lambda s: len(s) > 1 and any(s.values), settings=SEARCH)
    assert (sorted(timed.values), timed.times) == ([0.0, 1.0], (1.0, 2.0))
    case = find(cases(), lambda c: c.dtype == "float32" and c.order > 4, settings=SEARCH)
    assert (case.measure, case.order, case.dt) == ("legs", 5, None)


def judged(ratio, signal, status=Status.PASS):
    message = "" if status is Status.PASS else "wrong"
    return Finding(status, ratio, 1.0, ratio, 1, {"input": signal.to_json()}, message, "test"), len(signal)


def rough(signal):
    """An error that grows with the total variation of a signal of ordinary size: a feature the target does not show."""
    if peak(signal.values) > 8:
        return 0.0
    return float(np.abs(np.diff(signal.values)).sum()) / 400


def reached(seed):
    """The record of 60 draws, which is what a check spends in the full suite."""
    record = Record()
    suite = replace(FULL, seed=seed)
    explore((), signals(12, "float64"), lambda s: judged(rough(s), s), record, suite, FULL.examples)
    return record


def test_targeting_drives_the_draws_to_a_larger_error(monkeypatch):
    seeds = range(8)
    climbing = [reached(seed) for seed in seeds]
    with monkeypatch.context() as patch:
        patch.setattr(hypothesis, "target", lambda *_, **__: None)
        drawing = [reached(seed) for seed in seeds]
    ratios = [[record.details["largest_ratio"]["value"] for record in records] for records in (climbing, drawing)]
    gains = [math.log2(a / b) for a, b in zip(*ratios, strict=True)]
    # 1.8 bits when this was written.
    assert sum(gains) / len(gains) > 0.5, gains
    assert {record.findings for record in (*climbing, *drawing)} == {FULL.examples}
    assert all(0 < record.details["targeted"] <= FULL.examples for record in climbing)


def test_the_largest_ratio_and_its_input_are_recorded():
    seen = []

    def trial(signal):
        seen.append((rough(signal), signal.name))
        return judged(rough(signal), signal)

    record = Record()
    explore((Signal((1.0,), "first"),), signals(24, "float64"), trial, record, FULL, 30)
    value = max(ratio for ratio, _ in seen)
    assert record.details["largest_ratio"] == {"value": value, "input": next(name for r, name in seen if r == value)}
    assert len(seen) == 31
    # What has no logarithm is not a target; what is tried before the draws is none either.
    assert record.details["targeted"] == sum(ratio > 0 for ratio, _ in seen[1:])


def test_ratios_that_are_zero_or_infinite_are_no_target_and_leave_no_record():
    record = Record()
    explore((), signals(9, "float64"), lambda s: judged(0.0, s), record, FULL, 20)
    assert record.details == {}
    assert record.findings == 20
    explore((), signals(9, "float64"), lambda s: judged(math.inf, s, Status.FAIL), record, FULL, 20)
    assert record.details == {}
    assert record.failure is not None


def test_names_of_inputs_in_pairs_are_joined_and_a_missing_input_has_none():
    first, second = Signal((1.0,), "one"), Signal((2.0,), "two")
    record = Record()
    for ratio, given_input in (
        (0.1, first.to_json()),
        (0.2, {"first": first.to_json(), "second": second.to_json(), "exponent": 3}),
    ):
        record.add(Finding(Status.PASS, ratio, 1.0, ratio, 1, {"input": given_input}))
    assert record.details["largest_ratio"] == {"value": 0.2, "input": "one + two"}
    record.add(Finding(Status.PASS, 0.3, 1.0, 0.3, 1, {"what": "A"}))
    assert record.details["largest_ratio"] == {"value": 0.3, "input": ""}


@pytest.mark.parametrize("suite", [QUICK, FULL])
def test_draws_depend_on_the_seed_alone(suite):
    """Neither on constants of imported code nor on what was drawn before."""

    def run(seed):
        seen = []

        def trial(signal):
            seen.append(signal)
            return judged(rough(signal), signal)

        explore((), signals(20, "float64"), trial, Record(), replace(suite, seed=seed), suite.examples)
        return seen

    first = run(3)
    drawn(signals(7, "float32"), 20)
    assert run(3) == first
    assert run(4) != first
    assert len(first) == suite.examples


def test_a_failure_met_while_climbing_is_made_smaller_within_the_budget():
    """The climb starts after half of the draws; its failures are shrunk like any other."""
    calls = []

    def trial(signal):
        calls.append(signal)
        wrong = len(calls) > 40 and len(signal) > 2
        return judged(2.0 if wrong else rough(signal), signal, Status.FAIL if wrong else Status.PASS)

    record = Record()
    explore((), signals(24, "float64"), trial, record, FULL, 60)
    assert record.failure is not None
    assert record.size == 3
    from verify.checks.base import SHRINK_CALLS

    assert len(calls) <= 60 + SHRINK_CALLS
    assert record.details["targeted"] <= 40


def test_strategies_of_different_seeds_differ():
    assert drawn(st.integers(0, 10**6), 20) != drawn(st.integers(0, 10**6), 20, seed=1)
