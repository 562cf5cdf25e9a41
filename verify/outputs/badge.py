"""A badge, as the endpoint of shields.io reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verify.campaign import Report
from verify.checks import CHECKS
from verify.outputs.base import write_json
from verify.verdict import Status

CONFORMS = "conforms"
EXCEPT = "conforms except for expected failures"
FAILS = "does not conform"
NO_ANSWER = "gives no answer"
OPEN = "undecided"
COLORS = {CONFORMS: "brightgreen", EXCEPT: "yellow", FAILS: "red", NO_ANSWER: "orange", OPEN: "lightgrey"}
ORDERS, LEVELS = 6, 3
"""Orders and levels up to which they are listed one by one."""


def _judged(report: Report) -> bool:
    """Whether a value was compared at the order of a case: calls that agree with each other may all be wrong."""
    return any(verdict.status is Status.PASS and _compares(verdict.check) for verdict in report.verdicts)


def _compares(check: str) -> bool:
    return check not in CHECKS or not CHECKS[check].beside  # of vectors, the names are not those of checks


def word(report: Report) -> str:
    """The one word of certificate and badge.

    ``conforms`` needs a pass with nothing left over: enough was decided, no failure is excused, and every entry of the
    expected failures still holds.
    """
    if report.status in ("fail", "error"):
        return FAILS if report.status == "fail" else NO_ANSWER
    if report.status != "pass" or report.exit_code != 0 or not _judged(report):
        return OPEN
    return EXCEPT if report.counts["EXPECTED_FAIL"] else CONFORMS


def _levels(levels: Sequence[str]) -> str:
    return ", ".join(levels) if len(levels) <= LEVELS else f"{len(levels)} levels"


def _orders(orders: Sequence[int]) -> str:
    if len(orders) <= ORDERS:
        return ", ".join(map(str, orders))
    return f"{orders[0]} to {orders[-1]} ({len(orders)} orders)"


def badge(report: Report) -> dict[str, Any]:
    """The JSON of a badge: green for `CONFORMS` alone, and with the levels and orders at which that was seen."""
    found = word(report)
    seen = [v.case for v in report.verdicts if v.status is not Status.UNSUPPORTED and _compares(v.check)]
    measures = list(dict.fromkeys(case.measure for case in seen))
    targets = list(dict.fromkeys(case.target for case in seen))
    levels = list(dict.fromkeys(case.level for case in seen))
    at: dict[tuple[int, ...], list[str]] = {}  # levels by the orders at which each was seen
    for level in levels:
        at.setdefault(tuple(sorted({case.order for case in seen if case.level == level})), []).append(level)
    where = [(_levels(some), _orders(orders)) for orders, some in at.items()]
    if found not in (CONFORMS, EXCEPT):
        message = found
    elif len(where) == 1:
        message = f"{where[0][0]}: {found} at N = {where[0][1]}"
    else:
        message = f"{found}: " + "; ".join(f"{what} at N = {orders}" for what, orders in where)
    if len(targets) > 1:
        message = f"{len(targets)} targets: {message}"
    label = "HiPPO" if len(measures) != 1 else f"HiPPO | {measures[0]}"
    return {"schemaVersion": 1, "label": label, "message": message, "color": COLORS[found]}


def write_badge(path: Path, report: Report) -> None:
    """The JSON of a badge."""
    write_json(path, badge(report))
