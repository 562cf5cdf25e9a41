"""Gated cells on random weights: what their gates were, and how far rounding may have moved what they made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

UNIT: Final = 2.0**-53
ULPS: Final = 4
"""Units in the last place that a sigmoid or a tanh of a library may be off by: both are at most 1."""
CELLS: Final[Mapping[str, str]] = {
    "gru": "a GRU",
    "mgu": "an MGU",
    "lstm-tied": "an LSTM whose input gate is 1 - f",
    "lstm": "an LSTM",
}
"""Key of a trace to what it is of."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A run of a cell, unit by unit: ``after = (1 - g) before + g u`` up to `slack`.

    Attributes:
        before: (L, H) the state before each step, as the cell gave it.
        after: (L, H) after it.
        g: (L, H) the share that the new sample takes.
        kept: (L, H) the share that is kept, ``1 - g``, computed by itself.
        x: (L, H) ``g = sigmoid(x)``.
        u: (L, H) the sample that is taken: the cell's candidate, times `gain`.
        gain: (L, H) what the candidate is multiplied by; 1 where one gate does both.
        slack: (L, H) bound on what rounding, the cell's and that of these numbers, leaves between the two sides.
    """

    before: Array
    after: Array
    g: Array
    kept: Array
    x: Array
    u: Array
    gain: Array
    slack: Array


def traced(cell: str, seed: int, length: int, hidden: int, inputs: int, spread: float, bias: float = 0.0) -> Trace:
    """Run a cell of `hippo_fast.nn` on random weights and inputs, and read its gates off its weights.

    Args:
        cell: key of `CELLS`.
        seed: of weights and inputs.
        length: steps.
        hidden: units.
        inputs: numbers in each sample.
        spread: what torch's first weights are multiplied by, so that gates open and close further.
        bias: added to the pre-activation of what is kept: above 0 gates are small and memory is long.
    """
    import torch  # noqa: PLC0415 -- a guest

    from verify.adapters import own_nn  # noqa: PLC0415

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        module = own_nn.make_cell(cell.partition("-")[0], inputs, hidden).double()
        for parameter in module.parameters():
            parameter.mul_(spread)
        _prepare(cell, module, hidden, bias)
        samples = torch.randn(1, length, inputs, dtype=torch.float64)
        state, states = module.initial_state(1), []
        for k in range(length):
            states.append([entry[0].numpy().copy() for entry in state])
            _, state = module.step(samples[:, k], state)
        states.append([entry[0].numpy().copy() for entry in state])
    weights = {name: np.asarray(value.detach().numpy()) for name, value in module.named_parameters()}
    which = 1 if cell.startswith("lstm") else 0  # of an LSTM the cell state is the memory, of the others the hidden one
    read = {"gru": _gru, "mgu": _mgu, "lstm": _lstm}[cell.partition("-")[0]]
    rows = [read(weights, states[k][0], samples[0, k].numpy(), hidden) for k in range(length)]
    columns = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    before = np.stack([one[which] for one in states[:-1]])
    after = np.stack([one[which] for one in states[1:]])
    # One minus, two products and a sum of the cell, and as many here.
    own = 8 * UNIT * (np.abs(columns["kept"] * before) + np.abs(columns["g"] * columns["u"]))
    slack = columns["dg"] * (np.abs(before) + np.abs(columns["u"])) + columns["g"] * columns["du"] + own
    return Trace(
        before=before, after=after, slack=slack, **{name: columns[name] for name in ("g", "kept", "x", "u", "gain")}
    )


def _prepare(cell: str, module: Any, hidden: int, bias: float) -> None:
    """Shift the gate that keeps, and tie the input gate of an LSTM to its forget gate: ``sigmoid(-x) = 1 - f``."""
    if cell == "mgu":
        module.reading.bias[:hidden] -= bias  # its gate takes
        return
    kernel, rows = module.kernel, slice(hidden, 2 * hidden)  # z of r, z, n, and f of i, f, g, o
    kernel.bias_ih_l0[rows] += bias
    if cell == "lstm-tied":
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            weight = getattr(kernel, name)
            weight[:hidden] = -weight[rows]


def _affine(weight: Array, vector: Array, bias: Array | float = 0.0) -> tuple[Array, Array]:
    """A product, and how far two orders of summing it may lie apart: ``2 gamma_(n+2) (|W| |v| + |b|)``."""
    operations = weight.shape[1] + 2
    gamma = operations * UNIT / (1 - operations * UNIT)
    return weight @ vector + bias, 2 * gamma * (np.abs(weight) @ np.abs(vector) + np.abs(bias))


def _sigmoid(x: Array) -> Array:
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def _opened(x: Array, dx: Array) -> dict[str, Array]:
    """A gate that takes ``sigmoid(x)``; its slope is at most 1/4."""
    return {"g": _sigmoid(x), "kept": _sigmoid(-x), "x": x, "dg": dx / 4 + 2 * ULPS * UNIT}


def _gru(weights: Mapping[str, Array], hidden: Array, sample: Array, size: int) -> dict[str, Array]:
    """``z`` keeps: the new sample takes ``1 - z = sigmoid(-x_z)``."""
    read, dread = _affine(weights["kernel.weight_ih_l0"], sample, weights["kernel.bias_ih_l0"])
    held, dheld = _affine(weights["kernel.weight_hh_l0"], hidden, weights["kernel.bias_hh_l0"])
    r, z, n = (slice(i * size, (i + 1) * size) for i in range(3))
    reset = _sigmoid(read[r] + held[r])
    dreset = (dread[r] + dheld[r] + 2 * UNIT * np.abs(read[r] + held[r])) / 4 + 2 * ULPS * UNIT
    total = read[n] + reset * held[n]
    dtotal = dread[n] + reset * dheld[n] + dreset * np.abs(held[n]) + 4 * UNIT * (np.abs(read[n]) + np.abs(held[n]))
    x = -(read[z] + held[z])
    u = np.tanh(total)
    return {
        **_opened(x, dread[z] + dheld[z] + 2 * UNIT * np.abs(x)), "u": u, "gain": np.ones_like(u),
        "du": dtotal + 2 * ULPS * UNIT,
    }  # fmt: skip


def _mgu(weights: Mapping[str, Array], hidden: Array, sample: Array, size: int) -> dict[str, Array]:
    """The only gate takes, and resets as well."""
    read, dread = _affine(weights["reading.weight"], sample, weights["reading.bias"])
    held, dheld = _affine(weights["forgetting"], hidden)
    x = read[:size] + held
    gate = _opened(x, dread[:size] + dheld + 2 * UNIT * np.abs(x))
    proposed, dproposed = _affine(weights["proposing"], gate["g"] * hidden)
    moved = np.abs(weights["proposing"]) @ (gate["dg"] * np.abs(hidden) + 2 * UNIT * np.abs(gate["g"] * hidden))
    total = read[size:] + proposed
    u = np.tanh(total)
    du = dread[size:] + dproposed + moved + 2 * UNIT * np.abs(total) + 2 * ULPS * UNIT
    return {**gate, "u": u, "gain": np.ones_like(u), "du": du}


def _lstm(weights: Mapping[str, Array], hidden: Array, sample: Array, size: int) -> dict[str, Array]:
    """``f`` keeps: the new sample takes ``1 - f = sigmoid(-x_f)`` of the candidate times ``i/(1 - f)``."""
    read, dread = _affine(weights["kernel.weight_ih_l0"], sample, weights["kernel.bias_ih_l0"])
    held, dheld = _affine(weights["kernel.weight_hh_l0"], hidden, weights["kernel.bias_hh_l0"])
    total, dtotal = read + held, dread + dheld + 2 * UNIT * np.abs(read + held)
    i, f, g = (slice(k * size, (k + 1) * size) for k in range(3))
    gate = _opened(-total[f], dtotal[f])
    entry, dentry = _sigmoid(total[i]), dtotal[i] / 4 + 2 * ULPS * UNIT
    candidate = np.tanh(total[g])
    gain = entry / gate["g"]
    u = gain * candidate
    # What is taken is i * candidate, whatever g is: an error of g in the gain cancels against the one in the share.
    du = (dentry + entry * (dtotal[g] + 2 * ULPS * UNIT) + 8 * UNIT) / gate["g"] + gate["dg"] * np.abs(u) / gate["g"]
    return {**gate, "u": u, "gain": gain, "du": du}
