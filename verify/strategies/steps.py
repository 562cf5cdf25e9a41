"""States from which a run goes on: single steps, and runs that are resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verify.inputs import Resumption, Transition
from verify.strategies.base import LATEST, ORDINARY, indices, lengths, numerators, scaled
from verify.strategies.signals import KINDS

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

STATES = ("noise", "unit", "zero", "falling", "uneven")


def _state(draw: DrawFn, order: int) -> tuple[float, ...]:
    """A state: random, a unit vector, zero, falling like the coefficients of a smooth signal, or of uneven sizes."""
    from hypothesis import strategies as st  # noqa: PLC0415

    kind = draw(st.sampled_from(STATES))
    if kind == "zero":
        return (0.0,) * order
    if kind == "unit":
        place = draw(st.sampled_from((0, order - 1, order // 2)))
        return tuple(float(n == place) for n in range(order))
    values = draw(st.lists(draw(numerators()), min_size=order, max_size=order))
    if kind == "falling":
        return tuple(scaled([m], -min(n, 40))[0] for n, m in enumerate(values))
    if kind == "uneven":
        return tuple(scaled([m], (0, -30, 30)[n % 3])[0] for n, m in enumerate(values))
    return scaled(values, 0)


def transitions(order: int) -> SearchStrategy[Transition]:
    """Steps from states of several kinds, at indices from 0 to 10^6, at ordinary amplitudes and 2^30 up and down."""
    from hypothesis import strategies as st  # noqa: PLC0415

    @st.composite
    def draw_transition(draw: st.DrawFn) -> Transition:
        index, exponent = draw(indices()), draw(st.sampled_from(ORDINARY))
        (sample,) = scaled([draw(draw(numerators()))], 0)
        state = _state(draw, order)
        return Transition(tuple(v * 2.0**exponent for v in state), sample * 2.0**exponent, index)

    return draw_transition()


def resumptions(order: int, longest: int, *, latest: int = LATEST) -> SearchStrategy[Resumption]:
    """Runs that go on from any state at any index; the state after no sample is zero.

    Args:
        order: number of coefficients.
        longest: length of the longest signal that is read after the state.
        latest: largest index.
    """
    from hypothesis import strategies as st  # noqa: PLC0415

    @st.composite
    def draw_resumption(draw: st.DrawFn) -> Resumption:
        index, kind = draw(indices(latest)), draw(st.sampled_from(tuple(KINDS)))
        exponent, length = draw(st.sampled_from(ORDINARY)), draw(lengths(longest))
        state = _state(draw, order) if index else (0.0,) * order
        return Resumption(state, scaled(KINDS[kind](draw, length), exponent), index, kind)

    return draw_resumption()
