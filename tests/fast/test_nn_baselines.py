"""The discrete baselines against witnesses of their own: torch's single cells, and the papers' equations in numpy."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the cells are torch modules")

from scipy.linalg import expm  # noqa: E402

from hippo_fast.nn import make_cell  # noqa: E402

STREAMS, LENGTH, FEATURES, HIDDEN = 3, 7, 2, 5
# A step adds at most 2 (FEATURES + HIDDEN) products of numbers below 2, and does not enlarge what it is given by more
# than 2: growth 2^7 over the steps, times 2^5 roundings of 2^-53 each.
ROUNDING = 2.0 ** (7 + 5 - 53)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def data(seed=0):
    """Return inputs, uneven times and flags, where one stream begins without and one variable misses for long."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(STREAMS, LENGTH, FEATURES))
    times = np.cumsum(generator.uniform(0.2, 1.5, (STREAMS, LENGTH)), axis=1)
    observed = generator.random((STREAMS, LENGTH, FEATURES)) < 0.6
    observed[0, 0] = False
    observed[1, 2:6, 1] = False
    return inputs, times, observed


def made(key, seed=1, dtype=torch.float64, **options):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make_cell(key, FEATURES, HIDDEN, **options).to(dtype)


def weights(cell):
    return {name: value.detach().numpy().astype(np.float64) for name, value in cell.state_dict().items()}


def outputs_of(cell, inputs, times, observed):
    with torch.no_grad():
        tensor = torch.from_numpy(inputs).to(next(cell.parameters()).dtype)
        found, _ = cell(tensor, times=torch.from_numpy(times), observed=torch.from_numpy(observed))
    return found.numpy()


def torch_cell(kind, cell, inputs, times, observed):
    """Return the outputs of torch's single cell with the same weights."""
    single = kind(FEATURES, HIDDEN).double()
    single.load_state_dict({n.removesuffix("_l0"): torch.from_numpy(w) for n, w in kernel_weights(cell).items()})
    read = torch.from_numpy(np.where(observed, inputs, 0.0))
    state, outputs = None, []
    with torch.no_grad():
        for k in range(LENGTH):
            state = single(read[:, k], state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
    return torch.stack(outputs, 1).numpy()


def kernel_weights(cell):
    return {name.removeprefix("kernel."): value for name, value in weights(cell).items()}


def mgu(cell, inputs, times, observed):
    w = weights(cell)
    W_f, W_h = np.split(np.hstack([np.vstack([w["forgetting"], w["proposing"]]), w["reading.weight"]]), 2)
    b_f, b_h = np.split(w["reading.bias"], 2)
    read = np.where(observed, inputs, 0.0)
    h, outputs = np.zeros((STREAMS, HIDDEN)), []
    for k in range(LENGTH):
        f = sigmoid(np.hstack([h, read[:, k]]) @ W_f.T + b_f)
        proposed = np.tanh(np.hstack([f * h, read[:, k]]) @ W_h.T + b_h)
        h = (1 - f) * h + f * proposed
        outputs.append(h)
    return np.stack(outputs, 1)


def exprnn(cell, inputs, times, observed):
    w = weights(cell)
    S = np.zeros((HIDDEN, HIDDEN))
    entries = iter(w["skew"])
    for i in range(HIDDEN):
        for j in range(i + 1, HIDDEN):
            S[i, j] = next(entries)
            S[j, i] = -S[i, j]
    B = expm(S)
    read = np.where(observed, inputs, 0.0)
    outputs = np.zeros((STREAMS, LENGTH, HIDDEN))
    for stream in range(STREAMS):
        h = np.zeros(HIDDEN)
        for k in range(LENGTH):
            z = B @ h + w["reading.weight"] @ read[stream, k]
            h = np.array([np.sign(x) * max(0.0, abs(x) + b) for x, b in zip(z, w["threshold"], strict=True)])
            outputs[stream, k] = h
    return outputs


def gru_d(cell, inputs, times, observed):
    """Che et al., variable by variable, as the paper counts."""
    w = weights(cell)
    W = w["reading.weight"]
    (W_r, W_z, W_n), (V_r, V_z, V_n) = np.split(W[:, :FEATURES], 3), np.split(W[:, FEATURES:], 3)
    b_r, b_z, b_n = np.split(w["reading.bias"], 3)
    U_r, U_z = np.split(w["gating"], 2)
    outputs = np.zeros((STREAMS, LENGTH, HIDDEN))
    for stream in range(STREAMS):
        h = np.zeros(HIDDEN)
        last = w["means"].copy()
        delta = np.zeros(FEATURES)
        for k in range(LENGTH):
            if k:
                gap = times[stream, k] - times[stream, k - 1]
                delta = np.array([gap if observed[stream, k - 1, d] else gap + delta[d] for d in range(FEATURES)])
            gamma_x = np.exp(-np.maximum(0, w["value_decay_weight"] * delta + w["value_decay_bias"]))
            gamma_h = np.exp(-np.maximum(0, w["hidden_decay.weight"] @ delta + w["hidden_decay.bias"]))
            m = observed[stream, k].astype(float)
            raw = np.where(m > 0, inputs[stream, k], 0.0)
            x = m * raw + (1 - m) * (gamma_x * last + (1 - gamma_x) * w["means"])
            decayed = gamma_h * h
            r = sigmoid(W_r @ x + U_r @ decayed + V_r @ m + b_r)
            z = sigmoid(W_z @ x + U_z @ decayed + V_z @ m + b_z)
            n = np.tanh(W_n @ x + w["proposing"] @ (r * decayed) + V_n @ m + b_n)
            h = (1 - z) * decayed + z * n
            last = np.where(m > 0, raw, last)
            outputs[stream, k] = h
    return outputs


WITNESSES = {
    "rnn": lambda *given: torch_cell(torch.nn.RNNCell, *given),
    "gru": lambda *given: torch_cell(torch.nn.GRUCell, *given),
    "lstm": lambda *given: torch_cell(torch.nn.LSTMCell, *given),
    "mgu": mgu,
    "exprnn": exprnn,
    "gru_d": gru_d,
}
OPTIONS = {"gru_d": {"means": (0.3, -0.8)}}


def assert_same(found, expected, bound):
    distance = np.abs(found - expected)
    where = np.unravel_index(np.argmax(distance), distance.shape)
    assert distance[where] <= bound, (where, found[where], expected[where])


def assert_follows(candidate, key, bound=ROUNDING):
    """Fail unless the candidate computes what the witness does with the weights of an unchanged cell."""
    truth = made(key, **OPTIONS.get(key, {}))
    inputs, times, observed = data()
    given = np.where(observed, inputs, np.nan), times, observed
    assert_same(outputs_of(candidate, *given), WITNESSES[key](truth, *given), bound)


@pytest.mark.parametrize("key", WITNESSES)
def test_a_cell_follows_its_witness(key):
    assert_follows(made(key, **OPTIONS.get(key, {})), key)


@pytest.mark.parametrize("key", WITNESSES)
def test_a_cell_in_float32_follows_its_witness_within_float32(key):
    cell = made(key, **OPTIONS.get(key, {})).float()
    assert_follows(cell, key, ROUNDING * 2.0 ** (53 - 24))
    assert outputs_of(cell, *data()).dtype == np.float32


def swap(name, size, one, other):
    """Return a mutation that exchanges two blocks of rows of a parameter."""

    def mutate(cell):
        value = dict(cell.named_parameters())[name]
        rows = [slice(i * size, (i + 1) * size) for i in (one, other)]
        first = value[rows[0]].clone()
        value[rows[0]] = value[rows[1]].clone()
        value[rows[1]] = first

    return mutate


def transpose(name, blocks=1):
    def mutate(cell):
        value = dict(cell.named_parameters())[name]
        value.copy_(torch.cat([block.t() for block in value.chunk(blocks)]))

    return mutate


def clear(*names):
    def mutate(cell):
        for name in names:
            cell.get_parameter(name).zero_()

    return mutate


def replace(method, wrong):
    def mutate(cell):
        right = getattr(cell, method)
        setattr(cell, method, lambda *given: wrong(right, *given))

    return mutate


def without_times(run, inputs, state, times, observed, lengths):
    return run(inputs, state, None, observed, lengths)


def without_flags(run, inputs, state, times, observed, lengths):
    return run(inputs, state, times, None, lengths)


def one_late(run, inputs, state, times, observed, lengths):
    return run(inputs.roll(1, dims=1), state, times, observed, lengths)


MUTANTS = {
    ("rnn", "transposed matrix"): transpose("kernel.weight_hh_l0"),
    ("rnn", "reads late"): replace("_run", one_late),
    ("gru", "gates swapped"): swap("kernel.weight_hh_l0", HIDDEN, 0, 1),
    ("gru", "transposed matrices"): transpose("kernel.weight_hh_l0", 3),
    ("lstm", "gates swapped"): swap("kernel.weight_ih_l0", HIDDEN, 0, 1),
    ("lstm", "transposed matrices"): transpose("kernel.weight_hh_l0", 4),
    ("lstm", "no forget bias"): lambda cell: cell.kernel.bias_ih_l0[HIDDEN : 2 * HIDDEN].sub_(1.0),
    ("mgu", "gate and proposal swapped"): swap("reading.weight", HIDDEN, 0, 1),
    ("mgu", "transposed matrix"): transpose("forgetting"),
    ("mgu", "proposal transposed"): transpose("proposing"),
    ("exprnn", "transposed matrix"): lambda cell: cell.skew.neg_(),
    ("exprnn", "no threshold"): clear("threshold"),
    ("exprnn", "not skew"): replace("recurrent_matrix", lambda right: right().abs()),
    ("gru_d", "gates swapped"): swap("gating", HIDDEN, 0, 1),
    ("gru_d", "no hidden decay"): clear("hidden_decay.weight", "hidden_decay.bias"),
    ("gru_d", "no value decay"): clear("value_decay_weight", "value_decay_bias"),
    ("gru_d", "no means"): lambda cell: cell.means.zero_(),
    ("gru_d", "no times"): replace("_run", without_times),
    ("gru_d", "no flags"): replace("_run", without_flags),
    ("gru_d", "transposed matrices"): transpose("gating", 2),
}


@pytest.mark.parametrize(("key", "name"), MUTANTS)
def test_a_mutant_does_not(key, name):
    candidate = made(key, **OPTIONS.get(key, {}))
    with torch.no_grad():
        MUTANTS[key, name](candidate)
    with pytest.raises(AssertionError):
        assert_follows(candidate, key, bound=1e-3)


def test_every_witness_has_mutants():
    assert {key for key, _ in MUTANTS} == set(WITNESSES)


def assert_orthogonal(matrix, norm):
    """Scaling and squaring: of about log2(norm) squarings each doubles the error of a product of this size."""
    bound = 2 * len(matrix) * max(1.0, norm) * torch.finfo(matrix.dtype).eps
    assert_same((matrix.T @ matrix).numpy(), np.eye(len(matrix)), bound)
    assert float(torch.linalg.det(matrix)) > 0


@pytest.mark.parametrize("skew_init", ["cayley", "henaff"])
@pytest.mark.parametrize("size", [1, 2, 5, 64])
def test_the_matrix_of_exprnn_is_orthogonal_to_rounding(size, skew_init):
    torch.manual_seed(size)
    cell = make_cell("exprnn", 3, size, skew_init=skew_init)
    with torch.no_grad():
        cell.skew.add_(torch.randn_like(cell.skew))
    for dtype in (torch.float32, torch.float64):
        cell = cell.to(dtype)
        matrix = cell.recurrent_matrix().detach()
        assert_orthogonal(matrix, skew_norm(cell))
        if size > 1:
            for wrong in (matrix.clone().mul_(1 + 1e-3), matrix.clone().index_fill_(0, torch.tensor([0]), 0.0)):
                with pytest.raises(AssertionError):
                    assert_orthogonal(wrong, skew_norm(cell))
            row, column = torch.triu_indices(size, size, 1)
            lopsided = torch.zeros(size, size, dtype=dtype).index_put((row, column), cell.skew.detach())
            with pytest.raises(AssertionError):
                assert_orthogonal(torch.linalg.matrix_exp(lopsided), skew_norm(cell))


def skew_norm(cell):
    size = cell.hidden_size
    upper = torch.zeros(size, size, dtype=torch.float64)
    row, column = torch.triu_indices(size, size, 1)
    upper[row, column] = cell.skew.detach().double()
    return float(torch.linalg.matrix_norm(upper - upper.T, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_exponential_is_a_rotation_by_whatever_angle(dtype):
    """At size 2 both it and its derivative are known; torch's own, of one matrix, is wrong between 0.05 and 0.6."""
    cell = make_cell("exprnn", 1, 2).to(dtype)
    for angle in np.geomspace(1e-3, 10.0, 120):
        with torch.no_grad():
            cell.skew.fill_(angle)
        cell.zero_grad()
        matrix = cell.recurrent_matrix()
        matrix[0].sum().backward()
        a = cell.skew.item()
        bound = 16 * max(1.0, a) * torch.finfo(dtype).eps  # as below, at size 2, and four times that for the entry
        assert_same(matrix.detach().numpy(), np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]), bound)
        assert_same(cell.skew.grad.numpy(), np.array([np.cos(a) - np.sin(a)]), bound)


@pytest.mark.parametrize(("skew_init", "low", "high"), [("cayley", 0.0, 1.0), ("henaff", -np.pi, np.pi)])
def test_exprnn_opens_with_rotations_of_pairs(skew_init, low, high):
    torch.manual_seed(4)
    cell = make_cell("exprnn", 1, 401, skew_init=skew_init).double()
    matrix = cell.recurrent_matrix().detach().numpy()
    pairs = np.kron(np.eye(201), np.ones((2, 2)))[:401, :401] > 0
    assert np.all(np.abs(matrix[~pairs]) < 1e-12)
    angles = np.arctan2(matrix[np.arange(0, 400, 2), np.arange(1, 401, 2)], np.diag(matrix)[:400:2])
    assert low <= angles.min() < low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) < angles.max() <= high
    if skew_init == "cayley":  # s = tan(u/2), u uniform: 2 atan(s) fills [0, pi/2] evenly
        u = np.sort(2 * np.arctan(angles)) / (np.pi / 2)
        assert np.abs(u - np.linspace(0, 1, len(u))).max() < 1.63 / np.sqrt(len(u))  # Kolmogorov, 1 %


def test_gradients_reach_the_skew_matrix_through_the_exponential():
    torch.manual_seed(2)
    cell = make_cell("exprnn", 2, 4).double()
    assert torch.autograd.gradcheck(lambda _: cell.recurrent_matrix(), (cell.skew,))


def test_the_forget_gate_opens_with_its_bias():
    with_bias, plain = made("lstm"), made("lstm", forget_bias=0.0)
    moved = with_bias.kernel.bias_ih_l0 - plain.kernel.bias_ih_l0
    assert moved.reshape(4, HIDDEN).round(decimals=6).tolist() == [[0] * HIDDEN, [1] * HIDDEN, *[[0] * HIDDEN] * 2]


def test_gru_d_counts_time_as_float64_and_from_wherever():
    """Seconds since 1970 have no fractions in float32; the gaps between them do."""
    cell = made("gru_d", dtype=torch.float32)
    inputs, times, observed = data()
    times = np.round(times * 64) / 64
    assert np.array_equal(
        outputs_of(cell, inputs, times, observed), outputs_of(cell, inputs, times + 1_700_000_000, observed)
    )


def test_gru_d_forgets_what_it_has_not_seen_for_long():
    """With growing decay rates, a variable missing for ever is its mean, whatever was seen before."""
    cell = made("gru_d", means=(0.3, -0.8))
    with torch.no_grad():
        for name in ("value_decay_weight", "hidden_decay.weight"):
            cell.get_parameter(name).abs_().add_(0.1)
    inputs, times, observed = data()
    observed[:, -1] = False
    times[:, -1] += 1e4
    found = outputs_of(cell, inputs, times, observed)[:, -1]
    fresh = outputs_of(cell, inputs[:, -1:], times[:, -1:], observed[:, -1:])[:, 0]
    # A cell that has read nothing has had no gap; its hidden state, zero, does not decay, and its guess is the mean.
    assert_same(found, fresh, 1e-12)


@pytest.mark.parametrize(
    ("key", "options", "error", "message"),
    [
        ("lstm", {"forget_bias": np.nan}, ValueError, "forget_bias is nan; accepted: a finite number"),
        ("lstm", {"forget_bias": "open"}, TypeError, "forget_bias is 'open'"),
        ("exprnn", {"skew_init": "zero"}, ValueError, "skew_init is 'zero'; accepted: one of 'cayley', 'henaff'"),
        ("gru_d", {"means": 1.0}, TypeError, r"means is 1.0 \(float\); accepted: 2 numbers"),
        ("gru_d", {"means": [1.0]}, ValueError, "means has 1 numbers; accepted: 2, one for each variable"),
        ("gru_d", {"means": [1.0, np.inf]}, ValueError, "means is inf; accepted: a finite number for each variable"),
        ("gru", {"forget_bias": 1.0}, ValueError, "option 'forget_bias' was given to cell 'gru'"),
        ("mgu", {"layers": 2}, ValueError, "accepted: no options"),
    ],
)
def test_what_an_option_must_be(key, options, error, message):
    with pytest.raises(error, match=message):
        make_cell(key, FEATURES, HIDDEN, **options)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("key", [*WITNESSES, "ode_rnn", "ncde"])
def test_on_a_device_it_computes_the_same(key):
    inputs, times, observed = (torch.from_numpy(part) for part in data())
    found = []
    for device in ("cpu", "cuda"):
        cell = made(key, **OPTIONS.get(key, {})).to(device)
        lengths = torch.tensor([4, LENGTH, 1])
        given = {"times": times, "observed": observed, "lengths": lengths}
        outputs, state = cell(inputs.to(device), **{name: part.to(device) for name, part in given.items()})
        outputs.square().sum().backward()
        assert all(part.device.type == device for part in state)
        gradients = (parameter.grad.cpu().numpy() for parameter in cell.parameters())
        found.append([outputs.detach().cpu().numpy(), *gradients])
    for here, there in zip(*found, strict=True):
        assert_same(there, here, 100 * ROUNDING)  # a gradient adds up what a hundred outputs make of a parameter
