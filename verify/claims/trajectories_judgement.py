"""What the runs on trajectories say: accuracy under every reading, what it loses, and whether the paper's claim holds.

Statements are about the worst of several cases ("each of these cells, at half and at double the rate"). Such a one
holds where all cases do, so that the case that is least sure decides, at its own p-value; it fails where one case
does, found among all, whose p-value is therefore multiplied by their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from verify.claims import statistics
from verify.claims.base import Outcome, Result, Scale, Standing, Statement
from verify.claims.statistics import Comparison
from verify.claims.trajectories_data import ARMS, TRAINED, Arm
from verify.claims.trajectories_scores import Entrant, Scores, difference
from verify.claims.trajectories_tables import figures, tables

SOURCE: Final = "HiPPO (2008.07669), section 4.2: CharacterTrajectories"
ABSTRACT: Final = (
    "HiPPO (2008.07669), abstract: LegS outperforms RNN and neural ODE baselines by 25-40 % on trajectories under "
    "timescale shift and missing data"
)
KEPT: Final = 0.05
LOST: Final = 0.25
LEGS, FIGURE = "legs", "legs_figure"
RIVALS: Final = ("lmu", "rnn", "lstm", "gru_d", "ode_rnn", "ncde")
"""The cells that are said to lose."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """What changes between learning and testing.

    Attributes:
        key: stable.
        arm: how cells learnt.
        tests: names of its tests.
        words: as in "LegS keeps its accuracy ...".
    """

    key: str
    arm: Arm
    tests: tuple[str, ...]
    words: str


SHIFTS: Final = (
    Shift(key="rate", arm=ARMS[0], tests=("half rate", "double rate"), words="at half and at double the sampling rate"),
    Shift(
        key="times",
        arm=ARMS[1],
        tests=("times halved", "times doubled"),
        words="with samples missing and all times halved or doubled",
    ),
    Shift(key="gaps", arm=ARMS[1], tests=("50 % missing",), words="with half of the samples missing"),
)


@dataclass(frozen=True, kw_only=True)
class _Question:
    """One statement that is decided among the others of the claim."""

    text: str
    quantity: str
    source: str
    bound_source: str
    cases: Mapping[str, Comparison]

    def comparison(self) -> Comparison:
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


def outcome(
    scale: Scale,
    description: str,
    entrants: Sequence[Entrant],
    scores: Scores,
    memories: Mapping[int, Result | None],
    *,
    writers: bool,
) -> Outcome:
    """All that is said.

    Args:
        scale: nothing is decided at `Scale.SMOKE`.
        description: data, sizes and budget, in words.
        entrants: the cells.
        scores: of each arm and cell.
        memories: of `trajectories_memory.measure`, by seed; empty for recordings.
        writers: whether an unseen writer is tested.
    """
    titles = {entrant.key: entrant.title for entrant in entrants}
    questions = [question for shift in SHIFTS for question in _questions(shift, scores, titles)]
    questions += _memory_questions(memories)
    decisions = statistics.decide({one.text: one.comparison() for one in questions})
    statements = [_decided(one, decisions[one.text], description) for one in questions]
    statements += _certain(memories)
    if scale is Scale.SMOKE:
        statements = [_unjudged(one) for one in statements]
    return Outcome(
        statements=tuple(statements),
        tables=tables(entrants, scores, memories, description, writers=writers),
        figures=tuple(figures(entrants, scores)),
        notes=(
            f"Measured: {description}.",
            "The paper's own numbers by cell are not cited: its table was not at hand. Its abstract states 25 to 40 "
            "points between LegS and RNN and neural ODE baselines; the protocol is that of the released code: 100 and "
            "200 Hz, no times told (rate unknown); times told and multiplied by 2 or 1/2 (missing values).",
            "HiPPO-LegS is run in two wirings. In the paper's figure 2 the hidden state feeds itself, and what it does "
            "depends on how often it is called; in the code that was released to reproduce the experiments it reaches "
            "itself through the memory and a gate alone. Where times are told, LegS reads ratios of times alone.",
            "A cell that learnt little has little to lose: the accuracy as trained stands beside. Time is a channel of "
            "the NCDE's path, and ODE-RNN flows through it: the columns of rates that are told show these cells with "
            "the times that they are made for.",
            "All cells have the same size of hidden state, number of epochs and learning rates to choose from; they "
            "differ in parameters and in time. A cell that reads times gets them as its times, any other as one more "
            "channel, as in the released code.",
        ),
    )


def _questions(shift: Shift, scores: Scores, titles: Mapping[str, str]) -> list[_Question]:
    arm = shift.arm.key

    def lost(key: str, margin: float, sign: int) -> dict[str, Comparison]:
        """What a cell loses (sign 1), or gains (-1), by each test of the shift."""
        score = scores[arm, key]
        pair = [(test, (TRAINED, test) if sign == 1 else (test, TRAINED)) for test in shift.tests]
        return {f"{titles[key]}, {test}": difference(score, a, score, b, margin) for test, (a, b) in pair}

    def above(keys: Sequence[str], margin: float) -> dict[str, Comparison]:
        legs = scores[arm, LEGS]
        return {
            f"{titles[key]}, {test}": difference(legs, test, scores[arm, key], test, margin)
            for key in keys
            for test in shift.tests
        }

    names = ", ".join(titles[key] for key in RIVALS)
    learnt = shift.arm.title
    kept_source = "ours: a fifth of the 25 points that the others are said to lose"
    found = [
        _Question(
            text=f"{titles[key]} loses at most 5 points {shift.words} ({learnt}).",
            quantity="accuracy when tested so, less that when tested as trained, the worst case",
            source=SOURCE,
            bound_source=kept_source,
            cases=lost(key, -KEPT, -1),
        )
        for key in (LEGS, FIGURE)
        if (arm, key) in scores
    ]
    others = [key for key in titles if key not in (LEGS, FIGURE) and (arm, key) in scores]
    found.append(
        _Question(
            text=f"Each of {names} loses at least 25 points {shift.words} ({learnt}).",
            quantity="accuracy when tested as trained, less that when tested so, the least of all cells and cases",
            source=ABSTRACT,
            bound_source="the lower end of the paper's 25-40 %",
            cases={name: one for key in RIVALS for name, one in lost(key, LOST, 1).items()},
        )
    )
    found.append(
        _Question(
            text=f"{titles[LEGS]} is above every other kind of cell {shift.words} ({learnt}).",
            quantity="accuracy of LegS, less that of another cell, the least of all cells and cases",
            source=SOURCE,
            bound_source="one cell above another: a difference above 0",
            cases=above(others, 0.0),
        )
    )
    if shift.key != "gaps":
        found.append(
            _Question(
                text=f"{titles[LEGS]} is above each of {names} by at least 25 points {shift.words} ({learnt}).",
                quantity="accuracy of LegS, less that of another cell, the least of these cells and cases",
                source=ABSTRACT,
                bound_source="the lower end of the paper's 25-40 %",
                cases=above(RIVALS, LOST),
            )
        )
    return found


def _memory_questions(memories: Mapping[int, Result | None]) -> list[_Question]:
    if not memories:
        return []

    def cases(key: str, margin: float, sign: int) -> dict[str, Comparison]:
        whole = all(memories.values())
        found = {}
        for name in ("half", "double"):
            drops = {
                seed: sign * (one["nearest"][key]["trained"] - one["nearest"][key][name])
                for seed, one in memories.items()
                if one is not None
            }
            # Each seed draws trajectories of its own: their spread is in the spread over seeds.
            found[f"{name} rate"] = statistics.compare(drops if whole else {}, margin=margin)
        return found

    quantity = "share of trajectories whose nearest known memory is of their class"
    return [
        _Question(
            text="A LegS memory without any training, asked for the nearest one known, loses at most 5 points of "
            "accuracy at half and at double the sampling rate, which it is not told.",
            quantity=f"{quantity}, at another rate less that at the trained one, the worst case",
            source="HiPPO (2008.07669), section 3, proposition 3",
            bound_source="ours: a fifth of the 25 points that the others are said to lose",
            cases=cases("legs", -KEPT, -1),
        ),
        _Question(
            text="An LMU memory without any training, asked in the same way, loses at least 25 points at both rates.",
            quantity=f"{quantity}, at the trained rate less that at another, the least case",
            source=ABSTRACT,
            bound_source="the lower end of the paper's 25-40 %",
            cases=cases("lmu", LOST, 1),
        ),
    ]


def _decided(question: _Question, decision: statistics.Decision, description: str) -> Statement:
    listed = "; ".join(f"{name}: {_points(one)}" for name, one in question.cases.items())
    message = (
        f"case by case, in points: {listed}"
        if any(one.difference is not None for one in question.cases.values())
        else ""
    )
    if decision.standing is Standing.FAILS:
        message += f". Here: {description}"
    return decision.statement(
        text=question.text,
        source=question.source,
        quantity=question.quantity,
        bound_source=question.bound_source,
        message=message,
    )


def _points(one: Comparison) -> str:
    if one.difference is None:
        return one.problem
    spread = "" if one.low is None or one.high is None else f" ({100 * one.low:.1f} to {100 * one.high:.1f})"
    return f"{100 * one.difference:.1f}{spread}"


def _certain(memories: Mapping[int, Result | None]) -> list[Statement]:
    """Statements of the memories alone: one trajectory of which it is not so, and they fail."""
    if not memories:
        return []
    known = [one for one in memories.values() if one is not None]
    complete = len(known) == len(memories)
    derived = "Wirtinger's inequality, twice: ||f - line|| <= ||f''||/(pi L)^2, and a projection does not stretch"

    def said(
        text: str, found: float | None, bound_source: str, criterion: str, *, up_to: bool, also: str = ""
    ) -> Statement:
        holds = found is not None and (found <= 1 if up_to else found > 1)
        standing = Standing.NOT_RUN if found is None else Standing.HOLDS if holds else Standing.FAILS
        why = "it was not run" if found is None else "" if holds else "a trajectory was found of which it is not so"
        return Statement(
            text=text,
            source="HiPPO (2008.07669), section 3, proposition 3",
            standing=standing,
            measured=found,
            bound=1.0,
            bound_source=bound_source,
            criterion=criterion,
            message="; ".join(part for part in (why, also) if part),
        )

    bilinear = min((one["least_ratio"]["legs"] for one in known), default=0.0)
    return [
        said(
            "At half, at the trained and at double the rate, the LegS memory (foh) of every trajectory is that of the "
            "continuous trajectory, within what the samples leave open.",
            max(one["bound_share"] for one in known) if complete else None,
            derived,
            "largest distance of the memory from the exact projection, as a share of the bound: holds up to 1",
            up_to=True,
        ),
        said(
            "The same of some trajectories against certified numbers, which share no code with the memory.",
            max(one["certified_share"] for one in known) if complete else None,
            derived,
            "largest distance from the certified projection of a line through 16 times as many samples, as a share of "
            "both bounds: holds up to 1",
            up_to=True,
        ),
        said(
            "At half and at double the rate, which neither is told, the LMU memory of every trajectory moves farther "
            "than its LegS memory (foh).",
            min(one["least_ratio"]["legs_foh"] for one in known) if complete else None,
            "as far: a ratio of 1",
            "least ratio over trajectories of how far both memories move, each as a share of its size: holds above 1",
            up_to=False,
            also=f"with the published bilinear rule, of first order, the least ratio is {bilinear:.3g}"
            if complete
            else "",
        ),
    ]


def _unjudged(statement: Statement) -> Statement:
    if statement.standing is Standing.NOT_RUN:
        return statement
    why = "smoke tests the machinery, nothing is judged from it"
    return replace(statement, standing=Standing.UNDECIDED, message=why)
