"""Kernels of the measures as balls: values at a point, bounds on complex boxes, bounds on an infinite tail.

Written apart from ``hippo_ref.measures``, as the second witness: ``c_n(t) = int f(time(v)) kernel_n(v) dv`` over the
window coordinate v (an age for infinite windows). A bound on a box is what a rigorous quadrature needs of a kernel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from flint import acb, arb

from hippo_ref.balls import Balls, ball, largest
from hippo_ref.measures import Measure, is_published


@dataclass(frozen=True)
class Box:
    """The rectangle ``|Re z - centre| <= across, |Im z| <= up`` in the plane of the window coordinate."""

    centre: arb
    across: arb
    up: arb

    def corner(self) -> tuple[arb, arb]:
        """Smallest and largest real part."""
        return self.centre - self.across, self.centre + self.across

    def whole(self) -> acb:
        """The rectangle as one complex ball."""
        return acb(self.centre + arb(0, self.across.abs_upper()), arb(0, self.up.abs_upper()))


class Kernel(ABC):
    """The N kernels of one measure, in ball arithmetic at the current precision."""

    def __init__(self, m: Measure) -> None:
        self.parameters = m.parameters

    @abstractmethod
    def time(self, v: acb, t: arb) -> acb:
        """Time of a window coordinate, which may be complex."""

    @abstractmethod
    def coordinate(self, x: arb, t: arb) -> arb:
        """Window coordinate of a time."""

    @abstractmethod
    def values(self, order: int, v: arb) -> Balls:
        """``kernel_n(v)`` for n < order."""

    @abstractmethod
    def basis(self, order: int, fraction: arb) -> Balls:
        """Basis functions at a fraction of the window, oldest first."""

    @abstractmethod
    def bounds(self, order: int, box: Box) -> Balls:
        """Upper bounds on ``|kernel_n|`` in the box, for n < order."""

    def tail(self, order: int, start: arb, rate: arb) -> Balls | None:
        """Upper bounds on ``int_start^inf e^{rate u} |kernel_n(u)| du``; None while start is too small for them."""
        raise ValueError("a finite window has no tail")


class _Scaled(Kernel):
    def time(self, v: acb, t: arb) -> acb:
        return v * t

    def coordinate(self, x: arb, t: arb) -> arb:
        return x / t


class _Sliding(Kernel):
    def time(self, v: acb, t: arb) -> acb:
        return t - ball(self.parameters["theta"]) * (1 - v)

    def coordinate(self, x: arb, t: arb) -> arb:
        return (x - t) / ball(self.parameters["theta"]) + 1


class _Past(Kernel):
    def time(self, v: acb, t: arb) -> acb:
        return t - v

    def coordinate(self, x: arb, t: arb) -> arb:
        return t - x


def _root(value: int | Fraction) -> arb:
    return ball(Fraction(value)).sqrt()


def _legendre(order: int, z: arb) -> Balls:
    """``P_n(z)``; a ball of z widens by at most 1 + sqrt 2 per degree, which guard bits pay for."""
    values = [arb(1), z][:order]
    for n in range(1, order - 1):
        values.append(((2 * n + 1) * z * values[n] - n * values[n - 1]) / (n + 1))
    return values


def _joukowski(nearer: arb, farther: arb) -> arb:
    """Upper bound on ``rho >= 1`` with ``rho + 1/rho`` the sum of the distances to -1 and 1."""
    # Upper bounds are exact numbers: a ball about 0 would reach below it and have no root.
    half = arb(((nearer + farther) / 2).max(arb(1)).abs_upper())
    return half + arb((half * half - 1).abs_upper()).sqrt()


def _ellipse(box: Box) -> arb:
    """Upper bound on the rho of the Bernstein ellipse about [-1, 1] through a point of the box of ``z = 2v - 1``.

    The sum of the distances to the foci is convex, so the box has its largest at a corner.
    """
    up = 2 * box.up
    sums = [
        _joukowski(((z - 1) ** 2 + up * up).sqrt(), ((z + 1) ** 2 + up * up).sqrt())
        for z in (2 * edge - 1 for edge in box.corner())
    ]
    return arb(largest(sums))


def _powers(order: int, rho: arb) -> Balls:
    """``rho^n``: bounds ``|T_n|`` in the ellipse of rho, and ``|P_n|``, a mean of ``T_k`` with k <= n."""
    values = [arb(1)]
    for _ in range(order - 1):
        values.append(values[-1] * rho)
    return values


class _LegendreScaled(_Scaled):
    def values(self, order: int, v: arb) -> Balls:
        return [_root(2 * n + 1) * p for n, p in enumerate(_legendre(order, 2 * v - 1))]

    def basis(self, order: int, fraction: arb) -> Balls:
        return self.values(order, fraction)

    def bounds(self, order: int, box: Box) -> Balls:
        return [_root(2 * n + 1) * p for n, p in enumerate(_powers(order, _ellipse(box)))]


class _LegendreSliding(_Sliding):
    def values(self, order: int, v: arb) -> Balls:
        return [_root(2 * n + 1) * p for n, p in enumerate(_legendre(order, 2 * v - 1))]

    def basis(self, order: int, fraction: arb) -> Balls:
        return self.values(order, fraction)

    def bounds(self, order: int, box: Box) -> Balls:
        return [_root(2 * n + 1) * p for n, p in enumerate(_powers(order, _ellipse(box)))]


class _Lmu(_Sliding):
    def values(self, order: int, v: arb) -> Balls:
        return [(2 * n + 1) * p for n, p in enumerate(_legendre(order, 1 - 2 * v))]

    def basis(self, order: int, fraction: arb) -> Balls:
        return _legendre(order, 1 - 2 * fraction)

    def bounds(self, order: int, box: Box) -> Balls:
        return [(2 * n + 1) * p for n, p in enumerate(_powers(order, _ellipse(box)))]


class _Fourier(_Sliding):
    def values(self, order: int, v: arb) -> Balls:
        found = [arb(1)]
        for n in range(1, order):
            angle = 2 * ((n + 1) // 2) * v
            found.append(arb(2).sqrt() * (arb.cos_pi(angle) if n % 2 else arb.sin_pi(angle)))
        return found

    def basis(self, order: int, fraction: arb) -> Balls:
        return self.values(order, fraction)

    def bounds(self, order: int, box: Box) -> Balls:
        """``|cos z|, |sin z| <= cosh(Im z)``."""
        turn = 2 * arb.pi() * box.up
        return [arb(2).sqrt() * (turn * ((n + 1) // 2)).cosh() for n in range(order)]


class _Warped(_Past):
    def values(self, order: int, v: arb) -> Balls:
        y = (-v).exp()
        return [y * _root(2 * n + 1) * p for n, p in enumerate(_legendre(order, 2 * y - 1))]

    def basis(self, order: int, fraction: arb) -> Balls:
        return [_root(2 * n + 1) * p for n, p in enumerate(_legendre(order, 2 * fraction - 1))]

    def bounds(self, order: int, box: Box) -> Balls:
        y = (-box.whole()).exp()
        rho = _joukowski(2 * abs(y - 1).abs_upper(), 2 * abs(y).abs_upper())
        return [abs(y).abs_upper() * _root(2 * n + 1) * p for n, p in enumerate(_powers(order, rho))]

    def tail(self, order: int, start: arb, rate: arb) -> Balls | None:
        """``|kernel_n| <= s_n e^{-u}``."""
        decay = 1 - rate
        return [_root(2 * n + 1) * (-decay * start).exp() / decay for n in range(order)] if decay > 0 else None


class _Laguerre(_Past):
    def _scales(self, order: int) -> Balls:
        # 1 - alpha and n + alpha exactly: alpha may be a hair from either end of its domain.
        alpha, beta = self.parameters["alpha"], self.parameters["beta"]
        zeta = ball(1 - alpha).gamma() * ball(beta) ** ball(alpha - 1)
        squares = [ball(1 + alpha).gamma() * zeta]
        for n in range(1, order):
            squares.append(squares[-1] * ball((n + alpha) / n))
        return [1 / square.sqrt() for square in squares]

    def _polynomials(self, order: int, u: arb) -> Balls:
        alpha = ball(self.parameters["alpha"])
        found = [arb(1), 1 + alpha - u][:order]
        for n in range(1, order - 1):
            found.append(((2 * n + 1 + alpha - u) * found[n] - (n + alpha) * found[n - 1]) / (n + 1))
        return found

    def _decay(self) -> arb:
        return (1 + ball(self.parameters["beta"])) / 2

    def values(self, order: int, v: arb) -> Balls:
        envelope = (-self._decay() * v).exp()
        return [envelope * s * p for s, p in zip(self._scales(order), self._polynomials(order, v), strict=True)]

    def basis(self, order: int, fraction: arb) -> Balls:
        raise ValueError("measure 'lagt' has no reconstruction at fractions of the window: its window is infinite")

    def bounds(self, order: int, box: Box) -> Balls:
        """``|L_n(z)| <= L_n(-|z|)``: the coefficients of ``L_n(-z)`` are positive for alpha > -1."""
        low, _ = box.corner()
        envelope = (-self._decay() * low).exp()
        largest = -arb(abs(box.whole()).abs_upper())
        return [envelope * s * p for s, p in zip(self._scales(order), self._polynomials(order, largest), strict=True)]

    def tail(self, order: int, start: arb, rate: arb) -> Balls | None:
        """``L_n(-u) <= L_n(-U) e^{n (u - U)/U}`` for u >= U, since each power obeys it (``log(u/U) <= u/U - 1``)."""
        slowest = self._decay() - rate - (order - 1) / start
        if not slowest > 0:
            return None
        size = ((rate - self._decay()) * start).exp() / slowest
        return [size * s * p for s, p in zip(self._scales(order), self._polynomials(order, -start), strict=True)]


class _JacobiSliding(_Sliding):
    """Orthonormal Jacobi polynomials by Arb's own hypergeometric functions."""

    def __init__(self, m: Measure, alpha: Fraction, beta: Fraction) -> None:
        super().__init__(m)
        self.alpha, self.beta = alpha, beta

    def _scales(self, order: int) -> Balls:
        a, b = ball(self.alpha), ball(self.beta)
        found = [arb(1)]
        for n in range(1, order):
            # Norms under mass 1: (a+1)_n (b+1)_n / ((2n+a+b+1) n! (a+b+2)_{n-1}).
            norm = (
                (a + 1).rising(n) * (b + 1).rising(n) / ((2 * n + a + b + 1) * arb(n).fac() * (a + b + 2).rising(n - 1))
            )
            found.append(1 / norm.sqrt())
        return found

    def _polynomials(self, order: int, z: arb) -> Balls:
        return [z.jacobi_p(arb(n), ball(self.alpha), ball(self.beta)) for n in range(order)]

    def values(self, order: int, v: arb) -> Balls:
        return [s * p for s, p in zip(self._scales(order), self._polynomials(order, 2 * v - 1), strict=True)]

    def basis(self, order: int, fraction: arb) -> Balls:
        a, b = ball(self.alpha), ball(self.beta)
        weight = (1 - fraction) ** a * fraction**b * (a + b + 2).gamma() / ((a + 1).gamma() * (b + 1).gamma())
        return [weight * p for p in self.values(order, fraction)]

    def bounds(self, order: int, box: Box) -> Balls:
        """All zeros x lie in [-1, 1], so ``|z - x| <= |z - 1| + 1 - x``: ``|p_n(z)| <= p_n(1 + |z - 1|)``."""
        z = 2 * box.whole() - 1
        point = 1 + arb(abs(z - 1).abs_upper())
        return [s * p for s, p in zip(self._scales(order), self._polynomials(order, point), strict=True)]


class _ChebyshevSliding(_Sliding):
    def _scales(self, order: int) -> Balls:
        first = arb(8).sqrt() / arb.pi()
        return [first * (arb(2).sqrt() if n else 1) for n in range(order)]

    def values(self, order: int, v: arb) -> Balls:
        z = 2 * v - 1
        return [s * z.chebyshev_t(n) for n, s in enumerate(self._scales(order))]

    def basis(self, order: int, fraction: arb) -> Balls:
        weight = arb.pi() / 8 / (fraction * (1 - fraction)).sqrt()
        return [weight * p for p in self.values(order, fraction)]

    def bounds(self, order: int, box: Box) -> Balls:
        return [s * p for s, p in zip(self._scales(order), _powers(order, _ellipse(box)), strict=True)]


def _jacobi(m: Measure) -> Kernel:
    return _JacobiSliding(m, m.parameters["alpha"], m.parameters["beta"])


def _gegenbauer(m: Measure) -> Kernel:
    exponent = m.parameters["alpha"] - Fraction(1, 2)
    return _JacobiSliding(m, exponent, exponent)


KERNELS: Mapping[str, Callable[[Measure], Kernel]] = MappingProxyType(
    {
        "legs": _LegendreScaled,
        "legt": _LegendreSliding,
        "lmu": _Lmu,
        "lagt": _Laguerre,
        "fout": _Fourier,
        "legs_lti": _Warped,
        "chebt": _ChebyshevSliding,
        "gegenbauer": _gegenbauer,
        "jacobi": _jacobi,
    }
)


def kernel_of(m: Measure) -> Kernel:
    """The kernels of a published measure as balls.

    Raises:
        ValueError: a measure of your own: its functions are numbers to some digits, not balls.
    """
    if m.key not in KERNELS or not is_published(m):
        raise ValueError(f"no certified kernels for measure {m.key!r}; known: {', '.join(KERNELS)}")
    return KERNELS[m.key](m)
