"""Entries, bases and factors written by other formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used: a worker starts without them

from verify.candidates import Model
from verify.case import Case
from verify.variants.base import Served, Variant, at

Array = np.ndarray[Any, np.dtype[Any]]


def _root_of_product(order: int) -> Array:
    n = np.arange(order)
    return np.sqrt((2.0 * n[:, None] + 1) * (2.0 * n + 1))


def _legs_from(products: Callable[[int], Array], roots: Callable[[int], Array]) -> Callable[[Model], Served]:
    """LegS or LegT from ``s_n s_k`` and ``s_n``, however those are formed."""

    def alter(model: Model) -> Served:
        def answer(level: str, value: Any) -> Any:
            order = len(value[1])
            n = np.arange(order)
            if model.case.measure == "legt":
                theta = model.case.float_parameters["theta"]
                signs = np.where(n[:, None] >= n, 1.0, (-1.0) ** (n[:, None] - n))
                A, B = -products(order) * signs / theta, roots(order) / theta
            else:
                A, B = -np.tril(products(order), -1) - np.diag(n + 1.0), roots(order)
            return A.astype(model.dtype), B.astype(model.dtype)

        return Served(model, lambda level, value: answer(level, value) if level == "matrices" else value)

    return alter


def _roots(order: int) -> Array:
    return np.sqrt(2.0 * np.arange(order) + 1)


def _half_integers(order: int) -> Array:
    return math.sqrt(2) * np.sqrt(np.arange(order) + 0.5)


def _extended(order: int) -> Array:
    return np.sqrt(2 * np.arange(order, dtype=np.longdouble) + 1)


def _by_powers(order: int) -> Array:
    return (2.0 * np.arange(order) + 1) ** 0.5


def _looped(order: int) -> Array:
    return np.array([[math.sqrt(2 * n + 1) * math.sqrt(2 * k + 1) for k in range(order)] for n in range(order)])


def _hypotenuses(order: int) -> Array:
    """``sqrt(2n+1)`` as the hypotenuse of ``sqrt(n)`` and ``sqrt(n+1)``."""
    n = np.arange(order, dtype=float)
    return np.hypot(np.sqrt(n), np.sqrt(n + 1))


def _by_products(model: Model) -> Served:
    """LagT's binomials by products, row by row."""
    parameters = model.case.float_parameters
    alpha, beta = parameters.get("alpha", 0.0), parameters.get("beta", 1.0)

    def answer(level: str, value: Any) -> Any:
        if level != "matrices":
            return value
        order = len(value[1])
        binomials = np.cumprod([1.0, *((n + alpha) / n for n in range(1, order))])  # binom(n + alpha, n)
        scale = np.sqrt(math.gamma(alpha + 1) * binomials)  # Lam_n
        A = -np.tril(np.outer(1 / scale, scale), -1) - np.eye(order) * (1 + beta) / 2
        zeta = math.gamma(1 - alpha) * beta ** (alpha - 1)
        return A.astype(model.dtype), (binomials / scale / math.sqrt(zeta)).astype(model.dtype)

    return Served(model, answer)


def _fout_by_blocks(model: Model) -> Served:
    """FouT from its rotations and its boundary."""

    def answer(level: str, value: Any) -> Any:
        if level != "matrices":
            return value
        order, theta = len(value[1]), model.case.float_parameters["theta"]
        rotation, boundary = np.zeros((order, order)), np.zeros(order)
        boundary[0], boundary[1::2] = 1.0, math.sqrt(2)
        for n in range(1, order - 1, 2):
            rotation[n, n + 1], rotation[n + 1, n] = math.pi * (n + 1), -math.pi * (n + 1)
        A = (rotation - 2 * np.outer(boundary, boundary)) / theta
        return A.astype(model.dtype), (2 * boundary / theta).astype(model.dtype)

    return Served(model, answer)


def _by_logarithms(model: Model) -> Served:
    """LagT from ``Lam_n`` by logarithms of gamma functions."""
    parameters = model.case.float_parameters
    alpha, beta = parameters.get("alpha", 0.0), parameters.get("beta", 1.0)

    def answer(level: str, value: Any) -> Any:
        if level != "matrices":
            return value
        n = np.arange(len(value[1]))
        logs = [(math.lgamma(i + alpha + 1) - math.lgamma(i + 1)) / 2 for i in n]
        A = np.array([[-math.exp(logs[k] - logs[i]) if k < i else 0.0 for k in n] for i in n])
        A -= np.diag(np.full(len(n), (1 + beta) / 2))
        zeta = math.lgamma(1 - alpha) + (alpha - 1) * math.log(beta)
        B = [
            math.exp(-zeta / 2 - logs[i] + math.lgamma(i + alpha + 1) - math.lgamma(i + 1) - math.lgamma(alpha + 1))
            for i in n
        ]
        return A.astype(model.dtype), np.array(B, dtype=model.dtype)

    return Served(model, answer)


class _ReadOut(Served):
    """A read-out whose basis is formed another way."""

    def __init__(self, model: Model, legendre: Callable[[int, Array], Array]) -> None:
        super().__init__(model)
        self._model, self._legendre = model, legendre

    def reconstruct(self, state: Array, points: Array) -> Array:
        model = self._model
        c, x = np.asarray(state, model.dtype), 2 * np.asarray(points, model.dtype) - 1
        n = np.arange(len(c))
        factors = (-1.0) ** n if model.case.measure == "lmu" else np.sqrt(2.0 * n + 1)
        return np.asarray((self._legendre(len(c), x) * factors.astype(model.dtype)) @ c)


def _three_terms(order: int, x: Array) -> Array:
    values = [np.ones_like(x), x]
    for n in range(1, order):
        values.append(((2 * n + 1) * x * values[n] - n * values[n - 1]) / (n + 1))
    return np.stack(values[:order], axis=1)


def _mirrored(order: int, x: Array) -> Array:
    """``P_n(x) = (-1)^n P_n(-x)``."""
    return (_three_terms(order, -x) * (-1.0) ** np.arange(order)).astype(x.dtype)


def _in_extended(order: int, x: Array) -> Array:
    return _three_terms(order, x.astype(np.longdouble)).astype(x.dtype)


def _by_scipy(order: int, x: Array) -> Array:
    return np.stack([scipy.special.eval_legendre(n, x) for n in range(order)], axis=1).astype(x.dtype)


class _Clenshaw(_ReadOut):
    """The sum by backward recurrence."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, _three_terms)

    def reconstruct(self, state: Array, points: Array) -> Array:
        model = self._model
        c, x = np.asarray(state, model.dtype), 2 * np.asarray(points, model.dtype) - 1
        n = np.arange(len(c))
        factors = (-1.0) ** n if model.case.measure == "lmu" else np.sqrt(2.0 * n + 1)
        return np.asarray(np.polynomial.legendre.legval(x, c * factors.astype(model.dtype)))


class _Harmonics(Served):
    """FouT by powers of one complex exponential."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self._model = model

    def reconstruct(self, state: Array, points: Array) -> Array:
        angle = 2 * np.pi * np.asarray(points, float)
        total = np.full(len(angle), float(state[0]))
        for n in range(1, len(state)):
            wave = np.exp(1j * angle * ((n + 1) // 2))
            total += math.sqrt(2) * float(state[n]) * (wave.real if n % 2 else wave.imag)
        return total.astype(self._model.dtype)


def _turned(model: Model) -> Served:
    """Eigenvectors with other phases."""

    def answer(level: str, value: Any) -> Any:
        if level != "factors":
            return value
        Lambda, P, B, V = value
        phase = np.exp(1j * (1.0 + np.arange(len(Lambda))))
        return Lambda, phase.conj()[:, None] * P, phase.conj() * B, V * phase

    return Served(model, answer)


def _reordered(model: Model) -> Served:
    """Modes in another order."""

    def answer(level: str, value: Any) -> Any:
        if level != "factors":
            return value
        Lambda, P, B, V = value
        order = np.arange(len(Lambda))[::-1]
        return Lambda[order], P[order], B[order], V[:, order]

    return Served(model, answer)


def _negated_column(model: Model) -> Served:
    """The low-rank column with the other sign."""
    return Served(
        model, lambda level, value: (value[0], -value[1], value[2], value[3]) if level == "factors" else value
    )


def _legendre_matrices(case: Case) -> bool:
    return case.level == "matrices" and case.measure in ("legs", "legs_lti", "legt")


def _legendre_readout(case: Case) -> bool:
    return case.level == "reconstruct" and case.measure in ("legs", "legt", "lmu")


FORMULAS = (
    Variant(
        "root_of_product",
        "entries as sqrt((2n+1)(2k+1))",
        _legs_from(_root_of_product, _roots),
        _legendre_matrices,
    ),
    Variant(
        "half_integer_roots",
        "entries from sqrt(2) sqrt(n + 1/2)",
        _legs_from(lambda order: np.outer(_half_integers(order), _half_integers(order)), _half_integers),
        _legendre_matrices,
    ),
    Variant(
        "extended_roots",
        "entries in extended precision, rounded once",
        _legs_from(lambda order: np.outer(_extended(order), _extended(order)), _extended),
        _legendre_matrices,
    ),
    Variant(
        "powers",
        "roots as powers of 1/2",
        _legs_from(lambda order: np.outer(_by_powers(order), _by_powers(order)), _by_powers),
        _legendre_matrices,
    ),
    Variant(
        "logarithms",
        "LagT by logarithms of gamma functions",
        _by_logarithms,
        lambda case: case.level == "matrices" and case.measure == "lagt",
    ),
    Variant(
        "loops",
        "entries one by one in Python's own numbers",
        _legs_from(_looped, _roots),
        _legendre_matrices,
    ),
    Variant(
        "hypotenuses",
        "roots as hypotenuses",
        _legs_from(lambda order: np.outer(_hypotenuses(order), _hypotenuses(order)), _hypotenuses),
        _legendre_matrices,
    ),
    Variant(
        "binomials",
        "LagT by products of ratios",
        _by_products,
        lambda case: case.level == "matrices" and case.measure == "lagt",
    ),
    Variant(
        "rotations",
        "FouT from its rotations and its boundary",
        _fout_by_blocks,
        lambda case: case.level == "matrices" and case.measure == "fout",
    ),
    Variant("mirrored", "the basis from the other end", lambda m: _ReadOut(m, _mirrored), _legendre_readout),
    Variant(
        "extended_basis", "the basis in extended precision", lambda m: _ReadOut(m, _in_extended), _legendre_readout
    ),
    Variant(
        "three_terms", "the basis by its recurrence", lambda model: _ReadOut(model, _three_terms), _legendre_readout
    ),
    Variant("scipy_basis", "the basis by scipy.special", lambda model: _ReadOut(model, _by_scipy), _legendre_readout),
    Variant("clenshaw", "the read-out by Clenshaw's recurrence", _Clenshaw, _legendre_readout),
    Variant(
        "complex_harmonics",
        "harmonics by complex exponentials",
        _Harmonics,
        lambda case: case.level == "reconstruct" and case.measure == "fout",
    ),
    Variant("other_phases", "eigenvectors with other phases", _turned, at("factors")),
    Variant("other_order", "modes in another order", _reordered, at("factors")),
    Variant("negated_column", "the low-rank column with the other sign", _negated_column, at("factors")),
)
