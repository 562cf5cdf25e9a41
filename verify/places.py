"""Which name has which number, for millions of names in a few tens of bytes each."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable


class Places:
    """Numbers 0, 1, 2, ... of names, in the order in which they were added; the names themselves lie elsewhere.

    A hash table with open addressing: what it holds of a name is 8 bytes of its digest, and whether it is really that
    name is asked of where it lies, so that names are never taken for each other.

    Args:
        name: the name of a number.
    """

    def __init__(self, name: Callable[[int], str]) -> None:
        self._name = name
        self._digests = array("Q")
        self._slots = array("q", [-1]) * 64

    def __len__(self) -> int:
        return len(self._digests)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def get(self, name: str) -> int | None:
        """The number of a name, or None."""
        slot = self._slot(_digest(name), name)
        return None if self._slots[slot] < 0 else self._slots[slot]

    def add(self, name: str) -> int:
        """Give a new name the next number.

        Raises:
            ValueError: it has one.
        """
        if 3 * len(self) >= 2 * len(self._slots):
            self._grow()
        digest = _digest(name)
        slot = self._slot(digest, name)
        if self._slots[slot] >= 0:
            raise ValueError(f"{name} is there already")
        self._slots[slot] = len(self)
        self._digests.append(digest)
        return len(self) - 1

    def _slot(self, digest: int, name: str | None = None) -> int:
        """Where a name is, or would be."""
        last = len(self._slots) - 1
        slot = digest & last
        while (place := self._slots[slot]) >= 0:
            if name is not None and self._digests[place] == digest and self._name(place) == name:
                break
            slot = (slot + 1) & last
        return slot

    def _grow(self) -> None:
        self._slots = array("q", [-1]) * (2 * len(self._slots))
        for place, digest in enumerate(self._digests):
            self._slots[self._slot(digest)] = place


def _digest(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
