"""By which law the gradient through each cell decays with the lag."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from verify.claims import statistics
from verify.claims.base import Curve, Figure, Number, Standing, Statement, Table
from verify.claims.long_memory_gradients import CLEARLY, VANISHED, Decay, Law, decay, geometric_mean
from verify.claims.long_memory_sources import CONSEQUENCE, NOT_RUN, PROPOSITION, Runs

FIRST_LAG: Final = 8
"""Shorter lags are left out of a law: they show how a sample enters, not how it is forgotten."""


@dataclass(frozen=True)
class Pooled:
    """The geometric mean of norms over initialisations, and its law; without one, `problem` says why."""

    lags: tuple[int, ...]
    norms: tuple[float, ...]
    law: Decay | None
    problem: str = ""


def pooled(runs: Runs) -> Pooled:
    """All seeds of a cell as one curve: weights make single ones waver, in ways that differ."""
    known = [run for run in runs.values() if run is not None]
    if not runs or len(known) < len(runs):
        return Pooled((), (), None, NOT_RUN)
    lags = tuple(known[0]["lags"])
    norms = tuple(geometric_mean(np.array([run["norms"] for run in known])).tolist())
    return Pooled(lags, norms, *_law(lags, norms))


def _law(lags: Sequence[int], norms: Sequence[float]) -> tuple[Decay | None, str]:
    far = [(lag, norm) for lag, norm in zip(lags, norms, strict=True) if lag >= FIRST_LAG]
    try:
        return decay([lag for lag, _ in far], [norm for _, norm in far]), ""
    except ValueError as error:
        return None, str(error)


def leanings(runs: Runs) -> dict[int, float | None]:
    """By seed, the logarithm of the misfit of a power law by that of an exponential: above 0 where it is exponential.

    None where the norms of a seed have no law: they vanish at once, do not decay, or grow. Empty unless all were run.
    """
    found: dict[int, float | None] = {}
    for seed, run in runs.items():
        if run is None:
            return {}
        one = _law(run["lags"], run["norms"])[0]
        # Of the law that fits better, whether the norms fall.
        falls = one is not None and one.law is not Law.STEADY and (one.rate if one.ratio > 1 else one.exponent) < 0
        found[seed] = math.log(one.ratio) if one is not None and falls else None
    return found


def comparisons(key: str, runs: Runs, law: Law) -> dict[str, statistics.Comparison]:
    """Whether a cell forgets by a law, and whether by the other one: each clearly, over initialisations.

    Args:
        key: of the cell.
        runs: its gradients.
        law: polynomial or exponential, the one that is stated.
    """
    sign = 1 if law is Law.EXPONENTIAL else -1
    towards = {seed: None if one is None else sign * one for seed, one in leanings(runs).items()}
    clearly = math.log(CLEARLY)
    return {
        _name(key, stated): statistics.compare(towards, margin=clearly if stated else -clearly, of="initialisation")
        for stated in (True, False)
    }


def _name(key: str, stated: bool) -> str:
    return f"gradient/{key}/{'stated law' if stated else 'other law'}"


def decays(
    key: str,
    names: Mapping[str, str],
    found: Pooled,
    runs: Runs,
    law: Law,
    decisions: Mapping[str, statistics.Decision],
) -> Statement:
    """That a cell forgets by a law.

    Args:
        key: of the cell.
        names: of all cells, by key.
        found: what was measured, over all initialisations together.
        runs: of each initialisation.
        law: polynomial or exponential, the one that is stated.
        decisions: among others those of `comparisons`.
    """
    text = {
        Law.POLYNOMIAL: f"The gradient through a {names[key]} cell, as initialised, falls off like a power of the lag.",
        Law.EXPONENTIAL: f"The gradient through a {names[key]} cell, as initialised, vanishes exponentially.",
    }[law]
    other, mine = ("a power law", "an exponential")[:: 1 if law is Law.EXPONENTIAL else -1]
    stated, opposed = (decisions[_name(key, which)] for which in (True, False))
    clearly = math.log(CLEARLY)
    criterion = (
        "norm of the derivative of the hidden state with respect to one input, "
        f"at lags from {FIRST_LAG}: logarithm of the misfit of {other} by that of {mine}, both least squares in the "
        f"logarithm; holds where it lies above {clearly:.4g}, fails where it lies below {-clearly:.4g} or no "
        f"initialisation decays, undecided between, at {stated.level:.0%} for {stated.family} comparisons together "
        "(over initialisations, Student's t; Holm)"
    )
    common: dict[str, Any] = {
        "text": text,
        "source": PROPOSITION if law is Law.POLYNOMIAL else CONSEQUENCE,
        "criterion": criterion,
        "bound": clearly,
        "bound_source": f"log {CLEARLY:g}: a misfit that is twice as large tells the two laws apart",
    }
    if found.law is None:
        standing = Standing.NOT_RUN if found.problem == NOT_RUN else Standing.UNDECIDED
        return Statement(**common, standing=standing, message=found.problem)
    words = (
        f"all together {found.law.law}: exponent {found.law.exponent:.3g} over the lag, rate {found.law.rate:.3g} a "
        f"step, up to lag {found.law.last}"
    )
    if all(run is not None and _steady(run) for run in runs.values()):
        return Statement(**common, standing=Standing.FAILS, message=f"no initialisation decays; {words}")
    if opposed.standing is Standing.FAILS:
        shown, standing = opposed, Standing.FAILS
    else:
        shown, standing = stated, Standing.HOLDS if stated.standing is Standing.HOLDS else Standing.UNDECIDED
    if stated.standing is Standing.FAILS and standing is Standing.UNDECIDED:
        words = f"{mine} does not fit twice as well, and whether {other} does is open; {words}"
    return Statement(
        **common | {"bound": shown.comparison.margin},
        standing=standing,
        measured=shown.comparison.difference,
        message=f"{shown.words}; {words}",
    )


def _steady(run: Mapping[str, Any]) -> bool:
    one = _law(run["lags"], run["norms"])[0]
    return one is not None and one.law is Law.STEADY


def _misfit(runs: Runs) -> Number:
    """The ratio of the misfits: the geometric mean over initialisations, with its interval."""
    found = statistics.number(leanings(runs))
    measured, low, high = (None if x is None else math.exp(x) for x in (found.measured, found.low, found.high))
    return replace(found, measured=measured, low=low, high=high)


def table(names: Mapping[str, str], gradients: Mapping[str, Runs], laws: Mapping[str, Pooled]) -> Table:
    """The law of each cell.

    Args:
        names: of the cells, by key.
        gradients: their runs.
        laws: what came of them together.
    """
    rows = []
    for key, found in laws.items():
        name = f"{names[key]}: {found.law.law}" if found.law else names[key]
        if found.law is None:
            rows.append((name, (Number(measured=None, why=found.problem),) * 4))
            continue
        singles = {seed: _law(run["lags"], run["norms"])[0] for seed, run in gradients[key].items() if run}
        exponents = {seed: None if one is None else one.exponent for seed, one in singles.items()}
        rates = {seed: None if one is None else one.rate for seed, one in singles.items()}
        paper: dict[str, Any] = {}
        if key == "legs":
            paper = {"paper": -1.0, "paper_source": PROPOSITION, "why": "the paper's is that of the memory alone"}
        alive = [norm for norm in found.norms if norm > VANISHED]
        rows.append(
            (
                name,
                (
                    statistics.number(exponents, **paper),
                    statistics.number(rates),
                    _misfit(gradients[key]),
                    Number(measured=alive[-1] / found.norms[0]),
                ),
            )
        )
    return Table(
        key="gradient",
        title="Cells as initialised: how the gradient of the hidden state decays with the lag",
        unit="",
        row_header="cell and law",
        columns=(
            "exponent over the lag",
            "rate a step",
            "misfit, power by exponential",
            "last norm by first",
        ),
        rows=tuple(rows),
        note="The law is that of the geometric mean of the norms over initialisations; the numbers are means over "
        f"initialisations with their intervals (of the misfit geometric). Norms below {VANISHED:g} are left out.",
    )


def figures(key: str, when: str, names: Mapping[str, str], laws: Mapping[str, Pooled]) -> tuple[Figure, ...]:
    """The norms over the lag; none where nothing was run.

    Args:
        key: of the figure.
        when: in words, the state of the cells.
        names: of the cells, by key.
        laws: what was measured.
    """
    curves = []
    for cell, found in laws.items():
        points = [(lag, norm) for lag, norm in zip(found.lags, found.norms, strict=True) if norm > VANISHED]
        if points:
            x, y = zip(*points, strict=True)
            curves.append(Curve(name=names[cell], x=tuple(map(float, x)), y=tuple(y)))
    if not curves:
        return ()
    x = max((curve.x for curve in curves), key=len)
    curves.append(Curve(name="1/lag", x=x, y=tuple(1 / lag for lag in x)))
    said = [f"{names[cell]} {found.law.law}" for cell, found in laws.items() if found.law]
    return (
        Figure(
            key=key,
            title=f"Gradient of the hidden state against the lag, cells {when}",
            x_label="lag, samples",
            y_label="norm of the gradient",
            x_log=True,
            y_log=True,
            curves=tuple(curves),
            alt="Laws of decay: " + ", ".join(said) + ".",
        ),
    )
