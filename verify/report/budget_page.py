"""The page of error budgets, made from the object of ``--json`` alone: nothing is computed, nothing is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from verify.budget import COMPONENTS
from verify.report.budget_picture import key, pictures, table
from verify.report.page import document, write
from verify.report.records import short

SENTENCES = {
    "pass": "The target differs from the exact recurrence by rounding, or by too little to matter beside the rest.",
    "fail": "The target is wrong: rounding cannot explain what it differs by from the exact recurrence.",
    "error": "The target gave no state in some cells.",
    "inconclusive": "In some cells the largest part is rounding or a defect, and the bound does not decide.",
    "empty": "The target has no such case: nothing was measured.",
}


def write_budgets(path: Path, record: Mapping[str, Any]) -> Path:
    """Write one page that needs no network.

    Args:
        path: the file, written whole or not at all.
        record: what `verify.budgeting.Budgets.to_json` gives.

    Returns:
        The path.

    Raises:
        ImportError: jinja2 or plotly is not installed.
        OSError: the page cannot be written.
    """
    return write(Path(path), render_budgets(record))


def render_budgets(record: Mapping[str, Any]) -> str:
    """The page as HTML.

    Raises:
        ImportError: jinja2 or plotly is not installed.
    """
    budgets = record["budgets"]
    drawn = pictures(budgets)
    advice = Counter(budget["advice"] for budget in budgets)
    return document(
        "budget.html",
        {"budget": drawn},
        record=record,
        sentence=SENTENCES[record["status"]],
        advice=[(text, number, _where(budgets, text)) for text, number in advice.most_common()],
        groups=list(dict.fromkeys(picture.group for picture in drawn)),
        table=table(budgets),
        truths=[_truth(name, budgets) for name in COMPONENTS] if budgets else [],
        notes=list(dict.fromkeys(note for budget in budgets for note in budget["notes"])),
        facts=_facts(record),
    )


def _where(budgets: list[Any], advice: str) -> str:
    cells = [key(budget) for budget in budgets if budget["advice"] == advice]
    listed = [f"N = {order}, L = {length}, {dtype}" for order, length, dtype in cells[:3]]
    return "; ".join(listed) + ("; ..." if len(cells) > 3 else "")


def _truth(name: str, budgets: list[Any]) -> tuple[str, str, str, str, str]:
    """Component, what it was measured against, how that is known and to what, and where its bound comes from."""
    part = budgets[0]["components"][name]
    accuracy = max(budget["components"][name]["accuracy"] for budget in budgets)
    return name, part["truth"], part["source"], short(accuracy), part["bound_source"] or "none is derived"


def _facts(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [("target", record["target"]), ("measure", record["measure"]), ("signal", record["signal"])]
    if record["budgets"]:
        first = record["budgets"][0]
        case = first["case"]
        times = dict.fromkeys(short(budget["time"]) for budget in record["budgets"])
        facts += [(name, str(value)) for name, value in case["parameters"].items()]
        facts += [("rule", case["method"]), ("state read at time", ", ".join(times))]
        facts += [("cells", f"{len(record['budgets'])} measured, {len(record['absent'])} absent")]
    provenance = record["provenance"]
    versions = ", ".join(f"{name} {version}" for name, version in provenance.get("versions", {}).items())
    for name, value in (("made", provenance.get("time")), ("commit", provenance.get("commit")), ("with", versions)):
        if value:
            facts.append((name, str(value)))
    return facts
