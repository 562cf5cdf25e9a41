"""Where truth and speed meet: checks, their bounds, the worker a target runs in, campaigns and reports.

Public: `check`, `identify`, `error_budget`, `load`, `Report`. They are loaded when first used: a worker process imports
this package too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.budgeting import error_budget, error_budgets
    from verify.campaign import Report
    from verify.cases import UsageError
    from verify.checking import check
    from verify.frame import load, write_parquet
    from verify.identification import identify
    from verify.parametrize import parametrize_with_checks
    from verify.replaying import parametrize_with_counterexamples, replay

__all__ = [
    "Report",
    "UsageError",
    "check",
    "error_budget",
    "error_budgets",
    "identify",
    "load",
    "parametrize_with_checks",
    "parametrize_with_counterexamples",
    "replay",
    "write_parquet",
]

_HOMES = {
    "Report": "verify.campaign",
    "UsageError": "verify.cases",
    "check": "verify.checking",
    "error_budget": "verify.budgeting",
    "error_budgets": "verify.budgeting",
    "identify": "verify.identification",
    "load": "verify.frame",
    "parametrize_with_checks": "verify.parametrize",
    "parametrize_with_counterexamples": "verify.replaying",
    "replay": "verify.replaying",
    "write_parquet": "verify.frame",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("hippo-verify")
    if name not in _HOMES:
        raise AttributeError(f"module 'verify' has no attribute {name!r}; it has {', '.join(__all__)}")
    import importlib  # noqa: PLC0415

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
