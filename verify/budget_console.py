"""Error budgets on a terminal: a row per cell, then what to act on."""

from __future__ import annotations

from collections import Counter

from rich.markup import escape
from rich.table import Table

from verify.budget import COMPONENTS, Budget
from verify.budgeting import Budgets
from verify.console import WORDS, make_console
from verify.verdict import Status

MARKS = {Status.FAIL: "!", Status.INCONCLUSIVE: "?"}
"""After a rounding that is none, or of which the bound does not tell."""


def show_budgets(found: Budgets) -> None:
    """The word, the table, what to act on, what is missing."""
    console = make_console()
    said = f"{escape(found.target)}: {escape(found.measure)}, signal {escape(found.signal)}, L2 norms"
    console.print(f"{WORDS[found.status]}  {said}")
    if found.budgets:
        console.print(_table(found.budgets))
    advice = Counter(budget.advice for budget in found.budgets)
    for text, number in advice.most_common():
        cells = f"{number} cell{'' if number == 1 else 's'}"
        console.print(f"  [bold]{escape(text)}[/] ({cells})", soft_wrap=True)
    for note in dict.fromkeys(note for budget in found.budgets for note in budget.notes):
        console.print(f"  note: {escape(note)}", soft_wrap=True)
    for cell in found.absent:
        place = f"N={cell.order} L={cell.length} {cell.dtype}"
        console.print(f"  [yellow]{cell.status}[/] {place}: {escape(cell.message)}", soft_wrap=True)


def _table(budgets: list[Budget]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("N", "L", "dtype", *COMPONENTS, "total", "act on"):
        table.add_column(head, justify="left" if head in ("dtype", "act on") else "right")
    for budget in budgets:
        cells = [
            f"[bold]{part.value:.3g}[/]" if part.name == budget.dominant else f"{part.value:.3g}"
            for part in budget.components
        ]
        cells[-1] += MARKS.get(budget.judgement, "")
        style = "bold red" if budget.judgement is Status.FAIL else None
        place = (str(budget.case.order), str(budget.length), budget.case.dtype)
        table.add_row(*place, *cells, f"{budget.total:.3g}", budget.dominant or "nothing", style=style)
    return table
