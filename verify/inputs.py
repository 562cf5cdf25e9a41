"""What a target is given: frozen, serialisable to the bit, each with a stable id."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from verify.case import identity

Array = np.ndarray[Any, np.dtype[Any]]


def _hex(values: tuple[float, ...]) -> list[str]:
    return [value.hex() for value in values]


@dataclass(frozen=True)
class Signal:
    """A finite sequence of samples.

    Attributes:
        values: (L,) samples, exact as float64.
        name: how it was made, for people.
    """

    values: tuple[float, ...]
    name: str = "drawn"

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def id(self) -> str:
        """Stable name of the content."""
        return identity(_hex(self.values))

    def array(self, dtype: str = "float64") -> Array:
        """(L,) array; a fresh one, so that a target that writes into it harms nobody."""
        return np.array(self.values, dtype=dtype)

    def to_json(self) -> dict[str, Any]:
        """Samples as hex floats: nothing is rounded on the way."""
        return {"name": self.name, "length": len(self.values), "samples": _hex(self.values)}


@dataclass(frozen=True)
class Transition:
    """One step: the state before, the sample read, and the index of that sample from 0."""

    state: tuple[float, ...]
    sample: float
    index: int
    name: str = "drawn"

    @cached_property
    def id(self) -> str:
        """Stable name of the content."""
        return identity(_hex(self.state), self.sample.hex(), self.index)

    def to_json(self) -> dict[str, Any]:
        """State and sample as hex floats."""
        return {"name": self.name, "state": _hex(self.state), "sample": self.sample.hex(), "index": self.index}


@dataclass(frozen=True)
class ReadOut:
    """Coefficients to reconstruct from, and points as fractions of the window, oldest first."""

    coefficients: tuple[float, ...]
    points: tuple[float, ...]
    name: str = "drawn"

    @cached_property
    def id(self) -> str:
        """Stable name of the content."""
        return identity(_hex(self.coefficients), _hex(self.points))

    def to_json(self) -> dict[str, Any]:
        """Coefficients and points as hex floats."""
        return {"name": self.name, "coefficients": _hex(self.coefficients), "points": _hex(self.points)}


Input = Signal | Transition | ReadOut
