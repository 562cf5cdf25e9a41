"""The ways in which implementations go wrong in practice: each alters one thing in a right model."""

from __future__ import annotations

from verify.case import Case
from verify.defects.answers import ANSWERS
from verify.defects.base import Defect
from verify.defects.clocks import CLOCKS
from verify.defects.factors import FACTORS
from verify.defects.gradients import GRADIENTS
from verify.defects.long_runs import LONG_RUNS
from verify.defects.modes import MODES
from verify.defects.operators import OPERATORS
from verify.defects.readouts import READOUTS
from verify.defects.recurrences import RECURRENCES
from verify.defects.rules import RULES
from verify.defects.side_effects import SIDE_EFFECTS
from verify.defects.streams import STREAMS

DEFECTS: dict[str, Defect] = {
    defect.key: defect
    for family in (
        OPERATORS,
        RECURRENCES,
        RULES,
        ANSWERS,
        READOUTS,
        GRADIENTS,
        FACTORS,
        MODES,
        CLOCKS,
        STREAMS,
        LONG_RUNS,
        SIDE_EFFECTS,
    )
    for defect in family
}

WRONG_OPERATOR = (
    *("doubled_B", "halved_B", "negated_B", "negated_A", "transposed", "one_based", "diagonal_short"),
    *("identity_twice", "positive_diagonal", "doubled_operator", "scaled_one_sided"),
)
"""Operators that no comparison of entries, rates or states may accept."""
WRONG_NAME = (
    *("no_alternation", "flat_signs", "legt_as_lmu", "lmu_as_legt", "legs_as_legt", "legt_as_legs"),
    *("halved_operator", "untilted"),
)
"""Operators of another measure, window or tilt, or with half of their signs."""
WRONG_STEP = (
    *("one_entry", "clock_late", "zero_start", "euler_used", "backward_euler_used", "bilinear_used", "zoh_used"),
    *("double_step", "truncated_inverse", "input_unscaled", "upper_half_dead", "short_table", "triangular_solve"),
    *("elementwise", "doubled_state", "clipped", "float32_states", "nan_when_large"),
)
"""Clocks, starts, rules, solves and outputs that no comparison of states may accept."""
WRONG_RULE = (*("weight_swapped", "degree_short", "line_at_most", "ratio_early", "phantom_zero", "node_stepped_to"),)
"""Rules and starts of the holds, of the rules that read nodes, and of the weighted ones."""


def pick(case: Case, *keys: str) -> tuple[Defect, ...]:
    """Defects by key, those that apply to a case."""
    return tuple(DEFECTS[key] for key in keys if DEFECTS[key].applies(case))


__all__ = ["DEFECTS", "WRONG_NAME", "WRONG_OPERATOR", "WRONG_RULE", "WRONG_STEP", "Defect", "pick"]
