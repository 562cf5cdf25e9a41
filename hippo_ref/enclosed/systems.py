"""Published (A, B) as balls: the closed formulas of HiPPO, LMU and HTTYH, each with as few roundings as it allows.

Square roots are taken of rational numbers, Gamma functions are removed by their reflection and ratio formulas, and what
is rational stays rational, so a radius is a few units of the last place at any order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

from flint import arb, arb_mat, fmpq

from hippo_ref.balls import Balls, ball, ball_precision, reach
from hippo_ref.enclosed import windows
from hippo_ref.measures import Measure, is_published
from hippo_ref.precision import integer

Formula: TypeAlias = Callable[[Measure, int], tuple[list[Balls], Balls]]


def scales(order: int) -> Balls:
    """``s_n = sqrt(2n+1)``."""
    return [arb(2 * n + 1).sqrt() for n in range(order)]


def _legs(_: Measure, order: int) -> tuple[list[Balls], Balls]:
    """``A = n I - lower triangle of s s^T``, whose diagonal is ``n - (2n+1) = -(n+1)``; ``B = s``. HiPPO theorem 2."""
    rows = [
        [-arb((2 * n + 1) * (2 * k + 1)).sqrt() if k < n else arb(-(n + 1) if k == n else 0) for k in range(order)]
        for n in range(order)
    ]
    return rows, scales(order)


def _legt(m: Measure, order: int) -> tuple[list[Balls], Balls]:
    """``A_nk = -(-1)^max(k-n, 0) s_n s_k/theta``, ``B_n = s_n/theta``. HiPPO theorem 1 and appendix D.1."""
    speed = ball(1 / m.parameters["theta"])
    rows = [
        [(speed if k > n and (k - n) % 2 else -speed) * arb((2 * n + 1) * (2 * k + 1)).sqrt() for k in range(order)]
        for n in range(order)
    ]
    return rows, [speed * s for s in scales(order)]


def _lmu(m: Measure, order: int) -> tuple[list[Balls], Balls]:
    """``A_nk = -(-1)^max(n-k, 0) (2n+1)/theta``, ``B_n = (-1)^n (2n+1)/theta``: rational. LMU 2019, equation 2."""
    gains = [ball((2 * n + 1) / m.parameters["theta"]) for n in range(order)]
    rows = [[gains[n] if n > k and (n - k) % 2 else -gains[n] for k in range(order)] for n in range(order)]
    return rows, [-gain if n % 2 else gain for n, gain in enumerate(gains)]


def _lagt(m: Measure, order: int) -> tuple[list[Balls], Balls]:
    """LagT with ``Lam_n^2 = Gamma(1+alpha) R_n``, ``R_n = prod_{i<=n} (i+alpha)/i``. HiPPO appendix D.2.

    ``A_nk = -sqrt(R_k/R_n)`` below the diagonal ``-(1+beta)/2``. In ``B_n = zeta^-1/2 Lam_n^-1 binom(n+alpha, n)`` the
    binomial is R_n, and ``Gamma(1+alpha) Gamma(1-alpha) = pi alpha / sin(pi alpha)`` leaves
    ``B_n^2 = R_n beta^(1-alpha) sin(pi alpha)/(pi alpha)``.
    """
    alpha, beta = m.parameters["alpha"], m.parameters["beta"]
    ratios = [arb(1)]
    for n in range(1, order):
        ratios.append(ratios[-1] * ball((n + alpha) / n))
    roots = [ratio.sqrt() for ratio in ratios]
    rate = ball(-(1 + beta) / 2)
    rows = [[-roots[k] / roots[n] if k < n else rate if k == n else arb(0) for k in range(order)] for n in range(order)]
    turn = arb.sin_pi_fmpq(fmpq(alpha.numerator, alpha.denominator)) / (arb.pi() * ball(alpha)) if alpha else arb(1)
    head = (ball(beta) ** ball(1 - alpha) * turn).sqrt()
    return rows, [head * root for root in roots]


def _fout(m: Measure, order: int) -> tuple[list[Balls], Balls]:
    """Order 1, cos 1, sin 1, cos 2, ...: ``A = (R - 2 b b^T)/theta``, ``B = 2 b/theta``. HiPPO appendix D.4; HTTYH.

    ``b = (1, √2, 0, √2, 0, ...)`` is the basis at the present, so ``2 b b^T`` has the entries 2, 2√2 and 4; R turns
    each complete pair, ``R[cos j, sin j] = 2 pi j = -R[sin j, cos j]``.
    """
    speed = ball(1 / m.parameters["theta"])
    products = [2 * speed, 2 * arb(2).sqrt() * speed, 4 * speed]
    ends = [n == 0 or n % 2 == 1 for n in range(order)]
    rows = [
        [-products[(n > 0) + (k > 0)] if ends[n] and ends[k] else arb(0) for k in range(order)] for n in range(order)
    ]
    for sine in range(2, order, 2):
        turn = arb.pi() * sine * speed
        rows[sine - 1][sine], rows[sine][sine - 1] = turn, -turn
    return rows, [products[n > 0] if ends[n] else arb(0) for n in range(order)]


FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "legs": _legs,
        "legt": _legt,
        "lmu": _lmu,
        "lagt": _lagt,
        "fout": _fout,
        # HTTYH: LegS's matrices as an invariant law belong to exponentially warped Legendre polynomials.
        "legs_lti": _legs,
        "chebt": windows.chebt,
        "gegenbauer": windows.gegenbauer,
        "jacobi": windows.jacobi,
    }
)


def formula(m: Measure) -> Formula:
    """The formula of the measure.

    Raises:
        ValueError: none is known for its key.
    """
    if m.key not in FORMULAS or not is_published(m):
        raise ValueError(f"no formula in balls for measure {m.key!r}; expected one of {', '.join(FORMULAS)}")
    return FORMULAS[m.key]


@lru_cache(maxsize=32)
def system_balls(m: Measure, order: int, bits: int) -> tuple[arb_mat, arb_mat]:
    """A (N, N) and B (N, 1) in ball arithmetic of ``bits`` bits; shared by the cache, so not to be changed."""
    with ball_precision(bits):
        rows, column = formula(m)(m, order)
        return arb_mat(rows), arb_mat([[entry] for entry in column])


def enclose_system(m: Measure, order: int, digits: int = 50) -> tuple[list[Balls], Balls]:
    """The published ``(A, B)`` of a measure as balls.

    Args:
        m: a measure with an entry in ``FORMULAS``.
        order: N >= 1.
        digits: each radius is at most ``10^-digits`` of the largest entry of its row of A, or of B.

    Returns:
        N rows of N balls, and N balls: signed form.

    Raises:
        TypeError, ValueError: bad ``order`` or ``digits``, or a measure without a formula here.
        PrecisionError: the radius is not reached.

    Source: the functions of this file, each with its theorem or appendix.
    """
    order, known = integer(order, "order", 1), formula(m)

    def compute() -> list[Balls]:
        rows, column = known(m, order)
        return [*rows, column]

    *rows, column = reach(compute, digits, f"enclose_system({m.key}, order={order})")
    return rows, column
