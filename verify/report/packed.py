"""Data beside a page: compressed, in scripts that a page may load from a disk, where it may fetch nothing."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

RECEIVER = "hippoReport.take"
"""What a script calls; ``page.js`` defines it."""


def packed(content: Any) -> str:
    """JSON, compressed, as text; the same for the same content, whenever it is made."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


def script(name: str, content: Any) -> str:
    """A script that hands content over to the page that loads it.

    Args:
        name: what the page knows it by; a name of ours.
        content: JSON, of which `packed` parts are texts.
    """
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))  # ASCII: a script whatever its encoding
    return f"{RECEIVER}({json.dumps(name)}, {text});\n"


class Shelf:
    """Files beside a page, named by what is in them: a page never finds another's under the name that it knows.

    Attributes:
        files: name -> text.
    """

    def __init__(self, folder: str = "assets") -> None:
        self.files: dict[str, str] = {}
        self._folder = folder

    def put(self, stem: str, suffix: str, text: str) -> str:
        """Keep a text, and say where the page finds it."""
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
        name = f"{self._folder}/{stem}-{digest}{suffix}"
        self.files[name] = text
        return name

    def data(self, name: str, content: Any) -> str:
        """Keep data as a script of its own."""
        return self.put(name, ".js", script(name, content))

    def drawings(self, name: str, pictures: Sequence[Mapping[str, Any]]) -> str:
        """Keep figures, each packed by itself: one is unpacked when it is looked at."""
        return self.data(name, [{**picture, "figure": packed(picture["figure"])} for picture in pictures])
