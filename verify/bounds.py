"""Rounding bounds, derived step by step from the data of the case; no tolerance is chosen by hand.

Every comparison has two limits.

*Forward limit*, which a PASS must keep: each step is as accurate as a product with correctly formed discrete matrices,
``c' = G c + g u``. Its local error is at most ``gamma_p (|G| |c| + |g| |u|)`` with ``p = 6N + 24`` (Higham, Accuracy
and Stability of Numerical Algorithms, 2nd ed., section 3.1: N for the product, the rest for forming G and the sum).

*Backward limit*, which a FAIL must exceed: each step ``M c' = R c + q u`` is solved by any backward-stable way:
triangular or LU solve, or a matrix ``G = M^-1 R`` formed beforehand, with A and B rounded. Its local error is at most

    gamma_p |M^-1| ( W (|G| |c| + |g| |u|) + |R| |c| + |q| |u| ),    W = max(|M|, |L| |U|),

entry by entry, with the same p (Higham, theorems 8.5 and 9.4, section 14.1: 3N for the factorisation, N each for
forming, applying and adding up). Between the two limits no verdict is given: the error may be rounding, or a defect
too small to be told from it.

*Propagation.* In the coordinates ``D c`` given by `weights` the symmetric part of every operator here is negative
semidefinite (the structure identities ``A + A^T = -I - s s^T`` and their like), so the transition of GBT(a >= 1/2) and
of the holds is a contraction in the Euclidean norm, and local errors simply add; under an invariant law the trapezoid
rule has bilinear's transition. For the other rules (GBT(a < 1/2), trapezoid on LegS), and for measures without such an
identity (Jacobi windows), the norms of the products of transitions are computed.

Here ``gamma_p = p u / (1 - p u)`` for unit roundoff u. The majorants are evaluated in float64 and inflated by
`EVALUATION`, which covers their own rounding.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.linalg

from verify.metrics import norm

Array = np.ndarray[Any, np.dtype[Any]]

ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24}
LARGEST = {"float64": 1.7e308, "float32": 3.4e38}
SMALLEST_NORMAL = {"float64": 2.0**-1022, "float32": 2.0**-126}
EVALUATION = 1.01
"""Covers the rounding of a majorant itself: relative 1e-10 at most, since M has a condition number below N^2."""

EXPONENTIAL_OPERATIONS = 48
"""Errors per entry of A that a well formed exponential amounts to: two Pade polynomials, a solve, squarings."""

REFERENCE = 1e-40
"""Accuracy of exact coefficients relative to their norm: the oracle asks for 50 digits, quadrature included."""

SECOND_ORDER = np.array([0.0, 1.0])
"""Rounding of what rounding left: counted in the backward limit; the forward limit is of first order."""

GBT = {"euler": 0.0, "bilinear": 0.5, "backward_euler": 1.0}
"""The weight a of the generalized bilinear rules."""
HOLDS = {"zoh": 0, "foh": 1}
"""The degree of the polynomial through the last samples, for the rules that are exact for it."""
DISSIPATIVE = ("legs", "legt", "lmu", "lagt", "fout", "legs_lti")
"""Measures with a structure identity: ``D A D^-1`` has a negative semidefinite symmetric part."""
CONTRACTING = ("bilinear", "backward_euler", "zoh", "foh")
"""Named rules that contract under either law; `contracts` knows the families and the trapezoid rule too."""

SOURCE = "rounding of each step (Higham 2002, ch. 3, 8, 9, 14), added up through the contraction of the exact operator"


def gamma(operations: float, dtype: str) -> float:
    """``p u / (1 - p u)`` for p rounding errors in a row; inf once p u reaches 1."""
    product = operations * ROUNDOFF[dtype]
    return product / (1 - product) if product < 1 else math.inf


def gbt_weight(method: str) -> float | None:
    """The weight a of a generalized bilinear rule, ``gbt(1/3)`` among them; None for another rule."""
    member = re.fullmatch(r"gbt\(([0-9./]+)\)", method)
    return GBT.get(method) if member is None else float(Fraction(member[1]))


def hold_degree(method: str) -> int | None:
    """The degree of a hold, ``hold(2)`` among them; None for another rule."""
    member = re.fullmatch(r"hold\(([0-3])\)", method)
    return HOLDS.get(method) if member is None else int(member[1])


@dataclass(frozen=True)
class Limits:
    """The two limits of a comparison.

    Attributes:
        forward: a PASS needs an error of at most this.
        backward: a FAIL needs an error above this; never below ``forward``.
        source: where both come from.
    """

    forward: Array
    backward: Array
    source: str = SOURCE

    def __post_init__(self) -> None:
        if not np.all(self.backward >= self.forward):
            raise ValueError("a backward limit below the forward limit would fail what it passes")


def weights(measure: str, parameters: Mapping[str, float], order: int) -> Array:
    """(N,) diagonal D in which ``D A D^-1`` has a negative semidefinite symmetric part.

    1 for the orthonormal bases; LMU is LegT scaled by ``s_n (-1)^n``; LagT's triangle of ones is scaled by
    ``Lam_n = sqrt(Gamma(n + alpha + 1) / n!)``, taken relative to ``Lam_0``.
    """
    n = np.arange(order)
    if measure == "lmu":
        return np.asarray(1 / np.sqrt(2.0 * n + 1))
    alpha = parameters.get("alpha", 0.0)
    if measure == "lagt" and alpha != 0:
        logs = [0.5 * (math.lgamma(i + alpha + 1) - math.lgamma(i + 1) - math.lgamma(alpha + 1)) for i in n]
        return np.asarray(np.exp(np.array(logs)))
    return np.ones(order)


@dataclass(frozen=True, eq=False)
class Operator:
    """What the bounds need to know of a case: its exact operator in float64, its rule and its clock.

    Compared by identity, so that what is computed from one can be kept; the oracle hands out one per case and rule.

    Attributes:
        measure: key of the measure.
        parameters: its parameters.
        A: (N, N) rows.
        B: (N,) entries.
        method: discretization rule.
        dt: sample spacing, None under the scale law.
        times: times of the samples under the scale law (zoh: ends of the cells), where they are not evenly spaced.
    """

    measure: str
    parameters: tuple[tuple[str, float], ...]
    A: tuple[tuple[float, ...], ...]
    B: tuple[float, ...]
    method: str
    dt: float | None
    times: tuple[float, ...] | None = None

    @property
    def order(self) -> int:
        """Number of coefficients N."""
        return len(self.B)

    @property
    def reach(self) -> int:
        """How many samples before its own a step reads, where there are so many."""
        return 1 if self.method == "trapezoid" else hold_degree(self.method) or 0

    @property
    def contracts(self) -> bool:
        """Whether no transition makes an error larger, in the weighted norm."""
        if self.measure not in DISSIPATIVE:
            return False
        a = gbt_weight(self.method)
        if a is not None:
            return a >= 0.5
        return hold_degree(self.method) is not None or (self.method == "trapezoid" and self.dt is not None)

    @property
    def starts_silent(self) -> bool:
        """Whether state 0 is zero: an invariant law that reads nodes has seen no input at time 0."""
        return self.dt is not None and self.reach > 0

    def node(self, k: int) -> float:
        """Time of sample k under the scale law: k, or k + 1 for zoh, unless `times` says otherwise."""
        if self.times is not None:
            return self.times[k]
        return float(k + 1 if hold_degree(self.method) == 0 else k)

    @property
    def weights(self) -> Array:
        """(N,) diagonal D of the norm in which errors are judged."""
        return weights(self.measure, dict(self.parameters), self.order)

    def gammas(self, dtype: str) -> Array:
        """(2,) the factors of the forward and of the backward limit."""
        return np.full(2, gamma(6 * self.order + 24, dtype))


@dataclass(frozen=True)
class Majorant:
    """One step in D-coordinates: local error at most ``gamma (K |c| + kappa |u| + before |u_previous|)``.

    K, kappa and before hold the forward version first and the backward version second; ``transition`` and the columns
    ``inputs``, of u, of u_previous and so on, are the exact step itself, rounded. Where a step reads more than two
    samples, ``before`` bounds the effect of all earlier ones by the largest of them.
    """

    K: Array
    kappa: Array
    before: Array
    transition: Array
    inputs: Array


def majorant(operator: Operator, k: int) -> Majorant:
    """Majorants of the step that reads sample k >= 1; an invariant law has one step for all that read as many."""
    return _majorant(operator, k if operator.dt is None else max(min(k, operator.reach), 1))


@lru_cache(maxsize=1024)
def _majorant(operator: Operator, k: int) -> Majorant:
    D = operator.weights
    A = np.array(operator.A) * D[:, None] / D[None, :]
    B = np.array(operator.B) * D
    if hold_degree(operator.method) is not None:
        return _exponential(operator, A, B, k)
    order = len(B)
    identity = np.eye(order)
    b = np.zeros(order)
    if operator.method == "trapezoid":
        if operator.dt is None:
            then, now = operator.node(k - 1), operator.node(k)
            if then == 0:  # the projection of the first linear piece: two coefficients of the two samples
                line = _line(1.0, order)
                two = np.stack([np.abs(line).sum(axis=1)] * 2) + 1
                return Majorant(np.zeros((2, order, order)), two, two, np.zeros((order, order)), line)
            d = now - then
        else:
            then = now = 1.0
            d = operator.dt
        M, R = identity - d * A / (2 * now), identity + d * A / (2 * then)
        q, b = d * B / (2 * now), d * B / (2 * then)
    else:
        a = gbt_weight(operator.method)
        if a is None:
            raise ValueError(f"no rounding bound is derived for method {operator.method!r}")
        h = (operator.node(k) - operator.node(k - 1)) / operator.node(k) if operator.dt is None else operator.dt
        M, R, q = identity - a * h * A, identity + (1 - a) * h * A, h * B
    inverse = identity if operator.method == "euler" else np.linalg.inv(M)
    L, U = scipy.linalg.lu(M, permute_l=True)
    W = np.maximum(np.abs(M), np.abs(L) @ np.abs(U))
    G, g, gb = inverse @ R, inverse @ q, inverse @ b
    solve = np.abs(inverse)
    return Majorant(
        K=np.stack([np.abs(G), solve @ (W @ np.abs(G) + np.abs(R))]),
        kappa=np.stack([np.abs(g), solve @ (W @ np.abs(g) + np.abs(q))]),
        before=np.stack([np.abs(gb), solve @ (W @ np.abs(gb) + np.abs(b))]),
        transition=G,
        inputs=np.stack([g, gb], axis=1),
    )


def _line(end: float, order: int, time: float | None = None) -> Array:
    """(N, 2) projection on [0, time] of the line through u at ``end`` and u_previous at ``end - 1``, a column each."""
    time = end if time is None else time
    columns = np.zeros((order, 2))
    for column, (value, slope) in enumerate(((1 - end, 1.0), (end, -1.0))):
        columns[0, column] = value + slope * time / 2
        if order > 1:
            columns[1, column] = slope * time / (2 * math.sqrt(3))
    return columns


def _exponential(operator: Operator, A: Array, B: Array, k: int) -> Majorant:
    """Hold-exact steps ``c' = e^{tau A} c + g u`` (LegS: ``c' = p' + e^{tau A} (c - p)`` for the held piece p).

    The exponential is conditioned by ``tau ||A||`` because the semigroup contracts (Van Loan 1977, The sensitivity of
    the matrix exponential, theorem 2.2). Forward: it is formed as if each entry of A carried `EXPONENTIAL_OPERATIONS`
    errors. Backward: scaling and squaring adds ``sqrt(N) gamma_N`` per squaring, doubled by each that follows, which
    makes ``sqrt(N) tau ||A||`` in all. The input may be formed as ``A^-1 (e^{tau A} - I) B``, excused up to the length
    of the memory; a singular A (FouT of even order) excuses nothing more.
    """
    order, degree = len(B), min(hold_degree(operator.method) or 0, k)
    then, now = (operator.node(k - 1), operator.node(k)) if operator.dt is None else (1.0, 1.0)
    cardinals = _cardinals(operator, k, degree)
    if operator.dt is not None:
        tau = operator.dt
    elif degree == 0:
        tau = math.log1p((now - then) / then)
    else:
        tau = math.log(now / then) if then > 0 else 0.0
    block = np.zeros((order + 1, order + 1))
    block[:order, :order], block[:order, order] = tau * A, tau * B
    full = _exponential_of(block.tobytes(), order + 1)
    G, drives = full[:order, :order], np.stack([full[:order, order], np.zeros(order)], axis=1)
    if operator.dt is None:
        drives[:, 0] = (np.eye(order) - G)[:, 0]
        if degree == 1:
            d = now - then
            drives = _line(now / d, order) - G @ _line(now / d, order, then / d)
        elif degree > 1:
            drives = _last_cell(cardinals, then, now, order)
    g = np.abs(drives[:, 0])
    stiffness = tau * float(np.linalg.norm(A))
    if operator.dt is None:
        # The held piece is added and its transition subtracted: e_0, or e_0 and e_1 for a line, on either side of G.
        piece = np.eye(order)[: degree + 1].sum(axis=0)
        g = piece + np.abs(G) @ piece
        drive = 4.0
    else:
        memory = dict(operator.parameters).get("theta", 1.0)
        reach = min(1 / max(float(np.linalg.svd(A, compute_uv=False)[-1]), 1 / memory), memory)
        drive = max(tau, reach) * float(np.linalg.norm(B))
    # First order in a relative change of the entries of A: ``int e^{(tau-s)A} |dA| |e^{sA} c| ds``, its integrand taken
    # at both ends. gamma_p multiplies everything later; the exponential has its own count, hence the quotient.
    swell = 1.0 if operator.measure in DISSIPATIVE else _swell(A, tau) ** 2
    own = EXPONENTIAL_OPERATIONS / (6 * order + 24) * tau * np.abs(A) * swell
    coarse = math.sqrt(order) * (1 + stiffness) * swell
    held = piece if operator.dt is None else g
    K = np.stack([np.abs(G) + own @ (np.eye(order) + np.abs(G)), np.abs(G) + coarse * np.eye(order)])
    K[1] = np.maximum(K[0], K[1])

    def column(g: Array, held: Array, drive: float) -> Array:
        both = np.stack([g + own @ (held + g), g + coarse * drive / math.sqrt(order)])
        return np.stack([both[0], np.maximum(both[0], both[1])])

    if degree == 0:
        kappa = column(g, held, drive)
        return Majorant(K, kappa, np.zeros_like(kappa), G, drives)
    if operator.dt is None:
        # The piece through the samples is bounded on its cell by them times the sizes of the cardinal polynomials.
        columns = [size * column(g, held, drive) for size in _bernstein(cardinals)]
        if degree > 1 or operator.times is not None:
            # Backward: ``p' + G (c - p)`` with the piece continued over all of [0, t], in powers of the time.
            for i, size in enumerate(_continued([operator.node(k - j) for j in range(degree + 1)])):
                columns[i][1] = np.maximum(columns[i][1], size * g)
    else:
        # Column i is formed as ``sum_j l_ij W_j`` from the responses W_j to ``x^j``, x in [0, 1] on the cell.
        responses = _responses(tau * A, tau * B, degree)
        drives = responses @ cardinals.T
        sizes = np.abs(responses) @ np.abs(cardinals).T
        gains = np.abs(cardinals).sum(axis=1)
        columns = [column(sizes[:, i], sizes[:, i], drive * gains[i]) for i in range(degree + 1)]
    return Majorant(K, columns[0], np.sum(columns[1:], axis=0), G, drives)


@lru_cache(maxsize=192)
def _exponential_of(content: bytes, size: int) -> Array:
    """Kept by content: the holds of LegS, of every degree, take the same exponentials at the same ratios of times."""
    found = np.asarray(scipy.linalg.expm(np.frombuffer(content).reshape(size, size)))
    found.setflags(write=False)
    return found


def _cardinals(operator: Operator, k: int, degree: int) -> Array:
    """(degree + 1, degree + 1) rows ``l_i``: ``sum_j l_ij x^j`` is 1 at node k - i and 0 at the others read.

    x runs from 0 to 1 on the cell, so the nodes are 1, 0 and, evenly spaced, -1, -2.
    """
    nodes = [1.0, *(-float(i) for i in range(degree))]
    if operator.times is not None and degree:
        now, then = operator.times[k], operator.times[k - 1]
        nodes = [(operator.times[k - i] - then) / (now - then) for i in range(degree + 1)]
    return np.asarray(np.linalg.inv(np.vander(nodes[: degree + 1], increasing=True)).T)


def _bernstein(cardinals: Array) -> Array:
    """Bounds on ``max |l_i(x)|`` over [0, 1]: the largest Bernstein coefficient (a positive basis that sums to 1)."""
    degree = len(cardinals) - 1
    change = np.array([[math.comb(i, j) / math.comb(degree, j) for j in range(degree + 1)] for i in range(degree + 1)])
    return np.asarray(np.abs(cardinals @ change.T).max(axis=1))


def _swell(A: Array, tau: float) -> float:
    """A bound on ``||e^{sA}||`` over ``0 <= s <= tau``: on a grid, and by the logarithmic norm between its points."""
    rate = max(float(np.linalg.eigvalsh((A + A.T) / 2)[-1]), 0.0)
    cells = min(max(math.ceil(rate * tau), 16), 1024)
    short = scipy.linalg.expm(A * (tau / cells))
    power, largest = np.eye(len(A)), 1.0
    for _ in range(cells):
        power = short @ power
        largest = max(largest, float(np.linalg.norm(power, 2)))
    return largest * math.exp(min(rate * tau / cells, 700.0))


def _continued(nodes: Sequence[float]) -> list[float]:
    """Sizes on [0, nodes[0]] of the cardinal polynomials as sums of powers of the time, every term taken positive."""
    return [
        math.prod((nodes[0] + other) / abs(node - other) for j, other in enumerate(nodes) if j != i)
        for i, node in enumerate(nodes)
    ]


def _responses(A: Array, B: Array, degree: int) -> Array:
    """(N, degree + 1) columns ``int_0^1 e^{(1 - x) A} B x^j dx``, from one exponential (Van Loan 1978)."""
    order = len(B)
    block = np.zeros((order + degree + 1, order + degree + 1))
    block[:order, :order], block[:order, order] = A, B
    for j in range(degree):
        block[order + j, order + j + 1] = 1.0
    columns = scipy.linalg.expm(block)[:order, order:]
    return np.asarray(columns * np.array([math.factorial(j) for j in range(degree + 1)]))


def _last_cell(cardinals: Array, then: float, now: float, order: int) -> Array:
    """(N, degree + 1) LegS projections at ``now`` of the cardinals on the last cell alone, by exact quadrature."""
    nodes, mass = np.polynomial.legendre.leggauss((order + len(cardinals)) // 2 + 1)
    x = (nodes + 1) / 2
    values = np.vander(x, len(cardinals), increasing=True) @ cardinals.T
    y = 2 * (then + (now - then) * x) / now - 1
    basis = np.polynomial.legendre.legvander(y, order - 1) * np.sqrt(2.0 * np.arange(order) + 1)
    return np.asarray(basis.T @ (values * (mass / 2)[:, None]) * (now - then) / now)


def floor(operator: Operator, dtype: str) -> float:
    """Absolute error that gradual underflow, or flushing to zero, may add to one step."""
    D = operator.weights
    return float(SMALLEST_NORMAL[dtype] * (6 * operator.order + 24) * (D.max() / D.min()))


def step_limits(operator: Operator, state: Array, sample: float, after: Array, k: int, dtype: str) -> Limits:
    """Limits on the D-weighted Euclidean error of one step from a given state.

    Args:
        operator: the exact operator.
        state: (N,) state before.
        sample: the sample read.
        after: (N,) exact state after, rounded.
        k: index of the sample.
        dtype: arithmetic of the target.
    """
    D = operator.weights
    gammas = operator.gammas(dtype)
    smallest = floor(operator, dtype)
    if k == 0 and operator.dt is None:
        value = gammas * abs(sample) * float(D[0]) + smallest
    else:
        step = majorant(operator, k)
        local = step.K @ np.abs(state * D) + step.kappa * abs(sample)
        value = gammas * (norm(local) + norm(after, D)) + smallest * (1 + np.linalg.norm(step.K, axis=(1, 2)))
    return _limits(value, norm(after, D) + norm(state, D) + abs(sample), dtype, operator.order)


def scan_limits(operator: Operator, samples: Sequence[float], states: Array, dtype: str) -> Limits:
    """Limits on the D-weighted Euclidean error of each state of a scan.

    Args:
        operator: the exact operator.
        samples: (L,) the input.
        states: (L, N) exact states, rounded to float64.
        dtype: arithmetic of the target.

    Returns:
        (L,) limits; inf where the arithmetic can promise nothing.
    """
    D, length = operator.weights, len(samples)
    gammas, smallest = operator.gammas(dtype), floor(operator, dtype)
    sizes = norm(states, D)
    K, kappa, before, amplification = _steps(operator, length)
    amplification = amplification * SECOND_ORDER
    signal = np.abs(np.asarray(samples, dtype=float))
    earlier = np.concatenate([np.zeros((1, operator.order)), np.abs(states[:-1] * D)])
    with np.errstate(over="ignore", invalid="ignore"):
        majorants = np.einsum("ksij,kj->ksi", K, earlier) + kappa * signal[:, None, None]
        majorants += before * _earlier(signal, operator.reach)[:, None, None]
        own = gammas * (norm(majorants) + sizes[:, None]) + smallest * (1 + amplification)
        if operator.dt is None:  # a copy of the first sample, in the target's precision
            own[0] = gammas * signal[0] * float(D[0]) + smallest
        elif operator.starts_silent:
            own[0] = smallest
        growth = gammas * amplification
        reach = None if operator.contracts else _reach(operator, length)
        errors, bounds, added = np.zeros(2), np.zeros((length, 2)), np.zeros((length, 2))
        for k in range(length):
            added[k] = own[k] + growth[k] * errors
            errors = errors + added[k] if reach is None else reach[k, : k + 1] @ added[: k + 1]
            bounds[k] = errors
    return _limits(bounds, sizes, dtype, len(D))


def forget() -> None:
    """Drop all steps that are kept: at large orders those of a scale law, one for each sample, fill gigabytes."""
    for kept in (_majorant, _steps, _reach):
        kept.cache_clear()


def _earlier(signal: Array, reach: int) -> Array:
    """(L,) largest of the samples before each that its step reads."""
    largest = np.zeros_like(signal)
    for back in range(1, max(reach, 1) + 1):
        largest[back:] = np.maximum(largest[back:], signal[:-back])
    return largest


@lru_cache(maxsize=16)
def _steps(operator: Operator, length: int) -> tuple[Array, Array, Array, Array]:
    """Majorants of a scan's steps, stacked: K (L, 2, N, N), kappa and before (L, 2, N), the norms of K (L, 2)."""
    if operator.dt is not None and operator.reach < 2:
        step = majorant(operator, 1)
        norms = np.linalg.norm(step.K, axis=(1, 2))
        parts = (step.K, step.kappa, step.before, norms)
        return tuple(np.broadcast_to(part, (length, *part.shape)) for part in parts)  # type: ignore[return-value]
    # State 0 is a copy of the first sample, or zero: its step is not used.
    steps = [majorant(operator, max(k, 1)) for k in range(length)]
    K = np.stack([step.K for step in steps])
    return (
        K,
        np.stack([step.kappa for step in steps]),
        np.stack([step.before for step in steps]),
        np.linalg.norm(K, axis=(2, 3)),
    )


@lru_cache(maxsize=16)
def _reach(operator: Operator, length: int) -> Array:
    """(L, L) bounds on the 2-norm of the product of transitions from just after state j to state k >= j."""
    order = operator.order
    norms, products = np.zeros((length, length)), np.zeros((0, order, order))
    for k in range(length):
        if k:
            products = majorant(operator, k).transition @ products
        products = np.concatenate([products, np.eye(order)[None]])
        norms[k, : k + 1] = _norms(products)
    return norms


def _limits(bounds: Array, sizes: Array, dtype: str, order: int) -> Limits:
    """Limits from (..., 2) bounds; infinite, so that nothing is decided, where a step may leave the dtype's range."""
    with np.errstate(all="ignore"):
        room = np.asarray(sizes)[..., None] + bounds < LARGEST[dtype] / (8 * order**2)
        bounds = np.where(np.isfinite(bounds) & room, bounds * EVALUATION, np.inf)
    return Limits(bounds[..., 0], np.maximum(bounds[..., 0], bounds[..., 1]))


def _norms(stack: Array) -> Array:
    """Upper bounds on the 2-norms of a stack of matrices: the smaller of Frobenius and sqrt(1-norm times inf-norm)."""
    magnitude = np.abs(stack)
    mixed = np.sqrt(magnitude.sum(axis=1).max(axis=1) * magnitude.sum(axis=2).max(axis=1))
    return np.asarray(np.minimum(np.sqrt((stack * stack).sum(axis=(1, 2))), mixed))


def jacobian_limits(operator: Operator, length: int, dtype: str) -> Limits:
    """Limits on the D-weighted error of each column of d last state / d samples, for a contracting rule.

    Rules that read at most two samples in a step.

    Forward mode and finite differences run the recurrence on unit impulses: their local errors are those of a scan.
    Reverse mode multiplies the rows of the transition to the end by the same discrete matrices, transposed, which
    contract as well, and then by the injected column. What was lost in forming those matrices acts on a column alike in
    both modes, so reverse mode adds the rounding of its products alone (backward limit: of its solves).

    Args:
        operator: the exact operator.
        length: number of samples L.
        dtype: arithmetic of the target.

    Returns:
        (L,) limits.
    """
    order, D = operator.order, operator.weights
    gammas, smallest = operator.gammas(dtype), floor(operator, dtype)
    if not operator.contracts or operator.reach > 1:
        raise ValueError(f"no rounding bound is derived for reverse mode through {operator.method!r}")
    first = 1 if operator.dt is None or operator.starts_silent else 0
    steps = [majorant(operator, k) if k >= first else None for k in range(length)]
    injected = np.zeros((length, order))
    start = np.zeros(order)
    start[0] = 0.0 if operator.starts_silent else D[0]
    columns, errors = np.zeros((order, 0)), np.zeros((0, 2))
    for k, step in enumerate(steps):
        if step is None:
            columns, errors, injected[k] = start[:, None], np.array([gammas * start[0]]) + smallest, start
            continue
        sizes = np.stack([norm((K @ np.abs(columns)).T) for K in step.K], axis=1)
        amplification = np.linalg.norm(step.K, axis=(1, 2)) * SECOND_ORDER
        columns = step.transition @ columns
        injected[k] = step.inputs[:, 0]
        own = norm(step.kappa) + float(norm(injected[k]))
        if k:
            columns[:, -1] += step.inputs[:, 1]
            sizes[-1] += norm(step.before)
        errors = errors + gammas * (sizes + norm(columns.T)[:, None] + amplification * errors)
        columns = np.concatenate([columns, injected[k][:, None]], axis=1)
        errors = np.concatenate([errors, (gammas * own)[None]]) + smallest * (1 + amplification)
    rows, lost, reverse = np.eye(order), np.zeros((order, 2)), np.zeros((length, 2))
    for k in range(length - 1, -1, -1):
        step = steps[k]
        # The last two products: with the column of the sample in its own step, and in the next one (nodes).
        columns_now = np.abs(np.stack([start, start], axis=1))
        if step is not None:
            columns_now = np.stack([np.abs(step.inputs[:, 0]), step.kappa[1]], axis=1)
        direct = norm((lost * float(norm(injected[k])) + gammas * (np.abs(rows) @ columns_now)).T)
        following = steps[k + 1] if k + 1 < length else None
        if following is not None:
            direct = direct + gammas * norm(np.stack([np.abs(following.inputs[:, 1]), following.before[1]]))
        reverse[k] = direct + smallest
        if step is not None:
            back = np.stack([norm(np.abs(rows) @ K) for K in (np.abs(step.transition), step.K[1])], axis=1)
            rows = rows @ step.transition
            lost = lost + gammas * (back + norm(rows)[:, None])
    return _limits(errors + reverse, np.ones(length), dtype, order)


ENTRY_OPERATIONS = 8
"""Rounding errors in an entry such as ``-sqrt(2n+1) sqrt(2k+1) / theta``: two roots, products, a quotient, a sum."""


def entry_limits(
    measure: str, parameters: Mapping[str, float], A: Array, B: Array, dtype: str
) -> tuple[Limits, Limits]:
    """Limits on every entry of A and B.

    Forward: each entry is evaluated from its formula with `ENTRY_OPERATIONS` roundings (LagT with alpha: the
    exponential of half a difference of log-gammas, whose absolute error scales with the log-gammas themselves).
    Backward: a unitary similarity, such as the eigendecomposition of the normal part, loses ``gamma_{8N}`` of the norm
    (LAPACK Users' Guide, 3rd ed., section 4.7, with ``p(n) = 8n``).

    Entries of the other measures are sums that cancel; theirs are judged by the backward limit alone.

    Returns:
        Limits of A (N, N) and of B (N,).
    """
    order = len(B)
    operations = np.full(order, float(ENTRY_OPERATIONS))
    alpha = parameters.get("alpha", 0.0)
    if measure == "lagt":
        for n in range(order):
            logs = abs(math.lgamma(n + alpha + 1)) + abs(math.lgamma(n + 1)) + abs(math.lgamma(1 - alpha))
            # n + alpha is rounded, and binom(n + alpha, n) vanishes at alpha = -1: n u / (1 + alpha).
            operations[n] += 4 * logs + (4 * n + n / (1 + alpha) if alpha != 0 else 0)
    u = ROUNDOFF[dtype]
    entries = (operations[:, None] + operations[None, :]) / 2 + (operations.max() - ENTRY_OPERATIONS)
    forward_A, forward_B = entries * u * np.abs(A), operations * 2 * u * np.abs(B)
    loss = gamma(8 * order, dtype)
    source = "entries evaluated from their formula (Higham 2002, lemma 3.1); LAPACK Users' Guide 4.7 for factored forms"
    if measure not in DISSIPATIVE:
        A_loss, B_loss = (np.full(part.shape, loss * np.linalg.norm(part)) for part in (A, B))
        return Limits(A_loss, A_loss, source), Limits(B_loss, B_loss, source)
    return (
        Limits(forward_A, np.maximum(forward_A, loss * np.linalg.norm(A)), source),
        Limits(forward_B, np.maximum(forward_B, loss * np.linalg.norm(B)), source),
    )


def residual_limits(entries: tuple[Limits, Limits], state: Array, sample: float, whole: float) -> Limits:
    """Limits on each entry of ``A c + B f - dc/dt``, whose sums are exact, from the limits of the entries.

    Args:
        entries: limits of A and of B, from `entry_limits`.
        state: (N,) exact coefficients.
        sample: exact ``f(t)``.
        whole: size of the sums, of which the exact data carry `REFERENCE`.
    """
    A, B = entries
    forward = A.forward @ np.abs(state) + B.forward * abs(sample) + REFERENCE * whole
    backward = A.backward @ np.abs(state) + B.backward * abs(sample) + REFERENCE * whole
    source = "limits of the entries of A and B, times the exact coefficients"
    return Limits(forward, np.maximum(forward, backward), source)


def reconstruction_limits(sizes: Array, coefficients: Array, dtype: str) -> Limits:
    """Limit on each reconstructed value ``sum_n c_n g_n(y)``.

    The recurrence of an orthogonal polynomial of degree n on its interval loses at most ``n^2 u`` of ``max |g_n|``, and
    so does the rounding of the point (Markov's inequality ``|P_n'| <= n^2``; Barrio 2002, Rounding error bounds for the
    Clenshaw and Forsythe algorithms). A trigonometric argument ``2 pi j y`` loses ``2 pi j u``: below the same bound.

    Args:
        sizes: (N,) largest ``|g_n|`` on the window.
        coefficients: (N,) state.
        dtype: arithmetic of the target.

    Returns:
        Limits that hold for each point.
    """
    n = range(len(coefficients))
    loss = np.array([gamma(8 * i * i + len(n) + 16, dtype) for i in n])
    value = np.asarray(float(np.dot(loss, sizes * np.abs(coefficients))) + SMALLEST_NORMAL[dtype] * len(n))
    source = "three-term recurrence on its interval (Barrio 2002) and rounding of the point (Markov's inequality)"
    return Limits(value, value * 4, source)


def state_rounding(sizes: Array, coefficients: Array, dtype: str) -> float:
    """What a reconstruction loses because its coefficients were rounded once to the target's precision."""
    return float(ROUNDOFF[dtype] * np.dot(sizes, np.abs(coefficients)))
