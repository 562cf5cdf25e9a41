"""scan on torch: equal to numpy, differentiable, and at home on the input's device."""

import math

import numpy as np
import pytest
from fast_exact import EPS

import hippo_fast
from hippo_fast import BACKENDS, OPERATORS

torch = pytest.importorskip("torch", reason="torch is not installed")

PAIRS = [(measure, method) for measure in OPERATORS for method in BACKENDS["torch"].methods[measure]]
ORDER, LENGTH = 5, 12


def spacing(measure):
    return None if measure == "legs" else 1 / 64


def samples_of(*shape, seed=2):
    return np.random.default_rng(seed).uniform(-1, 1, shape)


def agreement(measure, method, eps, states):
    """Both backends run the same steps: they differ by summing N terms in another order, grown by a step."""
    dt = spacing(measure)
    size = np.linalg.norm(hippo_fast.system(measure, ORDER).A, 2) * (dt if dt else 1.0)
    growth = (1 + size) ** LENGTH if method == "euler" else 4.0 * np.sqrt(2 * ORDER)  # else bounded by the lmu scaling
    return LENGTH * (ORDER + 4) * eps * growth * max(1.0, float(np.abs(states).max()))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("measure", "method"), PAIRS)
def test_torch_equals_numpy(measure, method, dtype):
    samples = samples_of(2, 3, LENGTH).astype(dtype)
    expected = hippo_fast.scan(samples, measure, ORDER, method=method, dt=spacing(measure))
    tensor = torch.from_numpy(samples)
    states = hippo_fast.scan(tensor, measure, ORDER, method=method, dt=spacing(measure))
    assert isinstance(states, torch.Tensor)
    assert states.dtype == getattr(torch, dtype)
    assert states.shape == (2, 3, LENGTH, ORDER)
    bound = agreement(measure, method, float(np.finfo(dtype).eps), expected)
    assert np.abs(states.numpy() - expected).max() <= bound
    last = hippo_fast.scan(tensor, measure, ORDER, method=method, dt=spacing(measure), output="last")
    # Steps are joined into matrix products, or streams into vectors, where no other state is wanted.
    assert last.shape == (2, 3, ORDER)
    assert np.abs(last.numpy() - expected[..., -1, :]).max() <= bound


@pytest.mark.parametrize(("measure", "method"), PAIRS)
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("length", [1, 2, 4])
def test_smallest_shapes(measure, method, order, length):
    samples = samples_of(length)
    expected = hippo_fast.scan(samples, measure, order, method=method, dt=spacing(measure))
    states = hippo_fast.scan(samples, measure, order, method=method, dt=spacing(measure), backend="torch")
    assert states.shape == (length, order)
    assert np.abs(states.numpy() - expected).max() <= agreement(measure, method, EPS, expected)


@pytest.mark.parametrize(("measure", "method"), PAIRS)
def test_autograd_equals_the_exact_jacobian(measure, method):
    """The state is linear in the samples, so column j of the Jacobian is the response to a unit sample j."""
    dt = spacing(measure)
    impulses = hippo_fast.scan(
        np.eye(LENGTH), measure, ORDER, method=method, dt=dt
    )  # (L, L, N): d state_k / d sample_j

    def last(samples):
        return hippo_fast.scan(samples, measure, ORDER, method=method, dt=dt, output="last")

    def states(samples):
        return hippo_fast.scan(samples, measure, ORDER, method=method, dt=dt)

    point = torch.from_numpy(samples_of(LENGTH))
    bound = agreement(measure, method, EPS, impulses)
    jacobian = torch.autograd.functional.jacobian(last, point).numpy()
    assert np.abs(jacobian - impulses[:, -1].T).max() <= bound
    everything = torch.autograd.functional.jacobian(states, point).numpy()
    assert np.abs(everything - impulses.transpose(1, 2, 0)).max() <= bound


@pytest.mark.parametrize(("measure", "method"), PAIRS)
def test_gradcheck(measure, method):
    samples = torch.from_numpy(samples_of(2, 5)).requires_grad_()
    # The map is linear, so central differences err by rounding alone, eps/step times the size of the Jacobian.
    assert torch.autograd.gradcheck(
        lambda v: hippo_fast.scan(v, measure, 3, method=method, dt=spacing(measure)),
        (samples,),
        eps=2.0**-10,
        atol=2.0**10 * 1e3 * EPS,
        rtol=0,
    )


def test_uneven_times():
    samples, times = samples_of(2, 6), [0.5, 1.0, 4.0, 4.5, 6.0, 11.0]
    for method in BACKENDS["torch"].methods["legs"]:
        expected = hippo_fast.scan(samples, "legs", ORDER, method=method, timestamps=times)
        found = hippo_fast.scan(torch.from_numpy(samples), "legs", ORDER, method=method, timestamps=times)
        assert np.abs(found.numpy() - expected).max() <= agreement("legs", method, EPS, expected)


def test_dtypes_and_devices():
    for given, wanted in (("float32", "float32"), ("bfloat16", "float64"), ("int64", "float64")):
        states = hippo_fast.scan(torch.ones(4, dtype=getattr(torch, given)), "legs", 3)
        assert states.dtype == getattr(torch, wanted)
    for dtype in ("float32", torch.float32, np.float32, np.dtype("float32")):
        assert hippo_fast.scan(np.ones(4), "legs", 3, backend="torch", dtype=dtype).dtype == torch.float32
    assert hippo_fast.scan(torch.ones(4), "legs", 3, dtype=torch.float64).dtype == torch.float64
    assert hippo_fast.scan(torch.ones(4), "legs", 3, device="cpu").device.type == "cpu"
    from_numpy = hippo_fast.scan(torch.ones(4), "legs", 3, backend="numpy")
    assert isinstance(from_numpy, np.ndarray)
    assert from_numpy.dtype == np.float32


def test_refusals():
    with pytest.raises(ValueError, match=r"samples\[1\] is nan; accepted: finite"):
        hippo_fast.scan(torch.tensor([1.0, math.nan]), "legs", 3)
    with pytest.raises(ValueError, match=r"samples\[0\] is inf; accepted: finite torch.float32"):
        hippo_fast.scan(torch.tensor([1e300], dtype=torch.float64), "legs", 3, dtype="float32")
    with pytest.raises(TypeError, match=r"samples has dtype torch\.complex64; accepted: real numbers"):
        hippo_fast.scan(torch.ones(3, dtype=torch.complex64), "legs", 3)
    with pytest.raises(ValueError, match=r"samples has shape \(\)"):
        hippo_fast.scan(torch.tensor(1.0), "legs", 3)
    with pytest.raises(ValueError, match=r"samples has shape \(2, 0\) and is empty"):
        hippo_fast.scan(torch.ones(2, 0), "legs", 3)
    with pytest.raises(ValueError, match=r"dtype is torch\.float16; accepted"):
        hippo_fast.scan(torch.ones(3), "legs", 3, dtype=torch.float16)
    with pytest.raises(ValueError, match="dtype is 'nonsense'; accepted"):
        hippo_fast.scan(torch.ones(3), "legs", 3, dtype="nonsense")
    with pytest.raises(ValueError, match="device is 'nonsense'; accepted: None or a torch device"):
        hippo_fast.scan(torch.ones(3), "legs", 3, device="nonsense")
    with pytest.raises(ValueError, match="samples requires a gradient, which backend 'numpy' cannot carry"):
        hippo_fast.scan(torch.ones(3, requires_grad=True), "legs", 3, backend="numpy")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("measure", "method"), PAIRS)
def test_cuda_equals_numpy(measure, method, dtype):
    samples = samples_of(2, LENGTH).astype(dtype)
    expected = hippo_fast.scan(samples, measure, ORDER, method=method, dt=spacing(measure))
    tensor = torch.from_numpy(samples).cuda().requires_grad_()
    states = hippo_fast.scan(tensor, measure, ORDER, method=method, dt=spacing(measure))
    assert states.device == tensor.device
    bound = agreement(measure, method, float(np.finfo(dtype).eps), expected)
    assert np.abs(states.detach().cpu().numpy() - expected).max() <= bound
    states.sum().backward()
    assert tensor.grad.device == tensor.device
    assert torch.isfinite(tensor.grad).all()
