"""Batches of LegS streams, forwards and backwards, against exact fractions and against dense matrices."""

from __future__ import annotations

from fractions import Fraction

import fast_exact
import numpy as np
import pytest

pytest.importorskip("numba", reason="the compiled kernels need numba")

from hippo_fast.discretizations.base import EvenSteps, PrefixSteps
from hippo_fast.kernels.streams import adjoint, last_states

RULES = {
    "euler": (3, 0.0, False),
    "bilinear": (1, 0.5, False),
    "backward_euler": (2, 1.0, False),
    "trapezoid": (2, 0.5, True),
}
KINDS = [*RULES, "uneven", "own"]
ORDERS = [1, 2, 3, 8, 9, 10, 33]
FLOATS = ["float64", "float32"]


def make_steps(kind, count, batch):
    """Steps of a rule; uneven ones shared by all streams, or of each stream's own."""
    if kind in RULES:
        first, implicit, trapezoid = RULES[kind]
        return EvenSteps(first, count, implicit, trapezoid)
    shape = (count,) if kind == "uneven" else (batch, count)
    times = 1 + np.cumsum(np.random.default_rng(5).uniform(0.1, 3, (*shape[:-1], count + 1)), axis=-1)
    gap = times[..., 1:] - times[..., :-1]
    before, after = gap / times[..., :-1] / 2, gap / times[..., 1:] / 2
    return PrefixSteps(before + after, after, after, before)


def arrays(steps, stream):
    """(total, implicit, now, before) of one stream, (K,) each."""
    prefix = steps.prefix() if isinstance(steps, EvenSteps) else steps
    found = (prefix.total, prefix.implicit, prefix.now, prefix.before)
    return [array if array.ndim == 1 else array[stream] for array in found]


def draw(batch, count, order, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape).astype(dtype) for shape in ((batch, order), (batch, count), (batch,)))


def step_matrix(total, implicit, order, magnitude=False):
    """(N, N + 1): row n of x' for each x_m, and last for the input, from the row differences of the recurrence.

    With ``magnitude`` every term is taken positive: the sum over all paths through the step's operations.
    """
    sign = 1 if magnitude else -1
    unit, change, found = np.eye(order, order + 1), np.zeros(order + 1), []
    change[order] = 1
    for n in range(order):
        up, down = n + 1, max(n - 1, 0)
        held = up * unit[n] + (down * unit[n - 1] if n else 0)
        change = ((1 + sign * implicit * down) * change + sign * total * held) / (1 + implicit * up)
        found.append(unit[n] + change)
    return np.array(found)


def local_bound(total, implicit, order, dtype):
    """(N, N + 1), at most the error of one step for each unit of x_m or of the input.

    A path passes at most N rows, with 8 roundings in each (the coefficient and its use) and 8 outside (the scale of the
    state on its way in and out, the input, the last sum), so at most 16 N, of half an ulp each; doubled for terms of
    second order.
    """
    return 16 * order * float(np.finfo(dtype).eps) * step_matrix(total, implicit, order, magnitude=True)


def forward_bounds(steps, stream, states, inputs, order, dtype):
    """Bound on the last state's error: local errors, carried on by the absolute values of the step matrices."""
    error = np.zeros(order)
    for j, (total, implicit, _, _) in enumerate(zip(*arrays(steps, stream), strict=True)):
        entering = np.abs(np.append(states[j], inputs[j]))
        carried = np.abs(step_matrix(total, implicit, order)[:, :order]) @ error
        error = carried + local_bound(total, implicit, order, dtype) @ entering
    return error


def exact_states(steps, stream, state, samples, earlier):
    """All states, the one before the first step included, in fractions from the definition in `PrefixSteps`."""
    x, found, inputs = [Fraction(float(v)) for v in state], [], []
    u = [Fraction(float(earlier)), *(Fraction(float(v)) for v in samples)]
    found.append(x)
    for j, numbers in enumerate(zip(*arrays(steps, stream), strict=True)):
        total, implicit, now, before = map(Fraction, numbers)
        running = now * u[j + 1] + before * u[j]
        inputs.append(float(running))
        x = list(x)
        for n, value in enumerate(x):
            change = (running - (n + 1) * total * value) / (1 + implicit * (n + 1))
            running -= (2 * n + 1) * (total * value + implicit * change)
            x[n] = fast_exact.cut(np.array([value + change]))[0]
            running = fast_exact.cut(np.array([running]))[0]
        found.append(x)
    return found, inputs


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", KINDS)
def test_last_states_against_fractions(kind, dtype):
    for order in ORDERS:
        for batch, count in ((1, 1), (3, 8), (18, 7), (2, 19)):
            steps = make_steps(kind, count, batch)
            state, samples, earlier = draw(batch, count, order, dtype, order)
            found = state.copy()
            last_states(steps, found, samples, earlier)
            for s in (0, batch - 1):
                exact, inputs = exact_states(steps, s, state[s], samples[s], earlier[s])
                known = fast_exact.floats(exact)
                bound = forward_bounds(steps, s, known, inputs, order, dtype)
                gap = np.abs(found[s] - known[-1])
                assert (gap <= bound).all(), (order, batch, count, s, int(np.argmax(gap - bound)), gap.max())


def dense_adjoint(steps, stream, costate, incoming, scale, order, dtype):
    """(costate, gradients, gradient of the sample before), and a bound on the error of each, by dense matrices.

    The paths of the transpose are those of the step, taken backwards, so its local errors have the same bound.
    """
    lam, error = costate.astype(float), np.zeros(order)
    total, implicit, now, before = arrays(steps, stream)
    gradients, bounds = np.zeros(len(total) + 1), np.zeros(len(total) + 1)
    for j in reversed(range(len(total))):
        if incoming is not None:
            lam = lam + scale * incoming[j]
            error = error + 4 * np.finfo(dtype).eps * np.abs(scale * incoming[j])
        matrix = step_matrix(total[j], implicit[j], order)
        back = matrix.T @ lam
        bound = np.abs(matrix.T) @ error + local_bound(total[j], implicit[j], order, dtype).T @ np.abs(lam)
        lam, error = back[:order], bound[:order]
        for k, weight in ((j + 1, now[j]), (j, before[j])):
            gradients[k] += weight * back[order]
            bounds[k] += abs(weight) * (bound[order] + 4 * np.finfo(dtype).eps * abs(back[order]))
    return (lam, gradients[1:], gradients[:1]), (error, bounds[1:], bounds[:1])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("receives", [False, True], ids=["last", "every"])
@pytest.mark.parametrize("kind", KINDS)
def test_adjoint_against_the_dense_transposes(kind, receives, dtype):
    for order in ORDERS if kind == "euler" else (*ORDERS, 257):  # Euler leaves the range of float32 there
        shapes = ((1, 1), (18, 7), (2, 11)) if order < 257 else ((2, 9),)
        for batch, count in (*shapes, (2, 70)) if order == 9 else shapes:  # 70 steps are more than one chunk
            steps = make_steps(kind, count, batch)
            costate, gradients, before = draw(batch, count, order, dtype, order)
            rng = np.random.default_rng(order)
            scale = rng.uniform(1, 2, order)
            incoming = rng.standard_normal((batch, count, order)).astype(dtype) if receives else None
            found = costate.copy()
            adjoint(steps, found, incoming, scale, gradients, before)
            for s in (0, batch - 1):
                given = None if incoming is None else incoming[s].astype(float)
                known, bounds = dense_adjoint(steps, s, costate[s], given, scale, order, dtype)
                # The dense products round as well, in float64, by less than the bound for that dtype.
                _, ours = dense_adjoint(steps, s, costate[s], given, scale, order, "float64")
                for got, want, bound, own in zip((found[s], gradients[s], before[s]), known, bounds, ours, strict=True):
                    gap = np.abs(got - want)
                    assert (gap <= bound + own).all(), (order, batch, count, s, gap.max())


@pytest.mark.parametrize("kind", KINDS)
def test_adjoint_is_the_transpose_of_last_states(kind):
    """<w, J u> = <J^T w, u> within the roundings of both sides."""
    order, batch, count = 20, 9, 23
    steps = make_steps(kind, count, batch)
    state, samples, earlier = draw(batch, count, order, "float64")
    weights = next(draw(batch, count, order, "float64", 1))
    costate, gradients, before = weights.copy(), np.empty_like(samples), np.empty_like(earlier)
    adjoint(steps, costate, None, np.ones(order), gradients, before)
    after = state.copy()
    last_states(steps, after, samples, earlier)
    for s in range(batch):
        exact, inputs = exact_states(steps, s, state[s], samples[s], earlier[s])
        forward = forward_bounds(steps, s, fast_exact.floats(exact), inputs, order, "float64") @ np.abs(weights[s])
        _, (one, two, three) = dense_adjoint(steps, s, weights[s], None, None, order, "float64")
        backward = one @ np.abs(state[s]) + two @ np.abs(samples[s]) + float(three[0] * abs(earlier[s]))
        left = float(after[s] @ weights[s])
        right = float(costate[s] @ state[s] + gradients[s] @ samples[s] + before[s] * earlier[s])
        assert abs(left - right) <= forward + backward


def test_large_orders_and_many_steps_against_the_numpy_backend():
    from hippo_fast.backends.numpy_backend import advance

    for order, batch, count in ((255, 17, 9), (256, 16, 17), (300, 3, 8), (5, 3, 150)):  # the last is three chunks
        steps = make_steps("trapezoid", count, batch)
        state, samples, earlier = draw(batch, count, order, "float64")
        every = np.empty((batch, count, order))
        known = advance(steps.prefix(), state, samples, earlier, states=every)
        inputs = steps.prefix().now * samples + steps.prefix().before * np.column_stack([earlier, samples[:, :-1]])
        for dtype in FLOATS:
            found = state.astype(dtype)
            last_states(steps, found, samples.astype(dtype), earlier.astype(dtype))
            s = batch - 1
            passed = np.vstack([state[s], every[s]])
            bound = forward_bounds(steps, s, passed, inputs[s], order, dtype)
            bound += forward_bounds(steps, s, passed, inputs[s], order, "float64")
            assert (np.abs(found[s] - known[s]) <= bound).all(), (order, dtype)


LAYOUTS = {
    "time outside": np.asfortranarray,
    "every second of each": lambda samples: np.repeat(np.repeat(samples, 2, axis=0), 2, axis=1)[::2, ::2],
    "reversed": lambda samples: samples[::-1, ::-1].copy()[::-1, ::-1],
    "off by a byte": lambda samples: (
        np.frombuffer(b"\0" + samples.tobytes(), np.uint8)[1:].view(samples.dtype).reshape(samples.shape)
    ),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["trapezoid", "own"])
def test_layout_changes_no_bit(kind, layout, dtype):
    order, batch, count = 12, 19, 40
    steps = make_steps(kind, count, batch)
    state, samples, earlier = draw(batch, count, order, dtype)
    laid = LAYOUTS[layout](samples)
    laid.flags.writeable = False
    np.testing.assert_array_equal(laid, samples)
    one, other = state.copy(), np.empty((batch, 3 * order), dtype)[:, order : 2 * order]
    other[...] = state
    last_states(steps, one, samples, earlier)
    last_states(steps, other, laid, earlier[::-1].copy()[::-1])
    np.testing.assert_array_equal(one, other)


def test_broadcast_samples_are_read_where_they_lie():
    order, batch, count = 5, 11, 9
    steps = make_steps("bilinear", count, batch)
    state, samples, earlier = draw(batch, count, order, "float64")
    for shared in (np.broadcast_to(samples[0], (batch, count)), np.broadcast_to(samples[:, :1], (batch, count))):
        one, other = state.copy(), state.copy()
        last_states(steps, one, shared, earlier)
        last_states(steps, other, shared.copy(), earlier)
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", ["trapezoid", "own"])
def test_a_stream_does_not_depend_on_its_neighbours_or_on_the_threads(kind, dtype, monkeypatch):
    order, batch, count = 17, 37, 30
    steps = make_steps(kind, count, batch)
    state, samples, earlier = draw(batch, count, order, dtype)
    incoming = np.random.default_rng(2).standard_normal((count, batch, order)).astype(dtype).transpose(1, 0, 2)
    scale = np.arange(1.0, order + 1)
    monkeypatch.setenv("HIPPO_NUM_THREADS", "1")

    def both(chosen, streams_steps):
        after, back = state[chosen].copy(), state[chosen].copy()
        gradients, before = np.empty_like(samples[chosen])[:, ::-1], np.empty_like(earlier[chosen])
        last_states(streams_steps, after, samples[chosen], earlier[chosen])
        adjoint(streams_steps, back, incoming[chosen], scale, gradients, before)
        return after, back, gradients, before

    whole = both(slice(None), steps)
    for s in (0, 20, 36):
        mine = PrefixSteps(*arrays(steps, s))
        for together, alone in zip(whole, both(slice(s, s + 1), mine), strict=True):
            np.testing.assert_array_equal(together[s : s + 1], alone)
    monkeypatch.setenv("HIPPO_NUM_THREADS", "3")
    monkeypatch.setattr("hippo_fast.threads._WORTH_A_THREAD", 1)
    for serial, threaded in zip(whole, both(slice(None), steps), strict=True):
        np.testing.assert_array_equal(serial, threaded)


def test_no_steps_and_no_streams_change_nothing():
    for batch, count in ((3, 0), (0, 4)):
        steps = make_steps("bilinear", count, batch)
        state, samples, earlier = draw(batch, count, 4, "float64")
        found = state.copy()
        last_states(steps, found, samples, earlier)
        gradients, before = samples.copy(), np.ones(batch)
        adjoint(steps, found, None, np.ones(4), gradients, before)
        np.testing.assert_array_equal(found, state)
        np.testing.assert_array_equal(before, np.zeros(batch))


def test_arrays_that_addresses_cannot_describe_are_refused():
    steps = make_steps("bilinear", 3, 2)
    state, samples, earlier = draw(2, 3, 4, "float64")
    with pytest.raises(
        TypeError, match="dtypes are state: float64, samples: float32, before: float64; accepted: the same"
    ):
        last_states(steps, state, samples.astype("float32"), earlier)
    with pytest.raises(ValueError, match=r"state has strides \(8, 16\) bytes; accepted: rows contiguous, 8 bytes last"):
        last_states(steps, np.asfortranarray(state), samples, earlier)
    with pytest.raises(ValueError, match="incoming has strides"):
        adjoint(steps, state, np.ones((2, 3, 8))[..., ::2], np.ones(4), samples, earlier)
    fixed = state.copy()
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="state is read-only; accepted: an array that can be written into"):
        last_states(steps, fixed, samples, earlier)
    with pytest.raises(ValueError, match="gradients is read-only"):
        adjoint(steps, state, None, np.ones(4), np.broadcast_to(earlier[:, None], (2, 3)), earlier)
    with pytest.raises(ValueError, match=r"steps have shape \(4,\); accepted: \(3,\) or \(2, 3\)"):
        last_states(make_steps("uneven", 4, 2), state, samples, earlier)
