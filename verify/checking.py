"""One target against its measure, at every order and level: `verify.check`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from verify import expected as expectations
from verify.adapters.isolated import DEFAULT_MEMORY, DEFAULT_TIMEOUT, target_of
from verify.campaign import Report, default_oracle, verdicts_of
from verify.case import DEFAULT_ORDERS, Case
from verify.cases import UsageError, make_case
from verify.checks import CHECKS, SUITES, Suite
from verify.convention import settle
from verify.counterexamples import save
from verify.diagnosis import diagnose
from verify.journal import JournaledTarget
from verify.oracle import Oracle
from verify.provenance import collect
from verify.result import Target, TargetError
from verify.verdict import Status, Verdict


def check(
    target: Any,
    measure: str = "legs",
    level: str | None = None,
    *,
    method: str = "bilinear",
    theta: Any = None,
    dt: float | None = None,
    alpha: Any = None,
    beta: Any = None,
    orders: Sequence[int] = DEFAULT_ORDERS,
    dtype: str = "float64",
    suite: str = "quick",
    seed: int = 0,
    timeout: float = DEFAULT_TIMEOUT,
    memory_limit: int | None = DEFAULT_MEMORY,
    convention: str = "exact",
    target_arg: Mapping[str, Any] | None = None,
    expected: Path | str | None = None,
    accuracy: str = "entrywise",
    checks: Sequence[str] | None = None,
    counterexamples: Path | str | None = None,
    oracle: Oracle | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Validate one implementation.

    Args:
        target: a name as on the command line, such as ``file.py:attr`` or ``exec:COMMAND`` (run in a worker process),
            or a live callable or object (run here; an exception becomes an ERROR verdict).
        measure: key of the measure it claims to be.
        level: level to check; default: what the target offers, ``matrices`` for a plain callable.
        method: discretization rule.
        theta: window length, for a measure on a window.
        dt: sample spacing of invariant laws; default theta/64.
        alpha: exponent of lagt, of gegenbauer, or of jacobi at the present.
        beta: tilt of lagt, or exponent of jacobi at the far end.
        orders: numbers of coefficients to try.
        dtype: arithmetic it is judged in.
        suite: ``quick`` or ``full``.
        seed: seed of the drawn inputs.
        timeout: seconds per call into a worker.
        memory_limit: bytes a worker may hold; None for no limit.
        convention: ``exact``, or ``auto`` to find, report and undo a consistent convention first.
        target_arg: keywords passed on to the target.
        expected: TOML file of expected failures, judged by ``$HIPPO_VERIFY_TODAY`` or else the date.
        accuracy: ``entrywise``, or ``normwise`` if the matrices come out of a factorisation.
        checks: keys of the checks to run; default all.
        counterexamples: folder for the inputs of failures, and for the call under way; None: they are not kept.
        oracle: exact answers; default: kept in the user's cache folder.
        progress: called with a description, the number done and the number in all.

    Returns:
        What was found: a verdict for every check and case, also those that did not apply, and the diagnosis.

    Raises:
        UsageError: arguments that do not make a case.
    """
    for name, value, accepted in (
        ("suite", suite, tuple(SUITES)),
        ("convention", convention, ("exact", "auto")),
        ("accuracy", accuracy, ("entrywise", "normwise")),
        *(("check", key, tuple(CHECKS)) for key in checks or ()),
    ):
        if value not in accepted:
            raise UsageError(f"{name} is {value!r}; accepted: {', '.join(accepted)}")
    if not orders:
        raise UsageError("orders is empty; give at least one, such as 4,8,16")
    if target_arg and not isinstance(target, str):
        raise UsageError(
            "target_arg is for targets named by a string; bind keywords of a live one with functools.partial"
        )
    name = target if isinstance(target, str) else getattr(target, "__name__", type(target).__name__)
    cases = [
        make_case(
            name, measure, order=order, method=method, dtype=dtype, dt=dt, theta=theta, alpha=alpha, beta=beta,
            level=level or "matrices",
        )
        for order in dict.fromkeys(orders)
    ]  # fmt: skip
    entries = [] if expected is None else expectations.load(Path(expected), [name])
    truth = oracle or default_oracle()
    folder = None if counterexamples is None else Path(counterexamples)
    asked = target_of(
        target, level, arguments=target_arg, timeout=timeout, memory_limit=memory_limit,
        normwise=accuracy == "normwise",
    )  # fmt: skip
    subject = JournaledTarget(asked, folder)
    chosen = replace(SUITES[suite], seed=seed)
    how = {"suite": suite, "accuracy": accuracy, "live": not isinstance(target, str)}
    report = Report(name, [], provenance={**collect(seed), **how}, convention_mode=convention)
    try:
        judged = _fill(report, subject, cases, level, chosen, list(checks or CHECKS), truth, convention, progress)
        report.verdicts = expectations.apply(report.verdicts, entries)
        if folder is not None:
            save(report, folder, judged, truth, chosen, subject.problem)
    finally:
        subject.close()
    report.notes = expectations.notes(entries)
    return report


def _fill(
    report: Report,
    subject: Target,
    cases: Sequence[Case],
    level: str | None,
    suite: Suite,
    checks: Sequence[str],
    oracle: Oracle,
    convention: str,
    progress: Callable[[str, int, int], None] | None,
) -> Target:
    """Put the verdicts into the report; the target as it was judged."""
    try:
        offered = subject.levels()
    except TargetError as error:
        evidence = {"kind": error.kind, **error.evidence}
        lost = replace(cases[0], level=level or "matrices")
        claim = "the target can be loaded"
        report.verdicts = [Verdict("load", claim, lost, Status.ERROR, message=error.message, worst=evidence)]
        return subject
    levels = offered if level is None else (level,)
    judged = subject
    if convention == "auto":
        report.convention, settled, judged = settle(subject, cases[0], oracle)
        cases = [replace(case, parameters=settled.parameters) for case in cases]
    work = [(replace(case, level=name)) for case in cases for name in levels]
    report.verdicts = found = list[Verdict]()
    for done, case in enumerate(work):
        if progress is not None:
            progress(case.describe(), done, len(work))
        found.extend(verdicts_of(case, judged, oracle, suite, checks))
    if any(verdict.status is Status.FAIL for verdict in report.verdicts):
        report.diagnosis = diagnose(judged, report.verdicts, oracle)
    if progress is not None:
        progress("done", len(work), len(work))
    return judged
