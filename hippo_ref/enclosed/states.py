"""Certified states of a discretized measure, one step, and the Jacobian of the last state."""

from __future__ import annotations

from collections.abc import Iterable

from flint import arb

from hippo_ref.balls import Balls, ball, largest, reach
from hippo_ref.enclosed import invariant, legs
from hippo_ref.enclosed.rules import parse
from hippo_ref.enclosed.runs import Run, request
from hippo_ref.measures import Measure
from hippo_ref.precision import exact_sequence, integer


def enclose_states(
    m: Measure,
    samples: Iterable[object],
    order: int,
    method: str = "zoh",
    dt: object = None,
    digits: int = 50,
    *,
    timestamps: Iterable[object] | None = None,
    start: Iterable[object] | None = None,
    first: int = 0,
    previous: object = None,
    last: bool = False,
) -> list[Balls]:
    """Exact states of the recurrence as balls: entry k encloses the state after ``samples[0..k]``.

    LegS starts from ``samples[0] e_0``; an invariant law from zero, and rules that read cells step with ``samples[0]``
    already. Conventions: ``hippo_ref.conventions``. Node rules (trapezoid, foh, hold(2), hold(3)) have node k at
    ``k dt`` or ``timestamps[k]``; ``hold(d)`` takes up to node k the polynomial of degree ``min(d, k)`` through the
    last ``min(d, k) + 1`` of them.

    Args:
        m: a measure with a formula in ``hippo_ref.enclosed.systems``.
        samples: (L,) finite numbers, L >= 1, taken exactly.
        order: N >= 1.
        method: euler, backward_euler, bilinear, gbt(a), zoh, trapezoid, foh or hold(d), d <= 3.
        dt: sample spacing, > 0, for invariant laws; refused for legs.
        digits: every radius is at most ``10^-digits`` of the largest entry of its state, or of ``2^-32`` of the largest
            input where the state is smaller than that.
        timestamps: (L,) strictly increasing times: of nodes, or ends of cells, the first of which starts at 0. For legs
            the default is k, for zoh k + 1; an invariant law takes either this or dt. When resuming, the time of
            ``start`` comes first, for hold(d) the times of all of ``previous``.
        start: (N,) state to resume from (for an invariant law also an initial state, with ``first=0``).
        first: how many samples ``start`` has read; ``samples[i]`` then has index ``first + i``.
        previous: the last ``min(d, first)`` samples read, oldest first, to resume hold(d); one number will do where it
            is one (trapezoid and foh have d = 1).
        last: only the last state, in a list of its own; a hold of legs then comes from integrals of the kernels.

    Returns:
        L lists of N balls, or one.

    Raises:
        TypeError, ValueError: bad argument; the message names it, what was got and what is accepted.
        PrecisionError: the radius is not reached.

    Source: HiPPO theorem 2 and appendix B.3 for the published rules; holds by variation of constants.
    """
    run = request(m, samples, order, method, dt, timestamps, start, first, previous)

    def compute() -> list[Balls]:
        if not last:
            return legs.states(run) if run.scale else invariant.states(run)
        return [legs.last_state(run) if run.scale else invariant.states(run)[-1]]

    def floor() -> arb:
        return largest([ball(value) for value in [*run.samples, *(run.start or [])]])

    return reach(compute, digits, run.name("enclose_states"), guard=_guard(run), floor=floor)


def enclose_step(
    m: Measure,
    state: Iterable[object],
    sample: object,
    k: int,
    method: str = "bilinear",
    dt: object = None,
    digits: int = 50,
) -> Balls:
    """The state after sample ``k`` from the state before it: one step of ``enclose_states``, for rules that read cells.

    Args:
        m: the measure.
        state: (N,) state before the sample; for legs with k = 0 only its length is used.
        sample: the number read.
        k: index of the sample, from 0; only legs depends on it.
        method: euler, backward_euler, bilinear, gbt(a) or zoh; rules that read several samples are refused.
        dt: as in ``enclose_states``.
        digits: as in ``enclose_states``.

    Returns:
        N balls.

    Raises:
        TypeError, ValueError: bad argument.
        PrecisionError: the radius is not reached.
    """
    before, k = exact_sequence(state, "state", 1), integer(k, "k", 0)
    if not parse(method).cells:
        raise ValueError(
            f"method {method!r} reads several samples in a step; use enclose_states with start, first and previous"
        )
    fresh = m.time_law == "scale" and k == 0
    begin = None if fresh else before
    return enclose_states(m, [sample], len(before), method, dt, digits, start=begin, first=0 if fresh else k)[0]


def enclose_jacobian(
    m: Measure,
    length: int,
    order: int,
    method: str,
    dt: object = None,
    digits: int = 50,
    *,
    timestamps: Iterable[object] | None = None,
) -> list[Balls]:
    """``d c_n / d samples[k]`` of the last of ``length`` states, as balls.

    Args:
        m: the measure.
        length: L >= 1.
        order: N >= 1.
        method: as in ``enclose_states``.
        dt: as in ``enclose_states``.
        digits: every radius is at most ``10^-digits`` of the largest entry of its column, or of ``2^-32`` where the
            column is smaller than that.
        timestamps: as in ``enclose_states``.

    Returns:
        N rows of L balls.

    Raises:
        TypeError, ValueError: bad argument.
        PrecisionError: the radius is not reached.
    """
    run = request(m, [0] * integer(length, "length", 1), order, method, dt, timestamps)
    columns = reach(
        lambda: legs.jacobian(run) if run.scale else invariant.jacobian(run),
        digits,
        run.name("enclose_jacobian"),
        guard=_guard(run),
        floor=lambda: arb(1),
    )
    return [list(row) for row in zip(*columns, strict=True)]


def _guard(run: Run) -> int:
    return legs.guard(run) if run.scale else invariant.guard(run)
