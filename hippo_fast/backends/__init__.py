"""The backends. `BACKENDS` says what each can do; its library is imported when it is first used."""

from __future__ import annotations

import importlib

from hippo_fast.backends.base import Backend, Capabilities
from hippo_fast.operators import OPERATORS
from hippo_fast.recurrence import methods_of

BACKENDS: dict[str, Capabilities] = {
    "numpy": Capabilities(
        key="numpy",
        module="hippo_fast.backends.numpy_backend",
        requires="numpy",
        measures=tuple(OPERATORS),
        methods={measure: methods_of(measure) for measure in OPERATORS},
        dtypes=("float32", "float64"),
        differentiable=False,
        devices=("cpu",),
    ),
    "numba": Capabilities(
        key="numba",
        module="hippo_fast.backends.numba_backend",
        requires="numba",
        measures=tuple(OPERATORS),
        methods={measure: methods_of(measure) for measure in OPERATORS},
        dtypes=("float32", "float64"),
        differentiable=False,
        devices=("cpu",),
    ),
    "torch": Capabilities(
        key="torch",
        module="hippo_fast.backends.torch_backend",
        requires="torch",
        measures=tuple(OPERATORS),
        methods={measure: methods_of(measure) for measure in OPERATORS},
        dtypes=("float32", "float64"),
        differentiable=True,
        devices=("cpu", "cuda"),
    ),
}

__all__ = ["BACKENDS", "Backend", "Capabilities", "load_backend"]


def load_backend(key: str) -> Backend:
    """Import a backend of `BACKENDS` and return it.

    Raises:
        ModuleNotFoundError: its library is not installed; the message says how to install it.
    """
    capabilities = BACKENDS[key]
    if not capabilities.is_installed():
        raise ModuleNotFoundError(
            f"backend {key!r} needs {capabilities.requires}, which is not installed; "
            f"install it with: pip install 'hippo-verify[{capabilities.requires}]'"
        )
    backend = importlib.import_module(capabilities.module).BACKEND
    if not isinstance(backend, Backend):
        raise TypeError(f"{capabilities.module}.BACKEND is {type(backend).__name__}; accepted: a Backend")
    return backend
