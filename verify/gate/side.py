"""What one side of a comparison is: benchmarks, what each gave in every round, and where that was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from verify.kinds import Kind, kind_of

__all__ = ["STATUSES", "Kind", "Measurement", "Side", "kind_of"]

STATUSES = ("measured", "skipped", "failed")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One benchmark with one choice of parameters.

    Attributes:
        name: asv's spelling, such as ``bench_scan.OneStream.time_states('legs', 'bilinear')``.
        kind: what is measured.
        unit: the unit of the values.
        version: asv's version string, or hash of the benchmark's source; values of two versions are not comparable.
        status: ``measured``, ``skipped`` (does not apply here, says why) or ``failed`` (should have run, and did not).
        why: the reason of skipped or failed, or of a round that gave nothing.
        rounds: TIME, RATE and MEMORY: the median of each round, in the order of rounds, None where a round gave
            nothing. ERROR and COUNT: one value; several, where it was measured repeatedly, must agree. NaN and inf
            are kept: they are findings.

    Raises:
        ValueError: the status is unknown.
    """

    name: str
    kind: Kind
    unit: str
    version: str
    status: str
    why: str = ""
    rounds: tuple[float | None, ...] = ()

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status of {self.name} is {self.status!r}; accepted: {', '.join(STATUSES)}")


@dataclass(frozen=True, kw_only=True)
class Side:
    """Everything measured of one revision, or read from one file.

    Attributes:
        label: what the user named.
        revision: full hash of the commit, or None.
        paired: an id of the interleaved run that both sides stem from: equal ids mean that round i of one ran beside
            round i of the other, in an order drawn at random. None: not paired.
        machine: where it was measured, such as ``{"cpu": ..., "os": ...}``.
        environment: versions that matter, such as ``{"python": ..., "numpy": ...}``.
        measurements: by name.
    """

    label: str
    revision: str | None
    paired: str | None
    machine: Mapping[str, str]
    environment: Mapping[str, str]
    measurements: Mapping[str, Measurement]
