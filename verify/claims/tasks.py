"""Data to learn from: what a task is, and what is refused before any time is spent on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Kind: TypeAlias = Literal["classify", "regress", "copy"]
KINDS: Final[tuple[Kind, ...]] = ("classify", "regress", "copy")
UNSCORED: Final = -1
"""The target of a step of ``copy`` that does not count."""
LEAK: Final = 0.01
"""Share of a split that may stand in the training split as well: real data has a few items twice."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Sequences and what is to be learnt of them.

    Attributes:
        inputs: (n, L, d) float32, finite wherever they are read.
        targets: of ``classify`` (n,) integers from 0, the class of each; of ``copy`` (n, L) integers from 0, the symbol
            at each step, `UNSCORED` where none is asked; of ``regress`` (n, outputs) float32, read at the end, or
            (n, L, outputs), read at each step.
        times: (n, L) floats, increasing; None: 0, 1, 2, ...
        observed: (n, L) bool, whether the sample was seen; None: all were. What was not seen is not read.
        lengths: (n,) integers, the steps of each; None: all have L. What follows is not read.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.float32] | NDArray[np.int64]
    times: NDArray[np.floating[Any]] | None = None
    observed: NDArray[np.bool_] | None = None
    lengths: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def steps(self) -> int:
        """Samples of all sequences together."""
        n, length, _ = self.inputs.shape
        return n * length if self.lengths is None else int(self.lengths.sum())

    def inside(self) -> NDArray[np.bool_]:
        """(n, L), False in the padding."""
        n, length, _ = self.inputs.shape
        if self.lengths is None:
            return np.ones((n, length), bool)
        return np.arange(length) < self.lengths[:, None]


@dataclass(frozen=True, kw_only=True)
class Task:
    """Something to learn.

    Attributes:
        key: stable name.
        title: a few words.
        kind: whether a class is named at the end (``classify``), a symbol at each step (``copy``), or numbers at the
            end or at each step (``regress``).
        outputs: classes, symbols, or numbers.
        train: what is learnt from.
        validation: what the best epoch is chosen on.
        tests: what is reported, by name; never looked at before.

    Raises:
        ValueError, TypeError: data that cannot be learnt from; the message says which split, and where.
    """

    key: str
    title: str
    kind: Kind
    outputs: int
    train: Split
    validation: Split
    tests: Mapping[str, Split]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"task {self.key!r}: kind is {self.kind!r}; accepted: {', '.join(KINDS)}")
        if self.outputs < 1:
            raise ValueError(f"task {self.key!r}: outputs is {self.outputs}; accepted: at least 1")
        taken = {"train", "validation"} & set(self.tests)
        if taken or not self.tests:
            raise ValueError(f"task {self.key!r}: tests are {sorted(self.tests)}; accepted: one or more other names")
        for name, split in self.splits():
            where = f"task {self.key!r}, split {name!r}"
            _check_shapes(split, where)
            _check_numbers(split, where)
            _check_targets(split, self.kind, self.outputs, where)
            if split.inputs.shape[2] != self.train.inputs.shape[2]:
                raise ValueError(
                    f"{where}: a sample has {split.inputs.shape[2]} numbers; expected {self.train.inputs.shape[2]}, as "
                    "in the training split"
                )
            if split.targets.ndim != self.train.targets.ndim:
                raise ValueError(f"{where}: targets have {split.targets.ndim} axes, those of train another number")
        seen = set(_sequences(self.train))
        for name, split in self.splits():
            twice = 0 if name == "train" else sum(one in seen for one in _sequences(split))
            if twice > LEAK * len(split):
                raise ValueError(
                    f"task {self.key!r}: {twice} of {len(split)} sequences of split {name!r} are in the training split "
                    f"as well; accepted: at most {LEAK:.0%}, because what was learnt by heart proves nothing"
                )

    def splits(self) -> Iterator[tuple[str, Split]]:
        """All of them by name, the training split first."""
        yield "train", self.train
        yield "validation", self.validation
        yield from self.tests.items()

    def digest(self) -> str:
        """Of all that is learnt and tested: another number means another task."""
        whole = hashlib.sha256(f"{self.key} {self.kind} {self.outputs}".encode())
        for name, split in self.splits():
            for array in (split.inputs, split.targets, split.times, split.observed, split.lengths):
                whole.update(f"{name} {'none' if array is None else (array.dtype, array.shape)}".encode())
                whole.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        return whole.hexdigest()


def _check_shapes(split: Split, where: str) -> None:
    inputs = split.inputs
    if not isinstance(inputs, np.ndarray) or inputs.dtype != np.float32:
        raise TypeError(f"{where}: inputs are {_kind(inputs)}; accepted: an array of float32")
    if inputs.ndim != 3 or 0 in inputs.shape:
        raise ValueError(f"{where}: inputs have shape {inputs.shape}; accepted: (sequences, steps, numbers), none of 0")
    n, length, _ = inputs.shape
    for name, array, shape, kinds in (
        ("times", split.times, (n, length), "f"),
        ("observed", split.observed, (n, length), "b"),
        ("lengths", split.lengths, (n,), "i"),
    ):
        if array is None:
            continue
        if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds:
            accepted = {"f": "floats", "b": "bool", "i": "integers"}[kinds]
            raise TypeError(f"{where}: {name} are {_kind(array)}; accepted: an array of {accepted}")
        if array.shape != shape:
            raise ValueError(f"{where}: {name} have shape {array.shape}; expected {shape} beside inputs {inputs.shape}")
    if split.lengths is not None and not ((split.lengths >= 1) & (split.lengths <= length)).all():
        raise ValueError(
            f"{where}: lengths are {split.lengths.min()} to {split.lengths.max()}; accepted: 1 to {length}, the steps"
        )


def _check_numbers(split: Split, where: str) -> None:
    inside = split.inside()
    read = inside if split.observed is None else inside & split.observed
    bad = np.argwhere(~np.isfinite(split.inputs) & read[..., None])
    if len(bad):
        raise ValueError(
            f"{where}: inputs{bad[0].tolist()} is {split.inputs[tuple(bad[0])]}; accepted: finite numbers, or observed "
            "with False where a sample is missing"
        )
    if split.times is None:
        return
    bad = np.argwhere(~np.isfinite(split.times) & inside)
    if len(bad):
        raise ValueError(f"{where}: times{bad[0].tolist()} is {split.times[tuple(bad[0])]}; accepted: finite times")
    with np.errstate(invalid="ignore"):  # the padding may hold anything
        bad = np.argwhere((np.diff(split.times, axis=1) <= 0) & inside[:, 1:])
    if len(bad):
        n, k = bad[0].tolist()
        raise ValueError(
            f"{where}: times[{n}, {k + 1}] is {split.times[n, k + 1]} after {split.times[n, k]}; accepted: increasing "
            "times"
        )


def _check_targets(split: Split, kind: Kind, outputs: int, where: str) -> None:
    targets = split.targets
    n, length, _ = split.inputs.shape
    if not isinstance(targets, np.ndarray) or targets.dtype.kind != ("f" if kind == "regress" else "i"):
        accepted = "float32" if kind == "regress" else "integers"
        raise TypeError(f"{where}: targets are {_kind(targets)}; accepted: an array of {accepted}")
    accepted_shapes: dict[Kind, list[tuple[int, ...]]] = {
        "classify": [(n,)],
        "copy": [(n, length)],
        "regress": [(n, outputs), (n, length, outputs)],
    }
    shapes = accepted_shapes[kind]
    if targets.shape not in shapes:
        accepted = " or ".join(map(str, shapes))
        raise ValueError(f"{where}: targets have shape {targets.shape}; expected {accepted} of a task to {kind}")
    if kind == "regress":
        read = split.inside()[..., None] if targets.ndim == 3 else True
        bad = np.argwhere(~np.isfinite(targets) & read)
        accepted = "finite numbers"
    else:
        scored = (targets != UNSCORED) & split.inside() if kind == "copy" else np.ones(n, bool)
        bad = np.argwhere(((targets < 0) | (targets >= outputs)) & scored)
        accepted = f"0 to {outputs - 1}" + (f", or {UNSCORED} where nothing is asked" if kind == "copy" else "")
        if not scored.any():
            raise ValueError(f"{where}: no target counts; accepted: at least one that is not {UNSCORED}")
    if len(bad):
        raise ValueError(f"{where}: targets{bad[0].tolist()} is {targets[tuple(bad[0])]}; accepted: {accepted}")


def _sequences(split: Split) -> Iterator[bytes]:
    """What tells one sequence from another: all that a cell reads of it."""
    for n in range(len(split)):
        end = split.inputs.shape[1] if split.lengths is None else int(split.lengths[n])
        parts: list[NDArray[Any]] = [split.inputs[n, :end]]
        parts += [array[n, :end] for array in (split.times, split.observed) if array is not None]
        yield hashlib.blake2b(b"|".join(np.ascontiguousarray(part).tobytes() for part in parts)).digest()


def _kind(value: object) -> str:
    return str(value.dtype) if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
