"""What the gate does on this very machine: rates of its alarms between identical builds, with exact limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from scipy import stats

from verify.gate.costs import COSTS, judge_costs
from verify.gate.judgement import compare
from verify.gate.settings import Settings
from verify.gate.side import Kind, Measurement, Side
from verify.gate.words import Outcome, Word

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Rate:
    """How often something happened.

    Attributes:
        events: how often.
        trials: out of how many; the limits take them to be independent, as benchmarks that share rounds are not quite.
    """

    events: int
    trials: int

    @property
    def share(self) -> float:
        """Events of trials; 0 where there were none."""
        return self.events / self.trials if self.trials else 0.0

    @property
    def limits(self) -> tuple[float, float]:
        """Clopper and Pearson's limits of the true rate, at `CONFIDENCE`."""
        if not self.trials:
            return 0.0, 1.0
        interval = stats.binomtest(self.events, self.trials).proportion_ci(CONFIDENCE, method="exact")
        return float(interval.low), float(interval.high)

    def __str__(self) -> str:
        low, high = self.limits
        return f"{self.events} of {self.trials} ({100 * low:.2g} % to {100 * high:.2g} %)"


@dataclass(frozen=True, kw_only=True)
class Planted:
    """What became of a slowdown that was planted in real rounds, one benchmark at a time.

    Attributes:
        slower: it was found.
        passed: it was called the same, or better: what must not be.
        unclear: it was called not measured.
    """

    slower: Rate
    passed: Rate
    unclear: Rate


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What was seen in comparisons of a build with itself.

    Attributes:
        alarms: kind -> benchmarks that failed, of all that were compared or could not be.
        unclear: kind -> benchmarks that were called not measured, or not comparable, without failing.
        families: comparisons with any failure.
        open_families: comparisons without a failure that were inconclusive all the same.
        planted: ratio -> what became of it.
    """

    alarms: Mapping[Kind, Rate]
    unclear: Mapping[Kind, Rate]
    families: Rate
    open_families: Rate
    planted: Mapping[float, Planted]


def calibrate(
    runs: Iterable[tuple[Side, Side]], settings: Settings, slowdowns: Sequence[float] = (1.1, 1.2, 1.5)
) -> Calibration:
    """Rates from comparisons whose sides are the same build.

    The planted slowdowns multiply every round of head by the same factor, so that the noise stays what it is here;
    each is judged as one among the benchmarks of its comparison, where it ran the planned rounds. Most of an identical
    build end sooner, for they are the same; what is slower would have been asked on.
    """
    comparisons = [compare(base, head, settings) for base, head in runs]
    findings = [
        finding
        for comparison in comparisons
        for finding in comparison.findings
        if {finding.name} <= set(comparison.base.measurements) & set(comparison.head.measurements)
        if not (_skipped(comparison.base, finding.name) and _skipped(comparison.head, finding.name))
    ]
    kinds = [kind for kind in Kind if any(finding.kind is kind for finding in findings)]

    def among(outcome: Outcome) -> dict[Kind, Rate]:
        return {
            kind: Rate(
                sum(finding.outcome is outcome for finding in findings if finding.kind is kind),
                sum(finding.kind is kind for finding in findings),
            )
            for kind in kinds
        }

    codes = [comparison.exit_code for comparison in comparisons]
    return Calibration(
        alarms=among(Outcome.FAIL),
        unclear=among(Outcome.INCONCLUSIVE),
        families=Rate(codes.count(1), len(codes)),
        open_families=Rate(codes.count(5), len(codes)),
        planted={
            ratio: _planted(
                [
                    judge_costs(
                        {name: (comparison.base.measurements[name], _slowed(now, ratio))},
                        settings, paired=comparison.paired, family=comparison.family,
                    )[name].word
                    for comparison in comparisons
                    for name, now in comparison.head.measurements.items()
                    if now.kind in COSTS and _both_measured(comparison.base, now)
                    if len(now.rounds) >= settings.rounds
                ]
            )
            for ratio in slowdowns
        },
    )  # fmt: skip


def _skipped(side: Side, name: str) -> bool:
    return side.measurements[name].status == "skipped"


def _both_measured(base: Side, now: Measurement) -> bool:
    before = base.measurements.get(now.name)
    return before is not None and before.status == now.status == "measured"


def _slowed(measurement: Measurement, ratio: float) -> Measurement:
    factor = 1 / ratio if measurement.kind is Kind.RATE else ratio
    return replace(measurement, rounds=tuple(v if v is None else v * factor for v in measurement.rounds))


def _planted(words: Sequence[Word]) -> Planted:
    return Planted(
        slower=Rate(words.count(Word.SLOWER), len(words)),
        passed=Rate(words.count(Word.SAME) + words.count(Word.BETTER), len(words)),
        unclear=Rate(words.count(Word.NOT_MEASURED), len(words)),
    )
