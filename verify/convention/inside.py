"""How finely a recognised target computes inside, told from what its answers lack of the exact ones.

An arithmetic of unit roundoff u leaves a residue of u, times a growth that is small at the orders looked at; between
float64, float32 and the formats of 16 bits lie factors of 10^9 and 10^4, so the size of the residue tells these apart.
Formats of nearly the same size are told apart by the grain of the answers and by their range: float16 ends at 65504.
Where neither decides, the answer is ``undecided``, with the reason.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from verify.case import Case
from verify.convention.fit import exact_pair
from verify.convention.observe import SIGNAL, Scans, Steps, UnreadableError
from verify.convention.precision import bits, grain, irregular
from verify.convention.record import Convention
from verify.oracle import Oracle

Array = np.ndarray[Any, np.dtype[Any]]

FINE = 2.0**-40
"""Residues up to it are those of float64."""
SINGLE = (2.0**-30, 2.0**-15)
"""Residues between these are those of float32."""
ROUNDED = 2.0**-22.8
"""Residues up to it may be a last rounding alone."""
LOUD = 2.0**20
"""Factor on samples that leaves the range of float16, and of no other format."""


def inside_of_matrices(match: Convention, A: Array, B: Array, case: Case, oracle: Oracle) -> Convention:
    """From the entries of (A, B), each against the exact one."""
    exact = exact_pair(match.measure, match.parameters, len(B), case, oracle)
    T, scale = np.array(match.scaling), 1 / (match.theta or 1.0)
    due = (match.sign * scale * exact[0] * T[:, None] / T[None, :], scale * exact[1] * T)
    got = np.r_[A.ravel(), B]
    want = np.r_[due[0].ravel(), due[1]]
    kept = want != 0
    residue = float(np.abs(got[kept] / want[kept] - 1).max())
    return _told(match, residue, got, "entry")


def inside_of_step(match: Convention, steps: Steps, case: Case, oracle: Oracle) -> Convention:
    """From how far a step is from being linear, and from the grain of its transition."""
    M = np.stack([step.M for step in steps.read.values()])
    unit = np.eye(M.shape[1])
    # What is left of the operator was divided by the step size; in the step itself it is smaller.
    residue = max(steps.noise, match.residual * float(np.abs(M - unit).max() / np.abs(M).max()))
    return _told(match, residue, M.ravel(), "step")


def inside_of_scan(match: Convention, scans: Scans, case: Case, oracle: Oracle) -> Convention:
    """From the states of an irregular signal."""
    signal = irregular(SIGNAL, 3)
    wanted = scans.sparse(SIGNAL)
    states = scans.states(signal, wanted)
    told = _told(match, max(match.residual, scans.noise), states.ravel(), "state")
    if told.inside != UNDECIDED or max(match.residual, scans.noise) <= SINGLE[1]:
        return told
    first = bits(scans.response[1][0]) if scans.invariant else 53
    if first > 11:
        return told
    if _overflows(scans, signal, wanted, states):
        return replace(
            told, inside="float16", why=f"samples of {LOUD:.0e} overflow, and a step has {first} significant bits"
        )
    if first <= 8:
        return replace(told, inside="bfloat16", why=f"a step has {first} significant bits, and nothing overflows")
    return replace(told, inside="tf32", why=f"a step has {first} significant bits, and the range is that of float32")


UNDECIDED = "undecided"


def _overflows(scans: Scans, signal: Array, wanted: list[int], states: Array) -> bool:
    try:
        loud = scans.states(LOUD * signal, wanted)
    except UnreadableError:
        return True  # its states are not finite
    return bool(np.abs(loud / LOUD - states).max() > 0.5 * np.abs(states).max())


def _told(match: Convention, residue: float, got: Array, what: str) -> Convention:
    size = f"residue 2^{math.log2(residue):.0f} of the largest {what}" if residue > 0 else "no residue"
    kept = grain(got)
    if residue <= FINE:
        if kept != "float64":
            return replace(match, inside=UNDECIDED, why=f"{size}, but all of them are numbers that float32 holds")
        return replace(match, inside="float64", why=size)
    if SINGLE[0] <= residue <= SINGLE[1]:
        if kept == "float32" and residue <= ROUNDED:
            size += "; or wider, and rounded to float32 at the end"
        return replace(match, inside="float32", why=size)
    if residue > SINGLE[1] and kept in ("float16", "bfloat16"):
        return replace(match, inside=kept, why=f"{size}, and all answers are numbers of {kept}")
    if residue > SINGLE[1]:
        return replace(match, inside=UNDECIDED, why=f"{size}: one of the formats of 16 bits, or tf32")
    return replace(match, inside=UNDECIDED, why=f"{size}: more than float64 leaves, less than float32")
