"""What seeds and a finite test set allow to say: an interval, a paired comparison, and a verdict that is seldom wrong.

Two things make a measured mean differ from the one it stands for: seeds (first weights, order of the sequences), of
which a few are tried, and the test set, of which there is one. With the sample variance s² over n seeds, and w the
variance that a test set of N items leaves in the mean however many seeds are tried, the half width of an interval is

    sqrt(t² s² / n + z² w),

t the quantile of Student's distribution with n - 1 degrees of freedom, z that of the normal one: each interval alone,
added as independent errors add (Howe, Journal of the American Statistical Association 69, 1974). It covers at least
what it says, whichever of the two is the larger; the degrees of freedom of Welch and Satterthwaite do not: with two
seeds their interval of 95 % covers 87 %. The p-value is that of the interval that just reaches the margin.

For a share p of right answers w = p (1 - p) / N, with p moved to (p N + 2) / (N + 4), so that a share of 1 is not
certain (Agresti and Coull, The American Statistician 52, 1998). Two cells that answer the same test set are compared
seed by seed, and their two w are added: that is too much where their errors fall on the same items, never too little
unless one errs where the other does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from verify.claims.base import Number, Standing, Statement

LEVEL: Final = 0.95
"""Of every interval, and of a claim's statements together: the chance that none of its verdicts is wrong."""
SMALLEST: Final = -100
"""Power of ten below which no p-value is told apart."""

Values = Mapping[int, float | None]
"""Seed, then what was measured with it; None where that gave no number."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over seeds, and its interval at `LEVEL`; None where there are too few to give one."""

    mean: float | None
    low: float | None
    high: float | None
    seeds: int


def estimate(values: Values, *, count: int | None = None, level: float = LEVEL) -> Estimate:
    """The mean over the seeds that gave a number.

    Args:
        values: by seed.
        count: where the values are shares of right answers, in how many; None: they are not.
        level: of the interval.
    """
    known = [value for value in values.values() if value is not None]
    if not known:
        return Estimate(mean=None, low=None, high=None, seeds=0)
    mean = math.fsum(known) / len(known)
    spread = _Spread.of(known, 0.0 if count is None else share_variance(mean, count))
    if spread is None:
        return Estimate(mean=mean, low=None, high=None, seeds=len(known))
    half = spread.half(1 - level)
    return Estimate(mean=mean, low=mean - half, high=mean + half, seeds=len(known))


def number(
    values: Values, *, count: int | None = None, paper: float | None = None, paper_source: str = "", why: str = ""
) -> Number:
    """The mean over seeds as a `Number`; says what is missing where seeds gave none.

    Args:
        values: by seed.
        count: where the values are shares of right answers, in how many.
        paper: what the paper states.
        paper_source: where.
        why: why it differs; or why there is none.
    """
    found = estimate(values, count=count)
    lost = len(values) - found.seeds
    said = [why] if why else []
    if lost:
        said.append(f"{lost} of {len(values)} seeds gave no number")
    if not values:
        said = said or ["it was not run"]
    return Number(
        measured=found.mean, low=found.low, high=found.high, paper=paper, paper_source=paper_source,
        why="; ".join(said),
    )  # fmt: skip


def share_variance(share: float, count: int) -> float:
    """What a test set of `count` items leaves uncertain of a share of right answers.

    Raises:
        ValueError: no share, or no item.
    """
    if not 0 <= share <= 1 or count < 1:
        raise ValueError(f"a share of {share} of {count} items; accepted: between 0 and 1 of at least one")
    moved = (share * count + 2) / (count + 4)
    return moved * (1 - moved) / count


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """By how much A lies above B, seed by seed.

    Attributes:
        difference: the mean of A - B.
        low: lower end of its interval at `LEVEL`.
        high: upper end.
        margin: what it is held against.
        p: the chance of a difference at least as far from the margin if it were the margin; 1 where nothing is known.
        seeds: how many there are of both.
        problem: why nothing can be said; "" where something can.
        of: what each number is of, a noun: a seed, or whatever else was drawn.
        not_run: whether one of the two was not measured at all; one whose seeds all diverged was.
    """

    difference: float | None
    low: float | None
    high: float | None
    margin: float
    p: float
    seeds: int
    problem: str = ""
    of: str = "seed"
    not_run: bool = False


def compare(
    a: Values,
    b: Values | None = None,
    *,
    margin: float = 0.0,
    count: int | None = None,
    variance: float = 0.0,
    level: float = LEVEL,
    of: str = "seed",
) -> Comparison:
    """Hold A - B against a margin.

    Args:
        a: by seed.
        b: by seed, the same ones; None: A itself is held against the margin.
        margin: A is to lie above B by it; it may be negative: A is not worse by more than that.
        count: where both are shares of right answers, of how many items of the same test set.
        variance: what else a finite test set leaves in the difference, where `count` does not say it.
        level: of the interval.
        of: what each number is of, a noun; what is said below of seeds is true of whatever is drawn independently.
    """

    def unknown(known: int, problem: str, mean: float | None = None, not_run: bool = False) -> Comparison:
        return Comparison(
            difference=mean, low=None, high=None, margin=margin, p=1.0, seeds=known, problem=problem, of=of,
            not_run=not_run,
        )  # fmt: skip

    if not a or (b is not None and not b):
        return unknown(0, "it was not run", not_run=True)
    if b is not None and set(a) != set(b):
        return unknown(len(set(a) & set(b)), f"the two were not run with the same {of}s")
    without = sorted(seed for seed in a if a[seed] is None or (b is not None and b[seed] is None))
    if without:
        # Those that are left are no fair draw: what diverges is left out.
        return unknown(len(a) - len(without), f"{of}s {', '.join(map(str, without))} gave no number")
    pairs = [(_known(a[seed]), 0.0 if b is None else _known(b[seed])) for seed in sorted(a)]
    differences = [one - other for one, other in pairs]
    mean = math.fsum(differences) / len(differences)
    if count is not None:
        sides = [0] if b is None else [0, 1]
        variance += sum(share_variance(math.fsum(pair[side] for pair in pairs) / len(pairs), count) for side in sides)
    if len(differences) == 1:
        return unknown(1, f"one {of} says nothing of the spread over {of}s", mean)
    spread = _Spread.of(differences, variance)
    if spread is None:
        return unknown(len(pairs), f"every {of} gave the very same number: {of}s do nothing here", mean)
    half = spread.half(1 - level)
    return Comparison(
        difference=mean, low=mean - half, high=mean + half, margin=margin, p=spread.p(mean - margin), seeds=len(pairs),
        of=of,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is said of a comparison, among all those of a claim.

    Attributes:
        standing: HOLDS above the margin, FAILS below it, UNDECIDED where either may be.
        comparison: what it is said of.
        p: adjusted to the number of statements (Holm).
        family: how many statements there are.
        words: the interval, and what follows.
    """

    standing: Standing
    comparison: Comparison
    p: float
    family: int
    level: float = LEVEL
    words: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", self._words())

    def _words(self) -> str:
        one = self.comparison
        if one.problem:
            return one.problem
        interval = f"{self.level:.0%} interval {one.low:.4g} to {one.high:.4g}"
        found = f"{one.difference:.4g} over {one.seeds} {one.of}s, {interval}"
        if self.standing is Standing.UNDECIDED:
            among = f" among {self.family} statements" if self.family > 1 else ""
            return f"{found}: too wide to say whether it lies above {one.margin:.4g} (p = {self.p:.2g}{among})"
        side = "above" if self.standing is Standing.HOLDS else "below"
        return f"{found}: {side} {one.margin:.4g}"

    def statement(self, *, text: str, source: str, quantity: str, bound_source: str, message: str = "") -> Statement:
        """The statement that this decides.

        Args:
            text: a sentence that is true or false.
            source: paper, and table or section.
            quantity: in words, the difference that is compared, such as "accuracy of LegS less that of GRU".
            bound_source: where the margin comes from.
            message: reasons where it differs from the paper.
        """
        return Statement(
            text=text, source=source, standing=self.standing, measured=self.comparison.difference,
            bound=self.comparison.margin, bound_source=bound_source,
            criterion=f"{quantity}: holds where it lies above {self.comparison.margin:.4g}, fails where below, at "
            f"{self.level:.0%} for {self.family} statements together (paired over {self.comparison.of}s, Student's t, "
            "with what the test set leaves uncertain; Holm)",
            message="; ".join(part for part in (self.words, message) if part),
        )  # fmt: skip


def decide(comparisons: Mapping[str, Comparison], *, level: float = LEVEL) -> dict[str, Decision]:
    """Say of all comparisons of a claim at once which hold and which fail.

    The chance that one or more of them is wrong is at most 1 - level (Holm, Scandinavian Journal of
    Statistics 6, 1979).
    What was not run counts as one of them.

    Args:
        comparisons: all of the claim's, whether they could be made or not.
        level: of all together.
    """
    family = len(comparisons)
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, (key, one) in enumerate(sorted(comparisons.items(), key=lambda item: item[1].p)):
        largest = max(largest, min(1.0, (family - rank) * one.p))
        adjusted[key] = largest
    return {
        key: Decision(
            standing=_standing(one, adjusted[key], level), comparison=one, p=adjusted[key], family=family, level=level
        )
        for key, one in comparisons.items()
    }


def _standing(one: Comparison, p: float, level: float) -> Standing:
    if one.not_run:
        return Standing.NOT_RUN
    if one.difference is None or one.problem or p > 1 - level:
        return Standing.UNDECIDED
    return Standing.HOLDS if one.difference > one.margin else Standing.FAILS


@dataclass(frozen=True)
class _Spread:
    """How far a mean may lie from what it stands for: standard errors of the seeds and of the test set."""

    seeds: float
    freedom: int
    test_set: float

    @classmethod
    def of(cls, values: list[float], variance: float) -> _Spread | None:
        """None where nothing is known of it: a single seed, or seeds that do nothing."""
        n = len(values)
        if n < 2:
            return None
        mean = math.fsum(values) / n
        error = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n)
        # Rounding alone makes equal values differ in their last digits.
        if variance == 0 and error <= 1e-14 * max(map(abs, values)):
            return None
        return cls(error, n - 1, math.sqrt(variance))

    def half(self, p: float) -> float:
        """Half the width of the interval that leaves out a share of p."""
        from scipy import special  # noqa: PLC0415 -- slow to import, and the command line is not

        return math.hypot(special.stdtrit(self.freedom, p / 2) * self.seeds, special.ndtri(p / 2) * self.test_set)

    def p(self, distance: float) -> float:
        """The share that the interval leaves out which reaches just so far."""
        from scipy import optimize  # noqa: PLC0415

        far = abs(distance)
        if far == 0:
            return 1.0
        if far >= self.half(10.0**SMALLEST):
            return float(10.0**SMALLEST)
        return float(10.0 ** optimize.brentq(lambda power: self.half(10.0**power) - far, SMALLEST, 0.0, xtol=1e-9))


def _known(value: float | None) -> float:
    if value is None or not math.isfinite(value):
        raise ValueError(f"a seed gave {value}; accepted: a finite number, or None where there is none")
    return value
