"""What the gradients and the tasks say: tables, curves, and Prop. 5's statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from verify.claims import long_memory_bounds, long_memory_decay, long_memory_learning, statistics
from verify.claims.base import Outcome
from verify.claims.long_memory_bounds import MemoryRun
from verify.claims.long_memory_gradients import Law
from verify.claims.long_memory_learning import Search, Tasks
from verify.claims.long_memory_sources import PROPOSITION, Runs
from verify.claims.long_memory_tasks import TASKS
from verify.claims.roster import RELEASED

SOURCE: Final = f"{PROPOSITION}; the adding and copying problems"
STATED: Final = {"legs": Law.POLYNOMIAL, **dict.fromkeys(("rnn", "gru", "lstm"), Law.EXPONENTIAL)}
"""By which law cells are said to forget: LegS, and those that it is to do better than for long dependencies."""


def outcome(
    description: str,
    letters: int,
    names: Mapping[str, str],
    memories: Sequence[MemoryRun],
    gradients: Mapping[str, Runs],
    tasks: Tasks,
    tried: Search,
) -> Outcome:
    """All that is said.

    Args:
        description: sizes and budget, in words.
        letters: of the copying problem.
        names: of the cells, by key.
        memories: the gradient of the memory alone.
        gradients: of each cell as initialised, by key.
        tasks: what each cell made of the tasks.
        tried: the search over learning rates for the tasks.
    """
    comparisons = long_memory_learning.comparisons(tasks)
    for key, law in STATED.items():
        comparisons |= long_memory_decay.comparisons(key, gradients[key], law)
    decisions = statistics.decide(comparisons)
    laws = {key: long_memory_decay.pooled(runs) for key, runs in gradients.items()}
    statements = [
        long_memory_bounds.bounded(memories),
        *(long_memory_bounds.sloped(memory) for memory in memories if memory.far),
        *(
            long_memory_decay.decays(key, names, laws[key], gradients[key], law, decisions)
            for key, law in STATED.items()
        ),
        *long_memory_learning.learnt(names, tasks, tried, decisions),
    ]
    return Outcome(
        statements=tuple(statements),
        tables=(
            long_memory_bounds.table(memories),
            long_memory_decay.table(names, gradients, laws),
            *(long_memory_learning.table(kind, letters, names, tasks, description) for kind in TASKS),
        ),
        figures=(
            *long_memory_bounds.figures(memories),
            *long_memory_decay.figures("gradient", "as initialised", names, laws),
            *long_memory_decay.figures("trained", *_after_learning(names, tasks)),
            *(figure for kind in TASKS for figure in long_memory_learning.figures(kind, letters, names, tasks)),
        ),
        notes=(
            f"Tasks: {description}.",
            RELEASED,
            "Prop. 5 speaks of the memory alone. In a cell what the memory reads comes from the hidden state, which "
            "reads the memory: the gradient of a cell has another exponent than -1, and wavers.",
            "A law is one of the lags that were measured: what has a window or a rate forgets exponentially beyond.",
        ),
    )


def _after_learning(
    names: Mapping[str, str], tasks: Tasks
) -> tuple[str, Mapping[str, str], Mapping[str, long_memory_decay.Pooled]]:
    """The gradient of the cells that learnt to add at the longest lag."""
    lag = long_memory_learning.longest(tasks, "adding")
    found = {}
    for key, runs in tasks["adding", lag].items():
        kept = {seed: run["gradient"] for seed, run in runs.items() if run is not None and run.get("gradient")}
        found[key] = long_memory_decay.pooled(kept)
    return f"after learning to add, {lag} steps", names, found
