"""Pen trajectories as tasks: one continuous trajectory, read at the trained rate, at half and at double, or with gaps.

Times are in sampling intervals of the trained rate. Two tasks are made of the same trajectories, after those of the
published experiment (hippo-code, ``datasets/uea.py``; the claim's notes say what differs):

untimed
    samples follow each other evenly and no cell is told when: the rate is unknown to all.
timed
    samples are missing and times are known, to a cell that reads times as its times, to any other as one more channel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from verify.claims.data import strokes, uea
from verify.claims.tasks import Split, Task

FIXED_SEED: Final = 8
"""Of the trajectories, of their division and of what is missing: none is drawn anew with the seeds of training."""
UNSEEN: Final = "italic"
"""The writer whose letters nobody learns from."""
SEEN: Final = tuple(name for name in strokes.WRITERS if name != UNSEEN)
RECORDED_HERTZ: Final = 200.0
"""Sampling rate of CharacterTrajectories (its description in the UCI repository)."""
RECORDED_STRIDE: Final = 2
"""Every second sample of a recording is the trained rate, so that double the rate is what was recorded."""

Series = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Times (L,) from 0, in sampling intervals of the trained rate, and values (L, d)."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many trajectories of each class, and how often they are read.

    Attributes:
        train: to learn from.
        validation: to choose on.
        test: to report.
        hertz: samples a second of the trained rate; recordings have half the rate at which they were recorded.
    """

    train: int
    validation: int
    test: int
    hertz: float


class Pool(Protocol):
    """Trajectories of known classes, readable at several rates."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Classes (n,)."""

    def read(self, rate: float) -> Sequence[Series]:
        """Each at a rate relative to the trained one: 0.5, 1 or 2."""


@dataclass(frozen=True)
class Drawn:
    """Trajectories known at every moment."""

    pens: strokes.Pens
    hertz: float

    @property
    def labels(self) -> NDArray[np.int64]:
        """Classes (n,)."""
        return self.pens.labels

    def read(self, rate: float) -> Sequence[Series]:
        """Samples at 0, 1, 2, ... intervals of a rate, as long as the trajectory lasts."""
        counts = np.floor(self.pens.durations * self.hertz * rate).astype(np.int64) + 1
        seconds = np.arange(int(counts.max())) / (self.hertz * rate)
        values = self.pens.at(np.broadcast_to(seconds, (len(counts), len(seconds))))
        return [(np.arange(count) / rate, values[i, :count]) for i, count in enumerate(counts)]


@dataclass(frozen=True)
class Recorded:
    """Trajectories known where they were recorded."""

    recordings: uea.Recordings
    chosen: NDArray[np.intp]

    @property
    def labels(self) -> NDArray[np.int64]:
        """Classes (n,)."""
        return self.recordings.labels[self.chosen]

    def read(self, rate: float) -> Sequence[Series]:
        """Every fourth, second or each recorded sample, without those that were not seen."""
        step = round(RECORDED_STRIDE / rate)
        found = []
        for i in self.chosen:
            places = self.recordings.places[i]
            kept = places % step == 0
            found.append((places[kept] / RECORDED_STRIDE, self.recordings.values[i][kept]))
        return found


@dataclass(frozen=True, kw_only=True)
class Source:
    """Trajectories, divided into those to learn from, to choose on and to report.

    Attributes:
        key: short, with a digest of the content: results of other trajectories are other results.
        title: a few words.
        classes: how many.
        hertz: samples a second of the trained rate.
        train: to learn from.
        validation: to choose on.
        test: to report.
        unseen: by a writer that nobody learnt from; None: writers are not known.
        span: mean duration of those to learn from, in sampling intervals of the trained rate.
    """

    key: str
    title: str
    classes: int
    hertz: float
    train: Pool
    validation: Pool
    test: Pool
    unseen: Pool | None
    span: float


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How trajectories are read.

    Attributes:
        rate: samples a time unit, relative to the trained rate.
        missing: share of the samples between the first and the last that is left out.
        unit: what times are multiplied by: the pen is said to be as many times slower.
    """

    rate: float = 1.0
    missing: float = 0.0
    unit: float = 1.0


TRAINED: Final = "trained"
"""The test that is read as the trajectories to learn from are."""
UNSEEN_WRITER: Final = "unseen writer"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to learn and to be tested.

    Attributes:
        key: stable.
        title: a few words.
        timed: whether times are told.
        train: how what is learnt from is read.
        tests: what is reported, by name; `TRAINED` is read as `train`.
    """

    key: str
    title: str
    timed: bool
    train: Reading
    tests: Mapping[str, Reading] = field(default_factory=dict)


GAPS: Final = 0.3
"""Share of the samples that is missing where times are told."""
ARMS: Final = (
    Arm(
        key="untimed",
        title="rate unknown",
        timed=False,
        train=Reading(),
        tests={TRAINED: Reading(), "half rate": Reading(rate=0.5), "double rate": Reading(rate=2.0)},
    ),
    Arm(
        key="timed",
        title="times told, samples missing",
        timed=True,
        train=Reading(missing=GAPS),
        tests={
            TRAINED: Reading(missing=GAPS),
            "times halved": Reading(missing=GAPS, unit=0.5),
            "times doubled": Reading(missing=GAPS, unit=2.0),
            "none missing": Reading(),
            "20 % missing": Reading(missing=0.2),
            "50 % missing": Reading(missing=0.5),
            "half rate, told": Reading(rate=0.5),
            "double rate, told": Reading(rate=2.0),
        },
    ),
)


def source(path: Path | None, sizes: Sizes) -> Source:
    """Letters of fonts, or the recordings of a UEA file.

    Raises:
        ValueError: a file that is not of the format; the message says what is wrong with it.
        FileNotFoundError: there is no such file, or not its other part.
        ModuleNotFoundError: without Hershey-Fonts.
    """
    return _drawn(sizes) if path is None else _recorded(path.resolve(), sizes, _stamp(path))


def drawn_anew(train: int, test: int, seed: int) -> tuple[strokes.Pens, strokes.Pens]:
    """Known and asked trajectories of their own for each seed, so many of each letter."""
    first = 1000 + 2 * seed
    return strokes.draw(train, first, SEEN), strokes.draw(test, first + 1, SEEN)


def task(data: Source, arm: Arm, *, reads_times: bool) -> Task:
    """What one kind of cell learns.

    Args:
        data: the trajectories.
        arm: how they are read.
        reads_times: whether the cell uses times; one that does not gets them as a channel where they are told.
    """
    every = np.concatenate([values for _, values in data.train.read(1.0)])
    mean, spread = every.mean(axis=0), every.std(axis=0)
    channel = data.span if arm.timed and not reads_times else None

    def split(pool: Pool, reading: Reading, name: str) -> Split:
        return _split(pool, reading, name, mean, spread, timed=arm.timed, span=channel)

    tests = {name: split(data.test, reading, "test") for name, reading in arm.tests.items()}
    if data.unseen is not None:
        tests[UNSEEN_WRITER] = split(data.unseen, arm.train, "unseen")
    return Task(
        key=f"{data.key}-{arm.key}",
        title=f"{data.title}, {arm.title}",
        kind="classify",
        outputs=data.classes,
        train=split(data.train, arm.train, "train"),
        validation=split(data.validation, arm.train, "validation"),
        tests=tests,
    )


def _split(
    pool: Pool,
    reading: Reading,
    name: str,
    mean: NDArray[np.float64],
    spread: NDArray[np.float64],
    *,
    timed: bool,
    span: float | None,
) -> Split:
    """Sequences, padded to the longest; ``span``: what times are divided by as a channel, None: they are none."""
    # The same draws for every share that is missing: what is missing of less is missing of more.
    random = np.random.default_rng([FIXED_SEED, *name.encode()])
    series = [_with_gaps(one, reading.missing, random) for one in pool.read(reading.rate)]
    lengths = np.array([len(times) for times, _ in series], np.int64)
    longest, count = int(lengths.max()), len(series)
    inputs = np.zeros((count, longest, len(mean) + (span is not None)), np.float32)
    stamps = np.empty((count, longest), np.float32)
    for i, (times, values) in enumerate(series):
        end = len(times)
        told = times * reading.unit
        inputs[i, :end, : len(mean)] = (values - mean) / spread
        if span is not None:
            inputs[i, :end, -1] = told / span
        stamps[i, :end] = told
        stamps[i, end:] = told[-1] + np.arange(1, longest - end + 1)
    return Split(
        inputs=inputs,
        targets=pool.labels,
        times=stamps if timed and span is None else None,
        lengths=lengths,
    )


def _with_gaps(one: Series, missing: float, random: np.random.Generator) -> Series:
    """Leave out samples between the first and the last."""
    times, values = one
    inner = 1 + random.permutation(len(times) - 2) if len(times) > 2 else np.zeros(0, np.int64)
    kept = np.ones(len(times), np.bool_)
    kept[inner[: round(missing * len(inner))]] = False
    return times[kept], values[kept]


@lru_cache(maxsize=4)
def _drawn(sizes: Sizes) -> Source:
    parts = {
        "train": strokes.draw(sizes.train, FIXED_SEED, SEEN),
        "validation": strokes.draw(sizes.validation, FIXED_SEED + 1, SEEN),
        "test": strokes.draw(sizes.test, FIXED_SEED + 2, SEEN),
        "unseen": strokes.draw(sizes.test, FIXED_SEED + 3, [UNSEEN]),
    }
    pools: dict[str, Pool] = {name: Drawn(pens, sizes.hertz) for name, pens in parts.items()}
    digest = hashlib.sha256(b"".join(pens.pieces.tobytes() for pens in parts.values()))
    return Source(
        key=f"strokes-{digest.hexdigest()[:8]}",
        title=f"{len(strokes.LETTERS)} letters of single-stroke fonts in {len(SEEN)} hands",
        classes=len(strokes.LETTERS),
        hertz=sizes.hertz,
        train=pools["train"],
        validation=pools["validation"],
        test=pools["test"],
        unseen=pools["unseen"],
        span=_span(pools["train"]),
    )


@lru_cache(maxsize=2)
def _recorded(path: Path, sizes: Sizes, _: tuple[int, ...]) -> Source:
    name, train, test = uea.read_pair(path)
    random = np.random.default_rng(FIXED_SEED)
    parts: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for label, title in enumerate(train.classes):
        rest = random.permutation(np.flatnonzero(train.labels == label))
        shown = random.permutation(np.flatnonzero(test.labels == label))
        if len(rest) < 2 or not len(shown):
            raise ValueError(
                f"{name}: class {title!r} has {len(rest)} cases to learn from and {len(shown)} to report; expected at "
                "least 2 and 1"
            )
        # A set too small for both is divided as the sizes ask.
        most = max(1, min(sizes.validation, round(len(rest) * sizes.validation / (sizes.train + sizes.validation))))
        parts["validation"].extend(rest[:most])
        parts["train"].extend(rest[most : most + sizes.train])
        parts["test"].extend(shown[: sizes.test])
    digest = hashlib.sha256(train.digest() + test.digest())
    chosen = {key: np.sort(np.array(indices, np.intp)) for key, indices in parts.items()}
    learnt = Recorded(train, chosen["train"])
    return Source(
        key=f"{name}-{digest.hexdigest()[:8]}",
        title=f"{name} (UEA), {len(train.classes)} classes",
        classes=len(train.classes),
        hertz=RECORDED_HERTZ / RECORDED_STRIDE,
        train=learnt,
        validation=Recorded(train, chosen["validation"]),
        test=Recorded(test, chosen["test"]),
        unseen=None,
        span=_span(learnt),
    )


def _span(pool: Pool) -> float:
    return float(np.mean([times[-1] for times, _ in pool.read(1.0)]))


def _stamp(path: Path) -> tuple[int, ...]:
    """What tells changed files from those that were read before."""
    beside = sorted(path.parent.glob(f"*{path.suffix}")) if path.parent.is_dir() else []
    return tuple(number for one in beside for number in (one.stat().st_size, one.stat().st_mtime_ns))
