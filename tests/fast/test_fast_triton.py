"""The Triton kernels: interpreted on the processor against exact arithmetic, compiled without a device, run on one.

``TRITON_INTERPRET`` counts when kernels are decorated, and the interpreter leaves triton's own functions changed. So
interpreted kernels run in a process of their own, and so does the compilation; this process imports neither.
"""

import concurrent.futures
import contextlib
import multiprocessing
import os
from fractions import Fraction

import fast_exact
import numpy as np
import pytest

from hippo_fast.discretizations.base import EvenSteps, PrefixSteps
from hippo_fast.recurrence import make_recurrence

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("triton", reason="triton is not installed")

INTERPRET = os.environ.get("TRITON_INTERPRET")
DTYPES = ["float64", "float32"]


# What runs in the other process, or here on a device -----------------------------------------------------------------


def _tensor(device, array, strided=False):
    """A tensor with the values of an array, on request with gaps between them and its axes in another order."""
    if not strided:
        return torch.from_numpy(array.copy()).to(device)
    reversed_axes = torch.full([3 * n for n in array.shape[::-1]], float("nan"), dtype=getattr(torch, str(array.dtype)))
    view = reversed_axes.to(device)[tuple(slice(1, None, 3) for _ in array.shape)].permute(*range(array.ndim)[::-1])
    view.copy_(torch.from_numpy(array))
    return view


def legs_forward(device, steps, state, samples, before, *, scale=None, strided=False):
    """The last state, and all states where there is a scale."""
    from hippo_fast.kernels import triton_scan

    x = _tensor(device, state, strided)
    states = None
    if scale is not None:
        states = _tensor(device, np.full((*samples.shape, state.shape[1]), np.nan, state.dtype), strided)
    weights = _tensor(device, np.ones_like(state[0]) if scale is None else scale, strided)
    triton_scan.legs_forward(
        steps, x, _tensor(device, samples, strided), _tensor(device, before, strided), states, weights
    )
    return x.cpu().numpy(), None if states is None else states.cpu().numpy()


def legs_adjoint(device, steps, costate, incoming, scale, *, strided=False):
    """The gradients of the first state, of the samples and of the sample before them."""
    from hippo_fast.kernels import triton_scan

    y = _tensor(device, costate, strided)
    given = None if incoming is None else _tensor(device, incoming, strided)
    gradients, before = triton_scan.legs_adjoint(steps, y, given, _tensor(device, scale, strided))
    return y.cpu().numpy(), gradients.cpu().numpy(), before.cpu().numpy()


def invariant_forward(device, increment, gain, state, samples, *, store=True, strided=False):
    """The last state, and all states."""
    from hippo_fast.kernels import triton_scan

    c = _tensor(device, state, strided)
    states = _tensor(device, np.full((*samples.shape, state.shape[1]), np.nan, state.dtype), strided) if store else None
    matrix, weights, inputs = (_tensor(device, a, strided) for a in (increment, gain, samples))
    triton_scan.invariant_forward(matrix, weights, c, inputs, states)
    return c.cpu().numpy(), None if states is None else states.cpu().numpy()


def invariant_adjoint(device, increment, gain, costate, incoming, count, *, strided=False):
    """The gradients of the first state and of the samples."""
    from hippo_fast.kernels import triton_scan

    y = _tensor(device, costate, strided)
    matrix, weights = _tensor(device, increment, strided), _tensor(device, gain, strided)
    given = None if incoming is None else _tensor(device, incoming, strided)
    gradients = triton_scan.invariant_adjoint(matrix, weights, y, given, count)
    return y.cpu().numpy(), gradients.cpu().numpy()


def expanded_adjoint(device, steps, costate, order, scale):
    """`legs_adjoint` for gradients that are all one number in memory, as autograd hands over those of a sum."""
    from hippo_fast.kernels import triton_scan

    incoming = torch.ones((), dtype=getattr(torch, str(scale.dtype)), device=device)
    y = _tensor(device, costate)
    gradients, before = triton_scan.legs_adjoint(
        steps, y, incoming.expand(len(costate), len(steps), order), _tensor(device, scale)
    )
    return y.cpu().numpy(), gradients.cpu().numpy(), before.cpu().numpy()


def compiled_without_a_device():
    """Compile as a launch would, for a device that is not there: (name, dtype, lanes, PTX, bytes of shared memory)."""
    import triton
    from triton.backends.compiler import GPUTarget

    import hippo_fast.backends.torch_backend  # noqa: F401  (importable without the interpreter)
    from hippo_fast.kernels import triton_scan

    class NoDevice:
        def get_current_target(self):
            return GPUTarget("cuda", 80, 32)

        def get_current_device(self):
            return 0

        def get_current_stream(self, device):
            return 0

        def is_active(self):
            return True

    triton.runtime.driver.set_active(NoDevice())
    found = []

    class Compiling:
        def __init__(self, name):
            self.name, self.kernel = name, getattr(triton_scan, name)
            assert isinstance(self.kernel, triton.JITFunction)

        def __getitem__(self, grid):
            def launch(*arguments, **options):
                kernel = self.kernel.warmup(*arguments, grid=grid, **options)
                dtype, lanes = str(arguments[0].dtype), options.get("LANES", 0)
                found.append((self.name, dtype, lanes, kernel.asm["ptx"], kernel.metadata.shared))

            return launch

    for name in ("_legs_forward", "_legs_adjoint", "_invariant_forward", "_invariant_adjoint"):
        setattr(triton_scan, name, Compiling(name))
    own = np.ones((2, 3)) / 8
    for dtype, steps, order in (
        (torch.float32, PrefixSteps(own, own, own, own), 257),  # times of its own for each stream, two bands
        (torch.float64, EvenSteps(1, 3, 0.5, False), 8),
    ):
        state, samples, before, scale = (torch.zeros(s, dtype=dtype) for s in ((2, order), (2, 3), (2,), (order,)))
        states = torch.zeros(2, 3, order, dtype=dtype)
        triton_scan.legs_forward(steps, state, samples, before, states, scale)
        triton_scan.legs_adjoint(steps, state, states, scale)
        matrix, states = torch.zeros(64, 64, dtype=dtype), torch.zeros(2, 3, 64, dtype=dtype)
        triton_scan.invariant_forward(matrix, matrix[0], matrix[:2], samples, states)
        triton_scan.invariant_adjoint(matrix, matrix[0], matrix[:2], states, 3)
    return found


# Where it runs -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def process(**variables):
    """A process of its own that starts with these environment variables."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TRITON_INTERPRET", *variables):
            patch.delenv(name, raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            pool.submit(os.getpid).result()  # it starts while the variables are set
            patch.undo()
            yield pool


NO_DEVICE = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture(scope="module", params=["interpreted", pytest.param("cuda", marks=[pytest.mark.gpu, NO_DEVICE])])
def run(request):
    """Call a function of the first section: interpreted on the processor, or on the device."""
    if request.param == "cuda":
        yield lambda function, *arguments, **options: function("cuda", *arguments, **options)
        return
    with process(TRITON_INTERPRET="1") as pool:
        yield lambda function, *arguments, **options: pool.submit(function, "cpu", *arguments, **options).result()


# Exact answers and bounds ---------------------------------------------------------------------------------------------


def even(first, count, implicit, at_start=False):
    return EvenSteps(first=first, count=count, implicit=implicit, explicit_at_start=at_start)


def uneven(count):
    """Arbitrary numbers, a large and a small step among them; implicit = 1/4 makes p_4 zero."""
    generator = np.random.default_rng(7)
    total, implicit, now, before = generator.uniform(0.01, 0.6, (4, count))
    total[::3], implicit[::3] = 1.0, 0.25
    total[1::5], implicit[1::5] = 1e-6, 5e-7
    return PrefixSteps(total, implicit, now, before)


CASES = [  # the rule, streams, steps, order, dtype
    ("bilinear", 1, 1, 1, "float64"),
    ("bilinear", 2, 40, 8, "float32"),
    ("bilinear", 2, 6, 33, "float64"),
    ("bilinear", 1, 5, 64, "float32"),
    ("bilinear", 1, 2, 260, "float32"),
    ("backward_euler", 5, 7, 9, "float64"),
    ("backward_euler", 1, 2, 2, "float32"),
    ("euler", 3, 4, 20, "float32"),
    ("euler", 1, 3, 3, "float64"),
    ("trapezoid", 9, 12, 7, "float64"),
    ("trapezoid", 1, 4, 64, "float64"),
    ("trapezoid", 2, 5, 16, "float32"),
    ("uneven", 2, 9, 12, "float32"),
    ("uneven", 1, 5, 40, "float64"),
]

STEPS = {
    "bilinear": lambda count: even(1, count, 0.5),
    "backward_euler": lambda count: even(1, count, 1.0),
    "euler": lambda count: even(70, count, 0.0),
    "trapezoid": lambda count: even(2, count, 0.5, at_start=True),
    "uneven": uneven,
}


def arrays_of(steps):
    return steps.prefix() if isinstance(steps, EvenSteps) else steps


def problem(streams, count, order, dtype, seed=0):
    """State, samples and before."""
    generator = np.random.default_rng(seed)
    shapes = ((streams, order), (streams, count), (streams,))
    return [generator.uniform(-1, 1, shape).astype(dtype) for shape in shapes]


def fractions(array):
    return np.vectorize(lambda v: Fraction(float(v)), otypes=[object])(array)


def cut(value):
    """One fraction, as `fast_exact.cut`."""
    return Fraction(round(value * 2**fast_exact.BITS), 2**fast_exact.BITS)


def exact_states(steps, state, samples, before):
    """``(K, N)``, by the definition: ``(I - implicit A) d = total A x + B v`` solved row by row."""
    numbers = arrays_of(steps)
    x, u = fractions(state), [Fraction(float(v)) for v in (before, *samples)]
    found = []
    for k in range(len(samples)):
        total, implicit, now, explicit = (
            Fraction(float(a[k])) for a in (numbers.total, numbers.implicit, numbers.now, numbers.before)
        )
        v = now * u[k + 1] + explicit * u[k]
        held, moved = Fraction(0), []  # sum over j < n of (2 j + 1) (total x_j + implicit d_j)
        for n, old in enumerate(x):
            change = cut((v - held - (n + 1) * total * old) / (1 + implicit * (n + 1)))
            held += (2 * n + 1) * cut(total * old + implicit * change)
            moved.append(old + change)
        x = np.array(moved, object)
        found.append(x)
    return found


def exact_adjoint(steps, costate, incoming):
    """Costate ``(N,)`` before each step, newest first, and the gradient ``(K,)`` of each step's input v."""
    numbers = arrays_of(steps)
    y, costates, inputs = fractions(costate), [], []
    for k in reversed(range(len(numbers))):
        total, implicit = Fraction(float(numbers.total[k])), Fraction(float(numbers.implicit[k]))
        y = y + incoming[k]
        above, moved = Fraction(0), []  # the solution w of (I - implicit A)^T w = y, summed over rows above n
        for n in reversed(range(len(y))):
            w = cut((y[n] - implicit * (2 * n + 1) * above) / (1 + implicit * (n + 1)))
            moved.append(y[n] - cut(total * ((n + 1) * w + (2 * n + 1) * above)))
            above += w
        y = np.array(moved[::-1], object)
        costates.append(y)
        inputs.append(above)
    return costates, inputs[::-1]


def step_matrices(steps, order):
    """``(K, N, N)``: what a step does to a state, or to an error in it."""
    a, one, numbers = fast_exact.legs_integer_system(order)[0].astype(float), np.eye(order), arrays_of(steps)
    return [
        one + np.linalg.solve(one - implicit * a, total * a)
        for total, implicit in zip(numbers.total, numbers.implicit, strict=True)
    ]


def carried(matrices, local):
    """Sum of all local errors as the steps carry them on, ``(K, N)``; 1 % for what is not of first order."""
    spread, found = np.zeros((len(local[0]), 0)), []
    for matrix, error in zip(matrices, local, strict=True):
        spread = np.hstack([matrix @ spread, np.diag(error)])
        found.append(1.01 * np.abs(spread).sum(axis=1))
    return np.array(found)


def factors(steps, k, order):
    """r, (n + 1) T and (2 n + 1) T r of a step."""
    numbers, n = arrays_of(steps), np.arange(order)
    r = 1 / (1 + numbers.implicit[k] * (n + 1))
    return r, (n + 1) * numbers.total[k], (2 * n + 1) * numbers.total[k] * r


def states_bound(steps, exact, state, samples, before, unit):
    """The module's derivation, carried on by the exact steps: ``(K, N)`` for states of one stream."""
    numbers, n, local, old = arrays_of(steps), np.arange(len(state)), [], np.abs(state)
    for k, now in enumerate(np.abs(exact)):
        r, a, b = factors(steps, k, len(state))
        u = abs(samples[k]) * numbers.now[k] + abs(samples[k - 1] if k else before) * numbers.before[k]
        reach = u + np.concatenate([[0], np.cumsum(b * old)[:-1]])  # majorant of Q_n
        local.append(unit * (r * ((10 * n + 20) * reach + 9 * a * old) + now))  # 3 more for the roundings of Q_0
        old = now
    return carried(step_matrices(steps, len(state)), local)


def adjoint_bounds(steps, costates, costate, incoming, unit):
    """The same backwards: ``(K, N)`` for costates, newest first, and ``(K,)`` for the gradients of v."""
    order, numbers = len(costate), arrays_of(steps)
    left, local, sums, after = order - np.arange(order), [], [], np.abs(costate)
    for index, now in enumerate(np.abs(costates)):
        k = len(numbers) - 1 - index
        r, a, b = factors(steps, k, order)
        given = after + np.abs(incoming[k])
        reach = np.cumsum((r * given)[::-1])[::-1]  # majorant of rho_n
        above = np.append(reach[1:], 0)
        local.append(
            unit * (b * (10 * left + 16) * above + 10 * a * r * given + 4 * given + now)
        )  # 3 for adding scale times incoming
        sums.append(unit * (10 * order + 10) * reach[0])
        after = now
    matrices = [m.T for m in step_matrices(steps, order)[::-1]]
    bound = carried(matrices, local)
    errors = []  # of the sum r-weighted by the transposed solve, from the costate that entered the step
    for index in range(len(numbers)):
        k = len(numbers) - 1 - index
        a = fast_exact.legs_integer_system(order)[0].astype(float)
        weight = np.abs(np.linalg.solve(np.eye(order) - numbers.implicit[k] * a, np.ones(order)))
        errors.append(sums[index] + (weight @ bound[index - 1] if index else 0.0))
    return bound, np.array(errors[::-1])


def assert_within(computed, exact, bound, what):
    """Vectorised first; on failure name the first bad entry."""
    gap = np.abs(computed - exact)
    bad = ~(gap <= bound)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise AssertionError(
            f"{what}: entry {at}: {computed[at]!r} against {exact[at]!r}, off by {gap[at]:.3g}, bound {bound[at]:.3g}; "
            f"{int(bad.sum())} of {bad.size} entries are off"
        )


def scale_of(order, dtype):
    return np.sqrt(2.0 * np.arange(order) + 1.0).astype(dtype)


# LegS ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "streams", "count", "order", "dtype"), CASES)
def test_legs_forward_against_exact_states(run, kind, streams, count, order, dtype):
    steps, unit = STEPS[kind](count), np.finfo(dtype).eps / 2
    state, samples, before = problem(streams, count, order, dtype)
    scale = scale_of(order, dtype)
    last, states = run(legs_forward, steps, state, samples, before, scale=scale)
    assert last.dtype == states.dtype == dtype
    for s in {0, streams - 1}:
        exact = fast_exact.floats(exact_states(steps, state[s], samples[s], before[s]))
        bound = states_bound(steps, exact, state[s], samples[s], before[s], unit)
        scaled = exact * scale
        assert_within(states[s], scaled, scale * bound + 2 * unit * np.abs(scaled), f"{kind} stream {s}, states")
        assert_within(last[s], exact[-1], bound[-1], f"{kind} stream {s}, last")


@pytest.mark.parametrize(("kind", "streams", "count", "order", "dtype"), CASES)
def test_legs_adjoint_against_exact_gradients(run, kind, streams, count, order, dtype):
    steps, unit = STEPS[kind](count), np.finfo(dtype).eps / 2
    numbers, scale = arrays_of(steps), scale_of(order, dtype)
    costate = problem(streams, count, order, dtype, seed=1)[0]
    incoming = np.random.default_rng(2).uniform(-1, 1, (streams, count, order)).astype(dtype)
    first, gradients, before = run(legs_adjoint, steps, costate, incoming, scale)
    assert first.dtype == gradients.dtype == before.dtype == dtype
    for s in {0, streams - 1}:
        added = fractions(scale) * fractions(incoming[s])
        exact, inputs = exact_adjoint(steps, costate[s], added)
        exact, inputs = fast_exact.floats(exact), np.array([float(v) for v in inputs])
        bound, off = adjoint_bounds(steps, exact, costate[s], added.astype(float), unit)
        assert_within(first[s], exact[-1], bound[-1], f"{kind} stream {s}, costate")
        now, explicit = numbers.now, np.append(numbers.before[1:], 0.0)
        later, later_off = np.append(inputs[1:], 0.0), np.append(off[1:], 0.0)
        wanted = now * inputs + explicit * later
        allowed = now * off + explicit * later_off + 4 * unit * (np.abs(now * inputs) + np.abs(explicit * later))
        assert_within(gradients[s], wanted, allowed, f"{kind} stream {s}, samples")
        wanted, allowed = (
            numbers.before[:1] * inputs[:1],
            numbers.before[:1] * (off[:1] + 4 * unit * np.abs(inputs[:1])),
        )
        assert_within(before[s : s + 1], wanted, allowed, f"{kind} stream {s}, before")


def test_exact_states_are_those_of_the_dense_definition():
    """The bounds above rest on one form of the step; at times whose ratios are floats it is tied to a dense solve."""
    samples, h = np.random.default_rng(3).integers(-8, 8, 6) / 8, np.array([1.0, 0.5, 0.5, 0.75, 0.5])
    dense = fast_exact.legs_states(samples, [0, 1, 2, 4, 16, 32], 5, "bilinear")
    steps = PrefixSteps(total=h, implicit=h / 2, now=h, before=np.zeros(5))
    found = exact_states(steps, dense[0].astype(float), samples[1:], samples[0])
    assert all(abs(a - b) < Fraction(1, 2**200) for a, b in zip(np.ravel(found), np.ravel(dense[1:]), strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
def test_storing_states_changes_no_bit(run, dtype):
    state, samples, before = problem(3, 3, 13, dtype)
    steps = even(1, 3, 0.5)
    last, states = run(legs_forward, steps, state, samples, before, scale=np.ones(13, dtype))
    alone, nothing = run(legs_forward, steps, state, samples, before)
    assert nothing is None
    np.testing.assert_array_equal(states[:, -1], last)
    np.testing.assert_array_equal(alone, last)


def test_a_batch_is_its_streams_and_a_restart_goes_on(run):
    state, samples, before = problem(41, 5, 6, "float32")  # 41 streams of one lane: two in a thread, and a rest
    steps = even(3, 5, 0.5, at_start=True)
    last, _ = run(legs_forward, steps, state, samples, before)
    for s in (0, 33, 40):
        alone, _ = run(legs_forward, steps, state[s : s + 1], samples[s : s + 1], before[s : s + 1])
        np.testing.assert_array_equal(alone[0], last[s])
    half, _ = run(legs_forward, even(3, 2, 0.5, at_start=True), state, samples[:, :2], before)
    rest, _ = run(legs_forward, even(5, 3, 0.5, at_start=True), half, samples[:, 2:], samples[:, 1])
    np.testing.assert_array_equal(rest, last)


def test_times_of_its_own_for_each_stream(run):
    dtype, order = "float64", 9
    state, samples, before = problem(3, 3, order, dtype)
    one, two = uneven(3), arrays_of(even(4, 3, 0.5, at_start=True))
    names = ("total", "implicit", "now", "before")
    own = PrefixSteps(*(np.stack([getattr(s, name) for s in (one, two, one)]) for name in names))
    last, states = run(legs_forward, own, state, samples, before, scale=scale_of(order, dtype))
    gradients = run(legs_adjoint, own, state, states, scale_of(order, dtype))
    for s, steps in enumerate((one, two, one)):
        at = slice(s, s + 1)
        alone = run(legs_forward, steps, state[at], samples[at], before[at], scale=scale_of(order, dtype))
        np.testing.assert_array_equal(alone[0][0], last[s])
        np.testing.assert_array_equal(alone[1][0], states[s])
        for found, wanted in zip(
            run(legs_adjoint, steps, state[at], states[at], scale_of(order, dtype)), gradients, strict=True
        ):
            np.testing.assert_array_equal(found[0], wanted[s])


def test_any_strides(run):
    state, samples, before = problem(3, 4, 11, "float64")
    steps, scale = even(2, 4, 0.5, at_start=True), scale_of(11, "float64")
    plain = run(legs_forward, steps, state, samples, before, scale=scale)
    for found, wanted in zip(
        run(legs_forward, steps, state, samples, before, scale=scale, strided=True), plain, strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    backwards = run(legs_adjoint, steps, state, plain[1], scale)
    for found, wanted in zip(run(legs_adjoint, steps, state, plain[1], scale, strided=True), backwards, strict=True):
        np.testing.assert_array_equal(found, wanted)
    ones = run(legs_adjoint, steps, state, np.ones_like(plain[1]), scale)
    for found, wanted in zip(run(expanded_adjoint, steps, state, 11, scale), ones, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(("streams", "count"), [(0, 3), (2, 0), (0, 0)])
def test_nothing_to_do(run, streams, count):
    state, samples, before = problem(streams, count, 4, "float64")
    steps = even(1, count, 0.5)
    last, states = run(legs_forward, steps, state, samples, before, scale=np.ones(4))
    np.testing.assert_array_equal(last, state)
    assert states.shape == (streams, count, 4)
    costate, gradients, sample = run(legs_adjoint, steps, state, None, np.ones(4))
    np.testing.assert_array_equal(costate, state)
    assert gradients.shape == (streams, count)
    np.testing.assert_array_equal(sample, np.zeros(streams))


# Invariant laws ------------------------------------------------------------------------------------------------------


def invariant(order, dtype):
    """One step of LegT, rounded to the dtype: what the kernel is given is what the exact run uses."""
    recurrence = make_recurrence("legt", order, "bilinear", dt=1 / 64, theta=1.0, alpha=0.0, beta=1.0)
    steps = recurrence.steps(None)
    return steps.increment.astype(dtype), steps.gain.astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("streams", "count", "order"), [(1, 1, 1), (3, 12, 5), (18, 5, 16), (2, 3, 33), (1, 2, 64)])
def test_invariant_laws_against_exact_arithmetic(run, streams, count, order, dtype):
    increment, gain = invariant(order, dtype)
    state, samples, _ = problem(streams, count, order, dtype)
    incoming = np.random.default_rng(2).uniform(-1, 1, (streams, count, order)).astype(dtype)
    last, states = run(invariant_forward, increment, gain, state, samples)
    first, gradients = run(invariant_adjoint, increment, gain, state, incoming, count)
    unit, g, b = np.finfo(dtype).eps / 2, fractions(increment), fractions(gain)
    size, weight = np.abs(increment).astype(float), np.abs(gain).astype(float)
    matrices = [np.eye(order) + increment.astype(float)] * count
    for s in {0, streams - 1}:
        # A sum of N + 1 products errs by at most N + 2 units of their absolute values; adding the change, by one.
        c, exact, local = fractions(state[s]), [], []
        for u in samples[s]:
            products = size @ np.abs(c.astype(float)) + weight * abs(float(u))
            c = fast_exact.cut(c + g.dot(c) + b * Fraction(float(u)))
            exact.append(c)
            local.append(unit * ((order + 2) * products + np.abs(c.astype(float))))
        exact, bound = fast_exact.floats(exact), carried(matrices, local)
        assert_within(states[s], exact, bound, f"states of stream {s}")
        np.testing.assert_array_equal(states[s, -1], last[s])
        y, wanted, allowed, costates, local = fractions(state[s]), [], [], [], []
        for k in reversed(range(count)):
            y = y + fractions(incoming[s, k])
            held = np.abs(y.astype(float))
            wanted.append(float(b.dot(y)))
            allowed.append(unit * (order + 2) * (weight @ held))
            y = fast_exact.cut(y + g.T.dot(y))
            local.append(unit * ((order + 2) * (size.T @ held) + np.abs(y.astype(float)) + 2 * held))
            costates.append(y)
        bound = carried([m.T for m in matrices], local)
        assert_within(first[s], fast_exact.floats(costates)[-1], bound[-1], f"costate of stream {s}")
        for index in range(1, count):
            allowed[index] += weight @ bound[index - 1]
        assert_within(gradients[s][::-1], np.array(wanted), np.array(allowed), f"gradients of stream {s}")


def test_invariant_laws_with_any_strides_and_without_states(run):
    increment, gain = invariant(7, "float64")
    state, samples, _ = problem(3, 4, 7, "float64")
    last, states = run(invariant_forward, increment, gain, state, samples)
    for options in ({"strided": True}, {"store": False}, {"store": False, "strided": True}):
        found, stored = run(invariant_forward, increment, gain, state, samples, **options)
        np.testing.assert_array_equal(found, last)
        assert (stored is None) == ("store" in options)
    wanted = run(invariant_adjoint, increment, gain, state, states, 4)
    for a, b in zip(run(invariant_adjoint, increment, gain, state, states, 4, strided=True), wanted, strict=True):
        np.testing.assert_array_equal(a, b)
    zero = run(invariant_adjoint, increment, gain, state, np.zeros_like(states), 4)
    for a, b in zip(run(invariant_adjoint, increment, gain, state, None, 4), zero, strict=True):
        np.testing.assert_array_equal(a, b)


def limits(device):
    from hippo_fast.kernels import triton_scan

    found = [triton_scan.invariant_why_not(order, torch.float32) for order in (64, 65)]
    found += [triton_scan.legs_why_not(5000, dtype) for dtype in (torch.float64, torch.float16)]
    triton_scan._VERSION, current = (3, 5), triton_scan._VERSION
    found.append(triton_scan.invariant_why_not(1, torch.float32))
    triton_scan._VERSION = current
    return found


def test_limits_are_declared(run):
    small, large, legs, half, old = run(limits)
    assert small is legs is None
    assert large.startswith("order is 65; accepted: at most 64")
    assert half == "dtype is torch.float16; accepted: torch.float32 or torch.float64"
    assert old.endswith("accepted: 3.6 or newer")


# Without the interpreter ---------------------------------------------------------------------------------------------


def kind_of_kernel(device):
    from hippo_fast.kernels import triton_scan

    return device, type(triton_scan._legs_forward).__name__


def test_the_interpreter_stays_in_its_own_process(run):
    assert os.environ.get("TRITON_INTERPRET") == INTERPRET
    assert run(kind_of_kernel) in {("cpu", "InterpretedFunction"), ("cuda", "JITFunction")}


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is present")
def test_benchmarks_without_a_device_say_so():
    from asv_benchmarks import bench_gpu

    with pytest.raises(NotImplementedError, match="no CUDA device"):
        bench_gpu.Scans().setup("legs", "float32", 1)
    with pytest.raises(NotImplementedError, match="no CUDA device"):
        bench_gpu.Bandwidth().setup("float32", 256)


def test_kernels_compile_for_a_device_that_is_not_here(tmp_path):
    """The interpreter accepts more than the compiler does; and full precision is read off what was compiled."""
    with process(TRITON_CACHE_DIR=str(tmp_path), PYTHONWARNINGS="error") as pool:
        found = pool.submit(compiled_without_a_device).result()
    legs, both = ("_legs_forward", "_legs_adjoint"), ("_invariant_forward", "_invariant_adjoint")
    assert [(name, dtype, lanes) for name, dtype, lanes, _, _ in found] == [
        (legs[0], "torch.float32", 32), (legs[0], "torch.float32", 1),
        (legs[1], "torch.float32", 1), (legs[1], "torch.float32", 32),
        *((name, "torch.float32", 0) for name in both),
        *((name, "torch.float64", 1) for name in legs),
        *((name, "torch.float64", 0) for name in both),
    ]  # fmt: skip
    for name, dtype, lanes, ptx, shared in found:
        assert "tf32" not in ptx, name
        assert f"fma.rn.f{dtype[-2:]}" in ptx or "mma.sync.aligned.m8n8k4.row.col.f64" in ptx, name
        assert shared <= 64 * 1024, name
        assert lanes <= 1 or "shfl.sync.idx" in ptx, name
