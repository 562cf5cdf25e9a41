"""What the runs on permuted images say: the paper's table with ours beside, and its ordering as paired comparisons."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from verify.claims import answers, search, statistics
from verify.claims.base import Curve, Figure, Number, Outcome, Result, Standing, Statement, Table
from verify.claims.roster import HIPPO, LEGS_FIGURE, RELEASED, Entrant

SOURCE = "HiPPO (2008.07669), section 4.1, table 1"
PAPER_SOURCE = f"{SOURCE}: validation accuracy on permuted MNIST"
PAPER_SETTING = "784 steps, 50,000 images to learn from, hidden size 512, 50 epochs"
RECURRENT = ("gru", "mgu", "random", "rnn")
"""What every HiPPO cell is above in the table."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """The runs of one cell.

    Attributes:
        rate: the learning rate that was chosen; None: the search is not finished.
        search: by rate, from the first seed; None where it was not run.
        runs: by seed, with the rate chosen; None where it was not run.
    """

    rate: float | None
    search: Mapping[float, Result | None]
    runs: Mapping[int, Result | None]

    @property
    def complete(self) -> bool:
        """Whether all that was planned was run."""
        return bool(self.runs) and all(run is not None for run in self.runs.values())

    def values(self, split: str) -> dict[int, float | None]:
        """Accuracy by seed, as a share; None where a run diverged. Empty unless all were run."""
        if not self.complete:
            return {}
        return {seed: run["metrics"][split]["accuracy"] for seed, run in self.runs.items() if run is not None}

    def mean(self, value: str) -> float | None:
        """The mean over seeds of a plain number of the results."""
        known = [run[value] for run in self.runs.values() if run is not None and run[value] is not None]
        return math.fsum(known) / len(known) if known else None


def comparison(one: Score, other: Score) -> statistics.Comparison:
    """How far the test accuracy of one cell lies above another's, seed by seed."""
    a, b = one.values("test"), other.values("test")
    variance = 0.0
    if a and b and None not in a.values() and None not in b.values():
        first = next(run for run in one.runs.values() if run is not None)
        count = int(first["metrics"]["test"]["count"])
        mine, theirs = ([run["right"] for run in score.runs.values() if run] for score in (one, other))
        variance = answers.paired_variance(mine, theirs, count)
    return statistics.compare(a, b, variance=variance)


def outcome(
    description: str,
    entrants: Sequence[Entrant],
    scores: Mapping[str, Score],
    moved: Result | None,
) -> Outcome:
    """All that is said.

    Args:
        description: data, sizes and budget, in words.
        entrants: the cells.
        scores: of each, by key.
        moved: of the unit that ran LegS over other times.
    """
    by_key = {entrant.key: entrant for entrant in entrants}
    pairs = _pairs(entrants)
    decisions = statistics.decide({f"{a}>{b}": comparison(scores[a], scores[b]) for a, b in pairs})
    statements = [_ordering(by_key[a], by_key[b], decisions[f"{a}>{b}"], scores) for a, b in pairs]
    statements.append(_no_theta(moved))
    return Outcome(
        statements=tuple(statements),
        tables=(
            _accuracy_table(entrants, scores, description),
            *_search_tables(entrants, scores),
            _cost_table(entrants, scores),
        ),
        figures=_figures(entrants, scores),
        notes=(
            f"Measured: {description}. The paper: {PAPER_SETTING}.",
            "All cells have the same size of hidden state, number of epochs and learning rates; they differ in "
            "parameters and in time.",
            RELEASED,
            f"{LEGS_FIGURE.title}, is a row of its own, which no statement speaks of.",
        ),
    )


def _pairs(entrants: Sequence[Entrant]) -> list[tuple[str, str]]:
    """Who is held against whom: LegS against all of the table, the other HiPPO cells against `RECURRENT`."""
    listed = [entrant.key for entrant in entrants if entrant.paper is not None]
    ordering = [("legs", key) for key in listed if key != "legs"]
    above = itertools.product([key for key in HIPPO if key != "legs"], RECURRENT)
    return [*ordering, *above, ("legt", "legt_narrow")]


def _ordering(a: Entrant, b: Entrant, decision: statistics.Decision, scores: Mapping[str, Score]) -> Statement:
    paper = None if a.paper is None or b.paper is None else a.paper - b.paper
    if (a.key, b.key) == ("legt", "legt_narrow"):
        text = f"A badly chosen window costs HiPPO-LegT accuracy: {b.title} classifies worse than {a.title}."
    else:
        text = f"{a.title} classifies permuted images better than {b.title}."
    said = [search.edges({one.title: scores[one.key].rate for one in (a, b)}, tuple(scores[a.key].search))]
    if decision.standing is not Standing.HOLDS and paper is not None:
        said.append(
            f"in the paper they are {paper:.3g} points of 100 apart, on validation images and at other sizes: see the "
            "notes"
        )
    return decision.statement(
        text=text,
        source=SOURCE,
        quantity=f"share of test images that {a.title} classifies rightly, less that of {b.title}",
        bound_source="one cell above another: a difference above 0",
        message="; ".join(filter(None, said)),
    )


def _no_theta(moved: Result | None) -> Statement:
    text = "HiPPO-LegS has no timescale to choose: multiplying all times by a factor changes nothing it computes."
    criterion = (
        "largest change of the outputs of a HiPPO-LegS cell, float64, when the times of its samples are multiplied by "
        "4: holds where it is 0, fails where it is not"
    )
    where = "HiPPO (2008.07669), section 3, proposition 3; section 4.1"
    if moved is None:
        return Statement(
            text=text, source=where, standing=Standing.NOT_RUN, criterion=criterion, message="it was not run"
        )
    largest = moved["moved"]
    return Statement(
        text=text,
        source=where,
        standing=Standing.HOLDS if largest == 0 else Standing.FAILS,
        measured=largest,
        bound=0.0,
        bound_source="a step depends on the ratio of two times alone, and multiplying by 4 is exact in binary",
        criterion=criterion,
        message="" if largest == 0 else "the outputs changed with the unit of time",
    )


def _accuracy_table(entrants: Sequence[Entrant], scores: Mapping[str, Score], description: str) -> Table:
    return Table(
        key="accuracy",
        title="Permuted images: accuracy, mean over seeds with its 95 % interval",
        unit="%",
        row_header="cell",
        columns=("test", "validation"),
        rows=tuple(
            (entrant.title, (_accuracy("test", score), _accuracy("validation", score, entrant.paper)))
            for entrant, score in ((entrant, scores[entrant.key]) for entrant in entrants)
        ),
        note=f"{description}. The interval takes in the spread over seeds and the finite number of images. The paper's "
        "numbers are validation accuracies; statements are of the test images.",
    )


def _accuracy(split: str, score: Score, paper: float | None = None) -> Number:
    """In percent, beside the paper's."""
    values = score.values(split)
    counts = [run["metrics"][split]["count"] for run in score.runs.values() if run is not None]
    found = statistics.number(
        values,
        count=int(counts[0]) if values else None,
        why="" if paper is None else f"other images and sizes; the paper: {PAPER_SETTING}",
    )
    measured, low, high = (None if x is None else 100 * x for x in (found.measured, found.low, found.high))
    source = "" if paper is None else PAPER_SOURCE
    return replace(found, measured=measured, low=low, high=high, paper=paper, paper_source=source)


def _search_tables(entrants: Sequence[Entrant], scores: Mapping[str, Score]) -> tuple[Table, ...]:
    """One, or none where there is but one rate."""
    rates = tuple(next(iter(scores.values())).search)
    if len(rates) == 1:
        return ()

    def cell(result: Result | None) -> Number:
        if result is None:
            return Number(measured=None, why="it was not run")
        accuracy = result["metrics"]["validation"]["accuracy"]
        return Number(measured=None, why="diverged") if accuracy is None else Number(measured=100 * accuracy)

    return (
        Table(
            key="search",
            title="Permuted images: the search, validation accuracy from the first seed",
            unit="%",
            row_header="cell",
            columns=tuple(f"rate {rate:g}" for rate in rates),
            rows=tuple(
                (entrant.title, tuple(cell(scores[entrant.key].search[rate]) for rate in rates)) for entrant in entrants
            ),
            note="The best rate of each cell is used for all its seeds.",
        ),
    )


def _cost_table(entrants: Sequence[Entrant], scores: Mapping[str, Score]) -> Table:
    def row(score: Score) -> tuple[Number, ...]:
        measured = (score.rate, score.mean("parameters"), score.mean("best_epoch"), score.mean("seconds"))
        return tuple(Number(measured=value, why="" if value is not None else "it was not run") for value in measured)

    return Table(
        key="cost",
        title="Permuted images: what each cell takes",
        unit="",
        row_header="cell",
        columns=("learning rate", "parameters", "best epoch", "seconds of learning"),
        rows=tuple((entrant.title, row(scores[entrant.key])) for entrant in entrants),
        note="Mean over seeds; seconds on one core, whatever else it was doing.",
    )


def _figures(entrants: Sequence[Entrant], scores: Mapping[str, Score]) -> tuple[Figure, ...]:
    curves = []
    for entrant in entrants:
        runs = [run["curve"] for run in scores[entrant.key].runs.values() if run is not None]
        epochs = min((len(run) for run in runs), default=0)
        points = [[run[epoch]["validation_accuracy"] for run in runs] for epoch in range(epochs)]
        kept = [(epoch + 1, [100 * x for x in found]) for epoch, found in enumerate(points) if None not in found]
        if kept:
            curves.append(
                Curve(
                    name=entrant.title,
                    x=tuple(float(epoch) for epoch, _ in kept),
                    y=tuple(math.fsum(found) / len(found) for _, found in kept),
                    low=tuple(min(found) for _, found in kept),
                    high=tuple(max(found) for _, found in kept),
                )
            )
    if not curves:
        return ()
    last = sorted(((curve.y[-1], curve.name) for curve in curves), reverse=True)
    return (
        Figure(
            key="learning",
            title="Permuted images: validation accuracy while learning",
            x_label="epoch",
            y_label="accuracy, %",
            curves=tuple(curves),
            note="Mean over seeds; the band reaches from the worst seed to the best.",
            alt="After the last epoch, best first: " + ", ".join(f"{name} {y:.1f} %" for y, name in last) + ".",
        ),
    )
