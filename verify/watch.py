"""Watches what the calls of a target do to the process it lives in, by the tables of `global_state`."""

from __future__ import annotations

import ctypes
import gc
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np

from verify.global_state import COUNTS, SETTINGS, STIRRED, Setting

T = TypeVar("T")

GROWN: Final = 4
"""Closely watched calls in a row at which a count must have grown."""
_GRACE: Final = 0.1  # seconds for a thread or process that the call has told to end
_NAMED: Final = 3  # variables and functions named one by one


class Watch:
    """Sees what the calls of one target do to this process.

    Args:
        shared: True if others compute in this process too. Then the floating-point unit and numpy's handling of its
            errors are put back after every call, for they would change what the others compute.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self._shared = shared
        self._first = {item.name: _safely(item.read) for item in STIRRED if item.stir is None}
        self._left: dict[str, None] = {}  # what calls have changed since the last close look; in order
        self._grown: Counter[str] = Counter()
        self._looked = False

    def around(self, call: Callable[[], T], *, closely: bool = False) -> tuple[T, tuple[str, ...]]:
        """Make a call.

        Args:
            call: is called once; what it raises passes through.
            closely: True to stir and to count.

        Returns:
            Its answer, and the names of what has changed. After calls that were not watched closely the first one that
            is tells what of `SETTINGS` they have changed as well, and so do those that follow it.
        """
        if self._looked and not closely:
            self._left.clear()
            self._grown.clear()
        self._looked = closely
        found: dict[str, None] = {}
        if not closely:
            try:
                with self._reading(found):
                    answer = call()
                return answer, tuple(found)
            finally:
                self._left.update(found)
        counts = {name: _safely(read) for name, read in COUNTS.items()}
        with self._reading(self._left), self._stirred(found):
            answer = call()
        for name, read in COUNTS.items():
            self._grown[name] = self._grown[name] + 1 if _grew(read, counts[name]) else 0
        grown = [name for name, times in self._grown.items() if times >= GROWN]
        return answer, (*self._left, *found, *grown)

    @contextmanager
    def _reading(self, found: dict[str, None]) -> Iterator[None]:
        """Put the names of `SETTINGS` that the body changes into ``found``."""
        loaded = len(sys.modules)
        unit = _save_unit() if self._shared else None
        errors = np.geterr()
        before = [_safely(setting.read) for setting in SETTINGS]
        try:
            yield
        finally:
            for setting, old in zip(SETTINGS, before, strict=True):
                if not setting.loading or len(sys.modules) == loaded:
                    known = setting.factory if old is None else old
                    found.update(dict.fromkeys(_changed(setting, known, _safely(setting.read))))
            if self._shared:
                _restore_unit(unit)
                np.seterr(**errors)

    @contextmanager
    def _stirred(self, found: dict[str, None]) -> Iterator[None]:
        """Stir, put the names of what the body changes into ``found``, and put back what it has left alone."""
        saved, stirred = {}, {}
        for item in STIRRED:
            value = saved[item.name] = _safely(item.read)
            if value is None:
                continue
            first = self._first.get(item.name)
            _safely(item.stir or partial(item.write, value if first is None else first))
            stirred[item.name] = _safely(item.read)
        try:
            yield
        finally:
            for item in STIRRED:
                if item.name in stirred:
                    now = _safely(item.read)
                    changed = now != stirred[item.name]
                    if changed:
                        found[item.name] = None
                    value = item.clean(now) if changed else saved[item.name]
                    if value != now:
                        _safely(partial(item.write, value))


@contextmanager
def drawing_unseen() -> Iterator[None]:
    """Leave the random states as they were: what the body draws to initialise an object is no call's doing."""
    drawn = [item for item in STIRRED if item.name.endswith("random state")]
    before = [(item, _safely(item.read)) for item in drawn]
    try:
        yield
    finally:
        for item, value in before:
            if value is not None:
                _safely(partial(item.write, value))


def _grew(read: Callable[[], int], before: int | None) -> bool:
    """Whether a count is larger than before, once garbage is gone and what was told to end has had time to."""
    if before is None or (_safely(read) or 0) <= before:
        return False
    gc.collect()
    until = time.monotonic() + _GRACE
    while (_safely(read) or 0) > before:
        if time.monotonic() > until:
            return True
        time.sleep(_GRACE / 20)
    return False


def _safely(read: Callable[[], Any]) -> Any:
    """A value, or None: a library may be half loaded, or a target may have put anything in its place."""
    try:
        return read()
    except Exception:  # noqa: BLE001 -- see above
        return None


def _changed(setting: Setting, before: Any, after: Any) -> list[str]:
    """What to call the difference between two values of a setting; empty where there is none."""
    if before is None or after is None or _safely(lambda: bool(before == after)):
        return []
    if setting.parts is None:
        return [setting.name]
    parts = list(setting.parts(before, after))
    named = [f"{setting.name} {part}" for part in parts[:_NAMED]]
    return named if len(parts) <= _NAMED else [*named, f"{len(parts) - _NAMED} more"]


# The floating-point environment of C: rounding, traps and, on the processors in use, the treatment of subnormal
# numbers. 256 bytes hold it everywhere (32 on x86-64, 16 on AArch64).
_C: Final = ctypes.CDLL(None)


def _save_unit() -> Any:
    room = ctypes.create_string_buffer(256)
    return room if _safely(lambda: _C.fegetenv(room)) == 0 else None


def _restore_unit(room: Any) -> None:
    if room is not None:
        _safely(lambda: _C.fesetenv(room))
