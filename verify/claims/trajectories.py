"""Trajectories under timescale shift and missing data (HiPPO, section 4.2): one task for every cell, then other rates.

Every cell has the same hidden size, number of epochs and learning rates to choose from, and is tested on the same
trajectories as it is on others: at half and at double the sampling rate, with times in another unit, with more samples
missing. `trajectories_memory` witnesses the same of the memory alone, which learns nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from verify.claims import search, trajectories_data, trajectories_judgement, trajectories_memory, trajectories_questions
from verify.claims.base import Json, Options, Outcome, Result, Scale, Unit
from verify.claims.tasks import Task
from verify.claims.trajectories_data import ARMS, TRAINED, Arm, Sizes, Source
from verify.claims.trajectories_scores import Entrant, Score
from verify.claims.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is the same for all cells.

    Attributes:
        sizes: of the data.
        hidden: size of the hidden state; a HiPPO memory has one signal and as many coefficients.
        batch: trajectories in a step.
        epochs: times that all are gone through.
        rates: learning rates, tried from the first seed; the best on the validation split is used for all seeds.
        seeds: how many.
        memory_order: coefficients of the memories that learn nothing.
        without: cells that are left out, of which the paper says nothing.
    """

    sizes: Sizes
    hidden: int
    batch: int
    epochs: int
    rates: tuple[float, ...]
    seeds: int
    memory_order: int
    without: tuple[str, ...] = ()


SETTINGS = {
    Scale.SMOKE: Setting(
        sizes=Sizes(train=2, validation=1, test=2, hertz=20.0),
        hidden=4, batch=40, epochs=1, rates=(1e-2,), seeds=1, memory_order=4,
    ),
    Scale.QUICK: Setting(
        sizes=Sizes(train=30, validation=10, test=20, hertz=40.0),
        hidden=32, batch=50, epochs=10, rates=(5e-3, 2e-2, 5e-2), seeds=3, memory_order=16, without=("gru",),
    ),
    Scale.DEFAULT: Setting(
        sizes=Sizes(train=40, validation=15, test=50, hertz=60.0),
        hidden=32, batch=50, epochs=16, rates=(2e-3, 6e-3, 2e-2, 5e-2), seeds=5, memory_order=16,
    ),
    Scale.FULL: Setting(
        sizes=Sizes(train=100, validation=20, test=50, hertz=100.0),
        hidden=256, batch=100, epochs=100, rates=(3e-4, 1e-3, 3e-3), seeds=5, memory_order=32,
    ),
}  # fmt: skip
"""The paper's: hidden size 256, 100 epochs, batches of 100, rate 1e-3 (hippo-code); 100 and 200 Hz."""

EVALUATED = 200
"""Trajectories that are tested at once."""
COST = {
    "hippo": 1.1e-3, "lmu": 6e-4, "rnn": 3e-4, "lstm": 6e-4, "gru": 5e-4, "gru_d": 6e-4, "ode_rnn": 8e-4,
    "ncde": 1.8e-3,
}  # fmt: skip
"""Seconds for one step of a batch, forward and back, and a share of the tests, on one core, below the paper's sizes."""


def entrants(span: float) -> tuple[Entrant, ...]:
    """The cells, in the order of the tables.

    Args:
        span: mean duration in sampling intervals: the window of the LMU.
    """

    def one(key: str, title: str, cell: str, **options: Json) -> Entrant:
        return Entrant(key=key, title=title, cell=cell, options=options)

    return (
        one("legs", "HiPPO-LegS (released wiring)", "hippo", measure="legs", wiring="released"),
        # Of the hidden state's own recurrence a changed rate is what tells; times that are told change nothing in it.
        replace(one("legs_figure", "HiPPO-LegS (figure 2)", "hippo", measure="legs"), arms=("untimed",)),
        one("lmu", "LMU", "lmu", theta=span),
        one("rnn", "simple RNN", "rnn"),
        one("lstm", "LSTM", "lstm"),
        one("gru", "GRU", "gru"),
        one("gru_d", "GRU-D", "gru_d"),
        one("ode_rnn", "ODE-RNN", "ode_rnn", solver="euler"),
        one("ncde", "NCDE", "ncde"),
    )


class Trajectories:
    """Whether LegS keeps its accuracy when the timescale changes, and whether others lose theirs."""

    key = "trajectories"
    title = "Trajectories under timescale shift and missing data"
    source = trajectories_questions.SOURCE

    def plan(self, options: Options, done: Mapping[str, Result]) -> Sequence[Unit]:
        """The memories, the search of each cell, then its other seeds with the rate that was best."""
        contest = _contest(options)
        units = list(contest.memory_units)
        for arm, entrant in contest.pairs:
            units += [contest.unit(arm, entrant, rate, contest.seeds[0]) for rate in contest.setting.rates]
            rate = contest.chosen(arm, entrant, done)
            if rate is not None:
                units += [contest.unit(arm, entrant, rate, seed) for seed in contest.seeds[1:]]
        return units

    def run(self, unit: Unit, options: Options, workspace: Workspace) -> Result:
        """Train one cell at one rate from one seed, or measure memories on trajectories of their own."""
        asked = unit.settings
        if asked["kind"] == "memory":
            known, pens = trajectories_data.drawn_anew(asked["train"], asked["test"], asked["seed"])
            return trajectories_memory.measure(pens, known, asked["hertz"], asked["order"])
        return _train(asked, options, workspace)

    def judge(self, options: Options, done: Mapping[str, Result]) -> Outcome:
        """The tables, and the statements that rest on them."""
        contest = _contest(options)
        scores = {(arm.key, entrant.key): contest.score(arm, entrant, done) for arm, entrant in contest.pairs}
        memories = {seed: done.get(unit.key) for seed, unit in zip(contest.seeds, contest.memory_units, strict=False)}
        return trajectories_judgement.outcome(
            options.scale,
            contest.description,
            contest.entrants,
            scores,
            memories,
            classes=contest.data.classes,
            writers=contest.data.unseen is not None,
        )


@dataclass(frozen=True)
class _Contest:
    """Who runs, on what, how often."""

    data: Source
    setting: Setting
    seeds: tuple[int, ...]

    @property
    def entrants(self) -> tuple[Entrant, ...]:
        return tuple(one for one in entrants(self.data.span) if one.key not in self.setting.without)

    @property
    def pairs(self) -> list[tuple[Arm, Entrant]]:
        return [(arm, one) for arm in ARMS for one in self.entrants if arm.key in one.arms]

    @property
    def description(self) -> str:
        s = self.setting
        return (
            f"{self.data.title}, {len(self.data.train.labels)} trajectories to learn from, at {self.data.hertz:g} Hz "
            f"{self.data.span:.0f} intervals long on the average; hidden size {s.hidden}, {s.epochs} epochs in batches "
            f"of {s.batch} (Adam, cosine), {search.tried(s.rates, len(self.seeds))}"
        )

    @property
    def memory_units(self) -> tuple[Unit, ...]:
        """One for each seed, which draws their trajectories; none for recordings, unknown between their samples."""
        if self.data.unseen is None:
            return ()
        s = self.setting
        sizes = {"train": s.sizes.train, "test": s.sizes.test, "hertz": s.sizes.hertz, "order": s.memory_order}
        return tuple(
            Unit(
                key=(
                    f"memory/{self.data.key}/train{s.sizes.train}/test{s.sizes.test}/{s.sizes.hertz:g}Hz"
                    f"/order{s.memory_order}/seed{seed}"
                ),
                cost=2e-5 * s.memory_order * s.sizes.test * 20 * s.sizes.hertz / 10,
                settings={"kind": "memory", **sizes, "seed": seed},
            )
            for seed in self.seeds
        )

    def unit(self, arm: Arm, entrant: Entrant, rate: float, seed: int) -> Unit:
        s = self.setting
        numbers = "".join(f"({name}={value:.6g})" for name, value in entrant.options.items() if name == "theta")
        steps = self.data.span * s.epochs * -(-len(self.data.train.labels) // s.batch)
        return Unit(
            key=(
                f"{self.data.key}/{arm.key}/{entrant.key}{numbers}/hidden{s.hidden}/epochs{s.epochs}/batch{s.batch}"
                f"/rate{rate:g}/seed{seed}"
            ),
            cost=COST[entrant.cell] * steps,
            settings={
                "kind": "train",
                "arm": arm.key,
                "cell": entrant.cell,
                "options": dict(entrant.options),
                "sizes": asdict(s.sizes),
                "hidden": s.hidden,
                "batch": s.batch,
                "epochs": s.epochs,
                "rate": rate,
                "seed": seed,
            },
        )

    def chosen(self, arm: Arm, entrant: Entrant, done: Mapping[str, Result]) -> float | None:
        """The rate that is best on the validation split from the first seed; None: not all were tried."""
        tried = {rate: done.get(self.unit(arm, entrant, rate, self.seeds[0]).key) for rate in self.setting.rates}
        known = {rate: result for rate, result in tried.items() if result is not None}
        if len(known) < len(tried):
            return None
        # The first of equals is the smallest: rates are listed upwards.
        return max(known, key=lambda rate: _validation(known[rate]))

    def score(self, arm: Arm, entrant: Entrant, done: Mapping[str, Result]) -> Score:
        rate = self.chosen(arm, entrant, done)
        tried = {r: done.get(self.unit(arm, entrant, r, self.seeds[0]).key) for r in self.setting.rates}
        found = {} if rate is None else {seed: done.get(self.unit(arm, entrant, rate, seed).key) for seed in self.seeds}
        return Score(rate=rate, search=tried, runs=found)


def _train(asked: Mapping[str, Json], options: Options, workspace: Workspace) -> Result:
    from verify.adapters.own_nn import cell_class  # noqa: PLC0415 -- torch is a guest
    from verify.claims import answers  # noqa: PLC0415
    from verify.claims.training import ModelSpec, Recipe, train  # noqa: PLC0415

    sizes = Sizes(**asked["sizes"])
    key = trajectories_data.source(options.trajectories, sizes).key
    task = _task(key, options.trajectories, sizes, asked["arm"], reads_times=cell_class(asked["cell"]).uses_times)
    # Every test is read once, below, sequence by sequence: a task has to have one.
    trained = train(
        replace(task, tests={TRAINED: task.tests[TRAINED]}),
        ModelSpec(cell=asked["cell"], hidden_size=asked["hidden"], options=asked["options"]),
        Recipe(learning_rate=asked["rate"], batch=asked["batch"], epochs=asked["epochs"], schedule="cosine"),
        asked["seed"],
        workspace,
        options.device,
    )
    found = trained.to_json()
    if trained.best_epoch is None:
        nothing = {"accuracy": None, "count": None}
        return {**found, "metrics": {**found["metrics"], **dict.fromkeys(task.tests, nothing)}, "right": {}}
    right = {name: answers.right(trained.module, split, EVALUATED) for name, split in task.tests.items()}
    named = {name: {"accuracy": float(bits.mean()), "count": len(bits)} for name, bits in right.items()}
    return {
        **found,
        "metrics": {**found["metrics"], **named},
        "right": {name: answers.packed(bits) for name, bits in right.items()},
    }


@lru_cache(maxsize=4)
def _task(key: str, path: Path | None, sizes: Sizes, arm: str, *, reads_times: bool) -> Task:
    """Kept for the next unit of the same worker; ``key`` tells the content of a file from what it was before."""
    data = trajectories_data.source(path, sizes)
    return trajectories_data.task(data, next(one for one in ARMS if one.key == arm), reads_times=reads_times)


def _validation(result: Result) -> tuple[float, float]:
    """Accuracy, then how low the loss is; a run that diverged comes last."""
    found = result["metrics"]["validation"]
    accuracy, loss = found["accuracy"], found["loss"]
    return (-1.0, 0.0) if accuracy is None or loss is None else (accuracy, -loss)


def _contest(options: Options) -> _Contest:
    setting = SETTINGS[options.scale]
    count = setting.seeds if options.seeds is None else options.seeds
    data = trajectories_data.source(options.trajectories, setting.sizes)
    return _Contest(data, setting, tuple(range(options.seed, options.seed + count)))
