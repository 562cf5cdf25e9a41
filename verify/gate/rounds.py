"""Both sides of the gate measured side by side: paired rounds of fresh processes, in an order drawn at random.

In every round each side has processes of its own (`worker`); benchmark by benchmark one side runs right after the
other, so that whatever disturbs the machine for longer than a benchmark disturbs both. How many calls make a sample
is found once, on the base, and holds for both sides. Caches are computed once per side.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from verify.gate.cells import REPEATED, Cell, all_measured, cells_of, hopeless, measurement_of, number_of
from verify.gate.rounds_journal import Answers, RoundsJournal
from verify.gate.side import Kind, Side
from verify.gate.trees import SIDES
from verify.gate.worker import Answer, Tree, Worker, Workers

PILOT: Final = 0
"""The round before the first: it warms what is kept on disk, and finds the number of calls."""
AGAIN: Final = -1
"""The second look: what must not scatter is measured again, and so is what gave a value on one side alone."""
CHEAP: Final = 10.0
"""Seconds within which a cache is computed again for a second measurement."""

Progress = Callable[[str, int, int], None]
"""Is told a stage, and how many of its benchmarks are done."""


class EmptyError(Exception):
    """Nothing is there to be compared; the message says what was asked for."""

    @classmethod
    def selecting(cls, patterns: Sequence[str]) -> EmptyError:
        """Nothing has a name in which one of some patterns is found."""
        asked = " or ".join(map(repr, patterns))
        return cls(f"there is no benchmark{f' in whose name {asked} is found' if asked else ''}")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the sides are measured.

    Attributes:
        looks: numbers of rounds after which a benchmark may be done; the last one is the end.
        budget: seconds of sampling for a benchmark, side and round.
        timeout: seconds that a benchmark may take, where it does not say so itself.
        threads: how many threads the libraries may compute with.
        seed: of the orders that are drawn.
        select: regular expressions; a name must contain a match of one. Empty: everything.
        slow: name -> factor: how much slower the head is made, to see whether that is found.
    """

    looks: tuple[int, ...]
    budget: float = 0.1
    timeout: float = 60.0
    threads: int = 1
    seed: int = 0
    select: tuple[str, ...] = ()
    slow: Mapping[str, float] = field(default_factory=dict)


class Rounds:
    """The measurements of two trees, or of one that is to be compared with what is stored.

    Args:
        trees: base and head, or one of them.
        plan: how they are measured.
        journal: what was measured already, and where the rest is written.
        log: file for what the benchmarks print.
        progress: is told how far it is.
        machine: where this is.
        distributions: whose versions are asked for.
        start: starts the processes of a round.

    Attributes:
        cells: all benchmarks of both sides, known after `prepare`.
        trees: what is measured.
        sides: names of the trees.
        told: what every stage's name begins with.
    """

    def __init__(
        self, trees: Sequence[Tree], plan: Plan, journal: RoundsJournal, log: Path, *, progress: Progress,
        machine: Mapping[str, str], distributions: Sequence[str] = (), start: Callable[..., Workers] = Workers,
    ) -> None:  # fmt: skip
        self.cells: tuple[Cell, ...] = ()
        self.trees = tuple(trees)
        self.sides = tuple(tree.side for tree in trees)
        self.told = ""
        self._trees = {tree.side: tree for tree in trees}
        self._plan = plan
        self._journal = journal
        self._log = log
        self._progress = progress
        self._machine = machine
        self._distributions = tuple(distributions)
        self._start = start
        self._environment: dict[str, Mapping[str, str]] = {}
        self._caches: dict[tuple[str, str], _Cache] = {}
        self._numbers: dict[str, int] = {}
        self._first: dict[str, list[Answers]] = {}

    def prepare(self) -> None:
        """List the benchmarks, compute the caches, find the number of calls, and measure what does not scatter.

        Raises:
            EmptyError: no benchmark was selected.
            ValueError: a benchmark that is to be made slow is not timed on both sides.
            WorkerError: a side cannot be started at all.
        """
        with self._workers(PILOT) as workers:
            lists = {}
            for place, side in enumerate(self._trees):
                self._progress("listing the benchmarks", place, len(self._trees))
                lists[side] = workers.get(side).list(self._distributions)
            self._environment = {side: answer.get("environment", {}) for side, answer in lists.items()}
            self._journal.under(self._environment)
            self.cells = tuple(cells_of(lists, self._plan.select))
            self._check()
            for side in self._trees:
                self._make_caches(side, workers.get(side))
            self._measure(0, PILOT, self.cells, workers, "first look", self._first)
        again = [cell for cell in self.cells if self._deserves_another(cell)]
        with self._workers(AGAIN) as workers:
            for side in self._trees:
                keys = {cell.rows[side]["cache"] for cell in again if side in cell.rows} - {None}
                self._renew_caches(side, workers.get(side), keys)
            self._measure(0, AGAIN, again, workers, "second look", self._first)
        self._numbers = {name: number_of(looks[-1]) for name, looks in self._first.items()}

    def trial(self, number: int, undecided: Callable[..., Collection[str]]) -> tuple[Side, ...]:
        """All rounds, once.

        Args:
            number: which trial, from 0.
            undecided: of the sides as they are known at a look, the names that need more rounds.

        Returns:
            The sides, in the order of the trees.
        """
        found: dict[str, list[Answers]] = {}
        left = [cell for cell in self.cells if self._repeated(cell) and all_measured(self._first[cell.name][-1])]
        last = max(self._plan.looks)
        for place in range(1, last + 1):
            if not left:
                break
            with self._workers(place, number) as workers:
                self._measure(number, place, left, workers, f"round {place} of at most {last}", found)
            left = [cell for cell in left if not hopeless(found[cell.name])]
            if place in self._plan.looks and place < last:
                wanted = undecided(*self._sides(number, found))
                left = [cell for cell in left if cell.name in wanted]
        return self._sides(number, found)

    def _check(self) -> None:
        if not self.cells:
            raise EmptyError.selecting(self._plan.select)
        timed = {cell.name for cell in self.cells if cell.kind is Kind.TIME and self._repeated(cell)}
        for name in self._plan.slow:
            if name not in timed:
                raise ValueError(
                    f"{name!r} is to be made slow; accepted: a timed benchmark of both sides, such as "
                    f"{min(timed, default='(there is none)')!r}"
                )

    def _repeated(self, cell: Cell) -> bool:
        """Whether it is measured in every round: it scatters, and all sides have it, of the same source."""
        same = len(cell.rows) == len(self._trees) and len({row["version"] for row in cell.rows.values()}) == 1
        return same and cell.kind in REPEATED

    def _deserves_another(self, cell: Cell) -> bool:
        """Whether a second look can say more than the first.

        A side that gave nothing where the other one did may have had bad luck: a time that was over, a process that
        was killed. One look would make that a loss.
        """
        (answers,) = self._first[cell.name]
        gave = {answer["status"] == "measured" for answer in answers.values()}
        one_sided = len(gave) > 1 and not any("answer" in row for row in cell.rows.values())
        return not cell.problem and (one_sided or (cell.kind not in REPEATED and gave == {True}))

    def _workers(self, number: int, trial: int = 0) -> Workers:
        seed = self._draw(trial, number).randrange(1, 2**32)
        return self._start(self._trees.values(), threads=self._plan.threads, hash_seed=seed, log=self._log)

    def _draw(self, *about: object) -> random.Random:
        """Random numbers that depend on nothing but the seed and what they are for, so that a stopped run goes on."""
        return random.Random(f"{self._plan.seed} {about}")  # noqa: S311 -- an order, no secret

    def _make_caches(self, side: str, worker: Worker) -> None:
        wanted: dict[str, Answer] = {}
        for cell in self.cells:
            row = cell.rows.get(side)
            if row is not None and row["cache"] is not None:
                wanted.setdefault(row["cache"], row)
        for place, (key, row) in enumerate(wanted.items()):
            self._progress(f"setup_cache of the {side}", place, len(wanted))
            folder = self._trees[side].work / f"cache{place:03}"
            self._caches[side, key] = _Cache.make(worker, row, folder, self._plan.timeout)

    def _renew_caches(self, side: str, worker: Worker, keys: Iterable[str]) -> None:
        """Compute anew what was quick to compute, so that a second value owes nothing to the first."""
        for key in sorted(keys):
            cache = self._caches[side, key]
            if cache.seconds <= CHEAP:
                folder = cache.folder.with_name(cache.folder.name.replace("cache", "again"))
                self._caches[side, key] = _Cache.make(worker, cache.row, folder, self._plan.timeout)

    def _measure(
        self, trial: int, number: int, cells: Iterable[Cell], workers: Workers, text: str,
        found: dict[str, list[Answers]],
    ) -> None:  # fmt: skip
        """A pair of each benchmark, in another order in every round."""
        cells = sorted(cells, key=lambda cell: self._draw(trial, number, cell.name).random())
        for done, cell in enumerate(cells):
            self._progress(self.told + text, done, len(cells))
            answers = self._journal.kept.get((trial, number, cell.name))
            if answers is None:
                order = [side for side in SIDES if side in cell.rows]
                looking = number in (PILOT, AGAIN)  # there the base comes first: it finds the number of calls
                if not looking:
                    self._draw(trial, number, cell.name, "order").shuffle(order)
                answers = {}
                for side in order:
                    calls = number_of(answers) if looking else self._numbers[cell.name]
                    answers[side] = self._ask(side, cell, workers, calls)
                self._journal.add(trial, number, cell.name, order, answers)
            found.setdefault(cell.name, []).append(answers)
        self._progress(self.told + text, len(cells), len(cells))

    def _ask(self, side: str, cell: Cell, workers: Workers, calls: int) -> Answer:
        row = cell.rows[side]
        if "answer" in row:
            return dict(row["answer"])
        if cell.problem:
            return {"status": "failed", "why": cell.problem}
        folder = self._trees[side].work
        if row["cache"] is not None:
            cache = self._caches[side, row["cache"]]
            if cache.problem:
                return {"status": "failed", "why": f"setup_cache: {cache.problem}"}
            folder = cache.folder
        return workers.get(side, preload=cell.kind is not Kind.MEMORY).ask(
            {
                "do": "measure",
                "name": row["benchmark"],
                "index": row["index"],
                "folder": str(folder),
                "timeout": row["timeout"] or self._plan.timeout,
                "budget": self._plan.budget,
                "number": calls,
                "slow": self._plan.slow.get(cell.name, 1) if side == "head" else 1,
            }
        )

    def _sides(self, trial: int, found: Mapping[str, Sequence[Answers]]) -> tuple[Side, ...]:
        return tuple(self._side(tree, trial, found) for tree in self._trees.values())

    def _side(self, tree: Tree, trial: int, found: Mapping[str, Sequence[Answers]]) -> Side:
        measurements = {
            cell.name: measurement_of(
                cell, cell.rows[tree.side],
                [answers[tree.side] for answers in self._first[cell.name]],
                [answers[tree.side] for answers in found.get(cell.name, ())],
            )
            for cell in self.cells
            if tree.side in cell.rows
        }  # fmt: skip
        return Side(
            label=tree.label, revision=tree.revision,
            paired=f"{self._journal.identity}-{trial}" if len(self._trees) > 1 else None,
            machine=self._machine,
            environment={**self._environment[tree.side], "threads": str(self._plan.threads)},
            measurements=measurements,
        )  # fmt: skip


@dataclass(frozen=True)
class _Cache:
    """What ``setup_cache`` gave on a side, or why it gave nothing."""

    row: Answer
    folder: Path
    problem: str
    seconds: float

    @classmethod
    def make(cls, worker: Worker, row: Answer, folder: Path, timeout: float) -> _Cache:
        folder.mkdir()
        limit = row["cache_timeout"] or row["timeout"] or timeout
        answer = worker.ask({"do": "cache", "name": row["benchmark"], "folder": str(folder), "timeout": limit})
        problem = "" if answer["status"] == "measured" else answer["why"]
        return cls(row, folder, problem, answer.get("seconds", math.inf))
