"""The corpus on which both witnesses must agree: every measure, rule and kind of answer, awkward numbers included.

``python tests/ref/ref_corpus.py`` prints how many cases there are, that all overlap, and the widest radius.
"""

import sys
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from flint import acb
from mpmath import mp, mpf
from ref_tools import CASES, name

import hippo_ref as ref
from hippo_ref.balls import midpoint, radius

DIGITS = 40
RULES = [
    "euler",
    "backward_euler",
    "bilinear",
    "gbt(1/3)",
    "gbt(0.9)",
    "zoh",
    "trapezoid",
    "foh",
    "hold(2)",
    "hold(3)",
]
NODES = RULES[6:]
DT = Fraction(1, 24)
INPUTS = {
    "rough": [1, -1, Fraction(1, 3), 0.1, -0.7, 1, -1, 1, 0, 0.25],
    "denormal and huge": [5e-324, 1e308, -1e-300, 0, 1e300],
    "one sample": [-0.3],
}
UNEVEN = [Fraction(1, 7), 0.5, 0.75, 2, 3, 3.0625, 9, 10, Fraction(31, 3), 50]
STATE = [Fraction(3, 2), -0.1, 7, 0, Fraction(-1, 3)]


@dataclass(frozen=True)
class Signal:
    """One function in two arithmetics."""

    name: str
    number: object
    ball: object


SIGNALS = [
    Signal("constant", lambda x: mpf(1), lambda z: acb(1)),
    Signal("wave", lambda x: mp.sin(3 * x), lambda z: (3 * z).sin()),
    Signal("tower", lambda x: mp.exp(mp.sin(5 * x)), lambda z: (5 * z).sin().exp()),
    Signal("runge", lambda x: 1 / (1 + 25 * x * x), lambda z: 1 / (1 + 25 * z * z)),
    Signal("cubic", lambda x: x**3 - x, lambda z: z**3 - z),
    Signal("rise", mp.exp, acb.exp),
]


def cases():
    """``(kind, words, balls, numbers)``: two callables that must agree, each a list of rows."""
    for m in CASES:
        label = name(m)
        invariant = m.time_law == "invariant"
        for order in (1, 2, 3, 8, 17, 32):
            yield "system", f"{label} N={order}", *_system(m, order)
        for signal in SIGNALS:
            for order, t in ((1, Fraction(1, 3)), (4, Fraction(5, 4)), (11, 3)):
                since = None if m.finite else Fraction(-1, 2)
                yield "projection", f"{label} {signal.name} N={order} t={t}", *_projection(m, signal, t, order, since)
        for rule in RULES:
            for order in (1, 2, 5, 16):
                for title, samples in INPUTS.items():
                    words = f"{label} {rule} N={order} {title}"
                    yield "states", words, *_states(m, samples, order, rule, DT if invariant else None, {})
                words = f"{label} {rule} N={order} uneven"
                yield "states", words, *_states(m, INPUTS["rough"], order, rule, None, {"timestamps": UNEVEN})
            yield "resumed", f"{label} {rule}", *_resumed(m, rule, DT if invariant else None)
            for order, length in ((3, 7), (9, 4)):
                yield (
                    "jacobian",
                    f"{label} {rule} N={order}",
                    *_jacobian(m, length, order, rule, DT if invariant else None),
                )
        if invariant:
            for signal in SIGNALS[1:3]:
                yield "closed state", f"{label} {signal.name}", *_closed(m, signal, Fraction(6, 5), 5)
        if m.key != "lagt":
            yield "values", label, *_values(m)


def _system(m, order):
    def numbers():
        found = ref.system(m, order, DIGITS + 10)
        return [*([found.A[n, k] for k in range(order)] for n in range(order)), list(found.B)]

    def balls():
        rows, column = ref.enclose_system(m, order, DIGITS)
        return [*rows, column]

    return balls, numbers


def _projection(m, signal, t, order, since):
    return (
        lambda: [ref.enclose(m, signal.ball, t, order, DIGITS, since=since)],
        lambda: [ref.project(m, signal.number, t, order, DIGITS + 10, since=since)],
    )


def _states(m, samples, order, rule, dt, keywords):
    return (
        lambda: ref.enclose_states(m, samples, order, rule, dt, DIGITS, **keywords),
        lambda: ref.states(m, samples, order, rule, dt, DIGITS + 10, **keywords),
    )


def _resumed(m, rule, dt):
    pairs = {"trapezoid": 0.5, "foh": 0.5, "hold(2)": [2, 0.5], "hold(3)": [-1, 2, 0.5]}
    keywords = {"start": STATE, "first": 7, "previous": pairs.get(rule)}
    return _states(m, [0.75, -2], len(STATE), rule, dt, keywords)


def _jacobian(m, length, order, rule, dt):
    def numbers():
        found = ref.jacobian(m, length, order, rule, dt, DIGITS + 10)
        # By columns: each is known relative to its own largest entry.
        return [[found[n, k] for n in range(order)] for k in range(length)]

    def balls():
        rows = ref.enclose_jacobian(m, length, order, rule, dt, DIGITS)
        return [list(column) for column in zip(*rows, strict=True)]

    return balls, numbers


def _closed(m, signal, t, order):
    return (
        lambda: [ref.enclose_closed_state(m, signal.ball, t, order, DIGITS)],
        lambda: [ref.closed_state(m, signal.number, t, order, DIGITS + 10)],
    )


def _values(m):
    fractions = [Fraction(1, 7), 0.5, Fraction(9, 10)]
    return (
        lambda: [[value] for value in ref.enclose_values(m, STATE, fractions, DIGITS)],
        lambda: [[value] for value in ref.evaluate(m, STATE, fractions, DIGITS + 10)],
    )


def compare(balls, numbers):
    """None and the widest radius over its row's size, or the first place that does not overlap.

    A number of the mpmath side is known to ``10^-(DIGITS + 10)`` of its row, or of ``2^-32`` of its inputs.
    """
    widest = mpf(0)
    with mp.workdps(DIGITS + 60):
        size = max(abs(entry) for row in numbers for entry in row)
        for k, (found, expected) in enumerate(zip(balls, numbers, strict=True)):
            largest = max([abs(entry) for entry in expected] + [mp.ldexp(size, -32)])
            slack = largest * mpf(10) ** -(DIGITS + 9)
            for n, (value, number) in enumerate(zip(found, expected, strict=True)):
                if not abs(midpoint(value) - number) <= radius(value) + slack:
                    return (k, n), widest
                if largest:
                    widest = max(widest, radius(value) / largest)
    return None, widest


def main():
    counts, widest, apart = Counter(), mpf(0), []
    for kind, words, balls, numbers in cases():
        place, wide = compare(balls(), numbers())
        counts[kind] += 1
        widest = max(widest, wide)
        if place is not None:
            apart.append((kind, words, place))
    sys.stdout.write(
        f"{sum(counts.values())} cases: {dict(counts)}; apart: {len(apart)}; widest radius {mp.nstr(widest, 3)}\n"
    )
    for case in apart[:20]:
        sys.stdout.write(f"{case}\n")


if __name__ == "__main__":
    main()
