"""A checked request for states: samples with their times, what came before them, and the state to start from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from mpmath import mpf

from hippo_ref.enclosed.rules import Rule, parse
from hippo_ref.enclosed.systems import formula
from hippo_ref.measures import Measure
from hippo_ref.precision import exact, exact_sequence, integer, rational

Number: TypeAlias = Fraction | mpf


@dataclass(frozen=True)
class Run:
    """One run of a recurrence. Entry i of ``samples`` belongs to entry i of ``times``.

    The first ``lead`` entries are the past that the first steps look back to: the time of the state before the first
    sample, and the samples read before it (0 where the rule does not look). Step i goes from ``times[i-1]`` to
    ``times[i]``. With ``lead = 0`` the state of entry 0 is given by the conventions, without a step.

    Attributes:
        m: the measure.
        order: N.
        rule: the discretization.
        samples: numbers, taken exactly.
        times: strictly increasing.
        lead: number of entries before the first sample of the request.
        start: state before the first step, if one was given.
    """

    m: Measure
    order: int
    rule: Rule
    samples: list[Number]
    times: list[Fraction]
    lead: int
    start: list[Number] | None

    @property
    def scale(self) -> bool:
        """True for LegS, whose steps depend on ratios of times."""
        return self.m.time_law == "scale"

    @property
    def steps(self) -> range:
        """The entries that a step ends at."""
        return range(max(self.lead, 1), len(self.times))

    def window(self, i: int) -> range:
        """The entries that step i reads, oldest first: fewer than the rule's at the very start."""
        return range(i - min(self.rule.degree, i), i + 1)

    def name(self, function: str) -> str:
        """For messages."""
        return f"{function}({self.m.key}, order={self.order}, method={self.rule.key!r})"


def request(
    m: Measure,
    samples: object,
    order: int,
    method: str,
    dt: object,
    timestamps: Iterable[object] | None = None,
    start: Iterable[object] | None = None,
    first: int = 0,
    previous: object = None,
) -> Run:
    """Check the arguments of ``enclose_states``, which explains them.

    Raises:
        TypeError, ValueError: bad argument.
    """
    formula(m)
    order, rule, first = integer(order, "order", 1), parse(method), integer(first, "first", 0)
    u = exact_sequence(samples, "samples", 1)
    scale = m.time_law == "scale"
    begin = None if start is None else exact_sequence(start, "start")
    if begin is not None and len(begin) != order:
        raise ValueError(f"start must have length order = {order}, got {len(begin)}")
    if begin is None and first:
        raise ValueError(f"first = {first} resumes a run and needs start, its state after {first} samples")
    if begin is not None and scale and not first:
        raise ValueError("start for measure 'legs' needs first >= 1: sample 0 replaces any state")
    past = _previous(rule, previous, first)
    # A fresh run of cells under an invariant law has the time 0 before its first cell; a resumed one its start's time.
    lead = max(1, len(past)) if first or (rule.cells and not scale) else 0
    past = past or [Fraction(0)] * lead
    times = _times(m, rule, dt, timestamps, first, lead, len(u))
    return Run(m, order, rule, [*past, *u], times, lead, begin)


def _previous(rule: Rule, previous: object, first: int) -> list[Number]:
    """The samples that a resumed run looks back to."""
    count = min(rule.degree, first)
    if count == 0:
        return []
    if previous is None:
        raise ValueError(f"method {rule.key!r} looks back: resuming needs previous, the last {count} sample(s) read")
    if not hasattr(previous, "__iter__") or isinstance(previous, str):
        previous = [exact(previous, "previous")]
    past = exact_sequence(previous, "previous")
    if len(past) != count:
        raise ValueError(
            f"previous must hold the last {count} sample(s), oldest first, to resume method {rule.key!r} after "
            f"{first}; got {len(past)}"
        )
    return past


def _times(
    m: Measure, rule: Rule, dt: object, timestamps: Iterable[object] | None, first: int, lead: int, count: int
) -> list[Fraction]:
    """Times of the past and of the samples: nodes, or ends of cells."""
    scale, held = m.time_law == "scale", rule.kind == "hold" and rule.cells
    if scale and dt is not None:
        raise ValueError(f"measure {m.key!r} has no dt: its steps depend on ratios of times alone; got dt = {dt!r}")
    if not scale and (dt is None) == (timestamps is None):
        got = "neither" if dt is None else "both"
        raise ValueError(f"measure {m.key!r} needs exactly one of dt and timestamps, got {got}")
    if timestamps is None:
        spacing = Fraction(1) if dt is None else rational(exact(dt, "dt"), "dt")
        if spacing <= 0:
            raise ValueError(f"dt must be > 0, got {dt!r}")
        # LegS counts generalized bilinear samples by the times of nodes.
        ends = held if scale else rule.cells
        return [(first - lead + i + ends) * spacing for i in range(lead + count)]
    times = [rational(time, "timestamps") for time in exact_sequence(timestamps, "timestamps")]
    fresh_cells = not scale and rule.cells and not first
    expected = count + (0 if fresh_cells else lead)
    if len(times) != expected:
        what = f" (when resuming, {lead} earlier time(s) come first, that of start last)" if first else ""
        raise ValueError(f"timestamps must have length {expected} for {count} samples{what}, got {len(times)}")
    # Cells have a length, and nodes after the first are after 0.
    positive = first > lead or (held if scale else rule.cells)
    if times[0] < 0 or (positive and times[0] == 0):
        raise ValueError(
            f"timestamps[0] must be {'> 0' if positive else '>= 0'} for method {rule.key!r}, got {times[0]}"
        )
    for index in range(1, len(times)):
        if not times[index - 1] < times[index]:
            raise ValueError(
                f"timestamps must increase strictly, got timestamps[{index - 1}] = {times[index - 1]} and "
                f"timestamps[{index}] = {times[index]}"
            )
    return [Fraction(0), *times] if fresh_cells else times
