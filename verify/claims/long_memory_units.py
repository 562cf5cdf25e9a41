"""What is run for the claim on long memory: sizes by scale, and the units of work they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from verify.claims import search
from verify.claims.base import Options, Result, Scale, Unit
from verify.claims.long_memory_tasks import TASKS
from verify.claims.roster import STEP_SECONDS, Entrant, roster


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is the same for all cells.

    Attributes:
        order: coefficients of the memory whose gradient is held against Prop. 5.
        positions: samples whose gradient is followed there until it falls off like 1/t.
        later: samples that are followed there too, and held against the bounds alone.
        reads: number of samples that are read there.
        hidden: size of the hidden state of all cells.
        length: samples over which the gradient of a cell is followed.
        initialisations: from so many its norm is a mean, and of ``streams`` signals each.
        streams: signals.
        extra: whether the gradient of the `EXTRA` cells is followed too.
        lags: steps of the adding problem, and lag of the copying problem.
        symbols: to copy.
        letters: to choose them from.
        sizes: sequences to learn from, to choose on, to report.
        batch: sequences in a step.
        epochs: times that all are gone through, of adding and of copying.
        rates: learning rates, tried at the shortest lag from the first seed; the best there is used everywhere. A
            single one is used as it is.
        seeds: how many.
        learners: keys of the cells that learn the tasks; None: all.
    """

    order: int = 16
    positions: tuple[int, ...] = (0, 4)
    later: tuple[int, ...] = (63, 511)
    reads: int
    hidden: int
    length: int
    initialisations: int = 4
    streams: int = 2
    extra: bool = False
    lags: tuple[int, ...]
    symbols: int
    letters: int
    sizes: tuple[int, int, int]
    batch: int
    epochs: tuple[int, int]
    rates: tuple[float, ...]
    seeds: int
    learners: tuple[str, ...] | None = None


SETTINGS = {
    Scale.SMOKE: Setting(
        order=4, reads=1024, hidden=8, length=64, initialisations=2, lags=(10,), symbols=8, letters=4,
        sizes=(64, 32, 32), batch=32, epochs=(1, 1), rates=(1e-2,), seeds=2,
    ),
    Scale.QUICK: Setting(
        reads=2**16, hidden=32, length=1024, initialisations=8, lags=(10, 20), symbols=8, letters=8,
        sizes=(2500, 200, 800), batch=100, epochs=(6, 3), rates=(3e-3, 1e-2, 3e-2), seeds=4,
        learners=("legs", "lmu", "exprnn", "gru", "lstm", "rnn"),
    ),
    Scale.DEFAULT: Setting(
        reads=2**17, hidden=32, length=2048, initialisations=6, extra=True, lags=(12, 24, 48), symbols=8, letters=8,
        sizes=(3000, 300, 1000), batch=100, epochs=(6, 4), rates=(3e-3, 1e-2, 3e-2, 1e-1), seeds=4,
    ),
    Scale.FULL: Setting(
        order=32, reads=2**19, hidden=128, length=4096, initialisations=8, extra=True, lags=(100, 200, 400),
        symbols=10, letters=8, sizes=(50000, 5000, 5000), batch=200, epochs=(8, 8), rates=(1e-3, 3e-3, 1e-2), seeds=3,
    ),
}  # fmt: skip

EXTRA = (
    Entrant(key="gru_d", title="GRU-D", cell="gru_d"),
    Entrant(key="ode_rnn", title="ODE-RNN", cell="ode_rnn"),
    Entrant(key="ncde", title="neural CDE", cell="ncde"),
)
"""Cells of the other tables, whose gradient is followed as well; the tasks are not theirs."""


def seeds(setting: Setting, options: Options) -> tuple[int, ...]:
    """Of the tasks."""
    count = setting.seeds if options.seeds is None else options.seeds
    return tuple(range(options.seed, options.seed + count))


def starts(setting: Setting, options: Options) -> tuple[int, ...]:
    """Seeds of the initialisations whose gradient is followed."""
    return tuple(range(options.seed, options.seed + setting.initialisations))


def followed(setting: Setting) -> tuple[Entrant, ...]:
    """The cells whose gradient is followed."""
    return (*roster(setting.length), *(EXTRA if setting.extra else ()))


def learners(setting: Setting, lag: int) -> tuple[Entrant, ...]:
    """The cells that learn the tasks, always in the same order, with windows that fit the lag."""
    return tuple(one for one in roster(lag) if setting.learners is None or one.key in setting.learners)


def description(setting: Setting, seeds: Sequence[int]) -> str:
    """Sizes and budget of the tasks, in words."""
    rest = "" if setting.learners is None else "; cells without a row learn where --quick is not given"
    adding, copying = setting.epochs
    rates = search.tried(setting.rates, len(seeds), "at the shortest lag")
    return (
        f"hidden size {setting.hidden}, {setting.sizes[0]} sequences to learn from, {adding} epochs (copying: "
        f"{copying}) in batches of {setting.batch} (Adam), {rates}; "
        f"{setting.symbols} symbols of {setting.letters} letters to copy{rest}"
    )


def memory_unit(setting: Setting, position: int) -> Unit:
    """The gradient of the LegS memory alone, with respect to one sample."""
    settings = {"kind": "memory", "order": setting.order, "position": position, "reads": setting.reads}
    return Unit(
        key=f"memory/legs/order{setting.order}/sample{position}/reads{setting.reads}",
        cost=1 + 1e-5 * setting.reads,
        settings=settings,
    )


def gradient_unit(setting: Setting, entrant: Entrant, seed: int) -> Unit:
    """The gradient of one cell, as one seed initialises it."""
    return Unit(
        key=(
            f"gradient/{entrant.spelled}/hidden{setting.hidden}/length{setting.length}/streams{setting.streams}"
            f"/seed{seed}"
        ),
        cost=STEP_SECONDS[entrant.cell] * setting.length,
        settings={
            "kind": "gradient",
            "cell": entrant.cell,
            "options": dict(entrant.options),
            "hidden": setting.hidden,
            "length": setting.length,
            "streams": setting.streams,
            "seed": seed,
        },
    )


def task_unit(setting: Setting, kind: str, lag: int, entrant: Entrant, rate: float, seed: int) -> Unit:
    """One cell on one task."""
    s = setting
    epochs = s.epochs[TASKS.index(kind)]
    details = f"{s.symbols}of{s.letters}/" if kind == "copying" else ""
    steps = lag + (s.symbols if kind == "copying" else 0)
    return Unit(
        key=(
            f"{kind}/lag{lag}/{details}{entrant.spelled}/hidden{s.hidden}/sequences{s.sizes[0]}-{s.sizes[1]}-{s.sizes[2]}"
            f"/epochs{epochs}/batch{s.batch}/rate{rate:g}/seed{seed}"
        ),
        cost=1.2 * STEP_SECONDS[entrant.cell] * steps * epochs * -(-s.sizes[0] // s.batch),
        settings={
            "kind": kind,
            "lag": lag,
            "symbols": s.symbols,
            "letters": s.letters,
            "cell": entrant.cell,
            "options": dict(entrant.options),
            "hidden": s.hidden,
            "sizes": list(s.sizes),
            "epochs": epochs,
            "batch": s.batch,
            "rate": rate,
            "seed": seed,
        },
    )


def task_units(setting: Setting, kind: str, index: int, seeds: Sequence[int], done: Mapping[str, Result]) -> list[Unit]:
    """The search at the shortest lag; with its outcome, all lags and seeds."""
    shortest = learners(setting, setting.lags[0])[index]
    units = [task_unit(setting, kind, setting.lags[0], shortest, rate, seeds[0]) for rate in setting.rates]
    rate = chosen(setting, kind, index, seeds, done)
    if rate is None:
        return units
    rest = [
        task_unit(setting, kind, lag, learners(setting, lag)[index], rate, seed)
        for lag in setting.lags
        for seed in seeds
    ]
    known = {unit.key for unit in units}
    return [*units, *(unit for unit in rest if unit.key not in known)]


def chosen(setting: Setting, kind: str, index: int, seeds: Sequence[int], done: Mapping[str, Result]) -> float | None:
    """The rate with the lowest loss on the validation sequences; the only one if there is but one."""
    if len(setting.rates) == 1:
        return setting.rates[0]
    shortest = learners(setting, setting.lags[0])[index]
    losses = {}
    for rate in setting.rates:
        result = done.get(task_unit(setting, kind, setting.lags[0], shortest, rate, seeds[0]).key)
        if result is None:
            return None
        loss = result["metrics"]["validation"]["loss"]
        losses[rate] = float("inf") if loss is None else loss
    return min(losses, key=losses.__getitem__)
