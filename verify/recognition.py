"""How well identification works, measured over the catalogue: what is recognised, what refused, and every failure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from verify.campaign import process_oracle
from verify.candidates import WINDOWED, right_model
from verify.case import Case
from verify.catalogue import COARSE, OWN, Entry, catalogue
from verify.convention import Convention, Identification, identify
from verify.oracle import Oracle
from verify.processes import mapped
from verify.result import LiveTarget, Result, Target, TargetError, Wrapped

ALIASES = ({"legt", "lmu"}, {"legs", "legs_lti"})
"""Measures that are one operator: under a scaling, or once the clock is left out of the matrices."""
CLOSE = {"float64": 1e-6, "float32": 1e-3}
"""What windows and exponents may be off by, by the arithmetic they were measured in."""
COARSELY = 0.1
SHOWN = 1e-9
"""Relative difference to the right answer from which a defect shows in what was asked."""


class _Beside(Wrapped):
    """A target whose answers are held against the right ones as they come."""

    def __init__(self, target: Target, case: Case, oracle: Oracle) -> None:
        super().__init__(target)
        model = right_model(case, oracle)
        self._right = LiveTarget(getattr(model, case.level), case.level)
        self.difference = 0.0

    def call(self, case: Case, *arguments: Any) -> Result:
        """Ask both."""
        kept = [value.copy() if isinstance(value, np.ndarray) else value for value in arguments]
        result = self._target.call(case, *arguments)
        right = self._right.call(case, *kept)
        if result.malformed:
            self.difference = math.inf
            return result
        for name, value in right.arrays.items():
            got = result.arrays[name]
            if got.shape != value.shape:
                self.difference = math.inf
            else:
                with np.errstate(all="ignore"):
                    off = float(np.abs(got - value).max(initial=0.0) / max(np.abs(value).max(initial=0.0), 1e-300))
                self.difference = max(self.difference, math.inf if math.isnan(off) else off)
        return result


@dataclass(frozen=True)
class Trial:
    """One identification.

    Attributes:
        name: of the entry.
        kind: of the entry.
        group: measure, level, or what else it is counted under.
        outcome: ``recognised``, ``refused``, ``named`` (a defect taken for the other right operator that it is),
            ``marked`` (a defect told as that operator with the residual it leaves), ``hidden`` (a defect that does not
            show in what is asked), ``missed`` or ``wrong``.
        said: first match, or nearest miss.
        inside: arithmetic told, beside the one there is.
    """

    name: str
    kind: str
    group: tuple[str, str]
    outcome: str
    said: str
    inside: tuple[str, str] = ("", "")

    @property
    def success(self) -> bool:
        """Whether it is as it should be."""
        return self.outcome not in ("missed", "wrong")


def _is(match: Convention, entry: Entry) -> bool:
    """Whether a convention is that of a right entry."""
    case = entry.case
    if match.measure != case.measure or match.sign != entry.sign or match.shift != entry.shift:
        return False
    coarse = entry.inside in COARSE
    close = COARSELY if coarse else CLOSE[entry.inside]
    numbers = [(value, case.float_parameters[name]) for name, value in match.parameters]
    if case.level != "matrices":
        if case.method not in (match.method, *match.also) and not coarse:
            return False
        if case.dt is not None:
            theta = case.float_parameters.get("theta", 1.0)
            numbers.append(
                (match.theta_over_dt or 0.0, theta / case.dt) if match.measure in WINDOWED else (match.dt or 0, case.dt)
            )
    elif match.measure in WINDOWED:
        numbers.append((match.theta or 0.0, case.float_parameters["theta"]))
    if not all(math.isclose(a, b, rel_tol=close, abs_tol=close) for a, b in numbers):
        return False
    return match.formula == ("" if entry.scaling == OWN else entry.scaling)


def _plain(match: Convention, case: Case) -> bool:
    """Whether a convention says: this is what was asked for, and nothing is to be undone."""
    parameters = {name: value for name, value in case.float_parameters.items() if name != "theta"}
    if match.measure != case.measure or not match.trivial:
        return False
    theta = case.float_parameters.get("theta", 1.0)
    numbers = [(dict(match.parameters).get(name, math.nan), value) for name, value in parameters.items()]
    if case.level == "matrices":
        numbers.append((match.theta or 0.0, theta))
    else:
        if case.method not in (match.method, *match.also):
            return False
        if case.dt is not None:
            numbers.append(
                (match.theta_over_dt or 0.0, theta / case.dt) if match.measure in WINDOWED else (match.dt or 0, case.dt)
            )
    return all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in numbers)


def try_entry(entry: Entry, oracle: Oracle) -> Trial:
    """Identify one entry, told nothing but its level."""
    target, beside = entry.make(oracle), None
    if entry.kind == "defect":
        target = beside = _Beside(target, entry.case, oracle)
    asked = Case(entry.name, level=entry.case.level)
    try:
        found = identify(target, asked, oracle, spaced=False, closest=True)
    except TargetError as error:
        found = Identification(entry.case.level, note=error.message)
    said = found.matches[0].describe() if found.matches else found.near[0].describe() if found.near else found.note
    group = (entry.case.measure, entry.case.level)
    if entry.kind == "right":
        match = next((match for match in found.matches if _is(match, entry)), None)
        first = found.matches[0].measure if found.matches else ""
        alike = first == entry.case.measure or any({first, entry.case.measure} <= names for names in ALIASES)
        outcome = "recognised" if match is not None and alike else "missed" if match is None else "wrong"
        inside = (match.inside if match is not None else "", entry.inside)
        return Trial(entry.name, entry.kind, group, outcome, said, inside)
    if entry.kind == "other":
        return Trial(entry.name, entry.kind, ("other", entry.case.level), "wrong" if found.matches else "refused", said)
    defect = (entry.name.split(":")[0], entry.case.level)
    if beside is not None and beside.difference <= SHOWN:
        return Trial(entry.name, entry.kind, defect, "hidden", said)
    plain = next((match for match in found.matches if _plain(match, entry.case)), None)
    if plain is not None:
        told = plain.residual > SHOWN or plain.inside != "float64"
        return Trial(entry.name, entry.kind, defect, "marked" if told else "wrong", plain.summary())
    return Trial(entry.name, entry.kind, defect, "named" if found.matches else "refused", said)


def _work(oracle: Oracle | None, index: int) -> Trial:
    return try_entry(_CATALOGUE[index], oracle or process_oracle())


_CATALOGUE = catalogue()


@dataclass
class Recognition:
    """All trials.

    Attributes:
        trials: in the order of the catalogue.
    """

    trials: list[Trial] = field(default_factory=list)

    def count(self, kind: str, *outcomes: str) -> int:
        """How many trials of a kind had one of these outcomes; of any outcome if none is given."""
        return sum(t.kind == kind and (not outcomes or t.outcome in outcomes) for t in self.trials)

    @property
    def failures(self) -> list[Trial]:
        """Trials that did not end as they should."""
        return [trial for trial in self.trials if not trial.success]

    @property
    def inside(self) -> Counter[tuple[str, str]]:
        """(arithmetic there is, arithmetic told) -> how often, over what was recognised."""
        return Counter((t.inside[1], t.inside[0]) for t in self.trials if t.outcome == "recognised")

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "trials": len(self.trials),
            "right": self.count("right"),
            "recognised": self.count("right", "recognised"),
            "defects": self.count("defect") - self.count("defect", "hidden"),
            "defects_refused": self.count("defect", "refused"),
            "defects_named": self.count("defect", "named"),
            "defects_marked": self.count("defect", "marked"),
            "others": self.count("other"),
            "others_refused": self.count("other", "refused"),
            "failures": [{"name": t.name, "outcome": t.outcome, "said": t.said} for t in self.failures],
        }


def recognition(
    *,
    every: int = 1,
    oracle: Oracle | None = None,
    jobs: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Recognition:
    """Identify what is in the catalogue.

    Args:
        every: each n-th entry alone is tried.
        oracle: exact answers, for work in this process alone; default: kept in the user's cache folder.
        jobs: processes; the result does not depend on it.
        progress: called with a description, the number done and the number in all.
    """
    places = range(0, len(_CATALOGUE), every)
    found = Recognition()
    for done, trial in enumerate(mapped(partial(_work, oracle if jobs <= 1 else None), places, jobs), start=1):
        found.trials.append(trial)
        if progress is not None:
            progress(trial.name, done, len(places))
    return found
