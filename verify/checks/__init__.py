"""The properties that are checked. `CHECKS` is the ordered table; one file per property."""

from __future__ import annotations

from verify.checks.base import FULL, QUICK, SUITES, Check, Suite
from verify.checks.convergence import Convergence
from verify.checks.determinism import Determinism
from verify.checks.equivariance import Equivariance
from verify.checks.gradient import Gradient, GradientBound
from verify.checks.linearity import Linearity
from verify.checks.matrices import Matrices
from verify.checks.ode import Ode
from verify.checks.reconstruction import Reconstruction
from verify.checks.scan import Scan
from verify.checks.step import Step

CHECKS: dict[str, Check] = {
    check.key: check
    for check in (
        Matrices(),
        Ode(),
        Step(),
        Scan(),
        Convergence(),
        Equivariance(),
        Gradient(),
        GradientBound(),
        Reconstruction(),
        Linearity(),
        Determinism(),
    )
}

__all__ = ["CHECKS", "FULL", "QUICK", "SUITES", "Check", "Suite"]
