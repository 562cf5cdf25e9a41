"""The frozen vectors that accuracy is tracked against: exact answers and derived bounds, fixed for all commits.

A commit is measured with what lies in this file alone, never with its own reference or its own bounds: a mistake in
those would move the yardstick together with the thing. Nothing but the standard library and numpy is read, so commits
of any age can be measured. `asv_benchmarks.freeze` made the file, and the tests hold it against `hippo_ref`.

**Three figures.** For a row of numbers (a state, say) let ``e`` be the weighted 2-norm of its error, ``bound`` the
derived forward bound on it, ``size`` the size of what is rounded there, and ``r = e / (u size)`` with the unit roundoff
``u`` of the dtype. Tracked are

    error / bound = max over rows of e / bound
    bits lost     = max over rows of log2 r, or 0 where that is less: a row rounded once from the exact one loses none
    ulps          = exp(mean over rows of log(1 + r)) - 1, the error of a typical row

each finite, at least 0, and the lower the better. The first two are what a user must reckon with; they belong to the
worst row. The third moves with every row, so that it shows a loss which leaves the worst row as it is.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).parent / "vectors" / "tracked-1.jsonl.xz"
FORMAT = "hippo-tracked/1"
DIGEST = "9d9225a884c1683459fcfaadd5b7fdc72436f12917de42e3cdf85cde27cf960b"
"""SHA-256 of the vectors: another file is other yardsticks, hence other versions of every benchmark that reads it."""
VERSION = f"1-{DIGEST[:12]}"
"""Of what is tracked: raise the first number when a figure is defined anew."""

ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24}


class NotFiniteError(ArithmeticError):
    """An answer that is no number, or further off than any number says: it has no place in a series of numbers."""


@dataclass(frozen=True)
class Vector:
    """One question with its answer and the bounds on the error of each row."""

    record: Mapping[str, Any]

    def number(self, name):
        """A hex float of the record, exactly; None where there is none."""
        text = self.record.get(name)
        return None if text is None else float.fromhex(text)

    def numbers(self, name):
        """A list of hex floats, exactly; None where there is none."""
        texts = self.record.get(name)
        return None if texts is None else np.array([float.fromhex(text) for text in texts])

    @property
    def parameters(self):
        """Keywords of the measure."""
        return {name: float.fromhex(text) for name, text in self.record["parameters"].items()}

    @property
    def rows(self):
        """Which rows of the whole answer are given."""
        return self.record["rows"]

    @property
    def dtypes(self):
        """Those that hold the inputs exactly, so that the answer is theirs too."""
        return tuple(self.record["limits"])

    @cached_property
    def exact(self):
        """``(high, low)``, each (R, W): the answer as the nearest double, and what that rounding lost."""
        shape, texts = self.record["answer"]["shape"], self.record["answer"]["values"]
        high = [float(text) for text in texts]
        low = [float(Fraction(text) - Fraction(near)) for text, near in zip(texts, high, strict=True)]
        return np.array(high).reshape(shape), np.array(low).reshape(shape)

    @cached_property
    def weights(self):
        """(W,) weights of the norm that the bounds are in."""
        return np.array([float.fromhex(text) for text in self.record["weights"]])

    @cached_property
    def sizes(self):
        """(R,) size of what each row rounds; 0 where only zero is right."""
        return np.array([float.fromhex(text) for text in self.record["sizes"]])

    def limits(self, dtype):
        """(R,) bounds on the weighted norm of the error."""
        return np.array([float.fromhex(text) for text in self.record["limits"][dtype]])

    def errors(self, answer, factor=1.0):
        """(R,) weighted norms of the error of an answer (R, W) to ``factor`` times the question.

        Raises:
            NotFiniteError: it is not of this shape, or holds what is no number.
        """
        high, low = self.exact
        found = np.asarray(answer, dtype=np.float64)
        if found.shape != high.shape:
            raise NotFiniteError(f"{self.record['id']}: the answer has shape {found.shape}, expected {high.shape}")
        if not np.isfinite(found).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(found))[0])
            raise NotFiniteError(f"{self.record['id']}: the answer holds {found[place]} at {place}")
        with np.errstate(over="ignore", invalid="ignore"):  # an answer may be wrong by any amount
            return weighted_norm((found - factor * high) - factor * low, self.weights)

    def share(self, answer, dtype, factor=1.0):
        """Largest error ÷ bound of an answer; see `errors`."""
        return float(quotients(self.errors(answer, factor), abs(factor) * self.limits(dtype)).max())


def weighted_norm(values, weights):
    """Euclidean norms over the last axis, of which none over- or underflows on the way; inf where an entry is."""
    scaled = np.abs(values * weights)
    largest = scaled.max(axis=-1, initial=0.0, keepdims=True)
    unit = np.where(largest > 0, largest, 1.0)
    found = np.sqrt(((scaled / unit) ** 2).sum(axis=-1)) * unit[..., 0]
    return np.where(np.isfinite(scaled).all(axis=-1), found, np.inf)


def quotients(errors, limits):
    """Error ÷ limit; 0 ÷ 0 is 0, for an exact answer where none but the exact one will do."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(errors == 0, 0.0, errors / limits)


@dataclass(frozen=True)
class Score:
    """What is tracked of the answers to several vectors.

    Attributes:
        error_over_bound: the largest error ÷ bound.
        bits_lost: the most bits that a row lost.
        ulps: the error of a typical row.
        numbers: how many were compared.
    """

    error_over_bound: float
    bits_lost: float
    ulps: float
    numbers: int


def score(pairs, dtype):
    """The `Score` of ``(vector, answer)`` pairs.

    Raises:
        NotFiniteError: an answer that is not finite, an error where only the exact answer will do, or no pairs.
    """
    worst, relative, numbers = 0.0, [], 0
    for vector, answer in pairs:
        errors = vector.errors(answer)
        ratios, rounded = quotients(errors, vector.limits(dtype)), quotients(errors, ROUNDOFF[dtype] * vector.sizes)
        if not (np.isfinite(ratios).all() and np.isfinite(rounded).all()):
            row = int(np.argmax(np.where(np.isfinite(ratios + rounded), 0.0, 1.0)))
            raise NotFiniteError(
                f"{vector.record['id']}: row {row} of the answer is off by {errors[row]:.3g}, beside a bound of "
                f"{vector.limits(dtype)[row]:.3g} and a size of {vector.sizes[row]:.3g}"
            )
        worst = max(worst, float(ratios.max()))
        relative.extend(rounded[vector.sizes > 0].tolist())
        numbers += vector.exact[0].size
    if not relative:
        raise NotFiniteError("nothing was compared")
    typical = math.expm1(math.fsum(map(math.log1p, relative)) / len(relative))
    return Score(worst, math.log2(max(1.0, *relative)), typical, numbers)


def digest(lines):
    """SHA-256 of the records' lines."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def read(path):
    """Header and vectors by id.

    Raises:
        ValueError: another format, or records that do not give the header's digest.
    """
    head, *lines = lzma.decompress(path.read_bytes()).decode("ascii").splitlines()
    header = json.loads(head)
    if header.get("format") != FORMAT:
        raise ValueError(f"{path.name}: format is {header.get('format')!r}; accepted: {FORMAT!r}")
    found = digest(lines)
    if found != header["sha256"]:
        raise ValueError(f"{path.name}: the vectors have the digest {found}, and the header says {header['sha256']}")
    records = [json.loads(line) for line in lines]
    return header, {record["id"]: Vector(record) for record in records}


@lru_cache(maxsize=1)
def vectors():
    """The frozen vectors by id.

    Raises:
        ValueError: the file is not the one that this module was written for.
    """
    header, found = read(FILE)
    if header["sha256"] != DIGEST:
        raise ValueError(
            f"{FILE.name} has the digest {header['sha256']}, and frozen.DIGEST is {DIGEST}; a new file needs the new "
            "digest there, which gives every benchmark that reads it a new version"
        )
    return found


def chosen(kind, **wanted):
    """Vectors of a kind whose fields have these values, in the order of the file."""
    return [
        vector
        for vector in vectors().values()
        if vector.record["kind"] == kind and all(vector.record.get(name) == value for name, value in wanted.items())
    ]
