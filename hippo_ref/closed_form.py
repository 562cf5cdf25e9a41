"""Published (A, B), signed form, one function per measure: HiPPO (arXiv 2008.07669), LMU 2019, HTTYH (2206.12037).

Every function returns rows and a column at the caller's working precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

from mpmath import mp, mpf

from hippo_ref.measures import Measure
from hippo_ref.orthogonal import legendre_scales
from hippo_ref.precision import Vector, as_mpf, bits_for, integer, rounded, working_bits
from hippo_ref.systems import System, as_system

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


CLOSED_FORMS: Mapping[str, Formula] = MappingProxyType(
    {
        "legs": legs,
        "legt": legt,
        "lmu": lmu,
        "lagt": lagt,
        "fout": fout,
        # HTTYH: S4 runs LegS's matrices as an invariant law, which is exact for exponentially warped Legendre.
        "legs_lti": legs,
    }
)


@lru_cache(maxsize=64)
def published(m: Measure, order: int, bits: int) -> tuple[list[Vector], Vector]:
    """Rows of A and column B to ``bits`` bits, unrounded beyond; shared by the cache, so not to be changed.

    Raises:
        ValueError: no formula is published for this measure's key.
    """
    if m.key not in CLOSED_FORMS:
        raise ValueError(f"no published system for measure {m.key!r}; use derive, or one of {', '.join(CLOSED_FORMS)}")
    # Sums of at most two terms and no cancellation beyond (1 + alpha) or (1 - alpha) near 0, which their exact
    # Fractions bound.
    spare = 32 + sum(value.denominator.bit_length() for value in m.parameters.values())
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
    return as_system([rounded(row, bits) for row in rows], rounded(column, bits), m.time_law)
