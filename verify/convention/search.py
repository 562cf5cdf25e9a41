"""Identification: every measure, rule and scaling is tried against what a target shows, and what fits is kept.

Two orders must tell the same story: at one alone, a coincidence can look like an operator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from verify.case import Case
from verify.convention.fit import fits
from verify.convention.inside import inside_of_matrices
from verify.convention.near import near_matrices
from verify.convention.observe import UnreadableError, read_matrices
from verify.convention.parameters import special
from verify.convention.precision import roundoff
from verify.convention.record import Convention, Identification
from verify.convention.rules import RULES
from verify.convention.scans import of_scan
from verify.convention.steps import of_step
from verify.convention.task import PROBE_ORDER, SECOND_ORDER, Task, same
from verify.oracle import Oracle
from verify.result import Target

MEASURES = ("legs", "legt", "lmu", "lagt", "fout", "legs_lti", "chebt", "gegenbauer", "jacobi")
"""Measures that are recognised."""


def identify(
    target: Target,
    case: Case,
    oracle: Oracle,
    *,
    measures: Sequence[str] = MEASURES,
    methods: Sequence[str] | None = None,
    spaced: bool = True,
    closest: bool = False,
) -> Identification:
    """Every convention that explains a target, best first; none if it is no HiPPO operator.

    Args:
        target: offers ``matrices``, ``step`` or ``scan``, as the case's level says.
        case: gives level, dt and dtype; its measure and parameters are looked for, not taken for granted.
        oracle: exact operators.
        measures: those tried.
        methods: rules tried; None for all, weighted ones included.
        spaced: whether the spacing of the samples is known: ``case.dt``, None for the scale law. If not, both laws are
            tried, and a window shows as its number of samples.
        closest: look for near misses where nothing matches.

    Raises:
        TargetError: the target gives no answer.
    """
    task = Task(
        target, replace(case, order=PROBE_ORDER), oracle, tuple(measures),
        RULES if methods is None else tuple(methods), methods is None, spaced,
    )  # fmt: skip
    try:
        found, near = {"matrices": of_matrices, "step": of_step, "scan": of_scan}[case.level](task)
        nearest = tuple(near()) if closest and not found else ()
    except UnreadableError as error:
        return Identification(case.level, note=str(error))
    return Identification(case.level, tuple(_ranked(found, measures)), nearest)


def _ranked(found: Sequence[Convention], measures: Sequence[str]) -> list[Convention]:
    """Simplest first; a special case of a family is left to the measure that has its name."""
    kept = [m for m in found if len(measures) == 1 or not special(m.measure, m.parameters, 1e-4)]
    return sorted(
        kept, key=lambda m: (not m.trivial, m.formula == "", m.sign < 0, m.residual > 1e-9, MEASURES.index(m.measure))
    )


def of_matrices(task: Task) -> tuple[list[Convention], Callable[[], Any]]:
    """Conventions of a pair (A, B), and how to find near misses."""
    A, B = read_matrices(task.target, task.case)
    tolerance = max(task.base, 4 * roundoff(np.r_[A.ravel(), B]))
    found: list[Convention] = []
    shown = (A, B)
    for sign in (1, -1):  # only matrices can be written the other way round: a step or scan with -A runs away
        for measure in task.measures:
            for fit in fits(sign * A, B, measure, task.case, task.oracle, tolerance, unit_scale=True):
                theta = task.theta(measure, 1 / fit.scale, max(fit.residual, 1e-12))
                scaling = tuple(fit.T.tolist())
                found.append(Convention(measure, theta, scaling, fit.formula, sign, 0, fit.parameters, fit.residual))
    if found:
        shown = larger = read_matrices(task.target, replace(task.case, order=SECOND_ORDER))
        again = [
            Convention(measure, 1 / fit.scale, (), fit.formula, sign, 0, fit.parameters)
            for sign in {match.sign for match in found}
            for measure in {match.measure for match in found}
            for fit in fits(sign * larger[0], larger[1], measure, task.case, task.oracle, tolerance, unit_scale=True)
        ]
        found = [match for match in found if any(same(match, other) for other in again)]
    found = [inside_of_matrices(match, A, B, task.case, task.oracle) for match in found]
    return found, lambda: near_matrices(*shown, task.case, task.oracle, task.base, task.measures)
