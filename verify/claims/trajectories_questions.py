"""What is asked of the runs on trajectories: what each cell keeps, or loses, and by how much LegS lies above others.

Questions are about the worst of several cases ("each of these cells, at half and at double the rate"). The answer is
yes where all cases say so, so that the case that is least sure decides, at its own p-value; it is no where one case
says so, found among all, whose p-value is therefore multiplied by their number. A cell that learnt too little to lose
what is asked about decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from verify.claims import search, statistics
from verify.claims.base import Result
from verify.claims.statistics import Comparison, Values
from verify.claims.trajectories_data import ARMS, TRAINED, Arm
from verify.claims.trajectories_scores import Scores, difference

SOURCE: Final = "HiPPO (2008.07669), section 4.2: CharacterTrajectories"
ABSTRACT: Final = (
    "HiPPO (2008.07669), abstract: LegS outperforms RNN and neural ODE baselines by 25-40 % on trajectories under "
    "timescale shift and missing data"
)
KEPT: Final = 0.05
LOST: Final = 0.25
KEPT_SOURCE: Final = "ours: a fifth of the 25 points by which the abstract puts LegS above others"
LOST_SOURCE: Final = (
    "ours: the lower end of the 25-40 % by which the abstract puts LegS above them; it does not say what they lose, "
    "and that they lose as much is this project's wording"
)
LEGS, FIGURE = "legs", "legs_figure"
RIVALS: Final = ("lmu", "rnn", "lstm", "gru_d", "ode_rnn", "ncde")
"""The baselines: LegS is to be above each of them, and each is asked what it loses itself."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """What changes between learning and testing.

    Attributes:
        key: stable.
        arm: how cells learnt.
        tests: names of its tests.
        words: as in "LegS keeps its accuracy ...".
        source: of the experiment.
        abstract: whether the abstract's 25-40 % are about it.
    """

    key: str
    arm: Arm
    tests: tuple[str, ...]
    words: str
    source: str = SOURCE
    abstract: bool = True


SHIFTS: Final = (
    Shift(key="rate", arm=ARMS[0], tests=("half rate", "double rate"), words="at half and at double the sampling rate"),
    Shift(
        key="times",
        arm=ARMS[1],
        tests=("times halved", "times doubled"),
        words="with samples missing and all times halved or doubled",
    ),
    Shift(
        key="gaps",
        arm=ARMS[1],
        tests=("50 % missing",),
        words="with half of the samples missing",
        source=f"{SOURCE}; half of the samples: ours",
        abstract=False,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Question:
    """One statement that is decided among the others of the claim.

    Attributes:
        text: it.
        quantity: what is compared, in words.
        source: paper and section.
        bound_source: where the margin comes from.
        cases: the comparisons, all of which it is about.
        remark: what its message has to say beside them.
    """

    text: str
    quantity: str
    source: str
    bound_source: str
    cases: Mapping[str, Comparison]
    remark: str = ""

    def comparison(self) -> Comparison:
        """The one that decides."""
        return weakest(self.cases)


def weakest(cases: Mapping[str, Comparison]) -> Comparison:
    """The case that decides whether all of them lie above the margin; see the module."""
    known = list(cases.values())
    unknown = [one for one in known if one.problem]
    below = [one for one in known if one.difference is not None and not one.problem and one.difference <= one.margin]
    if below:
        first = min(below, key=lambda one: one.p)
        failing = replace(first, p=min(1.0, len(known) * first.p))
        # One case that surely lies below decides, whatever is unknown of others.
        if not unknown or failing.p <= 1 - statistics.LEVEL:
            return failing
    if unknown:
        return unknown[0]
    return max(known, key=lambda one: one.p)


def with_something_to_lose(
    title: str, trained: Values, count: int | None, classes: int, loss: Comparison
) -> Comparison:
    """The comparison, which says nothing where as trained too little lies above chance for its margin to be lost.

    Args:
        title: of what was measured.
        trained: accuracy as trained, by seed.
        count: of how many answers; None: each seed has items of its own.
        classes: of the task.
        loss: accuracy as trained against accuracy under a shift, either way round.
    """
    found, chance = statistics.estimate(trained, count=count), 1 / classes
    upper = found.mean if found.high is None else found.high
    points = abs(loss.margin)
    if loss.problem or found.mean is None or upper is None or upper - chance >= points:
        return loss
    problem = (
        f"{title} is right in {100 * found.mean:.3g} % as trained, chance in {100 * chance:.3g} %: it has no "
        f"{100 * points:.3g} points to lose"
    )
    return replace(loss, p=1.0, problem=problem)


def questions(shift: Shift, scores: Scores, titles: Mapping[str, str], classes: int) -> list[Question]:
    """Of the cells, what a shift does to them."""
    arm = shift.arm.key

    def lost(key: str, margin: float, sign: int) -> dict[str, Comparison]:
        """What a cell loses (sign 1), or gains (-1), by each test of the shift."""
        score = scores[arm, key]
        pair = [(test, (TRAINED, test) if sign == 1 else (test, TRAINED)) for test in shift.tests]
        return {
            f"{titles[key]}, {test}": with_something_to_lose(
                titles[key],
                score.values(TRAINED),
                score.count(TRAINED),
                classes,
                difference(score, a, score, b, margin),
            )
            for test, (a, b) in pair
        }

    def above(keys: Sequence[str], margin: float) -> dict[str, Comparison]:
        legs = scores[arm, LEGS]
        return {
            f"{titles[key]}, {test}": difference(legs, test, scores[arm, key], test, margin)
            for key in keys
            for test in shift.tests
        }

    def remark(*keys: str) -> str:
        """Of which cells a better learning rate may lie beyond those tried."""
        found = {key: scores[arm, key] for key in keys}
        return search.edges({titles[key]: one.rate for key, one in found.items()}, tuple(found[keys[0]].search))

    names = ", ".join(titles[key] for key in RIVALS)
    learnt = shift.arm.title
    found = [
        Question(
            text=f"{titles[key]} loses at most 5 points {shift.words} ({learnt}).",
            quantity="accuracy when tested so, less that when tested as trained, the worst case",
            source=shift.source,
            bound_source=KEPT_SOURCE,
            cases=lost(key, -KEPT, -1),
            remark=remark(key),
        )
        for key in (LEGS, FIGURE)
        if (arm, key) in scores
    ]
    others = [key for key in titles if key not in (LEGS, FIGURE) and (arm, key) in scores]
    if shift.abstract:
        found.append(
            Question(
                text=f"Each of {names} loses at least 25 points {shift.words} ({learnt}).",
                quantity="accuracy when tested as trained, less that when tested so, the least of all cells and cases",
                source=shift.source,
                bound_source=LOST_SOURCE,
                cases={name: one for key in RIVALS for name, one in lost(key, LOST, 1).items()},
                remark=remark(*RIVALS),
            )
        )
    found.append(
        Question(
            text=f"{titles[LEGS]} is above every other kind of cell {shift.words} ({learnt}).",
            quantity="accuracy of LegS, less that of another cell, the least of all cells and cases",
            source=shift.source,
            bound_source="one cell above another: a difference above 0",
            cases=above(others, 0.0),
            remark=remark(LEGS, *others),
        )
    )
    if shift.abstract:
        found.append(
            Question(
                text=f"{titles[LEGS]} is above each of {names} by at least 25 points {shift.words} ({learnt}).",
                quantity="accuracy of LegS, less that of another cell, the least of these cells and cases",
                source=ABSTRACT,
                bound_source="the lower end of the paper's 25-40 %",
                cases=above(RIVALS, LOST),
                remark=remark(LEGS, *RIVALS),
            )
        )
    return found


def memory_questions(memories: Mapping[int, Result | None], classes: int) -> list[Question]:
    """The same of memories that learn nothing; none where they were not measured."""
    if not memories:
        return []

    def cases(key: str, margin: float, sign: int) -> dict[str, Comparison]:
        whole = all(memories.values())
        title = {"legs": "LegS", "lmu": "LMU"}[key]
        trained = {seed: one["nearest"][key]["trained"] for seed, one in memories.items() if one is not None}
        found = {}
        for name in ("half", "double"):
            drops = {
                seed: sign * (one["nearest"][key]["trained"] - one["nearest"][key][name])
                for seed, one in memories.items()
                if one is not None
            }
            # Each seed draws trajectories of its own: their spread is in the spread over seeds.
            one_rate = statistics.compare(drops if whole else {}, margin=margin)
            found[f"{name} rate"] = with_something_to_lose(title, trained, None, classes, one_rate)
        return found

    quantity = "share of trajectories whose nearest known memory is of their class"
    return [
        Question(
            text="A LegS memory without any training, asked for the nearest one known, loses at most 5 points of "
            "accuracy at half and at double the sampling rate, which it is not told.",
            quantity=f"{quantity}, at another rate less that at the trained one, the worst case",
            source="HiPPO (2008.07669), section 3, proposition 3",
            bound_source=KEPT_SOURCE,
            cases=cases("legs", -KEPT, -1),
        ),
        Question(
            text="An LMU memory without any training, asked in the same way, loses at least 25 points at both rates.",
            quantity=f"{quantity}, at the trained rate less that at another, the least case",
            source=f"{SOURCE}; memories without training: ours",
            bound_source=LOST_SOURCE,
            cases=cases("lmu", LOST, 1),
        ),
    ]
