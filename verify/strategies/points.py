"""Read-outs: coefficients, and points of the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verify.inputs import ReadOut
from verify.strategies.base import numerators, scaled

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

GRID = 16
"""Points are multiples of 2^-16: exact in float32, and so are ``1 - y`` and ``2 y - 1``."""


def readouts(order: int, lowest: int = 0) -> SearchStrategy[ReadOut]:
    """Coefficients, and 1 to 8 points from ``lowest / 2^16`` to 1: both ends, next to them, equal, in any order."""
    from hypothesis import strategies as st  # noqa: PLC0415

    top = 2**GRID
    ends = (top, lowest, top // 2, lowest + 1, top - 1)
    point = st.one_of(st.sampled_from(ends), st.integers(lowest, top)).map(lambda i: i / top)

    @st.composite
    def draw_readout(draw: st.DrawFn) -> ReadOut:
        points = draw(st.lists(point, min_size=1, max_size=8))
        arranged = draw(st.sampled_from(("as drawn", "rising", "falling", "doubled")))
        if arranged == "doubled":
            points = points[:4] * 2
        elif arranged != "as drawn":
            points.sort(reverse=arranged == "falling")
        if draw(st.booleans()):
            place = draw(st.sampled_from((0, order - 1, order // 2)))
            coefficients = tuple(float(n == place) for n in range(order))
        else:
            coefficients = scaled(draw(st.lists(draw(numerators()), min_size=order, max_size=order)), 0)
        return ReadOut(coefficients, tuple(points))

    return draw_readout()
