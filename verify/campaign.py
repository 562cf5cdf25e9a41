"""Cases x targets x checks -> verdicts: one target for `check`, the whole plan for `run`."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from verify import expected as expectations
from verify.adapters import ADAPTERS
from verify.adapters.isolated import DEFAULT_TIMEOUT, IsolatedTarget, make_worker
from verify.case import DEFAULT_ORDERS, DTYPES, STEPPING, Case
from verify.cases import METHODS, PARAMETERS, UsageError, make_case
from verify.checks import CHECKS, Suite
from verify.convention import Convention, settle
from verify.coverage import Coverage, Requirement
from verify.diagnosis import Diagnosis, diagnose
from verify.folders import cache_folder
from verify.isolation import Worker
from verify.journal import JournaledTarget
from verify.oracle import Oracle
from verify.processes import mapped
from verify.provenance import collect
from verify.result import Target
from verify.store import VerdictStore
from verify.verdict import SCHEMA, Status, Verdict

EXIT = {"pass": 0, "fail": 1, "error": 3, "empty": 4, "inconclusive": 5}
"""Exit codes of the statuses; 2 is wrong usage."""


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


@dataclass
class Report:
    """What `check` found.

    Attributes:
        target: as the user wrote it.
        verdicts: one for every check and case, also those that did not apply.
        diagnosis: explanations, most likely first.
        convention: what was found and undone, or None.
        provenance: versions, commit, machine, seed.
        notes: entries of expected failures that matched nothing or have expired, as sentences.
        required: how many cells must be decided, or None.
        counterexamples: where the inputs of failures were written (``folder``, ``files``, ``problem``), or None.
    """

    target: str
    verdicts: list[Verdict]
    diagnosis: list[Diagnosis] = field(default_factory=list)
    convention: Convention | None = None
    convention_mode: str = "exact"
    provenance: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    required: Requirement | None = None
    counterexamples: dict[str, Any] | None = None

    @property
    def coverage(self) -> Coverage:
        """Cells decided, of those asked for."""
        return Coverage.of((verdict.status for verdict in self.verdicts), self.required)

    @property
    def counts(self) -> dict[str, int]:
        """Verdicts by status; every status is there."""
        counted = Counter(verdict.status for verdict in self.verdicts)
        return {str(status): counted[status] for status in Status}

    @property
    def status(self) -> str:
        """``pass``, ``fail``, ``error``, ``empty`` or ``inconclusive``: too little decided is no pass."""
        word = overall(self.counts)
        return "inconclusive" if word == "pass" and not self.coverage.met else word

    @property
    def exit_code(self) -> int:
        """Exit code of the command line; 2 if an entry of the expected failures is at fault and all else is well."""
        code = EXIT[self.status]
        return 2 if code == 0 and self.notes else code

    def to_json(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "schema": SCHEMA,
            "target": self.target,
            "status": self.status,
            "exit_code": self.exit_code,
            "counts": self.counts,
            "convention": {
                "mode": self.convention_mode,
                "found": self.convention.to_json() if self.convention else None,
            },
            "diagnosis": [item.to_json() for item in self.diagnosis],
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "coverage": [
                {
                    "check": verdict.check,
                    "case": verdict.case.id,
                    "measure": verdict.case.measure,
                    "order": verdict.case.order,
                    "method": verdict.case.method,
                    "level": verdict.case.level,
                    "dtype": verdict.case.dtype,
                    "target": verdict.case.target,
                    "ran": verdict.status not in (Status.UNSUPPORTED,),
                    "reason": verdict.message if verdict.status is Status.UNSUPPORTED else "",
                }
                for verdict in self.verdicts
            ],
            "coverage_summary": self.coverage.to_json(),
            "notes": self.notes,
            "counterexamples": self.counterexamples,
            "provenance": self.provenance,
        }


def overall(counts: Mapping[str, int]) -> str:
    """One word for many verdicts: a certain failure outweighs a crash, a crash outweighs doubt."""
    if counts.get("FAIL") or counts.get("UNEXPECTED_PASS"):
        return "fail"
    if counts.get("ERROR"):
        return "error"
    if counts.get("INCONCLUSIVE"):
        return "inconclusive"
    if not counts.get("PASS") and not counts.get("EXPECTED_FAIL"):
        return "empty"
    return "pass"


# The whole campaign.


@dataclass(frozen=True)
class Unit:
    """Work that one process does in one go: one target, measure, rule, dtype and order, at every level."""

    target: str
    case: Case
    levels: tuple[str, ...]
    suite: Suite
    timeout: float = DEFAULT_TIMEOUT
    memory_limit: int | None = 4 * 2**30

    @property
    def key(self) -> str:
        """Stable name; a resumed campaign skips the units it knows."""
        return f"{self.case.id}:{self.suite.name}:{self.suite.seed}"


def plan(
    targets: Sequence[str],
    *,
    measures: Sequence[str] | None = None,
    orders: Sequence[int] = DEFAULT_ORDERS,
    methods: Sequence[str] | None = None,
    dtypes: Sequence[str] = DTYPES,
    suite: Suite,
    timeout: float = DEFAULT_TIMEOUT,
    memory_limit: int | None = 4 * 2**30,
) -> list[Unit]:
    """Every unit of a campaign, in the order in which it is reported.

    Rules matter only where a target steps; a target that offers matrices alone is asked once per order.

    Raises:
        UsageError: an unknown target, measure, rule or dtype.
    """
    for what, given, accepted in (
        ("measure", measures, tuple(PARAMETERS)),
        ("method", methods, METHODS),
        ("dtype", dtypes, DTYPES),
    ):
        for value in given or ():
            if value not in accepted:
                raise UsageError(f"{what} is {value!r}; accepted: {', '.join(accepted)}")
    units = []
    for name in dict.fromkeys(targets):
        adapter = ADAPTERS.get(name)
        if adapter is None:
            raise UsageError(
                f"target {name!r} is no adapter; a campaign runs adapters ({', '.join(ADAPTERS)}): use check"
            )
        for measure, fixed in adapter.measures.items():
            if measures is not None and measure not in measures:
                continue
            steps = any(level in STEPPING for level in adapter.levels)
            rules = [method for method in methods or METHODS if method in adapter.methods]
            for index, method in enumerate(rules if steps else rules[:1] or ["bilinear"]):
                # What does not depend on the rule is asked under the first one only.
                levels = tuple(lv for lv in adapter.levels if index == 0 or lv in STEPPING)
                for dtype in (d for d in dtypes if d in adapter.dtypes):
                    for order in dict.fromkeys(orders):
                        case = make_case(
                            name, measure, order=order, method=method, dtype=dtype, **dict[str, Any](fixed)
                        )
                        units.append(Unit(name, case, levels, suite, timeout, memory_limit))
    return units


_TARGETS: dict[str, Target] = {}
_WORKERS: dict[str, Worker] = {}
_SUSPECTS: dict[str, str] = {}
"""Library -> the target last asked, if it failed: what it has done to the process is not handed on to another one."""


def run_unit(unit: Unit) -> list[Verdict]:
    """All verdicts of a unit; the oracle and the library's worker are kept for the next unit of this process."""
    oracle, library = process_oracle(), ADAPTERS[unit.target].distribution or unit.target
    if _SUSPECTS.get(library, unit.target) != unit.target:
        _WORKERS[library].close()
        del _SUSPECTS[library]
    if unit.target not in _TARGETS:
        if library not in _WORKERS:
            close_targets()  # the plan is sorted by library: what came before is done
            _WORKERS[library] = make_worker(unit.target, timeout=unit.timeout, memory_limit=unit.memory_limit)
        # The journal, without a file, tells an error which input it came from.
        _TARGETS[unit.target] = JournaledTarget(IsolatedTarget(unit.target, worker=_WORKERS[library]))
    target, case, found = _TARGETS[unit.target], unit.case, None
    if ADAPTERS[unit.target].convention == "auto":
        found, case, target = settle(target, case, oracle)
    verdicts = []
    for level in unit.levels:
        for verdict in verdicts_of(replace(case, level=level), target, oracle, unit.suite, CHECKS):
            details = dict(verdict.details)
            if found is not None:
                details["convention"] = found.describe()
            verdicts.append(replace(verdict, details=details))
    failing = [verdict for verdict in verdicts if verdict.status is Status.FAIL]
    if failing:
        explained = diagnose(target, verdicts, oracle)
        said = [item.to_json() for item in explained]
        verdicts = [replace(v, details={**v.details, "diagnosis": said}) if v in failing else v for v in verdicts]
    if any(verdict.status in (Status.FAIL, Status.ERROR) for verdict in verdicts):
        _SUSPECTS[library] = unit.target
    return verdicts


def close_targets() -> None:
    """End the workers of this process."""
    for worker in _WORKERS.values():
        worker.close()
    _WORKERS.clear()
    _TARGETS.clear()
    _SUSPECTS.clear()


def run(
    units: Sequence[Unit],
    folder: Path,
    *,
    jobs: int = 1,
    expected: Path | None = None,
    seed: int = 0,
    on_unit: Callable[[Unit, list[Verdict], int], None] | None = None,
) -> Report:
    """Run a campaign into a folder, or go on with a stopped one there.

    Args:
        units: the plan.
        folder: where ``verdicts.jsonl`` is written.
        jobs: processes.
        expected: TOML file of expected failures; default: the one that is shipped.
        seed: recorded in the provenance.
        on_unit: called after each unit with its verdicts and the number of units done.
    """
    from verify.oracle import reference_fingerprint  # noqa: PLC0415

    # Of a library that is not installed nothing is expected: its absence is an error.
    installed = {unit.target for unit in units if ADAPTERS[unit.target].version() is not None}
    entries = expectations.load(expected or expectations.SHIPPED, installed)
    provenance = {**collect(seed), "suite": ", ".join(dict.fromkeys(unit.suite.name for unit in units))}
    stable = {key: provenance[key] for key in ("versions", "commit", "dirty", "seed")}
    # Verdicts are recorded with their marks, so those of other expectations are not gone on with.
    marks = [[entry.conditions, entry.reason, entry.link, entry.lapsed] for entry in entries]
    fingerprint = json.dumps([stable, reference_fingerprint(), marks], sort_keys=True)
    store = VerdictStore(folder, provenance, fingerprint)
    report = Report("campaign", [], provenance=provenance)
    try:
        for done, (unit, raw, fresh) in enumerate(_results(units, store.finished, jobs), start=1):
            verdicts = expectations.apply(raw, entries)
            if fresh:
                store.add(unit.key, verdicts)
            report.verdicts.extend(verdicts)
            if on_unit is not None:
                on_unit(unit, verdicts, done)
        report.notes = expectations.notes(entries)
        store.end(report.notes)
    finally:
        store.close()
        close_targets()
    return report


def _results(
    units: Sequence[Unit], finished: Mapping[str, list[Verdict]], jobs: int
) -> Iterator[tuple[Unit, list[Verdict], bool]]:
    """Results in the order of the plan, those of a stopped campaign first read, not computed."""
    left = [unit for unit in units if unit.key not in finished]
    yield from _merge(units, finished, mapped(run_unit, left, jobs))


def _merge(
    units: Sequence[Unit], finished: Mapping[str, list[Verdict]], computed: Iterator[list[Verdict]]
) -> Iterator[tuple[Unit, list[Verdict], bool]]:
    for unit in units:
        if unit.key in finished:
            yield unit, finished[unit.key], False
        else:
            yield unit, next(computed), True
