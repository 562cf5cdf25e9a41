"""Published (A, B), signed form, one function per measure: HiPPO (arXiv 2008.07669), LMU 2019, HTTYH (2206.12037).

Every function returns rows and a column at the caller's working precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

from mpmath import mp, mpf

from hippo_ref.measures import Measure, is_published
from hippo_ref.orthogonal import gauss_legendre, legendre_scales, shifted_legendre
from hippo_ref.precision import Vector, as_mpf, bits_for, integer, rounded, working_bits
from hippo_ref.systems import System, as_matrices

Formula: TypeAlias = Callable[[Measure, int], tuple[list[Vector], Vector]]


def legs(_: Measure, order: int) -> tuple[list[Vector], Vector]:
    """HiPPO theorem 2, appendix D.3: ``A_nk = -s_n s_k (n > k), -(n+1) (n = k)``, ``B_n = s_n``."""
    s = legendre_scales(order)
    rows = [[-s[n] * s[k] if n > k else -mpf(n + 1) if n == k else mpf(0) for k in range(order)] for n in range(order)]
    return rows, s


def legt(m: Measure, order: int) -> tuple[list[Vector], Vector]:
    """HiPPO appendix D.1, ``lambda_n = 1``: ``A_nk = -s_n s_k/theta (k <= n), times (-1)^(n-k) (k >= n)``."""
    s = legendre_scales(order)
    theta = as_mpf(m.parameters["theta"])
    rows = [
        [-s[n] * s[k] / theta * (1 if k <= n or (n - k) % 2 == 0 else -1) for k in range(order)] for n in range(order)
    ]
    return rows, [entry / theta for entry in s]


def lmu(m: Measure, order: int) -> tuple[list[Vector], Vector]:
    """LMU 2019, equation 2; HiPPO theorem 1 (LegT): ``A_nk = -(2n+1)/theta {(-1)^(n-k) (k <= n), 1 (k >= n)}``."""
    theta = as_mpf(m.parameters["theta"])
    rows = [
        [-(2 * n + 1) / theta * (1 if k >= n or (n - k) % 2 == 0 else -1) for k in range(order)] for n in range(order)
    ]
    return rows, [(-1) ** n * (2 * n + 1) / theta for n in range(order)]


def lagt(m: Measure, order: int) -> tuple[list[Vector], Vector]:
    """HiPPO appendix D.2 (theorem 1 at alpha = 0, beta = 1).

    ``A_nk = -Lam_k/Lam_n (k < n), -(1+beta)/2 (k = n)``; ``B_n = zeta^-1/2 Lam_n^-1 binom(n+alpha, n)``, where
    ``Lam_n^2 = Gamma(n+alpha+1)/n!`` and ``zeta = Gamma(1-alpha) beta^(alpha-1)``.
    """
    alpha, beta = as_mpf(m.parameters["alpha"]), as_mpf(m.parameters["beta"])
    lam = [mp.sqrt(mp.gamma(n + alpha + 1) / mp.factorial(n)) for n in range(order)]
    zeta = mp.gamma(1 - alpha) * mp.power(beta, alpha - 1)
    rows = [
        [-lam[k] / lam[n] if k < n else -(1 + beta) / 2 if k == n else mpf(0) for k in range(order)]
        for n in range(order)
    ]
    return rows, [mp.binomial(n + alpha, n) / (lam[n] * mp.sqrt(zeta)) for n in range(order)]


def fout(m: Measure, order: int) -> tuple[list[Vector], Vector]:
    """HiPPO appendix D.4 and HTTYH (S4-FouT), in this project's order 1, cos 1, sin 1, cos 2, ...

    ``A = (R - 2 B0 B0^T)/theta``, ``B = 2 B0/theta``: ``B0`` holds the basis at the present (1, √2, 0, √2, 0, ...)
    and R couples each complete pair by ``R[cos j, sin j] = 2 pi j = -R[sin j, cos j]``.
    """
    theta = as_mpf(m.parameters["theta"])
    ends = [mpf(1) if n == 0 else mp.sqrt(2) if n % 2 else mpf(0) for n in range(order)]
    rows = [[-2 * a * b / theta for b in ends] for a in ends]
    for cosine in range(1, order - 1, 2):
        rotation = mp.pi * (cosine + 1) / theta
        rows[cosine][cosine + 1] += rotation
        rows[cosine + 1][cosine] -= rotation
    return rows, [2 * entry / theta for entry in ends]


def chebt(m: Measure, order: int) -> tuple[list[Vector], Vector]:
    """ChebT from ``T_n' = n U_{n-1}`` and Legendre's expansion in Chebyshev polynomials.

    With ``x_n = int f p_n dv``: ``theta dx_n/dt = p_n(1) f(t) - p_n(-1) f(t-theta) - int f p_n' dv``, where
    ``p_n' = 4n sum p_k`` over k < n of the other parity (``2 sqrt 2 n p_0`` for k = 0). ``f(t-theta)`` is the far value
    of the polynomial with the same N integrals, ``sum_j (2j+1) (-1)^j int f P_j dv``, and
    ``P_j = sum_i g_i g_{j-i} T_{|j-2i|}``, ``g_i = binom(2i, i)/4^i`` (DLMF 18.5.11 at lambda = 1/2).
    """
    theta, root = as_mpf(m.parameters["theta"]), mp.sqrt(2)
    g = [mp.binomial(2 * i, i) / mpf(4) ** i for i in range(order)]
    far = [mpf(0)] * order
    for j in range(order):
        for i in range(j + 1):
            k = abs(j - 2 * i)
            far[k] += (-1) ** j * (2 * j + 1) * g[i] * g[j - i] / (root if k else 1)
    ends = [root if n else mpf(1) for n in range(order)]
    rows = []
    for n in range(order):
        row = [-((-1) ** n) * ends[n] * far[k] / theta for k in range(order)]
        for k in range(n):
            if (n - k) % 2:
                row[k] -= (4 * n if k else 2 * root * n) / theta
        rows.append(row)
    return rows, [mp.sqrt(8) / mp.pi * end / theta for end in ends]


def jacobi(m: Measure, order: int) -> tuple[list[Vector], Vector]:
    """Jacobi and Gegenbauer windows: LegT's law in another basis of the same polynomials, ``T A T^-1`` and ``T B``.

    ``T_nk = int p_n s_k P_k dv`` is lower triangular and exact with N Gauss nodes. The same integrals carry the same
    information, and the closure by the polynomial that has them is LegT's own.
    """
    rows, column = legt(m, order)
    s = legendre_scales(order)
    T = mp.zeros(order)
    for node, weight in gauss_legendre(order, mp.prec):
        p = m.kernel(order, node)
        legendre = shifted_legendre(order, node)
        for n in range(order):
            for k in range(n + 1):
                T[n, k] += weight * p[n] * s[k] * legendre[k]
    A = T * mp.matrix(rows) * mp.inverse(T)
    return [[A[n, k] for k in range(order)] for n in range(order)], list(T * mp.matrix(column))


CLOSED_FORMS: Mapping[str, Formula] = MappingProxyType(
    {
        "legs": legs,
        "legt": legt,
        "lmu": lmu,
        "lagt": lagt,
        "fout": fout,
        # HTTYH: S4 runs LegS's matrices as an invariant law, which is exact for exponentially warped Legendre.
        "legs_lti": legs,
        "chebt": chebt,
        "gegenbauer": jacobi,
        "jacobi": jacobi,
    }
)


@lru_cache(maxsize=64)
def published(m: Measure, order: int, bits: int) -> tuple[list[Vector], Vector]:
    """Rows of A and column B to ``bits`` bits, unrounded beyond; shared by the cache, so not to be changed.

    Raises:
        ValueError: no formula is published for this measure's key.
    """
    if m.key not in CLOSED_FORMS or not is_published(m):
        raise ValueError(f"no published system for measure {m.key!r}; use derive, or one of {', '.join(CLOSED_FORMS)}")
    # Sums of at most two terms and no cancellation beyond (1 + alpha) or (1 - alpha) near 0, which their exact
    # Fractions bound; the change of basis of a Jacobi window is conditioned by a power of N, its sums are alternating.
    spare = 32 + sum(value.denominator.bit_length() for value in m.parameters.values())
    if CLOSED_FORMS[m.key] in (jacobi, chebt):
        spare += 8 * order
    with working_bits(bits + spare):
        return CLOSED_FORMS[m.key](m, order)


def system(m: Measure, order: int, dps: int = 50) -> System:
    """The published ``(A, B)`` of a measure, to ``dps`` digits.

    Args:
        m: a measure with an entry in ``CLOSED_FORMS``.
        order: N >= 1.
        dps: decimal digits of every entry.

    Returns:
        A (N, N), B (N, 1) in signed form (the papers' ``-A``).

    Raises:
        TypeError, ValueError: bad ``order`` or ``dps``, or a measure without published form (use ``derive``).

    Source: the functions of this file, each with its theorem or appendix.
    """
    bits = bits_for(dps)
    rows, column = published(m, integer(order, "order", 1), bits)
    return System(*as_matrices([rounded(row, bits) for row in rows], rounded(column, bits)), m.time_law)
