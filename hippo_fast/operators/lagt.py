"""LagT: Laguerre measure on the infinite past, tilted.

``c_n = zeta^-1/2 Lam_n^-1 int_0^inf f(t - u) e^{-(1 + beta) u/2} L_n^(alpha)(u) du``, with
``Lam_n = sqrt(Gamma(n + alpha + 1)/Gamma(n + 1))`` and ``zeta = Gamma(1 - alpha) beta^(alpha - 1)``. Invariant law with
``A_nk = -(Lam_k/Lam_n)`` (k < n), ``-(1 + beta)/2`` (k = n), 0 (k > n) and
``B_n = zeta^-1/2 Lam_n^-1 binom(n + alpha, n)``. Exact, not closed. Domain ``-1 < alpha < 1``, ``beta > 0``; plain LagT
is ``alpha = 0, beta = 1``. Ages are in units of the weight's decay. Source: HiPPO (arXiv 2008.07669), appendix D.2.

Because ``binom(n + alpha, n) = Lam_n^2/Gamma(1 + alpha)`` and
``Gamma(1 + alpha) Gamma(1 - alpha) = pi alpha/sin(pi alpha)``, no gamma function has to be evaluated:
``B_n = (Lam_n/Lam_0) sqrt(beta^(1 - alpha) sin(pi alpha)/(pi alpha))``.
"""

from __future__ import annotations

import math
from typing import final

import numpy as np

from hippo_fast.operators.base import Operator, general_hold_increment
from hippo_fast.structured import PrefixStructure, Structure
from hippo_fast.types import Float64Array, Parameters, System


@final
class LagT(Operator):
    """The Laguerre measure."""

    key = "lagt"
    time_law = "invariant"
    parameters = ("alpha", "beta")
    closed = False

    def system(self, order: int, parameters: Parameters) -> System:
        """Return LagT ``A``, ``B``, in units of 1/time."""
        ratio = laguerre_ratios(order, parameters.alpha)
        a = -np.tril(ratio[None, :] / ratio[:, None], -1)
        a[np.arange(order), np.arange(order)] = -(1.0 + parameters.beta) / 2.0
        return System(a, ratio * _level(parameters), self.time_law)

    def basis(self, order: int, points: Float64Array, parameters: Parameters) -> Float64Array:
        """Refuse: an infinite window has no fractions.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "measure is 'lagt', whose window is infinite: points would have to be ages, not fractions of it"
        )

    def scale(self, order: int) -> Float64Array:
        """Return ones: states are run as they are."""
        return np.ones(order)

    def structure(self, order: int, parameters: Parameters) -> Structure:
        """Return LagT in ``x_n = c_n Lam_n/Lam_0``, where every weight is one.

        There ``B_n`` is the level times ``Lam_n^2/Lam_0^2 = prod_{j=1..n} (j + alpha)/j``, which rises by its share
        ``alpha/n`` from one row to the next.
        """
        ratio, level = laguerre_ratios(order, parameters.alpha), _level(parameters)
        decay = np.full(order, (1.0 + parameters.beta) / 2.0)
        rise = np.full(order, level)
        rise[1:] = level * ratio[:-1] ** 2 * (parameters.alpha / np.arange(1, order))
        carried = np.full(order, (parameters.beta - 1.0) / 2.0)
        return PrefixStructure(1.0 / ratio, diagonal=decay, carried=carried, rise=rise)

    def hold_increment(self, order: int, parameters: Parameters, dt: float) -> tuple[Float64Array, Float64Array]:
        """Return the hold by a matrix exponential."""
        return general_hold_increment(self.system(order, parameters), dt)


def laguerre_ratios(order: int, alpha: float) -> Float64Array:
    """Return ``Lam_n/Lam_0 = sqrt(prod_{j=1..n} (j + alpha)/j)``, shape ``(N,)``, each correctly rounded.

    The product is run in 40 decimal digits: in float64 it would lose about one ulp for every few factors.
    """
    from decimal import Context, Decimal  # noqa: PLC0415  (this measure alone needs it)

    context = Context(prec=40)
    exact_alpha = Decimal(alpha)
    product = Decimal(1)
    ratios = np.ones(order)
    if alpha != 0.0:
        for j in range(1, order):
            product = context.divide(context.multiply(product, context.add(exact_alpha, Decimal(j))), Decimal(j))
            ratios[j] = float(context.sqrt(product))
    return ratios


def _level(parameters: Parameters) -> float:
    """Return ``B_0``."""
    return math.sqrt(parameters.beta ** (1.0 - parameters.alpha) * _sinc(parameters.alpha))


def _sinc(alpha: float) -> float:
    """Return ``sin(pi alpha)/(pi alpha)``, accurate to a few ulp up to the zeros at ``alpha = -1, 1``."""
    size = abs(alpha)
    if size == 0.0:
        return 1.0
    return math.sin(math.pi * min(size, 1.0 - size)) / (math.pi * size)
