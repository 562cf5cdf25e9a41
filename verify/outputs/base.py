"""What the outputs share: how text reaches a file, what counts as bad, and what no single verdict says."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from verify.campaign import Report
from verify.folders import write_whole
from verify.verdict import Status, Verdict

STDOUT = "-"
"""The name of a file that means standard output."""
SEVERITY = {
    Status.FAIL: "error",
    Status.UNEXPECTED_PASS: "error",
    Status.ERROR: "error",
    Status.INCONCLUSIVE: "warning",
}
"""How bad the statuses are that a reader has to look at; the others are not shown one by one."""


def write_text(path: Path, text: str) -> None:
    """A file whole or not at all; ``-`` is standard output. Names and messages may hold lone surrogates.

    Raises:
        OSError: it cannot be written.
    """
    content = text.encode("utf-8", "backslashreplace")
    if str(path) == STDOUT:
        sys.stdout.write(content.decode())
        sys.stdout.flush()
    else:
        write_whole(path, content)


def write_json(path: Path, content: Any) -> None:
    """One object. No NaN and no infinity: JSON has neither, so they are written as the texts ``nan`` and ``inf``."""
    write_text(path, json.dumps(finite(content), indent=2, allow_nan=False) + "\n")


def finite(content: Any) -> Any:
    """JSON-able content without a number that JSON does not have."""
    if isinstance(content, Mapping):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return repr(float(content))
    return content


def problems(report: Report) -> list[str]:
    """Why a report is no pass although each of its verdicts looks well; without these a reader would see green."""
    found = []
    if report.status == "empty":
        found.append("nothing was checked: no check applies to what was asked")
    if report.coverage.shortfall:
        found.append(f"coverage is too small: {report.coverage.shortfall}")
    return [*found, *report.notes]


def by_weight(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The verdicts to look at, the most telling first: errors before warnings, and every check before any twice."""
    seen: dict[tuple[str, str], int] = {}
    ranked = []
    for place, verdict in enumerate(verdicts):
        if verdict.status not in SEVERITY:
            continue
        name = (verdict.case.target, verdict.check)
        seen[name] = seen.get(name, -1) + 1
        # A wrong answer says more than none.
        weight = (SEVERITY[verdict.status] != "error", verdict.status is Status.ERROR, seen[name], place)
        ranked.append((weight, verdict))
    return [verdict for _, verdict in sorted(ranked, key=lambda pair: pair[0])]
