"""Every drawing of the report: its pictures, how to read them, and the same numbers as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verify.report import approximation, budgets, heat, influence, numbers, orders, slopes, work
from verify.report.numbers import Table
from verify.report.pictures import Picture, errors
from verify.verdict import Verdict


def _said(text: str) -> str:
    """A text of several lines as one."""
    return " ".join(text.split())


SIGNS = (
    "A ring with a letter marks what is no pass: F fail, E error, X expected fail, U unexpected pass, ? inconclusive. "
    "An open point on the line marked so at the bottom is exactly 0; what is no number stands on the line at the top. "
    "What is unsupported is not drawn. A click on a name in the legend switches its lines off."
)


@dataclass(frozen=True)
class Drawing:
    """A place in the report where one of several pictures is shown.

    Attributes:
        key: name of its data, and of its place in the page.
        title: its heading.
        labels: names of the two choices between its pictures.
        words: how to read it.
        pictures: what can be chosen; empty where the store has nothing of it.
        table: the same numbers.
        caption: title of the table.
        empty: what is said where there is no picture.
    """

    key: str
    title: str
    labels: tuple[str, str]
    words: str
    pictures: Sequence[Picture]
    table: Table
    caption: str
    empty: str

    @property
    def groups(self) -> list[str]:
        """What the first choice is between."""
        return list(dict.fromkeys(picture.group for picture in self.pictures))


def drawings(verdicts: Sequence[Verdict]) -> list[Drawing]:
    """The drawings in the order in which they are read."""
    return [
        Drawing(
            "heat",
            "Error ÷ bound",
            ("Target", "Property"),
            _said(
                """
                A number is error ÷ bound of a pass: deep blue is near to the bound, orange is beyond it and has a
                letter: F fail, X expected fail, U unexpected pass. A letter without a number was not judged: E
                error, ? inconclusive, – unsupported; an empty cell was not asked for. The colours mean the same in
                every report.
                """
            ),
            heat.heat(verdicts),
            heat.table(verdicts),
            "Error ÷ bound as a table",
            "Nothing was measured.",
        ),
        Drawing(
            "errors",
            "Error against order",
            ("Property", "Rule"),
            f"Lines with points are errors, dotted lines their bounds in the same colour. {SIGNS}",
            errors(verdicts),
            numbers.errors(verdicts),
            "Errors and bounds as a table: error / bound as measured",
            "Nothing was measured.",
        ),
        Drawing(
            "convergence",
            "Convergence",
            ("Rule", "At"),
            _said(
                f"""
                Distance of the last state to the exact projection (closed measures: to the exact state of their
                equation). Broad grey: what the rule leaves in exact arithmetic; dotted, a
                little above that: the slope of its nominal order. {SIGNS}
                """
            ),
            [*orders.orders(verdicts), *slopes.convergence(verdicts)],
            numbers.convergence(verdicts),
            "Distances and orders as a table",
            "No scan was checked for convergence.",
        ),
        Drawing(
            "work",
            "Work and precision",
            ("Target", "At"),
            _said(
                f"""
                Work is counted, not timed: the multiplications that the textbook form of the rule takes for so many
                samples (a product with a dense N × N matrix in each step of an invariant law; for LegS products or
                solves with triangles), whatever the target does instead; making its matrices is left out. It is
                therefore the same on every machine, and says nothing of how fast a target is. {SIGNS}
                """
            ),
            work.work_precision(verdicts),
            work.table(verdicts),
            "Work and distances as a table",
            "The store records no work: no scan was checked for convergence, or an earlier version wrote it.",
        ),
        Drawing(
            "influence",
            "Gradient bounds",
            ("Influence", "At"),
            _said(
                f"""
                Norm of the derivative of a state by one sample. Broad grey: exact. Under the holds of LegS it lies
                between the sample's share of the measure (the derivative of the first coefficient) and N times that
                share, at any lag: it does not vanish with the lag, and falls like 1/t as the run goes on (HiPPO
                proposition 5). Under other rules and measures no such bound is derived, and none is drawn. {SIGNS}
                """
            ),
            influence.influence(verdicts),
            influence.table(verdicts),
            "Influences as a table",
            "The store records no influence: no gradient bound was checked, or an earlier version wrote it.",
        ),
        Drawing(
            "approximation",
            "Approximation bounds",
            ("Measure", "Of"),
            _said(
                f"""
                What a state, or what is read out of it, misses of signals of different smoothness, beside Jackson's
                bound with its constants (HiPPO proposition 6): the more derivatives are bounded, the steeper it
                falls. From a state it is the root of the energy that is missing, which rounding and the rule's own
                distance to the projection blur up to the line that is drawn. {SIGNS}
                """
            ),
            approximation.approximation(verdicts),
            approximation.table(verdicts),
            "What is missed and its bounds as a table: missed / bound",
            "The store records no approximation: none was checked, or an earlier version wrote it.",
        ),
        Drawing(
            "budget",
            "Error budgets",
            ("Target", "Of"),
            _said(
                """
                What the distance of a state to its signal is made of: truncation (no state of order N holds more),
                closure (the equation is approximate), discretization (the rule), rounding (the arithmetic). Above:
                norms on a log axis, where heights do not add up; below: shares of the squared total, which do; a
                part that cancels others stands below zero. F marks a verdict that failed, ? one that could not
                decide. The signal is the smooth one of the convergence check; `hippo-verify budget` takes any
                other.
                """
            ),
            budgets.budgets(verdicts),
            budgets.table(verdicts),
            "Budgets as a table: norm (share of the squared total)",
            "The store records no budget: no scan was checked for convergence, or an earlier version wrote it.",
        ),
    ]
