"""What a proof is: a formula, an identity that it must satisfy in exact rational arithmetic, and wrong formulas.

A residual of exactly 0 is a proof for its instance, and for all that ``Proof.covers`` says follows from it. Nothing is
rounded anywhere, so no tolerance and no precision enters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any, TypeAlias

from flint import fmpq, fmpq_mat, fmpq_poly

from hippo_ref.precision import integer, rational

Take: TypeAlias = Callable[[object, str], Any]
Instance: TypeAlias = Mapping[str, object]

_NOTHING: Instance = MappingProxyType({})


@dataclass(frozen=True)
class Proof:
    """An identity in exact rational arithmetic.

    Attributes:
        key: stable name.
        claim: what is proved, as a sentence.
        covers: what a residual of exactly 0 at one order covers.
        source: where the formula comes from.
        formula: the formula under proof.
        gap: ``(formula, order, **instance) -> residuals``; it knows the definition, and the formula only as given.
        wrong: formulas of the same kind that must be refuted, by what is wrong with them.
        takes: the values that make an instance: name -> conversion that validates.
        examples: order -> fixed instances; between them they refute every wrong formula from order 3 on.
    """

    key: str
    claim: str
    covers: str
    source: str
    formula: Any
    gap: Callable[..., Sequence[fmpq]]
    wrong: Mapping[str, Any]
    takes: Mapping[str, Take] = field(default_factory=dict)
    examples: Callable[[int], Sequence[Instance]] = lambda order: (_NOTHING,)

    def residuals(self, order: int, **instance: object) -> list[Fraction]:
        """The residuals of the formula, all exactly 0 where the claim is true.

        Args:
            order: N >= 1.
            **instance: the values named in ``takes``; numbers are int, float, Fraction, mpf or str and kept exactly.

        Raises:
            TypeError: a value of the wrong type, one that is missing, or one that the proof does not take.
            ValueError: a value outside its domain, or ``order`` below 1.
        """
        return self._of(self.formula, order, instance)

    def residuals_of(self, wrong: str, order: int, **instance: object) -> list[Fraction]:
        """The residuals of one of the ``wrong`` formulas, as ``residuals`` otherwise.

        Raises:
            ValueError: no wrong formula of that name; else as ``residuals``.
        """
        if wrong not in self.wrong:
            raise ValueError(f"proof {self.key!r} has no wrong formula {wrong!r}; it has {', '.join(self.wrong)}")
        return self._of(self.wrong[wrong], order, instance)

    def holds(self, order: int) -> bool:
        """True if every residual of every example of the order is exactly 0."""
        return not any(any(self.residuals(order, **example)) for example in self.examples(order))

    def _of(self, formula: Any, order: int, instance: Instance) -> list[Fraction]:
        order = integer(order, "order", 1)
        if set(instance) != set(self.takes):
            given, taken = ", ".join(sorted(instance)) or "nothing", ", ".join(self.takes) or "nothing"
            raise TypeError(f"proof {self.key!r} takes {taken} beside order, got {given}")
        values = {name: take(instance[name], name) for name, take in self.takes.items()}
        found = self.gap(formula, order, **values)
        if not found:
            raise ArithmeticError(f"proof {self.key!r} compared nothing at order {order}")
        return [to_fraction(value) for value in found]


def table(*proofs: Proof) -> Mapping[str, Proof]:
    """Proofs by key, in their order."""
    return MappingProxyType({proof.key: proof for proof in proofs})


def to_fmpq(value: Fraction) -> fmpq:
    """The same number in flint's type."""
    return fmpq(value.numerator, value.denominator)


def to_fraction(value: fmpq) -> Fraction:
    """The same number in Python's type."""
    return Fraction(int(value.p), int(value.q))


def entries(*matrices: fmpq_mat) -> list[fmpq]:
    """All entries of matrices, row by row."""
    return [entry for matrix in matrices for entry in matrix.entries()]


def coefficients(polynomials: Iterable[fmpq_poly]) -> list[fmpq]:
    """All coefficients of polynomials, at least one for each."""
    return [value for polynomial in polynomials for value in polynomial.coeffs() or [fmpq(0)]]


def column(values: Iterable[object]) -> fmpq_mat:
    """(N, 1)."""
    taken = list(values)
    return fmpq_mat(len(taken), 1, taken)


def diagonal(values: Iterable[object]) -> fmpq_mat:
    """(N, N)."""
    taken = list(values)
    matrix = fmpq_mat(len(taken), len(taken))
    for n, value in enumerate(taken):
        matrix[n, n] = value
    return matrix


def square(order: int, entry: Callable[[int, int], object]) -> fmpq_mat:
    """(N, N) from ``entry(n, k)``."""
    return fmpq_mat(order, order, [entry(n, k) for n in range(order) for k in range(order)])


def number(
    above: int | None = None, below: int | None = None, least: int | None = None, most: int | None = None
) -> Take:
    """Conversion of a rational number in an interval, whose ends are left out (above, below) or part of it."""
    ends = {">": above, ">=": least, "<": below, "<=": most}
    domain = " and ".join(f"{sign} {end}" for sign, end in ends.items() if end is not None)

    def take(value: object, name: str) -> fmpq:
        taken = rational(value, name)
        outside = (
            (above is not None and taken <= above)
            or (below is not None and taken >= below)
            or (least is not None and taken < least)
            or (most is not None and taken > most)
        )
        if outside:
            raise ValueError(f"{name} must be {domain}, got {value}")
        return to_fmpq(taken)

    return take


def count(least: int) -> Take:
    """Conversion of an integer of at least ``least``."""
    return lambda value, name: integer(value, name, least)


def numbers(least: int = 0, each: Take | None = None) -> Take:
    """Conversion of a sequence of at least ``least`` rational numbers, each in the interval of ``each``."""
    convert = each or number()

    def take(values: object, name: str) -> list[fmpq]:
        if isinstance(values, str | bytes) or not isinstance(values, Iterable):
            raise TypeError(f"{name} must be a sequence of numbers, got {values!r} ({type(values).__name__})")
        taken = [convert(value, f"{name}[{index}]") for index, value in enumerate(values)]
        if len(taken) < least:
            raise ValueError(f"{name} must hold at least {least} number(s), got {len(taken)}")
        return taken

    return take


def sized(values: Sequence[fmpq], size: int, name: str) -> Sequence[fmpq]:
    """The values, if there are as many as expected.

    Raises:
        ValueError: there are not.
    """
    if len(values) != size:
        raise ValueError(f"{name} must hold {size} number(s), got {len(values)}")
    return values


def awkward(size: int) -> list[str]:
    """Rational numbers for examples: none is 0, and no structure that a wrong formula could hide behind."""
    return [f"{(-1) ** (n * n // 3) * (n * n % 7 + 1)}/{n + 3}" for n in range(size)]
