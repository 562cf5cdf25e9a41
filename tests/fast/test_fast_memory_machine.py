"""`Memory` as a state machine: whatever is done to it, in whatever order, its state is the exact one.

Each memory is kept beside the samples it has read. After every step the coefficients are compared with the exact states
of the recurrence within the derived rounding bound, and every other memory must be as it was: bit for bit, because
nothing has been done to it. Seeded broken memories show that the machine finds what goes wrong in practice.
"""

import copy
import math
import pickle
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hippo_fast import BACKENDS, OPERATORS, Memory
from verify.bounds import reconstruction_limits, scan_limits
from verify.cases import make_case
from verify.folders import cache_folder
from verify.metrics import norm
from verify.oracle import Oracle
from verify.strategies import readouts, signals

CELLS = [(measure, method) for measure in OPERATORS for method in BACKENDS["numpy"].methods[measure]]
PARAMETERS = {"lagt": {"alpha": 0.25, "beta": 1.5}, "legt": {"theta": 0.5}, "lmu": {"theta": 0.5}, "fout": {"theta": 2}}
LARGEST_ORDER = 4  # forward Euler on LegS loses its digits above
# At order 1 Euler's step k = 1 is c' = u: it forgets the state, and so does its bound, which is relative to what is
# kept. A step taken as c + (u - c) is rounded beside c: `test_a_step_that_forgets_is_rounded_beside_the_old_state`.
SMALLEST_ORDER = {("legs", "euler"): 2}
LONGEST = 60  # samples of one memory: a bound costs more with each
COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda memory: pickle.loads(pickle.dumps(memory)),
}
WRONG = (
    *(math.nan, math.inf, -math.inf, [1.0, math.nan], [-math.inf, 2.0], [], [[1.0]]),
    *("x", None, 1j, [1.0, "x"], [[1], [2, 3]]),
)
WRONG_POINTS = ([math.nan], [-0.25], [1.5], 0.5, "x", [[0.5]])

sample = st.one_of(st.integers(-4, 4), st.integers(-(2**20), 2**20).map(lambda i: i / 2**20))
# Exact in float32, so both dtypes read the same numbers; whole chunks of them at amplitudes from 2^-70 to 2^40.
chunk = st.one_of(st.lists(sample, min_size=1, max_size=6), signals(9, "float32").map(lambda s: list(s.values)))
points = readouts(1, lowest=1).map(lambda item: list(item.points))


@dataclass
class Held:
    """A memory, and what it must be.

    Attributes:
        memory: the memory.
        case: what the reference is asked for.
        history: samples it has read.
        seen: its coefficients when they were last checked.
    """

    memory: Memory
    case: object
    history: list = field(default_factory=list)
    seen: np.ndarray = None

    def twin(self, memory):
        return replace(self, memory=memory, history=list(self.history))

    @property
    def state(self):
        """Everything of it that can be seen."""
        return self.memory.count, repr(self.memory), self.memory.coefficients.tobytes()


class MemoryMachine(RuleBasedStateMachine):
    """All memories of one measure and rule, in both dtypes."""

    memories = Bundle("memories")

    def __init__(self, cell, make, oracle):
        super().__init__()
        self.cell, self.make, self.oracle = cell, make, oracle
        self.all, self.saved = [], None
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "memory.state"

    def teardown(self):
        self.folder.cleanup()

    def keep(self, held):
        self.all.append(held)
        self.check(held)
        return held

    def check(self, held):
        """The state is the exact one, within the bound of a PASS, and what was handed out is a copy."""
        got = held.memory.coefficients
        held.seen = got.copy()
        got[...] = 7.0
        got = held.memory.coefficients
        assert got.tobytes() == held.seen.tobytes()
        assert held.memory.count == len(held.history)
        assert got.shape == (held.case.order,)
        assert got.dtype == held.case.dtype
        if not held.history:
            assert not got.any()
            return
        states, operator = self.oracle.states(held.case, held.history), self.oracle.operator(held.case)
        limits = scan_limits(operator, held.history, states.high, held.case.dtype)
        error = norm(states[-1].error(got), operator.weights)
        known = norm(states[-1].radius, operator.weights)
        assert math.isfinite(limits.forward[-1])
        assert error <= limits.forward[-1] + known, f"state {len(held.history) - 1} of {held.memory} is off by {error}"

    @initialize(target=memories, order=st.integers(1, LARGEST_ORDER), begun=chunk)
    def start(self, order, begun):
        """In each dtype one memory that has read nothing yet, and one that has."""
        measure, method = self.cell
        order = max(order, SMALLEST_ORDER.get(self.cell, 1))
        options = {"method": method, "dt": None if measure == "legs" else 1 / 16, **PARAMETERS.get(measure, {})}
        made = []
        for dtype in ("float64", "float32"):
            case = make_case("Memory", measure, order=order, level="scan", dtype=dtype, **options)
            for history in ([], begun):
                memory = self.make(measure, order, dtype=dtype, **options)
                if history:
                    memory.update(history)
                made.append(self.keep(Held(memory, case, [float(value) for value in history])))
        return multiple(*made)

    def read(self, held, given, values):
        if len(held.history) < LONGEST:
            held.memory.update(given)
            held.history += [float(value) for value in values]
            self.check(held)

    @rule(held=memories, value=sample, kind=st.sampled_from((float, np.float32, np.float64, np.array)))
    def update_one(self, held, value, kind):
        self.read(held, kind(value), [value])

    @rule(held=memories, values=chunk, kind=st.sampled_from((list, tuple, np.float32, np.float64)))
    def update_many(self, held, values, kind):
        given = kind(values)
        self.read(held, given, values)
        assert list(given) == values  # the caller's samples are left alone

    @rule(held=memories, wrong=st.sampled_from(WRONG), at=st.sampled_from(WRONG_POINTS), value=sample)
    def wrong_input(self, held, wrong, at, value):
        """Refused without a trace: neither now nor in the step after."""
        before = held.state
        with pytest.raises((ValueError, TypeError), match="sample"):
            held.memory.update(wrong)
        assert held.state == before
        with pytest.raises((ValueError, TypeError), match="points"):
            held.memory.reconstruct(at)
        assert held.state == before
        self.read(held, value, [value])

    @rule(target=memories, held=memories)
    def update_too_large(self, held):
        """At the end of the range a rule may overflow, or not; if it does, the memory goes on as if never asked."""
        largest = float(np.finfo(held.case.dtype).max)
        other, before = copy.deepcopy(held.memory), held.state
        try:
            other.update([largest, -largest, largest, 1.0])
        except OverflowError:
            assert (other.count, repr(other), other.coefficients.tobytes()) == before
            return self.keep(held.twin(other))
        return multiple()

    @rule(target=memories, held=memories, values=chunk)
    def save_and_load(self, held, values):
        """The file is of the moment: what is read after the save is not in it. Both go on."""
        before = held.state
        held.memory.save(self.path)
        assert held.state == before
        self.saved = held.twin(held.memory), before
        self.read(held, values, values)
        loaded = self.load()
        self.read(loaded, values, values)
        return loaded

    @precondition(lambda self: self.saved is not None)
    @rule(target=memories)
    def load_again(self):
        """A file can be read twice, whatever has been done since."""
        return self.load()

    def load(self):
        saved, state = self.saved
        loaded = self.keep(saved.twin(type(saved.memory).load(self.path)))
        assert loaded.state == state
        return loaded

    @rule(target=memories, held=memories, way=st.sampled_from(tuple(COPIES)), values=chunk)
    def duplicate(self, held, way, values):
        """Both go on, neither moves the other."""
        twin = self.keep(held.twin(COPIES[way](held.memory)))
        assert twin.state == held.state
        self.read(twin, values, values)
        self.the_others_are_as_they_were()
        self.read(held, values[:1], values[:1])
        return twin

    @rule(held=memories, at=points)
    def reconstruct(self, held, at):
        before = held.state
        if held.case.measure == "lagt":
            with pytest.raises(ValueError, match="infinite"):
                held.memory.reconstruct(at)
        else:
            values = held.memory.reconstruct(at)
            coefficients = held.memory.coefficients.astype(float)
            exact = self.oracle.evaluate(held.case, coefficients.tolist(), at)
            # Reading back is done in float64 whatever the dtype of the memory.
            limits = reconstruction_limits(self.oracle.largest_basis(held.case), coefficients, "float64")
            assert values.shape == (len(at),)
            assert (np.abs(exact.error(values)) <= limits.forward + exact.radius).all()
        assert held.state == before

    @invariant()
    def the_others_are_as_they_were(self):
        for held in self.all:
            assert held.memory.coefficients.tobytes() == held.seen.tobytes()
            assert held.memory.count == len(held.history)


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


def explore(cell, make, oracle, **options):
    chosen = settings(deadline=None, database=None, print_blob=False, report_multiple_bugs=False, **options)
    run_state_machine_as_test(lambda: MemoryMachine(cell, make, oracle), settings=chosen)


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_a_memory_is_exact_whatever_is_done_to_it(cell, oracle):
    """The examples of the profile are shared out over measures and rules; a deeper profile also takes longer walks."""
    examples = max(settings().max_examples // 5, 4)
    explore(cell, Memory, oracle, max_examples=examples, stateful_step_count=15 if examples < 20 else 50)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_an_update_never_writes_into_the_old_state(cell, count, dtype, order):
    """Found by the machine: at order 1 a view of the state, turned round, is no copy of it."""
    measure, method = cell
    memory = Memory(measure, order, method=method, dt=None if measure == "legs" else 1 / 16, dtype=dtype)
    memory.update([1.0, 2.0])
    old, state = memory._state, memory._state.tobytes()
    memory.update(np.zeros(count))
    assert old.tobytes() == state


def test_an_overflow_at_order_one_leaves_the_memory_as_it_was():
    memory = Memory("legs", 1, method="euler", dtype="float32")
    memory.update(3e38)
    before = memory.coefficients
    with pytest.raises(OverflowError, match="nothing was read"):
        memory.update(-3.4e38)
    np.testing.assert_array_equal(memory.coefficients, before)
    assert memory.count == 1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_step_that_forgets_is_rounded_beside_the_old_state(dtype):
    memory = Memory("legs", 1, method="euler", dtype=dtype)
    memory.update([1.0, 2.0**-60])
    # c + (u - c): two roundings of numbers of the size of c.
    assert abs(float(memory.coefficients[0]) - 2.0**-60) <= 2 * np.finfo(dtype).eps


class LosesBefore(Memory):
    """A file without the last sample: rules that read two samples go on wrong."""

    @classmethod
    def load(cls, path):
        memory = super().load(path)
        memory._before = np.zeros_like(memory._before)
        return memory


class RestartsItsClock(Memory):
    """A file without the count, which is made up from what else is known: LegS goes on with the step of a young one."""

    shown = 0

    @classmethod
    def load(cls, path):
        memory = super().load(path)
        memory.shown = max(memory._count - 1, 0)
        memory._count -= memory.shown
        return memory

    @property
    def count(self):
        return self._count + self.shown


class CountsFailedUpdates(Memory):
    def update(self, sample):
        try:
            super().update(sample)
        except (TypeError, ValueError):
            self._count += 1
            raise


class ReadsBeforeItChecks(Memory):
    """A wrong chunk is refused, but its first sample is taken for the one before the next."""

    def update(self, sample):
        try:
            super().update(sample)
        except (TypeError, ValueError):
            if isinstance(sample, list) and sample and isinstance(sample[0], float):
                self._before = np.nan_to_num(np.array(sample[:1], self._dtype))
            raise


class HandsOutItsState(Memory):
    @property
    def coefficients(self):
        return self._state[0]


class SharesItsState(Memory):
    """Updates in place, so a shallow copy changes with it."""

    def update(self, sample):
        state = self._state
        super().update(sample)
        state[...] = self._state
        self._state = state


class ReadsTheLastOnly(Memory):
    """Update many steps on by as many samples, but each is the last of them."""

    def update(self, sample):
        values = np.asarray(sample)
        super().update(np.full_like(values, values[-1]) if values.ndim == 1 and values.size else sample)


class SortsPoints(Memory):
    def reconstruct(self, points):
        return super().reconstruct(np.sort(points) if np.ndim(points) == 1 else points)


class WritesIntoSamples(Memory):
    def update(self, sample):
        super().update(sample)
        if isinstance(sample, np.ndarray) and sample.ndim:
            sample[:] = 0


class SavesLate(Memory):
    """The file shares the memory: what is read after the save is in it, too."""

    files: ClassVar = {}

    def save(self, path):
        super().save(path)
        self.files[str(path)] = self

    @classmethod
    def load(cls, path):
        return copy.deepcopy(cls.files[str(path)])


class RoundsOnTheWay(Memory):
    """float32 on the way to float64 coefficients: wrong in the eighth digit, on all but the first of them."""

    @property
    def coefficients(self):
        found = super().coefficients
        return np.concatenate([found[:1], found[1:].astype(np.float32).astype(found.dtype)])


@pytest.mark.parametrize(
    ("broken", "cell"),
    [
        (LosesBefore, ("legs", "trapezoid")),
        (LosesBefore, ("legs", "foh")),
        (RestartsItsClock, ("legs", "bilinear")),
        (CountsFailedUpdates, ("legt", "zoh")),
        (ReadsBeforeItChecks, ("legs", "trapezoid")),
        (HandsOutItsState, ("fout", "bilinear")),
        (SharesItsState, ("legs", "zoh")),
        (SharesItsState, ("lmu", "euler")),
        (ReadsTheLastOnly, ("lagt", "backward_euler")),
        (SortsPoints, ("legt", "bilinear")),
        (WritesIntoSamples, ("legs_lti", "zoh")),
        (SavesLate, ("legs", "euler")),
        (RoundsOnTheWay, ("legs_lti", "bilinear")),
    ],
)
def test_the_machine_finds_a_broken_memory(broken, cell, oracle):
    with pytest.raises(AssertionError):
        explore(
            cell, broken, oracle, max_examples=60, stateful_step_count=20, derandomize=True, phases=(Phase.generate,)
        )
