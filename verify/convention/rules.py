"""Discretization rules read backwards: from a step of an invariant law to the operator behind it.

A step ``c' = M c + v u_k + w_1 u_{k-1} + ...`` of a rule has ``M = r(hA)``, with r rational (generalized bilinear,
trapezoid) or the exponential (holds), and answers a constant input alike under all rules of one r:
``v + w_1 + ... = ((r(hA) - 1)/(hA)) hB``. So r alone gives hA and hB back; which rule of that r it is, forward runs
tell.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used: a worker starts without them

from verify.bounds import gbt_weight, hold_degree
from verify.candidates import Model
from verify.case import Case

Array = np.ndarray[Any, np.dtype[Any]]

CELLS = ("bilinear", "zoh", "backward_euler", "euler")
"""Rules of a name that read one sample a step."""

RULES = (*CELLS, "trapezoid", "foh", "hold(2)", "hold(3)")
WEIGHTS = np.linspace(0, 1, 21)
"""Weights of the generalized bilinear rule among which the best is sought first."""
REACH = 3
"""Most samples before its own that a rule reads."""


@dataclass(frozen=True)
class Discrete:
    """A step of an invariant law.

    Attributes:
        M: (N, N) transition.
        inputs: (R, N) what the sample, and the samples before it, add.
    """

    M: Array
    inputs: Array

    @property
    def total(self) -> Array:
        """(N,) what a step adds under a constant input of 1."""
        return np.asarray(self.inputs.sum(axis=0))


def family(method: str) -> str:
    """The cell rule with the same transition."""
    if gbt_weight(method) is not None:
        return method
    return "zoh" if hold_degree(method) is not None else "bilinear"


def undo(M: Array, total: Array, method: str) -> tuple[Array, Array] | None:
    """``(hA, hB)`` behind a step of a rule; None if there is none."""
    identity = np.eye(len(total))
    try:
        with np.errstate(all="ignore"):
            if family(method) == "zoh":
                logarithm = _logarithm(M)
                if logarithm is None:
                    return None
                # The upper right block is (e^L - 1)/L, which is regular where L is not (Van Loan 1978).
                block = np.block([[logarithm, identity], [0 * identity, 0 * identity]])
                pair = logarithm, np.linalg.solve(scipy.linalg.expm(block)[: len(M), len(M) :], total)
            else:
                a = gbt_weight(family(method))
                if a is None:
                    return None
                generator = np.linalg.solve((a * M + (1 - a) * identity).T, (M - identity).T).T
                pair = generator, (identity - a * generator) @ total
    except (np.linalg.LinAlgError, ValueError):
        return None
    return pair if all(np.isfinite(part).all() for part in pair) else None


def _logarithm(M: Array) -> Array | None:
    if not np.linalg.eigvals(M).all():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what an inaccurate logarithm leads to is compared with M in any case
        logarithm = scipy.linalg.logm(M)
    if np.iscomplexobj(logarithm):
        if np.abs(logarithm.imag).max() > 1e-6 * np.abs(logarithm).max():
            return None
        logarithm = logarithm.real
    return np.asarray(logarithm)


def _model(A: Array, B: Array, method: str) -> Model:
    # The key only says that the law is invariant.
    return Model(Case("step", "legt", len(B), method, "scan", dt=1.0), lambda _: (A, B), method)


def discretized(A: Array, B: Array, method: str) -> Discrete:
    """The step of a rule with spacing 1, long after the start."""
    order, model = len(B), _model(A, B, method)
    M = np.stack([model.step(unit, 0.0, 2 * REACH) for unit in np.eye(order)], axis=1)
    before = REACH + 1  # past the ramps at the start of a hold
    states = model.scan(np.eye(2 * REACH + 2)[before], order)[before:]
    inputs = [states[0], *(states[i] - M @ states[i - 1] for i in range(1, model.reach + 1))]
    return Discrete(M, np.stack(inputs))


def run(A: Array, B: Array, method: str, samples: Array) -> Array:
    """(L, N) states of a rule with spacing 1 from its start."""
    step = discretized(A, B, method)
    states = np.empty((len(samples), len(B)))
    begin = min(2 * REACH, len(samples))
    states[:begin] = _model(A, B, method).scan(samples[:begin], len(B))
    driven = np.zeros((len(samples) - begin, len(B)))
    for i, column in enumerate(step.inputs):
        driven += np.outer(samples[begin - i : len(samples) - i], column)
    with np.errstate(all="ignore"):
        for k in range(begin, len(samples)):
            states[k] = step.M @ states[k - 1] + driven[k - begin]
    return states
