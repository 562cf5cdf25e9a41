"""What holds for every cell of `hippo_fast.nn`; cells that read, remember or stop wrongly are seen to."""

import copy
import io
import pickle
import subprocess
import sys

import pytest

import hippo_fast.nn as cells

torch = pytest.importorskip("torch", reason="torch is not installed")

from hippo_fast.nn.base import Cell  # noqa: E402  (needs torch)

KEYS = list(cells.CELLS)
INPUT, HIDDEN, BATCH, LENGTH = 2, 3, 3, 6


def made(key, seed=0, dtype=torch.float64, **options):
    """A cell, always the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return cells.make_cell(key, INPUT, HIDDEN, **options).to(dtype)


def inputs_of(seed=1, dtype=torch.float64, length=LENGTH):
    return torch.randn(BATCH, length, INPUT, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def times_of(seed=2):
    gaps = torch.rand(BATCH, LENGTH, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return (gaps + 0.1).cumsum(dim=1)


def observed_of(seed=3):
    return torch.rand(BATCH, LENGTH, INPUT, generator=torch.Generator().manual_seed(seed)) < 0.6


def stepped(cell, inputs, state=None, times=None, observed=None):
    """The loop over `step`."""
    state = cell.initial_state(len(inputs), dtype=inputs.dtype) if state is None else state
    outputs = []
    for k in range(inputs.shape[1]):
        time = None if times is None else times[..., k].expand(len(inputs))
        output, state = cell.step(inputs[:, k], state, time=time, observed=None if observed is None else observed[:, k])
        outputs.append(output)
    return torch.stack(outputs, dim=1), state


def rounding(cell, dtype, steps):
    """How far two orders of summation may lead apart.

    A preactivation adds up at most so many products as the cell has parameters for one row of it, fewer than it has in
    all; each of them, and each of the few functions after it, rounds once relative to a number of order 1. The cells
    here neither have gains nor run long enough to let a difference of the first steps grow by more than the factor 8.
    """
    count = sum(parameter.numel() for parameter in cell.parameters())
    return 8 * steps * count * torch.finfo(dtype).eps


def assert_same(found, expected, bound):
    """Outputs and states agree within a bound; NaN, the time before the first sample, equals itself."""
    (outputs, state), (other, other_state) = found, expected
    assert len(state) == len(other_state)
    for a, b in zip((outputs, *state), (other, *other_state), strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=bound, atol=bound, equal_nan=True)


def assert_sequence_is_steps(cell, inputs, **given):
    assert_same(cell(inputs, **given), stepped(cell, inputs, **given), rounding(cell, inputs.dtype, inputs.shape[1]))


@pytest.mark.parametrize("key", KEYS)
def test_the_table_names_the_cell(key):
    kind = type(made(key))
    assert kind is cells.cell_class(key)
    assert kind.key == key
    assert issubclass(kind, Cell)
    assert not kind.__subclasses__()
    assert kind.__doc__


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_sequence_is_the_loop_over_steps(key, dtype):
    cell, inputs = made(key, dtype=dtype), inputs_of(dtype=dtype)
    outputs, state = cell(inputs)
    assert outputs.shape == (BATCH, LENGTH, HIDDEN)
    assert outputs.dtype == state[0].dtype == dtype
    assert_sequence_is_steps(cell, inputs)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("shared", [True, False])
def test_with_times_and_missing_numbers_too(key, shared):
    cell, times = made(key), times_of()
    assert_sequence_is_steps(cell, inputs_of(), times=times[0] if shared else times, observed=observed_of())


def assert_goes_on(cell):
    """A sequence in two parts, with the state saved and loaded in between, is the sequence."""
    inputs, times = inputs_of(), times_of()
    bound = rounding(cell, inputs.dtype, LENGTH)
    for given in ({}, {"times": times, "observed": observed_of()}):
        whole = cell(inputs, **given)
        _, state = cell(inputs[:, :2], **{name: value[:, :2] for name, value in given.items()})
        file = io.BytesIO()
        torch.save(state, file)
        file.seek(0)
        rest, end = cell(inputs[:, 2:], torch.load(file), **{name: value[:, 2:] for name, value in given.items()})
        assert_same((rest, end), (whole[0][:, 2:], whole[1]), bound)


@pytest.mark.parametrize("key", KEYS)
def test_a_state_goes_on_where_it_was_left(key):
    assert_goes_on(made(key))


def assert_padding_is_not_read(cell):
    """Streams of different lengths, with rubbish behind them, are what they are one by one."""
    inputs, times, observed = inputs_of(), times_of(), observed_of()
    lengths = torch.tensor([4, 6, 1])
    padded, late, flags = inputs.clone(), times.clone(), observed.clone()
    for stream, count in enumerate(lengths):
        padded[stream, count:] = torch.nan
        late[stream, count:] = -1.0
        flags[stream, count:] = False
    bound = rounding(cell, inputs.dtype, LENGTH)
    for given, full in (({}, {}), ({"times": late, "observed": flags}, {"times": times, "observed": observed})):
        outputs, state = cell(padded, lengths=lengths, **given)
        for stream, count in enumerate(lengths):
            own = slice(stream, stream + 1)
            alone, end = cell(inputs[own, :count], **{name: value[own, :count] for name, value in full.items()})
            assert_same((outputs[own, :count], [part[own] for part in state]), (alone, end), bound)
            last = outputs[stream, count - 1].expand(LENGTH - int(count), -1)
            assert torch.equal(outputs[stream, count:], last)


@pytest.mark.parametrize("key", KEYS)
def test_padding_is_not_read(key):
    assert_padding_is_not_read(made(key))


class Wrong(Cell):
    """A plain recurrent cell, right but for one defect."""

    key = "wrong"

    def __init__(self, defect):
        super().__init__(INPUT, HIDDEN)
        self.defect = defect
        self.read = torch.nn.Linear(INPUT + HIDDEN, HIDDEN)

    def initial_state(self, batch, *, dtype=None, device=None):
        return (torch.zeros(batch, HIDDEN, **self._like(dtype, device)),)

    def _run(self, inputs, state, times, observed, lengths):
        hidden = self.initial_state(len(inputs))[0] if self.defect == "forgets its state" else state[0]
        outputs = []
        for k in range(inputs.shape[1]):
            after = torch.tanh(self.read(torch.cat([inputs[:, k], hidden], dim=-1)))
            ended = lengths is not None and self.defect != "reads padding"
            hidden = torch.where((k < lengths)[:, None], after, hidden) if ended else after
            outputs.append(hidden)
        outputs = torch.stack(outputs, dim=1)
        late = self.defect == "is late in a sequence" and inputs.shape[1] > 1
        return outputs.roll(1, dims=1) if late else outputs, (hidden,)


@pytest.mark.parametrize(
    ("defect", "assertion"),
    [
        ("is late in a sequence", lambda cell: assert_sequence_is_steps(cell, inputs_of())),
        ("forgets its state", assert_goes_on),
        ("reads padding", assert_padding_is_not_read),
    ],
)
def test_a_wrong_cell_is_seen(defect, assertion):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        right, wrong = Wrong("none").double(), Wrong(defect).double()
    assertion(right)
    with pytest.raises(AssertionError, match="not close"):
        assertion(wrong)


@pytest.mark.parametrize("key", KEYS)
def test_missing_numbers_are_not_read(key):
    cell, inputs, observed = made(key), inputs_of(), observed_of()
    holes = torch.where(observed, inputs, torch.nan).requires_grad_()
    outputs, _ = cell(holes, observed=observed)
    other, _ = cell(torch.where(observed, inputs, 7.0), observed=observed)
    assert torch.equal(outputs, other)
    outputs.square().sum().backward()
    assert (holes.grad[~observed] == 0).all()
    assert (holes.grad[observed] != 0).any()


@pytest.mark.parametrize("key", KEYS)
def test_default_times_are_0_1_2(key):
    cell, inputs = made(key), inputs_of()
    bound = rounding(cell, inputs.dtype, LENGTH)
    assert_same(cell(inputs, times=torch.arange(LENGTH)), cell(inputs), bound)


@pytest.mark.parametrize("key", KEYS)
def test_times_count_for_cells_that_say_so(key):
    cell, inputs = made(key), inputs_of()
    outputs, _ = cell(inputs)
    uneven, _ = cell(inputs, times=times_of())
    assert torch.equal(outputs, uneven) is not type(cell).uses_times


@pytest.mark.parametrize("key", KEYS)
def test_gradients(key):
    cell, inputs = made(key), inputs_of(length=3)[:2].requires_grad_()
    names, values = zip(*cell.named_parameters(), strict=True)
    observed, times = observed_of()[:2, :3], times_of()[:2, :3]

    def run(samples, *parameters):
        given = dict(zip(names, parameters, strict=True))
        outputs, state = torch.func.functional_call(cell, given, (samples,), {"times": times, "observed": observed})
        return (outputs, *(part for part in state if part.requires_grad))

    assert torch.autograd.gradcheck(run, (inputs, *values), fast_mode=True)


@pytest.mark.parametrize("key", KEYS)
def test_state_dict_and_seed(key):
    cell, other, inputs = made(key), made(key, seed=5), inputs_of()
    outputs, _ = cell(inputs)
    assert not torch.equal(outputs, other(inputs)[0])
    other.load_state_dict(cell.state_dict())
    assert torch.equal(outputs, other(inputs)[0])
    for twin in (made(key), copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert torch.equal(outputs, twin(inputs)[0])


@pytest.mark.parametrize("key", KEYS)
def test_dtype_follows_the_cell(key):
    cell, inputs = made(key), inputs_of()
    outputs, _ = cell(inputs)
    narrow = copy.deepcopy(cell).float()
    found, state = narrow(inputs.float())
    assert found.dtype == torch.float32
    bound = rounding(cell, torch.float32, LENGTH)
    torch.testing.assert_close(found.double(), outputs, rtol=bound, atol=bound)
    assert all(part.dtype in (torch.float32, torch.int64) or index for index, part in enumerate(state))
    assert narrow.initial_state(1)[0].dtype == torch.float32
    assert narrow.initial_state(1, dtype=torch.float64)[0].dtype == torch.float64


@pytest.mark.parametrize("key", KEYS)
def test_arguments_are_left_as_they_were(key):
    cell, inputs, times, observed = made(key), inputs_of(), times_of(), observed_of()
    _, state = cell(inputs)
    given = (inputs, times + 10, observed, *state)
    before = [part.clone() for part in given]
    cell(inputs, state, times=given[1], observed=observed)
    cell.step(inputs[:, 0], state, time=given[1][:, 0], observed=observed[:, 0])
    for now, then in zip(given, before, strict=True):
        torch.testing.assert_close(now, then, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("key", KEYS)
def test_sizes_are_checked(key):
    made(key)
    for sizes, name in (((0, 3), "input_size"), ((2, -1), "hidden_size")):
        with pytest.raises(ValueError, match=rf"{name} is .*; accepted: an integer >= 1"):
            cells.make_cell(key, *sizes)
    with pytest.raises(TypeError, match=r"hidden_size is 2.5 \(float\); accepted: an integer >= 1"):
        cells.make_cell(key, 2, 2.5)
    with pytest.raises(ValueError, match=rf"option 'colour' was given to cell '{key}', which does not have it"):
        cells.make_cell(key, 2, 3, colour="red")


def test_unknown_cells_are_named():
    with pytest.raises(ValueError, match=r"cell is 'hipo'; accepted: one of 'rnn', 'gru'"):
        cells.make_cell("hipo", 2, 3)
    with pytest.raises(TypeError, match=r"cell is 3 \(int\); accepted: one of"):
        cells.make_cell(3, 2, 3)


NAN = float("nan")


@pytest.mark.parametrize(
    ("inputs", "given", "error", "match"),
    [
        ([[[1.0, 2.0]]], {}, TypeError, "inputs is a list; accepted: a torch tensor"),
        (torch.zeros(3, 2), {}, ValueError, r"inputs has shape \(3, 2\); accepted: \(batch, length, 2\)"),
        (torch.zeros(3, 6, 4), {}, ValueError, r"inputs has shape \(3, 6, 4\); accepted: \(batch, length, 2\)"),
        (torch.zeros(3, 0, 2), {}, ValueError, "every length >= 1"),
        (torch.zeros(3, 6, 2).double(), {}, ValueError, r"inputs has dtype torch.float64 .*accepted: torch.float32"),
        (torch.zeros(3, 6, 2).half(), {}, TypeError, "inputs has dtype torch.float16; accepted: torch.float32 or"),
        (torch.full((1, 1, 2), NAN), {}, ValueError, r"inputs\[0, 0, 0\] is nan; accepted: finite numbers"),
        (None, {"times": [0.0, 1.0]}, TypeError, "times is a list; accepted: a tensor of real numbers"),
        (None, {"times": torch.zeros(5)}, ValueError, r"times has shape \(5,\); accepted: \(6,\) or \(3, 6\)"),
        (None, {"times": torch.full((6,), NAN)}, ValueError, "times has NaN or infinite numbers"),
        (None, {"times": torch.arange(6.0).flip(0)}, ValueError, r"times\[1\] is 4.0 after 5.0; accepted: strictly"),
        (None, {"observed": torch.ones(3, 6, 2)}, TypeError, "observed is torch.float32; accepted: a tensor of bool"),
        (None, {"observed": torch.ones(3, 6).bool()}, ValueError, r"observed has shape \(3, 6\); accepted: \(3, 6, 2"),
        (None, {"lengths": [6, 6, 6]}, TypeError, "lengths is a list; accepted: a tensor of integers"),
        (None, {"lengths": torch.tensor([6, 6])}, ValueError, r"lengths has shape \(2,\); accepted: \(3,\)"),
        (None, {"lengths": torch.tensor([6, 7, 1])}, ValueError, "lengths has 7; accepted: 1 to 6"),
        (None, {"lengths": torch.tensor([6, 0, 1])}, ValueError, "lengths has 0; accepted: 1 to 6"),
        (None, {"state": (torch.zeros(3, 3),)}, TypeError, "state is of 1 tensors; accepted: a state of this cell"),
        (None, {"state": 4}, TypeError, "state is int; accepted: a state of this cell"),
    ],
)
def test_bad_arguments_are_named(inputs, given, error, match):
    cell = made("hippo", dtype=torch.float32)
    with pytest.raises(error, match=match):
        cell(torch.zeros(BATCH, LENGTH, INPUT) if inputs is None else inputs, **given)


def test_bad_states_and_steps_are_named():
    cell = made("hippo", dtype=torch.float32)
    state = cell.initial_state(BATCH)
    with pytest.raises(ValueError, match=r"state\[0\] has shape \(3, 3\).*accepted: \(2, 3\)"):
        cell(torch.zeros(2, 1, INPUT), state)
    with pytest.raises(ValueError, match=r"state\[0\] .*dtype torch.float64.*accepted: .*torch.float32"):
        cell(torch.zeros(BATCH, 1, INPUT), (state[0].double(), *state[1:]))
    with pytest.raises(ValueError, match=r"sample has shape \(3, 5\); accepted: \(batch, 2\)"):
        cell.step(torch.zeros(BATCH, 5), state)
    with pytest.raises(ValueError, match=r"time has shape \(1,\); accepted: \(3,\)"):
        cell.step(torch.zeros(BATCH, INPUT), state, time=torch.zeros(1))
    _, state = cell(torch.zeros(BATCH, 4, INPUT))
    with pytest.raises(ValueError, match=r"time of stream 0 starts at 3.0, but the state has read .* 3.0; accepted"):
        cell.step(torch.zeros(BATCH, INPUT), state, time=torch.full((BATCH,), 3.0))


def test_without_torch_cells_can_be_listed_and_none_be_made():
    code = """
import sys
sys.modules["torch"] = None
from verify.adapters.own_nn import CELLS, make_cell
try:
    make_cell("rnn", 1, 1)
except ModuleNotFoundError as error:
    print(len(CELLS), error)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    needed = "cell 'rnn' needs torch, which is not installed; install it with: pip install 'hippo-verify[torch]'"
    assert answer.stdout == f"{len(KEYS)} {needed}\n"
