"""What S4, S4D and S5 keep: built a second way, and judged wrong where they are made wrong."""

from dataclasses import replace
from pathlib import Path

import mpmath
import numpy as np
import pytest

from verify.adapters import own_nn
from verify.claims import initialisation_systems as systems
from verify.claims.base import Options, Scale, Standing
from verify.claims.initialisation import Initialisation
from verify.claims.workspace import Stopped, Workspace

QUICK = Options(scale=Scale.QUICK)


@pytest.fixture(scope="module")
def claim():
    return Initialisation()


@pytest.fixture(scope="module")
def done(claim):
    workspace = Workspace(Path("unused"))
    return {unit.key: claim.run(unit, QUICK, workspace) for unit in claim.plan(QUICK, {})}


def standings(claim, done, options=QUICK):
    return [statement.standing for statement in claim.judge(options, done).statements]


def altered(done, key, **changes):
    return done | {key: {**done[key], **changes}}


RIGHT = [Standing.HOLDS, Standing.HOLDS, Standing.FAILS, Standing.HOLDS, Standing.HOLDS]


def test_what_holds_and_what_does_not(claim, done):
    outcome = claim.judge(QUICK, done)
    assert [one.standing for one in outcome.statements] == RIGHT
    assert "0.7071" in outcome.statements[2].message
    assert outcome.statements[2].measured == pytest.approx(np.sqrt(0.5), rel=2e-3)
    assert [figure.key for figure in outcome.figures] == ["lost"]
    assert {table.key for table in outcome.tables} == {"memory", "limit", "kernel", "spectrum"}


@pytest.mark.parametrize(
    ("place", "key", "changes"),
    [
        (0, "factors-16", {"float32": {"status": "FAIL", "ratio": 3.0, "message": "an entry is wrong"}}),
        (0, "factors-64", {"dropped": {"status": "PASS", "ratio": 0.1, "message": ""}}),
        (1, "identity-32", {"gap": 1e-9}),
        (1, "identity-8", {"size_gap": 1e-9}),
        (3, "spectrum-16", {"relative": [0.2]}),
        (4, "memory-16", {"S4D-LegS": {"mean": 1e-5, "curve": [0.0] * 41}}),
    ],
)
def test_a_wrong_result_does_not_hold(claim, done, place, key, changes):
    found = standings(claim, altered(done, key, **changes))
    assert found == [Standing.FAILS if index == place else one for index, one in enumerate(RIGHT)]


def test_a_limit_that_is_reached_holds(claim, done):
    assert standings(claim, altered(done, "distance-256", rows=[0.01, 0.02, 0.03, 0.04]))[2] is Standing.HOLDS


def test_what_was_not_run_decides_nothing(claim, done):
    assert standings(claim, {}) == [Standing.NOT_RUN] * 5
    outcome = claim.judge(QUICK, {key: result for key, result in done.items() if key != "memory-64"})
    assert [one.standing for one in outcome.statements] == [*RIGHT[:4], Standing.NOT_RUN]
    table = outcome.tables[0]
    assert [numbers[1].why for _, numbers in table.rows] == ["not run at order 64"] * 6
    assert "64" in outcome.statements[4].message


def test_it_can_be_stopped(claim, tmp_path):
    with pytest.raises(Stopped):
        claim.run(claim.plan(QUICK, {})[0], QUICK, Workspace(tmp_path, stop=lambda: True))


def test_units_are_named_apart_at_every_scale(claim):
    for scale in Scale:
        keys = [unit.key for unit in claim.plan(Options(scale=scale), {})]
        assert len(set(keys)) == len(keys) > 0


def test_the_kernel_is_that_of_our_own_scan_and_a_wrong_factor_is_seen():
    parts = systems.factors(16)
    impulse = np.eye(1, 100)[0]
    A, B = systems.legs(16)
    step = np.linalg.solve(np.eye(16) - A / 100, np.eye(16) + A / 100)
    state, states = np.linalg.solve(np.eye(16) - A / 100, B / 50), []
    for _ in impulse:
        states.append(state)
        state = step @ state
    assert np.max(np.abs(systems.kernel(parts, 1 / 50, 100) - states)) < 1e-14
    for name in ("P", "B", "Lambda"):
        wrong = {**parts, name: parts[name] * 1.001}
        assert np.max(np.abs(systems.kernel(wrong, 1 / 50, 100) - states)) > 1e-5


def test_distances_are_those_of_quadrature():
    order = 4
    values, V = systems.normal_modes(order)
    driven = V.conj().T @ systems.legs(order)[1] / 2
    for n, found in enumerate(systems.distances(order, 3)):

        def difference(u, n=n):
            own = sum(complex(V[n, m] * driven[m]) * mpmath.exp(complex(values[m]) * u) for m in range(order)).real
            return (own - mpmath.sqrt(2 * n + 1) * mpmath.legendre(n, 2 * mpmath.exp(-u) - 1) * mpmath.exp(-u)) ** 2

        square = mpmath.quad(difference, [0, 1, 2, 4, 8, 16, 32, 64])
        assert found == pytest.approx(float(mpmath.sqrt(2 * square)), rel=1e-9)


def test_all_functions_of_the_diagonal_form_have_the_energy_of_the_proof():
    values, V = systems.normal_modes(32)
    driven = V.conj().T @ systems.legs(32)[1] / 2
    energy = np.trace(V @ (np.outer(driven, driven.conj()) / -(values[:, None] + values.conj())) @ V.conj().T)
    assert energy.real == pytest.approx(32**2 / 4, rel=1e-12)


def test_the_identity_needs_the_half_and_the_low_rank_term(monkeypatch):
    gap, size = systems.identity_gap(8, 1.0, 60)
    assert gap < 1e-40
    assert size < 1e-50
    exact = systems.epsilon
    monkeypatch.setattr(systems, "epsilon", lambda order, frequency: exact(order + 1, frequency))
    gap, size = systems.identity_gap(8, 1.0, 60)
    assert gap > 1e-3
    assert size > 1e-3


def test_what_is_lost_does_not_depend_on_the_basis_and_grows_with_the_lag():
    lags = np.linspace(0, 6, 7)
    exact = systems.responses(8)
    first = systems.lost(exact["S4 (LegS)"], 8, 2.0, 0.01, lags)
    same_span = systems.lost(exact["S4D-Real"], 8, 2.0, 0.01, lags)
    assert np.allclose(first, same_span, rtol=1e-5)
    assert np.all((first >= 0) & (first <= 1))
    assert first[-1] > 10 * first[1]
    fewer = systems.lost(lambda w: exact["S4 (LegS)"](w)[:, :4], 8, 2.0, 0.01, lags)
    assert np.all(fewer > first)


def test_what_is_lost_is_what_sampled_signals_lose():
    """A second way: random signals of that spectrum through the states, and a read-out fitted to them."""
    order, band, noise, lag = 4, 1.0, 0.1, 1.0
    expected = systems.lost(systems.responses(order)["S4 (LegS)"], order, band, noise, np.array([lag]))[0]
    generator = np.random.default_rng(3)
    A, B = systems.legs(order)
    dt, steps, streams = 0.02, 700, 6000
    frequencies = generator.uniform(0, band, (12, streams))
    phases = generator.uniform(0, 2 * np.pi, (12, streams))
    decay = np.linalg.solve(np.eye(order) - dt / 2 * A, np.eye(order) + dt / 2 * A)
    gain = np.linalg.solve(np.eye(order) - dt / 2 * A, B)
    state = np.zeros((streams, order))

    def signal(time):
        return np.sqrt(2 / 12) * np.cos(frequencies * time + phases).sum(0)

    for k in range(steps):
        white = noise / np.sqrt(dt) * generator.standard_normal(streams)
        state = state @ decay.T + dt * np.outer(signal((k + 0.5) * dt) + white, gain)
    wanted = signal(steps * dt - lag)
    read = np.linalg.lstsq(state, wanted, rcond=None)[0]
    assert np.mean((state @ read - wanted) ** 2) == pytest.approx(expected, rel=0.1)


def test_the_systems_are_our_own(monkeypatch):
    wrong = own_nn.system("legs", 8)
    monkeypatch.setattr(own_nn, "system", lambda measure, order: replace(wrong, A=-wrong.A))
    assert np.all(systems.legs(8)[0].diagonal() > 0)
