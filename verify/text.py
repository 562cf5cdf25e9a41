"""Words of a target's in a message of ours, and in Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
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


def closest(given: object, known: Sequence[str]) -> str:
    """`` (did you mean X?)`` where something that is accepted looks like what was given, or empty."""
    close = get_close_matches(str(given), known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def accepted(given: object, known: Sequence[str]) -> str:
    """The end of a sentence about something that is not accepted."""
    return f"accepted: {', '.join(known)}{closest(given, known)}"


def cut(lines: Iterable[str], room: int, end: str) -> str:
    """Lines as a text of at most ``room`` bytes; what is too much is left out at a line's end, and that is said."""
    lines = list(lines)
    text = "\n".join(lines) + "\n"
    if _size(text) <= room:
        return text
    last = f"\n{end}\n"
    kept: list[str] = []
    left = room - _size(last)
    for line in lines:
        left -= _size(line) + 1
        if left < 0:
            break
        kept.append(line)
    return "\n".join(kept) + "\n" + last if kept else ""


def _size(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace"))
