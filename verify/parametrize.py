"""Our checks inside a third party's own pytest suite."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from verify import expected as expectations
from verify.adapters.exec_protocol import PREFIX
from verify.adapters.isolated import target_of
from verify.campaign import verdicts_of
from verify.case import DEFAULT_ORDERS, Case
from verify.cases import UsageError, make_case
from verify.checks import CHECKS, SUITES
from verify.diagnosis import diagnose
from verify.folders import cache_folder
from verify.oracle import Oracle
from verify.result import LiveTarget, Target, TargetError
from verify.verdict import Status, Verdict


@lru_cache(maxsize=1)
def _oracle(folder: Path) -> Oracle:
    """One for all tests of a process: they share what was computed once."""
    return Oracle(folder)


class TargetCheck:
    """One check of one target at one order, to be called in a test.

    It fails the test with the verdict's message; what does not apply is skipped with its reason, and what cannot be
    decided fails too: a suite that asks for a verdict should not be told nothing in green. An expected failure is an
    xfail; a pass where a failure is expected fails.

    Attributes:
        target: the callable or object under test.
        case: what is checked; its target is the name in the test's id.
        key: key of the check.
        suite: ``quick`` or ``full``.
        seed: seed of the drawn inputs.
        verdict: what the last call found, or None.
    """

    def __init__(
        self,
        target: Any,
        case: Case,
        key: str,
        *,
        suite: str | None,
        seed: int | None,
        normwise: bool,
        expected: Sequence[expectations.Entry],
    ) -> None:
        self.target = target
        self.case = case
        self.key = key
        self._normwise = normwise
        self._expected = expected
        self._asked = (suite, seed)
        self.prepare("quick", 0)

    def __repr__(self) -> str:
        return f"{self.case.target}-{self.case.measure}-{self.case.level}-N{self.case.order}-{self.key}"

    def prepare(self, suite: str, seed: int) -> None:
        """Forget the last verdict, and take from the test run what the decorator left open; the plugin calls it."""
        asked_suite, asked_seed = self._asked
        self.suite = suite if asked_suite is None else asked_suite
        self.seed = seed if asked_seed is None else asked_seed
        self.verdict: Verdict | None = None

    def __call__(self) -> None:
        """Run the check; fails or skips the calling test."""
        import pytest  # noqa: PLC0415 -- only where pytest runs

        __tracebackhide__ = True
        subject = _subject(self.target, self.case.level, self._normwise)
        oracle = _oracle(cache_folder())
        suite = replace(SUITES[self.suite], seed=self.seed)
        (verdict,) = expectations.apply(verdicts_of(self.case, subject, oracle, suite, [self.key]), self._expected)
        self.verdict = verdict
        if verdict.status is Status.UNSUPPORTED:
            pytest.skip(verdict.message)
        if verdict.status is Status.EXPECTED_FAIL:
            pytest.xfail(verdict.message)
        if verdict.status is not Status.PASS:
            causes = diagnose(subject, [verdict], oracle, limit=1) if verdict.status is Status.FAIL else []
            lines = [f"{verdict.status}: {verdict.message}"]
            lines += [f"{cause.text}, because {cause.evidence}" if cause.evidence else cause.text for cause in causes]
            lines += [f"claim: {verdict.claim}", f"case: {self.case.describe()}, {self.suite} suite, seed {self.seed}"]
            pytest.fail("\n  ".join(lines), pytrace=False)


def parametrize_with_checks(
    targets: Iterable[Any] | Mapping[str, Any],
    *,
    measure: str = "legs",
    level: str | None = None,
    orders: Iterable[int] = DEFAULT_ORDERS,
    method: str = "bilinear",
    theta: Any = None,
    dt: float | None = None,
    alpha: Any = None,
    beta: Any = None,
    dtype: str = "float64",
    accuracy: str = "entrywise",
    checks: Iterable[str] | None = None,
    suite: str | None = None,
    seed: int | None = None,
    expected: Path | str | None = None,
) -> Callable[[Callable[..., None]], Any]:
    """Decorator that runs a test once per target, check and order.

    ``@parametrize_with_checks([my_legs])`` above ``def test_hippo(check): check()``.

    The tests of a target are named ``name-measure-level-Norder-check``, in every process and run alike. The name is the
    target's ``__name__``, else that of its class; a second target of one name gets ``#2`` after it. A mapping gives
    names of your own.

    Args:
        targets: live callables or objects, ``exec:COMMAND``, or a mapping of names to them.
        measure: what they claim to be.
        level: level of a plain callable (default ``matrices``); an object is tried at each level it offers, or at this
            one alone.
        orders: numbers of coefficients.
        method: discretization rule.
        theta: window length (legt, lmu, fout).
        dt: sample spacing of invariant laws; default theta/64.
        alpha: exponent of lagt.
        beta: tilt of lagt.
        dtype: arithmetic they are judged in.
        accuracy: ``entrywise``, or ``normwise`` if the matrices come out of a factorisation.
        checks: keys of the checks to run; default all.
        suite: ``quick`` or ``full``; default: what ``pytest --hippo-suite`` says, else quick.
        seed: seed of the drawn inputs; default: what ``pytest --hippo-seed`` says, else 0.
        expected: TOML file of expected failures; its targets are the names in the tests' names.

    Returns:
        The decorator; the test takes one argument, ``check``, and calls it without any.

    Warns:
        UserWarning: an entry of that file has expired; the failures it spoke of fail again.

    Raises:
        UsageError: no targets, one that offers no level, or arguments that do not make a case.
        ValueError: the file of expected failures is wrong, or an entry of it speaks of none of the checks.
    """
    import pytest  # noqa: PLC0415

    chosen = tuple(CHECKS) if checks is None else _words("checks", checks)
    for name, value, accepted in (
        *(("check", key, tuple(CHECKS)) for key in chosen),
        ("suite", suite, (None, *SUITES)),
        ("accuracy", accuracy, ("entrywise", "normwise")),
    ):
        if value not in accepted:
            raise UsageError(f"{name} is {value!r}; accepted: {', '.join(word for word in accepted if word)}")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise UsageError(f"seed is {seed!r}; accepted: an integer")
    sizes = list(dict.fromkeys(orders))
    if not sizes:
        raise UsageError("orders is empty; give at least one, such as 4,8,16")
    named = list(_named(targets))
    entries = [] if expected is None else expectations.load(Path(expected), [name for name, _ in named])
    found: list[TargetCheck] = []
    for name, target in named:
        levels = _levels(name, target, level)
        cases = [
            make_case(
                name, measure, order=order, method=method, level=each, dtype=dtype, dt=dt, theta=theta, alpha=alpha,
                beta=beta,
            )
            for each in levels
            for order in sizes
        ]  # fmt: skip
        mine = [
            TargetCheck(target, case, key, suite=suite, seed=seed, normwise=accuracy == "normwise", expected=entries)
            for case in cases
            for key, check in CHECKS.items()
            if key in chosen and case.level in check.levels
        ]
        if not mine:
            speaking = [key for key, check in CHECKS.items() if set(levels) & set(check.levels)]
            raise UsageError(
                f"target {name} is left without a check: it offers {', '.join(levels)}, "
                f"of which {', '.join(speaking) or 'no check'} of all checks speaks"
            )
        found.extend(mine)
    if not found:
        raise UsageError("targets is empty; give at least one callable or object")
    for entry in entries:  # which tests will run is not known yet, so what they find is not asked for
        entry.used = sum(entry.fits(check.key, check.case) for check in found)
    for note in expectations.notes([entry for entry in entries if entry.expired]):
        warnings.warn(note, stacklevel=2)
    idle = expectations.notes([entry for entry in entries if not entry.expired])
    if idle:
        raise UsageError("; ".join(idle))
    return pytest.mark.parametrize("check", found, ids=repr)


def _words(what: str, given: Iterable[str]) -> tuple[str, ...]:
    words = (given,) if isinstance(given, str) else tuple(given)
    if not words:
        raise UsageError(f"{what} is empty; give at least one, or leave it out for all")
    return words


def _named(targets: Any) -> Iterator[tuple[str, Any]]:
    """Targets with names of which no two are equal, in an order that every process agrees on."""
    if isinstance(targets, set | frozenset):
        raise UsageError("targets is a set, whose order differs from process to process; give a list")
    if isinstance(targets, str) or not isinstance(targets, Iterable):
        raise UsageError(
            f"targets is {targets!r}; accepted: a list of callables or objects, or a mapping of names to them"
        )
    pairs = (
        [(str(name), target) for name, target in targets.items()]
        if isinstance(targets, Mapping)
        else [(target if _is_command(target) else LiveTarget(target).name, target) for target in targets]
    )
    taken: set[str] = set()
    for name, target in pairs:
        unique, number = name, 1
        while unique in taken:
            number += 1
            unique = f"{name}#{number}"
        taken.add(unique)
        # A command is started once for all its tests, and ends with this process.
        yield unique, target_of(target) if _is_command(target) else target


def _is_command(target: Any) -> bool:
    return isinstance(target, str) and target.startswith(PREFIX)


def _subject(target: Any, level: str | None, normwise: bool = False) -> Target:
    if isinstance(target, Target):
        target.normwise = normwise
        return target
    return LiveTarget(target, level, normwise=normwise)


def _levels(name: str, target: Any, level: str | None) -> tuple[str, ...]:
    """The levels a target is tried at: the one asked for, else all it offers."""
    if isinstance(target, str):
        raise UsageError(f"target {target!r} is a string; import it and give the object, or check it by verify.check")
    try:
        offered = _subject(target, level).levels()
    except TargetError as error:
        raise UsageError(f"target {name if _is_command(name) else repr(target)}: {error.message}") from None
    if level is None:
        return offered
    make_case(name, level=level)  # a word that is no level at all is refused as such
    if level not in offered:
        raise UsageError(f"level is {level!r}; target {name} offers {', '.join(offered)}")
    return (level,)


__all__ = ["TargetCheck", "parametrize_with_checks"]
