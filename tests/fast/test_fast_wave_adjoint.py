"""The adjoint of one LegS stream: rows against transposes in fractions, and waves against rows, bit for bit."""

import itertools
from fractions import Fraction

import fast_exact
import numpy as np
import pytest

pytest.importorskip("numba", reason="the kernels are compiled by numba")

from hippo_fast.discretizations.base import EvenSteps, PrefixSteps
from hippo_fast.kernels import streams, wave_adjoint

RULES = {"euler": (0.0, False), "bilinear": (0.5, False), "backward_euler": (1.0, False), "trapezoid": (0.5, True)}


def row_by_row(steps, *given):
    if isinstance(steps, EvenSteps):
        return wave_adjoint.even_row_by_row(steps.first, steps.implicit, steps.explicit_at_start, *given)
    return wave_adjoint.uneven_row_by_row(steps.total, steps.implicit, steps.now, steps.before, *given)


def in_a_wave(steps, *given):
    if isinstance(steps, EvenSteps):
        return wave_adjoint.even_wave(steps.first, steps.implicit, steps.explicit_at_start, *given)
    return wave_adjoint.uneven_wave(steps.total, steps.implicit, steps.now, steps.before, *given)


def make_steps(method, count, seed=0):
    """Steps of a rule, or steps of very different lengths, with both samples read."""
    if method != "uneven":
        return EvenSteps(2, count, *RULES[method])
    rng = np.random.default_rng(seed)
    total = np.exp(rng.normal(size=count)) / np.arange(2, count + 2)
    return PrefixSteps(total=total, implicit=total * rng.random(count), now=0.25 * total, before=0.75 * total)


def draw(count, order, dtype, *, receives, seed=0):
    rng = np.random.default_rng(seed)
    incoming = rng.normal(size=(count, order + 1)).astype(dtype)[:, 1:] if receives else None
    return rng.normal(size=order).astype(dtype), incoming, rng.uniform(1, 2, order).astype(dtype)


def prefix_arrays(steps):
    prefix = steps.prefix() if isinstance(steps, EvenSteps) else steps
    return prefix.total, prefix.implicit, prefix.now, prefix.before


def exact_adjoint(steps, costate, incoming, scale):
    """(costates as they enter each step, last step first, and the final one; derivatives of each input)."""
    order = len(costate)
    a, b = fast_exact.legs_integer_system(order)
    one = fast_exact.identity(order)
    costate = np.array([Fraction(float(v)) for v in costate], object)
    entering, shares = [], []
    for j in reversed(range(len(steps))):
        total, implicit = (Fraction(float(array[j])) for array in prefix_arrays(steps)[:2])
        if incoming is not None:
            given = zip(scale, incoming[j], strict=True)
            costate = costate + np.array([Fraction(float(s)) * Fraction(float(v)) for s, v in given], object)
        entering.append(costate)
        back = one - implicit * a
        shares.append(float(fast_exact.forward_substitution(back, b).dot(costate)))
        costate = fast_exact.cut((one + total * fast_exact.forward_substitution(back, a)).T.dot(costate))
    return fast_exact.floats([*entering, costate]), shares


def error_bounds(steps, entering, received, eps):
    """Bound the norm of ``(computed - exact)/s_n`` after the last transposed step, and the error of each input's share.

    With u = eps/2, a row rounds ``g`` and ``e`` by u of themselves, and what is taken from them and from l by at most
    16 u of the sum of the sizes in it: T, i and 1/(1 + i (n + 1)) carry up to 3, 3 and 5 roundings, each operation adds
    one. An incoming gradient carries 2 roundings, l' one more. In a step an error of g passes on to e with the factor
    ``1 - 2 i n/(1 + i (n + 1))``, from step to step errors pass on with the step's norm.
    """
    order = entering.shape[1]
    n, scale, unit = np.arange(order), np.sqrt(2.0 * np.arange(order) + 1.0), eps / 2
    a = np.where(n[:, None] > n, -np.outer(scale, scale), 0.0) - np.diag(n + 1.0)
    error, shares = 0.0, []
    total, implicit = prefix_arrays(steps)[:2]
    for at, j in enumerate(reversed(range(len(steps)))):
        t, i = total[j], implicit[j]
        error += 2 * unit * np.linalg.norm((received[j] + np.abs(entering[at])) / scale)
        e, passed, above, passed_above, local = 0.0, 0.0, 0.0, 0.0, np.zeros(order)
        for m in reversed(range(order)):
            g, r = entering[at, m] + e, 1 / (1 + i * (m + 1))
            passed += unit * abs(g)
            h, passed_h = r * g, r * passed
            sizes = (m + 1) * abs(h) + m * abs(above)
            local[m] = t * ((m + 1) * passed_h + m * passed_above + 16 * unit * sizes) + unit * abs(entering[at + 1, m])
            e = g - 2 * i * m * h
            passed = abs(1 - 2 * i * m * r) * passed + 16 * unit * abs(2 * i * m * h) + unit * abs(e)
            above, passed_above = h, passed_h
        back = np.linalg.inv(np.eye(order) - i * a)
        shares.append(np.linalg.norm(back @ scale) * error + (passed + 8 * unit * abs(e)) / (1 + i))
        error = np.linalg.norm(np.eye(order) + t * back @ a, 2) * error + np.linalg.norm(local / scale)
    return error, shares


def of_samples(steps, shares, *, magnitude=False):
    """Derivatives with respect to the sample before the first and to each, from those of the inputs, last first."""
    _, _, now, before = prefix_arrays(steps)
    found = np.zeros(len(steps) + 1)
    for at, j in enumerate(reversed(range(len(steps)))):
        for k, weight in ((j + 1, now[j]), (j, before[j])):
            found[k] += weight * (abs(shares[at]) if magnitude else shares[at])
    return found


def check_against(steps, found, entering, shares, received, eps):
    """Assert that (costate, gradients, gradient before) are within the bounds of what is known."""
    costate, gradients, before = found
    error, bounds = error_bounds(steps, entering, received, eps)
    scale = np.sqrt(2.0 * np.arange(costate.size) + 1.0)
    off = np.linalg.norm((costate - entering[-1]) / scale)
    assert off <= error, f"off by {off:.3g}, bound {error:.3g}"
    allowed = of_samples(steps, bounds) + 4 * eps * of_samples(steps, shares, magnitude=True)
    gap = np.abs(np.append(before, gradients) - of_samples(steps, shares))
    assert (gap <= allowed).all(), (int(np.argmax(gap - allowed)), gap.max())
    return error


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("receives", [False, True], ids=["last", "every"])
@pytest.mark.parametrize("order", [1, 2, 5, 13])
@pytest.mark.parametrize("method", [*RULES, "uneven"])
def test_rows_against_exact_transposes(method, order, receives, dtype):
    steps, eps = make_steps(method, 9), float(np.finfo(dtype).eps)
    costate, incoming, scale = draw(9, order, dtype, receives=receives)
    entering, shares = exact_adjoint(steps, costate, incoming, scale)
    received = np.zeros((9, order)) if incoming is None else np.abs(scale * incoming.astype(float))
    gradients = np.full(9, np.nan, dtype)
    before = row_by_row(steps, costate, incoming, scale, gradients)
    error = check_against(steps, (costate, gradients, before), entering, shares, received, eps)
    assert error <= 1e5 * eps or method == "euler", "a bound that proves nothing"


@pytest.mark.parametrize("method", ["trapezoid", "uneven"])
def test_a_large_order_against_the_adjoint_of_many_streams(method):
    """In float32, within its bounds of what `streams` finds in float64, whose own roundings vanish beside them."""
    order, count = 257, 12
    steps = make_steps(method, count)
    costate, incoming, scale = draw(count, order, "float32", receives=True)
    wide, gradients, before = costate[None].astype(float), np.empty((1, count)), np.empty(1)
    entering, given = [], incoming.astype(float)
    arrays = prefix_arrays(steps)
    for j in reversed(range(count)):
        entering.append(wide[0] + scale * given[j])
        one = PrefixSteps(*(array[j : j + 1] for array in arrays))
        streams.adjoint(one, wide, given[None, j : j + 1], scale.astype(float), gradients[:, j : j + 1], before)
    shares = [gradients[0, j] / arrays[2][j] for j in reversed(range(count))]
    found = np.empty(2 * count, "float32")[::-2]
    last = wave_adjoint.adjoint_one(steps, costate, incoming, scale, found)
    entering, received = np.array([*entering, wide[0]]), np.abs(scale * given)
    check_against(steps, (costate, found, last), entering, shares, received, float(np.finfo("float32").eps))


SMALL, MIDDLE, LARGE = [1, 2, 7, 8, 9, 15, 16], [25, 31, 32, 33], [63, 64, 65, 96, 100, 255, 256, 257, 300, 2048]
WAVES = [
    ("bilinear", "float64", 8, False, SMALL + MIDDLE + LARGE),
    ("bilinear", "float64", 8, True, [33, 256]),
    ("backward_euler", "float64", 8, False, [256]),
    ("trapezoid", "float32", 16, True, [257]),
    ("euler", "float64", 4, True, [16]),
    ("uneven", "float32", 16, True, [17, 257]),
]


@pytest.mark.parametrize(("method", "dtype", "width", "receives", "orders"), WAVES, ids=lambda value: str(value)[:14])
def test_waves_give_the_bits_of_rows(method, dtype, width, receives, orders):
    """Over orders that do and do not fill the lanes, counts around a lane's lag and over many tables.

    Nothing beside the arrays is read or written: not a number stands there, and stays there.
    """
    for order in orders:
        for count in (1, 2, 5, 6, 7, 41, 42, 43, 200, 1300 if order <= 300 else 600):
            steps = make_steps(method, count)
            wanted, incoming, scale = draw(count, order, dtype, receives=receives, seed=order)
            if receives:
                room = np.full((count + 2, order + 3), np.nan, dtype)
                room[1:-1, 2:-1] = incoming
                incoming = room[1:-1, 2:-1]
            found, gradients, spread = wanted.copy(), np.empty(count, dtype), np.full(2 * count + 1, np.nan, dtype)
            given = np.full(order + 2, np.nan, dtype)
            given[1:-1] = found
            before = row_by_row(steps, wanted, incoming, scale, gradients)
            assert np.isfinite(wanted).all()
            assert np.isfinite(gradients).all()
            last = in_a_wave(steps, given[1:-1], incoming, scale, spread[-2::-2], width)
            where = f"{method} {dtype} N={order} K={count}"
            np.testing.assert_array_equal(given, np.concatenate([[np.nan], wanted, [np.nan]]), err_msg=where)
            np.testing.assert_array_equal(spread[-2::-2], gradients, err_msg=where)
            assert np.isnan(spread[::2]).all(), where
            assert last == before, where


@pytest.mark.parametrize("receives", [False, True], ids=["last", "every"])
def test_a_run_in_pieces_gives_the_bits_of_one_run(receives):
    """Pieces short enough for rows and long enough for waves."""
    cuts, order = [0, 1, 4, 30, 31, 500, 1100, 1103, 2000], 256
    whole, incoming, scale = draw(cuts[-1], order, "float64", receives=receives)
    pieces, rows, gradients = whole.copy(), whole.copy(), np.full((3, 2 * cuts[-1]), np.nan)[:, ::2]
    steps = EvenSteps(1, cuts[-1], 0.5, False)
    wave_adjoint.adjoint_one(steps, whole, incoming, scale, gradients[0])
    row_by_row(steps, rows, incoming, scale, gradients[1])
    for begin, end in reversed(list(itertools.pairwise(cuts))):
        part = None if incoming is None else incoming[begin:end]
        piece = EvenSteps(1 + begin, end - begin, 0.5, False)
        assert wave_adjoint.adjoint_one(piece, pieces, part, scale, gradients[2, begin:end]) == 0.0
    np.testing.assert_array_equal([whole, pieces], [rows, rows])
    np.testing.assert_array_equal(gradients, gradients[[1, 1, 1]])


def test_steps_of_no_time_pass_everything_on():
    for count in (2, 400):
        costate, _, scale = draw(count, 256, "float64", receives=False)
        start, gradients = costate.copy(), np.full(count, np.nan)
        before = wave_adjoint.adjoint_one(PrefixSteps(*np.zeros((4, count))), costate, None, scale, gradients)
        np.testing.assert_array_equal(costate, start)
        np.testing.assert_array_equal(gradients, np.zeros(count))
        assert before == 0.0


@pytest.mark.parametrize("method", ["trapezoid", "uneven"])
def test_no_step_changes_nothing(method):
    costate = np.arange(300.0)
    steps = make_steps(method, 0)
    assert wave_adjoint.adjoint_one(steps, costate, np.empty((0, 300)), np.ones(300), np.empty(0)) == 0.0
    np.testing.assert_array_equal(costate, np.arange(300.0))


def test_rows_that_are_not_contiguous_are_refused():
    steps, costate = make_steps("bilinear", 3), np.ones(4)
    with pytest.raises(ValueError, match=r"incoming has strides \(64, 16\) bytes; accepted: rows contiguous, 8 bytes"):
        wave_adjoint.adjoint_one(steps, costate, np.ones((3, 8))[:, ::2], np.ones(4), np.empty(3))
