"""Side effects: a call leaves behind its answer and nothing else, and the answers before it stay as they were given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from verify.case import LEVELS, Case
from verify.checks.base import Check, Finding, Record, Suite, Unoffered
from verify.checks.repeat_base import LARGEST_DOUBLED, questions
from verify.defects import Defect, pick
from verify.global_state import COUNTS, SETTINGS, STIRRED
from verify.inputs import Input
from verify.oracle import Oracle
from verify.result import Result, Target, TargetError
from verify.verdict import Status

WARMED, WATCHED = 2, 7
"""Rounds of both questions before any is watched, for what is loaded when it is first needed; calls watched then."""
REPEATED = 2
"""Watched calls that must show a change: what happens once may still be the loading of something."""
NOTHING = "nothing: a call may change its answer's memory alone, and that only until it is given"
LOOKED_AT = len(SETTINGS) + len(STIRRED) + len(COUNTS)


class SideEffects(Check):
    """What repeated calls, watched closely, change beside answering."""

    key = "side_effects"
    claim = "a repeated call changes no global state of its process, leaves nothing open, and keeps earlier answers"
    levels = LEVELS
    beside = True

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Two questions in turn, first to let the target load what it needs, then with an eye on all that changes."""
        if not target.watchable:
            raise Unoffered("the target is another program: what its calls change in their process is not seen")
        asked = self._asked(case, target)
        for _ in range(WARMED):
            for there, item in asked:
                target.call(there, *item.arguments(there))
        with target.watched():
            results = []
            for turn in range(WATCHED):
                there, item = asked[turn % len(asked)]
                results.append(target.call(there, *item.arguments(there)))
        place = {"input": asked[0][1].to_json()}
        record.add(_earlier(results, place))
        record.add(_state(results, place))

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Answers in memory that is used again, a seed set and errors silenced for everybody."""
        reused = () if case.level == "gradient" else ("buffer_reused",)
        return pick(case, *reused, "numpy_seeded", "errors_silenced")

    def _asked(self, case: Case, target: Target) -> list[tuple[Case, Input]]:
        """Two questions with different answers. Where the order alone is asked for, twice the order is the other."""
        found = [(case, item) for item in questions(case)][-2:]
        doubled = replace(case, order=2 * case.order)
        if case.level not in ("matrices", "factors") or case.order > LARGEST_DOUBLED:
            return found
        target.call(case, *found[0][1].arguments(case))  # where this has no answer, nothing else is asked
        if target.why_not(doubled) is not None:
            return found
        item = next(questions(doubled))
        try:
            target.call(doubled, *item.arguments(doubled))
        except TargetError:
            return found  # a target need not have it
        return [found[0], (doubled, item)]


def _earlier(results: Sequence[Result], place: dict[str, Any]) -> Finding:
    changed = sum(result.earlier_changed for result in results)
    compared = sum(part.size for result in results for part in result.arrays.values())
    if not changed:
        return Finding(Status.PASS, 0.0, 0.0, 0.0, max(compared, 1), place, "", NOTHING)
    message = (
        "an answer given earlier changed when the next one was asked for: the target hands out memory that it uses "
        "again; it must hand out a copy"
    )
    worst = {**place, "what": "an earlier answer", "left": ["an earlier answer"]}
    return Finding(Status.FAIL, float(changed), 0.0, float("inf"), max(compared, 1), worst, message, NOTHING)


def _state(results: Sequence[Result], place: dict[str, Any]) -> Finding:
    times = Counter(name for result in results for name in result.state_changed)
    left = [name for name, seen in times.items() if seen >= REPEATED]
    compared = LOOKED_AT * len(results)
    if not left:
        return Finding(Status.PASS, 0.0, 0.0, 0.0, compared, place, "", NOTHING)
    message = f"a call changes more than its answer: {', '.join(left)}; whoever calls it must find that as it was"
    worst = {**place, "what": "the process", "left": left}
    return Finding(Status.FAIL, float(len(left)), 0.0, float("inf"), compared, worst, message, NOTHING)
