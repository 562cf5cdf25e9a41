"""Series of the UEA archive, read from its ``.ts`` and ``.arff`` files: several channels, of unequal lengths.

Of a case that ends in missing values in every channel (``?`` or ``NaN``), which is how files of equal length pad the
shorter ones, the end is cut off. A sample of which a value is missing elsewhere was not seen: it is left out, and the
others keep their times.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Never

import numpy as np
from numpy.typing import NDArray

SUFFIXES: Final = (".ts", ".arff")
_PARTS: Final = ("_TRAIN", "_TEST")


@dataclass(frozen=True, kw_only=True)
class Recordings:
    """Series and the class of each.

    Attributes:
        classes: names, in the order in which the file declares them.
        labels: (n,) index into ``classes``.
        values: of each series (L, d), without missing numbers.
        places: of each series (L,) the index in time of each sample, from 0; gaps are samples that were not seen.
    """

    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    values: tuple[NDArray[np.float64], ...]
    places: tuple[NDArray[np.int64], ...]

    def __len__(self) -> int:
        return len(self.labels)

    def digest(self) -> bytes:
        """A hash of everything that is known of them."""
        whole = hashlib.sha256(repr((self.classes, len(self))).encode())
        whole.update(self.labels.tobytes())
        for places, values in zip(self.places, self.values, strict=True):
            whole.update(repr(values.shape).encode() + places.tobytes() + values.tobytes())
        return whole.digest()


def read_pair(path: Path) -> tuple[str, Recordings, Recordings]:
    """The name of a set, and its training and test parts; either file is named, the other lies beside it.

    Raises:
        ValueError: a name, or a file, that is not of the format; the message names file, line and what is wrong.
        FileNotFoundError: one of the two is not there.
    """
    stem = next((path.stem.removesuffix(part) for part in _PARTS if path.stem.endswith(part)), None)
    if path.suffix not in SUFFIXES or stem is None:
        raise ValueError(
            f"{path.name} is no name of a UEA file; accepted: NAME_TRAIN or NAME_TEST with {' or '.join(SUFFIXES)}"
        )
    both = [path.with_name(f"{stem}{part}{path.suffix}") for part in _PARTS]
    for one in both:
        if not one.is_file():
            raise FileNotFoundError(f"{one.name} is not in {one.parent}; expected {both[0].name}, {both[1].name} there")
    train, test = (read(one) for one in both)
    if train.classes != test.classes:
        raise ValueError(
            f"{both[1].name} declares classes {' '.join(test.classes)}; expected those of {both[0].name}: "
            f"{' '.join(train.classes)}"
        )
    channels = [part.values[0].shape[1] for part in (train, test)]
    if channels[0] != channels[1]:
        raise ValueError(f"{both[1].name} has {channels[1]} channels; expected {channels[0]}, as {both[0].name}")
    return stem, train, test


def read(path: Path) -> Recordings:
    """One file.

    Raises:
        ValueError: it is not of the format; the message names the line and what is wrong.
        OSError: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is no text (byte {error.start}); expected a UEA file, {_accepted()}") from None
    reader = {".ts": _Ts, ".arff": _Arff}.get(path.suffix)
    if reader is None:
        raise ValueError(f"{path.name} ends in {path.suffix or 'nothing'}; accepted: {_accepted()}")
    return reader(path.name, text).recordings()


def _accepted() -> str:
    return " or ".join(SUFFIXES)


class _File:
    """What both formats have in common: a header, then a case in each line after ``@data``."""

    kind: str
    comment: str
    declaration: str

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = [
            (number, line.strip())
            for number, line in enumerate(text.splitlines(), start=1)
            if line.strip() and not line.strip().startswith(self.comment)
        ]
        self.number = 1
        self.classes: tuple[str, ...] = ()
        self.channels: int | None = None
        self.length: int | None = None
        self.equal = False

    def fail(self, problem: str, number: int | None = None) -> Never:
        raise ValueError(f"{self.name}, line {self.number if number is None else number}: {problem}")

    def header(self, line: str) -> None:
        raise NotImplementedError

    def case(self, line: str) -> tuple[list[list[str]], str]:
        """The words of each channel, and the class."""
        raise NotImplementedError

    def recordings(self) -> Recordings:
        labels, values, places = [], [], []
        for channels, label in self._cases():
            if label not in self.classes:
                self.fail(f"class {label!r} was not declared; the header has {' '.join(self.classes)}")
            where, found = self._samples(channels)
            labels.append(self.classes.index(label))
            values.append(found)
            places.append(where)
        if not labels:
            self.fail("the file is empty: no case follows @data; expected one in each line")
        if len({found.shape[1] for found in values}) > 1:  # a file that does not declare how many there are
            self.fail(f"cases have {sorted({found.shape[1] for found in values})} channels; expected as many in each")
        return Recordings(
            classes=self.classes, labels=np.array(labels, np.int64), values=tuple(values), places=tuple(places)
        )

    def _cases(self) -> Iterator[tuple[list[list[str]], str]]:
        in_data = False
        for number, line in self.lines:
            self.number = number
            if in_data:
                yield self.case(line)
            elif line.lower() == "@data":
                in_data = True
                if not self.classes:
                    self.fail(f"no classes were declared before @data; expected {self.declaration}")
            else:
                self.header(line)
        if not in_data:
            self.fail(f"the file ends without @data; expected a header, a line @data, then cases: a {self.kind} file")

    def _samples(self, channels: list[list[str]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        if self.channels is not None and len(channels) != self.channels:
            self.fail(f"the case has {len(channels)} channels; the header declares {self.channels}")
        raw = [len(words) for words in channels]
        if len(set(raw)) > 1:
            self.fail(f"channels have {', '.join(map(str, raw))} values; expected as many in each channel of a case")
        if self.equal and self.length not in (None, raw[0]):
            self.fail(f"the case has {raw[0]} samples; expected {self.length}: the header declares equal lengths")
        self.length = raw[0]
        table = np.array([[self._number(word) for word in words] for words in channels], np.float64).T
        present = np.flatnonzero(~np.isnan(table).all(axis=1))
        table = table[: present[-1] + 1] if present.size else table[:0]
        seen = np.flatnonzero(~np.isnan(table).any(axis=1))
        if seen.size < 2:
            self.fail(f"the case has {seen.size} samples without a missing value; expected at least 2")
        return seen - seen[0], table[seen]

    def _number(self, word: str) -> float:
        word = word.strip()
        if word in ("?", "NaN", "nan"):
            return float("nan")
        try:
            value = float(word)
        except ValueError:
            self.fail(f"{word!r} is no number; accepted: numbers, and ? or NaN where one is missing")
        if not np.isfinite(value):
            self.fail(f"{word!r} is not finite; accepted: finite numbers, and ? or NaN where one is missing")
        return value


class _Ts(_File):
    """``@`` lines, then cases: channels parted by colons, values by commas, the class last."""

    comment = "#"
    kind = ".ts"
    declaration = "@classLabel true NAME NAME ..."

    def header(self, line: str) -> None:
        if not line.startswith("@"):
            self.fail(f"{line[:40]!r} stands in the header; expected lines that begin with @ or #, then @data")
        key, *words = line[1:].split()
        match key.lower():
            case "timestamps" if _flag(words):
                self.fail("@timeStamps true: pairs of time and value are not read; expected plain values, one a sample")
            case "dimensions":
                self.channels = self._count(key, words)
            case "univariate" if _flag(words):
                self.channels = 1
            case "equallength":
                self.equal = _flag(words)
            case "serieslength":
                self.length = self._count(key, words)
            case "classlabel":
                if not _flag(words[:1]) or len(words) < 2:
                    self.fail(f"{line!r} declares no classes; expected {self.declaration}")
                self.classes = tuple(words[1:])

    def _count(self, key: str, words: list[str]) -> int:
        if len(words) != 1 or not words[0].isdecimal() or int(words[0]) < 1:
            self.fail(f"@{key} is {' '.join(words)!r}; expected a number of at least 1")
        return int(words[0])

    def case(self, line: str) -> tuple[list[list[str]], str]:
        *channels, label = line.split(":")
        if not channels:
            self.fail("the case has no colon; expected values, a colon after each channel, then the class")
        return [channel.split(",") for channel in channels], label.strip()


class _Arff(_File):
    r"""A relational attribute of numeric ones, and a nominal one: ``'1,2,3\n4,5,6',class`` has two channels."""

    comment = "%"
    kind = ".arff"
    declaration = "@attribute NAME {CLASS, CLASS, ...}"

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)
        self.relational = False
        self.inside = 0

    def header(self, line: str) -> None:
        key, _, rest = line.partition(" ")
        kind = rest.split()[-1].lower() if rest.split() else ""
        if key.lower() == "@relation":
            return
        if key.lower() == "@end":
            self.length, self.equal = self.inside, True
        elif key.lower() == "@attribute" and kind == "relational":
            self.relational = True
        elif key.lower() == "@attribute" and "{" in line and self.length is not None:
            names = line[line.index("{") + 1 :].strip("{} ")
            self.classes = tuple(word.strip().strip("'\"") for word in names.split(","))
        elif key.lower() == "@attribute" and kind in ("numeric", "real") and self.relational and self.length is None:
            self.inside += 1
        else:
            self.fail(
                f"{line[:60]!r} is not expected here; expected one relational attribute of numeric ones, @end, then "
                f"{self.declaration}: the file with all channels, not one with a single channel"
            )

    def case(self, line: str) -> tuple[list[list[str]], str]:
        found = re.fullmatch(r"""(['"])(?P<series>.*)\1\s*,\s*(?P<label>.+)""", line)
        if found is None:
            self.fail(r"the case is not '...\n...',CLASS; expected channels in quotes, \n between them, then the class")
        channels = [channel.split(",") for channel in found["series"].split(r"\n")]
        if self.channels is None:
            self.channels = len(channels)
        return channels, found["label"].strip().strip("'\"")


def _flag(words: list[str]) -> bool:
    return bool(words) and words[0].lower() == "true"
