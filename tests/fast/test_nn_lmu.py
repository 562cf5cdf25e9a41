"""The LMU cell and the cell with a random memory: their equations, their matrices, how they start."""

import numpy as np
import pytest

import hippo_fast
import hippo_ref
from verify.bounds import Operator, scan_limits, weights

torch = pytest.importorskip("torch", reason="torch is not installed")

from hippo_fast.nn import make_cell  # noqa: E402  (it needs torch)

INPUT, HIDDEN, ORDER, CHANNELS, BATCH, LENGTH, THETA = 2, 3, 4, 2, 2, 8, 6.0
EPS = 2.0**-52
ROUNDING = 8 * LENGTH * (HIDDEN + CHANNELS * ORDER + INPUT) * EPS
"""As in the tests of the HiPPO cell: sums of so many products, over so many steps, grown by no more than 8."""


def made(key, seed=0, **options):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        given = {"memory_size": CHANNELS, "memory_order": ORDER, "theta": THETA}
        return make_cell(key, INPUT, HIDDEN, **{**given, **options}).double()


def normal(*shape, seed=4):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def states_of(cell, inputs):
    """The hidden state and the memory after each sample."""
    state, hidden, memories = cell.initial_state(len(inputs)), [], []
    for k in range(inputs.shape[1]):
        _, state = cell.step(inputs[:, k], state)
        hidden.append(state[0])
        memories.append(state[1])
    return torch.stack(hidden, dim=1).detach().numpy(), torch.stack(memories, dim=1).detach().numpy()


def assert_lmu(cell, theta=THETA):
    """The published equations, with the exact memory of what they say that it reads."""
    inputs = normal(BATCH, LENGTH, INPUT)
    hidden, memories = states_of(cell, inputs)
    w = {name: part.detach().numpy() for name, part in cell.named_parameters()}
    rows = memories.reshape(BATCH, LENGTH, -1)
    before, rows_before = (np.pad(part[:, :-1], ((0, 0), (1, 0), (0, 0))) for part in (hidden, rows))
    heard = [inputs.numpy(), before, rows_before]
    encoders = [w["encode_input.weight"], w["encode_hidden.weight"], w["encode_memory.weight"]]
    read = sum(part @ encoder.T for part, encoder in zip(heard, encoders, strict=True))
    size = sum(np.abs(part) @ np.abs(encoder).T for part, encoder in zip(heard, encoders, strict=True))
    system, D = hippo_fast.system("lmu", ORDER, theta=theta), weights("lmu", {"theta": theta}, ORDER)
    matrix, vector = tuple(map(tuple, system.A.tolist())), tuple(system.B.tolist())
    operator = Operator("lmu", (("theta", theta),), matrix, vector, "zoh", dt=1.0)
    for stream in range(BATCH):
        for channel in range(CHANNELS):
            samples = read[stream, :, channel].tolist()
            exact = hippo_ref.states(hippo_ref.measure("lmu", theta=theta), samples, ORDER, "zoh", dt=1, dps=30)
            states = np.array([[float(entry) for entry in state] for state in exact])
            error = np.linalg.norm((memories[stream, :, channel] - states) * D, axis=1)
            # Both sums for u round, and what a step adds for it is at most ||B||, which no later step enlarges.
            off = (INPUT + HIDDEN + ORDER * CHANNELS + 2) * EPS * size[stream, :, channel].cumsum()
            allowed = scan_limits(operator, samples, states, "float64").forward + off * np.linalg.norm(system.B * D)
            assert (error <= allowed).all(), f"off by {error / allowed} times what rounding may do"
    kernels = [w["from_input.weight"], w["from_hidden.weight"], w["from_memory.weight"]]
    found = np.tanh(sum(part @ kernel.T for part, kernel in zip([inputs.numpy(), before, rows], kernels, strict=True)))
    np.testing.assert_allclose(hidden, found, rtol=ROUNDING, atol=ROUNDING)


def with_memory_encoders(cell):
    """They start at zero, where they would hide."""
    with torch.no_grad():
        cell.encode_memory.weight.copy_(normal(*cell.encode_memory.weight.shape, seed=9) / 4)
    return cell


def test_lmu_follows_its_equations_exactly():
    assert_lmu(with_memory_encoders(made("lmu")))


@pytest.mark.parametrize("options", [{"theta": THETA + 1}, {"method": "bilinear"}, {"method": "euler"}])
def test_an_lmu_with_another_window_or_rule_is_seen(options):
    with pytest.raises(AssertionError, match="times what rounding may do"):
        assert_lmu(with_memory_encoders(made("lmu", **options)))


@pytest.mark.parametrize("part", ["encode_memory", "encode_hidden", "from_memory", "from_hidden"])
def test_an_lmu_with_a_wrong_connection_is_seen(part):
    cell = with_memory_encoders(made("lmu"))
    weight = getattr(cell, part).weight
    right, run = weight.detach().clone(), cell._run

    def wrong(*given):
        with torch.no_grad():
            weight.neg_()
            found = run(*given)
            weight.copy_(right)
        return found

    cell._run = wrong
    with pytest.raises(AssertionError, match=r"times what rounding may do|Not equal to tolerance"):
        assert_lmu(cell)


def test_lmu_starts_as_it_says():
    cell = make_cell("lmu", 50, 60, memory_size=3, memory_order=40)
    assert not cell.encode_memory.weight.any()
    for encoder, count in ((cell.encode_input, 50), (cell.encode_hidden, 60)):
        bound = (3 / count) ** 0.5
        assert 0.9 * bound < float(encoder.weight.detach().abs().max()) <= bound
    for kernel in (cell.from_input, cell.from_hidden, cell.from_memory):
        rows, columns = kernel.weight.shape
        assert float(kernel.weight.detach().std()) == pytest.approx((2 / (rows + columns)) ** 0.5, rel=0.1)
    assert not any("bias" in name for name, _ in cell.named_parameters())


@pytest.mark.parametrize("key", ["lmu", "random"])
def test_bad_options_are_named(key):
    for options, match in (
        ({"theta": 0.0}, "theta is 0.0; accepted: .*a finite number > 0"),
        ({"memory_size": 0}, "memory_size is 0; accepted: an integer >= 1"),
        ({"memory_order": -1}, "memory_order is -1; accepted: an integer >= 1"),
    ):
        with pytest.raises(ValueError, match=match):
            make_cell(key, 2, 3, **options)
    with pytest.raises(ValueError, match="method is 'foh', not offered for measure 'lmu'"):
        make_cell("lmu", 2, 3, method="foh")


def law_of(cell):
    """The continuous law ``(A, B)`` whose bilinear step the cell takes."""
    step = cell.memory.weights.detach().numpy()
    increment, gain = step[:-1].T, step[-1]
    one = np.eye(len(increment))
    half = one + increment / 2  # (I - A/2)^-1
    return increment @ np.linalg.inv(half), np.linalg.solve(half, gain)


@pytest.mark.parametrize("order", [1, 2, 20])
def test_a_random_memory_is_drawn_as_it_says(order):
    traces = []
    for seed in range(30):
        matrix, vector = law_of(made("random", seed, memory_order=order, memory_size=1))
        assert np.linalg.eigvals(matrix).real.max() <= (-1 + 1e-5) / THETA  # from weights that were float32
        assert np.linalg.norm(np.linalg.solve(matrix, vector)) == pytest.approx(1, rel=1e-4)
        traces.append(np.trace(matrix))
    # A trace of N standard normals, over a radius of about sqrt(N), times (N - 1)/theta: 4 standard errors of 30.
    spread = 4 * np.std(traces) / 30**0.5
    assert abs(np.mean(traces) + order**2 / THETA) <= spread + 1e-4


def test_the_random_memory_reads_what_the_hidden_state_says():
    cell, inputs = made("random"), normal(BATCH, LENGTH, INPUT)
    _, memories = states_of(cell, inputs)
    outputs, state = cell(inputs)
    read = cell.to_memory(outputs).detach().numpy()
    step = cell.memory.weights.numpy()
    after = np.zeros((BATCH, CHANNELS, ORDER))
    for k in range(LENGTH):
        after = after + np.concatenate([after, read[:, k, :, None]], axis=-1) @ step
        np.testing.assert_allclose(memories[:, k], after, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(state[1].detach().numpy(), after, rtol=ROUNDING, atol=ROUNDING)


def test_the_random_memory_is_kept_and_not_trained():
    cell, other = made("random"), made("random", seed=1)
    assert torch.equal(made("random").memory.weights, cell.memory.weights)
    assert not torch.equal(other.memory.weights, cell.memory.weights)
    assert not any("memory.weights" in name for name, _ in cell.named_parameters())
    other.load_state_dict(cell.state_dict())
    assert torch.equal(other.memory.weights, cell.memory.weights)


def test_a_missing_sample_leaves_the_random_memory_alone():
    cell, inputs = made("random"), normal(BATCH, LENGTH, INPUT)
    observed = torch.ones_like(inputs, dtype=torch.bool)
    observed[0, 3] = False
    observed[:, 5, 0] = False  # one number of two: read, as 0
    outputs, state = cell(inputs, observed=observed)
    short = inputs[:1, [0, 1, 2, 4, 5, 6, 7]].clone()
    short[:, 4, 0] = 0.0
    alone, end = cell(short)
    torch.testing.assert_close(outputs[:1, [0, 1, 2, 4, 5, 6, 7]], alone, rtol=ROUNDING, atol=ROUNDING)
    torch.testing.assert_close(state[1][:1], end[1], rtol=ROUNDING, atol=ROUNDING)
    assert torch.equal(outputs[0, 3], outputs[0, 2])
