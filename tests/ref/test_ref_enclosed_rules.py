"""The balls against first principles: dense algebra, quadrature of the held signal, kernels, and their error bounds."""

from fractions import Fraction
from itertools import pairwise

import pytest
from enclosed_tools import DT, KNOWN, NODES, RULES, UNEVEN, first_gap, transposed
from flint import arb, arb_mat, ctx, fmpq_mat, fmpz_mat
from mpmath import mp, mpf
from ref_tools import name, samples

from hippo_ref import measure, system
from hippo_ref.balls import ball, ball_precision, midpoint, radius
from hippo_ref.enclosed import enclose_jacobian, enclose_states, enclose_system, invariant, legs
from hippo_ref.enclosed.propagation import Blocks, doubling_norms, grown, norm, power_norms, semigroup_bound
from hippo_ref.enclosed.rules import cardinals, parse
from hippo_ref.enclosed.runs import request

LEGS, LEGT, LMU = measure("legs"), measure("legt", theta="0.8"), measure("lmu")
INVARIANT = [m for m in KNOWN if m.key != "legs"]
DEGREES = {"foh": 1, "hold(2)": 2, "hold(3)": 3}


def ratio(value):
    value = Fraction(value)
    return mpf(value.numerator) / value.denominator


def taylor(times, values, at):
    """Coefficients about ``at`` of the polynomial through the nodes, by a Vandermonde solve."""
    count = len(times)
    vandermonde = mp.matrix(count, count)
    for i, time in enumerate(times):
        for power in range(count):
            vandermonde[i, power] = (time - at) ** power
    return list(mp.lu_solve(vandermonde, mp.matrix(values)))


def dense_invariant(m, u, times, order, method):
    """Node rules by dense algebra; a hold through ``q = -sum_i A^-(i+1) B p^(i)``, which obeys ``q' = A q + B p``."""
    found, one = system(m, order, mp.dps), mp.eye(order)
    A, B, c = found.A, found.B, mp.zeros(order, 1)
    out = [c]
    for k in range(1, len(u)):
        h = times[k] - times[k - 1]
        if method == "trapezoid":
            c = mp.lu_solve(one - h / 2 * A, (one + h / 2 * A) * c + h / 2 * B * (u[k - 1] + u[k]))
        else:
            first = k - min(DEGREES[method], k)
            ends = []
            for at in (times[k - 1], times[k]):
                q, solved, factorial = mp.zeros(order, 1), B, mpf(1)
                for i, coefficient in enumerate(taylor(times[first : k + 1], u[first : k + 1], at)):
                    factorial *= max(i, 1)
                    solved = mp.lu_solve(A, solved)
                    q -= solved * (coefficient * factorial)
                ends.append(q)
            c = mp.expm(h * A) * (c - ends[0]) + ends[1]
        out.append(c)
    return [list(c) for c in out]


@pytest.mark.parametrize("method", NODES)
@pytest.mark.parametrize("m", INVARIANT, ids=name)
def test_node_rules_against_dense_algebra(m, method):
    order, u = 5, samples(6)
    for times in ([DT * k for k in range(6)], UNEVEN[:6]):
        with mp.workdps(60):
            expected = dense_invariant(m, [mpf(v) for v in u], [ratio(t) for t in times], order, method)
        found = enclose_states(m, u, order, method, digits=40, timestamps=times)
        # The dense side loses digits where beta = 1/1000 or 50 makes A ill-conditioned: 35 of its 60 remain.
        assert first_gap(found, expected, 35) is None


@pytest.mark.parametrize("method", DEGREES)
def test_holds_of_legs_are_integrals_of_the_kernels(method):
    """Gauss quadrature of each piece of ``f(x) s_n P_n(2x/t - 1)/t``, exact for polynomials."""
    order, u = 4, samples(5)
    for times in ([Fraction(k) for k in range(5)], UNEVEN[:5]):
        with mp.workdps(50):
            nodes, values = [ratio(t) for t in times], [mpf(v) for v in u]
            now = nodes[-1]
            pieces = [] if nodes[0] == 0 else [(mpf(0), nodes[0], [values[0]])]
            for k in range(1, 5):
                first = k - min(DEGREES[method], k)
                pieces.append((nodes[k - 1], nodes[k], taylor(nodes[first : k + 1], values[first : k + 1], nodes[k])))
            expected = []
            for n in range(order):
                total = mpf(0)
                for a, b, coefficients in pieces:
                    at = b if len(coefficients) > 1 else mpf(0)
                    total += mp.quad(
                        lambda x, n=n, at=at, p=coefficients, t=now: (
                            mp.polyval(p[::-1], x - at) * mp.legendre(n, 2 * x / t - 1)
                        ),
                        [a, b],
                        method="gauss-legendre",
                        maxdegree=4,
                    )
                expected.append(mp.sqrt(2 * n + 1) / now * total)
        for last in (False, True):
            found = enclose_states(LEGS, u, order, method, digits=40, timestamps=times, last=last)
            assert first_gap(found[-1:], [expected], 38) is None


@pytest.mark.parametrize("a", ["0", "1/3", "0.5", "1"])
def test_legs_generalized_bilinear_against_dense_balls(a):
    order, u = 7, samples(12)
    with ball_precision(300):
        rows, column = enclose_system(LEGS, order, 60)
        A, B, one = arb_mat(rows), arb_mat([[b] for b in column]), arb_mat(order, order, 1)
        c, share = arb_mat([[arb(u[0])], *[[arb(0)]] * (order - 1)]), ball(Fraction(a))
        expected = [c]
        for k in range(1, 12):
            h = arb(1) / k
            c = (one - A * (share * h)).solve((one + A * ((1 - share) * h)) * c + B * (h * u[k]))
            expected.append(c)
    found = enclose_states(LEGS, u, order, f"gbt({a})", digits=50)
    for row, exact in zip(found, expected, strict=True):
        assert all(x.overlaps(y) for x, y in zip(row, exact.entries(), strict=True))


@pytest.mark.parametrize(("order", "length"), [(1, 1), (1, 7), (6, 2), (24, 40), (96, 12)])
@pytest.mark.parametrize("method", ["zoh", *DEGREES])
def test_moments_and_kernels_agree(method, order, length):
    u = samples(length)
    for times in (None, [Fraction(k * k + k + 1, 3) for k in range(length)]):
        [end] = enclose_states(LEGS, u, order, method, last=True, timestamps=times)
        whole = enclose_states(LEGS, u, order, method, timestamps=times)
        assert all(a.overlaps(b) for a, b in zip(end, whole[-1], strict=True))


def test_a_perturbed_sample_is_told_apart_by_kernels_and_moments():
    u = samples(20)
    moved = [*u[:7], Fraction(u[7]) + Fraction(1, 10**48), *u[8:]]
    [end] = enclose_states(LEGS, moved, 8, "hold(2)", last=True)
    assert not all(a.overlaps(b) for a, b in zip(end, enclose_states(LEGS, u, 8, "hold(2)")[-1], strict=True))


def test_zoh_of_the_exponential_window_in_closed_form():
    """``int_0^h e^-u s_n P_n(2 e^-u - 1) du = s_n int_{e^-h}^1 P_n(2y - 1) dy`` after one cell of ones."""
    m, h = measure("legs_lti"), Fraction(1, 3)
    [[*found]] = enclose_states(m, [1], 5, "zoh", h, 40)
    with mp.workdps(60):
        y = mp.exp(-ratio(h))
        expected = [
            mp.sqrt(2 * n + 1)
            * (1 - y if n == 0 else (mp.legendre(n - 1, 2 * y - 1) - mp.legendre(n + 1, 2 * y - 1)) / (2 * (2 * n + 1)))
            for n in range(5)
        ]
    assert first_gap([found], [expected], 50) is None


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("m", [LEGS, LMU], ids=name)
def test_jacobians_times_samples_are_states(m, method):
    u = samples(9)
    for when in ({"timestamps": UNEVEN}, {} if m is LEGS else {"dt": DT}):
        J = enclose_jacobian(m, 9, 6, method, **when)
        [end] = enclose_states(m, u, 6, method, last=True, **when)
        with ball_precision(300):
            for row, entry in zip(J, end, strict=True):
                assert sum((a * value for a, value in zip(row, u, strict=True)), arb(0)).overlaps(entry)


def test_rules_that_are_each_other():
    u = samples(7)
    for m, dt in ((LEGS, None), (LEGT, DT)):
        for one, other in (
            ("euler", "gbt(0)"),
            ("bilinear", "gbt(0.5)"),
            ("backward_euler", "gbt(1)"),
            ("zoh", "hold(0)"),
            ("foh", "hold(1)"),
        ):
            pairs = zip(enclose_states(m, u, 5, one, dt), enclose_states(m, u, 5, other, dt), strict=True)
            assert all(a.overlaps(b) for x, y in pairs for a, b in zip(x, y, strict=True))
    assert parse("gbt(0.1)").a == Fraction(1, 10)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_cardinal_polynomials(count):
    nodes = [Fraction(-3, 2), Fraction(0), Fraction(1, 3), Fraction(5)][:count]
    for i, row in enumerate(cardinals(nodes)):
        for j, node in enumerate(nodes):
            assert sum(entry * node**power for power, entry in enumerate(row)) == (i == j)


@pytest.mark.parametrize("order", [1, 2, 9, 20])
def test_moments_and_states_are_inverse_to_each_other(order):
    scale = fmpq_mat([[(2 * n + 1) * (n == k) for k in range(order)] for n in range(order)])
    product = fmpq_mat(legs._coefficients(order)) * legs._integrals(order) * scale
    assert product == fmpq_mat(fmpz_mat([[int(n == k) for k in range(order)] for n in range(order)]))


# Bounds on the growth of errors.

GROWING = arb_mat([[arb(1), arb(1)], [arb(0), arb(1)]])


def test_norms_of_powers_are_bounded_and_not_by_much():
    for j, bound in enumerate(power_norms(GROWING, 40)):
        assert bound >= 1 + j
        assert bound <= (1 + j) ** 2.5
    assert norm(arb_mat([[arb(-3), arb(1)], [arb(2), arb(-2)]])) == 4
    assert norm(arb_mat([[arb(1)], [arb("nan")]])) == arb("inf")
    assert [int(midpoint(value)) for value in doubling_norms(GROWING, 9)] == [2, 3, 5, 9]


def test_errors_grow_as_the_convolution_says():
    found = grown([arb(1), arb(3), arb(5)], [arb(2), arb(0), arb(7)])
    assert [int(midpoint(value)) for value in found] == [2, 6, 17]
    assert grown([arb(1), arb(1)], [arb(0), arb(0)]) == [arb(0), arb(0)]


@pytest.mark.parametrize("count", [1, 2, 5, 13])
def test_products_of_different_matrices_are_bounded(count):
    matrices = [arb_mat([[arb(1), arb(1 + k % 3)], [arb(0), arb(1)]]) for k in range(count)]
    blocks = Blocks()
    for M in matrices:
        blocks.add(M)
    bound = blocks.grown([arb(1)])[0]
    for i in range(count):
        product = arb_mat(2, 2, 1)
        for M in matrices[i:]:
            product = M * product
            assert norm(product) <= bound


@pytest.mark.parametrize("factors", [[2] * 13, [Fraction(1, 999), 2, 2, Fraction(1, 999)], [3, Fraction(1, 9), 3]])
def test_products_that_only_grow_in_places_are_bounded(factors):
    """Intervals off the aligned blocks, made of two blocks of a size."""
    blocks = Blocks()
    for factor in factors:
        blocks.add(arb_mat([[ball(Fraction(factor))]]))
    bound = midpoint(blocks.grown([arb(1)])[0])
    for i in range(len(factors)):
        for j in range(i, len(factors)):
            assert bound >= mp.fprod(ratio(factor) for factor in factors[i : j + 1])


@pytest.mark.parametrize("m", INVARIANT, ids=name)
def test_the_semigroup_bound_holds(m):
    rows, _ = enclose_system(m, 9)
    A = arb_mat(rows)
    bound = semigroup_bound(A, arb(2))
    worst = max((midpoint(norm((A * (arb(2) * i / 64)).exp())) for i in range(65)), default=0)
    assert worst <= midpoint(bound) <= 10**8 * worst


@pytest.mark.parametrize("method", ["euler", "bilinear", "zoh", "hold(3)"])
@pytest.mark.parametrize(
    "when", [{"dt": Fraction(1, 8)}, {"timestamps": [k + Fraction(k % 3, 4) for k in range(1, 25)]}]
)
def test_runs_at_a_coarse_precision_stay_honest(method, when):
    """At 60 bits roundings are large: each state of the fine run is inside its coarse ball."""
    run = request(LMU, samples(24), 8, method, when.get("dt"), when.get("timestamps"))
    fine = enclose_states(LMU, samples(24), 8, method, **when)
    with ball_precision(60):
        coarse = invariant.states(run)
    for row, exact in zip(coarse, fine, strict=True):
        for wide, narrow in zip(row, exact, strict=True):
            assert wide.contains(narrow.mid())
    jacobian = enclose_jacobian(LMU, 24, 8, method, **when)
    with ball_precision(60):
        columns = invariant.jacobian(run)
    for column, exact in zip(columns, transposed(jacobian), strict=True):
        for wide, narrow in zip(column, exact, strict=True):
            assert wide.contains(narrow.mid())


def test_a_run_that_forgets_how_errors_grow_is_caught(monkeypatch):
    """Without growth the radii of an unstable run are too small: the test above must not pass then."""
    run = request(LMU, samples(24), 8, "euler", Fraction(1, 8))
    fine = enclose_states(LMU, samples(24), 8, "euler", Fraction(1, 8))
    monkeypatch.setattr(invariant, "_growth", lambda *_: [arb(1)] + [arb(0)] * 24)
    with ball_precision(60):
        coarse = invariant.states(run)
    pairs = [pair for row, exact in zip(coarse, fine, strict=True) for pair in zip(row, exact, strict=True)]
    assert not all(wide.contains(narrow.mid()) for wide, narrow in pairs)


@pytest.mark.parametrize("method", RULES)
def test_legs_at_a_coarse_precision_stays_honest(method):
    run = request(LEGS, samples(24), 6, method, None)
    fine = enclose_states(LEGS, samples(24), 6, method)
    with ball_precision(60):
        coarse, end = legs.states(run), legs.last_state(run)
    for row, exact in [*zip(coarse, fine, strict=True), (end, fine[-1])]:
        for wide, narrow in zip(row, exact, strict=True):
            assert wide.contains(narrow.mid())


@pytest.mark.parametrize("length", [Fraction(1, 10**6), Fraction(1, 3), Fraction(40)])
def test_holds_against_a_long_taylor_series(length):
    """``F_k`` by its series without halving, at a precision that its cancellation cannot exhaust."""
    m, order, degree = measure("lagt", alpha="1/3", beta=2), 4, 3
    rows, column = enclose_system(m, order, 60)
    A, B = arb_mat(rows), arb_mat([[b] for b in column])
    with ball_precision(200):
        _, found = invariant.hold(A, B, length, degree)
    with mp.workdps(150):
        exact = system(m, order, 150)
        h, term, terms = ratio(length), exact.B * ratio(length), []
        while len(terms) < 50 or mp.norm(term) > mpf(10) ** -60:
            terms.append(term)
            term = h * (exact.A * term) / (len(terms) + 1)
        # terms[j] is (hA)^j hB/(j+1)!, and the weight of (hA)^j hB is k!/(j+k+1)!.
        expected = [
            [
                mp.fsum(
                    t[n] * mp.factorial(k) * mp.factorial(j + 1) / mp.factorial(j + k + 1) for j, t in enumerate(terms)
                )
                for k in range(degree + 1)
            ]
            for n in range(order)
        ]
    assert first_gap(found.tolist(), expected, 50) is None
    assert max(midpoint(entry.rad()) for entry in found.entries()) < mpf(10) ** -40


def test_the_series_keeps_its_tail():
    """Stopped early, at 30 bits, the series is wrong by much more than roundings; its balls still hold the sum."""
    H, g = arb_mat([[arb(-1)]]), arb_mat([[arb(1)]])
    with ball_precision(200):
        coarse = invariant._series(H, g, 2, 30).entries()
        e = arb(-1).exp()
        exact = [1 - e, e, 1 - 2 * e]
        assert all(wide.contains(value.mid()) for wide, value in zip(coarse, exact, strict=True))
        assert all(radius(wide) < mpf(2) ** -20 for wide in coarse)


def test_gaps_between_times_are_what_counts():
    for a, b in pairwise((0, Fraction(1, 7), 100)):
        times = [[t + shift for t in (1, Fraction(3, 2), 4)] for shift in (a, b)]
        first, second = (enclose_states(LEGT, [1, 2, 3], 3, "hold(2)", timestamps=t)[-1] for t in times)
        assert all(x.overlaps(y) for x, y in zip(first, second, strict=True))
    assert ctx.prec == 53
