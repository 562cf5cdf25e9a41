"""Our checks inside a third party's own pytest suite."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from verify.campaign import default_oracle, verdicts_of
from verify.case import DEFAULT_ORDERS
from verify.cases import UsageError, make_case
from verify.checks import CHECKS, SUITES
from verify.result import LiveTarget, TargetError
from verify.verdict import Status


class TargetCheck:
    """One check of one target at one order, to be called in a test.

    It fails the test with the verdict's message; what does not apply is skipped with its reason, and what cannot be
    decided fails too: a suite that asks for a verdict should not be told nothing in green.
    """

    def __init__(self, target: Any, level: str | None, key: str, options: dict[str, Any]) -> None:
        self.target = target
        self.key = key
        self.level = level
        self.options = options

    def __repr__(self) -> str:
        name = getattr(self.target, "__name__", type(self.target).__name__)
        return f"{name}-{self.options['measure']}-{self.level or 'matrices'}-N{self.options['order']}-{self.key}"

    def __call__(self) -> None:
        """Run the check; fails or skips the calling test."""
        import pytest  # noqa: PLC0415 -- only where pytest runs

        case = make_case(repr(self), level=self.level or "matrices", **self.options)
        subject = LiveTarget(self.target, self.level)
        for verdict in verdicts_of(case, subject, default_oracle(), SUITES["quick"], [self.key]):
            if verdict.status is Status.UNSUPPORTED:
                pytest.skip(verdict.message)
            if verdict.status is not Status.PASS:
                pytest.fail(f"{verdict.status}: {verdict.message} ({verdict.claim})", pytrace=False)


def parametrize_with_checks(
    targets: Iterable[Any],
    *,
    measure: str = "legs",
    level: str | None = None,
    orders: Iterable[int] = DEFAULT_ORDERS,
    method: str = "bilinear",
    **options: Any,
) -> Callable[[Callable[..., None]], Any]:
    """Decorator that runs a test once per target, check and order.

    ``@parametrize_with_checks([my_legs])`` above ``def test_hippo(check): check()``.

    Args:
        targets: live callables or objects.
        measure: what they claim to be.
        level: level of a plain callable; an object is tried at each level it offers.
        orders: numbers of coefficients.
        method: discretization rule.
        options: further options of `verify.check` that make a case: theta, alpha, beta, dt, dtype.

    Raises:
        UsageError: no targets, or one that offers no level.
    """
    import pytest  # noqa: PLC0415

    found: list[TargetCheck] = []
    sizes = list(dict.fromkeys(orders))
    if not sizes:
        raise UsageError("orders is empty; give at least one, such as 4,8,16")
    for target in targets:
        try:
            offered = LiveTarget(target, level).levels()
        except TargetError as error:
            raise UsageError(f"target {target!r}: {error.message}") from None
        for name in offered if level is None else (level,):
            for order in sizes:
                make_case("parametrize", measure, order=order, method=method, level=name, **options)
                given = {"measure": measure, "order": order, "method": method, **options}
                found.extend(TargetCheck(target, name, key, given) for key, c in CHECKS.items() if name in c.levels)
    if not found:
        raise UsageError("targets is empty; give at least one callable or object")
    return pytest.mark.parametrize("check", found, ids=repr)


__all__ = ["TargetCheck", "parametrize_with_checks"]
