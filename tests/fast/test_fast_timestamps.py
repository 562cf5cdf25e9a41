"""Times of its own for each stream, and missing samples: both must equal each stream run alone on what it has."""

import math

import numpy as np
import pytest

import hippo_fast
from hippo_fast.backends import BACKENDS

INSTALLED = [key for key, backend in BACKENDS.items() if backend.is_installed()]
METHODS = BACKENDS["numpy"].methods["legs"]
EPS = np.finfo(float).eps
STREAMS, LENGTH, ORDER = (2, 9), 17, 5

DRAW = np.random.default_rng(11)
SAMPLES = DRAW.uniform(-1, 1, (*STREAMS, LENGTH))
TIMES = np.cumsum(DRAW.uniform(0.01, 2.0, (*STREAMS, LENGTH)), axis=-1)
OBSERVED = DRAW.uniform(size=(*STREAMS, LENGTH)) < 0.6
OBSERVED[0, 0] = False  # a stream without any sample
OBSERVED[0, 1] = True
OBSERVED[0, 2] = np.arange(LENGTH) == 4  # a single late sample
OBSERVED[1, 3] = OBSERVED[1, 4]  # two streams that miss the same samples


def close(found, wanted, steps=LENGTH):
    """Two orders of summation of one recurrence: in a step N rows of N rounded terms each, carried on unamplified."""
    return np.abs(found - wanted).max() <= 8 * ORDER**2 * steps * EPS * max(1.0, np.abs(wanted).max())


def legs(samples, **options):
    return np.asarray(hippo_fast.scan(samples, "legs", ORDER, **options))


@pytest.mark.parametrize("output", ["states", "last"])
@pytest.mark.parametrize("backend", INSTALLED)
@pytest.mark.parametrize("method", [m for m in METHODS if m != "euler"])
def test_each_stream_has_its_own_times(method, backend, output):
    together = legs(SAMPLES, method=method, timestamps=TIMES, backend=backend, output=output)
    for index in np.ndindex(*STREAMS):
        alone = legs(SAMPLES[index], method=method, timestamps=TIMES[index], backend="numpy", output=output)
        assert close(together[index], alone)


@pytest.mark.parametrize("backend", INSTALLED)
def test_a_stream_that_starts_at_zero_stands_beside_one_that_does_not(backend):
    times = TIMES.copy()
    times[0, :, 0] = 0.0
    together = legs(SAMPLES, method="trapezoid", timestamps=times, backend=backend)
    for index in np.ndindex(*STREAMS):
        alone = legs(SAMPLES[index], method="trapezoid", timestamps=times[index], backend="numpy")
        assert close(together[index], alone)


@pytest.mark.parametrize(
    "times", [None, np.cumsum(DRAW.uniform(0.1, 1.0, LENGTH)), TIMES], ids=["even", "shared", "own"]
)
@pytest.mark.parametrize("backend", INSTALLED)
@pytest.mark.parametrize("method", [m for m in METHODS if m != "euler"])
def test_missing_samples_are_longer_steps(method, backend, times):
    holes = np.where(OBSERVED, SAMPLES, math.nan)
    states = legs(holes, method=method, observed=OBSERVED, timestamps=times, backend=backend)
    last = legs(holes, method=method, observed=OBSERVED, timestamps=times, backend=backend, output="last")
    at = np.broadcast_to(np.arange(LENGTH) + (method == "zoh") if times is None else times, SAMPLES.shape)
    for index in np.ndindex(*STREAMS):
        present = np.flatnonzero(OBSERVED[index])
        expected = np.zeros((LENGTH, ORDER))
        if present.size:
            alone = legs(SAMPLES[index][present], method=method, timestamps=at[index][present], backend="numpy")
            for position, k in enumerate(present):
                expected[k:] = alone[position]
        assert close(states[index], expected)
        assert close(last[index], expected[-1])


def test_flags_shared_by_all_streams_and_nothing_missing():
    flags = np.arange(LENGTH) % 3 > 0
    shared = legs(SAMPLES, observed=flags)
    np.testing.assert_array_equal(shared, legs(SAMPLES, observed=np.broadcast_to(flags, SAMPLES.shape)))
    assert close(legs(SAMPLES, observed=np.ones(LENGTH, bool)), legs(SAMPLES))


@pytest.mark.parametrize("backend", INSTALLED)
def test_gaps_of_a_regular_clock_are_seen(backend):
    """A missing sample must not be read as if the clock had stood still."""
    flags = np.arange(LENGTH) != 7
    longer = legs(SAMPLES, observed=flags, backend=backend, output="last")
    shifted = legs(SAMPLES[..., flags], backend=backend, output="last")
    assert np.abs(longer - shifted).max() > 1e-3


def test_gradients_flow_to_observed_samples_alone():
    torch = pytest.importorskip("torch")
    samples = torch.tensor(SAMPLES, requires_grad=True)
    hippo_fast.scan(samples, "legs", ORDER, observed=OBSERVED).sum().backward()
    gradient = samples.grad.numpy()
    assert (gradient[~OBSERVED] == 0).all()
    assert (gradient[OBSERVED] != 0).mean() > 0.9


@pytest.mark.parametrize("backend", INSTALLED)
@pytest.mark.parametrize("output", ["states", "last"])
def test_the_result_is_written_where_it_is_wanted(backend, output):
    wanted = hippo_fast.scan(SAMPLES, "legs", ORDER, backend=backend, output=output)
    out = wanted * 0 - 1
    assert hippo_fast.scan(SAMPLES, "legs", ORDER, backend=backend, output=output, out=out) is out
    np.testing.assert_array_equal(np.asarray(out), np.asarray(wanted))
    holes = hippo_fast.scan(SAMPLES, "legs", ORDER, backend=backend, output=output, observed=OBSERVED)
    assert hippo_fast.scan(SAMPLES, "legs", ORDER, backend=backend, output=output, observed=OBSERVED, out=out) is out
    np.testing.assert_array_equal(np.asarray(out), np.asarray(holes))


@pytest.mark.parametrize("backend", [key for key in INSTALLED if key != "torch"])
@pytest.mark.parametrize("output", ["states", "last"])
def test_an_output_of_any_strides_is_filled(backend, output):
    wanted = legs(SAMPLES, backend=backend, output=output)
    wide = np.full((*wanted.shape[::-1],), -1.0).T
    scattered = np.full((4, *wanted.shape[1:]), -1.0)[::2]
    for out in (wide, scattered):
        legs(SAMPLES, backend=backend, output=output, out=out)
        np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_aligned_arrays_take_states_as_any_others(dtype):
    samples = SAMPLES[0, 0].astype(dtype)
    wanted = hippo_fast.scan(samples, "legs", 16)
    for shift in (0, 1):  # on a vector boundary, and off it
        out = hippo_fast.aligned_empty((LENGTH + 1, 16), dtype).reshape(-1)[shift : shift + LENGTH * 16]
        assert out.ctypes.data % 64 == shift * out.itemsize
        np.testing.assert_array_equal(hippo_fast.scan(samples, "legs", 16, out=out.reshape(LENGTH, 16)), wanted)
    assert hippo_fast.aligned_empty((0, 3)).shape == (0, 3)


OUT = np.zeros((*STREAMS, LENGTH, ORDER))
REFUSED = [
    (
        {"timestamps": 2**60 + np.arange(LENGTH)},
        ValueError,
        r"timestamps has dtype int64 and numbers that float64 would",
    ),
    ({"out": OUT[..., :4]}, ValueError, r"out has shape \(2, 9, 17, 4\).*accepted: \(2, 9, 17, 5\), float64, cpu"),
    ({"out": OUT.astype("float32")}, ValueError, r"out has shape .*dtype float32.*accepted: .*float64"),
    ({"out": OUT.tolist()}, TypeError, r"out is a list; accepted: a ndarray of shape \(2, 9, 17, 5\)"),
    ({"out": np.broadcast_to(0.0, OUT.shape)}, ValueError, "out is read-only; accepted: a writable array"),
    ({"timestamps": TIMES[0]}, ValueError, r"timestamps has shape \(9, 17\); accepted: \(17,\).*, or \(2, 9, 17\)"),
    ({"timestamps": -TIMES}, ValueError, r"timestamps\[0, 0, 1\] is -.* after -.*; accepted: strictly increasing"),
    (
        {"timestamps": TIMES - TIMES[1, 3, 0] - 0.5},
        ValueError,
        r"timestamps\[\d, \d, 0\] is -.*; accepted: a time >= 0",
    ),
    ({"observed": np.ones(LENGTH)}, TypeError, "observed has dtype float64; accepted: booleans"),
    ({"observed": np.ones(3, bool)}, ValueError, r"observed has shape \(3,\); accepted: \(17,\) or \(2, 9, 17\)"),
]


@pytest.mark.parametrize(("options", "error", "message"), REFUSED)
def test_refusals(options, error, message):
    arguments = {"measure": "legs", "order": ORDER, **options}
    with pytest.raises(error, match=message):
        hippo_fast.scan(SAMPLES, **arguments)


def test_an_output_over_the_samples_is_refused():
    shared = np.ones(12)
    with pytest.raises(ValueError, match="out shares memory with samples"):
        hippo_fast.scan(shared[:6], "legs", 6, output="last", out=shared[:6])


def test_a_missing_sample_may_hold_anything():
    flags = np.array([True, False, True])
    for hole in (math.nan, math.inf, 1e308):
        np.testing.assert_array_equal(
            legs([1.0, hole, 2.0], observed=flags, dtype="float32"),
            legs([1.0, 0.0, 2.0], observed=flags, dtype="float32"),
        )
    with pytest.raises(ValueError, match=r"samples\[2\] is nan"):
        legs([1.0, 0.0, math.nan], observed=flags)
