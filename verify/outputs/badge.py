"""A badge, as the endpoint of shields.io reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from verify.campaign import Report
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


def word(report: Report) -> str:
    """The one word of certificate and badge.

    ``conforms`` needs a pass with nothing left over: enough was decided, no failure is excused, and every entry of the
    expected failures still holds.
    """
    if report.status in ("fail", "error"):
        return FAILS if report.status == "fail" else NO_ANSWER
    if report.status != "pass" or report.exit_code != 0 or not report.counts["PASS"]:
        return OPEN
    return EXCEPT if report.counts["EXPECTED_FAIL"] else CONFORMS


def badge(report: Report) -> dict[str, Any]:
    """The JSON of a badge: green for `CONFORMS` alone, and with the levels and orders at which that was seen."""
    found = word(report)
    seen = [verdict.case for verdict in report.verdicts if verdict.status is not Status.UNSUPPORTED]
    measures = list(dict.fromkeys(case.measure for case in seen))
    targets = list(dict.fromkeys(case.target for case in seen))
    orders = sorted({case.order for case in seen})
    levels = list(dict.fromkeys(case.level for case in seen))
    what = ", ".join(levels) if len(levels) <= LEVELS else f"{len(levels)} levels"
    at = ", ".join(map(str, orders)) if len(orders) <= ORDERS else f"{orders[0]} to {orders[-1]} ({len(orders)} orders)"
    message = f"{what}: {found} at N = {at}" if found in (CONFORMS, EXCEPT) else found
    if len(targets) > 1:
        message = f"{len(targets)} targets: {message}"
    label = "HiPPO" if len(measures) != 1 else f"HiPPO | {measures[0]}"
    return {"schemaVersion": 1, "label": label, "message": message, "color": COLORS[found]}


def write_badge(path: Path, report: Report) -> None:
    """The JSON of a badge."""
    write_json(path, badge(report))
