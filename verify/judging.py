"""The work on one unit: every check of every level, the target in a worker that the units of a library share."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from verify.adapters import ADAPTERS
from verify.adapters.isolated import IsolatedTarget, make_worker
from verify.case import Case
from verify.checks import CHECKS, Suite
from verify.convention import settle
from verify.diagnosis import diagnose
from verify.folders import cache_folder
from verify.isolation import Worker
from verify.journal import JournaledTarget
from verify.oracle import Oracle
from verify.planning import Unit, lacking
from verify.result import Target
from verify.verdict import Status, Verdict

UNJUDGED = "nothing else could be judged here, and what this check sees is no answer at this order"


def default_oracle() -> Oracle:
    """Exact answers, kept in the user's cache folder."""
    return Oracle(cache_folder())


_ORACLES: list[Oracle] = []


def process_oracle() -> Oracle:
    """The `default_oracle` of this process, made once and kept with all that it has been asked."""
    if not _ORACLES:
        _ORACLES.append(default_oracle())
    return _ORACLES[0]


def verdicts_of(case: Case, target: Target, oracle: Oracle, suite: Suite, checks: Iterable[str]) -> Iterator[Verdict]:
    """Verdicts of the checks that speak of the level of a case."""
    asked_for = [CHECKS[key] for key in checks if case.level in CHECKS[key].levels]
    judged = all(check.beside for check in asked_for)  # asked for by name, they stand for themselves
    for check in sorted(asked_for, key=lambda check: check.beside):
        started = time.perf_counter()
        reason = check.why_not(case) or next(
            (why for asked in (case, *check.companions(case)) if (why := target.why_not(asked)) is not None), None
        )
        if reason is not None:
            yield Verdict(check.key, check.claim, case, Status.UNSUPPORTED, message=reason)
            continue
        verdict = check.run(case, oracle, target, suite)
        if not check.beside:
            judged = judged or verdict.status is not Status.UNSUPPORTED
        elif verdict.status is Status.PASS and not judged:
            verdict = Verdict(check.key, check.claim, case, Status.UNSUPPORTED, message=UNJUDGED)
        yield replace(verdict, seconds=time.perf_counter() - started)


_WORKERS: dict[str, Worker] = {}
_SUSPECTS: dict[str, str] = {}
"""Library -> the target last asked, if it failed: what it has done to the process is not handed on to another one."""


def run_unit(unit: Unit) -> list[Verdict]:
    """All verdicts of a unit: they depend on it alone, though oracle and worker are kept for the next one."""
    oracle, case, found = process_oracle(), unit.case, None
    target = _target_of(unit)
    if ADAPTERS[unit.target].convention == "auto" and not lacking(unit):
        found, case, target = settle(target, case, oracle)
    verdicts = list(
        chain.from_iterable(
            verdicts_of(
                replace(case, level=level), target, oracle, unit.suite, CHECKS if unit.checks is None else unit.checks
            )
            for level in unit.levels
        )
    )
    if found is not None:
        said = found.describe()
        verdicts = [replace(verdict, details={**verdict.details, "convention": said}) for verdict in verdicts]
    failing = [verdict for verdict in verdicts if verdict.status is Status.FAIL]
    if failing:
        explained = [item.to_json() for item in diagnose(target, verdicts, oracle)]
        verdicts = [replace(v, details={**v.details, "diagnosis": explained}) if v in failing else v for v in verdicts]
    if any(verdict.status in (Status.FAIL, Status.ERROR) for verdict in verdicts):
        _SUSPECTS[unit.library] = unit.target
    return verdicts


def _target_of(unit: Unit) -> Target:
    """The target of a unit, new: what it did in another unit does not count here; its library's process is kept."""
    library = unit.library
    if _SUSPECTS.get(library, unit.target) != unit.target:
        _WORKERS[library].close()
        del _SUSPECTS[library]
    if library not in _WORKERS:
        close_targets()  # units come by library: what came before is done
        _WORKERS[library] = make_worker(unit.target, timeout=unit.timeout, memory_limit=unit.memory_limit)
    # The journal, without a file, tells an error which input it came from.
    return JournaledTarget(IsolatedTarget(unit.target, worker=_WORKERS[library]))


def close_targets() -> None:
    """End the workers of this process."""
    for worker in _WORKERS.values():
        worker.close()
    _WORKERS.clear()
    _SUSPECTS.clear()
