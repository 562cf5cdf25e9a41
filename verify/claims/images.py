"""Permuted images (HiPPO, section 4.1, table 1): the cells of the table, with one size, one budget, one search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from verify.claims import answers, images_data, images_judgement, search
from verify.claims.base import Json, Options, Outcome, Result, Scale, Unit
from verify.claims.roster import LEGS_FIGURE, STEP_SECONDS, Entrant, roster
from verify.claims.training import ModelSpec, Recipe, train
from verify.claims.workspace import Workspace

TIMESCALE = "timescale"
"""The unit that runs one cell over the same samples at other times."""
FACTOR = 4.0
"""By which the times are multiplied: a power of two, so that each stays exact and their ratios the very same."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is the same for all cells.

    Attributes:
        hidden: size of the hidden state; a HiPPO memory has one signal and as many coefficients.
        batch: images in a step.
        epochs: times that all are gone through.
        rates: learning rates, tried from the first seed; the best on the validation images is used for all seeds.
        seeds: how many.
        sizes: at most so many images to learn from, to choose on, to report; None: all.
    """

    hidden: int
    batch: int
    epochs: int
    rates: tuple[float, ...]
    seeds: int
    sizes: tuple[int | None, int | None, int | None] = (None, None, None)


DIGITS = {
    Scale.SMOKE: Setting(hidden=8, batch=32, epochs=1, rates=(1e-2,), seeds=2, sizes=(64, 32, 32)),
    Scale.QUICK: Setting(hidden=32, batch=50, epochs=6, rates=(1e-2, 2e-2, 4e-2), seeds=5),
    Scale.DEFAULT: Setting(hidden=64, batch=50, epochs=25, rates=(3e-3, 1e-2, 3e-2, 1e-1), seeds=6),
    # The paper's recipe (hippo-code), its one rate too; the table is a mean of three seeds.
    Scale.FULL: Setting(hidden=512, batch=100, epochs=50, rates=(1e-3,), seeds=3),
}
FOLDER = {
    Scale.SMOKE: replace(DIGITS[Scale.SMOKE], sizes=(20, 10, 10)),
    Scale.QUICK: Setting(hidden=32, batch=50, epochs=2, rates=(1e-2,), seeds=2, sizes=(900, 200, 500)),
    Scale.DEFAULT: Setting(hidden=64, batch=50, epochs=4, rates=(3e-3, 1e-2, 3e-2), seeds=3, sizes=(2000, 500, 2000)),
    Scale.FULL: DIGITS[Scale.FULL],
}
"""Sequences that are 784 steps long and more take more time: fewer of them, unless ``--full`` is given."""


class Images:
    """Which cell classifies permuted images best."""

    key = "images"
    title = "Permuted images"
    source = images_judgement.SOURCE

    def plan(self, options: Options, done: Mapping[str, Result]) -> Sequence[Unit]:
        """The search of each cell, then its other seeds with the rate that was best."""
        contest = _contest(options)
        units = [_timescale_unit(options)]
        for entrant in contest.entrants:
            units += [contest.unit(entrant, rate, contest.seeds[0]) for rate in contest.setting.rates]
            rate = contest.chosen(entrant, done)
            if rate is not None:
                units += [contest.unit(entrant, rate, seed) for seed in contest.seeds[1:]]
        return units

    def run(self, unit: Unit, options: Options, workspace: Workspace) -> Result:
        """Train one cell at one rate from one seed, or hold LegS against other times."""
        asked = unit.settings
        if asked["kind"] == TIMESCALE:
            return {"moved": timescale_dependence(asked["options"], asked["length"], asked["seed"])}
        task = images_data.permuted(images_data.source(options.data), tuple(asked["sizes"]))
        trained = train(
            task,
            ModelSpec(cell=asked["cell"], hidden_size=asked["hidden"], options=asked["options"]),
            Recipe(learning_rate=asked["rate"], batch=asked["batch"], epochs=asked["epochs"]),
            asked["seed"],
            workspace,
            options.device,
        )
        right = answers.right(trained.module, task.tests["test"], asked["batch"])
        return {**trained.to_json(), "right": answers.packed(right)}

    def judge(self, options: Options, done: Mapping[str, Result]) -> Outcome:
        """The table, and the statements that rest on it."""
        contest = _contest(options)
        scores = {entrant.key: contest.score(entrant, done) for entrant in contest.entrants}
        moved = done.get(_timescale_unit(options).key)
        return images_judgement.outcome(contest.description, contest.entrants, scores, moved)


@dataclass(frozen=True)
class _Contest:
    """Who runs, on what, how often."""

    data: str
    title: str
    length: int
    images: int
    setting: Setting
    seeds: tuple[int, ...]

    @property
    def entrants(self) -> tuple[Entrant, ...]:
        legs, *others = roster(self.length)
        return (legs, LEGS_FIGURE, *others)

    @property
    def description(self) -> str:
        s = self.setting
        return (
            f"{self.title}, {self.length} steps; {self.images} images to learn from, hidden size {s.hidden}, "
            f"{s.epochs} epochs in batches of {s.batch} (Adam), {search.tried(s.rates, len(self.seeds))}"
        )

    def unit(self, entrant: Entrant, rate: float, seed: int) -> Unit:
        s = self.setting
        sizes = "all" if s.sizes == (None, None, None) else "-".join(map(str, s.sizes))
        return Unit(
            key=(
                f"{self.data}/{sizes}/{entrant.spelled}/hidden{s.hidden}/epochs{s.epochs}/batch{s.batch}"
                f"/rate{rate:g}/seed{seed}"
            ),
            cost=STEP_SECONDS[entrant.cell] * self.length * s.epochs * -(-self.images // s.batch),
            settings={
                "kind": "train",
                "cell": entrant.cell,
                "options": dict(entrant.options),
                "hidden": s.hidden,
                "batch": s.batch,
                "epochs": s.epochs,
                "rate": rate,
                "seed": seed,
                "sizes": list(s.sizes),
            },
        )

    def chosen(self, entrant: Entrant, done: Mapping[str, Result]) -> float | None:
        """The rate that is best on the validation images from the first seed; None: not all were tried."""
        tried = {rate: done.get(self.unit(entrant, rate, self.seeds[0]).key) for rate in self.setting.rates}
        known = {rate: result for rate, result in tried.items() if result is not None}
        if len(known) < len(tried):
            return None
        # The first of equals is the smallest: rates are listed upwards.
        return max(known, key=lambda rate: _validation(known[rate]))

    def score(self, entrant: Entrant, done: Mapping[str, Result]) -> images_judgement.Score:
        rate = self.chosen(entrant, done)
        tried = {r: done.get(self.unit(entrant, r, self.seeds[0]).key) for r in self.setting.rates}
        if rate is None:
            return images_judgement.Score(rate=None, search=tried, runs={})
        runs = {seed: done.get(self.unit(entrant, rate, seed).key) for seed in self.seeds}
        return images_judgement.Score(rate=rate, search=tried, runs=runs)


def _validation(result: Result) -> tuple[float, float]:
    """Accuracy, then how low the loss is; a run that diverged comes last."""
    found = result["metrics"]["validation"]
    accuracy, loss = found["accuracy"], found["loss"]
    return (-1.0, 0.0) if accuracy is None or loss is None else (accuracy, -loss)


def _contest(options: Options) -> _Contest:
    images = images_data.source(options.data)
    setting = (DIGITS if options.data is None else FOLDER)[options.scale]
    count = setting.seeds if options.seeds is None else options.seeds
    most = setting.sizes[0]
    return _Contest(
        images.key,
        images.title,
        images.length,
        len(images.train) if most is None else min(most, len(images.train)),
        setting,
        tuple(range(options.seed, options.seed + count)),
    )


def _timescale_unit(options: Options) -> Unit:
    length = 64
    legs = roster(length)[0]
    return Unit(
        key=f"{TIMESCALE}/{legs.spelled}/times{FACTOR:g}/seed{options.seed}",
        cost=0.5,
        settings={"kind": TIMESCALE, "options": dict(legs.options), "length": length, "seed": options.seed},
    )


def timescale_dependence(options: Mapping[str, Json], length: int, seed: int) -> float:
    """How far the outputs of a HiPPO cell move when all times are multiplied by `FACTOR`; the largest of all.

    Args:
        options: of the cell.
        length: samples, white noise at times 1, 2, 3, ....
        seed: of the weights and the samples.
    """
    import torch  # noqa: PLC0415 -- a guest

    from verify.adapters.own_nn import make_cell  # noqa: PLC0415

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        cell = make_cell("hippo", 1, 16, **options).to(torch.float64)
        samples = torch.randn(4, length, 1, dtype=torch.float64)
    times = torch.arange(1, length + 1, dtype=torch.float64)
    with torch.no_grad():
        plain, scaled = (cell(samples, times=factor * times)[0] for factor in (1.0, FACTOR))
    return float((plain - scaled).abs().max())
