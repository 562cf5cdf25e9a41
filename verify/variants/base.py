"""What a legitimate variant is: a right implementation written another way, which no check may reject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from verify.candidates import Model, right_model
from verify.case import LEVELS, Case
from verify.oracle import Oracle
from verify.result import LiveTarget, Target

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Variant:
    """One way of being right.

    Attributes:
        key: stable name.
        text: how it differs from the plain implementation.
        alter: right model -> an object with level methods, right as well.
        applies: whether it differs at all for a case.
        convention: ``auto`` where the difference is a convention that must be found and undone before judging.
        normwise: whether accuracy is promised relative to the norm of a matrix, and not entry by entry.
    """

    key: str
    text: str
    alter: Callable[[Model], Any]
    applies: Callable[[Case], bool] = lambda case: True
    convention: Literal["exact", "auto"] = "exact"
    normwise: bool = False

    def target(self, oracle: Oracle) -> Target:
        """The variant as a target of this process."""

        def bind(asked: Case) -> Any:
            return self.alter(right_model(asked, oracle))

        return LiveTarget(bind, name=self.key, bind=True, normwise=self.normwise)


class Served:
    """A model whose answers pass through a function; every level is offered.

    Args:
        model: what computes.
        answer: (level, answer) -> answer.
    """

    def __init__(self, model: Model, answer: Callable[[str, Any], Any] = lambda level, value: value) -> None:
        self._served, self._answer = model, answer

    def __getattr__(self, level: str) -> Callable[..., Any]:
        if level not in LEVELS:
            raise AttributeError(level)
        return lambda *arguments: self._answer(level, getattr(self._served, level)(*arguments))


def at(*levels: str) -> Callable[[Case], bool]:
    """A case at one of these levels."""
    return lambda case: case.level in levels
