"""Gradients against the lag: measured, derived, certified; and the laws that are told from each other, or are not."""

import numpy as np
import pytest
from scipy import integrate, special

pytest.importorskip("torch", reason="cells are of torch")

import torch

from verify.adapters.own_nn import make_cell
from verify.case import Case
from verify.claims import long_memory_gradients as gradients
from verify.claims.base import Scale, Standing
from verify.claims.long_memory import grid
from verify.claims.long_memory_bounds import MemoryRun, bounded, far_times, sloped
from verify.claims.long_memory_gradients import Law, decay
from verify.claims.long_memory_units import SETTINGS
from verify.oracle import Oracle


@pytest.mark.parametrize(("order", "position"), [(1, 0), (5, 0), (5, 3), (8, 7)])
def test_the_derived_norm_is_the_certified_gradient(order, position):
    times = [position + 1, position + 2, 12]
    derived = gradients.derived_norms(order, position, times)
    for t, norm in zip(times, derived, strict=True):
        exact = Oracle().jacobian(Case("-", "legs", order, "zoh"), t).high[:, position]
        assert norm == pytest.approx(float(np.linalg.norm(exact)), rel=1e-12)


def test_the_derived_norm_is_the_kernel_integrated_over_the_cell():
    order, position, t = 6, 4, 9
    weights = [
        integrate.quad(lambda x, n=n: np.sqrt(2 * n + 1) * special.eval_legendre(n, 2 * x / t - 1) / t, 4, 5)[0]
        for n in range(order)
    ]
    assert gradients.derived_norms(order, position, [t])[0] == pytest.approx(float(np.linalg.norm(weights)), rel=1e-12)
    kernel = [np.sqrt(2 * n + 1) * special.eval_legendre(n, 2 * 4.5 / t - 1) / t for n in range(order)]
    assert gradients.kernel_norms(order, 4.5, [t])[0] == pytest.approx(float(np.linalg.norm(kernel)), rel=1e-12)


@pytest.mark.parametrize("method", ["zoh", "bilinear", "trapezoid", "foh"])
def test_what_is_measured_is_the_certified_gradient_of_the_rule(method):
    exact = Oracle().jacobian(Case("-", "legs", 6, method), 11).high
    for position in (0, 1, 4, 10):
        measured = gradients.memory_norms(6, method, position, [11])[0]
        assert measured == pytest.approx(float(np.linalg.norm(exact[:, position])), rel=1e-12)


def test_the_upper_bound_is_that_of_zero_order_hold_and_its_statements_say_so():
    zoh, trapezoid = (2000 * gradients.memory_norms(4, method, 1, [2000])[0] / 4 for method in ("zoh", "trapezoid"))
    assert zoh < 1 < trapezoid == pytest.approx(9 / 8, rel=0.01)
    for statement in (bounded([run(4, 0)]), sloped(run(4, 0))):
        assert "LegS memory (zero-order hold)" in statement.text


def run(order, position, norms=None, reads=4096):
    times = grid(position + 2, reads)
    zoh = gradients.derived_norms(order, position, times)
    return MemoryRun(
        order, position, True, {"times": times, "measured": {"zoh": (norms or (lambda z, t: z))(zoh, times)}}
    )


@pytest.mark.parametrize("order", [2, 5, 8])
@pytest.mark.parametrize("position", [0, 1, 4])
def test_the_exact_memory_keeps_all_that_was_derived_for_it(order, position):
    memory = run(order, position, reads=2**14)
    assert bounded([memory]).standing is Standing.HOLDS
    assert sloped(memory).standing is Standing.HOLDS


@pytest.mark.parametrize(
    "wrong",
    [
        lambda z, t: z * 1.05,  # a gain
        lambda z, t: z / 20,  # a loss of more than N
        lambda z, t: z * np.exp(-np.array(t) / 500),  # a window
        lambda z, t: np.full(len(t), 1e-3),  # a gradient that stays
        lambda z, t: z * np.nan,
        lambda z, t: z * 0,
    ],
)
def test_another_memory_leaves_the_bounds(wrong):
    assert bounded([run(8, 0, wrong)]).standing is Standing.FAILS


@pytest.mark.parametrize(
    "wrong",
    [
        lambda z, t: 8 * np.array(t) ** -0.75,  # the law inside of the kernel
        lambda z, t: 8 * np.array(t) ** -1.25,
        lambda z, t: 8 * np.exp(-np.array(t) / 300),
        lambda z, t: np.ones(len(t)),
        lambda z, t: z * 0,
        lambda z, t: z * np.nan,
    ],
)
@pytest.mark.parametrize("position", [0, 4])
def test_another_law_is_not_one_over_t(wrong, position):
    assert sloped(run(8, position, wrong, reads=2**14)).standing is Standing.FAILS


@pytest.mark.parametrize("scale", [Scale.QUICK, Scale.DEFAULT, Scale.FULL])
def test_the_limits_of_the_slope_are_narrow_where_they_are_used(scale):
    setting = SETTINGS[scale]
    for position in setting.positions:
        times = grid(position + 2, setting.reads)
        kept = [times[index] for index in far_times(setting.order, position, times)]
        low, high = gradients.slope_limits(setting.order, position, kept)
        assert -1.02 < low <= -1 <= high < -0.85
        assert len(kept) >= 6


def test_too_short_a_run_says_nothing_of_the_slope():
    statement = sloped(run(8, 4, reads=500))
    assert statement.standing is Standing.UNDECIDED
    assert "0 times lie far enough" in statement.message


LAGS = [lag for lag in grid(1, 2000) if lag >= 8]
X = np.array(LAGS, float)


def wavering(norms, size, seed=0):
    phase = np.random.default_rng(seed).uniform(0, 6)
    return norms * np.exp(size * np.sin(2 * np.log(X) + phase))


@pytest.mark.parametrize(
    ("norms", "law"),
    [
        (1 / X, Law.POLYNOMIAL),
        (X**-0.5, Law.POLYNOMIAL),
        (wavering(1 / X, 0.2), Law.POLYNOMIAL),
        (X**-3.0, Law.POLYNOMIAL),
        (np.exp(-X / 300), Law.EXPONENTIAL),
        (0.5**X, Law.EXPONENTIAL),
        (wavering(np.exp(-X / 100), 0.2), Law.EXPONENTIAL),
        (np.exp(-X / 5) * (2 + np.sin(X)), Law.EXPONENTIAL),
        (np.ones_like(X), Law.STEADY),
        (1 + 0.3 * np.sin(X), Law.STEADY),
        (X, Law.UNCLEAR),  # it grows
        (np.exp(X / 500), Law.UNCLEAR),
        (np.exp(-np.sqrt(X)), Law.UNCLEAR),  # neither
        (wavering(X**-0.2, 0.8), Law.UNCLEAR),
    ],
)
def test_laws_are_told_apart_or_left_unclear(norms, law):
    assert decay(LAGS, norms).law is law


def test_what_has_vanished_is_left_out():
    found = decay(LAGS, np.exp(-X))  # below 1e-280 from lag 645 on
    assert found.law is Law.EXPONENTIAL
    assert found.rate == pytest.approx(-1)
    assert 500 < found.last < 645
    with pytest.raises(ValueError, match=r"0 of \d+ norms are above 1e-280; expected: 4 or more"):
        decay(LAGS, np.zeros_like(X))


def test_exponents_and_rates_are_the_true_ones():
    assert decay(LAGS, 3 * X**-1.25).exponent == pytest.approx(-1.25)
    assert decay(LAGS, 3 * np.exp(-X / 40)).rate == pytest.approx(-1 / 40)


@pytest.mark.parametrize(
    ("cell", "options"),
    [("rnn", {}), ("gru", {}), ("lstm", {}), ("exprnn", {}), ("hippo", {"measure": "legs"}), ("lmu", {"theta": 9.0})],
)
def test_forward_mode_gives_the_gradient_that_reverse_mode_gives(cell, options):
    torch.manual_seed(1)
    module = make_cell(cell, 1, 4, **options).to(torch.float64)
    inputs = torch.randn(1, 9, 1, dtype=torch.float64)
    norms = gradients.module_norms(module, inputs, 2)
    for step in (2, 3, 8):
        jacobian = torch.autograd.functional.jacobian(lambda x, step=step: module(x)[0][0, step], inputs)
        assert norms[step - 2] == pytest.approx(float(jacobian[:, 0, 2, 0].norm()), rel=1e-9)


def test_following_a_gradient_changes_neither_the_cell_nor_the_generator():
    before = torch.get_rng_state()
    first = gradients.cell_norms("gru", 4, {}, 12, 1, 3, 5)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(first, gradients.cell_norms("gru", 4, {}, 12, 1, 3, 5))
    assert len(first) == 11
    module = make_cell("gru", 1, 4)
    gradients.module_norms(module, np.zeros((1, 5, 1)), 0)
    assert next(module.parameters()).dtype is torch.float32


def test_a_mean_of_norms_is_zero_where_one_is():
    assert gradients.geometric_mean(np.array([[1.0, 4.0], [0.0, 9.0]])).tolist() == [0.0, pytest.approx(6.0)]
