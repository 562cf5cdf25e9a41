"""Long memory: the gradient against the lag, beside HiPPO's Prop. 5, and two tasks that need what is long past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from verify.claims import (
    long_memory_gradients,
    long_memory_judgement,
    long_memory_learning,
    long_memory_tasks,
    long_memory_units,
)
from verify.claims.base import Json, Options, Outcome, Result, Unit
from verify.claims.long_memory_bounds import METHODS, MemoryRun
from verify.claims.long_memory_learning import Search
from verify.claims.long_memory_sources import Runs
from verify.claims.long_memory_units import EXTRA
from verify.claims.roster import roster
from verify.claims.training import ModelSpec, Recipe, train
from verify.claims.workspace import Workspace

FOLLOWED = 8
"""Which sample of a sequence the gradient of a cell is followed from."""
STREAMS_AFTER = 8
"""Test sequences that the gradient is a mean over after learning; there the first sample is followed."""


class LongMemory:
    """How long a past input moves each cell, and whether it can be learnt from."""

    key = "long_memory"
    title = "Long memory"
    source = long_memory_judgement.SOURCE

    def plan(self, options: Options, done: Mapping[str, Result]) -> Sequence[Unit]:
        """The memory's gradient, each cell's gradient, then the tasks."""
        setting = long_memory_units.SETTINGS[options.scale]
        units = [long_memory_units.memory_unit(setting, position) for position in (*setting.positions, *setting.later)]
        seeds = long_memory_units.seeds(setting, options)
        starts = long_memory_units.starts(setting, options)
        units += [
            long_memory_units.gradient_unit(setting, one, seed)
            for one in long_memory_units.followed(setting)
            for seed in starts
        ]
        for kind in long_memory_tasks.TASKS:
            for index in range(len(long_memory_units.learners(setting, 1))):
                units += long_memory_units.task_units(setting, kind, index, seeds, done)
        return units

    def run(self, unit: Unit, options: Options, workspace: Workspace) -> Result:
        """One gradient, or one cell on one task."""
        return _RUNS[unit.settings["kind"]](unit, options, workspace)

    def judge(self, options: Options, done: Mapping[str, Result]) -> Outcome:
        """Tables, curves, and what Prop. 5 says of them."""
        setting = long_memory_units.SETTINGS[options.scale]
        seeds = long_memory_units.seeds(setting, options)
        memories = tuple(
            MemoryRun(
                setting.order,
                position,
                position in setting.positions,
                done.get(long_memory_units.memory_unit(setting, position).key),
            )
            for position in (*setting.positions, *setting.later)
        )
        gradients = {
            one.key: {
                seed: done.get(long_memory_units.gradient_unit(setting, one, seed).key)
                for seed in long_memory_units.starts(setting, options)
            }
            for one in long_memory_units.followed(setting)
        }
        tasks: dict[tuple[str, int], dict[str, Runs]] = {}
        best: dict[tuple[str, str], float | None] = {}
        for kind in long_memory_tasks.TASKS:
            for lag in setting.lags:
                tasks[kind, lag] = {}
                for index, entrant in enumerate(long_memory_units.learners(setting, lag)):
                    rate = best[kind, entrant.key] = long_memory_units.chosen(setting, kind, index, seeds, done)
                    tasks[kind, lag][entrant.key] = {
                        seed: None
                        if rate is None
                        else done.get(long_memory_units.task_unit(setting, kind, lag, entrant, rate, seed).key)
                        for seed in seeds
                    }
        names = {one.key: one.title.partition(",")[0] for one in (*roster(1), *EXTRA)}
        names["legt_narrow"] += ", narrow window"
        return long_memory_judgement.outcome(
            long_memory_units.description(setting, seeds),
            setting.letters,
            names,
            memories,
            gradients,
            tasks,
            Search(setting.rates, best),
        )


def _run_memory(unit: Unit, options: Options, workspace: Workspace) -> Result:
    """Norms under each rule; ``derived`` those of the exact memory of cells, ``kernel`` those of Prop. 5."""
    asked = unit.settings
    order, position, reads = asked["order"], asked["position"], asked["reads"]
    del options, workspace
    times = grid(position + 2, reads)
    return {
        "times": times,
        "measured": {
            method: long_memory_gradients.memory_norms(order, method, position, times).tolist() for method in METHODS
        },
        "derived": long_memory_gradients.derived_norms(order, position, times).tolist(),
        "kernel": long_memory_gradients.kernel_norms(order, position + 0.5, times).tolist(),
    }


def grid(first: int, last: int, each: int = 4) -> list[int]:
    """Whole numbers from ``first`` to ``last``, ``each`` in every doubling."""
    points = each * int(np.ceil(np.log2(last / first))) + 1
    return sorted({round(x) for x in np.geomspace(first, last, points).tolist()})


def _run_gradient(unit: Unit, options: Options, workspace: Workspace) -> Result:
    """Norms at lags on a grid, of a sample somewhat after the first, which memories of a scale law read otherwise."""
    asked = unit.settings
    del options, workspace
    norms = long_memory_gradients.cell_norms(
        asked["cell"], asked["hidden"], asked["options"], asked["length"], FOLLOWED, asked["streams"], asked["seed"]
    )
    return _on_grid(norms)


def _on_grid(norms: long_memory_gradients.Array) -> dict[str, Json]:
    lags = grid(1, len(norms) - 1)
    return {"lags": lags, "norms": norms[lags].tolist()}


def _run_task(unit: Unit, options: Options, workspace: Workspace) -> Result:
    """Learn; then how far it is better than without memory, and of the adding problem the gradient of what learnt."""
    asked = unit.settings
    task = long_memory_tasks.make(
        asked["kind"], asked["lag"], asked["symbols"], asked["letters"], tuple(asked["sizes"])
    )
    trained = train(
        task,
        ModelSpec(cell=asked["cell"], hidden_size=asked["hidden"], options=asked["options"]),
        Recipe(learning_rate=asked["rate"], batch=asked["batch"], epochs=asked["epochs"]),
        asked["seed"],
        workspace,
        options.device,
    )
    result = {**trained.to_json(), **long_memory_learning.scored(trained, task, asked["batch"])}
    if asked["kind"] == "adding" and result["gain"] is not None:
        inputs = task.tests["test"].inputs[:STREAMS_AFTER]
        result["gradient"] = _on_grid(long_memory_gradients.module_norms(trained.module.cell, inputs, 0))
    return result


_RUNS = {"memory": _run_memory, "gradient": _run_gradient, "adding": _run_task, "copying": _run_task}
