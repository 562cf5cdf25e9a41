"""Whole cases, with parameters out to the ends of their domains; each is one that `make_case` accepts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from verify.case import DTYPES, LEVELS, Case
from verify.cases import DOMAINS, METHODS, Domain, make_case
from verify.strategies.base import orders

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

FIRST, LAST = 1e-30, math.nextafter(1e30, 0)
"""Doubles next to the ends of the domain of a window, a tilt or a step, on the inner side (`verify.cases.LARGEST`)."""
SPAN = 99
"""2^99 < 1e30 < 2^100: the powers of two that a window, a tilt or a step may be, up and down."""
BITS = 53
"""``1 - 2^-53`` is the last double before 1."""
TYPICAL = tuple(map(Fraction, ("1", "1/2", "4/5", "3", "-3/10")))
MEMBERS = ("gbt(1/3)", "gbt(3/4)", "hold(2)", "hold(3)")
"""Rules of families beside those with a name of their own."""


def _inside(domain: Domain) -> SearchStrategy[float]:
    """Numbers of a domain: its default, typical ones, and by powers of two to either end, or out to 1e30."""
    from hypothesis import strategies as st  # noqa: PLC0415

    low, default = float(domain.above), float(domain.default)
    typical = [default, *(float(x) for x in TYPICAL if domain.holds(x) and x != domain.default)]
    last = BITS if domain.above else SPAN
    choices = [st.sampled_from(typical), st.integers(1, last).map(lambda j: low + 2.0**-j)]
    if not domain.above:
        choices.append(st.sampled_from((1e-20, FIRST)))
    if domain.below is None:
        choices += [st.integers(1, SPAN).map(lambda j: 2.0**j), st.sampled_from((1e20, LAST))]
    else:
        high = float(domain.below)
        choices.append(st.integers(1, last).map(lambda j: high - 2.0**-j))
    return st.one_of(choices)


def parameters(measure: str) -> SearchStrategy[dict[str, float]]:
    """Parameters of a measure: ordinary ones, and the ends of their domains."""
    from hypothesis import strategies as st  # noqa: PLC0415

    return st.fixed_dictionaries({name: _inside(domain) for name, domain in DOMAINS[measure].items()})


def cases(
    *,
    measures: Sequence[str] = tuple(DOMAINS),
    methods: Sequence[str] = (*METHODS, *MEMBERS),
    levels: Sequence[str] = LEVELS,
    dtypes: Sequence[str] = DTYPES,
    largest: int = 65,
) -> SearchStrategy[Case]:
    """Cases of every measure, order, rule, level and dtype; steps from 2^-12 of a window to all of it, and at the ends.

    Args:
        measures: measures to draw from.
        methods: rules to draw from.
        levels: levels to draw from.
        dtypes: dtypes to draw from.
        largest: largest order.
    """
    from hypothesis import strategies as st  # noqa: PLC0415

    @st.composite
    def draw_case(draw: st.DrawFn) -> Case:
        measure = draw(st.sampled_from(tuple(measures)))
        method, level = draw(st.sampled_from(tuple(methods))), draw(st.sampled_from(tuple(levels)))
        dtype, order = draw(st.sampled_from(tuple(dtypes))), draw(orders(largest))
        chosen, dt = draw(parameters(measure)), None
        if measure != "legs":
            share = 2.0 ** -draw(st.sampled_from((6, 0, 1, 12, SPAN, -SPAN)))
            dt = min(max(chosen.get("theta", 1.0) * share, FIRST), LAST)
        return make_case("drawn", measure, order=order, method=method, level=level, dtype=dtype, dt=dt, **chosen)

    return draw_case()
