"""(A, B) from the definition of a measure alone: Gram–Schmidt, differentiate, expand, boundary term, closure.

``d/dt c_n = int F (tau kappa_n)' dv + boundary`` (HiPPO appendix C): the expansion of ``(tau kappa_n)'`` in the
kernels is row n of A, the value that enters at the present is B, and the value that leaves at the far end is either
absent or replaced by the measure's closure. Nothing here knows a published matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import chain

from mpmath import mp, mpf

from hippo_ref.measures import Measure
from hippo_ref.measures.base import Closure, End, Entry, Generators
from hippo_ref.precision import Vector, as_mpf, bits_for, exact, integer, settle
from hippo_ref.systems import Derivation, as_matrices


@dataclass(frozen=True)
class OrthogonalSystem:
    """The system before normalisation, for the orthogonal ``pi_n = phi_n - (projection on earlier ones)``.

    With ``x_n = int F pi_n dv`` it reads ``dx/dt = R x + b f`` (over t for the scale law), and
    ``c_n = T_n h_n^{-1/2} x_n``. All entries are Fractions where the measure's generators are.

    Attributes:
        R: (N, N) rows.
        b: (N,).
        norms: (N,) squared norms h_n.
        closure: key of ``CLOSURES``.
        dropped: rows whose expansion leaves the span.
    """

    R: list[list[Entry]]
    b: list[Entry]
    norms: list[Entry]
    closure: Closure
    dropped: tuple[int, ...]


def gram_schmidt(gram: list[list[Entry]]) -> tuple[list[list[Entry]], list[Entry]]:
    """``G = M H M^T`` with M unit lower triangular: ``phi_i = sum_j M_ij pi_j`` and the squared norms of the ``pi_j``.

    Args:
        gram: (N, N) symmetric positive definite, Fractions (exact result) or mpf.

    Raises:
        ArithmeticError: a norm is not positive: the generators are dependent, or cancellation ate the precision.
    """
    M: list[list[Entry]] = []
    norms: list[Entry] = []
    for i, row in enumerate(gram):
        products: list[Entry] = []
        current: list[Entry] = []
        for j in range(i):
            # products[j] = <phi_i, pi_j> = M_ij h_j
            products.append(row[j] - sum((M[j][k] * products[k] for k in range(j) if M[j][k]), 0))
            current.append(products[j] / norms[j])
        norm = row[i] - sum((a * b for a, b in zip(current, products, strict=True) if a), 0)
        if norm <= 0:
            raise ArithmeticError(f"generator {i} has squared norm {norm} after Gram–Schmidt; expected a positive one")
        norms.append(norm)
        M.append([*current, 1])
    return M, norms


def _solve_unit_lower(M: list[list[Entry]], rows: list[list[Entry]]) -> list[list[Entry]]:
    solved: list[list[Entry]] = []
    for i, row in enumerate(rows):
        result = list(row)
        for j in range(i):
            factor = M[i][j]
            if factor:
                result = [a - factor * b if b else a for a, b in zip(result, solved[j], strict=True)]
        solved.append(result)
    return solved


def _one_kind(g: Generators) -> Generators:
    """Fractions throughout, or mpf throughout: the two do not mix in arithmetic."""
    rebuilding = g.rebuilding or ()
    ends = chain.from_iterable((*end.values, end.flux, end.rebuilt) for end in g.ends)
    entries = chain(*g.gram, *g.drift, *rebuilding, g.now, ends, (g.inflow,))
    if all(isinstance(entry, Fraction) for entry in entries):
        return g
    return replace(
        g,
        gram=[[as_mpf(entry) for entry in row] for row in g.gram],
        drift=[[as_mpf(entry) for entry in row] for row in g.drift],
        now=[as_mpf(entry) for entry in g.now],
        inflow=as_mpf(g.inflow),
        ends=[End([as_mpf(entry) for entry in end.values], as_mpf(end.flux), as_mpf(end.rebuilt)) for end in g.ends],
        rebuilding=g.rebuilding and [[as_mpf(entry) for entry in row] for row in g.rebuilding],
    )


def _column(M: list[list[Entry]], values: Sequence[Entry]) -> list[Entry]:
    """``M^-1 values``: values of the orthogonal functions from those of the generators."""
    return [row[0] for row in _solve_unit_lower(M, [[value] for value in values])]


def _read_out(g: Generators, M: list[list[Entry]], norms: list[Entry], end: End) -> list[Entry]:
    """(N,) factors of the value at an end as the closure rebuilds it, ``sum_k x_k readout_k``."""
    if g.rebuilding is None:
        return [value / norm for value, norm in zip(_column(M, end.values), norms, strict=True)]
    # The polynomial with the same N integrals: expand it in the basis that is orthogonal under the envelope of the
    # kernels, psi = L^-1 phi, whose coefficients come from x = int F pi by the same change of basis.
    L, uniform = gram_schmidt([list(row) for row in g.rebuilding])
    weights = [value / norm for value, norm in zip(_column(L, end.values), uniform, strict=True)]
    connection = _solve_unit_lower(L, [[*row, *[0] * (len(M) - len(row))] for row in M])
    return [sum((w * row[k] for w, row in zip(weights, connection, strict=True) if row[k]), 0) for k in range(len(M))]


def _orthogonal_system(m: Measure, order: int) -> OrthogonalSystem:
    g = _one_kind(m.generators(order))
    M, norms = gram_schmidt([list(row) for row in g.gram])
    # phi = M pi, so the drift of pi is M^-1 D M; D is sparse, so D M is a few row operations.
    drifted: list[list[Entry]] = []
    for row in g.drift:
        total: list[Entry] = [0] * order
        for j, factor in enumerate(row):
            if factor:
                for k, entry in enumerate(M[j]):
                    total[k] = total[k] + factor * entry
        drifted.append(total)
    R = _solve_unit_lower(M, drifted)
    b: list[Entry] = [g.inflow * value for value in _column(M, g.now)]
    share = 2 if g.closure == "average" else 1
    for end in g.ends:
        # The flux pi_n(end) f(end) becomes flux pi_n(end) S with S = sum_k x_k readout_k, or 2 S - f(now).
        readout = _read_out(g, M, norms, end)
        for n, value in enumerate(_column(M, end.values)):
            if value:
                crossing = end.flux * value
                past = share * crossing * end.rebuilt
                R[n] = [entry + past * factor for entry, factor in zip(R[n], readout, strict=True)]
                if g.closure == "average":
                    b[n] = b[n] - crossing
    return OrthogonalSystem(R, b, norms, g.closure, tuple(g.dropped))


@lru_cache(maxsize=64)
def _rational_system(m: Measure, order: int) -> OrthogonalSystem:
    return _orthogonal_system(m, order)


def rational_system(m: Measure, order: int) -> OrthogonalSystem:
    """The unnormalised system in exact rational arithmetic.

    Args:
        m: a measure with rational generators.
        order: N >= 1.

    Returns:
        The system of the orthogonal functions before they are normalised, all of it Fractions.

    Raises:
        TypeError, ValueError: bad ``order``.
        ValueError: the measure's generators are not rational (fout, whose derivative brings in pi).
    """
    order = integer(order, "order", 1)
    if not m.rational:
        raise ValueError(f"measure {m.key!r} has no rational system: its generators hold irrational numbers")
    return _rational_system(m, order)


def derive(m: Measure, order: int, dps: int = 50, *, at: object = None) -> Derivation:
    """``(A, B)`` of any measure from its definition, to ``dps`` digits, and what closes its law.

    Args:
        m: a measure, published or your own.
        order: N >= 1.
        dps: decimal digits of every entry, relative to the largest entry of its row where the measure's inner products
            are numerical.
        at: the moment, for a general time law only, whose A and B depend on it.

    Returns:
        A (N, N), B (N, 1) in signed form; ``exact``, ``closure``, ``dropped`` and ``explain()`` say how they close.

    Raises:
        TypeError, ValueError: bad ``order`` or ``dps``; ``at`` missing or not wanted.
        ArithmeticError: the generators are linearly dependent.
        PrecisionError: the digits could not be reached.

    Source: HiPPO section 2.3 and appendix C (the ODE), appendix D (each measure's expansion, done here numerically).
    """
    order, bits = integer(order, "order", 1), bits_for(dps)
    if (at is None) == (m.time_law == "general"):
        wanted = "needs at, the moment: its A and B depend on it" if at is None else "has one A and B for all moments"
        raise ValueError(f"measure {m.key!r} has the {m.time_law} law and {wanted}; got at = {at!r}")
    law = m if at is None else m.frozen(exact(at, "at"))
    found: OrthogonalSystem | None = None

    def compute(_: int) -> list[Vector]:
        nonlocal found
        found = _rational_system(law, order) if law.rational else _orthogonal_system(law, order)
        scales = [gain / mp.sqrt(as_mpf(h)) for gain, h in zip(law.gain(order), found.norms, strict=True)]
        rows = [
            [as_mpf(entry) * scales[n] / scales[k] if entry else mpf(0) for k, entry in enumerate(row)]
            for n, row in enumerate(found.R)
        ]
        return [*rows, [as_mpf(entry) * scale for entry, scale in zip(found.b, scales, strict=True)]]

    *rows, column = settle(compute, bits, f"derive({m.key}, order={order})", guard=2 * order)
    assert found is not None  # noqa: S101 -- settle has run compute
    return Derivation(*as_matrices(rows, column), m.time_law, found.closure, found.dropped)
