"""What the cells make of the adding and the copying problem, beside what can be done without memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from verify.claims import answers, search, statistics
from verify.claims.base import Curve, Figure, Number, Statement, Table
from verify.claims.long_memory_sources import CONSEQUENCE, NOT_RUN, Runs
from verify.claims.long_memory_tasks import TASKS, memoryless
from verify.claims.tasks import Task

RIVALS: Final = ("gru", "lstm", "rnn")
"""What LegS is held against at the longest lag."""
MEMORYLESS: Final = "without memory"

Tasks: TypeAlias = Mapping[tuple[str, int], Mapping[str, Runs]]
"""By problem and lag, then by cell."""


@dataclass(frozen=True)
class Search:
    """Over learning rates.

    Attributes:
        rates: those tried.
        best: by problem and cell; None: not all were tried yet.
    """

    rates: Sequence[float]
    best: Mapping[tuple[str, str], float | None]


def scored(trained: Any, task: Task, batch: int) -> dict[str, Mapping[str, float] | None]:
    """How far a network is better on the test sequences than without any memory, and what so many leave uncertain.

    Args:
        trained: from `verify.claims.training.train`.
        task: adding or copying.
        batch: sequences at once.
    """
    test = task.tests["test"]
    if trained.metrics["test"]["loss"] is None:
        return {"gain": None}
    if task.kind == "regress":
        constant = ((test.targets - 1.0) ** 2).mean(axis=-1)
        return {"gain": answers.mean_and_variance(constant - answers.squared_errors(trained.module, test, batch))}
    return {"gain": answers.mean_and_variance(answers.shares_right(trained.module, test, batch) - 1 / task.outputs)}


def longest(tasks: Tasks, kind: str) -> int:
    """The longest lag of a problem."""
    return max(lag for name, lag in tasks if name == kind)


def _gains(runs: Runs) -> tuple[dict[int, float | None], float]:
    """By seed how far it is better than without memory, and the largest variance that the test set leaves in one."""
    if not runs or any(run is None for run in runs.values()):
        return {}, 0.0
    gains = {seed: run["gain"] for seed, run in runs.items() if run is not None}
    variance = max((gain["variance"] for gain in gains.values() if gain is not None), default=0.0)
    return {seed: None if gain is None else gain["mean"] for seed, gain in gains.items()}, variance


def comparisons(tasks: Tasks) -> dict[str, statistics.Comparison]:
    """LegS at the longest lag, against no memory and against rivals."""
    found = {}
    for kind in TASKS:
        cells = tasks[kind, longest(tasks, kind)]
        own, variance = _gains(cells["legs"])
        found[f"{kind}/{MEMORYLESS}"] = statistics.compare(own, variance=variance)
        for rival in RIVALS:
            others, other = _gains(cells[rival])
            # Their errors on the same sequences may go together or against each other: the worst is assumed.
            worst = (math.sqrt(variance) + math.sqrt(other)) ** 2
            found[f"{kind}/{rival}"] = statistics.compare(own, others, variance=worst)
    return found


def learnt(
    names: Mapping[str, str], tasks: Tasks, tried: Search, decisions: Mapping[str, statistics.Decision]
) -> list[Statement]:
    """What is said of `comparisons`.

    Args:
        names: of the cells, by key.
        tasks: what each cell made of the tasks.
        tried: the search over learning rates.
        decisions: among others those of `comparisons`.
    """
    legs = names["legs"]
    statements = []
    for kind in TASKS:
        begins = f"{legs} learns {kind} at lag {longest(tasks, kind)} better than"
        what = "mean squared error" if kind == "adding" else "share of right symbols"
        for other in (MEMORYLESS, *RIVALS):
            cells = ("legs",) if other == MEMORYLESS else ("legs", other)
            if other == MEMORYLESS:
                text = f"{begins} can be done without memory."
                quantity = f"{what} of {legs} on test sequences, by how far it is better than the best without memory"
            else:
                text = f"{begins} {names[other]}."
                quantity = f"{what} on test sequences, by how far {legs} is better than {names[other]}"
            statements.append(
                decisions[f"{kind}/{other}"].statement(
                    text=text,
                    source=CONSEQUENCE,
                    quantity=quantity,
                    bound_source="no better: 0",
                    message=search.edges({names[key]: tried.best[kind, key] for key in cells}, tried.rates),
                )
            )
    return statements


def _task_numbers(kind: str, runs: Runs) -> Number:
    known = {seed: run["metrics"]["test"] for seed, run in runs.items() if run is not None}
    if len(known) < len(runs):
        return Number(measured=None, why=NOT_RUN)
    name, factor = ("loss", 1.0) if kind == "adding" else ("accuracy", 100.0)
    return statistics.number({seed: None if (x := one[name]) is None else factor * x for seed, one in known.items()})


def table(kind: str, letters: int, names: Mapping[str, str], tasks: Tasks, description: str) -> Table:
    """What each cell reaches at each lag of a problem."""
    lags = sorted(lag for name, lag in tasks if name == kind)
    level = memoryless(kind, letters) * (1 if kind == "adding" else 100)
    rows = [
        (names[key], tuple(_task_numbers(kind, tasks[kind, lag][key]) for lag in lags)) for key in tasks[kind, lags[0]]
    ]
    return Table(
        key=kind,
        title={"adding": "Adding: mean squared error", "copying": "Copying: symbols said rightly"}[kind],
        unit={"adding": "", "copying": "%"}[kind],
        row_header="cell",
        columns=tuple(f"lag {lag}" for lag in lags),
        rows=((MEMORYLESS, (Number(measured=level),) * len(lags)), *rows),
        note=(
            f"On test sequences, mean over seeds with its interval. {description}. Windows are the share of the lag "
            "that they are of the paper's 784 steps; the LMU's is all of it."
        ),
    )


def figures(kind: str, letters: int, names: Mapping[str, str], tasks: Tasks) -> tuple[Figure, ...]:
    """The same over the lag; none where nothing was run."""
    lags = sorted(lag for name, lag in tasks if name == kind)
    curves = []
    for key in tasks[kind, lags[0]]:
        numbers = [(lag, _task_numbers(kind, tasks[kind, lag][key])) for lag in lags]
        points = [(float(lag), one.measured) for lag, one in numbers if one.measured is not None]
        if points:
            x, y = zip(*points, strict=True)
            curves.append(Curve(name=names[key], x=x, y=y))
    if not curves:
        return ()
    level = memoryless(kind, letters) * (1 if kind == "adding" else 100)
    ends = ", ".join(f"{curve.name} {curve.y[-1]:.3g}" for curve in curves)
    curves.append(Curve(name=MEMORYLESS, x=tuple(map(float, lags)), y=(level,) * len(lags)))
    return (
        Figure(
            key=kind,
            title={"adding": "Adding: error against the lag", "copying": "Copying: symbols against the lag"}[kind],
            x_label="lag, steps",
            y_label={"adding": "mean squared error", "copying": "symbols said rightly, %"}[kind],
            x_log=True,
            y_log=False,
            curves=tuple(curves),
            alt=f"At the longest lag: {ends}; without memory {level:.3g}.",
        ),
    )
