"""Noise as it is on shared machines, made to order: what the gate's rates are where the truth is known.

``python -m verify.gate.simulation`` prints the table of docs/gate.md.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from verify.gate.calibration import Rate
from verify.gate.costs import going_on, judge_costs
from verify.gate.settings import Settings
from verify.gate.side import Kind, Measurement
from verify.gate.words import Ruling, Word

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What disturbs a round.

    Attributes:
        pair: standard deviation of the log ratio of an undisturbed pair: 0.05 to 0.1 on shared machines.
        tails: degrees of freedom of Student's t that its halves follow.
        outliers: share of the processes that take about twice the time, for reasons of their own.
        drift: standard deviation of a level that both sides of a pair share.
        memory: correlation of that level, and of the pairs' scatter, from round to round.
        second: how much slower whatever runs second is, as a logarithm.
    """

    pair: float = 0.07
    tails: float = 4.0
    outliers: float = 0.01
    drift: float = 0.2
    memory: float = 0.8
    second: float = 0.02

    def rounds(self, ratio: float, rounds: int, draw: np.random.Generator) -> tuple[Array, Array]:
        """Times of base and head in every round, where head takes ``ratio`` times as long in truth."""
        level, scatter = self._walk(rounds, draw), np.exp(0.5 * self._walk(rounds, draw))
        scatter /= math.exp(0.25)  # its root mean square is 1
        size = self.pair / math.sqrt(2) * math.sqrt((self.tails - 2) / self.tails)
        first, second = (size * scatter * draw.standard_t(self.tails, rounds) for _ in range(2))
        first, second = (
            times + np.where(draw.random(rounds) < self.outliers, np.log(draw.uniform(1.5, 2.5, rounds)), 0.0)
            for times in (first, second + self.second)
        )
        base_first = draw.random(rounds) < 0.5
        base, head = np.where(base_first, first, second), np.where(base_first, second, first)
        return np.exp(self.drift * level + base), ratio * np.exp(self.drift * level + head)

    def _walk(self, rounds: int, draw: np.random.Generator) -> Array:
        """A stationary level of variance 1 that remembers itself from round to round."""
        fresh, level = draw.standard_normal(rounds), np.empty(rounds)
        level[0] = fresh[0]
        for i in range(1, rounds):
            level[i] = self.memory * level[i - 1] + math.sqrt(1 - self.memory**2) * fresh[i]
        return level


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What came of many benchmarks with the same truth.

    Attributes:
        slower: called slower.
        in_time: called slower without further rounds.
        passed: called the same, or better.
        unclear: called not measured.
        rounds: mean of the rounds that were run, looks and all.
    """

    slower: Rate
    in_time: Rate
    passed: Rate
    unclear: Rate
    rounds: float


def rulings(
    noise: Noise, ratio: float, settings: Settings, family: int, runs: int, seed: int
) -> Iterator[tuple[Ruling, int]]:
    """What is said of one benchmark of a family, again and again, and after how many rounds."""
    draw = np.random.default_rng(seed)
    for _ in range(runs):
        base, head = noise.rounds(ratio, settings.looks[-1], draw)
        for look in settings.looks:
            pairs = {NAME: (_measured(base[:look]), _measured(head[:look]))}
            if look == settings.looks[-1] or not going_on(pairs, settings, family):
                yield judge_costs(pairs, settings, paired=True, family=family)[NAME], look
                break


def rates(
    noise: Noise, ratio: float, *, family: int = 1, runs: int = 1000, seed: int = 0, settings: Settings | None = None
) -> Rates:
    """How often a benchmark that takes ``ratio`` times as long is found, passed and left open."""
    settings = settings or Settings()
    found = list(rulings(noise, ratio, settings, family, runs, seed))
    words = [ruling.word for ruling, _ in found]
    return Rates(
        slower=Rate(words.count(Word.SLOWER), runs),
        in_time=Rate(sum(one.word is Word.SLOWER and rounds <= settings.rounds for one, rounds in found), runs),
        passed=Rate(words.count(Word.SAME) + words.count(Word.BETTER), runs),
        unclear=Rate(words.count(Word.NOT_MEASURED), runs),
        rounds=sum(rounds for _, rounds in found) / runs,
    )


def _measured(times: Array) -> Measurement:
    return Measurement(
        name=NAME, kind=Kind.TIME, unit="seconds", version="1", status="measured", rounds=tuple(times.tolist())
    )


NAME: Final = "simulated"
RUNS: Final = 2000
TRUTHS: Final = (1.0, 1.1, 1.2, 1.5)


def main() -> None:
    """The table, as Markdown."""
    write = sys.stdout.write
    write("| pair | outliers | family | truth | slower | of it, in 16 rounds | same | not measured | rounds |\n")
    write("|---|---|---|---|---|---|---|---|---|\n")
    for pair, outliers in ((0.03, 0.01), (0.05, 0.01), (0.07, 0.01), (0.07, 0.03), (0.1, 0.01)):
        for family in (40, 200):
            for truth in TRUTHS:
                found = rates(Noise(pair=pair, outliers=outliers), truth, family=family, runs=RUNS, seed=1)
                counted = (found.slower, found.in_time, found.passed, found.unclear)
                shown = (f"{100 * rate.share:.2f} %" for rate in counted)
                row = (f"{pair:.0%}", f"{outliers:.0%}", family, truth, *shown, f"{found.rounds:.1f}")
                write(f"| {' | '.join(map(str, row))} |\n")


if __name__ == "__main__":
    main()
