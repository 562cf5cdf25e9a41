"""What is wrong, in words: a failing target is compared with known defects and known operators, most likely first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np

from verify.bounds import gamma
from verify.candidates import NAMES, halved, right_model, whole
from verify.case import LEVELS, Case
from verify.checks import CHECKS, QUICK
from verify.convention import Convention, identify
from verify.defects import DEFECTS, Defect
from verify.factor_causes import causes
from verify.factored import Factors, fitting
from verify.inputs import Batch, Input, Order, ReadOut, Resumption, TimedSignal, read_input
from verify.oracle import Oracle
from verify.result import LiveTarget, Result, Target, TargetError, Wrapped
from verify.strategies import corpus_readouts, corpus_signals, corpus_transitions
from verify.verdict import INTERFACE, Status, Verdict

Array = np.ndarray[Any, np.dtype[Any]]

EXPLAINED = 1e-3
"""A defect explains a failure if it leaves at most this share of the distance to the right answer."""
ALIKE = 1e-6
"""Shares below it differ by rounding alone: they rank no explanation before another."""
SMALL = 1e-3
"""Entries below this share of the largest are compared relative to that: they carry its rounding."""
PREFIX = 64
"""Samples on which most defects show already: a longer input is only tried on those that agree so far."""
WRONG, RIGHT = 5, 8
"""Calls with a wrong and with a right answer that a defect must explain."""
AGAIN = replace(QUICK, examples=0)
"""How a failing check is run once more, to see every call it makes."""
PROBE = 24
"""Samples of the signal that is asked beside what the check asks."""
REPEATS = 5
"""How often a question is put in a row to see how its answers differ."""

REPEATING = ("determinism", "side_effects")
"""Checks that compare a target with itself: what its answers should be, they do not know."""
LEFT_BEHIND = {
    "an earlier answer": "buffer_reused",
    "numpy's random state": "numpy_seeded",
    "numpy's handling of floating-point errors": "errors_silenced",
}
"""What the side_effects check found changed, and the defects that do it."""
SIDE_EFFECTS = {
    "the input": ("writing", "state_overwritten"),
    "other calls": ("largest_order_kept",),
    "every call": ("leaking",),
    "chance": ("dithered", "restless_factors"),
}
"""What the determinism check saw, and the defects that do it."""


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

    The failing checks are run once more, and what they ask is put to every known defect: one that gives the answers of
    the target, where these are right as well as where they are wrong, explains them.

    Args:
        target: the failing target.
        verdicts: all verdicts on it.
        oracle: exact answers.
        limit: largest number of explanations.
    """
    failing = [v for v in verdicts if v.status is Status.FAIL]
    found: list[Diagnosis] = []
    for level in LEVELS:
        at_level = [v for v in failing if v.case.level == level]
        if at_level:
            found.extend(_at_level(target, at_level, oracle))
    levels: dict[str, list[Diagnosis]] = {}
    for item in found:
        levels.setdefault(item.defect, []).append(item)
    # What explains the failures of more levels comes first; what is unknown comes last.
    unique = [min(same, key=lambda item: item.share) for same in levels.values()]
    ranks = {item.defect: (item.defect == "unknown", -len(levels[item.defect]), _rank(item.share)) for item in unique}
    return sorted(unique, key=lambda item: ranks[item.defect])[:limit]


def _rank(share: float) -> float:
    return 0.0 if share <= ALIKE else share


@dataclass(frozen=True)
class Answer:
    """What came back, ready to be compared.

    Attributes:
        form: shape of each array, or what is wrong with the answer's form; of factors, the number of modes.
        numbers: all entries in one row; of factors what they stand for, empty where they come without V.
        free: of factors, what does not change with V.
    """

    form: tuple[Any, ...]
    numbers: Array
    free: Array | None = None

    @classmethod
    def of(cls, result: Result, order: int | None = None) -> Answer:
        """Factors count by what they stand for, since their coordinates are free; those of ``order`` by all modes."""
        if result.malformed:
            return cls((result.malformed,), np.zeros(0))
        if fitting(result.arrays):
            given = Factors.of(result.arrays)
            factors = given.completed(len(given.Lambda) if order is None else order)
            # A mode and its conjugate are two of all modes, but one too many of one from each pair.
            form = (*factors.Lambda.shape, given.pairs_within if len(given.Lambda) < len(factors.Lambda) else 0)
            with np.errstate(all="ignore"):
                return cls(form, factors.stood_for(), factors.invariants())
        arrays = [np.asarray(array) for array in result.arrays.values()]
        form = tuple(array.shape for array in arrays)
        return cls(form, np.concatenate([np.asarray(array, dtype=complex).real.ravel() for array in arrays]))

    def distance(self, other: Answer) -> float:
        """Largest difference relative to the entries, so that B counts beside A and late states beside early ones."""
        one, two = self.numbers, other.numbers
        if self.free is not None and other.free is not None and not (one.size and two.size):
            one, two = self.free, other.free
        if self.form != other.form or one.shape != two.shape:
            return float("inf")
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(one), np.abs(two))
            size = np.maximum(size, SMALL * size[np.isfinite(size)].max(initial=0.0))
            difference = np.where(one == two, 0.0, np.abs(one - two) / np.where(size == 0, 1.0, size))
        difference = np.where(np.isnan(one) & np.isnan(two), 0.0, difference)
        return float(np.where(np.isnan(difference), np.inf, difference).max(initial=0.0))


class Sighting:
    """One question put to a target, and its answer.

    Args:
        case: what was asked for; a check may ask for another order, step or dtype than its own case has.
        arguments: of the call.
        result: what the target answered.
        oracle: exact operators.
    """

    def __init__(self, case: Case, arguments: tuple[Any, ...], result: Result, oracle: Oracle) -> None:
        self.case, self.arguments, self.result, self.oracle = case, arguments, result, oracle

    @property
    def size(self) -> int:
        """Numbers given."""
        return sum(value.size for value in self.arguments if isinstance(value, np.ndarray))

    @cached_property
    def got(self) -> Answer:
        """The answer of the target."""
        return Answer.of(self.result, self.case.order)

    @cached_property
    def right(self) -> Answer | None:
        """A right answer, in float arithmetic; None where even a right implementation has none."""
        return self.ask(LiveTarget(lambda asked: right_model(asked, self.oracle), bind=True))

    def ask(self, candidate: Target, arguments: tuple[Any, ...] | None = None) -> Answer | None:
        """The answer of another target to the same question."""
        try:
            asked = _fresh(self.arguments if arguments is None else arguments)
            return Answer.of(candidate.call(self.case, *asked), self.case.order)
        except TargetError:
            return None

    @property
    def noise(self) -> float:
        """Relative difference that rounding may leave between two right answers."""
        known = 64 * gamma(8 * self.case.order, self.case.dtype)
        # Single modes are known to the size of the operator over the gap to the next one, which N^2 is above.
        return known if self.got.free is None or self.got.numbers.size else known * self.case.order**2

    @property
    def halves(self) -> bool:
        """Whether factors hold one mode of each pair."""
        return "Lambda" in self.result.arrays and self.result.arrays["Lambda"].size <= (self.case.order + 1) // 2

    @cached_property
    def wrong(self) -> bool:
        """Whether the answer is not the right one."""
        return self.right is None or self.got.distance(self.right) > self.noise

    def share(self, candidate: Target) -> float | None:
        """Distance to a wrong candidate relative to that to the right answer; None if the target is not that candidate.

        0 where both are right: the question tells nothing against it.
        """
        if self.right is None or self._differs_early(candidate):
            return None
        other = self.ask(candidate)
        if other is None:
            return None
        left = self.got.distance(other)
        if not self.wrong:
            return 0.0 if left <= self.noise else None
        away = self.got.distance(self.right)
        return left if not np.isfinite(away) else left / away if np.isfinite(left) else None

    def _differs_early(self, candidate: Target) -> bool:
        """Whether the first samples of a long scan already tell the candidate from the target."""
        samples, order = self.arguments[0], self.case.order
        if self.case.level != "scan" or len(samples) <= 2 * PREFIX or self.got.form != ((len(samples), order),):
            return False
        short = self.ask(candidate, (samples[:PREFIX], order))
        if short is None or short.form != ((PREFIX, order),) or self.right is None:
            return True
        got, right = (Answer(short.form, answer.numbers[: PREFIX * order]) for answer in (self.got, self.right))
        return got.distance(short) > max(self.noise, EXPLAINED * got.distance(right))


class Recorder(Wrapped):
    """Keeps every call that is made of a target."""

    def __init__(self, target: Target, oracle: Oracle) -> None:
        super().__init__(target)
        self._oracle = oracle
        self.calls: list[Sighting] = []

    def call(self, case: Case, *arguments: Any) -> Result:
        """Ask, and keep question and answer."""
        kept = _fresh(arguments)
        result = self._target.call(case, *arguments)
        self.calls.append(Sighting(case, kept, result, self._oracle))
        return result


def _fresh(arguments: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(item.copy() if isinstance(item, np.ndarray) else item for item in arguments)


def _calls(verdict: Verdict, target: Target, oracle: Oracle) -> list[Sighting]:
    """What a failing check asks, and the input it failed on."""
    recorder = Recorder(target, oracle)
    kept = verdict.details.get("smallest") or verdict.worst or {}
    record = kept.get("input") if isinstance(kept, Mapping) else None
    item = read_input(verdict.case.level, record) if isinstance(record, Mapping) else None
    if item is not None:
        with suppress(TargetError):
            recorder.call(verdict.case, *item.arguments(verdict.case))
    if verdict.check in CHECKS:
        CHECKS[verdict.check].run(verdict.case, oracle, recorder, AGAIN)
    # A check ends at its first failure, perhaps at two samples, on which many defects look alike.
    for probe in _probes(verdict.case):
        with suppress(TargetError):
            recorder.call(verdict.case, *probe.arguments(verdict.case))
    return recorder.calls


def _probes(case: Case) -> Iterator[Input]:
    """Inputs that excite every coefficient, clock and sign, short enough to be asked of every defect."""
    length = max(PROBE, case.order + 8) if case.level != "gradient" else 12
    signals = {signal.name: signal for signal in corpus_signals(length, case.dtype)}
    wave, ramp = signals["wave"], signals["ramp"]
    if case.level in ("matrices", "factors"):
        yield Order()
    elif case.level == "step":
        yield from corpus_transitions(case.order, case.dtype)[:3]
    elif case.level in ("scan", "gradient"):
        yield wave
    elif case.level == "timed_scan":
        yield TimedSignal(wave.values, tuple(1 + k + (k % 3) / 4 for k in range(len(wave))), "wave, uneven")
    elif case.level == "batch_scan":
        yield Batch((wave.values, ramp.values, tuple(2.0 * v for v in wave.values[::-1])), "wave and ramp")
    elif case.level == "resume":
        state = corpus_transitions(case.order, case.dtype)[1].state
        yield Resumption(state, wave.values[:8], 5, "wave from sample 5")
    elif case.level == "reconstruct":
        falling = corpus_readouts(case.order, case.dtype)[2]
        yield ReadOut(falling.coefficients, tuple(y for y in falling.points if y > 0), falling.name)


def _telling(calls: Sequence[Sighting]) -> tuple[list[Sighting], list[Sighting]]:
    """A few calls with wrong and with right answers, from the shortest to the longest that is cheap to ask again."""
    wrong: list[Sighting] = []
    right: list[Sighting] = []
    for seen in sorted(calls, key=lambda seen: seen.size):
        if wrong and seen.size > 4 * PREFIX:
            break
        (wrong if seen.wrong else right).append(seen)
    return _spread(wrong, WRONG), _spread(right, RIGHT)


def _spread(calls: list[Sighting], most: int) -> list[Sighting]:
    """At most so many of them, evenly over the list, its ends among them."""
    places = np.linspace(0, len(calls) - 1, min(most, len(calls))).round().astype(int)
    return [calls[place] for place in dict.fromkeys(places.tolist())]


def _at_level(target: Target, verdicts: Sequence[Verdict], oracle: Oracle) -> list[Diagnosis]:
    """Explanations at one level: a defect must explain the smallest and the largest failing order."""
    places = {key: place for place, key in enumerate(CHECKS)}
    comparing = [v for v in verdicts if v.check not in REPEATING]
    ordered = sorted(comparing or verdicts, key=lambda v: (v.case.order, places.get(v.check, 0)))
    chosen = {v.case.order: v for v in reversed(ordered)}
    wrong: list[Sighting] = []
    right: list[Sighting] = []
    for order in sorted({min(chosen), max(chosen)}):
        some = _telling(_calls(chosen[order], target, oracle))
        wrong, right = wrong + some[0], right + some[1]
    effects = [v for v in verdicts if v.check == "determinism" and v.bound_source != INTERFACE]
    found = [_side_effect(effects[0], target, oracle)] if effects else []
    found.extend(_left_behind(v) for v in [v for v in verdicts if v.check == "side_effects"][:1])
    case = ordered[0].case
    for defect in DEFECTS.values():
        worst = _explained(defect, case, wrong, right)
        if worst is not None:
            evidence = defect.evidence.format(measure=NAMES[case.measure])
            found.append(Diagnosis(defect.key, defect.describe(case), f"{evidence} (N = {case.order})", worst))
    if case.level == "factors":
        # What stands in the numbers says more than that a candidate has the same ones.
        seen = {item.defect: item for item in _read_off(wrong, case)}
        found = sorted((seen.get(item.defect, item) for item in found), key=lambda item: item.defect not in seen)
        found = found or list(seen.values())
    if not found:
        found.extend(_other_operator(target, case, oracle))
    malformed = next((v for v in ordered if v.bound_source == INTERFACE), None)
    if not found and malformed is not None:
        return [Diagnosis("malformed", malformed.message, f"at {malformed.case.describe()}")]
    return found or [_pattern(ordered[0], wrong)]


def _explained(defect: Defect, case: Case, wrong: Sequence[Sighting], right: Sequence[Sighting]) -> float | None:
    """The largest share that a defect leaves of what is wrong; None if it is not the cause."""
    if not wrong or not defect.applies(case):
        return None
    handed = partial(halved, case.measure) if wrong[0].halves else whole
    candidate, largest = defect.target(case, wrong[0].oracle, handed), 0.0
    for seen in (*wrong, *right):
        share = seen.share(candidate)
        if share is None or share > EXPLAINED:
            return None
        largest = max(largest, share)
    return largest


def _as_given(result: Result) -> Array:
    """All numbers of an answer, those included that may be anything, such as the phases of factors."""
    parts = [np.asarray(part, dtype=complex).ravel() for part in result.arrays.values()]
    return np.concatenate([half for part in parts for half in (part.real, part.imag)] or [np.zeros(0)])


def _read_off(wrong: Sequence[Sighting], case: Case) -> Iterator[Diagnosis]:
    """What the factors show by themselves, at the smallest order at which they show anything."""
    for seen in sorted(wrong, key=lambda seen: seen.case.order):
        if seen.result.malformed or not fitting(seen.result.arrays):
            continue
        found = causes(seen.result.arrays, seen.case, seen.oracle)
        for cause in found:
            known = DEFECTS.get(cause.key)
            text = known.describe(case) if known is not None else cause.text
            yield Diagnosis(cause.key, text, f"{cause.evidence} (N = {seen.case.order})")
        if found:
            return


def _side_effect(verdict: Verdict, target: Target, oracle: Oracle) -> Diagnosis:
    """How equal calls come to differ: asked again and again, an answer drifts, jumps, or stays."""
    kind = "the input"
    if "wrote into" not in verdict.message:
        kind = "other calls"
        calls = _calls(verdict, target, oracle)
        for seen in sorted(calls, key=lambda seen: seen.size)[-1:]:
            try:
                rows = [_as_given(target.call(seen.case, *_fresh(seen.arguments))) for _ in range(REPEATS)]
            except TargetError:
                break
            # Along the answer itself: a drift keeps its direction, chance does not.
            size = max(float(np.abs(rows[0]).max(initial=0.0)), np.finfo(float).tiny)
            changes = [float((later - row) / size @ (row / size)) for row, later in pairwise(rows)]
            if any(changes):
                drift = min(changes) > 0 or max(changes) < 0
                # Phases that turn keep the size, so that even chance points inwards: there a drift cannot be told.
                kind = "every call" if drift and seen.case.level != "factors" else "chance"
    known = [DEFECTS[key] for key in SIDE_EFFECTS[kind] if DEFECTS[key].applies(verdict.case)]
    if not known:
        return Diagnosis("nondeterministic", "the same question gets different answers", verdict.message)
    return Diagnosis(known[0].key, known[0].describe(verdict.case), verdict.message)


def _left_behind(verdict: Verdict) -> Diagnosis:
    """What repeated calls change beside answering."""
    left = (verdict.worst or {}).get("left", [])
    known = [key for name, key in LEFT_BEHIND.items() if name in left]
    if len(known) == len(left) == 1:
        return Diagnosis(known[0], DEFECTS[known[0]].describe(verdict.case), verdict.message)
    return Diagnosis("side_effects", verdict.message, f"watched calls show it, at {verdict.case.describe()}")


def _other_operator(target: Target, case: Case, oracle: Oracle) -> Iterator[Diagnosis]:
    """The target may be a right operator, but another one than asked for."""
    if case.level not in ("matrices", "step", "scan"):
        return
    try:
        matches: tuple[Convention, ...] = identify(target, case, oracle, methods=(case.method,)).matches
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


def _pattern(verdict: Verdict, wrong: Sequence[Sighting]) -> Diagnosis:
    """No known cause: the first wrong entry, its exact value, and how the rest looks."""
    where = f"at {verdict.case.describe()}"
    seen = next((seen for seen in wrong if not seen.result.malformed and seen.right is not None), None)
    if seen is None or seen.case.level == "factors":  # the entries of factors are free: they say nothing one by one
        return Diagnosis("unknown", verdict.message, where, 1.0)
    right = LiveTarget(lambda asked: right_model(asked, seen.oracle), bind=True).call(
        seen.case, *_fresh(seen.arguments)
    )
    texts: list[str] = []
    for name, expected in right.arrays.items():
        got = seen.result.arrays[name]
        if got.shape != expected.shape:
            return Diagnosis("malformed", f"{name} has shape {got.shape}, expected {expected.shape}", where)
        texts.extend(_entries(name, got, expected, seen.noise))
    text = "; ".join(texts) or verdict.message
    return Diagnosis("unknown", f"no known cause: {text}", where, 1.0)


def _entries(name: str, got: Array, expected: Array, noise: float) -> Iterator[str]:
    """What is wrong with an array, as a sentence; nothing if it is right."""
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(expected), 1e-6 * np.abs(expected).max(initial=0.0))
        error = np.where(np.isnan(got), np.inf, np.abs(got - expected))
        # Beside a large error, what rounding has added up to over a long input is not worth a word.
        wrong = error > np.maximum(noise * size, SMALL * error[np.isfinite(error)].max(initial=0.0))
        ratios = (got / expected)[wrong & (expected != 0)]
        differences = (got - expected)[wrong]
    if not wrong.any():
        return
    places = np.argwhere(wrong)
    first = tuple(int(i) for i in places[0])
    label = "answer" if name == "value" else name
    text = f"{label}{list(first)} is {got[first]:.12g}, expected {expected[first]:.12g}; "
    text += f"{int(wrong.sum())} of {wrong.size} entries are wrong"
    if wrong.ndim == 2:
        for axis, word in ((0, "rows"), (1, "columns")):
            lines = sorted({int(place[axis]) for place in places})
            if len(lines) < wrong.shape[axis]:
                text += f", in {word} {', '.join(map(str, lines[:6]))}{', ...' if len(lines) > 6 else ''}"
    if not np.isfinite(got[wrong]).all():
        text += f", {int((~np.isfinite(got[wrong])).sum())} of them not finite"
    elif not got[wrong].any():
        text += ", each of them is 0"
    elif len(ratios) == wrong.sum() > 1 and np.ptp(ratios) <= 1e-6 * abs(ratios[0]):
        text += f", each {ratios[0]:.9g} times the exact one"
    elif len(differences) > 1 and np.ptp(differences) <= 1e-6 * abs(differences[0]):
        text += f", each off by {differences[0]:.9g}"
    yield text
