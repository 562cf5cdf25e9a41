"""All states of invariant laws, pieces side by side, against the recurrence in extended precision."""

import numpy as np
import pytest

import hippo_fast
from hippo_fast.operators import OPERATORS
from hippo_fast.recurrence import make_recurrence

pytest.importorskip("numba")
MEASURES = ("legt", "lmu", "lagt", "fout", "legs_lti")
RULES = ("bilinear", "backward_euler", "euler")
DT = 1 / 128  # small enough for forward Euler to contract at these orders, but for the turning pairs of fout


def reference(samples, measure, order, method):
    """States ``(L, N)`` of one stream in extended precision, and a bound of our error in each.

    Norms are those of the orthonormal basis. A step rounds 8 N times at the size of its terms; old error is carried by
    the norm of the step's own matrix.
    """
    steps = make_recurrence(measure, order, method, dt=DT, theta=1.0, alpha=0.0, beta=1.0).steps(None)
    scale = np.abs(OPERATORS[measure].scale(order))
    increment = (steps.increment / scale[:, None] * scale[None, :]).astype(np.longdouble)
    gain = (steps.gain / scale).astype(np.longdouble)
    carried = float(np.linalg.norm(np.eye(order) + increment.astype(float), 2))
    size = float(np.linalg.norm(increment.astype(float), 2)) + 1.0
    state, error, states, bounds = np.zeros(order, np.longdouble), 0.0, [], []
    for u in samples.astype(np.longdouble):
        old = float(np.linalg.norm(state.astype(float)))
        state = state + (increment @ state + gain * u)
        now = float(np.linalg.norm(state.astype(float)))
        error = carried * error + 8 * order * size * (
            old + now + float(abs(u)) * float(np.linalg.norm(gain.astype(float)))
        )
        states.append(state * scale)
        bounds.append(error * scale)
    return np.array(states).astype(float), np.array(bounds)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("streams", "length", "order"), [(1, 1, 1), (2, 5, 2), (17, 40, 9), (1, 4500, 4), (3, 2200, 3)]
)
def test_every_state(measure, method, dtype, streams, length, order):
    samples = np.random.default_rng(7).uniform(-1, 1, (streams, length)).astype(dtype)
    states = hippo_fast.scan(samples, measure, order, method=method, dt=DT, backend="numba")
    assert states.dtype == dtype
    last = hippo_fast.scan(samples, measure, order, method=method, dt=DT, backend="numba", output="last")
    for stream in {0, streams - 1}:
        exact, bound = reference(samples[stream], measure, order, method)
        allowed = bound * np.finfo(dtype).eps
        assert (np.abs(states[stream] - exact) <= allowed).all()
        assert (np.abs(last[stream] - exact[-1]) <= allowed[-1]).all()


def test_a_wrong_state_is_seen():
    """The bound is far below what an off-by-one would do."""
    samples = np.random.default_rng(7).uniform(-1, 1, 4500)
    states = hippo_fast.scan(samples, "legt", 4, dt=DT, backend="numba")
    exact, bound = reference(samples, "legt", 4, "bilinear")
    shifted = np.roll(states, 1, axis=0)
    assert (np.abs(shifted - exact) > bound * np.finfo(float).eps)[1:].any(axis=1).all()


@pytest.mark.parametrize("measure", MEASURES)
def test_samples_of_any_strides(measure):
    draw = np.random.default_rng(3)
    wide = draw.uniform(-1, 1, (40, 2 * 18))
    for samples in (wide[:, ::2].T, wide[::-1, ::-2].T, np.broadcast_to(wide[:, 0], (18, 40))):
        found = hippo_fast.scan(samples, measure, 6, dt=DT, backend="numba")
        wanted = hippo_fast.scan(np.ascontiguousarray(samples), measure, 6, dt=DT, backend="numba")
        np.testing.assert_array_equal(found, wanted)
