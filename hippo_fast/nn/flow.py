"""The flow of an autonomous or driven ODE over one gap, scaled to ``[0, 1]``, where each stream has a gap of its own.

The fixed rules are torchdiffeq's, written out: for one gap of 32 streams of size 64 its call takes about twice as long,
half of it in checks and bookkeeping. The adaptive solver is its.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from hippo_fast.nn.base import Tensor, checked_size
from hippo_fast.validation import checked_key, checked_positive

Field: TypeAlias = Callable[[Any, Tensor], Tensor]
"""``(s, state (batch, ...)) -> d state / d s``, ``s`` in ``[0, 1]``."""

SOLVERS = ("rk4", "euler", "dopri5")


@dataclass(frozen=True)
class Flow:
    """How an ODE is solved over a gap.

    Attributes:
        solver: ``rk4``, Kutta's 3/8 rule of order 4 (torchdiffeq's ``rk4``); ``euler``; or ``dopri5``, adaptive, by
            torchdiffeq, whose step sizes are shared by the streams of a batch.
        steps: equal steps in a gap; fixed rules only.
        tolerance: relative and absolute; ``dopri5`` only.
    """

    solver: str = "rk4"
    steps: int = 1
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        """Raise ``TypeError`` or ``ValueError`` for an unknown solver, or a number outside its domain."""
        checked_key("solver", self.solver, SOLVERS)
        checked_size("steps", self.steps)
        checked_positive("tolerance", self.tolerance, "the relative and absolute tolerance of dopri5")
        if self.solver == "dopri5":
            guest("torchdiffeq", "solver 'dopri5'")

    def __call__(self, field: Field, state: Tensor) -> Tensor:
        """Return the state at ``s = 1`` from that at ``s = 0``."""
        if self.solver == "dopri5":
            return self._adaptive(field, state)
        step = 1.0 / self.steps
        for k in range(self.steps):
            s = k * step
            slope = field(s, state)
            if self.solver == "euler":
                state = torch.add(state, slope, alpha=step)
                continue
            second = field(s + step / 3, torch.add(state, slope, alpha=step / 3))
            third = field(s + 2 * step / 3, torch.add(state, torch.sub(second, slope, alpha=1 / 3), alpha=step))
            fourth = field(s + step, torch.add(state, slope - second + third, alpha=step))
            state = torch.add(state, slope + 3 * (second + third) + fourth, alpha=step / 8)
        return state

    def _adaptive(self, field: Field, state: Tensor) -> Tensor:
        ends = torch.tensor([0.0, 1.0], dtype=state.dtype, device=state.device)
        solve = guest("torchdiffeq", "solver 'dopri5'").odeint
        return solve(field, state, ends, method="dopri5", rtol=self.tolerance, atol=self.tolerance)[1]


def guest(library: str, use: str) -> Any:
    """Return a library that only ``use`` needs.

    Raises:
        ModuleNotFoundError: it is not installed; the message names the extra that has it.
    """
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        raise ModuleNotFoundError(
            f"{use} needs {library}, which is not installed; install it with: pip install 'hippo-verify[claims]'",
            name=library,
        ) from None
