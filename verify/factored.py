"""Diagonal plus low rank, ``A = V (diag(Lambda) - P Q^*) V^*``, in the forms in which S4 and S5 code hands it over.

V may be missing: then (Lambda, P, B) stand for the operator up to a unitary V that nobody has written down. Q may be
missing: then it is P. P may be missing: then there is no low-rank term, as in S4D. And of each conjugate pair of modes
one may be missing: a real operator has the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verify import arrays

Array = np.ndarray[Any, np.dtype[Any]]

NEEDED = ("Lambda", "B")
"""What no form goes without: the modes, and how the input drives them."""
PARTS = ("Lambda", "P", "Q", "B", "V")
"""All names, in the order of a tuple of five."""
FORMS = {2: NEEDED, 3: ("Lambda", "P", "B"), 4: ("Lambda", "P", "B", "V"), 5: PARTS}
"""What a tuple holds, by its length; four may also be (Lambda, P, Q, B), which the shape of the last tells."""
SAME = 1e-4
"""Share of the largest mode within which two are taken for one, where words are looked for; never for a verdict."""
EXPECTED = "(Lambda, P, B) or (Lambda, P, B, V), as a tuple or by name"


def read(answer: Any) -> dict[str, arrays.Numbers]:
    """The parts that an answer has: a mapping, an object with attributes, or a tuple.

    Raises:
        arrays.NotNumbers: it is none of these, or a part is no array; the message is a sentence.
    """
    if isinstance(answer, Mapping):
        parts = {name: answer[name] for name in PARTS if answer.get(name) is not None}
    elif all(hasattr(answer, name) for name in NEEDED):
        parts = {name: getattr(answer, name) for name in PARTS if getattr(answer, name, None) is not None}
    elif isinstance(answer, tuple | list) and len(answer) in FORMS:
        parts = dict(zip(FORMS[len(answer)], answer, strict=True))
    else:
        raise arrays.NotNumbers(f"returned {arrays.kind(answer)}; expected {EXPECTED}")
    lacking = [name for name in NEEDED if name not in parts]
    if lacking:
        raise arrays.NotNumbers(f"returned {arrays.kind(answer)} without {' and '.join(lacking)}; expected {EXPECTED}")
    found = {name: arrays.numbers(part, name) for name, part in parts.items()}
    if isinstance(answer, tuple | list) and len(answer) == 4 and found["V"].array.ndim == 1:
        found = dict(zip(("Lambda", "P", "Q", "B"), found.values(), strict=True))
    return found


def shaped(parts: Mapping[str, Array]) -> dict[str, Array]:
    """Complex parts with B as ``(M,)``, P and Q as ``(M, r)``; what has another shape is left for the judge to name.

    S4 stores P as ``(r, M)``, one row for each rank: it is turned where only that reading fits.
    """
    found = {name: np.array(part, dtype=np.complex128) for name, part in parts.items()}
    modes = found["Lambda"].size
    if found["B"].shape in ((modes, 1), (1, modes)):
        found["B"] = found["B"].reshape(modes)
    for name in ("P", "Q"):
        if name in found:
            part = found[name][:, None] if found[name].ndim == 1 else found[name]
            found[name] = part.T if part.ndim == 2 and part.shape[0] != modes and part.shape[1] == modes else part
    return found


@dataclass(frozen=True)
class Factors:
    """Factors of one order.

    Attributes:
        Lambda: (M,) modes.
        P: (M, r) left half of the low-rank term.
        Q: (M, r) right half.
        B: (M,) input in the coordinates of the modes.
        V: (N, M) columns that take the modes into the state, or None.
    """

    Lambda: Array
    P: Array
    Q: Array
    B: Array
    V: Array | None = None

    @classmethod
    def of(cls, parts: Mapping[str, Array]) -> Factors:
        """Of the parts of an answer; Q is P where it is missing, and P has no columns."""
        Lambda, B = parts["Lambda"], parts["B"]
        P = parts.get("P", np.zeros((len(Lambda), 0), complex))
        return cls(Lambda, P, parts.get("Q", P), B, parts.get("V"))

    @property
    def low_rank(self) -> Array:
        """``P Q^*``."""
        return np.asarray(self.P @ self.Q.conj().T)

    def take(self, kept: Array) -> Factors:
        """Some of the modes, in the order asked for."""
        V = None if self.V is None else self.V[:, kept]
        return Factors(self.Lambda[kept], self.P[kept], self.Q[kept], self.B[kept], V)

    def completed(self, order: int) -> Factors:
        """All N modes of factors that hold one of each conjugate pair, and ``2M - N`` modes that are their own partner.

        Those are the modes of the lowest frequencies. Factors of N modes are returned as they are.
        """
        count = len(self.Lambda)
        by_frequency = np.argsort(np.abs(self.Lambda.imag), kind="stable")
        partners = self.take(np.sort(by_frequency[max(2 * count - order, 0) :]))
        if count >= order:
            return self
        V = None if self.V is None or partners.V is None else np.hstack([self.V, partners.V.conj()])
        names = ("Lambda", "P", "Q", "B")
        Lambda, P, Q, B = (np.concatenate([getattr(self, name), getattr(partners, name).conj()]) for name in names)
        return Factors(Lambda, P, Q, B, V)

    @property
    def pairs_within(self) -> int:
        """How many modes have their conjugate among the others."""
        size = np.abs(self.Lambda).max(initial=0.0) * SAME
        upper, lower = (self.Lambda[side > size] for side in (self.Lambda.imag, -self.Lambda.imag))
        return int((np.abs(upper[:, None] - lower.conj()[None, :]) <= size).any(axis=1).sum())

    def by_frequency(self) -> Factors:
        """Sorted by imaginary part, then by what the input gives them."""
        size = max(float(np.abs(self.Lambda).max(initial=0.0)), np.finfo(float).tiny)
        rounded = np.round(self.Lambda.imag / size, 7)
        return self.take(np.lexsort((np.abs(self.B), rounded)))

    def stood_for(self) -> Array:
        """A and B in the coordinates of the state, real parts then imaginary ones, and the rates; empty without V."""
        if self.V is None:
            return np.zeros(0)
        A = (self.V * self.Lambda) @ self.V.conj().T - self.V @ self.low_rank @ self.V.conj().T
        column = self.V @ self.B
        parts = (A.real, A.imag, column.real, column.imag, np.sort(self.Lambda.real))
        return np.concatenate([part.ravel() for part in parts])

    def invariants(self) -> Array:
        """What no phase and no order of the modes changes, in the size of B: mode by mode, by frequency."""
        ordered = self.by_frequency()
        term = ordered.low_rank
        joint = ordered.B.conj() * (term @ ordered.B)
        root = joint / np.sqrt(np.where(joint == 0, 1, np.abs(joint)))
        weights = np.diag(term) / np.sqrt(np.where(np.diag(term) == 0, 1, np.abs(np.diag(term))))
        parts = (ordered.Lambda.real, ordered.Lambda.imag, np.abs(ordered.B), weights.real, weights.imag, root.real)
        return np.concatenate([*parts, root.imag])

    def turned(self) -> Factors:
        """The other reading of square P and Q: a row for each rank."""
        return replace(self, P=self.P.T, Q=self.Q.T)


def fitting(parts: Mapping[str, Array]) -> bool:
    """Whether parts are factors, of shapes that fit each other."""
    if not set(NEEDED) <= set(parts) or parts["Lambda"].ndim != 1:
        return False
    modes = len(parts["Lambda"])
    left, right = (parts[name] for name in ("P", "Q")) if "Q" in parts else (parts.get("P"), parts.get("P"))
    return (
        parts["B"].shape == (modes,)
        and all(part is None or (part.ndim == 2 and len(part) == modes) for part in (left, right))
        and (left is None or right is None or left.shape == right.shape)
        and ("V" not in parts or (parts["V"].ndim == 2 and parts["V"].shape[1] == modes))
    )


def counts(order: int, self_conjugate: int) -> tuple[int, ...]:
    """Numbers of modes that factors of an order may have: all, or one of each pair.

    Args:
        order: N.
        self_conjugate: modes of the exact operator whose frequency is 0; two of them may also be given as a pair.
    """
    halves = {(order + alone) // 2 for alone in range(self_conjugate, -1, -2)}
    return (order, *sorted(halves - {order}))
