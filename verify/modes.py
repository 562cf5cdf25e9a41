"""Which modes are there: those of an operator, one by one, beside those that factors hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

NAMED = 3
"""Frequencies that a sentence lists."""


@dataclass(frozen=True)
class Census:
    """What is missing and what is too many among modes, each by its frequency.

    Attributes:
        missing: exact modes that nothing given is near.
        repeated: exact modes that two or more of the given ones are near.
        strange: given modes that are near no exact one.
        largest: largest exact frequency.
        smallest: smallest exact frequency that is not 0, or 0.
    """

    missing: tuple[complex, ...]
    repeated: tuple[complex, ...]
    strange: tuple[complex, ...]
    largest: float
    smallest: float

    def describe(self) -> str:
        """A sentence, empty where each mode is there once."""
        return ", ".join(self._phrases())

    def _phrases(self) -> Iterator[str]:
        said = ((self.missing, "missing"), (self.repeated, "there more than once"), (self.strange, "no mode of it"))
        for values, words in said:
            if values:
                names = " and ".join(map(self._name, values[:NAMED])) + (", ..." if len(values) > NAMED else "")
                yield f"{names}: {words}"

    def _name(self, mode: complex) -> str:
        size = abs(mode.imag)
        if size <= 1e-9 * self.largest:
            return f"{mode.real:.4g} (frequency 0)"
        which = " (the largest frequency)" if np.isclose(size, self.largest) else ""
        which = which or (" (the smallest frequency)" if np.isclose(size, self.smallest) else "")
        return f"{mode.real:.4g}{mode.imag:+.4g}i{which}"


def census(given: Array, exact: Array, near: float) -> Census:
    """Count the given modes near each exact one.

    Args:
        given: (M,) modes, one of each pair or all.
        exact: (N,) modes of the operator.
        near: how far off rounding may take a mode; modes closer than twice that are not told apart.
    """
    sizes = np.abs(exact.imag)
    nearest = np.abs(given[:, None] - exact[None, :])
    inside = nearest <= max(near, 1e-7 * float(np.abs(exact).max(initial=0.0)))
    hits = inside.sum(axis=0)
    twins = (np.abs(exact[:, None] - exact[None, :]) <= 1e-9 * max(sizes.max(initial=0.0), 1.0)).sum(axis=0)
    positive = sizes[sizes > 1e-9 * max(sizes.max(initial=0.0), 1.0)]
    return Census(
        tuple(complex(mode) for mode in exact[hits == 0]),
        tuple(complex(mode) for mode in exact[hits > twins]),
        tuple(complex(mode) for mode in given[~inside.any(axis=1)]),
        float(sizes.max(initial=0.0)),
        float(positive.min(initial=np.inf)) if positive.size else 0.0,
    )
