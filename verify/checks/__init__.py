"""The properties that are checked. `CHECKS` is the ordered table; one file per property."""

from __future__ import annotations

from verify.checks.approximation import Approximation
from verify.checks.base import FULL, QUICK, SUITES, Check, Suite
from verify.checks.batch import BatchScan
from verify.checks.convergence import Convergence
from verify.checks.determinism import Determinism
from verify.checks.equivariance import Equivariance
from verify.checks.factors import FactorsOf
from verify.checks.gating import Gating
from verify.checks.gradient import Gradient
from verify.checks.gradient_bound import GradientBound
from verify.checks.holds import Hold
from verify.checks.linearity import Linearity
from verify.checks.matrices import Matrices
from verify.checks.ode import Ode
from verify.checks.parity import Parity
from verify.checks.reconstruction import Reconstruction
from verify.checks.restart import Restart
from verify.checks.scan import Scan
from verify.checks.side_effects import SideEffects
from verify.checks.stability import Stability
from verify.checks.step import Step
from verify.checks.structure import Structure
from verify.checks.timed import TimedScan

CHECKS: dict[str, Check] = {
    check.key: check
    for check in (
        Matrices(),
        Ode(),
        Structure(),
        FactorsOf(),
        Step(),
        Scan(),
        Convergence(),
        Equivariance(),
        Gradient(),
        GradientBound(),
        Reconstruction(),
        Linearity(),
        BatchScan(),
        Restart(),
        Parity(),
        Gating(),
        TimedScan(),
        Hold(),
        Stability(),
        Approximation(),
        Determinism(),
        SideEffects(),
    )
}

__all__ = ["CHECKS", "FULL", "QUICK", "SUITES", "Check", "Suite"]
