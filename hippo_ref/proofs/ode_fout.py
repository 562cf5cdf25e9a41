"""The law of FouT against coefficients integrated from their definition (claim 1): closure, and what even N drops.

An instance is the signal over the window at the time in question, ``F(v) = f(t - theta + theta v)``: a polynomial plus
waves ``a_1, b_1, a_2, b_2, ...`` of ``a_j cos 2πjv + b_j sin 2πjv``. Then ``df/dt`` at fixed v is ``F'(v)/theta``, and
every coefficient is a polynomial in 1/pi, which is an indeterminate here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flint import fmpq, fmpq_poly

from hippo_ref.proofs.base import Instance, Proof, coefficients, number, numbers, sized, table
from hippo_ref.proofs.exact import FourierLaw, fourier_ends, fout

_ZERO, _INVERSE_PI = fmpq_poly([0]), fmpq_poly([0, 1])


def _moments(count: int, degrees: int) -> list[list[fmpq_poly]]:
    """``int_0^1 v^k g_n(v) dv`` for the first ``count`` of 1, cos 2πv, sin 2πv, ..., as polynomials in ``1/pi``."""
    rows = [[fmpq_poly([fmpq(1, k + 1)]) for k in range(degrees)]]
    for j in range(1, count // 2 + 1):
        # By parts: C_k = -(k/w) S_{k-1}, S_k = -1/w + (k/w) C_{k-1}, with 1/w = (1/pi)/(2j).
        inverse = fmpq_poly([0, fmpq(1, 2 * j)])
        cosines, sines = [_ZERO], [_ZERO]
        for k in range(1, degrees):
            cosine, sine = -k * inverse * sines[-1], inverse * (k * cosines[-1] - 1)
            cosines.append(cosine)
            sines.append(sine)
        rows += [cosines, sines]
    return rows[:count]


def _projection(count: int, polynomial: Sequence[fmpq], waves: Sequence[fmpq]) -> list[fmpq_poly]:
    """``int_0^1 F g_n dv`` for n < count; a wave has squared norm 1/2."""
    x = [
        sum((a * moment for a, moment in zip(polynomial, row, strict=True)), _ZERO)
        for row in _moments(count, len(polynomial))
    ]
    for n, wave in enumerate(waves[: count - 1], start=1):
        x[n] += wave / 2
    return x


def _residual(found: FourierLaw, order: int, polynomial: list[fmpq], waves: list[fmpq]) -> list[fmpq_poly]:
    """``(theta/pi)(dx/dt - R x - b f)``, less what the sine that an even order lacks would have given."""
    if len(waves) % 2:
        raise ValueError(f"waves must hold pairs (of cosine and sine), got {len(waves)} number(s)")
    x = _projection(order + 1, polynomial, waves)
    slope = [i * value for i, value in enumerate(polynomial)][1:] or [fmpq(0)]
    # d/dv (a cos 2πjv + b sin 2πjv) = 2πj (b cos - a sin), here without the pi.
    turned = [(n // 2 + 1) * 2 * (waves[n + 1] if n % 2 == 0 else -waves[n - 1]) for n in range(len(waves))]
    rate = _projection(order, slope, []), _projection(order, [fmpq(0)], turned)
    present = sum(polynomial, fmpq(0)) + sum(waves[::2], fmpq(0))
    residual = []
    for n in range(order):
        value = rate[0][n] * _INVERSE_PI + rate[1][n] - found.b[n, 0] * present * _INVERSE_PI
        for k in range(order):
            if found.turn[n, k] or found.rest[n, k]:
                value -= fmpq_poly([found.turn[n, k], found.rest[n, k]]) * x[k]
        residual.append(value)
    if order % 2 == 0:
        residual[-1] -= order * x[order]
    return residual


def _ode(system: Callable[[int], FourierLaw], order: int, polynomial: list[fmpq], waves: list[fmpq]) -> list[fmpq]:
    residual, ends = _residual(system(order), order, polynomial, waves), fourier_ends(order)
    # -(1/theta) g_n(0) (f(t) + f(t-theta) - 2 g), g the approximation at either end.
    x = _projection(order, polynomial, waves)
    approximation = x[0] + 2 * sum((x[n] for n in range(1, order, 2)), _ZERO)
    both = sum(polynomial, polynomial[0]) + 2 * sum(waves[::2], fmpq(0))
    missed = (both - 2 * approximation) * _INVERSE_PI
    return coefficients(value + ends[n, 0] * missed for n, value in enumerate(residual))


def _span(system: Callable[[int], FourierLaw], order: int, constant: fmpq, waves: list[fmpq]) -> list[fmpq]:
    sized(waves, 2 * (order // 2), "waves")
    return coefficients(_residual(system(order), order, [constant], waves))


def _turned(factor: int) -> Callable[[int], FourierLaw]:
    return lambda order: FourierLaw(factor * fout(order).turn, fout(order).rest, fout(order).b)


_WRONG: dict[str, Callable[[int], FourierLaw]] = {
    "rotation reversed": _turned(-1),
    "frequencies doubled": _turned(2),
    "B halved": lambda order: FourierLaw(fout(order).turn, fout(order).rest, fmpq(1, 2) * fout(order).b),
    "closure of LegT": lambda order: FourierLaw(fout(order).turn, fmpq(1, 2) * fout(order).rest, fout(order).b),
}


def _unit_waves(size: int) -> list[list[int]]:
    return [[int(i == n) for i in range(size)] for n in range(size)]


def _signals(order: int) -> tuple[Instance, ...]:
    """Powers up to 4, and every wave up to two frequencies beyond the span."""
    powers = [{"polynomial": [0] * i + [1], "waves": []} for i in range(5)]
    return (*powers, *({"polynomial": [0], "waves": waves} for waves in _unit_waves(2 * (order // 2) + 4)))


def _span_signals(order: int) -> tuple[Instance, ...]:
    """All of the span of the next odd order."""
    size = 2 * (order // 2)
    return ({"constant": 1, "waves": [0] * size}, *({"constant": 0, "waves": waves} for waves in _unit_waves(size)))


PROOFS = table(
    Proof(
        key="ode_fout",
        claim=(
            "dc/dt - (A c + B f) = -(1/theta) B0 (f(t) + f(t-theta) - 2g), g the approximation at the ends; "
            "at even N the last row has (pi N/theta) <f, absent sine> besides."
        ),
        covers="every sum of the windows given (polynomial and waves, pi an indeterminate), every theta",
        source="HiPPO appendix D.4; HTTYH (S4-FouT): the endpoint average closes the law.",
        formula=fout,
        gap=_ode,
        wrong=_WRONG,
        takes={"polynomial": numbers(1), "waves": numbers()},
        examples=_signals,
    ),
    Proof(
        key="span_fout",
        claim=(
            "FouT's law holds exactly on its span at odd N; at even N, on the span of N+1, all it lacks is "
            "(pi N/theta) <f, absent sine> in the last row."
        ),
        covers="every sum of the trigonometric polynomials given, every theta",
        source="HiPPO appendix D.4; HTTYH (S4-FouT).",
        formula=fout,
        gap=_span,
        wrong=_WRONG,
        takes={"constant": number(), "waves": numbers()},
        examples=_span_signals,
    ),
)
