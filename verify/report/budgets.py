"""Error budgets from the store: what the distances are made of that the check of convergence measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from verify.report.budget_picture import COMPONENTS, Cell, around, key, percent
from verify.report.lines import ALARMS, number, numeric
from verify.report.numbers import Table
from verify.report.pictures import Picture
from verify.report.records import LETTERS, WORDS, counted, short, variant
from verify.verdict import Status, Verdict

JUDGED = {Status.FAIL: "FAIL", Status.EXPECTED_FAIL: "FAIL", Status.INCONCLUSIVE: "INCONCLUSIVE"}


def budgets(verdicts: Sequence[Verdict]) -> list[Picture]:
    """A picture for each target, measure and rule: what its error is made of as order, length or dtype is changed."""
    groups: dict[tuple[str, str], dict[Cell, Mapping[str, Any]]] = {}
    for verdict in verdicts:
        for record in records_of(verdict):
            case = verdict.case
            place = (case.target, f"{variant(case)}, {case.method}")
            groups.setdefault(place, {})[key(record)] = record
    found = []
    for (target, choice), cells in groups.items():
        # The cell with the most of everything is the one whose neighbours say the most.
        cell = max(cells, key=lambda c: (c[2] == "float64", c[0], c[1]))
        found.append(Picture(target, choice, _words(cells, cell), around(cells, cell)))
    return found


def records_of(verdict: Verdict) -> list[dict[str, Any]]:
    """Budgets of a verdict, one for each length, in the form that `verify.report.budget_picture` draws."""
    given = verdict.details.get("budget")
    if verdict.check != "convergence" or not isinstance(given, dict) or given.get("parts") != list(COMPONENTS):
        return []
    lengths = numeric(verdict.details.get("lengths"))
    norms, shares = (given[name] if isinstance(given.get(name), list) else [] for name in ("norms", "shares"))
    totals, limits = numeric(given.get("totals")), numeric(given.get("rounding_limits"))
    size, accuracy = (number(given.get(name)) for name in ("size", "accuracy"))
    found = []
    for length, values, portions, total, limit in zip(lengths, norms, shares, totals, limits, strict=False):
        value, share = numeric(values), numeric(portions)
        if length is None or len(value) != len(COMPONENTS) or len(share) != len(COMPONENTS):
            continue
        parts: dict[str, dict[str, Any]] = {
            name: {"value": value[i], "share": share[i], "bound": None, "accuracy": accuracy or 0.0, "parts": {}}
            for i, name in enumerate(COMPONENTS)
        }
        parts["rounding"]["bound"] = limit
        found.append(
            {
                "case": {"order": verdict.case.order, "dtype": verdict.case.dtype},
                "length": int(length),
                "components": parts,
                "total": total,
                "size": size,
                "judgement": JUDGED.get(verdict.status, "PASS"),
                "message": verdict.message,
                "status": verdict.status,
            }
        )
    return found


def largest(record: Mapping[str, Any]) -> str:
    """The component that is largest, or the one that is no number."""
    parts = {name: part["value"] for name, part in record["components"].items()}
    missing = [name for name, value in parts.items() if value is None]
    return missing[0] if missing else max(parts, key=lambda name: parts[name])


def _words(cells: Mapping[Cell, Mapping[str, Any]], cell: Cell) -> str:
    record = cells[cell]
    name = largest(record)
    part = record["components"][name]
    share = f", {100 * part['share']:.3g} % of the squared total" if part["share"] is not None else ""
    words = [
        f"At N = {cell[0]}, L = {cell[1]}, {cell[2]} the state misses {short(record['total'])} of a signal of size "
        f"{short(record['size'])}; most of it is {name} ({short(part['value'])}{share}).",
        f"{counted(len(cells), 'budget')} in all.",
    ]
    wrong = [r["status"] for r in cells.values() if r["status"] in ALARMS]
    words += [f"{wrong.count(status)} of a verdict {WORDS[status]}." for status in dict.fromkeys(wrong)]
    return " ".join(words)


def table(verdicts: Sequence[Verdict]) -> Table:
    """Every budget: norms with their shares of the squared total."""
    rows = []
    for verdict in verdicts:
        case = verdict.case
        for record in records_of(verdict):
            order, length, dtype = key(record)
            parts = [record["components"][name] for name in COMPONENTS]
            norms = (short(part["value"]) + percent(part["share"]) for part in parts)
            sign = f"{LETTERS[verdict.status]} " if verdict.status in ALARMS else ""
            words = (case.target, case.method, variant(case), dtype, sign + largest(record))
            total = "no number" if record["total"] is None else short(record["total"])
            rows.append((*words, str(order), str(length), *norms, short(parts[-1]["bound"]), total))
    head = ("target", "rule", "measure", "dtype", "largest", "N", "L", *COMPONENTS, "rounding explains", "total")
    return Table(head, 5, tuple(rows))
