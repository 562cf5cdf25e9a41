"""The memory of the HiPPO cell is the exact recurrence, whatever feeds it, and wrong memories are seen to be wrong."""

from dataclasses import replace

import numpy as np
import pytest

import hippo_fast
import hippo_ref
from hippo_fast.recurrence import methods_of
from verify.bounds import Operator, scan_limits, step_limits, weights
from verify.bounds.steps import majorant

torch = pytest.importorskip("torch", reason="torch is not installed")

from hippo_fast.nn import make_cell, memory, memory_cell, steps  # noqa: E402  (they need torch)

PAIRS = [(measure, method) for measure in hippo_fast.OPERATORS for method in methods_of(measure)]
ORDER, LENGTH, BATCH, CHANNELS, SPACING = 4, 7, 3, 2, 0.25
ROUNDING = 8 * LENGTH * 14 * 2.0**-52
"""How far two orders of summation may take cells of these sizes apart: no sum in them has more than 14 products, and no
difference of the first step has grown by more than 8 at the end, where it is told of a number of order 1."""
GRADIENTS = 8 * ROUNDING
"""Gradients go the same way back, weighted with outputs that are off by `ROUNDING` themselves."""


def options_of(measure):
    """The parameters that a measure is tested with, none at its default."""
    named = hippo_fast.OPERATORS[measure].parameters
    return {"theta": 1.5} if "theta" in named else {"alpha": 0.5, "beta": 2.0} if named else {}


def spacing_of(measure):
    return {} if measure == "legs" else {"dt": SPACING}


def cell_of(measure, method="bilinear", dtype=torch.float64, **options):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        given = {"memory_size": CHANNELS, "memory_order": ORDER, **options_of(measure), **spacing_of(measure)}
        return make_cell("hippo", 2, 3, measure=measure, method=method, **{**given, **options}).to(dtype)


def normal(*shape, seed=4, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def clock_of(measure, method, when):
    """Times, and which samples are there, of each of three situations; None where a cell is to use its own."""
    if when == "even":
        return None, None
    gaps = torch.rand(BATCH, LENGTH, generator=torch.Generator().manual_seed(7), dtype=torch.float64) + 0.1
    times = gaps.cumsum(dim=1)
    if method in ("trapezoid", "foh"):
        times[0] -= times[0, 0].clone()  # one stream starts at time 0, where the rule starts otherwise
    if when == "shared":
        return times[0], None
    present = torch.tensor([[1, 1, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 0, 1], [1, 0, 1, 0, 1, 0, 0]], dtype=torch.bool)
    return times, present


def recorded(cell, inputs, times=None, present=None):
    """What the memory read, ``(batch, length, M)``, and what it was then, ``(batch, length, M, N)``, step by step."""
    state, read, memories = cell.initial_state(len(inputs)), [], []
    for k in range(inputs.shape[1]):
        time = None if times is None else times[..., k].expand(len(inputs))
        observed = None if present is None else present[:, k, None].expand_as(inputs[:, k])
        _, state = cell.step(inputs[:, k], state, time=time, observed=observed)
        read.append(state[2])
        memories.append(state[1])
    return torch.stack(read, dim=1).detach(), torch.stack(memories, dim=1).detach()


def limits_of(measure, method, samples, states, ends, gaps, dtype):
    """How far rounding may take each state, in the norm of ``D``: that of `verify.bounds`, for whatever gaps."""
    parameters = options_of(measure)
    system = hippo_fast.system(measure, ORDER, **parameters)
    operator = Operator(
        measure,
        tuple(sorted(parameters.items())),
        tuple(map(tuple, system.A.tolist())),
        tuple(system.B.tolist()),
        method,
        dt=None,
        times=tuple(ends),
    )
    if measure == "legs":
        return scan_limits(operator, samples, states, dtype).forward
    error, found, before = 0.0, [], np.zeros(ORDER)
    for sample, after, gap in zip(samples, states, gaps, strict=True):
        own = replace(operator, dt=float(gap), times=None)
        growth = 1.0 if own.contracts else np.linalg.norm(majorant(own, 1).transition, 2)
        error = max(1.0, growth) * error + float(step_limits(own, before, sample, after, 1, dtype).forward)
        found.append(error)
        before = after
    return np.array(found)


def assert_memory_is_exact(cell, measure, method, when, dtype):
    """Every channel of every stream is within rounding of the exact states for what it read; gaps are no samples."""
    inputs = normal(BATCH, LENGTH, 2, dtype=dtype)
    times, present = clock_of(measure, method, when)
    read, memories = recorded(cell, inputs, times, present)
    law, D = hippo_ref.measure(measure, **options_of(measure)), weights(measure, options_of(measure), ORDER)
    compared = 0
    for stream in range(BATCH):
        here = np.arange(LENGTH) if present is None else np.flatnonzero(present[stream].numpy())
        if times is None:
            ends = np.arange(LENGTH) + (1.0 if measure != "legs" or method == "zoh" else 0.0)
            ends = ends[here] * (1.0 if measure == "legs" else SPACING)
        else:
            ends = (times if times.ndim == 1 else times[stream]).numpy()
            ends = (ends if measure == "legs" else ends - ends[0] + SPACING)[here]
        for channel in range(CHANNELS):
            samples = read[stream, here, channel].double().tolist()
            exact = hippo_ref.states(law, samples, ORDER, method, timestamps=ends.tolist(), dps=30)
            states = np.array([[float(entry) for entry in state] for state in exact])
            found = memories[stream, :, channel].double().numpy()
            error = np.linalg.norm((found[here] - states) * D, axis=1)
            gaps = np.diff(ends, prepend=0.0)
            allowed = limits_of(measure, method, samples, states, ends, gaps, str(dtype).removeprefix("torch."))
            assert (error <= allowed).all(), f"off by {error / allowed} times what rounding may do"
            held = np.concatenate([np.zeros((1, ORDER)), found[here]])[
                np.searchsorted(here, np.arange(LENGTH), "right")
            ]
            assert np.array_equal(found, held), "a missing sample moved the memory"
            compared += len(here) * ORDER
    assert compared >= 40


SITUATIONS = [
    *((measure, method, when, torch.float64) for measure, method in PAIRS for when in ("even", "own")),
    *((measure, method, "shared", torch.float32) for measure, method in PAIRS if measure in ("legs", "legt")),
    *((measure, "bilinear", "own", torch.float32) for measure in hippo_fast.OPERATORS),
]


@pytest.mark.parametrize(("measure", "method", "when", "dtype"), SITUATIONS, ids=str)
def test_memory_is_the_exact_recurrence(measure, method, when, dtype):
    assert_memory_is_exact(cell_of(measure, method, dtype), measure, method, when, dtype)


def weights_times(row, factor):
    """Wrong: the weights of every shared step are those of another law in one row."""
    right = steps.weights_of

    def wrong(*given):
        found = right(*given)
        found[row] *= factor
        return found

    return {"weights_of": wrong}


def moments_moved(by):
    """Wrong: a step of LegS takes place at another index."""
    right = steps.one_step
    return {"one_step": lambda recurrence, moment: right(recurrence, tuple(time + by for time in moment))}


WRONG_STEPS = {
    "the sample comes with the other sign": weights_times(ORDER, -1.0),
    "the state comes with the other sign": weights_times(slice(0, ORDER), -1.0),
    "k is off by one": moments_moved(1.0),
    "one coefficient decays a little slower": weights_times(1, 1 - 1e-6),
    "k is off by a little": moments_moved(1e-5),
}


@pytest.mark.parametrize(
    ("defect", "dtype"),
    [
        *((defect, torch.float64) for defect in WRONG_STEPS),
        *((defect, torch.float32) for defect in list(WRONG_STEPS)[:3]),
    ],
    ids=str,
)
def test_a_wrong_step_is_seen(monkeypatch, defect, dtype):
    monkeypatch.setattr(steps, "_TABLE", steps._Table())  # what is kept was right
    for name, wrong in WRONG_STEPS[defect].items():
        monkeypatch.setattr(steps, name, wrong)
    with pytest.raises(AssertionError, match="times what rounding may do"):
        assert_memory_is_exact(cell_of("legs", dtype=dtype), "legs", "bilinear", "even", dtype)


@pytest.mark.parametrize(
    ("measure", "wrong"),
    [("legt", {"theta": 1.5 + SPACING}), ("legt", {"dt": 2 * SPACING}), ("lagt", {"beta": 2.001}), ("legs", {})],
)
def test_a_wrong_window_measure_or_rule_is_seen(measure, wrong):
    method = "bilinear" if wrong else "backward_euler"
    with pytest.raises(AssertionError, match="times what rounding may do"):
        assert_memory_is_exact(cell_of(measure, method, **wrong), measure, "bilinear", "even", torch.float64)


@pytest.mark.parametrize("measure", ["legs", "legt"])
@pytest.mark.parametrize(
    "defect", ["reads the sample before", "takes a missing sample for a step", "reads missing ones"]
)
def test_a_wrong_reading_is_seen(monkeypatch, measure, defect):
    advance, readings = memory.HippoMemory.advance, memory.HippoMemory.readings

    def late(self, reading, state, sample, before):
        return advance(self, reading, state, before, before)

    def impatient(self, clock, length, times, present, last):
        plan, after = readings(self, clock, length, times, present, last)
        return plan, (after[0], after[2], after[2])

    def credulous(self, clock, length, times, present, last):
        return readings(self, clock, length, times, None, last)

    changed = {"reads the sample before": ("advance", late), "reads missing ones": ("readings", credulous)}
    monkeypatch.setattr(memory.HippoMemory, *changed.get(defect, ("readings", impatient)))
    with pytest.raises(AssertionError, match=r"times what rounding may do|a missing sample moved"):
        assert_memory_is_exact(cell_of(measure), measure, "bilinear", "own", torch.float64)


def test_the_memory_of_hidden_states_is_the_scan_of_what_was_recorded():
    """The whole loop, hidden state and all, against one call of `hippo_fast.scan`; rounding as between its backends."""
    cell, inputs = cell_of("legs", memory_order=16), normal(BATCH, 40, 2)
    read, memories = recorded(cell, inputs)
    states = hippo_fast.scan(read.transpose(1, 2), "legs", 16).transpose(1, 2)
    bound = 40 * (16 + 4) * 2.0**-52 * 4 * np.sqrt(2 * 16) * float(states.abs().max())
    assert float((memories - states).abs().max()) <= bound
    assert float((memories[:, 1:] - states[:, :-1]).abs().max()) > 1e9 * bound


WIRINGS = [
    (wiring, gated, reads)
    for wiring in ("figure", "released")
    for gated in (True, False)
    for reads in ("hidden", "input")
]


def assert_equations_hold(cell, wiring, gated, reads):
    """Against the formulas of `memory_cell`, one product at a time, with the memory taken by its own code."""
    inputs = normal(BATCH, LENGTH, 2)
    outputs, state = cell(inputs)
    hidden, before = torch.zeros(BATCH, 3, dtype=torch.float64), torch.zeros(BATCH, CHANNELS, dtype=torch.float64)
    states = torch.zeros(BATCH, CHANNELS, ORDER, dtype=torch.float64)
    plan, _ = cell.memory.readings(cell.memory.clock(BATCH, "cpu"), LENGTH, None, None, None)

    def heard(sample, hidden):
        if reads == "input":
            return cell.to_memory(sample)
        return cell.to_memory(hidden if wiring == "figure" else torch.cat([sample, hidden], dim=-1))

    for k in range(LENGTH):
        sample = inputs[:, k]
        if wiring == "released":
            read = heard(sample, hidden)
            states = cell.memory.advance(plan[k], states, read, before)
        z = cell.from_input(sample) + cell.from_memory(states.flatten(1))
        if wiring == "figure":
            z = z + cell.from_hidden(hidden)
        if gated:
            gate = torch.sigmoid(z[:, 3:])
            hidden = (1 - gate) * hidden + gate * torch.tanh(z[:, :3])
        else:
            hidden = torch.tanh(z)
        if wiring == "figure":
            read = heard(sample, hidden)
            states = cell.memory.advance(plan[k], states, read, before)
        before = read
        torch.testing.assert_close(outputs[:, k], hidden, rtol=ROUNDING, atol=ROUNDING)
    torch.testing.assert_close(state[1], states, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize(("wiring", "gated", "reads"), WIRINGS)
def test_the_hidden_state_follows_its_equations(wiring, gated, reads):
    assert_equations_hold(cell_of("legs", gated=gated, reads=reads, wiring=wiring), wiring, gated, reads)


def stubborn(lerp):
    """Wrong: the gate keeps what it should replace."""
    return lambda start, end, weight: lerp(end, start, weight)


@pytest.mark.parametrize(
    ("place", "name", "wrong", "reads"),
    [
        (torch, "lerp", stubborn(torch.lerp), "hidden"),
        (memory_cell, "_delayed", lambda states: states, "input"),
        (memory.HippoMemory, "scan", lambda *given: SCAN(*given).roll(1, dims=1), "input"),
    ],
)
def test_a_wrong_hidden_state_is_seen(monkeypatch, place, name, wrong, reads):
    monkeypatch.setattr(place, name, wrong)
    with pytest.raises(AssertionError, match="not close"):
        assert_equations_hold(cell_of("legs", reads=reads), "figure", True, reads)


SCAN = memory.HippoMemory.scan


@pytest.mark.parametrize("method", methods_of("legs"))
def test_legs_knows_no_unit_of_time(method):
    """Times 4 times as large give the same bits; 3 times, the same to rounding, in memory and outputs."""
    cell, inputs = cell_of("legs", method), normal(BATCH, LENGTH, 2)
    times, present = clock_of("legs", method, "own")
    observed = present[..., None].expand_as(inputs)
    outputs, state = cell(inputs, times=times, observed=observed)
    again, other = cell(inputs, times=4 * times, observed=observed)
    assert torch.equal(outputs, again)
    assert torch.equal(state[1], other[1])
    again, other = cell(inputs, times=3 * times, observed=observed)
    torch.testing.assert_close(outputs, again, rtol=ROUNDING, atol=ROUNDING)
    torch.testing.assert_close(state[1], other[1], rtol=ROUNDING, atol=ROUNDING)
    shifted, _ = cell(inputs, times=times + 1, observed=observed)
    assert float((outputs - shifted).detach().abs().max()) > 1e-4


def test_legt_knows_no_origin_of_time_and_a_unit():
    cell, inputs = cell_of("legt"), normal(BATCH, LENGTH, 2)
    times, _ = clock_of("legt", "bilinear", "own")
    outputs, _ = cell(inputs, times=times)
    torch.testing.assert_close(cell(inputs, times=times + 8)[0], outputs, rtol=ROUNDING, atol=ROUNDING)
    assert float((cell(inputs, times=2 * times)[0] - outputs).detach().abs().max()) > 1e-4


@pytest.mark.parametrize(
    ("measure", "method", "when"),
    [
        *(("legs", method, "own") for method in methods_of("legs")),
        *((measure, "bilinear", when) for measure in ("legs", "legt") for when in ("even", "shared")),
        ("legt", "bilinear", "own"),
    ],
)
def test_what_reads_inputs_goes_through_the_scan(measure, method, when):
    """Memory states of a whole sequence at once equal those of the steps, with gradients."""
    cell, times, present = cell_of(measure, method, reads="input"), *clock_of(measure, method, when)
    inputs = normal(BATCH, LENGTH, 2).requires_grad_()
    observed = None if present is None else present[..., None].expand(-1, -1, 2)
    outputs, state = cell(inputs, times=times, observed=observed)
    (fast,) = torch.autograd.grad(outputs.square().sum() + state[1].square().sum(), inputs)
    half, middle = cell(inputs[:, :1], times=None if times is None else times[..., :1], observed=_first(observed))
    rest, end = cell(inputs[:, 1:], middle, times=None if times is None else times[..., 1:], observed=_rest(observed))
    (slow,) = torch.autograd.grad(half.square().sum() + rest.square().sum() + end[1].square().sum(), inputs)
    scale = max(1.0, float(state[1].detach().abs().max()) ** 2)  # euler grows
    torch.testing.assert_close(state[1], end[1], rtol=ROUNDING, atol=ROUNDING * scale)
    torch.testing.assert_close(outputs[:, 1:], rest, rtol=ROUNDING, atol=ROUNDING * scale)
    torch.testing.assert_close(fast, slow, rtol=GRADIENTS, atol=GRADIENTS * scale)


def _first(observed):
    return None if observed is None else observed[:, :1]


def _rest(observed):
    return None if observed is None else observed[:, 1:]


@pytest.mark.parametrize(("measure", "method"), [pair for pair in PAIRS if pair[0] in ("legs", "legt")])
def test_gradients_of_a_step(measure, method):
    """One step with times of its own for each stream, to the second derivative."""
    law = memory.HippoMemory(1, 3, measure=measure, method=method, **options_of(measure), **spacing_of(measure))
    before, after = np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.25, 4.0])
    each = steps.StreamSteps(law.recurrence, before, after if measure == "legs" else after - before)
    given = normal(3, 3).requires_grad_(), normal(3, 2, seed=5).requires_grad_()
    assert torch.autograd.gradcheck(lambda *parts: steps.OwnStep.apply(each, *parts), given, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda *parts: steps.OwnStep.apply(each, *parts), given, fast_mode=True)


@pytest.mark.parametrize("how", ["numba", "plain torch"])
@pytest.mark.parametrize("method", ["bilinear", "euler", "backward_euler", "trapezoid"])
def test_a_step_in_order_n_is_the_product_with_its_matrix(monkeypatch, method, how):
    """What large orders use instead of a matrix, with and without Numba: states and gradients."""
    if how == "numba":
        pytest.importorskip("numba", reason="numba is not installed")
    else:
        monkeypatch.setattr(steps, "numba_runs", lambda like: False)
    inputs = normal(BATCH, LENGTH, 2)
    found = {}
    for rows in (False, True):
        monkeypatch.setattr(steps, "takes_rows", lambda recurrence, like, rows=rows: rows)
        monkeypatch.setattr(memory, "takes_rows", lambda recurrence, like, rows=rows: rows)
        samples = inputs.clone().requires_grad_()
        outputs, state = cell_of("legs", method)(samples)
        found[rows] = (state[1], *torch.autograd.grad(outputs.square().sum() + state[1].square().sum(), samples))
    for rows, dense in zip(found[True], found[False], strict=True):
        assert not torch.equal(rows, dense)  # they are two ways
        torch.testing.assert_close(rows, dense, rtol=GRADIENTS, atol=GRADIENTS)


def test_large_orders_take_rows():
    law = memory.HippoMemory(1, steps.DENSE_ORDER, measure="legs", method="bilinear").recurrence
    pytest.importorskip("numba", reason="numba is not installed")
    assert steps.takes_rows(law, torch.zeros(1))
    assert not steps.takes_rows(replace(law, order=steps.DENSE_ORDER - 1), torch.zeros(1))


def test_weights_of_steps_are_kept_and_bounded(monkeypatch):
    made = []
    monkeypatch.setattr(steps, "_TABLE", steps._Table())
    right = steps.weights_of
    monkeypatch.setattr(steps, "weights_of", lambda *given: made.append(1) or right(*given))
    cell, inputs = cell_of("legs"), normal(BATCH, LENGTH, 2)
    outputs, _ = cell(inputs)
    assert len(made) == LENGTH - 1
    assert torch.equal(cell(inputs)[0], outputs)
    assert len(made) == LENGTH - 1
    monkeypatch.setattr(steps, "TABLE_BYTES", 3 * 8 * ORDER * (ORDER + 1))
    cell(normal(BATCH, LENGTH + 1, 2))
    assert len(steps._TABLE._kept) == 3
    assert torch.equal(cell(inputs)[0], outputs)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"measure": "legz"}, ValueError, "measure is 'legz'; accepted: one of 'legs'"),
        ({"measure": "legt", "method": "foh"}, ValueError, "method is 'foh', not offered for measure 'legt'"),
        ({"theta": 2.0}, ValueError, "theta is 2.0 but measure 'legs' does not have it"),
        ({"dt": 0.5}, ValueError, "dt is 0.5 but measure 'legs' has no time scale"),
        ({"measure": "legt", "dt": 0.0}, ValueError, "dt is 0.0; accepted: the sample spacing"),
        ({"memory_size": 0}, ValueError, "memory_size is 0; accepted: an integer >= 1"),
        ({"memory_order": 1.5}, TypeError, r"memory_order is 1.5 \(float\); accepted: an integer >= 1"),
        ({"reads": "both"}, ValueError, "reads is 'both'; accepted: one of 'hidden', 'input'"),
        ({"wiring": "round"}, ValueError, "wiring is 'round'; accepted: one of 'figure', 'released'"),
        ({"gated": 1}, TypeError, r"gated is 1 \(int\); accepted: True or False"),
    ],
)
def test_bad_options_are_named(options, error, match):
    with pytest.raises(error, match=match):
        make_cell("hippo", 2, 3, **options)


@pytest.mark.parametrize(("method", "first", "accepted"), [("bilinear", -1.0, ">= 0"), ("zoh", 0.0, "> 0")])
def test_first_times_that_legs_does_not_take(method, first, accepted):
    with pytest.raises(ValueError, match=f"times of stream 0 starts at {first}; .* a first time {accepted}"):
        make_cell("hippo", 1, 3, method=method)(torch.zeros(1, 2, 1), times=torch.tensor([first, 5.0]))


def test_orders_1_and_2():
    for order in (1, 2):
        for method in methods_of("legs"):
            cell, inputs = cell_of("legs", method, memory_order=order), normal(BATCH, LENGTH, 2)
            read, memories = recorded(cell, inputs)
            states = hippo_fast.scan(read.transpose(1, 2), "legs", order, method=method).transpose(1, 2)
            torch.testing.assert_close(memories, states, rtol=ROUNDING, atol=ROUNDING)


def test_a_cell_says_what_it_is():
    assert "measure='legt'" in repr(cell_of("legt"))
    assert "dt=0.25" in repr(cell_of("legt"))
    assert memory_cell.MemoryCell.__doc__
