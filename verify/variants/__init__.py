"""Legitimate variants: right implementations in other clothes, as many as there are defects; none may be rejected."""

from __future__ import annotations

from verify.variants.base import Served, Variant
from verify.variants.conventions import CONVENTIONS
from verify.variants.factors import FACTORS
from verify.variants.forms import FORMS
from verify.variants.formulas import FORMULAS
from verify.variants.recurrences import RECURRENCES
from verify.variants.solves import SOLVES

VARIANTS: dict[str, Variant] = {
    variant.key: variant
    for family in (FORMS, FORMULAS, FACTORS, SOLVES, RECURRENCES, CONVENTIONS)
    for variant in family
}

__all__ = ["VARIANTS", "Served", "Variant"]
