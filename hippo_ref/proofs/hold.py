"""LegS under held input: A diagonalised over the rationals, and exact steps of piecewise polynomials.

In ``x_n = c_n/s_n``, ``R = L diag(-(j+1)) M`` with L the coefficients of ``P_n(2v - 1)`` and M its inverse: the state
is ``x = L mu`` of the moments ``mu_j = int_0^1 f(t v) v^j dv``. So ``(t'/t)^A`` is rational, ``L diag(rho^(j+1)) M``
with ``rho = t/t'``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from math import factorial
from typing import NamedTuple, TypeAlias

from flint import fmpq, fmpq_mat, fmpq_poly

from hippo_ref.proofs.base import (
    Instance,
    Proof,
    awkward,
    column,
    diagonal,
    entries,
    number,
    numbers,
    sized,
    square,
    table,
)
from hippo_ref.proofs.exact import legendre_matrix, legs, polynomials

# (polynomial piece, time t, N) -> its exact projection over [0, t].
Project: TypeAlias = Callable[[fmpq_poly, fmpq, int], fmpq_mat]


class Hold(NamedTuple):
    """``y = p' + L diag(rho^exponent(j)) M (x - p)`` with p, p' the projections of the current piece."""

    project: Project
    exponent: Callable[[int], int]


def inverse_coefficient(j: int, n: int) -> fmpq:
    """``M_jn = (2n+1) int_0^1 P_n(2v-1) v^j dv = (2n+1) j!^2/((j-n)! (j+n+1)!)``."""
    if n > j:
        return fmpq(0)
    return fmpq((2 * n + 1) * factorial(j) ** 2, factorial(j - n) * factorial(j + n + 1))


def _eigen(exponent: Callable[[int], int], order: int) -> list[fmpq]:
    L, M, found = legendre_matrix(order), square(order, inverse_coefficient), legs(order)
    return entries(
        found.R - L * diagonal(-exponent(j) for j in range(order)) * M,
        L * M - square(order, lambda n, k: int(n == k)),
        found.b - L * column([1] * order),
    )


def _held(fixed_point: Callable[[int], fmpq_mat], order: int) -> list[fmpq]:
    found = legs(order)
    return entries(found.R * fixed_point(order) + found.b)


def _unit(index: int) -> Callable[[int], fmpq_mat]:
    return lambda order: column(int(n == index) for n in range(order))


def _project_line(piece: fmpq_poly, t: fmpq, order: int) -> fmpq_mat:
    """``(a + b t/2) e_0 + (b t/6) e_1`` for ``a + b x``; ``c_1 = s_1 x_1 = b t/(2 sqrt 3)``."""
    return column([piece[0] + piece[1] * t / 2, piece[1] * t / 6, *[0] * order][:order])


def _project_constant(piece: fmpq_poly, t: fmpq, order: int) -> fmpq_mat:
    return column([piece[0], *[0] * order][:order])


def _project_by_integration(piece: fmpq_poly, t: fmpq, order: int) -> fmpq_mat:
    shrunk = fmpq_poly([a * t**i for i, a in enumerate(piece.coeffs())])
    return column((shrunk * p).integral()(1) for p in polynomials(legendre_matrix(order)))


def _projections(pieces: Sequence[fmpq_poly], times: Sequence[fmpq], order: int) -> list[fmpq_mat]:
    """The definition: exact projections at every end of a piece, integrated piece by piece."""
    basis, found = polynomials(legendre_matrix(order)), []
    for last in range(1, len(times)):
        t, rows = times[last], [fmpq(0)] * order
        for piece, (start, end) in zip(pieces, pairwise(times[: last + 1]), strict=False):
            shrunk = fmpq_poly([a * t**i for i, a in enumerate(piece.coeffs())])
            for n, p in enumerate(basis):
                integral = (shrunk * p).integral()
                rows[n] += integral(end / t) - integral(start / t)
        found.append(column(rows))
    return found


def _steps(rule: Hold, pieces: Sequence[fmpq_poly], times: Sequence[fmpq], order: int) -> list[fmpq_mat]:
    L, M = legendre_matrix(order), square(order, inverse_coefficient)
    states = [rule.project(pieces[0], times[1], order)]
    for piece, (before, after) in zip(pieces[1:], pairwise(times[1:]), strict=True):
        rho = before / after
        rest = states[-1] - rule.project(piece, before, order)
        moved = L * diagonal(rho ** rule.exponent(j) for j in range(order)) * M * rest
        states.append(rule.project(piece, after, order) + moved)
    return states


def _compare(rule: Hold, order: int, pieces: Sequence[fmpq_poly], lengths: Sequence[fmpq]) -> list[fmpq]:
    times = list(accumulate(lengths, initial=fmpq(0)))
    exact, stepped = _projections(pieces, times, order), _steps(rule, pieces, times, order)
    return [value for a, b in zip(stepped, exact, strict=True) for value in entries(a - b)]


def _matched(given: Sequence[object], lengths: Sequence[object], extra: int, name: str) -> None:
    expected = len(lengths) + extra
    if len(given) != expected:
        raise ValueError(f"{name} must hold {expected} item(s) for {len(lengths)} length(s), got {len(given)}")


def _zoh(rule: Hold, order: int, samples: list[fmpq], lengths: list[fmpq]) -> list[fmpq]:
    _matched(samples, lengths, 0, "samples")
    return _compare(rule, order, [fmpq_poly([u]) for u in samples], lengths)


def _foh(rule: Hold, order: int, samples: list[fmpq], lengths: list[fmpq]) -> list[fmpq]:
    _matched(samples, lengths, 1, "samples")
    times = list(accumulate(lengths, initial=fmpq(0)))
    pieces = []
    for (u, v), (start, end) in zip(pairwise(samples), pairwise(times), strict=True):
        slope = (v - u) / (end - start)
        pieces.append(fmpq_poly([u - slope * start, slope]))
    return _compare(rule, order, pieces, lengths)


def _polynomial_hold(rule: Hold, order: int, pieces: list[list[fmpq]], lengths: list[fmpq]) -> list[fmpq]:
    _matched(pieces, lengths, 0, "pieces")
    return _compare(rule, order, [fmpq_poly(piece) for piece in pieces], lengths)


def _take_pieces(values: object, name: str) -> list[list[fmpq]]:
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise TypeError(f"{name} must be a sequence of polynomials, got {values!r} ({type(values).__name__})")
    return [numbers(1)(value, f"{name}[{index}]") for index, value in enumerate(values)]


def _next(j: int) -> int:
    return j + 1


def _wrong_holds(project: Project) -> dict[str, Hold]:
    return {
        "powers rho^j": Hold(project, lambda j: j),
        "rho inverted": Hold(project, lambda j: -(j + 1)),
        "piece projected at time 1": Hold(lambda piece, t, order: project(piece, fmpq(1), order), _next),
    }


_LENGTHS = numbers(1, number(above=0))
_SAMPLES = numbers(1)


def _gate(
    gate: Callable[[fmpq, fmpq], fmpq], order: int, before: fmpq, step: fmpq, state: list[fmpq], sample: fmpq
) -> list[fmpq]:
    x, u = column(sized(state, order, "state")), sample * _unit(0)(order)
    after = before + step
    powers = diagonal((before / after) ** (j + 1) for j in range(order))
    moved = legendre_matrix(order) * powers * square(order, inverse_coefficient)
    g = gate(before, after)
    return [(u + moved * (x - u))[0, 0] - (1 - g) * x[0, 0] - g * sample]


def _single_steps(order: int) -> tuple[Instance, ...]:
    return tuple({"before": k, "step": 1, "state": awkward(order), "sample": "5/7"} for k in (1, "7/2", 40))


def _cells(order: int) -> tuple[Instance, ...]:
    return ({"samples": [2, "-1/3", 5, "1/2"], "lengths": [1, "2/3", "1/5", 3]},)


def _nodes(order: int) -> tuple[Instance, ...]:
    return ({"samples": [2, "-1/3", 5, "1/2"], "lengths": ["3/2", "2/3", 3]},)


def _cubics(order: int) -> tuple[Instance, ...]:
    return ({"pieces": [[1, 0, "1/2"], ["-2/3", 1, 0, 2], [4]], "lengths": ["3/2", "2/3", 3]},)


PROOFS = table(
    Proof(
        key="eigen_legs",
        claim="R = L diag(-(n+1)) L^-1 over the rationals, L the coefficients of P_n(2v-1), L^-1 closed too; b = L 1.",
        covers="LegS's eigenvalues -(n+1) and (t'/t)^A as a rational matrix, for every ratio of times",
        source="HiPPO theorem 2 in moments; the inverse is proved by L L^-1 = I.",
        formula=_next,
        gap=_eigen,
        wrong={"eigenvalues -n": lambda n: n, "eigenvalues -(2n+1)/2": lambda n: fmpq(2 * n + 1, 2)},
    ),
    Proof(
        key="constant_legs",
        claim="-A^-1 B = e_0: a constant is held by the first coefficient alone.",
        covers="every order on its own",
        source="HiPPO theorem 2.",
        formula=_unit(0),
        gap=_held,
        wrong={"sign": lambda order: -1 * _unit(0)(order), "all ones": lambda order: column([1] * order)},
    ),
    Proof(
        key="zoh_legs",
        claim="c' = u e_0 + (t'/t)^A (c - u e_0) gives the exact projection of a piecewise-constant signal.",
        covers="the signals given, compared after every cell",
        source="HiPPO appendix B.3 (ZOH) and theorem 2.",
        formula=Hold(_project_constant, _next),
        gap=_zoh,
        wrong={
            "powers rho^j": Hold(_project_constant, lambda j: j),
            "rho inverted": Hold(_project_constant, lambda j: -(j + 1)),
            "B in place of e_0": Hold(lambda piece, t, order: column([piece[0]] * order), _next),
        },
        takes={"samples": _SAMPLES, "lengths": _LENGTHS},
        examples=_cells,
    ),
    Proof(
        key="gate_zoh_legs",
        claim="zoh moves LegS's coefficient 0 by the gate c' = (1-g) c + g u, g = 1 - t/t', at every order.",
        covers="the steps given; N = 1 on uniform cells is claim 7, the running mean: g = 1/(k+1)",
        source="HiPPO section 2.5.",
        formula=lambda before, after: 1 - before / after,
        gap=_gate,
        wrong={
            "t/t'": lambda before, after: before / after,
            "t'/t - 1": lambda before, after: after / before - 1,
        },
        takes={"before": number(above=0), "step": number(above=0), "state": numbers(1), "sample": number()},
        examples=_single_steps,
    ),
    Proof(
        key="foh_legs",
        claim=(
            "c' = p' + (t'/t)^A (c - p), p = (a + b t/2) e_0 + (b t/(2 sqrt 3)) e_1, gives the exact projection of a "
            "piecewise-linear signal."
        ),
        covers="the signals given, compared at every node after the first",
        source="hold-equivalent form of HiPPO theorem 2.",
        formula=Hold(_project_line, _next),
        gap=_foh,
        wrong={**_wrong_holds(_project_line), "slope forgotten": Hold(_project_constant, _next)},
        takes={"samples": numbers(2), "lengths": _LENGTHS},
        examples=_nodes,
    ),
    Proof(
        key="hold_legs",
        claim="foh_legs with p the projection of a polynomial piece of any degree: exact for piecewise polynomials.",
        covers="the signals given, compared after every piece",
        source="hold-equivalent form of HiPPO theorem 2.",
        formula=Hold(_project_by_integration, _next),
        gap=_polynomial_hold,
        wrong=_wrong_holds(_project_by_integration),
        takes={"pieces": _take_pieces, "lengths": _LENGTHS},
        examples=_cubics,
    ),
)
