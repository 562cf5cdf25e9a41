"""Gradients of torch scans: adjoint recurrences against exact Jacobians, to any order, under every transform."""

import os
import subprocess
import sys
from fractions import Fraction

import fast_exact
import numpy as np
import pytest
from fast_exact import EPS

import hippo_fast
from hippo_fast import BACKENDS, OPERATORS

torch = pytest.importorskip("torch", reason="torch is not installed")

from hippo_fast.backends import torch_products, torch_tensors  # noqa: E402  (torch is there)

# torch scripts its own decompositions when the first forward-mode derivative is asked for.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

PAIRS = [(measure, method) for measure in OPERATORS for method in BACKENDS["torch"].methods[measure]]
LINEAR_COST = ("euler", "backward_euler", "bilinear", "trapezoid")
NEEDS_NUMBA = pytest.mark.skipif(not BACKENDS["numba"].is_installed(), reason="numba is not installed")
ENGINES = ["plain", pytest.param("numba", marks=NEEDS_NUMBA)]
# Invariant laws and the holds are matrix products with and without numba.
COMPILED = [pytest.param("legs", method, "numba", marks=NEEDS_NUMBA) for method in LINEAR_COST]
RUNS = [(measure, method, "plain") for measure, method in PAIRS] + COMPILED


@pytest.fixture
def engine(request, monkeypatch):
    """The code that runs O(N) steps on the processor."""
    monkeypatch.setattr(torch_tensors, "_HAS_NUMBA", request.param == "numba")
    return request.param


def spacing(measure):
    return None if measure == "legs" else 1 / 64


def samples_of(*shape, seed=4):
    return torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, shape))


def scan_of(measure, order, output="states", **options):
    options = {"dt": spacing(measure), **options} if "timestamps" not in options else options
    return lambda samples: hippo_fast.scan(samples, measure, order, backend="torch", output=output, **options)


def impulse_responses(measure, order, length, **options):
    """(L, L, N): the derivative of state k with respect to sample j, as the numpy backend's response to a unit."""
    options = {"dt": spacing(measure), **options} if "timestamps" not in options else options
    return hippo_fast.scan(np.eye(length), measure, order, backend="numpy", **options)


def bound_of(measure, method, order, length, responses):
    """Both sides run the same steps in another order: N + 4 roundings in each, carried by steps that do not grow.

    Forward Euler's do, by at most ``1 + |dt A|``; the scaling of lmu costs a factor of at most ``2 N``.
    """
    size = np.linalg.norm(hippo_fast.system(measure, order).A, 2) * (spacing(measure) or 1.0)
    growth = (1 + size) ** min(length, 12) if method == "euler" else 4.0 * np.sqrt(2 * order)
    return length * (order + 4) * EPS * growth * max(1.0, float(np.abs(responses).max()))


@pytest.mark.parametrize("output", ["states", "last"])
@pytest.mark.parametrize(("measure", "method"), PAIRS)
def test_gradients_of_gradients(measure, method, output):
    """Linear maps: central differences err by rounding alone, eps/step times the size of the Jacobian."""
    run, samples = scan_of(measure, 3, output, method=method), samples_of(1, 4).requires_grad_()
    tolerance = {"eps": 2.0**-10, "atol": 2.0**10 * 1e3 * EPS, "rtol": 0}
    forward = {"check_forward_ad": True, "check_batched_grad": True}
    assert torch.autograd.gradcheck(run, (samples,), **tolerance, **forward)
    assert torch.autograd.gradgradcheck(run, (samples,), **tolerance)


@pytest.mark.parametrize(("measure", "method", "engine"), RUNS, indirect=["engine"])
def test_every_path_gives_the_jacobian(measure, method, engine, monkeypatch):
    """Chunks of 8 steps, segments of 3 of them, and a weighted sum of all states through every one."""
    order, streams = 4, 2
    monkeypatch.setattr(torch_products, "_CHUNK", 8)
    monkeypatch.setattr(torch_products, "_ROWS", 3 * streams)
    monkeypatch.setattr(torch_products, "_STRETCH_NUMBERS", 5 * order**2)
    # Forward Euler grows beyond its rounding; it takes the same paths as the others.
    for length in (1, 2, 12) if method == "euler" else (1, 2, 31, 40):
        responses = impulse_responses(measure, order, length, method=method)
        samples = samples_of(streams, length).requires_grad_()
        bound = bound_of(measure, method, order, length, responses)
        for output in ("states", "last"):
            result = scan_of(measure, order, output, method=method)(samples)
            exact = np.einsum("sj,jkn->skn", samples.detach().numpy(), responses)
            exact = exact if output == "states" else exact[:, -1]
            assert np.abs(result.detach().numpy() - exact).max() <= length * bound, (length, output)
            weights = samples_of(*result.shape, seed=5)
            (gradient,) = torch.autograd.grad(result, samples, weights)
            used, axes = (responses, "skn,jkn->sj") if output == "states" else (responses[:, -1], "sn,jn->sj")
            gap = np.abs(gradient.numpy() - np.einsum(axes, weights.numpy(), used)).max()
            assert gap <= weights[0].numel() * bound, (length, output)


def exact_weights(order, times, method):
    """(L, N): exact derivatives of the last x_n = c_n/s_n, and a majorant of what the adjoint steps go through."""
    length = len(times)
    units = np.eye(length)
    exact = np.array([[float(v) for v in fast_exact.legs_states(unit, times, order, method)[-1]] for unit in units])
    system, rhs = (part.astype(float) for part in fast_exact.legs_integer_system(order))
    bound, carried = np.zeros((length, order)), np.eye(order)
    for k in reversed(range(1, length)):
        step, t, now = times[k] - times[k - 1], times[k - 1], times[k]
        weight = {"euler": 0.0, "bilinear": 0.5, "backward_euler": 1.0, "trapezoid": 0.5}[method]
        implicit, explicit = weight * step / now, (1 - weight) * step / now
        if method == "trapezoid":
            explicit = step / t / 2 if t else 0.0
        inverse = np.abs(np.linalg.inv(np.eye(order) - implicit * system))
        entering = carried @ inverse @ rhs * (explicit + implicit)
        bound[k] += entering
        bound[k - 1] += entering
        carried = carried @ (np.eye(order) + (explicit + implicit) * inverse @ np.abs(system))
    bound[0] += carried[:, 0]
    # Each step of the adjoint rounds at most 16 N times at the size of this majorant, the last scaling twice more.
    return exact, 16 * order * length * EPS * bound


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
@pytest.mark.parametrize("times", ["even", "uneven"])
@pytest.mark.parametrize("order", [1, 2, 7])
@pytest.mark.parametrize("method", LINEAR_COST)
def test_legs_jacobian_in_exact_arithmetic(method, order, times, engine):
    at = [float(k) for k in range(9)] if times == "even" else [0.0, 0.25, 0.375, 1.5, 1.625, 4.0, 4.125, 9.0, 9.5]
    assert all(Fraction(t).denominator <= 8 for t in at)  # exact in float64
    exact, bound = exact_weights(order, at, method)
    run = scan_of("legs", order, "last", method=method, timestamps=at)
    jacobian = torch.autograd.functional.jacobian(run, samples_of(9), vectorize=True).numpy()
    scale = np.sqrt(2.0 * np.arange(order) + 1.0)
    gap = np.abs(jacobian.T - exact * scale)
    assert (gap <= bound * scale).all(), f"off by {(gap / (bound * scale)).max():.3g} bounds at {gap.argmax()}"


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize(("measure", "method"), PAIRS)
def test_times_and_transforms(measure, method, own):
    """Every way to a Jacobian gives the same one, at uneven times and at times of its own for each stream."""
    order, streams, length = 3, 2, 6
    times = np.cumsum(np.random.default_rng(3).choice([0.25, 0.5, 1.0], (streams, length)), axis=1) / 8
    run = scan_of(measure, order, "last", method=method, timestamps=times if own else times[0])
    exact = np.zeros((streams, order, streams, length))
    for s in range(streams):
        at = times[s if own else 0]
        exact[s, :, s] = impulse_responses(measure, order, length, method=method, timestamps=at)[:, -1].T
    # Steps of up to 1/8 of the window: forward Euler's growth is that of 6 of them.
    size = np.linalg.norm(hippo_fast.system(measure, order).A, 2) * (1.0 if measure == "legs" else 1 / 8)
    bound = 6 * (order + 4) * EPS * ((1 + size) ** 6 if method == "euler" else 4 * np.sqrt(2 * order))
    samples = samples_of(streams, length)
    functional = torch.autograd.functional.jacobian
    found = {
        "one by one": functional(run, samples),
        "vectorized": functional(run, samples, vectorize=True),
        "vectorized forward": functional(run, samples, vectorize=True, strategy="forward-mode"),
        "jacrev": torch.func.jacrev(run)(samples),
        "jacfwd": torch.func.jacfwd(run)(samples),
    }
    for way, jacobian in found.items():
        gap = np.abs(jacobian.numpy() - exact).max()
        assert gap <= bound * max(1.0, np.abs(exact).max()), way


def test_vmap_maps_streams():
    samples = samples_of(3, 2, 7)
    run = scan_of("legs", 4)
    within = 7 * 8 * EPS * 4 * np.sqrt(8)  # another grouping of streams rounds differently, see bound_of
    assert (torch.func.vmap(run, in_dims=2)(samples.permute(1, 2, 0)) - run(samples)).abs().max() <= within
    twice = torch.func.vmap(torch.func.vmap(run))(samples)
    assert (twice - run(samples)).abs().max() <= within
    gradients = torch.func.vmap(torch.func.grad(lambda v: run(v).square().sum()))(samples)
    leaf = samples.clone().requires_grad_()
    run(leaf).square().sum().backward()
    assert (gradients - leaf.grad).abs().max() <= 7 * 4 * 2 * within
    with pytest.raises(ValueError, match=r"samples\[1, 0\] is nan; accepted: finite"):
        torch.func.vmap(run)(torch.tensor([[1.0, 2.0], [float("nan"), 1.0]]))


@pytest.mark.parametrize("output", ["states", "last"])
@pytest.mark.parametrize(("measure", "method"), PAIRS)
def test_a_scan_is_one_node_that_saves_no_tensor(measure, method, output):
    saved = []
    samples = samples_of(2, 50).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda kept: saved.append(kept) or kept, lambda kept: kept):
        result = scan_of(measure, 3, output, method=method if method != "euler" else "bilinear")(samples)
    assert saved == []
    nodes, function = 0, result.grad_fn
    while function is not None:
        nodes, function = nodes + 1, function.next_functions[0][0] if function.next_functions else None
    assert nodes <= 4  # the scan, perhaps a view on either side of it, and the samples


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
@pytest.mark.parametrize("loss", ["sum", "over steps", "one row", "transposed"])
@pytest.mark.parametrize("method", ["bilinear", "zoh"])
def test_gradients_of_any_strides(method, loss, engine):
    """What autograd hands in is often expanded or transposed, not contiguous."""
    order, length = 5, 9
    weights = samples_of(order, length, seed=8)
    losses = {
        "sum": (lambda states: states.sum(), torch.ones(length, order)),
        "over steps": (lambda states: (states.sum(dim=1) * weights[:, 0]).sum(), weights[:, :1].T.expand(length, -1)),
        "one row": (lambda states: states[..., 2].sum(), torch.eye(order)[2].expand(length, -1)),
        "transposed": (lambda states: (states.transpose(1, 2) * weights).sum(), weights.T),
    }
    of_states, incoming = losses[loss]
    samples = samples_of(2, length).requires_grad_()
    of_states(scan_of("legs", order, method=method)(samples)).backward()
    responses = impulse_responses("legs", order, length, method=method)
    expected = np.einsum("jkn,kn->j", responses, incoming.numpy())
    bound = incoming.numel() * bound_of("legs", method, order, length, responses)
    assert np.abs(samples.grad.numpy() - expected).max() <= bound


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
@pytest.mark.parametrize(("measure", "method"), [("legs", "bilinear"), ("legs", "foh"), ("legt", "zoh")])
def test_float32_gradients(measure, method, engine):
    responses = impulse_responses(measure, 6, 20, method=method)
    samples = samples_of(3, 20).float().requires_grad_()
    scan_of(measure, 6, method=method)(samples).sum().backward()
    assert samples.grad.dtype == torch.float32
    bound = 6 * 20 * bound_of(measure, method, 6, 20, responses) * 2.0**29  # float32 has 29 bits less
    assert np.abs(samples.grad.numpy() - responses.sum(axis=(1, 2))).max() <= bound


@pytest.mark.parametrize("output", ["states", "last"])
@pytest.mark.parametrize(("measure", "method"), PAIRS)
def test_out(measure, method, output):
    run, samples = scan_of(measure, 3, output, method=method), samples_of(2, 2, 6)
    expected = run(samples)
    out = torch.full_like(expected, float("nan"))
    assert scan_of(measure, 3, output, method=method, out=out)(samples) is out
    assert torch.equal(out, expected)
    strided = torch.empty((*expected.shape, 2), dtype=torch.float64)[..., 0]
    assert scan_of(measure, 3, output, method=method, out=strided)(samples) is strided
    assert torch.equal(strided, expected)


def test_out_may_lie_over_the_samples():
    memory = torch.arange(40.0, dtype=torch.float64)
    samples, out = memory[:10].view(2, 5), memory[:40].view(2, 5, 4)
    expected = scan_of("legs", 4)(samples.clone())
    assert torch.equal(scan_of("legs", 4, out=out)(samples), expected)


def test_out_and_gradients_are_refused_together():
    samples, out = samples_of(4), torch.empty(4, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"out was given, but samples requires a gradient; accepted: no out"):
        scan_of("legs", 2, out=out)(samples.clone().requires_grad_())
    with pytest.raises(ValueError, match=r"out was given, but out requires a gradient; accepted: no out"):
        scan_of("legs", 2, out=out.clone().requires_grad_())(samples)
    with torch.no_grad():
        assert scan_of("legs", 2, out=out)(samples.clone().requires_grad_()) is out


def test_triton_runs_both_ways_on_its_interpreter():
    pytest.importorskip("triton", reason="triton is not installed")
    script = """
import torch, hippo_fast
from hippo_fast.backends import torch_tensors
def results():
    samples = torch.linspace(-1, 1, 12, dtype=torch.float64).view(2, 6).requires_grad_()
    states = hippo_fast.scan(samples, "legs", 5, method="trapezoid")
    last = hippo_fast.scan(samples, "legs", 5, timestamps=[0, 1, 2, 4, 5, 9], output="last")
    law = hippo_fast.scan(samples, "fout", 5, dt=1 / 64)
    loss = states.sum() + last.square().sum() + law.square().sum()
    gradients = torch.autograd.grad(loss, samples)
    return torch.cat([states.flatten(), last.flatten(), law.flatten(), gradients[0].flatten()])
torch_tensors._HAS_NUMBA = False
plain = results()
torch_tensors._TRITON_DEVICES.append("cpu")
assert torch_tensors.triton_kernels(plain) is not None
print(float((results() - plain).abs().max()))
"""
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    # 6 steps of 5 rows, 16 roundings in each row, of sums of up to 30 numbers below 2 sqrt(9).
    assert float(run.stdout) <= 6 * 5 * 16 * 30 * 6 * EPS


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("output", ["states", "last"])
@pytest.mark.parametrize(("measure", "method"), PAIRS)
def test_cuda_gradients(measure, method, output):
    order, length = 5, 12
    responses = impulse_responses(measure, order, length, method=method)
    samples = samples_of(2, length).cuda().requires_grad_()
    result = scan_of(measure, order, output, method=method)(samples)
    weights = samples_of(*result.shape, seed=5)
    (gradient,) = torch.autograd.grad(result, samples, weights.cuda(), create_graph=True)
    used, axes = (responses, "skn,jkn->sj") if output == "states" else (responses[:, -1], "sn,jn->sj")
    bound = weights[0].numel() * bound_of(measure, method, order, length, responses)
    assert np.abs(gradient.detach().cpu().numpy() - np.einsum(axes, weights.numpy(), used)).max() <= bound
