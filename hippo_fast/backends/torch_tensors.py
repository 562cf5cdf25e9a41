"""What every module of the torch backend shares."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np
import torch

from hippo_fast.types import FloatArray

Tensor: TypeAlias = Any  # torch is skipped by the type checker

_HAS_NUMBA = find_spec("numba") is not None
_HAS_TRITON = find_spec("triton") is not None
_TRITON_DEVICES = ["cuda"]  # with TRITON_INTERPRET=1 the kernels run on the processor too


def constant(values: FloatArray, like: Tensor) -> Tensor:
    """Return ``values`` as a tensor with the dtype and device of ``like``; of a fitting array, a view."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(device=like.device, dtype=like.dtype)


def triton_kernels(like: Tensor) -> Any:
    """Return `hippo_fast.kernels.triton_scan` where it runs on the device of ``like``, else None."""
    if not _HAS_TRITON or like.device.type not in _TRITON_DEVICES:
        return None
    return import_module("hippo_fast.kernels.triton_scan")


def numba_runs(like: Tensor) -> bool:
    """Return whether Numba's kernels run on the memory of ``like``."""
    return _HAS_NUMBA and like.device.type == "cpu"
