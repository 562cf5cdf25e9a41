"""The adding and the copying problem (Hochreiter and Schmidhuber 1997; Arjovsky, Shah and Bengio 2016), at any lag."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from verify.claims.tasks import UNSCORED, Split, Task

MEMORYLESS_ERROR = 1 / 6
"""Mean squared error of who answers 1 to every sum of two numbers that are uniform on [0, 1]: its variance."""
TASKS = ("adding", "copying")

_SPLITS = ("train", "validation", "test")


def make(kind: str, length: int, symbols: int, letters: int, sizes: tuple[int, int, int]) -> Task:
    """A task; drawn from fixed seeds, so the same in every run.

    Args:
        kind: one of `TASKS`.
        length: of ``adding`` the steps of a sequence; of ``copying`` the steps from a symbol to the one where it is
            to be said again.
        symbols: of ``copying``, how many follow each other.
        letters: of ``copying``, how many there are to choose from.
        sizes: sequences to learn from, to choose on and to report.
    """
    if kind == "adding":
        train, validation, test = (adding(length, count, name) for name, count in zip(_SPLITS, sizes, strict=True))
        return Task(
            key=f"adding-{length}",
            title=f"adding, {length} steps",
            kind="regress",
            outputs=1,
            train=train,
            validation=validation,
            tests={"test": test},
        )
    train, validation, test = (
        copying(length, symbols, letters, count, name) for name, count in zip(_SPLITS, sizes, strict=True)
    )
    return Task(
        key=f"copying-{length}-{symbols}-{letters}",
        title=f"copying {symbols} symbols, lag {length}",
        kind="copy",
        outputs=letters,
        train=train,
        validation=validation,
        tests={"test": test},
    )


def adding(length: int, count: int, split: str) -> Split:
    """Uniform numbers, one of each half marked; to be given at the end: the sum of the two.

    Args:
        length: steps, 2 or more.
        count: sequences.
        split: which part, named into the seed.

    Raises:
        ValueError: fewer than two steps.
    """
    if length < 2:
        raise ValueError(f"adding with {length} steps; accepted: 2 or more, one for each number")
    random = _random("adding", length, split)
    values = random.random((count, length), dtype=np.float32)
    marks = np.zeros((count, length), dtype=np.float32)
    half = length // 2
    rows = np.arange(count)
    for marked in (random.integers(0, half, count), random.integers(half, length, count)):
        marks[rows, marked] = 1.0
    return Split(
        inputs=np.stack([values, marks], axis=-1), targets=(values * marks).sum(axis=1, keepdims=True, dtype=np.float32)
    )


def copying(lag: int, symbols: int, letters: int, count: int, split: str) -> Split:
    """Symbols, then blanks, a sign, and blanks again, during which the symbols are to be said in their order.

    Args:
        lag: steps from a symbol to where it is to be said, more than ``symbols``.
        symbols: how many.
        letters: to choose from; two more inputs stand for blank and sign.
        count: sequences.
        split: which part, named into the seed.

    Raises:
        ValueError: a lag that leaves no step for the sign.
    """
    if lag <= symbols:
        raise ValueError(f"copying of {symbols} symbols at a lag of {lag}; accepted: a larger lag than symbols")
    length = lag + symbols
    said = _random("copying", lag, split).integers(0, letters, (count, symbols))
    shown: NDArray[np.int64] = np.full((count, length), letters, dtype=np.int64)
    shown[:, :symbols] = said
    shown[:, lag - 1] = letters + 1
    targets = np.full((count, length), UNSCORED, dtype=np.int64)
    targets[:, lag:] = said
    return Split(inputs=np.eye(letters + 2, dtype=np.float32)[shown], targets=targets)


def memoryless(kind: str, letters: int) -> float:
    """What is reached without any memory: a mean squared error of ``adding``, an accuracy of ``copying``."""
    return MEMORYLESS_ERROR if kind == "adding" else 1 / letters


def _random(kind: str, lag: int, split: str) -> np.random.Generator:
    return np.random.default_rng([TASKS.index(kind), lag, _SPLITS.index(split)])
