"""The implementations we know. `ADAPTERS` is the ordered table; one file per library."""

from __future__ import annotations

from verify.adapters.base import Adapter
from verify.adapters.hippox import Hippox
from verify.adapters.own import Own
from verify.adapters.s5_pytorch import S5

ADAPTERS: dict[str, Adapter] = {
    adapter.key: adapter
    for adapter in (
        Own("numpy"),
        Own("numba"),
        Own("numba", "last"),
        Own("torch"),
        S5("whole"),
        S5("dplr"),
        S5("normal"),
        Hippox("legs"),
        Hippox("legt"),
        Hippox("lmu"),
        Hippox("lagt"),
        Hippox("glagt"),
        Hippox("fout"),
        Hippox("fourier_double"),
        Hippox("fourier_decay"),
    )
}

__all__ = ["ADAPTERS", "Adapter"]
