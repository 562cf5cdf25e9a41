"""S4, S4D and S5 built from LegS, and what each of them keeps of a signal.

LegS as an invariant law, ``dx/dt = A x + B f``, is what S4 starts from (2111.00396; its measure is ``e^-u`` on the
past, 2206.12037). S4 keeps ``A = A_N - P P^T``, ``P = B/sqrt(2)``, as diagonal plus low rank; S4D-LegS drops ``P P^T``;
S4D-Inv and S4D-Lin put simple formulas in the place of the eigenvalues of ``A_N``, S4D-Real those of A (2206.11893); S5
has several smaller blocks of S4D-LegS on one diagonal (2208.04933).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import flint
import numpy as np

from verify.adapters import own_nn

Array = np.ndarray[Any, np.dtype[Any]]
Response = Callable[[Array], Array]
"""Frequencies ``(M,)`` to the transfer functions of a real basis of the state, ``(M, N)``."""

BLOCKS: Final = 4
"""Blocks of S5: the state has N/4 modes for each channel."""
_NODES: Final = 8
"""Quadrature nodes for each coefficient: responses have N poles, at a distance of 1/2 or more from the axis."""


def legs(order: int) -> tuple[Array, Array]:
    """A and B of LegS, by our own operators, in double precision."""
    system = own_nn.system("legs", order)
    return np.asarray(system.A), np.asarray(system.B)


def normal_modes(order: int, kind: Any = np.float64) -> tuple[Array, Array]:
    """Eigenvalues and unitary eigenvectors of ``A_N = A + B B^T/2``, ``(N,)`` and ``(N, N)``, by a Hermitian solver.

    The symmetric part of ``A_N`` is -1/2 exactly, so its real parts are, and ``-i`` times the rest is Hermitian.
    """
    A, B = (part.astype(kind) for part in legs(order))
    skew = A + np.outer(B, B) / 2
    skew = (skew - skew.T) / 2
    frequencies, vectors = np.linalg.eigh(-1j * skew)
    return (-0.5 + 1j * frequencies).astype(vectors.dtype), vectors


def factors(order: int, kind: Any = np.float64) -> dict[str, Array]:
    """S4's: ``A = V (diag(Lambda) - P P^*) V^*``, ``B`` in the same basis."""
    _, B = legs(order)
    Lambda, V = normal_modes(order, kind)
    driven = V.conj().T @ B.astype(kind)
    return {"Lambda": Lambda, "P": driven[:, None] / np.sqrt(kind(2)), "B": driven, "V": V}


def kernel(parts: Mapping[str, Array], dt: float, length: int) -> Array:
    """S4's convolution kernel for every coefficient: bilinear, by the generating function at the roots of unity.

    At the L-th roots of unity z the truncated sum ``sum_k Kbar_k z^k`` is ``C~ (2/dt (1 - z) - (1 + z) A)^-1 2 B``
    with ``C~ = C (I - Abar^L)`` (2111.00396, appendix C.3); the low-rank term by Woodbury, here with ``1 + z``
    multiplied in, so that z = -1 is no exception. C is the identity.

    Args:
        parts: as `factors` gives them.
        dt: sample spacing.
        length: number of samples L.

    Returns:
        ``(L, N)``: coefficient n of the state after sample k, for the impulse ``1, 0, 0, ...``.
    """
    Lambda, P, B, V = (parts[name] for name in ("Lambda", "P", "B", "V"))
    low = P[:, 0]
    z = np.exp(-2j * np.pi * np.arange(length) / length)[:, None]
    inverse = 1 / (2 / dt * (1 - z) - (1 + z) * Lambda)
    resolvent = (1 + z) * inverse
    gain = (resolvent * low.conj() * B).sum(1) / (1 + (resolvent * abs(low) ** 2).sum(1))
    A = V @ (np.diag(Lambda) - np.outer(low, low.conj())) @ V.conj().T
    identity = np.eye(len(B))
    step = np.linalg.solve(identity - dt / 2 * A, identity + dt / 2 * A)
    read = (identity - np.linalg.matrix_power(step, length)) @ V
    found: Array = np.fft.ifft(2 * inverse * (B - gain[:, None] * low) @ read.T, axis=0).real
    return found


def responses(order: int) -> dict[str, Response]:
    """The transfer functions of each initialisation with ``order`` real numbers of state."""
    A, B = legs(order)
    half = np.arange(order // 2)

    def dense(frequencies: Array) -> Array:
        matrices = 1j * frequencies[:, None, None] * np.eye(order) - A
        found: Array = np.linalg.solve(matrices, np.broadcast_to(B[:, None], (len(frequencies), order, 1)))[..., 0]
        return found

    return {
        "S4 (LegS)": dense,
        "S4D-LegS": _pairs(_upper(order)),
        f"S5, {BLOCKS} blocks, one channel": _pairs(_upper(order // BLOCKS)),
        "S4D-Inv": _pairs(inverse_law(order)),
        "S4D-Lin": _pairs(-0.5 + 1j * np.pi * half),
        "S4D-Real": lambda frequencies: 1 / (1j * frequencies[:, None] + np.arange(1, order + 1)),
    }


def inverse_law(order: int) -> Array:
    """Eigenvalues of S4D-Inv, the highest frequency first, ``(N // 2,)``."""
    found: Array = -0.5 + 1j * order / np.pi * (order / (2 * np.arange(order // 2) + 1) - 1)
    return found


def _upper(order: int) -> Array:
    values = normal_modes(order)[0]
    found: Array = values[values.imag > 0]
    return found


def _pairs(values: Array) -> Response:
    """Two real numbers of state for each conjugate pair of modes."""

    def response(frequencies: Array) -> Array:
        first, second = (1 / (1j * frequencies[:, None] - modes) for modes in (values, values.conj()))
        return np.concatenate([first + second, 1j * (first - second)], axis=1)

    return response


def lost(response: Response, order: int, band: float, noise: float, lags: Array) -> Array:
    """The share of a signal's power that the best linear read-out of a state misses, for each lag into the past.

    The signal is a stationary process of power 1, evenly spread over the frequencies up to ``band``; beside it the
    state reads white noise, ``E n(t) n(s) = noise^2 delta(t - s)``: without it the far past could be read from digits
    that no implementation has. The best real read-out C minimises the mean of ``|C H(w) - e^(-i w u)|^2`` over the
    band, plus ``noise^2/pi`` times the integral of ``|C H|^2`` over all frequencies; both by Gauss's rule, the second
    after ``w = N v/(1 - v)``. It does not depend on the basis of the state.

    Returns:
        ``(lags,)``, from 0 (remembered) to 1 (forgotten).
    """
    nodes, weights = np.polynomial.legendre.leggauss(max(400, _NODES * order))
    unit, weights = (nodes + 1) / 2, weights / 2
    everywhere, spread = order * unit / (1 - unit), weights * order / (1 - unit) ** 2 / np.pi
    inside = np.sqrt(weights)[:, None]
    rows = np.concatenate([inside * response(band * unit), noise * np.sqrt(spread)[:, None] * response(everywhere)])
    wanted = np.concatenate([inside * np.exp(-1j * np.outer(band * unit, lags)), np.zeros((len(unit), len(lags)))])
    rows, wanted = (np.concatenate([part.real, part.imag]) for part in (rows, wanted))
    sizes = np.linalg.norm(rows, axis=0)
    rows = rows / np.where(sizes > 0, sizes, 1)
    found = np.linalg.lstsq(rows, wanted, rcond=float(np.finfo(np.float64).eps) * len(rows))[0]
    missed: Array = ((rows @ found - wanted) ** 2).sum(0)
    return missed


def distances(order: int, rows: int) -> Array:
    """Of S4D-LegS with B/2 from LegS: ``||K_D - K|| / ||K||`` in L2 over all times, for the first coefficients.

    The three inner products are exact: ``<K_D, K_D>`` and ``<K_D, K>`` solve Lyapunov's and Sylvester's equations, in
    the eigenbasis of ``A_N``; the functions of LegS, ``s_n P_n(2 e^-u - 1) e^-u``, have the square norm 1/2.
    """
    A, B = legs(order)
    values, V = normal_modes(order)
    driven = V.conj().T @ B / 2
    first = V[:rows]
    own = first @ (np.outer(driven, driven.conj()) / -(values[:, None] + values.conj())) @ first.conj().T
    head = A[:rows, :rows]  # A is lower triangular: the first rows know nothing of the others
    modes = zip(values.conj(), driven.conj(), strict=True)
    across = np.column_stack([np.linalg.solve(head + rate * np.eye(rows), -B[:rows] * b) for rate, b in modes])
    square = np.diag(own - 2 * across @ first.conj().T).real + 0.5
    found: Array = np.sqrt(square / 0.5)
    return found


def epsilon(order: int, frequency: float) -> Any:
    """``eps(i w) = prod_(n < N) (i w - n)/(i w + n + 1)``, as a ball; its size is ``w/sqrt(w^2 + N^2)``."""
    s = flint.acb(0, frequency)
    product = flint.acb(1)
    for n in range(order):
        product *= (s - n) / (s + n + 1)
    return product


def identity_gap(order: int, frequency: float, digits: int) -> tuple[float, float]:
    """How far transfer functions are from ``H_D = H/(1 + eps)``, at most, and ``|eps|`` from its closed form.

    H of LegS and ``H_D`` of S4D-LegS with B/2, every coefficient, as balls.
    """
    with flint.ctx.workdps(digits):
        roots = [flint.arb(2 * n + 1).sqrt() for n in range(order)]
        s = flint.acb(0, frequency)

        def transfer(low_rank: bool, gain: Any) -> Any:
            matrix = [
                [
                    (s if n == k else flint.acb(0))
                    + (roots[n] * roots[k] if n > k else flint.arb(n + 1 if n == k else 0))
                    - (0 if low_rank else roots[n] * roots[k] / 2)
                    for k in range(order)
                ]
                for n in range(order)
            ]
            return flint.acb_mat(matrix).solve(flint.acb_mat([[flint.acb(root) * gain] for root in roots]))

        exact, dropped = transfer(True, 1), transfer(False, flint.arb(1) / 2)
        small = epsilon(order, frequency)
        gaps = [abs(dropped[n, 0] * (1 + small) / exact[n, 0] - 1) for n in range(order)]
        w = flint.arb(frequency)
        closed = abs(abs(small) - w / (w * w + order * order).sqrt())
        return max(float(gap.upper()) for gap in gaps), float(closed.upper())
