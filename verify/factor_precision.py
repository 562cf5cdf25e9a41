"""How many digits of LegS the ways of diagonalising it keep, against the order: ``python -m verify.factor_precision``.

Each way makes (Lambda, P, B, V); what they stand for is put together again at high precision and held against the exact
A. It writes the tables of ``reports/published/structure.md`` to standard output.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import flint
import numpy as np

from verify.bounds.base import ROUNDOFF
from verify.case import Case
from verify.checks import CHECKS, QUICK
from verify.folders import cache_folder
from verify.oracle import Oracle
from verify.result import LiveTarget

Array = np.ndarray[Any, np.dtype[Any]]
Factors = tuple[Array, Array, Array, Array]
Way = Callable[[Array, Array, Any], Factors]

ORDERS = (4, 8, 16, 24, 32, 48, 64, 96, 128)
DIGITS = 120
"""Of the products that put A together again, and of the inverse of a matrix with a condition number of 1e90."""


def by_eig(A: Array, B: Array, kind: Any) -> Factors:
    """A itself is diagonalised; there is no low-rank term, and V has an inverse but is not unitary."""
    Lambda, V = np.linalg.eig(A.astype(kind))
    try:
        column = np.linalg.solve(V, B.astype(kind))
    except np.linalg.LinAlgError:
        column = np.full(len(B), np.nan)
    return Lambda, np.zeros((len(B), 0)), column, V


def _normal(A: Array, B: Array, kind: Any) -> tuple[Array, Array]:
    P = (B / np.sqrt(2)).astype(kind)[:, None]
    return A.astype(kind) + P @ P.T, P


def by_eigh(A: Array, B: Array, kind: Any) -> Factors:
    """S4 and S5 today: -i times the skew part is Hermitian, and the rate is a mean."""
    S, P = _normal(A, B, kind)
    frequencies, V = np.linalg.eigh(-1j * S)
    rate = np.mean(np.diag(S))
    return rate + 1j * frequencies, V.conj().T @ P, V.conj().T @ B.astype(kind), V


def by_eig_of_normal(A: Array, B: Array, kind: Any) -> Factors:
    """S4 in 2021: the general solver on the normal part, and V^* for the inverse."""
    S, P = _normal(A, B, kind)
    Lambda, V = np.linalg.eig(S)
    return Lambda, V.conj().T @ P, V.conj().T @ B.astype(kind), V


def by_s5(A: Array, B: Array, kind: Any) -> Factors:
    """make_DPLR_HiPPO of s5-pytorch, in double precision."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has deprecated what the library is compiled with
        from s5.init import make_DPLR_HiPPO  # noqa: PLC0415 -- a guest

    Lambda, P, column, V, _ = make_DPLR_HiPPO(len(B))
    return Lambda, P[:, None], column, V


def _exactly(A: Array, B: Array, low: Sequence[Array], kind: Any) -> Factors:
    """Eigenvectors of the normal part to 60 digits, each number rounded once."""
    order = len(B)
    with flint.ctx.workdps(60):
        column = [flint.arb(float(b)) + flint.arb(float(c)) for b, c in zip(B, low[1], strict=True)]
        skew = [[flint.arb(float(A[n, k])) + flint.arb(float(low[0][n, k])) + column[n] * column[k] / 2
                 + flint.arb(n == k) / 2 for k in range(order)] for n in range(order)]  # fmt: skip
        values, vectors = flint.acb_mat([[flint.acb(0, -x) for x in row] for row in skew]).eig(right=True)
        size = [sum((abs(vectors[n, k]) ** 2 for n in range(order)), flint.arb(0)).sqrt() for k in range(order)]
        exact = [[vectors[n, k] / size[k] for k in range(order)] for n in range(order)]
        rows = [sum((exact[n][k].conjugate() * column[n] for n in range(order)), flint.acb(0)) for k in range(order)]
        Lambda = np.array([-0.5 + 1j * float(value.real.mid()) for value in values])
        V = np.array([[complex(x) for x in row] for row in exact])
        driven = np.array([complex(x) for x in rows])
    complex_kind = np.result_type(kind, np.complex64)
    parts = (Lambda, driven[:, None] / np.sqrt(2), driven, V)
    return tuple(part.astype(complex_kind) for part in parts)  # type: ignore[return-value]


def _matrix(values: Array) -> Any:
    return flint.acb_mat([[flint.acb(complex(x)) for x in row] for row in values])


def restored(factors: Factors, A: Array) -> float:
    """Relative error of A put together again, in the Frobenius norm; NaN where V has no inverse."""
    Lambda, P, _, V = (np.asarray(part, complex) for part in factors)
    if not np.isfinite(V).all():
        return float("nan")
    with flint.ctx.workdps(DIGITS):
        columns = _matrix(V)
        try:
            inverse = columns.inv() if P.shape[1] == 0 else columns.conjugate().transpose()
        except ZeroDivisionError:
            return float("nan")
        middle = _matrix(np.diag(Lambda))
        if P.shape[1]:
            middle -= _matrix(P) * _matrix(P.conj().T)
        return float(_norm(columns * middle * inverse - _matrix(A)) / _norm(_matrix(A)))


def _norm(M: Any) -> Any:
    return sum((abs(x.mid()) ** 2 for x in M.entries()), flint.arb(0)).sqrt().mid()


def verdict(factors: Factors, dtype: str, oracle: Oracle) -> str:
    """What the check of factors says at this order, neighbours left out."""
    order = len(factors[0])

    def alone(asked: int) -> Factors:
        if asked != order:
            raise ValueError("one order only")
        return factors

    case = Case("precision", order=order, level="factors", dtype=dtype)
    return str(CHECKS["factors"].run(case, oracle, LiveTarget(alone, "factors"), QUICK).status).lower()


def table(dtype: str, orders: Sequence[int], oracle: Oracle) -> list[str]:
    """Rows of a table in Markdown."""
    kind = np.dtype(dtype).type
    ways: dict[str, Way] = {
        "`eig(A)`": by_eig,
        "`eigh(-1j * S)` (S4, S5)": by_eigh,
        "`eig(S)` (S4, 2021)": by_eig_of_normal,
    }
    if dtype == "float64" and importlib.util.find_spec("s5") is not None:
        ways["`s5.init.make_DPLR_HiPPO`"] = by_s5
    names = [*ways, "exact, rounded once"]
    rows = [f"| N | condition of the eigenvectors of A | {' | '.join(names)} |", "|" + "---|" * (len(names) + 2)]
    for order in orders:
        exact = oracle.system(Case("precision", order=order))
        A, B = (part.high for part in exact)
        made = [way(A, B, kind) for way in ways.values()] + [_exactly(A, B, [part.low for part in exact], kind)]
        errors = [_shown(restored(factors, A)) for factors in made]
        cells = [f"{error}, {verdict(factors, dtype, oracle)}" for factors, error in zip(made, errors, strict=True)]
        rows.append(f"| {order} | {condition(order):.0e} | {' | '.join(cells)} |")
    return rows


def _shown(error: float) -> str:
    return f"{error:.0e}" if np.isfinite(error) else "no inverse"


def condition(order: int) -> float:
    """Condition number of the exact eigenvectors of LegS, of columns of length 1, in the Frobenius norm over N."""
    with flint.ctx.workdps(DIGITS):
        A = [[-(flint.arb((2 * n + 1) * (2 * k + 1)).sqrt()) if n > k else flint.arb(-(n + 1) if n == k else 0)
              for k in range(order)] for n in range(order)]  # fmt: skip
        columns = []
        for k in range(order):  # forward substitution in (A + k + 1) v = 0
            v = [flint.arb(0)] * k + [flint.arb(1)]
            for n in range(k + 1, order):
                v.append(sum((A[n][j] * v[j] for j in range(k, n)), flint.arb(0)) / (n - k))
            size = sum((x * x for x in v), flint.arb(0)).sqrt()
            columns.append([x / size for x in v])
        V = flint.arb_mat([list(row) for row in zip(*columns, strict=True)])
        norms = [sum((x.mid() ** 2 for x in M.entries()), flint.arb(0)).sqrt() for M in (V, V.inv())]
        return float((norms[0] * norms[1]).mid()) / order


def page(orders: Sequence[int] = ORDERS) -> str:
    """The published page."""
    oracle = Oracle(cache_folder())
    text = [
        "# Digits kept by ways of diagonalising LegS",
        "",
        "Relative error of A, put together again from its factors at high precision, and what `hippo-verify check",
        "--level factors` says of them. S is the normal part `A + P P^T`. The condition number is that of the exact",
        "eigenvectors of A itself, in the Frobenius norm over N. Made by `python -m verify.factor_precision`.",
    ]
    for dtype in ("float64", "float32"):
        text += ["", f"## {dtype} (unit roundoff {ROUNDOFF[dtype]:.0e})", "", *table(dtype, orders, oracle)]
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(tuple(map(int, sys.argv[1:])) or ORDERS))
