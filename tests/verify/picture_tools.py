"""Verdicts from which every drawing of the report has pictures."""

import math
from dataclasses import replace

from report_tools import HOSTILE, every_status, passed

from verify.case import Case
from verify.report.budget_picture import COMPONENTS
from verify.verdict import Status

CASE = Case("ours", "legs", 4, level="scan")
LENGTHS = [64, 128, 256]


def converging(case=CASE, errors=(4e-2, 2e-2, 1e-2), order=1.0, nominal=1, status=Status.PASS, **details):
    kept = {"lengths": LENGTHS[: len(errors)], "errors": list(errors), "rule_errors": [4e-2, 2e-2, 1e-2][: len(errors)]}
    kept |= {"nominal_order": nominal, "order": order, "rounding": [1e-15] * len(errors), **details}
    verdict = passed(case, "convergence", details=kept)
    return verdict if status is Status.PASS else replace(verdict, status=status, message="the order is wrong")


def budgeted(norms=(1e-3, 0.0, 1e-2, 1e-16), case=CASE, **fields):
    square = math.fsum(n * n for n in norms)
    budget = {
        "parts": list(COMPONENTS),
        "norms": [list(norms)] * 3,
        "shares": [[n * n / square for n in norms]] * 3,
        "totals": [math.sqrt(square)] * 3,
        "rounding_limits": [1e-12] * 3,
        "size": 0.7,
        "accuracy": 1e-25,
    }
    return converging(case, multiplications=[1000, 2000, 4000], budget=budget, **fields)


def influencing(norms=(0.02, 0.01, 0.025), case=None, status=Status.PASS, **columns):
    case = case or Case("ours", "legs", 4, method="zoh", level="gradient")
    kept = {"places": [0, 16, 299], "norms": list(norms), "exact": [0.02, 0.01, 0.025], "rounding": [1e-15] * 3}
    kept |= {"shares": [0.01] * 3, **columns}
    verdict = passed(case, "gradient_bound", details={"influence": kept})
    return verdict if status is Status.PASS else replace(verdict, status=status, message="beyond its share")


def approximating(order, error=1e-3, bound=1e-1, status=Status.PASS, worst=None, signal="corner", **extra):
    entry = {"energy": 1.0, "J": bound, "error": error, "floor": 1e-15, "smoothness": 1}
    case = Case("ours", "legs", order, level="reconstruct")
    verdict = passed(case, "approximation", details={signal: entry, **extra}, worst=worst)
    return verdict if status is Status.PASS else replace(verdict, status=status, message="less energy than Jackson's")


def all_kinds():
    """Verdicts from which every drawing has pictures, among them some of every status and hostile text."""
    hostile = replace(CASE, target=HOSTILE)
    fading = {"places": [2, 4], "norms": [0.5, 0.25], "exact": [0.5, 0.25], "shares": [0.5, 0.25]}
    return [
        *every_status(),
        budgeted(), budgeted(status=Status.FAIL, case=replace(CASE, target="theirs")), budgeted(case=hostile),
        replace(converging(hostile, status=Status.FAIL), message=HOSTILE),
        influencing(), influencing(status=Status.FAIL, case=replace(CASE, target=HOSTILE, level="gradient")),
        approximating(4), approximating(8, 0.0, 0.0), replace(approximating(4, status=Status.FAIL), message=HOSTILE),
        passed(Case(HOSTILE, "legs", 4, method="zoh", level="scan"), "gradient_bound", details={"later": fading}),
    ]  # fmt: skip
