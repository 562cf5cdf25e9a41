"""How much a past input still moves a cell: the norm of its gradient, measured and derived, and its law of decay."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify.claims.base import Json

Array = NDArray[np.float64]

CLEARLY = 2.0
"""A law is told from the other when its misfit is smaller by this factor: a line through the logarithms of a power law
misses an exponential by far more, and the other way round, as soon as the lags span a factor of a few."""
STEADY = math.log(2)
"""A norm whose logarithm stays within this over all lags has no decay that could be told from none."""
VANISHED = 1e-280
"""Smaller norms are left out: doubles lose their digits towards 1e-308."""


def memory_norms(order: int, method: str, position: int, times: Sequence[int]) -> Array:
    """``||d c / d f_s||`` of LegS as `hippo_fast` computes it.

    The memory is linear: the gradient with respect to sample ``s`` is the answer to a unit impulse there.

    Args:
        order: coefficients.
        method: rule of discretization.
        position: ``s``, from 0.
        times: numbers of samples read, each above ``s``.
    """
    from verify.adapters.own_nn import scan  # noqa: PLC0415 -- claims are listed without the fast side

    impulse = np.zeros(max(times))
    impulse[position] = 1.0
    states = scan(impulse, "legs", order, method=method)
    return np.linalg.norm(states[np.asarray(times) - 1], axis=-1)


def derived_norms(order: int, position: int, times: Sequence[int]) -> Array:
    """The same of the exact memory of a signal that is constant over each sample's cell ``[s, s+1)``.

    The kernel ``s_n P_n(2x/t - 1)/t`` (Prop. 5) integrated over the cell, by ``(2n+1) P_n = P_{n+1}' - P_{n-1}'``.

    Args:
        order: coefficients.
        position: ``s``, from 0.
        times: numbers of samples read, each above ``s``.
    """
    t = np.asarray(times, dtype=np.float64)
    left, right = (_legendre(order + 1, 2 * (position + end) / t - 1) for end in (0, 1))
    rise = right - left  # P_0 .. P_order, then a row each
    weights = np.empty((order, len(t)))
    weights[0] = 1 / t
    for n in range(1, order):
        weights[n] = (rise[n + 1] - rise[n - 1]) / (2 * math.sqrt(2 * n + 1))
    return np.linalg.norm(weights, axis=0)


def kernel_norms(order: int, position: float, times: Sequence[int]) -> Array:
    """``sqrt(sum (2n+1) P_n(2 t0/t - 1)^2)/t``, Prop. 5's gradient with respect to the signal at a time ``t0``."""
    t = np.asarray(times, dtype=np.float64)
    values = _legendre(order, 2 * position / t - 1)[:order]
    return np.sqrt(((2 * np.arange(order) + 1)[:, None] * values**2).sum(axis=0)) / t


def _legendre(most: int, x: Array) -> Array:
    """``P_0 .. P_most`` at ``x``, a row each, by Bonnet's recurrence."""
    values = np.ones((most + 1, len(x)))
    if most:
        values[1] = x
    for n in range(1, most):
        values[n + 1] = ((2 * n + 1) * x * values[n] - n * values[n - 1]) / (n + 1)
    return values


def slope(x: Array, y: Array) -> float:
    """Of the least-squares line through the points."""
    return float(_slope_weights(x) @ y)


def _slope_weights(x: Array) -> Array:
    centred = x - x.mean()
    return centred / (centred @ centred)


def slope_limits(order: int, position: int, times: Sequence[int]) -> tuple[float, float]:
    """Between which the slope of ``log norm`` over ``log t`` lies for the exact memory of cells.

    ``|P_n'| <= n(n+1)/2`` on ``[-1, 1]``, so ``|P_n(2x/t - 1)| >= 1 - n(n+1) x/t``; over the cell of the sample
    ``x`` is ``s + 1/2`` on average. Hence ``N e^-d <= t ||w|| <= N`` with
    ``e^-2d = sum (2n+1) max(0, 1 - n(n+1)(s+1/2)/t)^2 / N^2``, and a slope, which is linear in the logarithms, is off
    -1 by no more than the ``d`` at each time allow.

    Args:
        order: coefficients ``N``.
        position: ``s``, from 0.
        times: numbers of samples read, those the slope is taken over.
    """
    t = np.asarray(times, dtype=np.float64)
    n = np.arange(order)[:, None]
    kept = ((2 * n + 1) * np.maximum(0.0, 1 - n * (n + 1) * (position + 0.5) / t) ** 2).sum(axis=0)
    defect = np.log(order) - np.log(kept) / 2
    weights = _slope_weights(np.log(t))
    return -1 - float(np.maximum(weights, 0) @ defect), -1 + float(np.maximum(-weights, 0) @ defect)


class Law(StrEnum):
    """How a norm goes with the lag."""

    POLYNOMIAL = "polynomial"
    EXPONENTIAL = "exponential"
    STEADY = "no decay"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Decay:
    """What two least-squares lines through the logarithms say.

    Attributes:
        law: which fits, by `CLEARLY` and `STEADY`.
        exponent: slope over the logarithm of the lag; -1 for 1/lag.
        rate: slope over the lag: the logarithm that is lost each step.
        ratio: misfit (root mean square) of the power law over that of the exponential; above 1 where it is exponential.
        last: largest lag at which the norm was still a number.
    """

    law: Law
    exponent: float
    rate: float
    ratio: float
    last: int


def decay(lags: Sequence[int], norms: Sequence[float]) -> Decay:
    """The law that norms follow.

    Args:
        lags: increasing, from 1.
        norms: not negative; those below `VANISHED` are left out.

    Raises:
        ValueError: fewer than four norms that have not vanished: no law can be told.
    """
    x, y = np.asarray(lags, dtype=np.float64), np.asarray(norms, dtype=np.float64)
    alive = y > VANISHED
    if alive.sum() < 4:
        raise ValueError(f"{alive.sum()} of {len(y)} norms are above {VANISHED}; expected: 4 or more")
    x, logs = x[alive], np.log(y[alive])
    exponent, power = _line(np.log(x), logs)
    rate, exponential = _line(x, logs)
    smallest = 1e-12 * max(1.0, float(np.ptp(logs)))  # rounding: neither misfit means anything below
    ratio = max(power, smallest) / max(exponential, smallest)
    if float(np.ptp(logs)) <= STEADY:
        law = Law.STEADY
    elif ratio >= CLEARLY and rate < 0:
        law = Law.EXPONENTIAL
    elif ratio <= 1 / CLEARLY and exponent < 0:
        law = Law.POLYNOMIAL
    else:
        law = Law.UNCLEAR
    return Decay(law, exponent, rate, ratio, int(x[-1]))


def _line(x: Array, y: Array) -> tuple[float, float]:
    """Slope, and root mean square misfit, of the least-squares line."""
    found = slope(x, y)
    return found, float(np.sqrt(np.mean((y - y.mean() - found * (x - x.mean())) ** 2)))


def cell_norms(
    cell: str, hidden_size: int, options: Mapping[str, Json], length: int, position: int, streams: int, seed: int
) -> Array:
    """``||d h_t / d x_s||`` of a cell as it is initialised, for every ``t`` from ``s`` on.

    Args:
        cell: key of `verify.adapters.own_nn.CELLS`; it reads one number at a time.
        hidden_size: of the cell.
        options: of the cell.
        length: samples in all.
        position: ``s``, from 0.
        streams: white noise of unit variance, so many signals; the norms are the geometric mean over them.
        seed: of the weights and of the noise.

    Returns:
        shape (length - position,).
    """
    import torch  # noqa: PLC0415 -- a guest

    from verify.adapters.own_nn import make_cell  # noqa: PLC0415

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = make_cell(cell, 1, hidden_size, **options)
    inputs = np.random.default_rng(seed).standard_normal((streams, length, 1))
    return module_norms(module, inputs, position)


def module_norms(cell: Any, inputs: Any, position: int) -> Array:
    """As `cell_norms`, of a cell that is there, and an array of signals ``(streams, length, d)``.

    The first number of the sample is moved.

    In float64 and in forward mode: one run gives the derivative of all outputs with respect to one input.
    """
    import torch  # noqa: PLC0415

    module = copy.deepcopy(cell).to("cpu", torch.float64)
    samples = torch.as_tensor(inputs, dtype=torch.float64)
    tangent = torch.zeros_like(samples)
    tangent[:, position, 0] = 1.0
    with torch.no_grad(), warnings.catch_warnings():
        # Torch's own formulas of forward mode are compiled, when it is first used, in a way that torch deprecates.
        warnings.filterwarnings("ignore", ".*torch.jit.script", DeprecationWarning)
        moved = _moved(module, samples, tangent)
    norms = torch.linalg.vector_norm(moved[:, position:], dim=-1).numpy()
    return geometric_mean(norms)


def _moved(module: Any, samples: Any, tangent: Any) -> Any:
    """How the outputs move when the samples do, to first order."""
    from torch.autograd import forward_ad  # noqa: PLC0415

    with forward_ad.dual_level():
        outputs, _ = module(forward_ad.make_dual(samples, tangent))
        return forward_ad.unpack_dual(outputs).tangent


def geometric_mean(norms: Array) -> Array:
    """Over the first axis; 0 where one of them is."""
    with np.errstate(divide="ignore"):
        return np.exp(np.log(norms).mean(axis=0))
