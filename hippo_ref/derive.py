"""(A, B) from the definition of a measure alone: Gram–Schmidt, differentiate, expand, boundary term, closure.

``d/dt c_n = int F (tau kappa_n)' dv + boundary`` (HiPPO appendix C): the expansion of ``(tau kappa_n)'`` in the
kernels is row n of A, the value that enters at the present is B, and the value that leaves at the far end is either
absent or replaced by the measure's closure. Nothing here knows a published matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import chain

from mpmath import mp, mpf

from hippo_ref.measures import Measure
from hippo_ref.measures.base import Entry, Generators
from hippo_ref.precision import Vector, as_mpf, bits_for, integer, settle
from hippo_ref.systems import System, as_system


@dataclass(frozen=True)
class OrthogonalSystem:
    """The system before normalisation, for the orthogonal ``pi_n = phi_n - (projection on earlier ones)``.

    With ``x_n = int F pi_n dv`` it reads ``dx/dt = R x + b f`` (over t for the scale law), and
    ``c_n = T_n h_n^{-1/2} x_n``. All entries are Fractions where the measure's generators are.

    Attributes:
        R: (N, N) rows.
        b: (N,).
        norms: (N,) squared norms h_n.
    """

    R: list[list[Entry]]
    b: list[Entry]
    norms: list[Entry]


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
    entries = chain(*g.gram, *g.drift, g.now, g.far, (g.inflow, g.outflow))
    if all(isinstance(entry, Fraction) for entry in entries):
        return g
    return Generators(
        gram=[[as_mpf(entry) for entry in row] for row in g.gram],
        drift=[[as_mpf(entry) for entry in row] for row in g.drift],
        now=[as_mpf(entry) for entry in g.now],
        far=[as_mpf(entry) for entry in g.far],
        inflow=as_mpf(g.inflow),
        outflow=as_mpf(g.outflow),
        closure=g.closure,
    )


def _orthogonal_system(m: Measure, order: int) -> OrthogonalSystem:
    generators = _one_kind(m.generators(order))
    M, norms = gram_schmidt([list(row) for row in generators.gram])
    # phi = M pi, so the drift of pi is M^-1 D M; D is sparse, so D M is a few row operations.
    drifted: list[list[Entry]] = []
    for row in generators.drift:
        total: list[Entry] = [0] * order
        for j, factor in enumerate(row):
            if factor:
                for k, entry in enumerate(M[j]):
                    total[k] = total[k] + factor * entry
        drifted.append(total)
    ends: list[list[Entry]] = [list(pair) for pair in zip(generators.now, generators.far, strict=True)]
    values = _solve_unit_lower(M, ends)
    now, far = [value[0] for value in values], [value[1] for value in values]
    R = _solve_unit_lower(M, drifted)
    b: list[Entry] = [generators.inflow * value for value in now]
    if generators.closure != "none":
        # The approximation's value at the far end is S = sum_k x_k pi_k(far)/h_k. The flux -outflow pi_n(far) f(far)
        # becomes -outflow pi_n(far) S, or with the average of both ends, f(far) = 2 S - f(now).
        share = 2 if generators.closure == "average" else 1
        for n in range(order):
            if far[n]:
                lost = share * generators.outflow * far[n]
                R[n] = [entry - lost * far[k] / norms[k] for k, entry in enumerate(R[n])]
                if generators.closure == "average":
                    b[n] = b[n] + generators.outflow * far[n]
    return OrthogonalSystem(R, b, norms)


@lru_cache(maxsize=64)
def _rational_system(m: Measure, order: int) -> OrthogonalSystem | None:
    found = _orthogonal_system(m, order)
    return found if all(isinstance(norm, Fraction) for norm in found.norms) else None


def rational_system(m: Measure, order: int) -> OrthogonalSystem:
    """The unnormalised system in exact rational arithmetic.

    Raises:
        ValueError: the measure's generators are not rational (fout, whose derivative brings in pi).
    """
    found = _rational_system(m, integer(order, "order", 1))
    if found is None:
        raise ValueError(f"measure {m.key!r} has no rational system: its generators hold irrational numbers")
    return found


def derive(m: Measure, order: int, dps: int = 50) -> System:
    """``(A, B)`` of any measure from its definition, to ``dps`` digits.

    Args:
        m: a measure, published or your own.
        order: N >= 1.
        dps: decimal digits of every entry.

    Returns:
        A (N, N), B (N, 1) in signed form.

    Raises:
        TypeError, ValueError: bad ``order`` or ``dps``.
        ArithmeticError: the generators are linearly dependent.
        PrecisionError: the digits could not be reached.

    Source: HiPPO section 2.3 and appendix C (the ODE), appendix D (each measure's expansion, done here numerically).
    """
    order = integer(order, "order", 1)

    def compute(_: int) -> list[Vector]:
        found = _rational_system(m, order) or _orthogonal_system(m, order)
        scales = [gain / mp.sqrt(as_mpf(h)) for gain, h in zip(m.gain(order), found.norms, strict=True)]
        rows = [
            [as_mpf(entry) * scales[n] / scales[k] if entry else mpf(0) for k, entry in enumerate(row)]
            for n, row in enumerate(found.R)
        ]
        return [*rows, [as_mpf(entry) * scale for entry, scale in zip(found.b, scales, strict=True)]]

    *rows, column = settle(compute, bits_for(dps), f"derive({m.key}, order={order})", guard=2 * order)
    return as_system(rows, column, m.time_law)
