"""What is wrong with answers, in words: a known defect, a known slip of writing, or the pattern of what fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from verify.boundary import Exact
from verify.bounds import GBT, gamma
from verify.candidates import NAMES, right_model
from verify.checks.base import Finding
from verify.defects import DEFECTS, Defect
from verify.diagnosis import EXPLAINED, Diagnosis
from verify.oracle import Oracle
from verify.result import LiveTarget, Target, TargetError
from verify.vectors.judge import Question
from verify.verdict import Status

Array = np.ndarray[Any, np.dtype[Any]]

LARGEST = 33
"""Orders up to which candidates are run: they are dense, and a defect shows at small orders already."""
CELLS = 12
"""Cells of kind, measure and rule that are looked into, the first ones in the order of the document."""


@dataclass(frozen=True)
class Judged:
    """A vector with its answer and finding; ``got`` is None where the answer has no usable form."""

    question: Question
    finding: Finding
    got: Exact | None

    @property
    def failed(self) -> bool:
        """Whether the answer is wrong beyond doubt."""
        return self.finding.status is Status.FAIL


def name_defects(judged: Sequence[Judged], oracle: Oracle, limit: int = 3) -> list[Diagnosis]:
    """Explanations of what failed, those that explain most vectors first; the last says where the failures are.

    A defect is named if, in a cell of kind, measure and rule, it reproduces the smallest and the largest failing order.
    """
    failed = [item for item in judged if item.failed]
    if not failed:
        return []
    cells: dict[tuple[str, str, str], list[Judged]] = defaultdict(list)
    for item in failed:
        case = item.question.case
        cells[case.level, case.measure, case.method].append(item)
    found: dict[str, Diagnosis] = {}
    weight: dict[str, int] = defaultdict(int)
    measures: dict[str, list[str]] = defaultdict(list)
    for (_, measure, _), members in list(cells.items())[:CELLS]:
        named = _name(members, list(found), oracle)
        if named is not None:
            weight[named.defect] += len(members)
            measures[named.defect].append(measure)
            found.setdefault(named.defect, named)
    ranked = sorted(found.values(), key=lambda item: (-weight[item.defect], item.share))[:limit]
    told = [
        replace(item, evidence=f"{item.evidence}, measures {', '.join(dict.fromkeys(measures[item.defect]))}")
        for item in ranked
    ]
    return [*told, _pattern(judged, failed, known=bool(ranked))]


def _name(members: Sequence[Judged], first: Iterable[str], oracle: Oracle) -> Diagnosis | None:
    """The explanation of one cell; defects that were found in other cells are tried first."""
    usable = sorted((item for item in members if item.got is not None), key=lambda item: item.question.case.order)
    if not usable:
        return None
    witnesses = [usable[0], usable[-1]] if len(usable) > 1 else usable
    for key, (text, evidence, alter) in SLIPS.items():
        if all(_slipped(item, alter) for item in witnesses):
            return Diagnosis(key, text, f"{evidence} (at {witnesses[0].question.record['id']})")
    small = [item for item in usable if item.question.case.order <= LARGEST and _known(item.question)]
    if not small:
        return None
    # The one whose answer is longest says most: a single state, or N = 1, fits many a defect.
    smallest, largest = (
        max(
            (item for item in small if item.question.case.order == order),
            key=lambda item: item.question.truth.high.size,
        )
        for order in (small[0].question.case.order, small[-1].question.case.order)
    )
    questions = [smallest] if smallest is largest else [smallest, largest]
    ordered = [*first, *(key for key in DEFECTS if key not in first)]
    best: Diagnosis | None = None
    for key in ordered:
        if key not in DEFECTS:
            continue
        defect = DEFECTS[key]
        shares = [unexplained(defect, item, oracle) for item in questions]
        worst = max((share for share in shares if share is not None), default=np.inf)
        if None in shares or worst > EXPLAINED or (best is not None and worst >= best.share):
            continue
        case = questions[-1].question.case
        evidence = f"{defect.evidence.format(measure=NAMES[case.measure])} (at {questions[-1].question.record['id']})"
        best = Diagnosis(key, defect.describe(case), evidence, worst)
        if key in first:
            break
    return best


def _known(question: Question) -> bool:
    """Whether defects are tried: named rules at even times, nodes for LegS alone. Else the pattern is told."""
    case = question.case
    stepping = case.level in ("scan", "step", "gradient")
    rules = (*GBT, "zoh", *(("trapezoid", "foh") if case.measure == "legs" else ()))
    named = case.measure in NAMES and (not stepping or case.method in rules)
    return named and case.level != "projection" and "timestamps" not in question.record


def arguments(question: Question) -> tuple[Any, ...]:
    """What a target is called with to answer a vector."""
    case, dtype = question.case, question.dtype
    samples = np.array(question.doubles("samples"), dtype=dtype)
    if case.level == "matrices":
        return (case.order,)
    if case.level == "step":
        return np.array(question.doubles("state"), dtype=dtype), float(samples[0]), int(question.record["index"])
    if case.level == "reconstruct":
        return np.array(question.doubles("state"), dtype=dtype), np.array(question.doubles("points"), dtype=dtype)
    return samples, case.order


def ask(target: Target, question: Question) -> Array:
    """The rows of a vector as a target of this process answers them.

    Raises:
        TargetError: it has no answer.
    """
    result = target.call(question.case, *arguments(question))
    if question.case.level == "matrices":
        whole = np.concatenate([result.arrays["A"], np.reshape(result.arrays["B"], (-1, 1))], axis=1)
        return whole[question.rows]
    if question.case.level == "step":
        return result.value[None]
    if question.case.level == "reconstruct":
        return result.value[question.rows, None]
    return (result.value.T if question.case.level == "gradient" else result.value)[question.rows]


def unexplained(defect: Defect, item: Judged, oracle: Oracle) -> float | None:
    """Distance of an answer to a defect over its distance to the truth; None if the defect does not apply."""
    question, got = item.question, item.got
    if got is None or not defect.applies(question.case):
        return None
    try:
        candidate = ask(defect.target(question.case, oracle), question)
        right = ask(LiveTarget(lambda asked: right_model(asked, oracle), bind=True), question)
    except (TargetError, IndexError):
        return None
    if candidate.shape != got.shape or right.shape != got.shape:
        return None
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(right), np.abs(candidate)) + 1e-9 * np.nanmax(np.abs(right), initial=0.0)
        size = np.where(size == 0, 1.0, size)
        both_nan = np.isnan(got.high) & np.isnan(candidate)
        left = np.where(both_nan, 0.0, np.abs(got.high - candidate) / size).max(initial=0.0)
        distance = np.where(np.isnan(got.high), np.inf, np.abs(got.high - right) / size).max(initial=0.0)
    if not np.isfinite(left) or not distance > gamma(8, question.dtype):
        return None
    return float(left / distance) if np.isfinite(distance) else float(left)


def _slipped(item: Judged, alter: Callable[[Array], Array]) -> bool:
    """Whether the altered truth is what was given, to every digit that it was given to, and the truth is not."""
    assert item.got is not None  # noqa: S101 -- the caller keeps those with an answer
    truth, given = item.question.truth.high, item.got.high
    with np.errstate(all="ignore"):
        altered = alter(truth)
        size = np.abs(truth).max(initial=0.0)
        return bool(np.all(np.abs(altered - given) <= 64 * np.finfo(float).eps * size) and np.any(altered != truth))


def _six_digits(values: Array) -> Array:
    return np.array([float(f"{x:.6g}") for x in values.ravel()]).reshape(values.shape)


def _six_places(values: Array) -> Array:
    return np.array([float(f"{x:.6f}") for x in values.ravel()]).reshape(values.shape)


SLIPS: Mapping[str, tuple[str, str, Callable[[Array], Array]]] = {
    "printed_short": (
        "the answers are printed with 6 significant digits; print 17, or hex floats (%a)",
        "the truth rounded to 6 significant digits agrees",
        _six_digits,
    ),
    "printed_places": (
        "the answers are printed with 6 decimal places; print 17 significant digits, or hex floats (%a)",
        "the truth rounded to 6 places agrees",
        _six_places,
    ),
    "column_major": (
        "the numbers are in column-major order; values are row by row",
        "the transposed order agrees",
        lambda values: values.T.reshape(values.shape),
    ),
    "rows_reversed": (
        "the rows are in reverse order",
        "reversing them agrees",
        lambda values: values[::-1],
    ),
}
"""Slips of writing, not of computing: key -> sentence, evidence, what becomes of the truth."""


def _facts(question: Question) -> list[str]:
    """What can be said of a vector, what tells most first; each ends a sentence such as "every one with ..."."""
    record, case = question.record, question.case
    rule = [f"rule {record['method']}"] if "method" in record else []
    flags = [f"flag {flag}" for flag in record.get("flags", ())]
    named = [f"kind {record['kind']}", f"measure {case.measure}"]
    return [*named, *rule, *flags, f"group {record['group']}", f"N = {case.order}"]


def _pattern(judged: Sequence[Judged], failed: Sequence[Judged], known: bool) -> Diagnosis:
    """The clause, or pair of clauses, that tells the vectors that fail from the others; and the first failure."""
    facts = [set(_facts(item.question)) for item in judged]
    common = set.intersection(*(fact for item, fact in zip(judged, facts, strict=True) if item.failed))
    shared = [fact for fact in _facts(failed[0].question) if fact in common]
    where = f"{len(failed)} of {len(judged)} judged vectors fail"
    best: tuple[float, int, tuple[str, ...]] | None = None
    for size in (1, 2):
        for clauses in combinations(shared, size):
            inside = sum(set(clauses) <= fact for fact in facts)
            # A longer description must tell more, and a cell that is the whole document tells nothing.
            if inside < len(judged) and (best is None or len(failed) / inside > best[0]):
                best = (len(failed) / inside, inside, clauses)
    if best is not None:
        share, inside, clauses = best
        named = " and ".join(clauses)
        where += f": every one with {named}, and no other" if share == 1 else f", all with {named} (of {inside} such)"
    item = min(failed, key=lambda item: (item.question.case.order, item.question.record["id"]))
    text = f"{where}; first {item.question.record['id']}: {item.finding.message}"
    return Diagnosis("pattern", text if known else f"no known cause: {text}", "", 1.0)
