"""What a benchmark measures, hence which way is worse and how noise enters."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a benchmark measures, hence which way is worse and how noise enters.

    TIME (seconds), MEMORY (bytes) and ERROR (error / bound, bits lost): lower is better. RATE (something per second):
    higher is better. COUNT (verdicts, numbers compared): fewer is a failure.
    """

    TIME = "time"
    MEMORY = "memory"
    ERROR = "error"
    RATE = "rate"
    COUNT = "count"


_TIMES = ("s", "sec", "second", "seconds", "ms", "us", "µs", "ns", "minutes")
_SIZES = ("byte", "bytes", "B", "kB", "KB", "KiB", "MB", "MiB", "GB", "GiB")
_ERRORS = ("error / bound", "error", "relative error", "bits lost", "ulp", "ulps")
_COUNTS = ("verdicts", "checks", "numbers", "numbers compared", "cases", "count")
_PREFIXES = {"time_": Kind.TIME, "timeraw_": Kind.TIME, "peakmem_": Kind.MEMORY, "mem_": Kind.MEMORY}


def kind_of(name: str, unit: str) -> Kind:
    """What a benchmark measures, from its name (asv's ``time_``, ``peakmem_``, ...) or else from its unit.

    Raises:
        ValueError: neither says; nothing can be judged whose worse direction is not known.
    """
    function = name.partition("(")[0].rpartition(".")[2]
    for prefix, kind in _PREFIXES.items():
        if function.startswith(prefix):
            return kind
    if unit.endswith(("/s", " per second")):
        return Kind.RATE
    first = unit.partition("/")[0].partition(" per ")[0].strip()  # "s/step" and "bytes per state" too
    for units, kind in ((_ERRORS, Kind.ERROR), (_COUNTS, Kind.COUNT), (_TIMES, Kind.TIME), (_SIZES, Kind.MEMORY)):
        if unit in units or (first in units and kind in (Kind.TIME, Kind.MEMORY)):
            return kind
    raise ValueError(
        f"unit of {name} is {unit!r}, which does not say whether lower is better; accepted: "
        f"{', '.join((*_TIMES, *_SIZES, *_ERRORS, *_COUNTS))}, or anything ending in '/s'"
    )
