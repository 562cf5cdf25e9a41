"""Calls that once gave a wrong answer: memory that is no plain array, clocks far from zero, numbers near the limits."""

from __future__ import annotations

import numpy as np
import pytest

from hippo_fast import scan

BACKENDS = ("numpy", "numba", "torch")


def run(backend, samples, *args, **kwargs):
    pytest.importorskip(backend)
    return np.asarray(scan(samples, *args, backend=backend, **kwargs))


@pytest.mark.parametrize("measure", ["legs", "legt", "lagt", "fout"])
@pytest.mark.parametrize(("streams", "length"), [(16, 5), (1, 5000)])
def test_out_may_be_a_field_of_packed_records(measure, streams, length):
    # Rows of 16 doubles one byte apart: their strides are no multiple of a double.
    samples = np.random.default_rng(0).standard_normal((streams, length))
    records = np.zeros((streams, length), np.dtype([("tag", "i1"), ("state", "f8", (16,))]))
    spacing = {} if measure == "legs" else {"dt": 0.01}
    run("numba", samples, measure, 16, out=records["state"], **spacing)
    assert not records["tag"].any(), "written outside of out"
    np.testing.assert_array_equal(records["state"], run("numba", samples, measure, 16, **spacing))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("method", "a"), [("bilinear", 0.5), ("backward_euler", 1.0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fout_survives_a_gap_much_longer_than_its_window(backend, method, a, dtype):
    # A clock that counts seconds since 1970: the first cell is 3e7 windows long. At odd order A is regular.
    order, theta, first = 9, 60.0, 1.7e9
    found = run(backend, np.ones(2, dtype), "fout", order, method=method, timestamps=[first, first + 1], theta=theta)[0]
    end = np.where(np.arange(order) % 2 == 1, np.sqrt(2.0), np.eye(order)[0])
    turn = np.diag(np.where(np.arange(order - 1) % 2 == 1, np.pi * np.arange(1, order), 0.0), 1)
    law = (turn - turn.T - 2 * np.outer(end, end)) / theta
    matrix = np.eye(order) - a * first * law
    wanted = np.linalg.solve(matrix, first * 2 * end / theta)
    # A stable solve: a few roundings for each term of a row, in the matrix, times its condition number.
    bound = 4 * order * np.linalg.cond(matrix) * np.finfo(dtype).eps
    assert np.abs(found - wanted).max() < bound * np.abs(wanted).max()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("measure", ["legt", "fout"])
@pytest.mark.parametrize("unit", [1e-50, 1e38])
def test_the_unit_of_time_need_not_be_a_float32_number(backend, measure, unit):
    # Only gaps over theta matter, and float64 holds both.
    samples, ends = np.ones(4, np.float32), np.arange(1.0, 5.0)
    found = run(backend, samples, measure, 3, theta=10 * unit, timestamps=ends * unit)
    wanted = run(backend, samples, measure, 3, theta=10.0, timestamps=ends)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=64 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("method", "first"), [("zoh", 1.0), ("foh", 0.0)])
def test_the_smallest_unit_of_time_changes_no_hold(backend, method, first):
    # Multiples of the smallest number: exact ratios, although panels within them cannot be told apart.
    times = first + np.arange(100) * np.arange(1, 101)
    samples = np.sin(np.arange(100.0))
    found = run(backend, samples, "legs", 64, method=method, timestamps=times * 5e-324, output="last")
    wanted = run(backend, samples, "legs", 64, method=method, timestamps=times, output="last")
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e4 * np.finfo(np.float64).eps)


def test_times_next_to_the_smallest_number_warn_of_nothing():
    assert np.isfinite(scan([1.0, 2.0, 3.0], "legs", 2, timestamps=[0.0, 5e-324, 1.0])).all()


@pytest.mark.parametrize("output", ["states", "last"])
def test_gradients_are_zero_where_every_sample_is_missing(output):
    torch = pytest.importorskip("torch")
    samples = torch.ones(3, requires_grad=True)
    scan(samples, "legs", 2, observed=[False] * 3, output=output).sum().backward()
    assert samples.grad.tolist() == [0.0, 0.0, 0.0]


def test_out_of_a_parameter_may_be_a_tensor():
    torch = pytest.importorskip("torch")
    samples, out = torch.nn.Parameter(torch.ones(3)), torch.empty(3, 2)
    with torch.no_grad():
        assert scan(samples, "legs", 2, out=out) is out
