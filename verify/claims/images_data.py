"""Permuted images as a task: pixel by pixel, in an order that is drawn once and the same for all images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verify.claims.data import digits, idx
from verify.claims.data.base import ImageSet
from verify.claims.tasks import Split, Task

FIXED_SEED = 8
"""Of the order of the pixels and of the division into splits: neither is drawn anew with the seeds of training."""
TEST_SHARE, VALIDATION_SHARE = 0.3, 0.15
"""Of a set that is not divided yet."""
IDX_VALIDATION_SHARE = 1 / 6
"""Of the training file of a folder: the paper's 10,000 of 60,000."""


@dataclass(frozen=True)
class Source:
    """Images, divided into those to learn from, to choose on and to report.

    Attributes:
        key: short, with a digest of the content: results of other images are other results.
        title: a few words.
        train: to learn from.
        validation: to choose on.
        test: to report.
    """

    key: str
    title: str
    train: ImageSet
    validation: ImageSet
    test: ImageSet

    @property
    def length(self) -> int:
        """Pixels of an image, steps of its sequence."""
        return self.train.pixels.shape[1]


def source(folder: Path | None) -> Source:
    """Scikit-learn's digits, or the images of a folder in the IDX format.

    Raises:
        ValueError: a folder that is not of the format; the message says what is wrong with which file.
        ModuleNotFoundError: without scikit-learn.
    """
    return _digits() if folder is None else _idx(folder.resolve(), _stamps(folder))


def subsample(images: ImageSet, most: int | None) -> ImageSet:
    """No more than ``most`` of the images, each class with its share; None: all."""
    return images if most is None or most >= len(images) else images.take(_divide(images, most)[0])


def permuted(images: Source, sizes: tuple[int | None, int | None, int | None]) -> Task:
    """The task.

    Args:
        images: where they come from.
        sizes: at most so many to learn from, to choose on and to report; None: all.
    """
    parts = (images.train, images.validation, images.test)
    train, validation, test = (subsample(part, most) for part, most in zip(parts, sizes, strict=True))
    order = np.random.default_rng(FIXED_SEED).permutation(images.length)
    mean, spread = float(train.pixels.mean()), float(train.pixels.std())

    def split(part: ImageSet) -> Split:
        values = (part.pixels[:, order].astype(np.float32) - np.float32(mean)) / np.float32(spread)
        return Split(inputs=values[:, :, None], targets=part.labels)

    return Task(
        key=images.key,
        title=f"permuted {images.title}",
        kind="classify",
        outputs=images.train.classes,
        train=split(train),
        validation=split(validation),
        tests={"test": split(test)},
    )


@lru_cache(maxsize=1)
def _digits() -> Source:
    everything = digits.load()
    rest, test = _divide(everything, 1 - TEST_SHARE)
    remaining = everything.take(rest)
    train, validation = _divide(remaining, 1 - VALIDATION_SHARE / (1 - TEST_SHARE))
    return Source(
        f"digits-{_digest(everything)}",
        "handwritten digits (scikit-learn)",
        remaining.take(train),
        remaining.take(validation),
        everything.take(test),
    )


@lru_cache(maxsize=2)
def _idx(folder: Path, _: tuple[tuple[str, int, int], ...]) -> Source:
    rest, test = idx.read_folder(folder)
    train, validation = _divide(rest, 1 - IDX_VALIDATION_SHARE)
    return Source(
        f"idx-{_digest(rest, test)}",
        f"images of {folder.name}",
        rest.take(train),
        rest.take(validation),
        test,
    )


def _stamps(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells a changed folder from the one that was read before."""
    if not folder.is_dir():
        return ()
    found = sorted(path for path in folder.iterdir() if path.is_file())
    return tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in found)


def _divide(images: ImageSet, first: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of the first part and of the rest, each class divided alike.

    Args:
        images: what is divided.
        first: how many go into the first part, or which share.

    Raises:
        ValueError: a class too small to be divided.
    """
    from sklearn.model_selection import train_test_split  # noqa: PLC0415 -- a guest

    indices = np.arange(len(images))
    try:
        one, other = train_test_split(indices, train_size=first, stratify=images.labels, random_state=FIXED_SEED)
    except ValueError as error:
        raise ValueError(f"{len(images)} images of {images.classes} classes cannot be divided: {error}") from error
    return np.sort(one), np.sort(other)


def _digest(*parts: ImageSet) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part.pixels.shape).encode())
        digest.update(part.pixels.tobytes())
        digest.update(part.labels.tobytes())
    return digest.hexdigest()[:12]
