"""What two machines must have alike for their verdicts to be one campaign's."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import metadata
from typing import Final

from verify.provenance import machine, source, versions

CARRIERS: Final = ("cloudpickle", "dask", "distributed", "msgpack")
"""What takes units there and verdicts back."""
MACHINE: Final = ("platform", "system", "blas")
"""The processor may be another one: bounds hold on any, and its last digits are within them."""
THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@lru_cache(maxsize=1)
def likeness() -> dict[str, str]:
    """What this process judges with; of the moment it is first asked, since what is loaded by then stays loaded."""
    found = {**versions(), **{name: metadata.version(name) for name in CARRIERS}}
    found |= {name: str(value) for name, value in machine().items() if name in MACHINE}
    return {**found, "source": source()}


def differences(here: dict[str, str], there: dict[str, str]) -> list[str]:
    """What makes verdicts from there no part of a campaign of here, a clause each."""
    named = {"source": "the source of hippo-verify", "platform": "the architecture", "blas": "the BLAS of numpy"}
    none = "not installed"
    return [
        f"{named.get(name, name)} is {there.get(name, none)} there and {here.get(name, none)} here"
        for name in dict.fromkeys([*here, *there])
        if here.get(name) != there.get(name)
    ]


def threads() -> dict[str, str | None]:
    """How many threads libraries are told to use here; a target is told the same wherever it runs."""
    return {name: os.environ.get(name) for name in THREADS}
