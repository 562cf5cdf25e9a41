"""Memory: online equals offline to the last bit, failed updates, files, and reading back."""

import io
import math
import pickle

import numpy as np
import pytest
from fast_exact import EPS

import hippo_fast
from hippo_fast import BACKENDS, OPERATORS, Memory

PAIRS = [(measure, method) for measure in OPERATORS for method in BACKENDS["numpy"].methods[measure]]


def make(measure="legs", order=7, method="bilinear", **options):
    return Memory(measure, order, method=method, dt=None if measure == "legs" else 1 / 64, **options)


def stream(length=40, seed=5):
    return np.random.default_rng(seed).uniform(-1, 1, length)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("measure", "method"), PAIRS)
def test_online_equals_offline_bit_for_bit(measure, method, dtype):
    samples = stream().astype(dtype)
    # Of invariant laws `Memory` takes the matrix step of numpy's scan, numba's scan a structured one.
    backend = "auto" if measure == "legs" else "numpy"
    dt = None if measure == "legs" else 1 / 64
    states = hippo_fast.scan(samples, measure, 7, method=method, dt=dt, backend=backend)
    single, chunked = make(measure, method=method, dtype=dtype), make(measure, method=method, dtype=dtype)
    for k, sample in enumerate(samples):
        single.update(sample)
        assert single.count == k + 1
        np.testing.assert_array_equal(single.coefficients, states[k])
    for begin, stop in ((0, 1), (1, 2), (2, 5), (5, 35), (35, 40)):
        chunked.update(samples[begin:stop])
        np.testing.assert_array_equal(chunked.coefficients, states[stop - 1])
    assert single.coefficients.dtype == dtype


@pytest.mark.parametrize(("measure", "method"), PAIRS)
@pytest.mark.parametrize("order", [1, 2])
def test_smallest_orders(measure, method, order):
    samples = stream(6)
    # Of invariant laws `Memory` takes the matrix step of numpy's scan, numba's scan a structured one.
    backend = "auto" if measure == "legs" else "numpy"
    dt = None if measure == "legs" else 1 / 64
    states = hippo_fast.scan(samples, measure, order, method=method, dt=dt, backend=backend)
    memory = make(measure, order, method)
    assert not memory.coefficients.any()
    for k, sample in enumerate(samples):
        memory.update(float(sample))
        np.testing.assert_array_equal(memory.coefficients, states[k])


@pytest.mark.parametrize("bad", [math.nan, math.inf, [1.0, math.nan], [], [[1.0]], "x", None, 1j, [1.0, "x"]])
@pytest.mark.parametrize("method", ["bilinear", "foh"])
def test_a_failed_update_changes_nothing(bad, method):
    memory, twin = make(method=method), make(method=method)
    for one in (memory, twin):
        one.update(stream(4))
    with pytest.raises((ValueError, TypeError), match="sample"):
        memory.update(bad)
    assert memory.count == 4
    for one in (memory, twin):
        one.update(0.25)
    np.testing.assert_array_equal(memory.coefficients, twin.coefficients)


def test_overflow_is_refused():
    memory = make(order=1, method="euler")
    memory.update(1e308)
    before = memory.coefficients
    with pytest.raises(OverflowError, match=r"sample number 1 or a later one .*nothing was read"):
        memory.update(-1.7e308)
    np.testing.assert_array_equal(memory.coefficients, before)
    assert memory.count == 1
    single = make(dtype="float32")
    with pytest.raises(ValueError, match="accepted: finite float32"):
        single.update(1e300)
    assert single.count == 0


def test_coefficients_are_a_copy():
    memory = make("legt")
    memory.update(1.0)
    memory.coefficients[:] = 7.0
    assert memory.coefficients[0] != 7.0


@pytest.mark.parametrize(("measure", "method"), PAIRS)
@pytest.mark.parametrize("cut", [0, 1, 2, 20])
def test_a_loaded_memory_goes_on_bit_for_bit(measure, method, cut, tmp_path):
    samples, path = stream(30), tmp_path / "memory.state"
    parameters = {"alpha": 0.25, "beta": 1.5} if measure == "lagt" else {}
    unbroken, saved = make(measure, method=method, **parameters), make(measure, method=method, **parameters)
    unbroken.update(samples)
    if cut:
        saved.update(samples[:cut])
    saved.save(path)
    resumed = Memory.load(str(path))
    assert resumed.count == cut
    assert repr(resumed) == repr(saved)
    resumed.update(samples[cut:])
    np.testing.assert_array_equal(resumed.coefficients, unbroken.coefficients)
    assert list(tmp_path.iterdir()) == [path]


def stored_fields(path):
    with np.load(path, allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def test_foreign_and_damaged_files_are_refused(tmp_path):
    memory, path = make(), tmp_path / "memory.npz"
    memory.update(stream(3))
    memory.save(path)
    good = path.read_bytes()
    with pytest.raises(FileNotFoundError):
        Memory.load(tmp_path / "absent")
    buffer = io.BytesIO()
    np.savez(buffer, a=np.ones(3))
    npy = io.BytesIO()
    np.save(npy, np.ones(3))
    objects = io.BytesIO()
    np.savez(objects, format=np.array([{}], object))
    contents = {
        "empty": b"",
        "text": b"not an archive",
        "pickle": pickle.dumps({"format": "hippo_fast.Memory"}),
        "another npz": buffer.getvalue(),
        "an npy": npy.getvalue(),
        "objects": objects.getvalue(),
        "cut": good[: len(good) // 2],
        "flipped": good[:200] + bytes([good[200] ^ 255]) + good[201:],
    }
    for name, content in contents.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"path is .*not a readable saved memory.*written by Memory\.save"):
            Memory.load(path)
        assert name


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("version", np.array(99), "it has version 99; this release reads version 1"),
        ("state", np.ones(3), r"state is float64 \(3,\)"),
        ("state", np.ones(7, "float32"), "state is float32"),
        ("state", np.full(7, np.nan), "state is float64"),
        ("before", np.array(["x"]), "before is <U1"),
        ("count", np.array(-1), "count is -1"),
        ("config", np.array("{}"), "missing"),
        ("config", np.array("]"), "Expecting value"),
        ("config", np.array('{"measure": "legs", "order": 0}'), "order is 0"),
        ("format", np.array("something"), "its format field is"),
    ],
)
def test_wrong_fields_are_refused(tmp_path, field, value, message):
    memory, path = make(), tmp_path / "memory.npz"
    memory.save(path)
    fields = stored_fields(path)
    with path.open("wb") as file:
        np.savez(file, **{**fields, field: value})
    with pytest.raises(ValueError, match=message):
        Memory.load(path)
    del fields[field]
    with path.open("wb") as file:
        np.savez(file, **fields)
    with pytest.raises(ValueError, match="not a readable saved memory"):
        Memory.load(path)


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    memory, path = make(), tmp_path / "memory.npz"
    memory.save(path)
    kept = path.read_bytes()
    memory.update(1.0)

    def fail(*_arguments, **_keywords):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        memory.save(path)
    assert path.read_bytes() == kept
    assert list(tmp_path.iterdir()) == [path]


def test_constructor_refuses_what_scan_refuses():
    with pytest.raises(ValueError, match="dt is missing"):
        Memory("legt", 4)
    with pytest.raises(ValueError, match=r"dt is 0\.1 but measure 'legs'"):
        Memory("legs", 4, dt=0.1)
    with pytest.raises(ValueError, match="dtype is 'int8'"):
        Memory("legs", 4, dtype="int8")
    with pytest.raises(TypeError, match="order is True"):
        Memory("legs", True)


def gauss(count):
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


@pytest.mark.parametrize("measure", ["legs", "legt", "legs_lti"])
def test_reconstruct_inverts_a_projection(measure):
    """A polynomial of degree < N is its own expansion; in legs_lti it is a polynomial in e^-age."""
    order = 6
    nodes, weights = gauss(order)
    function = np.polynomial.Polynomial([0.5, -1.0, 0.25, 2.0])
    coefficients = (weights * function(nodes)) @ hippo_fast.basis(measure, order, nodes)
    points = np.array([1e-9, 0.1, 0.5, 0.77, 1.0])
    values = hippo_fast.reconstruct(measure, coefficients, points)
    # N products of numbers bounded by 4 sqrt(2 N - 1), N of them summed twice, and P' <= N^2 for the nodes.
    assert np.abs(values - function(points)).max() <= 16 * order * (order + order**2) * EPS


def test_reconstruct_fourier():
    points = np.linspace(0, 1, 9)
    coefficients = np.array([1.0, 0.5, -2.0, 0.0, 3.0])
    expected = 1.0 + math.sqrt(2) * (
        0.5 * np.cos(2 * np.pi * points) - 2 * np.sin(2 * np.pi * points) + 3 * np.sin(4 * np.pi * points)
    )
    assert np.abs(hippo_fast.reconstruct("fout", coefficients, points) - expected).max() <= 8 * 4 * np.pi * 5 * EPS
    exact = hippo_fast.basis("fout", 5, [0.0, 0.25, 0.5, 1.0])
    np.testing.assert_array_equal(exact[:, 2], [0.0, math.sqrt(2), exact[2, 2], 0.0])


def test_lmu_reads_like_legt():
    order, points = 9, np.linspace(0, 1, 11)
    coefficients = stream(order)
    t = np.sqrt(2.0 * np.arange(order) + 1) * (-1.0) ** np.arange(order)
    legt = hippo_fast.reconstruct("legt", coefficients, points, theta=0.5)
    lmu = hippo_fast.reconstruct("lmu", t * coefficients, points, theta=0.5)
    assert np.abs(legt - lmu).max() <= 8 * order * math.sqrt(2 * order) * EPS


@pytest.mark.parametrize("measure", ["legs", "legt", "lmu", "fout", "legs_lti"])
def test_memory_reads_back_a_constant(measure):
    memory = Memory(measure, 5, method="zoh", dt=None if measure == "legs" else 1 / 16)
    memory.update(np.full(400, 3.0))
    values = memory.reconstruct([0.1, 0.4, 0.9])
    # The constant is the fixed point of every law; 25 windows or decay times are behind (e^-25 is 1.4e-11).
    assert np.abs(values - 3.0).max() <= 3 * 6 * math.exp(-25) * 6


def test_reconstruct_shapes_and_refusals():
    assert hippo_fast.reconstruct("legs", np.ones((2, 3, 4)), [0.0, 0.5, 1.0, 1.0, 0.2]).shape == (2, 3, 5)
    assert hippo_fast.basis("legs", 4, [0.5]).shape == (1, 4)
    assert make().reconstruct([0.5]).shape == (1,)
    with pytest.raises(ValueError, match="measure is 'lagt', whose window is infinite: points would have to be ages"):
        make("lagt").reconstruct([0.5])
    with pytest.raises(ValueError, match=r"points contains 0, which is infinitely old .* accepted: 0 < y <= 1"):
        make("legs_lti").reconstruct([0.0])
    for bad in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"points contains .* accepted: fractions of the window in \[0, 1\]"):
            make().reconstruct([bad])
    with pytest.raises(ValueError, match=r"points\[0\] is nan"):
        make().reconstruct([math.nan])
    with pytest.raises(ValueError, match=r"points has shape \(\); accepted: \(P,\)"):
        make().reconstruct(0.5)
    with pytest.raises(ValueError, match=r"coefficients has shape \(\)"):
        hippo_fast.reconstruct("legs", 1.0, [0.5])
    with pytest.raises(ValueError, match=r"coefficients\[1\] is inf"):
        hippo_fast.reconstruct("legs", [1.0, math.inf], [0.5])
    with pytest.raises(TypeError, match="coefficients has dtype"):
        hippo_fast.reconstruct("legs", ["a"], [0.5])
