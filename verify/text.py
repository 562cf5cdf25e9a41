"""Words of a target's in a message of ours, and in Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

LONGEST: Final = 500
"""Characters of a target's own words in a message."""


def one_line(text: str, longest: int = LONGEST) -> str:
    """A target's words on one line, bounded, with nothing in them that could move a terminal's cursor."""
    text = " ".join(text[: 2 * longest].split())
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return line if len(line) <= longest else line[:longest] + "..."


def error_line(error: BaseException) -> str:
    """The name of an exception's type and its own words, whatever its ``__str__`` does."""
    name = said(lambda: type(error).__qualname__, "an exception without a name")
    text = said(lambda: str(error), "its message cannot be had, because its __str__ fails")
    return f"{name}: {text}" if text else name


def said(get: Callable[[], str], otherwise: str) -> str:
    """One line out of code of the target's, which may raise or return anything."""
    try:
        return one_line(str.__str__(get()))  # a subclass of str may have its own mind about split and format
    except BaseException:  # noqa: BLE001 -- it is the target's code
        return otherwise


def code(text: str) -> str:
    """Words of a target as code: no markup, no HTML, no mention of anybody in them, and one cell of a table."""
    text = re.sub(r"\s+", " ", text).strip() or "(nothing)"
    text = text.replace("|", "\\|")
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def plain(text: str) -> str:
    """Our own words as they stand: nothing in them is markup, and they stay in their cell."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"[\\`*\[\]<>|~]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)", r"\\\g<0>", text)
    return re.sub(r"@(?=\w)", "@\u200b", text)  # would call somebody in a pull request
