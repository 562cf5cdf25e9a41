"""What is wrong, in words: a failing target is compared with known defects and known operators, most likely first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verify.bounds import gamma
from verify.candidates import NAMES, right_model
from verify.case import Case
from verify.convention import Convention, identify
from verify.defects import DEFECTS, Defect
from verify.oracle import Oracle
from verify.result import LiveTarget, Result, Target, TargetError
from verify.verdict import INTERFACE, Status, Verdict

Array = np.ndarray[Any, np.dtype[Any]]

EXPLAINED = 1e-3
"""A defect explains a failure if it leaves at most this share of the distance to the right answer."""


@dataclass(frozen=True)
class Diagnosis:
    """One explanation.

    Attributes:
        defect: stable key.
        text: what is wrong, as a sentence.
        evidence: why we say so.
        share: part of the difference that it leaves unexplained.
    """

    defect: str
    text: str
    evidence: str
    share: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The record of the contract, with the unexplained share."""
        return {"defect": self.defect, "text": self.text, "evidence": self.evidence, "unexplained": self.share}


def diagnose(target: Target, verdicts: Sequence[Verdict], oracle: Oracle, limit: int = 3) -> list[Diagnosis]:
    """Explanations of failing verdicts, most likely first.

    Args:
        target: the failing target, asked again on the inputs on which it failed.
        verdicts: all verdicts on it.
        oracle: exact answers.
        limit: largest number of explanations.
    """
    failing = [v for v in verdicts if v.status is Status.FAIL and v.check != "determinism"]
    found: list[Diagnosis] = []
    for level in ("matrices", "step", "scan", "reconstruct", "gradient"):
        at_level = [v for v in failing if v.case.level == level]
        if at_level:
            found.extend(_at_level(target, at_level, oracle))
    for verdict in verdicts:
        if verdict.status is Status.FAIL and verdict.check == "determinism" and verdict.bound_source != INTERFACE:
            key = "writing" if "wrote into" in verdict.message else "leaking"
            found.append(Diagnosis(key, DEFECTS[key].text, verdict.message))
            break
    unique = {item.defect: item for item in reversed(found)}
    return sorted(unique.values(), key=lambda item: (item.share, item.defect.startswith("unknown")))[:limit]


def _at_level(target: Target, verdicts: Sequence[Verdict], oracle: Oracle) -> list[Diagnosis]:
    """Explanations at one level; a defect must explain the smallest and the largest failing order alike."""
    ordered = sorted(verdicts, key=lambda v: (v.case.order, v.check != v.case.level))
    questions = []
    for verdict in {v.case.order: v for v in reversed(ordered)}.values():
        question = _question(verdict)
        if question is not None:
            questions.append((verdict.case, question))
    questions = [questions[-1], questions[0]] if len(questions) > 1 else questions
    malformed = next((v for v in ordered if v.bound_source == INTERFACE), None)
    if malformed is not None:
        return [Diagnosis("malformed", malformed.message, f"at {malformed.case.describe()}")]
    answers = []
    for case, question in questions:
        try:
            answers.append((case, question, target.call(case, *_fresh(question))))
        except TargetError:
            continue
    if not answers:
        return []
    found = []
    for defect in DEFECTS.values():
        shares = [_share(defect, case, question, answer, oracle) for case, question, answer in answers]
        if all(share is not None and share <= EXPLAINED for share in shares):
            case = answers[0][0]
            worst = max(share for share in shares if share is not None)
            evidence = defect.evidence.format(measure=NAMES[case.measure])
            found.append(Diagnosis(defect.key, defect.describe(case), f"{evidence} (N = {case.order})", worst))
    if not found:
        found.extend(_other_operator(target, answers[0][0], oracle))
    return found or [_pattern(ordered[0], answers[0], oracle)]


def _question(verdict: Verdict) -> tuple[Any, ...] | None:
    """The arguments of the failing call, from the worst input that the verdict kept."""
    case = verdict.case
    if case.level == "matrices":
        return (case.order,)
    kept = verdict.details.get("smallest") or verdict.worst or {}
    record = kept.get("input", {}) if isinstance(kept, Mapping) else {}
    if "state" in record:
        state = np.array([float.fromhex(x) for x in record["state"]], dtype=case.dtype)
        return state, float.fromhex(record["sample"]), int(record["index"])
    if "samples" in record:
        samples = np.array([float.fromhex(x) for x in record["samples"]], dtype=case.dtype)
        return (np.concatenate([samples, np.zeros(max(12 - len(samples), 0), samples.dtype)]), case.order)
    if "coefficients" in record:
        arrays = [
            np.array([float.fromhex(x) for x in record[name]], dtype=case.dtype) for name in ("coefficients", "points")
        ]
        return tuple(arrays)
    if case.level in ("scan", "gradient"):
        return (np.array([(i * 5 % 7 - 3) / 4 for i in range(16)], dtype=case.dtype), case.order)
    return None


def _fresh(question: Sequence[Any]) -> list[Any]:
    return [item.copy() if isinstance(item, np.ndarray) else item for item in question]


def _flat(result: Result) -> Array | None:
    """Both parts of a system relative to their size, or the single array; None if it has no usable form."""
    if result.malformed:
        return None
    parts = [np.asarray(array, dtype=float) for array in result.arrays.values()]
    return np.concatenate([part.ravel() for part in parts])


def _share(defect: Defect, case: Case, question: Sequence[Any], answer: Result, oracle: Oracle) -> float | None:
    """Distance of the answer to the defect, relative to its distance to the right answer; None if it does not apply."""
    if not defect.applies(case):
        return None
    got = _flat(answer)
    right = LiveTarget(lambda asked: right_model(asked, oracle), bind=True)
    try:
        expected, candidate = (
            _flat(right.call(case, *_fresh(question))),
            _flat(defect.target(case, oracle).call(case, *_fresh(question))),
        )
    except TargetError:
        return None
    if got is None or expected is None or candidate is None or not got.shape == expected.shape == candidate.shape:
        return None
    both_nan = np.isnan(got) & np.isnan(candidate)
    with np.errstate(all="ignore"):
        # Relative to the larger of the two, so that B counts beside A and late states beside early ones.
        size = np.maximum(np.abs(expected), np.abs(candidate)) + 1e-9 * np.nanmax(np.abs(expected), initial=0.0)
        size = np.where(size == 0, 1.0, size)
        left = np.where(both_nan, 0.0, np.abs(got - candidate) / size)
        distance = np.where(np.isnan(got), np.inf, np.abs(got - expected) / size)
    if not np.isfinite(left).all() or not distance.max(initial=0.0) > gamma(8, case.dtype):
        return None
    return float(min(left.max() / distance.max(), 1e300)) if np.isfinite(distance.max()) else float(left.max())


def _other_operator(target: Target, case: Case, oracle: Oracle) -> Iterator[Diagnosis]:
    """The target may be a right operator, but another one than asked for."""
    if case.level not in ("matrices", "step", "scan"):
        return
    try:
        matches: list[Convention] = identify(target, case, oracle)
    except TargetError:
        return
    for match in matches[:1]:
        same = match.measure == case.measure and dict(match.parameters) == {
            name: value for name, value in case.float_parameters.items() if name != "theta"
        }
        if same and match.trivial and match.theta == case.float_parameters.get("theta", 1.0):
            return  # the operator asked for, up to an error: the pattern of that error says more
        asked = f"{NAMES[case.measure]}{_listing(dict(case.parameters))}"
        yield Diagnosis(
            "other_operator",
            f"this is {match.describe()}; asked for was {asked}",
            f"equal to that operator up to {match.residual:.2g}; check with --convention auto or name the measure",
        )


def _listing(parameters: Mapping[str, str]) -> str:
    return f" ({', '.join(f'{name} = {value}' for name, value in parameters.items())})" if parameters else ""


def _pattern(verdict: Verdict, answer: tuple[Case, Sequence[Any], Result], oracle: Oracle) -> Diagnosis:
    """No known cause: the first wrong entry and how the rest looks."""
    case, _, result = answer
    if case.level != "matrices" or result.malformed:
        return Diagnosis("unknown", verdict.message, f"at {verdict.case.describe()}", 1.0)
    A, B = oracle.system(case)
    texts = []
    for name, exact in (("B", B), ("A", A)):
        got = result.arrays[name]
        if got.shape != exact.shape:
            return Diagnosis("malformed", f"{name} has shape {got.shape}, expected {exact.shape}", "")
        wrong = np.abs(exact.error(got)) > gamma(64, case.dtype) * np.maximum(np.abs(exact.high), 1e-300)
        if wrong.any():
            first = tuple(int(i) for i in np.argwhere(wrong)[0])
            rows = sorted({int(i[0]) for i in np.argwhere(wrong)})
            shown = ", ".join(map(str, rows[:6])) + (", ..." if len(rows) > 6 else "")
            texts.append(
                f"{name}{list(first)} is {got[first]:.12g}, expected {exact.high[first]:.12g}; "
                f"{int(wrong.sum())} of {wrong.size} entries are wrong, in rows {shown}"
            )
    text = "; ".join(texts) or verdict.message
    return Diagnosis("unknown", f"no known cause: {text}", f"at {replace(case).describe()}", 1.0)
