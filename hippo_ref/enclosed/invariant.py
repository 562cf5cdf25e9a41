"""States of an invariant law as balls: steps by dense solves and exponentials, runs that keep their own error."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from math import comb

from flint import arb, arb_mat, ctx, fmpz_mat

from hippo_ref.balls import Balls, ball, ball_precision, reach, widened
from hippo_ref.enclosed.propagation import Blocks, grown, norm, power_norms
from hippo_ref.enclosed.rules import Rule, cardinals
from hippo_ref.enclosed.runs import Run
from hippo_ref.enclosed.systems import system_balls
from hippo_ref.measures import Measure


def guard(run: Run) -> int:
    """Bits that roundings added up over the steps, and grown in between, are expected to cost."""
    return 4 * run.order.bit_length() + len(run.times).bit_length()


def states(run: Run) -> list[Balls]:
    """The state after each sample: midpoints step by step, then a radius for all that they left out."""
    inputs = [ball(value) for value in run.samples]
    uniform, blocks, M = _uniform(run), Blocks(), arb_mat(run.order, run.order)
    state = _column([arb(0)] * run.order if run.start is None else [ball(value) for value in run.start])
    history, errors = [state.mid()], [_widest(state)]
    for i in run.steps:
        M, P = _step(run, i)
        if not uniform:
            blocks.add(M)
        state = M * history[-1] + P * _column([inputs[entry] for entry in run.window(i)])
        history.append(state.mid())
        errors.append(_widest(state))
    total = _grown(run, errors) if uniform else blocks.grown(errors)
    rows = [[widened(entry, error) for entry in row.entries()] for row, error in zip(history, total, strict=True)]
    # The state before the first sample is a state of the run only where sample 0 takes no step.
    return rows if run.lead == 0 else rows[1:]


def jacobian(run: Run) -> list[Balls]:
    """Column k: the derivative of the last state by sample k, a sum over the steps that read it."""
    columns = [[arb(0)] * run.order for _ in run.times]
    if run.steps:
        for i, response, error in _even_responses(run) if _uniform(run) else _uneven_responses(run):
            for position, entry in enumerate(run.window(i)):
                added = [widened(row[position], error) for row in response]
                columns[entry] = [old + new for old, new in zip(columns[entry], added, strict=True)]
    return columns[run.lead :]


def _even_responses(run: Run) -> Iterator[tuple[int, list[Balls], arb]]:
    """Per step i, what each sample it reads adds to the last state, (N, samples), and a bound on the error of that.

    With one M, everything that some step adds moves on together, ``M^j`` after j more steps.
    """
    # Steps that read equally many samples add the same; only the first steps of a hold read fewer.
    read: dict[int, slice] = {}
    block: list[Balls] = []
    M = arb_mat(run.order, run.order)
    for i in run.steps[: run.rule.degree + 1]:
        M, P = _step(run, i)
        if P.ncols() not in read:
            read[P.ncols()] = slice(len(block), len(block) + P.ncols())
            block += P.transpose().tolist()
    moved = arb_mat(block).transpose()
    history, errors = [moved.mid()], [_widest(moved)]
    for _ in run.steps[1:]:
        moved = M * history[-1]
        history.append(moved.mid())
        errors.append(_widest(moved))
    total = _grown(run, errors)
    for i, response, error in zip(reversed(run.steps), history, total, strict=True):
        yield i, [row[read[len(run.window(i))]] for row in response.tolist()], error


def _uneven_responses(run: Run) -> Iterator[tuple[int, list[Balls], arb]]:
    """The same for steps of different length: the product of the later matrices, grown on its right from the end."""
    later, blocks = _identity(run.order), Blocks()
    responses, sizes, errors = [], [], [arb(0)]
    for i in reversed(run.steps):
        M, P = _step(run, i)
        responses.append((later * P).tolist())
        sizes.append(max(entry.abs_upper() for entry in P.entries()))
        # Functions of one A commute, so the bound on products does not ask for their order.
        blocks.add(M)
        product = later * M
        # A row of what the midpoint leaves out holds N radii.
        errors.append(run.order * _widest(product))
        later = product.mid()
    for i, response, size, error in zip(reversed(run.steps), responses, sizes, blocks.grown(errors), strict=False):
        yield i, response, size * error


def _uniform(run: Run) -> bool:
    return len({run.times[i] - run.times[i - 1] for i in run.steps}) <= 1


def _grown(run: Run, errors: Balls) -> Balls:
    """What the errors of steps of one length add up to, with those that they grow to."""
    if not run.steps:
        return errors
    length = run.times[run.steps[0]] - run.times[run.steps[0] - 1]
    return grown(_growth(run.m, run.order, run.rule, length, len(errors)), errors)


def _column(entries: Balls) -> arb_mat:
    return arb_mat(len(entries), 1, entries)


def _identity(order: int) -> arb_mat:
    return arb_mat(order, order, 1)


def _widest(X: arb_mat) -> arb:
    return max(entry.rad() for entry in X.entries())


def _step(run: Run, i: int) -> tuple[arb_mat, arb_mat]:
    """M and P of step i: ``c' = M c + P u``, u the samples it reads, oldest first."""
    before = run.times[i - 1]
    length = run.times[i] - before
    M, F = _matrices(run.m, run.order, run.rule, length, ctx.prec)
    if run.rule.cells:
        return M, F
    # Nodes in units of the step since its begin.
    return M, F * _inputs(run.rule, tuple((run.times[entry] - before) / length for entry in run.window(i)), ctx.prec)


@lru_cache(maxsize=64)
def _inputs(rule: Rule, nodes: tuple[Fraction, ...], bits: int) -> arb_mat:
    """What F multiplies, from the samples at the nodes: their mean, or coefficients of the polynomial through them."""
    with ball_precision(bits):
        if rule.kind == "trapezoid":
            return arb_mat([[arb(0.5), arb(0.5)]])
        columns = cardinals(nodes)
        missing = [[arb(0)] * len(nodes)] * (rule.degree + 1 - len(nodes))
        return arb_mat([[ball(entry) for entry in row] for row in zip(*columns, strict=True)] + missing)


@lru_cache(maxsize=8)
def _matrices(m: Measure, order: int, rule: Rule, h: Fraction, bits: int) -> tuple[arb_mat, arb_mat]:
    """M (N, N) and F of a step of length h: ``c' = M c + F a`` for input u, or ``sum_k a_k s^k`` of a hold.

    Radii are below ``2^-bits`` of ``max(1, |M|)`` and of ``|F|``.
    """

    def compute() -> list[Balls]:
        A, B = system_balls(m, order, ctx.prec)
        M, F = hold(A, B, h, rule.degree) if rule.kind == "hold" else _bilinear(A, B, rule.a, h)
        # M may vanish (bilinear at N = 1 with h A = -2), and is of size 1 where it does not.
        return [[*M.entries(), arb(1)], F.entries()]

    M, F = reach(compute, bits * 30103 // 100000 + 1, f"one step of {m.key}, order={order}, method={rule.key!r}")
    return arb_mat(order, order, M[:-1]), arb_mat(order, len(F) // order, F)


@lru_cache(maxsize=64)
def _growth(m: Measure, order: int, rule: Rule, h: Fraction, count: int) -> Balls:
    """Bounds on ``||M^j||``, j < count, for steps of length h."""
    return power_norms(_matrices(m, order, rule, h, ctx.prec)[0], count)


def _bilinear(A: arb_mat, B: arb_mat, a: Fraction, h: Fraction) -> tuple[arb_mat, arb_mat]:
    """``(I - a h A) c' = (I + (1-a) h A) c + h B u``."""
    one = _identity(A.nrows())
    right, driven = one + A * ball((1 - a) * h), B * ball(h)
    if not a:
        return right, driven
    left = one - A * ball(a * h)
    return left.solve(right), left.solve(driven)


def hold(A: arb_mat, B: arb_mat, h: Fraction, degree: int) -> tuple[arb_mat, arb_mat]:
    """``E(h) = e^{h A}``, and in column k ``F_k(h) = int_0^1 e^{(1-s) h A} h B s^k ds``, k = 0 .. degree.

    A series for a step halved until ``||h A|| <= 1``; then both halves of a step give the whole one: with ``s/2`` and
    ``(1+s)/2``, ``2^k F_k(2h) = E(h) F_k(h) + sum_i binom(k, i) F_i(h)``.
    """
    halvings = 0
    while not norm(A) * ball(h) <= arb(2) ** halvings:
        halvings += 1
    small = ball(h / 2**halvings)
    across, powers = (A * small).exp(), _series(A * small, B * small, degree, ctx.prec)
    pascal = arb_mat(fmpz_mat([[comb(k, i) for k in range(degree + 1)] for i in range(degree + 1)]))
    shrink = arb_mat([[arb(2) ** -k if i == k else arb(0) for k in range(degree + 1)] for i in range(degree + 1)])
    for _ in range(halvings):
        powers, across = (across * powers + powers * pascal) * shrink, across * across
    return across, powers


def _series(H: arb_mat, g: arb_mat, degree: int, bits: int) -> arb_mat:
    """``int_0^1 e^{(1-s) H} g s^k ds = sum_j H^j g k!/(j+k+1)!`` in column k, for ``||H|| <= 3/2``, to ``bits`` bits.

    Since ``k!/(j+k+1)! <= 1/(j+1)!``, the terms from J >= 1 on are at most ``2 ||H||^J ||g||/(J+1)!``.
    """
    size, tail = norm(H), 2 * norm(g)
    factors, weights, terms = [ball(Fraction(1, k + 1)) for k in range(degree + 1)], [], []
    least = tail * arb(2) ** -bits
    while not tail <= least:
        terms.append(g.entries())
        weights.append(factors)
        g = H * g
        tail = tail * size / (len(terms) + 1)
        factors = [factor / (k + len(terms) + 1) for k, factor in enumerate(factors)]
    found = arb_mat(terms).transpose() * arb_mat(weights)
    return arb_mat([[widened(entry, tail) for entry in row] for row in found.tolist()])
