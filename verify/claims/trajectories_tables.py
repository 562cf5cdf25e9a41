"""The tables and figures of the claim on trajectories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from verify.claims import statistics
from verify.claims.base import Curve, Figure, Number, Result, Table
from verify.claims.trajectories_data import ARMS, TRAINED, UNSEEN_WRITER, Arm
from verify.claims.trajectories_memory import MEMORIES, RATES
from verify.claims.trajectories_scores import Entrant, Score, Scores, difference


def tables(
    entrants: Sequence[Entrant],
    scores: Scores,
    memories: Mapping[int, Result | None],
    description: str,
    *,
    writers: bool,
) -> tuple[Table, ...]:
    """All tables; arguments as of `verify.claims.trajectories_judgement.outcome`."""
    found = [_accuracy_table(arm, entrants, scores, description, writers=writers) for arm in ARMS]
    found += [_loss_table(arm, entrants, scores) for arm in ARMS]
    found += [_search_table(arm, entrants, scores) for arm in ARMS]
    found.append(_cost_table(entrants, scores))
    if memories:
        found.append(_memory_table(memories))
    return tuple(found)


def _percent(found: Number) -> Number:
    measured, low, high = (None if x is None else 100 * x for x in (found.measured, found.low, found.high))
    return replace(found, measured=measured, low=low, high=high)


def _accuracy(score: Score, test: str) -> Number:
    return _percent(statistics.number(score.values(test), count=score.count(test)))


def _accuracy_table(arm: Arm, entrants: Sequence[Entrant], scores: Scores, description: str, *, writers: bool) -> Table:
    tests = (*arm.tests, *([UNSEEN_WRITER] if writers else []))
    return Table(
        key=f"accuracy-{arm.key}",
        title=f"Trajectories, {arm.title}: accuracy, mean over seeds with its 95 % interval",
        unit="%",
        row_header="cell",
        columns=tests,
        rows=tuple(
            (one.title, tuple(_accuracy(scores[arm.key, one.key], test) for test in tests))
            for one in entrants
            if arm.key in one.arms
        ),
        note=f"{description}. The interval takes in the spread over seeds and the finite number of trajectories.",
    )


def _loss_table(arm: Arm, entrants: Sequence[Entrant], scores: Scores) -> Table:
    tests = tuple(test for test in arm.tests if test != TRAINED)

    def number(score: Score, test: str) -> Number:
        one = difference(score, TRAINED, score, test, 0.0)
        return _percent(Number(measured=one.difference, low=one.low, high=one.high, why=one.problem))

    return Table(
        key=f"loss-{arm.key}",
        title=f"Trajectories, {arm.title}: points lost against the test read as trained, seed by seed",
        unit="points",
        row_header="cell",
        columns=tests,
        rows=tuple(
            (one.title, tuple(number(scores[arm.key, one.key], test) for test in tests))
            for one in entrants
            if arm.key in one.arms
        ),
        note="Negative: gained.",
    )


def _search_table(arm: Arm, entrants: Sequence[Entrant], scores: Scores) -> Table:
    rates = tuple(next(iter(scores.values())).search)

    def cell(result: Result | None) -> Number:
        if result is None:
            return Number(measured=None, why="it was not run")
        accuracy = result["metrics"]["validation"]["accuracy"]
        return Number(measured=None, why="diverged") if accuracy is None else Number(measured=100 * accuracy)

    return Table(
        key=f"search-{arm.key}",
        title=f"Trajectories, {arm.title}: the search, validation accuracy from the first seed",
        unit="%",
        row_header="cell",
        columns=tuple(f"rate {rate:g}" for rate in rates),
        rows=tuple(
            (one.title, tuple(cell(scores[arm.key, one.key].search[rate]) for rate in rates))
            for one in entrants
            if arm.key in one.arms
        ),
        note="The best rate of each cell is used for all its seeds.",
    )


def _cost_table(entrants: Sequence[Entrant], scores: Scores) -> Table:
    def row(key: str) -> tuple[Number | None, ...]:
        measured = [
            (scores[ARMS[0].key, key], "parameters"),
            *((scores.get((arm.key, key)), "seconds") for arm in ARMS),
        ]
        return tuple(None if score is None else _mean(score, value) for score, value in measured)

    return Table(
        key="cost",
        title="Trajectories: what each cell takes",
        unit="",
        row_header="cell",
        columns=("parameters", *(f"seconds of learning, {arm.title}" for arm in ARMS)),
        rows=tuple((one.title, row(one.key)) for one in entrants),
        note="Mean over seeds; seconds on one core, whatever else it was doing. With times as a channel a cell has a "
        "few parameters more.",
    )


def _mean(score: Score, value: str) -> Number:
    found = score.mean(value)
    return Number(measured=found, why="it was not run" if found is None else "")


def _memory_table(memories: Mapping[int, Result | None]) -> Table:
    known = {seed: one for seed, one in memories.items() if one is not None}
    whole = known if len(known) == len(memories) else {}

    def row(key: str) -> tuple[Number, ...]:
        shares = [statistics.number({s: one["nearest"][key][rate] for s, one in whole.items()}) for rate in RATES]
        moves = [
            statistics.number({s: one["moved"][key][rate] for s, one in whole.items()}) for rate in ("half", "double")
        ]
        return tuple(_percent(found) for found in (*shares, *moves))

    return Table(
        key="memory",
        title="Memories that learn nothing: nearest neighbour, and how far they move when the rate changes",
        unit="%",
        row_header="memory",
        columns=(*(f"right, {rate} rate" for rate in RATES), "moved, half rate", "moved, double rate"),
        rows=tuple((memory.title, row(memory.key)) for memory in MEMORIES),
        note="Right: the nearest of the known memories, which were made at the trained rate, is of the same class. "
        "Moved: distance from the memory of the same trajectory at the trained rate, as a share of its size.",
    )


def figures(entrants: Sequence[Entrant], scores: Scores) -> list[Figure]:
    """Accuracy against what changes between learning and testing."""
    untimed, timed = ARMS
    plans = (
        (
            "rate",
            untimed,
            {"half rate": 0.5, TRAINED: 1.0, "double rate": 2.0},
            "sampling rate, trained rate = 1",
            True,
        ),
        ("times", timed, {"times halved": 0.5, TRAINED: 1.0, "times doubled": 2.0}, "factor of all times", True),
        (
            "gaps",
            timed,
            {"none missing": 0.0, "20 % missing": 20.0, TRAINED: 30.0, "50 % missing": 50.0},
            "missing, %",
            False,
        ),
    )
    found = []
    for key, arm, points, label, log in plans:
        curves = []
        for entrant in entrants:
            if arm.key not in entrant.arms:
                continue
            score = scores[arm.key, entrant.key]
            numbers = {at: _accuracy(score, test) for test, at in points.items()}
            kept = [(at, one) for at, one in numbers.items() if one.measured is not None]
            if len(kept) == len(points):
                bands = all(one.low is not None and one.high is not None for _, one in kept)
                curves.append(
                    Curve(
                        name=entrant.title,
                        x=tuple(at for at, _ in kept),
                        y=tuple(one.measured or 0.0 for _, one in kept),
                        low=tuple(one.low or 0.0 for _, one in kept) if bands else None,
                        high=tuple(one.high or 0.0 for _, one in kept) if bands else None,
                    )
                )
        if curves:
            ends = "; ".join(f"{one.name} " + ", ".join(f"{y:.0f}" for y in one.y) for one in curves)
            found.append(
                Figure(
                    key=key,
                    title=f"Trajectories, {arm.title}: accuracy against the {label.split(',')[0]}",
                    x_label=label,
                    y_label="accuracy, %",
                    x_log=log,
                    curves=tuple(curves),
                    note="Mean over seeds with its 95 % interval.",
                    alt=f"From left to right, in percent: {ends}.",
                )
            )
    return found
