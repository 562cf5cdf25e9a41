"""The implementations we know. `ADAPTERS` is the ordered table; one file per library."""

from __future__ import annotations

from verify.adapters.base import Adapter
from verify.adapters.control import Control
from verify.adapters.discretax import Discretax
from verify.adapters.hippox import Hippox
from verify.adapters.juniper import Juniper
from verify.adapters.keras_lmu import KerasLMU
from verify.adapters.mambapy import Mambapy
from verify.adapters.minimamba import Minimamba
from verify.adapters.own import Own
from verify.adapters.s5_pytorch import S5, S5Scan
from verify.adapters.scipy_signal import ScipySignal

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
        S5Scan(),
        Hippox("legs"),
        Hippox("legt"),
        Hippox("lmu"),
        Hippox("lagt"),
        Hippox("glagt"),
        Hippox("fout"),
        Hippox("fourier_double"),
        Hippox("fourier_decay"),
        Hippox("legs", factored=True),
        Hippox("glagt", factored=True),
        KerasLMU("cell"),
        KerasLMU("trainable"),
        KerasLMU("raw"),
        KerasLMU("fft"),
        Juniper(),
        Discretax(),
        Mambapy("operator"),
        Mambapy("pscan"),
        Minimamba("operator"),
        Minimamba("scan"),
        Minimamba("log-space"),
        ScipySignal(),
        Control(),
    )
}

__all__ = ["ADAPTERS", "Adapter"]
