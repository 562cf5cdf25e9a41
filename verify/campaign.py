"""Cases x targets x checks -> verdicts: one target for `check`, the whole plan for `run`."""

from __future__ import annotations

import json
import math
import operator
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from verify import expected as expectations
from verify.adapters import ADAPTERS
from verify.adapters.isolated import DEFAULT_MEMORY, DEFAULT_TIMEOUT, IsolatedTarget, make_worker
from verify.case import DEFAULT_ORDERS, DTYPES, LEVELS, Case, as_text
from verify.checks import CHECKS, SUITES, Suite
from verify.convention import Convention, settle
from verify.diagnosis import Diagnosis, diagnose
from verify.folders import cache_folder
from verify.isolation import Worker
from verify.oracle import Oracle
from verify.provenance import collect
from verify.result import LiveTarget, Target, TargetError
from verify.store import VerdictStore
from verify.verdict import SCHEMA, Status, Verdict

METHODS = ("bilinear", "backward_euler", "euler", "zoh", "trapezoid", "foh")
LEGS_ONLY = ("trapezoid", "foh")
PARAMETERS: dict[str, tuple[str, ...]] = {
    "legs": (),
    "legt": ("theta",),
    "lmu": ("theta",),
    "lagt": ("alpha", "beta"),
    "fout": ("theta",),
    "legs_lti": (),
}
"""Measures we can check, with their parameters."""
DEFAULTS = {"theta": Fraction(1), "alpha": Fraction(0), "beta": Fraction(1)}

LARGEST = Fraction(10**30)
"""Windows, tilts and steps beyond it, or below its inverse, leave floating point on the way to a bound."""

EXIT = {"pass": 0, "fail": 1, "error": 3, "empty": 4, "inconclusive": 5}
"""Exit codes of the statuses; 2 is wrong usage."""


class UsageError(ValueError):
    """Arguments that do not make a case; the message says what was got and what is accepted."""


def make_case(
    target: str,
    measure: str = "legs",
    *,
    order: int = 4,
    method: str = "bilinear",
    level: str = "matrices",
    dtype: str = "float64",
    dt: float | None = None,
    theta: Any = None,
    alpha: Any = None,
    beta: Any = None,
) -> Case:
    """A validated case; ``dt`` defaults to theta/64 for invariant laws.

    Raises:
        UsageError: an unknown key, a parameter that the measure does not have or outside its domain, dt for LegS.
    """
    for name, value, accepted in (
        ("measure", measure, tuple(PARAMETERS)),
        ("method", method, METHODS),
        ("level", level, LEVELS),
        ("dtype", dtype, DTYPES),
    ):
        if value not in accepted:
            raise UsageError(f"{name} is {value!r}; accepted: {', '.join(accepted)}")
    given_order: Any = order
    if isinstance(given_order, bool) or not hasattr(given_order, "__index__") or given_order < 1:
        raise UsageError(f"order is {order!r}; accepted: an integer from 1")
    order = operator.index(given_order)
    if method in LEGS_ONLY and measure != "legs":
        raise UsageError(
            f"method {method!r} is defined for legs only; for {measure} choose bilinear, backward_euler, euler or zoh"
        )
    parameters: dict[str, Fraction] = {}
    for name, given in (("theta", theta), ("alpha", alpha), ("beta", beta)):
        if name not in PARAMETERS[measure]:
            if given is not None and _fraction(name, given) != DEFAULTS[name]:
                having = [key for key, names in PARAMETERS.items() if name in names]
                raise UsageError(
                    f"{name} is {given}, but {measure} has no {name}; measures with it: {', '.join(having)}"
                )
            continue
        number = DEFAULTS[name] if given is None else _fraction(name, given)
        if name in ("theta", "beta") and number > 0 and not 1 / LARGEST <= number <= LARGEST:
            raise UsageError(f"{name} is {given}; accepted: a number from 1e-30 to 1e30")
        number = Fraction(float(number))  # as a target is given it
        if name in ("theta", "beta") and number <= 0:
            raise UsageError(f"{name} is {given}; accepted: a number above 0")
        if name == "alpha" and not -1 < number < 1:
            raise UsageError(f"alpha is {given}; accepted: a number between -1 and 1")
        parameters[name] = number
    if measure == "legs":
        if dt is not None:
            raise UsageError(f"dt is {dt}, but legs has no time step: its update depends on the sample's index alone")
    else:
        given = dt
        try:
            dt = float(parameters.get("theta", Fraction(1)) / 64) if dt is None else float(dt)
        except (TypeError, ValueError, OverflowError):
            raise UsageError(f"dt is {given!r}; accepted: a number above 0") from None
        if not (math.isfinite(dt) and dt > 0):
            raise UsageError(f"dt is {dt}; accepted: a number above 0")
        if not 1 / LARGEST <= dt <= LARGEST:
            raise UsageError(f"dt is {dt}; accepted: a number from 1e-30 to 1e30")
    exact = tuple((name, as_text(value)) for name, value in sorted(parameters.items()))
    return Case(target, measure, order, method, level, dtype, dt, exact)


def _fraction(name: str, value: Any) -> Fraction:
    try:
        return Fraction(value) if not isinstance(value, str) else Fraction(value.strip())
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise UsageError(f"{name} is {value!r}; accepted: a number, such as 0.5 or 1/3") from None


def default_oracle() -> Oracle:
    """Exact answers, kept in the user's cache folder."""
    return Oracle(cache_folder())


def verdicts_of(case: Case, target: Target, oracle: Oracle, suite: Suite, checks: Iterable[str]) -> Iterator[Verdict]:
    """Verdicts of the checks that speak of the level of a case."""
    for key in checks:
        check = CHECKS[key]
        if case.level not in check.levels:
            continue
        started = time.perf_counter()
        reason = check.why_not(case) or next(
            (why for asked in (case, *check.companions(case)) if (why := target.why_not(asked)) is not None), None
        )
        if reason is not None:
            yield Verdict(check.key, check.claim, case, Status.UNSUPPORTED, message=reason)
            continue
        verdict = check.run(case, oracle, target, suite)
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
        notes: entries of expected failures that matched nothing, as sentences.
    """

    target: str
    verdicts: list[Verdict]
    diagnosis: list[Diagnosis] = field(default_factory=list)
    convention: Convention | None = None
    convention_mode: str = "exact"
    provenance: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Verdicts by status; every status is there."""
        counted = Counter(verdict.status for verdict in self.verdicts)
        return {str(status): counted[status] for status in Status}

    @property
    def status(self) -> str:
        """``pass``, ``fail``, ``error``, ``empty`` or ``inconclusive``."""
        return overall(self.counts)

    @property
    def exit_code(self) -> int:
        """Exit code of the command line; 2 if an expected failure matched nothing and all else is well."""
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
            "notes": self.notes,
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
    oracle: Oracle | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Validate one implementation.

    Args:
        target: ``package.module:attr``, ``file.py:attr`` or an adapter's name (run in a worker process), or a live
            callable or object (run here; an exception becomes an ERROR verdict).
        measure: key of the measure it claims to be.
        level: level to check; default: what the target offers, ``matrices`` for a plain callable.
        method: discretization rule.
        theta: window length (legt, lmu, fout).
        dt: sample spacing of invariant laws; default theta/64.
        alpha: exponent of lagt.
        beta: tilt of lagt.
        orders: numbers of coefficients to try.
        dtype: arithmetic it is judged in.
        suite: ``quick`` or ``full``.
        seed: seed of the drawn inputs.
        timeout: seconds per call into a worker.
        memory_limit: bytes a worker may hold; None for no limit.
        convention: ``exact``, or ``auto`` to find, report and undo a consistent convention first.
        target_arg: keywords passed on to the target.
        expected: TOML file of expected failures.
        accuracy: ``entrywise``, or ``normwise`` if the matrices come out of a factorisation.
        checks: keys of the checks to run; default all.
        oracle: exact answers; default: kept in the user's cache folder.
        progress: called with a description, the number done and the number in all.

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
    if isinstance(target, str) and target.startswith("exec:"):
        raise UsageError(
            f"target is {target!r}: processes cannot be checked yet; give package.module:attr or file.py:attr"
        )
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
    entries = expectations.load(Path(expected)) if expected is not None else []
    truth = oracle or default_oracle()
    if isinstance(target, str):
        subject: Target = IsolatedTarget(
            target, level=level, arguments=target_arg, timeout=timeout, memory_limit=memory_limit,
            normwise=accuracy == "normwise",
        )  # fmt: skip
    else:
        subject = LiveTarget(target, level, normwise=accuracy == "normwise")
    chosen = replace(SUITES[suite], seed=seed)
    report = Report(name, [], provenance=collect(seed), convention_mode=convention)
    try:
        _fill(report, subject, cases, level, chosen, list(checks or CHECKS), truth, convention, progress)
    finally:
        subject.close()
    report.verdicts = expectations.apply(report.verdicts, entries)
    report.notes = [
        f"expected failure matched nothing: {entry.describe()}" for entry in expectations.unmatched(entries, [name])
    ]
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
) -> None:
    try:
        offered = subject.levels()
    except TargetError as error:
        evidence = {"kind": error.kind, **error.evidence}
        lost = replace(cases[0], level=level or "matrices")
        claim = "the target can be loaded"
        report.verdicts = [Verdict("load", claim, lost, Status.ERROR, message=error.message, worst=evidence)]
        return
    levels = offered if level is None else (level,)
    judged = subject
    if convention == "auto":
        report.convention, settled, judged = settle(subject, cases[0], oracle)
        cases = [replace(case, parameters=settled.parameters) for case in cases]
    work = [(replace(case, level=name)) for case in cases for name in levels]
    for done, case in enumerate(work):
        if progress is not None:
            progress(case.describe(), done, len(work))
        report.verdicts.extend(verdicts_of(case, judged, oracle, suite, checks))
    if any(verdict.status is Status.FAIL for verdict in report.verdicts):
        report.diagnosis = diagnose(judged, report.verdicts, oracle)
    if progress is not None:
        progress("done", len(work), len(work))


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
            steps = any(level in adapter.levels for level in ("step", "scan", "gradient"))
            rules = [
                m for m in (methods or METHODS) if m in adapter.methods and (measure == "legs" or m not in LEGS_ONLY)
            ]
            for index, method in enumerate(rules if steps else rules[:1] or ["bilinear"]):
                # What does not depend on the rule is asked under the first one only.
                levels = tuple(lv for lv in adapter.levels if index == 0 or lv in ("step", "scan", "gradient"))
                for dtype in (d for d in dtypes if d in adapter.dtypes):
                    for order in dict.fromkeys(orders):
                        case = make_case(
                            name, measure, order=order, method=method, dtype=dtype, **dict[str, Any](fixed)
                        )
                        units.append(Unit(name, case, levels, suite, timeout, memory_limit))
    return units


_TARGETS: dict[str, Target] = {}
_WORKERS: dict[str, Worker] = {}
_ORACLES: list[Oracle] = []


def run_unit(unit: Unit) -> list[Verdict]:
    """All verdicts of a unit; the oracle and the library's worker are kept for the next unit of this process."""
    if not _ORACLES:
        _ORACLES.append(default_oracle())
    oracle = _ORACLES[0]
    if unit.target not in _TARGETS:
        library = ADAPTERS[unit.target].distribution or unit.target
        if library not in _WORKERS:
            close_targets()  # the plan is sorted by library: what came before is done
            _WORKERS[library] = make_worker(unit.target, timeout=unit.timeout, memory_limit=unit.memory_limit)
        _TARGETS[unit.target] = IsolatedTarget(unit.target, worker=_WORKERS[library])
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
    return verdicts


def close_targets() -> None:
    """End the workers of this process."""
    for worker in _WORKERS.values():
        worker.close()
    _WORKERS.clear()
    _TARGETS.clear()


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

    entries = expectations.load(expected or expectations.SHIPPED)
    provenance = collect(seed)
    stable = {key: provenance[key] for key in ("versions", "commit", "dirty", "seed")}
    # Verdicts are recorded with their marks, so those of other expectations are not gone on with.
    marks = [[entry.conditions, entry.reason, entry.link] for entry in entries]
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
        checked = {unit.target for unit in units}
        report.notes = [
            f"expected failure matched nothing: {e.describe()}" for e in expectations.unmatched(entries, checked)
        ]
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
    if jobs <= 1 or len(left) <= 1:
        computed: Iterator[list[Verdict]] = map(run_unit, left)
        yield from _merge(units, finished, computed)
        return
    import multiprocessing  # noqa: PLC0415
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield from _merge(units, finished, pool.map(run_unit, left, chunksize=4))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _merge(
    units: Sequence[Unit], finished: Mapping[str, list[Verdict]], computed: Iterator[list[Verdict]]
) -> Iterator[tuple[Unit, list[Verdict], bool]]:
    for unit in units:
        if unit.key in finished:
            yield unit, finished[unit.key], False
        else:
            yield unit, next(computed), True
