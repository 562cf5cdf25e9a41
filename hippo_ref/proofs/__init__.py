"""Proofs in exact rational arithmetic: identities whose residual is exactly 0, and wrong formulas whose is not.

``PROOFS["ode_legs"].residuals(8, polynomial=["1/2", 3])`` gives Fractions; ``largest_order("ode_legs")`` says how far
the proof reaches. Everything is done in the scaling in which it is rational (``exact``), with signals, times, windows
and steps rational, and t or pi an indeterminate where that says more. Members of this family import ``base`` and
``exact`` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hippo_ref.precision import integer
from hippo_ref.proofs import (
    gradient,
    hold,
    ode_fout,
    ode_lagt,
    ode_legs,
    ode_legt,
    orthogonality,
    pade,
    recurrence,
    structure,
)
from hippo_ref.proofs.base import Proof

__all__ = ["PROOFS", "Proof", "largest_order"]

PROOFS: Mapping[str, Proof] = MappingProxyType(
    {
        **orthogonality.PROOFS,
        **ode_legs.PROOFS,
        **ode_legt.PROOFS,
        **ode_lagt.PROOFS,
        **ode_fout.PROOFS,
        **recurrence.PROOFS,
        **hold.PROOFS,
        **pade.PROOFS,
        **structure.PROOFS,
        **gradient.PROOFS,
    }
)


def largest_order(key: str, limit: int = 32) -> int:
    """The largest N <= limit such that the proof holds on its examples at every order 1 .. N; 0 if it fails at once.

    Raises:
        TypeError: ``limit`` is not an integer.
        ValueError: unknown key, or ``limit`` below 1.
    """
    if key not in PROOFS:
        raise ValueError(f"unknown proof {key!r}; expected one of {', '.join(PROOFS)}")
    proved = 0
    for order in range(1, integer(limit, "limit", 1) + 1):
        if not PROOFS[key].holds(order):
            break
        proved = order
    return proved
