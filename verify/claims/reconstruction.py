"""Function reconstruction: what memories of order 256 keep of a million samples of noise, and how fast they read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from verify.claims import reconstruction_speed as speed
from verify.claims.base import Options, Outcome, Result, Scale, Unit
from verify.claims.reconstruction_judgement import judge
from verify.claims.reconstruction_lstm import answer, memory_task, powers, steps_for
from verify.claims.reconstruction_memories import CURVE_POINTS, Memory, course, curve, measure, settings_of
from verify.claims.reconstruction_results import SOURCE, Measured
from verify.claims.reconstruction_signals import Law
from verify.claims.workspace import Workspace

COURSE: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
"""Shares of the run after which errors on the way are taken: dense where 256 numbers cease to be enough."""
SHORT: Final = 0.05
"""Length of the history with which the LSTM's training is tried first, as a share of the run."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured at one scale.

    Attributes:
        steps: samples of the whole run.
        order: coefficients, and hidden units of the LSTM.
        seconds: length of the run; the band limit is 1 Hz.
        recent: length of the short window, in seconds.
        signals: how many signals are read.
        rules: of LegS.
        long: samples of the same signals read ten times as finely.
        long_signals: how many of them.
        tenfold: whether a run ten times as long is measured too.
        turns: of the timing.
        timed: samples that each contender reads in a turn.
        learning: signals the LSTM learns from, and epochs.
        trial: the same with a short history, which shows that the training can learn.
        cost_of_steps: estimated seconds for 10^6 samples of one signal.
        cost_of_learning: estimated seconds for one signal in one epoch.
    """

    steps: int = 10**6
    order: int = 256
    seconds: float = 100.0
    recent: float = 20.0
    signals: int = 16
    rules: tuple[str, ...] = ("bilinear", "backward_euler", "zoh", "trapezoid", "foh")
    long: int = 10**7
    long_signals: int = 4
    tenfold: bool = False
    turns: int = 7
    timed: Mapping[str, int]
    learning: tuple[int, int]
    trial: tuple[int, int]
    cost_of_steps: float = 0.08
    cost_of_learning: float = 0.02


ALL_RULES: Final = ("bilinear", "backward_euler", "euler", "zoh", "trapezoid", "foh")
TIMED: Final[Mapping[str, int]] = {
    speed.LEGS_SCAN: 1_000_000,
    speed.LEGS_ONLINE: 20_000,
    speed.LEGS_TEXTBOOK: 1_000,
    speed.LMU_SCAN: 1_000_000,
    speed.LMU_ONLINE: 5_000,
    speed.LMU_TEXTBOOK: 5_000,
    speed.LSTM: 2_000,
}
SIZES: Final[Mapping[Scale, Size]] = {
    Scale.SMOKE: Size(
        steps=2_000, order=16, seconds=8.0, recent=2.0, signals=2, rules=("bilinear", "zoh"), long=20_000,
        long_signals=2, turns=2, timed=dict.fromkeys(TIMED, 64), learning=(8, 1), trial=(8, 2),
    ),
    Scale.QUICK: Size(timed=TIMED, learning=(512, 3), trial=(1024, 10)),
    Scale.DEFAULT: Size(
        signals=24, rules=ALL_RULES, long_signals=8, tenfold=True, turns=15, timed=TIMED, learning=(1024, 6),
        trial=(2048, 20),
    ),
    Scale.FULL: Size(
        signals=64, rules=ALL_RULES, long_signals=16, tenfold=True, turns=31, timed=TIMED, learning=(16384, 60),
        trial=(4096, 60),
    ),
}  # fmt: skip


class Reconstruction:
    """The paper's function approximation, and what it times."""

    key = "reconstruction"
    title = "Function reconstruction: a million steps of noise in 256 numbers"
    source = SOURCE

    def plan(self, options: Options, done: Mapping[str, Result]) -> Sequence[Unit]:
        """Everything at once: no unit rests on another."""
        del done
        size = SIZES[options.scale]
        count = size.signals if options.seeds is None else options.seeds
        fine = min(count, size.long_signals)
        units = [_truth(size, options.seed)]
        units += [_reading(size, memory, size.steps, size.seconds, options.seed, count) for memory in memories(size)]
        legs, lmu = _legs(size), _lmu(size, size.seconds)
        units.append(_reading(size, legs, size.long, size.seconds, options.seed, fine))
        if size.tenfold:
            units.append(_reading(size, legs, size.long, size.seconds * size.long / size.steps, options.seed, fine))
        units += [_course(size, memory, options.seed) for memory in (legs, lmu)]
        short = size.seconds * (SHORT if options.scale is not Scale.SMOKE else 0.5)
        for seconds, learning in ((size.seconds, size.learning), (short, size.trial)):
            units.append(_learning(size, seconds, learning, options.seed, count))
        units.append(_timing(size))
        return tuple(units)

    def run(self, unit: Unit, options: Options, workspace: Workspace) -> Result:
        """One memory on all signals, the LSTM, or the timing."""
        given = unit.settings
        kinds = {"truth": _run_truth, "reading": _run_reading, "course": _run_course, "timing": _run_timing}
        if given["kind"] == "learning":
            return _run_learning(given, options, workspace)
        return kinds[given["kind"]](given, workspace)

    def judge(self, options: Options, done: Mapping[str, Result]) -> Outcome:
        """The paper's table with ours beside, and what is true of it."""
        units = {unit.key: unit for unit in self.plan(options, done)}
        by_kind: dict[str, list[tuple[Mapping[str, Any], Result | None]]] = {}
        for key, unit in units.items():
            by_kind.setdefault(unit.settings["kind"], []).append((unit.settings, done.get(key)))
        size = SIZES[options.scale]
        return judge(
            Measured(
                scale=options.scale, steps=size.steps, long=size.long, order=size.order, seconds=size.seconds,
                recent=size.recent, by_kind=by_kind,
            )
        )  # fmt: skip


def memories(size: Size) -> list[Memory]:
    """All that read the run: LegS under each rule, the window over all of it as LMU and LegT, and a short window."""
    order = size.order
    return [
        *(Memory(measure="legs", method=rule, order=order) for rule in size.rules),
        _lmu(size, size.seconds),
        Memory(measure="lmu", method="bilinear", order=order, theta=size.seconds),
        Memory(measure="legt", method="bilinear", order=order, theta=size.seconds),
        _lmu(size, size.recent),
    ]


def _legs(size: Size) -> Memory:
    return Memory(measure="legs", method="bilinear", order=size.order)


def _lmu(size: Size, theta: float) -> Memory:
    return Memory(measure="lmu", method="zoh", order=size.order, theta=theta)


def _stretches(seconds: float, recent: float) -> dict[str, tuple[float, float]]:
    """Stretches that are drawn: the middle, where polynomials resolve least, and the end."""
    half = recent / 4
    return {"middle": (seconds / 2 - half, seconds / 2 + half), "end": (seconds - 2 * half, seconds)}


def _truth(size: Size, seed: int) -> Unit:
    return Unit(
        key=f"signal-{size.seconds:g}s-seed{seed}-order{size.order}", cost=0.5,
        settings={"kind": "truth", "seconds": size.seconds, "seed": seed, "order": size.order, "recent": size.recent},
    )  # fmt: skip


def _run_truth(given: Mapping[str, Any], workspace: Workspace) -> Result:
    workspace.report(0.0, "the signal")
    law = Law(given["seconds"])
    signal, order, seconds = law.draw(given["seed"]), given["order"], given["seconds"]
    best, ideal = signal.projection(order, 0.0, seconds), Memory(measure="legs", method="exact", order=order)
    curves = {}
    for name, (begin, end) in _stretches(seconds, given["recent"]).items():
        times = np.linspace(begin, end, CURVE_POINTS)
        _, held = curve(ideal, best, seconds, begin, end)
        curves[name] = {"times": times.tolist(), "signal": signal.values(times).tolist(), "best": held.tolist()}
    return {"curves": curves, "variance": law.rms**2, "unseen": law.unseen(order), "harmonics": law.harmonics}


def _reading(size: Size, memory: Memory, steps: int, seconds: float, seed: int, count: int) -> Unit:
    return Unit(
        key=f"{memory.key}-steps{steps}-{seconds:g}s-signals{seed}+{count}",
        cost=1.0 + count * (0.01 + size.cost_of_steps * steps / 1e6 * (20 if memory.method == "euler" else 1)),
        settings={
            "kind": "reading", "memory": memory.to_json(), "steps": steps, "seconds": seconds, "recent": size.recent,
            "seed": seed, "signals": count,
        },
    )  # fmt: skip


def _run_reading(given: Mapping[str, Any], workspace: Workspace) -> Result:
    memory, law, seconds, steps = settings_of(given["memory"]), Law(given["seconds"]), given["seconds"], given["steps"]
    kept = workspace.load("errors") or {}
    seeds = range(given["seed"], given["seed"] + given["signals"])
    for done, seed in enumerate(seeds):
        workspace.report(done / len(seeds), f"{memory.title}: signal {done + 1} of {len(seeds)}")
        if str(seed) in kept:
            continue
        if workspace.stop_requested():
            workspace.save("errors", kept)
            workspace.check()
        kept[str(seed)] = asdict(measure(memory, law, law.draw(seed), steps, given["recent"]))
    coefficients = memory.read(law.draw(given["seed"]).samples(steps), seconds / steps)
    curves = {}
    for name, (begin, end) in _stretches(seconds, given["recent"]).items():
        times, values = curve(memory, coefficients, seconds, begin, end)
        curves[name] = {"times": times.tolist(), "values": values.tolist()}
    return {"errors": kept, "curves": curves}


def _course(size: Size, memory: Memory, seed: int) -> Unit:
    return Unit(
        key=f"course-{memory.key}-steps{size.steps}-{size.seconds:g}s-seed{seed}",
        cost=0.5 + 2 * size.cost_of_steps * size.steps / 1e6,
        settings={
            "kind": "course", "memory": memory.to_json(), "steps": size.steps, "seconds": size.seconds, "seed": seed,
        },
    )  # fmt: skip


def _run_course(given: Mapping[str, Any], workspace: Workspace) -> Result:
    workspace.report(0.0, "errors on the way")
    marks = tuple(round(share * given["steps"]) for share in COURSE)
    signal = Law(given["seconds"]).draw(given["seed"])
    return {"rows": course(settings_of(given["memory"]), signal, given["steps"], marks)}


def _learning(size: Size, seconds: float, learning: tuple[int, int], seed: int, count: int) -> Unit:
    signals, epochs = learning
    law = Law(seconds)
    return Unit(
        key=f"lstm{size.order}-{seconds:g}s-{signals}x{epochs}-signals{seed}+{count}",
        cost=3.0 + size.cost_of_learning * signals * epochs * steps_for(law) / steps_for(Law(size.seconds)),
        settings={
            "kind": "learning", "seconds": seconds, "hidden": size.order, "train": signals, "epochs": epochs,
            "seed": seed, "signals": count, "recent": size.recent,
        },
    )  # fmt: skip


def _run_learning(given: Mapping[str, Any], options: Options, workspace: Workspace) -> Result:
    from verify.claims.training import ModelSpec, Recipe, train  # noqa: PLC0415 -- imports torch

    law = Law(given["seconds"])
    task = memory_task(law, range(given["seed"], given["seed"] + given["signals"]), given["train"])
    recipe = Recipe(learning_rate=2e-3, batch=32, epochs=given["epochs"], schedule="cosine")
    learnt = train(task, ModelSpec(cell="lstm", hidden_size=given["hidden"]), recipe, 0, workspace, options.device)
    power = powers(task)
    errors = {
        seed: {"power": power[seed], "whole": loss}
        for seed in task.tests
        if (loss := learnt.metrics[seed]["loss"]) is not None
    }
    curves = {}
    if learnt.best_epoch is not None:
        times, values = answer(learnt.module, task, law, given["seed"])
        for name, (begin, end) in _stretches(given["seconds"], min(given["recent"], given["seconds"])).items():
            inside = (times >= begin) & (times <= end)
            curves[name] = {"times": times[inside].tolist(), "values": values[inside].tolist()}
    return {"errors": errors, "curves": curves, "learning": learnt.to_json(), "samples": steps_for(law)}


def _timing(size: Size) -> Unit:
    return Unit(
        key=f"speed-order{size.order}-turns{size.turns}-read{max(size.timed.values())}",
        cost=1.5 + 0.3 * size.turns,
        settings={"kind": "timing", "order": size.order, "turns": size.turns, "timed": dict(size.timed)},
    )  # fmt: skip


def _run_timing(given: Mapping[str, Any], workspace: Workspace) -> Result:
    workspace.report(0.0, "timing")
    longest = max(given["timed"].values())
    samples = np.random.default_rng(0).standard_normal(longest)
    entered = speed.contenders(given["order"], samples, 100.0 / longest, given["timed"])
    return {"speeds": speed.race(entered, given["turns"])}
