"""What a call leaves behind in the process it ran in, its answer apart.

Loading is no fault: the first calls of a target may import libraries, which set variables of the environment, add
warnings filters, draw random numbers and start threads. So the table says of each thing what loading may do to it:

* `SETTINGS` are read before and after every call. What no import has a business with counts whenever it changes; the
  rest counts unless the call has loaded a module.
* `STIRRED` are brought, before a call that is watched closely, into a state in which an earlier call cannot have left
  them: what is the same for ever after the first call (a seed, a silenced warning) is seen all the same, and what only
  an import does is not done again. What the call has not touched is put back.
* `COUNTS` are what may be left open. They count once they have grown at several closely watched calls in a row, for a
  pool of threads that is started when it is first needed stays as it is.

A library that nobody has imported is not imported here either. On Linux and macOS the settings of the floating-point
unit are those of the thread that calls.
"""

from __future__ import annotations

import decimal
import gc
import importlib
import locale
import math
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import psutil

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """Something of the process that a call may change.

    Attributes:
        name: what it is, as in "the call changed ...".
        read: its value; None, or an exception, where there is none, as while its library is not loaded.
        factory: its value while the library is not loaded; None where that is not known.
        loading: True if loading a module may change it.
        parts: which of its parts differ between two values of it; None: it has none, and differs if they are not equal.
    """

    name: str
    read: Callable[[], Any]
    factory: Any = None
    loading: bool = False
    parts: Callable[[Any, Any], Iterator[str]] | None = None


@dataclass(frozen=True)
class Stirred:
    """Something that a call may leave as an earlier call has left it already.

    Attributes:
        name: as of `Setting`.
        read: its value; None, or an exception, where there is none.
        stir: brings it into another state; None: into that before the first call.
        write: puts a value back.
        clean: takes out of a value what `stir` has put in.
    """

    name: str
    read: Callable[[], Any]
    stir: Callable[[], object] | None
    write: Callable[[Any], object]
    clean: Callable[[Any], Any] = lambda value: value


def _guest(name: str) -> Any:
    """A module that somebody has imported already."""
    return sys.modules[name]


# The floating-point unit, read off sums and products: whatever the processor and the library, this is what counts.
# Operands are taken from a tuple, so that no compiler does the arithmetic in its own surroundings.
_ONE, _HALF_ULP, _TINY = 1.0, 2.0**-53, sys.float_info.min


def _rounding() -> tuple[bool, ...]:
    one, half = _ONE, _HALF_ULP
    return (one + half == one, one + 1.5 * half > one, -one - half == -one, -one - 1.5 * half < -one)


def _subnormals() -> tuple[bool, ...]:
    tiny = _TINY
    least = math.ldexp(tiny, -52)
    return (tiny * 0.5 > 0, least + tiny > tiny)


def _umask() -> int:
    mask = os.umask(0o077)  # it can only be read by writing; for that moment new files are their owner's alone
    os.umask(mask)
    return mask


def _decimal() -> tuple[Any, ...]:
    kept = decimal.getcontext()
    return (kept.prec, kept.rounding, kept.Emin, kept.Emax, kept.capitals, kept.clamp, *kept.traps.values())


_SIGNALS: Final = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGABRT", "SIGALRM", "SIGCHLD", "SIGSEGV", "SIGFPE", "SIGHUP", "SIGUSR1")
    if hasattr(signal, name)
)


def _handlers() -> dict[str, Any]:
    return {number.name: signal.getsignal(number) for number in _SIGNALS}


_PATCHABLE: Final = ("builtins", "math", "numpy", "numpy.linalg")


def _functions() -> dict[str, Any]:
    return {name: vars(sys.modules[name]).copy() for name in _PATCHABLE if name in sys.modules}


def _patched(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Names that stand for something else now; those that are new may be loaded when they are first needed."""
    for module, names in before.items():
        for name, value in names.items():
            if not name.startswith("_") and after.get(module, {}).get(name) is not value:
                yield f"{module}.{name}"


def _variables() -> dict[Any, Any]:
    return dict(getattr(os.environ, "_data", os.environ))  # its own dictionary, where there is one: 200 times as fast


def _altered(before: dict[Any, Any], after: dict[Any, Any]) -> Iterator[str]:
    """Keys whose values differ."""
    for key in before | after:
        if before.get(key) != after.get(key):
            yield os.fsdecode(key)


SETTINGS: Final = (
    Setting("the rounding mode", _rounding),
    Setting("the treatment of subnormal numbers", _subnormals),
    Setting("the working directory", os.getcwd),
    Setting("the umask", _umask),
    Setting("torch's default dtype", lambda: str(_guest("torch").get_default_dtype()), "torch.float32"),
    Setting("torch's recording of gradients", lambda: _guest("torch").is_grad_enabled(), True),
    Setting("the precision of torch's products", lambda: _guest("torch").get_float32_matmul_precision(), "highest"),
    Setting("jax_enable_x64", lambda: _guest("jax").config.jax_enable_x64),
    Setting("the decimal context", _decimal),
    Setting("the locale of numbers", lambda: locale.setlocale(locale.LC_NUMERIC)),
    Setting("the garbage collector", gc.isenabled, True),
    Setting("the alarm clock", lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 0),
    Setting("the recursion limit", sys.getrecursionlimit, loading=True),
    Setting("the trace function", sys.gettrace, loading=True),
    Setting("the profile function", sys.getprofile, loading=True),
    Setting("the environment variable", _variables, loading=True, parts=_altered),
    Setting("the handler of", _handlers, loading=True, parts=_altered),
    Setting("the function", _functions, loading=True, parts=_patched),
    Setting("sys.path", lambda: tuple(sys.path), loading=True),
    Setting("the import hooks", lambda: (*map(id, sys.meta_path), *map(id, sys.path_hooks)), loading=True),
    Setting("sys.stdout or sys.stderr", lambda: (id(sys.stdout), id(sys.stderr)), loading=True),
)
"""What is read before and after every call. The names of its parts follow that of a setting."""


def _numpy_random() -> Any:
    state = _guest("numpy.random").get_state(legacy=False)
    inner = state["state"]
    return (state["bit_generator"], inner["key"].tobytes(), inner["pos"], state["has_gauss"], state["gauss"])


def _set_numpy_random(value: Any) -> None:
    kind, key, *rest = value
    _guest("numpy.random").set_state((kind, np.frombuffer(key, dtype=np.uint32), *rest))


def _set_torch_random(value: bytes) -> None:
    torch = _guest("torch")
    torch.set_rng_state(torch.frombuffer(bytearray(value), dtype=torch.uint8))


_MARK: Final = "hippo-verify looks whether this is still the first filter"


def _marked(item: Any) -> bool:
    return getattr(item[1], "pattern", item[1]) == _MARK


def _set_filters(value: Any) -> None:
    warnings.resetwarnings()
    warnings.filters.extend(value)  # type: ignore[attr-defined]  # a list, whatever the stub says


@lru_cache(maxsize=1)
def _pools(loaded: int) -> Sequence[Any]:
    try:
        return importlib.import_module("threadpoolctl").ThreadpoolController().lib_controllers
    except ImportError:
        return ()


def _blas() -> Sequence[Any]:
    """The thread pools of the linear algebra, if threadpoolctl is at hand; looked for again once more is loaded."""
    return _pools(len(sys.modules))


def _blas_threads() -> dict[str, int]:
    return {pool.filepath: pool.get_num_threads() for pool in _blas()}


def _set_blas_threads(value: Mapping[str, int]) -> None:
    for pool in _blas():
        if pool.filepath in value:
            pool.set_num_threads(value[pool.filepath])


def _set_torch_threads(value: int) -> None:
    _guest("torch").set_num_threads(value)


STIRRED: Final = (
    Stirred("python's random state", random.getstate, random.random, random.setstate),
    Stirred("numpy's random state", _numpy_random, lambda: _guest("numpy.random").random_sample(), _set_numpy_random),
    Stirred(
        "torch's random state",
        lambda: _guest("torch").get_rng_state().numpy().tobytes(),
        lambda: _guest("torch").rand(1),
        _set_torch_random,
    ),
    Stirred(
        "the warnings filters",
        lambda: tuple(warnings.filters),
        lambda: warnings.filterwarnings("ignore", message=_MARK),
        _set_filters,
        lambda value: tuple(item for item in value if not _marked(item)),
    ),
    Stirred("numpy's handling of floating-point errors", np.geterr, None, lambda value: np.seterr(**value)),
    Stirred("numpy's print options", np.get_printoptions, None, lambda value: np.set_printoptions(**value)),
    Stirred("the number of torch's threads", lambda: _guest("torch").get_num_threads(), None, _set_torch_threads),
    Stirred("the number of threads of the linear algebra", _blas_threads, None, _set_blas_threads),
)
"""What is stirred before a call that is watched closely."""


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))


def _threads() -> int:
    return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else threading.active_count()


def _children() -> int:
    try:
        tasks = list(Path("/proc/self/task").glob("*/children"))
        return sum(len(path.read_text(encoding="ascii").split()) for path in tasks)
    except OSError:  # a kernel without that file, or not Linux
        return len(psutil.Process().children())


COUNTS: Final[Mapping[str, Callable[[], int]]] = {
    "the number of open files, which grows with every call": _open_files,
    "the number of threads, which grows with every call": _threads,
    "the number of child processes, which grows with every call": _children,
}
"""What may be left open."""
