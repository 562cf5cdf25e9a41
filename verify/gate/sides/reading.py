"""What the readers of results share: how a file is read, and how a field is asked for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from verify.text import one_line

NUMBER = (int, float)


def as_float(value: float) -> float:
    """A number of JSON, whose whole ones may be beyond any float: then it is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


class SideError(ValueError):
    """A file of results cannot be read or understood; the message says where, what is there and what is accepted."""


def load(path: Path) -> Any:
    """The content of a JSON file; NaN and infinities are read as they are, for other programs write them.

    Raises:
        SideError: it cannot be read, or is no whole JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise SideError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise SideError(f"{path} is no whole JSON: {one_line(str(error))}; accepted: a file of results") from None


class Fields:
    """An object of a file, asked field by field.

    Args:
        content: what is in the file.
        where: the file and the place in it, for messages.
    """

    def __init__(self, content: Any, where: str) -> None:
        if not isinstance(content, Mapping):
            raise SideError(f"{where} is {_shown(content)}; accepted: an object")
        self.content = content
        self.where = where

    def get(self, name: str, *kinds: type) -> Any:
        """The value of a field, which must be of one of some types (a number is no bool).

        Raises:
            SideError: it is missing or of another type.
        """
        if name not in self.content:
            raise SideError(f"{self.where} lacks {name!r}; it has {', '.join(map(str, self.content)) or 'nothing'}")
        value = self.content[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            accepted = " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)
            raise SideError(f"{name} of {self.where} is {_shown(value)}; accepted: {accepted}")
        return value

    def inner(self, name: str) -> Fields:
        """An object in a field."""
        return Fields(self.get(name, dict), f"{name} of {self.where}")

    def texts(self, name: str) -> dict[str, str]:
        """An object of texts in a field."""
        inner = self.inner(name)
        return {key: inner.get(key, str) for key in inner.content}

    def only(self, *names: str) -> None:
        """Refuse a field that is not known: it might say something that changes the meaning of the others."""
        unknown = [name for name in self.content if name not in names]
        if unknown:
            raise SideError(
                f"{self.where} has {', '.join(map(repr, unknown))}; accepted: {', '.join(names)} (was it written by a "
                "newer version?)"
            )


def _shown(value: Any) -> str:
    return one_line(repr(value), 80)
