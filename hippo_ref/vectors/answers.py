"""Certified answers of questions, as decimals with a radius."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flint import arb

from hippo_ref.enclosed import enclose_jacobian, enclose_states, enclose_step, enclose_system
from hippo_ref.enclosure import enclose, enclose_values
from hippo_ref.vectors.numbers import rounded_row, widened_row
from hippo_ref.vectors.question import Question
from hippo_ref.vectors.signals import Entire

Balls = list[arb]

ASKED = (40, 80, 160, 320)
"""Digits of the balls, one after the other, until every decimal is decided."""
SMALLEST_ROW = Fraction(1, 2**32)
"""A row below this share of the inputs is given to the places that the share has: it may be a rounded exact zero."""


def answer(question: Question) -> dict[str, Any]:
    """``shape``, ``values`` (row-major decimals) and ``radius`` (one for each row) of the rows asked for.

    ``|truth - value| <= radius`` is proved for every number: by the balls of ``hippo_ref.enclosed`` and by rounding
    them to a decimal in integer arithmetic.
    """
    floors = [question.scale(row) * SMALLEST_ROW for row in question.rows]
    entrywise = question.kind == "matrices"
    for digits in ASKED:
        rows = balls(question, digits)
        rounded = [rounded_row(row, floor, entrywise) for row, floor in zip(rows, floors, strict=True)]
        if all(row is not None for row in rounded):
            break
    found = [done or widened_row(row, floor) for done, row, floor in zip(rounded, rows, floors, strict=True)]
    return {
        "shape": [len(rows), question.width],
        "values": [text for texts, _ in found for text in texts],
        "radius": [radius for _, radius in found],
    }


def balls(question: Question, digits: int) -> list[Balls]:
    """The rows asked for, as balls whose radius is below ``10^-digits`` of the row's largest entry."""
    m, order, asked = question.setting.exact, question.order, question.rows
    if question.kind == "matrices":
        A, B = enclose_system(m, order, digits)
        return [[*A[n], B[n]] for n in asked]
    if question.kind == "reconstruct":
        values = enclose_values(m, question.state or (), question.points or (), digits)
        return [[values[i]] for i in asked]
    if question.kind == "projection":
        return [enclose(m, question.signal or Entire(), question.time, order, digits)]
    method, samples = question.method or "", question.samples or ()
    if question.kind == "gradient":
        J = enclose_jacobian(m, len(samples), order, method, question.dt, digits, timestamps=question.timestamps)
        return [[row[k] for row in J] for k in asked]
    if question.kind == "step":
        state, index = question.state or (), question.index or 0
        return [enclose_step(m, state, samples[0], index, method, question.dt, digits)]
    last = asked == (len(samples) - 1,)
    states = enclose_states(m, samples, order, method, question.dt, digits, timestamps=question.timestamps, last=last)
    return states if last else [states[k] for k in asked]
