"""The exact state of a closed ODE: the projection where the ODE is exact, and at a known distance where it is not."""

import mpmath
import pytest

import hippo_ref


def cosine(x):
    return mpmath.cos(3 * x)


@pytest.mark.parametrize(("time", "distance"), [(1, 0.046993), (4, 1.9559e-6)])
def test_the_closure_error_of_legt_fades(time, distance):
    """From a zero state the missing past counts at theta, and is forgotten at 4 theta (largest coefficient)."""
    legt = hippo_ref.measure("legt")
    state = hippo_ref.closed_state(legt, cosine, time, 8, dps=30)
    projection = hippo_ref.project(legt, cosine, time, 8, dps=30)
    assert float(max(abs(a - b) for a, b in zip(state, projection, strict=True))) == pytest.approx(distance, rel=1e-4)


@pytest.mark.parametrize("key", ["legs_lti", "lagt"])
def test_an_exact_measure_gives_the_projection_of_the_signal_since_then(key):
    measure = hippo_ref.measure(key)
    state = hippo_ref.closed_state(measure, cosine, 1, 5, dps=30)
    projection = hippo_ref.project(measure, cosine, 1, 5, dps=30, since=0)
    assert max(abs(a - b) for a, b in zip(state, projection, strict=True)) < mpmath.mpf(10) ** -29


def test_it_refuses():
    legt = hippo_ref.measure("legt")
    with pytest.raises(ValueError, match="needs an invariant law"):
        hippo_ref.closed_state(hippo_ref.measure("legs"), cosine, 1, 4)
    with pytest.raises(ValueError, match="t must be at least since = 2, got 1"):
        hippo_ref.closed_state(legt, cosine, 1, 4, since=2)
    with pytest.raises(TypeError, match="f must be a function"):
        hippo_ref.closed_state(legt, 3, 1, 4)
