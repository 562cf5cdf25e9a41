"""Strategies reach the rare regions, and what they draw is exact in float32."""

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis.errors import NoSuchExample

from verify.strategies import (
    HUGE,
    TINY,
    corpus_readouts,
    corpus_signals,
    corpus_transitions,
    examples_for,
    length_for,
    pairs,
    readouts,
    signals,
    transitions,
)

SEARCH = settings(
    max_examples=2000, database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "region",
    [
        lambda s: len(s) == 1,
        lambda s: len(s) == 30,
        lambda s: s.name == "steps" and len(set(s.values)) > 1,
        lambda s: s.name == "spikes" and sum(v != 0 for v in s.values) == 1,
        lambda s: s.name == "chirp" and len(s) > 5,
        lambda s: s.name == "polynomial" and len(set(s.values)) > 2,
        lambda s: 0 < max(map(abs, s.values)) < 2.0**-40,
        lambda s: max(map(abs, s.values)) > 2.0**35,
        lambda s: not any(s.values),
    ],
)
def test_rare_signals_are_drawn(dtype, region):
    find(signals(30, dtype), region, settings=SEARCH)


@pytest.mark.parametrize(
    "region", [lambda t: t.index == 0, lambda t: t.index == 1, lambda t: t.index > 10**5, lambda t: not any(t.state)]
)
def test_rare_steps_are_drawn(region):
    find(transitions(3), region, settings=SEARCH)


@pytest.mark.parametrize("region", [lambda r: 0.0 in r.points, lambda r: 1.0 in r.points, lambda r: len(r.points) > 4])
def test_rare_points_are_drawn(region):
    find(readouts(3), region, settings=SEARCH)


def test_an_infinite_past_is_never_asked_for():
    with pytest.raises(NoSuchExample):
        find(readouts(3, lowest=1), lambda r: 0.0 in r.points, settings=settings(SEARCH, max_examples=200))


@given(signals(12, "float32"))
def test_float32_reads_the_same_numbers(signal):
    assert signal.array("float32").astype(float).tolist() == list(signal.values)


@given(pairs(12, "float32"))
def test_sums_are_exact_in_float32(pair):
    first, second, _ = pair
    total = [a + b for a, b in zip(first.values, second.values, strict=True)]
    assert np.float32(total).astype(float).tolist() == total


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
