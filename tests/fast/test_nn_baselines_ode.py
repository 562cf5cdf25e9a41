"""ODE-RNN and the neural CDE against scipy's integrator with the same weights, and the laws that such cells obey."""

import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the cells are torch modules")

from scipy.integrate import solve_ivp  # noqa: E402
from scipy.interpolate import CubicSpline  # noqa: E402

from hippo_fast.nn import make_cell  # noqa: E402
from hippo_fast.nn.flow import Flow  # noqa: E402

STREAMS, LENGTH, FEATURES, HIDDEN = 3, 6, 2, 4
TOLERANCE = 1e-8
# Local errors of TOLERANCE in some tens of steps, each stretched by up to some hundreds, exp(5 gaps). Where the field
# has a kink (ReLU), 32 equal steps are off by (1/32)^2 of the kink's size there, stretched alike.
SOLVED = 1e4 * TOLERANCE
TOLD_APART = 100 * SOLVED
ROUNDING = 2.0 ** (12 - 53)  # 2^7 of growth in six gaps times 2^5 roundings of numbers below 1


def data(seed=0):
    """Return inputs, uneven times and flags: one stream begins without, and samples are missing in part and whole."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(STREAMS, LENGTH, FEATURES))
    times = np.cumsum(generator.uniform(0.2, 1.5, (STREAMS, LENGTH)), axis=1)
    observed = generator.random((STREAMS, LENGTH, FEATURES)) < 0.6
    observed[0, 0] = False
    observed[1, 2] = False
    observed[2, 3] = (True, False)
    return inputs, times, observed


def fresh(key, **options):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return make_cell(key, FEATURES, HIDDEN, **options).double()


def made(key, **options):
    """Return a cell with weights large enough that what it leaves out would show."""
    cell = fresh(key, **options)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(2)
        for parameter in cell.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return cell


def adaptive(key, **options):
    pytest.importorskip("torchdiffeq")
    return made(key, solver="dopri5", tolerance=TOLERANCE, **options)


def fine(key, **options):
    return made(key, steps=32, **options)


def weights(cell):
    return {name: value.detach().numpy() for name, value in cell.state_dict().items()}


def outputs_of(cell, inputs, times, observed, lengths=None):
    with torch.no_grad():
        dtype = next(cell.parameters()).dtype
        given = [None if part is None else torch.from_numpy(part) for part in (times, observed)]
        found, _ = cell(torch.from_numpy(inputs).to(dtype), times=given[0], observed=given[1], lengths=lengths)
    return found.numpy()


def assert_same(found, expected, bound):
    distance = np.abs(found - expected)
    where = np.unravel_index(np.argmax(distance), distance.shape)
    assert distance[where] <= bound, (where, found[where], expected[where])


def integrated(slope, start, low, high):
    """Return the solution at ``high``, by scipy."""
    return solve_ivp(slope, (low, high), start, method="DOP853", rtol=1e-12, atol=1e-12).y[:, -1]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def ode_rnn(cell, inputs, times, observed):
    """Rubanova et al., algorithm 1, in the time of the samples; the unit in torch's convention of the GRU."""
    w = weights(cell)

    def slope(_, h):
        return w["field.2.weight"] @ np.tanh(w["field.0.weight"] @ h + w["field.0.bias"]) + w["field.2.bias"]

    def unit(x, h):
        reads = np.split(w["unit.weight_ih"] @ x + w["unit.bias_ih"], 3)
        holds = np.split(w["unit.weight_hh"] @ h + w["unit.bias_hh"], 3)
        r, z = (sigmoid(read + hold) for read, hold in zip(reads[:2], holds[:2], strict=True))
        return (1 - z) * np.tanh(reads[2] + r * holds[2]) + z * h

    outputs = np.zeros((len(inputs), inputs.shape[1], HIDDEN))
    for stream, sequence in enumerate(inputs):
        h = np.zeros(HIDDEN)
        for k, sample in enumerate(sequence):
            if k:
                h = integrated(slope, h, times[stream, k - 1], times[stream, k])
            seen = observed[stream, k]
            if seen.any():
                h = unit(np.concatenate([np.where(seen, sample, 0.0), seen]), h)
            outputs[stream, k] = h
    return outputs


def points_of(inputs, times, observed, intensity):
    """Return the points of the control path of one stream: time, values with the last one held, counts."""
    points = []
    held, count = np.zeros(FEATURES), np.zeros(FEATURES)
    for k, sample in enumerate(inputs):
        held = np.where(observed[k], sample, held)
        count = count + observed[k]
        points.append(np.concatenate([[times[k]], held, count if intensity else []]))
    return np.array(points)


def path_slopes(points, observed, interpolation):
    """Return for each gap the pieces ``dX/ds``, functions of s on [0, 1]."""
    gaps = np.diff(points, axis=0)
    if interpolation == "linear":
        return [[lambda s, gap=gap: gap] for gap in gaps]
    if interpolation == "rectilinear":
        in_time = np.eye(points.shape[1])[0]
        return [[lambda s, gap=gap: gap * in_time, lambda s, gap=gap: gap * (1 - in_time)] for gap in gaps]
    index = np.arange(len(points))
    splines = []
    for channel in range(points.shape[1]):
        shown = np.ones(len(points), bool)
        if 1 <= channel <= FEATURES:
            shown[1:] = observed[1:, channel - 1]
            shown[np.flatnonzero(shown)[-1] :] = True  # torchcde: after the last observation, constant
        splines.append(CubicSpline(index[shown], points[shown, channel], bc_type="natural"))
    return [[lambda s, k=k: np.array([spline(k + s, 1) for spline in splines])] for k in index[:-1]]


def ncde(cell, inputs, times, observed):
    w = weights(cell)
    channels = cell.channels

    def matrix(z):
        inner = np.maximum(0, w["field.0.weight"] @ z + w["field.0.bias"])
        return np.tanh(w["field.2.weight"] @ inner + w["field.2.bias"]).reshape(HIDDEN, channels)

    outputs = np.zeros((len(inputs), inputs.shape[1], HIDDEN))
    for stream, sequence in enumerate(inputs):
        points = points_of(sequence, times[stream], observed[stream], cell.intensity)
        z = w["opening.weight"] @ points[0] + w["opening.bias"]
        outputs[stream, 0] = z
        for k, pieces in enumerate(path_slopes(points, observed[stream], cell.interpolation)):
            for rate in pieces:
                z = integrated(lambda s, at, rate=rate: matrix(at) @ rate(s), z, 0.0, 1.0)
            outputs[stream, k + 1] = z
    return outputs


WITNESSES = {"ode_rnn": ode_rnn, "ncde": ncde}
VARIANTS = [
    ("ode_rnn", {}),
    ("ode_rnn", {"width": 3}),
    ("ncde", {}),
    ("ncde", {"interpolation": "rectilinear", "width": 3}),
    ("ncde", {"interpolation": "cubic"}),
    ("ncde", {"intensity": True}),
]
OTHERS = [variant for variant in VARIANTS if variant[1]]  # test_nn_base.py has what holds for the defaults


@pytest.fixture(scope="module")
def truth():
    """Return what scipy makes of each variant, once."""
    known = {}

    def of(key, options):
        name = key, *sorted(options.items())
        if name not in known:
            known[name] = WITNESSES[key](made(key, **options), *data())
        return known[name]

    return of


@pytest.mark.parametrize(
    ("key", "options", "solved"),
    [*((*variant, fine) for variant in VARIANTS), ("ode_rnn", {}, adaptive), ("ncde", {}, adaptive)],
)
def test_a_cell_finds_what_scipy_does(key, options, solved, truth):
    inputs, times, observed = data()
    given = np.where(observed, inputs, np.nan), times, observed
    assert_same(outputs_of(solved(key, **options), *given), truth(key, options), SOLVED)


@pytest.mark.parametrize(("solver", "steps", "order"), [("euler", 32, 1), ("rk4", 8, 4)])
def test_a_fixed_rule_comes_closer_with_its_order(solver, steps, order, truth):
    errors = [
        np.abs(outputs_of(made("ode_rnn", solver=solver, steps=n), *data()) - truth("ode_rnn", {})).max()
        for n in (steps, 2 * steps)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2), errors


@pytest.mark.parametrize(("key", "options"), VARIANTS)
def test_few_steps_a_gap_are_enough_for_a_cell_as_it_is_drawn(key, options):
    """One where the path is straight, two where it bends; on white noise, the roughest samples there are."""
    steps = 2 if options.get("interpolation") == "cubic" else 1
    expected = outputs_of(fresh(key, steps=32, **options), *data())
    found = outputs_of(fresh(key, steps=steps, **options), *data())
    assert_same(found, expected, 0.01 * np.abs(expected).max())


@pytest.mark.parametrize(("solver", "steps"), [("rk4", 1), ("rk4", 3), ("euler", 1), ("euler", 4)])
def test_a_fixed_rule_is_that_of_torchdiffeq(solver, steps):
    torchdiffeq = pytest.importorskip("torchdiffeq")
    torch.manual_seed(0)
    matrix, state = torch.randn(HIDDEN, HIDDEN).double(), torch.randn(STREAMS, HIDDEN).double()

    def field(s, at):
        return torch.tanh(at @ matrix) * (1 + s)

    grid = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    expected = torchdiffeq.odeint(field, state, grid, method=solver)[-1]
    assert_same(Flow(solver, steps)(field, state).numpy(), expected.numpy(), ROUNDING)


def mutate(name, change):
    def wrong(cell):
        with torch.no_grad():
            value = cell.get_parameter(name)
            value.copy_(change(value).clone())

    return wrong


def blocks_swapped(value):
    return value.reshape(3, -1)[[1, 0, 2]].reshape(value.shape)


def replace(method, wrong):
    def mutated(cell):
        right = getattr(cell, method)
        setattr(cell, method, lambda *given: wrong(right, *given))

    return mutated


MUTANTS = {
    ("ode_rnn", "no flow"): mutate("field.2.weight", torch.zeros_like),
    ("ode_rnn", "transposed field"): mutate("field.2.weight", torch.t),
    ("ode_rnn", "gates swapped"): mutate("unit.weight_hh", blocks_swapped),
    ("ode_rnn", "no times"): replace("_run", lambda run, x, s, t, o, n: run(x, s, None, o, n)),
    ("ode_rnn", "reads what is missing"): replace("_run", lambda run, x, s, t, o, n: run(x, s, t, None, n)),
    ("ode_rnn", "flows the gap before"): replace("_slope", lambda slope, gap, s, h: slope(gap.roll(1, 0), s, h)),
    ("ncde", "field transposed"): mutate(
        "field.2.weight", lambda w: w.reshape(HIDDEN, -1, HIDDEN).transpose(0, 1).reshape(w.shape)
    ),
    ("ncde", "no times"): replace("_run", lambda run, x, s, t, o, n: run(x, s, None, o, n)),
    ("ncde", "jumps to 0 where missing"): replace("_run", lambda run, x, s, t, o, n: run(x, s, t, None, n)),
    ("ncde", "path backwards"): replace("_driven", lambda driven, rate, s, z: driven(-rate, s, z)),
    ("ncde", "begins at zero"): mutate("opening.weight", torch.zeros_like),
}


@pytest.mark.parametrize(("key", "name"), MUTANTS)
def test_a_mutant_is_told_from_what_scipy_finds(key, name, truth):
    candidate = fine(key)
    MUTANTS[key, name](candidate)
    with pytest.raises(AssertionError):
        assert_same(outputs_of(candidate, *data()), truth(key, {}), TOLD_APART)


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_other_paths_are_told_apart(interpolation, truth):
    found = outputs_of(fine("ncde", interpolation=interpolation, width=3), *data())
    with pytest.raises(AssertionError):
        assert_same(found, truth("ncde", {"interpolation": "rectilinear", "width": 3}), TOLD_APART)


def test_ode_rnn_without_gaps_is_the_gru():
    cell = made("ode_rnn")
    unit = torch.nn.GRUCell(2 * FEATURES, HIDDEN).double()
    unit.load_state_dict(cell.unit.state_dict())
    inputs, _, _ = data()
    state, expected = torch.zeros(STREAMS, HIDDEN).double(), []
    with torch.no_grad():
        for k in range(LENGTH):
            read = torch.from_numpy(inputs[:, k])
            state = unit(torch.cat([read, torch.ones_like(read)], 1), state)
            expected.append(state.numpy())
    expected = np.stack(expected, 1)
    short = 2.0**-50  # the least gap but none, which strictly increasing times exclude: it moves h by that much
    assert_same(outputs_of(cell, inputs, short * np.arange(LENGTH), None), expected, 100 * short)
    with pytest.raises(AssertionError):
        assert_same(outputs_of(cell, inputs, 0.1 * np.arange(LENGTH), None), expected, 1e-3)


@pytest.mark.parametrize("key", WITNESSES)
def test_a_shift_of_all_times_changes_nothing(key):
    """Times enter by their gaps, but for the point at which a CDE opens; in float32 those of seconds since 1970 too."""
    cell = made(key).float()
    if key == "ncde":
        with torch.no_grad():
            cell.opening.weight[:, 0] = 0
    inputs, times, observed = data()
    times = np.round(times * 64) / 64
    late = times + 1_700_000_000
    assert np.array_equal(outputs_of(cell, inputs, times, observed), outputs_of(cell, inputs, late, observed))


def test_ode_rnn_in_another_unit_of_time_is_that_with_a_slower_field():
    slower = made("ode_rnn")
    with torch.no_grad():
        for name in ("field.2.weight", "field.2.bias"):
            slower.get_parameter(name).div_(4)
    inputs, times, observed = data()
    expected = outputs_of(made("ode_rnn"), inputs, times, observed)
    assert_same(outputs_of(slower, inputs, 4 * times, observed), expected, ROUNDING)


def test_a_sample_without_numbers_between_two_changes_nothing():
    """ODE-RNN: the flow goes through it; linear CDE: a point on the segment leaves the path as it is."""
    inputs, times, observed = data()
    middle = (times[:, 2:3] + times[:, 3:4]) / 2
    more_times = np.concatenate([times[:, :3], middle, times[:, 3:]], axis=1)
    kept = np.arange(LENGTH + 1) != 3
    nothing = np.zeros((STREAMS, 1, FEATURES), bool)
    more = np.concatenate([inputs[:, :3], inputs[:, 2:3], inputs[:, 3:]], axis=1)
    flags = np.concatenate([observed[:, :3], nothing, observed[:, 3:]], axis=1)
    found = outputs_of(fine("ode_rnn"), more, more_times, flags)[:, kept]
    assert_same(found, outputs_of(fine("ode_rnn"), inputs, times, observed), SOLVED)

    on_line = (inputs[:, 2:3] + inputs[:, 3:4]) / 2
    more = np.concatenate([inputs[:, :3], on_line, inputs[:, 3:]], axis=1)
    found = outputs_of(fine("ncde"), more, more_times, None)[:, kept]
    assert_same(found, outputs_of(fine("ncde"), inputs, times, None), SOLVED)


@pytest.mark.parametrize("interpolation", ["linear", "rectilinear", "cubic"])
def test_which_paths_are_causal(interpolation):
    """An output depends on later samples only along the spline."""
    cell = made("ncde", interpolation=interpolation)
    inputs, times, observed = data()
    other = inputs.copy()
    other[:, 4:] += 1
    found = outputs_of(cell, inputs, times, observed)[:, :4], outputs_of(cell, other, times, observed)[:, :4]
    assert np.array_equal(*found) == (interpolation != "cubic")


@pytest.mark.parametrize(("key", "options"), OTHERS)
def test_a_padded_stream_is_the_stream_alone(key, options):
    cell = made(key, **options)
    inputs, times, observed = data()
    sizes = [4, LENGTH, 1]
    inputs[0, 4:], inputs[2, 1:] = np.nan, 1e6
    found = outputs_of(cell, inputs, times, observed, torch.tensor(sizes))
    for stream, size in enumerate(sizes):
        part = slice(stream, stream + 1), slice(size)
        assert_same(found[part], outputs_of(cell, inputs[part], times[part], observed[part]), ROUNDING)


@pytest.mark.parametrize(("key", "options"), [*OTHERS, ("ode_rnn", {"solver": "dopri5"})])
def test_a_sequence_goes_on_where_it_stopped(key, options):
    if options.get("interpolation") == "cubic":
        pytest.skip("the spline runs through whole sequences")
    cell = made(key, **options)
    inputs, times, observed = (torch.from_numpy(part) for part in data())
    with torch.no_grad():
        whole, ended = cell(inputs, times=times, observed=observed)
        state, outputs = None, []
        for part in (slice(0, 1), slice(1, 4), slice(4, None)):
            found, state = cell(inputs[:, part], state, times=times[:, part], observed=observed[:, part])
            outputs.append(found)
    assert_same(torch.cat(outputs, 1).numpy(), whole.numpy(), ROUNDING)
    for entry, own in zip(state, ended, strict=True):
        assert_same(entry.numpy(), own.numpy(), ROUNDING)


def test_streams_may_begin_at_different_calls():
    """One stream of a batch goes on, another is fresh."""
    for key in WITNESSES:
        cell = made(key)
        inputs, times, observed = (torch.from_numpy(part) for part in data())
        with torch.no_grad():
            _, begun = cell(inputs[:1, :3], times=times[:1, :3], observed=observed[:1, :3])
            fresh = cell.initial_state(1)
            mixed = tuple(torch.cat(pair) for pair in zip(begun, fresh, strict=True))
            found, _ = cell(inputs[:2, 3:], mixed, times=times[:2, 3:], observed=observed[:2, 3:])
            for stream, state in enumerate((begun, fresh)):
                part = slice(stream, stream + 1), slice(3, None)
                alone, _ = cell(inputs[part], state, times=times[part], observed=observed[part])
                assert_same(found[part[:1]].numpy(), alone.numpy(), ROUNDING)


@pytest.mark.parametrize(("key", "options"), OTHERS)
def test_gradients(key, options):
    cell = made(key, **options)
    inputs, times, observed = (torch.from_numpy(part[:2, :3]) for part in data(5))
    inputs.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda given, *_: cell(given, times=times, observed=observed)[0],
        (inputs, *cell.parameters()),
        fast_mode=True,
    )


def test_the_spline_takes_whole_sequences_only():
    cell = made("ncde", interpolation="cubic")
    sample = torch.zeros(1, FEATURES).double()
    _, state = cell.step(sample, cell.initial_state(1))
    with pytest.raises(ValueError, match=r"state has read samples, but interpolation is 'cubic'.*accepted: whole seq"):
        cell.step(sample, state)


@pytest.mark.parametrize(
    ("key", "options", "library", "use"),
    [
        ("ode_rnn", {"solver": "dopri5"}, "torchdiffeq", "solver 'dopri5'"),
        ("ncde", {"interpolation": "cubic"}, "torchcde", "interpolation 'cubic'"),
    ],
)
def test_a_library_that_is_not_there_is_named_with_its_extra(key, options, library, use, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModuleNotFoundError, match=rf"{use} needs {library}.*hippo-verify\[claims\]"):
        make_cell(key, FEATURES, HIDDEN, **options)
    make_cell(key, FEATURES, HIDDEN)  # nothing else needs it


@pytest.mark.parametrize(
    ("key", "options", "error", "message"),
    [
        ("ode_rnn", {"solver": "rk5"}, ValueError, "solver is 'rk5'; accepted: one of 'rk4', 'euler', 'dopri5'"),
        ("ode_rnn", {"steps": 0}, ValueError, "steps is 0; accepted: an integer >= 1"),
        ("ode_rnn", {"width": 1.5}, TypeError, r"width is 1.5 \(float\); accepted: an integer >= 1"),
        ("ncde", {"tolerance": 0.0}, ValueError, "tolerance is 0.0; accepted: the relative and absolute tolerance"),
        ("ncde", {"interpolation": "quintic"}, ValueError, "interpolation is 'quintic'; accepted: one of 'linear'"),
        ("ncde", {"intensity": 1}, TypeError, r"intensity is 1 \(int\); accepted: True or False"),
    ],
)
def test_what_an_option_must_be(key, options, error, message):
    with pytest.raises(error, match=message):
        make_cell(key, FEATURES, HIDDEN, **options)
