"""What every strategy is made of: exact numbers, lengths, orders and indices, with their ends drawn on purpose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

TINY = {"float64": -600, "float32": -70}
HUGE = {"float64": 600, "float32": 70}
"""Exponents of the amplitudes tried: their squares leave the range, with room for the growth of a recurrence."""
ULP = {"float64": -1074, "float32": -149}
"""Exponent of the smallest number above 0; multiples of it are denormal up to 2^52 or 2^23 times."""
TOP = {"float64": 1023, "float32": 127}
"""Exponent of the largest binade."""
ORDINARY = (0, 0, 0, -30, 30)
"""Exponents of amplitudes where an input has another size beside its amplitude: a state, or a time."""

FINE = 20
"""Numbers are drawn as multiples of 2^-20, below 8 in size; the 24th bit is left for the sum of two."""
LATEST = 10**6
"""Largest index of a sample that is drawn."""


def length_for(order: int, longest: int) -> int:
    """Length of the signals tried at an order: above it, for L samples of LegS reach no coefficient beyond 2L - 2."""
    return max(longest, order + 8)


def examples_for(order: int, examples: int) -> int:
    """Number of draws at an order: fewer where a call into the reference takes long."""
    return examples if order <= 16 else max(examples // 2, 1) if order <= 32 else max(examples // 3, 1)


def rounded(values: Sequence[float], dtype: str) -> tuple[float, ...]:
    """Numbers rounded to a dtype."""
    return tuple(float(v) for v in np.array(values, dtype=dtype))


def scaled(numerators: Sequence[int], exponent: int) -> tuple[float, ...]:
    """Multiples of ``2^-FINE``, times ``2^exponent``, exactly: in one shift, so that nothing underflows on the way."""
    return tuple(math.ldexp(m, exponent - FINE) for m in numerators)


def _turns(smallest: int, largest: int) -> list[int]:
    """The smallest numbers, each power of two with its neighbours, and the largest: where loops and tables turn."""
    powers = [2**j + near for j in range(largest.bit_length()) for near in (-1, 0, 1)]
    return sorted({n for n in (smallest, *powers, largest) if smallest <= n <= largest})


def lengths(longest: int) -> SearchStrategy[int]:
    """1, 2, 3, the neighbourhood of each power of two, ``longest``, and anything between."""
    from hypothesis import strategies as st  # noqa: PLC0415

    return st.one_of(st.sampled_from(_turns(1, longest)), st.integers(1, longest))


def orders(largest: int = 65) -> SearchStrategy[int]:
    """1, 2, 3 on purpose, the neighbourhood of each power of two, ``largest``, and anything between: odd and even."""
    from hypothesis import strategies as st  # noqa: PLC0415

    return st.one_of(st.sampled_from([n for n in (1, 2, 3) if n <= largest]), lengths(largest))


def indices(latest: int = LATEST) -> SearchStrategy[int]:
    """Indices of a sample: 0, 1, 2 on purpose, the neighbourhood of each power of two, ``latest``, and all between."""
    from hypothesis import strategies as st  # noqa: PLC0415

    first = st.sampled_from([k for k in (0, 1, 2) if k <= latest])
    return st.one_of(first, st.sampled_from(_turns(0, latest)), st.integers(0, latest))


def numerators() -> SearchStrategy[SearchStrategy[int]]:
    """A strategy for the numbers of one input, in units of ``2^-FINE``: small whole numbers, or fractions of 20 bits.

    Whole numbers come first, so an example shrinks to them; sums and differences of theirs are exact everywhere.
    """
    from hypothesis import strategies as st  # noqa: PLC0415

    unit = 2**FINE
    whole = st.integers(-4, 4).map(lambda i: i * unit)
    return st.sampled_from((whole, st.integers(-unit, unit)))
