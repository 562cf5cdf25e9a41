"""Right answers from calls that leave more behind than their answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from verify.candidates import Model
from verify.case import LEVELS
from verify.defects.base import Defect

Array = np.ndarray[Any, np.dtype[Any]]
Alter = Callable[[Model], Model]


def _at_every_level(answered: Callable[[Callable[..., Any], str], Callable[..., Any]]) -> Alter:
    """Put something around the call of each level."""

    def alter(model: Model) -> Model:
        changed = replace(model)
        for level in LEVELS:
            object.__setattr__(changed, level, answered(getattr(model, level), level))  # a frozen model
        return changed

    return alter


def _first(act: Callable[[], object]) -> Alter:
    def call(right: Callable[..., Any], *arguments: Any) -> Any:
        act()
        return right(*arguments)

    return _at_every_level(lambda right, _: partial(call, right))


def _reusing() -> Alter:
    """Answers lie in memory that is as large as the largest one so far."""
    memory: dict[tuple[str, int], Array] = {}

    def laid(level: str, place: int, array: Array) -> Array:
        held = memory.get((level, place))
        if held is None or held.size < array.size or held.dtype != array.dtype:
            held = memory[level, place] = np.empty(array.size, array.dtype)
        view = held[: array.size].reshape(array.shape)
        view[...] = array
        return view

    def call(right: Callable[..., Any], level: str, *arguments: Any) -> Any:
        answer = right(*arguments)
        if isinstance(answer, tuple):
            return tuple(laid(level, place, np.asarray(part)) for place, part in enumerate(answer))
        return laid(level, 0, np.asarray(answer))

    return _at_every_level(lambda right, level: partial(call, right, level))


SIDE_EFFECTS = (
    Defect(
        "buffer_reused",
        "answers lie in memory that the next call uses again",
        "an answer given earlier changes under the next call",
        _reusing(),
        lambda case: case.level != "gradient",  # its answer does not depend on the samples, so it stays
        remembering=_reusing,
    ),
    Defect(
        "numpy_seeded",
        "every call seeds numpy's global random numbers",
        "numpy's random state, moved on before a call, is another one after it",
        _first(lambda: np.random.seed(0)),  # noqa: NPY002 -- the defect
    ),
    Defect(
        "errors_silenced",
        "every call changes how numpy handles floating-point errors, for everybody",
        "numpy's error handling, put back before a call, is another one after it",
        _first(lambda: np.seterr(all="ignore")),
    ),
)
