"""Rounding bounds, derived from the data of the case; the derivation stands in `verify.bounds.base`."""

from __future__ import annotations

from verify.bounds.base import (
    CONTRACTING,
    DISSIPATIVE,
    EVALUATION,
    GBT,
    HOLDS,
    LARGEST,
    ROUNDOFF,
    SMALLEST_NORMAL,
    SOURCE,
    Limits,
    Operator,
    gamma,
    gbt_weight,
    hold_degree,
    weights,
)
from verify.bounds.chains import carried, chain_limits
from verify.bounds.entries import (
    ENTRY_OPERATIONS,
    REFERENCE,
    entry_limits,
    reconstruction_limits,
    residual_limits,
    state_rounding,
)
from verify.bounds.holds import EXPONENTIAL_OPERATIONS, Majorant
from verify.bounds.jacobians import jacobian_limits
from verify.bounds.scans import SECOND_ORDER, floor, forget, scan_limits, step_limits
from verify.bounds.sizes import float_states
from verify.bounds.steps import majorant
from verify.bounds.tilted import jacobi, tilt, tilted_limits

__all__ = [
    "CONTRACTING",
    "DISSIPATIVE",
    "ENTRY_OPERATIONS",
    "EVALUATION",
    "EXPONENTIAL_OPERATIONS",
    "GBT",
    "HOLDS",
    "LARGEST",
    "REFERENCE",
    "ROUNDOFF",
    "SECOND_ORDER",
    "SMALLEST_NORMAL",
    "SOURCE",
    "Limits",
    "Majorant",
    "Operator",
    "carried",
    "chain_limits",
    "entry_limits",
    "float_states",
    "floor",
    "forget",
    "gamma",
    "gbt_weight",
    "hold_degree",
    "jacobi",
    "jacobian_limits",
    "majorant",
    "reconstruction_limits",
    "residual_limits",
    "scan_limits",
    "state_rounding",
    "step_limits",
    "tilt",
    "tilted_limits",
    "weights",
]
