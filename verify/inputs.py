"""What a target is given: frozen, serialisable to the bit, each with a stable id."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from verify.case import Case, identity

Array = np.ndarray[Any, np.dtype[Any]]


def _hex(values: Sequence[float]) -> list[str]:
    return [value.hex() for value in values]


def _doubles(texts: Sequence[str]) -> tuple[float, ...]:
    return tuple(float.fromhex(text) for text in texts)


@dataclass(frozen=True)
class Input(ABC):
    """What one call of a target is made from."""

    level: ClassVar[str]

    @property
    @abstractmethod
    def size(self) -> int:
        """Orders inputs from small to large: the smallest counterexample is the one that is shown."""

    @abstractmethod
    def arguments(self, case: Case) -> tuple[Any, ...]:
        """The arguments of the call: fresh arrays each time, so that a target that writes into them harms nobody."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Every number as a hex float: nothing is rounded on the way."""

    @classmethod
    @abstractmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""

    @cached_property
    def id(self) -> str:
        """Stable name of the content; the name given to it does not count."""
        return identity({key: value for key, value in self.to_json().items() if key != "name"})


@dataclass(frozen=True)
class Order(Input):
    """The number of coefficients alone, which the case gives: matrices, factors."""

    level: ClassVar[str] = "matrices"
    name: str = "order"

    @property
    def size(self) -> int:
        """There is but one."""
        return 0

    def arguments(self, case: Case) -> tuple[Any, ...]:
        """``(order,)``."""
        return (case.order,)

    def to_json(self) -> dict[str, Any]:
        """Nothing but its name."""
        return {"name": self.name}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(name=record["name"])


@dataclass(frozen=True)
class Signal(Input):
    """A finite sequence of samples.

    Attributes:
        values: (L,) samples, exact as float64.
        name: how it was made, for people.
    """

    level: ClassVar[str] = "scan"
    values: tuple[float, ...]
    name: str = "drawn"

    def __len__(self) -> int:
        return len(self.values)

    @property
    def size(self) -> int:
        """Number of samples."""
        return len(self.values)

    def array(self, dtype: str = "float64") -> Array:
        """(L,) array; a fresh one, so that a target that writes into it harms nobody."""
        return np.array(self.values, dtype=dtype)

    def arguments(self, case: Case) -> tuple[Any, ...]:
        """``(samples, order)``."""
        return (self.array(case.dtype), case.order)

    def to_json(self) -> dict[str, Any]:
        """Samples as hex floats."""
        return {"name": self.name, "length": len(self.values), "samples": _hex(self.values)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(_doubles(record["samples"]), record["name"])


@dataclass(frozen=True)
class TimedSignal(Input):
    """Samples with the time of each (zoh: the end of its cell), strictly increasing; a rule of LegS."""

    level: ClassVar[str] = "timed_scan"
    values: tuple[float, ...]
    times: tuple[float, ...]
    name: str = "drawn"

    def __len__(self) -> int:
        return len(self.values)

    @property
    def size(self) -> int:
        """Number of samples."""
        return len(self.values)

    def arguments(self, case: Case) -> tuple[Any, ...]:
        """``(samples, timestamps, order)``; times are float64 whatever the dtype of the samples."""
        return (np.array(self.values, dtype=case.dtype), np.array(self.times), case.order)

    def to_json(self) -> dict[str, Any]:
        """Samples and times as hex floats."""
        return {
            "name": self.name,
            "length": len(self.values),
            "samples": _hex(self.values),
            "timestamps": _hex(self.times),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(_doubles(record["samples"]), _doubles(record["timestamps"]), record["name"])


@dataclass(frozen=True)
class Batch(Input):
    """Streams of equal length that are scanned in one call."""

    level: ClassVar[str] = "batch_scan"
    streams: tuple[tuple[float, ...], ...]
    name: str = "drawn"

    @property
    def size(self) -> int:
        """Number of samples of all streams."""
        return sum(map(len, self.streams))

    @property
    def signals(self) -> tuple[Signal, ...]:
        """The streams one by one."""
        return tuple(Signal(values, f"{self.name}, stream {i}") for i, values in enumerate(self.streams))

    def arguments(self, case: Case) -> tuple[Any, ...]:
        """``(samples (S, L), order)``."""
        return (np.array(self.streams, dtype=case.dtype), case.order)

    def to_json(self) -> dict[str, Any]:
        """Each stream as hex floats."""
        return {"name": self.name, "streams": [_hex(values) for values in self.streams]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(tuple(_doubles(values) for values in record["streams"]), record["name"])


@dataclass(frozen=True)
class Transition(Input):
    """One step: the state before, the sample read, and the index of that sample from 0."""

    level: ClassVar[str] = "step"
    state: tuple[float, ...]
    sample: float
    index: int
    name: str = "drawn"

    @property
    def size(self) -> int:
        """Index, and how many coefficients are not zero."""
        return self.index + sum(value != 0 for value in self.state)

    def arguments(self, case: Case) -> tuple[Any, ...]:
        """``(state, sample, k)``."""
        return (np.array(self.state, dtype=case.dtype), self.sample, self.index)

    def to_json(self) -> dict[str, Any]:
        """State and sample as hex floats."""
        return {"name": self.name, "state": _hex(self.state), "sample": self.sample.hex(), "index": self.index}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        sample = float.fromhex(record["sample"])
        return cls(_doubles(record["state"]), sample, int(record["index"]), record["name"])


@dataclass(frozen=True)
class Resumption(Input):
    """A run that goes on: the state after ``index`` samples, and the samples from number ``index`` on."""

    level: ClassVar[str] = "resume"
    state: tuple[float, ...]
    values: tuple[float, ...]
    index: int
    name: str = "drawn"

    @property
    def size(self) -> int:
        """Samples read before and after."""
        return self.index + len(self.values)

    def arguments(self, case: Case) -> tuple[Any, ...]:
        """``(state, samples, k)``."""
        return (np.array(self.state, dtype=case.dtype), np.array(self.values, dtype=case.dtype), self.index)

    def to_json(self) -> dict[str, Any]:
        """State and samples as hex floats."""
        return {"name": self.name, "state": _hex(self.state), "samples": _hex(self.values), "index": self.index}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(_doubles(record["state"]), _doubles(record["samples"]), int(record["index"]), record["name"])


@dataclass(frozen=True)
class ReadOut(Input):
    """Coefficients to reconstruct from, and points as fractions of the window, oldest first."""

    level: ClassVar[str] = "reconstruct"
    coefficients: tuple[float, ...]
    points: tuple[float, ...]
    name: str = "drawn"

    @property
    def size(self) -> int:
        """Points, and how many coefficients are not zero."""
        return len(self.points) + sum(value != 0 for value in self.coefficients)

    def arguments(self, case: Case) -> tuple[Any, ...]:
        """``(state, points)``."""
        return (np.array(self.coefficients, dtype=case.dtype), np.array(self.points, dtype=case.dtype))

    def to_json(self) -> dict[str, Any]:
        """Coefficients and points as hex floats."""
        return {"name": self.name, "coefficients": _hex(self.coefficients), "points": _hex(self.points)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(_doubles(record["coefficients"]), _doubles(record["points"]), record["name"])


INPUTS: dict[str, type[Input]] = {
    "matrices": Order,
    "factors": Order,
    "step": Transition,
    "scan": Signal,
    "gradient": Signal,
    "timed_scan": TimedSignal,
    "batch_scan": Batch,
    "resume": Resumption,
    "reconstruct": ReadOut,
}
"""What each level is asked with."""


def read_input(level: str, record: Mapping[str, Any]) -> Input | None:
    """The input of a call from its record; None for a record that names a shape of input without its numbers."""
    try:
        return INPUTS[level].from_json(record)
    except KeyError:
        return None
