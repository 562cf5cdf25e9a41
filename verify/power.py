"""The power of the checks, measured: which property kills which seeded defect, and whether any right variant dies.

A defect *dies* at a case if at least one check there says FAIL. A *false alarm* is a FAIL on a variant that is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import product
from typing import Any

from verify.campaign import process_oracle, verdicts_of
from verify.case import LEVELS, STEPPING, Case
from verify.cases import UsageError, make_case
from verify.checks import CHECKS, Suite
from verify.convention import settle
from verify.defects import DEFECTS, Defect
from verify.diagnosis import REPEATING, diagnose
from verify.oracle import Oracle
from verify.processes import mapped
from verify.result import Target
from verify.variants import VARIANTS, Variant
from verify.verdict import Status, Verdict

MEASURES = ("legs", "legt", "lagt", "fout", "lmu", "legs_lti", "chebt")
RULES = ("bilinear", "zoh", "trapezoid", "foh", "euler", "backward_euler", "gbt(1/3)", "hold(2)", "hold(3)")
WORDS = {Status.FAIL: "killed", Status.ERROR: "killed", Status.PASS: "passed"}


@dataclass(frozen=True)
class Trial:
    """One defect at one case.

    Attributes:
        defect: its key.
        case: where it was tried.
        outcomes: check -> ``killed``, ``passed`` or ``undecided``.
        causes: keys of the diagnosis, most likely first.
    """

    defect: str
    case: Case
    outcomes: Mapping[str, str]
    causes: tuple[str, ...] = ()

    @property
    def killers(self) -> tuple[str, ...]:
        """Checks that rejected it."""
        return tuple(check for check, outcome in self.outcomes.items() if outcome == "killed")

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "defect": self.defect,
            "case": self.case.to_json(),
            "outcomes": dict(self.outcomes),
            "causes": list(self.causes),
        }


def cases_of(
    applies: Callable[[Case], bool], order: int, dtype: str = "float64", given: Mapping[str, float] | None = None
) -> Iterator[Case]:
    """Where a defect or variant is shown: at each level one case per time law, and one more where a sample is held.

    Small, and chosen by the tables alone: the first measure and rule, in their order, for which it applies.
    """
    for level in LEVELS:
        seen: set[tuple[bool, bool]] = set()
        for measure, method in product(MEASURES, RULES if level in STEPPING else RULES[:1]):
            kind = (measure == "legs", method == "zoh")
            if kind in seen:
                continue
            try:
                case = make_case(
                    "model", measure, order=order, method=method, level=level, dtype=dtype, **dict(given or {})
                )
            except UsageError:
                continue  # a rule, or a parameter, that the measure does not have
            if applies(case) and any(check.why_not(case) is None for check in _comparing(level)):
                seen.add(kind)
                yield case


def _comparing(level: str) -> Iterator[Any]:
    """Checks of a level that compare with the truth: those that compare a target with itself make no case of it."""
    return (check for key, check in CHECKS.items() if level in check.levels and key not in REPEATING)


def _verdicts(case: Case, target: Target, oracle: Oracle, suite: Suite) -> list[Verdict]:
    return [v for v in verdicts_of(case, target, oracle, suite, CHECKS) if v.status is not Status.UNSUPPORTED]


def try_defect(defect: Defect, case: Case, oracle: Oracle, suite: Suite) -> Trial:
    """Every check of the level on one wrong candidate, and what the diagnosis says of it."""
    target = defect.target(case, oracle)
    verdicts = _verdicts(case, target, oracle, suite)
    outcomes = {verdict.check: WORDS.get(verdict.status, "undecided") for verdict in verdicts}
    failing = [verdict for verdict in verdicts if verdict.status is Status.FAIL]
    causes = [item.defect for item in diagnose(target, failing, oracle)] if failing else []
    return Trial(defect.key, case, outcomes, tuple(causes))


@dataclass
class Power:
    """The kill matrix.

    Attributes:
        suite: name of the suite it was measured with.
        trials: every defect at every case where it is shown.
    """

    suite: str
    trials: list[Trial] = field(default_factory=list)

    @cached_property
    def killers(self) -> dict[str, tuple[str, ...]]:
        """Defect -> the checks that reject it somewhere, in the order of `CHECKS`."""
        found: dict[str, set[str]] = {trial.defect: set() for trial in self.trials}
        for trial in self.trials:
            found[trial.defect].update(trial.killers)
        return {key: tuple(check for check in CHECKS if check in checks) for key, checks in found.items()}

    @property
    def survivors(self) -> list[Trial]:
        """Trials in which no check rejected the defect."""
        return [trial for trial in self.trials if not trial.killers]

    @property
    def rate(self) -> float:
        """Share of the defects that die at some case."""
        return sum(map(bool, self.killers.values())) / max(len(self.killers), 1)

    @property
    def unique(self) -> dict[str, list[str]]:
        """Check -> the defects that no other check rejects anywhere."""
        found: dict[str, list[str]] = {check: [] for check in CHECKS}
        for defect, checks in self.killers.items():
            if len(checks) == 1:
                found[checks[0]].append(defect)
        return found

    @property
    def misnamed(self) -> list[Trial]:
        """Rejected defects whose cause does not come first in the diagnosis."""
        return [trial for trial in self.trials if trial.killers and trial.causes[:1] != (trial.defect,)]

    @property
    def named(self) -> float:
        """Share of the rejected trials whose cause comes first in the diagnosis."""
        killed = sum(bool(trial.killers) for trial in self.trials)
        return 1 - len(self.misnamed) / max(killed, 1)

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "suite": self.suite,
            "defects": len(self.killers),
            "killed": sum(map(bool, self.killers.values())),
            "trials": len(self.trials),
            "survivors": [trial.to_json() for trial in self.survivors],
            "killers": {key: list(checks) for key, checks in self.killers.items()},
            "unique": self.unique,
            "named_first": self.named,
            "misnamed": [trial.to_json() for trial in self.misnamed],
        }


def power(
    suite: Suite,
    *,
    defects: Iterable[str] | None = None,
    oracle: Oracle | None = None,
    jobs: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Power:
    """Try the seeded defects.

    Args:
        suite: how much each check tries.
        defects: keys; default all.
        oracle: exact answers, for work in this process alone; default: kept in the user's cache folder.
        jobs: processes; the result does not depend on it.
        progress: called with a description, the number done and the number in all.
    """
    work = [
        (key, case, suite)
        for key in (DEFECTS if defects is None else defects)
        for case in cases_of(DEFECTS[key].applies, DEFECTS[key].order, given=DEFECTS[key].given)
    ]
    found = Power(suite.name)
    for done, trial in enumerate(mapped(partial(_try, oracle if jobs <= 1 else None), work, jobs), start=1):
        found.trials.append(trial)
        if progress is not None:
            progress(f"{trial.defect}: {trial.case.describe()}", done, len(work))
    return found


def _try(oracle: Oracle | None, work: tuple[str, Case, Suite]) -> Trial:
    key, case, suite = work
    return try_defect(DEFECTS[key], case, oracle or process_oracle(), suite)


@dataclass(frozen=True)
class Alarm:
    """A check that did not pass a right variant."""

    variant: str
    case: Case
    seed: int
    check: str
    status: str
    message: str

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "variant": self.variant,
            "case": self.case.to_json(),
            "seed": self.seed,
            "check": self.check,
            "status": self.status,
            "message": self.message,
        }


@dataclass
class Alarms:
    """What happened to right variants.

    Attributes:
        seeds: how many seeds were tried.
        verdicts: checks run in all.
        false: those that said FAIL or ERROR.
        undecided: those that could not tell.
    """

    seeds: int = 0
    verdicts: int = 0
    false: list[Alarm] = field(default_factory=list)
    undecided: list[Alarm] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "variants": len(VARIANTS),
            "seeds": self.seeds,
            "verdicts": self.verdicts,
            "false_alarms": [alarm.to_json() for alarm in self.false],
            "undecided": [alarm.to_json() for alarm in self.undecided],
        }


ORDERS = (4, 7, 1, 12, 2, 16)
"""Orders that right variants are tried at, in turn: small, odd, one, and where rounding grows."""


def variant_case(variant: Variant, seed: int) -> Case | None:
    """The case at which a seed tries a variant; None if there is none at this order and precision."""
    dtype = ("float64", "float32")[seed // len(ORDERS) % 2]
    cases = list(cases_of(variant.applies, ORDERS[seed % len(ORDERS)], dtype))
    return cases[seed // (2 * len(ORDERS)) % len(cases)] if cases else None


def alarms(
    seeds: Iterable[int],
    suite: Suite,
    *,
    oracle: Oracle | None = None,
    jobs: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Alarms:
    """Try right variants, one for each seed, taking turns over variants, levels, measures, rules, orders and dtypes."""
    keys = list(VARIANTS)
    work = [(keys[seed % len(keys)], seed // len(keys) * 7 + seed, replace(suite, seed=seed)) for seed in seeds]
    found = Alarms(len(work))
    for done, (count, bad) in enumerate(mapped(partial(_vary, oracle if jobs <= 1 else None), work, jobs), start=1):
        found.verdicts += count
        for alarm in bad:
            (found.undecided if alarm.status == Status.INCONCLUSIVE else found.false).append(alarm)
        if progress is not None:
            progress("right variants", done, len(work))
    return found


def _vary(oracle: Oracle | None, work: tuple[str, int, Suite]) -> tuple[int, list[Alarm]]:
    key, turn, suite = work
    variant, truth = VARIANTS[key], oracle or process_oracle()
    case = variant_case(variant, turn)
    if case is None:
        return 0, []
    target = variant.target(truth)
    if variant.convention == "auto":
        _, case, target = settle(target, case, truth)
    verdicts = _verdicts(case, target, truth, suite)
    return len(verdicts), [
        Alarm(key, case, suite.seed, verdict.check, str(verdict.status), verdict.message)
        for verdict in verdicts
        if verdict.status is not Status.PASS
    ]
